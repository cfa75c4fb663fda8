// CLUSTER and its like; the forms of the replies are those of redis-server 7.0.
#include <gtest/gtest.h>

#include "server/dispatcher.h"
#include "tests/server/handler_test.h"
#include "tests/server/topology_support.h"

namespace metastore::server {
namespace {

using resp::Value;

const std::string kOne = TestNodeName(1), kTwo = TestNodeName(2), kThree = TestNodeName(3);

class ClusterCommandsTest : public HandlerTest {
 protected:
  ClusterCommandsTest() { replica_.info = TestClusterInfo(1); }
  // Lines without the first `skip` words, so that times do not matter.
  std::string Text(const std::vector<std::string>& words) { return Run(words).text; }
};

Value Node(const std::string& host, const std::string& name) {
  return Value::Array(
      {Value::Bulk(host), Value::Integer(6379), Value::Bulk(name), Value::Array({})});
}

TEST_F(ClusterCommandsTest, SlotsAreRangesWithTheirNode) {
  EXPECT_EQ(Run({"CLUSTER", "SLOTS"}),
            Value::Array({Value::Array({Int(0), Int(5460), Node("10.0.0.1", kOne)}),
                          Value::Array({Int(5461), Int(10921), Node("10.0.0.2", kTwo)}),
                          Value::Array({Int(10922), Int(16383), Node("10.0.0.3", kThree)})}));
  const std::string everywhere = Raw({"CLUSTER", "SLOTS"});
  for (raft::NodeId self : {2, 3}) {
    replica_.info = TestClusterInfo(self);
    EXPECT_EQ(Raw({"CLUSTER", "SLOTS"}), everywhere);
  }
  session_->protocol = 3;
  EXPECT_TRUE(Raw({"CLUSTER", "SLOTS"}).ends_with(kThree + "\r\n%0\r\n")) << "a map of more names";
}

TEST_F(ClusterCommandsTest, NodesAreLines) {
  ClusterOf(&replica_.info).topology.nodes[2].down = true;
  replica_.info.peers[1].linked_since_ms = 0;
  const std::string heard = std::to_string(clock_.WallMs() - 1500);
  EXPECT_EQ(Text({"CLUSTER", "NODES"}),
            kOne + " 10.0.0.1:6379@9021 myself,master - 0 0 7 connected 0-8191\n" + kTwo +
                " 10.0.0.2:6379@9021 master - 0 " + heard + " 7 connected 8192-16383\n" + kThree +
                " 10.0.0.3:6379@9021 master,fail - 0 " + heard + " 7 disconnected\n");
}

TEST_F(ClusterCommandsTest, ALearnerIsAReplicaOfTheLeader) {
  replica::ClusterState& state = ClusterOf(&replica_.info);
  state.membership.voters = {1, 2};
  state.membership.learners = {3};
  const std::string line = kThree + " 10.0.0.3:6379@9021 slave " + kOne + " 0 " +
                           std::to_string(clock_.WallMs() - 1500) + " 7 connected";
  EXPECT_TRUE(Text({"CLUSTER", "NODES"}).ends_with(line + "\n"));
  EXPECT_EQ(Run({"CLUSTER", "REPLICAS", kOne}), Value::Array({Bulk(line)}));
  EXPECT_EQ(Run({"CLUSTER", "SLAVES", kTwo}), Value::Array({}));
  EXPECT_EQ(Run({"CLUSTER", "REPLICAS", kThree}), Error("ERR The specified node is not a master"));
  EXPECT_EQ(Run({"CLUSTER", "REPLICAS", "x"}), Error("ERR Unknown node x"));
  EXPECT_EQ(Run({"CLUSTER", "SLOTS"}),
            Value::Array({Value::Array({Int(0), Int(8191), Node("10.0.0.1", kOne),
                                        Node("10.0.0.3", kThree)}),
                          Value::Array({Int(8192), Int(16383), Node("10.0.0.2", kTwo)})}));
}

TEST_F(ClusterCommandsTest, InfoHasRedissFields) {
  EXPECT_EQ(Text({"CLUSTER", "INFO"}),
            "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n"
            "cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:3\r\n"
            "cluster_size:3\r\ncluster_current_epoch:7\r\ncluster_my_epoch:7\r\n"
            "cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
            "total_cluster_links_buffer_limit_exceeded:0\r\n");
  replica_.info.leader = 0;
  EXPECT_TRUE(Text({"CLUSTER", "INFO"}).starts_with("cluster_state:fail\r\n")) << "no leader";
  replica_.info = replica::ReplicaInfo();
  EXPECT_TRUE(
      Text({"CLUSTER", "INFO"}).starts_with("cluster_state:fail\r\ncluster_slots_assigned:0\r\n"))
      << "nobody has announced itself";
}

TEST_F(ClusterCommandsTest, ShardsAreMapsInRedissOrder) {
  ClusterOf(&replica_.info).topology.nodes[1].down = true;
  const auto shard = [](Value slots, int n, const std::string& name, int offset,
                        const char* health) {
    const std::string host = "10.0.0." + std::to_string(n);
    return Value::Array(
        {Bulk("slots"), std::move(slots), Bulk("nodes"),
         Value::Array({Value::Array({Bulk("id"), Bulk(name), Bulk("port"), Int(6379), Bulk("ip"),
                                     Bulk(host), Bulk("endpoint"), Bulk(host), Bulk("role"),
                                     Bulk("master"), Bulk("replication-offset"), Int(offset),
                                     Bulk("health"), Bulk(health)})})});
  };
  EXPECT_EQ(Run({"CLUSTER", "SHARDS"}),
            Value::Array({shard(Value::Array({Int(0), Int(8191)}), 1, kOne, 9, "online"),
                          shard(Value::Array({}), 2, kTwo, 10, "failed"),
                          shard(Value::Array({Int(8192), Int(16383)}), 3, kThree, 10, "online")}));
}

TEST_F(ClusterCommandsTest, LinksAreThoseToOtherNodes) {
  replica_.info.peers[1].linked_since_ms = 0;
  EXPECT_EQ(Run({"CLUSTER", "LINKS"}),
            Value::Array({Value::Array({Bulk("direction"), Bulk("to"), Bulk("node"), Bulk(kTwo),
                                        Bulk("create-time"), Int(77), Bulk("events"), Bulk("rw"),
                                        Bulk("send-buffer-allocated"), Int(0),
                                        Bulk("send-buffer-used"), Int(0)})}));
}

TEST_F(ClusterCommandsTest, TheRestOfWhatANodeKnows) {
  EXPECT_EQ(Run({"CLUSTER", "MYID"}), Bulk(kOne));
  EXPECT_EQ(Run({"CLUSTER", "KEYSLOT", "foo"}), Int(12182));
  EXPECT_EQ(Run({"CLUSTER", "KEYSLOT", "{foo}bar"}), Int(12182));
  EXPECT_EQ(Run({"CLUSTER", "COUNT-FAILURE-REPORTS", kTwo}), Int(0));
  EXPECT_EQ(Run({"CLUSTER", "COUNT-FAILURE-REPORTS", "x"}), Error("ERR Unknown node x"));
  EXPECT_EQ(Run({"ASKING"}), Ok());
  EXPECT_EQ(Run({"READONLY"}), Ok());
  EXPECT_TRUE(session_->readonly);
  EXPECT_EQ(Run({"READWRITE"}), Ok());
  EXPECT_FALSE(session_->readonly);
}

TEST_F(ClusterCommandsTest, InClusterModeThereIsOneDatabase) {
  Limits limits;
  limits.cluster_enabled = true;
  server_.SetLimits(limits);
  EXPECT_EQ(Run({"SELECT", "0"}), Ok());
  EXPECT_EQ(Run({"SELECT", "1"}), Error("ERR SELECT is not allowed in cluster mode"));
  EXPECT_EQ(Run({"SELECT", "99"}), Error("ERR SELECT is not allowed in cluster mode"));
  EXPECT_EQ(Run({"SELECT", "x"}), Error("ERR value is not an integer or out of range"));
  const std::string hello = Raw({"HELLO"});
  EXPECT_NE(hello.find("$4\r\nmode\r\n$7\r\ncluster\r\n"), hello.npos) << hello;
}

// Through a dispatcher: what depends on cluster-enabled, and the reads.
class ClusterDispatchTest : public testing::Test, public replica::LaneSink {
 protected:
  ClusterDispatchTest() { replica_.SetLane(0, this); }
  void Deliver(replica::BatchReply reply) override { dispatcher_->Handle(std::move(reply)); }
  void Deliver(replica::ReadPermission permission) override { dispatcher_->Handle(permission); }

  void Start(bool cluster_enabled) {
    Limits limits;
    limits.cluster_enabled = cluster_enabled;
    server_ = std::make_unique<Server>(&replica_, &config_, &clock_, &CommandTable::All(), limits);
    dispatcher_ = std::make_unique<Dispatcher>(server_.get(), 0, server_->AddLoop());
    session_ =
        std::make_unique<Session>(server_->clients().NextId(), SessionKind::kResp, clock_.WallMs());
    server_->clients().Add(session_.get(), nullptr);
  }
  void TearDown() override { dispatcher_->Close(std::move(session_)); }

  std::string Run(const std::vector<std::string_view>& args) {
    EXPECT_TRUE(dispatcher_->Dispatch(session_.get(), args));
    dispatcher_->EndOfTurn();
    replica_.ApplyAll();
    return session_->output().TakeAll();
  }

  test::FakeClock clock_;
  test::FakeReplica replica_{&CommandTable::All()};
  Config config_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Session> session_;
};

TEST_F(ClusterDispatchTest, WithoutClusterModeTheyAreAllRefused) {
  Start(false);
  const std::string refusal = "-ERR This instance has cluster support disabled\r\n";
  for (std::string_view command : {"READONLY", "READWRITE", "ASKING"}) {
    EXPECT_EQ(Run({command}), refusal) << command;
  }
  for (std::string_view command : {"INFO", "HELP", "SLOTS", "MYID"}) {
    EXPECT_EQ(Run({"CLUSTER", command}), refusal) << command;
  }
  EXPECT_EQ(Run({"CLUSTER", "COUNTKEYSINSLOT", "1"}), refusal);
  EXPECT_EQ(Run({"CLUSTER", "NOSUCH"}), "-ERR unknown subcommand 'NOSUCH'. Try CLUSTER HELP.\r\n");
}

TEST_F(ClusterDispatchTest, KeysInASlotAreCountedAndListed) {
  Start(true);
  EXPECT_EQ(Run({"MSET", "{foo}1", "v", "other", "v", "{foo}2", "v", "{foo}3", "v"}), "+OK\r\n");
  EXPECT_EQ(Run({"CLUSTER", "COUNTKEYSINSLOT", "12182"}), ":3\r\n");
  EXPECT_EQ(Run({"CLUSTER", "COUNTKEYSINSLOT", "12183"}), ":0\r\n");
  EXPECT_EQ(Run({"CLUSTER", "GETKEYSINSLOT", "12182", "0"}), "*0\r\n");
  EXPECT_TRUE(Run({"CLUSTER", "GETKEYSINSLOT", "12182", "2"}).starts_with("*2\r\n$6\r\n{foo}"));
  EXPECT_TRUE(Run({"CLUSTER", "GETKEYSINSLOT", "12182", "10"}).starts_with("*3\r\n"));
  EXPECT_EQ(Run({"CLUSTER", "COUNTKEYSINSLOT", "0"}), ":0\r\n");
  EXPECT_EQ(Run({"CLUSTER", "COUNTKEYSINSLOT", "16383"}), ":0\r\n");
  EXPECT_EQ(Run({"CLUSTER", "COUNTKEYSINSLOT", "16384"}), "-ERR Invalid slot\r\n");
  EXPECT_EQ(Run({"CLUSTER", "COUNTKEYSINSLOT", "x"}),
            "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(Run({"CLUSTER", "GETKEYSINSLOT", "1", "-1"}),
            "-ERR Invalid slot or number of keys\r\n");
  EXPECT_EQ(Run({"CLUSTER", "GETKEYSINSLOT", "-1", "1"}),
            "-ERR Invalid slot or number of keys\r\n");
}

}  // namespace
}  // namespace metastore::server
