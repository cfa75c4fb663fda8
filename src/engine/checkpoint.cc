// manifest := "MSCK1" count:varint file × count
// file     := name_len:varint name size:varint crc32c:be32
//
// Files are in byte order of their names. The sink keeps the manifest beside the files, under a
// name that no file may have, so that after a crash it knows whether it continues the same
// snapshot; Finish removes it. Chunks arrive in order, so what is on disk is always whole files
// followed by the beginning of one, and the sizes alone say where to go on.
#include "engine/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "engine/file.h"

namespace metastore::engine {
namespace {

constexpr std::string_view kMagic = "MSCK1";
constexpr std::string_view kSinkManifest = "SNAPSHOT-MANIFEST";
constexpr size_t kMaxManifestBytes = 64 << 20;
constexpr uint64_t kMaxFiles = 1 << 20;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 50;
constexpr size_t kMaxNameBytes = 255;

struct ManifestFile {
  std::string name;
  uint64_t size = 0;
  uint32_t crc = 0;
};

// A file descriptor that closes itself.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  ~File() { Reset(-1); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  void Reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Fills `out` from `offset` on; kCorruption when the file ends before.
Status ReadAt(int fd, const std::string& path, uint64_t offset, char* out, size_t size) {
  while (size > 0) {
    ssize_t n = ::pread(fd, out, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("read", path, errno);
    if (n == 0) return Status::Corruption(path + " ends early");
    out += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
  return Status::Ok();
}

Status WriteAt(int fd, const std::string& path, uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("write", path, errno);
    offset += static_cast<uint64_t>(n);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return Status::Ok();
}

Result<uint32_t> ChecksumFile(const std::string& path, uint64_t size) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return ErrnoStatus("open", path, errno);
  std::string buffer(kCheckpointChunkBytes, '\0');
  uint32_t crc = 0;
  for (uint64_t offset = 0; offset < size;) {
    size_t n = static_cast<size_t>(std::min<uint64_t>(buffer.size(), size - offset));
    RETURN_IF_ERROR(ReadAt(file.fd(), path, offset, buffer.data(), n));
    crc = ExtendCrc32c(crc, std::string_view(buffer.data(), n));
    offset += n;
  }
  return crc;
}

// The size of a regular file. kNotFound when there is nothing; anything else is kCorruption.
Result<uint64_t> FileSize(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return Status::NotFound();
    return ErrnoStatus("examine", path, errno);
  }
  if (!S_ISREG(info.st_mode)) return Status::Corruption(path + " is not a file");
  return static_cast<uint64_t>(info.st_size);
}

std::string EncodeManifest(const std::vector<ManifestFile>& files) {
  std::string manifest(kMagic);
  PutVarint(&manifest, files.size());
  for (const ManifestFile& file : files) {
    PutBytes(&manifest, file.name);
    PutVarint(&manifest, file.size);
    PutBig32(&manifest, file.crc);
  }
  return manifest;
}

// A manifest comes from another node: nothing in it is believed before it is checked, and a name
// must not lead out of the directory.
bool ValidName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." &&
         name != kSinkManifest && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

Result<std::vector<ManifestFile>> DecodeManifest(std::string_view manifest) {
  auto bad = [](const char* what) {
    return Status::Corruption(std::string("the snapshot's manifest has ") + what);
  };
  if (manifest.size() > kMaxManifestBytes) return bad("too many bytes");
  if (!manifest.starts_with(kMagic)) return bad("an unknown format");
  manifest.remove_prefix(kMagic.size());
  uint64_t count;
  if (!TakeVarint(&manifest, &count)) return bad("no file count");
  // A file takes 7 bytes at least.
  if (count > kMaxFiles || count > manifest.size() / 7) return bad("an impossible file count");
  std::vector<ManifestFile> files;
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view name;
    ManifestFile file;
    if (!TakeBytes(&manifest, &name) || !TakeVarint(&manifest, &file.size) ||
        !TakeBig32(&manifest, &file.crc)) {
      return bad("an incomplete file");
    }
    if (!ValidName(name)) return bad("an impossible file name");
    if (!files.empty() && name <= files.back().name) return bad("its files out of order");
    if (file.size > kMaxFileBytes || (total += file.size) > kMaxFileBytes) {
      return bad("an impossible file size");
    }
    file.name = std::string(name);
    files.push_back(std::move(file));
  }
  if (!manifest.empty()) return bad("bytes after its end");
  return files;
}

// Moves a position that stands at the end of a file, or in an empty one, to where bytes are.
CheckpointPosition Normalize(const std::vector<ManifestFile>& files, CheckpointPosition position) {
  while (position.file < files.size() && position.offset == files[position.file].size) {
    ++position.file;
    position.offset = 0;
  }
  return position;
}

class Source final : public CheckpointSource {
 public:
  Source(std::string directory, std::vector<ManifestFile> files)
      : directory_(std::move(directory)),
        files_(std::move(files)),
        manifest_(EncodeManifest(files_)) {
    for (const ManifestFile& file : files_) total_bytes_ += file.size;
  }
  const std::string& manifest() const override { return manifest_; }
  uint64_t total_bytes() const override { return total_bytes_; }

  Result<std::string> Next(CheckpointPosition* position) override {
    if (position->file < files_.size() && position->offset > files_[position->file].size) {
      return Status::InvalidArgument("there is no such place in the snapshot");
    }
    *position = Normalize(files_, *position);
    if (position->file >= files_.size()) return std::string();
    const ManifestFile& file = files_[position->file];
    std::string path = directory_ + "/" + file.name;
    if (!open_.open() || open_number_ != position->file) {
      open_.Reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      if (!open_.open()) return ErrnoStatus("open", path, errno);
      open_number_ = position->file;
    }
    size_t n = static_cast<size_t>(
        std::min<uint64_t>(kCheckpointChunkBytes, file.size - position->offset));
    std::string chunk(n, '\0');
    RETURN_IF_ERROR(ReadAt(open_.fd(), path, position->offset, chunk.data(), n));
    position->offset += n;
    *position = Normalize(files_, *position);
    return chunk;
  }

 private:
  const std::string directory_;
  const std::vector<ManifestFile> files_;
  const std::string manifest_;
  uint64_t total_bytes_ = 0;
  File open_;
  uint32_t open_number_ = 0;
};

class Sink final : public CheckpointSink {
 public:
  Sink(std::string directory, std::vector<ManifestFile> files)
      : directory_(std::move(directory)), files_(std::move(files)) {}

  // Takes over what is there of the same snapshot, or clears the directory for it.
  Status Start(std::string_view manifest) {
    std::string record = directory_ + "/" + std::string(kSinkManifest);
    RETURN_IF_ERROR(CreateDirectories(directory_));
    Result<std::string> old = ReadSmallFile(record, kMaxManifestBytes);
    if (!old.ok() || *old != manifest) {
      RETURN_IF_ERROR(RemoveTree(directory_));
      RETURN_IF_ERROR(CreateDirectories(directory_));
      RETURN_IF_ERROR(WriteFileAtomically(record, manifest));
    } else {
      RETURN_IF_ERROR(RemoveStrangers());
    }
    // Whole files, then one that is not: what follows is of no use.
    for (; position_.file < files_.size(); ++position_.file, position_.offset = 0) {
      Result<uint64_t> size = FileSize(Path(position_.file));
      if (size.code() == Code::kNotFound) break;
      if (!size.ok()) return size.status();
      if (*size > files_[position_.file].size) {
        RETURN_IF_ERROR(RemoveTree(Path(position_.file)));
        break;
      }
      position_.offset = *size;
      if (*size < files_[position_.file].size) break;
    }
    for (uint32_t n = position_.file + 1; n < files_.size(); ++n) {
      RETURN_IF_ERROR(RemoveTree(Path(n)));
    }
    return CreateEmptyFiles();
  }

  CheckpointPosition position() const override { return position_; }
  bool complete() const override { return position_.file == files_.size(); }

  Status Write(CheckpointPosition at, std::string_view chunk) override {
    if (complete() || at.file != position_.file || at.offset != position_.offset) {
      return Status::InvalidArgument("a chunk of a snapshot is not the one that is due");
    }
    if (chunk.empty() || chunk.size() > files_[at.file].size - at.offset) {
      return Status::Corruption("a chunk of a snapshot does not fit its file");
    }
    std::string path = Path(at.file);
    if (!open_.open()) {
      open_.Reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      if (!open_.open()) return ErrnoStatus("create", path, errno);
    }
    RETURN_IF_ERROR(WriteAt(open_.fd(), path, at.offset, chunk));
    position_.offset += chunk.size();
    if (position_.offset < files_[position_.file].size) return Status::Ok();
    // The next file begins.
    if (::fsync(open_.fd()) != 0) return ErrnoStatus("sync", path, errno);
    open_.Reset(-1);
    ++position_.file;
    position_.offset = 0;
    return CreateEmptyFiles();
  }

  Status Finish() override {
    CHECK(complete());
    for (uint32_t n = 0; n < files_.size(); ++n) {
      Result<uint64_t> size = FileSize(Path(n));
      if (!size.ok() || *size != files_[n].size) {
        return Status::Corruption("the snapshot's file " + Path(n) + " has not its size");
      }
      Result<uint32_t> crc = ChecksumFile(Path(n), *size);
      if (!crc.ok()) return crc.status();
      if (*crc != files_[n].crc) {
        // Fetched again by the next attempt, which goes on from here.
        RETURN_IF_ERROR(RemoveTree(Path(n)));
        return Status::Corruption("the snapshot's file " + Path(n) + " is damaged");
      }
      RETURN_IF_ERROR(SyncFile(Path(n)));
    }
    RETURN_IF_ERROR(RemoveTree(directory_ + "/" + std::string(kSinkManifest)));
    return SyncDirectory(directory_);
  }

 private:
  std::string Path(uint32_t file) const { return directory_ + "/" + files_[file].name; }

  // An empty file gets no chunk.
  Status CreateEmptyFiles() {
    while (position_.file < files_.size() && files_[position_.file].size == 0) {
      std::string path = Path(position_.file);
      File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      if (!file.open()) return ErrnoStatus("create", path, errno);
      ++position_.file;
    }
    return Status::Ok();
  }

  Status RemoveStrangers() {
    Result<std::vector<std::string>> names = ListDirectory(directory_);
    if (!names.ok()) return names.status();
    for (const std::string& name : *names) {
      auto at = std::lower_bound(
          files_.begin(), files_.end(), name,
          [](const ManifestFile& file, const std::string& n) { return file.name < n; });
      bool known = name == kSinkManifest || (at != files_.end() && at->name == name);
      if (!known) RETURN_IF_ERROR(RemoveTree(directory_ + "/" + name));
    }
    return Status::Ok();
  }

  const std::string directory_;
  const std::vector<ManifestFile> files_;
  CheckpointPosition position_;
  File open_;  // the file of position_, once a chunk of it has come
};

}  // namespace

Result<std::unique_ptr<CheckpointSource>> CheckpointSource::Open(const std::string& directory) {
  Result<std::vector<std::string>> names = ListDirectory(directory);
  if (!names.ok()) return names.status();
  std::vector<ManifestFile> files;
  for (const std::string& name : *names) {
    std::string path = directory + "/" + name;
    Result<uint64_t> size = FileSize(path);
    if (!size.ok()) return size.status();
    Result<uint32_t> crc = ChecksumFile(path, *size);
    if (!crc.ok()) return crc.status();
    files.push_back({name, *size, *crc});
  }
  return std::unique_ptr<CheckpointSource>(std::make_unique<Source>(directory, std::move(files)));
}

Result<std::unique_ptr<CheckpointSink>> CheckpointSink::Open(const std::string& directory,
                                                             std::string_view manifest) {
  Result<std::vector<ManifestFile>> files = DecodeManifest(manifest);
  if (!files.ok()) return files.status();
  auto sink = std::make_unique<Sink>(directory, std::move(*files));
  RETURN_IF_ERROR(sink->Start(manifest));
  return std::unique_ptr<CheckpointSink>(std::move(sink));
}

}  // namespace metastore::engine
