// The bytes of a log entry: one entry holds many batches, one batch the commands that one io loop
// of one node took in one turn.
//
//   entry  := version:u8(1) now_ms:be64 seed:be64 batch*
//   batch  := size:varint  node:varint incarnation:varint seq:varint
//             lane:varint ticket:varint count:varint item*        (size counts what follows it)
//   item   := kind:u8 protocol:u8 db:u8 argc:varint (len:varint bytes)*argc
//
// The arguments of a kTransaction are two: (db:u8 version:be64 key:bytes)* of the keys that are
// watched, and item* of its commands.
//
// (node, incarnation, seq) is the session's place of the batch and makes it apply once; (lane,
// ticket) is where the accepting node sends the replies and means nothing to the others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "raft/types.h"
#include "replica/replica.h"

namespace metastore::replica {

inline constexpr uint8_t kProposalVersion = 1;
// Batches share an entry up to this size; a single larger batch has an entry of its own.
inline constexpr size_t kMaxEntryBytes = 4 << 20;

struct BatchHeader {
  raft::NodeId node = 0;
  uint64_t incarnation =
      0;             // of the node's run; larger than those of its earlier runs on this disk
  uint64_t seq = 0;  // 1, 2, 3 … within the incarnation
  Lane lane = 0;
  uint64_t ticket = 0;
  uint32_t count = 0;
};

// A batch with its size in front, ready to be put into an entry or a Forward message. An empty
// body with count 0 only takes up its place in the session's sequence.
std::string EncodeBatch(const BatchHeader& header, std::string_view body);

void BeginEntry(int64_t now_ms, uint64_t seed, std::string* entry);

struct Item {
  ItemKind kind = ItemKind::kWrite;
  int protocol = 2;
  int db = 0;
  std::vector<std::string_view> args;
};

// Reads an item off the front of *in, and reuses item->args: kNotFound at the end of *in,
// kCorruption where the bytes break the grammar.
Status TakeItem(std::string_view* in, Item* item);
// The same with a watched key of a transaction.
struct WatchedKeyView {
  int db = 0;
  uint64_t version = 0;
  std::string_view key;
};
Status TakeWatchedKey(std::string_view* in, WatchedKeyView* watched);

// Reads an entry front to back. Every Next… that meets bytes that break the grammar says
// kCorruption; the end is kNotFound. Views point into the entry.
class EntryReader {
 public:
  explicit EntryReader(std::string_view entry) : rest_(entry) {}
  Status ReadHeader();
  int64_t now_ms() const { return now_ms_; }
  uint64_t seed() const { return seed_; }

  // Moves to the next batch, past what is unread of this one.
  Status NextBatch(BatchHeader* header);
  // Moves to the next item of this batch; reuses item->args.
  Status NextItem(Item* item);

 private:
  std::string_view rest_;   // behind the current batch
  std::string_view items_;  // unread items of the current batch
  int64_t now_ms_ = 0;
  uint64_t seed_ = 0;
};

// Checks that the bytes are exactly one well-formed batch (what a peer forwarded) and reads its
// header.
Status ReadBatch(std::string_view batch, BatchHeader* header);

}  // namespace metastore::replica
