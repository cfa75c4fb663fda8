// The process's log: spdlog, one line per event. Call from any thread. The levels are spdlog's
// names: trace, debug, info, warning, error, critical, off.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "base/status.h"

namespace metastore::log {

// Sends the log to `file`, or to stdout when it is empty. kInvalidArgument names a bad level,
// kIoError a file that cannot be opened. Without Init the log goes to stdout at level info.
Status Init(const std::string& level, const std::string& file);
Status SetLevel(const std::string& level);

using spdlog::critical;
using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

}  // namespace metastore::log
