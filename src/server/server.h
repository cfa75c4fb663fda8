// Server: what all io loops of a node share: the replica, the configuration, the command table,
// the clients and the statistics. Any thread, unless a member says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "replica/replica.h"
#include "server/clients.h"
#include "server/command_table.h"
#include "server/limits.h"
#include "server/monitors.h"
#include "server/subscriptions.h"

namespace metastore::server {

class Config;  // server/config.h

// Times in microseconds by powers of two: bucket i counts times < 2^i, the last one the rest.
inline constexpr int kLatencyBuckets = 28;

struct Histogram {
  std::array<uint64_t, kLatencyBuckets> buckets{};
  uint64_t count = 0;
  uint64_t sum_us = 0;
};

struct CommandStats {
  uint64_t calls = 0;
  uint64_t usec = 0;      // of a write: from its batch's submission to the answer
  uint64_t rejected = 0;  // arity, auth, disk: never run
  uint64_t failed = 0;    // ran and replied an error
};

// A sum over all loops at one moment.
struct StatsSnapshot {
  uint64_t commands_processed = 0;
  uint64_t connections_received = 0;
  uint64_t connections_rejected = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t keyspace_hits = 0;
  uint64_t keyspace_misses = 0;
  uint64_t error_replies = 0;
  uint64_t unexpected_errors = 0;  // to a replication link or a log file in Redis; here always 0
  uint64_t http_requests = 0;
  uint64_t turns = 0;
  uint64_t batches = 0;
  uint64_t query_limit_disconnections = 0;
  uint64_t output_limit_disconnections = 0;
  Histogram read_latency;
  Histogram write_latency;
  std::vector<CommandStats> commands;  // by Command::index
};

// One loop's counters: written by the loop, summed up by any thread.
class LoopStats {
 public:
  explicit LoopStats(size_t commands) : commands_(commands) {}

  struct PerCommand {
    Published<uint64_t> calls, ns, rejected, failed;
  };
  struct PublishedHistogram {
    std::array<Published<uint64_t>, kLatencyBuckets> buckets;
    Published<uint64_t> count, sum_us;
    void Record(uint64_t us, uint64_t times = 1);
  };

  Published<uint64_t> commands_processed, connections_received, connections_rejected, bytes_in,
      bytes_out, keyspace_hits, keyspace_misses, error_replies, http_requests, turns, batches,
      query_limit_disconnections, output_limit_disconnections;
  PublishedHistogram read_latency, write_latency;
  PerCommand& command(uint32_t index) { return commands_[index]; }

  void AddTo(StatsSnapshot* sum) const;

 private:
  std::vector<PerCommand> commands_;
};

// Of client-side caching, all loops together, for INFO.
struct TrackingTotals {
  std::atomic<int64_t> clients{0};
  std::atomic<int64_t> keys{0};   // that are remembered
  std::atomic<int64_t> items{0};  // clients of each of them
  std::atomic<int64_t> prefixes{0};
};

enum class PauseMode : uint8_t { kNone, kWrites, kAll };

class Server {
 public:
  // The pointers are borrowed and outlive the Server; `config` may be null in tests.
  Server(replica::Replica* replica, Config* config, const Clock* clock,
         const CommandTable* commands, const Limits& limits);

  replica::Replica& replica() { return *replica_; }
  Config& config() { return *config_; }
  const Clock& clock() const { return *clock_; }
  const CommandTable& commands() const { return *commands_; }
  ClientRegistry& clients() { return clients_; }
  Subscriptions& subscriptions() { return subscriptions_; }
  Monitors& monitors() { return monitors_; }

  // 40 hex digits, another one at each start.
  const std::string& run_id() const { return run_id_; }
  int64_t start_wall_ms() const { return start_wall_ms_; }
  int64_t uptime_s() const;

  Limits limits() const;
  void SetLimits(const Limits& limits);
  // Changes with each SetLimits.
  uint64_t limits_version() const { return limits_version_.load(std::memory_order_acquire); }

  // --- statistics ------------------------------------------------------------------------------
  // For each loop, before it runs. Lives as long as the Server.
  LoopStats* AddLoop();
  int loops() const;
  StatsSnapshot Stats() const;
  void ResetStats();  // CONFIG RESETSTAT

  // --- CLIENT PAUSE ----------------------------------------------------------------------------
  // A later call never shortens the pause, nor weakens its mode while it lasts, as in Redis.
  void Pause(PauseMode mode, int64_t until_wall_ms);
  void Unpause();
  PauseMode pause_mode() const;

  // --- SHUTDOWN --------------------------------------------------------------------------------
  // Main sets what a request does (it wakes the main thread); the first request counts.
  void SetShutdownHook(std::function<void()> hook);
  void RequestShutdown();
  bool shutdown_requested() const { return shutdown_.load(std::memory_order_acquire); }

  // Writes are refused although the replica would take them (DEBUG, tests); never by default.
  bool DiskNearlyFull() const { return replica_->DiskNearlyFull(); }

  // Ports that are open, for INFO; set by the listeners.
  std::atomic<int> redis_port{0};
  std::atomic<int> http_port{0};

  TrackingTotals tracking_totals;
  std::atomic<int64_t> blocked_clients{0};

 private:
  replica::Replica* const replica_;
  Config* const config_;
  const Clock* const clock_;
  const CommandTable* const commands_;
  ClientRegistry clients_;
  Subscriptions subscriptions_;
  Monitors monitors_;
  std::string run_id_;
  int64_t start_wall_ms_;
  int64_t start_boot_ns_;

  mutable Mutex mutex_;
  Limits limits_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<LoopStats>> loop_stats_ GUARDED_BY(mutex_);
  StatsSnapshot baseline_ GUARDED_BY(mutex_);  // what ResetStats takes off
  std::function<void()> shutdown_hook_ GUARDED_BY(mutex_);

  std::atomic<uint64_t> limits_version_{1};
  std::atomic<bool> shutdown_{false};
  std::atomic<int64_t> pause_until_ms_{0};
  std::atomic<PauseMode> pause_mode_{PauseMode::kNone};
};

}  // namespace metastore::server
