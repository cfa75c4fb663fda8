#include "commands/scan_options.h"

#include "base/glob.h"
#include "base/parse.h"
#include "commands/errors.h"

namespace metastore::commands {

Result<uint64_t> ParseCursor(std::string_view text) {
  const Status invalid = errors::Custom("ERR invalid cursor");
  if (text.empty()) return uint64_t{0};
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  if (text.empty()) return invalid;
  uint64_t cursor = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return invalid;
    if (__builtin_mul_overflow(cursor, 10, &cursor) ||
        __builtin_add_overflow(cursor, static_cast<uint64_t>(c - '0'), &cursor)) {
      return invalid;
    }
  }
  return negative ? 0 - cursor : cursor;
}

bool ScanOptions::Match(std::string_view name) const {
  return !pattern || GlobMatch(*pattern, name);
}

Result<ScanOptions> ParseScanOptions(Args args, ScanExtra extra) {
  ScanOptions options;
  for (size_t i = 0; i < args.size(); ++i) {
    if (extra == ScanExtra::kNovalues && EqualsIgnoreCase(args[i], "NOVALUES")) {
      options.novalues = true;
      continue;
    }
    if (i + 1 >= args.size()) return Status(Code::kSyntax);
    const std::string_view name = args[i];
    const std::string_view value = args[++i];
    if (EqualsIgnoreCase(name, "COUNT")) {
      int64_t count;
      if (!ParseInt64(value, &count)) return Status(Code::kNotInteger);
      if (count < 1) return Status(Code::kSyntax);
      options.count = static_cast<uint64_t>(count);
    } else if (EqualsIgnoreCase(name, "MATCH")) {
      options.pattern = value;
      if (value == "*") options.pattern.reset();
    } else if (extra == ScanExtra::kType && EqualsIgnoreCase(name, "TYPE")) {
      options.type = value;
    } else {
      return Status(Code::kSyntax);
    }
  }
  return options;
}

}  // namespace metastore::commands
