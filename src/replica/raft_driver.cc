#include "replica/raft_driver.h"

#include <algorithm>

#include "raft/membership.h"

namespace metastore::replica {
namespace {

constexpr uint64_t kMeterStepBytes = 1 << 20;
constexpr size_t kMeterReadBytes = 4 << 20;
// A read round that got no answer is asked again; a message may have been lost.
constexpr int64_t kReadRetryNs = 200'000'000;
constexpr int64_t kPromoteIntervalNs = 100'000'000;
constexpr size_t kMaxChanges = 64;
constexpr int64_t kChangeRetryNs = 50'000'000;

}  // namespace

RaftDriver::RaftDriver(const DriverOptions& options, const raft::LogReader* log, int64_t now_ns,
                       DriverOutputs* out)
    : options_(options),
      log_(log),
      out_(out),
      node_(options.raft, log),
      pending_(options.raft.id, options.incarnation),
      random_(options.seed),
      now_ns_(now_ns),
      last_tick_ns_(now_ns),
      added_(options.added),
      has_entered_(options.has_entered),
      cut_(options.raft.log_start.index, 0),
      compacted_(options.raft.log_start.index) {
  // What earlier runs left counts: or the log would grow with every restart.
  for (raft::Index next = compacted_ + 1; next <= options.raft.last_index;) {
    Result<std::vector<raft::Entry>> entries =
        log->Read(next, options.raft.last_index + 1, kMeterReadBytes);
    CHECK_OK(entries.status());
    MeterLog(*entries);
    next = entries->back().index + 1;
  }
  LookForOwnAddition();
  const raft::Membership& m = options.raft.membership;
  if (has_entered_ && m.voters.size() == 1 && m.voters[0] == options.raft.id &&
      m.voters_outgoing.empty()) {
    node_.Campaign();
  }
}

void RaftDriver::OnTime(int64_t now_ns, int64_t wall_ms) {
  CHECK_GE(now_ns, now_ns_);
  now_ns_ = now_ns;
  wall_ms_ = wall_ms;
  // Every tick that passed is counted, also after a pause: a leader that slept must find its
  // lease gone. More than any timeout makes no difference.
  int64_t missed = (now_ns - last_tick_ns_) / options_.tick_ns;
  int64_t enough = 4 * int64_t{options_.raft.election_ticks};
  if (missed > enough) last_tick_ns_ += (missed - enough) * options_.tick_ns;
  for (; last_tick_ns_ + options_.tick_ns <= now_ns; last_tick_ns_ += options_.tick_ns) {
    if (has_entered_) node_.Tick();
  }
}

void RaftDriver::OnRaftMessage(raft::Message message) {
  if (has_entered_) return node_.Step(std::move(message));
  switch (message.type) {
    case raft::MessageType::kPreVote:
    case raft::MessageType::kVote:
    case raft::MessageType::kTimeoutNow:
      return;
    default:
      node_.Step(std::move(message));
      LookForOwnAddition();
  }
}

bool RaftDriver::OnAdded(raft::Position added) {
  // A peer that is behind may mean an earlier member of this id, such as the founder that it was.
  if (added <= added_.value_or(raft::Position{})) return false;
  added_ = added;
  has_entered_ = false;
  LookForOwnAddition();
  return true;
}

void RaftDriver::LookForOwnAddition() {
  if (has_entered_ || !added_) return;
  const raft::Peer* self = raft::FindPeer(node_.membership(), options_.raft.id);
  has_entered_ = self != nullptr && self->added >= *added_;
}

void RaftDriver::OnForward(std::string_view batch) {
  if (node_.role() != raft::Role::kLeader) return;
  BatchHeader header;
  if (!ReadBatch(batch, &header).ok()) return;
  // A session ends when its node is removed; behind that a batch in the log would begin another.
  if (!raft::IsMember(node_.membership(), header.node)) return;
  forwarded_bytes_ += batch.size();
  forwarded_.emplace_back(batch);
}

void RaftDriver::OnForwardLinkUp(raft::NodeId peer) {
  if (peer == followed_leader_) pending_.Rewind();
}

void RaftDriver::Submit(Lane lane, uint64_t ticket, std::string body, uint32_t count) {
  if (body.size() > kMaxBatchBytes) {
    AnswerExpired({{lane, ticket, 0, BatchOutcome::kNotApplied}}, false);
    return;
  }
  pending_.Add(lane, ticket, std::move(body), count, now_ns_ + options_.request_timeout_ns);
}

void RaftDriver::RequestRead(Lane lane, uint64_t ticket) {
  unasked_.push_back({lane, ticket, now_ns_ + options_.request_timeout_ns});
}

void RaftDriver::OnPersisted(uint64_t persist_number) {
  node_.OnPersisted(persist_number);
  while (!after_sync_.empty() && after_sync_.front().first <= persist_number) {
    for (const raft::Message& m : after_sync_.front().second) out_->SendRaft(m);
    after_sync_.pop_front();
    --writes_under_way_;
  }
}

void RaftDriver::OnApplied(raft::Position position, uint64_t seq) {
  node_.OnApplied(position.index);
  std::vector<ExpiredBatch> none;
  if (pending_.OnApplied(seq, false, &none)) {
    forward_progress_ns_ = now_ns_;
    forward_retry_ns_ = kForwardRetryNs;
  }
}

void RaftDriver::OnInstalled(const raft::SnapshotMetadata& snapshot, uint64_t seq) {
  CHECK(installing_);
  CHECK(awaits_install_);
  installing_ = false;
  awaits_install_ = false;
  std::vector<ExpiredBatch> unknown;
  pending_.OnApplied(seq, true, &unknown);
  AnswerExpired(unknown, true);
  node_.OnApplied(snapshot.index);
  LookForOwnAddition();
  meter_.clear();
  cut_ = {snapshot.index, metered_bytes_};
  compacted_ = snapshot.index;
}

bool RaftDriver::OnSnapshotReceived(const raft::SnapshotMetadata& snapshot) {
  if (awaits_install_ || !node_.RestoreSnapshot(snapshot)) return false;
  awaits_install_ = true;
  return true;
}

void RaftDriver::OnSnapshotSent(raft::NodeId peer, bool ok, raft::Index index) {
  node_.OnSnapshotSent(peer, ok, index);
}

void RaftDriver::OnFlushed(raft::Position flushed, raft::Index keep_after) {
  // Keep log_retain_bytes behind the end; below that, whatever is durable in the state machine
  // may go.
  raft::Position upto = flushed;
  if (metered_bytes_ <= options_.log_retain_bytes) return;
  uint64_t keep_from = metered_bytes_ - options_.log_retain_bytes;
  raft::Index limit = 0;
  for (const auto& [index, bytes] : meter_) {
    if (bytes > keep_from) break;
    limit = index;
  }
  // The word that something is applied may come behind the word that it is flushed.
  upto.index = std::min({upto.index, limit, keep_after, node_.GetStatus().applied_index});
  if (upto.index <= compacted_) return;
  if (upto.index != flushed.index) {
    Result<raft::Term> term = log_->TermAt(upto.index);
    if (!term.ok()) return;
    upto.term = *term;
  }
  Result<raft::Membership> membership = node_.MembershipAt(upto.index);
  if (!membership.ok()) return;
  compacted_ = upto.index;
  out_->Compact(upto, *membership);
}

void RaftDriver::OnCompacted(raft::Index upto) {
  node_.OnCompacted(upto);
  for (; !meter_.empty() && meter_.front().first <= upto; meter_.pop_front()) cut_ = meter_.front();
}

void RaftDriver::TransferLeadership(raft::NodeId target) {
  // Refused when this node does not lead: then there is nothing to hand over.
  (void)node_.TransferLeadership(target).ok();
}

void RaftDriver::ChangeMembership(raft::NodeId origin, uint64_t ticket, MembershipChange change) {
  if (changes_.size() >= kMaxChanges) {
    out_->AnswerChange(origin, ticket, {{Code::kBusy, "too many changes are under way"}, 0});
    return;
  }
  Change added;
  added.origin = origin;
  added.ticket = ticket;
  added.change = std::move(change);
  added.deadline_ns = now_ns_ + options_.request_timeout_ns;
  changes_.push_back(std::move(added));
}

void RaftDriver::OnChangeAnswer(uint64_t ticket, const ChangeResult& result) {
  auto found = std::find_if(changes_.begin(), changes_.end(), [this, ticket](const Change& c) {
    return c.origin == options_.raft.id && c.ticket == ticket && c.sent_at != 0;
  });
  if (found == changes_.end()) return;  // answered by its deadline
  ChangeResult answer = result;
  if (found->again) {
    // The step of the earlier leader is still under way, or it has been made.
    if (result.status.code() == Code::kBusy) {
      found->sent_at = 0;
      found->send_at_ns = now_ns_ + kChangeRetryNs;
      return;
    }
    if (result.status.code() == Code::kNotFound) answer.status = Status::Ok();
  }
  changes_.erase(found);
  out_->AnswerChange(options_.raft.id, ticket, answer);
}

void RaftDriver::PumpChanges() {
  if (node_.role() == raft::Role::kLeader && now_ns_ - last_promote_ns_ >= kPromoteIntervalNs) {
    last_promote_ns_ = now_ns_;
    PromoteLearners();
  }
  if (changes_.empty()) return;
  std::vector<Change> changes;
  changes.swap(changes_);
  for (Change& change : changes) {
    if (PumpChange(change)) {
      out_->AnswerChange(change.origin, change.ticket, change.result);
    } else {
      changes_.push_back(std::move(change));
    }
  }
}

bool RaftDriver::PumpChange(Change& change) {
  if (change.proposed.index != 0) {
    if (node_.commit_index() >= change.proposed.index) {
      Result<raft::Term> term = node_.TermAt(change.proposed.index);
      if (!term.ok() || *term != change.proposed.term) {
        change.result.status = {Code::kUnavailable,
                                "another leader took over and the change was lost"};
      }
      return true;
    }
  } else if (change.handed_over) {
    if (node_.role() != raft::Role::kLeader) return true;
  } else if (node_.role() == raft::Role::kLeader) {
    if (PumpLeaderChange(change)) return true;
  } else if (change.origin != options_.raft.id) {
    change.result.status = {Code::kUnavailable, "the leader has just changed"};
    return true;
  } else if (node_.leader() != raft::kNoNode && change.sent_at != node_.term() &&
             now_ns_ >= change.send_at_ns) {
    // A new leader is asked again: changes that were made already change nothing.
    change.again = change.again || change.sent_at != 0;
    if (change.again && change.change.transfer) {
      if (*change.change.transfer != raft::kNoNode && *change.change.transfer != node_.leader()) {
        change.result.status = {Code::kUnavailable, "another node became the leader"};
      }
      return true;
    }
    change.sent_at = node_.term();
    out_->SendChange(node_.leader(), change.ticket, change.change);
  }
  if (now_ns_ < change.deadline_ns) return false;
  change.result.status = {Code::kUnavailable, change.proposed.index != 0 || change.sent_at != 0
                                                  ? "no quorum in time; the change may still happen"
                                                  : "no leader in time; nothing was changed"};
  return true;
}

bool RaftDriver::PumpLeaderChange(Change& change) {
  if (change.change.transfer) {
    if (*change.change.transfer == options_.raft.id) return true;  // it leads
    Status status = node_.TransferLeadership(*change.change.transfer);
    change.result.status = status;
    change.handed_over = status.ok();
    return !status.ok();
  }
  Result<raft::Membership> target =
      TargetOf(node_.membership(), change.change, {node_.term(), node_.last_index() + 1},
               &change.result.added);
  // This node asked another leader before, which may have done it or be in the middle of it.
  const bool again = change.sent_at != 0;
  if (!target.ok()) {
    if (!again || target.code() != Code::kNotFound) change.result.status = target.status();
    return true;
  }
  Result<raft::Position> proposed = node_.ProposeConfChange(*target);
  if (proposed.ok()) {
    change.proposed = *proposed;
    return false;
  }
  // The term's first entry is on its way, or leadership is: try again until the deadline.
  if (proposed.code() == Code::kUnavailable) return false;
  if (again && proposed.code() == Code::kBusy) return false;
  if (proposed.code() != Code::kAlreadyExists) change.result.status = proposed.status();
  return true;
}

// Thesis 4.2.1: a server that would hold up commits joins the voters only when it has caught up.
void RaftDriver::PromoteLearners() {
  const raft::Index caught_up = promote_at_;
  promote_at_ = node_.commit_index();
  const raft::Membership& current = node_.membership();
  raft::Membership target = current;
  for (const raft::PeerStatus& status : node_.GetStatus().peers) {
    const raft::Peer* peer = raft::FindPeer(current, status.id);
    if (peer == nullptr || !peer->promote || !status.learner || !status.active) continue;
    if (caught_up == 0 || status.match_index < caught_up) continue;
    // Before its log holds its own addition it votes for nobody, and may be needed as soon as it
    // counts.
    if (status.match_index < peer->added.index) continue;
    std::erase(target.learners, status.id);
    target.voters.push_back(status.id);
    for (raft::Peer& changed : target.peers) {
      if (changed.id == status.id) changed.promote = false;
    }
  }
  if (target == current) return;
  // Refused while another change is under way; the next look tries again.
  (void)node_.ProposeConfChange(target).ok();
}

void RaftDriver::Pump() {
  // While a snapshot is installed it is not known here whose replies it swallows.
  if (!installing_) {
    std::vector<ExpiredBatch> expired;
    pending_.Expire(now_ns_, &expired);
    AnswerExpired(expired, false);
  }
  // Obeying a Ready can make the next one possible (a proposal commits at once in a cluster of
  // one that has nothing to sync), so go on until nothing is left to do.
  do {
    FollowLeader();
    PumpChanges();
    AskReads();
    ProposeWaiting();
    ForwardWaiting();
    ObeyReady();
  } while (!installing_ && node_.HasReady());
  PumpChanges();
  if (node_.membership() != told_membership_) {
    told_membership_ = node_.membership();
    out_->OnMembership(*told_membership_);
  }
  GrantConfirmedReads();
  int lease_ticks = node_.lease_remaining_ticks();
  int64_t lease_until = 0;
  if (lease_ticks == INT32_MAX) {
    lease_until = INT64_MAX;
  } else if (lease_ticks > 0) {
    lease_until = last_tick_ns_ + lease_ticks * options_.tick_ns;
  }
  out_->PublishCommit(node_.commit_index());
  out_->PublishLease(lease_until);
}

void RaftDriver::FollowLeader() {
  if (node_.role() != seen_role_ || node_.term() != followed_term_ ||
      node_.leader() != followed_leader_) {
    if (node_.leader() != followed_leader_ && node_.leader() != raft::kNoNode) ++leader_changes_;
    if (node_.role() != seen_role_ || node_.leader() != followed_leader_) {
      out_->OnRoleChange(node_.role(), node_.term(), node_.leader());
    }
    if (node_.role() != seen_role_) promote_at_ = 0;
    seen_role_ = node_.role();
    followed_term_ = node_.term();
    followed_leader_ = node_.leader();
    pending_.Rewind();
    if (seen_role_ != raft::Role::kLeader) {
      // Their nodes see the same change and send them again, to the right leader.
      forwarded_.clear();
      forwarded_bytes_ = 0;
    }
    for (auto& [context, round] : asked_) {
      unasked_.insert(unasked_.end(), round.reads.begin(), round.reads.end());
    }
    asked_.clear();
  }
}

void RaftDriver::ProposeWaiting() {
  // One entry write at a time: what arrives during its fsync makes up the next entry.
  if (node_.role() != raft::Role::kLeader || writes_under_way_ > 0) return;
  if (node_.membership_index() != proposers_at_) DropStrangers();
  const std::string* own = may_propose_own_ ? pending_.Next() : nullptr;
  if (own == nullptr && forwarded_.empty()) return;
  std::string entry;
  BeginEntry(wall_ms_, random_.Next(), &entry);
  const size_t empty = entry.size();
  // Own and forwarded batches take turns, so that no node starves.
  size_t own_taken = 0, forwarded_taken = 0;
  while (own != nullptr || forwarded_taken < forwarded_.size()) {
    bool take_own =
        own != nullptr && (own_taken <= forwarded_taken || forwarded_taken == forwarded_.size());
    const std::string& batch = take_own ? *own : forwarded_[forwarded_taken];
    if (entry.size() > empty && entry.size() + batch.size() > kMaxEntryBytes) break;
    entry += batch;
    if (take_own) {
      pending_.Advance();
      ++own_taken;
      own = pending_.Next();
    } else {
      ++forwarded_taken;
    }
  }
  if (!node_.Propose(std::make_shared<const std::string>(std::move(entry))).ok()) {
    // Leadership is being handed over, or too much is uncommitted: nothing entered the log.
    pending_.Rewind(own_taken);
    return;
  }
  for (; forwarded_taken > 0; --forwarded_taken) {
    forwarded_bytes_ -= forwarded_.front().size();
    forwarded_.pop_front();
  }
}

// What came before a change may not enter the log behind it: see OnForward.
void RaftDriver::DropStrangers() {
  const raft::Membership& membership = node_.membership();
  proposers_at_ = node_.membership_index();
  may_propose_own_ = raft::IsMember(membership, options_.raft.id);
  std::erase_if(forwarded_, [this, &membership](const std::string& batch) {
    BatchHeader header;
    CHECK_OK(ReadBatch(batch, &header));
    if (raft::IsMember(membership, header.node)) return false;
    forwarded_bytes_ -= batch.size();
    return true;
  });
}

void RaftDriver::RetryForwards() {
  if (!pending_.awaits_leader()) {
    forward_progress_ns_ = now_ns_;
    return;
  }
  if (now_ns_ - forward_progress_ns_ < forward_retry_ns_) return;
  forward_progress_ns_ = now_ns_;
  forward_retry_ns_ = std::min(2 * forward_retry_ns_, kMaxForwardRetryNs);
  pending_.Rewind();
}

void RaftDriver::ForwardWaiting() {
  if (followed_leader_ == raft::kNoNode || followed_leader_ == options_.raft.id) return;
  // A leader takes nothing from strangers, so what is not handed over is certainly not applied.
  if (!has_entered_) return;
  RetryForwards();
  std::vector<std::string> batches;
  size_t bytes = 0;
  while (const std::string* batch = pending_.Next()) {
    bytes += batch->size();
    batches.push_back(*batch);
    pending_.Advance();
    if (bytes >= kMaxForwardBytes) {
      out_->SendForward(followed_leader_, std::move(batches));
      batches.clear();
      bytes = 0;
    }
  }
  if (!batches.empty()) out_->SendForward(followed_leader_, std::move(batches));
}

void RaftDriver::AskReads() {
  if (now_ns_ - last_read_retry_ns_ >= kReadRetryNs / 4) {
    last_read_retry_ns_ = now_ns_;
    for (auto it = asked_.begin(); it != asked_.end();) {
      if (now_ns_ - it->second.asked_ns < kReadRetryNs) {
        ++it;
        continue;
      }
      unasked_.insert(unasked_.end(), it->second.reads.begin(), it->second.reads.end());
      it = asked_.erase(it);
    }
    std::erase_if(unasked_, [this](const Read& read) {
      if (read.deadline_ns > now_ns_) return false;
      out_->RefuseRead(read.lane, read.ticket);
      return true;
    });
  }
  if (unasked_.empty() || node_.leader() == raft::kNoNode) return;
  uint64_t context = next_context_++;
  asked_[context] = {std::move(unasked_), now_ns_};
  unasked_.clear();
  node_.ReadIndex(context);
}

void RaftDriver::FinishReads(const std::vector<raft::ReadState>& states) {
  for (const raft::ReadState& state : states) {
    auto it = asked_.find(state.context);
    if (it == asked_.end()) continue;
    // A refused round stays in asked_ and is asked again when its retry time comes.
    if (state.index == 0) continue;
    for (const Read& read : it->second.reads) confirmed_.emplace_back(state.index, read);
    asked_.erase(it);
  }
}

void RaftDriver::GrantConfirmedReads() {
  // What is committed here will be applied here. What is not may never come, if the leader is cut
  // off meanwhile: such a read waits here, where it has a deadline.
  std::erase_if(confirmed_, [this](const std::pair<raft::Index, Read>& waiting) {
    const Read& read = waiting.second;
    if (waiting.first <= node_.commit_index()) {
      out_->GrantRead(waiting.first, read.lane, read.ticket);
    } else if (read.deadline_ns <= now_ns_) {
      out_->RefuseRead(read.lane, read.ticket);
    } else {
      return false;
    }
    return true;
  });
}

void RaftDriver::ObeyReady() {
  if (installing_) return;
  raft::Ready ready;
  if (held_) {
    ready = std::move(*held_);
    held_.reset();
  } else {
    if (!node_.HasReady()) return;
    ready = node_.TakeReady();
    if (ready.snapshot) {
      // The state comes first: a crash in between leaves a state machine ahead of the log, which
      // start-up repairs; the other way round would lose the entries the snapshot stands for.
      installing_ = true;
      out_->Install(*ready.snapshot);
      held_ = std::move(ready);
      return;
    }
  }
  for (const raft::Message& m : ready.messages) {
    if (m.type == raft::MessageType::kInstallSnapshot) {
      out_->SendSnapshot(m.to);
    } else {
      out_->SendRaft(m);
    }
  }
  if (ready.persist_number != 0) {
    MeterLog(ready.entries);
    engine::LogWrite write;
    write.hard_state = ready.hard_state;
    write.entries = std::move(ready.entries);
    write.snapshot = ready.snapshot;
    ++writes_under_way_;
    after_sync_.emplace_back(ready.persist_number, std::move(ready.messages_after_sync));
    out_->Write(ready.persist_number, std::move(write));
  } else {
    // Nothing to write, but earlier writes may be under way that these depend on.
    if (after_sync_.empty()) {
      for (const raft::Message& m : ready.messages_after_sync) out_->SendRaft(m);
    } else {
      auto& waiting = after_sync_.back().second;
      waiting.insert(waiting.end(), ready.messages_after_sync.begin(),
                     ready.messages_after_sync.end());
    }
  }
  if (!ready.committed.empty()) {
    out_->PublishCommit(node_.commit_index());
    out_->Apply(std::move(ready.committed));
  }
  FinishReads(ready.read_states);
}

void RaftDriver::MeterLog(const std::vector<raft::Entry>& entries) {
  for (const raft::Entry& entry : entries) {
    metered_bytes_ += entry.Size();
    if (meter_.empty() || metered_bytes_ - meter_.back().second >= kMeterStepBytes) {
      while (!meter_.empty() && meter_.back().first >= entry.index) meter_.pop_back();
      meter_.emplace_back(entry.index, metered_bytes_);
    }
  }
}

uint64_t RaftDriver::LogBytesBehind(raft::Index index) const {
  if (index >= node_.last_index()) return 0;
  std::pair<raft::Index, uint64_t> from = cut_, to = {node_.last_index(), metered_bytes_};
  auto behind = std::upper_bound(
      meter_.begin(), meter_.end(), index,
      [](raft::Index i, const std::pair<raft::Index, uint64_t>& step) { return i < step.first; });
  if (behind != meter_.begin()) from = *std::prev(behind);
  if (behind != meter_.end()) to = *behind;
  if (index <= from.first || to.first <= from.first) return metered_bytes_ - from.second;
  uint64_t share = (to.second - from.second) * (index - from.first) / (to.first - from.first);
  return metered_bytes_ - from.second - share;
}

void RaftDriver::AnswerExpired(const std::vector<ExpiredBatch>& expired, bool lost) {
  for (const ExpiredBatch& batch : expired) {
    BatchReply reply;
    reply.ticket = batch.ticket;
    reply.outcome = batch.outcome;
    if (lost) {
      out_->AnswerLost(batch.lane, std::move(reply));
    } else {
      out_->Answer(batch.lane, batch.seq, std::move(reply));
    }
  }
}

void RaftDriver::Abandon() {
  for (const Change& change : std::exchange(changes_, {})) {
    out_->AnswerChange(change.origin, change.ticket,
                       {{Code::kUnavailable, "the node is stopping"}, 0});
  }
  std::vector<ExpiredBatch> expired;
  pending_.ExpireAll(&expired);
  AnswerExpired(expired, false);
  for (auto& [context, round] : asked_) {
    unasked_.insert(unasked_.end(), round.reads.begin(), round.reads.end());
  }
  asked_.clear();
  for (const auto& [index, read] : confirmed_) unasked_.push_back(read);
  confirmed_.clear();
  for (const Read& read : unasked_) out_->RefuseRead(read.lane, read.ticket);
  unasked_.clear();
}

}  // namespace metastore::replica
