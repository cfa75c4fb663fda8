#include <algorithm>
#include <map>
#include <set>

#include "tests/commands/harness.h"
#include "tests/support/seed.h"
#include "types/keyspace.h"

namespace metastore::test {
namespace {

const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kOutOfRange[] =
    "ERR value is out of range, value must between -2147483648 and 2147483647";
const char kSyntax[] = "ERR syntax error";
const char kNoDatabase[] = "ERR DB index is out of range";
const char kSameObject[] = "ERR source and destination objects are the same";

class GenericCommandTest : public CommandTest {
 protected:
  // All keys, by SCAN calls of `count`.
  std::vector<std::string> ScanAll(const std::string& count) {
    std::vector<std::string> keys;
    std::string cursor = "0";
    do {
      resp::Value reply = Run({"SCAN", cursor, "COUNT", count});
      cursor = reply.children[0].text;
      for (const resp::Value& key : reply.children[1].children) keys.push_back(key.text);
    } while (cursor != "0");
    return keys;
  }
};

TEST_F(GenericCommandTest, DelCountsWhatItDeleted) {
  Run({"MSET", "a", "1", "b", "2"});
  PutList("list");
  EXPECT_EQ(Run({"EXISTS", "a", "b", "a", "none", "list"}), Int(4));
  EXPECT_EQ(Run({"TOUCH", "a", "a", "none"}), Int(2));
  EXPECT_EQ(Run({"DEL", "a", "a", "none", "list"}), Int(2));
  EXPECT_EQ(Run({"UNLINK", "b"}), Int(1));
  EXPECT_EQ(Run({"DBSIZE"}), Int(0));
}

TEST_F(GenericCommandTest, TypeNamesTheType) {
  Run({"SET", "s", "1"});
  PutList("l");
  EXPECT_EQ(Run({"TYPE", "s"}), resp::Value::SimpleString("string"));
  EXPECT_EQ(Run({"TYPE", "l"}), resp::Value::SimpleString("list"));
  EXPECT_EQ(Run({"TYPE", "n"}), resp::Value::SimpleString("none"));
}

TEST_F(GenericCommandTest, ExpireSetsTheDeadlineInEveryUnit) {
  Run({"SET", "k", "v"});
  EXPECT_EQ(Run({"TTL", "k"}), Int(-1));
  EXPECT_EQ(Run({"EXPIRE", "k", "10"}), Int(1));
  EXPECT_EQ(Run({"PTTL", "k"}), Int(10000));
  EXPECT_EQ(Run({"PEXPIRE", "k", "1499"}), Int(1));
  EXPECT_EQ(Run({"TTL", "k"}), Int(1));
  EXPECT_EQ(Run({"EXPIREAT", "k", std::to_string(kStartMs / 1000 + 3)}), Int(1));
  EXPECT_EQ(Run({"PTTL", "k"}), Int(3000));
  EXPECT_EQ(Run({"PEXPIREAT", "k", std::to_string(kStartMs + 1500)}), Int(1));
  EXPECT_EQ(Run({"EXPIRETIME", "k"}), Int((kStartMs + 2000) / 1000));
  EXPECT_EQ(Run({"PEXPIRETIME", "k"}), Int(kStartMs + 1500));
  EXPECT_EQ(Run({"PERSIST", "k"}), Int(1));
  EXPECT_EQ(Run({"PERSIST", "k"}), Int(0));
  EXPECT_EQ(Run({"EXPIRETIME", "k"}), Int(-1));
  EXPECT_EQ(Run({"PEXPIRETIME", "none"}), Int(-2));
  EXPECT_EQ(Run({"EXPIRE", "none", "10"}), Int(0));
  EXPECT_EQ(Run({"PERSIST", "none"}), Int(0));
  EXPECT_EQ(Run({"GET", "k"}), Bulk("v"));
}

TEST_F(GenericCommandTest, ExpiringInThePastDeletesAtOnce) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"EXPIRE", "k", "0"},
                                             {"EXPIRE", "k", "-1"},
                                             {"PEXPIRE", "k", "-9223372036854775808"},
                                             {"EXPIREAT", "k", "1"},
                                             {"PEXPIREAT", "k", "-1"}}) {
    Run({"SET", "k", "v", "EX", "100"});
    EXPECT_EQ(Run(command), Int(1)) << command[0];
    EXPECT_EQ(Run({"DBSIZE"}), Int(0)) << command[0];
  }
  EXPECT_TRUE(txn_.table(engine::Family::kIndex).empty());
  EXPECT_TRUE(txn_.table(engine::Family::kMeta).empty());
}

TEST_F(GenericCommandTest, ExpireConditionsCompareDeadlines) {
  Run({"SET", "k", "v"});
  EXPECT_EQ(Run({"EXPIRE", "k", "10", "XX"}), Int(0));
  EXPECT_EQ(Run({"EXPIRE", "k", "10", "GT"}), Int(0));
  EXPECT_EQ(Run({"EXPIRE", "k", "10", "nx"}), Int(1));
  EXPECT_EQ(Run({"EXPIRE", "k", "20", "NX"}), Int(0));
  EXPECT_EQ(Run({"EXPIRE", "k", "10", "GT"}), Int(0));
  EXPECT_EQ(Run({"EXPIRE", "k", "20", "GT"}), Int(1));
  EXPECT_EQ(Run({"EXPIRE", "k", "20", "LT"}), Int(0));
  EXPECT_EQ(Run({"EXPIRE", "k", "5", "LT", "XX"}), Int(1));
  EXPECT_EQ(Run({"TTL", "k"}), Int(5));
  Run({"PERSIST", "k"});
  EXPECT_EQ(Run({"EXPIRE", "k", "5", "LT", "XX"}), Int(0));
  EXPECT_EQ(Run({"EXPIRE", "k", "5", "LT"}), Int(1));
}

TEST_F(GenericCommandTest, ExpireErrorsComeInRedissOrder) {
  EXPECT_EQ(Run({"EXPIRE", "k", "x", "FOO"}), Error("ERR Unsupported option FOO"));
  for (const char* other : {"XX", "GT", "LT"}) {
    EXPECT_EQ(Run({"EXPIRE", "k", "x", "NX", other}),
              Error("ERR NX and XX, GT or LT options at the same time are not compatible"));
  }
  EXPECT_EQ(Run({"EXPIRE", "k", "x", "GT", "LT"}),
            Error("ERR GT and LT options at the same time are not compatible"));
  EXPECT_EQ(Run({"EXPIRE", "k", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"EXPIRE", "k", "9223372036854776"}),
            Error("ERR invalid expire time in 'expire' command"));
  EXPECT_EQ(Run({"EXPIRE", "k", "-9223372036854776"}),
            Error("ERR invalid expire time in 'expire' command"));
  EXPECT_EQ(Run({"EXPIREAT", "k", "9223372036854776"}),
            Error("ERR invalid expire time in 'expireat' command"));
  EXPECT_EQ(Run({"PEXPIRE", "k", "9223372036854775807"}),
            Error("ERR invalid expire time in 'pexpire' command"));
  EXPECT_EQ(Run({"PEXPIREAT", "k", "9223372036854775807"}), Int(0));
}

TEST_F(GenericCommandTest, RenameTakesTheExpiryAlongAndReplacesTheTarget) {
  EXPECT_EQ(Run({"RENAME", "a", "b"}), Error("ERR no such key"));
  EXPECT_EQ(Run({"RENAME", "a", "a"}), Error("ERR no such key"));
  EXPECT_EQ(Run({"RENAMENX", "a", "b"}), Error("ERR no such key"));
  Run({"SET", "a", "1", "EX", "10"});
  Run({"SET", "b", "2", "EX", "20"});
  EXPECT_EQ(Run({"RENAMENX", "a", "b"}), Int(0));
  EXPECT_EQ(Run({"RENAME", "a", "a"}), Ok());
  EXPECT_EQ(Run({"RENAMENX", "a", "a"}), Int(0));
  EXPECT_EQ(Run({"RENAME", "a", "b"}), Ok());
  EXPECT_EQ(Run({"GET", "b"}), Bulk("1"));
  EXPECT_EQ(Run({"TTL", "b"}), Int(10));
  EXPECT_EQ(Run({"EXISTS", "a"}), Int(0));
  EXPECT_EQ(Run({"RENAMENX", "b", "c"}), Int(1));
  EXPECT_EQ(Run({"DBSIZE"}), Int(1));
  EXPECT_EQ(txn_.table(engine::Family::kIndex).size(), 1u);
  PutList("list");
  EXPECT_EQ(Run({"RENAME", "list", "c"}), Ok());
  EXPECT_EQ(Run({"TYPE", "c"}), resp::Value::SimpleString("list"));
  EXPECT_TRUE(txn_.table(engine::Family::kIndex).empty());
}

TEST_F(GenericCommandTest, CopyKeepsTheSource) {
  EXPECT_EQ(Run({"COPY", "a", "b"}), Int(0));
  EXPECT_EQ(Run({"COPY", "a", "a"}), Error(kSameObject));
  Run({"SET", "a", "1", "EX", "10"});
  EXPECT_EQ(Run({"COPY", "a", "b"}), Int(1));
  EXPECT_EQ(Run({"TTL", "b"}), Int(10));
  Run({"SET", "a", "2"});
  EXPECT_EQ(Run({"COPY", "a", "b"}), Int(0));
  EXPECT_EQ(Run({"COPY", "a", "b", "replace"}), Int(1));
  EXPECT_EQ(Run({"GET", "b"}), Bulk("2"));
  EXPECT_EQ(Run({"TTL", "b"}), Int(-1));
  EXPECT_EQ(Run({"COPY", "a", "a", "DB", "3"}), Int(1));
  EXPECT_EQ(Run({"COPY", "a", "b", "DB"}), Error(kSyntax));
  EXPECT_EQ(Run({"COPY", "a", "b", "FOO"}), Error(kSyntax));
  EXPECT_EQ(Run({"COPY", "a", "b", "DB", "16"}), Error(kNoDatabase));
  EXPECT_EQ(Run({"COPY", "a", "b", "DB", "-1"}), Error(kNoDatabase));
  EXPECT_EQ(Run({"COPY", "a", "b", "DB", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"COPY", "a", "b", "DB", "9999999999"}), Error(kOutOfRange));
  EXPECT_EQ(Run({"COPY", "a", "a", "DB", "0"}), Error(kSameObject));
  Select(3);
  EXPECT_EQ(Run({"GET", "a"}), Bulk("2"));
  EXPECT_EQ(Run({"DBSIZE"}), Int(1));
}

TEST_F(GenericCommandTest, MoveNeedsAFreeNameInTheOtherDatabase) {
  Run({"SET", "a", "1", "EX", "10"});
  EXPECT_EQ(Run({"MOVE", "a", "0"}), Error(kSameObject));
  EXPECT_EQ(Run({"MOVE", "a", "16"}), Error(kNoDatabase));
  EXPECT_EQ(Run({"MOVE", "a", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"MOVE", "a", "9999999999"}), Error(kOutOfRange));
  EXPECT_EQ(Run({"MOVE", "none", "1"}), Int(0));
  EXPECT_EQ(Run({"MOVE", "a", "1"}), Int(1));
  EXPECT_EQ(Run({"EXISTS", "a"}), Int(0));
  Run({"SET", "a", "2"});
  EXPECT_EQ(Run({"MOVE", "a", "1"}), Int(0));
  Select(1);
  EXPECT_EQ(Run({"GET", "a"}), Bulk("1"));
  EXPECT_EQ(Run({"TTL", "a"}), Int(10));
}

TEST_F(GenericCommandTest, SwapDbExchangesTheKeys) {
  Run({"SET", "k", "zero"});
  Select(1);
  Run({"SET", "k", "one"});
  EXPECT_EQ(Run({"SWAPDB", "0", "1"}), Ok());
  EXPECT_EQ(Run({"GET", "k"}), Bulk("zero"));
  Select(0);
  EXPECT_EQ(Run({"GET", "k"}), Bulk("one"));
  EXPECT_EQ(Run({"SWAPDB", "2", "2"}), Ok());
  EXPECT_EQ(Run({"SWAPDB", "x", "1"}), Error("ERR invalid first DB index"));
  EXPECT_EQ(Run({"SWAPDB", "1", "9999999999"}), Error("ERR invalid second DB index"));
  EXPECT_EQ(Run({"SWAPDB", "0", "16"}), Error(kNoDatabase));
  EXPECT_EQ(Run({"SWAPDB", "-1", "0"}), Error(kNoDatabase));
}

TEST_F(GenericCommandTest, FlushEmptiesOneDatabaseOrAll) {
  for (int db : {0, 5}) {
    Select(db);
    for (int i = 0; i < 200; ++i) Run({"SET", "k" + std::to_string(i), "v", "EX", "100"});
  }
  EXPECT_EQ(Run({"FLUSHDB", "LATER"}), Error(kSyntax));
  EXPECT_EQ(Run({"FLUSHALL", "SYNC", "SYNC"}), Error(kSyntax));
  EXPECT_EQ(Run({"FLUSHDB", "async"}), Ok());
  EXPECT_EQ(Run({"DBSIZE"}), Int(0));
  EXPECT_EQ(Run({"KEYS", "*"}), Array({}));
  EXPECT_EQ(Run({"RANDOMKEY"}), Null());
  EXPECT_EQ(Run({"GET", "k1"}), Null());
  Run({"SET", "k1", "new"});
  EXPECT_EQ(Run({"KEYS", "*"}), Bulks({"k1"}));
  Select(0);
  EXPECT_EQ(Run({"DBSIZE"}), Int(200));
  EXPECT_EQ(Run({"FLUSHALL"}), Ok());
  EXPECT_EQ(Run({"DBSIZE"}), Int(0));
  Select(5);
  EXPECT_EQ(Run({"DBSIZE"}), Int(0));
}

TEST_F(GenericCommandTest, KeysListsWhatMatchesAndHasNotExpired) {
  Run({"MSET", "one", "1", "two", "2", "three", "3"});
  Run({"SET", "tmp", "1", "PX", "5"});
  Advance(5);
  resp::Value reply = Run({"KEYS", "t*"});
  std::set<std::string> keys;
  for (const resp::Value& key : reply.children) keys.insert(key.text);
  EXPECT_EQ(keys, (std::set<std::string>{"two", "three"}));
  EXPECT_EQ(Run({"KEYS", "one"}), Bulks({"one"}));
  EXPECT_EQ(Run({"KEYS", ""}), Array({}));
  EXPECT_EQ(Run({"DBSIZE"}), Int(4));
}

TEST_F(GenericCommandTest, ScanSeesEveryKeyExactlyOnceWhateverTheCount) {
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.push_back("key:" + std::to_string(i));
    Run({"SET", expected.back(), "v"});
  }
  std::sort(expected.begin(), expected.end());
  for (const char* count : {"1", "7", "10", "1000", "9223372036854775807"}) {
    std::vector<std::string> keys = ScanAll(count);
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, expected) << count;
  }
}

TEST_F(GenericCommandTest, ScanKeepsItsPlaceWhileKeysComeAndGo) {
  std::set<std::string> stays;
  for (int i = 0; i < 300; ++i) {
    stays.insert("stay:" + std::to_string(i));
    Run({"SET", "stay:" + std::to_string(i), "v"});
    Run({"SET", "go:" + std::to_string(i), "v"});
  }
  std::map<std::string, int> seen;
  std::string cursor = "0";
  int step = 0;
  do {
    resp::Value reply = Run({"SCAN", cursor, "COUNT", "5"});
    cursor = reply.children[0].text;
    for (const resp::Value& key : reply.children[1].children) ++seen[key.text];
    Run({"DEL", "go:" + std::to_string(step)});
    Run({"SET", "new:" + std::to_string(step++), "v"});
  } while (cursor != "0");
  for (const std::string& key : stays) EXPECT_EQ(seen[key], 1) << key;
}

TEST_F(GenericCommandTest, ScanCursorsFitIntoADouble) {
  for (int i = 0; i < 200; ++i) Run({"SET", "key:" + std::to_string(i), "v"});
  std::string cursor = "0";
  do {
    cursor = Run({"SCAN", cursor, "COUNT", "1"}).children[0].text;
    EXPECT_LT(std::stoull(cursor), uint64_t{1} << 53);
  } while (cursor != "0");
}

TEST_F(GenericCommandTest, ScanFiltersByPatternAndType) {
  Run({"MSET", "a1", "1", "a2", "2", "b1", "3"});
  PutList("a3");
  resp::Value reply = Run({"SCAN", "0", "MATCH", "a*", "COUNT", "100", "TYPE", "STRING"});
  EXPECT_EQ(reply.children[1].children.size(), 2u);
  EXPECT_EQ(Run({"SCAN", "0", "TYPE", "list"}), Array({Bulk("0"), Bulks({"a3"})}));
  EXPECT_EQ(Run({"SCAN", "0", "TYPE", "nosuchtype"}), Array({Bulk("0"), Array({})}));
}

TEST_F(GenericCommandTest, ScanErrorsAreThoseOfRedis) {
  for (const char* cursor : {"x", "-", "1x", " 1", "18446744073709551616"}) {
    EXPECT_EQ(Run({"SCAN", cursor}), Error("ERR invalid cursor")) << cursor;
  }
  for (const char* cursor : {"18446744073709551615", "-1", "9007199254740992"}) {
    EXPECT_EQ(Run({"SCAN", cursor}), Array({Bulk("0"), Array({})})) << cursor;
  }
  EXPECT_EQ(Run({"SCAN", "0", "COUNT"}), Error(kSyntax));
  EXPECT_EQ(Run({"SCAN", "0", "COUNT", "0"}), Error(kSyntax));
  EXPECT_EQ(Run({"SCAN", "0", "COUNT", "x"}), Error(kNotInteger));
  EXPECT_EQ(Run({"SCAN", "0", "FOO", "x"}), Error(kSyntax));
}

TEST_F(GenericCommandTest, RandomKeyReachesEveryKeyOfAFewAndOfOneSlot) {
  EXPECT_EQ(Run({"RANDOMKEY"}), Null());
  Run({"MSET", "a", "1", "b", "2", "c", "3"});
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(Run({"RANDOMKEY"}).text);
  EXPECT_EQ(seen.size(), 3u);
  Run({"FLUSHALL"});
  for (int i = 0; i < 200; ++i) Run({"SET", "{tag}" + std::to_string(i), "v"});
  std::map<std::string, int> counts;
  for (int i = 0; i < 20000; ++i) ++counts[Run({"RANDOMKEY"}).text];
  EXPECT_EQ(counts.size(), 200u);
  for (const auto& [key, count] : counts) EXPECT_LT(count, 400) << key;
}

TEST_F(GenericCommandTest, RandomKeyFindsEachKeyAsOftenAsAnyOther) {
  Random random(Seed());
  for (const int count : {30, 100, 1500}) {
    Run({"FLUSHALL"});
    for (int i = 0; i < count; ++i) Run({"SET", "k" + std::to_string(i), "v"});
    std::map<std::string, int> drawn;
    for (int i = 0; i < count * 100; ++i) {
      ++drawn[*types::RandomKey(txn_, 0, Random(random.Next()))];
    }
    EXPECT_EQ(drawn.size(), static_cast<size_t>(count));
    double chi_square = 0;
    for (const auto& [key, times] : drawn) chi_square += (times - 100.0) * (times - 100.0) / 100.0;
    // Mean count - 1, standard deviation sqrt(2 count): beyond six of them chance does not come.
    EXPECT_LT(chi_square, count + 6 * std::sqrt(2.0 * count));
  }
}

TEST_F(GenericCommandTest, RandomKeyFindsTheOneKeyThatIsLeft) {
  for (int i = 0; i < 500; ++i) Run({"SET", "k" + std::to_string(i), "v", "PX", "1"});
  Run({"SET", "left", "v"});
  Advance(1);
  EXPECT_EQ(Run({"RANDOMKEY"}), Bulk("left"));
}

TEST_F(GenericCommandTest, ObjectShowsWhatRedisShows) {
  Run({"SET", "k", "9999"});
  EXPECT_EQ(Run({"OBJECT", "refcount", "k"}), Int(2147483647));
  Run({"SET", "k", "10000"});
  EXPECT_EQ(Run({"OBJECT", "REFCOUNT", "k"}), Int(1));
  EXPECT_EQ(Run({"OBJECT", "IDLETIME", "k"}), Int(0));
  EXPECT_EQ(Run({"OBJECT", "FREQ", "k"}),
            Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                  "Please note that when switching between policies at runtime LRU and LFU data "
                  "will take some time to adjust."));
  for (const char* sub : {"ENCODING", "FREQ", "IDLETIME", "REFCOUNT"}) {
    EXPECT_EQ(Run({"OBJECT", sub, "none"}), Null()) << sub;
  }
}

TEST(ErrorTest, EveryCodeHasItsLine) {
  for (int code = 1; code <= static_cast<int>(Code::kReply); ++code) {
    std::string out;
    resp::Writer reply(&out, 2);
    commands::WriteError(Status(static_cast<Code>(code), "ERR said"), reply);
    EXPECT_EQ(out.front(), '-');
    EXPECT_EQ(out.substr(out.size() - 2), "\r\n");
  }
  EXPECT_EQ(commands::errors::UnknownSubcommand("object", "foo").message(),
            "ERR unknown subcommand 'foo'. Try OBJECT HELP.");
  EXPECT_EQ(commands::errors::WrongArity("client|list").message(),
            "ERR wrong number of arguments for 'client|list' command");
}

std::vector<int> Positions(const std::vector<std::string>& words) {
  std::vector<std::string_view> args(words.begin(), words.end());
  Result<std::vector<commands::KeyUse>> keys = commands::CommandGetKeys(*FindSpec(args), args);
  std::vector<int> positions;
  if (keys.ok()) {
    for (const commands::KeyUse& use : *keys) positions.push_back(use.position);
  }
  return positions;
}

TEST(KeysTest, PositionsFollowTheTable) {
  EXPECT_EQ(Positions({"SET", "a", "1", "EX", "5"}), std::vector<int>({1}));
  EXPECT_EQ(Positions({"MGET", "a", "b", "c"}), std::vector<int>({1, 2, 3}));
  EXPECT_EQ(Positions({"MSET", "a", "1", "b", "2"}), std::vector<int>({1, 3}));
  EXPECT_EQ(Positions({"COPY", "a", "b", "REPLACE"}), std::vector<int>({1, 2}));
  EXPECT_EQ(Positions({"LCS", "a", "b", "LEN"}), std::vector<int>({1, 2}));
  EXPECT_EQ(Positions({"OBJECT", "ENCODING", "a"}), std::vector<int>({2}));
}

TEST(KeysTest, CommandsWithoutKeysAndWrongAritiesAreErrors) {
  std::vector<std::string_view> keys = {"KEYS", "*"};
  EXPECT_EQ(commands::CommandGetKeys(*FindSpec(keys), keys).status().message(),
            "ERR The command has no key arguments");
  std::vector<std::string_view> get = {"GET"};
  EXPECT_EQ(commands::CommandGetKeys(*FindSpec(get), get).status().message(),
            "ERR Invalid number of arguments specified for command");
}

TEST(KeysTest, CopyReadsItsSourceAndOverwritesItsTarget) {
  std::vector<std::string_view> args = {"COPY", "a", "b"};
  std::vector<commands::KeyUse> uses = commands::FindKeys(*FindSpec(args), args);
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0], (commands::KeyUse{1, commands::KeyAccess::kRO, commands::kKeyAccess}));
  EXPECT_EQ(uses[1], (commands::KeyUse{2, commands::KeyAccess::kOW, commands::kKeyUpdate}));
}

TEST(TableTest, HandlersFitTheFlags) {
  for (auto table : Groups()) {
    for (const commands::CommandSpec& spec : table) {
      SCOPED_TRACE(spec.name);
      EXPECT_EQ((spec.flags & commands::kWrite) != 0, spec.handler.write != nullptr);
      EXPECT_EQ((spec.flags & commands::kReadonly) != 0, spec.handler.read != nullptr);
      EXPECT_FALSE((spec.flags & commands::kWrite) && (spec.flags & commands::kReadonly));
      EXPECT_FALSE(spec.summary.empty() || spec.since.empty() || spec.complexity.empty());
      EXPECT_EQ(spec.keys.step > 0 || (spec.flags & commands::kMovableKeys) != 0,
                spec.key_specs[0].access != commands::KeyAccess::kNone);
    }
  }
}

}  // namespace
}  // namespace metastore::test
