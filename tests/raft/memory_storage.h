// The durable side of a node in memory: what a restart finds. Writes are applied whole, as the
// real store's batches are.
#pragma once

#include <optional>
#include <vector>

#include "raft/node.h"

namespace metastore::raft {

struct DurableWrite {
  uint64_t number = 0;
  std::optional<HardState> hard_state;
  std::vector<Entry> entries;
  std::optional<SnapshotMetadata> snapshot;
};

class MemoryStorage : public LogReader {
 public:
  void Bootstrap(const Membership& membership) { start_membership_ = membership; }
  void Apply(const DurableWrite& write);
  void Compact(Position upto, const Membership& membership);

  // For a node that starts on this storage.
  Config MakeConfig(NodeId id, Index applied_index) const;

  const HardState& hard_state() const { return hard_state_; }
  Position start() const { return start_; }
  Index last_index() const { return start_.index + entries_.size(); }
  const std::vector<Entry>& entries() const { return entries_; }

  Result<Term> TermAt(Index index) const override;
  Result<std::vector<Entry>> Read(Index from, Index to, size_t max_bytes) const override;

 private:
  HardState hard_state_;
  Position start_;
  Membership start_membership_;
  std::vector<Entry> entries_;
};

}  // namespace metastore::raft
