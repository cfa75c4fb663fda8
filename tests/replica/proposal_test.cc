#include "replica/proposal.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace metastore::replica {
namespace {

using Args = std::vector<std::string_view>;

std::string Body(const std::vector<std::pair<ItemKind, Args>>& items) {
  BatchBuilder builder;
  for (const auto& [kind, args] : items) builder.Add(kind, 2, 3, args);
  return builder.Take();
}

TEST(ProposalTest, AnEntryHasTheseBytes) {
  std::string entry;
  BeginEntry(0x0102, 0x0304, &entry);
  entry += EncodeBatch({5, 6, 7, 8, 9, 1}, Body({{ItemKind::kWrite, {"GET", "k"}}}));
  EXPECT_EQ(entry, std::string("\x01"
                               "\0\0\0\0\0\0\x01\x02"
                               "\0\0\0\0\0\0\x03\x04"
                               "\x10"                         // bytes of the batch
                               "\x05\x06\x07\x08\x09\x01"     // header
                               "\0\x02\x03\x02\x03GET\x01k",  // item
                               1 + 8 + 8 + 1 + 6 + 10));
}

TEST(ProposalTest, ATransactionHasTheseBytes) {
  BatchBuilder commands, builder;
  commands.Add(ItemKind::kWrite, 2, 3, Args{"DEL", "k"});
  commands.Add(ItemKind::kRead, 3, 4, Args{"GET"});
  builder.AddTransaction(2, {{1, 0x0506, "w"}}, &commands);
  EXPECT_EQ(builder.count(), 1u);
  EXPECT_EQ(commands.count(), 0u);
  EXPECT_EQ(builder.Take(), std::string("\x05\x02\0\x02"
                                        "\x0b"  // watched keys
                                        "\x01\0\0\0\0\0\0\x05\x06\x01w"
                                        "\x12"  // items
                                        "\0\x02\x03\x02\x03"
                                        "DEL\x01k"
                                        "\x01\x03\x04\x01\x03GET",
                                        4 + 1 + 11 + 1 + 18));
}

TEST(ProposalTest, AWatchedKeyIsCheckedByteForByte) {
  const std::string whole("\x01\0\0\0\0\0\0\x05\x06\x01w", 11);
  std::string_view in = whole;
  WatchedKeyView watched;
  ASSERT_TRUE(TakeWatchedKey(&in, &watched).ok());
  EXPECT_EQ(watched.db, 1);
  EXPECT_EQ(watched.version, 0x0506u);
  EXPECT_EQ(watched.key, "w");
  EXPECT_EQ(TakeWatchedKey(&in, &watched).code(), Code::kNotFound);
  for (size_t size = 1; size < whole.size(); ++size) {
    in = std::string_view(whole).substr(0, size);
    EXPECT_EQ(TakeWatchedKey(&in, &watched).code(), Code::kCorruption) << size;
  }
  std::string far = whole;
  far[0] = engine::kDatabases;
  in = far;
  EXPECT_EQ(TakeWatchedKey(&in, &watched).code(), Code::kCorruption);
}

TEST(ProposalTest, WhatWasPutInComesOutInOrder) {
  std::string entry;
  BeginEntry(1000, 42, &entry);
  entry += EncodeBatch({1, 2, 3, 0, 77, 2},
                       Body({{ItemKind::kWrite, {"SET", "a", std::string_view("\0b", 2)}},
                             {ItemKind::kRead, {"GET", ""}}}));
  entry += EncodeBatch({4, 1, 9, 1, 78, 0}, {});
  EntryReader reader(entry);
  ASSERT_TRUE(reader.ReadHeader().ok());
  EXPECT_EQ(reader.now_ms(), 1000);
  EXPECT_EQ(reader.seed(), 42u);
  BatchHeader header;
  ASSERT_TRUE(reader.NextBatch(&header).ok());
  EXPECT_EQ(header.node, 1u);
  EXPECT_EQ(header.incarnation, 2u);
  EXPECT_EQ(header.seq, 3u);
  EXPECT_EQ(header.ticket, 77u);
  Item item;
  ASSERT_TRUE(reader.NextItem(&item).ok());
  EXPECT_EQ(item.kind, ItemKind::kWrite);
  EXPECT_EQ(item.db, 3);
  EXPECT_EQ(item.args, (Args{"SET", "a", std::string_view("\0b", 2)}));
  ASSERT_TRUE(reader.NextItem(&item).ok());
  EXPECT_EQ(item.kind, ItemKind::kRead);
  EXPECT_EQ(item.args, (Args{"GET", ""}));
  EXPECT_EQ(reader.NextItem(&item).code(), Code::kNotFound);
  ASSERT_TRUE(reader.NextBatch(&header).ok());
  EXPECT_EQ(header.count, 0u);
  EXPECT_EQ(reader.NextItem(&item).code(), Code::kNotFound);
  EXPECT_EQ(reader.NextBatch(&header).code(), Code::kNotFound);
}

TEST(ProposalTest, NextBatchSkipsUnreadItems) {
  std::string entry;
  BeginEntry(1, 1, &entry);
  entry += EncodeBatch({1, 1, 1, 0, 0, 1}, Body({{ItemKind::kWrite, {"A"}}}));
  entry += EncodeBatch({2, 1, 1, 0, 0, 1}, Body({{ItemKind::kWrite, {"B"}}}));
  EntryReader reader(entry);
  ASSERT_TRUE(reader.ReadHeader().ok());
  BatchHeader header;
  ASSERT_TRUE(reader.NextBatch(&header).ok());
  ASSERT_TRUE(reader.NextBatch(&header).ok());
  Item item;
  ASSERT_TRUE(reader.NextItem(&item).ok());
  EXPECT_EQ(item.args, Args{"B"});
}

TEST(ProposalTest, EveryCutOfAnEntryIsCorruptionOrAShorterEntry) {
  std::string entry;
  BeginEntry(1, 1, &entry);
  const size_t header_end = entry.size();
  entry += EncodeBatch({1, 1, 1, 0, 0, 1}, Body({{ItemKind::kWrite, {"SET", "key", "value"}}}));
  for (size_t cut = 0; cut < entry.size(); ++cut) {
    EntryReader reader(std::string_view(entry).substr(0, cut));
    Status status = reader.ReadHeader();
    if (cut < header_end) {
      EXPECT_EQ(status.code(), Code::kCorruption) << cut;
      continue;
    }
    ASSERT_TRUE(status.ok());
    BatchHeader header;
    status = reader.NextBatch(&header);
    EXPECT_EQ(status.code(), cut == header_end ? Code::kNotFound : Code::kCorruption) << cut;
  }
}

TEST(ProposalTest, RandomDamageNeverReadsOutOfBounds) {
  const uint64_t seed = 20;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  std::string entry;
  BeginEntry(1, 1, &entry);
  entry += EncodeBatch({1, 1, 1, 0, 0, 2}, Body({{ItemKind::kWrite, {"SET", "key", "value"}},
                                                 {ItemKind::kWrite, {"DEL", "key", "other"}}}));
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = entry;
    damaged[random.Uniform(damaged.size())] = static_cast<char>(random.Next());
    EntryReader reader(damaged);
    if (!reader.ReadHeader().ok()) continue;
    BatchHeader header;
    Item item;
    while (reader.NextBatch(&header).ok()) {
      while (reader.NextItem(&item).ok()) {
        for (std::string_view arg : item.args) {
          ASSERT_GE(arg.data(), damaged.data());
          ASSERT_LE(arg.data() + arg.size(), damaged.data() + damaged.size());
        }
      }
    }
  }
}

TEST(ProposalTest, AForwardedBatchMustBeExactlyOne) {
  std::string batch = EncodeBatch({1, 2, 3, 4, 5, 0}, {});
  BatchHeader header;
  EXPECT_TRUE(ReadBatch(batch, &header).ok());
  EXPECT_EQ(header.seq, 3u);
  EXPECT_EQ(ReadBatch(batch + "x", &header).code(), Code::kCorruption);
  EXPECT_EQ(ReadBatch(batch.substr(1), &header).code(), Code::kCorruption);
  EXPECT_EQ(ReadBatch("", &header).code(), Code::kCorruption);
}

}  // namespace
}  // namespace metastore::replica
