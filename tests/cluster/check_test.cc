// `metaStore check` as an operator runs it.
#include <gtest/gtest.h>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

RunResult Check(const std::string& directory) {
  return RunCommand({BinaryUnderTest(), "check", "--data-dir", directory});
}

TEST(CheckTest, WhatAClusterLeavesIsCleanHoweverItEnds) {
  // A small log, so that it is cut and the state machine is flushed.
  Cluster cluster(3, {"--log-retain", "64kb", "--log-flush", "1mb"});
  for (bool kill : {true, false, true}) {
    cluster.StartAll();
    ASSERT_TRUE(cluster.WaitReady());
    Client client(cluster.node(0).redis_port());
    constexpr int kCommands = 3000;
    for (int i = 0; i < kCommands; ++i) {
      const std::string key = "k" + std::to_string(i % 1000);
      switch (i % 5) {
        case 0:
          client.Append({"DEL", key});
          break;
        case 1:
          client.Append({"SET", key, std::string(3000, 'v'), "PX", std::to_string(50 + i)});
          break;
        case 2:
          client.Append({"APPEND", key, "more"});
          break;
        default:
          client.Append({"SET", key, std::to_string(i)});
      }
    }
    for (int i = 0; i < kCommands; ++i) ASSERT_FALSE(client.Receive().failed());
    ASSERT_TRUE(client.Run({"SWAPDB", "0", "1"}).ok());
    ASSERT_TRUE(client.Run({"FLUSHDB"}).ok());

    RunResult result = Check(cluster.node(0).data_dir());
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_NE(result.output.find("in use by another process"), std::string::npos) << result.output;
    if (kill) {
      cluster.KillAll();
    } else {
      for (int n = 0; n < 3; ++n) EXPECT_EQ(cluster.node(n).Terminate(), 0);
    }
    for (int n = 0; n < 3; ++n) {
      result = Check(cluster.node(n).data_dir());
      EXPECT_EQ(result.exit_code, 0) << result.output;
      EXPECT_EQ(CountLines(result.output), 1) << result.output;
    }
  }
}

TEST(CheckTest, WrongUseEndsWithCode2AndOneLine) {
  Cluster cluster(1);
  const std::string binary = BinaryUnderTest();
  for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
           {binary, "check"},
           {binary, "check", "--data-dir"},
           {binary, "check", "--port", "1"},
           {binary, "check", "--data-dir", "d", "--findings", "many"},
           {binary, "check", "--data-dir", cluster.directory() + "/none"},
           {binary, "check", "--data-dir", cluster.directory()}}) {
    RunResult result = RunCommand(argv);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_EQ(CountLines(result.output), 1) << result.output;
  }
}

}  // namespace
}  // namespace metastore::cluster_test
