// What a leader does to stay one and to know that it is one: heartbeat rounds, the check of the
// quorum, leases, reads; and handing leadership over.
//
// Heartbeats are numbered in rounds. A round that a majority has answered proves that this node was
// the leader when the round was sent, and that no other can be elected before an election timeout
// has passed since then. The first serves reads (thesis 6.4), the second is the lease (6.4.1).
#include <algorithm>
#include <climits>
#include <utility>

#include "raft/node_impl.h"

namespace metastore::raft {
namespace {

// Rounds remembered with their sending time. Forgetting the oldest costs a lease at most.
constexpr size_t kMaxRounds = 64;

}  // namespace

void Node::Impl::TickLeader() {
  if (transferee_ != kNoNode && ++transfer_elapsed_ >= config_.election_ticks) {
    transferee_ = kNoNode;
  }
  if (++election_elapsed_ >= config_.election_ticks) {
    election_elapsed_ = 0;
    VoteResult quorum = QuorumVote(memberships_.current(), [this](NodeId id) {
      if (id == id_) return Ballot::kGranted;
      Progress* peer = FindPeer(id);
      return peer != nullptr && peer->active ? Ballot::kGranted : Ballot::kRefused;
    });
    if (quorum != VoteResult::kWon) {
      BecomeFollower(term_, kNoNode);
      return;
    }
    for (Progress& peer : peers_) peer.active = false;
  }
  if (++heartbeat_elapsed_ >= config_.heartbeat_ticks) StartRound();
}

void Node::Impl::StartRound() {
  heartbeat_elapsed_ = 0;
  ++last_round_;
  rounds_.push_back({last_round_, ticks_});
  if (rounds_.size() > kMaxRounds) rounds_.pop_front();
  leader_reads_.OnRoundStarted(last_round_);
  for (Progress& peer : peers_) {
    Message m;
    m.type = MessageType::kHeartbeat;
    m.to = peer.id;
    m.context = last_round_;
    // What the peer is known to hold: a heartbeat does not check that the logs match.
    m.commit_index = std::min(commit_, peer.match);
    if (Breaks(Fault::kHeartbeatCommitsUnmatched)) m.commit_index = commit_;
    Send(std::move(m));
  }
  OnRoundsConfirmed();
}

void Node::Impl::OnRoundsConfirmed() {
  uint64_t round = QuorumValue(memberships_.current(), [this](NodeId id) -> uint64_t {
    if (id == id_) return last_round_;
    Progress* peer = FindPeer(id);
    return peer == nullptr ? 0 : peer->acked_round;
  });
  if (round > confirmed_round_) {
    confirmed_round_ = round;
    while (!rounds_.empty() && rounds_.front().number <= round) {
      lease_start_ = rounds_.front().sent_at;
      rounds_.pop_front();
    }
  }
  confirmed_reads_.clear();
  leader_reads_.TakeConfirmed(confirmed_round_, &confirmed_reads_);
  for (const LeaderReads::Read& read : confirmed_reads_) {
    AnswerRead(read.from, read.context, read.index);
  }
}

void Node::Impl::HandleHeartbeat(const Message& m) {
  // The leader names only entries that this node has acknowledged as durable: one that lost them
  // must not go on.
  CHECK_LE(m.commit_index, log_.last_index());
  SetCommit(m.commit_index);
  Message reply;
  reply.type = MessageType::kHeartbeatReply;
  reply.to = m.from;
  reply.context = m.context;
  // The answer grants a lease. A node that restarts honours it only if it knows that it ever was in
  // a term, so that must be durable first; it is, but for the first message of a term.
  if (durable_term_ == term_) {
    Send(std::move(reply));
  } else {
    SendAfterSync(std::move(reply));
  }
}

void Node::Impl::HandleHeartbeatReply(const Message& m) {
  if (role_ != Role::kLeader) return;
  Progress* peer = FindPeer(m.from);
  if (peer == nullptr) return;
  peer->active = true;
  peer->OnHeartbeatReply(m.context, log_.last_index());
  timeout_now_sent_ = false;  // It may have been lost: once more, if the transfer still waits.
  flush_needed_ = true;
  OnRoundsConfirmed();
}

bool Node::Impl::IsTermCommitted() const {
  return role_ == Role::kLeader &&
         (commit_ >= term_start_ || Breaks(Fault::kNoEntryAtTheStartOfTerm));
}

int Node::Impl::LeaseRemaining() const {
  if (!IsTermCommitted()) return 0;
  bool hands_over = lease_blocked_ || transferee_ != kNoNode;
  if (hands_over && !Breaks(Fault::kLeaseOutlivesATransfer)) return 0;
  if (IsOnlyVoter(memberships_.current(), id_)) return INT32_MAX;
  if (!lease_start_) return 0;
  uint64_t end = *lease_start_ + static_cast<uint64_t>(config_.lease_ticks);
  return end > ticks_ ? static_cast<int>(end - ticks_) : 0;
}

void Node::Impl::ReadIndex(uint64_t context) {
  if (role_ == Role::kLeader) {
    bool asks = !(Breaks(Fault::kReadsWithoutARound) && IsTermCommitted());
    if (LeaseRemaining() > 0 || !asks) {
      read_states_.push_back({context, commit_});
    } else if (leader_reads_.size() >= config_.max_pending_reads) {
      read_states_.push_back({context, 0});
    } else {
      leader_reads_.Add(id_, context, IsTermCommitted() ? commit_ : 0);
    }
    return;
  }
  if (leader_ == kNoNode || follower_reads_.size() >= config_.max_pending_reads) {
    read_states_.push_back({context, 0});
    return;
  }
  follower_reads_.Add(context);
}

void Node::Impl::HandleReadIndex(const Message& m) {
  if (role_ != Role::kLeader || leader_reads_.size() >= config_.max_pending_reads) {
    AnswerRead(m.from, m.context, 0);
  } else if (LeaseRemaining() > 0) {
    AnswerRead(m.from, m.context, commit_);
  } else {
    leader_reads_.Add(m.from, m.context, IsTermCommitted() ? commit_ : 0);
  }
}

void Node::Impl::AnswerRead(NodeId from, uint64_t context, Index index) {
  if (from == id_) {
    read_states_.push_back({context, index});
    return;
  }
  Message reply;
  reply.type = MessageType::kReadIndexReply;
  reply.to = from;
  reply.context = context;
  reply.commit_index = index;
  reply.reject = index == 0;
  Send(std::move(reply));
}

void Node::Impl::HandleReadIndexReply(const Message& m) {
  if (m.from != leader_ || role_ == Role::kLeader) return;
  follower_reads_.OnReply(m.context, m.reject ? 0 : m.commit_index, &read_states_);
}

void Node::Impl::AskLeaderForReads() {
  if (leader_ == kNoNode || leader_ == id_) return;
  Message m;
  m.type = MessageType::kReadIndex;
  m.to = leader_;
  m.context = follower_reads_.Ask(ticks_);
  Send(std::move(m));
}

void Node::Impl::RefuseReads() {
  for (const LeaderReads::Read& read : leader_reads_.TakeAll()) {
    AnswerRead(read.from, read.context, 0);
  }
  follower_reads_.RefuseAll(&read_states_);
}

Status Node::Impl::TransferLeadership(NodeId target) {
  if (role_ != Role::kLeader) return Status(Code::kUnavailable, "not the leader");
  if (target == id_) return Status::Ok();
  const Membership& membership = memberships_.current();
  if (target == kNoNode) {
    const Progress* best = BestSuccessor();
    if (best == nullptr) return Status(Code::kUnavailable, "no voter could take over");
    target = best->id;
  } else if (!IsVoter(membership, target)) {
    return Status::InvalidArgument("the target of a transfer must be a voter");
  }
  if (target == transferee_) return Status::Ok();
  transferee_ = target;
  transfer_elapsed_ = 0;
  timeout_now_sent_ = false;
  flush_needed_ = true;
  return Status::Ok();
}

const Progress* Node::Impl::BestSuccessor() const {
  const Progress* best = nullptr;
  for (const Progress& peer : peers_) {
    if (peer.learner) continue;
    if (best == nullptr ||
        std::pair(peer.active, peer.match) > std::pair(best->active, best->match)) {
      best = &peer;
    }
  }
  return best;
}

void Node::Impl::MaybeSendTimeoutNow() {
  if (transferee_ == kNoNode || timeout_now_sent_) return;
  Progress* peer = FindPeer(transferee_);
  // Without the whole log it would lose the election (thesis 3.10).
  if (peer == nullptr || peer->match < log_.last_index()) return;
  SendTimeoutNow(transferee_);
}

void Node::Impl::SendTimeoutNow(NodeId to) {
  timeout_now_sent_ = true;
  // The message may arrive at any time from now on, and what it starts ignores leases: there is no
  // lease for the rest of this term, even if the transfer is given up.
  lease_blocked_ = true;
  Message m;
  m.type = MessageType::kTimeoutNow;
  m.to = to;
  Send(std::move(m));
}

}  // namespace metastore::raft
