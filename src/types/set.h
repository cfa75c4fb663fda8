// Sets: members over Elements, without values. A packed set keeps its members in the order of their
// numbers while all of them are integers, as Redis's intsets show them.
//
//   traits      := bit 1: a member was no integer
//   spread rest := erased:varint      rows that were erased since those that are there were written
//
// The rows of a spread set are written anew, or packed, when few are left of many: what was erased
// stands in the way of whoever walks over the rest, and of every draw, until it is compacted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "types/elements.h"
#include "types/encoding.h"

namespace metastore::types {

// False stops the walk. The bytes live as long as the call.
using VisitMember = std::function<bool(std::string_view member)>;

// The reading side.
class Set {
 public:
  // kNotFound, kWrongType.
  static Result<Set> Find(const engine::View& view, int db, std::string_view key);

  uint64_t size() const { return header_.count; }
  const CollectionHeader& header() const { return header_; }
  bool Contains(std::string_view member) const { return elements().Contains(member); }
  void ForEach(const VisitMember& visit) const;
  // SCAN's contract (keyspace.h, Scan).
  uint64_t Scan(uint64_t cursor, uint64_t limit, const VisitMember& visit) const;

  // While all members are integers and few: those in the order of their numbers.
  bool PackedIntegers() const;
  // To merge it with others. The set must outlive the cursor.
  ElementCursor Cursor(ElementCursor::PlaceOf place_of = nullptr) const {
    return ElementCursor(elements(), place_of);
  }

  // SRANDMEMBER's draws: `count` different ones or all, or `count` draws of which each may be any.
  void PickDistinct(uint64_t count, Random& random, const VisitMember& visit) const;
  void PickAny(uint64_t count, Random& random, const VisitMember& visit) const;

 private:
  Set(const engine::View& view, Record record);
  Elements elements() const { return Elements(*view_, header_, rest()); }
  std::string_view rest() const;

  const engine::View* view_;
  Record record_;
  CollectionHeader header_;
  size_t rest_bytes_;
};

// Walks of several sets at once, at least one, in the order of the command; none of them is held in
// memory. The members come in the order of their numbers where all of the sets are packed integers,
// else in that of their hashes.
void Intersect(std::span<const Set> sets, const VisitMember& visit);
void Unite(std::span<const Set> sets, const VisitMember& visit);
// The members of the first that are in none of the others.
void Subtract(std::span<const Set> sets, const VisitMember& visit);

// "intset" or "hashtable", as Redis would hold it under these limits.
std::string_view SetEncoding(const CollectionHeader& header, const EncodingLimits& limits);

// The writing side. Members that are added must live until Save.
class WritableSet {
 public:
  // kWrongType. An absent key is an empty set.
  static Result<WritableSet> Open(engine::Txn& txn, int db, std::string_view key);
  // Instead of whatever the key holds, an expiry included.
  static WritableSet Replace(engine::Txn& txn, int db, std::string_view key);

  uint64_t size() const { return elements_.count(); }
  bool Contains(std::string_view member) const { return elements_.Contains(member); }
  // True when the member is new.
  bool Add(std::string_view member);
  bool Remove(std::string_view member);
  // The same for a member that the caller knows to be new.
  void AddNew(std::string_view member);
  // As if all members of `other` had been in this set for a moment: the encoding remembers it.
  void SawAll(const Set& other);
  void Save();

 private:
  explicit WritableSet(WritableElements elements);
  void Saw(std::string_view member);
  void Renew();

  WritableElements elements_;
  uint64_t erased_ = 0;
  std::vector<std::string> renewed_;  // bytes of members until Save
};

// Takes `count` members out, every subset as likely as any other; all of them when there are not
// more, and the key goes. kNotFound, kWrongType.
Result<std::vector<std::string>> PopMembers(engine::Txn& txn, int db, std::string_view key,
                                            uint64_t count);

// For the offline check.
Status CheckSet(const engine::View& view, const CollectionHeader& collection,
                std::string_view rest);

}  // namespace metastore::types
