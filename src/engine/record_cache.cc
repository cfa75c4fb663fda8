#include "engine/record_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace metastore::engine {
namespace {

constexpr size_t kMaxShards = 256;
constexpr size_t kMinShardBytes = 64 << 10;
// One slot for so many bytes of ring: an entry with key and header has seldom less.
constexpr size_t kBytesPerSlot = 64;
constexpr size_t kMaxEntryBytes = 4 << 10;
// Entries that are moved instead of dropped to make room for one.
constexpr int kSecondChances = 8;

uint64_t HashOf(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

}  // namespace

RecordCache::RecordCache(size_t bytes)
    : shards_(std::clamp<size_t>(bytes / kMinShardBytes, 1, kMaxShards)) {
  size_t stamp_bytes = kStamps * sizeof(uint64_t);
  size_t shard_bytes = bytes / shards_.size();
  shard_bytes -= std::min(shard_bytes, stamp_bytes);
  slots_ = shard_bytes / (kBytesPerSlot + sizeof(uint64_t));
  ring_bytes_ = slots_ * kBytesPerSlot;
  CHECK_LT(ring_bytes_ / kUnit, size_t{UINT32_MAX});
  max_entry_bytes_ = std::min(kMaxEntryBytes, ring_bytes_ / 8);
  if (slots_ == 0) return;
  for (Shard& shard : shards_) {
    shard.ring.reset(static_cast<char*>(std::malloc(ring_bytes_)));
    shard.index.reset(static_cast<uint64_t*>(std::calloc(slots_, sizeof(uint64_t))));
    shard.stamps.reset(static_cast<uint64_t*>(std::calloc(kStamps, sizeof(uint64_t))));
    CHECK_MSG(shard.ring && shard.index && shard.stamps, "no memory for the record cache");
  }
}

bool RecordCache::Get(std::string_view key, uint64_t at, std::string* value) {
  if (slots_ == 0) return false;
  const uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  MutexLock lock(shard.mutex);
  uint64_t slot = shard.index[FindSlot(shard, hash, key)];
  Entry* entry = slot == 0 ? nullptr : EntryOf(shard, slot);
  if (entry == nullptr || entry->since > at) {
    ++shard.misses;
    return false;
  }
  ++shard.hits;
  entry->state = State::kUsed;
  value->assign(entry->value(), entry->value_size);
  return true;
}

void RecordCache::Fill(std::string_view key, std::string_view value, uint64_t at) {
  if (slots_ == 0 || !Fits(key, value)) return;
  const uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  MutexLock lock(shard.mutex);
  if (shard.floor > at || StampOf(shard, hash) > at) return;
  // Another View was faster: what it left is the same value, good for more Views.
  if (shard.index[FindSlot(shard, hash, key)] != 0) return;
  Store(shard, hash, key, value, at);
}

void RecordCache::Put(std::string_view key, std::string_view value, uint64_t number) {
  if (slots_ == 0) return;
  if (!Fits(key, value)) return Erase(key, number);
  const uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  MutexLock lock(shard.mutex);
  StampOf(shard, hash) = number;
  size_t found = FindSlot(shard, hash, key);
  if (shard.index[found] != 0) {
    Entry* entry = EntryOf(shard, shard.index[found]);
    if (BytesOf(*entry) == BytesOf(key.size(), value.size())) {
      entry->since = number;
      entry->value_size = static_cast<uint16_t>(value.size());
      std::memcpy(entry->value(), value.data(), value.size());
      return;
    }
    entry->state = State::kDead;
    RemoveSlot(shard, found);
  }
  Store(shard, hash, key, value, number);
}

void RecordCache::Erase(std::string_view key, uint64_t number) {
  if (slots_ == 0) return;
  const uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  MutexLock lock(shard.mutex);
  StampOf(shard, hash) = number;
  size_t found = FindSlot(shard, hash, key);
  if (shard.index[found] == 0) return;
  EntryOf(shard, shard.index[found])->state = State::kDead;
  RemoveSlot(shard, found);
}

void RecordCache::Clear(uint64_t number) {
  if (slots_ == 0) return;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.floor = number;
    shard.tail = shard.head;
    shard.entries = 0;
    std::memset(shard.index.get(), 0, slots_ * sizeof(uint64_t));
  }
}

size_t RecordCache::bytes() const {
  if (slots_ == 0) return 0;
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    sum += std::min<size_t>(shard.head, ring_bytes_) + (slots_ + kStamps) * sizeof(uint64_t);
  }
  return sum;
}

uint64_t RecordCache::Sum(uint64_t Shard::*counter) const {
  uint64_t sum = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    sum += shard.*counter;
  }
  return sum;
}

// Linear probing. Room keeps the index at most 7/8 full, so a free slot ends every search.
size_t RecordCache::FindSlot(Shard& shard, uint64_t hash, std::string_view key) const {
  for (size_t i = Home(hash);; i = i + 1 == slots_ ? 0 : i + 1) {
    uint64_t slot = shard.index[i];
    if (slot == 0) return i;
    if ((slot ^ hash) >> 32 == 0 && EntryOf(shard, slot)->key_view() == key) return i;
  }
}

// Moves later ones of the run up, so that no search ends too early (Knuth, vol. 3, 6.4, R).
void RecordCache::RemoveSlot(Shard& shard, size_t slot) const {
  CHECK_NE(shard.index[slot], 0u);
  --shard.entries;
  size_t hole = slot;
  for (size_t i = slot;;) {
    i = i + 1 == slots_ ? 0 : i + 1;
    uint64_t moved = shard.index[i];
    if (moved == 0) break;
    // It may move to the hole unless its home lies behind the hole, seen from where it is.
    size_t from_home = i >= Home(moved) ? i - Home(moved) : i + slots_ - Home(moved);
    size_t from_hole = i >= hole ? i - hole : i + slots_ - hole;
    if (from_home < from_hole) continue;
    shard.index[hole] = moved;
    hole = i;
  }
  shard.index[hole] = 0;
}

size_t RecordCache::Gap(const Shard& shard, size_t bytes) const {
  size_t left = ring_bytes_ - shard.head % ring_bytes_;
  return left < bytes ? left : 0;
}

bool RecordCache::HasRoom(const Shard& shard, size_t bytes) const {
  return shard.head + Gap(shard, bytes) + bytes - shard.tail <= ring_bytes_ &&
         shard.entries < slots_ * 7 / 8;
}

RecordCache::Entry* RecordCache::TakeRoom(Shard& shard, size_t bytes) const {
  if (size_t gap = Gap(shard, bytes); gap > 0) {
    if (gap >= sizeof(Entry)) {
      Entry* filler = At(shard, shard.head);
      filler->state = State::kDead;
      filler->key_size = 0;
      filler->value_size = static_cast<uint16_t>(gap - sizeof(Entry));
    }
    shard.head += gap;
  }
  Entry* entry = At(shard, shard.head);
  shard.head += bytes;
  return entry;
}

void RecordCache::EvictOldest(Shard& shard, bool may_stay) const {
  CHECK_LT(shard.tail, shard.head);
  size_t left = ring_bytes_ - shard.tail % ring_bytes_;
  if (left < sizeof(Entry)) {
    shard.tail += left;
    return;
  }
  Entry* entry = At(shard, shard.tail);
  const size_t bytes = BytesOf(*entry);
  shard.tail += bytes;
  if (entry->state == State::kDead) return;
  const uint64_t hash = HashOf(entry->key_view());
  const size_t slot = FindSlot(shard, hash, entry->key_view());
  if (entry->state == State::kUsed && may_stay && HasRoom(shard, bytes)) {
    entry->state = State::kLive;
    shard.moved.assign(reinterpret_cast<const char*>(entry), bytes);
    Entry* place = TakeRoom(shard, bytes);
    std::memcpy(static_cast<void*>(place), shard.moved.data(), bytes);
    size_t unit = (reinterpret_cast<char*>(place) - shard.ring.get()) / kUnit;
    shard.index[slot] = hash >> 32 << 32 | (unit + 1);
    return;
  }
  RemoveSlot(shard, slot);
}

void RecordCache::Store(Shard& shard, uint64_t hash, std::string_view key, std::string_view value,
                        uint64_t since) const {
  const size_t bytes = BytesOf(key.size(), value.size());
  for (int evicted = 0; !HasRoom(shard, bytes); ++evicted) {
    EvictOldest(shard, /*may_stay=*/evicted < kSecondChances);
  }
  Entry* entry = TakeRoom(shard, bytes);
  entry->since = since;
  entry->key_size = static_cast<uint16_t>(key.size());
  entry->value_size = static_cast<uint16_t>(value.size());
  entry->state = State::kLive;
  std::memcpy(entry->key(), key.data(), key.size());
  std::memcpy(entry->value(), value.data(), value.size());
  size_t unit = (reinterpret_cast<char*>(entry) - shard.ring.get()) / kUnit;
  shard.index[FindSlot(shard, hash, key)] = hash >> 32 << 32 | (unit + 1);
  ++shard.entries;
}

}  // namespace metastore::engine
