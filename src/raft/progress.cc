#include "raft/progress.h"

#include <algorithm>

#include "base/check.h"

namespace metastore::raft {

std::string_view ProgressStateName(ProgressState state) {
  switch (state) {
    case ProgressState::kProbe:
      return "probe";
    case ProgressState::kReplicate:
      return "replicate";
    case ProgressState::kSnapshot:
      return "snapshot";
  }
  return "unknown";
}

void Inflights::Add(Index last, size_t bytes) {
  if (count_ == ring_.size()) {
    std::vector<Item> larger(std::max<size_t>(8, ring_.size() * 2));
    for (size_t i = 0; i < count_; ++i) larger[i] = ring_[(head_ + i) % ring_.size()];
    ring_ = std::move(larger);
    head_ = 0;
  }
  ring_[(head_ + count_) % ring_.size()] = {last, bytes};
  ++count_;
  bytes_ += bytes;
}

void Inflights::FreeUpTo(Index index) {
  while (count_ > 0 && ring_[head_].last <= index) {
    bytes_ -= ring_[head_].bytes;
    head_ = (head_ + 1) % ring_.size();
    --count_;
  }
}

void Inflights::Clear() {
  head_ = 0;
  count_ = 0;
  bytes_ = 0;
}

void Progress::BecomeProbe() {
  next = state == ProgressState::kSnapshot ? std::max(match, pending_snapshot) + 1 : match + 1;
  state = ProgressState::kProbe;
  commit_sent = std::min(commit_sent, match);
  pending_snapshot = 0;
  paused = false;
  resend = false;
  inflights.Clear();
}

void Progress::BecomeReplicate() {
  state = ProgressState::kReplicate;
  next = match + 1;
  pending_snapshot = 0;
  paused = false;
  resend = false;
  inflights.Clear();
}

void Progress::BecomeSnapshot(Index snapshot_index) {
  state = ProgressState::kSnapshot;
  pending_snapshot = snapshot_index;
  paused = false;
  resend = false;
  inflights.Clear();
}

bool Progress::OnAccepted(Index index) {
  bool news = index > match;
  match = std::max(match, index);
  next = std::max(next, index + 1);
  switch (state) {
    case ProgressState::kProbe:
      // An old acknowledgement says nothing about the append under way.
      if (!news && index != match) return false;
      BecomeReplicate();
      return true;
    case ProgressState::kReplicate:
      inflights.FreeUpTo(index);
      return news;
    case ProgressState::kSnapshot:
      if (match < pending_snapshot) return news;
      BecomeReplicate();
      return true;
  }
  return news;
}

bool Progress::OnRejected(Index rejected, Index candidate) {
  switch (state) {
    case ProgressState::kReplicate:
      if (rejected <= match) return false;
      BecomeProbe();
      return true;
    case ProgressState::kProbe:
      if (rejected != next - 1) return false;
      next = std::max(std::min(rejected, candidate + 1), match + 1);
      paused = false;
      return true;
    case ProgressState::kSnapshot:
      return false;
  }
  return false;
}

void Progress::OnHeartbeatReply(uint64_t round, Index last_index) {
  acked_round = std::max(acked_round, round);
  paused = false;
  if (state == ProgressState::kReplicate && match < last_index && match == match_at_heartbeat) {
    resend = true;
  }
  match_at_heartbeat = match;
}

}  // namespace metastore::raft
