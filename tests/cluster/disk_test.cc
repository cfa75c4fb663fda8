// Disks that fail, fill up or are damaged.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

// A sync that failed has dropped the pages: going on, or trying again, would acknowledge what is
// not there.
TEST(DiskTest, AFailedSyncEndsTheNodeAndLosesNothingAcknowledged) {
  if (kSanitized || RunCommand({"strace", "--version"}).exit_code != 0) GTEST_SKIP() << "no strace";
  Cluster cluster(1);
  Node& node = cluster.node(0);
  // Each thread's 100th sync and all later ones fail.
  node.prefix = {"strace", "-D",
                 "-f",     "-qq",
                 "-e",     "trace=fdatasync,fsync",
                 "-e",     "inject=fdatasync,fsync:error=EIO:when=100+",
                 "-o",     cluster.directory() + "/syncs"};
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  int acknowledged = 0;
  Reply reply;
  {
    Client client(node.redis_port());
    for (int i = 0; i < 1000; ++i) {
      reply = client.Run({"SET", "k" + std::to_string(i), "v" + std::to_string(i)});
      if (!reply.ok()) break;
      ++acknowledged;
    }
  }
  EXPECT_TRUE(reply.lost()) << reply.ToString();
  EXPECT_GT(acknowledged, 0);
  EXPECT_LT(acknowledged, 1000);
  ASSERT_TRUE(node.process().WaitExit());
  EXPECT_NE(node.process().exit_code(), 0);
  EXPECT_NE(node.LogText().find("nput/output error"), std::string::npos) << node.LogText();

  node.prefix.clear();
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Client client(node.redis_port());
  for (int i = 0; i < acknowledged; ++i) {
    ASSERT_EQ(client.Run({"GET", "k" + std::to_string(i)}).text, "v" + std::to_string(i));
  }
}

TEST(DiskTest, BelowTheDiskReserveWritesAreRefusedAndReadsAndDeletesGoOn) {
  Cluster cluster(1);
  Node& node = cluster.node(0);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_TRUE(Client(node.redis_port()).Run({"MSET", "a", "1", "b", "2"}).ok());
  ASSERT_EQ(node.Terminate(), 0);
  // More than any disk has.
  node.extra_flags = {"--disk-reserve", "1000000gb"};
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  {
    Client client(node.redis_port());
    EXPECT_TRUE(WaitFor([&] {
      return client.Run({"SET", "c", "3"}).error();
    })) << "writes are not refused";
    Reply reply = client.Run({"SET", "c", "3"});
    EXPECT_NE(reply.text.find("disk"), std::string::npos) << reply.ToString();
    EXPECT_EQ(client.Run({"GET", "a"}).text, "1");
    EXPECT_EQ(client.Run({"DEL", "a"}).integer, 1);
    EXPECT_TRUE(client.Run({"GET", "a"}).null());
    EXPECT_EQ(Http(node.http_port(), "GET", "/b").body, "2");
    EXPECT_EQ(Http(node.http_port(), "PUT", "/c", "3").status, 507);
  }
  ASSERT_EQ(node.Terminate(), 0);
  node.extra_flags.clear();
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "c", "3"}).ok());
}

TEST(DiskTest, ADamagedRecordInTheMiddleOfTheLogStopsTheStart) {
  Cluster cluster(1);
  Node& node = cluster.node(0);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  {
    Client client(node.redis_port());
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(client.Run({"SET", "k" + std::to_string(i), std::string(1000, 'v')}).ok());
    }
  }
  node.Kill();
  std::string log;
  for (const auto& entry : std::filesystem::directory_iterator(node.data_dir() + "/raft")) {
    if (entry.path().extension() == ".log" &&
        (log.empty() || entry.file_size() > std::filesystem::file_size(log))) {
      log = entry.path().string();
    }
  }
  ASSERT_FALSE(log.empty());
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(log) / 2);
  ASSERT_GT(middle, 100'000);
  {
    std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(middle);
    int byte = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(byte ^ 1));
  }
  cluster.Start(0);
  ASSERT_TRUE(node.process().WaitExit()) << "it runs on a damaged log";
  EXPECT_EQ(node.process().exit_code(), 1);
  EXPECT_NE(node.LogText().find(log), std::string::npos) << node.LogText();
  EXPECT_NE(node.LogText().find("is damaged at byte"), std::string::npos) << node.LogText();
}

}  // namespace
}  // namespace metastore::cluster_test
