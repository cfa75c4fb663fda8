// The specification's integration tests, on real processes.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"
#include "tests/cluster/load.h"

namespace metastore::cluster_test {
namespace {

// A node that was away while the log was cut gets a snapshot, and then holds what the others hold.
TEST(IntegrationTest, KvstoreSnapshot) {
  Cluster cluster(3, {"--log-retain", "0", "--log-flush", "1mb", "--log-cache", "1mb"});
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  const int behind = cluster.Other(leader);
  Client client(cluster.node(leader).redis_port());
  ASSERT_TRUE(client.Run({"SET", "before", "1"}).ok());
  cluster.node(behind).Kill();

  const std::string value(100'000, 'v');
  int written = 0;
  // Until the log begins behind everything that the absent node can have.
  const int64_t absent_from = cluster.node(leader).Metric("raft_log_last_index");
  ASSERT_GT(absent_from, 0);
  bool cut = WaitFor([&] {
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(client.Run({"SET", "key" + std::to_string(written), value}).ok());
      ++written;
    }
    return cluster.node(leader).Metric("raft_log_first_index") > absent_from + 1 ||
           testing::Test::HasFailure();
  });
  ASSERT_TRUE(cut) << "the log is never cut";
  ASSERT_TRUE(client.Run({"DEL", "before"}).integer == 1);

  cluster.Start(behind);
  ASSERT_TRUE(cluster.WaitReady());
  EXPECT_TRUE(
      WaitFor([&] { return cluster.node(behind).Metric("raft_snapshots_installed_total") > 0; }));
  Client reader(cluster.node(behind).redis_port());
  for (int i = 0; i < written; ++i) {
    Reply reply = reader.Run({"GET", "key" + std::to_string(i)});
    ASSERT_EQ(reply.text, value) << "key" << i << " of " << written;
  }
  EXPECT_TRUE(reader.Run({"GET", "before"}).null());
  EXPECT_EQ(reader.Run({"DBSIZE"}).integer, written);
  // What it installed is its own now: it survives its restart.
  cluster.node(behind).Kill();
  cluster.Start(behind);
  ASSERT_TRUE(cluster.WaitReady());
  EXPECT_EQ(Client(cluster.node(behind).redis_port()).Run({"DBSIZE"}).integer, written);
}

// Messages are processed: two of three are a majority, one is not, and the third catches up.
TEST(IntegrationTest, ProcessMessages) {
  Cluster cluster(3, {"--request-timeout", "1000"});
  cluster.Start(0);
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(cluster.node(0).redis_port()); }));
  Reply alone = Client(cluster.node(0).redis_port()).Run({"SET", "k", "alone"});
  EXPECT_TRUE(alone.error()) << alone.ToString();

  cluster.Start(1);
  ASSERT_TRUE(cluster.WaitReady());
  EXPECT_TRUE(Client(cluster.node(0).redis_port()).Run({"SET", "k", "two"}).ok());
  EXPECT_EQ(Client(cluster.node(1).redis_port()).Run({"GET", "k"}).text, "two");
  cluster.Start(2);
  ASSERT_TRUE(cluster.WaitReady());
  EXPECT_EQ(Client(cluster.node(2).redis_port()).Run({"GET", "k"}).text, "two");
}

// Proposals made on all nodes at once are committed once each, in one order that all nodes see.
TEST(IntegrationTest, ProposeOnCommit) {
  constexpr int kProposals = 300;
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  std::vector<std::thread> proposers;
  std::vector<int> failures(3);
  for (int n = 0; n < 3; ++n) {
    proposers.emplace_back([&cluster, &failures, n] {
      Client client(cluster.node(n).redis_port());
      for (int i = 0; i < kProposals; ++i) {
        Reply reply =
            client.Run({"APPEND", "order", std::to_string(n) + ":" + std::to_string(i) + " "});
        if (reply.failed()) ++failures[static_cast<size_t>(n)];
      }
    });
  }
  for (std::thread& proposer : proposers) proposer.join();
  EXPECT_EQ(failures, std::vector<int>(3, 0));

  const std::string order = Client(cluster.node(0).redis_port()).Run({"GET", "order"}).text;
  EXPECT_EQ(std::count(order.begin(), order.end(), ' '), 3 * kProposals);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(Client(cluster.node(n).redis_port()).Run({"GET", "order"}).text, order);
    // Each proposer's own come in the order in which it made them.
    size_t at = 0;
    for (int i = 0; i < kProposals; ++i) {
      std::string word = std::to_string(n) + ":" + std::to_string(i) + " ";
      size_t found = (" " + order).find(" " + word, at);
      ASSERT_NE(found, std::string::npos) << word;
      at = found;
    }
  }
}

// SIGTERM while the node still starts, and while it replays its log.
TEST(IntegrationTest, CloseBeforeReplay) {
  Cluster cluster(1);
  Node& node = cluster.node(0);
  // A process that has not come to its signal handling yet dies of the signal, which is as good.
  auto is_clean = [](int code) { return code == 0 || code == -SIGTERM; };
  cluster.Start(0);
  EXPECT_PRED1(is_clean, node.Terminate()) << node.LogText();

  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  {
    Client client(node.redis_port());
    for (int i = 0; i < 2000; ++i)
      client.Append({"SET", "k" + std::to_string(i), std::string(500, 'v')});
    for (int i = 0; i < 2000; ++i) ASSERT_TRUE(client.Receive().ok());
  }
  node.Kill();
  // At different moments of the start.
  for (int ms = 0; ms <= 200; ms += 20) {
    cluster.Start(0);
    std::this_thread::sleep_for(Millis(ms));
    EXPECT_PRED1(is_clean, node.Terminate()) << "after " << ms << " ms\n" << node.LogText();
  }
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  EXPECT_EQ(Client(node.redis_port()).Run({"DBSIZE"}).integer, 2000);
}

// SIGTERM with writes in flight: a clean end, and what was acknowledged is there afterwards.
TEST(IntegrationTest, CloseInFlight) {
  Cluster cluster(1);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Load load(&cluster, 8);
  ASSERT_TRUE(load.WaitForReplies(0, 50));
  load.NodeGoesDown(0);
  EXPECT_EQ(cluster.node(0).Terminate(), 0);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  load.NodeIsBack(0);
  ASSERT_TRUE(load.WaitForReplies(0, 50));
  load.Stop();
  // An ending node may tell its clients that it does not know; nothing else.
  std::string faults = load.Faults();
  EXPECT_TRUE(faults.empty() || faults.find("UNKNOWNOUTCOME") != std::string::npos ||
              faults.find("CLUSTERDOWN") != std::string::npos)
      << faults;
  EXPECT_EQ(load.Verify(0), "");
}

TEST(IntegrationTest, PutAndGetByHttp) {
  Cluster cluster(1);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  const int port = cluster.node(0).http_port();
  ASSERT_TRUE(WaitFor([port] { return PortAnswers(port); }));
  EXPECT_EQ(Http(port, "GET", "/test-key").status, 404);
  EXPECT_EQ(Http(port, "PUT", "/test-key", "test-value").status, 204);
  HttpReply got = Http(port, "GET", "/test-key");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "test-value");
  // The keyspace is RESP's.
  EXPECT_EQ(Client(cluster.node(0).redis_port()).Run({"GET", "test-key"}).text, "test-value");
  // Any bytes, an empty value, a percent-encoded key with a query in it.
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(Http(port, "PUT", "/bytes", bytes).status, 204);
  EXPECT_EQ(Http(port, "GET", "/bytes").body, bytes);
  EXPECT_EQ(Http(port, "PUT", "/empty", "").status, 204);
  EXPECT_EQ(Http(port, "GET", "/empty").status, 200);
  EXPECT_EQ(Http(port, "PUT", "/a%20b/c?d=e", "odd").status, 204);
  EXPECT_EQ(Client(cluster.node(0).redis_port()).Run({"GET", "a b/c?d=e"}).text, "odd");
  EXPECT_EQ(Http(port, "DELETE", "/test-key").status, 204);
  EXPECT_EQ(Http(port, "GET", "/test-key").status, 404);
  EXPECT_EQ(Http(port, "PATCH", "/test-key", "x").status, 405);
}

// A client that says nothing, or stops in the middle of a command, does not keep its descriptor.
TEST(IntegrationTest, IdleClientsAreClosedAfterTheirTimeoutAndBusyOnesAreNot) {
  Cluster cluster(1, {"--timeout", "1"});
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int port = cluster.node(0).redis_port();
  Client busy(port);
  const int silent = ConnectRaw(port), half = ConnectRaw(port);
  ASSERT_GE(silent, 0);
  ASSERT_GE(half, 0);
  const std::string command = "*2\r\n$3\r\nGE";
  ASSERT_EQ(::send(half, command.data(), command.size(), 0), static_cast<ssize_t>(command.size()));
  const auto closed = [](int fd) {
    char byte;
    return ::recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
  };
  EXPECT_TRUE(WaitFor([&] {
    EXPECT_FALSE(busy.Run({"PING"}).failed());
    return closed(silent) && closed(half);
  }));
  EXPECT_FALSE(busy.Run({"PING"}).failed());
  ::close(silent);
  ::close(half);
}

TEST(IntegrationTest, WaitWaitsForTheSlowestNodeOnWhateverNodeItIsSaid) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  for (int i = 0; i < 3; ++i) {
    Client client(cluster.node(i).redis_port());
    ASSERT_TRUE(client.Run({"SET", "k", std::to_string(i)}).ok());
    const Reply all = client.Run({"WAIT", "2", "0"});
    EXPECT_EQ(all.integer, 2) << "node " << i + 1 << ": " << all.ToString();
  }
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  const int slow = cluster.Other(leader);
  cluster.node(slow).Pause();
  for (int i = 0; i < 3; ++i) {
    if (i == slow) continue;
    Client client(cluster.node(i).redis_port());
    ASSERT_TRUE(client.Run({"SET", "k", "slow"}).ok());
    EXPECT_EQ(client.Run({"WAIT", "2", "100"}).integer, 1) << "node " << i + 1;
    EXPECT_EQ(client.Run({"WAIT", "1", "0"}).integer, 1) << "node " << i + 1;
  }
  Client waiting(cluster.node(leader).redis_port());
  waiting.Append({"WAIT", "2", "0"});
  ASSERT_TRUE(waiting.Flush());
  cluster.node(slow).Resume();
  EXPECT_EQ(waiting.Receive().integer, 2);
}

}  // namespace
}  // namespace metastore::cluster_test
