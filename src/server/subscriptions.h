// How many clients of this node are subscribed to what, all io loops together: PUBLISH's reply and
// PUBSUB. Any thread; one lock, taken when a client subscribes and when somebody asks, never when a
// message is delivered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace metastore::server {

enum class ChannelKind : uint8_t { kPlain, kPattern, kShard };
inline constexpr size_t kChannelKinds = 3;

class Subscriptions {
 public:
  void Add(ChannelKind kind, std::string_view channel);
  void Remove(ChannelKind kind, std::string_view channel);

  // Different channels, or patterns.
  size_t Count(ChannelKind kind) const;
  // Clients subscribed to the channel by its name.
  int64_t Subscribers(ChannelKind kind, std::string_view channel) const;
  // Deliveries of a message: a client counts for the channel and for each pattern that matches.
  int64_t Receivers(bool shard, std::string_view channel) const;
  // In the order of their bytes; all if the pattern is empty.
  std::vector<std::string> Names(ChannelKind kind, std::string_view pattern) const;

 private:
  using Table = std::map<std::string, int64_t, std::less<>>;
  Table& table(ChannelKind kind) REQUIRES(mutex_) { return tables_[static_cast<size_t>(kind)]; }
  const Table& table(ChannelKind kind) const REQUIRES(mutex_) {
    return tables_[static_cast<size_t>(kind)];
  }

  mutable Mutex mutex_;
  std::array<Table, kChannelKinds> tables_ GUARDED_BY(mutex_);
};

}  // namespace metastore::server
