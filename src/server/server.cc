#include "server/server.h"

#include <bit>
#include <random>

#include "base/check.h"

namespace metastore::server {
namespace {

std::string MakeRunId() {
  std::random_device device;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  while (id.size() < 40) {
    uint32_t word = device();
    for (int i = 0; i < 8; ++i, word >>= 4) id.push_back(kDigits[word & 15]);
  }
  return id;
}

void AddHistogram(const LoopStats::PublishedHistogram& from, Histogram* sum) {
  for (int i = 0; i < kLatencyBuckets; ++i) sum->buckets[i] += from.buckets[i];
  sum->count += from.count;
  sum->sum_us += from.sum_us;
}

}  // namespace

void LoopStats::PublishedHistogram::Record(uint64_t us, uint64_t times) {
  int bucket = std::min<int>(std::bit_width(us), kLatencyBuckets - 1);
  buckets[bucket].Add(times);
  count.Add(times);
  sum_us.Add(us * times);
}

void LoopStats::AddTo(StatsSnapshot* sum) const {
  sum->commands_processed += commands_processed;
  sum->connections_received += connections_received;
  sum->connections_rejected += connections_rejected;
  sum->bytes_in += bytes_in;
  sum->bytes_out += bytes_out;
  sum->keyspace_hits += keyspace_hits;
  sum->keyspace_misses += keyspace_misses;
  sum->error_replies += error_replies;
  sum->http_requests += http_requests;
  sum->turns += turns;
  sum->batches += batches;
  sum->query_limit_disconnections += query_limit_disconnections;
  sum->output_limit_disconnections += output_limit_disconnections;
  AddHistogram(read_latency, &sum->read_latency);
  AddHistogram(write_latency, &sum->write_latency);
  sum->commands.resize(commands_.size());
  for (size_t i = 0; i < commands_.size(); ++i) {
    sum->commands[i].calls += commands_[i].calls;
    sum->commands[i].usec += commands_[i].ns / 1000;
    sum->commands[i].rejected += commands_[i].rejected;
    sum->commands[i].failed += commands_[i].failed;
  }
}

Server::Server(replica::Replica* replica, Config* config, const Clock* clock,
               const CommandTable* commands, const Limits& limits)
    : replica_(replica),
      config_(config),
      clock_(clock),
      commands_(commands),
      run_id_(MakeRunId()),
      start_wall_ms_(clock->WallMs()),
      start_boot_ns_(clock->BootNs()),
      limits_(limits) {
  baseline_.commands.resize(commands->size());
  engine::Interest& interest = replica->interest();
  interest.SetNotifyClasses(limits.notify_classes);
  interest.SetReceiverCount([this](bool shard, std::string_view channel) {
    return subscriptions_.Receivers(shard, channel);
  });
}

int64_t Server::uptime_s() const { return (clock_->BootNs() - start_boot_ns_) / 1000000000; }

Limits Server::limits() const {
  MutexLock lock(mutex_);
  return limits_;
}

void Server::SetLimits(const Limits& limits) {
  MutexLock lock(mutex_);
  limits_ = limits;
  replica_->interest().SetNotifyClasses(limits.notify_classes);
  limits_version_.fetch_add(1, std::memory_order_release);
}

LoopStats* Server::AddLoop() {
  MutexLock lock(mutex_);
  loop_stats_.push_back(std::make_unique<LoopStats>(commands_->size()));
  limits_version_.fetch_add(1, std::memory_order_release);  // each loop's share is smaller now
  return loop_stats_.back().get();
}

int Server::loops() const {
  MutexLock lock(mutex_);
  return static_cast<int>(loop_stats_.size());
}

StatsSnapshot Server::Stats() const {
  StatsSnapshot sum;
  MutexLock lock(mutex_);
  sum.commands.resize(commands_->size());
  for (const auto& loop : loop_stats_) loop->AddTo(&sum);
  const StatsSnapshot& base = baseline_;
  sum.commands_processed -= base.commands_processed;
  sum.connections_received -= base.connections_received;
  sum.connections_rejected -= base.connections_rejected;
  sum.bytes_in -= base.bytes_in;
  sum.bytes_out -= base.bytes_out;
  sum.keyspace_hits -= base.keyspace_hits;
  sum.keyspace_misses -= base.keyspace_misses;
  sum.error_replies -= base.error_replies;
  sum.query_limit_disconnections -= base.query_limit_disconnections;
  sum.output_limit_disconnections -= base.output_limit_disconnections;
  for (size_t i = 0; i < sum.commands.size(); ++i) {
    sum.commands[i].calls -= base.commands[i].calls;
    sum.commands[i].usec -= base.commands[i].usec;
    sum.commands[i].rejected -= base.commands[i].rejected;
    sum.commands[i].failed -= base.commands[i].failed;
  }
  // The rest (histograms, turns, HTTP requests) is read by scrapers that expect counters that
  // only rise, so a reset does not touch it.
  return sum;
}

void Server::ResetStats() {
  StatsSnapshot sum;
  MutexLock lock(mutex_);
  sum.commands.resize(commands_->size());
  for (const auto& loop : loop_stats_) loop->AddTo(&sum);
  baseline_ = std::move(sum);
}

void Server::Pause(PauseMode mode, int64_t until_wall_ms) {
  MutexLock lock(mutex_);
  PauseMode old = pause_mode();
  if (old == PauseMode::kAll) mode = PauseMode::kAll;
  if (old != PauseMode::kNone) until_wall_ms = std::max(until_wall_ms, pause_until_ms_.load());
  pause_until_ms_.store(until_wall_ms);
  pause_mode_.store(mode);
}

void Server::Unpause() {
  MutexLock lock(mutex_);
  pause_mode_.store(PauseMode::kNone);
}

PauseMode Server::pause_mode() const {
  PauseMode mode = pause_mode_.load(std::memory_order_relaxed);
  if (mode == PauseMode::kNone) return mode;
  return clock_->WallMs() < pause_until_ms_.load() ? mode : PauseMode::kNone;
}

void Server::SetShutdownHook(std::function<void()> hook) {
  MutexLock lock(mutex_);
  shutdown_hook_ = std::move(hook);
}

void Server::RequestShutdown() {
  if (shutdown_.exchange(true)) return;
  MutexLock lock(mutex_);
  if (shutdown_hook_) shutdown_hook_();
}

}  // namespace metastore::server
