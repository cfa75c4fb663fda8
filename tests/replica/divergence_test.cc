#include "replica/divergence.h"

#include <gtest/gtest.h>

namespace metastore::replica {
namespace {

constexpr raft::Index kOne = kDigestInterval, kTwo = 2 * kDigestInterval;
const raft::Membership kThree{{1, 2, 3}, {}, {}};

TEST(DivergenceTest, TheLeaderSaysItsNewestPointOnceAndAFollowerAnswersWhenItIsThere) {
  DivergenceWatch leader, follower;
  leader.Ask();
  EXPECT_TRUE(leader.TakeReports().empty());
  leader.OnApplied({kOne, 11});
  leader.OnApplied({kTwo, 22});
  leader.Ask();
  EXPECT_EQ(leader.TakeReports(), std::vector<DigestPoint>({{kTwo, 22}}));
  leader.Ask();
  EXPECT_TRUE(leader.TakeReports().empty());

  follower.OnApplied({kOne, 11});
  follower.OnReport(1, {kTwo, 22});
  EXPECT_TRUE(follower.TakeReports().empty());
  follower.OnApplied({kTwo, 22});
  EXPECT_EQ(follower.TakeReports(), std::vector<DigestPoint>({{kTwo, 22}}));
  EXPECT_EQ(follower.Judge(kThree).compared, kTwo);
  EXPECT_TRUE(follower.Judge(kThree).differing.empty());
}

TEST(DivergenceTest, TheOneThatDiffersFromAMajorityIsWrongAndTheOthersAreNot) {
  DivergenceWatch right, wrong;
  right.OnApplied({kOne, 11});
  right.OnReport(2, {kOne, 11});
  right.OnReport(3, {kOne, 99});
  EXPECT_EQ(right.Judge(kThree).differing, std::set<raft::NodeId>({3}));
  EXPECT_FALSE(right.Judge(kThree).wrong);

  wrong.OnReport(1, {kOne, 11});
  wrong.OnApplied({kOne, 99});
  EXPECT_FALSE(wrong.Judge(kThree).wrong) << "one against one: nobody knows";
  EXPECT_EQ(wrong.Judge(kThree).differing, std::set<raft::NodeId>({1}));
  wrong.OnReport(2, {kOne, 11});
  EXPECT_EQ(wrong.Judge(kThree).wrong, kOne);
}

TEST(DivergenceTest, WithoutAMajorityNobodyIsWrong) {
  DivergenceWatch watch;
  watch.OnApplied({kOne, 11});
  watch.OnReport(2, {kOne, 22});
  watch.OnReport(3, {kOne, 33});
  EXPECT_FALSE(watch.Judge(kThree).wrong);
  EXPECT_EQ(watch.Judge(kThree).differing.size(), 2u);
  EXPECT_FALSE(watch.Judge({{1, 2}, {}, {}}).wrong);
}

TEST(DivergenceTest, AJointConfigurationNeedsBothMajorities) {
  DivergenceWatch watch;
  watch.OnApplied({kOne, 11});
  watch.OnReport(2, {kOne, 22});
  watch.OnReport(3, {kOne, 22});
  EXPECT_FALSE(watch.Judge({{1, 2, 3}, {1, 4, 5}, {}}).wrong);
  EXPECT_TRUE(watch.Judge({{1, 2, 3}, {1, 2, 3}, {}}).wrong);
}

TEST(DivergenceTest, ASnapshotClearsWhatWasComputedBefore) {
  DivergenceWatch watch;
  watch.OnApplied({kOne, 99});
  watch.OnReport(1, {kOne, 11});
  watch.OnReport(2, {kOne, 11});
  EXPECT_TRUE(watch.Judge(kThree).wrong);
  watch.OnInstalled();
  EXPECT_FALSE(watch.Judge(kThree).wrong);
  watch.OnReport(1, {kTwo, 22});
  watch.OnApplied({kTwo, 22});
  EXPECT_EQ(watch.Judge(kThree).compared, kTwo);
}

TEST(DivergenceTest, APeerThatAgreesAgainNoLongerDiffers) {
  DivergenceWatch watch;
  watch.OnApplied({kOne, 11});
  watch.OnReport(3, {kOne, 99});
  watch.OnApplied({kTwo, 22});
  watch.OnReport(3, {kTwo, 22});
  EXPECT_TRUE(watch.Judge(kThree).differing.empty());
}

TEST(DivergenceTest, MemoryIsBoundedWhateverPeersSay) {
  DivergenceWatch watch;
  for (raft::Index i = 1; i <= 100'000; ++i) {
    watch.OnApplied({i * kDigestInterval, i});
    watch.OnReport(2, {i * kDigestInterval, i});
    watch.OnReport(3, {i * 7, i});
  }
  EXPECT_EQ(watch.Judge(kThree).compared, 100'000 * kDigestInterval);
}

}  // namespace
}  // namespace metastore::replica
