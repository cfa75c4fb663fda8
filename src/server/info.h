// INFO: what a node says of itself, in Redis's sections and field names, and a section of Raft's.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace metastore::server {

class Server;

inline constexpr std::string_view kVersion = "0.1.0";
// The Redis whose commands and replies these are: clients choose what they use by it.
inline constexpr std::string_view kRedisVersion = "7.2.4";

// The text of INFO with these arguments (section names in any case; none: the default sections).
std::string InfoText(Server& server, std::span<const std::string_view> sections);

}  // namespace metastore::server
