// Bitmaps: strings seen as bits, of which bit 0 is the highest of the first byte. What lies behind
// the end of a string, or in an absent one, is zero. A write that grows a string fills it with
// zeros and rewrites it as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/txn.h"
#include "engine/view.h"
#include "types/string.h"

namespace metastore::types {

inline constexpr uint64_t kMaxBits = kMaxStringBytes * 8;

bool BitAt(std::string_view value, uint64_t offset);

// The old bit. `offset` is below kMaxBits. kWrongType.
Result<bool> SetBit(engine::Txn& txn, int db, std::string_view key, uint64_t offset, bool bit);

enum class BitUnit : uint8_t { kByte, kBit };
// Both ends included; negative positions count from the end.
struct BitRange {
  int64_t start = 0;
  int64_t end = -1;
  BitUnit unit = BitUnit::kByte;
};
uint64_t CountBits(std::string_view value, const BitRange& range);
// The first bit of that kind, none when there is none within the value.
std::optional<uint64_t> FindBit(std::string_view value, bool bit, const BitRange& range);
// Whether the range has any bits of the value in it, for FindBit.
bool IsEmptyRange(std::string_view value, const BitRange& range);

enum class BitOperation : uint8_t { kAnd, kOr, kXor, kNot };
// Stores the result under `target`, as long as the longest source, and returns its length; deletes
// the target when that is 0. kNot takes one source. kWrongType, and nothing done.
Result<uint64_t> CombineBits(engine::Txn& txn, int db, BitOperation operation,
                             std::string_view target, std::span<const std::string_view> sources);

enum class BitfieldOverflow : uint8_t { kWrap, kSaturate, kFail };
struct BitfieldOperation {
  enum class Kind : uint8_t { kGet, kSet, kIncrement };
  Kind kind = Kind::kGet;
  bool is_signed = false;
  int bits = 0;         // 1..64 when signed, 1..63 when not
  uint64_t offset = 0;  // of the field's first bit, below kMaxBits
  int64_t operand = 0;
  BitfieldOverflow overflow = BitfieldOverflow::kWrap;
};
// Of each operation the field, before kSet and after kIncrement; none where kFail refused it.
using BitfieldResults = std::vector<std::optional<int64_t>>;
// All operations are kGet. kWrongType.
Result<BitfieldResults> ReadBitfield(const engine::View& view, int db, std::string_view key,
                                     std::span<const BitfieldOperation> operations);
// In order. The string grows to hold every field that is to be written, also those that kFail
// refuses, as in Redis. Writes nothing when all are kGet. kWrongType, kStringTooLong.
Result<BitfieldResults> ApplyBitfield(engine::Txn& txn, int db, std::string_view key,
                                      std::span<const BitfieldOperation> operations);

}  // namespace metastore::types
