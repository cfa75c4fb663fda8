// Listening sockets, and the accepting of RESP clients: one loop accepts and deals the
// connections out to all loops in turn.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/server.h"

namespace metastore::net {

class IoLoop;

// While descriptors are used up, accepting rests for this long.
inline constexpr int kAcceptRestMs = 100;
// Connections taken from one socket in one turn.
inline constexpr int kMaxAcceptsPerTurn = 256;

// Binds every address of the list (see IoOptions) to the port. Port 0: the first address takes a
// free one and the others the same. *port becomes the port that is bound.
Result<std::vector<int>> OpenListeningSockets(const std::vector<std::string>& bind, int* port,
                                              int backlog);

class Listener {
 public:
  // Owns the sockets. `loops` includes the accepting loop, `home`.
  Listener(server::Server* server, IoLoop* home, std::vector<IoLoop*> loops,
           std::vector<int> sockets);
  ~Listener();

  // Closes the sockets.
  void Stop();

 private:
  struct Socket {
    Listener* listener;
    int fd;
    struct event event;
  };
  static void OnAcceptable(evutil_socket_t, short, void* socket);
  static void OnRested(evutil_socket_t, short, void* self);
  void Accept(Socket* socket);
  void Welcome(int fd);
  void Rest();

  server::Server* const server_;
  IoLoop* const home_;
  const std::vector<IoLoop*> loops_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  struct event rest_event_;
  size_t next_loop_ = 0;
  // Given up for a moment when descriptors are used up, so that a client in the backlog can be
  // accepted and closed instead of left waiting.
  int reserve_fd_;
};

}  // namespace metastore::net
