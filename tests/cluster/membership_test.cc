// Nodes that come and go while clients write.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"
#include "tests/cluster/load.h"

namespace metastore::cluster_test {
namespace {

// A cluster whose list is longer than the nodes that found it: the others join.
class MembershipTest : public ::testing::Test {
 protected:
  static std::string Urls(Cluster& cluster, int count) {
    std::string urls;
    for (int i = 0; i < count; ++i) {
      urls += (urls.empty() ? "" : ",") + cluster.node(i).peer_url();
    }
    return urls;
  }
  static void Found(Cluster& cluster, int count) {
    for (int i = 0; i < count; ++i) cluster.node(i).Start(Urls(cluster, count));
    ASSERT_TRUE(WaitFor([&] { return Serves(cluster.node(0)); }));
  }
  static bool Serves(Node& node) {
    return node.Running() &&
           Client(node.redis_port()).Run({"GET", "nothing"}).ToString() == "(nil)";
  }
  static void Join(Cluster& cluster, int index) {
    Node& node = cluster.node(index);
    node.extra_flags = {"--join"};
    node.Start(Urls(cluster, index + 1));
  }
  // The role of a member as that node sees it; "" for none.
  static std::string RoleOf(Node& seen_by, int id) {
    Reply members = Client(seen_by.redis_port()).Run({"RAFT", "MEMBERS"});
    for (const Reply& member : members.elements) {
      if (member.elements.size() == 6 && member.elements[1].integer == id) {
        return member.elements[5].text;
      }
    }
    return "";
  }
  static std::string Change(Node& node, std::vector<std::string> command) {
    // Another change, such as a promotion, may be under way.
    Reply reply;
    bool done = WaitFor([&] {
      reply = Client(node.redis_port()).Run(command);
      return reply.ToString().find("another membership change") == std::string::npos;
    });
    return done ? reply.ToString() : "another change does not end";
  }
};

TEST_F(MembershipTest, AClusterGrowsFromOneToFiveAndShrinksToOneUnderLoad) {
  Cluster cluster(5);
  Found(cluster, 1);
  Client client(cluster.node(0).redis_port());
  int acknowledged = 0;
  auto count = [&](int n) {
    for (int i = 0; i < n; ++i) {
      Reply reply = client.Run({"INCR", "counter"});
      ASSERT_EQ(reply.ToString(), std::to_string(++acknowledged));
    }
  };
  count(200);
  for (int i = 1; i < 5; ++i) {
    const std::string id = std::to_string(i + 1);
    ASSERT_EQ(Change(cluster.node(0), {"RAFT", "ADD", id, cluster.node(i).peer_url()}), id);
    Join(cluster, i);
    ASSERT_TRUE(WaitFor([&] {
      count(10);
      return RoleOf(cluster.node(0), i + 1) == "voter";
    })) << cluster.node(i).LogText();
    // What was counted is read on the new node at once.
    ASSERT_EQ(Client(cluster.node(i).redis_port()).Run({"GET", "counter"}).ToString(),
              '"' + std::to_string(acknowledged) + '"');
  }
  for (int i = 1; i < 5; ++i) {
    const std::string id = std::to_string(i + 1);
    // Any node takes the change; here the one before the last.
    ASSERT_EQ(Change(cluster.node(0), {"RAFT", "REMOVE", id}), "OK");
    count(50);
    ASSERT_TRUE(cluster.node(i).process().WaitExit()) << cluster.node(i).LogText();
    EXPECT_EQ(cluster.node(i).process().exit_code(), 3);
    EXPECT_NE(cluster.node(i).LogText().find("was removed from the cluster"), std::string::npos);
  }
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "REMOVE", "1"}),
            "(error) ERR the last voter cannot be removed");
  // The log tells the members after a restart, whatever the list says.
  cluster.node(0).Kill();
  cluster.node(0).Start(Urls(cluster, 1));
  ASSERT_TRUE(WaitFor([&] { return Serves(cluster.node(0)); })) << cluster.node(0).LogText();
  EXPECT_EQ(Client(cluster.node(0).redis_port()).Run({"GET", "counter"}).ToString(),
            '"' + std::to_string(acknowledged) + '"');
}

TEST_F(MembershipTest, ByHttpAsTheSpecificationSays) {
  Cluster cluster(4);
  Found(cluster, 3);
  ASSERT_TRUE(WaitFor([&] { return Serves(cluster.node(1)) && Serves(cluster.node(2)); }));
  auto curl = [&](int node, std::vector<std::string> arguments, const std::string& path) {
    std::vector<std::string> argv = {"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    argv.push_back("http://127.0.0.1:" + std::to_string(cluster.node(node).http_port()) + path);
    return RunCommand(argv).output;
  };
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(cluster.node(2).http_port()); }));
  EXPECT_EQ(curl(1, {"-X", "POST", "-d", "nonsense"}, "/4"), "400");
  for (int node = 0; node < 3; ++node) {
    EXPECT_EQ(curl(node, {"-X", "POST", "-d", cluster.node(3).peer_url()}, "/4"), "204");
  }
  Join(cluster, 3);
  ASSERT_TRUE(WaitFor([&] { return RoleOf(cluster.node(0), 4) == "voter"; }));
  EXPECT_EQ(curl(3, {"-X", "PUT", "-d", "value"}, "/key"), "204");
  std::string removed;
  ASSERT_TRUE(WaitFor([&] { return (removed = curl(3, {"-X", "DELETE"}, "/3")) != "409"; }));
  EXPECT_EQ(removed, "204");
  ASSERT_TRUE(cluster.node(2).process().WaitExit());
  EXPECT_EQ(cluster.node(2).process().exit_code(), 3);
  // The number names no member any more: it is a key.
  EXPECT_EQ(curl(0, {"-X", "DELETE"}, "/3"), "204");
  EXPECT_EQ(curl(0, {}, "/key"), "200");
}

TEST_F(MembershipTest, TheRemovedLeaderStepsDownAndClientsOfTheOthersSeeNoError) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  const int other = cluster.Other(leader);
  Client client(cluster.node(other).redis_port());
  ASSERT_EQ(client.Run({"INCR", "counter"}).ToString(), "1");
  // Asked for through a follower.
  ASSERT_EQ(Change(cluster.node(other), {"RAFT", "REMOVE", std::to_string(leader + 1)}), "OK");
  for (int i = 2; i < 100; ++i) {
    ASSERT_EQ(client.Run({"INCR", "counter"}).ToString(), std::to_string(i));
  }
  ASSERT_TRUE(cluster.node(leader).process().WaitExit());
  EXPECT_EQ(cluster.node(leader).process().exit_code(), 3);
  // It stays out when it is started again.
  cluster.Start(leader);
  ASSERT_TRUE(cluster.node(leader).process().WaitExit()) << cluster.node(leader).LogText();
  EXPECT_EQ(cluster.node(leader).process().exit_code(), 3);
}

TEST_F(MembershipTest, ADeadNodeIsReplacedInOneChange) {
  Cluster cluster(4);
  Found(cluster, 3);
  Client client(cluster.node(0).redis_port());
  ASSERT_TRUE(client.Run({"SET", "k", "v"}).ok());
  cluster.node(2).Kill();
  ASSERT_TRUE(WaitFor([&] { return Serves(cluster.node(0)); }));
  ASSERT_EQ(Change(cluster.node(0),
                   {"RAFT", "RECONFIGURE", "REMOVE", "3", "ADD", "4", cluster.node(3).peer_url()}),
            "4");
  Join(cluster, 3);
  ASSERT_TRUE(WaitFor([&] { return RoleOf(cluster.node(0), 4) == "voter"; }));
  EXPECT_EQ(RoleOf(cluster.node(0), 3), "");
  // Without node 1 the others are a majority.
  cluster.node(0).Kill();
  ASSERT_TRUE(WaitFor([&] { return Serves(cluster.node(3)); })) << cluster.node(3).LogText();
  EXPECT_EQ(Client(cluster.node(3).redis_port()).Run({"GET", "k"}).ToString(), "\"v\"");
  // All of them come back with what they know from their logs.
  cluster.node(1).Kill();
  cluster.node(3).Kill();
  for (int i : {0, 1, 3}) cluster.node(i).Start(Urls(cluster, i == 3 ? 4 : 3));
  for (int i : {0, 1, 3}) {
    ASSERT_TRUE(WaitFor([&] { return Serves(cluster.node(i)); })) << cluster.node(i).LogText();
    EXPECT_EQ(RoleOf(cluster.node(i), 4), "voter");
  }
}

TEST_F(MembershipTest, ANodeThatNeverComesStaysALearnerAndCanBeRemoved) {
  Cluster cluster(3);
  Found(cluster, 2);
  ASSERT_EQ(Change(cluster.node(1), {"RAFT", "ADD", "3", cluster.node(2).peer_url()}), "3");
  EXPECT_EQ(RoleOf(cluster.node(0), 3), "learner, to be promoted");
  EXPECT_TRUE(Client(cluster.node(0).redis_port()).Run({"SET", "k", "v"}).ok());
  // The same again changes nothing.
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "ADD", "3", cluster.node(2).peer_url()}), "3");
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "ADD", "7", cluster.node(2).peer_url()}),
            "(error) ERR " + cluster.node(2).peer_url() + " is the address of node 3");
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "REMOVE", "3"}), "OK");
  ASSERT_EQ(Change(cluster.node(0), {"RAFT", "REMOVE", "3"}), "(error) ERR node 3 is not a member");
}

TEST_F(MembershipTest, ANodeJoinsByTheAddressOfAnyMemberAndGetsAnId) {
  Cluster cluster(3);
  Found(cluster, 2);
  ASSERT_TRUE(Client(cluster.node(0).redis_port()).Run({"SET", "k", "v"}).ok());
  Node& joiner = cluster.node(2);
  auto argv = [&] {
    return std::vector<std::string>{BinaryUnderTest(),
                                    "--join",
                                    cluster.node(1).peer_url(),
                                    "--peer-url",
                                    joiner.peer_url(),
                                    "--data-dir",
                                    joiner.data_dir(),
                                    "--redis-port",
                                    std::to_string(joiner.redis_port()),
                                    "--port",
                                    std::to_string(joiner.http_port())};
  };
  for (int run = 0; run < 2; ++run) {
    Process process(argv(), joiner.log_file());
    ASSERT_TRUE(WaitFor([&] { return RoleOf(cluster.node(0), 3) == "voter"; }));
    ASSERT_TRUE(WaitFor([&] {
      return Client(joiner.redis_port()).Run({"GET", "k"}).ToString() == "\"v\"";
    })) << ReadFile(joiner.log_file());
    process.Signal(SIGTERM);
    ASSERT_TRUE(process.WaitExit());
    EXPECT_EQ(process.exit_code(), 0);
  }
}

TEST_F(MembershipTest, ACopiedDirectoryIsRefused) {
  Cluster cluster(3), copies(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int leader = cluster.WaitLeader();
  const int original = cluster.Other(leader);
  ASSERT_EQ(cluster.node(original).Terminate(), 0);
  Node& copy = copies.node(0);
  std::filesystem::create_directories(copy.data_dir());
  std::filesystem::copy(cluster.node(original).data_dir(), copy.data_dir(),
                        std::filesystem::copy_options::recursive);
  cluster.Start(original);
  ASSERT_TRUE(cluster.WaitReady());
  // On the same host the address is taken; the copy does not serve.
  std::vector<std::string> argv = cluster.node(original).CommandLine(cluster.urls());
  for (size_t i = 0; i + 1 < argv.size(); ++i) {
    if (argv[i] == "--data-dir") argv[i + 1] = copy.data_dir();
    if (argv[i] == "--redis-port") argv[i + 1] = std::to_string(copy.redis_port());
    if (argv[i] == "--port") argv[i + 1] = std::to_string(copy.http_port());
  }
  RunResult result = RunCommand(argv);
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_NE(result.output.find("is another node running there?"), std::string::npos);
}

TEST_F(MembershipTest, LeadershipGoesToTheNodeThatIsNamed) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Client client(cluster.node(0).redis_port());
  std::vector<int64_t> gaps;
  for (int round = 0; round < 20; ++round) {
    const int leader = cluster.WaitLeader();
    ASSERT_GE(leader, 0);
    const int target = cluster.Other(leader);
    int64_t begin = NowMs();
    // Asked for through whatever node; the writes of another one go on.
    ASSERT_EQ(Client(cluster.node(cluster.Other(target)).redis_port())
                  .Run({"RAFT", "TRANSFER", std::to_string(target + 1)})
                  .ToString(),
              "OK");
    ASSERT_FALSE(client.Run({"INCR", "counter"}).failed());
    gaps.push_back(NowMs() - begin);
    ASSERT_TRUE(WaitFor([&] { return cluster.WaitLeader() == target; }));
  }
  std::sort(gaps.begin(), gaps.end());
  std::printf("transfer with a write behind it: median %d ms, longest %d ms\n",
              static_cast<int>(gaps[gaps.size() / 2]), static_cast<int>(gaps.back()));
  EXPECT_EQ(client.Run({"GET", "counter"}).ToString(), "\"20\"");
}

}  // namespace
}  // namespace metastore::cluster_test
