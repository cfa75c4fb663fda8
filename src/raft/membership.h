// Configurations of the cluster: their bytes in entries, what makes one valid, the steps of a
// change, and which one is in force at each place of the log.
//
// A change entry holds the whole configuration that it brings into force, and it is in force as
// soon as the entry is in the log, committed or not (thesis 4.1). So a log cut short takes its
// changes back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "raft/types.h"

namespace metastore::raft {

// Of an entry of type kConfChange that is in the log. A log that does not decode is broken: CHECK.
Membership MembershipOf(const Entry& entry);

bool IsVoter(const Membership& membership, NodeId id);  // of either set
bool IsLearner(const Membership& membership, NodeId id);
bool IsMember(const Membership& membership, NodeId id);
bool IsJoint(const Membership& membership);
bool IsOnlyVoter(const Membership& membership, NodeId id);
// Every member once, sorted.
std::vector<NodeId> Members(const Membership& membership);
// Null where nothing is known of the member but its vote.
const Peer* FindPeer(const Membership& membership, NodeId id);

// Sorts the lists of `target` and tells whether a cluster can be changed to it: kInvalidArgument
// without voters, with an id twice, with id 0, or with a joint part of its own.
Status CheckTarget(Membership* target);

// The first configuration on the way from `current`, which is not joint, to `target`: the target
// itself when the voters differ by at most one (then any two majorities overlap), else joint.
Membership FirstStep(const Membership& current, const Membership& target);
// The configuration that ends a joint one.
Membership LeaveJoint(const Membership& joint);

class MembershipHistory {
 public:
  MembershipHistory(Index index, Membership membership);

  const Membership& current() const { return versions_.back().membership; }
  // The entry that brought the current configuration.
  Index current_index() const { return versions_.back().index; }
  // In force after the entry `index`, which is not cut.
  const Membership& At(Index index) const;

  // Is `id` the only voter after the entry `index` and in each configuration since?
  bool IsOnlyVoterSince(Index index, NodeId id) const;

  void Append(Index index, Membership membership);
  // True when the current configuration changed.
  bool Truncate(Index from);
  void Compact(Index index);
  void Restore(Index index, Membership membership);

 private:
  struct Version {
    Index index;
    Membership membership;
  };
  std::vector<Version> versions_;  // never empty
};

}  // namespace metastore::raft
