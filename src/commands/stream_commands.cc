// Streams: entries and reading them, XREADGROUP among it. The other commands of consumer groups are
// in stream_group_commands.cc.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "commands/stream_arguments.h"
#include "commands/stream_group_commands.h"
#include "types/stream.h"

namespace metastore::commands {
namespace {

using types::PendingEntry;
using types::Stream;
using types::StreamConsumer;
using types::StreamFields;
using types::StreamGroup;
using types::StreamId;
using types::WritableGroup;
using types::WritableStream;

// What "~" without a LIMIT removes at most in one command: Redis's default.
constexpr int64_t kDefaultTrimLimit = 10000;

struct TrimOptions {
  std::optional<int64_t> max_length;
  std::optional<StreamId> min_id;
  uint64_t limit = UINT64_MAX;
  // XADD's.
  bool no_make_stream = false;
  NewStreamId id;
  size_t id_index = 0;

  bool given() const { return max_length || min_id; }
};

Result<TrimOptions> ParseTrim(Args args, bool xadd) {
  TrimOptions options;
  std::optional<int64_t> limit;
  bool approximate = false;
  size_t i = 2;
  for (; i < args.size(); ++i) {
    const size_t more = args.size() - 1 - i;
    if (xadd && args[i] == "*") break;
    const bool by_length = EqualsIgnoreCase(args[i], "MAXLEN");
    if ((by_length || EqualsIgnoreCase(args[i], "MINID")) && more > 0) {
      if (options.given()) {
        return errors::Custom(
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
      }
      approximate = more >= 2 && args[i + 1] == "~";
      if (approximate || (more >= 2 && args[i + 1] == "=")) ++i;
      ++i;
      if (by_length) {
        Result<int64_t> length = ParseInteger(args[i]);
        if (!length.ok()) return length.status();
        if (*length < 0) return errors::Custom("ERR The MAXLEN argument must be >= 0.");
        options.max_length = *length;
      } else {
        Result<StreamId> id = ParseStreamId(args[i]);
        if (!id.ok()) return id.status();
        options.min_id = *id;
      }
    } else if (EqualsIgnoreCase(args[i], "LIMIT") && more > 0) {
      Result<int64_t> given = ParseInteger(args[++i]);
      if (!given.ok()) return given.status();
      if (*given < 0) return errors::Custom("ERR The LIMIT argument must be >= 0.");
      limit = *given;
    } else if (xadd && EqualsIgnoreCase(args[i], "NOMKSTREAM")) {
      options.no_make_stream = true;
    } else if (xadd) {
      Result<NewStreamId> id = ParseNewStreamId(args[i]);
      if (!id.ok()) return id.status();
      options.id = *id;
      break;
    } else {
      return Status(Code::kSyntax);
    }
  }
  options.id_index = i;
  if (limit.value_or(0) != 0 && !options.given()) {
    return errors::Custom(
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  }
  if (!xadd && !options.given()) {
    return errors::Custom("ERR syntax error, XTRIM must be called with a trimming strategy");
  }
  if (limit && !approximate) {
    return errors::Custom("ERR syntax error, LIMIT cannot be used without the special ~ option");
  }
  if (approximate) {
    const int64_t most = limit.value_or(kDefaultTrimLimit);
    if (most != 0) options.limit = static_cast<uint64_t>(most);
  }
  return options;
}

uint64_t Trim(WritableStream* stream, const TrimOptions& options) {
  if (options.max_length) {
    return stream->TrimToLength(static_cast<uint64_t>(*options.max_length), options.limit);
  }
  if (options.min_id) return stream->TrimBelow(*options.min_id, options.limit);
  return 0;
}

Status IdTooSmall() {
  return errors::Custom(
      "ERR The ID specified in XADD is equal or smaller than the target stream top item");
}

// The id of a new entry behind `last`.
Result<StreamId> NextId(const NewStreamId& wanted, StreamId last, int64_t now_ms) {
  StreamId next = last;
  if (!wanted.ms) {
    const auto now = static_cast<uint64_t>(now_ms);
    if (now > last.ms) return StreamId{now, 0};
    CHECK(next.Increment());
    return next;
  }
  if (wanted.seq) {
    next = {*wanted.ms, *wanted.seq};
  } else if (*wanted.ms != last.ms) {
    next = {*wanted.ms, 0};
  } else if (next.seq == UINT64_MAX) {
    return IdTooSmall();
  } else {
    ++next.seq;
  }
  if (next <= last) return IdTooSmall();
  return next;
}

Status XAdd(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<TrimOptions> options = ParseTrim(args, true);
  if (!options.ok()) return options.status();
  const Args fields = args.subspan(std::min(options->id_index + 1, args.size()));
  if (fields.size() < 2 || fields.size() % 2 != 0) return errors::WrongArity("xadd");
  if (options->id.ms == 0u && options->id.seq == 0u) {
    return errors::Custom("ERR The ID specified in XADD must be greater than 0-0");
  }
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[1]);
  if (!stream.ok()) return stream.status();
  if (!stream->existed() && options->no_make_stream) {
    reply.Null();
    return Status::Ok();
  }
  if (stream->info().last_id == types::kMaxStreamId) {
    return errors::Custom(
        "ERR The stream has exhausted the last possible ID, unable to add more items");
  }
  Result<StreamId> id = NextId(options->id, stream->info().last_id, ctx.now_ms());
  if (!id.ok()) return id.status();
  uint64_t bytes = 0;
  for (std::string_view field : fields) bytes += field.size();
  if (bytes > types::kMaxStreamEntryBytes) {
    return errors::Custom("ERR Elements are too large to be stored");
  }
  stream->Append(*id, fields);
  const bool trimmed = Trim(&*stream, *options) > 0;
  stream->Save();
  Notify(ctx, engine::kNotifyStream, "xadd", args[1]);
  if (trimmed) Notify(ctx, engine::kNotifyStream, "xtrim", args[1]);
  ReplyId(*id, reply);
  return Status::Ok();
}

Status XTrim(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<TrimOptions> options = ParseTrim(args, false);
  if (!options.ok()) return options.status();
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[1]);
  if (!stream.ok()) return stream.status();
  const uint64_t removed = Trim(&*stream, *options);
  if (removed > 0) {
    stream->Save();
    Notify(ctx, engine::kNotifyStream, "xtrim", args[1]);
  }
  reply.Integer(static_cast<int64_t>(removed));
  return Status::Ok();
}

Status XDel(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[1]);
  if (!stream.ok()) return stream.status();
  if (!stream->existed()) {
    reply.Integer(0);
    return Status::Ok();
  }
  std::vector<StreamId> ids;
  for (std::string_view arg : args.subspan(2)) {
    Result<StreamId> id = ParseStreamId(arg);
    if (!id.ok()) return id.status();
    ids.push_back(*id);
  }
  int64_t erased = 0;
  for (StreamId id : ids) erased += stream->Erase(id);
  if (erased > 0) {
    stream->Save();
    Notify(ctx, engine::kNotifyStream, "xdel", args[1]);
  }
  reply.Integer(erased);
  return Status::Ok();
}

Status XSetId(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<StreamId> id = ParseStreamId(args[2]);
  if (!id.ok()) return id.status();
  std::optional<int64_t> entries_added;
  StreamId max_deleted;
  for (size_t i = 3; i < args.size(); i += 2) {
    const bool more = i + 1 < args.size();
    if (EqualsIgnoreCase(args[i], "ENTRIESADDED") && more) {
      Result<int64_t> entries = ParseInteger(args[i + 1]);
      if (!entries.ok()) return entries.status();
      if (*entries < 0) return errors::Custom("ERR entries_added must be positive");
      entries_added = *entries;
    } else if (EqualsIgnoreCase(args[i], "MAXDELETEDID") && more) {
      Result<StreamId> deleted = ParseStreamId(args[i + 1]);
      if (!deleted.ok()) return deleted.status();
      max_deleted = *deleted;
      if (*id < max_deleted) {
        return errors::Custom(
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      }
    } else {
      return Status(Code::kSyntax);
    }
  }
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[1]);
  if (!stream.ok()) return stream.status();
  if (!stream->existed()) return Status(Code::kNoSuchKey);
  if (stream->size() > 0) {
    if (*id < stream->LastEntry()) {
      return errors::Custom(
          "ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if (entries_added && stream->size() > static_cast<uint64_t>(*entries_added)) {
      return errors::Custom(
          "ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
  }
  stream->set_last_id(*id);
  if (entries_added) stream->set_entries_added(static_cast<uint64_t>(*entries_added));
  if (max_deleted != types::kMinStreamId) stream->set_max_deleted_id(max_deleted);
  stream->Save();
  Notify(ctx, engine::kNotifyStream, "xsetid", args[1]);
  reply.Ok();
  return Status::Ok();
}

Status XLen(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<Stream> stream = Stream::Find(ctx.view(), ctx.db(), args[1]);
  if (!stream.ok() && stream.code() != Code::kNotFound) return stream.status();
  reply.Integer(stream.ok() ? static_cast<int64_t>(stream->size()) : 0);
  return Status::Ok();
}

Status RangeGeneric(ReadContext& ctx, Args args, bool reverse, resp::Writer& reply) {
  Result<StreamId> first = ParseIntervalStart(args[reverse ? 3 : 2]);
  if (!first.ok()) return first.status();
  Result<StreamId> last = ParseIntervalEnd(args[reverse ? 2 : 3]);
  if (!last.ok()) return last.status();
  std::optional<int64_t> count;
  for (size_t i = 4; i < args.size(); i += 2) {
    if (!EqualsIgnoreCase(args[i], "COUNT") || i + 1 == args.size()) return Status(Code::kSyntax);
    Result<int64_t> given = ParseInteger(args[i + 1]);
    if (!given.ok()) return given.status();
    count = std::max<int64_t>(*given, 0);
  }
  Result<Stream> stream = Stream::Find(ctx.view(), ctx.db(), args[1]);
  if (stream.code() == Code::kNotFound) {
    reply.Array(0);
    return Status::Ok();
  }
  if (!stream.ok()) return stream.status();
  if (count == 0) {
    reply.NullArray();
    return Status::Ok();
  }
  const auto most = static_cast<uint64_t>(count.value_or(0));
  if (!reverse) {
    ReplyEntries(*stream, *first, *last, most, reply);
    return Status::Ok();
  }
  WriteCounted(reply, resp::Aggregate::kArray, [&] {
    uint64_t entries = 0;
    stream->ForEachReverse(*first, *last, [&](StreamId id, StreamFields fields) {
      ReplyEntry(id, fields, reply);
      return ++entries != most;
    });
    return entries;
  });
  return Status::Ok();
}

Status XRange(ReadContext& ctx, Args args, resp::Writer& reply) {
  return RangeGeneric(ctx, args, false, reply);
}
Status XRevRange(ReadContext& ctx, Args args, resp::Writer& reply) {
  return RangeGeneric(ctx, args, true, reply);
}

// XREAD's and XREADGROUP's.
struct ReadOptions {
  uint64_t count = 0;  // 0: all
  bool no_ack = false;
  std::optional<std::string_view> group;
  std::string_view consumer;
  Args keys, ids;
};

Result<ReadOptions> ParseRead(Args args, bool with_group) {
  ReadOptions options;
  bool found = false;
  for (size_t i = 1; i < args.size() && !found; ++i) {
    const size_t more = args.size() - 1 - i;
    if (EqualsIgnoreCase(args[i], "BLOCK") && more > 0) {
      int64_t timeout_ms;
      if (!ParseInt64(args[++i], &timeout_ms)) {
        return errors::Custom("ERR timeout is not an integer or out of range");
      }
      if (timeout_ms < 0) return errors::Custom("ERR timeout is negative");
    } else if (EqualsIgnoreCase(args[i], "COUNT") && more > 0) {
      Result<int64_t> count = ParseInteger(args[++i]);
      if (!count.ok()) return count.status();
      options.count = static_cast<uint64_t>(std::max<int64_t>(*count, 0));
    } else if (EqualsIgnoreCase(args[i], "STREAMS") && more > 0) {
      if (more % 2 != 0) {
        return errors::Custom(
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
            "specified.");
      }
      options.keys = args.subspan(i + 1, more / 2);
      options.ids = args.subspan(i + 1 + more / 2);
      found = true;
    } else if (EqualsIgnoreCase(args[i], "GROUP") && more >= 2) {
      if (!with_group) {
        return errors::Custom(
            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
      }
      options.group = args[i + 1];
      options.consumer = args[i + 2];
      i += 2;
    } else if (EqualsIgnoreCase(args[i], "NOACK")) {
      if (!with_group) {
        return errors::Custom(
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
      }
      options.no_ack = true;
    } else {
      return Status(Code::kSyntax);
    }
  }
  if (!found) return Status(Code::kSyntax);
  if (with_group && !options.group) {
    return errors::Custom("ERR Missing GROUP option for XREADGROUP");
  }
  return options;
}

// The header of what is read of a stream, behind those of the other streams.
void ReplyStreamName(std::string_view key, resp::Writer& reply) {
  if (reply.protocol() == 2) reply.Array(2);
  reply.Bulk(key);
}

// RESP2: pairs of a stream's name and its entries; RESP3: a map. Where their number is known before
// they are written.
void BeginRead(size_t streams, resp::Writer& reply) {
  if (streams == 0) {
    reply.NullArray();
  } else if (reply.protocol() == 2) {
    reply.Array(streams);
  } else {
    reply.Map(streams);
  }
}

// Where it is known behind them.
void FinishRead(size_t position, size_t streams, resp::Writer& reply) {
  if (streams == 0) {
    reply.NullArray();
  } else if (reply.protocol() == 2) {
    reply.ArrayAt(position, streams);
  } else {
    reply.MapAt(position, streams);
  }
}

Status XRead(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<ReadOptions> options = ParseRead(args, false);
  if (!options.ok()) return options.status();
  std::vector<StreamId> after;
  size_t streams = 0;
  for (size_t i = 0; i < options->keys.size(); ++i) {
    Result<Stream> stream = Stream::Find(ctx.view(), ctx.db(), options->keys[i]);
    if (!stream.ok() && stream.code() != Code::kNotFound) return stream.status();
    const std::string_view text = options->ids[i];
    StreamId& id = after.emplace_back();
    if (text == "$") {
      if (stream.ok()) id = stream->info().last_id;
    } else if (text == "+") {
      // The last entry, whatever its id.
      if (stream.ok()) id = stream->LastEntry();
      id.Decrement();
    } else if (text == ">") {
      return errors::Custom(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
          "<consumer> option.");
    } else {
      Result<StreamId> given = ParseStreamId(text);
      if (!given.ok()) return given.status();
      id = *given;
    }
    if (stream.ok() && stream->HasAfter(id)) ++streams;
  }
  BeginRead(streams, reply);
  for (size_t i = 0; i < options->keys.size(); ++i) {
    Result<Stream> stream = Stream::Find(ctx.view(), ctx.db(), options->keys[i]);
    if (!stream.ok() || !stream->HasAfter(after[i])) continue;
    ReplyStreamName(options->keys[i], reply);
    after[i].Increment();
    ReplyEntries(*stream, after[i], types::kMaxStreamId, options->count, reply);
  }
  return Status::Ok();
}

// What the consumer has been given before and has not acknowledged.
void ReadHistory(WritableStream& stream, WritableGroup& group, uint64_t consumer, StreamId after,
                 uint64_t count, int64_t now_ms, resp::Writer& reply) {
  after.Increment();
  std::vector<std::pair<StreamId, PendingEntry>> history;
  stream.ForEachPendingOf(group.state(), consumer, after, types::kMaxStreamId,
                          [&](StreamId id, const PendingEntry& pending) {
                            history.emplace_back(id, pending);
                            return history.size() != count;
                          });
  reply.Array(history.size());
  for (const auto& [id, pending] : history) {
    const bool there = stream.Get(id, [&, id = id](StreamId, StreamFields fields) {
      ReplyEntry(id, fields, reply);
      return true;
    });
    if (there) {
      group.PutPending(id, pending, {consumer, now_ms, pending.deliveries + 1});
    } else {
      reply.Array(2);
      ReplyId(id, reply);
      reply.NullArray();
    }
  }
}

// Entries that the group has not read.
void ReadNew(WritableStream& stream, WritableGroup& group, uint64_t consumer, uint64_t count,
             bool no_ack, int64_t now_ms, resp::Writer& reply) {
  std::vector<StreamId> ids;
  StreamId after = group.state().last_id;
  CHECK(after.Increment());
  const size_t position = reply.Position();
  stream.ForEach(after, types::kMaxStreamId, [&](StreamId id, StreamFields fields) {
    ReplyEntry(id, fields, reply);
    ids.push_back(id);
    return ids.size() != count;
  });
  reply.ArrayAt(position, ids.size());
  for (StreamId id : ids) {
    group.Advance(id);
    // One that is pending already goes to this consumer: XGROUP SETID went back.
    if (!no_ack) group.PutPending(id, group.FindPending(id), {consumer, now_ms, 1});
  }
}

Status XReadGroup(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<ReadOptions> options = ParseRead(args, true);
  if (!options.ok()) return options.status();
  std::vector<StreamId> after;
  for (size_t i = 0; i < options->keys.size(); ++i) {
    const std::string_view key = options->keys[i];
    Result<Stream> stream = Stream::Find(ctx.txn(), ctx.db(), key);
    if (!stream.ok() && stream.code() != Code::kNotFound) return stream.status();
    if (!stream.ok() || !stream->FindGroup(*options->group)) {
      return errors::Custom("NOGROUP No such key '" + std::string(key) + "' or consumer group '" +
                            std::string(*options->group) + "' in XREADGROUP with GROUP option");
    }
    const std::string_view text = options->ids[i];
    if (text == "$") {
      return errors::Custom(
          "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history "
          "of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ "
          "ID would just return an empty result set.");
    }
    Result<StreamId> id = text == ">" ? types::kMaxStreamId : ParseStreamId(text);
    if (!id.ok()) return id.status();
    after.push_back(*id);
  }
  const size_t position = reply.Position();
  size_t streams = 0;
  for (size_t i = 0; i < options->keys.size(); ++i) {
    Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), options->keys[i]);
    CHECK(stream.ok());
    std::optional<WritableGroup> group = WritableGroup::Open(*stream, *options->group);
    CHECK(group.has_value());
    const bool history = after[i] != types::kMaxStreamId;
    if (!history && !stream->HasAfter(group->state().last_id)) continue;
    ++streams;
    ReplyStreamName(options->keys[i], reply);
    const uint64_t consumer = TouchConsumer(ctx, options->keys[i], *group, options->consumer);
    if (history) {
      ReadHistory(*stream, *group, consumer, after[i], options->count, ctx.now_ms(), reply);
    } else {
      ReadNew(*stream, *group, consumer, options->count, options->no_ack, ctx.now_ms(), reply);
    }
    group->Save();
  }
  FinishRead(position, streams, reply);
  return Status::Ok();
}

// The stream that XINFO looks at.
Result<Stream> FindStream(ReadContext& ctx, std::string_view key) {
  Result<Stream> stream = Stream::Find(ctx.view(), ctx.db(), key);
  if (stream.code() == Code::kNotFound) return Status(Code::kNoSuchKey);
  return stream;
}

void ReplyCountOrNull(std::optional<int64_t> count, resp::Writer& reply) {
  count ? reply.Integer(*count) : reply.Null();
}

std::optional<int64_t> EntriesRead(const StreamGroup& group) {
  if (group.entries_read == types::kUnknownEntriesRead) return std::nullopt;
  return group.entries_read;
}

Status XInfoConsumers(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<Stream> stream = FindStream(ctx, args[2]);
  if (!stream.ok()) return stream.status();
  const std::optional<StreamGroup> group = stream->FindGroup(args[3]);
  if (!group) {
    return errors::Custom("NOGROUP No such consumer group '" + std::string(args[3]) +
                          "' for key name '" + std::string(args[2]) + "'");
  }
  reply.Array(group->consumers);
  stream->ForEachConsumer(*group, [&](const StreamConsumer& consumer) {
    reply.Map(3);
    reply.Bulk("name");
    reply.Bulk(consumer.name);
    reply.Bulk("pending");
    reply.Integer(static_cast<int64_t>(consumer.pending));
    reply.Bulk("idle");
    reply.Integer(std::max<int64_t>(ctx.now_ms() - consumer.seen_ms, 0));
    return true;
  });
  return Status::Ok();
}

Status XInfoGroups(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<Stream> stream = FindStream(ctx, args[2]);
  if (!stream.ok()) return stream.status();
  reply.Array(stream->info().groups);
  stream->ForEachGroup([&](std::string_view name, const StreamGroup& group) {
    reply.Map(6);
    reply.Bulk("name");
    reply.Bulk(name);
    reply.Bulk("consumers");
    reply.Integer(static_cast<int64_t>(group.consumers));
    reply.Bulk("pending");
    reply.Integer(static_cast<int64_t>(group.pending));
    reply.Bulk("last-delivered-id");
    ReplyId(group.last_id, reply);
    reply.Bulk("entries-read");
    ReplyCountOrNull(EntriesRead(group), reply);
    reply.Bulk("lag");
    ReplyCountOrNull(stream->Lag(group), reply);
    return true;
  });
  return Status::Ok();
}

void ReplyFullConsumer(const Stream& stream, const StreamGroup& group,
                       const StreamConsumer& consumer, uint64_t count, resp::Writer& reply) {
  reply.Map(4);
  reply.Bulk("name");
  reply.Bulk(consumer.name);
  reply.Bulk("seen-time");
  reply.Integer(consumer.seen_ms);
  reply.Bulk("pel-count");
  reply.Integer(static_cast<int64_t>(consumer.pending));
  reply.Bulk("pending");
  const size_t position = reply.Position();
  uint64_t entries = 0;
  stream.ForEachPendingOf(group, consumer.number, types::kMinStreamId, types::kMaxStreamId,
                          [&](StreamId id, const PendingEntry& pending) {
                            reply.Array(3);
                            ReplyId(id, reply);
                            reply.Integer(pending.delivered_ms);
                            reply.Integer(static_cast<int64_t>(pending.deliveries));
                            return ++entries != count;
                          });
  reply.ArrayAt(position, entries);
}

void ReplyFullGroup(const Stream& stream, std::string_view name, const StreamGroup& group,
                    uint64_t count, resp::Writer& reply) {
  reply.Map(7);
  reply.Bulk("name");
  reply.Bulk(name);
  reply.Bulk("last-delivered-id");
  ReplyId(group.last_id, reply);
  reply.Bulk("entries-read");
  ReplyCountOrNull(EntriesRead(group), reply);
  reply.Bulk("lag");
  ReplyCountOrNull(stream.Lag(group), reply);
  reply.Bulk("pel-count");
  reply.Integer(static_cast<int64_t>(group.pending));
  reply.Bulk("pending");
  const size_t position = reply.Position();
  uint64_t entries = 0;
  StreamConsumer owner;
  stream.ForEachPending(group, types::kMinStreamId, types::kMaxStreamId,
                        [&](StreamId id, const PendingEntry& pending) {
                          if (owner.number != pending.consumer) {
                            owner = stream.GetConsumer(group, pending.consumer);
                          }
                          reply.Array(4);
                          ReplyId(id, reply);
                          reply.Bulk(owner.name);
                          reply.Integer(pending.delivered_ms);
                          reply.Integer(static_cast<int64_t>(pending.deliveries));
                          return ++entries != count;
                        });
  reply.ArrayAt(position, entries);
  reply.Bulk("consumers");
  reply.Array(group.consumers);
  stream.ForEachConsumer(group, [&](const StreamConsumer& consumer) {
    ReplyFullConsumer(stream, group, consumer, count, reply);
    return true;
  });
}

Status XInfoStream(ReadContext& ctx, Args args, resp::Writer& reply) {
  // What a radix tree of Redis's would hold: a node for each hundred entries.
  constexpr uint64_t kEntriesPerTreeKey = 100;
  Result<Stream> stream = FindStream(ctx, args[2]);
  if (!stream.ok()) return stream.status();
  const Args options = args.subspan(3);
  const bool full = !options.empty();
  int64_t count = 10;
  if (full) {
    if ((options.size() != 1 && options.size() != 3) || !EqualsIgnoreCase(options[0], "FULL") ||
        (options.size() == 3 && !EqualsIgnoreCase(options[1], "COUNT"))) {
      return BadSubcommand("XINFO", args[1]);
    }
    if (options.size() == 3) {
      Result<int64_t> given = ParseInteger(options[2]);
      if (!given.ok()) return given.status();
      if (*given >= 0) count = *given;
    }
  }
  const types::StreamHeader& info = stream->info();
  const uint64_t tree_keys = (stream->size() + kEntriesPerTreeKey - 1) / kEntriesPerTreeKey;
  reply.Map(full ? 9 : 10);
  reply.Bulk("length");
  reply.Integer(static_cast<int64_t>(stream->size()));
  reply.Bulk("radix-tree-keys");
  reply.Integer(static_cast<int64_t>(tree_keys));
  reply.Bulk("radix-tree-nodes");
  reply.Integer(static_cast<int64_t>(tree_keys + 1));
  reply.Bulk("last-generated-id");
  ReplyId(info.last_id, reply);
  reply.Bulk("max-deleted-entry-id");
  ReplyId(info.max_deleted_id, reply);
  reply.Bulk("entries-added");
  reply.Integer(static_cast<int64_t>(info.entries_added));
  reply.Bulk("recorded-first-entry-id");
  ReplyId(info.first_id, reply);
  if (full) {
    reply.Bulk("entries");
    ReplyEntries(*stream, types::kMinStreamId, types::kMaxStreamId, static_cast<uint64_t>(count),
                 reply);
    reply.Bulk("groups");
    reply.Array(info.groups);
    stream->ForEachGroup([&](std::string_view name, const StreamGroup& group) {
      ReplyFullGroup(*stream, name, group, static_cast<uint64_t>(count), reply);
      return true;
    });
    return Status::Ok();
  }
  reply.Bulk("groups");
  reply.Integer(static_cast<int64_t>(info.groups));
  const auto reply_entry = [&](StreamId id, StreamFields fields) {
    ReplyEntry(id, fields, reply);
    return false;
  };
  reply.Bulk("first-entry");
  if (stream->size() == 0) reply.Null();
  stream->ForEach(types::kMinStreamId, types::kMaxStreamId, reply_entry);
  reply.Bulk("last-entry");
  if (stream->size() == 0) reply.Null();
  stream->ForEachReverse(types::kMinStreamId, types::kMaxStreamId, reply_entry);
  return Status::Ok();
}

void ReplyLines(std::span<const std::string_view> lines, resp::Writer& reply) {
  reply.Array(lines.size());
  for (std::string_view line : lines) reply.SimpleString(line);
}

Status XInfoHelp(server::LocalContext&, Args, resp::Writer& reply) {
  static constexpr std::string_view kLines[] = {
      "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "CONSUMERS <key> <groupname>",
      "    Show consumers of <groupname>.",
      "GROUPS <key>",
      "    Show the stream consumer groups.",
      "STREAM <key> [FULL [COUNT <count>]",
      "    Show information about the stream.",
      "HELP",
      "    Prints this help.",
  };
  ReplyLines(kLines, reply);
  return Status::Ok();
}

Status XGroupHelp(server::LocalContext&, Args, resp::Writer& reply) {
  static constexpr std::string_view kLines[] = {
      "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "CREATE <key> <groupname> <id|$> [option]",
      "    Create a new consumer group. Options are:",
      "    * MKSTREAM",
      "      Create the empty stream if it does not exist.",
      "    * ENTRIESREAD entries_read",
      "      Set the group's entries_read counter (internal use).",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Create a new consumer in the specified group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove the specified consumer.",
      "DESTROY <key> <groupname>",
      "    Remove the specified group.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set the current group ID and entries_read counter.",
      "HELP",
      "    Prints this help.",
  };
  ReplyLines(kLines, reply);
  return Status::Ok();
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeyRange kSecond{2, 2, 1};

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec keys, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,     arity, flags,      kAclStream, keys.range, handler,
          "stream", since, complexity, summary,    {},         {keys, {}}};
}

// Half of what stands behind the word STREAMS. Redis looks for the word where the specification
// says, and where one argument stands behind it asks the parser, which may see another one further
// in front and knows nothing of what is done with the keys.
template <int kSearchFrom>
std::vector<KeyUse> FindStreamKeys(Args args) {
  const auto is_streams = [](std::string_view arg) { return EqualsIgnoreCase(arg, "STREAMS"); };
  auto streams = std::find_if(args.begin() + kSearchFrom, args.end(), is_streams);
  if (streams == args.end()) return {};
  KeyUse use{0, KeyAccess::kRO, kKeyAccess};
  if (args.end() - streams == 2) {
    use = {};
    streams = args.begin() + 1;
    while (streams < args.end() && !is_streams(*streams)) {
      if (EqualsIgnoreCase(*streams, "BLOCK") || EqualsIgnoreCase(*streams, "COUNT")) {
        streams += 2;
      } else if (EqualsIgnoreCase(*streams, "GROUP")) {
        streams += 3;
      } else if (EqualsIgnoreCase(*streams, "NOACK")) {
        ++streams;
      } else {
        return {};
      }
    }
    if (streams >= args.end() || (args.end() - streams) % 2 == 0) return {};
  }
  std::vector<KeyUse> keys;
  const int first = static_cast<int>(streams - args.begin()) + 1;
  for (int i = 0; i < (args.end() - streams - 1) / 2; ++i) {
    use.position = first + i;
    keys.push_back(use);
  }
  return keys;
}

// The keys stand behind a word, so first, last and step say nothing.
template <int kSearchFrom>
constexpr CommandSpec ReadRow(std::string_view name, int arity, uint32_t flags, Handler handler,
                              std::string_view complexity, std::string_view summary) {
  return {name,
          arity,
          flags | kBlocking | kMovableKeys,
          kAclStream,
          {},
          handler,
          "stream",
          "5.0.0",
          complexity,
          summary,
          {},
          {KeysBehind("STREAMS", kSearchFrom, -1, 2, KeyAccess::kRO, kKeyAccess), {}},
          FindStreamKeys<kSearchFrom>};
}

constexpr CommandSpec Help(Handler handler) {
  return {"help",  2,      kLoading | kStale,        kAclStream, {}, handler, "stream",
          "5.0.0", "O(1)", "Lists the subcommands.", {},         {}};
}

constexpr CommandSpec Container(std::string_view name, std::string_view summary,
                                std::span<const CommandSpec> subcommands) {
  return {name,    -2,          0, 0, {}, {}, "stream", "5.0.0", "Depends on the subcommand.",
          summary, subcommands, {}};
}

constexpr KeySpec kRead{kFirst, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kUpdate{kFirst, KeyAccess::kRW, kKeyUpdate};
constexpr KeySpec kRemove{kFirst, KeyAccess::kRW, kKeyDelete};
constexpr KeySpec kReadSecond{kSecond, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kInsertSecond{kSecond, KeyAccess::kRW, kKeyInsert};
constexpr KeySpec kUpdateSecond{kSecond, KeyAccess::kRW, kKeyUpdate};
constexpr KeySpec kRemoveSecond{kSecond, KeyAccess::kRW, kKeyDelete};

constexpr CommandSpec kInfoSubcommands[] = {
    Row("consumers", 4, kReadonly, XInfoConsumers, kReadSecond, "5.0.0",
        "O(N) in the consumers of the group.", "Lists the consumers of a group."),
    Row("groups", 3, kReadonly, XInfoGroups, kReadSecond, "5.0.0",
        "O(N) in the groups of the stream.", "Lists the groups of a stream."),
    Help(XInfoHelp),
    Row("stream", -3, kReadonly, XInfoStream, kReadSecond, "5.0.0",
        "O(1); FULL: O(N) in what it lists.", "Describes a stream."),
};

constexpr CommandSpec kGroupSubcommands[] = {
    Row("create", -5, kWrite | kDenyOom, XGroupCreate, kInsertSecond, "5.0.0",
        "O(1); the first group of a small stream costs its entries.", "Creates a consumer group."),
    Row("createconsumer", 5, kWrite | kDenyOom, XGroupCreateConsumer, kInsertSecond, "6.2.0",
        "O(1)", "Creates a consumer in a group."),
    Row("delconsumer", 5, kWrite, XGroupDelConsumer, kRemoveSecond, "5.0.0",
        "O(N) in the pending entries of the consumer.",
        "Deletes a consumer with its pending entries."),
    Row("destroy", 4, kWrite, XGroupDestroy, kRemoveSecond, "5.0.0",
        "O(N) in the pending entries and consumers of the group.", "Deletes a consumer group."),
    Help(XGroupHelp),
    Row("setid", -5, kWrite, XGroupSetId, kUpdateSecond, "5.0.0", "O(1)",
        "Sets the last id that a group has been given."),
};

constexpr CommandSpec kTable[] = {
    Row("xadd", -5, kWrite | kDenyOom | kFast, XAdd,
        {kFirst, KeyAccess::kRW, kKeyUpdate,
         "UPDATE instead of INSERT because of the optional trimming feature"},
        "5.0.0", "O(1), and O(N) in the entries that it trims.", "Appends an entry to a stream."),
    Row("xlen", 2, kReadonly | kFast, XLen, {kFirst, KeyAccess::kRO, 0}, "5.0.0", "O(1)",
        "Returns the number of entries of a stream."),
    Row("xrange", -4, kReadonly | kLargeReply, XRange, kRead, "5.0.0",
        "O(N) in the entries returned.", "Returns the entries within an interval of ids."),
    Row("xrevrange", -4, kReadonly | kLargeReply, XRevRange, kRead, "5.0.0",
        "O(N) in the entries returned.",
        "Returns the entries within an interval of ids, the latest first."),
    ReadRow<1>("xread", -4, kReadonly | kLargeReply, XRead, "O(N) in the entries returned.",
               "Returns the entries of streams behind an id of each."),
    ReadRow<4>("xreadgroup", -7, kWrite, XReadGroup, "O(N) in the entries returned.",
               "Returns entries to a consumer of a group, new ones or those that it has not "
               "acknowledged."),
    Row("xdel", -3, kWrite | kFast, XDel, kRemove, "5.0.0", "O(1) for each id.",
        "Deletes entries of a stream."),
    Row("xtrim", -4, kWrite, XTrim, kRemove, "5.0.0", "O(N) in the entries deleted.",
        "Deletes the oldest entries of a stream."),
    Row("xsetid", -3, kWrite | kDenyOom | kFast, XSetId, kUpdate, "5.0.0", "O(1)",
        "Sets the last id of a stream."),
    Container("xinfo", "Looks at a stream, its groups or their consumers.", kInfoSubcommands),
    Container("xgroup", "Changes the groups of a stream or their consumers.", kGroupSubcommands),
    Row("xack", -4, kWrite | kFast, XAck, kUpdate, "5.0.0", "O(1) for each id.",
        "Acknowledges entries, which are not pending any more."),
    Row("xpending", -3, kReadonly, XPending, kRead, "5.0.0",
        "O(N) in the entries returned, or in the consumers of the group.",
        "Returns the pending entries of a group, or a summary of them."),
    Row("xclaim", -6, kWrite | kFast, XClaim, kUpdate, "5.0.0", "O(1) for each id.",
        "Makes a consumer the owner of pending entries."),
    Row("xautoclaim", -6, kWrite | kFast, XAutoClaim, kRemove, "6.2.0", "O(COUNT)",
        "Makes a consumer the owner of pending entries that have been idle for long."),
};

}  // namespace

std::span<const CommandSpec> StreamCommands() { return kTable; }

}  // namespace metastore::commands
