// The generic group, and those of the server group that are about the keyspace. Options are
// checked in Redis's order, because a client sees only the first of several mistakes.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/glob.h"
#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/expire_time.h"
#include "commands/notify.h"
#include "commands/scan_options.h"
#include "types/inspect.h"
#include "types/keyspace.h"
#include "types/string.h"

namespace metastore::commands {
namespace {

using types::Header;
using types::Record;
using types::WritableKey;

Status SameObject() { return errors::Custom("ERR source and destination objects are the same"); }
Status DatabaseOutOfRange() { return errors::Custom("ERR DB index is out of range"); }

// A number that fits into an int; other numbers are told from other text.
Result<int> ParseInt(std::string_view text) {
  int64_t value;
  if (!ParseInt64(text, &value)) return Status(Code::kNotInteger);
  if (value < INT32_MIN || value > INT32_MAX) {
    return errors::Custom(
        "ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  return static_cast<int>(value);
}

bool IsDatabase(int number) { return number >= 0 && number < engine::kDatabases; }

Status Del(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t deleted = 0;
  for (std::string_view name : args.subspan(1)) {
    WritableKey key(ctx.txn(), ctx.db(), name);
    if (key.found() == nullptr) continue;
    key.Delete();
    Notify(ctx, engine::kNotifyGeneric, "del", name);
    ++deleted;
  }
  reply.Integer(deleted);
  return Status::Ok();
}

// EXISTS and TOUCH: a key that is named twice counts twice. Nothing is kept about when a key was
// used last, so there is nothing to touch.
Status Exists(ReadContext& ctx, Args args, resp::Writer& reply) {
  reply.Integer(std::count_if(args.begin() + 1, args.end(), [&](std::string_view key) {
    return types::Exists(ctx.view(), ctx.db(), key);
  }));
  return Status::Ok();
}

Status Type(ReadContext& ctx, Args args, resp::Writer& reply) {
  std::optional<Record> record = types::Find(ctx.view(), ctx.db(), args[1]);
  reply.SimpleString(record ? types::TypeName(record->header().type) : "none");
  return Status::Ok();
}

Status RenameUnless(WriteContext& ctx, Args args, bool keep_existing, resp::Writer& reply) {
  if (WritableKey(ctx.txn(), ctx.db(), args[1]).found() == nullptr) {
    return Status(Code::kNoSuchKey);
  }
  bool rename = args[1] != args[2];
  if (keep_existing && WritableKey(ctx.txn(), ctx.db(), args[2]).found() != nullptr) {
    rename = false;
  }
  if (rename) {
    types::Rename(ctx.txn(), ctx.db(), args[1], ctx.db(), args[2]);
    Notify(ctx, engine::kNotifyGeneric, "rename_from", args[1]);
    Notify(ctx, engine::kNotifyGeneric, "rename_to", args[2]);
  }
  keep_existing ? reply.Integer(rename ? 1 : 0) : reply.Ok();
  return Status::Ok();
}

Status Rename(WriteContext& ctx, Args args, resp::Writer& reply) {
  return RenameUnless(ctx, args, false, reply);
}

Status RenameNx(WriteContext& ctx, Args args, resp::Writer& reply) {
  return RenameUnless(ctx, args, true, reply);
}

Status Copy(WriteContext& ctx, Args args, resp::Writer& reply) {
  int to_db = ctx.db();
  bool replace = false;
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "REPLACE")) {
      replace = true;
    } else if (EqualsIgnoreCase(args[i], "DB") && i + 1 < args.size()) {
      Result<int> number = ParseInt(args[++i]);
      if (!number.ok()) return number.status();
      if (!IsDatabase(*number)) return DatabaseOutOfRange();
      to_db = *number;
    } else {
      return Status(Code::kSyntax);
    }
  }
  if (to_db == ctx.db() && args[1] == args[2]) return SameObject();
  bool copy = WritableKey(ctx.txn(), ctx.db(), args[1]).found() != nullptr;
  if (!replace && WritableKey(ctx.txn(), to_db, args[2]).found() != nullptr) copy = false;
  if (copy) {
    types::Copy(ctx.txn(), ctx.db(), args[1], to_db, args[2]);
    ctx.events().Notify(engine::kNotifyGeneric, "copy_to", to_db, args[2]);
  }
  reply.Integer(copy ? 1 : 0);
  return Status::Ok();
}

Status Move(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<int> to_db = ParseInt(args[2]);
  if (!to_db.ok()) return to_db.status();
  if (!IsDatabase(*to_db)) return DatabaseOutOfRange();
  if (*to_db == ctx.db()) return SameObject();
  bool move = WritableKey(ctx.txn(), ctx.db(), args[1]).found() != nullptr &&
              WritableKey(ctx.txn(), *to_db, args[1]).found() == nullptr;
  if (move) {
    types::Rename(ctx.txn(), ctx.db(), args[1], *to_db, args[1]);
    Notify(ctx, engine::kNotifyGeneric, "move_from", args[1]);
    ctx.events().Notify(engine::kNotifyGeneric, "move_to", *to_db, args[1]);
  }
  reply.Integer(move ? 1 : 0);
  return Status::Ok();
}

struct ExpireConditions {
  bool nx = false, xx = false, gt = false, lt = false;

  // A key without a deadline lives forever, which is later than any deadline.
  bool Hold(std::optional<int64_t> current_ms, int64_t deadline_ms) const {
    if (nx && current_ms) return false;
    if (xx && !current_ms) return false;
    if (gt && (!current_ms || deadline_ms <= *current_ms)) return false;
    if (lt && current_ms && deadline_ms >= *current_ms) return false;
    return true;
  }
};

Status ParseExpireConditions(Args args, ExpireConditions* conditions) {
  for (std::string_view option : args.subspan(3)) {
    if (EqualsIgnoreCase(option, "NX")) {
      conditions->nx = true;
    } else if (EqualsIgnoreCase(option, "XX")) {
      conditions->xx = true;
    } else if (EqualsIgnoreCase(option, "GT")) {
      conditions->gt = true;
    } else if (EqualsIgnoreCase(option, "LT")) {
      conditions->lt = true;
    } else {
      return errors::Custom("ERR Unsupported option " + std::string(option));
    }
  }
  if (conditions->nx && (conditions->xx || conditions->gt || conditions->lt)) {
    return errors::Custom("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (conditions->gt && conditions->lt) {
    return errors::Custom("ERR GT and LT options at the same time are not compatible");
  }
  return Status::Ok();
}

Status SetExpiry(WriteContext& ctx, Args args, ExpireUnit unit, std::string_view command,
                 resp::Writer& reply) {
  ExpireConditions conditions;
  RETURN_IF_ERROR(ParseExpireConditions(args, &conditions));
  Result<int64_t> deadline_ms = AnyDeadline(args[2], unit, ctx.now_ms(), command);
  if (!deadline_ms.ok()) return deadline_ms.status();
  WritableKey key(ctx.txn(), ctx.db(), args[1]);
  bool set =
      key.found() != nullptr && conditions.Hold(key.found()->header().deadline_ms, *deadline_ms);
  if (set) {
    key.SetDeadline(*deadline_ms);
    Notify(ctx, engine::kNotifyGeneric, *deadline_ms > ctx.now_ms() ? "expire" : "del", args[1]);
  }
  reply.Integer(set ? 1 : 0);
  return Status::Ok();
}

Status Expire(WriteContext& ctx, Args args, resp::Writer& reply) {
  return SetExpiry(ctx, args, {.seconds = true, .absolute = false}, "expire", reply);
}
Status PExpire(WriteContext& ctx, Args args, resp::Writer& reply) {
  return SetExpiry(ctx, args, {.seconds = false, .absolute = false}, "pexpire", reply);
}
Status ExpireAt(WriteContext& ctx, Args args, resp::Writer& reply) {
  return SetExpiry(ctx, args, {.seconds = true, .absolute = true}, "expireat", reply);
}
Status PExpireAt(WriteContext& ctx, Args args, resp::Writer& reply) {
  return SetExpiry(ctx, args, {.seconds = false, .absolute = true}, "pexpireat", reply);
}

Status Persist(WriteContext& ctx, Args args, resp::Writer& reply) {
  WritableKey key(ctx.txn(), ctx.db(), args[1]);
  bool had_deadline = key.found() != nullptr && key.found()->header().deadline_ms.has_value();
  if (had_deadline) {
    key.SetDeadline(std::nullopt);
    Notify(ctx, engine::kNotifyGeneric, "persist", args[1]);
  }
  reply.Integer(had_deadline ? 1 : 0);
  return Status::Ok();
}

Status ShowExpiry(ReadContext& ctx, Args args, ExpireUnit unit, resp::Writer& reply) {
  std::optional<Record> record = types::Find(ctx.view(), ctx.db(), args[1]);
  if (!record || !record->header().deadline_ms) {
    reply.Integer(record ? -1 : -2);
    return Status::Ok();
  }
  int64_t time = *record->header().deadline_ms;
  if (!unit.absolute) time -= ctx.now_ms();
  // Rounded to the nearest second.
  if (unit.seconds) time = time / 1000 + (time % 1000 >= 500 ? 1 : 0);
  reply.Integer(time);
  return Status::Ok();
}

Status Ttl(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowExpiry(ctx, args, {.seconds = true, .absolute = false}, reply);
}
Status PTtl(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowExpiry(ctx, args, {.seconds = false, .absolute = false}, reply);
}
Status ExpireTime(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowExpiry(ctx, args, {.seconds = true, .absolute = true}, reply);
}
Status PExpireTime(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowExpiry(ctx, args, {.seconds = false, .absolute = true}, reply);
}

Status Keys(ReadContext& ctx, Args args, resp::Writer& reply) {
  const std::string_view pattern = args[1];
  const bool all = pattern == "*";
  WriteCounted(reply, resp::Aggregate::kArray, [&] {
    size_t count = 0;
    types::Scan(ctx.view(), ctx.db(), 0, UINT64_MAX, [&](std::string_view key, const Header&) {
      reply.Step();
      if (!all && !GlobMatch(pattern, key)) return;
      reply.Bulk(key);
      ++count;
    });
    return count;
  });
  return Status::Ok();
}

Status Scan(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> cursor = ParseCursor(args[1]);
  if (!cursor.ok()) return cursor.status();
  Result<ScanOptions> options = ParseScanOptions(args.subspan(2), ScanExtra::kType);
  if (!options.ok()) return options.status();
  std::vector<std::string> keys;
  const uint64_t next = types::Scan(
      ctx.view(), ctx.db(), *cursor, options->count,
      [&](std::string_view key, const Header& header) {
        if (!options->Match(key)) return;
        if (options->type && !EqualsIgnoreCase(*options->type, types::TypeName(header.type))) {
          return;
        }
        keys.emplace_back(key);
      });
  reply.Array(2);
  reply.Bulk(std::to_string(next));
  reply.Array(keys.size());
  for (const std::string& key : keys) reply.Bulk(key);
  return Status::Ok();
}

Status RandomKey(ReadContext& ctx, Args, resp::Writer& reply) {
  std::optional<std::string> key = types::RandomKey(ctx.view(), ctx.db(), ctx.random());
  key ? reply.Bulk(*key) : reply.Null();
  return Status::Ok();
}

Status DbSize(ReadContext& ctx, Args, resp::Writer& reply) {
  reply.Integer(types::DatabaseCounts(ctx.view(), ctx.db()).keys);
  return Status::Ok();
}

// ASYNC and SYNC mean the same here: the flush itself is O(1) and what is left goes in the
// background.
Status CheckFlushOptions(Args args) {
  if (args.size() == 1) return Status::Ok();
  if (args.size() == 2 &&
      (EqualsIgnoreCase(args[1], "ASYNC") || EqualsIgnoreCase(args[1], "SYNC"))) {
    return Status::Ok();
  }
  return Status(Code::kSyntax);
}

Status FlushDb(WriteContext& ctx, Args args, resp::Writer& reply) {
  RETURN_IF_ERROR(CheckFlushOptions(args));
  types::FlushDatabase(ctx.txn(), ctx.db());
  reply.Ok();
  return Status::Ok();
}

Status FlushAll(WriteContext& ctx, Args args, resp::Writer& reply) {
  RETURN_IF_ERROR(CheckFlushOptions(args));
  for (int db = 0; db < engine::kDatabases; ++db) types::FlushDatabase(ctx.txn(), db);
  reply.Ok();
  return Status::Ok();
}

Status SwapDb(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<int> a = ParseInt(args[1]);
  if (!a.ok()) return errors::Custom("ERR invalid first DB index");
  Result<int> b = ParseInt(args[2]);
  if (!b.ok()) return errors::Custom("ERR invalid second DB index");
  if (!IsDatabase(*a) || !IsDatabase(*b)) return DatabaseOutOfRange();
  if (*a != *b) types::SwapDatabases(ctx.txn(), *a, *b);
  reply.Ok();
  return Status::Ok();
}

Status ObjectEncoding(ReadContext& ctx, Args args, resp::Writer& reply) {
  std::optional<Record> record = types::Find(ctx.view(), ctx.db(), args[2]);
  record ? reply.Bulk(types::EncodingName(*record, ctx.encoding_limits())) : reply.Null();
  return Status::Ok();
}

Status ObjectFreq(ReadContext& ctx, Args args, resp::Writer& reply) {
  if (!types::Exists(ctx.view(), ctx.db(), args[2])) {
    reply.Null();
    return Status::Ok();
  }
  return errors::Custom(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
      "that when switching between policies at runtime LRU and LFU data will take some time to "
      "adjust.");
}

// Reads leave no trace, so every key counts as just used.
Status ObjectIdleTime(ReadContext& ctx, Args args, resp::Writer& reply) {
  types::Exists(ctx.view(), ctx.db(), args[2]) ? reply.Integer(0) : reply.Null();
  return Status::Ok();
}

Status ObjectRefCount(ReadContext& ctx, Args args, resp::Writer& reply) {
  std::optional<Record> record = types::Find(ctx.view(), ctx.db(), args[2]);
  if (!record) {
    reply.Null();
  } else if (record->header().type == types::Type::kString) {
    reply.Integer(types::StringReferenceCount(*record));
  } else {
    reply.Integer(1);
  }
  return Status::Ok();
}

Status ObjectHelp(server::LocalContext&, Args, resp::Writer& reply) {
  static constexpr std::string_view kLines[] = {
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
      "HELP",
      "    Prints this help.",
  };
  reply.Array(std::size(kLines));
  for (std::string_view line : kLines) reply.SimpleString(line);
  return Status::Ok();
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeyRange kSecond{2, 2, 1};
constexpr KeyRange kFirstTwo{1, 2, 1};
constexpr KeyRange kAll{1, -1, 1};

constexpr std::string_view kPerKey = "O(N) in the number of keys.";
constexpr std::string_view kFlushComplexity = "O(1); the space is reclaimed in the background.";

constexpr KeySpec kObjectKey{kSecond, KeyAccess::kRO, 0};

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, uint32_t categories,
                          Handler handler, std::string_view group, std::string_view since,
                          std::string_view complexity, std::string_view summary) {
  return {name, arity, flags, categories, {}, handler, group, since, complexity, summary, {}, {}};
}

constexpr CommandSpec KeyRow(std::string_view name, int arity, uint32_t flags, Handler handler,
                             KeySpec keys, std::string_view since, std::string_view complexity,
                             std::string_view summary) {
  return {name,      arity, flags,      kAclKeyspace, keys.range, handler,
          "generic", since, complexity, summary,      {},         {keys, {}}};
}

constexpr CommandSpec TwoKeyRow(std::string_view name, int arity, uint32_t flags, Handler handler,
                                KeySpec source, KeySpec target, std::string_view since,
                                std::string_view complexity, std::string_view summary) {
  return {name,      arity, flags,      kAclKeyspace, kFirstTwo, handler,
          "generic", since, complexity, summary,      {},        {source, target}};
}

constexpr CommandSpec Container(std::string_view name, int arity, std::string_view group,
                                std::string_view since, std::string_view complexity,
                                std::string_view summary,
                                std::span<const CommandSpec> subcommands) {
  return {name, arity, 0, 0, {}, {}, group, since, complexity, summary, subcommands, {}};
}

constexpr CommandSpec kObjectSubcommands[] = {
    KeyRow("encoding", 3, kReadonly, ObjectEncoding, kObjectKey, "2.2.3", "O(1)",
           "Tells how Redis would hold the value in memory."),
    KeyRow("freq", 3, kReadonly, ObjectFreq, kObjectKey, "4.0.0", "O(1)",
           "Is an error: how often a key is used is not counted."),
    Row("help", 2, kLoading | kStale, kAclKeyspace, ObjectHelp, "generic", "6.2.0", "O(1)",
        "Lists the subcommands."),
    KeyRow("idletime", 3, kReadonly, ObjectIdleTime, kObjectKey, "2.2.3", "O(1)",
           "Returns 0: when a key was used last is not kept."),
    KeyRow("refcount", 3, kReadonly, ObjectRefCount, kObjectKey, "2.2.3", "O(1)",
           "Returns the reference count that Redis would show.")};

constexpr CommandSpec kTable[] = {
    KeyRow("del", -2, kWrite, Del, {kAll, KeyAccess::kRM, kKeyDelete}, "1.0.0", kPerKey,
           "Deletes keys, whatever they hold."),
    KeyRow("unlink", -2, kWrite | kFast, Del, {kAll, KeyAccess::kRM, kKeyDelete}, "4.0.0", kPerKey,
           "The same as DEL, which never waits for the size of a value here."),
    KeyRow("exists", -2, kReadonly | kFast, Exists, {kAll, KeyAccess::kRO, 0}, "1.0.0", kPerKey,
           "Counts how many of the keys named exist."),
    KeyRow("touch", -2, kReadonly | kFast, Exists, {kAll, KeyAccess::kRO, 0}, "3.2.1", kPerKey,
           "Counts how many of the keys named exist; no time of access is kept."),
    KeyRow("type", 2, kReadonly | kFast, Type, {kFirst, KeyAccess::kRO, 0}, "1.0.0", "O(1)",
           "Names the type of a key's value."),
    KeyRow("expire", -3, kWrite | kFast, Expire, {kFirst, KeyAccess::kRW, kKeyUpdate}, "1.0.0",
           "O(1)", "Lets a key expire after some seconds."),
    KeyRow("pexpire", -3, kWrite | kFast, PExpire, {kFirst, KeyAccess::kRW, kKeyUpdate}, "2.6.0",
           "O(1)", "Lets a key expire after some milliseconds."),
    KeyRow("expireat", -3, kWrite | kFast, ExpireAt, {kFirst, KeyAccess::kRW, kKeyUpdate}, "1.2.0",
           "O(1)", "Lets a key expire at a Unix time in seconds."),
    KeyRow("pexpireat", -3, kWrite | kFast, PExpireAt, {kFirst, KeyAccess::kRW, kKeyUpdate},
           "2.6.0", "O(1)", "Lets a key expire at a Unix time in milliseconds."),
    KeyRow("ttl", 2, kReadonly | kFast, Ttl, {kFirst, KeyAccess::kRO, kKeyAccess}, "1.0.0", "O(1)",
           "Returns the seconds until a key expires."),
    KeyRow("pttl", 2, kReadonly | kFast, PTtl, {kFirst, KeyAccess::kRO, kKeyAccess}, "2.6.0",
           "O(1)", "Returns the milliseconds until a key expires."),
    KeyRow("expiretime", 2, kReadonly | kFast, ExpireTime, {kFirst, KeyAccess::kRO, kKeyAccess},
           "7.0.0", "O(1)", "Returns the Unix time in seconds at which a key expires."),
    KeyRow("pexpiretime", 2, kReadonly | kFast, PExpireTime, {kFirst, KeyAccess::kRO, kKeyAccess},
           "7.0.0", "O(1)", "Returns the Unix time in milliseconds at which a key expires."),
    KeyRow("persist", 2, kWrite | kFast, Persist, {kFirst, KeyAccess::kRW, kKeyUpdate}, "2.2.0",
           "O(1)", "Lets a key stay that would have expired."),
    TwoKeyRow("rename", 3, kWrite, Rename, {kFirst, KeyAccess::kRW, kKeyAccess | kKeyDelete},
              {kSecond, KeyAccess::kOW, kKeyUpdate}, "1.0.0", "O(1)",
              "Gives a key another name, replacing a key of that name."),
    TwoKeyRow("renamenx", 3, kWrite | kFast, RenameNx,
              {kFirst, KeyAccess::kRW, kKeyAccess | kKeyDelete},
              {kSecond, KeyAccess::kOW, kKeyInsert}, "1.0.0", "O(1)",
              "Gives a key another name unless a key of that name exists."),
    TwoKeyRow("copy", -3, kWrite | kDenyOom, Copy, {kFirst, KeyAccess::kRO, kKeyAccess},
              {kSecond, KeyAccess::kOW, kKeyUpdate}, "6.2.0", "O(N) in the size of the value.",
              "Copies a key with its expiry to another name or database."),
    KeyRow("move", 3, kWrite | kFast, Move, {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate},
           "1.0.0", "O(1)", "Moves a key to another database unless it exists there."),
    Row("keys", 2, kReadonly | kLargeReply, kAclKeyspace | kAclDangerous, Keys, "generic", "1.0.0",
        "O(N) in the number of keys of the database.",
        "Lists the keys that match a pattern, all at once."),
    Row("scan", -2, kReadonly, kAclKeyspace, Scan, "generic", "2.8.0", "O(N) in COUNT for a call.",
        "Lists keys in steps; a cursor is good on every node."),
    Row("randomkey", 1, kReadonly, kAclKeyspace, RandomKey, "generic", "1.0.0", "O(1)",
        "Returns some key."),
    Container("object", -2, "generic", "2.2.3", "Depends on the subcommand.",
              "Looks at how a value is stored.", kObjectSubcommands),
    Row("dbsize", 1, kReadonly | kFast, kAclKeyspace, DbSize, "server", "1.0.0", "O(1)",
        "Returns the number of keys in the database."),
    Row("flushdb", -1, kWrite, kAclKeyspace | kAclDangerous, FlushDb, "server", "1.0.0",
        kFlushComplexity, "Deletes all keys of the database."),
    Row("flushall", -1, kWrite, kAclKeyspace | kAclDangerous, FlushAll, "server", "1.0.0",
        kFlushComplexity, "Deletes all keys of all databases."),
    Row("swapdb", 3, kWrite | kFast, kAclKeyspace | kAclDangerous, SwapDb, "server", "4.0.0",
        "O(1)", "Exchanges two databases.")};

}  // namespace

std::span<const CommandSpec> GenericCommands() { return kTable; }

}  // namespace metastore::commands
