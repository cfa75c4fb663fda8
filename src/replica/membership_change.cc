#include "replica/membership_change.h"

#include <algorithm>

#include "base/parse.h"
#include "raft/membership.h"

namespace metastore::replica {
namespace {

std::string Name(raft::NodeId id) { return "node " + std::to_string(id); }

void Erase(std::vector<raft::NodeId>* ids, raft::NodeId id) { std::erase(*ids, id); }

raft::Peer* FindPeer(raft::Membership* membership, raft::NodeId id) {
  for (raft::Peer& peer : membership->peers) {
    if (peer.id == id) return &peer;
  }
  return nullptr;
}

Status Add(const MembershipChange::Add& add, raft::Position at, raft::Membership* target,
           raft::NodeId* added) {
  std::string host;
  uint16_t port;
  if (!SplitUrl(add.url, &host, &port)) {
    return Status::InvalidArgument("'" + add.url + "' is not of the form http://host:port");
  }
  raft::NodeId id = add.id;
  raft::NodeId highest = 0;
  for (const raft::Peer& peer : target->peers) {
    highest = std::max(highest, peer.id);
    if (peer.url != add.url) continue;
    if (id == 0) id = peer.id;
    if (id != peer.id) {
      return Status::InvalidArgument(add.url + " is the address of " + Name(peer.id));
    }
  }
  if (id == 0) id = std::max(highest, raft::Members(*target).back()) + 1;
  if (id > kMaxNodeId) {
    return Status::InvalidArgument("node ids go from 1 to " + std::to_string(kMaxNodeId));
  }
  *added = id;
  raft::Peer* known = FindPeer(target, id);
  if (raft::IsMember(*target, id)) {
    // It has moved.
    if (known != nullptr) {
      known->url = add.url;
    } else {
      target->peers.push_back({id, add.url, false, {}});
    }
    return Status::Ok();
  }
  target->learners.push_back(id);
  target->peers.push_back({id, add.url, !add.learner, at});
  return Status::Ok();
}

}  // namespace

bool SplitUrl(const std::string& url, std::string* host, uint16_t* port) {
  constexpr std::string_view kScheme = "http://";
  if (url.compare(0, kScheme.size(), kScheme) != 0) return false;
  std::string rest = url.substr(kScheme.size());
  while (!rest.empty() && rest.back() == '/') rest.pop_back();
  size_t colon = rest.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  int64_t number;
  if (!ParseInt64(rest.substr(colon + 1), &number) || number < 1 || number > 65535) return false;
  *host = rest.substr(0, colon);
  for (char c : *host) {
    if (c <= ' ' || c >= 0x7f || c == '/' || c == '@' || c == '?' || c == '#') return false;
  }
  if (host->size() > 2 && host->front() == '[') *host = host->substr(1, host->size() - 2);
  *port = static_cast<uint16_t>(number);
  return true;
}

Result<raft::Membership> TargetOf(const raft::Membership& current, const MembershipChange& change,
                                  raft::Position at, raft::NodeId* added) {
  raft::Membership target = current;
  for (const MembershipChange::Add& add : change.add) {
    RETURN_IF_ERROR(Add(add, at, &target, added));
  }
  for (raft::NodeId id : change.promote) {
    raft::Peer* peer = FindPeer(&target, id);
    if (!raft::IsMember(target, id) || peer == nullptr) {
      return Status(Code::kNotFound, Name(id) + " is not a member");
    }
    if (raft::IsLearner(target, id)) peer->promote = true;
  }
  for (raft::NodeId id : change.remove) {
    if (!raft::IsMember(target, id)) {
      return Status(Code::kNotFound, Name(id) + " is not a member");
    }
    Erase(&target.voters, id);
    Erase(&target.learners, id);
  }
  if (target.voters.empty()) {
    return Status::InvalidArgument("the last voter cannot be removed");
  }
  RETURN_IF_ERROR(raft::CheckTarget(&target));
  return target;
}

}  // namespace metastore::replica
