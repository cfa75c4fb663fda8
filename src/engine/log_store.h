// LogStore: the Raft log, hard state and membership of one node in a RocksDB instance of its own,
// `<directory>/raft/`. Every Append is one synced WriteBatch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "raft/node.h"
#include "raft/types.h"

namespace metastore::engine {

struct LogStoreOptions {
  std::string directory;  // the node's data directory
  size_t write_buffer_bytes = 32 << 20;
};

// One durable write: what a raft::Ready asks for.
struct LogWrite {
  std::optional<raft::HardState> hard_state;
  std::vector<raft::Entry> entries;  // replace the log from the first one's index on
  // The log restarts empty after this snapshot; applied before `entries`.
  std::optional<raft::SnapshotMetadata> snapshot;
};

class LogStore : public raft::LogReader {
 public:
  // A torn tail is cut; damage elsewhere and gaps are kCorruption.
  static Result<std::unique_ptr<LogStore>> Open(const LogStoreOptions& options);
  ~LogStore() override = default;

  // What was recovered by Open, and what later Appends and Compacts made of it.
  // Log role, or any thread before the roles start.
  virtual raft::HardState hard_state() const = 0;
  virtual raft::Position start() const = 0;    // the entry before the first one kept
  virtual raft::Index last_index() const = 0;  // == start().index when empty
  // The membership in force at start(), as the last Compact or snapshot said.
  virtual raft::Membership start_membership() const = 0;

  // Durable on return. Log role. An error is fatal to the node: the caller must not retry
  // (after a failed fsync the kernel may have dropped the pages).
  virtual Status Append(const LogWrite& write) = 0;

  // Writes the first membership of a new node, before any entry exists.
  virtual Status Bootstrap(const raft::Membership& membership) = 0;

  // Cuts entries up to and including `upto`, whose term is given; not synced by itself. Log role.
  virtual Status Compact(raft::Position upto, const raft::Membership& membership) = 0;

  // Small named records of the node (identity, incarnation), synced.
  virtual Status PutRecord(std::string_view name, std::string_view value) = 0;
  virtual std::optional<std::string> GetRecord(std::string_view name) const = 0;

  // Bytes of SST and WAL files.
  virtual uint64_t DiskBytes() const = 0;
};

}  // namespace metastore::engine
