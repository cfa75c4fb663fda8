#include "types/collection.h"

#include <set>

#include "base/check.h"
#include "base/coding.h"

namespace metastore::types {

void CollectionHeader::AppendTo(std::string* payload) const {
  CHECK_EQ(traits & kSpread, 0);
  payload->push_back(static_cast<char>(traits | (spread() ? kSpread : 0)));
  if (spread()) PutBig64(payload, id);
  PutVarint(payload, count);
  PutVarint(payload, peak_count);
  PutVarint(payload, peak_bytes);
}

std::optional<CollectionHeader> CollectionHeader::Parse(std::string_view* payload) {
  CollectionHeader header;
  uint8_t traits = 0;
  if (!TakeByte(payload, &traits)) return std::nullopt;
  header.traits = traits & static_cast<uint8_t>(~kSpread);
  if ((traits & kSpread) != 0 && (!TakeBig64(payload, &header.id) || header.id == 0)) {
    return std::nullopt;
  }
  if (!TakeVarint(payload, &header.count) || !TakeVarint(payload, &header.peak_count) ||
      !TakeVarint(payload, &header.peak_bytes) || header.count > header.peak_count) {
    return std::nullopt;
  }
  return header;
}

CollectionHeader CollectionHeader::Take(std::string_view* payload) {
  std::optional<CollectionHeader> header = Parse(payload);
  CHECK_MSG(header.has_value(), "a collection's record is damaged");
  return *header;
}

Result<Record> FindCollection(const engine::View& view, int db, std::string_view key, Type type) {
  std::optional<Record> record = Find(view, db, key);
  if (!record) return Status(Code::kNotFound);
  if (record->header().type != type) return Status(Code::kWrongType);
  return std::move(*record);
}

Result<WritableCollection> WritableCollection::Open(engine::Txn& txn, int db, std::string_view key,
                                                    Type type) {
  WritableCollection collection(txn, db, key, type);
  if (const Record* found = collection.key_.found()) {
    if (found->header().type != type) return Status(Code::kWrongType);
    collection.Load();
  }
  return collection;
}

void WritableCollection::Load() {
  std::string_view rest = key_.found()->payload();
  header_ = CollectionHeader::Take(&rest);
  rest_bytes_ = rest.size();
}

std::string_view WritableCollection::rest() const {
  if (!existed()) return {};
  const std::string_view payload = key_.found()->payload();
  return payload.substr(payload.size() - rest_bytes_);
}

std::optional<int64_t> WritableCollection::deadline_ms() const {
  return existed() ? key_.found()->header().deadline_ms : std::nullopt;
}

std::optional<int64_t> WritableCollection::field_deadline_ms() const {
  return existed() ? key_.found()->header().field_deadline_ms : std::nullopt;
}

void WritableCollection::Save(std::string_view rest, std::optional<int64_t> field_deadline_ms) {
  if (header_.count == 0 && type_ != Type::kStream) {
    key_.Delete();
    return;
  }
  std::string payload;
  payload.reserve(40 + rest.size());
  header_.AppendTo(&payload);
  payload.append(rest);
  key_.Put({type_, StringForm::kPlain, deadline_ms(), 0, field_deadline_ms}, payload);
}

std::vector<uint64_t> RandomSubset(uint64_t n, uint64_t count, Random& random) {
  CHECK_LE(count, n);
  // Floyd's algorithm (Bentley 1987): one draw for each.
  std::set<uint64_t> chosen;
  for (uint64_t i = n - count; i < n; ++i) {
    const uint64_t place = random.Uniform(i + 1);
    if (!chosen.insert(place).second) chosen.insert(i);
  }
  return {chosen.begin(), chosen.end()};
}

}  // namespace metastore::types
