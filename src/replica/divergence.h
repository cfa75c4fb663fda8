// Finds replicas whose state machines came to different results from the same log. Every node has
// a digest of its effects (engine/effect_digest.h) at every kDigestInterval-th index. The leader
// says its newest one once a second; every node that has reached that index says its own to all.
// Who finds a quorum agreed on another digest than its own is wrong and must stop; any difference
// is told to the operator.
//
// Raft role; no clock, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "raft/types.h"

namespace metastore::replica {

inline constexpr raft::Index kDigestInterval = 128;

struct DigestPoint {
  raft::Index index = 0;
  uint64_t digest = 0;
  friend bool operator==(const DigestPoint&, const DigestPoint&) = default;
};

class DivergenceWatch {
 public:
  // What this node computed, in the order of indexes.
  void OnApplied(DigestPoint point);
  // A snapshot replaced the state: what was computed before it says nothing about it.
  void OnInstalled();
  void OnReport(raft::NodeId from, DigestPoint point);
  // The leader asks all to compare its newest point, if that is a new one.
  void Ask();
  // What is to be sent to every peer.
  std::vector<DigestPoint> TakeReports();

  struct Verdict {
    raft::Index compared = 0;          // the last index at which a peer agreed
    std::set<raft::NodeId> differing;  // peers that differed when they were last compared
    std::optional<raft::Index> wrong;  // a quorum agreed on something else there
  };
  Verdict Judge(const raft::Membership& membership) const;

 private:
  void Report(raft::Index index);
  void Compare(raft::Index index);

  std::map<raft::Index, uint64_t> own_;
  std::map<raft::Index, std::map<raft::NodeId, uint64_t>> reports_;
  std::set<raft::Index> reported_;
  std::vector<DigestPoint> to_send_;
  raft::Index compared_ = 0;
  std::set<raft::NodeId> differing_;
};

}  // namespace metastore::replica
