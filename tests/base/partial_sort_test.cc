#include "base/partial_sort.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "tests/support/seed.h"

namespace metastore {
namespace {

struct Item {
  int key;
  int arrival;
};

std::vector<Item> Items(const std::vector<int>& keys) {
  std::vector<Item> items;
  for (int key : keys) items.push_back({key, static_cast<int>(items.size())});
  return items;
}

// Sorts and returns how often it compared.
size_t Sort(std::vector<Item>* items, size_t first, size_t last) {
  size_t compared = 0;
  PartialSort(std::span<Item>(*items), first, last, [&compared](const Item& a, const Item& b) {
    ++compared;
    return a.key - b.key;
  });
  return compared;
}

TEST(PartialSortTest, ThePlacesAskedForHoldWhatASortWouldPutThere) {
  Random random(test::Seed());
  for (int round = 0; round < 2000; ++round) {
    const size_t size = 1 + random.Uniform(round % 10 == 0 ? 2000 : 60);
    const uint64_t different = 1 + random.Uniform(size * 2);
    std::vector<int> keys;
    for (size_t i = 0; i < size; ++i) keys.push_back(static_cast<int>(random.Uniform(different)));
    std::vector<Item> items = Items(keys);
    const size_t first = random.Uniform(size);
    const size_t last = first + random.Uniform(size - first);
    Sort(&items, first, last);
    std::sort(keys.begin(), keys.end());
    for (size_t i = first; i <= last; ++i) ASSERT_EQ(items[i].key, keys[i]) << round;
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return a.arrival < b.arrival; });
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(items[i].arrival, static_cast<int>(i));
  }
}

// What redis-server 7.0.15 shows of SORT … BY with these weights and LIMIT 0 9 and 3 3.
TEST(PartialSortTest, EqualOnesEndUpInRedissOrder) {
  const std::vector<int> keys = {2, 2, 0, 3, 1, 0, 1, 0, 2, 3, 1, 3, 0, 1, 0,
                                 1, 3, 2, 1, 3, 1, 0, 1, 3, 1, 1, 0, 0, 1, 1};
  const auto arrivals = [&keys](size_t first, size_t last) {
    std::vector<Item> items = Items(keys);
    Sort(&items, first, last);
    std::vector<int> arrivals;
    for (size_t i = first; i <= last; ++i) arrivals.push_back(items[i].arrival);
    return arrivals;
  };
  EXPECT_EQ(arrivals(0, 8), (std::vector<int>{7, 14, 26, 12, 27, 5, 2, 21, 29}));
  EXPECT_EQ(arrivals(3, 5), (std::vector<int>{12, 27, 5}));
}

TEST(PartialSortTest, NoOrderOfTheInputMakesItQuadratic) {
  constexpr int kSize = 50'000;
  // McIlroy's adversary: it answers so that the pivot is always among the smallest.
  std::vector<int> keys(kSize, kSize);
  int solid = 0, candidate = 0;
  std::vector<Item> items = Items(keys);
  size_t compared = 0;
  PartialSort(std::span<Item>(items), 0, kSize - 1, [&](const Item& a, const Item& b) {
    ++compared;
    const int x = a.arrival, y = b.arrival;
    if (keys[x] == kSize && keys[y] == kSize) keys[x == candidate ? x : y] = solid++;
    if (keys[x] == kSize) {
      candidate = x;
    } else if (keys[y] == kSize) {
      candidate = y;
    }
    return keys[x] - keys[y];
  });
  EXPECT_LT(compared, size_t{100} * kSize);
}

}  // namespace
}  // namespace metastore
