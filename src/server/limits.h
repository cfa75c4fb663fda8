// The limits that every io loop obeys, as one plain value: the configuration publishes a new one
// with Server::SetLimits, and the loops take it at the start of their next turn.
#pragma once

#include <cstdint>
#include <string>

#include "types/encoding.h"

namespace metastore::server {

// One class of client-output-buffer-limit. 0: no limit.
struct OutputLimit {
  uint64_t hard_bytes = 0;
  uint64_t soft_bytes = 0;
  int64_t soft_s = 0;
  friend bool operator==(const OutputLimit&, const OutputLimit&) = default;
};

struct Limits {
  // "": clients need no AUTH.
  std::string requirepass;
  int64_t maxclients = 10000;
  // Seconds without a command after which a client is closed; 0: never.
  int64_t timeout_s = 0;
  int64_t tcp_keepalive_s = 300;

  uint64_t proto_max_bulk_bytes = uint64_t{512} << 20;
  uint64_t client_query_buffer_bytes = uint64_t{1} << 30;

  // client-output-buffer-limit, of clients that are subscribed to something and of the others.
  OutputLimit output;
  OutputLimit pubsub_output;

  // Keys that are remembered for client-side caches, all loops together; 0: no limit.
  uint64_t tracking_table_max_keys = 1000000;

  // notify-keyspace-events: engine::NotifyClass.
  uint32_t notify_classes = 0;

  // Unread replies, all loops together. Above it clients that have some are not served; above
  // twice of it the one that has most is closed.
  uint64_t output_memory_bytes = uint64_t{128} << 20;

  // Bytes of commands handed to the replica and unanswered, all loops together.
  uint64_t max_inflight_bytes = uint64_t{64} << 20;

  types::EncodingLimits encoding;

  bool cluster_enabled = false;
};

}  // namespace metastore::server
