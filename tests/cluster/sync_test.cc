// Counts the system calls that make the log durable, as strace sees them: a node that says it
// syncs and does not is found out here.
#include <gtest/gtest.h>

#include <cstdio>
#include <sstream>
#include <thread>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

class SyncTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the release build's calls are counted";
    if (RunCommand({"strace", "--version"}).exit_code != 0)
      GTEST_SKIP() << "strace is not installed";
    RunResult attach = RunCommand({"strace", "-D", "-f", "-e", "trace=fsync", "true"});
    ASSERT_EQ(attach.exit_code, 0) << "strace cannot attach: " << attach.output;
  }

  // -D: strace is the grandchild, so that signals reach the node itself. With the seccomp filter
  // only the traced calls stop the node.
  void TraceSyncs(Cluster* cluster) {
    file_ = cluster->directory() + "/syncs";
    cluster->node(0).prefix = {"strace",
                               "-D",
                               "-f",
                               "--seccomp-bpf",
                               "-qq",
                               "-y",
                               "-ttt",
                               "-e",
                               "trace=fsync,fdatasync,sync_file_range",
                               "-o",
                               file_};
  }

  static double WallSeconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  // Syncs of the raft log between two moments. The node must have ended.
  int LogSyncs(double from, double to) {
    // "1234 1700000000.123456 fdatasync(7</data/raft/000004.log>) = 0"; a call that another
    // thread's interrupts is "unfinished" and then "resumed", which has no path.
    int syncs = 0;
    std::istringstream lines(ReadFile(file_));
    std::string line;
    while (std::getline(lines, line)) {
      std::istringstream words(line);
      long pid = 0;
      double at = 0;
      words >> pid >> at;
      if (at < from || at > to) continue;
      if (line.find("fsync(") == std::string::npos &&
          line.find("fdatasync(") == std::string::npos) {
        continue;
      }
      if (line.find("/raft/") != std::string::npos) ++syncs;
    }
    return syncs;
  }

  std::string file_;
};

TEST_F(SyncTest, EachWriteOfASingleClientIsSyncedBeforeItsReply) {
  constexpr int kWrites = 200;
  Cluster cluster(1);
  TraceSyncs(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  double from, to;
  {
    Client client(cluster.node(0).redis_port());
    ASSERT_TRUE(client.Run({"SET", "warm", "up"}).ok());
    from = WallSeconds();
    for (int i = 0; i < kWrites; ++i) {
      ASSERT_TRUE(client.Run({"SET", "k" + std::to_string(i), "v"}).ok());
    }
    to = WallSeconds();
  }
  ASSERT_EQ(cluster.node(0).Terminate(), 0);
  int syncs = LogSyncs(from, to);
  std::printf("%d writes, %d syncs of the log\n", kWrites, syncs);
  EXPECT_GE(syncs, kWrites);
}

TEST_F(SyncTest, ManyClientsShareSyncs) {
  constexpr int kClients = 50, kPipeline = 16, kTurns = 40;
  Cluster cluster(1);
  TraceSyncs(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  double from = WallSeconds();
  std::vector<std::thread> threads;
  std::atomic<int> acknowledged{0};
  for (int c = 0; c < kClients; ++c) {
    threads.emplace_back([&, c] {
      Client client(cluster.node(0).redis_port());
      for (int turn = 0; turn < kTurns; ++turn) {
        for (int i = 0; i < kPipeline; ++i) {
          client.Append({"SET", "k" + std::to_string(c) + ":" + std::to_string(i), "v"});
        }
        for (int i = 0; i < kPipeline; ++i) acknowledged += client.Receive().ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  double to = WallSeconds();
  ASSERT_EQ(cluster.node(0).Terminate(), 0);
  EXPECT_EQ(acknowledged, kClients * kPipeline * kTurns);
  int syncs = LogSyncs(from, to);
  ASSERT_GT(syncs, 0);
  double per_sync = static_cast<double>(acknowledged) / syncs;
  std::printf("%d commands, %d syncs of the log, %.1f commands per sync\n", acknowledged.load(),
              syncs, per_sync);
  RecordProperty("commands_per_sync", std::to_string(per_sync));
  EXPECT_GT(per_sync, 50);
}

TEST_F(SyncTest, ReadsDoNotSync) {
  Cluster cluster(1);
  TraceSyncs(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  double from, to;
  {
    Client client(cluster.node(0).redis_port());
    ASSERT_TRUE(client.Run({"SET", "k", "v"}).ok());
    from = WallSeconds();
    for (int i = 0; i < 500; ++i) ASSERT_EQ(client.Run({"GET", "k"}).text, "v");
    to = WallSeconds();
  }
  ASSERT_EQ(cluster.node(0).Terminate(), 0);
  // A few for what a node does on its own.
  EXPECT_LT(LogSyncs(from, to), 50);
}

}  // namespace
}  // namespace metastore::cluster_test
