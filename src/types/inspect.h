// What a key holds, seen from outside, whatever its type: the name of its encoding, its size, and
// the digests with which two servers compare their data.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/view.h"
#include "types/encoding.h"
#include "types/keyspace.h"

namespace metastore::types {

// As OBJECT ENCODING shows it.
std::string_view EncodingName(const Record& record, const EncodingLimits& limits);

// About how many bytes key, record and rows take before compression. Of the rows of a spread
// collection `samples` are looked at, and the others taken to be like them; 0: all of them.
uint64_t StoredBytes(const engine::View& view, std::string_view key, const Record& record,
                     uint64_t samples);

// Redis's digests (DEBUG DIGEST-VALUE and DEBUG DIGEST): equal data gives equal ones there and
// here. They read everything.
using DataDigest = std::array<unsigned char, 20>;
DataDigest DigestOfValue(const engine::View& view, int db, std::string_view key,
                         const Record& record);
DataDigest DigestOfAll(const engine::View& view);

}  // namespace metastore::types
