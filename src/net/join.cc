#include "net/join.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "replica/membership_change.h"
#include "replica/peer.pb.h"
#include "replica/wire.h"

namespace metastore::net {
namespace {

constexpr size_t kMaxAnswerBytes = 1 << 20;

struct Socket {
  int fd = -1;
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
};

Status Unreachable(const std::string& url, const std::string& why) {
  return {Code::kUnavailable, "no member of the cluster answers at " + url + ": " + why};
}

}  // namespace

Result<JoinAnswer> AskToJoin(const std::string& member_url, const std::string& own_url,
                             int timeout_ms) {
  std::string host;
  uint16_t port;
  if (!replica::SplitUrl(member_url, &host, &port)) {
    return Status::InvalidArgument("'" + member_url + "' is not of the form http://host:port");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return Unreachable(member_url, "the name does not resolve");
  }
  Socket socket;
  socket.fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval timeout{timeout_ms / 1000, timeout_ms % 1000 * 1000};
  ::setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(socket.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  int connected = ::connect(socket.fd, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  if (connected != 0) return Unreachable(member_url, std::strerror(errno));

  peer::Join join;
  join.set_url(own_url);
  std::string frame =
      replica::wire::MakeFrame(replica::wire::FrameType::kJoin, join.SerializeAsString());
  if (::send(socket.fd, frame.data(), frame.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(frame.size())) {
    return Unreachable(member_url, "the connection broke");
  }
  std::string input;
  for (;;) {
    char buffer[4096];
    ssize_t got = ::recv(socket.fd, buffer, sizeof buffer, 0);
    if (got <= 0) return Unreachable(member_url, got == 0 ? "it hung up" : std::strerror(errno));
    input.append(buffer, static_cast<size_t>(got));
    std::string_view rest = input;
    size_t wanted;
    Result<replica::wire::Frame> answer = replica::wire::TakeFrame(&rest, &wanted);
    if (answer.code() == Code::kNotFound && wanted <= kMaxAnswerBytes) continue;
    peer::JoinAnswer message;
    if (!answer.ok() || answer->type != replica::wire::FrameType::kJoinAnswer ||
        !message.ParseFromArray(answer->body.data(), static_cast<int>(answer->body.size()))) {
      return Unreachable(member_url, "it does not speak metaStore's peer protocol");
    }
    if (!message.error().empty()) return Status::InvalidArgument(message.error());
    JoinAnswer result;
    result.cluster = message.cluster();
    result.id = message.id();
    for (const peer::Member& member : message.members()) {
      result.members[member.id()] = member.url();
    }
    return result;
  }
}

}  // namespace metastore::net
