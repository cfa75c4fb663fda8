// PubSub: the subscribers among one io loop's clients, and what is sent to them. Messages come from
// the log (engine/events.h), so every node delivers them in the same order. io role.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/event_listener.h"
#include "server/session.h"
#include "server/subscriptions.h"

namespace metastore::server {

struct Limits;

class PubSub : public EventListener {
 public:
  // How the owner is told that a session's output has grown.
  using MarkDirty = std::function<void(Session*)>;
  // The pointers outlive the object; `limits` are looked at whenever something is sent.
  PubSub(Subscriptions* node, engine::Interest* interest, const Limits* limits,
         MarkDirty mark_dirty);
  ~PubSub() override;

  // Nothing when it is subscribed already, or is not.
  void Subscribe(Session* session, ChannelKind kind, std::string_view channel);
  void Unsubscribe(Session* session, ChannelKind kind, std::string_view channel);
  // In the order of their bytes.
  std::vector<std::string> ChannelsOf(const Session* session, ChannelKind kind) const;
  // The client is gone, or said RESET.
  void Forget(Session* session);

  // A message for a subscriber alone, as if it had come on that channel.
  size_t Send(Session* session, std::string_view channel, std::string_view message);

  size_t Handle(const engine::Event& event) override;

 private:
  struct Subscription;
  struct Channel {
    std::string name;
    std::vector<Subscription*> subscriptions;
  };
  struct Subscription {
    Session* session;
    Channel* channel;
    size_t position;  // in channel->subscriptions
  };
  using Channels = std::map<std::string, std::unique_ptr<Channel>, std::less<>>;
  // By the name within the Channel.
  using OfClient = std::map<std::string_view, Subscription>;
  using Client = std::array<OfClient, kChannelKinds>;

  size_t Deliver(ChannelKind kind, const Channel& channel, std::string_view name,
                 std::string_view message);
  // `parts` of a push, the first one its type.
  size_t SendTo(const Channel& channel, std::initializer_list<std::string_view> parts);
  size_t Push(Session* session, const std::shared_ptr<const std::string>& resp2,
              const std::shared_ptr<const std::string>& resp3);
  void Remove(Channels* channels, ChannelKind kind, const Subscription& subscription);
  static void Publish(Session* session, const Client& client);
  void CloseAll();

  Subscriptions* const node_;
  engine::Interest* const interest_;
  const Limits* const limits_;
  const MarkDirty mark_dirty_;
  std::array<Channels, kChannelKinds> channels_;
  std::unordered_map<const Session*, Client> clients_;
};

}  // namespace metastore::server
