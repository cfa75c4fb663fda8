#include "tests/replica/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace metastore::replica {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// SEED=n runs that one; SEEDS=n that many, from FIRST (1) on.
TEST(ReplicaSimulationTest, AcknowledgedIsKeptOnceAndReadsAreNeverStale) {
  uint64_t first = FromEnvironment("SEED", FromEnvironment("FIRST", 1));
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
  std::printf(
      "seeds %llu..%llu: %d acknowledged, %d unknown, %d refused, %d reads, %d crashes, "
      "%d snapshots\n",
      static_cast<unsigned long long>(first), static_cast<unsigned long long>(first + count - 1),
      sum.acknowledged, sum.unknown, sum.refused, sum.reads, sum.crashes, sum.snapshots);
  if (count > 10) {
    // The run must have met what it is for.
    EXPECT_GT(sum.acknowledged, 100);
    EXPECT_GT(sum.unknown, 0);
    EXPECT_GT(sum.reads, 100);
    EXPECT_GT(sum.crashes, 10);
    EXPECT_GT(sum.snapshots, 0);
  }
}

TEST(ReplicaSimulationTest, TheSameHoldsWhileNodesComeAndGo) {
  uint64_t first = FromEnvironment("SEED", FromEnvironment("FIRST", 1));
  uint64_t count = std::getenv("SEED") != nullptr ? 1 : FromEnvironment("SEEDS", 40);
  SimulationResult sum;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.nodes = 5;
    options.founders = seed % 3 == 0 ? 1 : 3;
    options.changes = true;
    options.steps = 12000;
    SimulationResult result = RunSimulation(options);
    ASSERT_TRUE(result.ok) << "seed " << seed << ": " << result.failure;
    sum.acknowledged += result.acknowledged;
    sum.snapshots += result.snapshots;
    sum.changes += result.changes;
    sum.removed += result.removed;
  }
  std::printf("seeds %llu..%llu: %d acknowledged, %d snapshots, %d changes, %d nodes removed\n",
              static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + count - 1), sum.acknowledged, sum.snapshots,
              sum.changes, sum.removed);
  if (count > 10) {
    EXPECT_GT(sum.acknowledged, 100);
    EXPECT_GT(sum.snapshots, 0);
    EXPECT_GT(sum.changes, 100);
    EXPECT_GT(sum.removed, 20);
  }
}

TEST(ReplicaSimulationTest, CollectionsAreTheSameEverywhereAndHoldWhatWasAcknowledged) {
  uint64_t first = FromEnvironment("SEED", FromEnvironment("FIRST", 1));
  uint64_t count = std::getenv("SEED") != nullptr ? 1 : FromEnvironment("SEEDS", 40);
  SimulationResult sum;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.collections = true;
    options.nodes = seed % 4 == 0 ? 5 : seed % 7 == 0 ? 1 : 3;
    options.changes = seed % 5 == 0;
    options.steps = seed % 3 == 0 ? 15000 : 6000;
    SimulationResult result = RunSimulation(options);
    ASSERT_TRUE(result.ok) << "seed " << seed << ": " << result.failure;
    sum.acknowledged += result.acknowledged;
    sum.unknown += result.unknown;
    sum.refused += result.refused;
    sum.reads += result.reads;
    sum.crashes += result.crashes;
    sum.snapshots += result.snapshots;
    sum.expired_keys += result.expired_keys;
    sum.expired_fields += result.expired_fields;
    sum.reclaims += result.reclaims;
    sum.keys += result.keys;
    sum.spread += result.spread;
  }
  std::printf(
      "seeds %llu..%llu: %d acknowledged, %d unknown, %d refused, %d reads, %d crashes, "
      "%d snapshots, %llu keys and %llu fields expired, %d reclaims, %lld keys in the end, "
      "%lld spread\n",
      static_cast<unsigned long long>(first), static_cast<unsigned long long>(first + count - 1),
      sum.acknowledged, sum.unknown, sum.refused, sum.reads, sum.crashes, sum.snapshots,
      static_cast<unsigned long long>(sum.expired_keys),
      static_cast<unsigned long long>(sum.expired_fields), sum.reclaims,
      static_cast<long long>(sum.keys), static_cast<long long>(sum.spread));
  if (count > 10) {
    EXPECT_GT(sum.acknowledged, 100);
    EXPECT_GT(sum.unknown, 0);
    EXPECT_GT(sum.reads, 100);
    EXPECT_GT(sum.crashes, 10);
    EXPECT_GT(sum.snapshots, 0);
    EXPECT_GT(sum.expired_keys, 100u);
    EXPECT_GT(sum.expired_fields, 100u);
    EXPECT_GT(sum.reclaims, 10);
    EXPECT_GT(sum.spread, 10);
  }
}

TEST(ReplicaSimulationTest, AReplicaOnRocksDbThatIsKilledHoldsTheSameAndAnswersTheSame) {
  uint64_t first = FromEnvironment("SEED", FromEnvironment("FIRST", 1));
  uint64_t count = std::getenv("SEED") != nullptr ? 1 : FromEnvironment("SEEDS", 4);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.collections = true;
    options.witness = true;
    options.steps = 15000;
    options.nodes = seed % 4 == 0 ? 1 : 3;
    options.changes = seed % 5 == 0;
    SimulationResult result = RunSimulation(options);
    ASSERT_TRUE(result.ok) << "seed " << seed << ": " << result.failure;
  }
}

TEST(ReplicaSimulationTest, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.changes = seed == 3;
    options.collections = seed == 4;
    EXPECT_EQ(RunSimulation(options).fingerprint, RunSimulation(options).fingerprint)
        << "seed " << seed;
  }
}

// Some seed of `seeds` from `first` on must show the fault that `plant` plants.
void ExpectSeen(void (*plant)(SimulationOptions*), uint64_t seeds, uint64_t first = 1) {
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    plant(&options);
    SimulationResult result = RunSimulation(options);
    if (result.ok) continue;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.failure.c_str());
    return;
  }
  ADD_FAILURE() << "no seed of " << seeds << " shows it";
}

TEST(ReplicaSimulationTest, TheJudgeSeesReadsThatDoNotAskForAReadPoint) {
  ExpectSeen([](SimulationOptions* options) { options->break_reads = true; }, 20);
}

TEST(ReplicaSimulationTest, TheJudgeSeesMessagesHandledBeforeTheClockIsReadAfterAPause) {
  // About one seed in ten thousand shows it; these hold one that does. Whoever changes what a seed
  // means looks for another place.
  ExpectSeen([](SimulationOptions* options) { options->late_clock = true; }, 200, 800);
}

TEST(ReplicaSimulationTest, TheJudgeSeesASnapshotWithoutTheSessions) {
  ExpectSeen([](SimulationOptions* options) { options->forget_sessions = true; }, 400);
}

TEST(ReplicaSimulationTest, TheJudgeSeesAnAnswerThatTheStateMachineGivesAgain) {
  ExpectSeen([](SimulationOptions* options) { options->answer_twice = true; }, 20);
}

TEST(ReplicaSimulationTest, TheJudgeOfCollectionsSeesReadsThatDoNotAskForAReadPoint) {
  ExpectSeen(
      [](SimulationOptions* options) {
        options->collections = true;
        options->break_reads = true;
      },
      20);
}

TEST(ReplicaSimulationTest, TheJudgeOfCollectionsSeesASnapshotWithoutTheSessions) {
  ExpectSeen(
      [](SimulationOptions* options) {
        options->collections = true;
        options->forget_sessions = true;
      },
      200);
}

TEST(ReplicaSimulationTest, TheJudgeOfCollectionsSeesARowThatASnapshotLacks) {
  ExpectSeen(
      [](SimulationOptions* options) {
        options->collections = true;
        options->lose_rows = true;
      },
      20);
}

TEST(ReplicaSimulationTest, TheJudgeOfCollectionsSeesASearchForWhatIsDueThatBeginsTooLate) {
  ExpectSeen(
      [](SimulationOptions* options) {
        options->collections = true;
        options->free_floors = true;
      },
      20);
}

}  // namespace
}  // namespace metastore::replica
