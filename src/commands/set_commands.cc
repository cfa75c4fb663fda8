// The set group. Arguments and the key are looked at in Redis's order, because a client sees only
// the first of several mistakes.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "commands/scan_options.h"
#include "types/set.h"

namespace metastore::commands {
namespace {

using types::Set;
using types::VisitMember;
using types::WritableSet;

// A reply that may be much larger than what is stored ends here, and is an error.
constexpr uint64_t kMaxReplyBytes = kMaxStringBytes;

Status OutOfRange() { return errors::Custom("ERR value is out of range, must be positive"); }

// The set, nothing where the key is absent, or the error.
Result<std::optional<Set>> Find(const engine::View& view, int db, std::string_view key) {
  Result<Set> found = Set::Find(view, db, key);
  if (found.ok()) return std::optional<Set>(std::move(*found));
  if (found.code() == Code::kNotFound) return std::optional<Set>();
  return found.status();
}

Status SAdd(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableSet> set = WritableSet::Open(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  int64_t added = 0;
  for (std::string_view member : args.subspan(2)) added += set->Add(member) ? 1 : 0;
  if (added > 0) {
    set->Save();
    Notify(ctx, engine::kNotifySet, "sadd", args[1]);
  }
  reply.Integer(added);
  return Status::Ok();
}

Status SRem(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableSet> set = WritableSet::Open(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  int64_t removed = 0;
  for (std::string_view member : args.subspan(2)) removed += set->Remove(member) ? 1 : 0;
  if (removed > 0) {
    set->Save();
    NotifyRemoval(ctx, engine::kNotifySet, "srem", args[1]);
  }
  reply.Integer(removed);
  return Status::Ok();
}

Status SMove(WriteContext& ctx, Args args, resp::Writer& reply) {
  const std::string_view member = args[3];
  bool moved = false;
  Result<std::optional<Set>> source = Find(ctx.txn(), ctx.db(), args[1]);
  if (!source.ok()) return source.status();
  if (*source) {
    Result<std::optional<Set>> target = Find(ctx.txn(), ctx.db(), args[2]);
    if (!target.ok()) return target.status();
    moved = (*source)->Contains(member);
  }
  if (moved && args[1] != args[2]) {
    Result<WritableSet> from = WritableSet::Open(ctx.txn(), ctx.db(), args[1]);
    from->Remove(member);
    from->Save();
    NotifyRemoval(ctx, engine::kNotifySet, "srem", args[1]);
    Result<WritableSet> to = WritableSet::Open(ctx.txn(), ctx.db(), args[2]);
    if (to->Add(member)) {
      to->Save();
      Notify(ctx, engine::kNotifySet, "sadd", args[2]);
    }
  }
  reply.Integer(moved ? 1 : 0);
  return Status::Ok();
}

Status SCard(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Set>> set = Find(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  reply.Integer(*set ? static_cast<int64_t>((*set)->size()) : 0);
  return Status::Ok();
}

Status SIsMember(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Set>> set = Find(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  reply.Integer(*set && (*set)->Contains(args[2]) ? 1 : 0);
  return Status::Ok();
}

Status SMIsMember(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Set>> set = Find(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  reply.Array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) {
    reply.Integer(*set && (*set)->Contains(member) ? 1 : 0);
  }
  return Status::Ok();
}

Status SMembers(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::optional<Set>> set = Find(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  reply.Set(*set ? (*set)->size() : 0);
  if (*set) {
    (*set)->ForEach([&](std::string_view member) {
      reply.Bulk(member);
      return true;
    });
  }
  return Status::Ok();
}

Status SScan(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> cursor = ParseCursor(args[2]);
  if (!cursor.ok()) return cursor.status();
  Result<std::optional<Set>> set = Find(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  std::vector<std::string> found;
  uint64_t next = 0;
  if (*set) {
    Result<ScanOptions> options = ParseScanOptions(args.subspan(3), ScanExtra::kNone);
    if (!options.ok()) return options.status();
    next = (*set)->Scan(*cursor, options->count, [&](std::string_view member) {
      if (options->Match(member)) found.emplace_back(member);
      return true;
    });
  }
  reply.Array(2);
  reply.Bulk(std::to_string(next));
  reply.Array(found.size());
  for (const std::string& member : found) reply.Bulk(member);
  return Status::Ok();
}

Status SPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  if (args.size() > 3) return Status(Code::kSyntax);
  int64_t count = 1;
  if (args.size() == 3 && (!ParseInt64(args[2], &count) || count < 0)) return OutOfRange();
  Result<std::optional<Set>> set = Find(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  std::vector<std::string> popped;
  if (*set && count > 0) {
    popped =
        std::move(*types::PopMembers(ctx.txn(), ctx.db(), args[1], static_cast<uint64_t>(count)));
    NotifyRemoval(ctx, engine::kNotifySet, "spop", args[1]);
  }
  if (args.size() == 3) {
    reply.Set(popped.size());
    for (const std::string& member : popped) reply.Bulk(member);
  } else if (popped.empty()) {
    reply.Null();
  } else {
    reply.Bulk(popped.front());
  }
  return Status::Ok();
}

Status OneRandomMember(ReadContext& ctx, std::string_view key, resp::Writer& reply) {
  Result<std::optional<Set>> set = Find(ctx.view(), ctx.db(), key);
  if (!set.ok()) return set.status();
  if (!*set) {
    reply.Null();
    return Status::Ok();
  }
  Random random = ctx.random();
  (*set)->PickAny(1, random, [&](std::string_view member) {
    reply.Bulk(member);
    return true;
  });
  return Status::Ok();
}

Status SRandMember(ReadContext& ctx, Args args, resp::Writer& reply) {
  if (args.size() > 3) return Status(Code::kSyntax);
  if (args.size() == 2) return OneRandomMember(ctx, args[1], reply);
  int64_t count;
  if (!ParseInt64(args[2], &count)) return Status(Code::kNotInteger);
  if (count == INT64_MIN) {
    return errors::Custom(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
  }
  Result<std::optional<Set>> set = Find(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  Random random = ctx.random();
  if (!*set || count == 0) {
    reply.Array(0);
    return Status::Ok();
  }
  if (count > 0) {
    reply.Array(std::min(static_cast<uint64_t>(count), (*set)->size()));
    (*set)->PickDistinct(static_cast<uint64_t>(count), random, [&](std::string_view member) {
      reply.Bulk(member);
      return true;
    });
    return Status::Ok();
  }
  const size_t position = reply.Position();
  constexpr int64_t kLeastMemberBytes = 6;  // "$0", no bytes, two line ends
  bool too_large = -count > static_cast<int64_t>(kMaxReplyBytes) / kLeastMemberBytes;
  if (!too_large) {
    (*set)->PickAny(static_cast<uint64_t>(-count), random, [&](std::string_view member) {
      reply.Bulk(member);
      too_large = reply.Position() - position > kMaxReplyBytes;
      return !too_large;
    });
  }
  if (too_large) {
    return errors::Custom("ERR the reply would be too large: ask for fewer members");
  }
  reply.ArrayAt(position, static_cast<size_t>(-count));
  return Status::Ok();
}

// --- several sets ------------------------------------------------------------------------------

enum class Algebra : uint8_t { kInter, kUnion, kDiff };

// The sources that are there. `whole` is false where the result is empty whatever they hold, since
// one that the algebra cannot do without is absent.
struct Sources {
  std::vector<Set> sets;
  bool whole = true;
};

Result<Sources> FindSources(const engine::View& view, int db, Args keys, Algebra algebra) {
  Sources sources;
  for (size_t i = 0; i < keys.size(); ++i) {
    Result<std::optional<Set>> set = Find(view, db, keys[i]);
    if (!set.ok()) return set.status();
    if (*set) {
      sources.sets.push_back(std::move(**set));
    } else if (algebra == Algebra::kInter || (algebra == Algebra::kDiff && i == 0)) {
      sources.whole = false;
    }
  }
  if (sources.sets.empty()) sources.whole = false;
  return sources;
}

void Walk(const Sources& sources, Algebra algebra, const VisitMember& visit) {
  if (!sources.whole) return;
  switch (algebra) {
    case Algebra::kInter:
      return types::Intersect(sources.sets, visit);
    case Algebra::kUnion:
      return types::Unite(sources.sets, visit);
    case Algebra::kDiff:
      return types::Subtract(sources.sets, visit);
  }
}

Status Combine(ReadContext& ctx, Args args, Algebra algebra, resp::Writer& reply) {
  Result<Sources> sources = FindSources(ctx.view(), ctx.db(), args.subspan(1), algebra);
  if (!sources.ok()) return sources.status();
  WriteCounted(reply, resp::Aggregate::kSet, [&] {
    size_t count = 0;
    Walk(*sources, algebra, [&](std::string_view member) {
      reply.Bulk(member);
      return ++count > 0;
    });
    return count;
  });
  return Status::Ok();
}

// Redis's choice between its two ways to subtract: the second puts all members of the first set
// into the result and takes them out again, which its encoding shows.
bool RedisEmptiesTheFirst(const Sources& sources) {
  uint64_t by_asking = 0, by_emptying = 0;
  for (const Set& set : sources.sets) {
    by_asking += sources.sets.front().size();
    by_emptying += set.size();
  }
  return by_asking / 2 > by_emptying;
}

Status Store(WriteContext& ctx, Args args, Algebra algebra, std::string_view event,
             resp::Writer& reply) {
  const std::string_view target = args[1];
  Result<Sources> sources = FindSources(ctx.txn(), ctx.db(), args.subspan(2), algebra);
  if (!sources.ok()) return sources.status();
  // The target may be one of the sources, so the result is whole before anything is written.
  std::vector<std::string> members;
  Walk(*sources, algebra, [&](std::string_view member) {
    members.emplace_back(member);
    return true;
  });
  StoreNotice notice(ctx, target);
  WritableSet result = WritableSet::Replace(ctx.txn(), ctx.db(), target);
  for (const std::string& member : members) result.AddNew(member);
  if (algebra == Algebra::kDiff && sources->whole && RedisEmptiesTheFirst(*sources)) {
    result.SawAll(sources->sets.front());
  }
  if (!members.empty()) result.Save();
  notice.Tell(engine::kNotifySet, event, members.empty());
  reply.Integer(static_cast<int64_t>(members.size()));
  return Status::Ok();
}

Status SInter(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Combine(ctx, args, Algebra::kInter, reply);
}
Status SUnion(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Combine(ctx, args, Algebra::kUnion, reply);
}
Status SDiff(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Combine(ctx, args, Algebra::kDiff, reply);
}
Status SInterStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Store(ctx, args, Algebra::kInter, "sinterstore", reply);
}
Status SUnionStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Store(ctx, args, Algebra::kUnion, "sunionstore", reply);
}
Status SDiffStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Store(ctx, args, Algebra::kDiff, "sdiffstore", reply);
}

Status SInterCard(ReadContext& ctx, Args args, resp::Writer& reply) {
  int64_t keys;
  if (!ParseInt64(args[1], &keys) || keys < 1) {
    return errors::Custom("ERR numkeys should be greater than 0");
  }
  if (keys > static_cast<int64_t>(args.size()) - 2) {
    return errors::Custom("ERR Number of keys can't be greater than number of args");
  }
  const Args options = args.subspan(2 + static_cast<size_t>(keys));
  int64_t limit = 0;
  for (size_t i = 0; i < options.size(); i += 2) {
    if (!EqualsIgnoreCase(options[i], "LIMIT") || i + 1 >= options.size()) {
      return Status(Code::kSyntax);
    }
    if (!ParseInt64(options[i + 1], &limit) || limit < 0) {
      return errors::Custom("ERR LIMIT can't be negative");
    }
  }
  Result<Sources> sources = FindSources(
      ctx.view(), ctx.db(), args.subspan(2, static_cast<size_t>(keys)), Algebra::kInter);
  if (!sources.ok()) return sources.status();
  int64_t count = 0;
  Walk(*sources, Algebra::kInter, [&](std::string_view) { return ++count != limit; });
  reply.Integer(count);
  return Status::Ok();
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeySpec kReads{kFirst, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kLooks{kFirst, KeyAccess::kRO, 0};  // tells about members without showing them
constexpr KeySpec kReadsAll{{1, -1, 1}, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kInserts{kFirst, KeyAccess::kRW, kKeyInsert};
constexpr KeySpec kDeletes{kFirst, KeyAccess::kRW, kKeyDelete};
constexpr KeySpec kPops{kFirst, KeyAccess::kRW, kKeyAccess | kKeyDelete};
constexpr KeySpec kSources{{2, -1, 1}, KeyAccess::kRO, kKeyAccess};

constexpr std::string_view kPerMember = "O(N) in the number of members given.";
constexpr std::string_view kAllSets = "O(N) in the sizes of all sets, times the number of them.";
constexpr std::string_view kSmallest = "O(N*M) in the smallest set and the number of sets.";

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec keys, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,  arity, flags,      kAclSet, keys.range, handler,
          "set", since, complexity, summary, {},         {keys, {}}};
}

constexpr CommandSpec StoreRow(std::string_view name, Handler handler, KeyAccess access,
                               std::string_view complexity, std::string_view summary) {
  return {name,    -3,         kWrite | kDenyOom,
          kAclSet, {1, -1, 1}, handler,
          "set",   "1.0.0",    complexity,
          summary, {},         {{kFirst, access, kKeyUpdate}, kSources}};
}

constexpr CommandSpec kTable[] = {
    Row("sadd", -3, kWrite | kDenyOom | kFast, SAdd, kInserts, "1.0.0", kPerMember,
        "Adds members to a set and returns how many are new."),
    Row("srem", -3, kWrite | kFast, SRem, kDeletes, "1.0.0", kPerMember,
        "Removes members from a set; the key goes with the last one."),
    Row("smembers", 2, kReadonly | kLargeReply, SMembers, kReads, "1.0.0",
        "O(N) in the size of the set.", "Returns all members of a set."),
    Row("scard", 2, kReadonly | kFast, SCard, kLooks, "1.0.0", "O(1)",
        "Returns the number of members of a set."),
    Row("sismember", 3, kReadonly | kFast, SIsMember, kLooks, "1.0.0", "O(1)",
        "Tells whether a set has a member."),
    Row("smismember", -3, kReadonly | kFast, SMIsMember, kReads, "6.2.0", kPerMember,
        "Tells of each member given whether a set has it."),
    Row("spop", -2, kWrite | kFast, SPop, kPops, "1.0.0", "O(N) in the number of members returned.",
        "Takes members out of a set at random."),
    Row("srandmember", -2, kReadonly | kLargeReply, SRandMember, kReads, "1.0.0",
        "O(N) in the number of members returned.", "Returns members of a set at random."),
    {"smove",
     4,
     kWrite | kFast,
     kAclSet,
     {1, 2, 1},
     SMove,
     "set",
     "1.0.0",
     "O(1)",
     "Moves a member from one set to another.",
     {},
     {kPops, {{2, 2, 1}, KeyAccess::kRW, kKeyInsert}}},
    Row("sscan", -3, kReadonly, SScan, kReads, "2.8.0",
        "O(1) for every call, O(N) for a whole iteration.", "Iterates over the members of a set."),
    Row("sinter", -2, kReadonly | kLargeReply, SInter, kReadsAll, "1.0.0", kSmallest,
        "Returns the members that all of the sets have."),
    {"sintercard",
     -3,
     kReadonly | kMovableKeys,
     kAclSet,
     {},
     SInterCard,
     "set",
     "7.0.0",
     kSmallest,
     "Counts the members that all of the sets have, up to a limit.",
     {},
     {CountedKeys(1, KeyAccess::kRO, kKeyAccess)}},
    Row("sunion", -2, kReadonly | kLargeReply, SUnion, kReadsAll, "1.0.0", kAllSets,
        "Returns the members of any of the sets."),
    Row("sdiff", -2, kReadonly | kLargeReply, SDiff, kReadsAll, "1.0.0", kAllSets,
        "Returns the members of the first set that no other has."),
    StoreRow("sinterstore", SInterStore, KeyAccess::kRW, kSmallest,
             "Stores the members that all of the sets have."),
    StoreRow("sunionstore", SUnionStore, KeyAccess::kOW, kAllSets,
             "Stores the members of any of the sets."),
    StoreRow("sdiffstore", SDiffStore, KeyAccess::kOW, kAllSets,
             "Stores the members of the first set that no other has.")};

}  // namespace

std::span<const CommandSpec> SetCommands() { return kTable; }

}  // namespace metastore::commands
