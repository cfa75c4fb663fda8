#include "types/hash.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "base/format.h"
#include "base/parse.h"
#include "engine/system_keys.h"

namespace metastore::types {

using engine::Family;

namespace {

// A bit of CollectionHeader::traits: a field had a deadline at some time.
constexpr uint8_t kHadDeadlines = 0x02;

// A walk over the fields reads about as many rows as this share of them costs to draw.
constexpr uint64_t kDrawShare = 16;

// Cuts the deadline off the front of an element's value.
std::optional<int64_t> TakeDeadline(std::string_view* value) {
  uint64_t deadline_ms = 0;
  CHECK_MSG(TakeVarint(value, &deadline_ms) && deadline_ms <= INT64_MAX,
            "a hash's field is damaged");
  if (deadline_ms == 0) return std::nullopt;
  return static_cast<int64_t>(deadline_ms);
}

bool Passed(std::optional<int64_t> deadline_ms, int64_t now_ms) {
  return deadline_ms.has_value() && *deadline_ms <= now_ms;
}

uint64_t Sum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// Cuts the deadline off; false when it has passed.
bool TakeLive(std::string_view* value, int64_t now_ms) {
  return !Passed(TakeDeadline(value), now_ms);
}

// Passes the live ones on.
VisitElement Live(const engine::View& view, const VisitElement& visit) {
  return [&view, &visit](std::string_view field, std::string_view value) {
    return !TakeLive(&value, view.now_ms()) || visit(field, value);
  };
}

std::string DueRow(uint64_t id, int64_t deadline_ms, std::string_view field) {
  std::string key = ElementPrefix(Family::kIndex, id);
  PutBig64(&key, static_cast<uint64_t>(deadline_ms));
  return key.append(field);
}

// At the first one that is not below the deadline. Where the first of all is known to lie, deleted
// rows before it need not be stepped over.
std::unique_ptr<engine::Iterator> DueRows(const engine::View& view, uint64_t id,
                                          int64_t from_deadline_ms) {
  const std::string begin = ElementPrefix(Family::kIndex, id);
  auto it = view.NewIterator(Family::kIndex, begin, engine::PrefixEnd(begin));
  it->Seek(DueRow(id, from_deadline_ms, {}));
  return it;
}

constexpr size_t kDueRowHead = 1 + 8 + 8;

int64_t DueTime(std::string_view row) {
  CHECK_GE(row.size(), kDueRowHead);
  return static_cast<int64_t>(ReadBig64(row.data() + 1 + 8));
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
  if (!elements().Get(field, value)) return false;
  std::string_view rest = *value;
  if (!TakeLive(&rest, view_->now_ms())) return false;
  value->erase(0, value->size() - rest.size());
  return true;
}

bool Hash::GetDeadline(std::string_view field, std::optional<int64_t>* deadline_ms) const {
  std::string stored;
  if (!elements().Get(field, &stored)) return false;
  std::string_view rest = stored;
  *deadline_ms = TakeDeadline(&rest);
  return !Passed(*deadline_ms, view_->now_ms());
}

void Hash::ForEach(const VisitElement& visit) const { elements().ForEach(Live(*view_, visit)); }

uint64_t Hash::Scan(uint64_t cursor, uint64_t limit, const VisitElement& visit) const {
  return elements().Scan(cursor, limit, Live(*view_, visit));
}

bool Hash::HasExpiredFields() const {
  return Passed(record_.header().field_deadline_ms, view_->now_ms());
}

bool Hash::IsSmallShare(uint64_t count) const {
  return header_.spread() && count < header_.count / kDrawShare;
}

void Hash::PickDistinct(uint64_t count, Random random, const VisitElement& visit) const {
  if (count == 0) return;
  if (!HasExpiredFields()) {
    elements().PickDistinct(count, random, Live(*view_, visit));
    return;
  }
  // Fields that have expired are drawn in vain. That ends where nearly all of them have.
  if (IsSmallShare(count)) {
    std::map<std::string, std::string, std::less<>> drawn;
    for (uint64_t tries = kDrawShare * (count + 2); tries > 0 && drawn.size() < count; --tries) {
      elements().Pick(random, [&](std::string_view field, std::string_view value) {
        if (TakeLive(&value, view_->now_ms())) drawn.emplace(field, value);
        return true;
      });
    }
    if (drawn.size() == count) {
      for (const auto& [field, value] : drawn) {
        if (!visit(field, value)) return;
      }
      return;
    }
  }
  uint64_t live = 0;
  ForEach([&](std::string_view, std::string_view) { return ++live > 0; });
  const std::vector<uint64_t> chosen = RandomSubset(live, std::min(count, live), random);
  size_t next = 0;
  uint64_t place = 0;
  ForEach([&](std::string_view field, std::string_view value) {
    if (next == chosen.size()) return false;
    if (place++ != chosen[next]) return true;
    ++next;
    return visit(field, value);
  });
}

void Hash::PickAny(uint64_t count, bool with_values, Random random,
                   const VisitElement& visit) const {
  if (IsSmallShare(count)) {
    bool go_on = true;
    for (uint64_t tries = kDrawShare * (count + 2); tries > 0 && count > 0 && go_on; --tries) {
      elements().Pick(random, [&](std::string_view field, std::string_view value) {
        if (!TakeLive(&value, view_->now_ms())) return true;
        --count;
        go_on = visit(field, with_values ? value : std::string_view());
        return true;
      });
    }
    if (!go_on) return;
  }
  if (count == 0) return;
  std::vector<std::pair<std::string, std::string>> live;
  ForEach([&](std::string_view field, std::string_view value) {
    live.emplace_back(field, with_values ? value : std::string_view());
    return true;
  });
  for (; count > 0 && !live.empty(); --count) {
    const auto& [field, value] = live[random.Uniform(live.size())];
    if (!visit(field, value)) return;
  }
}

std::string_view HashEncoding(const CollectionHeader& header, const EncodingLimits& limits) {
  if (header.peak_count > limits.hash_max_listpack_entries ||
      header.peak_bytes > limits.hash_max_listpack_value) {
    return "hashtable";
  }
  return (header.traits & kHadDeadlines) != 0 ? "listpackex" : "listpack";
}

Result<WritableHash> WritableHash::Open(engine::Txn& txn, int db, std::string_view key) {
  Result<WritableCollection> opened = WritableCollection::Open(txn, db, key, Type::kHash);
  if (!opened.ok()) return opened.status();
  return WritableHash(WritableElements(std::move(*opened)));
}

WritableHash::WritableHash(WritableElements elements)
    : elements_(std::move(elements)),
      has_deadlines_(field_deadline_ms().has_value()),
      first_deadline_ms_(field_deadline_ms().value_or(INT64_MAX)) {}

WritableHash::Field WritableHash::Find(std::string_view field) const {
  Field found;
  std::string stored;
  if (!elements_.Get(field, &stored)) return found;
  std::string_view rest = stored;
  found.exists = true;
  found.deadline_ms = TakeDeadline(&rest);
  found.live = !Passed(found.deadline_ms, txn().now_ms());
  found.value = rest;
  return found;
}

bool WritableHash::Get(std::string_view field, std::string* value) const {
  Field found = Find(field);
  *value = std::move(found.value);
  return found.live;
}

bool WritableHash::GetDeadline(std::string_view field, std::optional<int64_t>* deadline_ms) const {
  const Field found = Find(field);
  *deadline_ms = found.deadline_ms;
  return found.live;
}

bool WritableHash::Put(std::string_view field, std::string_view value,
                       std::optional<int64_t> deadline_ms, std::optional<int64_t> old_deadline_ms) {
  if (deadline_ms) {
    has_deadlines_ = true;
    first_deadline_ms_ = std::min(first_deadline_ms_, *deadline_ms);
    header().traits |= kHadDeadlines;
  }
  std::string& stored = stored_.emplace_back();
  PutVarint(&stored, static_cast<uint64_t>(deadline_ms.value_or(0)));
  stored.append(value);
  const bool was_spread = header().spread();
  // The deadline's bytes are no part of what OBJECT ENCODING is told from.
  const uint64_t peak_bytes = header().peak_bytes;
  const bool is_new = elements_.Put(field, stored);
  header().peak_bytes = std::max<uint64_t>({peak_bytes, field.size(), value.size()});
  if (!header().spread() || !has_deadlines_) return is_new;
  if (!was_spread) {
    PutDueRows();
  } else if (deadline_ms != old_deadline_ms) {
    if (old_deadline_ms) txn().Delete(Family::kIndex, DueRow(header().id, *old_deadline_ms, field));
    if (deadline_ms) txn().Put(Family::kIndex, DueRow(header().id, *deadline_ms, field), "");
    due_rows_changed_ = true;
  }
  return is_new;
}

// Of a hash that was packed until now.
void WritableHash::PutDueRows() {
  std::vector<std::string> rows;
  Elements(txn(), header(), {}).ForEach([&](std::string_view field, std::string_view value) {
    const std::optional<int64_t> deadline_ms = TakeDeadline(&value);
    if (deadline_ms) rows.push_back(DueRow(header().id, *deadline_ms, field));
    return true;
  });
  for (const std::string& row : rows) txn().Put(Family::kIndex, row, "");
  due_rows_changed_ = true;
}

void WritableHash::Remove(std::string_view field, std::optional<int64_t> old_deadline_ms) {
  elements_.Erase(field);
  if (!old_deadline_ms || !header().spread()) return;
  txn().Delete(Family::kIndex, DueRow(header().id, *old_deadline_ms, field));
  due_rows_changed_ = true;
}

bool WritableHash::Set(std::string_view field, std::string_view value) {
  if (!has_deadlines_) return Put(field, value, std::nullopt, std::nullopt);
  const Field old = Find(field);
  Put(field, value, std::nullopt, old.deadline_ms);
  return !old.live;
}

bool WritableHash::SetValue(std::string_view field, std::string_view value) {
  const Field old = Find(field);
  Put(field, value, old.live ? old.deadline_ms : std::nullopt, old.deadline_ms);
  return !old.live;
}

bool WritableHash::Erase(std::string_view field) {
  if (!has_deadlines_) return elements_.Erase(field);
  const Field old = Find(field);
  if (old.exists) Remove(field, old.deadline_ms);
  return old.live;
}

FieldExpiry WritableHash::Expire(std::string_view field, int64_t deadline_ms,
                                 FieldExpiryCondition condition) {
  const Field old = Find(field);
  if (!old.live) return FieldExpiry::kNoField;
  bool met = true;
  switch (condition) {
    case FieldExpiryCondition::kAlways:
      break;
    case FieldExpiryCondition::kIfNone:
      met = !old.deadline_ms;
      break;
    case FieldExpiryCondition::kIfAny:
      met = old.deadline_ms.has_value();
      break;
    case FieldExpiryCondition::kIfLater:
      met = old.deadline_ms && deadline_ms > *old.deadline_ms;
      break;
    case FieldExpiryCondition::kIfEarlier:
      met = !old.deadline_ms || deadline_ms < *old.deadline_ms;
      break;
  }
  if (!met) return FieldExpiry::kConditionNotMet;
  if (Passed(deadline_ms, txn().now_ms())) {
    Remove(field, old.deadline_ms);
    return FieldExpiry::kDeleted;
  }
  Put(field, old.value, deadline_ms, old.deadline_ms);
  return FieldExpiry::kSet;
}

void WritableHash::Persist(std::string_view field) {
  const Field old = Find(field);
  CHECK(old.live);
  Put(field, old.value, std::nullopt, old.deadline_ms);
}

size_t WritableHash::EraseExpired(size_t limit) {
  if (!has_deadlines_) return 0;
  std::vector<std::pair<std::string, int64_t>> expired;
  const int64_t now_ms = txn().now_ms();
  if (header().spread()) {
    auto it = DueRows(txn(), header().id, first_deadline_ms_);
    for (; it->Valid() && expired.size() < limit; it->Next()) {
      const int64_t deadline_ms = DueTime(it->key());
      if (deadline_ms > now_ms) break;
      expired.emplace_back(it->key().substr(kDueRowHead), deadline_ms);
    }
  } else {
    for (const Element& element : elements_.packed()) {
      if (expired.size() == limit) break;
      std::string_view value = element.value;
      const std::optional<int64_t> deadline_ms = TakeDeadline(&value);
      if (Passed(deadline_ms, now_ms)) expired.emplace_back(element.name, *deadline_ms);
    }
  }
  for (const auto& [field, deadline_ms] : expired) Remove(field, deadline_ms);
  return expired.size();
}

std::optional<int64_t> WritableHash::EarliestDeadline() const {
  if (!has_deadlines_) return std::nullopt;
  if (!header().spread()) {
    std::optional<int64_t> earliest;
    for (const Element& element : elements_.packed()) {
      std::string_view value = element.value;
      const std::optional<int64_t> deadline_ms = TakeDeadline(&value);
      if (deadline_ms && (!earliest || *deadline_ms < *earliest)) earliest = deadline_ms;
    }
    return earliest;
  }
  if (!due_rows_changed_) return elements_.collection().field_deadline_ms();
  auto first = DueRows(txn(), header().id, first_deadline_ms_);
  if (!first->Valid()) return std::nullopt;
  return DueTime(first->key());
}

void WritableHash::Save() { elements_.Save(EarliestDeadline()); }

Result<int64_t> IncrementField(engine::Txn& txn, int db, std::string_view key,
                               std::string_view field, int64_t delta) {
  Result<WritableHash> hash = WritableHash::Open(txn, db, key);
  if (!hash.ok()) return hash.status();
  int64_t value = 0;
  std::string stored;
  if (hash->Get(field, &stored) && !ParseInt64(stored, &value)) return Status(Code::kNotInteger);
  if (__builtin_add_overflow(value, delta, &value)) return Status(Code::kOverflow);
  hash->SetValue(field, FormatInt64(value));
  hash->Save();
  return value;
}

Result<std::string> IncrementFieldByFloat(engine::Txn& txn, int db, std::string_view key,
                                          std::string_view field, long double delta) {
  Result<WritableHash> hash = WritableHash::Open(txn, db, key);
  if (!hash.ok()) return hash.status();
  long double value = 0;
  std::string stored;
  if (hash->Get(field, &stored) && !ParseLongDouble(stored, &value)) {
    return Status(Code::kNotFloat);
  }
  value += delta;
  if (std::isnan(value) || std::isinf(value)) return Status(Code::kNanOrInfinity);
  std::string text = FormatLongDouble(value);
  hash->SetValue(field, text);
  hash->Save();
  return text;
}

size_t DeleteExpiredFields(engine::Txn& txn, std::string_view meta_key, int64_t field_deadline_ms,
                           size_t limit) {
  const std::optional<KeyPlace> place = FindPlace(txn, meta_key);
  if (!place || field_deadline_ms > txn.now_ms()) return 0;
  Result<WritableHash> hash = WritableHash::Open(txn, place->db, place->key);
  if (!hash.ok() || hash->field_deadline_ms() != field_deadline_ms) return 0;
  const size_t erased = hash->EraseExpired(limit);
  const bool empty = hash->size() == 0;
  hash->Save();
  txn.events().Notify(engine::kNotifyHash, "hexpired", place->db, place->key);
  if (empty) txn.events().Notify(engine::kNotifyGeneric, "del", place->db, place->key);
  return erased;
}

Status CheckHash(const engine::View& view, const Header& header, const CollectionHeader& collection,
                 std::string_view rest) {
  // Sums over all deadlines: as the fields ask for due rows, and as those are there.
  uint64_t wanted = 0, there = 0;
  std::optional<int64_t> earliest;
  RETURN_IF_ERROR(CheckElements(
      view, collection, rest, [&](std::string_view field, std::string_view value) -> Status {
        uint64_t deadline_ms = 0;
        if (!TakeVarint(&value, &deadline_ms) || deadline_ms > INT64_MAX) {
          return Status::Corruption("a field that does not decode");
        }
        if (deadline_ms == 0) return Status::Ok();
        const auto deadline = static_cast<int64_t>(deadline_ms);
        if (!earliest || deadline < *earliest) earliest = deadline;
        if (collection.spread()) wanted += Sum(DueRow(collection.id, deadline, field));
        return Status::Ok();
      }));
  if (collection.spread()) {
    auto it = DueRows(view, collection.id, 0);
    for (it->Seek({}); it->Valid(); it->Next()) {
      if (it->key().size() < kDueRowHead || !it->value().empty()) {
        return Status::Corruption("a due row that does not decode");
      }
      there += Sum(it->key());
    }
  }
  if (wanted != there) return Status::Corruption("deadlines of fields that its due rows have not");
  if (earliest == header.field_deadline_ms) return Status::Ok();
  return Status::Corruption("a field deadline that is not the earliest");
}

}  // namespace metastore::types
