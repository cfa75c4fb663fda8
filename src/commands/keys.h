// Which arguments of a command are keys, and what it does with them: for COMMAND GETKEYS, key
// permissions and everything else that must know the keys before a command runs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "commands/command_spec.h"

namespace metastore::commands {

// Whether `args`, a whole command of this spec, has as many arguments as it must.
bool ArityFits(const CommandSpec& spec, Args args);

// The keys in the order of the specifications; none for a command without keys and for one whose
// arguments make no sense as keys (a count that is too large). Of a subcommand `spec`
// is its own, and args are the whole command all the same. The arity must fit.
std::vector<KeyUse> FindKeys(const CommandSpec& spec, Args args);

// Those of the table, or what follows from the first, last and step of the command.
std::vector<KeySpec> KeySpecsOf(const CommandSpec& spec);

// The same as COMMAND GETKEYS answers it: with its errors where there are no keys.
Result<std::vector<KeyUse>> CommandGetKeys(const CommandSpec& spec, Args args);

}  // namespace metastore::commands
