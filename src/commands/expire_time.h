// Expiry times as clients give them: seconds or milliseconds, from now or since 1970. What is
// stored is always a deadline in milliseconds since 1970, counted from the time of the log entry.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace metastore::commands {

struct ExpireUnit {
  bool seconds = true;
  bool absolute = false;
};

// For SET, SETEX, GETEX …: a time of zero or less is an error. `command` is named in it.
Result<int64_t> PositiveDeadline(std::string_view text, ExpireUnit unit, int64_t now_ms,
                                 std::string_view command);

// For the EXPIRE family: a time that has passed is good and deletes the key.
Result<int64_t> AnyDeadline(std::string_view text, ExpireUnit unit, int64_t now_ms,
                            std::string_view command);

}  // namespace metastore::commands
