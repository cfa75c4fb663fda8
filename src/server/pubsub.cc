#include "server/pubsub.h"

#include <utility>

#include "base/check.h"
#include "base/glob.h"
#include "resp/writer.h"
#include "server/limits.h"

namespace metastore::server {
namespace {

using engine::Event;
using engine::EventKind;

size_t IndexOf(ChannelKind kind) { return static_cast<size_t>(kind); }

std::shared_ptr<const std::string> Encode(int protocol,
                                          std::initializer_list<std::string_view> parts) {
  auto bytes = std::make_shared<std::string>();
  resp::Writer writer(bytes.get(), protocol);
  writer.Push(parts.size());
  for (std::string_view part : parts) writer.Bulk(part);
  return bytes;
}

}  // namespace

PubSub::PubSub(Subscriptions* node, engine::Interest* interest, const Limits* limits,
               MarkDirty mark_dirty)
    : node_(node), interest_(interest), limits_(limits), mark_dirty_(std::move(mark_dirty)) {}

PubSub::~PubSub() {
  for (const auto& [session, client] : clients_) {
    for (size_t kind = 0; kind < kChannelKinds; ++kind) {
      for (const auto& [name, subscription] : client[kind]) {
        node_->Remove(static_cast<ChannelKind>(kind), name);
      }
    }
    interest_->AddMessages(-1);
  }
}

// What CLIENT LIST shows, and what makes a client a subscriber.
void PubSub::Publish(Session* session, const Client& client) {
  session->channels = static_cast<uint32_t>(client[IndexOf(ChannelKind::kPlain)].size());
  session->patterns = static_cast<uint32_t>(client[IndexOf(ChannelKind::kPattern)].size());
  session->shard_channels = static_cast<uint32_t>(client[IndexOf(ChannelKind::kShard)].size());
}

void PubSub::Subscribe(Session* session, ChannelKind kind, std::string_view name) {
  const auto [client, is_new] = clients_.try_emplace(session);
  if (is_new) interest_->AddMessages(1);
  OfClient& own = client->second[IndexOf(kind)];
  if (own.contains(name)) return;
  Channels& channels = channels_[IndexOf(kind)];
  auto it = channels.find(name);
  if (it == channels.end()) {
    auto channel = std::make_unique<Channel>();
    channel->name = name;
    it = channels.emplace(std::string(name), std::move(channel)).first;
  }
  Channel* channel = it->second.get();
  Subscription& subscription =
      own.emplace(channel->name, Subscription{session, channel, channel->subscriptions.size()})
          .first->second;
  channel->subscriptions.push_back(&subscription);
  node_->Add(kind, name);
  Publish(session, client->second);
}

void PubSub::Remove(Channels* channels, ChannelKind kind, const Subscription& subscription) {
  Channel* channel = subscription.channel;
  node_->Remove(kind, channel->name);
  std::vector<Subscription*>& all = channel->subscriptions;
  all[subscription.position] = all.back();
  all[subscription.position]->position = subscription.position;
  all.pop_back();
  if (all.empty()) channels->erase(channels->find(channel->name));
}

void PubSub::Unsubscribe(Session* session, ChannelKind kind, std::string_view name) {
  const auto client = clients_.find(session);
  if (client == clients_.end()) return;
  OfClient& own = client->second[IndexOf(kind)];
  const auto found = own.find(name);
  if (found == own.end()) return;
  // Its key is the name within the channel, which may go.
  const auto node = own.extract(found);
  Remove(&channels_[IndexOf(kind)], kind, node.mapped());
  Publish(session, client->second);
  if (session->subscriptions() > 0) return;
  clients_.erase(client);
  interest_->AddMessages(-1);
}

std::vector<std::string> PubSub::ChannelsOf(const Session* session, ChannelKind kind) const {
  std::vector<std::string> names;
  const auto client = clients_.find(session);
  if (client == clients_.end()) return names;
  for (const auto& [name, subscription] : client->second[IndexOf(kind)]) names.emplace_back(name);
  return names;
}

void PubSub::Forget(Session* session) {
  for (ChannelKind kind : {ChannelKind::kPlain, ChannelKind::kPattern, ChannelKind::kShard}) {
    for (const std::string& name : ChannelsOf(session, kind)) Unsubscribe(session, kind, name);
  }
}

size_t PubSub::Push(Session* session, const std::shared_ptr<const std::string>& resp2,
                    const std::shared_ptr<const std::string>& resp3) {
  // It has missed something: what would come now must not look as if it had not.
  if (session->cut_off || session->close_after_reply) return 0;
  const std::shared_ptr<const std::string>& bytes = session->protocol == 3 ? resp3 : resp2;
  session->Push(bytes);
  mark_dirty_(session);
  // Here and not when it is sent: a turn may bring any number of messages.
  const uint64_t most = limits_->pubsub_output.hard_bytes;
  if (most > 0 && session->reply_bytes() > most) session->cut_off = true;
  return bytes->size();
}

size_t PubSub::SendTo(const Channel& channel, std::initializer_list<std::string_view> parts) {
  const std::shared_ptr<const std::string> resp2 = Encode(2, parts), resp3 = Encode(3, parts);
  size_t bytes = 0;
  for (const Subscription* subscription : channel.subscriptions) {
    bytes += Push(subscription->session, resp2, resp3);
  }
  return bytes;
}

size_t PubSub::Send(Session* session, std::string_view channel, std::string_view message) {
  const std::initializer_list<std::string_view> parts = {"message", channel, message};
  return Push(session, Encode(2, parts), Encode(3, parts));
}

size_t PubSub::Handle(const Event& event) {
  if (clients_.empty()) return 0;
  if (event.kind == EventKind::kLost) {
    CloseAll();
    return 0;
  }
  const bool shard = event.kind == EventKind::kShardMessage;
  if (!shard && event.kind != EventKind::kMessage) return 0;
  const std::string_view name = event.key;
  size_t bytes = 0;
  const Channels& channels = channels_[IndexOf(shard ? ChannelKind::kShard : ChannelKind::kPlain)];
  if (const auto it = channels.find(name); it != channels.end()) {
    bytes += SendTo(*it->second, {shard ? "smessage" : "message", name, event.message});
  }
  if (shard) return bytes;
  for (const auto& [pattern, channel] : channels_[IndexOf(ChannelKind::kPattern)]) {
    if (!GlobMatch(pattern, name)) continue;
    bytes += SendTo(*channel, {"pmessage", pattern, name, event.message});
  }
  return bytes;
}

// Their clients must know that messages are missing.
void PubSub::CloseAll() {
  for (const auto& [session, client] : clients_) {
    Session* closed = const_cast<Session*>(session);
    closed->close_after_reply = true;
    mark_dirty_(closed);
  }
}

}  // namespace metastore::server
