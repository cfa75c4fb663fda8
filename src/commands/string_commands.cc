// The string group. Options are checked in Redis's order, because a client sees only the first of
// several mistakes.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/expire_time.h"
#include "commands/notify.h"
#include "types/string.h"

namespace metastore::commands {
namespace {

static_assert(types::kMaxStringBytes == kMaxStringBytes);

using types::Record;
using types::SetCondition;
using types::WritableKey;

// The value or null; an error for another type.
Status ReplyBulkOrNull(const Result<Record>& found, resp::Writer& reply) {
  if (found.code() == Code::kNotFound) {
    reply.Null();
    return Status::Ok();
  }
  if (!found.ok()) return found.status();
  reply.Bulk(found->payload());
  return Status::Ok();
}

struct TimeOption {
  ExpireUnit unit;
  std::string_view text;
};

// EX, PX, EXAT or PXAT. The same one may come again, and the last counts; two different ones are a
// syntax error.
class TimeOptionParser {
 public:
  // True: args[*i] is one of them; *i moves to its number.
  bool Take(Args args, size_t* i) {
    static constexpr struct {
      std::string_view name;
      ExpireUnit unit;
    } kOptions[] = {{"EX", {.seconds = true, .absolute = false}},
                    {"PX", {.seconds = false, .absolute = false}},
                    {"EXAT", {.seconds = true, .absolute = true}},
                    {"PXAT", {.seconds = false, .absolute = true}}};
    for (const auto& option : kOptions) {
      if (!EqualsIgnoreCase(args[*i], option.name)) continue;
      if (*i + 1 >= args.size()) return false;
      if (taken_ && (taken_->unit.seconds != option.unit.seconds ||
                     taken_->unit.absolute != option.unit.absolute)) {
        return false;
      }
      ++*i;
      taken_ = TimeOption{option.unit, args[*i]};
      return true;
    }
    return false;
  }
  const std::optional<TimeOption>& taken() const { return taken_; }

 private:
  std::optional<TimeOption> taken_;
};

void NotifySet(WriteContext& ctx, std::string_view key, std::optional<int64_t> deadline_ms) {
  Notify(ctx, engine::kNotifyString, "set", key);
  if (!deadline_ms) return;
  Notify(ctx, engine::kNotifyGeneric, "expire", key);
  // It has not even been stored.
  if (*deadline_ms <= ctx.now_ms()) Notify(ctx, engine::kNotifyExpired, "expired", key);
}

Status Set(WriteContext& ctx, Args args, resp::Writer& reply) {
  types::SetOptions options;
  TimeOptionParser time;
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "NX") && options.condition != SetCondition::kIfPresent) {
      options.condition = SetCondition::kIfAbsent;
    } else if (EqualsIgnoreCase(args[i], "XX") && options.condition != SetCondition::kIfAbsent) {
      options.condition = SetCondition::kIfPresent;
    } else if (EqualsIgnoreCase(args[i], "GET")) {
      options.want_old = true;
    } else if (EqualsIgnoreCase(args[i], "KEEPTTL") && !time.taken()) {
      options.keep_deadline = true;
    } else if (options.keep_deadline || !time.Take(args, &i)) {
      return Status(Code::kSyntax);
    }
  }
  if (time.taken()) {
    Result<int64_t> deadline =
        PositiveDeadline(time.taken()->text, time.taken()->unit, ctx.now_ms(), "set");
    if (!deadline.ok()) return deadline.status();
    options.deadline_ms = *deadline;
  }
  Result<types::SetOutcome> outcome =
      types::SetString(ctx.txn(), ctx.db(), args[1], args[2], options);
  if (!outcome.ok()) return outcome.status();
  if (outcome->stored) NotifySet(ctx, args[1], options.deadline_ms);
  if (options.want_old ? outcome->old.has_value() : outcome->stored) {
    options.want_old ? reply.Bulk(*outcome->old) : reply.Ok();
  } else {
    reply.Null();
  }
  return Status::Ok();
}

Status SetNx(WriteContext& ctx, Args args, resp::Writer& reply) {
  types::SetOptions options;
  options.condition = SetCondition::kIfAbsent;
  Result<types::SetOutcome> outcome =
      types::SetString(ctx.txn(), ctx.db(), args[1], args[2], options);
  if (!outcome.ok()) return outcome.status();
  if (outcome->stored) NotifySet(ctx, args[1], std::nullopt);
  reply.Integer(outcome->stored ? 1 : 0);
  return Status::Ok();
}

Status SetWithTime(WriteContext& ctx, Args args, bool seconds, std::string_view command,
                   resp::Writer& reply) {
  Result<int64_t> deadline =
      PositiveDeadline(args[2], {.seconds = seconds, .absolute = false}, ctx.now_ms(), command);
  if (!deadline.ok()) return deadline.status();
  WritableKey(ctx.txn(), ctx.db(), args[1]).PutString(args[3], *deadline);
  NotifySet(ctx, args[1], *deadline);
  reply.Ok();
  return Status::Ok();
}

Status SetEx(WriteContext& ctx, Args args, resp::Writer& reply) {
  return SetWithTime(ctx, args, true, "setex", reply);
}

Status PSetEx(WriteContext& ctx, Args args, resp::Writer& reply) {
  return SetWithTime(ctx, args, false, "psetex", reply);
}

Status Get(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ReplyBulkOrNull(types::FindString(ctx.view(), ctx.db(), args[1]), reply);
}

Status GetEx(WriteContext& ctx, Args args, resp::Writer& reply) {
  bool persist = false;
  TimeOptionParser time;
  for (size_t i = 2; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "PERSIST") && !time.taken()) {
      persist = true;
    } else if (persist || !time.Take(args, &i)) {
      return Status(Code::kSyntax);
    }
  }
  WritableKey key(ctx.txn(), ctx.db(), args[1]);
  if (key.found() == nullptr) {
    reply.Null();
    return Status::Ok();
  }
  const types::Header header = key.found()->header();
  if (header.type != types::Type::kString) return Status(Code::kWrongType);
  std::optional<int64_t> deadline_ms = header.deadline_ms;
  if (persist) deadline_ms.reset();
  if (time.taken()) {
    Result<int64_t> deadline =
        PositiveDeadline(time.taken()->text, time.taken()->unit, ctx.now_ms(), "getex");
    if (!deadline.ok()) return deadline.status();
    deadline_ms = *deadline;
  }
  reply.Bulk(key.found()->payload());
  if (time.taken() || deadline_ms != header.deadline_ms) {
    key.SetDeadline(deadline_ms);
    const bool passed = deadline_ms && *deadline_ms <= ctx.now_ms();
    Notify(ctx, engine::kNotifyGeneric,
           !deadline_ms ? "persist"
           : passed     ? "del"
                        : "expire",
           args[1]);
  }
  return Status::Ok();
}

Status GetDel(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<std::string> value = types::TakeString(ctx.txn(), ctx.db(), args[1]);
  if (value.code() == Code::kNotFound) {
    reply.Null();
    return Status::Ok();
  }
  if (!value.ok()) return value.status();
  Notify(ctx, engine::kNotifyGeneric, "del", args[1]);
  reply.Bulk(*value);
  return Status::Ok();
}

Status GetSet(WriteContext& ctx, Args args, resp::Writer& reply) {
  types::SetOptions options;
  options.want_old = true;
  Result<types::SetOutcome> outcome =
      types::SetString(ctx.txn(), ctx.db(), args[1], args[2], options);
  if (!outcome.ok()) return outcome.status();
  NotifySet(ctx, args[1], std::nullopt);
  outcome->old ? reply.Bulk(*outcome->old) : reply.Null();
  return Status::Ok();
}

Status MGet(ReadContext& ctx, Args args, resp::Writer& reply) {
  reply.Array(args.size() - 1);
  for (std::string_view key : args.subspan(1)) {
    Result<Record> found = types::FindString(ctx.view(), ctx.db(), key);
    found.ok() ? reply.Bulk(found->payload()) : reply.Null();
  }
  return Status::Ok();
}

// In order: of a key that comes twice the last value stays.
void SetPairs(WriteContext& ctx, Args args) {
  for (size_t i = 1; i < args.size(); i += 2) {
    WritableKey(ctx.txn(), ctx.db(), args[i]).PutString(args[i + 1]);
    NotifySet(ctx, args[i], std::nullopt);
  }
}

Status MSet(WriteContext& ctx, Args args, resp::Writer& reply) {
  if (args.size() % 2 == 0) return errors::WrongArity("mset");
  SetPairs(ctx, args);
  reply.Ok();
  return Status::Ok();
}

Status MSetNx(WriteContext& ctx, Args args, resp::Writer& reply) {
  if (args.size() % 2 == 0) return errors::WrongArity("msetnx");
  bool absent = true;
  for (size_t i = 1; i < args.size() && absent; i += 2) {
    absent = WritableKey(ctx.txn(), ctx.db(), args[i]).found() == nullptr;
  }
  if (absent) SetPairs(ctx, args);
  reply.Integer(absent ? 1 : 0);
  return Status::Ok();
}

Status Append(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> length = types::AppendString(ctx.txn(), ctx.db(), args[1], args[2]);
  if (!length.ok()) return length.status();
  Notify(ctx, engine::kNotifyString, "append", args[1]);
  reply.Integer(static_cast<int64_t>(*length));
  return Status::Ok();
}

Status StrLen(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<Record> found = types::FindString(ctx.view(), ctx.db(), args[1]);
  if (!found.ok() && found.code() != Code::kNotFound) return found.status();
  reply.Integer(found.ok() ? static_cast<int64_t>(found->payload().size()) : 0);
  return Status::Ok();
}

Status SetRange(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t offset;
  if (!ParseInt64(args[2], &offset)) return Status(Code::kNotInteger);
  if (offset < 0) return Status(Code::kOffsetRange);
  Result<uint64_t> length =
      types::OverwriteString(ctx.txn(), ctx.db(), args[1], static_cast<uint64_t>(offset), args[3]);
  if (!length.ok()) return length.status();
  if (!args[3].empty()) Notify(ctx, engine::kNotifyString, "setrange", args[1]);
  reply.Integer(static_cast<int64_t>(*length));
  return Status::Ok();
}

Status GetRange(ReadContext& ctx, Args args, resp::Writer& reply) {
  int64_t start;
  int64_t end;
  if (!ParseInt64(args[2], &start) || !ParseInt64(args[3], &end)) {
    return Status(Code::kNotInteger);
  }
  Result<Record> found = types::FindString(ctx.view(), ctx.db(), args[1]);
  if (!found.ok() && found.code() != Code::kNotFound) return found.status();
  reply.Bulk(found.ok() ? types::Substring(found->payload(), start, end) : "");
  return Status::Ok();
}

Status Increment(WriteContext& ctx, std::string_view key, int64_t delta, resp::Writer& reply) {
  Result<int64_t> value = types::IncrementString(ctx.txn(), ctx.db(), key, delta);
  if (!value.ok()) return value.status();
  Notify(ctx, engine::kNotifyString, "incrby", key);
  reply.Integer(*value);
  return Status::Ok();
}

Status Incr(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Increment(ctx, args[1], 1, reply);
}

Status Decr(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Increment(ctx, args[1], -1, reply);
}

Status IncrBy(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t delta;
  if (!ParseInt64(args[2], &delta)) return Status(Code::kNotInteger);
  return Increment(ctx, args[1], delta, reply);
}

Status DecrBy(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t delta;
  if (!ParseInt64(args[2], &delta)) return Status(Code::kNotInteger);
  if (delta == INT64_MIN) return errors::Custom("ERR decrement would overflow");
  return Increment(ctx, args[1], -delta, reply);
}

Status IncrByFloat(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<std::string> value = types::IncrementStringByFloat(ctx.txn(), ctx.db(), args[1], args[2]);
  if (!value.ok()) return value.status();
  Notify(ctx, engine::kNotifyString, "incrbyfloat", args[1]);
  reply.Bulk(*value);
  return Status::Ok();
}

struct LcsOptions {
  bool length = false;
  bool positions = false;
  bool with_match_length = false;
  int64_t min_match_length = 0;
};

Status ParseLcsOptions(Args args, LcsOptions* options) {
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "IDX")) {
      options->positions = true;
    } else if (EqualsIgnoreCase(args[i], "LEN")) {
      options->length = true;
    } else if (EqualsIgnoreCase(args[i], "WITHMATCHLEN")) {
      options->with_match_length = true;
    } else if (EqualsIgnoreCase(args[i], "MINMATCHLEN") && i + 1 < args.size()) {
      if (!ParseInt64(args[++i], &options->min_match_length)) return Status(Code::kNotInteger);
    } else {
      return Status(Code::kSyntax);
    }
  }
  if (options->positions && options->length) {
    return errors::Custom("ERR If you want both the length and indexes, please just use IDX.");
  }
  return Status::Ok();
}

void ReplyCommonRuns(const types::CommonSubsequence& common, const LcsOptions& options,
                     resp::Writer& reply) {
  reply.Map(2);
  reply.Bulk("matches");
  const size_t position = reply.Position();
  size_t shown = 0;
  for (const types::CommonRun& run : common.runs) {
    if (int64_t{run.length()} < options.min_match_length) continue;
    ++shown;
    reply.Array(options.with_match_length ? 3 : 2);
    reply.Array(2);
    reply.Integer(run.a_start);
    reply.Integer(run.a_end);
    reply.Array(2);
    reply.Integer(run.b_start);
    reply.Integer(run.b_end);
    if (options.with_match_length) reply.Integer(run.length());
  }
  reply.ArrayAt(position, shown);
  reply.Bulk("len");
  reply.Integer(common.length);
}

Status Lcs(ReadContext& ctx, Args args, resp::Writer& reply) {
  const Result<Record> a = types::FindString(ctx.view(), ctx.db(), args[1]);
  const Result<Record> b = types::FindString(ctx.view(), ctx.db(), args[2]);
  if (a.code() == Code::kWrongType || b.code() == Code::kWrongType) {
    return errors::Custom("ERR The specified keys must contain string values");
  }
  LcsOptions options;
  RETURN_IF_ERROR(ParseLcsOptions(args, &options));
  Result<types::CommonSubsequence> common = types::LongestCommonSubsequence(
      a.ok() ? a->payload() : "", b.ok() ? b->payload() : "", options.length);
  if (!common.ok()) {
    return errors::Custom(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  if (options.positions) {
    ReplyCommonRuns(*common, options, reply);
  } else if (options.length) {
    reply.Integer(common->length);
  } else {
    reply.Bulk(common->text);
  }
  return Status::Ok();
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeyRange kAll{1, -1, 1};
constexpr KeyRange kPairs{1, -1, 2};
constexpr KeyRange kFirstTwo{1, 2, 1};

constexpr std::string_view kRangeComplexity = "O(N) in the bytes returned.";
constexpr std::string_view kRewriteComplexity = "O(N) in the length of the new value.";

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec keys, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,     arity, flags,      kAclString, keys.range, handler,
          "string", since, complexity, summary,    {},         {keys, {}}};
}

// SET reads the key where GET asks for the old value.
std::vector<KeyUse> FindSetKeys(Args args) {
  for (std::string_view option : args.subspan(3)) {
    if (EqualsIgnoreCase(option, "GET")) return {{1, KeyAccess::kRW, kKeyAccess | kKeyUpdate}};
  }
  return {{1, KeyAccess::kOW, kKeyUpdate}};
}

constexpr CommandSpec SetRow() {
  CommandSpec row =
      Row("set", -3, kWrite | kDenyOom, Set,
          {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate | kKeyVariableFlags,
           "RW and ACCESS due to the optional `GET` argument"},
          "1.0.0", "O(1)",
          "Stores a string, replacing a value of any type; takes conditions and an expiry.");
  row.find_keys = FindSetKeys;
  return row;
}

constexpr CommandSpec kTable[] = {
    SetRow(),
    Row("get", 2, kReadonly | kFast, Get, {kFirst, KeyAccess::kRO, kKeyAccess}, "1.0.0", "O(1)",
        "Returns a string."),
    Row("getex", -2, kWrite | kFast, GetEx,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate,
         "RW and UPDATE because it changes the TTL"},
        "6.2.0", "O(1)", "Returns a string and sets or removes its expiry."),
    Row("getdel", 2, kWrite | kFast, GetDel, {kFirst, KeyAccess::kRW, kKeyAccess | kKeyDelete},
        "6.2.0", "O(1)", "Returns a string and deletes it."),
    Row("getset", 3, kWrite | kDenyOom | kFast, GetSet,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate}, "1.0.0", "O(1)",
        "Stores a string and returns the one before it."),
    Row("mget", -2, kReadonly | kLargeReply | kFast, MGet, {kAll, KeyAccess::kRO, kKeyAccess},
        "1.0.0", "O(N) in the number of keys.",
        "Returns the strings of several keys at one moment."),
    Row("mset", -3, kWrite | kDenyOom, MSet, {kPairs, KeyAccess::kOW, kKeyUpdate}, "1.0.1",
        "O(N) in the number of keys.", "Stores several strings at once."),
    Row("msetnx", -3, kWrite | kDenyOom, MSetNx, {kPairs, KeyAccess::kOW, kKeyInsert}, "1.0.1",
        "O(N) in the number of keys.",
        "Stores several strings at once, unless one of the keys exists."),
    Row("setnx", 3, kWrite | kDenyOom | kFast, SetNx, {kFirst, KeyAccess::kOW, kKeyInsert}, "1.0.0",
        "O(1)", "Stores a string unless the key exists."),
    Row("setex", 4, kWrite | kDenyOom, SetEx, {kFirst, KeyAccess::kOW, kKeyUpdate}, "2.0.0", "O(1)",
        "Stores a string that expires after some seconds."),
    Row("psetex", 4, kWrite | kDenyOom, PSetEx, {kFirst, KeyAccess::kOW, kKeyUpdate}, "2.6.0",
        "O(1)", "Stores a string that expires after some milliseconds."),
    Row("append", 3, kWrite | kDenyOom | kFast, Append, {kFirst, KeyAccess::kRW, kKeyInsert},
        "2.0.0", kRewriteComplexity, "Adds bytes to the end of a string."),
    Row("strlen", 2, kReadonly | kFast, StrLen, {kFirst, KeyAccess::kRO, 0}, "2.2.0", "O(1)",
        "Returns the length of a string in bytes."),
    Row("setrange", 4, kWrite | kDenyOom, SetRange, {kFirst, KeyAccess::kRW, kKeyUpdate}, "2.2.0",
        kRewriteComplexity, "Overwrites a string from an offset on; zero bytes fill a gap."),
    Row("getrange", 4, kReadonly, GetRange, {kFirst, KeyAccess::kRO, kKeyAccess}, "2.4.0",
        kRangeComplexity, "Returns the part of a string between two positions."),
    Row("substr", 4, kReadonly, GetRange, {kFirst, KeyAccess::kRO, kKeyAccess}, "1.0.0",
        kRangeComplexity, "The old name of GETRANGE."),
    Row("incr", 2, kWrite | kDenyOom | kFast, Incr,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate}, "1.0.0", "O(1)",
        "Adds one to an integer; an absent key counts as 0."),
    Row("decr", 2, kWrite | kDenyOom | kFast, Decr,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate}, "1.0.0", "O(1)",
        "Takes one from an integer; an absent key counts as 0."),
    Row("incrby", 3, kWrite | kDenyOom | kFast, IncrBy,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate}, "1.0.0", "O(1)",
        "Adds a number to an integer; an absent key counts as 0."),
    Row("decrby", 3, kWrite | kDenyOom | kFast, DecrBy,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate}, "1.0.0", "O(1)",
        "Takes a number from an integer; an absent key counts as 0."),
    Row("incrbyfloat", 3, kWrite | kDenyOom | kFast, IncrByFloat,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate}, "2.6.0", "O(1)",
        "Adds a floating-point number to a number; an absent key counts as 0."),
    Row("lcs", -3, kReadonly, Lcs, {kFirstTwo, KeyAccess::kRO, kKeyAccess}, "7.0.0",
        "O(N*M) for strings of N and M bytes.",
        "Finds the longest common subsequence of two strings.")};

}  // namespace

std::span<const CommandSpec> StringCommands() { return kTable; }

}  // namespace metastore::commands
