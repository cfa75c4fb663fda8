// Rules of Raft that a Node can be told to break, one at a time, so that tests can show that the
// simulator notices. Outside of tests it is always kNone.
#pragma once

#include <cstdint>

namespace metastore::raft {

enum class Fault : uint8_t {
  kNone,
  kCommitsOldTermByCounting,   // 5.4.2
  kNoEntryAtTheStartOfTerm,    // 6.4
  kTwoChangesAtOnce,           // thesis 4.1
  kChangeBeforeTermCommitted,  // Ongaro 2015
  kLearnersCount,              // thesis 4.2.1
  kOnlyTheNewMajority,         // thesis 4.3
  kVotesDuringALease,          // thesis 4.2.3
  kTruncatesWithoutConflict,   // 5.3
  kReadsWithoutARound,         // thesis 6.4
  kVotesForAShorterLog,        // 5.4.1
  kVotesTwiceInATerm,          // 5.2
  kHeartbeatCommitsUnmatched,  // 5.3
  kLeaseOutlivesATransfer,     // thesis 6.4.1
  kChangeInForceAtCommit,      // thesis 4.1: when it is appended
};

}  // namespace metastore::raft
