// The log as the Raft core sees it: a bounded cache of recent entries in memory in front of the
// durable log, and where the tail stands on its way to the disk.
//
// Terms never need the disk: they are kept as ranges, one for each change of term. Entries that are
// not yet durable are always in memory; the reader is asked only for durable ones.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "raft/node.h"
#include "raft/types.h"

namespace metastore::raft {

class Log {
 public:
  // Reads the whole durable log once, for its terms, and shows each entry to `visit`.
  Log(const LogReader* reader, Position start, Index last_index, size_t cache_bytes,
      const std::function<void(const Entry&)>& visit);

  // The entry before the first one kept.
  Position start() const { return start_; }
  Index first_index() const { return start_.index + 1; }
  Index last_index() const { return last_index_; }
  Term last_term() const { return ranges_.back().term; }
  // Entries up to here are on disk. It can fall when the tail is replaced.
  Index persisted_index() const { return persisted_index_; }
  size_t cached_bytes() const { return cached_bytes_; }

  bool Has(Index index) const { return index >= start_.index && index <= last_index_; }
  // Has(index).
  Term TermAt(Index index) const;
  bool Matches(Position p) const { return Has(p.index) && TermAt(p.index) == p.term; }
  // Is a log that ends at `p` at least as complete as this one (Raft 5.4.1)?
  bool IsUpToDate(Position p) const {
    return p.term > last_term() || (p.term == last_term() && p.index >= last_index_);
  }
  // The last position at or before `index` whose term is not above `term`: the last entry that
  // could be in a log that has `term` at `index`. Not below start().
  Position LastNotAbove(Index index, Term term) const;

  // `entry` follows the last one.
  void Append(Entry entry);
  // Drops every entry from `from` on. first_index() <= from.
  void Truncate(Index from);
  // The durable log no longer has the entries up to `index`. index <= persisted_index().
  void Compact(Index index);
  // Restarts empty after a snapshot. The snapshot itself is on its way to disk as a write of its
  // own.
  void Restore(Position snapshot);

  // Entries [from, to), at least one, as many as fit in max_bytes. kNotFound when cut.
  Result<std::vector<Entry>> Read(Index from, Index to, size_t max_bytes) const;

  // The tail that no write has taken yet.
  bool HasUnwritten() const { return unwritten_ <= last_index_; }
  // Hands that tail to the write `number`; it may be empty.
  std::vector<Entry> TakeUnwritten(uint64_t number);
  // The writes up to `number` are on disk.
  void OnPersisted(uint64_t number);

 private:
  struct TermRange {
    Index first;
    Term term;
  };
  // A write under way: `last` falls when a later write replaces part of it, so that the completion
  // of an old write never counts for the entries of a newer one at the same indexes.
  struct Write {
    uint64_t number;
    Index last;
  };

  void Evict();

  const LogReader* reader_;
  const size_t cache_limit_bytes_;
  Position start_;
  Index last_index_;
  Index persisted_index_;
  Index unwritten_;                // the first index no write has taken
  std::vector<TermRange> ranges_;  // never empty; the first begins at start_.index
  std::deque<Entry> cache_;        // the entries [cache_first_, last_index_]
  Index cache_first_;
  size_t cached_bytes_ = 0;
  std::deque<Write> writes_;
};

}  // namespace metastore::raft
