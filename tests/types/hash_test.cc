// Hashes against a plain map whose fields have deadlines, packed and spread.
#include "types/hash.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "base/coding.h"
#include "base/format.h"
#include "tests/support/memory_txn.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"

namespace metastore::types {
namespace {

using engine::Family;
using std::string_literals::operator""s;

constexpr int64_t kStartMs = 1'000'000'000'000;

class HashTest : public ::testing::Test {
 protected:
  WritableHash Open(std::string_view key) {
    Result<WritableHash> opened = WritableHash::Open(txn_, 0, key);
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  }
  void Set(std::string_view key, std::string_view field, std::string_view value) {
    WritableHash hash = Open(key);
    hash.Set(field, value);
    hash.Save();
  }
  FieldExpiry Expire(std::string_view key, std::string_view field, int64_t deadline_ms,
                     FieldExpiryCondition condition = FieldExpiryCondition::kAlways) {
    WritableHash hash = Open(key);
    const FieldExpiry outcome = hash.Expire(field, deadline_ms, condition);
    hash.Save();
    return outcome;
  }
  // Fields f0.. with the value "v".
  void Fill(std::string_view key, int count) {
    WritableHash hash = Open(key);
    std::deque<std::string> fields;
    for (int i = 0; i < count; ++i) hash.Set(fields.emplace_back("f" + std::to_string(i)), "v");
    hash.Save();
  }
  std::map<std::string, std::string> All(std::string_view key) {
    std::map<std::string, std::string> all;
    Result<Hash> hash = Hash::Find(txn_, 0, key);
    if (!hash.ok()) return all;
    hash->ForEach([&](std::string_view field, std::string_view value) {
      return all.emplace(field, value).second;
    });
    return all;
  }
  std::optional<int64_t> FieldDeadline(int db, std::string_view key) {
    std::optional<Record> record = Find(txn_, db, key);
    return record ? record->header().field_deadline_ms : std::nullopt;
  }
  Status Check(std::string_view key) {
    std::optional<Record> record = Find(txn_, 0, key);
    if (!record) return Status::Ok();
    std::string_view rest = record->payload();
    const CollectionHeader collection = CollectionHeader::Take(&rest);
    return CheckHash(txn_, record->header(), collection, rest);
  }
  bool IsSpread(std::string_view key) { return Find(txn_, 0, key)->collection_id() != 0; }
  size_t Rows(Family family) const { return txn_.table(family).size(); }
  // What the expirer does.
  size_t DeleteDue(size_t limit = 1000) {
    size_t erased = 0;
    for (const ExpiredKey& due : CollectExpiredFields(txn_, txn_.now_ms(), 100)) {
      erased += DeleteExpiredFields(txn_, due.meta_key, due.deadline_ms, limit);
    }
    return erased;
  }

  test::MemoryTxn txn_{kStartMs};
};

TEST_F(HashTest, TheBytesOfHashesAreFixed) {
  Set("k", "f", "v1");
  Set("k", "g", "");
  EXPECT_EQ(Find(txn_, 0, "k")->payload(),
            "\x00\x02\x02\x02\x01"
            "f\x03\x00"
            "v1\x01"
            "g\x01\x00"s);
  EXPECT_EQ(Expire("k", "g", kStartMs + 1), FieldExpiry::kSet);
  const std::string deadline = "\x81\xa0\x94\xa5\x8d\x1d"s;
  std::optional<Record> record = Find(txn_, 0, "k");
  EXPECT_EQ(record->payload(),
            "\x02\x02\x02\x02\x01"
            "f\x03\x00"
            "v1\x01"
            "g\x06"s +
                deadline);
  EXPECT_EQ(record->header().field_deadline_ms, kStartMs + 1);
  std::string due = "h\0"s;
  PutBig64(&due, kStartMs + 1);
  due += MetaKey(0, "k").substr(1);
  ASSERT_EQ(Rows(Family::kIndex), 1u);
  EXPECT_EQ(txn_.table(Family::kIndex).begin()->first, due);

  Set("k", "h", std::string(kMaxPackedBytes, 'x'));
  record = Find(txn_, 0, "k");
  const uint64_t id = record->collection_id();
  ASSERT_NE(id, 0u);
  std::string payload = "\x03";
  PutBig64(&payload, id);
  payload += "\x03\x03";
  PutVarint(&payload, kMaxPackedBytes);
  EXPECT_EQ(record->payload(), payload);
  std::string value;
  ASSERT_TRUE(txn_.Get(Family::kData, ElementRow(id, "g"), &value));
  EXPECT_EQ(value, deadline);
  ASSERT_TRUE(txn_.Get(Family::kData, ElementRow(id, "f"), &value));
  EXPECT_EQ(value, "\0v1"s);
  std::string row = "i";
  PutBig64(&row, id);
  PutBig64(&row, kStartMs + 1);
  row += "g";
  ASSERT_EQ(Rows(Family::kIndex), 2u);
  EXPECT_TRUE(txn_.table(Family::kIndex).contains(row));
  EXPECT_TRUE(txn_.table(Family::kIndex).contains(due));
}

struct ModelField {
  std::string value;
  std::optional<int64_t> deadline_ms;
};

// What a hash is: all that is counted, expired or not.
class Model {
 public:
  std::map<std::string, ModelField> fields;

  bool Live(const std::string& field, int64_t now_ms) const {
    auto it = fields.find(field);
    return it != fields.end() && !(it->second.deadline_ms && *it->second.deadline_ms <= now_ms);
  }
  std::map<std::string, std::string> Shown(int64_t now_ms) const {
    std::map<std::string, std::string> shown;
    for (const auto& [field, at] : fields) {
      if (Live(field, now_ms)) shown[field] = at.value;
    }
    return shown;
  }
  std::optional<int64_t> Earliest() const {
    std::optional<int64_t> earliest;
    for (const auto& [field, at] : fields) {
      if (at.deadline_ms && (!earliest || *at.deadline_ms < *earliest)) earliest = at.deadline_ms;
    }
    return earliest;
  }
};

FieldExpiry ExpireInModel(Model* model, const std::string& field, int64_t deadline_ms,
                          FieldExpiryCondition condition, int64_t now_ms) {
  if (!model->Live(field, now_ms)) return FieldExpiry::kNoField;
  const std::optional<int64_t> old = model->fields[field].deadline_ms;
  // A field that stays is later than any deadline.
  const int64_t old_ms = old.value_or(INT64_MAX);
  if ((condition == FieldExpiryCondition::kIfNone && old) ||
      (condition == FieldExpiryCondition::kIfAny && !old) ||
      (condition == FieldExpiryCondition::kIfLater && deadline_ms <= old_ms) ||
      (condition == FieldExpiryCondition::kIfEarlier && deadline_ms >= old_ms)) {
    return FieldExpiry::kConditionNotMet;
  }
  if (deadline_ms <= now_ms) {
    model->fields.erase(field);
    return FieldExpiry::kDeleted;
  }
  model->fields[field].deadline_ms = deadline_ms;
  return FieldExpiry::kSet;
}

class HashModelTest : public HashTest {
 protected:
  // One operation on the hash that is open, and on the model.
  void Operate(WritableHash* hash, Model* model, std::deque<std::string>* bytes) {
    const int64_t now_ms = txn_.now_ms();
    const std::string& field = bytes->emplace_back("f" + std::to_string(random_.Uniform(names_)));
    const bool live = model->Live(field, now_ms);
    std::string value(random_.Uniform(20), static_cast<char>('a' + random_.Uniform(26)));
    switch (random_.Uniform(with_deadlines_ ? 8 : 3)) {
      case 0:
        EXPECT_EQ(hash->Set(field, value), !live);
        model->fields[field] = {value, std::nullopt};
        break;
      case 1:
        EXPECT_EQ(hash->Erase(field), live);
        model->fields.erase(field);
        break;
      case 2:
        EXPECT_EQ(hash->SetValue(field, value), !live);
        if (!live) model->fields[field].deadline_ms.reset();
        model->fields[field].value = value;
        break;
      case 3:
        if (live) {
          hash->Persist(field);
          model->fields[field].deadline_ms.reset();
        }
        break;
      case 4:
        if (random_.OneIn(4)) EraseSomeExpired(hash, model);
        break;
      default: {
        const auto condition = static_cast<FieldExpiryCondition>(random_.Uniform(5));
        const int64_t deadline_ms = now_ms + static_cast<int64_t>(random_.Uniform(300)) - 20;
        EXPECT_EQ(hash->Expire(field, deadline_ms, condition),
                  ExpireInModel(model, field, deadline_ms, condition, now_ms));
      }
    }
    std::string found;
    std::optional<int64_t> deadline_ms;
    EXPECT_EQ(hash->Get(field, &found), model->Live(field, now_ms));
    EXPECT_EQ(hash->GetDeadline(field, &deadline_ms), model->Live(field, now_ms));
    if (model->Live(field, now_ms)) {
      EXPECT_EQ(found, model->fields[field].value);
      EXPECT_EQ(deadline_ms, model->fields[field].deadline_ms);
    }
    EXPECT_EQ(hash->size(), model->fields.size());
  }

  // Which of them go is the hash's choice; as many as there are, up to the limit.
  void EraseSomeExpired(WritableHash* hash, Model* model) {
    const size_t limit = random_.Uniform(5);
    const size_t expired = model->fields.size() - model->Shown(txn_.now_ms()).size();
    EXPECT_EQ(hash->EraseExpired(limit), std::min(limit, expired));
    if (expired <= limit) {
      std::erase_if(model->fields,
                    [&](const auto& at) { return !model->Live(at.first, txn_.now_ms()); });
    } else {
      // Ask which are left: erasing what has expired tells by the size.
      for (auto it = model->fields.begin(); it != model->fields.end();) {
        const uint64_t size = hash->size();
        if (!model->Live(it->first, txn_.now_ms())) {
          EXPECT_FALSE(hash->Erase(it->first));
          EXPECT_LE(hash->size(), size);
          it = model->fields.erase(it);
        } else {
          ++it;
        }
      }
    }
  }

  void Compare(const std::string& key, const Model& model) {
    const int64_t now_ms = txn_.now_ms();
    ASSERT_EQ(All(key), model.Shown(now_ms));
    const Status whole = Check(key);
    ASSERT_TRUE(whole.ok()) << whole.ToString();
    ASSERT_EQ(FieldDeadline(0, key), model.Earliest());
    Result<Hash> hash = Hash::Find(txn_, 0, key);
    ASSERT_EQ(hash.ok(), !model.fields.empty());
    if (!hash.ok()) return;
    EXPECT_EQ(hash->size(), model.fields.size());
    std::map<std::string, std::string> scanned;
    uint64_t cursor = 0;
    do {
      cursor = hash->Scan(cursor, 7, [&](std::string_view field, std::string_view value) {
        EXPECT_TRUE(scanned.emplace(field, value).second);
        return true;
      });
    } while (cursor != 0);
    EXPECT_EQ(scanned, model.Shown(now_ms));
    for (int i = 0; i < 3; ++i) {
      const std::string field = "f" + std::to_string(random_.Uniform(names_));
      std::string value;
      std::optional<int64_t> deadline_ms;
      EXPECT_EQ(hash->Get(field, &value), model.Live(field, now_ms));
      EXPECT_EQ(hash->GetDeadline(field, &deadline_ms), model.Live(field, now_ms));
      if (model.Live(field, now_ms)) {
        EXPECT_EQ(value, model.fields.at(field).value);
        EXPECT_EQ(deadline_ms, model.fields.at(field).deadline_ms);
      }
    }
  }

  Random random_{test::Seed()};
  uint64_t names_ = 1;
  bool with_deadlines_ = false;
};

TEST_F(HashModelTest, RandomOperationsAgreeWithAMapPackedAndSpread) {
  int64_t now_ms = kStartMs;
  int spread = 0, packed = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string key = "k" + std::to_string(round);
    names_ = round % 3 == 0 ? 12 : round % 3 == 1 ? 120 : 600;
    with_deadlines_ = round % 4 != 0;
    Model model;
    for (int entry = 0; entry < 150; ++entry) {
      now_ms += static_cast<int64_t>(random_.Uniform(20));
      txn_.NextEntry(now_ms);
      {
        WritableHash hash = Open(key);
        std::deque<std::string> bytes;
        // Some entries bring many fields, so that the hash outgrows its record within one.
        const uint64_t operations = random_.OneIn(30) ? 200 : 1 + random_.Uniform(4);
        for (uint64_t i = 0; i < operations; ++i) Operate(&hash, &model, &bytes);
        hash.Save();
      }
      Compare(key, model);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
    if (!model.fields.empty()) ++(IsSpread(key) ? spread : packed);
    // Down to nothing again.
    WritableHash hash = Open(key);
    for (const auto& [field, at] : model.fields) {
      EXPECT_EQ(hash.Erase(field), model.Live(field, now_ms));
    }
    hash.Save();
    EXPECT_FALSE(Exists(txn_, 0, key));
  }
  EXPECT_GT(spread, 0);
  EXPECT_GT(packed, 0);
  for (int i = 0; i < 2; ++i) {
    txn_.NextEntry(now_ms);
    Reclaim(txn_);
  }
  for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) EXPECT_EQ(Rows(family), 0u);
  EXPECT_EQ(DatabaseCounts(txn_, 0), engine::KeyCounts{});
}

TEST_F(HashModelTest, TheExpirerLeavesExactlyWhatIsShown) {
  names_ = 400;
  with_deadlines_ = true;
  int64_t now_ms = kStartMs;
  std::map<std::string, Model> models;
  for (int entry = 0; entry < 600; ++entry) {
    now_ms += static_cast<int64_t>(random_.Uniform(10));
    txn_.NextEntry(now_ms);
    const std::string key = "k" + std::to_string(random_.Uniform(3));
    {
      WritableHash hash = Open(key);
      std::deque<std::string> bytes;
      for (int i = 0; i < (key == "k0" ? 30 : 2); ++i) Operate(&hash, &models[key], &bytes);
      hash.Save();
    }
    if (random_.OneIn(3)) {
      while (DeleteDue(1 + random_.Uniform(10)) > 0) {
      }
      EXPECT_TRUE(CollectExpiredFields(txn_, now_ms, 10).empty());
      for (auto& named : models) {
        Model& model = named.second;
        std::erase_if(model.fields, [&](const auto& at) { return !model.Live(at.first, now_ms); });
      }
    }
    for (const auto& [name, model] : models) Compare(name, model);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST_F(HashTest, AFieldThatHasExpiredIsHiddenAndCountedUntilItIsDeleted) {
  for (int count : {3, 300}) {
    const std::string key = "k" + std::to_string(count);
    txn_.set_now_ms(kStartMs);
    Fill(key, count);
    EXPECT_EQ(Expire(key, "f1", kStartMs + 10), FieldExpiry::kSet);
    txn_.set_now_ms(kStartMs + 9);
    EXPECT_EQ(All(key).size(), static_cast<size_t>(count));
    EXPECT_EQ(DeleteDue(), 0u);
    txn_.set_now_ms(kStartMs + 10);
    EXPECT_EQ(All(key).size(), static_cast<size_t>(count) - 1);
    EXPECT_EQ(Hash::Find(txn_, 0, key)->size(), static_cast<uint64_t>(count));
    EXPECT_EQ(DeleteDue(), 1u);
    EXPECT_EQ(Hash::Find(txn_, 0, key)->size(), static_cast<uint64_t>(count) - 1);
    EXPECT_EQ(FieldDeadline(0, key), std::nullopt);
    EXPECT_TRUE(Check(key).ok());
  }
}

TEST_F(HashTest, TheKeyGoesWithItsLastField) {
  for (int count : {2, 300}) {
    txn_.set_now_ms(kStartMs);
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    for (int i = 0; i < count; ++i) Expire(key, "f" + std::to_string(i), kStartMs + 1 + i % 2);
    txn_.set_now_ms(kStartMs + 2);
    EXPECT_TRUE(All(key).empty());
    EXPECT_TRUE(Exists(txn_, 0, key));
    // The limit bounds what one entry does; the next one goes on.
    EXPECT_EQ(DeleteDue(1), 1u);
    EXPECT_TRUE(Exists(txn_, 0, key));
    EXPECT_EQ(DeleteDue(), static_cast<size_t>(count) - 1);
    EXPECT_FALSE(Exists(txn_, 0, key));
  }
  txn_.NextEntry(kStartMs + 2);
  Reclaim(txn_);
  for (Family family : {Family::kMeta, Family::kData, Family::kIndex}) EXPECT_EQ(Rows(family), 0u);
}

// The expirer looked at a moment of the past: its proposal is for what was then.
TEST_F(HashTest, AProposalThatIsOutOfDateDeletesNothing) {
  Fill("k", 3);
  Expire("k", "f1", kStartMs + 10);
  const std::string meta_key = MetaKey(0, "k");
  EXPECT_EQ(DeleteExpiredFields(txn_, meta_key, kStartMs + 10, 9), 0u);
  txn_.set_now_ms(kStartMs + 20);
  EXPECT_EQ(DeleteExpiredFields(txn_, meta_key, kStartMs + 11, 9), 0u);
  EXPECT_EQ(DeleteExpiredFields(txn_, MetaKey(0, "other"), kStartMs + 10, 9), 0u);
  EXPECT_EQ(DeleteExpiredFields(txn_, MetaKey(99, "k"), kStartMs + 10, 9), 0u);
  EXPECT_EQ(DeleteExpiredFields(txn_, std::string(20, '\0'), kStartMs + 10, 9), 0u);
  WritableKey(txn_, 0, "s").PutString("v");
  EXPECT_EQ(DeleteExpiredFields(txn_, MetaKey(0, "s"), kStartMs + 10, 9), 0u);
  EXPECT_EQ(Hash::Find(txn_, 0, "k")->size(), 3u);
  EXPECT_EQ(DeleteExpiredFields(txn_, meta_key, kStartMs + 10, 0), 0u);
  EXPECT_EQ(DeleteExpiredFields(txn_, meta_key, kStartMs + 10, 9), 1u);
}

TEST_F(HashTest, DeadlinesOfFieldsGoWithRenamesCopiesAndExpiries) {
  for (int count : {3, 300}) {
    txn_.set_now_ms(kStartMs);
    const auto left = static_cast<size_t>(count) - 1;
    Fill("k", count);
    Expire("k", "f1", kStartMs + 10);
    Rename(txn_, 0, "k", 0, "renamed");
    EXPECT_EQ(FieldDeadline(0, "renamed"), kStartMs + 10);
    Copy(txn_, 0, "renamed", 0, "copy");
    Rename(txn_, 0, "renamed", 5, "moved");
    EXPECT_EQ(FieldDeadline(5, "moved"), kStartMs + 10);
    EXPECT_EQ(FieldDeadline(0, "copy"), kStartMs + 10);
    EXPECT_TRUE(Check("copy").ok());
    // The copy's deadlines are its own.
    Expire("copy", "f1", kStartMs + 30);
    WritableKey(txn_, 0, "copy").SetDeadline(kStartMs + 1000);
    EXPECT_EQ(FieldDeadline(0, "copy"), kStartMs + 30);
    EXPECT_TRUE(Check("copy").ok());
    txn_.set_now_ms(kStartMs + 10);
    EXPECT_EQ(DeleteDue(), 1u);
    EXPECT_EQ(Hash::Find(txn_, 5, "moved")->size(), left);
    EXPECT_EQ(All("copy").size(), static_cast<size_t>(count));
    txn_.set_now_ms(kStartMs + 30);
    EXPECT_EQ(DeleteDue(), 1u);
    EXPECT_EQ(Hash::Find(txn_, 0, "copy")->size(), left);
    // Deleting the key takes its entry of the index along, and Reclaim the due rows.
    Expire("copy", "f2", kStartMs + 50);
    WritableKey(txn_, 0, "copy").Delete();
    WritableKey(txn_, 5, "moved").Delete();
    txn_.NextEntry(kStartMs + 30);
    Reclaim(txn_);
    EXPECT_EQ(Rows(Family::kIndex), 0u);
    EXPECT_EQ(Rows(Family::kData), 0u);
  }
}

TEST_F(HashTest, IncrementsKeepADeadlineAndSetsDoNot) {
  for (int count : {3, 300}) {
    Fill("k", count);
    Set("k", "n", "5");
    Expire("k", "n", kStartMs + 10);
    EXPECT_EQ(*IncrementField(txn_, 0, "k", "n", 3), 8);
    EXPECT_EQ(*IncrementFieldByFloat(txn_, 0, "k", "n", 0.5L), "8.5");
    EXPECT_EQ(IncrementField(txn_, 0, "k", "n", 3).code(), Code::kNotInteger);
    EXPECT_EQ(IncrementFieldByFloat(txn_, 0, "k", "f1", 3).code(), Code::kNotFloat);
    EXPECT_EQ(FieldDeadline(0, "k"), kStartMs + 10);
    // An expired number is no number any more, nor is its deadline.
    txn_.set_now_ms(kStartMs + 10);
    EXPECT_EQ(*IncrementField(txn_, 0, "k", "n", 3), 3);
    EXPECT_EQ(FieldDeadline(0, "k"), std::nullopt);
    Expire("k", "n", kStartMs + 20);
    Set("k", "n", "7");
    EXPECT_EQ(FieldDeadline(0, "k"), std::nullopt);
    EXPECT_TRUE(Check("k").ok());
    WritableKey(txn_, 0, "k").Delete();
    txn_.set_now_ms(kStartMs);
  }
}

TEST_F(HashTest, TheEncodingShownFollowsFieldsAndValuesButNotDeadlines) {
  const EncodingLimits limits;
  const auto encoding = [&](std::string_view key) {
    return HashEncoding(Hash::Find(txn_, 0, key)->header(), limits);
  };
  Set("k", "f", std::string(64, 'x'));
  EXPECT_EQ(encoding("k"), "listpack");
  Expire("k", "f", kStartMs + 10);
  EXPECT_EQ(encoding("k"), "listpackex");
  Set("k", "f", "v");
  EXPECT_EQ(encoding("k"), "listpackex");
  Set("k", "f", std::string(65, 'x'));
  Set("k", "f", "v");
  EXPECT_EQ(encoding("k"), "hashtable");
  Set("name", std::string(65, 'x'), "v");
  EXPECT_EQ(encoding("name"), "hashtable");
  Fill("many", 512);
  EXPECT_EQ(encoding("many"), "listpack");
  Fill("many", 513);
  EXPECT_EQ(encoding("many"), "hashtable");
}

class HashDrawTest : public HashTest {
 protected:
  // 100 draws a field: mean size - 1, standard deviation sqrt(2 size); chance does not come beyond
  // six of them.
  static void ExpectUniform(const std::map<std::string, int>& drawn, size_t size) {
    EXPECT_EQ(drawn.size(), size);
    double chi_square = 0;
    for (const auto& [field, times] : drawn) {
      chi_square += (times - 100.0) * (times - 100.0) / 100.0;
    }
    const auto n = static_cast<double>(size);
    EXPECT_LT(chi_square, n + 6 * std::sqrt(2 * n)) << size;
  }
  // Every third field has expired.
  void FillWithExpired(std::string_view key, int count) {
    txn_.set_now_ms(kStartMs);
    Fill(key, count);
    for (int i = 0; i < count; i += 3) Expire(key, "f" + std::to_string(i), kStartMs + 1);
    txn_.set_now_ms(kStartMs + 1);
  }

  Random random_{test::Seed()};
};

TEST_F(HashDrawTest, EveryFieldIsDrawnAsOftenAsAnyOther) {
  for (int count : {20, 120, test::kSanitized ? 250 : 1500}) {
    for (bool expired : {false, true}) {
      const std::string key = "k" + std::to_string(count) + (expired ? "e" : "");
      expired ? FillWithExpired(key, count) : Fill(key, count);
      Result<Hash> hash = Hash::Find(txn_, 0, key);
      const size_t live = All(key).size();
      // Many draws at once, few at a time, and one.
      for (uint64_t batch : {uint64_t{live} * 100, uint64_t{4}, uint64_t{1}}) {
        std::map<std::string, int> drawn;
        for (uint64_t left = live * 100; left > 0; left -= batch) {
          uint64_t seen = 0;
          hash->PickAny(batch, true, Random(random_.Next()),
                        [&](std::string_view field, std::string_view value) {
                          EXPECT_EQ(value, "v");
                          ++drawn[std::string(field)];
                          return ++seen > 0;
                        });
          ASSERT_EQ(seen, batch);
        }
        ExpectUniform(drawn, live);
      }
    }
  }
}

TEST_F(HashDrawTest, DistinctDrawsAreDistinctAndUniform) {
  for (int count : {20, 120, test::kSanitized ? 250 : 1500}) {
    for (bool expired : {false, true}) {
      const std::string key = "k" + std::to_string(count) + (expired ? "e" : "");
      expired ? FillWithExpired(key, count) : Fill(key, count);
      Result<Hash> hash = Hash::Find(txn_, 0, key);
      const std::map<std::string, std::string> all = All(key);
      for (uint64_t batch : {uint64_t{5}, uint64_t{all.size() / 2}}) {
        const uint64_t rounds = all.size() * 100 / batch;
        std::map<std::string, int> drawn;
        for (uint64_t i = 0; i < rounds; ++i) {
          std::set<std::string> seen;
          hash->PickDistinct(batch, Random(random_.Next()),
                             [&](std::string_view field, std::string_view) {
                               EXPECT_TRUE(all.contains(std::string(field)));
                               ++drawn[std::string(field)];
                               return seen.emplace(field).second;
                             });
          ASSERT_EQ(seen.size(), batch);
        }
        ExpectUniform(drawn, all.size());
      }
      for (uint64_t more : {uint64_t{all.size()}, uint64_t{all.size() + 1}, UINT64_MAX}) {
        std::map<std::string, std::string> seen;
        hash->PickDistinct(more, random_, [&](std::string_view field, std::string_view value) {
          return seen.emplace(field, value).second;
        });
        EXPECT_EQ(seen, all);
      }
    }
  }
}

TEST_F(HashDrawTest, NothingIsDrawnWhereAllHasExpired) {
  for (int count : {3, 300}) {
    const std::string key = "k" + std::to_string(count);
    txn_.set_now_ms(kStartMs);
    Fill(key, count);
    for (int i = 0; i < count; ++i) Expire(key, "f" + std::to_string(i), kStartMs + 1);
    txn_.set_now_ms(kStartMs + 1);
    Result<Hash> hash = Hash::Find(txn_, 0, key);
    const auto none = [](std::string_view, std::string_view) {
      ADD_FAILURE();
      return true;
    };
    for (uint64_t draws : {1, 5, 1000}) {
      hash->PickAny(draws, false, random_, none);
      hash->PickDistinct(draws, random_, none);
    }
  }
}

// Counts the rows that are read.
class CountingView final : public engine::View {
 public:
  explicit CountingView(const engine::View& view) : view_(view) { now_ms_ = view.now_ms(); }
  bool Get(Family family, std::string_view key, std::string* value) const override {
    ++rows;
    return view_.Get(family, key, value);
  }
  std::unique_ptr<engine::Iterator> NewIterator(Family family, std::string_view lower,
                                                std::string_view upper) const override {
    return std::make_unique<CountingIterator>(view_.NewIterator(family, lower, upper), &rows);
  }
  const engine::DatabaseMap& databases() const override { return view_.databases(); }
  engine::KeyCounts Counts(uint8_t prefix) const override { return view_.Counts(prefix); }

  mutable uint64_t rows = 0;

 private:
  class CountingIterator final : public engine::Iterator {
   public:
    CountingIterator(std::unique_ptr<engine::Iterator> it, uint64_t* rows)
        : it_(std::move(it)), rows_(rows) {}
    bool Valid() const override { return it_->Valid(); }
    void Seek(std::string_view key) override { ++*rows_, it_->Seek(key); }
    void SeekForPrev(std::string_view key) override { ++*rows_, it_->SeekForPrev(key); }
    void Next() override { ++*rows_, it_->Next(); }
    void Prev() override { ++*rows_, it_->Prev(); }
    std::string_view key() const override { return it_->key(); }
    std::string_view value() const override { return it_->value(); }

   private:
    std::unique_ptr<engine::Iterator> it_;
    uint64_t* rows_;
  };

  const engine::View& view_;
};

TEST_F(HashDrawTest, WhatIsReadOfALargeHashIsInProportionToTheReply) {
  constexpr int kFields = 20'000;
  FillWithExpired("k", kFields);
  CountingView view(txn_);
  const auto rows_of = [&](const auto& read) {
    view.rows = 0;
    Result<Hash> hash = Hash::Find(view, 0, "k");
    read(*hash);
    return view.rows;
  };
  const auto ignore = [](std::string_view, std::string_view) { return true; };
  std::string value;
  EXPECT_EQ(rows_of([&](const Hash& hash) { hash.Get("f1", &value); }), 2u);
  EXPECT_LT(rows_of([&](const Hash& hash) { hash.Scan(0, 10, ignore); }), 20u);
  EXPECT_LT(rows_of([&](const Hash& hash) { hash.PickAny(1, true, random_, ignore); }), 2000u);
  EXPECT_LT(rows_of([&](const Hash& hash) { hash.PickDistinct(10, random_, ignore); }), 5000u);
  // Many draws are one walk, not a search each.
  EXPECT_LT(rows_of([&](const Hash& hash) { hash.PickAny(100'000, true, random_, ignore); }),
            2u * kFields);
}

TEST_F(HashTest, TheCheckSeesWhatDoesNotFit) {
  for (int count : {3, 300}) {
    const std::string key = "k" + std::to_string(count);
    Fill(key, count);
    Expire(key, "f1", kStartMs + 10);
    Expire(key, "f2", kStartMs + 20);
    EXPECT_TRUE(Check(key).ok());
  }
  // Of the packed one: the record alone.
  std::optional<Record> record = Find(txn_, 0, "k3");
  const auto check_with = [&](Header header, std::string payload) {
    std::string_view rest = payload;
    const CollectionHeader collection = CollectionHeader::Take(&rest);
    return CheckHash(txn_, header, collection, rest).ToString();
  };
  const std::string payload(record->payload());
  Header header = record->header();
  EXPECT_EQ(check_with(header, payload), Status::Ok().ToString());
  EXPECT_NE(check_with(header, payload.substr(0, payload.size() - 1)), Status::Ok().ToString());
  std::string fewer = payload;
  fewer[1] = 2;
  EXPECT_NE(check_with(header, fewer), Status::Ok().ToString());
  std::string twice = payload;
  twice.replace(twice.find("f2"), 2, "f1");
  EXPECT_NE(check_with(header, twice), Status::Ok().ToString());
  header.field_deadline_ms = kStartMs + 11;
  EXPECT_NE(check_with(header, payload), Status::Ok().ToString());
  header.field_deadline_ms.reset();
  EXPECT_NE(check_with(header, payload), Status::Ok().ToString());

  // Of the spread one: a row more, one less, one that is damaged, in either family.
  const uint64_t id = Find(txn_, 0, "k300")->collection_id();
  const auto expect_seen = [&](Family family, const std::string& row,
                               std::optional<std::string> value) {
    std::string old;
    const bool was_there = txn_.Get(family, row, &old);
    value ? txn_.Put(family, row, *value) : txn_.Delete(family, row);
    EXPECT_FALSE(Check("k300").ok()) << row;
    was_there ? txn_.Put(family, row, old) : txn_.Delete(family, row);
    EXPECT_TRUE(Check("k300").ok());
  };
  expect_seen(Family::kData, ElementRow(id, "f7"), std::nullopt);
  expect_seen(Family::kData, ElementRow(id, "stray"), "\0v"s);
  expect_seen(Family::kData, ElementRow(id, "f7"), "");
  expect_seen(Family::kData, ElementRow(id, "f7"), "\x05v"s);
  expect_seen(Family::kData, ElementPrefix(Family::kData, id), "\0v"s);
  std::string due = ElementPrefix(Family::kIndex, id);
  expect_seen(Family::kIndex, due, "");
  PutBig64(&due, kStartMs + 10);
  expect_seen(Family::kIndex, due + "f1", std::nullopt);
  expect_seen(Family::kIndex, due + "f1", "x");
  expect_seen(Family::kIndex, due + "f7", "");
}

}  // namespace
}  // namespace metastore::types
