// The geo group: sorted sets whose scores are places (types/geo.h). Arguments and keys are looked
// at in Redis's order, because a client sees only the first of several mistakes.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "base/partial_sort.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "types/geo.h"
#include "types/sorted_set.h"

namespace metastore::commands {
namespace {

using types::GeoPoint;
using types::GeoShape;
using types::ScoredMember;
using types::SortedSet;
using types::WritableSortedSet;

// None where there is no such key. kWrongType.
Result<std::optional<SortedSet>> FindPlaces(const engine::View& view, int db,
                                            std::string_view key) {
  Result<SortedSet> found = SortedSet::Find(view, db, key);
  if (found.ok()) return std::optional<SortedSet>(std::move(*found));
  if (found.code() == Code::kNotFound) return std::optional<SortedSet>();
  return found.status();
}

Result<GeoPoint> ParsePoint(std::string_view longitude, std::string_view latitude) {
  GeoPoint point;
  if (!ParseDouble(longitude, &point.longitude) || !ParseDouble(latitude, &point.latitude)) {
    return Status(Code::kNotFloat);
  }
  if (types::IsValid(point)) return point;
  char text[800];  // "%f" of the largest double has 316 characters
  std::snprintf(text, sizeof text, "ERR invalid longitude,latitude pair %f,%f", point.longitude,
                point.latitude);
  return errors::Custom(text);
}

Result<double> ParseUnit(std::string_view text) {
  if (EqualsIgnoreCase(text, "m")) return 1.0;
  if (EqualsIgnoreCase(text, "km")) return 1000.0;
  if (EqualsIgnoreCase(text, "ft")) return 0.3048;
  if (EqualsIgnoreCase(text, "mi")) return 1609.34;
  return errors::Custom("ERR unsupported unit provided. please use M, KM, FT, MI");
}

// Four decimals. Redis scales before it rounds, which "%.4f" does not.
void ShowDistance(double distance, resp::Writer& reply) {
  const int64_t scaled = std::llrint(distance * 10000);
  std::string fraction = FormatInt64(scaled % 10000);
  fraction.insert(0, 4 - fraction.size(), '0');
  reply.Bulk(FormatInt64(scaled / 10000) + '.' + fraction);
}

void ShowPoint(const GeoPoint& point, resp::Writer& reply) {
  reply.Array(2);
  reply.DoubleDigits(FormatLongDouble(point.longitude));
  reply.DoubleDigits(FormatLongDouble(point.latitude));
}

// --- GEOADD, GEOPOS, GEODIST, GEOHASH ------------------------------------------------------------

Status GeoAdd(WriteContext& ctx, Args args, resp::Writer& reply) {
  bool nx = false, xx = false, ch = false;
  size_t first = 2;
  for (; first < args.size(); ++first) {
    if (EqualsIgnoreCase(args[first], "NX")) {
      nx = true;
    } else if (EqualsIgnoreCase(args[first], "XX")) {
      xx = true;
    } else if (EqualsIgnoreCase(args[first], "CH")) {
      ch = true;
    } else {
      break;
    }
  }
  const Args places = args.subspan(first);
  if (places.size() % 3 != 0 || (nx && xx)) return Status(Code::kSyntax);
  std::vector<double> scores;
  for (size_t i = 0; i < places.size(); i += 3) {
    Result<GeoPoint> point = ParsePoint(places[i], places[i + 1]);
    if (!point.ok()) return point.status();
    scores.push_back(static_cast<double>(types::EncodeGeo(*point)));
  }
  if (scores.empty()) return Status(Code::kSyntax);
  Result<WritableSortedSet> set = WritableSortedSet::Open(ctx.txn(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  int64_t added = 0, changed = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const std::string_view member = places[3 * i + 2];
    if ((nx || xx) && set->Score(member).has_value() == nx) continue;
    const WritableSortedSet::Change change = set->Set(member, scores[i]);
    added += change == WritableSortedSet::Change::kAdded;
    changed += change == WritableSortedSet::Change::kChanged;
  }
  if (added + changed > 0) {
    set->Save();
    Notify(ctx, engine::kNotifyZset, "zadd", args[1]);
  }
  reply.Integer(ch ? added + changed : added);
  return Status::Ok();
}

// A reply for each member: what `show` makes of its score, or of none.
template <class Show>
Status ForEachMember(ReadContext& ctx, Args args, resp::Writer& reply, const Show& show) {
  Result<std::optional<SortedSet>> set = FindPlaces(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  reply.Array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) {
    show(*set ? (*set)->Score(member) : std::nullopt);
  }
  return Status::Ok();
}

Status GeoPos(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ForEachMember(ctx, args, reply, [&reply](std::optional<double> score) {
    score ? ShowPoint(types::DecodeGeo(*score), reply) : reply.NullArray();
  });
}

Status GeoHash(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ForEachMember(ctx, args, reply, [&reply](std::optional<double> score) {
    score ? reply.Bulk(types::GeoHashText(*score)) : reply.Null();
  });
}

Status GeoDist(ReadContext& ctx, Args args, resp::Writer& reply) {
  double metres_per_unit = 1;
  if (args.size() > 5) return Status(Code::kSyntax);
  if (args.size() == 5) {
    Result<double> unit = ParseUnit(args[4]);
    if (!unit.ok()) return unit.status();
    metres_per_unit = *unit;
  }
  Result<std::optional<SortedSet>> set = FindPlaces(ctx.view(), ctx.db(), args[1]);
  if (!set.ok()) return set.status();
  std::optional<double> from, to;
  if (*set) {
    from = (*set)->Score(args[2]);
    to = (*set)->Score(args[3]);
  }
  if (!from || !to) {
    reply.Null();
    return Status::Ok();
  }
  ShowDistance(
      types::DistanceInMetres(types::DecodeGeo(*from), types::DecodeGeo(*to)) / metres_per_unit,
      reply);
  return Status::Ok();
}

// --- GEOSEARCH and GEORADIUS ---------------------------------------------------------------------

enum class Search : uint8_t {
  kRadius,            // GEORADIUS key longitude latitude radius unit
  kRadiusReadOnly,    // the same without STORE
  kByMember,          // GEORADIUSBYMEMBER key member radius unit
  kByMemberReadOnly,  // the same without STORE
  kSearch,            // GEOSEARCH key
  kSearchStore,       // GEOSEARCHSTORE target key
};

enum class Order : uint8_t { kNone, kAscending, kDescending };

struct Query {
  GeoShape shape;
  bool with_distance = false, with_hash = false, with_point = false;
  Order order = Order::kNone;
  uint64_t count = 0;  // 0: all
  bool any = false;    // the first ones found will do
  std::optional<std::string_view> target;
  bool store_distances = false;
};

Status ParseRadius(Args args, GeoShape* shape) {
  if (!ParseDouble(args[0], &shape->radius)) return errors::Custom("ERR need numeric radius");
  if (shape->radius < 0) return errors::Custom("ERR radius cannot be negative");
  Result<double> unit = ParseUnit(args[1]);
  if (!unit.ok()) return unit.status();
  shape->metres_per_unit = *unit;
  shape->box = false;
  return Status::Ok();
}

Status ParseBox(Args args, GeoShape* shape) {
  if (!ParseDouble(args[0], &shape->width)) return errors::Custom("ERR need numeric width");
  if (!ParseDouble(args[1], &shape->height)) return errors::Custom("ERR need numeric height");
  if (shape->width < 0 || shape->height < 0) {
    return errors::Custom("ERR height or width cannot be negative");
  }
  Result<double> unit = ParseUnit(args[2]);
  if (!unit.ok()) return unit.status();
  shape->metres_per_unit = *unit;
  shape->box = true;
  return Status::Ok();
}

// Nothing where there is no key: the search is over then, but for mistakes.
Status CentreAtMember(const std::optional<SortedSet>& set, std::string_view member,
                      GeoShape* shape) {
  if (!set) return Status::Ok();
  const std::optional<double> score = set->Score(member);
  if (!score) return errors::Custom("ERR could not decode requested zset member");
  shape->centre = types::DecodeGeo(*score);
  return Status::Ok();
}

Status CentreAt(std::string_view longitude, std::string_view latitude, GeoShape* shape) {
  Result<GeoPoint> point = ParsePoint(longitude, latitude);
  if (!point.ok()) return point.status();
  shape->centre = *point;
  return Status::Ok();
}

Result<Query> ParseQuery(Args args, Search search, const std::optional<SortedSet>& set) {
  Query query;
  GeoShape& shape = query.shape;
  const bool is_search = search == Search::kSearch || search == Search::kSearchStore;
  const bool may_store = search == Search::kRadius || search == Search::kByMember;
  size_t i = 2;
  if (search == Search::kRadius || search == Search::kRadiusReadOnly) {
    RETURN_IF_ERROR(CentreAt(args[2], args[3], &shape));
    RETURN_IF_ERROR(ParseRadius(args.subspan(4), &shape));
    i = 6;
  } else if (!is_search) {
    // Redis does not look at the radius either where there is no key.
    if (set) {
      RETURN_IF_ERROR(CentreAtMember(set, args[2], &shape));
      RETURN_IF_ERROR(ParseRadius(args.subspan(3), &shape));
    }
    i = 5;
  } else if (search == Search::kSearchStore) {
    query.target = args[1];
    i = 3;
  }

  bool from_member = false, from_point = false, by_radius = false, by_box = false;
  for (; i < args.size(); ++i) {
    const std::string_view word = args[i];
    const size_t left = args.size() - i - 1;
    if (EqualsIgnoreCase(word, "WITHDIST")) {
      query.with_distance = true;
    } else if (EqualsIgnoreCase(word, "WITHHASH")) {
      query.with_hash = true;
    } else if (EqualsIgnoreCase(word, "WITHCOORD")) {
      query.with_point = true;
    } else if (EqualsIgnoreCase(word, "ANY")) {
      query.any = true;
    } else if (EqualsIgnoreCase(word, "ASC")) {
      query.order = Order::kAscending;
    } else if (EqualsIgnoreCase(word, "DESC")) {
      query.order = Order::kDescending;
    } else if (EqualsIgnoreCase(word, "COUNT") && left >= 1) {
      int64_t count;
      if (!ParseInt64(args[++i], &count)) return Status(Code::kNotInteger);
      if (count <= 0) return errors::Custom("ERR COUNT must be > 0");
      query.count = static_cast<uint64_t>(count);
    } else if (may_store && left >= 1 &&
               (EqualsIgnoreCase(word, "STORE") || EqualsIgnoreCase(word, "STOREDIST"))) {
      query.target = args[++i];
      query.store_distances = EqualsIgnoreCase(word, "STOREDIST");
    } else if (is_search && EqualsIgnoreCase(word, "FROMMEMBER") && left >= 1 && !from_point) {
      RETURN_IF_ERROR(CentreAtMember(set, args[++i], &shape));
      from_member = true;
    } else if (is_search && EqualsIgnoreCase(word, "FROMLONLAT") && left >= 2 && !from_member) {
      RETURN_IF_ERROR(CentreAt(args[i + 1], args[i + 2], &shape));
      from_point = true;
      i += 2;
    } else if (is_search && EqualsIgnoreCase(word, "BYRADIUS") && left >= 2 && !by_box) {
      RETURN_IF_ERROR(ParseRadius(args.subspan(i + 1), &shape));
      by_radius = true;
      i += 2;
    } else if (is_search && EqualsIgnoreCase(word, "BYBOX") && left >= 3 && !by_radius) {
      RETURN_IF_ERROR(ParseBox(args.subspan(i + 1), &shape));
      by_box = true;
      i += 3;
    } else if (search == Search::kSearchStore && EqualsIgnoreCase(word, "STOREDIST")) {
      query.store_distances = true;
    } else {
      return Status(Code::kSyntax);
    }
  }

  if (query.target && (query.with_distance || query.with_hash || query.with_point)) {
    return errors::Custom(
        std::string(is_search ? "ERR GEOSEARCHSTORE" : "ERR STORE option in GEORADIUS") +
        " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
  }
  if (is_search && !from_member && !from_point) {
    return errors::Custom("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " +
                          std::string(args[0]));
  }
  if (is_search && !by_radius && !by_box) {
    return errors::Custom("ERR exactly one of BYRADIUS and BYBOX can be specified for " +
                          std::string(args[0]));
  }
  if (query.any && query.count == 0) {
    return errors::Custom("ERR the ANY argument requires COUNT argument");
  }
  // The nearest are meant, unless any will do.
  if (query.count != 0 && !query.any && query.order == Order::kNone) {
    query.order = Order::kAscending;
  }
  return query;
}

struct Match {
  std::string member;
  GeoPoint point;
  double distance = 0;  // in metres
  double score = 0;
};

// Where a few are wanted of more matches than that, those that have lost are let go.
constexpr size_t kMaxHeld = 65536;

void Sort(const Query& query, std::vector<Match>* matches) {
  if (query.order == Order::kNone) return;
  const double sign = query.order == Order::kAscending ? 1 : -1;
  const auto compare = [sign](const Match& a, const Match& b) {
    return a.distance == b.distance ? 0 : sign * a.distance < sign * b.distance ? -1 : 1;
  };
  if (query.count != 0 && query.count < matches->size()) {
    PartialSort(std::span<Match>(*matches), 0, query.count - 1, compare);
  } else {
    std::stable_sort(matches->begin(), matches->end(),
                     [&compare](const Match& a, const Match& b) { return compare(a, b) < 0; });
  }
}

std::vector<Match> FindMatches(const SortedSet& set, const Query& query) {
  std::vector<Match> matches;
  const auto found_enough = [&] { return query.any && matches.size() >= query.count; };
  for (const types::GeoScores& scores : types::BoxesAround(query.shape)) {
    if (found_enough()) break;
    types::ScoreRange range;
    range.min = static_cast<double>(scores.first);
    range.max = static_cast<double>(scores.end);
    range.max_open = true;
    set.Walk(range, types::Direction::kForward, 0, [&](std::string_view member, double score) {
      const GeoPoint point = types::DecodeGeo(score);
      const std::optional<double> distance = query.shape.DistanceWithin(point);
      if (!distance) return true;
      matches.push_back({std::string(member), point, *distance, score});
      if (query.count != 0 && matches.size() >= kMaxHeld && matches.size() / 4 >= query.count) {
        Sort(query, &matches);
        matches.resize(query.count);
      }
      return !found_enough();
    });
  }
  Sort(query, &matches);
  if (query.count != 0 && query.count < matches.size()) matches.resize(query.count);
  return matches;
}

void Show(const std::vector<Match>& matches, const Query& query, resp::Writer& reply) {
  const size_t parts = size_t{1} + query.with_distance + query.with_hash + query.with_point;
  reply.Array(matches.size());
  for (const Match& match : matches) {
    if (parts > 1) reply.Array(parts);
    reply.Bulk(match.member);
    if (query.with_distance) ShowDistance(match.distance / query.shape.metres_per_unit, reply);
    if (query.with_hash) reply.Integer(static_cast<int64_t>(match.score));
    if (query.with_point) ShowPoint(match.point, reply);
  }
}

Status RunSearch(const engine::View& view, int db, Args args, Search search, Query* query,
                 std::vector<Match>* matches) {
  const std::string_view key = args[search == Search::kSearchStore ? 2 : 1];
  Result<std::optional<SortedSet>> set = FindPlaces(view, db, key);
  if (!set.ok()) return set.status();
  Result<Query> parsed = ParseQuery(args, search, *set);
  if (!parsed.ok()) return parsed.status();
  *query = std::move(*parsed);
  if (*set) *matches = FindMatches(**set, *query);
  return Status::Ok();
}

Status ReadSearch(ReadContext& ctx, Args args, Search search, resp::Writer& reply) {
  Query query;
  std::vector<Match> matches;
  RETURN_IF_ERROR(RunSearch(ctx.view(), ctx.db(), args, search, &query, &matches));
  Show(matches, query, reply);
  return Status::Ok();
}

Status StoreSearch(WriteContext& ctx, Args args, Search search, resp::Writer& reply) {
  Query query;
  std::vector<Match> matches;
  RETURN_IF_ERROR(RunSearch(ctx.txn(), ctx.db(), args, search, &query, &matches));
  if (!query.target) {
    Show(matches, query, reply);
    return Status::Ok();
  }
  std::vector<ScoredMember> members;
  members.reserve(matches.size());
  for (Match& match : matches) {
    members.push_back({std::move(match.member), query.store_distances
                                                    ? match.distance / query.shape.metres_per_unit
                                                    : match.score});
  }
  const size_t size = members.size();
  reply.Integer(static_cast<int64_t>(size));
  StoreNotice notice(ctx, *query.target);
  types::StoreSortedSet(ctx.txn(), ctx.db(), *query.target, std::move(members));
  notice.Tell(engine::kNotifyZset,
              search == Search::kSearchStore ? "geosearchstore" : "georadiusstore", size == 0);
  return Status::Ok();
}

Status GeoRadius(WriteContext& ctx, Args args, resp::Writer& reply) {
  return StoreSearch(ctx, args, Search::kRadius, reply);
}
Status GeoRadiusRo(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ReadSearch(ctx, args, Search::kRadiusReadOnly, reply);
}
Status GeoRadiusByMember(WriteContext& ctx, Args args, resp::Writer& reply) {
  return StoreSearch(ctx, args, Search::kByMember, reply);
}
Status GeoRadiusByMemberRo(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ReadSearch(ctx, args, Search::kByMemberReadOnly, reply);
}
Status GeoSearch(ReadContext& ctx, Args args, resp::Writer& reply) {
  return ReadSearch(ctx, args, Search::kSearch, reply);
}
Status GeoSearchStore(WriteContext& ctx, Args args, resp::Writer& reply) {
  return StoreSearch(ctx, args, Search::kSearchStore, reply);
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeySpec kRead{kFirst, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kWrites{kFirst, KeyAccess::kOW, kKeyUpdate};
constexpr std::string_view kSearchComplexity =
    "O(N+log(M)) in the N members of the boxes around the shape and all M.";

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec key, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,  arity, flags,      kAclGeo, key.range, handler,
          "geo", since, complexity, summary, {},        {key}};
}

// Those that store where a word says so. It is looked for behind the arguments that must be there.
constexpr CommandSpec StoringRow(std::string_view name, int arity, Handler handler,
                                 std::string_view since, std::string_view summary) {
  CommandSpec row = Row(name, arity, kWrite | kDenyOom | kMovableKeys, handler, kRead, since,
                        kSearchComplexity, summary);
  row.key_specs[1] = KeysBehind("STORE", -arity, 0, 0, KeyAccess::kOW, kKeyUpdate);
  row.key_specs[2] = KeysBehind("STOREDIST", -arity, 0, 0, KeyAccess::kOW, kKeyUpdate);
  return row;
}

constexpr CommandSpec kTable[] = {
    Row("geoadd", -5, kWrite | kDenyOom, GeoAdd, {kFirst, KeyAccess::kRW, kKeyUpdate}, "3.2.0",
        "O(log(N)) for each place.", "Adds places to a sorted set, or moves them."),
    Row("geodist", -4, kReadonly, GeoDist, kRead, "3.2.0", "O(1)",
        "Returns the distance of two places."),
    Row("geohash", -2, kReadonly, GeoHash, kRead, "3.2.0", "O(1) for each place.",
        "Returns places as geohash.org writes them."),
    Row("geopos", -2, kReadonly, GeoPos, kRead, "3.2.0", "O(1) for each place.",
        "Returns longitudes and latitudes of places."),
    StoringRow("georadius", -6, GeoRadius, "3.2.0",
               "Returns or stores the places in a circle around a point."),
    Row("georadius_ro", -6, kReadonly, GeoRadiusRo, kRead, "3.2.10", kSearchComplexity,
        "Returns the places in a circle around a point."),
    StoringRow("georadiusbymember", -5, GeoRadiusByMember, "3.2.0",
               "Returns or stores the places in a circle around one of them."),
    Row("georadiusbymember_ro", -5, kReadonly, GeoRadiusByMemberRo, kRead, "3.2.10",
        kSearchComplexity, "Returns the places in a circle around one of them."),
    Row("geosearch", -7, kReadonly, GeoSearch, kRead, "6.2.0", kSearchComplexity,
        "Returns the places in a circle or a box."),
    {"geosearchstore",
     -8,
     kWrite | kDenyOom,
     kAclGeo,
     {1, 2, 1},
     GeoSearchStore,
     "geo",
     "6.2.0",
     kSearchComplexity,
     "Stores the places in a circle or a box.",
     {},
     {kWrites, {{2, 2, 1}, KeyAccess::kRO, kKeyAccess}}}};

}  // namespace

std::span<const CommandSpec> GeoCommands() { return kTable; }

}  // namespace metastore::commands
