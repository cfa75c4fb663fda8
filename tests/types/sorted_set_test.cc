// Sorted sets against a plain one, packed and spread; ranges, draws, costs in rows read, and what
// the offline check sees.
#include "types/sorted_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/coding.h"
#include "tests/support/counting_view.h"
#include "tests/support/memory_txn.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"

namespace metastore::types {
namespace {

using engine::Family;
using std::string_literals::operator""s;
using Members = std::vector<ScoredMember>;

constexpr int64_t kStartMs = 1'000'000'000'000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a sorted set is by definition.
class Model {
 public:
  size_t size() const { return scores_.size(); }
  bool Set(const std::string& member, double score) {
    return scores_.insert_or_assign(member, score).second;
  }
  bool Remove(const std::string& member) { return scores_.erase(member) == 1; }
  const double* Find(const std::string& member) const {
    auto it = scores_.find(member);
    return it == scores_.end() ? nullptr : &it->second;
  }
  Members InOrder() const {
    Members all;
    for (const auto& [member, score] : scores_) all.push_back({member, score});
    std::sort(all.begin(), all.end(),
              [](const ScoredMember& a, const ScoredMember& b) { return StandsBefore(a, b); });
    return all;
  }

 private:
  std::map<std::string, double> scores_;
};

class SortedSetTest : public ::testing::Test {
 protected:
  WritableSortedSet Open(std::string_view key) {
    Result<WritableSortedSet> opened = WritableSortedSet::Open(txn_, 0, key);
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  }
  SortedSet FindSet(std::string_view key) { return std::move(*SortedSet::Find(txn_, 0, key)); }
  void Add(std::string_view key, const Members& members) {
    WritableSortedSet set = Open(key);
    for (const ScoredMember& one : members) set.Set(one.member, one.score);
    set.Save();
  }
  // m0, m1, ... with the scores 0, 1, ...; all 0 where they are to be told by their bytes.
  void Fill(std::string_view key, int count, bool same_score = false) {
    Members members;
    for (int i = 0; i < count; ++i) {
      members.push_back({"m" + std::to_string(i), same_score ? 0.0 : i});
    }
    Add(key, members);
  }
  Members Walk(std::string_view key, const SortedSetRange& range = RankRange(),
               Direction direction = Direction::kForward, uint64_t skip = 0) {
    Members all;
    Result<SortedSet> set = SortedSet::Find(txn_, 0, key);
    if (!set.ok()) return all;
    set->Walk(range, direction, skip, [&](std::string_view member, double score) {
      all.push_back({std::string(member), score});
      return true;
    });
    return all;
  }
  std::string Names(const Members& members) {
    std::string names;
    for (const ScoredMember& one : members) names.append(one.member).append(" ");
    return names;
  }
  Status Check(std::string_view key) { return Check(txn_, key); }
  Status Check(const engine::View& view, std::string_view key) {
    std::optional<Record> record = Find(view, 0, key);
    if (!record) return Status::Ok();
    std::string_view rest = record->payload();
    const CollectionHeader collection = CollectionHeader::Take(&rest);
    return CheckSortedSet(view, collection, rest);
  }
  std::string_view Encoding(std::string_view key) {
    return SortedSetEncoding(FindSet(key).header(), EncodingLimits());
  }
  bool IsSpread(std::string_view key) { return Find(txn_, 0, key)->collection_id() != 0; }
  size_t Rows(Family family) const { return txn_.table(family).size(); }
  void ReclaimAll() {
    for (int i = 0; i < 2; ++i) {
      txn_.NextEntry(txn_.now_ms());
      Reclaim(txn_);
    }
  }

  test::MemoryTxn txn_{kStartMs};
};

TEST_F(SortedSetTest, TheBytesOfSortedSetsAreFixed) {
  Add("k", {{"b", 1}, {"a", 1}, {"c", -0.5}});
  EXPECT_EQ(Find(txn_, 0, "k")->payload(),
            "\x00\x03\x03\x01"
            "\x01"
            "c\x08\xbf\xe0\0\0\0\0\0\0\x01"
            "a\x08\x3f\xf0\0\0\0\0\0\0\x01"
            "b\x08\x3f\xf0\0\0\0\0\0\0"s);
  const std::string large(kMaxPackedBytes, 'x');
  Add("k", {{large, kInfinity}, {"z", -0.0}});
  std::optional<Record> record = Find(txn_, 0, "k");
  const uint64_t id = record->collection_id();
  ASSERT_NE(id, 0u);
  std::string payload = "\x01";
  PutBig64(&payload, id);
  payload += "\x05\x05";
  PutVarint(&payload, kMaxPackedBytes);
  payload += "\0"s;
  PutBytes(&payload, "\x40\x1f\xff\xff\xff\xff\xff\xff"s + "c");
  PutBytes(&payload, "\xff\xf0\0\0\0\0\0\0"s + std::string(120, 'x'));
  EXPECT_EQ(record->payload(), payload);

  const auto score_of = [&](std::string_view member) {
    std::string value = "?";
    EXPECT_TRUE(txn_.Get(Family::kData, ElementRow(id, member), &value));
    return value;
  };
  EXPECT_EQ(score_of("a"), "\x3f\xf0\0\0\0\0\0\0"s);
  EXPECT_EQ(score_of("z"), "\x80\0\0\0\0\0\0\0"s);
  const std::string prefix = ElementPrefix(Family::kIndex, id);
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& [key, value] : txn_.table(Family::kIndex)) {
    ASSERT_EQ(key.substr(0, prefix.size()), prefix);
    rows.emplace_back(key.substr(prefix.size()), value);
  }
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"\0\x40\x1f\xff\xff\xff\xff\xff\xff"
       "c"s,
       ""},
      {"\0\x80\0\0\0\0\0\0\0z"s, "-"},
      {"\0\xbf\xf0\0\0\0\0\0\0a"s, ""},
      {"\0\xbf\xf0\0\0\0\0\0\0"
       "b"s,
       ""},
      {"\0\xff\xf0\0\0\0\0\0\0"s + large, ""},
      {"\1\1"s, "\5"},
      {"\2\1"s, "\5"},
      {"\3\1"s, "\5"}};
  EXPECT_EQ(rows, expected);
}

TEST_F(SortedSetTest, ScoresComeInTheOrderOfNumbers) {
  const std::vector<double> scores = {-kInfinity, -1e300, -2.5, -1, -5e-324, 0,
                                      5e-324,     0.1,    1,    2,  1e17,    kInfinity};
  for (bool spread : {false, true}) {
    const std::string key = spread ? "spread" : "packed";
    if (spread) Fill(key, 200);
    WritableSortedSet set = Open(key);
    std::vector<std::string> names;
    for (size_t i = 0; i < scores.size(); ++i) {
      names.push_back("n" + std::to_string(scores.size() - i));
    }
    for (size_t i = 0; i < scores.size(); ++i) set.Set(names[i], scores[i]);
    set.Save();
    EXPECT_EQ(IsSpread(key), spread);
    std::vector<double> found;
    for (const ScoredMember& one : Walk(key)) {
      if (one.member[0] == 'n') found.push_back(one.score);
    }
    EXPECT_EQ(found, scores);
    EXPECT_TRUE(Check(key).ok());
  }
}

TEST_F(SortedSetTest, AZeroKeepsItsSignWhereRedisKeepsIt) {
  Add("few", {{"a", -0.0}, {"b", 1}});
  EXPECT_FALSE(std::signbit(*FindSet("few").Score("a")));
  Fill("many", 200);
  Add("many", {{"a", -0.0}, {"m5", -0.0}, {"m0", -0.0}});
  EXPECT_TRUE(std::signbit(*FindSet("many").Score("a")));
  EXPECT_TRUE(std::signbit(*FindSet("many").Score("m5")));
  // It was 0, which is the same.
  EXPECT_FALSE(std::signbit(*FindSet("many").Score("m0")));
  const Members first = Walk("many", RankRange{0, 3});
  EXPECT_EQ(Names(first), "a m0 m5 ");
  EXPECT_TRUE(std::signbit(first[0].score));
  EXPECT_FALSE(std::signbit(first[1].score));
  EXPECT_TRUE(std::signbit(first[2].score));
  EXPECT_TRUE(Check("many").ok());
  EXPECT_EQ(FindSet("many").Count(ScoreRange{0, 0}), 3u);
  EXPECT_EQ(FindSet("many").Count(ScoreRange{-0.0, -0.0}), 3u);
}

TEST_F(SortedSetTest, TheEncodingShownIsThatOfRedis) {
  Fill("k", 128);
  EXPECT_EQ(Encoding("k"), "listpack");
  Add("k", {{"more", 1}});
  EXPECT_EQ(Encoding("k"), "skiplist");
  WritableSortedSet set = Open("k");
  EXPECT_TRUE(set.Remove("more"));
  set.Save();
  EXPECT_EQ(Encoding("k"), "skiplist");
  Add("short", {{std::string(64, 'x'), 1}});
  EXPECT_EQ(Encoding("short"), "listpack");
  Add("long", {{std::string(65, 'x'), 1}});
  EXPECT_EQ(Encoding("long"), "skiplist");
  // Scores do not count.
  Add("tiny", {{"x", 1}});
  EXPECT_EQ(SortedSetEncoding(FindSet("tiny").header(), {.zset_max_listpack_value = 1}),
            "listpack");
  StoreSortedSet(txn_, 0, "k", {{"a", 1}});
  EXPECT_EQ(Encoding("k"), "listpack");
}

// --- random operations -------------------------------------------------------------------------

class SortedSetModelTest : public SortedSetTest {
 protected:
  double RandomScore() {
    switch (random_.Uniform(12)) {
      case 0:
        return random_.OneIn(2) ? kInfinity : -kInfinity;
      case 1:
        return static_cast<double>(random_.Uniform(1000)) / 7 - 70;
      default:
        return static_cast<double>(random_.Uniform(20)) - 10;
    }
  }
  std::string RandomMember(uint64_t names) {
    std::string member = "m" + std::to_string(random_.Uniform(names));
    if (long_names_) member = std::string(150, 'n') + member;
    return member;
  }
  RankRange RandomRanks(uint64_t size) {
    const uint64_t first = random_.Uniform(size + 2);
    return {first, first + random_.Uniform(size + 2)};
  }
  ScoreRange RandomScores() {
    return {RandomScore(), RandomScore(), random_.OneIn(3), random_.OneIn(3)};
  }
  static bool IsIn(const ScoreRange& range, double score) {
    return (range.min_open ? score > range.min : score >= range.min) &&
           (range.max_open ? score < range.max : score <= range.max);
  }
  // What a range holds of all members, in their order.
  static Members Of(const Members& all, const SortedSetRange& range) {
    Members in;
    if (const auto* ranks = std::get_if<RankRange>(&range)) {
      for (uint64_t i = ranks->first; i < ranks->end && i < all.size(); ++i) in.push_back(all[i]);
    } else {
      for (const ScoredMember& one : all) {
        if (IsIn(std::get<ScoreRange>(range), one.score)) in.push_back(one);
      }
    }
    return in;
  }
  SortedSetRange RandomRange(uint64_t size) {
    if (random_.OneIn(2)) return RandomRanks(size);
    return RandomScores();
  }
  void Compare(const std::string& key, const Model& model) {
    const Members all = model.InOrder();
    ASSERT_EQ(Walk(key), all);
    const Status whole = Check(key);
    ASSERT_TRUE(whole.ok()) << whole.ToString();
    Result<SortedSet> set = SortedSet::Find(txn_, 0, key);
    ASSERT_EQ(set.ok(), !all.empty());
    if (!set.ok()) return;
    EXPECT_EQ(set->size(), all.size());
    for (int i = 0; i < 3; ++i) {
      const uint64_t rank = random_.Uniform(all.size());
      EXPECT_EQ(set->Rank(all[rank].member), rank);
      EXPECT_EQ(set->Score(all[rank].member), all[rank].score);
      const SortedSetRange range = RandomRange(all.size());
      Members expected = Of(all, range);
      EXPECT_EQ(set->Count(range), expected.size());
      const uint64_t skip = random_.OneIn(2) ? 0 : random_.Uniform(expected.size() + 3);
      const Direction direction = random_.OneIn(2) ? Direction::kForward : Direction::kBackward;
      if (direction == Direction::kBackward) std::reverse(expected.begin(), expected.end());
      expected.erase(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(
                                                              skip, expected.size())));
      EXPECT_EQ(Walk(key, range, direction, skip), expected);
    }
    EXPECT_FALSE(set->Rank("absent"));
    EXPECT_FALSE(set->Score("absent"));
    Model scanned;
    uint64_t cursor = 0;
    do {
      cursor = set->Scan(cursor, 7, [&](std::string_view member, double score) {
        EXPECT_TRUE(scanned.Set(std::string(member), score));
        return true;
      });
    } while (cursor != 0);
    EXPECT_EQ(scanned.InOrder(), all);
  }
  void RandomEntry(const std::string& key, uint64_t names, Model* model) {
    const uint64_t kind = random_.Uniform(24);
    if (kind == 0 && model->size() > 0) {
      const SortedSetRange range = RandomRange(model->size());
      const Members gone = Of(model->InOrder(), range);
      EXPECT_EQ(RemoveRange(txn_, 0, key, range), gone.size());
      for (const ScoredMember& one : gone) EXPECT_TRUE(model->Remove(one.member));
    } else if (kind == 1 && model->size() > 0) {
      const bool low = random_.OneIn(2);
      const uint64_t count = random_.Uniform(model->size() / (random_.OneIn(4) ? 1 : 8) + 2);
      Members expected = model->InOrder();
      if (!low) std::reverse(expected.begin(), expected.end());
      expected.resize(std::min<uint64_t>(count, expected.size()));
      EXPECT_EQ(PopMembers(txn_, 0, key, low ? Direction::kForward : Direction::kBackward, count),
                expected);
      for (const ScoredMember& one : expected) EXPECT_TRUE(model->Remove(one.member));
    } else if (kind == 2 && random_.OneIn(8)) {
      Members stored;
      Model fresh;
      for (uint64_t i = random_.Uniform(names); i > 0; --i) {
        const std::string member = RandomMember(names);
        const double score = RandomScore();
        if (fresh.Set(member, score))
          stored.push_back({member, score});
        else
          std::find_if(stored.begin(), stored.end(), [&](const ScoredMember& one) {
            return one.member == member;
          })->score = score;
      }
      StoreSortedSet(txn_, 0, key, stored);
      *model = fresh;
    } else {
      WritableSortedSet set = Open(key);
      std::vector<std::string> bytes(random_.OneIn(20) ? 200 : 1 + random_.Uniform(4));
      bool changed = false;
      for (std::string& member : bytes) {
        member = RandomMember(names);
        if (random_.OneIn(3)) {
          const bool removed = set.Remove(member);
          EXPECT_EQ(removed, model->Remove(member));
          changed |= removed;
        } else {
          const double score = RandomScore();
          const double* old = model->Find(member);
          const WritableSortedSet::Change expected =
              old == nullptr  ? WritableSortedSet::Change::kAdded
              : *old == score ? WritableSortedSet::Change::kNone
                              : WritableSortedSet::Change::kChanged;
          EXPECT_EQ(set.Set(member, score), expected);
          model->Set(member, score);
          changed |= expected != WritableSortedSet::Change::kNone;
        }
        const double* now = model->Find(member);
        EXPECT_EQ(set.Score(member), now == nullptr ? std::nullopt : std::optional(*now));
        EXPECT_EQ(set.size(), model->size());
      }
      if (changed) set.Save();
    }
  }

  Random random_{test::Seed()};
  bool long_names_ = false;
};

TEST_F(SortedSetModelTest, RandomOperationsAgreeWithAModelPackedAndSpread) {
  int spread = 0, packed = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string key = "k" + std::to_string(round);
    const uint64_t names = round % 3 == 0 ? 12 : round % 3 == 1 ? 150 : 1500;
    long_names_ = round % 5 == 0;
    Model model;
    for (int entry = 0; entry < 150; ++entry) {
      txn_.NextEntry(kStartMs);
      RandomEntry(key, names, &model);
      if (random_.OneIn(4)) Compare(key, model);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
    Compare(key, model);
    if (model.size() > 0) {
      ++(IsSpread(key) ? spread : packed);
      WritableSortedSet set = Open(key);
      const Members all = model.InOrder();
      for (const ScoredMember& one : all) EXPECT_TRUE(set.Remove(one.member));
      set.Save();
    }
    EXPECT_FALSE(Exists(txn_, 0, key));
  }
  EXPECT_GT(spread, 0);
  EXPECT_GT(packed, 0);
  ReclaimAll();
  for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) EXPECT_EQ(Rows(family), 0u);
  EXPECT_EQ(DatabaseCounts(txn_, 0), engine::KeyCounts{});
}

TEST_F(SortedSetModelTest, ManyMembersComeAndGoInRuns) {
  Model model;
  const auto set = [&](int count) {
    txn_.NextEntry(kStartMs);
    Members members;
    for (int i = 0; i < count; ++i) {
      const std::string member = "m" + std::to_string(random_.Uniform(1'000'000));
      const auto score = static_cast<double>(random_.Uniform(5000));
      if (model.Set(member, score)) members.push_back({member, score});
    }
    std::map<std::string, double> unique;
    for (const ScoredMember& one : model.InOrder()) unique[one.member] = one.score;
    Members now;
    for (const auto& [member, score] : unique) now.push_back({member, score});
    Add("k", now);
  };
  for (int round = 0; round < 6; ++round) {
    set(6000);
    while (model.size() > 3000) {
      txn_.NextEntry(kStartMs);
      const uint64_t first = random_.OneIn(3) ? 0 : random_.Uniform(model.size());
      const RankRange range{first, first + random_.Uniform(2500)};
      const Members gone = Of(model.InOrder(), range);
      ASSERT_EQ(RemoveRange(txn_, 0, "k", range), gone.size());
      for (const ScoredMember& one : gone) model.Remove(one.member);
      Compare("k", model);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

// --- ranges of bytes ---------------------------------------------------------------------------

LexBound AtLeast(std::string_view member) { return {LexBound::Kind::kMember, false, member}; }
LexBound Beyond(std::string_view member) { return {LexBound::Kind::kMember, true, member}; }
constexpr LexBound kLowest{LexBound::Kind::kLowest, true};
constexpr LexBound kHighest{LexBound::Kind::kHighest, true};

TEST_F(SortedSetModelTest, RangesOfBytesAgreeWithAModel) {
  for (int count : {60, 2000}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count, true);
    EXPECT_EQ(IsSpread(key), count > 100);
    const Members all = Walk(key);
    for (int i = 0; i < 400; ++i) {
      const std::string names[2] = {"m" + std::to_string(random_.Uniform(3000)),
                                    "m" + std::to_string(random_.Uniform(3000))};
      const auto bound = [&](std::string_view name) {
        const uint64_t kind = random_.Uniform(10);
        return kind == 0 ? kLowest : kind == 1 ? kHighest : kind < 6 ? AtLeast(name) : Beyond(name);
      };
      const LexRange range{bound(names[0]), bound(names[1])};
      Members expected;
      for (const ScoredMember& one : all) {
        const auto above = [&](const LexBound& min) {
          if (min.kind != LexBound::Kind::kMember) return min.kind == LexBound::Kind::kLowest;
          return min.open ? one.member > min.member : one.member >= min.member;
        };
        const auto below = [&](const LexBound& max) {
          if (max.kind != LexBound::Kind::kMember) return max.kind == LexBound::Kind::kHighest;
          return max.open ? one.member < max.member : one.member <= max.member;
        };
        if (above(range.min) && below(range.max)) expected.push_back(one);
      }
      ASSERT_EQ(FindSet(key).Count(range), expected.size());
      ASSERT_EQ(Walk(key, range), expected);
      const uint64_t skip = random_.Uniform(expected.size() + 2);
      std::reverse(expected.begin(), expected.end());
      expected.erase(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(
                                                              skip, expected.size())));
      ASSERT_EQ(Walk(key, range, Direction::kBackward, skip), expected);
    }
    EXPECT_EQ(RemoveRange(txn_, 0, key, LexRange{AtLeast("m1"), Beyond("m2")}),
              count == 60 ? 11u : 1111u);
    EXPECT_TRUE(Check(key).ok());
  }
}

TEST_F(SortedSetTest, ARangeOfBytesOverSeveralScoresIsThatOfRedissCompactForm) {
  Add("k", {{"b", 1}, {"a", 2}, {"d", 3}, {"c", 4}});
  EXPECT_EQ(Names(Walk("k", LexRange{AtLeast("b"), AtLeast("c")})), "b a ");
  EXPECT_EQ(Names(Walk("k", LexRange{AtLeast("b"), AtLeast("c")}, Direction::kBackward)), "c d ");
  EXPECT_EQ(Names(Walk("k", LexRange{kLowest, kHighest})), "b a d c ");
  EXPECT_EQ(Names(Walk("k", LexRange{AtLeast("cc"), kHighest})), "");
}

// --- what is left of many ----------------------------------------------------------------------

TEST_F(SortedSetTest, ASpreadSortedSetOfWhichLittleIsLeftIsWrittenAnew) {
  // The longest member keeps the first one from becoming packed.
  for (const std::string& large : {std::string(kMaxPackedBytes, 'x'), "x"s}) {
    WritableKey(txn_, 0, "k").Delete();
    ReclaimAll();
    Fill("k", 1000);
    Add("k", {{large, 5000}});
    WritableKey(txn_, 0, "k").SetDeadline(kStartMs + 1000);
    const uint64_t id = Find(txn_, 0, "k")->collection_id();
    const auto remove = [&](int from, int to) {
      txn_.NextEntry(kStartMs);
      WritableSortedSet set = Open("k");
      for (int i = from; i < to; ++i) EXPECT_TRUE(set.Remove("m" + std::to_string(i)));
      set.Save();
    };
    remove(0, 800);
    EXPECT_EQ(Find(txn_, 0, "k")->collection_id(), id);
    remove(800, 801);
    EXPECT_NE(Find(txn_, 0, "k")->collection_id(), id);
    EXPECT_TRUE(IsSpread("k"));
    ReclaimAll();
    EXPECT_EQ(Rows(Family::kData), 200u);
    EXPECT_TRUE(Check("k").ok());
    remove(801, 990);
    EXPECT_EQ(IsSpread("k"), large != "x");
    EXPECT_EQ(Names(Walk("k")), "m990 m991 m992 m993 m994 m995 m996 m997 m998 m999 " + large + " ");
    EXPECT_TRUE(Check("k").ok());
    EXPECT_EQ(Encoding("k"), "skiplist");
    EXPECT_EQ(Find(txn_, 0, "k")->header().deadline_ms, kStartMs + 1000);
    EXPECT_EQ(DatabaseCounts(txn_, 0).spread, large != "x" ? 1 : 0);
  }
}

TEST_F(SortedSetTest, ChangedScoresLeaveNoMorePlacesBehindThanElements) {
  Fill("k", 500);
  for (int i = 0; i < 40; ++i) {
    txn_.NextEntry(kStartMs);
    Members members;
    for (int m = 0; m < 500; ++m) members.push_back({"m" + std::to_string(m), m * 1.5 + i});
    Add("k", members);
    ASSERT_TRUE(Check("k").ok());
  }
  ReclaimAll();
  EXPECT_EQ(Rows(Family::kData), 500u);
  EXPECT_EQ(Walk("k").size(), 500u);
}

TEST_F(SortedSetTest, ACommandThatTakesMostOfASortedSetWritesTheRestAnew) {
  Fill("k", 10'000);
  const uint64_t id = Find(txn_, 0, "k")->collection_id();
  txn_.NextEntry(kStartMs);
  EXPECT_EQ(RemoveRange(txn_, 0, "k", RankRange{1000, 5000}), 4000u);
  EXPECT_EQ(Find(txn_, 0, "k")->collection_id(), id);
  EXPECT_EQ(RemoveRange(txn_, 0, "k", ScoreRange{500, 9500}), 5001u - 500u + 500u);
  txn_.NextEntry(kStartMs);
  EXPECT_TRUE(Check("k").ok());
  EXPECT_EQ(Walk("k").size(), 999u);
  EXPECT_NE(Find(txn_, 0, "k")->collection_id(), id);
  ReclaimAll();
  EXPECT_EQ(Rows(Family::kData), 999u);
}

// --- draws -------------------------------------------------------------------------------------

// Mean count - 1, standard deviation sqrt(2 count): beyond six of them chance does not come.
void ExpectUniform(const std::map<std::string, int>& picked, int count, int draws) {
  EXPECT_EQ(picked.size(), static_cast<size_t>(count));
  const double expected = static_cast<double>(draws) / count;
  double chi_square = 0;
  for (const auto& [name, times] : picked) {
    chi_square += (times - expected) * (times - expected) / expected;
  }
  EXPECT_LT(chi_square, count + 6 * std::sqrt(2.0 * count));
}

TEST_F(SortedSetModelTest, EveryMemberIsDrawnAsOftenAsAnyOther) {
  for (int count : {20, 200, test::kSanitized ? 300 : 3000}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    const SortedSet set = FindSet(key);
    // One at a time, several at once, and different ones: a few by their ranks, many by a walk.
    for (int at_once : {1, 50, -1, -7}) {
      std::map<std::string, int> picked;
      int draws = 0;
      while (draws < count * 100) {
        const auto visit = [&](std::string_view member, double score) {
          EXPECT_EQ("m" + std::to_string(static_cast<int>(score)), member);
          ++picked[std::string(member)];
          ++draws;
          return true;
        };
        if (at_once > 0) {
          set.PickAny(static_cast<uint64_t>(at_once), Random(random_.Next()), visit);
        } else {
          set.PickDistinct(static_cast<uint64_t>(-at_once), Random(random_.Next()), visit);
        }
      }
      ExpectUniform(picked, count, draws);
    }
  }
}

TEST_F(SortedSetModelTest, DistinctDrawsAreDistinctAndAllComeFromTheHighEnd) {
  for (int count : {50, 2000}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    for (uint64_t limit : {0, 1, 7, 15, 16, 49, 100, 1999, 2000, 5000}) {
      std::vector<std::string> picked;
      FindSet(key).PickDistinct(limit, random_, [&](std::string_view member, double) {
        picked.emplace_back(member);
        return true;
      });
      const auto size = static_cast<uint64_t>(count);
      EXPECT_EQ(picked.size(), std::min(limit, size));
      EXPECT_EQ(std::set<std::string>(picked.begin(), picked.end()).size(), picked.size());
      if (limit >= size) {
        EXPECT_EQ(picked.front(), "m" + std::to_string(count - 1));
        EXPECT_EQ(picked.back(), "m0");
      }
    }
  }
}

TEST_F(SortedSetTest, ADrawStopsWhereItsVisitorWantsNoMore) {
  Fill("k", 2000);
  for (uint64_t count : {5, 5000}) {
    int seen = 0;
    const auto visit = [&](std::string_view, double) { return ++seen < 3; };
    FindSet("k").PickAny(count, Random(1), visit);
    EXPECT_EQ(seen, 3);
    seen = 0;
    FindSet("k").PickDistinct(count, Random(1), visit);
    EXPECT_EQ(seen, 3);
  }
}

// --- costs -------------------------------------------------------------------------------------

TEST_F(SortedSetTest, RanksCountsAndEndsReadFewRowsOfMany) {
  // A thousand times as many members: less than ten times as many rows read.
  constexpr int kMany = test::kSanitized ? 100'000 : 1'000'000;
  std::map<std::string, std::vector<uint64_t>> reads;
  for (int count : {1000, kMany}) {
    const std::string key = "k" + std::to_string(count);
    Members members;
    for (int i = 0; i < count; ++i) members.push_back({"m" + std::to_string(i), i * 1.0});
    txn_.NextEntry(kStartMs);
    StoreSortedSet(txn_, 0, key, std::move(members));
    test::CountingView view(txn_);
    Result<SortedSet> set = SortedSet::Find(view, 0, key);
    const auto measure = [&](const std::string& name, const std::function<void()>& read) {
      view.Reads();
      read();
      reads[name].push_back(view.Reads());
    };
    const auto none = [](std::string_view, double) { return false; };
    measure("50 ranks", [&] {
      for (int i = 0; i < 50; ++i) {
        const int rank = count / 50 * i + i % 20;
        EXPECT_EQ(set->Rank("m" + std::to_string(rank)), static_cast<uint64_t>(rank));
      }
    });
    measure("count", [&] {
      EXPECT_EQ(set->Count(ScoreRange{count * 0.25, count * 0.75, true, false}), count / 2u);
    });
    measure("middle", [&] { set->Walk(RankRange{count / 2u}, Direction::kForward, 0, none); });
    measure("skip", [&] {
      set->Walk(ScoreRange{0, kInfinity}, Direction::kForward, count / 2u, none);
    });
    measure("first", [&] { set->Walk(RankRange(), Direction::kForward, 0, none); });
    measure("last", [&] { set->Walk(RankRange(), Direction::kBackward, 0, none); });
    measure("scores", [&] { set->Walk(ScoreRange{7, 9}, Direction::kForward, 0, none); });
    measure("score", [&] { EXPECT_TRUE(set->Score("m17")); });
    measure("draw", [&] { set->PickAny(1, Random(3), none); });
  }
  for (const auto& [name, both] : reads) {
    std::printf("rows read, %s: %llu of 1000 members, %llu of %d\n", name.c_str(),
                static_cast<unsigned long long>(both[0]), static_cast<unsigned long long>(both[1]),
                kMany);
    EXPECT_LT(both[1], 10 * both[0]) << name;
  }
  EXPECT_LE(reads["first"][1], 2u);
  EXPECT_LE(reads["last"][1], 2u);
  EXPECT_LE(reads["scores"][1], 2u);
  EXPECT_EQ(reads["score"][1], 1u);
}

TEST_F(SortedSetTest, TheEndsOfAQueueAreKnownWithoutASearch) {
  // A View that shows deleted rows as RocksDB's do not exist here: that the walk begins at the
  // first row is told by its bounds.
  Fill("k", 3000);
  for (int i = 0; i < 400; ++i) {
    txn_.NextEntry(kStartMs);
    EXPECT_EQ(PopMembers(txn_, 0, "k", Direction::kForward, 1).front().score, i);
    EXPECT_EQ(PopMembers(txn_, 0, "k", Direction::kBackward, 1).front().score, 2999 - i);
  }
  test::CountingView view(txn_);
  Result<SortedSet> set = SortedSet::Find(view, 0, "k");
  set->Walk(RankRange(), Direction::kForward, 0, [](std::string_view, double) { return false; });
  const std::string row = Ranked(txn_, Family::kIndex, set->header().id).RowKey("");
  std::string first;
  PutBig64(&first, 0xc079000000000000);  // 400
  EXPECT_EQ(view.last_lower(), row + first + "m400");
  EXPECT_TRUE(Check("k").ok());
}

// --- the offline check -------------------------------------------------------------------------

TEST_F(SortedSetTest, TheCheckSeesWhatDoesNotFitTogether) {
  Add("packed", {{"a", 1}, {"b", 2}});
  const std::string whole(Find(txn_, 0, "packed")->payload());
  const auto check_payload = [&](const std::string& payload) {
    std::string_view rest = payload;
    std::optional<CollectionHeader> header = CollectionHeader::Parse(&rest);
    return CheckSortedSet(txn_, *header, rest);
  };
  EXPECT_TRUE(check_payload(whole).ok());
  std::string broken = whole;
  broken[7] = '\x7f';  // a's score is no number
  broken[8] = '\xff';
  EXPECT_EQ(check_payload(broken).message(), "a score that is not a number");
  broken = whole;
  broken[7] = '\x41';
  EXPECT_EQ(check_payload(broken).message(), "members out of their order");

  Fill("k", 1000);
  const uint64_t id = Find(txn_, 0, "k")->collection_id();
  const Ranked places(txn_, Family::kIndex, id);
  const auto place = [&](double score, std::string_view member) {
    std::string key;
    PutBig64(&key, std::bit_cast<uint64_t>(score) | uint64_t{1} << 63);
    return places.RowKey(key.append(member));
  };
  ASSERT_TRUE(Check("k").ok());
  const auto expect = [&](std::string_view message, const auto& harm, const auto& undo) {
    harm();
    EXPECT_EQ(Check("k").message(), message);
    undo();
    ASSERT_TRUE(Check("k").ok());
  };
  expect(
      "a member without its place", [&] { txn_.Delete(Family::kIndex, place(7, "m7")); },
      [&] { txn_.Put(Family::kIndex, place(7, "m7"), ""); });
  expect(
      "a place with another score's sign", [&] { txn_.Put(Family::kIndex, place(7, "m7"), "-"); },
      [&] { txn_.Put(Family::kIndex, place(7, "m7"), ""); });
  const std::string score7("\x40\x1c\0\0\0\0\0\0"s);
  expect(
      "a member without its place",
      [&] { txn_.Put(Family::kData, ElementRow(id, "m7"), "\x40\x1d\0\0\0\0\0\0"s); },
      [&] { txn_.Put(Family::kData, ElementRow(id, "m7"), score7); });
  expect(
      "a score that does not decode",
      [&] { txn_.Put(Family::kData, ElementRow(id, "m7"), "short"); },
      [&] { txn_.Put(Family::kData, ElementRow(id, "m7"), score7); });
  expect(
      "999 elements, and its record says 1000",
      [&] { txn_.Delete(Family::kData, ElementRow(id, "m7")); },
      [&] { txn_.Put(Family::kData, ElementRow(id, "m7"), score7); });
  // A place without its member: the counts, which know of it or not.
  txn_.Put(Family::kIndex, place(7, "other"), "");
  EXPECT_NE(Check("k").message().find("a count of"), std::string::npos);
  WritableRanked(txn_, Family::kIndex, id).CountAll();
  EXPECT_EQ(Check("k").message(), "1001 places for 1000 members");
  WritableRanked(txn_, Family::kIndex, id)
      .Erase(place(7, "other").substr(places.RowKey("").size()));
  ASSERT_TRUE(Check("k").ok());

  const Record record = *Find(txn_, 0, "k");
  std::string_view rest = record.payload();
  const CollectionHeader header = CollectionHeader::Take(&rest);
  EXPECT_TRUE(CheckSortedSet(txn_, header, rest).ok());
  EXPECT_EQ(CheckSortedSet(txn_, header, rest.substr(0, 5)).message(),
            "a spread sorted set's record that does not decode");
  std::string other(rest);
  other.back() = '8';
  EXPECT_EQ(CheckSortedSet(txn_, header, other).message(), "other ends than its record says");
}

TEST_F(SortedSetTest, ACopyHasPlacesOfItsOwn) {
  Fill("k", 500);
  Copy(txn_, 0, "k", 0, "copy");
  EXPECT_EQ(RemoveRange(txn_, 0, "k", RankRange{0, 100}), 100u);
  EXPECT_EQ(Walk("copy").size(), 500u);
  EXPECT_EQ(FindSet("copy").Rank("m400"), 400u);
  EXPECT_TRUE(Check("copy").ok());
  EXPECT_TRUE(Check("k").ok());
}

}  // namespace
}  // namespace metastore::types
