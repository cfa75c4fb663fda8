#include "server/local_spec.h"

#include <string>

namespace metastore::server {

void WriteHelp(std::string_view container, std::initializer_list<std::string_view> lines,
               resp::Writer& reply) {
  reply.Array(lines.size() + 3);
  reply.SimpleString(std::string(container) +
                     " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (std::string_view line : lines) reply.SimpleString(line);
  reply.SimpleString("HELP");
  reply.SimpleString("    Prints this help.");
}

}  // namespace metastore::server
