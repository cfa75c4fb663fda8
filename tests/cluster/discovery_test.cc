// Where clients are sent: CLUSTER, SENTINEL and ROLE of three real nodes, while nodes die and come
// back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

// The port that owns each range of slots, as a node tells it; empty where it does not answer.
using Map = std::map<std::pair<int64_t, int64_t>, int64_t>;
Map SlotsOf(int port) {
  Map map;
  const Reply reply = Client(port).Run({"CLUSTER", "SLOTS"});
  for (const Reply& range : reply.elements) {
    if (range.elements.size() < 3 || range.elements[2].elements.size() < 2) return {};
    map[{range.elements[0].integer, range.elements[1].integer}] =
        range.elements[2].elements[1].integer;
  }
  return map;
}

int64_t SlotCount(const Map& map, int port) {
  int64_t count = 0;
  for (const auto& [range, owner] : map) {
    if (owner == port) count += range.second - range.first + 1;
  }
  return count;
}

// The leader's port; 0: this node knows none.
int MasterOf(int port) {
  const Reply reply = Client(port).Run({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "any"});
  return reply.elements.size() == 2 ? std::atoi(reply.elements[1].text.c_str()) : 0;
}

std::string RoleOf(int port) {
  const Reply reply = Client(port).Run({"ROLE"});
  return reply.elements.empty() ? "" : reply.elements[0].text;
}

class DiscoveryTest : public testing::Test {
 protected:
  int port(int index) { return cluster_.node(index).redis_port(); }
  void Start() {
    cluster_.StartAll();
    ASSERT_TRUE(cluster_.WaitReady());
    ASSERT_TRUE(WaitForMap({0, 1, 2})) << "not every node has announced itself";
    for (int i = 0; i < cluster_.size(); ++i) {
      ASSERT_TRUE(WaitFor([&] { return MasterOf(port(i)) != 0; })) << "the log names no leader";
    }
  }
  // All of `there` agree that the slots are theirs, evenly.
  bool WaitForMap(const std::vector<int>& there) {
    return WaitFor([&] {
      const Map map = SlotsOf(port(there[0]));
      for (int index : there) {
        const int64_t count = SlotCount(map, port(index));
        const auto share = 16384 / static_cast<int64_t>(there.size());
        if (count != share && count != share + 1) return false;
        if (SlotsOf(port(index)) != map) return false;
      }
      return true;
    });
  }
  std::vector<int> Without(int index) {
    std::vector<int> others;
    for (int i = 0; i < cluster_.size(); ++i) {
      if (i != index) others.push_back(i);
    }
    return others;
  }

  Cluster cluster_{3, {"--cluster-enabled", "yes"}};
};

TEST_F(DiscoveryTest, EveryNodeTellsTheSame) {
  Start();
  const int leader = cluster_.WaitLeader();
  ASSERT_GE(leader, 0);
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(MasterOf(port(i)), port(leader));
    EXPECT_EQ(RoleOf(port(i)), i == leader ? "master" : "slave");
    names.push_back(Client(port(i)).Run({"CLUSTER", "MYID"}).text);
    EXPECT_EQ(names.back().size(), 40u);
  }
  const std::string slots = Client(port(0)).Run({"CLUSTER", "SLOTS"}).ToString();
  for (int i = 0; i < 3; ++i) {
    Client client(port(i));
    EXPECT_EQ(client.Run({"CLUSTER", "SLOTS"}).ToString(), slots);
    const std::string nodes = client.Run({"CLUSTER", "NODES"}).text;
    for (int other = 0; other < 3; ++other) {
      const std::string line = names[static_cast<size_t>(other)] +
                               " 127.0.0.1:" + std::to_string(port(other)) + "@" +
                               std::to_string(cluster_.node(other).peer_port()) +
                               (other == i ? " myself,master -" : " master -");
      EXPECT_NE(nodes.find(line), nodes.npos) << line << " is not in\n" << nodes;
    }
    EXPECT_NE(client.Run({"CLUSTER", "INFO"}).text.find("cluster_state:ok"), std::string::npos);
    EXPECT_EQ(client.Run({"SENTINEL", "REPLICAS", "any"}).elements.size(), 2u);
    EXPECT_EQ(client.Run({"SENTINEL", "SENTINELS", "any"}).elements.size(), 2u);
    // Any node takes any key, and keys of several slots.
    EXPECT_TRUE(client.Run({"MSET", "a", "1", "b", "2", "c", "3"}).ok());
  }
  // Counted where it was not written, and at once.
  ASSERT_TRUE(Client(port(0)).Run({"SET", "{foo}x", "v"}).ok());
  EXPECT_EQ(Client(port(1)).Run({"CLUSTER", "COUNTKEYSINSLOT", "12182"}).integer, 1);
}

TEST_F(DiscoveryTest, TheSlotsOfADeadLeaderMoveWithTheLeadershipAndComeBack) {
  Start();
  for (int round = 0; round < 3; ++round) {
    const int leader = cluster_.WaitLeader();
    ASSERT_GE(leader, 0);
    const std::vector<int> others = Without(leader);
    const std::string name = Client(port(leader)).Run({"CLUSTER", "MYID"}).text;
    const int64_t start = NowMs();
    cluster_.node(leader).Kill();
    Client client(port(others[0]));
    ASSERT_TRUE(client.Run({"SET", "k", std::to_string(round)}).ok());
    const int64_t written = NowMs();
    ASSERT_TRUE(WaitForMap(others));
    const int64_t moved = NowMs();
    std::printf("a write after %lld ms, the slots after %lld ms\n",
                static_cast<long long>(written - start), static_cast<long long>(moved - start));
    ASSERT_TRUE(WaitFor([&] {
      const int master = MasterOf(port(others[0]));
      return master != 0 && master != port(leader) && master == MasterOf(port(others[1]));
    }));
    const std::string nodes = client.Run({"CLUSTER", "NODES"}).text;
    EXPECT_NE(nodes.find("master,fail"), nodes.npos) << nodes;

    cluster_.Start(leader);
    ASSERT_TRUE(WaitForMap({0, 1, 2}));
    EXPECT_EQ(Client(port(leader)).Run({"CLUSTER", "MYID"}).text, name) << "names stay";
  }
}

TEST_F(DiscoveryTest, TheSlotsOfAPausedFollowerMoveAndComeBack) {
  Start();
  const int leader = cluster_.WaitLeader();
  ASSERT_GE(leader, 0);
  const int follower = cluster_.Other(leader);
  cluster_.node(follower).Pause();
  EXPECT_TRUE(WaitForMap(Without(follower)));
  EXPECT_EQ(MasterOf(port(leader)), port(leader)) << "nobody else became the leader";
  cluster_.node(follower).Resume();
  EXPECT_TRUE(WaitForMap({0, 1, 2}));
}

TEST_F(DiscoveryTest, AHandOverMovesTheMasterAndNoSlots) {
  Start();
  const int leader = cluster_.WaitLeader();
  ASSERT_GE(leader, 0);
  const Map before = SlotsOf(port(0));
  std::vector<std::unique_ptr<Client>> subscribers;
  for (int i = 0; i < cluster_.size(); ++i) {
    subscribers.push_back(std::make_unique<Client>(port(i)));
    ASSERT_FALSE(subscribers.back()->Run({"SUBSCRIBE", "+switch-master"}).failed());
  }
  ASSERT_TRUE(Client(port(cluster_.Other(leader))).Run({"SENTINEL", "FAILOVER", "any"}).ok());
  ASSERT_TRUE(WaitFor([&] {
    const int master = MasterOf(port(0));
    return master != 0 && master != port(leader);
  }));
  EXPECT_EQ(SlotsOf(port(0)), before);
  const std::string from = "mymaster 127.0.0.1 " + std::to_string(port(leader)) + " 127.0.0.1 ";
  for (auto& subscriber : subscribers) {
    const Reply message = subscriber->Receive();
    ASSERT_EQ(message.elements.size(), 3u) << message.ToString();
    EXPECT_EQ(message.elements[1].text, "+switch-master");
    EXPECT_EQ(message.elements[2].text, from + std::to_string(MasterOf(port(0))));
  }
}

TEST_F(DiscoveryTest, ANewMemberGetsItsShareAndARemovedOneLosesIt) {
  Start();
  const std::string directory = cluster_.directory() + "/fourth";
  std::filesystem::create_directory(directory);
  Node fourth(4, directory);
  ASSERT_FALSE(Client(port(0)).Run({"RAFT", "ADD", "4", fourth.peer_url()}).failed());
  fourth.extra_flags = {"--cluster-enabled", "yes", "--join"};
  fourth.Start(cluster_.urls() + "," + fourth.peer_url());
  EXPECT_TRUE(WaitFor([&] { return SlotCount(SlotsOf(port(0)), fourth.redis_port()) == 4096; }));
  EXPECT_TRUE(WaitFor([&] { return SlotsOf(fourth.redis_port()) == SlotsOf(port(0)); }));
  ASSERT_TRUE(Client(port(0)).Run({"RAFT", "REMOVE", "4"}).ok());
  EXPECT_TRUE(WaitForMap({0, 1, 2}));
  const std::string nodes = Client(port(0)).Run({"CLUSTER", "NODES"}).text;
  EXPECT_EQ(CountLines(nodes), 3) << nodes;
}

TEST(DiscoveryOptionsTest, SlotsCanAllBeTheLeadersAndAddressesOthersThanTheirOwn) {
  Cluster cluster(3, {"--cluster-enabled", "yes", "--cluster-slots", "leader",
                      "--cluster-announce-ip", "localhost"});
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  for (int i = 0; i < 3; ++i) {
    Reply reply;
    ASSERT_TRUE(WaitFor([&] {
      reply = Client(cluster.node(i).redis_port()).Run({"CLUSTER", "SLOTS"});
      return reply.elements.size() == 1 && reply.elements[0].elements.size() == 5;
    })) << reply.ToString();
    const Reply& master = reply.elements[0].elements[2];
    EXPECT_EQ(master.elements[0].text, "localhost");
    EXPECT_EQ(master.elements[1].integer, cluster.node(leader).redis_port());
    EXPECT_EQ(reply.elements[0].elements[1].integer, 16383);
  }
  ASSERT_TRUE(Client(cluster.node(leader).redis_port()).Run({"RAFT", "TRANSFER"}).ok());
  EXPECT_TRUE(WaitFor([&] {
    const Map map = SlotsOf(cluster.node(0).redis_port());
    return map.size() == 1 && map.begin()->second != cluster.node(leader).redis_port();
  }));
}

}  // namespace
}  // namespace metastore::cluster_test
