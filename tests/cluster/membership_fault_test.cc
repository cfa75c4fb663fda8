// Changes of the membership at bad moments: nodes that come back under their id, that were away,
// that moved, leaders that die in between.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

class MembershipFaultTest : public ::testing::Test {
 protected:
  // Peer addresses of the nodes with these indexes, at the places 1, 2 and so on.
  static std::string Urls(Cluster& cluster, const std::vector<int>& nodes) {
    std::string urls;
    for (int node : nodes) urls += (urls.empty() ? "" : ",") + cluster.node(node).peer_url();
    return urls;
  }
  static bool Serves(Node& node) {
    return node.Running() &&
           Client(node.redis_port()).Run({"GET", "nothing"}).ToString() == "(nil)";
  }
  static void Found(Cluster& cluster, const std::vector<int>& nodes) {
    for (int node : nodes) cluster.node(node).Start(Urls(cluster, nodes));
    for (int node : nodes) {
      ASSERT_TRUE(WaitFor([&] { return Serves(cluster.node(node)); }));
    }
  }
  // As the index of a node; -1: there is none at the moment.
  static int Leader(Cluster& cluster) {
    for (int n = 0; n < cluster.size(); ++n) {
      if (!cluster.node(n).Running()) continue;
      if (cluster.node(n).Metric("raft_is_leader") == 1) return n;
    }
    return -1;
  }
  static std::string RoleOf(Node& seen_by, int id) {
    Reply members = Client(seen_by.redis_port()).Run({"RAFT", "MEMBERS"});
    for (const Reply& member : members.elements) {
      if (member.elements.size() == 6 && member.elements[1].integer == id) {
        return member.elements[5].text;
      }
    }
    return "";
  }
  // Other changes, such as a promotion, may be under way, and a leader may have died.
  static std::string Change(Node& node, const std::vector<std::string>& command) {
    Reply reply;
    bool done = WaitFor([&] {
      reply = Client(node.redis_port()).Run(command);
      return !reply.failed();
    });
    return done ? reply.ToString() : "not in time: " + reply.ToString();
  }
  static void Join(Cluster& cluster, int index, const std::vector<int>& nodes) {
    cluster.node(index).extra_flags = {"--join"};
    cluster.node(index).Start(Urls(cluster, nodes));
  }
  static bool Reads(Node& node, const std::string& key, const std::string& value) {
    return node.Running() &&
           Client(node.redis_port()).Run({"GET", key}).ToString() == '"' + value + '"';
  }
};

// Documented for a node that lost its disk. In the log it meets the commands, the membership and
// the end of its earlier life.
TEST_F(MembershipFaultTest, ANodeComesBackUnderItsIdWithAnEmptyDisk) {
  Cluster cluster(4);
  Found(cluster, {0, 1, 2, 3});
  Node& back = cluster.node(3);
  int counted = 0;
  for (int life = 0; life < 3; ++life) {
    Client client(back.redis_port());
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(client.Run({"INCR", "counter"}).ToString(), std::to_string(++counted));
    }
    // One that is down meanwhile hears neither of the end nor of the new beginning.
    Node& away = cluster.node(life % 3);
    Node& present = cluster.node((life + 1) % 3);
    away.Kill();
    ASSERT_EQ(Change(present, {"RAFT", "REMOVE", "4"}), "OK");
    ASSERT_TRUE(back.process().WaitExit()) << back.LogText();
    EXPECT_EQ(back.process().exit_code(), 3);
    std::filesystem::remove_all(back.data_dir());
    ASSERT_EQ(Change(present, {"RAFT", "ADD", "4", back.peer_url()}), "4");
    Join(cluster, 3, {0, 1, 2, 3});
    ASSERT_TRUE(WaitFor([&] { return RoleOf(present, 4) == "voter"; })) << back.LogText();
    away.Start(Urls(cluster, {0, 1, 2, 3}));
    ASSERT_TRUE(WaitFor([&] { return Serves(away); })) << away.LogText();
    ASSERT_TRUE(WaitFor([&] { return Reads(back, "counter", std::to_string(counted)); }))
        << back.LogText();
    // The one that was away and the one that came back are half of the majority.
    Node& third = cluster.node((life + 2) % 3);
    third.Pause();
    EXPECT_TRUE(WaitFor([&] {
      return Client(away.redis_port()).Run({"SET", "k", "v"}).ok();
    })) << away.LogText()
        << back.LogText();
    third.Resume();
    ASSERT_TRUE(WaitFor([&] { return Serves(third) && Serves(back); }));
  }
  EXPECT_TRUE(Reads(cluster.node(0), "counter", std::to_string(counted)));
}

// The founder that was alone finds a log in which it is the only voter.
TEST_F(MembershipFaultTest, TheFounderComesBackUnderItsIdWithAnEmptyDisk) {
  Cluster cluster(3);
  Found(cluster, {0});
  ASSERT_TRUE(Client(cluster.node(0).redis_port()).Run({"SET", "k", "first"}).ok());
  for (int n : {1, 2}) {
    ASSERT_EQ(
        Change(cluster.node(0), {"RAFT", "ADD", std::to_string(n + 1), cluster.node(n).peer_url()}),
        std::to_string(n + 1));
    Join(cluster, n, n == 1 ? std::vector<int>{0, 1} : std::vector<int>{0, 1, 2});
    ASSERT_TRUE(WaitFor([&] { return RoleOf(cluster.node(0), n + 1) == "voter"; }));
  }
  ASSERT_EQ(Change(cluster.node(1), {"RAFT", "REMOVE", "1"}), "OK");
  ASSERT_TRUE(cluster.node(0).process().WaitExit()) << cluster.node(0).LogText();
  EXPECT_EQ(cluster.node(0).process().exit_code(), 3);
  ASSERT_TRUE(WaitFor([&] {
    return Client(cluster.node(1).redis_port()).Run({"SET", "k", "second"}).ok();
  }));
  std::filesystem::remove_all(cluster.node(0).data_dir());
  Join(cluster, 0, {0, 1, 2});
  ASSERT_EQ(Change(cluster.node(1), {"RAFT", "ADD", "1", cluster.node(0).peer_url()}), "1");
  ASSERT_TRUE(WaitFor([&] { return RoleOf(cluster.node(1), 1) == "voter"; }));
  EXPECT_TRUE(WaitFor([&] { return Reads(cluster.node(0), "k", "second"); }))
      << cluster.node(0).LogText();
}

TEST_F(MembershipFaultTest, ANodeThatWasAwayFollowsALeaderItHasNeverHeardOf) {
  Cluster cluster(4);
  Found(cluster, {0, 1, 2});
  cluster.node(2).Kill();
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "ADD", "4", cluster.node(3).peer_url()}), "4");
  Join(cluster, 3, {0, 1, 2, 3});
  ASSERT_TRUE(WaitFor([&] { return RoleOf(cluster.node(0), 4) == "voter"; }));
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "TRANSFER", "4"}), "OK");
  ASSERT_TRUE(WaitFor([&] {
    return Client(cluster.node(3).redis_port()).Run({"SET", "k", "v"}).ok();
  }));
  cluster.node(2).Start(Urls(cluster, {0, 1, 2}));
  EXPECT_TRUE(WaitFor([&] { return Reads(cluster.node(2), "k", "v"); }))
      << cluster.node(2).LogText();
  EXPECT_EQ(RoleOf(cluster.node(2), 4), "voter");
}

TEST_F(MembershipFaultTest, AMovedNodeStartsAtItsNewAddressBeforeItHasHeardOfTheMove) {
  Cluster cluster(4);
  Found(cluster, {0, 1, 2});
  Node& moved = cluster.node(2);
  moved.Kill();
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "ADD", "3", cluster.node(3).peer_url()}), "3");
  ASSERT_TRUE(WaitFor([&] {
    return Client(cluster.node(0).redis_port()).Run({"SET", "k", "v"}).ok();
  }));
  // Its data directory at another address, which stands at the third place of the list now.
  moved.Start(Urls(cluster, {0, 1, 3}));
  EXPECT_TRUE(WaitFor([&] { return Reads(moved, "k", "v"); })) << moved.LogText();
  // The list of the foundation costs the others a line and no more.
  ASSERT_EQ(cluster.node(1).Terminate(), 0);
  cluster.node(1).Start(Urls(cluster, {0, 1, 2}));
  ASSERT_TRUE(WaitFor([&] { return Reads(cluster.node(1), "k", "v"); }));
  EXPECT_NE(cluster.node(1).LogText().find("--cluster founds a cluster"), std::string::npos);
}

TEST_F(MembershipFaultTest, AChangeBesideAnotherIsRefusedWith409) {
  Cluster cluster(5);
  Found(cluster, {0, 1, 2});
  const int leader = Leader(cluster);
  ASSERT_GE(leader, 0);
  for (int n = 0; n < 3; ++n) {
    if (n != leader) cluster.node(n).Pause();
  }
  // Nobody can commit it.
  const int port = cluster.node(leader).http_port();
  HttpReply first;
  std::thread asks([&] { first = Http(port, "POST", "/4", cluster.node(3).peer_url()); });
  // In force, not committed.
  const bool begun = WaitFor([&] { return !RoleOf(cluster.node(leader), 4).empty(); });
  HttpReply second = Http(port, "POST", "/5", cluster.node(4).peer_url());
  for (int n = 0; n < 3; ++n) {
    if (n != leader) cluster.node(n).Resume();
  }
  asks.join();
  EXPECT_TRUE(begun);
  EXPECT_EQ(second.status, 409) << second.body;
  EXPECT_NE(second.body.find("another membership change"), std::string::npos) << second.body;
  EXPECT_EQ(first.status, 204) << first.body;
}

TEST_F(MembershipFaultTest, WithoutAQuorumTheAnswerIs503) {
  Cluster cluster(4);
  Found(cluster, {0, 1, 2});
  cluster.node(1).Kill();
  cluster.node(2).Kill();
  HttpReply reply = Http(cluster.node(0).http_port(), "POST", "/4", cluster.node(3).peer_url());
  EXPECT_EQ(reply.status, 503) << reply.body;
  EXPECT_NE(reply.body, "");
}

TEST_F(MembershipFaultTest, TheLeaderDiesInTheMiddleOfAJointChange) {
  Cluster cluster(6);
  Found(cluster, {0, 1, 2});
  Client(cluster.node(0).redis_port()).Run({"SET", "counter", "0"});
  int counted = 0;
  // Nodes 2 and 3 are replaced by two others and back again, each time two voters at once.
  std::vector<int> members = {0, 1, 2};
  std::vector<int> spare = {3, 4};
  for (int round = 0; round < 6; ++round) {
    const std::vector<int> leaving = {members[1], members[2]};
    std::vector<std::string> change = {"RAFT", "RECONFIGURE"};
    for (int n : leaving) {
      change.insert(change.end(), {"REMOVE", std::to_string(n + 1)});
    }
    for (int n : spare) {
      std::filesystem::remove_all(cluster.node(n).data_dir());
      Join(cluster, n, {0, 1, 2, 3, 4, 5});
      // Learners first: the change itself is about voters.
      ASSERT_EQ(Change(cluster.node(members[0]),
                       {"RAFT", "ADD", std::to_string(n + 1), cluster.node(n).peer_url()}),
                std::to_string(n + 1));
      ASSERT_TRUE(WaitFor([&] { return RoleOf(cluster.node(members[0]), n + 1) == "voter"; }));
    }
    int leader = -1;
    ASSERT_TRUE(WaitFor([&] { return (leader = Leader(cluster)) >= 0; }));
    Client asks(cluster.node(members[0] == leader ? spare[0] : members[0]).redis_port());
    asks.Append(change);
    ASSERT_TRUE(asks.Flush());
    std::this_thread::sleep_for(Millis(round * 3));
    cluster.node(leader).Kill();
    // Whatever came of it, the cluster goes on with what was counted.
    Node& survivor = cluster.node(spare[0] == leader ? spare[1] : spare[0]);
    ASSERT_TRUE(WaitFor([&] { return Serves(survivor); })) << survivor.LogText();
    cluster.node(leader).Start(Urls(cluster, {0, 1, 2, 3, 4, 5}));
    ASSERT_TRUE(WaitFor([&] {
      Reply reply = Client(survivor.redis_port()).Run(change);
      return !reply.failed() || reply.ToString().find("is not a member") != std::string::npos;
    })) << survivor.LogText();
    ASSERT_TRUE(WaitFor([&] {
      return RoleOf(survivor, leaving[0] + 1).empty() && RoleOf(survivor, leaving[1] + 1).empty();
    }));
    for (int n : leaving) {
      ASSERT_TRUE(cluster.node(n).process().WaitExit()) << cluster.node(n).LogText();
      EXPECT_EQ(cluster.node(n).process().exit_code(), 3);
    }
    Client counts(survivor.redis_port());
    for (int i = 0; i < 10; ++i) {
      ASSERT_EQ(counts.Run({"INCR", "counter"}).ToString(), std::to_string(++counted));
    }
    members = {members[0], spare[0], spare[1]};
    spare = leaving;
    for (int n : members) {
      ASSERT_TRUE(WaitFor([&] {
        return Reads(cluster.node(n), "counter", std::to_string(counted));
      })) << cluster.node(n).LogText();
    }
  }
}

// Small here; docs/raft.md has the figures of a gigabyte and more.
TEST_F(MembershipFaultTest, StateMovesToSeveralNewNodesAtOnceAndOneIsKilledMeanwhile) {
  Cluster cluster(5);
  const int megabytes = EnvNumber("MOVE_MB", 24);
  for (int n : {0, 1, 2}) {
    // The log is cut early, so that the new ones need a snapshot, which takes some seconds.
    cluster.node(n).extra_flags = {"--log-retain",    "1mb", "--log-flush", "4mb",
                                   "--snapshot-rate", "8mb"};
  }
  Found(cluster, {0, 1, 2});
  Client client(cluster.node(0).redis_port());
  for (int i = 0; i < megabytes; ++i) {
    std::string value(1 << 20, 'a');
    for (size_t at = 0; at < value.size(); at += 8) {
      uint64_t noise = (static_cast<uint64_t>(i) << 32 | at) * 0x9e3779b97f4a7c15;
      value.replace(at, 8, reinterpret_cast<const char*>(&noise), 8);
    }
    ASSERT_TRUE(client.Run({"SET", "big:" + std::to_string(i), value}).ok());
  }
  for (int n : {3, 4}) {
    ASSERT_EQ(
        Change(cluster.node(0), {"RAFT", "ADD", std::to_string(n + 1), cluster.node(n).peer_url()}),
        std::to_string(n + 1));
    Join(cluster, n, {0, 1, 2, 3, 4});
  }
  Node& killed = cluster.node(4);
  ASSERT_TRUE(WaitFor([&] {
    return killed.LogText().find("receiving the snapshot") != std::string::npos;
  })) << killed.LogText();
  killed.Kill();
  killed.Start(Urls(cluster, {0, 1, 2, 3, 4}));
  int counted = 0;
  for (int n : {3, 4}) {
    ASSERT_TRUE(WaitFor([&] {
      EXPECT_EQ(client.Run({"INCR", "counter"}).ToString(), std::to_string(++counted));
      return RoleOf(cluster.node(0), n + 1) == "voter";
    })) << cluster.node(n).LogText();
    EXPECT_NE(cluster.node(n).LogText().find("installing the snapshot"), std::string::npos);
    EXPECT_TRUE(
        WaitFor([&] { return Reads(cluster.node(n), "counter", std::to_string(counted)); }));
    EXPECT_EQ(Client(cluster.node(n).redis_port()).Run({"DBSIZE"}).integer, megabytes + 1);
  }
}

}  // namespace
}  // namespace metastore::cluster_test
