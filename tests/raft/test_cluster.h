// A few nodes with a network that delivers at once, and disks that sync at once unless held: for
// tests that say exactly what happens.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/invariants.h"
#include "raft/node.h"
#include "tests/raft/memory_storage.h"

namespace metastore::raft {

Payload Data(std::string_view bytes);

struct TestNode {
  MemoryStorage storage;
  std::unique_ptr<Node> node;
  bool holds_disk = false;   // writes wait for SyncOne
  bool holds_apply = false;  // OnApplied is left to the test
  std::deque<std::pair<DurableWrite, std::vector<Message>>> disk;
  std::vector<Entry> applied;
  std::vector<ReadState> reads;
  std::vector<Message> sent;  // everything that left, in order

  Node* operator->() { return node.get(); }
};

class TestCluster {
 public:
  // Called before a node starts: changes its Config.
  using Configure = std::function<void(Config*)>;

  // Voters 1..n, all running.
  explicit TestCluster(size_t n, Configure configure = nullptr);

  TestNode& operator[](NodeId id) { return *nodes_.at(id); }
  // A node that knows nobody.
  TestNode& AddNode(NodeId id);
  // kill -9 and start again; writes that are held are lost.
  void Restart(NodeId id);

  // Handles Readys and delivers messages until nothing moves.
  void Settle();
  // Handles the Readys of one node; its messages wait for Settle.
  void Drain(NodeId id);
  void SyncOne(NodeId id);
  void TickAll(int ticks);
  void Tick(NodeId id, int ticks);
  // Campaign() and Settle; the node must win.
  void Elect(NodeId id);
  // Proposes at `id`, settles, and returns the position.
  Position Write(NodeId id, std::string_view data);

  void Cut(NodeId a, NodeId b);  // both directions
  void Isolate(NodeId id);
  void Heal() { cut_.clear(); }
  // True: the message is lost.
  std::function<bool(const Message&)> drop;
  std::deque<Message>& network() { return network_; }

  // The data of all applied entries that have some, in order.
  std::vector<std::string> Applied(NodeId id);
  NodeId Leader();

 private:
  void Start(NodeId id);

  std::map<NodeId, std::unique_ptr<TestNode>> nodes_;
  Configure configure_;
  uint64_t runs_ = 0;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::deque<Message> network_;
  ClusterInvariants invariants_;
};

// One node alone; the test speaks for all others.
struct Alone {
  explicit Alone(std::vector<NodeId> voters, std::vector<NodeId> learners = {},
                 TestCluster::Configure configure = nullptr);

  Node* operator->() { return node.get(); }
  // Handles Readys and syncs at once; returns everything sent.
  std::vector<Message> Drain();
  std::vector<Message> Step(Message m);
  std::vector<Message> Tick(int ticks);
  // Elected in the next term by the votes of everybody; returns what was sent.
  std::vector<Message> BecomeLeader();
  // Appends entries with these terms behind what is stored, as a follower of `term`'s leader
  // `from`.
  void Fill(NodeId from, Term term, const std::vector<Term>& terms);

  MemoryStorage storage;
  std::unique_ptr<Node> node;
  std::vector<Entry> applied;
  std::vector<ReadState> reads;
};

Message MakeMessage(MessageType type, NodeId from, Term term);
Message MakeAppend(NodeId from, Term term, Position previous, const std::vector<Term>& terms,
                   Index commit);
Message MakeVote(NodeId from, Term term, Position last);
// The messages of one type among `all`.
std::vector<Message> Of(const std::vector<Message>& all, MessageType type);

}  // namespace metastore::raft
