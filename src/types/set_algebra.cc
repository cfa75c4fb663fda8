// Intersection, union and difference by one merge: all sets lie in one order, so that what they
// have in common meets. A cursor that is behind skips, which makes the smallest set, and not the
// largest, the price of an intersection.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/parse.h"
#include "types/set.h"

namespace metastore::types {
namespace {

uint64_t PlaceOfNumber(std::string_view member) {
  int64_t number = 0;
  CHECK_MSG(ParseInt64(member, &number), "a set of integers holds another member");
  return static_cast<uint64_t>(number) ^ (uint64_t{1} << 63);
}

std::vector<ElementCursor> Cursors(const std::vector<const Set*>& sets) {
  const bool by_number =
      std::all_of(sets.begin(), sets.end(), [](const Set* set) { return set->PackedIntegers(); });
  std::vector<ElementCursor> cursors;
  cursors.reserve(sets.size());
  for (const Set* set : sets) cursors.push_back(set->Cursor(by_number ? PlaceOfNumber : nullptr));
  return cursors;
}

std::vector<const Set*> Pointers(std::span<const Set> sets) {
  std::vector<const Set*> pointers;
  for (const Set& set : sets) pointers.push_back(&set);
  return pointers;
}

// A heap of cursors that are not at their end.
class Heads {
 public:
  bool empty() const { return heap_.empty(); }
  const ElementCursor& first() const { return *heap_.front(); }

  void Push(ElementCursor* cursor) {
    if (!cursor->Valid()) return;
    heap_.push_back(cursor);
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  ElementCursor* Pop() {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    ElementCursor* cursor = heap_.back();
    heap_.pop_back();
    return cursor;
  }

 private:
  static bool Later(const ElementCursor* a, const ElementCursor* b) { return *a > *b; }

  std::vector<ElementCursor*> heap_;
};

}  // namespace

void Intersect(std::span<const Set> sets, const VisitMember& visit) {
  std::vector<const Set*> by_size = Pointers(sets);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const Set* a, const Set* b) { return a->size() < b->size(); });
  std::vector<ElementCursor> cursors = Cursors(by_size);
  ElementCursor& smallest = cursors.front();
  while (smallest.Valid()) {
    const ElementCursor* ahead = nullptr;
    for (size_t i = 1; i < cursors.size() && ahead == nullptr; ++i) {
      cursors[i].SkipTo(smallest);
      if (!cursors[i].Valid()) return;
      if (cursors[i] != smallest) ahead = &cursors[i];
    }
    if (ahead != nullptr) {
      smallest.SkipTo(*ahead);
    } else {
      if (!visit(smallest.name())) return;
      smallest.Next();
    }
  }
}

void Unite(std::span<const Set> sets, const VisitMember& visit) {
  std::vector<ElementCursor> cursors = Cursors(Pointers(sets));
  Heads heads;
  for (ElementCursor& cursor : cursors) heads.Push(&cursor);
  while (!heads.empty()) {
    ElementCursor* first = heads.Pop();
    if (!visit(first->name())) return;
    while (!heads.empty() && heads.first() == *first) {
      ElementCursor* same = heads.Pop();
      same->Next();
      heads.Push(same);
    }
    first->Next();
    heads.Push(first);
  }
}

void Subtract(std::span<const Set> sets, const VisitMember& visit) {
  std::vector<ElementCursor> cursors = Cursors(Pointers(sets));
  Heads others;
  for (size_t i = 1; i < cursors.size(); ++i) others.Push(&cursors[i]);
  for (ElementCursor& member = cursors.front(); member.Valid(); member.Next()) {
    while (!others.empty() && others.first() < member) {
      ElementCursor* behind = others.Pop();
      behind->SkipTo(member);
      others.Push(behind);
    }
    if (!others.empty() && others.first() == member) continue;
    if (!visit(member.name())) return;
  }
}

}  // namespace metastore::types
