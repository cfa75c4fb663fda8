// What waits for a commit's events on one io loop: subscribers, client-side caches, blocked
// clients.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/events.h"

namespace metastore::server {

class EventListener {
 public:
  virtual ~EventListener() = default;
  // Returns how many bytes it has put into the outputs of clients.
  virtual size_t Handle(const engine::Event& event) = 0;
  // All of a commit's events have come; `index` is that of its last entry, 0 where they are no
  // commit's.
  virtual void EndOfCommit(uint64_t index) { (void)index; }
};

}  // namespace metastore::server
