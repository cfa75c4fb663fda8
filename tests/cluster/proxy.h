// The network between the nodes of a cluster: every node's peer address is a port of this proxy,
// which passes on to where the node listens (--peer-listen). It reads in the first frame of a
// connection who dialled, so a link between two nodes can be cut, in one direction too, slowed
// down or reset. What is held back is not lost: the bytes wait, as TCP would send them again.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/cluster/harness.h"

namespace metastore::cluster_test {

class Proxy {
 public:
  // In front of nodes 1 to n; takes over their peer addresses. Before they start.
  explicit Proxy(Cluster* cluster);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // By id. Nothing that `from` sends reaches `to` from now on.
  void Cut(int from, int to);
  void CutBoth(int a, int b);
  // Of all messages between the two, in both directions.
  void Delay(int a, int b, Millis delay);
  // Closes the connections between the two.
  void Reset(int a, int b);
  void Heal();
  // Bytes passed on from one to the other so far.
  int64_t Bytes(int from, int to) const;

 private:
  static constexpr int kMaxNodes = 8;
  struct Direction {
    int from_fd = -1;
    int to_fd = -1;
    // What was read, and when it may go on.
    struct Chunk {
      int64_t due_ms;
      std::string bytes;
    };
    std::deque<Chunk> chunks;
    size_t held = 0;
    bool ended = false;
  };
  struct Link {
    int dialer = 0;  // 0: not known
    int listener = 0;
    std::string first;  // of the dialer, until the first frame is whole
    bool known = false;
    bool dead = false;
    Direction there, back;
  };
  struct Rule {
    std::atomic<bool> cut{false};
    std::atomic<int64_t> delay_ms{0};
    std::atomic<int64_t> bytes{0};
    std::atomic<int> resets{0};
  };
  Rule& rule(int from, int to) { return rules_[static_cast<size_t>(from * kMaxNodes + to)]; }
  const Rule& rule(int from, int to) const {
    return rules_[static_cast<size_t>(from * kMaxNodes + to)];
  }

  void Run();
  void Accept(int listener);
  void Read(Link* link, bool there);
  void Write(Link* link, bool there);
  void Identify(Link* link);

  Cluster* cluster_;
  std::array<Rule, kMaxNodes * kMaxNodes> rules_;
  std::vector<FreePort> ports_;
  std::vector<int> listeners_;  // by id - 1
  std::vector<int> peer_ports_;
  std::list<Link> links_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace metastore::cluster_test
