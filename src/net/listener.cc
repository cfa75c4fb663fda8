#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "net/io_loop.h"

namespace metastore::net {
namespace {

std::string AddressText(const struct sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const struct sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(in.sin_port));
  }
  const auto& in6 = reinterpret_cast<const struct sockaddr_in6&>(address);
  ::inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(in6.sin6_port));
}

std::string LocalAddress(int fd) {
  struct sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<struct sockaddr*>(&address), &size) != 0) return "";
  return AddressText(address);
}

int BoundPort(int fd) {
  struct sockaddr_storage address = {};
  socklen_t size = sizeof address;
  CHECK_EQ(::getsockname(fd, reinterpret_cast<struct sockaddr*>(&address), &size), 0);
  return address.ss_family == AF_INET
             ? ntohs(reinterpret_cast<const struct sockaddr_in&>(address).sin_port)
             : ntohs(reinterpret_cast<const struct sockaddr_in6&>(address).sin6_port);
}

Result<int> OpenOne(const std::string& host, int port, int backlog) {
  std::string where = host + " port " + std::to_string(port);
  struct addrinfo hints = {};
  hints.ai_family = host == "*" ? AF_INET : host == "::*" ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  struct addrinfo* found = nullptr;
  const char* node = host == "*" || host == "::*" ? nullptr : host.c_str();
  int error = ::getaddrinfo(node, std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    return Status::IoError("cannot listen on " + where + ": " + ::gai_strerror(error));
  }
  int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int one = 1;
  bool listening = fd >= 0;
  if (listening) {
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (found->ai_family == AF_INET6) {
      ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    listening = ::bind(fd, found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd, backlog) == 0;
  }
  int reason = errno;
  ::freeaddrinfo(found);
  if (listening) return fd;
  if (fd >= 0) ::close(fd);
  return Status::IoError("cannot listen on " + where + ": " + ::strerror(reason));
}

}  // namespace

Result<std::vector<int>> OpenListeningSockets(const std::vector<std::string>& bind, int* port,
                                              int backlog) {
  std::vector<int> sockets;
  for (const std::string& entry : bind) {
    bool optional = !entry.empty() && entry[0] == '-';
    Result<int> opened = OpenOne(optional ? entry.substr(1) : entry, *port, backlog);
    if (opened.ok()) {
      sockets.push_back(*opened);
      *port = BoundPort(*opened);
    } else if (!optional) {
      for (int fd : sockets) ::close(fd);
      return opened.status();
    }
  }
  if (sockets.empty()) return Status::IoError("no address to listen on");
  return sockets;
}

Listener::Listener(server::Server* server, IoLoop* home, std::vector<IoLoop*> loops,
                   std::vector<int> sockets)
    : server_(server),
      home_(home),
      loops_(std::move(loops)),
      reserve_fd_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  event_assign(&rest_event_, home->base(), -1, 0, &OnRested, this);
  for (int fd : sockets) {
    auto socket = std::make_unique<Socket>();
    socket->listener = this;
    socket->fd = fd;
    event_assign(&socket->event, home->base(), fd, EV_READ | EV_PERSIST, &OnAcceptable,
                 socket.get());
    CHECK_EQ(event_add(&socket->event, nullptr), 0);
    sockets_.push_back(std::move(socket));
  }
}

Listener::~Listener() {
  Stop();
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
}

void Listener::Stop() {
  event_del(&rest_event_);
  for (auto& socket : sockets_) {
    event_del(&socket->event);
    ::close(socket->fd);
  }
  sockets_.clear();
}

void Listener::OnAcceptable(evutil_socket_t, short, void* argument) {
  auto* socket = static_cast<Socket*>(argument);
  socket->listener->home_->role().Assert();
  socket->listener->Accept(socket);
}

void Listener::OnRested(evutil_socket_t, short, void* self) {
  auto* listener = static_cast<Listener*>(self);
  if (listener->reserve_fd_ < 0) {
    listener->reserve_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  for (auto& socket : listener->sockets_) CHECK_EQ(event_add(&socket->event, nullptr), 0);
}

void Listener::Rest() {
  for (auto& socket : sockets_) event_del(&socket->event);
  struct timeval rest = {0, kAcceptRestMs * 1000};
  CHECK_EQ(event_add(&rest_event_, &rest), 0);
}

void Listener::Accept(Socket* socket) {
  for (int i = 0; i < kMaxAcceptsPerTurn; ++i) {
    int fd = ::accept4(socket->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Welcome(fd);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log::warn("cannot accept a client: {}", ::strerror(errno));
      home_->stats().connections_rejected.Add(1);
      if (reserve_fd_ >= 0) {
        ::close(reserve_fd_);
        int refused = ::accept4(socket->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (refused >= 0) ::close(refused);
        reserve_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      }
      return Rest();
    }
    // ECONNABORTED and the network's errors concern one client that is gone.
  }
}

void Listener::Welcome(int fd) {
  home_->stats().connections_received.Add(1);
  server::Limits limits = server_->limits();
  if (server_->clients().count() >= static_cast<size_t>(std::max<int64_t>(0, limits.maxclients))) {
    static constexpr char kRefusal[] = "-ERR max number of clients reached\r\n";
    // One try: the socket's buffer is empty, and a client that is refused is owed no more.
    [[maybe_unused]] ssize_t n = ::send(fd, kRefusal, sizeof kRefusal - 1, MSG_NOSIGNAL);
    ::close(fd);
    home_->stats().connections_rejected.Add(1);
    return;
  }
  int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (limits.tcp_keepalive_s > 0) {
    int idle = static_cast<int>(limits.tcp_keepalive_s);
    int interval = std::max(1, idle / 3);
    int probes = 3;
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  }
  auto session = std::make_unique<server::Session>(
      server_->clients().NextId(), server::SessionKind::kResp, server_->clock().WallMs());
  struct sockaddr_storage peer = {};
  socklen_t size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<struct sockaddr*>(&peer), &size) == 0) {
    session->peer_address = AddressText(peer);
  }
  session->local_address = LocalAddress(fd);
  session->fd = fd;
  session->authenticated = limits.requirepass.empty();
  IoLoop* loop = loops_[next_loop_++ % loops_.size()];
  server_->clients().Add(session.get(), loop);
  loop->Adopt(fd, std::move(session));
}

}  // namespace metastore::net
