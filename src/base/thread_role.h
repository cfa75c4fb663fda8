// Thread roles (io, raft, log, apply) as capabilities that clang checks (-Wthread-safety):
// a member marked GUARDED_BY(role) can be touched only where the role is known to be held.
#pragma once

#include <atomic>
#include <thread>

#include "base/capability.h"
#include "base/check.h"

namespace metastore {

// Bound to the first thread that calls Bind or Assert. Callbacks begin with role.Assert().
class CAPABILITY("role") ThreadRole {
 public:
  void Bind() ASSERT_CAPABILITY(this) { owner_.store(std::this_thread::get_id()); }
  void Assert() const ASSERT_CAPABILITY(this) {
    CHECK(owner_.load(std::memory_order_relaxed) == std::this_thread::get_id());
  }

 private:
  std::atomic<std::thread::id> owner_;
};

}  // namespace metastore
