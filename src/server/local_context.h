// What a LocalHandler gets: the client's own session and the node it is connected to. It runs at
// once on the session's loop; what it changes in the session holds for the commands behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "engine/view.h"
#include "replica/replica.h"
#include "server/clients.h"
#include "server/server.h"
#include "server/session.h"

namespace metastore::server {

class LocalContext {
 public:
  LocalContext(Server& server, Session& session) : server_(server), session_(session) {}

  Server& server() { return server_; }
  Session& session() { return session_; }
  ClientRegistry& clients() { return server_.clients(); }
  replica::Replica& replica() { return server_.replica(); }
  const CommandTable& commands() const { return server_.commands(); }
  Config& config() { return server_.config(); }
  int64_t now_ms() const { return server_.clock().WallMs(); }
  int db() const { return session_.db; }
  // The state now, without the wait that makes a read linearizable: for INFO and the like.
  // The handler has checked everything and writes no reply: the answer comes from the cluster.
  void ChangeMembership(replica::MembershipChange change) { change_ = std::move(change); }
  std::optional<replica::MembershipChange> TakeChange() { return std::exchange(change_, {}); }
  std::unique_ptr<engine::View> NewView() { return server_.replica().NewView(); }

 private:
  Server& server_;
  Session& session_;
  std::optional<replica::MembershipChange> change_;
};

}  // namespace metastore::server
