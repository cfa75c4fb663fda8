// ZRANGE and its family: ranges by rank, by score and by the bytes of members.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/parse.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "commands/sorted_set_handlers.h"

namespace metastore::commands {
namespace {

using types::Direction;
using types::LexBound;
using types::LexRange;
using types::RankRange;
using types::ScoredMember;
using types::ScoreRange;
using types::SortedSet;
using types::SortedSetRange;

// The most members that Redis begins to store in its compact form, where it knows how many will
// come.
constexpr size_t kCompactMembers = types::EncodingLimits().zset_max_listpack_entries;

enum class By : uint8_t { kRank, kScore, kLex };

// strtod's form of what stands before the first zero byte: leading spaces and nothing at all, which
// is 0, are good, and what is too large is infinite.
bool ParseScoreBound(std::string_view text, double* score, bool* open) {
  const std::string bound(text.substr(0, text.find('\0')));
  *open = !bound.empty() && bound[0] == '(';
  char* end = nullptr;
  *score = std::strtod(bound.c_str() + (*open ? 1 : 0), &end);
  return *end == '\0' && !std::isnan(*score);
}

bool ParseLexBound(std::string_view text, LexBound* bound) {
  if (text.empty()) return false;
  bound->open = text[0] != '[';
  switch (text[0]) {
    case '+':
    case '-':
      bound->kind = text[0] == '+' ? LexBound::Kind::kHighest : LexBound::Kind::kLowest;
      return text.size() == 1 || text[1] == '\0';
    case '(':
    case '[':
      bound->kind = LexBound::Kind::kMember;
      bound->member = text.substr(1);
      return true;
    default:
      return false;
  }
}

// Ranks as the client counts them: below 0 from the end.
struct RankBounds {
  int64_t start = 0;
  int64_t end = 0;

  RankRange In(uint64_t size) const {
    const auto length = static_cast<int64_t>(size);
    const int64_t first = std::max<int64_t>(start < 0 ? start + length : start, 0);
    const int64_t last = std::min(end < 0 ? end + length : end, length - 1);
    if (first > last) return {0, 0};
    return {static_cast<uint64_t>(first), static_cast<uint64_t>(last) + 1};
  }
};

// A range whose ranks, if it is one of ranks, wait for the size of the set.
struct ParsedRange {
  By by = By::kRank;
  RankBounds ranks;
  ScoreRange scores;
  LexRange lex;

  SortedSetRange In(uint64_t size) const {
    if (by == By::kRank) return ranks.In(size);
    if (by == By::kScore) return scores;
    return lex;
  }
};

Result<ParsedRange> ParseRange(By by, std::string_view min, std::string_view max) {
  ParsedRange range;
  range.by = by;
  switch (by) {
    case By::kRank:
      if (!ParseInt64(min, &range.ranks.start) || !ParseInt64(max, &range.ranks.end)) {
        return Status(Code::kNotInteger);
      }
      break;
    case By::kScore:
      if (!ParseScoreBound(min, &range.scores.min, &range.scores.min_open) ||
          !ParseScoreBound(max, &range.scores.max, &range.scores.max_open)) {
        return errors::Custom("ERR min or max is not a float");
      }
      break;
    case By::kLex:
      if (!ParseLexBound(min, &range.lex.min) || !ParseLexBound(max, &range.lex.max)) {
        return errors::Custom("ERR min or max not valid string range item");
      }
      break;
  }
  return range;
}

// What a command of ZRANGE's family asks for, its key left out.
struct RangeQuery {
  ParsedRange range;
  Direction direction = Direction::kForward;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;  // below 0: none
};

// What the command's name does not say, options may.
struct RangeForm {
  std::optional<By> by;
  std::optional<Direction> direction;
  bool store = false;
};

// `args`: min, max and options.
Result<RangeQuery> ParseQuery(Args args, RangeForm form) {
  RangeQuery query;
  for (size_t i = 2; i < args.size(); ++i) {
    if (!form.store && EqualsIgnoreCase(args[i], "WITHSCORES")) {
      query.with_scores = true;
    } else if (EqualsIgnoreCase(args[i], "LIMIT") && i + 2 < args.size()) {
      if (!ParseInt64(args[i + 1], &query.offset) || !ParseInt64(args[i + 2], &query.limit)) {
        return Status(Code::kNotInteger);
      }
      i += 2;
    } else if (!form.direction && EqualsIgnoreCase(args[i], "REV")) {
      form.direction = Direction::kBackward;
    } else if (!form.by && EqualsIgnoreCase(args[i], "BYLEX")) {
      form.by = By::kLex;
    } else if (!form.by && EqualsIgnoreCase(args[i], "BYSCORE")) {
      form.by = By::kScore;
    } else {
      return Status(Code::kSyntax);
    }
  }
  query.direction = form.direction.value_or(Direction::kForward);
  const By by = form.by.value_or(By::kRank);
  if (query.limit != -1 && by == By::kRank) {
    return errors::Custom(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
  }
  if (query.with_scores && by == By::kLex) {
    return errors::Custom("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
  }
  const bool from_max = query.direction == Direction::kBackward && by != By::kRank;
  Result<ParsedRange> range =
      from_max ? ParseRange(by, args[1], args[0]) : ParseRange(by, args[0], args[1]);
  if (!range.ok()) return range.status();
  query.range = *range;
  return query;
}

// How many members are asked for, where that is known without a walk.
std::optional<size_t> KnownSize(const SortedSet& set, const RangeQuery& query) {
  if (query.range.by != By::kRank) return std::nullopt;
  const RankRange ranks = query.range.ranks.In(set.size());
  return ranks.first < ranks.end ? ranks.end - ranks.first : 0;
}

// Visits what is asked for.
void Walk(const SortedSet& set, const RangeQuery& query, const types::VisitScored& visit) {
  if (query.range.by == By::kRank) {
    RankRange ranks = query.range.ranks.In(set.size());
    if (query.direction == Direction::kBackward && ranks.first < ranks.end) {
      ranks = {set.size() - ranks.end, set.size() - ranks.first};
    }
    return set.Walk(ranks, query.direction, 0, visit);
  }
  if (query.offset < 0 || query.limit == 0) return;
  uint64_t left = query.limit < 0 ? UINT64_MAX : static_cast<uint64_t>(query.limit);
  set.Walk(query.range.In(set.size()), query.direction, static_cast<uint64_t>(query.offset),
           [&](std::string_view member, double score) {
             if (!visit(member, score)) return false;
             return --left != 0;
           });
}

Status Show(ReadContext& ctx, Args args, const RangeForm& form, resp::Writer& reply) {
  Result<RangeQuery> query = ParseQuery(args.subspan(2), form);
  if (!query.ok()) return query.status();
  Result<std::optional<SortedSet>> set = FindSortedSet(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  const bool nested = query->with_scores && reply.protocol() == 3;
  // Members and scores, where these stand beside them.
  const size_t each = query->with_scores && !nested ? 2 : 1;
  std::optional<size_t> known = *set ? KnownSize(**set, *query) : 0;
  if (known) *known *= each;
  WriteCounted(reply, resp::Aggregate::kArray, known, [&] {
    size_t count = 0;
    if (!*set) return count;
    Walk(**set, *query, [&](std::string_view member, double score) {
      ++count;
      if (nested) reply.Array(2);
      reply.Bulk(member);
      if (query->with_scores) reply.Double(score);
      return true;
    });
    return each * count;
  });
  return Status::Ok();
}

Status Count(ReadContext& ctx, Args args, By by, resp::Writer& reply) {
  Result<ParsedRange> range = ParseRange(by, args[2], args[3]);
  if (!range.ok()) return range.status();
  Result<std::optional<SortedSet>> set = FindSortedSet(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  reply.Integer(*set ? static_cast<int64_t>((*set)->Count(range->In((*set)->size()))) : 0);
  return Status::Ok();
}

Status Remove(WriteContext& ctx, Args args, By by, std::string_view event, resp::Writer& reply) {
  Result<ParsedRange> range = ParseRange(by, args[2], args[3]);
  if (!range.ok()) return range.status();
  Result<std::optional<SortedSet>> set = FindSortedSet(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  uint64_t removed = 0;
  if (*set) {
    removed = types::RemoveRange(ctx.txn(), ctx.db(), args[1], range->In((*set)->size()));
  }
  if (removed > 0) NotifyRemoval(ctx, engine::kNotifyZset, event, args[1]);
  reply.Integer(static_cast<int64_t>(removed));
  return Status::Ok();
}

}  // namespace

Status ZRange(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, {}, reply);
}
Status ZRangeByScore(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, {By::kScore, Direction::kForward}, reply);
}
Status ZRangeByLex(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, {By::kLex, Direction::kForward}, reply);
}
Status ZRevRange(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, {By::kRank, Direction::kBackward}, reply);
}
Status ZRevRangeByScore(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, {By::kScore, Direction::kBackward}, reply);
}
Status ZRevRangeByLex(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, {By::kLex, Direction::kBackward}, reply);
}

Status ZRangeStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<RangeQuery> query =
      ParseQuery(args.subspan(3), {.by = {}, .direction = {}, .store = true});
  if (!query.ok()) return query.status();
  Result<std::optional<SortedSet>> set = FindSortedSet(ctx.txn(), ctx.db(), args[2]);
  if (!set.ok()) return set.status();
  std::vector<ScoredMember> members;
  if (*set) {
    Walk(**set, *query, [&](std::string_view member, double score) {
      members.push_back({std::string(member), score});
      return true;
    });
  }
  if (query->range.by != By::kRank || members.size() <= kCompactMembers) {
    types::DropFirstSigns(&members);
  }
  const size_t size = members.size();
  reply.Integer(static_cast<int64_t>(size));
  StoreNotice notice(ctx, args[1]);
  types::StoreSortedSet(ctx.txn(), ctx.db(), args[1], std::move(members));
  notice.Tell(engine::kNotifyZset, "zrangestore", size == 0);
  return Status::Ok();
}

Status ZCount(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Count(ctx, args, By::kScore, reply);
}
Status ZLexCount(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Count(ctx, args, By::kLex, reply);
}
Status ZRemRangeByRank(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Remove(ctx, args, By::kRank, "zremrangebyrank", reply);
}
Status ZRemRangeByScore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Remove(ctx, args, By::kScore, "zremrangebyscore", reply);
}
Status ZRemRangeByLex(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Remove(ctx, args, By::kLex, "zremrangebylex", reply);
}

}  // namespace metastore::commands
