// Sets against a plain set, packed and spread; several at once; draws; costs in rows read.
#include "types/set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "base/coding.h"
#include "base/parse.h"
#include "tests/support/counting_view.h"
#include "tests/support/memory_txn.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"

namespace metastore::types {
namespace {

using engine::Family;
using std::string_literals::operator""s;
using Members = std::set<std::string>;

constexpr int64_t kStartMs = 1'000'000'000'000;

class SetTest : public ::testing::Test {
 protected:
  WritableSet Open(std::string_view key) {
    Result<WritableSet> opened = WritableSet::Open(txn_, 0, key);
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  }
  void Add(std::string_view key, const std::vector<std::string>& members) {
    WritableSet set = Open(key);
    for (const std::string& member : members) set.Add(member);
    set.Save();
  }
  // The members first, first + step, ...
  void Fill(std::string_view key, int count, int first = 0, int step = 1,
            const std::string& prefix = "") {
    std::vector<std::string> members;
    for (int i = 0; i < count; ++i) members.push_back(prefix + std::to_string(first + i * step));
    Add(key, members);
  }
  std::vector<std::string> InOrder(std::string_view key) {
    std::vector<std::string> members;
    Result<Set> set = Set::Find(txn_, 0, key);
    if (!set.ok()) return members;
    set->ForEach([&](std::string_view member) {
      members.emplace_back(member);
      return true;
    });
    EXPECT_EQ(set->size(), members.size());
    return members;
  }
  Members All(std::string_view key) {
    const std::vector<std::string> members = InOrder(key);
    Members all(members.begin(), members.end());
    EXPECT_EQ(all.size(), members.size());
    return all;
  }
  Status Check(std::string_view key) {
    std::optional<Record> record = Find(txn_, 0, key);
    if (!record) return Status::Ok();
    std::string_view rest = record->payload();
    const CollectionHeader collection = CollectionHeader::Take(&rest);
    return CheckSet(txn_, collection, rest);
  }
  std::string_view Encoding(std::string_view key) {
    return SetEncoding(Set::Find(txn_, 0, key)->header(), EncodingLimits());
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

TEST_F(SetTest, TheBytesOfSetsAreFixed) {
  Add("k", {"10", "-1", "2"});
  EXPECT_EQ(Find(txn_, 0, "k")->payload(),
            "\x00\x03\x03\x02"
            "\x02-1\x00\x01"
            "2\x00\x02"
            "10\x00"s);
  // Once another member came, what is new stands at the end.
  Add("k", {"a", "1"});
  EXPECT_EQ(Find(txn_, 0, "k")->payload(),
            "\x02\x05\x05\x02"
            "\x02-1\x00\x01"
            "2\x00\x02"
            "10\x00\x01"
            "a\x00\x01"
            "1\x00"s);
  const std::string large(kMaxPackedBytes, 'x');
  Add("k", {large});
  std::optional<Record> record = Find(txn_, 0, "k");
  const uint64_t id = record->collection_id();
  ASSERT_NE(id, 0u);
  std::string payload = "\x03";
  PutBig64(&payload, id);
  payload += "\x06\x06";
  PutVarint(&payload, kMaxPackedBytes);
  EXPECT_EQ(record->payload(), payload + "\0"s);
  EXPECT_EQ(Rows(Family::kData), 6u);
  for (const std::string& member : {"-1"s, "2"s, "10"s, "a"s, "1"s, large}) {
    std::string value = "?";
    ASSERT_TRUE(txn_.Get(Family::kData, ElementRow(id, member), &value));
    EXPECT_EQ(value, "");
  }
  WritableSet set = Open("k");
  EXPECT_TRUE(set.Remove("10"));
  set.Save();
  payload[9] = 5;
  EXPECT_EQ(Find(txn_, 0, "k")->payload(), payload + "\1"s);
}

TEST_F(SetTest, FewIntegersComeInTheOrderOfTheirNumbers) {
  Add("k", {"9223372036854775807", "5", "-7", "100", "0", "-9223372036854775808", "20"});
  EXPECT_EQ(InOrder("k"), (std::vector<std::string>{"-9223372036854775808", "-7", "0", "5", "20",
                                                    "100", "9223372036854775807"}));
  // What only looks like an integer is none.
  for (const char* member : {"01", "+1", "-0", " 1", "1 ", "", "9223372036854775808"}) {
    const std::string key = "odd"s + member;
    Add(key, {"3", member, "2"});
    EXPECT_EQ(InOrder(key), (std::vector<std::string>{"3", member, "2"}));
    EXPECT_EQ(Encoding(key), "hashtable");
    EXPECT_TRUE(Check(key).ok());
  }
}

TEST_F(SetTest, TheEncodingShownIsIntsetUntilAnotherMemberOrTooManyCame) {
  Fill("k", 512);
  EXPECT_EQ(Encoding("k"), "intset");
  Add("k", {"512"});
  EXPECT_EQ(Encoding("k"), "hashtable");
  WritableSet set = Open("k");
  EXPECT_TRUE(set.Remove("512"));
  set.Save();
  EXPECT_EQ(Encoding("k"), "hashtable");
  EXPECT_EQ(SetEncoding(Set::Find(txn_, 0, "k")->header(), {.set_max_intset_entries = 513}),
            "intset");

  Fill("mixed", 3);
  EXPECT_EQ(Encoding("mixed"), "intset");
  Add("mixed", {"a"});
  WritableSet mixed = Open("mixed");
  EXPECT_TRUE(mixed.Remove("a"));
  mixed.Save();
  EXPECT_EQ(Encoding("mixed"), "hashtable");
  EXPECT_TRUE(Check("mixed").ok());
}

class SetModelTest : public SetTest {
 protected:
  std::string RandomMember(uint64_t names) {
    const auto number = static_cast<int64_t>(random_.Uniform(names)) - 5;
    if (!integers_ && random_.OneIn(3)) return "m" + std::to_string(number);
    return std::to_string(number);
  }
  void Compare(const std::string& key, const Members& model) {
    ASSERT_EQ(All(key), model);
    const Status whole = Check(key);
    ASSERT_TRUE(whole.ok()) << whole.ToString();
    Result<Set> set = Set::Find(txn_, 0, key);
    ASSERT_EQ(set.ok(), !model.empty());
    if (!set.ok()) return;
    Members scanned;
    uint64_t cursor = 0;
    do {
      cursor = set->Scan(cursor, 7,
                         [&](std::string_view member) { return scanned.emplace(member).second; });
    } while (cursor != 0);
    EXPECT_EQ(scanned, model);
    for (int i = 0; i < 3; ++i) {
      const std::string member = RandomMember(2 * model.size());
      EXPECT_EQ(set->Contains(member), model.contains(member));
    }
  }

  Random random_{test::Seed()};
  bool integers_ = false;
};

TEST_F(SetModelTest, RandomOperationsAgreeWithASetPackedAndSpread) {
  int spread = 0, packed = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string key = "k" + std::to_string(round);
    const uint64_t names = round % 3 == 0 ? 12 : round % 3 == 1 ? 150 : 800;
    integers_ = round % 2 == 0;
    Members model;
    for (int entry = 0; entry < 150; ++entry) {
      txn_.NextEntry(kStartMs);
      if (random_.OneIn(20)) {
        const uint64_t count = random_.Uniform(model.size() + 2);
        Result<std::vector<std::string>> popped = PopMembers(txn_, 0, key, count);
        ASSERT_EQ(popped.ok(), !model.empty());
        if (popped.ok()) {
          EXPECT_EQ(popped->size(), std::min<uint64_t>(count, model.size()));
          for (const std::string& member : *popped) EXPECT_EQ(model.erase(member), 1u);
        }
      } else {
        WritableSet set = Open(key);
        std::vector<std::string> bytes(random_.OneIn(20) ? 200 : 1 + random_.Uniform(4));
        for (std::string& member : bytes) {
          member = RandomMember(names);
          if (random_.OneIn(3)) {
            EXPECT_EQ(set.Remove(member), model.erase(member) == 1);
          } else {
            EXPECT_EQ(set.Add(member), model.insert(member).second);
          }
          EXPECT_EQ(set.Contains(member), model.contains(member));
          EXPECT_EQ(set.size(), model.size());
        }
        set.Save();
      }
      Compare(key, model);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
    if (!model.empty()) ++(IsSpread(key) ? spread : packed);
    WritableSet set = Open(key);
    for (const std::string& member : model) EXPECT_TRUE(set.Remove(member));
    set.Save();
    EXPECT_FALSE(Exists(txn_, 0, key));
  }
  EXPECT_GT(spread, 0);
  EXPECT_GT(packed, 0);
  ReclaimAll();
  for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) EXPECT_EQ(Rows(family), 0u);
  EXPECT_EQ(DatabaseCounts(txn_, 0), engine::KeyCounts{});
}

TEST_F(SetTest, ASpreadSetOfWhichLittleIsLeftIsWrittenAnew) {
  // The longest member keeps the first one from becoming packed.
  for (const std::string& large : {std::string(kMaxPackedBytes, 'x'), std::string("7")}) {
    WritableKey(txn_, 0, "k").Delete();
    ReclaimAll();
    Fill("k", 1000, 1000);
    Add("k", {large});
    WritableKey(txn_, 0, "k").SetDeadline(kStartMs + 1000);
    const uint64_t id = Find(txn_, 0, "k")->collection_id();
    const auto remove = [&](int from, int to) {
      txn_.NextEntry(kStartMs);
      WritableSet set = Open("k");
      for (int i = from; i < to; ++i) EXPECT_TRUE(set.Remove(std::to_string(i)));
      set.Save();
    };
    remove(1000, 1800);
    EXPECT_EQ(Find(txn_, 0, "k")->collection_id(), id);
    remove(1800, 1801);
    EXPECT_NE(Find(txn_, 0, "k")->collection_id(), id);
    EXPECT_TRUE(IsSpread("k"));
    EXPECT_EQ(Find(txn_, 0, "k")->payload().back(), '\0');
    ReclaimAll();
    EXPECT_EQ(Rows(Family::kData), 200u);
    EXPECT_EQ(All("k").size(), 200u);
    EXPECT_TRUE(Check("k").ok());
    remove(1801, 1990);
    EXPECT_EQ(IsSpread("k"), large != "7");
    EXPECT_EQ(All("k").size(), 11u);
    EXPECT_TRUE(Check("k").ok());
    EXPECT_EQ(Encoding("k"), "hashtable");
    EXPECT_EQ(Find(txn_, 0, "k")->header().deadline_ms, kStartMs + 1000);
    EXPECT_EQ(DatabaseCounts(txn_, 0).spread, large != "7" ? 1 : 0);
    if (large == "7") {
      const std::vector<std::string> members = InOrder("k");
      EXPECT_TRUE(std::is_sorted(members.begin() + 1, members.end()));
      EXPECT_EQ(members.front(), "7");
    }
  }
}

// --- several sets --------------------------------------------------------------------------------

using Walk = void (*)(std::span<const Set>, const VisitMember&);

class SetAlgebraTest : public SetModelTest {
 protected:
  std::vector<Set> Sets(const engine::View& view, const std::vector<std::string>& keys) {
    std::vector<Set> sets;
    for (const std::string& key : keys) sets.push_back(std::move(*Set::Find(view, 0, key)));
    return sets;
  }
  std::vector<std::string> Outcome(Walk walk, const std::vector<std::string>& keys) {
    std::vector<std::string> members;
    walk(Sets(txn_, keys), [&](std::string_view member) {
      members.emplace_back(member);
      return true;
    });
    return members;
  }
  // What a walk over these sets reads, the sets' own records aside.
  uint64_t Cost(Walk walk, const std::vector<std::string>& keys, uint64_t limit = UINT64_MAX) {
    test::CountingView view(txn_);
    const std::vector<Set> sets = Sets(view, keys);
    view.Reads();
    uint64_t seen = 0;
    walk(sets, [&](std::string_view) { return ++seen < limit; });
    return view.Reads();
  }
};

TEST_F(SetAlgebraTest, RandomSetsAgreeWithPlainOnes) {
  int results = 0;
  for (int round = 0; round < 300; ++round) {
    txn_.NextEntry(kStartMs);
    integers_ = random_.OneIn(2);
    std::vector<std::string> keys;
    std::vector<Members> models;
    const uint64_t count = 1 + random_.Uniform(5);
    // Sets that have much in common, and such that have little.
    const uint64_t names = 10 + random_.Uniform(random_.OneIn(2) ? 30 : 1500);
    for (uint64_t i = 0; i < count; ++i) {
      keys.push_back("k" + std::to_string(round) + "-" + std::to_string(i));
      Members& model = models.emplace_back();
      const uint64_t members = random_.OneIn(3) ? 1 + random_.Uniform(20) : names;
      for (uint64_t j = 0; j < members; ++j) model.insert(RandomMember(names));
      Add(keys.back(), {model.begin(), model.end()});
      if (random_.OneIn(6)) {
        keys.push_back(keys[random_.Uniform(keys.size())]);
        models.push_back(All(keys.back()));
      }
    }
    Members all, common, left;
    for (const Members& model : models) all.insert(model.begin(), model.end());
    for (const std::string& member : all) {
      const auto has = [&](const Members& model) { return model.contains(member); };
      if (std::all_of(models.begin(), models.end(), has)) common.insert(member);
      if (has(models[0]) && std::none_of(models.begin() + 1, models.end(), has)) {
        left.insert(member);
      }
    }
    const bool packed = std::none_of(keys.begin(), keys.end(),
                                     [&](const std::string& key) { return IsSpread(key); });
    const std::pair<Walk, Members> expected[] = {
        {Intersect, common}, {Unite, all}, {Subtract, left}};
    for (const auto& [walk, model] : expected) {
      std::vector<std::string> members = Outcome(walk, keys);
      if (packed && integers_) {
        EXPECT_TRUE(std::is_sorted(members.begin(), members.end(),
                                   [](const std::string& a, const std::string& b) {
                                     return std::stoi(a) < std::stoi(b);
                                   }));
      }
      results += members.empty() ? 0 : 1;
      std::sort(members.begin(), members.end());
      ASSERT_EQ(members, std::vector<std::string>(model.begin(), model.end()));
    }
  }
  EXPECT_GT(results, 300);
}

TEST_F(SetAlgebraTest, AnIntersectionCostsWhatItsSmallestSetDoes) {
  Fill("few", 10, 0, 997);
  Fill("many", 10000);
  Fill("more", 10000, 5);
  // A record's ten members, each with some steps and a seek in either of the others.
  EXPECT_LT(Cost(Intersect, {"many", "few", "more"}), 10 * 2 * 10u);
  // Sets that have nothing in common but lie in each other's way.
  Fill("others", 10000, 0, 1, "m");
  EXPECT_LT(Cost(Intersect, {"many", "others"}), 20000u + 10);
  // A limit ends it.
  EXPECT_LT(Cost(Intersect, {"many", "more"}, 5), 50u);
  // One that is at its end ends it, too.
  Fill("one", 1);
  EXPECT_LT(Cost(Intersect, {"many", "more", "one"}), 30u);
}

TEST_F(SetAlgebraTest, UnionAndDifferenceReadEveryRowOnceAndNoneTwice) {
  Fill("a", 3000);
  Fill("b", 3000, 1000);
  Fill("c", 3000, 2000);
  EXPECT_LE(Cost(Unite, {"a", "b", "c"}), 9000u + 3);
  EXPECT_LE(Cost(Subtract, {"a", "b", "c"}), 9000u + 3);
  // Many sets that take little away, and a huge one from which little is asked.
  std::vector<std::string> keys = {"a"};
  for (int i = 0; i < 200; ++i) {
    keys.push_back("small" + std::to_string(i));
    Fill(keys.back(), 3, i * 3);
  }
  EXPECT_LE(Cost(Subtract, keys), 3000u + 1);
  Fill("huge", 50000);
  EXPECT_LT(Cost(Subtract, {"small0", "huge"}), 50u);
}

// --- draws ---------------------------------------------------------------------------------------

class SetDrawTest : public SetTest {
 protected:
  // 100 draws a member: mean size - 1, standard deviation sqrt(2 size); chance does not come beyond
  // six of them.
  static void ExpectUniform(const std::map<std::string, int>& drawn, size_t size) {
    EXPECT_EQ(drawn.size(), size);
    double chi_square = 0;
    for (const auto& [member, times] : drawn) {
      chi_square += (times - 100.0) * (times - 100.0) / 100.0;
    }
    const auto n = static_cast<double>(size);
    EXPECT_LT(chi_square, n + 6 * std::sqrt(2 * n)) << size;
  }

  Random random_{test::Seed()};
};

TEST_F(SetDrawTest, EveryMemberIsDrawnAsOftenAsAnyOther) {
  for (int count : {20, 120, test::kSanitized ? 250 : 1500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    Result<Set> set = Set::Find(txn_, 0, key);
    const auto size = static_cast<uint64_t>(count);
    // Many draws at once, few at a time, and one.
    for (uint64_t batch : {size * 100, uint64_t{4}, uint64_t{1}}) {
      std::map<std::string, int> drawn;
      for (uint64_t left = size * 100; left > 0; left -= batch) {
        uint64_t seen = 0;
        set->PickAny(batch, random_, [&](std::string_view member) {
          ++drawn[std::string(member)];
          return ++seen > 0;
        });
        ASSERT_EQ(seen, batch);
      }
      ExpectUniform(drawn, size);
    }
  }
}

// Draws that were sorted would be as uniform, but not in any order.
TEST_F(SetDrawTest, DrawsAreIndependentOfThoseBefore) {
  for (int count : {2, 20}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    Result<Set> set = Set::Find(txn_, 0, key);
    const auto size = static_cast<size_t>(count);
    std::map<std::string, int> pairs;
    std::string last;
    const uint64_t draws = size * size * 100;
    set->PickAny(draws + 1, random_, [&](std::string_view member) {
      if (!last.empty()) ++pairs[last + " " + std::string(member)];
      last = member;
      return true;
    });
    ExpectUniform(pairs, size * size);
  }
}

TEST_F(SetDrawTest, ADrawThatIsEnoughIsTheLast) {
  for (int count : {20, 1500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    Result<Set> set = Set::Find(txn_, 0, key);
    for (uint64_t draws : {10, 100, 5000}) {
      uint64_t seen = 0;
      set->PickAny(draws, random_, [&](std::string_view) { return ++seen < 7; });
      EXPECT_EQ(seen, 7u);
    }
  }
}

TEST_F(SetDrawTest, DistinctDrawsAreDistinctAndUniform) {
  for (int count : {20, 120, test::kSanitized ? 250 : 1500}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    Result<Set> set = Set::Find(txn_, 0, key);
    const Members all = All(key);
    for (uint64_t batch : {uint64_t{5}, uint64_t{all.size() / 2}}) {
      std::map<std::string, int> drawn;
      for (uint64_t i = 0; i < all.size() * 100 / batch; ++i) {
        Members seen;
        set->PickDistinct(batch, random_, [&](std::string_view member) {
          ++drawn[std::string(member)];
          return seen.emplace(member).second;
        });
        ASSERT_EQ(seen.size(), batch);
      }
      ExpectUniform(drawn, all.size());
    }
    for (uint64_t more : {uint64_t{all.size()}, uint64_t{all.size() + 1}, UINT64_MAX}) {
      Members seen;
      set->PickDistinct(more, random_,
                        [&](std::string_view member) { return seen.emplace(member).second; });
      EXPECT_EQ(seen, all);
    }
  }
}

TEST_F(SetDrawTest, EveryMemberIsPoppedAsOftenAsAnyOther) {
  for (int count : {20, 200}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    const auto size = static_cast<uint64_t>(count);
    // One, a few, half, and so many that the set is filled anew with those that stay.
    for (uint64_t batch : {uint64_t{1}, uint64_t{5}, size / 2, size - size / 20}) {
      std::map<std::string, int> popped;
      uint64_t pops = 0;
      for (; pops < size * 100; pops += batch) {
        txn_.NextEntry(kStartMs);
        Result<std::vector<std::string>> members = PopMembers(txn_, 0, key, batch);
        ASSERT_EQ(members->size(), batch);
        for (const std::string& member : *members) ++popped[member];
        ASSERT_EQ(Set::Find(txn_, 0, key)->size(), size - batch);
        Add(key, *members);
      }
      // All of a round are different ones, so large batches spread less than chance would.
      for (auto& [member, times] : popped) {
        times = static_cast<int>(
            std::lround(times * 100.0 * static_cast<double>(size) / static_cast<double>(pops)));
      }
      ExpectUniform(popped, size);
    }
  }
}

TEST_F(SetDrawTest, PoppingManyKeepsTheExpiryAndForgetsTheEncoding) {
  for (int count : {20, 600}) {
    const std::string key = "k" + std::to_string(count);
    const auto size = static_cast<uint64_t>(count);
    Fill(key, count);
    Add(key, {"a"});
    WritableKey(txn_, 0, key).SetDeadline(kStartMs + 1000);
    EXPECT_EQ(PopMembers(txn_, 0, key, 3)->size(), 3u);
    EXPECT_EQ(Encoding(key), "hashtable");
    const uint64_t many = size - 4;
    std::vector<std::string> popped = *PopMembers(txn_, 0, key, many);
    EXPECT_EQ(popped.size(), many);
    const Members left = All(key);
    EXPECT_EQ(left.size(), 2u);
    for (const std::string& member : popped) EXPECT_FALSE(left.contains(member));
    EXPECT_EQ(Encoding(key), left.contains("a") ? "hashtable" : "intset");
    EXPECT_FALSE(IsSpread(key));
    EXPECT_EQ(Find(txn_, 0, key)->header().deadline_ms, kStartMs + 1000);
    EXPECT_TRUE(Check(key).ok());
    EXPECT_EQ(PopMembers(txn_, 0, key, 99)->size(), 2u);
    EXPECT_FALSE(Exists(txn_, 0, key));
    EXPECT_EQ(PopMembers(txn_, 0, key, 1).code(), Code::kNotFound);
  }
  ReclaimAll();
  for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) EXPECT_EQ(Rows(family), 0u);
}

TEST_F(SetDrawTest, DrawsReadInProportionToTheirNumber) {
  Fill("k", 20000);
  test::CountingView view(txn_);
  Result<Set> set = Set::Find(view, 0, "k");
  view.Reads();
  const auto go_on = [](std::string_view) { return true; };
  const auto cost = [&](uint64_t draws) {
    set->PickAny(draws, random_, go_on);
    return view.Reads();
  };
  EXPECT_LT(cost(100), 100 * 200u);
  // One walk for as many as there are, and another for as many again.
  EXPECT_LE(cost(20000), 20000u + 1);
  EXPECT_LE(cost(40000), 2 * (20000u + 1));
  set->PickDistinct(100, random_, go_on);
  EXPECT_LT(view.Reads(), 100 * 200u);
  set->PickDistinct(10000, random_, go_on);
  EXPECT_LE(view.Reads(), 20000u + 1);
}

// --- the offline check ---------------------------------------------------------------------------

class SetCheckTest : public SetTest {
 protected:
  // A record with this header and rest, as if it had been read.
  Status CheckRecord(const CollectionHeader& header, std::string_view rest) {
    return CheckSet(txn_, header, rest);
  }
};

TEST_F(SetCheckTest, SetsThatAreWholeAreFoundWhole) {
  Fill("packed", 20);
  Fill("mixed", 20, 0, 1, "m");
  Fill("spread", 300);
  for (const char* key : {"packed", "mixed", "spread"}) EXPECT_TRUE(Check(key).ok());
}

TEST_F(SetCheckTest, DamagedRecordsAreFound) {
  const CollectionHeader two = {.count = 2, .peak_count = 2, .peak_bytes = 1};
  CollectionHeader mixed = two;
  mixed.traits = 0x02;
  EXPECT_TRUE(CheckRecord(two,
                          "\x01"
                          "1\x00\x01"
                          "2\x00"s)
                  .ok());
  EXPECT_TRUE(CheckRecord(mixed,
                          "\x01"
                          "2\x00\x01"
                          "1\x00"s)
                  .ok());
  // Out of order, twice, no integer, with a value, too few, cut off.
  for (const std::string& rest :
       {"\x01\x32\x00\x01\x31\x00"s, "\x01\x31\x00\x01\x31\x00"s, "\x01\x31\x00\x01\x61\x00"s,
        "\x01\x31\x00\x01\x32\x01\x76"s, "\x01\x31\x00"s, "\x01\x31\x00\x01\x32"s, ""s}) {
    EXPECT_FALSE(CheckRecord(two, rest).ok());
  }
  EXPECT_FALSE(CheckRecord(mixed, "\x01\x31\x00\x01\x61\x01\x76"s).ok());
}

TEST_F(SetCheckTest, DamagedRowsAreFound) {
  Fill("k", 300);
  const uint64_t id = Find(txn_, 0, "k")->collection_id();
  const std::string row = ElementRow(id, "7");
  txn_.Delete(Family::kData, row);
  EXPECT_FALSE(Check("k").ok());
  txn_.Put(Family::kData, row, "v");
  EXPECT_FALSE(Check("k").ok());
  txn_.Put(Family::kData, row, "");
  EXPECT_TRUE(Check("k").ok());
  txn_.Delete(Family::kData, row);
  txn_.Put(Family::kData, ElementRow(id, "a"), "");
  EXPECT_FALSE(Check("k").ok());
  txn_.Delete(Family::kData, ElementRow(id, "a"));
  txn_.Put(Family::kData, row.substr(0, 16) + "8000", "");
  EXPECT_FALSE(Check("k").ok());
  EXPECT_FALSE(CheckRecord({.id = 5, .count = 1, .peak_count = 1}, "\0\0"s).ok());
  EXPECT_FALSE(CheckRecord({.id = 5, .count = 1, .peak_count = 1}, "").ok());
}

}  // namespace
}  // namespace metastore::types
