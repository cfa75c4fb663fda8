#include "types/ranked.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "engine/system_keys.h"
#include "types/keyspace.h"

namespace metastore::types {
namespace {

// A run that outgrows the most is split in two halves; one that falls below the least joins the
// next, when they come to no more than half of the most together.
constexpr uint64_t kMaxBlock = 256;
constexpr uint64_t kMaxGroup = kMaxBlock * 24;
constexpr uint64_t kMaxSection = kMaxGroup * 24;

// By level.
constexpr uint64_t kMost[] = {0, kMaxBlock, kMaxGroup, kMaxSection};
constexpr uint64_t Least(int level) { return kMost[level] / 8; }

constexpr char kEndsWithKey = 0;
constexpr char kEndsBeyondAll = 1;

}  // namespace

Ranked::Ranked(const engine::View& view, engine::Family family, uint64_t collection_id,
               std::string_view first_row, std::string_view last_row)
    : view_(view),
      family_(family),
      prefix_(ElementPrefix(family, collection_id)),
      first_row_(first_row),
      last_row_(last_row) {}

std::string Ranked::LevelKey(Level level) const {
  std::string row;
  row.reserve(prefix_.size() + 64);
  return row.append(prefix_).append(1, level);
}

std::string Ranked::RowKey(std::string_view key) const { return LevelKey(kRow).append(key); }

std::string Ranked::RunKey(Level level, const std::optional<std::string>& last_key) const {
  std::string key = LevelKey(level);
  if (!last_key) return key.append(1, kEndsBeyondAll);
  return key.append(1, kEndsWithKey).append(*last_key);
}

std::string Ranked::BeyondKey(Level level, const std::optional<std::string>& from) const {
  if (!from) return LevelKey(level);
  std::string key = level == kRow ? RowKey(*from) : RunKey(level, from);
  key.push_back('\0');
  return key;
}

std::optional<Ranked::Run> Ranked::ParseRun(const engine::Iterator& it) const {
  std::string_view end = it.key().substr(prefix_.size() + 1);
  std::string_view value = it.value();
  Run run;
  uint8_t kind = 0;
  if (!TakeByte(&end, &kind) || !TakeVarint(&value, &run.rows) || !value.empty()) {
    return std::nullopt;
  }
  if (kind == kEndsWithKey) {
    run.last_key = end;
  } else if (kind != kEndsBeyondAll || !end.empty()) {
    return std::nullopt;
  }
  return run;
}

Ranked::Run Ranked::RunAt(const engine::Iterator& it) const {
  std::optional<Run> run = ParseRun(it);
  CHECK_MSG(run.has_value(), "a count of rows is damaged");
  return std::move(*run);
}

std::unique_ptr<engine::Iterator> Ranked::NewIterator(Level level) const {
  const std::string begin = level == kRow ? RowKey(first_row_) : LevelKey(level);
  const std::string last = level == kRow ? RowKey(last_row_) : LevelKey(level);
  return view_.NewIterator(family_, begin, engine::PrefixEnd(last));
}

uint64_t Ranked::Rank(std::string_view key) const {
  uint64_t rank = 0;
  std::optional<std::string> from;  // where the runs end that are wholly below the key
  for (Level level : kCountsDownwards) {
    auto it = NewIterator(level);
    for (it->Seek(BeyondKey(level, from)); it->Valid(); it->Next()) {
      Run run = RunAt(*it);
      if (!run.last_key || *run.last_key >= key) break;
      rank += run.rows;
      from = std::move(run.last_key);
    }
  }
  auto it = NewIterator(kRow);
  const std::string end = RowKey(key);
  for (it->Seek(BeyondKey(kRow, from)); it->Valid() && it->key() < end; it->Next()) ++rank;
  return rank;
}

Ranked::Cursor Ranked::At(uint64_t rank) const {
  Cursor cursor(NewIterator(kRow), prefix_.size() + 1);
  std::optional<std::string> from;
  for (Level level : kCountsDownwards) {
    auto it = NewIterator(level);
    for (it->Seek(BeyondKey(level, from)); it->Valid(); it->Next()) {
      Run run = RunAt(*it);
      if (rank < run.rows) break;
      rank -= run.rows;
      from = std::move(run.last_key);
    }
    if (!it->Valid()) return cursor;
  }
  cursor.iterator_->Seek(BeyondKey(kRow, from));
  for (; rank > 0; --rank) cursor.Next();
  return cursor;
}

Ranked::Cursor Ranked::LowerBound(std::string_view key) const {
  Cursor cursor(NewIterator(kRow), prefix_.size() + 1);
  cursor.iterator_->Seek(RowKey(key));
  return cursor;
}

Ranked::Cursor Ranked::Before(std::string_view key) const {
  Cursor cursor(NewIterator(kRow), prefix_.size() + 1);
  const std::string row = RowKey(key);
  cursor.iterator_->SeekForPrev(row);
  if (cursor.Valid() && cursor.iterator_->key() == row) cursor.Prev();
  return cursor;
}

Ranked::Cursor Ranked::Last() const {
  Cursor cursor(NewIterator(kRow), prefix_.size() + 1);
  cursor.iterator_->SeekForPrev(LevelKey(kBlock));
  return cursor;
}

std::optional<std::vector<Ranked::Run>> Ranked::ParseRuns(Level level) const {
  std::vector<Run> runs;
  auto it = NewIterator(level);
  for (it->Seek({}); it->Valid(); it->Next()) {
    std::optional<Run> run = ParseRun(*it);
    if (!run) return std::nullopt;
    runs.push_back(std::move(*run));
  }
  if (runs.empty() || runs.back().last_key) return std::nullopt;
  return runs;
}

Status Ranked::Check(uint64_t* rows) const {
  struct Counts {
    std::vector<Run> runs;
    size_t next = 0;
    uint64_t rows = 0;  // of the runs below since the last one of these ended
  };
  std::array<Counts, std::size(kCountsUpwards)> counts;
  for (size_t i = 0; i < counts.size(); ++i) {
    std::optional<std::vector<Run>> runs = ParseRuns(kCountsUpwards[i]);
    if (!runs) return Status::Corruption("counts of rows that do not decode");
    counts[i].runs = std::move(*runs);
  }
  *rows = 0;
  auto it = NewIterator(kRow);
  it->Seek({});
  for (const Run& block : counts[0].runs) {
    const std::string end = block.last_key ? RowKey(*block.last_key) : LevelKey(kBlock);
    uint64_t found = 0;
    for (; it->Valid() && it->key() <= end; it->Next()) ++found;
    *rows += found;
    for (Counts& level : counts) level.rows += found;
    for (Counts& level : counts) {
      const Run& run = level.runs[level.next];
      if (run.last_key != block.last_key) break;
      if (run.rows != level.rows) {
        return Status::Corruption("a count of " + std::to_string(run.rows) + " rows where " +
                                  std::to_string(level.rows) + " are");
      }
      ++level.next;
      level.rows = 0;
    }
  }
  for (const Counts& level : counts) {
    if (level.next != level.runs.size()) {
      return Status::Corruption("counts of rows that end where none below them does");
    }
  }
  return Status::Ok();
}

WritableRanked::Run WritableRanked::Find(Level level, std::string_view key) const {
  auto it = NewIterator(level);
  it->Seek(RunKey(level, std::string(key)));
  return it->Valid() ? RunAt(*it) : Run();
}

std::optional<WritableRanked::Run> WritableRanked::After(Level level, const Run& run) const {
  if (!run.last_key) return std::nullopt;
  auto it = NewIterator(level);
  it->Seek(BeyondKey(level, run.last_key));
  CHECK(it->Valid());
  return RunAt(*it);
}

std::unique_ptr<engine::Iterator> WritableRanked::Start(Level level, const Run& run) const {
  std::optional<std::string> from;
  {
    auto it = NewIterator(level);
    it->SeekForPrev(RunKey(level, run.last_key));
    CHECK(it->Valid());
    it->Prev();
    if (it->Valid()) from = RunAt(*it).last_key;
  }
  const Level below = static_cast<Level>(level - 1);
  auto it = NewIterator(below);
  it->Seek(BeyondKey(below, from));
  CHECK(it->Valid());
  return it;
}

void WritableRanked::Put(Level level, const Run& run) {
  std::string value;
  PutVarint(&value, run.rows);
  txn_.Put(family_, RunKey(level, run.last_key), std::move(value));
}

void WritableRanked::Remove(Level level, const Run& run) {
  txn_.Delete(family_, RunKey(level, run.last_key));
}

bool WritableRanked::EndsAnother(Level level, const Run& run) const {
  if (!run.last_key) return true;
  std::string value;
  return level != kSection &&
         txn_.Get(family_, RunKey(static_cast<Level>(level + 1), run.last_key), &value);
}

WritableRanked::Runs WritableRanked::FindAll(std::string_view key) const {
  Runs runs;
  for (Level level : kCountsUpwards) runs[level - kBlock] = Find(level, key);
  return runs;
}

void WritableRanked::PutAll(const Runs& runs) {
  for (Level level : kCountsUpwards) Put(level, runs[level - kBlock]);
}

void WritableRanked::Insert(std::string_view key, std::string_view value) {
  txn_.Put(family_, RowKey(key), std::string(value));
  Runs runs = FindAll(key);
  for (Run& run : runs) ++run.rows;
  PutAll(runs);
  for (Level level : kCountsUpwards) {
    if (runs[level - kBlock].rows > kMost[level]) Split(level, std::move(runs[level - kBlock]));
  }
}

void WritableRanked::Replace(std::string_view key, std::string_view value) {
  txn_.Put(family_, RowKey(key), std::string(value));
}

void WritableRanked::Erase(std::string_view key) {
  Runs runs = FindAll(key);
  const Run& block = runs[0];
  const bool at_end = block.rows <= Least(kBlock) && IsAtEnd(block, key);
  txn_.Delete(family_, RowKey(key));
  for (Run& run : runs) {
    CHECK_GT(run.rows, 0u);
    --run.rows;
  }
  PutAll(runs);
  RemoveEmpty(runs);
  for (Level level : kCountsUpwards) {
    if (level != kBlock || !at_end) JoinSmall(level, runs[level - kBlock]);
  }
}

// A run of no rows stays only where one that has some ends with it. Those below it that end with
// it stayed for its sake.
void WritableRanked::RemoveEmpty(const Runs& runs) {
  for (Level level : kCountsDownwards) {
    const Run& run = runs[level - kBlock];
    if (run.rows > 0 || EndsAnother(level, run)) continue;
    for (int below = level; below >= kBlock; --below) Remove(static_cast<Level>(below), run);
  }
}

void WritableRanked::JoinSmall(Level level, const Run& run) {
  if (run.rows == 0 || run.rows >= Least(level) || EndsAnother(level, run)) return;
  const std::optional<Run> next = After(level, run);
  if (run.rows + next->rows > kMost[level] / 2) return;
  Remove(level, run);
  Put(level, {next->last_key, run.rows + next->rows});
  for (int below = level - 1; below >= kBlock; --below) {
    if (Find(static_cast<Level>(below), *run.last_key).rows > 0) return;
    Remove(static_cast<Level>(below), run);
  }
}

// By what is behind the row alone: what is before it may be far, beyond all that was erased.
bool WritableRanked::IsAtEnd(const Run& block, std::string_view key) const {
  uint64_t behind = 0;
  Cursor next = LowerBound(std::string(key).append(1, '\0'));
  for (; next.Valid() && (!block.last_key || next.key() <= *block.last_key); next.Next()) ++behind;
  return behind == 0 || behind + 1 == block.rows;
}

// The ends row by row, as others are erased; what fills a block goes with it, without counting.
void WritableRanked::EraseRun(std::span<const std::string> keys) {
  while (!keys.empty()) {
    const Run block = Find(kBlock, keys.front());
    CHECK_GT(block.rows, 0u);
    const bool whole =
        block.rows <= keys.size() && (!block.last_key || keys[block.rows - 1] <= *block.last_key);
    if (whole) {
      EraseWhole(keys.first(block.rows));
      keys = keys.subspan(block.rows);
    } else {
      Erase(keys.front());
      keys = keys.subspan(1);
    }
  }
}

void WritableRanked::EraseWhole(std::span<const std::string> keys) {
  Runs runs = FindAll(keys.front());
  for (const std::string& key : keys) txn_.Delete(family_, RowKey(key));
  for (Run& run : runs) {
    CHECK_GE(run.rows, keys.size());
    run.rows -= keys.size();
  }
  PutAll(runs);
  RemoveEmpty(runs);
}

void WritableRanked::Split(Level level, Run run) {
  Run first;
  {
    auto it = Start(level, run);
    for (; first.rows < run.rows / 2; it->Next()) {
      if (level == kBlock) {
        first.last_key = it->key().substr(prefix_.size() + 1);
        ++first.rows;
      } else {
        Run below = RunAt(*it);
        first.last_key = std::move(below.last_key);
        first.rows += below.rows;
      }
    }
  }
  CHECK(first.last_key != run.last_key);  // a run is small beside half of one above it
  run.rows -= first.rows;
  Put(level, first);
  Put(level, run);
}

void WritableRanked::CountAll() {
  std::vector<std::string> old;
  for (Level level : kCountsUpwards) {
    auto it = NewIterator(level);
    for (it->Seek({}); it->Valid(); it->Next()) old.emplace_back(it->key());
  }
  for (const std::string& key : old) txn_.Delete(family_, key);
  std::vector<Run> blocks(1);
  {
    std::string last;
    auto it = NewIterator(kRow);
    for (it->Seek({}); it->Valid(); it->Next()) {
      if (blocks.back().rows == kMaxBlock / 2) {
        blocks.back().last_key = std::move(last);
        blocks.emplace_back();
      }
      ++blocks.back().rows;
      last = it->key().substr(prefix_.size() + 1);
    }
  }
  Runs runs;
  for (const Run& block : blocks) {
    for (Run& run : runs) run.rows += block.rows;
    // A run may end where the one below does.
    for (Level level : kCountsUpwards) {
      Run& run = runs[level - kBlock];
      if (level != kBlock && block.last_key && run.rows < kMost[level] / 2) break;
      Put(level, {block.last_key, run.rows});
      run.rows = 0;
    }
  }
}

}  // namespace metastore::types
