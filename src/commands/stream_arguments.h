// What the commands of streams and those of their consumer groups share: ids and intervals as
// Redis reads them, and how entries are replied.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "commands/context.h"
#include "resp/writer.h"
#include "types/stream.h"

namespace metastore::commands {

// "ms-seq", or "ms" with the sequence number that is missing then.
Result<types::StreamId> ParseStreamId(std::string_view text, uint64_t missing_seq = 0);
// "-" and "+", too, for the first and the last id that there can be.
Result<types::StreamId> ParseStreamIdOrEdge(std::string_view text, uint64_t missing_seq = 0);

// XADD's: "*" as the whole or as the sequence number leaves it to the stream.
struct NewStreamId {
  std::optional<uint64_t> ms;
  std::optional<uint64_t> seq;
};
Result<NewStreamId> ParseNewStreamId(std::string_view text);

// The ends of XRANGE's interval, which "(" excludes: what they come to with both ends included.
Result<types::StreamId> ParseIntervalStart(std::string_view text);
Result<types::StreamId> ParseIntervalEnd(std::string_view text);

Result<int64_t> ParseInteger(std::string_view text);

Status NoSuchGroup(std::string_view key, std::string_view group);

// "ERR unknown subcommand or wrong number of arguments for 'sub'. Try CONTAINER HELP."
Status BadSubcommand(std::string_view container, std::string_view subcommand);

void ReplyId(types::StreamId id, resp::Writer& reply);
// The id and the array of its fields and values.
void ReplyEntry(types::StreamId id, types::StreamFields fields, resp::Writer& reply);
// An array of at most `count` entries (0: all) from `first` to `last`.
void ReplyEntries(const types::Stream& stream, types::StreamId first, types::StreamId last,
                  uint64_t count, resp::Writer& reply);

}  // namespace metastore::commands
