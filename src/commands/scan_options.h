// What SCAN and the scans of collections have in common: the cursor, MATCH and COUNT.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "commands/context.h"

namespace metastore::commands {

// "ERR invalid cursor" where Redis says so. Redis takes strtoul's form without leading space, the
// empty text included.
Result<uint64_t> ParseCursor(std::string_view text);

struct ScanOptions {
  uint64_t count = 10;
  std::optional<std::string_view> pattern;  // none: everything
  std::optional<std::string_view> type;     // SCAN's TYPE
  bool novalues = false;                    // HSCAN's NOVALUES

  bool Match(std::string_view name) const;
};

// Which options a command has beyond MATCH and COUNT.
enum class ScanExtra : uint8_t { kNone, kType, kNovalues };

// `args` are the options alone. kSyntax, kNotInteger.
Result<ScanOptions> ParseScanOptions(Args args, ScanExtra extra);

}  // namespace metastore::commands
