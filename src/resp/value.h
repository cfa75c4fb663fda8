// A reply as a tree: what a client sees. For tests and for comparing replies with another server's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::resp {

enum class Type : uint8_t {
  kSimpleString,
  kError,  // RESP3's bulk error reads as this too
  kInteger,
  kBulk,
  kNull,       // "$-1", "_"
  kNullArray,  // "*-1"
  kArray,
  kMap,  // children: key, value, key, value …
  kSet,
  kPush,
  kDouble,
  kBool,
  kBigNumber,
  kVerbatim,
};
std::string_view TypeName(Type type);

struct Value {
  Type type = Type::kNull;
  int64_t integer = 0;  // kInteger, kBool
  // Text as it stood on the wire, of every type but integers and aggregates. Of kDouble the
  // digits, of kVerbatim "txt:" and the text.
  std::string text;
  std::vector<Value> children;

  bool IsError() const { return type == Type::kError; }
  bool IsNull() const { return type == Type::kNull || type == Type::kNullArray; }
  bool operator==(const Value& other) const = default;

  static Value SimpleString(std::string text) {
    return {Type::kSimpleString, 0, std::move(text), {}};
  }
  static Value Error(std::string line) { return {Type::kError, 0, std::move(line), {}}; }
  static Value Integer(int64_t value) { return {Type::kInteger, value, {}, {}}; }
  static Value Bulk(std::string bytes) { return {Type::kBulk, 0, std::move(bytes), {}}; }
  static Value Null() { return {Type::kNull, 0, {}, {}}; }
  static Value Array(std::vector<Value> elements) {
    return {Type::kArray, 0, {}, std::move(elements)};
  }
};

// Aggregates within aggregates.
inline constexpr size_t kMaxValueDepth = 128;
inline constexpr int64_t kMaxValueBytes = int64_t{1} << 30;

enum class ParseResult { kValue, kNeedMore, kError };

// Reads one value from the front of *in and moves *in behind it. Otherwise *in stays: kNeedMore
// where the bytes are only the beginning of a value, kError (with *error set, if given) where no
// more bytes can make it one. RESP3 attributes are skipped. Needs memory only for bytes that are
// there, and no stack by depth. It starts over at each call: hand it whole replies where it can
// matter.
ParseResult ParseValue(std::string_view* in, Value* value, std::string* error = nullptr);

// The bytes of the value at the front of *in, which is whole and well-formed (what a Writer wrote),
// and moves *in behind it.
std::string_view TakeEncoded(std::string_view* in);

// As redis-cli prints it: (integer) 1, "text" with escapes, 1) 2) … indented.
std::string ToString(const Value& value);

}  // namespace metastore::resp
