// Lists. A spread one has a row for each element, in the order of their positions: numbers that
// begin in the middle of their range and leave room between neighbours. While it is only pushed,
// popped and trimmed the positions are kListStep apart, so that the row of an index is computed:
// the list is dense. After an insertion or removal in its middle it is counted: its rows have
// counts (ranked.h), which find an index in O(log n).
//
//   packed rest := element:bytes × count
//   spread rest := head:be64 [tail:be64]         positions of the ends; the tail's when counted
//   row         := position:be64 → element       Ranked's, in Family::kData
//   traits      := bit 1 counted
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "types/collection.h"
#include "types/encoding.h"
#include "types/ranked.h"

namespace metastore::types {

// What a push adds to the position of an end: 2^47 of them find room on either side.
inline constexpr uint64_t kListStep = uint64_t{1} << 16;
inline constexpr uint64_t kListStart = uint64_t{1} << 63;

// False stops the walk. The bytes live as long as the call.
using VisitListElement = std::function<bool(std::string_view element)>;

// Positions of the first and the last row of a spread list.
struct ListEnds {
  uint64_t head = kListStart;
  uint64_t tail = kListStart;
};

// The rows of a spread list, for reading. Walks start at a row that is there and end with the last
// one: next to the ends of a queue lie the remains of what was popped, and are never walked over.
class ListRows {
 public:
  ListRows(const engine::View& view, const CollectionHeader& header, const ListEnds& ends)
      : view_(view), header_(header), ends_(ends) {}

  Ranked::Cursor CursorAt(uint64_t index) const;  // there must be such a row
  bool At(uint64_t index, std::string* element) const;
  void ForEach(uint64_t start, uint64_t limit, bool reverse, const VisitListElement& visit) const;

 private:
  const engine::View& view_;
  const CollectionHeader& header_;
  const ListEnds ends_;
};

// The reading side.
class List {
 public:
  // kNotFound, kWrongType.
  static Result<List> Find(const engine::View& view, int db, std::string_view key);

  uint64_t size() const { return header_.count; }
  const CollectionHeader& header() const { return header_; }
  // False behind the end.
  bool At(uint64_t index, std::string* element) const;
  // From index `start` on at most `limit` elements, towards the tail or, reversed, the head.
  void ForEach(uint64_t start, uint64_t limit, bool reverse, const VisitListElement& visit) const;

 private:
  List(const engine::View& view, Record record);
  std::string_view rest() const;

  const engine::View* view_;
  Record record_;
  CollectionHeader header_;
  size_t rest_bytes_;
};

// "quicklist": the only encoding that Redis 7.0 has for lists.
std::string_view ListEncoding(const CollectionHeader& header, const EncodingLimits& limits);

// The writing side. Elements that are put must live until Save.
class WritableList {
 public:
  // kWrongType. An absent key is an empty list.
  static Result<WritableList> Open(engine::Txn& txn, int db, std::string_view key);

  bool existed() const { return collection_.existed(); }
  uint64_t size() const { return collection_.header().count; }
  bool At(uint64_t index, std::string* element) const;
  void ForEach(uint64_t start, uint64_t limit, bool reverse, const VisitListElement& visit) const;

  void PushFront(std::string_view element) { Push(element, true); }
  void PushBack(std::string_view element) { Push(element, false); }
  // Removes and returns the first or the last element; there must be one.
  std::string PopFront() { return Pop(true); }
  std::string PopBack() { return Pop(false); }
  // Keeps `count` elements from index `start` on, all of which must be there. Costs as much as the
  // cheaper of two ways: to remove the others, or to write these anew.
  void Trim(uint64_t start, uint64_t count);
  // Replaces the element with that index, which must be there.
  void Set(uint64_t index, std::string_view element);
  // Before the element with that index, or behind the last one.
  void Insert(uint64_t index, std::string_view element);
  // Removes the first `limit` elements that are equal to this one or, reversed, the last ones.
  // Returns how many there were.
  uint64_t Remove(std::string_view element, uint64_t limit, bool reverse);

  // A list without elements has no key.
  void Save();

 private:
  explicit WritableList(WritableCollection collection);

  CollectionHeader& header() { return collection_.header(); }
  const CollectionHeader& header() const { return collection_.header(); }
  bool spread() const { return header().spread(); }
  bool counted() const;
  engine::Txn& txn() const { return collection_.txn(); }
  ListRows rows() const { return ListRows(txn(), header(), ends_); }
  WritableRanked ranked() const;

  void Push(std::string_view element, bool front);
  std::string Pop(bool front);
  void PutRow(uint64_t position, std::string_view element);
  void DeleteRow(uint64_t position);
  // The element was put into its place.
  void Added(std::string_view element);
  // Starts anew with these elements alone. The rows that there are go with the record.
  void Rebuild(std::vector<std::string> elements);
  void Count();
  // Of rows in ascending order, of which not all may go.
  void EraseRows(const std::vector<uint64_t>& positions);
  void RemoveRows(const std::vector<uint64_t>& positions);
  // False: too much would move, or there is no room for it.
  bool InsertByShift(uint64_t index, std::string_view element);
  bool RemoveByShift(const std::vector<uint64_t>& positions);
  void InsertBetween(uint64_t index, std::string_view element);
  void MakeRoom(uint64_t position);

  WritableCollection collection_;
  ListEnds ends_;                        // when spread
  std::deque<std::string_view> packed_;  // else; Save sees whether it must be spread now
  std::deque<std::string> owned_;        // bytes of elements until Save
};

// For the offline check: what a list has that it must not have. `rest`: behind the header.
Status CheckList(const engine::View& view, const CollectionHeader& header, std::string_view rest);

}  // namespace metastore::types
