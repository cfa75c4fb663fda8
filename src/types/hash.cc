#include "types/hash.h"

#include <utility>

#include "base/check.h"
#include "base/coding.h"

namespace metastore::types {
namespace {

// Cuts the deadline off; false when it has passed.
bool TakeLive(std::string_view* value, int64_t now_ms) {
  uint64_t deadline_ms = 0;
  CHECK_MSG(TakeVarint(value, &deadline_ms), "a hash's field is damaged");
  return deadline_ms == 0 || static_cast<int64_t>(deadline_ms) > now_ms;
}

// Passes the live ones on.
VisitElement Live(const engine::View& view, const VisitElement& visit) {
  return [&view, &visit](std::string_view field, std::string_view value) {
    return !TakeLive(&value, view.now_ms()) || visit(field, value);
  };
}

}  // namespace

Hash::Hash(const engine::View& view, Record record) : view_(&view), record_(std::move(record)) {
  std::string_view rest = record_.payload();
  header_ = CollectionHeader::Take(&rest);
  rest_bytes_ = rest.size();
}

std::string_view Hash::rest() const {
  const std::string_view payload = record_.payload();
  return payload.substr(payload.size() - rest_bytes_);
}

Result<Hash> Hash::Find(const engine::View& view, int db, std::string_view key) {
  Result<Record> record = FindCollection(view, db, key, Type::kHash);
  if (!record.ok()) return record.status();
  return Hash(view, std::move(*record));
}

bool Hash::Get(std::string_view field, std::string* value) const {
  std::string stored;
  if (!elements().Get(field, &stored)) return false;
  std::string_view rest = stored;
  if (!TakeLive(&rest, view_->now_ms())) return false;
  value->assign(rest);
  return true;
}

void Hash::ForEach(const VisitElement& visit) const { elements().ForEach(Live(*view_, visit)); }

uint64_t Hash::Scan(uint64_t cursor, uint64_t limit, const VisitElement& visit) const {
  return elements().Scan(cursor, limit, Live(*view_, visit));
}

void Hash::PickDistinct(uint64_t count, Random random, const VisitElement& visit) const {
  elements().PickDistinct(count, random, Live(*view_, visit));
}

void Hash::PickAny(uint64_t count, Random random, const VisitElement& visit) const {
  for (; count > 0; --count) elements().Pick(random, Live(*view_, visit));
}

std::string_view HashEncoding(const CollectionHeader& header, const EncodingLimits& limits) {
  return header.peak_count <= limits.hash_max_listpack_entries &&
                 header.peak_bytes <= limits.hash_max_listpack_value
             ? "listpack"
             : "hashtable";
}

Result<WritableHash> WritableHash::Open(engine::Txn& txn, int db, std::string_view key) {
  Result<WritableCollection> opened = WritableCollection::Open(txn, db, key, Type::kHash);
  if (!opened.ok()) return opened.status();
  return WritableHash(WritableElements(std::move(*opened)));
}

bool WritableHash::Get(std::string_view field, std::string* value) const {
  std::string stored;
  if (!elements_.Get(field, &stored)) return false;
  std::string_view rest = stored;
  if (!TakeLive(&rest, elements_.collection().txn().now_ms())) return false;
  value->assign(rest);
  return true;
}

bool WritableHash::Set(std::string_view field, std::string_view value) {
  std::string old;
  const bool is_new = !Get(field, &old);
  std::string& stored = stored_.emplace_back();
  PutVarint(&stored, 0);
  stored.append(value);
  elements_.Put(field, stored);
  return is_new;
}

bool WritableHash::Erase(std::string_view field) {
  std::string old;
  const bool was_there = Get(field, &old);
  elements_.Erase(field);
  return was_there;
}

}  // namespace metastore::types
