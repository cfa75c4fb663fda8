#include "tests/commands/harness.h"

// The expected replies are redis-server 7.0.15's.
namespace metastore::test {
namespace {

const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kSyntax[] = "ERR syntax error";
const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kBadOffset[] = "ERR bit offset is not an integer or out of range";

class BitmapCommandTest : public CommandTest {};

TEST_F(BitmapCommandTest, SetBitRepliesTheOldBit) {
  EXPECT_EQ(Run({"SETBIT", "k", "7", "1"}), Int(0));
  EXPECT_EQ(Run({"SETBIT", "k", "7", "0"}), Int(1));
  EXPECT_EQ(Run({"SETBIT", "k", "1", "1"}), Int(0));
  EXPECT_EQ(Run({"GET", "k"}), Bulk("@"));
  EXPECT_EQ(Run({"GETBIT", "k", "1"}), Int(1));
  EXPECT_EQ(Run({"GETBIT", "k", "4294967295"}), Int(0));
  EXPECT_EQ(Run({"GETBIT", "none", "0"}), Int(0));
  EXPECT_EQ(Run({"OBJECT", "ENCODING", "k"}), Bulk("raw"));
}

TEST_F(BitmapCommandTest, OffsetsAndBitsAreChecked) {
  for (const char* offset : {"-1", "x", "", "4294967296", "1.0", "9223372036854775808", "#1"}) {
    EXPECT_EQ(Run({"SETBIT", "k", offset, "2"}), Error(kBadOffset)) << offset;
    EXPECT_EQ(Run({"GETBIT", "k", offset}), Error(kBadOffset)) << offset;
  }
  for (const char* bit : {"2", "-1", "x", "", "01"}) {
    EXPECT_EQ(Run({"SETBIT", "k", "0", bit}), Error("ERR bit is not an integer or out of range"));
  }
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(BitmapCommandTest, AnotherTypeIsRefusedAfterTheArguments) {
  PutList("l");
  EXPECT_EQ(Run({"SETBIT", "l", "0", "2"}), Error("ERR bit is not an integer or out of range"));
  EXPECT_EQ(Run({"SETBIT", "l", "0", "1"}), Error(kWrongType));
  EXPECT_EQ(Run({"GETBIT", "l", "0"}), Error(kWrongType));
  EXPECT_EQ(Run({"BITCOUNT", "l", "x"}), Error(kWrongType));
  EXPECT_EQ(Run({"BITPOS", "l", "1", "x"}), Error(kWrongType));
  EXPECT_EQ(Run({"BITOP", "AND", "to", "l"}), Error(kWrongType));
  EXPECT_EQ(Run({"BITFIELD", "l", "GET", "u8", "0"}), Error(kWrongType));
  EXPECT_EQ(Run({"BITFIELD", "l", "SET", "u8", "0", "1"}), Error(kWrongType));
  EXPECT_EQ(Run({"BITFIELD_RO", "l", "GET", "u8", "0"}), Error(kWrongType));
}

TEST_F(BitmapCommandTest, BitCountTakesBytesOrBits) {
  Run({"SET", "k", "foobar"});
  EXPECT_EQ(Run({"BITCOUNT", "k"}), Int(26));
  EXPECT_EQ(Run({"BITCOUNT", "k", "0", "0"}), Int(4));
  EXPECT_EQ(Run({"BITCOUNT", "k", "1", "1", "byte"}), Int(6));
  EXPECT_EQ(Run({"BITCOUNT", "k", "5", "30", "BIT"}), Int(17));
  EXPECT_EQ(Run({"BITCOUNT", "k", "-2", "-1"}), Int(7));
  EXPECT_EQ(Run({"BITCOUNT", "k", "-1", "-2"}), Int(0));
  EXPECT_EQ(Run({"BITCOUNT", "k", "5", "2"}), Int(0));
  // Would both be cut to the first byte.
  EXPECT_EQ(Run({"BITCOUNT", "k", "-10", "-20"}), Int(0));
  EXPECT_EQ(Run({"BITCOUNT", "k", "-10", "-20", "no unit"}), Int(0));
}

TEST_F(BitmapCommandTest, AnAbsentKeyAnswersBeforeRangesAreParsed) {
  EXPECT_EQ(Run({"BITCOUNT", "none"}), Int(0));
  EXPECT_EQ(Run({"BITCOUNT", "none", "1"}), Int(0));
  EXPECT_EQ(Run({"BITCOUNT", "none", "x", "y", "z", "more"}), Int(0));
  EXPECT_EQ(Run({"BITPOS", "none", "0", "x"}), Int(0));
  EXPECT_EQ(Run({"BITPOS", "none", "1", "x"}), Int(-1));
  EXPECT_EQ(Run({"BITPOS", "none", "2"}), Error("ERR The bit argument must be 1 or 0."));
  EXPECT_EQ(Run({"BITPOS", "none", "x"}), Error(kNotInteger));
}

TEST_F(BitmapCommandTest, RangesAreParsedInRedissOrder) {
  Run({"SET", "k", "foobar"});
  EXPECT_EQ(Run({"BITCOUNT", "k", "1"}), Error(kSyntax));
  EXPECT_EQ(Run({"BITCOUNT", "k", "x", "2", "z"}), Error(kNotInteger));
  EXPECT_EQ(Run({"BITCOUNT", "k", "1", "2", "z"}), Error(kSyntax));
  EXPECT_EQ(Run({"BITCOUNT", "k", "1", "2", "BIT", "z"}), Error(kSyntax));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "x", "y", "z"}), Error(kNotInteger));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "1", "y", "z"}), Error(kSyntax));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "1", "y", "BIT"}), Error(kNotInteger));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "1", "2", "BIT", "z"}), Error(kSyntax));
}

TEST_F(BitmapCommandTest, BitPosSeesZerosBehindTheStringUnlessTheEndIsGiven) {
  Run({"SET", "k", std::string("\xff\xf0\x00", 3)});
  EXPECT_EQ(Run({"BITPOS", "k", "0"}), Int(12));
  EXPECT_EQ(Run({"BITPOS", "k", "1", "2"}), Int(-1));
  EXPECT_EQ(Run({"BITPOS", "k", "1", "7", "-1", "BIT"}), Int(7));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "2", "-1", "BYTE"}), Int(16));
  Run({"SET", "k", "\xff\xff\xff"});
  EXPECT_EQ(Run({"BITPOS", "k", "0"}), Int(24));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "1"}), Int(24));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "0", "-1"}), Int(-1));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "0", "-1", "BIT"}), Int(-1));
  EXPECT_EQ(Run({"BITPOS", "k", "0", "3"}), Int(-1));
  Run({"SET", "k", ""});
  EXPECT_EQ(Run({"BITPOS", "k", "0"}), Int(-1));
}

TEST_F(BitmapCommandTest, BitOpStoresAsLongAsTheLongestAndDropsTheExpiry) {
  Run({"SET", "a", "foobar"});
  Run({"SET", "b", "abc"});
  Run({"SET", "to", "x", "EX", "100"});
  EXPECT_EQ(Run({"BITOP", "and", "to", "a", "b"}), Int(6));
  EXPECT_EQ(Run({"GET", "to"}), Bulk(std::string("`bc\0\0\0", 6)));
  EXPECT_EQ(Run({"TTL", "to"}), Int(-1));
  EXPECT_EQ(Run({"OBJECT", "ENCODING", "to"}), Bulk("raw"));
  EXPECT_EQ(Run({"BITOP", "OR", "to", "a", "none", "b"}), Int(6));
  EXPECT_EQ(Run({"GET", "to"}), Bulk("goobar"));
  EXPECT_EQ(Run({"BITOP", "XOR", "to", "a", "b"}), Int(6));
  EXPECT_EQ(Run({"GET", "to"}), Bulk("\x07\x0d\x0c"
                                     "bar"));
  EXPECT_EQ(Run({"BITOP", "NOT", "to", "b"}), Int(3));
  EXPECT_EQ(Run({"GET", "to"}), Bulk("\x9e\x9d\x9c"));
  PutList("to");
  EXPECT_EQ(Run({"BITOP", "AND", "to", "none"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "to"}), Int(0));
  EXPECT_EQ(Run({"BITOP", "NOT", "to", "a", "b"}),
            Error("ERR BITOP NOT must be called with a single source key."));
  EXPECT_EQ(Run({"BITOP", "NAND", "to", "a", "b"}), Error(kSyntax));
}

TEST_F(BitmapCommandTest, BitfieldRunsItsOperationsInOrder) {
  EXPECT_EQ(Run({"BITFIELD", "k", "SET", "u8",  "0",  "255", "GET", "i8",  "0",  "INCRBY",
                 "u8",       "0", "1",   "set", "i5", "#2",  "-3",  "GET", "u5", "10"}),
            Array({Int(0), Int(-1), Int(0), Int(0), Int(29)}));
  EXPECT_EQ(Run({"GET", "k"}), Bulk(std::string("\0\x3a", 2)));
  EXPECT_EQ(Run({"BITFIELD", "k"}), Array({}));
  EXPECT_EQ(Run({"BITFIELD", "k", "OVERFLOW", "SAT"}), Array({}));
  EXPECT_EQ(Run({"BITFIELD_RO", "k", "GET", "u8", "#1", "get", "i64", "4294967295"}),
            Array({Int(58), Int(0)}));
  // Wraps to 0, as in Redis.
  EXPECT_EQ(Run({"BITFIELD_RO", "k", "GET", "u16", "#1152921504606846976"}), Array({Int(58)}));
}

TEST_F(BitmapCommandTest, OverflowHoldsForTheOperationsBehindIt) {
  EXPECT_EQ(
      Run({"BITFIELD", "k", "INCRBY",   "u2",   "0",      "5",  "OVERFLOW", "sat", "INCRBY", "u2",
           "2",        "5", "OVERFLOW", "FAIL", "INCRBY", "u2", "4",        "5",   "INCRBY", "u2",
           "4",        "2", "OVERFLOW", "WRAP", "INCRBY", "i2", "6",        "2"}),
      Array({Int(1), Int(3), Null(), Int(2), Int(-2)}));
  // A field that is refused is zero, but there.
  EXPECT_EQ(RunRaw({"BITFIELD", "n", "OVERFLOW", "FAIL", "SET", "u8", "10", "300"}),
            "*1\r\n$-1\r\n");
  EXPECT_EQ(Run({"STRLEN", "n"}), Int(3));
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"BITFIELD", "n", "OVERFLOW", "FAIL", "SET", "u8", "10", "300"}), "*1\r\n_\r\n");
}

TEST_F(BitmapCommandTest, BitfieldIsParsedAsAWholeBeforeAnythingIsDone) {
  const char kBadType[] =
      "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
      "i64 is.";
  for (const char* type : {"u64", "i65", "u0", "i0", "I8", "8", "", "u", "u-1", "u08", "u8 "}) {
    EXPECT_EQ(Run({"BITFIELD", "k", "SET", "u8", "0", "1", "GET", type, "0"}), Error(kBadType));
  }
  for (const char* offset : {"#", "#-1", "-1", "x", "4294967296", "##1", "#4294967295", ""}) {
    EXPECT_EQ(Run({"BITFIELD", "k", "GET", "u8", offset}), Error(kBadOffset)) << offset;
  }
  EXPECT_EQ(Run({"BITFIELD", "k", "SET", "u8", "0", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"BITFIELD", "k", "SET", "u8", "0"}), Error(kSyntax));
  EXPECT_EQ(Run({"BITFIELD", "k", "GET", "u8"}), Error(kSyntax));
  EXPECT_EQ(Run({"BITFIELD", "k", "OVERFLOW"}), Error(kSyntax));
  EXPECT_EQ(Run({"BITFIELD", "k", "OVERFLOW", "x"}), Error("ERR Invalid OVERFLOW type specified"));
  EXPECT_EQ(Run({"BITFIELD_RO", "k", "SET", "u8", "0", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"BITFIELD_RO", "k", "GET", "u8", "0", "SET", "u8", "0", "1"}),
            Error("ERR BITFIELD_RO only supports the GET subcommand"));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(BitmapCommandTest, WrongNumbersOfArgumentsAreNamed) {
  EXPECT_EQ(Run({"SETBIT", "k", "1"}), Error("ERR wrong number of arguments for 'setbit' command"));
  EXPECT_EQ(Run({"BITOP", "AND", "to"}),
            Error("ERR wrong number of arguments for 'bitop' command"));
  EXPECT_EQ(Run({"BITFIELD_RO"}), Error("ERR wrong number of arguments for 'bitfield_ro' command"));
}

}  // namespace
}  // namespace metastore::test
