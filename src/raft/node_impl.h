// The inside of raft::Node. One struct, its methods grouped by subject into the files named below.
//
// What leaves the node depends on what is durable as follows. Requests for votes, votes and
// acknowledgements of appends leave after the sync of everything before them; a candidate counts
// its own vote, and a leader its own entries, only when they are on disk. All else leaves at once.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/random.h"
#include "raft/invariants.h"
#include "raft/log.h"
#include "raft/membership.h"
#include "raft/node.h"
#include "raft/progress.h"
#include "raft/quorum.h"
#include "raft/read_index.h"

namespace metastore::raft {

struct Node::Impl {
  Impl(const Config& config, const LogReader* reader);

  // node.cc: dispatch, roles, proposals.
  void Tick();
  void Step(Message m);
  Result<Position> Propose(Payload data);
  Position AppendOwn(EntryType type, Payload data);
  void BecomeFollower(Term term, NodeId leader);
  void BecomeLeader();
  void FollowLeader(NodeId leader);
  Role VisibleRole() const;
  void Send(Message m);
  void SendAfterSync(Message m);
  void ResetElectionTimer();
  NodeStatus GetStatus() const;
  void CheckLocalInvariants();
  bool Breaks(Fault rule) const { return config_.fault == rule; }
  // Whose majorities decide: the current one.
  const Membership& Deciding();

  // ready.cc: what leaves, and what comes back from the disk and the state machine.
  bool HasReady() const;
  Ready TakeReady();
  void TakeCommitted(Ready* ready);
  bool HasCommittedToHandOut() const;
  void BringIntoForce(const std::vector<Entry>& committed);  // Fault::kChangeInForceAtCommit
  bool HasHardStateToWrite() const;
  void OnPersisted(uint64_t number);
  void OnApplied(Index index);
  void OnCompacted(Index index);
  bool RestoreSnapshot(const SnapshotMetadata& metadata);

  // election.cc
  void TickElection();
  void CampaignNow();
  void StartPreVote();
  void StartElection(bool transfer);
  void RequestVotes(MessageType type, Term term, bool transfer);
  void RecordVote(NodeId from, bool granted);
  void HandleVoteRequest(const Message& m);
  void HandleVoteReply(const Message& m);
  void HandleTimeoutNow(const Message& m);
  bool MayHaveGrantedLease() const;
  bool IsPromotable() const;

  // replication.cc
  Progress* FindPeer(NodeId id);
  void ResetPeers();
  void FlushAppends();
  void SendAppends(Progress& peer);
  bool SendOneAppend(Progress& peer, bool with_entries);
  void SendSnapshot(Progress& peer);
  void HandleAppend(Message m);
  void AppendFromLeader(std::vector<Entry> entries);
  void HandleAppendReply(const Message& m);
  void HandleInstallSnapshot(const Message& m);
  void OnSnapshotSent(NodeId peer, bool ok, Index snapshot_index);
  void MaybeCommit();
  void SetCommit(Index index);

  // leadership.cc: heartbeats, leases, reads, transfer.
  void TickLeader();
  void StartRound();
  void OnRoundsConfirmed();
  void HandleHeartbeat(const Message& m);
  void HandleHeartbeatReply(const Message& m);
  int LeaseRemaining() const;
  bool IsTermCommitted() const;
  void ReadIndex(uint64_t context);
  void HandleReadIndex(const Message& m);
  void HandleReadIndexReply(const Message& m);
  void AnswerRead(NodeId from, uint64_t context, Index index);
  void AskLeaderForReads();
  void RefuseReads();
  Status TransferLeadership(NodeId target);
  const Progress* BestSuccessor() const;
  void MaybeSendTimeoutNow();
  void SendTimeoutNow(NodeId to);

  // conf_change.cc
  Result<Position> ProposeConfChange(Membership target);
  Position AppendConfChange(const Membership& membership);
  void OnMembershipChanged();
  void OnMembershipCommitted();
  void StepDownIfRemoved();

  const Config config_;
  const NodeId id_;
  Random random_;
  MembershipHistory memberships_;  // filled while log_ is scanned
  Log log_;

  // Durable state and its way to disk.
  Term term_ = 0;
  NodeId voted_for_ = kNoNode;
  HardState written_;  // as the last Ready carried it
  struct Write {
    uint64_t number;
    Term term;
    NodeId voted_for;
  };
  std::deque<Write> writes_;  // under way
  uint64_t last_write_ = 0;
  Term durable_term_ = 0;
  NodeId durable_vote_ = kNoNode;
  std::optional<SnapshotMetadata> unwritten_snapshot_;

  // Volatile state of any role.
  Role role_ = Role::kFollower;  // kLearner is derived, see VisibleRole
  NodeId leader_ = kNoNode;
  Index commit_ = 0;
  Index handed_out_ = 0;  // committed entries up to here went into a Ready
  Index applied_ = 0;
  struct Batch {
    Index last;
    size_t bytes;
  };
  std::deque<Batch> unapplied_;  // handed out and not applied
  size_t unapplied_bytes_ = 0;
  uint64_t ticks_ = 0;
  int election_elapsed_ = 0;
  int election_timeout_ = 0;
  // Ticks since the last word of a leader, or since a restart that may have forgotten one. While
  // it is below election_ticks a leader may hold a lease that counts on this node.
  int leader_silence_ = 0;
  FollowerReads follower_reads_;

  // Candidate.
  struct Vote {
    NodeId from;
    bool granted;
  };
  std::vector<Vote> votes_;

  // Leader.
  std::vector<Progress> peers_;  // sorted by id, without this node
  bool flush_needed_ = false;    // some peer may have something to be sent
  Index term_start_ = 0;         // this term's no-op
  std::deque<Batch> uncommitted_;
  size_t uncommitted_bytes_ = 0;
  uint64_t last_round_ = 0;
  uint64_t confirmed_round_ = 0;  // the newest one that a majority answered
  struct Round {
    uint64_t number;
    uint64_t sent_at;
  };
  std::deque<Round> rounds_;  // unconfirmed ones
  std::optional<uint64_t> lease_start_;
  bool lease_blocked_ = false;  // a TimeoutNow left in this term
  int heartbeat_elapsed_ = 0;
  LeaderReads leader_reads_;
  std::vector<LeaderReads::Read> confirmed_reads_;  // scratch
  NodeId transferee_ = kNoNode;
  int transfer_elapsed_ = 0;
  bool timeout_now_sent_ = false;

  // Out.
  std::vector<Message> messages_;
  std::vector<Message> messages_after_sync_;
  std::vector<ReadState> read_states_;
  SoftState told_;

  LocalState checked_;  // as of the last check
  Membership faulty_;   // scratch of Deciding
};

}  // namespace metastore::raft
