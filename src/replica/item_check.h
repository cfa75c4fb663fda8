// What an item of a batch must be before it may stand in the log. Every replica CHECKs the same
// when it applies the entry, so one bad item that a peer forwarded would stop them all: the leader
// looks first.
#pragma once

#include "base/status.h"
#include "commands/command_spec.h"
#include "replica/proposal.h"

namespace metastore::replica {

// Finds a command by name in any case; null when there is none.
using CommandFinder = const commands::CommandSpec* (*)(std::string_view name);

// The command of a kWrite or kRead item, nullptr for the other kinds. kCorruption: it, or an item
// of a transaction, cannot run.
Result<const commands::CommandSpec*> CheckItem(const Item& item, CommandFinder find_command);

// Is this what `from` may forward: one whole batch of its own, each item of which can run?
// kCorruption says what is wrong.
Status CheckForwardedBatch(std::string_view batch, raft::NodeId from, CommandFinder find_command);

}  // namespace metastore::replica
