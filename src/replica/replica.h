// Replica: one node's share of the replicated state machine, as the server sees it. Commands go in
// as batches and come back as replies in order; reads ask for permission and then use a View.
// Behind it run the raft, log and apply roles.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "commands/context.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "raft/types.h"
#include "replica/membership_change.h"
#include "replica/topology.h"

namespace metastore::replica {

// What one command of a batch is to apply.
enum class ItemKind : uint8_t {
  kWrite = 0,  // runs on every replica
  kRead = 1,   // a read behind unanswered writes of its connection: runs on the accepting node only
  kExpire = 2,        // the leader's expirer: delete these keys if they are still due
  kReclaim = 3,       // remove the remains of flushed databases
  kExpireFields = 4,  // the same as kExpire for fields of hashes
  // A transaction: the keys that its client watched, and items of kWrite and kRead. They run one
  // behind the other, none of them if a watched key is another version by then.
  kTransaction = 5,
  kTopology = 6,  // where a node serves clients, or who leads and who is there (topology.h)
};

// A key that a transaction depends on.
struct WatchedKey {
  int db = 0;
  uint64_t version = 0;  // types::VersionOf
  std::string key;
};

// Gathers the commands of one loop turn. io role.
class BatchBuilder {
 public:
  void Add(ItemKind kind, int protocol, int db, commands::Args args);
  // `commands` are the items of another builder, which is empty then.
  void AddTransaction(int protocol, const std::vector<WatchedKey>& watched, BatchBuilder* commands);
  uint32_t count() const { return count_; }
  size_t bytes() const { return body_.size(); }
  // The encoded items; the builder is empty again.
  std::string Take();

 private:
  std::string body_;
  uint32_t count_ = 0;
};

// Why a batch has no replies.
enum class BatchOutcome : uint8_t {
  kApplied,
  kNotApplied,  // CLUSTERDOWN: certainly not applied, and will not be
  kUnknown,     // UNKNOWNOUTCOME: may have been applied, or may still be
};

struct BatchReply {
  uint64_t ticket = 0;
  BatchOutcome outcome = BatchOutcome::kApplied;
  std::string bytes;           // the replies one after the other
  std::vector<uint64_t> ends;  // where each one ends in `bytes`, one per command of the batch
};

struct ReadPermission {
  uint64_t ticket = 0;
  bool granted = false;  // false: no quorum within the request timeout
};

// Where answers for one io loop go. The calls come from the raft and apply threads and must only
// hand the value over.
class LaneSink {
 public:
  virtual ~LaneSink() = default;
  virtual void Deliver(BatchReply reply) = 0;
  virtual void Deliver(ReadPermission permission) = 0;
  // Of a commit, before the replies of that commit: a client's own reply does not overtake what its
  // command has caused.
  virtual void Deliver(std::shared_ptr<const engine::CommitEvents> events) { (void)events; }
  // Apply role: called after a commit; returns when the loop has room for the events of another.
  // What it makes of them may be much more than they are, so it must be able to hold apply back.
  virtual void AwaitRoomForEvents() {}
  // Whether replies of that many bytes more may be held for the clients of this loop. A committed
  // command cannot wait for them to read; past it, its client gets an error in place of the reply.
  virtual bool HasRoomForReplies(size_t bytes) const {
    (void)bytes;
    return true;
  }
};

using Lane = uint32_t;  // index of an io loop

struct PeerInfo {
  raft::NodeId id = 0;
  std::string address;  // host:port of the peer port
  std::string state;    // "probe", "replicate", "snapshot", "down", or "" on a follower
  raft::Index match_index = 0;
  uint64_t lag_bytes = 0;        // of the log that it lacks, about; on the leader
  int64_t last_contact_ms = -1;  // since the last message from it; -1: never
  int64_t linked_since_ms = 0;   // wall clock; 0: there is no connection to it
  bool learner = false;
  bool promote = false;  // a learner that becomes a voter when it has caught up
  raft::Index next_index = 0;
};

// For INFO, metrics, ROLE, health. A copy.
struct ReplicaInfo {
  raft::NodeId id = 0;
  std::string name;  // TopologyNode::name of this node
  raft::Role role = raft::Role::kFollower;
  raft::NodeId leader = 0;
  raft::Term term = 0;
  raft::Index commit_index = 0;
  raft::Index applied_index = 0;
  raft::Index log_first = 0;
  raft::Index log_last = 0;
  uint64_t pending_batches = 0;
  uint64_t pending_bytes = 0;
  uint64_t log_syncs = 0;
  uint64_t log_bytes_written = 0;
  uint64_t snapshots_sent = 0;
  uint64_t snapshots_installed = 0;
  uint64_t leader_changes = 0;
  uint64_t expired_keys = 0;
  uint64_t expired_fields = 0;
  raft::Index state_compared_index = 0;  // the last one at which a peer had the same state
  uint64_t state_differs = 0;            // peers whose state differed when last compared
  std::string address;                   // of this node's peer port; empty: it has none
  bool learner = false;
  bool joint = false;  // a change of several voters is under way
  raft::Index membership_index = 0;
  std::vector<PeerInfo> peers;  // without this node
  // How far each node but the leader has synced the log, in no order; a follower knows what the
  // leader told it last, within a second when a message was lost. Empty: no leader is known.
  std::vector<raft::Index> copies;
  std::shared_ptr<const ClusterState> cluster = std::make_shared<ClusterState>();  // as applied
};

class Replica {
 public:
  virtual ~Replica() = default;

  // What the clients of this node listen for; the io loops keep it.
  engine::Interest& interest() { return interest_; }

  // --- io role -------------------------------------------------------------------------------
  // Sinks must be set for all lanes before Start and outlive the Replica.
  virtual void SetLane(Lane lane, LaneSink* sink) = 0;

  // Hands a batch over. Exactly one BatchReply with this ticket comes back, batches of one lane in
  // the order of their Submits unless an outcome is not kApplied. The caller limits the bytes it
  // has under way (its share of max-inflight-bytes); Submit never blocks and never refuses.
  virtual void Submit(Lane lane, uint64_t ticket, std::string body, uint32_t count) = 0;

  // True: a View taken from now on is linearizable for every read that arrived before the call
  // (lease held, and applied has reached the commit index). Costs a few atomic loads.
  virtual bool MayReadNow() const = 0;
  // Otherwise: asks; exactly one ReadPermission with this ticket comes back, and a View taken then
  // serves every read that arrived before this call.
  virtual void RequestRead(Lane lane, uint64_t ticket) = 0;

  virtual std::unique_ptr<engine::View> NewView() const = 0;

  // --- any thread ----------------------------------------------------------------------------
  // Events that are no commit's, for the clients of this node alone.
  virtual void Tell(const std::shared_ptr<const engine::CommitEvents>& events) = 0;
  virtual ReplicaInfo Info() const = 0;
  virtual engine::EngineStats EngineStats() const = 0;
  // Below the disk reserve: commands that may grow the data are to be refused.
  virtual bool DiskNearlyFull() const = 0;
  virtual void SetActiveExpire(bool on) = 0;  // DEBUG SET-ACTIVE-EXPIRE
  // For reads that ride in the log.
  virtual void SetEncodingLimits(const types::EncodingLimits& limits) = 0;
  virtual void TransferLeadership(raft::NodeId target) = 0;  // 0: any
  // On any node; a follower asks the leader. `done` is called in the raft role, exactly once.
  virtual void ChangeMembership(MembershipChange change,
                                std::function<void(const ChangeResult&)> done) = 0;
  // The same with the answer as a batch of one command: +OK, the id of the node added, or an error.
  // io role.
  virtual void SubmitChange(Lane lane, uint64_t ticket, MembershipChange change) = 0;

  // --- main thread ---------------------------------------------------------------------------
  virtual Status Start() = 0;
  // Hands leadership to the most caught-up peer; returns when this node no longer leads, or after
  // a second, or at once when there is nobody else.
  virtual void HandOver() = 0;
  // Flushes and stops the threads. Waiting batches are answered kUnknown or
  // kNotApplied.
  virtual void Stop() = 0;

 private:
  engine::Interest interest_;
};

}  // namespace metastore::replica
