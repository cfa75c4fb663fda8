// Values in the serialized form of Redis's DUMP and RESTORE, which is that of its RDB files:
//
//   payload := type:u8 value version:le16 checksum:le64      CRC-64 of all that is in front of it
//
// What is written is of version 10 (Redis 7.0), which later ones read too, in the form that the
// value's OBJECT ENCODING says; only a hash with deadlines of fields needs version 12 (Redis 7.4).
// Every form that a Redis up to there writes is read. Payloads come from anywhere: nothing in them
// is believed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/txn.h"
#include "engine/view.h"
#include "types/compact_forms.h"
#include "types/encoding.h"
#include "types/keyspace.h"
#include "types/stream.h"

namespace metastore::types {

// A payload is made and taken whole, as a string's value is.
inline constexpr uint64_t kMaxPayloadBytes = uint64_t{512} << 20;

// About what a value may take in memory on its way from a payload to the disk: some 8,000,000
// elements of a list. What is compressed may stand for 88 times its bytes, and a byte in a listpack
// for a row. A constant of the state machine.
inline constexpr uint64_t kMaxRestoredBytes = uint64_t{1} << 30;

// The payload of a key that was found. kStringTooLong: it would be longer than `max_bytes`.
Result<std::string> DumpValue(const engine::View& view, int db, std::string_view key,
                              const Record& record, const EncodingLimits& limits,
                              uint64_t max_bytes = kMaxPayloadBytes);

// Whether the version is one that is known, and the checksum right.
bool HasValidFooter(std::string_view payload);

// What a payload holds, checked to the last byte. It refers to the payload's bytes.
class DumpedValue {
 public:
  // The footer has been looked at. kCorruption: it is no value, or one with an element twice, or an
  // empty one that Redis would not keep. kStringTooLong: it would take more than `max_bytes`.
  static Result<DumpedValue> Parse(std::string_view payload,
                                   uint64_t max_bytes = kMaxRestoredBytes);
  // The bytes of elements stay where they are.
  DumpedValue(DumpedValue&&) = default;

  // Instead of whatever the key holds.
  void Store(engine::Txn& txn, int db, std::string_view key,
             std::optional<int64_t> deadline_ms) const;

 private:
  class Reader;
  struct Entry {
    StreamId id;
    size_t first_field;  // in elements_
    size_t fields;
  };
  struct Pending {
    StreamId id;
    size_t consumer = SIZE_MAX;  // in the group's
    int64_t delivered_ms = 0;
    uint64_t deliveries = 0;
  };
  struct Consumer {
    std::string_view name;
    int64_t seen_ms = 0;
  };
  struct Group {
    std::string_view name;
    StreamId last_id;
    int64_t entries_read = kUnknownEntriesRead;
    std::vector<Consumer> consumers;
    std::vector<Pending> pending;  // ascending
  };

  DumpedValue() = default;
  void StoreStream(engine::Txn& txn, int db, std::string_view key) const;

  Type type_ = Type::kString;
  // A string; a list's elements; a set's or sorted set's members; fields and values in turn.
  TakenElements taken_;
  std::vector<double> scores_;         // of a sorted set
  std::vector<int64_t> deadlines_ms_;  // of fields, 0: none; empty: none has one
  std::vector<Entry> entries_;
  std::vector<Group> groups_;
  StreamId last_id_, max_deleted_id_;
  uint64_t entries_added_ = 0;
  bool estimate_entries_read_ = false;  // of groups: the payload does not say
};

}  // namespace metastore::types
