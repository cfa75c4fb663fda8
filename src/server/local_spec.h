// What the groups of local commands share: rows of their CommandSpec tables, and HELP.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "commands/command_spec.h"
#include "server/local_context.h"

namespace metastore::server {

// A row for a command without keys that the node answers itself.
constexpr commands::CommandSpec LocalSpec(std::string_view name, int arity, uint32_t flags,
                                          uint32_t categories, commands::LocalHandler handler,
                                          std::string_view group, std::string_view since,
                                          std::string_view complexity, std::string_view summary) {
  commands::CommandSpec spec;
  spec.name = name;
  spec.arity = arity;
  spec.flags = flags;
  spec.categories = categories;
  spec.handler = commands::Handler(handler);
  spec.group = group;
  spec.since = since;
  spec.complexity = complexity;
  spec.summary = summary;
  return spec;
}

constexpr commands::CommandSpec ContainerSpec(std::string_view name, std::string_view group,
                                              std::string_view since, std::string_view summary,
                                              std::span<const commands::CommandSpec> subcommands) {
  commands::CommandSpec spec;
  spec.name = name;
  spec.arity = -2;
  spec.group = group;
  spec.since = since;
  spec.complexity = "Depends on subcommand.";
  spec.summary = summary;
  spec.subcommands = subcommands;
  return spec;
}

// The flags of most: usable before the node has caught up.
inline constexpr uint32_t kAnyTime = commands::kLoading | commands::kStale;

// The reply of `<CONTAINER> HELP`: Redis's first and last lines around these.
void WriteHelp(std::string_view container, std::initializer_list<std::string_view> lines,
               resp::Writer& reply);

}  // namespace metastore::server
