// SUBSCRIBE and its like, and PUBSUB. PUBLISH goes through the log: commands/publish_commands.cc.
#include <string>
#include <vector>

#include "commands/errors.h"
#include "server/command_table.h"
#include "server/local_context.h"
#include "server/local_spec.h"
#include "server/pubsub.h"

namespace metastore::server {
namespace {

using namespace commands;  // NOLINT: the names of flags and categories fill the tables
using resp::Writer;

struct Words {
  std::string_view subscribe, unsubscribe;
};
Words WordsOf(ChannelKind kind) {
  switch (kind) {
    case ChannelKind::kPlain:
      return {"subscribe", "unsubscribe"};
    case ChannelKind::kPattern:
      return {"psubscribe", "punsubscribe"};
    case ChannelKind::kShard:
      return {"ssubscribe", "sunsubscribe"};
  }
  return {};
}

// What a client is told that it is subscribed to: shard channels are counted by themselves.
int64_t CountFor(const Session& session, ChannelKind kind) {
  if (kind == ChannelKind::kShard) return session.shard_channels;
  return int64_t{session.channels} + session.patterns;
}

// Each channel is answered by a push of its own.
Status Subscribe(LocalContext& ctx, Args args, ChannelKind kind, Writer& reply) {
  for (std::string_view channel : args.subspan(1)) {
    ctx.pubsub().Subscribe(&ctx.session(), kind, channel);
    reply.Push(3);
    reply.Bulk(WordsOf(kind).subscribe);
    reply.Bulk(channel);
    reply.Integer(CountFor(ctx.session(), kind));
  }
  return Status::Ok();
}

Status Unsubscribe(LocalContext& ctx, Args args, ChannelKind kind, Writer& reply) {
  const auto tell = [&](const std::string_view* channel) {
    reply.Push(3);
    reply.Bulk(WordsOf(kind).unsubscribe);
    channel != nullptr ? reply.Bulk(*channel) : reply.Null();
    reply.Integer(CountFor(ctx.session(), kind));
  };
  const std::vector<std::string> all = ctx.pubsub().ChannelsOf(&ctx.session(), kind);
  std::vector<std::string_view> channels(args.begin() + 1, args.end());
  if (channels.empty()) channels.assign(all.begin(), all.end());
  for (std::string_view channel : channels) {
    ctx.pubsub().Unsubscribe(&ctx.session(), kind, channel);
    tell(&channel);
  }
  if (channels.empty()) tell(nullptr);
  return Status::Ok();
}

Status SubscribeToChannels(LocalContext& ctx, Args args, Writer& reply) {
  return Subscribe(ctx, args, ChannelKind::kPlain, reply);
}
Status SubscribeToPatterns(LocalContext& ctx, Args args, Writer& reply) {
  return Subscribe(ctx, args, ChannelKind::kPattern, reply);
}
Status SubscribeToShards(LocalContext& ctx, Args args, Writer& reply) {
  // As in Redis, which takes the other two there for the sake of old programs.
  if (ctx.in_transaction()) {
    return commands::errors::Custom("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  }
  return Subscribe(ctx, args, ChannelKind::kShard, reply);
}
Status UnsubscribeFromChannels(LocalContext& ctx, Args args, Writer& reply) {
  return Unsubscribe(ctx, args, ChannelKind::kPlain, reply);
}
Status UnsubscribeFromPatterns(LocalContext& ctx, Args args, Writer& reply) {
  return Unsubscribe(ctx, args, ChannelKind::kPattern, reply);
}
Status UnsubscribeFromShards(LocalContext& ctx, Args args, Writer& reply) {
  return Unsubscribe(ctx, args, ChannelKind::kShard, reply);
}

// --- PUBSUB --------------------------------------------------------------------------------------

Status ListChannels(LocalContext& ctx, Args args, ChannelKind kind, Writer& reply) {
  if (args.size() > 3) {
    return errors::Custom("ERR unknown subcommand or wrong number of arguments for '" +
                          std::string(args[1]) + "'. Try PUBSUB HELP.");
  }
  const std::vector<std::string> names =
      ctx.server().subscriptions().Names(kind, args.size() == 3 ? args[2] : "");
  reply.Array(names.size());
  for (const std::string& name : names) reply.Bulk(name);
  return Status::Ok();
}

Status CountSubscribers(LocalContext& ctx, Args args, ChannelKind kind, Writer& reply) {
  reply.Array(2 * (args.size() - 2));
  for (std::string_view channel : args.subspan(2)) {
    reply.Bulk(channel);
    reply.Integer(ctx.server().subscriptions().Subscribers(kind, channel));
  }
  return Status::Ok();
}

Status PubsubChannels(LocalContext& ctx, Args args, Writer& reply) {
  return ListChannels(ctx, args, ChannelKind::kPlain, reply);
}
Status PubsubShardChannels(LocalContext& ctx, Args args, Writer& reply) {
  return ListChannels(ctx, args, ChannelKind::kShard, reply);
}
Status PubsubNumSub(LocalContext& ctx, Args args, Writer& reply) {
  return CountSubscribers(ctx, args, ChannelKind::kPlain, reply);
}
Status PubsubShardNumSub(LocalContext& ctx, Args args, Writer& reply) {
  return CountSubscribers(ctx, args, ChannelKind::kShard, reply);
}
Status PubsubNumPat(LocalContext& ctx, Args, Writer& reply) {
  reply.Integer(static_cast<int64_t>(ctx.server().subscriptions().Count(ChannelKind::kPattern)));
  return Status::Ok();
}
Status PubsubHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("PUBSUB",
            {"CHANNELS [<pattern>]",
             "    Return the currently active channels matching a <pattern> (default: '*').",
             "NUMPAT", "    Return number of subscriptions to patterns.", "NUMSUB [<channel> ...]",
             "    Return the number of subscribers for the specified channels, excluding",
             "    pattern subscriptions(default: no channels).", "SHARDCHANNELS [<pattern>]",
             "    Return the currently active shard level channels matching a <pattern> (default: "
             "'*').",
             "SHARDNUMSUB [<shardchannel> ...]",
             "    Return the number of subscribers for the specified shard level channel(s)"},
            reply);
  return Status::Ok();
}

constexpr std::string_view kGroup = "pubsub";
constexpr uint32_t kSubscribe = kPubsub | kNoscript | kAnyTime | kAfterReplies;
constexpr uint32_t kLook = kPubsub | kAnyTime;

constexpr CommandSpec Row(std::string_view name, int arity, LocalHandler handler,
                          std::string_view since, std::string_view summary) {
  return LocalSpec(name, arity, kSubscribe, 0, handler, kGroup, since,
                   "O(N log(C)) in the N names given and all C of the node.", summary);
}

constexpr CommandSpec ShardRow(std::string_view name, int arity, LocalHandler handler,
                               std::string_view since, std::string_view summary) {
  CommandSpec spec = Row(name, arity, handler, since, summary);
  spec.keys = {1, -1, 1};
  spec.key_specs[0] = {{1, -1, 1}, KeyAccess::kNone, kKeyNotKey};
  return spec;
}

constexpr CommandSpec kPubsubTable[] = {
    LocalSpec("channels", -2, kLook, 0, PubsubChannels, kGroup, "2.8.0",
              "O(N) in the node's channels.", "Lists channels that have subscribers here."),
    LocalSpec("help", 2, kAnyTime, 0, PubsubHelp, kGroup, "6.2.0", "O(1)",
              "Lists the subcommands."),
    LocalSpec("numpat", 2, kLook, 0, PubsubNumPat, kGroup, "2.8.0", "O(1)",
              "Counts the patterns that have subscribers here."),
    LocalSpec("numsub", -2, kLook, 0, PubsubNumSub, kGroup, "2.8.0",
              "O(N log(C)) in the N names given and all C of the node.",
              "Counts the subscribers of channels on this node."),
    LocalSpec("shardchannels", -2, kLook, 0, PubsubShardChannels, kGroup, "7.0.0",
              "O(N) in the node's channels.", "Lists shard channels that have subscribers here."),
    LocalSpec("shardnumsub", -2, kLook, 0, PubsubShardNumSub, kGroup, "7.0.0",
              "O(N log(C)) in the N names given and all C of the node.",
              "Counts the subscribers of shard channels on this node."),
};

constexpr CommandSpec kTable[] = {
    Row("subscribe", -2, SubscribeToChannels, "2.0.0", "Listens for messages on channels."),
    Row("unsubscribe", -1, UnsubscribeFromChannels, "2.0.0",
        "Listens no more on channels, or on any of them."),
    Row("psubscribe", -2, SubscribeToPatterns, "2.0.0",
        "Listens for messages on channels that match patterns."),
    Row("punsubscribe", -1, UnsubscribeFromPatterns, "2.0.0",
        "Listens no more for patterns, or for any of them."),
    ShardRow("ssubscribe", -2, SubscribeToShards, "7.0.0",
             "Listens for messages on shard channels."),
    ShardRow("sunsubscribe", -1, UnsubscribeFromShards, "7.0.0",
             "Listens no more on shard channels, or on any of them."),
    ContainerSpec("pubsub", kGroup, "2.8.0", "Shows what clients of this node are subscribed to.",
                  kPubsubTable),
};

}  // namespace

std::span<const CommandSpec> PubSubCommands() { return kTable; }

}  // namespace metastore::server
