// Disks that fail, fill up or are damaged.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

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

// A small disk of its own for a node's data, in a mount namespace that ends with the node.
class SmallDisk {
 public:
  explicit SmallDisk(Node* node) : node_(node) {
    std::filesystem::create_directories(node->data_dir());
    node->prefix = {"unshare",
                    "-rm",
                    "sh",
                    "-c",
                    "mount -t tmpfs -o size=1g none " + node->data_dir() + " && exec \"$@\"",
                    "sh"};
  }
  static bool Supported() {
    return RunCommand({"unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"}).exit_code == 0;
  }
  // Makes a file so large that this much stays free.
  void LeaveFree(uint64_t megabytes) {
    struct statvfs fs;
    ASSERT_EQ(statvfs(Path().c_str(), &fs), 0);
    const uint64_t free = uint64_t{fs.f_bavail} * fs.f_frsize;
    ASSERT_GT(free, megabytes << 20);
    int fd =
        open((Path() + "/ballast" + std::to_string(++files_)).c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(posix_fallocate(fd, 0, static_cast<off_t>(free - (megabytes << 20))), 0);
    close(fd);
  }
  void MakeRoom() {
    for (; files_ > 0; --files_) unlink((Path() + "/ballast" + std::to_string(files_)).c_str());
  }

 private:
  std::string Path() const {
    return "/proc/" + std::to_string(node_->pid()) + "/root" + node_->data_dir();
  }
  Node* const node_;
  int files_ = 0;
};

TEST(DiskTest, ANodeWithAFullDiskHandsOverWaitsAndCatchesUpWhileTheOthersGoOn) {
  if (!SmallDisk::Supported()) GTEST_SKIP() << "no mount namespaces";
  Cluster cluster(3);
  Node& node = cluster.node(0);
  SmallDisk disk(&node);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_TRUE(WaitFor([&] {
    if (cluster.WaitLeader() == 0) return true;
    (void)Client(node.redis_port()).Run({"RAFT", "TRANSFER", "1"});
    return false;
  })) << "node 1 does not come to lead";
  Client full(node.redis_port());
  Client other(cluster.node(1).redis_port());
  ASSERT_TRUE(full.Run({"MSET", "a", "1", "b", "2"}).ok());

  // Below the reserve: it refuses, serves what does not grow, and another leads.
  disk.LeaveFree(190);
  EXPECT_TRUE(WaitFor([&] { return full.Run({"SET", "c", "3"}).error(); }));
  Reply refused = full.Run({"SET", "c", "3"});
  EXPECT_NE(refused.text.find("disk"), std::string::npos) << refused.ToString();
  EXPECT_TRUE(WaitFor([&] { return cluster.WaitLeader() > 0; }));
  EXPECT_EQ(full.Run({"GET", "a"}).text, "1");
  EXPECT_EQ(full.Run({"DEL", "a"}).integer, 1);
  EXPECT_TRUE(other.Run({"SET", "c", "4"}).ok());
  EXPECT_EQ(full.Run({"GET", "c"}).text, "4");

  // Full: its log waits, the others go on.
  disk.LeaveFree(60);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(other.Run({"SET", "k" + std::to_string(i), std::string(100'000, 'v')}).ok()) << i;
  }
  EXPECT_TRUE(WaitFor([&] { return node.LogText().find("the log waits") != std::string::npos; }));
  EXPECT_TRUE(node.Running());
  EXPECT_NE(cluster.WaitLeader(), 0);

  disk.MakeRoom();
  EXPECT_TRUE(WaitFor([&] { return full.Run({"SET", "d", "5"}).ok(); })) << "it does not heal";
  EXPECT_EQ(full.Run({"GET", "k199"}).text.size(), 100'000u);
  EXPECT_TRUE(node.Running());
}

TEST(DiskTest, WhereAMajorityOfDisksIsNearlyFullEveryNodeRefusesWritesThatGrow) {
  Cluster cluster(3);
  // More than any disk has.
  for (int n = 0; n < 2; ++n) cluster.node(n).extra_flags = {"--disk-reserve", "1000000gb"};
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Client client(cluster.node(2).redis_port());
  EXPECT_TRUE(WaitFor([&] { return client.Run({"SET", "a", "1"}).error(); }));
  EXPECT_TRUE(WaitFor([&] { return cluster.WaitLeader() == 2; })) << "who has room does not lead";
  EXPECT_EQ(client.Run({"DEL", "no-such-key"}).integer, 0);
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
