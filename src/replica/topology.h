// Topology: where the members serve clients, which of them are there, and who leads, as the log
// says it. So all nodes that have applied the same entry answer the same to a client that asks
// where to go, and one that lost its leader goes on with what was said last.
//
// A node announces its own address; the leader tells who is there. Both are items of kind
// kTopology:
//   "announce" id name host port
//   "lead"     term leader (id of a node that is down)*
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "commands/context.h"
#include "raft/types.h"

namespace metastore::replica {

// The length of a node's name, in hex digits.
inline constexpr size_t kNodeNameSize = 40;

struct TopologyNode {
  raft::NodeId id = raft::kNoNode;
  std::string name;  // Redis Cluster's node id: 40 hex digits, of this id on this disk
  std::string host;  // where it serves clients
  uint16_t port = 0;
  bool down = false;
  friend bool operator==(const TopologyNode&, const TopologyNode&) = default;
};

struct Topology {
  uint64_t epoch = 0;  // counts the changes
  raft::Term term = 0;
  raft::NodeId leader = raft::kNoNode;
  std::vector<TopologyNode> nodes;  // that have announced themselves, by id
  friend bool operator==(const Topology&, const Topology&) = default;
};

// Null: it has not announced itself.
const TopologyNode* FindNode(const Topology& topology, raft::NodeId id);

// Whether it can stand for a host in what clients are told: between spaces, commas and at signs.
bool IsClientHost(std::string_view host);

//   topology := epoch:varint term:varint leader:varint
//               (id:varint down:u8 port:varint name:bytes host:bytes)*
std::string EncodeTopology(const Topology& topology);
std::optional<Topology> DecodeTopology(std::string_view bytes);

std::vector<std::string> AnnounceItem(const TopologyNode& node);
std::vector<std::string> LeadItem(raft::Term term, raft::NodeId leader,
                                  const std::vector<raft::NodeId>& down);

// kCorruption: no such item can be applied.
Status CheckTopologyItem(commands::Args args);
// A node speaks for itself only.
Status CheckTopologySpeaker(commands::Args args, raft::NodeId from);

// Applies an item that was checked. True: something changed. What an earlier leader says behind a
// later one does not.
bool ApplyTopologyItem(commands::Args args, Topology* topology);
// After a change of the membership: who was removed is forgotten.
void ApplyMembership(const raft::Membership& membership, Topology* topology);

// Topology with the membership of the same applied index.
struct ClusterState {
  Topology topology;
  raft::Membership membership;
};

// Sentinel's message +switch-master, without the master's name in front: "old-ip old-port new-ip
// new-port". Each node tells its own subscribers when it has applied the change; nothing, unless
// the leader's address changed.
std::optional<std::string> SwitchMasterMessage(const Topology& before, const Topology& after);

}  // namespace metastore::replica
