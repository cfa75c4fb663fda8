#include "replica/topology.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "base/parse.h"
#include "raft/membership.h"
#include "replica/membership_change.h"

namespace metastore::replica {
namespace {

constexpr std::string_view kAnnounce = "announce";
constexpr std::string_view kLead = "lead";
constexpr size_t kAnnounceArgs = 5;
constexpr size_t kLeadArgs = 3;
// The longest name of the domain name system.
constexpr size_t kMaxHost = 253;

Status Bad(const std::string& what) { return Status::Corruption("topology: " + what); }

bool ParseNumber(std::string_view text, int64_t max, uint64_t* number) {
  int64_t parsed;
  if (!ParseInt64(text, &parsed) || parsed < 1 || parsed > max) return false;
  *number = static_cast<uint64_t>(parsed);
  return true;
}

bool ParseId(std::string_view text, raft::NodeId* id) { return ParseNumber(text, kMaxNodeId, id); }

bool IsName(std::string_view name) {
  return name.size() == kNodeNameSize && name.find_first_not_of("0123456789abcdef") == name.npos;
}

Status ParseAnnounce(commands::Args args, TopologyNode* node) {
  if (args.size() != kAnnounceArgs) return Bad("an announcement of other than five words");
  uint64_t port;
  if (!ParseId(args[1], &node->id)) return Bad("an announcement of no node");
  if (!IsName(args[2])) return Bad("an announcement without a name");
  if (!IsClientHost(args[3])) return Bad("an announcement without a host");
  if (!ParseNumber(args[4], UINT16_MAX, &port)) return Bad("an announcement without a port");
  node->name = args[2];
  node->host = args[3];
  node->port = static_cast<uint16_t>(port);
  return Status::Ok();
}

Status ParseLead(commands::Args args, raft::Term* term, raft::NodeId* leader,
                 std::vector<raft::NodeId>* down) {
  if (args.size() < kLeadArgs) return Bad("a leader's word without a leader");
  if (!ParseNumber(args[1], INT64_MAX, term)) return Bad("a leader's word of no term");
  if (!ParseId(args[2], leader)) return Bad("a leader's word of no leader");
  for (std::string_view arg : args.subspan(kLeadArgs)) {
    if (!ParseId(arg, &down->emplace_back())) return Bad("no node is down");
  }
  return Status::Ok();
}

// What the item says, and of which node.
struct Parsed {
  raft::NodeId speaker = raft::kNoNode;
  bool announces = false;
  TopologyNode node;
  raft::Term term = 0;
  std::vector<raft::NodeId> down;
};

Result<Parsed> Parse(commands::Args args) {
  Parsed parsed;
  if (!args.empty() && args[0] == kAnnounce) {
    parsed.announces = true;
    RETURN_IF_ERROR(ParseAnnounce(args, &parsed.node));
    parsed.speaker = parsed.node.id;
    return parsed;
  }
  if (args.empty() || args[0] != kLead) return Bad("an item of an unknown kind");
  RETURN_IF_ERROR(ParseLead(args, &parsed.term, &parsed.speaker, &parsed.down));
  return parsed;
}

// Without its count of changes.
bool SameContent(const Topology& a, const Topology& b) {
  return a.term == b.term && a.leader == b.leader && a.nodes == b.nodes;
}

}  // namespace

bool IsClientHost(std::string_view host) {
  return !host.empty() && host.size() <= kMaxHost &&
         std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c < 0x7f; }) &&
         host.find_first_of(",@") == host.npos;
}

const TopologyNode* FindNode(const Topology& topology, raft::NodeId id) {
  for (const TopologyNode& node : topology.nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

std::string EncodeTopology(const Topology& topology) {
  std::string bytes;
  PutVarint(&bytes, topology.epoch);
  PutVarint(&bytes, topology.term);
  PutVarint(&bytes, topology.leader);
  for (const TopologyNode& node : topology.nodes) {
    PutVarint(&bytes, node.id);
    bytes.push_back(node.down ? '\1' : '\0');
    PutVarint(&bytes, node.port);
    PutBytes(&bytes, node.name);
    PutBytes(&bytes, node.host);
  }
  return bytes;
}

std::optional<Topology> DecodeTopology(std::string_view bytes) {
  Topology topology;
  if (!TakeVarint(&bytes, &topology.epoch) || !TakeVarint(&bytes, &topology.term) ||
      !TakeVarint(&bytes, &topology.leader)) {
    return std::nullopt;
  }
  while (!bytes.empty()) {
    TopologyNode node;
    uint8_t down;
    uint64_t port;
    std::string_view name, host;
    if (!TakeVarint(&bytes, &node.id) || !TakeByte(&bytes, &down) || down > 1 ||
        !TakeVarint(&bytes, &port) || port == 0 || port > UINT16_MAX || !TakeBytes(&bytes, &name) ||
        !IsName(name) || !TakeBytes(&bytes, &host) || !IsClientHost(host)) {
      return std::nullopt;
    }
    if (!topology.nodes.empty() && topology.nodes.back().id >= node.id) return std::nullopt;
    node.down = down == 1;
    node.port = static_cast<uint16_t>(port);
    node.name = name;
    node.host = host;
    topology.nodes.push_back(std::move(node));
  }
  return topology;
}

std::vector<std::string> AnnounceItem(const TopologyNode& node) {
  return {std::string(kAnnounce), std::to_string(node.id), node.name, node.host,
          std::to_string(node.port)};
}

std::vector<std::string> LeadItem(raft::Term term, raft::NodeId leader,
                                  const std::vector<raft::NodeId>& down) {
  std::vector<std::string> args = {std::string(kLead), std::to_string(term),
                                   std::to_string(leader)};
  for (raft::NodeId id : down) args.push_back(std::to_string(id));
  return args;
}

Status CheckTopologyItem(commands::Args args) { return Parse(args).status(); }

Status CheckTopologySpeaker(commands::Args args, raft::NodeId from) {
  Result<Parsed> parsed = Parse(args);
  RETURN_IF_ERROR(parsed.status());
  return parsed->speaker == from ? Status::Ok()
                                 : Bad("node " + std::to_string(from) + " speaks for node " +
                                       std::to_string(parsed->speaker));
}

bool ApplyTopologyItem(commands::Args args, Topology* topology) {
  Result<Parsed> parsed = Parse(args);
  CHECK_OK(parsed.status());
  Topology changed = *topology;
  if (parsed->announces) {
    auto place =
        std::lower_bound(changed.nodes.begin(), changed.nodes.end(), parsed->speaker,
                         [](const TopologyNode& node, raft::NodeId id) { return node.id < id; });
    if (place == changed.nodes.end() || place->id != parsed->speaker) {
      changed.nodes.insert(place, parsed->node);
    } else {
      // Whether it is there is the leader's to say.
      parsed->node.down = place->down;
      *place = parsed->node;
    }
  } else {
    if (parsed->term < topology->term) return false;
    changed.term = parsed->term;
    changed.leader = parsed->speaker;
    for (TopologyNode& node : changed.nodes) {
      node.down = std::count(parsed->down.begin(), parsed->down.end(), node.id) > 0;
    }
  }
  if (SameContent(changed, *topology)) return false;
  ++changed.epoch;
  *topology = std::move(changed);
  return true;
}

void ApplyMembership(const raft::Membership& membership, Topology* topology) {
  std::erase_if(topology->nodes, [&membership](const TopologyNode& node) {
    return !raft::IsMember(membership, node.id);
  });
  // A learner that became a voter is another change of what clients see.
  ++topology->epoch;
}

std::optional<std::string> SwitchMasterMessage(const Topology& before, const Topology& after) {
  const TopologyNode* from = FindNode(before, before.leader);
  const TopologyNode* to = FindNode(after, after.leader);
  if (from == nullptr || to == nullptr) return std::nullopt;
  if (from->host == to->host && from->port == to->port) return std::nullopt;
  return from->host + " " + std::to_string(from->port) + " " + to->host + " " +
         std::to_string(to->port);
}

}  // namespace metastore::replica
