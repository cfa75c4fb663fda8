#include "replica/topology.h"

#include <gtest/gtest.h>

#include "engine/system_keys.h"
#include "replica/state_machine.h"
#include "tests/support/memory_engine.h"

namespace metastore::replica {
namespace {

std::string Name(char digit) { return std::string(kNodeNameSize, digit); }
TopologyNode Node(raft::NodeId id, uint16_t port = 0) {
  return {id, Name(static_cast<char>('0' + id % 10)), "host" + std::to_string(id),
          static_cast<uint16_t>(port != 0 ? port : 6378 + id), false};
}

using Words = std::vector<std::string>;
std::vector<std::string_view> Views(const Words& words) { return {words.begin(), words.end()}; }
bool Apply(const Words& words, Topology* topology) {
  return ApplyTopologyItem(Views(words), topology);
}
bool IsItem(const Words& words) { return CheckTopologyItem(Views(words)).ok(); }

TEST(TopologyTest, NodesAnnounceThemselvesAndTheLeaderSaysWhoIsThere) {
  Topology topology;
  EXPECT_TRUE(Apply(AnnounceItem(Node(3)), &topology));
  EXPECT_TRUE(Apply(AnnounceItem(Node(1)), &topology));
  EXPECT_TRUE(Apply(LeadItem(4, 1, {3}), &topology));
  Topology wanted{3, 4, 1, {Node(1), Node(3)}};
  wanted.nodes[1].down = true;
  EXPECT_EQ(topology, wanted);

  EXPECT_FALSE(Apply(LeadItem(4, 1, {3}), &topology)) << "nothing new";
  EXPECT_FALSE(Apply(AnnounceItem(Node(3)), &topology)) << "nothing new";
  EXPECT_EQ(topology.epoch, 3u);

  EXPECT_TRUE(Apply(AnnounceItem(Node(3, 7000)), &topology));
  EXPECT_EQ(FindNode(topology, 3)->port, 7000);
  EXPECT_TRUE(FindNode(topology, 3)->down) << "a new address says nothing about that";
  EXPECT_TRUE(Apply(LeadItem(4, 1, {}), &topology));
  EXPECT_FALSE(FindNode(topology, 3)->down);
  EXPECT_EQ(FindNode(topology, 2), nullptr);
}

TEST(TopologyTest, WhatAnEarlierLeaderSaysBehindALaterOneChangesNothing) {
  Topology topology;
  Apply(AnnounceItem(Node(1)), &topology);
  Apply(AnnounceItem(Node(2)), &topology);
  Apply(LeadItem(7, 2, {}), &topology);
  const Topology before = topology;
  EXPECT_FALSE(Apply(LeadItem(6, 1, {2}), &topology));
  EXPECT_EQ(topology, before);
}

TEST(TopologyTest, AMemberThatIsRemovedIsForgotten) {
  Topology topology;
  for (raft::NodeId id : {1, 2, 3}) Apply(AnnounceItem(Node(id)), &topology);
  ApplyMembership({{1, 2}, {}, {}, {}}, &topology);
  EXPECT_EQ(topology, (Topology{4, 0, 0, {Node(1), Node(2)}}));
}

TEST(TopologyTest, BytesAreReadAsTheyWereWritten) {
  Topology topology{300, 5, 65535, {Node(1), Node(65535, 65535)}};
  topology.nodes[0].down = true;
  const std::string bytes = EncodeTopology(topology);
  EXPECT_EQ(DecodeTopology(bytes), topology);
  EXPECT_EQ(bytes.substr(0, 10), "\xac\x02\x05\xff\xff\x03\x01\x01\xeb\x31");
  EXPECT_EQ(DecodeTopology(EncodeTopology({})), Topology());
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::optional<Topology> cut = DecodeTopology(bytes.substr(0, size));
    EXPECT_TRUE(!cut || cut->nodes.size() < 2) << size;
  }
  topology.nodes[1].id = 1;
  EXPECT_EQ(DecodeTopology(EncodeTopology(topology)), std::nullopt) << "one node twice";
}

TEST(TopologyTest, ItemsThatMakeNoSenseAreNone) {
  const std::string name = Name('a');
  EXPECT_TRUE(IsItem({"announce", "1", name, "::1", "6379"}));
  EXPECT_TRUE(IsItem({"lead", "1", "1"}));
  EXPECT_TRUE(IsItem({"lead", "1", "1", "2", "3"}));
  EXPECT_FALSE(IsItem({}));
  EXPECT_FALSE(IsItem({"other"}));
  EXPECT_FALSE(IsItem({"announce", "1", name, "h"}));
  EXPECT_FALSE(IsItem({"announce", "0", name, "h", "6379"}));
  EXPECT_FALSE(IsItem({"announce", "65536", name, "h", "6379"}));
  EXPECT_FALSE(IsItem({"announce", "1", name.substr(1), "h", "6379"}));
  EXPECT_FALSE(IsItem({"announce", "1", Name('A'), "h", "6379"}));
  for (const char* host : {"", "a b", "a,b", "a@b", "a\r\nb"}) {
    EXPECT_FALSE(IsItem({"announce", "1", name, host, "6379"})) << host;
  }
  EXPECT_FALSE(IsItem({"announce", "1", name, std::string(254, 'h'), "6379"}));
  EXPECT_FALSE(IsItem({"announce", "1", name, "h", "0"}));
  EXPECT_FALSE(IsItem({"announce", "1", name, "h", "65536"}));
  EXPECT_FALSE(IsItem({"lead", "1"}));
  EXPECT_FALSE(IsItem({"lead", "0", "1"}));
  EXPECT_FALSE(IsItem({"lead", "1", "0"}));
  EXPECT_FALSE(IsItem({"lead", "1", "1", "x"}));
}

TEST(TopologyTest, ANodeSpeaksForItself) {
  EXPECT_TRUE(CheckTopologySpeaker(Views(AnnounceItem(Node(2))), 2).ok());
  EXPECT_FALSE(CheckTopologySpeaker(Views(AnnounceItem(Node(2))), 3).ok());
  EXPECT_TRUE(CheckTopologySpeaker(Views(LeadItem(1, 2, {3})), 2).ok());
  EXPECT_FALSE(CheckTopologySpeaker(Views(LeadItem(1, 2, {3})), 3).ok());
}

TEST(TopologyTest, SubscribersHearOfANewLeaderWhenItsAddressIsAnother) {
  const Topology first{1, 1, 1, {Node(1), Node(2)}};
  Topology next = first;
  EXPECT_EQ(SwitchMasterMessage({}, first), std::nullopt) << "the first leader";
  EXPECT_EQ(SwitchMasterMessage(first, next), std::nullopt);
  next.term = 2;
  EXPECT_EQ(SwitchMasterMessage(first, next), std::nullopt) << "the same node again";
  next.leader = 2;
  EXPECT_EQ(SwitchMasterMessage(first, next), "host1 6379 host2 6380");
  next.leader = 3;
  EXPECT_EQ(SwitchMasterMessage(first, next), std::nullopt) << "nobody knows its address";
  next = first;
  next.nodes[0].port = 7000;
  EXPECT_EQ(SwitchMasterMessage(first, next), "host1 6379 host1 7000") << "it has moved";
}

raft::Entry TopologyEntry(raft::Index index, const Words& words) {
  std::string data;
  BeginEntry(1000, 7, &data);
  BatchBuilder builder;
  builder.Add(ItemKind::kTopology, 2, 0, Views(words));
  data += EncodeBatch({2, 1, index, 0, 0, 1}, builder.Take());
  return {1, index, raft::EntryType::kNormal, std::make_shared<const std::string>(std::move(data))};
}

TEST(TopologyTest, SubscribersOfThisNodeAreToldWhenTheMasterIsAnother) {
  testing_support::MemoryEngine engine;
  std::vector<LaneReply> replies;
  StateMachine machine(&engine, 1, 1, [](std::string_view) {
    return static_cast<const commands::CommandSpec*>(nullptr);
  });
  engine::Interest interest;
  interest.AddMessages(1);
  machine.set_interest(&interest);
  machine.set_master_name("mymaster");
  raft::Index index = 0;
  const auto told = [&](const Words& words) -> std::string {
    machine.Apply(TopologyEntry(++index, words), &replies);
    machine.Commit();
    const std::shared_ptr<const engine::CommitEvents> events = machine.TakeEvents();
    if (events == nullptr) return "";
    EXPECT_EQ(events->size(), 1u);
    return std::string((*events)[0].key) + " " + std::string((*events)[0].message);
  };
  EXPECT_EQ(told(AnnounceItem(Node(1))), "");
  EXPECT_EQ(told(AnnounceItem(Node(2))), "");
  EXPECT_EQ(told(LeadItem(1, 1, {})), "");
  EXPECT_EQ(told(LeadItem(2, 2, {})), "+switch-master mymaster host1 6379 host2 6380");
  EXPECT_EQ(told(LeadItem(2, 2, {})), "");
}

TEST(TopologyTest, ItIsPartOfTheReplicatedState) {
  testing_support::MemoryEngine engine;
  std::vector<LaneReply> replies;
  Topology topology;
  {
    StateMachine machine(&engine, 1, 1, [](std::string_view) {
      return static_cast<const commands::CommandSpec*>(nullptr);
    });
    machine.Apply(TopologyEntry(1, AnnounceItem(Node(2))), &replies);
    machine.Apply(TopologyEntry(2, LeadItem(1, 2, {})), &replies);
    machine.Commit();
    topology = machine.topology();
    EXPECT_EQ(topology, (Topology{2, 1, 2, {Node(2)}}));
  }
  std::string record;
  ASSERT_TRUE(engine.txn().Get(engine::Family::kSystem, engine::kTopologyKey, &record));
  EXPECT_EQ(DecodeTopology(record), topology);

  StateMachine restarted(&engine, 1, 2, [](std::string_view) {
    return static_cast<const commands::CommandSpec*>(nullptr);
  });
  EXPECT_EQ(restarted.topology(), topology);
  const raft::Membership without{{1, 3}, {}, {}, {}};
  restarted.Apply({1, 3, raft::EntryType::kConfChange,
                   std::make_shared<const std::string>(raft::EncodeMembership(without))},
                  &replies);
  restarted.Commit();
  EXPECT_TRUE(restarted.topology().nodes.empty());
  ASSERT_TRUE(engine.txn().Get(engine::Family::kSystem, engine::kTopologyKey, &record));
  EXPECT_EQ(DecodeTopology(record), restarted.topology());
}

}  // namespace
}  // namespace metastore::replica
