#include "replica/snapshot_transfer.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "engine/checkpoint_record.h"
#include "engine/system_keys.h"
#include "replica/peer.pb.h"
#include "replica/state_machine.h"

namespace metastore::replica {
namespace {

constexpr int64_t kOfferAgainNs = 2'000'000'000;
constexpr int64_t kGiveUpNs = 60'000'000'000;
// A peer that has its snapshot asks for what follows within this time.
constexpr int64_t kCatchUpNs = 60'000'000'000;

void Remove(const std::string& directory) {
  std::error_code ignored;  // what stays is removed at the next start
  std::filesystem::remove_all(directory, ignored);
}

}  // namespace

SnapshotSender::SnapshotSender(engine::Engine* engine, Transport* transport, Worker* worker,
                               std::string directory, uint64_t bytes_per_second, Done done)
    : engine_(engine),
      transport_(transport),
      worker_(worker),
      directory_(std::move(directory)),
      bytes_per_second_(bytes_per_second),
      done_(std::move(done)) {
  Remove(directory_);
}

void SnapshotSender::Start(raft::NodeId peer, raft::Term term, raft::Index applied,
                           int64_t now_ns) {
  if (transfers_.contains(peer)) return;
  auto transfer = std::make_shared<Transfer>();
  transfer->peer = peer;
  transfer->id = next_id_++;
  transfer->term = term;
  transfer->at_least = applied;
  transfer->directory = directory_ + "/" + std::to_string(transfer->id);
  transfer->last_heard_ns = now_ns;
  transfers_[peer] = transfer;
  log::info("sending a snapshot to node {}", peer);
  worker_->Post([this, transfer] { MakeCheckpoint(transfer); });
}

void SnapshotSender::MakeCheckpoint(std::shared_ptr<Transfer> transfer) {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  Status status = engine_->Checkpoint(transfer->directory);
  if (status.ok()) {
    // The copy may hold more than was applied when it was asked for: it says itself what.
    std::optional<std::string> record =
        engine::ReadCheckpointRecord(transfer->directory, engine::kAppliedKey);
    std::optional<std::string> membership =
        engine::ReadCheckpointRecord(transfer->directory, engine::kMembershipKey);
    if (record && membership) {
      transfer->snapshot.membership = StateMachine::DecodeMembership(*membership).membership;
      raft::Position applied = StateMachine::DecodeApplied(*record);
      transfer->snapshot.index = applied.index;
      transfer->snapshot.term = applied.term;
      Result<std::unique_ptr<engine::CheckpointSource>> source =
          engine::CheckpointSource::Open(transfer->directory);
      if (source.ok()) {
        transfer->source = std::move(*source);
      } else {
        status = source.status();
      }
    } else {
      status = Status::Corruption("checkpoint without an applied index or a membership");
    }
  }
  worker_->PostBack([this, transfer, status] {
    auto it = transfers_.find(transfer->peer);
    if (it == transfers_.end() || it->second != transfer) return;
    if (!status.ok()) {
      log::warn("cannot make a snapshot for node {}: {}", transfer->peer, status.ToString());
      Finish(transfer->peer, false);
      return;
    }
    transfer->ready = true;
    Offer(*transfer, transfer->last_heard_ns);
  });
}

void SnapshotSender::Offer(Transfer& transfer, int64_t now_ns) {
  peer::SnapshotOffer offer;
  offer.set_id(transfer.id);
  offer.set_term(transfer.term);
  peer::SnapshotMetadata* metadata = offer.mutable_snapshot();
  metadata->set_index(transfer.snapshot.index);
  metadata->set_term(transfer.snapshot.term);
  metadata->set_membership(raft::EncodeMembership(transfer.snapshot.membership));
  offer.set_manifest(transfer.source->manifest());
  offer.set_total_bytes(transfer.source->total_bytes());
  transfer.last_offer_ns = now_ns;
  transport_->Send(transfer.peer, wire::Channel::kSnapshot,
                   wire::MakeFrame(wire::FrameType::kSnapshotOffer, offer.SerializeAsString()));
}

void SnapshotSender::OnAck(raft::NodeId peer, std::string_view body, int64_t now_ns) {
  peer::SnapshotAck ack;
  if (!ack.ParseFromArray(body.data(), static_cast<int>(body.size()))) return;
  auto it = transfers_.find(peer);
  if (it == transfers_.end() || it->second->id != ack.id()) return;
  std::shared_ptr<Transfer> transfer = it->second;
  transfer->last_heard_ns = now_ns;
  if (ack.refused() || ack.done()) {
    Finish(peer, ack.done());
    return;
  }
  transfer->wanted = {ack.file(), ack.offset()};
  transfer->chunk_due = true;  // OnTime sends it, at the end of this turn
}

void SnapshotSender::SendChunk(const std::shared_ptr<Transfer>& transfer, int64_t now_ns) {
  if (!transfer->chunk_due || transfer->reading || now_ns < next_chunk_ns_) return;
  transfer->chunk_due = false;
  transfer->reading = true;
  transfer->last_chunk_ns = now_ns;
  if (bytes_per_second_ > 0) {
    int64_t cost_ns = static_cast<int64_t>(engine::kCheckpointChunkBytes * uint64_t{1'000'000'000} /
                                           bytes_per_second_);
    // The loop turns every few milliseconds; what that lost may be caught up, within one chunk.
    next_chunk_ns_ = std::max(next_chunk_ns_, now_ns - cost_ns) + cost_ns;
  }
  engine::CheckpointPosition at = transfer->wanted;
  worker_->Post([this, transfer, at] {
    engine::CheckpointPosition position = at;
    Result<std::string> chunk = transfer->source->Next(&position);
    std::string frame;
    if (chunk.ok()) {
      peer::SnapshotChunk message;
      message.set_id(transfer->id);
      message.set_file(at.file);
      message.set_offset(at.offset);
      message.set_data(std::move(*chunk));
      frame = wire::MakeFrame(wire::FrameType::kSnapshotChunk, message.SerializeAsString());
    }
    worker_->PostBack([this, transfer, frame = std::move(frame)]() mutable {
      transfer->reading = false;
      auto it = transfers_.find(transfer->peer);
      if (it == transfers_.end() || it->second != transfer) return;
      if (frame.empty()) {
        log::warn("cannot read the snapshot for node {}", transfer->peer);
        Finish(transfer->peer, false);
        return;
      }
      transport_->Send(transfer->peer, wire::Channel::kSnapshot, std::move(frame));
    });
  });
}

void SnapshotSender::OnTime(int64_t now_ns) {
  // They share the rate: the one that had its last chunk longest ago is first.
  std::vector<std::shared_ptr<Transfer>> due;
  for (const auto& [peer, transfer] : transfers_) {
    if (transfer->chunk_due) due.push_back(transfer);
  }
  std::stable_sort(due.begin(), due.end(), [](const auto& a, const auto& b) {
    return a->last_chunk_ns < b->last_chunk_ns;
  });
  for (const std::shared_ptr<Transfer>& transfer : due) SendChunk(transfer, now_ns);
  std::vector<raft::NodeId> given_up;
  for (auto& [peer, transfer] : transfers_) {
    if (!transfer->ready) {
      transfer->last_heard_ns = now_ns;
      continue;
    }
    int64_t silent_since = std::max(transfer->last_heard_ns, transfer->last_offer_ns);
    if (now_ns - transfer->last_heard_ns > kGiveUpNs) {
      given_up.push_back(peer);
    } else if (!transfer->chunk_due && !transfer->reading &&
               now_ns - silent_since > kOfferAgainNs) {
      Offer(*transfer, now_ns);
    }
  }
  for (raft::NodeId peer : given_up) Finish(peer, false);
}

void SnapshotSender::Finish(raft::NodeId peer, bool ok) {
  auto it = transfers_.find(peer);
  CHECK(it != transfers_.end());
  std::shared_ptr<Transfer> transfer = it->second;
  transfers_.erase(it);
  worker_->Post([transfer] {
    transfer->source.reset();
    Remove(transfer->directory);
  });
  if (ok) {
    log::info("snapshot at index {} sent to node {}", transfer->snapshot.index, peer);
    catching_up_[peer] = {transfer->snapshot.index, transfer->last_heard_ns};
  }
  done_(peer, ok, transfer->snapshot.index);
}

void SnapshotSender::CancelAll() {
  while (!transfers_.empty()) Finish(transfers_.begin()->first, false);
  catching_up_.clear();
}

raft::Index SnapshotSender::KeepAfter(int64_t now_ns) {
  std::erase_if(catching_up_,
                [now_ns](const auto& peer) { return now_ns - peer.second.second > kCatchUpNs; });
  raft::Index index = UINT64_MAX;
  for (const auto& [peer, since] : catching_up_) index = std::min(index, since.first);
  for (const auto& [peer, transfer] : transfers_) {
    index = std::min(index, transfer->ready ? transfer->snapshot.index : transfer->at_least);
  }
  return index;
}

SnapshotReceiver::SnapshotReceiver(Transport* transport, Worker* worker, std::string directory,
                                   Received received)
    : transport_(transport),
      worker_(worker),
      directory_(std::move(directory)),
      received_(std::move(received)) {}

void SnapshotReceiver::Ack(const Incoming& incoming, engine::CheckpointPosition at, bool done,
                           bool refused) {
  peer::SnapshotAck ack;
  ack.set_id(incoming.id);
  ack.set_file(at.file);
  ack.set_offset(at.offset);
  ack.set_done(done);
  ack.set_refused(refused);
  transport_->Send(incoming.from, wire::Channel::kSnapshot,
                   wire::MakeFrame(wire::FrameType::kSnapshotAck, ack.SerializeAsString()));
}

void SnapshotReceiver::OnOffer(raft::NodeId from, std::string_view body, raft::Index commit_index) {
  peer::SnapshotOffer offer;
  if (!offer.ParseFromArray(body.data(), static_cast<int>(body.size()))) return;
  auto incoming = std::make_shared<Incoming>();
  incoming->from = from;
  incoming->id = offer.id();
  incoming->snapshot.index = offer.snapshot().index();
  incoming->snapshot.term = offer.snapshot().term();
  Result<raft::Membership> membership = raft::DecodeMembership(offer.snapshot().membership());
  if (!membership.ok()) return;
  incoming->snapshot.membership = std::move(*membership);
  if (incoming->snapshot.index <= commit_index) {
    Ack(*incoming, {}, false, true);
    return;
  }
  // The same offer again: the worker answers it behind what it is doing.
  if (incoming_ && incoming_->from == from && incoming_->id == incoming->id) {
    incoming = incoming_;
    worker_->Post([this, incoming] {
      if (incoming->sink && !incoming->finished) Proceed(incoming, Status::Ok());
    });
    return;
  }
  log::info("receiving the snapshot at index {} from node {}, {} bytes", incoming->snapshot.index,
            from, offer.total_bytes());
  std::shared_ptr<Incoming> previous = std::move(incoming_);
  incoming_ = incoming;
  worker_->Post([this, incoming, previous, manifest = offer.manifest()] {
    if (previous) previous->sink.reset();
    Result<std::unique_ptr<engine::CheckpointSink>> sink =
        engine::CheckpointSink::Open(directory_, manifest);
    if (sink.ok()) incoming->sink = std::move(*sink);
    Proceed(incoming, sink.status());
  });
}

void SnapshotReceiver::OnChunk(raft::NodeId from, std::string_view body) {
  peer::SnapshotChunk chunk;
  if (!chunk.ParseFromArray(body.data(), static_cast<int>(body.size()))) return;
  if (!incoming_ || incoming_->from != from || incoming_->id != chunk.id()) return;
  std::shared_ptr<Incoming> incoming = incoming_;
  worker_->Post([this, incoming, chunk = std::move(chunk)] {
    if (!incoming->sink || incoming->finished) return;
    engine::CheckpointPosition wanted = incoming->sink->position();
    // A chunk that came twice was asked for twice. A second answer to it would bring each of the
    // following ones twice too.
    if (wanted.file != chunk.file() || wanted.offset != chunk.offset()) return;
    Proceed(incoming, incoming->sink->Write(wanted, chunk.data()));
  });
}

void SnapshotReceiver::Proceed(const std::shared_ptr<Incoming>& incoming, Status status) {
  bool complete = status.ok() && incoming->sink->complete();
  if (complete) status = incoming->sink->Finish();
  if (complete || !status.ok()) {
    incoming->finished = true;
    incoming->sink.reset();
    if (!status.ok()) Remove(directory_);
  }
  engine::CheckpointPosition wanted;
  if (incoming->sink) wanted = incoming->sink->position();
  worker_->PostBack([this, incoming, status, complete, wanted] {
    if (incoming_ != incoming) return;
    if (!status.ok()) {
      log::warn("the snapshot from node {} failed: {}", incoming->from, status.ToString());
      incoming_.reset();
      Ack(*incoming, {}, false, true);
      return;
    }
    if (complete) incoming_.reset();
    Ack(*incoming, wanted, complete, false);
    if (complete && !received_(incoming->snapshot)) {
      worker_->Post([this] { Remove(directory_); });
    }
  });
}

}  // namespace metastore::replica
