#include "types/keyspace.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/crc16.h"
#include "engine/engine.h"
#include "tests/engine/scratch.h"
#include "tests/support/memory_txn.h"
#include "tests/support/seed.h"
#include "types/string.h"

namespace metastore::types {
namespace {

using engine::Family;
using test::MemoryTxn;

constexpr int64_t kNow = 1'700'000'000'000;

std::string Hex(std::string_view bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned char c : bytes) {
    hex.push_back(kDigits[c >> 4]);
    hex.push_back(kDigits[c & 15]);
  }
  return hex;
}

class KeyspaceTest : public testing::Test {
 protected:
  KeyspaceTest() : txn_(kNow) {}
  void Set(int db, std::string_view key, std::string_view value,
           std::optional<int64_t> deadline_ms = std::nullopt) {
    WritableKey(txn_, db, key).PutString(value, deadline_ms);
  }
  std::string GetOr(int db, std::string_view key, std::string absent) {
    std::optional<Record> record = Find(txn_, db, key);
    return record ? std::string(record->payload()) : absent;
  }
  void Fill(int db, int keys) {
    for (int i = 0; i < keys; ++i) Set(db, "k" + std::to_string(i), "v", kNow + 1000);
  }
  void NextEntry() { txn_.NextEntry(txn_.now_ms()); }
  // The keys that were told since the last call, in order.
  std::string Told() {
    std::string told;
    const std::shared_ptr<const engine::CommitEvents> events = txn_.events().Take(1);
    for (size_t i = 0; events != nullptr && i < events->size(); ++i) {
      const engine::Event event = (*events)[i];
      if (!told.empty()) told += ' ';
      told += std::to_string(event.db) + ":";
      told += event.kind == engine::EventKind::kKey ? event.key : "*";
    }
    return told;
  }

  engine::Interest interest_;
  MemoryTxn txn_;
};

TEST_F(KeyspaceTest, EveryChangeOfAKeyIsTold) {
  txn_.events().set_interest(&interest_);
  interest_.AddKeys(1);
  Set(0, "a", "1");
  Set(3, "b", "1", kNow + 10);
  EXPECT_EQ(Told(), "0:a 3:b");
  WritableKey(txn_, 0, "a").SetDeadline(kNow + 20);
  EXPECT_EQ(Told(), "0:a");
  Rename(txn_, 0, "a", 0, "c");
  EXPECT_EQ(Told(), "0:c 0:a");
  Copy(txn_, 0, "c", 2, "d");
  EXPECT_EQ(Told(), "2:d");
  WritableKey(txn_, 2, "d").Delete();
  WritableKey(txn_, 2, "d").Delete();
  EXPECT_EQ(Told(), "2:d");
  WritableKey(txn_, 0, "c").SetDeadline(kNow);
  EXPECT_EQ(Told(), "0:c") << "a deadline that has passed deletes";
  SwapDatabases(txn_, 3, 4);
  EXPECT_EQ(Told(), "3:* 4:*");

  txn_.NextEntry(kNow + 10);
  const std::vector<ExpiredKey> due = CollectExpired(txn_, kNow + 10, 10);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(DeleteIfExpired(txn_, due[0].meta_key, due[0].deadline_ms));
  EXPECT_EQ(Told(), "4:b") << "the database that has the key now";
  EXPECT_FALSE(DeleteIfExpired(txn_, due[0].meta_key, due[0].deadline_ms));
  EXPECT_EQ(Told(), "");

  Set(1, "e", "1", kNow + 20);
  Told();
  txn_.NextEntry(kNow + 20);
  EXPECT_EQ(WritableKey(txn_, 1, "e").found(), nullptr);
  EXPECT_EQ(Told(), "1:e") << "found expired by a write";
}

TEST_F(KeyspaceTest, AFlushTellsItsDatabaseAndNotItsKeys) {
  txn_.events().set_interest(&interest_);
  interest_.AddKeys(1);
  for (int keys : {0, 3, static_cast<int>(kFlushOneByOneKeys) + 1}) {
    Fill(5, keys);
    Told();
    FlushDatabase(txn_, 5);
    EXPECT_EQ(Told(), "5:*") << keys;
    NextEntry();
  }
}

TEST_F(KeyspaceTest, MetaKeysAreGolden) {
  EXPECT_EQ(Hex(MetaKey(0, "")),
            "00"
            "0000b41a0014e34e");
  EXPECT_EQ(Hex(MetaKey(3, "foo")),
            "03"
            "be5aadb97d901df9"
            "666f6f");
  EXPECT_EQ(Hex(MetaKey(254, "{user1000}.following")),
            "fe"
            "35cfc068e95303d1" +
                Hex("{user1000}.following"));
}

TEST_F(KeyspaceTest, RecordsAreGolden) {
  EXPECT_EQ(Hex(Record::Encode({Type::kString, StringForm::kPlain, std::nullopt, 1}, "v")),
            "010176");
  EXPECT_EQ(Hex(Record::Encode({Type::kString, StringForm::kNoInteger, std::nullopt, 300}, "")),
            "21ac02");
  EXPECT_EQ(Hex(Record::Encode({Type::kString, StringForm::kRaw, kNow, 1 << 24}, "abc")),
            "51"
            "80d095ffbc31"
            "80808008"
            "616263");
  EXPECT_EQ(Hex(Record::Encode({Type::kStream, StringForm::kPlain, 1, 1}, "")), "160101");
}

TEST_F(KeyspaceTest, ExpiryKeysAreGolden) {
  Set(2, "k", "v", 0x0102030405060708);
  const auto& index = txn_.table(Family::kIndex);
  ASSERT_EQ(index.size(), 1u);
  EXPECT_EQ(Hex(index.begin()->first),
            "65"
            "02"
            "0102030405060708" +
                Hex(MetaKey(2, "k").substr(1)));
  EXPECT_EQ(index.begin()->second, "");
}

TEST_F(KeyspaceTest, DeadPrefixesAreGolden) {
  Fill(0, 100);
  txn_.BeginEntry(7, kNow, 1);
  FlushDatabase(txn_, 0);
  std::string value;
  ASSERT_TRUE(txn_.Get(Family::kSystem, engine::DeadDatabaseKey(0), &value));
  EXPECT_EQ(Hex(value),
            "00"
            "0000000007000000");
}

TEST_F(KeyspaceTest, TheTopOfTheHashIsTheClusterSlot) {
  for (std::string key : {"foo", "{user1000}.following", "a{b}c", "{}x", ""}) {
    EXPECT_EQ(KeyHash(key) >> 50, static_cast<uint64_t>(KeySlot(key))) << key;
  }
  EXPECT_EQ(KeyHash("{t}1") >> 50, KeyHash("{t}2") >> 50);
  EXPECT_NE(KeyHash("{t}1"), KeyHash("{t}2"));
}

TEST_F(KeyspaceTest, RecordsThatMakeNoSenseHaveNoHeaderAndStopTheProcess) {
  for (const std::string& bytes : std::vector<std::string>{
           "", std::string("\x00\x01", 2),                                 // no type
           "\x07\x01",                                                     // unknown type
           "\x81\x01",                                                     // reserved bit
           "\x61\x01",                                                     // unknown form
           "\x11\x80",                                                     // cut deadline
           std::string("\x11\x00\x01", 3),                                 // a deadline at no time
           "\x11" + std::string(9, static_cast<char>(0xff)) + "\x01\x01",  // no int64
           "\x01",                                                         // no version
       }) {
    std::string_view rest = bytes;
    EXPECT_FALSE(Record::ParseHeader(&rest).has_value()) << Hex(bytes);
    EXPECT_DEATH(Record{bytes}, "CHECK failed") << Hex(bytes);
  }
}

TEST_F(KeyspaceTest, EveryWriteChangesTheVersion) {
  EXPECT_EQ(VersionOf(txn_, 0, "k"), 0u);
  Set(0, "k", "v");
  uint64_t first = VersionOf(txn_, 0, "k");
  EXPECT_GT(first, 0u);
  Set(0, "k", "v");
  uint64_t second = VersionOf(txn_, 0, "k");
  EXPECT_GT(second, first);
  WritableKey(txn_, 0, "k").SetDeadline(kNow + 1);
  EXPECT_GT(VersionOf(txn_, 0, "k"), second);
  txn_.set_now_ms(kNow + 1);
  EXPECT_EQ(VersionOf(txn_, 0, "k"), 0u);
}

TEST_F(KeyspaceTest, AnExpiredKeyIsHiddenFromReadsAndDeletedByWrites) {
  Set(0, "k", "v", kNow + 10);
  txn_.set_now_ms(kNow + 10);
  EXPECT_FALSE(Find(txn_, 0, "k"));
  EXPECT_EQ(txn_.table(Family::kMeta).size(), 1u);
  EXPECT_EQ(DatabaseCounts(txn_, 0).keys, 1);
  EXPECT_EQ(WritableKey(txn_, 0, "k").found(), nullptr);
  EXPECT_TRUE(txn_.table(Family::kMeta).empty());
  EXPECT_TRUE(txn_.table(Family::kIndex).empty());
  EXPECT_EQ(DatabaseCounts(txn_, 0).keys, 0);
  EXPECT_EQ(DatabaseCounts(txn_, 0).expiring, 0);
}

TEST_F(KeyspaceTest, ABigFlushTakesANewPrefixAndReclaimRemovesTheOldOne) {
  Fill(0, 100);
  Fill(1, 10);
  NextEntry();
  FlushDatabase(txn_, 0);
  EXPECT_NE(txn_.databases().prefix[0], 0);
  EXPECT_EQ(txn_.table(Family::kMeta).size(), 110u);
  EXPECT_EQ(DatabaseCounts(txn_, 0).keys, 0);
  EXPECT_EQ(txn_.Counts(0).keys, 0);
  EXPECT_TRUE(NeedsReclaim(txn_));

  Reclaim(txn_);  // of the same entry: too early
  EXPECT_EQ(txn_.table(Family::kMeta).size(), 110u);
  NextEntry();
  Reclaim(txn_);
  EXPECT_EQ(txn_.table(Family::kMeta).size(), 10u);
  EXPECT_EQ(txn_.table(Family::kIndex).size(), 10u);
  EXPECT_TRUE(NeedsReclaim(txn_));
  Fill(2, 100);
  FlushDatabase(txn_, 2);
  EXPECT_NE(txn_.databases().prefix[2], 0) << "a prefix removed in this entry is not free yet";
  NextEntry();
  Reclaim(txn_);
  NextEntry();
  Reclaim(txn_);
  EXPECT_FALSE(NeedsReclaim(txn_));
  EXPECT_EQ(txn_.table(Family::kSystem).size(), 0u);
  Fill(3, 100);
  FlushDatabase(txn_, 3);
  EXPECT_EQ(txn_.databases().prefix[3], 0) << "the lowest free prefix is used again";
}

TEST_F(KeyspaceTest, ASmallFlushUsesNoPrefixUp) {
  for (int i = 0; i < 1000; ++i) {
    Fill(0, static_cast<int>(kFlushOneByOneKeys));
    FlushDatabase(txn_, 0);
    EXPECT_EQ(DatabaseCounts(txn_, 0).keys, 0);
  }
  EXPECT_EQ(txn_.databases().prefix[0], 0);
  EXPECT_TRUE(txn_.table(Family::kMeta).empty());
  EXPECT_TRUE(txn_.table(Family::kIndex).empty());
  EXPECT_FALSE(NeedsReclaim(txn_));
}

TEST_F(KeyspaceTest, FlushesStillWorkWhenEveryPrefixIsQueued) {
  for (int i = 0; i < 300; ++i) {
    Fill(0, 65);
    FlushDatabase(txn_, 0);
    ASSERT_EQ(DatabaseCounts(txn_, 0).keys, 0);
    ASSERT_FALSE(Exists(txn_, 0, "k1"));
  }
  EXPECT_EQ(txn_.table(Family::kSystem).size(), 255u - engine::kDatabases);
  NextEntry();
  Reclaim(txn_);
  NextEntry();
  Reclaim(txn_);
  EXPECT_TRUE(txn_.table(Family::kMeta).empty());
  EXPECT_TRUE(txn_.table(Family::kIndex).empty());
}

TEST_F(KeyspaceTest, SwappedDatabasesKeepTheirCounts) {
  Fill(0, 5);
  SwapDatabases(txn_, 0, 9);
  EXPECT_EQ(DatabaseCounts(txn_, 0).keys, 0);
  EXPECT_EQ(DatabaseCounts(txn_, 9).keys, 5);
  EXPECT_EQ(DatabaseCounts(txn_, 9).expiring, 5);
  EXPECT_EQ(GetOr(9, "k1", "-"), "v");
}

TEST_F(KeyspaceTest, CollectExpiredListsTheLongestDueOfAllDatabases) {
  Set(0, "a", "v", kNow + 30);
  Set(5, "b", "v", kNow + 10);
  Set(15, "c", "v", kNow + 20);
  Set(0, "d", "v", kNow + 40);
  Set(0, "e", "v");
  EXPECT_TRUE(CollectExpired(txn_, kNow + 9, 10).empty());
  std::vector<ExpiredKey> due = CollectExpired(txn_, kNow + 30, 10);
  ASSERT_EQ(due.size(), 3u);
  EXPECT_EQ(due[0].meta_key, MetaKey(5, "b"));
  EXPECT_EQ(due[0].deadline_ms, kNow + 10);
  EXPECT_EQ(due[1].meta_key, MetaKey(15, "c"));
  EXPECT_EQ(due[2].meta_key, MetaKey(0, "a"));
  due = CollectExpired(txn_, kNow + 100, 2);
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(due[1].meta_key, MetaKey(15, "c"));
  EXPECT_TRUE(CollectExpired(txn_, kNow + 100, 0).empty());
}

TEST_F(KeyspaceTest, TheSearchForWhatIsDueBeginsWhereTheFirstDeadlineIs) {
  int64_t floor_ms = 0;
  EXPECT_TRUE(CollectExpired(txn_, kNow, 10, &floor_ms).empty());
  EXPECT_EQ(floor_ms, INT64_MAX);
  Set(0, "a", "v", kNow + 10);
  Set(3, "b", "v", kNow + 20);
  floor_ms = 0;
  EXPECT_TRUE(CollectExpired(txn_, kNow, 10, &floor_ms).empty());
  EXPECT_EQ(floor_ms, kNow + 10);
  txn_.TakeReads();
  EXPECT_EQ(CollectExpired(txn_, kNow + 10, 10, &floor_ms).size(), 1u);
  EXPECT_EQ(floor_ms, kNow + 10) << "it may be proposed again";
  const uint64_t reads = txn_.TakeReads();
  // They stand for the remains of deleted rows.
  for (int i = 1; i < 1000; ++i) {
    std::string row = std::string("e") + '\0';
    PutBig64(&row, static_cast<uint64_t>(kNow - i));
    txn_.Put(Family::kIndex, row + std::string(8, '\0') + "gone", "");
  }
  EXPECT_EQ(CollectExpired(txn_, kNow + 10, 10, &floor_ms).size(), 1u);
  EXPECT_EQ(txn_.TakeReads(), reads);
  txn_.set_now_ms(kNow + 10);
  EXPECT_TRUE(DeleteIfExpired(txn_, MetaKey(0, "a"), kNow + 10));
  EXPECT_TRUE(CollectExpired(txn_, kNow + 10, 10, &floor_ms).empty());
  EXPECT_EQ(floor_ms, kNow + 20);
}

TEST_F(KeyspaceTest, DeleteIfExpiredDeletesOnlyWhatIsStillDue) {
  Set(0, "k", "v", kNow + 10);
  const std::string meta_key = MetaKey(0, "k");
  EXPECT_FALSE(DeleteIfExpired(txn_, meta_key, kNow + 10)) << "not yet for this entry";
  txn_.set_now_ms(kNow + 10);
  EXPECT_FALSE(DeleteIfExpired(txn_, meta_key, kNow + 9)) << "another deadline";
  EXPECT_TRUE(DeleteIfExpired(txn_, meta_key, kNow + 10));
  EXPECT_FALSE(DeleteIfExpired(txn_, meta_key, kNow + 10)) << "gone";
  EXPECT_TRUE(txn_.table(Family::kMeta).empty());
  EXPECT_TRUE(txn_.table(Family::kIndex).empty());
  EXPECT_EQ(DatabaseCounts(txn_, 0).keys, 0);

  Set(0, "k", "v", kNow + 20);
  Set(0, "k", "v");
  txn_.set_now_ms(kNow + 20);
  EXPECT_FALSE(DeleteIfExpired(txn_, meta_key, kNow + 20)) << "the key stays now";
}

TEST_F(KeyspaceTest, DeleteIfExpiredLeavesAFlushedDatabaseAlone) {
  Fill(0, 100);
  FlushDatabase(txn_, 0);
  txn_.set_now_ms(kNow + 5000);
  EXPECT_FALSE(DeleteIfExpired(txn_, MetaKey(0, "k1"), kNow + 1000));
  EXPECT_TRUE(CollectExpired(txn_, kNow + 5000, 10).empty());
}

struct ModelKey {
  std::string value;
  std::optional<int64_t> deadline_ms;
};

// Sixteen maps with times: what a Redis of strings is.
class Model {
 public:
  std::map<std::string, ModelKey>& db(int number) { return dbs_[number]; }
  // Null when absent or expired; an expired one is dropped.
  ModelKey* Find(int db, const std::string& key, int64_t now_ms) {
    auto it = dbs_[db].find(key);
    if (it == dbs_[db].end()) return nullptr;
    if (it->second.deadline_ms && *it->second.deadline_ms <= now_ms) {
      dbs_[db].erase(it);
      return nullptr;
    }
    return &it->second;
  }
  void DropExpired(int64_t now_ms) {
    for (auto& db : dbs_) {
      std::erase_if(db, [&](const auto& entry) {
        return entry.second.deadline_ms && *entry.second.deadline_ms <= now_ms;
      });
    }
  }

 private:
  std::array<std::map<std::string, ModelKey>, engine::kDatabases> dbs_;
};

// One random operation, the same on every Txn for the same `random`.
void RandomOperation(engine::Txn& txn, Model* model, Random& random) {
  const int64_t now = txn.now_ms();
  const int db = static_cast<int>(random.Uniform(3));
  const int other_db = static_cast<int>(random.Uniform(3));
  const std::string key = "k" + std::to_string(random.Uniform(150));
  const std::string other = "k" + std::to_string(random.Uniform(150));
  const std::string value = std::to_string(random.Uniform(1000));
  std::optional<int64_t> deadline;
  if (random.OneIn(2)) deadline = now - 5 + static_cast<int64_t>(random.Uniform(200));
  auto store = [&](int to, const std::string& name, ModelKey entry) {
    model->db(to)[name] = std::move(entry);
    model->Find(to, name, now);  // a deadline that has passed
  };
  ModelKey* found = model->Find(db, key, now);
  switch (random.Uniform(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
      WritableKey(txn, db, key).PutString(value, deadline);
      store(db, key, {value, deadline});
      break;
    case 4: {
      WritableKey writable(txn, db, key);
      ASSERT_EQ(writable.found() != nullptr, found != nullptr);
      writable.Delete();
      model->db(db).erase(key);
      break;
    }
    case 5:
    case 6: {
      WritableKey writable(txn, db, key);
      ASSERT_EQ(writable.found() != nullptr, found != nullptr);
      if (found == nullptr) break;
      writable.SetDeadline(deadline);
      store(db, key, {found->value, deadline});
      break;
    }
    case 7:
    case 8: {
      bool copy = random.OneIn(2);
      if (found == nullptr || (db == other_db && key == other)) break;
      ModelKey entry = *found;
      if (copy) {
        Copy(txn, db, key, other_db, other);
      } else {
        Rename(txn, db, key, other_db, other);
        model->db(db).erase(key);
      }
      store(other_db, other, entry);
      break;
    }
    case 9: {
      Result<uint64_t> length = AppendString(txn, db, key, value);
      ASSERT_TRUE(length.ok());
      if (found != nullptr) {
        found->value += value;
      } else {
        store(db, key, {value, std::nullopt});
      }
      ASSERT_EQ(*length, model->Find(db, key, now)->value.size());
      break;
    }
    case 10:
      if (random.OneIn(10)) {
        SwapDatabases(txn, db, other_db);
        std::swap(model->db(db), model->db(other_db));
      }
      break;
    case 11:
      if (random.OneIn(100)) {
        FlushDatabase(txn, db);
        model->db(db).clear();
      }
      break;
    case 12:
      for (const ExpiredKey& due : CollectExpired(txn, now, 3)) {
        ASSERT_TRUE(DeleteIfExpired(txn, due.meta_key, due.deadline_ms));
      }
      break;
    case 13: {
      std::optional<Record> record = Find(txn, db, key);
      ASSERT_EQ(record.has_value(), found != nullptr);
      if (!record) break;
      ASSERT_EQ(record->payload(), found->value);
      ASSERT_EQ(record->header().deadline_ms, found->deadline_ms);
      break;
    }
  }
}

// Everything that can be seen of the state equals the model.
void ExpectEquals(const engine::View& view, Model* model) {
  model->DropExpired(view.now_ms());
  for (int db = 0; db < engine::kDatabases; ++db) {
    std::map<std::string, ModelKey> seen;
    Scan(view, db, 0, UINT64_MAX, [&](std::string_view key, const Header& header) {
      std::optional<Record> record = Find(view, db, key);
      ASSERT_TRUE(record.has_value());
      EXPECT_EQ(record->header().deadline_ms, header.deadline_ms);
      seen[std::string(key)] = {std::string(record->payload()), header.deadline_ms};
    });
    ASSERT_EQ(seen.size(), model->db(db).size()) << db;
    for (const auto& [key, entry] : model->db(db)) {
      EXPECT_EQ(seen[key].value, entry.value);
      EXPECT_EQ(seen[key].deadline_ms, entry.deadline_ms);
    }
  }
}

// Counters and the expiry index follow from the records.
void ExpectConsistent(const engine::View& view) {
  std::map<uint8_t, engine::KeyCounts> counts;
  size_t expiring = 0;
  auto it = view.NewIterator(Family::kMeta, "", "");
  for (it->Seek(""); it->Valid(); it->Next()) {
    uint8_t prefix = static_cast<uint8_t>(it->key()[0]);
    std::string_view rest = it->value();
    Header header = Record::TakeHeader(&rest);
    ++counts[prefix].keys;
    if (!header.deadline_ms) continue;
    ++counts[prefix].expiring;
    ++expiring;
    std::string index_key = std::string("e") + it->key()[0];
    PutBig64(&index_key, static_cast<uint64_t>(*header.deadline_ms));
    index_key.append(it->key().substr(1));
    std::string value;
    EXPECT_TRUE(view.Get(Family::kIndex, index_key, &value));
  }
  for (uint8_t prefix : view.databases().prefix) {
    EXPECT_EQ(view.Counts(prefix).keys, counts[prefix].keys);
    EXPECT_EQ(view.Counts(prefix).expiring, counts[prefix].expiring);
  }
  size_t index_size = 0;
  auto index = view.NewIterator(Family::kIndex, "", "");
  for (index->Seek(""); index->Valid(); index->Next()) ++index_size;
  EXPECT_EQ(index_size, expiring);
}

TEST_F(KeyspaceTest, RandomOperationsAgreeWithAModel) {
  const uint64_t seed = test::Seed();
  Random random(seed);
  Model model;
  int64_t now = kNow;
  for (int entry = 0; entry < 2000; ++entry) {
    now += static_cast<int64_t>(random.Uniform(10));
    txn_.NextEntry(now);
    for (int i = 0; i < 10; ++i) {
      RandomOperation(txn_, &model, random);
      if (HasFatalFailure()) return;
    }
    if (random.OneIn(50)) {
      NextEntry();
      Reclaim(txn_);
    }
    if (entry % 100 == 0) {
      ExpectEquals(txn_, &model);
      ExpectConsistent(txn_);
    }
  }
}

std::string Dump(const engine::View& view) {
  std::string dump;
  for (Family family : {Family::kMeta, Family::kIndex, Family::kSystem}) {
    auto it = view.NewIterator(family, "", "");
    for (it->Seek(""); it->Valid(); it->Next()) {
      // Where the Txn keeps counters and the map is its own affair; both are compared below.
      if (family == Family::kSystem && it->key().substr(0, 1) != engine::kDeadDatabasePrefix) {
        continue;
      }
      PutBytes(&dump, it->key());
      PutBytes(&dump, it->value());
    }
    dump.push_back('\n');
  }
  dump.append(engine::EncodeDatabases(view.databases()));
  for (int prefix = 0; prefix < 255; ++prefix) {
    dump.append(engine::EncodeCounts(view.Counts(static_cast<uint8_t>(prefix))));
  }
  return dump;
}

TEST(KeyspaceEngineTest, TheSameEntriesGiveTheSameBytesWhateverTheTurns) {
  const uint64_t seed = test::Seed();
  engine::ScratchDirectory scratch_a;
  engine::ScratchDirectory scratch_b;
  auto open = [](const std::string& directory) {
    engine::EngineOptions options;
    options.directory = directory;
    return engine::Engine::Open(options);
  };
  Result<std::unique_ptr<engine::Engine>> a = open(scratch_a.path());
  Result<std::unique_ptr<engine::Engine>> b = open(scratch_b.path());
  ASSERT_TRUE(a.ok()) << a.ToString();
  ASSERT_TRUE(b.ok()) << b.ToString();
  MemoryTxn memory(kNow);

  Random random(seed);
  Random turns(seed + 1);
  int64_t now = kNow;
  Model model;
  for (uint64_t index = 2; index < 1000; ++index) {
    now += static_cast<int64_t>(random.Uniform(10));
    const uint64_t entry_seed = random.Next();
    const bool reclaim = random.OneIn(20);
    engine::DatabaseMap before = memory.databases();
    for (engine::Txn* txn : {static_cast<engine::Txn*>(&memory), &(*a)->txn(), &(*b)->txn()}) {
      txn->BeginEntry(index, now, entry_seed);
      // Only the first run moves the model on; the others must do the same without looking at it.
      Model copy = model;
      for (int i = 0; i < 20; ++i) {
        RandomOperation(*txn, &copy, txn->random());
        if (testing::Test::HasFatalFailure()) return;
      }
      if (reclaim) Reclaim(*txn);
      if (txn == &(*b)->txn()) model = copy;
    }
    bool last_of_turn = reclaim || memory.databases().prefix != before.prefix;
    (*a)->Commit();
    if (last_of_turn || turns.OneIn(7)) (*b)->Commit();
  }
  (*b)->Commit();
  std::unique_ptr<engine::View> view_a = (*a)->NewView(now);
  std::unique_ptr<engine::View> view_b = (*b)->NewView(now);
  EXPECT_TRUE(Dump(*view_a) == Dump(*view_b));
  EXPECT_TRUE(Dump(*view_a) == Dump(memory));
  ExpectEquals(*view_a, &model);
}

}  // namespace
}  // namespace metastore::types
