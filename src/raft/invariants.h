// What must hold at every moment. The local checks run inside every node, in every build: they cost
// a few comparisons a call. The cluster's checks see several nodes at once, in tests and
// simulation. Both end the process: a cluster that broke one of these has lost its data already.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "raft/node.h"
#include "raft/types.h"

namespace metastore::raft {

struct LocalState {
  Term term = 0;
  NodeId voted_for = kNoNode;
  Role role = Role::kFollower;
  Index start = 0;
  Index last = 0;
  Index persisted = 0;
  Index commit = 0;
  Index handed_out = 0;
  Index applied = 0;
};

// `before` and `now` are one call apart.
void CheckLocalStep(const LocalState& before, const LocalState& now);

// Raft figure 3, over what nodes wrote, committed and became. The checks are inductive: each entry
// written anywhere is compared with what any node ever wrote at that place and term, so that whole
// logs never need to be compared.
class ClusterInvariants {
 public:
  // Without `judges_changes` it waits for what comes of changes that break the rules.
  explicit ClusterInvariants(bool judges_changes = true) : judges_changes_(judges_changes) {}

  // The node's Ready, before it is obeyed. `node` is in the state after TakeReady.
  void OnReady(const Node& node, const Ready& ready);
  // After any call on the node.
  void OnStep(const Node& node);

  // What was ever committed: term and data of entry i+1 at i; term 0 where no node showed it.
  struct Committed {
    Term term = 0;
    Term known_in = 0;  // it was committed in this term or an earlier one
    Payload data;
  };
  const std::vector<Committed>& committed() const { return committed_; }

 private:
  void CheckWritten(const Node& node, const Entry& entry, Term previous_term);
  void CheckCommitted(const Node& node, const Entry& entry);
  void CheckChange(const Node& leader, const Entry& change);
  void CheckLeader(const Node& node);

  bool judges_changes_;
  struct Written {
    Term previous_term;
    EntryType type;
    Payload data;
  };
  std::map<std::pair<Index, Term>, Written> written_;
  std::set<std::pair<Index, Term>> changes_;  // of membership, written anywhere
  std::map<Term, NodeId> leaders_;
  std::vector<Committed> committed_;
};

}  // namespace metastore::raft
