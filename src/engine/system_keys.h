// The names of Family::kSystem: what a replica keeps beside the keyspace. All of it is written by
// apply through a Txn, so it is part of the replicated state, of flushes and of snapshots.
//
//   applied     := 'a'              value := index:be64 term:be64 now_ms:be64 digest:be64
//   dead coll.  := 'c' id:be64      value := bytes (what src/types needs to remove the elements)
//   dead prefix := 'd' prefix:u8    value := bytes (how far its removal is)
//   function    := 'f' library      value := bytes
//   databases   := 'm'              value := prefix:u8 × 16
//   counts      := 'n' prefix:u8    value := keys:varint expiring:varint spread:varint
//   session     := 's' node:be64    value := bytes (src/replica)
//   topology    := 't'              value := bytes (src/replica)
//   user        := 'u' name         value := bytes
//   membership  := 'v'              value := bytes (src/replica)
//
// Databases and counts are written by the Txn itself (SetDatabases, AddCounts), never by Put.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "engine/view.h"

namespace metastore::engine {

inline constexpr std::string_view kAppliedKey = "a";
inline constexpr std::string_view kDatabasesKey = "m";
inline constexpr std::string_view kMembershipKey = "v";
inline constexpr std::string_view kTopologyKey = "t";

// Each of these begins the names of one kind; ranges are [prefix, PrefixEnd(prefix)).
inline constexpr std::string_view kDeadCollectionPrefix = "c";
inline constexpr std::string_view kDeadDatabasePrefix = "d";
inline constexpr std::string_view kFunctionPrefix = "f";
inline constexpr std::string_view kCountsPrefix = "n";
inline constexpr std::string_view kSessionPrefix = "s";
inline constexpr std::string_view kUserPrefix = "u";

// The smallest string that is greater than every string that starts with `prefix`; empty (no
// bound) when there is none.
inline std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

inline std::string DeadCollectionKey(uint64_t id) {
  std::string key(kDeadCollectionPrefix);
  PutBig64(&key, id);
  return key;
}
inline std::string DeadDatabaseKey(uint8_t prefix) {
  return std::string(kDeadDatabasePrefix) + static_cast<char>(prefix);
}
inline std::string FunctionKey(std::string_view library) {
  return std::string(kFunctionPrefix).append(library);
}
inline std::string CountsKey(uint8_t prefix) {
  return std::string(kCountsPrefix) + static_cast<char>(prefix);
}
inline std::string SessionKey(uint64_t node) {
  std::string key(kSessionPrefix);
  PutBig64(&key, node);
  return key;
}
inline std::string UserKey(std::string_view name) { return std::string(kUserPrefix).append(name); }

// How far the state machine is. It rides in the same WriteBatch as the effects of the entry, and
// its flushed value (Engine::ReadFlushed) is where the log is replayed from.
struct Applied {
  uint64_t index = 0;
  uint64_t term = 0;
  int64_t now_ms = 0;   // the leader's stamp of that entry: no later time may be below it
  uint64_t digest = 0;  // of all effects up to that entry (effect_digest.h)
  friend bool operator==(const Applied&, const Applied&) = default;
};

inline std::string EncodeApplied(const Applied& applied) {
  std::string value;
  PutBig64(&value, applied.index);
  PutBig64(&value, applied.term);
  PutBig64(&value, static_cast<uint64_t>(applied.now_ms));
  PutBig64(&value, applied.digest);
  return value;
}
inline std::optional<Applied> DecodeApplied(std::string_view value) {
  Applied applied;
  uint64_t now_ms;
  if (!TakeBig64(&value, &applied.index) || !TakeBig64(&value, &applied.term) ||
      !TakeBig64(&value, &now_ms) || !TakeBig64(&value, &applied.digest) || !value.empty()) {
    return std::nullopt;
  }
  applied.now_ms = static_cast<int64_t>(now_ms);
  return applied;
}

inline std::string EncodeDatabases(const DatabaseMap& map) {
  return std::string(map.prefix.begin(), map.prefix.end());
}
inline std::optional<DatabaseMap> DecodeDatabases(std::string_view value) {
  DatabaseMap map;
  if (value.size() != map.prefix.size()) return std::nullopt;
  for (size_t i = 0; i < value.size(); ++i) map.prefix[i] = static_cast<uint8_t>(value[i]);
  return map;
}

inline std::string EncodeCounts(KeyCounts counts) {
  std::string value;
  PutVarint(&value, static_cast<uint64_t>(counts.keys));
  PutVarint(&value, static_cast<uint64_t>(counts.expiring));
  PutVarint(&value, static_cast<uint64_t>(counts.spread));
  return value;
}
inline std::optional<KeyCounts> DecodeCounts(std::string_view value) {
  uint64_t keys, expiring, spread;
  if (!TakeVarint(&value, &keys) || !TakeVarint(&value, &expiring) ||
      !TakeVarint(&value, &spread) || !value.empty() || keys > INT64_MAX ||
      expiring > INT64_MAX || spread > INT64_MAX) {
    return std::nullopt;
  }
  return KeyCounts{static_cast<int64_t>(keys), static_cast<int64_t>(expiring),
                   static_cast<int64_t>(spread)};
}

}  // namespace metastore::engine
