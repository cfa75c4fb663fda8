// A replica whose state is not what the log made of it.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/engine.h"
#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"
#include "types/keyspace.h"

namespace metastore::cluster_test {
namespace {

// Changes what a stopped node believes a counter to be.
void Tamper(const std::string& data_dir, std::string_view key, std::string_view value) {
  Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Open({.directory = data_dir});
  ASSERT_TRUE(engine.ok()) << engine.ToString();
  engine::Txn& txn = (*engine)->txn();
  const std::string meta_key = types::MetaKey(0, key);
  std::string bytes;
  ASSERT_TRUE(txn.Get(engine::Family::kMeta, meta_key, &bytes));
  txn.Put(engine::Family::kMeta, meta_key,
          types::Record::Encode(types::Record(bytes).header(), value));
  (*engine)->Commit();
  ASSERT_TRUE((*engine)->Flush().ok());
}

TEST(DivergenceTest, AReplicaThatComputesSomethingElseIsFoundAndStops) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  Client client(cluster.node(leader).redis_port());
  ASSERT_TRUE(client.Run({"SET", "counter", "5"}).ok());
  Node& wrong = cluster.node(cluster.Other(leader));
  // Read there, so that it is applied there before it is flushed by the end of the process.
  ASSERT_EQ(Client(wrong.redis_port()).Run({"GET", "counter"}).ToString(), "\"5\"");
  ASSERT_EQ(wrong.Terminate(), 0);
  ASSERT_NO_FATAL_FAILURE(Tamper(wrong.data_dir(), "counter", "7"));
  cluster.Start(cluster.Other(leader));
  ASSERT_TRUE(cluster.WaitReady());

  // Nothing tells them apart until a command reads the counter in the log.
  ASSERT_EQ(client.Run({"INCR", "counter"}).ToString(), "6");
  ASSERT_TRUE(WaitFor([&] {
    for (int i = 0; i < 20; ++i) client.Run({"SET", "k" + std::to_string(i), "v"});
    return !wrong.Running();
  })) << wrong.LogText();
  EXPECT_NE(wrong.LogText().find("differs from that of a majority"), std::string::npos)
      << wrong.LogText();
  // The others go on, and know.
  EXPECT_EQ(client.Run({"GET", "counter"}).ToString(), "\"6\"");
  EXPECT_TRUE(WaitFor([&] { return cluster.node(leader).Metric("raft_state_differs") == 1; }));
  EXPECT_TRUE(cluster.node(leader).Running());

  // It is as wrong after a restart.
  cluster.Start(cluster.Other(leader));
  ASSERT_TRUE(WaitFor([&] {
    for (int i = 0; i < 20; ++i) client.Run({"SET", "k" + std::to_string(i), "v"});
    return !wrong.Running();
  })) << wrong.LogText();
}

}  // namespace
}  // namespace metastore::cluster_test
