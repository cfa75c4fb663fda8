// raft::Node: dispatch, changes of role, proposals.
#include "raft/node.h"

#include <algorithm>
#include <utility>

#include "raft/node_impl.h"

namespace metastore::raft {

Node::Impl::Impl(const Config& config, const LogReader* reader)
    : config_(config),
      id_(config.id),
      random_(config.seed ^ (config.id * 0x9e3779b97f4a7c15)),
      memberships_(config.log_start.index, config.membership),
      log_(reader, config.log_start, config.last_index, config.cache_bytes,
           [this](const Entry& entry) {
             if (entry.type != EntryType::kConfChange) return;
             memberships_.Append(entry.index, MembershipOf(entry));
           }),
      term_(config.hard_state.term),
      voted_for_(config.hard_state.voted_for),
      written_(config.hard_state),
      durable_term_(term_),
      durable_vote_(voted_for_),
      // A reply to a request of an earlier run must not pass for one to this run's.
      follower_reads_(random_.Next() >> 2) {
  CHECK_NE(id_, kNoNode);
  CHECK_GT(config_.heartbeat_ticks, 0);
  CHECK_GT(config_.election_ticks, config_.heartbeat_ticks);
  // Half a tick is lost at either end of an interval that is counted in whole ticks.
  CHECK_LT(config_.lease_ticks, config_.election_ticks);
  CHECK_GE(config_.applied_index, config_.log_start.index);
  CHECK_LE(config_.applied_index, config_.last_index);
  CHECK_LE(config_.hard_state.commit_index, config_.last_index);
  CHECK_GE(config_.hard_state.term, log_.last_term());
  commit_ = std::max(config_.hard_state.commit_index, config_.applied_index);
  handed_out_ = config_.applied_index;
  applied_ = config_.applied_index;
  // A node that ran before may have answered a heartbeat just before it stopped.
  leader_silence_ = term_ == 0 ? config_.election_ticks : 0;
  ResetElectionTimer();
  CheckLocalInvariants();
}

void Node::Impl::ResetElectionTimer() {
  election_elapsed_ = 0;
  election_timeout_ =
      config_.election_ticks + static_cast<int>(random_.Uniform(config_.election_ticks));
}

void Node::Impl::Tick() {
  ++ticks_;
  if (leader_silence_ < config_.election_ticks) ++leader_silence_;
  if (role_ == Role::kLeader) {
    TickLeader();
  } else {
    TickElection();
  }
  if (follower_reads_.IsOverdue(ticks_, config_.heartbeat_ticks + 1)) AskLeaderForReads();
}

void Node::Impl::Step(Message m) {
  if (m.type == MessageType::kSnapshotStatus) {
    OnSnapshotSent(m.from, !m.reject, m.log_index);
    return;
  }
  if (m.from == kNoNode || m.from == id_ || (m.to != kNoNode && m.to != id_)) return;
  bool is_reply = m.type == MessageType::kAppendReply || m.type == MessageType::kHeartbeatReply ||
                  m.type == MessageType::kVoteReply || m.type == MessageType::kPreVoteReply ||
                  m.type == MessageType::kReadIndex;
  // Requests are heard from anybody: this node's own configuration may be older than that of the
  // sender, and without its vote or its log there may be no progress.
  if (is_reply && !IsMember(memberships_.current(), m.from)) return;

  bool is_from_leader = m.type == MessageType::kAppend || m.type == MessageType::kHeartbeat ||
                        m.type == MessageType::kInstallSnapshot;
  if (m.term < term_) {
    // The sender learns the term from the answer. A leader cut off from us steps down then, which
    // frees a node whose term ran ahead; a candidate falls into line.
    if (is_from_leader) {
      Message reply;
      reply.type = MessageType::kAppendReply;
      reply.to = m.from;
      reply.log_index = m.log_index;
      reply.reject = true;
      SendAfterSync(std::move(reply));
    } else if (m.type == MessageType::kPreVote || m.type == MessageType::kVote) {
      Message reply;
      reply.type =
          m.type == MessageType::kVote ? MessageType::kVoteReply : MessageType::kPreVoteReply;
      reply.to = m.from;
      reply.reject = true;
      SendAfterSync(std::move(reply));
    }
    return;
  }
  if (m.type == MessageType::kVote || m.type == MessageType::kPreVote) {
    HandleVoteRequest(m);
    return;
  }
  // A granted pre-vote carries the term that the candidate would have, not one that exists.
  bool is_granted_pre_vote = m.type == MessageType::kPreVoteReply && !m.reject;
  if (m.term > term_ && !is_granted_pre_vote) {
    BecomeFollower(m.term, is_from_leader ? m.from : kNoNode);
  }
  if (is_from_leader) FollowLeader(m.from);

  switch (m.type) {
    case MessageType::kAppend:
      HandleAppend(std::move(m));
      break;
    case MessageType::kHeartbeat:
      HandleHeartbeat(m);
      break;
    case MessageType::kInstallSnapshot:
      HandleInstallSnapshot(m);
      break;
    case MessageType::kVoteReply:
    case MessageType::kPreVoteReply:
      HandleVoteReply(m);
      break;
    case MessageType::kAppendReply:
      HandleAppendReply(m);
      break;
    case MessageType::kHeartbeatReply:
      HandleHeartbeatReply(m);
      break;
    case MessageType::kReadIndex:
      HandleReadIndex(m);
      break;
    case MessageType::kReadIndexReply:
      HandleReadIndexReply(m);
      break;
    case MessageType::kTimeoutNow:
      HandleTimeoutNow(m);
      break;
    case MessageType::kVote:
    case MessageType::kPreVote:
    case MessageType::kSnapshotStatus:
      break;
  }
}

void Node::Impl::BecomeFollower(Term term, NodeId leader) {
  CHECK_GE(term, term_);
  bool is_other_leader = term != term_ || leader != leader_;
  if (role_ == Role::kLeader || is_other_leader) RefuseReads();
  if (term > term_) {
    term_ = term;
    voted_for_ = kNoNode;
  }
  if (role_ == Role::kLeader) {
    transferee_ = kNoNode;
    lease_start_.reset();
    rounds_.clear();
    uncommitted_.clear();
    uncommitted_bytes_ = 0;
    flush_needed_ = false;
    peers_.clear();
  }
  role_ = Role::kFollower;
  leader_ = leader;
  votes_.clear();
  ResetElectionTimer();
}

void Node::Impl::FollowLeader(NodeId leader) {
  // Two leaders in one term: votes were lost somewhere.
  CHECK(role_ != Role::kLeader);
  CHECK(leader_ == kNoNode || leader_ == leader);
  if (role_ != Role::kFollower || leader_ != leader) BecomeFollower(term_, leader);
  election_elapsed_ = 0;
  leader_silence_ = 0;
}

void Node::Impl::BecomeLeader() {
  CHECK(role_ == Role::kCandidate);
  role_ = Role::kLeader;
  leader_ = id_;
  votes_.clear();
  election_elapsed_ = 0;
  heartbeat_elapsed_ = 0;
  // From here on the own lease counts, not one granted to another.
  leader_silence_ = config_.election_ticks;
  transferee_ = kNoNode;
  timeout_now_sent_ = false;
  lease_blocked_ = false;
  lease_start_.reset();
  rounds_.clear();
  confirmed_round_ = last_round_;
  uncommitted_.clear();
  uncommitted_bytes_ = 0;
  ResetPeers();
  // Entries of earlier terms can be committed only together with one of this term (5.4.2).
  term_start_ = log_.last_index() + 1;
  if (term_start_ == 1) {
    // The first entry of all is the initial membership, which members that join later know from
    // nowhere else.
    AppendConfChange(memberships_.current());
  } else if (!Breaks(Fault::kNoEntryAtTheStartOfTerm)) {
    AppendOwn(EntryType::kNormal, nullptr);
  }
  StartRound();
}

Position Node::Impl::AppendOwn(EntryType type, Payload data) {
  Entry entry{term_, log_.last_index() + 1, type, std::move(data)};
  uncommitted_.push_back({entry.index, entry.Size()});
  uncommitted_bytes_ += entry.Size();
  Position position{entry.term, entry.index};
  log_.Append(std::move(entry));
  flush_needed_ = true;
  return position;
}

Result<Position> Node::Impl::Propose(Payload data) {
  if (role_ != Role::kLeader) return Status(Code::kUnavailable, "not the leader");
  if (transferee_ != kNoNode) return Status(Code::kUnavailable, "leadership is being transferred");
  if (!IsVoter(memberships_.current(), id_)) {
    return Status(Code::kUnavailable, "this node is leaving the cluster");
  }
  size_t size = data ? data->size() : 0;
  // An entry larger than the limit passes alone.
  if (!uncommitted_.empty() && uncommitted_bytes_ + size > config_.max_uncommitted_bytes) {
    return Status(Code::kUnavailable, "too many bytes wait for a majority");
  }
  return AppendOwn(EntryType::kNormal, std::move(data));
}

void Node::Impl::Send(Message m) {
  m.from = id_;
  if (m.term == 0) m.term = term_;
  messages_.push_back(std::move(m));
}

void Node::Impl::SendAfterSync(Message m) {
  m.from = id_;
  if (m.term == 0) m.term = term_;
  messages_after_sync_.push_back(std::move(m));
}

Role Node::Impl::VisibleRole() const {
  // A voter that a joint configuration turns into a learner still votes.
  const Membership& membership = memberships_.current();
  bool is_learner =
      role_ == Role::kFollower && IsLearner(membership, id_) && !IsVoter(membership, id_);
  return is_learner ? Role::kLearner : role_;
}

NodeStatus Node::Impl::GetStatus() const {
  NodeStatus status;
  status.id = id_;
  status.role = VisibleRole();
  status.leader = leader_;
  status.term = term_;
  status.commit_index = commit_;
  status.applied_index = applied_;
  status.first_index = log_.first_index();
  status.last_index = log_.last_index();
  for (const Progress& peer : peers_) {
    status.peers.push_back(
        {peer.id, ProgressStateName(peer.state), peer.match, peer.next, peer.active, peer.learner});
  }
  return status;
}

void Node::Impl::CheckLocalInvariants() {
  LocalState now{.term = term_,
                 .voted_for = voted_for_,
                 .role = role_,
                 .start = log_.start().index,
                 .last = log_.last_index(),
                 .persisted = log_.persisted_index(),
                 .commit = commit_,
                 .handed_out = handed_out_,
                 .applied = applied_};
  CheckLocalStep(checked_, now);
  checked_ = now;
}

Node::Node(const Config& config, const LogReader* log)
    : impl_(std::make_unique<Impl>(config, log)) {}
Node::~Node() = default;

void Node::Tick() {
  impl_->Tick();
  impl_->CheckLocalInvariants();
}

void Node::Step(Message message) {
  impl_->Step(std::move(message));
  impl_->CheckLocalInvariants();
}

Result<Position> Node::Propose(Payload data) {
  Result<Position> position = impl_->Propose(std::move(data));
  impl_->CheckLocalInvariants();
  return position;
}

Result<Position> Node::ProposeConfChange(const Membership& target) {
  Result<Position> position = impl_->ProposeConfChange(target);
  impl_->CheckLocalInvariants();
  return position;
}

void Node::ReadIndex(uint64_t context) { impl_->ReadIndex(context); }

Status Node::TransferLeadership(NodeId target) { return impl_->TransferLeadership(target); }

void Node::Campaign() {
  impl_->CampaignNow();
  impl_->CheckLocalInvariants();
}

bool Node::HasReady() const { return impl_->HasReady(); }

Ready Node::TakeReady() {
  Ready ready = impl_->TakeReady();
  impl_->CheckLocalInvariants();
  return ready;
}

void Node::OnPersisted(uint64_t persist_number) {
  impl_->OnPersisted(persist_number);
  impl_->CheckLocalInvariants();
}

void Node::OnApplied(Index index) {
  impl_->OnApplied(index);
  impl_->CheckLocalInvariants();
}

void Node::OnCompacted(Index index) {
  impl_->OnCompacted(index);
  impl_->CheckLocalInvariants();
}

bool Node::RestoreSnapshot(const SnapshotMetadata& metadata) {
  bool restored = impl_->RestoreSnapshot(metadata);
  impl_->CheckLocalInvariants();
  return restored;
}

void Node::OnSnapshotSent(NodeId peer, bool ok, Index snapshot_index) {
  impl_->OnSnapshotSent(peer, ok, snapshot_index);
}

int Node::lease_remaining_ticks() const { return impl_->LeaseRemaining(); }
NodeId Node::id() const { return impl_->id_; }
Role Node::role() const { return impl_->VisibleRole(); }
NodeId Node::leader() const { return impl_->leader_; }
Term Node::term() const { return impl_->term_; }
Index Node::commit_index() const { return impl_->commit_; }
Index Node::last_index() const { return impl_->log_.last_index(); }
const Membership& Node::membership() const { return impl_->memberships_.current(); }
Index Node::membership_index() const { return impl_->memberships_.current_index(); }
NodeStatus Node::GetStatus() const { return impl_->GetStatus(); }

Result<Membership> Node::MembershipAt(Index index) const {
  if (!impl_->log_.Has(index)) return Status::NotFound();
  return impl_->memberships_.At(index);
}

Result<Term> Node::TermAt(Index index) const {
  if (!impl_->log_.Has(index)) return Status::NotFound();
  return impl_->log_.TermAt(index);
}

}  // namespace metastore::raft
