// WAIT and WAITAOF: how many nodes hold what was acknowledged.
//
// A write that is answered is synced on a majority, so the first replicas of a WAIT need no
// waiting; for more of them the client waits until the leader has heard from the slower nodes
// (replica::ReplicaInfo::copies).
#pragma once

#include <cstdint>
#include <span>

#include "commands/command_spec.h"
#include "replica/replica.h"
#include "resp/writer.h"

namespace metastore::server {

struct CopiesWait {
  raft::Index index = 0;   // all that the client was answered is applied up to here
  int64_t copies = 0;      // beside the leader's
  int64_t timeout_ms = 0;  // 0: without end
  bool aof = false;        // WAITAOF's form of reply

  bool Reached(const replica::ReplicaInfo& info) const;
  void WriteReply(const replica::ReplicaInfo& info, resp::Writer& reply) const;
};

// How often a loop whose clients wait looks again: what it sees is not newer.
inline constexpr int64_t kCopiesLookNs = 20'000'000;

std::span<const commands::CommandSpec> CopiesCommands();

}  // namespace metastore::server
