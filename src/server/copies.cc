#include "server/copies.h"

#include <algorithm>

#include "base/parse.h"
#include "commands/errors.h"
#include "server/local_context.h"
#include "server/local_spec.h"

namespace metastore::server {
namespace {

using namespace commands;  // NOLINT: the names of flags and categories fill the table
using errors::Custom;
using resp::Writer;

int64_t CopiesOf(const replica::ReplicaInfo& info, raft::Index index) {
  int64_t voters = info.learner ? 0 : 1;
  for (const replica::PeerInfo& peer : info.peers) voters += !peer.learner;
  // What is applied is committed.
  const int64_t acknowledged = voters / 2;
  return std::max<int64_t>(acknowledged,
                           std::count_if(info.copies.begin(), info.copies.end(),
                                         [index](raft::Index synced) { return synced >= index; }));
}

Status ParseTimeout(std::string_view text, int64_t* timeout_ms) {
  if (!ParseInt64(text, timeout_ms)) {
    return Custom("ERR timeout is not an integer or out of range");
  }
  return *timeout_ms < 0 ? Custom("ERR timeout is negative") : Status::Ok();
}

Status Start(LocalContext& ctx, CopiesWait wait, Writer& reply) {
  const replica::ReplicaInfo info = ctx.replica().Info();
  wait.index = info.applied_index;
  wait.WriteReply(info, reply);
  if (!wait.Reached(info)) ctx.WaitForCopies(wait);
  return Status::Ok();
}

Status Wait(LocalContext& ctx, Args args, Writer& reply) {
  CopiesWait wait;
  if (!ParseInt64(args[1], &wait.copies)) return Status(Code::kNotInteger);
  RETURN_IF_ERROR(ParseTimeout(args[2], &wait.timeout_ms));
  return Start(ctx, wait, reply);
}

// This node's log is synced as far as it is acknowledged, whatever `numlocal` asks for.
Status WaitAof(LocalContext& ctx, Args args, Writer& reply) {
  CopiesWait wait;
  wait.aof = true;
  int64_t local;
  if (!ParseInt64(args[1], &local) || local < 0 || local > 1) {
    return Custom("ERR value is out of range, value must between 0 and 1");
  }
  if (!ParseInt64(args[2], &wait.copies) || wait.copies < 0) {
    return Custom("ERR value is out of range, must be positive");
  }
  RETURN_IF_ERROR(ParseTimeout(args[3], &wait.timeout_ms));
  return Start(ctx, wait, reply);
}

constexpr CommandSpec kTable[] = {
    LocalSpec("wait", 3, kNoscript | kAfterReplies, kAclConnection, Wait, "generic", "3.0.0",
              "O(1)", "Waits until so many other nodes hold what was acknowledged to the client."),
    LocalSpec("waitaof", 4, kBlocking | kNoscript | kAfterReplies, kAclConnection, WaitAof,
              "generic", "7.2.0", "O(1)", "The same, of what is synced to disk."),
};

}  // namespace

bool CopiesWait::Reached(const replica::ReplicaInfo& info) const {
  return CopiesOf(info, index) >= copies;
}

void CopiesWait::WriteReply(const replica::ReplicaInfo& info, Writer& reply) const {
  if (aof) {
    reply.Array(2);
    reply.Integer(1);
  }
  reply.Integer(CopiesOf(info, index));
}

std::span<const commands::CommandSpec> CopiesCommands() { return kTable; }

}  // namespace metastore::server
