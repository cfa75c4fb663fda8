#include "engine/entry_weight.h"

#include <gtest/gtest.h>

#include <string>

namespace metastore::engine {
namespace {

constexpr uint64_t kMegabyte = 1 << 20;

TEST(EntryWeightTest, ALargeValueCountsOnceHoweverOftenItIsWritten) {
  EntryWeight weight;
  for (int i = 0; i < 100; ++i) weight.Put(Family::kMeta, "key", kMegabyte + i);
  EXPECT_GT(weight.bytes(), kMegabyte);
  EXPECT_LT(weight.bytes(), kMegabyte + 100 * 100);
  weight.Put(Family::kMeta, "other", kMegabyte);
  weight.Put(Family::kData, "key", kMegabyte);
  EXPECT_GT(weight.bytes(), 3 * kMegabyte);
  // What takes its place leaves little of it.
  weight.Delete(Family::kMeta, "key");
  weight.Put(Family::kData, "key", 1);
  EXPECT_LT(weight.bytes(), kMegabyte + 200 * 100);
}

TEST(EntryWeightTest, EveryOtherWriteCountsEachTime) {
  EntryWeight weight;
  for (int i = 0; i < 1000; ++i) weight.Put(Family::kMeta, "key", 1000);
  EXPECT_GT(weight.bytes(), 1000u * 1000);
  const uint64_t before = weight.bytes();
  weight.Delete(Family::kData, std::string(500, 'k'));
  EXPECT_GT(weight.bytes(), before + 500);
  weight.Begin();
  EXPECT_EQ(weight.bytes(), 0u);
}

}  // namespace
}  // namespace metastore::engine
