#include "replica/topology_watch.h"

#include <algorithm>
#include <utility>

#include "raft/membership.h"
#include "replica/membership_change.h"

namespace metastore::replica {
namespace {

// A peer holds the log when it holds what was committed so long ago.
constexpr int64_t kCaughtUpNs = 100'000'000;

}  // namespace

void TopologyWatch::OnAnswered(int64_t now_ns) {
  under_way_ = false;
  const bool changed = state_->topology.epoch != asked_at_epoch_;
  not_before_ns_ = changed ? 0 : now_ns + kTopologyRetryNs;
}

std::optional<TopologyNode> TopologyWatch::Announcement(const raft::Membership& membership) const {
  if (options_.own.name.empty() || !raft::IsMember(membership, options_.own.id)) {
    return std::nullopt;
  }
  TopologyNode own = options_.own;
  const raft::Peer* self = raft::FindPeer(membership, own.id);
  uint16_t peer_port;
  if (own.host.empty() && (self == nullptr || !SplitUrl(self->url, &own.host, &peer_port))) {
    return std::nullopt;
  }
  return own;
}

bool TopologyWatch::IsDown(int64_t now_ns, const raft::PeerStatus& peer, int64_t last_contact_ns,
                           bool was_down) {
  if (was_down) {
    const bool heard = last_contact_ns > 0 && now_ns - last_contact_ns < options_.down_after_ns;
    if (!heard) {
      heard_since_ns_.erase(peer.id);
      return true;
    }
    const int64_t since_ns = heard_since_ns_.emplace(peer.id, now_ns).first->second;
    return now_ns - since_ns < kUpAfterNs || peer.state != "replicate" || caught_up_at_ == 0 ||
           peer.match_index < caught_up_at_;
  }
  heard_since_ns_.erase(peer.id);
  const int64_t from_ns =
      peer.id == leader_before_ ? last_contact_ns : std::max(last_contact_ns, listens_since_ns_);
  return now_ns - from_ns >= options_.down_after_ns;
}

void TopologyWatch::FollowRole(int64_t now_ns, const raft::NodeStatus& status) {
  // A pause of this node's own looks like silence of all others.
  if (now_ns - last_look_ns_ > options_.down_after_ns / 2) {
    listens_since_ns_ = now_ns;
    leader_before_ = raft::kNoNode;
  }
  last_look_ns_ = now_ns;
  if (status.role != raft::Role::kLeader) {
    if (status.leader != raft::kNoNode) followed_ = status.leader;
    leads_term_ = 0;
    heard_since_ns_.clear();
    return;
  }
  if (leads_term_ != status.term) {
    leads_term_ = status.term;
    listens_since_ns_ = now_ns;
    leader_before_ = std::exchange(followed_, raft::kNoNode);
    caught_up_at_ = committed_ = 0;
    caught_up_ns_ = now_ns;
    not_before_ns_ = 0;
  }
  if (now_ns - caught_up_ns_ < kCaughtUpNs) return;
  caught_up_at_ = committed_;
  committed_ = status.commit_index;
  caught_up_ns_ = now_ns;
}

std::optional<std::vector<std::string>> TopologyWatch::Next(
    int64_t now_ns, const raft::NodeStatus& status, const raft::Membership& membership,
    const std::function<int64_t(raft::NodeId)>& last_contact_ns) {
  FollowRole(now_ns, status);
  if (under_way_ || state_ == nullptr || status.leader == raft::kNoNode) return std::nullopt;
  const Topology& topology = state_->topology;

  // Its own address first: without it nobody finds the leader that is told of.
  std::optional<std::vector<std::string>> item;
  if (std::optional<TopologyNode> own = Announcement(membership)) {
    const TopologyNode* told = FindNode(topology, own->id);
    if (told != nullptr) own->down = told->down;
    if (told == nullptr || *told != *own) item = AnnounceItem(*own);
  }
  if (!item && leads_term_ != 0) {
    std::vector<raft::NodeId> down;
    bool changed = topology.term != status.term || topology.leader != status.id;
    for (const TopologyNode& node : topology.nodes) {
      auto peer = std::find_if(status.peers.begin(), status.peers.end(),
                               [&node](const raft::PeerStatus& p) { return p.id == node.id; });
      // Whom a change is about to remove stays as it is.
      const bool is_down = peer == status.peers.end()
                               ? node.down && node.id != status.id
                               : IsDown(now_ns, *peer, last_contact_ns(node.id), node.down);
      if (is_down) down.push_back(node.id);
      changed = changed || is_down != node.down;
    }
    if (changed) item = LeadItem(status.term, status.id, down);
  }
  if (!item || now_ns < not_before_ns_) return std::nullopt;
  under_way_ = true;
  asked_at_epoch_ = topology.epoch;
  return item;
}

}  // namespace metastore::replica
