// `metaStore check`: is what a stopped node has on its disk whole, and does it fit together? Reads
// only, in one pass over each file, with memory that does not grow with the data.
#pragma once

#include <string>
#include <vector>

#include "engine/check.h"

namespace metastore::replica {

inline constexpr int kCheckClean = 0;
inline constexpr int kCheckDamaged = 1;
inline constexpr int kCheckNotDone = 2;  // wrong use, no such directory, or the node runs

struct CheckOptions {
  std::string data_dir;
  uint64_t findings_per_kind = 10;
};

// Lines of findings, then one that sums up; progress on long runs goes to `progress`. The result is
// one of the exit codes.
using PrintLine = std::function<void(const std::string& line)>;
int CheckDataDirectory(const CheckOptions& options, const PrintLine& print,
                       const PrintLine& progress);

// The part of it that looks at the records of the state machine: whether they decode and fit
// together. Returns how many keys there are.
int64_t CheckState(engine::StoppedNode* node, engine::Findings* findings);

// The subcommand: what stands behind `metaStore check` on the command line.
int CheckMain(const std::vector<std::string>& args);

}  // namespace metastore::replica
