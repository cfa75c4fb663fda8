// StateMachine: applies committed entries to the engine, in log order, each batch once. From the
// same log every replica computes the same bytes: time and chance come from the entry, and
// nothing that changes it looks at the node's own configuration or clock. apply role.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "commands/command_spec.h"
#include "engine/engine.h"
#include "raft/types.h"
#include "replica/divergence.h"
#include "replica/item_check.h"
#include "replica/proposal.h"
#include "replica/replica.h"

namespace metastore::replica {

// The place of a node's session in the replicated state.
struct SessionState {
  uint64_t incarnation = 0;
  uint64_t seq = 0;  // the last one applied
  // The node was removed. Added again it has another disk as a rule, whose numbers say nothing
  // about this one's, so any other incarnation may follow. The same one may go on, though: a node
  // that was cut off can be removed and added again without hearing of it, and then hands over
  // anew what was applied before.
  bool ended = false;
  friend bool operator==(const SessionState&, const SessionState&) = default;
};

// Who belonged to the cluster when an entry was applied: part of the state, so that a snapshot
// carries the membership of its own index.
struct AppliedMembership {
  raft::Index index = 0;  // the entry that brought it; 0: the cluster was founded with it
  raft::Membership membership;
};

struct LaneReply {
  Lane lane = 0;
  BatchReply reply;
};

class StateMachine {
 public:
  // `node` and `incarnation` name this node's own session: its batches get replies.
  StateMachine(engine::Engine* engine, raft::NodeId node, uint64_t incarnation,
               CommandFinder find_command);

  // Asked before a large reply is kept: whether a lane may hold that many bytes more.
  using ReplyRoom = std::function<bool(Lane lane, size_t bytes)>;
  void set_reply_room(ReplyRoom room) { reply_room_ = std::move(room); }
  // This node's, for its own reads in the log.
  void set_encoding_limits(const types::EncodingLimits& limits) { encoding_limits_ = limits; }

  // What Sentinel's clients call the cluster.
  void set_master_name(std::string name) { master_name_ = std::move(name); }
  // What this node's clients listen for.
  void set_interest(const engine::Interest* interest) {
    engine_->txn().events().set_interest(interest);
  }

  // Applies one entry into the engine's Txn; the effects are visible after Commit, and only then
  // may the replies, added to *replies, leave. CHECKs that entries come in order and that every
  // byte of them makes sense: a replica that skipped one would differ from the others.
  void Apply(const raft::Entry& entry, std::vector<LaneReply>* replies);
  void Commit();
  // What the last Commit tells beside the replies; null if nothing.
  std::shared_ptr<const engine::CommitEvents> TakeEvents() {
    return engine_->txn().events().Take(applied_.index);
  }
  // True: Commit before the next Apply. A database that gets a new physical prefix, or whose old
  // one is reclaimed, may not share a WriteBatch with other entries (types::FlushDatabase).
  bool must_commit() const { return must_commit_; }
  // Gathered since the last Commit.
  size_t uncommitted_bytes() const { return engine_->txn().bytes(); }
  size_t event_bytes() const { return engine_->txn().events().bytes(); }

  // The client of this node's batch `seq` gets no more than kUnknown. True: tell it so, and Apply
  // will give no reply for it. False: Apply has given the reply.
  bool Abandon(uint64_t seq);

  // Reads its own state anew, after the engine installed a snapshot.
  void Reload();
  // The events of such an installation: all keys may be others, and messages are missing.
  std::shared_ptr<const engine::CommitEvents> TakeReplacement() {
    engine_->txn().events().Replaced();
    return TakeEvents();
  }

  // The digests at multiples of kDigestInterval since the last call.
  std::vector<DigestPoint> TakeDigestPoints() { return std::exchange(digest_points_, {}); }

  raft::Position applied() const { return applied_; }
  const AppliedMembership& membership() const { return membership_; }
  const Topology& topology() const { return topology_; }
  // The membership that the cluster was founded with, where none is known.
  void AdoptMembership(const raft::Membership& membership);
  // What is applied of this node's own session.
  uint64_t own_seq() const { return own_seq_; }
  uint64_t expired_keys() const { return expired_keys_; }
  uint64_t expired_fields() const { return expired_fields_; }

  // The position that an engine::kAppliedKey record holds (also of a checkpoint).
  static raft::Position DecodeApplied(std::string_view record);
  // What an engine::kMembershipKey record holds.
  static AppliedMembership DecodeMembership(std::string_view record);

 private:
  void ApplyEntry(const raft::Entry& entry, std::vector<LaneReply>* replies);
  void ApplyBatches(EntryReader* reader, std::vector<LaneReply>* replies);
  void ApplyBatch(const BatchHeader& header, EntryReader* reader, bool own, std::string* bytes,
                  std::vector<uint64_t>* ends);
  void Touch(raft::NodeId node);
  void EndSessionsOfStrangers();
  // `own`: its client is connected to this node. A read changes nothing and runs there only.
  void RunItem(const Item& item, bool own, std::string* out);
  void RunTransaction(const Item& item, bool own, std::string* out);
  void RunCommand(const Item& item, const commands::CommandSpec& spec, bool own, std::string* out);

  engine::Engine* const engine_;
  const raft::NodeId node_;
  const uint64_t incarnation_;
  const CommandFinder find_command_;

  raft::Position applied_;
  int64_t entry_time_ms_ = 0;
  AppliedMembership membership_;
  bool membership_dirty_ = false;
  Topology topology_;
  bool topology_dirty_ = false;
  std::map<raft::NodeId, SessionState> sessions_;
  std::vector<raft::NodeId> touched_sessions_;
  uint64_t own_seq_ = 0;
  std::set<uint64_t> abandoned_;  // of this node's session, not applied
  bool dirty_ = false;
  bool must_commit_ = false;
  uint64_t expired_keys_ = 0;
  uint64_t expired_fields_ = 0;
  std::vector<DigestPoint> digest_points_;
  Item item_;  // reused
  ReplyRoom reply_room_;
  types::EncodingLimits encoding_limits_;
  std::string master_name_;
  size_t turn_reply_bytes_ = 0;  // of replies since the last Commit
  std::string unsent_;           // replies of other nodes' commands go here and are forgotten
};

}  // namespace metastore::replica
