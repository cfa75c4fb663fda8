// Changes of membership: thesis 4.
#include "raft/membership.h"

#include <gtest/gtest.h>

#include "tests/raft/test_cluster.h"

namespace metastore::raft {
namespace {

using MT = MessageType;
using Ids = std::vector<NodeId>;

TEST(RaftMembershipTest, TheBytesOfAChangeAreFixed) {
  Membership m{{1, 300}, {2}, {}};
  std::string bytes = EncodeMembership(m);
  EXPECT_EQ(bytes, std::string("\x02\x02\x01\xac\x02\x01\x02\x00\x00", 9));
  EXPECT_EQ(*DecodeMembership(bytes), m);
  m.peers = {{1, "http://h:1", false, {}}, {2, "", true, {5, 300}}};
  bytes = EncodeMembership(m);
  EXPECT_EQ(bytes.substr(8),
            std::string("\x02\x01\x00\x00\x00\x0ahttp://h:1\x02\x01\x05\xac\x02\x00", 22));
  EXPECT_EQ(*DecodeMembership(bytes), m);
}

TEST(RaftMembershipTest, DamagedBytesOfAChangeAreRefused) {
  std::string bytes = EncodeMembership({{1, 2, 3}, {4}, {5}, {{1, "u", false}}});
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_EQ(DecodeMembership(std::string_view(bytes).substr(0, n)).code(), Code::kCorruption);
  }
  EXPECT_EQ(DecodeMembership(bytes + "x").code(), Code::kCorruption);
  EXPECT_EQ(DecodeMembership("\x03" + bytes.substr(1)).code(), Code::kCorruption);
  EXPECT_EQ(DecodeMembership("\x02\xff\xff\xff\xff\x0f").code(), Code::kCorruption);
}

TEST(RaftMembershipTest, AddressesStayWithMembersAndGoWithThem) {
  const Membership current{{1, 2, 3}, {}, {}, {{1, "a"}, {2, "b"}, {3, "c"}}};
  Membership target{{1, 4, 5}, {}, {}, {{5, "e"}, {4, "d"}, {1, "a"}, {2, "b"}}};
  ASSERT_TRUE(CheckTarget(&target).ok());
  EXPECT_EQ(target.peers, (std::vector<Peer>{{1, "a"}, {4, "d"}, {5, "e"}}));
  Membership joint = FirstStep(current, target);
  EXPECT_EQ(joint.peers, (std::vector<Peer>{{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}, {5, "e"}}));
  EXPECT_EQ(LeaveJoint(joint), target);
}

TEST(RaftMembershipTest, Thesis4_1_TheHistoryFollowsTheLog) {
  MembershipHistory history(0, {{1}, {}, {}});
  history.Append(3, {{1, 2}, {}, {}});
  history.Append(7, {{2}, {}, {}});
  EXPECT_EQ(history.At(2).voters, Ids{1});
  EXPECT_EQ(history.At(3).voters, (Ids{1, 2}));
  EXPECT_EQ(history.At(100).voters, Ids{2});
  EXPECT_FALSE(history.Truncate(8));
  EXPECT_TRUE(history.Truncate(7));
  EXPECT_EQ(history.current_index(), 3u);
  history.Compact(5);
  EXPECT_EQ(history.At(5).voters, (Ids{1, 2}));
  EXPECT_FALSE(history.Truncate(1));
}

TEST(RaftMembershipTest, Thesis4_1_ASingleVoterIsAddedWithoutAJointConfiguration) {
  TestCluster c(3);
  c.Elect(1);
  c.AddNode(4);
  ASSERT_TRUE(c[1]->ProposeConfChange({{4, 3, 2, 1}, {}, {}}).ok());
  c.Settle();
  c.TickAll(3);
  for (NodeId id : {1, 2, 3, 4}) {
    EXPECT_EQ(c[id]->membership(), (Membership{{1, 2, 3, 4}, {}, {}})) << id;
  }
  EXPECT_EQ(c[1]->commit_index(), 2u);
  c.Write(1, "a");
  EXPECT_EQ(c.Applied(4), std::vector<std::string>{"a"});
}

TEST(RaftMembershipTest, Thesis4_1_AConfigurationIsInForceWhenItIsAppended) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2}, {}, {3}}).ok());
  EXPECT_EQ(c[1]->membership().voters, (Ids{1, 2}));
}

TEST(RaftMembershipTest, Thesis4_1_AChangeThatIsLostIsTakenBack) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2}, {}, {}}).ok());
  c.Settle();
  c.TickAll(40);
  ASSERT_NE(c.Leader(), 1u);
  c.Heal();
  c.TickAll(5);
  EXPECT_EQ(c[1]->membership().voters, (Ids{1, 2, 3}));
}

TEST(RaftMembershipTest, Thesis4_1_OneChangeAtATime) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2}, {}, {}}).ok());
  EXPECT_EQ(c[1]->ProposeConfChange({{1, 3}, {}, {}}).code(), Code::kBusy);
  c.Heal();
  c.TickAll(3);
  EXPECT_TRUE(c[1]->ProposeConfChange({{1}, {}, {}}).ok());
}

TEST(RaftMembershipTest, Thesis4_1_NoChangeBeforeAnEntryOfTheTermIsCommitted) {
  Alone n({1, 2, 3});
  n.BecomeLeader();
  EXPECT_EQ(n->ProposeConfChange({{1, 2}, {}, {}}).code(), Code::kUnavailable);
  Message ack = MakeMessage(MT::kAppendReply, 2, 1);
  ack.log_index = 1;
  n.Step(ack);
  EXPECT_TRUE(n->ProposeConfChange({{1, 2}, {}, {}}).ok());
}

TEST(RaftMembershipTest, Thesis4_3_SeveralVotersChangeThroughAJointConfigurationThatEndsByItself) {
  TestCluster c(3);
  c.Elect(1);
  for (NodeId id : {4, 5}) c.AddNode(id);
  bool was_joint = false;
  c.drop = [&](const Message& m) {
    was_joint = was_joint || IsJoint(c[1]->membership());
    return m.from == 0;
  };
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 4, 5}, {}, {2}}).ok());
  c.Settle();
  c.TickAll(3);
  EXPECT_TRUE(was_joint);
  for (NodeId id : {1, 2, 4, 5}) {
    EXPECT_EQ(c[id]->membership(), (Membership{{1, 4, 5}, {}, {2}})) << id;
  }
  EXPECT_EQ(c[2]->role(), Role::kLearner);
}

TEST(RaftMembershipTest, Thesis4_3_AJointDecisionNeedsBothMajorities) {
  for (const Ids& unreachable : {Ids{4, 5}, Ids{2, 3}}) {
    TestCluster c(3);
    c.Elect(1);
    for (NodeId id : {4, 5}) c.AddNode(id);
    for (NodeId id : unreachable) c.Isolate(id);
    ASSERT_TRUE(c[1]->ProposeConfChange({{1, 4, 5}, {}, {}}).ok());
    c.Settle();
    EXPECT_TRUE(IsJoint(c[1]->membership()));
    c.Write(1, "a");
    EXPECT_EQ(c[1]->commit_index(), 1u);
    c.Heal();
    c.TickAll(5);
    EXPECT_EQ(c[1]->commit_index(), 4u);
    EXPECT_FALSE(IsJoint(c[1]->membership()));
  }
}

TEST(RaftMembershipTest, Thesis4_3_AVoterOnItsWayToALearnerVotesUntilTheJointConfigurationEnds) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 4}, {}, {2, 3}}).ok());
  c.Drain(1);
  EXPECT_EQ(c[1]->membership(), (Membership{{1, 4}, {1, 2, 3}, {2, 3}}));
  c.Heal();
  c.AddNode(4);
  c.Isolate(4);
  c.TickAll(3);
  EXPECT_EQ(c[2]->membership(), (Membership{{1, 4}, {1, 2, 3}, {2, 3}}));
  EXPECT_EQ(c[2]->role(), Role::kFollower);
  c.Heal();
  c.TickAll(3);
  EXPECT_EQ(c[2]->membership(), (Membership{{1, 4}, {}, {2, 3}}));
  EXPECT_EQ(c[2]->role(), Role::kLearner);
}

TEST(RaftMembershipTest, Thesis4_3_ANewLeaderFinishesTheJointConfigurationOfTheOldOne) {
  TestCluster c(3);
  c.Elect(1);
  for (NodeId id : {4, 5}) c.AddNode(id);
  c.drop = [](const Message& m) {  // nothing is acknowledged, so nothing is committed
    return m.type == MT::kAppendReply || m.type == MT::kHeartbeatReply;
  };
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 4, 5}, {}, {}}).ok());
  c.Settle();
  c.Settle();
  c.TickAll(2);
  ASSERT_TRUE(IsJoint(c[2]->membership()));
  c.Isolate(1);
  c.drop = nullptr;
  c.TickAll(60);
  NodeId leader = c.Leader();
  ASSERT_NE(leader, kNoNode);
  c.Heal();
  c.TickAll(60);
  EXPECT_EQ(c[c.Leader()]->membership(), (Membership{{1, 4, 5}, {}, {}}));
}

TEST(RaftMembershipTest, Thesis4_2_2_ARemovedLeaderStepsDownWhenItsRemovalIsCommitted) {
  TestCluster c(3);
  c.Elect(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{2, 3}, {}, {}}).ok());
  EXPECT_EQ(c[1]->role(), Role::kLeader);
  c.Settle();
  EXPECT_EQ(c[1]->role(), Role::kFollower);
  EXPECT_NE(c.Leader(), kNoNode);  // handed over, no timeout needed
  EXPECT_NE(c.Leader(), 1u);
  Term term = c[c.Leader()]->term();
  c.TickAll(60);
  EXPECT_EQ(c[c.Leader()]->term(), term);  // it does not disturb
}

TEST(RaftMembershipTest, Thesis4_2_2_ARemovedLeaderDoesNotCountItself) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(3);
  ASSERT_TRUE(c[1]->ProposeConfChange({{2, 3}, {}, {}}).ok());
  c.Settle();
  EXPECT_EQ(c[1]->commit_index(), 1u);  // 1 and 2 hold it, but 1 is no voter any more
}

TEST(RaftMembershipTest, Thesis4_2_2_ANodeRemovedByAnUncommittedChangeStillCampaigns) {
  TestCluster c(2);
  c.Elect(1);
  c.Isolate(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{2}, {}, {}}).ok());
  c.Settle();
  c.Restart(1);
  c.Heal();
  c.TickAll(60);
  // Only node 1 has the change, and node 2 cannot be elected without its vote.
  EXPECT_EQ(c.Leader(), 2u);
  EXPECT_EQ(c[2]->membership().voters, Ids{2});
}

TEST(RaftMembershipTest, Thesis4_2_1_ALearnerReceivesEverythingAndDecidesNothing) {
  TestCluster c(3);
  c.Elect(1);
  c.AddNode(4);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2, 3}, {}, {4}}).ok());
  c.Settle();
  c.TickAll(3);
  EXPECT_EQ(c[4]->role(), Role::kLearner);
  c.Isolate(2);
  c.Isolate(3);
  ASSERT_TRUE(c[1]->Propose(Data("a")).ok());
  c.Settle();
  EXPECT_EQ(c[4]->last_index(), 3u);
  EXPECT_TRUE(c.Applied(1).empty());
  c.Heal();
  c.TickAll(3);
  EXPECT_EQ(c.Applied(4), std::vector<std::string>{"a"});
  c[4]->ReadIndex(1);
  c.Settle();
  EXPECT_EQ(c[4].reads.at(0).index, 3u);
}

TEST(RaftMembershipTest, Thesis4_2_1_APromotedLearnerCounts) {
  TestCluster c(3);
  c.Elect(1);
  c.AddNode(4);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2, 3}, {}, {4}}).ok());
  c.Settle();
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2, 3, 4}, {}, {}}).ok());
  EXPECT_FALSE(IsJoint(c[1]->membership()));
  c.Settle();
  c.Isolate(3);
  Index written = c.Write(1, "a").index;  // 1, 2 and 4 are three of four
  EXPECT_EQ(c[1]->commit_index(), written);
  c.Isolate(2);
  c.Write(1, "b");
  EXPECT_EQ(c[1]->commit_index(), written);
}

TEST(RaftMembershipTest, Thesis4_2_3_ANodeRemovedWithoutHearingOfItDisturbsNobody) {
  TestCluster c(4);
  c.Elect(1);
  c.Isolate(4);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2, 3}, {}, {}}).ok());
  c.Settle();
  c.Heal();
  Term term = c[1]->term();
  c.TickAll(100);
  EXPECT_EQ(c[4]->membership().voters, (Ids{1, 2, 3, 4}));
  EXPECT_EQ(c[1]->role(), Role::kLeader);
  EXPECT_EQ(c[1]->term(), term);
  EXPECT_EQ(c[4]->term(), term);
}

// Between the two it is a stranger, whose replies say nothing; whoever comes next starts with
// nothing (the connections see to it that nothing of the earlier one is heard after the addition).
TEST(RaftMembershipTest,
     Thesis4_1_AMemberAddedAgainInTheSameTermIsNotCreditedWithTheLogOfTheEarlier) {
  Alone n({1, 2, 3});
  n.BecomeLeader();
  auto acknowledge = [&n](NodeId from, Index index) {
    Message m = MakeMessage(MT::kAppendReply, from, n->term());
    m.log_index = index;
    n.Step(m);
  };
  ASSERT_TRUE(n->Propose(Data("a")).ok());
  n.Drain();
  acknowledge(2, n->last_index());
  acknowledge(3, n->last_index());
  const Index held = n->last_index();
  ASSERT_TRUE(n->ProposeConfChange({{1, 2}, {}, {}}).ok());
  n.Drain();
  acknowledge(2, n->last_index());
  ASSERT_EQ(n->commit_index(), n->last_index());
  acknowledge(3, held);  // late
  ASSERT_TRUE(n->ProposeConfChange({{1, 2}, {}, {3}}).ok());
  n.Drain();
  ASSERT_EQ(n->GetStatus().peers.size(), 2u);
  EXPECT_EQ(n->GetStatus().peers[1].id, 3u);
  EXPECT_EQ(n->GetStatus().peers[1].match_index, 0u);
}

// A learner that misses what a voter of the old configuration held must not complete a majority
// as a voter before it has it.
TEST(RaftMembershipTest, Thesis4_2_1_ANewVoterThatHoldsNothingCommitsNothing) {
  Alone n({1, 2, 3});
  n.BecomeLeader();
  Message m = MakeMessage(MT::kAppendReply, 2, n->term());
  m.log_index = n->last_index();
  n.Step(m);
  ASSERT_TRUE(n->ProposeConfChange({{1, 2, 3, 4}, {}, {}}).ok());
  n.Drain();
  m.log_index = n->last_index();
  n.Step(m);
  EXPECT_LT(n->commit_index(), n->last_index());  // 1 and 2 are not a majority of four
  m.from = 4;
  n.Step(m);
  EXPECT_EQ(n->commit_index(), n->last_index());
}

TEST(RaftMembershipTest, Thesis4_1_ImpossibleTargetsAreRefused) {
  TestCluster c(3);
  EXPECT_EQ(c[1]->ProposeConfChange({{1}, {}, {}}).code(), Code::kUnavailable);
  c.Elect(1);
  EXPECT_EQ(c[1]->ProposeConfChange({{}, {}, {1}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(c[1]->ProposeConfChange({{1, 2}, {}, {2}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(c[1]->ProposeConfChange({{1, 1}, {}, {}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(c[1]->ProposeConfChange({{0, 1}, {}, {}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(c[1]->ProposeConfChange({{1}, {2}, {}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(c[1]->ProposeConfChange({{1, 2, 3}, {}, {}}).code(), Code::kAlreadyExists);
}

TEST(RaftMembershipTest, Thesis4_1_TheMembershipSurvivesARestartAndACut) {
  TestCluster c(3);
  c.Elect(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2}, {}, {3}}).ok());
  c.Settle();
  c.Write(1, "a");
  c.Restart(2);
  EXPECT_EQ(c[2]->membership(), (Membership{{1, 2}, {}, {3}}));
  TestNode& n = c[1];
  n.storage.Compact({*n->TermAt(3), 3}, *n->MembershipAt(3));
  n->OnCompacted(3);
  c.Restart(1);
  EXPECT_EQ(c[1]->membership(), (Membership{{1, 2}, {}, {3}}));
}

}  // namespace
}  // namespace metastore::raft
