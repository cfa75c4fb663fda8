// Handlers of the commands of consumer groups. Their rows stand in the table of stream_commands.cc.
#pragma once

#include "base/status.h"
#include "commands/context.h"
#include "resp/writer.h"
#include "types/stream.h"

namespace metastore::commands {

// WritableGroup::TouchConsumer, of which subscribers hear when the consumer is new.
uint64_t TouchConsumer(WriteContext& ctx, std::string_view key, types::WritableGroup& group,
                       std::string_view name);

Status XGroupCreate(WriteContext& ctx, Args args, resp::Writer& reply);
Status XGroupSetId(WriteContext& ctx, Args args, resp::Writer& reply);
Status XGroupDestroy(WriteContext& ctx, Args args, resp::Writer& reply);
Status XGroupCreateConsumer(WriteContext& ctx, Args args, resp::Writer& reply);
Status XGroupDelConsumer(WriteContext& ctx, Args args, resp::Writer& reply);
Status XAck(WriteContext& ctx, Args args, resp::Writer& reply);
Status XPending(ReadContext& ctx, Args args, resp::Writer& reply);
Status XClaim(WriteContext& ctx, Args args, resp::Writer& reply);
Status XAutoClaim(WriteContext& ctx, Args args, resp::Writer& reply);

}  // namespace metastore::commands
