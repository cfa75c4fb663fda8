#include "base/lzf.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/support/seed.h"

namespace metastore {
namespace {

TEST(LzfTest, LiteralsAndCopiesAreReadBack) {
  std::string out;
  ASSERT_TRUE(DecompressLzf(std::string_view("\x02"
                                             "abc",
                                             4),
                            3, &out));
  EXPECT_EQ(out, "abc");
  // Four bytes from three back, and one from one back thirty times.
  ASSERT_TRUE(DecompressLzf(std::string_view("\x02"
                                             "abc\x40\x02\xe0\x15\x00",
                                             9),
                            37, &out));
  EXPECT_EQ(out, "abcabca" + std::string(30, 'a'));
  ASSERT_TRUE(DecompressLzf("", 0, &out));
  EXPECT_EQ(out, "");
}

TEST(LzfTest, WhatIsNotExactlyThatLongIsRefused) {
  std::string out;
  const std::string_view good(
      "\x02"
      "abc\x40\x02",
      6);
  EXPECT_TRUE(DecompressLzf(good, 7, &out));
  EXPECT_FALSE(DecompressLzf(good, 6, &out));
  EXPECT_FALSE(DecompressLzf(good, 8, &out));
  for (size_t size = 1; size < good.size(); ++size) {
    EXPECT_FALSE(DecompressLzf(good.substr(0, size), 7, &out)) << size;
  }
  EXPECT_FALSE(DecompressLzf(std::string_view("\x02"
                                              "abc\x40\x03",
                                              6),
                             7, &out))
      << "too far back";
  EXPECT_FALSE(DecompressLzf("x", size_t{1} << 60, &out)) << "more than there can be";
}

TEST(LzfTest, AnyBytesAreTakenOrRefused) {
  Random random(test::Seed());
  std::string out;
  for (int i = 0; i < 20'000; ++i) {
    std::string in(random.Uniform(20), '\0');
    for (char& c : in) c = static_cast<char>(random.Uniform(random.Uniform(2) ? 256 : 40));
    const size_t size = random.Uniform(100);
    if (!DecompressLzf(in, size, &out)) continue;
    EXPECT_EQ(out.size(), size);
  }
}

}  // namespace
}  // namespace metastore
