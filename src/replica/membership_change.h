// What an operator may ask of the membership, and the configuration that comes of it. The steps to
// it (joint consensus where more than one voter comes or goes) are raft::Node's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "raft/types.h"

namespace metastore::replica {

inline constexpr raft::NodeId kMaxNodeId = 65535;

struct MembershipChange {
  struct Add {
    raft::NodeId id = 0;  // 0: the cluster gives it one
    std::string url;
    // It stays a learner. Others become voters by themselves when they have caught up.
    bool learner = false;
  };
  std::vector<Add> add;
  std::vector<raft::NodeId> remove;
  std::vector<raft::NodeId> promote;     // learners that shall become voters
  std::optional<raft::NodeId> transfer;  // hand leadership to this node; 0: to any. Stands alone.
};

// What came of it.
struct ChangeResult {
  // kBusy: another change is under way. kInvalidArgument, kNotFound: it cannot be done; the
  // sentence says why. kUnavailable: no quorum or no leader in time; it may still happen.
  Status status;
  raft::NodeId added = 0;  // the id of the last node of `add`
};

// The number and port of "http://host:port"; false when it is none.
bool SplitUrl(const std::string& url, std::string* host, uint16_t* port);

// The membership after the change, which the entry `at` is to bring. kInvalidArgument, kNotFound
// as above. A change that has been made already gives `current`.
Result<raft::Membership> TargetOf(const raft::Membership& current, const MembershipChange& change,
                                  raft::Position at, raft::NodeId* added);

}  // namespace metastore::replica
