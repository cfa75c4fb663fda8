#include "types/sorted_set.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/coding.h"

namespace metastore::types {

using engine::Family;

namespace {

constexpr size_t kScoreBytes = 8;
constexpr char kMinusZero = '-';
constexpr size_t kFenceBytes = 128;

// A spread sorted set is written anew when so many times its places were erased, and it is small
// enough for that to be done in one entry; and when one command takes so many times what it leaves.
constexpr uint64_t kRenewErased = 4;
constexpr uint64_t kMaxRenewed = 16384;

// How many draws are gathered to be answered by one walk.
constexpr uint64_t kDrawsAtOnce = 16384;

// As types/elements.cc counts a packed element.
constexpr uint64_t PackedBytes(size_t member_bytes) { return member_bytes + kScoreBytes + 2; }

// Redis's compact form, under its default limits, does not keep the sign of a zero, and what a
// write leaves must not depend on a node's configuration.
constexpr EncodingLimits kRedisLimits;

uint64_t OrderOf(double score) {
  const uint64_t bits = std::bit_cast<uint64_t>(score + 0.0);  // -0 + 0 is 0
  return (bits >> 63) != 0 ? ~bits : bits | uint64_t{1} << 63;
}

double ScoreOfOrder(uint64_t order) {
  return std::bit_cast<double>((order >> 63) != 0 ? order & ~(uint64_t{1} << 63) : ~order);
}

std::array<char, kScoreBytes> ValueOf(double score) {
  std::array<char, kScoreBytes> value;
  const uint64_t bits = __builtin_bswap64(std::bit_cast<uint64_t>(score));
  std::memcpy(value.data(), &bits, sizeof bits);
  return value;
}

std::string PlaceOf(std::string_view member, double score) {
  std::string place;
  place.reserve(kScoreBytes + member.size());
  PutBig64(&place, OrderOf(score));
  place.append(member);
  return place;
}

std::string_view SignOf(double score) {
  return score == 0 && std::signbit(score) ? std::string_view(&kMinusZero, 1) : std::string_view();
}

std::string_view MemberOf(std::string_view place) {
  CHECK_GE(place.size(), kScoreBytes);
  return place.substr(kScoreBytes);
}

double ScoreAt(const Ranked::Cursor& cursor) {
  if (!cursor.value().empty()) return -0.0;
  return ScoreOfOrder(ReadBig64(cursor.key().data()));
}

bool Show(const Ranked::Cursor& cursor, const VisitScored& visit) {
  return visit(MemberOf(cursor.key()), ScoreAt(cursor));
}

std::string_view Fence(std::string_view place) { return place.substr(0, kFenceBytes); }

struct SpreadRest {
  uint64_t erased = 0;
  std::string_view low, high;
};

std::optional<SpreadRest> ParseSpreadRest(std::string_view rest) {
  SpreadRest parsed;
  if (!TakeVarint(&rest, &parsed.erased) || !TakeBytes(&rest, &parsed.low) ||
      !TakeBytes(&rest, &parsed.high) || !rest.empty()) {
    return std::nullopt;
  }
  return parsed;
}

SpreadRest TakeSpreadRest(std::string_view rest) {
  std::optional<SpreadRest> parsed = ParseSpreadRest(rest);
  CHECK_MSG(parsed.has_value(), "a sorted set's record is damaged");
  return *parsed;
}

bool StandsBefore(double score, std::string_view member, double other_score,
                  std::string_view other) {
  return score < other_score || (score == other_score && member < other);
}

// --- ranges ------------------------------------------------------------------------------------

// Scores whose order is first, ..., end - 1.
uint64_t FirstOrder(const ScoreRange& range) {
  return OrderOf(range.min) + (range.min_open ? 1 : 0);
}
uint64_t EndOrder(const ScoreRange& range) { return OrderOf(range.max) + (range.max_open ? 0 : 1); }

bool IsEmpty(const LexRange& range) {
  if (range.min.kind == LexBound::Kind::kHighest || range.max.kind == LexBound::Kind::kLowest) {
    return true;
  }
  if (range.min.kind != LexBound::Kind::kMember || range.max.kind != LexBound::Kind::kMember) {
    return false;
  }
  if (range.min.member == range.max.member) return range.min.open || range.max.open;
  return range.min.member > range.max.member;
}

bool IsAbove(std::string_view member, const LexBound& min) {
  if (min.kind != LexBound::Kind::kMember) return min.kind == LexBound::Kind::kLowest;
  return min.open ? member > min.member : member >= min.member;
}

bool IsBelow(std::string_view member, const LexBound& max) {
  if (max.kind != LexBound::Kind::kMember) return max.kind == LexBound::Kind::kHighest;
  return max.open ? member < max.member : member <= max.member;
}

RankRange PackedRanks(const std::vector<Element>& packed, const RankRange& range) {
  const uint64_t end = std::min<uint64_t>(range.end, packed.size());
  return {std::min(range.first, end), end};
}

RankRange PackedRanks(const std::vector<Element>& packed, const ScoreRange& range) {
  RankRange ranks{0, 0};
  for (const Element& element : packed) {
    const uint64_t order = OrderOf(SortedSet::ScoreOf(element.value));
    if (order < FirstOrder(range)) ++ranks.first;
    if (order < EndOrder(range)) ++ranks.end;
  }
  ranks.end = std::max(ranks.first, ranks.end);
  return ranks;
}

// Where the scores differ this is what Redis's compact form gives: it looks for the end from which
// it walks, and walks to the first member that is beyond the other.
RankRange PackedRanks(const std::vector<Element>& packed, const LexRange& range,
                      Direction direction) {
  constexpr RankRange kNone{0, 0};
  if (packed.empty() || IsEmpty(range) || !IsAbove(packed.back().name, range.min) ||
      !IsBelow(packed.front().name, range.max)) {
    return kNone;
  }
  const auto above = [&](uint64_t i) { return IsAbove(packed[i].name, range.min); };
  const auto below = [&](uint64_t i) { return IsBelow(packed[i].name, range.max); };
  RankRange ranks{0, packed.size()};
  if (direction == Direction::kForward) {
    while (!above(ranks.first)) ++ranks.first;  // the last one is
    for (ranks.end = ranks.first; ranks.end < packed.size() && below(ranks.end);) ++ranks.end;
  } else {
    while (!below(ranks.end - 1)) --ranks.end;  // the first one is
    for (ranks.first = ranks.end; ranks.first > 0 && above(ranks.first - 1);) --ranks.first;
  }
  return ranks;
}

}  // namespace

bool StandsBefore(const ScoredMember& a, const ScoredMember& b) {
  return StandsBefore(a.score, a.member, b.score, b.member);
}

std::string_view SortedSetEncoding(const CollectionHeader& header, const EncodingLimits& limits) {
  return header.peak_count <= limits.zset_max_listpack_entries &&
                 header.peak_bytes <= limits.zset_max_listpack_value
             ? "listpack"
             : "skiplist";
}

// --- the reading side --------------------------------------------------------------------------

SortedSet::SortedSet(const engine::View& view, Record record)
    : view_(&view), record_(std::move(record)) {
  std::string_view rest = record_.payload();
  header_ = CollectionHeader::Take(&rest);
  rest_bytes_ = rest.size();
}

std::string_view SortedSet::rest() const {
  const std::string_view payload = record_.payload();
  return payload.substr(payload.size() - rest_bytes_);
}

Result<SortedSet> SortedSet::Find(const engine::View& view, int db, std::string_view key) {
  Result<Record> record = FindCollection(view, db, key, Type::kZset);
  if (!record.ok()) return record.status();
  return SortedSet(view, std::move(*record));
}

double SortedSet::ScoreOf(std::string_view value) {
  CHECK_EQ(value.size(), kScoreBytes);
  return std::bit_cast<double>(ReadBig64(value.data()));
}

Ranked SortedSet::places() const {
  const SpreadRest rest = TakeSpreadRest(this->rest());
  return Ranked(*view_, Family::kIndex, header_.id, rest.low, rest.high);
}

std::vector<Element> SortedSet::Packed() const {
  std::vector<Element> packed;
  packed.reserve(header_.count);
  elements().ForEach([&](std::string_view name, std::string_view value) {
    packed.push_back({name, value});
    return true;
  });
  return packed;
}

std::optional<double> SortedSet::Score(std::string_view member) const {
  std::string value;
  if (!elements().Get(member, &value)) return std::nullopt;
  return ScoreOf(value);
}

std::optional<uint64_t> SortedSet::Rank(std::string_view member) const {
  if (header_.spread()) {
    const std::optional<double> score = Score(member);
    if (!score) return std::nullopt;
    return places().Rank(PlaceOf(member, *score));
  }
  uint64_t rank = 0;
  bool found = false;
  elements().ForEach([&](std::string_view name, std::string_view) {
    found = name == member;
    if (!found) ++rank;
    return !found;
  });
  if (!found) return std::nullopt;
  return rank;
}

SortedSet::Bounds SortedSet::BoundsOf(const SortedSetRange& range) const {
  Bounds bounds;
  if (const auto* scores = std::get_if<ScoreRange>(&range)) {
    PutBig64(&bounds.low, FirstOrder(*scores));
    PutBig64(&bounds.end.emplace(), EndOrder(*scores));
    return bounds;
  }
  const LexRange& lex = std::get<LexRange>(range);
  if (IsEmpty(lex)) {
    bounds.end.emplace();
    return bounds;
  }
  // Where the scores differ, as if all were the first one's.
  const Ranked::Cursor first = places().First();
  CHECK(first.Valid());
  const std::string score(first.key().substr(0, kScoreBytes));
  if (lex.min.kind == LexBound::Kind::kMember) {
    bounds.low.append(score).append(lex.min.member);
    if (lex.min.open) bounds.low.push_back('\0');
  }
  if (lex.max.kind == LexBound::Kind::kMember) {
    bounds.end = score;
    bounds.end->append(lex.max.member);
    if (!lex.max.open) bounds.end->push_back('\0');
  }
  return bounds;
}

RankRange SortedSet::RanksOf(const SortedSetRange& range, Direction direction) const {
  if (!header_.spread()) {
    const std::vector<Element> packed = Packed();
    if (const auto* ranks = std::get_if<RankRange>(&range)) return PackedRanks(packed, *ranks);
    if (const auto* scores = std::get_if<ScoreRange>(&range)) return PackedRanks(packed, *scores);
    return PackedRanks(packed, std::get<LexRange>(range), direction);
  }
  if (const auto* ranks = std::get_if<RankRange>(&range)) {
    const uint64_t end = std::min(ranks->end, header_.count);
    return {std::min(ranks->first, end), end};
  }
  const Bounds bounds = BoundsOf(range);
  if (bounds.end && *bounds.end <= bounds.low) return {0, 0};
  const Ranked ranked = places();
  return {ranked.Rank(bounds.low), bounds.end ? ranked.Rank(*bounds.end) : header_.count};
}

uint64_t SortedSet::Count(const SortedSetRange& range) const {
  const RankRange ranks = RanksOf(range, Direction::kForward);
  return ranks.end - ranks.first;
}

void SortedSet::Walk(const SortedSetRange& range, Direction direction, uint64_t skip,
                     const VisitScored& visit) const {
  if (header_.spread() && skip == 0 && !std::holds_alternative<RankRange>(range)) {
    return WalkBounds(BoundsOf(range), direction, visit);
  }
  RankRange ranks = RanksOf(range, direction);
  if (skip >= ranks.end - ranks.first) return;
  if (direction == Direction::kForward) {
    ranks.first += skip;
  } else {
    ranks.end -= skip;
  }
  WalkRanks(ranks, direction, visit);
}

void SortedSet::WalkBounds(const Bounds& bounds, Direction direction,
                           const VisitScored& visit) const {
  if (bounds.end && *bounds.end <= bounds.low) return;
  const Ranked ranked = places();
  if (direction == Direction::kForward) {
    for (Ranked::Cursor cursor = ranked.LowerBound(bounds.low); cursor.Valid(); cursor.Next()) {
      if (bounds.end && cursor.key() >= *bounds.end) return;
      if (!Show(cursor, visit)) return;
    }
    return;
  }
  Ranked::Cursor cursor = bounds.end ? ranked.Before(*bounds.end) : ranked.Last();
  for (; cursor.Valid() && cursor.key() >= bounds.low; cursor.Prev()) {
    if (!Show(cursor, visit)) return;
  }
}

// The ranks are within the set.
void SortedSet::WalkRanks(const RankRange& ranks, Direction direction,
                          const VisitScored& visit) const {
  const bool forward = direction == Direction::kForward;
  if (ranks.first == ranks.end) return;
  if (!header_.spread()) {
    const std::vector<Element> packed = Packed();
    for (uint64_t i = ranks.first; i < ranks.end; ++i) {
      const Element& element = packed[forward ? i : ranks.end - 1 - (i - ranks.first)];
      if (!visit(element.name, ScoreOf(element.value))) return;
    }
    return;
  }
  const Ranked ranked = places();
  Ranked::Cursor cursor = forward && ranks.first == 0 ? ranked.First()
                          : !forward && ranks.end == header_.count
                              ? ranked.Last()
                              : ranked.At(forward ? ranks.first : ranks.end - 1);
  for (uint64_t left = ranks.end - ranks.first;; forward ? cursor.Next() : cursor.Prev()) {
    CHECK_MSG(cursor.Valid(), "a sorted set has fewer members than it counts");
    if (!Show(cursor, visit) || --left == 0) return;
  }
}

uint64_t SortedSet::Scan(uint64_t cursor, uint64_t limit, const VisitScored& visit) const {
  return elements().Scan(cursor, limit, [&](std::string_view name, std::string_view value) {
    return visit(name, ScoreOf(value));
  });
}

// Ascending, each within the set.
void SortedSet::VisitRanks(const std::vector<uint64_t>& ranks, const VisitScored& visit) const {
  if (ranks.empty()) return;
  const Ranked ranked = places();
  uint64_t at = ranks.front();
  Ranked::Cursor cursor = ranked.At(at);
  for (uint64_t rank : ranks) {
    if (rank - at > kDrawRows) {
      cursor = ranked.At(rank);
      at = rank;
    }
    for (; at < rank; ++at) cursor.Next();
    CHECK_MSG(cursor.Valid(), "a sorted set has fewer members than it counts");
    if (!Show(cursor, visit)) return;
  }
}

void SortedSet::PickDistinct(uint64_t count, Random random, const VisitScored& visit) const {
  const uint64_t size = header_.count;
  if (count >= size) return Walk(RankRange(), Direction::kBackward, 0, visit);
  if (header_.spread() && count <= size / kDrawRows) {
    return VisitRanks(RandomSubset(size, count, random), visit);
  }
  // Each is taken as likely as it must be for the rest to come out even (Knuth's Algorithm S).
  uint64_t left = size;
  ForEach([&](std::string_view member, double score) {
    if (count == 0) return false;
    if (random.Uniform(left--) >= count) return true;
    --count;
    return visit(member, score);
  });
}

void SortedSet::PickAny(uint64_t count, Random random, const VisitScored& visit) const {
  const uint64_t size = header_.count;
  if (!header_.spread()) {
    const std::vector<Element> packed = Packed();
    for (; count > 0; --count) {
      const Element& element = packed[random.Uniform(size)];
      if (!visit(element.name, ScoreOf(element.value))) return;
    }
    return;
  }
  bool go_on = true;
  while (go_on && count > 0) {
    std::vector<uint64_t> drawn(std::min(count, kDrawsAtOnce));
    for (uint64_t& rank : drawn) rank = random.Uniform(size);
    count -= drawn.size();
    std::vector<uint64_t> ranks = drawn;
    std::sort(ranks.begin(), ranks.end());
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    std::vector<ScoredMember> found;
    found.reserve(ranks.size());
    VisitRanks(ranks, [&](std::string_view member, double score) {
      found.push_back({std::string(member), score});
      return true;
    });
    for (size_t i = 0; i < drawn.size() && go_on; ++i) {
      const auto at = std::lower_bound(ranks.begin(), ranks.end(), drawn[i]) - ranks.begin();
      const ScoredMember& one = found[static_cast<size_t>(at)];
      go_on = visit(one.member, one.score);
    }
  }
}

// --- the writing side --------------------------------------------------------------------------

Result<WritableSortedSet> WritableSortedSet::Open(engine::Txn& txn, int db, std::string_view key) {
  Result<WritableCollection> opened = WritableCollection::Open(txn, db, key, Type::kZset);
  if (!opened.ok()) return opened.status();
  return WritableSortedSet(WritableElements(std::move(*opened)));
}

WritableSortedSet::WritableSortedSet(WritableElements elements) : elements_(std::move(elements)) {
  if (!header().spread()) return;
  const SpreadRest rest = TakeSpreadRest(elements_.collection().rest());
  erased_ = rest.erased;
  low_ = rest.low;
  high_ = rest.high;
}

WritableRanked WritableSortedSet::places() const {
  return WritableRanked(txn(), Family::kIndex, header().id, low_, high_);
}

std::optional<double> WritableSortedSet::Score(std::string_view member) const {
  std::string value;
  if (!elements_.Get(member, &value)) return std::nullopt;
  return SortedSet::ScoreOf(value);
}

WritableSortedSet::Change WritableSortedSet::Set(std::string_view member, double score) {
  CHECK(!std::isnan(score));
  const std::optional<double> old = Score(member);
  if (old && *old == score) return Change::kNone;
  CollectionHeader grown = header();
  if (!old) {
    ++grown.count;
    grown.Grew(member.size());
  }
  if (SortedSetEncoding(grown, kRedisLimits) == "listpack") score += 0.0;
  if (!header().spread()) {
    if (old) CHECK(elements_.Erase(member));
    const std::vector<Element>& packed = elements_.packed();
    const auto place = std::lower_bound(
        packed.begin(), packed.end(), score, [&](const Element& element, double wanted) {
          return StandsBefore(SortedSet::ScoreOf(element.value), element.name, wanted, member);
        });
    InsertPacked(static_cast<size_t>(place - packed.begin()), member, score);
  } else {
    const std::array<char, kScoreBytes> value = ValueOf(score);
    txn().Put(Family::kData, ElementRow(header().id, member),
              std::string(value.data(), value.size()));
    if (old) {
      const std::string place = PlaceOf(member, *old);
      places().Erase(place);
      ForgetPlace(place);
    }
    const std::string place = PlaceOf(member, score);
    Include(place);
    places().Insert(place, SignOf(score));
    header().count = grown.count;
  }
  header().peak_count = grown.peak_count;
  header().peak_bytes = grown.peak_bytes;
  return old ? Change::kChanged : Change::kAdded;
}

// The peaks are the caller's: a score has no part in them.
void WritableSortedSet::InsertPacked(size_t position, std::string_view member, double score) {
  const std::array<char, kScoreBytes>& value = scores_.emplace_back(ValueOf(score));
  elements_.Insert(position, member, {value.data(), value.size()});
  if (!header().spread()) return;
  // It has become too large, and its elements rows: their places follow.
  for (const ScoredMember& one : All()) {
    const std::string place = PlaceOf(one.member, one.score);
    Include(place);
    txn().Put(Family::kIndex, places().RowKey(place), std::string(SignOf(one.score)));
  }
  places().CountAll();
}

void WritableSortedSet::Include(std::string_view place) {
  const std::string_view fence = Fence(place);
  if (low_.empty() || fence < low_) low_ = fence;
  if (fence > high_) high_ = fence;
}

void WritableSortedSet::ForgetPlace(std::string_view place) {
  ++erased_;
  low_erased_ |= Fence(place) == low_;
  high_erased_ |= Fence(place) == high_;
}

bool WritableSortedSet::Remove(std::string_view member) {
  if (!header().spread()) return elements_.Erase(member);
  const std::optional<double> score = Score(member);
  if (!score) return false;
  const ScoredMember one{std::string(member), *score};
  EraseRun({&one, 1});
  return true;
}

// Neighbours, in their order, of a spread set.
void WritableSortedSet::EraseRun(std::span<const ScoredMember> members) {
  std::vector<std::string> run;
  run.reserve(members.size());
  for (const ScoredMember& one : members) {
    txn().Delete(Family::kData, ElementRow(header().id, one.member));
    run.push_back(PlaceOf(one.member, one.score));
  }
  places().EraseRun(run);
  for (const std::string& place : run) ForgetPlace(place);
  header().count -= members.size();
}

std::vector<ScoredMember> WritableSortedSet::All() const {
  std::vector<ScoredMember> all;
  all.reserve(header().count);
  Elements(txn(), header(), {}).ForEach([&](std::string_view name, std::string_view value) {
    all.push_back({std::string(name), SortedSet::ScoreOf(value)});
    return true;
  });
  return all;
}

void WritableSortedSet::Rewrite(std::span<const ScoredMember> members) {
  elements_.Clear();
  erased_ = 0;
  low_.clear();
  high_.clear();
  low_erased_ = high_erased_ = false;
  CollectionHeader& header = this->header();
  uint64_t bytes = 0;
  for (const ScoredMember& one : members) {
    ++header.count;
    header.Grew(one.member.size());
    bytes += PackedBytes(one.member.size());
  }
  const uint64_t peak_count = header.peak_count, peak_bytes = header.peak_bytes;
  const bool sign = SortedSetEncoding(header, kRedisLimits) != "listpack";
  const auto score_of = [&](const ScoredMember& one) { return sign ? one.score : one.score + 0.0; };
  if (members.size() <= kMaxPackedElements && bytes <= kMaxPackedBytes) {
    header.count = 0;
    for (const ScoredMember& one : members) InsertPacked(header.count, one.member, score_of(one));
    header.peak_count = peak_count;
    header.peak_bytes = peak_bytes;
    return;
  }
  elements_.collection().Spread();
  const Ranked rows(txn(), Family::kIndex, header.id);
  for (const ScoredMember& one : members) {
    const std::array<char, kScoreBytes> value = ValueOf(score_of(one));
    txn().Put(Family::kData, ElementRow(header.id, one.member),
              std::string(value.data(), value.size()));
    const std::string place = PlaceOf(one.member, one.score);
    Include(place);
    txn().Put(Family::kIndex, rows.RowKey(place), std::string(SignOf(score_of(one))));
  }
  places().CountAll();
}

void WritableSortedSet::Save() {
  if (header().spread() && size() > 0 && size() <= kMaxRenewed &&
      erased_ / kRenewErased >= size()) {
    renewed_ = All();
    std::sort(renewed_.begin(), renewed_.end(),
              [](const ScoredMember& a, const ScoredMember& b) { return StandsBefore(a, b); });
    Rewrite(renewed_);
  }
  if (!header().spread()) return elements_.Save();
  if (size() > 0 && low_erased_) low_ = Fence(places().First().key());
  if (size() > 0 && high_erased_) high_ = Fence(places().Last().key());
  std::string rest;
  PutVarint(&rest, erased_);
  PutBytes(&rest, low_);
  PutBytes(&rest, high_);
  elements_.Save(std::nullopt, rest);
}

void StoreSortedSet(engine::Txn& txn, int db, std::string_view key,
                    std::vector<ScoredMember> members) {
  WritableKey(txn, db, key).Vacate();
  if (members.empty()) return;
  std::sort(members.begin(), members.end(),
            [](const ScoredMember& a, const ScoredMember& b) { return StandsBefore(a, b); });
  Result<WritableSortedSet> set = WritableSortedSet::Open(txn, db, key);
  set->Rewrite(members);
  set->Save();
}

void DropFirstSigns(std::vector<ScoredMember>* members) {
  CollectionHeader header;
  for (ScoredMember& one : *members) {
    ++header.count;
    header.Grew(one.member.size());
    if (SortedSetEncoding(header, kRedisLimits) != "listpack") return;
    one.score += 0.0;
  }
}

uint64_t RemoveRange(engine::Txn& txn, int db, std::string_view key, const SortedSetRange& range) {
  Result<SortedSet> found = SortedSet::Find(txn, db, key);
  const uint64_t size = found->size();
  const RankRange ranks = found->RanksOf(range, Direction::kForward);
  const uint64_t count = ranks.end - ranks.first;
  if (count == 0) return 0;
  if (count == size) {
    WritableKey(txn, db, key).Delete();
    return count;
  }
  std::vector<ScoredMember> members;
  const auto gather = [&](std::string_view member, double score) {
    members.push_back({std::string(member), score});
    return true;
  };
  const bool by_staying = found->header().spread() && count / kRenewErased >= size - count;
  if (by_staying) {
    found->WalkRanks({0, ranks.first}, Direction::kForward, gather);
    found->WalkRanks({ranks.end, size}, Direction::kForward, gather);
  } else if (ranks.end == size) {
    // From the end that is known without a search.
    found->WalkRanks(ranks, Direction::kBackward, gather);
    std::reverse(members.begin(), members.end());
  } else {
    found->WalkRanks(ranks, Direction::kForward, gather);
  }
  Result<WritableSortedSet> set = WritableSortedSet::Open(txn, db, key);
  if (by_staying) {
    set->Rewrite(members);
  } else if (set->header().spread()) {
    set->EraseRun(members);
  } else {
    for (const ScoredMember& one : members) CHECK(set->elements_.Erase(one.member));
  }
  set->Save();
  return count;
}

std::vector<ScoredMember> PopMembers(engine::Txn& txn, int db, std::string_view key,
                                     Direction direction, uint64_t count) {
  std::vector<ScoredMember> popped;
  RankRange ranks;
  {
    Result<SortedSet> found = SortedSet::Find(txn, db, key);
    const uint64_t size = found->size();
    count = std::min(count, size);
    ranks = direction == Direction::kForward ? RankRange{0, count} : RankRange{size - count, size};
    popped.reserve(count);
    found->Walk(ranks, direction, 0, [&](std::string_view member, double score) {
      popped.push_back({std::string(member), score});
      return true;
    });
  }
  RemoveRange(txn, db, key, ranks);
  return popped;
}

// --- the offline check -------------------------------------------------------------------------

Status CheckSortedSet(const engine::View& view, const CollectionHeader& collection,
                      std::string_view rest) {
  std::string low, high;
  if (collection.spread()) {
    std::optional<SpreadRest> parsed = ParseSpreadRest(rest);
    if (!parsed) return Status::Corruption("a spread sorted set's record that does not decode");
    low = parsed->low;
    high = parsed->high;
    rest = {};
  }
  const Ranked places(view, Family::kIndex, collection.id);
  std::optional<ScoredMember> last;
  const auto check = [&](std::string_view member, std::string_view value) -> Status {
    if (value.size() != kScoreBytes) return Status::Corruption("a score that does not decode");
    const ScoredMember one{std::string(member), SortedSet::ScoreOf(value)};
    if (std::isnan(one.score)) return Status::Corruption("a score that is not a number");
    if (collection.spread()) {
      std::string sign;
      if (!view.Get(Family::kIndex, places.RowKey(PlaceOf(member, one.score)), &sign)) {
        return Status::Corruption("a member without its place");
      }
      if (sign != SignOf(one.score)) return Status::Corruption("a place with another score's sign");
      return Status::Ok();
    }
    if (last && !StandsBefore(*last, one)) return Status::Corruption("members out of their order");
    last = one;
    return Status::Ok();
  };
  RETURN_IF_ERROR(CheckElements(view, collection, rest, check));
  if (!collection.spread()) return Status::Ok();
  // Each member has its place, so there are others only if there are more.
  uint64_t rows = 0;
  RETURN_IF_ERROR(places.Check(&rows));
  if (rows != collection.count) {
    return Status::Corruption(std::to_string(rows) + " places for " +
                              std::to_string(collection.count) + " members");
  }
  if (Fence(places.First().key()) != low || Fence(places.Last().key()) != high) {
    return Status::Corruption("other ends than its record says");
  }
  return Status::Ok();
}

}  // namespace metastore::types
