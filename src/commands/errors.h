// The one place that makes error texts for clients; they are Redis's to the letter.
#pragma once

#include <string_view>

#include "base/status.h"
#include "resp/writer.h"

namespace metastore::commands {

// Writes the error line for a Status that is not Ok.
void WriteError(const Status& status, resp::Writer& reply);

// Status values for errors whose text depends on the command.
namespace errors {
Status WrongArity(std::string_view full_command_name);  // lower case; "client|list" for subcommands
Status UnknownSubcommand(std::string_view container, std::string_view sub);
Status InvalidExpireTime(std::string_view command);  // "invalid expire time in 'set' command"
// The command took effect, but its large reply found no place among unread ones.
Status NoRoomForReply();
// The command was not run, since those before it in its entry wrote as much as one may.
Status EntryTooLarge();
Status Custom(std::string_view line);  // whole line, prefix included
}  // namespace errors

}  // namespace metastore::commands
