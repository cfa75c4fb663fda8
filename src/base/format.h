// Numbers as Redis prints them, without snprintf where it is hot. What a command stores is among
// them, so replicas must agree to the byte: the double's digits are unique; the long double's are
// those of the x87 format, which all x86-64 machines share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace metastore {

inline constexpr size_t kMaxInt64Chars = 20;
inline constexpr size_t kMaxDoubleChars = 32;

// Writes the decimal digits to `buffer` (of kMaxInt64Chars, no NUL) and returns how many there are.
size_t FormatInt64(int64_t value, char* buffer);
size_t FormatUint64(uint64_t value, char* buffer);
void AppendInt64(std::string* out, int64_t value);
std::string FormatInt64(int64_t value);

// "%.17g", as Redis 7.0 shows scores: "3", "0.10000000000000001", "1e+17", "-0", "inf", "-inf",
// "nan". It reads back as the same double. Buffer of kMaxDoubleChars, no NUL.
size_t FormatDouble(double value, char* buffer);
std::string FormatDouble(double value);

// What INCRBYFLOAT stores: "%.17Lf" without trailing zeros, never an exponent; "-0" becomes "0".
std::string FormatLongDouble(long double value);

}  // namespace metastore
