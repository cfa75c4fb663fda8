#include "engine/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace metastore::engine {
namespace {

std::string Parent(const std::string& path) {
  std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Status SyncPath(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("open", path, errno);
  int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return error == 0 ? Status::Ok() : ErrnoStatus("sync", path, error);
}

}  // namespace

Status ErrnoStatus(std::string_view what, const std::string& path, int error) {
  Code code = error == ENOSPC || error == EDQUOT ? Code::kNoSpace : Code::kIoError;
  return {code, "cannot " + std::string(what) + " " + path + ": " + std::strerror(error)};
}

Status CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoStatus("create directory", path, error.value());
  if (!std::filesystem::is_directory(path, error)) {
    return Status::IoError(path + " is not a directory");
  }
  return Status::Ok();
}

Result<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator it(path, error);
  if (error == std::errc::no_such_file_or_directory) return Status::NotFound();
  std::vector<std::string> names;
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return ErrnoStatus("read directory", path, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? ErrnoStatus("remove", path, error.value()) : Status::Ok();
}

Status Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoStatus("move to " + to + " the file", from, errno);
  }
  return Status::Ok();
}

Status SyncFile(const std::string& path) { return SyncPath(path, O_RDONLY); }
Status SyncDirectory(const std::string& path) { return SyncPath(path, O_RDONLY | O_DIRECTORY); }

Result<std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return Status::NotFound();
    return ErrnoStatus("open", path, errno);
  }
  struct stat info;
  if (::fstat(fd, &info) != 0 || static_cast<uint64_t>(info.st_size) > max_bytes) {
    ::close(fd);
    return Status::Corruption(path + " is too long to be what its name says");
  }
  // One more byte than there is, so that the end is seen.
  std::string bytes(static_cast<size_t>(info.st_size) + 1, '\0');
  size_t size = 0;
  ssize_t n;
  while (size < bytes.size() && (n = ::read(fd, bytes.data() + size, bytes.size() - size)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Status status = ErrnoStatus("read", path, errno);
      ::close(fd);
      return status;
    }
    size += static_cast<size_t>(n);
  }
  ::close(fd);
  bytes.resize(size);
  return bytes;
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  std::string temporary = path + ".tmp";
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus("create", temporary, errno);
  int error = 0;
  while (error == 0 && !bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  ::close(fd);
  if (error != 0) return ErrnoStatus("write", temporary, error);
  RETURN_IF_ERROR(Rename(temporary, path));
  // Nobody can say now which of the two a crash would leave.
  CHECK_OK(SyncDirectory(Parent(path)));
  return Status::Ok();
}

}  // namespace metastore::engine
