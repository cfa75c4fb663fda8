// The hash group. Arguments and the key are looked at in Redis's order, because a client sees only
// the first of several mistakes.
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/expire_time.h"
#include "commands/notify.h"
#include "commands/scan_options.h"
#include "types/hash.h"

namespace metastore::commands {
namespace {

using types::FieldExpiryCondition;
using types::Hash;
using types::WritableHash;

// A reply that may be much larger than what is stored ends here, and is an error.
constexpr uint64_t kMaxReplyBytes = kMaxStringBytes;

// Redis's HFE_MAX_ABS_TIME_MSEC.
constexpr int64_t kMaxFieldDeadlineMs = (int64_t{1} << 46) - 1;

// The hash, nothing where the key is absent, or the error.
Result<std::optional<Hash>> Find(ReadContext& ctx, std::string_view key) {
  Result<Hash> found = Hash::Find(ctx.view(), ctx.db(), key);
  if (found.ok()) return std::optional<Hash>(std::move(*found));
  if (found.code() == Code::kNotFound) return std::optional<Hash>();
  return found.status();
}

Status SetFields(WriteContext& ctx, Args args, std::string_view command, int64_t* added) {
  if (args.size() % 2 != 0) return errors::WrongArity(command);
  Result<WritableHash> hash = WritableHash::Open(ctx.txn(), ctx.db(), args[1]);
  if (!hash.ok()) return hash.status();
  for (size_t i = 2; i < args.size(); i += 2) *added += hash->Set(args[i], args[i + 1]) ? 1 : 0;
  hash->Save();
  Notify(ctx, engine::kNotifyHash, "hset", args[1]);
  return Status::Ok();
}

Status HSet(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t added = 0;
  RETURN_IF_ERROR(SetFields(ctx, args, "hset", &added));
  reply.Integer(added);
  return Status::Ok();
}

Status HMSet(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t added = 0;
  RETURN_IF_ERROR(SetFields(ctx, args, "hmset", &added));
  reply.Ok();
  return Status::Ok();
}

Status HSetNx(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableHash> hash = WritableHash::Open(ctx.txn(), ctx.db(), args[1]);
  if (!hash.ok()) return hash.status();
  std::string old;
  const bool set = !hash->Get(args[2], &old);
  if (set) {
    hash->Set(args[2], args[3]);
    hash->Save();
    Notify(ctx, engine::kNotifyHash, "hset", args[1]);
  }
  reply.Integer(set ? 1 : 0);
  return Status::Ok();
}

Status HGet(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  std::string value;
  if (*hash && (*hash)->Get(args[2], &value)) {
    reply.Bulk(value);
  } else {
    reply.Null();
  }
  return Status::Ok();
}

Status HMGet(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  reply.Array(args.size() - 2);
  std::string value;
  for (std::string_view field : args.subspan(2)) {
    if (*hash && (*hash)->Get(field, &value)) {
      reply.Bulk(value);
    } else {
      reply.Null();
    }
  }
  return Status::Ok();
}

// How many fields a walk over the hash shows, where that is known without it.
std::optional<size_t> ShownFields(const std::optional<Hash>& hash) {
  if (!hash) return 0;
  if (hash->HasExpiredFields()) return std::nullopt;
  return hash->size();
}

Status HGetAll(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  WriteCounted(reply, resp::Aggregate::kMap, ShownFields(*hash), [&] {
    size_t pairs = 0;
    if (!*hash) return pairs;
    (*hash)->ForEach([&](std::string_view field, std::string_view value) {
      reply.Bulk(field);
      reply.Bulk(value);
      return ++pairs > 0;
    });
    return pairs;
  });
  return Status::Ok();
}

Status ReplyOneOfEach(ReadContext& ctx, std::string_view key, bool values, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, key);
  if (!hash.ok()) return hash.status();
  WriteCounted(reply, resp::Aggregate::kArray, ShownFields(*hash), [&] {
    size_t count = 0;
    if (!*hash) return count;
    (*hash)->ForEach([&](std::string_view field, std::string_view value) {
      reply.Bulk(values ? value : field);
      return ++count > 0;
    });
    return count;
  });
  return Status::Ok();
}

Status HKeys(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ReplyOneOfEach(ctx, args[1], false, reply);
}

Status HVals(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ReplyOneOfEach(ctx, args[1], true, reply);
}

Status HLen(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  reply.Integer(*hash ? static_cast<int64_t>((*hash)->size()) : 0);
  return Status::Ok();
}

Status HStrLen(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  std::string value;
  const bool found = *hash && (*hash)->Get(args[2], &value);
  reply.Integer(found ? static_cast<int64_t>(value.size()) : 0);
  return Status::Ok();
}

Status HExists(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  std::string value;
  reply.Integer(*hash && (*hash)->Get(args[2], &value) ? 1 : 0);
  return Status::Ok();
}

Status HDel(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableHash> hash = WritableHash::Open(ctx.txn(), ctx.db(), args[1]);
  if (!hash.ok()) return hash.status();
  const uint64_t size = hash->size();
  int64_t erased = 0;
  for (std::string_view field : args.subspan(2)) erased += hash->Erase(field) ? 1 : 0;
  // Fields that had expired are gone without being counted.
  if (hash->size() != size) {
    hash->Save();
    NotifyRemoval(ctx, engine::kNotifyHash, erased > 0 ? "hdel" : "hexpired", args[1]);
  }
  reply.Integer(erased);
  return Status::Ok();
}

Status HIncrBy(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t delta;
  if (!ParseInt64(args[3], &delta)) return Status(Code::kNotInteger);
  Result<int64_t> value = types::IncrementField(ctx.txn(), ctx.db(), args[1], args[2], delta);
  if (value.code() == Code::kNotInteger) return errors::Custom("ERR hash value is not an integer");
  if (!value.ok()) return value.status();
  Notify(ctx, engine::kNotifyHash, "hincrby", args[1]);
  reply.Integer(*value);
  return Status::Ok();
}

Status HIncrByFloat(WriteContext& ctx, Args args, resp::Writer& reply) {
  long double delta;
  if (!ParseLongDouble(args[3], &delta)) return Status(Code::kNotFloat);
  if (std::isinf(delta)) return errors::Custom("ERR value is NaN or Infinity");
  Result<std::string> value =
      types::IncrementFieldByFloat(ctx.txn(), ctx.db(), args[1], args[2], delta);
  if (value.code() == Code::kNotFloat) return errors::Custom("ERR hash value is not a float");
  if (!value.ok()) return value.status();
  Notify(ctx, engine::kNotifyHash, "hincrbyfloat", args[1]);
  reply.Bulk(*value);
  return Status::Ok();
}

Status OneRandomField(ReadContext& ctx, std::string_view key, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, key);
  if (!hash.ok()) return hash.status();
  bool drawn = false;
  if (*hash) {
    (*hash)->PickAny(1, false, ctx.random(), [&](std::string_view field, std::string_view) {
      reply.Bulk(field);
      return drawn = true;
    });
  }
  if (!drawn) reply.Null();
  return Status::Ok();
}

Status HRandField(ReadContext& ctx, Args args, resp::Writer& reply) {
  if (args.size() == 2) return OneRandomField(ctx, args[1], reply);
  int64_t count;
  if (!ParseInt64(args[2], &count)) return Status(Code::kNotInteger);
  if (count == INT64_MIN) {
    return errors::Custom(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
  }
  const bool with_values = args.size() == 4 && EqualsIgnoreCase(args[3], "WITHVALUES");
  if (args.size() > 4 || (args.size() == 4 && !with_values)) return Status(Code::kSyntax);
  if (with_values && (count > INT64_MAX / 2 || count < -INT64_MAX / 2)) {
    return errors::Custom("ERR value is out of range");
  }
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();

  const bool nested = with_values && reply.protocol() == 3;
  size_t drawn = 0;
  bool too_large = false;
  size_t position = 0;  // of a reply that is limited
  const auto show = [&](std::string_view field, std::string_view value) {
    if (nested) reply.Array(2);
    reply.Bulk(field);
    if (with_values) reply.Bulk(value);
    ++drawn;
    too_large = count < 0 && reply.Position() - position > kMaxReplyBytes;
    return !too_large;
  };
  if (count >= 0) {
    WriteCounted(reply, resp::Aggregate::kArray, [&] {
      drawn = 0;
      if (*hash && count > 0) {
        (*hash)->PickDistinct(static_cast<uint64_t>(count), ctx.random(), show);
      }
      return with_values && !nested ? drawn * 2 : drawn;
    });
    return Status::Ok();
  }
  position = reply.Position();
  if (*hash) {
    constexpr int64_t kLeastFieldBytes = 6;  // "$0", no bytes, two line ends
    too_large = -count > static_cast<int64_t>(kMaxReplyBytes) / kLeastFieldBytes;
    if (!too_large) {
      (*hash)->PickAny(static_cast<uint64_t>(-count), with_values, ctx.random(), show);
    }
  }
  if (too_large) {
    return errors::Custom("ERR the reply would be too large: ask for fewer fields");
  }
  reply.ArrayAt(position, with_values && !nested ? drawn * 2 : drawn);
  return Status::Ok();
}

Status HScan(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> cursor = ParseCursor(args[2]);
  if (!cursor.ok()) return cursor.status();
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  std::vector<std::string> found;
  uint64_t next = 0;
  if (*hash) {
    Result<ScanOptions> options = ParseScanOptions(args.subspan(3), ScanExtra::kNovalues);
    if (!options.ok()) return options.status();
    next =
        (*hash)->Scan(*cursor, options->count, [&](std::string_view field, std::string_view value) {
          if (!options->Match(field)) return true;
          found.emplace_back(field);
          if (!options->novalues) found.emplace_back(value);
          return true;
        });
  }
  reply.Array(2);
  reply.Bulk(std::to_string(next));
  reply.Array(found.size());
  for (const std::string& bytes : found) reply.Bulk(bytes);
  return Status::Ok();
}

// FIELDS numfields field [field ...], where FIELDS must be the argument at `position` and nothing
// may follow.
Result<Args> ParseFields(Args args, size_t position, std::string_view bad_count) {
  if (!EqualsIgnoreCase(args[position], "FIELDS")) {
    return errors::Custom("ERR Mandatory argument FIELDS is missing or not at the right position");
  }
  int64_t count;
  if (!ParseInt64(args[position + 1], &count) || count < 1) return errors::Custom(bad_count);
  const Args fields = args.subspan(position + 2);
  if (static_cast<uint64_t>(count) != fields.size()) {
    return errors::Custom("ERR The `numfields` parameter must match the number of arguments");
  }
  return fields;
}

constexpr std::string_view kBadCount = "ERR Number of fields must be a positive integer";
constexpr int64_t kNoField = static_cast<int64_t>(types::FieldExpiry::kNoField);
constexpr int64_t kNoDeadline = -1;

void ReplyNoFields(size_t count, resp::Writer& reply) {
  reply.Array(count);
  for (; count > 0; --count) reply.Integer(kNoField);
}

Result<int64_t> FieldDeadline(std::string_view text, ExpireUnit unit, int64_t now_ms,
                              std::string_view command) {
  int64_t time;
  if (!ParseInt64(text, &time)) return Status(Code::kNotInteger);
  if (time < 0) return errors::Custom("ERR invalid expire time, must be >= 0");
  const int64_t base_ms = unit.absolute ? 0 : now_ms;
  if (unit.seconds && time > kMaxFieldDeadlineMs / 1000) return errors::InvalidExpireTime(command);
  if (unit.seconds) time *= 1000;
  if (time > kMaxFieldDeadlineMs - base_ms) return errors::InvalidExpireTime(command);
  return base_ms + time;
}

Status ExpireFields(WriteContext& ctx, Args args, ExpireUnit unit, std::string_view command,
                    resp::Writer& reply) {
  Result<WritableHash> hash = WritableHash::Open(ctx.txn(), ctx.db(), args[1]);
  if (!hash.ok()) return hash.status();
  Result<int64_t> deadline_ms = FieldDeadline(args[2], unit, ctx.now_ms(), command);
  if (!deadline_ms.ok()) return deadline_ms.status();
  static constexpr std::pair<std::string_view, FieldExpiryCondition> kConditions[] = {
      {"NX", FieldExpiryCondition::kIfNone},
      {"XX", FieldExpiryCondition::kIfAny},
      {"GT", FieldExpiryCondition::kIfLater},
      {"LT", FieldExpiryCondition::kIfEarlier}};
  FieldExpiryCondition condition = FieldExpiryCondition::kAlways;
  for (const auto& [name, meaning] : kConditions) {
    if (EqualsIgnoreCase(args[3], name)) condition = meaning;
  }
  Result<Args> fields = ParseFields(args, condition == FieldExpiryCondition::kAlways ? 3 : 4,
                                    "ERR Parameter `numFields` should be greater than 0");
  if (!fields.ok()) return fields.status();
  if (hash->size() == 0) {
    ReplyNoFields(fields->size(), reply);
    return Status::Ok();
  }
  bool changed = false;
  reply.Array(fields->size());
  for (std::string_view field : *fields) {
    const types::FieldExpiry outcome = hash->Expire(field, *deadline_ms, condition);
    changed |= outcome == types::FieldExpiry::kSet || outcome == types::FieldExpiry::kDeleted;
    reply.Integer(static_cast<int64_t>(outcome));
  }
  if (changed) {
    hash->Save();
    NotifyRemoval(ctx, engine::kNotifyHash, "hexpire", args[1]);
  }
  return Status::Ok();
}

constexpr ExpireUnit kSeconds{.seconds = true, .absolute = false};
constexpr ExpireUnit kMilliseconds{.seconds = false, .absolute = false};
constexpr ExpireUnit kUnixSeconds{.seconds = true, .absolute = true};
constexpr ExpireUnit kUnixMilliseconds{.seconds = false, .absolute = true};

Status HExpire(WriteContext& ctx, Args args, resp::Writer& reply) {
  return ExpireFields(ctx, args, kSeconds, "hexpire", reply);
}
Status HPExpire(WriteContext& ctx, Args args, resp::Writer& reply) {
  return ExpireFields(ctx, args, kMilliseconds, "hpexpire", reply);
}
Status HExpireAt(WriteContext& ctx, Args args, resp::Writer& reply) {
  return ExpireFields(ctx, args, kUnixSeconds, "hexpireat", reply);
}
Status HPExpireAt(WriteContext& ctx, Args args, resp::Writer& reply) {
  return ExpireFields(ctx, args, kUnixMilliseconds, "hpexpireat", reply);
}

Status ShowDeadlines(ReadContext& ctx, Args args, ExpireUnit unit, resp::Writer& reply) {
  Result<std::optional<Hash>> hash = Find(ctx, args[1]);
  if (!hash.ok()) return hash.status();
  Result<Args> fields = ParseFields(args, 2, kBadCount);
  if (!fields.ok()) return fields.status();
  if (!*hash) {
    ReplyNoFields(fields->size(), reply);
    return Status::Ok();
  }
  const int64_t base_ms = unit.absolute ? 0 : ctx.now_ms();
  reply.Array(fields->size());
  for (std::string_view field : *fields) {
    std::optional<int64_t> deadline_ms;
    if (!(*hash)->GetDeadline(field, &deadline_ms)) {
      reply.Integer(kNoField);
    } else if (!deadline_ms) {
      reply.Integer(kNoDeadline);
    } else {
      // Seconds are rounded up.
      const int64_t time_ms = *deadline_ms - base_ms;
      reply.Integer(unit.seconds ? (time_ms + 999) / 1000 : time_ms);
    }
  }
  return Status::Ok();
}

Status HTtl(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowDeadlines(ctx, args, kSeconds, reply);
}
Status HPTtl(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowDeadlines(ctx, args, kMilliseconds, reply);
}
Status HExpireTime(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowDeadlines(ctx, args, kUnixSeconds, reply);
}
Status HPExpireTime(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ShowDeadlines(ctx, args, kUnixMilliseconds, reply);
}

Status HPersist(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableHash> hash = WritableHash::Open(ctx.txn(), ctx.db(), args[1]);
  if (!hash.ok()) return hash.status();
  Result<Args> fields = ParseFields(args, 2, kBadCount);
  if (!fields.ok()) return fields.status();
  bool changed = false;
  reply.Array(fields->size());
  for (std::string_view field : *fields) {
    std::optional<int64_t> deadline_ms;
    if (!hash->GetDeadline(field, &deadline_ms)) {
      reply.Integer(kNoField);
    } else if (!deadline_ms) {
      reply.Integer(kNoDeadline);
    } else {
      hash->Persist(field);
      changed = true;
      reply.Integer(1);
    }
  }
  if (changed) {
    hash->Save();
    Notify(ctx, engine::kNotifyHash, "hpersist", args[1]);
  }
  return Status::Ok();
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeySpec kReads{kFirst, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kLooks{kFirst, KeyAccess::kRO, 0};  // tells about values without showing them
constexpr KeySpec kUpdates{kFirst, KeyAccess::kRW, kKeyUpdate};
constexpr KeySpec kInserts{kFirst, KeyAccess::kRW, kKeyInsert};
constexpr KeySpec kDeletes{kFirst, KeyAccess::kRW, kKeyDelete};
constexpr KeySpec kChanges{kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate};

constexpr std::string_view kPerField = "O(N) in the number of fields given.";
constexpr std::string_view kWhole = "O(N) in the size of the hash.";

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec keys, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,   arity, flags,      kAclHash, keys.range, handler,
          "hash", since, complexity, summary,  {},         {keys, {}}};
}

constexpr CommandSpec kTable[] = {
    Row("hset", -4, kWrite | kDenyOom | kFast, HSet, kUpdates, "2.0.0", kPerField,
        "Sets fields of a hash and returns how many are new."),
    Row("hsetnx", 4, kWrite | kDenyOom | kFast, HSetNx, kInserts, "2.0.0", "O(1)",
        "Sets a field of a hash, unless it exists."),
    Row("hmset", -4, kWrite | kDenyOom | kFast, HMSet, kUpdates, "2.0.0", kPerField,
        "Sets fields of a hash."),
    Row("hget", 3, kReadonly | kFast, HGet, kReads, "2.0.0", "O(1)",
        "Returns the value of a field of a hash."),
    Row("hmget", -3, kReadonly | kLargeReply | kFast, HMGet, kReads, "2.0.0", kPerField,
        "Returns the values of fields of a hash."),
    Row("hgetall", 2, kReadonly | kLargeReply, HGetAll, kReads, "2.0.0", kWhole,
        "Returns all fields of a hash and their values."),
    Row("hkeys", 2, kReadonly | kLargeReply, HKeys, kReads, "2.0.0", kWhole,
        "Returns all fields of a hash."),
    Row("hvals", 2, kReadonly | kLargeReply, HVals, kReads, "2.0.0", kWhole,
        "Returns all values of a hash."),
    Row("hlen", 2, kReadonly | kFast, HLen, kLooks, "2.0.0", "O(1)",
        "Returns the number of fields of a hash."),
    Row("hstrlen", 3, kReadonly | kFast, HStrLen, kLooks, "3.2.0", "O(1)",
        "Returns the length of the value of a field."),
    Row("hexists", 3, kReadonly | kFast, HExists, kLooks, "2.0.0", "O(1)",
        "Tells whether a hash has a field."),
    Row("hdel", -3, kWrite | kFast, HDel, kDeletes, "2.0.0", kPerField,
        "Deletes fields of a hash; the key goes with the last one."),
    Row("hincrby", 4, kWrite | kDenyOom | kFast, HIncrBy, kChanges, "2.0.0", "O(1)",
        "Adds to the integer in a field; an absent field counts as 0."),
    Row("hincrbyfloat", 4, kWrite | kDenyOom | kFast, HIncrByFloat, kChanges, "2.6.0", "O(1)",
        "Adds a floating-point number to that in a field; an absent field counts as 0."),
    Row("hrandfield", -2, kReadonly | kLargeReply, HRandField, kReads, "6.2.0",
        "O(N) in the number of fields returned.", "Returns fields of a hash at random."),
    Row("hscan", -3, kReadonly, HScan, kReads, "2.8.0",
        "O(1) for every call, O(N) for a whole iteration.", "Iterates over the fields of a hash."),
    Row("hexpire", -6, kWrite | kDenyOom | kFast, HExpire, kUpdates, "7.4.0", kPerField,
        "Sets the expiry of fields in seconds."),
    Row("hpexpire", -6, kWrite | kDenyOom | kFast, HPExpire, kUpdates, "7.4.0", kPerField,
        "Sets the expiry of fields in milliseconds."),
    Row("hexpireat", -6, kWrite | kDenyOom | kFast, HExpireAt, kUpdates, "7.4.0", kPerField,
        "Sets the expiry of fields to a Unix time."),
    Row("hpexpireat", -6, kWrite | kDenyOom | kFast, HPExpireAt, kUpdates, "7.4.0", kPerField,
        "Sets the expiry of fields to a Unix time in milliseconds."),
    Row("httl", -5, kReadonly | kFast, HTtl, kReads, "7.4.0", kPerField,
        "Returns in how many seconds fields expire."),
    Row("hpttl", -5, kReadonly | kFast, HPTtl, kReads, "7.4.0", kPerField,
        "Returns in how many milliseconds fields expire."),
    Row("hexpiretime", -5, kReadonly | kFast, HExpireTime, kReads, "7.4.0", kPerField,
        "Returns the Unix time at which fields expire."),
    Row("hpexpiretime", -5, kReadonly | kFast, HPExpireTime, kReads, "7.4.0", kPerField,
        "Returns the Unix time in milliseconds at which fields expire."),
    Row("hpersist", -5, kWrite | kFast, HPersist, kUpdates, "7.4.0", kPerField,
        "Removes the expiry of fields.")};

}  // namespace

std::span<const CommandSpec> HashCommands() { return kTable; }

}  // namespace metastore::commands
