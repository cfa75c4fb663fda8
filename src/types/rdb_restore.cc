#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc64.h"
#include "base/format.h"
#include "base/lzf.h"
#include "base/parse.h"
#include "types/compact_forms.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/rdb.h"
#include "types/rdb_format.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/string.h"

namespace metastore::types {
namespace {

using namespace rdb;  // NOLINT: all of it is of this file

// By sorting: a client could choose elements that all fall into one bucket of a hash table.
bool AllDiffer(const std::vector<std::string_view>& elements, size_t step) {
  struct Hashed {
    uint64_t hash;
    std::string_view element;
    bool operator==(const Hashed&) const = default;
    bool operator<(const Hashed& other) const {
      return std::tie(hash, element) < std::tie(other.hash, other.element);
    }
  };
  std::vector<Hashed> sorted;
  sorted.reserve(elements.size() / step + 1);
  for (size_t i = 0; i < elements.size(); i += step) {
    sorted.push_back({XXH3_64bits(elements[i].data(), elements[i].size()), elements[i]});
  }
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

// What is taken of TakenElements beside the elements' own part, for the rows that they become.
constexpr uint64_t kRowBytes = 64;
constexpr uint64_t kScoredRowsBytes = 192;  // and places
constexpr uint64_t kEntryBytes = 192;       // a stream's, with the numbers in it
constexpr uint64_t kPendingBytes = 256;     // two rows

}  // namespace

bool HasValidFooter(std::string_view payload) {
  if (payload.size() < kFooterBytes) return false;
  const std::string_view footer = payload.substr(payload.size() - kFooterBytes);
  uint16_t version;
  uint64_t checksum;
  std::memcpy(&version, footer.data(), sizeof version);
  std::memcpy(&checksum, footer.data() + sizeof version, sizeof checksum);
  payload.remove_suffix(sizeof checksum);
  return version <= kNewestVersion && Crc64(payload) == checksum;
}

class DumpedValue::Reader {
 public:
  Reader(std::string_view in, DumpedValue* value) : in_(in), value_(value) {}

  bool Read() {
    uint8_t type;
    if (!TakeByte(&in_, &type)) return false;
    // Redis does not look at what may follow a value; here nothing may.
    return ReadValue(type) && in_.empty();
  }

 private:
  TakenElements& taken() { return value_->taken_; }
  std::vector<std::string_view>& elements() { return taken().elements; }
  bool SpendOnEach(uint64_t bytes) { return taken().Spend(bytes * elements().size()); }

  bool ReadValue(uint8_t type) {
    switch (type) {
      case kRdbString:
        value_->type_ = Type::kString;
        return TakeString(&elements().emplace_back());
      case kRdbList:
        value_->type_ = Type::kList;
        return TakeElements(1) && EndList();
      case kRdbListZiplist:
        value_->type_ = Type::kList;
        return TakeForm(ReadZiplist) && EndList();
      case kRdbListQuicklist:
      case kRdbListQuicklist2:
        value_->type_ = Type::kList;
        return ReadQuicklist(type == kRdbListQuicklist2) && EndList();
      case kRdbSet:
        return TakeElements(1) && EndSet();
      case kRdbSetIntset:
        return TakeForm(ReadIntset) && EndSet();
      case kRdbSetListpack:
        return TakeForm(ReadListpack) && EndSet();
      case kRdbZset:
      case kRdbZset2:
        return ReadScoredMembers(type == kRdbZset2) && EndSortedSet();
      case kRdbZsetZiplist:
        return TakeForm(ReadZiplist) && SplitScores() && EndSortedSet();
      case kRdbZsetListpack:
        return TakeForm(ReadListpack) && SplitScores() && EndSortedSet();
      case kRdbHash:
        return TakeElements(2) && EndHash();
      case kRdbHashZipmap:
        return TakeForm(ReadZipmap) && EndHash();
      case kRdbHashZiplist:
        return TakeForm(ReadZiplist) && EndHash();
      case kRdbHashListpack:
        return TakeForm(ReadListpack) && EndHash();
      case kRdbHashDeadlines:
        return ReadFieldsWithDeadlines() && EndHash();
      case kRdbHashListpackDeadlines:
        return SkipBytes(8) && TakeForm(ReadListpack) && SplitDeadlines() && EndHash();
      case kRdbStream1:
      case kRdbStream2:
      case kRdbStream3:
        value_->type_ = Type::kStream;
        return ReadStream(type);
      default:
        return false;
    }
  }

  // --- lengths and strings

  bool TakeLittle64(uint64_t* value) {
    if (in_.size() < sizeof *value) return false;
    std::memcpy(value, in_.data(), sizeof *value);
    in_.remove_prefix(sizeof *value);
    return true;
  }

  bool SkipBytes(size_t size) {
    if (in_.size() < size) return false;
    in_.remove_prefix(size);
    return true;
  }

  bool TakeLength(uint64_t* length) {
    uint8_t head, low;
    if (!TakeByte(&in_, &head)) return false;
    switch (head >> 6) {
      case 0:
        *length = head;
        return true;
      case 1:
        if (!TakeByte(&in_, &low)) return false;
        *length = uint64_t{head & 0x3fu} << 8 | low;
        return true;
      case 2:
        break;
      default:
        return false;
    }
    if (head == kLength64) return TakeBig64(&in_, length);
    uint32_t length32;
    if (head != kLength32 || !TakeBig32(&in_, &length32)) return false;
    *length = length32;
    return true;
  }

  bool TakeId(StreamId* id) { return TakeLength(&id->ms) && TakeLength(&id->seq); }

  bool TakeRawId(StreamId* id) { return TakeBig64(&in_, &id->ms) && TakeBig64(&in_, &id->seq); }

  bool TakeString(std::string_view* bytes) {
    if (in_.empty()) return false;
    const uint8_t head = static_cast<uint8_t>(in_[0]);
    uint64_t size;
    if (head >> 6 != 3) {
      if (!TakeLength(&size) || size > in_.size()) return false;
      *bytes = in_.substr(0, size);
      in_.remove_prefix(size);
      return true;
    }
    in_.remove_prefix(1);
    std::string& owned = taken().owned.emplace_back();
    if (head == 0xc3) {
      uint64_t compressed;
      if (!TakeLength(&compressed) || !TakeLength(&size)) return false;
      if (compressed > in_.size() || size > kMaxStringBytes || !taken().Spend(size)) return false;
      if (!DecompressLzf(in_.substr(0, compressed), size, &owned)) return false;
      in_.remove_prefix(compressed);
    } else {
      const size_t width = size_t{1} << (head & 0x3f);
      if (head > 0xc2 || width > in_.size()) return false;
      uint64_t bits = 0;
      std::memcpy(&bits, in_.data(), width);
      const int unused = static_cast<int>(64 - 8 * width);
      owned = FormatInt64(static_cast<int64_t>(bits << unused) >> unused);
      in_.remove_prefix(width);
    }
    *bytes = owned;
    return true;
  }

  bool TakeElement() {
    std::string_view element;
    return TakeString(&element) && taken().Add(element);
  }

  // A length, and that many times `each` strings.
  bool TakeElements(uint64_t each) {
    uint64_t count;
    if (!TakeLength(&count) || count > in_.size()) return false;
    for (uint64_t i = 0; i < count * each; ++i) {
      if (!TakeElement()) return false;
    }
    return true;
  }

  bool TakeForm(ReadForm form) {
    std::string_view bytes;
    return TakeString(&bytes) && form(bytes, &taken());
  }

  // --- the types

  bool ReadQuicklist(bool second) {
    uint64_t nodes;
    if (!TakeLength(&nodes) || nodes > in_.size()) return false;
    for (; nodes > 0; --nodes) {
      uint64_t container = kPackedNode;
      if (second && !TakeLength(&container)) return false;
      if (container == kPlainNode) {
        if (!TakeElement()) return false;
      } else if (container != kPackedNode || !TakeForm(second ? ReadListpack : ReadZiplist)) {
        return false;
      }
    }
    return true;
  }

  bool EndList() { return !elements().empty() && SpendOnEach(kRowBytes); }

  bool EndSet() {
    value_->type_ = Type::kSet;
    return !elements().empty() && SpendOnEach(kRowBytes) && AllDiffer(elements(), 1);
  }

  bool EndSortedSet() {
    value_->type_ = Type::kZset;
    for (double score : value_->scores_) {
      if (std::isnan(score)) return false;
    }
    return !elements().empty() && SpendOnEach(kScoredRowsBytes) && AllDiffer(elements(), 1);
  }

  bool EndHash() {
    value_->type_ = Type::kHash;
    return !elements().empty() && elements().size() % 2 == 0 && AllDiffer(elements(), 2);
  }

  // Members and scores in turn: the scores go to their own list.
  bool SplitScores() {
    if (elements().size() % 2 != 0) return false;
    size_t members = 0;
    for (size_t i = 0; i < elements().size(); i += 2) {
      if (!ParseDouble(elements()[i + 1], &value_->scores_.emplace_back())) return false;
      elements()[members++] = elements()[i];
    }
    elements().resize(members);
    return true;
  }

  bool ReadScoredMembers(bool binary) {
    uint64_t count;
    if (!TakeLength(&count) || count > in_.size()) return false;
    for (; count > 0; --count) {
      double& score = value_->scores_.emplace_back();
      if (!TakeElement()) return false;
      uint64_t bits;
      if (!binary) {
        if (!TakeTextScore(&score)) return false;
      } else if (TakeLittle64(&bits)) {
        std::memcpy(&score, &bits, sizeof score);
      } else {
        return false;
      }
    }
    return true;
  }

  bool TakeTextScore(double* score) {
    uint8_t size;
    if (!TakeByte(&in_, &size)) return false;
    switch (size) {
      case 253:
        return false;  // not a number
      case 254:
        *score = HUGE_VAL;
        return true;
      case 255:
        *score = -HUGE_VAL;
        return true;
      default:
        break;
    }
    if (size > in_.size() || !ParseDouble(in_.substr(0, size), score)) return false;
    in_.remove_prefix(size);
    return true;
  }

  bool ReadFieldsWithDeadlines() {
    uint64_t earliest_ms, count;
    if (!TakeLittle64(&earliest_ms) || earliest_ms > INT64_MAX) return false;
    if (!TakeLength(&count) || count > in_.size()) return false;
    for (; count > 0; --count) {
      uint64_t after;
      if (!TakeLength(&after) || !TakeElement() || !TakeElement()) return false;
      if (after > uint64_t{INT64_MAX} - earliest_ms) return false;
      value_->deadlines_ms_.push_back(after == 0 ? 0
                                                 : static_cast<int64_t>(earliest_ms + after - 1));
    }
    return true;
  }

  // Fields, values and deadlines in turn.
  bool SplitDeadlines() {
    if (elements().size() % 3 != 0) return false;
    size_t kept = 0;
    for (size_t i = 0; i < elements().size(); i += 3) {
      int64_t deadline_ms;
      if (!ParseInt64(elements()[i + 2], &deadline_ms) || deadline_ms < 0) return false;
      value_->deadlines_ms_.push_back(deadline_ms);
      elements()[kept++] = elements()[i];
      elements()[kept++] = elements()[i + 1];
    }
    elements().resize(kept);
    return true;
  }

  // --- streams

  bool ReadStream(uint8_t type) {
    uint64_t nodes, length, groups;
    if (!TakeLength(&nodes) || nodes > in_.size()) return false;
    for (; nodes > 0; --nodes) {
      if (!ReadStreamNode()) return false;
    }
    StreamId first_id;
    if (!TakeLength(&length) || length != value_->entries_.size()) return false;
    if (!TakeId(&value_->last_id_)) return false;
    value_->entries_added_ = length;
    value_->estimate_entries_read_ = type == kRdbStream1;
    if (type >= kRdbStream2) {
      if (!TakeId(&first_id) || !TakeId(&value_->max_deleted_id_)) return false;
      if (!TakeLength(&value_->entries_added_)) return false;
    }
    if (length > 0 && value_->last_id_ < value_->entries_.back().id) return false;
    // The highest erased id may be above the last one: XSETID does not look at it.
    if (value_->entries_added_ < length || value_->entries_added_ > INT64_MAX) return false;
    if (!TakeLength(&groups) || groups > in_.size()) return false;
    std::vector<std::string_view> names;
    for (; groups > 0; --groups) {
      if (!ReadGroup(type)) return false;
      names.push_back(value_->groups_.back().name);
    }
    return AllDiffer(names, 1);
  }

  bool ReadStreamNode() {
    std::string_view raw_id, bytes;
    if (!TakeString(&raw_id) || raw_id.size() != 16 || !TakeString(&bytes)) return false;
    const StreamId master{ReadBig64(raw_id.data()), ReadBig64(raw_id.data() + 8)};
    // The parts of a node go with it: what stays of them is counted when it is known.
    std::vector<std::string_view> kept = std::move(elements());
    elements().clear();
    const int64_t bytes_left = taken().bytes_left;
    const bool whole = ReadListpack(bytes, &taken());
    const std::vector<std::string_view> parts = std::exchange(elements(), std::move(kept));
    if (!whole) return false;
    taken().bytes_left = bytes_left;
    size_t at = 0;
    const auto take_number = [&parts, &at](int64_t* number) {
      return at < parts.size() && ParseInt64(parts[at++], number);
    };
    int64_t count, erased, master_fields, zero;
    if (!take_number(&count) || !take_number(&erased) || !take_number(&master_fields)) return false;
    const auto left = [&parts, &at] { return static_cast<int64_t>(parts.size() - at); };
    if (count < 0 || erased < 0 || master_fields < 0 || master_fields > left()) return false;
    const size_t first_master = at;
    at += static_cast<size_t>(master_fields);
    if (!taken().Spend(TakenElements::kElementBytes * at)) return false;
    if (!take_number(&zero) || zero != 0) return false;
    while (at < parts.size()) {
      int64_t flags, ms, seq, fields = master_fields, back;
      if (!take_number(&flags) || !take_number(&ms) || !take_number(&seq)) return false;
      if (flags < 0 || flags > (kEntryErased | kEntrySameFields)) return false;
      const bool same = (flags & kEntrySameFields) != 0;
      if (!same && !take_number(&fields)) return false;
      if (fields < 0 || fields > left()) return false;
      const int64_t strings = same ? fields : 2 * fields;
      if (strings > left()) return false;
      const size_t first = at;
      at += static_cast<size_t>(strings);
      if (!take_number(&back) || back != (same ? fields + 3 : 2 * fields + 4)) return false;
      if (!taken().Spend(kEntryBytes)) return false;
      if ((flags & kEntryErased) != 0) {
        --erased;
        if (!taken().Spend(TakenElements::kElementBytes * (at - first))) return false;
        continue;
      }
      --count;
      // The differences may be negative ones of the second number.
      const StreamId id{master.ms + static_cast<uint64_t>(ms),
                        master.seq + static_cast<uint64_t>(seq)};
      const StreamId previous =
          value_->entries_.empty() ? kMinStreamId : value_->entries_.back().id;
      if (id <= previous || fields == 0) return false;
      value_->entries_.push_back({id, elements().size(), static_cast<size_t>(2 * fields)});
      for (size_t i = 0; i < static_cast<size_t>(fields); ++i) {
        // Names that stand in the node once are written with each entry.
        if (!taken().Add(same ? parts[first_master + i] : parts[first + 2 * i])) return false;
        if (!taken().Add(same ? parts[first + i] : parts[first + 2 * i + 1])) return false;
      }
    }
    return count == 0 && erased == 0;
  }

  bool ReadGroup(uint8_t type) {
    Group& group = value_->groups_.emplace_back();
    uint64_t entries_read = 0, count;
    if (!taken().Spend(kPendingBytes)) return false;
    if (!TakeString(&group.name) || !TakeId(&group.last_id)) return false;
    if (type >= kRdbStream2) {
      if (!TakeLength(&entries_read)) return false;
      group.entries_read = static_cast<int64_t>(entries_read);
      if (group.entries_read < kUnknownEntriesRead) return false;
    }
    if (!TakeLength(&count) || count > in_.size()) return false;
    for (; count > 0; --count) {
      Pending pending;
      uint64_t delivered_ms;
      if (!TakeRawId(&pending.id) || !TakeLittle64(&delivered_ms)) return false;
      if (!TakeLength(&pending.deliveries) || delivered_ms > INT64_MAX) return false;
      if (!group.pending.empty() && pending.id <= group.pending.back().id) return false;
      if (!taken().Spend(kPendingBytes)) return false;
      pending.delivered_ms = static_cast<int64_t>(delivered_ms);
      group.pending.push_back(pending);
    }
    if (!TakeLength(&count) || count > in_.size()) return false;
    std::vector<std::string_view> names;
    for (; count > 0; --count) {
      if (!ReadConsumer(type, &group)) return false;
      names.push_back(group.consumers.back().name);
    }
    const bool all_owned = std::all_of(group.pending.begin(), group.pending.end(),
                                       [](const Pending& p) { return p.consumer != SIZE_MAX; });
    return all_owned && AllDiffer(names, 1);
  }

  bool ReadConsumer(uint8_t type, Group* group) {
    const size_t number = group->consumers.size();
    Consumer& consumer = group->consumers.emplace_back();
    uint64_t seen_ms, pending;
    if (!taken().Spend(kPendingBytes)) return false;
    if (!TakeString(&consumer.name) || !TakeLittle64(&seen_ms) || seen_ms > INT64_MAX) return false;
    consumer.seen_ms = static_cast<int64_t>(seen_ms);
    // When it was last given something: not kept here.
    if (type >= kRdbStream3 && !SkipBytes(8)) return false;
    if (!TakeLength(&pending) || pending > in_.size()) return false;
    for (; pending > 0; --pending) {
      StreamId id;
      if (!TakeRawId(&id)) return false;
      const auto found =
          std::lower_bound(group->pending.begin(), group->pending.end(), id,
                           [](const Pending& entry, StreamId wanted) { return entry.id < wanted; });
      if (found == group->pending.end() || found->id != id || found->consumer != SIZE_MAX) {
        return false;
      }
      found->consumer = number;
    }
    return true;
  }

  std::string_view in_;
  DumpedValue* const value_;
};

Result<DumpedValue> DumpedValue::Parse(std::string_view payload, uint64_t max_bytes) {
  CHECK_GE(payload.size(), kFooterBytes);
  payload.remove_suffix(kFooterBytes);
  DumpedValue value;
  value.taken_.bytes_left = static_cast<int64_t>(max_bytes);
  if (!Reader(payload, &value).Read()) {
    if (value.taken_.bytes_left < 0) return Status(Code::kStringTooLong);
    return Status::Corruption("no value");
  }
  return Result<DumpedValue>(std::move(value));
}

void DumpedValue::Store(engine::Txn& txn, int db, std::string_view key,
                        std::optional<int64_t> deadline_ms) const {
  const std::vector<std::string_view>& elements = taken_.elements;
  WritableKey(txn, db, key).Delete();
  switch (type_) {
    case Type::kString:
      WritableKey(txn, db, key).PutString(elements[0]);
      break;
    case Type::kList: {
      Result<WritableList> list = WritableList::Open(txn, db, key);
      for (std::string_view element : elements) list->PushBack(element);
      list->Save();
      break;
    }
    case Type::kSet: {
      Result<WritableSet> set = WritableSet::Open(txn, db, key);
      for (std::string_view member : elements) set->Add(member);
      set->Save();
      break;
    }
    case Type::kZset: {
      std::vector<ScoredMember> members;
      members.reserve(elements.size());
      for (size_t i = 0; i < elements.size(); ++i) {
        members.push_back({std::string(elements[i]), scores_[i]});
      }
      StoreSortedSet(txn, db, key, std::move(members));
      break;
    }
    case Type::kHash: {
      Result<WritableHash> hash = WritableHash::Open(txn, db, key);
      for (size_t i = 0; i < elements.size(); i += 2) hash->Set(elements[i], elements[i + 1]);
      for (size_t i = 0; i < deadlines_ms_.size(); ++i) {
        if (deadlines_ms_[i] == 0) continue;
        hash->Expire(elements[2 * i], deadlines_ms_[i], FieldExpiryCondition::kAlways);
      }
      hash->Save();
      break;
    }
    case Type::kStream:
      StoreStream(txn, db, key);
      break;
  }
  if (deadline_ms) {
    WritableKey stored(txn, db, key);
    if (stored.found() != nullptr) stored.SetDeadline(deadline_ms);
  }
}

void DumpedValue::StoreStream(engine::Txn& txn, int db, std::string_view key) const {
  Result<WritableStream> stream = WritableStream::Open(txn, db, key);
  CHECK_OK(stream.status());
  for (const Entry& entry : entries_) {
    stream->Append(entry.id,
                   StreamFields(taken_.elements).subspan(entry.first_field, entry.fields));
  }
  stream->set_last_id(last_id_);
  stream->set_max_deleted_id(max_deleted_id_);
  stream->set_entries_added(entries_added_);
  for (const Group& group : groups_) {
    int64_t entries_read = group.entries_read;
    if (estimate_entries_read_) {
      entries_read = stream->EntriesUpTo(group.last_id).value_or(kUnknownEntriesRead);
    }
    CHECK(stream->CreateGroup(group.name, group.last_id, entries_read));
  }
  stream->Save();
  if (groups_.empty()) return;
  Result<WritableStream> stored = WritableStream::Open(txn, db, key);
  CHECK_OK(stored.status());
  for (const Group& group : groups_) {
    std::optional<WritableGroup> writable = WritableGroup::Open(*stored, group.name);
    CHECK(writable.has_value());
    std::vector<uint64_t> numbers;
    for (const Consumer& consumer : group.consumers) {
      numbers.push_back(writable->CreateConsumer(consumer.name, consumer.seen_ms));
    }
    for (const Pending& pending : group.pending) {
      writable->PutPending(pending.id, std::nullopt,
                           {numbers[pending.consumer], pending.delivered_ms, pending.deliveries});
    }
    writable->Save();
  }
}

}  // namespace metastore::types
