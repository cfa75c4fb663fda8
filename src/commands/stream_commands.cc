#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> StreamCommands() { return {}; }

}  // namespace metastore::commands
