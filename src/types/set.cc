#include "types/set.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/parse.h"

namespace metastore::types {
namespace {

constexpr uint8_t kOtherThanIntegers = 0x02;

// Redis fills the set anew when this many times the members that stay are fewer than those that go.
constexpr uint64_t kPopByStaying = 5;

bool IsInteger(std::string_view member) {
  int64_t number;
  return ParseInt64(member, &number);
}

// A spread set is written anew when so many times its rows were erased, and it is small enough for
// that to be done in one entry.
constexpr uint64_t kRenewErased = 4;
constexpr uint64_t kMaxRenewed = 16384;

// Where a new integer belongs among packed integers.
size_t PlaceOf(const std::vector<Element>& packed, std::string_view member) {
  int64_t number = 0;
  CHECK(ParseInt64(member, &number));
  const auto place = std::lower_bound(
      packed.begin(), packed.end(), number, [](const Element& element, int64_t wanted) {
        int64_t there = 0;
        CHECK_MSG(ParseInt64(element.name, &there), "a set of integers holds another member");
        return there < wanted;
      });
  return static_cast<size_t>(place - packed.begin());
}

VisitElement Names(const VisitMember& visit) {
  return [&visit](std::string_view name, std::string_view) { return visit(name); };
}

}  // namespace

Set::Set(const engine::View& view, Record record) : view_(&view), record_(std::move(record)) {
  std::string_view rest = record_.payload();
  header_ = CollectionHeader::Take(&rest);
  rest_bytes_ = rest.size();
}

std::string_view Set::rest() const {
  const std::string_view payload = record_.payload();
  return payload.substr(payload.size() - rest_bytes_);
}

Result<Set> Set::Find(const engine::View& view, int db, std::string_view key) {
  Result<Record> record = FindCollection(view, db, key, Type::kSet);
  if (!record.ok()) return record.status();
  return Set(view, std::move(*record));
}

void Set::ForEach(const VisitMember& visit) const { elements().ForEach(Names(visit)); }

uint64_t Set::Scan(uint64_t cursor, uint64_t limit, const VisitMember& visit) const {
  return elements().Scan(cursor, limit, Names(visit));
}

void Set::PickDistinct(uint64_t count, Random& random, const VisitMember& visit) const {
  elements().PickDistinct(count, random, Names(visit));
}

bool Set::PackedIntegers() const {
  return !header_.spread() && (header_.traits & kOtherThanIntegers) == 0;
}

void Set::PickAny(uint64_t count, Random& random, const VisitMember& visit) const {
  bool go_on = true;
  if (header_.spread() && count < size() / kDrawRows) {
    for (; count > 0 && go_on; --count) {
      elements().Pick(random, [&](std::string_view member, std::string_view) {
        go_on = visit(member);
        return true;
      });
    }
    return;
  }
  // A walk for many draws: what it costs and holds is in proportion to them.
  while (count > 0 && go_on) {
    std::vector<uint64_t> draws(std::min(count, std::max(size(), kMaxPackedElements)));
    for (uint64_t& draw : draws) draw = random.Uniform(size());
    count -= draws.size();
    std::vector<uint64_t> places = draws;
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    std::vector<std::string> members;
    uint64_t place = 0;
    ForEach([&](std::string_view member) {
      if (place++ == places[members.size()]) members.emplace_back(member);
      return members.size() < places.size();
    });
    for (size_t i = 0; i < draws.size() && go_on; ++i) {
      const auto at = std::lower_bound(places.begin(), places.end(), draws[i]);
      go_on = visit(members[static_cast<size_t>(at - places.begin())]);
    }
  }
}

std::string_view SetEncoding(const CollectionHeader& header, const EncodingLimits& limits) {
  return (header.traits & kOtherThanIntegers) == 0 &&
                 header.peak_count <= limits.set_max_intset_entries
             ? "intset"
             : "hashtable";
}

WritableSet::WritableSet(WritableElements elements) : elements_(std::move(elements)) {
  const WritableCollection& collection = elements_.collection();
  if (!collection.header().spread()) return;
  std::string_view rest = collection.rest();
  CHECK_MSG(TakeVarint(&rest, &erased_) && rest.empty(), "a set's record is damaged");
}

Result<WritableSet> WritableSet::Open(engine::Txn& txn, int db, std::string_view key) {
  Result<WritableCollection> opened = WritableCollection::Open(txn, db, key, Type::kSet);
  if (!opened.ok()) return opened.status();
  return WritableSet(WritableElements(std::move(*opened)));
}

WritableSet WritableSet::Replace(engine::Txn& txn, int db, std::string_view key) {
  WritableKey(txn, db, key).Vacate();
  return std::move(*Open(txn, db, key));
}

bool WritableSet::Add(std::string_view member) {
  if (elements_.Contains(member)) return false;
  AddNew(member);
  return true;
}

void WritableSet::AddNew(std::string_view member) {
  Saw(member);
  const bool integers = (elements_.collection().header().traits & kOtherThanIntegers) == 0;
  const std::vector<Element>& packed = elements_.packed();
  elements_.Insert(integers ? PlaceOf(packed, member) : packed.size(), member, {});
}

bool WritableSet::Remove(std::string_view member) {
  if (!elements_.Erase(member)) return false;
  if (elements_.collection().header().spread()) ++erased_;
  return true;
}

void WritableSet::Save() {
  const uint64_t count = elements_.count();
  if (elements_.collection().header().spread() && count > 0 && count <= kMaxRenewed &&
      erased_ / kRenewErased >= count) {
    Renew();
  }
  std::string rest;
  PutVarint(&rest, erased_);
  elements_.Save(std::nullopt, rest);
}

void WritableSet::Renew() {
  const WritableCollection& collection = elements_.collection();
  Elements(collection.txn(), collection.header(), {})
      .ForEach([&](std::string_view member, std::string_view) {
        renewed_.emplace_back(member);
        return true;
      });
  elements_.Clear();
  erased_ = 0;
  for (const std::string& member : renewed_) AddNew(member);
}

void WritableSet::Saw(std::string_view member) {
  if (!IsInteger(member)) elements_.collection().header().traits |= kOtherThanIntegers;
}

void WritableSet::SawAll(const Set& other) {
  CollectionHeader& header = elements_.collection().header();
  header.peak_count = std::max(header.peak_count, other.size());
  other.ForEach([&](std::string_view member) {
    Saw(member);
    return (header.traits & kOtherThanIntegers) == 0;
  });
}

Result<std::vector<std::string>> PopMembers(engine::Txn& txn, int db, std::string_view key,
                                            uint64_t count) {
  Result<Set> found = Set::Find(txn, db, key);
  if (!found.ok()) return found.status();
  std::vector<std::string> popped;
  if (count >= found->size()) {
    popped.reserve(found->size());
    found->ForEach([&](std::string_view member) {
      popped.emplace_back(member);
      return true;
    });
    WritableKey(txn, db, key).Delete();
    return popped;
  }
  const uint64_t stay = found->size() - count;
  popped.reserve(count);
  if (stay * kPopByStaying > count) {
    found->PickDistinct(count, txn.random(), [&](std::string_view member) {
      popped.emplace_back(member);
      return true;
    });
    Result<WritableSet> set = WritableSet::Open(txn, db, key);
    for (const std::string& member : popped) set->Remove(member);
    set->Save();
    return popped;
  }
  const std::vector<uint64_t> places = RandomSubset(found->size(), stay, txn.random());
  std::vector<std::string> staying;
  uint64_t place = 0;
  found->ForEach([&](std::string_view member) {
    const bool stays = staying.size() < places.size() && places[staying.size()] == place++;
    (stays ? staying : popped).emplace_back(member);
    return true;
  });
  const std::optional<int64_t> deadline_ms = Find(txn, db, key)->header().deadline_ms;
  WritableSet set = WritableSet::Replace(txn, db, key);
  for (const std::string& member : staying) set.AddNew(member);
  set.Save();
  if (deadline_ms) WritableKey(txn, db, key).SetDeadline(deadline_ms);
  return popped;
}

Status CheckSet(const engine::View& view, const CollectionHeader& collection,
                std::string_view rest) {
  const bool integers = (collection.traits & kOtherThanIntegers) == 0;
  if (collection.spread()) {
    uint64_t erased = 0;
    if (!TakeVarint(&rest, &erased)) return Status::Corruption("a spread set's record is cut off");
  }
  std::optional<int64_t> last;
  return CheckElements(view, collection, rest,
                       [&](std::string_view member, std::string_view value) -> Status {
                         if (!value.empty()) return Status::Corruption("a member with a value");
                         if (!integers) return Status::Ok();
                         int64_t number = 0;
                         if (!ParseInt64(member, &number)) {
                           return Status::Corruption("a member that is no integer among integers");
                         }
                         if (!collection.spread() && last && *last >= number) {
                           return Status::Corruption("integers out of their order");
                         }
                         last = number;
                         return Status::Ok();
                       });
}

}  // namespace metastore::types
