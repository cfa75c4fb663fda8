// Txn: the writes of one apply turn, gathered in memory, visible to its own reads, and committed
// as ONE WriteBatch by Engine::Commit, together with the applied index and the sessions that the
// state machine puts into Family::kSystem. Apply role only; there is one Txn at a time.
//
// Writing the same key again replaces the gathered value, so a hot counter costs one memtable
// insert a turn. Nothing is rolled back: handlers check first and write last.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/effect_digest.h"
#include "engine/entry_weight.h"
#include "engine/events.h"
#include "engine/view.h"

namespace metastore::engine {

class Txn : public View {
 public:
  // Called by the state machine before the commands of an entry: its index, the leader's time
  // stamp and the leader's seed. Handlers take time and chance from here only.
  virtual void BeginEntry(uint64_t index, int64_t now_ms, uint64_t seed) = 0;

  virtual void Put(Family family, std::string_view key, std::string value) = 0;
  virtual void Delete(Family family, std::string_view key) = 0;

  // Removes [from, to) with one range tombstone, for the remains of flushed databases and dead
  // collections. Reads through this Txn do not see that: nothing may read the range before the
  // commit.
  virtual void DeleteDeadRange(Family family, std::string_view from, std::string_view to) = 0;

  virtual void SetDatabases(const DatabaseMap& map) = 0;
  // Adds to the counters of a physical prefix; SetCounts replaces them.
  virtual void AddCounts(uint8_t prefix, KeyCounts more) = 0;
  virtual void SetCounts(uint8_t prefix, KeyCounts counts) = 0;

  // A number that no other write of the cluster's history has: (entry index << 24 | counter).
  // Modification indexes and collection ids are made of it.
  virtual uint64_t NewVersion() = 0;

  virtual Random& random() = 0;

  // Of every Put, Delete and DeleteDeadRange. The state machine keeps it with the applied index.
  EffectDigest& digest() { return digest_; }
  // Of the entry under way.
  const EntryWeight& weight() const { return weight_; }

  // What the commit tells this node's clients beside replies. No effect on what is written.
  Events& events() { return events_; }

  // Bytes gathered since the last commit, for the state machine's turn limit.
  virtual size_t bytes() const = 0;

 protected:
  EffectDigest digest_;
  EntryWeight weight_;
  Events events_;
};

}  // namespace metastore::engine
