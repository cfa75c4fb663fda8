#include "server/topology.h"

#include <openssl/sha.h>

#include <array>

#include "raft/membership.h"
#include "replica/membership_change.h"
#include "server/config.h"

namespace metastore::server {
namespace {

using replica::TopologyNode;

const replica::PeerInfo* FindPeer(const replica::ReplicaInfo& info, raft::NodeId id) {
  for (const replica::PeerInfo& peer : info.peers) {
    if (peer.id == id) return &peer;
  }
  return nullptr;
}

uint16_t PeerPort(const raft::Membership& membership, raft::NodeId id) {
  const raft::Peer* peer = raft::FindPeer(membership, id);
  std::string host;
  uint16_t port = 0;
  return peer != nullptr && replica::SplitUrl(peer->url, &host, &port) ? port : 0;
}

void SpreadSlots(const raft::Membership& membership, SlotsMode mode, ClusterView* view) {
  std::vector<NodeView*> owners;
  for (NodeView& node : view->nodes) {
    const bool owns =
        mode == SlotsMode::kLeader ? node.id == view->leader : raft::IsVoter(membership, node.id);
    node.replica = !owns;
    if (owns && !node.down) owners.push_back(&node);
  }
  const int count = static_cast<int>(owners.size());
  for (int i = 0; i < count; ++i) owners[static_cast<size_t>(i)]->slots = EvenSlots(i, count);
}

}  // namespace

const NodeView* ClusterView::Find(raft::NodeId id) const {
  for (const NodeView& node : nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

const NodeView* ClusterView::FindName(std::string_view name) const {
  for (const NodeView& node : nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

SlotsMode SlotsModeOf(const Settings& settings) {
  return settings.cluster_slots == "leader" ? SlotsMode::kLeader : SlotsMode::kEven;
}

ClusterView ViewCluster(const replica::ReplicaInfo& info, SlotsMode mode) {
  const replica::Topology& topology = info.cluster->topology;
  ClusterView view;
  view.epoch = topology.epoch;
  view.leader = topology.leader;
  for (const TopologyNode& told : topology.nodes) {
    NodeView node;
    node.id = told.id;
    node.name = told.name;
    node.host = told.host;
    node.port = told.port;
    node.down = told.down;
    node.self = told.id == info.id;
    node.peer_port = PeerPort(info.cluster->membership, told.id);
    if (node.self) node.last_contact_ms = 0;
    if (const replica::PeerInfo* peer = FindPeer(info, told.id)) {
      node.last_contact_ms = peer->last_contact_ms;
      node.linked_since_ms = peer->linked_since_ms;
      node.match_index = peer->match_index;
    }
    view.nodes.push_back(std::move(node));
  }
  SpreadSlots(info.cluster->membership, mode, &view);
  return view;
}

std::vector<NodeView> ReplicasOf(const ClusterView& view, raft::NodeId leader) {
  std::vector<NodeView> replicas;
  for (const NodeView& node : view.nodes) {
    if (node.id != leader) replicas.push_back(node);
  }
  return replicas;
}

std::optional<ClientAddress> AddressOf(const replica::ReplicaInfo& info, raft::NodeId id) {
  const TopologyNode* node = replica::FindNode(info.cluster->topology, id);
  if (node == nullptr) return std::nullopt;
  return ClientAddress{node->host, node->port};
}

SlotRange EvenSlots(int index, int count) {
  return {kSlots * index / count, kSlots * (index + 1) / count - 1};
}

std::string NodeName(std::string_view cluster, raft::NodeId id, uint64_t disk_incarnation) {
  std::string text(cluster);
  text += ' ' + std::to_string(id) + ' ' + std::to_string(disk_incarnation);
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (unsigned char byte : hash) {
    name.push_back(kDigits[byte >> 4]);
    name.push_back(kDigits[byte & 15]);
  }
  return name;
}

}  // namespace metastore::server
