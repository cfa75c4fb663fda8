#include "engine/check.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_reader.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "engine/file.h"
#include "engine/generation.h"
#include "engine/log_codec.h"
#include "engine/rocks.h"
#include "engine/wal_check.h"

namespace metastore::engine {
namespace {

constexpr size_t kMaxIdentityBytes = 8192;
constexpr size_t kReadaheadBytes = 2 << 20;
constexpr int kMaxOpenTables = 64;
constexpr uint64_t kProgressBytes = 256 << 20;
constexpr uint64_t kProgressRecords = 5'000'000;

bool IsDirectory(const std::string& path) { return ListDirectory(path).ok(); }

// One RocksDB instance, opened for reading only.
class ReadOnlyRocks {
 public:
  ~ReadOnlyRocks() {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
  }

  // False: it cannot be read, and the findings say why. With damaged files it is not opened at
  // all: whatever else would be found would only be their echo.
  bool Open(const std::string& path, const std::vector<std::string>& families, Findings* findings,
            const StoppedNode::Progress& progress) {
    const uint64_t before = findings->total();
    Status records = CheckRecordFiles(path);
    if (!records.ok()) {
      findings->Add("file", records.message());
      return false;
    }
    rocksdb::Options options;
    SetCommonOptions(&options);
    options.create_if_missing = false;
    options.info_log = NewSilentLogger();
    options.max_open_files = kMaxOpenTables;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    // As the log store has it. Without it RocksDB 7.8 would end the tracking of WAL files, which it
    // cannot in a database that is opened for reading: it ends the process where one is tracked.
    options.track_and_verify_wals_in_manifest = true;
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& family : families) {
      descriptors.emplace_back(family, rocksdb::ColumnFamilyOptions(options));
    }
    rocksdb::DB* db = nullptr;
    rocksdb::Status status =
        rocksdb::DB::OpenForReadOnly(options, path, descriptors, &handles_, &db);
    if (!status.ok()) {
      findings->Add("file", "cannot open the database " + path + ": " + status.ToString());
      return false;
    }
    db_.reset(db);
    std::vector<rocksdb::LiveFileMetaData> files;
    db_->GetLiveFilesMetaData(&files);
    uint64_t bytes = 0, reported = 0;
    for (const rocksdb::LiveFileMetaData& file : files) {
      CheckTable(path + file.name, options, findings);
      bytes += file.size;
      if (bytes - reported < kProgressBytes) continue;
      reported = bytes;
      progress("checksums of " + path + ": " + std::to_string(bytes >> 20) + " MB");
    }
    return findings->total() == before;
  }

  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* family(size_t number) const { return handles_[number]; }

 private:
  static void CheckTable(const std::string& path, const rocksdb::Options& options,
                         Findings* findings) {
    rocksdb::SstFileReader reader(options);
    rocksdb::Status status = reader.Open(path);
    rocksdb::ReadOptions read;
    read.readahead_size = kReadaheadBytes;
    if (status.ok()) status = reader.VerifyChecksum(read);
    if (!status.ok()) findings->Add("file", path + " is damaged: " + status.ToString());
  }

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

class StoppedIterator final : public Iterator {
 public:
  StoppedIterator(const ReadOnlyRocks& rocks, Findings* findings, Family family,
                  std::string_view lower, std::string_view upper)
      : findings_(findings),
        lower_(lower),
        upper_(upper),
        lower_slice_(lower_),
        upper_slice_(upper_) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) options.iterate_upper_bound = &upper_slice_;
    iterator_.reset(rocks.db()->NewIterator(options, rocks.family(static_cast<size_t>(family))));
  }
  ~StoppedIterator() override {
    if (iterator_->status().ok()) return;
    findings_->Add("file", "reading a range: " + iterator_->status().ToString());
  }
  bool Valid() const override { return iterator_->Valid(); }
  void Seek(std::string_view key) override { iterator_->Seek(ToSlice(key)); }
  void SeekForPrev(std::string_view key) override { iterator_->SeekForPrev(ToSlice(key)); }
  void Next() override { iterator_->Next(); }
  void Prev() override { iterator_->Prev(); }
  std::string_view key() const override { return ToView(iterator_->key()); }
  std::string_view value() const override { return ToView(iterator_->value()); }

 private:
  Findings* const findings_;
  const std::string lower_, upper_;
  const rocksdb::Slice lower_slice_, upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

// Elements of collections alone: the records of databases have checks of their own.
class StoppedView final : public View {
 public:
  StoppedView(const ReadOnlyRocks* rocks, Findings* findings)
      : rocks_(rocks), findings_(findings) {}
  bool Get(Family family, std::string_view key, std::string* value) const override {
    rocksdb::Status status =
        rocks_->db()->Get({}, rocks_->family(static_cast<size_t>(family)), ToSlice(key), value);
    if (!status.ok() && !status.IsNotFound()) {
      findings_->Add("file", "reading a record: " + status.ToString());
    }
    return status.ok();
  }
  std::unique_ptr<Iterator> NewIterator(Family family, std::string_view lower,
                                        std::string_view upper) const override {
    return std::make_unique<StoppedIterator>(*rocks_, findings_, family, lower, upper);
  }
  const DatabaseMap& databases() const override { return databases_; }
  KeyCounts Counts(uint8_t) const override { return {}; }

 private:
  const ReadOnlyRocks* const rocks_;
  Findings* const findings_;
  const DatabaseMap databases_;
};

class StoppedNodeImpl final : public StoppedNode {
 public:
  StoppedNodeImpl(std::string path, Findings* findings, Progress progress)
      : path_(std::move(path)), findings_(findings), progress_(std::move(progress)) {}
  ~StoppedNodeImpl() override {
    if (lock_fd_ >= 0) ::close(lock_fd_);
  }

  Status Lock() {
    if (!IsDirectory(path_)) return Status(Code::kNotFound, "there is no directory " + path_);
    bool any = false;
    for (const char* part : {"IDENTITY", "raft", "db"}) {
      any |= ::access((path_ + "/" + part).c_str(), F_OK) == 0;
    }
    if (!any) return Status(Code::kNotFound, path_ + " is not a node's data directory");
    std::string lock = path_ + "/LOCK";
    lock_fd_ = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
    // Without the file no process holds it.
    if (lock_fd_ < 0) return errno == ENOENT ? Status::Ok() : ErrnoStatus("open", lock, errno);
    if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return Status::Ok();
    if (errno != EWOULDBLOCK) return ErrnoStatus("lock", lock, errno);
    return Status(Code::kUnavailable,
                  "data directory " + path_ + " is in use by another process; stop that one first");
  }

  std::optional<Identity> CheckIdentity() override {
    std::string file = path_ + "/IDENTITY";
    Result<std::string> text = ReadSmallFile(file, kMaxIdentityBytes);
    if (!text.ok()) {
      findings_->Add("identity", text.code() == Code::kNotFound ? file + " is missing"
                                                                : text.status().message());
      return std::nullopt;
    }
    Result<Identity> identity = DecodeIdentity(*text);
    if (identity.ok()) return *identity;
    findings_->Add("identity", file + " is damaged: " + identity.status().message());
    return std::nullopt;
  }

  std::optional<StoppedLog> CheckLog(const VisitEntry& visit) override;
  bool OpenDatabase() override;
  bool ForEach(Family family, const VisitRecord& visit) override;

  std::optional<std::string> Get(Family family, std::string_view key) override {
    std::string value;
    if (view_.Get(family, key, &value)) return value;
    return std::nullopt;
  }
  const View& view() const override { return view_; }

 private:
  const std::string path_;
  Findings* const findings_;
  const Progress progress_;
  int lock_fd_ = -1;
  ReadOnlyRocks database_;
  const StoppedView view_{&database_, findings_};
};

std::optional<StoppedLog> StoppedNodeImpl::CheckLog(const VisitEntry& visit) {
  const std::string path = path_ + "/raft";
  if (!IsDirectory(path)) return std::nullopt;
  if (Status whole = CheckNotHeadless(path); !whole.ok()) {
    findings_->Add("file", whole.message());
    return std::nullopt;
  }
  // As a first start that a crash cut short leaves it: the family comes before anything is written.
  std::vector<std::string> families;
  const bool named = ::access((path + "/CURRENT").c_str(), F_OK) == 0;
  if (named && CheckRecordFiles(path).ok() &&
      rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path, &families).ok() &&
      std::find(families.begin(), families.end(), "log") == families.end()) {
    return std::nullopt;
  }
  if (!named) return std::nullopt;
  ReadOnlyRocks rocks;
  if (!rocks.Open(path, {rocksdb::kDefaultColumnFamilyName, "log"}, findings_, progress_)) {
    return std::nullopt;
  }
  StoppedLog log;
  std::string value;
  rocksdb::Status status = rocks.db()->Get({}, rocks.family(0), ToSlice(kHardStateKey), &value);
  if (status.ok() && !DecodeHardState(value, &log.hard_state)) {
    findings_->Add("log", "the hard state in " + path + " does not decode");
    return std::nullopt;
  }
  if (status.ok() || status.IsNotFound()) {
    status = rocks.db()->Get({}, rocks.family(0), ToSlice(kStartKey), &value);
    if (status.ok() && !DecodeStart(value, &log.start, &log.start_membership)) {
      findings_->Add("log", "the start position in " + path + " does not decode");
      return std::nullopt;
    }
  }
  if (!status.ok() && !status.IsNotFound()) {
    findings_->Add("file", "reading " + path + ": " + status.ToString());
    return std::nullopt;
  }

  log.last = log.start;
  const std::string from = EntryKey(log.start.index + 1);
  rocksdb::Slice lower(from);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower;
  options.readahead_size = kReadaheadBytes;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(options, rocks.family(1)));
  uint64_t entries = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::string_view data = ToView(it->value());
    raft::Position at;
    raft::EntryType type;
    if (it->key().size() != sizeof(raft::Index)) {
      findings_->Add("log",
                     "a key in " + path + " is not an index: " + Printable(ToView(it->key())));
      continue;
    }
    at.index = ReadBig64(it->key().data());
    const std::string name = "entry " + std::to_string(at.index);
    if (at.index != log.last.index + 1) {
      findings_->Add("log", name + " follows entry " + std::to_string(log.last.index) +
                                ": those between are missing");
    }
    log.last.index = at.index;
    if (!TakeEntryHead(&data, &at.term, &type)) {
      findings_->Add("log", name + " does not decode");
      continue;
    }
    if (at.term < log.last.term) {
      findings_->Add("log", name + " has term " + std::to_string(at.term) +
                                ", less than the term before it, " + std::to_string(log.last.term));
    }
    log.last.term = std::max(log.last.term, at.term);
    visit(at, type, data);
    if (++entries % kProgressRecords == 0) {
      progress_("log: " + std::to_string(entries) + " entries");
    }
  }
  if (!it->status().ok()) {
    findings_->Add("file", "reading " + path + ": " + it->status().ToString());
    return std::nullopt;
  }
  return log;
}

bool StoppedNodeImpl::OpenDatabase() {
  const std::string db = path_ + "/db";
  if (!IsDirectory(db)) return false;
  Result<uint64_t> current = ReadCurrentGeneration(db);
  if (!current.ok()) {
    findings_->Add("file", current.status().message());
    return false;
  }
  if (*current == 0) {
    // As a first start that a crash cut short leaves it, unless there is data.
    Result<std::vector<std::string>> names = ListDirectory(db);
    for (size_t i = 0; names.ok() && i < names->size(); ++i) {
      Result<std::vector<std::string>> files = ListDirectory(db + "/" + (*names)[i]);
      if (!files.ok()) continue;
      if (std::any_of(files->begin(), files->end(),
                      [](const std::string& name) { return name.ends_with(".sst"); })) {
        findings_->Add("file",
                       db + "/CURRENT is missing, but " + db + "/" + (*names)[i] + " holds data");
      }
    }
    return false;
  }
  const std::string path = db + "/" + GenerationName(*current);
  if (!IsDirectory(path)) {
    findings_->Add("file", db + "/CURRENT names the generation " + GenerationName(*current) +
                               ", which is not there");
    return false;
  }
  // In the order of Family.
  return database_.Open(path, {"meta", "data", "index", rocksdb::kDefaultColumnFamilyName},
                        findings_, progress_);
}

bool StoppedNodeImpl::ForEach(Family family, const VisitRecord& visit) {
  rocksdb::ReadOptions options;
  options.readahead_size = kReadaheadBytes;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> it(
      database_.db()->NewIterator(options, database_.family(static_cast<size_t>(family))));
  uint64_t records = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    visit(ToView(it->key()), ToView(it->value()));
    if (++records % kProgressRecords == 0) {
      progress_("state machine: " + std::to_string(records) + " records of a family");
    }
  }
  if (it->status().ok()) return true;
  findings_->Add("file", "reading " + path_ + ": " + it->status().ToString());
  return false;
}

}  // namespace

void Findings::Add(const std::string& kind, const std::string& text) {
  ++total_;
  if (++counts_[kind] <= shown_per_kind_) print_("damage: " + kind + ": " + text);
}

void Findings::Finish() {
  for (const auto& [kind, count] : counts_) {
    if (count <= shown_per_kind_) continue;
    print_("damage: " + kind + ": " + std::to_string(count - shown_per_kind_) + " more");
  }
}

std::string Printable(std::string_view bytes) {
  constexpr size_t kShownBytes = 64;
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = "\"";
  for (char c : bytes.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f && c != '"' && c != '\\') {
      text.push_back(c);
    } else {
      text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return text + (bytes.size() > kShownBytes ? "\"…" : "\"");
}

Result<std::unique_ptr<StoppedNode>> StoppedNode::Open(const std::string& path, Findings* findings,
                                                       Progress progress) {
  auto node = std::make_unique<StoppedNodeImpl>(path, findings, std::move(progress));
  RETURN_IF_ERROR(node->Lock());
  return std::unique_ptr<StoppedNode>(std::move(node));
}

}  // namespace metastore::engine
