// Moving a checkpoint from the leader to a follower whose next entry is cut.
//
// The leader offers the manifest; the follower answers with the position it wants, and so on
// chunk by chunk: one chunk is in memory on either side, and a transfer that was cut goes on
// where it stopped, because the follower keeps what it has. Disk work runs on the replica's
// worker thread; these objects live in the raft role and only decide.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "raft/types.h"
#include "replica/transport.h"

namespace metastore::replica {

// How the raft role reaches the worker thread and gets its answers back.
class Worker {
 public:
  virtual ~Worker() = default;
  // Runs `work` on the worker thread, in the order of the calls.
  virtual void Post(std::function<void()> work) = 0;
  // From the worker thread: runs `done` in the raft role.
  virtual void PostBack(std::function<void()> done) = 0;
};

class SnapshotSender {
 public:
  using Done = std::function<void(raft::NodeId peer, bool ok, raft::Index index)>;

  // `bytes_per_second` is for all transfers together; 0: as fast as the link.
  SnapshotSender(engine::Engine* engine, Transport* transport, Worker* worker,
                 std::string directory, uint64_t bytes_per_second, Done done);

  // Starts a transfer unless one to this peer runs.
  void Start(raft::NodeId peer, raft::Term term, raft::Index applied, int64_t now_ns);
  void OnAck(raft::NodeId peer, std::string_view body, int64_t now_ns);
  // Sends what the rate allows; offers again after silence; gives up after kGiveUpNs of it.
  void OnTime(int64_t now_ns);
  // This node no longer leads.
  void CancelAll();
  // Entries behind this index must stay in the log, or a peer that has its snapshot would need the
  // next one at once. No transfer: nothing must.
  raft::Index KeepAfter(int64_t now_ns);

 private:
  // Owned here; the worker's closures hold it too, since a transfer may be cancelled under them.
  struct Transfer {
    raft::NodeId peer = 0;
    uint64_t id = 0;
    raft::Term term = 0;
    raft::SnapshotMetadata snapshot;
    std::string directory;
    std::unique_ptr<engine::CheckpointSource> source;
    engine::CheckpointPosition wanted;
    bool ready = false;        // the checkpoint is made
    bool chunk_due = false;    // `wanted` is to be sent
    bool reading = false;      // the worker reads a chunk
    raft::Index at_least = 0;  // the snapshot's index is not below it
    int64_t last_chunk_ns = 0;
    int64_t last_heard_ns = 0;
    int64_t last_offer_ns = 0;
  };

  void MakeCheckpoint(std::shared_ptr<Transfer> transfer);
  void Offer(Transfer& transfer, int64_t now_ns);
  void SendChunk(const std::shared_ptr<Transfer>& transfer, int64_t now_ns);
  void Finish(raft::NodeId peer, bool ok);

  engine::Engine* const engine_;
  Transport* const transport_;
  Worker* const worker_;
  const std::string directory_;
  const uint64_t bytes_per_second_;
  const Done done_;
  uint64_t next_id_ = 1;
  int64_t next_chunk_ns_ = 0;  // as the rate allows it
  std::map<raft::NodeId, std::shared_ptr<Transfer>> transfers_;
  // Peers that have a snapshot and are installing it or catching up: its index, since when.
  std::map<raft::NodeId, std::pair<raft::Index, int64_t>> catching_up_;
};

class SnapshotReceiver {
 public:
  // False: it is not wanted after all.
  using Received = std::function<bool(const raft::SnapshotMetadata&)>;

  // `directory` is where the copy grows; `received` is called when it is complete and durable.
  SnapshotReceiver(Transport* transport, Worker* worker, std::string directory, Received received);

  void OnOffer(raft::NodeId from, std::string_view body, raft::Index commit_index);
  void OnChunk(raft::NodeId from, std::string_view body);
  const std::string& directory() const { return directory_; }

 private:
  // Shared with the worker's closures; its sink is touched on the worker thread only.
  struct Incoming {
    raft::NodeId from = 0;
    uint64_t id = 0;
    raft::SnapshotMetadata snapshot;
    std::unique_ptr<engine::CheckpointSink> sink;
    bool finished = false;
  };

  void Ack(const Incoming& incoming, engine::CheckpointPosition at, bool done, bool refused);
  // On the worker thread: tells the leader what is wanted next, or completes.
  void Proceed(const std::shared_ptr<Incoming>& incoming, Status status);

  Transport* const transport_;
  Worker* const worker_;
  const std::string directory_;
  const Received received_;
  std::shared_ptr<Incoming> incoming_;
};

}  // namespace metastore::replica
