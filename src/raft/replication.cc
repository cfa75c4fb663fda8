// Replication of the log (Raft 5.3, 5.4.2, 7; thesis 10.2).
//
// Nothing is sent when something happens; TakeReady sends to each peer whatever is then due, so
// that entries and commit indexes which gathered meanwhile share one message.
#include <algorithm>
#include <utility>

#include "raft/node_impl.h"

namespace metastore::raft {

Progress* Node::Impl::FindPeer(NodeId id) {
  for (Progress& peer : peers_) {
    if (peer.id == id) return &peer;
  }
  return nullptr;
}

void Node::Impl::ResetPeers() {
  peers_.clear();
  OnMembershipChanged();
}

void Node::Impl::FlushAppends() {
  flush_needed_ = false;
  for (Progress& peer : peers_) SendAppends(peer);
  MaybeSendTimeoutNow();
}

void Node::Impl::SendAppends(Progress& peer) {
  while (true) {
    bool has_entries = peer.next <= log_.last_index();
    bool has_news = peer.commit_sent < std::min(commit_, peer.next - 1);
    switch (peer.state) {
      case ProgressState::kSnapshot:
        return;
      case ProgressState::kProbe:
        if (peer.paused || (peer.match >= log_.last_index() && !has_news)) return;
        SendOneAppend(peer, has_entries);
        return;
      case ProgressState::kReplicate: {
        const Inflights& inflights = peer.inflights;
        bool has_room = inflights.empty() || (inflights.bytes() < config_.max_inflight_bytes &&
                                              inflights.count() < config_.max_inflight_appends);
        if (peer.resend) {
          peer.resend = false;
          if (!SendOneAppend(peer, false)) return;
        } else if (has_entries && has_room) {
          if (!SendOneAppend(peer, true)) return;
        } else if (has_news) {
          if (!SendOneAppend(peer, false)) return;
        } else {
          return;
        }
      }
    }
  }
}

bool Node::Impl::SendOneAppend(Progress& peer, bool with_entries) {
  Message m;
  m.type = MessageType::kAppend;
  m.to = peer.id;
  m.log_index = peer.next - 1;
  if (!log_.Has(m.log_index)) {
    SendSnapshot(peer);
    return false;
  }
  m.log_term = log_.TermAt(m.log_index);
  m.commit_index = commit_;
  size_t bytes = 0;
  if (with_entries) {
    Result<std::vector<Entry>> entries =
        log_.Read(peer.next, log_.last_index() + 1, config_.max_append_bytes);
    // The storage may be cut before OnCompacted says so.
    if (entries.code() == Code::kNotFound) {
      SendSnapshot(peer);
      return false;
    }
    CHECK_OK(entries.status());
    CHECK(!entries->empty());
    CHECK_EQ(entries->front().index, peer.next);
    m.entries = std::move(*entries);
    for (const Entry& entry : m.entries) bytes += entry.Size();
  }
  Index last = m.log_index + m.entries.size();
  peer.commit_sent = std::max(peer.commit_sent, std::min(commit_, last));
  if (peer.state == ProgressState::kProbe) {
    peer.paused = true;
  } else if (!m.entries.empty()) {
    peer.next = last + 1;
    peer.inflights.Add(last, bytes);
  }
  Send(std::move(m));
  return true;
}

void Node::Impl::SendSnapshot(Progress& peer) {
  // A transfer to a node that does not answer would only fail.
  if (!peer.active) return;
  Message m;
  m.type = MessageType::kInstallSnapshot;
  m.to = peer.id;
  // The least that the snapshot must hold. When the storage is cut before OnCompacted says so, that
  // is the entry which could not be read.
  m.snapshot.index = std::max(log_.start().index, log_.Has(peer.next) ? peer.next : 0);
  m.snapshot.term = log_.TermAt(m.snapshot.index);
  m.snapshot.membership = memberships_.At(m.snapshot.index);
  m.commit_index = commit_;
  peer.BecomeSnapshot(m.snapshot.index);
  Send(std::move(m));
}

void Node::Impl::HandleAppend(Message m) {
  Term previous = m.log_term;
  Index expected = m.log_index;
  for (const Entry& entry : m.entries) {
    // Not something a peer of ours sends.
    if (entry.index != ++expected || entry.term < previous || entry.term > m.term) return;
    previous = entry.term;
  }

  Message reply;
  reply.type = MessageType::kAppendReply;
  reply.to = m.from;
  if (m.log_index < commit_) {
    // An old message. What is committed matches in any case.
    reply.log_index = commit_;
  } else if (!log_.Matches({m.log_term, m.log_index})) {
    Position hint = log_.LastNotAbove(m.log_index, m.log_term);
    reply.reject = true;
    reply.log_index = m.log_index;
    reply.reject_hint = hint.index;
    reply.log_term = hint.term;
  } else {
    AppendFromLeader(std::move(m.entries));
    reply.log_index = expected;
    SetCommit(std::max(commit_, std::min(m.commit_index, expected)));
  }
  // Even if it needs no write: it may speak of entries whose write is under way.
  SendAfterSync(std::move(reply));
}

void Node::Impl::AppendFromLeader(std::vector<Entry> entries) {
  for (Entry& entry : entries) {
    if (entry.index <= log_.last_index()) {
      // Only a conflict cuts the log: the message may be an old one, and what follows its last
      // entry may have been acknowledged.
      bool keeps = !Breaks(Fault::kTruncatesWithoutConflict) || entry.index <= commit_;
      if (log_.TermAt(entry.index) == entry.term && keeps) continue;
      CHECK_GT(entry.index, commit_);
      log_.Truncate(entry.index);
      if (memberships_.Truncate(entry.index)) OnMembershipChanged();
    }
    bool is_conf_change =
        entry.type == EntryType::kConfChange && !Breaks(Fault::kChangeInForceAtCommit);
    if (is_conf_change) memberships_.Append(entry.index, MembershipOf(entry));
    log_.Append(std::move(entry));
    if (is_conf_change) OnMembershipChanged();
  }
}

void Node::Impl::HandleAppendReply(const Message& m) {
  if (role_ != Role::kLeader) return;
  Progress* peer = FindPeer(m.from);
  if (peer == nullptr) return;
  peer->active = true;
  flush_needed_ = true;
  if (m.reject) {
    // The follower's hint rules out entries of ours above it and of a later term; our own log
    // rules out those whose term is above the hint's. Together they skip whole terms at a time.
    Index candidate = log_.LastNotAbove(m.reject_hint, m.log_term).index;
    if (m.reject_hint < log_.start().index) candidate = m.reject_hint;
    peer->OnRejected(m.log_index, candidate);
    return;
  }
  CHECK_LE(m.log_index, log_.last_index());
  if (peer->OnAccepted(m.log_index)) MaybeCommit();
}

void Node::Impl::MaybeCommit() {
  Index index = QuorumValue(Deciding(), [this](NodeId id) -> uint64_t {
    if (id == id_) return log_.persisted_index();
    Progress* peer = FindPeer(id);
    return peer == nullptr ? 0 : peer->match;
  });
  // An entry of an earlier term on a majority can still be overwritten: only one of the own term
  // commits by counting, and takes those before it along (5.4.2).
  if (index <= commit_) return;
  if (log_.TermAt(index) != term_ && !Breaks(Fault::kCommitsOldTermByCounting)) return;
  SetCommit(index);
}

void Node::Impl::SetCommit(Index index) {
  if (index <= commit_) return;
  bool was_term_committed = IsTermCommitted();
  commit_ = index;
  if (role_ != Role::kLeader) return;
  flush_needed_ = true;
  while (!uncommitted_.empty() && uncommitted_.front().last <= commit_) {
    uncommitted_bytes_ -= uncommitted_.front().bytes;
    uncommitted_.pop_front();
  }
  if (!was_term_committed && IsTermCommitted()) {
    leader_reads_.OnTermCommitted(commit_);
    OnRoundsConfirmed();
  }
  OnMembershipCommitted();
}

void Node::Impl::HandleInstallSnapshot(const Message& m) {
  if (m.snapshot.index > commit_) return;  // The content travels outside of the node.
  Message reply;
  reply.type = MessageType::kAppendReply;
  reply.to = m.from;
  reply.log_index = commit_;
  SendAfterSync(std::move(reply));
}

void Node::Impl::OnSnapshotSent(NodeId id, bool ok, Index snapshot_index) {
  if (role_ != Role::kLeader) return;
  Progress* peer = FindPeer(id);
  if (peer == nullptr || peer->state != ProgressState::kSnapshot) return;
  peer->pending_snapshot = ok ? snapshot_index : 0;
  peer->BecomeProbe();
  // The next answer of the peer starts the flow again. After a failure that keeps the next
  // transfer from following at once; after a success its log may not be ready yet.
  peer->paused = true;
}

}  // namespace metastore::raft
