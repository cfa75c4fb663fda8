// Looks at RocksDB's WAL and MANIFEST files, which have one format, before RocksDB opens them.
// RocksDB takes a record whose length reaches past the end of the file for one that a crash cut
// short, and drops it with all that follows. After a crash nothing follows; a flipped bit in a
// length, though, would cut acknowledged entries from the log, or whole files from a database,
// without a word.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace metastore::engine {

// Where whole records end in the bytes of such a file. It is damaged there, and not torn, when a
// whole record starts anywhere behind that place, or when one bit of a length is all that keeps
// the bytes there from being a whole record.
struct WalExtent {
  size_t end = 0;
  bool damaged = false;
};
WalExtent ExamineWal(std::string_view bytes);

// kCorruption names the first damaged WAL or MANIFEST in a database directory. A directory that
// does not exist is fine.
Status CheckRecordFiles(const std::string& directory);

// RocksDB takes a directory without CURRENT for one that is still to be made. kCorruption: it
// holds files that come only after CURRENT.
Status CheckNotHeadless(const std::string& directory);

}  // namespace metastore::engine
