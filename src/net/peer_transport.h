// PeerTransport: the raft role's libevent loop, and the TCP connections between peers.
//
// Every node dials every other, once per wire::Channel, and sends on what it dialled; it reads
// what others dialled. The first frame of either side is a Hello, and each checks the other's
// (cluster, node ids, the disk's incarnation) before anything else passes; a peer that is refused
// is told why and tries again slowly.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "net/resolver.h"
#include "replica/transport.h"

namespace metastore::net {

// Frames waiting for one connection. Past it frames are dropped, which Raft, Pending and the
// snapshot sender repair; a link takes one frame in any case.
inline constexpr size_t kMaxLinkQueueBytes = 64 << 20;

struct PeerTransportOptions {
  uint64_t cluster_id = 0;
  raft::NodeId id = 0;
  uint64_t disk_incarnation = 0;
  std::string listen_host;
  uint16_t listen_port = 0;
  // Bind at once; else with the first Listen().
  bool listen = true;
  // How the names of peers become addresses, in a thread of its own; unset: getaddrinfo.
  LookUpFunction look_up;
  int64_t tick_ns = 10'000'000;  // the longest time without a turn
};

// kIoError: the peer port cannot be bound; the sentence says which and why.
Result<std::unique_ptr<replica::Transport>> MakePeerTransport(const PeerTransportOptions& options);

}  // namespace metastore::net
