#include "replica/pending.h"

#include <algorithm>
#include <utility>

namespace metastore::replica {

void Pending::Add(Lane lane, uint64_t ticket, std::string body, uint32_t count,
                  int64_t deadline_ns) {
  Batch batch;
  batch.lane = lane;
  batch.ticket = ticket;
  batch.count = count;
  batch.deadline_ns = deadline_ns;
  batch.bytes = std::move(body);
  bytes_ += batch.bytes.size();
  batches_.push_back(std::move(batch));
}

const std::string* Pending::Next() {
  if (handed_ == batches_.size()) return nullptr;
  Batch& batch = batches_[handed_];
  if (batch.seq == 0) {
    batch.seq = ++last_seq_;
    bytes_ -= batch.bytes.size();
    batch.bytes = EncodeBatch(
        {node_, incarnation_, batch.seq, batch.lane, batch.ticket, batch.count}, batch.bytes);
    bytes_ += batch.bytes.size();
  }
  return &batch.bytes;
}

void Pending::Advance() {
  CHECK_LT(handed_, batches_.size());
  CHECK_NE(batches_[handed_].seq, 0u);
  ++handed_;
}

bool Pending::OnApplied(uint64_t seq, bool replies_lost, std::vector<ExpiredBatch>* unknown) {
  const size_t before = batches_.size();
  while (!batches_.empty() && batches_.front().seq != 0 && batches_.front().seq <= seq) {
    Batch& batch = batches_.front();
    if (replies_lost && !batch.answered) {
      unknown->push_back({batch.lane, batch.ticket, batch.seq, BatchOutcome::kUnknown});
    }
    bytes_ -= batch.bytes.size();
    batches_.pop_front();
    if (handed_ > 0) --handed_;
    if (unanswered_ > 0) --unanswered_;
  }
  return batches_.size() != before;
}

void Pending::Expire(int64_t now_ns, std::vector<ExpiredBatch>* expired) {
  while (unanswered_ < batches_.size() && batches_[unanswered_].deadline_ns <= now_ns) {
    Batch& batch = batches_[unanswered_];
    bytes_ -= batch.bytes.size();
    if (batch.seq == 0) {
      expired->push_back({batch.lane, batch.ticket, 0, BatchOutcome::kNotApplied});
      batches_.erase(batches_.begin() + static_cast<ptrdiff_t>(unanswered_));
      continue;
    }
    expired->push_back({batch.lane, batch.ticket, batch.seq, BatchOutcome::kUnknown});
    batch.answered = true;
    batch.count = 0;
    batch.bytes =
        EncodeBatch({node_, incarnation_, batch.seq, batch.lane, batch.ticket, batch.count}, {});
    bytes_ += batch.bytes.size();
    ++unanswered_;
  }
}

}  // namespace metastore::replica
