#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <exception>
#include <memory>

namespace metastore::log {

Status SetLevel(const std::string& level) {
  spdlog::level::level_enum parsed = spdlog::level::from_str(level == "warn" ? "warning" : level);
  if (parsed == spdlog::level::off && level != "off") {
    return Status::InvalidArgument("log level '" + level +
                                   "' is not one of trace, debug, info, warning, error, off");
  }
  spdlog::set_level(parsed);
  return Status::Ok();
}

Status Init(const std::string& level, const std::string& file) {
  std::shared_ptr<spdlog::sinks::sink> sink;  // spdlog's own interface asks for shared ownership
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  } else {
    try {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    } catch (const std::exception& e) {
      return Status::IoError("cannot open the log file " + file + ": " + e.what());
    }
  }
  auto logger = std::make_shared<spdlog::logger>("metaStore", std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  SetCheckFailedSink([](const std::string& line) {
    spdlog::critical("{}", line);
    spdlog::default_logger()->flush();
  });
  return SetLevel(level);
}

}  // namespace metastore::log
