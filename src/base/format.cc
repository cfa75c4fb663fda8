#include "base/format.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/check.h"

namespace metastore {
namespace {

size_t CopyWord(const char* word, char* buffer) {
  size_t size = std::strlen(word);
  std::memcpy(buffer, word, size);
  return size;
}

}  // namespace

size_t FormatInt64(int64_t value, char* buffer) {
  return std::to_chars(buffer, buffer + kMaxInt64Chars, value).ptr - buffer;
}

size_t FormatUint64(uint64_t value, char* buffer) {
  return std::to_chars(buffer, buffer + kMaxInt64Chars, value).ptr - buffer;
}

void AppendInt64(std::string* out, int64_t value) {
  char buffer[kMaxInt64Chars];
  out->append(buffer, FormatInt64(value, buffer));
}

std::string FormatInt64(int64_t value) {
  char buffer[kMaxInt64Chars];
  return std::string(buffer, FormatInt64(value, buffer));
}

size_t FormatDouble(double value, char* buffer) {
  if (std::isnan(value)) return CopyWord("nan", buffer);
  if (std::isinf(value)) return CopyWord(value > 0 ? "inf" : "-inf", buffer);
  // Scores are mostly whole numbers. -0 is not one: its sign would be lost.
  if (std::fabs(value) < 1e15) {
    int64_t whole = static_cast<int64_t>(value);
    if (static_cast<double>(whole) == value && (whole != 0 || !std::signbit(value))) {
      return FormatInt64(whole, buffer);
    }
  }
  std::to_chars_result result =
      std::to_chars(buffer, buffer + kMaxDoubleChars, value, std::chars_format::general, 17);
  CHECK(result.ec == std::errc());
  return result.ptr - buffer;
}

std::string FormatDouble(double value) {
  char buffer[kMaxDoubleChars];
  return std::string(buffer, FormatDouble(value, buffer));
}

std::string FormatLongDouble(long double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The largest long double has 4933 digits before the point.
  char buffer[5 * 1024];
  int size = std::snprintf(buffer, sizeof buffer, "%.17Lf", value);
  CHECK_GT(size, 0);
  CHECK_LT(static_cast<size_t>(size), sizeof buffer);
  while (buffer[size - 1] == '0') --size;  // stops at the point at the latest
  if (buffer[size - 1] == '.') --size;
  std::string text(buffer, size);
  return text == "-0" ? "0" : text;
}

}  // namespace metastore
