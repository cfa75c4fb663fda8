#include <algorithm>

#include "tests/commands/harness.h"
#include "types/stream.h"

// The expected replies are redis-server 7.0.15's.
namespace metastore::test {
namespace {

const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kSyntax[] = "ERR syntax error";
const char kNotInteger[] = "ERR value is not an integer or out of range";
const char kInvalidId[] = "ERR Invalid stream ID specified as stream command argument";
const char kTooSmall[] =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";

const resp::Value kNullArray{resp::Type::kNullArray, 0, {}, {}};

// An entry with the one field "f".
resp::Value Entry(const std::string& id, const std::string& value = "v") {
  return Array({Bulk(id), Bulks({"f", value})});
}

class StreamCommandTest : public CommandTest {
 protected:
  void Add(const std::string& key, const std::vector<std::string>& ids) {
    for (const std::string& id : ids) EXPECT_EQ(Run({"XADD", key, id, "f", "v"}), Bulk(id));
  }
  std::string Ids(const std::vector<std::string>& words) {
    std::string ids;
    for (const resp::Value& entry : Run(words).children) {
      ids += (ids.empty() ? "" : " ") + entry.children[0].text;
    }
    return ids;
  }
  // The value behind a name in XINFO's replies.
  static resp::Value Field(const resp::Value& map, const std::string& name) {
    const std::vector<resp::Value>& elements = map.children;
    for (size_t i = 0; i + 1 < elements.size(); i += 2) {
      if (elements[i] == Bulk(name)) return elements[i + 1];
    }
    return Error("no " + name);
  }
  resp::Value Info(const std::string& key, const std::string& name) {
    return Field(Run({"XINFO", "STREAM", key}), name);
  }
  resp::Value GroupInfo(const std::string& key, const std::string& name) {
    return Field(Run({"XINFO", "GROUPS", key}).children[0], name);
  }
};

TEST_F(StreamCommandTest, IdsFollowTheClockOfTheEntryAndNeverGoBack) {
  EXPECT_EQ(Run({"XADD", "k", "*", "f", "v"}), Bulk("1700000000000-0"));
  EXPECT_EQ(Run({"XADD", "k", "*", "f", "v"}), Bulk("1700000000000-1"));
  Advance(5);
  EXPECT_EQ(Run({"XADD", "k", "*", "f", "v"}), Bulk("1700000000005-0"));
  EXPECT_EQ(Run({"XADD", "k", "1800000000000-*", "f", "v"}), Bulk("1800000000000-0"));
  EXPECT_EQ(Run({"XADD", "k", "1800000000000-*", "f", "v"}), Bulk("1800000000000-1"));
  EXPECT_EQ(Run({"XADD", "k", "*", "f", "v"}), Bulk("1800000000000-2"));
  EXPECT_EQ(Run({"XADD", "k", "1800000000000-2", "f", "v"}), Error(kTooSmall));
  EXPECT_EQ(Run({"XADD", "k", "1799999999999-*", "f", "v"}), Error(kTooSmall));
  EXPECT_EQ(Run({"XADD", "k", "0-0", "f", "v"}),
            Error("ERR The ID specified in XADD must be greater than 0-0"));
  EXPECT_EQ(Run({"XADD", "new", "0-*", "f", "v"}), Bulk("0-1"));
  EXPECT_EQ(Run({"XADD", "new", "7", "f", "v"}), Bulk("7-0"));
  EXPECT_EQ(Run({"XADD", "new", "18446744073709551615-18446744073709551615", "f", "v"}),
            Bulk("18446744073709551615-18446744073709551615"));
  EXPECT_EQ(Run({"XADD", "new", "*", "f", "v"}),
            Error("ERR The stream has exhausted the last possible ID, unable to add more items"));
  EXPECT_EQ(Run({"XLEN", "k"}), Int(6));
  EXPECT_EQ(Run({"XLEN", "none"}), Int(0));
}

TEST_F(StreamCommandTest, IdsAreReadAsRedisReadsThem) {
  for (const char* id : {"", "-", "+", "x", "1-", "-1", "1-x", "*-1", "1-2-3", "1.5",
                         "18446744073709551616", "(5"}) {
    EXPECT_EQ(Run({"XADD", "k", id, "f", "v"}), Error(kInvalidId)) << id;
    EXPECT_EQ(Run({"XDEL", "k", id}), Int(0)) << id;
  }
  EXPECT_EQ(Run({"XADD", "k", std::string(128, '1'), "f", "v"}), Error(kInvalidId));
  EXPECT_EQ(Run({"XADD", "k", " 7-+03", "f", "v"}), Bulk("7-3"));
  Add("k", {"8-0"});
  EXPECT_EQ(Run({"XDEL", "k", "x"}), Error(kInvalidId));
}

TEST_F(StreamCommandTest, OptionsOfXAddAreChecked) {
  EXPECT_EQ(Run({"XADD", "k", "NOMKSTREAM", "*", "f", "v"}), Null());
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  const std::string arity = "ERR wrong number of arguments for 'xadd' command";
  EXPECT_EQ(Run({"XADD", "k", "*", "f"}), Error(arity));
  EXPECT_EQ(Run({"XADD", "k", "*", "f", "v", "g"}), Error(arity));
  EXPECT_EQ(Run({"XADD", "k", "MAXLEN", "5", "*"}), Error(arity));
  EXPECT_EQ(Run({"XADD", "k", "MAXLEN", "x", "*", "f", "v"}), Error(kNotInteger));
  EXPECT_EQ(Run({"XADD", "k", "MAXLEN", "-1", "*", "f", "v"}),
            Error("ERR The MAXLEN argument must be >= 0."));
  EXPECT_EQ(
      Run({"XADD", "k", "MAXLEN", "1", "MINID", "1", "*", "f", "v"}),
      Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible"));
  EXPECT_EQ(Run({"XADD", "k", "LIMIT", "1", "*", "f", "v"}),
            Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"));
  EXPECT_EQ(Run({"XADD", "k", "MAXLEN", "1", "LIMIT", "1", "*", "f", "v"}),
            Error("ERR syntax error, LIMIT cannot be used without the special ~ option"));
  EXPECT_EQ(Run({"XTRIM", "k", "LIMIT", "0"}),
            Error("ERR syntax error, XTRIM must be called with a trimming strategy"));
  EXPECT_EQ(Run({"XTRIM", "k", "LIMIT", "0", "x"}), Error(kSyntax));
  PutList("l");
  EXPECT_EQ(Run({"XADD", "l", "*", "f", "v"}), Error(kWrongType));
  EXPECT_EQ(Run({"XTRIM", "l", "MAXLEN", "0"}), Error(kWrongType));
}

TEST_F(StreamCommandTest, TrimmingRemovesTheOldest) {
  Add("k", {"1-0", "2-0", "3-0", "4-0", "5-0", "6-0"});
  EXPECT_EQ(Run({"XTRIM", "k", "MAXLEN", "10"}), Int(0));
  EXPECT_EQ(Run({"XTRIM", "k", "MAXLEN", "=", "5"}), Int(1));
  EXPECT_EQ(Run({"XTRIM", "k", "MINID", "3-1"}), Int(2));
  EXPECT_EQ(Run({"XTRIM", "k", "MAXLEN", "~", "0", "LIMIT", "1"}), Int(1));
  EXPECT_EQ(Ids({"XRANGE", "k", "-", "+"}), "5-0 6-0");
  EXPECT_EQ(Run({"XADD", "k", "MAXLEN", "2", "7-0", "f", "v"}), Bulk("7-0"));
  EXPECT_EQ(Ids({"XRANGE", "k", "-", "+"}), "6-0 7-0");
  EXPECT_EQ(Info("k", "recorded-first-entry-id"), Bulk("6-0"));
  EXPECT_EQ(Info("k", "max-deleted-entry-id"), Bulk("0-0"));
  EXPECT_EQ(Run({"XADD", "k", "MAXLEN", "0", "8-0", "f", "v"}), Bulk("8-0"));
  EXPECT_EQ(Run({"XLEN", "k"}), Int(0));
  EXPECT_EQ(Run({"TYPE", "k"}), resp::Value::SimpleString("stream"));
  EXPECT_EQ(Info("k", "first-entry"), Null());
  EXPECT_EQ(Info("k", "entries-added"), Int(8));
}

TEST_F(StreamCommandTest, RangesTakeEdgesExclusionAndCount) {
  Add("k", {"1-0", "1-1", "2-0", "3-5"});
  EXPECT_EQ(Run({"XRANGE", "k", "1", "1"}), Array({Entry("1-0"), Entry("1-1")}));
  EXPECT_EQ(Ids({"XRANGE", "k", "(1-0", "(3-5"}), "1-1 2-0");
  EXPECT_EQ(Ids({"XREVRANGE", "k", "+", "(1"}), "3-5 2-0 1-1");
  EXPECT_EQ(Ids({"XRANGE", "k", "-", "+", "COUNT", "2"}), "1-0 1-1");
  EXPECT_EQ(Ids({"XREVRANGE", "k", "+", "-", "count", "1"}), "3-5");
  EXPECT_EQ(RunRaw({"XRANGE", "k", "-", "+", "COUNT", "0"}), "*-1\r\n");
  EXPECT_EQ(RunRaw({"XRANGE", "none", "-", "+", "COUNT", "0"}), "*0\r\n");
  EXPECT_EQ(Run({"XRANGE", "k", "-", "+", "COUNT"}), Error(kSyntax));
  EXPECT_EQ(Run({"XRANGE", "k", "(18446744073709551615-18446744073709551615", "+"}),
            Error("ERR invalid start ID for the interval"));
  EXPECT_EQ(Run({"XRANGE", "k", "-", "(0-0"}), Error("ERR invalid end ID for the interval"));
  EXPECT_EQ(Run({"XRANGE", "k", "(-", "+"}), Error(kInvalidId));
  PutList("l");
  EXPECT_EQ(Run({"XRANGE", "l", "-", "+"}), Error(kWrongType));
  EXPECT_EQ(Run({"XLEN", "l"}), Error(kWrongType));
}

TEST_F(StreamCommandTest, XReadRepliesPairsOrAMap) {
  Add("a", {"1-0", "2-0"});
  Add("b", {"1-0"});
  EXPECT_EQ(Run({"XREAD", "STREAMS", "a", "none", "b", "1", "0", "0"}),
            Array({Array({Bulk("a"), Array({Entry("2-0")})}),
                   Array({Bulk("b"), Array({Entry("1-0")})})}));
  EXPECT_EQ(Run({"XREAD", "COUNT", "1", "STREAMS", "a", "0"}),
            Array({Array({Bulk("a"), Array({Entry("1-0")})})}));
  EXPECT_EQ(RunRaw({"XREAD", "STREAMS", "a", "$"}), "*-1\r\n");
  EXPECT_EQ(RunRaw({"XREAD", "BLOCK", "0", "STREAMS", "a", "b", "2-0", "$"}), "*-1\r\n");
  // The last entry, since 7.4.
  EXPECT_EQ(Run({"XREAD", "STREAMS", "a", "+"}),
            Array({Array({Bulk("a"), Array({Entry("2-0")})})}));
  Run({"XDEL", "a", "2-0"});
  EXPECT_EQ(Run({"XREAD", "STREAMS", "a", "+"}),
            Array({Array({Bulk("a"), Array({Entry("1-0")})})}));
  EXPECT_EQ(RunRaw({"XREAD", "STREAMS", "none", "+"}), "*-1\r\n");
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"XREAD", "STREAMS", "b", "0"}),
            "%1\r\n$1\r\nb\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
  EXPECT_EQ(RunRaw({"XREAD", "STREAMS", "b", "$"}), "_\r\n");
}

TEST_F(StreamCommandTest, ArgumentsOfXReadAreChecked) {
  PutList("l");
  EXPECT_EQ(Run({"XREAD", "STREAMS", "k", "0", "l"}),
            Error("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
                  "specified."));
  EXPECT_EQ(Run({"XREAD", "COUNT", "1", "x", "y"}), Error(kSyntax));
  EXPECT_EQ(Run({"XREAD", "BLOCK", "-1", "STREAMS", "k", "0"}), Error("ERR timeout is negative"));
  EXPECT_EQ(Run({"XREAD", "BLOCK", "1.5", "STREAMS", "k", "0"}),
            Error("ERR timeout is not an integer or out of range"));
  EXPECT_EQ(Run({"XREAD", "GROUP", "g", "c", "STREAMS", "k", ">"}),
            Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD "
                  "instead."));
  EXPECT_EQ(Run({"XREAD", "STREAMS", "k", ">"}),
            Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
                  "<group> <consumer> option."));
  EXPECT_EQ(Run({"XREAD", "STREAMS", "k", "x"}), Error(kInvalidId));
  // A stream's id is looked at before the next stream.
  EXPECT_EQ(Run({"XREAD", "STREAMS", "k", "l", "x", "0"}), Error(kInvalidId));
  EXPECT_EQ(Run({"XREAD", "STREAMS", "l", "k", "x", "0"}), Error(kWrongType));
  EXPECT_EQ(Run({"XREADGROUP", "COUNT", "1", "NOACK", "STREAMS", "k", "0"}),
            Error("ERR Missing GROUP option for XREADGROUP"));
  EXPECT_EQ(Run({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">"}),
            Error("NOGROUP No such key 'k' or consumer group 'g' in XREADGROUP with GROUP option"));
}

TEST_F(StreamCommandTest, AGroupDeliversEachEntryOnceAndKeepsItPending) {
  Add("k", {"1-0", "2-0", "3-0"});
  EXPECT_EQ(Run({"XGROUP", "CREATE", "k", "g", "0"}), Ok());
  EXPECT_EQ(Run({"XGROUP", "CREATE", "k", "g", "0"}),
            Error("BUSYGROUP Consumer Group name already exists"));
  EXPECT_EQ(Run({"XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "k", ">"}),
            Array({Array({Bulk("k"), Array({Entry("1-0"), Entry("2-0")})})}));
  EXPECT_EQ(Run({"XREADGROUP", "GROUP", "g", "b", "STREAMS", "k", ">"}),
            Array({Array({Bulk("k"), Array({Entry("3-0")})})}));
  EXPECT_EQ(RunRaw({"XREADGROUP", "GROUP", "g", "b", "STREAMS", "k", ">"}), "*-1\r\n");
  EXPECT_EQ(Run({"XPENDING", "k", "g"}), Array({Int(3), Bulk("1-0"), Bulk("3-0"),
                                                Array({Bulks({"a", "2"}), Bulks({"b", "1"})})}));
  Advance(70);
  // Its history counts as a delivery; what was deleted shows without fields.
  Run({"XDEL", "k", "1-0"});
  EXPECT_EQ(Run({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "k", "0"}),
            Array({Array({Bulk("k"), Array({Array({Bulk("1-0"), kNullArray}), Entry("2-0")})})}));
  Advance(30);
  EXPECT_EQ(Run({"XPENDING", "k", "g", "-", "+", "10"}),
            Array({Array({Bulk("1-0"), Bulk("a"), Int(100), Int(1)}),
                   Array({Bulk("2-0"), Bulk("a"), Int(30), Int(2)}),
                   Array({Bulk("3-0"), Bulk("b"), Int(100), Int(1)})}));
  EXPECT_EQ(Run({"XPENDING", "k", "g", "IDLE", "100", "-", "+", "10", "a"}),
            Array({Array({Bulk("1-0"), Bulk("a"), Int(100), Int(1)})}));
  EXPECT_EQ(Run({"XPENDING", "k", "g", "-", "+", "10", "nobody"}), Array({}));
  EXPECT_EQ(Run({"XACK", "k", "g", "1-0", "1-0", "9-9"}), Int(1));
  EXPECT_EQ(Run({"XACK", "k", "nosuch", "x"}), Int(0));
  EXPECT_EQ(Run({"XACK", "k", "g", "2-0", "x"}), Error(kInvalidId));
  EXPECT_EQ(Run({"XGROUP", "DELCONSUMER", "k", "g", "a"}), Int(1));
  EXPECT_EQ(Run({"XGROUP", "DELCONSUMER", "k", "g", "a"}), Int(0));
  EXPECT_EQ(Run({"XGROUP", "DESTROY", "k", "g"}), Int(1));
  EXPECT_EQ(Run({"XGROUP", "DESTROY", "k", "g"}), Int(0));
}

TEST_F(StreamCommandTest, WithoutAcknowledgementNothingIsPending) {
  Add("k", {"1-0", "2-0"});
  Run({"XGROUP", "CREATE", "k", "g", "0"});
  Run({"XREADGROUP", "GROUP", "g", "a", "NOACK", "STREAMS", "k", ">"});
  EXPECT_EQ(RunRaw({"XPENDING", "k", "g"}), "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
  EXPECT_EQ(GroupInfo("k", "last-delivered-id"), Bulk("2-0"));
}

TEST_F(StreamCommandTest, ReadingAgainMovesAPendingEntry) {
  Add("k", {"1-0"});
  Run({"XGROUP", "CREATE", "k", "g", "0"});
  Run({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "k", ">"});
  EXPECT_EQ(Run({"XGROUP", "SETID", "k", "g", "0"}), Ok());
  Run({"XREADGROUP", "GROUP", "g", "b", "STREAMS", "k", ">"});
  EXPECT_EQ(Run({"XPENDING", "k", "g", "-", "+", "10"}),
            Array({Array({Bulk("1-0"), Bulk("b"), Int(0), Int(1)})}));
}

TEST_F(StreamCommandTest, ClaimsMoveWhatHasBeenIdle) {
  Add("k", {"1-0", "2-0", "3-0", "4-0"});
  Run({"XGROUP", "CREATE", "k", "g", "0"});
  Run({"XREADGROUP", "GROUP", "g", "a", "COUNT", "3", "STREAMS", "k", ">"});
  Advance(100);
  EXPECT_EQ(Run({"XCLAIM", "k", "g", "b", "101", "1-0"}), Array({}));
  EXPECT_EQ(Run({"XINFO", "CONSUMERS", "k", "g"}).children.size(), 1u);
  EXPECT_EQ(Run({"XCLAIM", "k", "g", "b", "100", "1-0"}), Array({Entry("1-0")}));
  EXPECT_EQ(
      Run({"XCLAIM", "k", "g", "b", "0", "2-0", "4-0", "IDLE", "40", "RETRYCOUNT", "9", "JUSTID"}),
      Bulks({"2-0"}));
  EXPECT_EQ(Run({"XCLAIM", "k", "g", "b", "0", "4-0", "FORCE", "LASTID", "4-0"}),
            Array({Entry("4-0")}));
  EXPECT_EQ(Run({"XPENDING", "k", "g", "-", "+", "10"}),
            Array({Array({Bulk("1-0"), Bulk("b"), Int(0), Int(2)}),
                   Array({Bulk("2-0"), Bulk("b"), Int(40), Int(9)}),
                   Array({Bulk("3-0"), Bulk("a"), Int(100), Int(1)}),
                   Array({Bulk("4-0"), Bulk("b"), Int(0), Int(2)})}));
  EXPECT_EQ(GroupInfo("k", "last-delivered-id"), Bulk("4-0"));
  Run({"XDEL", "k", "3-0"});
  EXPECT_EQ(Run({"XCLAIM", "k", "g", "b", "0", "3-0"}), Array({}));
  EXPECT_EQ(GroupInfo("k", "pending"), Int(3));
  EXPECT_EQ(Run({"XCLAIM", "k", "g", "b", "x", "1-0"}),
            Error("ERR Invalid min-idle-time argument for XCLAIM"));
  EXPECT_EQ(Run({"XCLAIM", "k", "g", "b", "0", "1-0", "what"}),
            Error("ERR Unrecognized XCLAIM option 'what'"));
  EXPECT_EQ(Run({"XCLAIM", "k", "nosuch", "b", "x", "1-0"}),
            Error("NOGROUP No such key 'k' or consumer group 'nosuch'"));
}

TEST_F(StreamCommandTest, AutomaticClaimsGoOnWhereTheyStopped) {
  Add("k", {"1-0", "2-0", "3-0", "4-0"});
  Run({"XGROUP", "CREATE", "k", "g", "0"});
  Run({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "k", ">"});
  Run({"XDEL", "k", "2-0"});
  Advance(10);
  EXPECT_EQ(Run({"XAUTOCLAIM", "k", "g", "b", "10", "-", "COUNT", "2"}),
            Array({Bulk("3-0"), Array({Entry("1-0")}), Bulks({"2-0"})}));
  EXPECT_EQ(Run({"XAUTOCLAIM", "k", "g", "b", "10", "3-0", "JUSTID"}),
            Array({Bulk("0-0"), Bulks({"3-0", "4-0"}), Array({})}));
  EXPECT_EQ(Run({"XPENDING", "k", "g", "-", "+", "10"}),
            Array({Array({Bulk("1-0"), Bulk("b"), Int(0), Int(2)}),
                   Array({Bulk("3-0"), Bulk("b"), Int(0), Int(1)}),
                   Array({Bulk("4-0"), Bulk("b"), Int(0), Int(1)})}));
  // Ten attempts for each entry that is wanted.
  for (int i = 5; i < 25; ++i) Add("k", {std::to_string(i) + "-0"});
  Run({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "k", ">"});
  EXPECT_EQ(Run({"XAUTOCLAIM", "k", "g", "b", "1000", "0", "COUNT", "1"}),
            Array({Bulk("12-0"), Array({}), Array({})}));
  EXPECT_EQ(Run({"XAUTOCLAIM", "k", "g", "b", "0", "0", "COUNT", "0"}),
            Error("ERR COUNT must be > 0"));
  EXPECT_EQ(Run({"XAUTOCLAIM", "k", "nosuch", "b", "0", "0"}),
            Error("NOGROUP No such key 'k' or consumer group 'nosuch'"));
}

TEST_F(StreamCommandTest, LagIsKnownUntilEntriesAreErased) {
  Add("k", {"1-0", "2-0", "3-0", "4-0"});
  Run({"XGROUP", "CREATE", "k", "g", "2-0"});
  EXPECT_EQ(GroupInfo("k", "entries-read"), Null());
  EXPECT_EQ(GroupInfo("k", "lag"), Null());
  Run({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "k", ">"});
  EXPECT_EQ(GroupInfo("k", "entries-read"), Int(4));
  EXPECT_EQ(GroupInfo("k", "lag"), Int(0));
  Add("k", {"5-0", "6-0"});
  EXPECT_EQ(GroupInfo("k", "lag"), Int(2));
  Run({"XDEL", "k", "5-0"});
  EXPECT_EQ(GroupInfo("k", "lag"), Null());
  Run({"XGROUP", "SETID", "k", "g", "$", "ENTRIESREAD", "6"});
  EXPECT_EQ(GroupInfo("k", "lag"), Int(0));
}

TEST_F(StreamCommandTest, SubcommandsOfXGroupAreChecked) {
  const std::string no_key =
      "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
      "use the MKSTREAM option to create an empty stream automatically.";
  EXPECT_EQ(Run({"XGROUP", "CREATE", "k", "g", "$"}), Error(no_key));
  EXPECT_EQ(Run({"XGROUP", "DESTROY", "k", "g"}), Error(no_key));
  EXPECT_EQ(Run({"XGROUP", "CREATE", "k", "g", "x", "MKSTREAM"}), Error(kInvalidId));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  EXPECT_EQ(Run({"XGROUP", "CREATE", "k", "g", "$", "MKSTREAM"}), Ok());
  EXPECT_EQ(Run({"XLEN", "k"}), Int(0));
  EXPECT_EQ(Run({"XGROUP", "CREATE", "k", "h", "$", "what"}),
            Error("ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP "
                  "HELP."));
  EXPECT_EQ(Run({"XGROUP", "CREATE", "k", "h", "$", "ENTRIESREAD", "-2"}),
            Error("ERR value for ENTRIESREAD must be positive or -1"));
  EXPECT_EQ(Run({"XGROUP", "CREATECONSUMER", "k", "g", "a"}), Int(1));
  EXPECT_EQ(Run({"XGROUP", "CREATECONSUMER", "k", "g", "a"}), Int(0));
  EXPECT_EQ(Run({"XGROUP", "CREATECONSUMER", "k", "nosuch", "a"}),
            Error("NOGROUP No such consumer group 'nosuch' for key name 'k'"));
  PutList("l");
  EXPECT_EQ(Run({"XGROUP", "CREATE", "l", "g", "$"}), Error(kWrongType));
}

TEST_F(StreamCommandTest, XSetIdKeepsIdsGrowing) {
  EXPECT_EQ(Run({"XSETID", "k", "5-0"}), Error("ERR no such key"));
  Add("k", {"1-0", "2-0"});
  EXPECT_EQ(Run({"XSETID", "k", "1-5"}),
            Error("ERR The ID specified in XSETID is smaller than the target stream top item"));
  EXPECT_EQ(Run({"XSETID", "k", "5-0", "ENTRIESADDED", "1"}),
            Error("ERR The entries_added specified in XSETID is smaller than the target stream "
                  "length"));
  EXPECT_EQ(Run({"XSETID", "k", "5-0", "MAXDELETEDID", "6-0"}),
            Error("ERR The ID specified in XSETID is smaller than the provided "
                  "max_deleted_entry_id"));
  EXPECT_EQ(Run({"XSETID", "k", "5-0", "ENTRIESADDED", "-1"}),
            Error("ERR entries_added must be positive"));
  EXPECT_EQ(Run({"XSETID", "k", "5-0", "ENTRIESADDED"}), Error(kSyntax));
  EXPECT_EQ(Run({"XSETID", "k", "5-0", "ENTRIESADDED", "10", "MAXDELETEDID", "4-0"}), Ok());
  EXPECT_EQ(Info("k", "last-generated-id"), Bulk("5-0"));
  EXPECT_EQ(Info("k", "entries-added"), Int(10));
  EXPECT_EQ(Info("k", "max-deleted-entry-id"), Bulk("4-0"));
  EXPECT_EQ(Run({"XADD", "k", "5-0", "f", "v"}), Error(kTooSmall));
}

TEST_F(StreamCommandTest, XInfoDescribesAStreamInFull) {
  Add("k", {"1-0", "2-0", "3-0"});
  Run({"XGROUP", "CREATE", "k", "g", "0"});
  Run({"XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "k", ">"});
  const resp::Value full = Run({"XINFO", "STREAM", "k", "FULL", "COUNT", "1"});
  EXPECT_EQ(full.children.size(), 18u);
  EXPECT_EQ(Field(full, "entries"), Array({Entry("1-0")}));
  const resp::Value group = Field(full, "groups").children[0];
  EXPECT_EQ(group.children.size(), 14u);
  EXPECT_EQ(Field(group, "pel-count"), Int(2));
  EXPECT_EQ(Field(group, "pending"),
            Array({Array({Bulk("1-0"), Bulk("a"), Int(kStartMs), Int(1)})}));
  const resp::Value consumer = Field(group, "consumers").children[0];
  EXPECT_EQ(Field(consumer, "seen-time"), Int(kStartMs));
  EXPECT_EQ(Field(consumer, "pending"), Array({Array({Bulk("1-0"), Int(kStartMs), Int(1)})}));
  EXPECT_EQ(Run({"XINFO", "STREAM", "k"}).children.size(), 20u);
  EXPECT_EQ(Info("k", "last-entry"), Entry("3-0"));
  EXPECT_EQ(Info("k", "groups"), Int(1));
  EXPECT_EQ(Run({"XINFO", "STREAM", "k", "FULL", "COUNT"}),
            Error("ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO "
                  "HELP."));
  EXPECT_EQ(Run({"XINFO", "STREAM", "none", "what"}), Error("ERR no such key"));
  EXPECT_EQ(Run({"XINFO", "CONSUMERS", "k", "nosuch"}),
            Error("NOGROUP No such consumer group 'nosuch' for key name 'k'"));
}

TEST_F(StreamCommandTest, GroupsDoNotTouchTheKeyForWatch) {
  Add("k", {"1-0", "2-0"});
  Run({"XGROUP", "CREATE", "k", "g", "0"});
  const uint64_t version = types::VersionOf(txn_, 0, "k");
  Run({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "k", ">"});
  Run({"XACK", "k", "g", "1-0"});
  Run({"XCLAIM", "k", "g", "b", "0", "2-0"});
  EXPECT_EQ(types::VersionOf(txn_, 0, "k"), version);
  Run({"XDEL", "k", "1-0"});
  EXPECT_NE(types::VersionOf(txn_, 0, "k"), version);
}

TEST_F(StreamCommandTest, WhatACommandReadsDoesNotFollowTheSizeOfTheStream) {
  std::vector<uint64_t> reads[2];
  for (const int size : {300, 10'000}) {
    Run({"DEL", "k", "other"});
    for (int i = 1; i <= size; ++i) Add("k", {std::to_string(i) + "-0"});
    const std::string tail = std::to_string(size - 10), middle = std::to_string(size / 2);
    Run({"XGROUP", "CREATE", "k", "g", "0"});
    Run({"XREADGROUP", "GROUP", "g", "a", "STREAMS", "k", ">"});
    const auto count = [&](const std::vector<std::string>& words) {
      txn_.TakeReads();
      const resp::Value reply = Run(words);
      reads[size == 300 ? 0 : 1].push_back(txn_.TakeReads());
      return reply;
    };
    EXPECT_EQ(count({"XTRIM", "k", "MAXLEN", std::to_string(size - 50)}), Int(50));
    count({"XADD", "k", "MAXLEN", std::to_string(size - 50), std::to_string(size + 1), "f", "v"});
    count({"XRANGE", "k", "-", "+", "COUNT", "2"});
    count({"XRANGE", "k", middle, "+", "COUNT", "2"});
    count({"XREVRANGE", "k", "+", "-", "COUNT", "2"});
    count({"XREAD", "COUNT", "2", "STREAMS", "k", middle});
    EXPECT_EQ(count({"XDEL", "k", "52-0", middle + "-0"}), Int(2));
    EXPECT_EQ(count({"XGROUP", "CREATE", "k", "tail", tail}), Ok());
    EXPECT_EQ(count({"XREADGROUP", "GROUP", "tail", "a", "STREAMS", "k", ">"})
                  .children[0]
                  .children[1]
                  .children.size(),
              11u);
    count({"XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "k", middle});
    EXPECT_EQ(count({"XACK", "k", "g", tail + "-0"}), Int(1));
    count({"XCLAIM", "k", "g", "b", "0", tail, middle});
    count({"XAUTOCLAIM", "k", "g", "b", "0", middle, "COUNT", "3"});
    count({"XPENDING", "k", "g"});
    count({"XPENDING", "k", "g", "-", "+", "2", "b"});
    count({"XINFO", "STREAM", "k"});
    count({"XINFO", "STREAM", "k", "FULL", "COUNT", "2"});
    count({"XINFO", "GROUPS", "k"});
    EXPECT_EQ(count({"XGROUP", "DESTROY", "k", "tail"}), Int(1));
    EXPECT_EQ(count({"RENAME", "k", "other"}), Ok());
    EXPECT_EQ(count({"DEL", "other"}), Int(1));
  }
  EXPECT_EQ(reads[0], reads[1]);
  EXPECT_LT(*std::max_element(reads[0].begin(), reads[0].end()), 120u);
}

TEST_F(StreamCommandTest, KeysStandBehindTheWordStreams) {
  const auto keys = [](const std::vector<std::string_view>& args) {
    std::string found;
    for (const commands::KeyUse& use : commands::FindKeys(*FindSpec(args), args)) {
      found += std::string(args[static_cast<size_t>(use.position)]) + " ";
    }
    return found;
  };
  EXPECT_EQ(keys({"XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0"}), "a b ");
  EXPECT_EQ(keys({"XREADGROUP", "GROUP", "STREAMS", "c", "STREAMS", "a", ">"}), "a ");
  EXPECT_EQ(keys({"XGROUP", "CREATE", "a", "g", "$"}), "a ");
}

}  // namespace
}  // namespace metastore::test
