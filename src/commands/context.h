// What a command handler gets. The type of its context is its route: a ReadHandler runs on a View
// on the node that took the command, a WriteHandler runs in apply on every replica, a
// LocalHandler is answered at once by the session's own node. A ReadContext cannot write: the
// compiler says so.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/random.h"
#include "base/status.h"
#include "engine/txn.h"
#include "engine/view.h"
#include "resp/writer.h"
#include "types/encoding.h"

namespace metastore::server {
class LocalContext;  // server/local_context.h
}

namespace metastore::commands {

// args[0] is the command's name as the client wrote it. The bytes live as long as the call.
using Args = std::span<const std::string_view>;

// Redis's proto-max-bulk-len default. Apply must not depend on a node's own configuration, so the
// longest string is a constant of the state machine.
inline constexpr uint64_t kMaxStringBytes = uint64_t{512} << 20;

class ReadContext {
 public:
  // `seed` is for RANDOMKEY and its like; replies to reads are no part of the replicated state, so
  // any number does. Without one the draw follows the View's time.
  ReadContext(const engine::View& view, int db)
      : ReadContext(view, db, static_cast<uint64_t>(view.now_ms())) {}
  ReadContext(const engine::View& view, int db, uint64_t seed)
      : view_(view), db_(db), seed_(seed) {}
  const engine::View& view() const { return view_; }
  int db() const { return db_; }
  int64_t now_ms() const { return view_.now_ms(); }
  // This node's; only what is shown may depend on it.
  const types::EncodingLimits& encoding_limits() const { return *encoding_limits_; }
  void set_encoding_limits(const types::EncodingLimits* limits) { encoding_limits_ = limits; }
  // The same sequence each time it is called.
  Random random() const { return Random(seed_); }

 private:
  const engine::View& view_;
  int db_;
  uint64_t seed_;
  const types::EncodingLimits* encoding_limits_ = &types::kDefaultEncodingLimits;
};

class WriteContext {
 public:
  WriteContext(engine::Txn& txn, int db) : txn_(txn), db_(db) {}
  engine::Txn& txn() { return txn_; }
  int db() const { return db_; }
  int64_t now_ms() const { return txn_.now_ms(); }
  Random& random() { return txn_.random(); }
  // What this node's clients are told beside the reply.
  engine::Events& events() { return txn_.events(); }
  // Where the command's client is, how many clients of the same node a message on the channel
  // reaches; elsewhere, and within scripts, 0. Only for the reply: no state may depend on it.
  int64_t Receivers(bool shard, std::string_view channel) {
    return shows_receivers_ ? events().Receivers(shard, channel) : 0;
  }
  void set_shows_receivers(bool shows) { shows_receivers_ = shows; }

 private:
  engine::Txn& txn_;
  int db_;
  bool shows_receivers_ = false;
};

using ReadHandler = Status (*)(ReadContext&, Args, resp::Writer&);
using WriteHandler = Status (*)(WriteContext&, Args, resp::Writer&);
using LocalHandler = Status (*)(server::LocalContext&, Args, resp::Writer&);

}  // namespace metastore::commands
