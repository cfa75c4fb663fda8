// A disk whose Nth operation fails. The calls that write (open for writing, write, sync, rename,
// link, mkdir, unlink, truncate …) are defined in the test's own program, in front of the C
// library's: so what RocksDB does and what engine/file.cc does is counted alike, in the order in
// which it happens.
#pragma once

#include <string>

namespace metastore::test {

struct DiskFault {
  std::string directory;  // operations elsewhere are not counted
  int nth = 0;            // 1 is the next operation; 0: none fails
  int error = 0;
  std::string sync_mark = {};  // this file is made when the one that fails is a sync
};

// What this build cannot do: under ThreadSanitizer the calls are not replaced.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kCanFailDisk = false;
#else
inline constexpr bool kCanFailDisk = true;
#endif

void ArmDisk(const DiskFault& fault);
// Operations counted since.
int DiskOperations();
// The call and the file that failed, "" when none has.
std::string FailedOperation();
inline bool SyncFailed() { return FailedOperation().find("sync ") != std::string::npos; }
// It was the calling thread's.
bool SyncFailedHere();
// A directory in which a file was renamed that has not been synced since: power loss may take the
// new name back. "" when there is none.
std::string UnsyncedDirectory();

}  // namespace metastore::test
