#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> SortCommands() { return {}; }

}  // namespace metastore::commands
