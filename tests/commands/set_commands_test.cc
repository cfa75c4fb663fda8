// The expected replies are redis-server 7.0.15's.
#include <algorithm>
#include <set>

#include "tests/commands/harness.h"
#include "types/set.h"

namespace metastore::test {
namespace {

const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kSyntax[] = "ERR syntax error";
const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kNotPositive[] = "ERR value is out of range, must be positive";

resp::Value Ints(const std::vector<int64_t>& numbers) {
  std::vector<resp::Value> values;
  for (int64_t number : numbers) values.push_back(Int(number));
  return Array(values);
}

class SetCommandTest : public CommandTest {
 protected:
  // The members first, first + 1, ...
  void Fill(const std::string& key, int count, int first = 0) {
    std::vector<std::string> command = {"SADD", key};
    for (int i = 0; i < count; ++i) command.push_back(std::to_string(first + i));
    EXPECT_EQ(Run(command), Int(count));
  }
  std::vector<std::string> Texts(const std::vector<std::string>& words) {
    std::vector<std::string> texts;
    for (const resp::Value& value : Run(words).children) texts.push_back(value.text);
    return texts;
  }
  std::vector<std::string> Sorted(const std::vector<std::string>& words) {
    std::vector<std::string> texts = Texts(words);
    std::sort(texts.begin(), texts.end());
    return texts;
  }
  std::string_view Encoding(std::string_view key) {
    return types::SetEncoding(types::Set::Find(txn_, db_, key)->header(), types::EncodingLimits());
  }
};

using Strings = std::vector<std::string>;

TEST_F(SetCommandTest, MembersAreAddedAskedForAndRemoved) {
  EXPECT_EQ(Run({"SADD", "k", "b", "a", "b", ""}), Int(3));
  EXPECT_EQ(Run({"SADD", "k", "a", "c"}), Int(1));
  EXPECT_EQ(Run({"SADD", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"SCARD", "k"}), Int(4));
  EXPECT_EQ(Sorted({"SMEMBERS", "k"}), (Strings{"", "a", "b", "c"}));
  EXPECT_EQ(Run({"SISMEMBER", "k", "a"}), Int(1));
  EXPECT_EQ(Run({"SISMEMBER", "k", "none"}), Int(0));
  EXPECT_EQ(Run({"SMISMEMBER", "k", "a", "none", "", "a"}), Ints({1, 0, 1, 1}));
  EXPECT_EQ(Run({"SREM", "k", "a", "none", "a", ""}), Int(2));
  EXPECT_EQ(Run({"TYPE", "k"}), resp::Value::SimpleString("set"));
  EXPECT_EQ(Run({"SREM", "k", "b", "c"}), Int(2));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(SetCommandTest, AnAbsentKeyIsAnEmptySet) {
  EXPECT_EQ(Run({"SCARD", "k"}), Int(0));
  EXPECT_EQ(Run({"SMEMBERS", "k"}), Array({}));
  EXPECT_EQ(Run({"SISMEMBER", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"SMISMEMBER", "k", "a", "b"}), Ints({0, 0}));
  EXPECT_EQ(Run({"SREM", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"SPOP", "k"}), Null());
  EXPECT_EQ(Run({"SPOP", "k", "3"}), Array({}));
  EXPECT_EQ(Run({"SRANDMEMBER", "k"}), Null());
  EXPECT_EQ(Run({"SRANDMEMBER", "k", "-3"}), Array({}));
  EXPECT_EQ(Run({"SMOVE", "k", "other", "a"}), Int(0));
  EXPECT_EQ(Run({"SSCAN", "k", "7", "COUNT", "x"}), Array({Bulk("0"), Array({})}));
  EXPECT_EQ(Run({"SINTER", "k"}), Array({}));
  EXPECT_EQ(Run({"SUNION", "k", "other"}), Array({}));
  EXPECT_EQ(Run({"SDIFF", "k", "other"}), Array({}));
  EXPECT_EQ(Run({"SINTERCARD", "2", "k", "other"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(SetCommandTest, KeysOfOtherTypesAreRefused) {
  PutList("l");
  Run({"SADD", "s", "a"});
  const Strings commands[] = {
      {"SADD", "l", "a"},
      {"SREM", "l", "a"},
      {"SCARD", "l"},
      {"SMEMBERS", "l"},
      {"SISMEMBER", "l", "a"},
      {"SMISMEMBER", "l", "a"},
      {"SPOP", "l"},
      {"SPOP", "l", "0"},
      {"SRANDMEMBER", "l"},
      {"SRANDMEMBER", "l", "0"},
      {"SMOVE", "l", "s", "a"},
      {"SMOVE", "s", "l", "none"},
      {"SSCAN", "l", "0", "COUNT"},
      {"SINTER", "none", "s", "l"},
      {"SUNION", "s", "l"},
      {"SDIFF", "none", "l"},
      {"SINTERCARD", "1", "l"},
      {"SINTERSTORE", "t", "none", "l"},
      {"SUNIONSTORE", "t", "l"},
      {"SDIFFSTORE", "t", "none", "l"},
  };
  for (const Strings& command : commands) EXPECT_EQ(Run(command), Error(kWrongType)) << command[0];
  // The source is absent: the target is not looked at.
  EXPECT_EQ(Run({"SMOVE", "none", "l", "a"}), Int(0));
  EXPECT_EQ(Run({"SMEMBERS", "s"}), Bulks({"a"}));
  EXPECT_EQ(Run({"EXISTS", "t"}), Int(0));
}

TEST_F(SetCommandTest, FewIntegersAreShownInTheirOrder) {
  Run({"SADD", "k", "30", "4", "-5", "1000", "7"});
  EXPECT_EQ(Run({"SMEMBERS", "k"}), Bulks({"-5", "4", "7", "30", "1000"}));
  Run({"SADD", "other", "7", "-5", "5000", "4"});
  EXPECT_EQ(Run({"SINTER", "k", "other"}), Bulks({"-5", "4", "7"}));
  EXPECT_EQ(Run({"SUNION", "k", "other"}), Bulks({"-5", "4", "7", "30", "1000", "5000"}));
  EXPECT_EQ(Run({"SDIFF", "k", "other"}), Bulks({"30", "1000"}));
}

TEST_F(SetCommandTest, RepliesAreSetsInResp3WhereRedisSaysSo) {
  Run({"SADD", "k", "1", "2"});
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"SMEMBERS", "k"}), "~2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_EQ(RunRaw({"SMEMBERS", "none"}), "~0\r\n");
  EXPECT_EQ(RunRaw({"SINTER", "k", "k"}), "~2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_EQ(RunRaw({"SINTER", "k", "none"}), "~0\r\n");
  EXPECT_EQ(RunRaw({"SUNION", "none"}), "~0\r\n");
  EXPECT_EQ(RunRaw({"SDIFF", "k", "k"}), "~0\r\n");
  EXPECT_EQ(RunRaw({"SPOP", "none", "1"}), "~0\r\n");
  EXPECT_EQ(RunRaw({"SPOP", "none"}), "_\r\n");
  EXPECT_EQ(RunRaw({"SRANDMEMBER", "none"}), "_\r\n");
  EXPECT_EQ(RunRaw({"SRANDMEMBER", "none", "1"}), "*0\r\n");
  EXPECT_EQ(RunRaw({"SRANDMEMBER", "k", "5"}), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_EQ(RunRaw({"SPOP", "k", "5"}), "~2\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

TEST_F(SetCommandTest, AMemberIsMoved) {
  for (int count : {3, 300}) {
    const std::string key = "k" + std::to_string(count), to = "to" + std::to_string(count);
    Fill(key, count);
    EXPECT_EQ(Run({"SMOVE", key, to, "1"}), Int(1));
    EXPECT_EQ(Run({"SMOVE", key, to, "1"}), Int(0));
    EXPECT_EQ(Run({"SMEMBERS", to}), Bulks({"1"}));
    EXPECT_EQ(Run({"SCARD", key}), Int(count - 1));
    // One that is there already.
    Run({"SADD", key, "1"});
    EXPECT_EQ(Run({"SMOVE", key, to, "1"}), Int(1));
    EXPECT_EQ(Run({"SCARD", to}), Int(1));
    // Onto itself.
    EXPECT_EQ(Run({"SMOVE", key, key, "0"}), Int(1));
    EXPECT_EQ(Run({"SMOVE", key, key, "none"}), Int(0));
    EXPECT_EQ(Run({"SCARD", key}), Int(count - 1));
  }
  Run({"SADD", "last", "1"});
  EXPECT_EQ(Run({"SMOVE", "last", "to3", "1"}), Int(1));
  EXPECT_EQ(Run({"EXISTS", "last"}), Int(0));
}

TEST_F(SetCommandTest, PoppedMembersAreGone) {
  for (int count : {5, 500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    Run({"EXPIRE", key, "100"});
    std::set<std::string> popped;
    popped.insert(Run({"SPOP", key}).text);
    EXPECT_EQ(Run({"SPOP", key, "0"}), Array({}));
    for (const std::string& member : Texts({"SPOP", key, "2"})) popped.insert(member);
    EXPECT_EQ(popped.size(), 3u);
    EXPECT_EQ(Run({"SCARD", key}), Int(count - 3));
    for (const std::string& member : popped) {
      EXPECT_EQ(Run({"SISMEMBER", key, member}), Int(0));
    }
    const std::string all_but_one = std::to_string(count - 4);
    for (const std::string& member : Texts({"SPOP", key, all_but_one})) popped.insert(member);
    EXPECT_EQ(popped.size(), static_cast<size_t>(count) - 1);
    EXPECT_EQ(Run({"TTL", key}), Int(100));
    for (const std::string& member : Texts({"SPOP", key, "9223372036854775807"})) {
      popped.insert(member);
    }
    EXPECT_EQ(popped.size(), static_cast<size_t>(count));
    EXPECT_EQ(Run({"EXISTS", key}), Int(0));
  }
}

TEST_F(SetCommandTest, CountsOfPopAndRandomMembersAreCheckedBeforeTheKey) {
  PutList("l");
  for (const char* count : {"-1", "x", "", "9223372036854775808"}) {
    EXPECT_EQ(Run({"SPOP", "l", count}), Error(kNotPositive));
  }
  EXPECT_EQ(Run({"SPOP", "l", "1", "2"}), Error(kSyntax));
  EXPECT_EQ(Run({"SRANDMEMBER", "l", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"SRANDMEMBER", "l", "1", "2"}), Error(kSyntax));
  EXPECT_EQ(Run({"SRANDMEMBER", "l", "-9223372036854775808"}),
            Error("ERR value is out of range, value must between -9223372036854775807 and "
                  "9223372036854775807"));
}

TEST_F(SetCommandTest, RandomMembersAreAsManyAsAsked) {
  for (int count : {5, 500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    EXPECT_EQ(Run({"SRANDMEMBER", key, "0"}), Array({}));
    for (const char* asked : {"3", "400", "9223372036854775807"}) {
      const Strings texts = Texts({"SRANDMEMBER", key, asked});
      EXPECT_EQ(texts.size(), std::min<size_t>(std::stoull(asked), static_cast<size_t>(count)));
      EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), texts.size());
    }
    for (const char* asked : {"-3", "-10000"}) {
      const Strings texts = Texts({"SRANDMEMBER", key, asked});
      EXPECT_EQ(texts.size(), std::stoull(asked + 1));
      for (const std::string& member : texts) EXPECT_LT(std::stoi(member), count);
    }
    std::set<std::string> drawn;
    for (int i = 0; i < 50; ++i) drawn.insert(Run({"SRANDMEMBER", key}).text);
    EXPECT_GT(drawn.size(), 1u);
    EXPECT_EQ(Run({"SCARD", key}), Int(count));
  }
}

TEST_F(SetCommandTest, AReplyThatNoClientCouldTakeIsRefused) {
  Fill("k", 3);
  EXPECT_EQ(Run({"SRANDMEMBER", "k", "-9223372036854775807"}),
            Error("ERR the reply would be too large: ask for fewer members"));
}

TEST_F(SetCommandTest, AScanSeesEverythingOnce) {
  for (int count : {5, 500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    std::set<std::string> seen;
    std::string cursor = "0";
    do {
      resp::Value reply = Run({"SSCAN", key, cursor, "COUNT", "20"});
      cursor = reply.children[0].text;
      for (const resp::Value& member : reply.children[1].children) {
        EXPECT_TRUE(seen.insert(member.text).second);
      }
    } while (cursor != "0");
    EXPECT_EQ(seen.size(), static_cast<size_t>(count));
  }
}

TEST_F(SetCommandTest, ScanOptionsAreChecked) {
  Run({"SADD", "k", "a1", "b", "a2"});
  EXPECT_EQ(Run({"SSCAN", "k", "0", "MATCH", "a*"}), Array({Bulk("0"), Bulks({"a1", "a2"})}));
  EXPECT_EQ(Run({"SSCAN", "k", "0", "match", "*2", "COUNT", "1"}),
            Array({Bulk("0"), Bulks({"a2"})}));
  EXPECT_EQ(Run({"SSCAN", "k", "x"}), Error("ERR invalid cursor"));
  EXPECT_EQ(Run({"SSCAN", "k", "0", "COUNT", "0"}), Error(kSyntax));
  EXPECT_EQ(Run({"SSCAN", "k", "0", "COUNT", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"SSCAN", "k", "0", "TYPE", "set"}), Error(kSyntax));
  EXPECT_EQ(Run({"SSCAN", "k", "0", "NOVALUES"}), Error(kSyntax));
  EXPECT_EQ(Run({"SSCAN", "k", "0", "COUNT"}), Error(kSyntax));
}

TEST_F(SetCommandTest, SetsAreIntersectedUnitedAndSubtracted) {
  for (int count : {10, 1000}) {
    Run({"DEL", "a", "b", "mixed"});
    Fill("a", count);
    Fill("b", count, count / 2);
    Run({"SADD", "mixed", "x", "1", std::to_string(count / 2)});
    const auto half = static_cast<size_t>(count) / 2;
    EXPECT_EQ(Texts({"SINTER", "a", "b"}).size(), half);
    EXPECT_EQ(Texts({"SUNION", "a", "b", "mixed"}).size(), 3 * half + 1);
    EXPECT_EQ(Texts({"SDIFF", "a", "b"}).size(), half);
    EXPECT_EQ(Run({"SINTER", "mixed", "b", "a"}), Bulks({std::to_string(half)}));
    EXPECT_EQ(Run({"SINTER", "mixed", "none", "a"}), Array({}));
    EXPECT_EQ(Sorted({"SDIFF", "mixed", "none", "b"}), (Strings{"1", "x"}));
    EXPECT_EQ(Run({"SDIFF", "a", "b", "a"}), Array({}));
    EXPECT_EQ(Texts({"SUNION", "a", "a"}).size(), static_cast<size_t>(count));
    EXPECT_EQ(Run({"SINTERCARD", "2", "a", "b"}), Int(count / 2));
    EXPECT_EQ(Run({"SINTERCARD", "2", "a", "b", "LIMIT", "0"}), Int(count / 2));
    EXPECT_EQ(Run({"SINTERCARD", "2", "a", "b", "limit", "3"}), Int(3));
    EXPECT_EQ(Run({"SINTERCARD", "2", "a", "b", "LIMIT", "5000"}), Int(count / 2));
  }
}

TEST_F(SetCommandTest, ArgumentsOfSinterCardAreCheckedBeforeTheKeys) {
  PutList("l");
  for (const char* count : {"0", "-1", "x", ""}) {
    EXPECT_EQ(Run({"SINTERCARD", count, "l"}), Error("ERR numkeys should be greater than 0"));
  }
  EXPECT_EQ(Run({"SINTERCARD", "2", "l"}),
            Error("ERR Number of keys can't be greater than number of args"));
  EXPECT_EQ(Run({"SINTERCARD", "1", "l", "m"}), Error(kSyntax));
  EXPECT_EQ(Run({"SINTERCARD", "1", "l", "LIMIT"}), Error(kSyntax));
  for (const char* limit : {"-1", "x"}) {
    EXPECT_EQ(Run({"SINTERCARD", "1", "l", "LIMIT", limit}), Error("ERR LIMIT can't be negative"));
  }
}

TEST_F(SetCommandTest, ResultsAreStoredAlsoOverTheirSources) {
  for (int count : {10, 1000}) {
    Run({"DEL", "a", "b", "t"});
    Fill("a", count);
    Fill("b", count, count / 2);
    Run({"SET", "t", "v", "EX", "100"});
    EXPECT_EQ(Run({"SINTERSTORE", "t", "a", "b"}), Int(count / 2));
    EXPECT_EQ(Run({"TTL", "t"}), Int(-1));
    EXPECT_EQ(Sorted({"SMEMBERS", "t"}), Sorted({"SINTER", "a", "b"}));
    EXPECT_EQ(Run({"SUNIONSTORE", "t", "t", "a"}), Int(count));
    EXPECT_EQ(Run({"SDIFFSTORE", "a", "a", "b"}), Int(count / 2));
    EXPECT_EQ(Run({"SCARD", "a"}), Int(count / 2));
    EXPECT_EQ(Run({"SDIFFSTORE", "b", "a", "b"}), Int(count / 2));
    EXPECT_EQ(Sorted({"SMEMBERS", "a"}), Sorted({"SMEMBERS", "b"}));
    // Nothing is stored as nothing.
    EXPECT_EQ(Run({"SDIFFSTORE", "a", "a", "b"}), Int(0));
    EXPECT_EQ(Run({"EXISTS", "a"}), Int(0));
    EXPECT_EQ(Run({"SINTERSTORE", "t", "t", "none"}), Int(0));
    EXPECT_EQ(Run({"EXISTS", "t"}), Int(0));
  }
}

TEST_F(SetCommandTest, AStoredResultHasTheEncodingThatRedisGivesIt) {
  Run({"SADD", "mixed", "1", "2", "3", "x"});
  Run({"SADD", "x", "x"});
  EXPECT_EQ(Encoding("mixed"), "hashtable");
  EXPECT_EQ(Run({"SDIFFSTORE", "t", "mixed", "x"}), Int(3));
  // Redis asks for each member here...
  EXPECT_EQ(Encoding("t"), "intset");
  // ...and here fills the result with the first set and then takes the others out.
  Fill("many", 20);
  Run({"SADD", "many", "x"});
  EXPECT_EQ(Run({"SDIFFSTORE", "t", "many", "x", "x", "x", "x"}), Int(20));
  EXPECT_EQ(Encoding("t"), "hashtable");
  Fill("large", 513);
  Fill("two", 2);
  EXPECT_EQ(Run({"SDIFFSTORE", "t", "large", "two"}), Int(511));
  EXPECT_EQ(Encoding("t"), "intset");
  EXPECT_EQ(Run({"SDIFFSTORE", "t", "large", "two", "two", "two", "two"}), Int(511));
  EXPECT_EQ(Encoding("t"), "hashtable");
  EXPECT_EQ(Run({"SINTERSTORE", "t", "mixed", "large"}), Int(3));
  EXPECT_EQ(Encoding("t"), "intset");
  EXPECT_EQ(Run({"SUNIONSTORE", "t", "two", "x"}), Int(3));
  EXPECT_EQ(Encoding("t"), "hashtable");
}

}  // namespace
}  // namespace metastore::test
