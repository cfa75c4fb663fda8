// RecoverLog, on a real engine and a real log.
#include <gtest/gtest.h>

#include <memory>

#include "engine/engine.h"
#include "engine/log_store.h"
#include "engine/system_keys.h"
#include "replica/threaded_replica.h"
#include "tests/engine/scratch.h"

namespace metastore::replica {
namespace {

const raft::Membership kSnapshotMembership{{1, 2, 3, 4}, {}, {5}, {}};

class RecoverTest : public testing::Test {
 protected:
  RecoverTest() {
    Result<std::unique_ptr<engine::Engine>> engine =
        engine::Engine::Open({.directory = scratch_.path()});
    CHECK_OK(engine.status());
    engine_ = std::move(*engine);
    Result<std::unique_ptr<engine::LogStore>> log =
        engine::LogStore::Open({.directory = scratch_.path()});
    CHECK_OK(log.status());
    log_ = std::move(*log);
    CHECK_OK(log_->Bootstrap({.voters = {1, 2, 3}, .voters_outgoing = {}, .learners = {}}));
  }

  void WriteLog(raft::Term term, raft::Index last, raft::Index commit) {
    engine::LogWrite write;
    write.hard_state = raft::HardState{term, 2, commit};
    for (raft::Index i = 1; i <= last; ++i) {
      write.entries.push_back({term, i, raft::EntryType::kNormal, nullptr});
    }
    CHECK_OK(log_->Append(write));
  }
  // The state machine as an installed snapshot leaves it.
  void WriteApplied(raft::Position applied) {
    engine_->txn().Put(engine::Family::kSystem, engine::kAppliedKey,
                       engine::EncodeApplied({applied.index, applied.term, 0, 0}));
    std::string membership(8, '\0');  // brought by index 0
    membership += raft::EncodeMembership(kSnapshotMembership);
    engine_->txn().Put(engine::Family::kSystem, engine::kMembershipKey, membership);
    engine_->Commit();
    CHECK_OK(engine_->Flush());
  }
  raft::Config Recover() {
    raft::Config config;
    CHECK_OK(RecoverLog(*engine_, log_.get(), &config));
    return config;
  }

  engine::ScratchDirectory scratch_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::LogStore> log_;
};

TEST_F(RecoverTest, ALogThatGoesOnBehindTheStateMachineIsKept) {
  WriteLog(2, 10, 6);
  WriteApplied({2, 5});
  raft::Config config = Recover();
  EXPECT_EQ(config.last_index, 10u);
  EXPECT_EQ(config.applied_index, 5u);
  EXPECT_EQ(config.hard_state, (raft::HardState{2, 2, 6}));
}

TEST_F(RecoverTest, ALogThatEndsBeforeAnInstalledSnapshotRestartsBehindIt) {
  WriteLog(2, 10, 6);
  WriteApplied({3, 15});
  raft::Config config = Recover();
  EXPECT_EQ(config.log_start, (raft::Position{3, 15}));
  EXPECT_EQ(config.membership, kSnapshotMembership);
  EXPECT_EQ(config.last_index, 15u);
  EXPECT_EQ(config.hard_state, (raft::HardState{3, raft::kNoNode, 15}));
}

// The log is longer than the snapshot, but with entries that never were committed.
TEST_F(RecoverTest, ALogThatContradictsAnInstalledSnapshotRestartsBehindIt) {
  WriteLog(2, 10, 6);
  WriteApplied({3, 8});
  raft::Config config = Recover();
  EXPECT_EQ(config.log_start, (raft::Position{3, 8}));
  EXPECT_EQ(config.last_index, 8u);
  EXPECT_EQ(config.hard_state, (raft::HardState{3, raft::kNoNode, 8}));
}

// Without its term a node has forgotten its votes, too: it could vote twice.
TEST_F(RecoverTest, ALostLogBesideAStateMachineStopsTheStart) {
  WriteApplied({3, 8});
  raft::Config config;
  Status status = RecoverLog(*engine_, log_.get(), &config);
  EXPECT_EQ(status.code(), Code::kCorruption);
  EXPECT_NE(status.message().find("the Raft log has no term"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace metastore::replica
