#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> SetCommands() { return {}; }

}  // namespace metastore::commands
