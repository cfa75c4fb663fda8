#include "types/string.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/memory_txn.h"
#include "tests/support/seed.h"

namespace metastore::types {
namespace {

TEST(StringTest, SubstringAgreesWithRedissRulesForAllSmallPositions) {
  const std::string value = "abcd";
  for (int64_t start = -7; start <= 7; ++start) {
    for (int64_t end = -7; end <= 7; ++end) {
      // GETRANGE as Redis states it: positions, clamped to the string.
      std::string expected;
      int64_t first = start < 0 ? std::max<int64_t>(start + 4, 0) : start;
      int64_t last = std::min<int64_t>(end < 0 ? std::max<int64_t>(end + 4, 0) : end, 3);
      bool backwards = start < 0 && end < 0 && start > end;
      for (int64_t i = first; i <= last && !backwards; ++i) expected += value[i];
      EXPECT_EQ(Substring(value, start, end), expected) << start << ".." << end;
    }
  }
  EXPECT_EQ(Substring("", 0, -1), "");
  EXPECT_EQ(Substring("ab", INT64_MIN, INT64_MAX), "ab");
  EXPECT_EQ(Substring("ab", INT64_MAX, INT64_MIN), "");
}

// The textbook table with a number in every cell, and Redis's walk back over it.
CommonSubsequence TextbookLcs(const std::string& a, const std::string& b) {
  std::vector<std::vector<uint32_t>> table(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1
                                         : std::max(table[i - 1][j], table[i][j - 1]);
    }
  }
  CommonSubsequence result;
  result.length = table[a.size()][b.size()];
  size_t i = a.size();
  size_t j = b.size();
  bool open = false;
  while (i > 0 && j > 0) {
    if (a[i - 1] == b[j - 1]) {
      --i;
      --j;
      result.text.insert(result.text.begin(), a[i]);
      uint32_t x = static_cast<uint32_t>(i);
      uint32_t y = static_cast<uint32_t>(j);
      if (!open) result.runs.push_back({x, x, y, y});
      result.runs.back().a_start = x;
      result.runs.back().b_start = y;
      open = true;
    } else {
      open = false;
      if (table[i - 1][j] > table[i][j - 1]) {
        --i;
      } else {
        --j;
      }
    }
  }
  return result;
}

TEST(StringTest, LcsAgreesWithTheTextbook) {
  const uint64_t seed = test::Seed();
  Random random(seed);
  auto text = [&random] {
    std::string out(random.Uniform(40), ' ');
    for (char& c : out) c = static_cast<char>('a' + random.Uniform(3));
    return out;
  };
  for (int round = 0; round < 2000; ++round) {
    std::string a = text();
    std::string b = text();
    CommonSubsequence expected = TextbookLcs(a, b);
    Result<CommonSubsequence> result = LongestCommonSubsequence(a, b, false);
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result->text, expected.text) << a << " " << b;
    ASSERT_EQ(result->length, expected.length);
    ASSERT_EQ(result->runs.size(), expected.runs.size()) << a << " " << b;
    for (size_t i = 0; i < expected.runs.size(); ++i) {
      ASSERT_EQ(result->runs[i].a_start, expected.runs[i].a_start);
      ASSERT_EQ(result->runs[i].a_end, expected.runs[i].a_end);
      ASSERT_EQ(result->runs[i].b_start, expected.runs[i].b_start);
      ASSERT_EQ(result->runs[i].b_end, expected.runs[i].b_end);
    }
    ASSERT_EQ(LongestCommonSubsequence(a, b, true)->length, expected.length);
  }
}

TEST(StringTest, LcsRefusesTablesAboveTheLimit) {
  // 4 bytes for each of (n + 1) * 2 cells.
  const size_t limit = kMaxStringBytes / 8 - 1;
  EXPECT_TRUE(LongestCommonSubsequence("a", std::string(limit, 'a'), true).ok());
  EXPECT_EQ(LongestCommonSubsequence("a", std::string(limit + 1, 'a'), true).code(),
            Code::kNoSpace);
}

TEST(StringTest, AnIncrementOfAnExpiredKeyStartsAtZeroWithoutExpiry) {
  test::MemoryTxn txn(1000);
  WritableKey(txn, 0, "n").PutString("41", 1500);
  EXPECT_EQ(*IncrementString(txn, 0, "n", 1), 42);
  txn.set_now_ms(1500);
  EXPECT_EQ(*IncrementString(txn, 0, "n", 1), 1);
  EXPECT_FALSE(FindString(txn, 0, "n")->header().deadline_ms.has_value());
}

TEST(StringTest, RefusedOperationsWriteNothing) {
  test::MemoryTxn txn(1000);
  WritableKey(txn, 0, "text").PutString("abc");
  WritableKey(txn, 0, "list")
      .Put(Type::kList, StringForm::kPlain, std::nullopt, std::string(4, '\0'));
  WritableKey(txn, 0, "max").PutString("9223372036854775807");
  const std::string before = txn.Dump();
  EXPECT_EQ(IncrementString(txn, 0, "text", 1).code(), Code::kNotInteger);
  EXPECT_EQ(IncrementString(txn, 0, "max", 1).code(), Code::kOverflow);
  EXPECT_EQ(IncrementString(txn, 0, "list", 1).code(), Code::kWrongType);
  EXPECT_EQ(IncrementStringByFloat(txn, 0, "text", "1").code(), Code::kNotFloat);
  EXPECT_EQ(IncrementStringByFloat(txn, 0, "max", "-inf").code(), Code::kNanOrInfinity);
  EXPECT_EQ(AppendString(txn, 0, "list", "x").code(), Code::kWrongType);
  EXPECT_EQ(OverwriteString(txn, 0, "text", kMaxStringBytes, "x").code(), Code::kStringTooLong);
  EXPECT_EQ(OverwriteString(txn, 0, "text", UINT64_MAX, "x").code(), Code::kStringTooLong);
  EXPECT_EQ(TakeString(txn, 0, "list").code(), Code::kWrongType);
  EXPECT_EQ(TakeString(txn, 0, "none").code(), Code::kNotFound);
  SetOptions want_old;
  want_old.want_old = true;
  EXPECT_EQ(SetString(txn, 0, "list", "v", want_old).code(), Code::kWrongType);
  EXPECT_EQ(txn.Dump(), before);
}

}  // namespace
}  // namespace metastore::types
