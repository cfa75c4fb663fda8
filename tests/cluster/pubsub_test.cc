// Messages and invalidations on a cluster: what is acknowledged reaches the clients of every node.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

constexpr int kNodes = 3;
constexpr int kMessagesBehindTheKill = 200;

class Publisher {
 public:
  Publisher(int node, int port) : node_(node), port_(port), thread_([this] { Run(); }) {}
  ~Publisher() { Stop(); }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int acknowledged() const { return acknowledged_; }
  // The last message had no answer: it was published, or it was not.
  bool lost() const { return lost_; }
  const std::string& fault() const { return fault_; }

 private:
  void Run() {
    Client client(port_);
    while (!stop_) {
      Reply reply = client.Run(
          {"PUBLISH", "news", std::to_string(node_) + " " + std::to_string(acknowledged_ + 1)});
      if (reply.lost()) {
        lost_ = true;
        return;
      }
      // Its own node's subscriber, and that one's pattern.
      if (reply.kind != Reply::Kind::kInteger || reply.integer != 2) {
        fault_ = reply.ToString();
        return;
      }
      ++acknowledged_;
    }
  }

  const int node_;
  const int port_;
  std::atomic<bool> stop_{false};
  std::atomic<int> acknowledged_{0};
  std::atomic<bool> lost_{false};
  std::string fault_;
  std::thread thread_;
};

TEST(PubSubTest, AcknowledgedMessagesReachEverySubscriberOnceAndInOrderThroughTheDeathOfTheLeader) {
  Cluster cluster(kNodes);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  std::vector<std::unique_ptr<Client>> subscribers;
  for (int n = 0; n < kNodes; ++n) {
    subscribers.push_back(std::make_unique<Client>(cluster.node(n).redis_port()));
    ASSERT_FALSE(subscribers.back()->Run({"SUBSCRIBE", "news"}).failed());
    ASSERT_FALSE(subscribers.back()->Run({"PSUBSCRIBE", "n*s"}).failed());
  }
  std::vector<std::unique_ptr<Publisher>> publishers;
  for (int n = 0; n < kNodes; ++n) {
    publishers.push_back(std::make_unique<Publisher>(n, cluster.node(n).redis_port()));
  }
  const auto all_reach = [&](int more, int except) {
    std::vector<int> goals;
    for (const auto& publisher : publishers) goals.push_back(publisher->acknowledged() + more);
    return WaitFor([&] {
      for (int n = 0; n < kNodes; ++n) {
        const auto at = static_cast<size_t>(n);
        if (n != except && publishers[at]->acknowledged() < goals[at]) return false;
      }
      return true;
    });
  };
  ASSERT_TRUE(all_reach(kMessagesBehindTheKill, -1));
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  cluster.node(leader).Kill();
  ASSERT_TRUE(all_reach(kMessagesBehindTheKill, leader));
  for (auto& publisher : publishers) publisher->Stop();
  const int other = cluster.Other(leader);
  ASSERT_FALSE(Client(cluster.node(other).redis_port()).Run({"PUBLISH", "news", "end"}).failed());

  std::vector<std::vector<std::string>> received(kNodes);
  for (int n = 0; n < kNodes; ++n) {
    if (n == leader) continue;
    const auto at = static_cast<size_t>(n);
    for (;;) {
      Reply message = subscribers[at]->Receive();
      Reply by_pattern = subscribers[at]->Receive();
      ASSERT_EQ(message.elements.size(), 3u) << message.ToString();
      ASSERT_EQ(by_pattern.elements.size(), 4u) << by_pattern.ToString();
      ASSERT_EQ(by_pattern.elements[3].text, message.elements[2].text);
      if (message.elements[2].text == "end") break;
      received[at].push_back(message.elements[2].text);
    }
    // Of each publisher all that was acknowledged, in its order, and nothing twice.
    std::map<int, int> last;
    for (const std::string& text : received[at]) {
      const int publisher = std::stoi(text);
      EXPECT_EQ(text, std::to_string(publisher) + " " + std::to_string(++last[publisher]));
    }
    for (int p = 0; p < kNodes; ++p) {
      const Publisher& publisher = *publishers[static_cast<size_t>(p)];
      EXPECT_EQ(publisher.fault(), "");
      EXPECT_EQ(publisher.lost(), p == leader);
      EXPECT_GE(last[p], publisher.acknowledged());
      EXPECT_LE(last[p], publisher.acknowledged() + (publisher.lost() ? 1 : 0));
    }
  }
  EXPECT_EQ(received[static_cast<size_t>(other)],
            received[static_cast<size_t>(kNodes - leader - other)])
      << "another order on another node";
}

TEST(PubSubTest, ClientsAreToldOfChangesThatOtherNodesTookAlsoAfterTheDeathOfTheLeader) {
  Cluster cluster(kNodes);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  const int reading = cluster.Other(leader);
  Client told(cluster.node(reading).redis_port());
  Client reader(cluster.node(reading).redis_port());
  const std::string id = std::to_string(told.Run({"CLIENT", "ID"}).integer);
  ASSERT_FALSE(told.Run({"SUBSCRIBE", "__redis__:invalidate"}).failed());
  ASSERT_TRUE(reader.Run({"CLIENT", "TRACKING", "ON", "REDIRECT", id}).ok());
  const auto expect_told = [&](const std::string& key) {
    Reply message = told.Receive();
    ASSERT_EQ(message.elements.size(), 3u) << message.ToString();
    ASSERT_EQ(message.elements[2].elements.size(), 1u) << message.ToString();
    EXPECT_EQ(message.elements[2].elements[0].text, key);
  };
  for (bool killed : {false, true}) {
    const int through = killed ? kNodes - leader - reading : leader;
    if (killed) cluster.node(leader).Kill();
    Client writer(cluster.node(through).redis_port());
    for (int i = 0; i < 100; ++i) {
      const std::string key = "k" + std::to_string(i % 7), value = std::to_string(i);
      ASSERT_FALSE(reader.Run({"GET", key}).failed());
      Reply written = writer.Run({"SET", key, value});
      ASSERT_TRUE(written.ok()) << written.ToString();
      expect_told(key);
      EXPECT_EQ(reader.Run({"GET", key}).text, value);
      ASSERT_TRUE(writer.Run({"SET", key, "later"}).ok());
      expect_told(key);
    }
    ASSERT_FALSE(reader.Run({"SET", "brief", "v", "PX", "500"}).failed());
    ASSERT_FALSE(reader.Run({"GET", "brief"}).failed());
    expect_told("brief");
  }
}

}  // namespace
}  // namespace metastore::cluster_test
