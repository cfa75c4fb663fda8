#include "base/random.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

namespace metastore {
namespace {

// Apply draws from it on every replica: the sequence is part of the log's meaning and may change
// only with the state-machine version.
TEST(RandomTest, TheSequenceOfASeedIsFixed) {
  Random random(0);
  EXPECT_EQ(random.Next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(random.Next(), 0xbf6e1f784956452au);
  EXPECT_EQ(random.Next(), 0x1a5f849d4933e6e0u);
}

TEST(RandomTest, SeedsDiffer) {
  std::set<uint64_t> first;
  for (uint64_t seed = 0; seed < 1000; ++seed) first.insert(Random(seed).Next());
  EXPECT_EQ(first.size(), 1000u);
}

TEST(RandomTest, UniformStaysBelowItsBoundAndReachesAllOfIt) {
  Random random(1);
  int seen[10] = {};
  for (int i = 0; i < 100000; ++i) {
    uint64_t value = random.Uniform(10);
    ASSERT_LT(value, 10u);
    ++seen[value];
  }
  // 10000 each; 5 standard deviations are 475.
  for (int count : seen) EXPECT_NEAR(count, 10000, 475);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Uniform(1), 0u);
  const uint64_t large = (uint64_t{1} << 63) + 1;
  for (int i = 0; i < 1000; ++i) EXPECT_LT(random.Uniform(large), large);
}

TEST(RandomTest, OneInNIsTrueThatOften) {
  Random random(2);
  int hits = 0;
  for (int i = 0; i < 80000; ++i) hits += random.OneIn(8);
  EXPECT_NEAR(hits, 10000, 475);
}

}  // namespace
}  // namespace metastore
