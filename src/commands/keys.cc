#include "commands/keys.h"

#include "commands/errors.h"

namespace metastore::commands {
namespace {

void AddRange(const KeyRange& range, KeyAccess access, uint8_t effects, Args args,
              std::vector<KeyUse>* keys) {
  if (range.step <= 0) return;
  const int argc = static_cast<int>(args.size());
  const int last = range.last >= 0 ? range.last : argc + range.last;
  // The last key of MSET's pairs is followed by its value, so `last` may lie behind it.
  for (int i = range.first; i <= last && i < argc; i += range.step) {
    keys->push_back({i, access, effects});
  }
}

}  // namespace

bool ArityFits(const CommandSpec& spec, Args args) {
  const int argc = static_cast<int>(args.size());
  return spec.arity >= 0 ? argc == spec.arity : argc >= -spec.arity;
}

std::vector<KeyUse> FindKeys(const CommandSpec& spec, Args args) {
  std::vector<KeyUse> keys;
  bool specified = false;
  for (const KeySpec& key_spec : spec.key_specs) {
    if (key_spec.access == KeyAccess::kNone) continue;
    specified = true;
    AddRange(key_spec.range, key_spec.access, key_spec.effects, args, &keys);
  }
  if (!specified) {
    bool reads = (spec.flags & kReadonly) != 0;
    AddRange(spec.keys, reads ? KeyAccess::kRO : KeyAccess::kRW,
             reads ? kKeyAccess : kKeyAccess | kKeyUpdate, args, &keys);
  }
  return keys;
}

Result<std::vector<KeyUse>> CommandGetKeys(const CommandSpec& spec, Args args) {
  if (spec.keys.step == 0) return errors::Custom("ERR The command has no key arguments");
  if (!ArityFits(spec, args)) {
    return errors::Custom("ERR Invalid number of arguments specified for command");
  }
  std::vector<KeyUse> keys = FindKeys(spec, args);
  if (keys.empty()) return errors::Custom("ERR Invalid arguments specified for command");
  return keys;
}

}  // namespace metastore::commands
