// Changes of membership (thesis 4). One at a time; joint unless a single voter comes or goes; the
// leader ends a joint configuration by itself as soon as it is committed.
#include <algorithm>
#include <utility>

#include "raft/node_impl.h"

namespace metastore::raft {

Result<Position> Node::Impl::ProposeConfChange(Membership target) {
  if (role_ != Role::kLeader) return Status(Code::kUnavailable, "not the leader");
  if (transferee_ != kNoNode) return Status(Code::kUnavailable, "leadership is being transferred");
  // Without an entry of this term committed, a change of an earlier leader could still come back
  // and leave two majorities that do not overlap (Ongaro 2015).
  if (!IsTermCommitted() && !Breaks(Fault::kChangeBeforeTermCommitted)) {
    return Status(Code::kUnavailable, "the leader's term has just begun");
  }
  const Membership& current = memberships_.current();
  bool under_way = memberships_.current_index() > commit_ && !Breaks(Fault::kTwoChangesAtOnce);
  if (IsJoint(current) || under_way) {
    return Status(Code::kBusy, "another membership change is under way");
  }
  RETURN_IF_ERROR(CheckTarget(&target));
  if (target == current) return Status(Code::kAlreadyExists, "this is the membership already");
  return AppendConfChange(FirstStep(current, target));
}

Position Node::Impl::AppendConfChange(const Membership& membership) {
  Position position = AppendOwn(EntryType::kConfChange,
                                std::make_shared<const std::string>(EncodeMembership(membership)));
  if (!Breaks(Fault::kChangeInForceAtCommit)) memberships_.Append(position.index, membership);
  OnMembershipChanged();
  // A smaller quorum may be there already.
  MaybeCommit();
  return position;
}

const Membership& Node::Impl::Deciding() {
  const Membership& current = memberships_.current();
  if (config_.fault == Fault::kNone) [[likely]]
    return current;
  faulty_ = current;
  if (Breaks(Fault::kOnlyTheNewMajority)) faulty_.voters_outgoing.clear();
  if (Breaks(Fault::kLearnersCount)) {
    faulty_.voters.insert(faulty_.voters.end(), current.learners.begin(), current.learners.end());
  }
  return faulty_;
}

void Node::Impl::OnMembershipChanged() {
  if (role_ != Role::kLeader) return;
  const Membership& membership = memberships_.current();
  std::vector<Progress> peers;
  for (NodeId id : Members(membership)) {
    if (id == id_) continue;
    Progress* known = FindPeer(id);
    if (known != nullptr) {
      peers.push_back(std::move(*known));
    } else {
      peers.emplace_back();
      peers.back().id = id;
      peers.back().next = log_.last_index() + 1;
    }
    peers.back().learner = !IsVoter(membership, id);
  }
  peers_ = std::move(peers);
  if (transferee_ != kNoNode && !IsVoter(membership, transferee_)) transferee_ = kNoNode;
  flush_needed_ = true;
}

void Node::Impl::OnMembershipCommitted() {
  if (role_ != Role::kLeader || memberships_.current_index() > commit_) return;
  if (IsJoint(memberships_.current())) AppendConfChange(LeaveJoint(memberships_.current()));
}

void Node::Impl::StepDownIfRemoved() {
  if (role_ != Role::kLeader || memberships_.current_index() > commit_) return;
  if (IsVoter(memberships_.current(), id_)) return;
  // The others need not wait for their timeouts.
  const Progress* successor = BestSuccessor();
  if (successor != nullptr) SendTimeoutNow(successor->id);
  BecomeFollower(term_, kNoNode);
}

}  // namespace metastore::raft
