#include "tests/server/handler_test.h"
#include "tests/server/topology_support.h"
#include "types/keyspace.h"

namespace metastore::server {
namespace {

using resp::Value;

class ServerCommandsTest : public HandlerTest {
 protected:
  ServerCommandsTest() {
    replica_.info = TestClusterInfo(1);
    replica_.info.peers[1].match_index = 4;
  }
  void Follow(raft::NodeId leader) {
    replica_.info.role = raft::Role::kFollower;
    replica_.info.leader = leader;
  }
};

TEST_F(ServerCommandsTest, ConfigGetIsAMapOfWhatMatches) {
  EXPECT_EQ(Run({"CONFIG", "GET", "save", "appendonly"}),
            Value::Array({Bulk("appendonly"), Bulk("yes"), Bulk("save"), Bulk("")}));
  EXPECT_EQ(Run({"CONFIG", "GET", "nosuch"}), Value::Array({}));
}

TEST_F(ServerCommandsTest, ConfigSetReachesLimitsAndReplica) {
  EXPECT_EQ(Run({"CONFIG", "SET", "maxclients", "5", "active-expire", "no"}), Ok());
  EXPECT_EQ(server_.limits().maxclients, 5);
  EXPECT_FALSE(replica_.active_expire);
  EXPECT_EQ(Run({"CONFIG", "SET", "a", "b", "c"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"CONFIG", "SET", "nosuch", "b"}),
            Error("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"));
  EXPECT_EQ(Run({"CONFIG", "REWRITE"}), Error("ERR The server is running without a config file"));
}

TEST_F(ServerCommandsTest, RoleOfALeaderNamesItsReplicas) {
  EXPECT_EQ(
      Run({"ROLE"}),
      Value::Array({Bulk("master"), Int(10),
                    Value::Array({Value::Array({Bulk("10.0.0.2"), Bulk("6379"), Bulk("10")}),
                                  Value::Array({Bulk("10.0.0.3"), Bulk("6379"), Bulk("4")})})}));
  replica::ClusterState& cluster = ClusterOf(&replica_.info);
  cluster.topology.nodes[1].down = true;
  cluster.topology.nodes.pop_back();
  EXPECT_EQ(Run({"ROLE"}), Value::Array({Bulk("master"), Int(10), Value::Array({})}))
      << "one is down, the other has not told its address";
}

TEST_F(ServerCommandsTest, RoleOfAFollowerNamesTheLeader) {
  Follow(3);
  EXPECT_EQ(Run({"ROLE"}),
            Value::Array({Bulk("slave"), Bulk("10.0.0.3"), Int(6379), Bulk("connected"), Int(9)}));
  Follow(0);
  EXPECT_EQ(Run({"ROLE"}),
            Value::Array({Bulk("slave"), Bulk("?"), Int(0), Bulk("connect"), Int(9)}));
}

TEST_F(ServerCommandsTest, WaitCountsAtLeastTheRestOfAMajority) {
  const raft::Index applied = replica_.info.applied_index;
  EXPECT_EQ(Run({"WAIT", "2", "0"}), Int(1));
  replica_.info.copies = {applied - 1, applied - 1};
  EXPECT_EQ(Run({"WAIT", "2", "0"}), Int(1)) << "the leader has not heard of the one that has it";
  replica_.info.copies = {applied + 1, applied};
  EXPECT_EQ(Run({"WAIT", "0", "0"}), Int(2));
  EXPECT_EQ(Run({"WAITAOF", "1", "2", "0"}), Value::Array({Int(1), Int(2)}));
  Follow(2);
  EXPECT_EQ(Run({"WAIT", "2", "100"}), Int(2));
  EXPECT_EQ(Run({"WAITAOF", "2", "0", "0"}),
            Error("ERR value is out of range, value must between 0 and 1"));
  EXPECT_EQ(Run({"WAITAOF", "1", "-1", "0"}), Error("ERR value is out of range, must be positive"));
  EXPECT_EQ(Run({"WAIT", "x", "0"}), Error("ERR value is not an integer or out of range"));
  EXPECT_EQ(Run({"WAIT", "1", "x"}), Error("ERR timeout is not an integer or out of range"));
  EXPECT_EQ(Run({"WAIT", "1", "-1"}), Error("ERR timeout is negative"));
}

TEST_F(ServerCommandsTest, ShutdownIsRequestedOnceItsArgumentsAreRight) {
  int requests = 0;
  server_.SetShutdownHook([&requests] { ++requests; });
  EXPECT_EQ(Run({"SHUTDOWN", "x"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"SHUTDOWN", "SAVE", "NOSAVE"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"SHUTDOWN", "ABORT"}), Error("ERR No shutdown in progress."));
  EXPECT_EQ(requests, 0);
  EXPECT_EQ(Raw({"SHUTDOWN", "NOSAVE", "NOW"}), "");
  EXPECT_EQ(requests, 1);
}

TEST_F(ServerCommandsTest, TimeAndLastSaveAreTheClocks) {
  EXPECT_EQ(Run({"TIME"}), Value::Array({Bulk("1000000000"), Bulk("0")}));
  clock_.Advance(1250);
  EXPECT_EQ(Run({"TIME"}), Value::Array({Bulk("1000000001"), Bulk("250000")}));
  EXPECT_EQ(Run({"LASTSAVE"}), Int(1000000001));
}

TEST_F(ServerCommandsTest, WhatIsNotRecordedIsEmpty) {
  EXPECT_EQ(Run({"SLOWLOG", "GET"}), Value::Array({}));
  EXPECT_EQ(Run({"SLOWLOG", "GET", "-2"}),
            Error("ERR count should be greater than or equal to -1"));
  EXPECT_EQ(Run({"SLOWLOG", "LEN"}), Int(0));
  EXPECT_EQ(Run({"LATENCY", "LATEST"}), Value::Array({}));
  EXPECT_EQ(Run({"LATENCY", "RESET"}), Int(0));
  EXPECT_EQ(Run({"LATENCY", "GRAPH", "x"}), Error("ERR No samples available for event 'x'"));
  EXPECT_EQ(Run({"MODULE", "LIST"}), Value::Array({}));
}

TEST_F(ServerCommandsTest, DebugKnowsWhatTestsNeed) {
  EXPECT_EQ(Run({"DEBUG", "SLEEP", "0"}), Ok());
  EXPECT_EQ(Run({"DEBUG", "SET-ACTIVE-EXPIRE", "0"}), Ok());
  EXPECT_FALSE(replica_.active_expire);
  EXPECT_EQ(Run({"DEBUG", "nosuch"}),
            Error("ERR unknown subcommand or wrong number of arguments for 'nosuch'. Try DEBUG "
                  "HELP."));
  EXPECT_EQ(Run({"DEBUG", "OBJECT"}),
            Error("ERR unknown subcommand or wrong number of arguments for 'OBJECT'. Try DEBUG "
                  "HELP."));
  EXPECT_EQ(Run({"DEBUG", "RELOAD", "NOSAVE", "merge"}), Ok());
  EXPECT_EQ(Run({"DEBUG", "RELOAD", "x"}),
            Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."));
}

TEST_F(ServerCommandsTest, WhatDebugTellsOfDataIsARead) {
  const commands::Handler& handler = server_.commands().Find("debug")->spec->handler;
  const auto is_read = [&handler](std::vector<std::string_view> args) {
    return handler.is_read(args);
  };
  EXPECT_TRUE(is_read({"debug", "object", "k"}));
  EXPECT_TRUE(is_read({"debug", "Digest"}));
  EXPECT_TRUE(is_read({"debug", "DIGEST-VALUE", "k", "l"}));
  EXPECT_FALSE(is_read({"debug", "object"}));
  EXPECT_FALSE(is_read({"debug", "digest", "k"}));
  EXPECT_FALSE(is_read({"debug", "sleep", "0"}));

  test::MemoryTxn txn;
  types::WritableKey(txn, 0, "k").PutString("hello");
  commands::ReadContext context(txn, 0);
  const auto read = [&](std::vector<std::string_view> args) {
    std::string out;
    resp::Writer writer(&out, 2);
    Status status = handler.read(context, args, writer);
    if (!status.ok()) commands::WriteError(status, writer);
    return out;
  };
  EXPECT_EQ(read({"DEBUG", "DIGEST-VALUE", "k", "none"}),
            "*2\r\n+36b23a1456b2dce2c3ed252c456761301dba8060\r\n+" + std::string(40, '0') + "\r\n");
  EXPECT_EQ(read({"DEBUG", "DIGEST"}).size(), 1 + 40 + 2u);
  EXPECT_EQ(read({"DEBUG", "OBJECT", "none"}), "-ERR no such key\r\n");
  const std::string line = read({"DEBUG", "OBJECT", "k"});
  EXPECT_TRUE(line.starts_with("+Value at:0x")) << line;
  EXPECT_NE(line.find(" refcount:1 encoding:embstr serializedlength:"), line.npos) << line;
  EXPECT_TRUE(line.ends_with(" lru_seconds_idle:0\r\n")) << line;
}

}  // namespace
}  // namespace metastore::server
