// The expected replies are redis-server 7.0.15's.
#include <algorithm>

#include "tests/commands/harness.h"

namespace metastore::test {
namespace {

const char kSyntax[] = "ERR syntax error";
const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kNotDouble[] = "ERR One or more scores can't be converted into double";

class SortCommandTest : public CommandTest {
 protected:
  SortCommandTest() {
    Run({"RPUSH", "l", "3", "1", "2", "10"});
    Run({"SADD", "s", "b", "a", "c", "1"});
    Run({"ZADD", "z", "30", "1", "20", "2", "10", "3"});
  }
  resp::Value Stored(const std::string& key = "target") { return Run({"LRANGE", key, "0", "-1"}); }
};

TEST_F(SortCommandTest, NumbersAndBytesGoUpAndDown) {
  for (const char* sort : {"SORT", "SORT_RO"}) {
    EXPECT_EQ(Run({sort, "l"}), Bulks({"1", "2", "3", "10"}));
    EXPECT_EQ(Run({sort, "l", "desc"}), Bulks({"10", "3", "2", "1"}));
    EXPECT_EQ(Run({sort, "l", "ALPHA"}), Bulks({"1", "10", "2", "3"}));
    EXPECT_EQ(Run({sort, "s", "ALPHA", "DESC"}), Bulks({"c", "b", "a", "1"}));
    EXPECT_EQ(Run({sort, "z"}), Bulks({"1", "2", "3"}));
    EXPECT_EQ(Run({sort, "absent"}), Array({}));
    EXPECT_EQ(Run({sort, "s"}), Error(kNotDouble));
  }
}

TEST_F(SortCommandTest, NumbersAreWhatStrtodTakes) {
  Run({"RPUSH", "odd", "", " 3", "0x10", "-inf", "1e2"});
  EXPECT_EQ(Run({"SORT", "odd"}), Bulks({"-inf", "", " 3", "0x10", "1e2"}));
  for (const char* word : {"1e400", "1e-400", "nan", "3 ", "x"}) {
    Run({"DEL", "k"});
    Run({"RPUSH", "k", "1", word});
    EXPECT_EQ(Run({"SORT", "k"}), Error(kNotDouble)) << word;
    EXPECT_EQ(Run({"SORT", "k", "LIMIT", "5", "1"}), Error(kNotDouble)) << word;
  }
  // Equal scores: by bytes.
  Run({"RPUSH", "same", "1.0", "1", "01"});
  EXPECT_EQ(Run({"SORT", "same"}), Bulks({"01", "1", "1.0"}));
  EXPECT_EQ(Run({"SORT", "same", "DESC"}), Bulks({"1.0", "1", "01"}));
}

TEST_F(SortCommandTest, LimitsAreCutToWhatThereIs) {
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "1", "2"}), Bulks({"2", "3"}));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "-5", "2"}), Bulks({"1", "2"}));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "2", "-1"}), Bulks({"3", "10"}));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "4", "1"}), Array({}));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "0", "0"}), Array({}));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "1", "9223372036854775807"}), Bulks({"2", "3", "10"}));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "x", "1"}), Error(kNotInteger));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "1"}), Error(kSyntax));
}

TEST_F(SortCommandTest, WeightsComeFromKeysAndFields) {
  Run({"MSET", "w_1", "30", "w_2", "20", "w_3", "10", "w_10", "40"});
  EXPECT_EQ(Run({"SORT", "l", "BY", "w_*"}), Bulks({"3", "2", "1", "10"}));
  EXPECT_EQ(Run({"SORT", "l", "BY", "w_*", "GET", "#", "GET", "w_*", "GET", "none_*"}),
            Array({Bulk("3"), Bulk("10"), Null(), Bulk("2"), Bulk("20"), Null(), Bulk("1"),
                   Bulk("30"), Null(), Bulk("10"), Bulk("40"), Null()}));
  Run({"HSET", "h_1", "f", "1", "g->", "x"});
  Run({"HSET", "h_2", "f", "2"});
  Run({"HSET", "h_3", "f", "3"});
  EXPECT_EQ(Run({"SORT", "l", "BY", "h_*->f", "DESC"}), Bulks({"3", "2", "1", "10"}));
  EXPECT_EQ(Run({"SORT", "l", "LIMIT", "0", "1", "GET", "h_*->f", "GET", "h_*->", "GET", "h_*",
                 "GET", "w_*->f", "GET", "h_*->g->"}),
            Array({Bulk("1"), Null(), Null(), Null(), Bulk("x")}));
  // A weight that is not there counts as 0, or stands before all others.
  Run({"DEL", "w_1"});
  EXPECT_EQ(Run({"SORT", "l", "BY", "w_*"}), Bulks({"1", "3", "2", "10"}));
  EXPECT_EQ(Run({"SORT", "l", "BY", "w_*", "ALPHA", "DESC"}), Bulks({"10", "2", "3", "1"}));
  Run({"SET", "w_1", "x"});
  EXPECT_EQ(Run({"SORT", "l", "BY", "w_*"}), Error(kNotDouble));
}

TEST_F(SortCommandTest, AConstantBySortsNothing) {
  EXPECT_EQ(Run({"SORT", "l", "BY", "x"}), Bulks({"3", "1", "2", "10"}));
  EXPECT_EQ(Run({"SORT", "l", "BY", "x", "DESC", "LIMIT", "1", "2"}), Bulks({"2", "1"}));
  EXPECT_EQ(Run({"SORT", "z", "BY", "x"}), Bulks({"3", "2", "1"}));
  EXPECT_EQ(Run({"SORT", "z", "BY", "x", "DESC", "LIMIT", "1", "5"}), Bulks({"2", "3"}));
  EXPECT_EQ(Run({"SORT", "z", "BY", "x", "LIMIT", "3", "1"}), Array({}));
  EXPECT_EQ(Run({"SORT", "s", "BY", "x"}).children.size(), 4u);
  EXPECT_EQ(Run({"SORT", "s", "BY", "x", "LIMIT", "3", "5"}).children.size(), 1u);
  // Stored, a set is sorted all the same.
  EXPECT_EQ(Run({"SORT", "s", "BY", "x", "STORE", "target"}), Int(4));
  EXPECT_EQ(Stored(), Bulks({"1", "a", "b", "c"}));
  EXPECT_EQ(Run({"SORT", "s", "DESC", "BY", "x", "STORE", "target"}), Int(4));
  EXPECT_EQ(Stored(), Bulks({"c", "b", "a", "1"}));
}

TEST_F(SortCommandTest, TheResultReplacesTheTarget) {
  Run({"SET", "target", "text", "EX", "100"});
  EXPECT_EQ(Run({"SORT", "l", "STORE", "target"}), Int(4));
  EXPECT_EQ(Stored(), Bulks({"1", "2", "3", "10"}));
  EXPECT_EQ(Run({"TTL", "target"}), Int(-1));
  EXPECT_EQ(Run({"SORT", "l", "GET", "#", "GET", "none_*", "LIMIT", "0", "1", "STORE", "target"}),
            Int(2));
  EXPECT_EQ(Stored(), Bulks({"1", ""}));
  EXPECT_EQ(Run({"SORT", "l", "DESC", "STORE", "l"}), Int(4));
  EXPECT_EQ(Stored("l"), Bulks({"10", "3", "2", "1"}));
  EXPECT_EQ(Run({"SORT", "absent", "STORE", "target"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "target"}), Int(0));
}

TEST_F(SortCommandTest, OneValueShownForEveryElementEndsSomewhere) {
  Run({"SET", "big", std::string(64 << 20, 'v')});
  Run({"RPUSH", "many", "g", "g", "g", "g", "g", "g", "g", "g", "g"});
  const resp::Value too_large =
      Error("ERR what GET finds is too large: ask for fewer elements with LIMIT");
  // Not EXPECT_EQ, which would print the reply.
  EXPECT_TRUE(Run({"SORT_RO", "many", "ALPHA", "GET", "bi*"}) == too_large);
  EXPECT_TRUE(Run({"SORT", "many", "ALPHA", "GET", "bi*", "STORE", "target"}) == too_large);
  EXPECT_EQ(Run({"EXISTS", "target"}), Int(0));
  EXPECT_EQ(Run({"SORT", "many", "ALPHA", "LIMIT", "0", "1", "GET", "bi*", "STORE", "target"}),
            Int(1));
}

TEST_F(SortCommandTest, MistakesAreToldBeforeTheKeyIsLookedAt) {
  Run({"SET", "string", "v"});
  EXPECT_EQ(Run({"SORT", "string"}), Error(kWrongType));
  EXPECT_EQ(Run({"SORT", "string", "nosuch"}), Error(kSyntax));
  EXPECT_EQ(Run({"SORT", "string", "STORE"}), Error(kSyntax));
  EXPECT_EQ(Run({"SORT_RO", "l", "STORE", "target"}), Error(kSyntax));
  EXPECT_EQ(Run({"HSET", "hash", "f", "v"}), Int(1));
  EXPECT_EQ(Run({"SORT", "hash"}), Error(kWrongType));
}

TEST_F(SortCommandTest, LargeCollectionsAreSortedWhole) {
  std::vector<std::string> push = {"RPUSH", "large"};
  std::vector<std::string> sorted;
  for (int i = 0; i < 3000; ++i) push.push_back(std::to_string(i * 7919 % 3000));
  Run(push);
  for (int i = 0; i < 3000; ++i) sorted.push_back(std::to_string(i));
  EXPECT_EQ(Run({"SORT", "large"}), Bulks(sorted));
  EXPECT_EQ(Run({"SORT", "large", "LIMIT", "1000", "2"}), Bulks({"1000", "1001"}));
  EXPECT_EQ(Run({"SORT", "large", "BY", "x", "LIMIT", "2998", "5"}),
            Bulks({push[3000], push[3001]}));
  EXPECT_EQ(Run({"SORT", "large", "BY", "x", "DESC", "LIMIT", "2998", "5"}),
            Bulks({push[3], push[2]}));
}

TEST_F(SortCommandTest, TheLastStoreIsTheKey) {
  const auto keys = [](const std::vector<std::string_view>& args) {
    std::vector<int> positions;
    for (const commands::KeyUse& key : commands::FindKeys(*FindSpec(args), args)) {
      positions.push_back(key.position);
    }
    return positions;
  };
  using Positions = std::vector<int>;
  EXPECT_EQ(keys({"SORT", "k"}), Positions({1}));
  EXPECT_EQ(keys({"SORT", "k", "STORE", "d", "STORE", "e"}), Positions({1, 5}));
  EXPECT_EQ(keys({"SORT", "k", "BY", "STORE", "GET", "store", "LIMIT", "STORE", "x"}),
            Positions({1}));
  EXPECT_EQ(keys({"SORT", "k", "STORE"}), Positions({1}));
  EXPECT_EQ(keys({"SORT_RO", "k", "STORE", "d"}), Positions({1}));
}

}  // namespace
}  // namespace metastore::test
