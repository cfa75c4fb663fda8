#include "replica/state_machine.h"

#include <algorithm>

#include "base/coding.h"
#include "base/parse.h"
#include "commands/bounded_read.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "engine/system_keys.h"
#include "raft/membership.h"
#include "resp/writer.h"
#include "types/hash.h"
#include "types/keyspace.h"

namespace metastore::replica {
namespace {

using engine::Family;

// Smaller replies always have room: the number of commands under way bounds them.
constexpr size_t kLargeReplyBytes = 16 << 10;

// Of one kExpireFields item: a hash may have any number of fields that are due at once. A constant
// of the state machine. What is left stays due, and is proposed again.
constexpr size_t kMaxExpiredFields = 1000;

// What the commands of one entry may write before the next ones are refused: memory holds it three
// times until it is committed. A constant of the state machine.
constexpr uint64_t kMaxEntryWeight = uint64_t{1} << 30;

// session value    := incarnation:be64 seq:be64 ended:(nothing | 0x01)
// membership value := index:be64 membership      (the entry that brought it; 0: the first one)

}  // namespace

StateMachine::StateMachine(engine::Engine* engine, raft::NodeId node, uint64_t incarnation,
                           CommandFinder find_command)
    : engine_(engine), node_(node), incarnation_(incarnation), find_command_(find_command) {
  Reload();
}

raft::Position StateMachine::DecodeApplied(std::string_view record) {
  std::optional<engine::Applied> applied = engine::DecodeApplied(record);
  CHECK(applied.has_value());
  return {applied->term, applied->index};
}

AppliedMembership StateMachine::DecodeMembership(std::string_view record) {
  AppliedMembership applied;
  CHECK(TakeBig64(&record, &applied.index));
  Result<raft::Membership> membership = raft::DecodeMembership(record);
  CHECK_OK(membership.status());
  applied.membership = std::move(*membership);
  return applied;
}

void StateMachine::AdoptMembership(const raft::Membership& membership) {
  if (!membership_.membership.voters.empty() || membership.voters.empty()) return;
  membership_ = {0, membership};
  membership_dirty_ = true;
}

void StateMachine::Reload() {
  CHECK_EQ(uncommitted_bytes(), 0u);
  applied_ = {};
  entry_time_ms_ = 0;
  membership_ = {};
  topology_ = {};
  sessions_.clear();
  digest_points_.clear();
  engine_->txn().digest().Restore(0);
  const engine::Txn& txn = engine_->txn();
  std::string record;
  if (!txn.Get(Family::kSystem, engine::kAppliedKey, &record)) return;
  applied_ = DecodeApplied(record);
  const engine::Applied applied = *engine::DecodeApplied(record);
  entry_time_ms_ = applied.now_ms;
  engine_->txn().digest().Restore(applied.digest);
  if (txn.Get(Family::kSystem, engine::kMembershipKey, &record)) {
    membership_ = DecodeMembership(record);
  }
  if (txn.Get(Family::kSystem, engine::kTopologyKey, &record)) {
    std::optional<Topology> topology = DecodeTopology(record);
    CHECK(topology.has_value());
    topology_ = std::move(*topology);
  }
  const std::string first(engine::kSessionPrefix);
  auto it = txn.NewIterator(Family::kSystem, first, engine::PrefixEnd(first));
  for (it->Seek(first); it->Valid(); it->Next()) {
    std::string_view key = it->key().substr(first.size());
    std::string_view value = it->value();
    raft::NodeId node;
    CHECK(TakeBig64(&key, &node));
    SessionState& session = sessions_[node];
    CHECK(TakeBig64(&value, &session.incarnation));
    CHECK(TakeBig64(&value, &session.seq));
    session.ended = !value.empty();
  }
  auto own = sessions_.find(node_);
  if (own != sessions_.end() && own->second.incarnation == incarnation_) {
    own_seq_ = std::max(own_seq_, own->second.seq);
  }
  abandoned_.erase(abandoned_.begin(), abandoned_.upper_bound(own_seq_));
}

bool StateMachine::Abandon(uint64_t seq) {
  if (seq <= own_seq_) return false;
  abandoned_.insert(seq);
  return true;
}

void StateMachine::Apply(const raft::Entry& entry, std::vector<LaneReply>* replies) {
  engine_->txn().digest().Entry(entry.index);
  ApplyEntry(entry, replies);
  if (entry.index % kDigestInterval == 0) {
    digest_points_.push_back({entry.index, engine_->txn().digest().value()});
  }
}

void StateMachine::ApplyEntry(const raft::Entry& entry, std::vector<LaneReply>* replies) {
  CHECK_EQ(entry.index, applied_.index + 1);
  CHECK_GE(entry.term, applied_.term);
  applied_ = {entry.term, entry.index};
  dirty_ = true;
  if (entry.type == raft::EntryType::kConfChange) {
    membership_ = {entry.index, raft::MembershipOf(entry)};
    membership_dirty_ = true;
    ApplyMembership(membership_.membership, &topology_);
    topology_dirty_ = true;
    EndSessionsOfStrangers();
    return;
  }
  std::string_view data = entry.Data();
  if (data.empty()) return;  // the no-op of a term
  EntryReader reader(data);
  CHECK_OK(reader.ReadHeader());
  // The leader's clock may be behind that of the leader before it; time in the log never goes
  // back, or a key that had expired could live again.
  entry_time_ms_ = std::max(entry_time_ms_, reader.now_ms());
  CHECK(!must_commit_);
  engine_->txn().BeginEntry(entry.index, entry_time_ms_, reader.seed());
  const engine::DatabaseMap databases = engine_->txn().databases();
  ApplyBatches(&reader, replies);
  if (engine_->txn().databases().prefix != databases.prefix) must_commit_ = true;
}

void StateMachine::EndSessionsOfStrangers() {
  for (auto& [node, session] : sessions_) {
    if (session.ended || raft::IsMember(membership_.membership, node)) continue;
    session.ended = true;
    Touch(node);
  }
}

void StateMachine::ApplyBatches(EntryReader* reader, std::vector<LaneReply>* replies) {
  for (;;) {
    BatchHeader header;
    Status next = reader->NextBatch(&header);
    if (next.code() == Code::kNotFound) return;
    CHECK_OK(next);
    SessionState& session = sessions_[header.node];
    if (header.incarnation < session.incarnation && !session.ended) continue;  // of an earlier run
    // The end of the old run is part of the state even if nothing of the new one is applied here,
    // or a replica that reads its state anew would go on with the old run.
    if (header.incarnation != session.incarnation) {
      session = {header.incarnation, 0, false};
      Touch(header.node);
    }
    // A repeat is skipped, and so is a batch behind a gap: the missing ones are on their way from
    // the same node, followed by this one again.
    if (header.seq != session.seq + 1) continue;
    session.seq = header.seq;
    session.ended = false;
    Touch(header.node);
    bool own = header.node == node_ && header.incarnation == incarnation_;
    if (!own) {
      ApplyBatch(header, reader, false, &unsent_, nullptr);
      continue;
    }
    own_seq_ = header.seq;
    LaneReply answer;
    answer.lane = header.lane;
    answer.reply.ticket = header.ticket;
    ApplyBatch(header, reader, true, &answer.reply.bytes, &answer.reply.ends);
    // An empty batch took the place of one whose client has had its answer; so may its original,
    // when a leader had it in time.
    bool abandoned = abandoned_.erase(header.seq) > 0;
    if (header.count > 0 && !abandoned) replies->push_back(std::move(answer));
  }
}

void StateMachine::Touch(raft::NodeId node) {
  if (std::find(touched_sessions_.begin(), touched_sessions_.end(), node) ==
      touched_sessions_.end()) {
    touched_sessions_.push_back(node);
  }
}

void StateMachine::ApplyBatch(const BatchHeader& header, EntryReader* reader, bool own,
                              std::string* bytes, std::vector<uint64_t>* ends) {
  uint32_t count = 0;
  for (;;) {
    Status next = reader->NextItem(&item_);
    if (next.code() == Code::kNotFound) break;
    CHECK_OK(next);
    ++count;
    const size_t start = bytes->size();
    engine::Origin origin;
    if (own) origin = {header.lane, count - 1, header.ticket};
    engine_->txn().events().set_origin(origin);
    RunItem(item_, own, bytes);
    if (own) {
      if (bytes->size() - start >= kLargeReplyBytes && reply_room_ &&
          !reply_room_(header.lane, turn_reply_bytes_ + bytes->size() - start)) {
        bytes->resize(start);
        resp::Writer reply(bytes, item_.protocol);
        commands::WriteError(commands::errors::NoRoomForReply(), reply);
      }
      turn_reply_bytes_ += bytes->size() - start;
      ends->push_back(bytes->size());
    } else {
      bytes->clear();
    }
  }
  CHECK_EQ(count, header.count);
}

void StateMachine::RunItem(const Item& item, bool own, std::string* out) {
  if (item.kind == ItemKind::kRead && !own) return;
  engine::Txn& txn = engine_->txn();
  Result<const commands::CommandSpec*> spec = CheckItem(item, find_command_);
  CHECK_MSG(spec.ok(), "the log holds " + spec.status().message());
  if (item.kind == ItemKind::kExpire) {
    for (size_t i = 0; i < item.args.size(); i += 2) {
      int64_t deadline_ms;
      CHECK(ParseInt64(item.args[i + 1], &deadline_ms));
      if (types::DeleteIfExpired(txn, item.args[i], deadline_ms)) ++expired_keys_;
    }
    return;
  }
  if (item.kind == ItemKind::kExpireFields) {
    size_t left = kMaxExpiredFields;
    for (size_t i = 0; i < item.args.size() && left > 0; i += 2) {
      int64_t deadline_ms;
      CHECK(ParseInt64(item.args[i + 1], &deadline_ms));
      const size_t erased = types::DeleteExpiredFields(txn, item.args[i], deadline_ms, left);
      left -= erased;
      expired_fields_ += erased;
    }
    return;
  }
  if (item.kind == ItemKind::kReclaim) {
    types::Reclaim(txn);
    must_commit_ = true;
    return;
  }
  if (item.kind == ItemKind::kTopology) {
    const Topology before = topology_;
    if (!ApplyTopologyItem(item.args, &topology_)) return;
    topology_dirty_ = true;
    if (const auto moved = SwitchMasterMessage(before, topology_)) {
      txn.events().Publish("+switch-master", master_name_ + " " + *moved);
    }
    return;
  }
  if (item.kind != ItemKind::kRead && txn.weight().bytes() >= kMaxEntryWeight) {
    resp::Writer reply(out, item.protocol);
    commands::WriteError(commands::errors::EntryTooLarge(), reply);
    return;
  }
  if (item.kind == ItemKind::kTransaction) return RunTransaction(item, own, out);
  RunCommand(item, **spec, own, out);
}

void StateMachine::RunTransaction(const Item& transaction, bool own, std::string* out) {
  resp::Writer reply(out, transaction.protocol);
  std::string_view keys = transaction.args[0];
  for (WatchedKeyView watched; TakeWatchedKey(&keys, &watched).ok();) {
    if (types::VersionOf(engine_->txn(), watched.db, watched.key) == watched.version) continue;
    reply.NullArray();
    return;
  }
  std::string replies;
  size_t count = 0;
  std::string_view items = transaction.args[1];
  // Its commands run all or none: how much they write is looked at in front of the first only.
  for (Item item; TakeItem(&items, &item).ok(); ++count) {
    if (item.kind == ItemKind::kRead && !own) continue;
    Result<const commands::CommandSpec*> spec = CheckItem(item, find_command_);
    CHECK_OK(spec.status());
    RunCommand(item, **spec, own, &replies);
  }
  reply.Array(count);
  reply.Raw(replies);
}

void StateMachine::RunCommand(const Item& item, const commands::CommandSpec& spec, bool own,
                              std::string* out) {
  engine::Txn& txn = engine_->txn();
  if (item.kind == ItemKind::kRead) {
    commands::ReadContext context(txn, item.db);
    context.set_encoding_limits(&encoding_limits_);
    commands::RunWhole(spec, context, item.args, item.protocol, out);
    commands::NotifyMisses(context, spec, item.args, &txn.events());
    return;
  }
  resp::Writer reply(out, item.protocol);
  const size_t start = out->size();
  commands::WriteContext context(txn, item.db);
  context.set_shows_receivers(own);
  Status status = spec.handler.write(context, item.args, reply);
  if (!status.ok()) {
    out->resize(start);
    commands::WriteError(status, reply);
  }
}

void StateMachine::Commit() {
  if (!dirty_) return;
  engine::Txn& txn = engine_->txn();
  for (raft::NodeId node : touched_sessions_) {
    const SessionState& session = sessions_[node];
    std::string value;
    PutBig64(&value, session.incarnation);
    PutBig64(&value, session.seq);
    if (session.ended) value.push_back('\1');
    txn.Put(Family::kSystem, engine::SessionKey(node), std::move(value));
  }
  touched_sessions_.clear();
  if (membership_dirty_) {
    std::string value;
    PutBig64(&value, membership_.index);
    value += raft::EncodeMembership(membership_.membership);
    txn.Put(Family::kSystem, engine::kMembershipKey, std::move(value));
    membership_dirty_ = false;
  }
  if (topology_dirty_) {
    txn.Put(Family::kSystem, engine::kTopologyKey, EncodeTopology(topology_));
    topology_dirty_ = false;
  }
  txn.Put(
      Family::kSystem, engine::kAppliedKey,
      engine::EncodeApplied({applied_.index, applied_.term, entry_time_ms_, txn.digest().value()}));
  engine_->Commit();
  dirty_ = false;
  must_commit_ = false;
  turn_reply_bytes_ = 0;
}

}  // namespace metastore::replica
