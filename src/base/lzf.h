// LZF, in which Redis compresses long strings of an RDB payload. Only reading: what is written here
// goes uncompressed, which every Redis takes.
//
//   literal := length-1:5 bits under 0b000, that many bytes
//   copy    := length-2:3 bits (7: one more byte adds to it), distance-1:13 bits
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace metastore {

// The most bytes that one compressed byte can stand for.
inline constexpr size_t kMaxLzfRatio = 88;

// False where the bytes are no LZF of exactly `size` bytes; *out is unspecified then. Needs no more
// memory than `size` and than kMaxLzfRatio times what is there.
bool DecompressLzf(std::string_view in, size_t size, std::string* out);

}  // namespace metastore
