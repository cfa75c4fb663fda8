// ZUNION and its family. Sources may be sets, too.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/parse.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "commands/sorted_set_handlers.h"
#include "types/sorted_set_algebra.h"

namespace metastore::commands {
namespace {

using types::Aggregate;
using types::ScoredMember;
using types::ScoredSource;

enum class Algebra : uint8_t { kUnion, kInter, kDiff };
enum class Outcome : uint8_t { kShown, kStored, kCounted };

struct Combination {
  Algebra algebra = Algebra::kUnion;
  std::vector<ScoredSource> sources;
  // Where not, the result is empty, since a source that it cannot do without is absent.
  bool whole = true;
  Aggregate aggregate = Aggregate::kSum;
  bool with_scores = false;
  int64_t limit = 0;  // of the count; 0: none
};

Status ParseOptions(Args args, Outcome outcome, Combination* combination,
                    std::vector<double>* weights) {
  const bool weighs = combination->algebra != Algebra::kDiff && outcome != Outcome::kCounted;
  for (size_t i = 0; i < args.size();) {
    const size_t left = args.size() - i;
    if (weighs && left > weights->size() && EqualsIgnoreCase(args[i], "WEIGHTS")) {
      for (double& weight : *weights) {
        if (!ParseDouble(args[++i], &weight)) {
          return errors::Custom("ERR weight value is not a float");
        }
      }
      ++i;
    } else if (weighs && left >= 2 && EqualsIgnoreCase(args[i], "AGGREGATE")) {
      if (EqualsIgnoreCase(args[i + 1], "SUM")) {
        combination->aggregate = Aggregate::kSum;
      } else if (EqualsIgnoreCase(args[i + 1], "MIN")) {
        combination->aggregate = Aggregate::kMin;
      } else if (EqualsIgnoreCase(args[i + 1], "MAX")) {
        combination->aggregate = Aggregate::kMax;
      } else {
        return Status(Code::kSyntax);
      }
      i += 2;
    } else if (outcome == Outcome::kShown && EqualsIgnoreCase(args[i], "WITHSCORES")) {
      combination->with_scores = true;
      ++i;
    } else if (outcome == Outcome::kCounted && left >= 2 && EqualsIgnoreCase(args[i], "LIMIT")) {
      if (!ParseInt64(args[i + 1], &combination->limit) || combination->limit < 0) {
        return errors::Custom("ERR LIMIT can't be negative");
      }
      i += 2;
    } else {
      return Status(Code::kSyntax);
    }
  }
  return Status::Ok();
}

// `args` begin with the number of keys. The keys' types come before the options, as in Redis.
Result<Combination> Parse(const engine::View& view, int db, Args args, Algebra algebra,
                          Outcome outcome, std::string_view command) {
  int64_t numkeys = 0;
  if (!ParseInt64(args[0], &numkeys)) return Status(Code::kNotInteger);
  if (numkeys < 1) {
    return errors::Custom("ERR at least 1 input key is needed for '" + std::string(command) +
                          "' command");
  }
  if (numkeys > static_cast<int64_t>(args.size()) - 1) return Status(Code::kSyntax);
  const Args keys = args.subspan(1, static_cast<size_t>(numkeys));
  std::vector<std::optional<ScoredSource>> found;
  for (std::string_view key : keys) {
    Result<std::optional<ScoredSource>> source = types::FindScoredSource(view, db, key);
    if (!source.ok()) return source.status();
    found.push_back(std::move(*source));
  }
  Combination combination;
  combination.algebra = algebra;
  std::vector<double> weights(keys.size(), 1);
  RETURN_IF_ERROR(ParseOptions(args.subspan(1 + keys.size()), outcome, &combination, &weights));
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i]) {
      found[i]->weight = weights[i];
      combination.sources.push_back(std::move(*found[i]));
    } else if (algebra == Algebra::kInter || (algebra == Algebra::kDiff && i == 0)) {
      combination.whole = false;
    }
  }
  if (combination.sources.empty()) combination.whole = false;
  if (algebra != Algebra::kDiff) types::SortBySize(&combination.sources);
  return combination;
}

void Visit(const Combination& combination, const types::VisitScored& visit) {
  if (!combination.whole) return;
  switch (combination.algebra) {
    case Algebra::kUnion:
      return types::UniteScored(combination.sources, combination.aggregate, visit);
    case Algebra::kInter:
      return types::IntersectScored(combination.sources, combination.aggregate, visit);
    case Algebra::kDiff:
      return types::SubtractScored(combination.sources, visit);
  }
}

std::vector<ScoredMember> MembersOf(const Combination& combination) {
  std::vector<ScoredMember> members;
  Visit(combination, [&](std::string_view member, double score) {
    members.push_back({std::string(member), score});
    return true;
  });
  return members;
}

Status Show(ReadContext& ctx, Args args, Algebra algebra, std::string_view command,
            resp::Writer& reply) {
  Result<Combination> combination =
      Parse(ctx.view(), ctx.db(), args.subspan(1), algebra, Outcome::kShown, command);
  if (!combination.ok()) return combination.status();
  std::vector<ScoredMember> members = MembersOf(*combination);
  std::sort(members.begin(), members.end(), types::StandsBefore);
  const bool with_scores = combination->with_scores;
  const bool nested = with_scores && reply.protocol() == 3;
  reply.Array(with_scores && !nested ? 2 * members.size() : members.size());
  for (const ScoredMember& one : members) {
    if (nested) reply.Array(2);
    reply.Bulk(one.member);
    if (with_scores) reply.Double(one.score);
  }
  return Status::Ok();
}

Status Store(WriteContext& ctx, Args args, Algebra algebra, std::string_view command,
             resp::Writer& reply) {
  Result<Combination> combination =
      Parse(ctx.txn(), ctx.db(), args.subspan(2), algebra, Outcome::kStored, command);
  if (!combination.ok()) return combination.status();
  // The target may be one of the sources: the result is whole before anything is written.
  std::vector<ScoredMember> members = MembersOf(*combination);
  const size_t size = members.size();
  reply.Integer(static_cast<int64_t>(size));
  StoreNotice notice(ctx, args[1]);
  types::StoreSortedSet(ctx.txn(), ctx.db(), args[1], std::move(members));
  notice.Tell(engine::kNotifyZset, command, size == 0);
  return Status::Ok();
}

}  // namespace

Status ZUnion(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, Algebra::kUnion, "zunion", reply);
}
Status ZInter(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, Algebra::kInter, "zinter", reply);
}
Status ZDiff(ReadContext& ctx, Args args, resp::Writer& reply) {
  return Show(ctx, args, Algebra::kDiff, "zdiff", reply);
}
Status ZUnionStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Store(ctx, args, Algebra::kUnion, "zunionstore", reply);
}
Status ZInterStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Store(ctx, args, Algebra::kInter, "zinterstore", reply);
}
Status ZDiffStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return Store(ctx, args, Algebra::kDiff, "zdiffstore", reply);
}

Status ZInterCard(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<Combination> combination = Parse(ctx.view(), ctx.db(), args.subspan(1), Algebra::kInter,
                                          Outcome::kCounted, "zintercard");
  if (!combination.ok()) return combination.status();
  int64_t count = 0;
  Visit(*combination, [&](std::string_view, double) { return ++count != combination->limit; });
  reply.Integer(count);
  return Status::Ok();
}

}  // namespace metastore::commands
