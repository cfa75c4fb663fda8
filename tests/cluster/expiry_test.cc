// Keys go away by themselves when their time comes, on every node.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

TEST(ExpiryTest, KeysVanishFromAllNodesSoonAfterTheirDeadlineWithoutBeingTouched) {
  constexpr int kKeys = 1000, kTtlMs = 1500;
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Client client(cluster.node(0).redis_port());
  for (int i = 0; i < kKeys; ++i) {
    client.Append({"SET", "k" + std::to_string(i), "v", "PX", std::to_string(kTtlMs)});
  }
  for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(client.Receive().ok());
  // The deadline of the last is not later than this.
  const int64_t deadline = NowMs() + kTtlMs;
  ASSERT_TRUE(client.Run({"SET", "stays", "v"}).ok());
  Client second(cluster.node(1).redis_port()), third(cluster.node(2).redis_port());
  ASSERT_TRUE(WaitFor([&] {
    return client.Run({"DBSIZE"}).integer == 1 && second.Run({"DBSIZE"}).integer == 1 &&
           third.Run({"DBSIZE"}).integer == 1;
  }));
  const int64_t late_ms = NowMs() - deadline;
  std::printf("%d keys gone from all nodes %lld ms after their deadline\n", kKeys,
              static_cast<long long>(late_ms));
  RecordProperty("late_ms", std::to_string(late_ms));
  EXPECT_LT(late_ms, EnvNumber("EXPIRY_LIMIT_MS", kSanitized ? 5000 : 1000));
  EXPECT_EQ(second.Run({"GET", "stays"}).text, "v");
}

TEST(ExpiryTest, AKeyIsNeverReadAfterItsDeadlineAndNotGoneBeforeIt) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  std::vector<std::unique_ptr<Client>> clients;
  for (int n = 0; n < 3; ++n)
    clients.push_back(std::make_unique<Client>(cluster.node(n).redis_port()));
  for (int round = 0; round < 5; ++round) {
    const int64_t before = NowMs();
    ASSERT_TRUE(clients[0]->Run({"SET", "k", "v", "PX", "300"}).ok());
    const int64_t after = NowMs();
    bool gone[3] = {};
    while (!gone[0] || !gone[1] || !gone[2]) {
      for (int n = 0; n < 3; ++n) {
        const int64_t asked = NowMs();
        Reply reply = clients[static_cast<size_t>(n)]->Run({"GET", "k"});
        ASSERT_FALSE(reply.failed()) << reply.ToString();
        const int64_t answered = NowMs();
        // One millisecond for the rounding of either clock.
        if (reply.null()) {
          EXPECT_GE(answered, before + 300 - 1) << "node " << n + 1;
        } else {
          EXPECT_LE(asked, after + 300 + 1) << "node " << n + 1;
          EXPECT_FALSE(gone[n]) << "it came back on node " << n + 1;
        }
        gone[n] = gone[n] || reply.null();
      }
      ASSERT_LT(NowMs() - before, kLiveness.count());
    }
  }
}

// More of them than one log entry deletes.
TEST(ExpiryTest, FieldsOfAHashVanishFromAllNodesAndTheKeyWithTheLast) {
  constexpr int kFields = 5000, kTtlMs = 1000;
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Client client(cluster.node(0).redis_port());
  std::vector<std::string> set = {"HSET", "h"};
  std::vector<std::string> expire = {"HPEXPIRE", "h", std::to_string(kTtlMs), "FIELDS",
                                     std::to_string(kFields)};
  for (int i = 0; i < kFields; ++i) {
    set.insert(set.end(), {"f" + std::to_string(i), "v"});
    expire.push_back("f" + std::to_string(i));
  }
  EXPECT_EQ(client.Run(set).integer, kFields);
  ASSERT_FALSE(client.Run(expire).failed());
  const int64_t deadline = NowMs() + kTtlMs;
  EXPECT_EQ(client.Run({"HSET", "h", "stays", "v"}).integer, 1);
  for (int n = 0; n < 3; ++n) {
    Client other(cluster.node(n).redis_port());
    EXPECT_TRUE(WaitFor([&] { return other.Run({"HLEN", "h"}).integer == 1; }));
    EXPECT_EQ(other.Run({"HGET", "h", "stays"}).text, "v");
  }
  std::printf("%d fields gone from all nodes %lld ms after their deadline\n", kFields,
              static_cast<long long>(NowMs() - deadline));
  ASSERT_FALSE(client.Run({"HPEXPIRE", "h", "50", "FIELDS", "1", "stays"}).failed());
  for (int n = 0; n < 3; ++n) {
    Client other(cluster.node(n).redis_port());
    EXPECT_TRUE(WaitFor([&] { return other.Run({"DBSIZE"}).integer == 0; }));
  }
}

TEST(ExpiryTest, DeadlinesPassWhileAllNodesAreDown) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  {
    Client client(cluster.node(0).redis_port());
    ASSERT_TRUE(client.Run({"SET", "short", "v", "PX", "200"}).ok());
    ASSERT_TRUE(client.Run({"SET", "long", "v", "EX", "1000"}).ok());
  }
  const int64_t set = NowMs();
  cluster.KillAll();
  ASSERT_TRUE(WaitFor([set] { return NowMs() > set + 200; }));
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  for (int n = 0; n < 3; ++n) {
    Client client(cluster.node(n).redis_port());
    EXPECT_TRUE(client.Run({"GET", "short"}).null());
    int64_t ttl = client.Run({"TTL", "long"}).integer;
    EXPECT_GT(ttl, 900);
    EXPECT_LE(ttl, 1000);
    EXPECT_TRUE(WaitFor([&] { return client.Run({"DBSIZE"}).integer == 1; }));
  }
}

}  // namespace
}  // namespace metastore::cluster_test
