#include "server/subscriptions.h"

#include "base/check.h"
#include "base/glob.h"

namespace metastore::server {

void Subscriptions::Add(ChannelKind kind, std::string_view channel) {
  MutexLock lock(mutex_);
  Table& clients = table(kind);
  auto it = clients.find(channel);
  if (it == clients.end()) it = clients.emplace(channel, 0).first;
  ++it->second;
}

void Subscriptions::Remove(ChannelKind kind, std::string_view channel) {
  MutexLock lock(mutex_);
  Table& clients = table(kind);
  const auto it = clients.find(channel);
  CHECK(it != clients.end());
  if (--it->second == 0) clients.erase(it);
}

size_t Subscriptions::Count(ChannelKind kind) const {
  MutexLock lock(mutex_);
  return table(kind).size();
}

int64_t Subscriptions::Subscribers(ChannelKind kind, std::string_view channel) const {
  MutexLock lock(mutex_);
  const auto it = table(kind).find(channel);
  return it == table(kind).end() ? 0 : it->second;
}

int64_t Subscriptions::Receivers(bool shard, std::string_view channel) const {
  if (shard) return Subscribers(ChannelKind::kShard, channel);
  int64_t receivers = Subscribers(ChannelKind::kPlain, channel);
  MutexLock lock(mutex_);
  for (const auto& [pattern, clients] : table(ChannelKind::kPattern)) {
    if (GlobMatch(pattern, channel)) receivers += clients;
  }
  return receivers;
}

std::vector<std::string> Subscriptions::Names(ChannelKind kind, std::string_view pattern) const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, clients] : table(kind)) {
    if (pattern.empty() || GlobMatch(pattern, name)) names.push_back(name);
  }
  return names;
}

}  // namespace metastore::server
