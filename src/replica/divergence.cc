#include "replica/divergence.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/quorum.h"

namespace metastore::replica {
namespace {

// Own points kept: a peer that is further ahead than this finds nothing to compare with.
constexpr size_t kKeptPoints = 4096;
// Indexes that are being compared: one a second, so this is how far behind a peer may be.
constexpr size_t kKeptReports = 256;

template <class Container>
void KeepLast(Container* container, size_t count) {
  while (container->size() > count) container->erase(container->begin());
}

}  // namespace

void DivergenceWatch::OnApplied(DigestPoint point) {
  CHECK_EQ(point.index % kDigestInterval, 0u);
  own_[point.index] = point.digest;
  KeepLast(&own_, kKeptPoints);
  if (!reports_.contains(point.index)) return;
  Report(point.index);
  Compare(point.index);
}

void DivergenceWatch::OnInstalled() {
  own_.clear();
  differing_.clear();
}

void DivergenceWatch::OnReport(raft::NodeId from, DigestPoint point) {
  reports_[point.index][from] = point.digest;
  KeepLast(&reports_, kKeptReports);
  if (!own_.contains(point.index)) return;
  Report(point.index);
  Compare(point.index);
}

void DivergenceWatch::Ask() {
  if (!own_.empty()) Report(own_.rbegin()->first);
}

void DivergenceWatch::Report(raft::Index index) {
  if (!reported_.insert(index).second) return;
  KeepLast(&reported_, kKeptReports);
  to_send_.push_back({index, own_.at(index)});
}

std::vector<DigestPoint> DivergenceWatch::TakeReports() { return std::exchange(to_send_, {}); }

void DivergenceWatch::Compare(raft::Index index) {
  auto reports = reports_.find(index);
  if (reports == reports_.end()) return;
  for (const auto& [node, digest] : reports->second) {
    if (digest == own_.at(index)) {
      compared_ = std::max(compared_, index);
      differing_.erase(node);
    } else {
      differing_.insert(node);
    }
  }
}

DivergenceWatch::Verdict DivergenceWatch::Judge(const raft::Membership& membership) const {
  Verdict verdict;
  verdict.compared = compared_;
  verdict.differing = differing_;
  if (differing_.empty()) return verdict;
  for (const auto& [index, nodes] : reports_) {
    auto own = own_.find(index);
    if (own == own_.end()) continue;
    for (const auto& [node, other] : nodes) {
      if (other == own->second) continue;
      auto ballot = [&said = nodes, digest = other](raft::NodeId id) {
        auto report = said.find(id);
        return report != said.end() && report->second == digest ? raft::Ballot::kGranted
                                                                : raft::Ballot::kMissing;
      };
      if (raft::QuorumVote(membership, ballot) == raft::VoteResult::kWon) verdict.wrong = index;
    }
  }
  return verdict;
}

}  // namespace metastore::replica
