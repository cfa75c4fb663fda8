// Numbers and words as Redis reads them from arguments, stored values and configuration. Each
// function returns false, and leaves *value alone, unless the whole text is of its form.
#pragma once

#include <cstdint>
#include <string_view>

namespace metastore {

// Redis's string2ll: decimal, optional '-', no '+', no leading zeros except "0" itself, no spaces.
// What it accepts is exactly what FormatInt64 writes.
bool ParseInt64(std::string_view text, int64_t* value);
bool ParseUint64(std::string_view text, uint64_t* value);

// What strtod and strtold accept (hexadecimal floats, "inf", "+Infinity" in any case), without
// leading space. NaN, overflow and underflow to zero are refused.
bool ParseDouble(std::string_view text, double* value);
bool ParseLongDouble(std::string_view text, long double* value);

// Configuration sizes: "100", "100b", "1k" (1000), "1kb" (1024), "m", "mb", "g", "gb" in any case.
bool ParseMemorySize(std::string_view text, uint64_t* bytes);

// ASCII only, independent of the locale.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
inline char ToLowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace metastore
