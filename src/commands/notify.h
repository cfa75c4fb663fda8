// Keyspace notifications as Redis sends them: which events a command causes, in which order. They
// cost a load where nobody of this node listens.
#pragma once

#include <string_view>

#include "commands/command_spec.h"
#include "commands/context.h"
#include "types/keyspace.h"

namespace metastore::commands {

inline void Notify(WriteContext& ctx, engine::NotifyClass notify_class, std::string_view event,
                   std::string_view key) {
  ctx.events().Notify(notify_class, event, ctx.db(), key);
}

// Of a command that takes elements away: "del" follows where the key went with the last one.
inline void NotifyRemoval(WriteContext& ctx, engine::NotifyClass notify_class,
                          std::string_view event, std::string_view key) {
  Notify(ctx, notify_class, event, key);
  if (!ctx.events().Notifies(engine::kNotifyGeneric)) return;
  if (!types::Exists(ctx.txn(), ctx.db(), key)) Notify(ctx, engine::kNotifyGeneric, "del", key);
}

// Of a read: "keymiss" for each of its keys that is not there.
void NotifyMisses(const ReadContext& ctx, const CommandSpec& spec, Args args,
                  engine::Events* events);

// Of a command that stores a result under a key: made before it does, and told after it.
class StoreNotice {
 public:
  StoreNotice(WriteContext& ctx, std::string_view key)
      : ctx_(ctx),
        key_(key),
        existed_(ctx.events().Notifies(engine::kNotifyGeneric) &&
                 types::Exists(ctx.txn(), ctx.db(), key)) {}
  // An empty result deletes what was there.
  void Tell(engine::NotifyClass notify_class, std::string_view event, bool empty) {
    if (!empty) {
      Notify(ctx_, notify_class, event, key_);
    } else if (existed_) {
      Notify(ctx_, engine::kNotifyGeneric, "del", key_);
    }
  }

 private:
  WriteContext& ctx_;
  const std::string_view key_;
  const bool existed_;
};

}  // namespace metastore::commands
