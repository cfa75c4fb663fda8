#include "raft/read_index.h"

#include "base/check.h"

namespace metastore::raft {

void LeaderReads::OnRoundStarted(uint64_t round) {
  CHECK_GT(round, newest_round_);
  for (auto read = reads_.rbegin(); read != reads_.rend() && read->round == 0; ++read) {
    read->round = round;
    newest_round_ = round;
  }
}

void LeaderReads::OnTermCommitted(Index index) {
  for (Read& read : reads_) {
    if (read.index == 0) read.index = index;
  }
}

void LeaderReads::TakeConfirmed(uint64_t confirmed_round, std::vector<Read>* out) {
  while (!reads_.empty()) {
    const Read& read = reads_.front();
    if (read.round == 0 || read.round > confirmed_round || read.index == 0) return;
    out->push_back(read);
    reads_.pop_front();
  }
}

std::vector<LeaderReads::Read> LeaderReads::TakeAll() {
  std::vector<Read> all(reads_.begin(), reads_.end());
  reads_.clear();
  return all;
}

uint64_t FollowerReads::Ask(uint64_t now_ticks) {
  ++last_request_;
  for (auto w = contexts_.rbegin(); w != contexts_.rend() && w->request == 0; ++w) {
    w->request = last_request_;
  }
  asked_at_ticks_ = now_ticks;
  return last_request_;
}

void FollowerReads::OnReply(uint64_t request, Index index, std::vector<ReadState>* out) {
  if (request <= base_ || request > last_request_) return;
  while (!contexts_.empty()) {
    const Waiting& w = contexts_.front();
    if (w.request == 0 || w.request > request) return;
    out->push_back({w.context, index});
    contexts_.pop_front();
  }
}

void FollowerReads::RefuseAll(std::vector<ReadState>* out) {
  for (const Waiting& w : contexts_) out->push_back({w.context, 0});
  contexts_.clear();
}

}  // namespace metastore::raft
