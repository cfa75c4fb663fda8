// DataDirectory: a node's directory on disk, locked against a second process, and the identity
// that ties it to one node of one cluster.
//
//   LOCK      held while the process runs (flock, so it goes with the process)
//   IDENTITY  text: the cluster, the node, the disk's incarnation, the number of starts
//   raft/     LogStore
//   db/       Engine
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"

namespace metastore::engine {

struct Identity {
  std::string cluster_id;  // no whitespace
  uint64_t node_id = 0;
  // Drawn when the directory was made: the same node id with another one is a wiped disk.
  uint64_t disk_incarnation = 0;
  // How often the directory was opened, this time included. It is on disk before Open returns.
  uint64_t run = 0;
};

// The incarnation of the session of this run. Larger with each run, and another one on another
// disk: a node that comes back under its id after its removal finds the commands of its earlier
// life in the log, and must not answer them.
inline uint64_t SessionOf(const Identity& identity) {
  return (identity.disk_incarnation >> 32 << 20) + identity.run;
}

class DataDirectory {
 public:
  // Creates what is missing. An empty `cluster_id` takes whatever cluster the directory has
  // (kNotFound for a new one). Errors are sentences for an operator:
  // kUnavailable: another process holds it. kInvalidArgument: it belongs to another node or
  // cluster. kCorruption: IDENTITY is damaged, or missing beside data.
  static Result<std::unique_ptr<DataDirectory>> Open(const std::string& path,
                                                     const std::string& cluster_id,
                                                     uint64_t node_id);
  // Whose directory it is, without opening it. kNotFound: nobody's so far.
  static Result<Identity> Peek(const std::string& path);
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  const std::string& path() const { return path_; }
  const Identity& identity() const { return identity_; }
  bool created() const { return identity_.run == 1; }

 private:
  DataDirectory(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  std::string path_;
  int lock_fd_;
  Identity identity_;
};

std::string EncodeIdentity(const Identity& identity);
Result<Identity> DecodeIdentity(const std::string& text);

}  // namespace metastore::engine
