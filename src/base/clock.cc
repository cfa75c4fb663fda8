#include "base/clock.h"

#include <ctime>

namespace metastore {
namespace {

class MachineClock : public Clock {
 public:
  int64_t WallMs() const override {
    timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * int64_t{1000} + t.tv_nsec / 1000000;
  }
  int64_t BootNs() const override {
    timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * int64_t{1000000000} + t.tv_nsec;
  }
};

}  // namespace

const Clock* SystemClock() {
  static const MachineClock clock;
  return &clock;
}

}  // namespace metastore
