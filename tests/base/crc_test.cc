#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/crc16.h"
#include "base/crc32c.h"
#include "base/crc64.h"
#include "base/random.h"

namespace metastore {
namespace {

TEST(Crc16Test, MatchesThePublishedCheckValue) {
  EXPECT_EQ(Crc16("123456789"), 0x31c3);
  EXPECT_EQ(Crc16(""), 0);
}

TEST(Crc64Test, MatchesTheValueThatRedisTestsFor) {
  EXPECT_EQ(Crc64("123456789"), 0xe9c6d914c4b8d9ca);
  EXPECT_EQ(Crc64(""), 0u);
}

TEST(Crc64Test, PartsAreTheWhole) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes.push_back(static_cast<char>(i * 37));
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const std::string_view all = bytes;
    EXPECT_EQ(ExtendCrc64(Crc64(all.substr(0, cut)), all.substr(cut)), Crc64(all)) << cut;
  }
}

// Values of CLUSTER KEYSLOT.
TEST(Crc16Test, SlotsAreThoseOfRedisCluster) {
  EXPECT_EQ(KeySlot("123456789"), 12739);
  EXPECT_EQ(KeySlot("foo"), 12182);
  EXPECT_EQ(KeySlot("bar"), 5061);
  EXPECT_EQ(KeySlot(""), 0);
}

TEST(Crc16Test, OnlyAHashTagCounts) {
  EXPECT_EQ(KeySlot("{foo}"), KeySlot("foo"));
  EXPECT_EQ(KeySlot("a{foo}b"), KeySlot("foo"));
  EXPECT_EQ(KeySlot("a{foo}{bar}"), KeySlot("foo"));
  EXPECT_EQ(KeySlot("a{{foo}}b"), KeySlot("{foo"));
  EXPECT_EQ(KeySlot("}a{foo}"), KeySlot("foo"));
}

TEST(Crc16Test, WithoutAWholeTagTheKeyCounts) {
  EXPECT_EQ(KeySlot("foo{}{bar}"), Crc16("foo{}{bar}") & 0x3fff);
  EXPECT_EQ(KeySlot("foo{bar"), Crc16("foo{bar") & 0x3fff);
  EXPECT_EQ(KeySlot("foo}bar{"), Crc16("foo}bar{") & 0x3fff);
}

// RFC 3720, B.4.
TEST(Crc32cTest, MatchesThePublishedVectors) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string up;
  std::string down;
  for (int i = 0; i < 32; ++i) {
    up.push_back(static_cast<char>(i));
    down.push_back(static_cast<char>(31 - i));
  }
  EXPECT_EQ(Crc32c(up), 0x46dd794eu);
  EXPECT_EQ(Crc32c(down), 0x113fdb5cu);
}

TEST(Crc32cTest, InstructionAndTableAgreeOnAnySplitAndAlignment) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes.push_back(static_cast<char>(random.Next()));
  for (int round = 0; round < 2000; ++round) {
    size_t begin = random.Uniform(64);
    std::string_view part =
        std::string_view(bytes).substr(begin, random.Uniform(random.OneIn(2) ? 40 : 4000));
    uint32_t crc = Crc32c(part);
    ASSERT_EQ(internal::ExtendCrc32cTable(0, part), crc);
    size_t cut = random.Uniform(part.size() + 1);
    ASSERT_EQ(ExtendCrc32c(Crc32c(part.substr(0, cut)), part.substr(cut)), crc);
    ASSERT_EQ(internal::ExtendCrc32cTable(Crc32c(part.substr(0, cut)), part.substr(cut)), crc);
  }
}

TEST(Crc32cTest, EveryFlippedBitChangesIt) {
  std::string bytes = "a frame of some bytes";
  const uint32_t crc = Crc32c(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_NE(Crc32c(bytes), crc) << bit;
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
}

}  // namespace
}  // namespace metastore
