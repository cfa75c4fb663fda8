// Reads a stopped node's directory without changing a byte of it: the identity, the Raft log, the
// checksums of all files, and the records of the state machine. What is wrong goes to Findings;
// what the records mean is for the layers above (replica/check.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/data_directory.h"
#include "engine/view.h"
#include "raft/types.h"

namespace metastore::engine {

// What is wrong, a line each: "damage: <kind>: <what and where>". Of each kind the first few are
// shown, and the rest counted.
class Findings {
 public:
  using Print = std::function<void(const std::string& line)>;
  Findings(uint64_t shown_per_kind, Print print)
      : shown_per_kind_(shown_per_kind), print_(std::move(print)) {}

  void Add(const std::string& kind, const std::string& text);
  // Says how many of each kind were not shown.
  void Finish();
  uint64_t total() const { return total_; }
  const std::map<std::string, uint64_t>& counts() const { return counts_; }

 private:
  const uint64_t shown_per_kind_;
  const Print print_;
  std::map<std::string, uint64_t> counts_;
  uint64_t total_ = 0;
};

// Bytes as an operator can read them: printable ones as they are, others as \xNN, 64 at most.
std::string Printable(std::string_view bytes);

struct StoppedLog {
  raft::HardState hard_state;
  raft::Position start, last;  // last == start: no entries
  raft::Membership start_membership;
};

class StoppedNode {
 public:
  using Progress = std::function<void(const std::string& line)>;
  // The node cannot be started while this object lives. kNotFound: no data directory is there.
  // kUnavailable: a process has it.
  static Result<std::unique_ptr<StoppedNode>> Open(const std::string& path, Findings* findings,
                                                   Progress progress);
  virtual ~StoppedNode() = default;

  virtual std::optional<Identity> CheckIdentity() = 0;

  // Checksums of all files of the log, then its entries in order. `visit` gets the data of each
  // one that is kept. Nothing: there is no log, or it cannot be read (a finding).
  using VisitEntry =
      std::function<void(raft::Position position, raft::EntryType type, std::string_view data)>;
  virtual std::optional<StoppedLog> CheckLog(const VisitEntry& visit) = 0;

  // Checksums of all files of the live generation. False: its records cannot be read, because
  // there is none yet, or because of what was found.
  virtual bool OpenDatabase() = 0;
  // After that. Visits the records of a family in the order of their keys. False:
  // a read failed, which is a finding.
  using VisitRecord = std::function<void(std::string_view key, std::string_view value)>;
  virtual bool ForEach(Family family, const VisitRecord& visit) = 0;
  virtual std::optional<std::string> Get(Family family, std::string_view key) = 0;
  // The same records for the types that check their own; what they read lives no longer than
  // this object. A read that fails is a finding, and ends an iteration.
  virtual const View& view() const = 0;
};

}  // namespace metastore::engine
