// Commands about the server: CONFIG, INFO, ROLE, SHUTDOWN, MEMORY, LATENCY, SLOWLOG and so
// on. Those that Redis has for things that are otherwise here (SAVE, LATENCY, SLOWLOG) answer what
// is true of this server in the form that tools read.
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "base/parse.h"
#include "commands/errors.h"
#include "server/command_table.h"
#include "server/config.h"
#include "server/info.h"
#include "server/local_context.h"
#include "server/local_spec.h"
#include "server/memory.h"
#include "server/topology.h"
#include "types/inspect.h"
#include "types/keyspace.h"

namespace metastore::server {
namespace {

using namespace commands;  // NOLINT: the names of flags and categories fill the tables
using resp::Writer;

// Of a spread collection, where nothing else is asked for.
constexpr int64_t kSampledRows = 5;

Status Syntax() { return Status(Code::kSyntax); }
Status Error(std::string_view line) { return errors::Custom(line); }

// --- CONFIG --------------------------------------------------------------------------------------

Status ConfigGet(LocalContext& ctx, Args args, Writer& reply) {
  std::vector<Config::Pair> pairs = ctx.config().Get(args.subspan(2));
  reply.Map(pairs.size());
  for (const Config::Pair& pair : pairs) {
    reply.Bulk(pair.first);
    reply.Bulk(pair.second);
  }
  return Status::Ok();
}

Status ConfigSet(LocalContext& ctx, Args args, Writer& reply) {
  if (args.size() % 2 != 0) return Syntax();
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (size_t i = 2; i < args.size(); i += 2) pairs.emplace_back(args[i], args[i + 1]);
  Server& server = ctx.server();
  RETURN_IF_ERROR(ctx.config().Set(pairs, [&server](const Settings& before, const Settings& now) {
    server.SetLimits(LimitsOf(now));
    if (before.log_level != now.log_level) CHECK_OK(log::SetLevel(now.log_level));
    if (before.active_expire != now.active_expire) {
      server.replica().SetActiveExpire(now.active_expire);
    }
    server.replica().SetEncodingLimits(EncodingLimitsOf(now));
  }));
  reply.Ok();
  return Status::Ok();
}

Status ConfigRewrite(LocalContext& ctx, Args, Writer& reply) {
  RETURN_IF_ERROR(ctx.config().Rewrite());
  reply.Ok();
  return Status::Ok();
}

Status ConfigResetStat(LocalContext& ctx, Args, Writer& reply) {
  ctx.server().ResetStats();
  reply.Ok();
  return Status::Ok();
}

Status ConfigHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp(
      "CONFIG",
      {"GET <pattern>", "    Return parameters matching the glob-like <pattern> and their values.",
       "SET <directive> <value>", "    Set the configuration <directive> to <value>.", "RESETSTAT",
       "    Reset statistics reported by the INFO command.", "REWRITE",
       "    Rewrite the configuration file."},
      reply);
  return Status::Ok();
}

// --- INFO, TIME, ROLE ----------------------------------------------------------------------------

Status Info(LocalContext& ctx, Args args, Writer& reply) {
  reply.Verbatim(InfoText(ctx.server(), args.subspan(1)));
  return Status::Ok();
}

Status Time(LocalContext& ctx, Args, Writer& reply) {
  const int64_t now_ms = ctx.now_ms();
  reply.Array(2);
  reply.BulkInteger(now_ms / 1000);
  reply.BulkInteger(now_ms % 1000 * 1000);
  return Status::Ok();
}

// Offsets are log indexes.
Status Role(LocalContext& ctx, Args, Writer& reply) {
  const replica::ReplicaInfo info = ctx.replica().Info();
  if (info.role == raft::Role::kLeader) {
    std::vector<NodeView> replicas = ReplicasOf(ViewCluster(info, SlotsMode::kEven), info.id);
    std::erase_if(replicas, [](const NodeView& node) { return node.down; });
    reply.Array(3);
    reply.Bulk("master");
    reply.Integer(static_cast<int64_t>(info.commit_index));
    reply.Array(replicas.size());
    for (const NodeView& node : replicas) {
      reply.Array(3);
      reply.Bulk(node.host);
      reply.BulkInteger(node.port);
      reply.BulkInteger(static_cast<int64_t>(node.match_index));
    }
    return Status::Ok();
  }
  const std::optional<ClientAddress> leader = AddressOf(info, info.leader);
  reply.Array(5);
  reply.Bulk("slave");
  reply.Bulk(leader ? leader->host : "?");
  reply.Integer(leader ? leader->port : 0);
  reply.Bulk(leader ? "connected" : "connect");
  reply.Integer(static_cast<int64_t>(info.applied_index));
  return Status::Ok();
}

// --- saving and stopping -------------------------------------------------------------------------

// What SAVE, BGSAVE and BGREWRITEAOF are called for holds at any time: acknowledged writes are
// synced on a majority. They answer as Redis does, so that backup scripts go on.
Status Save(LocalContext&, Args, Writer& reply) {
  reply.Ok();
  return Status::Ok();
}

Status BgSave(LocalContext&, Args args, Writer& reply) {
  if (args.size() > 2 || (args.size() == 2 && !EqualsIgnoreCase(args[1], "SCHEDULE"))) {
    return Syntax();
  }
  reply.SimpleString("Background saving started");
  return Status::Ok();
}

Status BgRewriteAof(LocalContext&, Args, Writer& reply) {
  reply.SimpleString("Background append only file rewriting started");
  return Status::Ok();
}

Status LastSave(LocalContext& ctx, Args, Writer& reply) {
  reply.Integer(ctx.now_ms() / 1000);
  return Status::Ok();
}

// SAVE, NOSAVE, NOW and FORCE make no difference: nothing is unsaved, and no replica is waited for
// beyond the hand-over of leadership. There is no reply; the connection closes with the process.
Status Shutdown(LocalContext& ctx, Args args, Writer&) {
  bool save = false, no_save = false, abort = false;
  for (std::string_view arg : args.subspan(1)) {
    if (EqualsIgnoreCase(arg, "NOSAVE")) {
      no_save = true;
    } else if (EqualsIgnoreCase(arg, "SAVE")) {
      save = true;
    } else if (EqualsIgnoreCase(arg, "ABORT")) {
      abort = true;
    } else if (!EqualsIgnoreCase(arg, "NOW") && !EqualsIgnoreCase(arg, "FORCE")) {
      return Syntax();
    }
  }
  if ((save && no_save) || (abort && args.size() > 2)) return Syntax();
  if (abort) return Error("ERR No shutdown in progress.");
  ctx.server().RequestShutdown();
  return Status::Ok();
}

// Once more it has no effect, and no reply, as in Redis.
Status Monitor(LocalContext& ctx, Args, Writer& reply) {
  if (ctx.session().monitor) return Status::Ok();
  ctx.session().monitor = true;
  ctx.server().monitors().Add(ctx.session().id());
  reply.Ok();
  return Status::Ok();
}

// --- DEBUG ---------------------------------------------------------------------------------------

Status DebugUnknown(std::string_view subcommand) {
  return Error("ERR unknown subcommand or wrong number of arguments for '" +
               std::string(subcommand.substr(0, 128)) + "'. Try DEBUG HELP.");
}

// What looks at data waits for it as other reads do.
bool IsDebugRead(Args args) {
  return (EqualsIgnoreCase(args[1], "OBJECT") && args.size() == 3) ||
         (EqualsIgnoreCase(args[1], "DIGEST") && args.size() == 2) ||
         EqualsIgnoreCase(args[1], "DIGEST-VALUE");
}

std::string Hex(const types::DataDigest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// In the shape that tools take apart. The address is the modification index, the length what is
// stored, and reads leave no trace.
Status DebugObject(ReadContext& ctx, std::string_view key, Writer& reply) {
  const std::optional<types::Record> record = types::Find(ctx.view(), ctx.db(), key);
  if (!record) return Status(Code::kNoSuchKey);
  const uint64_t bytes = types::StoredBytes(ctx.view(), key, *record, kSampledRows);
  constexpr int64_t kClockPeriod = 1 << 24;
  char text[200];
  std::snprintf(text, sizeof text,
                "Value at:0x%" PRIx64 " refcount:1 encoding:%s serializedlength:%" PRIu64
                " lru:%" PRId64 " lru_seconds_idle:0",
                record->header().version,
                std::string(types::EncodingName(*record, ctx.encoding_limits())).c_str(), bytes,
                ctx.now_ms() / 1000 % kClockPeriod);
  reply.SimpleString(text);
  return Status::Ok();
}

Status DebugRead(ReadContext& ctx, Args args, Writer& reply) {
  if (EqualsIgnoreCase(args[1], "OBJECT")) return DebugObject(ctx, args[2], reply);
  if (EqualsIgnoreCase(args[1], "DIGEST")) {
    reply.SimpleString(Hex(types::DigestOfAll(ctx.view())));
    return Status::Ok();
  }
  reply.Array(args.size() - 2);
  for (std::string_view key : args.subspan(2)) {
    const std::optional<types::Record> record = types::Find(ctx.view(), ctx.db(), key);
    reply.SimpleString(Hex(record ? types::DigestOfValue(ctx.view(), ctx.db(), key, *record)
                                  : types::DataDigest()));
  }
  return Status::Ok();
}

Status Debug(LocalContext& ctx, Args args, Writer& reply) {
  if (args.size() == 2 && EqualsIgnoreCase(args[1], "HELP")) {
    WriteHelp(
        "DEBUG",
        {"DIGEST", "    Output a hex signature representing the current DB content.",
         "DIGEST-VALUE <key> [<key> ...]",
         "    Output a hex signature of the values of all the specified keys.", "OBJECT <key>",
         "    Show low level info about `key` and associated value.", "RELOAD [option ...]",
         "    Does nothing: what is on disk is what is served.", "SET-ACTIVE-EXPIRE <0|1>",
         "    Setting it to 0 disables expiring keys in background when they are not",
         "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
         "    default.", "SLEEP <seconds>", "    Stop the server for <seconds>. Decimals allowed."},
        reply);
    return Status::Ok();
  }
  if (EqualsIgnoreCase(args[1], "RELOAD")) {
    for (std::string_view option : args.subspan(2)) {
      if (!EqualsIgnoreCase(option, "MERGE") && !EqualsIgnoreCase(option, "NOFLUSH") &&
          !EqualsIgnoreCase(option, "NOSAVE")) {
        return Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
      }
    }
    reply.Ok();
    return Status::Ok();
  }
  if (args.size() != 3) return DebugUnknown(args[1]);
  if (EqualsIgnoreCase(args[1], "SLEEP")) {
    // As Redis reads it: what is no number is 0. It stops the loop of this client only.
    const double seconds = std::strtod(std::string(args[2]).c_str(), nullptr);
    constexpr double kMaxSeconds = 3600;
    if (seconds > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(seconds, kMaxSeconds)));
    }
  } else if (EqualsIgnoreCase(args[1], "SET-ACTIVE-EXPIRE")) {
    ctx.replica().SetActiveExpire(args[2] != "0");
  } else {
    return DebugUnknown(args[1]);
  }
  reply.Ok();
  return Status::Ok();
}

// --- LATENCY, SLOWLOG: nothing is recorded
// --------------------------------------------------------

Status EmptyArray(LocalContext&, Args, Writer& reply) {
  reply.Array(0);
  return Status::Ok();
}
Status EmptyMap(LocalContext&, Args, Writer& reply) {
  reply.Map(0);
  return Status::Ok();
}
Status Zero(LocalContext&, Args, Writer& reply) {
  reply.Integer(0);
  return Status::Ok();
}

Status LatencyGraph(LocalContext&, Args args, Writer&) {
  return Error("ERR No samples available for event '" + std::string(args[2]) + "'");
}

Status LatencyDoctor(LocalContext&, Args, Writer& reply) {
  reply.Verbatim(
      "Latency events are not recorded. INFO commandstats has the mean time of each command, and "
      "/-/metrics the distribution of reads and writes.\n");
  return Status::Ok();
}

Status LatencyHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("LATENCY",
            {"DOCTOR", "    Return a human readable latency analysis report.", "GRAPH <event>",
             "    Return an ASCII latency graph for the <event> class.", "HISTORY <event>",
             "    Return time-latency samples for the <event> class.", "LATEST",
             "    Return the latest latency samples for all events.", "RESET [<event> ...]",
             "    Reset latency data of one or more <event> classes.",
             "    (default: reset all data for all event classes)", "HISTOGRAM [COMMAND ...]",
             "    Return a cumulative distribution of latencies in the format of a histogram for "
             "the specified command names.",
             "    If no commands are specified then all histograms are replied."},
            reply);
  return Status::Ok();
}

Status SlowlogGet(LocalContext&, Args args, Writer& reply) {
  if (args.size() > 3) return errors::WrongArity("slowlog|get");
  int64_t count = 0;
  if (args.size() == 3 && (!ParseInt64(args[2], &count) || count < -1)) {
    return Error("ERR count should be greater than or equal to -1");
  }
  reply.Array(0);
  return Status::Ok();
}

Status SlowlogReset(LocalContext&, Args, Writer& reply) {
  reply.Ok();
  return Status::Ok();
}

Status SlowlogHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("SLOWLOG",
            {"GET [<count>]",
             "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
             "    Entries are made of:",
             "    id, timestamp, time in microseconds, arguments array, client IP and port,",
             "    client name", "LEN", "    Return the length of the slowlog.", "RESET",
             "    Reset the slowlog."},
            reply);
  return Status::Ok();
}

// --- MEMORY --------------------------------------------------------------------------------------

Status MemoryDoctor(LocalContext&, Args, Writer& reply) {
  reply.Verbatim(
      "Data lives on disk. Memory is bounded by the options record-cache, block-cache, "
      "write-buffer, log-cache, "
      "max-inflight-bytes and output-memory; INFO memory has what is used.\n");
  return Status::Ok();
}

Status MemoryMallocStats(LocalContext&, Args, Writer& reply) {
  const MemoryInfo memory = ReadMemoryInfo();
  std::string text(AllocatorName());
  text += "\nallocated: " + FormatInt64(static_cast<int64_t>(memory.allocated_bytes));
  text += "\nactive: " + FormatInt64(static_cast<int64_t>(memory.active_bytes));
  text += "\nresident: " + FormatInt64(static_cast<int64_t>(memory.resident_bytes)) + '\n';
  reply.Verbatim(text);
  return Status::Ok();
}

Status MemoryPurge(LocalContext&, Args, Writer& reply) {
  PurgeMemory();
  reply.Ok();
  return Status::Ok();
}

Status MemoryStats(LocalContext& ctx, Args, Writer& reply) {
  const MemoryInfo memory = ReadMemoryInfo();
  const engine::EngineStats engine = ctx.replica().EngineStats();
  std::unique_ptr<engine::View> view = ctx.NewView();
  int64_t keys = 0;
  for (int db = 0; db < engine::kDatabases; ++db) keys += types::DatabaseCounts(*view, db).keys;
  uint64_t clients = 0;
  for (const ClientInfo& client : ctx.clients().List(ctx.now_ms())) clients += client.total_memory;
  const std::pair<std::string_view, uint64_t> fields[] = {
      {"peak.allocated", memory.peak_resident_bytes},
      {"total.allocated", memory.allocated_bytes},
      {"clients.normal", clients},
      {"engine.memtables", engine.memtable_bytes},
      {"engine.block-cache", engine.block_cache_bytes},
      {"engine.record-cache", engine.record_cache_bytes},
      {"engine.table-readers", engine.table_reader_bytes},
      {"keys.count", static_cast<uint64_t>(keys)},
      {"allocator.allocated", memory.allocated_bytes},
      {"allocator.active", memory.active_bytes},
      {"allocator.resident", memory.resident_bytes},
  };
  reply.Map(std::size(fields) + 1);
  for (const auto& field : fields) {
    reply.Bulk(field.first);
    reply.Integer(static_cast<int64_t>(field.second));
  }
  reply.Bulk("fragmentation");
  reply.Double(static_cast<double>(memory.resident_bytes) /
               static_cast<double>(std::max<uint64_t>(1, memory.allocated_bytes)));
  return Status::Ok();
}

Status MemoryUsage(ReadContext& ctx, Args args, Writer& reply) {
  int64_t samples = kSampledRows;
  for (size_t i = 3; i < args.size(); i += 2) {
    if (!EqualsIgnoreCase(args[i], "SAMPLES") || i + 1 == args.size()) return Syntax();
    if (!ParseInt64(args[i + 1], &samples)) return Status(Code::kNotInteger);
    if (samples < 0) return Syntax();
  }
  const std::optional<types::Record> record = types::Find(ctx.view(), ctx.db(), args[2]);
  if (!record) {
    reply.Null();
    return Status::Ok();
  }
  reply.Integer(static_cast<int64_t>(
      types::StoredBytes(ctx.view(), args[2], *record, static_cast<uint64_t>(samples))));
  return Status::Ok();
}

Status MemoryHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("MEMORY",
            {"DOCTOR", "    Return memory problems reports.", "MALLOC-STATS",
             "    Return internal statistics report from the memory allocator.", "PURGE",
             "    Attempt to purge dirty pages for reclamation by the allocator.", "STATS",
             "    Return information about the memory usage of the server.",
             "USAGE <key> [SAMPLES <count>]",
             "    Return memory in bytes used by <key> and its value. Nested values are",
             "    sampled up to <count> times (default: 5, 0 means sample all)."},
            reply);
  return Status::Ok();
}

// --- the rest ------------------------------------------------------------------------------------

Status Lolwut(LocalContext&, Args, Writer& reply) {
  // A round of elections, seen from above.
  reply.Verbatim("   o---o\n    \\ /    metaStore " + std::string(kVersion) +
                 "\n     o     Redis ver. " + std::string(kRedisVersion) + "\n");
  return Status::Ok();
}

// --- the tables ----------------------------------------------------------------------------------

constexpr std::string_view kGroup = "server";
constexpr uint32_t kAdminFlags = kAdmin | kNoscript | kAnyTime;
constexpr uint32_t kSaveFlags = kAdmin | kNoscript | kNoAsyncLoading;
constexpr uint32_t kAdminFast = kNoscript | kAnyTime | kFast;

constexpr CommandSpec kConfigSubcommands[] = {
    LocalSpec("get", -3, kAdminFlags, 0, ConfigGet, kGroup, "2.0.0",
              "O(N) when N is the number of configuration parameters provided",
              "Shows options and their values."),
    LocalSpec("help", 2, kAnyTime, 0, ConfigHelp, kGroup, "5.0.0", "O(1)",
              "Lists the subcommands."),
    LocalSpec("resetstat", 2, kAdminFlags, 0, ConfigResetStat, kGroup, "2.0.0", "O(1)",
              "Sets the counters of INFO to 0."),
    LocalSpec("rewrite", 2, kAdminFlags, 0, ConfigRewrite, kGroup, "2.8.0", "O(1)",
              "Writes the options to the configuration file."),
    LocalSpec("set", -4, kAdminFlags, 0, ConfigSet, kGroup, "2.0.0",
              "O(N) when N is the number of configuration parameters provided",
              "Changes options of this node."),
};

constexpr CommandSpec kLatencySubcommands[] = {
    LocalSpec("doctor", 2, kAdminFlags, 0, LatencyDoctor, kGroup, "2.8.13", "O(1)",
              "Says where times are to be found."),
    LocalSpec("graph", 3, kAdminFlags, 0, LatencyGraph, kGroup, "2.8.13", "O(1)",
              "Is an error: no events are recorded."),
    LocalSpec("help", 2, kAnyTime, 0, LatencyHelp, kGroup, "2.8.13", "O(1)",
              "Lists the subcommands."),
    LocalSpec("histogram", -2, kAdminFlags, 0, EmptyMap, kGroup, "7.0.0", "O(1)",
              "Is empty: times are not kept by command."),
    LocalSpec("history", 3, kAdminFlags, 0, EmptyArray, kGroup, "2.8.13", "O(1)",
              "Is empty: no events are recorded."),
    LocalSpec("latest", 2, kAdminFlags, 0, EmptyArray, kGroup, "2.8.13", "O(1)",
              "Is empty: no events are recorded."),
    LocalSpec("reset", -2, kAdminFlags, 0, Zero, kGroup, "2.8.13", "O(1)",
              "Forgets no events: none are recorded."),
};

constexpr uint32_t kSlowlogFlags = kAdmin | kAnyTime;
constexpr CommandSpec kSlowlogSubcommands[] = {
    LocalSpec("get", -2, kSlowlogFlags, 0, SlowlogGet, kGroup, "2.2.12", "O(1)",
              "Is empty: slow commands are not recorded."),
    LocalSpec("help", 2, kAnyTime, 0, SlowlogHelp, kGroup, "6.2.0", "O(1)",
              "Lists the subcommands."),
    LocalSpec("len", 2, kSlowlogFlags, 0, Zero, kGroup, "2.2.12", "O(1)",
              "Is 0: slow commands are not recorded."),
    LocalSpec("reset", 2, kSlowlogFlags, 0, SlowlogReset, kGroup, "2.2.12", "O(1)",
              "Forgets nothing: slow commands are not recorded."),
};

constexpr CommandSpec MemoryUsageSpec() {
  CommandSpec spec;
  spec.name = "usage";
  spec.arity = -3;
  spec.flags = kReadonly;
  spec.keys = {2, 2, 1};
  spec.handler = Handler(MemoryUsage);
  spec.group = kGroup;
  spec.since = "4.0.0";
  spec.complexity = "O(N) in the number of samples.";
  spec.summary = "Estimates the bytes that a key and its value take on disk.";
  spec.key_specs[0] = {{2, 2, 1}, KeyAccess::kRO, 0};
  return spec;
}

constexpr CommandSpec DebugSpec() {
  CommandSpec spec = LocalSpec("debug", -2, kAdminFlags, 0, Debug, kGroup, "1.0.0",
                               "Depends on subcommand.", "Commands for tests.");
  spec.handler.read = DebugRead;
  spec.handler.is_read = IsDebugRead;
  return spec;
}

constexpr CommandSpec kMemorySubcommands[] = {
    LocalSpec("doctor", 2, 0, 0, MemoryDoctor, kGroup, "4.0.0", "O(1)",
              "Says what bounds the memory."),
    LocalSpec("help", 2, kAnyTime, 0, MemoryHelp, kGroup, "4.0.0", "O(1)",
              "Lists the subcommands."),
    LocalSpec("malloc-stats", 2, 0, 0, MemoryMallocStats, kGroup, "4.0.0", "O(1)",
              "Shows the allocator's figures."),
    LocalSpec("purge", 2, 0, 0, MemoryPurge, kGroup, "4.0.0",
              "Depends on how much memory is allocated, could be slow",
              "Gives free memory back to the system."),
    LocalSpec("stats", 2, 0, 0, MemoryStats, kGroup, "4.0.0", "O(1)", "Shows what uses memory."),
    MemoryUsageSpec(),
};

constexpr CommandSpec kModuleSubcommands[] = {
    LocalSpec("list", 2, kAdmin | kNoscript, 0, EmptyArray, kGroup, "4.0.0", "O(1)",
              "Is empty: there are no modules."),
};

constexpr CommandSpec kTable[] = {
    ContainerSpec("config", kGroup, "2.0.0", "Commands about this node's options.",
                  kConfigSubcommands),
    LocalSpec("info", -1, kAnyTime, kAclDangerous, Info, kGroup, "1.0.0", "O(1)",
              "Describes this node."),
    LocalSpec("time", 1, kAnyTime | kFast, 0, Time, kGroup, "2.6.0", "O(1)",
              "Tells this node's time."),
    LocalSpec("monitor", 1, kAdmin | kNoscript | kAnyTime | kAfterReplies, 0, Monitor, kGroup,
              "1.0.0", "O(1) for each command.", "Shows every command that this node takes."),
    LocalSpec("role", 1, kAdminFast, kAclAdmin | kAclDangerous, Role, kGroup, "2.8.12", "O(1)",
              "Tells whether this node leads, and who its peers are."),
    LocalSpec("lastsave", 1, kAnyTime | kFast, kAclAdmin | kAclDangerous, LastSave, kGroup, "1.0.0",
              "O(1)", "Returns the present time: acknowledged writes are on disk."),
    LocalSpec("save", 1, kSaveFlags | kNoMulti, 0, Save, kGroup, "1.0.0", "O(1)",
              "Replies OK: acknowledged writes are on disk."),
    LocalSpec("bgsave", -1, kSaveFlags, 0, BgSave, kGroup, "1.0.0", "O(1)",
              "Does nothing: acknowledged writes are on disk."),
    LocalSpec("bgrewriteaof", 1, kSaveFlags, 0, BgRewriteAof, kGroup, "1.0.0", "O(1)",
              "Does nothing: the log is cut by itself."),
    LocalSpec("shutdown", -1, kAdminFlags | kNoMulti | kAllowBusy, 0, Shutdown, kGroup, "1.0.0",
              "O(1)", "Hands leadership over and stops this node."),
    DebugSpec(),
    ContainerSpec("latency", kGroup, "2.8.13", "Commands about latency events.",
                  kLatencySubcommands),
    ContainerSpec("slowlog", kGroup, "2.2.12", "Commands about slow commands.",
                  kSlowlogSubcommands),
    ContainerSpec("memory", kGroup, "4.0.0", "Commands about memory.", kMemorySubcommands),
    ContainerSpec("module", kGroup, "4.0.0", "Commands about modules.", kModuleSubcommands),
    LocalSpec("lolwut", -1, kReadonly | kFast, 0, Lolwut, kGroup, "5.0.0", "O(1)",
              "Shows the version."),
};

}  // namespace

std::span<const CommandSpec> ServerCommands() { return kTable; }

}  // namespace metastore::server
