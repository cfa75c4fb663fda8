// A read whose reply may be of any size, run where only so much of it has a place.
#pragma once

#include <cstddef>
#include <string>

#include "commands/command_spec.h"

namespace metastore::commands {

// What a kLargeReply command may reply inside a transaction, whose reply is made whole.
inline constexpr size_t kMaxWholeReplyBytes = size_t{64} << 20;

// Runs a read handler as long as what it adds to *out stays below `limit_bytes` and, with
// `in_a_moment`, as long as it does not walk over much without a reply. False: it was left, by an
// exception of its writer's sink, which goes no further than here. Otherwise *status is the
// handler's.
bool RunBounded(const CommandSpec& spec, ReadContext& context, Args args, int protocol,
                size_t limit_bytes, bool in_a_moment, std::string* out, Status* status);

// The reply, or the error, of a read whose reply is made whole: inside a transaction, and in the
// log.
void RunWhole(const CommandSpec& spec, ReadContext& context, Args args, int protocol,
              std::string* out);

}  // namespace metastore::commands
