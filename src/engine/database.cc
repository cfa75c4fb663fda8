#include "engine/database.h"

#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "engine/file.h"
#include "engine/rocks.h"

namespace metastore::engine {
namespace {

constexpr auto kNoSpaceRetry = std::chrono::milliseconds(100);
constexpr int kNoSpaceRetriesPerWarning = 10;

rocksdb::CompressionType FastCompression() {
  for (rocksdb::CompressionType type : rocksdb::GetSupportedCompressions()) {
    if (type == rocksdb::kLZ4Compression) return type;
  }
  return rocksdb::kNoCompression;
}

rocksdb::Options DatabaseWideOptions(const DatabaseOptions& given) {
  rocksdb::Options options;
  SetCommonOptions(&options);
  options.create_if_missing = given.create;
  if (given.env) options.env = given.env;
  // The Raft log is the WAL. Without one, only an atomic flush leaves the families in step.
  options.atomic_flush = true;
  options.db_write_buffer_size = given.write_buffer_bytes;
  options.max_background_jobs = std::max(2, given.background_threads);
  // A flush that found no room is tried again every second until there is.
  options.max_bgerror_resume_count = INT32_MAX;
  options.bgerror_resume_retry_interval = 1'000'000;
  return options;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const rocksdb::Options& wide,
                                           const DatabaseOptions& given, Family family) {
  rocksdb::ColumnFamilyOptions options(wide);
  // db_write_buffer_size decides when to flush; this is only the size of one family's arena
  // blocks and memtable filter.
  options.write_buffer_size = given.write_buffer_bytes;
  options.max_write_buffer_number = 4;
  options.level_compaction_dynamic_level_bytes = true;
  options.target_file_size_base = 32 << 20;
  options.max_bytes_for_level_base = std::max<uint64_t>(given.write_buffer_bytes * 4, 64 << 20);
  options.compression = FastCompression();

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = given.block_cache;
  table.format_version = 5;
  table.block_size = 4 << 10;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  if (family == Family::kMeta || family == Family::kData) {
    // Most writes look their key up first, and most of those look-ups miss.
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = true;
    table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
    options.memtable_prefix_bloom_size_ratio = 0.02;
    options.memtable_whole_key_filtering = true;
  }
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Files that are mostly tombstones (queues, the expiry index) are compacted early; scans would
  // walk over them.
  options.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(/*sliding_window_size=*/4096,
                                                    /*deletion_trigger=*/2048));
  return options;
}

// RocksDB's mandatory family holds kSystem.
const std::string& FamilyName(Family family) {
  static const std::string names[kFamilyCount] = {"meta", "data", "index",
                                                  rocksdb::kDefaultColumnFamilyName};
  return names[static_cast<size_t>(family)];
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::string& path,
                                                 const DatabaseOptions& given) {
  rocksdb::Options wide = DatabaseWideOptions(given);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (int i = 0; i < kFamilyCount; ++i) {
    Family family = static_cast<Family>(i);
    descriptors.emplace_back(FamilyName(family), FamilyOptions(wide, given, family));
  }
  std::unique_ptr<Database> database(new Database(path, given.record_cache_bytes));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = CreateMissingFamilies(wide, path, descriptors);
  if (status.ok()) status = rocksdb::DB::Open(wide, path, descriptors, &handles, &db);
  if (!status.ok()) return FromRocks(status, "cannot open the database " + path);
  database->db_.reset(db);
  std::copy(handles.begin(), handles.end(), database->families_.begin());
  database->dead_space_.Find(*database);
  return database;
}

Database::~Database() {
  if (!db_) return;
  if (remove_on_close_) {
    // Best effort: at worst the close flushes for nothing.
    db_->SetDBOptions({{"avoid_flush_during_shutdown", "true"}}).PermitUncheckedError();
  }
  for (rocksdb::ColumnFamilyHandle* handle : families_) {
    db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  rocksdb::Status status = db_->Close();
  // Nothing is lost: the Raft log still has what could not be flushed.
  if (!status.ok()) log::warn("closing the database {}: {}", path_, status.ToString());
  db_.reset();
  if (remove_on_close_) {
    Status removed = RemoveTree(path_);
    // The next start removes it.
    if (!removed.ok()) log::warn("old generation stays: {}", removed.ToString());
  }
}

void Database::Fail(const char* doing, const rocksdb::Status& status) const {
  CheckFailed(__FILE__, __LINE__,
              std::string("the state machine's database failed while ") + doing + " " + path_ +
                  ": " + status.ToString());
}

bool Database::Get(const rocksdb::ReadOptions& options, Family family, std::string_view key,
                   std::string* value) const {
  rocksdb::Status status = db_->Get(options, this->family(family), ToSlice(key), value);
  if (status.ok()) return true;
  if (!status.IsNotFound()) [[unlikely]]
    Fail("reading", status);
  return false;
}

class DatabaseIterator : public Iterator {
 public:
  DatabaseIterator(const Database* database, const rocksdb::Snapshot* snapshot, Family family,
                   std::string_view lower, std::string_view upper)
      : database_(database),
        lower_(lower),
        upper_(upper),
        lower_slice_(lower_),
        upper_slice_(upper_) {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    options.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) options.iterate_upper_bound = &upper_slice_;
    iterator_.reset(database->db()->NewIterator(options, database->family(family)));
  }
  bool Valid() const override { return valid_; }
  void Seek(std::string_view key) override {
    iterator_->Seek(ToSlice(key));
    Check();
  }
  void SeekForPrev(std::string_view key) override {
    iterator_->SeekForPrev(ToSlice(key));
    Check();
  }
  void Next() override {
    CHECK(valid_);
    iterator_->Next();
    Check();
  }
  void Prev() override {
    CHECK(valid_);
    iterator_->Prev();
    Check();
  }
  std::string_view key() const override { return ToView(iterator_->key()); }
  std::string_view value() const override { return ToView(iterator_->value()); }

 private:
  void Check() {
    valid_ = iterator_->Valid();
    if (!valid_ && !iterator_->status().ok()) [[unlikely]]
      database_->Fail("iterating over", iterator_->status());
  }

  const Database* database_;
  std::string lower_, upper_;
  rocksdb::Slice lower_slice_, upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  bool valid_ = false;
};

std::unique_ptr<Iterator> Database::NewIterator(const rocksdb::Snapshot* snapshot, Family family,
                                                std::string_view lower,
                                                std::string_view upper) const {
  return std::make_unique<DatabaseIterator>(this, snapshot, family, lower, upper);
}

void Database::Write(rocksdb::WriteBatch* batch) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  for (int retries = 0;; ++retries) {
    rocksdb::Status status = db_->Write(options, batch);
    if (status.ok()) return;
    if (!status.IsNoSpace()) Fail("writing", status);
    // RocksDB refuses a write before it touches a memtable, so the batch can be given again.
    if (retries % kNoSpaceRetriesPerWarning == 0) {
      log::warn("the disk of {} is full: writes wait for room ({})", path_, status.ToString());
    }
    std::this_thread::sleep_for(kNoSpaceRetry);
    db_->Resume().PermitUncheckedError();
  }
}

Status Database::Flush() {
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  std::vector<rocksdb::ColumnFamilyHandle*> families(families_.begin(), families_.end());
  return FromRocks(db_->Flush(options, families), "cannot flush the database " + path_);
}

Status Database::Checkpoint(const std::string& directory) {
  std::string what = "cannot make the checkpoint " + directory;
  rocksdb::Checkpoint* checkpoint = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &checkpoint);
  std::unique_ptr<rocksdb::Checkpoint> owned(checkpoint);
  // Size 0 flushes first: without a WAL the memtables would be left out.
  if (status.ok()) status = checkpoint->CreateCheckpoint(directory, /*log_size_for_flush=*/0);
  return FromRocks(status, what);
}

}  // namespace metastore::engine
