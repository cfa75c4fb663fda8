// Tracking: client-side caching for the clients of one io loop. A client is told when a key that it
// has read may have changed, whoever changed it; or, in BCAST mode, of every change to keys with
// its prefixes.
//
// A key is remembered in the moment in which its value is read on the View, so a change that the
// View does not show is told after the reply. io role.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "commands/command_spec.h"
#include "server/event_listener.h"
#include "server/push.h"
#include "server/session.h"

namespace metastore::server {

class Server;
struct Limits;

struct TrackingOptions {
  bool bcast = false;
  bool optin = false;
  bool optout = false;
  bool noloop = false;
  uint64_t redirect = 0;  // the client that gets the messages; 0: the same
  std::vector<std::string> prefixes;
};

class Tracking : public EventListener {
 public:
  // What the loop does for it.
  class Loop {
   public:
    virtual ~Loop() = default;
    // The session on this loop whose command caused the event; null if there is none.
    virtual Session* OriginOf(const engine::Origin& origin) = 0;
    // Sends it behind the reply to that command.
    virtual void PushAfterReply(const engine::Origin& origin,
                                const std::shared_ptr<const std::string>& bytes) = 0;
    virtual void PushTo(Session* session, const std::shared_ptr<const std::string>& bytes) = 0;
    // False: there is no such client on this node.
    virtual bool SendTo(uint64_t session_id, const Push& push) = 0;
  };

  Tracking(Loop* loop, Server* server, engine::Interest* interest, const Limits* limits);
  ~Tracking() override;

  // CLIENT TRACKING ON, once more too. Redis's errors.
  Status Enable(Session* session, TrackingOptions options);
  void Disable(Session* session);
  // Null: it does not track.
  const TrackingOptions* OptionsOf(const Session* session) const;
  bool IsRedirectBroken(const Session* session) const;

  // CLIENT CACHING: what the next command does with the keys that it reads.
  void SetCaching(Session* session) { Find(session)->caching = true; }
  bool caching(const Session* session) const { return Find(session)->caching; }
  size_t keys() const { return keys_.size(); }
  // At the taking of a command: whether the keys that it reads are to be remembered.
  bool Takes(Session* session, const commands::CommandSpec& spec);
  // Called with the View that the command is run on at hand, and before any further event.
  void Remember(Session* session, const commands::CommandSpec& spec, commands::Args args);
  // The same for a command in the log: remembered when it is submitted, and confirmed when its
  // reply is there. A change in between may stand behind the read, and is told again, behind the
  // reply.
  std::vector<std::string> RememberEarly(Session* session, const commands::CommandSpec& spec,
                                         commands::Args args);
  void Confirm(Session* session, const std::vector<std::string>& keys,
               const engine::Origin& origin);

  // Brings the table back to its limit. Never before the replies to what was remembered are in the
  // outputs: a client must not be told of a key in front of the value that it then keeps.
  void EndOfTurn();

  size_t Handle(const engine::Event& event) override;
  void EndOfCommit(uint64_t index) override;

 private:
  struct Client {
    Session* session;
    TrackingOptions options;
    bool caching = false;
    bool broken = false;
  };
  struct Key {
    std::string name;
    std::vector<uint64_t> clients;  // ids, ascending; some may be gone
  };
  using Keys = std::list<Key>;  // the one remembered first in front
  struct Prefix {
    std::vector<uint64_t> clients;
    // What the commit has changed so far, and who did.
    std::map<std::string, engine::Origin, std::less<>> changed;
  };

  Client* Find(const Session* session);
  const Client* Find(const Session* session) const;
  void Remember(uint64_t id, std::string_view key);
  bool IsRemembered(uint64_t id, std::string_view key) const;
  void Forget(Keys::iterator key);
  size_t Invalidate(std::string_view key, const engine::Origin& origin);
  size_t InvalidateAll(const engine::Origin& origin);
  // `origin`: the command that caused it, where it may be the client's own.
  size_t Send(Client& client, const Push& push, const engine::Origin& origin);
  void LeavePrefixes(const Client& client);
  uint64_t MaxKeys() const;

  Loop* const loop_;
  Server* const server_;
  engine::Interest* const interest_;
  const Limits* const limits_;
  std::unordered_map<uint64_t, Client> clients_;
  Keys keys_;
  std::unordered_map<std::string_view, Keys::iterator> by_name_;  // the name within keys_
  uint64_t items_ = 0;                                            // clients of all keys_
  std::map<std::string, Prefix, std::less<>> prefixes_;
  bool told_all_ = false;  // in this commit
};

}  // namespace metastore::server
