// Transcripts: what a few nodes say and store, step by step, as text. A file of tests/raft/testdata
// is a list of blocks
//
//   command word name=value ...
//   ----
//   what it printed
//
// with an empty line after each; lines with # between blocks are comments. REWRITE=1 writes what is
// printed now into the files: read the difference before it is committed.
//
// Nothing happens by itself: a node's Ready is taken, a message delivered and a write synced only
// where a command says so. An entry is written index@term, with its data in quotes.
//
//   nodes N [learners=4,5] [lease= election= append= window= uncommitted=]   voters 1..N, all anew
//   start ID                      a node that knows nobody
//   set-log ID terms=1,1,4 [term= vote= commit=]   starts the node on this log
//   tick ID [n]   campaign ID   propose ID data   transfer ID TARGET   read ID CONTEXT
//   change ID voters=1,2 [learners=3]
//   ready ID                      takes one Ready
//   stabilize [ID...]             Readys and messages, of these nodes, until nothing moves
//   deliver|drop|repeat [A->B] [Type] [count=n]   of the messages under way, oldest first; repeat
//                                 delivers and keeps them
//   network                       the messages under way
//   cut A B   oneway A B   isolate A   heal     what is sent while a link is cut is lost
//   hold-disk ID   sync ID [n]   release-disk ID  syncs wait, each for a command
//   hold-apply ID   release-apply ID
//   crash ID   restart ID         what was not synced is lost
//   compact ID INDEX   save-snapshot NAME ID   restore ID NAME   snapshot-sent FROM TO NAME|failed
//   status [ID...]   log ID   peers ID   lease ID   membership ID
//
// With `quiet` as its last word a command prints nothing.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/invariants.h"
#include "raft/node.h"
#include "tests/raft/memory_storage.h"

namespace metastore::raft {

class Transcript {
 public:
  // Runs one command and returns what it printed; every line ends in a newline.
  std::string Run(const std::string& command);

 private:
  struct Host {
    MemoryStorage storage;
    std::unique_ptr<Node> node;  // null: down
    bool holds_disk = false;
    bool holds_apply = false;
    std::deque<std::pair<DurableWrite, std::vector<Message>>> disk;
    Index applied = 0;  // handed out as committed, or restored
  };
  using Words = std::vector<std::string>;

  void Execute(const Words& words);
  Host& At(const std::string& id);
  void Start(NodeId id);
  void TakeReady(NodeId id);
  void SyncOne(NodeId id);
  void Stabilize(const std::set<NodeId>& ids);
  void Send(std::vector<Message>& messages);
  void Deliver(Message m);
  void Line(const std::string& text);
  void Print(const Result<Position>& position);
  std::string Option(const std::string& name) const;
  uint64_t Number(const std::string& name, uint64_t otherwise) const;

  std::map<NodeId, Host> hosts_;
  std::map<std::string, std::string> options_;
  Config base_;  // what `nodes` set
  std::deque<Message> network_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<std::string, SnapshotMetadata> snapshots_;
  ClusterInvariants invariants_;
  uint64_t runs_ = 0;
  std::string out_;
};

}  // namespace metastore::raft
