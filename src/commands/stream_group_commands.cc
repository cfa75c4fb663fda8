#include "commands/stream_group_commands.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/parse.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "commands/stream_arguments.h"
#include "types/stream.h"

namespace metastore::commands {
namespace {

using types::PendingEntry;
using types::Stream;
using types::StreamConsumer;
using types::StreamGroup;
using types::StreamId;
using types::WritableGroup;
using types::WritableStream;

// What follows the id of XGROUP CREATE and SETID.
struct GroupOptions {
  bool make_stream = false;
  int64_t entries_read = types::kUnknownEntriesRead;
};

Result<GroupOptions> ParseGroupOptions(Args args, bool create) {
  GroupOptions options;
  for (size_t i = 5; i < args.size(); ++i) {
    if (create && EqualsIgnoreCase(args[i], "MKSTREAM")) {
      options.make_stream = true;
    } else if (EqualsIgnoreCase(args[i], "ENTRIESREAD") && i + 1 < args.size()) {
      Result<int64_t> entries = ParseInteger(args[++i]);
      if (!entries.ok()) return entries.status();
      if (*entries < 0 && *entries != types::kUnknownEntriesRead) {
        return errors::Custom("ERR value for ENTRIESREAD must be positive or -1");
      }
      options.entries_read = *entries;
    } else {
      return BadSubcommand("XGROUP", args[1]);
    }
  }
  return options;
}

Status NoStreamForGroup() {
  return errors::Custom(
      "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
      "use the MKSTREAM option to create an empty stream automatically.");
}

Status NoSuchGroupOfKey(std::string_view key, std::string_view group) {
  return errors::Custom("NOGROUP No such consumer group '" + std::string(group) +
                        "' for key name '" + std::string(key) + "'");
}

// Of an XGROUP subcommand: the stream of args[2], which must be there.
Result<WritableStream> OpenStream(WriteContext& ctx, Args args) {
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[2]);
  if (stream.ok() && !stream->existed()) return NoStreamForGroup();
  return stream;
}

// May be negative where the clock went back or a client set the time of delivery.
int64_t ElapsedTime(int64_t now_ms, int64_t then_ms) {
  return static_cast<int64_t>(static_cast<uint64_t>(now_ms) - static_cast<uint64_t>(then_ms));
}

struct ClaimOptions {
  std::vector<StreamId> ids;
  int64_t min_idle_ms = 0;
  int64_t delivered_ms = 0;
  std::optional<int64_t> retry_count;
  StreamId last_id;
  bool force = false;
  bool just_id = false;
};

Result<int64_t> ParseOr(std::string_view text, std::string_view error) {
  int64_t value;
  if (!ParseInt64(text, &value)) return errors::Custom(error);
  return value;
}

// Of XCLAIM: everything behind the consumer.
Result<ClaimOptions> ParseClaim(Args args, int64_t now_ms) {
  ClaimOptions options;
  Result<int64_t> min_idle = ParseOr(args[4], "ERR Invalid min-idle-time argument for XCLAIM");
  if (!min_idle.ok()) return min_idle.status();
  options.min_idle_ms = std::max<int64_t>(*min_idle, 0);
  size_t i = 5;
  for (; i < args.size(); ++i) {
    Result<StreamId> id = ParseStreamId(args[i]);
    if (!id.ok()) break;
    options.ids.push_back(*id);
  }
  // -1 is also what Redis takes for not given.
  int64_t delivered_ms = -1;
  for (; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (EqualsIgnoreCase(args[i], "FORCE")) {
      options.force = true;
    } else if (EqualsIgnoreCase(args[i], "JUSTID")) {
      options.just_id = true;
    } else if (EqualsIgnoreCase(args[i], "IDLE") && more) {
      Result<int64_t> idle = ParseOr(args[++i], "ERR Invalid IDLE option argument for XCLAIM");
      if (!idle.ok()) return idle.status();
      delivered_ms = ElapsedTime(now_ms, *idle);
    } else if (EqualsIgnoreCase(args[i], "TIME") && more) {
      Result<int64_t> time = ParseOr(args[++i], "ERR Invalid TIME option argument for XCLAIM");
      if (!time.ok()) return time.status();
      delivered_ms = *time;
    } else if (EqualsIgnoreCase(args[i], "RETRYCOUNT") && more) {
      Result<int64_t> count =
          ParseOr(args[++i], "ERR Invalid RETRYCOUNT option argument for XCLAIM");
      if (!count.ok()) return count.status();
      options.retry_count.reset();
      if (*count >= 0) options.retry_count = *count;
    } else if (EqualsIgnoreCase(args[i], "LASTID") && more) {
      Result<StreamId> last = ParseStreamId(args[++i]);
      if (!last.ok()) return last.status();
      options.last_id = *last;
    } else {
      return errors::Custom("ERR Unrecognized XCLAIM option '" + std::string(args[i]) + "'");
    }
  }
  // A client's clock may be ahead of ours: that is no error.
  const bool sane = delivered_ms >= 0 && delivered_ms <= now_ms;
  options.delivered_ms = sane ? delivered_ms : now_ms;
  return options;
}

void ReplyClaimed(const Stream& stream, StreamId id, bool just_id, resp::Writer& reply) {
  if (just_id) {
    ReplyId(id, reply);
    return;
  }
  stream.Get(id, [&](StreamId, types::StreamFields fields) {
    ReplyEntry(id, fields, reply);
    return true;
  });
}

struct PendingOptions {
  int64_t min_idle_ms = 0;
  StreamId first, last;
  uint64_t count = 0;
  std::optional<std::string_view> consumer;
};

Result<PendingOptions> ParsePending(Args args) {
  PendingOptions options;
  size_t start = 3;
  if (EqualsIgnoreCase(args[3], "IDLE")) {
    Result<int64_t> min_idle = ParseInteger(args[4]);
    if (!min_idle.ok()) return min_idle.status();
    if (args.size() < 8) return Status(Code::kSyntax);
    options.min_idle_ms = *min_idle;
    start += 2;
  }
  Result<int64_t> count = ParseInteger(args[start + 2]);
  if (!count.ok()) return count.status();
  options.count = static_cast<uint64_t>(std::max<int64_t>(*count, 0));
  Result<StreamId> first = ParseIntervalStart(args[start]);
  if (!first.ok()) return first.status();
  Result<StreamId> last = ParseIntervalEnd(args[start + 1]);
  if (!last.ok()) return last.status();
  options.first = *first;
  options.last = *last;
  if (start + 3 < args.size()) options.consumer = args[start + 3];
  return options;
}

void ReplyPendingSummary(const Stream& stream, const StreamGroup& group, resp::Writer& reply) {
  reply.Array(4);
  reply.Integer(static_cast<int64_t>(group.pending));
  if (group.pending == 0) {
    reply.Null();
    reply.Null();
    reply.NullArray();
    return;
  }
  stream.ForEachPending(group, types::kMinStreamId, types::kMaxStreamId,
                        [&](StreamId id, const PendingEntry&) {
                          ReplyId(id, reply);
                          return false;
                        });
  ReplyId(stream.LastPending(group), reply);
  const size_t position = reply.Position();
  size_t consumers = 0;
  stream.ForEachConsumer(group, [&](const StreamConsumer& consumer) {
    if (consumer.pending == 0) return true;
    reply.Array(2);
    reply.Bulk(consumer.name);
    reply.BulkInteger(static_cast<int64_t>(consumer.pending));
    ++consumers;
    return true;
  });
  reply.ArrayAt(position, consumers);
}

}  // namespace

uint64_t TouchConsumer(WriteContext& ctx, std::string_view key, WritableGroup& group,
                       std::string_view name) {
  const uint64_t consumers = group.state().consumers;
  const uint64_t number = group.TouchConsumer(name, ctx.now_ms());
  if (group.state().consumers > consumers) {
    Notify(ctx, engine::kNotifyStream, "xgroup-createconsumer", key);
  }
  return number;
}

Status XGroupCreate(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<GroupOptions> options = ParseGroupOptions(args, true);
  if (!options.ok()) return options.status();
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[2]);
  if (!stream.ok()) return stream.status();
  if (!stream->existed() && !options->make_stream) return NoStreamForGroup();
  constexpr size_t kMostArguments = 8;
  if (args.size() > kMostArguments) return BadSubcommand("XGROUP", args[1]);
  Result<StreamId> id = args[4] == "$" ? stream->info().last_id : ParseStreamId(args[4]);
  if (!id.ok()) return id.status();
  if (!stream->CreateGroup(args[3], *id, options->entries_read)) {
    return errors::Custom("BUSYGROUP Consumer Group name already exists");
  }
  stream->Save();
  Notify(ctx, engine::kNotifyStream, "xgroup-create", args[2]);
  reply.Ok();
  return Status::Ok();
}

Status XGroupSetId(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<GroupOptions> options = ParseGroupOptions(args, false);
  if (!options.ok()) return options.status();
  Result<WritableStream> stream = OpenStream(ctx, args);
  if (!stream.ok()) return stream.status();
  std::optional<WritableGroup> group = WritableGroup::Open(*stream, args[3]);
  if (!group) return NoSuchGroupOfKey(args[2], args[3]);
  if (args.size() != 5 && args.size() != 7) return BadSubcommand("XGROUP", args[1]);
  Result<StreamId> id = args[4] == "$" ? stream->info().last_id : ParseStreamIdOrEdge(args[4]);
  if (!id.ok()) return id.status();
  group->state().last_id = *id;
  group->state().entries_read = options->entries_read;
  group->Save();
  Notify(ctx, engine::kNotifyStream, "xgroup-setid", args[2]);
  reply.Ok();
  return Status::Ok();
}

Status XGroupDestroy(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableStream> stream = OpenStream(ctx, args);
  if (!stream.ok()) return stream.status();
  const bool destroyed = stream->DestroyGroup(args[3]);
  if (destroyed) {
    stream->Save();
    Notify(ctx, engine::kNotifyStream, "xgroup-destroy", args[2]);
  }
  reply.Integer(destroyed);
  return Status::Ok();
}

Status XGroupCreateConsumer(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableStream> stream = OpenStream(ctx, args);
  if (!stream.ok()) return stream.status();
  std::optional<WritableGroup> group = WritableGroup::Open(*stream, args[3]);
  if (!group) return NoSuchGroupOfKey(args[2], args[3]);
  const bool is_new = !group->FindConsumer(args[4]);
  if (is_new) {
    group->CreateConsumer(args[4], ctx.now_ms());
    group->Save();
    Notify(ctx, engine::kNotifyStream, "xgroup-createconsumer", args[2]);
  }
  reply.Integer(is_new);
  return Status::Ok();
}

Status XGroupDelConsumer(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableStream> stream = OpenStream(ctx, args);
  if (!stream.ok()) return stream.status();
  std::optional<WritableGroup> group = WritableGroup::Open(*stream, args[3]);
  if (!group) return NoSuchGroupOfKey(args[2], args[3]);
  uint64_t pending = 0;
  if (const std::optional<uint64_t> consumer = group->FindConsumer(args[4])) {
    pending = group->DeleteConsumer(*consumer);
    group->Save();
    Notify(ctx, engine::kNotifyStream, "xgroup-delconsumer", args[2]);
  }
  reply.Integer(static_cast<int64_t>(pending));
  return Status::Ok();
}

Status XAck(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[1]);
  if (!stream.ok()) return stream.status();
  std::optional<WritableGroup> group = WritableGroup::Open(*stream, args[2]);
  if (!group) {
    reply.Integer(0);
    return Status::Ok();
  }
  std::vector<StreamId> ids;
  for (std::string_view arg : args.subspan(3)) {
    Result<StreamId> id = ParseStreamId(arg);
    if (!id.ok()) return id.status();
    ids.push_back(*id);
  }
  int64_t acknowledged = 0;
  for (StreamId id : ids) acknowledged += group->ErasePending(id);
  if (acknowledged > 0) group->Save();
  reply.Integer(acknowledged);
  return Status::Ok();
}

Status XPending(ReadContext& ctx, Args args, resp::Writer& reply) {
  const bool summary = args.size() == 3;
  if (!summary && (args.size() < 6 || args.size() > 9)) return Status(Code::kSyntax);
  Result<PendingOptions> options = summary ? PendingOptions{} : ParsePending(args);
  if (!options.ok()) return options.status();
  Result<Stream> stream = Stream::Find(ctx.view(), ctx.db(), args[1]);
  if (stream.code() == Code::kNotFound) return NoSuchGroup(args[1], args[2]);
  if (!stream.ok()) return stream.status();
  const std::optional<StreamGroup> group = stream->FindGroup(args[2]);
  if (!group) return NoSuchGroup(args[1], args[2]);
  if (summary) {
    ReplyPendingSummary(*stream, *group, reply);
    return Status::Ok();
  }

  std::optional<StreamConsumer> only;
  if (options->consumer) {
    only = stream->FindConsumer(*group, *options->consumer);
    if (!only) {
      reply.Array(0);
      return Status::Ok();
    }
  }
  const size_t position = reply.Position();
  uint64_t entries = 0;
  // Neighbours are often the same consumer's.
  StreamConsumer owner = only.value_or(StreamConsumer{});
  const auto visit = [&](StreamId id, const PendingEntry& pending) {
    if (entries == options->count) return false;
    const int64_t elapsed_ms = ElapsedTime(ctx.now_ms(), pending.delivered_ms);
    if (options->min_idle_ms != 0 && elapsed_ms < options->min_idle_ms) return true;
    if (owner.number != pending.consumer) owner = stream->GetConsumer(*group, pending.consumer);
    reply.Array(4);
    ReplyId(id, reply);
    reply.Bulk(owner.name);
    reply.Integer(std::max<int64_t>(elapsed_ms, 0));
    reply.Integer(static_cast<int64_t>(pending.deliveries));
    ++entries;
    return true;
  };
  if (only) {
    stream->ForEachPendingOf(*group, only->number, options->first, options->last, visit);
  } else {
    stream->ForEachPending(*group, options->first, options->last, visit);
  }
  reply.ArrayAt(position, entries);
  return Status::Ok();
}

Status XClaim(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[1]);
  if (!stream.ok()) return stream.status();
  std::optional<WritableGroup> group = WritableGroup::Open(*stream, args[2]);
  if (!group) return NoSuchGroup(args[1], args[2]);
  const int64_t now_ms = ctx.now_ms();
  Result<ClaimOptions> options = ParseClaim(args, now_ms);
  if (!options.ok()) return options.status();

  bool changed = options->last_id > group->state().last_id;
  if (changed) group->state().last_id = options->last_id;
  std::optional<uint64_t> consumer;
  const size_t position = reply.Position();
  size_t claimed = 0;
  for (StreamId id : options->ids) {
    const std::optional<PendingEntry> old = group->FindPending(id);
    if (!stream->Contains(id)) {
      // An entry that is gone is pending no more.
      changed |= group->ErasePending(id);
      continue;
    }
    if (!old && !options->force) continue;
    if (old && options->min_idle_ms != 0 &&
        ElapsedTime(now_ms, old->delivered_ms) < options->min_idle_ms) {
      continue;
    }
    if (!consumer) consumer = TouchConsumer(ctx, args[1], *group, args[3]);
    PendingEntry pending;
    pending.consumer = *consumer;
    pending.delivered_ms = options->delivered_ms;
    pending.deliveries = old ? old->deliveries : 1;
    if (options->retry_count) {
      pending.deliveries = static_cast<uint64_t>(*options->retry_count);
    } else if (!options->just_id) {
      ++pending.deliveries;
    }
    group->PutPending(id, old, pending);
    changed = true;
    ReplyClaimed(*stream, id, options->just_id, reply);
    ++claimed;
  }
  reply.ArrayAt(position, claimed);
  if (changed) group->Save();
  return Status::Ok();
}

Status XAutoClaim(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<int64_t> min_idle = ParseOr(args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM");
  if (!min_idle.ok()) return min_idle.status();
  Result<StreamId> start = ParseIntervalStart(args[5]);
  if (!start.ok()) return start.status();
  constexpr int64_t kMostCount = INT64_MAX / 16;
  constexpr uint64_t kAttemptsPerCount = 10;
  int64_t count = 100;
  bool just_id = false;
  for (size_t i = 6; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "COUNT") && i + 1 < args.size()) {
      Result<int64_t> given = ParseOr(args[++i], "ERR COUNT must be > 0");
      if (!given.ok()) return given.status();
      if (*given < 1 || *given > kMostCount) return errors::Custom("ERR COUNT must be > 0");
      count = *given;
    } else if (EqualsIgnoreCase(args[i], "JUSTID")) {
      just_id = true;
    } else {
      return Status(Code::kSyntax);
    }
  }
  Result<WritableStream> stream = WritableStream::Open(ctx.txn(), ctx.db(), args[1]);
  if (!stream.ok()) return stream.status();
  std::optional<WritableGroup> group = WritableGroup::Open(*stream, args[2]);
  if (!group) return NoSuchGroup(args[1], args[2]);

  const int64_t now_ms = ctx.now_ms();
  uint64_t attempts = static_cast<uint64_t>(count) * kAttemptsPerCount;
  StreamId next;
  std::vector<StreamId> gone;
  std::vector<std::pair<StreamId, PendingEntry>> claimed;
  std::string entries;
  resp::Writer entries_reply(&entries, reply.protocol());
  stream->ForEachPending(
      group->state(), *start, types::kMaxStreamId, [&](StreamId id, const PendingEntry& pending) {
        if (attempts-- == 0 || count == 0) {
          next = id;
          return false;
        }
        if (!stream->Contains(id)) {
          gone.push_back(id);
          --count;
          return true;
        }
        if (*min_idle > 0 && ElapsedTime(now_ms, pending.delivered_ms) < *min_idle) return true;
        claimed.emplace_back(id, pending);
        ReplyClaimed(*stream, id, just_id, entries_reply);
        --count;
        return true;
      });
  for (StreamId id : gone) group->ErasePending(id);
  if (!claimed.empty()) {
    const uint64_t consumer = TouchConsumer(ctx, args[1], *group, args[3]);
    for (const auto& [id, old] : claimed) {
      group->PutPending(id, old, {consumer, now_ms, old.deliveries + !just_id});
    }
  }
  if (!gone.empty() || !claimed.empty()) group->Save();

  reply.Array(3);
  ReplyId(next, reply);
  reply.Array(claimed.size());
  reply.Raw(entries);
  reply.Array(gone.size());
  for (StreamId id : gone) ReplyId(id, reply);
  return Status::Ok();
}

}  // namespace metastore::commands
