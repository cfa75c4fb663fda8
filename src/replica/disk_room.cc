#include "replica/disk_room.h"

#include <sys/statvfs.h>

#include "raft/quorum.h"

namespace metastore::replica {

uint64_t FreeDiskBytes(const std::string& directory) {
  struct statvfs fs;
  if (statvfs(directory.c_str(), &fs) != 0) return UINT64_MAX;
  return uint64_t{fs.f_bavail} * fs.f_frsize;
}

void DiskReports::OnReport(raft::NodeId from, bool nearly_full, int64_t now_ns) {
  reports_[from] = {nearly_full, now_ns};
}

const DiskReports::Report* DiskReports::Find(raft::NodeId node, int64_t now_ns) const {
  auto it = reports_.find(node);
  return it == reports_.end() || now_ns - it->second.at_ns > kDiskReportNs ? nullptr : &it->second;
}

bool DiskReports::MajorityNearlyFull(const raft::Membership& membership, raft::NodeId self,
                                     bool own_nearly_full, int64_t now_ns) const {
  raft::VoteResult result = raft::QuorumVote(membership, [&](raft::NodeId voter) {
    if (voter == self) return own_nearly_full ? raft::Ballot::kRefused : raft::Ballot::kGranted;
    const Report* report = Find(voter, now_ns);
    return report != nullptr && report->nearly_full ? raft::Ballot::kRefused
                                                    : raft::Ballot::kGranted;
  });
  return result == raft::VoteResult::kLost;
}

std::optional<raft::NodeId> DiskReports::Successor(const raft::NodeStatus& leader,
                                                   int64_t now_ns) const {
  const raft::PeerStatus* best = nullptr;
  for (const raft::PeerStatus& peer : leader.peers) {
    const Report* report = Find(peer.id, now_ns);
    if (peer.learner || !peer.active || report == nullptr || report->nearly_full) continue;
    if (best == nullptr || peer.match_index > best->match_index) best = &peer;
  }
  if (best == nullptr) return std::nullopt;
  return best->id;
}

}  // namespace metastore::replica
