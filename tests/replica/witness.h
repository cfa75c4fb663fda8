// One more replica, on RocksDB: it applies each entry of a simulation once the first of the others
// does, has no part in the consensus, is flushed, checkpointed, closed and killed as it goes, and
// must hold the same bytes as they and answer the same.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "base/random.h"
#include "engine/engine.h"
#include "raft/types.h"
#include "replica/state_machine.h"
#include "tests/engine/scratch.h"
#include "tests/support/memory_engine.h"

namespace metastore::replica {

class Witness {
 public:
  Witness(const raft::Membership& founders, uint64_t seed);

  // Entries that it has are passed over.
  void Apply(const raft::Entry& entry);
  // Of what it has applied.
  raft::Index applied() const { return machine_->applied().index; }
  uint64_t digest() const { return engine_->txn().digest().value(); }
  // Where its records are others than those; empty: nowhere.
  std::string Difference(const testing_support::Tables& tables) const;
  std::unique_ptr<engine::View> NewView(int64_t now_ms) const { return engine_->NewView(now_ms); }

 private:
  void Open();
  void Close();
  void Disturb();
  void Run(const raft::Entry& entry);

  const raft::Membership founders_;
  Random random_;
  std::deque<std::unique_ptr<engine::ScratchDirectory>> directories_;  // the last one is in use
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<StateMachine> machine_;
  std::deque<raft::Entry> entries_;  // those that may have to be applied again
};

}  // namespace metastore::replica
