// TopologyWatch: decides when this node has something to add to the Topology in the log: its own
// address, and, when it leads, which members are there. No clock, no I/O. raft role.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raft/node.h"
#include "replica/topology.h"

namespace metastore::replica {

struct TopologyOptions {
  // Of this node, as it announces it; without a name it announces nothing. Without a host: that of
  // its peer address.
  TopologyNode own;
  // A member that was silent for so long is down.
  int64_t down_after_ns = 550'000'000;
};

// A member that is down and heard again is there after so long without silence, and when it holds
// the log: its clients would wait.
inline constexpr int64_t kUpAfterNs = 1'000'000'000;
inline constexpr int64_t kTopologyRetryNs = 500'000'000;

class TopologyWatch {
 public:
  explicit TopologyWatch(const TopologyOptions& options) : options_(options) {}

  void OnApplied(std::shared_ptr<const ClusterState> state) { state_ = std::move(state); }
  // The item that Next gave came to its end, which may be that it was not applied. What it changed
  // was told by OnApplied before.
  void OnAnswered(int64_t now_ns);

  // The next item to propose, if any; nothing while one is under way. `last_contact_ns` is when a
  // peer was last heard, 0: never.
  std::optional<std::vector<std::string>> Next(
      int64_t now_ns, const raft::NodeStatus& status, const raft::Membership& membership,
      const std::function<int64_t(raft::NodeId)>& last_contact_ns);

 private:
  std::optional<TopologyNode> Announcement(const raft::Membership& membership) const;
  bool IsDown(int64_t now_ns, const raft::PeerStatus& peer, int64_t last_contact_ns, bool was_down);
  void FollowRole(int64_t now_ns, const raft::NodeStatus& status);

  const TopologyOptions options_;
  std::shared_ptr<const ClusterState> state_;
  bool under_way_ = false;
  uint64_t asked_at_epoch_ = 0;
  int64_t not_before_ns_ = 0;
  int64_t last_look_ns_ = 0;
  // The term in which this node leads; 0: it does not.
  raft::Term leads_term_ = 0;
  // Silence before this says nothing, but for that of the leader before: it is why there was an
  // election.
  int64_t listens_since_ns_ = 0;
  raft::NodeId leader_before_ = raft::kNoNode;
  raft::NodeId followed_ = raft::kNoNode;  // whom this node followed last
  // Since when a member that is down is heard without a break.
  std::map<raft::NodeId, int64_t> heard_since_ns_;
  // What was committed when the peers were looked at last.
  raft::Index caught_up_at_ = 0;
  int64_t caught_up_ns_ = 0;
  raft::Index committed_ = 0;
};

}  // namespace metastore::replica
