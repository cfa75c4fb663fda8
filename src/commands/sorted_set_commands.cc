#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> SortedSetCommands() { return {}; }

}  // namespace metastore::commands
