#include "raft/log.h"

#include <algorithm>
#include <utility>

namespace metastore::raft {
namespace {

constexpr size_t kScanBytes = 4 << 20;

}  // namespace

Log::Log(const LogReader* reader, Position start, Index last_index, size_t cache_bytes,
         const std::function<void(const Entry&)>& visit)
    : reader_(reader),
      cache_limit_bytes_(cache_bytes),
      start_(start),
      last_index_(last_index),
      persisted_index_(last_index),
      unwritten_(last_index + 1),
      cache_first_(last_index + 1) {
  CHECK_LE(start.index, last_index);
  ranges_.push_back({start.index, start.term});
  for (Index next = start.index + 1; next <= last_index;) {
    Result<std::vector<Entry>> entries = reader->Read(next, last_index + 1, kScanBytes);
    CHECK_OK(entries.status());
    CHECK(!entries->empty());
    for (const Entry& entry : *entries) {
      CHECK_EQ(entry.index, next);
      CHECK_GE(entry.term, last_term());
      if (entry.term != last_term()) ranges_.push_back({entry.index, entry.term});
      visit(entry);
      ++next;
    }
  }
}

Term Log::TermAt(Index index) const {
  CHECK(Has(index));
  if (index >= ranges_.back().first) return ranges_.back().term;
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), index,
                                [](Index i, const TermRange& range) { return i < range.first; });
  return std::prev(after)->term;
}

Position Log::LastNotAbove(Index index, Term term) const {
  index = std::min(index, last_index_);
  if (index <= start_.index) return start_;
  for (size_t i = ranges_.size(); i-- > 0;) {
    const TermRange& range = ranges_[i];
    if (range.first > index) continue;
    if (range.term <= term) return {range.term, index};
    index = range.first - 1;
  }
  return start_;
}

void Log::Append(Entry entry) {
  CHECK_EQ(entry.index, last_index_ + 1);
  CHECK_GE(entry.term, last_term());
  if (entry.term != last_term()) ranges_.push_back({entry.index, entry.term});
  last_index_ = entry.index;
  cached_bytes_ += entry.Size();
  cache_.push_back(std::move(entry));
  Evict();
}

void Log::Truncate(Index from) {
  CHECK_GT(from, start_.index);
  if (from > last_index_) return;
  if (from <= cache_first_) {
    cache_.clear();
    cached_bytes_ = 0;
    cache_first_ = from;
  } else {
    while (last_index_ >= from) {
      cached_bytes_ -= cache_.back().Size();
      cache_.pop_back();
      --last_index_;
    }
  }
  last_index_ = from - 1;
  while (ranges_.size() > 1 && ranges_.back().first >= from) ranges_.pop_back();
  persisted_index_ = std::min(persisted_index_, last_index_);
  unwritten_ = std::min(unwritten_, from);
  for (Write& write : writes_) write.last = std::min(write.last, last_index_);
}

void Log::Compact(Index index) {
  if (index <= start_.index) return;
  CHECK_LE(index, persisted_index_);
  start_ = {TermAt(index), index};
  size_t kept = 0;
  while (kept + 1 < ranges_.size() && ranges_[kept + 1].first <= index) ++kept;
  ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<ptrdiff_t>(kept));
  ranges_.front().first = index;
  while (!cache_.empty() && cache_first_ <= index) {
    cached_bytes_ -= cache_.front().Size();
    cache_.pop_front();
    ++cache_first_;
  }
  cache_first_ = std::max(cache_first_, index + 1);
}

void Log::Restore(Position snapshot) {
  start_ = snapshot;
  last_index_ = snapshot.index;
  // Nothing above the snapshot exists, and what lies below it is committed: nothing depends on
  // when the snapshot's own write is done.
  persisted_index_ = snapshot.index;
  unwritten_ = snapshot.index + 1;
  cache_.clear();
  cached_bytes_ = 0;
  cache_first_ = snapshot.index + 1;
  ranges_.assign(1, {snapshot.index, snapshot.term});
  for (Write& write : writes_) write.last = 0;
}

Result<std::vector<Entry>> Log::Read(Index from, Index to, size_t max_bytes) const {
  CHECK_LT(from, to);
  CHECK_LE(to, last_index_ + 1);
  if (from <= start_.index) return Status::NotFound();
  std::vector<Entry> entries;
  if (from < cache_first_) return reader_->Read(from, std::min(to, cache_first_), max_bytes);
  size_t begin = from - cache_first_;
  size_t end = to - cache_first_;
  size_t bytes = 0;
  size_t n = begin;
  while (n < end && (n == begin || bytes + cache_[n].Size() <= max_bytes)) {
    bytes += cache_[n].Size();
    ++n;
  }
  entries.reserve(n - begin);
  for (size_t i = begin; i < n; ++i) entries.push_back(cache_[i]);
  return entries;
}

std::vector<Entry> Log::TakeUnwritten(uint64_t number) {
  std::vector<Entry> entries;
  if (HasUnwritten()) {
    CHECK_GE(unwritten_, cache_first_);
    entries.reserve(last_index_ + 1 - unwritten_);
    for (Index i = unwritten_; i <= last_index_; ++i) entries.push_back(cache_[i - cache_first_]);
  }
  unwritten_ = last_index_ + 1;
  writes_.push_back({number, last_index_});
  return entries;
}

void Log::OnPersisted(uint64_t number) {
  while (!writes_.empty() && writes_.front().number <= number) {
    persisted_index_ = std::max(persisted_index_, writes_.front().last);
    writes_.pop_front();
  }
  CHECK_LE(persisted_index_, last_index_);
  Evict();
}

void Log::Evict() {
  while (cached_bytes_ > cache_limit_bytes_ && cache_first_ <= persisted_index_ &&
         !cache_.empty()) {
    cached_bytes_ -= cache_.front().Size();
    cache_.pop_front();
    ++cache_first_;
  }
}

}  // namespace metastore::raft
