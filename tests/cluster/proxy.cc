#include "tests/cluster/proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "replica/peer.pb.h"
#include "replica/wire.h"

namespace metastore::cluster_test {
namespace {

constexpr size_t kMaxHeld = 256 << 10;

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void Prepare(int fd) {
  CHECK_GE(fd, 0);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace

Proxy::Proxy(Cluster* cluster) : cluster_(cluster), ports_(static_cast<size_t>(cluster->size())) {
  CHECK_LT(cluster->size(), kMaxNodes);
  for (int i = 0; i < cluster->size(); ++i) {
    Node& node = cluster->node(i);
    peer_ports_.push_back(node.peer_port());
    node.extra_flags.insert(node.extra_flags.end(),
                            {"--peer-listen", "127.0.0.1:" + std::to_string(node.peer_port())});
    const int port = ports_[static_cast<size_t>(i)].number();
    node.set_peer_address(port);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_GE(fd, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = Loopback(port);
    CHECK_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    CHECK_EQ(::listen(fd, 64), 0);
    listeners_.push_back(fd);
  }
  cluster->UpdateUrls();
  thread_ = std::thread([this] { Run(); });
}

Proxy::~Proxy() {
  stop_ = true;
  thread_.join();
  for (Link& link : links_) {
    ::close(link.there.from_fd);
    ::close(link.there.to_fd);
  }
  for (int fd : listeners_) ::close(fd);
}

void Proxy::Cut(int from, int to) { rule(from, to).cut = true; }
void Proxy::CutBoth(int a, int b) {
  Cut(a, b);
  Cut(b, a);
}
void Proxy::Delay(int a, int b, Millis delay) {
  rule(a, b).delay_ms = delay.count();
  rule(b, a).delay_ms = delay.count();
}
void Proxy::Reset(int a, int b) {
  ++rule(a, b).resets;
  ++rule(b, a).resets;
}
void Proxy::Heal() {
  for (Rule& r : rules_) {
    r.cut = false;
    r.delay_ms = 0;
  }
}
int64_t Proxy::Bytes(int from, int to) const { return rule(from, to).bytes; }

void Proxy::Accept(int listener) {
  const int fd = ::accept(listeners_[static_cast<size_t>(listener - 1)], nullptr, nullptr);
  if (fd < 0) return;
  Prepare(fd);
  const int behind = ::socket(AF_INET, SOCK_STREAM, 0);
  Prepare(behind);
  const sockaddr_in address = Loopback(peer_ports_[static_cast<size_t>(listener - 1)]);
  // On loopback it is connected, or refused, or will be at once.
  ::connect(behind, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  Link& link = links_.emplace_back();
  link.listener = listener;
  link.there.from_fd = link.back.to_fd = fd;
  link.there.to_fd = link.back.from_fd = behind;
}

// A frame that is no Hello comes from a node that has no id yet: nobody cuts it off.
void Proxy::Identify(Link* link) {
  std::string_view in = link->first;
  size_t wanted = 0;
  Result<replica::wire::Frame> frame = replica::wire::TakeFrame(&in, &wanted);
  if (frame.status().code() == Code::kNotFound) return;
  link->known = true;
  peer::Hello hello;
  if (frame.ok() && frame->type == replica::wire::FrameType::kHello &&
      hello.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size())) &&
      hello.from() < kMaxNodes) {
    link->dialer = static_cast<int>(hello.from());
  }
  link->there.held += link->first.size();
  link->there.chunks.push_back({NowMs(), std::move(link->first)});
  link->first.clear();
}

void Proxy::Read(Link* link, bool there) {
  Direction& direction = there ? link->there : link->back;
  char buffer[64 << 10];
  const ssize_t n = ::read(direction.from_fd, buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    // What was said before goes first.
    direction.ended = true;
    link->dead = direction.chunks.empty();
    return;
  }
  if (there && !link->known) {
    link->first.append(buffer, static_cast<size_t>(n));
    Identify(link);
    return;
  }
  const Rule& r = there ? rule(link->dialer, link->listener) : rule(link->listener, link->dialer);
  direction.held += static_cast<size_t>(n);
  direction.chunks.push_back({NowMs() + r.delay_ms, std::string(buffer, static_cast<size_t>(n))});
}

void Proxy::Write(Link* link, bool there) {
  Direction& direction = there ? link->there : link->back;
  Rule& r = there ? rule(link->dialer, link->listener) : rule(link->listener, link->dialer);
  while (!direction.chunks.empty() && direction.chunks.front().due_ms <= NowMs()) {
    std::string& bytes = direction.chunks.front().bytes;
    const ssize_t n = ::send(direction.to_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) link->dead = true;
      return;
    }
    r.bytes += n;
    direction.held -= static_cast<size_t>(n);
    if (static_cast<size_t>(n) < bytes.size()) {
      bytes.erase(0, static_cast<size_t>(n));
      return;
    }
    direction.chunks.pop_front();
  }
  if (direction.ended && direction.chunks.empty()) link->dead = true;
}

void Proxy::Run() {
  std::array<int, kMaxNodes * kMaxNodes> resets{};
  while (!stop_) {
    std::vector<pollfd> polls;
    struct Wanted {
      Link* link;
      bool there;
      bool read;
    };
    std::vector<Wanted> wanted;
    for (int fd : listeners_) polls.push_back({fd, POLLIN, 0});
    int timeout_ms = 20;
    for (size_t i = 0; i < rules_.size(); ++i) {
      const int now = rules_[i].resets;
      if (now == resets[i]) continue;
      resets[i] = now;
      const int a = static_cast<int>(i) / kMaxNodes, b = static_cast<int>(i) % kMaxNodes;
      for (Link& link : links_) {
        if (link.dialer == a && link.listener == b) link.dead = true;
      }
    }
    links_.remove_if([](const Link& link) {
      if (!link.dead) return false;
      ::close(link.there.from_fd);
      ::close(link.there.to_fd);
      return true;
    });
    for (Link& link : links_) {
      for (bool there : {true, false}) {
        Direction& direction = there ? link.there : link.back;
        const Rule& r = there ? rule(link.dialer, link.listener) : rule(link.listener, link.dialer);
        if (link.known && link.dialer != 0 && r.cut) continue;
        if (direction.held < kMaxHeld && !direction.ended) {
          polls.push_back({direction.from_fd, POLLIN, 0});
          wanted.push_back({&link, there, true});
        }
        if (direction.chunks.empty()) continue;
        const int64_t wait = direction.chunks.front().due_ms - NowMs();
        if (wait > 0) {
          timeout_ms = std::min<int>(timeout_ms, static_cast<int>(wait));
        } else {
          polls.push_back({direction.to_fd, POLLOUT, 0});
          wanted.push_back({&link, there, false});
        }
      }
    }
    if (::poll(polls.data(), polls.size(), timeout_ms) <= 0) continue;
    for (size_t i = listeners_.size(); i < polls.size(); ++i) {
      if (polls[i].revents == 0) continue;
      const Wanted& w = wanted[i - listeners_.size()];
      if (w.link->dead) continue;
      w.read ? Read(w.link, w.there) : Write(w.link, w.there);
    }
    for (size_t i = 0; i < listeners_.size(); ++i) {
      if (polls[i].revents != 0) Accept(static_cast<int>(i) + 1);
    }
  }
}

}  // namespace metastore::cluster_test
