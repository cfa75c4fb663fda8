#include "replica/disk_room.h"

#include <gtest/gtest.h>

namespace metastore::replica {
namespace {

const raft::Membership kThree{{1, 2, 3}, {}, {}, {}};

raft::NodeStatus LeaderStatus() {
  raft::NodeStatus status;
  status.id = 1;
  for (raft::NodeId id : {2, 3, 4}) {
    raft::PeerStatus peer;
    peer.id = id;
    peer.active = true;
    peer.match_index = id;
    peer.learner = id == 4;
    status.peers.push_back(peer);
  }
  return status;
}

TEST(DiskRoomTest, AMajorityWithoutRoomIsToldFromAMinority) {
  DiskReports reports;
  EXPECT_FALSE(reports.MajorityNearlyFull(kThree, 1, true, 0));
  reports.OnReport(2, true, 0);
  EXPECT_FALSE(reports.MajorityNearlyFull(kThree, 1, false, 0));
  EXPECT_TRUE(reports.MajorityNearlyFull(kThree, 1, true, 0));
  reports.OnReport(2, false, 0);
  EXPECT_FALSE(reports.MajorityNearlyFull(kThree, 1, true, 0));
  // A learner's disk decides nothing.
  reports.OnReport(4, true, 0);
  EXPECT_FALSE(reports.MajorityNearlyFull(kThree, 1, true, 0));
}

TEST(DiskRoomTest, OldReportsAreForgotten) {
  DiskReports reports;
  reports.OnReport(2, true, 0);
  EXPECT_TRUE(reports.MajorityNearlyFull(kThree, 1, true, kDiskReportNs));
  EXPECT_FALSE(reports.MajorityNearlyFull(kThree, 1, true, kDiskReportNs + 1));
  reports.OnReport(3, false, 0);
  EXPECT_EQ(reports.Successor(LeaderStatus(), kDiskReportNs), 3u);
  EXPECT_EQ(reports.Successor(LeaderStatus(), kDiskReportNs + 1), std::nullopt);
}

TEST(DiskRoomTest, TheSuccessorIsTheVoterWithRoomThatHoldsMostOfTheLog) {
  DiskReports reports;
  raft::NodeStatus status = LeaderStatus();
  EXPECT_EQ(reports.Successor(status, 0), std::nullopt);
  reports.OnReport(4, false, 0);  // a learner
  EXPECT_EQ(reports.Successor(status, 0), std::nullopt);
  reports.OnReport(2, false, 0);
  EXPECT_EQ(reports.Successor(status, 0), 2u);
  reports.OnReport(3, false, 0);
  EXPECT_EQ(reports.Successor(status, 0), 3u);
  status.peers[1].active = false;
  EXPECT_EQ(reports.Successor(status, 0), 2u);
  reports.OnReport(2, true, 0);
  EXPECT_EQ(reports.Successor(status, 0), std::nullopt);
}

}  // namespace
}  // namespace metastore::replica
