#include "raft/types.h"

namespace metastore::raft {

std::string_view MessageTypeName(MessageType type) {
  switch (type) {
    case MessageType::kPreVote:
      return "PreVote";
    case MessageType::kPreVoteReply:
      return "PreVoteReply";
    case MessageType::kVote:
      return "Vote";
    case MessageType::kVoteReply:
      return "VoteReply";
    case MessageType::kAppend:
      return "Append";
    case MessageType::kAppendReply:
      return "AppendReply";
    case MessageType::kHeartbeat:
      return "Heartbeat";
    case MessageType::kHeartbeatReply:
      return "HeartbeatReply";
    case MessageType::kReadIndex:
      return "ReadIndex";
    case MessageType::kReadIndexReply:
      return "ReadIndexReply";
    case MessageType::kTimeoutNow:
      return "TimeoutNow";
    case MessageType::kInstallSnapshot:
      return "InstallSnapshot";
    case MessageType::kSnapshotStatus:
      return "SnapshotStatus";
  }
  return "unknown";
}

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
    case Role::kLearner:
      return "learner";
  }
  return "unknown";
}

}  // namespace metastore::raft
