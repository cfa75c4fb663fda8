// A directory that lives as long as a test, and the ways to harm the files in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace metastore::engine {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "metastore-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Names, sizes and times of all files below `directory`; "" when it changed while it was read.
inline std::string Listing(const std::string& directory) {
  std::vector<std::string> lines;
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(directory, error), end;
  for (; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    uintmax_t size = at->file_size(error);
    auto time = at->last_write_time(error);
    if (error) break;
    lines.push_back(at->path().string() + " " + std::to_string(size) + " " +
                    std::to_string(time.time_since_epoch().count()) + "\n");
  }
  if (error) return std::string();
  std::sort(lines.begin(), lines.end());
  std::string listing;
  for (const std::string& line : lines) listing += line;
  return listing;
}

// What kill -9 leaves: the files of a database that is still open, without its shutdown. A kill
// leaves one moment; a copy during which a flush or compaction came or went does not, and is
// thrown away.
inline void CopyAsAfterKill(const std::string& from, const std::string& to) {
  for (int copies = 0; copies < 1000; ++copies) {
    const std::string before = Listing(from);
    std::error_code error;
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, error);
    if (!error && !before.empty() && Listing(from) == before) return;
    std::filesystem::remove_all(to);
  }
  ADD_FAILURE() << from << " never stands still";
}

// Regular files below `directory` whose name ends in `suffix` and that are not empty, sorted.
inline std::vector<std::string> FilesEndingIn(const std::string& directory,
                                              const std::string& suffix) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().string().ends_with(suffix) &&
        entry.file_size() > 0) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void WriteWhole(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
inline void FlipBit(const std::string& path, size_t byte, int bit) {
  std::string bytes = ReadWhole(path);
  ASSERT_LT(byte, bytes.size());
  bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
  WriteWhole(path, bytes);
}

}  // namespace metastore::engine
