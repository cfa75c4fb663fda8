#include "tests/commands/harness.h"

// The expected replies are redis-server 7.0.15's.
namespace metastore::test {
namespace {

const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kNotValid[] = "WRONGTYPE Key is not a valid HyperLogLog string value.";
const char kCorrupt[] = "INVALIDOBJ Corrupted HLL object detected";

class HyperloglogCommandTest : public CommandTest {
 protected:
  // A proper header with a count that is not valid, and no registers.
  static std::string Empty() {
    std::string value("HYLL\1\0\0\0\0\0\0\0\0\0\0\x80", 16);
    return value;
  }
};

TEST_F(HyperloglogCommandTest, PfAddTellsWhetherTheEstimateMayHaveChanged) {
  EXPECT_EQ(Run({"PFADD", "k"}), Int(1));
  EXPECT_EQ(Run({"PFADD", "k"}), Int(0));
  EXPECT_EQ(Run({"PFCOUNT", "k"}), Int(0));
  EXPECT_EQ(Run({"PFADD", "k", "a", "b", "c"}), Int(1));
  EXPECT_EQ(Run({"PFADD", "k", "a", "c"}), Int(0));
  EXPECT_EQ(Run({"PFCOUNT", "k"}), Int(3));
  EXPECT_EQ(Run({"TYPE", "k"}), resp::Value::SimpleString("string"));
  EXPECT_EQ(Run({"OBJECT", "ENCODING", "k"}), Bulk("raw"));
}

TEST_F(HyperloglogCommandTest, PfCountCountsSeveralKeysTogetherAndWritesNothing) {
  Run({"PFADD", "a", "1", "2", "3"});
  Run({"PFADD", "b", "3", "4"});
  const resp::Value before = Run({"GET", "a"});
  EXPECT_EQ(Run({"PFCOUNT", "a", "b", "none", "a"}), Int(4));
  EXPECT_EQ(Run({"PFCOUNT", "a"}), Int(3));
  EXPECT_EQ(Run({"PFCOUNT", "none"}), Int(0));
  EXPECT_EQ(Run({"PFCOUNT", "none", "none"}), Int(0));
  EXPECT_EQ(Run({"GET", "a"}), before);
}

TEST_F(HyperloglogCommandTest, PfMergeAddsToItsTarget) {
  Run({"PFADD", "a", "1", "2"});
  Run({"PFADD", "b", "2", "3"});
  Run({"PFADD", "to", "4"});
  EXPECT_EQ(Run({"PFMERGE", "to", "a", "b", "none"}), Ok());
  EXPECT_EQ(Run({"PFCOUNT", "to"}), Int(4));
  EXPECT_EQ(Run({"PFMERGE", "new"}), Ok());
  EXPECT_EQ(Run({"GET", "new"}), Bulk(Empty() + "\x7f\xff"));
}

TEST_F(HyperloglogCommandTest, StringsThatAreNoneAndOtherTypesAreRefused) {
  PutList("l");
  Run({"SET", "s", "text"});
  Run({"SET", "n", "123"});
  for (const char* key : {"s", "n", "l"}) {
    const char* error = key[0] == 'l' ? kWrongType : kNotValid;
    EXPECT_EQ(Run({"PFADD", key, "a"}), Error(error));
    EXPECT_EQ(Run({"PFCOUNT", key}), Error(error));
    EXPECT_EQ(Run({"PFCOUNT", "none", key}), Error(error));
    EXPECT_EQ(Run({"PFMERGE", key}), Error(error));
    EXPECT_EQ(Run({"PFMERGE", "to", "none", key}), Error(error));
    EXPECT_EQ(Run({"PFDEBUG", "nosuch", key}), Error(error));
  }
  EXPECT_EQ(Run({"EXISTS", "to"}), Int(0));
}

TEST_F(HyperloglogCommandTest, CorruptRegistersAreNamed) {
  Run({"SET", "k", Empty()});
  EXPECT_EQ(Run({"PFADD", "k", "a"}), Error(kCorrupt));
  EXPECT_EQ(Run({"PFCOUNT", "k"}), Error(kCorrupt));
  EXPECT_EQ(Run({"PFCOUNT", "k", "none"}), Error(kCorrupt));
  EXPECT_EQ(Run({"PFMERGE", "k"}), Error(kCorrupt));
  EXPECT_EQ(Run({"PFMERGE", "to", "k"}), Error(kCorrupt));
  EXPECT_EQ(Run({"PFDEBUG", "GETREG", "k"}), Error(kCorrupt));
  EXPECT_EQ(Run({"PFDEBUG", "TODENSE", "k"}), Error(kCorrupt));
  EXPECT_EQ(Run({"PFDEBUG", "ENCODING", "k"}), resp::Value::SimpleString("sparse"));
}

TEST_F(HyperloglogCommandTest, PfDebugShowsRunsAndRegisters) {
  Run({"PFADD", "h", "a", "b", "c"});
  EXPECT_EQ(RunRaw({"PFDEBUG", "decode", "h"}),
            "$44\r\nZ:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603\r\n");
  EXPECT_EQ(RunRaw({"PFDEBUG", "ENCODING", "h"}), "+sparse\r\n");
  EXPECT_EQ(Run({"PFDEBUG", "TODENSE", "h"}), Int(1));
  EXPECT_EQ(Run({"PFDEBUG", "TODENSE", "h"}), Int(0));
  EXPECT_EQ(RunRaw({"PFDEBUG", "ENCODING", "h"}), "+dense\r\n");
  EXPECT_EQ(Run({"PFDEBUG", "DECODE", "h"}), Error("ERR HLL encoding is not sparse"));
  Run({"PFADD", "g", "a", "b", "c"});
  const resp::Value registers = Run({"PFDEBUG", "GETREG", "g"});
  ASSERT_EQ(registers.children.size(), 16384u);
  EXPECT_EQ(registers.children[8436], Int(1));
  EXPECT_EQ(registers.children[8437], Int(0));
  EXPECT_EQ(registers.children[12711], Int(2));
  // Showing them made it dense.
  EXPECT_EQ(Run({"GET", "g"}), Run({"GET", "h"}));
  EXPECT_EQ(Run({"PFDEBUG", "nosuch", "g"}), Error("ERR Unknown PFDEBUG subcommand 'nosuch'"));
  EXPECT_EQ(Run({"PFDEBUG", "nosuch", "none"}), Error("ERR The specified key does not exist"));
}

TEST_F(HyperloglogCommandTest, WrongNumbersOfArgumentsAreNamed) {
  EXPECT_EQ(Run({"PFADD"}), Error("ERR wrong number of arguments for 'pfadd' command"));
  EXPECT_EQ(Run({"PFCOUNT"}), Error("ERR wrong number of arguments for 'pfcount' command"));
  EXPECT_EQ(Run({"PFMERGE"}), Error("ERR wrong number of arguments for 'pfmerge' command"));
  EXPECT_EQ(Run({"PFDEBUG", "ENCODING"}),
            Error("ERR wrong number of arguments for 'pfdebug' command"));
}

}  // namespace
}  // namespace metastore::test
