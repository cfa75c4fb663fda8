#include "types/hyperloglog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/crc32c.h"
#include "tests/support/memory_txn.h"
#include "tests/support/seed.h"
#include "types/string.h"

namespace metastore::types {
namespace {

std::string Header(char encoding,
                   std::string_view count = std::string_view("\0\0\0\0\0\0\0\x80", 8)) {
  std::string header = "HYLL";
  header.push_back(encoding);
  header.append(3, '\0').append(count);
  return header;
}
std::string Sparse(std::string_view runs) { return Header(1).append(runs); }

class HyperloglogTest : public testing::Test {
 protected:
  HyperloglogTest() : txn_(1000) {}

  Result<bool> Add(std::string_view key, const std::vector<std::string>& elements) {
    const std::vector<std::string_view> views(elements.begin(), elements.end());
    return AddToHyperloglog(txn_, 0, key, views);
  }
  // element:from .. element:to-1
  void AddNumbered(std::string_view key, int from, int to) {
    for (int i = from; i < to; ++i) {
      ASSERT_TRUE(Add(key, {"element:" + std::to_string(i)}).ok());
    }
  }
  Status Merge(std::string_view target, const std::vector<std::string_view>& sources) {
    return MergeHyperloglogs(txn_, 0, target, sources);
  }
  uint64_t Count(std::string_view key) { return *CountHyperloglog(txn_, 0, key); }
  Result<uint64_t> CountAll(const std::vector<std::string_view>& keys) {
    return CountHyperloglogs(txn_, 0, keys);
  }
  std::string Get(std::string_view key) {
    Result<Record> found = FindString(txn_, 0, key);
    return found.ok() ? std::string(found->payload()) : "absent";
  }
  void Put(std::string_view key, std::string_view value) {
    WritableKey(txn_, 0, key).PutString(value);
  }
  test::MemoryTxn txn_;
};

// Bytes and counts that redis-server 7.0.15 has after the same PFADDs.
TEST_F(HyperloglogTest, SmallValuesAreRedissToTheByte) {
  EXPECT_TRUE(*Add("none", {}));
  EXPECT_EQ(Get("none"), Sparse("\x7f\xff"));
  EXPECT_FALSE(*Add("none", {}));
  EXPECT_EQ(Count("none"), 0u);
  AddNumbered("one", 0, 1);
  EXPECT_EQ(Get("one"), Sparse("\x60\x81\x80\x5f\x7c"));
  AddNumbered("ten", 0, 10);
  EXPECT_EQ(Get("ten"),
            Sparse("\x44\x8e\x80\x45\x3b\x84\x41\xed\x88\x44\x1b\x80\x40\x7c\x90\x45\x01\x80\x4a"
                   "\xb3\x84\x40\x72\x80\x58\xdc\x80\x44\x4f\x84\x42\x4d"));
  EXPECT_EQ(*HyperloglogRuns(txn_, 0, "one"), "Z:8322 v:1,1 Z:8061");
}

TEST_F(HyperloglogTest, GrowingValuesAreRedissToTheByte) {
  static constexpr struct {
    int elements;
    size_t bytes;
    uint32_t crc;
    uint64_t count;
  } kGolden[] = {{100, 285, 0x219d5744, 99},        {1000, 1897, 0x1fd4aa61, 997},
                 {1500, 2722, 0x25c2ecf7, 1500},    {2000, 12304, 0x0cb2c64d, 2004},
                 {10000, 12304, 0xaca92d78, 10017}, {100000, 12304, 0x812165dc, 100039}};
  int added = 0;
  for (const auto& golden : kGolden) {
    AddNumbered("k", added, golden.elements);
    added = golden.elements;
    EXPECT_EQ(Get("k").size(), golden.bytes) << added;
    EXPECT_EQ(Crc32c(Get("k")), golden.crc) << added;
    EXPECT_EQ(Count("k"), golden.count) << added;
  }
}

TEST_F(HyperloglogTest, MergesAreRedissToTheByte) {
  AddNumbered("a", 0, 500);
  AddNumbered("b", 300, 800);
  ASSERT_TRUE(Merge("to", {"a", "b"}).ok());
  EXPECT_EQ(Get("to").size(), 1571u);
  EXPECT_EQ(Crc32c(Get("to")), 0xe6335488u);
  EXPECT_EQ(Count("to"), 802u);
  EXPECT_EQ(*CountAll({"a", "none", "b"}), 802u);
}

TEST_F(HyperloglogTest, MergingADenseValueMakesTheTargetDense) {
  AddNumbered("dense", 0, 3000);
  ASSERT_TRUE(Add("to", {"x"}).ok());
  ASSERT_TRUE(Merge("to", {}).ok());
  EXPECT_FALSE(*IsDenseHyperloglog(txn_, 0, "to"));
  ASSERT_TRUE(Merge("to", {"dense"}).ok());
  EXPECT_TRUE(*IsDenseHyperloglog(txn_, 0, "to"));
  EXPECT_EQ(Count("to"), *CountAll({"dense", "to"}));
}

TEST_F(HyperloglogTest, RandomAdditionsAndMergesKeepTheHighestRanks) {
  Random random(test::Seed());
  const std::vector<std::string> keys = {"a", "b", "c"};
  std::vector<HllRegisters> model(keys.size(), HllRegisters{});
  for (int round = 0; round < 3000; ++round) {
    const size_t at = random.Uniform(keys.size());
    const uint64_t kind = random.Uniform(100);
    if (kind == 0) {
      WritableKey(txn_, 0, keys[at]).Delete();
      model[at].fill(0);
    } else if (kind < 5) {
      const size_t from = random.Uniform(keys.size());
      ASSERT_TRUE(Merge(keys[at], {keys[from], "none"}).ok());
      for (size_t i = 0; i < model[at].size(); ++i) {
        model[at][i] = std::max(model[at][i], model[from][i]);
      }
    } else if (kind == 5) {
      ASSERT_EQ(MakeHyperloglogDense(txn_, 0, keys[at]).ok(), Exists(txn_, 0, keys[at]));
    } else {
      std::vector<std::string> elements(random.Uniform(30));
      bool changed = !Exists(txn_, 0, keys[at]);
      for (std::string& element : elements) {
        element.resize(random.Uniform(30));
        for (char& c : element) c = static_cast<char>(random.Next());
        const HllMark mark = HllMarkOf(element);
        uint8_t& rank = model[at][static_cast<size_t>(mark.index)];
        changed |= mark.rank > rank;
        rank = std::max(rank, static_cast<uint8_t>(mark.rank));
      }
      ASSERT_EQ(*Add(keys[at], elements), changed);
    }
    if (!Exists(txn_, 0, keys[at])) continue;
    ASSERT_TRUE(*RegistersOfHyperloglog(txn_, 0, keys[at]) == model[at]);
    const bool dense = *IsDenseHyperloglog(txn_, 0, keys[at]);
    ASSERT_TRUE(dense ? Get(keys[at]).size() == 12304 : Get(keys[at]).size() <= kHllSparseMaxBytes);
  }
}

TEST_F(HyperloglogTest, ARankThatNoRunCanHoldMakesTheValueDense) {
  // Merged from a dense value that was made for it: register 0 has rank 33, all others 0.
  std::string dense = Header(0).append(12288, '\0');
  dense[16] = 33;
  Put("dense", dense);
  EXPECT_EQ((*RegistersOfHyperloglog(txn_, 0, "dense"))[0], 33);
  ASSERT_TRUE(Merge("to", {"dense"}).ok());
  EXPECT_EQ(Get("to"), dense);
}

TEST_F(HyperloglogTest, AdditionsThatChangeNothingAreNoWrite) {
  AddNumbered("k", 0, 10);
  const uint64_t version = VersionOf(txn_, 0, "k");
  EXPECT_FALSE(*Add("k", {"element:3"}));
  EXPECT_FALSE(*Add("k", {}));
  EXPECT_EQ(VersionOf(txn_, 0, "k"), version);
}

TEST_F(HyperloglogTest, ExpiriesStay) {
  WritableKey(txn_, 0, "k").PutString(Sparse("\x7f\xff"), 5000);
  EXPECT_TRUE(*Add("k", {"x"}));
  EXPECT_EQ(Find(txn_, 0, "k")->header().deadline_ms, 5000);
  ASSERT_TRUE(Merge("k", {}).ok());
  EXPECT_EQ(Find(txn_, 0, "k")->header().deadline_ms, 5000);
}

TEST_F(HyperloglogTest, AValidCountIsBelievedUntilSomethingChanges) {
  Put("k", Header(1, std::string_view("\x39\x30\0\0\0\0\0\0", 8)).append("\x7f\xff"));
  EXPECT_EQ(Count("k"), 12345u);
  EXPECT_EQ(*CountAll({"k", "none"}), 0u);
  EXPECT_TRUE(*Add("k", {"x"}));
  EXPECT_EQ(Count("k"), 1u);
  // The old count stays, marked as no longer valid.
  EXPECT_EQ(Get("k").substr(8, 8), std::string_view("\x39\x30\0\0\0\0\0\x80", 8));
}

TEST_F(HyperloglogTest, StringsWithoutAProperHeaderAreRefused) {
  const std::string sparse = Sparse("\x7f\xff");
  std::vector<std::string> values = {"",
                                     "HYLL",
                                     "12345",
                                     sparse.substr(0, 15),
                                     Header(2).append("\x7f\xff"),
                                     Header(0),
                                     Header(0).append(12287, '\0'),
                                     Header(0).append(12289, '\0')};
  values.push_back(sparse);
  values.back()[0] = 'h';
  Put("good", sparse);
  for (const std::string& value : values) {
    Put("k", value);
    EXPECT_EQ(Add("k", {"x"}).code(), Code::kNotHyperloglog);
    EXPECT_EQ(Add("k", {}).code(), Code::kNotHyperloglog);
    EXPECT_EQ(CountHyperloglog(txn_, 0, "k").code(), Code::kNotHyperloglog);
    EXPECT_EQ(CountAll({"good", "k"}).code(), Code::kNotHyperloglog);
    EXPECT_EQ(Merge("new", {"good", "k"}).code(), Code::kNotHyperloglog);
    EXPECT_EQ(Merge("k", {"good"}).code(), Code::kNotHyperloglog);
    EXPECT_EQ(MakeHyperloglogDense(txn_, 0, "k").code(), Code::kNotHyperloglog);
    EXPECT_EQ(Get("k"), value);
  }
  EXPECT_FALSE(Exists(txn_, 0, "new"));
}

TEST_F(HyperloglogTest, RegistersThatMakeNoSenseAreCorrupt) {
  // None at all, too few, one too many, half a run.
  for (std::string_view runs :
       {std::string_view("", 0), std::string_view("\x7f\xfe", 2), std::string_view("\x7f\xff\0", 3),
        std::string_view("\x7f\xff\x80", 3), std::string_view("\x7f\xff\x7f\xff", 4),
        std::string_view("\x7f", 1), std::string_view("\x3f\x7f", 2)}) {
    const std::string value = Sparse(runs);
    Put("k", value);
    EXPECT_EQ(CountHyperloglog(txn_, 0, "k").code(), Code::kCorruptHyperloglog);
    EXPECT_EQ(CountAll({"none", "k"}).code(), Code::kCorruptHyperloglog);
    EXPECT_EQ(Merge("new", {"k"}).code(), Code::kCorruptHyperloglog);
    EXPECT_EQ(Merge("k", {}).code(), Code::kCorruptHyperloglog);
    EXPECT_EQ(MakeHyperloglogDense(txn_, 0, "k").code(), Code::kCorruptHyperloglog);
    EXPECT_EQ(Get("k"), value);
    EXPECT_FALSE(Exists(txn_, 0, "new"));
  }
  Put("k", Sparse(""));
  EXPECT_EQ(Add("k", {"x"}).code(), Code::kCorruptHyperloglog);
}

// Under the sanitizers no bytes may lead out of the value.
TEST_F(HyperloglogTest, AnyBytesAreRefusedOrCounted) {
  Random random(test::Seed());
  for (int round = 0; round < 3000; ++round) {
    std::string runs;
    for (uint64_t left = random.Uniform(60); left > 0; --left) {
      runs.push_back(random.OneIn(4) ? '\x7f' : static_cast<char>(random.Next()));
    }
    Put("k", Sparse(runs));
    const bool good = RegistersOfHyperloglog(txn_, 0, "k").ok();
    EXPECT_EQ(CountHyperloglog(txn_, 0, "k").ok(), good);
    EXPECT_EQ(CountAll({"k", "k"}).ok(), good);
    EXPECT_TRUE(HyperloglogRuns(txn_, 0, "k").ok());
    for (int i = 0; i < 20; ++i) {
      Result<bool> added = Add("k", {std::to_string(random.Next())});
      EXPECT_TRUE(added.ok() || !good);
    }
    EXPECT_EQ(RegistersOfHyperloglog(txn_, 0, "k").ok(), good);
    EXPECT_EQ(Merge("to", {"k"}).ok(), good);
    EXPECT_EQ(MakeHyperloglogDense(txn_, 0, "k").ok(), good);
  }
}

TEST_F(HyperloglogTest, AnotherTypeIsRefused) {
  WritableKey(txn_, 0, "list")
      .Put(Type::kList, StringForm::kPlain, std::nullopt, std::string(4, '\0'));
  EXPECT_EQ(Add("list", {"x"}).code(), Code::kWrongType);
  EXPECT_EQ(CountHyperloglog(txn_, 0, "list").code(), Code::kWrongType);
  EXPECT_EQ(CountAll({"none", "list"}).code(), Code::kWrongType);
  EXPECT_EQ(Merge("list", {}).code(), Code::kWrongType);
  EXPECT_EQ(Merge("new", {"list"}).code(), Code::kWrongType);
  EXPECT_EQ(MakeHyperloglogDense(txn_, 0, "list").code(), Code::kWrongType);
}

TEST_F(HyperloglogTest, TheCheckOfItselfPasses) {
  EXPECT_EQ(CheckHyperloglog().ToString(), Status::Ok().ToString());
}

}  // namespace
}  // namespace metastore::types
