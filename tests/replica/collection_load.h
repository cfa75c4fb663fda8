// The commands on collections that the simulation's clients send, and the judge of what became of
// them. Each of them is of one of two kinds.
//
// Most are drawn from templates over a few keys of databases 1 and 2: every type, in its packed and
// in its spread form, renamed, copied, moved, expired, flushed. Of them only the replicas' bytes
// are judged: the same everywhere, and whole (replica/check.h).
//
// The others have keys of their own in database 0, such that every reply says something about what
// must be there in the end:
//   - a unique token put into a pool of lists, sets, sorted sets or hashes is there in the end or
//     was given to exactly one client that took it; as many may be missing as clients that took
//     something do not know what;
//   - a counter is at least what was acknowledged, at most what was asked, and never goes back;
//   - an entry of a stream has the id that its client was told, behind those told before it was
//     asked; each is delivered to one consumer, and is pending until it is acknowledged;
//   - fields and keys with a near deadline are gone in the end; those with a far one or none stay.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "commands/command_spec.h"
#include "engine/view.h"
#include "replica/replica.h"
#include "resp/value.h"

namespace metastore::replica {

// All that change or read the keyspace.
const commands::CommandSpec* FindDataCommand(std::string_view name);

class CollectionLoad {
 public:
  using Words = std::vector<std::string>;
  using Replies = std::vector<resp::Value>;
  // One batch of commands, all writes or all reads.
  struct Operation {
    int db = 0;
    bool reads = false;
    std::vector<Words> commands;
    // Called once; `replies` has one for each command where the outcome is kApplied. Not called for
    // a read that was refused.
    std::function<void(BatchOutcome outcome, const Replies& replies)> done;
  };

  // Every near deadline has passed so long after it was set.
  static constexpr int64_t kMaxNearMs = 6000;

  Operation Next(Random& random);
  // Reads whose answer nobody judges.
  Operation Question(Random& random) { return Chaos(random, /*reads=*/true); }
  // What a View shows; errors are replies.
  static resp::Value Ask(const engine::View& view, int db, const Words& words);
  // At the end, when all is answered, applied and expired.
  void Judge(const engine::View& view);

  // What is wrong; empty: nothing is.
  const std::string& failure() const { return failure_; }
  uint64_t acknowledged() const { return acknowledged_; }

 private:
  struct Pool {
    std::vector<std::string> keys;
    Words list;                        // the command that lists a key's elements, without the key
    std::vector<std::string> names{};  // tokens, as asked for
    std::map<std::string, BatchOutcome> put{};  // those that were answered
    std::vector<std::string> taken{};
    uint64_t unknown_takes = 0;
  };
  struct Counter {
    int64_t acknowledged = 0, asked = 0, floor = 0;
    std::set<int64_t> values{};
  };
  enum class Ack : uint8_t { kNone, kUnknown, kDone };
  // A key, or a field of one hash, with a deadline.
  struct Mortal {
    bool far = false;
    std::optional<BatchOutcome> made{};
    bool persisted = false;
    bool perhaps_persisted = false;
  };
  struct StreamId {
    uint64_t ms = 0, seq = 0;
    friend auto operator<=>(const StreamId&, const StreamId&) = default;
  };

  void Fail(const std::string& why);
  std::string NewToken(Random& random);
  const std::string& Some(const std::vector<std::string>& of, Random& random) const;
  static StreamId ParseId(const std::string& text);

  Operation Chaos(Random& random, bool reads);
  Words Fill(std::string_view words, Random& random);
  Operation Put(Pool* pool, Words command, const std::vector<std::string>& tokens);
  Operation Take(Pool* pool, Words command, uint64_t most, size_t stride);
  // `command` replies with 1 if it was this client that took it.
  Operation TakeOne(Pool* pool, Words command, const std::string& token);
  Operation OnList(Random& random);
  Operation OnSet(Random& random);
  Operation OnSortedSet(Random& random);
  Operation OnHash(Random& random);
  Operation OnCounter(Random& random);
  Operation OnStream(Random& random);
  Operation OnMortal(Random& random);

  void JudgePool(const engine::View& view, const Pool& pool);
  void JudgeStream(const engine::View& view);
  void JudgeMortals(const engine::View& view);

  std::string failure_;
  uint64_t acknowledged_ = 0;
  uint64_t next_token_ = 1;
  uint64_t next_id_ = 1;

  Pool list_{{"list0", "list1", "list2"}, {"LRANGE", "", "0", "-1"}};
  Pool set_{{"set0", "set1", "set2"}, {"SMEMBERS", ""}};
  Pool sorted_set_{{"zset0", "zset1"}, {"ZRANGE", "", "0", "-1"}};
  Pool hash_{{"hash0", "hash1"}, {"HKEYS", ""}};
  std::map<Words, Counter> counters_;  // by the command that reads one
  Pool stream_;
  std::map<StreamId, std::string> entries_;  // acknowledged
  StreamId last_id_;
  std::vector<std::string> delivered_;  // ids
  std::map<std::string, Ack> acks_;     // of deliveries
  std::vector<std::string> mortal_names_;
  std::map<std::string, Mortal> mortals_;
};

}  // namespace metastore::replica
