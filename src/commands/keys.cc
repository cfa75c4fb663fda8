#include "commands/keys.h"

#include <algorithm>
#include <optional>

#include "base/parse.h"
#include "commands/errors.h"

namespace metastore::commands {
namespace {

// Where the specification's keys begin; none where its word does not stand.
std::optional<int> FindBegin(const KeySpec& spec, Args args) {
  const int argc = static_cast<int>(args.size());
  if (spec.search == KeySearch::kIndex) return spec.range.first;
  if (spec.search == KeySearch::kUnknown) return std::nullopt;
  const bool backwards = spec.range.first < 0;
  for (int i = backwards ? argc + spec.range.first : spec.range.first; i > 0 && i < argc;
       backwards ? --i : ++i) {
    if (EqualsIgnoreCase(args[static_cast<size_t>(i)], spec.keyword)) return i + 1;
  }
  return std::nullopt;
}

// False where the arguments do not fit the specification.
bool AddKeys(const KeySpec& spec, Args args, std::vector<KeyUse>* keys) {
  if (spec.range.step <= 0) return true;
  const int argc = static_cast<int>(args.size());
  const std::optional<int> begin = FindBegin(spec, args);
  if (!begin) return true;
  int first = *begin;
  int last = spec.range.last;
  if (spec.counted) {
    int64_t count;
    if (first >= argc || !ParseInt64(args[static_cast<size_t>(first)], &count) || count < 1 ||
        count >= argc - first) {
      return false;
    }
    last = first + static_cast<int>(count);
    ++first;
  } else if (last < 0) {
    last = spec.limit > 1 ? first + (argc - first) / spec.limit - 1 : argc + last;
  } else if (spec.search == KeySearch::kKeyword) {
    last += first;
  }
  // The last key of MSET's pairs is followed by its value, so `last` may lie behind it.
  for (int i = first; i <= last && i < argc; i += spec.range.step) {
    keys->push_back({i, spec.access, spec.effects});
  }
  return true;
}

}  // namespace

bool ArityFits(const CommandSpec& spec, Args args) {
  const int argc = static_cast<int>(args.size());
  return spec.arity >= 0 ? argc == spec.arity : argc >= -spec.arity;
}

std::vector<KeyUse> FindKeys(const CommandSpec& spec, Args args) {
  if (spec.find_keys != nullptr) return spec.find_keys(args);
  std::vector<KeyUse> keys;
  for (const KeySpec& key_spec : KeySpecsOf(spec)) {
    if ((key_spec.effects & kKeyNotKey) != 0) continue;
    if (!AddKeys(key_spec, args, &keys)) return {};
  }
  return keys;
}

std::vector<KeySpec> KeySpecsOf(const CommandSpec& spec) {
  std::vector<KeySpec> specs;
  for (const KeySpec& key_spec : spec.key_specs) {
    if (key_spec.access != KeyAccess::kNone || key_spec.effects != 0) specs.push_back(key_spec);
  }
  if (!specs.empty() || spec.keys.step == 0) return specs;
  if (spec.flags & kReadonly) return {{spec.keys, KeyAccess::kRO, kKeyAccess}};
  return {{spec.keys, KeyAccess::kRW, kKeyAccess | kKeyUpdate}};
}

Result<std::vector<KeyUse>> CommandGetKeys(const CommandSpec& spec, Args args) {
  const std::vector<KeySpec> specs = KeySpecsOf(spec);
  if (std::all_of(specs.begin(), specs.end(),
                  [](const KeySpec& key) { return (key.effects & kKeyNotKey) != 0; })) {
    return errors::Custom("ERR The command has no key arguments");
  }
  if (!ArityFits(spec, args)) {
    return errors::Custom("ERR Invalid number of arguments specified for command");
  }
  std::vector<KeyUse> keys = FindKeys(spec, args);
  // Keys that may be left out, but were looked for: Redis then shows none at all.
  for (const KeySpec& key_spec : KeySpecsOf(spec)) {
    if (spec.find_keys == nullptr && key_spec.search == KeySearch::kIndex &&
        key_spec.range.first >= static_cast<int>(args.size())) {
      keys.clear();
    }
  }
  if (keys.empty()) return errors::Custom("ERR Invalid arguments specified for command");
  return keys;
}

}  // namespace metastore::commands
