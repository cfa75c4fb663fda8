// The clients of all io loops: CLIENT LIST, INFO, KILL, maxclients. Any thread; one lock, taken
// when a client comes, goes or is renamed, and when clients are listed, never per command.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "server/session.h"

namespace metastore::server {

// How a loop is told that something of its sessions needs attention. Any thread may call it.
struct Push;  // push.h

class LoopWaker {
 public:
  virtual ~LoopWaker() = default;
  // The session with this id has kill_requested or unblock_requested set (it may be gone by the
  // time this arrives).
  virtual void WakeForKill(uint64_t session_id) = 0;
  // Something for a client of that loop: invalidations that another client redirects to it, or what
  // MONITOR shows.
  virtual void Send(uint64_t session_id, const Push& push) = 0;
};

// A copy of what is known of one client, for CLIENT LIST and CLIENT KILL's filters.
struct ClientInfo {
  uint64_t id = 0;
  std::string address;
  std::string local_address;
  int fd = -1;
  std::string name;
  std::string lib_name;
  std::string lib_version;
  std::string user;
  int64_t age_s = 0;
  int64_t idle_s = 0;
  int db = 0;
  int protocol = 2;
  bool readonly = false;
  bool close_after_reply = false;
  bool blocked = false;
  int64_t queued_commands = -1;
  uint64_t watched_keys = 0;
  uint64_t transaction_bytes = 0;
  bool no_evict = false;
  bool no_touch = false;
  bool monitor = false;
  bool tracking = false;
  bool tracking_bcast = false;
  bool tracking_broken = false;
  int64_t redirect = -1;
  uint64_t query_bytes = 0;
  uint64_t query_free_bytes = 0;
  uint64_t argument_bytes = 0;
  uint64_t output_bytes = 0;   // "obl": replies not yet sent
  uint64_t output_memory = 0;  // "omem"
  uint64_t outstanding = 0;
  uint64_t total_memory = 0;
  uint64_t commands = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  std::string last_command;  // "get", "client|list", "NULL"
  uint64_t channels = 0;
  uint64_t patterns = 0;
  uint64_t shard_channels = 0;
  // "normal" or "pubsub"; the kinds master and replica have no members here.
  std::string_view type = "normal";
};

// The line of CLIENT LIST and CLIENT INFO, without a line end. Fields and order are Redis 7.2's.
std::string FormatClient(const ClientInfo& info);

class ClientRegistry {
 public:
  // Numbers start at 1 and are never used twice.
  uint64_t NextId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }

  void Add(Session* session, LoopWaker* waker);
  void Remove(Session* session);
  // RESP clients. HTTP clients are counted by their front end.
  size_t count() const { return count_.load(std::memory_order_relaxed); }

  // Calls `visit` under the lock if there is such a client.
  bool Visit(uint64_t id, const std::function<void(Session*, LoopWaker*)>& visit) const;
  // In order of id.
  std::vector<ClientInfo> List(int64_t now_ms) const;
  ClientInfo Info(const Session& session, int64_t now_ms) const;

  // Asks for the close of each client for which `chosen` is true and returns how many there were.
  // `self`, which may be null, is closed after its reply.
  size_t Kill(Session* self, int64_t now_ms, const std::function<bool(const ClientInfo&)>& chosen);
  // Ends the wait of a client as its timeout would, or with an error. False: there is no such
  // client, or it does not wait.
  bool Unblock(uint64_t id, bool with_error);

  void SetName(Session* session, std::string_view name);
  void SetLibName(Session* session, std::string_view name);
  void SetLibVersion(Session* session, std::string_view version);
  void SetUser(Session* session, std::string_view user);

 private:
  struct Client {
    Session* session;
    LoopWaker* waker;
  };
  static ClientInfo Copy(const Session& session, int64_t now_ms);

  std::atomic<uint64_t> next_id_{1};
  std::atomic<size_t> count_{0};
  mutable Mutex mutex_;
  std::map<uint64_t, Client> clients_ GUARDED_BY(mutex_);
};

}  // namespace metastore::server
