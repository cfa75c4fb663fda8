#include "raft/invariants.h"

#include "base/check.h"

namespace metastore::raft {

void CheckLocalStep(const LocalState& before, const LocalState& now) {
  CHECK_GE(now.term, before.term);
  if (now.term == before.term) {
    // One vote in a term (5.2), and a leader steps down within its term but is never made twice.
    CHECK(before.voted_for == kNoNode || now.voted_for == before.voted_for);
    CHECK(before.role != Role::kLeader || now.role != Role::kCandidate);
    // A leader never overwrites or deletes entries of its log (5.3, leader append-only).
    if (before.role == Role::kLeader) CHECK_GE(now.last, before.last);
  }
  CHECK_GE(now.commit, before.commit);
  CHECK_GE(now.start, before.start);
  CHECK_GE(now.handed_out, before.handed_out);
  CHECK_GE(now.applied, before.applied);
  CHECK_LE(now.start, now.commit);
  CHECK_LE(now.commit, now.last);
  CHECK_LE(now.persisted, now.last);
  CHECK_LE(now.handed_out, now.commit);
  CHECK_LE(now.applied, now.handed_out);
}

void ClusterInvariants::OnReady(const Node& node, const Ready& ready) {
  for (size_t i = 0; i < ready.entries.size(); ++i) {
    const Entry& entry = ready.entries[i];
    Term previous;
    if (i > 0) {
      previous = ready.entries[i - 1].term;
    } else {
      Result<Term> term = node.TermAt(entry.index - 1);
      CHECK_OK(term.status());
      previous = *term;
    }
    CheckWritten(node, entry, previous);
    if (entry.type != EntryType::kConfChange) continue;
    const bool is_new = node.role() == Role::kLeader && entry.term == node.term();
    if (is_new && judges_changes_) CheckChange(node, entry);
    changes_.insert({entry.index, entry.term});
  }
  for (const Entry& entry : ready.committed) CheckCommitted(node, entry);
}

void ClusterInvariants::OnStep(const Node& node) {
  if (node.role() == Role::kLeader) CheckLeader(node);
}

void ClusterInvariants::CheckWritten(const Node& node, const Entry& entry, Term previous_term) {
  CHECK_LE(entry.term, node.term());
  CHECK_GE(entry.term, previous_term);
  auto [at, is_new] = written_.try_emplace({entry.index, entry.term},
                                           Written{previous_term, entry.type, entry.data});
  if (is_new) return;
  // Log matching: the same index and term mean the same entry and the same entries before it.
  CHECK_EQ(at->second.previous_term, previous_term);
  CHECK(at->second.type == entry.type);
  CHECK((Entry{0, 0, entry.type, at->second.data}.Data() == entry.Data()));
}

void ClusterInvariants::CheckChange(const Node& leader, const Entry& change) {
  if (change.index == 1) return;  // the initial membership
  // An entry of the leader's own term is committed before it changes the membership (Ongaro 2015).
  Result<Term> committed = leader.TermAt(leader.commit_index());
  CHECK_OK(committed.status());
  CHECK_EQ(*committed, change.term);
  // One change at a time: the one before it in this log is committed (thesis 4.1).
  for (auto before = changes_.lower_bound({change.index, 0}); before != changes_.begin();) {
    --before;
    Result<Term> term = leader.TermAt(before->first);
    if (!term.ok()) return;  // cut, so it is committed
    if (*term != before->second) continue;
    CHECK_LE(before->first, leader.commit_index());
    return;
  }
}

void ClusterInvariants::CheckCommitted(const Node& node, const Entry& entry) {
  if (committed_.size() < entry.index) committed_.resize(entry.index);
  Committed& known = committed_[entry.index - 1];
  if (known.term == 0) {
    known = {entry.term, node.term(), entry.data};
    return;
  }
  // State machine safety.
  CHECK_EQ(known.term, entry.term);
  CHECK((Entry{0, 0, entry.type, known.data}.Data() == entry.Data()));
}

void ClusterInvariants::CheckLeader(const Node& node) {
  auto [leader, is_new] = leaders_.try_emplace(node.term(), node.id());
  CHECK_EQ(leader->second, node.id());  // election safety
  if (!is_new) return;
  // Leader completeness: what was committed in an earlier term is in this leader's log. A candidate
  // that wins late, on votes that were long under way, owes nothing to later terms.
  for (Index i = node.GetStatus().first_index; i <= committed_.size(); ++i) {
    const Committed& known = committed_[i - 1];
    if (known.term == 0 || known.known_in >= node.term()) continue;
    Result<Term> term = node.TermAt(i);
    CHECK_OK(term.status());
    CHECK_EQ(*term, known.term);
  }
}

}  // namespace metastore::raft
