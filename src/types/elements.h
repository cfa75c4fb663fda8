// Elements by name: the fields of a hash, the members of a set, the members of a sorted set with
// their scores. No order but that of insertion while packed and that of the names' hashes once
// spread.
//
//   packed rest := (name:bytes value:bytes) × count
//   spread row  := Family::kData  id:be64 hash:be64 name → value       hash: XXH3_64(name)
//
// The order of hashes makes two things cheap. A cursor of SCAN's family is a place in it: the same
// on every node, and what is there throughout is seen whatever else comes and goes. And a random
// element is found without reading the others: the elements whose hash begins with some random
// bits are few, and drawing again in proportion to their number makes the draw uniform.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "engine/view.h"
#include "types/collection.h"

namespace metastore::types {

// A draw from a spread collection costs as much as walking over so many of its rows: 40 µs against
// 0.3 µs each, in a set of 200,000 members.
inline constexpr uint64_t kDrawRows = 128;

struct Element {
  std::string_view name;
  std::string_view value;
};

// False stops the walk. The bytes live as long as the call.
using VisitElement = std::function<bool(std::string_view name, std::string_view value)>;

// The reading side.
class Elements {
 public:
  // `rest` is what stands behind the header in the record and must outlive this object.
  Elements(const engine::View& view, const CollectionHeader& header, std::string_view rest)
      : view_(view), header_(header), rest_(rest) {}

  uint64_t count() const { return header_.count; }
  const CollectionHeader& header() const { return header_; }

  bool Get(std::string_view name, std::string* value) const;
  bool Contains(std::string_view name) const;
  void ForEach(const VisitElement& visit) const;
  // SCAN's contract (keyspace.h, Scan). A packed collection comes whole.
  uint64_t Scan(uint64_t cursor, uint64_t limit, const VisitElement& visit) const;

  // One of them, each as likely as any other. There must be one.
  void Pick(Random& random, const VisitElement& visit) const;
  // `limit` different ones, or all if there are fewer; every subset is as likely as any other.
  void PickDistinct(uint64_t limit, Random& random, const VisitElement& visit) const;

 private:
  friend class ElementCursor;
  const engine::View& view_;
  const CollectionHeader header_;
  const std::string_view rest_;
};

// A place among elements in an order that all collections share, so that several can be merged: by
// place, then by name. The place of a name is its hash, in whose order the rows of a spread
// collection lie. The record's bytes must outlive the cursor, and a Txn must not be written.
class ElementCursor {
 public:
  using PlaceOf = uint64_t (*)(std::string_view name);
  // Where all the collections are packed, the places may be others.
  explicit ElementCursor(const Elements& elements, PlaceOf place_of = nullptr);

  bool Valid() const { return valid_; }
  std::string_view name() const { return element_.name; }
  std::string_view value() const { return element_.value; }
  void Next();
  // Forward to the first element that does not stand before the other cursor's.
  void SkipTo(const ElementCursor& other);

  friend std::strong_ordering operator<=>(const ElementCursor& a, const ElementCursor& b) {
    if (a.place_ != b.place_) return a.place_ <=> b.place_;
    return a.name() <=> b.name();
  }
  friend bool operator==(const ElementCursor& a, const ElementCursor& b) {
    return a.place_ == b.place_ && a.name() == b.name();
  }

 private:
  struct Packed {
    uint64_t place;
    Element element;
  };
  void Load();

  uint64_t id_ = 0;
  std::unique_ptr<engine::Iterator> rows_;  // of a spread collection
  std::vector<Packed> packed_;
  size_t next_packed_ = 0;

  bool valid_ = false;
  uint64_t place_ = 0;
  Element element_;
};

// The writing side. Names and values that are put must live until Save. Walks and draws are made
// with an Elements over the Txn first: what is found there is then erased or put.
class WritableElements {
 public:
  explicit WritableElements(WritableCollection collection);

  WritableCollection& collection() { return collection_; }
  const WritableCollection& collection() const { return collection_; }
  uint64_t count() const { return collection_.header().count; }

  bool Get(std::string_view name, std::string* value) const;
  bool Contains(std::string_view name) const;

  // True when the name is new. An old one keeps its place.
  bool Put(std::string_view name, std::string_view value);
  // The same for a new name, in front of a packed element; at the end when spread.
  void Insert(size_t position, std::string_view name, std::string_view value);
  bool Erase(std::string_view name);

  // While packed.
  const std::vector<Element>& packed() const { return packed_; }

  // Forgets all elements, not the header's traits and peaks. The rows of a spread collection stay
  // under its old id, which Save gives up.
  void Clear();

  // `spread_rest` is what the type keeps in the record of a spread collection.
  void Save(std::optional<int64_t> field_deadline_ms = std::nullopt,
            std::string_view spread_rest = {});

 private:
  size_t FindPacked(std::string_view name) const;
  void SpreadIfLarge();

  WritableCollection collection_;
  std::vector<Element> packed_;
  uint64_t packed_bytes_ = 0;
};

// For the offline check: whether the elements are what their header says, each in its place and
// only once; `check` looks at each of them. Stops at the first thing that is wrong, with
// kCorruption.
Status CheckElements(
    const engine::View& view, const CollectionHeader& header, std::string_view rest,
    const std::function<Status(std::string_view name, std::string_view value)>& check);

// Where a set, hash or sorted set keeps the element of that name once it is spread.
std::string ElementRow(uint64_t collection_id, std::string_view name);

}  // namespace metastore::types
