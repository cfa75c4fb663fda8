// What the records of all collections have in common. A collection is packed while it is small:
// its elements stand in the record, one read and one write an operation. It becomes spread when
// it outgrows that, and stays so when it shrinks (but see set.h): its elements are rows of their own
// then, below its id (ElementPrefix), and the record holds what is asked without reading them.
//
//   payload := traits:u8 [id:be64] count:varint peak_count:varint peak_bytes:varint rest
//   traits  := bit 0 spread, others the type's own
//   rest    := packed: the elements; spread: what the type keeps of them
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/txn.h"
#include "types/keyspace.h"

namespace metastore::types {

// Past either a collection becomes spread. Constants of the state machine: every replica must
// take the same form.
inline constexpr uint64_t kMaxPackedElements = 128;
inline constexpr uint64_t kMaxPackedBytes = 2048;

struct CollectionHeader {
  uint8_t traits = 0;  // without kSpread
  uint64_t id = 0;     // 0: packed
  uint64_t count = 0;  // elements
  // The most elements and the longest one since the key came to be: what OBJECT ENCODING, which
  // never goes back to a smaller encoding, is told from.
  uint64_t peak_count = 0;
  uint64_t peak_bytes = 0;

  bool spread() const { return id != 0; }
  void Grew(uint64_t element_bytes) {
    if (count > peak_count) peak_count = count;
    if (element_bytes > peak_bytes) peak_bytes = element_bytes;
  }

  void AppendTo(std::string* payload) const;
  // Cuts the header off the front of *payload; none where the bytes make no sense.
  static std::optional<CollectionHeader> Parse(std::string_view* payload);
  // The same, and CHECKs it.
  static CollectionHeader Take(std::string_view* payload);
};

// The record of a collection of that type. kNotFound, kWrongType.
Result<Record> FindCollection(const engine::View& view, int db, std::string_view key, Type type);

// A collection open for writing: its key, and the header that Save writes back. An absent key is
// an empty collection.
class WritableCollection {
 public:
  // kWrongType when the key holds something else.
  static Result<WritableCollection> Open(engine::Txn& txn, int db, std::string_view key, Type type);

  CollectionHeader& header() { return header_; }
  const CollectionHeader& header() const { return header_; }
  bool existed() const { return key_.found() != nullptr; }
  // What stood behind the header when it was opened. Good until Save or a move of this object.
  std::string_view rest() const;
  engine::Txn& txn() const { return key_.txn(); }
  std::optional<int64_t> deadline_ms() const;
  std::optional<int64_t> field_deadline_ms() const;

  // Gives a packed collection an id; its elements must be written as rows now.
  void Spread() { header_.id = txn().NewVersion(); }

  // Writes the record: an expiry stays as it was. An empty collection's key is deleted, unless
  // the type is one that may be empty (streams). Once, at the end.
  void Save(std::string_view rest, std::optional<int64_t> field_deadline_ms = std::nullopt);

 private:
  WritableCollection(engine::Txn& txn, int db, std::string_view key, Type type)
      : key_(txn, db, key), type_(type) {}
  void Load();

  WritableKey key_;
  Type type_;
  CollectionHeader header_;
  size_t rest_bytes_ = 0;
};

// Distinct places 0..n-1, `count` of them (at most n), uniform, in ascending order.
std::vector<uint64_t> RandomSubset(uint64_t n, uint64_t count, Random& random);

}  // namespace metastore::types
