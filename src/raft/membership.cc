#include "raft/membership.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/coding.h"
#include "raft/quorum.h"

namespace metastore::raft {
namespace {

constexpr uint8_t kVersion = 2;
constexpr size_t kMaxLearners = 63;

bool Contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

void PutIds(std::string* out, const std::vector<NodeId>& ids) {
  PutVarint(out, ids.size());
  for (NodeId id : ids) PutVarint(out, id);
}

bool TakeIds(std::string_view* in, std::vector<NodeId>* ids) {
  uint64_t count;
  // Each id takes at least one byte, which bounds the allocation by what is there.
  if (!TakeVarint(in, &count) || count > in->size()) return false;
  ids->resize(count);
  for (NodeId& id : *ids) {
    if (!TakeVarint(in, &id)) return false;
  }
  return true;
}

bool TakePeers(std::string_view* in, std::vector<Peer>* peers) {
  uint64_t count;
  if (!TakeVarint(in, &count) || count > in->size()) return false;
  peers->resize(count);
  for (Peer& peer : *peers) {
    uint8_t promote;
    std::string_view url;
    if (!TakeVarint(in, &peer.id) || !TakeByte(in, &promote) || promote > 1 ||
        !TakeVarint(in, &peer.added.term) || !TakeVarint(in, &peer.added.index) ||
        !TakeBytes(in, &url)) {
      return false;
    }
    peer.promote = promote == 1;
    peer.url = url;
  }
  return true;
}

// Only of members, sorted by id.
void TrimPeers(Membership* membership) {
  std::vector<Peer>& peers = membership->peers;
  std::erase_if(peers, [&](const Peer& peer) { return !IsMember(*membership, peer.id); });
  std::sort(peers.begin(), peers.end(), [](const Peer& a, const Peer& b) { return a.id < b.id; });
}

}  // namespace

std::string EncodeMembership(const Membership& membership) {
  std::string out(1, static_cast<char>(kVersion));
  PutIds(&out, membership.voters);
  PutIds(&out, membership.voters_outgoing);
  PutIds(&out, membership.learners);
  PutVarint(&out, membership.peers.size());
  for (const Peer& peer : membership.peers) {
    PutVarint(&out, peer.id);
    out.push_back(peer.promote ? 1 : 0);
    PutVarint(&out, peer.added.term);
    PutVarint(&out, peer.added.index);
    PutBytes(&out, peer.url);
  }
  return out;
}

Result<Membership> DecodeMembership(std::string_view data) {
  Membership membership;
  uint8_t version;
  if (!TakeByte(&data, &version) || version != kVersion) {
    return Status::Corruption("membership change of an unknown version");
  }
  if (!TakeIds(&data, &membership.voters) || !TakeIds(&data, &membership.voters_outgoing) ||
      !TakeIds(&data, &membership.learners) || !TakePeers(&data, &membership.peers) ||
      !data.empty()) {
    return Status::Corruption("membership change does not decode");
  }
  return membership;
}

Membership MembershipOf(const Entry& entry) {
  CHECK(entry.type == EntryType::kConfChange);
  Result<Membership> membership = DecodeMembership(entry.Data());
  CHECK_OK(membership.status());
  return std::move(*membership);
}

bool IsVoter(const Membership& membership, NodeId id) {
  return Contains(membership.voters, id) || Contains(membership.voters_outgoing, id);
}

bool IsLearner(const Membership& membership, NodeId id) {
  return Contains(membership.learners, id);
}

bool IsMember(const Membership& membership, NodeId id) {
  return IsVoter(membership, id) || IsLearner(membership, id);
}

bool IsJoint(const Membership& membership) { return !membership.voters_outgoing.empty(); }

bool IsOnlyVoter(const Membership& membership, NodeId id) {
  return !IsJoint(membership) && membership.voters.size() == 1 && membership.voters[0] == id;
}

const Peer* FindPeer(const Membership& membership, NodeId id) {
  for (const Peer& peer : membership.peers) {
    if (peer.id == id) return &peer;
  }
  return nullptr;
}

std::vector<NodeId> Members(const Membership& membership) {
  std::vector<NodeId> all = membership.voters;
  all.insert(all.end(), membership.voters_outgoing.begin(), membership.voters_outgoing.end());
  all.insert(all.end(), membership.learners.begin(), membership.learners.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Status CheckTarget(Membership* target) {
  if (IsJoint(*target)) return Status::InvalidArgument("a joint configuration is not a target");
  if (target->voters.empty()) return Status::InvalidArgument("a cluster needs a voter");
  if (target->voters.size() > kMaxVoters || target->learners.size() > kMaxLearners) {
    return Status::InvalidArgument("too many members");
  }
  std::sort(target->voters.begin(), target->voters.end());
  std::sort(target->learners.begin(), target->learners.end());
  std::vector<NodeId> all = Members(*target);
  if (all.size() != target->voters.size() + target->learners.size()) {
    return Status::InvalidArgument("a member is named twice");
  }
  if (all.front() == kNoNode) return Status::InvalidArgument("0 is not a node id");
  TrimPeers(target);
  return Status::Ok();
}

Membership FirstStep(const Membership& current, const Membership& target) {
  CHECK(!IsJoint(current));
  std::vector<NodeId> difference;
  std::set_symmetric_difference(current.voters.begin(), current.voters.end(), target.voters.begin(),
                                target.voters.end(), std::back_inserter(difference));
  if (difference.size() <= 1) return target;
  Membership joint = target;
  joint.voters_outgoing = current.voters;
  for (const Peer& peer : current.peers) {
    if (FindPeer(joint, peer.id) == nullptr) joint.peers.push_back(peer);
  }
  TrimPeers(&joint);
  return joint;
}

Membership LeaveJoint(const Membership& joint) {
  CHECK(IsJoint(joint));
  Membership target = joint;
  target.voters_outgoing.clear();
  TrimPeers(&target);
  return target;
}

MembershipHistory::MembershipHistory(Index index, Membership membership) {
  Restore(index, std::move(membership));
}

const Membership& MembershipHistory::At(Index index) const {
  CHECK_GE(index, versions_.front().index);
  size_t i = versions_.size() - 1;
  while (versions_[i].index > index) --i;
  return versions_[i].membership;
}

bool MembershipHistory::IsOnlyVoterSince(Index index, NodeId id) const {
  for (size_t i = versions_.size(); i-- > 0;) {
    if (!IsOnlyVoter(versions_[i].membership, id)) return false;
    if (versions_[i].index <= index) break;
  }
  return true;
}

void MembershipHistory::Append(Index index, Membership membership) {
  CHECK_GT(index, current_index());
  versions_.push_back({index, std::move(membership)});
}

bool MembershipHistory::Truncate(Index from) {
  bool changed = false;
  while (versions_.size() > 1 && versions_.back().index >= from) {
    versions_.pop_back();
    changed = true;
  }
  return changed;
}

void MembershipHistory::Compact(Index index) {
  size_t kept = 0;
  while (kept + 1 < versions_.size() && versions_[kept + 1].index <= index) ++kept;
  versions_.erase(versions_.begin(), versions_.begin() + static_cast<ptrdiff_t>(kept));
}

void MembershipHistory::Restore(Index index, Membership membership) {
  versions_.clear();
  versions_.push_back({index, std::move(membership)});
}

}  // namespace metastore::raft
