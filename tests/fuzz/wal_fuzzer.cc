// RocksDB's record files, which are looked at before RocksDB opens them. The first byte chooses:
// the bytes of a file as they are, or how to write one, since a fuzzer could not find checksums.
//
//   script := 1 bit:be32 pieces    pieces := (type:u8 length:be16 fill:u8)...
//
// A file of whole records is whole, and a flipped bit in any record but the last is damage. (In the
// last one it may look like a record that a crash cut short.)
#include <algorithm>
#include <string>

#include "base/crc32c.h"
#include "engine/wal_check.h"
#include "tests/fuzz/fuzzer.h"

namespace {

using metastore::engine::ExamineWal;
using metastore::engine::WalExtent;

constexpr size_t kBlockBytes = 32 << 10;
constexpr size_t kHeaderBytes = 7;
constexpr size_t kMaxFileBytes = 2 * kBlockBytes;

void CheckFile(std::string_view bytes) {
  const WalExtent extent = ExamineWal(bytes);
  FUZZ_CHECK(extent.end <= bytes.size());
  const WalExtent whole = ExamineWal(bytes.substr(0, extent.end));
  FUZZ_CHECK(whole.end == extent.end);
  FUZZ_CHECK(!whole.damaged);
}

void AppendRecord(uint8_t type, size_t length, char fill, std::string* file) {
  size_t room = kBlockBytes - file->size() % kBlockBytes;
  if (room < kHeaderBytes) {
    file->append(room, '\0');
    room = kBlockBytes;
  }
  length = std::min(length, room - kHeaderBytes);
  std::string content(1, static_cast<char>(type));
  content.append(length, fill);
  const uint32_t crc = metastore::Crc32c(content);
  const uint32_t masked = (crc >> 15 | crc << 17) + 0xa282ead8;
  for (int shift = 0; shift < 32; shift += 8) file->push_back(static_cast<char>(masked >> shift));
  file->push_back(static_cast<char>(length & 0xff));
  file->push_back(static_cast<char>(length >> 8));
  file->append(content);
}

void CheckScript(std::string_view script) {
  const size_t bit = metastore::fuzz::TakeNumber(&script, 4);
  std::string file;
  size_t last = 0;  // where the last record begins
  while (script.size() >= 4 && file.size() < kMaxFileBytes) {
    const auto type = static_cast<uint8_t>(1 + metastore::fuzz::TakeNumber(&script, 1) % 4);
    const size_t length = metastore::fuzz::TakeNumber(&script, 2);
    const auto fill = static_cast<char>(metastore::fuzz::TakeNumber(&script, 1));
    last = file.size();
    AppendRecord(type, length, fill, &file);
  }
  const WalExtent whole = ExamineWal(file);
  FUZZ_CHECK(whole.end == file.size());
  FUZZ_CHECK(!whole.damaged);
  if (last == 0) return;

  std::string torn = file.substr(0, last + (file.size() - last) / 2);
  FUZZ_CHECK(ExamineWal(torn).end <= last);
  const size_t flipped = bit / 8 % last;
  file[flipped] = static_cast<char>(file[flipped] ^ 1 << bit % 8);
  const WalExtent found = ExamineWal(file);
  // Filling at the end of a block means nothing and is not looked at.
  FUZZ_CHECK(found.damaged || found.end == file.size());
  if (!found.damaged) FUZZ_CHECK(kBlockBytes - flipped % kBlockBytes < kHeaderBytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = metastore::fuzz::Bytes(data, size);
  if (metastore::fuzz::TakeNumber(&input, 1) % 2 == 0) {
    CheckFile(input);
  } else {
    CheckScript(input);
  }
  return 0;
}
