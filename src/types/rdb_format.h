// The numbers of Redis's serialized form, which rdb_dump.cc writes and rdb_restore.cc reads.
//
//   length := 0b00 6 bits | 0b01 14 bits | 0x80 be32 | 0x81 be64
//   string := length bytes | 0xc0 int8 | 0xc1 int16 | 0xc2 int32 | 0xc3 length size:length LZF
//
// A stream's node is the id of its first entry (two be64) and a listpack:
//   node  := count erased fields:n field*n 0 entry*
//   entry := flags ms seq (same fields: value*n | fields:m (field value)*m) numbers_in_front
#pragma once

#include <cstddef>
#include <cstdint>

namespace metastore::types::rdb {

inline constexpr uint16_t kUsualVersion = 10;
inline constexpr uint16_t kFieldDeadlinesVersion = 12;
inline constexpr uint16_t kNewestVersion = 12;
inline constexpr size_t kFooterBytes = 10;

// Redis's numbers.
enum RdbType : uint8_t {
  kRdbString = 0,
  kRdbList = 1,
  kRdbSet = 2,
  kRdbZset = 3,  // scores as text
  kRdbHash = 4,
  kRdbZset2 = 5,  // scores as IEEE 754
  kRdbHashZipmap = 9,
  kRdbListZiplist = 10,
  kRdbSetIntset = 11,
  kRdbZsetZiplist = 12,
  kRdbHashZiplist = 13,
  kRdbListQuicklist = 14,
  kRdbStream1 = 15,
  kRdbHashListpack = 16,
  kRdbZsetListpack = 17,
  kRdbListQuicklist2 = 18,
  kRdbStream2 = 19,  // and first id, highest erased id, entries added, entries read of groups
  kRdbSetListpack = 20,
  kRdbStream3 = 21,        // and times of activity of consumers
  kRdbHashDeadlines = 24,  // deadlines of fields
  kRdbHashListpackDeadlines = 25,
};

inline constexpr uint8_t kLength32 = 0x80;
inline constexpr uint8_t kLength64 = 0x81;

// A node of a list and of a stream: Redis's defaults.
inline constexpr size_t kListNodeBytes = 8192;
inline constexpr uint64_t kPackedNode = 2;
inline constexpr uint64_t kPlainNode = 1;
inline constexpr size_t kStreamNodeBytes = 4096;
inline constexpr size_t kStreamNodeEntries = 100;
inline constexpr int64_t kEntryErased = 1;
inline constexpr int64_t kEntrySameFields = 2;

}  // namespace metastore::types::rdb
