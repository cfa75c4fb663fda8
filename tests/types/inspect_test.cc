// The digests are what redis-server 7.0.15 replies to DEBUG DIGEST-VALUE and DEBUG DIGEST.
#include "types/inspect.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/counting_view.h"
#include "tests/support/memory_txn.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace metastore::types {
namespace {

using test::MemoryTxn;

std::string Hex(const DataDigest& digest) {
  std::string text;
  for (unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

class InspectTest : public testing::Test {
 protected:
  std::string Digest(std::string_view key) {
    return Hex(DigestOfValue(txn_, 0, key, *Find(txn_, 0, key)));
  }
  uint64_t Bytes(std::string_view key, uint64_t samples) {
    return StoredBytes(txn_, key, *Find(txn_, 0, key), samples);
  }
  void PutString(std::string_view key, std::string_view value,
                 std::optional<int64_t> deadline_ms = std::nullopt) {
    WritableKey(txn_, 0, key).PutString(value, deadline_ms);
  }
  void PutSet(std::string_view key, const std::vector<std::string>& members) {
    WritableSet set = WritableSet::Replace(txn_, 0, key);
    for (const std::string& member : members) set.Add(member);
    set.Save();
  }

  MemoryTxn txn_;
};

TEST_F(InspectTest, ValuesHaveRedissDigests) {
  PutString("s", "hello");
  PutString("n", "12345");
  PutString("e", "v", 4'000'000'000'000);
  EXPECT_EQ(Digest("s"), "36b23a1456b2dce2c3ed252c456761301dba8060");
  EXPECT_EQ(Digest("n"), "e1cf90774e995ae03de66e8109dc5cb9d9c2dc83");
  EXPECT_EQ(Digest("e"), "311b17018163335616e089f6b951c82c477335ac");
  WritableList list = *WritableList::Open(txn_, 0, "l");
  for (std::string_view element : {"a", "1", "b", ""}) list.PushBack(element);
  list.Save();
  EXPECT_EQ(Digest("l"), "212bf059de441e7b1d7adf357cb080b1c4fcb860");
  PutSet("is", {"1", "2", "3"});
  PutSet("ss", {"a", "b", "1"});
  EXPECT_EQ(Digest("is"), "2a462a3f51a1db89738ebbeef0c47ce1bbc85246");
  EXPECT_EQ(Digest("ss"), "e8f32bbb1ad9bf537c8867de4f19fec9e001296d");
  StoreSortedSet(
      txn_, 0, "z",
      {{"a", 1.5}, {"b", -0.0}, {"c", 3}, {"d", std::numeric_limits<double>::infinity()}});
  EXPECT_EQ(Digest("z"), "4236ade4f8cf02791842ea703889353bcc12bcd5");
  WritableHash hash = *WritableHash::Open(txn_, 0, "h");
  hash.Set("f", "v");
  hash.Set("1", "2");
  hash.Save();
  EXPECT_EQ(Digest("h"), "78186da816517abac4ec4b92f608dd6059a76ae9");
  WritableStream stream = *WritableStream::Open(txn_, 0, "x");
  const std::string_view first[] = {"a", "1", "b", "2"}, second[] = {"c", "d"};
  stream.Append({5, 1}, first);
  stream.Append({6, 0}, second);
  stream.Save();
  EXPECT_EQ(Digest("x"), "402f7bdc5167a7e538ee1f3c2eea3f8304c80705");
  EXPECT_EQ(Hex(DigestOfAll(txn_)), "a7779fd869792a759b2afa4ccd84a78f4e6000f0");
  WritableKey(txn_, 3, "k").PutString("v");
  EXPECT_EQ(Hex(DigestOfAll(txn_)), "9cfd6dd3c25b74b6d81c99f543d9a2cb3017fcd1");
}

TEST_F(InspectTest, NothingHasADigestOfZeros) {
  EXPECT_EQ(Hex(DigestOfAll(txn_)), std::string(40, '0'));
}

TEST_F(InspectTest, ASpreadValueHasTheDigestOfThePackedOne) {
  std::vector<std::string> members;
  for (int i = 0; i < 100; ++i) members.push_back("member " + std::to_string(i));
  PutSet("packed", members);
  ASSERT_EQ(Find(txn_, 0, "packed")->collection_id(), 0u);
  for (int i = 100; i < 200; ++i) members.push_back("member " + std::to_string(i));
  PutSet("spread", members);
  ASSERT_NE(Find(txn_, 0, "spread")->collection_id(), 0u);
  WritableSet set = *WritableSet::Open(txn_, 0, "spread");
  for (int i = 100; i < 200; ++i) set.Remove(members[static_cast<size_t>(i)]);
  set.Save();
  EXPECT_EQ(Digest("spread"), Digest("packed"));
}

TEST_F(InspectTest, TheSizeIsThatOfRecordAndRowsAndSamplesEstimateIt) {
  PutString("s", std::string(1000, 'x'));
  EXPECT_GT(Bytes("s", 5), 1000u);
  EXPECT_LT(Bytes("s", 5), 1050u);
  std::vector<std::string> members;
  for (int i = 10'000; i < 30'000; ++i) members.push_back(std::to_string(i));
  PutSet("set", members);
  const uint64_t exact = Bytes("set", 0);
  // Key: prefix, id, hash, member.
  EXPECT_GT(exact, 20'000u * (8 + 8 + 5));
  EXPECT_EQ(Bytes("set", 20'000), exact);
  EXPECT_NEAR(static_cast<double>(Bytes("set", 5)), static_cast<double>(exact), 100);
  test::CountingView view(txn_);
  const Record record = *Find(txn_, 0, "set");
  StoredBytes(view, "set", record, 5);
  EXPECT_LT(view.Reads(), 10u);
  // A sorted set has its places beside its members.
  std::vector<ScoredMember> scored;
  for (const std::string& member : members) scored.push_back({member, 1});
  StoreSortedSet(txn_, 0, "sorted", scored);
  EXPECT_GT(Bytes("sorted", 5), exact * 3 / 2);
}

}  // namespace
}  // namespace metastore::types
