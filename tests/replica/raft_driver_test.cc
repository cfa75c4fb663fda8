#include "replica/raft_driver.h"

#include <gtest/gtest.h>

#include "raft/membership.h"

namespace metastore::replica {
namespace {

// A driver whose disk and state machine are done with everything at once.
class Leader : public DriverOutputs, public raft::LogReader {
 public:
  Leader() {
    DriverOptions options;
    options.raft.id = 1;
    options.raft.membership = {{1}, {}, {}, {{1, "http://node:1", false, {}}}};
    driver_ = std::make_unique<RaftDriver>(options, this, now_ns_, this);
  }
  RaftDriver& driver() { return *driver_; }

  // 10 ms pass, and node 2 says that its log holds what the leader's does up to `match`.
  void Turn(raft::Index match = 0) {
    now_ns_ += 10'000'000;
    driver_->OnTime(now_ns_, now_ns_ / 1'000'000);
    if (match > 0) {
      raft::Message reply;
      reply.type = raft::MessageType::kAppendReply;
      reply.from = 2;
      reply.to = 1;
      reply.term = driver_->node().term();
      reply.log_index = match;
      driver_->OnRaftMessage(std::move(reply));
    }
    driver_->Pump();
    for (uint64_t number : std::exchange(written_, {})) driver_->OnPersisted(number);
    driver_->Pump();
    if (applied_.index > 0) driver_->OnApplied(applied_, 0);
  }

  Result<raft::Term> TermAt(raft::Index index) const override {
    if (index == 0) return raft::Term{0};
    if (index > entries_.size()) return Status::NotFound();
    return entries_[index - 1].term;
  }
  Result<std::vector<raft::Entry>> Read(raft::Index from, raft::Index to, size_t) const override {
    if (from == 0 || to > entries_.size() + 1) return Status::NotFound();
    return std::vector<raft::Entry>(entries_.begin() + static_cast<ptrdiff_t>(from - 1),
                                    entries_.begin() + static_cast<ptrdiff_t>(to - 1));
  }
  void Write(uint64_t persist_number, engine::LogWrite write) override {
    for (raft::Entry& entry : write.entries) {
      CHECK_EQ(entry.index, entries_.size() + 1);
      entries_.push_back(std::move(entry));
    }
    written_.push_back(persist_number);
  }
  void Apply(std::vector<raft::Entry> entries) override {
    applied_ = {entries.back().term, entries.back().index};
  }
  void SendRaft(const raft::Message&) override {}
  void SendForward(raft::NodeId, std::vector<std::string>) override {}
  void GrantRead(raft::Index, Lane, uint64_t) override {}
  void RefuseRead(Lane, uint64_t) override {}
  void Answer(Lane, uint64_t, BatchReply) override {}
  void AnswerLost(Lane, BatchReply) override {}
  void PublishCommit(raft::Index) override {}
  void PublishLease(int64_t) override {}
  void SendSnapshot(raft::NodeId) override {}
  void Install(const raft::SnapshotMetadata&) override {}
  void Compact(raft::Position, const raft::Membership&) override {}
  void OnMembership(const raft::Membership&) override {}
  void SendChange(raft::NodeId, uint64_t, const MembershipChange&) override {}
  void AnswerChange(raft::NodeId, uint64_t, const ChangeResult&) override {}
  void OnRoleChange(raft::Role, raft::Term, raft::NodeId) override {}

 private:
  int64_t now_ns_ = 1'000'000'000;
  std::vector<raft::Entry> entries_;
  std::vector<uint64_t> written_;
  raft::Position applied_;
  std::unique_ptr<RaftDriver> driver_;
};

// Before that it votes for nobody, so a leader that counted it and restarted would never lead again
// (seed 3576 of the simulation).
TEST(RaftDriverTest, ALearnerBecomesAVoterOnlyWhenItsLogHoldsItsAddition) {
  Leader leader;
  for (int i = 0; i < 25; ++i) leader.Turn();
  const raft::Node& node = leader.driver().node();
  ASSERT_EQ(node.role(), raft::Role::kLeader);
  const raft::Index before = node.commit_index();
  ASSERT_GT(before, 0u);
  leader.driver().ChangeMembership(1, 1, {{{2, "http://node:2", false}}, {}, {}, {}});
  for (int i = 0; i < 30; ++i) leader.Turn(before);
  ASSERT_TRUE(raft::IsLearner(node.membership(), 2));
  const raft::Index addition = node.membership_index();
  ASSERT_EQ(node.commit_index(), addition);
  for (int i = 0; i < 30; ++i) leader.Turn(addition);
  EXPECT_TRUE(raft::IsVoter(node.membership(), 2));
}

}  // namespace
}  // namespace metastore::replica
