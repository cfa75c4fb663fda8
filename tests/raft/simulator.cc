#include "tests/raft/simulator.h"

#include <algorithm>
#include <utility>

#include "raft/membership.h"

namespace metastore::raft {
namespace {

constexpr uint64_t kTick = 100;  // units of simulated time
constexpr uint64_t kFaultyTime = 300 * kTick;
constexpr uint64_t kPeacefulTime = 400 * kTick;
constexpr uint64_t kStep = 5;

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2);
  return hash * 0x100000001b3;
}

uint64_t Mix(uint64_t hash, std::string_view bytes) {
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

Simulator::Simulator(uint64_t seed, Fault fault, Breach breach)
    : fault_(fault),
      breach_(breach),
      random_(seed),
      // A fault is to be noticed by the harm that it does.
      invariants_(fault == Fault::kNone) {
  // The last one twice: what it is for needs three rare things in a row.
  adversary_ = static_cast<Adversary>(std::min<uint64_t>(random_.Uniform(9), 7));
  // One and two nodes have edges of their own; the others are what clusters are made of.
  constexpr size_t kPools[] = {1, 2, 3, 3, 3, 3, 4, 4, 5, 5, 5, 5, 6, 6, 7, 7};
  size_t pool = kPools[random_.Uniform(std::size(kPools))];
  size_t voters = random_.OneIn(2) || pool < 3 ? pool : 1 + random_.Uniform(pool);
  changes_membership_ = random_.OneIn(2);
  if (adversary_ == Adversary::kCrashesYoungLeaders) pool = voters = 5;
  if (adversary_ == Adversary::kTemptsVoters || adversary_ == Adversary::kTransfersTwice) {
    pool = voters = 3;
  }
  if (adversary_ == Adversary::kChangesMembers) {
    // Of five, four: one more and one less have majorities that do not overlap.
    pool = random_.OneIn(4) ? 3 + random_.Uniform(5) : 5;
    voters = pool == 5 ? 4 : std::clamp<size_t>(voters, 1, pool);
    changes_membership_ = true;
  }
  if (!changes_membership_) voters = pool;
  loss_percent_ = random_.OneIn(3) ? 0 : random_.Uniform(20);
  duplicate_percent_ = random_.OneIn(2) ? 0 : random_.Uniform(10);
  max_delay_ = random_.OneIn(2) ? kTick / 2 : 4 * kTick;
  // Some seeds are restless, in others a partition lasts long enough for two leaders to live in it.
  fault_interval_ = random_.OneIn(2) ? 150 : 400 + random_.Uniform(600);
  only_links_fail_ = random_.OneIn(3);
  if (adversary_ == Adversary::kTransfersTwice) max_delay_ = 4 * kTick;
  if (adversary_ == Adversary::kTemptsVoters) {
    loss_percent_ = 0;
    fault_interval_ = 2000;
  }
  lease_ticks_ = adversary_ != Adversary::kTemptsVoters && random_.OneIn(4) ? 0 : 8;
  cut_.assign(pool + 1, std::vector<bool>(pool + 1, false));
  Membership membership;
  for (NodeId id = 1; id <= voters; ++id) membership.voters.push_back(id);
  result_.nodes = pool;
  for (NodeId id = 1; id <= pool; ++id) {
    nodes_.push_back(std::make_unique<SimNode>());
    SimNode& n = *nodes_.back();
    n.id = id;
    // A node that is to join knows nobody.
    if (id <= voters) n.storage.Bootstrap(membership);
    n.sync_time = random_.OneIn(3) ? 12 * kTick : kTick;
    if (adversary_ == Adversary::kTemptsVoters) n.sync_time = kTick / 4;
    // Clocks run up to 4 % fast or slow; the lease's margin covers that.
    n.tick_interval = kTick * 96 / 100 + random_.Uniform(kTick * 8 / 100);
    if (breach_ == Breach::kClocksDriftBeyondTheMargin && random_.OneIn(2)) {
      n.tick_interval = 4 * kTick;
    }
    Start(n);
  }
}

void Simulator::Note(uint64_t value) { result_.fingerprint = Mix(result_.fingerprint, value); }

bool Simulator::Cut(NodeId from, NodeId to) const { return cut_[from][to]; }

void Simulator::Start(SimNode& n) {
  n.state = n.flushed;
  Config config = n.storage.MakeConfig(n.id, n.flushed.index);
  config.seed = random_.Next();
  // Small limits, so that they are met.
  config.max_append_bytes = 200;
  config.max_inflight_bytes = 500;
  config.max_inflight_appends = 4;
  config.max_uncommitted_bytes = 3000;
  config.cache_bytes = 300;
  config.max_apply_bytes = 300;
  config.max_unapplied_bytes = 600;
  config.max_pending_reads = 8;
  config.lease_ticks = lease_ticks_;
  config.fault = fault_;
  n.node = std::make_unique<Node>(config, &n.storage);
  ++n.run;
  n.next_tick = now_ + 1 + random_.Uniform(n.tick_interval);
  n.last_tick = now_;
  n.paused_until = 0;
  n.last_role = Role::kFollower;
  After(n);
}

void Simulator::Persist(SimNode& n, const DurableWrite& write) {
  DurableWrite left_over;
  if (write.snapshot && breach_ == Breach::kSnapshotLeavesTheOldLog) {
    for (const Entry& entry : n.storage.entries()) {
      if (entry.index > write.snapshot->index) left_over.entries.push_back(entry);
    }
  }
  n.storage.Apply(write);
  if (!left_over.entries.empty() && write.entries.empty()) n.storage.Apply(left_over);
  if (write.snapshot) {
    n.flushed = {write.snapshot->index, n.snapshot_states[write.snapshot->index]};
  }
}

void Simulator::Doom(NodeId id, uint64_t within) {
  doomed_ = id;
  doomed_at_ = now_ + random_.Uniform(within);
}

void Simulator::Crash(SimNode& n) {
  ++result_.crashes;
  Note(1000 + n.id);
  // Writes reach the disk in order; how many of those under way did is chance.
  size_t kept = random_.Uniform(n.disk.size() + 1);
  for (size_t i = 0; i < kept; ++i) Persist(n, n.disk[i].write);
  n.disk.clear();
  n.to_apply.clear();
  n.node.reset();
  for (auto read = open_reads_.begin(); read != open_reads_.end();) {
    read = read->second.node == n.id ? open_reads_.erase(read) : std::next(read);
  }
}

Simulator::SimNode* Simulator::RandomRunning() {
  SimNode& n = *nodes_[random_.Uniform(nodes_.size())];
  return n.node && n.paused_until <= now_ ? &n : nullptr;
}

Simulator::SimNode* Simulator::FindLeader() {
  SimNode* leader = nullptr;
  for (auto& n : nodes_) {
    if (!n->node || n->node->role() != Role::kLeader) continue;
    if (leader == nullptr || n->node->term() > leader->node->term()) leader = n.get();
  }
  return leader;
}

Membership Simulator::OneVoterMoreOrLess(const SimNode& n) {
  Membership target = n.node->membership();
  const NodeId id = 1 + random_.Uniform(nodes_.size());
  if (std::erase(target.voters, id) == 0) target.voters.push_back(id);
  std::erase(target.learners, id);
  target.voters_outgoing.clear();
  return target;
}

void Simulator::OnNewRole(SimNode& n) {
  const Role role = n.node->role();
  if (role == Role::kLeader) ++result_.elections;
  if (!is_faulty_) return;
  const bool stands = role == Role::kCandidate && n.last_role != Role::kCandidate;
  SimNode& other = *nodes_[random_.Uniform(nodes_.size())];
  switch (adversary_) {
    case Adversary::kNone:
    case Adversary::kRestartsVoters:
    case Adversary::kTransfersTwice:
      break;
    case Adversary::kChangesMembers:
      // A change as a term's first deed, which some do not hear of (Ongaro 2015).
      if (role != Role::kLeader || random_.OneIn(4)) break;
      if (!n.node->ProposeConfChange(OneVoterMoreOrLess(n)).ok()) break;
      CutSomeOf(n.id);
      break;
    case Adversary::kSplitsVotes:
      // Two candidates of one term share the votes.
      if (stands && other.node && other.paused_until <= now_ && &other != &n) {
        other.node->Campaign();
      }
      break;
    case Adversary::kIsolatesOldLeaders:
      // The worst moment to lose the old leader: another node is about to be elected, and it does
      // not hear of it.
      if (stands && random_.OneIn(4)) {
        SimNode* leader = FindLeader();
        if (leader != nullptr) Isolate(leader->id);
      }
      break;
    case Adversary::kTemptsVoters:
      if (stands) {
        SimNode* leader = FindLeader();
        if (leader != nullptr) Isolate(leader->id);
      }
      break;
    case Adversary::kCrashesYoungLeaders:
      if (role != Role::kLeader || random_.OneIn(4)) break;
      CutSomeOf(n.id);
      Doom(n.id, 6 * kTick);
      break;
  }
}

void Simulator::After(SimNode& n) {
  invariants_.OnStep(*n.node);
  if (n.node->role() != n.last_role) {
    OnNewRole(n);
    n.last_role = n.node->role();
  }
  // Now and then several calls share one Ready.
  if (is_faulty_ && random_.OneIn(4)) return;
  while (n.node->HasReady()) HandleReady(n);
}

void Simulator::HandleReady(SimNode& n) {
  Ready ready = n.node->TakeReady();
  invariants_.OnReady(*n.node, ready);
  invariants_.OnStep(*n.node);
  Note(n.id * 7 + n.node->term() * 131 + n.node->commit_index());
  for (Message& m : ready.messages) {
    if (m.type == MessageType::kInstallSnapshot) SendSnapshot(n, m);
    Send(std::move(m));
  }
  CHECK_EQ(ready.HasWrite(), ready.persist_number != 0);
  if (ready.HasWrite()) {
    PendingWrite pending;
    pending.write = {ready.persist_number, ready.hard_state, std::move(ready.entries),
                     ready.snapshot};
    pending.after_sync = std::move(ready.messages_after_sync);
    pending.done_at = now_ + random_.Uniform(is_faulty_ ? n.sync_time : 10);
    if (pending.write.hard_state) {
      if (breach_ == Breach::kVotesAreNotPersisted) pending.write.hard_state->voted_for = kNoNode;
      if (breach_ == Breach::kHardStateIsNotPersisted) pending.write.hard_state.reset();
    }
    if (breach_ == Breach::kAcknowledgesBeforeTheSync) {
      for (Message& m : std::exchange(pending.after_sync, {})) Send(std::move(m));
    }
    const uint64_t number = pending.write.number;
    n.disk.push_back(std::move(pending));
    if (breach_ == Breach::kLeaderCountsBeforeTheSync) n.node->OnPersisted(number);
  } else {
    if (breach_ == Breach::kNone) CHECK(ready.messages_after_sync.empty() || n.disk.empty());
    for (Message& m : ready.messages_after_sync) Send(std::move(m));
  }
  if (ready.snapshot) {
    n.to_apply.clear();
    n.state = {ready.snapshot->index, n.snapshot_states.at(ready.snapshot->index)};
  }
  for (Entry& entry : ready.committed) {
    // The state machine never runs ahead of the own disk.
    if (breach_ != Breach::kLeaderCountsBeforeTheSync) {
      Result<Term> term = n.storage.TermAt(entry.index);
      CHECK_OK(term.status());
      CHECK_EQ(*term, entry.term);
    }
    acknowledged_ = std::max(acknowledged_, entry.index);
    n.to_apply.push_back(std::move(entry));
  }
  for (const ReadState& read : ready.read_states) {
    auto open = open_reads_.find(read.context);
    if (open == open_reads_.end()) continue;
    CHECK_EQ(open->second.node, n.id);
    if (read.index == 0) {
      ++result_.reads_refused;
    } else {
      ++result_.reads_answered;
      CHECK_GE(read.index, open->second.required);
    }
    open_reads_.erase(open);
  }
}

void Simulator::CompleteWrites(SimNode& n, bool all) {
  while (!n.disk.empty() && (all || n.disk.front().done_at <= now_)) {
    PendingWrite done = std::move(n.disk.front());
    n.disk.pop_front();
    Persist(n, done.write);
    for (Message& m : done.after_sync) Send(std::move(m));
    uint64_t number = done.write.number;
    if (breach_ == Breach::kAcknowledgesByIndex && !done.write.entries.empty()) {
      const Index last = done.write.entries.back().index;
      for (const PendingWrite& later : n.disk) {
        if (later.write.entries.empty()) continue;
        if (later.write.entries.back().index > last) break;
        number = later.write.number;
      }
    }
    if (breach_ != Breach::kLeaderCountsBeforeTheSync) n.node->OnPersisted(number);
    After(n);
  }
}

void Simulator::Apply(SimNode& n, size_t count) {
  count = std::min(count, n.to_apply.size());
  if (count == 0) return;
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = n.to_apply[i];
    CHECK_EQ(entry.index, n.state.index + 1);
    n.state = {entry.index, Mix(Mix(n.state.hash, entry.index), entry.Data())};
    if (state_hashes_.size() < entry.index) state_hashes_.resize(entry.index, 0);
    uint64_t& known = state_hashes_[entry.index - 1];
    if (known == 0) known = n.state.hash;
    CHECK_EQ(known, n.state.hash);
  }
  n.to_apply.erase(n.to_apply.begin(), n.to_apply.begin() + static_cast<ptrdiff_t>(count));
  n.node->OnApplied(n.state.index);
  After(n);
}

void Simulator::Send(Message m) {
  CHECK_NE(m.to, kNoNode);
  if (m.type == MessageType::kTimeoutNow) hands_over_ = m.from;
  // The worst moment for a voter to forget.
  const bool votes = is_faulty_ && m.type == MessageType::kVoteReply && !m.reject;
  if (votes && (adversary_ == Adversary::kRestartsVoters || adversary_ == Adversary::kSplitsVotes ||
                adversary_ == Adversary::kTransfersTwice)) {
    if (random_.OneIn(2)) Doom(m.from, kTick);
  }
  if (m.to >= cut_.size() || Cut(m.from, m.to)) return;
  uint64_t copies = 1;
  if (is_faulty_ && random_.Uniform(100) < loss_percent_) copies = 0;
  if (is_faulty_ && random_.Uniform(100) < duplicate_percent_) ++copies;
  for (; copies > 0; --copies) {
    uint64_t delay = is_faulty_
                         ? 1 + random_.Uniform(random_.OneIn(20) ? max_delay_ * 10 : max_delay_)
                         : 1 + random_.Uniform(10);
    network_.push({now_ + delay, ++deliveries_, m, {}});
  }
}

void Simulator::SendSnapshot(SimNode& from, const Message& m) {
  ++result_.snapshots;
  Index index = from.state.index;
  CHECK_GE(index, m.snapshot.index);
  Delivery d;
  d.at = now_ + 1 + random_.Uniform(is_faulty_ ? 10 * kTick : kTick);
  d.number = ++deliveries_;
  d.message.type = MessageType::kSnapshotStatus;
  d.message.from = from.id;
  d.message.to = m.to;
  d.message.term = from.run;
  d.snapshot.metadata.index = index;
  d.snapshot.metadata.term = *from.node->TermAt(index);
  d.snapshot.metadata.membership = breach_ == Breach::kSnapshotHasTheLatestMembership
                                       ? from.node->membership()
                                       : *from.node->MembershipAt(index);
  d.snapshot.state = from.state.hash;
  network_.push(std::move(d));
}

void Simulator::Deliver(Delivery d) {
  const Message& m = d.message;
  SimNode& to = *nodes_[m.to - 1];
  Note(d.at * 31 + static_cast<uint64_t>(m.type) * 7 + m.from * 3 + m.to + m.log_index);
  if (m.type == MessageType::kSnapshotStatus) {
    bool ok = to.node && !Cut(m.from, m.to) && to.paused_until <= now_ &&
              !(is_faulty_ && random_.OneIn(5));
    if (ok) {
      to.snapshot_states[d.snapshot.metadata.index] = d.snapshot.state;
      to.node->RestoreSnapshot(d.snapshot.metadata);
      After(to);
      // The transfer ends when the receiver holds it durably.
      while (to.node->HasReady()) HandleReady(to);
      CompleteWrites(to, true);
      if (is_faulty_ && random_.OneIn(4)) Doom(to.id, kTick);
    }
    SimNode& from = *nodes_[m.from - 1];
    if (from.node && from.run == m.term) {
      from.node->OnSnapshotSent(m.to, ok, d.snapshot.metadata.index);
      After(from);
    }
    return;
  }
  if (!to.node || Cut(m.from, m.to)) return;
  if (to.paused_until > now_) {
    d.at = to.paused_until + 1;
    network_.push(std::move(d));
    return;
  }
  to.node->Step(std::move(d.message));
  After(to);
}

void Simulator::ClientAction() {
  SimNode* n = RandomRunning();
  if (n == nullptr) return;
  SimNode* leader = FindLeader();
  if (leader != nullptr && leader->paused_until > now_) leader = nullptr;
  switch (random_.Uniform(20)) {
    case 0: {
      if (!random_.OneIn(3)) break;
      if (!n->node->TransferLeadership(random_.Uniform(nodes_.size() + 1)).ok()) break;
      ++result_.transfers;
      break;
    }
    case 1:
      if (random_.OneIn(4)) n->node->Campaign();
      break;
    case 2: {
      if (!changes_membership_) break;
      if (adversary_ != Adversary::kChangesMembers && !random_.OneIn(3)) break;
      if (leader != nullptr) n = leader;
      Membership target;
      if (adversary_ == Adversary::kChangesMembers && random_.OneIn(2)) {
        target = OneVoterMoreOrLess(*n);
      } else {
        for (auto& member : nodes_) {
          uint64_t kind = random_.Uniform(3);
          if (kind == 0) target.learners.push_back(member->id);
          if (kind == 1) target.voters.push_back(member->id);
        }
      }
      if (!n->node->ProposeConfChange(target).ok()) break;
      ++result_.conf_changes;
      if (adversary_ != Adversary::kChangesMembers) break;
      if (!random_.OneIn(4)) CutSomeOf(n->id);
      if (random_.OneIn(4)) Doom(n->id, 6 * kTick);
      break;
    }
    case 3: {  // flush and cut
      n->flushed = n->state;
      Index upto = n->flushed.index - std::min<Index>(n->flushed.index, random_.Uniform(20));
      if (n->disk.empty() && n->to_apply.empty() && upto > n->storage.start().index) {
        n->storage.Compact({*n->node->TermAt(upto), upto}, *n->node->MembershipAt(upto));
        if (random_.OneIn(2)) After(*n);
        n->node->OnCompacted(upto);
      }
      break;
    }
    case 4:
      n->flushed = n->state;
      break;
    case 5:
    case 6:
    case 7:
    case 8: {
      uint64_t context = ++reads_;
      open_reads_[context] = {acknowledged_, n->id, n->run};
      n->node->ReadIndex(context);
      break;
    }
    default: {
      if (leader != nullptr && !random_.OneIn(5)) n = leader;
      std::string data = "w" + std::to_string(++proposals_);
      // An entry of more than max_append_bytes travels alone.
      const bool is_large = random_.OneIn(adversary_ == Adversary::kCrashesYoungLeaders ? 2 : 10);
      data.resize(data.size() + random_.Uniform(is_large ? 400 : 30), 'x');
      (void)n->node->Propose(std::make_shared<const std::string>(std::move(data))).ok();
    }
  }
  if (n->node) After(*n);
}

void Simulator::Isolate(NodeId id) {
  for (NodeId other = 1; other < cut_.size(); ++other) {
    cut_[id][other] = cut_[other][id] = other != id;
  }
}

void Simulator::HealLinks() {
  for (auto& row : cut_) std::fill(row.begin(), row.end(), false);
}

// From now on only some of the others hear `id`.
void Simulator::CutSomeOf(NodeId id) {
  HealLinks();
  for (NodeId other = 1; other < cut_.size(); ++other) {
    if (other != id && random_.OneIn(2)) cut_[id][other] = true;
  }
}

// What an adversary does beside reacting to elections.
void Simulator::Provoke() {
  SimNode* leader = FindLeader();
  if (leader == nullptr || leader->paused_until > now_) return;
  const NodeId other = 1 + random_.Uniform(nodes_.size());
  if (adversary_ == Adversary::kTemptsVoters && random_.OneIn(500)) {
    HealLinks();
    switch (random_.Uniform(4)) {
      case 0:
        Isolate(leader->id);
        break;
      case 1:
        leader->paused_until = now_ + 10 * kTick + random_.Uniform(30 * kTick);
        break;
      default:
        cut_[leader->id][other] = cut_[other][leader->id] = other != leader->id;
    }
  }
  const bool again = leader->id == hands_over_ && random_.OneIn(2);
  if (adversary_ == Adversary::kTransfersTwice && other != leader->id &&
      (again || random_.OneIn(200))) {
    if (leader->node->TransferLeadership(other).ok()) ++result_.transfers;
    After(*leader);
  }
}

void Simulator::Disturb() {
  SimNode& n = *nodes_[random_.Uniform(nodes_.size())];
  switch (only_links_fail_ ? 4 + random_.Uniform(6) : random_.Uniform(10)) {
    case 0:
    case 1:
      if (n.node) {
        Crash(n);
      } else {
        Start(n);
      }
      break;
    case 2: {  // the leader
      SimNode* leader = FindLeader();
      if (leader != nullptr) Crash(*leader);
      break;
    }
    case 3:
      if (n.node) n.paused_until = now_ + random_.Uniform(30 * kTick);
      break;
    case 4: {  // two halves
      for (NodeId a = 1; a < cut_.size(); ++a) {
        for (NodeId b = 1; b < cut_.size(); ++b) cut_[a][b] = false;
      }
      uint64_t side = random_.Next();
      for (NodeId a = 1; a < cut_.size(); ++a) {
        for (NodeId b = 1; b < cut_.size(); ++b)
          cut_[a][b] = ((side >> a) & 1) != ((side >> b) & 1);
      }
      break;
    }
    case 5: {  // one direction of one link
      NodeId a = 1 + random_.Uniform(nodes_.size());
      NodeId b = 1 + random_.Uniform(nodes_.size());
      cut_[a][b] = !cut_[a][b];
      break;
    }
    case 6:
    case 7: {  // one link
      NodeId a = 1 + random_.Uniform(nodes_.size());
      NodeId b = 1 + random_.Uniform(nodes_.size());
      cut_[a][b] = true;
      cut_[b][a] = true;
      break;
    }
    default:
      HealLinks();
      for (auto& down : nodes_) {
        if (!down->node && random_.OneIn(2)) Start(*down);
      }
  }
}

void Simulator::CheckLeases() {
  for (auto& n : nodes_) {
    if (!n->node) continue;
    int64_t remaining = n->node->lease_remaining_ticks();
    if (remaining <= 0) continue;
    // What the reader checks by its clock, which runs in a paused process too.
    uint64_t elapsed = now_ - n->last_tick;
    if (breach_ == Breach::kTicksOfAPauseAreForgotten) elapsed = 0;
    if (remaining != INT32_MAX && elapsed >= static_cast<uint64_t>(remaining) * n->tick_interval) {
      continue;
    }
    ++result_.lease_checks;
    CHECK_MSG(n->node->commit_index() >= acknowledged_,
              "node " + std::to_string(n->id) + " has a lease for " + std::to_string(remaining) +
                  " ticks but not the entry " + std::to_string(acknowledged_) + Describe());
  }
}

void Simulator::Step() {
  now_ += kStep;
  if (doomed_ != kNoNode && doomed_at_ <= now_) {
    SimNode& n = *nodes_[doomed_ - 1];
    doomed_ = kNoNode;
    if (n.node && is_faulty_) {
      Crash(n);
      Start(n);
    }
  }
  for (auto& n : nodes_) {
    if (!n->node || n->paused_until > now_) continue;
    if (breach_ == Breach::kTicksOfAPauseAreForgotten && n->next_tick + n->tick_interval <= now_) {
      n->next_tick = now_;
    }
    // After a pause all that was missed, at once, and before anything else is heard.
    while (n->next_tick <= now_) {
      n->last_tick = n->next_tick;
      n->next_tick += n->tick_interval;
      n->node->Tick();
      After(*n);
    }
  }
  while (!network_.empty() && network_.top().at <= now_) {
    Delivery d = network_.top();
    network_.pop();
    Deliver(std::move(d));
  }
  for (auto& n : nodes_) {
    if (!n->node || n->paused_until > now_) continue;
    CompleteWrites(*n, false);
    Apply(*n, is_faulty_ ? random_.Uniform(4) : 1000);
  }
  CheckLeases();
}

bool Simulator::Agreed() {
  SimNode* leader = FindLeader();
  if (leader == nullptr) return false;
  const Node& node = *leader->node;
  if (node.commit_index() != node.last_index() || IsJoint(node.membership())) return false;
  if (!IsVoter(node.membership(), leader->id)) return false;
  for (auto& n : nodes_) {
    if (!IsMember(node.membership(), n->id)) continue;
    if (n->state.index != node.last_index() || n->state.hash != leader->state.hash) return false;
    if (n->node->term() != node.term() || n->node->leader() != leader->id) return false;
    if (n->node->membership() != node.membership()) return false;
  }
  return true;
}

std::string Simulator::Describe() const {
  std::string text;
  auto add = [&text](const char* name, const std::vector<NodeId>& ids) {
    text += name;
    for (NodeId id : ids) text += std::to_string(id) + " ";
  };
  for (const auto& n : nodes_) {
    if (!n->node) continue;
    NodeStatus s = n->node->GetStatus();
    text += "\nnode " + std::to_string(n->id) + " " + std::string(RoleName(s.role)) + " leader " +
            std::to_string(s.leader) + " term " + std::to_string(s.term) + " commit " +
            std::to_string(s.commit_index) + " applied " + std::to_string(n->state.index) +
            " first " + std::to_string(s.first_index) + " last " + std::to_string(s.last_index);
    add(" voters ", n->node->membership().voters);
    add("outgoing ", n->node->membership().voters_outgoing);
    add("learners ", n->node->membership().learners);
    for (const PeerStatus& peer : s.peers) {
      text += "\n  peer " + std::to_string(peer.id) + " " + std::string(peer.state) + " match " +
              std::to_string(peer.match_index) + " next " + std::to_string(peer.next_index) +
              (peer.active ? " active" : "");
    }
  }
  return text;
}

void Simulator::HealAndAgree() {
  is_faulty_ = false;
  HealLinks();
  for (auto& n : nodes_) {
    n->paused_until = 0;
    if (!n->node) Start(*n);
  }
  Index before = acknowledged_;
  bool proposed = false;
  uint64_t read = 0;
  uint64_t end = now_ + kPeacefulTime;
  while (now_ < end) {
    Step();
    SimNode* leader = FindLeader();
    if (!proposed && leader != nullptr && now_ + kPeacefulTime / 2 > end) {
      auto data = std::make_shared<const std::string>("last");
      proposed = leader->node->Propose(data).ok();
      After(*leader);
    }
    if (proposed && read == 0 && Agreed()) {
      // Every member can read.
      for (auto& n : nodes_) {
        if (!IsMember(leader->node->membership(), n->id)) continue;
        read = ++reads_;
        open_reads_[read] = {acknowledged_, n->id, n->run};
        n->node->ReadIndex(read);
        After(*n);
      }
    }
    if (read != 0 && Agreed() && open_reads_.count(read) == 0) break;
  }
  CHECK_MSG(proposed, "no leader takes a proposal after the faults ended" + Describe());
  CHECK_MSG(Agreed(), "the nodes do not agree after the faults ended" + Describe());
  CHECK_GT(acknowledged_, before);
  CHECK_EQ(open_reads_.count(read), 0u);
}

SimulationResult Simulator::Run() {
  while (now_ < kFaultyTime) {
    Step();
    if (random_.OneIn(3)) ClientAction();
    Provoke();
    if (random_.OneIn(fault_interval_)) Disturb();
  }
  HealAndAgree();
  result_.committed = acknowledged_;
  for (auto& n : nodes_) {
    for (const Entry& entry : n->storage.entries()) Note(entry.term * 31 + entry.index);
    Note(n->state.hash);
  }
  return result_;
}

}  // namespace metastore::raft
