// What a user with curl does.
#include <gtest/gtest.h>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

constexpr int kPuts = 8;

std::string KeyOf(int i) { return "/key" + std::to_string(i); }
std::string ValueOf(int i) { return "value" + std::to_string(i); }

// PUTs sent to the first node of three while it is alone.
class EarlyPuts {
 public:
  explicit EarlyPuts(Cluster* cluster) {
    for (int i = 0; i < kPuts; ++i) {
      files_.push_back(cluster->directory() + "/put" + std::to_string(i));
      curls_.push_back(std::make_unique<Process>(
          CurlCommand(cluster->node(0).http_port(), "PUT", KeyOf(i), ValueOf(i)), files_.back()));
    }
  }
  bool AllWait() {
    for (std::unique_ptr<Process>& curl : curls_) {
      if (!curl->Running()) return false;
    }
    return true;
  }
  // The status that each PUT got; 0: none.
  std::vector<int> Statuses() {
    std::vector<int> statuses;
    for (size_t i = 0; i < curls_.size(); ++i) {
      bool ended = curls_[i]->WaitExit();
      statuses.push_back(ended ? ParseCurlOutput(ReadFile(files_[i])).status : 0);
    }
    return statuses;
  }

 private:
  std::vector<std::string> files_;
  std::vector<std::unique_ptr<Process>> curls_;
};

TEST(ScenarioTest, PutsToTheFirstOfThreeNodesCompleteWhenTheOthersStartInTime) {
  Cluster cluster(3, {"--request-timeout", "60000"});
  cluster.Start(0);
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(cluster.node(0).http_port()); }));
  EarlyPuts puts(&cluster);
  // The node holds them all, alone.
  ASSERT_TRUE(WaitFor([&] { return cluster.node(0).Metric("raft_pending_batches") >= 1; }));
  EXPECT_TRUE(puts.AllWait());
  cluster.Start(1);
  cluster.Start(2);
  EXPECT_EQ(puts.Statuses(), std::vector<int>(kPuts, 204));
  ASSERT_TRUE(cluster.WaitReady());
  for (int n = 0; n < 3; ++n) {
    for (int i = 0; i < kPuts; ++i) {
      HttpReply got = Curl(cluster.node(n).http_port(), "GET", KeyOf(i));
      EXPECT_EQ(got.status, 200);
      EXPECT_EQ(got.body, ValueOf(i));
    }
  }
}

TEST(ScenarioTest, PutsWithoutAMajorityAreRefusedAfterTheRequestTimeout) {
  Cluster cluster(3, {"--request-timeout", "500"});
  cluster.Start(0);
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(cluster.node(0).http_port()); }));
  EarlyPuts puts(&cluster);
  EXPECT_EQ(puts.Statuses(), std::vector<int>(kPuts, 503));
  HttpReply read = Curl(cluster.node(0).http_port(), "GET", KeyOf(0));
  EXPECT_EQ(read.status, 503) << "a node without a majority must not say whether a key exists";
  EXPECT_FALSE(read.body.empty()) << "the reason";

  cluster.Start(1);
  cluster.Start(2);
  ASSERT_TRUE(cluster.WaitReady());
  // A client was told that the outcome is not known, or that there is none: either is possible,
  // and all nodes say the same.
  for (int i = 0; i < kPuts; ++i) {
    HttpReply first = Curl(cluster.node(0).http_port(), "GET", KeyOf(i));
    EXPECT_TRUE(first.status == 404 || (first.status == 200 && first.body == ValueOf(i)))
        << first.status;
    for (int n = 1; n < 3; ++n) {
      HttpReply other = Curl(cluster.node(n).http_port(), "GET", KeyOf(i));
      EXPECT_EQ(other.status, first.status);
      EXPECT_EQ(other.body, first.body);
    }
  }
}

TEST(ScenarioTest, AWriteIsReadFromEveryNodeAtOnceAfterIts204) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  // Followers learn of a commit after the leader; a read there must wait for it.
  for (int i = 0; i < 60; ++i) {
    const std::string value = "round" + std::to_string(i);
    ASSERT_EQ(Http(cluster.node(i % 3).http_port(), "PUT", "/key", value).status, 204);
    for (int n = 0; n < 3; ++n) {
      ASSERT_EQ(Http(cluster.node(n).http_port(), "GET", "/key").body, value) << "node " << n + 1;
    }
  }
  ASSERT_EQ(Curl(cluster.node(1).http_port(), "PUT", "/key", "by curl").status, 204);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(Curl(cluster.node(n).http_port(), "GET", "/key").body, "by curl");
  }
  ASSERT_EQ(Curl(cluster.node(2).http_port(), "DELETE", "/key").status, 204);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(Curl(cluster.node(n).http_port(), "GET", "/key").status, 404);
  }
}

TEST(ScenarioTest, WhatWasAcknowledgedIsThereAfterAllNodesWereKilled) {
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kPuts; ++i) {
      ASSERT_EQ(
          Curl(cluster.node(i % 3).http_port(), "PUT", KeyOf(100 * round + i), ValueOf(i)).status,
          204);
    }
    cluster.KillAll();
    cluster.StartAll();
    ASSERT_TRUE(cluster.WaitReady());
    for (int n = 0; n < 3; ++n) {
      for (int i = 0; i < kPuts; ++i) {
        EXPECT_EQ(Curl(cluster.node(n).http_port(), "GET", KeyOf(100 * round + i)).body,
                  ValueOf(i));
      }
    }
  }
}

}  // namespace
}  // namespace metastore::cluster_test
