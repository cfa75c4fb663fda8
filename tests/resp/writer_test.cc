#include "resp/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
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

// --- with a sink -----------------------------------------------------------------------------

constexpr size_t kChunkBytes = 1000;

class Chunks : public Sink {
 public:
  void Take(std::string* bytes) override {
    EXPECT_GE(bytes->size(), kChunkBytes);
    largest = std::max(largest, bytes->size());
    taken += *bytes;
    bytes->clear();
    ++chunks;
  }
  void Step() override { ++steps; }

  std::string taken;
  size_t chunks = 0;
  size_t largest = 0;
  size_t steps = 0;
};

void WriteSome(Writer& w) {
  w.Map(300);
  for (int i = 0; i < 300; ++i) {
    w.Bulk("field" + std::to_string(i));
    w.Array(5);
    w.Integer(i);
    w.Double(i / 2.0);
    w.Null();
    w.Verbatim("some text");
    w.Raw("+raw\r\n");
  }
}

TEST(WriterTest, ASinkGetsTheSameBytesInChunksThatEndBehindElements) {
  for (int protocol : {2, 3}) {
    Chunks chunks;
    std::string out;
    Writer writer(&out, protocol, &chunks, kChunkBytes);
    WriteSome(writer);
    EXPECT_EQ(chunks.taken + out, Written(protocol, WriteSome));
    EXPECT_GT(chunks.chunks, 10u);
    EXPECT_LT(chunks.largest, kChunkBytes + 50);
    EXPECT_EQ(chunks.steps, 0u);
  }
}

TEST(WriterTest, ASinkGetsNothingBeforeTheHeaderThatWillBeInserted) {
  Chunks chunks;
  std::string out;
  Writer writer(&out, 2, &chunks, kChunkBytes);
  const std::string element(300, 'x');
  const auto write = [&element](Writer& w) {
    w.Bulk("before");
    const size_t outer = w.Position();
    const size_t same = w.Position();
    for (int i = 0; i < 9; ++i) w.Bulk(element);
    w.ArrayAt(same, 9);
    for (int i = 0; i < 9; ++i) w.Bulk(element);
    const size_t inner = w.Position();
    w.Bulk(element);
    w.SetAt(inner, 1);
    w.MapAt(outer, 6);
  };
  write(writer);
  EXPECT_EQ(chunks.taken, Written(2, write));
  EXPECT_EQ(chunks.chunks, 1u);
  EXPECT_EQ(out, "");
}

// How often the walk was called, too.
std::string WrittenCounted(Writer& writer, std::string* out, Chunks* chunks, size_t elements,
                           int* walks) {
  writer.Array(2);
  WriteCounted(writer, Aggregate::kMap, [&] {
    ++*walks;
    for (size_t i = 0; i < elements; ++i) {
      writer.Array(2);
      writer.Bulk(std::to_string(i));
      WriteCounted(writer, Aggregate::kSet, [&] {
        writer.Bulk(std::string(i % 500, 'y'));
        return size_t{1};
      });
    }
    return elements / 2;
  });
  writer.Bulk("behind");
  return (chunks == nullptr ? "" : chunks->taken) + *out;
}

TEST(WriterTest, ACountedWalkReadsTheSameWithASinkAndIsMadeTwiceOnlyWhereItIsLong) {
  for (int protocol : {2, 3}) {
    for (size_t elements : {0u, 2u, 100u, 800u, 20'000u}) {
      int walks = 0;
      std::string plain_out;
      Writer plain(&plain_out, protocol);
      const std::string wanted = WrittenCounted(plain, &plain_out, nullptr, elements, &walks);
      EXPECT_EQ(walks, 1);
      Chunks chunks;
      std::string out;
      Writer writer(&out, protocol, &chunks, kChunkBytes);
      walks = 0;
      EXPECT_EQ(WrittenCounted(writer, &out, &chunks, elements, &walks), wanted);
      EXPECT_EQ(walks, wanted.size() < kCountedBytes ? 1 : 2);
      EXPECT_LT(chunks.largest, kCountedBytes + 1000);
      EXPECT_EQ(chunks.steps > 0, walks == 2);
    }
  }
}

TEST(WriterTest, AWalkOfKnownLengthIsMadeOnceAndLeavesFromItsStart) {
  Chunks chunks;
  std::string out;
  Writer writer(&out, 3, &chunks, kChunkBytes);
  int walks = 0;
  constexpr size_t kElements = 100'000;
  WriteCounted(writer, Aggregate::kSet, kElements, [&] {
    ++walks;
    for (size_t i = 0; i < kElements; ++i) writer.Integer(1);
    return kElements;
  });
  EXPECT_EQ(walks, 1);
  EXPECT_LT(chunks.largest, kChunkBytes + 10);
  EXPECT_EQ((chunks.taken + out).substr(0, 12), "~100000\r\n:1\r");
  EXPECT_EQ(chunks.taken.size() + out.size(), 9 + 4 * kElements);
  EXPECT_EQ(chunks.steps, 0u);
}

TEST(WriterTest, ASinkIsAskedWhileAWalkWritesNothing) {
  Chunks chunks;
  std::string out;
  Writer writer(&out, 2, &chunks, kChunkBytes);
  for (int i = 0; i < 10'240; ++i) writer.Step();
  EXPECT_EQ(chunks.steps, 10u);
  Writer plain(&out, 2);
  for (int i = 0; i < 10'240; ++i) plain.Step();
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace metastore::resp
