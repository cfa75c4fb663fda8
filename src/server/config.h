// Config: the node's options. One table (Options) knows each option's name, type, unit, default,
// range and reason; flags, the configuration file, CONFIG and conf/metastore.conf all read it.
//
// The values are an immutable Settings: readers take the present one and keep it as long as they
// like, CONFIG SET publishes another. Flags win over the file, the file over the defaults.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "server/limits.h"
#include "types/encoding.h"

namespace metastore::server {

struct OutputLimits {
  OutputLimit normal;
  OutputLimit replica;  // kept for configurations written for Redis: no client is a replica
  OutputLimit pubsub;
  friend bool operator==(const OutputLimits&, const OutputLimits&) = default;
};

// The values of all options. Only Config makes one; the defaults are in the table.
struct Settings {
  // Who this node is. Fixed for the run.
  int64_t id = 0;
  std::vector<std::string> cluster;  // "http://host:port" of the members 1 … n
  std::string join = "no";           // "yes", or the url of a member
  std::string peer_url;
  std::string peer_listen;  // "host:port", or empty
  static const std::vector<std::string>& DefaultCluster();
  bool joins() const { return join != "no"; }
  // The member to ask for an id; empty: this node has been given one.
  std::string join_url() const { return join == "yes" || join == "no" ? "" : join; }
  std::string data_dir;

  // Where it listens.
  std::vector<std::string> bind;
  int64_t redis_port = 0;
  int64_t http_port = 0;
  int64_t tcp_backlog = 0;
  int64_t io_threads = 0;

  std::string log_level;
  std::string log_file;

  // Clients.
  std::string requirepass;
  int64_t maxclients = 0;
  int64_t timeout_s = 0;
  int64_t tcp_keepalive_s = 0;
  OutputLimits client_output_buffer_limit;
  int64_t client_query_buffer_bytes = 0;
  int64_t proto_max_bulk_bytes = 0;
  int64_t max_inflight_bytes = 0;
  int64_t output_memory_bytes = 0;
  int64_t tracking_table_max_keys = 0;
  int64_t notify_classes = 0;  // engine::NotifyClass

  // Replication.
  int64_t request_timeout_ms = 0;
  int64_t heartbeat_interval_ms = 0;
  int64_t election_timeout_ms = 0;
  int64_t lease_margin_ms = 0;
  int64_t log_retain_bytes = 0;
  int64_t log_cache_bytes = 0;
  int64_t log_flush_bytes = 0;
  int64_t snapshot_bytes_per_s = 0;

  // How clients find the nodes.
  bool cluster_enabled = false;
  std::string cluster_slots;
  std::string cluster_announce_ip;
  int64_t cluster_announce_port = 0;
  std::string sentinel_master_name;

  // Storage.
  int64_t block_cache_bytes = 0;
  int64_t record_cache_bytes = 0;
  int64_t write_buffer_bytes = 0;
  int64_t disk_reserve_bytes = 0;
  bool active_expire = false;

  // What OBJECT ENCODING shows.
  int64_t hash_max_listpack_entries = 0;
  int64_t hash_max_listpack_value = 0;
  int64_t set_max_intset_entries = 0;
  int64_t zset_max_listpack_entries = 0;
  int64_t zset_max_listpack_value = 0;

  // Redis's, without effect here.
  int64_t set_max_listpack_entries = 0;
  int64_t set_max_listpack_value = 0;
  int64_t list_max_listpack_size = 0;
  int64_t list_compress_depth = 0;
  int64_t stream_node_max_bytes = 0;
  int64_t stream_node_max_entries = 0;
  int64_t hll_sparse_max_bytes = 0;
};

enum class OptionType : uint8_t {
  kInteger,
  kMemory,  // bytes; "64mb" and the like are understood
  kBool,    // yes, no
  kText,
  kSwitch,  // text; a flag without a value means yes
  kChoice,  // one of `choices`
  kList,    // words; a flag may separate them by commas
  kOutputLimits,
  kNotifyClasses,  // letters of classes of keyspace notifications
};

enum class OptionChange : uint8_t {
  kAtStart,    // by flag or file only
  kAtRunTime,  // by CONFIG SET too
};

struct OptionSpec {
  std::string_view name;
  OptionType type;
  std::variant<int64_t Settings::*, bool Settings::*, std::string Settings::*,
               std::vector<std::string> Settings::*, OutputLimits Settings::*>
      member;
  std::string_view unit;           // "ms", "bytes" …; "" where there is none
  std::string_view default_value;  // as one writes it in the file
  int64_t min = 0;                 // kInteger and kMemory
  int64_t max = 0;
  OptionChange change = OptionChange::kAtStart;
  std::string_view choices;     // kChoice: separated by spaces
  std::string_view why;         // one line
  std::string_view alias = {};  // an older name that Redis still takes
};

std::span<const OptionSpec> Options();

// What the Redis options that this server does not have amount to here. CONFIG GET shows them
// because tools ask for them; their values cannot be changed.
struct FixedOption {
  std::string_view name;
  std::string_view value;
  std::string_view why;
};
std::span<const FixedOption> FixedOptions();

// Splits a line into words as Redis does: "double" quotes with \n \r \t \b \a \xHH escapes,
// 'single' quotes. False: unbalanced quotes.
bool SplitWords(std::string_view line, std::vector<std::string>* words);

// The text of a configuration file with the values of `settings` in it (as CONFIG REWRITE writes
// them): comments, order and lines whose value has not changed stay.
std::string RewriteConfigText(std::string_view old_text, const Settings& settings);

class Config {
 public:
  // The defaults, for tests.
  Config();
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  // Reads the flags (without the program's name) and the file that --config names. The message of
  // an error is one line for an operator. When the flags ask for text (--help, --version), *text
  // is not empty: print it and stop.
  static Result<std::unique_ptr<Config>> FromFlags(const std::vector<std::string>& flags,
                                                   std::string* text);
  // As if `file_text` stood in a file of this name, without flags.
  static Result<std::unique_ptr<Config>> FromText(std::string_view file_text,
                                                  std::string_view file_name);

  // The present values. Any thread; cheap, but not for every command: loops use Limits.
  std::shared_ptr<const Settings> settings() const;

  using Pair = std::pair<std::string, std::string>;
  // CONFIG GET: the options that match any of the glob patterns, each once, ordered by name.
  std::vector<Pair> Get(std::span<const std::string_view> patterns) const;

  // CONFIG SET: all pairs or none. `publish` is called with the values before and now, ahead of
  // any later Set; it puts them to work, and may not call this Config. The error is Redis's line.
  Status Set(std::span<const std::pair<std::string_view, std::string_view>> pairs,
             const std::function<void(const Settings& before, const Settings& now)>& publish);

  // CONFIG REWRITE: replaces the file by one with the same comments and order and the present
  // values, atomically. The error is Redis's line.
  Status Rewrite();

  // "": started without a file. Absolute otherwise.
  const std::string& file() const { return file_; }

 private:
  // The values to start with, unless they do not fit together.
  Status Begin(Settings raw);

  std::string file_;
  mutable Mutex mutex_;
  Settings raw_ GUARDED_BY(mutex_);  // as written: derived defaults are still 0 or empty
  std::shared_ptr<const Settings> settings_ GUARDED_BY(mutex_);
};

// What the loops need of it.
Limits LimitsOf(const Settings& settings);
types::EncodingLimits EncodingLimitsOf(const Settings& settings);

}  // namespace metastore::server
