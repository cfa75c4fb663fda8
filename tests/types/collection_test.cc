// Elements and Ranked against plain maps, packed and spread, through both kinds of Txn's reads.
#include "types/collection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <span>
#include <string>

#include "base/coding.h"
#include "tests/support/memory_txn.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"
#include "types/elements.h"
#include "types/ranked.h"

namespace metastore::types {
namespace {

using engine::Family;

class CollectionTest : public ::testing::Test {
 protected:
  WritableElements Open(std::string_view key) {
    Result<WritableCollection> opened = WritableCollection::Open(txn_, 0, key, Type::kHash);
    EXPECT_TRUE(opened.ok());
    return WritableElements(std::move(*opened));
  }
  template <class F>
  void Read(std::string_view key, F&& f) {
    Result<Record> record = FindCollection(txn_, 0, key, Type::kHash);
    if (!record.ok()) return;
    std::string_view rest = record->payload();
    const CollectionHeader header = CollectionHeader::Take(&rest);
    f(Elements(txn_, header, rest));
  }
  std::map<std::string, std::string> All(std::string_view key) {
    std::map<std::string, std::string> all;
    Read(key, [&](const Elements& elements) {
      elements.ForEach([&](std::string_view name, std::string_view value) {
        EXPECT_TRUE(all.emplace(name, value).second);
        return true;
      });
      EXPECT_EQ(elements.count(), all.size());
    });
    return all;
  }
  void Fill(std::string_view key, int count) {
    WritableElements elements = Open(key);
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back("n" + std::to_string(i));
    for (const std::string& name : names) elements.Put(name, "v");
    elements.Save();
  }
  size_t Rows(Family family) const { return txn_.table(family).size(); }

  test::MemoryTxn txn_;
};

TEST_F(CollectionTest, TheBytesOfPackedAndSpreadCollectionsAreFixed) {
  WritableElements small = Open("k");
  small.Put("f", "v1");
  small.Put("g", "");
  small.Save();
  Result<Record> record = FindCollection(txn_, 0, "k", Type::kHash);
  ASSERT_TRUE(record.ok());
  using std::string_literals::operator""s;
  EXPECT_EQ(record->payload(),
            "\x00\x02\x02\x02\x01"
            "f\x02"
            "v1\x01"
            "g\x00"s);
  WritableElements large = Open("k");
  const std::string value(kMaxPackedBytes, 'x');
  large.Put("h", value);
  large.Save();
  record = FindCollection(txn_, 0, "k", Type::kHash);
  std::string expected = "\x01";
  PutBig64(&expected, record->collection_id());
  expected += "\x03\x03";
  PutVarint(&expected, value.size());
  EXPECT_EQ(record->payload(), expected);
  EXPECT_EQ(Rows(Family::kData), 3u);
  EXPECT_EQ(ElementRow(1, "f").substr(0, 8), "\0\0\0\0\0\0\0\1"s);
  EXPECT_EQ(ElementRow(1, "f").substr(16), "f");
}

TEST_F(CollectionTest, RandomOperationsAgreeWithAMapPackedAndSpread) {
  Random random(test::Seed());
  for (int round = 0; round < 40; ++round) {
    const std::string key = "k" + std::to_string(round);
    const uint64_t names = round % 2 == 0 ? 40 : 400;
    std::map<std::string, std::string> model;
    for (int entry = 0; entry < 200; ++entry) {
      txn_.NextEntry(1'000'000'000'000);
      WritableElements elements = Open(key);
      std::vector<std::string> bytes;  // live until Save
      bytes.reserve(100);
      for (int i = 0; i < 4; ++i) {
        const std::string& name = bytes.emplace_back("n" + std::to_string(random.Uniform(names)));
        if (random.OneIn(3)) {
          EXPECT_EQ(elements.Erase(name), model.erase(name) > 0);
        } else {
          const std::string& value = bytes.emplace_back(random.Uniform(30), 'v');
          EXPECT_EQ(elements.Put(name, value), !model.contains(name));
          model[name] = value;
        }
        std::string found;
        EXPECT_EQ(elements.Get(name, &found), model.contains(name));
        if (model.contains(name)) {
          EXPECT_EQ(found, model[name]);
        }
      }
      elements.Save();
      ASSERT_EQ(All(key), model);
    }
    std::map<std::string, std::string> scanned;
    Read(key, [&](const Elements& elements) {
      uint64_t cursor = 0;
      do {
        cursor = elements.Scan(cursor, 10, [&](std::string_view name, std::string_view value) {
          EXPECT_TRUE(scanned.emplace(name, value).second);
          return true;
        });
      } while (cursor != 0);
    });
    EXPECT_EQ(scanned, model);
  }
}

TEST_F(CollectionTest, AnEmptyCollectionHasNoKey) {
  Fill("k", 3);
  WritableElements elements = Open("k");
  for (const char* name : {"n0", "n1", "n2"}) EXPECT_TRUE(elements.Erase(name));
  elements.Save();
  EXPECT_FALSE(Exists(txn_, 0, "k"));
  EXPECT_EQ(DatabaseCounts(txn_, 0), engine::KeyCounts{});
}

TEST_F(CollectionTest, ADeletedOverwrittenOrFlushedSpreadCollectionLeavesNothingBehind) {
  for (int count : {200, 2000}) {
    Fill("deleted", count);
    Fill("overwritten", count);
    Fill("renamed", count);
    Fill("target", count);
    EXPECT_EQ(DatabaseCounts(txn_, 0).spread, 4);
    WritableKey(txn_, 0, "deleted").Delete();
    WritableKey(txn_, 0, "overwritten").PutString("s");
    Rename(txn_, 0, "renamed", 1, "moved");
    Rename(txn_, 1, "moved", 0, "target");
    EXPECT_EQ(DatabaseCounts(txn_, 0).spread, 1);
    EXPECT_EQ(All("target").size(), static_cast<size_t>(count));
    EXPECT_TRUE(NeedsReclaim(txn_));
    txn_.NextEntry(1'000'000'000'000);
    Reclaim(txn_);
    EXPECT_EQ(Rows(Family::kData), static_cast<size_t>(count));
    EXPECT_EQ(All("target").size(), static_cast<size_t>(count));
    // Many keys, so that the database is flushed by a new prefix.
    for (int i = 0; i < kFlushOneByOneKeys; ++i) {
      WritableKey(txn_, 0, "s" + std::to_string(i)).PutString("v");
    }
    FlushDatabase(txn_, 0);
    for (int i = 0; i < 4; ++i) {
      txn_.NextEntry(1'000'000'000'000);
      Reclaim(txn_);
    }
    EXPECT_FALSE(NeedsReclaim(txn_));
    for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) {
      EXPECT_EQ(Rows(family), 0u);
    }
  }
}

TEST_F(CollectionTest, ACopyHasElementsOfItsOwn) {
  Fill("k", 500);
  Copy(txn_, 0, "k", 3, "copy");
  {
    WritableElements elements = Open("k");
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(elements.Erase("n" + std::to_string(i)));
    elements.Save();
  }
  Rename(txn_, 3, "copy", 0, "k");
  EXPECT_EQ(All("k").size(), 500u);
}

// Redis's own test of SRANDMEMBER allows a chi-square of 73 for 64 elements drawn 10,000 times.
TEST_F(CollectionTest, EveryElementIsPickedAsOftenAsAnyOther) {
  Random random(test::Seed());
  for (int count : {20, 200, test::kSanitized ? 300 : 3000}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    std::map<std::string, int> picked;
    const int draws = count * 100;
    Read(key, [&](const Elements& elements) {
      for (int i = 0; i < draws; ++i) {
        elements.Pick(random, [&](std::string_view name, std::string_view) {
          ++picked[std::string(name)];
          return true;
        });
      }
    });
    EXPECT_EQ(picked.size(), static_cast<size_t>(count));
    double chi_square = 0;
    for (const auto& [name, times] : picked) {
      chi_square += (times - 100.0) * (times - 100.0) / 100.0;
    }
    // Mean count - 1, standard deviation sqrt(2 count): beyond six of them chance does not come.
    EXPECT_LT(chi_square, count + 6 * std::sqrt(2.0 * count));
  }
}

TEST_F(CollectionTest, DistinctPicksAreDistinctAndAsManyAsAsked) {
  Random random(test::Seed());
  for (int count : {50, 2000}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    for (uint64_t limit : {1, 7, 49, 100, 1999, 5000}) {
      std::set<std::string> picked;
      Read(key, [&](const Elements& elements) {
        elements.PickDistinct(limit, random, [&](std::string_view name, std::string_view) {
          EXPECT_TRUE(picked.emplace(name).second);
          return true;
        });
      });
      EXPECT_EQ(picked.size(), std::min<uint64_t>(limit, static_cast<uint64_t>(count)));
    }
  }
}

class RankedTest : public ::testing::Test {
 protected:
  std::string Walk(const WritableRanked& ranked) {
    std::string all;
    for (Ranked::Cursor cursor = ranked.First(); cursor.Valid(); cursor.Next()) {
      all.append(cursor.key()).append("=").append(cursor.value()).append(" ");
    }
    return all;
  }
  // Ranks and places against a walk over the model, for some keys.
  void Compare(const WritableRanked& ranked, const std::map<std::string, std::string>& model,
               Random& random) {
    uint64_t rank = 0;
    for (const auto& [key, value] : model) {
      if (random.OneIn(1 + model.size() / 20)) {
        EXPECT_EQ(ranked.Rank(key), rank);
        EXPECT_EQ(ranked.Rank(key + "!"), rank + 1);
        Ranked::Cursor cursor = ranked.At(rank);
        ASSERT_TRUE(cursor.Valid());
        EXPECT_EQ(cursor.key(), key);
        EXPECT_EQ(cursor.value(), value);
        EXPECT_EQ(ranked.LowerBound(key).key(), key);
        Ranked::Cursor before = ranked.Before(key);
        ASSERT_EQ(before.Valid(), rank > 0);
        if (rank > 0) {
          EXPECT_EQ(before.key(), std::prev(model.find(key))->first);
        }
      }
      ++rank;
    }
    EXPECT_FALSE(ranked.At(rank).Valid());
    EXPECT_EQ(ranked.Last().Valid(), !model.empty());
    if (!model.empty()) {
      EXPECT_EQ(ranked.Last().key(), std::prev(model.end())->first);
    }
  }

  test::MemoryTxn txn_;
};

TEST_F(RankedTest, RandomInsertionsAndErasuresAgreeWithAMap) {
  Random random(test::Seed());
  for (int round = 0; round < 3; ++round) {
    WritableRanked ranked(txn_, Family::kIndex, 7 + static_cast<uint64_t>(round));
    std::map<std::string, std::string> model;
    // It grows, shrinks to nothing, and grows again.
    for (int phase = 0; phase < 4; ++phase) {
      const bool grow = phase % 2 == 0;
      for (int i = 0; i < 6000; ++i) {
        std::string key;
        if (grow ? random.Uniform(10) < 9 : random.Uniform(10) < 1) {
          // Some at random, some in runs.
          key = std::to_string(random.OneIn(2) ? random.Uniform(1'000'000) : 500'000 + i);
          if (model.contains(key)) continue;
          ranked.Insert(key, "v");
          model[key] = "v";
        } else if (!model.empty()) {
          auto victim = model.lower_bound(std::to_string(random.Uniform(1'000'000)));
          if (victim == model.end()) victim = model.begin();
          ranked.Erase(victim->first);
          model.erase(victim);
        }
        if (i % 1000 == 999) Compare(ranked, model, random);
        if (i % 1000 == 999) {
          uint64_t rows = 0;
          EXPECT_TRUE(ranked.Check(&rows).ok());
          EXPECT_EQ(rows, model.size());
        }
      }
    }
    while (!model.empty()) {
      ranked.Erase(model.begin()->first);
      model.erase(model.begin());
    }
    Compare(ranked, model, random);
    EXPECT_EQ(Walk(ranked), "");
  }
}

TEST_F(RankedTest, AWindowThatMovesOnLeavesNoCountsBehind) {
  for (bool forward : {true, false}) {
    WritableRanked ranked(txn_, Family::kIndex, forward ? 5 : 6);
    constexpr uint32_t kWindow = 3000, kMoves = test::kSanitized ? 40'000 : 200'000;
    const auto key = [&](uint32_t i) {
      std::string bytes;
      PutBig32(&bytes, forward ? i : UINT32_MAX - i);
      return bytes;
    };
    for (uint32_t i = 0; i < kMoves; ++i) {
      ranked.Insert(key(i), "v");
      if (i >= kWindow) ranked.Erase(key(i - kWindow));
    }
    uint64_t rows = 0;
    EXPECT_TRUE(ranked.Check(&rows).ok());
    EXPECT_EQ(rows, kWindow);
    EXPECT_EQ(ranked.Rank(key(kMoves - 1)), forward ? kWindow - 1 : 0);
    const std::string prefix = ElementPrefix(Family::kIndex, forward ? 5 : 6);
    const auto& table = txn_.table(Family::kIndex);
    const auto counts =
        std::distance(table.lower_bound(prefix + '\x01'), table.lower_bound(prefix + '\x03'));
    EXPECT_LT(counts, 100);
  }
}

TEST_F(RankedTest, AnErasureDoesNotSearchBackOverWhatWasErasedBefore) {
  WritableRanked ranked(txn_, Family::kIndex, 8);
  std::vector<std::string> keys;
  for (uint32_t i = 0; i < 20'000; ++i) {
    PutBig32(&keys.emplace_back(), i);
    txn_.Put(Family::kIndex, ranked.RowKey(keys.back()), "v");
  }
  ranked.CountAll();
  const uint64_t before = txn_.backward_steps();
  ranked.EraseRun(std::span(keys).subspan(1000, 10'000));
  for (size_t i = 12'000; i < 15'000; ++i) ranked.Erase(keys[i]);
  EXPECT_EQ(txn_.backward_steps(), before);
  uint64_t rows = 0;
  EXPECT_TRUE(ranked.Check(&rows).ok());
  EXPECT_EQ(rows, 7000u);
  EXPECT_EQ(ranked.Rank(keys[15'000]), 2000u);
}

TEST_F(RankedTest, RowsThatWereWrittenWithoutCountsAreCountedAtOnce) {
  Random random(test::Seed());
  WritableRanked ranked(txn_, Family::kData, 9);
  std::map<std::string, std::string> model;
  for (int i = 0; i < 50'000; ++i) {
    std::string key;
    PutBig32(&key, static_cast<uint32_t>(i));
    txn_.Put(Family::kData, ranked.RowKey(key), "v");
    model[key] = "v";
  }
  ranked.CountAll();
  Compare(ranked, model, random);
  for (int i = 0; i < 50'000; i += 2) {
    std::string key;
    PutBig32(&key, static_cast<uint32_t>(i));
    ranked.Erase(key);
    model.erase(key);
  }
  Compare(ranked, model, random);
}

}  // namespace
}  // namespace metastore::types
