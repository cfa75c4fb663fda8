// Is a history of a single key's operations linearizable? The algorithm of Wing and Gong with
// Lowe's memo of (set of linearized operations, state), as Porcupine has it. Linearizability is
// local: a history is linearizable if and only if that of each key is.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace metastore::cluster_test {

struct Operation {
  enum class Kind { kGet, kSet, kGetSet, kIncr };
  Kind kind = Kind::kGet;
  std::string argument;  // kSet, kGetSet
  int64_t call_ns = 0;
  // Unknown outcome: it may take effect at any time after the call, or never.
  static constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();
  int64_t return_ns = kUnknown;
  // What it returned: the value, none for nil; kIncr: the number. kSet: not looked at.
  std::optional<std::string> result;
};

enum class Verdict { kLinearizable, kNotLinearizable, kUndecided };

// The key does not exist before the history. kUndecided: more than `max_states` were seen.
Verdict CheckHistory(const std::vector<Operation>& history, size_t max_states = 4'000'000);

// The operations around the one with which the history cannot go on, for a message.
std::string DescribeHistory(const std::vector<Operation>& history, size_t max_operations = 40);

}  // namespace metastore::cluster_test
