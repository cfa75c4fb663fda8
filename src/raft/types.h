// The words of Raft (Ongaro, "Consensus: Bridging Theory and Practice", 2014): entries, hard
// state, membership, messages. Plain values; replica/wire.cc gives them their bytes on the wire.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace metastore::raft {

using NodeId = uint64_t;  // 1 and up; 0 is "none"
using Term = uint64_t;    // 0 before the first election
using Index = uint64_t;   // the first entry has index 1

inline constexpr NodeId kNoNode = 0;

// One place in the log: what an acknowledgement of a durable write names. The index alone would
// not do: an entry can be overwritten by another of a later term while its write is under way.
struct Position {
  Term term = 0;
  Index index = 0;
  friend bool operator==(const Position&, const Position&) = default;
  // In the order of terms: an entry that another leader replaced comes before the one in its place.
  friend auto operator<=>(const Position&, const Position&) = default;
};

// The bytes of an entry. Shared, because the log cache, the write under way, the messages to each
// follower and apply all read the same bytes at the same time, in different threads.
using Payload = std::shared_ptr<const std::string>;

enum class EntryType : uint8_t {
  kNormal = 0,      // data is a proposal; empty data is a leader's no-op
  kConfChange = 1,  // data is an encoded ConfChange
};

struct Entry {
  Term term = 0;
  Index index = 0;
  EntryType type = EntryType::kNormal;
  Payload data;  // null means empty

  size_t Size() const { return (data ? data->size() : 0) + 24; }
  std::string_view Data() const { return data ? std::string_view(*data) : std::string_view(); }
};

// What must be durable before anything that depends on it leaves the node (Raft, figure 2).
struct HardState {
  Term term = 0;
  NodeId voted_for = kNoNode;
  Index commit_index = 0;  // a hint: it saves a restarted node from waiting for the leader
  friend bool operator==(const HardState&, const HardState&) = default;
};

// What the cluster knows of a member beside its vote. raft::Node carries it along and looks at
// nothing but the id.
struct Peer {
  NodeId id = kNoNode;
  std::string url;       // where its peers reach it: http://host:port
  bool promote = false;  // a learner that becomes a voter when it has caught up
  // The entry that added it, {0, 0} for a founder: tells a member from an earlier one of the same
  // id.
  Position added = {};
  friend bool operator==(const Peer&, const Peer&) = default;
};

// Who belongs to the cluster. With `voters_outgoing` non-empty the configuration is joint: a
// decision needs a majority of both sets (thesis 4.3). Each list is sorted.
struct Membership {
  std::vector<NodeId> voters;
  std::vector<NodeId> voters_outgoing;
  std::vector<NodeId> learners;
  std::vector<Peer> peers = {};  // sorted by id; every member, where the cluster has addresses
  friend bool operator==(const Membership&, const Membership&) = default;
};

// The bytes of a membership wherever one is kept: change entries, the log's start, snapshots.
//
//   membership := version:u8(2) ids(voters) ids(voters_outgoing) ids(learners) peers
//   ids(list)  := count:varint id:varint...
//   added      := term:varint index:varint
//   peers      := count:varint (id:varint promote:u8 added url:bytes)...
std::string EncodeMembership(const Membership& membership);
Result<Membership> DecodeMembership(std::string_view data);

// Names a snapshot; its content is the state machine's and travels outside of raft::Node.
struct SnapshotMetadata {
  Index index = 0;  // the last entry the snapshot holds; 0 is "no snapshot"
  Term term = 0;
  Membership membership;
};

enum class MessageType : uint8_t {
  kPreVote,
  kPreVoteReply,
  kVote,
  kVoteReply,
  kAppend,  // AppendEntries
  kAppendReply,
  kHeartbeat,  // an AppendEntries that carries no log position; confirms leases and reads
  kHeartbeatReply,
  kReadIndex,  // a follower asks for the leader's confirmed commit index
  kReadIndexReply,
  kTimeoutNow,       // leadership transfer: campaign at once (thesis 3.10)
  kInstallSnapshot,  // the follower's next entry is cut: its replica must fetch a snapshot
  kSnapshotStatus,   // local: the transfer to `from` ended (reject = it failed)
};

std::string_view MessageTypeName(MessageType type);

// One message between two nodes. Fields a type does not use are zero.
struct Message {
  MessageType type = MessageType::kHeartbeat;
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  Term term = 0;

  // kAppend: entries follow (log_term, log_index). kVote, kPreVote: the candidate's last entry.
  // kAppendReply: log_index is the last index known to match, or, on reject, the one refused,
  // with (log_term, reject_hint) naming the last entry that could match.
  Term log_term = 0;
  Index log_index = 0;
  Index reject_hint = 0;
  std::vector<Entry> entries;
  Index commit_index = 0;

  bool reject = false;
  bool transfer = false;  // kVote, kPreVote: the leader asked for this campaign; ignore the lease
  uint64_t context = 0;   // heartbeats: round number. ReadIndex: the asker's request number
  SnapshotMetadata snapshot;  // kInstallSnapshot
};

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader, kLearner };

std::string_view RoleName(Role role);  // "follower", "candidate", "leader", "learner"

}  // namespace metastore::raft
