// The bytes of the Raft log. Family "log" holds the entries, RocksDB's mandatory family the rest:
//
//   log:      index:be64 → term:varint type:u8 data
//   default:  'h'        → term:varint voted_for:varint commit_index:varint
//             's'        → term:varint index:varint membership    (the entry before the first kept)
//             'r' name   → bytes                                  (PutRecord)
//   membership as in raft/types.h
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "raft/types.h"

namespace metastore::engine {

inline constexpr std::string_view kHardStateKey = "h";
inline constexpr std::string_view kStartKey = "s";
inline constexpr std::string_view kRecordPrefix = "r";

inline std::string EntryKey(raft::Index index) {
  std::string key;
  PutBig64(&key, index);
  return key;
}

inline std::string EncodeHardState(const raft::HardState& state) {
  std::string value;
  PutVarint(&value, state.term);
  PutVarint(&value, state.voted_for);
  PutVarint(&value, state.commit_index);
  return value;
}

inline bool DecodeHardState(std::string_view value, raft::HardState* state) {
  return TakeVarint(&value, &state->term) && TakeVarint(&value, &state->voted_for) &&
         TakeVarint(&value, &state->commit_index) && value.empty();
}

inline std::string EncodeStart(const raft::Position& start, const raft::Membership& membership) {
  std::string value;
  PutVarint(&value, start.term);
  PutVarint(&value, start.index);
  value += raft::EncodeMembership(membership);
  return value;
}

inline bool DecodeStart(std::string_view value, raft::Position* start,
                        raft::Membership* membership) {
  if (!TakeVarint(&value, &start->term) || !TakeVarint(&value, &start->index)) return false;
  Result<raft::Membership> decoded = raft::DecodeMembership(value);
  if (!decoded.ok()) return false;
  *membership = std::move(*decoded);
  return true;
}

// The fields before the data of an entry.
inline std::string EncodeEntryHead(const raft::Entry& entry) {
  std::string head;
  PutVarint(&head, entry.term);
  head.push_back(static_cast<char>(entry.type));
  return head;
}

inline bool TakeEntryHead(std::string_view* value, raft::Term* term, raft::EntryType* type) {
  uint8_t byte;
  if (!TakeVarint(value, term) || !TakeByte(value, &byte) ||
      byte > static_cast<uint8_t>(raft::EntryType::kConfChange)) {
    return false;
  }
  *type = static_cast<raft::EntryType>(byte);
  return true;
}

}  // namespace metastore::engine
