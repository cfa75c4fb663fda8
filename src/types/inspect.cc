#include "types/inspect.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "engine/system_keys.h"
#include "types/collection.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"
#include "types/string.h"

namespace metastore::types {
namespace {

CollectionHeader HeaderOf(const Record& record) {
  std::string_view payload = record.payload();
  return CollectionHeader::Take(&payload);
}

DataDigest Sha1(std::string_view bytes) {
  DataDigest hash;
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), hash.data());
  return hash;
}

std::string_view BytesOf(const DataDigest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// For what has no order.
void Join(DataDigest* digest, std::string_view bytes) {
  const DataDigest hash = Sha1(bytes);
  for (size_t i = 0; i < hash.size(); ++i) (*digest)[i] ^= hash[i];
}

// For what comes one after the other.
void Append(DataDigest* digest, std::string_view bytes) {
  Join(digest, bytes);
  *digest = Sha1(BytesOf(*digest));
}

void JoinPair(DataDigest* digest, std::string_view name, std::string_view value) {
  DataDigest pair{};
  Append(&pair, name);
  Append(&pair, value);
  Join(digest, BytesOf(pair));
}

void AppendNumber(DataDigest* digest, uint32_t number) {
  std::string bytes;
  PutBig32(&bytes, number);
  Append(digest, bytes);
}

// Redis's number of a type.
uint32_t NumberOf(Type type) {
  switch (type) {
    case Type::kString:
      return 0;
    case Type::kList:
      return 1;
    case Type::kSet:
      return 2;
    case Type::kZset:
      return 3;
    case Type::kHash:
      return 4;
    case Type::kStream:
      return 6;
  }
  CheckFailed(__FILE__, __LINE__, "a type without number");
}

// The key was found: it holds what its record says.
template <class T>
T Get(const engine::View& view, int db, std::string_view key) {
  Result<T> found = T::Find(view, db, key);
  CHECK(found.ok());
  return std::move(*found);
}

void AddValue(const engine::View& view, int db, std::string_view key, const Record& record,
              DataDigest* digest) {
  switch (record.header().type) {
    case Type::kString:
      Append(digest, record.payload());
      return;
    case Type::kList:
      Get<List>(view, db, key).ForEach(0, UINT64_MAX, false, [digest](std::string_view element) {
        Append(digest, element);
        return true;
      });
      return;
    case Type::kSet:
      Get<Set>(view, db, key).ForEach([digest](std::string_view member) {
        Join(digest, member);
        return true;
      });
      return;
    case Type::kZset:
      Get<SortedSet>(view, db, key).ForEach([digest](std::string_view member, double score) {
        char digits[32];
        const int size = std::snprintf(digits, sizeof digits, "%.17g", score);
        JoinPair(digest, member, {digits, static_cast<size_t>(size)});
        return true;
      });
      return;
    case Type::kHash:
      Get<Hash>(view, db, key).ForEach([digest](std::string_view field, std::string_view value) {
        JoinPair(digest, field, value);
        return true;
      });
      return;
    case Type::kStream:
      Get<Stream>(view, db, key)
          .ForEach(kMinStreamId, kMaxStreamId, [digest](StreamId id, StreamFields fields) {
            Append(digest, std::to_string(id.ms) + '.' + std::to_string(id.seq));
            for (std::string_view field : fields) Append(digest, field);
            return true;
          });
      return;
  }
}

void AddKey(const engine::View& view, int db, std::string_view key, const Record& record,
            DataDigest* digest) {
  AppendNumber(digest, NumberOf(record.header().type));
  AddValue(view, db, key, record, digest);
  if (record.header().deadline_ms) Join(digest, "!!expire!!");
}

// Of the rows below a prefix, `expected` of them or none.
uint64_t RowBytes(const engine::View& view, engine::Family family, uint64_t id, uint64_t expected,
                  uint64_t samples) {
  const std::string prefix = ElementPrefix(family, id);
  std::unique_ptr<engine::Iterator> rows =
      view.NewIterator(family, prefix, engine::PrefixEnd(prefix));
  uint64_t seen = 0, bytes = 0;
  for (rows->Seek(prefix); rows->Valid(); rows->Next()) {
    bytes += rows->key().size() + rows->value().size();
    if (++seen == samples) return bytes * std::max(seen, expected) / seen;
  }
  return bytes;
}

}  // namespace

std::string_view EncodingName(const Record& record, const EncodingLimits& limits) {
  switch (record.header().type) {
    case Type::kString:
      return StringEncoding(record);
    case Type::kList:
      return ListEncoding(HeaderOf(record), limits);
    case Type::kSet:
      return SetEncoding(HeaderOf(record), limits);
    case Type::kZset:
      return SortedSetEncoding(HeaderOf(record), limits);
    case Type::kHash:
      return HashEncoding(HeaderOf(record), limits);
    case Type::kStream:
      return "stream";
  }
  CheckFailed(__FILE__, __LINE__, "a type without encodings");
}

uint64_t StoredBytes(const engine::View& view, std::string_view key, const Record& record,
                     uint64_t samples) {
  uint64_t bytes =
      MetaKey(0, key).size() + Record::Encode(record.header(), record.payload()).size();
  if (record.collection_id() == 0) return bytes;
  const CollectionHeader header = HeaderOf(record);
  for (engine::Family family : {engine::Family::kData, engine::Family::kIndex}) {
    bytes += RowBytes(view, family, header.id, header.count, samples);
  }
  return bytes;
}

DataDigest DigestOfValue(const engine::View& view, int db, std::string_view key,
                         const Record& record) {
  DataDigest digest{};
  AddKey(view, db, key, record, &digest);
  return digest;
}

DataDigest DigestOfAll(const engine::View& view) {
  DataDigest all{};
  for (int db = 0; db < engine::kDatabases; ++db) {
    bool empty = true;
    for (uint64_t cursor = 0; DatabaseCounts(view, db).keys > 0;) {
      constexpr uint64_t kKeysAtATime = 1000;
      std::vector<std::string> keys;
      cursor = Scan(view, db, cursor, kKeysAtATime,
                    [&keys](std::string_view key, const Header&) { keys.emplace_back(key); });
      if (empty && !keys.empty()) AppendNumber(&all, static_cast<uint32_t>(db));
      empty &= keys.empty();
      for (const std::string& key : keys) {
        DataDigest digest{};
        Append(&digest, key);
        AddKey(view, db, key, *Find(view, db, key), &digest);
        Join(&all, BytesOf(digest));
      }
      if (cursor == 0) break;
    }
  }
  return all;
}

}  // namespace metastore::types
