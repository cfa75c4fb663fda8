#include "net/connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "commands/errors.h"
#include "net/io_loop.h"

namespace metastore::net {
namespace {

constexpr size_t kMinInputBytes = 16 << 10;
// Received for one command in one turn, so that one client's large value leaves others their turn.
constexpr size_t kMaxReceiveBytes = 4 << 20;
// What a client may send behind a command that waits: so far its end is seen at once.
constexpr size_t kMaxInputWhileWaiting = 256 << 10;
constexpr int kMaxPieces = 64;

}  // namespace

// --- InputBuffer -----------------------------------------------------------------------------

char* InputBuffer::Reserve(size_t n) {
  if (room() >= n) return data_ + end_;
  if (begin_ > 0) {
    std::memmove(data_, data_ + begin_, size());
    end_ -= begin_;
    begin_ = 0;
    if (room() >= n) return data_ + end_;
  }
  capacity_ = std::max({end_ + n, capacity_ + capacity_ / 2, kMinInputBytes});
  data_ = static_cast<char*>(std::realloc(data_, capacity_));
  CHECK(data_ != nullptr);
  return data_ + end_;
}

void InputBuffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(Reserve(bytes.size()), bytes.data(), bytes.size());
  end_ += bytes.size();
}

void InputBuffer::Consume(size_t n) {
  CHECK_LE(n, size());
  begin_ += n;
  if (begin_ < end_) return;
  std::free(data_);
  data_ = nullptr;
  begin_ = end_ = capacity_ = 0;
}

// --- Connection ------------------------------------------------------------------------------

Connection::Connection(IoLoop* loop, int fd, std::unique_ptr<server::Session> session)
    : loop_(loop), fd_(fd), session_(std::move(session)) {
  session_->set_owner(this);
  event_assign(&read_event_, loop->base(), fd, EV_READ | EV_PERSIST, &OnReadable, this);
  event_assign(&write_event_, loop->base(), fd, EV_WRITE | EV_PERSIST, &OnWritable, this);
}

Connection::~Connection() { CHECK_MSG(fd_ < 0, "connection deleted while open"); }

void Connection::Start() { SetReading(true); }

void Connection::SetReading(bool on) {
  if (reading_ == on) return;
  reading_ = on;
  CHECK_EQ(on ? event_add(&read_event_, nullptr) : event_del(&read_event_), 0);
}

void Connection::SetWriting(bool on) {
  if (writing_ == on) return;
  writing_ = on;
  CHECK_EQ(on ? event_add(&write_event_, nullptr) : event_del(&write_event_), 0);
}

void Connection::OnReadable(evutil_socket_t, short, void* self) {
  auto* connection = static_cast<Connection*>(self);
  connection->loop_->role().Assert();
  connection->Receive();
}

void Connection::OnWritable(evutil_socket_t, short, void* self) {
  auto* connection = static_cast<Connection*>(self);
  connection->loop_->role().Assert();
  connection->Flush();
}

void Connection::Receive() {
  if (closed()) return;
  if (session_->waiter != nullptr && !half_closed_) return ReceiveWhileWaiting();
  // A stall ends within microseconds as a rule, so the event is taken off only when bytes come.
  if (stalled_ || half_closed_) return SetReading(false);
  if (!MayServe()) {
    SetReading(false);
    return Stall();
  }
  bool own_buffer = !input_.empty();
  char* to = loop_->receive_buffer();
  size_t room = kReceiveBytes;
  if (own_buffer) {
    // At most as much again as has arrived, so that an announced length costs nothing.
    size_t wanted = std::min(
        {parser_.bytes_wanted(), std::max(input_.size(), kMinInputBytes), kMaxReceiveBytes});
    to = input_.Reserve(std::max<size_t>(wanted, 1024));
    room = std::min(input_.room(), kMaxReceiveBytes);
  }
  ssize_t n = ::recv(fd_, to, room, 0);
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return;
    return Close();
  }
  if (n == 0) {
    // The client may still read: what it sent is answered first.
    half_closed_ = true;
    SetReading(false);
    return CloseIfDone();
  }
  loop_->stats().bytes_in.Add(static_cast<uint64_t>(n));
  session_->bytes_in.Add(static_cast<uint64_t>(n));
  if (own_buffer) {
    input_.Filled(static_cast<size_t>(n));
    size_t consumed = Parse(input_.view());
    if (closed()) return;
    input_.Consume(consumed);
  } else {
    std::string_view bytes(to, static_cast<size_t>(n));
    size_t consumed = Parse(bytes);
    if (closed()) return;
    if (!session_->close_after_reply) input_.Append(bytes.substr(consumed));
  }
  Publish();
  if (input_.size() > loop_->dispatcher().limits().client_query_buffer_bytes) {
    log::warn("client {} {} closed: its query buffer exceeds client-query-buffer-limit",
              session_->id(), session_->peer_address);
    loop_->stats().query_limit_disconnections.Add(1);
    return Close();
  }
}

// A client that has gone must not be given what others wait for, so its bytes are taken, and left
// for later, though none of its commands is.
void Connection::ReceiveWhileWaiting() {
  Stall();
  if (input_.size() >= kMaxInputWhileWaiting) return SetReading(false);
  char* to = input_.Reserve(kMinInputBytes);
  const ssize_t n = ::recv(fd_, to, input_.room(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  // As in Redis, whoever sends no more while it waits waits no more.
  if (n <= 0) return Close();
  loop_->stats().bytes_in.Add(static_cast<uint64_t>(n));
  session_->bytes_in.Add(static_cast<uint64_t>(n));
  input_.Filled(static_cast<size_t>(n));
  Publish();
}

size_t Connection::Parse(std::string_view bytes) {
  server::Dispatcher& dispatcher = loop_->dispatcher();
  std::vector<std::string_view>& args = loop_->args();
  parser_.set_max_bulk_bytes(dispatcher.limits().proto_max_bulk_bytes);
  size_t done = 0;
  while (true) {
    if (session_->close_after_reply) {
      half_closed_ = true;
      SetReading(false);
      return bytes.size();
    }
    if (done == bytes.size()) return done;
    if (!MayServe()) {
      Stall();
      return done;
    }
    parser_.set_authenticated(session_->authenticated);
    size_t consumed = 0;
    switch (parser_.Next(bytes.substr(done), &consumed, &args)) {
      case resp::Parser::Result::kNeedMore:
        return done + consumed;
      case resp::Parser::Result::kError:
        dispatcher.ReplyError(session_.get(), commands::errors::Custom("ERR " + parser_.error()));
        session_->close_after_reply = true;
        break;
      case resp::Parser::Result::kCommand:
        if (!dispatcher.Dispatch(session_.get(), args)) {
          // The parser reads the command once more when it can be taken.
          Stall();
          return done;
        }
        done += consumed;
        break;
    }
  }
}

bool Connection::MayServe() {
  if (unsent_ > 0 && loop_->TooMuchUnsent()) return false;
  return loop_->dispatcher().MayServe(session_.get());
}

void Connection::Stall() {
  if (session_->waiter != nullptr && !half_closed_) SetReading(true);
  if (stalled_) return;
  stalled_ = true;
  loop_->AddStalled(this);
}

void Connection::Resume() {
  if (closed() || !stalled_) return;
  stalled_ = false;
  if (!input_.empty()) {
    size_t consumed = Parse(input_.view());
    if (closed()) return;
    input_.Consume(consumed);
    Publish();
  }
  if (!half_closed_ && !stalled_) SetReading(true);
  CloseIfDone();
}

void Connection::Flush() {
  if (closed()) return;
  server::OutputBuffer& output = session_->output();
  if (!output.empty()) {
    struct iovec pieces[kMaxPieces];
    struct msghdr message = {};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<size_t>(output.Gather(pieces, kMaxPieces));
    ssize_t n = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return Close();
      n = 0;
    }
    output.Consume(static_cast<size_t>(n));
    loop_->stats().bytes_out.Add(static_cast<uint64_t>(n));
    session_->bytes_out.Add(static_cast<uint64_t>(n));
  }
  loop_->AddUnsent(unsent_, output.bytes());
  unsent_ = output.bytes();
  SetWriting(unsent_ > 0);
  Publish();
  if (OverOutputLimits(loop_->dispatcher().now_ms())) {
    log::warn("client {} {} closed: it exceeds client-output-buffer-limit", session_->id(),
              session_->peer_address);
    loop_->stats().output_limit_disconnections.Add(1);
    return Close();
  }
  CloseIfDone();
}

bool Connection::OverOutputLimits(int64_t now_ms) {
  const server::Limits& limits = loop_->dispatcher().limits();
  const server::OutputLimit& limit =
      session_->subscriptions() > 0 ? limits.pubsub_output : limits.output;
  size_t bytes = session_->reply_bytes();
  if (session_->cut_off) return true;
  if (limit.hard_bytes > 0 && bytes > limit.hard_bytes) return true;
  if (limit.soft_bytes == 0 || bytes <= limit.soft_bytes) {
    over_soft_since_ms_ = -1;
    return false;
  }
  if (over_soft_since_ms_ < 0) over_soft_since_ms_ = now_ms;
  return now_ms - over_soft_since_ms_ > limit.soft_s * 1000;
}

void Connection::CloseIfDone() {
  if (!half_closed_ && !session_->close_after_reply) return;
  if (stalled_ && !session_->close_after_reply) return;  // commands are left
  if (session_->has_slots() || !session_->output().empty()) return;
  Close();
}

void Connection::Finish() {
  half_closed_ = true;
  SetReading(false);
  session_->close_after_reply = true;
  CloseIfDone();
}

void Connection::Sweep(int64_t now_ms) {
  int64_t timeout_s = loop_->dispatcher().limits().timeout_s;
  bool waits = session_->has_slots();
  if (timeout_s > 0 && !waits && now_ms - session_->last_command_ms > timeout_s * 1000) {
    return Close();
  }
  if (loop_->dispatcher().Stalled(*session_)) {
    log::warn("client {} {} closed: for {} s it took next to nothing of a large reply",
              session_->id(), session_->peer_address, server::kStreamStallNs / 1'000'000'000);
    loop_->stats().output_limit_disconnections.Add(1);
    return Close();
  }
  if (OverOutputLimits(now_ms)) {
    loop_->stats().output_limit_disconnections.Add(1);
    Close();
  }
}

void Connection::Publish() {
  session_->query_bytes = input_.size();
  session_->query_capacity = input_.capacity();
  session_->output_bytes = session_->output().bytes();
  session_->output_memory = session_->output().memory();
  session_->outstanding_count = session_->slot_count();
}

void Connection::Close() {
  if (closed()) return;
  SetReading(false);
  SetWriting(false);
  loop_->AddUnsent(unsent_, 0);
  unsent_ = 0;
  // Out of the registry before the descriptor's number can be used again.
  server::Session* session = session_.get();
  loop_->server().clients().Remove(session);
  ::close(fd_);
  fd_ = -1;
  loop_->Remove(this);
  loop_->dispatcher().Close(std::move(session_));
}

}  // namespace metastore::net
