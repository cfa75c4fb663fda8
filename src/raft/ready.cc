// What leaves the node in a Ready, and what comes back from the disk and the state machine.
#include <algorithm>
#include <utility>

#include "raft/node_impl.h"

namespace metastore::raft {

bool Node::Impl::HasHardStateToWrite() const {
  return term_ != written_.term || voted_for_ != written_.voted_for;
}

bool Node::Impl::HasCommittedToHandOut() const {
  // Only what is on the own disk: the state machine never runs ahead of the own log, so a restart
  // finds every entry that the state machine holds.
  return handed_out_ < std::min(commit_, log_.persisted_index()) &&
         (unapplied_.empty() || unapplied_bytes_ < config_.max_unapplied_bytes);
}

bool Node::Impl::HasReady() const {
  if (!messages_.empty() || !read_states_.empty() || flush_needed_) return true;
  if (HasHardStateToWrite() || log_.HasUnwritten() || unwritten_snapshot_) return true;
  if (!messages_after_sync_.empty() && writes_.empty()) return true;
  if (HasCommittedToHandOut()) return true;
  if (role_ == Role::kLeader && leader_reads_.NeedsRound(confirmed_round_)) return true;
  if (follower_reads_.HasUnasked()) return true;
  return told_ != SoftState{VisibleRole(), leader_};
}

Ready Node::Impl::TakeReady() {
  if (role_ == Role::kLeader) {
    if (leader_reads_.NeedsRound(confirmed_round_)) StartRound();
    if (flush_needed_) FlushAppends();
    StepDownIfRemoved();
  }
  if (follower_reads_.HasUnasked()) AskLeaderForReads();

  Ready ready;
  ready.messages.swap(messages_);
  bool has_write = HasHardStateToWrite() || log_.HasUnwritten() || unwritten_snapshot_.has_value();
  if (has_write) {
    ready.persist_number = ++last_write_;
    ready.snapshot = std::exchange(unwritten_snapshot_, std::nullopt);
    ready.entries = log_.TakeUnwritten(last_write_);
    // The commit index is only a hint: it is written along, never alone.
    HardState hard_state{term_, voted_for_, commit_};
    if (hard_state != written_) {
      ready.hard_state = hard_state;
      written_ = hard_state;
    }
    writes_.push_back({last_write_, term_, voted_for_});
  }
  // Without a write of its own this Ready would let them pass writes that are under way: they wait
  // for the last of those, or for the next Ready with a write.
  if (has_write || writes_.empty()) ready.messages_after_sync.swap(messages_after_sync_);

  if (HasCommittedToHandOut()) TakeCommitted(&ready);
  ready.read_states.swap(read_states_);
  SoftState soft_state{VisibleRole(), leader_};
  if (soft_state != told_) {
    told_ = soft_state;
    ready.soft_state = soft_state;
  }
  return ready;
}

void Node::Impl::BringIntoForce(const std::vector<Entry>& committed) {
  for (const Entry& entry : committed) {
    if (entry.type != EntryType::kConfChange || entry.index <= memberships_.current_index()) {
      continue;
    }
    memberships_.Append(entry.index, MembershipOf(entry));
    OnMembershipChanged();
    OnMembershipCommitted();
  }
}

void Node::Impl::TakeCommitted(Ready* ready) {
  Index end = std::min(commit_, log_.persisted_index()) + 1;
  size_t budget = std::min(
      config_.max_apply_bytes,
      config_.max_unapplied_bytes - std::min(unapplied_bytes_, config_.max_unapplied_bytes));
  size_t bytes = 0;
  while (handed_out_ + 1 < end && (ready->committed.empty() || bytes < budget)) {
    Result<std::vector<Entry>> entries =
        log_.Read(handed_out_ + 1, end, std::max(budget, bytes) - bytes);
    CHECK_OK(entries.status());
    CHECK(!entries->empty());
    CHECK_EQ(entries->front().index, handed_out_ + 1);
    size_t read_bytes = 0;
    for (const Entry& entry : *entries) read_bytes += entry.Size();
    // One entry comes whatever its size; behind others it must fit.
    if (!ready->committed.empty() && bytes + read_bytes > budget) break;
    bytes += read_bytes;
    handed_out_ = entries->back().index;
    if (Breaks(Fault::kChangeInForceAtCommit)) BringIntoForce(*entries);
    if (ready->committed.empty()) {
      ready->committed = std::move(*entries);
    } else {
      ready->committed.insert(ready->committed.end(), std::make_move_iterator(entries->begin()),
                              std::make_move_iterator(entries->end()));
    }
  }
  unapplied_.push_back({handed_out_, bytes});
  unapplied_bytes_ += bytes;
}

void Node::Impl::OnPersisted(uint64_t number) {
  CHECK_LE(number, last_write_);
  while (!writes_.empty() && writes_.front().number <= number) {
    durable_term_ = writes_.front().term;
    durable_vote_ = writes_.front().voted_for;
    writes_.pop_front();
  }
  log_.OnPersisted(number);
  if (role_ == Role::kCandidate && durable_term_ == term_ && durable_vote_ == id_) {
    RecordVote(id_, true);
  }
  if (role_ == Role::kLeader) MaybeCommit();
}

void Node::Impl::OnApplied(Index index) {
  CHECK_LE(index, handed_out_);
  applied_ = std::max(applied_, index);
  while (!unapplied_.empty() && unapplied_.front().last <= applied_) {
    unapplied_bytes_ -= unapplied_.front().bytes;
    unapplied_.pop_front();
  }
}

void Node::Impl::OnCompacted(Index index) {
  CHECK_LE(index, applied_);
  if (index <= log_.start().index) return;
  log_.Compact(index);
  memberships_.Compact(index);
}

bool Node::Impl::RestoreSnapshot(const SnapshotMetadata& metadata) {
  if (metadata.index <= commit_ || role_ == Role::kLeader) return false;
  Position position{metadata.term, metadata.index};
  if (log_.Matches(position)) {
    // The log has it all, and perhaps acknowledged entries beyond it: nothing may be thrown away.
    // A snapshot holds only what is committed.
    SetCommit(metadata.index);
    return false;
  }
  // The snapshot travels apart from the messages of its leader and may come before any of them. The
  // log must not end in a term that this node has not entered: neither a restart nor a vote of it
  // would make sense.
  if (metadata.term > term_ || role_ != Role::kFollower) {
    BecomeFollower(std::max(metadata.term, term_), kNoNode);
  }
  log_.Restore(position);
  memberships_.Restore(metadata.index, metadata.membership);
  commit_ = metadata.index;
  handed_out_ = metadata.index;
  unapplied_.clear();
  unapplied_bytes_ = 0;
  unwritten_snapshot_ = metadata;
  if (leader_ != kNoNode) {
    Message reply;
    reply.type = MessageType::kAppendReply;
    reply.to = leader_;
    reply.log_index = metadata.index;
    SendAfterSync(std::move(reply));
  }
  return true;
}

}  // namespace metastore::raft
