#include "commands/command_spec.h"

namespace metastore::commands {

std::span<const CommandSpec> GeoCommands() { return {}; }

}  // namespace metastore::commands
