// Looks at RocksDB WAL files before RocksDB opens them. RocksDB takes a record whose length
// reaches past the end of the file for one that a crash cut short, and drops it with all that
// follows. After a crash nothing follows; a flipped bit in a length, though, would cut
// acknowledged entries from the log without a word.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace metastore::engine {

// Where whole records end in the bytes of a WAL file, and whether a whole record starts anywhere
// behind that place: then it is not a torn tail but damage.
struct WalExtent {
  size_t end = 0;
  bool damaged = false;
};
WalExtent ExamineWal(std::string_view bytes);

// kCorruption names the first damaged WAL file in a database directory. A directory that does not
// exist is fine.
Status CheckWalFiles(const std::string& directory);

}  // namespace metastore::engine
