// Looks into a checkpoint that nobody has open.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace metastore::engine {

// The value of a kSystem key in the checkpoint at `directory`; nothing when it is absent or the
// checkpoint cannot be opened. Any thread.
std::optional<std::string> ReadCheckpointRecord(const std::string& directory,
                                                std::string_view system_key);

}  // namespace metastore::engine
