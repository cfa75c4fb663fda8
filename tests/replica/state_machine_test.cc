#include "replica/state_machine.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "engine/system_keys.h"
#include "tests/support/memory_engine.h"
#include "types/keyspace.h"

namespace metastore::replica {
namespace {

const commands::CommandSpec* FindCommand(std::string_view name) {
  for (std::span<const commands::CommandSpec> group :
       {commands::StringCommands(), commands::HashCommands(), commands::GenericCommands(),
        commands::PublishCommands()}) {
    for (const commands::CommandSpec& spec : group) {
      if (EqualsIgnoreCase(spec.name, name)) return &spec;
    }
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

raft::Entry ChangeTo(raft::Index index, raft::Membership membership) {
  return {1, index, raft::EntryType::kConfChange,
          std::make_shared<const std::string>(raft::EncodeMembership(membership))};
}

std::string ValueOfKey(const testing_support::MemoryEngine& engine) {
  std::unique_ptr<engine::View> view = engine.NewView(0);
  commands::ReadContext context(*view, 0);
  std::string out;
  resp::Writer writer(&out, 2);
  std::vector<std::string_view> args = {"GET", "key"};
  CHECK_OK(FindCommand("GET")->handler.read(context, args, writer));
  return out;
}

raft::Entry ItemAt(raft::Index index, int64_t now_ms, uint64_t seq, ItemKind kind,
                   const std::vector<std::string_view>& args) {
  std::string data;
  BeginEntry(now_ms, 7, &data);
  BatchBuilder builder;
  builder.Add(kind, 2, 0, args);
  BatchHeader header = Batch(2, 1, seq);
  header.count = 1;
  data += EncodeBatch(header, builder.Take());
  return {1, index, raft::EntryType::kNormal, std::make_shared<const std::string>(std::move(data))};
}

raft::Entry CommandAt(raft::Index index, int64_t now_ms, uint64_t seq,
                      std::initializer_list<std::string_view> command) {
  return ItemAt(index, now_ms, seq, ItemKind::kWrite, command);
}

TEST(StateMachineTest, ReadsInTheLogShowEncodingsUnderTheNodesLimits) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 2, 1, FindCommand);
  types::EncodingLimits limits;
  limits.hash_max_listpack_entries = 0;
  machine.set_encoding_limits(limits);
  std::vector<LaneReply> replies;
  machine.Apply(CommandAt(1, 1000, 1, {"HSET", "k", "f", "v"}), &replies);
  machine.Apply(ItemAt(2, 1000, 2, ItemKind::kRead, {"OBJECT", "ENCODING", "k"}), &replies);
  machine.Commit();
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[1].reply.bytes, "$9\r\nhashtable\r\n");
}

raft::Entry TransactionAt(raft::Index index, uint64_t seq, const std::vector<WatchedKey>& watched,
                          const std::vector<std::pair<ItemKind, std::string>>& lines,
                          raft::NodeId node = 2) {
  BatchBuilder commands, builder;
  for (const auto& [kind, line] : lines) {
    std::vector<std::string_view> args;
    for (size_t at = 0; at < line.size();) {
      const size_t end = std::min(line.find(' ', at), line.size());
      args.push_back(std::string_view(line).substr(at, end - at));
      at = end + 1;
    }
    commands.Add(kind, 2, 0, args);
  }
  builder.AddTransaction(2, watched, &commands);
  std::string data;
  BeginEntry(1000, 7, &data);
  BatchHeader header = Batch(node, 1, seq);
  header.count = 1;
  data += EncodeBatch(header, builder.Take());
  return {1, index, raft::EntryType::kNormal, std::make_shared<const std::string>(std::move(data))};
}

TEST(StateMachineTest, TheCommandsOfATransactionRunOneBehindTheOther) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 2, 1, FindCommand);
  std::vector<LaneReply> replies;
  machine.Apply(TransactionAt(1, 1, {},
                              {{ItemKind::kWrite, "SET k 1"},
                               {ItemKind::kWrite, "HSET k f v"},
                               {ItemKind::kWrite, "INCR k"},
                               {ItemKind::kRead, "GET k"}}),
                &replies);
  machine.Apply(TransactionAt(2, 2, {}, {}), &replies);
  machine.Commit();
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].reply.bytes,
            "*4\r\n+OK\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
            ":2\r\n$1\r\n2\r\n");
  EXPECT_EQ(replies[0].reply.ends, std::vector<uint64_t>{replies[0].reply.bytes.size()});
  EXPECT_EQ(replies[1].reply.bytes, "*0\r\n");
}

TEST(StateMachineTest, ATransactionRunsOnlyIfItsWatchedKeysAreTheSameVersions) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 2, 1, FindCommand);
  std::vector<LaneReply> replies;
  machine.Apply(CommandAt(1, 1000, 1, {"SET", "k", "1"}), &replies);
  machine.Commit();
  const uint64_t version = types::VersionOf(engine.txn(), 0, "k");
  ASSERT_NE(version, 0u);
  const std::string aborted = "*-1\r\n", done = "*1\r\n+OK\r\n";
  raft::Index index = 1;
  auto run = [&](const std::vector<WatchedKey>& watched, const std::string& line) {
    ++index;
    replies.clear();
    machine.Apply(TransactionAt(index, index, watched, {{ItemKind::kWrite, line}}), &replies);
    machine.Commit();
    return replies.at(0).reply.bytes;
  };
  EXPECT_EQ(run({{0, version, "k"}, {0, 0, "absent"}}, "SET other 1"), done);
  EXPECT_EQ(run({{1, version, "k"}}, "SET other 2"), aborted) << "another database";
  EXPECT_EQ(run({{0, 0, "k"}}, "SET other 2"), aborted) << "absent when it was watched";
  EXPECT_EQ(run({{0, version, "k"}}, "SET k 1"), done);
  EXPECT_EQ(run({{0, version, "k"}}, "SET other 2"), aborted) << "the same value, another write";
  EXPECT_EQ(run({{0, 0, "absent"}, {0, version, "k"}}, "SET other 2"), aborted);
  const uint64_t second = types::VersionOf(engine.txn(), 0, "k");
  EXPECT_EQ(run({}, "DEL k").substr(0, 4), "*1\r\n");
  EXPECT_EQ(run({{0, second, "k"}}, "SET other 2"), aborted);
  replies.clear();
  machine.Apply(CommandAt(index + 1, 1000, index + 1, {"APPEND", "other", "x"}), &replies);
  EXPECT_EQ(replies.at(0).reply.bytes, ":2\r\n") << "no aborted one has had an effect";
}

TEST(StateMachineTest, ATransactionLeavesTheSameBytesWhereItsClientIsNot) {
  testing_support::MemoryEngine engine, other;
  StateMachine machine(&engine, 2, 1, FindCommand), elsewhere(&other, 3, 1, FindCommand);
  std::vector<LaneReply> replies, none;
  const std::vector<std::pair<ItemKind, std::string>> lines = {
      {ItemKind::kWrite, "SET k 1"}, {ItemKind::kRead, "GET k"}, {ItemKind::kWrite, "INCR k"}};
  for (raft::Index index = 1; index <= 2; ++index) {
    machine.Apply(TransactionAt(index, index, {}, lines), &replies);
    elsewhere.Apply(TransactionAt(index, index, {}, lines), &none);
  }
  machine.Commit();
  elsewhere.Commit();
  EXPECT_EQ(replies.size(), 2u);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(engine.txn().digest().value(), other.txn().digest().value());
}

std::string Told(StateMachine& machine) {
  std::string told;
  const std::shared_ptr<const engine::CommitEvents> events = machine.TakeEvents();
  for (size_t i = 0; events != nullptr && i < events->size(); ++i) {
    const engine::Event event = (*events)[i];
    if (!told.empty()) told += ' ';
    told += event.kind == engine::EventKind::kKey ? event.key : "*";
  }
  return told;
}

TEST(StateMachineTest, WhatACommitChangedIsToldOnEveryNodeThatListensAndChangesNothing) {
  testing_support::MemoryEngine engine, other;
  StateMachine machine(&engine, 2, 1, FindCommand), deaf(&other, 3, 1, FindCommand);
  engine::Interest interest;
  machine.set_interest(&interest);
  interest.AddKeys(1);
  std::vector<LaneReply> replies;
  const raft::Entry entries[] = {
      CommandAt(1, 1000, 1, {"SET", "k", "1", "PX", "10"}),
      CommandAt(2, 1000, 2, {"HSET", "k", "f", "v"}),  // an error
      EntryWith(3, {Batch(5, 1, 1), Batch(5, 1, 1)}),  // of another node's client, and its repeat
      TransactionAt(4, 3, {}, {{ItemKind::kWrite, "SET a 1"}, {ItemKind::kWrite, "DEL a"}}),
      TransactionAt(5, 4, {{0, 7, "k"}}, {{ItemKind::kWrite, "SET b 1"}}),  // not run
      ItemAt(6, 1010, 5, ItemKind::kExpire, {types::MetaKey(0, "k"), "1010"}),
      ItemAt(7, 1010, 6, ItemKind::kRead, {"GET", "k"}),
  };
  for (const raft::Entry& entry : entries) {
    machine.Apply(entry, &replies);
    deaf.Apply(entry, &replies);
  }
  EXPECT_GT(machine.event_bytes(), 0u);
  EXPECT_EQ(deaf.event_bytes(), 0u);
  machine.Commit();
  deaf.Commit();
  EXPECT_EQ(Told(machine), "k key a k");
  EXPECT_EQ(Told(deaf), "");
  EXPECT_EQ(engine.txn().digest().value(), other.txn().digest().value());
  EXPECT_EQ(Told(machine), "");
}

TEST(StateMachineTest, AMessageOfATransactionIsSentWhenThatRunsAndOnlyThen) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 2, 1, FindCommand);
  engine::Interest interest;
  interest.AddMessages(1);
  interest.SetReceiverCount([](bool shard, std::string_view channel) {
    return static_cast<int64_t>(channel.size()) + (shard ? 100 : 0);
  });
  machine.set_interest(&interest);
  std::vector<LaneReply> replies;
  machine.Apply(TransactionAt(1, 1, {{0, 7, "k"}}, {{ItemKind::kWrite, "PUBLISH a 1"}}), &replies);
  machine.Apply(
      TransactionAt(2, 2, {},
                    {{ItemKind::kWrite, "PUBLISH bb 2"}, {ItemKind::kWrite, "SPUBLISH c 3"}}),
      &replies);
  machine.Apply(TransactionAt(3, 1, {}, {{ItemKind::kWrite, "PUBLISH d 4"}}, 5), &replies);
  machine.Commit();
  EXPECT_EQ(replies.at(0).reply.bytes, "*-1\r\n");
  EXPECT_EQ(replies.at(1).reply.bytes, "*2\r\n:2\r\n:101\r\n");
  const std::shared_ptr<const engine::CommitEvents> events = machine.TakeEvents();
  std::string told;
  for (size_t i = 0; i < events->size(); ++i) {
    told += std::string((*events)[i].key) + ":" + std::string((*events)[i].message) + " ";
  }
  EXPECT_EQ(told, "bb:2 c:3 d:4 ");
  EXPECT_FALSE((*events)[0].origin.elsewhere());
  EXPECT_TRUE((*events)[2].origin.elsewhere());
}

TEST(StateMachineTest, WhoBeginsToListenBetweenApplyAndCommitIsTold) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 2, 1, FindCommand);
  engine::Interest interest;
  machine.set_interest(&interest);
  std::vector<LaneReply> replies;
  machine.Apply(CommandAt(1, 1000, 1, {"SET", "k", "1"}), &replies);
  interest.AddKeys(1);
  machine.Commit();
  EXPECT_EQ(Told(machine), "*");
  EXPECT_EQ(machine.TakeReplacement()->size(), 1u) << "an installed snapshot";
}

// A hash may have any number of fields that are due at once; an entry deletes so many of them, and
// the expirer proposes the rest again.
TEST(StateMachineTest, AnEntryDeletesABoundedNumberOfExpiredFields) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 1, 1, FindCommand);
  std::vector<LaneReply> replies;
  constexpr int kFields = 2500;
  std::vector<std::string> words = {"HSET", "a", "stays", "v"};
  std::vector<std::string> expire = {"HPEXPIREAT", "a", "5000", "FIELDS", std::to_string(kFields)};
  for (int i = 0; i < kFields; ++i) {
    words.insert(words.end(), {"f" + std::to_string(i), "v"});
    expire.push_back("f" + std::to_string(i));
  }
  const auto views = [](const std::vector<std::string>& texts) {
    return std::vector<std::string_view>(texts.begin(), texts.end());
  };
  raft::Index index = 0;
  const auto apply = [&](int64_t now_ms, ItemKind kind, const std::vector<std::string_view>& args) {
    ++index;
    machine.Apply(ItemAt(index, now_ms, index, kind, args), &replies);
    machine.Commit();
  };
  apply(1000, ItemKind::kWrite, views(words));
  apply(1000, ItemKind::kWrite, views(expire));
  apply(1000, ItemKind::kWrite, {"HSET", "b", "f", "v"});
  apply(1000, ItemKind::kWrite, {"HPEXPIREAT", "b", "5000", "FIELDS", "1", "f"});
  const std::string a = types::MetaKey(0, "a"), b = types::MetaKey(0, "b");
  const std::vector<std::string_view> due = {a, "5000", b, "5000"};
  apply(4999, ItemKind::kExpireFields, due);
  EXPECT_EQ(machine.expired_fields(), 0u);
  apply(5000, ItemKind::kExpireFields, due);
  EXPECT_EQ(machine.expired_fields(), 1000u);
  apply(5001, ItemKind::kExpireFields, due);
  EXPECT_EQ(machine.expired_fields(), 2000u);
  apply(5002, ItemKind::kExpireFields, due);
  EXPECT_EQ(machine.expired_fields(), 2501u);
  std::unique_ptr<engine::View> view = engine.NewView(0);
  EXPECT_TRUE(types::Exists(*view, 0, "a"));
  EXPECT_FALSE(types::Exists(*view, 0, "b"));
  EXPECT_TRUE(types::CollectExpiredFields(*view, INT64_MAX, 10).empty());
}

// The clock of a leader was set back, or the next leader's is behind: what has expired stays so,
// also for a node that restarts in between.
TEST(StateMachineTest, TimeDoesNotGoBackWithTheClockOfALeader) {
  for (bool restarts : {false, true}) {
    testing_support::MemoryEngine engine;
    auto machine = std::make_unique<StateMachine>(&engine, 1, 1, FindCommand);
    std::vector<LaneReply> replies;
    machine->Apply(CommandAt(1, 1000, 1, {"SET", "key", "old", "PX", "500"}), &replies);
    machine->Apply(CommandAt(2, 1500, 2, {"SET", "other", "v"}), &replies);
    machine->Commit();
    if (restarts) machine = std::make_unique<StateMachine>(&engine, 1, 1, FindCommand);
    machine->Apply(CommandAt(3, 1200, 3, {"APPEND", "key", "new"}), &replies);
    machine->Commit();
    EXPECT_EQ(ValueOfKey(engine), "$3\r\nnew\r\n") << (restarts ? "restarted" : "");
  }
}

// Its disk is another one then: neither its numbers nor its order say anything about the old ones.
TEST(StateMachineTest, ANodeThatIsRemovedAndAddedAgainBeginsANewSession) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 1, 1, FindCommand);
  std::vector<LaneReply> replies;
  machine.Apply(EntryWith(1, {Batch(3, 9, 1), Batch(3, 9, 2)}), &replies);
  machine.Apply(ChangeTo(2, {{1, 2}, {}, {}}), &replies);
  machine.Apply(ChangeTo(3, {{1, 2}, {}, {3}}), &replies);
  machine.Apply(EntryWith(4, {Batch(3, 5, 1)}), &replies);
  machine.Commit();
  EXPECT_EQ(ValueOfKey(engine), "$3\r\nxxx\r\n");
}

// It was cut off, heard neither of its removal nor of its return, and hands over again what was
// applied before; then it goes on. Its numbers must be known still, also behind a restart.
TEST(StateMachineTest, ANodeThatIsAddedAgainWithItsOldDiskGoesOnWithItsSession) {
  const raft::Entry entries[] = {EntryWith(1, {Batch(3, 9, 1), Batch(3, 9, 2)}),
                                 ChangeTo(2, {{1, 2}, {}, {}}), ChangeTo(3, {{1, 2}, {}, {3}}),
                                 EntryWith(4, {Batch(3, 9, 1), Batch(3, 9, 2), Batch(3, 9, 3)}),
                                 // The mark of the removal is gone: the order of runs counts again.
                                 EntryWith(5, {Batch(3, 8, 1)})};
  testing_support::MemoryEngine together, apart;
  StateMachine machine(&together, 1, 1, FindCommand);
  std::vector<LaneReply> replies;
  for (const raft::Entry& entry : entries) machine.Apply(entry, &replies);
  machine.Commit();
  for (const raft::Entry& entry : entries) {
    StateMachine restarted(&apart, 1, 1, FindCommand);
    restarted.Apply(entry, &replies);
    restarted.Commit();
  }
  EXPECT_EQ(ValueOfKey(together), "$3\r\nxxx\r\n");
  EXPECT_TRUE(together.tables() == apart.tables());
}

TEST(StateMachineTest, TheEndOfItsOwnSessionTakesNoAnswerBack) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 1, 1, FindCommand);
  std::vector<LaneReply> replies;
  machine.Apply(EntryWith(1, {Batch(1, 1, 1)}), &replies);
  machine.Apply(ChangeTo(2, {{2, 3}, {}, {}}), &replies);
  machine.Commit();
  EXPECT_EQ(replies.size(), 1u);
  EXPECT_EQ(machine.own_seq(), 1u);
  EXPECT_FALSE(machine.Abandon(1)) << "the client would get two answers";
}

TEST(StateMachineTest, TheMembershipInTheStateIsFixedBytesAndThatOfItsIndex) {
  testing_support::MemoryEngine engine;
  raft::Membership two{
      {1, 2}, {}, {}, {{1, "http://a:1", false, {}}, {2, "http://b:2", true, {3, 7}}}};
  {
    StateMachine machine(&engine, 1, 1, FindCommand);
    std::vector<LaneReply> replies;
    machine.Apply(ChangeTo(1, {{1}, {}, {}}), &replies);
    machine.Apply(ChangeTo(2, two), &replies);
    machine.Commit();
  }
  std::string value;
  ASSERT_TRUE(engine.NewView(0)->Get(engine::Family::kSystem, engine::kMembershipKey, &value));
  EXPECT_EQ(value, std::string("\0\0\0\0\0\0\0\x02"
                               "\x02\x02\x01\x02\0\0"
                               "\x02\x01\0\0\0\x0ahttp://a:1\x02\x01\x03\x07\x0ahttp://b:2",
                               45));
  StateMachine again(&engine, 1, 2, FindCommand);
  EXPECT_EQ(again.membership().index, 2u);
  EXPECT_EQ(again.membership().membership, two);
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

TEST(StateMachineTest, AnEntryThatWroteMuchRefusesFurtherCommands) {
  const auto entry = [](raft::Index index, uint32_t commands) {
    // Each rewrites 4000 bytes.
    BatchBuilder builder;
    for (uint32_t i = 0; i < commands; ++i) {
      builder.Add(ItemKind::kWrite, 2, 0,
                  std::vector<std::string_view>{"SETRANGE", "k", "3999", "x"});
    }
    std::string data;
    BeginEntry(1000, 7, &data);
    data += EncodeBatch({1, 1, index, 0, index, commands}, builder.Take());
    return raft::Entry{1, index, raft::EntryType::kNormal,
                       std::make_shared<const std::string>(std::move(data))};
  };
  constexpr uint32_t kTooMany = 270'000;
  constexpr std::string_view kDone = ":4000\r\n", kRefused = "-ERR the commands that were sent";
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 1, 1, FindCommand);
  std::vector<LaneReply> replies;
  machine.Apply(entry(1, kTooMany), &replies);
  machine.Apply(entry(2, 10), &replies);
  machine.Commit();
  ASSERT_EQ(replies.size(), 2u);
  uint64_t start = 0, done = 0, refused = 0;
  for (uint64_t end : replies[0].reply.ends) {
    std::string_view reply = replies[0].reply.bytes;
    reply = reply.substr(start, end - start);
    start = end;
    // From the first one on all are.
    if (refused == 0 && reply == kDone) {
      ++done;
    } else if (reply.starts_with(kRefused)) {
      ++refused;
    }
  }
  EXPECT_EQ(done + refused, kTooMany);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(done, uint64_t{255} << 10);
  EXPECT_TRUE(replies[1].reply.bytes.starts_with(kDone));
}

TEST(StateMachineTest, ALargeReplyWithoutRoomIsAnErrorAndTheCommandTakesEffect) {
  testing_support::MemoryEngine engine;
  StateMachine machine(&engine, 1, 1, FindCommand);
  const std::string value(100 << 10, 'v');
  size_t asked = 0;
  machine.set_reply_room([&](Lane lane, size_t bytes) {
    EXPECT_EQ(lane, 3u);
    asked = bytes;
    return bytes < 150 << 10;
  });
  BatchBuilder builder;
  using Words = std::vector<std::string_view>;
  builder.Add(ItemKind::kWrite, 2, 0, Words{"SET", "key", value});
  builder.Add(ItemKind::kWrite, 2, 0, Words{"GETEX", "key"});
  builder.Add(ItemKind::kWrite, 2, 0, Words{"GETDEL", "key"});
  builder.Add(ItemKind::kRead, 2, 0, Words{"GET", "key"});
  std::string data;
  BeginEntry(1000, 7, &data);
  data += EncodeBatch({1, 1, 1, 3, 9, 4}, builder.Take());
  std::vector<LaneReply> replies;
  machine.Apply({1, 1, raft::EntryType::kNormal, std::make_shared<const std::string>(data)},
                &replies);
  machine.Commit();
  ASSERT_EQ(replies.size(), 1u);
  const BatchReply& reply = replies[0].reply;
  ASSERT_EQ(reply.ends.size(), 4u);
  EXPECT_GT(asked, 200u << 10);
  std::string_view getdel =
      std::string_view(reply.bytes).substr(reply.ends[1], reply.ends[2] - reply.ends[1]);
  EXPECT_TRUE(getdel.starts_with("-ERR the reply was dropped")) << getdel;
  EXPECT_EQ(reply.bytes.substr(reply.ends[2]), "$-1\r\n");
}

}  // namespace
}  // namespace metastore::replica
