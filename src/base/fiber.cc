#include "base/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/check.h"

// g++ defines the macros of the sanitizers it builds for, clang is asked.
#if defined(__has_feature)
#define METASTORE_HAS(feature) __has_feature(feature)
#else
#define METASTORE_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || METASTORE_HAS(address_sanitizer)
#define METASTORE_ASAN 1
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__) || METASTORE_HAS(thread_sanitizer)
#define METASTORE_TSAN 1
#include <sanitizer/tsan_interface.h>
#endif

namespace metastore {
namespace {

// A read through RocksDB uses some 10 KB of it. Sanitizers make frames several times larger.
#if defined(METASTORE_ASAN) || defined(METASTORE_TSAN)
constexpr size_t kStackBytes = 1 << 20;
#else
constexpr size_t kStackBytes = 256 << 10;
#endif

size_t PageBytes() {
  static const size_t bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

void Unmap(char* stack) { CHECK_EQ(::munmap(stack - PageBytes(), kStackBytes + PageBytes()), 0); }

}  // namespace

size_t FiberStacks::StackBytes() { return kStackBytes; }

FiberStacks::~FiberStacks() {
  for (char* stack : spare_) Unmap(stack);
}

char* FiberStacks::Take() {
  if (!spare_.empty()) {
    char* stack = spare_.back();
    spare_.pop_back();
    return stack;
  }
  void* mapped = ::mmap(nullptr, kStackBytes + PageBytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  CHECK_MSG(mapped != MAP_FAILED, "no memory for a stack");
  CHECK_EQ(::mprotect(mapped, PageBytes(), PROT_NONE), 0);
  return static_cast<char*>(mapped) + PageBytes();
}

void FiberStacks::Return(char* stack) {
  if (spare_.size() < kKept) {
    spare_.push_back(stack);
  } else {
    Unmap(stack);
  }
}

Fiber::Fiber(FiberStacks* stacks, std::function<void()> function)
    : stacks_(stacks), function_(std::move(function)) {}

Fiber::~Fiber() {
  if (!started()) return;
  CHECK_MSG(done_, "a fiber is destroyed in the middle of its function");
#ifdef METASTORE_TSAN
  __tsan_destroy_fiber(tsan_own_);
#endif
  stacks_->Return(stack_);
}

void Fiber::Resume() {
  CHECK(!done_);
  CHECK(!running_);
  if (!started()) {
    stack_ = stacks_->Take();
    CHECK_EQ(::getcontext(&own_), 0);
    own_.uc_stack.ss_sp = stack_;
    own_.uc_stack.ss_size = kStackBytes;
    own_.uc_link = nullptr;
    // makecontext passes ints.
    auto self = reinterpret_cast<uintptr_t>(this);
    ::makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::Enter), 2,
                  static_cast<unsigned>(uint64_t{self} >> 32), static_cast<unsigned>(self));
#ifdef METASTORE_TSAN
    tsan_own_ = __tsan_create_fiber(0);
#endif
  }
#ifdef METASTORE_TSAN
  tsan_resumer_ = __tsan_get_current_fiber();
#endif
  running_ = true;
  Switch(&resumer_, &own_, tsan_own_, stack_, kStackBytes, false);
  running_ = false;
}

void Fiber::Pause() {
  CHECK(running_);
  Switch(&own_, &resumer_, tsan_resumer_, resumer_stack_, resumer_stack_bytes_, false);
}

void Fiber::Enter(unsigned high, unsigned low) {
  auto* self =
      reinterpret_cast<Fiber*>(static_cast<uintptr_t>((static_cast<uint64_t>(high) << 32) | low));
#ifdef METASTORE_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->resumer_stack_, &self->resumer_stack_bytes_);
#endif
  self->function_();
  self->done_ = true;
  self->Switch(&self->own_, &self->resumer_, self->tsan_resumer_, self->resumer_stack_,
               self->resumer_stack_bytes_, true);
}

// The order matters to the sanitizers: each is told on the stack that is left, right before it is
// left, and ASan once more on the one that is come back to.
void Fiber::Switch(ucontext_t* from, ucontext_t* to, [[maybe_unused]] void* to_tsan,
                   [[maybe_unused]] const void* to_stack, [[maybe_unused]] size_t to_bytes,
                   [[maybe_unused]] bool forever) {
#ifdef METASTORE_ASAN
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(forever ? nullptr : &fake_stack, to_stack, to_bytes);
#endif
#ifdef METASTORE_TSAN
  __tsan_switch_to_fiber(to_tsan, 0);
#endif
  CHECK_EQ(::swapcontext(from, to), 0);
#ifdef METASTORE_ASAN
  const bool in_fiber = from == &own_;
  __sanitizer_finish_switch_fiber(fake_stack, in_fiber ? &resumer_stack_ : nullptr,
                                  in_fiber ? &resumer_stack_bytes_ : nullptr);
#endif
}

}  // namespace metastore
