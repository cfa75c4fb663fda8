#include "commands/stream_arguments.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/parse.h"
#include "commands/errors.h"

namespace metastore::commands {
namespace {

using types::StreamId;

// Longer ones are refused, as in Redis.
constexpr size_t kMaxIdChars = 127;

Status InvalidId() {
  return errors::Custom("ERR Invalid stream ID specified as stream command argument");
}

// Redis's string2ull: what is no plain integer goes to strtoull, which takes leading space, signs
// and zeros.
bool ParseIdNumber(std::string_view text, uint64_t* value) {
  int64_t integer;
  if (ParseInt64(text, &integer)) {
    *value = static_cast<uint64_t>(integer);
    return integer >= 0;
  }
  const std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  *value = std::strtoull(terminated.c_str(), &end, 10);
  return errno == 0 && !terminated.empty() && end == terminated.c_str() + terminated.size();
}

}  // namespace

Result<StreamId> ParseStreamId(std::string_view text, uint64_t missing_seq) {
  if (text.size() > kMaxIdChars) return InvalidId();
  // Redis reads it as a C string.
  text = text.substr(0, text.find('\0'));
  const size_t dash = text.find('-');
  StreamId id{0, missing_seq};
  if (!ParseIdNumber(text.substr(0, dash), &id.ms)) return InvalidId();
  if (dash != text.npos && !ParseIdNumber(text.substr(dash + 1), &id.seq)) return InvalidId();
  return id;
}

Result<StreamId> ParseStreamIdOrEdge(std::string_view text, uint64_t missing_seq) {
  if (text == "-") return types::kMinStreamId;
  if (text == "+") return types::kMaxStreamId;
  return ParseStreamId(text, missing_seq);
}

Result<NewStreamId> ParseNewStreamId(std::string_view text) {
  if (text == "*") return NewStreamId{};
  const size_t dash = text.find('-');
  if (dash != text.npos && text.substr(dash + 1) == "*") {
    // Too long with the star is too long.
    if (text.size() > kMaxIdChars) return InvalidId();
    Result<StreamId> id = ParseStreamId(text.substr(0, dash));
    if (!id.ok()) return id.status();
    return NewStreamId{id->ms, std::nullopt};
  }
  Result<StreamId> id = ParseStreamId(text);
  if (!id.ok()) return id.status();
  return NewStreamId{id->ms, id->seq};
}

Result<StreamId> ParseIntervalStart(std::string_view text) {
  const bool excluded = text.size() > 1 && text[0] == '(';
  Result<StreamId> id = excluded ? ParseStreamId(text.substr(1)) : ParseStreamIdOrEdge(text);
  if (id.ok() && excluded && !id->Increment()) {
    return errors::Custom("ERR invalid start ID for the interval");
  }
  return id;
}

Result<StreamId> ParseIntervalEnd(std::string_view text) {
  const bool excluded = text.size() > 1 && text[0] == '(';
  Result<StreamId> id =
      excluded ? ParseStreamId(text.substr(1), UINT64_MAX) : ParseStreamIdOrEdge(text, UINT64_MAX);
  if (id.ok() && excluded && !id->Decrement()) {
    return errors::Custom("ERR invalid end ID for the interval");
  }
  return id;
}

Result<int64_t> ParseInteger(std::string_view text) {
  int64_t value;
  if (!ParseInt64(text, &value)) return Status(Code::kNotInteger);
  return value;
}

Status NoSuchGroup(std::string_view key, std::string_view group) {
  return errors::Custom("NOGROUP No such key '" + std::string(key) + "' or consumer group '" +
                        std::string(group) + "'");
}

Status BadSubcommand(std::string_view container, std::string_view subcommand) {
  constexpr size_t kMaxQuotedBytes = 128;
  return errors::Custom("ERR unknown subcommand or wrong number of arguments for '" +
                        std::string(subcommand.substr(0, kMaxQuotedBytes)) + "'. Try " +
                        std::string(container) + " HELP.");
}

void ReplyId(StreamId id, resp::Writer& reply) { reply.Bulk(id.ToString()); }

void ReplyEntry(StreamId id, types::StreamFields fields, resp::Writer& reply) {
  reply.Array(2);
  ReplyId(id, reply);
  reply.Array(fields.size());
  for (std::string_view field : fields) reply.Bulk(field);
}

void ReplyEntries(const types::Stream& stream, StreamId first, StreamId last, uint64_t count,
                  resp::Writer& reply) {
  WriteCounted(reply, resp::Aggregate::kArray, [&] {
    uint64_t entries = 0;
    stream.ForEach(first, last, [&](StreamId id, types::StreamFields fields) {
      ReplyEntry(id, fields, reply);
      return ++entries != count;
    });
    return entries;
  });
}

}  // namespace metastore::commands
