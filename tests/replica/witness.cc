#include "tests/replica/witness.h"

#include <utility>
#include <vector>

#include "tests/replica/collection_load.h"

namespace metastore::replica {
namespace {

// No node has it: nothing that it applies is its own.
constexpr raft::NodeId kNobody = 1000;

}  // namespace

Witness::Witness(const raft::Membership& founders, uint64_t seed)
    : founders_(founders), random_(seed) {
  directories_.push_back(std::make_unique<engine::ScratchDirectory>());
  Open();
}

void Witness::Open() {
  engine::EngineOptions options;
  options.directory = directories_.back()->path();
  options.block_cache_bytes = 1 << 20;
  options.record_cache_bytes = 1 << 20;
  // Small: memtables are flushed by their size, too.
  options.write_buffer_bytes = 256 << 10;
  Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Open(options);
  CHECK_MSG(engine.ok(), engine.ToString());
  engine_ = std::move(*engine);
  machine_ = std::make_unique<StateMachine>(engine_.get(), kNobody, 1, FindDataCommand);
  machine_->AdoptMembership(founders_);
  for (const raft::Entry& entry : entries_) {
    if (entry.index > applied()) Run(entry);
  }
  machine_->Commit();
}

void Witness::Close() {
  machine_.reset();
  engine_.reset();
}

void Witness::Run(const raft::Entry& entry) {
  std::vector<LaneReply> replies;
  machine_->Apply(entry, &replies);
  CHECK(replies.empty());
  // Turns of one entry and of several.
  if (machine_->must_commit() || random_.OneIn(2)) machine_->Commit();
}

void Witness::Apply(const raft::Entry& entry) {
  if (entry.index <= applied()) return;
  CHECK_EQ(entry.index, applied() + 1);
  entries_.push_back(entry);
  Run(entry);
  if (random_.OneIn(100)) {
    machine_->Commit();
    Disturb();
  }
}

void Witness::Disturb() {
  switch (random_.Uniform(5)) {
    case 0:
      CHECK_OK(engine_->Flush());
      entries_.clear();
      return;
    case 1:
      CHECK_OK(engine_->ReclaimSpace());
      return;
    case 2:
      Close();
      return Open();
    case 3: {
      auto killed = std::make_unique<engine::ScratchDirectory>();
      engine::CopyAsAfterKill(directories_.back()->path(), killed->path());
      Close();
      directories_.pop_back();
      directories_.push_back(std::move(killed));
      return Open();
    }
    default: {
      const std::string copy = *directories_.back() / "copy";
      CHECK_OK(engine_->Checkpoint(copy));
      CHECK_OK(engine_->Install(copy));
      machine_->Reload();
    }
  }
}

std::string Witness::Difference(const testing_support::Tables& tables) const {
  machine_->Commit();
  std::unique_ptr<engine::View> view = engine_->NewView(0);
  for (int f = 0; f < engine::kFamilyCount; ++f) {
    const auto family = static_cast<engine::Family>(f);
    testing_support::Table rows;
    auto it = view->NewIterator(family, {}, {});
    for (it->Seek({}); it->Valid(); it->Next()) rows.emplace(it->key(), it->value());
    if (rows == tables[family]) continue;
    return "family " + std::to_string(f) + ", " + std::to_string(rows.size()) +
           " rows instead of " + std::to_string(tables[family].size());
  }
  return "";
}

}  // namespace metastore::replica
