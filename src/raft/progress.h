// Progress: what a leader knows about one follower, and how much it may send it.
//
//   probe      where the logs match is unknown: one append at a time, paused until an answer
//   replicate  known: appends are pipelined within a window of bytes and messages
//   snapshot   the next entry is cut: nothing is sent until the transfer has ended
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "raft/types.h"

namespace metastore::raft {

enum class ProgressState : uint8_t { kProbe, kReplicate, kSnapshot };

std::string_view ProgressStateName(ProgressState state);

// The appends sent and not yet acknowledged, oldest first. A ring that grows to what is used.
class Inflights {
 public:
  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }
  size_t bytes() const { return bytes_; }

  void Add(Index last, size_t bytes);
  // Everything up to `index` arrived.
  void FreeUpTo(Index index);
  void Clear();

 private:
  struct Item {
    Index last;
    size_t bytes;
  };
  std::vector<Item> ring_;
  size_t head_ = 0;
  size_t count_ = 0;
  size_t bytes_ = 0;
};

struct Progress {
  NodeId id = kNoNode;
  bool learner = false;
  ProgressState state = ProgressState::kProbe;
  Index match = 0;        // the follower's durable log agrees with ours up to here
  Index next = 1;         // the next entry to send
  Index commit_sent = 0;  // the commit index it will know when all that is under way has arrived
  Index pending_snapshot = 0;
  bool paused = false;  // probe: an append is unanswered
  bool resend = false;  // replicate: nothing came back; ask with an empty append where it stands
  bool active = true;   // heard from since the last check of the quorum
  uint64_t acked_round = 0;
  Index match_at_heartbeat = 0;
  Inflights inflights;

  void BecomeProbe();
  void BecomeReplicate();
  void BecomeSnapshot(Index snapshot_index);

  // An append up to `index` is acknowledged. True when something new was learnt.
  bool OnAccepted(Index index);
  // The append that followed `rejected` was refused; the logs can match at `candidate` at the
  // latest. False when the answer is a stale one.
  bool OnRejected(Index rejected, Index candidate);
  // Two answers to heartbeats without an acknowledgement of an append between them: it is lost.
  void OnHeartbeatReply(uint64_t round, Index last_index);
};

}  // namespace metastore::raft
