// Snapshots and the cut log: Raft 7.
#include <gtest/gtest.h>

#include "raft/membership.h"
#include "tests/raft/test_cluster.h"

namespace metastore::raft {
namespace {

using MT = MessageType;

void CutLog(TestNode& n, Index upto) {
  n.storage.Compact({*n->TermAt(upto), upto}, *n->MembershipAt(upto));
  n->OnCompacted(upto);
}

SnapshotMetadata SnapshotOf(TestNode& n) {
  Index index = n->GetStatus().applied_index;
  return {index, *n->TermAt(index), *n->MembershipAt(index)};
}

// Node 3 misses ten entries that its leader, node 1, has cut.
void LeaveNode3Behind(TestCluster& c) {
  c.Elect(1);
  c.Isolate(3);
  for (int i = 0; i < 10; ++i) c.Write(1, "v");
  CutLog(c[1], 8);
  c.Heal();
}

TEST(RaftSnapshotTest, Section7_AFollowerWhoseNextEntryIsCutIsSentASnapshotAndNothingElse) {
  TestCluster c(3);
  LeaveNode3Behind(c);
  c.TickAll(5);
  EXPECT_EQ(Of(c[1].sent, MT::kInstallSnapshot).size(), 1u);
  c[1].sent.clear();
  c.Write(1, "w");
  c.TickAll(5);
  for (const Message& m : Of(c[1].sent, MT::kAppend)) EXPECT_NE(m.to, 3u);
  EXPECT_EQ(c[1]->GetStatus().peers[1].state, "snapshot");

  EXPECT_TRUE(c[3]->RestoreSnapshot(SnapshotOf(c[1])));
  c.Settle();
  c[1]->OnSnapshotSent(3, true, 12);
  c.TickAll(2);
  EXPECT_EQ(c[1]->GetStatus().peers[1].state, "replicate");
  c.Write(1, "x");
  EXPECT_EQ(c[3]->last_index(), c[1]->last_index());
  EXPECT_EQ(c.Applied(3), std::vector<std::string>{"x"});
}

TEST(RaftSnapshotTest, Section7_AFailedTransferIsTriedAgain) {
  TestCluster c(3);
  LeaveNode3Behind(c);
  c.TickAll(5);
  Message failed = MakeMessage(MT::kSnapshotStatus, 3, 0);
  failed.reject = true;
  c[1]->Step(failed);
  c.Settle();
  EXPECT_EQ(Of(c[1].sent, MT::kInstallSnapshot).size(), 1u);  // not before the peer is heard
  c.TickAll(3);
  EXPECT_EQ(Of(c[1].sent, MT::kInstallSnapshot).size(), 2u);
}

TEST(RaftSnapshotTest, Section7_ASnapshotAtOrBelowTheCommitIndexIsIgnored) {
  TestCluster c(3);
  c.Elect(1);
  for (int i = 0; i < 5; ++i) c.Write(1, "v");
  SnapshotMetadata old = SnapshotOf(c[1]);
  EXPECT_FALSE(c[2]->RestoreSnapshot(old));
  old.index = 3;
  EXPECT_FALSE(c[2]->RestoreSnapshot(old));
  EXPECT_EQ(c[2]->last_index(), 6u);
}

TEST(RaftSnapshotTest, Section7_ASnapshotOfEntriesThatTheLogHoldsThrowsNothingAway) {
  Alone n({1, 2, 3});
  n.Fill(2, 1, {1, 1, 1, 1});  // all acknowledged, none known to be committed
  EXPECT_FALSE(n->RestoreSnapshot({2, 1, {{1, 2, 3}, {}, {}}}));
  EXPECT_EQ(n->last_index(), 4u);
  EXPECT_EQ(n->commit_index(), 2u);
}

TEST(RaftSnapshotTest, Section7_ASnapshotReplacesALogThatConflictsWithIt) {
  Alone n({1, 2, 3});
  n.Fill(2, 1, {1, 1, 1, 1});
  n.Step(MakeMessage(MT::kHeartbeat, 3, 2));
  ASSERT_TRUE(n->RestoreSnapshot({3, 2, {{1, 2}, {}, {3}}}));
  Ready ready = n->TakeReady();
  ASSERT_TRUE(ready.snapshot.has_value());
  EXPECT_EQ(ready.snapshot->index, 3u);
  EXPECT_EQ(n->last_index(), 3u);
  EXPECT_EQ(n->membership().voters, (std::vector<NodeId>{1, 2}));
  ASSERT_EQ(ready.messages_after_sync.size(), 1u);
  EXPECT_EQ(ready.messages_after_sync[0].log_index, 3u);
}

TEST(RaftSnapshotTest, Section7_ASnapshotThatComesBeforeAnyMessageOfItsTermBringsTheTerm) {
  Alone n({1, 2, 3});
  n.Fill(2, 1, {1, 1});
  ASSERT_TRUE(n->RestoreSnapshot({9, 4, {{1, 2, 3}, {}, {}}}));
  n.Drain();
  EXPECT_EQ(n->term(), 4u);
  EXPECT_EQ(n->leader(), kNoNode);
  EXPECT_EQ(n.storage.hard_state().term, 4u);
  // A log that ends in term 4 below a hard state of term 1 could not be started from.
  n.node = std::make_unique<Node>(n.storage.MakeConfig(1, 9), &n.storage);
  EXPECT_EQ(n->last_index(), 9u);
}

TEST(RaftSnapshotTest, Section7_TheMembershipOfEachIndexIsKnownAcrossCutsAndRestarts) {
  TestCluster c(3);
  c.Elect(1);  // 1
  const Membership all{{1, 2, 3}, {}, {}}, two{{1, 2}, {}, {3}};
  c.Write(1, "a");                                 // 2
  ASSERT_TRUE(c[1]->ProposeConfChange(two).ok());  // 3
  c.Settle();
  c.Write(1, "b");                                 // 4
  ASSERT_TRUE(c[1]->ProposeConfChange(all).ok());  // 5
  c.Settle();
  c.Write(1, "c");  // 6
  const std::vector<Membership> of = {all, all, all, two, two, all, all};
  for (Index i = 0; i <= 6; ++i) EXPECT_EQ(*c[1]->MembershipAt(i), of[i]) << i;
  EXPECT_EQ(c[1]->MembershipAt(7).code(), Code::kNotFound);
  // A cut between the changes, then a start from it.
  CutLog(c[1], 4);
  for (bool restarted : {false, true}) {
    if (restarted) c.Restart(1);
    EXPECT_EQ(c[1]->MembershipAt(3).code(), Code::kNotFound);
    for (Index i = 4; i <= 6; ++i) EXPECT_EQ(*c[1]->MembershipAt(i), of[i]) << i;
  }
}

TEST(RaftSnapshotTest, Thesis4_1_AChangeCutOffBehindASnapshotFallsBackToTheSnapshotsMembership) {
  Alone n({1, 2, 3});
  n.Step(MakeMessage(MT::kHeartbeat, 2, 2));
  const Membership restored{{1, 2}, {}, {3}};
  ASSERT_TRUE(n->RestoreSnapshot({9, 2, restored}));
  n.Drain();
  Message append = MakeAppend(2, 2, {2, 9}, {2}, 9);
  append.entries[0].type = EntryType::kConfChange;
  append.entries[0].data = Data(EncodeMembership({{1, 2, 3}, {}, {}}));
  n.Step(append);
  EXPECT_EQ(n->membership().voters, (std::vector<NodeId>{1, 2, 3}));
  // Another leader replaces the change that was never committed.
  n.Step(MakeAppend(3, 3, {2, 9}, {3}, 9));
  EXPECT_EQ(n->membership(), restored);
  // So it is for a node that starts on that disk.
  n.node = std::make_unique<Node>(n.storage.MakeConfig(1, 9), &n.storage);
  EXPECT_EQ(n->membership(), restored);
  EXPECT_EQ(*n->MembershipAt(9), restored);
}

TEST(RaftSnapshotTest, Section7_ASnapshotDiscardsWritesUnderWay) {
  Alone n({1, 2, 3});
  n->Step(MakeAppend(2, 1, {0, 0}, {1, 1, 1, 1, 1}, 0));
  Ready write = n->TakeReady();
  ASSERT_TRUE(n->RestoreSnapshot({3, 2, {{1, 2, 3}, {}, {}}}));
  n->Step(MakeAppend(3, 2, {2, 3}, {2}, 4));
  n->OnPersisted(write.persist_number);
  Ready ready = n->TakeReady();
  EXPECT_TRUE(ready.committed.empty());  // entry 4 of term 2 is not on disk yet
  ASSERT_TRUE(ready.snapshot.has_value());
  ASSERT_EQ(ready.entries.size(), 1u);
}

TEST(RaftSnapshotTest, Section7_ANodeStartsFromACutLog) {
  TestCluster c(3);
  c.Elect(1);
  for (int i = 0; i < 10; ++i) c.Write(1, "v");
  CutLog(c[2], 6);
  c.Restart(2);
  EXPECT_EQ(c[2]->GetStatus().first_index, 7u);
  EXPECT_EQ(c[2]->last_index(), 11u);
  EXPECT_EQ(c[2]->membership().voters.size(), 3u);
  EXPECT_FALSE(c[2]->TermAt(5).ok());
  c.Write(1, "w");
  c.TickAll(2);
  EXPECT_EQ(c[2].applied.front().index, 7u);
  EXPECT_EQ(c[2].applied.back().index, 12u);
}

TEST(RaftSnapshotTest, Section7_AStorageCutBeforeTheNodeIsToldLeadsToASnapshot) {
  TestCluster c(3, [](Config* config) { config->cache_bytes = 1; });
  c.Elect(1);
  c.Isolate(3);
  for (int i = 0; i < 10; ++i) c.Write(1, "v");
  c[1].storage.Compact({1, 8}, *c[1]->MembershipAt(8));
  c.Heal();
  c.TickAll(5);
  EXPECT_EQ(Of(c[1].sent, MT::kInstallSnapshot).size(), 1u);
}

TEST(RaftSnapshotTest, Section7_NoTransferIsStartedToANodeThatDoesNotAnswer) {
  TestCluster c(3);
  LeaveNode3Behind(c);
  c.Isolate(3);
  c.TickAll(40);
  EXPECT_TRUE(Of(c[1].sent, MT::kInstallSnapshot).empty());
}

}  // namespace
}  // namespace metastore::raft
