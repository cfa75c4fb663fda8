// RAFT: who belongs to the cluster and how its members are, and changes of that.
#include <array>

#include "base/parse.h"
#include "commands/errors.h"
#include "raft/types.h"
#include "server/local_spec.h"

namespace metastore::server {
namespace {

using commands::Args;
using namespace commands;  // flags and categories of specs

Status ParseNode(std::string_view text, raft::NodeId* id) {
  int64_t number;
  if (!ParseInt64(text, &number) || number < 1 ||
      number > static_cast<int64_t>(replica::kMaxNodeId)) {
    return errors::Custom("ERR node ids go from 1 to " + std::to_string(replica::kMaxNodeId));
  }
  *id = static_cast<raft::NodeId>(number);
  return Status::Ok();
}

Status ParseUrl(std::string_view text, std::string* url) {
  std::string host;
  uint16_t port;
  *url = std::string(text);
  if (replica::SplitUrl(*url, &host, &port)) return Status::Ok();
  return errors::Custom("ERR the address of a node is of the form http://host:port");
}

// id url [LEARNER]; the node enters as a learner, and unless it is to stay one it becomes a voter
// by itself.
Status RaftAdd(LocalContext& ctx, Args args, resp::Writer&) {
  replica::MembershipChange::Add add;
  RETURN_IF_ERROR(ParseNode(args[2], &add.id));
  RETURN_IF_ERROR(ParseUrl(args[3], &add.url));
  if (args.size() > 5 || (args.size() == 5 && !EqualsIgnoreCase(args[4], "LEARNER"))) {
    return Status(Code::kSyntax);
  }
  add.learner = args.size() == 5;
  replica::MembershipChange change;
  change.add.push_back(std::move(add));
  ctx.ChangeMembership(std::move(change));
  return Status::Ok();
}

Status RaftRemove(LocalContext& ctx, Args args, resp::Writer&) {
  replica::MembershipChange change;
  for (std::string_view arg : args.subspan(2)) {
    raft::NodeId id;
    RETURN_IF_ERROR(ParseNode(arg, &id));
    change.remove.push_back(id);
  }
  ctx.ChangeMembership(std::move(change));
  return Status::Ok();
}

Status RaftPromote(LocalContext& ctx, Args args, resp::Writer&) {
  replica::MembershipChange change;
  raft::NodeId id;
  RETURN_IF_ERROR(ParseNode(args[2], &id));
  change.promote.push_back(id);
  ctx.ChangeMembership(std::move(change));
  return Status::Ok();
}

// ADD id url [LEARNER] and REMOVE id, in any number and order, as one change.
Status RaftReconfigure(LocalContext& ctx, Args args, resp::Writer&) {
  replica::MembershipChange change;
  for (size_t i = 2; i < args.size();) {
    if (EqualsIgnoreCase(args[i], "ADD") && i + 2 < args.size()) {
      replica::MembershipChange::Add add;
      RETURN_IF_ERROR(ParseNode(args[i + 1], &add.id));
      RETURN_IF_ERROR(ParseUrl(args[i + 2], &add.url));
      i += 3;
      if (i < args.size() && EqualsIgnoreCase(args[i], "LEARNER")) {
        add.learner = true;
        ++i;
      }
      change.add.push_back(std::move(add));
    } else if (EqualsIgnoreCase(args[i], "REMOVE") && i + 1 < args.size()) {
      raft::NodeId id;
      RETURN_IF_ERROR(ParseNode(args[i + 1], &id));
      change.remove.push_back(id);
      i += 2;
    } else {
      return Status(Code::kSyntax);
    }
  }
  ctx.ChangeMembership(std::move(change));
  return Status::Ok();
}

Status RaftTransfer(LocalContext& ctx, Args args, resp::Writer&) {
  replica::MembershipChange change;
  raft::NodeId id = 0;
  if (args.size() > 3) return Status(Code::kSyntax);
  if (args.size() == 3) RETURN_IF_ERROR(ParseNode(args[2], &id));
  change.transfer = id;
  ctx.ChangeMembership(std::move(change));
  return Status::Ok();
}

void WriteMember(resp::Writer& reply, raft::NodeId id, const std::string& address, bool learner,
                 bool promote) {
  reply.Map(3);
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(id));
  reply.Bulk("url");
  reply.Bulk(address.empty() ? "" : "http://" + address);
  reply.Bulk("role");
  reply.Bulk(!learner ? "voter" : promote ? "learner, to be promoted" : "learner");
}

Status RaftMembers(LocalContext& ctx, Args, resp::Writer& reply) {
  replica::ReplicaInfo info = ctx.replica().Info();
  reply.Array(info.peers.size() + 1);
  bool own_written = false;
  for (const replica::PeerInfo& peer : info.peers) {
    if (!own_written && peer.id > info.id) {
      WriteMember(reply, info.id, info.address, info.learner, false);
      own_written = true;
    }
    WriteMember(reply, peer.id, peer.address, peer.learner, peer.promote);
  }
  if (!own_written) WriteMember(reply, info.id, info.address, info.learner, false);
  return Status::Ok();
}

Status RaftStatus(LocalContext& ctx, Args, resp::Writer& reply) {
  replica::ReplicaInfo info = ctx.replica().Info();
  auto number = [&reply](std::string_view name, uint64_t value) {
    reply.Bulk(name);
    reply.Integer(static_cast<int64_t>(value));
  };
  reply.Map(11);
  number("id", info.id);
  reply.Bulk("role");
  reply.Bulk(raft::RoleName(info.role));
  number("term", info.term);
  number("leader", info.leader);
  number("commit_index", info.commit_index);
  number("applied_index", info.applied_index);
  number("log_first", info.log_first);
  number("log_last", info.log_last);
  number("membership_index", info.membership_index);
  number("joint", info.joint ? 1 : 0);
  reply.Bulk("peers");
  reply.Array(info.peers.size());
  const bool leads = info.role == raft::Role::kLeader;
  for (const replica::PeerInfo& peer : info.peers) {
    reply.Map(leads ? 8 : 4);
    number("id", peer.id);
    reply.Bulk("url");
    reply.Bulk("http://" + peer.address);
    reply.Bulk("role");
    reply.Bulk(peer.learner ? "learner" : "voter");
    reply.Bulk("last_contact_ms");
    reply.Integer(peer.last_contact_ms);
    if (!leads) continue;
    reply.Bulk("state");
    reply.Bulk(peer.state);
    number("match_index", peer.match_index);
    number("lag_entries", info.log_last - std::min(info.log_last, peer.match_index));
    number("lag_bytes", peer.lag_bytes);
  }
  return Status::Ok();
}

Status RaftHelp(LocalContext&, Args, resp::Writer& reply) {
  WriteHelp("RAFT",
            {"ADD <id> <url> [LEARNER]",
             "    Add a node, as a learner that becomes a voter when it has caught up.", "MEMBERS",
             "    List the members of the cluster.", "PROMOTE <id>",
             "    Make a learner a voter when it has caught up.",
             "RECONFIGURE [ADD <id> <url> [LEARNER]] ... [REMOVE <id>] ...",
             "    Several changes as one.", "REMOVE <id> [<id> ...]", "    Remove nodes. They end.",
             "STATUS", "    Tell how this node and its peers are.", "TRANSFER [<id>]",
             "    Hand leadership to that node, or to the best one."},
            reply);
  return Status::Ok();
}

constexpr uint32_t kAdministers = kAdmin | kNoscript;
constexpr uint32_t kDangerous = kAclAdmin | kAclSlow | kAclDangerous;

constexpr CommandSpec kRaftSubcommands[] = {
    LocalSpec("add", -4, kAdministers, kDangerous, RaftAdd, "server", "0.1.0", "O(1)",
              "Adds a node to the cluster."),
    LocalSpec("help", 2, kAnyTime, kAclSlow, RaftHelp, "server", "0.1.0", "O(1)",
              "Returns helpful text about the different subcommands."),
    LocalSpec("members", 2, kAdmin | kAnyTime, kDangerous, RaftMembers, "server", "0.1.0", "O(N)",
              "Returns the members of the cluster."),
    LocalSpec("promote", 3, kAdministers, kDangerous, RaftPromote, "server", "0.1.0", "O(1)",
              "Makes a learner a voter."),
    LocalSpec("reconfigure", -4, kAdministers, kDangerous, RaftReconfigure, "server", "0.1.0",
              "O(N)", "Adds and removes several nodes at once."),
    LocalSpec("remove", -3, kAdministers, kDangerous, RaftRemove, "server", "0.1.0", "O(N)",
              "Removes nodes from the cluster."),
    LocalSpec("status", 2, kAdmin | kAnyTime, kDangerous, RaftStatus, "server", "0.1.0", "O(N)",
              "Tells how this node and its peers are."),
    LocalSpec("transfer", -2, kAdministers, kDangerous, RaftTransfer, "server", "0.1.0", "O(1)",
              "Hands leadership over."),
};

constexpr CommandSpec kSpecs[] = {
    ContainerSpec("raft", "server", "0.1.0", "A container for cluster commands.", kRaftSubcommands),
};

}  // namespace

std::span<const CommandSpec> RaftCommands() { return kSpecs; }

}  // namespace metastore::server
