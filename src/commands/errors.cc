#include "commands/errors.h"

#include <string>

#include "base/parse.h"

namespace metastore::commands {
namespace {

// Arguments are quoted back to this length, as Redis does.
constexpr size_t kMaxQuotedBytes = 128;

std::string Line(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      break;
    case Code::kWrongType:
      return "WRONGTYPE Operation against a key holding the wrong kind of value";
    case Code::kSyntax:
      return "ERR syntax error";
    case Code::kNotInteger:
      return "ERR value is not an integer or out of range";
    case Code::kNotFloat:
      return "ERR value is not a valid float";
    case Code::kOverflow:
      return "ERR increment or decrement would overflow";
    case Code::kNanOrInfinity:
      return "ERR increment would produce NaN or Infinity";
    case Code::kOffsetRange:
      return "ERR offset is out of range";
    case Code::kStringTooLong:
      return "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    case Code::kNoSuchKey:
      return "ERR no such key";
    case Code::kNotHyperloglog:
      return "WRONGTYPE Key is not a valid HyperLogLog string value.";
    case Code::kCorruptHyperloglog:
      return "INVALIDOBJ Corrupted HLL object detected";
    case Code::kReply:
      return status.message();
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kInvalidArgument:
    case Code::kCorruption:
    case Code::kIoError:
    case Code::kNoSpace:
    case Code::kUnavailable:
    case Code::kBusy:
      // Kinds without words of Redis's: what the lower layer says is what there is to say.
      if (!status.message().empty()) return "ERR " + status.message();
      return "ERR " + std::string(CodeName(status.code()));
  }
  CHECK_MSG(false, "an error reply for a Status that is Ok");
}

}  // namespace

void WriteError(const Status& status, resp::Writer& reply) { reply.Error(Line(status)); }

namespace errors {

Status WrongArity(std::string_view full_command_name) {
  return Custom("ERR wrong number of arguments for '" + std::string(full_command_name) +
                "' command");
}

Status UnknownSubcommand(std::string_view container, std::string_view sub) {
  std::string upper;
  for (char c : container) {
    upper.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return Custom("ERR unknown subcommand '" + std::string(sub.substr(0, kMaxQuotedBytes)) +
                "'. Try " + upper + " HELP.");
}

Status InvalidExpireTime(std::string_view command) {
  return Custom("ERR invalid expire time in '" + std::string(command) + "' command");
}

Status NoRoomForReply() {
  return Custom(
      "ERR the reply was dropped: the unread replies of all clients exceed output-memory. The "
      "command took effect");
}

Status EntryTooLarge() {
  return Custom(
      "ERR the commands that were sent just before this one have written 1 GB: send it again");
}

Status Custom(std::string_view line) { return Status(Code::kReply, std::string(line)); }

}  // namespace errors
}  // namespace metastore::commands
