// The list group. Blocking commands act at once: where there is nothing to take they reply what a
// timeout would.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "base/parse.h"
#include "commands/blocking.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "types/list.h"

namespace metastore::commands {
namespace {

using types::List;
using types::WritableList;

enum class End : uint8_t { kLeft, kRight };

Result<End> ParseEnd(std::string_view text) {
  if (EqualsIgnoreCase(text, "LEFT")) return End::kLeft;
  if (EqualsIgnoreCase(text, "RIGHT")) return End::kRight;
  return Status(Code::kSyntax);
}

// A number of at least `least`; `error` where it is less, or none.
Result<uint64_t> ParseAtLeast(std::string_view text, int64_t least, std::string_view error) {
  int64_t value;
  if (!ParseInt64(text, &value) || value < least) return errors::Custom(error);
  return static_cast<uint64_t>(value);
}

void NotifyPush(WriteContext& ctx, End end, std::string_view key) {
  Notify(ctx, engine::kNotifyList, end == End::kLeft ? "lpush" : "rpush", key);
}

void NotifyPop(WriteContext& ctx, End end, std::string_view key) {
  NotifyRemoval(ctx, engine::kNotifyList, end == End::kLeft ? "lpop" : "rpop", key);
}

Status Push(WriteContext& ctx, Args args, End end, bool only_existing, resp::Writer& reply) {
  Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), args[1]);
  if (!list.ok()) return list.status();
  if (only_existing && !list->existed()) {
    reply.Integer(0);
    return Status::Ok();
  }
  for (std::string_view element : args.subspan(2)) {
    end == End::kLeft ? list->PushFront(element) : list->PushBack(element);
  }
  reply.Integer(static_cast<int64_t>(list->size()));
  list->Save();
  NotifyPush(ctx, end, args[1]);
  return Status::Ok();
}

Status LPush(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Push(ctx, args, End::kLeft, false, reply);
}

Status RPush(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Push(ctx, args, End::kRight, false, reply);
}

Status LPushX(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Push(ctx, args, End::kLeft, true, reply);
}

Status RPushX(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Push(ctx, args, End::kRight, true, reply);
}

std::string PopOne(WritableList& list, End end) {
  return end == End::kLeft ? list.PopFront() : list.PopBack();
}

// An array of the elements, in the order in which they come.
void PopSome(WritableList& list, End end, uint64_t count, resp::Writer& reply) {
  count = std::min(count, list.size());
  const bool reverse = end == End::kRight;
  reply.Array(count);
  list.ForEach(reverse ? list.size() - 1 : 0, count, reverse, [&](std::string_view element) {
    reply.Bulk(element);
    return true;
  });
  list.Trim(reverse ? 0 : count, list.size() - count);
}

Status Pop(WriteContext& ctx, Args args, End end, std::string_view command, resp::Writer& reply) {
  if (args.size() > 3) return errors::WrongArity(command);
  std::optional<uint64_t> count;
  if (args.size() == 3) {
    Result<uint64_t> parsed =
        ParseAtLeast(args[2], 0, "ERR value is out of range, must be positive");
    if (!parsed.ok()) return parsed.status();
    count = *parsed;
  }
  Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), args[1]);
  if (!list.ok()) return list.status();
  if (!list->existed()) {
    count ? reply.NullArray() : reply.Null();
    return Status::Ok();
  }
  if (!count) {
    reply.Bulk(PopOne(*list, end));
  } else if (*count == 0) {
    reply.Array(0);
    return Status::Ok();
  } else {
    PopSome(*list, end, *count, reply);
  }
  list->Save();
  NotifyPop(ctx, end, args[1]);
  return Status::Ok();
}

Status LPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Pop(ctx, args, End::kLeft, "lpop", reply);
}

Status RPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Pop(ctx, args, End::kRight, "rpop", reply);
}

Status LLen(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<List> list = List::Find(ctx.view(), ctx.db(), args[1]);
  if (!list.ok() && list.code() != Code::kNotFound) return list.status();
  reply.Integer(list.ok() ? static_cast<int64_t>(list->size()) : 0);
  return Status::Ok();
}

// None: there is no such element. Negative ones count from the end.
std::optional<uint64_t> PlaceOf(int64_t index, uint64_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || static_cast<uint64_t>(index) >= size) return std::nullopt;
  return static_cast<uint64_t>(index);
}

Status LIndex(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<List> list = List::Find(ctx.view(), ctx.db(), args[1]);
  if (list.code() == Code::kNotFound) {
    reply.Null();
    return Status::Ok();
  }
  if (!list.ok()) return list.status();
  int64_t index;
  if (!ParseInt64(args[2], &index)) return Status(Code::kNotInteger);
  std::string element;
  const std::optional<uint64_t> place = PlaceOf(index, list->size());
  if (place && list->At(*place, &element)) {
    reply.Bulk(element);
  } else {
    reply.Null();
  }
  return Status::Ok();
}

Status LSet(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), args[1]);
  if (!list.ok()) return list.status();
  if (!list->existed()) return Status(Code::kNoSuchKey);
  int64_t index;
  if (!ParseInt64(args[2], &index)) return Status(Code::kNotInteger);
  const std::optional<uint64_t> place = PlaceOf(index, list->size());
  if (!place) return errors::Custom("ERR index out of range");
  list->Set(*place, args[3]);
  list->Save();
  Notify(ctx, engine::kNotifyList, "lset", args[1]);
  reply.Ok();
  return Status::Ok();
}

// The index of the first one from the head; none: there is none.
std::optional<uint64_t> IndexOf(const WritableList& list, std::string_view element) {
  uint64_t index = 0;
  bool found = false;
  list.ForEach(0, list.size(), false, [&](std::string_view bytes) {
    found = bytes == element;
    if (!found) ++index;
    return !found;
  });
  return found ? std::optional(index) : std::nullopt;
}

Status LInsert(WriteContext& ctx, Args args, resp::Writer& reply) {
  const bool after = EqualsIgnoreCase(args[2], "AFTER");
  if (!after && !EqualsIgnoreCase(args[2], "BEFORE")) return Status(Code::kSyntax);
  Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), args[1]);
  if (!list.ok()) return list.status();
  if (!list->existed()) {
    reply.Integer(0);
    return Status::Ok();
  }
  const std::optional<uint64_t> pivot = IndexOf(*list, args[3]);
  if (!pivot) {
    reply.Integer(-1);
    return Status::Ok();
  }
  list->Insert(*pivot + (after ? 1 : 0), args[4]);
  reply.Integer(static_cast<int64_t>(list->size()));
  list->Save();
  Notify(ctx, engine::kNotifyList, "linsert", args[1]);
  return Status::Ok();
}

struct Range {
  uint64_t start = 0;
  uint64_t count = 0;
};

// Both ends are within it; negative ones count from the end of the list.
Range Cut(int64_t start, int64_t end, uint64_t size) {
  const auto last = static_cast<int64_t>(size) - 1;
  if (start < 0) start = std::max<int64_t>(start + last + 1, 0);
  if (end < 0) end += last + 1;
  end = std::min(end, last);
  if (start > end) return {};
  return {static_cast<uint64_t>(start), static_cast<uint64_t>(end - start + 1)};
}

Status LRange(ReadContext& ctx, Args args, resp::Writer& reply) {
  int64_t start, end;
  if (!ParseInt64(args[2], &start) || !ParseInt64(args[3], &end)) return Status(Code::kNotInteger);
  Result<List> list = List::Find(ctx.view(), ctx.db(), args[1]);
  if (!list.ok() && list.code() != Code::kNotFound) return list.status();
  const Range range = list.ok() ? Cut(start, end, list->size()) : Range();
  reply.Array(range.count);
  if (range.count == 0) return Status::Ok();
  list->ForEach(range.start, range.count, false, [&](std::string_view element) {
    reply.Bulk(element);
    return true;
  });
  return Status::Ok();
}

Status LTrim(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t start, end;
  if (!ParseInt64(args[2], &start) || !ParseInt64(args[3], &end)) return Status(Code::kNotInteger);
  Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), args[1]);
  if (!list.ok()) return list.status();
  if (list->existed()) {
    const Range range = Cut(start, end, list->size());
    list->Trim(range.start, range.count);
    list->Save();
    NotifyRemoval(ctx, engine::kNotifyList, "ltrim", args[1]);
  }
  reply.Ok();
  return Status::Ok();
}

Status LRem(WriteContext& ctx, Args args, resp::Writer& reply) {
  int64_t count;
  if (!ParseInt64(args[2], &count)) return Status(Code::kNotInteger);
  Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), args[1]);
  if (!list.ok()) return list.status();
  uint64_t limit = static_cast<uint64_t>(count);
  if (count < 0) limit = -limit;
  if (count == 0) limit = UINT64_MAX;
  const uint64_t removed = list->existed() ? list->Remove(args[3], limit, count < 0) : 0;
  if (removed > 0) {
    list->Save();
    NotifyRemoval(ctx, engine::kNotifyList, "lrem", args[1]);
  }
  reply.Integer(static_cast<int64_t>(removed));
  return Status::Ok();
}

struct PositionOptions {
  uint64_t rank = 1;
  bool reverse = false;
  std::optional<uint64_t> count;  // none: one, and no array
  uint64_t max_compared = UINT64_MAX;
};

Result<PositionOptions> ParsePositionOptions(Args args) {
  PositionOptions options;
  int64_t rank = 1;
  for (size_t i = 3; i < args.size(); i += 2) {
    const bool has_value = i + 1 < args.size();
    if (has_value && EqualsIgnoreCase(args[i], "RANK")) {
      if (!ParseInt64(args[i + 1], &rank)) return Status(Code::kNotInteger);
      if (rank == 0) {
        return errors::Custom(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
            "or use negative to start from the end of the list");
      }
    } else if (has_value && EqualsIgnoreCase(args[i], "COUNT")) {
      Result<uint64_t> count = ParseAtLeast(args[i + 1], 0, "ERR COUNT can't be negative");
      if (!count.ok()) return count.status();
      options.count = *count == 0 ? UINT64_MAX : *count;
    } else if (has_value && EqualsIgnoreCase(args[i], "MAXLEN")) {
      Result<uint64_t> most = ParseAtLeast(args[i + 1], 0, "ERR MAXLEN can't be negative");
      if (!most.ok()) return most.status();
      options.max_compared = *most == 0 ? UINT64_MAX : *most;
    } else {
      return Status(Code::kSyntax);
    }
  }
  options.reverse = rank < 0;
  if (rank == INT64_MIN) {
    // Redis negates it, which leaves it as it is: every match is behind that rank, and no count of
    // them is ever reached.
    if (options.count) options.count = UINT64_MAX;
  } else {
    options.rank = static_cast<uint64_t>(rank < 0 ? -rank : rank);
  }
  return options;
}

Status LPos(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<PositionOptions> options = ParsePositionOptions(args);
  if (!options.ok()) return options.status();
  Result<List> list = List::Find(ctx.view(), ctx.db(), args[1]);
  if (list.code() == Code::kNotFound) {
    options->count ? reply.Array(0) : reply.Null();
    return Status::Ok();
  }
  if (!list.ok()) return list.status();

  const uint64_t last = list->size() - 1;
  const uint64_t wanted = options->count.value_or(1);
  const size_t position = reply.Position();
  uint64_t compared = 0, matches = 0, shown = 0;
  list->ForEach(options->reverse ? last : 0, options->max_compared, options->reverse,
                [&](std::string_view element) {
                  const uint64_t index = options->reverse ? last - compared : compared;
                  ++compared;
                  if (element != args[2] || ++matches < options->rank) return true;
                  reply.Integer(static_cast<int64_t>(index));
                  return ++shown < wanted;
                });
  if (options->count) {
    reply.ArrayAt(position, shown);
  } else if (shown == 0) {
    reply.Null();
  }
  return Status::Ok();
}

// Replies `nothing` when the source is absent; only then the target may be of any type.
Status Move(WriteContext& ctx, std::string_view source_key, std::string_view target_key, End from,
            End to, void (resp::Writer::*nothing)(), resp::Writer& reply) {
  Result<WritableList> source = WritableList::Open(ctx.txn(), ctx.db(), source_key);
  if (!source.ok()) return source.status();
  if (!source->existed()) {
    (reply.*nothing)();
    return Status::Ok();
  }
  const auto push = [to](WritableList& list, std::string_view element) {
    to == End::kLeft ? list.PushFront(element) : list.PushBack(element);
    list.Save();
  };
  std::string element;
  if (source_key == target_key) {
    element = PopOne(*source, from);
    push(*source, element);
  } else {
    Result<WritableList> target = WritableList::Open(ctx.txn(), ctx.db(), target_key);
    if (!target.ok()) return target.status();
    element = PopOne(*source, from);
    source->Save();
    push(*target, element);
  }
  NotifyPush(ctx, to, target_key);
  NotifyPop(ctx, from, source_key);
  reply.Bulk(element);
  return Status::Ok();
}

Status LMove(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<End> from = ParseEnd(args[3]);
  if (!from.ok()) return from.status();
  Result<End> to = ParseEnd(args[4]);
  if (!to.ok()) return to.status();
  return Move(ctx, args[1], args[2], *from, *to, &resp::Writer::Null, reply);
}

Status RPopLPush(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Move(ctx, args[1], args[2], End::kRight, End::kLeft, &resp::Writer::Null, reply);
}

Status BLMove(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<End> from = ParseEnd(args[3]);
  if (!from.ok()) return from.status();
  Result<End> to = ParseEnd(args[4]);
  if (!to.ok()) return to.status();
  RETURN_IF_ERROR(ParseTimeout(args[5]).status());
  return Move(ctx, args[1], args[2], *from, *to, &resp::Writer::Null, reply);
}

Status BRPopLPush(WriteContext& ctx, Args args, resp::Writer& reply) {
  RETURN_IF_ERROR(ParseTimeout(args[3]).status());
  return Move(ctx, args[1], args[2], End::kRight, End::kLeft, &resp::Writer::Null, reply);
}

// One element of the first list that is there: [key, element].
Status BlockingPop(WriteContext& ctx, Args args, End end, resp::Writer& reply) {
  RETURN_IF_ERROR(ParseTimeout(args.back()).status());
  for (std::string_view key : args.subspan(1, args.size() - 2)) {
    Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), key);
    if (!list.ok()) return list.status();
    if (!list->existed()) continue;
    reply.Array(2);
    reply.Bulk(key);
    reply.Bulk(PopOne(*list, end));
    list->Save();
    NotifyPop(ctx, end, key);
    return Status::Ok();
  }
  reply.NullArray();
  return Status::Ok();
}

Status BLPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  return BlockingPop(ctx, args, End::kLeft, reply);
}

Status BRPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  return BlockingPop(ctx, args, End::kRight, reply);
}

struct MultiplePop {
  Args keys;
  End end = End::kLeft;
  uint64_t count = 1;
};

// `args`: numkeys key... LEFT|RIGHT [COUNT count].
Result<MultiplePop> ParseMultiplePop(Args args) {
  Result<uint64_t> keys = ParseAtLeast(args[0], 1, "ERR numkeys should be greater than 0");
  if (!keys.ok()) return keys.status();
  if (*keys >= args.size() - 1) return Status(Code::kSyntax);
  MultiplePop pop;
  pop.keys = args.subspan(1, *keys);
  Result<End> end = ParseEnd(args[*keys + 1]);
  if (!end.ok()) return end.status();
  pop.end = *end;
  const Args options = args.subspan(*keys + 2);
  if (options.empty()) return pop;
  if (options.size() == 1 || !EqualsIgnoreCase(options[0], "COUNT")) return Status(Code::kSyntax);
  Result<uint64_t> count = ParseAtLeast(options[1], 1, "ERR count should be greater than 0");
  if (!count.ok()) return count.status();
  if (options.size() > 2) return Status(Code::kSyntax);
  pop.count = *count;
  return pop;
}

// Elements of the first list that is there: [key, [element...]].
Status PopFirst(WriteContext& ctx, const MultiplePop& pop, resp::Writer& reply) {
  for (std::string_view key : pop.keys) {
    Result<WritableList> list = WritableList::Open(ctx.txn(), ctx.db(), key);
    if (!list.ok()) return list.status();
    if (!list->existed()) continue;
    reply.Array(2);
    reply.Bulk(key);
    PopSome(*list, pop.end, pop.count, reply);
    list->Save();
    NotifyPop(ctx, pop.end, key);
    return Status::Ok();
  }
  reply.NullArray();
  return Status::Ok();
}

Status LMPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<MultiplePop> pop = ParseMultiplePop(args.subspan(1));
  if (!pop.ok()) return pop.status();
  return PopFirst(ctx, *pop, reply);
}

Status BLMPop(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<MultiplePop> pop = ParseMultiplePop(args.subspan(2));
  if (!pop.ok()) return pop.status();
  RETURN_IF_ERROR(ParseTimeout(args[1]).status());
  return PopFirst(ctx, *pop, reply);
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeyRange kFirstTwo{1, 2, 1};
constexpr KeyRange kAllButLast{1, -2, 1};

constexpr KeySpec kReads{kFirst, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kInserts{kFirst, KeyAccess::kRW, kKeyInsert};
constexpr KeySpec kUpdates{kFirst, KeyAccess::kRW, kKeyUpdate};
constexpr KeySpec kDeletes{kFirst, KeyAccess::kRW, kKeyDelete};
constexpr KeySpec kPops{kFirst, KeyAccess::kRW, kKeyAccess | kKeyDelete};
constexpr KeySpec kPopsAny{kAllButLast, KeyAccess::kRW, kKeyAccess | kKeyDelete};
constexpr KeySpec kPushesSecond{{2, 2, 1}, KeyAccess::kRW, kKeyInsert};

constexpr std::string_view kPushComplexity = "O(1) for each element.";
constexpr std::string_view kPopComplexity = "O(N) in the elements removed.";
constexpr std::string_view kEditComplexity =
    "O(N) in the elements from the head to the place; the first one far from both ends of a large "
    "list reads all of it.";

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec keys, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,    arity,  flags, kAclList,   keys.counted ? KeyRange() : keys.range,
          handler, "list", since, complexity, summary,
          {},      {keys}};
}

constexpr CommandSpec MoveRow(std::string_view name, int arity, uint32_t flags, Handler handler,
                              std::string_view since, std::string_view summary) {
  return {name,     arity,     kWrite | kDenyOom | flags,
          kAclList, kFirstTwo, handler,
          "list",   since,     "O(1)",
          summary,  {},        {kPops, kPushesSecond}};
}

constexpr CommandSpec kTable[] = {
    Row("lpush", -3, kWrite | kDenyOom | kFast, LPush, kInserts, "1.0.0", kPushComplexity,
        "Adds elements to the head of a list, one after the other."),
    Row("rpush", -3, kWrite | kDenyOom | kFast, RPush, kInserts, "1.0.0", kPushComplexity,
        "Adds elements to the tail of a list."),
    Row("lpushx", -3, kWrite | kDenyOom | kFast, LPushX, kInserts, "2.2.0", kPushComplexity,
        "Adds elements to the head of a list, if the key exists."),
    Row("rpushx", -3, kWrite | kDenyOom | kFast, RPushX, kInserts, "2.2.0", kPushComplexity,
        "Adds elements to the tail of a list, if the key exists."),
    Row("lpop", -2, kWrite | kFast, LPop, kPops, "1.0.0", kPopComplexity,
        "Removes and returns the first elements of a list."),
    Row("rpop", -2, kWrite | kFast, RPop, kPops, "1.0.0", kPopComplexity,
        "Removes and returns the last elements of a list, the last one first."),
    Row("llen", 2, kReadonly | kFast, LLen, {kFirst, KeyAccess::kRO, 0}, "1.0.0", "O(1)",
        "Returns how many elements a list has."),
    Row("lindex", 3, kReadonly, LIndex, kReads, "1.0.0",
        "O(1); O(log N) in a large list that was edited in its middle.",
        "Returns the element with an index."),
    Row("lset", 4, kWrite | kDenyOom, LSet, kUpdates, "1.0.0",
        "O(1); O(log N) in a large list that was edited in its middle.",
        "Replaces the element with an index."),
    Row("linsert", 5, kWrite | kDenyOom, LInsert, kInserts, "2.2.0", kEditComplexity,
        "Inserts an element before or after another one."),
    Row("lrange", 4, kReadonly | kLargeReply, LRange, kReads, "1.0.0",
        "O(N) in the elements returned.", "Returns the elements between two indexes."),
    Row("lrem", 4, kWrite, LRem, kDeletes, "1.0.0", kEditComplexity,
        "Removes elements that are equal to one, from either end on."),
    Row("ltrim", 4, kWrite, LTrim, kDeletes, "1.0.0",
        "O(N) in the elements removed, or in those that stay when they are fewer.",
        "Removes all elements but those between two indexes."),
    Row("lpos", -3, kReadonly, LPos, kReads, "6.0.6", "O(N) in the elements compared.",
        "Returns the indexes of elements that are equal to one."),
    MoveRow("lmove", 5, 0, LMove, "6.2.0",
            "Moves an element from an end of a list to an end of another one or of its own."),
    MoveRow("rpoplpush", 3, 0, RPopLPush, "1.2.0",
            "Moves the last element of a list to the head of another one or of its own."),
    Row("lmpop", -4, kWrite | kMovableKeys, LMPop,
        CountedKeys(1, KeyAccess::kRW, kKeyAccess | kKeyDelete), "7.0.0",
        "O(N+M) for N keys and M elements removed.",
        "Removes and returns elements of the first list that exists."),
    Row("blpop", -3, kWrite | kNoscript | kBlocking, BLPop, kPopsAny, "2.0.0",
        "O(N) in the number of keys.",
        "Removes and returns the first element of the first list that exists."),
    Row("brpop", -3, kWrite | kNoscript | kBlocking, BRPop, kPopsAny, "2.0.0",
        "O(N) in the number of keys.",
        "Removes and returns the last element of the first list that exists."),
    MoveRow("blmove", 6, kNoscript | kBlocking, BLMove, "6.2.0", "LMOVE with a timeout."),
    MoveRow("brpoplpush", 4, kNoscript | kBlocking, BRPopLPush, "2.2.0",
            "RPOPLPUSH with a timeout."),
    Row("blmpop", -5, kWrite | kBlocking | kMovableKeys, BLMPop,
        CountedKeys(2, KeyAccess::kRW, kKeyAccess | kKeyDelete), "7.0.0",
        "O(N+M) for N keys and M elements removed.", "LMPOP with a timeout.")};

}  // namespace

std::span<const CommandSpec> ListCommands() { return kTable; }

}  // namespace metastore::commands
