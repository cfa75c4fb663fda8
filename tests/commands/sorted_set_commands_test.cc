// The expected replies are redis-server 7.0.15's.
#include <algorithm>
#include <set>

#include "tests/commands/harness.h"
#include "types/sorted_set.h"

namespace metastore::test {
namespace {

const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kSyntax[] = "ERR syntax error";
const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kNotFloat[] = "ERR value is not a valid float";
const char kNotPositive[] = "ERR value is out of range, must be positive";
const char kNotScores[] = "ERR min or max is not a float";
const char kNotBytes[] = "ERR min or max not valid string range item";
const char kExcludes[] = "ERR GT, LT, and/or NX options at the same time are not compatible";

using Strings = std::vector<std::string>;

class SortedSetCommandTest : public CommandTest {
 protected:
  // m0, m1, ... with the scores 0, 1, ...
  void Fill(const std::string& key, int count) {
    Strings command = {"ZADD", key};
    for (int i = 0; i < count; ++i) {
      command.push_back(std::to_string(i));
      command.push_back("m" + std::to_string(i));
    }
    EXPECT_EQ(Run(command), Int(count));
  }
  // The texts of an array's elements.
  Strings Texts(const Strings& words) {
    Strings texts;
    const resp::Value reply = Run(words);
    EXPECT_NE(reply.type, resp::Type::kError) << reply.text;
    for (const resp::Value& value : reply.children) texts.push_back(value.text);
    return texts;
  }
  Strings All(const std::string& key) { return Texts({"ZRANGE", key, "0", "-1", "WITHSCORES"}); }
  std::string_view Encoding(std::string_view key) {
    return types::SortedSetEncoding(types::SortedSet::Find(txn_, db_, key)->header(),
                                    types::EncodingLimits());
  }
};

TEST_F(SortedSetCommandTest, MembersAreAddedAskedForAndRemoved) {
  EXPECT_EQ(Run({"ZADD", "k", "2", "b", "1", "a", "3", "c", "1", "b"}), Int(3));
  EXPECT_EQ(All("k"), (Strings{"a", "1", "b", "1", "c", "3"}));
  EXPECT_EQ(Run({"ZADD", "k", "2", "b", "4", "d"}), Int(1));
  EXPECT_EQ(Run({"ZCARD", "k"}), Int(4));
  EXPECT_EQ(Run({"ZSCORE", "k", "b"}), Bulk("2"));
  EXPECT_EQ(Run({"ZSCORE", "k", "none"}), Null());
  EXPECT_EQ(Run({"ZMSCORE", "k", "a", "none", "d"}), Array({Bulk("1"), Null(), Bulk("4")}));
  EXPECT_EQ(Run({"ZRANK", "k", "c"}), Int(2));
  EXPECT_EQ(Run({"ZREVRANK", "k", "c"}), Int(1));
  EXPECT_EQ(Run({"ZRANK", "k", "none"}), Null());
  EXPECT_EQ(Run({"ZREM", "k", "a", "none", "a", "d"}), Int(2));
  EXPECT_EQ(Run({"TYPE", "k"}), resp::Value::SimpleString("zset"));
  EXPECT_EQ(Run({"ZREM", "k", "b", "c", "x"}), Int(2));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(SortedSetCommandTest, RanksCanCarryTheirScores) {
  Fill("k", 5);
  EXPECT_EQ(Run({"ZRANK", "k", "m3", "withscore"}), Array({Int(3), Bulk("3")}));
  EXPECT_EQ(Run({"ZREVRANK", "k", "m3", "WITHSCORE"}), Array({Int(1), Bulk("3")}));
  EXPECT_EQ(RunRaw({"ZRANK", "k", "none", "WITHSCORE"}), "*-1\r\n");
  EXPECT_EQ(RunRaw({"ZRANK", "none", "m3", "WITHSCORE"}), "*-1\r\n");
  EXPECT_EQ(Run({"ZRANK", "k", "m3", "WITHSCORES"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZRANK", "k", "m3", "WITHSCORE", "x"}),
            Error("ERR wrong number of arguments for 'zrank' command"));
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"ZRANK", "k", "m3", "WITHSCORE"}), "*2\r\n:3\r\n,3\r\n");
  EXPECT_EQ(RunRaw({"ZRANK", "k", "none", "WITHSCORE"}), "_\r\n");
}

TEST_F(SortedSetCommandTest, AnAbsentKeyIsAnEmptySortedSet) {
  EXPECT_EQ(Run({"ZCARD", "k"}), Int(0));
  EXPECT_EQ(Run({"ZSCORE", "k", "a"}), Null());
  EXPECT_EQ(Run({"ZMSCORE", "k", "a", "b"}), Array({Null(), Null()}));
  EXPECT_EQ(Run({"ZRANK", "k", "a"}), Null());
  EXPECT_EQ(Run({"ZREM", "k", "a"}), Int(0));
  EXPECT_EQ(Run({"ZCOUNT", "k", "0", "1"}), Int(0));
  EXPECT_EQ(Run({"ZLEXCOUNT", "k", "-", "+"}), Int(0));
  for (const char* range : {"ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE"}) {
    EXPECT_EQ(Run({range, "k", "0", "-1"}), Array({}));
  }
  EXPECT_EQ(Run({"ZRANGEBYLEX", "k", "-", "+"}), Array({}));
  EXPECT_EQ(Run({"ZREVRANGEBYLEX", "k", "+", "-"}), Array({}));
  for (const char* range : {"ZREMRANGEBYRANK", "ZREMRANGEBYSCORE"}) {
    EXPECT_EQ(Run({range, "k", "0", "-1"}), Int(0));
  }
  EXPECT_EQ(Run({"ZREMRANGEBYLEX", "k", "-", "+"}), Int(0));
  EXPECT_EQ(Run({"ZPOPMIN", "k"}), Array({}));
  EXPECT_EQ(Run({"ZPOPMAX", "k", "3"}), Array({}));
  EXPECT_EQ(RunRaw({"ZMPOP", "1", "k", "MIN"}), "*-1\r\n");
  EXPECT_EQ(RunRaw({"BZPOPMIN", "k", "0"}), "*-1\r\n");
  EXPECT_EQ(RunRaw({"BZMPOP", "0", "1", "k", "MAX"}), "*-1\r\n");
  EXPECT_EQ(Run({"ZRANDMEMBER", "k"}), Null());
  EXPECT_EQ(Run({"ZRANDMEMBER", "k", "3"}), Array({}));
  EXPECT_EQ(Run({"ZRANDMEMBER", "k", "-3", "WITHSCORES"}), Array({}));
  EXPECT_EQ(Run({"ZSCAN", "k", "7", "COUNT", "x"}), Array({Bulk("0"), Array({})}));
  EXPECT_EQ(Run({"ZUNION", "2", "k", "other"}), Array({}));
  EXPECT_EQ(Run({"ZINTER", "1", "k"}), Array({}));
  EXPECT_EQ(Run({"ZDIFF", "1", "k"}), Array({}));
  EXPECT_EQ(Run({"ZINTERCARD", "1", "k"}), Int(0));
  EXPECT_EQ(Run({"ZADD", "k", "XX", "1", "a"}), Int(0));
  EXPECT_EQ(Run({"ZADD", "k", "XX", "INCR", "1", "a"}), Null());
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  Fill("target", 2);
  EXPECT_EQ(Run({"ZRANGESTORE", "target", "k", "0", "-1"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "target"}), Int(0));
  Fill("target", 2);
  EXPECT_EQ(Run({"ZUNIONSTORE", "target", "1", "k"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "target"}), Int(0));
}

TEST_F(SortedSetCommandTest, AKeyOfAnotherTypeIsAnErrorEverywhere) {
  PutList("l");
  const std::vector<Strings> commands = {{"ZADD", "l", "1", "a"},
                                         {"ZINCRBY", "l", "1", "a"},
                                         {"ZREM", "l", "a"},
                                         {"ZSCORE", "l", "a"},
                                         {"ZMSCORE", "l", "a"},
                                         {"ZCARD", "l"},
                                         {"ZCOUNT", "l", "0", "1"},
                                         {"ZLEXCOUNT", "l", "-", "+"},
                                         {"ZRANK", "l", "a"},
                                         {"ZREVRANK", "l", "a"},
                                         {"ZRANGE", "l", "0", "1"},
                                         {"ZRANGESTORE", "t", "l", "0", "1"},
                                         {"ZRANGEBYSCORE", "l", "0", "1"},
                                         {"ZREVRANGEBYSCORE", "l", "0", "1"},
                                         {"ZRANGEBYLEX", "l", "-", "+"},
                                         {"ZREVRANGEBYLEX", "l", "+", "-"},
                                         {"ZREVRANGE", "l", "0", "1"},
                                         {"ZREMRANGEBYRANK", "l", "0", "1"},
                                         {"ZREMRANGEBYSCORE", "l", "0", "1"},
                                         {"ZREMRANGEBYLEX", "l", "-", "+"},
                                         {"ZPOPMIN", "l"},
                                         {"ZPOPMAX", "l", "0"},
                                         {"ZMPOP", "2", "none", "l", "MIN"},
                                         {"BZPOPMIN", "none", "l", "0"},
                                         {"BZPOPMAX", "l", "0"},
                                         {"BZMPOP", "0", "1", "l", "MAX"},
                                         {"ZUNION", "2", "none", "l"},
                                         {"ZINTER", "2", "none", "l"},
                                         {"ZDIFF", "2", "none", "l"},
                                         {"ZUNIONSTORE", "t", "1", "l"},
                                         {"ZINTERSTORE", "t", "2", "none", "l"},
                                         {"ZDIFFSTORE", "t", "2", "none", "l"},
                                         {"ZINTERCARD", "1", "l"},
                                         {"ZRANDMEMBER", "l"},
                                         {"ZRANDMEMBER", "l", "0"},
                                         {"ZSCAN", "l", "0", "COUNT", "x"}};
  for (const Strings& command : commands) {
    EXPECT_EQ(Run(command), Error(kWrongType)) << command[0];
  }
  // Only the sources' types matter.
  Fill("k", 1);
  EXPECT_EQ(Run({"ZUNIONSTORE", "l", "1", "k"}), Int(1));
  EXPECT_EQ(Run({"TYPE", "l"}), resp::Value::SimpleString("zset"));
}

TEST_F(SortedSetCommandTest, ZAddsOptionsChooseWhatMayHappen) {
  Run({"ZADD", "k", "5", "a"});
  EXPECT_EQ(Run({"ZADD", "k", "NX", "6", "a", "1", "b"}), Int(1));
  EXPECT_EQ(Run({"ZADD", "k", "xx", "CH", "7", "a", "1", "c"}), Int(1));
  EXPECT_EQ(All("k"), (Strings{"b", "1", "a", "7"}));
  EXPECT_EQ(Run({"ZADD", "k", "GT", "CH", "6", "a", "2", "b", "3", "c"}), Int(2));
  EXPECT_EQ(Run({"ZADD", "k", "lt", "ch", "8", "a", "1", "b", "4", "d"}), Int(2));
  EXPECT_EQ(All("k"), (Strings{"b", "1", "c", "3", "d", "4", "a", "7"}));
  EXPECT_EQ(Run({"ZADD", "k", "INCR", "2.5", "a"}), Bulk("9.5"));
  EXPECT_EQ(Run({"ZADD", "k", "NX", "INCR", "2", "a"}), Null());
  EXPECT_EQ(Run({"ZADD", "k", "GT", "INCR", "-1", "a"}), Null());
  EXPECT_EQ(Run({"ZADD", "k", "LT", "INCR", "-1", "a"}), Bulk("8.5"));
  EXPECT_EQ(Run({"ZADD", "k", "INCR", "1", "new"}), Bulk("1"));
  EXPECT_EQ(Run({"ZADD", "k", "XX", "1", "none"}), Int(0));
  EXPECT_EQ(Run({"ZINCRBY", "k", "-0.5", "a"}), Bulk("8"));
  EXPECT_EQ(Run({"ZINCRBY", "k", "3", "newer"}), Bulk("3"));
  // An option's name behind the first score is a member.
  EXPECT_EQ(Run({"ZADD", "k", "1", "XX"}), Int(1));
}

TEST_F(SortedSetCommandTest, ZAddSaysWhatIsWrongInRedissOrder) {
  PutList("l");
  EXPECT_EQ(Run({"ZADD", "l", "1", "a", "2"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZADD", "l", "NX", "XX"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZADD", "l", "NX", "XX", "GT", "LT", "x", "a"}),
            Error("ERR XX and NX options at the same time are not compatible"));
  EXPECT_EQ(Run({"ZADD", "l", "NX", "GT", "x", "a"}), Error(kExcludes));
  EXPECT_EQ(Run({"ZADD", "l", "GT", "LT", "x", "a"}), Error(kExcludes));
  EXPECT_EQ(Run({"ZADD", "l", "INCR", "x", "a", "x", "b"}),
            Error("ERR INCR option supports a single increment-element pair"));
  EXPECT_EQ(Run({"ZADD", "l", "1", "a", "x", "b"}), Error(kNotFloat));
  EXPECT_EQ(Run({"ZADD", "l", "nan", "b"}), Error(kNotFloat));
  EXPECT_EQ(Run({"ZINCRBY", "l", "x", "b"}), Error(kNotFloat));
  EXPECT_EQ(Run({"ZINCRBY", "l", "NX", "b"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZADD", "l", "1", "a"}), Error(kWrongType));
  // Nothing is added before the error is found.
  EXPECT_EQ(Run({"ZADD", "k", "1", "a", "x", "b"}), Error(kNotFloat));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
}

TEST_F(SortedSetCommandTest, InfinitiesAreScoresAndTheirDifferenceIsNone) {
  EXPECT_EQ(Run({"ZADD", "k", "inf", "a", "-INF", "b", "+Infinity", "c"}), Int(3));
  EXPECT_EQ(All("k"), (Strings{"b", "-inf", "a", "inf", "c", "inf"}));
  const resp::Value nan = Error("ERR resulting score is not a number (NaN)");
  EXPECT_EQ(Run({"ZINCRBY", "k", "-inf", "a"}), nan);
  EXPECT_EQ(Run({"ZADD", "k", "INCR", "inf", "b"}), nan);
  EXPECT_EQ(Run({"ZINCRBY", "k", "inf", "a"}), Bulk("inf"));
  EXPECT_EQ(Run({"ZADD", "k", "1e308", "x", "-0", "z"}), Int(2));
  EXPECT_EQ(Run({"ZINCRBY", "k", "1.5e308", "x"}), Bulk("inf"));
  EXPECT_EQ(Run({"ZCOUNT", "k", "-inf", "(inf"}), Int(2));
}

TEST_F(SortedSetCommandTest, ScoresAreShownWithSeventeenDigits) {
  Run({"ZADD", "k", "3.3", "a", "1e17", "b", "1e-7", "c", "12345678901234567890", "d"});
  EXPECT_EQ(All("k"), (Strings{"c", "9.9999999999999995e-08", "a", "3.2999999999999998", "b",
                               "1e+17", "d", "1.2345678901234567e+19"}));
  // ZSCAN shows what Redis's compact form holds: integers where they fit.
  EXPECT_EQ(Run({"ZSCAN", "k", "0"}).children[1],
            Bulks({"c", "9.9999999999999995e-08", "a", "3.2999999999999998", "b",
                   "100000000000000000", "d", "1.2345678901234567e+19"}));
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"ZSCORE", "k", "a"}), ",3.2999999999999998\r\n");
  EXPECT_EQ(RunRaw({"ZADD", "k", "INCR", "inf", "x"}), ",inf\r\n");
  EXPECT_EQ(RunRaw({"ZRANGE", "k", "0", "0", "WITHSCORES"}),
            "*1\r\n*2\r\n$1\r\nc\r\n,9.9999999999999995e-08\r\n");
}

// --- ranges ------------------------------------------------------------------------------------

TEST_F(SortedSetCommandTest, RangesOfRanksCountFromEitherEnd) {
  for (int count : {6, 300}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    const std::string last = "m" + std::to_string(count - 1);
    EXPECT_EQ(Texts({"ZRANGE", key, "1", "2"}), (Strings{"m1", "m2"}));
    EXPECT_EQ(Texts({"ZRANGE", key, "-1", "-1"}), Strings{last});
    EXPECT_EQ(Texts({"ZRANGE", key, "0", "1", "REV", "WITHSCORES"}).front(), last);
    EXPECT_EQ(Texts({"ZREVRANGE", key, "-2", "-1"}), (Strings{"m1", "m0"}));
    EXPECT_EQ(Texts({"ZREVRANGE", key, "-1", "9223372036854775807", "WITHSCORES"}),
              (Strings{"m0", "0"}));
    EXPECT_EQ(Texts({"ZRANGE", key, "-9223372036854775808", "0"}), Strings{"m0"});
    EXPECT_EQ(Texts({"ZRANGE", key, "2", "1"}), Strings{});
    EXPECT_EQ(Texts({"ZRANGE", key, std::to_string(count), "-1"}), Strings{});
    EXPECT_EQ(Texts({"ZRANGE", key, "0", "-1"}).size(), static_cast<size_t>(count));
    EXPECT_EQ(Texts({"ZRANGE", key, "1", "1", "LIMIT", "7", "-1"}), Strings{"m1"});
  }
}

TEST_F(SortedSetCommandTest, RangesOfScoresHaveOpenAndClosedEnds) {
  for (int count : {6, 300}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "1", "3"}), (Strings{"m1", "m2", "m3"}));
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "(1", "(3"}), Strings{"m2"});
    EXPECT_EQ(Texts({"ZREVRANGEBYSCORE", key, "3", "(1"}), (Strings{"m3", "m2"}));
    EXPECT_EQ(Texts({"ZRANGE", key, "(1", "3", "BYSCORE"}), (Strings{"m2", "m3"}));
    EXPECT_EQ(Texts({"ZRANGE", key, "3", "(1", "BYSCORE", "REV"}), (Strings{"m3", "m2"}));
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "-inf", "1", "WITHSCORES"}),
              (Strings{"m0", "0", "m1", "1"}));
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "-inf", "+inf", "LIMIT", "2", "2"}),
              (Strings{"m2", "m3"}));
    EXPECT_EQ(Texts({"ZREVRANGEBYSCORE", key, "4", "-inf", "LIMIT", "1", "-1"}),
              (Strings{"m3", "m2", "m1", "m0"}));
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "0", "9", "LIMIT", "-1", "5"}), Strings{});
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "0", "9", "LIMIT", "0", "0"}), Strings{});
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "0", "9", "LIMIT", "9223372036854775807", "5"}),
              Strings{});
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "(2", "2"}), Strings{});
    EXPECT_EQ(Texts({"ZRANGEBYSCORE", key, "3", "2"}), Strings{});
    EXPECT_EQ(Run({"ZCOUNT", key, "(0", "4"}), Int(4));
    EXPECT_EQ(Run({"ZCOUNT", key, "(inf", "inf"}), Int(0));
    // strtod's forms.
    EXPECT_EQ(Run({"ZCOUNT", key, "", "0x2"}), Int(3));
    EXPECT_EQ(Run({"ZCOUNT", key, " 1", std::string("2\0x", 3)}), Int(2));
    EXPECT_EQ(Run({"ZCOUNT", key, "(", "1e400"}), Int(count - 1));
  }
}

TEST_F(SortedSetCommandTest, RangesOfBytesHaveOpenAndClosedEnds) {
  for (int count : {6, 300}) {
    const std::string key = "k" + std::to_string(count);
    Strings command = {"ZADD", key};
    for (int i = 0; i < count; ++i) {
      command.push_back("0");
      command.push_back(std::to_string(1000 + i));
    }
    Run(command);
    EXPECT_EQ(Texts({"ZRANGEBYLEX", key, "-", "(1002"}), (Strings{"1000", "1001"}));
    EXPECT_EQ(Texts({"ZRANGEBYLEX", key, "[1001", "[1002"}), (Strings{"1001", "1002"}));
    EXPECT_EQ(Texts({"ZREVRANGEBYLEX", key, "[1002", "-"}), (Strings{"1002", "1001", "1000"}));
    EXPECT_EQ(Texts({"ZRANGE", key, "(1000", "+", "BYLEX", "LIMIT", "1", "2"}),
              (Strings{"1002", "1003"}));
    EXPECT_EQ(Texts({"ZRANGE", key, "(1002", "-", "BYLEX", "REV"}), (Strings{"1001", "1000"}));
    EXPECT_EQ(Texts({"ZRANGEBYLEX", key, "+", "-"}), Strings{});
    EXPECT_EQ(Run({"ZLEXCOUNT", key, "-", "+"}), Int(count));
    EXPECT_EQ(Run({"ZLEXCOUNT", key, "(1000", "[1004"}), Int(4));
    EXPECT_EQ(Run({"ZREMRANGEBYLEX", key, "[1001", "(1003"}), Int(2));
    EXPECT_EQ(Texts({"ZRANGE", key, "0", "1"}), (Strings{"1000", "1003"}));
  }
}

TEST_F(SortedSetCommandTest, RangesSayWhatIsWrongInRedissOrder) {
  PutList("l");
  const char kLimit[] =
      "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "NOSUCH"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "LIMIT", "1"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "LIMIT", "1", "y"}), Error(kNotInteger));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "LIMIT", "1", "2"}), Error(kLimit));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "BYLEX", "WITHSCORES"}),
            Error("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "BYLEX", "BYSCORE"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1"}), Error(kNotInteger));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "BYSCORE"}), Error(kNotScores));
  EXPECT_EQ(Run({"ZRANGE", "l", "x", "1", "BYLEX"}), Error(kNotBytes));
  EXPECT_EQ(Run({"ZRANGEBYSCORE", "l", "0", "1", "REV"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZREVRANGE", "l", "0", "1", "BYSCORE"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZRANGESTORE", "t", "l", "0", "1", "WITHSCORES"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZCOUNT", "l", "nan", "1"}), Error(kNotScores));
  EXPECT_EQ(Run({"ZCOUNT", "l", "((1", "1"}), Error(kNotScores));
  EXPECT_EQ(Run({"ZLEXCOUNT", "l", "", "+"}), Error(kNotBytes));
  EXPECT_EQ(Run({"ZLEXCOUNT", "l", "-", "+x"}), Error(kNotBytes));
  EXPECT_EQ(Run({"ZREMRANGEBYRANK", "l", "x", "1"}), Error(kNotInteger));
  EXPECT_EQ(Run({"ZREMRANGEBYSCORE", "l", "1 ", "1"}), Error(kNotScores));
  EXPECT_EQ(Run({"ZREMRANGEBYLEX", "l", "a", "[b"}), Error(kNotBytes));
}

TEST_F(SortedSetCommandTest, ARangeIsRemovedAndTheKeyGoesWithTheLast) {
  for (int count : {6, 300}) {
    Fill("k", count);
    EXPECT_EQ(Run({"ZREMRANGEBYRANK", "k", "-2", "-1"}), Int(2));
    EXPECT_EQ(Run({"ZREMRANGEBYSCORE", "k", "-inf", "(2"}), Int(2));
    EXPECT_EQ(Run({"ZREMRANGEBYSCORE", "k", "-inf", "(2"}), Int(0));
    EXPECT_EQ(Run({"ZCARD", "k"}), Int(count - 4));
    EXPECT_EQ(Texts({"ZRANGE", "k", "0", "0"}), Strings{"m2"});
    EXPECT_EQ(Run({"ZREMRANGEBYRANK", "k", "0", "-1"}), Int(count - 4));
    EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  }
}

TEST_F(SortedSetCommandTest, ARangeIsStoredAlsoOverItsSource) {
  for (int count : {6, 300}) {
    Fill("k", count);
    EXPECT_EQ(Run({"ZRANGESTORE", "t", "k", "1", "2"}), Int(2));
    EXPECT_EQ(All("t"), (Strings{"m1", "1", "m2", "2"}));
    EXPECT_EQ(Run({"ZRANGESTORE", "k", "k", "4", "(1", "BYSCORE", "REV", "LIMIT", "1", "5"}),
              Int(2));
    EXPECT_EQ(All("k"), (Strings{"m2", "2", "m3", "3"}));
    EXPECT_EQ(Encoding("k"), "listpack");
    Run({"DEL", "k"});
  }
}

// --- several sorted sets -----------------------------------------------------------------------

TEST_F(SortedSetCommandTest, SeveralSortedSetsAreCombined) {
  Run({"ZADD", "a", "1", "x", "2", "y", "3", "z"});
  Run({"ZADD", "b", "10", "y", "20", "z", "30", "w"});
  Run({"SADD", "s", "y", "w", "v"});
  EXPECT_EQ(Texts({"ZUNION", "2", "a", "b", "WITHSCORES"}),
            (Strings{"x", "1", "y", "12", "z", "23", "w", "30"}));
  EXPECT_EQ(Texts({"ZINTER", "2", "a", "b", "WITHSCORES"}), (Strings{"y", "12", "z", "23"}));
  EXPECT_EQ(Texts({"ZDIFF", "2", "a", "b", "WITHSCORES"}), (Strings{"x", "1"}));
  EXPECT_EQ(Texts({"ZUNION", "2", "a", "s", "WITHSCORES"}),
            (Strings{"v", "1", "w", "1", "x", "1", "y", "3", "z", "3"}));
  EXPECT_EQ(Texts({"ZINTER", "3", "a", "b", "s", "WEIGHTS", "1", "2", "-1", "WITHSCORES"}),
            (Strings{"y", "21"}));
  EXPECT_EQ(Texts({"ZUNION", "2", "a", "b", "AGGREGATE", "min", "WITHSCORES"}),
            (Strings{"x", "1", "y", "2", "z", "3", "w", "30"}));
  EXPECT_EQ(Texts({"ZUNION", "2", "a", "b", "WEIGHTS", "-1", "1", "AGGREGATE", "MAX"}),
            (Strings{"x", "y", "z", "w"}));
  EXPECT_EQ(Texts({"ZINTER", "2", "a", "none"}), Strings{});
  EXPECT_EQ(Texts({"ZUNION", "2", "none", "a"}), (Strings{"x", "y", "z"}));
  EXPECT_EQ(Texts({"ZDIFF", "3", "a", "none", "s"}), (Strings{"x", "z"}));
  EXPECT_EQ(Texts({"ZDIFF", "2", "s", "a", "WITHSCORES"}), (Strings{"v", "1", "w", "1"}));
  EXPECT_EQ(Texts({"ZUNION", "3", "a", "a", "a", "WITHSCORES"}),
            (Strings{"x", "3", "y", "6", "z", "9"}));
  EXPECT_EQ(Run({"ZINTERCARD", "2", "a", "b"}), Int(2));
  EXPECT_EQ(Run({"ZINTERCARD", "2", "a", "b", "LIMIT", "1"}), Int(1));
  EXPECT_EQ(Run({"ZINTERCARD", "2", "a", "b", "LIMIT", "0"}), Int(2));
  EXPECT_EQ(Run({"ZUNIONSTORE", "a", "2", "a", "b"}), Int(4));
  EXPECT_EQ(All("a"), (Strings{"x", "1", "y", "12", "z", "23", "w", "30"}));
  EXPECT_EQ(Run({"ZINTERSTORE", "a", "2", "a", "s"}), Int(2));
  EXPECT_EQ(All("a"), (Strings{"y", "13", "w", "31"}));
  EXPECT_EQ(Run({"ZDIFFSTORE", "a", "2", "a", "a"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "a"}), Int(0));
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"ZINTER", "1", "s", "WITHSCORES"}),
            "*3\r\n*2\r\n$1\r\nv\r\n,1\r\n*2\r\n$1\r\nw\r\n,1\r\n*2\r\n$1\r\ny\r\n,1\r\n");
}

TEST_F(SortedSetCommandTest, SumsAreTakenInTheOrderOfSizes) {
  // 1e300 + -1e300 + 1 is 1 where the large ones come first, else 0.
  Run({"ZADD", "one", "1e300", "m", "0", "a", "0", "b"});
  Run({"ZADD", "two", "1", "m", "0", "a"});
  Run({"ZADD", "three", "-1e300", "m", "0", "a", "0", "b", "0", "c"});
  EXPECT_EQ(Texts({"ZUNION", "3", "one", "three", "two", "WITHSCORES"})[1], "0");
  Run({"ZREM", "one", "a", "b"});
  Run({"ZREM", "three", "a", "b", "c"});
  EXPECT_EQ(Run({"ZINTERSTORE", "t", "3", "two", "one", "three"}), Int(1));
  EXPECT_EQ(All("t"), (Strings{"m", "1"}));
}

TEST_F(SortedSetCommandTest, WhatIsNoNumberCountsAsZeroInSums) {
  Run({"ZADD", "a", "inf", "x", "0", "y"});
  Run({"ZADD", "b", "-inf", "x", "0", "y"});
  EXPECT_EQ(Texts({"ZUNION", "2", "a", "b", "WITHSCORES"}), (Strings{"x", "0", "y", "0"}));
  EXPECT_EQ(Texts({"ZUNION", "1", "a", "WEIGHTS", "0", "WITHSCORES"}),
            (Strings{"x", "0", "y", "0"}));
  EXPECT_EQ(Texts({"ZINTER", "2", "a", "b", "WEIGHTS", "1", "0", "AGGREGATE", "MAX", "WITHSCORES"}),
            (Strings{"y", "0", "x", "inf"}));
}

TEST_F(SortedSetCommandTest, CombinationsOfPackedAndSpreadAgree) {
  Fill("few", 20);
  Fill("many", 500);
  Run({"ZADD", "other", "7", "m3", "7", "m400", "7", "none"});
  EXPECT_EQ(Run({"ZINTERCARD", "2", "few", "many"}), Int(20));
  EXPECT_EQ(Run({"ZUNIONSTORE", "t", "3", "few", "many", "other"}), Int(501));
  EXPECT_EQ(Run({"ZSCORE", "t", "m3"}), Bulk("13"));
  EXPECT_EQ(Run({"ZSCORE", "t", "m400"}), Bulk("407"));
  EXPECT_EQ(Run({"ZDIFFSTORE", "t", "2", "many", "few"}), Int(480));
  EXPECT_EQ(Run({"ZRANK", "t", "m20"}), Int(0));
  EXPECT_EQ(Texts({"ZINTER", "3", "many", "other", "t", "WITHSCORES"}), (Strings{"m400", "807"}));
}

TEST_F(SortedSetCommandTest, CombinationsSayWhatIsWrongInRedissOrder) {
  Fill("k", 2);
  PutList("l");
  EXPECT_EQ(Run({"ZUNION", "x", "l"}), Error(kNotInteger));
  EXPECT_EQ(Run({"ZUNION", "0", "l"}),
            Error("ERR at least 1 input key is needed for 'zunion' command"));
  EXPECT_EQ(Run({"ZINTERSTORE", "t", "-1", "l"}),
            Error("ERR at least 1 input key is needed for 'zinterstore' command"));
  EXPECT_EQ(Run({"ZUNION", "2", "l"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZUNION", "9223372036854775807", "l"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZUNION", "1", "l", "NOSUCH"}), Error(kWrongType));
  EXPECT_EQ(Run({"ZUNION", "1", "k", "NOSUCH"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZUNION", "1", "k", "WEIGHTS"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZUNION", "1", "k", "WEIGHTS", "x"}), Error("ERR weight value is not a float"));
  EXPECT_EQ(Run({"ZUNION", "1", "k", "AGGREGATE", "avg"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZUNIONSTORE", "t", "1", "k", "WITHSCORES"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZDIFF", "1", "k", "WEIGHTS", "1"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZINTERCARD", "1", "k", "WITHSCORES"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZINTERCARD", "1", "k", "LIMIT", "-1"}), Error("ERR LIMIT can't be negative"));
  EXPECT_EQ(Run({"ZINTERCARD", "1", "k", "LIMIT", "x"}), Error("ERR LIMIT can't be negative"));
}

// --- pops --------------------------------------------------------------------------------------

TEST_F(SortedSetCommandTest, MembersArePoppedFromEitherEnd) {
  for (int count : {8, 300}) {
    Fill("k", count);
    const std::string last = std::to_string(count - 1), before = std::to_string(count - 2);
    EXPECT_EQ(Texts({"ZPOPMIN", "k"}), (Strings{"m0", "0"}));
    EXPECT_EQ(Texts({"ZPOPMAX", "k", "2"}), (Strings{"m" + last, last, "m" + before, before}));
    EXPECT_EQ(Texts({"ZPOPMIN", "k", "0"}), Strings{});
    EXPECT_EQ(RunRaw({"BZPOPMIN", "none", "k", "0.01"}),
              "*3\r\n$1\r\nk\r\n$2\r\nm1\r\n$1\r\n1\r\n");
    EXPECT_EQ(RunRaw({"ZMPOP", "2", "none", "k", "min", "COUNT", "2"}),
              "*2\r\n$1\r\nk\r\n*2\r\n*2\r\n$2\r\nm2\r\n$1\r\n2\r\n*2\r\n$2\r\nm3\r\n$1\r\n3\r\n");
    protocol_ = 3;
    EXPECT_EQ(RunRaw({"ZPOPMIN", "k"}), "*2\r\n$2\r\nm4\r\n,4\r\n");
    EXPECT_EQ(RunRaw({"ZPOPMIN", "k", "1"}), "*1\r\n*2\r\n$2\r\nm5\r\n,5\r\n");
    EXPECT_EQ(RunRaw({"BZMPOP", "0", "1", "none", "MAX"}), "_\r\n");
    protocol_ = 2;
    EXPECT_EQ(Run({"ZCARD", "k"}), Int(count == 8 ? 0 : count - 8));
    EXPECT_EQ(Texts({"ZPOPMAX", "k", "1000"}).size(), count == 8 ? 0u : 2u * (300 - 8));
    EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  }
}

TEST_F(SortedSetCommandTest, PopsSayWhatIsWrongInRedissOrder) {
  Fill("k", 2);
  PutList("l");
  EXPECT_EQ(Run({"ZPOPMIN", "l", "1", "2"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZPOPMIN", "l", "-1"}), Error(kNotPositive));
  EXPECT_EQ(Run({"ZPOPMAX", "l", "x"}), Error(kNotPositive));
  EXPECT_EQ(Run({"ZMPOP", "0", "l", "MIN"}), Error("ERR numkeys should be greater than 0"));
  EXPECT_EQ(Run({"ZMPOP", "x", "l", "MIN"}), Error("ERR numkeys should be greater than 0"));
  EXPECT_EQ(Run({"ZMPOP", "2", "l", "MIN"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZMPOP", "1", "l", "MID"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZMPOP", "1", "l", "MIN", "COUNT"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZMPOP", "1", "l", "MIN", "COUNT", "0"}),
            Error("ERR count should be greater than 0"));
  EXPECT_EQ(Run({"ZMPOP", "1", "l", "MIN", "COUNT", "1", "COUNT", "1"}), Error(kSyntax));
  EXPECT_EQ(Run({"BZPOPMIN", "l", "x"}), Error("ERR timeout is not a float or out of range"));
  EXPECT_EQ(Run({"BZPOPMIN", "l", "-1"}), Error("ERR timeout is negative"));
  // Its timeout comes last, though it stands first.
  EXPECT_EQ(Run({"BZMPOP", "x", "1", "l", "MID"}), Error(kSyntax));
  EXPECT_EQ(Run({"BZMPOP", "x", "1", "l", "MIN"}),
            Error("ERR timeout is not a float or out of range"));
  EXPECT_EQ(Run({"ZCARD", "k"}), Int(2));
}

// --- draws and scans ---------------------------------------------------------------------------

TEST_F(SortedSetCommandTest, MembersAreDrawnWithAndWithoutTheirScores) {
  for (int count : {10, 400}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    EXPECT_EQ(Run({"ZRANDMEMBER", key}).text[0], 'm');
    EXPECT_EQ(Run({"ZRANDMEMBER", key, "0"}), Array({}));
    for (const char* size : {"1", "5", "9", "399", "1000", "-1", "-30"}) {
      const int asked = std::stoi(size);
      const Strings drawn = Texts({"ZRANDMEMBER", key, size, "WITHSCORES"});
      const size_t expected = static_cast<size_t>(asked < 0 ? -asked : std::min(asked, count));
      ASSERT_EQ(drawn.size(), 2 * expected);
      std::set<std::string> different;
      for (size_t i = 0; i < drawn.size(); i += 2) {
        EXPECT_EQ(drawn[i], "m" + drawn[i + 1]);
        different.insert(drawn[i]);
      }
      if (asked > 0) {
        EXPECT_EQ(different.size(), expected);
      }
    }
    protocol_ = 3;
    EXPECT_EQ(RunRaw({"ZRANDMEMBER", key, "1", "WITHSCORES"}).substr(0, 8), "*1\r\n*2\r\n");
    protocol_ = 2;
  }
  EXPECT_EQ(Run({"ZRANDMEMBER", "k10", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"ZRANDMEMBER", "k10", "1", "WITHVALUES"}), Error(kSyntax));
  EXPECT_EQ(Run({"ZRANDMEMBER", "k10", "-9223372036854775808"}),
            Error("ERR value is out of range, value must between -9223372036854775807 and "
                  "9223372036854775807"));
  EXPECT_EQ(Run({"ZRANDMEMBER", "k10", "9223372036854775807", "WITHSCORES"}),
            Error("ERR value is out of range"));
  EXPECT_EQ(Run({"ZRANDMEMBER", "k10", "-100000000"}),
            Error("ERR the reply would be too large: ask for fewer members"));
}

TEST_F(SortedSetCommandTest, AScanSeesEveryMember) {
  for (int count : {10, 400}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    std::set<std::string> seen;
    std::string cursor = "0";
    do {
      const resp::Value reply = Run({"ZSCAN", key, cursor, "COUNT", "7"});
      ASSERT_EQ(reply.children.size(), 2u);
      cursor = reply.children[0].text;
      const std::vector<resp::Value>& pairs = reply.children[1].children;
      for (size_t i = 0; i < pairs.size(); i += 2) {
        EXPECT_EQ(pairs[i].text, "m" + pairs[i + 1].text);
        seen.insert(pairs[i].text);
      }
    } while (cursor != "0");
    EXPECT_EQ(seen.size(), static_cast<size_t>(count));
    EXPECT_EQ(Run({"ZSCAN", key, "0", "MATCH", "m7", "COUNT", "1000"}),
              Array({Bulk("0"), Bulks({"m7", "7"})}));
  }
  EXPECT_EQ(Run({"ZSCAN", "k10", "x"}), Error("ERR invalid cursor"));
  EXPECT_EQ(Run({"ZSCAN", "k10", "0", "COUNT", "0"}), Error(kSyntax));
}

TEST_F(SortedSetCommandTest, AnExpiryStaysWithWhatIsChangedAndGoesWithWhatIsStored) {
  Fill("k", 300);
  Run({"EXPIRE", "k", "100"});
  Run({"ZADD", "k", "1", "x"});
  Run({"ZREMRANGEBYRANK", "k", "5", "-1"});
  Run({"ZPOPMIN", "k"});
  EXPECT_EQ(Run({"TTL", "k"}), Int(100));
  Run({"ZUNIONSTORE", "k", "1", "k"});
  EXPECT_EQ(Run({"TTL", "k"}), Int(-1));
}

}  // namespace
}  // namespace metastore::test
