// A random simulation of a cluster of raft::Nodes: one seed decides the network, the disks, the
// clocks, the clients and the faults. Invariants are checked after every call on a node.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/random.h"
#include "raft/invariants.h"
#include "raft/node.h"
#include "tests/raft/memory_storage.h"

namespace metastore::raft {

struct SimulationResult {
  uint64_t fingerprint = 0;
  uint64_t nodes = 0;  // members and those who wait to be added
  uint64_t committed = 0;
  uint64_t lease_checks = 0;
  uint64_t reads_answered = 0;
  uint64_t reads_refused = 0;
  uint64_t elections = 0;
  uint64_t crashes = 0;
  uint64_t snapshots = 0;
  uint64_t conf_changes = 0;
  uint64_t transfers = 0;
};

// What the surroundings of the nodes do wrong; raft::Fault is what a node does wrong.
enum class Breach : uint8_t {
  kNone,
  kVotesAreNotPersisted,
  kHardStateIsNotPersisted,
  kAcknowledgesBeforeTheSync,  // messages_after_sync leave at once
  kLeaderCountsBeforeTheSync,  // OnPersisted before the write is durable
  kTicksOfAPauseAreForgotten,  // and the reader does not look at its clock
  kClocksDriftBeyondTheMargin,
  kAcknowledgesByIndex,             // the sync of an entry counts for a later one at its index
  kSnapshotLeavesTheOldLog,         // what the disk held after a snapshot's index stays
  kSnapshotHasTheLatestMembership,  // not that of its own index
};

class Simulator {
 public:
  explicit Simulator(uint64_t seed, Fault fault = Fault::kNone, Breach breach = Breach::kNone);

  // Faults for a while, then peace: progress must be made and all logs and states must agree.
  SimulationResult Run();

 private:
  // Beside faults at random, one kind at the worst moments.
  enum class Adversary : uint8_t {
    kNone,
    kIsolatesOldLeaders,   // when another node stands for election
    kRestartsVoters,       // in an election
    kSplitsVotes,          // several stand at once
    kCrashesYoungLeaders,  // whose entries reached some of the others (figure 8)
    kTemptsVoters,         // cuts a follower off, and the leader when it stands; stops leaders
    kTransfersTwice,       // two successors are asked to stand at once, and voters restart
    kChangesMembers,       // time and again, and cuts or crashes the leader that does it
  };
  struct Snapshot {
    SnapshotMetadata metadata;
    uint64_t state = 0;
  };
  // What the state machine of a node holds: the hash of all it applied.
  struct State {
    Index index = 0;
    uint64_t hash = 0;
  };
  struct PendingWrite {
    DurableWrite write;
    std::vector<Message> after_sync;
    uint64_t done_at = 0;
  };
  struct SimNode {
    NodeId id = kNoNode;
    MemoryStorage storage;
    State flushed;  // the durable state machine
    std::unique_ptr<Node> node;
    uint64_t run = 0;
    State state;
    std::deque<PendingWrite> disk;
    std::map<Index, uint64_t> snapshot_states;  // of snapshots handed to RestoreSnapshot
    std::vector<Entry> to_apply;
    uint64_t next_tick = 0;
    uint64_t last_tick = 0;
    uint64_t tick_interval = 0;
    uint64_t sync_time = 0;  // at most
    uint64_t paused_until = 0;
    Role last_role = Role::kFollower;
  };
  struct Delivery {
    uint64_t at;
    uint64_t number;
    Message message;
    Snapshot snapshot;  // with kSnapshotStatus: the content on its way from `from` to `to`
    bool operator<(const Delivery& other) const {
      return std::pair(at, number) > std::pair(other.at, other.number);
    }
  };
  struct Read {
    Index required;
    NodeId node;
    uint64_t run;
  };

  void Start(SimNode& n);
  void Crash(SimNode& n);
  void Doom(NodeId id, uint64_t within);
  void OnNewRole(SimNode& n);
  void Persist(SimNode& n, const DurableWrite& write);
  void Step();
  void Deliver(Delivery delivery);
  void After(SimNode& n);
  void HandleReady(SimNode& n);
  void CompleteWrites(SimNode& n, bool all);
  void Apply(SimNode& n, size_t count);
  void Send(Message m);
  void SendSnapshot(SimNode& from, const Message& m);
  void ClientAction();
  void Isolate(NodeId id);
  void HealLinks();
  void CutSomeOf(NodeId id);
  void Provoke();
  void Disturb();
  void CheckLeases();
  void HealAndAgree();
  bool Agreed();
  std::string Describe() const;
  SimNode* RandomRunning();
  SimNode* FindLeader();
  Membership OneVoterMoreOrLess(const SimNode& n);
  bool Cut(NodeId from, NodeId to) const;
  void Note(uint64_t value);

  const Fault fault_;
  const Breach breach_;
  Random random_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  ClusterInvariants invariants_;
  std::priority_queue<Delivery> network_;
  uint64_t now_ = 0;
  uint64_t deliveries_ = 0;
  uint64_t proposals_ = 0;
  uint64_t reads_ = 0;
  std::map<uint64_t, Read> open_reads_;
  std::vector<uint64_t> state_hashes_;  // after entry i+1
  Index acknowledged_ = 0;              // a client may know that entries up to here are committed
  std::vector<std::vector<bool>> cut_;
  bool is_faulty_ = true;
  Adversary adversary_ = Adversary::kNone;
  NodeId doomed_ = kNoNode;  // crashes, and starts again at once
  uint64_t doomed_at_ = 0;
  NodeId hands_over_ = kNoNode;  // a TimeoutNow of this leader is under way
  uint64_t loss_percent_ = 0;
  uint64_t duplicate_percent_ = 0;
  uint64_t max_delay_ = 0;
  uint64_t fault_interval_ = 0;
  bool only_links_fail_ = false;
  int lease_ticks_ = 0;
  bool changes_membership_ = false;
  SimulationResult result_;
};

}  // namespace metastore::raft
