#include "commands/expire_time.h"

#include "base/parse.h"
#include "commands/errors.h"

namespace metastore::commands {

Result<int64_t> AnyDeadline(std::string_view text, ExpireUnit unit, int64_t now_ms,
                            std::string_view command) {
  int64_t time;
  if (!ParseInt64(text, &time)) return Status(Code::kNotInteger);
  if (unit.seconds && __builtin_mul_overflow(time, 1000, &time)) {
    return errors::InvalidExpireTime(command);
  }
  if (!unit.absolute && __builtin_add_overflow(time, now_ms, &time)) {
    return errors::InvalidExpireTime(command);
  }
  return time;
}

Result<int64_t> PositiveDeadline(std::string_view text, ExpireUnit unit, int64_t now_ms,
                                 std::string_view command) {
  int64_t time;
  if (!ParseInt64(text, &time)) return Status(Code::kNotInteger);
  if (time <= 0) return errors::InvalidExpireTime(command);
  return AnyDeadline(text, unit, now_ms, command);
}

}  // namespace metastore::commands
