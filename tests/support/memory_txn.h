// A Txn that is four std::maps: the state machine without RocksDB, for fast tests of types and
// commands. Everything is committed at once, so it also enforces nothing about turns. It does that
// no iterator is used after a write to its family, which a real Txn's would not survive.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "engine/system_keys.h"
#include "engine/txn.h"

namespace metastore::test {

class MemoryTxn final : public engine::Txn {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;

  explicit MemoryTxn(int64_t now_ms = 1'000'000'000'000) { BeginEntry(1, now_ms, 1); }

  const Table& table(engine::Family family) const { return tables_[static_cast<size_t>(family)]; }

  // All bytes of the state, for comparing two replicas and for golden tests.
  std::string Dump() const {
    std::string dump;
    for (const Table& table : tables_) {
      for (const auto& [key, value] : table) {
        PutBytes(&dump, key);
        PutBytes(&dump, value);
      }
      dump.push_back('\n');
    }
    dump.append(engine::EncodeDatabases(databases_));
    for (engine::KeyCounts counts : counts_) dump.append(engine::EncodeCounts(counts));
    return dump;
  }

  // The next entry of the log.
  void NextEntry(int64_t now_ms) { BeginEntry(index_ + 1, now_ms, index_ + 1); }
  void set_now_ms(int64_t now_ms) { now_ms_ = now_ms; }
  // Point reads, seeks and steps since the last call.
  uint64_t TakeReads() { return std::exchange(steps_.reads, 0); }
  // How often an iterator went back, which in RocksDB goes over all that was erased there.
  uint64_t backward_steps() const { return steps_.backward; }

  bool Get(engine::Family family, std::string_view key, std::string* value) const override {
    ++steps_.reads;
    const Table& rows = table(family);
    auto it = rows.find(key);
    if (it == rows.end()) return false;
    *value = it->second;
    return true;
  }
  std::unique_ptr<engine::Iterator> NewIterator(engine::Family family, std::string_view lower,
                                                std::string_view upper) const override {
    return std::make_unique<TableIterator>(table(family), lower, upper,
                                           writes_[static_cast<size_t>(family)], &steps_);
  }
  const engine::DatabaseMap& databases() const override { return databases_; }
  engine::KeyCounts Counts(uint8_t prefix) const override { return counts_[prefix]; }

  void BeginEntry(uint64_t index, int64_t now_ms, uint64_t seed) override {
    index_ = index;
    now_ms_ = now_ms;
    versions_ = 0;
    random_ = Random(seed);
  }
  void Put(engine::Family family, std::string_view key, std::string value) override {
    digest_.Put(family, key, value);
    rows(family).insert_or_assign(std::string(key), std::move(value));
  }
  void Delete(engine::Family family, std::string_view key) override {
    digest_.Delete(family, key);
    auto it = rows(family).find(key);
    if (it != rows(family).end()) rows(family).erase(it);
  }
  void DeleteDeadRange(engine::Family family, std::string_view from, std::string_view to) override {
    CHECK_LT(from, to);
    digest_.DeleteRange(family, from, to);
    rows(family).erase(rows(family).lower_bound(from), rows(family).lower_bound(to));
  }
  void SetDatabases(const engine::DatabaseMap& map) override { databases_ = map; }
  void AddCounts(uint8_t prefix, engine::KeyCounts more) override {
    const engine::KeyCounts& counts = counts_[prefix];
    SetCounts(prefix, {counts.keys + more.keys, counts.expiring + more.expiring,
                       counts.spread + more.spread});
  }
  void SetCounts(uint8_t prefix, engine::KeyCounts counts) override {
    CHECK_GE(counts.keys, 0);
    CHECK_GE(counts.expiring, 0);
    CHECK_GE(counts.spread, 0);
    counts_[prefix] = counts;
  }
  uint64_t NewVersion() override { return index_ << 24 | versions_++; }
  Random& random() override { return random_; }
  size_t bytes() const override { return 0; }

 private:
  struct Steps {
    uint64_t reads = 0;
    uint64_t backward = 0;
  };
  class TableIterator final : public engine::Iterator {
   public:
    TableIterator(const Table& table, std::string_view lower, std::string_view upper,
                  const uint64_t& writes, Steps* steps)
        : table_(table),
          lower_(lower),
          upper_(upper),
          it_(table.end()),
          writes_(writes),
          writes_at_start_(writes),
          steps_(steps) {}
    bool Valid() const override {
      CheckUnwritten();
      return it_ != table_.end() && it_->first >= lower_ && (upper_.empty() || it_->first < upper_);
    }
    void Seek(std::string_view key) override {
      CheckUnwritten();
      ++steps_->reads;
      it_ = table_.lower_bound(key < std::string_view(lower_) ? std::string_view(lower_) : key);
    }
    void SeekForPrev(std::string_view key) override {
      CheckUnwritten();
      it_ = upper_.empty() || key < upper_ ? table_.upper_bound(key) : table_.lower_bound(upper_);
      StepBack();
    }
    void Next() override {
      CHECK(Valid());
      ++steps_->reads;
      ++it_;
    }
    void Prev() override {
      CHECK(Valid());
      ++steps_->reads;
      StepBack();
    }
    std::string_view key() const override {
      CheckUnwritten();
      return it_->first;
    }
    std::string_view value() const override {
      CheckUnwritten();
      return it_->second;
    }

   private:
    void CheckUnwritten() const {
      CHECK_MSG(writes_ == writes_at_start_, "a Txn was written while an iterator was in use");
    }
    void StepBack() {
      ++steps_->backward;
      it_ = it_ == table_.begin() ? table_.end() : std::prev(it_);
    }

    const Table& table_;
    std::string lower_, upper_;
    Table::const_iterator it_;
    const uint64_t& writes_;
    const uint64_t writes_at_start_;
    Steps* const steps_;
  };

  // To write.
  Table& rows(engine::Family family) {
    ++writes_[static_cast<size_t>(family)];
    return tables_[static_cast<size_t>(family)];
  }

  std::array<Table, engine::kFamilyCount> tables_;
  std::array<uint64_t, engine::kFamilyCount> writes_{};
  mutable Steps steps_;
  engine::DatabaseMap databases_;
  std::array<engine::KeyCounts, 256> counts_{};
  uint64_t index_ = 0;
  uint64_t versions_ = 0;
  Random random_{0};
};

}  // namespace metastore::test
