#include "server/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "base/format.h"
#include "base/glob.h"
#include "base/parse.h"
#include "engine/events.h"
#include "replica/membership_change.h"
#include "replica/topology.h"
#include "server/info.h"

namespace metastore::server {
namespace {

using enum OptionType;
using enum OptionChange;

constexpr int64_t kMaxBytes = INT64_MAX;
constexpr size_t kMaxConfigFileBytes = 4 << 20;
constexpr int64_t kMaxMembers = 64;
constexpr int64_t kFirstRedisPort = 6379;

constexpr std::string_view kWithoutEffect =
    "Taken for clients that set it in Redis; the form of what is stored is every replica's.";

constexpr OptionSpec kOptions[] = {
    {"id", kInteger, &Settings::id, "", "1", 1, kMaxMembers, kAtStart, "",
     "This node's number: its place in `cluster`, counted from 1."},
    {"cluster", kList, &Settings::cluster, "", "http://127.0.0.1:9021", 0, 0, kAtStart, "",
     "Peer addresses of members 1 to n, http://host:port, the same list on every node."},
    {"join", kSwitch, &Settings::join, "", "no", 0, 0, kAtStart, "",
     "Enter a running cluster: yes, after it has added this node, or the peer address of a "
     "member."},
    {"peer-url", kText, &Settings::peer_url, "", "", 0, 0, kAtStart, "",
     "This node's own peer address, where `join` names a member; else it stands in `cluster`."},
    {"peer-listen", kText, &Settings::peer_listen, "", "", 0, 0, kAtStart, "",
     "host:port on which this node listens for peers, where that is not its peer address."},
    {"data-dir", kText, &Settings::data_dir, "", "", 0, 0, kAtStart, "",
     "Where log and data live; empty means data/<id>."},
    {"bind", kList, &Settings::bind, "", "127.0.0.1", 0, 0, kAtStart, "",
     "Addresses for clients; loopback by default, so that nobody serves a network by accident."},
    {"redis-port", kInteger, &Settings::redis_port, "port", "0", 0, 65535, kAtStart, "",
     "RESP port; 0 means 6379 + (id - 1), so that nodes of one host do not collide."},
    {"port", kInteger, &Settings::http_port, "port", "12380", 1, 65535, kAtStart, "", "HTTP port."},
    {"tcp-backlog", kInteger, &Settings::tcp_backlog, "connections", "511", 1, 65535, kAtStart, "",
     "Connections that may wait to be accepted; the kernel's somaxconn bounds it too."},
    {"io-threads", kInteger, &Settings::io_threads, "threads", "1", 1, 64, kAtStart, "",
     "Loops that serve clients; more than one pays when clients keep a whole core busy."},
    {"log-level", kChoice, &Settings::log_level, "", "info", 0, 0, kAtRunTime,
     "trace debug info warning error critical off", "Lines below this level are not written."},
    {"log-file", kText, &Settings::log_file, "", "", 0, 0, kAtStart, "",
     "Where log lines go; empty means standard output."},
    {"requirepass", kText, &Settings::requirepass, "", "", 0, 0, kAtRunTime, "",
     "Password of the default user; empty means that clients need none."},
    {"maxclients", kInteger, &Settings::maxclients, "clients", "10000", 1, 1000000, kAtRunTime, "",
     "Connections past it are refused, so that clients cannot use up file descriptors."},
    {"timeout", kInteger, &Settings::timeout_s, "s", "0", 0, INT32_MAX, kAtRunTime, "",
     "A client silent for so long is closed; 0 means never."},
    {"tcp-keepalive", kInteger, &Settings::tcp_keepalive_s, "s", "300", 0, INT32_MAX, kAtRunTime,
     "", "Idle time before the kernel probes whether a client still exists; 0 means never."},
    {"client-output-buffer-limit", kOutputLimits, &Settings::client_output_buffer_limit, "",
     "normal 0 0 0 replica 268435456 67108864 60 pubsub 33554432 8388608 60", 0, 0, kAtRunTime, "",
     "class hard soft seconds: a client with more unread replies is closed; 0 means no limit."},
    {"client-query-buffer-limit", kMemory, &Settings::client_query_buffer_bytes, "bytes", "1gb",
     1 << 20, kMaxBytes, kAtRunTime, "", "A client with more unparsed input is closed."},
    {"proto-max-bulk-len", kMemory, &Settings::proto_max_bulk_bytes, "bytes", "512mb", 1 << 20,
     512 << 20, kAtRunTime, "", "The longest single argument a client may send."},
    {"max-inflight-bytes", kMemory, &Settings::max_inflight_bytes, "bytes", "64mb", 1 << 20,
     kMaxBytes, kAtRunTime, "",
     "Commands under way to the log; past it clients are not read until replies come."},
    {"output-memory", kMemory, &Settings::output_memory_bytes, "bytes", "128mb", 1 << 20, kMaxBytes,
     kAtStart, "",
     "Unread replies of all clients together; past it they wait, past twice it the worst is "
     "closed."},
    {"tracking-table-max-keys", kInteger, &Settings::tracking_table_max_keys, "keys", "1000000", 0,
     INT64_MAX, kAtRunTime, "",
     "Keys kept for client-side caches; past it the oldest are told as changed. 0: no limit."},
    {"notify-keyspace-events", kNotifyClasses, &Settings::notify_classes, "", "", 0, 0, kAtRunTime,
     "",
     "Events of keys that this node publishes: K and E choose the channels, A means g$lshzxetd."},
    {"request-timeout", kInteger, &Settings::request_timeout_ms, "ms", "5000", 100, 3600000,
     kAtStart, "", "A command that finds no majority for so long is answered with an error."},
    {"heartbeat-interval", kInteger, &Settings::heartbeat_interval_ms, "ms", "100", 10, 60000,
     kAtStart, "", "How often a leader shows that it lives; well below election-timeout."},
    {"election-timeout", kInteger, &Settings::election_timeout_ms, "ms", "550", 50, 600000,
     kAtStart, "", "Silence, up to twice this, after which a follower starts an election."},
    {"lease-margin", kInteger, &Settings::lease_margin_ms, "ms", "100", 0, 600000, kAtStart, "",
     "Taken off election-timeout for the read lease: how far clocks may drift apart meanwhile."},
    {"log-retain", kMemory, &Settings::log_retain_bytes, "bytes", "64mb", 0, kMaxBytes, kAtStart,
     "", "Applied log kept for followers that fell back; past it they need a snapshot."},
    {"log-cache", kMemory, &Settings::log_cache_bytes, "bytes", "64mb", 1 << 20, kMaxBytes,
     kAtStart, "", "Recent log entries in memory, so that followers are not served from disk."},
    {"log-flush", kMemory, &Settings::log_flush_bytes, "bytes", "256mb", 1 << 20, kMaxBytes,
     kAtStart, "", "Log written since the last flush at which data is flushed: bounds replay."},
    {"snapshot-rate", kMemory, &Settings::snapshot_bytes_per_s, "bytes/s", "64mb", 0, kMaxBytes,
     kAtStart, "",
     "Speed of sending snapshots, all together, so that it leaves room for clients; 0: no limit."},
    {"cluster-enabled", kBool, &Settings::cluster_enabled, "", "no", 0, 0, kAtStart, "",
     "Answer clients of Redis Cluster: CLUSTER and its like; the same on every node."},
    {"cluster-slots", kChoice, &Settings::cluster_slots, "", "even", 0, 0, kAtStart, "even leader",
     "Whom clients of Redis Cluster are sent to: all nodes evenly, or only the leader; the same on "
     "every node."},
    {"cluster-announce-ip", kText, &Settings::cluster_announce_ip, "", "", 0, 0, kAtStart, "",
     "Host at which clients reach this node, as other nodes tell it; empty: that of its peer "
     "address.",
     "replica-announce-ip"},
    {"cluster-announce-port", kInteger, &Settings::cluster_announce_port, "port", "0", 0, 65535,
     kAtStart, "", "Port at which clients reach this node; 0: redis-port.",
     "replica-announce-port"},
    {"sentinel-master-name", kText, &Settings::sentinel_master_name, "", "mymaster", 0, 0, kAtStart,
     "", "What SENTINEL MASTERS calls the leader; other SENTINEL commands take any name."},
    {"record-cache", kMemory, &Settings::record_cache_bytes, "bytes", "160mb", 0, kMaxBytes,
     kAtStart, "", "Keys with small values that are used often, ready to be sent; 0: none."},
    {"block-cache", kMemory, &Settings::block_cache_bytes, "bytes", "128mb", 1 << 20, kMaxBytes,
     kAtStart, "", "Data blocks in memory; the more of what is read fits, the fewer disk reads."},
    {"write-buffer", kMemory, &Settings::write_buffer_bytes, "bytes", "64mb", 1 << 20, kMaxBytes,
     kAtStart, "", "Data in memory that is not flushed; larger means fewer and larger flushes."},
    {"disk-reserve", kMemory, &Settings::disk_reserve_bytes, "bytes", "256mb", 0, kMaxBytes,
     kAtStart, "", "Free disk below which writes are refused, so that deletes always have room."},
    {"active-expire", kBool, &Settings::active_expire, "", "yes", 0, 0, kAtRunTime, "",
     "Delete keys when they expire, not only when they are next written; reads hide them anyway."},
    {"hash-max-listpack-entries", kInteger, &Settings::hash_max_listpack_entries, "", "512", 0,
     INT64_MAX, kAtRunTime, "", "OBJECT ENCODING of a hash that had more fields is hashtable.",
     "hash-max-ziplist-entries"},
    {"hash-max-listpack-value", kMemory, &Settings::hash_max_listpack_value, "bytes", "64", 0,
     kMaxBytes, kAtRunTime, "", "OBJECT ENCODING of a hash that had a longer value is hashtable.",
     "hash-max-ziplist-value"},
    {"set-max-intset-entries", kInteger, &Settings::set_max_intset_entries, "", "512", 0, INT64_MAX,
     kAtRunTime, "", "OBJECT ENCODING of a set that had more members is hashtable."},
    {"zset-max-listpack-entries", kInteger, &Settings::zset_max_listpack_entries, "", "128", 0,
     INT64_MAX, kAtRunTime, "",
     "OBJECT ENCODING of a sorted set that had more members is skiplist.",
     "zset-max-ziplist-entries"},
    {"zset-max-listpack-value", kMemory, &Settings::zset_max_listpack_value, "bytes", "64", 0,
     kMaxBytes, kAtRunTime, "",
     "OBJECT ENCODING of a sorted set that had a longer member is skiplist.",
     "zset-max-ziplist-value"},
    {"set-max-listpack-entries", kInteger, &Settings::set_max_listpack_entries, "", "128", 0,
     INT64_MAX, kAtRunTime, "", kWithoutEffect},
    {"set-max-listpack-value", kMemory, &Settings::set_max_listpack_value, "bytes", "64", 0,
     kMaxBytes, kAtRunTime, "", kWithoutEffect},
    {"list-max-listpack-size", kInteger, &Settings::list_max_listpack_size, "", "-2", INT32_MIN,
     INT32_MAX, kAtRunTime, "", kWithoutEffect, "list-max-ziplist-size"},
    {"list-compress-depth", kInteger, &Settings::list_compress_depth, "", "0", 0, INT32_MAX,
     kAtRunTime, "", kWithoutEffect},
    {"stream-node-max-bytes", kMemory, &Settings::stream_node_max_bytes, "bytes", "4kb", 0,
     kMaxBytes, kAtRunTime, "", kWithoutEffect},
    {"stream-node-max-entries", kInteger, &Settings::stream_node_max_entries, "", "100", 0,
     INT64_MAX, kAtRunTime, "", kWithoutEffect},
    {"hll-sparse-max-bytes", kMemory, &Settings::hll_sparse_max_bytes, "bytes", "3000", 0,
     kMaxBytes, kAtRunTime, "", kWithoutEffect},
};

constexpr FixedOption kFixedOptions[] = {
    {"appendfsync", "always", "A reply to a write waits for the fsync of a majority."},
    {"appendonly", "yes", "Every write is in the Raft log, which is what appendonly asks for."},
    {"cluster-require-full-coverage", "yes", "Every slot always has a node."},
    {"databases", "16", "As Redis's default."},
    {"maxmemory", "0", "Data lives on disk; memory is bounded by the caches' sizes."},
    {"maxmemory-policy", "noeviction", "Keys are never evicted."},
    {"save", "", "There are no RDB snapshots on a timer: the log and the data files are durable."},
};

const OptionSpec* FindOption(std::string_view name) {
  for (const OptionSpec& option : kOptions) {
    if (EqualsIgnoreCase(option.name, name)) return &option;
    if (!option.alias.empty() && EqualsIgnoreCase(option.alias, name)) return &option;
  }
  return nullptr;
}
const FixedOption* FindFixedOption(std::string_view name) {
  for (const FixedOption& option : kFixedOptions) {
    if (EqualsIgnoreCase(option.name, name)) return &option;
  }
  return nullptr;
}

Status Bad(std::string why) { return Status::InvalidArgument(std::move(why)); }

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += separator;
    text += words[i];
  }
  return text;
}

std::vector<std::string> SplitAtAny(std::string_view text, std::string_view separators) {
  std::vector<std::string> words;
  while (!text.empty()) {
    size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// --- values and their text ---------------------------------------------------------------------

// The classes that `value` names; the others stay.
Status ParseOutputLimits(std::string_view value, OutputLimits* limits) {
  std::vector<std::string> words = SplitAtAny(value, " ");
  if (words.empty() || words.size() % 4 != 0) {
    return Bad("Wrong number of arguments in buffer limit configuration.");
  }
  OutputLimits result = *limits;
  for (size_t i = 0; i < words.size(); i += 4) {
    OutputLimit* limit = nullptr;
    if (EqualsIgnoreCase(words[i], "normal")) limit = &result.normal;
    if (EqualsIgnoreCase(words[i], "replica") || EqualsIgnoreCase(words[i], "slave")) {
      limit = &result.replica;
    }
    if (EqualsIgnoreCase(words[i], "pubsub")) limit = &result.pubsub;
    if (limit == nullptr)
      return Bad("Invalid client class specified in buffer limit configuration.");
    if (!ParseMemorySize(words[i + 1], &limit->hard_bytes) ||
        !ParseMemorySize(words[i + 2], &limit->soft_bytes) ||
        !ParseInt64(words[i + 3], &limit->soft_s) || limit->soft_s < 0) {
      return Bad("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
  }
  *limits = result;
  return Status::Ok();
}

std::string FormatOutputLimits(const OutputLimits& limits) {
  std::string text;
  auto add = [&text](std::string_view name, const OutputLimit& limit) {
    if (!text.empty()) text += ' ';
    text += name;
    text += ' ' + std::to_string(limit.hard_bytes) + ' ' + std::to_string(limit.soft_bytes) + ' ' +
            std::to_string(limit.soft_s);
  };
  add("normal", limits.normal);
  add("slave", limits.replica);  // the name under which Redis still shows it
  add("pubsub", limits.pubsub);
  return text;
}

constexpr std::pair<char, engine::NotifyClass> kNotifyLetters[] = {
    {'g', engine::kNotifyGeneric}, {'$', engine::kNotifyString},  {'l', engine::kNotifyList},
    {'s', engine::kNotifySet},     {'h', engine::kNotifyHash},    {'z', engine::kNotifyZset},
    {'x', engine::kNotifyExpired}, {'e', engine::kNotifyEvicted}, {'t', engine::kNotifyStream},
    {'d', engine::kNotifyModule},
};

Status ParseNotifyClasses(std::string_view value, int64_t* classes) {
  *classes = 0;
  for (char letter : value) {
    int64_t added = 0;
    if (letter == 'A') added = engine::kNotifyAll;
    if (letter == 'K') added = engine::kNotifyKeyspace;
    if (letter == 'E') added = engine::kNotifyKeyevent;
    if (letter == 'm') added = engine::kNotifyKeyMiss;
    if (letter == 'n') added = engine::kNotifyNew;
    for (const auto& [known, notify_class] : kNotifyLetters) {
      if (letter == known) added = notify_class;
    }
    if (added == 0) return Bad("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    *classes |= added;
  }
  return Status::Ok();
}

// In Redis's order.
std::string FormatNotifyClasses(int64_t classes) {
  const bool all = (classes & engine::kNotifyAll) == engine::kNotifyAll;
  const std::string new_keys = (classes & engine::kNotifyNew) != 0 ? "n" : "";
  std::string text = all ? "A" : "";
  for (const auto& [letter, notify_class] : kNotifyLetters) {
    if (!all && (classes & notify_class) != 0) text += letter;
  }
  if (!all) text += new_keys;
  if ((classes & engine::kNotifyKeyspace) != 0) text += 'K';
  if ((classes & engine::kNotifyKeyevent) != 0) text += 'E';
  if ((classes & engine::kNotifyKeyMiss) != 0) text += 'm';
  // Redis 7.0 does not show it behind an A.
  if (all) text += new_keys;
  return text;
}

Status CheckRange(const OptionSpec& option, int64_t value) {
  if (value >= option.min && value <= option.max) return Status::Ok();
  return Bad("argument must be between " + std::to_string(option.min) + " and " +
             std::to_string(option.max) + " inclusive");
}

// The messages are those of Redis's CONFIG SET.
Status SetValue(const OptionSpec& option, std::string_view value, Settings* settings) {
  switch (option.type) {
    case kInteger: {
      int64_t number;
      if (!ParseInt64(value, &number)) return Bad("argument couldn't be parsed into an integer");
      RETURN_IF_ERROR(CheckRange(option, number));
      settings->*std::get<int64_t Settings::*>(option.member) = number;
      return Status::Ok();
    }
    case kMemory: {
      uint64_t bytes;
      if (!ParseMemorySize(value, &bytes) || bytes > static_cast<uint64_t>(kMaxBytes)) {
        return Bad("argument must be a memory value");
      }
      RETURN_IF_ERROR(CheckRange(option, static_cast<int64_t>(bytes)));
      settings->*std::get<int64_t Settings::*>(option.member) = static_cast<int64_t>(bytes);
      return Status::Ok();
    }
    case kBool: {
      bool yes = EqualsIgnoreCase(value, "yes");
      if (!yes && !EqualsIgnoreCase(value, "no")) return Bad("argument must be 'yes' or 'no'");
      settings->*std::get<bool Settings::*>(option.member) = yes;
      return Status::Ok();
    }
    case kText:
    case kSwitch:
      if (value.find('\0') != value.npos) return Bad("argument must not hold a zero byte");
      settings->*std::get<std::string Settings::*>(option.member) = value;
      return Status::Ok();
    case kChoice: {
      std::vector<std::string> choices = SplitAtAny(option.choices, " ");
      for (const std::string& choice : choices) {
        if (!EqualsIgnoreCase(choice, value)) continue;
        settings->*std::get<std::string Settings::*>(option.member) = choice;
        return Status::Ok();
      }
      return Bad("argument(s) must be one of the following: " + Join(choices, ", "));
    }
    case kList: {
      std::vector<std::string> words = SplitAtAny(value, ", ");
      if (words.empty()) return Bad("argument must not be empty");
      settings->*std::get<std::vector<std::string> Settings::*>(option.member) = std::move(words);
      return Status::Ok();
    }
    case kOutputLimits:
      return ParseOutputLimits(value,
                               &(settings->*std::get<OutputLimits Settings::*>(option.member)));
    case kNotifyClasses:
      return ParseNotifyClasses(value, &(settings->*std::get<int64_t Settings::*>(option.member)));
  }
  CheckFailed(__FILE__, __LINE__, "unknown option type");
}

std::string FormatValue(const OptionSpec& option, const Settings& settings) {
  switch (option.type) {
    case kInteger:
    case kMemory:
      return std::to_string(settings.*std::get<int64_t Settings::*>(option.member));
    case kBool:
      return settings.*std::get<bool Settings::*>(option.member) ? "yes" : "no";
    case kText:
    case kSwitch:
    case kChoice:
      return settings.*std::get<std::string Settings::*>(option.member);
    case kList:
      return Join(settings.*std::get<std::vector<std::string> Settings::*>(option.member), " ");
    case kOutputLimits:
      return FormatOutputLimits(settings.*std::get<OutputLimits Settings::*>(option.member));
    case kNotifyClasses:
      return FormatNotifyClasses(settings.*std::get<int64_t Settings::*>(option.member));
  }
  CheckFailed(__FILE__, __LINE__, "unknown option type");
}

Settings Defaults() {
  Settings settings;
  for (const OptionSpec& option : kOptions) {
    // "" is the default of texts only, which an unset Settings has already.
    if (!option.default_value.empty()) CHECK_OK(SetValue(option, option.default_value, &settings));
  }
  return settings;
}

// --- the file ------------------------------------------------------------------------------------

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = ToLowerAscii(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Reads the rest of a double-quoted word, the closing quote included.
bool TakeDoubleQuoted(std::string_view* rest, std::string* word) {
  while (!rest->empty()) {
    char c = rest->front();
    rest->remove_prefix(1);
    if (c == '"') return rest->empty() || IsSpace(rest->front());
    if (c != '\\' || rest->empty()) {
      *word += c;
      continue;
    }
    char escaped = rest->front();
    if (escaped == 'x' && rest->size() >= 3 && HexDigit((*rest)[1]) >= 0 &&
        HexDigit((*rest)[2]) >= 0) {
      *word += static_cast<char>(HexDigit((*rest)[1]) * 16 + HexDigit((*rest)[2]));
      rest->remove_prefix(3);
      continue;
    }
    constexpr std::string_view kLetters = "nrtba";
    constexpr std::string_view kBytes = "\n\r\t\b\a";
    size_t known = kLetters.find(escaped);
    *word += known == kLetters.npos ? escaped : kBytes[known];
    rest->remove_prefix(1);
  }
  return false;
}

bool TakeSingleQuoted(std::string_view* rest, std::string* word) {
  while (!rest->empty()) {
    char c = rest->front();
    rest->remove_prefix(1);
    if (c == '\'') return rest->empty() || IsSpace(rest->front());
    if (c == '\\' && !rest->empty() && rest->front() == '\'') {
      c = '\'';
      rest->remove_prefix(1);
    }
    *word += c;
  }
  return false;
}

// A value as a word that SplitWords reads back.
std::string Quoted(std::string_view value) {
  bool plain = !value.empty();
  for (char c : value) {
    if (c <= ' ' || c == '"' || c == '\'' || c == '\\' || c == '#' || c >= 0x7f) plain = false;
  }
  if (plain) return std::string(value);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = "\"";
  for (char c : value) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c >= ' ' && c < 0x7f) {
      text += c;
    } else {
      text += "\\x";
      text += kHex[static_cast<unsigned char>(c) >> 4];
      text += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return text + '"';
}

// 67108864 as "64mb".
std::string FormatMemory(int64_t bytes) {
  constexpr std::pair<int, std::string_view> kUnits[] = {{30, "gb"}, {20, "mb"}, {10, "kb"}};
  for (const auto& [shift, unit] : kUnits) {
    if (bytes != 0 && bytes % (int64_t{1} << shift) == 0) {
      return std::to_string(bytes >> shift) + std::string(unit);
    }
  }
  return std::to_string(bytes);
}

std::string FileLine(const OptionSpec& option, const Settings& settings) {
  std::string line(option.name);
  line += ' ';
  if (option.type == kMemory) {
    return line + FormatMemory(settings.*std::get<int64_t Settings::*>(option.member));
  }
  std::string value = FormatValue(option, settings);
  // Lists and limits are several words, none of which needs quotes.
  return line + (option.type == kList || option.type == kOutputLimits ? value : Quoted(value));
}

// One line of the file, in words. Empty words: a comment or nothing. Otherwise *option and *value.
Status ReadLine(std::string_view line, const OptionSpec** option, std::string* value) {
  *option = nullptr;
  while (!line.empty() && IsSpace(line.front())) line.remove_prefix(1);
  if (line.empty() || line.front() == '#') return Status::Ok();
  std::vector<std::string> words;
  if (!SplitWords(line, &words)) return Bad("unbalanced quotes");
  if (words.empty()) return Status::Ok();
  *option = FindOption(words[0]);
  if (*option == nullptr) {
    const FixedOption* fixed = FindFixedOption(words[0]);
    if (fixed == nullptr) return Bad("unknown option '" + words[0] + "'");
    words.erase(words.begin());
    if (Join(words, " ") == fixed->value) return Status::Ok();
    return Bad("'" + std::string(fixed->name) + "' is always '" + std::string(fixed->value) + "'");
  }
  bool many = (*option)->type == kList || (*option)->type == kOutputLimits;
  if (words.size() < 2 || (words.size() > 2 && !many)) {
    return Bad("'" + words[0] + "' takes one value");
  }
  words.erase(words.begin());
  *value = Join(words, " ");
  return Status::Ok();
}

Status ReadText(std::string_view text, std::string_view file_name, Settings* settings) {
  for (int number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    const OptionSpec* option;
    std::string value;
    Status status = ReadLine(text.substr(0, end), &option, &value);
    if (status.ok() && option != nullptr) {
      status = SetValue(*option, value, settings);
      if (!status.ok()) {
        status = Bad("'" + std::string(option->name) + "': " + status.message());
      }
    }
    if (!status.ok()) {
      return Bad(std::string(file_name) + ":" + std::to_string(number) + ": " + status.message());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return Status::Ok();
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  struct stat found;
  if (!in || ::stat(path.c_str(), &found) != 0) {
    return Bad("cannot read " + path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(found.st_mode)) return Bad("cannot read " + path + ": not a regular file");
  std::string text;
  text.resize(kMaxConfigFileBytes + 1);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return Bad("cannot read " + path);
  if (text.size() > kMaxConfigFileBytes) return Bad(path + " is longer than 4mb");
  return text;
}

// --- what concerns several options ---------------------------------------------------------------

bool IsPeerUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (url.substr(0, kScheme.size()) != kScheme) return false;
  url.remove_prefix(kScheme.size());
  size_t colon = url.rfind(':');
  if (colon == url.npos || colon == 0) return false;
  for (char c : url.substr(0, colon)) {
    if (c <= ' ' || c >= 0x7f || c == '/' || c == '@' || c == '?' || c == '#') return false;
  }
  int64_t port;
  return ParseInt64(url.substr(colon + 1), &port) && port >= 1 && port <= 65535;
}

// Fills in the defaults that depend on other options.
Settings Derive(Settings settings) {
  if (settings.data_dir.empty()) {
    settings.data_dir = "data/" + std::to_string(settings.id);
    // The id is not known yet.
    std::string host;
    uint16_t port;
    if (!settings.join_url().empty() && replica::SplitUrl(settings.peer_url, &host, &port)) {
      settings.data_dir = "data/" + host + "-" + std::to_string(port);
    }
  }
  if (settings.redis_port == 0) settings.redis_port = kFirstRedisPort + settings.id - 1;
  if (settings.cluster_announce_port == 0) settings.cluster_announce_port = settings.redis_port;
  return settings;
}

Status CheckTogether(const Settings& s) {
  int64_t members = static_cast<int64_t>(s.cluster.size());
  if (members > kMaxMembers) {
    return Bad("cluster: at most " + std::to_string(kMaxMembers) + " members");
  }
  for (const std::string& url : s.cluster) {
    if (!IsPeerUrl(url)) return Bad("cluster: '" + url + "' is not of the form http://host:port");
    if (std::count(s.cluster.begin(), s.cluster.end(), url) != 1) {
      return Bad("cluster: " + url + " stands twice");
    }
  }
  if (!s.join_url().empty()) {
    if (!IsPeerUrl(s.join_url())) {
      return Bad("join: '" + s.join + "' is neither yes, no nor of the form http://host:port");
    }
    if (!IsPeerUrl(s.peer_url)) {
      return Bad("join " + s.join + " needs peer-url, this node's own http://host:port");
    }
  } else if (s.id > members) {
    return Bad("id " + std::to_string(s.id) + " has no address: cluster names " +
               std::to_string(members) + (members == 1 ? " member" : " members"));
  }
  if (s.redis_port == s.http_port) {
    return Bad("port and redis-port are both " + std::to_string(s.http_port));
  }
  if (!s.cluster_announce_ip.empty() && !replica::IsClientHost(s.cluster_announce_ip)) {
    return Bad("cluster-announce-ip: '" + s.cluster_announce_ip + "' is no host");
  }
  if (s.sentinel_master_name.empty()) return Bad("sentinel-master-name must not be empty");
  if (s.election_timeout_ms < 2 * s.heartbeat_interval_ms) {
    return Bad("election-timeout must be at least twice heartbeat-interval");
  }
  if (s.lease_margin_ms >= s.election_timeout_ms) {
    return Bad("lease-margin must be less than election-timeout");
  }
  return Status::Ok();
}

// --- flags ---------------------------------------------------------------------------------------

std::string HelpText() {
  std::string text =
      "Usage: metaStore [--option value] ...\n"
      "       metaStore check --data-dir DIR    verifies a stopped node's directory\n\n"
      "A Redis-protocol store replicated with Raft. Without options it runs one node on\n"
      "127.0.0.1, RESP on port 6379 and HTTP on port 12380, with its data in data/1.\n\n"
      "  --config FILE\n"
      "      Options in the form `name value`, one a line; flags win. See conf/metastore.conf.\n"
      "  --help, --version\n";
  for (const OptionSpec& option : kOptions) {
    text += "  --" + std::string(option.name) + "  (";
    if (!option.unit.empty()) text += std::string(option.unit) + ", ";
    text +=
        "default " + Quoted(option.default_value) + ")\n      " + std::string(option.why) + '\n';
  }
  return text;
}

struct Flags {
  std::string file;
  bool help = false;
  bool version = false;
  std::vector<std::pair<const OptionSpec*, std::string>> values;
};

Result<Flags> ParseFlags(const std::vector<std::string>& arguments) {
  Flags flags;
  CLI::App app;
  app.set_help_flag();
  app.add_flag("--help,-h", flags.help);
  app.add_flag("--version,-v", flags.version);
  app.add_option("--config", flags.file);
  std::map<const OptionSpec*, std::pair<CLI::Option*, std::string>> given;
  for (const OptionSpec& option : kOptions) {
    auto& [flag, value] = given[&option];
    flag = app.add_option("--" + std::string(option.name), value);
    if (option.type == kBool || option.type == kSwitch) flag->expected(0, 1);
  }
  // CLI11 takes the arguments from the back, and reports by exceptions.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::string line = error.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    return Bad(line);
  }
  for (const OptionSpec& option : kOptions) {
    auto& [flag, value] = given[&option];
    if (flag->count() == 0) continue;
    bool is_switch = option.type == kBool || option.type == kSwitch;
    if (is_switch && value.empty()) value = "yes";
    flags.values.emplace_back(&option, value);
  }
  return flags;
}

// --- CONFIG REWRITE ------------------------------------------------------------------------------

constexpr std::string_view kRewriteMark = "# Generated by CONFIG REWRITE";

// A crash leaves the old file or the new one: the new one is synced before it takes the name.
Status ReplaceFile(const std::string& path, std::string_view text) {
  struct stat old;
  mode_t mode = ::stat(path.c_str(), &old) == 0 ? old.st_mode & 0777 : 0644;
  std::string temporary = path + ".rewrite." + std::to_string(::getpid());
  auto fail = [&](int fd) {
    std::string why = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    ::unlink(temporary.c_str());
    return Status::IoError(why);
  };
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(fd);
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(fd);
    text.remove_prefix(static_cast<size_t>(n));
  }
  if (::fchmod(fd, mode) != 0 || ::fsync(fd) != 0) return fail(fd);
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(-1);
  std::string directory = path.substr(0, path.rfind('/') + 1);
  int directory_fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (directory_fd >= 0) {
    ::fsync(directory_fd);
    ::close(directory_fd);
  }
  return Status::Ok();
}

Status SetError(std::string_view name, std::string_view why) {
  return {Code::kReply, "ERR CONFIG SET failed (possibly related to argument '" +
                            std::string(name) + "') - " + std::string(why)};
}

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }
std::span<const FixedOption> FixedOptions() { return kFixedOptions; }

bool SplitWords(std::string_view line, std::vector<std::string>* words) {
  words->clear();
  while (true) {
    while (!line.empty() && IsSpace(line.front())) line.remove_prefix(1);
    if (line.empty()) return true;
    std::string word;
    while (!line.empty() && !IsSpace(line.front())) {
      char c = line.front();
      line.remove_prefix(1);
      // As in Redis a quote may open within a word, and must end it.
      if (c == '"') {
        if (!TakeDoubleQuoted(&line, &word)) return false;
        break;
      }
      if (c == '\'') {
        if (!TakeSingleQuoted(&line, &word)) return false;
        break;
      }
      word += c;
    }
    words->push_back(std::move(word));
  }
}

std::string RewriteConfigText(std::string_view old_text, const Settings& settings) {
  const Settings defaults = Defaults();
  // What the old text says, so that lines which say the same stay as they were written.
  Settings before = defaults;
  bool readable = ReadText(old_text, "", &before).ok();
  std::vector<const OptionSpec*> written;
  std::string text;
  bool marked = false;
  while (!old_text.empty()) {
    size_t end = std::min(old_text.find('\n'), old_text.size());
    std::string_view line = old_text.substr(0, end);
    old_text.remove_prefix(std::min(end + 1, old_text.size()));
    if (line == kRewriteMark) marked = true;
    const OptionSpec* option;
    std::string value;
    if (!ReadLine(line, &option, &value).ok() || option == nullptr) {
      text.append(line) += '\n';
      continue;
    }
    if (readable && FormatValue(*option, before) == FormatValue(*option, settings)) {
      text.append(line) += '\n';
    } else if (std::count(written.begin(), written.end(), option) == 0) {
      text.append(FileLine(*option, settings)) += '\n';
    }
    written.push_back(option);
  }
  for (const OptionSpec& option : kOptions) {
    if (std::count(written.begin(), written.end(), &option) != 0) continue;
    if (FormatValue(option, settings) == FormatValue(option, defaults)) continue;
    if (!marked) text.append(kRewriteMark) += '\n';
    marked = true;
    text.append(FileLine(option, settings)) += '\n';
  }
  return text;
}

const std::vector<std::string>& Settings::DefaultCluster() {
  static const std::vector<std::string> cluster = Defaults().cluster;
  return cluster;
}

Config::Config() : raw_(Defaults()), settings_(std::make_shared<const Settings>(Derive(raw_))) {}

Result<std::unique_ptr<Config>> Config::FromText(std::string_view file_text,
                                                 std::string_view file_name) {
  auto config = std::make_unique<Config>();
  Settings raw = Defaults();
  RETURN_IF_ERROR(ReadText(file_text, file_name, &raw));
  RETURN_IF_ERROR(config->Begin(std::move(raw)));
  return config;
}

Result<std::unique_ptr<Config>> Config::FromFlags(const std::vector<std::string>& arguments,
                                                  std::string* text) {
  text->clear();
  Result<Flags> flags = ParseFlags(arguments);
  if (!flags.ok()) return flags.status();
  auto config = std::make_unique<Config>();
  if (flags->help) *text = HelpText();
  if (flags->version) {
    *text = "metaStore " + std::string(kVersion) + " (commands of Redis " +
            std::string(kRedisVersion) + ")\n";
  }
  if (!text->empty()) return config;
  Settings raw = Defaults();
  if (!flags->file.empty()) {
    Result<std::string> file_text = ReadFile(flags->file);
    if (!file_text.ok()) return file_text.status();
    RETURN_IF_ERROR(ReadText(*file_text, flags->file, &raw));
    // CONFIG REWRITE must find it whatever the working directory is by then.
    char* absolute = ::realpath(flags->file.c_str(), nullptr);
    config->file_ = absolute != nullptr ? absolute : flags->file;
    ::free(absolute);
  }
  for (const auto& [option, value] : flags->values) {
    Status status = SetValue(*option, value, &raw);
    if (!status.ok()) {
      return Bad("--" + std::string(option->name) + " '" + value + "': " + status.message());
    }
  }
  RETURN_IF_ERROR(config->Begin(std::move(raw)));
  return config;
}

Status Config::Begin(Settings raw) {
  Settings derived = Derive(raw);
  RETURN_IF_ERROR(CheckTogether(derived));
  MutexLock lock(mutex_);
  raw_ = std::move(raw);
  settings_ = std::make_shared<const Settings>(std::move(derived));
  return Status::Ok();
}

std::shared_ptr<const Settings> Config::settings() const {
  MutexLock lock(mutex_);
  return settings_;
}

std::vector<Config::Pair> Config::Get(std::span<const std::string_view> patterns) const {
  std::shared_ptr<const Settings> now = settings();
  auto wanted = [&patterns](std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
      return GlobMatch(pattern, name, /*ignore_case=*/true);
    });
  };
  std::vector<Pair> pairs;
  for (const OptionSpec& option : kOptions) {
    for (std::string_view name : {option.name, option.alias}) {
      if (!name.empty() && wanted(name)) pairs.emplace_back(name, FormatValue(option, *now));
    }
  }
  for (const FixedOption& option : kFixedOptions) {
    if (wanted(option.name)) pairs.emplace_back(option.name, option.value);
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

Status Config::Set(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                   const std::function<void(const Settings&, const Settings&)>& publish) {
  MutexLock lock(mutex_);
  Settings changed = raw_;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& [name, value] = pairs[i];
    const OptionSpec* option = FindOption(name);
    const FixedOption* fixed = FindFixedOption(name);
    if (option == nullptr && fixed == nullptr) {
      return {Code::kReply, "ERR Unknown option or number of arguments for CONFIG SET - '" +
                                std::string(name) + "'"};
    }
    for (size_t j = 0; j < i; ++j) {
      if (EqualsIgnoreCase(pairs[j].first, name)) return SetError(name, "duplicate parameter");
    }
    if (fixed != nullptr) {
      // Tools say what they need; where it is so already, they may go on.
      if (value == fixed->value) continue;
      return SetError(name, "can't set immutable config");
    }
    if (option->change != kAtRunTime) return SetError(name, "can't set immutable config");
    Status status = SetValue(*option, value, &changed);
    if (!status.ok()) return SetError(name, status.message());
  }
  Settings derived = Derive(changed);
  Status status = CheckTogether(derived);
  if (!status.ok()) return {Code::kReply, "ERR CONFIG SET failed - " + status.message()};
  raw_ = std::move(changed);
  std::shared_ptr<const Settings> before = std::move(settings_);
  settings_ = std::make_shared<const Settings>(std::move(derived));
  if (publish) publish(*before, *settings_);
  return Status::Ok();
}

Status Config::Rewrite() {
  MutexLock lock(mutex_);
  if (file_.empty()) return {Code::kReply, "ERR The server is running without a config file"};
  Result<std::string> old_text = ReadFile(file_);
  Status status =
      old_text.ok() ? ReplaceFile(file_, RewriteConfigText(*old_text, raw_)) : old_text.status();
  if (status.ok()) return status;
  return {Code::kReply, "ERR Rewriting config file: " + status.message()};
}

Limits LimitsOf(const Settings& settings) {
  Limits limits;
  limits.requirepass = settings.requirepass;
  limits.maxclients = settings.maxclients;
  limits.timeout_s = settings.timeout_s;
  limits.tcp_keepalive_s = settings.tcp_keepalive_s;
  limits.proto_max_bulk_bytes = static_cast<uint64_t>(settings.proto_max_bulk_bytes);
  limits.client_query_buffer_bytes = static_cast<uint64_t>(settings.client_query_buffer_bytes);
  limits.output = settings.client_output_buffer_limit.normal;
  limits.pubsub_output = settings.client_output_buffer_limit.pubsub;
  limits.tracking_table_max_keys = static_cast<uint64_t>(settings.tracking_table_max_keys);
  limits.notify_classes = static_cast<uint32_t>(settings.notify_classes);
  limits.output_memory_bytes = static_cast<uint64_t>(settings.output_memory_bytes);
  limits.max_inflight_bytes = static_cast<uint64_t>(settings.max_inflight_bytes);
  limits.encoding = EncodingLimitsOf(settings);
  limits.cluster_enabled = settings.cluster_enabled;
  return limits;
}

types::EncodingLimits EncodingLimitsOf(const Settings& settings) {
  types::EncodingLimits limits;
  limits.hash_max_listpack_entries = static_cast<uint64_t>(settings.hash_max_listpack_entries);
  limits.hash_max_listpack_value = static_cast<uint64_t>(settings.hash_max_listpack_value);
  limits.set_max_intset_entries = static_cast<uint64_t>(settings.set_max_intset_entries);
  limits.zset_max_listpack_entries = static_cast<uint64_t>(settings.zset_max_listpack_entries);
  limits.zset_max_listpack_value = static_cast<uint64_t>(settings.zset_max_listpack_value);
  return limits;
}

}  // namespace metastore::server
