// Sorts so much of an array that the places from `first` to `last` hold what they would hold if all
// of it were sorted. What compares equal ends up in the order in which Redis leaves it there, which
// is why this is Bentley and McIlroy's quicksort ("Engineering a Sort Function", 1993), step by
// step, and no std:: algorithm.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace metastore {
namespace partial_sort_internal {

template <class T, class Compare>
size_t Median(std::span<T> items, size_t a, size_t b, size_t c, const Compare& compare) {
  if (compare(items[a], items[b]) < 0) {
    return compare(items[b], items[c]) < 0 ? b : compare(items[a], items[c]) < 0 ? c : a;
  }
  return compare(items[b], items[c]) > 0 ? b : compare(items[a], items[c]) < 0 ? a : c;
}

template <class T, class Compare>
size_t Pivot(std::span<T> items, const Compare& compare) {
  const size_t n = items.size();
  size_t middle = n / 2;
  if (n > 7) {
    size_t low = 0, high = n - 1;
    if (n > 40) {
      const size_t step = n / 8;
      low = Median(items, low, low + step, low + 2 * step, compare);
      middle = Median(items, middle - step, middle, middle + step, compare);
      high = Median(items, high - 2 * step, high - step, high, compare);
    }
    middle = Median(items, low, middle, high, compare);
  }
  return middle;
}

template <class T>
void SwapRuns(std::span<T> items, size_t a, size_t b, size_t n) {
  std::swap_ranges(items.begin() + a, items.begin() + a + n, items.begin() + b);
}

// Moves what is below the pivot to the front and what is above it to the back; returns how many
// there are of each.
template <class T, class Compare>
std::pair<size_t, size_t> Partition(std::span<T> items, const Compare& compare) {
  const size_t n = items.size();
  std::swap(items[0], items[Pivot(items, compare)]);
  // Equal ones gather at both ends: [0, equal_low) and [equal_high, n). [low, high) is unknown.
  size_t equal_low = 1, low = 1, high = n, equal_high = n;
  while (true) {
    for (; low < high; ++low) {
      const int order = compare(items[low], items[0]);
      if (order > 0) break;
      if (order == 0) std::swap(items[equal_low++], items[low]);
    }
    for (; low < high; --high) {
      const int order = compare(items[high - 1], items[0]);
      if (order < 0) break;
      if (order == 0) std::swap(items[high - 1], items[--equal_high]);
    }
    if (low == high) break;
    std::swap(items[low++], items[--high]);
  }
  const size_t below = low - equal_low, above = equal_high - high;
  const size_t from_front = std::min(equal_low, below), from_back = std::min(above, n - equal_high);
  SwapRuns(items, 0, low - from_front, from_front);
  SwapRuns(items, low, n - from_back, from_back);
  return {below, above};
}

}  // namespace partial_sort_internal

// `compare` returns a number below, at or above 0. first <= last < items.size().
template <class T, class Compare>
void PartialSort(std::span<T> items, size_t first, size_t last, const Compare& compare) {
  // No order of the input may make it quadratic. What was partitioned so often without getting
  // small is sorted as a whole.
  size_t depth = 16;
  for (size_t n = items.size(); n > 1; n /= 2) depth += 2;
  struct Run {
    size_t begin, end, depth;
  };
  Run run{0, items.size(), depth};
  std::vector<Run> waiting;
  while (true) {
    std::span<T> part = items.subspan(run.begin, run.end - run.begin);
    if (part.size() < 7) {
      for (size_t i = 1; i < part.size(); ++i) {
        for (size_t j = i; j > 0 && compare(part[j - 1], part[j]) > 0; --j) {
          std::swap(part[j - 1], part[j]);
        }
      }
    } else if (run.depth == 0) {
      std::stable_sort(part.begin(), part.end(),
                       [&compare](const T& a, const T& b) { return compare(a, b) < 0; });
    } else {
      const auto sizes = partial_sort_internal::Partition(part, compare);
      for (const Run& rest : {Run{run.begin, run.begin + sizes.first, run.depth - 1},
                              Run{run.end - sizes.second, run.end, run.depth - 1}}) {
        if (rest.end - rest.begin > 1 && first < rest.end && last >= rest.begin) {
          waiting.push_back(rest);
        }
      }
    }
    if (waiting.empty()) return;
    run = waiting.back();
    waiting.pop_back();
  }
}

}  // namespace metastore
