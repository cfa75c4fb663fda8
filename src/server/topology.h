// What clients are told of the cluster's nodes: the one place that knows their addresses, which of
// them are there, and how the slots of Redis Cluster are spread over them. CLUSTER, SENTINEL, ROLE
// and INFO read it.
//
// Any node takes any key, so the slots are only there to spread clients. They follow from the
// replicated Topology and nothing else: every node that has applied it makes the same map.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crc16.h"  // kSlots
#include "replica/replica.h"

namespace metastore::server {

struct Settings;  // server/config.h

struct SlotRange {
  int first = 0;
  int last = 0;  // included
  friend bool operator==(const SlotRange&, const SlotRange&) = default;
};

// A member that has announced where it serves clients.
struct NodeView {
  raft::NodeId id = raft::kNoNode;
  std::string name;  // 40 hex digits
  std::string host;
  uint16_t port = 0;
  uint16_t peer_port = 0;  // in the place of Redis Cluster's bus port
  bool self = false;
  bool down = false;
  // It has no slots, and in Cluster's words is a replica of ClusterView::leader: a learner, or with
  // SlotsMode::kLeader any node but the leader.
  bool replica = false;
  std::optional<SlotRange> slots;
  // As this node sees it; of itself 0.
  int64_t last_contact_ms = -1;
  int64_t linked_since_ms = 0;
  uint64_t match_index = 0;  // of a peer, on the leader
};

enum class SlotsMode : uint8_t {
  kEven,    // over the voters that are there
  kLeader,  // all on the leader
};

struct ClusterView {
  uint64_t epoch = 0;
  raft::NodeId leader = raft::kNoNode;  // as the log says
  std::vector<NodeView> nodes;          // by id

  const NodeView* Find(raft::NodeId id) const;
  const NodeView* FindName(std::string_view name) const;
};

SlotsMode SlotsModeOf(const Settings& settings);
ClusterView ViewCluster(const replica::ReplicaInfo& info, SlotsMode mode);

// All nodes but the leader.
std::vector<NodeView> ReplicasOf(const ClusterView& view, raft::NodeId leader);

// The client address of a node; none where it has announced none.
struct ClientAddress {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const ClientAddress&, const ClientAddress&) = default;
};
std::optional<ClientAddress> AddressOf(const replica::ReplicaInfo& info, raft::NodeId id);

// The part of `index` of `count` nodes.
SlotRange EvenSlots(int index, int count);

// The name of a node: of the cluster, its number in it, and its disk.
std::string NodeName(std::string_view cluster, raft::NodeId id, uint64_t disk_incarnation);

}  // namespace metastore::server
