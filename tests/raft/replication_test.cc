// Replication and commitment: Raft 5.3, 5.4.2, 7; thesis 10.2. And what a Ready promises.
#include <gtest/gtest.h>

#include "tests/raft/test_cluster.h"

namespace metastore::raft {
namespace {

using MT = MessageType;
using Strings = std::vector<std::string>;

Message Ack(NodeId from, Term term, Index index) {
  Message m = MakeMessage(MT::kAppendReply, from, term);
  m.log_index = index;
  return m;
}

std::vector<Term> Terms(const MemoryStorage& storage) {
  std::vector<Term> terms;
  for (const Entry& entry : storage.entries()) terms.push_back(entry.term);
  return terms;
}

TEST(RaftReplicationTest, Section5_3_AnEntryIsCommittedWhenAMajorityHoldsIt) {
  TestCluster c(3);
  c.Elect(1);
  c.Write(1, "a");
  for (NodeId id : {1, 2, 3}) EXPECT_EQ(c.Applied(id), Strings{"a"});
  c.Isolate(1);
  ASSERT_TRUE(c[1]->Propose(Data("b")).ok());
  c.Settle();
  EXPECT_EQ(c.Applied(1), Strings{"a"});
}

TEST(RaftReplicationTest, Section5_3_AFollowerRefusesEntriesThatDoNotFollowItsLog) {
  Alone n({1, 2, 3});
  n.Fill(2, 2, {1, 2});
  std::vector<Message> sent = n.Step(MakeAppend(2, 3, {3, 3}, {3}, 0));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].reject);
  EXPECT_EQ(sent[0].log_index, 3u);
  EXPECT_EQ(sent[0].reject_hint, 2u);
  EXPECT_EQ(sent[0].log_term, 2u);
  EXPECT_EQ(n->last_index(), 2u);
}

TEST(RaftReplicationTest, Section5_3_AConflictCutsTheLogAndOnlyAConflictDoes) {
  Alone n({1, 2, 3});
  n.Fill(2, 2, {1, 1, 2, 2});
  // An old message that ends before our log does: nothing is cut.
  n.Step(MakeAppend(2, 2, {1, 1}, {1}, 0));
  EXPECT_EQ(Terms(n.storage), (std::vector<Term>{1, 1, 2, 2}));
  n.Step(MakeAppend(3, 3, {1, 2}, {3}, 0));
  EXPECT_EQ(Terms(n.storage), (std::vector<Term>{1, 1, 3}));
}

TEST(RaftReplicationTest, Section5_3_Figure7_EveryFollowersLogIsMadeLikeTheLeaders) {
  const std::vector<Term> leader_log = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
  const std::vector<std::vector<Term>> follower_logs = {
      {1, 1, 1, 4, 4, 5, 5, 6, 6},
      {1, 1, 1, 4},
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},
      {1, 1, 1, 4, 4, 4, 4},
      {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},
  };
  for (const std::vector<Term>& log : follower_logs) {
    MemoryStorage leader_storage;
    MemoryStorage follower_storage;
    auto fill = [](MemoryStorage* storage, const std::vector<Term>& terms) {
      storage->Bootstrap({{1, 2, 3}, {}, {}});
      DurableWrite write;
      write.hard_state = HardState{7, kNoNode, 0};
      write.entries = MakeAppend(1, 7, {0, 0}, terms, 0).entries;
      storage->Apply(write);
    };
    fill(&leader_storage, leader_log);
    fill(&follower_storage, log);
    Alone leader({1, 2, 3});
    leader.storage = leader_storage;
    leader.node = std::make_unique<Node>(leader.storage.MakeConfig(1, 0), &leader.storage);
    Alone follower({1, 2, 3});
    follower.storage = follower_storage;
    Config config = follower.storage.MakeConfig(2, 0);
    follower.node = std::make_unique<Node>(config, &follower.storage);
    leader.Tick(10);
    std::vector<Message> to_follower = leader.BecomeLeader();
    int round_trips = 0;
    while (!to_follower.empty()) {
      ASSERT_LT(++round_trips, 10);
      std::vector<Message> to_leader;
      for (Message& m : to_follower) {
        if (m.to != 2) continue;
        for (Message& reply : follower.Step(m)) to_leader.push_back(reply);
      }
      to_follower.clear();
      for (Message& m : to_leader) {
        for (Message& next : leader.Step(m)) to_follower.push_back(next);
      }
    }
    EXPECT_EQ(Terms(follower.storage), Terms(leader.storage));
    EXPECT_EQ(follower->commit_index(), leader->last_index());
    // Fast back-off: a term at a time, not an entry at a time.
    EXPECT_LE(round_trips, 5);
  }
}

TEST(RaftReplicationTest, Section5_4_2_Figure8_AnOldTermsEntryIsNotCommittedByCounting) {
  Alone n({1, 2, 3, 4, 5});
  n.Fill(2, 1, {1, 1});
  n.Tick(10);
  n.BecomeLeader();
  Term term = n->term();
  n.Step(Ack(2, term, 2));
  n.Step(Ack(3, term, 2));
  EXPECT_EQ(n->commit_index(), 0u);
  n.Step(Ack(2, term, 3));
  n.Step(Ack(3, term, 3));
  EXPECT_EQ(n->commit_index(), 3u);
}

TEST(RaftReplicationTest, Section8_ALeaderBeginsItsTermWithANoOp) {
  Alone n({1, 2, 3});
  n.Fill(2, 1, {1});
  n.Tick(10);
  std::vector<Message> sent = Of(n.BecomeLeader(), MT::kAppend);
  ASSERT_EQ(sent.size(), 2u);
  ASSERT_EQ(sent[0].entries.size(), 1u);
  EXPECT_TRUE(sent[0].entries[0].Data().empty());
  EXPECT_EQ(sent[0].entries[0].term, n->term());
}

TEST(RaftReplicationTest, TheFirstEntryOfAllIsTheMembership) {
  TestCluster c(3);
  c.Elect(1);
  ASSERT_EQ(c[2].applied.size(), 1u);
  EXPECT_EQ(c[2].applied[0].type, EntryType::kConfChange);
}

TEST(RaftReplicationTest, Thesis10_2_1_TheLeaderSendsBeforeItsOwnSyncButCountsItselfOnlyAfter) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(3);
  c[1].holds_disk = true;
  c.Write(1, "a");
  EXPECT_EQ(c[2]->last_index(), 2u);  // sent in parallel with the leader's write
  EXPECT_EQ(c[1]->commit_index(), 1u);
  EXPECT_TRUE(c.Applied(2).empty());
  c.SyncOne(1);
  c.Settle();
  EXPECT_EQ(c.Applied(1), Strings{"a"});
  EXPECT_EQ(c.Applied(2), Strings{"a"});
}

TEST(RaftReplicationTest, Thesis10_2_1_AMajorityOfFollowersCommitsWithoutTheLeadersDiskButItAppliesAfterIt) {
  TestCluster c(3);
  c.Elect(1);
  c[1].holds_disk = true;
  c.Write(1, "a");
  EXPECT_EQ(c[1]->commit_index(), 2u);
  EXPECT_TRUE(c.Applied(1).empty());  // never ahead of the own log
  EXPECT_EQ(c.Applied(2), Strings{"a"});
  c.SyncOne(1);
  c.Settle();
  EXPECT_EQ(c.Applied(1), Strings{"a"});
}

TEST(RaftReplicationTest, Section5_3_AnAcknowledgementLeavesOnlyAfterTheSync) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(3);
  c[2].holds_disk = true;
  c.Write(1, "a");
  EXPECT_EQ(c[1]->commit_index(), 1u);
  // The same append again needs no write, and must not be acknowledged before the first one is.
  c[2]->Step([&] {
    Message m = MakeAppend(1, 1, {1, 1}, {}, 0);
    m.entries.push_back({1, 2, EntryType::kNormal, Data("a")});
    m.to = 2;
    return m;
  }());
  c.Settle();
  EXPECT_EQ(c[1]->commit_index(), 1u);
  c.SyncOne(2);
  c.Settle();
  EXPECT_EQ(c[1]->commit_index(), 2u);
}

TEST(RaftReplicationTest, Section5_3_TheSyncOfAReplacedEntryDoesNotCountForTheNewOneAtItsIndex) {
  Alone n({1, 2, 3});
  n.Fill(2, 1, {1});
  n->Step(MakeAppend(2, 1, {1, 1}, {1, 1}, 0));
  Ready old_write = n->TakeReady();
  n->Step(MakeAppend(3, 2, {1, 1}, {2, 2}, 3));
  Ready new_write = n->TakeReady();
  EXPECT_EQ(n->commit_index(), 3u);
  auto persist = [&n](const Ready& r) {
    n.storage.Apply({r.persist_number, r.hard_state, r.entries, r.snapshot});
    n->OnPersisted(r.persist_number);
  };
  EXPECT_EQ(new_write.committed.size(), 1u);  // entry 1 was on disk before
  persist(old_write);
  EXPECT_FALSE(n->HasReady());
  persist(new_write);
  Ready ready = n->TakeReady();
  ASSERT_EQ(ready.committed.size(), 2u);
  EXPECT_EQ(ready.committed[0].term, 2u);
}

TEST(RaftReplicationTest, ProposalsBetweenTwoReadysShareOneMessageAndOneWrite) {
  Alone n({1, 2});
  n.BecomeLeader();
  n.Step(Ack(2, 1, 1));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(n->Propose(Data("x")).ok());
  Ready ready = n->TakeReady();
  EXPECT_EQ(ready.entries.size(), 10u);
  ASSERT_EQ(Of(ready.messages, MT::kAppend).size(), 1u);
  EXPECT_EQ(Of(ready.messages, MT::kAppend)[0].entries.size(), 10u);
}

TEST(RaftReplicationTest, Thesis10_2_2_ThePipelineStopsAtItsWindowAndGoesOnWithAcknowledgements) {
  Alone n({1, 2}, {}, [](Config* config) {
    config->max_append_bytes = 100;
    config->max_inflight_bytes = 350;
    config->max_inflight_appends = 3;
  });
  n.BecomeLeader();
  n.Step(Ack(2, 1, 1));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(n->Propose(Data(std::string(76, 'x'))).ok());
  EXPECT_EQ(Of(n.Drain(), MT::kAppend).size(), 3u);
  EXPECT_EQ(Of(n.Step(Ack(2, 1, 2)), MT::kAppend).size(), 1u);
  // An old acknowledgement frees nothing.
  EXPECT_TRUE(Of(n.Step(Ack(2, 1, 2)), MT::kAppend).empty());
  std::vector<Message> sent = Of(n.Step(Ack(2, 1, 5)), MT::kAppend);
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].log_index, 5u);
}

TEST(RaftReplicationTest, AnEntryLargerThanTheLimitsIsSentAlone) {
  Alone n({1, 2}, {}, [](Config* config) {
    config->max_append_bytes = 100;
    config->max_inflight_bytes = 100;
    config->max_apply_bytes = 100;
    config->max_unapplied_bytes = 100;
  });
  n.BecomeLeader();
  n.Step(Ack(2, 1, 1));
  ASSERT_TRUE(n->Propose(Data(std::string(1000, 'x'))).ok());
  std::vector<Message> sent = Of(n.Drain(), MT::kAppend);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].entries.size(), 1u);
  n.Step(Ack(2, 1, 2));
  EXPECT_EQ(n.applied.size(), 2u);
}

TEST(RaftReplicationTest, Section5_3_ALostAppendIsRevealedByHeartbeatsAndSentAgain) {
  TestCluster c(3);
  c.Elect(1);
  c.drop = [](const Message& m) { return m.type == MT::kAppend && m.to == 3; };
  c.Write(1, "a");
  c.drop = nullptr;
  EXPECT_TRUE(c.Applied(3).empty());
  c.TickAll(3);
  EXPECT_EQ(c.Applied(3), Strings{"a"});
}

TEST(RaftReplicationTest, Section5_3_ALostAcknowledgementIsRepeated) {
  TestCluster c(2);
  c.Elect(1);
  c.drop = [](const Message& m) { return m.type == MT::kAppendReply; };
  c.Write(1, "a");
  c.drop = nullptr;
  c.TickAll(3);
  EXPECT_EQ(c.Applied(1), Strings{"a"});
}

TEST(RaftReplicationTest, PastTheLimitOfUncommittedBytesProposalsAreRefusedUntilSomeAreCommitted) {
  TestCluster c(3, [](Config* config) { config->max_uncommitted_bytes = 100; });
  c.Elect(1);
  c.Isolate(1);
  EXPECT_TRUE(c[1]->Propose(Data(std::string(60, 'x'))).ok());
  EXPECT_EQ(c[1]->Propose(Data(std::string(60, 'x'))).code(), Code::kUnavailable);
  c.Heal();
  c.TickAll(4);
  EXPECT_TRUE(c[1]->Propose(Data(std::string(60, 'x'))).ok());
}

TEST(RaftReplicationTest, CommittedEntriesWaitForTheStateMachine) {
  TestCluster c(1, [](Config* config) {
    config->max_apply_bytes = 60;
    config->max_unapplied_bytes = 60;
  });
  c.Elect(1);
  c[1].holds_apply = true;
  for (int i = 0; i < 10; ++i) c.Write(1, "0123456789");
  size_t handed_out = c[1].applied.size();
  EXPECT_LT(handed_out, 5u);
  EXPECT_FALSE(c[1]->HasReady());
  c[1]->OnApplied(c[1].applied.back().index);
  c.Settle();
  EXPECT_GT(c[1].applied.size(), handed_out);
  c[1].holds_apply = false;
  c[1]->OnApplied(c[1].applied.back().index);
  c.Settle();
  ASSERT_EQ(c[1].applied.size(), 11u);
  for (Index i = 0; i < 11; ++i) EXPECT_EQ(c[1].applied[i].index, i + 1);
}

TEST(RaftReplicationTest, AFollowerFarBehindIsServedFromTheDurableLogBeyondTheCache) {
  TestCluster c(3, [](Config* config) {
    config->cache_bytes = 200;
    config->max_append_bytes = 300;
  });
  c.Elect(1);
  c.Isolate(3);
  for (int i = 0; i < 100; ++i) c.Write(1, "value " + std::to_string(i));
  c.Heal();
  c.TickAll(4);
  EXPECT_EQ(c.Applied(3), c.Applied(1));
  EXPECT_EQ(c.Applied(3).size(), 100u);
}

TEST(RaftReplicationTest, Section5_5_ARestartedNodeContinuesFromItsLog) {
  TestCluster c(3);
  c.Elect(1);
  c.Write(1, "a");
  c.Restart(3);
  EXPECT_EQ(c[3]->last_index(), 2u);
  c.Write(1, "b");
  c.TickAll(2);
  EXPECT_EQ(c.Applied(3), (Strings{"a", "b"}));
}

TEST(RaftReplicationTest, Section5_5_AnUnsyncedTailLostInACrashIsReplicatedAgain) {
  TestCluster c(3);
  c.Elect(1);
  c[3].holds_disk = true;
  c.Write(1, "a");
  c.Restart(3);
  c[3].holds_disk = false;
  EXPECT_EQ(c[3]->last_index(), 1u);
  c.TickAll(4);
  EXPECT_EQ(c.Applied(3), Strings{"a"});
}

TEST(RaftReplicationTest, Section5_3_EntriesOfADeposedLeaderThatWereNotCommittedAreReplaced) {
  TestCluster c(3);
  c.Elect(1);
  c.Isolate(1);
  ASSERT_TRUE(c[1]->Propose(Data("lost")).ok());
  c.Settle();
  c.TickAll(40);
  NodeId leader = c.Leader();
  ASSERT_NE(leader, 1u);
  c.Write(leader, "kept");
  c.Heal();
  c.TickAll(4);
  for (NodeId id : {1, 2, 3}) EXPECT_EQ(c.Applied(id), Strings{"kept"});
}

TEST(RaftReplicationTest, MalformedAppendsAreDropped) {
  Alone n({1, 2, 3});
  Message gap = MakeAppend(2, 1, {0, 0}, {1, 1}, 0);
  gap.entries[1].index = 5;
  EXPECT_TRUE(n.Step(gap).empty());
  Message future = MakeAppend(2, 1, {0, 0}, {3}, 0);
  EXPECT_TRUE(n.Step(future).empty());
  EXPECT_EQ(n->last_index(), 0u);
}

TEST(RaftReplicationTest, TheCommitIndexAloneCausesNoWrite) {
  TestCluster c(3);
  c.Elect(1);
  c.Write(1, "a");
  Alone n({1, 2, 3});
  n.Fill(2, 1, {1, 1});
  n->Step(MakeAppend(2, 1, {1, 2}, {}, 2));
  Ready ready = n->TakeReady();
  EXPECT_FALSE(ready.HasWrite());
  EXPECT_EQ(ready.committed.size(), 2u);
}

}  // namespace
}  // namespace metastore::raft
