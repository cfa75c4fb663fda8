// Engine: the state machine's RocksDB instance, `<directory>/db/<generation>/`, opened with its
// WAL off because the Raft log is its WAL: after a crash the log is replayed from the flushed
// applied index. `<directory>/db/CURRENT` names the live generation; installing a snapshot writes
// a new generation and switches that file, so a crash leaves the old state or the new one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/txn.h"
#include "engine/view.h"

namespace metastore::engine {

struct EngineOptions {
  std::string directory;  // the node's data directory
  size_t block_cache_bytes = 128 << 20;
  size_t record_cache_bytes = 160 << 20;
  size_t write_buffer_bytes = 64 << 20;  // all memtables together flush at this size
  int background_threads = 2;
};

struct EngineStats {
  uint64_t memtable_bytes = 0;
  uint64_t sst_bytes = 0;  // live SST files on disk
  uint64_t block_cache_bytes = 0;
  uint64_t record_cache_bytes = 0;
  uint64_t record_cache_hits = 0;
  uint64_t record_cache_misses = 0;
  uint64_t table_reader_bytes = 0;
  uint64_t pending_compaction_bytes = 0;
  bool write_stopped = false;
};

class Engine {
 public:
  // Creates what is missing and removes half-made generations. Errors are sentences for an
  // operator.
  static Result<std::unique_ptr<Engine>> Open(const EngineOptions& options);
  virtual ~Engine() = default;

  // The state at this moment. Any thread. `now_ms` is the reader's clock; the View's time is
  // never below the time of the last entry applied.
  virtual std::unique_ptr<View> NewView(int64_t now_ms) const = 0;

  // The write side; the same object for the engine's life. Apply role.
  virtual Txn& txn() = 0;
  // Writes what the Txn gathered, atomically, and empties it. Visible to new Views on return.
  virtual void Commit() = 0;

  // The value of a kSystem key as it is on disk (flushed), not counting memtables.
  virtual std::optional<std::string> ReadFlushed(std::string_view system_key) const = 0;
  // Flushes all families; returns when durable. Any thread.
  virtual Status Flush() = 0;

  // Has the files compacted that hold much of what DeleteDeadRange removed, so that its space comes
  // back soon and not with some later write to its surroundings. Starts work in the background, a
  // level at a time: call it every few seconds. It may flush. Any thread, one at a time.
  virtual Status ReclaimSpace() = 0;

  // Makes a consistent copy (hard links) of everything committed in a new directory. Any thread.
  virtual Status Checkpoint(const std::string& directory) = 0;

  // Apply role, no Txn open: makes the checkpoint in `directory` (complete and verified) the live
  // state: moves it to a new generation, switches CURRENT, opens it. Views of the old state stay
  // good until they are dropped.
  virtual Status Install(const std::string& directory) = 0;

  virtual EngineStats Stats() const = 0;
};

}  // namespace metastore::engine
