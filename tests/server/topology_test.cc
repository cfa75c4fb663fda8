#include "server/topology.h"

#include <gtest/gtest.h>

#include "tests/server/topology_support.h"

namespace metastore::server {
namespace {

// The owner of each slot; 0: none.
std::vector<raft::NodeId> Owners(const ClusterView& view) {
  std::vector<raft::NodeId> owners(kSlots);
  for (const NodeView& node : view.nodes) {
    if (!node.slots) continue;
    for (int slot = node.slots->first; slot <= node.slots->last; ++slot) {
      EXPECT_EQ(owners[static_cast<size_t>(slot)], 0u) << "slot " << slot << " has two owners";
      owners[static_cast<size_t>(slot)] = node.id;
    }
  }
  return owners;
}

TEST(TopologyViewTest, SlotsAreSpreadEvenlyOverAnyNumberOfNodes) {
  for (int count = 1; count <= 64; ++count) {
    int next = 0;
    for (int i = 0; i < count; ++i) {
      const SlotRange range = EvenSlots(i, count);
      EXPECT_EQ(range.first, next);
      next = range.last + 1;
      const int size = next - range.first;
      EXPECT_TRUE(size == kSlots / count || size == kSlots / count + 1) << size << " of " << count;
    }
    EXPECT_EQ(next, kSlots);
  }
}

TEST(TopologyViewTest, EveryNodeMakesTheSameMap) {
  const std::vector<raft::NodeId> owners =
      Owners(ViewCluster(TestClusterInfo(1), SlotsMode::kEven));
  EXPECT_EQ(std::count(owners.begin(), owners.end(), 0), 0);
  for (raft::NodeId self : {2, 3}) {
    EXPECT_EQ(Owners(ViewCluster(TestClusterInfo(self), SlotsMode::kEven)), owners);
  }
}

TEST(TopologyViewTest, TheSlotsOfANodeThatIsDownGoToTheOthers) {
  replica::ReplicaInfo info = TestClusterInfo(1);
  ClusterOf(&info).topology.nodes[1].down = true;
  const ClusterView view = ViewCluster(info, SlotsMode::kEven);
  EXPECT_EQ(view.nodes[0].slots, (SlotRange{0, 8191}));
  EXPECT_EQ(view.nodes[1].slots, std::nullopt);
  EXPECT_TRUE(view.nodes[1].down);
  EXPECT_EQ(view.nodes[2].slots, (SlotRange{8192, 16383}));
}

TEST(TopologyViewTest, ALearnerHasNoSlotsAndIsAReplicaOfTheLeader) {
  replica::ReplicaInfo info = TestClusterInfo(1);
  replica::ClusterState& state = ClusterOf(&info);
  state.membership.voters = {1, 2};
  state.membership.learners = {3};
  const ClusterView view = ViewCluster(info, SlotsMode::kEven);
  EXPECT_EQ(view.nodes[1].slots, (SlotRange{8192, 16383}));
  EXPECT_FALSE(view.nodes[1].replica);
  EXPECT_EQ(view.nodes[2].slots, std::nullopt);
  EXPECT_TRUE(view.nodes[2].replica);
}

TEST(TopologyViewTest, WithSlotsOnTheLeaderTheOthersAreItsReplicas) {
  const ClusterView view = ViewCluster(TestClusterInfo(2), SlotsMode::kLeader);
  EXPECT_EQ(view.nodes[0].slots, (SlotRange{0, 16383}));
  EXPECT_FALSE(view.nodes[0].replica);
  EXPECT_TRUE(view.nodes[1].replica);
  EXPECT_TRUE(view.nodes[1].self);
  EXPECT_TRUE(view.nodes[2].replica);
}

TEST(TopologyViewTest, ANodeThatHasNotAnnouncedItselfIsNotShown) {
  replica::ReplicaInfo info = TestClusterInfo(1);
  ClusterOf(&info).topology.nodes.pop_back();
  const ClusterView view = ViewCluster(info, SlotsMode::kEven);
  ASSERT_EQ(view.nodes.size(), 2u);
  EXPECT_EQ(view.nodes[1].slots, (SlotRange{8192, 16383}));
  EXPECT_EQ(AddressOf(info, 3), std::nullopt);
  EXPECT_TRUE(ViewCluster(replica::ReplicaInfo(), SlotsMode::kEven).nodes.empty());
}

TEST(TopologyViewTest, NamesDifferByClusterNodeAndDiskAndStayTheSame) {
  const std::string name = NodeName("http://a:1,http://b:1", 1, 5);
  EXPECT_EQ(name.size(), replica::kNodeNameSize);
  EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), name.npos);
  EXPECT_EQ(NodeName("http://a:1,http://b:1", 1, 5), name);
  EXPECT_NE(NodeName("http://a:1", 1, 5), name);
  EXPECT_NE(NodeName("http://a:1,http://b:1", 2, 5), name);
  EXPECT_NE(NodeName("http://a:1,http://b:1", 1, 6), name);
}

}  // namespace
}  // namespace metastore::server
