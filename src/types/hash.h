// Hashes: fields with values over Elements. A field may have a deadline of its own, which stands
// before its value; 0 is none.
//
//   element := field -> deadline_ms:varint value
//   due     := Family::kIndex  'i' id:be64 deadline_ms:be64 field      value empty
//
// A spread hash has a due row for each field with a deadline, a packed one is read whole anyway.
// The record's field deadline is the earliest of them, so the expirer finds the hashes that have
// something due as it finds keys. Reads hide what has expired; only writes remove it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
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
  // If not, all that are counted are shown.
  bool HasExpiredFields() const;
  const CollectionHeader& header() const { return header_; }
  bool Get(std::string_view field, std::string* value) const;
  // False when there is no such field; none: it stays.
  bool GetDeadline(std::string_view field, std::optional<int64_t>* deadline_ms) const;
  // False stops the walk.
  void ForEach(const VisitElement& visit) const;
  uint64_t Scan(uint64_t cursor, uint64_t limit, const VisitElement& visit) const;

  // HRANDFIELD's draws among the fields that are shown: `count` different ones or all of them,
  // every subset as likely as any other.
  void PickDistinct(uint64_t count, Random random, const VisitElement& visit) const;
  // `count` draws of which each may be any; none where every field has expired. Values are empty
  // unless wanted: of many draws the fields are held in memory.
  void PickAny(uint64_t count, bool with_values, Random random, const VisitElement& visit) const;

 private:
  Hash(const engine::View& view, Record record);
  Elements elements() const { return Elements(*view_, header_, rest()); }
  std::string_view rest() const;
  // Whether so few are wanted that drawing them costs less than a walk over all.
  bool IsSmallShare(uint64_t count) const;

  const engine::View* view_;
  Record record_;
  CollectionHeader header_;
  size_t rest_bytes_;
};

// "listpack", "listpackex" or "hashtable", as Redis would hold it under these thresholds.
std::string_view HashEncoding(const CollectionHeader& header, const EncodingLimits& limits);

enum class FieldExpiryCondition : uint8_t {
  kAlways,
  kIfNone,     // NX
  kIfAny,      // XX
  kIfLater,    // GT; none is later than any
  kIfEarlier,  // LT
};
// The numbers are HEXPIRE's replies.
enum class FieldExpiry : int8_t { kNoField = -2, kConditionNotMet = 0, kSet = 1, kDeleted = 2 };

// The writing side. Fields must live until Save.
class WritableHash {
 public:
  // kWrongType. An absent key is an empty hash.
  static Result<WritableHash> Open(engine::Txn& txn, int db, std::string_view key);

  uint64_t size() const { return elements_.count(); }
  // The earliest of the fields, as it was found.
  std::optional<int64_t> field_deadline_ms() const {
    return elements_.collection().field_deadline_ms();
  }
  bool Get(std::string_view field, std::string* value) const;
  bool GetDeadline(std::string_view field, std::optional<int64_t>* deadline_ms) const;

  // True when the field is new. A deadline of the field goes.
  bool Set(std::string_view field, std::string_view value);
  // The same, but the deadline stays.
  bool SetValue(std::string_view field, std::string_view value);
  // A field that has expired is erased, too, but was not there.
  bool Erase(std::string_view field);
  // A deadline that has passed deletes the field.
  FieldExpiry Expire(std::string_view field, int64_t deadline_ms, FieldExpiryCondition condition);
  // Of a field that is there.
  void Persist(std::string_view field);
  // Erases at most `limit` fields that have expired and returns how many there were.
  size_t EraseExpired(size_t limit);

  // Once, at the end. An empty hash's key is deleted.
  void Save();

 private:
  struct Field {
    bool exists = false;  // expired or not
    bool live = false;
    std::optional<int64_t> deadline_ms;
    std::string value;
  };

  explicit WritableHash(WritableElements elements);
  engine::Txn& txn() const { return elements_.collection().txn(); }
  CollectionHeader& header() { return elements_.collection().header(); }
  const CollectionHeader& header() const { return elements_.collection().header(); }

  Field Find(std::string_view field) const;
  // True when the name is new to the elements. `old_deadline_ms` is the one that it replaces.
  bool Put(std::string_view field, std::string_view value, std::optional<int64_t> deadline_ms,
           std::optional<int64_t> old_deadline_ms);
  void Remove(std::string_view field, std::optional<int64_t> old_deadline_ms);
  void PutDueRows();
  std::optional<int64_t> EarliestDeadline() const;

  WritableElements elements_;
  std::deque<std::string> stored_;  // the bytes of elements until Save
  // Whether a field may have a deadline at all; most hashes are spared the look-ups for that.
  bool has_deadlines_;
  bool due_rows_changed_ = false;
  int64_t first_deadline_ms_;  // no field has an earlier one
};

// The new value; an absent field counts as 0, and a deadline stays. kWrongType, kNotInteger (the
// stored value), kOverflow.
Result<int64_t> IncrementField(engine::Txn& txn, int db, std::string_view key,
                               std::string_view field, int64_t delta);
// The new value as it is stored. kWrongType, kNotFloat (the stored value), kNanOrInfinity.
Result<std::string> IncrementFieldByFloat(engine::Txn& txn, int db, std::string_view key,
                                          std::string_view field, long double delta);

// Erases fields that have expired, at most `limit` of them, if that is still the hash's field
// deadline and it has passed for this entry. How many there were; the key goes with the last one.
size_t DeleteExpiredFields(engine::Txn& txn, std::string_view meta_key, int64_t field_deadline_ms,
                           size_t limit);

// For the offline check: whether a hash's fields and deadlines are whole and fit to its record, of
// which `collection` and `rest` are the payload. kCorruption says what is wrong.
Status CheckHash(const engine::View& view, const Header& header, const CollectionHeader& collection,
                 std::string_view rest);

}  // namespace metastore::types
