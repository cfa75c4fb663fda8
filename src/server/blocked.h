// BlockedClients: the clients of one io loop that wait for something to come to a key, and whose
// turn it is when something does.
//
// A client that waits has one command, which the Dispatcher gives another try (the same item in the
// log, or the same read) when one of its keys was written, whatever node wrote it: the events of a
// commit say so. Each key has its clients in the order in which they came, and no more of them are
// tried than the key has elements. Of what two nodes try for, the log decides who gets it.
//
// A client is entered before its first try is handed over. So nothing that comes later can be
// missed: it is seen by the try, or its event comes while the try is under way and asks for
// another. Owning loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commands/blocking.h"
#include "engine/events.h"
#include "engine/view.h"
#include "server/command_table.h"
#include "server/copies.h"
#include "server/event_listener.h"

namespace metastore::server {

class Session;

// A client that waits. The session owns it.
struct Waiter {
  Session* session = nullptr;
  const Command* command = nullptr;
  const commands::Blocking* blocking = nullptr;
  int db = 0;
  int protocol = 2;
  uint64_t slot = 0;
  std::vector<std::string> args;
  std::vector<std::string> keys;
  bool track = false;  // for a client-side cache
  // It waits for other nodes, not for keys; then it has neither `blocking` nor tries.
  std::optional<CopiesWait> copies;

  uint64_t number = 0;      // in the order in which they came
  int64_t deadline_ns = 0;  // boot time; 0: none
  bool under_way = true;    // a try is in the log or among the reads
  bool first_try = true;
  bool again = false;   // something came meanwhile
  std::string nothing;  // what it replies when there is nothing
  // What ends the wait, once no try is under way.
  enum class End : uint8_t { kNone, kTimeout, kError } end = End::kNone;
};

class BlockedClients : public EventListener {
 public:
  explicit BlockedClients(engine::Interest* interest) : interest_(interest) {}
  ~BlockedClients() override;

  void Add(Waiter* waiter);
  // Whoever waits behind it for the same keys is looked at again.
  void Remove(Waiter* waiter);
  size_t size() const { return count_; }

  // Something may have come to its keys since its last try began.
  void TouchKeysOf(const Waiter& waiter);
  bool any_touched() const { return !touched_.empty(); }
  // The waiters to be tried now, in their order; they are under way then. `new_view` is asked for
  // at most one View.
  std::vector<Waiter*> TakeReady(const std::function<const engine::View&()>& view);

  // When there is something to do; INT64_MAX: never.
  int64_t next_deadline_ns() const;
  // Those whose time has come; each once.
  std::vector<Waiter*> TakeExpired(int64_t now_ns);
  // When those that wait for other nodes are to be looked at.
  int64_t next_look_ns() const {
    return for_copies_.empty() ? INT64_MAX : last_look_ns_ + kCopiesLookNs;
  }
  std::vector<Waiter*> TakeWaitersForCopies(int64_t now_ns);

  size_t Handle(const engine::Event& event) override;

 private:
  using Key = std::pair<int, std::string>;  // database and name
  using KeyView = std::pair<int, std::string_view>;
  struct Less {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      if (a.first != b.first) return a.first < b.first;
      return std::string_view(a.second) < std::string_view(b.second);
    }
  };

  struct Queue {
    std::map<uint64_t, Waiter*> waiters;
    bool touched = false;
  };
  using Queues = std::map<Key, Queue, Less>;
  void Touch(Queues::value_type& queue);

  engine::Interest* const interest_;
  Queues by_key_;
  // In the order of their changes, in which Redis serves them. Some have nobody waiting any more.
  std::vector<Key> touched_;
  std::set<std::pair<int64_t, Waiter*>> deadlines_;
  std::map<uint64_t, Waiter*> for_copies_;
  int64_t last_look_ns_ = 0;
  size_t count_ = 0;
  uint64_t next_number_ = 1;
};

}  // namespace metastore::server
