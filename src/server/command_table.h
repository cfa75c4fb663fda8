// All commands of all groups by name, joined from an explicit list. Built once; then read by any
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command_spec.h"

namespace metastore::server {

// A command or subcommand of the table.
struct Command {
  const commands::CommandSpec* spec = nullptr;
  const Command* parent = nullptr;  // the container of a subcommand
  uint32_t index = 0;               // dense, for statistics
  std::string full_name;            // "get", "client|list"
  std::vector<std::unique_ptr<Command>> subcommands;

  // nullptr when there is none; the name in any case.
  const Command* FindSubcommand(std::string_view name) const;
};

class CommandTable {
 public:
  CommandTable(const CommandTable&) = delete;
  CommandTable& operator=(const CommandTable&) = delete;
  // `groups` for tests; a name that occurs twice is a broken table (CHECK).
  explicit CommandTable(const std::vector<std::span<const commands::CommandSpec>>& groups);

  // The table of the server: every group.
  static const CommandTable& All();

  // The name in any case; nullptr when there is none. A container is found by its own name.
  const Command* Find(std::string_view name) const;

  // The top-level commands in the order of the groups.
  const std::vector<std::unique_ptr<Command>>& commands() const { return commands_; }
  // With subcommands: indexes are 0 … size() - 1.
  size_t size() const { return all_.size(); }
  const Command& at(uint32_t index) const { return *all_[index]; }

 private:
  std::vector<std::unique_ptr<Command>> commands_;
  std::vector<const Command*> all_;
  // Open addressing; a power of two, at most half full.
  std::vector<const Command*> buckets_;
};

// The groups that server/ adds to those of commands/.
std::span<const commands::CommandSpec> ConnectionCommands();
std::span<const commands::CommandSpec> ServerCommands();
std::span<const commands::CommandSpec> TransactionCommands();
std::span<const commands::CommandSpec> PubSubCommands();
std::span<const commands::CommandSpec> RaftCommands();
std::span<const commands::CommandSpec> ClusterCommands();
std::span<const commands::CommandSpec> SentinelCommands();
std::span<const commands::CommandSpec> CommandCommands();

}  // namespace metastore::server
