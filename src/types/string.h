// Strings over a View or a Txn: what the commands of Redis's string group do to a value, without
// arguments to parse and replies to write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/txn.h"
#include "engine/view.h"
#include "types/keyspace.h"

namespace metastore::types {

inline constexpr uint64_t kMaxStringBytes = uint64_t{512} << 20;

// kNotFound, kWrongType.
Result<Record> FindString(const engine::View& view, int db, std::string_view key);

// "int", "embstr" or "raw", as Redis would hold it.
std::string_view StringEncoding(const Record& record);
// Redis shares the objects of small integers and shows a reference count that says so.
int64_t StringReferenceCount(const Record& record);

// Bytes start..end, both included; negative positions count from the end.
std::string_view Substring(std::string_view value, int64_t start, int64_t end);

enum class SetCondition : uint8_t { kAlways, kIfAbsent, kIfPresent };
struct SetOptions {
  SetCondition condition = SetCondition::kAlways;
  bool keep_deadline = false;
  std::optional<int64_t> deadline_ms;
  bool want_old = false;  // kWrongType, and nothing done, when the old value is no string
};
struct SetOutcome {
  bool stored = false;
  std::optional<std::string> old;  // only where it was wanted
};
Result<SetOutcome> SetString(engine::Txn& txn, int db, std::string_view key, std::string_view value,
                             const SetOptions& options);

// The old value, and the key is gone. kNotFound, kWrongType.
Result<std::string> TakeString(engine::Txn& txn, int db, std::string_view key);

// The new length. kWrongType, kStringTooLong.
Result<uint64_t> AppendString(engine::Txn& txn, int db, std::string_view key,
                              std::string_view bytes);
// Zero bytes fill a gap; no bytes change nothing. `offset` is not negative.
Result<uint64_t> OverwriteString(engine::Txn& txn, int db, std::string_view key, uint64_t offset,
                                 std::string_view bytes);

// The new value; an absent key counts as 0 and an expiry stays. kWrongType, kNotInteger, kOverflow.
Result<int64_t> IncrementString(engine::Txn& txn, int db, std::string_view key, int64_t delta);
// `delta` is a client's text. The new value as it is stored. kWrongType, kNotFloat, kNanOrInfinity.
Result<std::string> IncrementStringByFloat(engine::Txn& txn, int db, std::string_view key,
                                           std::string_view delta);

// Positions of a common run in both strings, ends included.
struct CommonRun {
  uint32_t a_start = 0, a_end = 0;
  uint32_t b_start = 0, b_end = 0;
  uint32_t length() const { return a_end - a_start + 1; }
};
struct CommonSubsequence {
  uint32_t length = 0;
  std::string text;             // empty if only the length was wanted
  std::vector<CommonRun> runs;  // from the end of the strings to their start, as Redis lists them
};
// The longest common subsequence. Refuses with kNoSpace what Redis refuses with its default
// proto-max-bulk-len (512 MiB for a table of 4 bytes a cell), but needs one bit a cell and one row
// of numbers: at most 16 MiB and 256 MiB.
Result<CommonSubsequence> LongestCommonSubsequence(std::string_view a, std::string_view b,
                                                   bool length_only);

}  // namespace metastore::types
