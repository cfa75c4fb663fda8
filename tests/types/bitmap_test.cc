#include "types/bitmap.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/memory_txn.h"
#include "tests/support/seed.h"

namespace metastore::types {
namespace {

using Kind = BitfieldOperation::Kind;

// A string as a row of bits, each on its own.
using Model = std::vector<bool>;

Model BitsOf(std::string_view value) {
  Model bits;
  for (char c : value) {
    for (int shift = 7; shift >= 0; --shift) bits.push_back((c >> shift & 1) != 0);
  }
  return bits;
}

std::string BytesOf(const Model& bits) {
  std::string value(bits.size() / 8, '\0');
  for (size_t i = 0; i < bits.size(); ++i) {
    if (bits[i]) value[i / 8] = static_cast<char>(value[i / 8] | 0x80 >> i % 8);
  }
  return value;
}

// Runs of equal bytes, so that words are skipped, between random ones.
std::string RandomValue(Random& random, size_t max_runs) {
  std::string value;
  for (uint64_t runs = random.Uniform(max_runs + 1); runs > 0; --runs) {
    const uint64_t kind = random.Uniform(3);
    const uint64_t length = random.Uniform(40);
    for (uint64_t i = 0; i < length; ++i) {
      value.push_back(kind == 0 ? '\0' : kind == 1 ? '\xff' : static_cast<char>(random.Next()));
    }
  }
  return value;
}

class BitmapTest : public testing::Test {
 protected:
  BitmapTest() : txn_(1000) {}
  std::string Get(std::string_view key) {
    Result<Record> found = FindString(txn_, 0, key);
    return found.ok() ? std::string(found->payload()) : "absent";
  }
  void Put(std::string_view key, std::string_view value) {
    WritableKey(txn_, 0, key).PutString(value);
  }
  test::MemoryTxn txn_;
};

// The range as positions of bits, end excluded; empty when there are none.
std::pair<int64_t, int64_t> ModelRange(const Model& bits, const BitRange& range) {
  const int64_t unit = range.unit == BitUnit::kByte ? 8 : 1;
  const int64_t total = static_cast<int64_t>(bits.size()) / unit;
  auto place = [total](int64_t at) { return at < 0 ? std::max<int64_t>(at + total, 0) : at; };
  const int64_t first = place(range.start);
  const int64_t last = std::min(place(range.end), total - 1);
  if (first > last) return {0, 0};
  return {first * unit, (last + 1) * unit};
}

TEST_F(BitmapTest, CountingAndFindingAgreeWithSingleBits) {
  Random random(test::Seed());
  for (int round = 0; round < 20000; ++round) {
    const std::string value = RandomValue(random, 5);
    const Model bits = BitsOf(value);
    BitRange range;
    range.unit = random.OneIn(2) ? BitUnit::kByte : BitUnit::kBit;
    const uint64_t span = 2 * (range.unit == BitUnit::kByte ? value.size() : bits.size()) + 10;
    if (!random.OneIn(4)) {
      range.start = static_cast<int64_t>(random.Uniform(span)) - static_cast<int64_t>(span / 2);
      range.end = static_cast<int64_t>(random.Uniform(span)) - static_cast<int64_t>(span / 2);
    }
    const auto [first, end] = ModelRange(bits, range);
    EXPECT_EQ(IsEmptyRange(value, range), first == end);
    uint64_t set = 0;
    for (int64_t i = first; i < end; ++i) set += bits[static_cast<size_t>(i)];
    ASSERT_EQ(CountBits(value, range), set) << range.start << ".." << range.end;
    for (bool bit : {false, true}) {
      std::optional<uint64_t> expected;
      for (int64_t i = first; i < end && !expected; ++i) {
        if (bits[static_cast<size_t>(i)] == bit) expected = static_cast<uint64_t>(i);
      }
      ASSERT_EQ(FindBit(value, bit, range), expected) << range.start << ".." << range.end;
    }
  }
}

TEST_F(BitmapTest, CountsOfLongRunsDoNotOverflowTheirSums) {
  for (size_t size : {0, 1, 7, 8, 247, 248, 249, 31 * 8, 32 * 8, 100000}) {
    EXPECT_EQ(CountBits(std::string(size, '\xff'), {}), 8 * size);
    EXPECT_EQ(CountBits(std::string(size, '\x11'), {}), 2 * size);
  }
}

TEST_F(BitmapTest, ExtremePositionsAreCut) {
  EXPECT_EQ(CountBits("\xff\xff", {INT64_MIN, INT64_MAX, BitUnit::kBit}), 16u);
  EXPECT_EQ(CountBits("\xff\xff", {INT64_MAX, INT64_MIN, BitUnit::kByte}), 0u);
  EXPECT_EQ(FindBit("\xff", true, {INT64_MIN, INT64_MAX, BitUnit::kByte}), 0u);
  EXPECT_EQ(FindBit("", false, {}), std::nullopt);
  EXPECT_FALSE(BitAt("\xff", kMaxBits - 1));
}

TEST_F(BitmapTest, SetBitGrowsWithZerosAndKeepsTheExpiry) {
  WritableKey(txn_, 0, "k").PutString("a", 5000);
  EXPECT_FALSE(*SetBit(txn_, 0, "k", 23, true));
  EXPECT_EQ(Get("k"), std::string("a\0\1", 3));
  EXPECT_TRUE(*SetBit(txn_, 0, "k", 23, false));
  EXPECT_EQ(Get("k"), std::string("a\0\0", 3));
  EXPECT_EQ(Find(txn_, 0, "k")->header().deadline_ms, 5000);
  EXPECT_EQ(StringEncoding(*Find(txn_, 0, "k")), "raw");
  EXPECT_FALSE(*SetBit(txn_, 0, "new", 0, false));
  EXPECT_EQ(Get("new"), std::string(1, '\0'));
}

TEST_F(BitmapTest, WhatChangesNoBitIsNoWrite) {
  ASSERT_TRUE(SetBit(txn_, 0, "k", 9, true).ok());
  const uint64_t version = VersionOf(txn_, 0, "k");
  EXPECT_TRUE(*SetBit(txn_, 0, "k", 9, true));
  EXPECT_FALSE(*SetBit(txn_, 0, "k", 2, false));
  const BitfieldOperation get{Kind::kGet, false, 8, 1000, 0, BitfieldOverflow::kWrap};
  EXPECT_EQ((*ApplyBitfield(txn_, 0, "k", {&get, 1}))[0], 0);
  EXPECT_EQ((*ApplyBitfield(txn_, 0, "none", {&get, 1}))[0], 0);
  EXPECT_EQ(VersionOf(txn_, 0, "k"), version);
  EXPECT_FALSE(Exists(txn_, 0, "none"));
  EXPECT_FALSE(*SetBit(txn_, 0, "k", 10, true));
  EXPECT_NE(VersionOf(txn_, 0, "k"), version);
}

TEST_F(BitmapTest, NothingGrowsBeyondTheLongestString) {
  const BitfieldOperation set{Kind::kSet, false, 8, kMaxBits - 1, 1, BitfieldOverflow::kWrap};
  EXPECT_EQ(ApplyBitfield(txn_, 0, "k", {&set, 1}).code(), Code::kStringTooLong);
  EXPECT_FALSE(Exists(txn_, 0, "k"));
}

TEST_F(BitmapTest, AnotherTypeIsRefusedByAll) {
  WritableKey(txn_, 0, "list")
      .Put(Type::kList, StringForm::kPlain, std::nullopt, std::string(4, '\0'));
  const std::string_view sources[] = {"none", "list"};
  BitfieldOperation operation{Kind::kGet, false, 8, 0, 0, BitfieldOverflow::kWrap};
  EXPECT_EQ(SetBit(txn_, 0, "list", 0, true).code(), Code::kWrongType);
  EXPECT_EQ(CombineBits(txn_, 0, BitOperation::kOr, "to", sources).code(), Code::kWrongType);
  EXPECT_EQ(ReadBitfield(txn_, 0, "list", {&operation, 1}).code(), Code::kWrongType);
  EXPECT_EQ(ApplyBitfield(txn_, 0, "list", {&operation, 1}).code(), Code::kWrongType);
  operation.kind = Kind::kSet;
  EXPECT_EQ(ApplyBitfield(txn_, 0, "list", {&operation, 1}).code(), Code::kWrongType);
}

TEST_F(BitmapTest, CombinationsAgreeWithSingleBits) {
  Random random(test::Seed());
  const std::vector<std::string> names = {"a", "b", "c", "absent"};
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string_view> sources;
    std::vector<Model> values;
    size_t longest = 0;
    for (const std::string& name : names) {
      if (name == "absent") continue;
      const std::string value = RandomValue(random, 2);
      if (!value.empty()) Put(name, value);
      if (value.empty()) WritableKey(txn_, 0, name).Delete();
    }
    const auto operation = static_cast<BitOperation>(random.Uniform(4));
    const uint64_t count = operation == BitOperation::kNot ? 1 : 1 + random.Uniform(4);
    for (uint64_t i = 0; i < count; ++i) {
      sources.push_back(names[random.Uniform(names.size())]);
      values.push_back(Exists(txn_, 0, sources.back()) ? BitsOf(Get(sources.back())) : Model());
      longest = std::max(longest, values.back().size());
    }
    Model expected(longest);
    for (size_t i = 0; i < longest; ++i) {
      size_t set = 0;
      for (const Model& value : values) set += i < value.size() && value[i];
      expected[i] = operation == BitOperation::kAnd   ? set == values.size()
                    : operation == BitOperation::kOr  ? set > 0
                    : operation == BitOperation::kXor ? set % 2 == 1
                                                      : set == 0;
    }
    // The target may be one of the sources.
    const std::string target = names[random.Uniform(3)];
    Result<uint64_t> length = CombineBits(txn_, 0, operation, target, sources);
    ASSERT_TRUE(length.ok());
    ASSERT_EQ(*length, longest / 8);
    ASSERT_EQ(Get(target), longest == 0 ? "absent" : BytesOf(expected));
  }
}

// A field of the model as a number of 128 bits.
__int128 ModelField(const Model& bits, const BitfieldOperation& operation) {
  __int128 number = 0;
  for (int i = 0; i < operation.bits; ++i) {
    const size_t at = operation.offset + static_cast<size_t>(i);
    number = number * 2 + (at < bits.size() && bits[at] ? 1 : 0);
  }
  const __int128 modulus = __int128{1} << operation.bits;
  if (operation.is_signed && number >= modulus / 2) number -= modulus;
  return number;
}

std::optional<int64_t> RunOnModel(Model* bits, const BitfieldOperation& operation) {
  const __int128 old = ModelField(*bits, operation);
  if (operation.kind == Kind::kGet) return static_cast<int64_t>(old);
  const __int128 modulus = __int128{1} << operation.bits;
  const __int128 max = operation.is_signed ? modulus / 2 - 1 : modulus - 1;
  const __int128 min = operation.is_signed ? -modulus / 2 : 0;
  __int128 wanted = operation.operand;
  if (operation.kind == Kind::kIncrement) wanted += old;
  if (operation.kind == Kind::kSet && !operation.is_signed && wanted < 0) {
    wanted += __int128{1} << 64;
  }
  if (wanted < min || wanted > max) {
    if (operation.overflow == BitfieldOverflow::kFail) return std::nullopt;
    if (operation.overflow == BitfieldOverflow::kWrap) {
      wanted = ((wanted - min) % modulus + modulus) % modulus + min;
    } else {
      wanted = wanted > max ? max : min;
    }
  }
  for (int i = 0; i < operation.bits; ++i) {
    (*bits)[operation.offset + static_cast<size_t>(i)] =
        (wanted >> (operation.bits - 1 - i) & 1) != 0;
  }
  return static_cast<int64_t>(operation.kind == Kind::kSet ? old : wanted);
}

TEST_F(BitmapTest, FieldsAgreeWithSingleBits) {
  Random random(test::Seed());
  Model model;
  for (int round = 0; round < 20000; ++round) {
    if (random.OneIn(100)) {
      WritableKey(txn_, 0, "k").Delete();
      model.clear();
    }
    std::vector<BitfieldOperation> operations(1 + random.Uniform(4));
    for (BitfieldOperation& operation : operations) {
      operation.kind = static_cast<Kind>(random.Uniform(3));
      operation.is_signed = random.OneIn(2);
      operation.bits = static_cast<int>(1 + random.Uniform(operation.is_signed ? 64 : 63));
      operation.offset = random.Uniform(300);
      const uint64_t drawn = random.Next();
      // Near the field's limits, or anything. The lowest numbers have a test of their own.
      operation.operand = static_cast<int64_t>(drawn >> (64 - operation.bits));
      if (random.OneIn(2)) operation.operand = static_cast<int64_t>(drawn);
      if (operation.kind == Kind::kSet && operation.bits < 64) operation.operand /= 2;
      operation.overflow = static_cast<BitfieldOverflow>(random.Uniform(3));
      if (operation.kind != Kind::kGet) {
        const size_t end = (operation.offset + static_cast<size_t>(operation.bits) + 7) / 8 * 8;
        if (model.size() < end) model.resize(end);
      }
    }
    BitfieldResults expected;
    for (const BitfieldOperation& operation : operations) {
      expected.push_back(RunOnModel(&model, operation));
    }
    Result<BitfieldResults> results = ApplyBitfield(txn_, 0, "k", operations);
    ASSERT_TRUE(results.ok());
    ASSERT_EQ(*results, expected);
    ASSERT_EQ(Get("k"), model.empty() ? "absent" : BytesOf(model));
  }
}

TEST_F(BitmapTest, ANumberTooFarBelowAFieldSaturatesUpwardsAsInRedis) {
  BitfieldOperation set{Kind::kSet, true, 8, 0, INT64_MIN, BitfieldOverflow::kSaturate};
  ASSERT_TRUE(ApplyBitfield(txn_, 0, "k", {&set, 1}).ok());
  EXPECT_EQ(Get("k"), "\x7f");
  set.operand = INT64_MIN + 127;
  ASSERT_TRUE(ApplyBitfield(txn_, 0, "k", {&set, 1}).ok());
  EXPECT_EQ(Get("k"), "\x7f");
  set.operand = INT64_MIN + 128;
  ASSERT_TRUE(ApplyBitfield(txn_, 0, "k", {&set, 1}).ok());
  EXPECT_EQ(Get("k"), "\x80");
}

}  // namespace
}  // namespace metastore::types
