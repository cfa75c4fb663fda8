// What a LocalHandler gets: the client's own session and the node it is connected to. It runs at
// once on the session's loop; what it changes in the session holds for the commands behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "engine/view.h"
#include "replica/replica.h"
#include "server/clients.h"
#include "server/copies.h"
#include "server/pubsub.h"
#include "server/server.h"
#include "server/session.h"
#include "server/tracking.h"

namespace metastore::server {

class LocalContext {
 public:
  // What the session's loop has for its clients; without it none can subscribe or track.
  struct Loop {
    PubSub* pubsub = nullptr;
    Tracking* tracking = nullptr;
  };
  LocalContext(Server& server, Session& session) : LocalContext(server, session, Loop()) {}
  LocalContext(Server& server, Session& session, const Loop& loop)
      : server_(server), session_(session), loop_(loop) {}

  Server& server() { return server_; }
  Session& session() { return session_; }
  PubSub& pubsub() {
    CHECK(loop_.pubsub != nullptr);
    return *loop_.pubsub;
  }
  Tracking& tracking() {
    CHECK(loop_.tracking != nullptr);
    return *loop_.tracking;
  }
  ClientRegistry& clients() { return server_.clients(); }
  replica::Replica& replica() { return server_.replica(); }
  const CommandTable& commands() const { return server_.commands(); }
  Config& config() { return server_.config(); }
  int64_t now_ms() const { return server_.clock().WallMs(); }
  int db() const { return session_.db; }
  bool in_transaction() const { return in_transaction_; }
  void set_in_transaction() { in_transaction_ = true; }
  // The handler has checked everything and writes no reply: the answer comes from the cluster.
  void ChangeMembership(replica::MembershipChange change) { change_ = std::move(change); }
  bool has_change() const { return change_.has_value(); }
  std::optional<replica::MembershipChange> TakeChange() { return std::exchange(change_, {}); }
  // The handler has written the reply of now; the client is to wait for that of later. It is not
  // inside a transaction.
  void WaitForCopies(const CopiesWait& wait) { copies_ = wait; }
  std::optional<CopiesWait> TakeCopiesWait() { return std::exchange(copies_, {}); }
  // The state now, without the wait that makes a read linearizable: for INFO and the like.
  std::unique_ptr<engine::View> NewView() { return server_.replica().NewView(); }

 private:
  Server& server_;
  Session& session_;
  const Loop loop_;
  bool in_transaction_ = false;
  std::optional<replica::MembershipChange> change_;
  std::optional<CopiesWait> copies_;
};

}  // namespace metastore::server
