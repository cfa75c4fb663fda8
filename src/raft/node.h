// raft::Node: one member of a Raft cluster as a pure, deterministic state machine. It has no
// thread, clock, disk, socket, logger or random source of its own: everything comes in through
// the calls below and leaves in a Ready. One thread owns a Node.
//
// The caller's loop:
//   node.Tick() / node.Step(m) / node.Propose(d) …
//   while (node.HasReady()) { Ready r = node.TakeReady(); … obey its fields in their order … }
// and, as writes become durable and entries are applied, OnPersisted and OnApplied.
#pragma once

#include <optional>
#include <vector>

#include "base/status.h"
#include "raft/fault.h"
#include "raft/types.h"

namespace metastore::raft {

// Reads of the durable log, for what the Node's bounded cache no longer holds. Implemented by
// engine::LogStore; the simulator and tests use a MemoryStorage. The calls come from the thread
// that owns the Node while the log role writes: implementations must allow that.
class LogReader {
 public:
  virtual ~LogReader() = default;
  // Term of `index`; kNotFound when it is cut or beyond the end.
  virtual Result<Term> TermAt(Index index) const = 0;
  // Entries [from, to), at least one, as many as fit in max_bytes. kNotFound when cut.
  virtual Result<std::vector<Entry>> Read(Index from, Index to, size_t max_bytes) const = 0;
};

struct Config {
  NodeId id = kNoNode;
  // In force at log_start (initial when the log is empty): changes after it are found in the log.
  Membership membership;
  // What was on disk at start.
  HardState hard_state;
  Position log_start;       // the entry before the first one kept: the cut or snapshot point
  Index last_index = 0;     // == log_start.index when the log is empty
  Index applied_index = 0;  // what the state machine holds durably

  // Times are in ticks. The election timeout is drawn from [election_ticks, 2 * election_ticks).
  int election_ticks = 10;
  int heartbeat_ticks = 1;
  // A leader may serve reads for this many ticks after the *sending* of the last heartbeat round
  // that a majority answered. Smaller than election_ticks by the clocks' drift margin.
  int lease_ticks = 8;
  uint64_t seed = 0;  // differs between nodes and between the runs of one node

  size_t max_append_bytes = 1 << 20;         // of entries in one kAppend (one entry may exceed it)
  size_t max_inflight_bytes = 8 << 20;       // unacknowledged kAppend bytes per follower
  size_t max_inflight_appends = 256;         // and messages
  size_t max_uncommitted_bytes = 128 << 20;  // past it Propose answers kUnavailable
  size_t cache_bytes = 64 << 20;             // recent entries kept in memory
  size_t max_apply_bytes = 16 << 20;         // of committed entries in one Ready
  size_t max_unapplied_bytes = 64 << 20;     // committed entries handed out and not yet applied
  size_t max_pending_reads = 1 << 16;
  Fault fault = Fault::kNone;  // tests only
};

struct SoftState {
  Role role = Role::kFollower;
  NodeId leader = kNoNode;
  friend bool operator==(const SoftState&, const SoftState&) = default;
};

// A read that may now be answered, by any state that has applied at least `index`.
struct ReadState {
  uint64_t context = 0;
  Index index = 0;  // 0: refused (no leader, or leadership lost); ask again
};

// What the caller must do, field by field in this order. `messages` may leave at once. hard_state,
// entries and snapshot are ONE durable write; messages_after_sync leave, and OnPersisted is
// called, only when it is synced. Writes are made durable in the order of their Readys.
struct Ready {
  std::vector<Message> messages;

  std::optional<HardState> hard_state;
  std::vector<Entry> entries;  // to append; they replace the log from the first's index
  std::optional<SnapshotMetadata> snapshot;  // install: the log restarts after it
  uint64_t persist_number = 0;               // give it to OnPersisted; 0: there is nothing to write

  std::vector<Message> messages_after_sync;

  std::vector<Entry> committed;  // to apply, in order, without gaps
  std::vector<ReadState> read_states;
  std::optional<SoftState> soft_state;  // set when it changed

  bool HasWrite() const { return hard_state || !entries.empty() || snapshot; }
};

// How far a peer is, as the leader sees it.
struct PeerStatus {
  NodeId id = kNoNode;
  std::string_view state;  // "probe", "replicate", "snapshot"
  Index match_index = 0;
  Index next_index = 0;
  bool active = false;  // heard from within the last election timeout
  bool learner = false;
};

struct NodeStatus {
  NodeId id = kNoNode;
  Role role = Role::kFollower;
  NodeId leader = kNoNode;
  Term term = 0;
  Index commit_index = 0;
  Index applied_index = 0;
  Index first_index = 0;
  Index last_index = 0;
  std::vector<PeerStatus> peers;
};

class Node {
 public:
  // `log` must outlive the node.
  Node(const Config& config, const LogReader* log);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // One unit of time has passed. After a pause of the process call it for each unit that was missed
  // (2 * election_ticks calls are enough), and before a lease is used again: leases are counted in
  // ticks.
  void Tick();

  // A message from a peer. Messages of unknown senders or of the past are dropped.
  void Step(Message message);

  // Appends one entry. kUnavailable: not the leader, transferring leadership, or
  // max_uncommitted_bytes reached. The entry may still be lost: it is safe when it comes back in
  // Ready::committed.
  Result<Position> Propose(Payload data);

  // Membership change by joint consensus (thesis 4.3). kBusy: another one is under way.
  // kUnavailable: not the leader, its term has just begun, or leadership is being handed over.
  // kAlreadyExists: this is the membership. kInvalidArgument: see CheckTarget.
  Result<Position> ProposeConfChange(const Membership& target);

  // Asks for a read point. Comes back as a ReadState with this context, from any role.
  void ReadIndex(uint64_t context);

  // Hands leadership to `target` (kNoNode: the most caught-up voter). It is given up after an
  // election timeout. Proposals are refused meanwhile.
  Status TransferLeadership(NodeId target);

  // Campaigns at once (single node at start; tests). Does nothing while a leader may hold a lease
  // that counts on this node. A candidate's own vote counts when it is persisted.
  void Campaign();

  bool HasReady() const;
  Ready TakeReady();

  // The write of the Ready with this persist_number (and all before it) is on disk.
  void OnPersisted(uint64_t persist_number);

  // The state machine holds everything up to `index`.
  void OnApplied(Index index);

  // The log is cut: entries up to `index` are gone from the storage. index <= applied index.
  void OnCompacted(Index index);

  // A snapshot of `metadata` lies ready at this node (received and verified). True when it is
  // newer than the log's commit index and Ready will carry it; false: ignore it.
  bool RestoreSnapshot(const SnapshotMetadata& metadata);

  // Leader: the snapshot transfer to `peer` ended. Exactly one call for each kInstallSnapshot in
  // Ready::messages, which is what asks for the transfer: nothing is sent to the peer meanwhile.
  void OnSnapshotSent(NodeId peer, bool ok, Index snapshot_index);

  // Leader with a valid lease whose no-op is committed: reads up to commit_index() may be served
  // for `lease_remaining_ticks` more ticks counted from the last Tick. 0: use ReadIndex. A single
  // voter needs no lease: it answers INT32_MAX.
  int lease_remaining_ticks() const;

  NodeId id() const;
  Role role() const;
  NodeId leader() const;
  Term term() const;
  Index commit_index() const;
  Index last_index() const;
  const Membership& membership() const;
  Index membership_index() const;  // the entry that brought it
  // The configuration in force after the entry `index`, and its term: what names a snapshot or a
  // cut at `index`. Not cut, not beyond the end: else kNotFound.
  Result<Membership> MembershipAt(Index index) const;
  Result<Term> TermAt(Index index) const;
  NodeStatus GetStatus() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace metastore::raft
