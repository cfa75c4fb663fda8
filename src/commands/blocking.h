// Commands that wait for something to come to a key. Their handlers act at once and reply null where
// there is nothing; who waits, for how long and in which order is the server's (server/blocked.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command_spec.h"
#include "types/keyspace.h"

namespace metastore::commands {

// "timeout" of BLPOP and its like, in seconds, as milliseconds. Redis's errors.
Result<int64_t> ParseTimeout(std::string_view text);

struct Blocking {
  std::string_view name;
  types::Type waits_for;
  // The index of the timeout; negative from the end; 0: behind the word BLOCK, in milliseconds.
  int timeout_at;
  bool first_key_only = false;  // the others are not waited for
  // What one client gets is gone for the others. Else all that wait are served.
  bool takes = true;
  // It fails when there is no such key any more, or one of another type.
  bool needs_key = false;
};

// Null for a command that never waits.
const Blocking* BlockingOf(const CommandSpec& spec);
// 0: without end; none: with these arguments it does not wait, or they are wrong.
std::optional<int64_t> TimeoutMs(const Blocking& blocking, Args args);
std::vector<std::string> KeysWaitedFor(const Blocking& blocking, const CommandSpec& spec,
                                       Args args);

// The arguments with which the command is run again: XREAD's "$" is the last id at the first time.
std::vector<std::string> ArgsToWaitWith(const Blocking& blocking, const engine::View& view, int db,
                                        Args args);

// The command that puts back what `reply` would have given to a client that is gone; empty where
// nothing would be lost.
std::vector<std::string> GiveBack(const Blocking& blocking, Args args, std::string_view reply);

}  // namespace metastore::commands
