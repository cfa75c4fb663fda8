// Clients on all nodes, few keys, leaders killed: each key's history must be linearizable. First
// the checker itself has to show that it bites.
#include "tests/cluster/linearizability.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "base/random.h"
#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

using Kind = Operation::Kind;

Operation Get(int64_t call, int64_t end, std::optional<std::string> result) {
  return {Kind::kGet, "", call, end, std::move(result)};
}
Operation Set(int64_t call, int64_t end, std::string value) {
  return {Kind::kSet, std::move(value), call, end, {}};
}
Operation GetSet(int64_t call, int64_t end, std::string value, std::optional<std::string> result) {
  return {Kind::kGetSet, std::move(value), call, end, std::move(result)};
}
Operation Incr(int64_t call, int64_t end, std::string result) {
  return {Kind::kIncr, "", call, end, std::move(result)};
}
constexpr int64_t kUnknown = Operation::kUnknown;

TEST(CheckerTest, AcceptsWhatIsLinearizable) {
  const std::vector<std::vector<Operation>> good = {
      {},
      {Get(1, 2, {})},
      {Set(1, 2, "a"), Get(3, 4, "a")},
      // Overlapping writes: either order.
      {Set(1, 10, "a"), Set(1, 10, "b"), Get(11, 12, "a")},
      {Set(1, 10, "a"), Set(1, 10, "b"), Get(11, 12, "b")},
      // A read that overlaps the write sees it or not.
      {Set(1, 10, "a"), Get(2, 3, "a"), Get(4, 5, "a")},
      {Set(1, 10, "a"), Get(2, 3, {}), Get(4, 5, "a")},
      // An unknown outcome: never applied, or late.
      {Set(1, 2, "a"), Set(3, kUnknown, "b"), Get(5, 6, "a"), Get(7, 8, "a")},
      {Set(1, 2, "a"), Set(3, kUnknown, "b"), Get(5, 6, "a"), Get(7, 8, "b")},
      {Incr(1, 2, "1"), Incr(3, kUnknown, ""), Incr(4, 5, "3"), Get(6, 7, "3")},
      {GetSet(1, 10, "a", "b"), GetSet(1, 10, "b", {}), Get(11, 12, "a")},
  };
  for (size_t i = 0; i < good.size(); ++i) {
    EXPECT_EQ(CheckHistory(good[i]), Verdict::kLinearizable) << "history " << i;
  }
}

TEST(CheckerTest, RefusesWhatIsNot) {
  const std::vector<std::vector<Operation>> bad = {
      // A value that nobody wrote.
      {Get(1, 2, "a")},
      // A stale read.
      {Set(1, 2, "a"), Set(3, 4, "b"), Get(5, 6, "a")},
      // A lost write.
      {Set(1, 2, "a"), Get(3, 4, {})},
      // Reads that go back: the second began after the first ended.
      {Set(1, 2, "a"), Set(3, 20, "b"), Get(5, 6, "b"), Get(7, 8, "a")},
      // An unknown write that is seen and unseen.
      {Set(1, 2, "a"), Set(3, kUnknown, "b"), Get(5, 6, "b"), Get(7, 8, "a")},
      // Applied twice: two INCRs made three.
      {Incr(1, 2, "1"), Incr(3, 4, "3")},
      {Incr(1, 2, "1"), Incr(3, kUnknown, ""), Get(4, 5, "2"), Get(6, 7, "3")},
      // Two INCRs with one result.
      {Incr(1, 10, "1"), Incr(1, 10, "1")},
      // Both took the value out.
      {Set(1, 2, "a"), GetSet(3, 10, "b", "a"), GetSet(3, 10, "c", "a")},
      // In the order of time "b" is the last.
      {GetSet(1, 2, "a", {}), GetSet(3, 4, "b", "a"), Get(5, 6, "a")},
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    EXPECT_EQ(CheckHistory(bad[i]), Verdict::kNotLinearizable) << "history " << i;
  }
}

TEST(CheckerTest, FindsOneStaleReadInALongConcurrentHistory) {
  // Six clients on a correct register, simulated: each operation takes effect at a moment within.
  Random random(3);
  std::vector<Operation> history;
  std::optional<std::string> value, older;
  for (int64_t at = 0; at < 3000; ++at) {
    int64_t call = 100 * at - static_cast<int64_t>(random.Uniform(250));
    int64_t end = 100 * at + 1 + static_cast<int64_t>(random.Uniform(250));
    if (random.Uniform(2) == 0) {
      value = std::to_string(at);
      // Nothing that overlaps it overlaps the end.
      if (at < 2900) older = value;
      history.push_back(Set(call, end, *value));
    } else {
      history.push_back(Get(call, end, value));
    }
  }
  EXPECT_EQ(CheckHistory(history), Verdict::kLinearizable);
  history.push_back(Get(301'000, 301'001, older));
  EXPECT_EQ(CheckHistory(history), Verdict::kNotLinearizable);
  EXPECT_NE(DescribeHistory(history).find("301001"), std::string::npos);
}

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Recorder {
  std::mutex mutex;
  std::map<std::string, std::vector<Operation>> histories;
  std::string faults;
};

// One client of one node; every connection that its node's death cuts leaves an unknown outcome.
void RandomClient(int number, uint64_t seed, int port, const std::atomic<int>& deaths,
                  const std::atomic<bool>& stop, std::atomic<int64_t>* done, Recorder* recorder) {
  Random random(seed);
  std::optional<Client> client;
  int deaths_before = 0;
  int64_t written = 0;
  while (!stop) {
    if (!client.has_value()) {
      deaths_before = deaths;
      if (deaths_before % 2 == 0) client.emplace(port);
      if (!client.has_value() || !client->connected()) {
        client.reset();
        std::this_thread::sleep_for(kPollInterval);
        continue;
      }
    }
    const std::string key = std::to_string(random.Uniform(4));
    Operation operation;
    std::vector<std::string> command;
    if (key >= "2") {  // counters
      operation.kind = random.Uniform(2) == 0 ? Kind::kIncr : Kind::kGet;
    } else {
      constexpr Kind kKinds[] = {Kind::kGet, Kind::kGet, Kind::kSet, Kind::kGetSet};
      operation.kind = kKinds[random.Uniform(4)];
    }
    operation.argument = std::to_string(number) + "." + std::to_string(written++);
    switch (operation.kind) {
      case Kind::kGet:
        command = {"GET", key};
        break;
      case Kind::kSet:
        command = {"SET", key, operation.argument};
        break;
      case Kind::kGetSet:
        command = {"GETSET", key, operation.argument};
        break;
      case Kind::kIncr:
        command = {"INCR", key};
        break;
    }
    operation.call_ns = NowNs();
    Reply reply = client->Run(command);
    const int64_t end = NowNs();
    std::lock_guard<std::mutex> lock(recorder->mutex);
    if (reply.failed()) {
      if (reply.error() || deaths == deaths_before) {
        recorder->faults += command[0] + ": " + reply.ToString() + "\n";
      }
      client.reset();
    } else {
      operation.return_ns = end;
      if (reply.kind == Reply::Kind::kInteger) operation.result = std::to_string(reply.integer);
      if (reply.kind == Reply::Kind::kString) operation.result = reply.text;
      ++*done;
    }
    // A read whose answer nobody got says nothing.
    if (operation.return_ns != kUnknown || operation.kind != Kind::kGet) {
      recorder->histories[key].push_back(std::move(operation));
    }
  }
}

TEST(LinearizabilityTest, HistoriesOfClientsOnAllNodesAreLinearizableWhileLeadersDie) {
  const uint64_t seed = EnvNumber("SEED", 0) != 0 ? static_cast<uint64_t>(EnvNumber("SEED", 0))
                                                  : std::random_device{}();
  std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
  const int rounds = EnvNumber("LINEARIZABILITY_ROUNDS", 5);
  Cluster cluster(3);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  Recorder recorder;
  std::atomic<int> deaths[3] = {};
  std::atomic<int64_t> done[6] = {};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      RandomClient(i, seed + static_cast<uint64_t>(i), cluster.node(i % 3).redis_port(),
                   deaths[i % 3], stop, &done[i], &recorder);
    });
  }
  auto wait_for_each = [&](int64_t more, int except) {
    int64_t goals[6];
    for (int i = 0; i < 6; ++i) goals[i] = done[i] + more;
    return WaitFor([&] {
      for (int i = 0; i < 6; ++i) {
        if (i % 3 != except && done[i] < goals[i]) return false;
      }
      return true;
    });
  };
  bool live = true;
  for (int round = 0; round < rounds && live; ++round) {
    live = wait_for_each(50, -1);
    int leader = cluster.WaitLeader();
    live = live && leader >= 0;
    if (!live) break;
    if (round % 2 == 0) {
      ++deaths[leader];
      cluster.node(leader).Kill();
      live = wait_for_each(20, leader);
      cluster.Start(leader);
      ++deaths[leader];
    } else {
      cluster.node(leader).Pause();
      live = wait_for_each(20, leader);
      cluster.node(leader).Resume();
    }
  }
  live = live && wait_for_each(50, -1);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(live);
  EXPECT_EQ(recorder.faults, "");
  for (const auto& [key, history] : recorder.histories) {
    std::printf("key %s: %zu operations\n", key.c_str(), history.size());
    Verdict verdict = CheckHistory(history);
    EXPECT_NE(verdict, Verdict::kUndecided);
    EXPECT_NE(verdict, Verdict::kNotLinearizable) << "key " << key << "\n"
                                                  << DescribeHistory(history);
  }
}

}  // namespace
}  // namespace metastore::cluster_test
