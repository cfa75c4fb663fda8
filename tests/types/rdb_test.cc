// Payloads are what redis-server 7.0.15 replies to DUMP, where nothing else is said.
#include "types/rdb.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/crc64.h"
#include "base/format.h"
#include "base/random.h"
#include "tests/support/check_value.h"
#include "tests/support/counting_view.h"
#include "tests/support/memory_txn.h"
#include "tests/support/seed.h"
#include "types/compact_forms.h"
#include "types/hash.h"
#include "types/inspect.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace metastore::types {
namespace {

using test::MemoryTxn;

std::string FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (char byte : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::string Sealed(std::string body, uint16_t version = 10) {
  body.append(reinterpret_cast<const char*>(&version), sizeof version);
  const uint64_t checksum = Crc64(body);
  body.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return body;
}

class RdbTest : public testing::Test {
 protected:
  bool Restore(std::string_view key, const std::string& payload,
               std::optional<int64_t> deadline_ms = std::nullopt) {
    if (!HasValidFooter(payload)) return false;
    Result<DumpedValue> value = DumpedValue::Parse(payload);
    if (!value.ok()) return false;
    value->Store(txn_, 0, key, deadline_ms);
    return true;
  }
  std::string Dump(std::string_view key, const EncodingLimits& limits = {}) {
    Result<std::string> payload = DumpValue(txn_, 0, key, *Find(txn_, 0, key), limits);
    return payload.ok() ? *payload : "too large";
  }
  std::vector<std::string> Elements(std::string_view key) {
    std::vector<std::string> elements;
    Result<List> list = List::Find(txn_, 0, key);
    if (!list.ok()) return {"no list"};
    list->ForEach(0, list->size(), false, [&elements](std::string_view element) {
      elements.emplace_back(element);
      return true;
    });
    return elements;
  }
  DataDigest Digest(std::string_view key) {
    return DigestOfValue(txn_, 0, key, *Find(txn_, 0, key));
  }

  MemoryTxn txn_;
};

struct Golden {
  const char* what;
  const char* hex;
};
// The same comes out again.
constexpr Golden kSame[] = {
    {"embstr", "000568656c6c6f0a006372df766534200a"},
    {"number of 16 bits", "00c139300a009d94ea2793fc08b9"},
    {"number of 32 bits", "00c290eefeff0a002875de7b13eb2800"},
    {"number of 64 bits", "000b31323334353637383930310a00304e52d727176510"},
    {"quicklist", "120102171700000005008161020101dfff02c12c028361626304ff0a002b27d4c3082fccad"},
    {"intset", "0b1404000000030000000100000002000000701101000a0085d5c1065b1dd055"},
    {"set", "020101610a006296e97e44d21a6d"},
    {"zset of a listpack",
     "111d1d0000000600816302842d696e6605816102010181620283322e3504ff0a003992339be11f323d"},
    {"hash of a listpack", "1012120000000400816602817602816e020c01ff0a0001369481d35b8974"},
};

TEST_F(RdbTest, WhatRedisDumpsIsDumpedAgain) {
  for (const Golden& golden : kSame) {
    ASSERT_TRUE(Restore("k", FromHex(golden.hex))) << golden.what;
    EXPECT_EQ(ToHex(Dump("k")), golden.hex) << golden.what;
  }
}

TEST_F(RdbTest, TheFormIsThatOfTheEncodingThatIsShown) {
  EncodingLimits none;
  none.zset_max_listpack_entries = 0;
  none.hash_max_listpack_entries = 0;
  for (const Golden& golden :
       {Golden{"skiplist", "0502016200000000000004400161000000000000f03f0a00f46eb73919767291"},
        Golden{"hashtable", "0401016601760a00adf24356b1860efc"}}) {
    ASSERT_TRUE(Restore("k", FromHex(golden.hex))) << golden.what;
    EXPECT_EQ(ToHex(Dump("k", none)), golden.hex) << golden.what;
    EXPECT_NE(ToHex(Dump("k")), golden.hex) << golden.what;
  }
}

TEST_F(RdbTest, CompressedStringsAreRead) {
  ASSERT_TRUE(Restore("k", FromHex("00c30928016161e01b000161610a00cf092faaae25831d")));
  EXPECT_EQ(Find(txn_, 0, "k")->payload(), std::string(40, 'a'));
}

TEST_F(RdbTest, AStreamComesWithWhatItKnowsOfItself) {
  // Entries 1-1 and 5-0, 1-2 erased, a group that has read nothing.
  ASSERT_TRUE(Restore(
      "k", FromHex("1301100000000000000001000000000000000140404000000019000201010102018161028162020"
                   "001020100010001010181780205010301000101010201817902050100010401dfff020101816302"
                   "817a020601ff0205000101010203010167000081ffffffffffffffff00000a00dffcd69a3e9532"
                   "16")));
  Result<Stream> stream = Stream::Find(txn_, 0, "k");
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(stream->size(), 2u);
  EXPECT_EQ(stream->info().last_id, (StreamId{5, 0}));
  EXPECT_EQ(stream->info().max_deleted_id, (StreamId{1, 2}));
  EXPECT_EQ(stream->info().entries_added, 3u);
  std::optional<StreamGroup> group = stream->FindGroup("g");
  ASSERT_TRUE(group.has_value());
  EXPECT_EQ(group->entries_read, kUnknownEntriesRead);
  std::string seen;
  stream->ForEach(kMinStreamId, kMaxStreamId, [&seen](StreamId id, StreamFields fields) {
    seen += id.ToString();
    for (std::string_view field : fields) seen.append(" ").append(field);
    seen += "; ";
    return true;
  });
  EXPECT_EQ(seen, "1-1 a 1 b x; 5-0 c z; ");
}

TEST_F(RdbTest, PendingEntriesAndConsumersComeBack) {
  {
    Result<WritableStream> stream = WritableStream::Open(txn_, 0, "k");
    const std::vector<std::string_view> fields = {"f", "v"};
    for (uint64_t ms = 1; ms <= 300; ++ms) stream->Append({ms, 0}, fields);
    stream->CreateGroup("g", {200, 0}, 200);
    stream->CreateGroup("empty", {0, 0}, kUnknownEntriesRead);
    stream->Save();
  }
  {
    Result<WritableStream> stream = WritableStream::Open(txn_, 0, "k");
    std::optional<WritableGroup> group = WritableGroup::Open(*stream, "g");
    const uint64_t first = group->CreateConsumer("first", 77);
    const uint64_t second = group->CreateConsumer("second", 78);
    for (uint64_t ms = 1; ms <= 100; ++ms) {
      group->PutPending({ms, 0}, std::nullopt, {ms % 3 == 0 ? second : first, 1000 + 1, ms});
    }
    group->Save();
  }
  const std::string payload = Dump("k");
  ASSERT_TRUE(Restore("copy", payload));
  EXPECT_EQ(Dump("copy"), payload);
  Result<Stream> copy = Stream::Find(txn_, 0, "copy");
  std::optional<StreamGroup> group = copy->FindGroup("g");
  ASSERT_TRUE(group.has_value());
  EXPECT_EQ(group->pending, 100u);
  EXPECT_EQ(copy->FindConsumer(*group, "second")->pending, 33u);
  EXPECT_EQ(copy->FindConsumer(*group, "second")->seen_ms, 78);
  EXPECT_EQ(copy->FindPending(*group, {9, 0})->deliveries, 9u);
}

// From the description of RDB version 12: no such server is at hand.
TEST_F(RdbTest, DeadlinesOfFieldsComeBack) {
  const int64_t now_ms = txn_.now_ms();
  {
    Result<WritableHash> hash = WritableHash::Open(txn_, 0, "k");
    for (std::string_view field : {"a", "b", "c"}) hash->Set(field, "v");
    hash->Expire("a", now_ms + 500, FieldExpiryCondition::kAlways);
    hash->Expire("c", now_ms + 900, FieldExpiryCondition::kAlways);
    hash->Save();
  }
  const std::string payload = Dump("k");
  EXPECT_EQ(payload[0], 24);
  EXPECT_EQ(payload[payload.size() - 10], 12);
  ASSERT_TRUE(Restore("copy", payload));
  EXPECT_EQ(Dump("copy"), payload);
  Result<Hash> copy = Hash::Find(txn_, 0, "copy");
  std::optional<int64_t> deadline_ms;
  ASSERT_TRUE(copy->GetDeadline("c", &deadline_ms));
  EXPECT_EQ(deadline_ms, now_ms + 900);
  ASSERT_TRUE(copy->GetDeadline("b", &deadline_ms));
  EXPECT_EQ(deadline_ms, std::nullopt);
  // The same as a listpack of triples.
  ListpackWriter listpack;
  for (std::string_view part : {"a", "1"}) listpack.Append(part);
  listpack.AppendInteger(now_ms + 5);
  for (std::string_view part : {"b", "2"}) listpack.Append(part);
  listpack.AppendInteger(0);
  std::string bytes = listpack.Take();
  std::string body = "\x19" + std::string(8, '\0');
  body.push_back(static_cast<char>(bytes.size()));
  ASSERT_TRUE(Restore("copy", Sealed(body + bytes, 12)));
  copy = Hash::Find(txn_, 0, "copy");
  ASSERT_TRUE(copy->GetDeadline("a", &deadline_ms));
  EXPECT_EQ(deadline_ms, now_ms + 5);
}

TEST_F(RdbTest, ListsOfAnySizeOfElementsComeBack) {
  std::vector<std::string> elements;
  {
    Result<WritableList> list = WritableList::Open(txn_, 0, "k");
    for (size_t size : {0, 1, 63, 64, 127, 128, 4095, 4096, 8191, 8192, 16383, 20000, 2097152}) {
      elements.push_back(std::string(size, 'x'));
    }
    for (int64_t number :
         {int64_t{0}, int64_t{127}, int64_t{128}, int64_t{-1}, int64_t{4095}, int64_t{-4096},
          int64_t{4096}, int64_t{-32768}, int64_t{32768}, int64_t{8388607}, int64_t{-8388608},
          int64_t{8388608}, int64_t{INT32_MIN}, int64_t{INT32_MAX} + 1, INT64_MIN, INT64_MAX}) {
      elements.push_back(FormatInt64(number));
    }
    for (const char* text : {"+1", "007", "-0", " 1", "1.5"}) elements.push_back(text);
    for (const std::string& element : elements) list->PushBack(element);
    list->Save();
  }
  ASSERT_TRUE(Restore("copy", Dump("k")));
  EXPECT_EQ(Elements("copy"), elements);
}

TEST_F(RdbTest, AValueReplacesWhateverIsThereAndMayHaveADeadline) {
  WritableKey(txn_, 0, "k").PutString("old");
  const int64_t deadline_ms = txn_.now_ms() + 1000;
  ASSERT_TRUE(Restore("k", FromHex(kSame[4].hex), deadline_ms));
  EXPECT_EQ(Elements("k"), (std::vector<std::string>{"a", "1", "-1", "300", "abc"}));
  EXPECT_EQ(Find(txn_, 0, "k")->header().deadline_ms, deadline_ms);
  EXPECT_EQ(txn_.Counts(0).keys, 1u);
}

TEST_F(RdbTest, AFooterOfAnotherVersionOrSumIsRefused) {
  EXPECT_TRUE(HasValidFooter(Sealed("\x01", 12)));
  EXPECT_FALSE(HasValidFooter(Sealed("\x01", 13)));
  for (size_t size = 0; size < 10; ++size) EXPECT_FALSE(HasValidFooter(std::string(size, '\0')));
  std::string payload = Sealed(std::string("\0\1a", 3));
  ASSERT_TRUE(HasValidFooter(payload));
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] ^= 1;
    EXPECT_FALSE(HasValidFooter(payload)) << i;
    payload[i] ^= 1;
  }
}

TEST_F(RdbTest, WhatIsNoValueIsRefused) {
  const auto refused = [](std::string_view hex) {
    return !DumpedValue::Parse(Sealed(FromHex(hex))).ok();
  };
  EXPECT_FALSE(refused("000161"));
  EXPECT_TRUE(refused("")) << "nothing";
  EXPECT_TRUE(refused("000261")) << "cut";
  EXPECT_TRUE(refused("00016161")) << "bytes behind it";
  EXPECT_TRUE(refused("0700")) << "a module's value";
  EXPECT_TRUE(refused("0100")) << "an empty list";
  EXPECT_TRUE(refused("020201610161")) << "a member twice";
  EXPECT_TRUE(refused("0402016601310166013200")) << "a field twice";
  EXPECT_TRUE(refused("05010161000000000000f87f")) << "a score that is no number";
  EXPECT_TRUE(refused("03010161fd")) << "the same as text";
  EXPECT_TRUE(refused("0181ffffffffffffffff")) << "more elements than bytes";
  EXPECT_TRUE(refused("0081ffffffffffffffff")) << "a longer string than there are bytes";
  EXPECT_TRUE(refused("00c302807fffffff0161")) << "a longer string than they can stand for";
  EXPECT_TRUE(refused("0b0c02000000020000000200010000")) << "an intset in no order";
}

// Bytes of a list's node that LZF and the listpack together make large.
std::string ManySmallNumbers(size_t count) {
  std::string head(6, '\xff');  // the count is unknown
  const auto size = static_cast<uint32_t>(7 + 2 * count);
  std::memcpy(head.data(), &size, sizeof size);
  std::string lzf = "\x07" + head + "\1\1";
  size_t left = 2 * count - 2;
  for (; left >= 264; left -= 264) lzf += "\xe0\xff\x01";
  for (; left > 0; left -= 2) lzf += "\x01\1\1";
  lzf += std::string("\0\xff", 2);
  std::string body = "\x12\1\2\xc3";
  for (size_t length : {lzf.size(), size_t{size}}) {
    body.push_back('\x80');
    PutBig32(&body, static_cast<uint32_t>(length));
  }
  return Sealed(body + lzf);
}

TEST_F(RdbTest, FewBytesThatStandForTooManyAreRefused) {
  const std::string payload = ManySmallNumbers(100'000);
  EXPECT_LT(payload.size(), 4000u);
  EXPECT_TRUE(DumpedValue::Parse(payload, 20 << 20).ok());
  EXPECT_EQ(DumpedValue::Parse(payload, 10 << 20).status().code(), Code::kStringTooLong);
  EXPECT_EQ(DumpedValue::Parse(payload, 100'000).status().code(), Code::kStringTooLong);
  ASSERT_TRUE(Restore("k", payload));
  EXPECT_EQ(List::Find(txn_, 0, "k")->size(), 100'000u);
}

TEST_F(RdbTest, NamesThatEntriesShareCountForEachOfThem) {
  Result<WritableStream> stream = WritableStream::Open(txn_, 0, "k");
  const std::string name(1000, 'n');
  const std::vector<std::string_view> fields = {name, "v"};
  for (uint64_t ms = 1; ms <= 100; ++ms) stream->Append({ms, 0}, fields);
  stream->Save();
  // Of a few names: 4096 bytes of entries make a node.
  const std::string payload = Dump("k");
  EXPECT_TRUE(DumpedValue::Parse(payload, 150'000).ok());
  EXPECT_EQ(DumpedValue::Parse(payload, 100'000).status().code(), Code::kStringTooLong);
}

TEST_F(RdbTest, AStringOfTheGreatestLengthIsNoMoreThanItsBytes) {
  const std::string payload = FromHex("00c30928016161e01b000161610a00cf092faaae25831d");
  EXPECT_TRUE(DumpedValue::Parse(payload, 40).ok());
  EXPECT_EQ(DumpedValue::Parse(payload, 39).status().code(), Code::kStringTooLong);
}

// Also of forms that configured limits let grow, which Redis would build whole.
TEST_F(RdbTest, AWalkEndsWhereThePayloadWouldBeTooLong) {
  EncodingLimits all;
  all.hash_max_listpack_entries = all.hash_max_listpack_value = UINT64_MAX;
  all.zset_max_listpack_entries = all.set_max_intset_entries = UINT64_MAX;
  std::vector<std::string> names;
  for (int i = 10'000; i < 20'000; ++i) names.push_back(std::to_string(i));
  {
    Result<WritableHash> hash = WritableHash::Open(txn_, 0, "hash");
    Result<WritableSet> set = WritableSet::Open(txn_, 0, "set");
    Result<WritableList> list = WritableList::Open(txn_, 0, "list");
    std::vector<ScoredMember> scored;
    for (const std::string& name : names) {
      hash->Set(name, name);
      set->Add(name);
      list->PushBack(name);
      scored.push_back({name, 1});
    }
    hash->Save();
    set->Save();
    list->Save();
    StoreSortedSet(txn_, 0, "zset", scored);
  }
  for (const char* key : {"hash", "set", "list", "zset"}) {
    for (const EncodingLimits& limits : {all, EncodingLimits()}) {
      test::CountingView view(txn_);
      const Record record = *Find(view, 0, key);
      Result<std::string> whole = DumpValue(view, 0, key, record, limits);
      ASSERT_TRUE(whole.ok()) << key;
      EXPECT_EQ(*DumpValue(view, 0, key, record, limits, 5 * whole->size()), *whole) << key;
      view.Reads();
      Result<std::string> cut = DumpValue(view, 0, key, record, limits, 2000);
      EXPECT_EQ(cut.status().code(), Code::kStringTooLong) << key;
      EXPECT_LT(view.Reads(), 1000u) << key;
    }
  }
}

// XADD 5-0, XADD 6-0, XDEL 6-0, XSETID 5-0.
TEST_F(RdbTest, AStreamMayHaveErasedMoreThanItsLastId) {
  ASSERT_TRUE(
      Restore("k", FromHex("13011000000000000000050000000000000000c3232806280000000f00016000078161"
                           "0200010201002001058162020401032015800a0101ff0105000500060002000a004f57"
                           "17e2f5318d45")));
  Result<Stream> stream = Stream::Find(txn_, 0, "k");
  EXPECT_EQ(stream->info().last_id, (StreamId{5, 0}));
  EXPECT_EQ(stream->info().max_deleted_id, (StreamId{6, 0}));
  EXPECT_TRUE(test::CheckValue(txn_, 0, "k").ok());
}

// Three entries and the groups first 1-0, mid 2-0 and zero 0-0; redis-server takes what they have
// read from their ids.
TEST_F(RdbTest, GroupsOfRedis5AreTakenToHaveReadWhatTheirIdsSay) {
  ASSERT_TRUE(
      Restore("k", FromHex("0f011000000000000000010000000000000000c3273011300000001400030100010101"
                           "816102000102200a400c000420090001e00009401520130101ff0303000305666972737"
                           "401000000036d696402000000047a65726f00000000090006ff4f5ad04dc6b6")));
  Result<Stream> stream = Stream::Find(txn_, 0, "k");
  EXPECT_EQ(stream->FindGroup("first")->entries_read, 1);
  EXPECT_EQ(stream->FindGroup("mid")->entries_read, kUnknownEntriesRead);
  EXPECT_EQ(stream->FindGroup("zero")->entries_read, 0);
}

// Whatever becomes of damaged bytes that have a right sum: no crash, and what is taken is a value.
TEST_F(RdbTest, DamageDoesNoHarm) {
  Random random(test::Seed());
  std::vector<std::string> bodies;
  for (const Golden& golden : kSame) bodies.push_back(FromHex(golden.hex));
  {
    Result<WritableStream> stream = WritableStream::Open(txn_, 0, "stream");
    const std::vector<std::string_view> fields = {"f", "v"}, others = {"g", "12", "h", "w"};
    for (uint64_t ms = 1; ms <= 20; ++ms) stream->Append({ms, ms % 2}, ms % 5 ? fields : others);
    stream->CreateGroup("g", {9, 1}, 9);
    stream->Save();
    Result<WritableStream> again = WritableStream::Open(txn_, 0, "stream");
    std::optional<WritableGroup> group = WritableGroup::Open(*again, "g");
    const uint64_t consumer = group->CreateConsumer("c", 5);
    for (uint64_t ms = 1; ms < 9; ++ms)
      group->PutPending({ms, ms % 2}, std::nullopt, {consumer, 7, 1});
    group->Save();
    bodies.push_back(Dump("stream"));
  }
  for (std::string& body : bodies) body.resize(body.size() - 10);
  size_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string body = bodies[random.Uniform(bodies.size())];
    for (uint64_t changes = 1 + random.Uniform(3); changes > 0; --changes) {
      const size_t at = random.Uniform(body.size());
      switch (random.Uniform(4)) {
        case 0:
          body[at] = static_cast<char>(body[at] ^ 1 << random.Uniform(8));
          break;
        case 1:
          body[at] = static_cast<char>(random.Uniform(256));
          break;
        case 2:
          body.insert(at, 1, static_cast<char>(random.Uniform(256)));
          break;
        default:
          if (body.size() > 1) body.erase(at, 1);
      }
    }
    if (!Restore("k", Sealed(body))) continue;
    ++taken;
    const Status found = test::CheckValue(txn_, 0, "k");
    ASSERT_TRUE(found.ok()) << found.ToString() << " " << ToHex(body);
    ASSERT_TRUE(Restore("again", Dump("k"))) << ToHex(body);
    EXPECT_EQ(Digest("again"), Digest("k")) << ToHex(body);
  }
  EXPECT_GT(taken, 1000u) << "some damage goes unseen, or nothing is tested here";
}

}  // namespace
}  // namespace metastore::types
