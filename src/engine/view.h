// What a command reads: the state at one moment and the time of that moment. Two kinds exist:
// a RocksDB snapshot (Engine::NewView, any thread) and a Txn (apply role), which also sees the
// writes it has gathered. Commands and types are written against View and cannot tell.
//
// Reads have no error result: a read error or a failed checksum is a broken node, and the
// engine stops the process (design: fail-stop).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace metastore::engine {

// Column families; all are flushed atomically.
enum class Family : uint8_t {
  kMeta,    // key → type, expiry, modification index, string value or collection header
  kData,    // elements of collections, prefixed by the collection's id
  kIndex,   // expiry times, sorted-set scores
  kSystem,  // applied index, sessions, counters, membership, database map
};
inline constexpr int kFamilyCount = 4;

inline constexpr int kDatabases = 16;

// Which physical key prefix each of the databases 0..15 uses, and how many keys each physical
// prefix holds. SWAPDB exchanges two prefixes and FLUSHDB takes an unused one, so both are O(1).
struct DatabaseMap {
  std::array<uint8_t, kDatabases> prefix{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};
struct KeyCounts {
  int64_t keys = 0;      // expired ones that are not yet deleted included, as in Redis
  int64_t expiring = 0;  // keys that have an expiry
  int64_t spread = 0;    // collections that have elements outside of their record
  friend bool operator==(const KeyCounts&, const KeyCounts&) = default;
};

class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual bool Valid() const = 0;
  // To the first key that is not below `key`.
  virtual void Seek(std::string_view key) = 0;
  // To the last key that is not above `key`.
  virtual void SeekForPrev(std::string_view key) = 0;
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual std::string_view key() const = 0;  // good until the next move
  virtual std::string_view value() const = 0;
};

class View {
 public:
  virtual ~View() = default;

  // False when there is no such key; *value is then unspecified.
  virtual bool Get(Family family, std::string_view key, std::string* value) const = 0;

  // Iterates over [lower, upper) in byte order; an empty upper means no bound. Starts invalid:
  // Seek first. Invalid after a step past either end, too. It must not outlive the View; a Txn must not be written while it is in use.
  virtual std::unique_ptr<Iterator> NewIterator(Family family, std::string_view lower,
                                                std::string_view upper) const = 0;

  virtual const DatabaseMap& databases() const = 0;
  virtual KeyCounts Counts(uint8_t prefix) const = 0;

  // A key is expired when its deadline is <= now_ms.
  int64_t now_ms() const { return now_ms_; }

 protected:
  int64_t now_ms_ = 0;
};

}  // namespace metastore::engine
