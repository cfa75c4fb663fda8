// Database: one generation of the state machine's RocksDB instance. A read or write error of
// RocksDB stops the process here, in one place, with a sentence; only "no space" is waited out.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/dead_space.h"
#include "engine/record_cache.h"
#include "engine/view.h"

namespace metastore::engine {

struct DatabaseOptions {
  size_t write_buffer_bytes = 64 << 20;
  int background_threads = 2;
  std::shared_ptr<rocksdb::Cache> block_cache;
  size_t record_cache_bytes = 0;
  bool create = false;          // else a missing database is an error
  rocksdb::Env* env = nullptr;  // tests inject faults here
};

// Safe for any thread but for Write, which has one caller at a time.
class Database {
 public:
  static Result<std::unique_ptr<Database>> Open(const std::string& path,
                                                const DatabaseOptions& options);
  // Flushes what is not on disk, or, after RemoveOnClose, removes the directory instead.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  bool Get(const rocksdb::ReadOptions& options, Family family, std::string_view key,
           std::string* value) const;
  // `snapshot` may be null: the state of this moment. Bounds as in View::NewIterator.
  std::unique_ptr<Iterator> NewIterator(const rocksdb::Snapshot* snapshot, Family family,
                                        std::string_view lower, std::string_view upper) const;

  // Applies the batch in one step. While the disk is full and RocksDB refuses writes because of
  // it, Write waits: the entry is committed, so refusing it is not possible, and the commands
  // that come after it are refused upstream (Replica::DiskNearlyFull).
  void Write(rocksdb::WriteBatch* batch);
  rocksdb::ColumnFamilyHandle* family(Family family) const {
    return families_[static_cast<size_t>(family)];
  }

  Status Flush();
  Status Checkpoint(const std::string& directory);

  // Goes with the generation: its Views read through it as long as they last.
  RecordCache& records() const { return records_; }

  DeadSpace& dead_space() { return dead_space_; }

  void RemoveOnClose() { remove_on_close_ = true; }
  bool remove_on_close() const { return remove_on_close_; }
  const std::string& path() const { return path_; }
  rocksdb::DB* db() const { return db_.get(); }

 private:
  Database(std::string path, size_t record_cache_bytes)
      : path_(std::move(path)), records_(record_cache_bytes) {}
  // A failed read or write is the end of the process.
  [[noreturn]] void Fail(const char* doing, const rocksdb::Status& status) const;
  friend class DatabaseIterator;

  std::string path_;
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families_{};
  mutable RecordCache records_;
  DeadSpace dead_space_;
  std::atomic<bool> remove_on_close_ = false;
};

}  // namespace metastore::engine
