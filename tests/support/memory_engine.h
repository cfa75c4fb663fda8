// An Engine in ordinary maps, for simulations: fast, deterministic, and a crash is one call that
// takes everything back to the last flush.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/engine.h"
#include "engine/system_keys.h"

namespace metastore::testing_support {

using engine::Family;

using Table = std::map<std::string, std::string, std::less<>>;
struct Tables {
  std::array<Table, engine::kFamilyCount> families;
  const Table& operator[](Family f) const { return families[static_cast<size_t>(f)]; }
  Table& operator[](Family f) { return families[static_cast<size_t>(f)]; }
  friend bool operator==(const Tables&, const Tables&) = default;
};

// What a Txn has gathered; nothing: the key is deleted.
using Gathered = std::map<std::string, std::optional<std::string>, std::less<>>;

// A table within bounds, with what was gathered laid over it (null: nothing). Every move seeks.
class MemoryIterator : public engine::Iterator {
 public:
  MemoryIterator(const Table& table, const Gathered* gathered, std::string_view lower,
                 std::string_view upper, const uint64_t* writes = nullptr)
      : table_(table),
        gathered_(gathered),
        lower_(lower),
        upper_(upper),
        writes_(writes),
        writes_at_start_(writes == nullptr ? 0 : *writes) {}
  bool Valid() const override {
    CheckUnwritten();
    return at_ != nullptr;
  }
  void Seek(std::string_view key) override {
    Forward(std::max(key, std::string_view(lower_)), true);
  }
  void SeekForPrev(std::string_view key) override {
    const bool beyond = !upper_.empty() && key >= upper_;
    Back(beyond ? std::string_view(upper_) : key, !beyond);
  }
  void Next() override {
    CHECK(Valid());
    Forward(std::string(*at_), false);
  }
  void Prev() override {
    CHECK(Valid());
    Back(std::string(*at_), false);
  }
  std::string_view key() const override {
    CHECK(Valid());
    return *at_;
  }
  std::string_view value() const override {
    CHECK(Valid());
    return *value_;
  }

 private:
  // To the first key above `from`, or at it.
  void Forward(const std::string_view from, bool inclusive) {
    CheckUnwritten();
    auto row = inclusive ? table_.lower_bound(from) : table_.upper_bound(from);
    if (gathered_ == nullptr) return row == table_.end() ? Settle(nullptr, nullptr) : Settle(*row);
    auto own = inclusive ? gathered_->lower_bound(from) : gathered_->upper_bound(from);
    for (;;) {
      const bool at_own =
          own != gathered_->end() && (row == table_.end() || own->first <= row->first);
      if (!at_own) return row == table_.end() ? Settle(nullptr, nullptr) : Settle(*row);
      if (own->second) return Settle(&own->first, &*own->second);
      if (row != table_.end() && row->first == own->first) ++row;
      ++own;
    }
  }
  // To the last key below `from`, or at it.
  void Back(const std::string_view from, bool inclusive) {
    CheckUnwritten();
    auto row = inclusive ? table_.upper_bound(from) : table_.lower_bound(from);
    if (gathered_ == nullptr) {
      return row == table_.begin() ? Settle(nullptr, nullptr) : Settle(*std::prev(row));
    }
    auto own = inclusive ? gathered_->upper_bound(from) : gathered_->lower_bound(from);
    for (;;) {
      const bool at_own = own != gathered_->begin() &&
                          (row == table_.begin() || std::prev(own)->first >= std::prev(row)->first);
      if (!at_own)
        return row == table_.begin() ? Settle(nullptr, nullptr) : Settle(*std::prev(row));
      --own;
      if (own->second) return Settle(&own->first, &*own->second);
      if (row != table_.begin() && std::prev(row)->first == own->first) --row;
    }
  }
  void Settle(const Table::value_type& row) { Settle(&row.first, &row.second); }
  void Settle(const std::string* key, const std::string* value) {
    const bool within = key != nullptr && *key >= lower_ && (upper_.empty() || *key < upper_);
    at_ = within ? key : nullptr;
    value_ = value;
  }
  // What a real Txn's iterator would not survive.
  void CheckUnwritten() const {
    CHECK_MSG(writes_ == nullptr || *writes_ == writes_at_start_,
              "a Txn was written while an iterator was in use");
  }

  const Table& table_;
  const Gathered* const gathered_;
  const std::string lower_, upper_;
  const uint64_t* const writes_;
  const uint64_t writes_at_start_;
  const std::string* at_ = nullptr;
  const std::string* value_ = nullptr;
};

// The reads of View in terms of a lookup and a copy of a range.
template <class Base>
class MemoryReader : public Base {
 public:
  const engine::DatabaseMap& databases() const override {
    std::string value;
    databases_ = {};
    if (this->Get(Family::kSystem, engine::kDatabasesKey, &value)) {
      databases_ = *engine::DecodeDatabases(value);
    }
    return databases_;
  }
  engine::KeyCounts Counts(uint8_t prefix) const override {
    std::string value;
    if (!this->Get(Family::kSystem, engine::CountsKey(prefix), &value)) return {};
    return *engine::DecodeCounts(value);
  }

 private:
  mutable engine::DatabaseMap databases_;
};

class MemoryView : public MemoryReader<engine::View> {
 public:
  MemoryView(std::shared_ptr<const Tables> tables, int64_t now_ms) : tables_(std::move(tables)) {
    now_ms_ = now_ms;
  }
  bool Get(Family family, std::string_view key, std::string* value) const override {
    auto it = (*tables_)[family].find(key);
    if (it == (*tables_)[family].end()) return false;
    *value = it->second;
    return true;
  }
  std::unique_ptr<engine::Iterator> NewIterator(Family family, std::string_view lower,
                                                std::string_view upper) const override {
    return std::make_unique<MemoryIterator>((*tables_)[family], nullptr, lower, upper);
  }

 private:
  const std::shared_ptr<const Tables> tables_;
};

class MemoryTxn : public MemoryReader<engine::Txn> {
 public:
  // The tables are copied before a change if somebody else holds them.
  explicit MemoryTxn(std::shared_ptr<Tables>* tables) : tables_(tables) {}

  bool Get(Family family, std::string_view key, std::string* value) const override {
    const auto& gathered = gathered_[static_cast<size_t>(family)];
    auto own = gathered.find(key);
    if (own != gathered.end()) {
      if (!own->second) return false;
      *value = *own->second;
      return true;
    }
    const Table& table = (**tables_)[family];
    auto it = table.find(key);
    if (it == table.end()) return false;
    *value = it->second;
    return true;
  }
  std::unique_ptr<engine::Iterator> NewIterator(Family family, std::string_view lower,
                                                std::string_view upper) const override {
    const auto f = static_cast<size_t>(family);
    return std::make_unique<MemoryIterator>((**tables_)[family], &gathered_[f], lower, upper,
                                            &writes_[f]);
  }

  void BeginEntry(uint64_t index, int64_t now_ms, uint64_t seed) override {
    entry_index_ = index;
    counter_ = 0;
    weight_.Begin();
    now_ms_ = now_ms;
    random_ = Random(seed);
  }
  void Put(Family family, std::string_view key, std::string value) override {
    digest_.Put(family, key, value);
    weight_.Put(family, key, value.size());
    bytes_ += key.size() + value.size();
    Gather(family).insert_or_assign(std::string(key), std::move(value));
  }
  void Delete(Family family, std::string_view key) override {
    digest_.Delete(family, key);
    weight_.Delete(family, key);
    bytes_ += key.size();
    Gather(family).insert_or_assign(std::string(key), std::nullopt);
  }
  void DeleteDeadRange(Family family, std::string_view from, std::string_view to) override {
    digest_.DeleteRange(family, from, to);
    Gathered& gathered = Gather(family);
    for (auto it = gathered.lower_bound(from); it != gathered.end() && it->first < to; ++it) {
      it->second.reset();
    }
    Table& table = Own()[family];
    table.erase(table.lower_bound(from), table.lower_bound(to));
  }
  void SetDatabases(const engine::DatabaseMap& map) override {
    Put(Family::kSystem, engine::kDatabasesKey, engine::EncodeDatabases(map));
  }
  void AddCounts(uint8_t prefix, engine::KeyCounts more) override {
    engine::KeyCounts counts = Counts(prefix);
    SetCounts(prefix, {counts.keys + more.keys, counts.expiring + more.expiring,
                       counts.spread + more.spread});
  }
  void SetCounts(uint8_t prefix, engine::KeyCounts counts) override {
    CHECK_GE(counts.keys, 0);
    CHECK_GE(counts.expiring, 0);
    CHECK_GE(counts.spread, 0);
    Put(Family::kSystem, engine::CountsKey(prefix), engine::EncodeCounts(counts));
  }
  uint64_t NewVersion() override { return entry_index_ << 24 | counter_++; }
  Random& random() override { return random_; }
  size_t bytes() const override { return bytes_; }

  void Commit() {
    for (size_t f = 0; f < gathered_.size(); ++f) {
      if (gathered_[f].empty()) continue;
      Table& table = Own().families[f];
      for (auto& [key, value] : gathered_[f]) {
        if (value) {
          table.insert_or_assign(key, std::move(*value));
        } else {
          table.erase(key);
        }
      }
    }
    Clear();
  }
  // Forgets what was gathered; the tables were replaced.
  void Restart() {
    Clear();
    std::string record;
    const bool known = Get(Family::kSystem, engine::kAppliedKey, &record);
    now_ms_ = known ? engine::DecodeApplied(record)->now_ms : 0;
  }

 private:
  Tables& Own() {
    if (tables_->use_count() > 1) *tables_ = std::make_shared<Tables>(**tables_);
    return **tables_;
  }
  // To write.
  Gathered& Gather(Family family) {
    ++writes_[static_cast<size_t>(family)];
    return gathered_[static_cast<size_t>(family)];
  }
  void Clear() {
    for (Gathered& gathered : gathered_) gathered.clear();
    bytes_ = 0;
  }

  std::shared_ptr<Tables>* const tables_;
  std::array<Gathered, engine::kFamilyCount> gathered_;
  std::array<uint64_t, engine::kFamilyCount> writes_{};
  uint64_t entry_index_ = 0;
  uint64_t counter_ = 0;
  Random random_{0};
  size_t bytes_ = 0;
};

class MemoryEngine : public engine::Engine {
 public:
  std::unique_ptr<engine::View> NewView(int64_t now_ms) const override {
    return std::make_unique<MemoryView>(tables_, std::max(now_ms, txn_.now_ms()));
  }
  engine::Txn& txn() override { return txn_; }
  void Commit() override { txn_.Commit(); }
  std::optional<std::string> ReadFlushed(std::string_view system_key) const override {
    const Table& system = (*flushed_)[Family::kSystem];
    auto it = system.find(system_key);
    if (it == system.end()) return std::nullopt;
    return it->second;
  }
  Status ReclaimSpace() override { return Status::Ok(); }
  Status Flush() override {
    flushed_ = tables_;
    return Status::Ok();
  }
  Status Checkpoint(const std::string&) override { return Status(Code::kUnavailable); }
  Status Install(const std::string&) override { return Status(Code::kUnavailable); }
  engine::EngineStats Stats() const override { return {}; }

  // Loses what was not flushed.
  void Crash() {
    tables_ = std::make_shared<Tables>(*flushed_);
    txn_.Restart();
  }
  const Tables& tables() const { return *tables_; }
  // As they are now.
  std::shared_ptr<const Tables> Share() const { return tables_; }
  // Makes this the state, durably: an installed snapshot.
  void Replace(Tables tables) {
    tables_ = std::make_shared<Tables>(std::move(tables));
    flushed_ = tables_;
    txn_.Restart();
  }

 private:
  std::shared_ptr<Tables> tables_ = std::make_shared<Tables>();
  std::shared_ptr<const Tables> flushed_ = tables_;
  MemoryTxn txn_{&tables_};
};

}  // namespace metastore::testing_support
