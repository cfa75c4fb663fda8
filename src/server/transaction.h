// Transaction: what a client has said since MULTI, and the keys that it watches. It ends with EXEC,
// DISCARD, RESET or the connection. Owning loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "commands/context.h"
#include "engine/view.h"
#include "replica/replica.h"
#include "server/command_table.h"

namespace metastore::server {

class Transaction {
 public:
  enum class Kind : uint8_t { kWrite, kRead, kLocal };
  struct Queued {
    const Command* command;
    Kind kind;
    int db;  // in which it will run: a SELECT in front of it counts
    commands::Args args;
  };

  // --- MULTI ----------------------------------------------------------------------------------
  bool open() const { return open_; }
  void Open(int db) {
    open_ = true;
    db_ = db;
  }
  // A command was refused when it was to be queued: EXEC will refuse them all.
  void Break() { broken_ = true; }
  bool broken() const { return broken_; }
  void Queue(const Command* command, commands::Args args);

  size_t size() const { return queue_.size(); }
  Queued at(size_t i) const;
  size_t writes() const { return writes_; }
  size_t reads() const { return reads_; }
  size_t locals() const { return queue_.size() - writes_ - reads_; }
  bool may_grow_data() const { return may_grow_data_; }

  // --- WATCH ----------------------------------------------------------------------------------
  // With the version that the view shows.
  void Watch(const engine::View& view, int db, commands::Args keys);
  const std::vector<replica::WatchedKey>& watched() const { return watched_; }
  void Unwatch() { watched_.clear(); }
  // Whether every watched key is the version that it was.
  bool Holds(const engine::View& view) const;

  // What a queued command and a watched key take beside their bytes, about.
  static constexpr size_t kOverheadBytes = 64;
  size_t bytes() const { return bytes_; }

 private:
  struct Place {
    const Command* command;
    Kind kind;
    int db;
    size_t first_arg;
    size_t argc;
  };

  bool open_ = false;
  bool broken_ = false;
  bool may_grow_data_ = false;
  int db_ = 0;
  std::vector<Place> queue_;
  std::string arguments_;
  std::vector<size_t> ends_;                         // of each argument in arguments_
  mutable std::vector<std::string_view> args_view_;  // what at() hands out
  size_t writes_ = 0;
  size_t reads_ = 0;
  std::vector<replica::WatchedKey> watched_;
  size_t bytes_ = 0;
};

}  // namespace metastore::server
