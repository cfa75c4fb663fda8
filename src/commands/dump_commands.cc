#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> DumpCommands() { return {}; }

}  // namespace metastore::commands
