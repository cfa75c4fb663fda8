// The expected replies are redis-server 7.0.15's; those about the expiry of fields 7.4's.
#include <algorithm>
#include <map>
#include <set>

#include "tests/commands/harness.h"

namespace metastore::test {
namespace {

const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kSyntax[] = "ERR syntax error";
const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kNoFields[] = "ERR Mandatory argument FIELDS is missing or not at the right position";
const char kOtherCount[] = "ERR The `numfields` parameter must match the number of arguments";

resp::Value Ints(const std::vector<int64_t>& numbers) {
  std::vector<resp::Value> values;
  for (int64_t number : numbers) values.push_back(Int(number));
  return Array(values);
}

class HashCommandTest : public CommandTest {
 protected:
  // Fields f0.. with values v0..
  void Fill(const std::string& key, int count) {
    std::vector<std::string> command = {"HSET", key};
    for (int i = 0; i < count; ++i) {
      command.push_back("f" + std::to_string(i));
      command.push_back("v" + std::to_string(i));
    }
    EXPECT_EQ(Run(command), Int(count));
  }
};

TEST_F(HashCommandTest, FieldsAreSetAndRead) {
  EXPECT_EQ(Run({"HSET", "k", "a", "1", "b", "2", "a", "3"}), Int(2));
  EXPECT_EQ(Run({"HSET", "k", "a", "4", "c", ""}), Int(1));
  EXPECT_EQ(Run({"HMSET", "k", "b", "5"}), Ok());
  EXPECT_EQ(Run({"HSETNX", "k", "b", "6"}), Int(0));
  EXPECT_EQ(Run({"HSETNX", "k", "d", "7"}), Int(1));
  EXPECT_EQ(Run({"HGET", "k", "a"}), Bulk("4"));
  EXPECT_EQ(Run({"HGET", "k", "c"}), Bulk(""));
  EXPECT_EQ(Run({"HGET", "k", "none"}), Null());
  EXPECT_EQ(Run({"HMGET", "k", "b", "none", "a"}), Array({Bulk("5"), Null(), Bulk("4")}));
  EXPECT_EQ(Run({"HGETALL", "k"}), Bulks({"a", "4", "b", "5", "c", "", "d", "7"}));
  EXPECT_EQ(Run({"HKEYS", "k"}), Bulks({"a", "b", "c", "d"}));
  EXPECT_EQ(Run({"HVALS", "k"}), Bulks({"4", "5", "", "7"}));
  EXPECT_EQ(Run({"HLEN", "k"}), Int(4));
  EXPECT_EQ(Run({"HEXISTS", "k", "c"}), Int(1));
  EXPECT_EQ(Run({"HEXISTS", "k", "none"}), Int(0));
  EXPECT_EQ(Run({"HSTRLEN", "k", "a"}), Int(1));
  EXPECT_EQ(Run({"HSTRLEN", "k", "none"}), Int(0));
  EXPECT_EQ(Run({"HDEL", "k", "a", "none", "a", "b"}), Int(2));
  EXPECT_EQ(Run({"TYPE", "k"}), resp::Value::SimpleString("hash"));
  EXPECT_EQ(Run({"HDEL", "k", "c", "d"}), Int(2));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(HashCommandTest, AnAbsentKeyIsAnEmptyHash) {
  EXPECT_EQ(Run({"HGET", "k", "a"}), Null());
  EXPECT_EQ(Run({"HMGET", "k", "a", "b"}), Array({Null(), Null()}));
  for (const char* command : {"HGETALL", "HKEYS", "HVALS"}) {
    EXPECT_EQ(Run({command, "k"}), Array({})) << command;
  }
  EXPECT_EQ(Run({"HLEN", "k"}), Int(0));
  EXPECT_EQ(Run({"HEXISTS", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"HSTRLEN", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"HDEL", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"HRANDFIELD", "k"}), Null());
  EXPECT_EQ(Run({"HRANDFIELD", "k", "-5"}), Array({}));
  EXPECT_EQ(Run({"HSCAN", "k", "7", "NOSUCH"}), Array({Bulk("0"), Array({})}));
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "2", "a", "b"}), Ints({-2, -2}));
  EXPECT_EQ(Run({"HPERSIST", "k", "FIELDS", "1", "a"}), Ints({-2}));
  EXPECT_EQ(Run({"HEXPIRE", "k", "9", "FIELDS", "2", "a", "b"}), Ints({-2, -2}));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(HashCommandTest, AFieldWithoutItsValueIsAWrongNumberOfArguments) {
  PutList("l");
  EXPECT_EQ(Run({"HSET", "l", "a", "1", "b"}),
            Error("ERR wrong number of arguments for 'hset' command"));
  EXPECT_EQ(Run({"HMSET", "l", "a", "1", "b"}),
            Error("ERR wrong number of arguments for 'hmset' command"));
}

TEST_F(HashCommandTest, AnotherTypeIsRefused) {
  PutList("l");
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"HSET", "l", "a", "1"},
                                             {"HMSET", "l", "a", "1"},
                                             {"HSETNX", "l", "a", "1"},
                                             {"HGET", "l", "a"},
                                             {"HMGET", "l", "a"},
                                             {"HGETALL", "l"},
                                             {"HKEYS", "l"},
                                             {"HVALS", "l"},
                                             {"HLEN", "l"},
                                             {"HSTRLEN", "l", "a"},
                                             {"HEXISTS", "l", "a"},
                                             {"HDEL", "l", "a"},
                                             {"HINCRBY", "l", "a", "1"},
                                             {"HINCRBYFLOAT", "l", "a", "1"},
                                             {"HRANDFIELD", "l"},
                                             {"HRANDFIELD", "l", "0"},
                                             {"HSCAN", "l", "0", "NOSUCH"},
                                             {"HEXPIRE", "l", "x", "FIELDS", "1", "a"},
                                             {"HTTL", "l", "x", "1", "a"},
                                             {"HPERSIST", "l", "x", "1", "a"}}) {
    EXPECT_EQ(Run(command), Error(kWrongType)) << command[0];
  }
}

TEST_F(HashCommandTest, IntegersAreIncremented) {
  EXPECT_EQ(Run({"HINCRBY", "k", "n", "5"}), Int(5));
  EXPECT_EQ(Run({"HINCRBY", "k", "n", "-7"}), Int(-2));
  EXPECT_EQ(Run({"HGET", "k", "n"}), Bulk("-2"));
  EXPECT_EQ(Run({"HINCRBY", "k", "n", "1.0"}), Error(kNotInteger));
  Run({"HSET", "k", "text", "1 ", "most", "9223372036854775807"});
  EXPECT_EQ(Run({"HINCRBY", "k", "text", "1"}), Error("ERR hash value is not an integer"));
  EXPECT_EQ(Run({"HINCRBY", "k", "most", "1"}), Error("ERR increment or decrement would overflow"));
  EXPECT_EQ(Run({"HGET", "k", "most"}), Bulk("9223372036854775807"));
}

TEST_F(HashCommandTest, FloatsAreIncremented) {
  EXPECT_EQ(Run({"HINCRBYFLOAT", "k", "n", "10.50"}), Bulk("10.5"));
  EXPECT_EQ(Run({"HINCRBYFLOAT", "k", "n", "-5.5e0"}), Bulk("5"));
  EXPECT_EQ(Run({"HINCRBY", "k", "n", "1"}), Int(6));
  EXPECT_EQ(Run({"HINCRBYFLOAT", "k", "n", "x"}), Error("ERR value is not a valid float"));
  EXPECT_EQ(Run({"HINCRBYFLOAT", "k", "n", "nan"}), Error("ERR value is not a valid float"));
  EXPECT_EQ(Run({"HINCRBYFLOAT", "k", "n", "-inf"}), Error("ERR value is NaN or Infinity"));
  Run({"HSET", "k", "text", "x", "inf", "inf"});
  EXPECT_EQ(Run({"HINCRBYFLOAT", "k", "text", "1"}), Error("ERR hash value is not a float"));
  EXPECT_EQ(Run({"HINCRBYFLOAT", "k", "inf", "1"}),
            Error("ERR increment would produce NaN or Infinity"));
}

TEST_F(HashCommandTest, Resp3HasMapsAndNestedPairs) {
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"HGETALL", "k"}), "%0\r\n");
  Run({"HSET", "k", "a", "1"});
  EXPECT_EQ(RunRaw({"HGETALL", "k"}), "%1\r\n$1\r\na\r\n$1\r\n1\r\n");
  EXPECT_EQ(RunRaw({"HRANDFIELD", "k", "1", "withvalues"}), "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
  EXPECT_EQ(RunRaw({"HRANDFIELD", "k", "-2", "WITHVALUES"}),
            "*2\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
  EXPECT_EQ(RunRaw({"HSCAN", "k", "0"}), "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
  protocol_ = 2;
  EXPECT_EQ(RunRaw({"HRANDFIELD", "k", "1", "WITHVALUES"}), "*2\r\n$1\r\na\r\n$1\r\n1\r\n");
}

TEST_F(HashCommandTest, RandomFieldsAreAsManyAsAsked) {
  for (int count : {5, 500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    const auto size = static_cast<size_t>(count);
    EXPECT_EQ(Run({"HRANDFIELD", key, "0"}), Array({}));
    EXPECT_EQ(Run({"HRANDFIELD", key, "3"}).children.size(), 3u);
    EXPECT_EQ(Run({"HRANDFIELD", key, "-3", "WITHVALUES"}).children.size(), 6u);
    EXPECT_EQ(Run({"HRANDFIELD", key, "-10000"}).children.size(), 10000u);
    const std::vector<resp::Value> all =
        Run({"HRANDFIELD", key, "4611686018427387903", "WITHVALUES"}).children;
    ASSERT_EQ(all.size(), 2 * size);
    std::set<std::string> fields;
    for (size_t i = 0; i < all.size(); i += 2) {
      fields.insert(all[i].text);
      EXPECT_EQ("v" + all[i].text.substr(1), all[i + 1].text);
    }
    EXPECT_EQ(fields.size(), size);
    std::set<std::string> drawn;
    for (int i = 0; i < 50; ++i) drawn.insert(Run({"HRANDFIELD", key}).text);
    EXPECT_GT(drawn.size(), 1u);
  }
}

TEST_F(HashCommandTest, TheCountOfRandomFieldsIsCheckedBeforeTheKey) {
  PutList("l");
  EXPECT_EQ(Run({"HRANDFIELD", "l", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"HRANDFIELD", "l", "1", "WITHSCORES"}), Error(kSyntax));
  EXPECT_EQ(Run({"HRANDFIELD", "l", "1", "WITHVALUES", "1"}), Error(kSyntax));
  EXPECT_EQ(Run({"HRANDFIELD", "l", "4611686018427387904", "WITHVALUES"}),
            Error("ERR value is out of range"));
  EXPECT_EQ(Run({"HRANDFIELD", "l", "-9223372036854775808"}),
            Error("ERR value is out of range, value must between -9223372036854775807 and "
                  "9223372036854775807"));
}

TEST_F(HashCommandTest, AReplyThatNoClientCouldTakeIsRefused) {
  Fill("k", 3);
  EXPECT_EQ(Run({"HRANDFIELD", "k", "-9223372036854775807"}),
            Error("ERR the reply would be too large: ask for fewer fields"));
}

TEST_F(HashCommandTest, AScanSeesEverythingOnce) {
  for (int count : {5, 500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    std::map<std::string, std::string> seen;
    std::string cursor = "0";
    do {
      resp::Value reply = Run({"HSCAN", key, cursor, "COUNT", "20"});
      cursor = reply.children[0].text;
      const std::vector<resp::Value>& pairs = reply.children[1].children;
      for (size_t i = 0; i < pairs.size(); i += 2) {
        EXPECT_TRUE(seen.emplace(pairs[i].text, pairs[i + 1].text).second);
      }
    } while (cursor != "0");
    EXPECT_EQ(seen.size(), static_cast<size_t>(count));
  }
}

TEST_F(HashCommandTest, ScanOptionsAreChecked) {
  Run({"HSET", "k", "a1", "x", "b", "y", "a2", "z"});
  EXPECT_EQ(Run({"HSCAN", "k", "0", "MATCH", "a*"}),
            Array({Bulk("0"), Bulks({"a1", "x", "a2", "z"})}));
  EXPECT_EQ(Run({"HSCAN", "k", "0", "NOVALUES"}), Array({Bulk("0"), Bulks({"a1", "b", "a2"})}));
  EXPECT_EQ(Run({"HSCAN", "k", "0", "MATCH", "*2", "novalues", "COUNT", "1"}),
            Array({Bulk("0"), Bulks({"a2"})}));
  EXPECT_EQ(Run({"HSCAN", "k", "x"}), Error("ERR invalid cursor"));
  EXPECT_EQ(Run({"HSCAN", "k", "0", "COUNT", "0"}), Error(kSyntax));
  EXPECT_EQ(Run({"HSCAN", "k", "0", "COUNT", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"HSCAN", "k", "0", "TYPE", "hash"}), Error(kSyntax));
  EXPECT_EQ(Run({"HSCAN", "k", "0", "COUNT"}), Error(kSyntax));
}

TEST_F(HashCommandTest, FieldsExpireInFourUnits) {
  Run({"HSET", "k", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5"});
  EXPECT_EQ(Run({"HEXPIRE", "k", "10", "FIELDS", "2", "a", "none"}), Ints({1, -2}));
  EXPECT_EQ(Run({"HPEXPIRE", "k", "1500", "FIELDS", "1", "b"}), Ints({1}));
  EXPECT_EQ(Run({"HEXPIREAT", "k", std::to_string(kStartMs / 1000 + 20), "FIELDS", "1", "c"}),
            Ints({1}));
  EXPECT_EQ(Run({"HPEXPIREAT", "k", std::to_string(kStartMs + 1), "fields", "1", "d"}), Ints({1}));
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "6", "a", "b", "c", "d", "e", "none"}),
            Ints({10, 2, 20, 1, -1, -2}));
  EXPECT_EQ(Run({"HPTTL", "k", "FIELDS", "4", "a", "b", "c", "d"}), Ints({10000, 1500, 20000, 1}));
  EXPECT_EQ(Run({"HEXPIRETIME", "k", "FIELDS", "2", "a", "b"}),
            Ints({kStartMs / 1000 + 10, kStartMs / 1000 + 2}));
  EXPECT_EQ(Run({"HPEXPIRETIME", "k", "FIELDS", "3", "b", "e", "none"}),
            Ints({kStartMs + 1500, -1, -2}));
  Advance(1500);
  EXPECT_EQ(Run({"HGET", "k", "b"}), Null());
  EXPECT_EQ(Run({"HMGET", "k", "a", "d", "e"}), Array({Bulk("1"), Null(), Bulk("5")}));
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "2", "b", "a"}), Ints({-2, 9}));
  EXPECT_EQ(Run({"HKEYS", "k"}), Bulks({"a", "c", "e"}));
  EXPECT_EQ(Run({"HGETALL", "k"}), Bulks({"a", "1", "c", "3", "e", "5"}));
  EXPECT_EQ(Run({"HSCAN", "k", "0", "NOVALUES"}), Array({Bulk("0"), Bulks({"a", "c", "e"})}));
  EXPECT_EQ(Run({"HRANDFIELD", "k", "10"}).children.size(), 3u);
  EXPECT_EQ(Run({"HEXISTS", "k", "b"}), Int(0));
  EXPECT_EQ(Run({"HSTRLEN", "k", "b"}), Int(0));
  // Counted until they are deleted.
  EXPECT_EQ(Run({"HLEN", "k"}), Int(5));
  EXPECT_EQ(Run({"HEXPIRE", "k", "10", "FIELDS", "1", "b"}), Ints({-2}));
  EXPECT_EQ(Run({"HPERSIST", "k", "FIELDS", "2", "b", "a"}), Ints({-2, 1}));
  EXPECT_EQ(Run({"HDEL", "k", "b"}), Int(0));
  EXPECT_EQ(Run({"HLEN", "k"}), Int(4));
  EXPECT_EQ(Run({"HSETNX", "k", "d", "new"}), Int(1));
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "2", "a", "d"}), Ints({-1, -1}));
}

TEST_F(HashCommandTest, ATimeThatHasPassedDeletesTheField) {
  Run({"HSET", "k", "a", "1", "b", "2"});
  EXPECT_EQ(Run({"HPEXPIREAT", "k", std::to_string(kStartMs), "FIELDS", "2", "a", "a"}),
            Ints({2, -2}));
  EXPECT_EQ(Run({"HGETALL", "k"}), Bulks({"b", "2"}));
  // Where the condition holds, that is.
  EXPECT_EQ(Run({"HEXPIRE", "k", "0", "XX", "FIELDS", "1", "b"}), Ints({0}));
  EXPECT_EQ(Run({"HEXPIRE", "k", "0", "NX", "FIELDS", "1", "b"}), Ints({2}));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(HashCommandTest, ExpiryHasConditions) {
  Run({"HSET", "k", "with", "1", "without", "2"});
  const auto expire = [this](const std::string& time, const std::string& condition) {
    return Run({"HEXPIRE", "k", time, condition, "FIELDS", "2", "with", "without"});
  };
  const auto reset = [this] {
    Run({"HPERSIST", "k", "FIELDS", "2", "with", "without"});
    Run({"HEXPIRE", "k", "100", "FIELDS", "1", "with"});
  };
  reset();
  EXPECT_EQ(expire("50", "NX"), Ints({0, 1}));
  reset();
  EXPECT_EQ(expire("50", "xx"), Ints({1, 0}));
  reset();
  EXPECT_EQ(expire("50", "GT"), Ints({0, 0}));
  EXPECT_EQ(expire("100", "GT"), Ints({0, 0}));
  EXPECT_EQ(expire("101", "GT"), Ints({1, 0}));
  reset();
  EXPECT_EQ(expire("100", "LT"), Ints({0, 1}));
  reset();
  EXPECT_EQ(expire("99", "lt"), Ints({1, 1}));
}

TEST_F(HashCommandTest, ArgumentsOfExpiryAreChecked) {
  Run({"HSET", "k", "a", "1"});
  const auto expire = [this](const std::string& time) {
    return Run({"HEXPIRE", "k", time, "FIELDS", "1", "a"});
  };
  const char kBadTime[] = "ERR invalid expire time in 'hexpire' command";
  EXPECT_EQ(expire("x"), Error(kNotInteger));
  EXPECT_EQ(expire("-1"), Error("ERR invalid expire time, must be >= 0"));
  EXPECT_EQ(expire("70368744178"), Error(kBadTime));
  EXPECT_EQ(expire("9223372036854775807"), Error(kBadTime));
  // In range by itself, but not from now on.
  EXPECT_EQ(expire("70368744177"), Error(kBadTime));
  EXPECT_EQ(Run({"HPEXPIREAT", "k", "70368744177664", "FIELDS", "1", "a"}),
            Error("ERR invalid expire time in 'hpexpireat' command"));
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "1", "a"}), Ints({-1}));
  EXPECT_EQ(Run({"HPEXPIREAT", "k", "70368744177663", "FIELDS", "1", "a"}), Ints({1}));

  EXPECT_EQ(Run({"HEXPIRE", "k", "9", "a", "1", "FIELDS"}), Error(kNoFields));
  EXPECT_EQ(Run({"HEXPIRE", "k", "9", "NX", "a", "1"}), Error(kNoFields));
  EXPECT_EQ(Run({"HEXPIRE", "k", "9", "NX", "XX", "FIELDS", "1", "a"}), Error(kNoFields));
  for (const char* count : {"0", "-1", "x", "1.0"}) {
    EXPECT_EQ(Run({"HEXPIRE", "k", "9", "FIELDS", count, "a"}),
              Error("ERR Parameter `numFields` should be greater than 0"));
    for (const char* command : {"HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"}) {
      EXPECT_EQ(Run({command, "k", "FIELDS", count, "a"}),
                Error("ERR Number of fields must be a positive integer"));
    }
  }
  EXPECT_EQ(Run({"HEXPIRE", "k", "9", "FIELDS", "2", "a"}), Error(kOtherCount));
  EXPECT_EQ(Run({"HEXPIRE", "k", "9", "FIELDS", "1", "a", "b"}), Error(kOtherCount));
  EXPECT_EQ(Run({"HEXPIRE", "k", "9", "NX", "FIELDS", "1"}), Error(kOtherCount));
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "2", "a"}), Error(kOtherCount));
  EXPECT_EQ(Run({"HPERSIST", "k", "FIELDS", "1", "a", "b"}), Error(kOtherCount));
  EXPECT_EQ(Run({"HTTL", "k", "a", "1", "FIELDS"}), Error(kNoFields));
  EXPECT_EQ(Run({"HPERSIST", "k", "a", "1", "FIELDS"}), Error(kNoFields));
}

TEST_F(HashCommandTest, SettingAFieldClearsItsExpiryAndIncrementingKeepsIt) {
  Run({"HSET", "k", "a", "1", "b", "1", "c", "1", "d", "1"});
  Run({"HEXPIRE", "k", "100", "FIELDS", "4", "a", "b", "c", "d"});
  Run({"HSET", "k", "a", "2"});
  Run({"HMSET", "k", "b", "2"});
  Run({"HINCRBY", "k", "c", "1"});
  Run({"HINCRBYFLOAT", "k", "d", "1"});
  Run({"HSETNX", "k", "d", "2"});
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "4", "a", "b", "c", "d"}), Ints({-1, -1, 100, 100}));
  EXPECT_EQ(Run({"HPERSIST", "k", "FIELDS", "3", "a", "c", "none"}), Ints({-1, 1, -2}));
  EXPECT_EQ(Run({"HTTL", "k", "FIELDS", "2", "c", "d"}), Ints({-1, 100}));
  // Not of the key.
  EXPECT_EQ(Run({"TTL", "k"}), Int(-1));
}

TEST_F(HashCommandTest, ExpiryOfFieldsGoesWithRenameCopyAndMove) {
  for (int count : {3, 300}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    Run({"HEXPIRE", key, "100", "FIELDS", "1", "f1"});
    Run({"EXPIRE", key, "1000"});
    Run({"RENAME", key, "renamed"});
    Run({"COPY", "renamed", "copy", "REPLACE"});
    Run({"MOVE", "renamed", "3"});
    EXPECT_EQ(Run({"HTTL", "copy", "FIELDS", "2", "f1", "f2"}), Ints({100, -1}));
    EXPECT_EQ(Run({"TTL", "copy"}), Int(1000));
    Select(3);
    EXPECT_EQ(Run({"HTTL", "renamed", "FIELDS", "2", "f1", "f2"}), Ints({100, -1}));
    Run({"DEL", "renamed"});
    Select(0);
  }
}

}  // namespace
}  // namespace metastore::test
