// DeadSpace: the ranges that DeleteDeadRange removed from a database and whose files still take
// room. A range tombstone hides its rows at once, but their files go only when it has been
// compacted with them, level by level, and RocksDB would do that when later writes come to their
// neighbourhood. Here the files are marked, so that it does so soon.
#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/view.h"

namespace metastore::engine {

class Database;

class DeadSpace {
 public:
  // What is smaller waits for RocksDB. More ranges at once do, too.
  static constexpr uint64_t kLeastBytes = 16 << 20;
  static constexpr size_t kMaxRanges = 1024;

  // Of a database that was just opened: the tombstones that its files hold. Where the dead rows
  // are between the live ones is not known any more.
  void Find(const Database& database);
  // A range that was just removed. Any thread.
  void Add(Family family, std::string_view from, std::string_view to);

  // Marks the files of the ranges one level further, and forgets the ranges that are small by now.
  // One thread at a time.
  Status Reclaim(Database* database);

 private:
  // A View that lasts can hold a range for long; it is not waited for without end.
  static constexpr int kTries = 1000;
  static constexpr int kTriesOfFound = 8;  // RocksDB has at most 7 levels
  static constexpr int kMaxWaits = 30;
  struct Range {
    Family family;
    std::string from, to;
    bool flushed = false;  // its tombstone is in a file
    int tries_left = kTries;
  };

  int waits_ = 0;  // calls in a row that found compactions under way
  std::mutex mutex_;
  std::vector<Range> ranges_;
};

}  // namespace metastore::engine
