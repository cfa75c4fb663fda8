// A Replica without Raft: one node's state in maps, and answers that come when the test says so,
// or at once. It applies batches with the handlers of a command table.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "commands/errors.h"
#include "replica/proposal.h"
#include "replica/replica.h"
#include "resp/writer.h"
#include "server/command_table.h"
#include "tests/support/memory_txn.h"
#include "types/keyspace.h"

namespace metastore::test {

class FakeReplica : public replica::Replica {
 public:
  explicit FakeReplica(const server::CommandTable* commands) : commands_(commands) {
    txn_.events().set_interest(&interest());
  }

  // --- what the test steers --------------------------------------------------------------------
  // Answer within Submit and RequestRead. The sinks then only hand over, as the real ones.
  bool at_once = false;
  std::atomic<bool> may_read_now{true};
  std::atomic<bool> disk_nearly_full{false};
  // Of at_once: what the answers say.
  std::atomic<replica::BatchOutcome> outcome{replica::BatchOutcome::kApplied};

  // Of ReplicaInfo.
  raft::Index applied = 0;
  std::vector<raft::Index> copies;
  std::vector<replica::MembershipChange> changes;
  replica::ChangeResult change_result;

  size_t submitted() const { return batches_.size(); }
  size_t asked() const { return asked_.size(); }
  size_t views() const { return views_; }
  // Items of the batches that wait, in order, as "kind:NAME arg arg".
  std::vector<std::string> Waiting() const {
    std::vector<std::string> lines;
    for (const Batch& batch : batches_) {
      Read(batch, [&lines](const replica::Item& item) { lines.push_back(Line(item)); });
    }
    return lines;
  }
  // Applies the oldest batch, and answers it or not.
  void Apply() {
    Batch batch = std::move(batches_.front());
    batches_.pop_front();
    sinks_[batch.lane]->Deliver(RunAndTell(batch));
  }
  // A write of another node's client: no reply, but its events.
  void ApplyElsewhere(std::initializer_list<std::string_view> args, int db = 0) {
    Batch batch;
    replica::BatchBuilder builder;
    builder.Add(replica::ItemKind::kWrite, 2, db, std::vector<std::string_view>(args));
    batch.count = 1;
    batch.body = builder.Take();
    batch.own = false;
    RunAndTell(batch);
  }
  // As after a commit of other nodes' commands, or of a snapshot.
  void Tell(const std::shared_ptr<const engine::CommitEvents>& events) override {
    if (events == nullptr) return;
    for (replica::LaneSink* sink : sinks_) sink->Deliver(events);
  }
  replica::LaneSink* sink(replica::Lane lane) { return sinks_[lane]; }
  void ApplyAll() {
    while (!batches_.empty()) Apply();
  }
  // Answers a batch without having applied it.
  void Refuse(size_t at, replica::BatchOutcome why) {
    Batch batch = std::move(batches_[at]);
    batches_.erase(batches_.begin() + static_cast<ptrdiff_t>(at));
    replica::BatchReply reply;
    reply.ticket = batch.ticket;
    reply.outcome = why;
    sinks_[batch.lane]->Deliver(std::move(reply));
  }
  void Permit(bool granted) {
    auto [lane, ticket] = asked_.front();
    asked_.pop_front();
    sinks_[lane]->Deliver(replica::ReadPermission{ticket, granted});
  }

  // --- Replica ---------------------------------------------------------------------------------
  void SetLane(replica::Lane lane, replica::LaneSink* sink) override {
    if (sinks_.size() <= lane) sinks_.resize(lane + 1);
    sinks_[lane] = sink;
  }
  void Submit(replica::Lane lane, uint64_t ticket, std::string body, uint32_t count) override {
    CHECK_GT(count, 0u);
    Batch batch{lane, ticket, std::move(body), count};
    if (!at_once) {
      batches_.push_back(std::move(batch));
      return;
    }
    replica::BatchReply reply;
    reply.ticket = ticket;
    reply.outcome = outcome;
    if (reply.outcome == replica::BatchOutcome::kApplied) reply = RunAndTell(batch);
    sinks_[lane]->Deliver(std::move(reply));
  }
  void ChangeMembership(replica::MembershipChange change,
                        std::function<void(const replica::ChangeResult&)> done) override {
    changes.push_back(std::move(change));
    done(change_result);
  }
  void SubmitChange(replica::Lane lane, uint64_t ticket,
                    replica::MembershipChange change) override {
    changes.push_back(std::move(change));
    replica::BatchReply reply;
    reply.ticket = ticket;
    reply.bytes = "+OK\r\n";
    reply.ends.push_back(reply.bytes.size());
    sinks_[lane]->Deliver(std::move(reply));
  }
  bool MayReadNow() const override { return may_read_now; }
  void RequestRead(replica::Lane lane, uint64_t ticket) override {
    if (at_once) {
      bool granted = outcome == replica::BatchOutcome::kApplied;
      sinks_[lane]->Deliver(replica::ReadPermission{ticket, granted});
    } else {
      asked_.emplace_back(lane, ticket);
    }
  }
  std::unique_ptr<engine::View> NewView() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    ++views_;
    return std::make_unique<MemoryTxn>(txn_);
  }

  replica::ReplicaInfo Info() const override {
    replica::ReplicaInfo info;
    info.id = 1;
    info.role = raft::Role::kLeader;
    info.leader = 1;
    info.term = 1;
    info.applied_index = applied;
    info.copies = copies;
    return info;
  }
  engine::EngineStats EngineStats() const override { return {}; }
  bool DiskNearlyFull() const override { return disk_nearly_full; }
  void SetActiveExpire(bool) override {}
  void SetEncodingLimits(const types::EncodingLimits&) override {}
  void TransferLeadership(raft::NodeId) override {}
  Status Start() override { return Status::Ok(); }
  void HandOver() override {}
  void Stop() override {}

 private:
  struct Batch {
    replica::Lane lane = 0;
    uint64_t ticket = 0;
    std::string body = {};
    uint32_t count = 0;
    bool own = true;
  };

  static std::string Line(const replica::Item& item) {
    std::string line = item.kind == replica::ItemKind::kRead ? "read" : "write";
    if (item.kind == replica::ItemKind::kTransaction) {
      line = "transaction:";
      std::string_view items = item.args[1];
      for (replica::Item inner; replica::TakeItem(&items, &inner).ok();) {
        line += " " + Line(inner) + ";";
      }
      return line;
    }
    for (std::string_view arg : item.args) line.append(" ").append(arg);
    return line;
  }

  template <class Visit>
  static void Read(const Batch& batch, Visit visit) {
    replica::BatchHeader header;
    header.count = batch.count;
    std::string entry;
    replica::BeginEntry(1, 1, &entry);
    entry += replica::EncodeBatch(header, batch.body);
    replica::EntryReader reader(entry);
    CHECK_OK(reader.ReadHeader());
    CHECK_OK(reader.NextBatch(&header));
    replica::Item item;
    uint32_t seen = 0;
    for (; reader.NextItem(&item).ok(); ++seen) visit(item);
    CHECK_EQ(seen, batch.count);
  }

  replica::BatchReply RunAndTell(const Batch& batch) {
    replica::BatchReply reply;
    std::shared_ptr<const engine::CommitEvents> events;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      reply = Run(batch);
      events = txn_.events().Take(++applied_);
    }
    Tell(events);
    return reply;
  }

  replica::BatchReply Run(const Batch& batch) {
    replica::BatchReply reply;
    reply.ticket = batch.ticket;
    txn_.NextEntry(txn_.now_ms());
    Read(batch, [this, &batch, &reply](const replica::Item& item) {
      engine::Origin origin;
      if (batch.own) {
        origin = {batch.lane, static_cast<uint32_t>(reply.ends.size()), batch.ticket};
      }
      txn_.events().set_origin(origin);
      if (item.kind == replica::ItemKind::kTransaction) {
        RunTransaction(item, batch.own, &reply.bytes);
      } else {
        RunCommand(item, batch.own, &reply.bytes);
      }
      reply.ends.push_back(static_cast<uint32_t>(reply.bytes.size()));
    });
    return reply;
  }

  void RunTransaction(const replica::Item& transaction, bool own, std::string* out) {
    resp::Writer writer(out, transaction.protocol);
    std::string_view keys = transaction.args[0];
    for (replica::WatchedKeyView key; replica::TakeWatchedKey(&keys, &key).ok();) {
      if (types::VersionOf(txn_, key.db, key.key) != key.version) return writer.NullArray();
    }
    std::string replies;
    size_t count = 0;
    std::string_view items = transaction.args[1];
    for (replica::Item item; replica::TakeItem(&items, &item).ok(); ++count) {
      RunCommand(item, own, &replies);
    }
    writer.Array(count);
    writer.Raw(replies);
  }

  void RunCommand(const replica::Item& item, bool own, std::string* out) {
    const server::Command* command = commands_->Find(item.args[0]);
    CHECK(command != nullptr);
    if (!command->subcommands.empty()) command = command->FindSubcommand(item.args.at(1));
    const size_t start = out->size();
    resp::Writer writer(out, item.protocol);
    Status status;
    if (item.kind == replica::ItemKind::kWrite) {
      commands::WriteContext context(txn_, item.db);
      context.set_shows_receivers(own);
      status = command->spec->handler.write(context, item.args, writer);
    } else {
      commands::ReadContext context(txn_, item.db);
      status = command->spec->handler.read(context, item.args, writer);
    }
    if (!status.ok()) {
      out->resize(start);
      commands::WriteError(status, writer);
    }
  }

  const server::CommandTable* const commands_;
  std::vector<replica::LaneSink*> sinks_;
  mutable std::mutex mutex_;
  mutable size_t views_ = 0;
  MemoryTxn txn_;
  uint64_t applied_ = 0;
  std::deque<Batch> batches_;
  std::deque<std::pair<replica::Lane, uint64_t>> asked_;
};

// Time that stands until the test moves it.
class FakeClock : public Clock {
 public:
  int64_t WallMs() const override { return wall_ms; }
  int64_t BootNs() const override { return boot_ns; }
  void Advance(int64_t ms) {
    wall_ms += ms;
    boot_ns += ms * 1000000;
  }
  std::atomic<int64_t> wall_ms{1'000'000'000'000};
  std::atomic<int64_t> boot_ns{1'000'000'000};
};

}  // namespace metastore::test
