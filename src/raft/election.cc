// Elections (Raft 5.2, 5.4.1; thesis 4.2.3, 9.6).
//
// A node first asks whether it could win (pre-vote), which changes no term, so that a node cut off
// from a healthy leader does not disturb it on return. And a node that heard a leader within the
// election timeout takes no part in electing another one: leases rest on this promise.
#include <utility>

#include "raft/node_impl.h"

namespace metastore::raft {

bool Node::Impl::IsPromotable() const {
  if (unwritten_snapshot_) return false;
  // A change that removes this node and is not committed may be in no other log: then nobody else
  // can be elected, and this node is still needed to finish it (thesis 4.2.2).
  return IsVoter(memberships_.current(), id_) || IsVoter(memberships_.At(commit_), id_);
}

bool Node::Impl::MayHaveGrantedLease() const {
  return role_ == Role::kLeader || leader_silence_ < config_.election_ticks;
}

void Node::Impl::TickElection() {
  if (++election_elapsed_ < election_timeout_) return;
  ResetElectionTimer();
  // A leader that is not heard any more is not the leader to tell others about.
  if (role_ != Role::kFollower || leader_ != kNoNode) BecomeFollower(term_, kNoNode);
  if (IsPromotable()) StartPreVote();
}

void Node::Impl::CampaignNow() {
  if (role_ == Role::kLeader || !IsPromotable()) return;
  // The own vote would break the lease of a leader that counts on it, if there may be one. That of
  // the only voter too, as long as the change that made it the only one is not committed: the
  // leader that it removes is still at work.
  if (MayHaveGrantedLease() && !memberships_.IsOnlyVoterSince(commit_, id_)) return;
  StartPreVote();
}

void Node::Impl::StartPreVote() {
  BecomeFollower(term_, kNoNode);
  role_ = Role::kPreCandidate;
  votes_.clear();
  // Nothing is promised by it, so nothing needs to be durable.
  RequestVotes(MessageType::kPreVote, term_ + 1, false);
  RecordVote(id_, true);
}

void Node::Impl::StartElection(bool transfer) {
  BecomeFollower(term_ + 1, kNoNode);
  role_ = Role::kCandidate;
  voted_for_ = id_;
  votes_.clear();
  // The own vote is recorded by OnPersisted. The requests follow the write too: if they left
  // before it, a restart could repeat this term with a shorter log and collect votes given to the
  // longer one.
  RequestVotes(MessageType::kVote, term_, transfer);
}

void Node::Impl::RequestVotes(MessageType type, Term term, bool transfer) {
  Message m;
  m.type = type;
  m.term = term;
  m.log_term = log_.last_term();
  m.log_index = log_.last_index();
  m.transfer = transfer;
  for (NodeId id : Members(memberships_.current())) {
    if (id == id_ || !IsVoter(memberships_.current(), id)) continue;
    m.to = id;
    if (type == MessageType::kPreVote) {
      Send(m);
    } else {
      SendAfterSync(m);
    }
  }
}

void Node::Impl::HandleVoteRequest(const Message& m) {
  // Silence, not refusal: the candidate may reach the others.
  if (!m.transfer && MayHaveGrantedLease() && !Breaks(Fault::kVotesDuringALease)) return;
  bool is_pre_vote = m.type == MessageType::kPreVote;
  if (m.term > term_ && !is_pre_vote) BecomeFollower(m.term, kNoNode);

  bool is_free = is_pre_vote
                     ? m.term > term_
                     : voted_for_ == m.from || (voted_for_ == kNoNode && leader_ == kNoNode);
  if (Breaks(Fault::kVotesTwiceInATerm) && !is_pre_vote) is_free = true;
  bool is_granted = is_free && (log_.IsUpToDate({m.log_term, m.log_index}) ||
                                Breaks(Fault::kVotesForAShorterLog));
  Message reply;
  reply.type = is_pre_vote ? MessageType::kPreVoteReply : MessageType::kVoteReply;
  reply.to = m.from;
  reply.reject = !is_granted;
  if (is_pre_vote && is_granted) reply.term = m.term;
  if (is_granted && !is_pre_vote) {
    // A vote is a promise: it must be on disk before the reply leaves, or a restart could vote
    // twice in one term (5.2).
    voted_for_ = m.from;
    ResetElectionTimer();
  }
  if (is_pre_vote) {
    Send(std::move(reply));
  } else {
    SendAfterSync(std::move(reply));
  }
}

void Node::Impl::HandleVoteReply(const Message& m) {
  if (m.type == MessageType::kVoteReply) {
    if (role_ != Role::kCandidate || m.term != term_) return;
  } else {
    if (role_ != Role::kPreCandidate) return;
    if (!m.reject && m.term != term_ + 1) return;
  }
  RecordVote(m.from, !m.reject);
}

void Node::Impl::RecordVote(NodeId from, bool granted) {
  for (const Vote& vote : votes_) {
    if (vote.from == from) return;
  }
  votes_.push_back({from, granted});
  VoteResult result = QuorumVote(Deciding(), [this](NodeId id) {
    for (const Vote& vote : votes_) {
      if (vote.from == id) return vote.granted ? Ballot::kGranted : Ballot::kRefused;
    }
    return Ballot::kMissing;
  });
  switch (result) {
    case VoteResult::kPending:
      return;
    case VoteResult::kLost:
      BecomeFollower(term_, kNoNode);
      return;
    case VoteResult::kWon:
      if (role_ == Role::kPreCandidate) {
        StartElection(false);
      } else {
        BecomeLeader();
      }
      return;
  }
}

void Node::Impl::HandleTimeoutNow(const Message& m) {
  if (m.from != leader_ || role_ != Role::kFollower || !IsPromotable()) return;
  // The leader itself asks for it and has given up its lease: no pre-vote, no waiting.
  StartElection(true);
}

}  // namespace metastore::raft
