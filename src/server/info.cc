#include "server/info.h"

#include <spdlog/fmt/fmt.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/parse.h"
#include "server/config.h"
#include "server/memory.h"
#include "server/server.h"
#include "server/topology.h"
#include "types/keyspace.h"

namespace metastore::server {
namespace {

// One INFO under way: what several sections need is read once.
struct Source {
  Server& server;
  replica::ReplicaInfo replica;
  StatsSnapshot stats;
  MemoryInfo memory;
};

class Text {
 public:
  template <class Value>
  void Field(std::string_view name, const Value& value) {
    fmt::format_to(std::back_inserter(text_), "{}:{}\r\n", name, value);
  }
  void Bytes(std::string_view name, uint64_t bytes) {
    Field(name, bytes);
    Field(fmt::format("{}_human", name), Human(bytes));
  }
  void Line(std::string_view line) { text_.append(line).append("\r\n"); }
  const std::string& text() const { return text_; }

 private:
  static std::string Human(uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{}B", bytes);
    double value = static_cast<double>(bytes);
    for (char unit : {'K', 'M', 'G', 'T', 'P'}) {
      value /= 1024;
      if (value < 1024) return fmt::format("{:.2f}{}", value, unit);
    }
    return fmt::format("{}B", bytes);
  }
  std::string text_;
};

const replica::PeerInfo* FindPeer(const replica::ReplicaInfo& info, raft::NodeId id) {
  for (const replica::PeerInfo& peer : info.peers) {
    if (peer.id == id) return &peer;
  }
  return nullptr;
}

double Seconds(const struct timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void ServerSection(const Source& s, Text* out) {
  struct utsname system = {};
  ::uname(&system);
  const int64_t uptime = s.server.uptime_s();
  out->Field("redis_version", kRedisVersion);
  out->Field("redis_git_sha1", "00000000");
  out->Field("redis_git_dirty", 0);
  out->Field("redis_build_id", "0");
  out->Field("redis_mode", s.server.limits().cluster_enabled ? "cluster" : "standalone");
  out->Field("metastore_version", kVersion);
  out->Field("os", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  out->Field("arch_bits", sizeof(void*) * 8);
  out->Field("monotonic_clock", "POSIX clock_gettime");
  out->Field("multiplexing_api", "epoll");
  out->Field("gcc_version", __VERSION__);
  out->Field("process_id", ::getpid());
  out->Field("run_id", s.server.run_id());
  out->Field("tcp_port", s.server.redis_port.load());
  out->Field("http_port", s.server.http_port.load());
  out->Field("server_time_usec", s.server.clock().WallMs() * 1000);
  out->Field("uptime_in_seconds", uptime);
  out->Field("uptime_in_days", uptime / 86400);
  out->Field("config_file", s.server.config().file());
  out->Field("io_threads_active", s.server.loops() > 1 ? 1 : 0);
}

void ClientsSection(const Source& s, Text* out) {
  out->Field("connected_clients", s.server.clients().count());
  out->Field("cluster_connections", 0);
  out->Field("maxclients", s.server.limits().maxclients);
  out->Field("blocked_clients", s.server.blocked_clients.load());
  out->Field("tracking_clients", s.server.tracking_totals.clients.load());
  out->Field("clients_in_timeout_table", 0);
}

void MemorySection(const Source& s, Text* out) {
  const MemoryInfo& memory = s.memory;
  const engine::EngineStats engine = s.server.replica().EngineStats();
  out->Bytes("used_memory", memory.allocated_bytes);
  out->Bytes("used_memory_rss", memory.resident_bytes);
  out->Bytes("used_memory_peak", memory.peak_resident_bytes);
  out->Field("allocator_allocated", memory.allocated_bytes);
  out->Field("allocator_active", memory.active_bytes);
  out->Field("allocator_resident", memory.resident_bytes);
  out->Bytes("total_system_memory", memory.system_bytes);
  out->Bytes("maxmemory", 0);
  out->Field("maxmemory_policy", "noeviction");
  out->Field("mem_fragmentation_ratio",
             fmt::format("{:.2f}",
                         static_cast<double>(memory.resident_bytes) /
                             static_cast<double>(std::max<uint64_t>(1, memory.allocated_bytes))));
  out->Field("mem_allocator", AllocatorName());
  out->Field("engine_memtable_bytes", engine.memtable_bytes);
  out->Field("engine_block_cache_bytes", engine.block_cache_bytes);
  out->Field("engine_record_cache_bytes", engine.record_cache_bytes);
  out->Field("engine_record_cache_hits", engine.record_cache_hits);
  out->Field("engine_record_cache_misses", engine.record_cache_misses);
  out->Field("engine_table_reader_bytes", engine.table_reader_bytes);
  out->Field("inflight_bytes", s.replica.pending_bytes);
}

// Redis's words for what is here the Raft log: every acknowledged write is on disk, so there are
// never unsaved changes and the last save is always now.
void PersistenceSection(const Source& s, Text* out) {
  const engine::EngineStats engine = s.server.replica().EngineStats();
  out->Field("loading", 0);
  out->Field("async_loading", 0);
  out->Field("rdb_changes_since_last_save", 0);
  out->Field("rdb_bgsave_in_progress", 0);
  out->Field("rdb_last_save_time", s.server.clock().WallMs() / 1000);
  out->Field("rdb_last_bgsave_status", "ok");
  out->Field("rdb_last_bgsave_time_sec", -1);
  out->Field("rdb_current_bgsave_time_sec", -1);
  out->Field("aof_enabled", 1);
  out->Field("aof_rewrite_in_progress", 0);
  out->Field("aof_rewrite_scheduled", 0);
  out->Field("aof_last_rewrite_time_sec", -1);
  out->Field("aof_current_rewrite_time_sec", -1);
  out->Field("aof_last_bgrewrite_status", "ok");
  // A failed write ends the process; what a client can meet is a disk below its reserve.
  out->Field("aof_last_write_status", s.server.DiskNearlyFull() ? "err" : "ok");
  out->Field("disk_nearly_full", s.server.DiskNearlyFull() ? 1 : 0);
  out->Field("engine_sst_bytes", engine.sst_bytes);
  out->Field("engine_pending_compaction_bytes", engine.pending_compaction_bytes);
  out->Field("engine_write_stopped", engine.write_stopped ? 1 : 0);
}

void StatsSection(const Source& s, Text* out) {
  const StatsSnapshot& stats = s.stats;
  out->Field("total_connections_received", stats.connections_received);
  out->Field("total_commands_processed", stats.commands_processed);
  out->Field("total_net_input_bytes", stats.bytes_in);
  out->Field("total_net_output_bytes", stats.bytes_out);
  out->Field("rejected_connections", stats.connections_rejected);
  out->Field("sync_full", s.replica.snapshots_sent);
  out->Field("expired_keys", s.replica.expired_keys);
  out->Field("expired_subkeys", s.replica.expired_fields);
  out->Field("evicted_keys", 0);
  out->Field("evicted_clients", 0);
  out->Field("keyspace_hits", stats.keyspace_hits);
  out->Field("keyspace_misses", stats.keyspace_misses);
  const Subscriptions& subscriptions = s.server.subscriptions();
  out->Field("pubsub_channels", subscriptions.Count(ChannelKind::kPlain));
  out->Field("pubsub_patterns", subscriptions.Count(ChannelKind::kPattern));
  out->Field("pubsubshard_channels", subscriptions.Count(ChannelKind::kShard));
  out->Field("latest_fork_usec", 0);
  out->Field("total_forks", 0);
  out->Field("tracking_total_keys", s.server.tracking_totals.keys.load());
  out->Field("tracking_total_items", s.server.tracking_totals.items.load());
  out->Field("tracking_total_prefixes", s.server.tracking_totals.prefixes.load());
  out->Field("total_error_replies", stats.error_replies);
  out->Field("client_query_buffer_limit_disconnections", stats.query_limit_disconnections);
  out->Field("client_output_buffer_limit_disconnections", stats.output_limit_disconnections);
  out->Field("total_http_requests", stats.http_requests);
  out->Field("total_loop_turns", stats.turns);
  out->Field("total_batches", stats.batches);
}

void ReplicationSection(const Source& s, Text* out) {
  const replica::ReplicaInfo& info = s.replica;
  const bool leads = info.role == raft::Role::kLeader;
  out->Field("role", leads ? "master" : "slave");
  if (!leads) {
    const replica::PeerInfo* leader = FindPeer(info, info.leader);
    const ClientAddress address = AddressOf(info, info.leader).value_or(ClientAddress{"?", 0});
    out->Field("master_host", address.host);
    out->Field("master_port", address.port);
    out->Field("master_link_status", leader != nullptr ? "up" : "down");
    out->Field("master_last_io_seconds_ago", leader != nullptr && leader->last_contact_ms >= 0
                                                 ? leader->last_contact_ms / 1000
                                                 : -1);
    out->Field("master_sync_in_progress", 0);
    out->Field("slave_read_repl_offset", info.commit_index);
    out->Field("slave_repl_offset", info.applied_index);
    out->Field("slave_priority", 100);
    // A node that follows takes writes all the same.
    out->Field("slave_read_only", 0);
    out->Field("replica_announced", 1);
  }
  // As in Redis only replicas that can be reached; not before they have announced their address.
  std::vector<NodeView> replicas;
  if (leads) replicas = ReplicasOf(ViewCluster(info, SlotsMode::kEven), info.id);
  out->Field("connected_slaves", replicas.size());
  for (size_t i = 0; i < replicas.size(); ++i) {
    const NodeView& node = replicas[i];
    const replica::PeerInfo* peer = FindPeer(info, node.id);
    std::string_view state = "online";
    if (peer != nullptr && peer->state == "snapshot") state = "send_bulk";
    if (node.down || node.last_contact_ms < 0) state = "offline";
    out->Line(fmt::format("slave{}:ip={},port={},state={},offset={},lag={}", i, node.host,
                          node.port, state, node.match_index,
                          node.last_contact_ms < 0 ? -1 : node.last_contact_ms / 1000));
  }
  out->Field("master_failover_state", "no-failover");
  out->Field("master_replid", s.server.run_id());
  out->Field("master_replid2", std::string(40, '0'));
  out->Field("master_repl_offset", info.commit_index);
  out->Field("second_repl_offset", -1);
  out->Field("repl_backlog_active", 0);
  out->Field("repl_backlog_size", 0);
  out->Field("repl_backlog_first_byte_offset", 0);
  out->Field("repl_backlog_histlen", 0);
}

void RaftSection(const Source& s, Text* out) {
  const replica::ReplicaInfo& info = s.replica;
  out->Field("raft_role", raft::RoleName(info.role));
  out->Field("raft_id", info.id);
  out->Field("raft_leader", info.leader);
  out->Field("raft_term", info.term);
  out->Field("raft_commit_index", info.commit_index);
  out->Field("raft_applied_index", info.applied_index);
  out->Field("raft_log_first", info.log_first);
  out->Field("raft_log_last", info.log_last);
  out->Field("raft_log_syncs", info.log_syncs);
  out->Field("raft_log_bytes_written", info.log_bytes_written);
  out->Field("raft_pending_batches", info.pending_batches);
  out->Field("raft_pending_bytes", info.pending_bytes);
  out->Field("raft_snapshots_sent", info.snapshots_sent);
  out->Field("raft_snapshots_installed", info.snapshots_installed);
  out->Field("raft_leader_changes", info.leader_changes);
  out->Field("raft_state_compared_index", info.state_compared_index);
  out->Field("raft_state_differs", info.state_differs);
  out->Field("raft_peers", info.peers.size());
  for (const replica::PeerInfo& peer : info.peers) {
    out->Line(fmt::format("raft_peer{}:address={},state={},match={},last_contact_ms={},learner={}",
                          peer.id, peer.address, peer.state, peer.match_index, peer.last_contact_ms,
                          peer.learner ? 1 : 0));
  }
}

void CpuSection(const Source&, Text* out) {
  struct rusage self = {}, children = {};
  ::getrusage(RUSAGE_SELF, &self);
  ::getrusage(RUSAGE_CHILDREN, &children);
  out->Field("used_cpu_sys", fmt::format("{:.6f}", Seconds(self.ru_stime)));
  out->Field("used_cpu_user", fmt::format("{:.6f}", Seconds(self.ru_utime)));
  out->Field("used_cpu_sys_children", fmt::format("{:.6f}", Seconds(children.ru_stime)));
  out->Field("used_cpu_user_children", fmt::format("{:.6f}", Seconds(children.ru_utime)));
}

void NoSection(const Source&, Text*) {}

void CommandStatsSection(const Source& s, Text* out) {
  for (uint32_t i = 0; i < s.stats.commands.size(); ++i) {
    const CommandStats& stats = s.stats.commands[i];
    if (stats.calls == 0 && stats.rejected == 0) continue;
    double per_call =
        stats.calls == 0 ? 0 : static_cast<double>(stats.usec) / static_cast<double>(stats.calls);
    out->Line(fmt::format(
        "cmdstat_{}:calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}",
        s.server.commands().at(i).full_name, stats.calls, stats.usec, per_call, stats.rejected,
        stats.failed));
  }
}

void ClusterSection(const Source& s, Text* out) {
  out->Field("cluster_enabled", s.server.limits().cluster_enabled ? 1 : 0);
}

void KeyspaceSection(const Source& s, Text* out) {
  std::unique_ptr<engine::View> view = s.server.replica().NewView();
  for (int db = 0; db < engine::kDatabases; ++db) {
    engine::KeyCounts counts = types::DatabaseCounts(*view, db);
    if (counts.keys == 0) continue;
    out->Line(fmt::format("db{}:keys={},expires={},avg_ttl=0", db, counts.keys, counts.expiring));
  }
}

struct Section {
  std::string_view name;
  std::string_view title;
  bool in_default;
  void (*write)(const Source&, Text*);
};
// In Redis's order. Modules, error kinds and latency distributions of single commands are not kept:
// their sections are empty.
constexpr Section kSections[] = {
    {"server", "Server", true, ServerSection},
    {"clients", "Clients", true, ClientsSection},
    {"memory", "Memory", true, MemorySection},
    {"persistence", "Persistence", true, PersistenceSection},
    {"stats", "Stats", true, StatsSection},
    {"replication", "Replication", true, ReplicationSection},
    {"raft", "Raft", true, RaftSection},
    {"cpu", "CPU", true, CpuSection},
    {"modules", "Modules", true, NoSection},
    {"commandstats", "Commandstats", false, CommandStatsSection},
    {"errorstats", "Errorstats", true, NoSection},
    {"latencystats", "Latencystats", false, NoSection},
    {"cluster", "Cluster", true, ClusterSection},
    {"keyspace", "Keyspace", true, KeyspaceSection},
};

bool Wanted(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.in_default;
  return std::any_of(names.begin(), names.end(), [&section](std::string_view name) {
    if (EqualsIgnoreCase(name, "all") || EqualsIgnoreCase(name, "everything")) return true;
    if (EqualsIgnoreCase(name, "default")) return section.in_default;
    return EqualsIgnoreCase(name, section.name);
  });
}

}  // namespace

std::string InfoText(Server& server, std::span<const std::string_view> sections) {
  Source source{server, server.replica().Info(), server.Stats(), ReadMemoryInfo()};
  Text text;
  for (const Section& section : kSections) {
    if (!Wanted(section, sections)) continue;
    if (!text.text().empty()) text.Line("");
    text.Line(fmt::format("# {}", section.title));
    section.write(source, &text);
  }
  return text.text();
}

}  // namespace metastore::server
