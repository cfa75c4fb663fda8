#include "tests/raft/transcript.h"

#include <algorithm>
#include <sstream>

#include "raft/membership.h"

namespace metastore::raft {
namespace {

std::string Text(uint64_t number) { return std::to_string(number); }

std::vector<uint64_t> Numbers(const std::string& list) {
  std::vector<uint64_t> numbers;
  std::istringstream in(list);
  for (std::string one; std::getline(in, one, ',');) numbers.push_back(std::stoull(one));
  return numbers;
}

std::string Text(Position p) { return Text(p.index) + "@" + Text(p.term); }

std::string Text(const std::vector<NodeId>& ids) {
  std::string text;
  for (NodeId id : ids) text += (text.empty() ? "" : " ") + Text(id);
  return "(" + text + ")";
}

std::string Text(const Membership& m) {
  std::string text = Text(m.voters);
  if (IsJoint(m)) text += " and " + Text(m.voters_outgoing);
  if (!m.learners.empty()) text += " learners " + Text(m.learners);
  return text;
}

std::string Text(const Entry& entry) {
  std::string text = Text(Position{entry.term, entry.index});
  if (entry.type == EntryType::kConfChange) return text + " members " + Text(MembershipOf(entry));
  return entry.data ? text + " \"" + *entry.data + "\"" : text;
}

std::string Text(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) text += (text.empty() ? "" : ", ") + Text(entry);
  return text;
}

std::string Link(const Message& m) { return Text(m.from) + "->" + Text(m.to); }

std::string Text(const Message& m) {
  std::string text = Link(m) + " " + std::string(MessageTypeName(m.type)) + " term " + Text(m.term);
  switch (m.type) {
    case MessageType::kPreVote:
    case MessageType::kVote:
      text += " last " + Text(Position{m.log_term, m.log_index});
      break;
    case MessageType::kAppend:
      text += " after " + Text(Position{m.log_term, m.log_index}) + " [" + Text(m.entries) +
              "] commit " + Text(m.commit_index);
      break;
    case MessageType::kAppendReply:
      if (m.reject) {
        text +=
            " refused " + Text(m.log_index) + " hint " + Text(Position{m.log_term, m.reject_hint});
      } else {
        text += " up to " + Text(m.log_index);
      }
      return text;
    case MessageType::kHeartbeat:
      text += " round " + Text(m.context) + " commit " + Text(m.commit_index);
      break;
    case MessageType::kHeartbeatReply:
      text += " round " + Text(m.context);
      break;
    case MessageType::kReadIndexReply:
      if (!m.reject) text += " at " + Text(m.commit_index);
      break;
    case MessageType::kInstallSnapshot:
      text += " at least " + Text(Position{m.snapshot.term, m.snapshot.index}) + " members " +
              Text(m.snapshot.membership);
      break;
    default:
      break;
  }
  if (m.reject) text += " refused";
  if (m.transfer) text += " (asked by the leader)";
  return text;
}

}  // namespace

void Transcript::Line(const std::string& text) { out_ += text + "\n"; }

std::string Transcript::Option(const std::string& name) const {
  auto found = options_.find(name);
  return found == options_.end() ? "" : found->second;
}

uint64_t Transcript::Number(const std::string& name, uint64_t otherwise) const {
  std::string value = Option(name);
  return value.empty() ? otherwise : std::stoull(value);
}

Transcript::Host& Transcript::At(const std::string& id) {
  auto found = hosts_.find(std::stoull(id));
  CHECK_MSG(found != hosts_.end() && found->second.node != nullptr, "no running node " + id);
  return found->second;
}

void Transcript::Print(const Result<Position>& position) {
  Line(position.ok() ? Text(*position) : "refused: " + position.status().ToString());
}

void Transcript::Start(NodeId id) {
  Host& host = hosts_[id];
  Config config = host.storage.MakeConfig(id, host.storage.start().index);
  config.seed = ++runs_;
  config.election_ticks = base_.election_ticks;
  config.lease_ticks = base_.lease_ticks;
  config.max_append_bytes = base_.max_append_bytes;
  config.max_inflight_bytes = base_.max_inflight_bytes;
  config.max_uncommitted_bytes = base_.max_uncommitted_bytes;
  host.applied = config.applied_index;
  host.disk.clear();
  host.node = std::make_unique<Node>(config, &host.storage);
}

void Transcript::Send(std::vector<Message>& messages) {
  for (Message& m : messages) {
    bool is_lost = cut_.count({m.from, m.to}) != 0;
    Line("  " + Text(m) + (is_lost ? "  (lost)" : ""));
    if (!is_lost) network_.push_back(std::move(m));
  }
}

void Transcript::TakeReady(NodeId id) {
  Host& host = hosts_.at(id);
  if (!host.node->HasReady()) return;
  Ready ready = host.node->TakeReady();
  invariants_.OnReady(*host.node, ready);
  invariants_.OnStep(*host.node);
  Line("ready " + Text(id));
  Send(ready.messages);
  if (ready.soft_state) {
    std::string leader = ready.soft_state->leader == kNoNode
                             ? " without a leader"
                             : ", leader " + Text(ready.soft_state->leader);
    Line("  is " + std::string(RoleName(ready.soft_state->role)) + leader);
  }
  if (ready.HasWrite()) {
    std::string text;
    if (ready.hard_state) {
      text += " term " + Text(ready.hard_state->term) + " vote " +
              Text(ready.hard_state->voted_for) + " commit " + Text(ready.hard_state->commit_index);
    }
    if (ready.snapshot) {
      text += " snapshot " + Text(Position{ready.snapshot->term, ready.snapshot->index}) +
              " members " + Text(ready.snapshot->membership);
      host.applied = ready.snapshot->index;
    }
    if (!ready.entries.empty()) text += " [" + Text(ready.entries) + "]";
    Line("  write" + text);
    host.disk.push_back(
        {{ready.persist_number, ready.hard_state, std::move(ready.entries), ready.snapshot},
         std::move(ready.messages_after_sync)});
  } else {
    Send(ready.messages_after_sync);
  }
  if (!ready.committed.empty()) {
    Line("  committed " + Text(ready.committed));
    host.applied = ready.committed.back().index;
  }
  for (const ReadState& read : ready.read_states) {
    Line("  read " + Text(read.context) +
         (read.index == 0 ? " refused" : " at " + Text(read.index)));
  }
  if (!host.holds_apply) host.node->OnApplied(host.applied);
  while (!host.holds_disk && !host.disk.empty()) SyncOne(id);
}

void Transcript::SyncOne(NodeId id) {
  Host& host = hosts_.at(id);
  if (host.disk.empty()) {
    Line("nothing to sync");
    return;
  }
  auto [write, after_sync] = std::move(host.disk.front());
  host.disk.pop_front();
  host.storage.Apply(write);
  if (host.holds_disk) Line("synced " + Text(id));
  Send(after_sync);
  host.node->OnPersisted(write.number);
}

void Transcript::Deliver(Message m) {
  Line(Text(m));
  auto to = hosts_.find(m.to);
  if (to == hosts_.end() || to->second.node == nullptr) return;
  to->second.node->Step(std::move(m));
  invariants_.OnStep(*to->second.node);
}

void Transcript::Stabilize(const std::set<NodeId>& ids) {
  auto is_chosen = [&](NodeId id) { return ids.empty() || ids.count(id) != 0; };
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& [id, host] : hosts_) {
      if (!is_chosen(id) || host.node == nullptr) continue;
      while (host.node->HasReady()) {
        moved = true;
        TakeReady(id);
      }
    }
    std::deque<Message> batch;
    batch.swap(network_);
    for (Message& m : batch) {
      if (is_chosen(m.to)) {
        moved = true;
        Deliver(std::move(m));
      } else {
        network_.push_back(std::move(m));
      }
    }
  }
}

std::string Transcript::Run(const std::string& command) {
  Words words;
  options_.clear();
  out_.clear();
  std::istringstream in(command);
  for (std::string word; in >> word;) {
    size_t equals = word.find('=');
    if (equals != std::string::npos) {
      options_[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      words.push_back(word);
    }
  }
  bool is_quiet = words.size() > 1 && words.back() == "quiet";
  if (is_quiet) words.pop_back();
  Execute(words);
  for (auto& [id, host] : hosts_) {
    if (host.node) invariants_.OnStep(*host.node);
  }
  return is_quiet ? "" : out_;
}

void Transcript::Execute(const Words& words) {
  const std::string& name = words.at(0);
  auto word = [&](size_t i) -> const std::string& {
    CHECK_MSG(i < words.size(), name + " needs more words");
    return words[i];
  };
  auto id = [&](size_t i) -> NodeId { return std::stoull(word(i)); };
  auto count = [&](size_t i) { return i < words.size() ? std::stoull(words[i]) : 1; };

  if (name == "nodes") {
    hosts_.clear();
    network_.clear();
    cut_.clear();
    snapshots_.clear();
    invariants_ = ClusterInvariants();
    runs_ = 0;
    base_ = {};
    base_.election_ticks = static_cast<int>(Number("election", 10));
    base_.lease_ticks = static_cast<int>(Number("lease", 8));
    base_.max_append_bytes = Number("append", base_.max_append_bytes);
    base_.max_inflight_bytes = Number("window", base_.max_inflight_bytes);
    base_.max_uncommitted_bytes = Number("uncommitted", base_.max_uncommitted_bytes);
    Membership membership;
    for (NodeId n = 1; n <= id(1); ++n) membership.voters.push_back(n);
    membership.learners = Numbers(Option("learners"));
    for (NodeId n : Members(membership)) {
      hosts_[n].storage.Bootstrap(membership);
      Start(n);
    }
  } else if (name == "start") {
    Start(id(1));
  } else if (name == "set-log") {
    Host& host = At(word(1));
    DurableWrite write;
    for (Term term : Numbers(Option("terms"))) {
      Index index = write.entries.size() + 1;
      write.entries.push_back(
          {term, index, EntryType::kNormal,
           std::make_shared<const std::string>(Text(index) + "." + Text(term))});
    }
    Term last = write.entries.empty() ? 0 : write.entries.back().term;
    write.hard_state = {Number("term", last), Number("vote", 0), Number("commit", 0)};
    const Membership membership = host.node->membership();
    host.node.reset();
    host.storage = {};
    host.storage.Bootstrap(membership);
    host.storage.Apply(write);
    Start(id(1));
  } else if (name == "tick") {
    Host& host = At(word(1));
    for (uint64_t n = count(2); n > 0; --n) host.node->Tick();
  } else if (name == "campaign") {
    At(word(1)).node->Campaign();
  } else if (name == "propose") {
    Print(At(word(1)).node->Propose(std::make_shared<const std::string>(word(2))));
  } else if (name == "transfer") {
    Status status = At(word(1)).node->TransferLeadership(id(2));
    Line(status.ok() ? "ok" : "refused: " + status.ToString());
  } else if (name == "read") {
    At(word(1)).node->ReadIndex(id(2));
  } else if (name == "change") {
    Print(At(word(1)).node->ProposeConfChange(
        {Numbers(Option("voters")), {}, Numbers(Option("learners"))}));
  } else if (name == "ready") {
    At(word(1));
    TakeReady(id(1));
  } else if (name == "stabilize") {
    std::set<NodeId> ids;
    for (size_t i = 1; i < words.size(); ++i) ids.insert(id(i));
    Stabilize(ids);
  } else if (name == "deliver" || name == "drop" || name == "repeat") {
    uint64_t left = Number("count", UINT64_MAX);
    std::deque<Message> batch;
    batch.swap(network_);
    for (Message& m : batch) {
      bool is_chosen = left > 0;
      for (size_t i = 1; i < words.size(); ++i) {
        is_chosen &= words[i] == Link(m) || words[i] == MessageTypeName(m.type);
      }
      if (!is_chosen || name == "repeat") network_.push_back(m);
      if (!is_chosen) continue;
      --left;
      if (name == "drop") {
        Line(Text(m) + "  (dropped)");
      } else {
        Deliver(std::move(m));
      }
    }
  } else if (name == "network") {
    for (const Message& m : network_) Line(Text(m));
  } else if (name == "cut" || name == "oneway") {
    cut_.insert({id(1), id(2)});
    if (name == "cut") cut_.insert({id(2), id(1)});
  } else if (name == "isolate") {
    for (auto& [other, host] : hosts_) {
      if (other == id(1)) continue;
      cut_.insert({id(1), other});
      cut_.insert({other, id(1)});
    }
  } else if (name == "heal") {
    cut_.clear();
  } else if (name == "hold-disk") {
    At(word(1)).holds_disk = true;
  } else if (name == "sync") {
    for (uint64_t n = count(2); n > 0; --n) SyncOne(id(1));
  } else if (name == "release-disk") {
    while (!At(word(1)).disk.empty()) SyncOne(id(1));
    At(word(1)).holds_disk = false;
  } else if (name == "hold-apply") {
    At(word(1)).holds_apply = true;
  } else if (name == "release-apply") {
    Host& host = At(word(1));
    host.holds_apply = false;
    host.node->OnApplied(host.applied);
  } else if (name == "crash") {
    Host& host = At(word(1));
    host.disk.clear();
    host.holds_disk = false;
    host.holds_apply = false;
    host.node.reset();
  } else if (name == "restart") {
    Start(id(1));
  } else if (name == "compact") {
    Host& host = At(word(1));
    Index upto = id(2);
    host.storage.Compact({*host.node->TermAt(upto), upto}, *host.node->MembershipAt(upto));
    host.node->OnCompacted(upto);
  } else if (name == "save-snapshot") {
    Host& host = At(word(2));
    Index index = host.applied;
    snapshots_[word(1)] = {index, *host.node->TermAt(index), *host.node->MembershipAt(index)};
    Line(Text(Position{snapshots_[word(1)].term, index}) + " members " +
         Text(snapshots_[word(1)].membership));
  } else if (name == "restore") {
    Host& host = At(word(1));
    Line(host.node->RestoreSnapshot(snapshots_.at(word(2))) ? "taken" : "not needed");
  } else if (name == "snapshot-sent") {
    bool ok = word(3) != "failed";
    At(word(1)).node->OnSnapshotSent(id(2), ok, ok ? snapshots_.at(word(3)).index : 0);
  } else if (name == "status") {
    for (auto& [n, host] : hosts_) {
      if (words.size() > 1 && std::find(words.begin() + 1, words.end(), Text(n)) == words.end()) {
        continue;
      }
      if (host.node == nullptr) {
        Line(Text(n) + ": down");
        continue;
      }
      const NodeStatus s = host.node->GetStatus();
      Line(Text(n) + ": " + std::string(RoleName(s.role)) + " term " + Text(s.term) + " leader " +
           Text(s.leader) + " commit " + Text(s.commit_index) + " applied " + Text(host.applied) +
           " log " + Text(s.first_index) + ".." + Text(s.last_index));
    }
  } else if (name == "log") {
    Host& host = At(word(1));
    std::string text;
    const NodeStatus s = host.node->GetStatus();
    for (Index i = s.first_index; i <= s.last_index; ++i) {
      text += (text.empty() ? "" : " ") + Text(Position{*host.node->TermAt(i), i});
    }
    Line(text.empty() ? "nothing after " + Text(s.first_index - 1) : text);
  } else if (name == "peers") {
    for (const PeerStatus& p : At(word(1)).node->GetStatus().peers) {
      Line(Text(p.id) + ": " + std::string(p.state) + " match " + Text(p.match_index) + " next " +
           Text(p.next_index) + (p.active ? "" : " silent") + (p.learner ? " learner" : ""));
    }
  } else if (name == "lease") {
    int ticks = At(word(1)).node->lease_remaining_ticks();
    Line(ticks == INT32_MAX ? "without end" : Text(static_cast<uint64_t>(ticks)) + " ticks");
  } else if (name == "membership") {
    const Node& node = *At(word(1)).node;
    Line(Text(node.membership()) + " since " + Text(node.membership_index()));
  } else {
    CHECK_MSG(false, "no command " + name);
  }
}

}  // namespace metastore::raft
