// Nodes that stop for a while, end politely, or come back with an empty disk.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <thread>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"
#include "tests/cluster/load.h"

namespace metastore::cluster_test {
namespace {

// SIGTERM to the end of the process.
constexpr int64_t kEndMs = kSanitized ? 30'000 : 5'000;

TEST(FaultTest, APausedFollowerIsNotMissedAndCatchesUp) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  const int follower = cluster.Other(leader);
  const int third = 3 - leader - follower;
  // The paused node is asked before it wakes: its answer must be the newest value all the same.
  Client paused(cluster.node(follower).redis_port());
  ASSERT_TRUE(paused.Run({"SET", "k", "old"}).ok());
  cluster.node(follower).Pause();
  Client client(cluster.node(third).redis_port());
  for (int i = 0; i < 2000; ++i) {
    Reply reply = client.Run({"SET", "k", std::to_string(i)});
    ASSERT_TRUE(reply.ok()) << reply.ToString();
  }
  paused.Append({"GET", "k"});
  ASSERT_TRUE(paused.Flush());
  cluster.node(follower).Resume();
  EXPECT_EQ(paused.Receive().text, "1999");
  ASSERT_TRUE(paused.Run({"SET", "k", "new"}).ok());
  EXPECT_EQ(client.Run({"GET", "k"}).text, "new");
}

TEST(FaultTest, APausedLeaderIsReplacedAndServesNothingStaleWhenItWakes) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  std::vector<int64_t> pauses_ms;
  for (int round = 0; round < 3; ++round) {
    int leader = cluster.WaitLeader();
    ASSERT_GE(leader, 0);
    Client paused(cluster.node(leader).redis_port());
    ASSERT_TRUE(paused.Run({"SET", "k", "old"}).ok());
    cluster.node(leader).Pause();
    for (int n = 0; n < 3; ++n) {
      if (n == leader) continue;
      Client client(cluster.node(n).redis_port());
      const int64_t start = NowMs();
      Reply reply = client.Run({"SET", "k", "by " + std::to_string(n)});
      ASSERT_TRUE(reply.ok()) << reply.ToString();
      pauses_ms.push_back(NowMs() - start);
      EXPECT_EQ(client.Run({"GET", "k"}).text, "by " + std::to_string(n));
    }
    const int last = leader == 2 ? 1 : 2;
    // Written while it slept, asked after that: the old leader's lease has ended.
    paused.Append({"GET", "k"});
    ASSERT_TRUE(paused.Flush());
    cluster.node(leader).Resume();
    EXPECT_EQ(paused.Receive().text, "by " + std::to_string(last));
    ASSERT_TRUE(cluster.WaitReady());
  }
  std::printf("pauses at a leader's SIGSTOP, ms:");
  for (int64_t pause : pauses_ms) std::printf(" %lld", static_cast<long long>(pause));
  std::printf("\n");
}

TEST(FaultTest, WritesThatAPausedLeaderHeldAreNotLostOrDoubled) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 2);
  for (int round = 0; round < 3; ++round) {
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(load.WaitForReplies(n, 50));
    int leader = cluster.WaitLeader();
    ASSERT_GE(leader, 0);
    cluster.node(leader).Pause();
    for (int n = 0; n < 3; ++n) {
      if (n == leader) continue;
      ASSERT_TRUE(load.WaitForReplies(n, 50)) << "node " << n + 1;
    }
    cluster.node(leader).Resume();
    // Its own clients waited all the time and saw nothing but that.
    ASSERT_TRUE(load.WaitForReplies(leader, 50));
  }
  load.Stop();
  EXPECT_EQ(load.Faults(), "");
  for (int n = 0; n < 3; ++n) EXPECT_EQ(load.Verify(n), "");
}

TEST(FaultTest, AWipedFollowerIsRefusedByItsPeers) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  Client client(cluster.node(leader).redis_port());
  ASSERT_TRUE(client.Run({"SET", "k", "v"}).ok());
  const int wiped = cluster.Other(leader);
  Node& node = cluster.node(wiped);
  node.Kill();
  std::filesystem::remove_all(node.data_dir());
  cluster.Start(wiped);
  EXPECT_TRUE(WaitFor([&] { return node.LogText().find("another disk") != std::string::npos; }))
      << node.LogText();
  EXPECT_NE(node.LogText().find("refuses this node"), std::string::npos);
  EXPECT_TRUE(node.Running()) << node.LogText();
  // It has no say and knows nothing; the others go on.
  EXPECT_TRUE(client.Run({"SET", "k", "w"}).ok());
  Reply read = Client(node.redis_port()).Run({"GET", "k"});
  EXPECT_TRUE(read.failed()) << "an empty node answered " << read.ToString();

  // The refusal outlives a restart of the peers: what was known of the disk is on theirs.
  for (int n = 0; n < 3; ++n) {
    if (n != wiped) cluster.node(n).Kill();
  }
  if (node.Running()) node.Kill();
  cluster.Start(wiped);
  cluster.Start(leader);
  // One voter with its disk and one without are no majority.
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(cluster.node(leader).redis_port()); }));
  Reply two = Client(cluster.node(leader).redis_port()).Run({"GET", "k"});
  EXPECT_TRUE(two.error()) << "a wiped voter's vote counted: " << two.ToString();
}

TEST(FaultTest, SigtermHandsLeadershipOverAndEndsWithCode0) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 2);
  for (int round = 0; round < 4; ++round) {
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(load.WaitForReplies(n, 30));
    int leader = cluster.WaitLeader();
    ASSERT_GE(leader, 0);
    load.TakeLongestPauseMs(leader);
    load.NodeGoesDown(leader);
    const int64_t start = NowMs();
    EXPECT_EQ(cluster.node(leader).Terminate(), 0) << cluster.node(leader).LogText();
    const int64_t took = NowMs() - start;
    EXPECT_LT(took, kEndMs);
    for (int n = 0; n < 3; ++n) {
      if (n == leader) continue;
      ASSERT_TRUE(load.WaitForReplies(n, 10)) << "node " << n + 1;
    }
    std::printf("SIGTERM of the leader: ended in %lld ms, longest pause of others %lld ms\n",
                static_cast<long long>(took),
                static_cast<long long>(load.TakeLongestPauseMs(leader)));
    cluster.Start(leader);
    load.NodeIsBack(leader);
  }
  ASSERT_TRUE(cluster.WaitReady());
  load.Stop();
  // The ending node's own clients may be told that it does not know; nobody else may.
  std::string faults = load.Faults();
  EXPECT_TRUE(faults.empty()) << faults;
  for (int n = 0; n < 3; ++n) EXPECT_EQ(load.Verify(n), "");
}

TEST(FaultTest, SigtermOfAFollowerAndOfALoneNodeEndWithCode0) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  for (int n : {(leader + 1) % 3, (leader + 2) % 3, leader}) {
    const int64_t start = NowMs();
    EXPECT_EQ(cluster.node(n).Terminate(), 0);
    EXPECT_LT(NowMs() - start, kEndMs);
  }
}

}  // namespace
}  // namespace metastore::cluster_test
