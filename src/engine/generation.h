// Which generation of the state machine's database is live: `db/CURRENT`, a file of its own that
// is replaced in one step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/status.h"
#include "engine/file.h"

namespace metastore::engine {

inline std::string GenerationName(uint64_t generation) {
  std::string digits = std::to_string(generation);
  return std::string(6 - std::min<size_t>(6, digits.size()), '0') + digits;
}

// The generation that CURRENT in the directory `db` names; 0: there is no such file.
inline Result<uint64_t> ReadCurrentGeneration(const std::string& db) {
  constexpr size_t kMaxCurrentFileBytes = 64;
  Result<std::string> text = ReadSmallFile(db + "/CURRENT", kMaxCurrentFileBytes);
  if (text.code() == Code::kNotFound) return 0;
  if (!text.ok()) return text.status();
  uint64_t generation = std::strtoull(text->c_str(), nullptr, 10);
  if (generation == 0 || *text != GenerationName(generation) + "\n") {
    return Status::Corruption(db + "/CURRENT does not name a generation");
  }
  return generation;
}

}  // namespace metastore::engine
