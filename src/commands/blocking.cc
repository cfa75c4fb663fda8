#include "commands/blocking.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/parse.h"
#include "commands/errors.h"
#include "commands/keys.h"
#include "resp/value.h"
#include "types/stream.h"

namespace metastore::commands {
namespace {

using types::Type;

constexpr Blocking kTable[] = {
    {"blpop", Type::kList, -1},
    {"brpop", Type::kList, -1},
    {"blmpop", Type::kList, 1},
    {"blmove", Type::kList, 5, true},
    {"brpoplpush", Type::kList, 3, true},
    {"bzpopmin", Type::kZset, -1},
    {"bzpopmax", Type::kZset, -1},
    {"bzmpop", Type::kZset, 1},
    {"xread", Type::kStream, 0, false, false},
    {"xreadgroup", Type::kStream, 0, false, false, true},
};

// Where the word stands among the options of XREAD and XREADGROUP; none: it does not.
std::optional<size_t> FindOption(Args args, std::string_view word) {
  for (size_t i = 1; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], word)) return i;
    if (EqualsIgnoreCase(args[i], "STREAMS")) break;
    if (EqualsIgnoreCase(args[i], "COUNT") || EqualsIgnoreCase(args[i], "BLOCK")) i += 1;
    if (EqualsIgnoreCase(args[i], "GROUP")) i += 2;
  }
  return std::nullopt;
}

// A reply is [key, what was popped …].
struct Popped {
  std::string key;
  std::vector<std::string> parts;  // elements, or members and scores in turn
};
std::optional<Popped> ReadPopped(std::string_view reply) {
  resp::Value value;
  if (resp::ParseValue(&reply, &value) != resp::ParseResult::kValue) return std::nullopt;
  if (value.type != resp::Type::kArray || value.children.size() < 2) return std::nullopt;
  Popped popped;
  popped.key = value.children[0].text;
  std::vector<const resp::Value*> open;
  for (size_t i = value.children.size() - 1; i > 0; --i) open.push_back(&value.children[i]);
  while (!open.empty()) {
    const resp::Value* next = open.back();
    open.pop_back();
    if (next->type != resp::Type::kArray) {
      popped.parts.push_back(next->text);
      continue;
    }
    for (size_t i = next->children.size(); i > 0; --i) open.push_back(&next->children[i - 1]);
  }
  return popped;
}

}  // namespace

Result<int64_t> ParseTimeout(std::string_view text) {
  long double seconds;
  if (!ParseLongDouble(text, &seconds)) {
    return errors::Custom("ERR timeout is not a float or out of range");
  }
  // As in Redis, whose conversion makes a negative number of what is too large.
  const long double ms = std::ceil(seconds * 1000);
  if (ms < 0 || ms >= 0x1p63L) return errors::Custom("ERR timeout is negative");
  return static_cast<int64_t>(ms);
}

const Blocking* BlockingOf(const CommandSpec& spec) {
  if ((spec.flags & Flag::kBlocking) == 0) return nullptr;
  const Blocking* found =
      std::find_if(std::begin(kTable), std::end(kTable),
                   [&spec](const Blocking& blocking) { return blocking.name == spec.name; });
  return found == std::end(kTable) ? nullptr : found;
}

std::optional<int64_t> TimeoutMs(const Blocking& blocking, Args args) {
  if (blocking.timeout_at == 0) {
    const std::optional<size_t> at = FindOption(args, "BLOCK");
    int64_t ms;
    if (!at || *at + 1 >= args.size() || !ParseInt64(args[*at + 1], &ms) || ms < 0) return {};
    return ms;
  }
  const size_t at = blocking.timeout_at > 0
                        ? static_cast<size_t>(blocking.timeout_at)
                        : args.size() - static_cast<size_t>(-blocking.timeout_at);
  Result<int64_t> ms = ParseTimeout(args[at]);
  if (!ms.ok()) return {};
  return *ms;
}

std::vector<std::string> KeysWaitedFor(const Blocking& blocking, const CommandSpec& spec,
                                       Args args) {
  std::vector<std::string> keys;
  for (const KeyUse& use : FindKeys(spec, args)) {
    std::string key(args[static_cast<size_t>(use.position)]);
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
    if (blocking.first_key_only) break;
  }
  return keys;
}

std::vector<std::string> ArgsToWaitWith(const Blocking& blocking, const engine::View& view, int db,
                                        Args args) {
  std::vector<std::string> copy(args.begin(), args.end());
  const std::optional<size_t> at = FindOption(args, "STREAMS");
  if (blocking.name != "xread" || !at) return copy;
  const size_t streams = (args.size() - *at - 1) / 2;
  for (size_t i = 0; i < streams; ++i) {
    std::string& id = copy[*at + 1 + streams + i];
    if (id != "$" && id != "+") continue;
    Result<types::Stream> stream = types::Stream::Find(view, db, copy[*at + 1 + i]);
    id = stream.ok() ? stream->info().last_id.ToString() : "0-0";
  }
  return copy;
}

std::vector<std::string> GiveBack(const Blocking& blocking, Args args, std::string_view reply) {
  if (!blocking.takes || blocking.first_key_only) return {};
  std::optional<Popped> popped = ReadPopped(reply);
  if (!popped) return {};
  std::vector<std::string>& parts = popped->parts;
  std::vector<std::string> command;
  if (blocking.waits_for == Type::kZset) {
    command = {"ZADD", popped->key};
    for (size_t i = 0; i + 1 < parts.size(); i += 2) {
      command.push_back(parts[i + 1]);
      command.push_back(parts[i]);
    }
    return command;
  }
  bool left = blocking.name == "blpop";
  if (blocking.name == "blmpop") {
    // BLMPOP timeout numkeys key … LEFT|RIGHT
    int64_t keys;
    if (!ParseInt64(args[2], &keys)) return {};
    left = EqualsIgnoreCase(args[static_cast<size_t>(keys) + 3], "LEFT");
  }
  command = {left ? "LPUSH" : "RPUSH", popped->key};
  // The one that came first goes last, and is at the end again.
  command.insert(command.end(), std::make_move_iterator(parts.rbegin()),
                 std::make_move_iterator(parts.rend()));
  return command;
}

}  // namespace metastore::commands
