// What an operator gets wrong: each mistake ends the process at once, with one sentence that says
// which.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

// Starts a node that is expected to end by itself; what it printed and logged.
RunResult RunNode(const Node& node, const std::string& cluster,
                  const std::vector<std::string>& more = {}) {
  std::vector<std::string> argv = node.CommandLine(cluster);
  argv.insert(argv.end(), more.begin(), more.end());
  return RunCommand(std::move(argv));
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(StartupTest, ABadFlagEndsWithCode2AndOneLine) {
  Cluster cluster(1);
  const std::vector<std::vector<std::string>> mistakes = {
      {"--no-such-flag", "1"},
      {"--port", "notanumber"},
      {"--port", "70000"},
      {"--port"},
      {"--request-timeout", "1"},
      {"--cluster", "127.0.0.1:1"},
      {"--id", "0"},
      {"--id", "2"},
      {"--log-retain", "many"},
      {"stray"},
      {"--config", "/no/such/file"},
      {"--log-level", "loud"},
  };
  for (const std::vector<std::string>& mistake : mistakes) {
    std::vector<std::string> argv = {BinaryUnderTest(), "--data-dir",
                                     cluster.directory() + "/data"};
    argv.insert(argv.end(), mistake.begin(), mistake.end());
    RunResult result = RunCommand(argv);
    EXPECT_EQ(result.exit_code, 2) << mistake[0] << ": " << result.output;
    EXPECT_EQ(CountLines(result.output), 1) << mistake[0] << ": " << result.output;
  }
}

TEST(StartupTest, HelpAndVersionArePrintedWithoutStarting) {
  RunResult help = RunCommand({BinaryUnderTest(), "--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* flag : {"--id", "--cluster", "--port", "--redis-port", "--data-dir"}) {
    EXPECT_TRUE(Contains(help.output, flag)) << flag;
  }
  RunResult version = RunCommand({BinaryUnderTest(), "--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(CountLines(version.output), 1);
}

TEST(StartupTest, ASecondProcessOnTheSameDataDirectoryIsRefused) {
  Cluster cluster(1), other(1);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  // Everything of its own but the directory.
  std::vector<std::string> argv = other.node(0).CommandLine(cluster.urls());
  argv.insert(argv.end(), {});
  for (std::string& word : argv) {
    if (word == other.node(0).data_dir()) word = cluster.node(0).data_dir();
  }
  RunResult second = RunCommand(argv);
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_TRUE(Contains(second.output, "in use by another process")) << second.output;
  EXPECT_TRUE(Contains(second.output, cluster.node(0).data_dir())) << second.output;
  EXPECT_TRUE(Client(cluster.node(0).redis_port()).Run({"SET", "k", "v"}).ok());
}

TEST(StartupTest, AnotherClusterListOrIdThanTheDirectorysIsRefused) {
  Cluster cluster(3), other(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_EQ(cluster.node(0).Terminate(), 0);
  RunResult list = RunNode(cluster.node(0), other.urls());
  EXPECT_EQ(list.exit_code, 1);
  EXPECT_TRUE(Contains(list.output, "belongs to cluster")) << list.output;

  std::vector<std::string> argv = cluster.node(0).CommandLine(cluster.urls());
  for (size_t i = 0; i + 1 < argv.size(); ++i) {
    if (argv[i] == "--id") argv[i + 1] = "2";
  }
  RunResult id = RunCommand(argv);
  EXPECT_EQ(id.exit_code, 1);
  EXPECT_TRUE(Contains(id.output, "belongs to node 1")) << id.output;

  // Nothing was harmed.
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
}

TEST(StartupTest, APortInUseIsNamed) {
  Cluster cluster(3);
  Cluster busy(3);
  busy.StartAll();
  ASSERT_TRUE(busy.WaitReady());
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(busy.node(0).http_port()); }));
  struct Case {
    const char* flag;
    int port;
  };
  for (const Case& c : {Case{"--redis-port", busy.node(0).redis_port()},
                        Case{"--port", busy.node(0).http_port()}}) {
    std::vector<std::string> argv = cluster.node(0).CommandLine(cluster.urls());
    for (size_t i = 0; i + 1 < argv.size(); ++i) {
      if (argv[i] == c.flag) argv[i + 1] = std::to_string(c.port);
    }
    RunResult result = RunCommand(argv);
    EXPECT_EQ(result.exit_code, 1) << c.flag << ": " << result.output;
    EXPECT_TRUE(Contains(result.output, std::to_string(c.port))) << result.output;
  }
  // The peer port: this node's place in the list is the other cluster's address.
  std::string urls = busy.node(0).peer_url() + "," + cluster.node(1).peer_url();
  RunResult peer = RunNode(cluster.node(1), urls, {"--id", "1"});
  EXPECT_NE(peer.exit_code, 0);
}

TEST(StartupTest, DamagedIdentityStopsTheStart) {
  Cluster cluster(1);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_EQ(cluster.node(0).Terminate(), 0);
  const std::string file = cluster.node(0).data_dir() + "/IDENTITY";
  ASSERT_EQ(RunCommand({"sed", "-i", "s/node 1/node 7/", file}).exit_code, 0);
  RunResult result = RunNode(cluster.node(0), cluster.urls());
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(Contains(result.output, "damaged")) << result.output;
  EXPECT_TRUE(Contains(result.output, file)) << result.output;
}

}  // namespace
}  // namespace metastore::cluster_test
