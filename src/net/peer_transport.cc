#include "net/peer_transport.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread_role.h"
#include "net/resolver.h"
#include "replica/membership_change.h"
#include "replica/peer.pb.h"

namespace metastore::net {
namespace {

using replica::wire::Channel;
using replica::wire::Frame;
using replica::wire::FrameType;
using replica::wire::kChannels;

constexpr int64_t kDialMinNs = 20'000'000;
constexpr int64_t kDialMaxNs = 500'000'000;
constexpr int64_t kDialTimeoutNs = 2'000'000'000;
// How old the address of a name may be when its host is dialled without asking for it anew.
constexpr int64_t kAddressNs = 1'000'000'000;
// A refused peer needs an operator; asking every few seconds is enough.
constexpr int64_t kRefusedRetryNs = 5'000'000'000;
constexpr int64_t kHelloTimeoutNs = 5'000'000'000;
// A Join is answered when the change is committed, or after the request timeout.
constexpr int64_t kJoinTimeoutNs = 60'000'000'000;
constexpr int64_t kAcceptPauseNs = 100'000'000;
constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kMaxInbound = 1024;  // connections; more are closed at once
constexpr int kMaxIovecs = 64;

const char* ChannelName(Channel channel) {
  switch (channel) {
    case Channel::kRaft:
      return "raft";
    case Channel::kForward:
      return "forward";
    case Channel::kSnapshot:
      return "snapshot";
  }
  return "?";
}

void SetOptions(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  // A peer that vanished without a FIN is noticed by unacknowledged data.
  unsigned int timeout_ms = 5000;
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

class Loop;

// What this node dialled: it sends here. The other side answers the Hello with its own or with a
// Refusal, and sends nothing else.
struct Outbound {
  Loop* loop = nullptr;
  raft::NodeId peer = 0;
  Channel channel = Channel::kRaft;
  int fd = -1;
  bool connected = false;
  event* read_event = nullptr;
  event* write_event = nullptr;
  bool write_armed = false;
  bool dirty = false;  // has frames that no send was tried for
  std::deque<std::string> queue;
  size_t queue_bytes = 0;
  size_t front_sent = 0;
  std::string input;
  int64_t dial_at_ns = 0;
  int64_t dialled_ns = 0;
  int64_t backoff_ns = kDialMinNs;
  std::string last_refusal;
};

// What another node dialled: it is read.
struct Inbound {
  Loop* loop = nullptr;
  int fd = -1;
  event* read_event = nullptr;
  raft::NodeId peer = 0;  // 0 until its Hello was accepted
  uint64_t join = 0;      // it has sent a Join and waits for the answer
  Channel channel = Channel::kRaft;
  std::string input;
  size_t consumed = 0;
  int64_t accepted_ns = 0;
  bool paused = false;
};

class Loop : public replica::Transport {
 public:
  explicit Loop(const PeerTransportOptions& options) : options_(options) {}

  ~Loop() override {
    for (auto& [peer, target] : outbound_) {
      for (Outbound& link : target.links) CloseOutbound(&link);
    }
    for (std::unique_ptr<Inbound>& in : inbound_) CloseFds(in.get());
    if (listen_event_ != nullptr) event_free(listen_event_);
    if (wake_event_ != nullptr) event_free(wake_event_);
    if (listen_fd_ >= 0) close(listen_fd_);
    if (wake_fd_ >= 0) close(wake_fd_);
    if (base_ != nullptr) event_base_free(base_);
  }

  Status Open() {
    base_ = event_base_new();
    wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (base_ == nullptr || wake_fd_ < 0) return Status::IoError("cannot make an event loop");
    resolver_ = std::make_unique<Resolver>(options_.look_up ? options_.look_up : &LookUp, wake_fd_);
    wake_event_ = event_new(base_, wake_fd_, EV_READ | EV_PERSIST, &Loop::OnWake, this);
    event_add(wake_event_, nullptr);
    if (!options_.listen) return Status::Ok();
    return Listen();
  }

  void Run(replica::TransportHandler* handler) override {
    role_.Bind();
    handler_ = handler;
    timeval tick{options_.tick_ns / 1'000'000'000, (options_.tick_ns % 1'000'000'000) / 1000};
    event* timer = event_new(
        base_, -1, EV_PERSIST, [](evutil_socket_t, short, void*) {}, nullptr);
    event_add(timer, &tick);
    while (!stopping_.load(std::memory_order_acquire)) {
      now_ns_ = SystemClock()->BootNs();
      TakeAddresses();
      Dial();
      event_base_loop(base_, EVLOOP_ONCE);
      handler_->OnTurn();
      FlushDirty();
      Reap();
    }
    FlushDirty();
    event_free(timer);
  }

  void Wake() override {
    uint64_t one = 1;
    // A full counter means that a wake-up is already due.
    ssize_t written = write(wake_fd_, &one, sizeof one);
    (void)written;
  }
  void Stop() override {
    stopping_.store(true, std::memory_order_release);
    Wake();
  }

  void Send(raft::NodeId to, Channel channel, std::string frame) override {
    role_.Assert();
    auto it = outbound_.find(to);
    if (it == outbound_.end()) return;
    Outbound& link = it->second.links[static_cast<size_t>(channel)];
    if (!link.connected) return;
    if (!link.queue.empty() && link.queue_bytes + frame.size() > kMaxLinkQueueBytes) return;
    link.queue_bytes += frame.size();
    link.queue.push_back(std::move(frame));
    if (!link.dirty) {
      link.dirty = true;
      dirty_.push_back(&link);
    }
  }

  void SetPeers(const std::map<raft::NodeId, replica::PeerAddress>& peers) override {
    role_.Assert();
    for (auto it = outbound_.begin(); it != outbound_.end();) {
      auto address = peers.find(it->first);
      const bool same_member = address != peers.end() && address->second.added == it->second.added;
      if (same_member && address->second.url == it->second.url) {
        ++it;
        continue;
      }
      for (Outbound& link : it->second.links) CloseOutbound(&link);
      std::erase_if(dirty_, [&it](const Outbound* link) { return link->peer == it->first; });
      if (!same_member) {
        for (std::unique_ptr<Inbound>& in : inbound_) {
          if (in->peer == it->first) CloseFds(in.get());
        }
      }
      it = outbound_.erase(it);
    }
    for (const auto& [peer, address] : peers) {
      if (peer == options_.id || outbound_.contains(peer)) continue;
      Target target;
      target.url = address.url;
      target.added = address.added;
      if (!replica::SplitUrl(address.url, &target.host, &target.port)) continue;
      target.numeric = ParseAddress(target.host, target.port, &target.address);
      target.links.resize(kChannels);
      for (int i = 0; i < kChannels; ++i) {
        target.links[static_cast<size_t>(i)].loop = this;
        target.links[static_cast<size_t>(i)].peer = peer;
        target.links[static_cast<size_t>(i)].channel = static_cast<Channel>(i);
      }
      outbound_.emplace(peer, std::move(target));
    }
  }

  void AnswerJoin(uint64_t connection, std::string frame) override {
    role_.Assert();
    for (std::unique_ptr<Inbound>& in : inbound_) {
      if (in->join != connection || in->fd < 0) continue;
      ssize_t sent = send(in->fd, frame.data(), frame.size(), MSG_NOSIGNAL);
      (void)sent;  // who did not get it asks again
      CloseFds(in.get());
    }
  }

  void AcceptForwards(bool accept) override {
    if (accept == accept_forwards_) return;
    accept_forwards_ = accept;
    for (std::unique_ptr<Inbound>& in : inbound_) {
      if (in->fd < 0 || in->peer == 0 || in->channel != Channel::kForward) continue;
      in->paused = !accept;
      if (accept) {
        event_add(in->read_event, nullptr);
        // Whole frames may lie in the buffer, for which no event would come.
        TakeFrames(in.get());
      } else {
        event_del(in->read_event);
      }
    }
  }

  bool LinkUp(raft::NodeId to, Channel channel) const override {
    auto it = outbound_.find(to);
    return it != outbound_.end() && it->second.links[static_cast<size_t>(channel)].connected;
  }
  int64_t LastContactNs(raft::NodeId peer) const override {
    auto it = last_contact_ns_.find(peer);
    return it == last_contact_ns_.end() ? 0 : it->second;
  }

  Status Listen() override {
    if (listen_fd_ >= 0) return Status::Ok();
    const std::string where = options_.listen_host + ":" + std::to_string(options_.listen_port);
    Address address;
    if (!LookUp(options_.listen_host, options_.listen_port, &address)) {
      return Status::IoError("cannot resolve the peer address " + where +
                             "; check this node's place in --cluster");
    }
    listen_fd_ = socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (listen_fd_ >= 0) setsockopt(listen_fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listen_fd_ < 0 ||
        bind(listen_fd_, reinterpret_cast<sockaddr*>(&address.bytes), address.length) != 0 ||
        listen(listen_fd_, 128) != 0) {
      Status status = Status::IoError("cannot listen for peers on " + where + ": " +
                                      std::strerror(errno) + "; is another node running there?");
      if (listen_fd_ >= 0) close(listen_fd_);
      listen_fd_ = -1;
      return status;
    }
    listen_event_ = event_new(base_, listen_fd_, EV_READ | EV_PERSIST, &Loop::OnAccept, this);
    event_add(listen_event_, nullptr);
    log::info("serving peers on {}", where);
    return Status::Ok();
  }

 private:
  struct Target {
    std::string url;
    std::optional<raft::Position> added;
    std::string host;
    uint16_t port = 0;
    bool numeric = false;         // the url says the address itself
    Address address;              // as last looked up
    bool asked = false;           // a lookup is under way
    int64_t looked_up_ns = 0;     // 0: never
    std::vector<Outbound> links;  // one a channel; they do not move
  };

  static void OnWake(evutil_socket_t fd, short, void*) {
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
  }

  // --- outbound --------------------------------------------------------------------------------
  // Has lookups made when the address is old, and goes on with the old one until they end: what a
  // name server does not say keeps no link down. False: there is no address yet.
  bool HasAddress(Target* target) {
    if (target->numeric) return true;
    bool fresh = target->looked_up_ns != 0 && now_ns_ - target->looked_up_ns < kAddressNs;
    if (!fresh && !target->asked) {
      target->asked = true;
      resolver_->Ask(target->host, target->port);
    }
    return target->address.length != 0;
  }

  void TakeAddresses() {
    resolver_->TakeAnswers(&answers_);
    for (const Resolver::Answer& answer : answers_) {
      for (auto& [peer, target] : outbound_) {
        if (target.host != answer.host || target.port != answer.port) continue;
        target.asked = false;
        target.looked_up_ns = now_ns_;
        if (answer.address.length != 0) target.address = answer.address;
      }
    }
  }

  void Dial() {
    for (auto& [peer, target] : outbound_) {
      for (Outbound& link : target.links) {
        if (link.fd >= 0) {
          if (!link.connected && now_ns_ - link.dialled_ns > kDialTimeoutNs) Fail(&link);
          continue;
        }
        if (now_ns_ < link.dial_at_ns) continue;
        if (!HasAddress(&target)) continue;
        link.dialled_ns = now_ns_;
        link.fd =
            socket(target.address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (link.fd < 0) {
          Fail(&link);
          continue;
        }
        SetOptions(link.fd);
        int result = connect(link.fd, reinterpret_cast<sockaddr*>(&target.address.bytes),
                             target.address.length);
        if (result != 0 && errno != EINPROGRESS) {
          Fail(&link);
          continue;
        }
        link.read_event =
            event_new(base_, link.fd, EV_READ | EV_PERSIST, &Loop::OnOutboundRead, &link);
        link.write_event =
            event_new(base_, link.fd, EV_WRITE | EV_PERSIST, &Loop::OnOutboundWrite, &link);
        ArmWrite(&link, true);
      }
    }
  }

  static void OnOutboundWrite(evutil_socket_t, short, void* argument) {
    Outbound* link = static_cast<Outbound*>(argument);
    link->loop->Writable(link);
  }
  void Writable(Outbound* link) {
    if (!link->connected) {
      int error = 0;
      socklen_t length = sizeof error;
      getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) {
        Fail(link);
        return;
      }
      // Nothing but the Hello leaves before the other side has said who it is: a member that comes
      // back with an empty disk must not be led as if it still had its log.
      event_add(link->read_event, nullptr);
      ArmWrite(link, false);
      std::string hello = HelloFrame(link->peer, link->channel);
      if (send(link->fd, hello.data(), hello.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(hello.size())) {
        Fail(link);
      }
      return;
    }
    Flush(link);
  }

  std::string HelloFrame(raft::NodeId to, Channel channel) const {
    peer::Hello hello;
    hello.set_cluster_id(options_.cluster_id);
    hello.set_from(options_.id);
    hello.set_to(to);
    hello.set_disk_incarnation(options_.disk_incarnation);
    hello.set_channel(static_cast<uint32_t>(channel));
    replica::Greeting greeting = handler_->GreetingTo(to);
    if (greeting.added) {
      hello.set_to_added_index(greeting.added->index);
      hello.set_to_added_term(greeting.added->term);
    }
    hello.set_membership_index(greeting.membership_index);
    hello.set_from_url(greeting.url);
    return replica::wire::MakeFrame(FrameType::kHello, hello.SerializeAsString());
  }

  void ArmWrite(Outbound* link, bool armed) {
    if (link->write_armed == armed) return;
    link->write_armed = armed;
    if (armed) {
      event_add(link->write_event, nullptr);
    } else {
      event_del(link->write_event);
    }
  }

  void FlushDirty() {
    for (Outbound* link : dirty_) {
      link->dirty = false;
      if (link->connected) Flush(link);
    }
    dirty_.clear();
  }

  void Flush(Outbound* link) {
    while (!link->queue.empty()) {
      iovec vectors[kMaxIovecs];
      int count = 0;
      size_t skip = link->front_sent;
      for (std::string& frame : link->queue) {
        if (count == kMaxIovecs) break;
        vectors[count].iov_base = frame.data() + skip;
        vectors[count].iov_len = frame.size() - skip;
        skip = 0;
        ++count;
      }
      msghdr message{};
      message.msg_iov = vectors;
      message.msg_iovlen = static_cast<size_t>(count);
      ssize_t sent = sendmsg(link->fd, &message, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EAGAIN || errno == EINTR) {
          ArmWrite(link, true);
        } else {
          Fail(link);
        }
        return;
      }
      size_t left = static_cast<size_t>(sent);
      while (left > 0) {
        size_t front = link->queue.front().size() - link->front_sent;
        if (left < front) {
          link->front_sent += left;
          break;
        }
        left -= front;
        link->queue_bytes -= link->queue.front().size();
        link->queue.pop_front();
        link->front_sent = 0;
      }
    }
    ArmWrite(link, false);
  }

  static void OnOutboundRead(evutil_socket_t, short, void* argument) {
    Outbound* link = static_cast<Outbound*>(argument);
    link->loop->ReadAnswer(link);
  }
  void ReadAnswer(Outbound* link) {
    char buffer[4096];
    ssize_t got = recv(link->fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      Fail(link);
      return;
    }
    link->input.append(buffer, static_cast<size_t>(got));
    std::string_view rest = link->input;
    size_t wanted;
    Result<Frame> frame = replica::wire::TakeFrame(&rest, &wanted);
    if (!frame.ok()) {
      if (frame.code() != Code::kNotFound || wanted > sizeof buffer) Fail(link);
      return;
    }
    peer::Refusal refusal;
    peer::Hello hello;
    if (frame->type == FrameType::kHello && !link->connected && rest.empty() &&
        hello.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size()))) {
      std::string reason = WhyNot(hello);
      if (reason.empty() && hello.from() == link->peer) {
        link->input.clear();
        link->connected = true;
        link->last_refusal.clear();
        HearGreeting(hello);
        log::debug("connected to node {} ({})", link->peer, ChannelName(link->channel));
        handler_->OnLinkUp(link->peer, link->channel);
        return;
      }
      if (reason.empty()) reason = "another node answers at its address";
      if (reason != last_refusal_) {
        log::warn("not sending to node {}: {}", link->peer, reason);
        last_refusal_ = reason;
      }
      link->backoff_ns = kRefusedRetryNs;
    } else if (frame->type == FrameType::kRefusal &&
               refusal.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size()))) {
      if (refusal.reason() != link->last_refusal) {
        log::error("node {} refuses this node: {}", link->peer, refusal.reason());
        link->last_refusal = refusal.reason();
      }
      // The handler may change the peers: the link is not touched after it.
      if (refusal.not_a_member()) {
        raft::NodeId peer = link->peer;
        link->backoff_ns = kRefusedRetryNs;
        Fail(link);
        handler_->OnNotAMember(peer, refusal.membership_index());
        return;
      }
      link->backoff_ns = kRefusedRetryNs;
    }
    Fail(link);
  }

  void CloseOutbound(Outbound* link) {
    if (link->read_event != nullptr) event_free(link->read_event);
    if (link->write_event != nullptr) event_free(link->write_event);
    link->read_event = link->write_event = nullptr;
    link->write_armed = false;
    if (link->fd >= 0) close(link->fd);
    link->fd = -1;
    link->connected = false;
    link->queue.clear();
    link->queue_bytes = 0;
    link->front_sent = 0;
    link->input.clear();
  }

  void Fail(Outbound* link) {
    bool was_connected = link->connected;
    // A link that worked for a while starts over with a short wait.
    if (was_connected && now_ns_ - link->dialled_ns > kDialMaxNs &&
        link->backoff_ns <= kDialMaxNs) {
      link->backoff_ns = kDialMinNs;
    }
    CloseOutbound(link);
    link->dial_at_ns = now_ns_ + link->backoff_ns;
    link->backoff_ns = std::min(std::max(link->backoff_ns * 2, kDialMinNs), kDialMaxNs);
    if (was_connected) {
      log::debug("lost the connection to node {} ({})", link->peer, ChannelName(link->channel));
      handler_->OnLinkDown(link->peer, link->channel);
    }
  }

  // --- inbound ---------------------------------------------------------------------------------
  static void OnAccept(evutil_socket_t fd, short, void* argument) {
    Loop* loop = static_cast<Loop*>(argument);
    for (;;) {
      int accepted = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (accepted < 0) {
        // Out of descriptors: the waiting connection would wake the loop again and again.
        if (errno == EMFILE || errno == ENFILE) {
          event_del(loop->listen_event_);
          loop->accept_at_ns_ = loop->now_ns_ + kAcceptPauseNs;
        }
        return;
      }
      if (loop->inbound_.size() >= kMaxInbound) {
        close(accepted);
        continue;
      }
      SetOptions(accepted);
      auto in = std::make_unique<Inbound>();
      in->loop = loop;
      in->fd = accepted;
      in->accepted_ns = loop->now_ns_;
      in->read_event =
          event_new(loop->base_, accepted, EV_READ | EV_PERSIST, &Loop::OnInboundRead, in.get());
      event_add(in->read_event, nullptr);
      loop->inbound_.push_back(std::move(in));
    }
  }

  static void OnInboundRead(evutil_socket_t, short, void* argument) {
    Inbound* in = static_cast<Inbound*>(argument);
    in->loop->Read(in);
  }

  void Read(Inbound* in) {
    if (in->fd < 0) return;
    ssize_t got = recv(in->fd, read_buffer_.data(), read_buffer_.size(), 0);
    if (got <= 0) {
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      CloseFds(in);
      return;
    }
    in->input.append(read_buffer_.data(), static_cast<size_t>(got));
    TakeFrames(in);
  }

  void TakeFrames(Inbound* in) {
    std::string_view rest = std::string_view(in->input).substr(in->consumed);
    while (in->fd >= 0 && !in->paused) {
      size_t wanted;
      Result<Frame> frame = replica::wire::TakeFrame(&rest, &wanted);
      if (!frame.ok()) {
        // Strangers may not make this node keep more than a Hello.
        bool too_long = in->peer == 0 && wanted > 4096;
        if (frame.code() != Code::kNotFound || too_long) {
          log::warn("dropping a peer connection from node {}: {}", in->peer,
                    too_long ? "no Hello" : frame.ToString());
          CloseFds(in);
          return;
        }
        break;
      }
      if (in->peer == 0) {
        Greet(in, *frame);
        continue;
      }
      last_contact_ns_[in->peer] = now_ns_;
      if (!handler_->OnFrame(in->peer, *frame)) {
        log::warn("dropping the connection of node {}: a frame makes no sense", in->peer);
        CloseFds(in);
        return;
      }
    }
    // Bytes are moved to the front only when most of the buffer is behind us.
    in->consumed = in->input.size() - rest.size();
    if (rest.empty()) {
      in->input.clear();
      in->consumed = 0;
      if (in->input.capacity() > 4 * kReadBytes) in->input.shrink_to_fit();
    } else if (in->consumed > in->input.size() / 2) {
      in->input.erase(0, in->consumed);
      in->consumed = 0;
    }
  }

  // Why nothing may be exchanged with the sender of this Hello; empty when all is well.
  std::string WhyNot(const peer::Hello& hello) {
    const std::string from = "node " + std::to_string(hello.from());
    if (hello.cluster_id() != options_.cluster_id) {
      return "it belongs to another cluster (its --cluster list differs from this node's)";
    }
    if (hello.to() != options_.id) {
      return "it looks for node " + std::to_string(hello.to()) + " at the address of node " +
             std::to_string(options_.id);
    }
    if (handler_->NotAMember(hello.from(), hello.membership_index()))
      return from + " is not a member of the cluster";
    if (!handler_->KnowsDisk(hello.from(), hello.disk_incarnation())) {
      return from +
             " comes with another disk than before: it may have lost votes and entries that it "
             "promised; remove it from the cluster and add it again";
    }
    return std::string();
  }

  void HearGreeting(const peer::Hello& hello) {
    replica::Greeting greeting;
    if (hello.has_to_added_index()) {
      greeting.added = raft::Position{hello.to_added_term(), hello.to_added_index()};
    }
    greeting.membership_index = hello.membership_index();
    greeting.url = hello.from_url();
    handler_->OnGreeting(hello.from(), greeting);
  }

  void Greet(Inbound* in, const Frame& frame) {
    if (frame.type == FrameType::kJoin && in->join == 0) {
      in->join = ++last_join_;
      handler_->OnJoin(in->join, frame.body);
      return;
    }
    peer::Hello hello;
    if (in->join != 0 || frame.type != FrameType::kHello ||
        !hello.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size())) ||
        hello.channel() >= static_cast<uint32_t>(kChannels)) {
      CloseFds(in);
      return;
    }
    std::string reason = WhyNot(hello);
    if (!reason.empty()) {
      if (reason != last_refusal_) {
        log::warn("refusing a peer connection: {}", reason);
        last_refusal_ = reason;
      }
      peer::Refusal refusal;
      refusal.set_reason(reason);
      std::optional<raft::Index> since =
          handler_->NotAMember(hello.from(), hello.membership_index());
      if (since && hello.cluster_id() == options_.cluster_id) {
        refusal.set_not_a_member(true);
        refusal.set_membership_index(*since);
      }
      std::string bytes =
          replica::wire::MakeFrame(FrameType::kRefusal, refusal.SerializeAsString());
      ssize_t sent = send(in->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      (void)sent;  // a courtesy
      CloseFds(in);
      return;
    }
    std::string hello_back = HelloFrame(hello.from(), static_cast<Channel>(hello.channel()));
    if (send(in->fd, hello_back.data(), hello_back.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(hello_back.size())) {
      CloseFds(in);
      return;
    }
    // The peer has given up the connection it had before, which may have died without a word.
    for (std::unique_ptr<Inbound>& old : inbound_) {
      if (old->peer == hello.from() && old->channel == static_cast<Channel>(hello.channel())) {
        CloseFds(old.get());
      }
    }
    HearGreeting(hello);
    in->peer = hello.from();
    in->channel = static_cast<Channel>(hello.channel());
    last_contact_ns_[in->peer] = now_ns_;
    if (in->channel == Channel::kForward && !accept_forwards_) {
      in->paused = true;
      event_del(in->read_event);
    }
    // A peer that comes back is dialled at once.
    auto target = outbound_.find(in->peer);
    if (target == outbound_.end()) return;
    for (Outbound& link : target->second.links) {
      if (link.fd < 0 && link.last_refusal.empty()) link.dial_at_ns = now_ns_;
    }
  }

  void CloseFds(Inbound* in) {
    if (in->read_event != nullptr) event_free(in->read_event);
    in->read_event = nullptr;
    if (in->fd >= 0) close(in->fd);
    in->fd = -1;
  }

  // Closed connections are freed here, outside of their callbacks.
  void Reap() {
    if (accept_at_ns_ != 0 && now_ns_ >= accept_at_ns_) {
      accept_at_ns_ = 0;
      event_add(listen_event_, nullptr);
    }
    std::erase_if(inbound_, [this](std::unique_ptr<Inbound>& in) {
      int64_t patience = in->join == 0 ? kHelloTimeoutNs : kJoinTimeoutNs;
      if (in->fd >= 0 && in->peer == 0 && now_ns_ - in->accepted_ns > patience) {
        CloseFds(in.get());
      }
      return in->fd < 0;
    });
  }

  const PeerTransportOptions options_;
  replica::TransportHandler* handler_ = nullptr;
  ThreadRole role_;
  event_base* base_ = nullptr;
  int wake_fd_ = -1;
  event* wake_event_ = nullptr;
  int listen_fd_ = -1;
  event* listen_event_ = nullptr;
  std::atomic<bool> stopping_{false};
  int64_t now_ns_ = 0;
  int64_t accept_at_ns_ = 0;  // 0: connections are accepted
  bool accept_forwards_ = true;
  std::string last_refusal_;

  uint64_t last_join_ = 0;

  std::unique_ptr<Resolver> resolver_;
  std::vector<Resolver::Answer> answers_;
  std::map<raft::NodeId, Target> outbound_;
  std::vector<Outbound*> dirty_;
  std::vector<char> read_buffer_ = std::vector<char>(kReadBytes);
  std::vector<std::unique_ptr<Inbound>> inbound_;
  std::map<raft::NodeId, int64_t> last_contact_ns_;
};

}  // namespace

Result<std::unique_ptr<replica::Transport>> MakePeerTransport(const PeerTransportOptions& options) {
  auto loop = std::make_unique<Loop>(options);
  RETURN_IF_ERROR(loop->Open());
  return std::unique_ptr<replica::Transport>(std::move(loop));
}

}  // namespace metastore::net
