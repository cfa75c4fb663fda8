#include "tests/raft/memory_storage.h"

namespace metastore::raft {

void MemoryStorage::Apply(const DurableWrite& write) {
  if (write.hard_state) {
    CHECK_GE(write.hard_state->term, hard_state_.term);
    hard_state_ = *write.hard_state;
  }
  if (write.snapshot) {
    start_ = {write.snapshot->term, write.snapshot->index};
    start_membership_ = write.snapshot->membership;
    entries_.clear();
  }
  if (write.entries.empty()) return;
  Index first = write.entries.front().index;
  CHECK_GT(first, start_.index);
  CHECK_LE(first, last_index() + 1);
  entries_.resize(first - start_.index - 1);
  entries_.insert(entries_.end(), write.entries.begin(), write.entries.end());
}

void MemoryStorage::Compact(Position upto, const Membership& membership) {
  if (upto.index <= start_.index) return;
  CHECK_LE(upto.index, last_index());
  entries_.erase(entries_.begin(),
                 entries_.begin() + static_cast<ptrdiff_t>(upto.index - start_.index));
  start_ = upto;
  start_membership_ = membership;
}

Config MemoryStorage::MakeConfig(NodeId id, Index applied_index) const {
  Config config;
  config.id = id;
  config.membership = start_membership_;
  config.hard_state = hard_state_;
  config.log_start = start_;
  config.last_index = last_index();
  config.applied_index = applied_index;
  return config;
}

Result<Term> MemoryStorage::TermAt(Index index) const {
  if (index == start_.index) return start_.term;
  if (index < start_.index || index > last_index()) return Status::NotFound();
  return entries_[index - start_.index - 1].term;
}

Result<std::vector<Entry>> MemoryStorage::Read(Index from, Index to, size_t max_bytes) const {
  CHECK_LT(from, to);
  if (from <= start_.index || to > last_index() + 1) return Status::NotFound();
  std::vector<Entry> entries;
  size_t bytes = 0;
  for (Index i = from; i < to; ++i) {
    const Entry& entry = entries_[i - start_.index - 1];
    bytes += entry.Size();
    if (!entries.empty() && bytes > max_bytes) break;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace metastore::raft
