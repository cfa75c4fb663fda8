#include "tests/commands/harness.h"

namespace metastore::test {
namespace {

const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kSyntax[] = "ERR syntax error";
const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kMaxInt[] = "9223372036854775807";
const char kMinInt[] = "-9223372036854775808";

class StringCommandTest : public CommandTest {};

TEST_F(StringCommandTest, GetReturnsWhatSetStored) {
  EXPECT_EQ(Run({"SET", "k", "v"}), Ok());
  EXPECT_EQ(Run({"get", "k"}), Bulk("v"));
  EXPECT_EQ(Run({"GET", "other"}), Null());
  EXPECT_EQ(Run({"SET", std::string("a\0b\r\n", 5), std::string("\0\xff\r\n", 4)}), Ok());
  EXPECT_EQ(Run({"GET", std::string("a\0b\r\n", 5)}), Bulk(std::string("\0\xff\r\n", 4)));
  EXPECT_EQ(Run({"SET", "", ""}), Ok());
  EXPECT_EQ(Run({"GET", ""}), Bulk(""));
}

TEST_F(StringCommandTest, NullIsSpelledByTheProtocol) {
  EXPECT_EQ(RunRaw({"GET", "k"}), "$-1\r\n");
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"GET", "k"}), "_\r\n");
  EXPECT_EQ(RunRaw({"MGET", "k"}), "*1\r\n_\r\n");
  EXPECT_EQ(RunRaw({"LCS", "a", "b", "IDX"}), "%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n");
  protocol_ = 2;
  EXPECT_EQ(RunRaw({"LCS", "a", "b", "IDX"}), "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n");
}

TEST_F(StringCommandTest, WrongNumbersOfArgumentsAreNamed) {
  EXPECT_EQ(Run({"GET"}), Error("ERR wrong number of arguments for 'get' command"));
  EXPECT_EQ(Run({"MSET", "a", "1", "b"}),
            Error("ERR wrong number of arguments for 'mset' command"));
  EXPECT_EQ(Run({"MSETNX", "a", "1", "b"}),
            Error("ERR wrong number of arguments for 'msetnx' command"));
}

TEST_F(StringCommandTest, SetConditionsLookAtTheOldKey) {
  EXPECT_EQ(Run({"SET", "k", "1", "XX"}), Null());
  EXPECT_EQ(Run({"SET", "k", "1", "nx"}), Ok());
  EXPECT_EQ(Run({"SET", "k", "2", "NX"}), Null());
  EXPECT_EQ(Run({"GET", "k"}), Bulk("1"));
  EXPECT_EQ(Run({"SET", "k", "3", "XX"}), Ok());
  EXPECT_EQ(Run({"GET", "k"}), Bulk("3"));
}

TEST_F(StringCommandTest, SetWithGetRepliesTheOldValueWhetherOrNotItStores) {
  EXPECT_EQ(Run({"SET", "k", "1", "NX", "GET"}), Null());
  EXPECT_EQ(Run({"GET", "k"}), Bulk("1"));
  EXPECT_EQ(Run({"SET", "k", "2", "GET", "NX"}), Bulk("1"));
  EXPECT_EQ(Run({"GET", "k"}), Bulk("1"));
  EXPECT_EQ(Run({"SET", "k", "2", "GET"}), Bulk("1"));
  EXPECT_EQ(Run({"SET", "none", "2", "GET", "XX"}), Null());
  EXPECT_EQ(Run({"EXISTS", "none"}), Int(0));
  PutList("list");
  EXPECT_EQ(Run({"SET", "list", "x", "GET"}), Error(kWrongType));
  EXPECT_EQ(Run({"TYPE", "list"}), resp::Value::SimpleString("list"));
}

TEST_F(StringCommandTest, SetReplacesAnyType) {
  PutList("list");
  EXPECT_EQ(Run({"SET", "list", "x"}), Ok());
  EXPECT_EQ(Run({"GET", "list"}), Bulk("x"));
  EXPECT_EQ(Run({"DBSIZE"}), Int(1));
}

TEST_F(StringCommandTest, SetOptionsThatContradictAreSyntaxErrors) {
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{"NX", "XX"},
                                             {"XX", "NX"},
                                             {"EX"},
                                             {"PX"},
                                             {"EX", "1", "PX", "1"},
                                             {"EX", "1", "EXAT", "1"},
                                             {"KEEPTTL", "EX", "1"},
                                             {"EX", "1", "KEEPTTL"},
                                             {"PERSIST"},
                                             {"FOO"},
                                             {""}}) {
    std::vector<std::string> command = {"SET", "k", "v"};
    command.insert(command.end(), options.begin(), options.end());
    EXPECT_EQ(Run(command), Error(kSyntax)) << testing::PrintToString(command);
  }
  EXPECT_EQ(Run({"SET", "k", "v", "EX", "1", "EX", "100"}), Ok());
  EXPECT_EQ(Run({"TTL", "k"}), Int(100));
}

TEST_F(StringCommandTest, ExpiryTimesThatMakeNoSenseAreRefused) {
  const std::string error = "ERR invalid expire time in 'set' command";
  for (const char* unit : {"EX", "PX", "EXAT", "PXAT"}) {
    EXPECT_EQ(Run({"SET", "k", "v", unit, "0"}), Error(error)) << unit;
    EXPECT_EQ(Run({"SET", "k", "v", unit, "-1"}), Error(error)) << unit;
    EXPECT_EQ(Run({"SET", "k", "v", unit, "x"}), Error(kNotInteger)) << unit;
    EXPECT_EQ(Run({"SET", "k", "v", unit, "9223372036854775808"}), Error(kNotInteger)) << unit;
  }
  EXPECT_EQ(Run({"SET", "k", "v", "EX", "9223372036854775"}), Error(error));
  EXPECT_EQ(Run({"SET", "k", "v", "EXAT", "9223372036854776"}), Error(error));
  EXPECT_EQ(Run({"SET", "k", "v", "PX", kMaxInt}), Error(error));
  EXPECT_EQ(Run({"SET", "k", "v", "PXAT", kMaxInt}), Ok());
  EXPECT_EQ(Run({"PEXPIRETIME", "k"}), Int(INT64_MAX));
  EXPECT_EQ(Run({"SETEX", "k", "0", "v"}), Error("ERR invalid expire time in 'setex' command"));
  EXPECT_EQ(Run({"PSETEX", "k", "-5", "v"}), Error("ERR invalid expire time in 'psetex' command"));
  EXPECT_EQ(Run({"SETEX", "k", "1.5", "v"}), Error(kNotInteger));
  EXPECT_EQ(Run({"GETEX", "k", "EX", "0"}), Error("ERR invalid expire time in 'getex' command"));
}

TEST_F(StringCommandTest, DeadlinesCountFromTheTimeOfTheEntry) {
  Run({"SET", "ex", "v", "EX", "10"});
  Run({"SET", "px", "v", "PX", "1500"});
  Run({"SET", "exat", "v", "EXAT", std::to_string(kStartMs / 1000 + 5)});
  Run({"SET", "pxat", "v", "PXAT", std::to_string(kStartMs + 1234)});
  Run({"SETEX", "setex", "7", "v"});
  Run({"PSETEX", "psetex", "7", "v"});
  EXPECT_EQ(Run({"PTTL", "ex"}), Int(10000));
  EXPECT_EQ(Run({"PTTL", "px"}), Int(1500));
  EXPECT_EQ(Run({"TTL", "px"}), Int(2));
  EXPECT_EQ(Run({"PTTL", "exat"}), Int(5000));
  EXPECT_EQ(Run({"PTTL", "pxat"}), Int(1234));
  EXPECT_EQ(Run({"TTL", "setex"}), Int(7));
  EXPECT_EQ(Run({"PTTL", "psetex"}), Int(7));
}

TEST_F(StringCommandTest, AKeyIsGoneFromItsDeadlineOn) {
  Run({"SET", "k", "v", "PX", "100"});
  Advance(99);
  EXPECT_EQ(Run({"GET", "k"}), Bulk("v"));
  Advance(1);
  EXPECT_EQ(Run({"GET", "k"}), Null());
  EXPECT_EQ(Run({"TTL", "k"}), Int(-2));
  EXPECT_EQ(Run({"APPEND", "k", "new"}), Int(3));
  EXPECT_EQ(Run({"PTTL", "k"}), Int(-1));
  EXPECT_EQ(Run({"DBSIZE"}), Int(1));
}

TEST_F(StringCommandTest, ADeadlineInThePastDeletesAtOnce) {
  Run({"SET", "k", "old"});
  EXPECT_EQ(Run({"SET", "k", "v", "PXAT", "1"}), Ok());
  EXPECT_EQ(Run({"GET", "k"}), Null());
  EXPECT_EQ(Run({"DBSIZE"}), Int(0));
  Run({"SET", "k", "old"});
  EXPECT_EQ(Run({"GETEX", "k", "EXAT", "1"}), Bulk("old"));
  EXPECT_EQ(Run({"DBSIZE"}), Int(0));
}

TEST_F(StringCommandTest, OverwritingDropsTheExpiryUnlessItIsKept) {
  Run({"SET", "k", "v", "EX", "10"});
  EXPECT_EQ(Run({"SET", "k", "w", "KEEPTTL"}), Ok());
  EXPECT_EQ(Run({"TTL", "k"}), Int(10));
  for (const std::vector<std::string>& keeps :
       std::vector<std::vector<std::string>>{{"INCR", "n"},
                                             {"INCRBYFLOAT", "n", "1"},
                                             {"APPEND", "n", "1"},
                                             {"SETRANGE", "n", "0", "1"}}) {
    Run({"SET", "n", "1", "EX", "10"});
    Run(keeps);
    EXPECT_EQ(Run({"TTL", "n"}), Int(10)) << keeps[0];
  }
  for (const std::vector<std::string>& drops : std::vector<std::vector<std::string>>{
           {"SET", "k", "1"}, {"GETSET", "k", "1"}, {"MSET", "k", "1"}}) {
    Run({"SET", "k", "v", "EX", "10"});
    Run(drops);
    EXPECT_EQ(Run({"TTL", "k"}), Int(-1)) << drops[0];
  }
  Run({"DEL", "n"});
  EXPECT_TRUE(txn_.table(engine::Family::kIndex).empty());
}

TEST_F(StringCommandTest, GetExChangesTheExpiryOnlyWhenAsked) {
  EXPECT_EQ(Run({"GETEX", "none", "EX", "0"}), Null());
  Run({"SET", "k", "v"});
  EXPECT_EQ(Run({"GETEX", "k", "PX", "5000"}), Bulk("v"));
  EXPECT_EQ(Run({"PTTL", "k"}), Int(5000));
  EXPECT_EQ(Run({"GETEX", "k"}), Bulk("v"));
  EXPECT_EQ(Run({"PTTL", "k"}), Int(5000));
  EXPECT_EQ(Run({"GETEX", "k", "PERSIST"}), Bulk("v"));
  EXPECT_EQ(Run({"PTTL", "k"}), Int(-1));
  EXPECT_EQ(Run({"GETEX", "k", "PERSIST", "EX", "1"}), Error(kSyntax));
  EXPECT_EQ(Run({"GETEX", "k", "EX", "1", "PERSIST"}), Error(kSyntax));
  EXPECT_EQ(Run({"GETEX", "k", "NX"}), Error(kSyntax));
  EXPECT_EQ(Run({"GETEX", "k", "KEEPTTL"}), Error(kSyntax));
  PutList("list");
  EXPECT_EQ(Run({"GETEX", "list", "EX", "0"}), Error(kWrongType));
}

TEST_F(StringCommandTest, GetDelAndGetSetReturnTheOldValue) {
  EXPECT_EQ(Run({"GETDEL", "k"}), Null());
  EXPECT_EQ(Run({"GETSET", "k", "1"}), Null());
  EXPECT_EQ(Run({"GETSET", "k", "2"}), Bulk("1"));
  EXPECT_EQ(Run({"GETDEL", "k"}), Bulk("2"));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(StringCommandTest, CommandsOnAnotherTypeReplyWrongType) {
  PutList("list");
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"GET", "list"},
                                             {"GETDEL", "list"},
                                             {"GETSET", "list", "v"},
                                             {"GETEX", "list"},
                                             {"APPEND", "list", "v"},
                                             {"STRLEN", "list"},
                                             {"SETRANGE", "list", "0", "v"},
                                             {"SETRANGE", "list", "0", ""},
                                             {"GETRANGE", "list", "0", "1"},
                                             {"SUBSTR", "list", "0", "1"},
                                             {"INCR", "list"},
                                             {"DECRBY", "list", "1"},
                                             {"INCRBYFLOAT", "list", "x"}}) {
    EXPECT_EQ(Run(command), Error(kWrongType)) << command[0];
  }
  EXPECT_EQ(Run({"LCS", "list", "k"}), Error("ERR The specified keys must contain string values"));
  EXPECT_EQ(Run({"MGET", "list"}), Array({Null()}));
  EXPECT_EQ(Run({"SETNX", "list", "v"}), Int(0));
}

TEST_F(StringCommandTest, MSetStoresAllAndMSetNxAllOrNone) {
  EXPECT_EQ(Run({"MSET", "a", "1", "b", "2", "a", "3"}), Ok());
  EXPECT_EQ(Run({"MGET", "a", "b", "c"}), Array({Bulk("3"), Bulk("2"), Null()}));
  EXPECT_EQ(Run({"MSETNX", "c", "4", "a", "5"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "c"}), Int(0));
  EXPECT_EQ(Run({"MSETNX", "c", "4", "c", "5"}), Int(1));
  EXPECT_EQ(Run({"GET", "c"}), Bulk("5"));
  EXPECT_EQ(Run({"SETNX", "c", "6"}), Int(0));
  EXPECT_EQ(Run({"SETNX", "d", "6"}), Int(1));
}

TEST_F(StringCommandTest, GetRangeCountsNegativePositionsFromTheEnd) {
  Run({"SET", "k", "This is a string"});
  EXPECT_EQ(Run({"GETRANGE", "k", "0", "3"}), Bulk("This"));
  EXPECT_EQ(Run({"GETRANGE", "k", "-3", "-1"}), Bulk("ing"));
  EXPECT_EQ(Run({"GETRANGE", "k", "0", "-1"}), Bulk("This is a string"));
  EXPECT_EQ(Run({"SUBSTR", "k", "10", "100"}), Bulk("string"));
  EXPECT_EQ(Run({"GETRANGE", "k", "-100", "2"}), Bulk("Thi"));
  EXPECT_EQ(Run({"GETRANGE", "k", "0", "-100"}), Bulk("T"));
  EXPECT_EQ(Run({"GETRANGE", "k", "-2", "-3"}), Bulk(""));
  EXPECT_EQ(Run({"GETRANGE", "k", "-3", "-100"}), Bulk(""));
  EXPECT_EQ(Run({"GETRANGE", "k", "5", "3"}), Bulk(""));
  EXPECT_EQ(Run({"GETRANGE", "k", kMinInt, kMaxInt}), Bulk("This is a string"));
  EXPECT_EQ(Run({"GETRANGE", "none", "0", "-1"}), Bulk(""));
  EXPECT_EQ(Run({"GETRANGE", "k", "a", "1"}), Error(kNotInteger));
  EXPECT_EQ(Run({"GETRANGE", "k", "1", ""}), Error(kNotInteger));
  Run({"SET", "e", ""});
  EXPECT_EQ(Run({"GETRANGE", "e", "0", "-1"}), Bulk(""));
}

TEST_F(StringCommandTest, SetRangeFillsGapsWithZeros) {
  EXPECT_EQ(Run({"SETRANGE", "k", "3", ""}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  EXPECT_EQ(Run({"SETRANGE", "k", "3", "ab"}), Int(5));
  EXPECT_EQ(Run({"GET", "k"}), Bulk(std::string("\0\0\0ab", 5)));
  EXPECT_EQ(Run({"SETRANGE", "k", "1", "xy"}), Int(5));
  EXPECT_EQ(Run({"GET", "k"}), Bulk(std::string("\0xyab", 5)));
  EXPECT_EQ(Run({"SETRANGE", "k", "100", ""}), Int(5));
  EXPECT_EQ(Run({"SETRANGE", "k", "-1", "a"}), Error("ERR offset is out of range"));
  EXPECT_EQ(Run({"SETRANGE", "k", "x", "a"}), Error(kNotInteger));
}

TEST_F(StringCommandTest, StringsLongerThanTheLimitAreRefused) {
  const std::string error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
  EXPECT_EQ(Run({"SETRANGE", "k", "536870912", "a"}), Error(error));
  EXPECT_EQ(Run({"SETRANGE", "k", kMaxInt, "a"}), Error(error));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  EXPECT_EQ(Run({"SETRANGE", "k", "536870911", "a"}), Int(536870912));
  EXPECT_EQ(Run({"APPEND", "k", "b"}), Error(error));
  EXPECT_EQ(Run({"STRLEN", "k"}), Int(536870912));
}

TEST_F(StringCommandTest, IncrementsWorkOnDecimalIntegersOnly) {
  EXPECT_EQ(Run({"INCR", "n"}), Int(1));
  EXPECT_EQ(Run({"INCRBY", "n", "41"}), Int(42));
  EXPECT_EQ(Run({"DECR", "n"}), Int(41));
  EXPECT_EQ(Run({"DECRBY", "n", "50"}), Int(-9));
  EXPECT_EQ(Run({"GET", "n"}), Bulk("-9"));
  for (const char* text : {"", " 1", "1 ", "01", "+1", "-0", "1.0", "a", "9223372036854775808"}) {
    Run({"SET", "n", text});
    EXPECT_EQ(Run({"INCR", "n"}), Error(kNotInteger)) << text;
    EXPECT_EQ(Run({"INCRBY", "m", text}), Error(kNotInteger)) << text;
    EXPECT_EQ(Run({"DECRBY", "m", text}), Error(kNotInteger)) << text;
  }
}

TEST_F(StringCommandTest, IncrementsThatOverflowChangeNothing) {
  const std::string error = "ERR increment or decrement would overflow";
  Run({"SET", "n", kMaxInt});
  EXPECT_EQ(Run({"INCR", "n"}), Error(error));
  EXPECT_EQ(Run({"DECRBY", "n", "-1"}), Error(error));
  EXPECT_EQ(Run({"GET", "n"}), Bulk(kMaxInt));
  Run({"SET", "n", kMinInt});
  EXPECT_EQ(Run({"DECR", "n"}), Error(error));
  EXPECT_EQ(Run({"INCRBY", "n", kMinInt}), Error(error));
  EXPECT_EQ(Run({"DECRBY", "n", kMinInt}), Error("ERR decrement would overflow"));
  EXPECT_EQ(Run({"INCRBY", "n", kMaxInt}), Int(-1));
}

TEST_F(StringCommandTest, IncrByFloatPrintsWithoutExponentAndTrailingZeros) {
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "10.50"}), Bulk("10.5"));
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "0.1"}), Bulk("10.6"));
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "-5"}), Bulk("5.6"));
  EXPECT_EQ(Run({"SET", "f", "5.0e3"}), Ok());
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "2.0e2"}), Bulk("5200"));
  EXPECT_EQ(Run({"OBJECT", "ENCODING", "f"}), Bulk("embstr"));
  EXPECT_EQ(Run({"INCR", "f"}), Int(5201));
  EXPECT_EQ(Run({"OBJECT", "ENCODING", "f"}), Bulk("int"));
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "x"}), Error("ERR value is not a valid float"));
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "nan"}), Error("ERR value is not a valid float"));
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "inf"}), Error("ERR increment would produce NaN or Infinity"));
  Run({"SET", "f", "abc"});
  EXPECT_EQ(Run({"INCRBYFLOAT", "f", "1"}), Error("ERR value is not a valid float"));
}

TEST_F(StringCommandTest, EncodingsAreThoseOfRedis) {
  auto encoding = [this](const char* key) { return Run({"OBJECT", "ENCODING", key}).text; };
  Run({"SET", "k", "123"});
  EXPECT_EQ(encoding("k"), "int");
  Run({"SET", "k", kMinInt});
  EXPECT_EQ(encoding("k"), "int");
  Run({"SET", "k", "9223372036854775808"});
  EXPECT_EQ(encoding("k"), "embstr");
  Run({"SET", "k", "012"});
  EXPECT_EQ(encoding("k"), "embstr");
  Run({"SET", "k", std::string(44, 'a')});
  EXPECT_EQ(encoding("k"), "embstr");
  Run({"SET", "k", std::string(45, 'a')});
  EXPECT_EQ(encoding("k"), "raw");
  Run({"DEL", "k"});
  Run({"APPEND", "k", "1"});
  EXPECT_EQ(encoding("k"), "int");
  Run({"APPEND", "k", ""});
  EXPECT_EQ(encoding("k"), "raw");
  Run({"COPY", "k", "copy"});
  EXPECT_EQ(encoding("copy"), "raw");
  Run({"RENAME", "copy", "renamed"});
  EXPECT_EQ(encoding("renamed"), "raw");
  Run({"EXPIRE", "renamed", "10"});
  EXPECT_EQ(encoding("renamed"), "raw");
  Run({"INCR", "k"});
  EXPECT_EQ(encoding("k"), "int");
  Run({"SETRANGE", "k", "0", "7"});
  EXPECT_EQ(encoding("k"), "raw");
  Run({"SET", "k", "v"});
  EXPECT_EQ(encoding("k"), "embstr");
  Run({"SETRANGE", "fresh", "0", "7"});
  EXPECT_EQ(encoding("fresh"), "raw");
}

TEST_F(StringCommandTest, LcsFindsTextLengthAndRuns) {
  Run({"MSET", "a", "ohmytext", "b", "mynewtext"});
  EXPECT_EQ(Run({"LCS", "a", "b"}), Bulk("mytext"));
  EXPECT_EQ(Run({"LCS", "a", "b", "LEN"}), Int(6));
  auto pair = [](int64_t x, int64_t y) { return Array({Int(x), Int(y)}); };
  EXPECT_EQ(Run({"LCS", "a", "b", "IDX"}),
            Array({Bulk("matches"),
                   Array({Array({pair(4, 7), pair(5, 8)}), Array({pair(2, 3), pair(0, 1)})}),
                   Bulk("len"), Int(6)}));
  EXPECT_EQ(Run({"LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"}),
            Array({Bulk("matches"), Array({Array({pair(4, 7), pair(5, 8), Int(4)})}), Bulk("len"),
                   Int(6)}));
  EXPECT_EQ(Run({"LCS", "a", "none"}), Bulk(""));
  EXPECT_EQ(Run({"LCS", "a", "b", "IDX", "LEN"}),
            Error("ERR If you want both the length and indexes, please just use IDX."));
  EXPECT_EQ(Run({"LCS", "a", "b", "MINMATCHLEN"}), Error(kSyntax));
  EXPECT_EQ(Run({"LCS", "a", "b", "MINMATCHLEN", "x"}), Error(kNotInteger));
}

TEST_F(StringCommandTest, LcsOfStringsThatAreTooLongIsRefused) {
  Run({"SET", "a", std::string(20000, 'a')});
  Run({"SET", "b", std::string(20000, 'b')});
  EXPECT_EQ(Run({"LCS", "a", "b"}),
            Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
}

}  // namespace
}  // namespace metastore::test
