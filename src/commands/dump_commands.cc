// DUMP and RESTORE: values in Redis's serialized form.
#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "types/keyspace.h"
#include "types/rdb.h"

namespace metastore::commands {
namespace {

Status Error(std::string_view line) { return errors::Custom(line); }

Status Dump(ReadContext& ctx, Args args, resp::Writer& reply) {
  const std::optional<types::Record> record = types::Find(ctx.view(), ctx.db(), args[1]);
  if (!record) {
    reply.Null();
    return Status::Ok();
  }
  Result<std::string> payload =
      types::DumpValue(ctx.view(), ctx.db(), args[1], *record, ctx.encoding_limits());
  if (!payload.ok()) return Error("ERR the value is too large to be dumped: more than 512 MB");
  reply.Bulk(*payload);
  return Status::Ok();
}

struct RestoreOptions {
  bool replace = false;
  bool absolute = false;
};

// How recently and how often a key was used is not kept, but what is no such number is refused.
Status ParseRestoreOptions(Args args, RestoreOptions* options) {
  bool idle_given = false, frequency_given = false;
  for (size_t i = 4; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    int64_t number;
    if (EqualsIgnoreCase(args[i], "REPLACE")) {
      options->replace = true;
    } else if (EqualsIgnoreCase(args[i], "ABSTTL")) {
      options->absolute = true;
    } else if (EqualsIgnoreCase(args[i], "IDLETIME") && has_value && !frequency_given) {
      if (!ParseInt64(args[++i], &number)) return Status(Code::kNotInteger);
      if (number < 0) return Error("ERR Invalid IDLETIME value, must be >= 0");
      idle_given = true;
    } else if (EqualsIgnoreCase(args[i], "FREQ") && has_value && !idle_given) {
      if (!ParseInt64(args[++i], &number)) return Status(Code::kNotInteger);
      if (number < 0 || number > 255) {
        return Error("ERR Invalid FREQ value, must be >= 0 and <= 255");
      }
      frequency_given = true;
    } else {
      return Status(Code::kSyntax);
    }
  }
  return Status::Ok();
}

Status Restore(WriteContext& ctx, Args args, resp::Writer& reply) {
  RestoreOptions options;
  RETURN_IF_ERROR(ParseRestoreOptions(args, &options));
  const std::string_view key = args[1];
  if (!options.replace && types::Exists(ctx.txn(), ctx.db(), key)) {
    return Error("BUSYKEY Target key name already exists.");
  }
  int64_t ttl;
  if (!ParseInt64(args[2], &ttl)) return Status(Code::kNotInteger);
  if (ttl < 0) return Error("ERR Invalid TTL value, must be >= 0");
  if (!types::HasValidFooter(args[3])) {
    return Error("ERR DUMP payload version or checksum are wrong");
  }
  Result<types::DumpedValue> value = types::DumpedValue::Parse(args[3]);
  if (value.code() == Code::kStringTooLong) {
    return Error("ERR the value is too large to be restored: more than 1 GB with its elements");
  }
  if (!value.ok()) return Error("ERR Bad data format");

  std::optional<int64_t> deadline_ms;
  if (ttl != 0) {
    // One beyond the end of time is negative, as in Redis, and has passed.
    const auto start = static_cast<uint64_t>(options.absolute ? 0 : ctx.now_ms());
    deadline_ms = static_cast<int64_t>(start + static_cast<uint64_t>(ttl));
  }
  if (deadline_ms && *deadline_ms <= ctx.now_ms()) {
    types::WritableKey old(ctx.txn(), ctx.db(), key);
    const bool existed = old.found() != nullptr;
    old.Delete();
    if (existed) Notify(ctx, engine::kNotifyGeneric, "del", key);
  } else {
    value->Store(ctx.txn(), ctx.db(), key, deadline_ms);
    Notify(ctx, engine::kNotifyGeneric, "restore", key);
  }
  reply.Ok();
  return Status::Ok();
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeySpec kReads{kFirst, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kStores{kFirst, KeyAccess::kOW, kKeyUpdate};

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, uint32_t categories,
                          Handler handler, KeySpec key, std::string_view since,
                          std::string_view complexity, std::string_view summary) {
  CommandSpec spec;
  spec.name = name;
  spec.arity = arity;
  spec.flags = flags;
  spec.categories = categories;
  spec.keys = key.range;
  spec.handler = handler;
  spec.group = "generic";
  spec.since = since;
  spec.complexity = complexity;
  spec.summary = summary;
  spec.key_specs[0] = key;
  return spec;
}

constexpr std::string_view kRestoreComplexity = "O(N) in the size of the value.";

constexpr CommandSpec kTable[] = {
    Row("dump", 2, kReadonly, kAclKeyspace, Dump, kReads, "2.6.0", "O(N) in the size of the value.",
        "Returns a value in Redis's serialized form."),
    Row("restore", -4, kWrite | kDenyOom, kAclKeyspace | kAclDangerous, Restore, kStores, "2.6.0",
        kRestoreComplexity, "Stores a value from its serialized form."),
    Row("restore-asking", -4, kWrite | kDenyOom | kAsking, kAclKeyspace | kAclDangerous, Restore,
        kStores, "3.0.0", kRestoreComplexity,
        "Stores a value from its serialized form, as tools for Redis Cluster do."),
};

}  // namespace

std::span<const CommandSpec> DumpCommands() { return kTable; }

}  // namespace metastore::commands
