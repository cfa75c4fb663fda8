// Whose disks are nearly full: each node tells the others every second. A leader without room hands
// over to a follower that has some, and where a majority has none every node refuses writes that
// grow the data. raft role.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "raft/node.h"
#include "raft/types.h"

namespace metastore::replica {

// Below this, or half of the reserve if that is less, the log is not appended to. What is left is
// for flushes of what the log holds already.
inline constexpr uint64_t kMaxLogFloorBytes = 128 << 20;
// A report is believed for this long.
inline constexpr int64_t kDiskReportNs = 5'000'000'000;

// Free for this process on the disk of `directory`; the highest number where it cannot be asked.
uint64_t FreeDiskBytes(const std::string& directory);

class DiskReports {
 public:
  void OnReport(raft::NodeId from, bool nearly_full, int64_t now_ns);
  // No majority of the voters can have room. Who is silent may have some.
  bool MajorityNearlyFull(const raft::Membership& membership, raft::NodeId self,
                          bool own_nearly_full, int64_t now_ns) const;
  // Who should lead instead of the leader with this status: of the voters that have said that they
  // have room and are heard, the one that holds most of the log.
  std::optional<raft::NodeId> Successor(const raft::NodeStatus& leader, int64_t now_ns) const;

 private:
  struct Report {
    bool nearly_full;
    int64_t at_ns;
  };
  const Report* Find(raft::NodeId node, int64_t now_ns) const;

  std::map<raft::NodeId, Report> reports_;
};

}  // namespace metastore::replica
