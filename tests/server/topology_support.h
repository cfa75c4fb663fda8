// A cluster of three as one of its nodes sees it.
#pragma once

#include <memory>
#include <string>

#include "replica/replica.h"

namespace metastore::server {

inline std::string TestNodeName(raft::NodeId id) {
  return std::string(replica::kNodeNameSize, static_cast<char>('0' + id));
}

// Node `self` of `count`; node 1 leads. Clients reach node N at 10.0.0.N:6379, peers at port 9021.
inline replica::ReplicaInfo TestClusterInfo(raft::NodeId self, raft::NodeId count = 3) {
  replica::ReplicaInfo info;
  info.id = self;
  info.name = TestNodeName(self);
  info.leader = 1;
  info.role = self == 1 ? raft::Role::kLeader : raft::Role::kFollower;
  info.term = 4;
  info.commit_index = 10;
  info.applied_index = 9;
  auto state = std::make_shared<replica::ClusterState>();
  state->topology.epoch = 7;
  state->topology.term = 4;
  state->topology.leader = 1;
  for (raft::NodeId id = 1; id <= count; ++id) {
    const std::string host = "10.0.0." + std::to_string(id);
    state->membership.voters.push_back(id);
    state->membership.peers.push_back({id, "http://" + host + ":9021", false, {}});
    state->topology.nodes.push_back({id, TestNodeName(id), host, 6379, false});
    if (id == self) continue;
    replica::PeerInfo peer;
    peer.id = id;
    peer.address = host + ":9021";
    peer.last_contact_ms = 1500;
    peer.linked_since_ms = 77;
    if (self == 1) {
      peer.state = "replicate";
      peer.match_index = 10;
    }
    info.peers.push_back(peer);
  }
  info.cluster = state;
  return info;
}

// Changes the state that `info` shares with nobody.
inline replica::ClusterState& ClusterOf(replica::ReplicaInfo* info) {
  auto copy = std::make_shared<replica::ClusterState>(*info->cluster);
  info->cluster = copy;
  return *copy;
}

}  // namespace metastore::server
