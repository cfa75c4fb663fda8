#include "server/tracking.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "commands/errors.h"
#include "commands/keys.h"
#include "resp/writer.h"
#include "server/limits.h"
#include "server/server.h"

namespace metastore::server {
namespace {

using commands::errors::Custom;
using engine::Event;
using engine::EventKind;
using engine::Origin;

constexpr std::string_view kChannel = "__redis__:invalidate";

// An invalidation; RESP2 is for a subscriber of the channel. No keys: all of them.
Push Encode(const std::vector<std::string_view>& keys) {
  const auto with_head = [&keys](int protocol, std::initializer_list<std::string_view> head) {
    auto bytes = std::make_shared<std::string>();
    resp::Writer writer(bytes.get(), protocol);
    writer.Push(head.size() + 1);
    for (std::string_view word : head) writer.Bulk(word);
    if (keys.empty()) {
      writer.Null();
    } else {
      writer.Array(keys.size());
      for (std::string_view key : keys) writer.Bulk(key);
    }
    return bytes;
  };
  return {with_head(3, {"invalidate"}), with_head(2, {"message", kChannel})};
}

bool Overlap(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

Status CheckPrefixes(const std::vector<std::string>& old, const std::vector<std::string>& added) {
  const auto collision = [](std::string_view prefix, std::string_view kind,
                            std::string_view other) {
    return Custom("ERR Prefix '" + std::string(prefix) + "' overlaps with " + std::string(kind) +
                  " prefix '" + std::string(other) +
                  "'. Prefixes for a single client must not overlap.");
  };
  for (size_t i = 0; i < added.size(); ++i) {
    for (const std::string& prefix : old) {
      if (Overlap(prefix, added[i])) return collision(added[i], "an existing", prefix);
    }
    for (size_t j = i + 1; j < added.size(); ++j) {
      if (Overlap(added[i], added[j])) return collision(added[i], "another provided", added[j]);
    }
  }
  return Status::Ok();
}

// False: it is there already.
bool Insert(std::vector<uint64_t>* ids, uint64_t id) {
  const auto at = std::lower_bound(ids->begin(), ids->end(), id);
  if (at != ids->end() && *at == id) return false;
  ids->insert(at, id);
  return true;
}

}  // namespace

Tracking::Tracking(Loop* loop, Server* server, engine::Interest* interest, const Limits* limits)
    : loop_(loop), server_(server), interest_(interest), limits_(limits) {}

Tracking::~Tracking() {
  TrackingTotals& totals = server_->tracking_totals;
  interest_->AddKeys(-static_cast<int>(clients_.size()));
  totals.clients -= static_cast<int64_t>(clients_.size());
  totals.keys -= static_cast<int64_t>(keys_.size());
  totals.items -= static_cast<int64_t>(items_);
  totals.prefixes -= static_cast<int64_t>(prefixes_.size());
}

Tracking::Client* Tracking::Find(const Session* session) {
  const auto it = clients_.find(session->id());
  return it == clients_.end() ? nullptr : &it->second;
}
const Tracking::Client* Tracking::Find(const Session* session) const {
  return const_cast<Tracking*>(this)->Find(session);
}

// --- CLIENT TRACKING ---------------------------------------------------------------------------

Status Tracking::Enable(Session* session, TrackingOptions options) {
  Client* old = Find(session);
  if (!options.bcast && !options.prefixes.empty()) {
    return Custom("ERR PREFIX option requires BCAST mode to be enabled");
  }
  if (old != nullptr && old->options.bcast != options.bcast) {
    return Custom(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and "
        "then re-enabling it with a different mode.");
  }
  if (options.bcast && (options.optin || options.optout)) {
    return Custom("ERR OPTIN and OPTOUT are not compatible with BCAST");
  }
  if (options.optin && options.optout) {
    return Custom("ERR You can't specify both OPTIN mode and OPTOUT mode");
  }
  if (old != nullptr &&
      ((options.optin && old->options.optout) || (options.optout && old->options.optin))) {
    return Custom(
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
        "then re-enabling it with a different mode.");
  }
  static const std::vector<std::string> kNone;
  if (options.bcast) {
    RETURN_IF_ERROR(
        CheckPrefixes(old != nullptr ? old->options.prefixes : kNone, options.prefixes));
    // The empty one is taken beside others, too: it comes first in their order.
    const bool has_empty =
        old != nullptr && !old->options.prefixes.empty() && old->options.prefixes.front().empty();
    if (options.prefixes.empty() && !has_empty) options.prefixes.emplace_back();
  }
  TrackingTotals& totals = server_->tracking_totals;
  if (old == nullptr) {
    old = &clients_.emplace(session->id(), Client{session, {}}).first->second;
    interest_->AddKeys(1);
    totals.clients += 1;
  }
  for (const std::string& prefix : options.prefixes) {
    const auto [it, is_new] = prefixes_.try_emplace(prefix);
    if (is_new) totals.prefixes += 1;
    Insert(&it->second.clients, session->id());
  }
  options.prefixes.insert(options.prefixes.end(), old->options.prefixes.begin(),
                          old->options.prefixes.end());
  std::sort(options.prefixes.begin(), options.prefixes.end());
  old->options = std::move(options);
  old->broken = false;
  session->tracking = true;
  session->tracking_bcast = old->options.bcast;
  session->tracking_broken = false;
  session->redirect = static_cast<int64_t>(old->options.redirect);
  return Status::Ok();
}

void Tracking::LeavePrefixes(const Client& client) {
  for (const std::string& prefix : client.options.prefixes) {
    const auto it = prefixes_.find(prefix);
    std::erase(it->second.clients, client.session->id());
    if (!it->second.clients.empty()) continue;
    prefixes_.erase(it);
    server_->tracking_totals.prefixes -= 1;
  }
}

// What it has read stays until it is changed: nobody is told of it then.
void Tracking::Disable(Session* session) {
  const auto it = clients_.find(session->id());
  if (it == clients_.end()) return;
  LeavePrefixes(it->second);
  clients_.erase(it);
  interest_->AddKeys(-1);
  server_->tracking_totals.clients -= 1;
  session->tracking = false;
  session->tracking_bcast = false;
  session->tracking_broken = false;
  session->redirect = -1;
}

const TrackingOptions* Tracking::OptionsOf(const Session* session) const {
  const Client* client = Find(session);
  return client == nullptr ? nullptr : &client->options;
}

bool Tracking::IsRedirectBroken(const Session* session) const {
  const Client* client = Find(session);
  return client != nullptr && client->broken;
}

// --- remembering what was read -----------------------------------------------------------------

bool Tracking::Takes(Session* session, const commands::CommandSpec& spec) {
  Client* client = Find(session);
  if (client == nullptr) return false;
  const bool caching = std::exchange(client->caching, false);
  const TrackingOptions& options = client->options;
  // EXEC stands for the reads of its transaction.
  if ((spec.flags & (commands::kReadonly | commands::kExecutes)) == 0 || options.bcast) {
    return false;
  }
  return options.optin ? caching : options.optout ? !caching : true;
}

uint64_t Tracking::MaxKeys() const {
  const uint64_t most = limits_->tracking_table_max_keys;
  if (most == 0) return UINT64_MAX;
  return std::max<uint64_t>(1, most / static_cast<uint64_t>(std::max(1, server_->loops())));
}

void Tracking::Remember(uint64_t id, std::string_view name) {
  TrackingTotals& totals = server_->tracking_totals;
  auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    keys_.push_back({std::string(name), {}});
    it = by_name_.emplace(keys_.back().name, std::prev(keys_.end())).first;
    totals.keys += 1;
  }
  if (!Insert(&it->second->clients, id)) return;
  ++items_;
  totals.items += 1;
}

void Tracking::EndOfTurn() {
  if (keys_.empty()) return;
  for (const uint64_t most = MaxKeys(); keys_.size() > most;) {
    Invalidate(std::string(keys_.front().name), Origin());
  }
}

void Tracking::Remember(Session* session, const commands::CommandSpec& spec, commands::Args args) {
  if (Find(session) == nullptr) return;
  for (const commands::KeyUse& use : commands::FindKeys(spec, args)) {
    Remember(session->id(), args[static_cast<size_t>(use.position)]);
  }
}

std::vector<std::string> Tracking::RememberEarly(Session* session,
                                                 const commands::CommandSpec& spec,
                                                 commands::Args args) {
  std::vector<std::string> keys;
  for (const commands::KeyUse& use : commands::FindKeys(spec, args)) {
    keys.emplace_back(args[static_cast<size_t>(use.position)]);
    Remember(session->id(), keys.back());
  }
  return keys;
}

bool Tracking::IsRemembered(uint64_t id, std::string_view key) const {
  const auto it = by_name_.find(key);
  return it != by_name_.end() &&
         std::binary_search(it->second->clients.begin(), it->second->clients.end(), id);
}

void Tracking::Confirm(Session* session, const std::vector<std::string>& keys,
                       const Origin& origin) {
  for (const std::string& key : keys) {
    Client* client = Find(session);
    if (client == nullptr || IsRemembered(session->id(), key)) continue;
    Send(*client, Encode({key}), origin);
  }
}

void Tracking::Forget(Keys::iterator key) {
  TrackingTotals& totals = server_->tracking_totals;
  totals.keys -= 1;
  totals.items -= static_cast<int64_t>(key->clients.size());
  items_ -= key->clients.size();
  by_name_.erase(key->name);
  keys_.erase(key);
}

// --- telling changes ---------------------------------------------------------------------------

size_t Tracking::Send(Client& client, const Push& push, const Origin& origin) {
  Session* session = client.session;
  std::shared_ptr<const std::string> bytes = push.resp3;
  if (client.options.redirect != 0) {
    if (loop_->SendTo(client.options.redirect, push)) return bytes->size();
    client.broken = true;
    session->tracking_broken = true;
    auto broken = std::make_shared<std::string>();
    resp::Writer writer(broken.get(), 3);
    writer.Push(2);
    writer.Bulk("tracking-redir-broken");
    writer.Integer(static_cast<int64_t>(client.options.redirect));
    bytes = std::move(broken);
  }
  if (session->protocol != 3) return 0;
  if (loop_->OriginOf(origin) == session) {
    loop_->PushAfterReply(origin, bytes);
  } else {
    loop_->PushTo(session, bytes);
  }
  return bytes->size();
}

size_t Tracking::Invalidate(std::string_view key, const Origin& origin) {
  const auto it = by_name_.find(key);
  if (it == by_name_.end()) return 0;
  const std::vector<uint64_t> ids = it->second->clients;
  Forget(it->second);
  const Push invalidation = Encode({key});
  size_t bytes = 0;
  for (uint64_t id : ids) {
    const auto client = clients_.find(id);
    if (client == clients_.end() || client->second.options.bcast) continue;
    if (client->second.options.noloop && loop_->OriginOf(origin) == client->second.session) {
      continue;
    }
    bytes += Send(client->second, invalidation, origin);
  }
  return bytes;
}

size_t Tracking::InvalidateAll(const Origin& origin) {
  if (told_all_) return 0;
  told_all_ = true;
  while (!keys_.empty()) Forget(keys_.begin());
  const Push invalidation = Encode({});
  size_t bytes = 0;
  for (auto& [id, client] : clients_) bytes += Send(client, invalidation, origin);
  return bytes;
}

size_t Tracking::Handle(const Event& event) {
  if (clients_.empty() && keys_.empty()) return 0;
  switch (event.kind) {
    case EventKind::kKey: {
      for (auto& [prefix, state] : prefixes_) {
        if (event.key.starts_with(prefix)) {
          state.changed.insert_or_assign(std::string(event.key), event.origin);
        }
      }
      return Invalidate(event.key, event.origin);
    }
    case EventKind::kDatabase:
    case EventKind::kEverything:
      return InvalidateAll(event.origin);
    case EventKind::kMessage:
    case EventKind::kShardMessage:
    case EventKind::kLost:
      return 0;
  }
  return 0;
}

void Tracking::EndOfCommit(uint64_t) {
  told_all_ = false;
  for (auto& [prefix, state] : prefixes_) {
    if (state.changed.empty()) continue;
    const std::map<std::string, Origin, std::less<>> changed = std::exchange(state.changed, {});
    std::optional<Push> of_all;
    for (uint64_t id : state.clients) {
      Client& client = clients_.at(id);
      Origin own;
      std::vector<std::string_view> keys;
      for (const auto& [key, origin] : changed) {
        const bool is_own = loop_->OriginOf(origin) == client.session;
        if (is_own && (own.elsewhere() || own.ticket < origin.ticket ||
                       (own.ticket == origin.ticket && own.item < origin.item))) {
          own = origin;
        }
        if (!is_own || !client.options.noloop) keys.push_back(key);
      }
      if (keys.empty()) continue;
      const bool all = keys.size() == changed.size();
      if (all && !of_all) of_all = Encode(keys);
      Send(client, all ? *of_all : Encode(keys), own);
    }
  }
}

}  // namespace metastore::server
