// What the server says of its own commands: COMMAND and its subcommands, and those of ACL that
// have an answer with one user. Everything is read from the CommandSpec tables but the tips, which
// nothing else needs.
#include <openssl/sha.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/glob.h"
#include "base/parse.h"
#include "commands/errors.h"
#include "commands/keys.h"
#include "server/command_table.h"
#include "server/local_context.h"
#include "server/local_spec.h"

namespace metastore::server {
namespace {

using namespace commands;  // NOLINT: the names of flags and categories fill the tables
using resp::Writer;

struct Name {
  uint32_t bit;
  std::string_view name;
};

// In the order in which Redis lists them.
constexpr Name kFlagNames[] = {
    {kWrite, "write"},
    {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},
    {kModule, "module"},
    {kAdmin, "admin"},
    {kPubsub, "pubsub"},
    {kNoscript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kMayReplicate, "may_replicate"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

constexpr Name kCategoryNames[] = {
    {kAclKeyspace, "keyspace"},
    {kAclRead, "read"},
    {kAclWrite, "write"},
    {kAclSet, "set"},
    {kAclSortedSet, "sortedset"},
    {kAclList, "list"},
    {kAclHash, "hash"},
    {kAclString, "string"},
    {kAclBitmap, "bitmap"},
    {kAclHyperloglog, "hyperloglog"},
    {kAclGeo, "geo"},
    {kAclStream, "stream"},
    {kAclPubsub, "pubsub"},
    {kAclAdmin, "admin"},
    {kAclFast, "fast"},
    {kAclSlow, "slow"},
    {kAclBlocking, "blocking"},
    {kAclDangerous, "dangerous"},
    {kAclConnection, "connection"},
    {kAclTransaction, "transaction"},
    {kAclScripting, "scripting"},
};

constexpr Name kEffectNames[] = {
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyVariableFlags, "variable_flags"},
    {kKeyNotKey, "not_key"},
};

// What a proxy or a client of a cluster may assume, in Redis's words, separated by spaces.
struct Tips {
  std::string_view command;
  std::string_view words;
};
constexpr Tips kTips[] = {
    {"client|info", "nondeterministic_output"},
    {"client|list", "nondeterministic_output"},
    {"cluster|count-failure-reports", "nondeterministic_output"},
    {"cluster|getkeysinslot", "nondeterministic_output"},
    {"cluster|info", "nondeterministic_output"},
    {"cluster|links", "nondeterministic_output"},
    {"cluster|nodes", "nondeterministic_output"},
    {"cluster|replicas", "nondeterministic_output"},
    {"cluster|shards", "nondeterministic_output"},
    {"cluster|slaves", "nondeterministic_output"},
    {"cluster|slots", "nondeterministic_output"},
    {"command", "nondeterministic_output_order"},
    {"command|docs", "nondeterministic_output_order"},
    {"command|info", "nondeterministic_output_order"},
    {"command|list", "nondeterministic_output_order"},
    {"config|set", "request_policy:all_nodes response_policy:all_succeeded"},
    {"dbsize", "request_policy:all_shards response_policy:agg_sum"},
    {"del", "request_policy:multi_shard response_policy:agg_sum"},
    {"dump", "nondeterministic_output"},
    {"exists", "request_policy:multi_shard response_policy:agg_sum"},
    {"flushall", "request_policy:all_shards response_policy:all_succeeded"},
    {"flushdb", "request_policy:all_shards response_policy:all_succeeded"},
    {"hgetall", "nondeterministic_output_order"},
    {"hkeys", "nondeterministic_output_order"},
    {"hpttl", "nondeterministic_output"},
    {"hrandfield", "nondeterministic_output"},
    {"hscan", "nondeterministic_output"},
    {"httl", "nondeterministic_output"},
    {"hvals", "nondeterministic_output_order"},
    {"info", "nondeterministic_output request_policy:all_shards response_policy:special"},
    {"keys", "request_policy:all_shards nondeterministic_output_order"},
    {"lastsave", "nondeterministic_output"},
    {"latency|doctor", "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {"latency|graph", "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {"latency|histogram",
     "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {"latency|history", "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {"latency|latest", "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {"latency|reset", "request_policy:all_nodes response_policy:all_succeeded"},
    {"memory|doctor", "nondeterministic_output request_policy:all_shards response_policy:special"},
    {"memory|malloc-stats",
     "nondeterministic_output request_policy:all_shards response_policy:special"},
    {"memory|purge", "request_policy:all_shards response_policy:all_succeeded"},
    {"memory|stats", "nondeterministic_output request_policy:all_shards response_policy:special"},
    {"mget", "request_policy:multi_shard"},
    {"module|list", "nondeterministic_output_order"},
    {"mset", "request_policy:multi_shard response_policy:all_succeeded"},
    {"msetnx", "request_policy:multi_shard response_policy:agg_min"},
    {"object|encoding", "nondeterministic_output"},
    {"object|freq", "nondeterministic_output"},
    {"object|idletime", "nondeterministic_output"},
    {"object|refcount", "nondeterministic_output"},
    {"ping", "request_policy:all_shards response_policy:all_succeeded"},
    {"pttl", "nondeterministic_output"},
    {"randomkey", "request_policy:all_shards nondeterministic_output"},
    {"scan", "nondeterministic_output request_policy:special"},
    {"sdiff", "nondeterministic_output_order"},
    {"sinter", "nondeterministic_output_order"},
    {"slowlog|get", "request_policy:all_nodes nondeterministic_output"},
    {"slowlog|len", "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"},
    {"slowlog|reset", "request_policy:all_nodes response_policy:all_succeeded"},
    {"smembers", "nondeterministic_output_order"},
    {"spop", "nondeterministic_output"},
    {"srandmember", "nondeterministic_output"},
    {"sscan", "nondeterministic_output"},
    {"sunion", "nondeterministic_output_order"},
    {"time", "nondeterministic_output"},
    {"touch", "request_policy:multi_shard response_policy:agg_sum"},
    {"ttl", "nondeterministic_output"},
    {"unlink", "request_policy:multi_shard response_policy:agg_sum"},
    {"wait", "request_policy:all_shards response_policy:agg_min"},
    {"xadd", "nondeterministic_output"},
    {"xautoclaim", "nondeterministic_output"},
    {"xclaim", "nondeterministic_output"},
    {"xinfo|consumers", "nondeterministic_output"},
    {"xpending", "nondeterministic_output"},
    {"xtrim", "nondeterministic_output"},
    {"zrandmember", "nondeterministic_output"},
    {"zscan", "nondeterministic_output"},
};

std::vector<std::string_view> TipsOf(std::string_view full_name) {
  std::vector<std::string_view> tips;
  for (const Tips& entry : kTips) {
    if (entry.command != full_name) continue;
    for (std::string_view rest = entry.words; !rest.empty();) {
      size_t end = std::min(rest.find(' '), rest.size());
      tips.push_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return tips;
}

// Those that the table names and those that follow from the flags, as in Redis.
uint32_t CategoriesOf(const CommandSpec& spec) {
  uint32_t categories = spec.categories;
  if (spec.flags & kWrite) categories |= kAclWrite;
  if ((spec.flags & kReadonly) && !(categories & kAclScripting)) categories |= kAclRead;
  if (spec.flags & kAdmin) categories |= kAclAdmin | kAclDangerous;
  if (spec.flags & kPubsub) categories |= kAclPubsub;
  if (spec.flags & kFast) categories |= kAclFast;
  if (spec.flags & kBlocking) categories |= kAclBlocking;
  if (!(categories & kAclFast)) categories |= kAclSlow;
  return categories;
}

uint32_t CategoryByName(std::string_view name) {
  for (const Name& category : kCategoryNames) {
    if (EqualsIgnoreCase(category.name, name)) return category.bit;
  }
  return 0;
}

// Pre-order: a container stands before its subcommands.
template <class Visit>
void ForEachCommand(const CommandTable& table, const Visit& visit) {
  for (const auto& command : table.commands()) {
    visit(*command);
    for (const auto& subcommand : command->subcommands) visit(*subcommand);
  }
}

// "get", "client|list"; nullptr when there is none.
const Command* FindByFullName(const CommandTable& table, std::string_view name) {
  size_t bar = name.find('|');
  const Command* command = table.Find(name.substr(0, bar));
  if (command == nullptr || bar == name.npos) return command;
  return command->FindSubcommand(name.substr(bar + 1));
}

// --- COMMAND and COMMAND INFO ------------------------------------------------------------------

std::string_view AccessName(KeyAccess access) {
  switch (access) {
    case KeyAccess::kNone:
      break;
    case KeyAccess::kRO:
      return "RO";
    case KeyAccess::kRW:
      return "RW";
    case KeyAccess::kOW:
      return "OW";
    case KeyAccess::kRM:
      return "RM";
  }
  CheckFailed(__FILE__, __LINE__, "a key specification without access");
}

void WriteKeyFlags(KeyAccess access, uint8_t effects, Writer& reply) {
  const bool is_key = (effects & kKeyNotKey) == 0;
  size_t count = is_key ? 1 : 0;
  for (const Name& effect : kEffectNames) count += (effects & effect.bit) != 0;
  reply.Set(count);
  if (is_key) reply.SimpleString(AccessName(access));
  for (const Name& effect : kEffectNames) {
    if (effects & effect.bit) reply.SimpleString(effect.name);
  }
}

// A map of a type's name and its numbers; `fields` of them follow.
void BeginTyped(std::string_view type, size_t fields, Writer& reply) {
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk(type);
  reply.Bulk("spec");
  reply.Map(fields);
}

void WriteField(std::string_view name, int value, Writer& reply) {
  reply.Bulk(name);
  reply.Integer(value);
}

void WriteBeginSearch(const KeySpec& spec, Writer& reply) {
  switch (spec.search) {
    case KeySearch::kIndex:
      BeginTyped("index", 1, reply);
      WriteField("index", spec.range.first, reply);
      return;
    case KeySearch::kKeyword:
      BeginTyped("keyword", 2, reply);
      reply.Bulk("keyword");
      reply.Bulk(spec.keyword);
      WriteField("startfrom", spec.range.first, reply);
      return;
    case KeySearch::kUnknown:
      BeginTyped("unknown", 0, reply);
      return;
  }
}

void WriteFindKeys(const KeySpec& spec, Writer& reply) {
  if (spec.search == KeySearch::kUnknown) {
    BeginTyped("unknown", 0, reply);
    return;
  }
  if (spec.counted) {
    BeginTyped("keynum", 3, reply);
    WriteField("keynumidx", 0, reply);
    WriteField("firstkey", 1, reply);
    WriteField("keystep", spec.range.step, reply);
    return;
  }
  // Counted from the first key, unless it is counted from the end.
  const bool absolute = spec.search == KeySearch::kIndex && spec.range.last >= 0;
  BeginTyped("range", 3, reply);
  WriteField("lastkey", absolute ? spec.range.last - spec.range.first : spec.range.last, reply);
  WriteField("keystep", spec.range.step, reply);
  WriteField("limit", spec.limit, reply);
}

void WriteKeySpec(const KeySpec& spec, Writer& reply) {
  reply.Map(spec.notes.empty() ? 3 : 4);
  if (!spec.notes.empty()) {
    reply.Bulk("notes");
    reply.Bulk(spec.notes);
  }
  reply.Bulk("flags");
  WriteKeyFlags(spec.access, spec.effects, reply);
  reply.Bulk("begin_search");
  WriteBeginSearch(spec, reply);
  reply.Bulk("find_keys");
  WriteFindKeys(spec, reply);
}

void WriteInfo(const Command& command, Writer& reply) {
  const CommandSpec& spec = *command.spec;
  reply.Array(10);
  reply.Bulk(command.full_name);
  reply.Integer(spec.arity);

  size_t flags = 0;
  for (const Name& flag : kFlagNames) flags += (spec.flags & flag.bit) != 0;
  reply.Set(flags);
  for (const Name& flag : kFlagNames) {
    if (spec.flags & flag.bit) reply.SimpleString(flag.name);
  }
  reply.Integer(spec.keys.first);
  reply.Integer(spec.keys.last);
  reply.Integer(spec.keys.step);

  const uint32_t categories = CategoriesOf(spec);
  reply.Set(static_cast<size_t>(__builtin_popcount(categories)));
  for (const Name& category : kCategoryNames) {
    if (categories & category.bit) reply.SimpleString("@" + std::string(category.name));
  }
  std::vector<std::string_view> tips = TipsOf(command.full_name);
  reply.Set(tips.size());
  for (std::string_view tip : tips) reply.Bulk(tip);
  std::vector<KeySpec> key_specs = KeySpecsOf(spec);
  reply.Set(key_specs.size());
  for (const KeySpec& key_spec : key_specs) WriteKeySpec(key_spec, reply);

  if (command.subcommands.empty()) {
    reply.Set(0);
    return;
  }
  reply.Array(command.subcommands.size());
  for (const auto& subcommand : command.subcommands) WriteInfo(*subcommand, reply);
}

Status CommandAll(LocalContext& ctx, Args, Writer& reply) {
  reply.Array(ctx.commands().commands().size());
  for (const auto& command : ctx.commands().commands()) WriteInfo(*command, reply);
  return Status::Ok();
}

Status CommandInfo(LocalContext& ctx, Args args, Writer& reply) {
  if (args.size() == 2) return CommandAll(ctx, args, reply);
  reply.Array(args.size() - 2);
  for (std::string_view name : args.subspan(2)) {
    const Command* command = FindByFullName(ctx.commands(), name);
    if (command == nullptr) {
      reply.Null();
    } else {
      WriteInfo(*command, reply);
    }
  }
  return Status::Ok();
}

Status CommandCount(LocalContext& ctx, Args, Writer& reply) {
  reply.Integer(static_cast<int64_t>(ctx.commands().commands().size()));
  return Status::Ok();
}

// --- COMMAND DOCS ------------------------------------------------------------------------------

void WriteDocs(const Command& command, Writer& reply) {
  const CommandSpec& spec = *command.spec;
  reply.Bulk(command.full_name);
  reply.Map(command.subcommands.empty() ? 4 : 5);
  reply.Bulk("summary");
  reply.Bulk(spec.summary);
  reply.Bulk("since");
  reply.Bulk(spec.since);
  reply.Bulk("group");
  reply.Bulk(spec.group);
  reply.Bulk("complexity");
  reply.Bulk(spec.complexity);
  if (command.subcommands.empty()) return;
  reply.Bulk("subcommands");
  reply.Map(command.subcommands.size());
  for (const auto& subcommand : command.subcommands) WriteDocs(*subcommand, reply);
}

Status CommandDocs(LocalContext& ctx, Args args, Writer& reply) {
  std::vector<const Command*> wanted;
  if (args.size() == 2) {
    for (const auto& command : ctx.commands().commands()) wanted.push_back(command.get());
  }
  // Names that there are not are left out.
  for (std::string_view name : args.subspan(2)) {
    const Command* command = FindByFullName(ctx.commands(), name);
    if (command != nullptr) wanted.push_back(command);
  }
  reply.Map(wanted.size());
  for (const Command* command : wanted) WriteDocs(*command, reply);
  return Status::Ok();
}

// --- COMMAND LIST, GETKEYS ---------------------------------------------------------------------

void WriteNames(const std::vector<std::string_view>& names, Writer& reply) {
  reply.Array(names.size());
  for (std::string_view name : names) reply.Bulk(name);
}

Status CommandList(LocalContext& ctx, Args args, Writer& reply) {
  enum class Filter { kNone, kModule, kCategory, kPattern } filter = Filter::kNone;
  if (args.size() == 5 && EqualsIgnoreCase(args[2], "FILTERBY")) {
    if (EqualsIgnoreCase(args[3], "MODULE")) filter = Filter::kModule;
    if (EqualsIgnoreCase(args[3], "ACLCAT")) filter = Filter::kCategory;
    if (EqualsIgnoreCase(args[3], "PATTERN")) filter = Filter::kPattern;
  }
  if (args.size() != 2 && filter == Filter::kNone) return Status(Code::kSyntax);
  const uint32_t category = filter == Filter::kCategory ? CategoryByName(args[4]) : 0;
  std::vector<std::string_view> names;
  ForEachCommand(ctx.commands(), [&](const Command& command) {
    bool listed = filter == Filter::kNone;
    if (filter == Filter::kCategory) listed = (CategoriesOf(*command.spec) & category) != 0;
    if (filter == Filter::kPattern) {
      listed = GlobMatch(args[4], command.full_name, /*ignore_case=*/true);
    }
    if (listed) names.push_back(command.full_name);
  });
  WriteNames(names, reply);
  return Status::Ok();
}

// The keys of the command that stands behind the first two arguments.
Result<std::vector<KeyUse>> KeysOf(LocalContext& ctx, Args inner) {
  const Command* command = ctx.commands().Find(inner[0]);
  if (command != nullptr && !command->subcommands.empty() && inner.size() > 1) {
    command = command->FindSubcommand(inner[1]);
  }
  if (command == nullptr) return errors::Custom("ERR Invalid command specified");
  return CommandGetKeys(*command->spec, inner);
}

Status CommandGetKeysCommand(LocalContext& ctx, Args args, Writer& reply) {
  Args inner = args.subspan(2);
  Result<std::vector<KeyUse>> keys = KeysOf(ctx, inner);
  if (!keys.ok()) return keys.status();
  reply.Array(keys->size());
  for (const KeyUse& key : *keys) reply.Bulk(inner[key.position]);
  return Status::Ok();
}

Status CommandGetKeysAndFlags(LocalContext& ctx, Args args, Writer& reply) {
  Args inner = args.subspan(2);
  Result<std::vector<KeyUse>> keys = KeysOf(ctx, inner);
  if (!keys.ok()) return keys.status();
  reply.Array(keys->size());
  for (const KeyUse& key : *keys) {
    reply.Array(2);
    reply.Bulk(inner[key.position]);
    WriteKeyFlags(key.access, key.effects, reply);
  }
  return Status::Ok();
}

Status CommandHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("COMMAND",
            {"(no subcommand)", "    Return details about all Redis commands.", "COUNT",
             "    Return the total number of commands in this Redis server.", "LIST",
             "    Return a list of all commands in this Redis server.", "INFO [<command-name> ...]",
             "    Return details about multiple Redis commands.",
             "    If no command names are given, documentation details for all",
             "    commands are returned.", "DOCS [<command-name> ...]",
             "    Return documentation details about multiple Redis commands.",
             "    If no command names are given, documentation details for all",
             "    commands are returned.", "GETKEYS <full-command>",
             "    Return the keys from a full Redis command.", "GETKEYSANDFLAGS <full-command>",
             "    Return the keys and the access flags from a full Redis command."},
            reply);
  return Status::Ok();
}

// --- ACL -----------------------------------------------------------------------------------------

constexpr std::string_view kDefaultUser = "default";

// The password as Redis shows it, never in clear: SHA-256 in hex. "": none is needed.
std::string PasswordHash(LocalContext& ctx) {
  std::string password = ctx.server().limits().requirepass;
  if (password.empty()) return "";
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(password.data()), password.size(), digest);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

Status AclWhoAmI(LocalContext& ctx, Args, Writer& reply) {
  reply.Bulk(ctx.session().user);
  return Status::Ok();
}

Status AclUsers(LocalContext&, Args, Writer& reply) {
  reply.Array(1);
  reply.Bulk(kDefaultUser);
  return Status::Ok();
}

Status AclList(LocalContext& ctx, Args, Writer& reply) {
  std::string hash = PasswordHash(ctx);
  reply.Array(1);
  reply.Bulk("user default on " + (hash.empty() ? "nopass" : "#" + hash) + " ~* &* +@all");
  return Status::Ok();
}

Status AclGetUser(LocalContext& ctx, Args args, Writer& reply) {
  if (args[2] != kDefaultUser) {
    reply.Null();
    return Status::Ok();
  }
  std::string hash = PasswordHash(ctx);
  reply.Map(6);
  reply.Bulk("flags");
  reply.Set(hash.empty() ? 2 : 1);
  reply.Bulk("on");
  if (hash.empty()) reply.Bulk("nopass");
  reply.Bulk("passwords");
  reply.Array(hash.empty() ? 0 : 1);
  if (!hash.empty()) reply.Bulk(hash);
  reply.Bulk("commands");
  reply.Bulk("+@all");
  reply.Bulk("keys");
  reply.Bulk("~*");
  reply.Bulk("channels");
  reply.Bulk("&*");
  reply.Bulk("selectors");
  reply.Array(0);
  return Status::Ok();
}

Status AclCat(LocalContext& ctx, Args args, Writer& reply) {
  if (args.size() > 3) return errors::WrongArity("acl|cat");
  std::vector<std::string_view> names;
  if (args.size() == 2) {
    for (const Name& category : kCategoryNames) names.push_back(category.name);
  } else {
    uint32_t wanted = CategoryByName(args[2]);
    if (wanted == 0) {
      return errors::Custom("ERR Unknown category '" + std::string(args[2]) + "'");
    }
    ForEachCommand(ctx.commands(), [&names, wanted](const Command& command) {
      if (CategoriesOf(*command.spec) & wanted) names.push_back(command.full_name);
    });
  }
  WriteNames(names, reply);
  return Status::Ok();
}

Status AclGenPass(LocalContext&, Args args, Writer& reply) {
  constexpr int64_t kMaxBits = 4096;
  int64_t bits = 256;
  if (args.size() > 3) return errors::WrongArity("acl|genpass");
  if (args.size() == 3) {
    if (!ParseInt64(args[2], &bits)) return Status(Code::kNotInteger);
    if (bits <= 0 || bits > kMaxBits) {
      return errors::Custom(
          "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
          "number up to 4096");
    }
  }
  std::random_device device;
  std::string password;
  for (int64_t digits = (bits + 3) / 4; digits > 0; --digits) {
    password += "0123456789abcdef"[device() & 15];
  }
  reply.Bulk(password);
  return Status::Ok();
}

// The default user may do everything, so only commands that cannot be are refused.
Status AclDryRun(LocalContext& ctx, Args args, Writer& reply) {
  if (args[2] != kDefaultUser) {
    return errors::Custom("ERR User '" + std::string(args[2]) + "' not found");
  }
  Args inner = args.subspan(3);
  const Command* command = ctx.commands().Find(inner[0]);
  if (command != nullptr && !command->subcommands.empty() && inner.size() > 1) {
    command = command->FindSubcommand(inner[1]);
  }
  if (command == nullptr) {
    return errors::Custom("ERR Command '" + std::string(inner[0]) + "' not found");
  }
  if (!ArityFits(*command->spec, inner)) return errors::WrongArity(command->full_name);
  reply.Ok();
  return Status::Ok();
}

Status AclHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("ACL",
            {"CAT [<category>]",
             "    List all commands that belong to <category>, or all command categories",
             "    when no category is specified.", "DRYRUN <username> <command> [<arg> ...]",
             "    Returns whether the user can execute the given command without executing the "
             "command.",
             "GETUSER <username>", "    Get the user's details.", "GENPASS [<bits>]",
             "    Generate a secure 256-bit user password. The optional `bits` argument can",
             "    be used to specify a different size.", "LIST",
             "    Show users details in config file format.", "USERS",
             "    List all the registered usernames.", "WHOAMI",
             "    Return the current connection username."},
            reply);
  return Status::Ok();
}

// --- the tables ----------------------------------------------------------------------------------

constexpr std::string_view kAllComplexity = "O(N) where N is the total number of Redis commands";
constexpr std::string_view kLookUpComplexity = "O(N) where N is the number of commands to look up";
constexpr std::string_view kArgsComplexity =
    "O(N) where N is the number of arguments to the command";

constexpr CommandSpec kCommandSubcommands[] = {
    LocalSpec("count", 2, kAnyTime, kAclConnection, CommandCount, "server", "2.8.13", "O(1)",
              "Counts the commands."),
    LocalSpec("docs", -2, kAnyTime, kAclConnection, CommandDocs, "server", "7.0.0",
              kLookUpComplexity, "Describes commands for people."),
    LocalSpec("getkeys", -4, kAnyTime, kAclConnection, CommandGetKeysCommand, "server", "2.8.13",
              kArgsComplexity, "Tells which arguments of a command are keys."),
    LocalSpec("getkeysandflags", -4, kAnyTime, kAclConnection, CommandGetKeysAndFlags, "server",
              "7.0.0", kArgsComplexity,
              "Tells which arguments of a command are keys and what it does with them."),
    LocalSpec("help", 2, kAnyTime, kAclConnection, CommandHelp, "server", "5.0.0", "O(1)",
              "Lists the subcommands."),
    LocalSpec("info", -2, kAnyTime, kAclConnection, CommandInfo, "server", "2.8.13",
              kLookUpComplexity, "Describes commands for clients."),
    LocalSpec("list", -2, kAnyTime, kAclConnection, CommandList, "server", "7.0.0", kAllComplexity,
              "Lists the names of commands."),
};

constexpr CommandSpec WithSubcommands(CommandSpec spec, std::span<const CommandSpec> subcommands) {
  spec.subcommands = subcommands;
  return spec;
}

constexpr std::string_view kPerUser = "O(N). Where N is the number of configured users.";
constexpr uint32_t kAclOwn = kNoscript | kAnyTime;
constexpr uint32_t kAclOthers = kAclOwn | kAdmin;

constexpr CommandSpec kAclSubcommands[] = {
    LocalSpec("cat", -2, kAclOwn, 0, AclCat, "server", "6.0.0",
              "O(1) since the categories and commands are a fixed set.",
              "Lists the categories of commands, or the commands of one."),
    LocalSpec("dryrun", -4, kAclOthers, 0, AclDryRun, "server", "7.0.0", "O(1).",
              "Tells whether a user may run a command, without running it."),
    LocalSpec("genpass", -2, kAclOwn, 0, AclGenPass, "server", "6.0.0", "O(1)",
              "Makes a random password."),
    LocalSpec("getuser", 3, kAclOthers, 0, AclGetUser, "server", "6.0.0", "O(1)",
              "Shows the rules of a user."),
    LocalSpec("help", 2, kAnyTime, 0, AclHelp, "server", "6.0.0", "O(1)", "Lists the subcommands."),
    LocalSpec("list", 2, kAclOthers, 0, AclList, "server", "6.0.0", kPerUser,
              "Shows the rules of all users."),
    LocalSpec("users", 2, kAclOthers, 0, AclUsers, "server", "6.0.0", kPerUser, "Lists the users."),
    LocalSpec("whoami", 2, kAclOwn, 0, AclWhoAmI, "server", "6.0.0", "O(1)",
              "Names the user of the connection."),
};

constexpr CommandSpec kTable[] = {
    WithSubcommands(LocalSpec("command", -1, kAnyTime, kAclConnection, CommandAll, "server",
                              "2.8.13", kAllComplexity, "Describes all commands for clients."),
                    kCommandSubcommands),
    ContainerSpec("acl", "server", "6.0.0", "Commands about users and what they may do.",
                  kAclSubcommands),
};

}  // namespace

std::span<const CommandSpec> CommandCommands() { return kTable; }

}  // namespace metastore::server
