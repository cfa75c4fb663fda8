#include "replica/threaded_replica.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cinttypes>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <variant>

#include "base/coding.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread_role.h"
#include "commands/errors.h"
#include "engine/system_keys.h"
#include "raft/membership.h"
#include "replica/disk_room.h"
#include "replica/divergence.h"
#include "replica/peer.pb.h"
#include "replica/snapshot_transfer.h"
#include "resp/writer.h"
#include "types/keyspace.h"

namespace metastore::replica {
namespace {

// Batches that this node makes for itself (expiry, topology) come back on no io loop's lane.
constexpr Lane kInternalLane = 1 << 20;
constexpr Lane kTopologyLane = kInternalLane + 1;
// One apply turn is committed at the latest when it has gathered this much.
constexpr size_t kMaxTurnBytes = 4 << 20;
constexpr size_t kMaxExpiredPerBatch = 1000;
constexpr uint64_t kExpirySearchesFromFloor = 600;
constexpr int64_t kExpireIntervalNs = 100'000'000;
// While batches come back full: clients can set more deadlines in an interval than one batch holds.
constexpr int64_t kExpireBusyIntervalNs = 5'000'000;
constexpr int64_t kMaintenanceIntervalNs = 500'000'000;
constexpr uint64_t kMaintenancesPerReclaim = 4;
constexpr int64_t kInfoIntervalNs = 20'000'000;
constexpr int64_t kCopiesIntervalNs = 1'000'000'000;  // where nothing has changed
constexpr int64_t kTopologyIntervalNs = 20'000'000;
constexpr int64_t kDiskIntervalNs = 1'000'000'000;
// How often a log that waits for room looks for it.
constexpr auto kRoomInterval = std::chrono::milliseconds(100);
constexpr int64_t kDigestIntervalNs = 1'000'000'000;
constexpr uint32_t kDigestVersion = 1;
const char kAdded[] = "added";

std::string ToText(raft::Position position) {
  return std::to_string(position.term) + " " + std::to_string(position.index);
}

// host:port of http://host:port.
std::string AddressOf(const std::string& url) {
  size_t begin = url.find("://");
  std::string address = begin == std::string::npos ? url : url.substr(begin + 3);
  while (!address.empty() && address.back() == '/') address.pop_back();
  return address;
}

// A cluster of one, as far as the log's start and no later change say.
bool IsAlone(const raft::Membership& start, const raft::Config& config) {
  return raft::IsOnlyVoter(start, config.id) && start.learners.empty();
}

// --- what comes to the raft role -----------------------------------------------------------------
struct SubmitEvent {
  Lane lane;
  uint64_t ticket;
  std::string body;
  uint32_t count;
};
struct ReadEvent {
  Lane lane;
  uint64_t ticket;
};
struct PersistedEvent {
  uint64_t persist_number;
};
struct AppliedEvent {
  raft::Position position;
  uint64_t own_seq;
};
using RaftEvent =
    std::variant<SubmitEvent, ReadEvent, PersistedEvent, AppliedEvent, std::function<void()>>;

// --- what comes to the log role ------------------------------------------------------------------
struct WriteTask {
  uint64_t persist_number;
  engine::LogWrite write;
};
struct CompactTask {
  raft::Position upto;
  raft::Membership membership;
};
struct RecordTask {
  std::string name;
  std::string value;
};
using LogTask = std::variant<WriteTask, CompactTask, RecordTask>;

// --- what comes to the apply role ----------------------------------------------------------------
struct GrantTask {
  raft::Index index;
  Lane lane;
  uint64_t ticket;
};
struct AbandonTask {
  uint64_t seq;
  Lane lane;
  BatchReply reply;
};
using ApplyTask = std::variant<std::vector<raft::Entry>, GrantTask, AbandonTask,
                               raft::SnapshotMetadata, std::function<void()>>;

class ThreadedReplica : public Replica,
                        private DriverOutputs,
                        private TransportHandler,
                        private Worker {
 public:
  ThreadedReplica(const ThreadedReplicaOptions& options, const Clock* clock, engine::Engine* engine,
                  engine::LogStore* log, Transport* transport)
      : options_(options),
        clock_(clock),
        engine_(engine),
        log_(log),
        transport_(transport),
        alone_(IsAlone(log->start_membership(), options.driver.raft)),
        raft_inbox_([transport] { transport->Wake(); }),
        topology_watch_(options.topology),
        state_machine_(engine, options.driver.raft.id, options.driver.incarnation,
                       options.find_command),
        active_expire_(options.active_expire) {
    state_machine_.set_reply_room([this](Lane lane, size_t bytes) {
      return lane >= lanes_.size() || lanes_[lane]->HasRoomForReplies(bytes);
    });
    state_machine_.set_interest(&interest());
    state_machine_.set_encoding_limits(options.encoding_limits);
    state_machine_.set_master_name(options.master_name);
    state_machine_.AdoptMembership(log->start_membership());
    applied_membership_ = state_machine_.membership();
    passed_membership_ = applied_membership_.index;
    info_.cluster = MakeClusterState();
    passed_epoch_ = info_.cluster->topology.epoch;
    topology_watch_.OnApplied(info_.cluster);
    // Answers to the changes that an earlier run asked for must not be taken for this one's.
    next_change_ = options.driver.seed;
    applied_.store(state_machine_.applied().index);
    info_.id = options.driver.raft.id;
    info_.name = options.topology.own.name;
  }

  ~ThreadedReplica() override { Stop(); }

  // --- Replica, io role ------------------------------------------------------------------------
  void SetLane(Lane lane, LaneSink* sink) override {
    if (lanes_.size() <= lane) lanes_.resize(lane + 1);
    lanes_[lane] = sink;
  }
  void Submit(Lane lane, uint64_t ticket, std::string body, uint32_t count) override {
    raft_inbox_.Put(SubmitEvent{lane, ticket, std::move(body), count});
  }
  bool MayReadNow() const override {
    // The lease first: while it holds, no other node can have acknowledged anything that the
    // commit index read after it does not cover.
    return LeaseHolds() &&
           applied_.load(std::memory_order_acquire) >= commit_.load(std::memory_order_acquire);
  }
  void RequestRead(Lane lane, uint64_t ticket) override {
    if (LeaseHolds()) {
      apply_inbox_.Put(GrantTask{commit_.load(std::memory_order_acquire), lane, ticket});
    } else {
      raft_inbox_.Put(ReadEvent{lane, ticket});
    }
  }
  std::unique_ptr<engine::View> NewView() const override {
    return engine_->NewView(clock_->WallMs());
  }

  // --- Replica, any thread ---------------------------------------------------------------------
  void Tell(const std::shared_ptr<const engine::CommitEvents>& events) override { Deliver(events); }
  ReplicaInfo Info() const override {
    std::lock_guard<std::mutex> lock(info_mutex_);
    ReplicaInfo info = info_;
    info.applied_index = applied_.load();
    info.log_syncs = log_syncs_.load();
    info.log_bytes_written = log_bytes_.load();
    info.expired_keys = expired_keys_.load();
    info.expired_fields = expired_fields_.load();
    return info;
  }
  engine::EngineStats EngineStats() const override { return engine_->Stats(); }
  bool DiskNearlyFull() const override {
    return disk_nearly_full_.load(std::memory_order_relaxed) ||
           majority_nearly_full_.load(std::memory_order_relaxed);
  }
  void ChangeMembership(MembershipChange change,
                        std::function<void(const ChangeResult&)> done) override {
    PostBack([this, change = std::move(change), done = std::move(done)]() mutable {
      // A node that was alone has not listened so far.
      Status listening = change.add.empty() ? Status::Ok() : transport_->Listen();
      if (!listening.ok()) return done({listening, 0});
      uint64_t ticket = next_change_++;
      change_answers_[ticket] = std::move(done);
      driver_->ChangeMembership(options_.driver.raft.id, ticket, std::move(change));
    });
  }
  void SubmitChange(Lane lane, uint64_t ticket, MembershipChange change) override {
    ChangeMembership(std::move(change), [this, lane, ticket](const ChangeResult& result) {
      BatchReply reply;
      reply.ticket = ticket;
      resp::Writer writer(&reply.bytes, 2);
      if (!result.status.ok()) {
        commands::WriteError(result.status, writer);
      } else if (result.added != 0) {
        writer.Integer(static_cast<int64_t>(result.added));
      } else {
        writer.Ok();
      }
      reply.ends.push_back(reply.bytes.size());
      Deliver(lane, std::move(reply));
    });
  }
  void SetActiveExpire(bool on) override { active_expire_.store(on); }
  void SetEncodingLimits(const types::EncodingLimits& limits) override {
    apply_inbox_.Put([this, limits] { state_machine_.set_encoding_limits(limits); });
  }
  void TransferLeadership(raft::NodeId target) override {
    PostBack([this, target] { driver_->TransferLeadership(target); });
  }

  // --- Replica, main thread --------------------------------------------------------------------
  Status Start() override {
    CHECK(!running_);
    running_ = true;
    LookAtDisk();
    raft_thread_ = std::thread([this] { RaftMain(); });
    if (!alone_) StartLogRole();
    apply_thread_ = std::thread([this] { ApplyMain(); });
    worker_thread_ = std::thread([this] { WorkerMain(); });
    return Status::Ok();
  }

  void HandOver() override {
    std::unique_lock<std::mutex> lock(info_mutex_);
    if (info_.role != raft::Role::kLeader || info_.peers.empty()) return;
    lock.unlock();
    TransferLeadership(raft::kNoNode);
    lock.lock();
    info_changed_.wait_for(lock, std::chrono::seconds(1),
                           [this] { return info_.role != raft::Role::kLeader; });
  }

  void Stop() override {
    if (!running_) return;
    running_ = false;
    PostBack([this] {
      driver_->Abandon();
      transport_->Stop();
    });
    raft_thread_.join();
    worker_inbox_.Close();
    worker_thread_.join();
    stopping_.store(true);
    log_inbox_.Close();
    if (log_thread_.joinable()) log_thread_.join();
    apply_inbox_.Close();
    apply_thread_.join();
    Status flushed = engine_->Flush();
    // Nothing is lost by this: the log holds what the state machine has not flushed.
    if (!flushed.ok()) log::warn("cannot flush at shutdown: {}", flushed.ToString());
  }

 private:
  bool LeaseHolds() const {
    int64_t until = lease_until_.load(std::memory_order_acquire);
    return until == INT64_MAX || (until > 0 && clock_->BootNs() < until);
  }

  // --- raft role -------------------------------------------------------------------------------
  void RaftMain() {
    prctl(PR_SET_NAME, "raft");
    raft_role_.Bind();
    now_ns_ = clock_->BootNs();
    DriverOptions options = options_.driver;
    ReadAddition(&options);
    driver_ =
        std::make_unique<RaftDriver>(options, log_, now_ns_, static_cast<DriverOutputs*>(this));
    sender_ = std::make_unique<SnapshotSender>(
        engine_, transport_, static_cast<Worker*>(this), options_.directory + "/snapshot/out",
        options_.snapshot_bytes_per_second, [this](raft::NodeId peer, bool ok, raft::Index index) {
          if (ok) ++snapshots_sent_;
          driver_->OnSnapshotSent(peer, ok, index);
        });
    receiver_ = std::make_unique<SnapshotReceiver>(transport_, static_cast<Worker*>(this),
                                                   options_.directory + "/snapshot/in",
                                                   [this](const raft::SnapshotMetadata& snapshot) {
                                                     return driver_->OnSnapshotReceived(snapshot);
                                                   });
    transport_->Run(this);
    sender_->CancelAll();
  }

  void ReadAddition(DriverOptions* options) {
    std::optional<std::string> record = log_->GetRecord(kAdded);
    if (record) {
      raft::Position added;
      CHECK_EQ(std::sscanf(record->c_str(), "%" SCNu64 " %" SCNu64, &added.term, &added.index), 2);
      options->added = added;
      options->has_entered = record->ends_with(" and entered");
    } else if (log_->GetRecord(kJoinedRecord)) {
      options->added.reset();
      options->has_entered = false;
    }
    recorded_entered_ = options->has_entered;
  }

  void OnTurn() override {
    raft_role_.Assert();
    do {
      ReadClock();
      raft_inbox_.TakeAll(&raft_events_);
      for (RaftEvent& event : raft_events_) {
        std::visit([this](auto& e) { On(e); }, event);
      }
      sender_->OnTime(now_ns_);
      driver_->Pump();
    } while (alone_ && WriteLogHere());
    transport_->AcceptForwards(driver_->WantsForwards());
    if (now_ns_ - last_expire_ns_ >= expire_interval_ns_) StartExpiry();
    if (now_ns_ - last_info_ns_ >= kInfoIntervalNs) PublishInfo();
    if (now_ns_ - last_topology_ns_ >= kTopologyIntervalNs) TellTopology();
    if (now_ns_ - last_disk_ns_ >= kDiskIntervalNs) TellDisk();
    SendDigests();
    if (now_ns_ - last_digest_ns_ >= kDigestIntervalNs) CompareDigests();
  }

  void TellTopology() {
    last_topology_ns_ = now_ns_;
    const raft::Node& node = driver_->node();
    std::optional<std::vector<std::string>> words =
        topology_watch_.Next(now_ns_, node.GetStatus(), node.membership(),
                             [this](raft::NodeId id) { return transport_->LastContactNs(id); });
    if (!words) return;
    BatchBuilder batch;
    const std::vector<std::string_view> args(words->begin(), words->end());
    batch.Add(ItemKind::kTopology, 2, 0, args);
    driver_->Submit(kTopologyLane, 0, batch.Take(), 1);
    driver_->Pump();
  }

  void TellDisk() {
    last_disk_ns_ = now_ns_;
    const bool full = disk_nearly_full_.load();
    const raft::Node& node = driver_->node();
    peer::DiskState report;
    report.set_nearly_full(full);
    std::string frame = wire::MakeFrame(wire::FrameType::kDiskState, report.SerializeAsString());
    for (raft::NodeId peer : raft::Members(node.membership())) {
      if (peer != options_.driver.raft.id) transport_->Send(peer, wire::Channel::kRaft, frame);
    }
    majority_nearly_full_.store(
        disk_reports_.MajorityNearlyFull(node.membership(), options_.driver.raft.id, full, now_ns_),
        std::memory_order_relaxed);
    if (!full || node.role() != raft::Role::kLeader) return;
    if (auto successor = disk_reports_.Successor(node.GetStatus(), now_ns_)) {
      log::info("node {} is to lead: it has room on its disk and this one has not", *successor);
      driver_->TransferLeadership(*successor);
    }
  }

  void SendDigests() {
    for (const DigestPoint& point : divergence_.TakeReports()) {
      peer::StateDigest report;
      report.set_index(point.index);
      report.set_digest(point.digest);
      report.set_version(kDigestVersion);
      std::string frame =
          wire::MakeFrame(wire::FrameType::kStateDigest, report.SerializeAsString());
      for (raft::NodeId peer : raft::Members(driver_->node().membership())) {
        if (peer != options_.driver.raft.id) transport_->Send(peer, wire::Channel::kRaft, frame);
      }
    }
  }

  void CompareDigests() {
    last_digest_ns_ = now_ns_;
    if (driver_->node().role() == raft::Role::kLeader) divergence_.Ask();
    DivergenceWatch::Verdict verdict = divergence_.Judge(driver_->node().membership());
    // Not at once: the others are to hear what this node computed.
    CHECK_MSG(!verdict.wrong || !found_wrong_,
              "this node's state differs from that of a majority at index " +
                  std::to_string(*verdict.wrong) +
                  ": stop, keep its data directory for an inquiry and add the node again with an "
                  "empty one");
    found_wrong_ = verdict.wrong.has_value();
    for (raft::NodeId node : verdict.differing) {
      if (!told_differing_.insert(node).second) continue;
      log::error("the state of node {} differs from this node's", node);
    }
    std::lock_guard<std::mutex> lock(info_mutex_);
    info_.state_compared_index = verdict.compared;
    info_.state_differs = verdict.differing.size();
  }

  // Without peers the raft role has nothing to do while the log syncs but to wait for it, so it
  // plays the log role too: two hand-overs less on the way of every entry.
  bool WriteLogHere() {
    // Until there is room the tasks wait where they are; the next tick looks again.
    if (!LogHasRoom(0)) return false;
    log_inbox_.TakeAll(&log_tasks_);
    if (log_tasks_.empty()) return false;
    RunLogTasks(&log_tasks_, /*in_raft_role=*/true);
    return true;
  }

  void StartLogRole() {
    log_thread_ = std::thread([this] { LogMain(); });
  }

  void ReadClock() {
    now_ns_ = clock_->BootNs();
    driver_->OnTime(now_ns_, clock_->WallMs());
  }

  void On(SubmitEvent& e) { driver_->Submit(e.lane, e.ticket, std::move(e.body), e.count); }
  void On(ReadEvent& e) { driver_->RequestRead(e.lane, e.ticket); }
  void On(PersistedEvent& e) { driver_->OnPersisted(e.persist_number); }
  void On(AppliedEvent& e) { driver_->OnApplied(e.position, e.own_seq); }
  void On(std::function<void()>& f) { f(); }

  bool OnFrame(raft::NodeId from, const wire::Frame& frame) override {
    raft_role_.Assert();
    switch (frame.type) {
      case wire::FrameType::kRaft: {
        Result<raft::Message> message = wire::DecodeRaft(frame.body);
        if (!message.ok() || message->from != from) return false;
        // The log waits for room: entries would only pile up. The leader sends them again.
        if (log_waits_.load() && message->type == raft::MessageType::kAppend) return true;
        ReadClock();
        driver_->OnRaftMessage(std::move(*message));
        return true;
      }
      case wire::FrameType::kForward: {
        peer::Forward forward;
        if (!forward.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()))) {
          return false;
        }
        for (const std::string& batch : forward.batches()) {
          Status status = CheckForwardedBatch(batch, from, options_.find_command);
          if (!status.ok()) {
            log::error("node {} forwarded what may not enter the log: {}", from, status.message());
            return false;
          }
          driver_->OnForward(batch);
        }
        return true;
      }
      case wire::FrameType::kSnapshotOffer:
        // The copy that is being installed lies where the next one would be written; the leader
        // offers again.
        if (driver_->awaits_install()) return true;
        // A copy of the whole state would take the last room; the leader offers again.
        if (disk_nearly_full_.load()) return true;
        receiver_->OnOffer(from, frame.body, driver_->node().commit_index());
        return true;
      case wire::FrameType::kSnapshotChunk:
        receiver_->OnChunk(from, frame.body);
        return true;
      case wire::FrameType::kSnapshotAck:
        sender_->OnAck(from, frame.body, now_ns_);
        return true;
      case wire::FrameType::kStateDigest: {
        peer::StateDigest report;
        if (!report.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()))) {
          return false;
        }
        if (report.version() == kDigestVersion) {
          divergence_.OnReport(from, {report.index(), report.digest()});
        }
        return true;
      }
      case wire::FrameType::kDiskState: {
        peer::DiskState report;
        if (!report.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()))) {
          return false;
        }
        disk_reports_.OnReport(from, report.nearly_full(), now_ns_);
        return true;
      }
      case wire::FrameType::kCopies:
        return told_copies_.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()));
      case wire::FrameType::kChange:
        return TakeChange(from, frame.body);
      case wire::FrameType::kChangeAnswer: {
        peer::ChangeAnswer answer;
        if (!answer.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size())) ||
            answer.code() > static_cast<uint32_t>(Code::kReply)) {
          return false;
        }
        driver_->OnChangeAnswer(
            answer.ticket(),
            {{static_cast<Code>(answer.code()), answer.message()}, answer.added()});
        return true;
      }
      case wire::FrameType::kHello:
      case wire::FrameType::kRefusal:
      case wire::FrameType::kJoin:
      case wire::FrameType::kJoinAnswer:
        return false;
    }
    return true;  // of a newer version; nothing here depends on it
  }
  bool TakeChange(raft::NodeId from, std::string_view body) {
    peer::Change message;
    if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) return false;
    MembershipChange change;
    for (const peer::Member& add : message.add()) {
      change.add.push_back({add.id(), add.url(), add.learner()});
    }
    change.remove.assign(message.remove().begin(), message.remove().end());
    change.promote.assign(message.promote().begin(), message.promote().end());
    if (message.has_transfer()) change.transfer = message.transfer();
    driver_->ChangeMembership(from, message.ticket(), std::move(change));
    return true;
  }

  // A node that wants in and may not know its id yet.
  void OnJoin(uint64_t connection, std::string_view body) override {
    peer::Join join;
    if (!join.ParseFromArray(body.data(), static_cast<int>(body.size()))) return;
    if (join.url().empty()) return AnswerJoin(connection, {});
    MembershipChange change;
    change.add.push_back({0, join.url(), join.learner()});
    ChangeMembership(std::move(change), [this, connection](const ChangeResult& result) {
      AnswerJoin(connection, result);
    });
  }
  void AnswerJoin(uint64_t connection, const ChangeResult& result) {
    peer::JoinAnswer answer;
    answer.set_error(result.status.ok() ? "" : result.status.message());
    answer.set_cluster(options_.cluster);
    answer.set_id(result.added);
    for (const raft::Peer& peer : driver_->node().membership().peers) {
      peer::Member* member = answer.add_members();
      member->set_id(peer.id);
      member->set_url(peer.url);
    }
    transport_->AnswerJoin(
        connection, wire::MakeFrame(wire::FrameType::kJoinAnswer, answer.SerializeAsString()));
  }

  Greeting GreetingTo(raft::NodeId peer) override {
    Greeting greeting;
    const raft::Peer* member = raft::FindPeer(driver_->node().membership(), peer);
    if (member != nullptr) greeting.added = member->added;
    const raft::Peer* self =
        raft::FindPeer(applied_membership_.membership, options_.driver.raft.id);
    if (self != nullptr) {
      greeting.membership_index = applied_membership_.index;
      greeting.url = self->url;
    }
    return greeting;
  }
  void OnGreeting(raft::NodeId peer, const Greeting& greeting) override {
    if (greeting.added && driver_->OnAdded(*greeting.added)) RecordAddition();
    // A leader that this node has not heard of must have its answers.
    std::string host;
    uint16_t port;
    if (peers_.contains(peer) || !SplitUrl(greeting.url, &host, &port)) return;
    strangers_[peer] = greeting;
    SetPeers(driver_->node().membership());
  }
  void RecordAddition() {
    recorded_entered_ = driver_->has_entered();
    log_inbox_.Put(
        RecordTask{kAdded, ToText(*driver_->added()) + (recorded_entered_ ? " and entered" : "")});
  }
  std::optional<raft::Index> NotAMember(raft::NodeId peer,
                                        raft::Index peers_membership_index) override {
    if (peers_membership_index > applied_membership_.index) return std::nullopt;
    const raft::Membership& applied = applied_membership_.membership;
    // Only who is a member itself can tell.
    if (!raft::IsMember(applied, options_.driver.raft.id)) return std::nullopt;
    if (raft::IsMember(applied, peer) || raft::IsMember(driver_->node().membership(), peer)) {
      return std::nullopt;
    }
    return applied_membership_.index;
  }
  void OnNotAMember(raft::NodeId peer, raft::Index membership_index) override {
    // It may be behind: then this node was added after what it knows. A node that never was a
    // member waits to be added.
    if (!driver_->added() || membership_index <= driver_->added()->index) return;
    log::info("node {} says that this node is no longer a member", peer);
    Removed();
  }
  void Removed() {
    if (removed_) return;
    removed_ = true;
    options_.on_removed();
  }

  void OnLinkUp(raft::NodeId peer, wire::Channel channel) override {
    if (channel == wire::Channel::kForward) driver_->OnForwardLinkUp(peer);
    if (channel == wire::Channel::kRaft) linked_since_ms_[peer] = clock_->WallMs();
  }
  void OnLinkDown(raft::NodeId peer, wire::Channel channel) override {
    if (channel == wire::Channel::kRaft) linked_since_ms_.erase(peer);
  }
  bool KnowsDisk(raft::NodeId peer, uint64_t disk_incarnation) override {
    const raft::Peer* member = raft::FindPeer(driver_->node().membership(), peer);
    if (member == nullptr) member = raft::FindPeer(applied_membership_.membership, peer);
    // A node that has just joined knows nobody yet, and has been promised nothing.
    if (member == nullptr) return true;
    const std::string name = "peer-disk/" + std::to_string(peer);
    auto known = known_disks_.find(peer);
    if (known == known_disks_.end()) {
      std::optional<std::string> record = log_->GetRecord(name);
      if (record) known = known_disks_.emplace(peer, *record).first;
    }
    // With the entry that added the member: one that was removed and added again under this id
    // comes with a disk of its own, and this node may have missed both.
    const std::string added = " of " + ToText(member->added);
    const std::string seen = std::to_string(disk_incarnation) + added;
    if (known != known_disks_.end() && known->second.ends_with(added)) return known->second == seen;
    // Written by the log role, which alone may write, before anything that this peer acknowledges.
    known_disks_[peer] = seen;
    log_inbox_.Put(RecordTask{name, seen});
    return true;
  }

  void SendRaft(const raft::Message& message) override {
    transport_->Send(message.to, wire::Channel::kRaft, wire::EncodeRaft(message));
  }
  void SendForward(raft::NodeId leader, std::vector<std::string> batches) override {
    peer::Forward forward;
    for (std::string& batch : batches) *forward.add_batches() = std::move(batch);
    transport_->Send(leader, wire::Channel::kForward,
                     wire::MakeFrame(wire::FrameType::kForward, forward.SerializeAsString()));
  }
  void Write(uint64_t persist_number, engine::LogWrite write) override {
    log_inbox_.Put(WriteTask{persist_number, std::move(write)});
  }
  void Apply(std::vector<raft::Entry> entries) override { apply_inbox_.Put(std::move(entries)); }
  void GrantRead(raft::Index index, Lane lane, uint64_t ticket) override {
    apply_inbox_.Put(GrantTask{index, lane, ticket});
  }
  void RefuseRead(Lane lane, uint64_t ticket) override {
    Deliver(lane, ReadPermission{ticket, false});
  }
  void Answer(Lane lane, uint64_t seq, BatchReply reply) override {
    if (seq == 0) {
      Deliver(lane, std::move(reply));
    } else {
      apply_inbox_.Put(AbandonTask{seq, lane, std::move(reply)});
    }
  }
  void AnswerLost(Lane lane, BatchReply reply) override { Deliver(lane, std::move(reply)); }
  void PublishCommit(raft::Index commit_index) override {
    commit_.store(commit_index, std::memory_order_release);
  }
  void PublishLease(int64_t lease_until_ns) override {
    lease_until_.store(lease_until_ns, std::memory_order_release);
  }
  void SendSnapshot(raft::NodeId peer) override {
    sender_->Start(peer, driver_->node().term(), applied_.load(), now_ns_);
  }
  void Install(const raft::SnapshotMetadata& snapshot) override { apply_inbox_.Put(snapshot); }
  void Compact(raft::Position upto, const raft::Membership& membership) override {
    log_inbox_.Put(CompactTask{upto, membership});
  }
  void OnMembership(const raft::Membership& membership) override {
    SetPeers(membership);
    if (driver_->has_entered() != recorded_entered_) RecordAddition();
    PublishInfo();
  }
  void SetPeers(const raft::Membership& membership) {
    std::map<raft::NodeId, PeerAddress> peers;
    // Before this node has learned that it is a member it does not know whom to answer.
    if (!raft::IsMember(membership, options_.driver.raft.id)) {
      for (const auto& [id, url] : options_.seeds) peers[id] = {url};
    }
    std::erase_if(strangers_, [this](const auto& stranger) {
      return stranger.second.membership_index <= applied_membership_.index;
    });
    for (const auto& [id, greeting] : strangers_) peers[id] = {greeting.url};
    // Whom a change removes is still spoken to until the change is committed: it may be the leader.
    for (const raft::Membership* m : std::initializer_list<const raft::Membership*>{
             &applied_membership_.membership, &membership}) {
      for (const raft::Peer& peer : m->peers) peers[peer.id] = {peer.url, peer.added};
    }
    peers.erase(options_.driver.raft.id);
    if (alone_ && !peers.empty()) {
      alone_ = false;
      StartLogRole();
    }
    transport_->SetPeers(peers);
    peers_ = std::move(peers);
  }
  void SendChange(raft::NodeId leader, uint64_t ticket, const MembershipChange& change) override {
    peer::Change message;
    message.set_ticket(ticket);
    for (const MembershipChange::Add& add : change.add) {
      peer::Member* member = message.add_add();
      member->set_id(add.id);
      member->set_url(add.url);
      member->set_learner(add.learner);
    }
    for (raft::NodeId id : change.remove) message.add_remove(id);
    for (raft::NodeId id : change.promote) message.add_promote(id);
    message.set_has_transfer(change.transfer.has_value());
    message.set_transfer(change.transfer.value_or(0));
    transport_->Send(leader, wire::Channel::kRaft,
                     wire::MakeFrame(wire::FrameType::kChange, message.SerializeAsString()));
  }
  void AnswerChange(raft::NodeId origin, uint64_t ticket, const ChangeResult& result) override {
    if (origin == options_.driver.raft.id) {
      auto waiting = change_answers_.find(ticket);
      CHECK(waiting != change_answers_.end());
      std::function<void(const ChangeResult&)> done = std::move(waiting->second);
      change_answers_.erase(waiting);
      done(result);
      return;
    }
    peer::ChangeAnswer answer;
    answer.set_ticket(ticket);
    answer.set_code(static_cast<uint32_t>(result.status.code()));
    answer.set_message(result.status.message());
    answer.set_added(result.added);
    transport_->Send(origin, wire::Channel::kRaft,
                     wire::MakeFrame(wire::FrameType::kChangeAnswer, answer.SerializeAsString()));
  }
  // What the state machine says of the membership: committed, so it is final.
  void OnAppliedMembership(AppliedMembership applied) {
    const raft::NodeId self = options_.driver.raft.id;
    const raft::Membership before = std::move(applied_membership_.membership);
    applied_membership_ = std::move(applied);
    for (raft::NodeId id : raft::Members(before)) {
      const raft::Peer* then = raft::FindPeer(before, id);
      const raft::Peer* now = raft::FindPeer(applied_membership_.membership, id);
      // One of the same id may have been added since: it is another member.
      if (then == nullptr || (now != nullptr && now->added == then->added)) continue;
      // A node that has joined under an id of the past meets the end of that one in its log.
      if (id == self && driver_->added() && applied_membership_.index > driver_->added()->index) {
        Removed();
      }
      log::info("node {} is no longer a member", id);
    }
    SetPeers(driver_->node().membership());
  }

  void OnRoleChange(raft::Role role, raft::Term term, raft::NodeId leader) override {
    std::string known = leader == raft::kNoNode || role == raft::Role::kLeader
                            ? std::string()
                            : ", leader is node " + std::to_string(leader);
    log::info("became {} at term {}{}", raft::RoleName(role), term, known);
    if (role != raft::Role::kLeader) sender_->CancelAll();
    leads_.store(role == raft::Role::kLeader);
    PublishInfo();
  }

  void PublishInfo() {
    last_info_ns_ = now_ns_;
    raft::NodeStatus status = driver_->node().GetStatus();
    std::lock_guard<std::mutex> lock(info_mutex_);
    info_.role = status.role;
    info_.leader = status.leader;
    info_.term = status.term;
    info_.commit_index = status.commit_index;
    info_.log_first = status.first_index;
    info_.log_last = status.last_index;
    info_.pending_batches = driver_->pending().size();
    info_.pending_bytes = driver_->pending().bytes();
    info_.snapshots_sent = snapshots_sent_;
    info_.snapshots_installed = snapshots_installed_;
    info_.leader_changes = driver_->leader_changes();
    const raft::Membership& membership = driver_->node().membership();
    const raft::NodeId self = options_.driver.raft.id;
    info_.joint = raft::IsJoint(membership);
    info_.membership_index = driver_->node().membership_index();
    info_.learner = raft::IsLearner(membership, self);
    const raft::Peer* own = raft::FindPeer(membership, self);
    info_.address = own == nullptr ? "" : AddressOf(own->url);
    info_.copies = KnownCopies(status);
    info_.peers.clear();
    for (raft::NodeId id : raft::Members(membership)) {
      if (id == self) continue;
      PeerInfo added;
      added.id = id;
      const raft::Peer* peer = raft::FindPeer(membership, id);
      if (peer != nullptr) {
        added.address = AddressOf(peer->url);
        added.promote = peer->promote;
      }
      added.learner = raft::IsLearner(membership, id);
      info_.peers.push_back(std::move(added));
    }
    for (PeerInfo& peer : info_.peers) {
      int64_t contact_ns = transport_->LastContactNs(peer.id);
      peer.last_contact_ms = contact_ns == 0 ? -1 : (now_ns_ - contact_ns) / 1'000'000;
      auto link = linked_since_ms_.find(peer.id);
      peer.linked_since_ms = link == linked_since_ms_.end() ? 0 : link->second;
      for (const raft::PeerStatus& known : status.peers) {
        if (known.id != peer.id) continue;
        peer.state = known.active ? std::string(known.state) : "down";
        peer.match_index = known.match_index;
        peer.lag_bytes = driver_->LogBytesBehind(known.match_index);
        peer.next_index = known.next_index;
      }
    }
    info_changed_.notify_all();
  }

  std::vector<raft::Index> KnownCopies(const raft::NodeStatus& status) {
    if (status.role != raft::Role::kLeader) {
      sent_copies_.clear();
      if (told_copies_.term() != status.term) return {};
      return {told_copies_.synced().begin(), told_copies_.synced().end()};
    }
    std::vector<raft::Index> copies;
    for (const raft::PeerStatus& peer : status.peers) copies.push_back(peer.match_index);
    if (copies != sent_copies_ || now_ns_ - last_copies_ns_ >= kCopiesIntervalNs) {
      sent_copies_ = copies;
      last_copies_ns_ = now_ns_;
      peer::Copies report;
      report.set_term(status.term);
      for (raft::Index index : copies) report.add_synced(index);
      const std::string frame =
          wire::MakeFrame(wire::FrameType::kCopies, report.SerializeAsString());
      for (const raft::PeerStatus& peer : status.peers) {
        transport_->Send(peer.id, wire::Channel::kRaft, frame);
      }
    }
    return copies;
  }

  // Asks the apply role for keys that are due; what it finds comes back as a batch like any other.
  void StartExpiry() {
    last_expire_ns_ = now_ns_;
    if (!active_expire_.load() || !leads_.load() || expiry_under_way_) return;
    const uint64_t expired = expired_keys_.load() + expired_fields_.load();
    const bool full = expired - expired_before_ >= kMaxExpiredPerBatch;
    expire_interval_ns_ = full ? kExpireBusyIntervalNs : kExpireIntervalNs;
    expired_before_ = expired;
    expiry_under_way_ = true;
    apply_inbox_.Put([this] { CollectExpired(); });
  }

  // --- log role --------------------------------------------------------------------------------
  void LogMain() {
    prctl(PR_SET_NAME, "log");
    std::vector<LogTask> tasks;
    for (;;) {
      log_inbox_.WaitAndTakeAll(&tasks);
      if (tasks.empty()) return;
      // What is not written is not acknowledged either, so at the end it may be dropped.
      if (!WaitForRoom(tasks)) return;
      RunLogTasks(&tasks, /*in_raft_role=*/false);
    }
  }

  // A full disk is no failure: the writes wait and this node acknowledges nothing, so that the
  // others go on without it. False: the node is stopping.
  bool WaitForRoom(const std::vector<LogTask>& tasks) {
    uint64_t bytes = 0;
    for (const LogTask& task : tasks) {
      const WriteTask* write = std::get_if<WriteTask>(&task);
      if (write == nullptr) continue;
      for (const raft::Entry& entry : write->write.entries) bytes += entry.Size();
    }
    while (!LogHasRoom(bytes)) {
      if (stopping_.load()) return false;
      std::this_thread::sleep_for(kRoomInterval);
    }
    return true;
  }

  bool LogHasRoom(uint64_t bytes) {
    const uint64_t floor = std::min(options_.disk_reserve_bytes / 2, kMaxLogFloorBytes);
    const uint64_t free = FreeDiskBytes(options_.directory);
    const bool waits = free < floor || free - floor < bytes;
    if (waits != log_waits_.exchange(waits)) {
      if (waits) {
        log::error("the disk is full ({} bytes free): the log waits until there is room", free);
      } else {
        log::info("the log goes on ({} bytes free)", free);
      }
    }
    return !waits;
  }

  void RunLogTasks(std::vector<LogTask>* tasks, bool in_raft_role) {
    engine::LogWrite gathered;
    uint64_t persist_number = 0;
    auto write_gathered = [&] {
      if (persist_number == 0) return;
      for (const raft::Entry& entry : gathered.entries) log_bytes_ += entry.Size();
      CHECK_OK(log_->Append(gathered));
      log_syncs_.fetch_add(1, std::memory_order_relaxed);
      if (in_raft_role) {
        driver_->OnPersisted(persist_number);
      } else {
        raft_inbox_.Put(PersistedEvent{persist_number});
      }
      gathered = {};
      persist_number = 0;
    };
    for (LogTask& task : *tasks) {
      if (CompactTask* compact = std::get_if<CompactTask>(&task)) {
        write_gathered();
        CHECK_OK(log_->Compact(compact->upto, compact->membership));
        raft::Index upto = compact->upto.index;
        PostBack([this, upto] { driver_->OnCompacted(upto); });
        continue;
      }
      if (RecordTask* record = std::get_if<RecordTask>(&task)) {
        CHECK_OK(log_->PutRecord(record->name, record->value));
        continue;
      }
      WriteTask& write = std::get<WriteTask>(task);
      // Writes that wait are made durable by one sync.
      if (write.write.snapshot) write_gathered();
      Merge(std::move(write.write), &gathered);
      persist_number = write.persist_number;
      if (gathered.snapshot) write_gathered();
    }
    write_gathered();
  }

  static void Merge(engine::LogWrite next, engine::LogWrite* gathered) {
    if (next.hard_state) gathered->hard_state = next.hard_state;
    if (next.snapshot) gathered->snapshot = std::move(next.snapshot);
    if (next.entries.empty()) return;
    std::vector<raft::Entry>& entries = gathered->entries;
    while (!entries.empty() && entries.back().index >= next.entries.front().index) {
      entries.pop_back();
    }
    std::move(next.entries.begin(), next.entries.end(), std::back_inserter(entries));
  }

  // --- apply role ------------------------------------------------------------------------------
  void ApplyMain() {
    prctl(PR_SET_NAME, "apply");
    std::vector<ApplyTask> tasks;
    for (;;) {
      apply_inbox_.WaitAndTakeAll(&tasks);
      if (tasks.empty()) return;
      for (ApplyTask& task : tasks) {
        std::visit([this](auto& t) { Do(t); }, task);
      }
      FinishTurn();
    }
  }

  void Do(std::vector<raft::Entry>& entries) {
    for (const raft::Entry& entry : entries) {
      state_machine_.Apply(entry, &replies_);
      if (state_machine_.must_commit() || state_machine_.uncommitted_bytes() >= kMaxTurnBytes ||
          state_machine_.event_bytes() >= kMaxTurnBytes) {
        FinishTurn();
      }
    }
    entries.clear();
  }
  void Do(GrantTask& grant) { grants_.push_back(grant); }
  void Do(AbandonTask& task) {
    if (state_machine_.Abandon(task.seq)) Deliver(task.lane, std::move(task.reply));
  }
  void Do(std::function<void()>& work) {
    FinishTurn();
    work();
  }
  void Do(raft::SnapshotMetadata& snapshot) {
    FinishTurn();
    log::info("installing the snapshot at index {}", snapshot.index);
    CHECK_OK(engine_->Install(options_.directory + "/snapshot/in"));
    state_machine_.Reload();
    expiry_floors_ms_ = {};
    CHECK_EQ(state_machine_.applied().index, snapshot.index);
    PassMembership();
    PassTopology();
    applied_.store(snapshot.index, std::memory_order_release);
    Deliver(state_machine_.TakeReplacement());
    uint64_t own_seq = state_machine_.own_seq();
    PostBack([this, snapshot, own_seq] {
      ++snapshots_installed_;
      divergence_.OnInstalled();
      driver_->OnInstalled(snapshot, own_seq);
    });
  }

  // Makes what was applied visible, and only then lets anybody know.
  void FinishTurn() {
    raft::Index before = applied_.load(std::memory_order_relaxed);
    raft::Position now = state_machine_.applied();
    if (now.index != before) {
      state_machine_.Commit();
      applied_.store(now.index, std::memory_order_release);
      expired_keys_.store(state_machine_.expired_keys(), std::memory_order_relaxed);
      expired_fields_.store(state_machine_.expired_fields(), std::memory_order_relaxed);
      PassTopology();
      std::shared_ptr<const engine::CommitEvents> events = state_machine_.TakeEvents();
      Deliver(events);
      for (LaneReply& reply : replies_) Deliver(reply.lane, std::move(reply.reply));
      replies_.clear();
      raft_inbox_.Put(AppliedEvent{now, state_machine_.own_seq()});
      PassMembership();
      if (std::vector<DigestPoint> points = state_machine_.TakeDigestPoints(); !points.empty()) {
        PostBack([this, points = std::move(points)] {
          for (const DigestPoint& point : points) divergence_.OnApplied(point);
        });
      }
      if (events != nullptr) {
        for (LaneSink* lane : lanes_) lane->AwaitRoomForEvents();
      }
    }
    std::erase_if(grants_, [this, &now](const GrantTask& grant) {
      if (grant.index > now.index) return false;
      Deliver(grant.lane, ReadPermission{grant.ticket, true});
      return true;
    });
  }

  void PassMembership() {
    if (state_machine_.membership().index == passed_membership_) return;
    passed_membership_ = state_machine_.membership().index;
    PostBack([this, applied = state_machine_.membership()]() mutable {
      OnAppliedMembership(std::move(applied));
    });
  }

  std::shared_ptr<const ClusterState> MakeClusterState() const {
    auto state = std::make_shared<ClusterState>();
    state->topology = state_machine_.topology();
    state->membership = state_machine_.membership().membership;
    return state;
  }

  // To the clients as soon as it can be seen, and then to those who decide what is to be changed.
  void PassTopology() {
    if (state_machine_.topology().epoch == passed_epoch_) return;
    passed_epoch_ = state_machine_.topology().epoch;
    std::shared_ptr<const ClusterState> state = MakeClusterState();
    PostBack([this, state] { topology_watch_.OnApplied(state); });
    std::lock_guard<std::mutex> lock(info_mutex_);
    if (std::optional<std::string> moved =
            SwitchMasterMessage(info_.cluster->topology, state->topology)) {
      log::info("clients find the leader at another address: {}", *moved);
    }
    info_.cluster = std::move(state);
  }

  static void AddExpired(ItemKind kind, const std::vector<types::ExpiredKey>& due,
                         BatchBuilder* batch) {
    std::vector<std::string> deadlines;
    deadlines.reserve(due.size());
    std::vector<std::string_view> args;
    for (const types::ExpiredKey& key : due) {
      deadlines.push_back(std::to_string(key.deadline_ms));
      args.push_back(key.meta_key);
      args.push_back(deadlines.back());
    }
    if (!args.empty()) batch->Add(kind, 2, 0, args);
  }

  void CollectExpired() {
    BatchBuilder batch;
    {
      std::unique_ptr<engine::View> view = engine_->NewView(clock_->WallMs());
      // From time to time from the start, so that nothing can be missed for long.
      if (++expiry_searches_ % kExpirySearchesFromFloor == 0) expiry_floors_ms_ = {};
      AddExpired(
          ItemKind::kExpire,
          types::CollectExpired(*view, view->now_ms(), kMaxExpiredPerBatch, &expiry_floors_ms_[0]),
          &batch);
      AddExpired(ItemKind::kExpireFields,
                 types::CollectExpiredFields(*view, view->now_ms(), kMaxExpiredPerBatch,
                                             &expiry_floors_ms_[1]),
                 &batch);
      for (int64_t& floor_ms : expiry_floors_ms_) {
        floor_ms = std::min(floor_ms, engine_->txn().now_ms());
      }
      if (types::NeedsReclaim(*view)) batch.Add(ItemKind::kReclaim, 2, 0, {});
    }
    uint32_t count = batch.count();
    if (count == 0) {
      PostBack([this] { expiry_under_way_ = false; });
    } else {
      raft_inbox_.Put(SubmitEvent{kInternalLane, 0, batch.Take(), count});
    }
  }

  // --- worker ----------------------------------------------------------------------------------
  void Post(std::function<void()> work) override { worker_inbox_.Put(std::move(work)); }
  void PostBack(std::function<void()> done) override { raft_inbox_.Put(std::move(done)); }

  void WorkerMain() {
    prctl(PR_SET_NAME, "worker");
    std::vector<std::function<void()>> tasks;
    for (;;) {
      bool closed = !worker_inbox_.WaitAndTakeAllFor(
          std::chrono::nanoseconds(kMaintenanceIntervalNs), &tasks);
      for (std::function<void()>& task : tasks) task();
      if (closed) return;
      int64_t now_ns = clock_->BootNs();
      if (now_ns - last_maintenance_ns_ >= kMaintenanceIntervalNs) {
        last_maintenance_ns_ = now_ns;
        Maintain();
      }
    }
  }

  void Maintain() {
    LookAtDisk();
    uint64_t logged = log_bytes_.load();
    if (logged - log_bytes_at_flush_ > options_.log_flush_bytes) {
      log_bytes_at_flush_ = logged;
      Status flushed = engine_->Flush();
      if (!flushed.ok()) log::warn("cannot flush: {}", flushed.ToString());
    }
    if (++maintenances_ % kMaintenancesPerReclaim == 0) {
      Status reclaimed = engine_->ReclaimSpace();
      if (!reclaimed.ok()) log::warn("cannot reclaim space: {}", reclaimed.ToString());
    }
    std::optional<std::string> record = engine_->ReadFlushed(engine::kAppliedKey);
    if (!record) return;
    raft::Position flushed = StateMachine::DecodeApplied(*record);
    if (flushed.index == last_flushed_) return;
    last_flushed_ = flushed.index;
    PostBack([this, flushed] {
      // Peers that fetch a snapshot can make the log long, but may not fill the disk.
      raft::Index keep_after = disk_nearly_full_.load() ? UINT64_MAX : sender_->KeepAfter(now_ns_);
      driver_->OnFlushed(flushed, keep_after);
    });
  }

  void LookAtDisk() {
    uint64_t free = FreeDiskBytes(options_.directory);
    bool nearly_full = free < options_.disk_reserve_bytes;
    if (nearly_full != disk_nearly_full_.load()) {
      if (nearly_full) {
        log::warn("the disk is nearly full ({} bytes free, reserve {}): refusing writes that grow",
                  free, options_.disk_reserve_bytes);
      } else {
        log::info("the disk has room again ({} bytes free)", free);
      }
    }
    disk_nearly_full_.store(nearly_full);
  }

  void Deliver(const std::shared_ptr<const engine::CommitEvents>& events) {
    if (events == nullptr) return;
    for (LaneSink* lane : lanes_) lane->Deliver(events);
  }

  // --- any role --------------------------------------------------------------------------------
  template <class Value>
  void Deliver(Lane lane, Value value) {
    if (lane == kInternalLane) {
      PostBack([this] { expiry_under_way_ = false; });
      return;
    }
    if (lane == kTopologyLane) {
      PostBack([this] { topology_watch_.OnAnswered(now_ns_); });
      return;
    }
    CHECK_LT(lane, lanes_.size());
    lanes_[lane]->Deliver(std::move(value));
  }

  const ThreadedReplicaOptions options_;
  const Clock* const clock_;
  engine::Engine* const engine_;
  engine::LogStore* const log_;
  Transport* const transport_;
  std::vector<LaneSink*> lanes_;
  bool alone_;            // a cluster of one: the raft role plays the log role. Raft role
  bool running_ = false;  // main thread

  Mailbox<RaftEvent> raft_inbox_;
  Mailbox<LogTask> log_inbox_;
  Mailbox<ApplyTask> apply_inbox_;
  Mailbox<std::function<void()>> worker_inbox_;

  // The read gate (MayReadNow).
  std::atomic<int64_t> lease_until_{0};
  std::atomic<raft::Index> commit_{0};
  std::atomic<raft::Index> applied_{0};

  // raft role
  ThreadRole raft_role_;
  std::unique_ptr<RaftDriver> driver_;
  std::unique_ptr<SnapshotSender> sender_;
  std::unique_ptr<SnapshotReceiver> receiver_;
  std::vector<RaftEvent> raft_events_;
  std::vector<LogTask> log_tasks_;
  std::map<raft::NodeId, std::string> known_disks_;  // disk and addition, as in the log's records
  int64_t now_ns_ = 0;
  int64_t last_expire_ns_ = 0;
  int64_t expire_interval_ns_ = kExpireIntervalNs;
  uint64_t expired_before_ = 0;
  int64_t last_info_ns_ = 0;
  int64_t last_copies_ns_ = 0;
  std::vector<raft::Index> sent_copies_;
  peer::Copies told_copies_;
  int64_t last_digest_ns_ = 0;
  int64_t last_disk_ns_ = 0;
  int64_t last_topology_ns_ = 0;
  TopologyWatch topology_watch_;
  std::map<raft::NodeId, int64_t> linked_since_ms_;  // wall clock
  DiskReports disk_reports_;
  bool expiry_under_way_ = false;
  DivergenceWatch divergence_;
  AppliedMembership applied_membership_;
  std::map<raft::NodeId, PeerAddress> peers_;  // whom the transport knows
  // Whom it knows only because they know more of the membership than this node does.
  std::map<raft::NodeId, Greeting> strangers_;
  bool recorded_entered_ = true;
  bool removed_ = false;
  uint64_t next_change_ = 1;
  std::map<uint64_t, std::function<void(const ChangeResult&)>> change_answers_;
  bool found_wrong_ = false;
  std::set<raft::NodeId> told_differing_;
  uint64_t snapshots_sent_ = 0;
  uint64_t snapshots_installed_ = 0;

  // apply role
  StateMachine state_machine_;
  // Apply role. Where the next search for what is due begins, of keys and of fields.
  std::array<int64_t, 2> expiry_floors_ms_{};
  uint64_t expiry_searches_ = 0;
  raft::Index passed_membership_ = 0;
  uint64_t passed_epoch_ = 0;
  std::vector<LaneReply> replies_;
  std::vector<GrantTask> grants_;

  // worker
  int64_t last_maintenance_ns_ = 0;
  uint64_t log_bytes_at_flush_ = 0;
  raft::Index last_flushed_ = 0;
  uint64_t maintenances_ = 0;

  std::atomic<bool> active_expire_;
  std::atomic<bool> leads_{false};
  std::atomic<bool> disk_nearly_full_{false};
  std::atomic<bool> majority_nearly_full_{false};
  std::atomic<bool> log_waits_{false};  // for room on the disk
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> log_syncs_{0};
  std::atomic<uint64_t> log_bytes_{0};
  std::atomic<uint64_t> expired_keys_{0};
  std::atomic<uint64_t> expired_fields_{0};

  mutable std::mutex info_mutex_;
  std::condition_variable info_changed_;
  ReplicaInfo info_;

  std::thread raft_thread_, log_thread_, apply_thread_, worker_thread_;
};

}  // namespace

std::unique_ptr<Replica> MakeThreadedReplica(const ThreadedReplicaOptions& options,
                                             const Clock* clock, engine::Engine* engine,
                                             engine::LogStore* log, Transport* transport) {
  return std::make_unique<ThreadedReplica>(options, clock, engine, log, transport);
}

Status RecoverLog(const engine::Engine& engine, engine::LogStore* log, raft::Config* config) {
  raft::Position applied;
  std::optional<std::string> record = engine.ReadFlushed(engine::kAppliedKey);
  if (record) applied = StateMachine::DecodeApplied(*record);
  if (applied.index > 0 && log->hard_state().term == 0) {
    return Status::Corruption("the state machine ends at index " + std::to_string(applied.index) +
                              " and the Raft log has no term: it is lost, and this node's votes "
                              "with it; restore this node from its peers");
  }
  bool in_log = applied.index <= log->last_index();
  if (in_log && applied.index > log->start().index) {
    Result<raft::Term> term = log->TermAt(applied.index);
    RETURN_IF_ERROR(term.status());
    // Entries that another leader left uncommitted, and the snapshot was to replace.
    in_log = *term == applied.term;
  }
  if (!in_log) {
    log::info("the snapshot at index {} was installed but not yet in the log", applied.index);
    engine::LogWrite write;
    raft::HardState hard_state = log->hard_state();
    hard_state.term = std::max(hard_state.term, applied.term);
    hard_state.commit_index = std::max(hard_state.commit_index, applied.index);
    if (hard_state.term != log->hard_state().term) hard_state.voted_for = raft::kNoNode;
    write.hard_state = hard_state;
    std::optional<std::string> membership = engine.ReadFlushed(engine::kMembershipKey);
    if (!membership) {
      return Status::Corruption("the state machine at index " + std::to_string(applied.index) +
                                " does not say who its members are");
    }
    write.snapshot = raft::SnapshotMetadata{applied.index, applied.term,
                                            StateMachine::DecodeMembership(*membership).membership};
    RETURN_IF_ERROR(log->Append(write));
  }
  if (applied.index < log->start().index) {
    return Status::Corruption("the state machine ends at index " + std::to_string(applied.index) +
                              " and the log begins behind index " +
                              std::to_string(log->start().index) +
                              ": entries between them are lost; restore this node from its peers");
  }
  config->membership = log->start_membership();
  config->hard_state = log->hard_state();
  config->log_start = log->start();
  config->last_index = log->last_index();
  config->applied_index = applied.index;
  return Status::Ok();
}

}  // namespace metastore::replica
