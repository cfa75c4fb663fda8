#include "types/keyspace.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc16.h"
#include "engine/system_keys.h"

namespace metastore::types {

using engine::Family;
using engine::KeyCounts;
using engine::Txn;
using engine::View;

// Family::kMeta
//   key      := prefix:u8 hash:be64 user_key      prefix: physical, see DatabaseMap
//   hash     := slot:14 bits, top 50 bits of XXH3_64(user_key)
//   record   := flags:u8 [deadline_ms:varint] [field_deadline_ms:varint] version:varint payload
//   flags    := bits 0-3 type, bit 4 has a deadline, bits 5-6 string form, bit 7 has a field
//               deadline (hashes only)
//   payload  := string: bytes; collection: see collection.h
//
// Family::kIndex
//   expiry   := 'e' prefix:u8 deadline_ms:be64 hash:be64 user_key      value empty
//   fields   := 'h' prefix:u8 deadline_ms:be64 hash:be64 user_key      value empty
//
// The prefix stands before the deadline so that flushing a database leaves one range to remove.
namespace {

constexpr uint8_t kTypeMask = 0x0f;
constexpr uint8_t kHasDeadline = 0x10;
constexpr int kFormShift = 5;
constexpr uint8_t kFormMask = 0x03;
constexpr uint8_t kHasFieldDeadline = 0x80;
constexpr char kExpiryTag = 'e';
constexpr char kFieldExpiryTag = 'h';
constexpr char kElementTag = 'i';

constexpr int kSlotBits = 14;
// SCAN's cursor is the hash without its low bits: 53 bits are left, the integers of a double.
// Keys that share those 53 bits are visited in one call.
constexpr int kCursorShift = 64 - 53;

std::string PrefixBytes(uint8_t prefix) { return std::string(1, static_cast<char>(prefix)); }
// Prefix 255 is never used, so the end of a range always exists.
std::string PrefixRangeEnd(uint8_t prefix) {
  CHECK_LT(prefix, 255);
  return PrefixBytes(static_cast<uint8_t>(prefix + 1));
}

std::string HashBound(uint8_t prefix, uint64_t hash) {
  std::string key = PrefixBytes(prefix);
  PutBig64(&key, hash);
  return key;
}

uint64_t HashOf(std::string_view meta_key) {
  CHECK_GE(meta_key.size(), kMetaKeyHead);
  return ReadBig64(meta_key.data() + 1);
}
std::string_view UserKeyOf(std::string_view meta_key) { return meta_key.substr(kMetaKeyHead); }

std::string ExpiryPrefix(char tag, uint8_t prefix) {
  return std::string{tag, static_cast<char>(prefix)};
}
std::string ExpiryKey(char tag, std::string_view meta_key, int64_t deadline_ms) {
  std::string key = ExpiryPrefix(tag, static_cast<uint8_t>(meta_key[0]));
  PutBig64(&key, static_cast<uint64_t>(deadline_ms));
  key.append(meta_key.substr(1));
  return key;
}

bool Passed(std::optional<int64_t> deadline_ms, int64_t now_ms) {
  return deadline_ms.has_value() && *deadline_ms <= now_ms;
}

uint8_t PrefixOf(const View& view, int db) {
  CHECK_GE(db, 0);
  CHECK_LT(db, engine::kDatabases);
  return view.databases().prefix[db];
}

bool IsLive(const View& view, uint8_t prefix) {
  const auto& live = view.databases().prefix;
  return std::find(live.begin(), live.end(), prefix) != live.end();
}

}  // namespace

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kList:
      return "list";
    case Type::kSet:
      return "set";
    case Type::kZset:
      return "zset";
    case Type::kHash:
      return "hash";
    case Type::kStream:
      return "stream";
  }
  CHECK_MSG(false, "a record of an unknown type");
}

uint64_t KeyHash(std::string_view key) {
  uint64_t slot = static_cast<uint64_t>(KeySlot(key));
  return slot << (64 - kSlotBits) | XXH3_64bits(key.data(), key.size()) >> kSlotBits;
}

std::string MetaKey(uint8_t prefix, std::string_view key) {
  std::string meta_key;
  meta_key.reserve(kMetaKeyHead + key.size());
  meta_key.push_back(static_cast<char>(prefix));
  PutBig64(&meta_key, KeyHash(key));
  meta_key.append(key);
  return meta_key;
}

std::string Record::Encode(const Header& header, std::string_view payload) {
  std::string bytes;
  bytes.reserve(1 + 10 + 10 + payload.size());
  uint8_t flags = static_cast<uint8_t>(static_cast<uint8_t>(header.type) |
                                       static_cast<uint8_t>(header.form) << kFormShift);
  if (header.deadline_ms) flags |= kHasDeadline;
  if (header.field_deadline_ms) flags |= kHasFieldDeadline;
  bytes.push_back(static_cast<char>(flags));
  if (header.deadline_ms) {
    CHECK_GT(*header.deadline_ms, 0);
    PutVarint(&bytes, static_cast<uint64_t>(*header.deadline_ms));
  }
  if (header.field_deadline_ms) {
    CHECK_GT(*header.field_deadline_ms, 0);
    PutVarint(&bytes, static_cast<uint64_t>(*header.field_deadline_ms));
  }
  PutVarint(&bytes, header.version);
  bytes.append(payload);
  return bytes;
}

namespace {

bool TakeDeadline(std::string_view* bytes, std::optional<int64_t>* deadline_ms) {
  uint64_t number = 0;
  if (!TakeVarint(bytes, &number) || number == 0 || number > INT64_MAX) return false;
  *deadline_ms = static_cast<int64_t>(number);
  return true;
}

}  // namespace

std::optional<Header> Record::ParseHeader(std::string_view* bytes) {
  Header header;
  uint8_t flags = 0;
  if (!TakeByte(bytes, &flags)) return std::nullopt;
  header.type = static_cast<Type>(flags & kTypeMask);
  header.form = static_cast<StringForm>(flags >> kFormShift & kFormMask);
  if (header.type < Type::kString || header.type > Type::kStream ||
      header.form > StringForm::kRaw) {
    return std::nullopt;
  }
  if (flags & kHasDeadline && !TakeDeadline(bytes, &header.deadline_ms)) return std::nullopt;
  if (flags & kHasFieldDeadline &&
      (header.type != Type::kHash || !TakeDeadline(bytes, &header.field_deadline_ms))) {
    return std::nullopt;
  }
  if (!TakeVarint(bytes, &header.version)) return std::nullopt;
  return header;
}

Header Record::TakeHeader(std::string_view* bytes) {
  std::optional<Header> header = ParseHeader(bytes);
  CHECK_MSG(header.has_value(), "a key's record is damaged");
  return *header;
}

uint64_t Record::CollectionId(Type type, std::string_view payload) {
  if (type == Type::kString) return 0;
  uint8_t traits = 0;
  CHECK_MSG(TakeByte(&payload, &traits), "a collection's record is damaged");
  if ((traits & kSpread) == 0) return 0;
  uint64_t id = 0;
  CHECK_MSG(TakeBig64(&payload, &id) && id != 0, "a collection's record is damaged");
  return id;
}

Record::Record(std::string bytes) : bytes_(std::move(bytes)) {
  std::string_view rest = bytes_;
  header_ = TakeHeader(&rest);
  payload_offset_ = bytes_.size() - rest.size();
}

// Family::kSystem
//   dead collection := 'c' id:be64     value := type:u8
//   dead prefix     := 'd' prefix:u8   value := stage:u8 version:be64 [next_meta_key]
//
// stage 0: its keys are still there, 1: they are removed, 2: as 0, and from next_meta_key on its
// spread collections are still to be queued. Version: when it came into that stage.
namespace {

constexpr uint8_t kStageDead = 0;
constexpr uint8_t kStageRemoved = 1;
constexpr uint8_t kStageHasCollections = 2;
constexpr int kVersionCounterBits = 24;

// Bounds of a call of Reclaim.
constexpr size_t kReclaimCollections = 256;
constexpr size_t kReclaimRecords = 4096;
// More rows than that are removed by a range tombstone, which costs later reads a little.
constexpr size_t kReclaimRows = 256;

struct DeadPrefix {
  uint8_t prefix = 0;
  uint8_t stage = 0;
  uint64_t version = 0;
  std::string next_meta_key;

  std::string Encode() const {
    std::string value(1, static_cast<char>(stage));
    PutBig64(&value, version);
    return value.append(next_meta_key);
  }
};

std::vector<DeadPrefix> DeadPrefixes(const View& view) {
  std::vector<DeadPrefix> dead;
  const std::string_view begin = engine::kDeadDatabasePrefix;
  auto it = view.NewIterator(Family::kSystem, begin, engine::PrefixEnd(begin));
  for (it->Seek(begin); it->Valid(); it->Next()) {
    CHECK_EQ(it->key().size(), begin.size() + 1);
    DeadPrefix entry;
    entry.prefix = static_cast<uint8_t>(it->key().back());
    std::string_view value = it->value();
    CHECK(TakeByte(&value, &entry.stage));
    CHECK(TakeBig64(&value, &entry.version));
    entry.next_meta_key = value;
    dead.push_back(std::move(entry));
  }
  return dead;
}

// The elements of a collection that no key has any more wait for Reclaim.
void Bury(Txn& txn, uint64_t id, Type type) {
  txn.Put(Family::kSystem, engine::DeadCollectionKey(id), std::string(1, static_cast<char>(type)));
}

std::vector<uint64_t> DeadCollections(const View& view, size_t limit) {
  std::vector<uint64_t> dead;
  const std::string_view begin = engine::kDeadCollectionPrefix;
  auto it = view.NewIterator(Family::kSystem, begin, engine::PrefixEnd(begin));
  for (it->Seek(begin); it->Valid() && dead.size() < limit; it->Next()) {
    std::string_view rest = it->key().substr(begin.size());
    uint64_t id = 0;
    CHECK(TakeBig64(&rest, &id));
    dead.push_back(id);
  }
  return dead;
}

void CopyElements(Txn& txn, Family family, uint64_t from, uint64_t to) {
  const std::string begin = ElementPrefix(family, from);
  std::vector<std::pair<std::string, std::string>> rows;
  {
    auto it = txn.NewIterator(family, begin, engine::PrefixEnd(begin));
    for (it->Seek(begin); it->Valid(); it->Next()) {
      rows.emplace_back(ElementPrefix(family, to).append(it->key().substr(begin.size())),
                        it->value());
    }
  }
  for (auto& [key, value] : rows) txn.Put(family, key, std::move(value));
}

}  // namespace

std::string ElementPrefix(Family family, uint64_t collection_id) {
  std::string prefix;
  if (family == Family::kIndex) prefix.push_back(kElementTag);
  PutBig64(&prefix, collection_id);
  return prefix;
}

std::optional<Record> Find(const View& view, int db, std::string_view key) {
  std::string bytes;
  if (!view.Get(Family::kMeta, MetaKey(PrefixOf(view, db), key), &bytes)) return std::nullopt;
  Record record(std::move(bytes));
  if (Passed(record.header().deadline_ms, view.now_ms())) return std::nullopt;
  return record;
}

bool Exists(const View& view, int db, std::string_view key) {
  return Find(view, db, key).has_value();
}

uint64_t VersionOf(const View& view, int db, std::string_view key) {
  std::optional<Record> record = Find(view, db, key);
  return record ? record->header().version : 0;
}

WritableKey::WritableKey(Txn& txn, int db, std::string_view key)
    : WritableKey(txn, MetaKey(PrefixOf(txn, db), key), db) {
  if (Passed(deadline_ms_, txn_.now_ms())) Expire();
}

WritableKey::WritableKey(Txn& txn, std::string meta_key, int db)
    : txn_(txn), db_(db), meta_key_(std::move(meta_key)) {
  Load();
}

void WritableKey::Tell() { txn_.events().Touch(db_, UserKeyOf(meta_key_)); }

void WritableKey::Load() {
  // Never so short that they lie in the string object: views into them survive its moves.
  std::string bytes;
  bytes.reserve(2 * sizeof bytes);
  if (!txn_.Get(Family::kMeta, meta_key_, &bytes)) return;
  found_.emplace(std::move(bytes));
  exists_ = true;
  const Header& header = found_->header();
  deadline_ms_ = header.deadline_ms;
  field_deadline_ms_ = header.field_deadline_ms;
  type_ = header.type;
  collection_id_ = found_->collection_id();
}

// Makes the expiry index and the counters follow a record that comes, changes or goes.
void WritableKey::Follow(bool exists, const Header& header, uint64_t collection_id) {
  const auto index = [this](char tag, std::optional<int64_t> from, std::optional<int64_t> to) {
    if (from == to) return;
    if (from) txn_.Delete(Family::kIndex, ExpiryKey(tag, meta_key_, *from));
    if (to) txn_.Put(Family::kIndex, ExpiryKey(tag, meta_key_, *to), "");
  };
  index(kExpiryTag, deadline_ms_, header.deadline_ms);
  index(kFieldExpiryTag, field_deadline_ms_, header.field_deadline_ms);
  const KeyCounts more = {
      int64_t{exists} - int64_t{exists_},
      int64_t{header.deadline_ms.has_value()} - int64_t{deadline_ms_.has_value()},
      int64_t{collection_id != 0} - int64_t{collection_id_ != 0}};
  if (more != KeyCounts{}) txn_.AddCounts(static_cast<uint8_t>(meta_key_[0]), more);
  exists_ = exists;
  deadline_ms_ = header.deadline_ms;
  field_deadline_ms_ = header.field_deadline_ms;
  type_ = header.type;
  collection_id_ = collection_id;
}

void WritableKey::Put(const Header& header, std::string_view payload) {
  if (Passed(header.deadline_ms, txn_.now_ms())) {
    // Redis stores it, and deletes it when it is next looked for.
    if (!exists_) txn_.events().NotifyNew(db_, UserKeyOf(meta_key_));
    Delete();
    return;
  }
  const uint64_t id = Record::CollectionId(header.type, payload);
  if (collection_id_ != 0 && collection_id_ != id) Bury(txn_, collection_id_, type_);
  Header stored = header;
  stored.version = txn_.NewVersion();
  // `payload` may point into found_, which therefore stays.
  txn_.Put(Family::kMeta, meta_key_, Record::Encode(stored, payload));
  const bool is_new = !exists_;
  Follow(true, stored, id);
  Tell();
  if (is_new) txn_.events().NotifyNew(db_, UserKeyOf(meta_key_));
}

void WritableKey::SetDeadline(std::optional<int64_t> deadline_ms) {
  CHECK(found_.has_value());
  Header header = found_->header();
  header.deadline_ms = deadline_ms;
  Put(header, found_->payload());
}

void WritableKey::Delete() {
  if (collection_id_ != 0) Bury(txn_, collection_id_, type_);
  Release();
}

void WritableKey::Vacate() {
  if (exists_) txn_.events().Vacated(db_, UserKeyOf(meta_key_));
  Delete();
}

void WritableKey::Expire() {
  Delete();
  txn_.events().Notify(engine::kNotifyExpired, "expired", db_, UserKeyOf(meta_key_));
}

void WritableKey::Release() {
  if (!exists_) return;
  txn_.Delete(Family::kMeta, meta_key_);
  Follow(false, Header(), 0);
  Tell();
  found_.reset();
}

void Rename(Txn& txn, int db, std::string_view from, int to_db, std::string_view to) {
  CHECK(db != to_db || from != to);
  WritableKey source(txn, db, from);
  WritableKey target(txn, to_db, to);
  CHECK(source.found() != nullptr);
  if (target.found() != nullptr) txn.events().NotifyNew(to_db, to);
  target.Put(source.found()->header(), source.found()->payload());
  source.Release();
}

void Copy(Txn& txn, int db, std::string_view from, int to_db, std::string_view to) {
  CHECK(db != to_db || from != to);
  std::optional<Record> source = Find(txn, db, from);
  CHECK(source.has_value());
  std::string payload(source->payload());
  if (const uint64_t id = source->collection_id(); id != 0) {
    const uint64_t copy = txn.NewVersion();
    for (Family family : {Family::kData, Family::kIndex}) CopyElements(txn, family, id, copy);
    std::string copy_id;
    PutBig64(&copy_id, copy);
    payload.replace(1, copy_id.size(), copy_id);
  }
  WritableKey target(txn, to_db, to);
  if (target.found() != nullptr) txn.events().NotifyNew(to_db, to);
  target.Put(source->header(), payload);
}

KeyCounts DatabaseCounts(const View& view, int db) { return view.Counts(PrefixOf(view, db)); }

uint64_t Scan(const View& view, int db, uint64_t cursor, uint64_t count,
              const std::function<void(std::string_view, const Header&)>& visit) {
  if (cursor > UINT64_MAX >> kCursorShift) return 0;
  const uint8_t prefix = PrefixOf(view, db);
  auto it = view.NewIterator(Family::kMeta, PrefixBytes(prefix), PrefixRangeEnd(prefix));
  uint64_t seen = 0;
  uint64_t last = 0;
  for (it->Seek(HashBound(prefix, cursor << kCursorShift)); it->Valid(); it->Next()) {
    uint64_t place = HashOf(it->key()) >> kCursorShift;
    if (seen >= count && place != last) return place;
    last = place;
    ++seen;
    std::string_view record = it->value();
    Header header = Record::TakeHeader(&record);
    if (!Passed(header.deadline_ms, view.now_ms())) visit(UserKeyOf(it->key()), header);
  }
  return 0;
}

namespace {

std::unique_ptr<engine::Iterator> SlotIterator(const View& view, int db, int slot) {
  CHECK(slot >= 0 && slot < kSlots);
  constexpr int kShift = 64 - kSlotBits;
  const uint8_t prefix = PrefixOf(view, db);
  const std::string lower = HashBound(prefix, static_cast<uint64_t>(slot) << kShift);
  auto it = view.NewIterator(Family::kMeta, lower,
                             slot + 1 == kSlots
                                 ? PrefixRangeEnd(prefix)
                                 : HashBound(prefix, static_cast<uint64_t>(slot + 1) << kShift));
  it->Seek(lower);
  return it;
}

// A key whose hash begins with some random bits: those that do are few, and drawing again in
// proportion to their number makes each key as likely as any other. None where hash tags have
// gathered the keys in few slots, or nearly all have expired.
std::optional<std::string> DrawKey(const View& view, uint8_t prefix, uint64_t keys,
                                   Random* random) {
  constexpr uint64_t kMeanBucket = 8;
  constexpr uint64_t kMaxBucket = 40;
  constexpr int kTries = 200;
  const int bits = std::bit_width(keys / kMeanBucket);
  const uint64_t width = uint64_t{1} << (64 - bits);
  auto it = view.NewIterator(Family::kMeta, PrefixBytes(prefix), PrefixRangeEnd(prefix));
  for (int i = 0; i < kTries; ++i) {
    const uint64_t first = (random->Next() >> (64 - bits)) * width;
    const std::string begin = HashBound(prefix, first);
    uint64_t size = 0;
    for (it->Seek(begin); it->Valid() && HashOf(it->key()) - first < width; it->Next()) {
      if (++size > kMaxBucket) return std::nullopt;
    }
    uint64_t place = random->Uniform(kMaxBucket);
    if (place >= size) continue;
    for (it->Seek(begin); place > 0; --place) it->Next();
    std::string_view record = it->value();
    if (Passed(Record::TakeHeader(&record).deadline_ms, view.now_ms())) continue;
    return std::string(UserKeyOf(it->key()));
  }
  return std::nullopt;
}

}  // namespace

uint64_t CountKeysInSlot(const View& view, int db, int slot) {
  uint64_t count = 0;
  for (auto it = SlotIterator(view, db, slot); it->Valid(); it->Next()) ++count;
  return count;
}

std::vector<std::string> KeysInSlot(const View& view, int db, int slot, uint64_t limit) {
  std::vector<std::string> keys;
  for (auto it = SlotIterator(view, db, slot); it->Valid() && keys.size() < limit; it->Next()) {
    keys.emplace_back(UserKeyOf(it->key()));
  }
  return keys;
}

std::optional<std::string> RandomKey(const View& view, int db, Random random) {
  constexpr uint64_t kFewKeys = 64;
  constexpr int kTries = 32;
  constexpr uint64_t kMaxSteps = 8;
  const uint8_t prefix = PrefixOf(view, db);
  const uint64_t keys = static_cast<uint64_t>(view.Counts(prefix).keys);
  if (keys > kFewKeys) {
    std::optional<std::string> drawn = DrawKey(view, prefix, keys, &random);
    if (drawn) return drawn;
    auto it = view.NewIterator(Family::kMeta, PrefixBytes(prefix), PrefixRangeEnd(prefix));
    for (int i = 0; i < kTries; ++i) {
      uint64_t hash = random.Next();
      it->Seek(HashBound(prefix, hash));
      if (!it->Valid()) it->Seek(PrefixBytes(prefix));
      if (!it->Valid()) break;
      constexpr uint64_t kSlotMask = ~uint64_t{0} << (64 - kSlotBits);
      uint64_t slot = HashOf(it->key()) & kSlotMask;
      if (slot != (hash & kSlotMask)) {
        // The draw fell into an empty slot. Keys that share a hash tag leave nearly all slots
        // empty; the first key of theirs would come up nearly always, so draw again within.
        it->Seek(HashBound(prefix, slot | (random.Next() >> kSlotBits)));
        if (!it->Valid() || (HashOf(it->key()) & kSlotMask) != slot) {
          it->Seek(HashBound(prefix, slot));
        }
      }
      // A key's chance is the gap before it; a few steps even the gaps out.
      for (uint64_t steps = random.Uniform(kMaxSteps); steps > 0; --steps) {
        it->Next();
        if (!it->Valid()) it->Seek(PrefixBytes(prefix));
      }
      std::string_view record = it->value();
      if (!Passed(Record::TakeHeader(&record).deadline_ms, view.now_ms())) {
        return std::string(UserKeyOf(it->key()));
      }
    }
  }
  // Few keys, or nearly all have expired: reservoir sampling over all of them.
  std::optional<std::string> chosen;
  uint64_t seen = 0;
  Scan(view, db, 0, UINT64_MAX, [&](std::string_view key, const Header&) {
    if (random.OneIn(++seen)) chosen = std::string(key);
  });
  return chosen;
}

void SwapDatabases(Txn& txn, int a, int b) {
  CHECK(a >= 0 && a < engine::kDatabases);
  CHECK(b >= 0 && b < engine::kDatabases);
  engine::DatabaseMap map = txn.databases();
  std::swap(map.prefix[a], map.prefix[b]);
  txn.SetDatabases(map);
  for (int db : {a, b}) txn.events().TouchDatabase(db);
}

namespace {

// The lowest prefix that neither a database nor the queue holds.
std::optional<uint8_t> UnusedPrefix(const View& view) {
  std::array<bool, 255> used{};
  for (uint8_t prefix : view.databases().prefix) used[prefix] = true;
  for (const DeadPrefix& dead : DeadPrefixes(view)) used[dead.prefix] = true;
  auto it = std::find(used.begin(), used.end(), false);
  if (it == used.end()) return std::nullopt;
  return static_cast<uint8_t>(it - used.begin());
}

void DeleteOneByOne(Txn& txn, int db) {
  engine::Events::Mute mute(&txn.events());
  std::vector<std::string> keys;
  const uint8_t prefix = PrefixOf(txn, db);
  {
    auto it = txn.NewIterator(Family::kMeta, PrefixBytes(prefix), PrefixRangeEnd(prefix));
    for (it->Seek(PrefixBytes(prefix)); it->Valid(); it->Next()) {
      keys.emplace_back(UserKeyOf(it->key()));
    }
  }
  for (const std::string& key : keys) WritableKey(txn, db, key).Delete();
}

}  // namespace

void FlushDatabase(Txn& txn, int db) {
  txn.events().TouchDatabase(db);
  const uint8_t old_prefix = PrefixOf(txn, db);
  const int64_t keys = txn.Counts(old_prefix).keys;
  const int64_t spread = txn.Counts(old_prefix).spread;
  if (keys == 0) return;
  std::optional<uint8_t> new_prefix;
  if (keys > kFlushOneByOneKeys) new_prefix = UnusedPrefix(txn);
  if (!new_prefix) {
    DeleteOneByOne(txn, db);
    return;
  }
  engine::DatabaseMap map = txn.databases();
  map.prefix[db] = *new_prefix;
  txn.SetDatabases(map);
  txn.SetCounts(old_prefix, KeyCounts{});
  txn.SetCounts(*new_prefix, KeyCounts{});
  DeadPrefix dead = {old_prefix, kStageDead, txn.NewVersion(), {}};
  if (spread > 0) {
    dead.stage = kStageHasCollections;
    dead.next_meta_key = PrefixBytes(old_prefix);
  }
  txn.Put(Family::kSystem, engine::DeadDatabaseKey(old_prefix), dead.Encode());
}

bool NeedsReclaim(const View& view) {
  return !DeadPrefixes(view).empty() || !DeadCollections(view, 1).empty();
}

namespace {

// Queues some of the spread collections below a dead prefix; true when none is left.
bool BuryCollections(Txn& txn, DeadPrefix* dead) {
  std::vector<std::pair<uint64_t, Type>> found;
  auto it = txn.NewIterator(Family::kMeta, PrefixBytes(dead->prefix), PrefixRangeEnd(dead->prefix));
  size_t seen = 0;
  for (it->Seek(dead->next_meta_key); it->Valid() && seen < kReclaimRecords; it->Next(), ++seen) {
    std::string_view payload = it->value();
    const Header header = Record::TakeHeader(&payload);
    const uint64_t id = Record::CollectionId(header.type, payload);
    if (id != 0) found.emplace_back(id, header.type);
  }
  const bool done = !it->Valid();
  if (!done) dead->next_meta_key = it->key();
  for (const auto& [id, type] : found) Bury(txn, id, type);
  return done;
}

void RemoveElements(Txn& txn, Family family, uint64_t id) {
  const std::string begin = ElementPrefix(family, id);
  const std::string end = engine::PrefixEnd(begin);
  std::vector<std::string> rows;
  {
    auto it = txn.NewIterator(family, begin, end);
    for (it->Seek(begin); it->Valid() && rows.size() <= kReclaimRows; it->Next()) {
      rows.emplace_back(it->key());
    }
  }
  if (rows.size() > kReclaimRows) {
    txn.DeleteDeadRange(family, begin, end);
  } else {
    for (const std::string& row : rows) txn.Delete(family, row);
  }
}

}  // namespace

void Reclaim(Txn& txn) {
  for (uint64_t id : DeadCollections(txn, kReclaimCollections)) {
    for (Family family : {Family::kData, Family::kIndex}) RemoveElements(txn, family, id);
    txn.Delete(Family::kSystem, engine::DeadCollectionKey(id));
  }
  const uint64_t now = txn.NewVersion();
  for (DeadPrefix& dead : DeadPrefixes(txn)) {
    if (dead.version >> kVersionCounterBits == now >> kVersionCounterBits) continue;
    CHECK(!IsLive(txn, dead.prefix));
    const std::string system_key = engine::DeadDatabaseKey(dead.prefix);
    if (dead.stage == kStageRemoved) {
      txn.Delete(Family::kSystem, system_key);
      continue;
    }
    dead.version = now;
    if (dead.stage == kStageHasCollections && !BuryCollections(txn, &dead)) {
      txn.Put(Family::kSystem, system_key, dead.Encode());
      continue;
    }
    txn.DeleteDeadRange(Family::kMeta, PrefixBytes(dead.prefix), PrefixRangeEnd(dead.prefix));
    for (char tag : {kExpiryTag, kFieldExpiryTag}) {
      txn.DeleteDeadRange(Family::kIndex, ExpiryPrefix(tag, dead.prefix),
                          ExpiryPrefix(tag, static_cast<uint8_t>(dead.prefix + 1)));
    }
    dead.stage = kStageRemoved;
    dead.next_meta_key.clear();
    txn.Put(Family::kSystem, system_key, dead.Encode());
  }
}

namespace {

std::vector<ExpiredKey> CollectDue(char tag, const View& view, int64_t now_ms, size_t limit,
                                   int64_t* floor_ms) {
  std::vector<ExpiredKey> due;
  uint64_t first_ms = INT64_MAX;
  for (int db = 0; db < engine::kDatabases; ++db) {
    const uint8_t prefix = PrefixOf(view, db);
    const KeyCounts counts = view.Counts(prefix);
    if ((tag == kExpiryTag ? counts.expiring : counts.keys) == 0) continue;
    const std::string begin = ExpiryPrefix(tag, prefix);
    auto it = view.NewIterator(Family::kIndex, begin, engine::PrefixEnd(begin));
    std::string from = begin;
    PutBig64(&from, floor_ms != nullptr ? static_cast<uint64_t>(*floor_ms) : 0);
    size_t taken = 0;
    for (it->Seek(from); it->Valid() && taken < limit; it->Next(), ++taken) {
      std::string_view rest = it->key().substr(begin.size());
      uint64_t deadline_ms = 0;
      CHECK(TakeBig64(&rest, &deadline_ms));
      first_ms = std::min(first_ms, deadline_ms);
      if (deadline_ms > static_cast<uint64_t>(std::max<int64_t>(now_ms, 0))) break;
      due.push_back({PrefixBytes(prefix).append(rest), static_cast<int64_t>(deadline_ms)});
    }
  }
  std::stable_sort(due.begin(), due.end(), [](const ExpiredKey& a, const ExpiredKey& b) {
    return a.deadline_ms < b.deadline_ms;
  });
  if (due.size() > limit) due.resize(limit);
  if (floor_ms != nullptr && limit > 0) *floor_ms = static_cast<int64_t>(first_ms);
  return due;
}

}  // namespace

std::vector<ExpiredKey> CollectExpired(const View& view, int64_t now_ms, size_t limit,
                                       int64_t* floor_ms) {
  return CollectDue(kExpiryTag, view, now_ms, limit, floor_ms);
}

std::vector<ExpiredKey> CollectExpiredFields(const View& view, int64_t now_ms, size_t limit,
                                             int64_t* floor_ms) {
  return CollectDue(kFieldExpiryTag, view, now_ms, limit, floor_ms);
}

std::optional<KeyPlace> FindPlace(const View& view, std::string_view meta_key) {
  if (meta_key.size() < kMetaKeyHead) return std::nullopt;
  const auto& live = view.databases().prefix;
  const auto it = std::find(live.begin(), live.end(), static_cast<uint8_t>(meta_key[0]));
  const std::string_view key = UserKeyOf(meta_key);
  if (it == live.end() || HashOf(meta_key) != KeyHash(key)) return std::nullopt;
  return KeyPlace{static_cast<int>(it - live.begin()), key};
}

bool DeleteIfExpired(Txn& txn, std::string_view meta_key, int64_t deadline_ms) {
  CHECK_GE(meta_key.size(), kMetaKeyHead);
  // A flushed database's key is dead already, and its range must not be touched any more.
  const std::optional<KeyPlace> place = FindPlace(txn, meta_key);
  if (!place || deadline_ms > txn.now_ms()) return false;
  WritableKey key(txn, std::string(meta_key), place->db);
  if (key.found() == nullptr || key.found()->header().deadline_ms != deadline_ms) return false;
  key.Expire();
  return true;
}

}  // namespace metastore::types
