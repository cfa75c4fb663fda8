#include "replica/state_machine.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "tests/support/memory_engine.h"

namespace metastore::replica {
namespace {

const commands::CommandSpec* FindCommand(std::string_view name) {
  for (const commands::CommandSpec& spec : commands::StringCommands()) {
    if (EqualsIgnoreCase(spec.name, name)) return &spec;
  }
  return nullptr;
}

raft::Entry EntryWith(raft::Index index, std::initializer_list<BatchHeader> batches) {
  std::string data;
  BeginEntry(1000, 7, &data);
  for (BatchHeader header : batches) {
    BatchBuilder builder;
    builder.Add(ItemKind::kWrite, 2, 0, std::vector<std::string_view>{"APPEND", "key", "x"});
    header.count = 1;
    data += EncodeBatch(header, builder.Take());
  }
  return {1, index, raft::EntryType::kNormal, std::make_shared<const std::string>(std::move(data))};
}

// {node, incarnation, seq, lane, ticket, count}
BatchHeader Batch(raft::NodeId node, uint64_t incarnation, uint64_t seq) {
  return {node, incarnation, seq, 0, seq, 0};
}

// A new run's first batch got lost and its second came: nothing is applied, but the old run is
// over. The state must say so, however the entries are grouped into commits.
TEST(StateMachineTest, TheEndOfARunIsTheSameBytesHoweverEntriesShareCommits) {
  const raft::Entry entries[] = {EntryWith(1, {Batch(2, 1, 1)}), EntryWith(2, {Batch(2, 3, 2)}),
                                 EntryWith(3, {Batch(2, 1, 2)})};
  testing_support::MemoryEngine together, apart;
  {
    StateMachine machine(&together, 1, 1, FindCommand);
    std::vector<LaneReply> replies;
    for (const raft::Entry& entry : entries) machine.Apply(entry, &replies);
    machine.Commit();
  }
  for (const raft::Entry& entry : entries) {
    // Restarted before each entry.
    StateMachine machine(&apart, 1, 1, FindCommand);
    std::vector<LaneReply> replies;
    machine.Apply(entry, &replies);
    machine.Commit();
  }
  EXPECT_TRUE(together.tables() == apart.tables());
}

TEST(StateMachineTest, AnAbandonedBatchIsAppliedWithoutAReply) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 1, 1, FindCommand);
  std::vector<LaneReply> replies;
  EXPECT_TRUE(machine.Abandon(1));
  machine.Apply(EntryWith(1, {Batch(1, 1, 1), Batch(1, 1, 2)}), &replies);
  machine.Commit();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].reply.ticket, 2u);
  EXPECT_FALSE(machine.Abandon(2));
  EXPECT_EQ(machine.own_seq(), 2u);
}

}  // namespace
}  // namespace metastore::replica
