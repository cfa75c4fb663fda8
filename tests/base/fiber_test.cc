#include "base/fiber.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace metastore {
namespace {

TEST(FiberTest, RunsFromPauseToPauseAndItsVariablesStay) {
  FiberStacks stacks;
  std::string seen;
  Fiber* self = nullptr;
  Fiber fiber(&stacks, [&] {
    const std::string local(100, 'x');
    for (int i = 0; i < 3; ++i) {
      seen += std::to_string(i) + local[i];
      self->Pause();
    }
    seen += "end";
  });
  self = &fiber;
  EXPECT_FALSE(fiber.started());
  std::string wanted;
  for (int i = 0; i < 3; ++i) {
    fiber.Resume();
    wanted += std::to_string(i) + "x";
    EXPECT_EQ(seen, wanted);
    EXPECT_FALSE(fiber.done());
  }
  fiber.Resume();
  EXPECT_EQ(seen, wanted + "end");
  EXPECT_TRUE(fiber.done());
}

// As a reply is abandoned: an exception thrown where the fiber was paused unwinds its stack only.
TEST(FiberTest, AnExceptionThrownBehindAPauseUnwindsTheFibersOwnStack) {
  FiberStacks stacks;
  auto token = std::make_shared<int>(1);
  Fiber* self = nullptr;
  bool caught = false;
  Fiber fiber(&stacks, [&] {
    try {
      const std::shared_ptr<int> held = token;
      self->Pause();
      throw std::runtime_error("left");
    } catch (const std::runtime_error&) {
      caught = true;
    }
  });
  self = &fiber;
  fiber.Resume();
  EXPECT_EQ(token.use_count(), 2);
  fiber.Resume();
  EXPECT_TRUE(caught);
  EXPECT_TRUE(fiber.done());
  EXPECT_EQ(token.use_count(), 1);
}

TEST(FiberTest, ManyFibersInTurnsDoNotDisturbEachOther) {
  FiberStacks stacks;
  constexpr int kFibers = 50, kRounds = 20;
  std::vector<std::unique_ptr<Fiber>> fibers(kFibers);
  std::vector<int> sums(kFibers);
  for (int n = 0; n < kFibers; ++n) {
    fibers[n] = std::make_unique<Fiber>(&stacks, [n, &fibers, &sums] {
      volatile char deep[8 << 10];
      for (int i = 0; i < kRounds; ++i) {
        deep[i * 400] = static_cast<char>(n);
        fibers[n]->Pause();
        sums[n] += deep[i * 400];
      }
    });
  }
  for (int i = 0; i <= kRounds; ++i) {
    for (auto& fiber : fibers) fiber->Resume();
  }
  for (int n = 0; n < kFibers; ++n) {
    EXPECT_TRUE(fibers[n]->done());
    EXPECT_EQ(sums[n], n * kRounds);
  }
  fibers.clear();
  EXPECT_EQ(stacks.kept(), FiberStacks::kKept);
}

TEST(FiberTest, StacksAreUsedAgain) {
  FiberStacks stacks;
  const char* first = nullptr;
  const char* second = nullptr;
  for (const char** at : {&first, &second}) {
    Fiber fiber(&stacks, [at] {
      char local = 0;
      *at = &local;
    });
    fiber.Resume();
  }
  EXPECT_EQ(first, second);
  EXPECT_EQ(stacks.kept(), 1u);
}

TEST(FiberTest, EachThreadHasItsOwn) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      FiberStacks stacks;
      int count = 0;
      for (int i = 0; i < 200; ++i) {
        Fiber* self = nullptr;
        Fiber fiber(&stacks, [&] {
          ++count;
          self->Pause();
          ++count;
        });
        self = &fiber;
        fiber.Resume();
        fiber.Resume();
      }
      EXPECT_EQ(count, 400);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(FiberDeathTest, AnOverflowOfTheStackEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        FiberStacks stacks;
        Fiber fiber(&stacks, [] {
          // Downwards from here page by page, as deep calls would.
          volatile char here = 0;
          for (size_t i = 0; i <= FiberStacks::StackBytes(); i += 1024) *(&here - i) = 1;
        });
        fiber.Resume();
      },
      "");
}

}  // namespace
}  // namespace metastore
