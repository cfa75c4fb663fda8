#include <algorithm>

#include "tests/server/handler_test.h"

namespace metastore::server {
namespace {

using resp::Value;
using CommandCommandsTest = HandlerTest;

Value Simple(std::string text) { return Value::SimpleString(std::move(text)); }

// The expected values are what redis-server 7.0.15 replies.
TEST_F(CommandCommandsTest, InfoHasRedisTenElements) {
  Value info = Run({"COMMAND", "INFO", "get", "nosuch"});
  ASSERT_EQ(info.children.size(), 2u);
  EXPECT_TRUE(info.children[1].IsNull());
  Value key_spec = Value::Array(
      {Bulk("flags"), Value::Array({Simple("RO"), Simple("access")}), Bulk("begin_search"),
       Value::Array(
           {Bulk("type"), Bulk("index"), Bulk("spec"), Value::Array({Bulk("index"), Int(1)})}),
       Bulk("find_keys"),
       Value::Array({Bulk("type"), Bulk("range"), Bulk("spec"),
                     Value::Array({Bulk("lastkey"), Int(0), Bulk("keystep"), Int(1), Bulk("limit"),
                                   Int(0)})})});
  EXPECT_EQ(info.children[0],
            Value::Array({Bulk("get"), Int(2), Value::Array({Simple("readonly"), Simple("fast")}),
                          Int(1), Int(1), Int(1),
                          Value::Array({Simple("@read"), Simple("@string"), Simple("@fast")}),
                          Value::Array({}), Value::Array({key_spec}), Value::Array({})}));
}

TEST_F(CommandCommandsTest, KeySpecificationsHaveRedissNotes) {
  for (const auto& [name, notes] : std::vector<std::pair<std::string, std::string>>{
           {"set", "RW and ACCESS due to the optional `GET` argument"},
           {"bitfield", "This command allows both access and modification of the key"}}) {
    Value info = Run({"COMMAND", "INFO", name}).children[0];
    const std::vector<Value>& spec = info.children[8].children[0].children;
    ASSERT_EQ(spec.size(), 8u) << name;
    EXPECT_EQ(spec[0], Bulk("notes"));
    EXPECT_EQ(spec[1], Bulk(notes));
  }
}

TEST_F(CommandCommandsTest, BitopWritesItsSecondArgumentAndReadsTheRest) {
  Value info = Run({"COMMAND", "INFO", "bitop"}).children[0];
  EXPECT_EQ(info.children[3], Int(2));
  EXPECT_EQ(info.children[4], Int(-1));
  EXPECT_EQ(info.children[6], Value::Array({Simple("@write"), Simple("@bitmap"), Simple("@slow")}));
  EXPECT_EQ(
      Run({"COMMAND", "GETKEYSANDFLAGS", "bitop", "and", "to", "a", "b"}),
      Value::Array({Value::Array({Bulk("to"), Value::Array({Simple("OW"), Simple("update")})}),
                    Value::Array({Bulk("a"), Value::Array({Simple("RO"), Simple("access")})}),
                    Value::Array({Bulk("b"), Value::Array({Simple("RO"), Simple("access")})})}));
}

TEST_F(CommandCommandsTest, HyperloglogCommandsKeepRedissFlags) {
  Value count = Run({"COMMAND", "INFO", "pfcount"}).children[0];
  EXPECT_EQ(count.children[2], Value::Array({Simple("readonly")}));
  EXPECT_EQ(count.children[8].children[0].children[3],
            Value::Array({Simple("RW"), Simple("access")}));
  Value self_test = Run({"COMMAND", "INFO", "pfselftest"}).children[0];
  EXPECT_EQ(self_test.children[2], Value::Array({Simple("admin")}));
  EXPECT_EQ(self_test.children[6], Value::Array({Simple("@hyperloglog"), Simple("@admin"),
                                                 Simple("@slow"), Simple("@dangerous")}));
  EXPECT_EQ(Run({"PFSELFTEST"}), Value::SimpleString("OK"));
}

TEST_F(CommandCommandsTest, SubcommandsStandInTheirContainerAndAlone) {
  Value config = Run({"COMMAND", "INFO", "config"}).children[0];
  ASSERT_EQ(config.children.size(), 10u);
  EXPECT_EQ(config.children[6], Value::Array({Simple("@slow")}));
  Value alone = Run({"COMMAND", "INFO", "CONFIG|GET"}).children[0];
  EXPECT_EQ(alone.children[0], Bulk("config|get"));
  EXPECT_EQ(alone.children[6],
            Value::Array({Simple("@admin"), Simple("@slow"), Simple("@dangerous")}));
  const std::vector<Value>& subs = config.children[9].children;
  EXPECT_NE(std::find(subs.begin(), subs.end(), alone), subs.end());
}

TEST_F(CommandCommandsTest, Resp3UsesMapsAndSets) {
  Run({"HELLO", "3"});
  EXPECT_EQ(
      Raw({"COMMAND", "INFO", "time"}),
      "*1\r\n*10\r\n$4\r\ntime\r\n:1\r\n~3\r\n+loading\r\n+stale\r\n+fast\r\n:0\r\n:0\r\n:0\r\n"
      "~1\r\n+@fast\r\n~1\r\n$23\r\nnondeterministic_output\r\n~0\r\n~0\r\n");
  EXPECT_EQ(Run({"COMMAND", "DOCS", "get", "nosuch"}).type, resp::Type::kMap);
}

TEST_F(CommandCommandsTest, CountIsTheLengthOfTheWholeList) {
  EXPECT_EQ(Run({"COMMAND", "COUNT"}), Int(static_cast<int64_t>(Run({"COMMAND"}).children.size())));
  EXPECT_EQ(Run({"COMMAND", "LIST"}).children.size(), server_.commands().size());
}

TEST_F(CommandCommandsTest, DocsDescribeEveryCommand) {
  Value docs = Run({"COMMAND", "DOCS"});
  ASSERT_EQ(docs.children.size(), 2 * server_.commands().commands().size());
  for (size_t i = 0; i < docs.children.size(); i += 2) {
    const std::vector<Value>& fields = docs.children[i + 1].children;
    ASSERT_GE(fields.size(), 8u) << docs.children[i].text;
    for (const Value& field : fields) {
      if (field.type == resp::Type::kBulk) {
        EXPECT_NE(field.text, "") << docs.children[i].text;
      }
    }
  }
}

TEST_F(CommandCommandsTest, ListFilters) {
  EXPECT_EQ(Run({"COMMAND", "LIST", "FILTERBY", "MODULE", "x"}), Value::Array({}));
  EXPECT_EQ(Run({"COMMAND", "LIST", "FILTERBY", "ACLCAT", "nosuch"}), Value::Array({}));
  EXPECT_EQ(Run({"COMMAND", "LIST", "FILTERBY", "PATTERN", "slowlog|l*"}),
            Value::Array({Bulk("slowlog|len")}));
  std::vector<Value> connection =
      Run({"COMMAND", "LIST", "FILTERBY", "ACLCAT", "connection"}).children;
  EXPECT_NE(std::find(connection.begin(), connection.end(), Bulk("ping")), connection.end());
  EXPECT_EQ(std::find(connection.begin(), connection.end(), Bulk("get")), connection.end());
  EXPECT_EQ(Run({"COMMAND", "LIST", "FILTERBY", "x", "y"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"COMMAND", "LIST", "x"}), Error("ERR syntax error"));
}

TEST_F(CommandCommandsTest, GetKeysFindsKeysOrSaysWhyNot) {
  EXPECT_EQ(Run({"COMMAND", "GETKEYS", "mset", "a", "b", "c", "d"}),
            Value::Array({Bulk("a"), Bulk("c")}));
  EXPECT_EQ(Run({"COMMAND", "GETKEYS", "memory", "usage", "k"}), Value::Array({Bulk("k")}));
  EXPECT_EQ(Run({"COMMAND", "GETKEYS", "nosuch", "b"}), Error("ERR Invalid command specified"));
  EXPECT_EQ(Run({"COMMAND", "GETKEYS", "config", "get", "a"}),
            Error("ERR The command has no key arguments"));
  EXPECT_EQ(
      Run({"COMMAND", "GETKEYSANDFLAGS", "copy", "a", "b"}),
      Value::Array({Value::Array({Bulk("a"), Value::Array({Simple("RO"), Simple("access")})}),
                    Value::Array({Bulk("b"), Value::Array({Simple("OW"), Simple("update")})})}));
}

TEST_F(CommandCommandsTest, UsesOfAKeyFollowTheArgumentsWhereTheTableSaysThatTheyVary) {
  const auto uses = [this](std::vector<std::string> command) {
    command.insert(command.begin(), {"COMMAND", "GETKEYSANDFLAGS"});
    return Run(command).children.at(0).children.at(1);
  };
  const Value reads = Value::Array({Simple("RO"), Simple("access")});
  const Value both = Value::Array({Simple("RW"), Simple("access"), Simple("update")});
  EXPECT_EQ(uses({"set", "k", "v", "EX", "1"}), Value::Array({Simple("OW"), Simple("update")}));
  EXPECT_EQ(uses({"set", "k", "v", "EX", "1", "get"}), both);
  EXPECT_EQ(uses({"bitfield", "k"}), reads);
  EXPECT_EQ(uses({"bitfield", "k", "get", "u8", "0", "OVERFLOW", "sat"}), reads);
  EXPECT_EQ(uses({"bitfield", "k", "get", "u8"}), both);
  EXPECT_EQ(uses({"bitfield", "k", "get", "u8", "0", "SET", "u8", "0", "1"}), both);
  EXPECT_EQ(Run({"COMMAND", "GETKEYS", "pfmerge", "to"}),
            Error("ERR Invalid arguments specified for command"));
}

TEST_F(CommandCommandsTest, AclShowsTheOneUserAndNeverItsPassword) {
  EXPECT_EQ(Run({"ACL", "WHOAMI"}), Bulk("default"));
  EXPECT_EQ(Run({"ACL", "LIST"}), Value::Array({Bulk("user default on nopass ~* &* +@all")}));
  Limits limits = server_.limits();
  limits.requirepass = "foobar";
  server_.SetLimits(limits);
  EXPECT_EQ(Run({"ACL", "LIST"}),
            Value::Array({Bulk("user default on #c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a39"
                               "60714caef0c4f2 ~* &* +@all")}));
  EXPECT_TRUE(Run({"ACL", "GETUSER", "nosuch"}).IsNull());
  EXPECT_EQ(Run({"ACL", "CAT"}).children.size(), 21u);
  EXPECT_EQ(Run({"ACL", "CAT", "x"}), Error("ERR Unknown category 'x'"));
  EXPECT_EQ(Run({"ACL", "GENPASS", "5"}).text.size(), 2u);
  EXPECT_EQ(Run({"ACL", "DRYRUN", "default", "get"}),
            Error("ERR wrong number of arguments for 'get' command"));
}

TEST_F(CommandCommandsTest, HelpBeginsAndEndsAsInRedis) {
  for (const char* container :
       {"CLIENT", "CONFIG", "COMMAND", "ACL", "LATENCY", "SLOWLOG", "MEMORY", "DEBUG"}) {
    std::vector<Value> lines = Run({container, "HELP"}).children;
    ASSERT_GE(lines.size(), 3u) << container;
    EXPECT_EQ(lines[0].text,
              std::string(container) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    EXPECT_EQ(lines.back().text, "    Prints this help.");
  }
}

}  // namespace
}  // namespace metastore::server
