// CRC-64 of the Jones polynomial, bits reflected, no inversions: the checksum at the end of what
// Redis's DUMP makes.
#pragma once

#include <cstdint>
#include <string_view>

namespace metastore {

// ExtendCrc64(Crc64(a), b) == Crc64(a followed by b).
uint64_t ExtendCrc64(uint64_t crc, std::string_view bytes);
inline uint64_t Crc64(std::string_view bytes) { return ExtendCrc64(0, bytes); }

}  // namespace metastore
