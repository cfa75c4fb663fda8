#include "base/crc64.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace metastore {
namespace {

constexpr uint64_t kReflectedPolynomial = 0x95ac9329ac4bc9b5;  // of 0xad93d23594c935a9

using Tables = std::array<std::array<uint64_t, 256>, 8>;

// tables[0][b] is the checksum of the byte b; tables[n][b] that of b with n zero bytes behind it,
// so that eight bytes are done with eight look-ups (Kounavis and Berry, "slicing by 8").
constexpr Tables MakeTables() {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ kReflectedPolynomial : crc >> 1;
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < tables.size(); ++n) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t crc = tables[n - 1][byte];
      tables[n][byte] = crc >> 8 ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}
constexpr Tables kTables = MakeTables();

}  // namespace

uint64_t ExtendCrc64(uint64_t crc, std::string_view bytes) {
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    crc ^= word;
    uint64_t next = 0;
    for (size_t i = 0; i < 8; ++i) next ^= kTables[7 - i][crc >> (8 * i) & 0xff];
    crc = next;
    bytes.remove_prefix(8);
  }
  for (char byte : bytes) {
    crc = crc >> 8 ^ kTables[0][(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return crc;
}

}  // namespace metastore
