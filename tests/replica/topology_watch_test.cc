#include "replica/topology_watch.h"

#include <gtest/gtest.h>

namespace metastore::replica {
namespace {

constexpr int64_t kMs = 1'000'000;
using Words = std::optional<std::vector<std::string>>;

std::string Name(raft::NodeId id) {
  return std::string(kNodeNameSize, static_cast<char>('0' + id));
}

// Node 1 of three. What it proposes is applied at once, unless the test loses it.
class TopologyWatchTest : public testing::Test {
 protected:
  TopologyWatchTest() {
    membership_ = {{1, 2, 3}, {}, {}, {}};
    for (raft::NodeId id : {1, 2, 3}) {
      membership_.peers.push_back({id, "http://h" + std::to_string(id) + ":9021", false, {}});
    }
    status_.id = 1;
    Publish();
  }

  static TopologyOptions Options() {
    TopologyOptions options;
    options.own = {1, Name(1), "", 6379, false};
    options.down_after_ns = 500 * kMs;
    return options;
  }

  void Publish() {
    auto state = std::make_shared<ClusterState>();
    state->topology = topology_;
    state->membership = membership_;
    watch_.OnApplied(state);
  }
  void Announce(raft::NodeId id) {
    Apply(AnnounceItem(
        {id, Name(id), "h" + std::to_string(id), static_cast<uint16_t>(6378 + id), false}));
  }
  void Apply(const std::vector<std::string>& words) {
    std::vector<std::string_view> views(words.begin(), words.end());
    ApplyTopologyItem(views, &topology_);
    Publish();
  }
  Words Next() {
    return watch_.Next(now_ns_, status_, membership_,
                       [this](raft::NodeId id) { return contact_ns_[id]; });
  }
  // Time passes in steps in which the nodes named are heard; what is proposed meanwhile is applied.
  std::vector<std::vector<std::string>> Pass(int64_t ms, std::vector<raft::NodeId> heard) {
    std::vector<std::vector<std::string>> proposed;
    for (int64_t step = 0; step < ms; step += 20) {
      now_ns_ += 20 * kMs;
      for (raft::NodeId id : heard) contact_ns_[id] = now_ns_;
      if (Words words = Next()) {
        Apply(*words);
        watch_.OnAnswered(now_ns_);
        proposed.push_back(*words);
      }
    }
    return proposed;
  }
  void Lead(raft::Term term) {
    status_.role = raft::Role::kLeader;
    status_.leader = 1;
    status_.term = term;
    status_.commit_index = 10;
    status_.peers.clear();
    for (raft::NodeId id : {2, 3}) status_.peers.push_back({id, "replicate", 10, 11, true, false});
  }
  void Follow(raft::NodeId leader, raft::Term term) {
    status_.role = raft::Role::kFollower;
    status_.leader = leader;
    status_.term = term;
    status_.peers.clear();
  }

  TopologyWatch watch_{Options()};
  raft::Membership membership_;
  raft::NodeStatus status_;
  Topology topology_;
  std::map<raft::NodeId, int64_t> contact_ns_;
  int64_t now_ns_ = 1000 * kMs;
};

using Proposals = std::vector<std::vector<std::string>>;

TEST_F(TopologyWatchTest, ANodeAnnouncesItselfOnceItKnowsALeader) {
  EXPECT_EQ(Next(), std::nullopt) << "no leader yet";
  Follow(2, 1);
  EXPECT_EQ(Next(), AnnounceItem({1, Name(1), "h1", 6379, false}))
      << "the host of its peer address";
  EXPECT_EQ(Next(), std::nullopt) << "it is under way";
  watch_.OnAnswered(now_ns_);
  EXPECT_EQ(Next(), std::nullopt) << "it was lost: not again at once";
  now_ns_ += kTopologyRetryNs;
  Words again = Next();
  ASSERT_NE(again, std::nullopt);
  Apply(*again);
  watch_.OnAnswered(now_ns_);
  EXPECT_EQ(Pass(2000, {2, 3}), Proposals());
}

TEST_F(TopologyWatchTest, ANodeThatIsNoMemberOrHasNoNameSaysNothing) {
  Follow(2, 1);
  membership_.voters = {2, 3};
  EXPECT_EQ(Next(), std::nullopt);
  TopologyWatch nameless{TopologyOptions()};
  nameless.OnApplied(std::make_shared<ClusterState>());
  EXPECT_EQ(nameless.Next(now_ns_, status_, membership_, [](raft::NodeId) { return 0; }),
            std::nullopt);
}

TEST_F(TopologyWatchTest, AMovedNodeAnnouncesItselfAgain) {
  Follow(2, 1);
  EXPECT_EQ(Pass(100, {2, 3}).size(), 1u);
  membership_.peers[0].url = "http://elsewhere:9021";
  EXPECT_EQ(Pass(100, {2, 3}), Proposals({AnnounceItem({1, Name(1), "elsewhere", 6379, false})}));
}

TEST_F(TopologyWatchTest, ANewLeaderSaysSoAtOnceAndThatTheOneBeforeIsDown) {
  for (raft::NodeId id : {1, 2, 3}) Announce(id);
  Apply(LeadItem(1, 3, {}));
  Follow(3, 1);
  EXPECT_EQ(Pass(1000, {2, 3}), Proposals());
  // Node 3 dies, and node 2, a follower as well, is heard every second only.
  EXPECT_EQ(Pass(600, {}), Proposals());
  Lead(2);
  EXPECT_EQ(Pass(20, {}), Proposals({LeadItem(2, 1, {3})}));
  EXPECT_EQ(Pass(400, {}), Proposals()) << "node 2 gets the time to show itself";
  EXPECT_EQ(Pass(1000, {2}), Proposals());
}

TEST_F(TopologyWatchTest, TheLeaderBeforeIsKnownAlsoWhereItHasNotSaidSo) {
  for (raft::NodeId id : {1, 2, 3}) Announce(id);
  Follow(3, 1);
  Pass(100, {2, 3});
  Pass(600, {});
  status_.leader = raft::kNoNode;
  Pass(100, {});
  Lead(2);
  EXPECT_EQ(Pass(20, {}), Proposals({LeadItem(2, 1, {3})}));
}

TEST_F(TopologyWatchTest, AfterARestartOfAllNobodyIsDownBeforeItHadTimeToCome) {
  for (raft::NodeId id : {1, 2, 3}) Announce(id);
  Apply(LeadItem(1, 3, {}));
  Lead(2);
  EXPECT_EQ(Pass(400, {2}), Proposals({LeadItem(2, 1, {})}));
  EXPECT_EQ(Pass(1000, {2, 3}), Proposals());
}

TEST_F(TopologyWatchTest, ALeaderThatHandedOverIsNotDown) {
  for (raft::NodeId id : {1, 2, 3}) Announce(id);
  Apply(LeadItem(1, 3, {}));
  Follow(3, 1);
  Pass(100, {2, 3});
  Lead(2);
  EXPECT_EQ(Pass(1000, {2, 3}), Proposals({LeadItem(2, 1, {})}));
}

TEST_F(TopologyWatchTest, ASilentFollowerIsDownUntilItHasBeenHeardForAWhileAndHoldsTheLog) {
  for (raft::NodeId id : {1, 2, 3}) Announce(id);
  Lead(1);
  EXPECT_EQ(Pass(1000, {2, 3}), Proposals({LeadItem(1, 1, {})}));
  EXPECT_EQ(Pass(480, {2}), Proposals());
  EXPECT_EQ(Pass(40, {2}), Proposals({LeadItem(1, 1, {3})}));
  EXPECT_EQ(Pass(1000, {2}), Proposals());

  EXPECT_EQ(Pass(900, {2, 3}), Proposals()) << "it may only be flapping";
  Pass(100, {2});
  Pass(500, {2});
  EXPECT_EQ(Pass(900, {2, 3}), Proposals());
  status_.peers[1].match_index = 5;
  EXPECT_EQ(Pass(2000, {2, 3}), Proposals()) << "it lacks committed entries";
  status_.peers[1].match_index = 10;
  status_.peers[1].state = "snapshot";
  EXPECT_EQ(Pass(2000, {2, 3}), Proposals());
  status_.peers[1].state = "replicate";
  EXPECT_EQ(Pass(200, {2, 3}), Proposals({LeadItem(1, 1, {})}));
}

TEST_F(TopologyWatchTest, AfterAPauseOfItsOwnALeaderCallsNobodySilent) {
  for (raft::NodeId id : {1, 2, 3}) Announce(id);
  Lead(1);
  Pass(1000, {2, 3});
  now_ns_ += 5000 * kMs;
  EXPECT_EQ(Next(), std::nullopt);
  EXPECT_EQ(Pass(1000, {2, 3}), Proposals());
}

TEST_F(TopologyWatchTest, ALeaderThatIsElectedAgainSaysItsNewTerm) {
  for (raft::NodeId id : {1, 2, 3}) Announce(id);
  Lead(1);
  Pass(1000, {2, 3});
  Lead(2);
  EXPECT_EQ(Pass(1000, {2, 3}), Proposals({LeadItem(2, 1, {})}));
}

}  // namespace
}  // namespace metastore::replica
