// Whole replicas (RaftDriver, StateMachine, sessions, real commands) in one thread, from one seed.
//
// The network loses, repeats, delays and reorders; nodes pause, crash and lose what was not synced,
// come back with what was, have their logs cut and get snapshots, are added, removed and added
// again with an empty disk. Clients append unique tokens to a few keys through any node and read
// them back; an append-only key makes linearizability and exactly-once easy to judge completely:
//   - every command gets one answer, and only one;
//   - an acknowledged append appears exactly once, at the length its reply said;
//   - one with an unknown outcome appears at most once, one refused never;
//   - a read sees a prefix of the final value, at least as long as everything that was
//     acknowledged, or read, before it was asked.
// Where collections are asked for, most commands are those of collection_load.h; the leader deletes
// what is due, and in the end nothing that is due is left.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "replica/raft_driver.h"
#include "replica/state_machine.h"
#include "tests/support/memory_engine.h"

namespace metastore::replica {

struct SimulationOptions {
  uint64_t seed = 1;
  int nodes = 3;
  int steps = 6000;
  bool crashes = true;
  bool partitions = true;
  bool compaction = true;
  bool pauses = true;
  // Nodes that found the cluster; the others are there to be added. 0: all.
  int founders = 0;
  bool changes = false;  // of the membership, of all kinds, at any node
  bool collections = false;
  bool witness = false;  // with collections: one more replica, on RocksDB (witness.h)
  // Faults to plant, to show that the judge sees them:
  bool break_reads = false;      // reads are served without asking for a point
  bool late_clock = false;       // after a pause, messages are handled before the clock is read
  bool forget_sessions = false;  // snapshots come without the session table
  bool answer_twice = false;     // kUnknown is told without asking the state machine
  bool lose_rows = false;        // of collections, in snapshots
  bool free_floors = false;      // the search for what is due begins beyond the last entry's time
};

struct SimulationResult {
  bool ok = true;
  std::string failure;
  uint64_t fingerprint = 0;
  int acknowledged = 0;
  int unknown = 0;
  int refused = 0;
  int reads = 0;
  int crashes = 0;
  int snapshots = 0;
  int leader_changes = 0;
  int changes = 0;  // acknowledged
  int removed = 0;
  uint64_t expired_keys = 0;    // as all replicas count them
  uint64_t expired_fields = 0;  // the same
  int reclaims = 0;             // proposed
  int64_t spread = 0;           // collections, in the end
  int64_t keys = 0;             // in the end
};

SimulationResult RunSimulation(const SimulationOptions& options);

}  // namespace metastore::replica
