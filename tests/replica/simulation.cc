#include "tests/replica/simulation.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "raft/membership.h"
#include "replica/check.h"
#include "replica/item_check.h"
#include "tests/replica/collection_load.h"
#include "tests/replica/witness.h"
#include "types/keyspace.h"

namespace metastore::replica {
namespace {

constexpr int64_t kTickNs = 10'000'000;
constexpr int kKeys = 3;
constexpr int kClientsPerNode = 3;
// Collections need more commands between two faults to become large.
constexpr int kCollectionClientsPerNode = 8;
constexpr uint64_t kCollectionCalm = 3;

// What survives a crash.
class Disk : public raft::LogReader {
 public:
  raft::HardState hard_state;
  raft::Position start;
  raft::Membership membership;
  std::vector<raft::Entry> entries;  // from start.index + 1
  uint64_t runs = 0;
  uint64_t number = 0;                  // drawn with the disk
  std::optional<raft::Position> added;  // the addition it belongs to, as peers say
  bool has_entered = false;
  testing_support::MemoryEngine engine;

  uint64_t Session() const { return (number << 20) + runs; }
  raft::Index last_index() const { return start.index + entries.size(); }
  Result<raft::Term> TermAt(raft::Index index) const override {
    if (index == start.index) return start.term;
    if (index < start.index || index > last_index()) return Status::NotFound();
    return entries[index - start.index - 1].term;
  }
  Result<std::vector<raft::Entry>> Read(raft::Index from, raft::Index to,
                                        size_t max_bytes) const override {
    if (from <= start.index || from > last_index()) return Status::NotFound();
    std::vector<raft::Entry> out;
    size_t bytes = 0;
    for (raft::Index i = from; i < to && i <= last_index(); ++i) {
      const raft::Entry& entry = entries[i - start.index - 1];
      bytes += entry.Size();
      if (!out.empty() && bytes > max_bytes) break;
      out.push_back(entry);
    }
    return out;
  }
  void Append(const engine::LogWrite& write) {
    if (write.hard_state) hard_state = *write.hard_state;
    if (write.snapshot) {
      start = {write.snapshot->term, write.snapshot->index};
      membership = write.snapshot->membership;
      entries.clear();
    }
    for (const raft::Entry& entry : write.entries) {
      CHECK_GT(entry.index, start.index);
      CHECK_LE(entry.index, last_index() + 1);
      entries.resize(entry.index - start.index - 1);
      entries.push_back(entry);
    }
  }
  void Cut(raft::Position upto, const raft::Membership& m) {
    if (upto.index <= start.index) return;
    entries.erase(entries.begin(),
                  entries.begin() + static_cast<ptrdiff_t>(upto.index - start.index));
    start = upto;
    membership = m;
  }
};

// Of batches that no client waits for.
constexpr uint64_t kTopologyTicket = 0;
// Its records as the offline check reads them.
class StoppedDisk : public engine::StoppedNode {
 public:
  explicit StoppedDisk(const testing_support::MemoryEngine& engine)
      : view_(engine.Share(), /*now_ms=*/0), tables_(engine.tables()) {}
  std::optional<engine::Identity> CheckIdentity() override { return std::nullopt; }
  std::optional<engine::StoppedLog> CheckLog(const VisitEntry&) override { return std::nullopt; }
  bool OpenDatabase() override { return true; }
  bool ForEach(engine::Family family, const VisitRecord& visit) override {
    for (const auto& [key, value] : tables_[family]) visit(key, value);
    return true;
  }
  std::optional<std::string> Get(engine::Family family, std::string_view key) override {
    std::string value;
    if (!view_.Get(family, key, &value)) return std::nullopt;
    return value;
  }
  const engine::View& view() const override { return view_; }

 private:
  const testing_support::MemoryView view_;
  const testing_support::Tables& tables_;
};

class Simulation;

struct Op {
  int key = 0;
  std::string token;     // empty: a read
  size_t must_hold = 0;  // bytes acknowledged or read when it was asked
  // Where set, nothing of the above counts.
  std::shared_ptr<const CollectionLoad::Operation> on_collections = nullptr;
  bool expiry = false;  // a batch that the node makes for itself
};

// One running node; gone at a crash.
class Run : public DriverOutputs {
 public:
  Run(Simulation* simulation, raft::NodeId id, Disk* disk);

  void SendRaft(const raft::Message& message) override;
  void SendForward(raft::NodeId leader, std::vector<std::string> batches) override;
  void Write(uint64_t persist_number, engine::LogWrite write) override {
    writes_.push_back({persist_number, std::move(write)});
  }
  void Apply(std::vector<raft::Entry> entries) override {
    for (raft::Entry& entry : entries) to_apply_.push_back(std::move(entry));
  }
  void GrantRead(raft::Index index, Lane, uint64_t ticket) override {
    grants_.push_back({index, ticket});
  }
  void RefuseRead(Lane, uint64_t ticket) override;
  void ReadClock();
  void Answer(Lane, uint64_t seq, BatchReply reply) override;
  void AnswerLost(Lane, BatchReply reply) override { OnReply(reply); }
  void PublishCommit(raft::Index commit_index) override {
    CHECK_GE(commit_index, commit_);
    commit_ = commit_index;
  }
  void PublishLease(int64_t lease_until_ns) override { lease_until_ns_ = lease_until_ns; }
  void SendSnapshot(raft::NodeId peer) override;
  void Install(const raft::SnapshotMetadata& snapshot) override { to_install_ = snapshot; }
  void Compact(raft::Position upto, const raft::Membership& membership) override {
    disk_->Cut(upto, membership);
    driver_->OnCompacted(upto.index);
  }
  void OnRoleChange(raft::Role, raft::Term, raft::NodeId) override {}
  void OnMembership(const raft::Membership&) override {
    disk_->has_entered = driver_->has_entered();
  }
  void SendChange(raft::NodeId leader, uint64_t ticket, const MembershipChange& change) override;
  void AnswerChange(raft::NodeId origin, uint64_t ticket, const ChangeResult& result) override;
  // The entry that removed `peer` for all this node has applied; see TransportHandler::NotAMember.
  std::optional<raft::Index> NotAMember(raft::NodeId peer, const Run* its_run) const;
  // See Greeting.
  raft::Index membership_index() const {
    const AppliedMembership& applied = state_machine_.membership();
    return raft::IsMember(applied.membership, id_) ? applied.index : 0;
  }
  void AskChange(MembershipChange change);

  void OnReply(const BatchReply& reply);
  void SyncSome(Random& random);
  void ApplySome(Random& random);
  void StartOps(Random& random);
  void TellTopology(Random& random);
  void Flush();
  void ReceiveSnapshot(const raft::SnapshotMetadata& snapshot, testing_support::Tables tables);
  // Something is due, or left of what was deleted.
  bool NeedsExpiry() const;
  bool Idle() const { return appends_.empty() && reads_.empty() && changes_.empty(); }
  RaftDriver& driver() { return *driver_; }
  raft::Index applied() const { return state_machine_.applied().index; }

 private:
  friend class Simulation;
  struct PendingWrite {
    uint64_t number;
    engine::LogWrite write;
  };
  void ServeGranted();
  void ServeRead(uint64_t ticket);
  void RequestRead(uint64_t ticket, Op op);
  void StartOpOnCollections(Random& random);
  void ProposeExpiry();
  int64_t WallMs() const;

  Simulation* const simulation_;
  const raft::NodeId id_;
  Disk* const disk_;
  // Of every other node's clients: what is gathered for them may change nothing.
  engine::Interest interest_;
  StateMachine state_machine_;
  std::deque<PendingWrite> writes_;
  std::deque<raft::Entry> to_apply_;
  std::deque<std::pair<uint64_t, BatchReply>> to_abandon_;
  std::optional<raft::SnapshotMetadata> to_install_;
  testing_support::Tables received_;
  std::vector<std::pair<raft::Index, uint64_t>> grants_;
  std::map<uint64_t, Op> appends_;  // by ticket
  std::map<uint64_t, Op> reads_;
  std::set<uint64_t> changes_;
  uint64_t next_ticket_ = 1;
  raft::Index commit_ = 0;
  int64_t lease_until_ns_ = 0;
  int64_t last_expiry_ns_ = 0;
  bool expiry_under_way_ = false;
  int64_t expiry_floors_ms_[2] = {0, 0};  // of keys and of fields
  std::unique_ptr<RaftDriver> driver_;
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options) : options_(options), random_(options.seed) {
    for (int i = 0; i < options.nodes; ++i) {
      disks_.push_back(NewDisk());
      for (int v = 1; v <= Founders() && i < Founders(); ++v) {
        raft::Membership& membership = disks_.back()->membership;
        membership.voters.push_back(static_cast<raft::NodeId>(v));
        membership.peers.push_back({static_cast<raft::NodeId>(v), Url(v), false, {}});
        disks_.back()->added = raft::Position{};
        disks_.back()->has_entered = true;
      }
    }
    runs_.resize(static_cast<size_t>(options.nodes));
    paused_until_ns_.resize(static_cast<size_t>(options.nodes));
    acknowledged_.resize(kKeys);
    if (options.witness) witness_.emplace(disks_.front()->membership, options.seed);
    for (int i = 0; i < Founders(); ++i) StartNode(i);
  }

  SimulationResult Go() {
    for (int step = 0; step < options_.steps && result_.ok; ++step) Step(true);
    // Heal: everything up, nothing lost, until all that was asked is answered.
    cut_.clear();
    for (int i = 0; i < options_.nodes; ++i) {
      // A node that was added has somebody who starts it in the end.
      if (!runs_[static_cast<size_t>(i)]) StartNode(i);
    }
    healing_ = true;
    Settle();
    // Everything has its deadline now, so that it can pass.
    all_due_ = options_.collections;
    if (all_due_) Settle();
    if (result_.ok && !Quiet()) Fail("no progress after all faults were healed");
    if (result_.ok) Judge();
    return result_;
  }

  void Fail(const std::string& why) {
    if (!result_.ok) return;
    result_.ok = false;
    result_.failure = why;
  }
  int64_t now_ns() const { return now_ns_; }
  const SimulationOptions& options() const { return options_; }
  // Long time-outs leave time to do wrong in.
  int election_ticks() const { return options_.seed % 2 == 0 ? 10 : 40; }

  void SendRaft(const raft::Message& message) {
    Mix(static_cast<uint64_t>(message.type) * 31 + message.to * 7 + message.term);
    Deliver(message.from, message.to, [this, message](Run& run) {
      if (!options_.late_clock) run.ReadClock();
      run.driver().OnRaftMessage(message);
    });
  }
  void SendForward(raft::NodeId from, raft::NodeId to, std::vector<std::string> batches) {
    Deliver(from, to, [batches](Run& run) {
      for (const std::string& batch : batches) run.driver().OnForward(batch);
    });
  }
  void SendSnapshot(raft::NodeId from, raft::NodeId to, const raft::SnapshotMetadata& snapshot,
                    testing_support::Tables tables) {
    if (options_.forget_sessions) {
      testing_support::Table& system = tables[engine::Family::kSystem];
      std::erase_if(system,
                    [](const auto& row) { return row.first.starts_with(engine::kSessionPrefix); });
    }
    testing_support::Table& data = tables[engine::Family::kData];
    if (options_.lose_rows && !data.empty()) data.erase(std::prev(data.end()));
    ++result_.snapshots;
    bool lost = !healing_ && random_.OneIn(4);
    Put({from, from, 0, 0, 0, [to, lost, snapshot](Run& run) {
           run.driver().OnSnapshotSent(to, !lost, snapshot.index);
         }});
    if (lost) return;
    Put({from, to, 0, 0, 0,
         [snapshot, shared = std::make_shared<const testing_support::Tables>(std::move(tables))](
             Run& run) { run.ReceiveSnapshot(snapshot, *shared); }});
  }

  void SendChange(raft::NodeId from, raft::NodeId to, uint64_t ticket,
                  const MembershipChange& change) {
    Deliver(
        from, to,
        [from, ticket, change](Run& run) { run.driver().ChangeMembership(from, ticket, change); },
        /*repeats=*/false);
  }
  void AnswerChange(raft::NodeId from, raft::NodeId to, uint64_t ticket,
                    const ChangeResult& result) {
    Deliver(
        from, to, [ticket, result](Run& run) { run.driver().OnChangeAnswer(ticket, result); },
        /*repeats=*/false);
  }
  // Tickets are drawn such that no run takes an answer to an earlier one's for its own.
  uint64_t NewChangeTicket() { return next_change_++; }
  void OnChanged(const ChangeResult& result) {
    if (result.status.ok()) ++result_.changes;
  }

  // --- the judge's books ---------------------------------------------------------------------
  std::string NewToken() { return "<" + std::to_string(next_token_++) + ">"; }
  size_t Floor(int key) const { return acknowledged_[static_cast<size_t>(key)]; }
  void OnAppended(const Op& op, size_t length) {
    ++result_.acknowledged;
    placed_.push_back({op.key, op.token, length});
    if (length <= op.must_hold) Fail("append " + op.token + " went before what it must follow");
    Raise(op.key, length);
  }
  void OnUnknown(const Op& op) {
    if (op.expiry) return;
    ++result_.unknown;
    if (op.on_collections) {
      op.on_collections->done(BatchOutcome::kUnknown, {});
      return;
    }
    unknown_.insert(op.token);
  }
  void OnRefused(const Op& op) {
    ++result_.refused;
    if (op.on_collections) {
      op.on_collections->done(BatchOutcome::kNotApplied, {});
      return;
    }
    refused_.insert(op.token);
  }
  void OnCollections(const Op& op, const CollectionLoad::Replies& replies) {
    ++(op.on_collections->reads ? result_.reads : result_.acknowledged);
    op.on_collections->done(BatchOutcome::kApplied, replies);
    if (!load_.failure().empty()) Fail(load_.failure());
  }
  void OnReclaim() { ++result_.reclaims; }
  CollectionLoad& load() { return load_; }
  bool all_due() const { return all_due_; }
  // Whether the records of a node fit together, at whatever index it is.
  void CheckRecords(raft::NodeId id) {
    if (!options_.collections) return;
    StoppedDisk disk(disks_[id - 1]->engine);
    std::string first;
    engine::Findings findings(1, [&first](const std::string& line) {
      if (first.empty()) first = line;
    });
    result_.keys = CheckState(&disk, &findings);
    if (findings.total() > 0) Fail("node " + std::to_string(id) + ": " + first);
  }
  void OnRead(const Op& op, const std::string& value) {
    ++result_.reads;
    if (value.size() < op.must_hold) {
      Fail("stale read: " + std::to_string(value.size()) + " bytes, " +
           std::to_string(op.must_hold) + " were acknowledged before it");
    }
    Raise(op.key, value.size());
    seen_.push_back({op.key, value});
  }
  void OnApply(const raft::Entry& entry) {
    if (witness_) witness_->Apply(entry);
  }
  // What replicas computed from the same log must never differ, not even in between.
  void OnDigest(raft::Index index, uint64_t digest) {
    uint64_t seen = digests_.emplace(index, digest).first->second;
    if (seen != digest) Fail("replicas differ at index " + std::to_string(index));
  }
  void Mix(uint64_t v) {
    result_.fingerprint = (result_.fingerprint ^ v) * 0x9e3779b97f4a7c15;
    result_.fingerprint ^= result_.fingerprint >> 29;
  }

 private:
  struct Packet {
    raft::NodeId from, to;
    uint64_t from_disk, to_disk;
    int64_t due_ns;
    std::function<void(Run&)> act;
  };
  struct Placed {
    int key;
    std::string token;
    size_t length;
  };

  void Settle() {
    for (int step = 0; step < 200000 && result_.ok && !Quiet(); ++step) {
      Step(false);
      for (int i = 0; i < options_.nodes && step % 1000 == 0; ++i) {
        if (!runs_[static_cast<size_t>(i)]) StartNode(i);
      }
    }
  }

  void CountExpired(const Run& run) {
    result_.expired_keys += run.state_machine_.expired_keys();
    result_.expired_fields += run.state_machine_.expired_fields();
  }

  // After a pause a node first reads what lies in its sockets.
  void WakeUp(size_t i) {
    std::vector<Packet> came;
    std::erase_if(network_, [&](Packet& packet) {
      if (packet.to != i + 1 || packet.due_ns > now_ns_) return false;
      came.push_back(std::move(packet));
      return true;
    });
    for (Packet& packet : came) {
      Arrive(packet);
    }
    if (!runs_[i]) return;
    runs_[i]->ReadClock();
    runs_[i]->driver().Pump();
  }

  bool Paused(size_t i) const { return !healing_ && now_ns_ < paused_until_ns_[i]; }

  void Raise(int key, size_t length) {
    size_t& floor = acknowledged_[static_cast<size_t>(key)];
    floor = std::max(floor, length);
  }

  void Deliver(raft::NodeId from, raft::NodeId to, std::function<void(Run&)> act,
               bool repeats = true) {
    if (cut_.contains({from, to})) return;
    if (!healing_) {
      if (random_.OneIn(20)) return;
      if (random_.OneIn(20) && repeats) Put({from, to, 0, 0, Delay(), act});
    }
    Put({from, to, 0, 0, Delay(), std::move(act)});
  }
  // Nodes dial each other again and again, and hear then what became of them.
  void Dial(raft::NodeId from) {
    auto to = 1 + random_.Uniform(static_cast<uint64_t>(options_.nodes));
    if (to != from && runs_[from - 1])
      Deliver(
          from, to, [](Run&) {}, /*repeats=*/false);
  }
  void Put(Packet packet) {
    packet.from_disk = disks_[packet.from - 1]->number;
    packet.to_disk = disks_[packet.to - 1]->number;
    network_.push_back(std::move(packet));
  }
  // What the transport does: peers say first what they know of each other, and a stranger is told.
  void Arrive(const Packet& packet) {
    Run* run = runs_[packet.to - 1].get();
    if (run == nullptr || cut_.contains({packet.from, packet.to})) return;
    // Connections go with the disks between which they were.
    if (packet.from_disk != disks_[packet.from - 1]->number) return;
    if (packet.to_disk != disks_[packet.to - 1]->number) return;
    if (packet.from != packet.to) {
      Run* sender = runs_[packet.from - 1].get();
      if (std::optional<raft::Index> since = run->NotAMember(packet.from, sender)) {
        const std::optional<raft::Position>& added = disks_[packet.from - 1]->added;
        if (sender != nullptr && added && *since > added->index) {
          Remove(static_cast<int>(packet.from - 1));
        }
        return;
      }
      if (sender != nullptr) {
        const raft::Peer* to = raft::FindPeer(sender->driver().node().membership(), packet.to);
        if (to != nullptr && run->driver().OnAdded(to->added)) {
          disks_[packet.to - 1]->added = to->added;
          disks_[packet.to - 1]->has_entered = run->driver().has_entered();
        }
      }
    }
    packet.act(*run);
  }
  // A node that has learned that it was removed ends, and somebody deletes its directory.
  void Remove(int i) {
    std::unique_ptr<Run>& run = runs_[static_cast<size_t>(i)];
    if (run) {
      for (const auto& [ticket, op] : run->appends_) OnUnknown(op);
      CountExpired(*run);
      run.reset();
    }
    disks_[static_cast<size_t>(i)] = NewDisk();
    ++result_.removed;
  }
  std::unique_ptr<Disk> NewDisk() {
    auto disk = std::make_unique<Disk>();
    // In no order: the next one's may be smaller.
    do {
      disk->number = 1 + random_.Uniform(1 << 20);
    } while (!disk_numbers_.insert(disk->number).second);
    return disk;
  }
  int Founders() const { return options_.founders == 0 ? options_.nodes : options_.founders; }
  static std::string Url(int id) { return "http://node:" + std::to_string(id); }

  // Some operator, at whatever node, wants something that need not make sense.
  void AskForSomeChange(Run* run) {
    MembershipChange change;
    auto some = [this] {
      return static_cast<raft::NodeId>(1 + random_.Uniform(static_cast<uint64_t>(options_.nodes)));
    };
    const raft::NodeId id = some();
    uint64_t kind = random_.Uniform(10);
    const bool replaces = kind == 9;
    if (kind < 4 || replaces) {
      change.add.push_back({id, Url(static_cast<int>(id)), random_.OneIn(4)});
      if (!runs_[id - 1] && random_.OneIn(2)) StartNode(static_cast<int>(id - 1));
    }
    if (kind >= 4 && kind < 7) change.remove.push_back(id);
    if (kind == 7) change.promote.push_back(id);
    if (kind == 8) change.transfer = id;
    if (replaces) {
      const raft::NodeId other = some();
      if (other != id) change.remove.push_back(other);
    }
    run->AskChange(std::move(change));
  }
  int64_t Delay() {
    int64_t most = random_.OneIn(30) ? 60 : 2;
    return now_ns_ + static_cast<int64_t>(random_.Uniform(static_cast<uint64_t>(most))) * kTickNs;
  }

  void StartNode(int i) {
    Disk& disk = *disks_[static_cast<size_t>(i)];
    ++disk.runs;
    CheckRecords(static_cast<raft::NodeId>(i + 1));
    runs_[static_cast<size_t>(i)] =
        std::make_unique<Run>(this, static_cast<raft::NodeId>(i + 1), &disk);
  }

  void Crash(int i) {
    std::unique_ptr<Run>& run = runs_[static_cast<size_t>(i)];
    // A write that was under way may have reached the disk, or not.
    if (!run->writes_.empty() && random_.OneIn(2))
      disks_[static_cast<size_t>(i)]->Append(run->writes_.front().write);
    for (const auto& [ticket, op] : run->appends_) OnUnknown(op);
    CountExpired(*run);
    run.reset();
    disks_[static_cast<size_t>(i)]->engine.Crash();
    ++result_.crashes;
  }

  void Step(bool faults) {
    if (random_.OneIn(3)) now_ns_ += kTickNs;
    for (size_t paused = 0; paused < runs_.size(); ++paused) {
      if (paused_until_ns_[paused] == 0 || Paused(paused)) continue;
      paused_until_ns_[paused] = 0;
      if (runs_[paused]) WakeUp(paused);
    }
    for (int deliveries = 0; deliveries < 4 && !network_.empty(); ++deliveries) {
      size_t at = random_.Uniform(network_.size());
      if (network_[at].due_ns > now_ns_ || Paused(network_[at].to - 1)) continue;
      Packet packet = std::move(network_[at]);
      network_.erase(network_.begin() + static_cast<ptrdiff_t>(at));
      Arrive(packet);
    }
    int i = static_cast<int>(random_.Uniform(static_cast<uint64_t>(options_.nodes)));
    if (options_.changes && random_.OneIn(10)) Dial(static_cast<raft::NodeId>(i + 1));
    Run* run = runs_[static_cast<size_t>(i)].get();
    if (run != nullptr && !Paused(static_cast<size_t>(i))) {
      run->ReadClock();
      run->SyncSome(random_);
      run->ApplySome(random_);
      if (faults && random_.OneIn(options_.collections ? 1 : 4)) run->StartOps(random_);
      if (faults && options_.changes && random_.OneIn(80)) AskForSomeChange(run);
      if (options_.compaction && random_.OneIn(60)) run->Flush();
      run->driver().Pump();
    }
    if (!faults) return;
    const uint64_t calm = options_.collections ? kCollectionCalm : 1;
    if (options_.pauses && random_.OneIn(400 * calm)) {
      // All but one, then that one is cut off: what a single node did wrong after a pause would
      // need another to agree, and the leader must not hear of it.
      int64_t ticks =
          election_ticks() / 2 + static_cast<int64_t>(random_.Uniform(2 * election_ticks()));
      alone_ = random_.Uniform(runs_.size());
      for (size_t leader = 0; leader < runs_.size(); ++leader) {
        if (runs_[leader] && runs_[leader]->lease_until_ns_ > now_ns_) alone_ = leader;
      }
      for (int64_t& paused : paused_until_ns_) paused = now_ns_ + ticks * kTickNs;
      paused_until_ns_[alone_] = 0;
      isolate_at_ns_ = random_.OneIn(2) ? now_ns_ + ticks * kTickNs : 0;
    }
    if (isolate_at_ns_ != 0 && now_ns_ >= isolate_at_ns_) {
      // First it still hears the others.
      bool hears = !cut_.contains({alone_ + 1, (alone_ + 1) % runs_.size() + 1});
      Isolate(alone_ + 1, !hears);
      isolate_at_ns_ = hears ? now_ns_ + 3 * kTickNs : 0;
    }
    if (options_.crashes && random_.OneIn(250 * calm)) {
      if (runs_[static_cast<size_t>(i)]) {
        Crash(i);
      } else if (disks_[static_cast<size_t>(i)]->runs > 0 || random_.OneIn(2)) {
        StartNode(i);
      }
    }
    if (options_.partitions && random_.OneIn(200 * calm)) {
      if (random_.OneIn(2)) {
        cut_.clear();
        for (std::unique_ptr<Run>& run : runs_) {
          if (!run) continue;
          for (int peer = 1; peer <= options_.nodes; ++peer) {
            run->driver().OnForwardLinkUp(static_cast<raft::NodeId>(peer));
          }
        }
      } else {
        auto from = 1 + random_.Uniform(static_cast<uint64_t>(options_.nodes));
        Isolate(from, random_.OneIn(2));
      }
    }
    if (random_.OneIn(400 * calm) && runs_[static_cast<size_t>(i)] &&
        !Paused(static_cast<size_t>(i))) {
      runs_[static_cast<size_t>(i)]->driver().TransferLeadership(
          1 + random_.Uniform(static_cast<uint64_t>(options_.nodes)));
    }
  }

  void Isolate(raft::NodeId from, bool both) {
    for (raft::NodeId to = 1; to <= runs_.size(); ++to) {
      if (to == from) continue;
      cut_.insert({from, to});
      if (both) cut_.insert({to, from});
    }
  }

  bool Quiet() {
    const Run* leader = nullptr;
    for (std::unique_ptr<Run>& run : runs_) {
      if (!run) continue;
      if (!run->Idle()) return false;
      if (run->driver().node().role() != raft::Role::kLeader) continue;
      if (leader == nullptr || run->driver().node().term() > leader->driver_->node().term()) {
        leader = run.get();
      }
    }
    if (leader == nullptr || leader->applied() == 0) return false;
    if (options_.collections && leader->NeedsExpiry()) return false;
    const raft::Index applied = leader->applied();
    const raft::Membership& membership = leader->driver_->node().membership();
    if (raft::IsJoint(membership)) return false;
    for (const raft::Peer& peer : membership.peers) {
      if (peer.promote && raft::IsLearner(membership, peer.id)) return false;
    }
    members_ = raft::Members(membership);
    for (raft::NodeId id : members_) {
      std::unique_ptr<Run>& run = runs_[id - 1];
      if (!run || run->applied() != applied || run->driver().pending().size() > 0) return false;
      // A new leader's no-op, and with it what lies below, may not be committed yet.
      if (run->driver().node().commit_index() != applied) return false;
      if (run->driver().node().last_index() != applied) return false;
      if (run->driver().node().leader() != leader->id_) return false;
    }
    return true;
  }

  static std::string Difference(const testing_support::Tables& a,
                                const testing_support::Tables& b) {
    for (size_t f = 0; f < engine::kFamilyCount; ++f) {
      testing_support::Table both = a.families[f];
      both.insert(b.families[f].begin(), b.families[f].end());
      for (const auto& [key, value] : both) {
        auto at_a = a.families[f].find(key), at_b = b.families[f].find(key);
        std::string value_a = at_a == a.families[f].end() ? "nothing" : Printable(at_a->second);
        std::string value_b = at_b == b.families[f].end() ? "nothing" : Printable(at_b->second);
        if (value_a == value_b) continue;
        return ": family " + std::to_string(f) + ", " + Printable(key) + ": " + value_a + ", " +
               value_b;
      }
    }
    return "";
  }
  static std::string Printable(const std::string& bytes) {
    std::string text;
    for (unsigned char c : bytes) {
      text +=
          c >= ' ' && c <= '~' ? std::string(1, static_cast<char>(c)) : "\\" + std::to_string(c);
    }
    return text;
  }

  void JudgeCollections(raft::NodeId id) {
    CheckRecords(id);
    const testing_support::MemoryEngine& engine = disks_[id - 1]->engine;
    load_.Judge(*engine.NewView(runs_[id - 1]->WallMs()));
    if (!load_.failure().empty()) Fail(load_.failure());
    for (int prefix = 0; prefix < 255; ++prefix) {
      result_.spread += engine.NewView(0)->Counts(static_cast<uint8_t>(prefix)).spread;
    }
    for (std::unique_ptr<Run>& run : runs_) {
      if (run) CountExpired(*run);
    }
    if (!witness_) return;
    const std::string difference = witness_->Difference(engine.tables());
    if (!difference.empty()) Fail("the witness differs: " + difference);
    constexpr int kQuestions = 200;
    const int64_t now_ms = runs_[id - 1]->WallMs();
    for (int i = 0; i < kQuestions; ++i) {
      const CollectionLoad::Operation question = load_.Question(random_);
      for (const CollectionLoad::Words& words : question.commands) {
        if (CollectionLoad::Ask(*engine.NewView(now_ms), question.db, words) ==
            CollectionLoad::Ask(*witness_->NewView(now_ms), question.db, words)) {
          continue;
        }
        Fail("the witness has another answer to " + words[0] + " " + words.back());
      }
    }
  }

  void Judge() {
    const raft::NodeId first = members_.front();
    const testing_support::Tables& tables = disks_[first - 1]->engine.tables();
    for (raft::NodeId id : members_) {
      if (!(disks_[id - 1]->engine.tables() == tables)) {
        Fail("replicas " + std::to_string(first) + " and " + std::to_string(id) +
             " hold different bytes" + Difference(tables, disks_[id - 1]->engine.tables()));
        return;
      }
    }
    if (options_.collections) JudgeCollections(first);
    std::vector<std::string> finals;
    for (int key = 0; key < kKeys; ++key) finals.push_back(Value(static_cast<int>(first - 1), key));
    for (const Placed& placed : placed_) {
      const std::string& value = finals[static_cast<size_t>(placed.key)];
      size_t at = value.find(placed.token);
      if (at == std::string::npos) {
        Fail("acknowledged append " + placed.token + " is lost");
      } else if (at + placed.token.size() != placed.length) {
        Fail("append " + placed.token + " is not where its reply said");
      }
    }
    for (const auto& [key, value] : seen_) {
      if (!finals[static_cast<size_t>(key)].starts_with(value)) Fail("a read saw what never was");
    }
    std::set<std::string> tokens;
    for (const std::string& value : finals) {
      size_t at = 0;
      while (at < value.size()) {
        size_t end = value.find('>', at);
        std::string token = value.substr(at, end + 1 - at);
        if (!tokens.insert(token).second) Fail("append " + token + " was applied twice");
        if (refused_.contains(token)) Fail("append " + token + " was refused and applied");
        at = end + 1;
      }
    }
    for (const std::string& value : finals) {
      for (char c : value) Mix(static_cast<uint64_t>(c));
    }
    Mix(now_ns_);
  }

 public:
  std::string Value(int node, int key) {
    std::unique_ptr<engine::View> view = disks_[static_cast<size_t>(node)]->engine.NewView(0);
    commands::ReadContext context(*view, 0);
    std::string out;
    resp::Writer writer(&out, 2);
    std::string name = "key" + std::to_string(key);
    std::vector<std::string_view> args = {"GET", name};
    CHECK_OK(FindDataCommand("GET")->handler.read(context, args, writer));
    if (out == "$-1\r\n") return "";
    size_t line = out.find("\r\n");
    return out.substr(line + 2, out.size() - line - 4);
  }

 private:
  const SimulationOptions options_;
  Random random_;
  std::set<uint64_t> disk_numbers_;
  uint64_t next_change_ = 1;
  std::vector<raft::NodeId> members_;  // as of the last Quiet
  int64_t now_ns_ = 1'000'000'000;
  bool healing_ = false;
  bool all_due_ = false;
  std::vector<std::unique_ptr<Disk>> disks_;
  std::vector<std::unique_ptr<Run>> runs_;
  std::vector<int64_t> paused_until_ns_;
  size_t alone_ = 0;
  int64_t isolate_at_ns_ = 0;
  std::vector<Packet> network_;
  std::set<std::pair<raft::NodeId, raft::NodeId>> cut_;
  uint64_t next_token_ = 1;
  std::map<raft::Index, uint64_t> digests_;
  CollectionLoad load_;
  std::optional<Witness> witness_;
  std::vector<size_t> acknowledged_;
  std::vector<Placed> placed_;
  std::set<std::string> unknown_, refused_;
  std::vector<std::pair<int, std::string>> seen_;
  SimulationResult result_;
};

Run::Run(Simulation* simulation, raft::NodeId id, Disk* disk)
    : simulation_(simulation),
      id_(id),
      disk_(disk),
      state_machine_(&disk->engine, id, disk->Session(), FindDataCommand) {
  interest_.AddKeys(1);
  interest_.AddMessages(1);
  interest_.SetNotifyClasses(UINT32_MAX);
  state_machine_.set_interest(id % 2 == 0 ? &interest_ : nullptr);
  state_machine_.AdoptMembership(disk->membership);
  raft::Position applied = state_machine_.applied();
  if (applied.index > disk->last_index() ||
      (applied.index > 0 && *disk->TermAt(applied.index) != applied.term)) {
    // A crash between the install of a snapshot and its record in the log.
    engine::LogWrite write;
    write.hard_state = disk->hard_state;
    write.hard_state->term = std::max(write.hard_state->term, applied.term);
    write.hard_state->commit_index = std::max(write.hard_state->commit_index, applied.index);
    write.snapshot =
        raft::SnapshotMetadata{applied.index, applied.term, state_machine_.membership().membership};
    disk->Append(write);
  }
  DriverOptions options;
  options.raft.id = id;
  options.raft.membership = disk->membership;
  options.raft.hard_state = disk->hard_state;
  options.raft.log_start = disk->start;
  options.raft.last_index = disk->last_index();
  options.raft.applied_index = applied.index;
  options.raft.seed = simulation->options().seed * 100 + disk->runs;
  options.raft.election_ticks = simulation->election_ticks();
  options.raft.lease_ticks = options.raft.election_ticks * 9 / 10;
  options.raft.cache_bytes = 2000;
  options.incarnation = disk->Session();
  options.added = disk->added;
  options.has_entered = disk->has_entered;
  options.seed = options.raft.seed + 7;
  options.request_timeout_ns = 800'000'000;
  options.log_retain_bytes = 1000;
  driver_ = std::make_unique<RaftDriver>(options, disk, simulation->now_ns(), this);
}

void Run::SendRaft(const raft::Message& message) { simulation_->SendRaft(message); }
void Run::SendForward(raft::NodeId leader, std::vector<std::string> batches) {
  simulation_->SendForward(id_, leader, std::move(batches));
}
void Run::SendSnapshot(raft::NodeId peer) {
  raft::Position applied = state_machine_.applied();
  simulation_->SendSnapshot(id_, peer,
                            {applied.index, applied.term, state_machine_.membership().membership},
                            disk_->engine.tables());
}
void Run::ReceiveSnapshot(const raft::SnapshotMetadata& snapshot, testing_support::Tables tables) {
  if (driver_->awaits_install()) return;
  received_ = std::move(tables);
  driver_->OnSnapshotReceived(snapshot);
}

void Run::SendChange(raft::NodeId leader, uint64_t ticket, const MembershipChange& change) {
  simulation_->SendChange(id_, leader, ticket, change);
}
void Run::AnswerChange(raft::NodeId origin, uint64_t ticket, const ChangeResult& result) {
  if (origin != id_) return simulation_->AnswerChange(id_, origin, ticket, result);
  if (changes_.erase(ticket) == 0) simulation_->Fail("two answers to one change");
  simulation_->OnChanged(result);
}
void Run::AskChange(MembershipChange change) {
  const uint64_t ticket = simulation_->NewChangeTicket();
  changes_.insert(ticket);
  driver_->ChangeMembership(id_, ticket, std::move(change));
}
std::optional<raft::Index> Run::NotAMember(raft::NodeId peer, const Run* its_run) const {
  const AppliedMembership& applied = state_machine_.membership();
  if (its_run != nullptr && its_run->membership_index() > applied.index) return std::nullopt;
  if (!raft::IsMember(applied.membership, id_)) return std::nullopt;
  if (raft::IsMember(applied.membership, peer)) return std::nullopt;
  if (raft::IsMember(driver_->node().membership(), peer)) return std::nullopt;
  return applied.index;
}

void Run::RefuseRead(Lane, uint64_t ticket) {
  if (reads_.erase(ticket) == 0) simulation_->Fail("two answers to one read");
}

int64_t Run::WallMs() const {
  // The wall clock of each node jumps every second, by up to an hour: it decides when keys expire,
  // and neither leases nor timeouts nor what is read. Collections expire, so there it jumps by less
  // than what they live, until the end, when all that is due has to go.
  const int64_t now_ns = simulation_->now_ns();
  Random jump(static_cast<uint64_t>(now_ns / 1'000'000'000) * 64 + id_);
  const bool collections = simulation_->options().collections;
  const int64_t all_due_ms = simulation_->all_due() ? 2 * CollectionLoad::kMaxNearMs : 0;
  return now_ns / 1'000'000 + all_due_ms +
         static_cast<int64_t>(jump.Uniform(collections ? 700 : 3'600'000));
}

void Run::ReadClock() { driver_->OnTime(simulation_->now_ns(), WallMs()); }

void Run::Answer(Lane, uint64_t seq, BatchReply reply) {
  if (seq == 0 || simulation_->options().answer_twice) {
    OnReply(reply);
  } else {
    to_abandon_.emplace_back(seq, std::move(reply));
  }
}

void Run::OnReply(const BatchReply& reply) {
  if (reply.ticket == kTopologyTicket) return;
  auto it = appends_.find(reply.ticket);
  if (it == appends_.end()) {
    simulation_->Fail("two answers to one command");
    return;
  }
  Op op = it->second;
  appends_.erase(it);
  if (op.expiry) {
    expiry_under_way_ = false;
    return;
  }
  switch (reply.outcome) {
    case BatchOutcome::kApplied: {
      if (op.on_collections) {
        CollectionLoad::Replies replies(op.on_collections->commands.size());
        CHECK_EQ(reply.ends.size(), replies.size());
        std::string_view rest = reply.bytes;
        for (size_t i = 0; i < replies.size(); ++i) {
          CHECK(resp::ParseValue(&rest, &replies[i]) == resp::ParseResult::kValue);
          CHECK_EQ(reply.bytes.size() - rest.size(), reply.ends[i]);
        }
        simulation_->OnCollections(op, replies);
        return;
      }
      if (op.token.empty()) {  // a read that rode in the log
        std::string value;
        if (reply.bytes != "$-1\r\n") {
          size_t line = reply.bytes.find("\r\n");
          value = reply.bytes.substr(line + 2, reply.bytes.size() - line - 4);
        }
        simulation_->OnRead(op, value);
        return;
      }
      CHECK_EQ(reply.ends.size(), 1u);
      CHECK_EQ(reply.bytes[0], ':');
      simulation_->OnAppended(op, std::stoul(reply.bytes.substr(1)));
      return;
    }
    case BatchOutcome::kUnknown:
      if (op.on_collections || !op.token.empty()) simulation_->OnUnknown(op);
      return;
    case BatchOutcome::kNotApplied:
      if (op.on_collections || !op.token.empty()) simulation_->OnRefused(op);
      return;
  }
}

void Run::SyncSome(Random& random) {
  size_t count = random.Uniform(3);
  for (; count > 0 && !writes_.empty(); --count) {
    disk_->Append(writes_.front().write);
    uint64_t number = writes_.front().number;
    writes_.pop_front();
    driver_->OnPersisted(number);
  }
}

void Run::ApplySome(Random& random) {
  for (; !to_abandon_.empty(); to_abandon_.pop_front()) {
    auto& [seq, reply] = to_abandon_.front();
    if (state_machine_.Abandon(seq)) OnReply(reply);
  }
  if (to_install_ && to_apply_.empty()) {
    raft::SnapshotMetadata snapshot = *to_install_;
    to_install_.reset();
    disk_->engine.Replace(std::move(received_));
    state_machine_.Reload();
    simulation_->CheckRecords(id_);
    std::fill(std::begin(expiry_floors_ms_), std::end(expiry_floors_ms_), 0);
    driver_->OnInstalled(snapshot, state_machine_.own_seq());
    ServeGranted();
    return;
  }
  size_t count = random.Uniform(4);
  std::vector<LaneReply> replies;
  bool applied = false;
  for (; count > 0 && !to_apply_.empty(); --count) {
    simulation_->OnApply(to_apply_.front());
    state_machine_.Apply(to_apply_.front(), &replies);
    to_apply_.pop_front();
    applied = true;
    if (state_machine_.must_commit()) break;
  }
  if (applied) {
    state_machine_.Commit();
    state_machine_.TakeEvents();
    for (LaneReply& reply : replies) OnReply(reply.reply);
    simulation_->OnDigest(state_machine_.applied().index, disk_->engine.txn().digest().value());
    driver_->OnApplied(state_machine_.applied(), state_machine_.own_seq());
  }
  ServeGranted();
  if (simulation_->options().collections) ProposeExpiry();
}

// As the apply role does it for the leader (threaded_replica.cc, CollectExpired).
void Run::ProposeExpiry() {
  constexpr int64_t kIntervalNs = 100'000'000;
  constexpr size_t kLimit = 20;
  const int64_t now_ns = simulation_->now_ns();
  if (driver_->node().role() != raft::Role::kLeader || expiry_under_way_) return;
  if (now_ns - last_expiry_ns_ < kIntervalNs) return;
  last_expiry_ns_ = now_ns;
  BatchBuilder batch;
  std::unique_ptr<engine::View> view = disk_->engine.NewView(WallMs());
  auto add = [&batch](ItemKind kind, const std::vector<types::ExpiredKey>& due) {
    std::vector<std::string> words;
    for (const types::ExpiredKey& key : due) {
      words.push_back(key.meta_key);
      words.push_back(std::to_string(key.deadline_ms));
    }
    std::vector<std::string_view> args(words.begin(), words.end());
    if (!args.empty()) batch.Add(kind, 2, 0, args);
  };
  add(ItemKind::kExpire,
      types::CollectExpired(*view, view->now_ms(), kLimit, &expiry_floors_ms_[0]));
  add(ItemKind::kExpireFields,
      types::CollectExpiredFields(*view, view->now_ms(), kLimit, &expiry_floors_ms_[1]));
  for (int64_t& floor_ms : expiry_floors_ms_) {
    if (simulation_->options().free_floors) break;
    floor_ms = std::min(floor_ms, disk_->engine.txn().now_ms());
  }
  if (types::NeedsReclaim(*view)) {
    batch.Add(ItemKind::kReclaim, 2, 0, {});
    simulation_->OnReclaim();
  }
  if (batch.count() == 0) return;
  expiry_under_way_ = true;
  const uint64_t ticket = next_ticket_++;
  appends_[ticket].expiry = true;
  const uint32_t count = batch.count();
  driver_->Submit(0, ticket, batch.Take(), count);
}

bool Run::NeedsExpiry() const {
  std::unique_ptr<engine::View> view = disk_->engine.NewView(WallMs());
  return types::NeedsReclaim(*view) || !types::CollectExpired(*view, view->now_ms(), 1).empty() ||
         !types::CollectExpiredFields(*view, view->now_ms(), 1).empty();
}

void Run::ServeGranted() {
  std::vector<std::pair<raft::Index, uint64_t>> waiting;
  std::swap(waiting, grants_);
  for (const auto& [index, ticket] : waiting) {
    if (index > applied()) {
      grants_.push_back({index, ticket});
    } else {
      ServeRead(ticket);
    }
  }
}

void Run::ServeRead(uint64_t ticket) {
  auto it = reads_.find(ticket);
  if (it == reads_.end()) {
    simulation_->Fail("two answers to one read");
    return;
  }
  Op op = it->second;
  reads_.erase(it);
  if (op.on_collections) {
    CollectionLoad::Replies replies;
    std::unique_ptr<engine::View> view = disk_->engine.NewView(WallMs());
    for (const CollectionLoad::Words& words : op.on_collections->commands) {
      replies.push_back(CollectionLoad::Ask(*view, op.on_collections->db, words));
    }
    simulation_->OnCollections(op, replies);
    return;
  }
  simulation_->OnRead(op, simulation_->Value(static_cast<int>(id_ - 1), op.key));
}

// What a node adds to the log for itself.
void Run::TellTopology(Random& random) {
  const raft::Term term = driver_->node().term();
  if (term == 0) return;
  const raft::NodeId other = 1 + random.Uniform(5);
  const TopologyNode self{id_, std::string(kNodeNameSize, 'a'), "host",
                          static_cast<uint16_t>(1 + random.Uniform(3)), false};
  const std::vector<std::string> words =
      random.OneIn(2) ? AnnounceItem(self) : LeadItem(term, id_, {other});
  const std::vector<std::string_view> args(words.begin(), words.end());
  BatchBuilder builder;
  builder.Add(ItemKind::kTopology, 2, 0, args);
  driver_->Submit(0, kTopologyTicket, builder.Take(), 1);
}

void Run::RequestRead(uint64_t ticket, Op op) {
  reads_[ticket] = std::move(op);
  bool lease = lease_until_ns_ > simulation_->now_ns();
  if (simulation_->options().break_reads || (lease && applied() >= commit_)) {
    ServeRead(ticket);
  } else {
    driver_->RequestRead(0, ticket);
  }
}

void Run::StartOpOnCollections(Random& random) {
  Op op;
  op.on_collections =
      std::make_shared<const CollectionLoad::Operation>(simulation_->load().Next(random));
  const CollectionLoad::Operation& operation = *op.on_collections;
  bool rides = random.OneIn(4);
  BatchBuilder builder;
  for (const CollectionLoad::Words& words : operation.commands) {
    std::vector<std::string_view> args(words.begin(), words.end());
    Item item;
    item.kind = operation.reads ? ItemKind::kRead : ItemKind::kWrite;
    item.args = args;
    Result<const commands::CommandSpec*> spec = CheckItem(item, FindDataCommand);
    CHECK_MSG(spec.ok(), spec.ToString());
    if (((*spec)->flags & commands::kLargeReply) != 0) rides = false;
    builder.Add(item.kind, 2, operation.db, args);
  }
  const uint64_t ticket = next_ticket_++;
  if (operation.reads && !rides) return RequestRead(ticket, std::move(op));
  appends_[ticket] = std::move(op);
  const uint32_t count = builder.count();
  driver_->Submit(0, ticket, builder.Take(), count);
}

void Run::StartOps(Random& random) {
  if (random.OneIn(64)) TellTopology(random);
  const bool collections = simulation_->options().collections;
  const size_t clients = collections ? kCollectionClientsPerNode : kClientsPerNode;
  if (appends_.size() + reads_.size() >= clients) return;
  if (collections && !random.OneIn(8)) return StartOpOnCollections(random);
  Op op;
  op.key = static_cast<int>(random.Uniform(kKeys));
  op.must_hold = simulation_->Floor(op.key);
  std::string key = "key" + std::to_string(op.key);
  uint64_t ticket = next_ticket_++;
  bool rides = random.OneIn(8);
  if (!rides && random.OneIn(2)) {
    RequestRead(ticket, std::move(op));
    return;
  }
  BatchBuilder builder;
  std::vector<std::string_view> args;
  if (rides) {
    args = {"GET", key};
    builder.Add(ItemKind::kRead, 2, 0, args);
  } else {
    op.token = simulation_->NewToken();
    args = {"APPEND", key, op.token};
    builder.Add(ItemKind::kWrite, 2, 0, args);
  }
  appends_[ticket] = op;
  driver_->Submit(0, ticket, builder.Take(), 1);
}

void Run::Flush() {
  CHECK_OK(disk_->engine.Flush());
  std::optional<std::string> record = disk_->engine.ReadFlushed(engine::kAppliedKey);
  if (record) driver_->OnFlushed(StateMachine::DecodeApplied(*record), UINT64_MAX);
}

}  // namespace

SimulationResult RunSimulation(const SimulationOptions& options) {
  Simulation simulation(options);
  return simulation.Go();
}

}  // namespace metastore::replica
