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

uint64_t TakeRows(std::string_view value) {
  uint64_t rows = 0;
  CHECK_MSG(TakeVarint(&value, &rows) && value.empty(), "a count of rows is damaged");
  return rows;
}

}  // namespace

Ranked::Ranked(const engine::View& view, engine::Family family, uint64_t collection_id,
               std::string_view first_row, std::string_view last_row)
    : view_(view),
      family_(family),
      prefix_(ElementPrefix(family, collection_id)),
      first_row_(first_row),
      last_row_(last_row) {}

std::string Ranked::LevelKey(Level level, std::string_view key) const {
  std::string row;
  row.reserve(prefix_.size() + 1 + key.size());
  row.append(prefix_);
  row.push_back(level);
  row.append(key);
  return row;
}

std::string Ranked::RowKey(std::string_view key) const { return LevelKey(kRow, key); }

std::unique_ptr<engine::Iterator> Ranked::NewIterator(Level level) const {
  const bool rows = level == kRow;
  return view_.NewIterator(
      family_, LevelKey(level, rows ? first_row_ : std::string_view()),
      engine::PrefixEnd(LevelKey(level, rows ? last_row_ : std::string_view())));
}

uint64_t Ranked::Rank(std::string_view key) const {
  uint64_t rank = 0;
  std::string from;  // where the run begins that holds the key
  for (Level level : {kGroup, kBlock}) {
    auto it = NewIterator(level);
    uint64_t rows = 0;
    for (it->Seek(LevelKey(level, from)); it->Valid(); it->Next()) {
      std::string_view first = it->key().substr(prefix_.size() + 1);
      if (first > key) break;
      rank += rows;
      rows = TakeRows(it->value());
      from = first;
    }
  }
  auto it = NewIterator(kRow);
  const std::string end = RowKey(key);
  for (it->Seek(RowKey(from)); it->Valid() && it->key() < end; it->Next()) ++rank;
  return rank;
}

Ranked::Cursor Ranked::At(uint64_t rank) const {
  Cursor cursor(NewIterator(kRow), prefix_.size() + 1);
  std::string from;
  for (Level level : {kGroup, kBlock}) {
    auto it = NewIterator(level);
    for (it->Seek(LevelKey(level, from)); it->Valid(); it->Next()) {
      const uint64_t rows = TakeRows(it->value());
      if (rank < rows) break;
      rank -= rows;
    }
    if (!it->Valid()) return cursor;
    from = it->key().substr(prefix_.size() + 1);
  }
  cursor.iterator_->Seek(RowKey(from));
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
  cursor.iterator_->SeekForPrev(LevelKey(kBlock, {}));
  return cursor;
}

WritableRanked::Run WritableRanked::Find(Level level, std::string_view key) const {
  auto it = NewIterator(level);
  it->SeekForPrev(LevelKey(level, key));
  if (!it->Valid()) return {};
  return {std::string(it->key().substr(prefix_.size() + 1)), TakeRows(it->value())};
}

std::optional<WritableRanked::Run> WritableRanked::After(Level level, const Run& run) const {
  auto it = NewIterator(level);
  it->Seek(LevelKey(level, run.first_key));
  CHECK(it->Valid());
  it->Next();
  if (!it->Valid()) return std::nullopt;
  return Run{std::string(it->key().substr(prefix_.size() + 1)), TakeRows(it->value())};
}

void WritableRanked::Put(Level level, const Run& run) {
  std::string value;
  PutVarint(&value, run.rows);
  txn_.Put(family_, LevelKey(level, run.first_key), std::move(value));
}

void WritableRanked::Remove(Level level, const Run& run) {
  txn_.Delete(family_, LevelKey(level, run.first_key));
}

bool WritableRanked::BeginsGroup(std::string_view key) const {
  std::string value;
  return txn_.Get(family_, LevelKey(kGroup, key), &value);
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
    if (!BeginsGroup(block.first_key)) Remove(kBlock, block);
  } else if (block.rows < kMinBlock && !at_end) {
    std::optional<Run> next = After(kBlock, block);
    if (next && !BeginsGroup(next->first_key) && block.rows + next->rows <= kMaxBlock / 2) {
      Remove(kBlock, *next);
      Put(kBlock, {block.first_key, block.rows + next->rows});
    }
  }
  if (group.rows == 0 && !group.first_key.empty()) {
    Remove(kGroup, group);
    Remove(kBlock, group);
  } else if (group.rows < kMinGroup) {
    std::optional<Run> next = After(kGroup, group);
    if (next && group.rows + next->rows <= kMaxGroup / 2) {
      Remove(kGroup, *next);
      Put(kGroup, {group.first_key, group.rows + next->rows});
      if (Find(kBlock, next->first_key).rows == 0) Remove(kBlock, *next);
    }
  }
}

// The ends row by row, as others are erased; what fills a block goes with it, without counting.
void WritableRanked::EraseRun(std::span<const std::string> keys) {
  while (!keys.empty()) {
    const Run block = Find(kBlock, keys.front());
    if (block.rows <= keys.size() && IsFirstOf(block, keys.front())) {
      EraseWhole(block, keys.first(block.rows));
      keys = keys.subspan(block.rows);
    } else {
      Erase(keys.front());
      keys = keys.subspan(1);
    }
  }
}

bool WritableRanked::IsFirstOf(const Run& block, std::string_view key) const {
  const Cursor first = LowerBound(block.first_key);
  return first.Valid() && first.key() == key;
}

void WritableRanked::EraseWhole(const Run& block, std::span<const std::string> keys) {
  Run group = Find(kGroup, keys.front());
  for (const std::string& key : keys) txn_.Delete(family_, RowKey(key));
  CHECK_GE(group.rows, block.rows);
  group.rows -= block.rows;
  if (BeginsGroup(block.first_key)) {
    Put(kBlock, {block.first_key, 0});
  } else {
    Remove(kBlock, block);
  }
  if (group.rows == 0 && !group.first_key.empty()) {
    Remove(kGroup, group);
    Remove(kBlock, group);
  } else {
    Put(kGroup, group);
  }
}

bool WritableRanked::IsAtEnd(const Run& block, std::string_view key) const {
  auto it = NewIterator(kRow);
  const std::string row = RowKey(key);
  uint64_t before = 0;
  for (it->Seek(RowKey(block.first_key)); it->Valid() && it->key() < row; it->Next()) ++before;
  return before == 0 || before + 1 == block.rows;
}

void WritableRanked::SplitBlock(Run block) {
  Run second;
  {
    auto it = NewIterator(kRow);
    it->Seek(RowKey(block.first_key));
    for (uint64_t i = 0; i < block.rows / 2; ++i) it->Next();
    second = {std::string(it->key().substr(prefix_.size() + 1)), block.rows - block.rows / 2};
  }
  block.rows /= 2;
  Put(kBlock, block);
  Put(kBlock, second);
}

void WritableRanked::SplitGroup(Run group) {
  Run second = group;
  {
    auto it = NewIterator(kBlock);
    it->Seek(LevelKey(kBlock, group.first_key));
    uint64_t first_half = 0;
    while (first_half < group.rows / 2) {
      first_half += TakeRows(it->value());
      it->Next();
      CHECK(it->Valid());  // a block is small beside half a group
    }
    second = {std::string(it->key().substr(prefix_.size() + 1)), group.rows - first_half};
    group.rows = first_half;
  }
  Put(kGroup, group);
  Put(kGroup, second);
}

void WritableRanked::CountAll() {
  std::vector<std::string> old;
  for (Level level : {kBlock, kGroup}) {
    auto it = NewIterator(level);
    for (it->Seek({}); it->Valid(); it->Next()) old.emplace_back(it->key());
  }
  for (const std::string& key : old) txn_.Delete(family_, key);
  std::vector<Run> blocks = {{}};
  {
    auto it = NewIterator(kRow);
    for (it->Seek({}); it->Valid(); it->Next()) {
      if (blocks.back().rows == kMaxBlock / 2) {
        blocks.push_back({std::string(it->key().substr(prefix_.size() + 1)), 0});
      }
      ++blocks.back().rows;
    }
  }
  Run group;
  for (const Run& block : blocks) {
    if (group.rows >= kMaxGroup / 2) {
      Put(kGroup, group);
      group = {block.first_key, 0};
    }
    group.rows += block.rows;
    Put(kBlock, block);
  }
  Put(kGroup, group);
}

namespace {

struct CountedRun {
  std::string first_key;
  uint64_t rows = 0;
};

// The runs of a level. False: one does not decode.
bool ReadRuns(engine::Iterator* it, size_t head, std::vector<CountedRun>* runs) {
  for (it->Seek({}); it->Valid(); it->Next()) {
    CountedRun run{std::string(it->key().substr(head)), 0};
    std::string_view value = it->value();
    if (!TakeVarint(&value, &run.rows) || !value.empty()) return false;
    runs->push_back(std::move(run));
  }
  return runs->empty() || runs->front().first_key.empty();
}

}  // namespace

Status Ranked::Check(uint64_t* rows) const {
  const size_t head = prefix_.size() + 1;
  std::vector<CountedRun> blocks, groups;
  if (!ReadRuns(NewIterator(kBlock).get(), head, &blocks) ||
      !ReadRuns(NewIterator(kGroup).get(), head, &groups) || blocks.empty() || groups.empty()) {
    return Status::Corruption("counts of rows that do not decode");
  }
  *rows = 0;
  size_t group = 0;
  uint64_t in_group = 0;
  auto it = NewIterator(kRow);
  it->Seek({});
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool last = i + 1 == blocks.size();
    const std::string end = last ? LevelKey(kBlock, {}) : RowKey(blocks[i + 1].first_key);
    uint64_t in_block = 0;
    for (; it->Valid() && it->key() < end; it->Next()) ++in_block;
    if (in_block != blocks[i].rows) {
      return Status::Corruption("a block that counts " + std::to_string(blocks[i].rows) +
                                " rows of " + std::to_string(in_block));
    }
    *rows += in_block;
    in_group += in_block;
    const bool next_group = group + 1 < groups.size() && !last &&
                            blocks[i + 1].first_key == groups[group + 1].first_key;
    if (!next_group && !last) continue;
    if (in_group != groups[group].rows) {
      return Status::Corruption("a group that counts " + std::to_string(groups[group].rows) +
                                " rows of " + std::to_string(in_group));
    }
    in_group = 0;
    ++group;
  }
  if (group != groups.size()) return Status::Corruption("a group that begins where no block does");
  return Status::Ok();
}

}  // namespace metastore::types
