// identity := "metastore-identity 1\n" "cluster " id "\n" "node " decimal "\n"
//             "disk " hex16 "\n" "run " decimal "\n" "crc32c " hex8 "\n"
//
// Text, because it is what an operator looks at when directories were mixed up. The checksum is
// of the lines before it.
#include "engine/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"
#include "engine/file.h"

namespace metastore::engine {
namespace {

constexpr int kLockWaitMs = 2000;
constexpr int kLockPollMs = 20;

constexpr size_t kMaxIdentityBytes = 8192;  // more than the longest cluster id and its lines
constexpr size_t kMaxClusterIdBytes = 4096;

std::string Format(const char* format, uint64_t value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

bool ValidClusterId(const std::string& id) {
  return !id.empty() && id.size() <= kMaxClusterIdBytes &&
         id.find_first_of(std::string_view(" \t\r\n\0", 5)) == std::string::npos;
}

}  // namespace

std::string EncodeIdentity(const Identity& identity) {
  std::string text = "metastore-identity 1\ncluster " + identity.cluster_id + "\nnode " +
                     std::to_string(identity.node_id) + "\ndisk " +
                     Format("%016" PRIx64, identity.disk_incarnation) + "\nrun " +
                     std::to_string(identity.run) + "\n";
  return text + "crc32c " + Format("%08" PRIx64, Crc32c(text)) + "\n";
}

Result<Identity> DecodeIdentity(const std::string& text) {
  Identity identity;
  char cluster[kMaxClusterIdBytes + 1];
  if (std::sscanf(text.c_str(),
                  "metastore-identity 1\ncluster %4096s\nnode %" SCNu64 "\ndisk %" SCNx64
                  "\nrun %" SCNu64 "\n",
                  cluster, &identity.node_id, &identity.disk_incarnation, &identity.run) != 4) {
    return Status::Corruption("its lines are not those of an identity");
  }
  identity.cluster_id = cluster;
  // Checks the checksum, and that nothing else is in the file.
  if (EncodeIdentity(identity) != text) return Status::Corruption("its checksum does not match");
  return identity;
}

Result<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path,
                                                           const std::string& cluster_id,
                                                           uint64_t node_id) {
  CHECK_GT(node_id, 0u);
  if (!cluster_id.empty() && !ValidClusterId(cluster_id)) {
    return Status::InvalidArgument("the cluster id \"" + cluster_id +
                                   "\" must be 1 to 4096 characters without spaces");
  }
  RETURN_IF_ERROR(CreateDirectories(path));
  std::string lock_path = path + "/LOCK";
  int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus("open", lock_path, errno);
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, fd));
  // A node that was killed holds its lock until the kernel has taken its memory apart, and its
  // supervisor may be faster than that.
  for (int waited_ms = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += kLockPollMs) {
    if (errno != EWOULDBLOCK) return ErrnoStatus("lock", lock_path, errno);
    if (waited_ms >= kLockWaitMs) {
      return Status(Code::kUnavailable, "data directory " + path +
                                            " is in use by another process; stop that one or "
                                            "choose another --data-dir");
    }
    ::usleep(kLockPollMs * 1000);
  }

  std::string file = path + "/IDENTITY";
  Identity& identity = directory->identity_;
  Result<std::string> text = ReadSmallFile(file, kMaxIdentityBytes);
  if (text.ok()) {
    Result<Identity> read = DecodeIdentity(*text);
    if (!read.ok()) {
      return Status::Corruption("the identity file " + file +
                                " is damaged: " + read.status().message());
    }
    identity = std::move(*read);
    if (identity.node_id != node_id) {
      return Status::InvalidArgument(
          "data directory " + path + " belongs to node " + std::to_string(identity.node_id) +
          " of cluster " + identity.cluster_id + "; start with --id " +
          std::to_string(identity.node_id) + " or choose another --data-dir");
    }
    if (!cluster_id.empty() && identity.cluster_id != cluster_id) {
      return Status::InvalidArgument("data directory " + path + " belongs to cluster " +
                                     identity.cluster_id + ", not to cluster " + cluster_id +
                                     "; choose another --data-dir");
    }
  } else if (text.code() == Code::kNotFound) {
    for (const char* data : {"raft", "db"}) {
      if (ListDirectory(path + "/" + data).ok()) {
        return Status::Corruption("data directory " + path + " holds data but no IDENTITY file");
      }
    }
    if (cluster_id.empty()) return Status::NotFound();
    identity.cluster_id = cluster_id;
    identity.node_id = node_id;
    // Not the seeded generator: two directories must never draw the same number.
    CHECK_EQ(::getrandom(&identity.disk_incarnation, sizeof identity.disk_incarnation, 0),
             static_cast<ssize_t>(sizeof identity.disk_incarnation));
  } else {
    return text.status();
  }
  ++identity.run;
  RETURN_IF_ERROR(WriteFileAtomically(file, EncodeIdentity(identity)));
  return directory;
}

Result<Identity> DataDirectory::Peek(const std::string& path) {
  Result<std::string> text = ReadSmallFile(path + "/IDENTITY", kMaxIdentityBytes);
  if (!text.ok()) return text.status();
  Result<Identity> identity = DecodeIdentity(*text);
  if (identity.ok()) return identity;
  return Status::Corruption("the identity file " + path +
                            "/IDENTITY is damaged: " + identity.status().message());
}

DataDirectory::~DataDirectory() { ::close(lock_fd_); }

}  // namespace metastore::engine
