// Where time comes from. Everything below server/ takes time as an argument or through this
// interface, so that simulations own it.
#pragma once

#include <cstdint>

namespace metastore {

class Clock {
 public:
  virtual ~Clock() = default;
  // Unix time. It may jump; it decides expiry and nothing else.
  virtual int64_t WallMs() const = 0;
  // Time since boot including suspension (CLOCK_BOOTTIME): never goes back, runs while the
  // machine sleeps. Leases and timeouts are measured on it.
  virtual int64_t BootNs() const = 0;
};

// The machine's clock. Any thread.
const Clock* SystemClock();

}  // namespace metastore
