// CLUSTER, READONLY, READWRITE and ASKING: what clients of Redis Cluster ask for. Any node takes
// any key, so nothing is ever redirected, and slots are not moved by hand.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/parse.h"
#include "commands/errors.h"
#include "server/command_table.h"
#include "server/config.h"
#include "server/local_spec.h"
#include "server/topology.h"
#include "types/keyspace.h"

namespace metastore::server {
namespace {

using commands::Args;
using commands::CommandSpec;
using commands::ReadContext;
using resp::Writer;
namespace errors = commands::errors;

Status Error(std::string_view line) { return errors::Custom(line); }

struct Source {
  replica::ReplicaInfo info;
  ClusterView view;
};

Source Look(LocalContext& ctx) {
  Source source;
  source.info = ctx.replica().Info();
  source.view = ViewCluster(source.info, SlotsModeOf(*ctx.config().settings()));
  return source;
}

// The nodes that clients may read from instead of this one.
std::vector<const NodeView*> ReplicasOfNode(const ClusterView& view, const NodeView& node) {
  std::vector<const NodeView*> replicas;
  if (node.id != view.leader) return replicas;
  for (const NodeView& other : view.nodes) {
    if (other.replica) replicas.push_back(&other);
  }
  return replicas;
}

Status ClusterInfo(LocalContext& ctx, Args, Writer& reply) {
  const Source source = Look(ctx);
  const auto& nodes = source.view.nodes;
  const auto owners = std::count_if(nodes.begin(), nodes.end(),
                                    [](const NodeView& node) { return node.slots.has_value(); });
  const int slots = owners > 0 ? kSlots : 0;
  const bool ok = owners > 0 && source.info.leader != raft::kNoNode;
  reply.Verbatim(
      fmt::format("cluster_state:{}\r\n"
                  "cluster_slots_assigned:{}\r\n"
                  "cluster_slots_ok:{}\r\n"
                  "cluster_slots_pfail:0\r\n"
                  "cluster_slots_fail:0\r\n"
                  "cluster_known_nodes:{}\r\n"
                  "cluster_size:{}\r\n"
                  "cluster_current_epoch:{}\r\n"
                  "cluster_my_epoch:{}\r\n"
                  "cluster_stats_messages_sent:0\r\n"
                  "cluster_stats_messages_received:0\r\n"
                  "total_cluster_links_buffer_limit_exceeded:0\r\n",
                  ok ? "ok" : "fail", slots, slots, nodes.size(), owners, source.view.epoch,
                  source.view.epoch));
  return Status::Ok();
}

Status ClusterMyId(LocalContext& ctx, Args, Writer& reply) {
  reply.Bulk(ctx.replica().Info().name);
  return Status::Ok();
}

// A line of CLUSTER NODES.
std::string NodeLine(const ClusterView& view, const NodeView& node, int64_t now_ms) {
  const NodeView* leader = view.Find(view.leader);
  const bool follows = node.replica && leader != nullptr && leader != &node;
  const bool connected = node.self || node.linked_since_ms > 0;
  const bool heard = !node.self && node.last_contact_ms >= 0;
  std::string line = fmt::format(
      "{} {}:{}@{} {}{}{} {} 0 {} {} {}", node.name, node.host, node.port, node.peer_port,
      node.self ? "myself," : "", node.replica ? "slave" : "master", node.down ? ",fail" : "",
      follows ? leader->name : "-", heard ? now_ms - node.last_contact_ms : 0, view.epoch,
      connected ? "connected" : "disconnected");
  if (node.slots) {
    line += ' ' + std::to_string(node.slots->first);
    if (node.slots->last != node.slots->first) line += '-' + std::to_string(node.slots->last);
  }
  return line;
}

Status ClusterNodes(LocalContext& ctx, Args, Writer& reply) {
  const ClusterView view = Look(ctx).view;
  std::string text;
  for (const NodeView& node : view.nodes) text += NodeLine(view, node, ctx.now_ms()) + '\n';
  reply.Verbatim(text);
  return Status::Ok();
}

// CLUSTER REPLICAS and its older name, CLUSTER SLAVES.
Status ClusterReplicas(LocalContext& ctx, Args args, Writer& reply) {
  const ClusterView view = Look(ctx).view;
  const NodeView* node = view.FindName(args[2]);
  if (node == nullptr) return Error("ERR Unknown node " + std::string(args[2]));
  if (node->replica) return Error("ERR The specified node is not a master");
  const std::vector<const NodeView*> replicas = ReplicasOfNode(view, *node);
  reply.Array(replicas.size());
  for (const NodeView* replica : replicas) reply.Bulk(NodeLine(view, *replica, ctx.now_ms()));
  return Status::Ok();
}

void WriteSlotsNode(const NodeView& node, Writer& reply) {
  reply.Array(4);
  reply.Bulk(node.host);
  reply.Integer(node.port);
  reply.Bulk(node.name);
  reply.Map(0);
}

Status ClusterSlots(LocalContext& ctx, Args, Writer& reply) {
  const ClusterView view = Look(ctx).view;
  size_t count = 0;
  const size_t at = reply.Position();
  for (const NodeView& node : view.nodes) {
    if (!node.slots) continue;
    ++count;
    std::vector<const NodeView*> replicas = ReplicasOfNode(view, node);
    std::erase_if(replicas, [](const NodeView* replica) { return replica->down; });
    reply.Array(3 + replicas.size());
    reply.Integer(node.slots->first);
    reply.Integer(node.slots->last);
    WriteSlotsNode(node, reply);
    for (const NodeView* replica : replicas) WriteSlotsNode(*replica, reply);
  }
  reply.ArrayAt(at, count);
  return Status::Ok();
}

void WriteShardsNode(const Source& source, const NodeView& node, Writer& reply) {
  reply.Map(7);
  reply.Bulk("id");
  reply.Bulk(node.name);
  reply.Bulk("port");
  reply.Integer(node.port);
  reply.Bulk("ip");
  reply.Bulk(node.host);
  reply.Bulk("endpoint");
  reply.Bulk(node.host);
  reply.Bulk("role");
  reply.Bulk(node.replica ? "replica" : "master");
  reply.Bulk("replication-offset");
  reply.Integer(static_cast<int64_t>(node.self ? source.info.applied_index : node.match_index));
  reply.Bulk("health");
  reply.Bulk(node.down ? "failed" : "online");
}

Status ClusterShards(LocalContext& ctx, Args, Writer& reply) {
  const Source source = Look(ctx);
  const auto& nodes = source.view.nodes;
  reply.Array(static_cast<size_t>(std::count_if(
      nodes.begin(), nodes.end(), [](const NodeView& node) { return !node.replica; })));
  for (const NodeView& node : nodes) {
    if (node.replica) continue;
    reply.Map(2);
    reply.Bulk("slots");
    reply.Array(node.slots ? 2 : 0);
    if (node.slots) {
      reply.Integer(node.slots->first);
      reply.Integer(node.slots->last);
    }
    reply.Bulk("nodes");
    const std::vector<const NodeView*> replicas = ReplicasOfNode(source.view, node);
    reply.Array(1 + replicas.size());
    WriteShardsNode(source, node, reply);
    for (const NodeView* replica : replicas) WriteShardsNode(source, *replica, reply);
  }
  return Status::Ok();
}

// The connections that this node made for Raft's messages.
Status ClusterLinks(LocalContext& ctx, Args, Writer& reply) {
  std::vector<NodeView> nodes = Look(ctx).view.nodes;
  std::erase_if(nodes, [](const NodeView& node) { return node.linked_since_ms == 0; });
  reply.Array(nodes.size());
  for (const NodeView& node : nodes) {
    reply.Map(6);
    reply.Bulk("direction");
    reply.Bulk("to");
    reply.Bulk("node");
    reply.Bulk(node.name);
    reply.Bulk("create-time");
    reply.Integer(node.linked_since_ms);
    reply.Bulk("events");
    reply.Bulk("rw");
    reply.Bulk("send-buffer-allocated");
    reply.Integer(0);
    reply.Bulk("send-buffer-used");
    reply.Integer(0);
  }
  return Status::Ok();
}

Status ClusterKeySlot(LocalContext&, Args args, Writer& reply) {
  reply.Integer(KeySlot(args[2]));
  return Status::Ok();
}

// Nobody reports failures: the leader sees them itself.
Status ClusterCountFailureReports(LocalContext& ctx, Args args, Writer& reply) {
  if (Look(ctx).view.FindName(args[2]) == nullptr) {
    return Error("ERR Unknown node " + std::string(args[2]));
  }
  reply.Integer(0);
  return Status::Ok();
}

Status ClusterCountKeysInSlot(ReadContext& ctx, Args args, Writer& reply) {
  int64_t slot;
  if (!ParseInt64(args[2], &slot)) return Status(Code::kNotInteger);
  if (slot < 0 || slot >= kSlots) return Error("ERR Invalid slot");
  reply.Integer(
      static_cast<int64_t>(types::CountKeysInSlot(ctx.view(), ctx.db(), static_cast<int>(slot))));
  return Status::Ok();
}

Status ClusterGetKeysInSlot(ReadContext& ctx, Args args, Writer& reply) {
  int64_t slot, count;
  if (!ParseInt64(args[2], &slot)) return Status(Code::kNotInteger);
  if (!ParseInt64(args[3], &count)) return Status(Code::kNotInteger);
  if (slot < 0 || slot >= kSlots || count < 0) return Error("ERR Invalid slot or number of keys");
  const std::vector<std::string> keys =
      types::KeysInSlot(ctx.view(), ctx.db(), static_cast<int>(slot), static_cast<uint64_t>(count));
  reply.Array(keys.size());
  for (const std::string& key : keys) reply.Bulk(key);
  return Status::Ok();
}

Status ClusterHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("CLUSTER",
            {"COUNT-FAILURE-REPORTS <node-id>",
             "    Return number of failure reports for <node-id>.",
             "COUNTKEYSINSLOT <slot>",
             "    Return the number of keys in <slot>.",
             "GETKEYSINSLOT <slot> <count>",
             "    Return key names stored by current node in a slot.",
             "INFO",
             "    Return information about the cluster.",
             "KEYSLOT <key>",
             "    Return the hash slot for <key>.",
             "MYID",
             "    Return the node id.",
             "NODES",
             "    Return cluster configuration seen by node. Output format:",
             "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
             "REPLICAS <node-id>",
             "    Return <node-id> replicas.",
             "SLOTS",
             "    Return information about slots range mappings. Each range is made of:",
             "    start, end, master and replicas IP addresses, ports and ids",
             "SHARDS",
             "    Return information about slot range mappings and the nodes associated with them.",
             "LINKS",
             "    Return information about all network links between this node and its peers.",
             "    Output format is an array where each array element is a map containing "
             "attributes of a link"},
            reply);
  return Status::Ok();
}

// Reads are as good on this node as on any other: the connection only shows what it asked for.
Status ReadOnly(LocalContext& ctx, Args, Writer& reply) {
  ctx.session().readonly = true;
  reply.Ok();
  return Status::Ok();
}

Status ReadWrite(LocalContext& ctx, Args, Writer& reply) {
  ctx.session().readonly = false;
  reply.Ok();
  return Status::Ok();
}

// Said before a command that another node redirected, which none does.
Status Asking(LocalContext&, Args, Writer& reply) {
  reply.Ok();
  return Status::Ok();
}

using namespace commands;  // NOLINT: the names of flags and categories fill the tables

constexpr std::string_view kGroup = "cluster";
constexpr std::string_view kPerNode = "O(N) where N is the total number of Cluster nodes";
constexpr uint32_t kPlain = kStale | kNeedsCluster;

constexpr CommandSpec SlotRead(std::string_view name, int arity, ReadHandler handler,
                               std::string_view complexity, std::string_view summary) {
  CommandSpec spec =
      LocalSpec(name, arity, kPlain, 0, nullptr, kGroup, "3.0.0", complexity, summary);
  spec.handler = Handler(handler);
  return spec;
}

constexpr CommandSpec kClusterSubcommands[] = {
    LocalSpec("count-failure-reports", 3, kPlain | kAdmin, 0, ClusterCountFailureReports, kGroup,
              "3.0.0", kPerNode, "Returns 0: no node reports failures of another."),
    SlotRead("countkeysinslot", 3, ClusterCountKeysInSlot,
             "O(N) where N is the number of keys in the slot",
             "Returns the number of keys in a slot."),
    SlotRead("getkeysinslot", 4, ClusterGetKeysInSlot, "O(N) where N is the number of keys replied",
             "Returns names of keys in a slot."),
    LocalSpec("help", 2, kAnyTime | kNeedsCluster, 0, ClusterHelp, kGroup, "5.0.0", "O(1)",
              "Lists the subcommands."),
    LocalSpec("info", 2, kPlain, 0, ClusterInfo, kGroup, "3.0.0", "O(1)",
              "Tells how the cluster is."),
    LocalSpec("keyslot", 3, kPlain, 0, ClusterKeySlot, kGroup, "3.0.0",
              "O(N) where N is the number of bytes in the key", "Returns the slot of a key."),
    LocalSpec("links", 2, kPlain, 0, ClusterLinks, kGroup, "7.0.0", kPerNode,
              "Lists this node's connections to others."),
    LocalSpec("myid", 2, kPlain, 0, ClusterMyId, kGroup, "3.0.0", "O(1)",
              "Returns the name of this node."),
    LocalSpec("nodes", 2, kPlain, 0, ClusterNodes, kGroup, "3.0.0", kPerNode,
              "Lists the nodes with their slots, a line each."),
    LocalSpec("replicas", 3, kPlain | kAdmin, 0, ClusterReplicas, kGroup, "5.0.0", kPerNode,
              "Lists the replicas of a node."),
    LocalSpec("shards", 2, kPlain, 0, ClusterShards, kGroup, "7.0.0", kPerNode,
              "Lists the slots with their nodes and how those are."),
    LocalSpec("slaves", 3, kPlain | kAdmin, 0, ClusterReplicas, kGroup, "3.0.0", kPerNode,
              "Lists the replicas of a node."),
    LocalSpec("slots", 2, kPlain, 0, ClusterSlots, kGroup, "3.0.0", kPerNode,
              "Lists the slots with their nodes."),
};

constexpr uint32_t kOfConnection = kFast | kNeedsCluster;

constexpr CommandSpec kTable[] = {
    ContainerSpec("cluster", kGroup, "3.0.0", "Commands about Redis Cluster.", kClusterSubcommands),
    LocalSpec("asking", 1, kOfConnection, kAclConnection, Asking, kGroup, "3.0.0", "O(1)",
              "Does nothing: no node redirects."),
    LocalSpec("readonly", 1, kOfConnection | kAnyTime, kAclConnection, ReadOnly, kGroup, "3.0.0",
              "O(1)", "Says that this connection reads from replicas."),
    LocalSpec("readwrite", 1, kOfConnection | kAnyTime, kAclConnection, ReadWrite, kGroup, "3.0.0",
              "O(1)", "Ends READONLY."),
};

}  // namespace

std::span<const CommandSpec> ClusterCommands() { return kTable; }

}  // namespace metastore::server
