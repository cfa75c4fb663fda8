// What a leader takes from a peer into the log, where every replica would stop at a bad item.
#include "replica/item_check.h"

#include <gtest/gtest.h>

#include "base/parse.h"
#include "base/random.h"
#include "replica/state_machine.h"
#include "tests/support/memory_engine.h"
#include "tests/support/seed.h"

namespace metastore::replica {
namespace {

using Args = std::vector<std::string_view>;

const commands::CommandSpec* FindCommand(std::string_view name) {
  for (const commands::CommandSpec& spec : commands::StringCommands()) {
    if (EqualsIgnoreCase(spec.name, name)) return &spec;
  }
  return nullptr;
}

constexpr raft::NodeId kFrom = 2;

std::string Batch(const std::vector<std::pair<ItemKind, Args>>& items, int protocol = 2,
                  int db = 0) {
  BatchBuilder builder;
  for (const auto& [kind, args] : items) builder.Add(kind, protocol, db, args);
  const uint32_t count = builder.count();
  return EncodeBatch({kFrom, 1, 1, 0, 1, count}, builder.Take());
}

bool Accepts(std::string_view batch) { return CheckForwardedBatch(batch, kFrom, FindCommand).ok(); }

TEST(ItemCheckTest, WhatNodesForwardIsTaken) {
  EXPECT_TRUE(Accepts(Batch({{ItemKind::kWrite, {"SET", "k", "v"}},
                             {ItemKind::kWrite, {"append", "k", "v"}},
                             {ItemKind::kRead, {"GET", "k"}}})));
  EXPECT_TRUE(Accepts(Batch({{ItemKind::kExpire, {"123456789key", "1000", "123456789", "-1"}},
                             {ItemKind::kReclaim, {}},
                             {ItemKind::kExpireFields, {"123456789key", "1000"}}})));
  EXPECT_TRUE(Accepts(Batch({{ItemKind::kWrite, {"SET", "k", "v"}}}, 3, 15)));
  EXPECT_TRUE(Accepts(Batch({{ItemKind::kTopology, {"lead", "1", "2"}}})));
  // Of a batch whose client has its answer only the place is left.
  EXPECT_TRUE(Accepts(EncodeBatch({kFrom, 1, 1, 0, 1, 0}, {})));
}

std::string Transaction(const std::vector<std::pair<ItemKind, Args>>& items,
                        const std::vector<WatchedKey>& watched = {}) {
  BatchBuilder commands, builder;
  for (const auto& [kind, args] : items) commands.Add(kind, 2, 0, args);
  builder.AddTransaction(2, watched, &commands);
  return EncodeBatch({kFrom, 1, 1, 0, 1, 1}, builder.Take());
}

TEST(ItemCheckTest, ATransactionHoldsCommandsThatCanRun) {
  EXPECT_TRUE(Accepts(Transaction({})));
  EXPECT_TRUE(Accepts(Transaction(
      {{ItemKind::kWrite, {"SET", "k", "v"}}, {ItemKind::kRead, {"GET", "k"}}}, {{0, 7, "w"}})));
  EXPECT_FALSE(Accepts(Transaction({{ItemKind::kWrite, {"NOSUCHCOMMAND", "k"}}})));
  EXPECT_FALSE(Accepts(Transaction({{ItemKind::kRead, {"SET", "k", "v"}}})));
  EXPECT_FALSE(Accepts(Transaction({{ItemKind::kReclaim, {}}})));
  EXPECT_FALSE(Accepts(Transaction({{ItemKind::kTransaction, {"", ""}}}))) << "one in another";
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kTransaction, {""}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kTransaction, {"", "", ""}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kTransaction, {"short", ""}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kTransaction, {"", "short"}}})));
}

TEST(ItemCheckTest, WhatNoReplicaCouldRunIsRefused) {
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kWrite, {}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kWrite, {"NOSUCHCOMMAND", "k"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kWrite, {"APPEND", "k"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kWrite, {"APPEND", "k", "v", "w"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kWrite, {"GET", "k"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kRead, {"SET", "k", "v"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kTopology, {"lead", "1"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kTopology, {"lead", "1", "1234"}}}))) << "of another node";
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kExpire, {"123456789key"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kExpire, {"12345678", "1000"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kExpire, {"123456789key", "soon"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kExpireFields, {"123456789key"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kExpireFields, {"12345678", "1000"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kExpireFields, {"123456789key", "soon"}}})));
  EXPECT_FALSE(Accepts(Batch({{static_cast<ItemKind>(9), {"SET", "k", "v"}}})));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kWrite, {"SET", "k", "v"}}}, 4)));
  EXPECT_FALSE(Accepts(Batch({{ItemKind::kWrite, {"SET", "k", "v"}}}, 2, 16)));
  // The good item before it does not save it.
  EXPECT_FALSE(
      Accepts(Batch({{ItemKind::kWrite, {"SET", "k", "v"}}, {ItemKind::kWrite, {"APPEND", "k"}}})));
}

TEST(ItemCheckTest, ABatchOfAnotherNodeOrWithAWrongCountIsRefused) {
  const std::string batch = Batch({{ItemKind::kWrite, {"SET", "k", "v"}}});
  EXPECT_TRUE(CheckForwardedBatch(batch, kFrom, FindCommand).ok());
  EXPECT_FALSE(CheckForwardedBatch(batch, kFrom + 1, FindCommand).ok());
  BatchBuilder builder;
  builder.Add(ItemKind::kWrite, 2, 0, Args{"SET", "k", "v"});
  EXPECT_FALSE(Accepts(EncodeBatch({kFrom, 1, 1, 0, 1, 2}, builder.Take())));
  EXPECT_FALSE(Accepts(batch + "x"));
  EXPECT_FALSE(Accepts(std::string_view(batch).substr(0, batch.size() - 1)));
  EXPECT_FALSE(Accepts(""));
}

TEST(ItemCheckTest, WhateverIsTakenCanBeApplied) {
  Random random(test::Seed());
  const std::string good = Batch({{ItemKind::kWrite, {"SET", "k", "v"}},
                                  {ItemKind::kRead, {"GET", "k"}},
                                  {ItemKind::kExpire, {"123456789key", "1000"}},
                                  {ItemKind::kExpireFields, {"123456789key", "1000"}},
                                  {ItemKind::kWrite, {"APPEND", "k", "v"}}});
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string batch = good;
    for (uint64_t changes = random.Next() % 3 + 1; changes > 0; --changes) {
      batch[random.Next() % batch.size()] = static_cast<char>(random.Next());
    }
    if (!Accepts(batch)) continue;
    ++taken;
    std::string entry;
    BeginEntry(1000, 7, &entry);
    entry += batch;
    testing_support::MemoryEngine engine;
    // As the node that runs reads too.
    StateMachine machine(&engine, kFrom, 1, FindCommand);
    std::vector<LaneReply> replies;
    machine.Apply(
        {1, 1, raft::EntryType::kNormal, std::make_shared<const std::string>(std::move(entry))},
        &replies);
  }
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace metastore::replica
