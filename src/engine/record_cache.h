// RecordCache: recently used records of Family::kMeta in memory, above RocksDB, so that a hot read
// costs a hash look-up instead of a search through memtables and table files. It is exact: a hit is
// what RocksDB would have answered for the same View.
//
// How: commits are numbered. An entry carries the number `since` from which on its value has been
// the current one. A View that was taken at commit `at` uses entries with since <= at, because
// nothing has changed them after; it goes to RocksDB for the others. The apply role renews or
// drops the entry of every key of a commit before that commit becomes visible. What a View has
// read from RocksDB it may leave here (Fill) only if no later commit wrote that key: a table of
// stamps, one for many keys, says so.
//
// Memory is allocated once and touched as it fills. Each shard is a ring of entries with an open-
// addressing index over it; the oldest entry makes room, and stays if it was used meanwhile (FIFO
// with second chance, as CLOCK).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace metastore::engine {

class RecordCache {
 public:
  // Uses up to `bytes` of memory; 0 keeps nothing.
  explicit RecordCache(size_t bytes);
  RecordCache(const RecordCache&) = delete;
  RecordCache& operator=(const RecordCache&) = delete;

  static constexpr uint64_t kNow = UINT64_MAX;

  // Any thread, with the number of the View's commit; the apply role also with kNow. True: *value
  // is what the key holds. False says nothing.
  bool Get(std::string_view key, uint64_t at, std::string* value);
  // Any thread: what a View of commit `at` found in RocksDB.
  void Fill(std::string_view key, std::string_view value, uint64_t at);

  // Apply role, before commit `number` becomes visible: what it writes, deletes, or that it removes
  // more than single keys.
  void Put(std::string_view key, std::string_view value, uint64_t number);
  void Erase(std::string_view key, uint64_t number);
  void Clear(uint64_t number);

  // Memory in use: touched rings and indexes.
  size_t bytes() const;
  uint64_t hits() const { return Sum(&Shard::hits); }
  uint64_t misses() const { return Sum(&Shard::misses); }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  template <typename T>
  using Memory = std::unique_ptr<T[], Free>;

  enum class State : uint8_t { kDead, kLive, kUsed };
  // An entry in a ring: this, the key and the value, up to a multiple of kUnit. What is left at the
  // end of the ring is a dead one, or nothing if it is too short for that.
  struct Entry {
    uint64_t since;
    uint16_t key_size;
    uint16_t value_size;
    State state;
    char* key() { return reinterpret_cast<char*>(this + 1); }
    char* value() { return key() + key_size; }
    std::string_view key_view() { return {key(), key_size}; }
  };
  static constexpr size_t kUnit = 8;

  struct alignas(64) Shard {
    mutable Mutex mutex;
    Memory<char> ring GUARDED_BY(mutex);
    // Slots: the upper half is the upper half of the key's hash, the lower one the entry's place in
    // the ring in units, plus one. 0: free.
    Memory<uint64_t> index GUARDED_BY(mutex);
    Memory<uint64_t> stamps GUARDED_BY(mutex);  // the last commit that wrote a key of this stamp
    uint64_t floor GUARDED_BY(mutex) = 0;       // the last Clear
    // Both only grow; the place in the ring is the rest of the division by its size.
    uint64_t head GUARDED_BY(mutex) = 0;  // where the next entry goes
    uint64_t tail GUARDED_BY(mutex) = 0;  // the oldest entry
    size_t entries GUARDED_BY(mutex) = 0;
    uint64_t hits GUARDED_BY(mutex) = 0;
    uint64_t misses GUARDED_BY(mutex) = 0;
    std::string moved GUARDED_BY(mutex);  // an entry on its way from the tail to the head
  };

  static size_t BytesOf(size_t key_size, size_t value_size) {
    return (sizeof(Entry) + key_size + value_size + kUnit - 1) / kUnit * kUnit;
  }
  static size_t BytesOf(const Entry& entry) { return BytesOf(entry.key_size, entry.value_size); }
  bool Fits(std::string_view key, std::string_view value) const {
    return BytesOf(key.size(), value.size()) <= max_entry_bytes_;
  }

  Shard& ShardOf(uint64_t hash) { return shards_[(hash & 0xffff) % shards_.size()]; }
  static uint64_t& StampOf(Shard& shard, uint64_t hash) REQUIRES(shard.mutex) {
    return shard.stamps[(hash >> 16) % kStamps];
  }

  size_t Home(uint64_t hash) const { return static_cast<size_t>((hash >> 32) * slots_ >> 32); }
  Entry* At(Shard& shard, uint64_t position) const REQUIRES(shard.mutex) {
    return reinterpret_cast<Entry*>(shard.ring.get() + position % ring_bytes_);
  }
  Entry* EntryOf(Shard& shard, uint64_t slot) const REQUIRES(shard.mutex) {
    return reinterpret_cast<Entry*>(shard.ring.get() + ((slot & UINT32_MAX) - 1) * kUnit);
  }
  // The number of the key's slot, or of the free one where it would go.
  size_t FindSlot(Shard& shard, uint64_t hash, std::string_view key) const REQUIRES(shard.mutex);
  void RemoveSlot(Shard& shard, size_t slot) const REQUIRES(shard.mutex);
  // What stays unused at the end of the ring when an entry of this size is put at the head.
  size_t Gap(const Shard& shard, size_t bytes) const REQUIRES(shard.mutex);
  bool HasRoom(const Shard& shard, size_t bytes) const REQUIRES(shard.mutex);
  // Where an entry of this size goes; there must be room.
  Entry* TakeRoom(Shard& shard, size_t bytes) const REQUIRES(shard.mutex);
  void EvictOldest(Shard& shard, bool may_stay) const REQUIRES(shard.mutex);
  void Store(Shard& shard, uint64_t hash, std::string_view key, std::string_view value,
             uint64_t since) const REQUIRES(shard.mutex);
  uint64_t Sum(uint64_t Shard::*counter) const;

  static constexpr size_t kStamps = 256;

  size_t ring_bytes_ = 0;  // of one shard
  size_t slots_ = 0;       // of one shard
  size_t max_entry_bytes_ = 0;
  std::vector<Shard> shards_;
};

}  // namespace metastore::engine
