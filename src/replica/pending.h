// Pending: the batches this node accepted and has not yet seen applied, oldest first. It gives
// each its place in the node's session when it is first handed to a leader, hands all of them out
// again when the leader changes, and forgets them as the state machine reports them applied.
// With the session table of the state machine this is what makes a command apply exactly once.
// raft role.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "replica/proposal.h"
#include "replica/replica.h"

namespace metastore::replica {

// A batch that got no answer in time.
struct ExpiredBatch {
  Lane lane = 0;
  uint64_t ticket = 0;
  uint64_t seq = 0;  // 0: it was never handed to a leader
  BatchOutcome outcome = BatchOutcome::kNotApplied;
};

class Pending {
 public:
  Pending(raft::NodeId node, uint64_t incarnation) : node_(node), incarnation_(incarnation) {}

  void Add(Lane lane, uint64_t ticket, std::string body, uint32_t count, int64_t deadline_ns);

  // The next batch that the present leader has not been given, encoded; null when there is none.
  // Good until the next call that is not const.
  const std::string* Next();
  // That batch was handed to the leader.
  void Advance();
  // The leader or the link to it changed: what is not applied must be handed over again.
  void Rewind() { handed_ = 0; }
  // The last `count` of them were refused.
  void Rewind(size_t count) { handed_ -= count; }

  // The state machine applied everything of this session up to `seq`; true if that was news. With
  // `replies_lost` (a snapshot jumped over them) the unanswered ones are added to *unknown.
  bool OnApplied(uint64_t seq, bool replies_lost, std::vector<ExpiredBatch>* unknown);

  // Batches whose deadline has passed. One that was never handed to any leader is dropped:
  // certainly not applied. One that was is answered kUnknown and shrinks to an empty batch that
  // keeps its place in the sequence, so that a later hand-over cannot apply it.
  void Expire(int64_t now_ns, std::vector<ExpiredBatch>* expired);

  // Everything unanswered, at shutdown.
  void ExpireAll(std::vector<ExpiredBatch>* expired) { Expire(INT64_MAX, expired); }

  // Some batch was handed to the present leader and is not applied.
  bool awaits_leader() const { return handed_ > 0; }
  size_t size() const { return batches_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Batch {
    uint64_t seq = 0;  // 0: never handed to a leader
    Lane lane = 0;
    uint64_t ticket = 0;
    uint32_t count = 0;
    bool answered = false;
    int64_t deadline_ns = 0;
    std::string bytes;  // the body until it has a seq, the encoded batch from then on
  };

  const raft::NodeId node_;
  const uint64_t incarnation_;
  uint64_t last_seq_ = 0;
  // Batches with a seq stand before those without one; seqs and deadlines rise.
  std::deque<Batch> batches_;
  size_t handed_ = 0;      // that many from the front were given to the present leader
  size_t unanswered_ = 0;  // index of the first one that may be unanswered
  size_t bytes_ = 0;
};

}  // namespace metastore::replica
