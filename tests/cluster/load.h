// Clients that write while nodes are killed, and the judge of what is found afterwards. Each client
// stays with one node; it writes a key of its own with each SET, and counts in one counter that all
// share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/cluster/harness.h"

namespace metastore::cluster_test {

class Load {
 public:
  Load(Cluster* cluster, int clients_per_node);
  ~Load();

  // Around the death of a node: between the two its clients expect to lose their connection, and
  // take what was under way as unknown. Any other failure, of any client, is a fault.
  void NodeGoesDown(int index);
  void NodeIsBack(int index);

  // Replies that the node's clients got so far.
  int64_t Replies(int index) const;
  // Waits until each client of the node has got `more` further replies.
  [[nodiscard]] bool WaitForReplies(int index, int64_t more);

  // The longest time from a command to its reply since the last call, over the clients of all
  // nodes but `except`.
  int64_t TakeLongestPauseMs(int except);

  void Stop();
  // After Stop: what clients saw that they should not have, one a line; "" if nothing.
  std::string Faults() const;
  int64_t acknowledged() const;
  int64_t unknown() const;
  // Compares what the node holds with what was acknowledged; returns faults, one a line.
  std::string Verify(int index);

 private:
  enum class Outcome : char { kAcknowledged, kUnknown };
  struct Worker {
    int number = 0;
    int node = 0;
    std::atomic<int64_t> replies{0};
    std::atomic<int64_t> longest_ns{0};
    // The thread's own until it is joined.
    std::vector<Outcome> sets;
    std::vector<int64_t> increments;
    int64_t unknown_increments = 0;
    std::thread thread;
  };
  void Work(Worker* worker);
  void Fault(const std::string& what);

  Cluster* cluster_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Odd while the node is down.
  std::vector<std::unique_ptr<std::atomic<int>>> deaths_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::string faults_;
  int fault_count_ = 0;
};

}  // namespace metastore::cluster_test
