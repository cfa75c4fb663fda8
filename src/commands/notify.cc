#include "commands/notify.h"

#include "base/parse.h"
#include "commands/keys.h"

namespace metastore::commands {

void NotifyMisses(const ReadContext& ctx, const CommandSpec& spec, Args args,
                  engine::Events* events) {
  if (!events->Notifies(engine::kNotifyKeyMiss)) return;
  // OBJECT looks at keys without a trace.
  if ((spec.flags & kReadonly) == 0 || EqualsIgnoreCase(args[0], "OBJECT")) return;
  for (const KeyUse& use : FindKeys(spec, args)) {
    const std::string_view key = args[static_cast<size_t>(use.position)];
    if (types::Exists(ctx.view(), ctx.db(), key)) continue;
    events->Notify(engine::kNotifyKeyMiss, "keymiss", ctx.db(), key);
  }
}

}  // namespace metastore::commands
