// Union, intersection and difference of sorted sets and sets, whose members all have the score 1.
//
// Sums of floating-point numbers depend on the order of their terms: it is that of the sources, and
// who wants Redis's results sorts them by size first, as SortBySize does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "types/set.h"
#include "types/sorted_set.h"

namespace metastore::types {

struct ScoredSource {
  std::variant<SortedSet, Set> members;
  double weight = 1;

  uint64_t size() const;
  ElementCursor Cursor() const;
  double ScoreOf(std::string_view value) const;
};

// None where there is no such key. kWrongType.
Result<std::optional<ScoredSource>> FindScoredSource(const engine::View& view, int db,
                                                     std::string_view key);

// The smallest first; those of one size stay in their order.
void SortBySize(std::vector<ScoredSource>* sources);

enum class Aggregate : uint8_t { kSum, kMin, kMax };

// Each visits a member once, in no particular order; there must be a source.
void UniteScored(std::span<const ScoredSource> sources, Aggregate aggregate,
                 const VisitScored& visit);
void IntersectScored(std::span<const ScoredSource> sources, Aggregate aggregate,
                     const VisitScored& visit);
// The members of the first that are in none of the others, with its scores.
void SubtractScored(std::span<const ScoredSource> sources, const VisitScored& visit);

}  // namespace metastore::types
