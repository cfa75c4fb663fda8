#include "types/elements.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "engine/system_keys.h"

namespace metastore::types {

using engine::Family;

namespace {

// Bytes before the name in a row's key.
constexpr size_t kRowHead = 8 + 8;
// As in keyspace.cc: SCAN's cursors have 53 bits.
constexpr int kCursorShift = 64 - 53;
// How many elements a draw looks at on average, and the most that it expects: with a mean of 16
// more than 64 come in fewer than one draw of 10^17.
constexpr uint64_t kMeanBucket = 16;
constexpr uint64_t kMaxBucket = 64;
// A cursor steps over so many rows before it seeks: a seek costs about as much.
constexpr int kStepsBeforeSeek = 8;

uint64_t HashOf(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

std::string RowBound(uint64_t id, uint64_t hash) {
  std::string key = ElementPrefix(Family::kData, id);
  PutBig64(&key, hash);
  return key;
}

uint64_t RowHash(std::string_view row) { return ReadBig64(row.data() + 8); }
std::string_view RowName(std::string_view row) {
  CHECK_GE(row.size(), kRowHead);
  return row.substr(kRowHead);
}

std::unique_ptr<engine::Iterator> Rows(const engine::View& view, uint64_t id) {
  const std::string begin = ElementPrefix(Family::kData, id);
  return view.NewIterator(Family::kData, begin, engine::PrefixEnd(begin));
}

bool TakeElement(std::string_view* rest, Element* element) {
  if (rest->empty()) return false;
  CHECK_MSG(TakeBytes(rest, &element->name) && TakeBytes(rest, &element->value),
            "a packed collection is damaged");
  return true;
}

uint64_t PackedBytes(std::string_view name, std::string_view value) {
  return name.size() + value.size() + 2;
}

}  // namespace

Status CheckElements(const engine::View& view, const CollectionHeader& header,
                     std::string_view rest,
                     const std::function<Status(std::string_view, std::string_view)>& check) {
  if (header.count == 0) return Status::Corruption("no elements");
  uint64_t count = 0;
  if (header.spread()) {
    if (!rest.empty()) return Status::Corruption("a record with elements that has rows, too");
    auto it = Rows(view, header.id);
    for (it->Seek({}); it->Valid(); it->Next(), ++count) {
      if (it->key().size() < kRowHead) return Status::Corruption("a row without a name");
      const std::string_view name = it->key().substr(kRowHead);
      if (HashOf(name) != RowHash(it->key())) {
        return Status::Corruption("a row that lies under the hash of another");
      }
      RETURN_IF_ERROR(check(name, it->value()));
    }
  } else {
    std::set<std::string_view> names;
    for (Element element; !rest.empty(); ++count) {
      if (!TakeBytes(&rest, &element.name) || !TakeBytes(&rest, &element.value)) {
        return Status::Corruption("an element that does not decode");
      }
      if (!names.insert(element.name).second) return Status::Corruption("an element twice");
      RETURN_IF_ERROR(check(element.name, element.value));
    }
  }
  if (count == header.count) return Status::Ok();
  return Status::Corruption(std::to_string(count) + " elements, and its record says " +
                            std::to_string(header.count));
}

std::string ElementRow(uint64_t collection_id, std::string_view name) {
  return RowBound(collection_id, HashOf(name)).append(name);
}

bool Elements::Get(std::string_view name, std::string* value) const {
  if (header_.spread()) return view_.Get(Family::kData, ElementRow(header_.id, name), value);
  std::string_view rest = rest_;
  for (Element element; TakeElement(&rest, &element);) {
    if (element.name != name) continue;
    value->assign(element.value);
    return true;
  }
  return false;
}

bool Elements::Contains(std::string_view name) const {
  std::string value;
  return Get(name, &value);
}

void Elements::ForEach(const VisitElement& visit) const {
  if (header_.spread()) {
    auto it = Rows(view_, header_.id);
    for (it->Seek({}); it->Valid(); it->Next()) {
      if (!visit(RowName(it->key()), it->value())) return;
    }
    return;
  }
  std::string_view rest = rest_;
  for (Element element; TakeElement(&rest, &element);) {
    if (!visit(element.name, element.value)) return;
  }
}

uint64_t Elements::Scan(uint64_t cursor, uint64_t limit, const VisitElement& visit) const {
  if (!header_.spread()) {
    ForEach(visit);
    return 0;
  }
  if (cursor > UINT64_MAX >> kCursorShift) return 0;
  auto it = Rows(view_, header_.id);
  uint64_t seen = 0, last = 0;
  for (it->Seek(RowBound(header_.id, cursor << kCursorShift)); it->Valid(); it->Next()) {
    const uint64_t place = RowHash(it->key()) >> kCursorShift;
    if (seen >= limit && place != last) return place;
    last = place;
    ++seen;
    if (!visit(RowName(it->key()), it->value())) break;
  }
  return 0;
}

void Elements::Pick(Random& random, const VisitElement& visit) const {
  CHECK_GT(header_.count, 0u);
  if (!header_.spread()) {
    uint64_t skip = random.Uniform(header_.count);
    ForEach([&](std::string_view name, std::string_view value) {
      if (skip-- > 0) return true;
      visit(name, value);
      return false;
    });
    return;
  }
  const int bits = std::bit_width(header_.count / kMeanBucket);
  auto it = Rows(view_, header_.id);
  for (;;) {
    // The bucket's elements, and whether it comes up as often as it has of them.
    const uint64_t bucket = bits == 0 ? 0 : random.Next() >> (64 - bits);
    const uint64_t width = bits == 0 ? 0 : uint64_t{1} << (64 - bits);
    const uint64_t first = bucket * width;
    const std::string begin = RowBound(header_.id, first);
    uint64_t size = 0;
    for (it->Seek(begin); it->Valid(); it->Next(), ++size) {
      if (bits != 0 && RowHash(it->key()) - first >= width) break;
    }
    uint64_t place = random.Uniform(bits == 0 ? size : std::max(size, kMaxBucket));
    if (place >= size) continue;
    for (it->Seek(begin); place > 0; --place) it->Next();
    visit(RowName(it->key()), it->value());
    return;
  }
}

void Elements::PickDistinct(uint64_t limit, Random& random, const VisitElement& visit) const {
  if (limit >= header_.count) {
    ForEach(visit);
    return;
  }
  if (limit == 0) return;
  if (!header_.spread() || limit > header_.count / kDrawRows) {
    // A large share: one walk over all costs less than as many draws.
    const std::vector<uint64_t> chosen = RandomSubset(header_.count, limit, random);
    size_t next = 0;
    uint64_t place = 0;
    ForEach([&](std::string_view name, std::string_view value) {
      if (place++ != chosen[next]) return true;
      return visit(name, value) && ++next < chosen.size();
    });
    return;
  }
  std::set<std::string, std::less<>> drawn;
  bool go_on = true;
  while (go_on && drawn.size() < limit) {
    Pick(random, [&](std::string_view name, std::string_view value) {
      if (drawn.emplace(name).second) go_on = visit(name, value);
      return true;
    });
  }
}

ElementCursor::ElementCursor(const Elements& elements, PlaceOf place_of) {
  if (elements.header_.spread()) {
    CHECK_MSG(place_of == nullptr, "rows lie in the order of hashes");
    id_ = elements.header_.id;
    rows_ = Rows(elements.view_, id_);
    rows_->Seek({});
  } else {
    packed_.reserve(elements.header_.count);
    std::string_view rest = elements.rest_;
    for (Element element; TakeElement(&rest, &element);) {
      packed_.push_back(
          {place_of != nullptr ? place_of(element.name) : HashOf(element.name), element});
    }
    std::sort(packed_.begin(), packed_.end(), [](const Packed& a, const Packed& b) {
      return std::tie(a.place, a.element.name) < std::tie(b.place, b.element.name);
    });
  }
  Load();
}

void ElementCursor::Load() {
  if (rows_ == nullptr) {
    valid_ = next_packed_ < packed_.size();
    if (!valid_) return;
    place_ = packed_[next_packed_].place;
    element_ = packed_[next_packed_].element;
    return;
  }
  valid_ = rows_->Valid();
  if (!valid_) return;
  place_ = RowHash(rows_->key());
  element_ = {RowName(rows_->key()), rows_->value()};
}

void ElementCursor::Next() {
  CHECK(valid_);
  if (rows_ == nullptr) {
    ++next_packed_;
  } else {
    rows_->Next();
  }
  Load();
}

void ElementCursor::SkipTo(const ElementCursor& other) {
  for (int steps = 0; valid_ && *this < other; ++steps) {
    if (rows_ == nullptr || steps < kStepsBeforeSeek) {
      Next();
    } else {
      rows_->Seek(RowBound(id_, other.place_).append(other.name()));
      Load();
    }
  }
}

WritableElements::WritableElements(WritableCollection collection)
    : collection_(std::move(collection)) {
  if (collection_.header().spread()) return;
  std::string_view rest = collection_.rest();
  packed_.reserve(collection_.header().count + 1);
  for (Element element; TakeElement(&rest, &element);) {
    packed_bytes_ += PackedBytes(element.name, element.value);
    packed_.push_back(element);
  }
  CHECK_EQ(packed_.size(), collection_.header().count);
}

size_t WritableElements::FindPacked(std::string_view name) const {
  for (size_t i = 0; i < packed_.size(); ++i) {
    if (packed_[i].name == name) return i;
  }
  return packed_.size();
}

bool WritableElements::Get(std::string_view name, std::string* value) const {
  const CollectionHeader& header = collection_.header();
  if (header.spread()) {
    return collection_.txn().Get(Family::kData, ElementRow(header.id, name), value);
  }
  const size_t i = FindPacked(name);
  if (i == packed_.size()) return false;
  value->assign(packed_[i].value);
  return true;
}

bool WritableElements::Contains(std::string_view name) const {
  std::string value;
  return Get(name, &value);
}

bool WritableElements::Put(std::string_view name, std::string_view value) {
  CollectionHeader& header = collection_.header();
  if (header.spread()) {
    const std::string row = ElementRow(header.id, name);
    std::string old;
    const bool is_new = !collection_.txn().Get(Family::kData, row, &old);
    collection_.txn().Put(Family::kData, row, std::string(value));
    if (is_new) ++header.count;
    header.Grew(std::max(name.size(), value.size()));
    return is_new;
  }
  const size_t i = FindPacked(name);
  if (i == packed_.size()) {
    Insert(i, name, value);
    return true;
  }
  packed_bytes_ += value.size();
  packed_bytes_ -= packed_[i].value.size();
  packed_[i].value = value;
  header.Grew(std::max(name.size(), value.size()));
  SpreadIfLarge();
  return false;
}

void WritableElements::Insert(size_t position, std::string_view name, std::string_view value) {
  CollectionHeader& header = collection_.header();
  if (header.spread()) {
    collection_.txn().Put(Family::kData, ElementRow(header.id, name), std::string(value));
  } else {
    packed_.insert(packed_.begin() + static_cast<ptrdiff_t>(position), {name, value});
    packed_bytes_ += PackedBytes(name, value);
  }
  ++header.count;
  header.Grew(std::max(name.size(), value.size()));
  SpreadIfLarge();
}

bool WritableElements::Erase(std::string_view name) {
  CollectionHeader& header = collection_.header();
  if (header.spread()) {
    const std::string row = ElementRow(header.id, name);
    std::string old;
    if (!collection_.txn().Get(Family::kData, row, &old)) return false;
    collection_.txn().Delete(Family::kData, row);
  } else {
    const size_t i = FindPacked(name);
    if (i == packed_.size()) return false;
    packed_bytes_ -= PackedBytes(packed_[i].name, packed_[i].value);
    packed_.erase(packed_.begin() + static_cast<ptrdiff_t>(i));
  }
  --header.count;
  return true;
}

void WritableElements::SpreadIfLarge() {
  CollectionHeader& header = collection_.header();
  if (header.spread()) return;
  if (packed_.size() <= kMaxPackedElements && packed_bytes_ <= kMaxPackedBytes) return;
  collection_.Spread();
  for (const Element& element : packed_) {
    collection_.txn().Put(Family::kData, ElementRow(header.id, element.name),
                          std::string(element.value));
  }
  packed_.clear();
}

void WritableElements::Clear() {
  collection_.header().id = 0;
  collection_.header().count = 0;
  packed_.clear();
  packed_bytes_ = 0;
}

void WritableElements::Save(std::optional<int64_t> field_deadline_ms,
                            std::string_view spread_rest) {
  if (collection_.header().spread()) {
    collection_.Save(spread_rest, field_deadline_ms);
    return;
  }
  std::string rest;
  rest.reserve(packed_bytes_ + 8);
  for (const Element& element : packed_) {
    PutBytes(&rest, element.name);
    PutBytes(&rest, element.value);
  }
  collection_.Save(rest, field_deadline_ms);
}

}  // namespace metastore::types
