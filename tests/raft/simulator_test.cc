// Environment: SEEDS=n runs n seeds from FIRST (1) on, SEED=k runs that one alone;
// MUTANT=words breaks the rules that are named so, MUTANT_SEEDS=n times each at most.
#include "tests/raft/simulator.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/raft/test_cluster.h"
#include "tests/support/sanitized.h"

namespace metastore::raft {
namespace {

using test::kSanitized;

constexpr uint64_t kMutantSeeds = 5000;

uint64_t current_seed = 0;

void PrintSeedAndLine(const std::string& line) {
  std::fprintf(stderr,
               "%s\nseed %" PRIu64 " fails; the same run again: SEED=%" PRIu64
               " %s --gtest_filter='RaftSimulatorTest.Invariants*'\n",
               line.c_str(), current_seed, current_seed, program_invocation_name);
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
  uint64_t first = FromEnvironment("SEED", FromEnvironment("FIRST", 1));
  uint64_t seeds =
      std::getenv("SEED") != nullptr ? 1 : FromEnvironment("SEEDS", kSanitized ? 300 : 10'000);
  std::printf("seeds %" PRIu64 " to %" PRIu64 "\n", first, first + seeds - 1);
  SimulationResult sum;
  uint64_t seeds_of[8] = {};  // by the number of nodes
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SimulationResult r = Simulate(seed);
    ++seeds_of[r.nodes];
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
  std::printf("seeds of 1 to 7 nodes:");
  for (uint64_t nodes = 1; nodes <= 7; ++nodes) std::printf(" %" PRIu64, seeds_of[nodes]);
  std::printf("\n");
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
  EXPECT_GT(seeds_of[5], seeds / 10);
  EXPECT_GT(seeds_of[7], seeds / 20);
}

TEST(RaftSimulatorTest, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed = 1001; seed <= 1010; ++seed) {
    SimulationResult first = Simulate(seed);
    SimulationResult second = Simulate(seed);
    EXPECT_EQ(first.fingerprint, second.fingerprint) << "seed " << seed;
    EXPECT_NE(first.fingerprint, Simulate(seed + 100000).fingerprint) << "seed " << seed;
  }
}

TEST(RaftSimulatorTest, AFailingSeedPrintsTheCommandThatRunsItAgain) {
  EXPECT_DEATH(
      {
        current_seed = 7;
        SetCheckFailedSink(PrintSeedAndLine);
        for (;; ++current_seed) {
          Simulator(current_seed, Fault::kNone, Breach::kHardStateIsNotPersisted).Run();
        }
      },
      "SEED=[0-9]+ .*raft_test --gtest_filter='RaftSimulatorTest.Invariants");
}

struct Notice {
  uint64_t seed = 0;  // 0: nobody noticed
  std::string by;     // the CHECK
};

int notices = -1;  // where the child writes: each seed before its run, then 0 and the CHECK

void WriteNotice(const std::string& line) {
  const uint64_t end = 0;
  const std::string text = line.substr(line.rfind('/') + 1);
  if (::write(notices, &end, sizeof end) < 0 || ::write(notices, text.data(), text.size()) < 0) {
    std::_Exit(2);
  }
}

// One rule broken, in a process of its own.
Notice SeedThatNotices(Fault fault, Breach breach, uint64_t limit) {
  int pipe[2];
  CHECK_EQ(::pipe(pipe), 0);
  pid_t child = ::fork();
  CHECK_GE(child, 0);
  if (child == 0) {
    ::close(pipe[0]);
    notices = pipe[1];
    rlimit no_core = {0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    SetCheckFailedSink(WriteNotice);
    std::fclose(stderr);
    for (uint64_t seed = 1; seed <= limit; ++seed) {
      if (::write(pipe[1], &seed, sizeof seed) != sizeof seed) std::_Exit(2);
      Simulator(seed, fault, breach).Run();
    }
    std::_Exit(0);
  }
  ::close(pipe[1]);
  Notice notice;
  uint64_t seed;
  while (::read(pipe[0], &seed, sizeof seed) == sizeof seed && seed != 0) notice.seed = seed;
  char text[200];
  for (ssize_t n; (n = ::read(pipe[0], text, sizeof text)) > 0;) notice.by.append(text, n);
  ::close(pipe[0]);
  int status = 0;
  CHECK_EQ(::waitpid(child, &status, 0), child);
  if (!WIFSIGNALED(status)) notice.seed = 0;
  return notice;
}

TEST(RaftInvariantsTest, TwoMembershipChangesAtOnceAreSeen) {
  TestCluster c(3, [](Config* config) { config->fault = Fault::kTwoChangesAtOnce; });
  c.Elect(1);
  c.Isolate(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2}, {}, {}}).ok());
  c.Drain(1);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2, 4}, {}, {}}).ok());
  EXPECT_DEATH(c.Drain(1), "before->first <= leader.commit_index");
}

TEST(RaftInvariantsTest, AMembershipChangeBeforeTheTermsFirstCommitIsSeen) {
  TestCluster c(3, [](Config* config) { config->fault = Fault::kChangeBeforeTermCommitted; });
  c.Elect(2);
  ASSERT_TRUE(c[2]->TransferLeadership(1).ok());
  c.drop = [](const Message& m) { return m.type == MessageType::kAppend && m.from == 1; };
  c.Settle();
  ASSERT_EQ(c[1]->role(), Role::kLeader);
  ASSERT_TRUE(c[1]->ProposeConfChange({{1, 2}, {}, {}}).ok());
  EXPECT_DEATH(c.Drain(1), "committed == change.term");
}

TEST(RaftSimulatorTest, EachRuleThatIsBrokenAloneIsNoticed) {
  if (kSanitized) GTEST_SKIP() << "thousands of runs; the release build does it";
  struct Broken {
    const char* name;
    Fault fault;
    Breach breach;
  };
  const Broken broken[] = {
      {"commits an old term's entry by counting", Fault::kCommitsOldTermByCounting, Breach::kNone},
      {"no entry at the start of a term", Fault::kNoEntryAtTheStartOfTerm, Breach::kNone},
      {"two changes at once", Fault::kTwoChangesAtOnce, Breach::kNone},
      {"change before the term's first commit", Fault::kChangeBeforeTermCommitted, Breach::kNone},
      {"learners count", Fault::kLearnersCount, Breach::kNone},
      {"only the new majority of a joint one", Fault::kOnlyTheNewMajority, Breach::kNone},
      {"votes during a lease", Fault::kVotesDuringALease, Breach::kNone},
      {"truncates without conflict", Fault::kTruncatesWithoutConflict, Breach::kNone},
      {"reads without a round", Fault::kReadsWithoutARound, Breach::kNone},
      {"votes for a shorter log", Fault::kVotesForAShorterLog, Breach::kNone},
      {"votes twice in a term", Fault::kVotesTwiceInATerm, Breach::kNone},
      {"heartbeats commit what is unmatched", Fault::kHeartbeatCommitsUnmatched, Breach::kNone},
      {"lease outlives a transfer", Fault::kLeaseOutlivesATransfer, Breach::kNone},
      {"votes are not persisted", Fault::kNone, Breach::kVotesAreNotPersisted},
      {"hard state is not persisted", Fault::kNone, Breach::kHardStateIsNotPersisted},
      {"acknowledges before the sync", Fault::kNone, Breach::kAcknowledgesBeforeTheSync},
      {"leader counts before the sync", Fault::kNone, Breach::kLeaderCountsBeforeTheSync},
      {"ticks of a pause are forgotten", Fault::kNone, Breach::kTicksOfAPauseAreForgotten},
      {"clocks drift beyond the margin", Fault::kNone, Breach::kClocksDriftBeyondTheMargin},
      {"changes in force when committed", Fault::kChangeInForceAtCommit, Breach::kNone},
      {"syncs acknowledged by index (ABA)", Fault::kNone, Breach::kAcknowledgesByIndex},
      {"a snapshot leaves the old log", Fault::kNone, Breach::kSnapshotLeavesTheOldLog},
      {"a snapshot of the latest membership", Fault::kNone,
       Breach::kSnapshotHasTheLatestMembership},
  };
  const char* only = std::getenv("MUTANT");
  for (const Broken& b : broken) {
    if (only != nullptr && std::string(b.name).find(only) == std::string::npos) continue;
    const Notice notice =
        SeedThatNotices(b.fault, b.breach, FromEnvironment("MUTANT_SEEDS", kMutantSeeds));
    std::printf("%-40s seed %5" PRIu64 "  %.90s\n", b.name, notice.seed,
                notice.by.substr(0, notice.by.find('\n')).c_str());
    EXPECT_NE(notice.seed, 0u) << b.name << " goes unnoticed";
  }
}

}  // namespace
}  // namespace metastore::raft
