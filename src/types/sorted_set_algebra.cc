// By one merge: the elements of all sources lie in one order, so that what they have in common
// meets, and none of them is held in memory.
#include "types/sorted_set_algebra.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace metastore::types {
namespace {

double Weighted(const ScoredSource& source, std::string_view value) {
  return source.weight * source.ScoreOf(value);
}

// Infinity times 0, or less itself, comes to 0, as in Redis.
double NumberOr0(double score) { return std::isnan(score) ? 0 : score; }

double Aggregated(double score, double more, Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kSum:
      return NumberOr0(score + more);
    case Aggregate::kMin:
      return more < score ? more : score;
    case Aggregate::kMax:
      return more > score ? more : score;
  }
  CHECK_MSG(false, "no such aggregate");
}

std::vector<ElementCursor> Cursors(std::span<const ScoredSource> sources) {
  std::vector<ElementCursor> cursors;
  cursors.reserve(sources.size());
  for (const ScoredSource& source : sources) cursors.push_back(source.Cursor());
  return cursors;
}

}  // namespace

uint64_t ScoredSource::size() const {
  return std::visit([](const auto& set) { return set.size(); }, members);
}

ElementCursor ScoredSource::Cursor() const {
  return std::visit([](const auto& set) { return set.Cursor(); }, members);
}

double ScoredSource::ScoreOf(std::string_view value) const {
  return std::holds_alternative<SortedSet>(members) ? SortedSet::ScoreOf(value) : 1;
}

Result<std::optional<ScoredSource>> FindScoredSource(const engine::View& view, int db,
                                                     std::string_view key) {
  Result<SortedSet> sorted = SortedSet::Find(view, db, key);
  if (sorted.ok()) return std::optional<ScoredSource>(ScoredSource{std::move(*sorted)});
  if (sorted.code() == Code::kNotFound) return std::optional<ScoredSource>();
  Result<Set> set = Set::Find(view, db, key);
  if (!set.ok()) return set.status();
  return std::optional<ScoredSource>(ScoredSource{std::move(*set)});
}

void SortBySize(std::vector<ScoredSource>* sources) {
  std::stable_sort(
      sources->begin(), sources->end(),
      [](const ScoredSource& a, const ScoredSource& b) { return a.size() < b.size(); });
}

void UniteScored(std::span<const ScoredSource> sources, Aggregate aggregate,
                 const VisitScored& visit) {
  std::vector<ElementCursor> cursors = Cursors(sources);
  // A heap of those that are not at their end, the nearest on top, and of several that meet the
  // source that comes first.
  std::vector<size_t> heap;
  const auto later = [&](size_t a, size_t b) {
    if (cursors[a] == cursors[b]) return a > b;
    return cursors[a] > cursors[b];
  };
  const auto push = [&](size_t i) {
    if (!cursors[i].Valid()) return;
    heap.push_back(i);
    std::push_heap(heap.begin(), heap.end(), later);
  };
  const auto pop = [&] {
    std::pop_heap(heap.begin(), heap.end(), later);
    const size_t i = heap.back();
    heap.pop_back();
    return i;
  };
  for (size_t i = 0; i < cursors.size(); ++i) push(i);
  std::vector<size_t> meeting;
  while (!heap.empty()) {
    meeting = {pop()};
    const ElementCursor& first = cursors[meeting.front()];
    double score = NumberOr0(Weighted(sources[meeting.front()], first.value()));
    while (!heap.empty() && cursors[heap.front()] == first) {
      const size_t i = pop();
      score = Aggregated(score, NumberOr0(Weighted(sources[i], cursors[i].value())), aggregate);
      meeting.push_back(i);
    }
    if (!visit(first.name(), score)) return;
    for (size_t i : meeting) {
      cursors[i].Next();
      push(i);
    }
  }
}

void IntersectScored(std::span<const ScoredSource> sources, Aggregate aggregate,
                     const VisitScored& visit) {
  std::vector<ElementCursor> cursors = Cursors(sources);
  ElementCursor& first = cursors.front();
  while (first.Valid()) {
    double score = NumberOr0(Weighted(sources.front(), first.value()));
    bool in_all = true;
    for (size_t i = 1; in_all && i < cursors.size(); ++i) {
      cursors[i].SkipTo(first);
      if (!cursors[i].Valid()) return;
      in_all = cursors[i] == first;
      if (in_all) {
        score = Aggregated(score, Weighted(sources[i], cursors[i].value()), aggregate);
      } else {
        first.SkipTo(cursors[i]);
      }
    }
    if (!in_all) continue;
    if (!visit(first.name(), score)) return;
    first.Next();
  }
}

void SubtractScored(std::span<const ScoredSource> sources, const VisitScored& visit) {
  std::vector<ElementCursor> cursors = Cursors(sources);
  ElementCursor& first = cursors.front();
  for (; first.Valid(); first.Next()) {
    const bool elsewhere =
        std::any_of(cursors.begin() + 1, cursors.end(), [&](ElementCursor& cursor) {
          cursor.SkipTo(first);
          return cursor.Valid() && cursor == first;
        });
    if (!elsewhere && !visit(first.name(), sources.front().ScoreOf(first.value()))) return;
  }
}

}  // namespace metastore::types
