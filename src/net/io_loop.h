// IoLoop: one thread with one libevent base; it owns its connections, their sessions and a
// Dispatcher. IoLoops is all of them with the listening sockets.
//
// One turn: everything that is ready is received, parsed and dispatched; then once, at its end,
// the Dispatcher hands over the batch and serves the reads, and every client with replies gets
// them in one send. So the work per command shrinks as the load grows.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/mailbox.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread_role.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "server/dispatcher.h"
#include "server/server.h"

namespace metastore::net {

class Connection;

// Events that wait for a loop. Past it the apply role waits, and so do all that have something
// applied.
inline constexpr size_t kMaxWaitingEventBytes = 4 << 20;

// Received into, then parsed in place; what remains of it is copied to the connection.
inline constexpr size_t kReceiveBytes = 128 << 10;

class IoLoop : public replica::LaneSink, public server::LoopWaker {
 public:
  IoLoop(server::Server* server, replica::Lane lane);
  ~IoLoop() override;

  // --- any thread ------------------------------------------------------------------------------
  void Deliver(replica::BatchReply reply) override;
  void Deliver(replica::ReadPermission permission) override;
  void Deliver(std::shared_ptr<const engine::CommitEvents> events) override;
  void AwaitRoomForEvents() override;
  bool HasRoomForReplies(size_t bytes) const override;
  void WakeForKill(uint64_t session_id) override;
  void Send(uint64_t session_id, const server::Push& push) override;
  // A connected, non-blocking socket and its session, which is in the registry.
  void Adopt(int fd, std::unique_ptr<server::Session> session);
  void Post(std::function<void()> task);

  void Start();
  // Answers what is under way for at most `grace_ms`, closes every connection, ends the thread.
  void BeginStop(int64_t grace_ms);
  void Join();

  // --- loop thread -----------------------------------------------------------------------------
  event_base* base() { return base_; }
  server::Server& server() { return *server_; }
  server::Dispatcher& dispatcher() { return dispatcher_; }
  server::LoopStats& stats() { return *stats_; }
  const ThreadRole& role() const { return role_; }
  char* receive_buffer() { return receive_buffer_.get(); }
  std::vector<std::string_view>& args() { return args_; }

  void AddStalled(Connection* connection);
  // The connection is deleted at the end of the turn.
  void Remove(Connection* connection);
  void AddUnsent(size_t before, size_t after);
  // This loop's share of output-memory is used up: clients that have unread replies must wait.
  bool TooMuchUnsent() const;

  // Loop 0 only; before Start. They live on this loop's thread.
  void set_listener(std::unique_ptr<Listener> listener) { listener_ = std::move(listener); }
  void set_http(std::unique_ptr<HttpServer> http) { http_ = std::move(http); }
  HttpServer* http() { return http_.get(); }

 private:
  struct Adopted {
    int fd;
    std::unique_ptr<server::Session> session;
  };
  struct Kill {
    uint64_t session_id;
  };
  struct Sent {
    uint64_t session_id;
    server::Push push;
    size_t bytes() const { return sizeof(Sent) + push.resp3->size(); }
  };
  using Message = std::variant<replica::BatchReply, replica::ReadPermission,
                               std::shared_ptr<const engine::CommitEvents>, Sent, Adopted, Kill,
                               std::function<void()>>;

  static void OnWake(evutil_socket_t, short, void* self);
  static void OnTick(evutil_socket_t, short, void* self);
  static void OnDeadline(evutil_socket_t, short, void* self);
  void Run();
  void Wake();
  // What came from other roles. Events that fill the outputs of many clients are left in the
  // middle, with all that came behind them, until these have been sent.
  void TakeMail() REQUIRES(role_);
  bool TakeLeftMail() REQUIRES(role_);
  // False: it is to be gone on with.
  bool Take(Message& message) REQUIRES(role_);
  void SendReplies() REQUIRES(role_);
  void EndOfTurn() REQUIRES(role_);
  // So that a turn comes when the first of the clients that wait has waited long enough.
  void ArmDeadline();
  void ResumeStalled() REQUIRES(role_);
  size_t UnsentLimit() const;
  void CloseWorstReader() REQUIRES(role_);
  void Tick() REQUIRES(role_);
  bool Drained() const REQUIRES(role_);
  bool TakeEvents(const engine::CommitEvents& events) REQUIRES(role_);
  void TakeSent(const Sent& sent) REQUIRES(role_);
  // False: the loop has ended.
  bool AddWaitingEvents(size_t bytes);
  void TookEvents(size_t bytes);
  // A copy: closing one takes it out of the map.
  std::vector<Connection*> AllConnections() const REQUIRES(role_);

  server::Server* const server_;
  server::LoopStats* const stats_;
  server::Dispatcher dispatcher_;
  ThreadRole role_;
  event_base* base_;
  int wake_fd_;
  struct event wake_event_;
  struct event tick_event_;
  struct event deadline_event_;
  int64_t armed_deadline_ns_ = INT64_MAX;
  Mailbox<Message> mailbox_;
  std::vector<Message> mail_ GUARDED_BY(role_);
  size_t next_mail_ GUARDED_BY(role_) = 0;
  size_t next_event_ GUARDED_BY(role_) = 0;  // of mail_[next_mail_]
  Mutex events_mutex_;
  CondVar events_taken_;
  size_t waiting_event_bytes_ GUARDED_BY(events_mutex_) = 0;
  bool takes_events_ GUARDED_BY(events_mutex_) = true;

  std::unique_ptr<char[]> receive_buffer_;
  std::vector<std::string_view> args_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_ GUARDED_BY(role_);
  std::vector<std::unique_ptr<Connection>> removed_ GUARDED_BY(role_);
  // Have input that could not be taken, or are not read; and those of them that are served at the
  // start of the next turn.
  std::vector<Connection*> stalled_ GUARDED_BY(role_);
  std::vector<Connection*> runnable_ GUARDED_BY(role_);
  std::vector<server::Session*> dirty_ GUARDED_BY(role_);
  size_t unsent_bytes_ GUARDED_BY(role_) = 0;
  // What the apply role asks about: replies in the mailbox, and a copy of unsent_bytes_ with the
  // limit it is held against.
  std::atomic<size_t> mailed_bytes_{0};
  std::atomic<size_t> published_unsent_{0};
  std::atomic<size_t> published_limit_{SIZE_MAX};
  int64_t last_sweep_ns_ GUARDED_BY(role_) = 0;

  bool stopping_ GUARDED_BY(role_) = false;
  int64_t stop_deadline_ns_ GUARDED_BY(role_) = 0;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<HttpServer> http_;
  std::thread thread_;
};

struct IoOptions {
  int threads = 1;
  // "*", "::*" or an address each; with "-" in front it may fail to bind, as in Redis's `bind`.
  std::vector<std::string> bind = {"*", "-::*"};
  int redis_port = 6379;  // 0: any free port; -1: none
  int http_port = 12380;  // the same
  int tcp_backlog = 511;
};

class IoLoops {
 public:
  // Makes the loops and sets them as the replica's lanes: before Replica::Start, and it must
  // outlive the replica.
  IoLoops(server::Server* server, const IoOptions& options);
  ~IoLoops();

  // Before Start. See HttpServer.
  void SetMembershipHook(MembershipHook hook) { hook_ = std::move(hook); }

  // Binds the ports (errors are sentences for an operator), then runs the threads.
  Status Start();
  // Stops accepting, answers what is under way for at most `grace_ms`, closes. The replica must
  // still run, or nothing more is answered. Once.
  void Stop(int64_t grace_ms);

  // The ports that are bound.
  int redis_port() const { return redis_port_; }
  int http_port() const { return http_port_; }

 private:
  server::Server* const server_;
  const IoOptions options_;
  MembershipHook hook_;
  std::vector<std::unique_ptr<IoLoop>> loops_;
  int redis_port_ = 0;
  int http_port_ = 0;
  bool running_ = false;
};

}  // namespace metastore::net
