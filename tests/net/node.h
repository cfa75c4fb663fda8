// An IoLoops over a FakeReplica on free loopback ports, and blocking sockets to talk to it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>

#include "net/io_loop.h"
#include "tests/support/fake_replica.h"
#include "tests/support/local_commands.h"

namespace metastore::net {

// Real waiting has this bound; a test that reaches it fails.
inline constexpr int kPatienceMs = 20000;

class Node {
 public:
  explicit Node(const server::Limits& limits = {}, int threads = 1) {
    replica.at_once = true;
    server = std::make_unique<server::Server>(&replica, nullptr, SystemClock(),
                                              &test::TestCommands(), limits);
    IoOptions options;
    options.threads = threads;
    options.bind = {"127.0.0.1"};
    options.redis_port = 0;
    options.http_port = 0;
    loops = std::make_unique<IoLoops>(server.get(), options);
  }
  ~Node() { Stop(); }
  void Start() {
    Status started = loops->Start();
    ASSERT_TRUE(started.ok()) << started.ToString();
    running_ = true;
  }
  void Stop(int64_t grace_ms = 5000) {
    if (running_) loops->Stop(grace_ms);
    running_ = false;
  }

  test::FakeReplica replica{&test::TestCommands()};
  std::unique_ptr<server::Server> server;
  std::unique_ptr<IoLoops> loops;

 private:
  bool running_ = false;
};

class Socket {
 public:
  explicit Socket(int port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0;
    EXPECT_TRUE(connected_);
  }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // Sends without blocking; how much the kernel took.
  size_t TrySend(std::string_view bytes) {
    ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? 0 : static_cast<size_t>(n);
  }
  bool WaitWritable(int ms) {
    struct pollfd poll = {fd_, POLLOUT, 0};
    return ::poll(&poll, 1, ms) == 1;
  }
  // Exactly n bytes, or fewer when the server closed or patience ended.
  std::string Receive(size_t n) {
    std::string bytes;
    char buffer[64 << 10];
    while (bytes.size() < n) {
      struct pollfd poll = {fd_, POLLIN, 0};
      if (::poll(&poll, 1, kPatienceMs) != 1) break;
      ssize_t got = ::recv(fd_, buffer, std::min(sizeof buffer, n - bytes.size()), 0);
      if (got <= 0) break;
      bytes.append(buffer, static_cast<size_t>(got));
    }
    return bytes;
  }
  std::string ReceiveUntil(std::string_view end) {
    std::string bytes;
    while (bytes.size() < end.size() ||
           std::string_view(bytes).substr(bytes.size() - end.size()) != end) {
      std::string byte = Receive(1);
      if (byte.empty()) break;
      bytes += byte;
    }
    return bytes;
  }
  // Everything until the server closes.
  std::string ReceiveAll() { return Receive(SIZE_MAX); }
  void Expect(std::string_view wanted) { EXPECT_EQ(Receive(wanted.size()), wanted); }
  void HalfClose() { ::shutdown(fd_, SHUT_WR); }

 private:
  int fd_;
  bool connected_ = false;
};

}  // namespace metastore::net
