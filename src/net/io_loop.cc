#include "net/io_loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/connection.h"

namespace metastore::net {
namespace {

constexpr struct timeval kTick = {0, 100 * 1000};
constexpr int64_t kSweepNs = 1000 * 1000 * 1000;

Connection* Owner(server::Session* session) { return static_cast<Connection*>(session->owner()); }

}  // namespace

IoLoop::IoLoop(server::Server* server, replica::Lane lane)
    : server_(server),
      stats_(server->AddLoop()),
      dispatcher_(server, lane, stats_),
      base_(event_base_new()),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      mailbox_([this] { Wake(); }),
      receive_buffer_(new char[kReceiveBytes]) {
  CHECK(base_ != nullptr);
  CHECK_MSG(wake_fd_ >= 0, "eventfd: out of descriptors");
  event_assign(&wake_event_, base_, wake_fd_, EV_READ | EV_PERSIST, &OnWake, this);
  event_assign(&tick_event_, base_, -1, EV_PERSIST, &OnTick, this);
  event_assign(&deadline_event_, base_, -1, 0, &OnDeadline, this);
  CHECK_EQ(event_add(&wake_event_, nullptr), 0);
  CHECK_EQ(event_add(&tick_event_, &kTick), 0);
}

IoLoop::~IoLoop() {
  Join();
  // Sessions that were on their way here when the loop ended.
  std::vector<Message> mail;
  mailbox_.TakeAll(&mail);
  std::move(mail_.begin() + static_cast<ptrdiff_t>(next_mail_), mail_.end(),
            std::back_inserter(mail));
  for (Message& message : mail) {
    if (auto* adopted = std::get_if<Adopted>(&message)) {
      server_->clients().Remove(adopted->session.get());
      ::close(adopted->fd);
    }
  }
  listener_.reset();
  http_.reset();
  event_del(&wake_event_);
  event_del(&tick_event_);
  event_del(&deadline_event_);
  event_base_free(base_);
  ::close(wake_fd_);
}

// --- any thread ------------------------------------------------------------------------------

void IoLoop::Wake() {
  uint64_t one = 1;
  ssize_t n = ::write(wake_fd_, &one, sizeof one);
  CHECK(n == sizeof one || errno == EAGAIN);
}

void IoLoop::Deliver(replica::BatchReply reply) {
  mailed_bytes_.fetch_add(reply.bytes.size(), std::memory_order_relaxed);
  mailbox_.Put(std::move(reply));
}
bool IoLoop::HasRoomForReplies(size_t bytes) const {
  return bytes + mailed_bytes_.load(std::memory_order_relaxed) +
             published_unsent_.load(std::memory_order_relaxed) <=
         published_limit_.load(std::memory_order_relaxed);
}
void IoLoop::Deliver(replica::ReadPermission permission) { mailbox_.Put(permission); }
void IoLoop::Deliver(std::shared_ptr<const engine::CommitEvents> events) {
  if (AddWaitingEvents(events->bytes())) mailbox_.Put(std::move(events));
}
void IoLoop::Send(uint64_t session_id, const server::Push& push) {
  Sent sent{session_id, push};
  if (AddWaitingEvents(sent.bytes())) mailbox_.Put(std::move(sent));
}
bool IoLoop::AddWaitingEvents(size_t bytes) {
  MutexLock lock(events_mutex_);
  if (takes_events_) waiting_event_bytes_ += bytes;
  return takes_events_;
}
void IoLoop::TookEvents(size_t bytes) {
  MutexLock lock(events_mutex_);
  waiting_event_bytes_ -= bytes;
  events_taken_.NotifyOne();
}
void IoLoop::AwaitRoomForEvents() {
  MutexLock lock(events_mutex_);
  while (takes_events_ && waiting_event_bytes_ >= kMaxWaitingEventBytes) {
    events_taken_.Wait(events_mutex_);
  }
}
void IoLoop::WakeForKill(uint64_t session_id) { mailbox_.Put(Kill{session_id}); }
void IoLoop::Adopt(int fd, std::unique_ptr<server::Session> session) {
  mailbox_.Put(Adopted{fd, std::move(session)});
}
void IoLoop::Post(std::function<void()> task) { mailbox_.Put(std::move(task)); }

void IoLoop::Start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Run(); });
}

void IoLoop::BeginStop(int64_t grace_ms) {
  Post([this, grace_ms] {
    role_.Assert();
    stopping_ = true;
    stop_deadline_ns_ = server_->clock().BootNs() + grace_ms * 1000000;
    if (listener_) listener_->Stop();
    if (http_) http_->Stop();
    for (Connection* connection : AllConnections()) connection->Finish();
  });
}

void IoLoop::Join() {
  if (thread_.joinable()) thread_.join();
}

// --- loop thread -----------------------------------------------------------------------------

void IoLoop::Run() {
  role_.Bind();
  while (true) {
    bool waits = runnable_.empty() && mail_.empty() && !dispatcher_.HasRunnableReads() &&
                 (http_ == nullptr || !http_->HasRunnable());
    int flags = EVLOOP_ONCE | (waits ? 0 : EVLOOP_NONBLOCK);
    CHECK_GE(event_base_loop(base_, flags), 0);
    if (!mail_.empty()) TakeMail();
    ResumeStalled();
    EndOfTurn();
    if (!stopping_) continue;
    if (Drained() || server_->clock().BootNs() >= stop_deadline_ns_) break;
  }
  {
    MutexLock lock(events_mutex_);
    takes_events_ = false;
    events_taken_.NotifyOne();
  }
  for (Connection* connection : AllConnections()) connection->Close();
  removed_.clear();
  listener_.reset();
  http_.reset();
}

std::vector<Connection*> IoLoop::AllConnections() const {
  std::vector<Connection*> all;
  all.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) all.push_back(connection.get());
  return all;
}

bool IoLoop::Drained() const {
  return connections_.empty() && dispatcher_.outstanding() == 0 &&
         (http_ == nullptr || http_->requests() == 0);
}

void IoLoop::OnWake(evutil_socket_t fd, short, void* self) {
  uint64_t count;
  ssize_t n = ::read(fd, &count, sizeof count);
  CHECK(n == sizeof count || errno == EAGAIN);
  auto* loop = static_cast<IoLoop*>(self);
  loop->role_.Assert();
  loop->TakeMail();
}

void IoLoop::TakeMail() {
  if (!TakeLeftMail()) return;
  mailbox_.TakeAll(&mail_);
  next_mail_ = 0;
  TakeLeftMail();
}

bool IoLoop::TakeLeftMail() {
  for (; next_mail_ < mail_.size(); ++next_mail_) {
    if (!Take(mail_[next_mail_])) return false;
  }
  mail_.clear();
  next_mail_ = 0;
  return true;
}

bool IoLoop::Take(Message& message) {
  if (auto* reply = std::get_if<replica::BatchReply>(&message)) {
    size_t bytes = reply->bytes.size();
    dispatcher_.Handle(std::move(*reply));
    mailed_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  } else if (auto* permission = std::get_if<replica::ReadPermission>(&message)) {
    dispatcher_.Handle(*permission);
  } else if (auto* events = std::get_if<std::shared_ptr<const engine::CommitEvents>>(&message)) {
    return TakeEvents(**events);
  } else if (auto* sent = std::get_if<Sent>(&message)) {
    TakeSent(*sent);
  } else if (auto* adopted = std::get_if<Adopted>(&message)) {
    uint64_t id = adopted->session->id();
    bool killed = adopted->session->kill_requested;
    auto connection = std::make_unique<Connection>(this, adopted->fd, std::move(adopted->session));
    Connection* added = connection.get();
    connections_.emplace(id, std::move(connection));
    added->Start();
    if (killed || stopping_) added->Close();
  } else if (auto* kill = std::get_if<Kill>(&message)) {
    auto found = connections_.find(kill->session_id);
    if (found == connections_.end()) return true;
    if (found->second->session()->kill_requested) {
      found->second->Close();
    } else if (!found->second->closed()) {
      dispatcher_.Unblock(found->second->session());
    }
  } else {
    std::get<std::function<void()>>(message)();
  }
  return true;
}

bool IoLoop::TakeEvents(const engine::CommitEvents& events) {
  if (!dispatcher_.Handle(events, &next_event_)) return false;
  next_event_ = 0;
  TookEvents(events.bytes());
  return true;
}

void IoLoop::TakeSent(const Sent& sent) {
  const auto found = connections_.find(sent.session_id);
  if (found != connections_.end() && !found->second->closed()) {
    dispatcher_.Deliver(found->second->session(), sent.push);
  }
  TookEvents(sent.bytes());
}

void IoLoop::ResumeStalled() {
  for (Connection* connection : runnable_) connection->Resume();
  runnable_.clear();
  if (http_) http_->Retry();
}

size_t IoLoop::UnsentLimit() const {
  return dispatcher_.limits().output_memory_bytes / static_cast<size_t>(server_->loops());
}

void IoLoop::CloseWorstReader() {
  Connection* worst = nullptr;
  for (const auto& [id, connection] : connections_) {
    if (worst == nullptr || connection->unsent() > worst->unsent()) worst = connection.get();
  }
  if (http_ != nullptr && http_->CloseWorstReader(worst == nullptr ? 0 : worst->unsent())) return;
  CHECK(worst != nullptr);
  log::warn(
      "client {} {} closed: unread replies exceed twice output-memory and it has most, {} bytes",
      worst->session()->id(), worst->session()->peer_address, worst->unsent());
  stats_->output_limit_disconnections.Add(1);
  worst->Close();
}

void IoLoop::SendReplies() {
  dispatcher_.TakeDirty(&dirty_);
  for (server::Session* session : dirty_) {
    if (session->kind() == server::SessionKind::kHttp) {
      http_->OnReply(session);
    } else {
      Owner(session)->Flush();
    }
  }
  while (unsent_bytes_ > 2 * UnsentLimit()) CloseWorstReader();
}

void IoLoop::EndOfTurn() {
  dispatcher_.EndOfTurn();
  ArmDeadline();
  SendReplies();
  published_unsent_.store(unsent_bytes_, std::memory_order_relaxed);
  published_limit_.store(2 * UnsentLimit(), std::memory_order_relaxed);
  // A closed connection leaves the lists before it is deleted.
  size_t kept = 0;
  for (Connection* connection : stalled_) {
    if (connection->closed() || !connection->stalled()) continue;
    if (connection->MayServe()) {
      runnable_.push_back(connection);
    } else {
      stalled_[kept++] = connection;
    }
  }
  stalled_.resize(kept);
  removed_.clear();
}

void IoLoop::AddStalled(Connection* connection) {
  role_.Assert();
  stalled_.push_back(connection);
}

void IoLoop::AddUnsent(size_t before, size_t after) {
  role_.Assert();
  unsent_bytes_ += after - before;
}

bool IoLoop::TooMuchUnsent() const {
  role_.Assert();
  return unsent_bytes_ > UnsentLimit();
}

void IoLoop::Remove(Connection* connection) {
  role_.Assert();
  auto found = connections_.find(connection->session()->id());
  CHECK(found != connections_.end());
  removed_.push_back(std::move(found->second));
  connections_.erase(found);
}

// The turn that follows ends the waits whose time has come.
void IoLoop::OnDeadline(evutil_socket_t, short, void* self) {
  static_cast<IoLoop*>(self)->armed_deadline_ns_ = INT64_MAX;
}

void IoLoop::ArmDeadline() {
  const int64_t deadline_ns = dispatcher_.next_deadline_ns();
  if (deadline_ns == armed_deadline_ns_) return;
  armed_deadline_ns_ = deadline_ns;
  if (deadline_ns == INT64_MAX) {
    event_del(&deadline_event_);
    return;
  }
  // Not earlier than the deadline.
  const int64_t wait_us =
      (std::max<int64_t>(0, deadline_ns - server_->clock().BootNs()) + 999) / 1000;
  struct timeval wait;
  wait.tv_sec = wait_us / 1'000'000;
  wait.tv_usec = wait_us % 1'000'000;
  CHECK_EQ(event_add(&deadline_event_, &wait), 0);
}

void IoLoop::OnTick(evutil_socket_t, short, void* self) {
  auto* loop = static_cast<IoLoop*>(self);
  loop->role_.Assert();
  loop->Tick();
}

void IoLoop::Tick() {
  int64_t now_ns = server_->clock().BootNs();
  if (now_ns - last_sweep_ns_ < kSweepNs) return;
  last_sweep_ns_ = now_ns;
  for (Connection* connection : AllConnections()) connection->Sweep(dispatcher_.now_ms());
}

// --- IoLoops ---------------------------------------------------------------------------------

IoLoops::IoLoops(server::Server* server, const IoOptions& options)
    : server_(server), options_(options) {
  CHECK_GT(options.threads, 0);
  for (int i = 0; i < options.threads; ++i) {
    auto lane = static_cast<replica::Lane>(i);
    loops_.push_back(std::make_unique<IoLoop>(server, lane));
    server->replica().SetLane(lane, loops_.back().get());
  }
}

IoLoops::~IoLoops() {
  if (running_) Stop(0);
}

Status IoLoops::Start() {
  IoLoop* home = loops_[0].get();
  std::vector<int> redis_sockets;
  if (options_.redis_port >= 0) {
    redis_port_ = options_.redis_port;
    Result<std::vector<int>> sockets =
        OpenListeningSockets(options_.bind, &redis_port_, options_.tcp_backlog);
    if (!sockets.ok()) return sockets.status();
    redis_sockets = std::move(*sockets);
  }
  std::vector<int> http_sockets;
  if (options_.http_port >= 0) {
    http_port_ = options_.http_port;
    Result<std::vector<int>> sockets =
        OpenListeningSockets(options_.bind, &http_port_, options_.tcp_backlog);
    if (!sockets.ok()) {
      for (int fd : redis_sockets) ::close(fd);
      return sockets.status();
    }
    http_sockets = std::move(*sockets);
  }
  std::vector<IoLoop*> all;
  for (auto& loop : loops_) all.push_back(loop.get());
  home->set_listener(std::make_unique<Listener>(server_, home, all, redis_sockets));
  if (!http_sockets.empty()) {
    home->set_http(std::make_unique<HttpServer>(home, http_sockets, hook_));
  }
  server_->redis_port = redis_port_;
  server_->http_port = http_port_;
  running_ = true;
  for (auto& loop : loops_) loop->Start();
  return Status::Ok();
}

void IoLoops::Stop(int64_t grace_ms) {
  CHECK(running_);
  running_ = false;
  // The accepting loop first: afterwards no connection is handed to the others.
  for (auto& loop : loops_) loop->BeginStop(grace_ms);
  for (auto& loop : loops_) loop->Join();
}

}  // namespace metastore::net
