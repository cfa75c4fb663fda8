#include "raft/log.h"

#include <gtest/gtest.h>

#include "tests/raft/test_cluster.h"

namespace metastore::raft {
namespace {

// A log over `storage` to which entries of the given terms were appended, nothing of them durable.
Log MakeLog(MemoryStorage* storage, const std::vector<Term>& terms, size_t cache_bytes = 1 << 20) {
  Log log(storage, storage->start(), storage->last_index(), cache_bytes, [](const Entry&) {});
  for (Term term : terms) {
    std::string data = std::to_string(log.last_index() + 1);
    log.Append({term, log.last_index() + 1, EntryType::kNormal, Data(data)});
  }
  return log;
}

void Persist(Log* log, MemoryStorage* storage, uint64_t number) {
  DurableWrite write;
  write.entries = log->TakeUnwritten(number);
  storage->Apply(write);
  log->OnPersisted(number);
}

TEST(RaftLogTest, TermsAreKnownFromTheStartToTheEnd) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 1, 3, 3, 7});
  EXPECT_EQ(log.TermAt(0), 0u);
  EXPECT_EQ(log.TermAt(2), 1u);
  EXPECT_EQ(log.TermAt(3), 3u);
  EXPECT_EQ(log.TermAt(5), 7u);
  EXPECT_FALSE(log.Has(6));
  log.Truncate(4);
  EXPECT_EQ(log.last_term(), 3u);
  log.Truncate(3);
  EXPECT_EQ(log.last_term(), 1u);
}

TEST(RaftLogTest, ARestartFindsTermsAndShowsEveryEntry) {
  MemoryStorage storage;
  Log first = MakeLog(&storage, {1, 2, 2, 5});
  Persist(&first, &storage, 1);
  storage.Compact({2, 2}, {});
  std::vector<Index> seen;
  Log log(&storage, storage.start(), storage.last_index(), 1000,
          [&](const Entry& entry) { seen.push_back(entry.index); });
  EXPECT_EQ(seen, (std::vector<Index>{3, 4}));
  EXPECT_EQ(log.TermAt(2), 2u);
  EXPECT_EQ(log.TermAt(4), 5u);
  EXPECT_EQ(log.persisted_index(), 4u);
  EXPECT_EQ(log.Read(2, 4, 1000).code(), Code::kNotFound);
}

TEST(RaftLogTest, Section5_3_TheLastPositionNotAboveATermSkipsWholeTerms) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 1, 2, 2, 5, 5});
  EXPECT_EQ(log.LastNotAbove(6, 5), (Position{5, 6}));
  EXPECT_EQ(log.LastNotAbove(5, 4), (Position{2, 4}));
  EXPECT_EQ(log.LastNotAbove(100, 1), (Position{1, 2}));
  EXPECT_EQ(log.LastNotAbove(1, 9), (Position{1, 1}));
  EXPECT_EQ(log.LastNotAbove(4, 0), (Position{0, 0}));
}

TEST(RaftLogTest, ReadsAreBoundedButGiveAtLeastOneEntry) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 1, 1, 1});
  EXPECT_EQ(log.Read(1, 5, 0)->size(), 1u);
  EXPECT_EQ(log.Read(1, 5, 50)->size(), 2u);  // 25 bytes each
  EXPECT_EQ(log.Read(1, 5, 49)->size(), 1u);
  EXPECT_EQ(log.Read(2, 4, 1000)->size(), 2u);
}

TEST(RaftLogTest, OnlyDurableEntriesLeaveTheCacheAndAreReadBack) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 1, 1, 1}, 50);
  EXPECT_EQ(log.cached_bytes(), 100u);
  Persist(&log, &storage, 1);
  EXPECT_EQ(log.cached_bytes(), 50u);
  Result<std::vector<Entry>> entries = log.Read(1, 5, 1000);
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(entries->size(), 2u);  // up to the border of the cache
  EXPECT_EQ(entries->at(0).Data(), "1");
  EXPECT_EQ(log.Read(3, 5, 1000)->size(), 2u);
}

TEST(RaftLogTest, ATruncationBelowTheCacheKeepsReadingFromTheDurableLog) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 1, 1, 1}, 25);
  Persist(&log, &storage, 1);
  log.Truncate(2);
  EXPECT_EQ(log.persisted_index(), 1u);
  log.Append({2, 2, EntryType::kNormal, Data("new")});
  // The durable log still holds the old entry 2; it must not be seen.
  EXPECT_EQ(log.Read(1, 3, 1000)->size(), 1u);
  EXPECT_EQ(log.Read(2, 3, 1000)->at(0).Data(), "new");
  Persist(&log, &storage, 2);
  EXPECT_EQ(storage.last_index(), 2u);
}

TEST(RaftLogTest, Section5_3_AnOldWriteNeverCountsForEntriesThatReplacedItsOwn) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 1, 1});
  EXPECT_EQ(log.TakeUnwritten(1).size(), 3u);
  log.Truncate(2);
  log.Append({2, 2, EntryType::kNormal, nullptr});
  log.Append({2, 3, EntryType::kNormal, nullptr});
  EXPECT_EQ(log.TakeUnwritten(2).size(), 2u);
  log.OnPersisted(1);
  EXPECT_EQ(log.persisted_index(), 1u);
  log.OnPersisted(2);
  EXPECT_EQ(log.persisted_index(), 3u);
}

TEST(RaftLogTest, Section7_ACutKeepsTheTermOfItsPoint) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 2, 3, 3});
  Persist(&log, &storage, 1);
  log.Compact(3);
  EXPECT_EQ(log.start(), (Position{3, 3}));
  EXPECT_EQ(log.TermAt(3), 3u);
  EXPECT_FALSE(log.Has(2));
  log.Compact(4);
  EXPECT_EQ(log.last_index(), 4u);
  EXPECT_EQ(log.last_term(), 3u);
  log.Append({3, 5, EntryType::kNormal, nullptr});
  EXPECT_EQ(log.Read(5, 6, 100)->size(), 1u);
}

TEST(RaftLogTest, Section7_ASnapshotReplacesEverything) {
  MemoryStorage storage;
  Log log = MakeLog(&storage, {1, 1, 1});
  log.TakeUnwritten(1);
  log.Restore({4, 10});
  log.OnPersisted(1);
  EXPECT_EQ(log.last_index(), 10u);
  EXPECT_EQ(log.last_term(), 4u);
  EXPECT_EQ(log.persisted_index(), 10u);
  EXPECT_FALSE(log.HasUnwritten());
  EXPECT_FALSE(log.Has(9));
}

}  // namespace
}  // namespace metastore::raft
