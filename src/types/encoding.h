// The limits under which Redis holds a collection in a compact form. Here they change nothing but
// the name that OBJECT ENCODING shows: forms on disk are the state machine's own (collection.h), so
// that a node's configuration cannot make replicas differ.
#pragma once

#include <cstdint>

namespace metastore::types {

// The configuration parameters of these names, with Redis's defaults.
struct EncodingLimits {
  uint64_t hash_max_listpack_entries = 512;
  uint64_t hash_max_listpack_value = 64;
  uint64_t set_max_intset_entries = 512;
  uint64_t zset_max_listpack_entries = 128;
  uint64_t zset_max_listpack_value = 64;
  // Above 0 elements, below 0 Redis's classes of bytes: -1 4 KB, -2 8 KB, ... -5 64 KB.
  int64_t list_max_listpack_size = -2;
  friend bool operator==(const EncodingLimits&, const EncodingLimits&) = default;
};
inline constexpr EncodingLimits kDefaultEncodingLimits;

}  // namespace metastore::types
