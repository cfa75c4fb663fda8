// Lists against a deque in all three forms, and what they cost.
#include "types/list.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "tests/support/counting_view.h"
#include "tests/support/memory_txn.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"

namespace metastore::types {
namespace {

using engine::Family;
using std::string_literals::operator""s;

using Model = std::deque<std::string>;

class ListTest : public ::testing::Test {
 protected:
  WritableList Open(std::string_view key) {
    Result<WritableList> opened = WritableList::Open(txn_, 0, key);
    CHECK(opened.ok());
    return std::move(*opened);
  }
  std::string Payload(std::string_view key) {
    Result<Record> record = FindCollection(txn_, 0, key, Type::kList);
    CHECK(record.ok());
    return std::string(record->payload());
  }
  CollectionHeader HeaderOf(std::string_view key) {
    const std::string payload = Payload(key);
    std::string_view rest = payload;
    return CollectionHeader::Take(&rest);
  }
  // 0 packed, 1 dense, 2 counted.
  int FormOf(std::string_view key) {
    const CollectionHeader header = HeaderOf(key);
    return !header.spread() ? 0 : header.traits == 0 ? 1 : 2;
  }
  Status Check(std::string_view key) {
    const std::string payload = Payload(key);
    std::string_view rest = payload;
    const CollectionHeader header = CollectionHeader::Take(&rest);
    return CheckList(txn_, header, rest);
  }
  // A dense list of the numbers from 0 on.
  Model Fill(std::string_view key, int count) {
    Model model;
    WritableList list = Open(key);
    for (int i = 0; i < count; ++i) model.push_back(std::to_string(i));
    for (const std::string& element : model) list.PushBack(element);
    list.Save();
    return model;
  }
  // And one that is counted.
  Model FillCounted(std::string_view key, int count) {
    Model model = Fill(key, count);
    WritableList list = Open(key);
    list.Insert(list.size() / 2, "middle");
    list.Save();
    model.insert(model.begin() + static_cast<ptrdiff_t>(model.size() / 2), "middle");
    EXPECT_EQ(FormOf(key), 2);
    return model;
  }
  Model Walk(std::string_view key, uint64_t start, uint64_t limit, bool reverse) {
    Model elements;
    Result<List> list = List::Find(txn_, 0, key);
    if (!list.ok()) return elements;
    list->ForEach(start, limit, reverse, [&](std::string_view element) {
      elements.emplace_back(element);
      return true;
    });
    return elements;
  }
  Model All(std::string_view key) { return Walk(key, 0, UINT64_MAX, false); }
  void Compare(std::string_view key, const Model& model, Random& random) {
    ASSERT_EQ(Exists(txn_, 0, key), !model.empty());
    if (model.empty()) return;
    ASSERT_EQ(All(key), model);
    const Status status = Check(key);
    ASSERT_TRUE(status.ok()) << status.message();
    Result<List> list = List::Find(txn_, 0, key);
    ASSERT_TRUE(list.ok());
    ASSERT_EQ(list->size(), model.size());
    std::string element;
    EXPECT_FALSE(list->At(model.size(), &element));
    for (int i = 0; i < 3; ++i) {
      const uint64_t index = random.Uniform(model.size());
      ASSERT_TRUE(list->At(index, &element));
      ASSERT_EQ(element, model[index]);
      const uint64_t limit = random.Uniform(20);
      const Model back = Walk(key, index, limit, true);
      ASSERT_EQ(back.size(), std::min(limit, index + 1));
      for (size_t j = 0; j < back.size(); ++j) ASSERT_EQ(back[j], model[index - j]);
    }
  }
  size_t Rows() const { return txn_.table(Family::kData).size(); }

  test::MemoryTxn txn_;
};

TEST_F(ListTest, TheBytesOfTheThreeFormsAreFixed) {
  WritableList small = Open("k");
  small.PushBack("b");
  small.PushBack("");
  small.PushFront("aa");
  small.Save();
  EXPECT_EQ(Payload("k"),
            "\x00\x03\x03\x02\x02"
            "aa\x01"
            "b\x00"s);
  Fill("k2", 300);
  CollectionHeader header = HeaderOf("k2");
  std::string expected = "\x01";
  PutBig64(&expected, header.id);
  expected += "\xac\x02\xac\x02\x03\x80\0\0\0\0\0\0\0"s;
  EXPECT_EQ(Payload("k2"), expected);
  std::string row;
  PutBig64(&row, header.id);
  row += "\0\x80\0\0\0\0\x02\0\0"s;
  std::string value;
  ASSERT_TRUE(txn_.Get(Family::kData, row, &value));
  EXPECT_EQ(value, "2");

  WritableList edited = Open("k2");
  edited.Insert(150, "x");
  edited.PushFront("y");
  edited.Save();
  expected = "\x03";
  PutBig64(&expected, header.id);
  expected += "\xae\x02\xae\x02\x03\x7f\xff\xff\xff\xff\xff\0\0\x80\0\0\0\x01\x2b\0\0"s;
  EXPECT_EQ(Payload("k2"), expected);
  row.resize(8);
  row += "\0\x80\0\0\0\0\x95\x80\0"s;
  ASSERT_TRUE(txn_.Get(Family::kData, row, &value));
  EXPECT_EQ(value, "x");
}

TEST_F(ListTest, RandomOperationsAgreeWithADequeInAllForms) {
  Random random(test::Seed());
  int forms[3] = {};
  for (int round = 0; round < (test::kSanitized ? 15 : 60); ++round) {
    const std::string key = "k" + std::to_string(round);
    const uint64_t most = round % 3 == 0 ? 30 : round % 3 == 1 ? 400 : 1500;
    Model model;
    for (int entry = 0; entry < 250; ++entry) {
      txn_.NextEntry(1'000'000'000'000);
      WritableList list = Open(key);
      ASSERT_EQ(list.existed(), !model.empty());
      std::deque<std::string> bytes;  // live until Save
      const auto element = [&]() -> const std::string& {
        std::string text = std::to_string(random.Uniform(12));
        if (random.OneIn(50)) text.append(random.Uniform(300), 'x');
        return bytes.emplace_back(std::move(text));
      };
      for (uint64_t i = 1 + random.Uniform(3); i > 0; --i) {
        const bool front = random.OneIn(2);
        switch (random.Uniform(model.size() > most ? 9 : 7)) {
          case 0:
          case 1:
            for (uint64_t n = random.Uniform(random.OneIn(4) ? most : 10); n > 0; --n) {
              const std::string& added = element();
              front ? list.PushFront(added) : list.PushBack(added);
              front ? model.push_front(added) : model.push_back(added);
            }
            break;
          case 2:
            if (model.empty()) break;
            EXPECT_EQ(front ? list.PopFront() : list.PopBack(),
                      front ? model.front() : model.back());
            front ? model.pop_front() : model.pop_back();
            break;
          case 3:
            if (model.empty()) break;
            {
              const uint64_t index = random.Uniform(model.size());
              const std::string& changed = element();
              list.Set(index, changed);
              model[index] = changed;
            }
            break;
          case 4:
          case 5: {
            const uint64_t index = random.Uniform(model.size() + 1);
            const std::string& added = element();
            list.Insert(index, added);
            model.insert(model.begin() + static_cast<ptrdiff_t>(index), added);
            break;
          }
          case 6:
          case 7: {
            if (model.empty()) break;
            const std::string& removed = element();
            const uint64_t limit = random.OneIn(4) ? UINT64_MAX : 1 + random.Uniform(3);
            uint64_t expected = 0;
            const auto size = static_cast<int64_t>(model.size());
            for (int64_t i = front ? 0 : size - 1, seen = 0; seen < size && expected < limit;
                 ++seen) {
              if (model[static_cast<size_t>(i)] == removed) {
                model.erase(model.begin() + i);
                ++expected;
                if (!front) --i;
              } else {
                front ? ++i : --i;
              }
            }
            EXPECT_EQ(list.Remove(removed, limit, !front), expected);
            break;
          }
          case 8: {
            const uint64_t keep = random.OneIn(3) ? random.Uniform(model.size() + 1)
                                                  : model.size() - random.Uniform(20);
            const uint64_t start = random.Uniform(model.size() - keep + 1);
            list.Trim(start, keep);
            model = Model(model.begin() + static_cast<ptrdiff_t>(start),
                          model.begin() + static_cast<ptrdiff_t>(start + keep));
            break;
          }
        }
        ASSERT_EQ(list.size(), model.size());
        if (!model.empty()) {
          std::string last;
          ASSERT_TRUE(list.At(model.size() - 1, &last));
          EXPECT_EQ(last, model.back());
        }
      }
      list.Save();
      ASSERT_NO_FATAL_FAILURE(Compare(key, model, random));
      if (!model.empty()) ++forms[FormOf(key)];
    }
  }
  for (int seen : forms) EXPECT_GT(seen, 100);
  // Nothing is left of what the lists were.
  for (int round = 0; round < 60; ++round)
    WritableKey(txn_, 0, "k" + std::to_string(round)).Delete();
  for (int i = 0; i < 100 && NeedsReclaim(txn_); ++i) {
    txn_.NextEntry(1'000'000'000'000);
    Reclaim(txn_);
  }
  EXPECT_EQ(Rows(), 0u);
  EXPECT_EQ(DatabaseCounts(txn_, 0), engine::KeyCounts{});
}

TEST_F(ListTest, InsertionsAtOnePlaceFindRoomAgainAndAgain) {
  Random random(test::Seed());
  for (int kind = 0; kind < 3; ++kind) {
    const std::string key = "k" + std::to_string(kind);
    Model model = Fill(key, 600);
    uint64_t place = 300;
    for (int i = 0; i < 3000; ++i) {
      txn_.NextEntry(1'000'000'000'000);
      WritableList list = Open(key);
      // Before the same element, behind it, or where the last one went or beside that.
      if (kind == 0) place = 300 + static_cast<uint64_t>(i);
      if (kind == 2) place += random.Uniform(2);
      const std::string element = "i" + std::to_string(i);
      list.Insert(place, element);
      model.insert(model.begin() + static_cast<ptrdiff_t>(place), element);
      list.Save();
      if (i % 100 == 0) {
        ASSERT_NO_FATAL_FAILURE(Compare(key, model, random));
      }
    }
    ASSERT_NO_FATAL_FAILURE(Compare(key, model, random));
    EXPECT_EQ(FormOf(key), 2);
  }
}

TEST_F(ListTest, PushesGoOnWhenTheRangeOfPositionsEnds) {
  Random random(test::Seed());
  constexpr int kCount = 200;
  for (bool front : {true, false}) {
    const std::string key = front ? "front" : "back";
    CollectionHeader header{
        .id = txn_.NewVersion(), .count = kCount, .peak_count = kCount, .peak_bytes = 100};
    const uint64_t head = front ? 3 * kListStep + 100 : UINT64_MAX - (kCount + 2) * kListStep;
    std::string payload;
    header.AppendTo(&payload);
    PutBig64(&payload, head);
    Model model;
    for (uint64_t i = 0; i < kCount; ++i) {
      std::string row = ElementPrefix(Family::kData, header.id) + '\0';
      PutBig64(&row, head + i * kListStep);
      model.push_back(std::to_string(i));
      txn_.Put(Family::kData, row, model.back());
    }
    WritableKey(txn_, 0, key).Put(Type::kList, StringForm::kPlain, std::nullopt, payload);
    ASSERT_NO_FATAL_FAILURE(Compare(key, model, random));
    for (int i = 0; i < 1000; ++i) {
      txn_.NextEntry(1'000'000'000'000);
      WritableList list = Open(key);
      const std::string element = "p" + std::to_string(i);
      front ? list.PushFront(element) : list.PushBack(element);
      front ? model.push_front(element) : model.push_back(element);
      if (i % 3 == 0) {
        EXPECT_EQ(front ? list.PopBack() : list.PopFront(), front ? model.back() : model.front());
        front ? model.pop_back() : model.pop_front();
      }
      list.Save();
      if (i % 50 == 0) {
        ASSERT_NO_FATAL_FAILURE(Compare(key, model, random));
      }
    }
    ASSERT_NO_FATAL_FAILURE(Compare(key, model, random));
  }
}

TEST_F(ListTest, AnEditNearAnEndLeavesTheListDense) {
  Random random(test::Seed());
  Model model = Fill("k", 1000);
  for (int i = 0; i < 50; ++i) {
    WritableList list = Open("k");
    const std::string element = "e" + std::to_string(i);
    const uint64_t place = i % 2 == 0 ? 127 : list.size() - 127;
    list.Insert(place, element);
    model.insert(model.begin() + static_cast<ptrdiff_t>(place), element);
    if (i % 3 == 0) {
      EXPECT_EQ(list.Remove(element, 1, false), 1u);
      model.erase(model.begin() + static_cast<ptrdiff_t>(place));
    }
    list.Save();
    ASSERT_NO_FATAL_FAILURE(Compare("k", model, random));
  }
  EXPECT_EQ(FormOf("k"), 1);
  WritableList list = Open("k");
  list.Insert(129, "far");
  list.Save();
  EXPECT_EQ(FormOf("k"), 2);
}

TEST_F(ListTest, AListThatLosesMostOfItsElementsIsWrittenAnew) {
  for (bool counted : {false, true}) {
    const std::string key = counted ? "counted" : "dense";
    counted ? FillCounted(key, 1000) : Fill(key, 1000);
    const uint64_t id = HeaderOf(key).id;
    WritableList list = Open(key);
    list.Trim(0, 400);
    list.Save();
    EXPECT_EQ(FormOf(key), 1);
    EXPECT_NE(HeaderOf(key).id, id);
    WritableList less = Open(key);
    less.Trim(100, 2);
    less.Save();
    EXPECT_EQ(FormOf(key), 0);
    EXPECT_EQ(All(key), Model({"100", "101"}));
  }
  txn_.NextEntry(1'000'000'000'000);
  Reclaim(txn_);
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(ListTest, APlaceIsFoundWithoutReadingTheElementsBefore) {
  Fill("dense", 50'000);
  FillCounted("counted", 50'000);
  test::CountingView view(txn_);
  std::string element;
  const auto first = [&](std::string_view key, uint64_t start, bool reverse) {
    Result<List> list = List::Find(view, 0, key);
    list->ForEach(start, 1, reverse, [](std::string_view) { return true; });
    return view.Reads();
  };
  const auto at = [&](std::string_view key, uint64_t index) {
    Result<List> list = List::Find(view, 0, key);
    EXPECT_TRUE(list->At(index, &element));
    return view.Reads();
  };
  // The record is one of the reads.
  for (uint64_t index : {0, 1, 25'000, 49'999}) {
    EXPECT_EQ(at("dense", index), 2u);
    EXPECT_EQ(first("dense", index, false), 2u);
    EXPECT_EQ(first("dense", index, true), 2u);
  }
  for (uint64_t index : {0, 49'999, 50'000}) EXPECT_LE(at("counted", index), 3u);
  for (uint64_t index : {100, 10'000, 25'000, 40'000, 49'900})
    EXPECT_LT(at("counted", index), 400u);
}

TEST_F(ListTest, NothingBeyondTheEndsIsLookedAtWhenRowsAreCounted) {
  Model model = FillCounted("counted", 300);
  // They stand for the remains of what was popped, which a walk would step over one by one.
  std::vector<std::string> remains;
  for (uint64_t position : {kListStart - 1, kListStart + 299 * kListStep + 1}) {
    std::string row = ElementPrefix(Family::kData, HeaderOf("counted").id) + '\0';
    PutBig64(&row, position);
    txn_.Put(Family::kData, row, "remains");
    remains.push_back(row);
  }
  WritableList list = Open("counted");
  list.Trim(20, 261);
  list.Save();
  for (const std::string& row : remains) txn_.Delete(Family::kData, row);
  EXPECT_EQ(FormOf("counted"), 2);
  EXPECT_EQ(All("counted"), Model(model.begin() + 20, model.begin() + 281));
  EXPECT_TRUE(Check("counted").ok()) << Check("counted").message();
}

TEST_F(ListTest, TheCheckSeesWhatIsWrongWithAListsRows) {
  Fill("dense", 300);
  FillCounted("counted", 600);
  for (const char* key : {"dense", "counted"}) {
    ASSERT_TRUE(Check(key).ok());
    const std::string prefix = ElementPrefix(Family::kData, HeaderOf(key).id);
    const auto position = [&](uint64_t p) {
      std::string row = prefix + '\0';
      PutBig64(&row, p);
      return row;
    };
    const std::string third = position(kListStart + 2 * kListStep);
    std::string value;
    ASSERT_TRUE(txn_.Get(Family::kData, third, &value));
    txn_.Delete(Family::kData, third);
    EXPECT_FALSE(Check(key).ok());
    txn_.Put(Family::kData, position(kListStart + 2 * kListStep + 1), value);
    EXPECT_EQ(Check(key).ok(), key == "counted"s);
    txn_.Delete(Family::kData, position(kListStart + 2 * kListStep + 1));
    txn_.Put(Family::kData, third, std::string(1000, 'x'));  // longer than any is said to be
    EXPECT_FALSE(Check(key).ok());
    txn_.Put(Family::kData, third, value);
    EXPECT_TRUE(Check(key).ok());
    txn_.Put(Family::kData, position(kListStart - 1), "x");
    EXPECT_FALSE(Check(key).ok());
    txn_.Delete(Family::kData, position(kListStart - 1));
    txn_.Put(Family::kData, prefix + "\0short"s, "x");
    EXPECT_FALSE(Check(key).ok());
    txn_.Delete(Family::kData, prefix + "\0short"s);
    for (char level : {1, 2, 3}) {
      std::string counts;
      const std::string row = prefix + level + '\1';
      const bool there = txn_.Get(Family::kData, row, &counts);
      EXPECT_EQ(there, key == "counted"s);
      txn_.Put(Family::kData, row, "\x01");
      EXPECT_FALSE(Check(key).ok());
      there ? txn_.Put(Family::kData, row, counts) : txn_.Delete(Family::kData, row);
    }
    EXPECT_TRUE(Check(key).ok());
  }
  for (std::string_view rest : {"", "\x02"}) {
    EXPECT_FALSE(CheckList(txn_, {.count = 1, .peak_count = 1, .peak_bytes = 9}, rest).ok());
    EXPECT_FALSE(CheckList(txn_, {.id = 5, .count = 1, .peak_count = 1}, rest).ok());
  }
  EXPECT_FALSE(CheckList(txn_, {}, "").ok());
}

}  // namespace
}  // namespace metastore::types
