#include "replica/item_check.h"

#include "base/parse.h"
#include "types/keyspace.h"

namespace metastore::replica {
namespace {

Status Bad(const std::string& what) { return Status::Corruption(what); }

Status CheckTransaction(const Item& transaction, CommandFinder find_command) {
  if (transaction.args.size() != 2) return Bad("a transaction of other than two parts");
  std::string_view keys = transaction.args[0];
  for (WatchedKeyView watched;;) {
    Status next = TakeWatchedKey(&keys, &watched);
    if (next.code() == Code::kNotFound) break;
    RETURN_IF_ERROR(next);
  }
  std::string_view items = transaction.args[1];
  for (Item item;;) {
    Status next = TakeItem(&items, &item);
    if (next.code() == Code::kNotFound) return Status::Ok();
    RETURN_IF_ERROR(next);
    if (item.kind != ItemKind::kWrite && item.kind != ItemKind::kRead) {
      return Bad("a transaction with other than commands");
    }
    RETURN_IF_ERROR(CheckItem(item, find_command).status());
  }
}

}  // namespace

Result<const commands::CommandSpec*> CheckItem(const Item& item, CommandFinder find_command) {
  if (item.kind == ItemKind::kReclaim) return nullptr;
  if (item.kind == ItemKind::kExpire || item.kind == ItemKind::kExpireFields) {
    // args := (meta key, deadline in ms as text)*
    if (item.args.size() % 2 != 0) return Bad("an expiry without its deadline");
    for (size_t i = 0; i < item.args.size(); i += 2) {
      int64_t deadline_ms;
      if (item.args[i].size() < types::kMetaKeyHead) return Bad("an expiry of no key");
      if (!ParseInt64(item.args[i + 1], &deadline_ms)) return Bad("an expiry at no time");
    }
    return nullptr;
  }
  if (item.kind == ItemKind::kTransaction) {
    RETURN_IF_ERROR(CheckTransaction(item, find_command));
    return nullptr;
  }
  if (item.kind == ItemKind::kTopology) {
    RETURN_IF_ERROR(CheckTopologyItem(item.args));
    return nullptr;
  }
  if (item.args.empty()) return Bad("a command without a name");
  const commands::CommandSpec* spec = find_command(item.args[0]);
  if (spec != nullptr && !spec->subcommands.empty() && item.args.size() > 1) {
    for (const commands::CommandSpec& sub : spec->subcommands) {
      if (EqualsIgnoreCase(sub.name, item.args[1])) {
        spec = &sub;
        break;
      }
    }
  }
  const std::string name(item.args[0].substr(0, 64));
  if (spec == nullptr || (spec->handler.write == nullptr && spec->handler.read == nullptr)) {
    return Bad("a command that this version does not know: " + name + "; upgrade this node");
  }
  const int argc = static_cast<int>(item.args.size());
  if (spec->arity > 0 ? argc != spec->arity : argc < -spec->arity) {
    return Bad(name + " with " + std::to_string(argc) + " arguments");
  }
  const commands::Handler& handler = spec->handler;
  const bool runs =
      item.kind == ItemKind::kWrite
          ? handler.write != nullptr
          : handler.read != nullptr && (handler.is_read == nullptr || handler.is_read(item.args));
  if (!runs) return Bad(name + " as the wrong kind of item");
  return spec;
}

Status CheckForwardedBatch(std::string_view batch, raft::NodeId from, CommandFinder find_command) {
  BatchHeader header;
  RETURN_IF_ERROR(ReadBatch(batch, &header));
  if (header.node != from) return Bad("a batch of node " + std::to_string(header.node));
  EntryReader reader(batch);
  RETURN_IF_ERROR(reader.NextBatch(&header));
  Item item;
  uint32_t count = 0;
  for (;; ++count) {
    Status next = reader.NextItem(&item);
    if (next.code() == Code::kNotFound) break;
    RETURN_IF_ERROR(next);
    RETURN_IF_ERROR(CheckItem(item, find_command).status());
    if (item.kind == ItemKind::kTopology) RETURN_IF_ERROR(CheckTopologySpeaker(item.args, from));
  }
  return count == header.count ? Status::Ok() : Bad("a batch with another number of items");
}

}  // namespace metastore::replica
