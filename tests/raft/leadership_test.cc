// Reads (thesis 6.4), leases (6.4.1), transfer of leadership (3.10).
#include <gtest/gtest.h>

#include <climits>

#include "tests/raft/test_cluster.h"

namespace metastore::raft {
namespace {

using MT = MessageType;

void NoLease(Config* config) { config->lease_ticks = 0; }

TEST(RaftReadTest, Thesis6_4_AReadIsAnsweredAfterARoundOfHeartbeats) {
  TestCluster c(3, NoLease);
  c.Elect(1);
  c.Write(1, "a");
  c.Isolate(1);
  c[1]->ReadIndex(7);
  c.Settle();
  EXPECT_TRUE(c[1].reads.empty());
  c.Heal();
  c.Tick(1, 1);
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_EQ(c[1].reads[0].context, 7u);
  EXPECT_EQ(c[1].reads[0].index, 2u);
}

TEST(RaftReadTest, Thesis6_4_ARoundSentBeforeTheReadDoesNotServeIt) {
  Alone n({1, 2, 3}, {}, NoLease);
  n.BecomeLeader();
  Message ack = MakeMessage(MT::kAppendReply, 2, 1);
  ack.log_index = 1;
  n.Step(ack);
  uint64_t old_round = Of(n.Tick(1), MT::kHeartbeat).at(0).context;
  n->ReadIndex(1);
  uint64_t new_round = Of(n.Drain(), MT::kHeartbeat).at(0).context;
  Message reply = MakeMessage(MT::kHeartbeatReply, 2, 1);
  reply.context = old_round;
  n.Step(reply);
  EXPECT_TRUE(n.reads.empty());
  reply.context = new_round;
  n.Step(reply);
  EXPECT_EQ(n.reads.size(), 1u);
}

TEST(RaftReadTest, Thesis6_4_ReadsThatWaitShareOneRound) {
  Alone n({1, 2, 3}, {}, NoLease);
  n.BecomeLeader();
  Message ack = MakeMessage(MT::kAppendReply, 2, 1);
  ack.log_index = 1;
  n.Step(ack);
  uint64_t round = Of(n.Tick(1), MT::kHeartbeat).at(0).context;
  Message reply = MakeMessage(MT::kHeartbeatReply, 2, 1);
  reply.context = round;
  n.Step(reply);
  for (uint64_t i = 1; i <= 100; ++i) n->ReadIndex(i);
  std::vector<Message> first = Of(n.Drain(), MT::kHeartbeat);
  EXPECT_EQ(first.size(), 2u);
  // While it is under way, others gather for the next.
  for (uint64_t i = 101; i <= 200; ++i) n->ReadIndex(i);
  EXPECT_TRUE(Of(n.Drain(), MT::kHeartbeat).empty());
  reply.context = first[0].context;
  EXPECT_EQ(Of(n.Step(reply), MT::kHeartbeat).size(), 2u);
  EXPECT_EQ(n.reads.size(), 100u);
}

TEST(RaftReadTest, Thesis6_4_ANewLeaderServesNoReadBeforeItsNoOpIsCommitted) {
  Alone n({1, 2, 3});
  n.Fill(2, 1, {1, 1});
  n.Tick(10);
  n.BecomeLeader();
  n->ReadIndex(1);
  uint64_t round = Of(n.Tick(1), MT::kHeartbeat).at(0).context;
  Message reply = MakeMessage(MT::kHeartbeatReply, 2, n->term());
  reply.context = round;
  n.Step(reply);
  EXPECT_TRUE(n.reads.empty());
  EXPECT_EQ(n->lease_remaining_ticks(), 0);
  Message ack = MakeMessage(MT::kAppendReply, 2, n->term());
  ack.log_index = 3;
  n.Step(ack);
  ASSERT_EQ(n.reads.size(), 1u);
  EXPECT_EQ(n.reads[0].index, 3u);
  EXPECT_EQ(n->lease_remaining_ticks(), 8);
}

TEST(RaftReadTest, Thesis6_4_AFollowerAsksTheLeader) {
  for (bool lease : {true, false}) {
    TestCluster c(3, lease ? TestCluster::Configure() : NoLease);
    c.Elect(1);
    c.Write(1, "a");
    c[2]->ReadIndex(5);
    c[2]->ReadIndex(6);
    c[2].sent.clear();
    c.Settle();
    ASSERT_EQ(c[2].reads.size(), 2u);
    EXPECT_EQ(c[2].reads[1].index, 2u);
    EXPECT_EQ(Of(c[2].sent, MT::kReadIndex).size(), 1u);
  }
}

TEST(RaftReadTest, Thesis6_4_ALostRequestOfAFollowerIsRepeated) {
  TestCluster c(3);
  c.Elect(1);
  c.drop = [](const Message& m) { return m.type == MT::kReadIndex; };
  c[2]->ReadIndex(5);
  c.Settle();
  c.drop = nullptr;
  c.TickAll(3);
  ASSERT_EQ(c[2].reads.size(), 1u);
  EXPECT_GT(c[2].reads[0].index, 0u);
}

TEST(RaftReadTest, Thesis6_4_AReplyToARequestOfAnEarlierRunConfirmsNothing) {
  TestCluster c(3);
  c.Elect(1);
  Message old_reply;
  c.drop = [&](const Message& m) {
    if (m.type == MT::kReadIndexReply) old_reply = m;
    return m.type == MT::kReadIndexReply;
  };
  c[2]->ReadIndex(5);
  c.Settle();
  Message late = old_reply;
  c.Restart(2);
  c.TickAll(2);
  c[2]->ReadIndex(6);
  c.Settle();
  ASSERT_EQ(c[2].reads.size(), 0u);
  c.drop = nullptr;
  c[2]->Step(late);
  c.Drain(2);
  EXPECT_EQ(c[2].reads.size(), 0u);
}

TEST(RaftReadTest, Thesis6_4_WithoutALeaderAReadIsRefused) {
  Alone n({1, 2, 3});
  n->ReadIndex(3);
  n.Drain();
  ASSERT_EQ(n.reads.size(), 1u);
  EXPECT_EQ(n.reads[0].index, 0u);
}

TEST(RaftReadTest, Thesis6_4_ReadsThatWaitAreRefusedWhenLeadershipIsLost) {
  Alone n({1, 2, 3}, {}, NoLease);
  n.BecomeLeader();
  n->ReadIndex(3);
  Message remote = MakeMessage(MT::kReadIndex, 2, 1);
  remote.context = 44;
  n.Step(remote);
  std::vector<Message> sent = n.Step(MakeMessage(MT::kAppendReply, 3, 9));
  ASSERT_EQ(n.reads.size(), 1u);
  EXPECT_EQ(n.reads[0].index, 0u);
  ASSERT_EQ(Of(sent, MT::kReadIndexReply).size(), 1u);
  EXPECT_TRUE(Of(sent, MT::kReadIndexReply)[0].reject);

  Alone follower({1, 2, 3});
  follower.Step(MakeMessage(MT::kHeartbeat, 2, 1));
  follower->ReadIndex(8);
  follower.Drain();
  follower.Step(MakeMessage(MT::kHeartbeat, 3, 2));
  ASSERT_EQ(follower.reads.size(), 1u);
  EXPECT_EQ(follower.reads[0].index, 0u);
}

TEST(RaftReadTest, PastTheLimitReadsAreRefused) {
  Alone n({1, 2, 3}, {}, [](Config* config) {
    config->lease_ticks = 0;
    config->max_pending_reads = 3;
  });
  n.BecomeLeader();
  for (uint64_t i = 1; i <= 5; ++i) n->ReadIndex(i);
  n.Drain();
  ASSERT_EQ(n.reads.size(), 2u);
  EXPECT_EQ(n.reads[0].context, 4u);
  EXPECT_EQ(n.reads[0].index, 0u);
}

TEST(RaftLeaseTest, Thesis6_4_1_TheLeaseCountsFromTheSendingOfTheRound) {
  Alone n({1, 2, 3});
  n.BecomeLeader();
  Message ack = MakeMessage(MT::kAppendReply, 2, 1);
  ack.log_index = 1;
  n.Step(ack);
  EXPECT_EQ(n->lease_remaining_ticks(), 0);
  uint64_t round = Of(n.Tick(1), MT::kHeartbeat).at(0).context;
  n.Tick(3);
  Message reply = MakeMessage(MT::kHeartbeatReply, 2, 1);
  reply.context = round;
  n.Step(reply);
  EXPECT_EQ(n->lease_remaining_ticks(), 5);
  n.Tick(4);
  EXPECT_EQ(n->lease_remaining_ticks(), 1);
  n.Tick(1);
  EXPECT_EQ(n->lease_remaining_ticks(), 0);
}

TEST(RaftLeaseTest, Thesis6_4_1_UnderTheLeaseReadsNeedNoRound) {
  TestCluster c(3);
  c.Elect(1);
  c.TickAll(1);
  c[1].sent.clear();
  c[1]->ReadIndex(1);
  c.Drain(1);
  ASSERT_EQ(c[1].reads.size(), 1u);
  EXPECT_TRUE(c[1].sent.empty());
}

TEST(RaftLeaseTest, Thesis6_4_1_ALeaderCutOffLosesItsLeaseBeforeAnotherCanBeElected) {
  TestCluster c(3);
  c.Elect(1);
  c.TickAll(1);
  c.Isolate(1);
  for (int i = 0; i < 60; ++i) {
    c.TickAll(1);
    if (c[1]->lease_remaining_ticks() > 0) {
      EXPECT_EQ(c.Leader(), 1u);
    }
  }
  EXPECT_NE(c.Leader(), 1u);
}

TEST(RaftLeaseTest, Thesis6_4_1_ASingleVoterNeedsNoLease) {
  TestCluster c(1);
  EXPECT_EQ(c[1]->lease_remaining_ticks(), 0);
  c.Elect(1);
  EXPECT_EQ(c[1]->lease_remaining_ticks(), INT32_MAX);
  c[1]->ReadIndex(1);
  c.Settle();
  EXPECT_EQ(c[1].reads.at(0).index, 1u);
}

TEST(RaftTransferTest, Thesis3_10_LeadershipMovesToTheTargetAtOnce) {
  TestCluster c(3);
  c.Elect(1);
  c.Write(1, "a");
  ASSERT_TRUE(c[1]->TransferLeadership(3).ok());
  c.Settle();
  EXPECT_EQ(c.Leader(), 3u);
  EXPECT_EQ(c[1]->leader(), 3u);
  c.Write(3, "b");
  EXPECT_EQ(c.Applied(1), (std::vector<std::string>{"a", "b"}));
}

TEST(RaftTransferTest, Thesis3_10_ALaggingTargetIsBroughtUpToDateFirst) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(3);
  c.Write(1, "a");
  ASSERT_TRUE(c[1]->TransferLeadership(3).ok());
  c.Settle();
  EXPECT_TRUE(Of(c[1].sent, MT::kTimeoutNow).empty());
  c.Heal();
  c.TickAll(4);
  EXPECT_EQ(c.Leader(), 3u);
  EXPECT_EQ(c.Applied(3), std::vector<std::string>{"a"});
}

TEST(RaftTransferTest,
     Thesis3_10_ProposalsAreRefusedMeanwhileAndItIsGivenUpAfterAnElectionTimeout) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(3);
  c.Write(1, "a");
  ASSERT_TRUE(c[1]->TransferLeadership(3).ok());
  EXPECT_EQ(c[1]->Propose(Data("b")).code(), Code::kUnavailable);
  c.TickAll(9);
  EXPECT_FALSE(c[1]->Propose(Data("b")).ok());
  c.TickAll(1);
  EXPECT_TRUE(c[1]->Propose(Data("b")).ok());
  c.TickAll(1);
  EXPECT_GT(c[1]->lease_remaining_ticks(), 0);  // no TimeoutNow ever left
}

TEST(RaftTransferTest, Thesis6_4_1_AfterATimeoutNowThereIsNoLeaseForTheRestOfTheTerm) {
  TestCluster c(3);
  c.Elect(1);
  c.TickAll(1);
  Message late;
  c.drop = [&](const Message& m) {
    if (m.type == MT::kTimeoutNow) late = m;
    return m.type == MT::kTimeoutNow;
  };
  EXPECT_GT(c[1]->lease_remaining_ticks(), 0);
  ASSERT_TRUE(c[1]->TransferLeadership(2).ok());
  EXPECT_EQ(c[1]->lease_remaining_ticks(), 0);
  c.TickAll(30);
  ASSERT_EQ(c.Leader(), 1u);
  EXPECT_EQ(c[1]->lease_remaining_ticks(), 0);
  // And indeed it may still arrive.
  c.drop = nullptr;
  c[2]->Step(late);
  c.Settle();
  EXPECT_EQ(c.Leader(), 2u);
}

TEST(RaftTransferTest, Thesis3_10_WithoutATargetTheMostCaughtUpVoterTakesOver) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(2);
  c.Write(1, "a");
  ASSERT_TRUE(c[1]->TransferLeadership(kNoNode).ok());
  c.Settle();
  EXPECT_EQ(c.Leader(), 3u);
}

TEST(RaftTransferTest, Thesis3_10_OnlyTheLeaderOfTheTermCanAskForACampaign) {
  Alone n({1, 2, 3});
  n.Step(MakeMessage(MT::kHeartbeat, 2, 3));
  n.Step(MakeMessage(MT::kTimeoutNow, 3, 3));  // of another node
  n.Step(MakeMessage(MT::kTimeoutNow, 2, 2));  // of an earlier term
  EXPECT_EQ(n->role(), Role::kFollower);
  EXPECT_EQ(n->term(), 3u);
  n.Step(MakeMessage(MT::kTimeoutNow, 2, 3));
  EXPECT_EQ(n->role(), Role::kCandidate);
  EXPECT_EQ(n->term(), 4u);
  n.Step(MakeMessage(MT::kTimeoutNow, 2, 3));  // again, late
  EXPECT_EQ(n->term(), 4u);
}

TEST(RaftTransferTest, Thesis3_10_ATargetMustBeAnotherVoter) {
  TestCluster c(1);
  EXPECT_EQ(c[1]->TransferLeadership(1).code(), Code::kUnavailable);
  c.Elect(1);
  EXPECT_TRUE(c[1]->TransferLeadership(1).ok());
  EXPECT_EQ(c[1]->TransferLeadership(9).code(), Code::kInvalidArgument);
  EXPECT_EQ(c[1]->TransferLeadership(kNoNode).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace metastore::raft
