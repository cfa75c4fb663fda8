// ThreadedReplica: a Replica on real threads.
//
//   io ──Submit, RequestRead──▶ raft ──Write──▶ log ──OnPersisted──▶ raft ──Apply──▶ apply
//   io ◀───────────────── replies, read permissions ────────────────────────────────── apply
//
// raft runs the transport's loop around a RaftDriver; log appends and syncs (in a cluster of one
// the raft role does that too); apply runs the state machine; a worker makes, sends and receives
// checkpoints, flushes, and looks at the disk. Values cross in mailboxes; the two atomics of the
// read gate are all that is shared.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/log_store.h"
#include "replica/raft_driver.h"
#include "replica/replica.h"
#include "replica/state_machine.h"
#include "replica/topology_watch.h"
#include "replica/transport.h"

namespace metastore::replica {

// In the log store of a node that entered a cluster which others had founded.
inline constexpr char kJoinedRecord[] = "joined";

struct ThreadedReplicaOptions {
  DriverOptions driver;
  std::string directory;  // the node's data directory
  std::string cluster;    // the name that a node which joins is told
  // Where to look for the cluster before this node knows its members: of a node that joins.
  std::map<raft::NodeId, std::string> seeds;
  // Called once, in the raft role, when this node has learned that it was removed.
  std::function<void()> on_removed;
  uint64_t snapshot_bytes_per_second = 0;  // 0: no limit
  uint64_t disk_reserve_bytes = 256 << 20;
  // The engine is flushed when the log above its flushed index grows past this.
  uint64_t log_flush_bytes = 256 << 20;
  bool active_expire = true;
  types::EncodingLimits encoding_limits;
  std::string master_name;  // Sentinel's, in what subscribers of +switch-master are told
  TopologyOptions topology;
  CommandFinder find_command = nullptr;
};

// All pointers must outlive the replica. The engine and log must be consistent with each other:
// call RecoverLog first.
std::unique_ptr<Replica> MakeThreadedReplica(const ThreadedReplicaOptions& options,
                                             const Clock* clock, engine::Engine* engine,
                                             engine::LogStore* log, Transport* transport);

// What a restarted node knows from its disk, in the form that raft::Config wants it. Repairs the
// one inconsistency a crash can leave: a snapshot that the engine has installed and the log has
// not yet recorded. kCorruption: the log ends before the state machine for any other reason.
Status RecoverLog(const engine::Engine& engine, engine::LogStore* log, raft::Config* config);

}  // namespace metastore::replica
