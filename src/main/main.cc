// metaStore: reads the configuration, recovers what is on disk, starts the roles, and waits for a
// signal. The one place that knows every part.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "engine/data_directory.h"
#include "engine/engine.h"
#include "engine/log_store.h"
#include "engine/system_keys.h"
#include "net/io_loop.h"
#include "net/join.h"
#include "net/peer_transport.h"
#include "raft/membership.h"
#include "replica/check.h"
#include "replica/membership_change.h"
#include "replica/threaded_replica.h"
#include "server/command_table.h"
#include "server/config.h"
#include "server/info.h"
#include "server/server.h"
#include "server/topology.h"

namespace metastore {
namespace {

constexpr int kExitBadFlags = 2;
constexpr int kExitRemoved = 3;
constexpr int kJoinTimeoutMs = 30'000;
constexpr int kJoinRetryMs = 1000;
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

// Nodes that are started with the same list form the cluster of this name.
std::string ClusterName(const std::vector<std::string>& cluster) {
  std::string name;
  for (const std::string& url : cluster) name += (name.empty() ? "" : ",") + url;
  return name;
}

std::vector<std::string> Urls(const raft::Membership& membership) {
  std::vector<std::string> urls;
  for (const raft::Peer& peer : membership.peers) urls.push_back(peer.url);
  return urls;
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

// Who this node is in which cluster, before anything is opened.
struct Founding {
  raft::NodeId id = 0;
  std::string cluster;  // the name for a new data directory; empty: take what the directory has
  std::string url;      // this node's own, as far as the flags say
  std::map<raft::NodeId, std::string> seeds;  // members, as far as flags and the cluster say
  bool joins = false;                         // a new node of a cluster that others founded
};

// Asks one member after the other until one answers. False: the wait was interrupted by a signal.
bool AskUntilAnswered(const std::vector<std::string>& members, const std::string& own_url,
                      const sigset_t& signals, Result<net::JoinAnswer>* answer) {
  std::string told;
  for (size_t i = 0;; ++i) {
    *answer = net::AskToJoin(members[i % members.size()], own_url, kJoinTimeoutMs);
    if (answer->code() != Code::kUnavailable) return true;
    if (answer->status().message() != told) {
      told = answer->status().message();
      log::warn("{}; asking again", told);
    }
    timespec wait{kJoinRetryMs / 1000, kJoinRetryMs % 1000 * 1'000'000};
    if (sigtimedwait(&signals, nullptr, &wait) > 0) return false;
  }
}

Status FindCluster(const server::Settings& settings, const sigset_t& signals, Founding* founding,
                   bool* interrupted) {
  const std::vector<std::string>& list = settings.cluster;
  const bool asks_for_id = !settings.join_url().empty();
  founding->id = static_cast<raft::NodeId>(settings.id);
  founding->url = asks_for_id ? settings.peer_url : list[founding->id - 1];
  for (size_t i = 0; i < list.size() && !asks_for_id; ++i) founding->seeds[i + 1] = list[i];
  if (asks_for_id) founding->seeds[0] = settings.join_url();
  Result<engine::Identity> known = engine::DataDirectory::Peek(settings.data_dir);
  if (known.ok()) {
    if (asks_for_id) founding->id = known->node_id;
    return Status::Ok();
  }
  if (known.code() != Code::kNotFound) return known.status();
  founding->joins = settings.joins();
  if (!settings.joins()) {
    founding->cluster = ClusterName(list);
    return Status::Ok();
  }
  std::vector<std::string> members = {settings.join_url()};
  if (!asks_for_id) {
    members = list;
    members.erase(members.begin() + static_cast<ptrdiff_t>(founding->id) - 1);
    if (members.empty()) {
      return Status::InvalidArgument(
          "--join needs somebody to join: name the members in --cluster");
    }
  }
  Result<net::JoinAnswer> answer = Status::NotFound();
  if (!AskUntilAnswered(members, asks_for_id ? settings.peer_url : "", signals, &answer)) {
    *interrupted = true;
    return Status::Ok();
  }
  if (!answer.ok()) return answer.status();
  founding->cluster = answer->cluster;
  if (asks_for_id) founding->id = answer->id;
  for (const auto& [id, url] : answer->members) founding->seeds[id] = url;
  return Status::Ok();
}

// Whether the flags say this node's address, or it is the default's.
bool SaysOwnUrl(const server::Settings& settings) {
  return !settings.join_url().empty() || settings.cluster != server::Settings::DefaultCluster();
}

// As of the last flush or the log's start: later changes are in the log.
raft::Membership KnownMembership(const engine::Engine& engine, const engine::LogStore& log) {
  std::optional<std::string> record = engine.ReadFlushed(engine::kMembershipKey);
  if (record) return replica::StateMachine::DecodeMembership(*record).membership;
  return log.start_membership();
}

// A new cluster begins with the list as its membership. Later the log says who is a member. A list
// that says otherwise may be newer than what this node has heard of its own move, or older than the
// last change; only one that names nobody of this cluster is a mistake.
Status EnterCluster(const server::Settings& settings, const Founding& founding,
                    const engine::Engine& engine, engine::LogStore* log) {
  if (founding.joins) return log->PutRecord(replica::kJoinedRecord, "1");
  raft::Membership known = KnownMembership(engine, *log);
  if (known.voters.empty() && log->last_index() == 0 && !log->GetRecord(replica::kJoinedRecord)) {
    for (raft::NodeId id = 1; id <= settings.cluster.size(); ++id) {
      known.voters.push_back(id);
      known.peers.push_back({id, settings.cluster[id - 1], false, {}});
    }
    return log->Bootstrap(known);
  }
  const raft::Peer* own = raft::FindPeer(known, founding.id);
  if (own == nullptr || !SaysOwnUrl(settings)) return Status::Ok();
  const std::vector<std::string> urls = Urls(known);
  const std::vector<std::string> named = settings.join_url().empty()
                                             ? settings.cluster
                                             : std::vector<std::string>{settings.join_url()};
  if (own->url != founding.url &&
      std::none_of(named.begin(), named.end(), [&urls](const std::string& url) {
        return std::find(urls.begin(), urls.end(), url) != urls.end();
      })) {
    return Status::InvalidArgument(
        "data directory " + settings.data_dir + " belongs to cluster " + ClusterName(urls) +
        ", where node " + std::to_string(founding.id) + " is at " + own->url + " and not at " +
        founding.url + "; correct --cluster or choose another --data-dir");
  }
  if (own->url != founding.url) {
    log::warn(
        "this node serves its peers at {}; when it last ran, the cluster knew it at {}: "
        "unless that has been changed, tell the cluster (RAFT ADD {} {})",
        founding.url, own->url, founding.id, founding.url);
  } else if (settings.join_url().empty() && urls != settings.cluster) {
    log::info("--cluster founds a cluster and is not looked at later; the members are {}",
              ClusterName(urls));
  }
  return Status::Ok();
}

replica::MembershipChange ChangeOf(const net::MembershipRequest& request) {
  replica::MembershipChange change;
  if (request.add) {
    std::string url = request.peer_url;
    while (!url.empty() && (url.back() == '\n' || url.back() == '\r')) url.pop_back();
    change.add.push_back({request.node, url, false});
  } else {
    change.remove.push_back(request.node);
  }
  return change;
}

net::MembershipAnswer AnswerOf(const replica::ChangeResult& result) {
  const std::string text = result.status.message() + "\n";
  switch (result.status.code()) {
    case Code::kOk:
      return {204, ""};
    case Code::kBusy:
      return {409, text};
    case Code::kInvalidArgument:
      return {400, text};
    case Code::kNotFound:
      return {404, text};
    default:
      return {503, text};
  }
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

  log::info("metaStore {}, pid {}", server::kVersion, getpid());
  log::info("data directory {}", settings->data_dir);
  RaiseDescriptorLimit(settings->maxclients);

  Founding founding;
  bool interrupted = false;
  Status founded = FindCluster(*settings, signals, &founding, &interrupted);
  if (interrupted) return 0;
  if (!founded.ok()) return Fail(founded);
  const raft::NodeId id = founding.id;
  Result<std::unique_ptr<engine::DataDirectory>> directory =
      engine::DataDirectory::Open(settings->data_dir, founding.cluster, id);
  if (!directory.ok()) return Fail(directory.status());
  const engine::Identity& identity = (*directory)->identity();
  log::info("node {} of cluster {}", id, identity.cluster_id);

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

  Status entered = EnterCluster(*settings, founding, **engine, log_store->get());
  if (!entered.ok()) return Fail(entered);
  replica::ThreadedReplicaOptions options;
  options.driver = MakeDriverOptions(*settings, id, engine::SessionOf(identity));
  options.directory = settings->data_dir;
  options.snapshot_bytes_per_second = static_cast<uint64_t>(settings->snapshot_bytes_per_s);
  options.disk_reserve_bytes = static_cast<uint64_t>(settings->disk_reserve_bytes);
  options.log_flush_bytes = static_cast<uint64_t>(settings->log_flush_bytes);
  options.active_expire = settings->active_expire;
  options.encoding_limits = server::EncodingLimitsOf(*settings);
  options.master_name = settings->sentinel_master_name;
  options.find_command = FindCommand;
  options.topology.own.id = id;
  options.topology.own.name = server::NodeName(identity.cluster_id, id, identity.disk_incarnation);
  options.topology.own.host = settings->cluster_announce_ip;
  options.topology.own.port = static_cast<uint16_t>(settings->cluster_announce_port);
  options.topology.down_after_ns = settings->election_timeout_ms * 1'000'000;
  options.cluster = identity.cluster_id;
  options.seeds = founding.seeds;
  std::atomic<bool> removed = false;
  options.on_removed = [&removed] {
    removed = true;
    kill(getpid(), SIGTERM);
  };
  Status recovered = replica::RecoverLog(**engine, log_store->get(), &options.driver.raft);
  if (!recovered.ok()) return Fail(recovered);
  const raft::Config& raft = options.driver.raft;
  log::info("recovered term {}, commit index {}, applied index {}, log {}..{}",
            raft.hard_state.term, raft.hard_state.commit_index, raft.applied_index,
            raft.log_start.index + 1, raft.last_index);

  net::PeerTransportOptions transport_options;
  transport_options.cluster_id = ClusterId(identity.cluster_id);
  transport_options.id = id;
  transport_options.disk_incarnation = identity.disk_incarnation;
  transport_options.tick_ns = options.driver.tick_ns;
  const raft::Membership known = KnownMembership(**engine, **log_store);
  const raft::Peer* own = raft::FindPeer(known, id);
  const bool as_known = own != nullptr && !SaysOwnUrl(*settings);
  if (!replica::SplitUrl(as_known ? own->url : founding.url, &transport_options.listen_host,
                         &transport_options.listen_port)) {
    return Fail(Status::InvalidArgument("this node has no peer address: name it in --cluster"));
  }
  if (!settings->peer_listen.empty() &&
      !replica::SplitUrl("http://" + settings->peer_listen, &transport_options.listen_host,
                         &transport_options.listen_port)) {
    return Fail(Status::InvalidArgument("--peer-listen must be host:port"));
  }
  // A founder that is alone listens when it gets a peer.
  transport_options.listen = (*log_store)->GetRecord(replica::kJoinedRecord) ||
                             !(raft::IsOnlyVoter(known, id) && known.learners.empty());
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
  loops.SetMembershipHook([&replica](net::MembershipRequest request,
                                     std::function<void(net::MembershipAnswer)> answer) {
    replica->ChangeMembership(ChangeOf(request),
                              [answer = std::move(answer)](const replica::ChangeResult& result) {
                                answer(AnswerOf(result));
                              });
  });
  Status started = replica->Start();
  if (started.ok()) started = loops.Start();
  if (!started.ok()) {
    replica->Stop();
    return Fail(started);
  }
  log::info("serving Redis clients on port {}, HTTP on port {}", loops.redis_port(),
            loops.http_port());

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  log::info("stopping{}", removed                   ? ": removed from the cluster"
                          : signal_number == SIGINT ? " on SIGINT"
                                                    : " on SIGTERM");
  replica->HandOver();
  loops.Stop(kStopGraceMs);
  replica->Stop();
  if (removed) {
    log::error(
        "this node was removed from the cluster; its data directory {} can be deleted, and with an "
        "empty one the node can be added again",
        settings->data_dir);
    return kExitRemoved;
  }
  log::info("stopped");
  return 0;
}

}  // namespace
}  // namespace metastore

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "check") {
    return metastore::replica::CheckMain(std::vector<std::string>(argv + 2, argv + argc));
  }
  return metastore::Main(std::vector<std::string>(argv + 1, argv + argc));
}
