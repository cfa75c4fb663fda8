#include "server/clients.h"

#include <spdlog/fmt/fmt.h>

#include "base/check.h"
#include "server/command_table.h"

namespace metastore::server {

std::string FormatClient(const ClientInfo& info) {
  std::string flags;
  if (info.monitor) flags += 'O';
  if (info.type == "pubsub") flags += 'P';
  if (info.tracking) flags += 't';
  if (info.tracking_broken) flags += 'R';
  if (info.tracking_bcast) flags += 'B';
  if (info.close_after_reply) flags += 'c';
  if (info.readonly) flags += 'r';
  if (info.blocked) flags += 'b';
  if (info.queued_commands >= 0) flags += 'x';
  if (info.no_evict) flags += 'e';
  if (info.no_touch) flags += 'T';
  if (flags.empty()) flags = "N";
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} "
      "multi={} watch={} qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs=0 rbp=0 obl={} oll={} "
      "omem={} tot-mem={} events=r cmd={} user={} redir={} resp={} lib-name={} lib-ver={} "
      "tot-net-in={} tot-net-out={} tot-cmds={}",
      info.id, info.address, info.local_address, info.fd, info.name, info.age_s, info.idle_s, flags,
      info.db, info.channels, info.patterns, info.shard_channels, info.queued_commands,
      info.watched_keys, info.query_bytes, info.query_free_bytes, info.argument_bytes,
      info.transaction_bytes, info.output_bytes, info.outstanding, info.output_memory,
      info.total_memory, info.last_command, info.user, info.redirect, info.protocol, info.lib_name,
      info.lib_version, info.bytes_in, info.bytes_out, info.commands);
}

void ClientRegistry::Add(Session* session, LoopWaker* waker) {
  MutexLock lock(mutex_);
  bool added = clients_.emplace(session->id(), Client{session, waker}).second;
  CHECK(added);
  if (session->kind() == SessionKind::kResp) count_.fetch_add(1, std::memory_order_relaxed);
}

void ClientRegistry::Remove(Session* session) {
  MutexLock lock(mutex_);
  if (clients_.erase(session->id()) == 0) return;
  if (session->kind() == SessionKind::kResp) count_.fetch_sub(1, std::memory_order_relaxed);
}

bool ClientRegistry::Visit(uint64_t id,
                           const std::function<void(Session*, LoopWaker*)>& visit) const {
  MutexLock lock(mutex_);
  const auto it = clients_.find(id);
  if (it == clients_.end()) return false;
  visit(it->second.session, it->second.waker);
  return true;
}

ClientInfo ClientRegistry::Copy(const Session& session, int64_t now_ms) {
  ClientInfo info;
  info.id = session.id();
  info.address = session.peer_address;
  info.local_address = session.local_address;
  info.fd = session.fd;
  info.name = session.name;
  info.lib_name = session.lib_name;
  info.lib_version = session.lib_version;
  info.user = session.user;
  info.age_s = std::max<int64_t>(0, now_ms - session.created_ms) / 1000;
  info.idle_s = std::max<int64_t>(0, now_ms - session.last_command_ms) / 1000;
  info.db = session.db;
  info.protocol = session.protocol;
  info.readonly = session.readonly;
  info.close_after_reply = session.close_after_reply;
  info.blocked = session.blocked;
  info.queued_commands = session.queued_commands;
  info.watched_keys = session.watched_keys;
  info.transaction_bytes = session.transaction_bytes;
  info.channels = session.channels;
  info.patterns = session.patterns;
  info.shard_channels = session.shard_channels;
  if (session.subscriptions() > 0) info.type = "pubsub";
  info.no_evict = session.no_evict;
  info.no_touch = session.no_touch;
  info.monitor = session.monitor;
  info.tracking = session.tracking;
  info.tracking_bcast = session.tracking_bcast;
  info.tracking_broken = session.tracking_broken;
  info.redirect = session.redirect;
  info.query_bytes = session.query_bytes;
  uint64_t capacity = session.query_capacity;
  info.query_free_bytes = capacity > info.query_bytes ? capacity - info.query_bytes : 0;
  info.argument_bytes = session.argument_bytes;
  info.output_bytes = session.output_bytes;
  info.output_memory = session.output_memory;
  info.outstanding = session.outstanding_count;
  info.total_memory = sizeof(Session) + capacity + info.argument_bytes + info.transaction_bytes +
                      info.output_memory;
  info.commands = session.commands;
  info.bytes_in = session.bytes_in;
  info.bytes_out = session.bytes_out;
  const Command* last = session.last_command;
  info.last_command = last == nullptr ? "NULL" : last->full_name;
  return info;
}

std::vector<ClientInfo> ClientRegistry::List(int64_t now_ms) const {
  std::vector<ClientInfo> list;
  MutexLock lock(mutex_);
  list.reserve(clients_.size());
  for (const auto& [id, client] : clients_) list.push_back(Copy(*client.session, now_ms));
  return list;
}

ClientInfo ClientRegistry::Info(const Session& session, int64_t now_ms) const {
  MutexLock lock(mutex_);
  return Copy(session, now_ms);
}

size_t ClientRegistry::Kill(Session* self, int64_t now_ms,
                            const std::function<bool(const ClientInfo&)>& chosen) {
  size_t killed = 0;
  // The wakers are called under the lock: a loop takes its clients out of the registry before it
  // ends, so a waker that is found here is alive.
  MutexLock lock(mutex_);
  for (const auto& [id, client] : clients_) {
    if (!chosen(Copy(*client.session, now_ms))) continue;
    ++killed;
    if (client.session == self) {
      self->close_after_reply = true;
      continue;
    }
    client.session->kill_requested.store(true, std::memory_order_relaxed);
    if (client.waker != nullptr) client.waker->WakeForKill(id);
  }
  return killed;
}

bool ClientRegistry::Unblock(uint64_t id, bool with_error) {
  MutexLock lock(mutex_);
  const auto found = clients_.find(id);
  if (found == clients_.end() || !found->second.session->blocked) return false;
  const Waiter::End end = with_error ? Waiter::End::kError : Waiter::End::kTimeout;
  found->second.session->unblock_requested.store(static_cast<uint8_t>(end));
  if (found->second.waker != nullptr) found->second.waker->WakeForKill(id);
  return true;
}

void ClientRegistry::SetName(Session* session, std::string_view name) {
  MutexLock lock(mutex_);
  session->name = name;
}
void ClientRegistry::SetLibName(Session* session, std::string_view name) {
  MutexLock lock(mutex_);
  session->lib_name = name;
}
void ClientRegistry::SetLibVersion(Session* session, std::string_view version) {
  MutexLock lock(mutex_);
  session->lib_version = version;
}
void ClientRegistry::SetUser(Session* session, std::string_view user) {
  MutexLock lock(mutex_);
  session->user = user;
}

}  // namespace metastore::server
