#include "server/transaction.h"

#include <algorithm>

#include "base/parse.h"
#include "types/keyspace.h"

namespace metastore::server {
namespace {

using commands::Args;

Transaction::Kind KindOf(const commands::Handler& handler, Args args) {
  if (handler.write != nullptr) return Transaction::Kind::kWrite;
  const bool local =
      handler.local != nullptr && (handler.is_read == nullptr || !handler.is_read(args));
  return local ? Transaction::Kind::kLocal : Transaction::Kind::kRead;
}

}  // namespace

void Transaction::Queue(const Command* command, Args args) {
  const Kind kind = KindOf(command->spec->handler, args);
  queue_.push_back({command, kind, db_, ends_.size(), args.size()});
  for (std::string_view arg : args) {
    arguments_.append(arg);
    ends_.push_back(arguments_.size());
    bytes_ += sizeof(size_t) + arg.size();
  }
  bytes_ += kOverheadBytes;
  writes_ += kind == Kind::kWrite;
  reads_ += kind == Kind::kRead;
  may_grow_data_ = may_grow_data_ || (command->spec->flags & commands::kDenyOom) != 0;
  // What SELECT will refuse changes nothing.
  int64_t db;
  if (command->full_name == "select" && ParseInt64(args[1], &db) && db >= 0 &&
      db < engine::kDatabases) {
    db_ = static_cast<int>(db);
  }
}

Transaction::Queued Transaction::at(size_t i) const {
  const Place& place = queue_[i];
  args_view_.clear();
  size_t begin = place.first_arg == 0 ? 0 : ends_[place.first_arg - 1];
  for (size_t arg = place.first_arg; arg < place.first_arg + place.argc; ++arg) {
    args_view_.push_back(std::string_view(arguments_).substr(begin, ends_[arg] - begin));
    begin = ends_[arg];
  }
  return {place.command, place.kind, place.db, args_view_};
}

void Transaction::Watch(const engine::View& view, int db, Args keys) {
  for (std::string_view key : keys) {
    watched_.push_back({db, types::VersionOf(view, db, key), std::string(key)});
    bytes_ += kOverheadBytes + key.size();
  }
}

bool Transaction::Holds(const engine::View& view) const {
  return std::all_of(watched_.begin(), watched_.end(), [&view](const replica::WatchedKey& key) {
    return types::VersionOf(view, key.db, key.key) == key.version;
  });
}

}  // namespace metastore::server
