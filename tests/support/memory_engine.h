// An Engine in ordinary maps, for simulations: fast, deterministic, and a crash is one call that
// takes everything back to the last flush.
#pragma once

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

// Over a sorted copy of its range.
class MemoryIterator : public engine::Iterator {
 public:
  explicit MemoryIterator(std::vector<std::pair<std::string, std::string>> rows)
      : rows_(std::move(rows)), at_(rows_.size()) {}
  bool Valid() const override { return at_ < rows_.size(); }
  void Seek(std::string_view key) override {
    at_ = 0;
    while (at_ < rows_.size() && rows_[at_].first < key) ++at_;
  }
  void SeekForPrev(std::string_view key) override {
    at_ = rows_.size();
    while (at_ > 0 && rows_[at_ - 1].first > key) --at_;
    --at_;  // from the first row to beyond the last: invalid
  }
  void Next() override { ++at_; }
  void Prev() override { --at_; }
  std::string_view key() const override { return rows_[at_].first; }
  std::string_view value() const override { return rows_[at_].second; }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
  size_t at_;
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
  MemoryView(Tables tables, int64_t now_ms) : tables_(std::move(tables)) { now_ms_ = now_ms; }
  bool Get(Family family, std::string_view key, std::string* value) const override {
    auto it = tables_[family].find(key);
    if (it == tables_[family].end()) return false;
    *value = it->second;
    return true;
  }
  std::unique_ptr<engine::Iterator> NewIterator(Family family, std::string_view lower,
                                                std::string_view upper) const override {
    const Table& table = tables_[family];
    std::vector<std::pair<std::string, std::string>> rows;
    for (auto it = table.lower_bound(lower); it != table.end(); ++it) {
      if (!upper.empty() && it->first >= upper) break;
      rows.push_back(*it);
    }
    return std::make_unique<MemoryIterator>(std::move(rows));
  }

 private:
  Tables tables_;
};

class MemoryTxn : public MemoryReader<engine::Txn> {
 public:
  explicit MemoryTxn(Tables* tables) : tables_(tables) {}

  bool Get(Family family, std::string_view key, std::string* value) const override {
    const auto& gathered = gathered_[static_cast<size_t>(family)];
    auto own = gathered.find(key);
    if (own != gathered.end()) {
      if (!own->second) return false;
      *value = *own->second;
      return true;
    }
    auto it = (*tables_)[family].find(key);
    if (it == (*tables_)[family].end()) return false;
    *value = it->second;
    return true;
  }
  std::unique_ptr<engine::Iterator> NewIterator(Family family, std::string_view lower,
                                                std::string_view upper) const override {
    Tables merged = *tables_;
    Merge(&merged);
    return MemoryView(std::move(merged), now_ms()).NewIterator(family, lower, upper);
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
    gathered_[static_cast<size_t>(family)].insert_or_assign(std::string(key), std::move(value));
  }
  void Delete(Family family, std::string_view key) override {
    digest_.Delete(family, key);
    weight_.Delete(family, key);
    bytes_ += key.size();
    gathered_[static_cast<size_t>(family)].insert_or_assign(std::string(key), std::nullopt);
  }
  void DeleteDeadRange(Family family, std::string_view from, std::string_view to) override {
    digest_.DeleteRange(family, from, to);
    auto& gathered = gathered_[static_cast<size_t>(family)];
    for (auto it = gathered.lower_bound(from); it != gathered.end() && it->first < to; ++it) {
      it->second.reset();
    }
    Table& table = (*tables_)[family];
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
  uint64_t NewVersion() override { return entry_index_ << 24 | ++counter_; }
  Random& random() override { return random_; }
  size_t bytes() const override { return bytes_; }

  void Commit() {
    Merge(tables_);
    for (auto& gathered : gathered_) gathered.clear();
    bytes_ = 0;
  }
  void Forget() {
    for (auto& gathered : gathered_) gathered.clear();
    bytes_ = 0;
  }

 private:
  void Merge(Tables* into) const {
    for (size_t f = 0; f < gathered_.size(); ++f) {
      for (const auto& [key, value] : gathered_[f]) {
        if (value) {
          into->families[f].insert_or_assign(key, *value);
        } else {
          into->families[f].erase(key);
        }
      }
    }
  }

  Tables* const tables_;
  std::array<std::map<std::string, std::optional<std::string>, std::less<>>, engine::kFamilyCount>
      gathered_;
  uint64_t entry_index_ = 0;
  uint64_t counter_ = 0;
  Random random_{0};
  size_t bytes_ = 0;
};

class MemoryEngine : public engine::Engine {
 public:
  std::unique_ptr<engine::View> NewView(int64_t now_ms) const override {
    return std::make_unique<MemoryView>(tables_, now_ms);
  }
  engine::Txn& txn() override { return txn_; }
  void Commit() override { txn_.Commit(); }
  std::optional<std::string> ReadFlushed(std::string_view system_key) const override {
    auto it = flushed_[Family::kSystem].find(system_key);
    if (it == flushed_[Family::kSystem].end()) return std::nullopt;
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
    txn_.Forget();
    tables_ = flushed_;
  }
  const Tables& tables() const { return tables_; }
  // Makes this the state, durably: an installed snapshot.
  void Replace(Tables tables) {
    txn_.Forget();
    tables_ = std::move(tables);
    flushed_ = tables_;
  }

 private:
  Tables tables_;
  Tables flushed_;
  MemoryTxn txn_{&tables_};
};

}  // namespace metastore::testing_support
