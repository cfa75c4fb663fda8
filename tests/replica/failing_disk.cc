#include "tests/replica/failing_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstring>
#include <mutex>
#include <set>
#include <string>

namespace metastore::test {
namespace {

// Written by ArmDisk before `armed`, and not again.
char directory[PATH_MAX];
int nth, error_number;
char sync_mark[PATH_MAX];
std::atomic<bool> armed{false};
std::atomic<int> operations{0};
// Written by the one thread whose operation fails, before `failed`.
char failed_operation[PATH_MAX + 32];
std::atomic<bool> failed{false};
thread_local bool sync_failed_here = false;
std::mutex unsynced_mutex;
std::set<std::string> unsynced;

// RocksDB's own log is no data, nor is what it only writes and never reads.
bool IsData(const char* path) {
  const char* name = std::strrchr(path, '/');
  return name == nullptr ||
         (std::strncmp(name, "/LOG", 4) != 0 && std::strncmp(name, "/OPTIONS-", 9) != 0);
}

[[maybe_unused]] bool Fails(const char* call, const char* path, bool sync) {
  const size_t size = std::strlen(directory);
  if (std::strncmp(path, directory, size) != 0) return false;
  if (!IsData(path)) return false;
  if (++operations != nth) return false;
  std::strcpy(failed_operation, call);
  std::strcat(failed_operation, " ");
  std::strcat(failed_operation, path);
  failed = true;
  if (sync) {
    sync_failed_here = true;
    syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, sync_mark, O_WRONLY | O_CREAT, 0644));
  }
  errno = error_number;
  return true;
}

[[maybe_unused]] bool FailsAt(const char* call, const char* path, bool sync = false) {
  return armed && Fails(call, path, sync);
}

[[maybe_unused]] bool FailsOn(const char* call, int fd, bool sync = false) {
  if (!armed) return false;
  char link[64] = "/proc/self/fd/";
  char digits[16];
  int count = 0;
  for (int rest = fd; rest > 0 || count == 0; rest /= 10) {
    digits[count++] = static_cast<char>('0' + rest % 10);
  }
  char* end = link + std::strlen(link);
  while (count > 0) *end++ = digits[--count];
  *end = '\0';
  char path[PATH_MAX];
  const long length = syscall(SYS_readlink, link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  return Fails(call, path, sync);
}

[[maybe_unused]] void Renamed(const char* to) {
  if (!armed || !IsData(to) || std::strncmp(to, directory, std::strlen(directory)) != 0) return;
  // A checkpoint that is to be sent is made anew after a start.
  if (std::strcmp(std::strrchr(to, '/'), "/snapshot-out") == 0) return;
  std::lock_guard<std::mutex> lock(unsynced_mutex);
  unsynced.insert(std::string(to, std::strrchr(to, '/')));
}

[[maybe_unused]] void Synced(int fd) {
  if (!armed) return;
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const long length = syscall(SYS_readlink, link.c_str(), path, sizeof path);
  if (length <= 0) return;
  std::lock_guard<std::mutex> lock(unsynced_mutex);
  unsynced.erase(std::string(path, static_cast<size_t>(length)));
}

}  // namespace

void ArmDisk(const DiskFault& fault) {
  std::strncpy(directory, fault.directory.c_str(), sizeof directory - 1);
  nth = fault.nth;
  error_number = fault.error;
  std::strncpy(sync_mark, fault.sync_mark.c_str(), sizeof sync_mark - 1);
  operations = 0;
  armed = true;
}

int DiskOperations() { return operations; }
std::string UnsyncedDirectory() {
  std::lock_guard<std::mutex> lock(unsynced_mutex);
  return unsynced.empty() ? "" : *unsynced.begin();
}
bool SyncFailedHere() { return sync_failed_here; }
std::string FailedOperation() { return failed ? failed_operation : ""; }

}  // namespace metastore::test

#if !defined(__SANITIZE_THREAD__)
using metastore::test::FailsAt;
using metastore::test::FailsOn;
using metastore::test::Renamed;
using metastore::test::Synced;

extern "C" {

static int Open(const char* path, int flags, va_list more) {
  const bool makes = (flags & O_CREAT) != 0;
  const unsigned mode = makes ? va_arg(more, unsigned) : 0;
  const bool writes = (flags & (O_CREAT | O_TRUNC)) != 0;
  if (writes && FailsAt("open", path)) return -1;
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int fd = Open(path, flags, more);
  va_end(more);
  return fd;
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int fd = Open(path, flags, more);
  va_end(more);
  return fd;
}
ssize_t write(int fd, const void* bytes, size_t size) {
  return FailsOn("write", fd) ? -1 : syscall(SYS_write, fd, bytes, size);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return FailsOn("pwrite", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  return FailsOn("pwrite", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}
int fsync(int fd) {
  if (FailsOn("fsync", fd, true)) return -1;
  const int result = static_cast<int>(syscall(SYS_fsync, fd));
  if (result == 0) Synced(fd);
  return result;
}
int fdatasync(int fd) {
  return FailsOn("fdatasync", fd, true) ? -1 : static_cast<int>(syscall(SYS_fdatasync, fd));
}
int ftruncate(int fd, off_t size) noexcept {
  return FailsOn("ftruncate", fd) ? -1 : static_cast<int>(syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off64_t size) noexcept {
  return FailsOn("ftruncate", fd) ? -1 : static_cast<int>(syscall(SYS_ftruncate, fd, size));
}
int rename(const char* from, const char* to) noexcept {
  if (FailsAt("rename", to)) return -1;
  const int result = static_cast<int>(syscall(SYS_rename, from, to));
  if (result == 0) Renamed(to);
  return result;
}
int link(const char* from, const char* to) noexcept {
  return FailsAt("link", to) ? -1 : static_cast<int>(syscall(SYS_link, from, to));
}
int unlink(const char* path) noexcept {
  return FailsAt("unlink", path) ? -1 : static_cast<int>(syscall(SYS_unlink, path));
}
int mkdir(const char* path, mode_t mode) noexcept {
  return FailsAt("mkdir", path) ? -1 : static_cast<int>(syscall(SYS_mkdir, path, mode));
}

}  // extern "C"
#endif
