// Sorted sets: members with scores, in the order of (score, member); members of one score stand in
// the order of their bytes.
//
//   element     := member -> score:be64                   IEEE 754         (types/elements.h)
//   place       := Family::kIndex  order:be64 member -> sign               (types/ranked.h)
//   order       := the score's bits: below 0 all of them flipped, else the highest one; that of -0
//                  is that of 0
//   sign        := '-' where the score is -0, else nothing
//   spread rest := erased:varint low:bytes high:bytes
//   erased      := places that were erased since those that are there were written
//   low, high   := the first and the last place, at most 128 bytes of each
//
// A packed sorted set keeps its elements in their order. A spread one has them by name, and a place
// for each beside them, whose counts give ranks without a walk. Erased rows stand in the way of
// whoever walks over what is left until they are compacted: therefore the ends are known, as a
// queue has all its erased places beyond one of them, and a sorted set of which little is left is
// written anew.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "types/elements.h"
#include "types/encoding.h"
#include "types/ranked.h"

namespace metastore::types {

struct ScoredMember {
  std::string member;
  double score = 0;
  friend bool operator==(const ScoredMember&, const ScoredMember&) = default;
};

// False stops the walk. The bytes live as long as the call.
using VisitScored = std::function<bool(std::string_view member, double score)>;

// Ranks from 0 in ascending order: first, ..., end - 1.
struct RankRange {
  uint64_t first = 0;
  uint64_t end = UINT64_MAX;
};
struct ScoreRange {
  double min = 0;
  double max = 0;
  bool min_open = false;
  bool max_open = false;
};
// A place in the order of bytes. What a range of them means where the scores differ is not
// specified, as in Redis.
struct LexBound {
  enum class Kind : uint8_t { kLowest, kMember, kHighest };
  Kind kind = Kind::kMember;
  bool open = false;
  std::string_view member = {};
};
struct LexRange {
  LexBound min;
  LexBound max;
};
using SortedSetRange = std::variant<RankRange, ScoreRange, LexRange>;

enum class Direction : uint8_t { kForward, kBackward };

// The reading side.
class SortedSet {
 public:
  // kNotFound, kWrongType.
  static Result<SortedSet> Find(const engine::View& view, int db, std::string_view key);

  uint64_t size() const { return header_.count; }
  const CollectionHeader& header() const { return header_; }
  std::optional<double> Score(std::string_view member) const;
  // In ascending order.
  std::optional<uint64_t> Rank(std::string_view member) const;

  // How many are in the range, without a walk over them.
  uint64_t Count(const SortedSetRange& range) const;
  // The members in the range, the first `skip` of them left out without a walk over them.
  void Walk(const SortedSetRange& range, Direction direction, uint64_t skip,
            const VisitScored& visit) const;
  void ForEach(const VisitScored& visit) const { Walk(RankRange(), Direction::kForward, 0, visit); }

  // SCAN's contract (keyspace.h, Scan).
  uint64_t Scan(uint64_t cursor, uint64_t limit, const VisitScored& visit) const;
  // To merge it with others: values are for ScoreOf. The set must outlive the cursor.
  ElementCursor Cursor() const { return ElementCursor(elements()); }
  static double ScoreOf(std::string_view value);

  // ZRANDMEMBER's draws: `count` different ones, or all of them in descending order; `count` draws
  // of which each may be any.
  void PickDistinct(uint64_t count, Random random, const VisitScored& visit) const;
  void PickAny(uint64_t count, Random random, const VisitScored& visit) const;

 private:
  // Places of a spread set from `low` on, before `end`.
  struct Bounds {
    std::string low;
    std::optional<std::string> end;
  };
  SortedSet(const engine::View& view, Record record);
  Elements elements() const { return Elements(*view_, header_, rest()); }
  Ranked places() const;
  std::string_view rest() const;
  std::vector<Element> Packed() const;
  Bounds BoundsOf(const SortedSetRange& range) const;
  RankRange RanksOf(const SortedSetRange& range, Direction direction) const;
  void WalkRanks(const RankRange& ranks, Direction direction, const VisitScored& visit) const;
  void WalkBounds(const Bounds& bounds, Direction direction, const VisitScored& visit) const;
  void VisitRanks(const std::vector<uint64_t>& ranks, const VisitScored& visit) const;

  friend uint64_t RemoveRange(engine::Txn& txn, int db, std::string_view key,
                              const SortedSetRange& range);

  const engine::View* view_;
  Record record_;
  CollectionHeader header_;
  size_t rest_bytes_;
};

// "listpack" or "skiplist", as Redis would hold it under these limits.
std::string_view SortedSetEncoding(const CollectionHeader& header, const EncodingLimits& limits);

// The writing side. Members that are set must live until Save.
class WritableSortedSet {
 public:
  // kWrongType. An absent key is an empty sorted set.
  static Result<WritableSortedSet> Open(engine::Txn& txn, int db, std::string_view key);

  uint64_t size() const { return elements_.count(); }
  std::optional<double> Score(std::string_view member) const;

  enum class Change : uint8_t { kNone, kAdded, kChanged };
  // The score is a number. One that is equal stays as it is, be it another zero.
  Change Set(std::string_view member, double score);
  bool Remove(std::string_view member);
  // Nothing need be saved where nothing changed.
  void Save();

 private:
  friend void StoreSortedSet(engine::Txn& txn, int db, std::string_view key,
                             std::vector<ScoredMember> members);
  friend uint64_t RemoveRange(engine::Txn& txn, int db, std::string_view key,
                              const SortedSetRange& range);
  explicit WritableSortedSet(WritableElements elements);
  CollectionHeader& header() { return elements_.collection().header(); }
  const CollectionHeader& header() const { return elements_.collection().header(); }
  engine::Txn& txn() const { return elements_.collection().txn(); }
  WritableRanked places() const;
  void InsertPacked(size_t position, std::string_view member, double score);
  void Include(std::string_view place);
  void ForgetPlace(std::string_view place);
  void ErasePacked(std::span<const ScoredMember> members);
  void EraseRun(std::span<const ScoredMember> members);
  // Instead of all that is there. Sorted; it must live until Save.
  void Rewrite(std::span<const ScoredMember> members);
  std::vector<ScoredMember> All() const;

  WritableElements elements_;
  std::deque<std::array<char, 8>> scores_;  // bytes of packed values until Save
  std::vector<ScoredMember> renewed_;       // and of members
  // Of a spread set, as in its record; narrowed by Save where an end was erased.
  uint64_t erased_ = 0;
  std::string low_, high_;
  bool low_erased_ = false, high_erased_ = false;
};

// Instead of whatever the key holds, an expiry included; no members leave no key. They come in any
// order, each once.
void StoreSortedSet(engine::Txn& txn, int db, std::string_view key,
                    std::vector<ScoredMember> members);
// What Redis keeps of them where it stores one after the other, not knowing how many will come: it
// begins with its compact form, which has no -0.
void DropFirstSigns(std::vector<ScoredMember>* members);

// Removes what is in the range and returns how many that were. The key must hold a sorted set.
uint64_t RemoveRange(engine::Txn& txn, int db, std::string_view key, const SortedSetRange& range);

// Removes `count` members, or all, from the low end upwards or from the high end downwards. The key
// must hold a sorted set.
std::vector<ScoredMember> PopMembers(engine::Txn& txn, int db, std::string_view key,
                                     Direction direction, uint64_t count);

// For the offline check.
Status CheckSortedSet(const engine::View& view, const CollectionHeader& collection,
                      std::string_view rest);

// (score, member), as everything here is sorted.
bool StandsBefore(const ScoredMember& a, const ScoredMember& b);

}  // namespace metastore::types
