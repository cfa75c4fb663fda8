// CommandSpec: everything that is known of a command, in one constexpr table at the foot of its
// group's file. COMMAND, ACL categories, routing, arity and key extraction all read it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "commands/context.h"

namespace metastore::commands {

// COMMAND INFO's flags, by Redis's names.
enum Flag : uint32_t {
  kWrite = 1 << 0,
  kReadonly = 1 << 1,
  kDenyOom = 1 << 2,  // may grow the data: refused when the disk is nearly full
  kAdmin = 1 << 3,
  kPubsub = 1 << 4,
  kNoscript = 1 << 5,
  kBlocking = 1 << 6,
  kLoading = 1 << 7,
  kStale = 1 << 8,
  kSkipMonitor = 1 << 9,
  kSkipSlowlog = 1 << 10,
  kAsking = 1 << 11,
  kFast = 1 << 12,
  kNoAuth = 1 << 13,
  kMayReplicate = 1 << 14,
  kSentinel = 1 << 15,
  kOnlySentinel = 1 << 16,
  kNoMandatoryKeys = 1 << 17,
  kProtected = 1 << 18,
  kModule = 1 << 19,
  kNoAsyncLoading = 1 << 20,
  kNoMulti = 1 << 21,
  kMovableKeys = 1 << 22,
  kAllowBusy = 1 << 23,

  // Ours, shown to nobody: a read whose reply may be of any size. It never rides in the log, and a
  // client gets it in pieces (server/reply_stream.h). Once the handler has begun to write it must
  // succeed.
  kLargeReply = 1 << 24,
  // Ours, shown to nobody. Of transactions: what runs at once inside MULTI, EXEC, and WATCH.
  kNeverQueued = 1 << 25,
  kExecutes = 1 << 26,
  kWatches = 1 << 27,
  kNeedsCluster = 1 << 28,  // an error unless the option cluster-enabled is on
  // Not Redis's, and not shown. A local command that changes what its client is sent unasked: it
  // waits until all before it are answered, so that their replies stand in front of that.
  kAfterReplies = 1 << 29,
};

// ACL categories beyond those that follow from the flags (as in Redis, write, read, slow/fast,
// admin+dangerous, pubsub, blocking are implied).
enum Category : uint32_t {
  kAclKeyspace = 1 << 0,
  kAclRead = 1 << 1,
  kAclWrite = 1 << 2,
  kAclSet = 1 << 3,
  kAclSortedSet = 1 << 4,
  kAclList = 1 << 5,
  kAclHash = 1 << 6,
  kAclString = 1 << 7,
  kAclBitmap = 1 << 8,
  kAclHyperloglog = 1 << 9,
  kAclGeo = 1 << 10,
  kAclStream = 1 << 11,
  kAclPubsub = 1 << 12,
  kAclAdmin = 1 << 13,
  kAclFast = 1 << 14,
  kAclSlow = 1 << 15,
  kAclBlocking = 1 << 16,
  kAclDangerous = 1 << 17,
  kAclConnection = 1 << 18,
  kAclTransaction = 1 << 19,
  kAclScripting = 1 << 20,
};

// COMMAND INFO's first key, last key (negative: from the end) and step; all 0: no keys.
struct KeyRange {
  int first = 0;
  int last = 0;
  int step = 0;
};

// Access of a key specification, as COMMAND INFO reports it.
enum class KeyAccess : uint8_t { kNone, kRO, kRW, kOW, kRM };
enum KeyEffect : uint8_t {
  kKeyAccess = 1,
  kKeyUpdate = 2,
  kKeyInsert = 4,
  kKeyDelete = 8,
  kKeyVariableFlags = 16,
  kKeyNotKey = 32,  // a shard channel: stands where a key would, and names none
};
// Where a specification's keys are looked for: at an index, behind a word, or only by the command
// itself (CommandSpec::find_keys).
enum class KeySearch : uint8_t { kIndex, kKeyword, kUnknown };
struct KeySpec {
  // With a keyword, `first` is where the search for it starts (negative: from the end, backwards)
  // and `last` counts from the key behind it.
  KeyRange range;
  KeyAccess access = KeyAccess::kNone;
  uint8_t effects = 0;
  std::string_view notes = {};
  KeySearch search = KeySearch::kIndex;
  std::string_view keyword = {};
  // 2 with a `last` of -1: the keys are the first half of what is left.
  int limit = 0;
  // The argument at `first` says how many keys follow it.
  bool counted = false;
};

constexpr KeySpec CountedKeys(int index, KeyAccess access, uint8_t effects) {
  KeySpec spec{{index, index, 1}, access, effects};
  spec.counted = true;
  return spec;
}

constexpr KeySpec KeysBehind(std::string_view keyword, int start, int last, int limit,
                             KeyAccess access, uint8_t effects) {
  KeySpec spec{{start, last, 1}, access, effects};
  spec.search = KeySearch::kKeyword;
  spec.keyword = keyword;
  spec.limit = limit;
  return spec;
}

constexpr KeySpec UnknownKeys(KeyAccess access, uint8_t effects, std::string_view notes) {
  KeySpec spec{{}, access, effects, notes};
  spec.search = KeySearch::kUnknown;
  return spec;
}

struct KeyUse {
  int position = 0;  // in args
  KeyAccess access = KeyAccess::kNone;
  uint8_t effects = 0;
  friend bool operator==(const KeyUse&, const KeyUse&) = default;
};

struct Handler {
  ReadHandler read = nullptr;
  WriteHandler write = nullptr;
  LocalHandler local = nullptr;
  // Of a command that is both local and a read: whether it is a read with these arguments.
  bool (*is_read)(Args args) = nullptr;
  constexpr Handler() = default;
  constexpr Handler(ReadHandler h) : read(h) {}    // NOLINT: conversion is the point
  constexpr Handler(WriteHandler h) : write(h) {}  // NOLINT
  constexpr Handler(LocalHandler h) : local(h) {}  // NOLINT
};

struct CommandSpec {
  std::string_view name;  // lower case; a subcommand's own name without its container's
  int arity = 0;          // Redis's: counts the name; negative is "at least"
  uint32_t flags = 0;
  uint32_t categories = 0;
  KeyRange keys;
  Handler handler;         // none for a pure container
  std::string_view group;  // "string", "generic", "server", ...
  std::string_view since;  // Redis version
  std::string_view complexity;
  std::string_view summary;
  std::span<const CommandSpec> subcommands;
  // Several when their uses differ (COPY, RENAME); empty: derived from keys and flags.
  KeySpec key_specs[3];
  // Where the specifications cannot say it: the keys of a command of the right arity; none for a
  // command that is no valid one.
  std::vector<KeyUse> (*find_keys)(Args args) = nullptr;
};

// One table per group, at the foot of the group's file.
std::span<const CommandSpec> StringCommands();
std::span<const CommandSpec> BitmapCommands();
std::span<const CommandSpec> HyperloglogCommands();
std::span<const CommandSpec> HashCommands();
std::span<const CommandSpec> ListCommands();
std::span<const CommandSpec> SetCommands();
std::span<const CommandSpec> SortedSetCommands();
std::span<const CommandSpec> StreamCommands();
std::span<const CommandSpec> GeoCommands();
std::span<const CommandSpec> SortCommands();
std::span<const CommandSpec> DumpCommands();
std::span<const CommandSpec> GenericCommands();
std::span<const CommandSpec> PublishCommands();

}  // namespace metastore::commands
