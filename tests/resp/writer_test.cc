#include "resp/writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

namespace metastore::resp {
namespace {

using namespace std::string_literals;

std::string Written(int protocol, const std::function<void(Writer&)>& write) {
  std::string out;
  Writer writer(&out, protocol);
  write(writer);
  return out;
}

// What both protocols spell, RESP2 first.
#define EXPECT_REPLY(call, resp2, resp3)                     \
  do {                                                       \
    EXPECT_EQ(Written(2, [](Writer& w) { w.call; }), resp2); \
    EXPECT_EQ(Written(3, [](Writer& w) { w.call; }), resp3); \
  } while (0)

TEST(WriterTest, LinesAreTheSameInBothProtocols) {
  EXPECT_REPLY(Ok(), "+OK\r\n", "+OK\r\n");
  EXPECT_REPLY(SimpleString("PONG"), "+PONG\r\n", "+PONG\r\n");
  EXPECT_REPLY(Error("ERR no"), "-ERR no\r\n", "-ERR no\r\n");
  EXPECT_REPLY(Integer(0), ":0\r\n", ":0\r\n");
  EXPECT_REPLY(Integer(9), ":9\r\n", ":9\r\n");
  EXPECT_REPLY(Integer(10), ":10\r\n", ":10\r\n");
  EXPECT_REPLY(Integer(-1), ":-1\r\n", ":-1\r\n");
  EXPECT_REPLY(Integer(std::numeric_limits<int64_t>::min()), ":-9223372036854775808\r\n",
               ":-9223372036854775808\r\n");
  EXPECT_REPLY(Integer(std::numeric_limits<int64_t>::max()), ":9223372036854775807\r\n",
               ":9223372036854775807\r\n");
}

TEST(WriterTest, AnErrorStaysOneLineWhateverIsInIt) {
  EXPECT_REPLY(Error("ERR a\r\nb\tc\x7f"), "-ERR a  b c \r\n", "-ERR a  b c \r\n");
  EXPECT_REPLY(Error("ERR \0 \xc3\xa9"s), "-ERR   \xc3\xa9\r\n", "-ERR   \xc3\xa9\r\n");
}

TEST(WriterTest, BulkStringsCarryAnyBytes) {
  EXPECT_REPLY(Bulk(""), "$0\r\n\r\n", "$0\r\n\r\n");
  EXPECT_REPLY(Bulk("a\r\n\0"s), "$4\r\na\r\n\0\r\n"s, "$4\r\na\r\n\0\r\n"s);
  EXPECT_EQ(Written(2, [](Writer& w) { w.Bulk(std::string(12345, 'x')); }),
            "$12345\r\n" + std::string(12345, 'x') + "\r\n");
  EXPECT_REPLY(BulkInteger(-42), "$3\r\n-42\r\n", "$3\r\n-42\r\n");
}

TEST(WriterTest, Resp3HasOneNullAndResp2Two) {
  EXPECT_REPLY(Null(), "$-1\r\n", "_\r\n");
  EXPECT_REPLY(NullArray(), "*-1\r\n", "_\r\n");
}

TEST(WriterTest, AggregatesAreArraysInResp2) {
  EXPECT_REPLY(Array(0), "*0\r\n", "*0\r\n");
  EXPECT_REPLY(Array(12), "*12\r\n", "*12\r\n");
  EXPECT_REPLY(Map(3), "*6\r\n", "%3\r\n");
  EXPECT_REPLY(Set(3), "*3\r\n", "~3\r\n");
  EXPECT_REPLY(Push(3), "*3\r\n", ">3\r\n");
}

TEST(WriterTest, DoublesAreBulkStringsInResp2) {
  EXPECT_REPLY(Double(0.1), "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n");
  EXPECT_REPLY(Double(3), "$1\r\n3\r\n", ",3\r\n");
  EXPECT_REPLY(Double(-INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
  EXPECT_REPLY(Double(INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
  EXPECT_REPLY(Double(NAN), "$3\r\nnan\r\n", ",nan\r\n");
}

TEST(WriterTest, OtherResp3TypesHaveResp2Forms) {
  EXPECT_REPLY(Bool(true), ":1\r\n", "#t\r\n");
  EXPECT_REPLY(Bool(false), ":0\r\n", "#f\r\n");
  EXPECT_REPLY(BigNumber("123456789012345678901"), "$21\r\n123456789012345678901\r\n",
               "(123456789012345678901\r\n");
  EXPECT_REPLY(Verbatim("a\nb"), "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n");
  EXPECT_REPLY(Verbatim("# b", "mkd"), "$3\r\n# b\r\n", "=7\r\nmkd:# b\r\n");
}

TEST(WriterTest, AHeaderCanBeInsertedOnceItsLengthIsKnown) {
  for (int protocol : {2, 3}) {
    std::string out = "+before\r\n";
    Writer writer(&out, protocol);
    size_t position = writer.Position();
    for (int i = 0; i < 12; ++i) writer.Integer(i % 10);
    std::string elements = out.substr(position);
    writer.ArrayAt(position, 12);
    EXPECT_EQ(out, "+before\r\n*12\r\n" + elements);
    writer.MapAt(0, 1);
    writer.SetAt(0, 2);
    EXPECT_EQ(out.substr(0, 8), protocol == 2 ? "*2\r\n*2\r\n" : "~2\r\n%1\r\n");
  }
}

TEST(WriterTest, RepliesAreAppended) {
  std::string out = "+x\r\n";
  Writer writer(&out, 2);
  writer.Ok();
  writer.Raw(":7\r\n");
  EXPECT_EQ(out, "+x\r\n+OK\r\n:7\r\n");
  writer.set_protocol(3);
  writer.Null();
  EXPECT_EQ(out, "+x\r\n+OK\r\n:7\r\n_\r\n");
}

TEST(WriterTest, ARequestIsAnArrayOfBulkStrings) {
  std::string out;
  WriteCommand(&out, std::vector<std::string>{"SET", "k", ""});
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
  out.clear();
  WriteCommand(&out, std::vector<std::string_view>{"PING"});
  EXPECT_EQ(out, "*1\r\n$4\r\nPING\r\n");
}

}  // namespace
}  // namespace metastore::resp
