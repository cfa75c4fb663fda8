#include "types/bitmap.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "base/check.h"

namespace metastore::types {

using engine::Txn;
using engine::View;

namespace {

constexpr size_t kWordBytes = sizeof(uint64_t);

uint64_t LoadWord(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, kWordBytes);
  return word;
}
void StoreWord(char* bytes, uint64_t word) { std::memcpy(bytes, &word, kWordBytes); }

uint8_t ByteAt(std::string_view value, uint64_t position) {
  return position < value.size() ? static_cast<uint8_t>(value[position]) : 0;
}

// --- counting and finding ------------------------------------------------------------------------

// Each byte of a word becomes the number of its bits. Compilers that may not assume the popcnt
// instruction call a table for std::popcount, which is slower.
constexpr uint64_t CountsPerByte(uint64_t word) {
  word -= word >> 1 & 0x5555555555555555;
  word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
  return (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
}

uint64_t CountAll(std::string_view bytes) {
  constexpr uint64_t kLowOfPairs = 0x00ff00ff00ff00ff;
  constexpr uint64_t kOnes = 0x0001000100010001;
  // A byte holds the counts of 31 words at most, 8 a word.
  constexpr size_t kWordsPerSum = 31;
  uint64_t count = 0;
  const char* at = bytes.data();
  size_t words = bytes.size() / kWordBytes;
  while (words > 0) {
    uint64_t sums = 0;
    const size_t taken = std::min(words, kWordsPerSum);
    for (size_t i = 0; i < taken; ++i, at += kWordBytes) sums += CountsPerByte(LoadWord(at));
    words -= taken;
    const uint64_t pairs = (sums & kLowOfPairs) + (sums >> 8 & kLowOfPairs);
    count += pairs * kOnes >> 48;
  }
  for (const char* end = bytes.data() + bytes.size(); at < end; ++at) {
    count += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(*at)));
  }
  return count;
}

// Bits of a value, both included and within it.
struct Bits {
  uint64_t first = 0;
  uint64_t last = 0;
};

// The range as Redis cuts it to the value; none when nothing is left.
std::optional<Bits> Clamp(std::string_view value, const BitRange& range) {
  const int64_t per_unit = range.unit == BitUnit::kByte ? 8 : 1;
  const int64_t total = static_cast<int64_t>(value.size()) * 8 / per_unit;
  int64_t start = range.start;
  int64_t end = range.end;
  if (start < 0) start = std::max<int64_t>(start + total, 0);
  if (end < 0) end = std::max<int64_t>(end + total, 0);
  end = std::min(end, total - 1);
  if (start > end) return std::nullopt;
  return Bits{static_cast<uint64_t>(start * per_unit),
              static_cast<uint64_t>(end * per_unit + per_unit - 1)};
}

}  // namespace

bool BitAt(std::string_view value, uint64_t offset) {
  return (ByteAt(value, offset / 8) >> (7 - offset % 8) & 1) != 0;
}

uint64_t CountBits(std::string_view value, const BitRange& range) {
  const std::optional<Bits> bits = Clamp(value, range);
  if (!bits) return 0;
  const uint64_t first_byte = bits->first / 8;
  const uint64_t last_byte = bits->last / 8;
  uint64_t count = CountAll(value.substr(first_byte, last_byte - first_byte + 1));
  // What the first and the last byte hold outside the range.
  const unsigned before = ByteAt(value, first_byte) & ~(0xffu >> bits->first % 8);
  const unsigned after = ByteAt(value, last_byte) & 0x7fu >> bits->last % 8;
  return count - static_cast<uint64_t>(std::popcount(before) + std::popcount(after));
}

bool IsEmptyRange(std::string_view value, const BitRange& range) {
  return !Clamp(value, range).has_value();
}

std::optional<uint64_t> FindBit(std::string_view value, bool bit, const BitRange& range) {
  const std::optional<Bits> bits = Clamp(value, range);
  if (!bits) return std::nullopt;
  // A byte or word without the wanted bit.
  const uint64_t without = bit ? 0 : ~uint64_t{0};
  const uint64_t end_byte = bits->last / 8 + 1;
  uint64_t at = bits->first / 8;
  uint8_t byte = static_cast<uint8_t>((ByteAt(value, at) ^ without) & 0xffu >> bits->first % 8);
  while (byte == 0) {
    ++at;
    while (at + kWordBytes <= end_byte && LoadWord(value.data() + at) == without) at += kWordBytes;
    if (at >= end_byte) return std::nullopt;
    byte = static_cast<uint8_t>(ByteAt(value, at) ^ without);
  }
  const uint64_t found = at * 8 + static_cast<uint64_t>(std::countl_zero(byte));
  if (found > bits->last) return std::nullopt;
  return found;
}

// --- writing -------------------------------------------------------------------------------------

namespace {

// A string open for changes to its bits.
class OpenBits {
 public:
  OpenBits(Txn& txn, int db, std::string_view key) : key_(txn, db, key) {}

  // Reads the value and grows it to `bytes`. kWrongType, kStringTooLong.
  Status Load(uint64_t bytes) {
    const Record* found = key_.found();
    if (found != nullptr && found->header().type != Type::kString) {
      return Status(Code::kWrongType);
    }
    if (bytes > kMaxStringBytes) return Status(Code::kStringTooLong);
    if (found != nullptr) value_ = found->payload();
    // What has been open for bits is raw, also when no bit changed.
    renewed_ = found == nullptr || found->header().form != StringForm::kRaw;
    if (bytes > value_.size()) {
      value_.resize(bytes, '\0');
      changed_ = true;
    }
    return Status::Ok();
  }

  std::string_view value() const { return value_; }
  void SetByte(uint64_t position, uint8_t byte) {
    CHECK_LT(position, value_.size());
    if (ByteAt(value_, position) == byte) return;
    value_[position] = static_cast<char>(byte);
    changed_ = true;
  }

  bool changed() const { return changed_; }

  void Save() {
    if (!changed_ && !renewed_) return;
    const Record* found = key_.found();
    key_.Put(Type::kString, StringForm::kRaw,
             found != nullptr ? found->header().deadline_ms : std::nullopt, value_);
  }

 private:
  WritableKey key_;
  std::string value_;
  bool changed_ = false;  // has other bits, or more
  bool renewed_ = false;  // has another form
};

}  // namespace

Result<bool> SetBit(Txn& txn, int db, std::string_view key, uint64_t offset, bool bit) {
  CHECK_LT(offset, kMaxBits);
  OpenBits bits(txn, db, key);
  RETURN_IF_ERROR(bits.Load(offset / 8 + 1));
  const bool old = BitAt(bits.value(), offset);
  const unsigned mask = 0x80u >> offset % 8;
  const unsigned byte = ByteAt(bits.value(), offset / 8);
  bits.SetByte(offset / 8, static_cast<uint8_t>(bit ? byte | mask : byte & ~mask));
  bits.Save();
  if (bits.changed()) txn.events().Notify(engine::kNotifyString, "setbit", db, key);
  return old;
}

namespace {

uint64_t Combine(BitOperation operation, uint64_t a, uint64_t b) {
  switch (operation) {
    case BitOperation::kAnd:
      return a & b;
    case BitOperation::kOr:
      return a | b;
    case BitOperation::kXor:
      return a ^ b;
    case BitOperation::kNot:
      return ~a;
  }
  CHECK_MSG(false, "an unknown operation on bits");
}

// *a becomes the combination, as long as the longer of the two.
void CombineInto(BitOperation operation, std::string* a, std::string_view b) {
  if (b.size() > a->size()) a->resize(b.size(), '\0');
  size_t at = 0;
  for (; at + kWordBytes <= b.size(); at += kWordBytes) {
    char* word = a->data() + at;
    StoreWord(word, Combine(operation, LoadWord(word), LoadWord(b.data() + at)));
  }
  for (; at < a->size(); ++at) {
    (*a)[at] = static_cast<char>(Combine(operation, ByteAt(*a, at), ByteAt(b, at)));
  }
}

}  // namespace

Result<uint64_t> CombineBits(Txn& txn, int db, BitOperation operation, std::string_view target,
                             std::span<const std::string_view> sources) {
  CHECK(!sources.empty());
  CHECK(operation != BitOperation::kNot || sources.size() == 1);
  std::string result;
  for (size_t i = 0; i < sources.size(); ++i) {
    Result<Record> source = FindString(txn, db, sources[i]);
    if (!source.ok() && source.code() != Code::kNotFound) return source.status();
    const std::string_view value = source.ok() ? source->payload() : "";
    if (i == 0) {
      result = value;
      if (operation == BitOperation::kNot) CombineInto(operation, &result, value);
    } else {
      CombineInto(operation, &result, value);
    }
  }
  WritableKey key(txn, db, target);
  if (result.empty()) {
    key.Delete();
  } else {
    key.Put(Type::kString, StringForm::kRaw, std::nullopt, result);
  }
  return result.size();
}

// --- fields --------------------------------------------------------------------------------------

namespace {

// Room for a field of 64 bits that begins within a byte.
using Wide = unsigned __int128;
using SignedWide = __int128;

uint64_t LowBits(uint64_t value, int bits) {
  return bits == 64 ? value : value & ((1ull << bits) - 1);
}

uint64_t LoadField(std::string_view value, uint64_t offset, int bits) {
  const uint64_t last = offset + static_cast<uint64_t>(bits) - 1;
  Wide bytes = 0;
  for (uint64_t i = offset / 8; i <= last / 8; ++i) bytes = bytes << 8 | ByteAt(value, i);
  return LowBits(static_cast<uint64_t>(bytes >> (7 - last % 8)), bits);
}

void StoreField(OpenBits* target, uint64_t offset, int bits, uint64_t field) {
  const uint64_t last = offset + static_cast<uint64_t>(bits) - 1;
  const int shift = static_cast<int>(7 - last % 8);
  Wide mask = Wide{LowBits(~uint64_t{0}, bits)} << shift;
  Wide bytes = Wide{LowBits(field, bits)} << shift;
  for (uint64_t i = last / 8 + 1; i-- > offset / 8; mask >>= 8, bytes >>= 8) {
    const unsigned kept = ByteAt(target->value(), i) & ~static_cast<unsigned>(mask & 0xff);
    target->SetByte(i, static_cast<uint8_t>(kept | static_cast<unsigned>(bytes & 0xff)));
  }
}

// A field's bits as the number that they stand for.
int64_t NumberOf(const BitfieldOperation& operation, uint64_t field) {
  if (!operation.is_signed) return static_cast<int64_t>(field);
  const int unused = 64 - operation.bits;
  return static_cast<int64_t>(field << unused) >> unused;
}

// The number to store, in so far as the field and the overflow rule can hold it.
std::optional<int64_t> Fit(const BitfieldOperation& operation, SignedWide wanted) {
  const int magnitude_bits = operation.is_signed ? operation.bits - 1 : operation.bits;
  const SignedWide max = (SignedWide{1} << magnitude_bits) - 1;
  const SignedWide min = operation.is_signed ? -max - 1 : 0;
  if (wanted >= min && wanted <= max) return static_cast<int64_t>(wanted);
  switch (operation.overflow) {
    case BitfieldOverflow::kFail:
      return std::nullopt;
    case BitfieldOverflow::kWrap:
      return NumberOf(operation, LowBits(static_cast<uint64_t>(wanted), operation.bits));
    case BitfieldOverflow::kSaturate: {
      // Redis compares the distance to the maximum as 64 bits first: a number so low that the
      // distance does not fit counts as too high.
      const bool too_far = operation.kind == BitfieldOperation::Kind::kSet && operation.is_signed &&
                           operation.bits < 64 && max - wanted > INT64_MAX;
      return static_cast<int64_t>(wanted > max || too_far ? max : min);
    }
  }
  CHECK_MSG(false, "an unknown overflow rule");
}

SignedWide Wanted(const BitfieldOperation& operation, int64_t old) {
  if (operation.kind == BitfieldOperation::Kind::kIncrement) {
    return SignedWide{old} + operation.operand;
  }
  if (operation.is_signed) return operation.operand;
  return static_cast<SignedWide>(static_cast<uint64_t>(operation.operand));
}

}  // namespace

Result<BitfieldResults> ReadBitfield(const View& view, int db, std::string_view key,
                                     std::span<const BitfieldOperation> operations) {
  Result<Record> found = FindString(view, db, key);
  if (!found.ok() && found.code() != Code::kNotFound) return found.status();
  const std::string_view value = found.ok() ? found->payload() : "";
  BitfieldResults results;
  results.reserve(operations.size());
  for (const BitfieldOperation& operation : operations) {
    CHECK(operation.kind == BitfieldOperation::Kind::kGet);
    results.push_back(NumberOf(operation, LoadField(value, operation.offset, operation.bits)));
  }
  return results;
}

Result<BitfieldResults> ApplyBitfield(Txn& txn, int db, std::string_view key,
                                      std::span<const BitfieldOperation> operations) {
  uint64_t end = 0;
  for (const BitfieldOperation& operation : operations) {
    if (operation.kind == BitfieldOperation::Kind::kGet) continue;
    end = std::max(end, operation.offset + static_cast<uint64_t>(operation.bits));
  }
  if (end == 0) return ReadBitfield(txn, db, key, operations);

  OpenBits bits(txn, db, key);
  RETURN_IF_ERROR(bits.Load((end + 7) / 8));
  BitfieldResults results;
  results.reserve(operations.size());
  bool stored_any = false;
  for (const BitfieldOperation& operation : operations) {
    const int64_t old =
        NumberOf(operation, LoadField(bits.value(), operation.offset, operation.bits));
    std::optional<int64_t> result = old;
    if (operation.kind != BitfieldOperation::Kind::kGet) {
      const std::optional<int64_t> stored = Fit(operation, Wanted(operation, old));
      if (stored) {
        StoreField(&bits, operation.offset, operation.bits, static_cast<uint64_t>(*stored));
        stored_any = true;
      }
      if (!stored || operation.kind == BitfieldOperation::Kind::kIncrement) result = stored;
    }
    results.push_back(result);
  }
  bits.Save();
  // A string that only grew, since no field fitted, is not told, as in Redis.
  if (stored_any && bits.changed()) {
    txn.events().Notify(engine::kNotifyString, "setbit", db, key);
  }
  return results;
}

}  // namespace metastore::types
