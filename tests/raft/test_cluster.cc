#include "tests/raft/test_cluster.h"

namespace metastore::raft {

Payload Data(std::string_view bytes) { return std::make_shared<const std::string>(bytes); }

TestCluster::TestCluster(size_t n, Configure configure) : configure_(std::move(configure)) {
  Membership membership;
  for (NodeId id = 1; id <= n; ++id) membership.voters.push_back(id);
  for (NodeId id = 1; id <= n; ++id) {
    nodes_[id] = std::make_unique<TestNode>();
    nodes_[id]->storage.Bootstrap(membership);
    Start(id);
  }
}

TestNode& TestCluster::AddNode(NodeId id) {
  nodes_[id] = std::make_unique<TestNode>();
  Start(id);
  return *nodes_[id];
}

void TestCluster::Start(NodeId id) {
  TestNode& n = *nodes_[id];
  Config config = n.storage.MakeConfig(id, n.storage.start().index);
  config.seed = ++runs_;
  if (configure_) configure_(&config);
  n.applied.clear();
  n.node = std::make_unique<Node>(config, &n.storage);
}

void TestCluster::Restart(NodeId id) {
  nodes_[id]->disk.clear();
  Start(id);
}

void TestCluster::Drain(NodeId id) {
  TestNode& n = *nodes_[id];
  auto send = [&](std::vector<Message>& messages) {
    for (Message& m : messages) {
      n.sent.push_back(m);
      network_.push_back(std::move(m));
    }
  };
  while (n->HasReady()) {
    Ready ready = n->TakeReady();
    invariants_.OnReady(*n.node, ready);
    invariants_.OnStep(*n.node);
    send(ready.messages);
    if (ready.HasWrite()) {
      DurableWrite write{ready.persist_number, ready.hard_state, std::move(ready.entries),
                         ready.snapshot};
      n.disk.emplace_back(std::move(write), std::move(ready.messages_after_sync));
      if (!n.holds_disk) {
        while (!n.disk.empty()) SyncOne(id);
      }
    } else {
      send(ready.messages_after_sync);
    }
    for (Entry& entry : ready.committed) n.applied.push_back(std::move(entry));
    if (!n.holds_apply && !n.applied.empty()) n->OnApplied(n.applied.back().index);
    n.reads.insert(n.reads.end(), ready.read_states.begin(), ready.read_states.end());
  }
}

void TestCluster::SyncOne(NodeId id) {
  TestNode& n = *nodes_[id];
  CHECK(!n.disk.empty());
  auto [write, after_sync] = std::move(n.disk.front());
  n.disk.pop_front();
  n.storage.Apply(write);
  for (Message& m : after_sync) {
    n.sent.push_back(m);
    network_.push_back(std::move(m));
  }
  n->OnPersisted(write.number);
}

void TestCluster::Settle() {
  bool moved = true;
  while (moved) {
    moved = false;
    for (auto& [id, n] : nodes_) {
      if ((*n)->HasReady()) {
        Drain(id);
        moved = true;
      }
    }
    std::deque<Message> batch;
    batch.swap(network_);
    for (Message& m : batch) {
      moved = true;
      if (nodes_.count(m.to) == 0 || cut_.count({m.from, m.to}) != 0) continue;
      if (drop && drop(m)) continue;
      TestNode& to = *nodes_[m.to];
      to->Step(std::move(m));
      invariants_.OnStep(*to.node);
    }
  }
}

void TestCluster::TickAll(int ticks) {
  for (int i = 0; i < ticks; ++i) {
    for (auto& [id, n] : nodes_) (*n)->Tick();
    Settle();
  }
}

void TestCluster::Tick(NodeId id, int ticks) {
  for (int i = 0; i < ticks; ++i) {
    (*nodes_[id])->Tick();
    Settle();
  }
}

void TestCluster::Elect(NodeId id) {
  (*nodes_[id])->Campaign();
  Settle();
  CHECK((*nodes_[id])->role() == Role::kLeader);
}

Position TestCluster::Write(NodeId id, std::string_view data) {
  Result<Position> position = (*nodes_[id])->Propose(Data(data));
  CHECK_OK(position.status());
  Settle();
  return *position;
}

void TestCluster::Cut(NodeId a, NodeId b) {
  cut_.insert({a, b});
  cut_.insert({b, a});
}

void TestCluster::Isolate(NodeId id) {
  for (auto& [other, n] : nodes_) {
    if (other != id) Cut(id, other);
  }
}

std::vector<std::string> TestCluster::Applied(NodeId id) {
  std::vector<std::string> all;
  for (const Entry& entry : nodes_[id]->applied) {
    if (entry.type == EntryType::kNormal && entry.data) all.emplace_back(entry.Data());
  }
  return all;
}

NodeId TestCluster::Leader() {
  NodeId leader = kNoNode;
  Term term = 0;
  for (auto& [id, n] : nodes_) {
    if ((*n)->role() == Role::kLeader && (*n)->term() > term) {
      leader = id;
      term = (*n)->term();
    }
  }
  return leader;
}

Alone::Alone(std::vector<NodeId> voters, std::vector<NodeId> learners,
             TestCluster::Configure configure) {
  storage.Bootstrap({std::move(voters), {}, std::move(learners)});
  Config config = storage.MakeConfig(1, 0);
  if (configure) configure(&config);
  node = std::make_unique<Node>(config, &storage);
}

std::vector<Message> Alone::Drain() {
  std::vector<Message> sent;
  while (node->HasReady()) {
    Ready ready = node->TakeReady();
    for (Message& m : ready.messages) sent.push_back(std::move(m));
    if (ready.HasWrite()) {
      storage.Apply({ready.persist_number, ready.hard_state, ready.entries, ready.snapshot});
      node->OnPersisted(ready.persist_number);
    }
    for (Message& m : ready.messages_after_sync) sent.push_back(std::move(m));
    for (Entry& entry : ready.committed) applied.push_back(std::move(entry));
    if (!applied.empty()) node->OnApplied(applied.back().index);
    reads.insert(reads.end(), ready.read_states.begin(), ready.read_states.end());
  }
  return sent;
}

std::vector<Message> Alone::Step(Message m) {
  node->Step(std::move(m));
  return Drain();
}

std::vector<Message> Alone::Tick(int ticks) {
  std::vector<Message> sent;
  for (int i = 0; i < ticks; ++i) {
    node->Tick();
    for (Message& m : Drain()) sent.push_back(std::move(m));
  }
  return sent;
}

std::vector<Message> Alone::BecomeLeader() {
  node->Campaign();
  Drain();
  for (NodeId id : node->membership().voters) {
    if (id != 1) Step(MakeMessage(MessageType::kPreVoteReply, id, node->term() + 1));
  }
  std::vector<Message> sent;
  for (NodeId id : node->membership().voters) {
    if (id == 1) continue;
    for (Message& m : Step(MakeMessage(MessageType::kVoteReply, id, node->term()))) {
      sent.push_back(std::move(m));
    }
  }
  CHECK(node->role() == Role::kLeader);
  return sent;
}

void Alone::Fill(NodeId from, Term term, const std::vector<Term>& terms) {
  Index last = node->last_index();
  Term last_term = last == 0 ? 0 : *node->TermAt(last);
  Step(MakeAppend(from, term, {last_term, last}, terms, 0));
  CHECK_EQ(node->last_index(), last + terms.size());
}

Message MakeMessage(MessageType type, NodeId from, Term term) {
  Message m;
  m.type = type;
  m.from = from;
  m.to = 1;
  m.term = term;
  return m;
}

Message MakeAppend(NodeId from, Term term, Position previous, const std::vector<Term>& terms,
                   Index commit) {
  Message m = MakeMessage(MessageType::kAppend, from, term);
  m.log_term = previous.term;
  m.log_index = previous.index;
  m.commit_index = commit;
  for (Term t : terms) {
    Index index = previous.index + m.entries.size() + 1;
    std::string data = std::to_string(t) + "." + std::to_string(index);
    m.entries.push_back({t, index, EntryType::kNormal, Data(data)});
  }
  return m;
}

Message MakeVote(NodeId from, Term term, Position last) {
  Message m = MakeMessage(MessageType::kVote, from, term);
  m.log_term = last.term;
  m.log_index = last.index;
  return m;
}

std::vector<Message> Of(const std::vector<Message>& all, MessageType type) {
  std::vector<Message> some;
  for (const Message& m : all) {
    if (m.type == type) some.push_back(m);
  }
  return some;
}

}  // namespace metastore::raft
