// Transport: the loop that the raft role runs in, and its links to peers. net::PeerTransport is
// the real one; the simulator has its own.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "raft/types.h"
#include "replica/wire.h"

namespace metastore::replica {

// What a node tells a peer, beside who it is, before they exchange anything.
struct Greeting {
  // The entry that added the node that is told; nothing where it is no member for all the other
  // knows.
  std::optional<raft::Position> added;
  // Of the node that tells: the last change of the membership that it has applied, if it is a
  // member by that, and its address.
  raft::Index membership_index = 0;
  std::string url;
};

// A peer, as SetPeers names it.
struct PeerAddress {
  std::string url;  // http://host:port
  // The entry that added it; nothing where it is no member for all this node knows.
  std::optional<raft::Position> added = std::nullopt;
};

// Called in the raft role's loop.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  // A frame of a peer whose Hello was accepted. False: it makes no sense; drop the connection.
  virtual bool OnFrame(raft::NodeId from, const wire::Frame& frame) = 0;
  // A connection to `peer` on this channel is (again) usable.
  virtual void OnLinkUp(raft::NodeId peer, wire::Channel channel) = 0;
  virtual void OnLinkDown(raft::NodeId peer, wire::Channel channel) = 0;
  // Is this disk the one that `peer` had when it was first seen? The first one is remembered.
  virtual bool KnowsDisk(raft::NodeId peer, uint64_t disk_incarnation) = 0;
  virtual Greeting GreetingTo(raft::NodeId peer) = 0;
  // Comes before the frames of a peer that was accepted.
  virtual void OnGreeting(raft::NodeId peer, const Greeting& greeting) = 0;
  // Not a member as far as this node knows, which knows no less of the membership than the peer
  // does: the change that says so.
  virtual std::optional<raft::Index> NotAMember(raft::NodeId peer,
                                                raft::Index peers_membership_index) = 0;
  // `peer` does not take this node for a member, as of that change.
  virtual void OnNotAMember(raft::NodeId peer, raft::Index membership_index) = 0;
  // A stranger's Join; answer it with AnswerJoin, once, or never.
  virtual void OnJoin(uint64_t connection, std::string_view body) = 0;
  // After the events of each turn of the loop, and at least once per tick.
  virtual void OnTurn() = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Runs the loop in this thread until Stop.
  virtual void Run(TransportHandler* handler) = 0;
  // Any thread: makes the loop turn once, soon.
  virtual void Wake() = 0;
  virtual void Stop() = 0;

  // The rest: raft role.

  // Who is dialled and sent to from now on. One that another entry added than before is another
  // member, on another disk: what the earlier one sent and was not handed over yet never is, and
  // the connections of both directions begin anew, with a Hello.
  virtual void SetPeers(const std::map<raft::NodeId, PeerAddress>& peers) = 0;
  // Listens for peers unless it does. kIoError: the sentence says which address and why.
  virtual Status Listen() = 0;
  virtual void AnswerJoin(uint64_t connection, std::string frame) = 0;
  // Frames to one peer on one channel arrive in order or not at all; a frame is dropped when the
  // link is down or its queue is full, and Raft, Pending and the snapshot sender repeat what was
  // lost.
  virtual void Send(raft::NodeId to, wire::Channel channel, std::string frame) = 0;
  // While false, connections on the forward channel are not read.
  virtual void AcceptForwards(bool accept) = 0;
  virtual bool LinkUp(raft::NodeId to, wire::Channel channel) const = 0;
  virtual int64_t LastContactNs(raft::NodeId peer) const = 0;  // boot time; 0: never
};

}  // namespace metastore::replica
