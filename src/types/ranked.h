// Rows in the order of their keys that can be counted: how many stand before a key, which one
// stands at a place. Sorted sets have their scores in one, lists that were edited in the middle
// their elements.
//
// Beside the rows there are three levels of counts, each of a run of the level below: a block
// counts rows, a group the rows of a run of blocks, a section those of a run of groups. An
// insertion changes three small numbers, and a rank is the sum of the sections, groups, blocks and
// rows before it: for a million rows some 150 steps, of which few are on counts. A step on a count
// costs ten on a row, as it goes over all that has been written of it lately. For that reason, too,
// the key of a run is where it ends: the run of a row is what a search forward meets first, and a
// search backward would begin with the oldest of what has been written.
//
//   row     := prefix 0 key               value := the row's own
//   block   := prefix 1 end               value := rows:varint
//   group   := prefix 2 end               value := rows:varint
//   section := prefix 3 end               value := rows:varint
//   end     := 0 last_key | 1
//
// prefix: ElementPrefix. The last run of a level holds all that is beyond the others, and ends with
// 1; a run ends where one of the level below does. No row need have the key of an end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/txn.h"
#include "engine/view.h"

namespace metastore::types {

// The reading side.
class Ranked {
 public:
  // Who knows the first row tells its key, who knows the last one tells that, or as many of its
  // first bytes: walks then never go over the remains of rows that were beyond. No row may have a
  // key below the one, or above all that begin with the other; empty is unknown.
  Ranked(const engine::View& view, engine::Family family, uint64_t collection_id,
         std::string_view first_row = {}, std::string_view last_row = {});

  // How many rows have a key below this one.
  uint64_t Rank(std::string_view key) const;

  // A place among the rows; it must not outlive the View, nor see it written.
  class Cursor {
   public:
    bool Valid() const { return iterator_->Valid(); }
    std::string_view key() const { return iterator_->key().substr(head_); }
    std::string_view value() const { return iterator_->value(); }
    void Next() { iterator_->Next(); }
    void Prev() { iterator_->Prev(); }

   private:
    friend class Ranked;
    Cursor(std::unique_ptr<engine::Iterator> iterator, size_t head)
        : iterator_(std::move(iterator)), head_(head) {}
    std::unique_ptr<engine::Iterator> iterator_;
    size_t head_;
  };
  // The row before which `rank` others stand; invalid when there are not so many.
  Cursor At(uint64_t rank) const;
  // The first row whose key is not below `key`.
  Cursor LowerBound(std::string_view key) const;
  // The last row whose key is below `key`.
  Cursor Before(std::string_view key) const;
  Cursor First() const { return LowerBound({}); }
  Cursor Last() const;

  std::string RowKey(std::string_view key) const;

  // Whether the counts are those of the rows, and how many rows there are. For the offline check:
  // what is damaged is an error here and a broken node everywhere else.
  Status Check(uint64_t* rows) const;

 protected:
  enum Level : char { kRow = 0, kBlock = 1, kGroup = 2, kSection = 3 };
  static constexpr Level kCountsUpwards[] = {kBlock, kGroup, kSection};
  static constexpr Level kCountsDownwards[] = {kSection, kGroup, kBlock};
  struct Run {
    std::optional<std::string> last_key;  // none: the last run
    uint64_t rows = 0;
  };
  std::string LevelKey(Level level) const;
  // Of the run of a level that ends there.
  std::string RunKey(Level level, const std::optional<std::string>& last_key) const;
  // In front of the runs, or rows, that are beyond `from`; all of them where that is none.
  std::string BeyondKey(Level level, const std::optional<std::string>& from) const;
  // CHECKs that it decodes.
  Run RunAt(const engine::Iterator& it) const;
  std::optional<Run> ParseRun(const engine::Iterator& it) const;
  std::optional<std::vector<Run>> ParseRuns(Level level) const;
  std::unique_ptr<engine::Iterator> NewIterator(Level level) const;

  const engine::View& view_;
  const engine::Family family_;
  const std::string prefix_;
  const std::string first_row_;
  const std::string last_row_;
};

// The writing side. No Cursor may be open.
class WritableRanked : public Ranked {
 public:
  WritableRanked(engine::Txn& txn, engine::Family family, uint64_t collection_id,
                 std::string_view first_row = {}, std::string_view last_row = {})
      : Ranked(txn, family, collection_id, first_row, last_row), txn_(txn) {}

  void Insert(std::string_view key, std::string_view value);  // the key must be new
  void Erase(std::string_view key);                           // the key must be there
  // Erases these, which are all the rows between the first and the last of them, in their order.
  void EraseRun(std::span<const std::string> keys);
  // The value of a key that is there.
  void Replace(std::string_view key, std::string_view value);
  // Counts all rows anew: some were written without Insert, or deleted without Erase.
  void CountAll();

 private:
  // The one that a row with this key belongs to.
  Run Find(Level level, std::string_view key) const;
  // The one behind it; none at the end.
  std::optional<Run> After(Level level, const Run& run) const;
  // A place in the level below, in front of all that belongs to the run.
  std::unique_ptr<engine::Iterator> Start(Level level, const Run& run) const;
  void Put(Level level, const Run& run);
  void Remove(Level level, const Run& run);
  // Whether a run of the level above ends with this one.
  bool EndsAnother(Level level, const Run& run) const;
  // Of the levels from the blocks upwards, those that hold the row.
  using Runs = std::array<Run, 3>;
  Runs FindAll(std::string_view key) const;
  void PutAll(const Runs& runs);
  void RemoveEmpty(const Runs& runs);
  void JoinSmall(Level level, const Run& run);
  // A block that is emptied from one of its ends goes when it is empty, and does not join its
  // neighbour before: else every block of a queue would be deleted beside a live one, and a search
  // for that would walk over the remains of all of them.
  bool IsAtEnd(const Run& block, std::string_view key) const;
  void EraseWhole(std::span<const std::string> keys);
  void Split(Level level, Run run);

  engine::Txn& txn_;
};

}  // namespace metastore::types
