// The sorted-set group; ranges and the combinations of several sorted sets stand in files of their
// own. Arguments and the key are looked at in Redis's order, because a client sees only the first
// of several mistakes.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "commands/blocking.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "commands/scan_options.h"
#include "commands/sorted_set_handlers.h"

namespace metastore::commands {

using types::Direction;
using types::ScoredMember;
using types::SortedSet;
using types::WritableSortedSet;

Result<std::optional<SortedSet>> FindSortedSet(const engine::View& view, int db,
                                               std::string_view key) {
  Result<SortedSet> found = SortedSet::Find(view, db, key);
  if (found.ok()) return std::optional<SortedSet>(std::move(*found));
  if (found.code() == Code::kNotFound) return std::optional<SortedSet>();
  return found.status();
}

namespace {

using Change = WritableSortedSet::Change;

// A reply that may be much larger than what is stored ends here, and is an error.
constexpr uint64_t kMaxReplyBytes = kMaxStringBytes;

Result<std::optional<SortedSet>> Find(ReadContext& ctx, std::string_view key) {
  return FindSortedSet(ctx.view(), ctx.db(), key);
}

// A whole number of at least `least`; `error` where it is less, or none.
Result<int64_t> ParseAtLeast(std::string_view text, int64_t least, std::string_view error) {
  int64_t value;
  if (!ParseInt64(text, &value) || value < least) return errors::Custom(error);
  return value;
}

// --- ZADD, ZINCRBY, ZREM -----------------------------------------------------------------------

struct AddOptions {
  bool nx = false, xx = false, gt = false, lt = false, ch = false, incr = false;
};

Status CheckAddOptions(const AddOptions& options, size_t pairs) {
  if (options.nx && options.xx) {
    return errors::Custom("ERR XX and NX options at the same time are not compatible");
  }
  if ((options.gt && options.nx) || (options.lt && options.nx) || (options.gt && options.lt)) {
    return errors::Custom("ERR GT, LT, and/or NX options at the same time are not compatible");
  }
  if (options.incr && pairs > 1) {
    return errors::Custom("ERR INCR option supports a single increment-element pair");
  }
  return Status::Ok();
}

// What becomes of one pair. `score` is none where an option forbids it.
struct Added {
  Change change = Change::kNone;
  std::optional<double> score;
};

Result<Added> AddOne(WritableSortedSet& set, std::string_view member, double score,
                     const AddOptions& options) {
  const std::optional<double> old = set.Score(member);
  if (old ? options.nx : options.xx) return Added();
  if (old && options.incr) {
    score += *old;
    if (std::isnan(score)) return errors::Custom("ERR resulting score is not a number (NaN)");
  }
  if (old && ((options.lt && score >= *old) || (options.gt && score <= *old))) return Added();
  return Added{set.Set(member, score), score};
}

Status Add(WriteContext& ctx, Args args, AddOptions options, resp::Writer& reply) {
  size_t i = 2;
  for (; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "NX")) {
      options.nx = true;
    } else if (EqualsIgnoreCase(args[i], "XX")) {
      options.xx = true;
    } else if (EqualsIgnoreCase(args[i], "CH")) {
      options.ch = true;
    } else if (EqualsIgnoreCase(args[i], "INCR")) {
      options.incr = true;
    } else if (EqualsIgnoreCase(args[i], "GT")) {
      options.gt = true;
    } else if (EqualsIgnoreCase(args[i], "LT")) {
      options.lt = true;
    } else {
      break;
    }
  }
  const Args pairs = args.subspan(i);
  if (pairs.empty() || pairs.size() % 2 != 0) return Status(Code::kSyntax);
  RETURN_IF_ERROR(CheckAddOptions(options, pairs.size() / 2));
  std::vector<double> scores(pairs.size() / 2);
  for (size_t pair = 0; pair < scores.size(); ++pair) {
    if (!ParseDouble(pairs[2 * pair], &scores[pair])) return Status(Code::kNotFloat);
  }
  Result<WritableSortedSet> set = WritableSortedSet::Open(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  int64_t added = 0, changed = 0;
  std::optional<double> last;
  for (size_t pair = 0; pair < scores.size(); ++pair) {
    Result<Added> one = AddOne(*set, pairs[2 * pair + 1], scores[pair], options);
    if (!one.ok()) return one.status();  // the only pair: nothing has been written
    if (one->change == Change::kAdded) ++added;
    if (one->change == Change::kChanged) ++changed;
    last = one->score;
  }
  if (added + changed > 0) {
    set->Save();
    Notify(ctx, engine::kNotifyZset, options.incr ? "zincr" : "zadd", args[1]);
  }
  if (!options.incr) {
    reply.Integer(options.ch ? added + changed : added);
  } else if (last) {
    reply.Double(*last);
  } else {
    reply.Null();
  }
  return Status::Ok();
}

Status ZAdd(WriteContext& ctx, Args args, resp::Writer& reply) { return Add(ctx, args, {}, reply); }

Status ZIncrBy(WriteContext& ctx, Args args, resp::Writer& reply) {
  AddOptions options;
  options.incr = true;
  return Add(ctx, args, options, reply);
}

Status ZRem(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableSortedSet> set = WritableSortedSet::Open(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  int64_t removed = 0;
  for (std::string_view member : args.subspan(2)) removed += set->Remove(member) ? 1 : 0;
  if (removed > 0) {
    set->Save();
    NotifyRemoval(ctx, engine::kNotifyZset, "zrem", args[1]);
  }
  reply.Integer(removed);
  return Status::Ok();
}

// --- one member --------------------------------------------------------------------------------

void Score(const std::optional<SortedSet>& set, std::string_view member, resp::Writer& reply) {
  const std::optional<double> score = set ? set->Score(member) : std::nullopt;
  score ? reply.Double(*score) : reply.Null();
}

Status ZCard(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<SortedSet>> set = Find(ctx, args[1]);
  if (!set.ok()) return set.status();
  reply.Integer(*set ? static_cast<int64_t>((*set)->size()) : 0);
  return Status::Ok();
}

Status ZScore(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<SortedSet>> set = Find(ctx, args[1]);
  if (!set.ok()) return set.status();
  Score(*set, args[2], reply);
  return Status::Ok();
}

Status ZMScore(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<SortedSet>> set = Find(ctx, args[1]);
  if (!set.ok()) return set.status();
  reply.Array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) Score(*set, member, reply);
  return Status::Ok();
}

Status Rank(ReadContext& ctx, Args args, Direction direction, std::string_view command,
            resp::Writer& reply) {
  if (args.size() > 4) return errors::WrongArity(command);
  const bool with_score = args.size() == 4;
  if (with_score && !EqualsIgnoreCase(args[3], "WITHSCORE")) return Status(Code::kSyntax);
  Result<std::optional<SortedSet>> set = Find(ctx, args[1]);
  if (!set.ok()) return set.status();
  const std::optional<uint64_t> rank = *set ? (*set)->Rank(args[2]) : std::nullopt;
  if (!rank) {
    with_score ? reply.NullArray() : reply.Null();
    return Status::Ok();
  }
  if (with_score) reply.Array(2);
  reply.Integer(
      static_cast<int64_t>(direction == Direction::kForward ? *rank : (*set)->size() - 1 - *rank));
  if (with_score) Score(*set, args[2], reply);
  return Status::Ok();
}

Status ZRank(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Rank(ctx, args, Direction::kForward, "zrank", reply);
}
Status ZRevRank(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Rank(ctx, args, Direction::kBackward, "zrevrank", reply);
}

// --- ZPOPMIN and its like ----------------------------------------------------------------------

std::vector<ScoredMember> PopMembers(WriteContext& ctx, std::string_view key, Direction direction,
                                     uint64_t count) {
  std::vector<ScoredMember> popped = types::PopMembers(ctx.txn(), ctx.db(), key, direction, count);
  NotifyRemoval(ctx, engine::kNotifyZset, direction == Direction::kForward ? "zpopmin" : "zpopmax",
                key);
  return popped;
}

void ShowMembers(const std::vector<ScoredMember>& members, bool nested, resp::Writer& reply) {
  for (const ScoredMember& one : members) {
    if (nested) reply.Array(2);
    reply.Bulk(one.member);
    reply.Double(one.score);
  }
}

// The first of the keys that is there; kNotFound. A key of another type before it is an error.
Result<std::string_view> FirstOf(WriteContext& ctx, Args keys) {
  for (std::string_view key : keys) {
    Result<std::optional<SortedSet>> set = FindSortedSet(ctx.txn(), ctx.db(), key);
    if (!set.ok()) return set.status();
    if (*set) return key;
  }
  return Status(Code::kNotFound);
}

Status Pop(WriteContext& ctx, Args args, Direction direction, resp::Writer& reply) {
  if (args.size() > 3) return Status(Code::kSyntax);
  int64_t count = 1;
  if (args.size() == 3) {
    Result<int64_t> parsed =
        ParseAtLeast(args[2], 0, "ERR value is out of range, must be positive");
    if (!parsed.ok()) return parsed.status();
    count = *parsed;
  }
  Result<std::optional<SortedSet>> set = FindSortedSet(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  std::vector<ScoredMember> popped;
  if (*set && count > 0) {
    popped = PopMembers(ctx, args[1], direction, static_cast<uint64_t>(count));
  }
  const bool nested = reply.protocol() == 3 && args.size() == 3;
  reply.Array(nested ? popped.size() : 2 * popped.size());
  ShowMembers(popped, nested, reply);
  return Status::Ok();
}

Status ZPopMin(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Pop(ctx, args, Direction::kForward, reply);
}
Status ZPopMax(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Pop(ctx, args, Direction::kBackward, reply);
}

// Acts at once: nothing to pop is what a timeout would reply.
Status BlockingPop(WriteContext& ctx, Args args, Direction direction, resp::Writer& reply) {
  RETURN_IF_ERROR(ParseTimeout(args.back()).status());
  Result<std::string_view> key = FirstOf(ctx, args.subspan(1, args.size() - 2));
  if (key.code() == Code::kNotFound) {
    reply.NullArray();
    return Status::Ok();
  }
  if (!key.ok()) return key.status();
  const std::vector<ScoredMember> popped = PopMembers(ctx, *key, direction, 1);
  reply.Array(3);
  reply.Bulk(*key);
  ShowMembers(popped, false, reply);
  return Status::Ok();
}

Status BZPopMin(WriteContext& ctx, Args args, resp::Writer& reply) {
  return BlockingPop(ctx, args, Direction::kForward, reply);
}
Status BZPopMax(WriteContext& ctx, Args args, resp::Writer& reply) {
  return BlockingPop(ctx, args, Direction::kBackward, reply);
}

struct PopFromMany {
  Args keys;
  Direction direction = Direction::kForward;
  uint64_t count = 1;
};

// `args` begin with the number of keys.
Result<PopFromMany> ParsePopFromMany(Args args) {
  PopFromMany pop;
  Result<int64_t> numkeys = ParseAtLeast(args[0], 1, "ERR numkeys should be greater than 0");
  if (!numkeys.ok()) return numkeys.status();
  if (*numkeys >= static_cast<int64_t>(args.size()) - 1) return Status(Code::kSyntax);
  pop.keys = args.subspan(1, static_cast<size_t>(*numkeys));
  const Args rest = args.subspan(1 + pop.keys.size());
  if (EqualsIgnoreCase(rest[0], "MAX")) {
    pop.direction = Direction::kBackward;
  } else if (!EqualsIgnoreCase(rest[0], "MIN")) {
    return Status(Code::kSyntax);
  }
  bool counted = false;
  for (size_t i = 1; i < rest.size(); i += 2) {
    if (counted || !EqualsIgnoreCase(rest[i], "COUNT") || i + 1 >= rest.size()) {
      return Status(Code::kSyntax);
    }
    Result<int64_t> count = ParseAtLeast(rest[i + 1], 1, "ERR count should be greater than 0");
    if (!count.ok()) return count.status();
    pop.count = static_cast<uint64_t>(*count);
    counted = true;
  }
  return pop;
}

Status DoPopFromMany(WriteContext& ctx, const PopFromMany& pop, resp::Writer& reply) {
  Result<std::string_view> key = FirstOf(ctx, pop.keys);
  if (key.code() == Code::kNotFound) {
    reply.NullArray();
    return Status::Ok();
  }
  if (!key.ok()) return key.status();
  const std::vector<ScoredMember> popped = PopMembers(ctx, *key, pop.direction, pop.count);
  reply.Array(2);
  reply.Bulk(*key);
  reply.Array(popped.size());
  ShowMembers(popped, true, reply);
  return Status::Ok();
}

Status ZMPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<PopFromMany> pop = ParsePopFromMany(args.subspan(1));
  if (!pop.ok()) return pop.status();
  return DoPopFromMany(ctx, *pop, reply);
}

Status BZMPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<PopFromMany> pop = ParsePopFromMany(args.subspan(2));
  if (!pop.ok()) return pop.status();
  RETURN_IF_ERROR(ParseTimeout(args[1]).status());
  return DoPopFromMany(ctx, *pop, reply);
}

// --- ZRANDMEMBER, ZSCAN ------------------------------------------------------------------------

Status OneRandomMember(ReadContext& ctx, std::string_view key, resp::Writer& reply) {
  Result<std::optional<SortedSet>> set = Find(ctx, key);
  if (!set.ok()) return set.status();
  if (!*set) {
    reply.Null();
    return Status::Ok();
  }
  (*set)->PickAny(1, ctx.random(), [&](std::string_view member, double) {
    reply.Bulk(member);
    return true;
  });
  return Status::Ok();
}

Status ZRandMember(ReadContext& ctx, Args args, resp::Writer& reply) {
  if (args.size() == 2) return OneRandomMember(ctx, args[1], reply);
  int64_t count;
  if (!ParseInt64(args[2], &count)) return Status(Code::kNotInteger);
  if (count == INT64_MIN) {
    return errors::Custom(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
  }
  const bool with_scores = args.size() == 4 && EqualsIgnoreCase(args[3], "WITHSCORES");
  if (args.size() > 4 || (args.size() == 4 && !with_scores)) return Status(Code::kSyntax);
  if (with_scores && (count > INT64_MAX / 2 || count < -INT64_MAX / 2)) {
    return errors::Custom("ERR value is out of range");
  }
  Result<std::optional<SortedSet>> set = Find(ctx, args[1]);
  if (!set.ok()) return set.status();

  const bool nested = with_scores && reply.protocol() == 3;
  size_t drawn = 0;
  bool too_large = false;
  size_t position = 0;  // of a reply that is limited
  const auto show = [&](std::string_view member, double score) {
    if (nested) reply.Array(2);
    reply.Bulk(member);
    if (with_scores) reply.Double(score);
    ++drawn;
    too_large = count < 0 && reply.Position() - position > kMaxReplyBytes;
    return !too_large;
  };
  if (count >= 0) {
    WriteCounted(reply, resp::Aggregate::kArray, [&] {
      drawn = 0;
      if (*set && count > 0) {
        (*set)->PickDistinct(static_cast<uint64_t>(count), ctx.random(), show);
      }
      return with_scores && !nested ? drawn * 2 : drawn;
    });
    return Status::Ok();
  }
  position = reply.Position();
  if (*set) {
    constexpr int64_t kLeastMemberBytes = 6;  // "$0", no bytes, two line ends
    too_large = -count > static_cast<int64_t>(kMaxReplyBytes) / kLeastMemberBytes;
    if (!too_large) (*set)->PickAny(static_cast<uint64_t>(-count), ctx.random(), show);
  }
  if (too_large) {
    return errors::Custom("ERR the reply would be too large: ask for fewer members");
  }
  reply.ArrayAt(position, with_scores && !nested ? drawn * 2 : drawn);
  return Status::Ok();
}

// Redis's compact form holds whole numbers of this range as integers, and shows them so here.
std::string ScannedScore(double score, bool compact) {
  constexpr double kMaxWhole = 0x1p62;
  if (compact && std::fabs(score) <= kMaxWhole && score == std::trunc(score)) {
    return FormatInt64(static_cast<int64_t>(score));
  }
  return FormatDouble(score);
}

Status ZScan(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> cursor = ParseCursor(args[2]);
  if (!cursor.ok()) return cursor.status();
  Result<std::optional<SortedSet>> set = Find(ctx, args[1]);
  if (!set.ok()) return set.status();
  std::vector<ScoredMember> found;
  uint64_t next = 0;
  bool compact = false;
  if (*set) {
    Result<ScanOptions> options = ParseScanOptions(args.subspan(3), ScanExtra::kNone);
    if (!options.ok()) return options.status();
    compact = types::SortedSetEncoding((*set)->header(), ctx.encoding_limits()) == "listpack";
    next = (*set)->Scan(*cursor, options->count, [&](std::string_view member, double score) {
      if (options->Match(member)) found.push_back({std::string(member), score});
      return true;
    });
  }
  reply.Array(2);
  reply.Bulk(std::to_string(next));
  reply.Array(2 * found.size());
  for (const ScoredMember& one : found) {
    reply.Bulk(one.member);
    reply.Bulk(ScannedScore(one.score, compact));
  }
  return Status::Ok();
}

// --- the table ---------------------------------------------------------------------------------

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeyRange kAllButLast{1, -2, 1};
constexpr uint8_t kPops = kKeyAccess | kKeyDelete;
constexpr KeySpec kReads{kFirst, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kTarget{kFirst, KeyAccess::kOW, kKeyUpdate};
constexpr KeySpec kDeletes{kFirst, KeyAccess::kRW, kKeyDelete};

constexpr std::string_view kLogarithmic = "O(log(N))";
constexpr std::string_view kPerMember = "O(log(N)) for each member given.";
constexpr std::string_view kRange = "O(log(N)+M) for M members returned.";
constexpr std::string_view kRemovals = "O(log(N)+M) for M members removed.";
constexpr std::string_view kAllSets = "O(N) in the sizes of all sources, sorted: O(M*log(M)).";
constexpr std::string_view kSmallest = "O(N*K) in the smallest of K sources, sorted: O(M*log(M)).";

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec keys, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,         arity, flags,      kAclSortedSet, keys.range, handler,
          "sorted-set", since, complexity, summary,       {},         {keys}};
}

constexpr CommandSpec CountedRow(std::string_view name, int arity, uint32_t flags, Handler handler,
                                 KeySpec keys, std::string_view since, std::string_view complexity,
                                 std::string_view summary) {
  return {name,         arity, flags | kMovableKeys, kAclSortedSet, {}, handler,
          "sorted-set", since, complexity,           summary,       {}, {keys}};
}

constexpr CommandSpec StoreRow(std::string_view name, Handler handler, std::string_view since,
                               std::string_view complexity, std::string_view summary) {
  return {name,          -4,     kWrite | kDenyOom | kMovableKeys,
          kAclSortedSet, kFirst, handler,
          "sorted-set",  since,  complexity,
          summary,       {},     {kTarget, CountedKeys(2, KeyAccess::kRO, kKeyAccess)}};
}

constexpr CommandSpec kTable[] = {
    Row("zadd", -4, kWrite | kDenyOom | kFast, ZAdd, {kFirst, KeyAccess::kRW, kKeyUpdate}, "1.2.0",
        kPerMember, "Adds members to a sorted set, or gives them other scores."),
    Row("zincrby", 4, kWrite | kDenyOom | kFast, ZIncrBy,
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate}, "1.2.0", kLogarithmic,
        "Adds to the score of a member of a sorted set."),
    Row("zrem", -3, kWrite | kFast, ZRem, kDeletes, "1.2.0", kPerMember,
        "Removes members from a sorted set; the key goes with the last one."),
    Row("zscore", 3, kReadonly | kFast, ZScore, kReads, "1.2.0", "O(1)",
        "Returns the score of a member of a sorted set."),
    Row("zmscore", -3, kReadonly | kFast, ZMScore, kReads, "6.2.0", "O(1) for each member given.",
        "Returns the scores of members of a sorted set."),
    Row("zcard", 2, kReadonly | kFast, ZCard, {kFirst, KeyAccess::kRO, 0}, "1.2.0", "O(1)",
        "Returns the number of members of a sorted set."),
    Row("zcount", 4, kReadonly | kFast, ZCount, kReads, "2.0.0", kLogarithmic,
        "Counts the members of a sorted set with scores in a range."),
    Row("zlexcount", 4, kReadonly | kFast, ZLexCount, kReads, "2.8.9", kLogarithmic,
        "Counts the members of a sorted set in a range of their bytes."),
    Row("zrank", -3, kReadonly | kFast, ZRank, kReads, "2.0.0", kLogarithmic,
        "Returns the rank of a member of a sorted set in ascending order."),
    Row("zrevrank", -3, kReadonly | kFast, ZRevRank, kReads, "2.0.0", kLogarithmic,
        "Returns the rank of a member of a sorted set in descending order."),
    Row("zrange", -4, kReadonly | kLargeReply, ZRange, kReads, "1.2.0", kRange,
        "Returns the members of a sorted set in a range of ranks, scores or bytes."),
    {"zrangestore",
     -5,
     kWrite | kDenyOom,
     kAclSortedSet,
     {1, 2, 1},
     ZRangeStore,
     "sorted-set",
     "6.2.0",
     "O(log(N)+M) for M members stored.",
     "Stores the members of a sorted set in a range.",
     {},
     {kTarget, {{2, 2, 1}, KeyAccess::kRO, kKeyAccess}}},
    Row("zrangebyscore", -4, kReadonly | kLargeReply, ZRangeByScore, kReads, "1.0.5", kRange,
        "Returns the members of a sorted set with scores in a range."),
    Row("zrevrangebyscore", -4, kReadonly | kLargeReply, ZRevRangeByScore, kReads, "2.2.0", kRange,
        "Returns the members of a sorted set with scores in a range, in descending order."),
    Row("zrangebylex", -4, kReadonly | kLargeReply, ZRangeByLex, kReads, "2.8.9", kRange,
        "Returns the members of a sorted set in a range of their bytes."),
    Row("zrevrangebylex", -4, kReadonly | kLargeReply, ZRevRangeByLex, kReads, "2.8.9", kRange,
        "Returns the members of a sorted set in a range of their bytes, in descending order."),
    Row("zrevrange", -4, kReadonly | kLargeReply, ZRevRange, kReads, "1.2.0", kRange,
        "Returns the members of a sorted set in a range of ranks, in descending order."),
    Row("zremrangebyrank", 4, kWrite, ZRemRangeByRank, kDeletes, "2.0.0", kRemovals,
        "Removes the members of a sorted set in a range of ranks."),
    Row("zremrangebyscore", 4, kWrite, ZRemRangeByScore, kDeletes, "1.2.0", kRemovals,
        "Removes the members of a sorted set with scores in a range."),
    Row("zremrangebylex", 4, kWrite, ZRemRangeByLex, kDeletes, "2.8.9", kRemovals,
        "Removes the members of a sorted set in a range of their bytes."),
    Row("zpopmin", -2, kWrite | kFast, ZPopMin, {kFirst, KeyAccess::kRW, kPops}, "5.0.0", kRemovals,
        "Takes the members with the lowest scores out of a sorted set."),
    Row("zpopmax", -2, kWrite | kFast, ZPopMax, {kFirst, KeyAccess::kRW, kPops}, "5.0.0", kRemovals,
        "Takes the members with the highest scores out of a sorted set."),
    CountedRow("zmpop", -4, kWrite, ZMPop, CountedKeys(1, KeyAccess::kRW, kPops), "7.0.0",
               kRemovals, "Takes members out of the first sorted set that is there."),
    Row("bzpopmin", -3, kWrite | kNoscript | kBlocking | kFast, BZPopMin,
        {kAllButLast, KeyAccess::kRW, kPops}, "5.0.0", kLogarithmic,
        "ZPOPMIN from the first of several keys, with a timeout."),
    Row("bzpopmax", -3, kWrite | kNoscript | kBlocking | kFast, BZPopMax,
        {kAllButLast, KeyAccess::kRW, kPops}, "5.0.0", kLogarithmic,
        "ZPOPMAX from the first of several keys, with a timeout."),
    CountedRow("bzmpop", -5, kWrite | kBlocking, BZMPop, CountedKeys(2, KeyAccess::kRW, kPops),
               "7.0.0", kRemovals, "ZMPOP with a timeout."),
    CountedRow("zunion", -3, kReadonly, ZUnion, CountedKeys(1, KeyAccess::kRO, kKeyAccess), "6.2.0",
               kAllSets, "Returns the members of any of the sorted sets."),
    CountedRow("zinter", -3, kReadonly, ZInter, CountedKeys(1, KeyAccess::kRO, kKeyAccess), "6.2.0",
               kSmallest, "Returns the members that all of the sorted sets have."),
    CountedRow("zdiff", -3, kReadonly, ZDiff, CountedKeys(1, KeyAccess::kRO, kKeyAccess), "6.2.0",
               kAllSets, "Returns the members of the first sorted set that no other has."),
    StoreRow("zunionstore", ZUnionStore, "2.0.0", kAllSets,
             "Stores the members of any of the sorted sets."),
    StoreRow("zinterstore", ZInterStore, "2.0.0", kSmallest,
             "Stores the members that all of the sorted sets have."),
    StoreRow("zdiffstore", ZDiffStore, "6.2.0", kAllSets,
             "Stores the members of the first sorted set that no other has."),
    CountedRow("zintercard", -3, kReadonly, ZInterCard, CountedKeys(1, KeyAccess::kRO, kKeyAccess),
               "7.0.0", "O(N*K) in the smallest of K sources.",
               "Counts the members that all of the sorted sets have, up to a limit."),
    Row("zrandmember", -2, kReadonly | kLargeReply, ZRandMember, kReads, "6.2.0",
        "O(M*log(N)) for M members returned.", "Returns members of a sorted set at random."),
    Row("zscan", -3, kReadonly, ZScan, kReads, "2.8.0",
        "O(1) for every call, O(N) for a whole iteration.",
        "Iterates over the members of a sorted set with their scores.")};

}  // namespace

std::span<const CommandSpec> SortedSetCommands() { return kTable; }

}  // namespace metastore::commands
