// Fiber: a function on a stack of its own, which can pause in its middle and be resumed later, in
// the same thread. It is for code that produces something step by step and should not know that
// its consumer is slow. Not for hot paths: a switch is a system call (swapcontext keeps the signal
// mask), about 0.25 µs.
//
// One thread owns a fiber and its stacks. No exception may leave the function. Locks, and pointers
// to what others may change meanwhile, must not be held across a pause.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace metastore {

// Stacks with a page below them that ends the process when one overflows. Only the pages that were
// used take memory.
class FiberStacks {
 public:
  // The stacks of fibers that ended and are kept for others.
  static constexpr size_t kKept = 8;
  // Without the guard page.
  static size_t StackBytes();

  FiberStacks() = default;
  ~FiberStacks();
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;

  size_t kept() const { return spare_.size(); }

 private:
  friend class Fiber;
  char* Take();
  void Return(char* stack);

  std::vector<char*> spare_;
};

class Fiber {
 public:
  // Takes a stack at the first Resume. `stacks` must outlive the fiber.
  Fiber(FiberStacks* stacks, std::function<void()> function);
  // It must have ended, or never been resumed.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs the function until it pauses or returns. Not from within a fiber.
  void Resume();
  // From within the function only: back to whoever resumed it.
  void Pause();

  bool started() const { return stack_ != nullptr; }
  bool done() const { return done_; }

 private:
  static void Enter(unsigned high, unsigned low);
  void Switch(ucontext_t* from, ucontext_t* to, void* to_tsan, const void* to_stack,
              size_t to_bytes, bool forever);

  FiberStacks* const stacks_;
  std::function<void()> function_;
  char* stack_ = nullptr;
  bool running_ = false;
  bool done_ = false;
  ucontext_t own_ = {};
  ucontext_t resumer_ = {};
  // What the sanitizers must be told of the two sides; unused without them.
  void* tsan_own_ = nullptr;
  void* tsan_resumer_ = nullptr;
  const void* resumer_stack_ = nullptr;
  size_t resumer_stack_bytes_ = 0;
};

}  // namespace metastore
