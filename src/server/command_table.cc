#include "server/command_table.h"

#include "base/check.h"

namespace metastore::server {
namespace {

inline char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool EqualsLower(std::string_view lower, std::string_view any) {
  if (lower.size() != any.size()) return false;
  for (size_t i = 0; i < any.size(); ++i) {
    if (Lower(any[i]) != lower[i]) return false;
  }
  return true;
}

// FNV-1a over the lower-case name: names are short.
uint32_t Hash(std::string_view name) {
  uint32_t hash = 2166136261u;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(Lower(c))) * 16777619u;
  return hash ^ (hash >> 15);
}

// No command has a longer name; a client's longer one is not worth hashing.
constexpr size_t kMaxNameBytes = 64;

}  // namespace

const Command* Command::FindSubcommand(std::string_view name) const {
  for (const auto& subcommand : subcommands) {
    if (EqualsLower(subcommand->spec->name, name)) return subcommand.get();
  }
  return nullptr;
}

CommandTable::CommandTable(const std::vector<std::span<const commands::CommandSpec>>& groups) {
  for (std::span<const commands::CommandSpec> group : groups) {
    for (const commands::CommandSpec& spec : group) {
      auto command = std::make_unique<Command>();
      command->spec = &spec;
      command->index = static_cast<uint32_t>(all_.size());
      command->full_name = spec.name;
      all_.push_back(command.get());
      for (const commands::CommandSpec& sub : spec.subcommands) {
        auto subcommand = std::make_unique<Command>();
        subcommand->spec = &sub;
        subcommand->parent = command.get();
        subcommand->index = static_cast<uint32_t>(all_.size());
        subcommand->full_name = std::string(spec.name) + "|" + std::string(sub.name);
        CHECK_MSG(command->FindSubcommand(sub.name) == nullptr,
                  "command listed twice: " + subcommand->full_name);
        all_.push_back(subcommand.get());
        command->subcommands.push_back(std::move(subcommand));
      }
      commands_.push_back(std::move(command));
    }
  }
  size_t size = 16;
  while (size < commands_.size() * 2) size *= 2;
  buckets_.resize(size);
  for (const auto& command : commands_) {
    const std::string& name = command->full_name;
    CHECK_LE(name.size(), kMaxNameBytes);
    CHECK_MSG(EqualsLower(name, name), "command name not in lower case: " + name);
    CHECK_MSG(Find(name) == nullptr, "command listed twice: " + name);
    size_t at = Hash(name) & (size - 1);
    while (buckets_[at] != nullptr) at = (at + 1) & (size - 1);
    buckets_[at] = command.get();
  }
}

const Command* CommandTable::Find(std::string_view name) const {
  if (name.size() > kMaxNameBytes) return nullptr;
  for (size_t at = Hash(name);; ++at) {
    const Command* command = buckets_[at & (buckets_.size() - 1)];
    if (command == nullptr || EqualsLower(command->full_name, name)) return command;
  }
}

}  // namespace metastore::server
