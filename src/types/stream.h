// Streams: entries in the order of their ids, and consumer groups, each with its place in the
// stream and its pending entries (PEL): those delivered to a consumer and not acknowledged.
//
//   rest         := last:id first:id max_deleted:id entries_added:varint groups:varint
//                   next_group:varint [packed_entry ...]
//   id           := ms:varint seq:varint
//   packed_entry := (ms − first.ms):varint seq:varint (field ...):bytes     while packed
//   field        := name:bytes value:bytes
//
// The first group spreads a stream, whatever its size: packed streams have none. Rows below
// ElementPrefix(Family::kData, id), numbers in keys big-endian, 64 bits each:
//   'e' ms seq                     → field ...
//   'g' group_name                 → number:varint last:id entries_read:varint pending:varint
//                                    consumers:varint next_consumer:varint
//   'n' group consumer_name        → consumer:varint
//   'c' group consumer             → seen_ms:varint pending:varint consumer_name
//   'p' group ms seq               → consumer:varint delivered_ms:varint deliveries:varint
//   'q' group consumer ms seq      → (empty)             the same pending entries by consumer
//
// entries_read is stored as 0 where unknown, else one more. A group or a consumer has a number that
// nothing else in its stream or group ever had, so rows stay short whatever the names. A group
// that is destroyed deletes its rows at once, as many as it has pending entries: names are used
// again.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "types/collection.h"

namespace metastore::types {

struct StreamId {
  uint64_t ms = 0;
  uint64_t seq = 0;
  friend auto operator<=>(const StreamId&, const StreamId&) = default;

  // False, and unchanged, where there is no next or previous one.
  bool Increment();
  bool Decrement();
  std::string ToString() const;  // "ms-seq"
};
inline constexpr StreamId kMinStreamId{};
inline constexpr StreamId kMaxStreamId{UINT64_MAX, UINT64_MAX};

// Longest sum of the fields and values of an entry, as in Redis.
inline constexpr uint64_t kMaxStreamEntryBytes = uint64_t{1} << 30;

// What a stream knows of itself without reading entries.
struct StreamHeader {
  StreamId last_id;         // the highest ever used or set
  StreamId first_id;        // of the first entry that is there; 0-0 when there is none
  StreamId max_deleted_id;  // the highest that was erased; trimming does not count
  uint64_t entries_added = 0;
  uint64_t groups = 0;
  uint64_t next_group = 1;
};

inline constexpr int64_t kUnknownEntriesRead = -1;

struct StreamGroup {
  uint64_t number = 0;
  StreamId last_id;                            // the last one delivered
  int64_t entries_read = kUnknownEntriesRead;  // of all ever added, those up to last_id
  uint64_t pending = 0;
  uint64_t consumers = 0;
  uint64_t next_consumer = 1;
};

struct StreamConsumer {
  uint64_t number = 0;
  std::string name;
  int64_t seen_ms = 0;
  uint64_t pending = 0;
};

struct PendingEntry {
  uint64_t consumer = 0;
  int64_t delivered_ms = 0;
  uint64_t deliveries = 0;
};

// Fields and their values in turn. The bytes live as long as the call. False stops a walk.
using StreamFields = std::span<const std::string_view>;
using VisitStreamEntry = std::function<bool(StreamId id, StreamFields fields)>;
using VisitStreamGroup = std::function<bool(std::string_view name, const StreamGroup& group)>;
using VisitStreamConsumer = std::function<bool(const StreamConsumer& consumer)>;
using VisitPending = std::function<bool(StreamId id, const PendingEntry& pending)>;

// The reading side.
class Stream {
 public:
  // kNotFound, kWrongType.
  static Result<Stream> Find(const engine::View& view, int db, std::string_view key);

  uint64_t size() const { return header_.count; }
  const StreamHeader& info() const { return info_; }
  const CollectionHeader& header() const { return header_; }

  // Entries from `first` to `last`, both included.
  void ForEach(StreamId first, StreamId last, const VisitStreamEntry& visit) const;
  void ForEachReverse(StreamId first, StreamId last, const VisitStreamEntry& visit) const;
  // False when there is none with that id; then `visit` is not called.
  bool Get(StreamId id, const VisitStreamEntry& visit) const;
  bool Contains(StreamId id) const;
  // Whether there is an entry above that id.
  bool HasAfter(StreamId id) const;
  // 0-0 when there is none.
  StreamId LastEntry() const;

  // How many entries were added up to that id, those that are gone included; none: unknown.
  std::optional<int64_t> EntriesUpTo(StreamId id) const;
  // How many entries a group has not read yet; none: unknown.
  std::optional<int64_t> Lag(const StreamGroup& group) const;
  // Whether an entry from `from` on was erased: counting entries to there proves nothing.
  bool HasErasedFrom(StreamId from) const;

  // Groups and consumers come in the order of their names.
  std::optional<StreamGroup> FindGroup(std::string_view name) const;
  void ForEachGroup(const VisitStreamGroup& visit) const;
  std::optional<StreamConsumer> FindConsumer(const StreamGroup& group, std::string_view name) const;
  // The consumer must be there.
  StreamConsumer GetConsumer(const StreamGroup& group, uint64_t number) const;
  void ForEachConsumer(const StreamGroup& group, const VisitStreamConsumer& visit) const;

  std::optional<PendingEntry> FindPending(const StreamGroup& group, StreamId id) const;
  void ForEachPending(const StreamGroup& group, StreamId first, StreamId last,
                      const VisitPending& visit) const;
  // Those of one consumer.
  void ForEachPendingOf(const StreamGroup& group, uint64_t consumer, StreamId first, StreamId last,
                        const VisitPending& visit) const;
  // The highest pending id; 0-0 when there is none.
  StreamId LastPending(const StreamGroup& group) const;

 protected:
  explicit Stream(const engine::View& view) : view_(&view) {}
  void Load(const CollectionHeader& header, std::string_view rest);

  std::string EntryKey(StreamId id) const;
  std::string GroupKey(std::string_view name) const;
  std::string ConsumerNameKey(uint64_t group, std::string_view name) const;
  std::string ConsumerKey(uint64_t group, uint64_t consumer) const;
  std::string PendingKey(uint64_t group, StreamId id) const;
  std::string PendingOfKey(uint64_t group, uint64_t consumer, StreamId id) const;

  const engine::View* view_;
  CollectionHeader header_;
  StreamHeader info_;
  std::string packed_;  // the entries, while packed
};

class WritableGroup;

// The writing side. It reads what it has written. No walk of it may be under way when it writes.
class WritableStream : public Stream {
 public:
  // kWrongType. An absent key is an empty stream.
  static Result<WritableStream> Open(engine::Txn& txn, int db, std::string_view key);

  bool existed() const { return collection_.existed(); }

  // The id must be above last_id. Counts as added.
  void Append(StreamId id, StreamFields fields);
  // False when it is not there. Raises max_deleted_id.
  bool Erase(StreamId id);
  // Remove the oldest entries until `length` are left, or none is below `id`, but not more than
  // `limit`. They return how many they removed.
  uint64_t TrimToLength(uint64_t length, uint64_t limit);
  uint64_t TrimBelow(StreamId id, uint64_t limit);

  // Replace what XSETID and RESTORE set. last_id must not be below an entry that is there.
  void set_last_id(StreamId id) { info_.last_id = id; }
  void set_max_deleted_id(StreamId id) { info_.max_deleted_id = id; }
  void set_entries_added(uint64_t entries) { info_.entries_added = entries; }

  // Nothing when the name is taken.
  bool CreateGroup(std::string_view name, StreamId last_id, int64_t entries_read);
  // False when there is none.
  bool DestroyGroup(std::string_view name);

  // Writes the record. Once, at the end, and only after a call of the above: what is written to a
  // group needs none, and is no change of the key that WATCH would see, as in Redis.
  void Save();

 private:
  friend class WritableGroup;
  explicit WritableStream(WritableCollection collection)
      : Stream(collection.txn()), collection_(std::move(collection)) {}

  engine::Txn& txn() { return collection_.txn(); }
  void Spread();
  // Removes the first entries of those that `take` wants, in order, while it wants them.
  uint64_t TrimWhile(uint64_t most, const std::function<bool(StreamId id)>& take);
  void Repack(const std::function<bool(StreamId id)>& keep);

  WritableCollection collection_;
};

// A group open for writing. Only one may be open on a group at a time, and its stream must outlive
// it. What it writes to pending entries is seen by the stream's walks at once, the rest after Save.
class WritableGroup {
 public:
  // None when there is no such group.
  static std::optional<WritableGroup> Open(WritableStream& stream, std::string_view name);

  // Its counters and numbers are kept in step by the functions below.
  StreamGroup& state() { return state_; }
  const StreamGroup& state() const { return state_; }

  std::optional<uint64_t> FindConsumer(std::string_view name);
  // The name must be new.
  uint64_t CreateConsumer(std::string_view name, int64_t seen_ms);
  // The same, or the one that is there, which is seen now.
  uint64_t TouchConsumer(std::string_view name, int64_t now_ms);
  // Must be there. The time may be changed.
  StreamConsumer& consumer(uint64_t number);
  // With its pending entries, whose number it returns.
  uint64_t DeleteConsumer(uint64_t number);

  std::optional<PendingEntry> FindPending(StreamId id) const;
  // A new pending entry, or another state of one, which may also move to another consumer. `old` is
  // what FindPending says.
  void PutPending(StreamId id, const std::optional<PendingEntry>& old, const PendingEntry& pending);
  // False when it was not pending.
  bool ErasePending(StreamId id);

  // Moves the group on to an entry that it reads now, and counts it. Nothing for one that it has
  // read before.
  void Advance(StreamId id);

  // Once, at the end.
  void Save();

 private:
  WritableGroup(WritableStream& stream, std::string_view name, const StreamGroup& state)
      : stream_(stream), name_(name), state_(state) {}

  WritableStream& stream_;
  std::string name_;
  StreamGroup state_;
  std::map<uint64_t, StreamConsumer> consumers_;  // those that were looked at
};

// For the offline check: whether a stream's entries, groups and pending entries are whole and fit
// to its record, of which `header` and `rest` are the payload. kCorruption says what is wrong.
Status CheckStream(const engine::View& view, const CollectionHeader& header, std::string_view rest);

}  // namespace metastore::types
