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
constexpr uint64_t kMinBlock = kMaxBlock / 8;
constexpr uint64_t kMaxGroup = kMaxBlock * 128;
constexpr uint64_t kMinGroup = kMaxGroup / 8;

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
  for (Level level : {kGroup, kBlock}) {
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
  for (Level level : {kGroup, kBlock}) {
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
  const std::optional<std::vector<Run>> blocks = ParseRuns(kBlock), groups = ParseRuns(kGroup);
  if (!blocks || !groups) return Status::Corruption("counts of rows that do not decode");
  *rows = 0;
  size_t group = 0;
  uint64_t in_group = 0;
  auto it = NewIterator(kRow);
  it->Seek({});
  for (const Run& block : *blocks) {
    const std::string end = block.last_key ? RowKey(*block.last_key) : LevelKey(kBlock);
    uint64_t in_block = 0;
    for (; it->Valid() && it->key() <= end; it->Next()) ++in_block;
    if (in_block != block.rows) {
      return Status::Corruption("a block that counts " + std::to_string(block.rows) + " rows of " +
                                std::to_string(in_block));
    }
    *rows += in_block;
    in_group += in_block;
    if (block.last_key != (*groups)[group].last_key) continue;
    if (in_group != (*groups)[group].rows) {
      return Status::Corruption("a group that counts " + std::to_string((*groups)[group].rows) +
                                " rows of " + std::to_string(in_group));
    }
    in_group = 0;
    ++group;
  }
  if (group != groups->size()) return Status::Corruption("a group that ends where no block does");
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
  const Level below = level == kGroup ? kBlock : kRow;
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

bool WritableRanked::EndsGroup(const Run& block) const {
  std::string value;
  return !block.last_key || txn_.Get(family_, RunKey(kGroup, block.last_key), &value);
}

void WritableRanked::Insert(std::string_view key, std::string_view value) {
  txn_.Put(family_, RowKey(key), std::string(value));
  Run group = Find(kGroup, key);
  Run block = Find(kBlock, key);
  ++group.rows;
  ++block.rows;
  Put(kGroup, group);
  Put(kBlock, block);
  if (block.rows > kMaxBlock) SplitBlock(std::move(block));
  if (group.rows > kMaxGroup) SplitGroup(std::move(group));
}

void WritableRanked::Replace(std::string_view key, std::string_view value) {
  txn_.Put(family_, RowKey(key), std::string(value));
}

void WritableRanked::Erase(std::string_view key) {
  Run group = Find(kGroup, key);
  Run block = Find(kBlock, key);
  CHECK_GT(group.rows, 0u);
  CHECK_GT(block.rows, 0u);
  const bool at_end = block.rows <= kMinBlock && IsAtEnd(block, key);
  txn_.Delete(family_, RowKey(key));
  --group.rows;
  --block.rows;
  Put(kGroup, group);
  Put(kBlock, block);
  if (block.rows == 0) {
    if (!EndsGroup(block)) Remove(kBlock, block);
  } else if (block.rows < kMinBlock && !at_end && !EndsGroup(block)) {
    const std::optional<Run> next = After(kBlock, block);
    if (block.rows + next->rows <= kMaxBlock / 2) {
      Remove(kBlock, block);
      Put(kBlock, {next->last_key, block.rows + next->rows});
    }
  }
  if (group.rows == 0) return RemoveIfEmpty(group);
  if (group.rows >= kMinGroup) return;
  const std::optional<Run> next = After(kGroup, group);
  if (next && group.rows + next->rows <= kMaxGroup / 2) {
    Remove(kGroup, group);
    Put(kGroup, {next->last_key, group.rows + next->rows});
    if (Find(kBlock, *group.last_key).rows == 0) Remove(kBlock, group);
  }
}

// With the block that ends it, which stayed for it. The last group stays.
void WritableRanked::RemoveIfEmpty(const Run& group) {
  if (group.rows > 0 || !group.last_key) return;
  Remove(kGroup, group);
  Remove(kBlock, group);
}

bool WritableRanked::IsAtEnd(const Run& block, std::string_view key) const {
  const Cursor next = LowerBound(std::string(key).append(1, '\0'));
  if (!next.Valid() || (block.last_key && next.key() > *block.last_key)) return true;
  const Cursor before = Before(key);
  return !before.Valid() || Find(kBlock, before.key()).last_key != block.last_key;
}

// The ends row by row, as others are erased; what fills a block goes with it, without counting.
void WritableRanked::EraseRun(std::span<const std::string> keys) {
  while (!keys.empty()) {
    const Run block = Find(kBlock, keys.front());
    CHECK_GT(block.rows, 0u);
    const bool whole =
        block.rows <= keys.size() && (!block.last_key || keys[block.rows - 1] <= *block.last_key);
    if (whole) {
      EraseWhole(block, keys.first(block.rows));
      keys = keys.subspan(block.rows);
    } else {
      Erase(keys.front());
      keys = keys.subspan(1);
    }
  }
}

void WritableRanked::EraseWhole(const Run& block, std::span<const std::string> keys) {
  Run group = Find(kGroup, keys.front());
  for (const std::string& key : keys) txn_.Delete(family_, RowKey(key));
  CHECK_GE(group.rows, block.rows);
  group.rows -= block.rows;
  Put(kGroup, group);
  if (EndsGroup(block)) {
    Put(kBlock, {block.last_key, 0});
  } else {
    Remove(kBlock, block);
  }
  RemoveIfEmpty(group);
}

void WritableRanked::SplitBlock(Run block) {
  Run first;
  {
    auto it = Start(kBlock, block);
    for (first.rows = 1; first.rows < block.rows / 2; ++first.rows) it->Next();
    first.last_key = it->key().substr(prefix_.size() + 1);
  }
  block.rows -= first.rows;
  Put(kBlock, first);
  Put(kBlock, block);
}

void WritableRanked::SplitGroup(Run group) {
  Run first;
  {
    auto it = Start(kGroup, group);
    while (first.rows < group.rows / 2) {
      Run block = RunAt(*it);
      first.rows += block.rows;
      first.last_key = std::move(block.last_key);
      CHECK(first.last_key != group.last_key);  // a block is small beside half a group
      it->Next();
    }
  }
  group.rows -= first.rows;
  Put(kGroup, first);
  Put(kGroup, group);
}

void WritableRanked::CountAll() {
  std::vector<std::string> old;
  for (Level level : {kBlock, kGroup}) {
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
  Run group;
  for (const Run& block : blocks) {
    Put(kBlock, block);
    group.rows += block.rows;
    if (group.rows < kMaxGroup / 2 && block.last_key) continue;
    group.last_key = block.last_key;
    Put(kGroup, group);
    group.rows = 0;
  }
}

}  // namespace metastore::types
