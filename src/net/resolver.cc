#include "net/resolver.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/mailbox.h"

namespace metastore::net {
namespace {

bool GetAddress(const std::string& host, uint16_t port, int flags, Address* address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  std::memcpy(&address->bytes, found->ai_addr, found->ai_addrlen);
  address->length = found->ai_addrlen;
  freeaddrinfo(found);
  return true;
}

}  // namespace

bool ParseAddress(const std::string& host, uint16_t port, Address* address) {
  return GetAddress(host, port, AI_NUMERICHOST | AI_NUMERICSERV, address);
}
bool LookUp(const std::string& host, uint16_t port, Address* address) {
  return GetAddress(host, port, AI_NUMERICSERV, address);
}

struct Resolver::Shared {
  Shared(LookUpFunction function, int fd)
      : look_up(std::move(function)), wake_fd(fcntl(fd, F_DUPFD_CLOEXEC, 0)), answers([this] {
          uint64_t one = 1;
          ssize_t written = write(wake_fd, &one, sizeof one);
          (void)written;  // a full counter means that a wake-up is already due
        }) {
    CHECK_MSG(wake_fd >= 0, "out of descriptors");
  }
  ~Shared() { close(wake_fd); }

  const LookUpFunction look_up;
  const int wake_fd;
  Mailbox<Answer> questions;  // without an address yet
  Mailbox<Answer> answers;
};

Resolver::Resolver(LookUpFunction look_up, int wake_fd)
    : shared_(std::make_shared<Shared>(std::move(look_up), wake_fd)) {}

Resolver::~Resolver() { shared_->questions.Close(); }

void Resolver::Ask(const std::string& host, uint16_t port) {
  shared_->questions.Put({host, port, {}});
  if (started_) return;
  started_ = true;
  std::thread([shared = shared_] {
    prctl(PR_SET_NAME, "resolver");
    std::vector<Answer> questions;
    for (;;) {
      shared->questions.WaitAndTakeAll(&questions);
      if (questions.empty()) return;
      for (Answer& question : questions) {
        if (!shared->look_up(question.host, question.port, &question.address)) {
          question.address.length = 0;
        }
        shared->answers.Put(std::move(question));
      }
    }
  }).detach();
}

void Resolver::TakeAnswers(std::vector<Answer>* answers) { shared_->answers.TakeAll(answers); }

}  // namespace metastore::net
