// Handlers of the sorted-set group that stand in files of their own; the table is in
// sorted_set_commands.cc.
#pragma once

#include <optional>
#include <string_view>

#include "base/status.h"
#include "commands/context.h"
#include "types/sorted_set.h"

namespace metastore::commands {

// The sorted set, nothing where the key is absent, or the error.
Result<std::optional<types::SortedSet>> FindSortedSet(const engine::View& view, int db,
                                                      std::string_view key);

// sorted_set_ranges.cc
Status ZRange(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZRangeByScore(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZRangeByLex(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZRevRange(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZRevRangeByScore(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZRevRangeByLex(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZRangeStore(WriteContext& ctx, Args args, resp::Writer& reply);
Status ZCount(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZLexCount(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZRemRangeByRank(WriteContext& ctx, Args args, resp::Writer& reply);
Status ZRemRangeByScore(WriteContext& ctx, Args args, resp::Writer& reply);
Status ZRemRangeByLex(WriteContext& ctx, Args args, resp::Writer& reply);

// sorted_set_algebra_commands.cc
Status ZUnion(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZInter(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZDiff(ReadContext& ctx, Args args, resp::Writer& reply);
Status ZUnionStore(WriteContext& ctx, Args args, resp::Writer& reply);
Status ZInterStore(WriteContext& ctx, Args args, resp::Writer& reply);
Status ZDiffStore(WriteContext& ctx, Args args, resp::Writer& reply);
Status ZInterCard(ReadContext& ctx, Args args, resp::Writer& reply);

}  // namespace metastore::commands
