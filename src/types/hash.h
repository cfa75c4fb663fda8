// Hashes: fields with values over Elements. A field's element holds its deadline before its value;
// 0 is none.
//
//   element := field -> deadline_ms:varint value
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "types/elements.h"
#include "types/encoding.h"

namespace metastore::types {

// The reading side. Fields whose deadline has passed are hidden, but counted until they are
// deleted, as in Redis.
class Hash {
 public:
  // kNotFound, kWrongType.
  static Result<Hash> Find(const engine::View& view, int db, std::string_view key);

  uint64_t size() const { return header_.count; }
  const CollectionHeader& header() const { return header_; }
  bool Get(std::string_view field, std::string* value) const;
  // False stops the walk.
  void ForEach(const VisitElement& visit) const;
  uint64_t Scan(uint64_t cursor, uint64_t limit, const VisitElement& visit) const;
  // HRANDFIELD's draws: `count` different ones or all, or `count` draws of which each may be any.
  void PickDistinct(uint64_t count, Random random, const VisitElement& visit) const;
  void PickAny(uint64_t count, Random random, const VisitElement& visit) const;

 private:
  Hash(const engine::View& view, Record record);
  Elements elements() const { return Elements(*view_, header_, rest()); }
  std::string_view rest() const;

  const engine::View* view_;
  Record record_;
  CollectionHeader header_;
  size_t rest_bytes_;
};

// "listpack" or "hashtable", as Redis would hold it under these thresholds.
std::string_view HashEncoding(const CollectionHeader& header, const EncodingLimits& limits);

// The writing side. Fields must live until Save.
class WritableHash {
 public:
  // kWrongType. An absent key is an empty hash.
  static Result<WritableHash> Open(engine::Txn& txn, int db, std::string_view key);

  uint64_t size() const { return elements_.count(); }
  bool Get(std::string_view field, std::string* value) const;
  // True when the field is new. A deadline of the field goes.
  bool Set(std::string_view field, std::string_view value);
  // A field that has expired is erased, too, but was not there.
  bool Erase(std::string_view field);
  void Save() { elements_.Save(); }

 private:
  explicit WritableHash(WritableElements elements) : elements_(std::move(elements)) {}

  WritableElements elements_;
  std::deque<std::string> stored_;  // the bytes of elements until Save
};

}  // namespace metastore::types
