#include "types/list.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "engine/system_keys.h"

namespace metastore::types {

using engine::Family;

namespace {

constexpr uint8_t kCounted = 0x02;
// An edit so near to an end moves the elements between, and the list stays dense.
constexpr uint64_t kMaxShift = 128;
// An index so near to an end of a counted list is walked to.
constexpr uint64_t kMaxWalk = 64;
// When more than this share of the rows of a counted list goes, counting what is left costs less
// than following each of them.
constexpr uint64_t kRecountShare = 16;

bool IsCounted(const CollectionHeader& header) { return (header.traits & kCounted) != 0; }

std::string RowName(uint64_t position) {
  std::string name;
  PutBig64(&name, position);
  return name;
}

uint64_t PositionOf(const Ranked::Cursor& cursor) {
  CHECK_EQ(cursor.key().size(), sizeof(uint64_t));
  return ReadBig64(cursor.key().data());
}

Ranked RowsOf(const engine::View& view, const CollectionHeader& header, const ListEnds& ends) {
  return Ranked(view, Family::kData, header.id, RowName(ends.head), RowName(ends.tail));
}

// False: the bytes make no sense.
bool ParseEnds(const CollectionHeader& header, std::string_view rest, ListEnds* ends) {
  if (!TakeBig64(&rest, &ends->head)) return false;
  if (IsCounted(header)) return TakeBig64(&rest, &ends->tail) && rest.empty();
  ends->tail = ends->head + (header.count - 1) * kListStep;
  return rest.empty();
}

ListEnds TakeEnds(const CollectionHeader& header, std::string_view rest) {
  ListEnds ends;
  CHECK_MSG(ParseEnds(header, rest, &ends), "a list's record is damaged");
  return ends;
}

std::string_view TakeElement(std::string_view* rest) {
  std::string_view element;
  CHECK_MSG(TakeBytes(rest, &element), "a packed list is damaged");
  return element;
}

std::deque<std::string_view> Unpack(const CollectionHeader& header, std::string_view rest) {
  std::deque<std::string_view> elements;
  while (!rest.empty()) elements.push_back(TakeElement(&rest));
  CHECK_EQ(elements.size(), header.count);
  return elements;
}

void Walk(const std::deque<std::string_view>& elements, uint64_t start, uint64_t limit,
          bool reverse, const VisitListElement& visit) {
  for (uint64_t i = start; limit > 0 && i < elements.size(); reverse ? --i : ++i, --limit) {
    if (!visit(elements[i])) return;
  }
}

}  // namespace

Ranked::Cursor ListRows::CursorAt(uint64_t index) const {
  CHECK_LT(index, header_.count);
  const Ranked ranked = RowsOf(view_, header_, ends_);
  const auto from = [&](uint64_t position) {
    Ranked::Cursor cursor = ranked.LowerBound(RowName(position));
    CHECK_MSG(cursor.Valid() && PositionOf(cursor) == position, "a row of a list is missing");
    return cursor;
  };
  if (!IsCounted(header_)) return from(ends_.head + index * kListStep);
  if (index < kMaxWalk) {
    Ranked::Cursor cursor = from(ends_.head);
    for (; index > 0; --index) cursor.Next();
    return cursor;
  }
  if (uint64_t behind = header_.count - 1 - index; behind < kMaxWalk) {
    Ranked::Cursor cursor = from(ends_.tail);
    for (; behind > 0; --behind) cursor.Prev();
    return cursor;
  }
  return ranked.At(index);
}

bool ListRows::At(uint64_t index, std::string* element) const {
  if (index >= header_.count) return false;
  uint64_t position = ends_.head + index * kListStep;
  if (IsCounted(header_) && index > 0) {
    if (index + 1 < header_.count) {
      const Ranked::Cursor cursor = CursorAt(index);
      CHECK_MSG(cursor.Valid(), "a row of a list is missing");
      element->assign(cursor.value());
      return true;
    }
    position = ends_.tail;
  }
  const std::string row = RowsOf(view_, header_, ends_).RowKey(RowName(position));
  CHECK_MSG(view_.Get(Family::kData, row, element), "a row of a list is missing");
  return true;
}

void ListRows::ForEach(uint64_t start, uint64_t limit, bool reverse,
                       const VisitListElement& visit) const {
  if (start >= header_.count) return;
  limit = std::min(limit, reverse ? start + 1 : header_.count - start);
  if (limit == 0) return;
  for (Ranked::Cursor cursor = CursorAt(start);;) {
    CHECK_MSG(cursor.Valid(), "a row of a list is missing");
    if (!visit(cursor.value()) || --limit == 0) return;
    reverse ? cursor.Prev() : cursor.Next();
  }
}

List::List(const engine::View& view, Record record) : view_(&view), record_(std::move(record)) {
  std::string_view rest = record_.payload();
  header_ = CollectionHeader::Take(&rest);
  rest_bytes_ = rest.size();
}

std::string_view List::rest() const {
  const std::string_view payload = record_.payload();
  return payload.substr(payload.size() - rest_bytes_);
}

Result<List> List::Find(const engine::View& view, int db, std::string_view key) {
  Result<Record> record = FindCollection(view, db, key, Type::kList);
  if (!record.ok()) return record.status();
  return List(view, std::move(*record));
}

bool List::At(uint64_t index, std::string* element) const {
  if (header_.spread())
    return ListRows(*view_, header_, TakeEnds(header_, rest())).At(index, element);
  if (index >= header_.count) return false;
  std::string_view rest = this->rest();
  for (; index > 0; --index) TakeElement(&rest);
  element->assign(TakeElement(&rest));
  return true;
}

void List::ForEach(uint64_t start, uint64_t limit, bool reverse,
                   const VisitListElement& visit) const {
  if (header_.spread()) {
    ListRows(*view_, header_, TakeEnds(header_, rest())).ForEach(start, limit, reverse, visit);
  } else {
    Walk(Unpack(header_, rest()), start, limit, reverse, visit);
  }
}

std::string_view ListEncoding(const CollectionHeader&, const EncodingLimits&) {
  return "quicklist";
}

WritableList::WritableList(WritableCollection collection) : collection_(std::move(collection)) {
  if (spread()) {
    ends_ = TakeEnds(header(), collection_.rest());
  } else {
    packed_ = Unpack(header(), collection_.rest());
  }
}

Result<WritableList> WritableList::Open(engine::Txn& txn, int db, std::string_view key) {
  Result<WritableCollection> opened = WritableCollection::Open(txn, db, key, Type::kList);
  if (!opened.ok()) return opened.status();
  return WritableList(std::move(*opened));
}

bool WritableList::counted() const { return IsCounted(header()); }

WritableRanked WritableList::ranked() const {
  return WritableRanked(txn(), Family::kData, header().id, RowName(ends_.head),
                        RowName(ends_.tail));
}

bool WritableList::At(uint64_t index, std::string* element) const {
  if (spread()) return rows().At(index, element);
  if (index >= packed_.size()) return false;
  element->assign(packed_[index]);
  return true;
}

void WritableList::ForEach(uint64_t start, uint64_t limit, bool reverse,
                           const VisitListElement& visit) const {
  if (spread()) {
    rows().ForEach(start, limit, reverse, visit);
  } else {
    Walk(packed_, start, limit, reverse, visit);
  }
}

void WritableList::PutRow(uint64_t position, std::string_view element) {
  txn().Put(Family::kData, ranked().RowKey(RowName(position)), std::string(element));
}

void WritableList::DeleteRow(uint64_t position) {
  txn().Delete(Family::kData, ranked().RowKey(RowName(position)));
}

void WritableList::Added(std::string_view element) {
  ++header().count;
  header().Grew(element.size());
}

void WritableList::Push(std::string_view element, bool front) {
  if (!spread()) {
    packed_.insert(front ? packed_.begin() : packed_.end(), element);
    Added(element);
    return;
  }
  uint64_t& end = front ? ends_.head : ends_.tail;
  if (front ? end < kListStep : end > UINT64_MAX - kListStep) {
    // What is left of the range is less than a step: halves of it serve as places.
    if (!counted()) Count();
    InsertBetween(front ? 0 : size(), element);
    return;
  }
  front ? end -= kListStep : end += kListStep;
  if (counted()) {
    ranked().Insert(RowName(end), element);
  } else {
    PutRow(end, element);
  }
  Added(element);
}

std::string WritableList::Pop(bool front) {
  std::string element;
  CHECK(At(front ? 0 : size() - 1, &element));
  Trim(front ? 1 : 0, size() - 1);
  return element;
}

void WritableList::Trim(uint64_t start, uint64_t count) {
  CHECK_LE(count, size());
  CHECK_LE(start, size() - count);
  const uint64_t removed = size() - count;
  if (removed == 0) return;
  if (!spread()) {
    packed_.erase(packed_.begin(), packed_.begin() + static_cast<ptrdiff_t>(start));
    packed_.resize(count);
  } else if (removed > count) {
    std::vector<std::string> kept;
    kept.reserve(count);
    rows().ForEach(start, count, false, [&](std::string_view element) {
      kept.emplace_back(element);
      return true;
    });
    Rebuild(std::move(kept));
  } else if (!counted()) {
    for (; start > 0; --start, ends_.head += kListStep) DeleteRow(ends_.head);
    const uint64_t tail = ends_.head + (count - 1) * kListStep;
    for (; ends_.tail != tail; ends_.tail -= kListStep) DeleteRow(ends_.tail);
  } else {
    std::vector<uint64_t> positions;
    ListEnds ends = ends_;
    if (start > 0) {
      Ranked::Cursor cursor = rows().CursorAt(0);
      for (uint64_t i = 0; i < start; ++i, cursor.Next()) positions.push_back(PositionOf(cursor));
      ends.head = PositionOf(cursor);
    }
    if (start + count < size()) {
      Ranked::Cursor cursor = rows().CursorAt(start + count - 1);
      ends.tail = PositionOf(cursor);
      for (uint64_t i = start + count; i < size(); ++i) {
        cursor.Next();
        positions.push_back(PositionOf(cursor));
      }
    }
    EraseRows(positions);
    ends_ = ends;
  }
  header().count = count;
}

void WritableList::EraseRows(const std::vector<uint64_t>& positions) {
  WritableRanked ranked = this->ranked();
  if (counted() && positions.size() <= size() / kRecountShare) {
    for (uint64_t position : positions) ranked.Erase(RowName(position));
  } else {
    for (uint64_t position : positions) DeleteRow(position);
    Count();
  }
}

void WritableList::Count() {
  header().traits |= kCounted;
  ranked().CountAll();
}

void WritableList::Rebuild(std::vector<std::string> elements) {
  header().id = 0;
  header().traits = 0;
  header().count = elements.size();
  packed_.clear();
  for (std::string& element : elements) packed_.push_back(owned_.emplace_back(std::move(element)));
}

void WritableList::Set(uint64_t index, std::string_view element) {
  CHECK_LT(index, size());
  header().Grew(element.size());
  if (!spread()) {
    packed_[index] = element;
  } else if (counted()) {
    const uint64_t position = PositionOf(rows().CursorAt(index));
    ranked().Replace(RowName(position), element);
  } else {
    PutRow(ends_.head + index * kListStep, element);
  }
}

void WritableList::Insert(uint64_t index, std::string_view element) {
  CHECK_LE(index, size());
  if (index == 0 || index == size()) return Push(element, index == 0);
  if (!spread()) {
    packed_.insert(packed_.begin() + static_cast<ptrdiff_t>(index), element);
    Added(element);
  } else if (counted() || !InsertByShift(index, element)) {
    if (!counted()) Count();
    InsertBetween(index, element);
  }
}

bool WritableList::InsertByShift(uint64_t index, std::string_view element) {
  const uint64_t behind = size() - index;
  const bool front = index < behind;
  if (std::min(index, behind) > kMaxShift) return false;
  if (front ? ends_.head < kListStep : ends_.tail > UINT64_MAX - kListStep) return false;
  std::vector<std::string> moved;
  rows().ForEach(front ? 0 : index, front ? index : behind, false, [&](std::string_view bytes) {
    moved.emplace_back(bytes);
    return true;
  });
  front ? ends_.head -= kListStep : ends_.tail += kListStep;
  uint64_t position = ends_.head + index * kListStep;
  PutRow(position, element);
  position = front ? ends_.head : position + kListStep;
  for (const std::string& bytes : moved) {
    PutRow(position, bytes);
    position += kListStep;
  }
  Added(element);
  return true;
}

void WritableList::InsertBetween(uint64_t index, std::string_view element) {
  for (;;) {
    // The free positions are those from low to high.
    uint64_t low = 0, high = UINT64_MAX, neighbour = 0;
    bool room = true;
    if (index > 0) {
      neighbour = PositionOf(rows().CursorAt(index - 1));
      room = neighbour != UINT64_MAX;
      low = neighbour + 1;
    }
    if (index < size()) {
      neighbour = PositionOf(rows().CursorAt(index));
      room = room && neighbour != 0;
      high = neighbour - 1;
    }
    if (room && low <= high) {
      const uint64_t position = low + (high - low) / 2;
      if (index == 0) ends_.head = position;
      if (index == size()) ends_.tail = position;
      ranked().Insert(RowName(position), element);
      Added(element);
      return;
    }
    MakeRoom(neighbour);
  }
}

// The rows of the smallest aligned range around the position that is sparse enough are spread
// evenly over it. The larger the range the sparser it must be (1.5^bits rows in 2^bits positions),
// so it takes a share of its rows in insertions before it is too dense again: O(log n) rows are
// moved for each insertion, amortised (Bender et al., "Two Simplified Algorithms for Maintaining
// Order in a List", 2002).
void WritableList::MakeRoom(uint64_t position) {
  struct Row {
    uint64_t position;
    std::string element;
  };
  std::deque<Row> rows;
  uint64_t mask = 0;
  {
    const Ranked ranked = RowsOf(txn(), header(), ends_);
    Ranked::Cursor up = ranked.LowerBound(RowName(position));
    Ranked::Cursor down = ranked.Before(RowName(position));
    uint64_t capacity = 5;  // 1.5^4
    for (int bits = 4;; ++bits, capacity += capacity / 2) {
      mask = UINT64_MAX >> (64 - bits);
      // Behind the ends lie the remains of other rows.
      while (rows.empty() || rows.back().position != ends_.tail) {
        const uint64_t next = PositionOf(up);
        if (next > (position | mask)) break;
        rows.push_back({next, std::string(up.value())});
        if (next != ends_.tail) up.Next();
      }
      while (rows.front().position != ends_.head) {
        const uint64_t next = PositionOf(down);
        if (next < (position & ~mask)) break;
        rows.push_front({next, std::string(down.value())});
        if (next != ends_.head) down.Prev();
      }
      if (rows.size() < capacity || bits == 64) break;
    }
  }
  {
    WritableRanked ranked = this->ranked();
    for (const Row& row : rows) ranked.Erase(RowName(row.position));
  }
  const uint64_t gap = mask / (rows.size() + 1);
  CHECK_GE(gap, 2u);
  const uint64_t first = (position & ~mask) + gap / 2;
  const uint64_t last = first + (rows.size() - 1) * gap;
  if (rows.front().position == ends_.head) ends_.head = first;
  if (rows.back().position == ends_.tail) ends_.tail = last;
  WritableRanked ranked = this->ranked();
  uint64_t next = first;
  for (const Row& row : rows) {
    ranked.Insert(RowName(next), row.element);
    next += gap;
  }
}

uint64_t WritableList::Remove(std::string_view element, uint64_t limit, bool reverse) {
  if (!spread()) {
    std::vector<uint64_t> indexes;
    const uint64_t count = size();
    for (uint64_t i = 0; i < count && indexes.size() < limit; ++i) {
      const uint64_t index = reverse ? count - 1 - i : i;
      if (packed_[index] == element) indexes.push_back(index);
    }
    if (!reverse) std::reverse(indexes.begin(), indexes.end());
    for (uint64_t index : indexes) {
      packed_.erase(packed_.begin() + static_cast<ptrdiff_t>(index));
    }
    header().count -= indexes.size();
    return indexes.size();
  }
  std::vector<uint64_t> positions;
  {
    Ranked::Cursor cursor = rows().CursorAt(reverse ? size() - 1 : 0);
    for (uint64_t i = 0; positions.size() < limit;) {
      if (cursor.value() == element) positions.push_back(PositionOf(cursor));
      if (++i == size()) break;
      reverse ? cursor.Prev() : cursor.Next();
    }
  }
  if (positions.empty()) return 0;
  if (reverse) std::reverse(positions.begin(), positions.end());
  RemoveRows(positions);
  return positions.size();
}

void WritableList::RemoveRows(const std::vector<uint64_t>& positions) {
  const uint64_t left = size() - positions.size();
  if (positions.size() > left) {
    std::vector<std::string> kept;
    kept.reserve(left);
    if (left > 0) {
      auto removed = positions.begin();
      Ranked::Cursor cursor = rows().CursorAt(0);
      for (uint64_t i = 0;;) {
        if (removed != positions.end() && PositionOf(cursor) == *removed) {
          ++removed;
        } else {
          kept.emplace_back(cursor.value());
        }
        if (++i == size()) break;
        cursor.Next();
      }
    }
    return Rebuild(std::move(kept));
  }
  if (!counted() && RemoveByShift(positions)) return;
  ListEnds ends = ends_;
  {
    Ranked::Cursor cursor = rows().CursorAt(0);
    for (uint64_t position : positions) {
      if (position != PositionOf(cursor)) break;
      cursor.Next();
    }
    ends.head = PositionOf(cursor);
    cursor = rows().CursorAt(size() - 1);
    for (auto it = positions.rbegin(); it != positions.rend(); ++it) {
      if (*it != PositionOf(cursor)) break;
      cursor.Prev();
    }
    ends.tail = PositionOf(cursor);
  }
  EraseRows(positions);
  ends_ = ends;
  header().count = left;
}

bool WritableList::RemoveByShift(const std::vector<uint64_t>& positions) {
  const auto index_of = [this](uint64_t position) { return (position - ends_.head) / kListStep; };
  const uint64_t before = index_of(positions.back()) + 1;
  const uint64_t behind = size() - index_of(positions.front());
  const bool front = before < behind;
  const uint64_t span = std::min(before, behind);
  if (span > kMaxShift) return false;
  const uint64_t removed = positions.size();
  // The span's elements that stay move to its inner side.
  std::vector<std::string> kept;
  uint64_t position = front ? ends_.head : positions.front();
  auto next = positions.begin();
  rows().ForEach(index_of(position), span, false, [&](std::string_view element) {
    if (next != positions.end() && *next == position) {
      ++next;
    } else {
      kept.emplace_back(element);
    }
    position += kListStep;
    return true;
  });
  position = front ? ends_.head + removed * kListStep : positions.front();
  for (const std::string& element : kept) {
    PutRow(position, element);
    position += kListStep;
  }
  for (uint64_t i = 0; i < removed; ++i) {
    uint64_t& end = front ? ends_.head : ends_.tail;
    DeleteRow(end);
    front ? end += kListStep : end -= kListStep;
  }
  header().count -= removed;
  return true;
}

void WritableList::Save() {
  std::string rest;
  uint64_t bytes = 0;
  for (std::string_view element : packed_) bytes += element.size() + 2;
  if (packed_.size() > kMaxPackedElements || bytes > kMaxPackedBytes) {
    collection_.Spread();
    ends_.head = kListStart;
    ends_.tail = kListStart + (packed_.size() - 1) * kListStep;
    uint64_t position = ends_.head;
    for (std::string_view element : packed_) {
      PutRow(position, element);
      position += kListStep;
    }
  }
  if (spread()) {
    PutBig64(&rest, ends_.head);
    if (counted()) PutBig64(&rest, ends_.tail);
  } else {
    rest.reserve(bytes);
    for (std::string_view element : packed_) PutBytes(&rest, element);
  }
  collection_.Save(rest);
}

Status CheckList(const engine::View& view, const CollectionHeader& header, std::string_view rest) {
  if (header.count == 0) return Status::Corruption("no elements");
  uint64_t elements = 0;
  const auto too_long = [&](std::string_view element) {
    return element.size() > header.peak_bytes;
  };
  if (!header.spread()) {
    for (std::string_view element; !rest.empty(); ++elements) {
      if (!TakeBytes(&rest, &element) || too_long(element)) {
        return Status::Corruption("an element that does not decode");
      }
    }
    if (header.traits != 0 || elements != header.count) {
      return Status::Corruption(std::to_string(elements) + " elements, and its record says " +
                                std::to_string(header.count));
    }
    return Status::Ok();
  }
  ListEnds ends;
  if ((header.traits & ~kCounted) != 0 || !ParseEnds(header, rest, &ends) ||
      ends.head > ends.tail) {
    return Status::Corruption("ends that do not decode");
  }
  const std::string begin = ElementPrefix(Family::kData, header.id);
  const Ranked ranked(view, Family::kData, header.id);
  auto it = view.NewIterator(Family::kData, begin, engine::PrefixEnd(begin));
  uint64_t last = 0;
  const size_t row_bytes = ranked.RowKey(RowName(0)).size();
  for (it->Seek(begin); it->Valid(); it->Next()) {
    const std::string_view key = it->key();
    if (IsCounted(header) && !key.starts_with(ranked.RowKey({}))) break;  // the counts
    const uint64_t due = elements == 0 ? ends.head : last + kListStep;
    if (key.size() == row_bytes) last = ReadBig64(key.data() + row_bytes - sizeof last);
    if (key != ranked.RowKey(RowName(last)) || too_long(it->value()) ||
        (last != due && (elements == 0 || !IsCounted(header)))) {
      return Status::Corruption("a row out of place behind " + std::to_string(elements) +
                                " others");
    }
    ++elements;
  }
  if (elements != header.count) {
    return Status::Corruption(std::to_string(elements) + " rows, and its record says " +
                              std::to_string(header.count));
  }
  if (last != ends.tail) return Status::Corruption("a last row that is not its record's");
  return IsCounted(header) ? ranked.Check(&elements) : Status::Ok();
}

}  // namespace metastore::types
