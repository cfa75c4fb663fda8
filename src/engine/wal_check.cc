// file   := block × n, of 32 KB each but the last; a record does not cross blocks, and less than
//           7 bytes at the end of a block are filling
// record := masked_crc32c:le32 length:le16 type:u8 bytes      (the checksum is of type and bytes)
#include "engine/wal_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/crc32c.h"
#include "engine/file.h"

namespace metastore::engine {
namespace {

constexpr size_t kBlockBytes = 32 << 10;
constexpr size_t kHeaderBytes = 7;
constexpr uint8_t kMaxType = 4;  // full, first, middle, last; the log uses no others
constexpr size_t kMaxWalBytes = size_t{4} << 30;

// The bytes of the record at `at`; 0 when none is there.
size_t RecordBytes(std::string_view bytes, size_t at) {
  size_t room = std::min(kBlockBytes - at % kBlockBytes, bytes.size() - at);
  if (room < kHeaderBytes) return 0;
  const char* header = bytes.data() + at;
  uint8_t type = static_cast<uint8_t>(header[6]);
  size_t length = static_cast<uint8_t>(header[4]) | static_cast<uint8_t>(header[5]) << 8;
  if (type == 0 || type > kMaxType || length > room - kHeaderBytes) return 0;
  uint32_t stored;
  std::memcpy(&stored, header, sizeof stored);
  uint32_t crc = Crc32c(bytes.substr(at + 6, 1 + length));
  uint32_t masked = (crc >> 15 | crc << 17) + 0xa282ead8;
  return masked == stored ? kHeaderBytes + length : 0;
}

// Whether the record at `at` is whole but for one bit of its length.
bool HasDamagedLength(std::string_view bytes, size_t at) {
  constexpr size_t kLengthOffset = 4;
  if (bytes.size() - std::min(bytes.size(), at) < kHeaderBytes) return false;
  const size_t block = at - at % kBlockBytes;
  std::string tail(bytes.substr(block, kBlockBytes));
  for (size_t bit = 0; bit < 16; ++bit) {
    char& byte = tail[at - block + kLengthOffset + bit / 8];
    byte = static_cast<char>(byte ^ 1 << bit % 8);
    if (RecordBytes(tail, at - block) != 0) return true;
    byte = static_cast<char>(byte ^ 1 << bit % 8);
  }
  return false;
}

}  // namespace

WalExtent ExamineWal(std::string_view bytes) {
  WalExtent extent;
  size_t at = 0;
  while (at < bytes.size()) {
    size_t left = kBlockBytes - at % kBlockBytes;
    if (left < kHeaderBytes) {
      at += left;
      continue;
    }
    size_t size = RecordBytes(bytes, at);
    if (size == 0) break;
    at += size;
    extent.end = at;
  }
  extent.damaged = HasDamagedLength(bytes, at);
  for (++at; at < bytes.size() && !extent.damaged; ++at) {
    extent.damaged = RecordBytes(bytes, at) != 0;
  }
  return extent;
}

Status CheckRecordFiles(const std::string& directory) {
  Result<std::vector<std::string>> names = ListDirectory(directory);
  if (names.code() == Code::kNotFound) return Status::Ok();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!name.ends_with(".log") && !name.starts_with("MANIFEST-")) continue;
    Result<std::string> bytes = ReadSmallFile(directory + "/" + name, kMaxWalBytes);
    if (!bytes.ok()) return bytes.status();
    WalExtent extent = ExamineWal(*bytes);
    if (extent.damaged) {
      return Status::Corruption("the file " + directory + "/" + name + " is damaged at byte " +
                                std::to_string(extent.end));
    }
  }
  return Status::Ok();
}

Status CheckNotHeadless(const std::string& directory) {
  Result<std::vector<std::string>> names = ListDirectory(directory);
  if (names.code() == Code::kNotFound) return Status::Ok();
  if (!names.ok()) return names.status();
  if (std::binary_search(names->begin(), names->end(), "CURRENT")) return Status::Ok();
  for (const std::string& name : *names) {
    if (name.ends_with(".log") || name.ends_with(".sst")) {
      return Status::Corruption(directory + "/CURRENT is missing, but " + directory + "/" + name +
                                " is there");
    }
  }
  return Status::Ok();
}

}  // namespace metastore::engine
