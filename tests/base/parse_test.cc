#include "base/parse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "base/format.h"
#include "base/random.h"

namespace metastore {
namespace {

using namespace std::string_literals;

// The text of what was parsed, or "no": one line per case.
std::string Int(std::string_view text) {
  int64_t value = 77;
  if (ParseInt64(text, &value)) return FormatInt64(value);
  EXPECT_EQ(value, 77);
  return "no";
}
std::string Double(std::string_view text) {
  double value = 77;
  if (ParseDouble(text, &value)) return FormatDouble(value);
  EXPECT_EQ(value, 77);
  return "no";
}
std::string LongDouble(std::string_view text) {
  long double value = 77;
  if (ParseLongDouble(text, &value)) return FormatLongDouble(value);
  EXPECT_EQ(value, 77);
  return "no";
}
std::string Memory(std::string_view text) {
  uint64_t bytes = 77;
  if (ParseMemorySize(text, &bytes)) return std::to_string(bytes);
  EXPECT_EQ(bytes, 77u);
  return "no";
}

TEST(ParseTest, IntegersHaveOneSpelling) {
  for (const char* text : {"0", "1", "-1", "10", "-10", "9223372036854775807",
                           "-9223372036854775808", "1000000000000000000"}) {
    EXPECT_EQ(Int(text), text);
  }
  for (const char* text : {"",
                           "-",
                           "+1",
                           "01",
                           "-01",
                           "00",
                           "-0",
                           " 1",
                           "1 ",
                           "1.0",
                           "1e3",
                           "0x1",
                           "a",
                           "1a",
                           "--1",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "18446744073709551616",
                           "99999999999999999999",
                           "100000000000000000000"}) {
    EXPECT_EQ(Int(text), "no") << text;
  }
  EXPECT_EQ(Int("1\0"s), "no");
}

TEST(ParseTest, UnsignedIntegersReachTheirWholeRange) {
  uint64_t value = 7;
  EXPECT_TRUE(ParseUint64("18446744073709551615", &value));
  EXPECT_EQ(value, std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(ParseUint64("0", &value));
  EXPECT_EQ(value, 0u);
  for (const char* text : {"18446744073709551616", "99999999999999999999", "-1", "", "01", "+1"}) {
    EXPECT_FALSE(ParseUint64(text, &value)) << text;
  }
  EXPECT_EQ(value, 0u);
}

TEST(ParseTest, EveryIntegerReadsBack) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int i = 0; i < 10000; ++i) {
    int64_t value = static_cast<int64_t>(random.Next() >> random.Uniform(64));
    if (random.OneIn(2)) value = -value;
    int64_t back;
    ASSERT_TRUE(ParseInt64(FormatInt64(value), &back)) << value;
    ASSERT_EQ(back, value);
  }
}

TEST(ParseTest, DoublesAreWhatStrtodTakesWithoutSpaces) {
  EXPECT_EQ(Double("1.5"), "1.5");
  EXPECT_EQ(Double("+1.5"), "1.5");
  EXPECT_EQ(Double("-.5"), "-0.5");
  EXPECT_EQ(Double("5."), "5");
  EXPECT_EQ(Double("007"), "7");
  EXPECT_EQ(Double("1e3"), "1000");
  EXPECT_EQ(Double("1E+3"), "1000");
  EXPECT_EQ(Double("0x10"), "16");
  EXPECT_EQ(Double("-0x1.8p1"), "-3");
  EXPECT_EQ(Double("inf"), "inf");
  EXPECT_EQ(Double("+INF"), "inf");
  EXPECT_EQ(Double("-iNfinity"), "-inf");
  EXPECT_EQ(Double("-0"), "-0");
  EXPECT_EQ(Double("4.9406564584124654e-324"), "4.9406564584124654e-324");
  EXPECT_EQ(Double(std::string(100, '0') + "1"), "1");
  for (const char* text :
       {"",  " 1", "1 ",   "\t1", "nan",   "NaN",   "-nan",   "nan(1)", "1e",  "e1", ".",
        "-", "+",  "1.5x", "0x",  "infin", "1e309", "-1e309", "1e-400", "1,5", "--1"}) {
    EXPECT_EQ(Double(text), "no") << text;
  }
  EXPECT_EQ(Double("1\0"s), "no");
  EXPECT_EQ(Double("\0"s), "no");
}

TEST(ParseTest, LongDoublesReachFurther) {
  EXPECT_EQ(LongDouble("1.5"), "1.5");
  EXPECT_EQ(LongDouble("3.0e3"), "3000");
  EXPECT_EQ(LongDouble("1e400").size(), 401u);
  EXPECT_EQ(LongDouble("-inf"), "-inf");
  for (const char* text : {"", " 1", "1 ", "nan", "1e5000", "1e-5000", "x"}) {
    EXPECT_EQ(LongDouble(text), "no") << text;
  }
  EXPECT_EQ(LongDouble("1\0"s), "no");
}

TEST(ParseTest, MemorySizesHaveRedisUnits) {
  EXPECT_EQ(Memory("100"), "100");
  EXPECT_EQ(Memory("100b"), "100");
  EXPECT_EQ(Memory("1k"), "1000");
  EXPECT_EQ(Memory("1kb"), "1024");
  EXPECT_EQ(Memory("2M"), "2000000");
  EXPECT_EQ(Memory("64mb"), "67108864");
  EXPECT_EQ(Memory("1g"), "1000000000");
  EXPECT_EQ(Memory("1GB"), "1073741824");
  EXPECT_EQ(Memory("18446744073709551615"), "18446744073709551615");
  for (const char* text :
       {"", "b", "-1", "1.5gb", "1tb", "1 k", "18446744073709551616", "99999999999999gb"}) {
    EXPECT_EQ(Memory(text), "no") << text;
  }
}

TEST(ParseTest, WordsCompareWithoutCase) {
  EXPECT_TRUE(EqualsIgnoreCase("GeT", "gEt"));
  EXPECT_TRUE(EqualsIgnoreCase("", ""));
  EXPECT_FALSE(EqualsIgnoreCase("get", "gett"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`"));
  EXPECT_FALSE(EqualsIgnoreCase("[", "{"));
  EXPECT_FALSE(EqualsIgnoreCase("\xc4", "\xe4"));
}

TEST(FormatTest, DoublesAreShortest) {
  struct Case {
    double value;
    const char* text;
  };
  const Case cases[] = {
      {0, "0"},
      {-0.0, "-0"},
      {1, "1"},
      {-3, "-3"},
      {0.1, "0.10000000000000001"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1.0 / 3, "0.33333333333333331"},
      {100, "100"},
      {123456789.125, "123456789.125"},
      {1e15, "1000000000000000"},
      {9007199254740992, "9007199254740992"},
      {1e16, "10000000000000000"},
      {72057594037927936, "72057594037927936"},
      {99999999999999984, "99999999999999984"},
      {1e17, "1e+17"},
      {1.5e300, "1.5000000000000001e+300"},
      {1e-4, "0.0001"},
      {0.00012345, "0.00012344999999999999"},
      {1e-5, "1.0000000000000001e-05"},
      {-1.25e-7, "-1.2499999999999999e-07"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
      {-std::numeric_limits<double>::max(), "-1.7976931348623157e+308"},
      {std::numeric_limits<double>::denorm_min(), "4.9406564584124654e-324"},
      {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
      {INFINITY, "inf"},
      {-INFINITY, "-inf"},
      {NAN, "nan"},
      {-NAN, "nan"},
  };
  for (const Case& c : cases) EXPECT_EQ(FormatDouble(c.value), c.text);
}

TEST(FormatTest, EveryDoubleReadsBackAndFits) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int i = 0; i < 100000; ++i) {
    uint64_t bits = random.Next();
    double value;
    static_assert(sizeof bits == sizeof value);
    std::memcpy(&value, &bits, sizeof value);
    if (random.OneIn(2)) value = static_cast<double>(random.Next() >> random.Uniform(60)) / 1000;
    if (std::isnan(value) || std::isinf(value)) continue;
    char buffer[kMaxDoubleChars];
    size_t size = FormatDouble(value, buffer);
    ASSERT_LE(size, kMaxDoubleChars);
    double back;
    ASSERT_TRUE(ParseDouble({buffer, size}, &back)) << std::string(buffer, size);
    ASSERT_EQ(back, value);
    char printed[64];
    std::snprintf(printed, sizeof printed, "%.17g", value);
    ASSERT_EQ(std::string_view(buffer, size), printed);
  }
}

TEST(FormatTest, LongDoublesLoseTrailingZeros) {
  EXPECT_EQ(FormatLongDouble(0), "0");
  EXPECT_EQ(FormatLongDouble(-0.0L), "0");
  EXPECT_EQ(FormatLongDouble(3), "3");
  EXPECT_EQ(FormatLongDouble(100), "100");
  EXPECT_EQ(FormatLongDouble(10.5L), "10.5");
  EXPECT_EQ(FormatLongDouble(-1.25L), "-1.25");
  EXPECT_EQ(FormatLongDouble(0.1L), "0.1");
  EXPECT_EQ(FormatLongDouble(3.0e3L + 200), "3200");
  EXPECT_EQ(FormatLongDouble(1e-18L), "0");
  EXPECT_EQ(FormatLongDouble(-1e-30L), "0");
  EXPECT_EQ(FormatLongDouble(INFINITY), "inf");
  EXPECT_EQ(FormatLongDouble(-INFINITY), "-inf");
  EXPECT_EQ(FormatLongDouble(std::numeric_limits<long double>::max()).size(), 4933u);
}

TEST(FormatTest, IntegersAreWrittenIntoTheBuffer) {
  char buffer[kMaxInt64Chars];
  EXPECT_EQ(std::string(buffer, FormatInt64(std::numeric_limits<int64_t>::min(), buffer)),
            "-9223372036854775808");
  EXPECT_EQ(std::string(buffer, FormatUint64(std::numeric_limits<uint64_t>::max(), buffer)),
            "18446744073709551615");
  std::string out = "x";
  AppendInt64(&out, -7);
  EXPECT_EQ(out, "x-7");
}

}  // namespace
}  // namespace metastore
