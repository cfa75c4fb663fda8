#include "engine/events.h"

#include <utility>

namespace metastore::engine {

void Events::Add(EventKind kind, int db, std::string_view key, std::string_view message) {
  if (gathered_ == nullptr) gathered_ = std::make_shared<CommitEvents>();
  std::string& bytes = gathered_->bytes_;
  const size_t begin = bytes.size();
  bytes += key;
  const size_t middle = bytes.size();
  bytes += message;
  gathered_->records_.push_back(
      {kind, static_cast<uint8_t>(db), begin, middle, bytes.size(), origin_});
}

void Events::TouchForClients(int db, std::string_view key) {
  if (everything_) return;
  if (bytes() >= kMaxCommitEventBytes) {
    everything_ = true;
    return;
  }
  // One command often opens its key twice.
  if (gathered_ != nullptr && gathered_->size() > 0) {
    const Event last = (*gathered_)[gathered_->size() - 1];
    if (last.kind == EventKind::kKey && last.db == db && last.key == key &&
        last.origin == origin_) {
      return;
    }
  }
  Add(EventKind::kKey, db, key, {});
}

void Events::TouchDatabase(int db) {
  if (interest_ == nullptr) return;
  if (interest_->keys()) {
    Add(EventKind::kDatabase, db, {}, {});
  } else {
    untold_ = true;
  }
}

void Events::Replaced() {
  untold_ = true;
  lost_ = true;
}

void Events::NotifyClients(uint32_t classes, std::string_view event, int db, std::string_view key) {
  vacated_ = false;
  const std::string number = std::to_string(db);
  if ((classes & kNotifyKeyspace) != 0) {
    AddMessage(EventKind::kMessage, "__keyspace@" + number + "__:" + std::string(key), event);
  }
  if ((classes & kNotifyKeyevent) != 0) {
    AddMessage(EventKind::kMessage, "__keyevent@" + number + "__:" + std::string(event), key);
  }
}

void Events::AddMessage(EventKind kind, std::string_view channel, std::string_view message) {
  if (lost_) return;
  if (bytes() >= kMaxCommitEventBytes) {
    lost_ = true;
    return;
  }
  Add(kind, 0, channel, message);
}

std::shared_ptr<const CommitEvents> Events::Take(uint64_t index) {
  origin_ = Origin();
  if (untold_ || everything_) {
    // Pairs with the fence of AddKeys: who does not count here reads what was committed.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (interest_ != nullptr && interest_->keys()) Add(EventKind::kEverything, 0, {}, {});
  }
  if (lost_ && interest_ != nullptr && interest_->messages()) Add(EventKind::kLost, 0, {}, {});
  untold_ = everything_ = lost_ = false;
  if (gathered_ == nullptr) return nullptr;
  gathered_->index_ = index;
  return std::exchange(gathered_, nullptr);
}

}  // namespace metastore::engine
