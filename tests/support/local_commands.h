// Local commands for tests of the dispatcher and the sockets, so that these tests judge only what
// carries commands: PING, AUTH, SELECT, REPLY on|off|skip (CLIENT REPLY), QUIT, FILL n […] (a
// reply of n bytes), LOOK, which is a read where it names a key, LONE, which no transaction takes,
// and the container BOX with the one subcommand ITEM. And reads whose replies are of any size:
// LARGE n bytes (an array), COUNTED n bytes (the same, its length not known before), LATE n error
// (an error behind n steps of a walk), TORN n bytes (an error behind the elements).
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <span>
#include <string>

#include "base/status.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "server/local_context.h"
#include "types/keyspace.h"

namespace metastore::test {

inline Status Ping(server::LocalContext&, commands::Args, resp::Writer& reply) {
  reply.SimpleString("PONG");
  return Status::Ok();
}
inline Status Auth(server::LocalContext& context, commands::Args, resp::Writer& reply) {
  context.session().authenticated = true;
  reply.Ok();
  return Status::Ok();
}
inline Status Select(server::LocalContext& context, commands::Args args, resp::Writer& reply) {
  context.session().db = std::stoi(std::string(args[1]));
  reply.Ok();
  return Status::Ok();
}
inline Status Reply(server::LocalContext& context, commands::Args args, resp::Writer& reply) {
  server::Session& session = context.session();
  if (args[1] == "on") {
    session.reply_mode = server::ReplyMode::kOn;
    reply.Ok();
  } else if (args[1] == "off") {
    session.reply_mode = server::ReplyMode::kOff;
  } else if (session.reply_mode != server::ReplyMode::kOff) {
    session.reply_mode = server::ReplyMode::kSkipNext;
  }
  return Status::Ok();
}
inline Status Quit(server::LocalContext& context, commands::Args, resp::Writer& reply) {
  context.session().close_after_reply = true;
  reply.Ok();
  return Status::Ok();
}
inline Status Fill(server::LocalContext&, commands::Args args, resp::Writer& reply) {
  reply.Bulk(std::string(std::stoul(std::string(args[1])), 'f'));
  return Status::Ok();
}

// What the handlers of large replies did.
struct LargeReads {
  static inline std::atomic<int> running{0};  // entered and not left
  static inline std::atomic<size_t> elements{0};
  static inline std::function<void()> at_element;
};
struct RunningRead {
  RunningRead() { ++LargeReads::running; }
  ~RunningRead() { --LargeReads::running; }
};

inline size_t WriteElements(commands::Args args, resp::Writer& reply) {
  const size_t count = std::stoul(std::string(args[1]));
  std::string element(args.size() > 2 ? std::stoul(std::string(args[2])) : 0, 'e');
  for (size_t i = 0; i < count; ++i) {
    if (LargeReads::at_element) LargeReads::at_element();
    ++LargeReads::elements;
    const std::string number = std::to_string(i);
    element.replace(0, std::min(number.size(), element.size()), number);
    reply.Bulk(element);
  }
  return count;
}
inline Status Large(commands::ReadContext&, commands::Args args, resp::Writer& reply) {
  RunningRead running;
  reply.Array(std::stoul(std::string(args[1])));
  WriteElements(args, reply);
  return Status::Ok();
}
inline Status Counted(commands::ReadContext&, commands::Args args, resp::Writer& reply) {
  RunningRead running;
  WriteCounted(reply, resp::Aggregate::kArray, [&] { return WriteElements(args, reply); });
  return Status::Ok();
}
inline Status Late(commands::ReadContext&, commands::Args args, resp::Writer& reply) {
  RunningRead running;
  for (size_t n = std::stoul(std::string(args[1])); n > 0; --n) {
    if (LargeReads::at_element) LargeReads::at_element();
    reply.Step();
  }
  return commands::errors::Custom("ERR " + std::string(args[2]));
}
inline Status Torn(commands::ReadContext& context, commands::Args args, resp::Writer& reply) {
  CHECK(Large(context, args, reply).ok());
  return commands::errors::Custom("ERR torn");
}

inline Status Look(commands::ReadContext& context, commands::Args args, resp::Writer& reply) {
  reply.Integer(types::Exists(context.view(), context.db(), args[1]) ? 1 : 0);
  return Status::Ok();
}

inline std::span<const commands::CommandSpec> LocalCommands() {
  using commands::CommandSpec;
  using commands::LocalHandler;
  auto spec = [](std::string_view name, int arity, LocalHandler handler, uint32_t flags = 0) {
    CommandSpec made;
    made.name = name;
    made.arity = arity;
    made.flags = flags;
    if (handler != nullptr) made.handler = handler;
    return made;
  };
  auto large = [](std::string_view name, int arity, commands::ReadHandler handler) {
    CommandSpec made;
    made.name = name;
    made.arity = arity;
    made.flags = commands::kReadonly | commands::kLargeReply;
    made.handler = handler;
    return made;
  };
  static const CommandSpec box[] = {spec("item", 3, &Ping)};
  static const CommandSpec specs[] = {
      spec("ping", -1, &Ping),
      spec("auth", 2, &Auth, commands::kNoAuth),
      spec("select", 2, &Select),
      spec("reply", 2, &Reply),
      spec("quit", -1, &Quit, commands::kNeverQueued),
      spec("lone", 1, &Ping, commands::kNoMulti),
      spec("fill", -2, &Fill),
      large("large", 3, &Large),
      large("counted", 3, &Counted),
      large("late", 3, &Late),
      large("torn", 3, &Torn),
      [&spec] {
        CommandSpec made = spec("look", -1, &Ping);
        made.handler.read = &Look;
        made.handler.is_read = [](commands::Args args) { return args.size() == 2; };
        return made;
      }(),
      [&spec] {
        CommandSpec made = spec("box", -2, nullptr);
        made.subcommands = box;
        return made;
      }(),
  };
  return specs;
}

inline const server::CommandTable& TestCommands() {
  static const server::CommandTable table({commands::StringCommands(), commands::HashCommands(),
                                           commands::ListCommands(), commands::GenericCommands(),
                                           LocalCommands(), server::TransactionCommands()});
  return table;
}

}  // namespace metastore::test
