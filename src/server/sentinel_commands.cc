// SENTINEL: every node answers like a Sentinel that watches this cluster as its one master, so that
// clients which look for the master there find the leader. Any name of a master is this one's.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/errors.h"
#include "raft/membership.h"
#include "server/command_table.h"
#include "server/config.h"
#include "server/local_spec.h"
#include "server/topology.h"

namespace metastore::server {
namespace {

using commands::Args;
using commands::CommandSpec;
using resp::Writer;
namespace errors = commands::errors;

// A member that was heard so lately can be reached: they all speak to each other every second.
constexpr int64_t kHeardMs = 2500;
// Sentinel's default; an election takes less than two seconds as a rule.
constexpr int64_t kFailoverTimeoutMs = 180'000;

struct Source {
  replica::ReplicaInfo info;
  ClusterView view;
  int64_t election_timeout_ms = 0;
  int64_t uptime_ms = 0;
  raft::NodeId leader = raft::kNoNode;  // the last one known
  bool leads = false;                   // it does, as far as this node knows
};

Source Look(LocalContext& ctx) {
  Source source;
  source.info = ctx.replica().Info();
  source.view = ViewCluster(source.info, SlotsMode::kLeader);
  source.election_timeout_ms = ctx.config().settings()->election_timeout_ms;
  source.uptime_ms = ctx.now_ms() - ctx.server().start_wall_ms();
  source.leads = source.info.leader != raft::kNoNode;
  source.leader = source.leads ? source.info.leader : source.view.leader;
  return source;
}

// A majority of the voters.
size_t Quorum(const Source& source) {
  return source.info.cluster->membership.voters.size() / 2 + 1;
}

// Pairs of texts, whose number is known at their end.
class Fields {
 public:
  explicit Fields(Writer& reply) : reply_(reply), at_(reply.Position()) {}
  ~Fields() { reply_.MapAt(at_, count_); }
  void Add(std::string_view name, std::string_view value) {
    reply_.Bulk(name);
    reply_.Bulk(value);
    ++count_;
  }
  void Add(std::string_view name, int64_t value) { Add(name, std::to_string(value)); }

 private:
  Writer& reply_;
  const size_t at_;
  size_t count_ = 0;
};

// What Sentinel tells of every instance that it watches.
void AddInstance(const Source& source, const NodeView& node, std::string_view name,
                 std::string_view flags, Fields* fields) {
  const int64_t silent_ms = std::max<int64_t>(0, node.last_contact_ms);
  fields->Add("name", name);
  fields->Add("ip", node.host);
  fields->Add("port", node.port);
  fields->Add("runid", node.name);
  fields->Add("flags", flags);
  fields->Add("link-pending-commands", 0);
  fields->Add("link-refcount", 1);
  fields->Add("last-ping-sent", 0);
  fields->Add("last-ok-ping-reply", silent_ms);
  fields->Add("last-ping-reply", silent_ms);
  if (node.down) fields->Add("s-down-time", silent_ms);
  fields->Add("down-after-milliseconds", source.election_timeout_ms);
}

void AddRole(const Source& source, const NodeView& node, std::string_view role, Fields* fields) {
  fields->Add("info-refresh", std::max<int64_t>(0, node.last_contact_ms));
  fields->Add("role-reported", role);
  fields->Add("role-reported-time", source.uptime_ms);
}

void WriteMaster(const Source& source, std::string_view name, Writer& reply) {
  const NodeView& node = *source.view.Find(source.leader);
  const size_t others = source.view.nodes.size() - 1;
  Fields fields(reply);
  AddInstance(source, node, name, source.leads ? "master" : "s_down,o_down,master", &fields);
  AddRole(source, node, "master", &fields);
  fields.Add("config-epoch", static_cast<int64_t>(source.view.epoch));
  fields.Add("num-slaves", static_cast<int64_t>(others));
  fields.Add("num-other-sentinels", static_cast<int64_t>(others));
  fields.Add("quorum", static_cast<int64_t>(Quorum(source)));
  fields.Add("failover-timeout", kFailoverTimeoutMs);
  fields.Add("parallel-syncs", 1);
}

void WriteReplica(const Source& source, const NodeView& node, Writer& reply) {
  const NodeView* leader = source.view.Find(source.leader);
  Fields fields(reply);
  AddInstance(source, node, node.host + ':' + std::to_string(node.port),
              node.down ? "s_down,slave,disconnected" : "slave", &fields);
  AddRole(source, node, "slave", &fields);
  const bool linked = source.leads && !node.down;
  fields.Add("master-link-down-time", linked ? 0 : std::max<int64_t>(0, node.last_contact_ms));
  fields.Add("master-link-status", linked ? "ok" : "err");
  fields.Add("master-host", leader != nullptr ? leader->host : "?");
  fields.Add("master-port", leader != nullptr ? leader->port : 0);
  fields.Add("slave-priority", 100);
  fields.Add("slave-repl-offset",
             static_cast<int64_t>(node.self ? source.info.applied_index : node.match_index));
  fields.Add("replica-announced", 1);
}

void WriteSentinel(const Source& source, const NodeView& node, Writer& reply) {
  Fields fields(reply);
  AddInstance(source, node, node.name, node.down ? "s_down,sentinel" : "sentinel", &fields);
  fields.Add("last-hello-message", std::max<int64_t>(0, node.last_contact_ms));
  fields.Add("voted-leader", "?");
  fields.Add("voted-leader-epoch", 0);
}

// None before the first leader has told its address.
bool HasMaster(const Source& source) { return source.view.Find(source.leader) != nullptr; }
Status NoMaster() { return errors::Custom("ERR No such master with that name"); }

Status Masters(LocalContext& ctx, Args, Writer& reply) {
  const Source source = Look(ctx);
  reply.Array(HasMaster(source) ? 1 : 0);
  if (HasMaster(source)) {
    WriteMaster(source, ctx.config().settings()->sentinel_master_name, reply);
  }
  return Status::Ok();
}

Status Master(LocalContext& ctx, Args args, Writer& reply) {
  const Source source = Look(ctx);
  if (!HasMaster(source)) return NoMaster();
  WriteMaster(source, args[2], reply);
  return Status::Ok();
}

// SENTINEL REPLICAS and its older name, SENTINEL SLAVES.
Status Replicas(LocalContext& ctx, Args, Writer& reply) {
  const Source source = Look(ctx);
  if (!HasMaster(source)) return NoMaster();
  const std::vector<NodeView> replicas = ReplicasOf(source.view, source.leader);
  reply.Array(replicas.size());
  for (const NodeView& node : replicas) WriteReplica(source, node, reply);
  return Status::Ok();
}

Status Sentinels(LocalContext& ctx, Args, Writer& reply) {
  const Source source = Look(ctx);
  if (!HasMaster(source)) return NoMaster();
  const std::vector<NodeView> others = ReplicasOf(source.view, source.info.id);
  reply.Array(others.size());
  for (const NodeView& node : others) WriteSentinel(source, node, reply);
  return Status::Ok();
}

// Null while this node knows no leader: clients then ask the next one, and again. The last leader's
// address would hold them up at a node that is gone, or that leads no longer and does not know. Null
// also until the log says who leads: who was told of one, and listens, is told of the next.
Status GetMasterAddress(LocalContext& ctx, Args, Writer& reply) {
  const replica::ReplicaInfo info = ctx.replica().Info();
  const std::optional<ClientAddress> address = AddressOf(info, info.leader);
  if (!address || info.cluster->topology.leader != info.leader) {
    reply.NullArray();
    return Status::Ok();
  }
  reply.Array(2);
  reply.Bulk(address->host);
  reply.BulkInteger(address->port);
  return Status::Ok();
}

Status CheckQuorum(LocalContext& ctx, Args, Writer& reply) {
  const Source source = Look(ctx);
  if (!HasMaster(source)) return NoMaster();
  const raft::Membership& membership = source.info.cluster->membership;
  size_t usable = 0;
  for (const NodeView& node : source.view.nodes) {
    if (!raft::IsVoter(membership, node.id)) continue;
    usable += node.last_contact_ms >= 0 && node.last_contact_ms <= kHeardMs;
  }
  const std::string count = std::to_string(usable);
  if (usable < Quorum(source)) {
    return errors::Custom("NOQUORUM " + count +
                          " usable Sentinels. Not enough available Sentinels to reach the "
                          "specified quorum for this master. Not enough available Sentinels to "
                          "reach the majority and authorize a failover");
  }
  reply.SimpleString("OK " + count +
                     " usable Sentinels. Quorum and failover authorization can be reached");
  return Status::Ok();
}

Status MyId(LocalContext& ctx, Args, Writer& reply) {
  reply.Bulk(ctx.replica().Info().name);
  return Status::Ok();
}

// To whichever follower holds most of the log.
Status Failover(LocalContext& ctx, Args, Writer&) {
  replica::MembershipChange change;
  change.transfer = raft::kNoNode;
  ctx.ChangeMembership(std::move(change));
  return Status::Ok();
}

Status Help(LocalContext&, Args, Writer& reply) {
  WriteHelp(
      "SENTINEL",
      {"CKQUORUM <master-name>",
       "    Check if the current Sentinel configuration is able to reach the quorum",
       "    needed to failover a master and the majority needed to authorize the", "    failover.",
       "GET-MASTER-ADDR-BY-NAME <master-name>",
       "    Return the ip and port number of the master with that name.", "FAILOVER <master-name>",
       "    Manually failover a master node without asking for agreement from other",
       "    Sentinels", "MASTER <master-name>",
       "    Show the state and info of the specified master.", "MASTERS",
       "    Show a list of monitored masters and their state.", "MYID",
       "    Return the ID of the Sentinel instance.", "REPLICAS <master-name>",
       "    Show a list of replicas for this master and their state.", "SENTINELS <master-name>",
       "    Show a list of Sentinel instances for this master and their state."},
      reply);
  return Status::Ok();
}

using namespace commands;  // NOLINT: the names of flags and categories fill the tables

constexpr std::string_view kGroup = "sentinel";
constexpr std::string_view kPerNode = "O(N) where N is the number of nodes";

constexpr CommandSpec kSubcommands[] = {
    LocalSpec("ckquorum", 3, kAdmin, 0, CheckQuorum, kGroup, "2.8.4", kPerNode,
              "Tells whether this node reaches a majority."),
    LocalSpec("failover", 3, kAdmin, 0, Failover, kGroup, "2.8.4", "O(1)",
              "Hands leadership to another node."),
    LocalSpec("get-master-addr-by-name", 3, kAdmin, 0, GetMasterAddress, kGroup, "2.8.4", "O(1)",
              "Returns the leader's address."),
    LocalSpec("help", 2, kAnyTime, 0, Help, kGroup, "6.2.0", "O(1)", "Lists the subcommands."),
    LocalSpec("master", 3, kAdmin, 0, Master, kGroup, "2.8.4", "O(1)", "Describes the leader."),
    LocalSpec("masters", 2, kAdmin, 0, Masters, kGroup, "2.8.4", "O(1)",
              "Describes the leader, under the name that is configured."),
    LocalSpec("myid", 2, kAdmin, 0, MyId, kGroup, "6.2.0", "O(1)",
              "Returns the name of this node."),
    LocalSpec("replicas", 3, kAdmin, 0, Replicas, kGroup, "5.0.0", kPerNode,
              "Describes the nodes that follow."),
    LocalSpec("sentinels", 3, kAdmin, 0, Sentinels, kGroup, "2.8.4", kPerNode,
              "Describes the other nodes, which answer as this one."),
    LocalSpec("slaves", 3, kAdmin, 0, Replicas, kGroup, "2.8.0", kPerNode,
              "Describes the nodes that follow."),
};

constexpr CommandSpec kTable[] = {
    ContainerSpec("sentinel", kGroup, "2.8.4", "Commands of Redis Sentinel.", kSubcommands),
};

}  // namespace

std::span<const CommandSpec> SentinelCommands() { return kTable; }

}  // namespace metastore::server
