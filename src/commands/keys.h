// Which arguments of a command are keys, and what it does with them: for COMMAND GETKEYS, key
// permissions and everything else that must know the keys before a command runs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "commands/command_spec.h"

namespace metastore::commands {

struct KeyUse {
  int position = 0;  // in args
  KeyAccess access = KeyAccess::kNone;
  uint8_t effects = 0;
  friend bool operator==(const KeyUse&, const KeyUse&) = default;
};

// Whether `args`, a whole command of this spec, has as many arguments as it must.
bool ArityFits(const CommandSpec& spec, Args args);

// The keys in the order of the arguments; none for a command without keys. Of a subcommand `spec`
// is its own, and args are the whole command all the same. The arity must fit.
std::vector<KeyUse> FindKeys(const CommandSpec& spec, Args args);

// The same as COMMAND GETKEYS answers it: with its errors where there are no keys.
Result<std::vector<KeyUse>> CommandGetKeys(const CommandSpec& spec, Args args);

}  // namespace metastore::commands
