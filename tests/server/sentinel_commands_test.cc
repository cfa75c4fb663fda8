// SENTINEL; the forms of the replies are those of redis-sentinel 7.0.
#include <gtest/gtest.h>

#include "tests/server/handler_test.h"
#include "tests/server/topology_support.h"

namespace metastore::server {
namespace {

using resp::Value;
using Lines = std::vector<std::string>;

class SentinelCommandsTest : public HandlerTest {
 protected:
  SentinelCommandsTest() { replica_.info = TestClusterInfo(2); }

  // The names of the fields in their order, and "name=value" of those that are asked for.
  static Lines Names(const Value& instance) {
    Lines names;
    for (size_t i = 0; i < instance.children.size(); i += 2) {
      names.push_back(instance.children[i].text);
    }
    return names;
  }
  static std::string Field(const Value& instance, const std::string& name) {
    for (size_t i = 0; i + 1 < instance.children.size(); i += 2) {
      if (instance.children[i].text == name) return instance.children[i + 1].text;
    }
    return "";
  }
};

const Lines kInstance = {"name",
                         "ip",
                         "port",
                         "runid",
                         "flags",
                         "link-pending-commands",
                         "link-refcount",
                         "last-ping-sent",
                         "last-ok-ping-reply",
                         "last-ping-reply",
                         "down-after-milliseconds"};
Lines With(const Lines& more) {
  Lines all = kInstance;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST_F(SentinelCommandsTest, AnyNameIsTheLeaders) {
  for (raft::NodeId self : {1, 2, 3}) {
    replica_.info = TestClusterInfo(self);
    for (const char* name : {"mymaster", "other"}) {
      EXPECT_EQ(Run({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", name}),
                Value::Array({Bulk("10.0.0.1"), Bulk("6379")}));
    }
  }
  replica_.info.leader = 3;
  EXPECT_EQ(Raw({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "x"}), "*-1\r\n")
      << "the log does not say so yet";
  ClusterOf(&replica_.info).topology.leader = 3;
  EXPECT_EQ(Run({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "x"}),
            Value::Array({Bulk("10.0.0.3"), Bulk("6379")}));
}

TEST_F(SentinelCommandsTest, WithoutALeaderThereIsNoAddress) {
  replica_.info.leader = 0;
  EXPECT_EQ(Raw({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "x"}), "*-1\r\n");
  const Value masters = Run({"SENTINEL", "MASTERS"});
  ASSERT_EQ(masters.children.size(), 1u);
  EXPECT_EQ(Field(masters.children[0], "flags"), "s_down,o_down,master");
  EXPECT_EQ(Field(masters.children[0], "ip"), "10.0.0.1") << "the last one";
}

TEST_F(SentinelCommandsTest, BeforeAnybodyHasLedThereIsNoMaster) {
  replica_.info = replica::ReplicaInfo();
  EXPECT_EQ(Run({"SENTINEL", "MASTERS"}), Value::Array({}));
  for (const char* command : {"MASTER", "REPLICAS", "SENTINELS", "CKQUORUM"}) {
    EXPECT_EQ(Run({"SENTINEL", command, "x"}), Error("ERR No such master with that name"));
  }
}

TEST_F(SentinelCommandsTest, AMasterHasSentinelsFields) {
  const Value master = Run({"SENTINEL", "MASTER", "any"});
  EXPECT_EQ(Names(master), With({"info-refresh", "role-reported", "role-reported-time",
                                 "config-epoch", "num-slaves", "num-other-sentinels", "quorum",
                                 "failover-timeout", "parallel-syncs"}));
  EXPECT_EQ(Field(master, "name"), "any");
  EXPECT_EQ(Field(master, "port"), "6379");
  EXPECT_EQ(Field(master, "runid"), TestNodeName(1));
  EXPECT_EQ(Field(master, "flags"), "master");
  EXPECT_EQ(Field(master, "num-slaves"), "2");
  EXPECT_EQ(Field(master, "num-other-sentinels"), "2");
  EXPECT_EQ(Field(master, "quorum"), "2");
  EXPECT_EQ(Field(Run({"SENTINEL", "MASTERS"}).children[0], "name"), "mymaster");
  session_->protocol = 3;
  EXPECT_TRUE(Raw({"SENTINEL", "MASTER", "any"}).starts_with("%20\r\n"));
  EXPECT_TRUE(Raw({"SENTINEL", "MASTERS"}).starts_with("*1\r\n%20\r\n"));
}

TEST_F(SentinelCommandsTest, ReplicasAreTheNodesThatFollow) {
  ClusterOf(&replica_.info).topology.nodes[2].down = true;
  const Value replicas = Run({"SENTINEL", "REPLICAS", "x"});
  ASSERT_EQ(replicas.children.size(), 2u);
  const Value& self = replicas.children[0];
  EXPECT_EQ(Names(self),
            With({"info-refresh", "role-reported", "role-reported-time", "master-link-down-time",
                  "master-link-status", "master-host", "master-port", "slave-priority",
                  "slave-repl-offset", "replica-announced"}));
  EXPECT_EQ(Field(self, "name"), "10.0.0.2:6379");
  EXPECT_EQ(Field(self, "flags"), "slave");
  EXPECT_EQ(Field(self, "master-host"), "10.0.0.1");
  EXPECT_EQ(Field(self, "master-link-status"), "ok");
  EXPECT_EQ(Field(self, "slave-repl-offset"), "9");
  EXPECT_EQ(Field(replicas.children[1], "flags"), "s_down,slave,disconnected");
  EXPECT_EQ(Field(replicas.children[1], "master-link-status"), "err");
  EXPECT_EQ(Run({"SENTINEL", "SLAVES", "x"}), replicas);
}

TEST_F(SentinelCommandsTest, EveryOtherNodeIsASentinel) {
  const Value sentinels = Run({"SENTINEL", "SENTINELS", "x"});
  ASSERT_EQ(sentinels.children.size(), 2u);
  EXPECT_EQ(Names(sentinels.children[0]),
            With({"last-hello-message", "voted-leader", "voted-leader-epoch"}));
  EXPECT_EQ(Field(sentinels.children[0], "ip"), "10.0.0.1");
  EXPECT_EQ(Field(sentinels.children[0], "flags"), "sentinel");
  EXPECT_EQ(Field(sentinels.children[1], "ip"), "10.0.0.3");
  EXPECT_EQ(Run({"SENTINEL", "MYID"}), Bulk(TestNodeName(2)));
}

TEST_F(SentinelCommandsTest, QuorumIsAMajorityThatIsHeard) {
  EXPECT_EQ(Raw({"SENTINEL", "CKQUORUM", "x"}),
            "+OK 3 usable Sentinels. Quorum and failover authorization can be reached\r\n");
  replica_.info.peers[0].last_contact_ms = 60'000;
  EXPECT_TRUE(Raw({"SENTINEL", "CKQUORUM", "x"}).starts_with("+OK 2 "));
  replica_.info.peers[1].last_contact_ms = -1;
  EXPECT_EQ(Raw({"SENTINEL", "CKQUORUM", "x"}),
            "-NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the specified "
            "quorum for this master. Not enough available Sentinels to reach the majority and "
            "authorize a failover\r\n");
}

}  // namespace
}  // namespace metastore::server
