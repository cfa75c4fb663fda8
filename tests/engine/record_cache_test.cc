#include "engine/record_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "base/random.h"
#include "engine/engine.h"
#include "tests/engine/scratch.h"
#include "tests/support/seed.h"

namespace metastore::engine {
namespace {

constexpr size_t kBytes = 256 << 10;

std::string Get(RecordCache& cache, std::string_view key, uint64_t at) {
  std::string value;
  return cache.Get(key, at, &value) ? value : "(unknown)";
}

TEST(RecordCacheTest, AViewSeesAnEntryOnlyFromTheCommitThatWroteItOn) {
  RecordCache cache(kBytes);
  cache.Put("k", "one", 5);
  EXPECT_EQ(Get(cache, "k", 5), "one");
  EXPECT_EQ(Get(cache, "k", 4), "(unknown)");
  cache.Put("k", "two", 7);
  EXPECT_EQ(Get(cache, "k", 6), "(unknown)");
  EXPECT_EQ(Get(cache, "k", 7), "two");
  cache.Put("k", "a value of another size", 8);
  EXPECT_EQ(Get(cache, "k", 8), "a value of another size");
  cache.Erase("k", 9);
  EXPECT_EQ(Get(cache, "k", RecordCache::kNow), "(unknown)");
}

TEST(RecordCacheTest, AnOldViewDoesNotBringBackWhatALaterCommitReplaced) {
  RecordCache cache(kBytes);
  cache.Put("k", "new", 5);
  cache.Erase("k", 6);
  cache.Fill("k", "old", 4);
  EXPECT_EQ(Get(cache, "k", RecordCache::kNow), "(unknown)");
  cache.Fill("k", "new", 6);
  EXPECT_EQ(Get(cache, "k", 6), "new");
  EXPECT_EQ(Get(cache, "k", 5), "(unknown)");
}

TEST(RecordCacheTest, NothingOfBeforeAClearIsFoundOrFilledAfterIt) {
  RecordCache cache(kBytes);
  cache.Put("k", "v", 1);
  cache.Clear(2);
  EXPECT_EQ(Get(cache, "k", RecordCache::kNow), "(unknown)");
  cache.Fill("k", "v", 1);
  cache.Fill("other", "v", 1);
  EXPECT_EQ(Get(cache, "k", RecordCache::kNow), "(unknown)");
  EXPECT_EQ(Get(cache, "other", RecordCache::kNow), "(unknown)");
  cache.Fill("k", "v", 2);
  EXPECT_EQ(Get(cache, "k", 2), "v");
}

TEST(RecordCacheTest, ACacheOfNoBytesKeepsNothing) {
  RecordCache cache(0);
  cache.Put("k", "v", 1);
  cache.Fill("k", "v", 1);
  cache.Clear(2);
  EXPECT_EQ(Get(cache, "k", RecordCache::kNow), "(unknown)");
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(RecordCacheTest, AValueThatIsTooLargeDropsTheOldOne) {
  RecordCache cache(kBytes);
  cache.Put("k", "small", 1);
  cache.Put("k", std::string(64 << 10, 'x'), 2);
  EXPECT_EQ(Get(cache, "k", RecordCache::kNow), "(unknown)");
  cache.Fill("k", std::string(64 << 10, 'x'), 2);
  EXPECT_EQ(Get(cache, "k", RecordCache::kNow), "(unknown)");
}

TEST(RecordCacheTest, MemoryStaysWithinTheBudgetAndUsedEntriesOutliveUnusedOnes) {
  RecordCache cache(1 << 20);
  const std::string value(100, 'v');
  for (int i = 0; i < 100'000; ++i) {
    if (i < 100) cache.Put("hot " + std::to_string(i), value, 1);
    cache.Put("cold " + std::to_string(i), value, 1);
    if (i % 1000 != 0) continue;
    for (int hot = 0; hot < 100; ++hot) Get(cache, "hot " + std::to_string(hot), 1);
  }
  EXPECT_LE(cache.bytes(), size_t{1} << 20);
  int found = 0;
  for (int i = 0; i < 100; ++i) found += Get(cache, "hot " + std::to_string(i), 1) == value;
  EXPECT_GE(found, 90);
  // Most of what was put last is there: the memory is used.
  int last = 0;
  for (int i = 95'000; i < 100'000; ++i) {
    last += Get(cache, "cold " + std::to_string(i), 1) == value;
  }
  EXPECT_GE(last, 4'500);
}

// Commits and Views in any order, with the rings so small that everything is moved and dropped all
// the time; what a View finds must be what it would have read from RocksDB.
TEST(RecordCacheTest, RandomCommitsAndViewsAgreeWithTheHistoryOfEveryKey) {
  Random random(test::Seed());
  using History = std::map<uint64_t, std::optional<std::string>>;  // commit -> what it left
  for (int round = 0; round < 20; ++round) {
    RecordCache cache(random.OneIn(2) ? 64 << 10 : 8 << 10);
    std::map<std::string, History> keys;
    const uint64_t key_count = 1 + random.Uniform(600);
    uint64_t committed = 0, cleared = 0, hits = 0;
    auto random_key = [&] { return "key " + std::to_string(random.Uniform(key_count)); };
    auto value_at = [&](const std::string& key, uint64_t at) -> std::optional<std::string> {
      const History& history = keys[key];
      auto after = history.upper_bound(at);
      return after == history.begin() ? std::nullopt : std::prev(after)->second;
    };
    auto read = [&] {
      std::string key = random_key(), value;
      uint64_t at = committed - random.Uniform(std::min<uint64_t>(committed - cleared, 4) + 1);
      std::optional<std::string> expected = value_at(key, at);
      if (cache.Get(key, at, &value)) {
        ++hits;
        ASSERT_TRUE(expected.has_value()) << key << " at " << at;
        ASSERT_EQ(value, *expected) << key << " at " << at;
      } else if (expected) {
        cache.Fill(key, *expected, at);
      }
    };
    for (int step = 0; step < 3000; ++step) {
      const uint64_t number = committed + 1;
      if (random.OneIn(500)) {
        cache.Clear(number);
        for (auto& [key, history] : keys) history[number] = std::nullopt;
        cleared = number;
      }
      for (uint64_t writes = random.Uniform(6); writes > 0; --writes) {
        std::string key = random_key(), value;
        // A commit writes a key once.
        if (keys[key].contains(number)) continue;
        if (random.OneIn(4)) {
          cache.Erase(key, number);
          keys[key][number] = std::nullopt;
        } else {
          value.assign(random.Uniform(random.OneIn(20) ? 1000 : 60), 'a');
          value += std::to_string(number);
          cache.Put(key, value, number);
          keys[key][number] = value;
        }
        // Views of before go on while the commit is under way.
        read();
        if (HasFatalFailure()) return;
      }
      committed = number;
      for (uint64_t reads = random.Uniform(6); reads > 0; --reads) read();
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(hits, 0u);
  }
}

// Every commit writes the same number to all keys, so a View that finds two numbers has seen a
// part of a commit.
TEST(RecordCacheTest, ViewsOfManyThreadsSeeWholeCommitsOnly) {
  ScratchDirectory scratch;
  Result<std::unique_ptr<Engine>> engine = Engine::Open({.directory = scratch.path(),
                                                         .block_cache_bytes = 1 << 20,
                                                         .record_cache_bytes = 32 << 10,
                                                         .write_buffer_bytes = 1 << 20});
  ASSERT_TRUE(engine.ok()) << engine.ToString();
  constexpr int kKeys = 40, kCommits = 3000;
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      Random random(static_cast<uint64_t>(r));
      int64_t last = -1;
      while (!done) {
        std::unique_ptr<View> view = (*engine)->NewView(0);
        std::string first, value;
        if (!view->Get(Family::kMeta, "key 0", &first)) continue;
        for (int i = 0; i < kKeys; ++i) {
          std::string key = "key " + std::to_string(random.Uniform(kKeys));
          if (!view->Get(Family::kMeta, key, &value) || value != first) ++torn;
        }
        int64_t now = std::stoll(first);
        if (now < last) ++torn;
        last = now;
      }
    });
  }
  for (int commit = 0; commit < kCommits; ++commit) {
    Txn& txn = (*engine)->txn();
    txn.BeginEntry(static_cast<uint64_t>(commit) + 1, 1, 1);
    for (int i = 0; i < kKeys; ++i) {
      txn.Put(Family::kMeta, "key " + std::to_string(i), std::to_string(commit));
    }
    (*engine)->Commit();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace metastore::engine
