#include "resp/value.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/random.h"
#include "resp/writer.h"

namespace metastore::resp {
namespace {

using namespace std::string_literals;

Value Parsed(std::string_view bytes) {
  Value value;
  std::string error;
  EXPECT_EQ(ParseValue(&bytes, &value, &error), ParseResult::kValue) << error;
  EXPECT_EQ(bytes, "");
  return value;
}

std::string ErrorOf(std::string_view bytes) {
  std::string_view rest = bytes;
  Value value = Value::Integer(77);
  std::string error;
  EXPECT_EQ(ParseValue(&rest, &value, &error), ParseResult::kError);
  EXPECT_EQ(rest, bytes);
  EXPECT_EQ(value, Value::Integer(77));
  return error;
}

TEST(ValueTest, Resp2TypesAreRead) {
  EXPECT_EQ(Parsed("+OK\r\n"), Value::SimpleString("OK"));
  EXPECT_EQ(Parsed("-ERR x\r\n"), Value::Error("ERR x"));
  EXPECT_EQ(Parsed(":-12\r\n"), Value::Integer(-12));
  EXPECT_EQ(Parsed("$4\r\na\r\n\0\r\n"s), Value::Bulk("a\r\n\0"s));
  EXPECT_EQ(Parsed("$0\r\n\r\n"), Value::Bulk(""));
  EXPECT_EQ(Parsed("$-1\r\n"), Value::Null());
  EXPECT_EQ(Parsed("*-1\r\n").type, Type::kNullArray);
  EXPECT_EQ(Parsed("*0\r\n"), Value::Array({}));
  EXPECT_EQ(Parsed("*2\r\n*1\r\n:1\r\n$1\r\na\r\n"),
            Value::Array({Value::Array({Value::Integer(1)}), Value::Bulk("a")}));
}

TEST(ValueTest, Resp3TypesAreRead) {
  EXPECT_EQ(Parsed("_\r\n"), Value::Null());
  EXPECT_EQ(Parsed("#t\r\n"), (Value{Type::kBool, 1, {}, {}}));
  EXPECT_EQ(Parsed(",1.5\r\n"), (Value{Type::kDouble, 0, "1.5", {}}));
  EXPECT_EQ(Parsed(",-inf\r\n"), (Value{Type::kDouble, 0, "-inf", {}}));
  EXPECT_EQ(Parsed(",nan\r\n"), (Value{Type::kDouble, 0, "nan", {}}));
  EXPECT_EQ(Parsed("(-12345678901234567890\r\n"),
            (Value{Type::kBigNumber, 0, "-12345678901234567890", {}}));
  EXPECT_EQ(Parsed("!5\r\nERR x\r\n"), Value::Error("ERR x"));
  EXPECT_EQ(Parsed("=7\r\ntxt:a\nb\r\n"), (Value{Type::kVerbatim, 0, "txt:a\nb", {}}));
  EXPECT_EQ(Parsed("%1\r\n+k\r\n:1\r\n"),
            (Value{Type::kMap, 0, {}, {Value::SimpleString("k"), Value::Integer(1)}}));
  EXPECT_EQ(Parsed("~1\r\n:1\r\n"), (Value{Type::kSet, 0, {}, {Value::Integer(1)}}));
  EXPECT_EQ(Parsed(">1\r\n:1\r\n"), (Value{Type::kPush, 0, {}, {Value::Integer(1)}}));
}

TEST(ValueTest, AttributesAreSkippedWhereverTheyStand) {
  EXPECT_EQ(Parsed("|1\r\n+ttl\r\n:5\r\n:1\r\n"), Value::Integer(1));
  EXPECT_EQ(Parsed("|0\r\n:1\r\n"), Value::Integer(1));
  EXPECT_EQ(Parsed("*2\r\n|1\r\n+a\r\n*2\r\n:8\r\n:9\r\n:1\r\n:2\r\n"),
            Value::Array({Value::Integer(1), Value::Integer(2)}));
  EXPECT_EQ(Parsed("|1\r\n|1\r\n:1\r\n:2\r\n+k\r\n+v\r\n*1\r\n:3\r\n"),
            Value::Array({Value::Integer(3)}));
}

TEST(ValueTest, OneValueIsTakenFromTheFront) {
  std::string_view in = ":1\r\n:2\r\n";
  Value value;
  ASSERT_EQ(ParseValue(&in, &value), ParseResult::kValue);
  EXPECT_EQ(in, ":2\r\n");
}

TEST(ValueTest, EveryBeginningOfAValueNeedsMore) {
  const std::string bytes =
      "*6\r\n%1\r\n$1\r\nk\r\n,1.5\r\n~2\r\n#t\r\n_\r\n|1\r\n+a\r\n:1\r\n=5\r\ntxt:x\r\n(12\r\n"
      "!1\r\nE\r\n*0\r\n";
  Parsed(bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::string_view in = std::string_view(bytes).substr(0, size);
    Value value;
    EXPECT_EQ(ParseValue(&in, &value), ParseResult::kNeedMore) << size;
    EXPECT_EQ(in.size(), size);
  }
}

TEST(ValueTest, BytesThatAreNoReplyAreRefused) {
  EXPECT_EQ(ErrorOf("x\r\n"), "unknown type byte");
  EXPECT_EQ(ErrorOf(":\r\n"), "bad integer");
  EXPECT_EQ(ErrorOf(":1x\r\n"), "bad integer");
  EXPECT_EQ(ErrorOf("_x\r\n"), "bad null");
  EXPECT_EQ(ErrorOf("#x\r\n"), "bad boolean");
  EXPECT_EQ(ErrorOf(",x\r\n"), "bad double");
  EXPECT_EQ(ErrorOf("(1x\r\n"), "bad big number");
  EXPECT_EQ(ErrorOf("$-2\r\n"), "bad string length");
  EXPECT_EQ(ErrorOf("!-1\r\n"), "bad string length");
  EXPECT_EQ(ErrorOf("$9999999999\r\n"), "bad string length");
  EXPECT_EQ(ErrorOf("$1\r\nab\r\n"), "string without its end");
  EXPECT_EQ(ErrorOf("=3\r\ntxt\r\n"), "bad verbatim string");
  EXPECT_EQ(ErrorOf("*-2\r\n"), "bad count");
  EXPECT_EQ(ErrorOf("%-1\r\n"), "bad count");
}

TEST(ValueTest, NestingIsLimited) {
  std::string deep;
  for (size_t i = 0; i < kMaxValueDepth; ++i) deep += "*1\r\n";
  Parsed(deep + ":1\r\n");
  EXPECT_EQ(ErrorOf(deep + "*1\r\n:1\r\n"), "nested too deeply");
  std::string attributes;
  for (size_t i = 0; i <= kMaxValueDepth; ++i) attributes += "|1\r\n";
  EXPECT_EQ(ErrorOf(attributes), "nested too deeply");
}

TEST(ValueTest, AnAnnouncedCountAllocatesNothing) {
  std::string_view in = "*1000000000\r\n:1\r\n";
  Value value;
  EXPECT_EQ(ParseValue(&in, &value), ParseResult::kNeedMore);
}

TEST(ValueTest, PrintsAsRedisCliDoes) {
  EXPECT_EQ(ToString(Parsed("+OK\r\n")), "OK");
  EXPECT_EQ(ToString(Parsed("-ERR x\r\n")), "(error) ERR x");
  EXPECT_EQ(ToString(Parsed(":1\r\n")), "(integer) 1");
  EXPECT_EQ(ToString(Parsed("$5\r\n\"\\\n\x01z\r\n")), R"("\"\\\n\x01z")");
  EXPECT_EQ(ToString(Parsed("$-1\r\n")), "(nil)");
  EXPECT_EQ(ToString(Parsed("*0\r\n")), "(empty array)");
  EXPECT_EQ(ToString(Parsed("*2\r\n*2\r\n:1\r\n:2\r\n+x\r\n")),
            "1) 1) (integer) 1\n   2) (integer) 2\n2) x");
  EXPECT_EQ(ToString(Parsed("%1\r\n$1\r\nk\r\n*2\r\n:1\r\n:2\r\n")),
            "1# \"k\" => 1) (integer) 1\n   2) (integer) 2");
  EXPECT_EQ(ToString(Parsed("~1\r\n#t\r\n")), "1~ (true)");
  std::string ten = "*10\r\n";
  for (int i = 0; i < 10; ++i) ten += ":0\r\n";
  EXPECT_EQ(ToString(Parsed(ten)).substr(0, 15), " 1) (integer) 0");
}

void WriteRandom(Random& random, int depth, Writer& writer) {
  switch (random.Uniform(depth == 0 ? 8 : 11)) {
    case 0:
      return writer.Bulk(std::string(random.Uniform(20), '\r'));
    case 1:
      return writer.Integer(static_cast<int64_t>(random.Next()));
    case 2:
      return writer.Null();
    case 3:
      return writer.Double(static_cast<double>(random.Next()) / 1e7);
    case 4:
      return writer.Bool(random.OneIn(2));
    case 5:
      return writer.Error("ERR");
    case 6:
      return writer.Verbatim("text");
    case 7:
      return writer.NullArray();
    default: {
      uint64_t count = random.Uniform(4);
      uint64_t kind = random.Uniform(3);
      if (kind == 0) writer.Array(count);
      if (kind == 1) writer.Set(count);
      if (kind == 2) writer.Map(count);
      for (uint64_t i = 0; i < (kind == 2 ? 2 * count : count); ++i) {
        WriteRandom(random, depth - 1, writer);
      }
    }
  }
}

TEST(ValueTest, WhateverTheWriterWritesIsOneValue) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string out;
    Writer writer(&out, 2 + round % 2);
    WriteRandom(random, 5, writer);
    Parsed(out);
    if (testing::Test::HasFailure()) FAIL() << testing::PrintToString(out);
    std::string_view part = std::string_view(out).substr(0, random.Uniform(out.size()));
    Value value;
    ASSERT_EQ(ParseValue(&part, &value), ParseResult::kNeedMore) << testing::PrintToString(out);
  }
}

TEST(ValueTest, EncodedValuesAreCutFromTheFrontOneByOne) {
  const std::vector<std::string> values = {
      "+OK\r\n",
      ":-1\r\n",
      "$-1\r\n",
      "$0\r\n\r\n",
      "$4\r\n\r\n+1\r\n",
      "*-1\r\n",
      "*0\r\n",
      "*2\r\n*1\r\n:1\r\n$1\r\na\r\n",
      "%1\r\n+k\r\n~2\r\n,1.5\r\n#t\r\n",
      "|1\r\n+k\r\n+v\r\n*1\r\n_\r\n",
      "=5\r\ntxt:a\r\n",
      "!3\r\nERR\r\n",
      "(123\r\n",
  };
  std::string all;
  for (const std::string& value : values) all += value;
  std::string_view in = all;
  for (const std::string& value : values) EXPECT_EQ(TakeEncoded(&in), value);
  EXPECT_TRUE(in.empty());
}

}  // namespace
}  // namespace metastore::resp
