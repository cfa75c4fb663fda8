// What surprises: cutting the log writes no tombstones. Every read is bounded by the start
// position, so entries at or below it may lie dead in memtables and files; files that hold nothing
// else are dropped whole. Since entries come in the order of their keys, files hardly overlap and
// RocksDB moves them down without rewriting them: an entry is written once to the WAL and once
// by a flush.
#include "engine/log_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>
#include <rocksdb/transaction_log.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/mutex.h"
#include "engine/file.h"
#include "engine/log_codec.h"
#include "engine/rocks.h"
#include "engine/wal_check.h"

namespace metastore::engine {
namespace {

using raft::Entry;
using raft::EntryType;
using raft::HardState;
using raft::Index;
using raft::Membership;
using raft::Position;
using raft::Term;

// The terms of all entries kept. Terms change with elections only, so the log's terms are a few
// runs: TermAt needs no disk.
class TermRuns {
 public:
  void Reset() { runs_.clear(); }
  // Entry `index` has `term`; what was from `index` on is forgotten.
  void Set(Index index, Term term) {
    TruncateFrom(index);
    if (runs_.empty() || runs_.back().term != term) runs_.push_back({term, index});
  }
  void TruncateFrom(Index index) {
    while (!runs_.empty() && runs_.back().index >= index) runs_.pop_back();
  }
  // Entries up to `index` are gone.
  void TruncateTo(Index index) {
    size_t gone = 0;
    while (gone + 1 < runs_.size() && runs_[gone + 1].index <= index + 1) ++gone;
    runs_.erase(runs_.begin(), runs_.begin() + static_cast<ptrdiff_t>(gone));
  }
  Term At(Index index) const {
    auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                  [](Index i, const Position& run) { return i < run.index; });
    CHECK(after != runs_.begin());
    return std::prev(after)->term;
  }

 private:
  std::vector<Position> runs_;  // the first entry of each run
};

class LogStoreImpl final : public LogStore {
 public:
  explicit LogStoreImpl(std::string path) : path_(std::move(path)) {}
  ~LogStoreImpl() override {
    if (!db_) return;
    db_->DestroyColumnFamilyHandle(log_).PermitUncheckedError();
    db_->DestroyColumnFamilyHandle(records_).PermitUncheckedError();
    // Everything acknowledged is synced already.
    db_->Close().PermitUncheckedError();
  }

  Status Open(size_t write_buffer_bytes);

  HardState hard_state() const override { return hard_state_; }
  Position start() const override {
    MutexLock lock(mutex_);
    return start_;
  }
  Index last_index() const override {
    MutexLock lock(mutex_);
    return last_;
  }
  Membership start_membership() const override { return membership_; }

  Status Append(const LogWrite& write) override;
  Status Bootstrap(const Membership& membership) override;
  Status Compact(Position upto, const Membership& membership) override;
  Status PutRecord(std::string_view name, std::string_view value) override;
  std::optional<std::string> GetRecord(std::string_view name) const override;
  uint64_t DiskBytes() const override;

  Result<Term> TermAt(Index index) const override;
  Result<std::vector<Entry>> Read(Index from, Index to, size_t max_bytes) const override;

 private:
  Status Recover();
  Status Write(rocksdb::WriteBatch* batch, bool sync);
  // RocksDB's words with the name of this log before them.
  Status Failed(const rocksdb::Status& status, std::string_view doing) const {
    return FromRocks(status, "the Raft log failed while " + std::string(doing) + " " + path_);
  }

  const std::string path_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* records_ = nullptr;
  rocksdb::ColumnFamilyHandle* log_ = nullptr;

  // Log role only.
  HardState hard_state_;
  Membership membership_;
  // Files below the start can be dropped, once the start is durable: with the next synced write.
  bool dead_files_ = false;

  // Written by the log role, read by the raft role.
  mutable Mutex mutex_;
  Position start_ GUARDED_BY(mutex_);
  Index last_ GUARDED_BY(mutex_) = 0;
  TermRuns terms_ GUARDED_BY(mutex_);
};

Status LogStoreImpl::Open(size_t write_buffer_bytes) {
  RETURN_IF_ERROR(CreateDirectories(path_));
  RETURN_IF_ERROR(CheckRecordFiles(path_));
  RETURN_IF_ERROR(CheckNotHeadless(path_));
  rocksdb::Options options;
  SetCommonOptions(&options);
  // A record at the end of the WAL that the crash cut short was never acknowledged; any other
  // damage is an error. CheckRecordFiles sees to it that only a tail is taken for one.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // Finds a WAL file that is missing or shorter than it was when it was synced and closed.
  options.track_and_verify_wals_in_manifest = true;
  // Both families, or the small one would keep every WAL file alive.
  options.atomic_flush = true;
  options.max_background_jobs = 2;
  options.write_buffer_size = write_buffer_bytes;
  options.max_write_buffer_number = 4;
  options.compression = rocksdb::kNoCompression;
  options.target_file_size_base = write_buffer_bytes;
  options.level0_file_num_compaction_trigger = 2;
  // Bytes do not count, only dead files do, and those are dropped and not compacted.
  options.max_bytes_for_level_base = uint64_t{1} << 50;
  options.num_levels = 2;

  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.block_size = 64 << 10;
  // A follower that is far behind reads everything once, in order.
  table.no_block_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions(options));
  families.emplace_back("log", rocksdb::ColumnFamilyOptions(options));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = CreateMissingFamilies(options, path_, families);
  if (status.ok()) status = rocksdb::DB::Open(options, path_, families, &handles, &db);
  if (!status.ok()) return FromRocks(status, "cannot open the Raft log " + path_);
  db_.reset(db);
  records_ = handles[0];
  log_ = handles[1];
  return Recover();
}

Status LogStoreImpl::Recover() {
  MutexLock lock(mutex_);
  std::string value;
  rocksdb::Status status = db_->Get({}, records_, ToSlice(kHardStateKey), &value);
  if (!status.ok() && !status.IsNotFound()) return Failed(status, "reading");
  if (status.ok() && !DecodeHardState(value, &hard_state_)) {
    return Status::Corruption("the hard state in the Raft log " + path_ + " is damaged");
  }
  status = db_->Get({}, records_, ToSlice(kStartKey), &value);
  if (!status.ok() && !status.IsNotFound()) return Failed(status, "reading");
  if (status.ok() && !DecodeStart(value, &start_, &membership_)) {
    return Status::Corruption("the start position in the Raft log " + path_ + " is damaged");
  }

  // All of the log is read: a damaged file is found now, and not when a follower asks for it.
  last_ = start_.index;
  std::string from = EntryKey(start_.index + 1);
  rocksdb::Slice lower(from);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower;
  options.readahead_size = 2 << 20;
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, log_));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::string_view head = ToView(it->value());
    Term term;
    EntryType type;
    if (it->key().size() != sizeof(Index) || !TakeEntryHead(&head, &term, &type)) {
      return Status::Corruption("entry " + std::to_string(last_ + 1) + " of the Raft log " + path_ +
                                " is damaged");
    }
    Index index = ReadBig64(it->key().data());
    if (index != last_ + 1) {
      return Status::Corruption("the Raft log " + path_ + " has a gap: entry " +
                                std::to_string(index) + " follows entry " + std::to_string(last_));
    }
    terms_.Set(index, term);
    last_ = index;
  }
  return Failed(it->status(), "reading");
}

Status LogStoreImpl::Write(rocksdb::WriteBatch* batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  RETURN_IF_ERROR(Failed(db_->Write(options, batch), "writing"));
  if (!sync || !dead_files_) return Status::Ok();
  dead_files_ = false;
  std::string from = EntryKey(0), to = EntryKey(start().index + 1);
  rocksdb::Slice first(from), end(to);
  return Failed(rocksdb::DeleteFilesInRange(db_.get(), log_, &first, &end, /*include_end=*/false),
                "cutting");
}

Status LogStoreImpl::Append(const LogWrite& write) {
  Position start = this->start();
  Index last = last_index();
  bool restart = write.snapshot && write.snapshot->index != 0;
  if (restart && write.snapshot->index <= start.index) {
    return Status::InvalidArgument("the snapshot at " + std::to_string(write.snapshot->index) +
                                   " is older than the start of the log, " +
                                   std::to_string(start.index));
  }
  if (!write.hard_state && write.entries.empty() && !restart) return Status::Ok();

  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  if (write.hard_state && status.ok()) {
    status = batch.Put(records_, ToSlice(kHardStateKey), EncodeHardState(*write.hard_state));
  }
  if (restart && status.ok()) {
    start = {write.snapshot->term, write.snapshot->index};
    status =
        batch.Put(records_, ToSlice(kStartKey), EncodeStart(start, write.snapshot->membership));
    // What lies below the start is dead already.
    if (status.ok() && last > start.index) {
      status = batch.DeleteRange(log_, EntryKey(start.index + 1), EntryKey(last + 1));
    }
    last = start.index;
  }
  if (!write.entries.empty()) {
    Index first = write.entries.front().index;
    CHECK_GT(first, start.index);
    CHECK_LE(first, last + 1);
    Index next = first;
    for (const Entry& entry : write.entries) {
      CHECK_EQ(entry.index, next);
      ++next;
      std::string key = EntryKey(entry.index);
      std::string head = EncodeEntryHead(entry);
      rocksdb::Slice key_slice(key);
      std::array<rocksdb::Slice, 2> value{rocksdb::Slice(head), ToSlice(entry.Data())};
      if (status.ok()) {
        status = batch.Put(log_, rocksdb::SliceParts(&key_slice, 1),
                           rocksdb::SliceParts(value.data(), static_cast<int>(value.size())));
      }
    }
    // The replaced suffix was longer than the new one: the rest of it must not come back.
    if (status.ok() && last >= next) {
      status = batch.DeleteRange(log_, EntryKey(next), EntryKey(last + 1));
    }
    last = next - 1;
  }
  RETURN_IF_ERROR(Failed(status, "gathering a write for"));
  RETURN_IF_ERROR(Write(&batch, /*sync=*/true));

  if (write.hard_state) hard_state_ = *write.hard_state;
  if (restart) {
    membership_ = write.snapshot->membership;
    dead_files_ = true;
  }
  MutexLock lock(mutex_);
  if (restart) terms_.Reset();
  for (const Entry& entry : write.entries) terms_.Set(entry.index, entry.term);
  start_ = start;
  last_ = last;
  return Status::Ok();
}

Status LogStoreImpl::Bootstrap(const Membership& membership) {
  CHECK_EQ(last_index(), 0u);
  CHECK_EQ(start().index, 0u);
  rocksdb::WriteBatch batch;
  RETURN_IF_ERROR(Failed(batch.Put(records_, ToSlice(kStartKey), EncodeStart({}, membership)),
                         "gathering a write for"));
  RETURN_IF_ERROR(Write(&batch, /*sync=*/true));
  membership_ = membership;
  return Status::Ok();
}

Status LogStoreImpl::Compact(Position upto, const Membership& membership) {
  if (upto.index <= start().index) return Status::Ok();
  Result<Term> term = TermAt(upto.index);
  CHECK_OK(term.status());
  CHECK_EQ(*term, upto.term);
  rocksdb::WriteBatch batch;
  RETURN_IF_ERROR(Failed(batch.Put(records_, ToSlice(kStartKey), EncodeStart(upto, membership)),
                         "gathering a write for"));
  // Readers learn of the cut before anything can be gone.
  {
    MutexLock lock(mutex_);
    start_ = upto;
    terms_.TruncateTo(upto.index);
  }
  membership_ = membership;
  RETURN_IF_ERROR(Write(&batch, /*sync=*/false));
  dead_files_ = true;
  return Status::Ok();
}

Status LogStoreImpl::PutRecord(std::string_view name, std::string_view value) {
  std::string key = std::string(kRecordPrefix).append(name);
  rocksdb::WriteBatch batch;
  RETURN_IF_ERROR(Failed(batch.Put(records_, key, ToSlice(value)), "gathering a write for"));
  return Write(&batch, /*sync=*/true);
}

std::optional<std::string> LogStoreImpl::GetRecord(std::string_view name) const {
  std::string value;
  rocksdb::Status status = db_->Get({}, records_, std::string(kRecordPrefix).append(name), &value);
  if (status.IsNotFound()) return std::nullopt;
  CHECK_OK(Failed(status, "reading"));
  return value;
}

uint64_t LogStoreImpl::DiskBytes() const {
  uint64_t bytes = 0;
  uint64_t sst_bytes = 0;
  if (db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &sst_bytes)) {
    bytes += sst_bytes;
  }
  rocksdb::VectorLogPtr wals;
  // A WAL that is deleted meanwhile makes the listing fail; the next one tells.
  if (db_->GetSortedWalFiles(wals).ok()) {
    for (const auto& wal : wals) bytes += wal->SizeFileBytes();
  }
  return bytes;
}

Result<Term> LogStoreImpl::TermAt(Index index) const {
  MutexLock lock(mutex_);
  if (index == start_.index) return start_.term;
  if (index < start_.index || index > last_) return Status::NotFound();
  return terms_.At(index);
}

Result<std::vector<Entry>> LogStoreImpl::Read(Index from, Index to, size_t max_bytes) const {
  CHECK_LT(from, to);
  {
    MutexLock lock(mutex_);
    if (from <= start_.index || to > last_ + 1) return Status::NotFound();
  }
  std::string lower_key = EntryKey(from), upper_key = EntryKey(to);
  rocksdb::Slice lower(lower_key), upper(upper_key);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower;
  options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, log_));
  std::vector<Entry> entries;
  size_t bytes = 0;
  Index next = from;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::string_view data = ToView(it->value());
    Entry entry;
    entry.index = ReadBig64(it->key().data());
    if (entry.index != next) break;
    if (!TakeEntryHead(&data, &entry.term, &entry.type)) {
      return Status::Corruption("entry " + std::to_string(next) + " of the Raft log " + path_ +
                                " is damaged");
    }
    if (!data.empty()) entry.data = std::make_shared<const std::string>(data);
    bytes += entry.Size();
    if (!entries.empty() && bytes > max_bytes) return entries;
    entries.push_back(std::move(entry));
    ++next;
  }
  RETURN_IF_ERROR(Failed(it->status(), "reading"));
  if (next == to) return entries;
  // The log role may have cut or replaced what was asked for while it was read.
  MutexLock lock(mutex_);
  if (from <= start_.index || to > last_ + 1) return Status::NotFound();
  return Status::Corruption("entry " + std::to_string(next) + " of the Raft log " + path_ +
                            " is missing");
}

}  // namespace

Result<std::unique_ptr<LogStore>> LogStore::Open(const LogStoreOptions& options) {
  auto store = std::make_unique<LogStoreImpl>(options.directory + "/raft");
  RETURN_IF_ERROR(store->Open(options.write_buffer_bytes));
  return std::unique_ptr<LogStore>(std::move(store));
}

}  // namespace metastore::engine
