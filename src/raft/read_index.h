// Reads that wait for the leader's confirmation (thesis 6.4), on both sides of it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "raft/node.h"
#include "raft/types.h"

namespace metastore::raft {

// The leader's side. A read needs a heartbeat round that was started after it came and that a
// majority has answered; all reads that wait for a round share one.
class LeaderReads {
 public:
  struct Read {
    NodeId from = kNoNode;  // the asker; the leader itself too
    uint64_t context = 0;
    Index index = 0;     // 0: the term's no-op is not committed yet
    uint64_t round = 0;  // 0: no round yet
  };

  size_t size() const { return reads_.size(); }
  void Add(NodeId from, uint64_t context, Index index) { reads_.push_back({from, context, index}); }

  // Some read has no round, and none that serves an earlier read is under way. One round at a time
  // is enough: whatever comes meanwhile shares the next one.
  bool NeedsRound(uint64_t confirmed_round) const {
    return !reads_.empty() && reads_.back().round == 0 && newest_round_ <= confirmed_round;
  }
  // The round `round` starts now: it serves every read that has none.
  void OnRoundStarted(uint64_t round);
  // The no-op of the term is committed: reads that waited for it may be served at `index`.
  void OnTermCommitted(Index index);
  // Moves the reads that the confirmed round serves to *out, in order.
  void TakeConfirmed(uint64_t confirmed_round, std::vector<Read>* out);
  std::vector<Read> TakeAll();

 private:
  std::deque<Read> reads_;
  uint64_t newest_round_ = 0;  // the newest round that serves a read
};

// A follower's side: its own reads, asked of the leader with a request number each time; an answer
// to a number serves every read that came before that request.
class FollowerReads {
 public:
  // Requests are numbered from `base` on, which differs from run to run: a late reply to a request
  // of an earlier run must not confirm a read of this one.
  explicit FollowerReads(uint64_t base) : last_request_(base), base_(base) {}

  size_t size() const { return contexts_.size(); }
  void Add(uint64_t context) { contexts_.push_back({context, 0}); }

  bool HasUnasked() const { return !contexts_.empty() && contexts_.back().request == 0; }
  // No answer for a while, and somebody waits.
  bool IsOverdue(uint64_t now_ticks, int patience_ticks) const {
    return !contexts_.empty() &&
           now_ticks >= asked_at_ticks_ + static_cast<uint64_t>(patience_ticks);
  }
  // A request for all that wait leaves now; returns its number. Repeats included: the newest
  // request covers everything, so that a lost one costs nothing more.
  uint64_t Ask(uint64_t now_ticks);
  void OnReply(uint64_t request, Index index, std::vector<ReadState>* out);
  void RefuseAll(std::vector<ReadState>* out);

 private:
  struct Waiting {
    uint64_t context;
    uint64_t request;  // the first request that covers it; 0: none yet
  };
  std::deque<Waiting> contexts_;
  uint64_t last_request_;
  const uint64_t base_;
  uint64_t asked_at_ticks_ = 0;
};

}  // namespace metastore::raft
