#include "raft/progress.h"

#include <gtest/gtest.h>

#include <map>

#include "raft/quorum.h"

namespace metastore::raft {
namespace {

TEST(RaftInflightsTest, TheWindowCountsBytesAndMessagesThroughItsRing) {
  Inflights window;
  Index last = 0;
  Index freed = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 7; ++i) window.Add(++last, 10);
    freed += 5;
    window.FreeUpTo(freed);
    EXPECT_EQ(window.count(), last - freed);
    EXPECT_EQ(window.bytes(), 10 * (last - freed));
  }
  window.FreeUpTo(1);
  EXPECT_EQ(window.count(), last - freed);
  window.Clear();
  EXPECT_TRUE(window.empty());
  EXPECT_EQ(window.bytes(), 0u);
}

TEST(RaftProgressTest, Thesis10_2_2_AnAcknowledgementTurnsProbingIntoReplication) {
  Progress p;
  p.next = 10;
  EXPECT_TRUE(p.OnAccepted(9));
  EXPECT_EQ(p.state, ProgressState::kReplicate);
  EXPECT_EQ(p.match, 9u);
  EXPECT_EQ(p.next, 10u);
}

TEST(RaftProgressTest, Thesis10_2_2_ARefusalInReplicationReturnsToTheLastMatch) {
  Progress p;
  p.OnAccepted(5);
  p.next = 20;
  EXPECT_FALSE(p.OnRejected(4, 3));  // stale
  EXPECT_EQ(p.state, ProgressState::kReplicate);
  EXPECT_TRUE(p.OnRejected(19, 7));
  EXPECT_EQ(p.state, ProgressState::kProbe);
  EXPECT_EQ(p.next, 6u);
}

TEST(RaftProgressTest, Section5_3_ARefusalInProbingMovesBackToTheHintAndNotBelowTheMatch) {
  Progress p;
  p.next = 20;
  p.paused = true;
  EXPECT_FALSE(p.OnRejected(15, 3));  // of another probe
  EXPECT_TRUE(p.paused);
  EXPECT_TRUE(p.OnRejected(19, 7));
  EXPECT_EQ(p.next, 8u);
  EXPECT_FALSE(p.paused);
  EXPECT_TRUE(p.OnRejected(7, 100));  // always at least one entry back
  EXPECT_EQ(p.next, 7u);
}

TEST(RaftProgressTest, Section7_AfterASnapshotReplicationContinuesBehindIt) {
  Progress p;
  p.BecomeSnapshot(50);
  EXPECT_TRUE(p.OnAccepted(20));
  EXPECT_EQ(p.state, ProgressState::kSnapshot);
  EXPECT_TRUE(p.OnAccepted(60));
  EXPECT_EQ(p.state, ProgressState::kReplicate);
  EXPECT_EQ(p.next, 61u);
  Progress q;
  q.BecomeSnapshot(50);
  q.BecomeProbe();
  EXPECT_EQ(q.next, 51u);
}

TEST(RaftProgressTest, TwoSilentHeartbeatsAskForTheAppendAgain) {
  Progress p;
  p.OnAccepted(5);
  p.next = 9;
  p.OnHeartbeatReply(1, 8);
  EXPECT_FALSE(p.resend);
  p.OnAccepted(6);
  p.OnHeartbeatReply(2, 8);
  EXPECT_FALSE(p.resend);  // it moved in between
  p.OnHeartbeatReply(3, 8);
  EXPECT_TRUE(p.resend);
}

TEST(RaftQuorumTest, Section5_3_TheMajorityValueIsWhatMoreThanHalfHaveReached) {
  std::map<NodeId, uint64_t> values{{1, 10}, {2, 20}, {3, 30}, {4, 40}, {5, 50}};
  auto value = [&](NodeId id) { return values[id]; };
  EXPECT_EQ(MajorityValue({1}, value), 10u);
  EXPECT_EQ(MajorityValue({1, 2}, value), 10u);
  EXPECT_EQ(MajorityValue({1, 2, 3}, value), 20u);
  EXPECT_EQ(MajorityValue({1, 2, 3, 4}, value), 20u);
  EXPECT_EQ(MajorityValue({1, 2, 3, 4, 5}, value), 30u);
  EXPECT_EQ(MajorityValue({}, value), UINT64_MAX);
  EXPECT_EQ(QuorumValue({{3, 4, 5}, {1, 2, 3}, {}}, value), 20u);
}

TEST(RaftQuorumTest, Thesis4_3_AVoteIsWonOnlyWithBothMajorities) {
  std::map<NodeId, Ballot> ballots;
  auto ballot = [&](NodeId id) { return ballots.count(id) ? ballots[id] : Ballot::kMissing; };
  Membership joint{{1, 2, 3}, {3, 4, 5}, {}};
  ballots[1] = ballots[2] = Ballot::kGranted;
  EXPECT_EQ(QuorumVote(joint, ballot), VoteResult::kPending);
  ballots[4] = ballots[5] = Ballot::kRefused;
  EXPECT_EQ(QuorumVote(joint, ballot), VoteResult::kLost);
  ballots[3] = ballots[4] = Ballot::kGranted;
  EXPECT_EQ(QuorumVote(joint, ballot), VoteResult::kWon);
}

}  // namespace
}  // namespace metastore::raft
