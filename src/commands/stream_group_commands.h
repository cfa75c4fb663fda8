// Handlers of the commands of consumer groups. Their rows stand in the table of stream_commands.cc.
#pragma once

#include "base/status.h"
#include "commands/context.h"
#include "resp/writer.h"

namespace metastore::commands {

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
