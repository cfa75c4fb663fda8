#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> ListCommands() { return {}; }

}  // namespace metastore::commands
