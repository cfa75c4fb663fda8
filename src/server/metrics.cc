#include "server/metrics.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iterator>

namespace metastore::server {
namespace {

class Text {
 public:
  void Type(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(out_), "# HELP metastore_{} {}\n# TYPE metastore_{} {}\n",
                   name, help, name, type);
  }
  void Sample(std::string_view name, std::string_view labels, double value) {
    fmt::format_to(std::back_inserter(out_), "metastore_{}{} {}\n", name, labels, value);
  }
  void Sample(std::string_view name, std::string_view labels, uint64_t value) {
    fmt::format_to(std::back_inserter(out_), "metastore_{}{} {}\n", name, labels, value);
  }
  void Counter(std::string_view name, std::string_view help, uint64_t value) {
    Type(name, "counter", help);
    Sample(name, "", value);
  }
  void Gauge(std::string_view name, std::string_view help, uint64_t value) {
    Type(name, "gauge", help);
    Sample(name, "", value);
  }
  void Buckets(std::string_view name, std::string_view kind, const Histogram& histogram) {
    std::string bucket = fmt::format("{}_bucket", name);
    uint64_t below = 0;
    for (int i = 0; i + 1 < kLatencyBuckets; ++i) {
      below += histogram.buckets[static_cast<size_t>(i)];
      double bound_s = static_cast<double>(uint64_t{1} << i) / 1e6;
      Sample(bucket, fmt::format("{{kind=\"{}\",le=\"{}\"}}", kind, bound_s), below);
    }
    Sample(bucket, fmt::format("{{kind=\"{}\",le=\"+Inf\"}}", kind), histogram.count);
    std::string labels = fmt::format("{{kind=\"{}\"}}", kind);
    Sample(fmt::format("{}_sum", name), labels, static_cast<double>(histogram.sum_us) / 1e6);
    Sample(fmt::format("{}_count", name), labels, histogram.count);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace

std::string MetricsText(Server& server) {
  StatsSnapshot stats = server.Stats();
  replica::ReplicaInfo raft = server.replica().Info();
  engine::EngineStats engine = server.replica().EngineStats();
  Text text;
  text.Gauge("uptime_seconds", "Seconds since the start of the process.",
             static_cast<uint64_t>(server.uptime_s()));
  text.Gauge("connected_clients", "RESP clients connected.", server.clients().count());
  text.Counter("connections_received_total", "Connections accepted.", stats.connections_received);
  text.Counter("connections_rejected_total", "Connections refused at a limit.",
               stats.connections_rejected);
  text.Counter("commands_processed_total", "Commands taken.", stats.commands_processed);
  text.Counter("http_requests_total", "HTTP requests taken.", stats.http_requests);
  text.Counter("error_replies_total", "Replies that are errors.", stats.error_replies);
  text.Counter("keyspace_hits_total", "Keys that reads found.", stats.keyspace_hits);
  text.Counter("keyspace_misses_total", "Keys that reads did not find.", stats.keyspace_misses);
  text.Counter("net_input_bytes_total", "Bytes received from clients.", stats.bytes_in);
  text.Counter("net_output_bytes_total", "Bytes sent to clients.", stats.bytes_out);
  text.Counter("batches_total", "Batches of commands handed to the replica.", stats.batches);
  text.Counter("loop_turns_total", "Turns of the io loops.", stats.turns);

  text.Type("command_calls_total", "counter", "Calls by command.");
  for (uint32_t i = 0; i < stats.commands.size(); ++i) {
    if (stats.commands[i].calls == 0) continue;
    text.Sample("command_calls_total",
                fmt::format("{{command=\"{}\"}}", server.commands().at(i).full_name),
                stats.commands[i].calls);
  }
  text.Type("command_latency_seconds", "histogram",
            "From the turn that took a command to the turn that answered it.");
  text.Buckets("command_latency_seconds", "read", stats.read_latency);
  text.Buckets("command_latency_seconds", "write", stats.write_latency);

  text.Gauge("raft_node_id", "This node's id.", raft.id);
  text.Gauge("raft_is_leader", "1 on the leader.", raft.role == raft::Role::kLeader ? 1 : 0);
  text.Gauge("raft_leader_id", "The leader that this node knows; 0: none.", raft.leader);
  text.Gauge("raft_term", "Current term.", raft.term);
  text.Gauge("raft_commit_index", "Highest committed index known.", raft.commit_index);
  text.Gauge("raft_applied_index", "Highest applied index.", raft.applied_index);
  text.Gauge("raft_apply_lag", "Committed entries not yet applied.",
             raft.commit_index - std::min(raft.applied_index, raft.commit_index));
  text.Gauge("raft_log_first_index", "First index of the log.", raft.log_first);
  text.Gauge("raft_log_last_index", "Last index of the log.", raft.log_last);
  text.Gauge("raft_pending_batches", "Batches not yet answered.", raft.pending_batches);
  text.Gauge("raft_pending_bytes", "Bytes of batches not yet answered.", raft.pending_bytes);
  text.Counter("raft_log_syncs_total", "fsyncs of the log.", raft.log_syncs);
  text.Counter("raft_log_written_bytes_total", "Bytes written to the log.", raft.log_bytes_written);
  text.Counter("raft_leader_changes_total", "Changes of leader seen.", raft.leader_changes);
  text.Counter("raft_snapshots_sent_total", "Snapshots sent.", raft.snapshots_sent);
  text.Gauge("raft_state_differs", "Peers whose state differed when last compared.",
             raft.state_differs);
  text.Counter("raft_snapshots_installed_total", "Snapshots installed.", raft.snapshots_installed);
  text.Counter("expired_keys_total", "Keys deleted because they were due.", raft.expired_keys);
  text.Counter("expired_fields_total", "Fields of hashes deleted because they were due.",
               raft.expired_fields);
  text.Type("raft_peer_match_index", "gauge", "Highest index known on a peer (leader only).");
  for (const replica::PeerInfo& peer : raft.peers) {
    text.Sample("raft_peer_match_index", fmt::format("{{peer=\"{}\"}}", peer.id),
                uint64_t{peer.match_index});
  }

  text.Gauge("rocksdb_memtable_bytes", "Bytes in memtables.", engine.memtable_bytes);
  text.Gauge("rocksdb_sst_bytes", "Bytes of live SST files.", engine.sst_bytes);
  text.Gauge("rocksdb_block_cache_bytes", "Bytes in the block cache.", engine.block_cache_bytes);
  text.Gauge("record_cache_bytes", "Bytes in the cache of records.", engine.record_cache_bytes);
  text.Counter("record_cache_hits_total", "Records found in the cache.", engine.record_cache_hits);
  text.Counter("record_cache_misses_total", "Records not found in the cache.",
               engine.record_cache_misses);
  text.Gauge("rocksdb_table_reader_bytes", "Bytes of indexes and filters.",
             engine.table_reader_bytes);
  text.Gauge("rocksdb_pending_compaction_bytes", "Estimated bytes to be compacted.",
             engine.pending_compaction_bytes);
  text.Gauge("rocksdb_write_stopped", "1 while RocksDB stops writes.",
             engine.write_stopped ? 1 : 0);
  text.Gauge("disk_nearly_full", "1 while writes that may grow the data are refused.",
             server.DiskNearlyFull() ? 1 : 0);
  return text.Take();
}

std::string HealthLine(Server& server, bool* healthy) {
  replica::ReplicaInfo raft = server.replica().Info();
  // A leader that lost its quorum has no lease; a follower that lost its leader forgets it.
  *healthy = raft.role == raft::Role::kLeader ? server.replica().MayReadNow() : raft.leader != 0;
  return fmt::format(
      "{{\"status\":\"{}\",\"id\":{},\"role\":\"{}\",\"leader\":{},\"term\":{},\"applied\":{}}}\n",
      *healthy ? "ok" : "unavailable", raft.id, raft::RoleName(raft.role), raft.leader, raft.term,
      raft.applied_index);
}

}  // namespace metastore::server
