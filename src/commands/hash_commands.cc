#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> HashCommands() { return {}; }

}  // namespace metastore::commands
