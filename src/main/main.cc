// metaStore: reads the configuration, recovers what is on disk, starts the roles, and waits for a
// signal. The one place that knows every part.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "engine/data_directory.h"
#include "engine/engine.h"
#include "engine/log_store.h"
#include "net/io_loop.h"
#include "net/peer_transport.h"
#include "replica/threaded_replica.h"
#include "server/command_table.h"
#include "server/config.h"
#include "server/info.h"
#include "server/server.h"

namespace metastore {
namespace {

constexpr int kExitBadFlags = 2;
constexpr int64_t kTickMs = 10;
// For commands under way at shutdown; with the hand-over and the flush it stays below 5 s.
constexpr int64_t kStopGraceMs = 2000;
// Descriptors beside the clients': files of two RocksDB instances, peers, listeners.
constexpr rlim_t kReservedDescriptors = 1024;

int Fail(const Status& status) {
  std::fprintf(stderr, "metaStore: %s\n", status.message().c_str());
  log::error("{}", status.message());
  return 1;
}

// "http://host:port"; the configuration has checked the form.
std::pair<std::string, uint16_t> HostAndPort(const std::string& url) {
  std::string rest = url.substr(url.find("://") + 3);
  while (!rest.empty() && rest.back() == '/') rest.pop_back();
  size_t colon = rest.rfind(':');
  std::string host = rest.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return {host, static_cast<uint16_t>(std::stoi(rest.substr(colon + 1)))};
}

// Nodes that are started with the same list form the cluster of this name.
std::string ClusterName(const std::vector<std::string>& cluster) {
  if (cluster.empty()) return "single-node";
  std::string name;
  for (const std::string& url : cluster) name += (name.empty() ? "" : ",") + url;
  return name;
}

// FNV-1a: what peers compare.
uint64_t ClusterId(const std::string& name) {
  uint64_t hash = 14695981039346656037ull;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

void RaiseDescriptorLimit(int64_t maxclients) {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = static_cast<rlim_t>(maxclients) + kReservedDescriptors;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted) {
    log::warn("only {} file descriptors may be open; maxclients {} would need {} (ulimit -n)",
              limit.rlim_cur, maxclients, wanted);
  }
}

const commands::CommandSpec* FindCommand(std::string_view name) {
  const server::Command* command = server::CommandTable::All().Find(name);
  return command == nullptr ? nullptr : command->spec;
}

replica::DriverOptions MakeDriverOptions(const server::Settings& settings, raft::NodeId id,
                                         uint64_t incarnation) {
  std::random_device random;
  replica::DriverOptions options;
  options.incarnation = incarnation;
  options.tick_ns = kTickMs * 1'000'000;
  options.request_timeout_ns = settings.request_timeout_ms * 1'000'000;
  options.log_retain_bytes = static_cast<uint64_t>(settings.log_retain_bytes);
  options.seed = (uint64_t{random()} << 32) | random();
  options.raft.id = id;
  options.raft.seed = (uint64_t{random()} << 32) | random();
  options.raft.election_ticks =
      static_cast<int>((settings.election_timeout_ms + kTickMs - 1) / kTickMs);
  options.raft.heartbeat_ticks =
      static_cast<int>(std::max<int64_t>(1, settings.heartbeat_interval_ms / kTickMs));
  options.raft.lease_ticks = static_cast<int>(
      std::max<int64_t>(0, (settings.election_timeout_ms - settings.lease_margin_ms) / kTickMs));
  options.raft.cache_bytes = static_cast<size_t>(settings.log_cache_bytes);
  return options;
}

int Main(const std::vector<std::string>& flags) {
  std::string text;
  Result<std::unique_ptr<server::Config>> config = server::Config::FromFlags(flags, &text);
  if (!config.ok()) {
    std::fprintf(stderr, "metaStore: %s\n", config.status().message().c_str());
    return kExitBadFlags;
  }
  if (!text.empty()) {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  std::shared_ptr<const server::Settings> settings = (*config)->settings();
  if (settings->join) {
    std::fprintf(stderr,
                 "metaStore: --join: this version cannot change the members of a running cluster; "
                 "start every node of a new cluster with the same --cluster list\n");
    return kExitBadFlags;
  }
  Status logging = log::Init(settings->log_level, settings->log_file);
  if (!logging.ok()) {
    std::fprintf(stderr, "metaStore: %s\n", logging.message().c_str());
    return kExitBadFlags;
  }
  // Signals come to this thread only, through a descriptor.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const raft::NodeId id = static_cast<raft::NodeId>(settings->id);
  const std::vector<std::string>& cluster = settings->cluster;
  log::info("metaStore {} node {}, pid {}", server::kVersion, id, getpid());
  log::info("data directory {}", settings->data_dir);
  RaiseDescriptorLimit(settings->maxclients);

  const std::string cluster_name = ClusterName(cluster);
  const uint64_t cluster_id = ClusterId(cluster_name);
  Result<std::unique_ptr<engine::DataDirectory>> directory =
      engine::DataDirectory::Open(settings->data_dir, cluster_name, id);
  if (!directory.ok()) return Fail(directory.status());

  log::info("Starting with RocksDB persistent storage");
  engine::EngineOptions engine_options;
  engine_options.directory = settings->data_dir;
  engine_options.record_cache_bytes = static_cast<size_t>(settings->record_cache_bytes);
  engine_options.block_cache_bytes = static_cast<size_t>(settings->block_cache_bytes);
  engine_options.write_buffer_bytes = static_cast<size_t>(settings->write_buffer_bytes);
  Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Open(engine_options);
  if (!engine.ok()) return Fail(engine.status());
  Result<std::unique_ptr<engine::LogStore>> log_store =
      engine::LogStore::Open({.directory = settings->data_dir});
  if (!log_store.ok()) return Fail(log_store.status());

  if ((*log_store)->start_membership().voters.empty()) {
    raft::Membership membership;
    for (raft::NodeId voter = 1; voter <= std::max<size_t>(1, cluster.size()); ++voter) {
      membership.voters.push_back(cluster.empty() ? id : voter);
    }
    Status bootstrapped = (*log_store)->Bootstrap(membership);
    if (!bootstrapped.ok()) return Fail(bootstrapped);
  }
  const engine::Identity& identity = (*directory)->identity();
  replica::ThreadedReplicaOptions options;
  options.driver = MakeDriverOptions(*settings, id, identity.run);
  options.directory = settings->data_dir;
  options.snapshot_bytes_per_second = static_cast<uint64_t>(settings->snapshot_bytes_per_s);
  options.disk_reserve_bytes = static_cast<uint64_t>(settings->disk_reserve_bytes);
  options.log_flush_bytes = static_cast<uint64_t>(settings->log_flush_bytes);
  options.active_expire = settings->active_expire;
  options.find_command = FindCommand;
  Status recovered = replica::RecoverLog(**engine, log_store->get(), &options.driver.raft);
  if (!recovered.ok()) return Fail(recovered);
  const raft::Config& raft = options.driver.raft;
  log::info("recovered term {}, commit index {}, applied index {}, log {}..{}",
            raft.hard_state.term, raft.hard_state.commit_index, raft.applied_index,
            raft.log_start.index + 1, raft.last_index);

  net::PeerTransportOptions transport_options;
  transport_options.cluster_id = cluster_id;
  transport_options.id = id;
  transport_options.disk_incarnation = identity.disk_incarnation;
  transport_options.tick_ns = options.driver.tick_ns;
  for (raft::NodeId peer = 1; peer <= cluster.size(); ++peer) {
    std::pair<std::string, uint16_t> address = HostAndPort(cluster[peer - 1]);
    if (peer == id) {
      if (cluster.size() > 1) {
        transport_options.listen_host = address.first;
        transport_options.listen_port = address.second;
      }
      continue;
    }
    transport_options.peers[peer] = address;
    replica::PeerInfo info;
    info.id = peer;
    info.address = address.first + ":" + std::to_string(address.second);
    options.peers.push_back(std::move(info));
  }
  Result<std::unique_ptr<replica::Transport>> transport = net::MakePeerTransport(transport_options);
  if (!transport.ok()) return Fail(transport.status());

  const Clock* clock = SystemClock();
  std::unique_ptr<replica::Replica> replica = replica::MakeThreadedReplica(
      options, clock, engine->get(), log_store->get(), transport->get());
  server::Server server(replica.get(), config->get(), clock, &server::CommandTable::All(),
                        server::LimitsOf(*settings));
  // SHUTDOWN ends the node the way SIGTERM does.
  server.SetShutdownHook([] { kill(getpid(), SIGTERM); });

  net::IoOptions io_options;
  io_options.threads = static_cast<int>(settings->io_threads);
  io_options.bind = settings->bind;
  io_options.redis_port = static_cast<int>(settings->redis_port);
  io_options.http_port = static_cast<int>(settings->http_port);
  io_options.tcp_backlog = static_cast<int>(settings->tcp_backlog);
  net::IoLoops loops(&server, io_options);
  Status started = replica->Start();
  if (started.ok()) started = loops.Start();
  if (!started.ok()) {
    replica->Stop();
    return Fail(started);
  }
  log::info("serving Redis clients on port {}, HTTP on port {}", loops.redis_port(),
            loops.http_port());
  if (!transport_options.listen_host.empty()) {
    log::info("serving peers on {}:{}", transport_options.listen_host,
              transport_options.listen_port);
  }

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  log::info("stopping on {}", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
  replica->HandOver();
  loops.Stop(kStopGraceMs);
  replica->Stop();
  log::info("stopped");
  return 0;
}

}  // namespace
}  // namespace metastore

int main(int argc, char** argv) {
  return metastore::Main(std::vector<std::string>(argv + 1, argv + argc));
}
