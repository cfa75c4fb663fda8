// Asking a running cluster to be taken in, before this node has an id or a data directory.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"
#include "raft/types.h"

namespace metastore::net {

struct JoinAnswer {
  std::string cluster;                          // its name, for the data directory
  raft::NodeId id = 0;                          // this node's, where it asked for one
  std::map<raft::NodeId, std::string> members;  // id to url
};

// Asks the member whose peer address is `member_url`. With `own_url` this node is added under a
// new id, or keeps the one that a member with that address has; without, it only learns about the
// cluster. Blocks until the answer or `timeout_ms`. kUnavailable: nobody answers there, or not in
// time: ask again. kInvalidArgument: the cluster's reason why not.
Result<JoinAnswer> AskToJoin(const std::string& member_url, const std::string& own_url,
                             int timeout_ms);

}  // namespace metastore::net
