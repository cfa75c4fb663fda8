#include "base/coding.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "base/random.h"

namespace metastore {
namespace {

using namespace std::string_literals;

TEST(CodingTest, FixedIntegersAreBigEndian) {
  std::string out;
  PutBig32(&out, 0x01020304);
  PutBig64(&out, 0x05060708090a0b0c);
  EXPECT_EQ(out, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c");
  EXPECT_EQ(ReadBig32(out.data()), 0x01020304u);
  EXPECT_EQ(ReadBig64(out.data() + 4), 0x05060708090a0b0cu);
}

TEST(CodingTest, VarintsHaveSevenBitsPerByteLowBitsFirst) {
  auto varint = [](uint64_t v) {
    std::string out;
    PutVarint(&out, v);
    return out;
  };
  EXPECT_EQ(varint(0), "\0"s);
  EXPECT_EQ(varint(127), "\x7f");
  EXPECT_EQ(varint(128), "\x80\x01");
  EXPECT_EQ(varint(300), "\xac\x02");
  EXPECT_EQ(varint(std::numeric_limits<uint64_t>::max()), std::string(9, '\xff') + "\x01");
}

TEST(CodingTest, WhatIsPutIsTakenInOrder) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 1000; ++round) {
    uint64_t varint = random.Next() >> random.Uniform(64);
    uint64_t big64 = random.Next();
    uint32_t big32 = static_cast<uint32_t>(random.Next());
    std::string bytes(random.Uniform(300), 'x');
    std::string out;
    PutVarint(&out, varint);
    PutBytes(&out, bytes);
    PutBig64(&out, big64);
    PutBig32(&out, big32);
    out.push_back('\x7e');

    std::string_view in = out;
    uint64_t v64;
    uint32_t v32;
    uint8_t v8;
    std::string_view view;
    ASSERT_TRUE(TakeVarint(&in, &v64));
    ASSERT_EQ(v64, varint);
    ASSERT_TRUE(TakeBytes(&in, &view));
    ASSERT_EQ(view, bytes);
    ASSERT_TRUE(TakeBig64(&in, &v64));
    ASSERT_EQ(v64, big64);
    ASSERT_TRUE(TakeBig32(&in, &v32));
    ASSERT_EQ(v32, big32);
    ASSERT_TRUE(TakeByte(&in, &v8));
    ASSERT_EQ(v8, 0x7e);
    ASSERT_TRUE(in.empty());
    ASSERT_FALSE(TakeByte(&in, &v8));
  }
}

TEST(CodingTest, FieldsThatEndEarlyAreRefused) {
  uint64_t v64;
  uint32_t v32;
  std::string_view view;
  std::string_view in = "\x80\x80";
  EXPECT_FALSE(TakeVarint(&in, &v64));
  in = "1234567";
  EXPECT_FALSE(TakeBig64(&in, &v64));
  in = "123";
  EXPECT_FALSE(TakeBig32(&in, &v32));
  in = "\x05"
       "1234";
  EXPECT_FALSE(TakeBytes(&in, &view));
  in = "";
  EXPECT_FALSE(TakeBytes(&in, &view));
}

TEST(CodingTest, VarintsThatDoNotFit64BitsAreRefused) {
  uint64_t value;
  std::string eleven = std::string(10, '\x80') + "\x01";
  std::string_view in = eleven;
  EXPECT_FALSE(TakeVarint(&in, &value));
  std::string overflow = std::string(9, '\xff') + "\x02";
  in = overflow;
  EXPECT_FALSE(TakeVarint(&in, &value));
}

// A length near 2^64 must not wrap into a small one.
TEST(CodingTest, HugeLengthsAreRefused) {
  std::string bytes;
  PutVarint(&bytes, std::numeric_limits<uint64_t>::max());
  bytes += "abc";
  std::string_view in = bytes;
  std::string_view view;
  EXPECT_FALSE(TakeBytes(&in, &view));
}

}  // namespace
}  // namespace metastore
