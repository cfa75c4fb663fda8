// Elections: Raft 5.1, 5.2, 5.4.1; thesis 3.10, 4.2, 6.4, 9.6.
#include <gtest/gtest.h>

#include <set>

#include "tests/raft/test_cluster.h"

namespace metastore::raft {
namespace {

using MT = MessageType;

TEST(RaftElectionTest, Section5_1_ANodeThatSeesAHigherTermAdoptsItAndFollows) {
  Alone n({1, 2, 3});
  n.BecomeLeader();
  Term term = n->term();
  n.Step(MakeMessage(MT::kAppendReply, 2, term + 3));
  EXPECT_EQ(n->term(), term + 3);
  EXPECT_EQ(n->role(), Role::kFollower);
  EXPECT_EQ(n.storage.hard_state().term, term + 3);
}

TEST(RaftElectionTest, Section5_1_AMessageOfAnOldTermIsAnsweredWithTheNewOneAndNotObeyed) {
  Alone n({1, 2, 3});
  n.Step(MakeAppend(2, 5, {0, 0}, {5}, 0));
  std::vector<Message> sent = n.Step(MakeAppend(3, 4, {5, 1}, {4}, 1));
  EXPECT_EQ(n->last_index(), 1u);
  EXPECT_EQ(n->leader(), 2u);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].reject);
  EXPECT_EQ(sent[0].term, 5u);
}

TEST(RaftElectionTest, Section5_2_ANodeStartsAsAFollower) {
  Alone n({1, 2, 3});
  EXPECT_EQ(n->role(), Role::kFollower);
  EXPECT_EQ(n->leader(), kNoNode);
  EXPECT_EQ(n->term(), 0u);
}

TEST(RaftElectionTest, Section5_2_AFollowerThatHearsNothingCampaignsWithinTwoElectionTimeouts) {
  Alone n({1, 2, 3});
  EXPECT_TRUE(n.Tick(9).empty());
  EXPECT_EQ(Of(n.Tick(11), MT::kPreVote).size(), 2u);
}

TEST(RaftElectionTest, Section5_2_HeartbeatsKeepAFollowerFromCampaigning) {
  Alone n({1, 2, 3});
  for (int i = 0; i < 50; ++i) {
    n.Step(MakeMessage(MT::kHeartbeat, 2, 1));
    EXPECT_TRUE(n.Tick(9).empty());
  }
  EXPECT_EQ(n->leader(), 2u);
}

TEST(RaftElectionTest, Section5_2_ElectionTimeoutsAreSpreadOverTheirRange) {
  std::set<int> timeouts;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Alone n({1, 2, 3}, {}, [seed](Config* config) { config->seed = seed; });
    int ticks = 0;
    while (n.Tick(1).empty()) ++ticks;
    timeouts.insert(ticks + 1);
  }
  EXPECT_EQ(*timeouts.begin(), 10);
  EXPECT_EQ(*timeouts.rbegin(), 19);
  EXPECT_EQ(timeouts.size(), 10u);
}

TEST(RaftElectionTest, Section5_2_ACandidateWithAMajorityOfVotesLeads) {
  Alone n({1, 2, 3, 4, 5});
  n->Campaign();
  n.Drain();
  n.Step(MakeMessage(MT::kPreVoteReply, 2, 1));
  EXPECT_EQ(n->term(), 0u);
  n.Step(MakeMessage(MT::kPreVoteReply, 3, 1));
  EXPECT_EQ(n->role(), Role::kCandidate);
  EXPECT_EQ(n->term(), 1u);
  n.Step(MakeMessage(MT::kVoteReply, 2, 1));
  n.Step(MakeMessage(MT::kVoteReply, 2, 1));  // the same vote twice
  EXPECT_EQ(n->role(), Role::kCandidate);
  n.Step(MakeMessage(MT::kVoteReply, 3, 1));
  EXPECT_EQ(n->role(), Role::kLeader);
}

TEST(RaftElectionTest, Section5_2_ACandidateRefusedByAMajorityFollows) {
  Alone n({1, 2, 3});
  n->Campaign();
  n.Drain();
  n.Step(MakeMessage(MT::kPreVoteReply, 2, 1));
  EXPECT_EQ(n->role(), Role::kCandidate);
  for (NodeId id : {2, 3}) {
    Message no = MakeMessage(MT::kVoteReply, id, 1);
    no.reject = true;
    n.Step(no);
  }
  EXPECT_EQ(n->role(), Role::kFollower);
}

TEST(RaftElectionTest, Section5_2_ACandidateFollowsALeaderOfItsOwnTerm) {
  Alone n({1, 2, 3});
  n->Campaign();
  n.Drain();
  n.Step(MakeMessage(MT::kPreVoteReply, 2, 1));
  n.Step(MakeAppend(3, 1, {0, 0}, {1}, 0));
  EXPECT_EQ(n->role(), Role::kFollower);
  EXPECT_EQ(n->leader(), 3u);
}

TEST(RaftElectionTest, Section5_2_ANodeVotesOnceInATermAlsoAfterARestart) {
  Alone n({1, 2, 3});
  EXPECT_FALSE(n.Step(MakeVote(2, 1, {0, 0})).at(0).reject);
  EXPECT_TRUE(n.Step(MakeVote(3, 1, {0, 0})).at(0).reject);
  EXPECT_FALSE(n.Step(MakeVote(2, 1, {0, 0})).at(0).reject);  // the reply was lost

  Config config = n.storage.MakeConfig(1, 0);
  n.node = std::make_unique<Node>(config, &n.storage);
  n.Tick(9);
  n->Tick();
  n.Drain();
  EXPECT_TRUE(n.Step(MakeVote(3, 1, {0, 0})).at(0).reject);
}

TEST(RaftElectionTest, Section5_2_AVoteLeavesOnlyWhenItIsDurable) {
  Alone n({1, 2, 3});
  n->Step(MakeVote(2, 1, {0, 0}));
  Ready ready = n->TakeReady();
  EXPECT_TRUE(ready.messages.empty());
  ASSERT_EQ(ready.messages_after_sync.size(), 1u);
  ASSERT_TRUE(ready.hard_state.has_value());
  EXPECT_EQ(ready.hard_state->voted_for, 2u);
  // The same question again while the write is under way: the answer waits as well.
  n->Step(MakeVote(2, 1, {0, 0}));
  EXPECT_FALSE(n->HasReady());
  n->OnPersisted(ready.persist_number);
  ASSERT_TRUE(n->HasReady());
  EXPECT_EQ(n->TakeReady().messages_after_sync.size(), 1u);
}

TEST(RaftElectionTest, Section5_2_ACandidatesOwnVoteAndRequestsCountOnlyWhenDurable) {
  Alone n({1});
  n->Campaign();
  Ready ready = n->TakeReady();
  ASSERT_TRUE(ready.hard_state.has_value());
  EXPECT_EQ(n->role(), Role::kCandidate);
  n->OnPersisted(ready.persist_number);
  EXPECT_EQ(n->role(), Role::kLeader);

  Alone m({1, 2, 3});
  m->Campaign();
  m.Drain();
  m->Step(MakeMessage(MT::kPreVoteReply, 2, 1));
  ready = m->TakeReady();
  EXPECT_TRUE(ready.messages.empty());
  EXPECT_EQ(ready.messages_after_sync.size(), 2u);
}

TEST(RaftElectionTest, Section5_4_1_VotesGoOnlyToLogsThatAreAtLeastAsComplete) {
  struct Case {
    Position candidate;
    bool granted;
  };
  // The voter's log ends with term 3 at index 3.
  for (const Case& c : {Case{{3, 3}, true}, Case{{3, 4}, true}, Case{{4, 1}, true},
                        Case{{3, 2}, false}, Case{{2, 9}, false}, Case{{0, 0}, false}}) {
    Alone n({1, 2, 3});
    n.Fill(2, 3, {1, 2, 3});
    n.Tick(10);
    std::vector<Message> sent = n.Step(MakeVote(3, 10, c.candidate));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(!sent[0].reject, c.granted) << c.candidate.term << "." << c.candidate.index;
  }
}

TEST(RaftElectionTest, Thesis4_2_3_VotesWithinTheElectionTimeoutOfALeaderAreIgnored) {
  Alone n({1, 2, 3});
  n.Step(MakeMessage(MT::kHeartbeat, 2, 1));
  n.Tick(9);
  EXPECT_TRUE(n.Step(MakeVote(3, 5, {9, 9})).empty());
  Message pre_vote = MakeVote(3, 5, {9, 9});
  pre_vote.type = MT::kPreVote;
  EXPECT_TRUE(n.Step(pre_vote).empty());
  EXPECT_EQ(n->term(), 1u);
  n.Tick(1);
  EXPECT_FALSE(n.Step(MakeVote(3, 5, {9, 9})).empty());
  EXPECT_EQ(n->term(), 5u);
}

TEST(RaftElectionTest, Thesis4_2_3_TheLeaderItselfIgnoresVotes) {
  Alone n({1, 2, 3});
  n.BecomeLeader();
  EXPECT_TRUE(Of(n.Step(MakeVote(3, 9, {9, 9})), MT::kVoteReply).empty());
  EXPECT_EQ(n->role(), Role::kLeader);
}

TEST(RaftElectionTest, Thesis6_4_ARestartedNodeHonoursTheLeaseItMayHaveGranted) {
  Alone n({1, 2, 3});
  n.Step(MakeMessage(MT::kHeartbeat, 2, 1));
  n.node = std::make_unique<Node>(n.storage.MakeConfig(1, 0), &n.storage);
  EXPECT_TRUE(n.Step(MakeVote(3, 5, {9, 9})).empty());
  n->Campaign();
  EXPECT_EQ(n->role(), Role::kFollower);
  n.Tick(10);
  EXPECT_FALSE(n.Step(MakeVote(3, 5, {9, 9})).empty());
}

TEST(RaftElectionTest, Thesis6_4_ALeaseIsGrantedOnlyWhenARestartWouldHonourIt) {
  Alone n({1, 2, 3});
  n->Step(MakeMessage(MT::kHeartbeat, 2, 1));
  Ready ready = n->TakeReady();
  // The first word of the first term: a crash before the sync leaves a node that never heard any.
  EXPECT_TRUE(Of(ready.messages, MT::kHeartbeatReply).empty());
  ASSERT_TRUE(ready.hard_state.has_value());
  EXPECT_EQ(Of(ready.messages_after_sync, MT::kHeartbeatReply).size(), 1u);
  n.storage.Apply({ready.persist_number, ready.hard_state, {}, {}});
  n->OnPersisted(ready.persist_number);
  // From then on the answer waits for no disk.
  n->Step(MakeMessage(MT::kHeartbeat, 2, 1));
  EXPECT_EQ(Of(n->TakeReady().messages, MT::kHeartbeatReply).size(), 1u);
}

TEST(RaftElectionTest, Thesis3_10_AVoteThatTheLeaderAskedForIgnoresTheLease) {
  Alone n({1, 2, 3});
  n.Step(MakeMessage(MT::kHeartbeat, 2, 1));
  Message vote = MakeVote(3, 2, {1, 0});
  vote.transfer = true;
  std::vector<Message> sent = n.Step(vote);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].reject);
}

TEST(RaftElectionTest, Thesis9_6_APreVoteChangesNoTermAndNoVote) {
  Alone n({1, 2, 3});
  n.Step(MakeVote(2, 1, {0, 0}));
  Message pre_vote = MakeVote(3, 2, {0, 0});
  pre_vote.type = MT::kPreVote;
  std::vector<Message> sent = n.Step(pre_vote);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].reject);
  EXPECT_EQ(sent[0].term, 2u);
  EXPECT_EQ(n->term(), 1u);
  EXPECT_EQ(n.storage.hard_state().voted_for, 2u);
}

TEST(RaftElectionTest, Thesis9_6_AnIsolatedNodeDoesNotDisturbTheClusterWhenItReturns) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(3);
  c.TickAll(100);
  Term term = c[1]->term();
  EXPECT_EQ(c[3]->term(), term);
  c.Heal();
  c.TickAll(30);
  EXPECT_EQ(c.Leader(), 1u);
  EXPECT_EQ(c[1]->term(), term);
  EXPECT_EQ(c[3]->leader(), 1u);
}

TEST(RaftElectionTest, Thesis9_6_ANodeWhoseTermRanAheadRejoins) {
  TestCluster c(3);
  c.Elect(1);
  Message stray = MakeMessage(MT::kVoteReply, 1, 40);
  stray.to = 3;
  stray.reject = true;
  c[3]->Step(stray);
  c.Settle();
  c.TickAll(60);
  NodeId leader = c.Leader();
  EXPECT_GE(c[leader]->term(), 40u);
  c.Write(leader, "a");
  for (NodeId id : {1, 2, 3}) EXPECT_EQ(c.Applied(id), std::vector<std::string>{"a"});
}

TEST(RaftElectionTest, Thesis6_2_ALeaderThatHearsNoMajorityStepsDown) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(1);
  c.Tick(1, 20);
  EXPECT_EQ(c[1]->role() == Role::kLeader, false);
  EXPECT_EQ(c[1]->leader(), kNoNode);
}

TEST(RaftElectionTest, Thesis6_2_ALeaderThatOnlySendsIsReplaced) {
  TestCluster c(3);
  c.Elect(1);
  c.drop = [](const Message& m) { return m.to == 1; };
  c.TickAll(60);
  EXPECT_NE(c.Leader(), 1u);
  EXPECT_NE(c.Leader(), kNoNode);
}

TEST(RaftElectionTest, Section5_2_ASingleVoterElectsItselfAtItsFirstTimeoutAndAtOnceWhenAsked) {
  Alone first({1});
  first.Tick(19);
  EXPECT_EQ(first->role(), Role::kLeader);
  Alone second({1});
  second->Campaign();
  second.Drain();
  EXPECT_EQ(second->role(), Role::kLeader);
  // Also after a restart.
  second.node = std::make_unique<Node>(second.storage.MakeConfig(1, second.applied.back().index),
                                       &second.storage);
  second->Campaign();
  second.Drain();
  EXPECT_EQ(second->role(), Role::kLeader);
  EXPECT_EQ(second->term(), 2u);
}

TEST(RaftElectionTest, Thesis6_4_1_AnOnlyVoterWhoseChangeIsNotCommittedHonoursTheOldLease) {
  Alone n({1, 2});
  Message m = MakeAppend(2, 1, {0, 0}, {1, 1}, 1);
  m.entries[1].type = EntryType::kConfChange;
  m.entries[1].data = Data(EncodeMembership({{1}, {}, {}}));
  n.Step(m);
  ASSERT_EQ(n->membership().voters, std::vector<NodeId>{1});
  n->Campaign();
  n.Drain();
  EXPECT_EQ(n->role(), Role::kFollower);
}

TEST(RaftElectionTest, Thesis4_2_1_ALearnerNeverCampaigns) {
  Alone n({2, 3}, {1});
  EXPECT_EQ(n->role(), Role::kLearner);
  EXPECT_TRUE(n.Tick(100).empty());
  n->Campaign();
  EXPECT_TRUE(n.Drain().empty());
}

TEST(RaftElectionTest, RepliesOfStrangersAreDropped) {
  Alone n({1, 2, 3});
  n->Campaign();
  n.Drain();
  n.Step(MakeMessage(MT::kPreVoteReply, 9, 1));
  EXPECT_EQ(n->role(), Role::kPreCandidate);
  n.Step(MakeMessage(MT::kAppendReply, 9, 77));
  EXPECT_EQ(n->term(), 0u);
}

}  // namespace
}  // namespace metastore::raft
