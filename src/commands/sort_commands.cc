// SORT and SORT_RO over lists, sets and sorted sets. What is sorted is held in memory, and so is
// what it is sorted by: only BY with a constant, which sorts nothing, reads no more than LIMIT asks
// for.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "base/parse.h"
#include "base/partial_sort.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "types/hash.h"
#include "types/keyspace.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/string.h"

namespace metastore::commands {
namespace {

// GET may show one value for every element, so that what comes of it is much larger than all that
// is stored; past this it is an error.
constexpr uint64_t kMaxGotBytes = kMaxStringBytes;

// "weight_*", "object_*->field" or "#". As in Redis nothing behind a zero byte is looked at for the
// star and the arrow.
class Pattern {
 public:
  explicit Pattern(std::string_view text) : text_(text) {
    const std::string_view seen = text.substr(0, text.find('\0'));
    star_ = seen.find('*');
    if (star_ == seen.npos) return;
    const size_t arrow = seen.find("->", star_ + 1);
    if (arrow != seen.npos && arrow + 2 < seen.size()) arrow_ = arrow;
  }

  bool has_star() const { return star_ != std::string_view::npos; }

  // What an element's key or field holds; none where there is no string.
  std::optional<std::string> Find(const engine::View& view, int db,
                                  std::string_view element) const {
    if (text_ == "#") return std::string(element);
    if (!has_star()) return std::nullopt;
    std::string key(text_.substr(0, star_));
    key += element;
    key += text_.substr(star_ + 1, arrow_ == text_.npos ? text_.npos : arrow_ - star_ - 1);
    if (arrow_ == text_.npos) {
      Result<types::Record> found = types::FindString(view, db, key);
      if (!found.ok()) return std::nullopt;
      return std::string(found->payload());
    }
    Result<types::Hash> hash = types::Hash::Find(view, db, key);
    std::string value;
    if (!hash.ok() || !hash->Get(text_.substr(arrow_ + 2), &value)) return std::nullopt;
    return value;
  }

 private:
  std::string_view text_;
  size_t star_;
  size_t arrow_ = std::string_view::npos;
};

struct Options {
  bool descending = false;
  bool by_bytes = false;
  int64_t start = 0;
  int64_t count = -1;
  std::optional<Pattern> by;
  std::vector<Pattern> get;
  std::optional<std::string_view> target;
};

Result<Options> ParseOptions(Args args, bool may_store) {
  Options options;
  for (size_t i = 2; i < args.size(); ++i) {
    const std::string_view word = args[i];
    const size_t left = args.size() - i - 1;
    if (EqualsIgnoreCase(word, "ASC")) {
      options.descending = false;
    } else if (EqualsIgnoreCase(word, "DESC")) {
      options.descending = true;
    } else if (EqualsIgnoreCase(word, "ALPHA")) {
      options.by_bytes = true;
    } else if (EqualsIgnoreCase(word, "LIMIT") && left >= 2) {
      if (!ParseInt64(args[i + 1], &options.start) || !ParseInt64(args[i + 2], &options.count)) {
        return Status(Code::kNotInteger);
      }
      i += 2;
    } else if (may_store && EqualsIgnoreCase(word, "STORE") && left >= 1) {
      options.target = args[++i];
    } else if (EqualsIgnoreCase(word, "BY") && left >= 1) {
      options.by = Pattern(args[++i]);
    } else if (EqualsIgnoreCase(word, "GET") && left >= 1) {
      options.get.emplace_back(args[++i]);
    } else {
      return Status(Code::kSyntax);
    }
  }
  return options;
}

// The key to sort; kNotFound, kWrongType.
class Source {
 public:
  static Result<Source> Find(const engine::View& view, int db, std::string_view key) {
    Source source;
    std::optional<types::Record> record = types::Find(view, db, key);
    if (!record) return Status(Code::kNotFound);
    switch (record->header().type) {
      case types::Type::kList:
        source.list_ = std::move(*types::List::Find(view, db, key));
        return source;
      case types::Type::kSet:
        source.set_ = std::move(*types::Set::Find(view, db, key));
        return source;
      case types::Type::kZset:
        source.sorted_set_ = std::move(*types::SortedSet::Find(view, db, key));
        return source;
      default:
        return Status(Code::kWrongType);
    }
  }

  bool is_set() const { return set_.has_value(); }
  uint64_t size() const {
    return list_ ? list_->size() : set_ ? set_->size() : sorted_set_->size();
  }

  // Elements from `start` on, in their own order or the reverse of it; a set has only one.
  std::vector<std::string> Elements(uint64_t start, uint64_t count, bool reverse) const {
    std::vector<std::string> elements;
    if (count == 0) return elements;
    const auto add = [&](std::string_view element) {
      elements.emplace_back(element);
      return elements.size() < count;
    };
    if (list_) {
      list_->ForEach(reverse ? size() - 1 - start : start, count, reverse, add);
    } else if (set_) {
      set_->ForEach(
          [&](std::string_view member) { return start > 0 ? start--, true : add(member); });
    } else {
      sorted_set_->Walk(types::RankRange(),
                        reverse ? types::Direction::kBackward : types::Direction::kForward, start,
                        [&](std::string_view member, double) { return add(member); });
    }
    return elements;
  }

 private:
  std::optional<types::List> list_;
  std::optional<types::Set> set_;
  std::optional<types::SortedSet> sorted_set_;
};

struct Item {
  std::string element;
  double score = 0;                   // without ALPHA
  std::optional<std::string> weight;  // with ALPHA and BY
};

// What strtod makes of a whole text, as a C string: leading space and nothing at all are numbers,
// and nothing behind a zero byte is looked at. False where Redis refuses it.
bool ParseScore(const std::string& text, double* score) {
  char* end;
  errno = 0;
  *score = std::strtod(text.c_str(), &end);
  return *end == '\0' && errno != ERANGE && !std::isnan(*score);
}

int Sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

int Compare(const Item& a, const Item& b, const Options& options) {
  int order;
  if (!options.by_bytes) {
    // Where scores are equal the elements decide, so that the order is always the same.
    order = a.score < b.score ? -1 : a.score > b.score ? 1 : Sign(a.element.compare(b.element));
  } else if (options.by) {
    // Those without a weight come first.
    order = a.weight && b.weight ? Sign(a.weight->compare(*b.weight))
                                 : int{a.weight.has_value()} - int{b.weight.has_value()};
  } else {
    order = Sign(a.element.compare(b.element));
  }
  return options.descending ? -order : order;
}

// Gives the items what they are sorted by.
Status Weigh(const engine::View& view, int db, const Options& options, std::vector<Item>* items) {
  bool all_are_numbers = true;
  for (Item& item : *items) {
    if (options.by) item.weight = options.by->Find(view, db, item.element);
    if (options.by_bytes || (options.by && !item.weight)) continue;
    all_are_numbers &= ParseScore(options.by ? *item.weight : item.element, &item.score);
  }
  if (all_are_numbers) return Status::Ok();
  return errors::Custom("ERR One or more scores can't be converted into double");
}

// The elements in their order, LIMIT applied.
Result<std::vector<std::string>> Sorted(const engine::View& view, int db, std::string_view key,
                                        Options options) {
  Result<Source> source = Source::Find(view, db, key);
  if (source.code() == Code::kNotFound) return std::vector<std::string>();
  if (!source.ok()) return source.status();
  const uint64_t size = source->size();
  const uint64_t start = std::min(static_cast<uint64_t>(std::max<int64_t>(options.start, 0)), size);
  const uint64_t count = options.count < 0
                             ? size - start
                             : std::min(static_cast<uint64_t>(options.count), size - start);
  if (options.by && !options.by->has_star()) {
    // A set has no order of its own that could be stored.
    if (!source->is_set() || !options.target) {
      return source->Elements(start, count, options.descending);
    }
    options.by.reset();
    options.by_bytes = true;
  }
  std::vector<Item> items;
  for (std::string& element : source->Elements(0, size, false)) {
    items.push_back({std::move(element), 0, std::nullopt});
  }
  RETURN_IF_ERROR(Weigh(view, db, options, &items));
  const auto compare = [&options](const Item& a, const Item& b) { return Compare(a, b, options); };
  if (options.by && count > 0 && count < size) {
    PartialSort(std::span<Item>(items), start, start + count - 1, compare);
  } else {
    std::stable_sort(items.begin(), items.end(),
                     [&compare](const Item& a, const Item& b) { return compare(a, b) < 0; });
  }
  std::vector<std::string> sorted;
  sorted.reserve(count);
  for (uint64_t i = start; i < start + count; ++i) sorted.push_back(std::move(items[i].element));
  return sorted;
}

Status TooMuchGot() {
  return errors::Custom("ERR what GET finds is too large: ask for fewer elements with LIMIT");
}

Status Show(const engine::View& view, int db, const Options& options,
            const std::vector<std::string>& elements, resp::Writer& reply) {
  const size_t position = reply.Position();
  reply.Array(elements.size() * std::max<size_t>(1, options.get.size()));
  for (const std::string& element : elements) {
    if (options.get.empty()) reply.Bulk(element);
    for (const Pattern& pattern : options.get) {
      std::optional<std::string> value = pattern.Find(view, db, element);
      value ? reply.Bulk(*value) : reply.Null();
      if (reply.Position() - position > kMaxGotBytes) return TooMuchGot();
    }
  }
  return Status::Ok();
}

Status Store(WriteContext& ctx, const Options& options, std::vector<std::string> elements,
             resp::Writer& reply) {
  std::vector<std::string> values;
  uint64_t bytes = 0;
  for (const std::string& element : elements) {
    for (const Pattern& pattern : options.get) {
      values.push_back(pattern.Find(ctx.txn(), ctx.db(), element).value_or(""));
      bytes += values.back().size();
      if (bytes > kMaxGotBytes) return TooMuchGot();
    }
  }
  if (options.get.empty()) values = std::move(elements);
  StoreNotice notice(ctx, *options.target);
  types::WritableKey(ctx.txn(), ctx.db(), *options.target).Vacate();
  Result<types::WritableList> list =
      types::WritableList::Open(ctx.txn(), ctx.db(), *options.target);
  CHECK(list.ok());
  for (const std::string& value : values) list->PushBack(value);
  if (!values.empty()) list->Save();
  notice.Tell(engine::kNotifyList, "sortstore", values.empty());
  reply.Integer(static_cast<int64_t>(values.size()));
  return Status::Ok();
}

Status Sort(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<Options> options = ParseOptions(args, true);
  if (!options.ok()) return options.status();
  Result<std::vector<std::string>> elements = Sorted(ctx.txn(), ctx.db(), args[1], *options);
  if (!elements.ok()) return elements.status();
  if (options->target) return Store(ctx, *options, std::move(*elements), reply);
  return Show(ctx.txn(), ctx.db(), *options, *elements, reply);
}

Status SortRo(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<Options> options = ParseOptions(args, false);
  if (!options.ok()) return options.status();
  Result<std::vector<std::string>> elements = Sorted(ctx.view(), ctx.db(), args[1], *options);
  if (!elements.ok()) return elements.status();
  return Show(ctx.view(), ctx.db(), *options, *elements, reply);
}

constexpr KeySpec kSource{{1, 1, 1}, KeyAccess::kRO, kKeyAccess};
constexpr KeySpec kTarget = UnknownKeys(
    KeyAccess::kOW, kKeyUpdate,
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear "
    "anywhere in the argument array");
constexpr KeySpec kPatterns = UnknownKeys(
    KeyAccess::kRO, kKeyAccess,
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the "
    "content of the key we sort");

// The last STORE counts. Like Redis this looks at the name behind it, too.
std::vector<KeyUse> FindSortKeys(Args args) {
  std::vector<KeyUse> keys{{1, kSource.access, kSource.effects}};
  std::optional<KeyUse> target;
  for (size_t i = 2; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "LIMIT")) {
      i += 2;
    } else if (EqualsIgnoreCase(args[i], "GET") || EqualsIgnoreCase(args[i], "BY")) {
      ++i;
    } else if (EqualsIgnoreCase(args[i], "STORE") && i + 1 < args.size()) {
      target = KeyUse{static_cast<int>(i) + 1, kTarget.access, kTarget.effects};
    }
  }
  if (target) keys.push_back(*target);
  return keys;
}

constexpr uint32_t kSortCategories = kAclSet | kAclSortedSet | kAclList | kAclDangerous;
constexpr std::string_view kSortComplexity =
    "O(N+M*log(M)) in the N elements and the M that are returned.";

constexpr CommandSpec kTable[] = {
    {"sort",
     -2,
     kWrite | kDenyOom | kMovableKeys,
     kSortCategories,
     kSource.range,
     Sort,
     "generic",
     "1.0.0",
     kSortComplexity,
     "Returns or stores the sorted elements of a list, a set or a sorted set.",
     {},
     {kSource, kPatterns, kTarget},
     FindSortKeys},
    {"sort_ro",
     -2,
     kReadonly | kMovableKeys,
     kSortCategories,
     kSource.range,
     SortRo,
     "generic",
     "7.0.0",
     kSortComplexity,
     "Returns the sorted elements of a list, a set or a sorted set.",
     {},
     {kSource, kPatterns}}};

}  // namespace

std::span<const CommandSpec> SortCommands() { return kTable; }

}  // namespace metastore::commands
