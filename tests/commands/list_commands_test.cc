// The list group: replies, errors and their order.
#include <string>
#include <vector>

#include "tests/commands/harness.h"

namespace metastore::test {
namespace {

class ListCommandsTest : public CommandTest {
 protected:
  const resp::Value kWrongType =
      Error("WRONGTYPE Operation against a key holding the wrong kind of value");
  const resp::Value kNotInteger = Error("ERR value is not an integer or out of range");
  const resp::Value kSyntax = Error("ERR syntax error");

  resp::Value All(const std::string& key) { return Run({"LRANGE", key, "0", "-1"}); }
  // Three lists with the numbers from 0 on: packed, spread, and spread and edited.
  std::vector<std::string> FillForms(int count) {
    for (const char* key : {"small", "dense", "counted"}) {
      std::vector<std::string> words = {"RPUSH", key};
      for (int i = 0; i < (key == std::string("small") ? 100 : count); ++i) {
        words.push_back(std::to_string(i));
      }
      Run(words);
    }
    Run({"LINSERT", "counted", "BEFORE", std::to_string(count / 2), "x"});
    Run({"LREM", "counted", "1", "x"});
    return {"small", "dense", "counted"};
  }
};

TEST_F(ListCommandsTest, PushesAddOneAfterTheOtherAndReplyTheLength) {
  EXPECT_EQ(Run({"RPUSH", "k", "a", "b"}), Int(2));
  EXPECT_EQ(Run({"LPUSH", "k", "c", "d"}), Int(4));
  EXPECT_EQ(All("k"), Bulks({"d", "c", "a", "b"}));
  EXPECT_EQ(Run({"LPUSHX", "k", "e"}), Int(5));
  EXPECT_EQ(Run({"RPUSHX", "k", "f", "g"}), Int(7));
  EXPECT_EQ(Run({"RPUSHX", "none", "f"}), Int(0));
  EXPECT_EQ(Run({"LPUSHX", "none", "f"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "none"}), Int(0));
  EXPECT_EQ(Run({"LLEN", "k"}), Int(7));
  EXPECT_EQ(Run({"LLEN", "none"}), Int(0));
  EXPECT_EQ(Run({"TYPE", "k"}), resp::Value::SimpleString("list"));
}

TEST_F(ListCommandsTest, PopsTakeOneOrSomeAndTheEmptyListGoes) {
  Run({"RPUSH", "k", "a", "b", "c", "d", "e"});
  EXPECT_EQ(Run({"LPOP", "k"}), Bulk("a"));
  EXPECT_EQ(Run({"RPOP", "k"}), Bulk("e"));
  EXPECT_EQ(Run({"RPOP", "k", "2"}), Bulks({"d", "c"}));
  EXPECT_EQ(Run({"LPOP", "k", "0"}), Array({}));
  EXPECT_EQ(Run({"LPOP", "k", "9"}), Bulks({"b"}));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  EXPECT_EQ(RunRaw({"LPOP", "k"}), "$-1\r\n");
  EXPECT_EQ(RunRaw({"LPOP", "k", "0"}), "*-1\r\n");
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"LPOP", "k"}), "_\r\n");
  EXPECT_EQ(RunRaw({"RPOP", "k", "1"}), "_\r\n");
}

TEST_F(ListCommandsTest, ACountOfPopsIsCheckedBeforeTheKey) {
  Run({"SET", "s", "v"});
  for (const char* count : {"-1", "x", "", "9223372036854775808"}) {
    EXPECT_EQ(Run({"LPOP", "s", count}), Error("ERR value is out of range, must be positive"));
  }
  EXPECT_EQ(Run({"LPOP", "s", "0"}), kWrongType);
  EXPECT_EQ(Run({"RPOP", "s", "1", "2"}),
            Error("ERR wrong number of arguments for 'rpop' command"));
}

TEST_F(ListCommandsTest, IndexesCountFromEitherEndInAllForms) {
  for (const std::string& key : FillForms(1000)) {
    const int64_t size = Run({"LLEN", key}).integer;
    for (int64_t i : {int64_t{0}, int64_t{1}, size / 2, size - 70, size - 1}) {
      EXPECT_EQ(Run({"LINDEX", key, std::to_string(i)}), Bulk(std::to_string(i)));
      EXPECT_EQ(Run({"LINDEX", key, std::to_string(i - size)}), Bulk(std::to_string(i)));
      const std::string changed = "changed " + std::to_string(i);
      EXPECT_EQ(Run({"LSET", key, std::to_string(i), changed}), Ok());
      EXPECT_EQ(Run({"LSET", key, std::to_string(i - size), changed + "!"}), Ok());
      EXPECT_EQ(Run({"LINDEX", key, std::to_string(i)}), Bulk(changed + "!"));
    }
    for (int64_t i : {size, -size - 1, INT64_MAX, INT64_MIN}) {
      EXPECT_EQ(Run({"LINDEX", key, std::to_string(i)}), Null());
      EXPECT_EQ(Run({"LSET", key, std::to_string(i), "v"}), Error("ERR index out of range"));
    }
    EXPECT_EQ(Run({"LINDEX", key, "x"}), kNotInteger);
    EXPECT_EQ(Run({"LSET", key, "x", "v"}), kNotInteger);
  }
  EXPECT_EQ(Run({"LINDEX", "none", "x"}), Null());
  EXPECT_EQ(Run({"LSET", "none", "x", "v"}), Error("ERR no such key"));
}

TEST_F(ListCommandsTest, RangesAreCutToTheList) {
  for (const std::string& key : FillForms(300)) {
    EXPECT_EQ(Run({"LRANGE", key, "1", "3"}), Bulks({"1", "2", "3"}));
    EXPECT_EQ(Run({"LRANGE", key, "-99999", "1"}), Bulks({"0", "1"}));
    const std::string last = std::to_string(Run({"LLEN", key}).integer - 1);
    EXPECT_EQ(Run({"LRANGE", key, "-1", "99999"}), Bulks({last}));
    EXPECT_EQ(Run({"LRANGE", key, "3", "2"}), Array({}));
    EXPECT_EQ(Run({"LRANGE", key, "99999", "-1"}), Array({}));
    EXPECT_EQ(Run({"LRANGE", key, "0", "-99999"}), Array({}));
    EXPECT_EQ(Run({"LTRIM", key, "1", "-2"}), Ok());
    EXPECT_EQ(Run({"LINDEX", key, "0"}), Bulk("1"));
    EXPECT_EQ(Run({"LINDEX", key, "-1"}), Bulk(std::to_string(std::stoi(last) - 1)));
    EXPECT_EQ(Run({"LTRIM", key, "-3", "-2"}), Ok());
    EXPECT_EQ(Run({"LLEN", key}), Int(2));
    EXPECT_EQ(Run({"LTRIM", key, "5", "9"}), Ok());
    EXPECT_EQ(Run({"EXISTS", key}), Int(0));
  }
  EXPECT_EQ(Run({"LTRIM", "none", "0", "1"}), Ok());
  Run({"SET", "s", "v"});
  EXPECT_EQ(Run({"LRANGE", "s", "x", "1"}), kNotInteger);
  EXPECT_EQ(Run({"LTRIM", "s", "0", "1.0"}), kNotInteger);
  EXPECT_EQ(Run({"LTRIM", "s", "0", "1"}), kWrongType);
}

TEST_F(ListCommandsTest, InsertionsGoBesideTheFirstPivot) {
  Run({"RPUSH", "k", "a", "b", "a"});
  EXPECT_EQ(Run({"LINSERT", "k", "before", "b", "1"}), Int(4));
  EXPECT_EQ(Run({"LINSERT", "k", "AFTER", "a", "2"}), Int(5));
  EXPECT_EQ(All("k"), Bulks({"a", "2", "1", "b", "a"}));
  EXPECT_EQ(Run({"LINSERT", "k", "AFTER", "none", "2"}), Int(-1));
  EXPECT_EQ(Run({"LINSERT", "none", "AFTER", "a", "2"}), Int(0));
  EXPECT_EQ(Run({"LINSERT", "none", "AT", "a", "2"}), kSyntax);
  for (const std::string& key : FillForms(1000)) {
    const int64_t size = Run({"LLEN", key}).integer;
    EXPECT_EQ(Run({"LINSERT", key, "AFTER", "70", "new"}), Int(size + 1));
    EXPECT_EQ(Run({"LRANGE", key, "69", "72"}), Bulks({"69", "70", "new", "71"}));
  }
}

TEST_F(ListCommandsTest, RemovalsCountFromEitherEnd) {
  const auto fill = [this] {
    Run({"DEL", "k"});
    Run({"RPUSH", "k", "a", "b", "a", "c", "a"});
  };
  fill();
  EXPECT_EQ(Run({"LREM", "k", "2", "a"}), Int(2));
  EXPECT_EQ(All("k"), Bulks({"b", "c", "a"}));
  fill();
  EXPECT_EQ(Run({"LREM", "k", "-2", "a"}), Int(2));
  EXPECT_EQ(All("k"), Bulks({"a", "b", "c"}));
  fill();
  EXPECT_EQ(Run({"LREM", "k", "0", "a"}), Int(3));
  EXPECT_EQ(Run({"LREM", "k", "-9223372036854775808", "b"}), Int(1));
  EXPECT_EQ(Run({"LREM", "k", "1", "x"}), Int(0));
  EXPECT_EQ(Run({"LREM", "k", "1", "c"}), Int(1));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  EXPECT_EQ(Run({"LREM", "k", "1", "c"}), Int(0));
  EXPECT_EQ(Run({"LREM", "k", "x", "c"}), kNotInteger);
}

TEST_F(ListCommandsTest, PositionsTakeRankCountAndMaxlen) {
  Run({"RPUSH", "k", "a", "b", "a", "c", "a"});
  const auto ints = [](const std::vector<int64_t>& values) {
    std::vector<resp::Value> replies;
    for (int64_t value : values) replies.push_back(Int(value));
    return Array(replies);
  };
  EXPECT_EQ(Run({"LPOS", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"LPOS", "k", "a", "RANK", "2"}), Int(2));
  EXPECT_EQ(Run({"LPOS", "k", "a", "rank", "-1"}), Int(4));
  EXPECT_EQ(Run({"LPOS", "k", "a", "RANK", "4"}), Null());
  EXPECT_EQ(Run({"LPOS", "k", "a", "COUNT", "0"}), ints({0, 2, 4}));
  EXPECT_EQ(Run({"LPOS", "k", "a", "COUNT", "2", "RANK", "-1"}), ints({4, 2}));
  EXPECT_EQ(Run({"LPOS", "k", "a", "COUNT", "0", "MAXLEN", "3"}), ints({0, 2}));
  EXPECT_EQ(Run({"LPOS", "k", "c", "MAXLEN", "3"}), Null());
  EXPECT_EQ(Run({"LPOS", "k", "c", "MAXLEN", "0"}), Int(3));
  EXPECT_EQ(Run({"LPOS", "k", "x", "COUNT", "1"}), Array({}));
  EXPECT_EQ(Run({"LPOS", "none", "x", "COUNT", "1"}), Array({}));
  EXPECT_EQ(Run({"LPOS", "none", "x"}), Null());
  // Redis negates the smallest number to itself.
  EXPECT_EQ(Run({"LPOS", "k", "a", "COUNT", "1", "RANK", "-9223372036854775808"}), ints({4, 2, 0}));
  EXPECT_EQ(Run({"LPOS", "k", "a", "RANK", "-9223372036854775808"}), Int(4));
  EXPECT_EQ(Run({"LPOS", "k", "a", "RANK", "0"}),
            Error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second "
                  "... or use negative to start from the end of the list"));
  EXPECT_EQ(Run({"LPOS", "k", "a", "RANK", "x"}), kNotInteger);
  EXPECT_EQ(Run({"LPOS", "k", "a", "COUNT", "x"}), Error("ERR COUNT can't be negative"));
  EXPECT_EQ(Run({"LPOS", "k", "a", "MAXLEN", "-1"}), Error("ERR MAXLEN can't be negative"));
  EXPECT_EQ(Run({"LPOS", "k", "a", "COUNT"}), kSyntax);
}

TEST_F(ListCommandsTest, AMoveTakesFromOneEndAndAddsToAnother) {
  Run({"RPUSH", "a", "1", "2", "3"});
  EXPECT_EQ(Run({"LMOVE", "a", "b", "LEFT", "RIGHT"}), Bulk("1"));
  EXPECT_EQ(Run({"RPOPLPUSH", "a", "b"}), Bulk("3"));
  EXPECT_EQ(All("b"), Bulks({"3", "1"}));
  EXPECT_EQ(Run({"LMOVE", "a", "b", "left", "left"}), Bulk("2"));
  EXPECT_EQ(Run({"EXISTS", "a"}), Int(0));
  EXPECT_EQ(Run({"RPOPLPUSH", "b", "b"}), Bulk("1"));
  EXPECT_EQ(All("b"), Bulks({"1", "2", "3"}));
  Run({"PEXPIRE", "b", "1000"});
  EXPECT_EQ(Run({"LMOVE", "b", "b", "LEFT", "RIGHT"}), Bulk("1"));
  EXPECT_EQ(Run({"PTTL", "b"}), Int(1000));
  EXPECT_EQ(Run({"LMOVE", "b", "b", "UP", "RIGHT"}), kSyntax);
  for (const std::string& key : FillForms(300)) {
    const resp::Value last = Run({"LINDEX", key, "-1"});
    EXPECT_EQ(Run({"RPOPLPUSH", key, key}), last);
    EXPECT_EQ(Run({"LINDEX", key, "0"}), last);
  }
}

TEST_F(ListCommandsTest, TheTargetOfAMoveIsLookedAtOnlyWhenThereIsASource) {
  Run({"SET", "s", "v"});
  EXPECT_EQ(Run({"RPOPLPUSH", "none", "s"}), Null());
  EXPECT_EQ(Run({"RPOPLPUSH", "s", "none"}), kWrongType);
  Run({"RPUSH", "k", "a"});
  EXPECT_EQ(Run({"RPOPLPUSH", "k", "s"}), kWrongType);
  EXPECT_EQ(All("k"), Bulks({"a"}));
}

TEST_F(ListCommandsTest, AMultiplePopTakesFromTheFirstListThatExists) {
  Run({"RPUSH", "k", "a", "b", "c"});
  EXPECT_EQ(Run({"LMPOP", "2", "none", "k", "LEFT"}), Array({Bulk("k"), Bulks({"a"})}));
  EXPECT_EQ(Run({"LMPOP", "1", "k", "RIGHT", "COUNT", "5"}), Array({Bulk("k"), Bulks({"c", "b"})}));
  EXPECT_EQ(RunRaw({"LMPOP", "1", "k", "RIGHT"}), "*-1\r\n");
  Run({"SET", "s", "v"});
  EXPECT_EQ(Run({"LMPOP", "2", "none", "s", "LEFT"}), kWrongType);
  for (const char* keys : {"0", "-1", "x"}) {
    EXPECT_EQ(Run({"LMPOP", keys, "k", "LEFT"}), Error("ERR numkeys should be greater than 0"));
  }
  EXPECT_EQ(Run({"LMPOP", "1", "k", "LEFT", "COUNT", "0"}),
            Error("ERR count should be greater than 0"));
  for (const char* keys : {"2", "3", "9223372036854775807"}) {
    EXPECT_EQ(Run({"LMPOP", keys, "k", "LEFT"}), kSyntax);
  }
  EXPECT_EQ(Run({"LMPOP", "1", "k", "UP"}), kSyntax);
  EXPECT_EQ(Run({"LMPOP", "1", "k", "LEFT", "COUNT"}), kSyntax);
  EXPECT_EQ(Run({"LMPOP", "1", "k", "LEFT", "COUNT", "1", "COUNT", "1"}), kSyntax);
}

TEST_F(ListCommandsTest, BlockingCommandsActAtOnce) {
  Run({"RPUSH", "k", "a", "b", "c", "d", "e"});
  EXPECT_EQ(Run({"BLPOP", "none", "k", "0"}), Bulks({"k", "a"}));
  EXPECT_EQ(Run({"BRPOP", "k", "none", "1.5"}), Bulks({"k", "e"}));
  EXPECT_EQ(Run({"BLMOVE", "k", "l", "LEFT", "LEFT", "0"}), Bulk("b"));
  EXPECT_EQ(Run({"BRPOPLPUSH", "k", "l", "0"}), Bulk("d"));
  EXPECT_EQ(Run({"BLMPOP", "0", "2", "none", "l", "LEFT", "COUNT", "3"}),
            Array({Bulk("l"), Bulks({"d", "b"})}));
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"BLPOP", "none", "0"},
                                             {"BRPOP", "none", "l", "1"},
                                             {"BLMPOP", "1", "1", "none", "LEFT"}}) {
    EXPECT_EQ(RunRaw(words), "*-1\r\n");
  }
  EXPECT_EQ(RunRaw({"BLMOVE", "none", "l", "LEFT", "LEFT", "1"}), "$-1\r\n");
  EXPECT_EQ(RunRaw({"BRPOPLPUSH", "none", "l", "1"}), "$-1\r\n");
  Run({"SET", "s", "v"});
  EXPECT_EQ(Run({"BLPOP", "none", "s", "k", "0"}), kWrongType);
  EXPECT_EQ(Run({"BLPOP", "k", "s", "0"}), Bulks({"k", "c"}));
}

TEST_F(ListCommandsTest, TimeoutsAreCheckedAsRedisDoes) {
  const auto timeout = [this](const std::string& text) { return Run({"BLPOP", "none", text}); };
  for (const char* text : {"0", "-0", "1", "0.001", "1e3", "0x10", "-0.0001", "9223372036854775"}) {
    EXPECT_TRUE(timeout(text).IsNull()) << text;
  }
  for (const char* text : {"", "x", " 1", "nan"}) {
    EXPECT_EQ(timeout(text), Error("ERR timeout is not a float or out of range")) << text;
  }
  for (const char* text : {"-1", "-0.002", "1e30", "inf", "-inf", "9223372036854776"}) {
    EXPECT_EQ(timeout(text), Error("ERR timeout is negative")) << text;
  }
  EXPECT_EQ(Run({"BLMPOP", "x", "0", "k", "LEFT"}), Error("ERR numkeys should be greater than 0"));
  EXPECT_EQ(Run({"BLMPOP", "x", "1", "k", "LEFT"}),
            Error("ERR timeout is not a float or out of range"));
  EXPECT_EQ(Run({"BLMOVE", "k", "k", "UP", "LEFT", "x"}), kSyntax);
  Run({"SET", "s", "v"});
  EXPECT_EQ(Run({"BRPOPLPUSH", "s", "k", "-1"}), Error("ERR timeout is negative"));
}

TEST_F(ListCommandsTest, OtherTypesAreRefused) {
  Run({"SET", "s", "v"});
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"LPUSH", "s", "a"},
                                             {"RPUSHX", "s", "a"},
                                             {"LPOP", "s"},
                                             {"LLEN", "s"},
                                             {"LINDEX", "s", "x"},
                                             {"LSET", "s", "x", "a"},
                                             {"LINSERT", "s", "BEFORE", "a", "b"},
                                             {"LRANGE", "s", "0", "1"},
                                             {"LREM", "s", "1", "a"},
                                             {"LPOS", "s", "a"},
                                             {"BLPOP", "s", "0"}}) {
    EXPECT_EQ(Run(words), kWrongType) << words[0];
  }
}

TEST_F(ListCommandsTest, AListKeepsItsExpiryUntilItIsEmpty) {
  Run({"RPUSH", "k", "a"});
  Run({"PEXPIRE", "k", "1000"});
  Run({"RPUSH", "k", "b"});
  EXPECT_EQ(Run({"PTTL", "k"}), Int(1000));
  Run({"LTRIM", "k", "1", "0"});
  Run({"RPUSH", "k", "c"});
  EXPECT_EQ(Run({"PTTL", "k"}), Int(-1));
  Run({"PEXPIRE", "k", "1000"});
  Advance(1000);
  EXPECT_EQ(Run({"LLEN", "k"}), Int(0));
  EXPECT_EQ(Run({"RPUSHX", "k", "d"}), Int(0));
  EXPECT_EQ(Run({"RPUSH", "k", "d"}), Int(1));
}

}  // namespace
}  // namespace metastore::test
