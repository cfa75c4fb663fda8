// PUBLISH and SPUBLISH. A message is a write command: its place in the log is its order for the
// subscribers of every node, and it is sent when and only when it commits.
#include "commands/command_spec.h"

namespace metastore::commands {
namespace {

Status Publish(WriteContext& ctx, Args args, resp::Writer& reply) {
  ctx.events().Publish(args[1], args[2]);
  reply.Integer(ctx.Receivers(false, args[1]));
  return Status::Ok();
}

Status SPublish(WriteContext& ctx, Args args, resp::Writer& reply) {
  ctx.events().PublishToShard(args[1], args[2]);
  reply.Integer(ctx.Receivers(true, args[1]));
  return Status::Ok();
}

constexpr CommandSpec Row(std::string_view name, WriteHandler handler, std::string_view since,
                          std::string_view summary) {
  CommandSpec spec;
  spec.name = name;
  spec.arity = 3;
  spec.flags = kPubsub | kLoading | kStale | kFast;
  spec.handler = handler;
  spec.group = "pubsub";
  spec.since = since;
  spec.complexity = "O(N+M) in the subscribers of all nodes and the patterns of each.";
  spec.summary = summary;
  return spec;
}

constexpr CommandSpec ShardRow() {
  CommandSpec spec = Row("spublish", SPublish, "7.0.0", "Sends a message to a shard channel.");
  spec.keys = {1, 1, 1};
  spec.key_specs[0] = {{1, 1, 1}, KeyAccess::kNone, kKeyNotKey};
  return spec;
}

constexpr CommandSpec kTable[] = {Row("publish", Publish, "2.0.0", "Sends a message to a channel."),
                                  ShardRow()};

}  // namespace

std::span<const CommandSpec> PublishCommands() { return kTable; }

}  // namespace metastore::commands
