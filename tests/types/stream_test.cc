// Streams against a model of maps: entries, groups, pending entries; packed and spread.
#include "types/stream.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "engine/system_keys.h"
#include "tests/support/memory_txn.h"
#include "tests/support/seed.h"

namespace metastore::types {

void PrintTo(const StreamId& id, std::ostream* out) { *out << id.ToString(); }

namespace {

using engine::Family;
using std::string_literals::operator""s;

constexpr int64_t kStartMs = 1'000'000'000'000;

struct ModelConsumer {
  int64_t seen_ms = 0;
  friend bool operator==(const ModelConsumer&, const ModelConsumer&) = default;
};
struct ModelPending {
  std::string consumer;
  int64_t delivered_ms = 0;
  uint64_t deliveries = 0;
  friend bool operator==(const ModelPending&, const ModelPending&) = default;
};
struct ModelGroup {
  StreamId last_id;
  int64_t entries_read = kUnknownEntriesRead;
  std::map<std::string, ModelConsumer> consumers;
  std::map<StreamId, ModelPending> pending;
  friend bool operator==(const ModelGroup&, const ModelGroup&) = default;
};
struct Model {
  std::map<StreamId, std::vector<std::string>> entries;
  StreamId last_id, max_deleted_id;
  uint64_t entries_added = 0;
  std::map<std::string, ModelGroup> groups;
};

class StreamTest : public ::testing::Test {
 protected:
  WritableStream Open(std::string_view key = "k") {
    Result<WritableStream> opened = WritableStream::Open(txn_, 0, key);
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  }
  Stream Read(std::string_view key = "k") {
    Result<Stream> stream = Stream::Find(txn_, 0, key);
    CHECK(stream.ok());
    return std::move(*stream);
  }
  void Add(StreamId id, std::string_view value = "v", std::string_view key = "k") {
    WritableStream stream = Open(key);
    const std::string_view fields[] = {"f", value};
    stream.Append(id, fields);
    stream.Save();
  }
  // Ids 1-0 to count-0.
  void Fill(uint64_t count, std::string_view key = "k") {
    for (uint64_t i = 1; i <= count; ++i) Add({i, 0}, "v", key);
  }
  std::string Payload(std::string_view key = "k") {
    Result<Record> record = FindCollection(txn_, 0, key, Type::kStream);
    return record.ok() ? std::string(record->payload()) : "";
  }
  Status Check(std::string_view key = "k") {
    const std::string payload = Payload(key);
    std::string_view rest = payload;
    const CollectionHeader header = CollectionHeader::Take(&rest);
    return CheckStream(txn_, header, rest);
  }
  static std::vector<StreamId> Ids(const Stream& stream, StreamId first = kMinStreamId,
                                   StreamId last = kMaxStreamId, bool reverse = false) {
    std::vector<StreamId> ids;
    const auto visit = [&](StreamId id, StreamFields) {
      ids.push_back(id);
      return true;
    };
    reverse ? stream.ForEachReverse(first, last, visit) : stream.ForEach(first, last, visit);
    return ids;
  }
  size_t Rows() const { return txn_.table(Family::kData).size(); }

  // Everything that can be read agrees with the model.
  void Compare(const Model& model) {
    ASSERT_TRUE(Check().ok()) << Check().message();
    const Stream stream = Read();
    ASSERT_EQ(stream.size(), model.entries.size());
    EXPECT_EQ(stream.info().last_id, model.last_id);
    EXPECT_EQ(stream.info().max_deleted_id, model.max_deleted_id);
    EXPECT_EQ(stream.info().entries_added, model.entries_added);
    EXPECT_EQ(stream.info().first_id,
              model.entries.empty() ? kMinStreamId : model.entries.begin()->first);
    EXPECT_EQ(stream.LastEntry(),
              model.entries.empty() ? kMinStreamId : model.entries.rbegin()->first);
    std::map<StreamId, std::vector<std::string>> entries;
    stream.ForEach(kMinStreamId, kMaxStreamId, [&](StreamId id, StreamFields fields) {
      entries.emplace(id, std::vector<std::string>(fields.begin(), fields.end()));
      return true;
    });
    ASSERT_EQ(entries, model.entries);
    std::vector<StreamId> backwards = Ids(stream, kMinStreamId, kMaxStreamId, true);
    ASSERT_EQ(std::vector<StreamId>(backwards.rbegin(), backwards.rend()), Ids(stream));

    std::map<std::string, ModelGroup> groups;
    stream.ForEachGroup([&](std::string_view name, const StreamGroup& group) {
      ModelGroup& shown = groups[std::string(name)];
      shown.last_id = group.last_id;
      shown.entries_read = group.entries_read;
      uint64_t pending = 0, sum = 0;
      stream.ForEachConsumer(group, [&](const StreamConsumer& consumer) {
        shown.consumers[consumer.name] = {consumer.seen_ms};
        uint64_t own = 0;
        stream.ForEachPendingOf(group, consumer.number, kMinStreamId, kMaxStreamId,
                                [&](StreamId id, const PendingEntry& entry) {
                                  EXPECT_EQ(entry.consumer, consumer.number);
                                  EXPECT_TRUE(stream.FindPending(group, id).has_value());
                                  return ++own > 0;
                                });
        EXPECT_EQ(own, consumer.pending);
        sum += own;
        return true;
      });
      stream.ForEachPending(group, kMinStreamId, kMaxStreamId,
                            [&](StreamId id, const PendingEntry& entry) {
                              shown.pending[id] = {stream.GetConsumer(group, entry.consumer).name,
                                                   entry.delivered_ms, entry.deliveries};
                              return ++pending > 0;
                            });
      EXPECT_EQ(group.pending, pending);
      EXPECT_EQ(group.pending, sum);
      EXPECT_EQ(group.consumers, shown.consumers.size());
      EXPECT_EQ(stream.LastPending(group),
                shown.pending.empty() ? kMinStreamId : shown.pending.rbegin()->first);
      return true;
    });
    EXPECT_EQ(groups, model.groups);
    EXPECT_EQ(stream.info().groups, model.groups.size());
  }

  test::MemoryTxn txn_;
};

TEST_F(StreamTest, IdsStepOverTheEndsOfTheirSequenceNumbers) {
  StreamId id{5, UINT64_MAX};
  EXPECT_TRUE(id.Increment());
  EXPECT_EQ(id, (StreamId{6, 0}));
  EXPECT_TRUE(id.Decrement());
  EXPECT_EQ(id, (StreamId{5, UINT64_MAX}));
  id = kMaxStreamId;
  EXPECT_FALSE(id.Increment());
  EXPECT_EQ(id, kMaxStreamId);
  id = kMinStreamId;
  EXPECT_FALSE(id.Decrement());
  EXPECT_EQ(id, kMinStreamId);
  EXPECT_EQ((StreamId{12, 3}).ToString(), "12-3");
}

TEST_F(StreamTest, TheBytesOfAPackedStreamAreFixed) {
  Add({1000, 1}, "v1");
  Add({1002, 0}, "");
  WritableStream stream = Open();
  EXPECT_TRUE(stream.Erase({1000, 1}));
  const std::string_view fields[] = {"a", "b", "a", "c"};
  stream.Append({1300, 7}, fields);
  stream.Save();
  EXPECT_EQ(Payload(),
            "\x00\x02\x02\x00"  // header: traits, count, peak_count, peak_bytes
            "\x94\x0a\x07"      // last 1300-7
            "\xea\x07\x00"      // first 1002-0
            "\xe8\x07\x01"      // max deleted 1000-1
            "\x03\x00\x01"      // added, groups, next group
            "\x00\x00\x03\x01"
            "f\x00"
            "\xaa\x02\x07\x08\x01"
            "a\x01"
            "b\x01"
            "a\x01"
            "c"s);
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(StreamTest, TheBytesOfASpreadStreamAreFixed) {
  Add({258, 3});
  {
    WritableStream stream = Open();
    ASSERT_TRUE(stream.CreateGroup("grp", {258, 2}, 0));
    ASSERT_TRUE(stream.CreateGroup("h", {0, 0}, kUnknownEntriesRead));
    stream.Save();
  }
  {
    WritableStream stream = Open();
    std::optional<WritableGroup> group = WritableGroup::Open(stream, "grp");
    const uint64_t consumer = group->CreateConsumer("joe", 300);
    group->Advance({258, 3});
    group->PutPending({258, 3}, std::nullopt, {consumer, 301, 2});
    group->Save();
  }
  const uint64_t id = Read().header().id;
  std::string expected = "\x01";
  PutBig64(&expected, id);
  expected += "\x01\x01\x00\x82\x02\x03\x82\x02\x03\x00\x00\x01\x02\x03"s;
  EXPECT_EQ(Payload(), expected);
  const std::string prefix = ElementPrefix(Family::kData, id);
  const std::string group = "\0\0\0\0\0\0\0\1"s;
  const std::string entry = "\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\3"s;
  const std::map<std::string, std::string, std::less<>> rows = {
      {prefix + "e" + entry, "\1f\1v"s},
      {prefix + "g" + "grp", "\x01\x82\x02\x03\x02\x01\x01\x02"s},
      {prefix + "g" + "h", "\x02\x00\x00\x00\x00\x00\x01"s},
      {prefix + "n" + group + "joe", "\1"s},
      {prefix + "c" + group + "\0\0\0\0\0\0\0\1"s, "\xac\x02\x01joe"s},
      {prefix + "p" + group + entry, "\x01\xad\x02\x02"s},
      {prefix + "q" + group + "\0\0\0\0\0\0\0\1"s + entry, ""},
  };
  EXPECT_EQ(txn_.table(Family::kData), rows);
  EXPECT_TRUE(Check().ok());
}

TEST_F(StreamTest, AStreamBecomesSpreadWhenItOutgrowsItsRecordAndKeepsItsEntries) {
  Fill(kMaxPackedElements);
  EXPECT_FALSE(Read().header().spread());
  Add({kMaxPackedElements + 1, 0});
  EXPECT_TRUE(Read().header().spread());
  EXPECT_EQ(Ids(Read()).size(), kMaxPackedElements + 1);
  EXPECT_EQ(Rows(), kMaxPackedElements + 1);
  Add({1, 0}, std::string(kMaxPackedBytes, 'x'), "long");
  EXPECT_TRUE(Read("long").header().spread());
  // Spread for good.
  WritableStream stream = Open();
  EXPECT_EQ(stream.TrimToLength(1, UINT64_MAX), kMaxPackedElements);
  stream.Save();
  EXPECT_TRUE(Read().header().spread());
  EXPECT_TRUE(Check().ok());
}

TEST_F(StreamTest, AnEmptyStreamStaysAndRemembers) {
  Fill(3);
  WritableStream stream = Open();
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(stream.Erase({i, 0}));
  EXPECT_FALSE(stream.Erase({3, 0}));
  stream.Save();
  EXPECT_EQ(Read().size(), 0u);
  EXPECT_EQ(Read().info().last_id, (StreamId{3, 0}));
  EXPECT_EQ(Read().info().max_deleted_id, (StreamId{3, 0}));
  EXPECT_EQ(Read().info().first_id, kMinStreamId);
  EXPECT_EQ(Read().info().entries_added, 3u);
  EXPECT_TRUE(Check().ok());
}

TEST_F(StreamTest, TrimmingStopsAtItsLimitInBothForms) {
  for (uint64_t count : {10u, 10000u}) {
    Fill(count);
    WritableStream stream = Open();
    EXPECT_EQ(stream.TrimToLength(count - 5, 3), 3u);
    EXPECT_EQ(stream.TrimToLength(count - 5, UINT64_MAX), 2u);
    EXPECT_EQ(stream.TrimToLength(count - 5, UINT64_MAX), 0u);
    EXPECT_EQ(stream.TrimBelow({count - 1, 0}, 1), 1u);
    EXPECT_EQ(stream.info().first_id, (StreamId{7, 0}));
    EXPECT_EQ(stream.TrimBelow({count - 1, 0}, UINT64_MAX), count - 8);
    EXPECT_EQ(stream.info().first_id, (StreamId{count - 1, 0}));
    // No tombstones: what is trimmed is counted as read.
    EXPECT_EQ(stream.info().max_deleted_id, kMinStreamId);
    stream.Save();
    EXPECT_EQ(Ids(Read()), (std::vector<StreamId>{{count - 1, 0}, {count, 0}}));
    EXPECT_TRUE(Check().ok());
    WritableKey(txn_, 0, "k").Delete();
  }
}

TEST_F(StreamTest, RangesAndPointsReadWhatIsThere) {
  for (uint64_t count : {50u, 500u}) {
    const std::string key = "k" + std::to_string(count);
    for (uint64_t i = 1; i <= count; ++i) Add({i, i % 3}, "v", key);
    const Stream stream = Read(key);
    EXPECT_EQ(Ids(stream, {10, 2}, {13, 0}), (std::vector<StreamId>{{11, 2}, {12, 0}}));
    EXPECT_EQ(Ids(stream, {10, 1}, {11, 2}, true), (std::vector<StreamId>{{11, 2}, {10, 1}}));
    EXPECT_TRUE(Ids(stream, {13, 0}, {10, 0}).empty());
    EXPECT_TRUE(Ids(stream, {13, 0}, {10, 0}, true).empty());
    EXPECT_TRUE(Ids(stream, {count, 3}, kMaxStreamId).empty());
    EXPECT_TRUE(stream.Contains({10, 1}));
    EXPECT_FALSE(stream.Contains({10, 0}));
    EXPECT_FALSE(stream.Contains(kMaxStreamId));
    EXPECT_TRUE(stream.HasAfter({count - 1, 9}));
    EXPECT_FALSE(stream.HasAfter({count, count % 3}));
    EXPECT_FALSE(stream.HasAfter(kMaxStreamId));
  }
}

TEST_F(StreamTest, CountersOfReadEntriesAreKnownOnlyWhereNothingWasErased) {
  Fill(6);
  EXPECT_EQ(Read().EntriesUpTo({0, 0}), 0);
  EXPECT_EQ(Read().EntriesUpTo({1, 0}), 1);
  EXPECT_EQ(Read().EntriesUpTo({3, 0}), std::nullopt);
  EXPECT_EQ(Read().EntriesUpTo({6, 0}), 6);
  EXPECT_EQ(Read().EntriesUpTo({7, 0}), std::nullopt);
  WritableStream stream = Open();
  ASSERT_TRUE(stream.CreateGroup("g", {0, 0}, 0));
  stream.TrimToLength(4, UINT64_MAX);
  stream.Save();
  EXPECT_EQ(Read().Lag(*Read().FindGroup("g")), 6);
  EXPECT_EQ(Read().EntriesUpTo({1, 0}), 2);
  EXPECT_EQ(Read().EntriesUpTo({3, 0}), 3);
  WritableStream again = Open();
  again.Erase({5, 0});
  again.Save();
  EXPECT_EQ(Read().EntriesUpTo({1, 0}), std::nullopt);
  EXPECT_EQ(Read().Lag(*Read().FindGroup("g")), std::nullopt);
  EXPECT_TRUE(Read().HasErasedFrom({5, 0}));
  EXPECT_FALSE(Read().HasErasedFrom({5, 1}));
}

TEST_F(StreamTest, ADestroyedGroupAndADeletedStreamLeaveNothingBehind) {
  Fill(300);
  {
    WritableStream stream = Open();
    stream.CreateGroup("gone", {}, 0);
    stream.CreateGroup("stays", {}, 0);
    stream.Save();
  }
  for (const char* name : {"gone", "stays"}) {
    WritableStream stream = Open();
    std::optional<WritableGroup> group = WritableGroup::Open(stream, name);
    const uint64_t consumers[] = {group->CreateConsumer("a", kStartMs),
                                  group->CreateConsumer("b", kStartMs)};
    for (uint64_t i = 1; i <= 300; ++i) {
      group->PutPending({i, 0}, std::nullopt, {consumers[i % 2], kStartMs, 1});
    }
    group->Save();
  }
  const size_t rows = Rows();
  {
    WritableStream stream = Open();
    EXPECT_TRUE(stream.DestroyGroup("gone"));
    EXPECT_FALSE(stream.DestroyGroup("gone"));
    stream.Save();
  }
  EXPECT_EQ(Rows(), rows - 1 - 2 * 2 - 300 * 2);
  EXPECT_TRUE(Check().ok());
  {
    WritableStream stream = Open();
    std::optional<WritableGroup> group = WritableGroup::Open(stream, "stays");
    EXPECT_EQ(group->DeleteConsumer(*group->FindConsumer("a")), 150u);
    EXPECT_EQ(group->state().pending, 150u);
    group->Save();
  }
  EXPECT_TRUE(Check().ok());
  WritableKey(txn_, 0, "k").Delete();
  while (NeedsReclaim(txn_)) Reclaim(txn_);
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(StreamTest, ACopyHasItsOwnGroups) {
  Fill(5);
  {
    WritableStream stream = Open();
    stream.CreateGroup("g", {}, 0);
    stream.Save();
  }
  {
    WritableStream stream = Open();
    std::optional<WritableGroup> group = WritableGroup::Open(stream, "g");
    group->PutPending({2, 0}, std::nullopt, {group->CreateConsumer("a", kStartMs), kStartMs, 1});
    group->Save();
  }
  Copy(txn_, 0, "k", 0, "copy");
  {
    WritableStream stream = Open();
    EXPECT_TRUE(WritableGroup::Open(stream, "g")->ErasePending({2, 0}));
    stream.DestroyGroup("g");
    stream.Save();
  }
  const Stream copy = Read("copy");
  EXPECT_EQ(copy.FindPending(*copy.FindGroup("g"), {2, 0})->deliveries, 1u);
  EXPECT_TRUE(Check("copy").ok());
  EXPECT_TRUE(Check().ok());
}

TEST_F(StreamTest, TheCheckFindsRowsThatDoNotFit) {
  Fill(5);
  {
    WritableStream stream = Open();
    stream.CreateGroup("g", {}, 0);
    stream.Save();
    WritableStream again = Open();
    std::optional<WritableGroup> group = WritableGroup::Open(again, "g");
    group->PutPending({2, 0}, std::nullopt, {group->CreateConsumer("a", kStartMs), kStartMs, 1});
    group->Save();
  }
  ASSERT_TRUE(Check().ok());
  // Any row that is missing, cut or doubled is noticed.
  const test::MemoryTxn::Table rows = txn_.table(Family::kData);
  for (const auto& [key, value] : rows) {
    txn_.Delete(Family::kData, key);
    EXPECT_EQ(Check().code(), Code::kCorruption) << key[8];
    txn_.Put(Family::kData, key, value);
    txn_.Put(Family::kData, key + "x", value);
    EXPECT_EQ(Check().code(), Code::kCorruption) << key[8];
    txn_.Delete(Family::kData, key + "x");
    txn_.Put(Family::kData, key, value + "\x80");
    EXPECT_EQ(Check().code(), Code::kCorruption) << key[8];
    txn_.Put(Family::kData, key, value);
  }
  txn_.Put(Family::kData, ElementPrefix(Family::kData, Read().header().id) + "x", "");
  EXPECT_EQ(Check().message(), "a row that does not decode");
}

TEST_F(StreamTest, RandomOperationsAgreeWithAModelPackedAndSpread) {
  Random random(test::Seed());
  const std::vector<std::string> group_names = {"g", "h", ""},
                                 consumer_names = {"a", "b", "", "cc"};
  for (int round = 0; round < 30; ++round) {
    const bool with_groups = round % 3 != 0;
    Model model;
    Add({1, 0});
    model.entries[{1, 0}] = {"f", "v"};
    model.last_id = {1, 0};
    model.entries_added = 1;
    const auto draw_id = [&] {
      return StreamId{random.Uniform(model.last_id.ms + 2), random.Uniform(3)};
    };
    for (int step = 0; step < 250; ++step) {
      txn_.NextEntry(kStartMs + step);
      WritableStream stream = Open();
      const uint64_t kind = random.Uniform(with_groups ? 16 : 8);
      if (kind < 5) {
        StreamId id = model.last_id;
        if (random.OneIn(2)) id.ms += random.Uniform(300);
        id.seq += 1 + random.Uniform(2);
        std::vector<std::string> fields(2 * (1 + random.Uniform(3)));
        for (std::string& field : fields) field = std::string(random.Uniform(20), 'x');
        if (random.OneIn(100)) fields[1] = std::string(3000, 'y');
        const std::vector<std::string_view> views(fields.begin(), fields.end());
        stream.Append(id, views);
        model.entries[id] = fields;
        model.last_id = id;
        ++model.entries_added;
      } else if (kind == 5) {
        StreamId id = draw_id();
        if (!model.entries.empty() && random.OneIn(2)) {
          id = std::next(model.entries.begin(), random.Uniform(model.entries.size()))->first;
        }
        const bool there = model.entries.erase(id) > 0;
        EXPECT_EQ(stream.Erase(id), there);
        if (there) model.max_deleted_id = std::max(model.max_deleted_id, id);
      } else if (kind == 6) {
        const uint64_t limit = random.OneIn(2) ? UINT64_MAX : random.Uniform(5);
        const StreamId below = random.OneIn(2) ? draw_id() : kMinStreamId;
        const uint64_t length = random.Uniform(200);
        uint64_t removed = 0;
        while (!model.entries.empty() && removed < limit &&
               (below != kMinStreamId ? model.entries.begin()->first < below
                                      : model.entries.size() > length)) {
          model.entries.erase(model.entries.begin());
          ++removed;
        }
        EXPECT_EQ(below != kMinStreamId ? stream.TrimBelow(below, limit)
                                        : stream.TrimToLength(length, limit),
                  removed);
      } else if (kind == 7 && random.OneIn(3)) {
        model.last_id.ms += random.Uniform(3);
        stream.set_last_id(model.last_id);
      } else if (kind == 8 && random.OneIn(4)) {
        const std::string& name = group_names[random.Uniform(group_names.size())];
        const StreamId last = draw_id();
        EXPECT_EQ(stream.CreateGroup(name, last, 7), !model.groups.contains(name));
        model.groups.try_emplace(name, ModelGroup{last, 7, {}, {}});
      } else if (kind == 9 && random.OneIn(8)) {
        const std::string& name = group_names[random.Uniform(group_names.size())];
        EXPECT_EQ(stream.DestroyGroup(name), model.groups.erase(name) > 0);
      } else if (kind >= 10) {
        const std::string& name = group_names[random.Uniform(group_names.size())];
        std::optional<WritableGroup> group = WritableGroup::Open(stream, name);
        ASSERT_EQ(group.has_value(), model.groups.contains(name));
        if (!group) continue;
        ModelGroup& expected = model.groups[name];
        for (int i = 0; i < 10; ++i) {
          const std::string& consumer = consumer_names[random.Uniform(consumer_names.size())];
          const StreamId id = draw_id();
          const uint64_t what = random.Uniform(20);
          if (what == 0) {
            const std::optional<uint64_t> number = group->FindConsumer(consumer);
            ASSERT_EQ(number.has_value(), expected.consumers.contains(consumer));
            if (!number) continue;
            uint64_t gone = 0;
            for (auto it = expected.pending.begin(); it != expected.pending.end();) {
              const bool own = it->second.consumer == consumer;
              gone += own;
              it = own ? expected.pending.erase(it) : std::next(it);
            }
            EXPECT_EQ(group->DeleteConsumer(*number), gone);
            expected.consumers.erase(consumer);
          } else if (what < 8) {
            EXPECT_EQ(group->ErasePending(id), expected.pending.erase(id) > 0);
          } else {
            const uint64_t number = group->TouchConsumer(consumer, txn_.now_ms());
            expected.consumers[consumer] = {txn_.now_ms()};
            const std::optional<PendingEntry> old = group->FindPending(id);
            ASSERT_EQ(old.has_value(), expected.pending.contains(id));
            group->PutPending(id, old, {number, txn_.now_ms(), what});
            expected.pending[id] = {consumer, txn_.now_ms(), what};
          }
        }
        group->Save();
        // Its rows need no new record.
        if (random.OneIn(2)) {
          ASSERT_NO_FATAL_FAILURE(Compare(model));
          continue;
        }
      }
      stream.Save();
      ASSERT_NO_FATAL_FAILURE(Compare(model));
    }
    WritableKey(txn_, 0, "k").Delete();
    while (NeedsReclaim(txn_)) Reclaim(txn_);
    ASSERT_EQ(Rows(), 0u);
  }
}

}  // namespace
}  // namespace metastore::types
