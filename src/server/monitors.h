// MONITOR: the clients that are shown every command which this node takes. Any thread; while there
// is none, a command pays a load for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "commands/command_spec.h"

namespace metastore::server {

struct Command;

class Monitors {
 public:
  bool any() const { return any_.load(std::memory_order_relaxed); }
  void Add(uint64_t session_id);
  void Remove(uint64_t session_id);
  std::vector<uint64_t> Sessions() const;

 private:
  std::atomic<bool> any_{false};
  mutable Mutex mutex_;
  std::vector<uint64_t> sessions_ GUARDED_BY(mutex_);
};

// The line of a command, passwords left out; empty for commands that are not shown.
std::string MonitorLine(int64_t now_ms, int db, std::string_view address, const Command& command,
                        commands::Args args);

}  // namespace metastore::server
