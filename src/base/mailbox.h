// A bounded queue of moved values from any threads to one. The receiver takes everything at once,
// so the cost of a hand-over is shared by all values that waited.
//
// The bound is a broken-node check, not flow control: senders are limited upstream (by the byte
// budget of pending commands, the window of one write in the log thread, …), so a mailbox that
// reaches kMaxMailboxValues has lost its receiver.
#pragma once

#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"

namespace metastore {

inline constexpr size_t kMaxMailboxValues = 1 << 20;

template <class T>
class Mailbox {
 public:
  // `wake` is called by the sender, without the lock, whenever the box was empty: it must make
  // the receiver call TakeAll. Without one, the receiver blocks in WaitAndTakeAll.
  explicit Mailbox(std::function<void()> wake = nullptr) : wake_(std::move(wake)) {}

  void Put(T value) {
    bool was_empty;
    {
      MutexLock lock(mutex_);
      was_empty = values_.empty();
      values_.push_back(std::move(value));
      CHECK_LT(values_.size(), kMaxMailboxValues);
    }
    if (!was_empty) return;
    if (wake_) {
      wake_();
    } else {
      ready_.NotifyOne();
    }
  }

  // Replaces *out by everything that waits, in order. Reuses out's memory for the next round.
  void TakeAll(std::vector<T>* out) {
    out->clear();
    MutexLock lock(mutex_);
    std::swap(*out, values_);
  }

  // Blocks until there is a value or Close was called; an empty result means closed.
  void WaitAndTakeAll(std::vector<T>* out) {
    out->clear();
    MutexLock lock(mutex_);
    while (values_.empty() && !closed_) ready_.Wait(mutex_);
    std::swap(*out, values_);
  }

  // The same, but returns empty-handed after `timeout`. False: closed and empty.
  bool WaitAndTakeAllFor(std::chrono::nanoseconds timeout, std::vector<T>* out) {
    out->clear();
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    MutexLock lock(mutex_);
    while (values_.empty() && !closed_ && ready_.WaitUntil(mutex_, deadline)) {
    }
    std::swap(*out, values_);
    return !out->empty() || !closed_;
  }

  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
    ready_.NotifyOne();
  }

 private:
  std::function<void()> wake_;
  Mutex mutex_;
  CondVar ready_;
  std::vector<T> values_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace metastore
