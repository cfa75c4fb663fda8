// Environment: SEEDS=n runs n seeds, SEED=k runs that one alone.
#include "tests/raft/simulator.h"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace metastore::raft {
namespace {

uint64_t current_seed = 0;

void PrintSeedAndLine(const std::string& line) {
  std::fprintf(stderr, "%s\nfailing seed: rerun with SEED=%" PRIu64 "\n", line.c_str(),
               current_seed);
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

SimulationResult Simulate(uint64_t seed) {
  current_seed = seed;
  SetCheckFailedSink(PrintSeedAndLine);
  SimulationResult result = Simulator(seed).Run();
  SetCheckFailedSink(nullptr);
  return result;
}

TEST(RaftSimulatorTest, InvariantsHoldUnderFaultsAndTheClusterAgreesAfterThem) {
  uint64_t first = FromEnvironment("SEED", 1);
  uint64_t seeds = std::getenv("SEED") != nullptr ? 1 : FromEnvironment("SEEDS", 300);
  std::printf("seeds %" PRIu64 " to %" PRIu64 "\n", first, first + seeds - 1);
  SimulationResult sum;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SimulationResult r = Simulate(seed);
    sum.committed += r.committed;
    sum.lease_checks += r.lease_checks;
    sum.reads_answered += r.reads_answered;
    sum.reads_refused += r.reads_refused;
    sum.elections += r.elections;
    sum.crashes += r.crashes;
    sum.snapshots += r.snapshots;
    sum.conf_changes += r.conf_changes;
    sum.transfers += r.transfers;
  }
  std::printf("committed %" PRIu64 ", elections %" PRIu64 ", crashes %" PRIu64
              ", snapshots %" PRIu64 ", membership changes %" PRIu64 ", transfers %" PRIu64
              ", reads %" PRIu64 " answered %" PRIu64 " refused, lease checks %" PRIu64 "\n",
              sum.committed, sum.elections, sum.crashes, sum.snapshots, sum.conf_changes,
              sum.transfers, sum.reads_answered, sum.reads_refused, sum.lease_checks);
  if (seeds < 100) return;
  // A simulation in which something never happens does not test it.
  EXPECT_GT(sum.committed, seeds);
  EXPECT_GT(sum.elections, seeds);
  EXPECT_GT(sum.crashes, seeds);
  EXPECT_GT(sum.snapshots, seeds / 2);
  EXPECT_GT(sum.conf_changes, seeds / 4);
  EXPECT_GT(sum.transfers, seeds / 4);
  EXPECT_GT(sum.reads_answered, seeds);
  EXPECT_GT(sum.reads_refused, 0u);
  EXPECT_GT(sum.lease_checks, seeds);
}

TEST(RaftSimulatorTest, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed = 1001; seed <= 1010; ++seed) {
    SimulationResult first = Simulate(seed);
    SimulationResult second = Simulate(seed);
    EXPECT_EQ(first.fingerprint, second.fingerprint) << "seed " << seed;
    EXPECT_NE(first.fingerprint, Simulate(seed + 100000).fingerprint) << "seed " << seed;
  }
}

}  // namespace
}  // namespace metastore::raft
