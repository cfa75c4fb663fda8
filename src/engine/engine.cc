#include "engine/engine.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/mailbox.h"
#include "engine/database.h"
#include "engine/file.h"
#include "engine/generation.h"
#include "engine/system_keys.h"
#include "engine/txn_impl.h"
#include "engine/wal_check.h"

namespace metastore::engine {
namespace {

// One RocksDB snapshot, shared by every View taken between two commits. On a node that only reads
// no View then touches RocksDB's mutex.
class SharedSnapshot {
 public:
  SharedSnapshot(std::shared_ptr<const Database> database, uint64_t commit,
                 const DatabaseMap& databases)
      : database_(std::move(database)),
        commit_(commit),
        snapshot_(database_->db()->GetSnapshot()),
        databases_(databases) {
    read_options_.snapshot = snapshot_;
  }
  ~SharedSnapshot() { database_->db()->ReleaseSnapshot(snapshot_); }
  SharedSnapshot(const SharedSnapshot&) = delete;
  SharedSnapshot& operator=(const SharedSnapshot&) = delete;

  const Database& database() const { return *database_; }
  // The last commit that is surely in it. There may be one more, whose number is not out yet.
  uint64_t commit() const { return commit_; }
  const rocksdb::Snapshot* snapshot() const { return snapshot_; }
  const rocksdb::ReadOptions& read_options() const { return read_options_; }
  const DatabaseMap& databases() const { return databases_; }

 private:
  std::shared_ptr<const Database> database_;
  const uint64_t commit_;
  const rocksdb::Snapshot* snapshot_;
  rocksdb::ReadOptions read_options_;
  DatabaseMap databases_;
};

class SnapshotView final : public View {
 public:
  SnapshotView(std::shared_ptr<const SharedSnapshot> shared, int64_t now_ms)
      : shared_(std::move(shared)) {
    now_ms_ = now_ms;
  }
  bool Get(Family family, std::string_view key, std::string* value) const override {
    const Database& database = shared_->database();
    if (family != Family::kMeta) {
      return database.Get(shared_->read_options(), family, key, value);
    }
    if (database.records().Get(key, shared_->commit(), value)) return true;
    if (!database.Get(shared_->read_options(), family, key, value)) return false;
    database.records().Fill(key, *value, shared_->commit());
    return true;
  }
  std::unique_ptr<Iterator> NewIterator(Family family, std::string_view lower,
                                        std::string_view upper) const override {
    return shared_->database().NewIterator(shared_->snapshot(), family, lower, upper);
  }
  const DatabaseMap& databases() const override { return shared_->databases(); }
  KeyCounts Counts(uint8_t prefix) const override {
    std::string value;
    if (!Get(Family::kSystem, CountsKey(prefix), &value)) return {};
    std::optional<KeyCounts> counts = DecodeCounts(value);
    CHECK_MSG(counts.has_value(), "a key count in " + shared_->database().path() + " is damaged");
    return *counts;
  }

 private:
  std::shared_ptr<const SharedSnapshot> shared_;
};

// Closes and removes replaced generations in a thread of its own: the last View of one may be
// dropped by an io thread, which must not wait for the deletion of gigabytes.
// Kept by the engine and by every generation, so that Views may be dropped after the engine.
class Reaper {
 public:
  ~Reaper() {
    databases_.Close();
    if (thread_.joinable()) thread_.join();
  }
  void Take(std::unique_ptr<Database> database) {
    std::call_once(started_, [this] { thread_ = std::thread([this] { Run(); }); });
    databases_.Put(std::move(database));
  }

 private:
  void Run() {
    std::vector<std::unique_ptr<Database>> taken;
    do {
      databases_.WaitAndTakeAll(&taken);
    } while (!taken.empty());
  }

  Mailbox<std::unique_ptr<Database>> databases_;
  std::once_flag started_;
  std::thread thread_;
};

// The generation's owner: the engine and the snapshots of it share it.
std::shared_ptr<Database> Share(std::unique_ptr<Database> database,
                                std::shared_ptr<Reaper> reaper) {
  return {database.release(), [reaper = std::move(reaper)](Database* last) {
            std::unique_ptr<Database> owned(last);
            if (owned->remove_on_close()) reaper->Take(std::move(owned));
          }};
}

class EngineImpl final : public Engine {
 public:
  EngineImpl(EngineOptions options, DatabaseOptions database_options, uint64_t generation,
             std::unique_ptr<Database> database)
      : options_(std::move(options)),
        database_options_(std::move(database_options)),
        generation_(generation),
        database_(Share(std::move(database), reaper_)),
        txn_(database_.get()) {
    last_entry_ms_ = txn_.now_ms();
    committed_databases_ = txn_.databases();
  }

  std::unique_ptr<View> NewView(int64_t now_ms) const override {
    std::shared_ptr<const SharedSnapshot> shared;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!snapshot_) {
        // The number before the snapshot: what is in the cache from a later commit is left alone.
        snapshot_ =
            std::make_shared<const SharedSnapshot>(database_, commit_.load(), committed_databases_);
      }
      shared = snapshot_;
    }
    // Read after the snapshot: the time is set before the write that goes with it.
    return std::make_unique<SnapshotView>(std::move(shared),
                                          std::max(now_ms, last_entry_ms_.load()));
  }

  Txn& txn() override { return txn_; }

  void Commit() override {
    last_entry_ms_.store(std::max(last_entry_ms_.load(), txn_.now_ms()));
    if (txn_.empty()) return;
    batch_.Clear();
    const uint64_t commit = commit_.load() + 1;
    txn_.Build(&batch_, commit);
    std::shared_ptr<const SharedSnapshot> old;
    if (txn_.databases_changed()) {
      // A snapshot taken between the write and the change of the map would not fit the map.
      std::lock_guard<std::mutex> lock(mutex_);
      database_->Write(&batch_);
      commit_.store(commit);
      committed_databases_ = txn_.databases();
      old = std::move(snapshot_);
    } else {
      database_->Write(&batch_);
      commit_.store(commit);
      std::lock_guard<std::mutex> lock(mutex_);
      old = std::move(snapshot_);
    }
    for (const TxnImpl::DeadRange& range : txn_.dead_ranges()) {
      database_->dead_space().Add(range.family, range.from, range.to);
    }
    txn_.Clear();
    if (batch_.Data().capacity() > kKeptBatchBytes) batch_ = rocksdb::WriteBatch();
  }

  std::optional<std::string> ReadFlushed(std::string_view system_key) const override {
    rocksdb::ReadOptions options;
    options.read_tier = rocksdb::kPersistedTier;
    std::string value;
    if (!database()->Get(options, Family::kSystem, system_key, &value)) return std::nullopt;
    return value;
  }

  Status Flush() override { return database()->Flush(); }
  Status ReclaimSpace() override {
    std::shared_ptr<Database> database = this->database();
    return database->dead_space().Reclaim(database.get());
  }
  Status Checkpoint(const std::string& directory) override {
    return database()->Checkpoint(directory);
  }

  Status Install(const std::string& directory) override {
    CHECK(txn_.empty());
    uint64_t generation = generation_ + 1;
    std::string db = options_.directory + "/db";
    std::string path = db + "/" + GenerationName(generation);
    RETURN_IF_ERROR(RemoveTree(path));
    RETURN_IF_ERROR(Rename(directory, path));
    // Opened before it is named: a checkpoint that RocksDB does not accept changes nothing.
    Result<std::unique_ptr<Database>> opened = Database::Open(path, database_options_);
    if (!opened.ok()) {
      RETURN_IF_ERROR(RemoveTree(path));
      return opened.status();
    }
    RETURN_IF_ERROR(SyncDirectory(db));
    Status named = WriteFileAtomically(db + "/CURRENT", GenerationName(generation) + "\n");
    if (!named.ok()) {
      (*opened)->RemoveOnClose();
      return named;
    }
    database_->RemoveOnClose();
    generation_ = generation;
    std::shared_ptr<Database> database = Share(std::move(*opened), reaper_);
    txn_.Attach(database.get());
    last_entry_ms_.store(std::max(last_entry_ms_.load(), txn_.now_ms()));
    std::shared_ptr<const SharedSnapshot> old_snapshot;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      std::swap(database, database_);
      old_snapshot = std::move(snapshot_);
      committed_databases_ = txn_.databases();
    }
    return Status::Ok();
  }

  EngineStats Stats() const override {
    std::shared_ptr<Database> database = this->database();
    rocksdb::DB* db = database->db();
    auto sum = [db](const rocksdb::Slice& property) {
      uint64_t value = 0;
      return db->GetAggregatedIntProperty(property, &value) ? value : 0;
    };
    EngineStats stats;
    stats.memtable_bytes = sum(rocksdb::DB::Properties::kSizeAllMemTables);
    stats.sst_bytes = sum(rocksdb::DB::Properties::kLiveSstFilesSize);
    stats.table_reader_bytes = sum(rocksdb::DB::Properties::kEstimateTableReadersMem);
    stats.pending_compaction_bytes = sum(rocksdb::DB::Properties::kEstimatePendingCompactionBytes);
    stats.block_cache_bytes = database_options_.block_cache->GetUsage();
    stats.record_cache_bytes = database->records().bytes();
    stats.record_cache_hits = database->records().hits();
    stats.record_cache_misses = database->records().misses();
    uint64_t stopped = 0;
    db->GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped);
    stats.write_stopped = stopped != 0;
    return stats;
  }

 private:
  static constexpr size_t kKeptBatchBytes = 32 << 20;

  std::shared_ptr<Database> database() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return database_;
  }

  const EngineOptions options_;
  const DatabaseOptions database_options_;
  uint64_t generation_;
  const std::shared_ptr<Reaper> reaper_ = std::make_shared<Reaper>();
  rocksdb::WriteBatch batch_;
  mutable std::mutex mutex_;
  // Guarded by mutex_; the apply role, which alone changes it, reads it without.
  std::shared_ptr<Database> database_;
  mutable std::shared_ptr<const SharedSnapshot> snapshot_;  // of the last commit, or null
  DatabaseMap committed_databases_;
  std::atomic<int64_t> last_entry_ms_ = 0;
  std::atomic<uint64_t> commit_ = 0;  // of this run; the number of the last one that is visible
  TxnImpl txn_;
};

// A new directory holds at most an empty database, from a start that a crash cut short.
Status CheckNew(const std::string& db, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    Result<std::vector<std::string>> files = ListDirectory(db + "/" + name);
    if (!files.ok()) continue;
    for (const std::string& file : *files) {
      if (file.ends_with(".sst")) {
        return Status::Corruption(db + "/CURRENT is missing, but " + db + "/" + name +
                                  " holds data");
      }
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Open(const EngineOptions& options) {
  std::string db = options.directory + "/db";
  RETURN_IF_ERROR(CreateDirectories(db));
  Result<uint64_t> current = ReadCurrentGeneration(db);
  if (!current.ok()) return current.status();
  Result<std::vector<std::string>> names = ListDirectory(db);
  if (!names.ok()) return names.status();
  if (*current == 0) {
    RETURN_IF_ERROR(CheckNew(db, *names));
  } else if (!std::binary_search(names->begin(), names->end(), GenerationName(*current))) {
    // A damaged digit. What lies beside it may be the state: nothing is removed.
    return Status::Corruption(db + "/CURRENT names the generation " + GenerationName(*current) +
                              ", which is not there");
  }
  for (const std::string& name : *names) {
    bool live = name == "CURRENT" || (*current != 0 && name == GenerationName(*current));
    if (!live) RETURN_IF_ERROR(RemoveTree(db + "/" + name));
  }

  DatabaseOptions database_options;
  database_options.write_buffer_bytes = options.write_buffer_bytes;
  database_options.background_threads = options.background_threads;
  database_options.record_cache_bytes = options.record_cache_bytes;
  rocksdb::LRUCacheOptions cache;
  cache.capacity = options.block_cache_bytes;
  cache.high_pri_pool_ratio = 0.5;
  database_options.block_cache = rocksdb::NewLRUCache(cache);

  database_options.create = *current == 0;
  uint64_t generation = std::max<uint64_t>(1, *current);
  std::string path = db + "/" + GenerationName(generation);
  RETURN_IF_ERROR(CheckRecordFiles(path));
  Result<std::unique_ptr<Database>> database = Database::Open(path, database_options);
  if (!database.ok()) return database.status();
  if (*current == 0) {
    RETURN_IF_ERROR(SyncDirectory(db));
    RETURN_IF_ERROR(SyncDirectory(options.directory));
    RETURN_IF_ERROR(WriteFileAtomically(db + "/CURRENT", GenerationName(generation) + "\n"));
  }
  database_options.create = false;
  return std::unique_ptr<Engine>(std::make_unique<EngineImpl>(options, std::move(database_options),
                                                              generation, std::move(*database)));
}

}  // namespace metastore::engine
