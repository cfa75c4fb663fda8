#include "types/stream.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "engine/system_keys.h"

namespace metastore::types {

using engine::Family;

namespace {

constexpr char kEntry = 'e';
constexpr char kGroup = 'g';
constexpr char kConsumerName = 'n';
constexpr char kConsumer = 'c';
constexpr char kPending = 'p';
constexpr char kPendingOf = 'q';

// Before what an id or a name follows in a row's key.
constexpr size_t kTagEnd = 8 + 1;
constexpr size_t kIdBytes = 8 + 8;
// Ids that a trim gathers before it removes their rows: a Txn is not written during a walk.
constexpr size_t kTrimStep = 4096;

void PutId(std::string* out, StreamId id) {
  PutVarint(out, id.ms);
  PutVarint(out, id.seq);
}
bool TakeId(std::string_view* in, StreamId* id) {
  return TakeVarint(in, &id->ms) && TakeVarint(in, &id->seq);
}
void PutBigId(std::string* out, StreamId id) {
  PutBig64(out, id.ms);
  PutBig64(out, id.seq);
}
bool TakeBigId(std::string_view* in, StreamId* id) {
  return TakeBig64(in, &id->ms) && TakeBig64(in, &id->seq);
}
// The id at the end of a row's key.
StreamId IdOf(std::string_view row) {
  CHECK_GE(row.size(), kTagEnd + kIdBytes);
  const char* at = row.data() + row.size() - kIdBytes;
  return {ReadBig64(at), ReadBig64(at + 8)};
}

std::string RowKey(uint64_t id, char tag) {
  std::string key;
  key.reserve(kTagEnd + 8 + 8 + kIdBytes);
  PutBig64(&key, id);
  key.push_back(tag);
  return key;
}
std::string RowKey(uint64_t id, char tag, uint64_t group) {
  std::string key = RowKey(id, tag);
  PutBig64(&key, group);
  return key;
}

bool TakeInfo(std::string_view* rest, StreamHeader* info) {
  return TakeId(rest, &info->last_id) && TakeId(rest, &info->first_id) &&
         TakeId(rest, &info->max_deleted_id) && TakeVarint(rest, &info->entries_added) &&
         TakeVarint(rest, &info->groups) && TakeVarint(rest, &info->next_group);
}
void PutInfo(std::string* rest, const StreamHeader& info) {
  PutId(rest, info.last_id);
  PutId(rest, info.first_id);
  PutId(rest, info.max_deleted_id);
  PutVarint(rest, info.entries_added);
  PutVarint(rest, info.groups);
  PutVarint(rest, info.next_group);
}

std::string EncodeGroup(const StreamGroup& group) {
  std::string value;
  PutVarint(&value, group.number);
  PutId(&value, group.last_id);
  PutVarint(&value, static_cast<uint64_t>(group.entries_read) + 1);
  PutVarint(&value, group.pending);
  PutVarint(&value, group.consumers);
  PutVarint(&value, group.next_consumer);
  return value;
}
std::optional<StreamGroup> DecodeGroup(std::string_view value) {
  StreamGroup group;
  uint64_t entries_read = 0;
  if (!TakeVarint(&value, &group.number) || !TakeId(&value, &group.last_id) ||
      !TakeVarint(&value, &entries_read) || !TakeVarint(&value, &group.pending) ||
      !TakeVarint(&value, &group.consumers) || !TakeVarint(&value, &group.next_consumer) ||
      !value.empty()) {
    return std::nullopt;
  }
  group.entries_read = static_cast<int64_t>(entries_read - 1);
  return group;
}

std::string EncodeConsumer(const StreamConsumer& consumer) {
  std::string value;
  PutVarint(&value, static_cast<uint64_t>(consumer.seen_ms));
  PutVarint(&value, consumer.pending);
  return value.append(consumer.name);
}
std::optional<StreamConsumer> DecodeConsumer(uint64_t number, std::string_view value) {
  StreamConsumer consumer;
  consumer.number = number;
  uint64_t seen_ms = 0;
  if (!TakeVarint(&value, &seen_ms) || !TakeVarint(&value, &consumer.pending)) return std::nullopt;
  consumer.seen_ms = static_cast<int64_t>(seen_ms);
  consumer.name = value;
  return consumer;
}

std::string EncodePending(const PendingEntry& pending) {
  std::string value;
  PutVarint(&value, pending.consumer);
  PutVarint(&value, static_cast<uint64_t>(pending.delivered_ms));
  PutVarint(&value, pending.deliveries);
  return value;
}
std::optional<PendingEntry> DecodePending(std::string_view value) {
  PendingEntry pending;
  uint64_t delivered_ms = 0;
  if (!TakeVarint(&value, &pending.consumer) || !TakeVarint(&value, &delivered_ms) ||
      !TakeVarint(&value, &pending.deliveries) || !value.empty()) {
    return std::nullopt;
  }
  pending.delivered_ms = static_cast<int64_t>(delivered_ms);
  return pending;
}

template <class T>
T Sound(std::optional<T> decoded) {
  CHECK_MSG(decoded.has_value(), "a stream's row is damaged");
  return std::move(*decoded);
}

bool TakeFields(std::string_view bytes, std::vector<std::string_view>* fields) {
  fields->clear();
  while (!bytes.empty()) {
    if (!TakeBytes(&bytes, &fields->emplace_back()) ||
        !TakeBytes(&bytes, &fields->emplace_back())) {
      return false;
    }
  }
  return true;
}
std::string EncodeFields(StreamFields fields) {
  CHECK(!fields.empty() && fields.size() % 2 == 0);
  size_t size = 0;
  for (std::string_view field : fields) size += field.size() + 10;
  std::string bytes;
  bytes.reserve(size);
  for (std::string_view field : fields) PutBytes(&bytes, field);
  return bytes;
}

struct PackedEntry {
  StreamId id;
  std::string_view fields;  // encoded
};
bool TakePacked(std::string_view* packed, StreamId first, PackedEntry* entry) {
  uint64_t later_ms = 0;
  if (!TakeVarint(packed, &later_ms) || !TakeVarint(packed, &entry->id.seq) ||
      !TakeBytes(packed, &entry->fields)) {
    return false;
  }
  entry->id.ms = first.ms + later_ms;
  return true;
}
void PutPacked(std::string* packed, StreamId first, StreamId id, std::string_view fields) {
  PutVarint(packed, id.ms - first.ms);
  PutVarint(packed, id.seq);
  PutBytes(packed, fields);
}
std::vector<PackedEntry> PackedEntries(std::string_view packed, StreamId first) {
  std::vector<PackedEntry> entries;
  while (!packed.empty()) {
    CHECK_MSG(TakePacked(&packed, first, &entries.emplace_back()), "a packed stream is damaged");
  }
  return entries;
}

}  // namespace

bool StreamId::Increment() {
  if (*this == kMaxStreamId) return false;
  if (++seq == 0) ++ms;
  return true;
}

bool StreamId::Decrement() {
  if (*this == kMinStreamId) return false;
  if (seq-- == 0) --ms;
  return true;
}

std::string StreamId::ToString() const { return std::to_string(ms) + "-" + std::to_string(seq); }

Result<Stream> Stream::Find(const engine::View& view, int db, std::string_view key) {
  Result<Record> record = FindCollection(view, db, key, Type::kStream);
  if (!record.ok()) return record.status();
  std::string_view rest = record->payload();
  const CollectionHeader header = CollectionHeader::Take(&rest);
  Stream stream(view);
  stream.Load(header, rest);
  return stream;
}

void Stream::Load(const CollectionHeader& header, std::string_view rest) {
  header_ = header;
  CHECK_MSG(TakeInfo(&rest, &info_), "a stream's record is damaged");
  packed_ = rest;
}

std::string Stream::EntryKey(StreamId id) const {
  std::string key = RowKey(header_.id, kEntry);
  PutBigId(&key, id);
  return key;
}
std::string Stream::GroupKey(std::string_view name) const {
  return RowKey(header_.id, kGroup).append(name);
}
std::string Stream::ConsumerNameKey(uint64_t group, std::string_view name) const {
  return RowKey(header_.id, kConsumerName, group).append(name);
}
std::string Stream::ConsumerKey(uint64_t group, uint64_t consumer) const {
  std::string key = RowKey(header_.id, kConsumer, group);
  PutBig64(&key, consumer);
  return key;
}
std::string Stream::PendingKey(uint64_t group, StreamId id) const {
  std::string key = RowKey(header_.id, kPending, group);
  PutBigId(&key, id);
  return key;
}
std::string Stream::PendingOfKey(uint64_t group, uint64_t consumer, StreamId id) const {
  std::string key = RowKey(header_.id, kPendingOf, group);
  PutBig64(&key, consumer);
  PutBigId(&key, id);
  return key;
}

void Stream::ForEach(StreamId first, StreamId last, const VisitStreamEntry& visit) const {
  if (header_.count == 0) return;
  // Rows before the first entry may be many that were trimmed and are not compacted away yet.
  first = std::max(first, info_.first_id);
  last = std::min(last, info_.last_id);
  if (first > last) return;
  std::vector<std::string_view> fields;
  if (!header_.spread()) {
    for (const PackedEntry& entry : PackedEntries(packed_, info_.first_id)) {
      if (entry.id < first) continue;
      if (entry.id > last) return;
      CHECK_MSG(TakeFields(entry.fields, &fields), "a packed stream is damaged");
      if (!visit(entry.id, fields)) return;
    }
    return;
  }
  const std::string begin = EntryKey(first);
  auto it = view_->NewIterator(Family::kData, begin, EntryKey(last).append(1, '\0'));
  for (it->Seek(begin); it->Valid(); it->Next()) {
    CHECK_MSG(TakeFields(it->value(), &fields), "a stream's entry is damaged");
    if (!visit(IdOf(it->key()), fields)) return;
  }
}

void Stream::ForEachReverse(StreamId first, StreamId last, const VisitStreamEntry& visit) const {
  if (header_.count == 0) return;
  first = std::max(first, info_.first_id);
  last = std::min(last, info_.last_id);
  if (first > last) return;
  std::vector<std::string_view> fields;
  if (!header_.spread()) {
    const std::vector<PackedEntry> entries = PackedEntries(packed_, info_.first_id);
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      if (entry->id > last) continue;
      if (entry->id < first) return;
      CHECK_MSG(TakeFields(entry->fields, &fields), "a packed stream is damaged");
      if (!visit(entry->id, fields)) return;
    }
    return;
  }
  const std::string end = EntryKey(last);
  auto it = view_->NewIterator(Family::kData, EntryKey(first), std::string(end).append(1, '\0'));
  for (it->SeekForPrev(end); it->Valid(); it->Prev()) {
    CHECK_MSG(TakeFields(it->value(), &fields), "a stream's entry is damaged");
    if (!visit(IdOf(it->key()), fields)) return;
  }
}

bool Stream::Get(StreamId id, const VisitStreamEntry& visit) const {
  if (header_.count == 0 || id < info_.first_id || id > info_.last_id) return false;
  std::vector<std::string_view> fields;
  if (!header_.spread()) {
    for (const PackedEntry& entry : PackedEntries(packed_, info_.first_id)) {
      if (entry.id != id) continue;
      CHECK_MSG(TakeFields(entry.fields, &fields), "a packed stream is damaged");
      visit(id, fields);
      return true;
    }
    return false;
  }
  std::string value;
  if (!view_->Get(Family::kData, EntryKey(id), &value)) return false;
  CHECK_MSG(TakeFields(value, &fields), "a stream's entry is damaged");
  visit(id, fields);
  return true;
}

bool Stream::Contains(StreamId id) const {
  return Get(id, [](StreamId, StreamFields) { return true; });
}

bool Stream::HasAfter(StreamId id) const {
  if (!id.Increment()) return false;
  bool found = false;
  ForEach(id, kMaxStreamId, [&](StreamId, StreamFields) {
    found = true;
    return false;
  });
  return found;
}

StreamId Stream::LastEntry() const {
  StreamId last;
  ForEachReverse(kMinStreamId, kMaxStreamId, [&](StreamId id, StreamFields) {
    last = id;
    return false;
  });
  return last;
}

bool Stream::HasErasedFrom(StreamId from) const {
  if (header_.count == 0 || info_.max_deleted_id == kMinStreamId) return false;
  return info_.first_id <= info_.max_deleted_id && from <= info_.max_deleted_id;
}

std::optional<int64_t> Stream::EntriesUpTo(StreamId id) const {
  const uint64_t added = info_.entries_added;
  if (added == 0) return 0;
  if (header_.count == 0 && id <= info_.last_id) return static_cast<int64_t>(added);
  if (id == info_.last_id) return static_cast<int64_t>(added);
  if (id > info_.last_id) return std::nullopt;
  if (info_.max_deleted_id == kMinStreamId || info_.max_deleted_id < info_.first_id) {
    if (id < info_.first_id) return static_cast<int64_t>(added - header_.count);
    if (id == info_.first_id) return static_cast<int64_t>(added - header_.count + 1);
  }
  return std::nullopt;
}

std::optional<int64_t> Stream::Lag(const StreamGroup& group) const {
  if (info_.entries_added == 0) return 0;
  std::optional<int64_t> read;
  if (group.entries_read != kUnknownEntriesRead && !HasErasedFrom(group.last_id)) {
    read = group.entries_read;
  } else {
    read = EntriesUpTo(group.last_id);
  }
  if (!read || *read == kUnknownEntriesRead) return std::nullopt;
  return static_cast<int64_t>(info_.entries_added - static_cast<uint64_t>(*read));
}

std::optional<StreamGroup> Stream::FindGroup(std::string_view name) const {
  std::string value;
  if (info_.groups == 0 || !view_->Get(Family::kData, GroupKey(name), &value)) return std::nullopt;
  return Sound(DecodeGroup(value));
}

void Stream::ForEachGroup(const VisitStreamGroup& visit) const {
  if (info_.groups == 0) return;
  const std::string begin = GroupKey({});
  auto it = view_->NewIterator(Family::kData, begin, engine::PrefixEnd(begin));
  for (it->Seek(begin); it->Valid(); it->Next()) {
    if (!visit(it->key().substr(begin.size()), Sound(DecodeGroup(it->value())))) return;
  }
}

std::optional<StreamConsumer> Stream::FindConsumer(const StreamGroup& group,
                                                   std::string_view name) const {
  std::string value;
  if (!view_->Get(Family::kData, ConsumerNameKey(group.number, name), &value)) return std::nullopt;
  std::string_view rest = value;
  uint64_t number = 0;
  CHECK_MSG(TakeVarint(&rest, &number), "a stream's row is damaged");
  return GetConsumer(group, number);
}

StreamConsumer Stream::GetConsumer(const StreamGroup& group, uint64_t number) const {
  std::string value;
  CHECK_MSG(view_->Get(Family::kData, ConsumerKey(group.number, number), &value),
            "a stream's consumer is missing");
  return Sound(DecodeConsumer(number, value));
}

void Stream::ForEachConsumer(const StreamGroup& group, const VisitStreamConsumer& visit) const {
  if (group.consumers == 0) return;
  const std::string begin = ConsumerNameKey(group.number, {});
  auto it = view_->NewIterator(Family::kData, begin, engine::PrefixEnd(begin));
  for (it->Seek(begin); it->Valid(); it->Next()) {
    std::string_view value = it->value();
    uint64_t number = 0;
    CHECK_MSG(TakeVarint(&value, &number), "a stream's row is damaged");
    if (!visit(GetConsumer(group, number))) return;
  }
}

std::optional<PendingEntry> Stream::FindPending(const StreamGroup& group, StreamId id) const {
  std::string value;
  if (group.pending == 0 || !view_->Get(Family::kData, PendingKey(group.number, id), &value)) {
    return std::nullopt;
  }
  return Sound(DecodePending(value));
}

void Stream::ForEachPending(const StreamGroup& group, StreamId first, StreamId last,
                            const VisitPending& visit) const {
  if (group.pending == 0 || first > last) return;
  const std::string begin = PendingKey(group.number, first);
  auto it =
      view_->NewIterator(Family::kData, begin, PendingKey(group.number, last).append(1, '\0'));
  for (it->Seek(begin); it->Valid(); it->Next()) {
    if (!visit(IdOf(it->key()), Sound(DecodePending(it->value())))) return;
  }
}

void Stream::ForEachPendingOf(const StreamGroup& group, uint64_t consumer, StreamId first,
                              StreamId last, const VisitPending& visit) const {
  if (group.pending == 0 || first > last) return;
  const std::string begin = PendingOfKey(group.number, consumer, first);
  auto it = view_->NewIterator(Family::kData, begin,
                               PendingOfKey(group.number, consumer, last).append(1, '\0'));
  for (it->Seek(begin); it->Valid(); it->Next()) {
    const StreamId id = IdOf(it->key());
    std::optional<PendingEntry> pending = FindPending(group, id);
    CHECK_MSG(pending.has_value(), "a stream's pending entry is missing");
    if (!visit(id, *pending)) return;
  }
}

StreamId Stream::LastPending(const StreamGroup& group) const {
  if (group.pending == 0) return kMinStreamId;
  const std::string end = PendingKey(group.number, kMaxStreamId);
  auto it = view_->NewIterator(Family::kData, PendingKey(group.number, kMinStreamId),
                               std::string(end).append(1, '\0'));
  it->SeekForPrev(end);
  return it->Valid() ? IdOf(it->key()) : kMinStreamId;
}

Result<WritableStream> WritableStream::Open(engine::Txn& txn, int db, std::string_view key) {
  Result<WritableCollection> opened = WritableCollection::Open(txn, db, key, Type::kStream);
  if (!opened.ok()) return opened.status();
  WritableStream stream(std::move(*opened));
  if (stream.existed()) stream.Load(stream.collection_.header(), stream.collection_.rest());
  return stream;
}

void WritableStream::Append(StreamId id, StreamFields fields) {
  CHECK(id > info_.last_id);
  std::string bytes = EncodeFields(fields);
  if (!header_.spread() &&
      (header_.count >= kMaxPackedElements || packed_.size() + bytes.size() > kMaxPackedBytes)) {
    Spread();
  }
  if (header_.count == 0) info_.first_id = id;
  if (header_.spread()) {
    txn().Put(Family::kData, EntryKey(id), std::move(bytes));
  } else {
    PutPacked(&packed_, info_.first_id, id, bytes);
  }
  ++header_.count;
  header_.Grew(0);
  ++info_.entries_added;
  info_.last_id = id;
}

void WritableStream::Spread() {
  const std::string packed = std::exchange(packed_, {});
  collection_.Spread();
  header_.id = collection_.header().id;
  for (const PackedEntry& entry : PackedEntries(packed, info_.first_id)) {
    txn().Put(Family::kData, EntryKey(entry.id), std::string(entry.fields));
  }
}

void WritableStream::Repack(const std::function<bool(StreamId id)>& keep) {
  const std::string packed = std::exchange(packed_, {});
  const StreamId old_first = std::exchange(info_.first_id, kMinStreamId);
  header_.count = 0;
  for (const PackedEntry& entry : PackedEntries(packed, old_first)) {
    if (!keep(entry.id)) continue;
    if (header_.count++ == 0) info_.first_id = entry.id;
    PutPacked(&packed_, info_.first_id, entry.id, entry.fields);
  }
}

bool WritableStream::Erase(StreamId id) {
  if (!Contains(id)) return false;
  info_.max_deleted_id = std::max(info_.max_deleted_id, id);
  if (!header_.spread()) {
    Repack([id](StreamId other) { return other != id; });
    return true;
  }
  txn().Delete(Family::kData, EntryKey(id));
  --header_.count;
  if (id != info_.first_id) return true;
  StreamId first;
  ForEach(id, kMaxStreamId, [&](StreamId next, StreamFields) {
    first = next;
    return false;
  });
  info_.first_id = first;
  return true;
}

uint64_t WritableStream::TrimWhile(uint64_t most, const std::function<bool(StreamId id)>& take) {
  uint64_t removed = 0;
  if (!header_.spread()) {
    bool taking = true;
    Repack([&](StreamId id) {
      taking = taking && removed < most && take(id);
      removed += taking;
      return !taking;
    });
    return removed;
  }
  for (bool more = true; more;) {
    std::vector<StreamId> ids;
    StreamId next;
    more = false;
    ForEach(kMinStreamId, kMaxStreamId, [&](StreamId id, StreamFields) {
      next = id;
      if (removed + ids.size() >= most || !take(id)) return false;
      more = ids.size() == kTrimStep;
      if (more) return false;
      ids.push_back(id);
      return true;
    });
    for (StreamId id : ids) txn().Delete(Family::kData, EntryKey(id));
    removed += ids.size();
    header_.count -= ids.size();
    info_.first_id = header_.count == 0 ? kMinStreamId : next;
  }
  return removed;
}

uint64_t WritableStream::TrimToLength(uint64_t length, uint64_t limit) {
  if (header_.count <= length) return 0;
  return TrimWhile(std::min(limit, header_.count - length), [](StreamId) { return true; });
}

uint64_t WritableStream::TrimBelow(StreamId id, uint64_t limit) {
  if (header_.count == 0 || info_.first_id >= id) return 0;
  return TrimWhile(limit, [id](StreamId entry) { return entry < id; });
}

bool WritableStream::CreateGroup(std::string_view name, StreamId last_id, int64_t entries_read) {
  if (FindGroup(name)) return false;
  if (!header_.spread()) Spread();
  StreamGroup group;
  group.number = info_.next_group++;
  group.last_id = last_id;
  group.entries_read = entries_read;
  ++info_.groups;
  txn().Put(Family::kData, GroupKey(name), EncodeGroup(group));
  return true;
}

bool WritableStream::DestroyGroup(std::string_view name) {
  const std::optional<StreamGroup> group = FindGroup(name);
  if (!group) return false;
  std::vector<std::string> rows = {GroupKey(name)};
  for (char tag : {kConsumerName, kConsumer, kPending, kPendingOf}) {
    const std::string begin = RowKey(header_.id, tag, group->number);
    auto it = txn().NewIterator(Family::kData, begin, engine::PrefixEnd(begin));
    for (it->Seek(begin); it->Valid(); it->Next()) rows.emplace_back(it->key());
  }
  for (const std::string& row : rows) txn().Delete(Family::kData, row);
  --info_.groups;
  return true;
}

void WritableStream::Save() {
  collection_.header() = header_;
  std::string rest;
  rest.reserve(64 + packed_.size());
  PutInfo(&rest, info_);
  rest.append(packed_);
  collection_.Save(rest);
}

std::optional<WritableGroup> WritableGroup::Open(WritableStream& stream, std::string_view name) {
  const std::optional<StreamGroup> group = stream.FindGroup(name);
  if (!group) return std::nullopt;
  return WritableGroup(stream, name, *group);
}

std::optional<uint64_t> WritableGroup::FindConsumer(std::string_view name) {
  std::string value;
  if (!stream_.view_->Get(Family::kData, stream_.ConsumerNameKey(state_.number, name), &value)) {
    return std::nullopt;
  }
  std::string_view rest = value;
  uint64_t number = 0;
  CHECK_MSG(TakeVarint(&rest, &number), "a stream's row is damaged");
  return number;
}

uint64_t WritableGroup::CreateConsumer(std::string_view name, int64_t seen_ms) {
  StreamConsumer consumer;
  consumer.number = state_.next_consumer++;
  consumer.name = name;
  consumer.seen_ms = seen_ms;
  ++state_.consumers;
  std::string number;
  PutVarint(&number, consumer.number);
  stream_.txn().Put(Family::kData, stream_.ConsumerNameKey(state_.number, name), std::move(number));
  consumers_.emplace(consumer.number, consumer);
  return consumer.number;
}

uint64_t WritableGroup::TouchConsumer(std::string_view name, int64_t now_ms) {
  const std::optional<uint64_t> number = FindConsumer(name);
  if (!number) return CreateConsumer(name, now_ms);
  consumer(*number).seen_ms = now_ms;
  return *number;
}

StreamConsumer& WritableGroup::consumer(uint64_t number) {
  auto it = consumers_.find(number);
  if (it == consumers_.end()) {
    it = consumers_.emplace(number, stream_.GetConsumer(state_, number)).first;
  }
  return it->second;
}

uint64_t WritableGroup::DeleteConsumer(uint64_t number) {
  const StreamConsumer gone = consumer(number);
  std::vector<StreamId> ids;
  stream_.ForEachPendingOf(state_, number, kMinStreamId, kMaxStreamId,
                           [&](StreamId id, const PendingEntry&) {
                             ids.push_back(id);
                             return true;
                           });
  for (StreamId id : ids) {
    stream_.txn().Delete(Family::kData, stream_.PendingKey(state_.number, id));
    stream_.txn().Delete(Family::kData, stream_.PendingOfKey(state_.number, number, id));
  }
  CHECK_EQ(ids.size(), gone.pending);
  stream_.txn().Delete(Family::kData, stream_.ConsumerNameKey(state_.number, gone.name));
  stream_.txn().Delete(Family::kData, stream_.ConsumerKey(state_.number, number));
  consumers_.erase(number);
  state_.pending -= ids.size();
  --state_.consumers;
  return ids.size();
}

std::optional<PendingEntry> WritableGroup::FindPending(StreamId id) const {
  return stream_.FindPending(state_, id);
}

void WritableGroup::PutPending(StreamId id, const std::optional<PendingEntry>& old,
                               const PendingEntry& pending) {
  engine::Txn& txn = stream_.txn();
  if (!old) ++state_.pending;
  if (!old || old->consumer != pending.consumer) {
    if (old) {
      --consumer(old->consumer).pending;
      txn.Delete(Family::kData, stream_.PendingOfKey(state_.number, old->consumer, id));
    }
    ++consumer(pending.consumer).pending;
    txn.Put(Family::kData, stream_.PendingOfKey(state_.number, pending.consumer, id), {});
  }
  txn.Put(Family::kData, stream_.PendingKey(state_.number, id), EncodePending(pending));
}

bool WritableGroup::ErasePending(StreamId id) {
  const std::optional<PendingEntry> pending = FindPending(id);
  if (!pending) return false;
  --state_.pending;
  --consumer(pending->consumer).pending;
  stream_.txn().Delete(Family::kData, stream_.PendingKey(state_.number, id));
  stream_.txn().Delete(Family::kData, stream_.PendingOfKey(state_.number, pending->consumer, id));
  return true;
}

void WritableGroup::Advance(StreamId id) {
  if (id <= state_.last_id) return;
  if (state_.entries_read != kUnknownEntriesRead && !stream_.HasErasedFrom(id)) {
    state_.entries_read = static_cast<int64_t>(static_cast<uint64_t>(state_.entries_read) + 1);
  } else if (stream_.info().entries_added != 0) {
    state_.entries_read = stream_.EntriesUpTo(id).value_or(kUnknownEntriesRead);
  }
  state_.last_id = id;
}

void WritableGroup::Save() {
  for (const auto& [number, consumer] : consumers_) {
    stream_.txn().Put(Family::kData, stream_.ConsumerKey(state_.number, number),
                      EncodeConsumer(consumer));
  }
  stream_.txn().Put(Family::kData, stream_.GroupKey(name_), EncodeGroup(state_));
}

namespace {

// Reads all rows of a spread stream, whatever they hold.
class StreamCheck {
 public:
  StreamCheck(const engine::View& view, const CollectionHeader& header, const StreamHeader& info)
      : view_(view), header_(header), info_(info) {}

  Status Run() {
    const std::string begin = ElementPrefix(Family::kData, header_.id);
    auto it = view_.NewIterator(Family::kData, begin, engine::PrefixEnd(begin));
    for (it->Seek(begin); it->Valid(); it->Next()) {
      const std::string_view key = it->key().substr(begin.size());
      if (key.empty() || !TakeRow(key[0], key.substr(1), it->value())) {
        return Status::Corruption("a row that does not decode");
      }
    }
    if (entries_ != header_.count) return Differs("entries", entries_, header_.count);
    if (groups_there_ != info_.groups) return Differs("groups", groups_there_, info_.groups);
    for (const auto& [number, group] : groups_) RETURN_IF_ERROR(CheckGroup(number, group));
    return status_;
  }

 private:
  struct Group {
    std::optional<StreamGroup> stored;
    uint64_t pending = 0;
    // Sums over the pending entries, as the group has them and as its consumers have them: equal
    // sums mean equal sets.
    uint64_t sum = 0, sum_of_consumers = 0;
    std::map<uint64_t, StreamConsumer> consumers;
    std::map<std::string, uint64_t, std::less<>> names;
    std::map<uint64_t, uint64_t> pending_of;
  };

  static Status Differs(const std::string& what, uint64_t found, uint64_t stored) {
    return Status::Corruption(std::to_string(found) + " " + what + ", and its record says " +
                              std::to_string(stored));
  }
  void Bad(std::string what) {
    if (status_.ok()) status_ = Status::Corruption(std::move(what));
  }

  bool TakeRow(char tag, std::string_view key, std::string_view value) {
    if (tag == kEntry) return TakeEntry(key, value);
    if (tag == kGroup) return TakeGroup(value);
    uint64_t number = 0, consumer = 0;
    StreamId id;
    if (!TakeBig64(&key, &number)) return false;
    Group& group = groups_[number];
    switch (tag) {
      case kConsumerName:
        if (!TakeVarint(&value, &consumer) || !value.empty()) return false;
        group.names.emplace(key, consumer);
        return true;
      case kConsumer: {
        if (!TakeBig64(&key, &consumer) || !key.empty()) return false;
        std::optional<StreamConsumer> decoded = DecodeConsumer(consumer, value);
        if (!decoded) return false;
        group.consumers.emplace(consumer, std::move(*decoded));
        return true;
      }
      case kPending: {
        const std::optional<PendingEntry> pending = DecodePending(value);
        if (!TakeBigId(&key, &id) || !key.empty() || !pending) return false;
        ++group.pending;
        group.sum += Mix(id, pending->consumer);
        return true;
      }
      case kPendingOf:
        if (!TakeBig64(&key, &consumer) || !TakeBigId(&key, &id) || !key.empty() ||
            !value.empty()) {
          return false;
        }
        ++group.pending_of[consumer];
        group.sum_of_consumers += Mix(id, consumer);
        return true;
      default:
        return false;
    }
  }

  bool TakeEntry(std::string_view key, std::string_view value) {
    StreamId id;
    std::vector<std::string_view> fields;
    if (!TakeBigId(&key, &id) || !key.empty() || !TakeFields(value, &fields) || fields.empty()) {
      return false;
    }
    if (entries_ == 0 && id != info_.first_id) Bad("a first entry that is not the record's");
    if (id > info_.last_id) Bad("an entry above its last id");
    ++entries_;
    return true;
  }

  bool TakeGroup(std::string_view value) {
    const std::optional<StreamGroup> group = DecodeGroup(value);
    if (!group) return false;
    ++groups_there_;
    if (group->number >= info_.next_group) Bad("a group whose number was not given out");
    if (groups_[group->number].stored) Bad("two groups of one number");
    groups_[group->number].stored = group;
    return true;
  }

  Status CheckGroup(uint64_t number, const Group& group) const {
    const auto bad = [number](const std::string& what) {
      return Status::Corruption("a group (" + std::to_string(number) + ") " + what);
    };
    if (!group.stored) return bad("that is not there but has rows");
    if (group.pending != group.stored->pending) {
      return bad("with " + std::to_string(group.pending) + " pending entries, and it says " +
                 std::to_string(group.stored->pending));
    }
    if (group.sum != group.sum_of_consumers) {
      return bad("whose pending entries are not those of its consumers");
    }
    if (group.consumers.size() != group.stored->consumers ||
        group.names.size() != group.stored->consumers) {
      return bad("with " + std::to_string(group.consumers.size()) + " consumers of " +
                 std::to_string(group.names.size()) + " names, and it says " +
                 std::to_string(group.stored->consumers));
    }
    for (const auto& [name, consumer] : group.names) {
      auto found = group.consumers.find(consumer);
      if (found == group.consumers.end() || found->second.name != name) {
        return bad("with a consumer's name that leads to another one");
      }
    }
    uint64_t pending = 0;
    for (const auto& [consumer, stored] : group.consumers) {
      auto found = group.pending_of.find(consumer);
      const uint64_t there = found == group.pending_of.end() ? 0 : found->second;
      if (there != stored.pending) {
        return bad("whose consumer has " + std::to_string(there) +
                   " pending entries, and it says " + std::to_string(stored.pending));
      }
      if (consumer >= group.stored->next_consumer) {
        return bad("with a consumer whose number was not given out");
      }
      pending += there;
    }
    if (pending != group.pending)
      return bad("with pending entries of a consumer that is not there");
    return Status::Ok();
  }

  static uint64_t Mix(StreamId id, uint64_t consumer) {
    uint64_t mixed = id.ms;
    for (uint64_t part : {id.seq, consumer}) {
      mixed = (mixed ^ mixed >> 29) * 0x9e3779b97f4a7c15 + part;
    }
    return (mixed ^ mixed >> 32) * 0xbf58476d1ce4e5b9;
  }

  const engine::View& view_;
  const CollectionHeader& header_;
  const StreamHeader& info_;
  Status status_;
  uint64_t entries_ = 0;
  uint64_t groups_there_ = 0;
  std::map<uint64_t, Group> groups_;
};

Status CheckPacked(const CollectionHeader& header, const StreamHeader& info,
                   std::string_view packed) {
  if (info.groups != 0) return Status::Corruption("groups, and is packed");
  uint64_t entries = 0;
  StreamId last;
  std::vector<std::string_view> fields;
  while (!packed.empty()) {
    PackedEntry entry;
    if (!TakePacked(&packed, info.first_id, &entry) || !TakeFields(entry.fields, &fields) ||
        fields.empty()) {
      return Status::Corruption("an entry that does not decode");
    }
    if (entries++ == 0 ? entry.id != info.first_id : entry.id <= last) {
      return Status::Corruption("entries out of order");
    }
    last = entry.id;
  }
  if (last > info.last_id) return Status::Corruption("an entry above its last id");
  if (entries != header.count) {
    return Status::Corruption(std::to_string(entries) + " entries, and its record says " +
                              std::to_string(header.count));
  }
  return Status::Ok();
}

}  // namespace

Status CheckStream(const engine::View& view, const CollectionHeader& header,
                   std::string_view rest) {
  StreamHeader info;
  if (header.traits != 0 || !TakeInfo(&rest, &info)) {
    return Status::Corruption("a record that does not decode");
  }
  if ((header.count == 0) != (info.first_id == kMinStreamId)) {
    return Status::Corruption("a first id that does not fit to the number of its entries");
  }
  if (!header.spread()) return CheckPacked(header, info, rest);
  if (!rest.empty()) return Status::Corruption("packed entries, and is spread");
  return StreamCheck(view, header, info).Run();
}

}  // namespace metastore::types
