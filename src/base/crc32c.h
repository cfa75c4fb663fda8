// CRC-32C (Castagnoli): the checksum of log records, peer frames and snapshots. Uses the CPU's
// instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace metastore {

// ExtendCrc32c(Crc32c(a), b) == Crc32c(a followed by b).
uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes);
inline uint32_t Crc32c(std::string_view bytes) { return ExtendCrc32c(0, bytes); }

namespace internal {
// The portable way, for machines without SSE 4.2 and for the test that compares the two.
uint32_t ExtendCrc32cTable(uint32_t crc, std::string_view bytes);
}  // namespace internal

}  // namespace metastore
