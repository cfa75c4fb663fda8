#include "base/parse.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

namespace metastore {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A decimal magnitude without leading zeros.
bool ParseMagnitude(std::string_view digits, uint64_t* value) {
  if (digits.empty() || digits.size() > 20) return false;
  if (digits[0] == '0' && digits.size() > 1) return false;
  uint64_t result = 0;
  for (char c : digits) {
    if (!IsDigit(c)) return false;
    if (__builtin_mul_overflow(result, uint64_t{10}, &result)) return false;
    if (__builtin_add_overflow(result, static_cast<uint64_t>(c - '0'), &result)) return false;
  }
  *value = result;
  return true;
}

// strtod and strtold want a NUL at the end; longer texts than any sensible number go to the heap.
template <class T>
bool ParseFloat(std::string_view text, T (*convert)(const char*, char**), T* value) {
  if (text.empty() || IsSpace(text[0])) return false;
  char small[64];
  std::string large;
  const char* begin = small;
  if (text.size() < sizeof small) {
    std::memcpy(small, text.data(), text.size());
    small[text.size()] = '\0';
  } else {
    large = text;
    begin = large.c_str();
  }
  char* end;
  errno = 0;
  T result = convert(begin, &end);
  // A NUL inside the text ends the conversion early and fails here too.
  if (static_cast<size_t>(end - begin) != text.size()) return false;
  if (errno == ERANGE && (std::isinf(result) || result == 0)) return false;
  if (std::isnan(result)) return false;
  *value = result;
  return true;
}

}  // namespace

bool ParseInt64(std::string_view text, int64_t* value) {
  bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  uint64_t magnitude;
  if (!ParseMagnitude(text, &magnitude)) return false;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (negative) {
    if (magnitude == 0 || magnitude > kMax + 1) return false;
    *value = static_cast<int64_t>(-magnitude);
  } else {
    if (magnitude > kMax) return false;
    *value = static_cast<int64_t>(magnitude);
  }
  return true;
}

bool ParseUint64(std::string_view text, uint64_t* value) { return ParseMagnitude(text, value); }

bool ParseDouble(std::string_view text, double* value) {
  // Plain decimals, nearly all there are, go the fast way; it rounds as strtod does. What it does
  // not take whole (hexadecimal, "inf", "+1", denormals that need errno) strtod decides.
  if (!text.empty() && (IsDigit(text[0]) || text[0] == '-' || text[0] == '.')) {
    double result;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error == std::errc() && end == text.data() + text.size() && std::isfinite(result)) {
      *value = result;
      return true;
    }
  }
  return ParseFloat<double>(text, std::strtod, value);
}

// INCRBYFLOAT stores what it makes of them, so all replicas must have the same, and Redis's.
static_assert(std::numeric_limits<long double>::digits == 64, "long double is x87's everywhere");

bool ParseLongDouble(std::string_view text, long double* value) {
  return ParseFloat<long double>(text, std::strtold, value);
}

bool ParseMemorySize(std::string_view text, uint64_t* bytes) {
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits == 0) return false;
  uint64_t number;
  auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc() || end != text.data() + digits) return false;

  std::string_view unit = text.substr(digits);
  uint64_t factor;
  if (unit.empty() || EqualsIgnoreCase(unit, "b")) {
    factor = 1;
  } else if (EqualsIgnoreCase(unit, "k")) {
    factor = 1000;
  } else if (EqualsIgnoreCase(unit, "kb")) {
    factor = uint64_t{1} << 10;
  } else if (EqualsIgnoreCase(unit, "m")) {
    factor = 1000 * 1000;
  } else if (EqualsIgnoreCase(unit, "mb")) {
    factor = uint64_t{1} << 20;
  } else if (EqualsIgnoreCase(unit, "g")) {
    factor = 1000 * 1000 * 1000;
  } else if (EqualsIgnoreCase(unit, "gb")) {
    factor = uint64_t{1} << 30;
  } else {
    return false;
  }
  uint64_t result;
  if (__builtin_mul_overflow(number, factor, &result)) return false;
  *bytes = result;
  return true;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (ToLowerAscii(a[i]) != ToLowerAscii(b[i])) return false;
  }
  return true;
}

}  // namespace metastore
