#include "engine/engine.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <thread>

#include "base/random.h"
#include "engine/checkpoint.h"
#include "engine/system_keys.h"
#include "tests/engine/scratch.h"
#include "tests/support/seed.h"

namespace metastore::engine {
namespace {

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { engine_ = Open(scratch_.path()); }

  static std::unique_ptr<Engine> Open(const std::string& directory) {
    Result<std::unique_ptr<Engine>> opened = TryOpen(directory);
    EXPECT_TRUE(opened.ok()) << opened.ToString();
    return std::move(*opened);
  }
  static Result<std::unique_ptr<Engine>> TryOpen(const std::string& directory) {
    return Engine::Open(
        {.directory = directory, .block_cache_bytes = 8 << 20, .write_buffer_bytes = 4 << 20});
  }
  void Reopen() {
    engine_.reset();
    engine_ = Open(scratch_.path());
  }
  Txn& txn() { return engine_->txn(); }
  // One entry that puts a key of every family, as apply does.
  void PutEverywhere(uint64_t index, const std::string& value) {
    txn().BeginEntry(index, 1000 + static_cast<int64_t>(index), index);
    for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) {
      txn().Put(family, "k", value);
    }
    txn().Put(Family::kSystem, kAppliedKey,
              EncodeApplied({index, 1, 1000 + static_cast<int64_t>(index)}));
    engine_->Commit();
  }
  static std::string Get(const View& view, Family family, std::string_view key) {
    std::string value;
    return view.Get(family, key, &value) ? value : "(none)";
  }
  static std::string Scan(const View& view, Family family, std::string_view lower = "",
                          std::string_view upper = "") {
    std::string out;
    std::unique_ptr<Iterator> it = view.NewIterator(family, lower, upper);
    for (it->Seek(lower); it->Valid(); it->Next()) {
      out.append(it->key()).append("=").append(it->value()).append(" ");
    }
    return out;
  }
  static uint64_t AppliedIndex(const View& view) {
    std::optional<Applied> applied = DecodeApplied(Get(view, Family::kSystem, kAppliedKey));
    return applied ? applied->index : 0;
  }

  ScratchDirectory scratch_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, WritesAreSeenByTheTxnAtOnceAndByViewsAfterCommit) {
  txn().BeginEntry(1, 1000, 1);
  txn().Put(Family::kMeta, "a", "1");
  EXPECT_EQ(Get(txn(), Family::kMeta, "a"), "1");
  EXPECT_EQ(Get(txn(), Family::kData, "a"), "(none)");
  EXPECT_EQ(Get(*engine_->NewView(0), Family::kMeta, "a"), "(none)");
  std::unique_ptr<View> before = engine_->NewView(0);
  engine_->Commit();
  EXPECT_EQ(Get(*before, Family::kMeta, "a"), "(none)");
  std::unique_ptr<View> after = engine_->NewView(0);
  EXPECT_EQ(Get(*after, Family::kMeta, "a"), "1");
  txn().Delete(Family::kMeta, "a");
  EXPECT_EQ(Get(txn(), Family::kMeta, "a"), "(none)");
  engine_->Commit();
  EXPECT_EQ(Get(*after, Family::kMeta, "a"), "1");
  EXPECT_EQ(Get(*engine_->NewView(0), Family::kMeta, "a"), "(none)");
}

TEST_F(EngineTest, TheTimeOfAViewIsNeverBelowTheLastEntry) {
  EXPECT_EQ(engine_->NewView(5)->now_ms(), 5);
  PutEverywhere(1, "v");
  EXPECT_EQ(engine_->NewView(5)->now_ms(), 1001);
  EXPECT_EQ(engine_->NewView(5000)->now_ms(), 5000);
  Reopen();
  EXPECT_EQ(engine_->NewView(5)->now_ms(), 1001);
}

TEST_F(EngineTest, VersionsAreMadeOfTheEntryAndACounter) {
  txn().BeginEntry(7, 0, 0);
  EXPECT_EQ(txn().NewVersion(), (7u << 24));
  EXPECT_EQ(txn().NewVersion(), (7u << 24) + 1);
  txn().BeginEntry(8, 0, 0);
  EXPECT_EQ(txn().NewVersion(), (8u << 24));
}

TEST_F(EngineTest, TheSameSeedGivesTheSameChance) {
  txn().BeginEntry(7, 0, 99);
  uint64_t first = txn().random().Next();
  txn().BeginEntry(8, 0, 99);
  EXPECT_EQ(txn().random().Next(), first);
}

TEST_F(EngineTest, CountsAndDatabasesBelongToTheView) {
  txn().BeginEntry(1, 0, 0);
  txn().AddCounts(3, {5, 2});
  txn().AddCounts(3, {-1, 0});
  EXPECT_EQ(txn().Counts(3).keys, 4);
  engine_->Commit();
  std::unique_ptr<View> before = engine_->NewView(0);
  DatabaseMap map;
  std::swap(map.prefix[0], map.prefix[3]);
  txn().SetDatabases(map);
  txn().SetCounts(3, {1, 1});
  txn().AddCounts(255, {9, 0});
  engine_->Commit();
  EXPECT_EQ(before->databases().prefix[0], 0);
  EXPECT_EQ(before->Counts(3).keys, 4);
  EXPECT_EQ(before->Counts(3).expiring, 2);
  for (bool reopened : {false, true}) {
    if (reopened) {
      before.reset();
      Reopen();
    }
    std::unique_ptr<View> after = engine_->NewView(0);
    for (const View* view :
         {static_cast<const View*>(after.get()), static_cast<const View*>(&txn())}) {
      EXPECT_EQ(view->databases().prefix[0], 3);
      EXPECT_EQ(view->databases().prefix[3], 0);
      EXPECT_EQ(view->Counts(3).keys, 1);
      EXPECT_EQ(view->Counts(3).expiring, 1);
      EXPECT_EQ(view->Counts(255).keys, 9);
      EXPECT_EQ(view->Counts(0).keys, 0);
    }
  }
}

TEST_F(EngineTest, ANegativeCountIsABrokenInvariant) {
  txn().BeginEntry(1, 0, 0);
  txn().AddCounts(0, {-1, 0});
  EXPECT_DEATH(engine_->Commit(), "keys >= 0");
}

TEST_F(EngineTest, ADeadRangeGoesAndWhatIsWrittenNextToItStays) {
  txn().BeginEntry(1, 0, 0);
  for (char c = 'a'; c <= 'f'; ++c) txn().Put(Family::kData, std::string(1, c), "v");
  engine_->Commit();
  std::unique_ptr<View> before = engine_->NewView(0);
  txn().DeleteDeadRange(Family::kData, "b", "e");
  txn().Put(Family::kData, "e", "new");
  engine_->Commit();
  EXPECT_EQ(Scan(*engine_->NewView(0), Family::kData), "a=v e=new f=v ");
  EXPECT_EQ(Scan(*before, Family::kData), "a=v b=v c=v d=v e=v f=v ");
}

// The space of a range that was removed comes back though nothing more is written, also when the
// node is restarted in between.
TEST_F(EngineTest, TheSpaceOfADeadRangeComesBackByItself) {
  for (const bool restart : {false, true}) {
    Random random(7);
    uint64_t index = restart ? 1000 : 1;
    for (int i = 0; i < 40; ++i) {
      txn().BeginEntry(index++, 1000, 1);
      for (int j = 0; j < 16; ++j) {
        std::string value(64 << 10, '\0');
        for (size_t at = 0; at < value.size(); at += 8) {
          const uint64_t word = random.Next();
          std::memcpy(value.data() + at, &word, sizeof word);
        }
        txn().Put(Family::kData, "dead" + std::to_string(i * 16 + j), std::move(value));
      }
      engine_->Commit();
    }
    ASSERT_TRUE(engine_->Flush().ok());
    ASSERT_GT(engine_->Stats().sst_bytes, size_t{35} << 20);
    txn().BeginEntry(index++, 1000, 1);
    txn().DeleteDeadRange(Family::kData, "dead", "deae");
    engine_->Commit();
    if (restart) Reopen();
    // RocksDB works in threads of its own.
    for (int i = 0; i < 2000 && engine_->Stats().sst_bytes > 1 << 20; ++i) {
      ASSERT_TRUE(engine_->ReclaimSpace().ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_LT(engine_->Stats().sst_bytes, size_t{1} << 20) << (restart ? "after a restart" : "");
  }
}

TEST_F(EngineTest, IteratorsOfATxnMergeWhatIsGatheredWithWhatIsStored) {
  txn().BeginEntry(1, 0, 0);
  for (const char* key : {"b", "d", "f", "h"}) txn().Put(Family::kMeta, key, "old");
  engine_->Commit();
  txn().Put(Family::kMeta, "a", "new");
  txn().Put(Family::kMeta, "d", "new");
  txn().Delete(Family::kMeta, "f");
  txn().Delete(Family::kMeta, "zz");
  EXPECT_EQ(Scan(txn(), Family::kMeta), "a=new b=old d=new h=old ");
  EXPECT_EQ(Scan(txn(), Family::kMeta, "b", "h"), "b=old d=new ");
  // Writes between iterators are seen, also by a seek below the lower bound.
  txn().Put(Family::kMeta, "c", "new");
  txn().Delete(Family::kMeta, "b");
  std::unique_ptr<Iterator> it = txn().NewIterator(Family::kMeta, "b", "");
  EXPECT_FALSE(it->Valid());
  it->Seek("");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "c");
}

TEST_F(EngineTest, RandomOperationsAgreeWithAMap) {
  Random random(test::Seed());
  using Model = std::array<std::map<std::string, std::string>, 3>;
  Model model;
  struct Kept {
    std::unique_ptr<View> view;
    Model model;
  };
  std::vector<Kept> kept;
  uint64_t index = 0;
  auto random_key = [&random] {
    // Short ones of few letters collide often; long ones test the arena.
    std::string key(random.OneIn(200) ? 100'000 : random.Uniform(4), 'k');
    for (char& c : key) {
      if (key.size() < 100) c = static_cast<char>("\0az\xff"[random.Uniform(4)]);
    }
    return key;
  };
  auto check = [&random, &random_key](const View& view, const Model& expected) {
    Family family = static_cast<Family>(random.Uniform(3));
    const auto& map = expected[static_cast<size_t>(family)];
    std::string key = random_key(), upper = random.OneIn(2) ? random_key() : "";
    std::string lower = random.OneIn(2) ? random_key() : "";
    auto found = map.find(key);
    std::string value;
    ASSERT_EQ(view.Get(family, key, &value), found != map.end());
    if (found != map.end()) {
      ASSERT_EQ(value, found->second);
    }
    if (!upper.empty() && upper < lower) std::swap(lower, upper);
    std::unique_ptr<Iterator> it = view.NewIterator(family, lower, upper);
    it->Seek(key);
    int steps = static_cast<int>(random.Uniform(50));
    auto at = map.lower_bound(std::max(lower, key));
    for (; steps > 0; --steps, ++at) {
      bool more = at != map.end() && (upper.empty() || at->first < upper);
      ASSERT_EQ(it->Valid(), more);
      if (!more) break;
      ASSERT_EQ(it->key(), at->first);
      ASSERT_EQ(it->value(), at->second);
      it->Next();
    }
    // Both ways, turning now and then.
    it->SeekForPrev(key);
    at = map.upper_bound(key);
    if (!upper.empty() && key >= upper) at = map.lower_bound(upper);
    bool valid = at != map.begin() && std::prev(at)->first >= lower;
    if (valid) --at;
    for (steps = static_cast<int>(random.Uniform(50)); steps > 0; --steps) {
      ASSERT_EQ(it->Valid(), valid);
      if (!valid) break;
      ASSERT_EQ(it->key(), at->first);
      ASSERT_EQ(it->value(), at->second);
      if (random.OneIn(3)) {
        it->Next();
        ++at;
        valid = at != map.end() && (upper.empty() || at->first < upper);
      } else {
        it->Prev();
        valid = at != map.begin() && std::prev(at)->first >= lower;
        if (valid) --at;
      }
    }
  };
  for (int step = 0; step < 30'000; ++step) {
    if (random.OneIn(20)) {
      ++index;
      txn().BeginEntry(index, static_cast<int64_t>(index), random.Next());
    }
    Family family = static_cast<Family>(random.Uniform(3));
    std::string key = random_key();
    if (random.Uniform(3) != 0) {
      std::string value(random.Uniform(200), static_cast<char>('a' + random.Uniform(26)));
      model[static_cast<size_t>(family)][key] = value;
      txn().Put(family, key, value);
    } else {
      model[static_cast<size_t>(family)].erase(key);
      txn().Delete(family, key);
    }
    if (random.OneIn(10)) check(txn(), model);
    if (random.OneIn(100)) {
      engine_->Commit();
      EXPECT_EQ(txn().bytes(), 0u);
      kept.push_back({engine_->NewView(0), model});
      if (kept.size() > 4) kept.erase(kept.begin() + static_cast<ptrdiff_t>(random.Uniform(4)));
    }
    if (!kept.empty() && random.OneIn(10)) {
      const Kept& one = kept[random.Uniform(kept.size())];
      check(*one.view, one.model);
    }
    if (random.OneIn(1500)) {
      ASSERT_TRUE(engine_->Flush().ok());
    }
    if (random.OneIn(6000)) {
      engine_->Commit();
      kept.clear();
      Reopen();
    }
    if (HasFatalFailure()) return;
  }
}

// --- What is on disk -----------------------------------------------------------------------------

TEST_F(EngineTest, ReadFlushedTellsOnlyWhatAFlushHasMadeDurable) {
  EXPECT_EQ(engine_->ReadFlushed(kAppliedKey), std::nullopt);
  PutEverywhere(1, "v");
  EXPECT_EQ(engine_->ReadFlushed(kAppliedKey), std::nullopt);
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(DecodeApplied(*engine_->ReadFlushed(kAppliedKey))->index, 1u);
  PutEverywhere(2, "v");
  EXPECT_EQ(DecodeApplied(*engine_->ReadFlushed(kAppliedKey))->index, 1u);
  EXPECT_EQ(AppliedIndex(*engine_->NewView(0)), 2u);
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(DecodeApplied(*engine_->ReadFlushed(kAppliedKey))->index, 2u);
}

TEST_F(EngineTest, AKillGoesBackToTheFlushedEntryInAllFamiliesTogether) {
  Random random(3);
  uint64_t flushed = 0;
  for (uint64_t index = 1; index <= 40; ++index) {
    PutEverywhere(index, "v" + std::to_string(index));
    if (random.OneIn(4)) {
      ASSERT_TRUE(engine_->Flush().ok());
      flushed = index;
    }
    if (!random.OneIn(3)) continue;
    ScratchDirectory copy;
    CopyAsAfterKill(scratch_ / "db", copy / "db");
    std::unique_ptr<Engine> killed = Open(copy.path());
    std::unique_ptr<View> view = killed->NewView(0);
    EXPECT_EQ(AppliedIndex(*view), flushed);
    std::string expected = flushed == 0 ? "(none)" : "v" + std::to_string(flushed);
    for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) {
      EXPECT_EQ(Get(*view, family, "k"), expected);
    }
  }
}

TEST_F(EngineTest, FullMemtablesFlushByThemselvesAndKeepTheFamiliesInStep) {
  // 40 MB through a 4 MB buffer; the kill comes while flushes and compactions run.
  for (uint64_t index = 1; index <= 400; ++index) {
    txn().BeginEntry(index, 1000, index);
    std::string suffix = std::to_string(index);
    for (int i = 0; i < 100; ++i) {
      std::string key = std::to_string(txn().random().Next());
      txn().Put(i % 2 ? Family::kMeta : Family::kData, key, std::string(1000, 'x'));
    }
    txn().Put(Family::kIndex, "last", suffix);
    txn().Put(Family::kMeta, "last", suffix);
    txn().Put(Family::kSystem, kAppliedKey, EncodeApplied({index, 1, 1000}));
    engine_->Commit();
  }
  EXPECT_NE(engine_->ReadFlushed(kAppliedKey), std::nullopt);
  EngineStats stats = engine_->Stats();
  EXPECT_GT(stats.sst_bytes, 0u);
  EXPECT_LT(stats.memtable_bytes, 24u << 20);
  EXPECT_FALSE(stats.write_stopped);
  ASSERT_TRUE(engine_->Checkpoint(scratch_ / "copy").ok());
}

TEST_F(EngineTest, AnOrderlyRestartKeepsEverything) {
  PutEverywhere(9, "v");
  Reopen();
  EXPECT_EQ(AppliedIndex(*engine_->NewView(0)), 9u);
  EXPECT_EQ(DecodeApplied(*engine_->ReadFlushed(kAppliedKey))->index, 9u);
}

// --- Checkpoint and Install ----------------------------------------------------------------------

TEST_F(EngineTest, ACheckpointHoldsOneMomentWhileWritesGoOn) {
  std::atomic<bool> stop = false;
  std::thread copier([this, &stop] {
    for (int n = 0; !stop || n == 0; ++n) {
      std::string directory = scratch_ / ("copy" + std::to_string(n));
      Status status = engine_->Checkpoint(directory);
      EXPECT_TRUE(status.ok()) << status.ToString();
      if (!status.ok()) return;
    }
  });
  for (uint64_t index = 1; index <= 2000; ++index) PutEverywhere(index, std::to_string(index));
  stop = true;
  copier.join();
  ScratchDirectory other;
  std::unique_ptr<Engine> engine = Open(other.path());
  uint64_t last = 0;
  for (int n = 0; std::filesystem::exists(scratch_ / ("copy" + std::to_string(n))); ++n) {
    Status installed = engine->Install(scratch_ / ("copy" + std::to_string(n)));
    ASSERT_TRUE(installed.ok()) << installed.ToString();
    std::unique_ptr<View> view = engine->NewView(0);
    uint64_t index = AppliedIndex(*view);
    EXPECT_GE(index, last);
    last = index;
    std::string expected = index == 0 ? "(none)" : std::to_string(index);
    for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) {
      EXPECT_EQ(Get(*view, family, "k"), expected);
    }
  }
}

TEST_F(EngineTest, InstallReplacesTheStateAndOldViewsStayGood) {
  ScratchDirectory source;
  {
    std::unique_ptr<Engine> other = Open(source.path());
    other->txn().BeginEntry(50, 7000, 0);
    other->txn().Put(Family::kMeta, "k", "theirs");
    other->txn().AddCounts(0, {12, 0});
    DatabaseMap map;
    std::swap(map.prefix[0], map.prefix[1]);
    other->txn().SetDatabases(map);
    other->txn().Put(Family::kSystem, kAppliedKey, EncodeApplied({50, 3, 7000}));
    other->Commit();
    ASSERT_TRUE(other->Checkpoint(scratch_ / "incoming").ok());
  }
  PutEverywhere(3, "ours");
  std::unique_ptr<View> old = engine_->NewView(0);
  std::unique_ptr<Iterator> old_iterator = old->NewIterator(Family::kMeta, "", "");
  old_iterator->Seek("");
  ASSERT_TRUE(engine_->Install(scratch_ / "incoming").ok());

  EXPECT_EQ(Get(*old, Family::kMeta, "k"), "ours");
  EXPECT_EQ(old_iterator->value(), "ours");
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "db/000001"));
  std::unique_ptr<View> view = engine_->NewView(0);
  EXPECT_EQ(Get(*view, Family::kMeta, "k"), "theirs");
  EXPECT_EQ(Get(*view, Family::kData, "k"), "(none)");
  EXPECT_EQ(view->Counts(0).keys, 12);
  EXPECT_EQ(view->databases().prefix[0], 1);
  EXPECT_EQ(view->now_ms(), 7000);
  EXPECT_EQ(txn().Counts(0).keys, 12);
  EXPECT_EQ(Get(txn(), Family::kMeta, "k"), "theirs");
  view.reset();

  // Apply goes on from there, and a restart finds it.
  txn().BeginEntry(51, 7001, 0);
  txn().Put(Family::kMeta, "k", "after");
  engine_->Commit();
  old_iterator.reset();
  old.reset();
  engine_.reset();
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "db/000001"));
  engine_ = Open(scratch_.path());
  EXPECT_EQ(Get(*engine_->NewView(0), Family::kMeta, "k"), "after");
}

TEST_F(EngineTest, InstallOfSomethingThatIsNoDatabaseChangesNothing) {
  PutEverywhere(3, "ours");
  std::filesystem::create_directory(scratch_ / "incoming");
  WriteWhole(scratch_ / "incoming/CURRENT", "nonsense");
  EXPECT_FALSE(engine_->Install(scratch_ / "incoming").ok());
  EXPECT_EQ(Get(*engine_->NewView(0), Family::kMeta, "k"), "ours");
  Reopen();
  EXPECT_EQ(Get(*engine_->NewView(0), Family::kMeta, "k"), "ours");
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "db/000002"));
}

TEST_F(EngineTest, OpenRemovesGenerationsThatCurrentDoesNotName) {
  PutEverywhere(3, "ours");
  engine_.reset();
  std::filesystem::copy(scratch_ / "db/000001", scratch_ / "db/000002");
  WriteWhole(scratch_ / "db/CURRENT.tmp", "000002\n");
  engine_ = Open(scratch_.path());
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "db/000002"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "db/CURRENT.tmp"));
  EXPECT_EQ(Get(*engine_->NewView(0), Family::kMeta, "k"), "ours");
}

TEST_F(EngineTest, AViewMayOutliveTheEngine) {
  PutEverywhere(1, "v");
  std::unique_ptr<View> view = engine_->NewView(0);
  engine_.reset();
  EXPECT_EQ(Get(*view, Family::kMeta, "k"), "v");
}

// --- Damage --------------------------------------------------------------------------------------

TEST_F(EngineTest, AMissingOrSenselessCurrentIsAnErrorAndDeletesNothing) {
  PutEverywhere(1, "v");
  engine_.reset();
  WriteWhole(scratch_ / "db/CURRENT", "000009x\n");
  EXPECT_EQ(TryOpen(scratch_.path()).code(), Code::kCorruption);
  std::filesystem::remove(scratch_ / "db/CURRENT");
  Result<std::unique_ptr<Engine>> opened = TryOpen(scratch_.path());
  EXPECT_EQ(opened.code(), Code::kCorruption);
  EXPECT_NE(opened.ToString().find("CURRENT is missing"), std::string::npos) << opened.ToString();
  // A generation that is gone is not made anew.
  WriteWhole(scratch_ / "db/CURRENT", "000009\n");
  CopyAsAfterKill(scratch_ / "db", scratch_ / "saved");
  EXPECT_FALSE(TryOpen(scratch_.path()).ok());
  std::filesystem::remove_all(scratch_ / "db");
  std::filesystem::rename(scratch_ / "saved", scratch_ / "db");
  WriteWhole(scratch_ / "db/CURRENT", "000001\n");
  EXPECT_TRUE(TryOpen(scratch_.path()).ok());
}

TEST_F(EngineTest, AFlippedBitInATableStopsTheProcessWhenItIsRead) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  txn().BeginEntry(1, 0, 0);
  for (int i = 0; i < 1000; ++i) {
    txn().Put(Family::kMeta, "key" + std::to_string(i), std::string(100, 'a'));
  }
  engine_->Commit();
  engine_.reset();
  for (const std::string& table : FilesEndingIn(scratch_ / "db", ".sst")) FlipBit(table, 100, 3);
  EXPECT_DEATH(
      {
        std::unique_ptr<Engine> engine = Open(scratch_.path());
        Scan(*engine->NewView(0), Family::kMeta);
      },
      "database failed while iterating over .*Corruption");
  EXPECT_DEATH(
      {
        std::unique_ptr<Engine> engine = Open(scratch_.path());
        Get(*engine->NewView(0), Family::kMeta, "key0");
      },
      "database failed while reading .*Corruption");
}

TEST_F(EngineTest, AMissingTableIsAnErrorOfOpen) {
  PutEverywhere(1, "v");
  engine_.reset();
  std::filesystem::remove(FilesEndingIn(scratch_ / "db", ".sst").at(0));
  EXPECT_EQ(TryOpen(scratch_.path()).code(), Code::kCorruption);
}

}  // namespace
}  // namespace metastore::engine
