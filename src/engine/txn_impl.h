// The Txn of an Engine: four overlays over a Database, the counters, and the clock of the entry
// that is being applied.
#pragma once

#include <rocksdb/write_batch.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/database.h"
#include "engine/overlay.h"
#include "engine/txn.h"

namespace metastore::engine {

class TxnImpl final : public Txn {
 public:
  // The database must outlive the Txn or the next Attach.
  explicit TxnImpl(const Database* database) { Attach(database); }
  // Starts over on another database; nothing may be gathered.
  void Attach(const Database* database);

  bool Get(Family family, std::string_view key, std::string* value) const override;
  std::unique_ptr<Iterator> NewIterator(Family family, std::string_view lower,
                                        std::string_view upper) const override;
  const DatabaseMap& databases() const override { return databases_; }
  KeyCounts Counts(uint8_t prefix) const override { return counts_[prefix]; }

  void BeginEntry(uint64_t index, int64_t now_ms, uint64_t seed) override;
  void Put(Family family, std::string_view key, std::string value) override;
  void Delete(Family family, std::string_view key) override;
  void DeleteDeadRange(Family family, std::string_view from, std::string_view to) override;
  void SetDatabases(const DatabaseMap& map) override;
  void AddCounts(uint8_t prefix, KeyCounts more) override;
  void SetCounts(uint8_t prefix, KeyCounts counts) override;
  uint64_t NewVersion() override;
  Random& random() override { return random_; }
  size_t bytes() const override { return static_cast<size_t>(bytes_); }

  bool empty() const;
  bool databases_changed() const { return databases_changed_; }
  // Everything gathered, each family in byte order, as commit `number`; the cache of records
  // follows at once.
  void Build(rocksdb::WriteBatch* batch, uint64_t number);
  // Forgets what was gathered: it is in the database now.
  void Clear();

  struct DeadRange {
    Family family;
    std::string from, to;
  };
  const std::vector<DeadRange>& dead_ranges() const { return dead_ranges_; }

 private:
  Overlay& overlay(Family family) { return overlays_[static_cast<size_t>(family)]; }
  const Overlay& overlay(Family family) const { return overlays_[static_cast<size_t>(family)]; }

  const Database* database_ = nullptr;
  rocksdb::ReadOptions read_options_;
  std::array<Overlay, kFamilyCount> overlays_;
  std::vector<DeadRange> dead_ranges_;
  std::vector<Overlay::Place> order_;  // reused by Build
  DatabaseMap databases_;
  bool databases_changed_ = false;
  std::array<KeyCounts, 256> counts_{};
  std::array<bool, 256> counts_changed_{};
  bool any_counts_changed_ = false;
  int64_t bytes_ = 0;
  uint64_t index_ = 0;
  uint64_t versions_ = 0;  // given out in this entry
  Random random_{0};
};

}  // namespace metastore::engine
