#include "replica/pending.h"

#include <gtest/gtest.h>

namespace metastore::replica {
namespace {

constexpr raft::NodeId kNode = 3;
constexpr uint64_t kIncarnation = 5;

class PendingTest : public testing::Test {
 protected:
  void Add(uint64_t ticket, int64_t deadline_ns = 100) {
    BatchBuilder builder;
    std::vector<std::string_view> args = {"SET", "k", "v"};
    builder.Add(ItemKind::kWrite, 2, 0, args);
    pending_.Add(0, ticket, builder.Take(), 1, deadline_ns);
  }
  // The header of the next batch, which is handed over; seq 0 when there is none.
  BatchHeader Hand() {
    BatchHeader header;
    const std::string* batch = pending_.Next();
    if (batch == nullptr) return header;
    EXPECT_TRUE(ReadBatch(*batch, &header).ok());
    pending_.Advance();
    return header;
  }
  std::vector<ExpiredBatch> Expire(int64_t now_ns) {
    std::vector<ExpiredBatch> expired;
    pending_.Expire(now_ns, &expired);
    return expired;
  }
  void Applied(uint64_t seq) {
    std::vector<ExpiredBatch> unknown;
    pending_.OnApplied(seq, false, &unknown);
    EXPECT_TRUE(unknown.empty());
  }

  Pending pending_{kNode, kIncarnation};
};

TEST_F(PendingTest, BatchesGetTheirSequenceNumbersWhenTheyAreHandedOver) {
  Add(10);
  Add(11);
  BatchHeader first = Hand();
  EXPECT_EQ(first.node, kNode);
  EXPECT_EQ(first.incarnation, kIncarnation);
  EXPECT_EQ(first.seq, 1u);
  EXPECT_EQ(first.ticket, 10u);
  EXPECT_EQ(Hand().seq, 2u);
  EXPECT_EQ(Hand().seq, 0u);
}

TEST_F(PendingTest, ANewLeaderGetsEverythingAgainUnderTheSameNumbers) {
  Add(10);
  Add(11);
  Hand();
  Hand();
  Applied(1);
  pending_.Rewind();
  BatchHeader again = Hand();
  EXPECT_EQ(again.seq, 2u);
  EXPECT_EQ(again.ticket, 11u);
  EXPECT_EQ(Hand().seq, 0u);
}

TEST_F(PendingTest, ABatchThatNoLeaderSawIsCertainlyNotApplied) {
  Add(10, 50);
  EXPECT_TRUE(Expire(49).empty());
  std::vector<ExpiredBatch> expired = Expire(50);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].ticket, 10u);
  EXPECT_EQ(expired[0].outcome, BatchOutcome::kNotApplied);
  EXPECT_EQ(pending_.size(), 0u);
  EXPECT_EQ(pending_.bytes(), 0u);
  // Its number was never given out, so there is no gap.
  Add(11);
  EXPECT_EQ(Hand().seq, 1u);
}

TEST_F(PendingTest, ABatchThatALeaderSawIsUnknownAndLeavesAnEmptyOneInItsPlace) {
  Add(10, 50);
  Add(11, 60);
  Hand();
  Hand();
  std::vector<ExpiredBatch> expired = Expire(50);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].outcome, BatchOutcome::kUnknown);
  EXPECT_TRUE(Expire(59).empty());
  pending_.Rewind();
  BatchHeader tombstone = Hand();
  EXPECT_EQ(tombstone.seq, 1u);
  EXPECT_EQ(tombstone.count, 0u);
  BatchHeader second = Hand();
  EXPECT_EQ(second.seq, 2u);
  EXPECT_EQ(second.count, 1u);
}

TEST_F(PendingTest, OnlyTheUnseenPartExpiresAsNotApplied) {
  Add(10, 50);
  Add(11, 50);
  Add(12, 70);
  Hand();
  std::vector<ExpiredBatch> expired = Expire(50);
  ASSERT_EQ(expired.size(), 2u);
  EXPECT_EQ(expired[0].outcome, BatchOutcome::kUnknown);
  EXPECT_EQ(expired[1].outcome, BatchOutcome::kNotApplied);
  BatchHeader next = Hand();
  EXPECT_EQ(next.ticket, 12u);
  EXPECT_EQ(next.seq, 2u);
}

TEST_F(PendingTest, ASnapshotThatJumpsOverUnansweredBatchesMakesThemUnknown) {
  Add(10);
  Add(11);
  Hand();
  Hand();
  std::vector<ExpiredBatch> unknown;
  pending_.OnApplied(1, true, &unknown);
  ASSERT_EQ(unknown.size(), 1u);
  EXPECT_EQ(unknown[0].ticket, 10u);
  EXPECT_EQ(unknown[0].outcome, BatchOutcome::kUnknown);
  EXPECT_EQ(pending_.size(), 1u);
}

TEST_F(PendingTest, RefusedBatchesAreOfferedAgain) {
  Add(10);
  Add(11);
  Hand();
  Hand();
  pending_.Rewind(1);
  EXPECT_EQ(Hand().ticket, 11u);
}

TEST_F(PendingTest, BytesFollowWhatIsHeld) {
  EXPECT_EQ(pending_.bytes(), 0u);
  Add(10, 50);
  EXPECT_GT(pending_.bytes(), 5u);
  Hand();
  size_t encoded = pending_.bytes();
  Expire(50);
  EXPECT_LT(pending_.bytes(), encoded);
  Applied(1);
  EXPECT_EQ(pending_.bytes(), 0u);
}

}  // namespace
}  // namespace metastore::replica
