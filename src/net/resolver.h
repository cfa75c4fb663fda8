// Resolver: host names to addresses, away from the thread that asks. getaddrinfo blocks for as long
// as a name server is silent; the raft role's loop must not.
//
// What surprises: the thread that looks up is detached. A lookup cannot be cancelled, and the end
// of the process does not wait for it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace metastore::net {

struct Address {
  sockaddr_storage bytes{};
  socklen_t length = 0;  // 0: none
};

// An address in numbers, which needs no lookup. False: it is a name.
bool ParseAddress(const std::string& host, uint16_t port, Address* address);
// By getaddrinfo: blocks unless the host is in numbers. False: it does not resolve.
bool LookUp(const std::string& host, uint16_t port, Address* address);

using LookUpFunction = std::function<bool(const std::string&, uint16_t, Address*)>;

class Resolver {
 public:
  struct Answer {
    std::string host;
    uint16_t port = 0;
    Address address;  // without length: it does not resolve
  };

  // After an answer has come, `wake_fd`, an eventfd, is written to.
  Resolver(LookUpFunction look_up, int wake_fd);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // One answer comes of each.
  void Ask(const std::string& host, uint16_t port);
  void TakeAnswers(std::vector<Answer>* answers);

 private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;  // with the thread, which may outlive this object
  bool started_ = false;
};

}  // namespace metastore::net
