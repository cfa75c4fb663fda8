// kill -9 under load, again and again. ROUNDS sets how often.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"
#include "tests/cluster/load.h"

namespace metastore::cluster_test {
namespace {

int Rounds() { return EnvNumber("ROUNDS", 20); }

void ReportPauses(const std::string& what, std::vector<int64_t> pauses_ms) {
  ASSERT_FALSE(pauses_ms.empty());
  std::sort(pauses_ms.begin(), pauses_ms.end());
  int64_t median = pauses_ms[pauses_ms.size() / 2];
  std::printf("%s: %zu rounds, longest pause of a round: median %lld ms, longest %lld ms\n",
              what.c_str(), pauses_ms.size(), static_cast<long long>(median),
              static_cast<long long>(pauses_ms.back()));
  testing::Test::RecordProperty("median_pause_ms", std::to_string(median));
  testing::Test::RecordProperty("longest_pause_ms", std::to_string(pauses_ms.back()));
}

TEST(CrashTest, OneNodeKilledUnderLoadLosesNothingAcknowledged) {
  Cluster cluster(1);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 8);
  std::vector<int64_t> pauses_ms;
  for (int round = 0; round < Rounds(); ++round) {
    ASSERT_TRUE(load.WaitForReplies(0, 20 + 10 * (round % 7)));
    load.NodeGoesDown(0);
    const int64_t start = NowMs();
    cluster.node(0).Kill();
    cluster.Start(0);
    load.NodeIsBack(0);
    ASSERT_TRUE(load.WaitForReplies(0, 1)) << "round " << round;
    pauses_ms.push_back(NowMs() - start);
  }
  load.Stop();
  EXPECT_EQ(load.Faults(), "");
  EXPECT_EQ(load.Verify(0), "");
  std::printf("%lld acknowledged, %lld unknown\n", static_cast<long long>(load.acknowledged()),
              static_cast<long long>(load.unknown()));
  ReportPauses("one node killed and restarted", pauses_ms);
}

TEST(CrashTest, TheLeaderOfThreeKilledUnderLoadIsAPauseForTheOthersClientsAndNothingElse) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 2);
  std::vector<int64_t> pauses_ms;
  for (int round = 0; round < Rounds(); ++round) {
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(load.WaitForReplies(n, 20)) << "round " << round;
    int leader = cluster.WaitLeader();
    ASSERT_GE(leader, 0);
    load.TakeLongestPauseMs(leader);
    load.NodeGoesDown(leader);
    cluster.node(leader).Kill();
    for (int n = 0; n < 3; ++n) {
      if (n == leader) continue;
      ASSERT_TRUE(load.WaitForReplies(n, 5)) << "round " << round << ", node " << n + 1;
    }
    pauses_ms.push_back(load.TakeLongestPauseMs(leader));
    cluster.Start(leader);
    load.NodeIsBack(leader);
  }
  ASSERT_TRUE(cluster.WaitReady());
  load.Stop();
  EXPECT_EQ(load.Faults(), "");
  for (int n = 0; n < 3; ++n) EXPECT_EQ(load.Verify(n), "");
  std::printf("%lld acknowledged, %lld unknown\n", static_cast<long long>(load.acknowledged()),
              static_cast<long long>(load.unknown()));
  ReportPauses("leader of three killed", pauses_ms);
}

TEST(CrashTest, AFollowerKilledUnderLoadIsNotNoticedByTheOthersClients) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 2);
  std::vector<int64_t> pauses_ms;
  for (int round = 0; round < std::max(1, Rounds() / 4); ++round) {
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(load.WaitForReplies(n, 20)) << "round " << round;
    int leader = cluster.WaitLeader();
    ASSERT_GE(leader, 0);
    const int follower = (leader + 1 + round % 2) % 3;
    load.TakeLongestPauseMs(follower);
    load.NodeGoesDown(follower);
    cluster.node(follower).Kill();
    for (int n = 0; n < 3; ++n) {
      if (n == follower) continue;
      ASSERT_TRUE(load.WaitForReplies(n, 20)) << "round " << round << ", node " << n + 1;
    }
    pauses_ms.push_back(load.TakeLongestPauseMs(follower));
    cluster.Start(follower);
    load.NodeIsBack(follower);
  }
  ASSERT_TRUE(cluster.WaitReady());
  load.Stop();
  EXPECT_EQ(load.Faults(), "");
  for (int n = 0; n < 3; ++n) EXPECT_EQ(load.Verify(n), "");
  ReportPauses("follower of three killed", pauses_ms);
}

// A restart that is cut off changes nothing. The log is cut as far as it may be and the state is
// flushed often, so that recovery has something to do: kills fall into the opening of both
// databases, the replay, and the first cuts after it.
TEST(CrashTest, AllNodesKilledWhileTheyRecoverAgainAndAgainLoseNothingAcknowledged) {
  Cluster cluster(3, {"--log-retain", "0", "--log-flush", "1mb", "--log-cache", "1mb"});
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 2);
  for (int round = 0; round < std::max(1, Rounds() / 5); ++round) {
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(load.WaitForReplies(n, 50)) << "round " << round;
    {
      // More than is flushed at once.
      Client client(cluster.node(round % 3).redis_port());
      for (int i = 0; i < 30; ++i) {
        ASSERT_TRUE(client.Run({"SET", "big" + std::to_string(i), std::string(100'000, 'b')}).ok());
      }
    }
    for (int n = 0; n < 3; ++n) load.NodeGoesDown(n);
    cluster.KillAll();
    // From before the first file is opened to after the first answer.
    for (int after_ms = 1; after_ms <= 400; after_ms = after_ms * 3 / 2 + 1) {
      cluster.StartAll();
      const int64_t start = NowMs();
      ASSERT_TRUE(WaitFor([&] { return NowMs() - start >= after_ms; }));
      for (int n = 0; n < 3; ++n) {
        EXPECT_TRUE(cluster.node(n).Running()) << "node " << n + 1 << " gave up after " << after_ms;
      }
      cluster.KillAll();
    }
    cluster.StartAll();
    for (int n = 0; n < 3; ++n) load.NodeIsBack(n);
  }
  ASSERT_TRUE(cluster.WaitReady());
  load.Stop();
  EXPECT_EQ(load.Faults(), "");
  for (int n = 0; n < 3; ++n) EXPECT_EQ(load.Verify(n), "");
}

TEST(CrashTest, AllNodesKilledUnderLoadLoseNothingAcknowledged) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 2);
  for (int round = 0; round < std::max(1, Rounds() / 4); ++round) {
    for (int n = 0; n < 3; ++n) ASSERT_TRUE(load.WaitForReplies(n, 20)) << "round " << round;
    for (int n = 0; n < 3; ++n) load.NodeGoesDown(n);
    cluster.KillAll();
    cluster.StartAll();
    for (int n = 0; n < 3; ++n) load.NodeIsBack(n);
  }
  ASSERT_TRUE(cluster.WaitReady());
  load.Stop();
  EXPECT_EQ(load.Faults(), "");
  for (int n = 0; n < 3; ++n) EXPECT_EQ(load.Verify(n), "");
}

}  // namespace
}  // namespace metastore::cluster_test
