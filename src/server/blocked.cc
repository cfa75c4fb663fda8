#include "server/blocked.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "types/collection.h"
#include "types/keyspace.h"

namespace metastore::server {
namespace {

struct Content {
  std::optional<types::Type> type;  // none: there is no such key
  uint64_t elements = 0;
};

Content Look(const engine::View& view, int db, std::string_view key) {
  const std::optional<types::Record> record = types::Find(view, db, key);
  if (!record) return {};
  const types::Type type = record->header().type;
  if (type == types::Type::kString) return {type, 0};
  std::string_view payload = record->payload();
  return {type, types::CollectionHeader::Take(&payload).count};
}

}  // namespace

BlockedClients::~BlockedClients() { interest_->AddKeys(-static_cast<int>(count_)); }

void BlockedClients::Add(Waiter* waiter) {
  waiter->number = next_number_++;
  if (waiter->copies) {
    for_copies_.emplace(waiter->number, waiter);
  } else {
    interest_->AddKeys(1);
    ++count_;
  }
  for (const std::string& key : waiter->keys) {
    by_key_[{waiter->db, key}].waiters.emplace(waiter->number, waiter);
  }
  if (waiter->deadline_ns != 0) deadlines_.emplace(waiter->deadline_ns, waiter);
}

void BlockedClients::Remove(Waiter* waiter) {
  for (const std::string& key : waiter->keys) {
    const auto found = by_key_.find(KeyView(waiter->db, key));
    CHECK(found != by_key_.end());
    CHECK_EQ(found->second.waiters.erase(waiter->number), 1u);
    if (found->second.waiters.empty()) {
      by_key_.erase(found);
    } else {
      Touch(*found);
    }
  }
  if (waiter->deadline_ns != 0) deadlines_.erase({waiter->deadline_ns, waiter});
  if (for_copies_.erase(waiter->number) > 0) return;
  --count_;
  interest_->AddKeys(-1);
}

int64_t BlockedClients::next_deadline_ns() const {
  const int64_t deadline_ns = deadlines_.empty() ? INT64_MAX : deadlines_.begin()->first;
  return std::min(deadline_ns, next_look_ns());
}

std::vector<Waiter*> BlockedClients::TakeWaitersForCopies(int64_t now_ns) {
  last_look_ns_ = now_ns;
  std::vector<Waiter*> waiters;
  for (const auto& [number, waiter] : for_copies_) waiters.push_back(waiter);
  return waiters;
}

void BlockedClients::Touch(Queues::value_type& queue) {
  if (std::exchange(queue.second.touched, true)) return;
  touched_.push_back(queue.first);
}

void BlockedClients::TouchKeysOf(const Waiter& waiter) {
  for (const std::string& key : waiter.keys) Touch(*by_key_.find(KeyView(waiter.db, key)));
}

std::vector<Waiter*> BlockedClients::TakeReady(
    const std::function<const engine::View&()>& new_view) {
  std::vector<Waiter*> ready;
  if (touched_.empty()) return ready;
  const engine::View& view = new_view();
  for (const Key& key : touched_) {
    const auto waiting = by_key_.find(key);
    if (waiting == by_key_.end() || !std::exchange(waiting->second.touched, false)) continue;
    const Content content = Look(view, key.first, key.second);
    uint64_t left = content.elements;
    for (auto& [number, waiter] : waiting->second.waiters) {
      const bool takes = waiter->blocking->takes;
      // A consumer group may be gone with its stream, and its clients are told.
      const bool fits = content.type == waiter->blocking->waits_for || waiter->blocking->needs_key;
      if (!fits || (takes && left == 0)) continue;
      if (takes) --left;
      if (waiter->under_way) {
        waiter->again = true;
      } else {
        waiter->under_way = true;
        ready.push_back(waiter);
      }
    }
  }
  touched_.clear();
  return ready;
}

std::vector<Waiter*> BlockedClients::TakeExpired(int64_t now_ns) {
  std::vector<Waiter*> expired;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ns) {
    Waiter* waiter = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    waiter->deadline_ns = 0;
    expired.push_back(waiter);
  }
  return expired;
}

size_t BlockedClients::Handle(const engine::Event& event) {
  if (count_ == 0) return 0;
  switch (event.kind) {
    case engine::EventKind::kKey: {
      const auto found = by_key_.find(KeyView(event.db, event.key));
      if (found != by_key_.end()) Touch(*found);
      break;
    }
    case engine::EventKind::kDatabase:
    case engine::EventKind::kEverything:
      for (auto& queue : by_key_) {
        if (event.kind == engine::EventKind::kEverything || queue.first.first == event.db) {
          Touch(queue);
        }
      }
      break;
    default:
      break;
  }
  return 0;
}

}  // namespace metastore::server
