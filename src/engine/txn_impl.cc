#include "engine/txn_impl.h"

#include <optional>

#include "base/check.h"
#include "engine/rocks.h"
#include "engine/system_keys.h"

namespace metastore::engine {
namespace {

constexpr int kVersionCounterBits = 24;

// The database below, with what the overlay says about the same keys laid over it. Both stand at
// or beyond the place in the direction of the last move; a turn seeks anew from the place.
class TxnIterator final : public Iterator {
 public:
  TxnIterator(std::unique_ptr<Iterator> base, const Overlay* overlay, std::string_view lower,
              std::string_view upper)
      : base_(std::move(base)),
        overlay_(overlay),
        order_(overlay->Sorted()),
        lower_(lower),
        upper_(upper) {}

  bool Valid() const override { return place_ != Place::kNone; }
  void Seek(std::string_view key) override {
    if (key < lower_) key = lower_;
    forward_ = true;
    base_->Seek(key);
    auto at = order_.lower_bound(key);
    Gather(at == order_.end() ? nullptr : &overlay_->writes()[*at]);
    next_ = at;
    Settle();
  }
  void SeekForPrev(std::string_view key) override {
    forward_ = false;
    base_->SeekForPrev(key);
    auto at = upper_.empty() || key < upper_ ? order_.upper_bound(key) : order_.lower_bound(upper_);
    StepBack(&at);
    Settle();
  }
  void Next() override { Move(true); }
  void Prev() override { Move(false); }
  std::string_view key() const override {
    return place_ == Place::kBase ? base_->key() : gathered_->key;
  }
  std::string_view value() const override {
    return place_ == Place::kBase ? base_->value() : std::string_view(*gathered_->value);
  }

 private:
  enum class Place : uint8_t { kNone, kBase, kOverlay, kBoth };

  void Move(bool forward) {
    CHECK(Valid());
    if (forward != forward_) {
      const std::string here(key());
      forward ? Seek(here) : SeekForPrev(here);
    }
    if (place_ != Place::kOverlay) StepBase();
    if (place_ != Place::kBase) StepGathered();
    Settle();
  }
  void StepBase() { forward_ ? base_->Next() : base_->Prev(); }
  void StepGathered() {
    if (forward_) {
      ++next_;
      Gather(next_ == order_.end() ? nullptr : &overlay_->writes()[*next_]);
    } else {
      StepBack(&next_);
    }
  }
  // To the write before *at.
  void StepBack(Overlay::Order::const_iterator* at) {
    if (*at == order_.begin()) {
      gathered_ = nullptr;
      return;
    }
    next_ = std::prev(*at);
    Gather(&overlay_->writes()[*next_]);
  }
  void Gather(const Overlay::Write* write) {
    const bool within =
        write != nullptr && write->key >= lower_ && (upper_.empty() || write->key < upper_);
    gathered_ = within ? write : nullptr;
  }

  // Finds the nearer of the two and walks over keys that the overlay deleted.
  void Settle() {
    for (;;) {
      if (gathered_ == nullptr) {
        place_ = base_->Valid() ? Place::kBase : Place::kNone;
        return;
      }
      int order = base_->Valid() ? gathered_->key.compare(base_->key()) : -1;
      if (!forward_ && base_->Valid()) order = -order;
      if (order > 0) {
        place_ = Place::kBase;
        return;
      }
      if (gathered_->value) {
        place_ = order == 0 ? Place::kBoth : Place::kOverlay;
        return;
      }
      if (order == 0) StepBase();
      StepGathered();
    }
  }

  std::unique_ptr<Iterator> base_;
  const Overlay* overlay_;
  const Overlay::Order& order_;
  Overlay::Order::const_iterator next_;
  const Overlay::Write* gathered_ = nullptr;  // at next_, where that is within the bounds
  std::string lower_, upper_;
  bool forward_ = true;
  Place place_ = Place::kNone;
};

}  // namespace

void TxnImpl::Attach(const Database* database) {
  CHECK(empty());
  database_ = database;
  now_ms_ = 0;
  databases_ = DatabaseMap();
  counts_ = {};
  std::string value;
  if (Get(Family::kSystem, kDatabasesKey, &value)) {
    std::optional<DatabaseMap> map = DecodeDatabases(value);
    CHECK_MSG(map.has_value(), "the database map in " + database->path() + " is damaged");
    databases_ = *map;
  }
  if (Get(Family::kSystem, kAppliedKey, &value)) {
    std::optional<Applied> applied = DecodeApplied(value);
    CHECK_MSG(applied.has_value(), "the applied index in " + database->path() + " is damaged");
    now_ms_ = applied->now_ms;
  }
  std::unique_ptr<Iterator> it =
      database->NewIterator(nullptr, Family::kSystem, kCountsPrefix, PrefixEnd(kCountsPrefix));
  for (it->Seek(kCountsPrefix); it->Valid(); it->Next()) {
    std::optional<KeyCounts> counts = DecodeCounts(it->value());
    CHECK_MSG(counts.has_value() && it->key().size() == 2,
              "a key count in " + database->path() + " is damaged");
    counts_[static_cast<uint8_t>(it->key()[1])] = *counts;
  }
}

bool TxnImpl::Get(Family family, std::string_view key, std::string* value) const {
  if (const Overlay::Write* write = overlay(family).Find(key)) {
    if (!write->value) return false;
    *value = *write->value;
    return true;
  }
  // Nothing is left in the cache here: most records that are read are then written.
  if (family == Family::kMeta && database_->records().Get(key, RecordCache::kNow, value)) {
    return true;
  }
  return database_->Get(read_options_, family, key, value);
}

std::unique_ptr<Iterator> TxnImpl::NewIterator(Family family, std::string_view lower,
                                               std::string_view upper) const {
  std::unique_ptr<Iterator> base = database_->NewIterator(nullptr, family, lower, upper);
  if (overlay(family).empty()) return base;
  return std::make_unique<TxnIterator>(std::move(base), &overlay(family), lower, upper);
}

void TxnImpl::BeginEntry(uint64_t index, int64_t now_ms, uint64_t seed) {
  CHECK_LT(index, uint64_t{1} << (64 - kVersionCounterBits));
  index_ = index;
  now_ms_ = now_ms;
  versions_ = 0;
  weight_.Begin();
  random_ = Random(seed);
}

void TxnImpl::Put(Family family, std::string_view key, std::string value) {
  digest_.Put(family, key, value);
  weight_.Put(family, key, value.size());
  bytes_ += overlay(family).Set(key, std::move(value));
}

void TxnImpl::Delete(Family family, std::string_view key) {
  digest_.Delete(family, key);
  weight_.Delete(family, key);
  bytes_ += overlay(family).Set(key, std::nullopt);
}

void TxnImpl::DeleteDeadRange(Family family, std::string_view from, std::string_view to) {
  CHECK_LT(from, to);
  // Ranges stand at the front of the batch: what was gathered before must not outlive them.
  if (!overlay(family).empty()) {
    const Overlay::Order& order = overlay(family).Sorted();
    std::vector<std::string_view> dead;
    for (auto it = order.lower_bound(from); it != order.end(); ++it) {
      const Overlay::Write& write = overlay(family).writes()[*it];
      if (write.key >= to) break;
      if (write.value) dead.push_back(write.key);
    }
    for (std::string_view key : dead) bytes_ += overlay(family).Set(key, std::nullopt);
  }
  digest_.DeleteRange(family, from, to);
  dead_ranges_.push_back({family, std::string(from), std::string(to)});
  bytes_ += static_cast<int64_t>(from.size() + to.size() + sizeof(DeadRange));
}

void TxnImpl::SetDatabases(const DatabaseMap& map) {
  databases_ = map;
  databases_changed_ = true;
}

void TxnImpl::AddCounts(uint8_t prefix, KeyCounts more) {
  const KeyCounts& counts = counts_[prefix];
  SetCounts(prefix, {counts.keys + more.keys, counts.expiring + more.expiring,
                     counts.spread + more.spread});
}

void TxnImpl::SetCounts(uint8_t prefix, KeyCounts counts) {
  counts_[prefix] = counts;
  counts_changed_[prefix] = true;
  any_counts_changed_ = true;
}

uint64_t TxnImpl::NewVersion() {
  CHECK_GT(index_, 0u);
  CHECK_LT(versions_, uint64_t{1} << kVersionCounterBits);
  return index_ << kVersionCounterBits | versions_++;
}

bool TxnImpl::empty() const {
  for (const Overlay& overlay : overlays_) {
    if (!overlay.empty()) return false;
  }
  return dead_ranges_.empty() && !databases_changed_ && !any_counts_changed_;
}

void TxnImpl::Build(rocksdb::WriteBatch* batch, uint64_t number) {
  auto check = [](const rocksdb::Status& status) {
    CHECK_MSG(status.ok(), "cannot build a write batch: " + status.ToString());
  };
  RecordCache& records = database_->records();
  // First, so that what is written after a range has died, under the same prefix, survives.
  for (const DeadRange& range : dead_ranges_) {
    check(batch->DeleteRange(database_->family(range.family), ToSlice(range.from),
                             ToSlice(range.to)));
    if (range.family == Family::kMeta) records.Clear(number);
  }
  for (int i = 0; i < kFamilyCount; ++i) {
    Family family = static_cast<Family>(i);
    rocksdb::ColumnFamilyHandle* handle = database_->family(family);
    overlay(family).SortForBatch(&order_);
    for (const Overlay::Place& place : order_) {
      const Overlay::Write& write = overlay(family).writes()[place.position];
      check(write.value ? batch->Put(handle, ToSlice(write.key), ToSlice(*write.value))
                        : batch->Delete(handle, ToSlice(write.key)));
      if (family != Family::kMeta) continue;
      if (write.value) {
        records.Put(write.key, *write.value, number);
      } else {
        records.Erase(write.key, number);
      }
    }
  }
  rocksdb::ColumnFamilyHandle* system = database_->family(Family::kSystem);
  if (databases_changed_) {
    check(batch->Put(system, ToSlice(kDatabasesKey), EncodeDatabases(databases_)));
  }
  if (!any_counts_changed_) return;
  for (int i = 0; i < 256; ++i) {
    if (!counts_changed_[i]) continue;
    CHECK_GE(counts_[i].keys, 0);
    CHECK_GE(counts_[i].expiring, 0);
    CHECK_GE(counts_[i].spread, 0);
    check(batch->Put(system, CountsKey(static_cast<uint8_t>(i)), EncodeCounts(counts_[i])));
  }
}

void TxnImpl::Clear() {
  for (Overlay& overlay : overlays_) overlay.Clear();
  dead_ranges_.clear();
  databases_changed_ = false;
  if (any_counts_changed_) counts_changed_ = {};
  any_counts_changed_ = false;
  bytes_ = 0;
}

}  // namespace metastore::engine
