// Majorities, of one set of voters or of both sets of a joint configuration.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "raft/types.h"

namespace metastore::raft {

// Voters in one set. Larger configurations are refused.
inline constexpr size_t kMaxVoters = 63;

enum class VoteResult : uint8_t { kPending, kWon, kLost };
enum class Ballot : uint8_t { kMissing, kGranted, kRefused };

// The largest value that a majority of `voters` has reached, where value(id) is how far a voter
// is. No voters: no restriction, so the maximum.
template <class Value>
uint64_t MajorityValue(const std::vector<NodeId>& voters, Value value) {
  if (voters.empty()) return UINT64_MAX;
  CHECK_LE(voters.size(), kMaxVoters);
  std::array<uint64_t, kMaxVoters> values;
  size_t n = 0;
  for (NodeId id : voters) values[n++] = value(id);
  auto nth = values.begin() + static_cast<ptrdiff_t>((n - 1) / 2);
  std::nth_element(values.begin(), nth, values.begin() + static_cast<ptrdiff_t>(n));
  return *nth;
}

template <class Value>
uint64_t QuorumValue(const Membership& membership, Value value) {
  return std::min(MajorityValue(membership.voters, value),
                  MajorityValue(membership.voters_outgoing, value));
}

// ballot(id) tells what is known of a voter's answer.
template <class BallotOf>
VoteResult MajorityVote(const std::vector<NodeId>& voters, BallotOf ballot) {
  if (voters.empty()) return VoteResult::kWon;
  size_t granted = 0;
  size_t missing = 0;
  for (NodeId id : voters) {
    Ballot b = ballot(id);
    if (b == Ballot::kGranted) ++granted;
    if (b == Ballot::kMissing) ++missing;
  }
  size_t needed = voters.size() / 2 + 1;
  if (granted >= needed) return VoteResult::kWon;
  return granted + missing >= needed ? VoteResult::kPending : VoteResult::kLost;
}

template <class BallotOf>
VoteResult QuorumVote(const Membership& membership, BallotOf ballot) {
  VoteResult incoming = MajorityVote(membership.voters, ballot);
  VoteResult outgoing = MajorityVote(membership.voters_outgoing, ballot);
  if (incoming == VoteResult::kLost || outgoing == VoteResult::kLost) return VoteResult::kLost;
  if (incoming == VoteResult::kWon && outgoing == VoteResult::kWon) return VoteResult::kWon;
  return VoteResult::kPending;
}

}  // namespace metastore::raft
