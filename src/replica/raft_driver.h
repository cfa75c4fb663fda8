// RaftDriver: the raft role as a single-threaded state machine around raft::Node. It turns
// waiting batches into entries, follows the leader with what is pending, pairs reads with read
// points, and obeys each Ready in its order. It has no thread, clock or socket: time comes in,
// work goes out through DriverOutputs, so that a simulator runs it as it is.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "engine/log_store.h"
#include "raft/node.h"
#include "replica/membership_change.h"
#include "replica/pending.h"
#include "replica/proposal.h"
#include "replica/replica.h"

namespace metastore::replica {

struct DriverOptions {
  raft::Config raft;
  uint64_t incarnation = 0;
  int64_t tick_ns = 10'000'000;
  int64_t request_timeout_ns = 5'000'000'000;
  // The log keeps this much behind what is applied, for followers that fell back.
  uint64_t log_retain_bytes = 64 << 20;
  uint64_t seed = 0;
  // The entry that added the member whose disk this is, {0, 0} of a founder. Nothing: nobody has
  // said so far.
  std::optional<raft::Position> added = raft::Position{};
  bool has_entered = true;  // its log has held that entry
};

// Forwarded batches that wait for the leader's next entries. Past it the forward connections are
// not read.
inline constexpr size_t kMaxForwardedBytes = 128 << 20;
// A batch must fit into one frame between peers, together with what else is in it. A larger one is
// answered kNotApplied.
inline constexpr size_t kMaxBatchBytes = size_t{1000} << 20;
// A Forward message carries about this much.
inline constexpr size_t kMaxForwardBytes = 1 << 20;

// A follower whose forwarded batches show no progress for this long hands them over again: a
// transport may drop a frame without breaking its link. Doubles up to kMaxForwardRetryNs.
inline constexpr int64_t kForwardRetryNs = 500'000'000;
inline constexpr int64_t kMaxForwardRetryNs = 8'000'000'000;

class DriverOutputs {
 public:
  virtual ~DriverOutputs() = default;
  virtual void SendRaft(const raft::Message& message) = 0;
  virtual void SendForward(raft::NodeId leader, std::vector<std::string> batches) = 0;
  // One durable write; writes are made in the order of the calls. Answered by OnPersisted.
  virtual void Write(uint64_t persist_number, engine::LogWrite write) = 0;
  // Answered by OnApplied.
  virtual void Apply(std::vector<raft::Entry> entries) = 0;
  // Grant the read when `index` is applied.
  virtual void GrantRead(raft::Index index, Lane lane, uint64_t ticket) = 0;
  virtual void RefuseRead(Lane lane, uint64_t ticket) = 0;
  // `seq` 0: the batch is in no log, and nobody else answers it. Otherwise it may be applied at
  // this moment: the apply role decides (StateMachine::Abandon).
  virtual void Answer(Lane lane, uint64_t seq, BatchReply reply) = 0;
  // The replies of this batch are lost in a snapshot: this is its only answer.
  virtual void AnswerLost(Lane lane, BatchReply reply) = 0;
  // What local readers need: the commit index their View must hold, told before anybody can hear
  // of the entries below it, and the boot time until which this node surely leads.
  virtual void PublishCommit(raft::Index commit_index) = 0;
  virtual void PublishLease(int64_t lease_until_ns) = 0;
  // The peer's next entry is cut; send it a snapshot, then say OnSnapshotSent.
  virtual void SendSnapshot(raft::NodeId peer) = 0;
  // Make the received snapshot the state; then OnInstalled.
  virtual void Install(const raft::SnapshotMetadata& snapshot) = 0;
  virtual void Compact(raft::Position upto, const raft::Membership& membership) = 0;
  // The membership in force, which need not be committed yet.
  virtual void OnMembership(const raft::Membership& membership) = 0;
  virtual void SendChange(raft::NodeId leader, uint64_t ticket, const MembershipChange& change) = 0;
  virtual void AnswerChange(raft::NodeId origin, uint64_t ticket, const ChangeResult& result) = 0;
  virtual void OnRoleChange(raft::Role role, raft::Term term, raft::NodeId leader) = 0;
};

class RaftDriver {
 public:
  RaftDriver(const DriverOptions& options, const raft::LogReader* log, int64_t now_ns,
             DriverOutputs* out);

  // --- what happens; each may be called any number of times before a Pump ----------------------
  void OnTime(int64_t now_ns, int64_t wall_ms);
  // Call OnTime before it, with a time read after the message had arrived. Otherwise the ticks of a
  // pause would be counted behind a heartbeat that came during it: this node would confirm the
  // leader's lease and then think it silent for the whole pause, and elect another.
  void OnRaftMessage(raft::Message message);
  // A peer takes this node for the member that `added` brought. False: that is nothing new. Until
  // its own log holds that entry, a node neither votes nor campaigns: its disk remembers nothing of
  // an earlier member of this id, whose votes and entries others may still count on, and the log
  // that it is catching up with may call it the only voter.
  bool OnAdded(raft::Position added);
  const std::optional<raft::Position>& added() const { return added_; }
  bool has_entered() const { return has_entered_; }
  // Batches that a peer forwarded. Dropped unless this node leads: the peer sends them again.
  void OnForward(std::string_view batch);
  void OnForwardLinkUp(raft::NodeId peer);
  void Submit(Lane lane, uint64_t ticket, std::string body, uint32_t count);
  void RequestRead(Lane lane, uint64_t ticket);
  void OnPersisted(uint64_t persist_number);
  // `seq`: what the state machine holds of this node's session.
  void OnApplied(raft::Position position, uint64_t seq);
  void OnInstalled(const raft::SnapshotMetadata& snapshot, uint64_t seq);
  // A complete copy lies ready. False: it is not wanted. True: it will be installed, and its files
  // must stay as they are until OnInstalled.
  bool OnSnapshotReceived(const raft::SnapshotMetadata& snapshot);
  bool awaits_install() const { return awaits_install_; }
  void OnSnapshotSent(raft::NodeId peer, bool ok, raft::Index index);
  // The state machine is durable up to `flushed`. Entries behind `keep_after` are needed still.
  void OnFlushed(raft::Position flushed, raft::Index keep_after);
  void OnCompacted(raft::Index upto);
  void TransferLeadership(raft::NodeId target);
  // Exactly one AnswerChange with (origin, ticket) comes of it, within the request timeout. The
  // origin is this node or a peer that took this one for the leader.
  void ChangeMembership(raft::NodeId origin, uint64_t ticket, MembershipChange change);
  // The leader's answer to a SendChange.
  void OnChangeAnswer(uint64_t ticket, const ChangeResult& result);

  // Does what the above made possible. Call at the end of each turn of the loop.
  void Pump();

  // Answers everything unanswered, at shutdown.
  void Abandon();

  // Of the log behind `index`, about; what is cut does not count.
  uint64_t LogBytesBehind(raft::Index index) const;
  bool WantsForwards() const { return forwarded_bytes_ < kMaxForwardedBytes; }
  const raft::Node& node() const { return node_; }
  const Pending& pending() const { return pending_; }
  uint64_t leader_changes() const { return leader_changes_; }

 private:
  struct Read {
    Lane lane;
    uint64_t ticket;
    int64_t deadline_ns;
  };
  struct ReadRound {
    std::vector<Read> reads;
    int64_t asked_ns;
  };

  struct Change {
    raft::NodeId origin;
    uint64_t ticket;
    MembershipChange change;
    int64_t deadline_ns;
    ChangeResult result;
    raft::Position proposed;   // index 0: not yet
    bool handed_over = false;  // leadership, as asked
    raft::Term sent_at = 0;    // the term in which it was sent to the leader; 0: it was not
    bool again = false;        // an earlier leader may have done it
    int64_t send_at_ns = 0;
  };

  void LookForOwnAddition();
  void FollowLeader();
  void PumpChanges();
  // True: answered.
  bool PumpChange(Change& change);
  bool PumpLeaderChange(Change& change);
  void PromoteLearners();
  void ProposeWaiting();
  void DropStrangers();
  void RetryForwards();
  void ForwardWaiting();
  void AskReads();
  void ObeyReady();
  void FinishReads(const std::vector<raft::ReadState>& states);
  void GrantConfirmedReads();
  void MeterLog(const std::vector<raft::Entry>& entries);
  void AnswerExpired(const std::vector<ExpiredBatch>& expired, bool lost);

  const DriverOptions options_;
  const raft::LogReader* const log_;
  DriverOutputs* const out_;
  raft::Node node_;
  Pending pending_;
  Random random_;

  int64_t now_ns_;
  int64_t wall_ms_ = 0;
  int64_t last_tick_ns_;
  int64_t last_read_retry_ns_ = 0;

  raft::NodeId followed_leader_ = raft::kNoNode;
  raft::Term followed_term_ = 0;
  raft::Role seen_role_ = raft::Role::kFollower;
  uint64_t leader_changes_ = 0;

  std::optional<raft::Position> added_;
  bool has_entered_;

  std::vector<Change> changes_;
  std::optional<raft::Membership> told_membership_;
  // What a learner must reach to be a voter: what was committed when it was looked at last.
  raft::Index promote_at_ = 0;
  int64_t last_promote_ns_ = 0;

  std::deque<std::string> forwarded_;
  size_t forwarded_bytes_ = 0;
  // The membership for which forwarded_ and this node's own batches were looked through.
  raft::Index proposers_at_ = UINT64_MAX;
  bool may_propose_own_ = false;

  int64_t forward_progress_ns_ = 0;
  int64_t forward_retry_ns_ = kForwardRetryNs;

  uint64_t writes_under_way_ = 0;
  std::deque<std::pair<uint64_t, std::vector<raft::Message>>> after_sync_;
  // While a snapshot is installed no Ready is taken: its write must come behind the install.
  bool installing_ = false;
  bool awaits_install_ = false;
  std::optional<raft::Ready> held_;

  uint64_t next_context_ = 1;
  std::vector<Read> unasked_;
  std::map<uint64_t, ReadRound> asked_;
  // Confirmed, but what they must see is not known here to be committed.
  std::vector<std::pair<raft::Index, Read>> confirmed_;

  // (last index, bytes of the log up to it since start), about every MeterStep bytes.
  std::deque<std::pair<raft::Index, uint64_t>> meter_;
  uint64_t metered_bytes_ = 0;
  std::pair<raft::Index, uint64_t> cut_;  // the last step that was cut away
  raft::Index compacted_ = 0;
};

}  // namespace metastore::replica
