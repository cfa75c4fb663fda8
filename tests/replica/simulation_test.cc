#include "tests/replica/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace metastore::replica {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// SEED=n runs that one; SEEDS=n that many.
TEST(ReplicaSimulationTest, AcknowledgedIsKeptOnceAndReadsAreNeverStale) {
  uint64_t first = FromEnvironment("SEED", 1);
  uint64_t count = std::getenv("SEED") != nullptr ? 1 : FromEnvironment("SEEDS", 40);
  SimulationResult sum;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.nodes = seed % 4 == 0 ? 5 : seed % 7 == 0 ? 1 : 3;
    SimulationResult result = RunSimulation(options);
    ASSERT_TRUE(result.ok) << "seed " << seed << ": " << result.failure;
    sum.acknowledged += result.acknowledged;
    sum.unknown += result.unknown;
    sum.refused += result.refused;
    sum.reads += result.reads;
    sum.crashes += result.crashes;
    sum.snapshots += result.snapshots;
  }
  std::printf("seeds %llu..%llu: %d acknowledged, %d unknown, %d refused, %d reads, %d crashes, "
              "%d snapshots\n",
              static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + count - 1), sum.acknowledged, sum.unknown,
              sum.refused, sum.reads, sum.crashes, sum.snapshots);
  if (count > 10) {
    // The run must have met what it is for.
    EXPECT_GT(sum.acknowledged, 100);
    EXPECT_GT(sum.unknown, 0);
    EXPECT_GT(sum.reads, 100);
    EXPECT_GT(sum.crashes, 10);
    EXPECT_GT(sum.snapshots, 0);
  }
}

TEST(ReplicaSimulationTest, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    EXPECT_EQ(RunSimulation(options).fingerprint, RunSimulation(options).fingerprint)
        << "seed " << seed;
  }
}

TEST(ReplicaSimulationTest, TheJudgeSeesReadsThatDoNotAskForAReadPoint) {
  bool caught = false;
  for (uint64_t seed = 1; seed <= 20 && !caught; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.break_reads = true;
    caught = !RunSimulation(options).ok;
  }
  EXPECT_TRUE(caught);
}

}  // namespace
}  // namespace metastore::replica
