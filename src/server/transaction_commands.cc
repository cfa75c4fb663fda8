// MULTI, EXEC, DISCARD, WATCH and UNWATCH. What runs a transaction is the Dispatcher and, on every
// replica, StateMachine::RunTransaction.
#include "commands/errors.h"
#include "server/command_table.h"
#include "server/local_context.h"
#include "server/local_spec.h"

namespace metastore::server {
namespace {

using commands::Args;
using commands::CommandSpec;
using resp::Writer;
namespace errors = commands::errors;

Status Multi(LocalContext& ctx, Args, Writer& reply) {
  Session& session = ctx.session();
  if (session.transaction == nullptr) session.transaction = std::make_unique<Transaction>();
  if (session.transaction->open()) return errors::Custom("ERR MULTI calls can not be nested");
  session.transaction->Open(session.db);
  reply.Ok();
  return Status::Ok();
}

// Where there is a transaction the Dispatcher runs it.
Status ExecWithoutMulti(LocalContext&, Args, Writer&) {
  return errors::Custom("ERR EXEC without MULTI");
}

Status Discard(LocalContext& ctx, Args, Writer& reply) {
  std::unique_ptr<Transaction>& transaction = ctx.session().transaction;
  if (transaction == nullptr || !transaction->open()) {
    return errors::Custom("ERR DISCARD without MULTI");
  }
  transaction.reset();
  reply.Ok();
  return Status::Ok();
}

// The Dispatcher notes the versions of the keys on the same view.
Status Watch(commands::ReadContext&, Args, Writer& reply) {
  reply.Ok();
  return Status::Ok();
}

// Inside MULTI it runs with EXEC, which ends the watch anyhow.
Status Unwatch(LocalContext& ctx, Args, Writer& reply) {
  std::unique_ptr<Transaction>& transaction = ctx.session().transaction;
  if (transaction != nullptr && !transaction->open()) transaction.reset();
  reply.Ok();
  return Status::Ok();
}

constexpr std::string_view kGroup = "transactions";
constexpr uint32_t kAlways = commands::kNoscript | kAnyTime;
constexpr uint32_t kQuick = kAlways | commands::kFast | commands::kAllowBusy;

constexpr CommandSpec WatchSpec() {
  CommandSpec spec;
  spec.name = "watch";
  spec.arity = -2;
  spec.flags = kQuick | commands::kWatches;
  spec.categories = commands::kAclTransaction;
  spec.keys = {1, -1, 1};
  spec.handler = Watch;
  spec.group = kGroup;
  spec.since = "2.2.0";
  spec.complexity = "O(1) for every key.";
  spec.summary = "Makes the next EXEC depend on keys that nobody changes until then.";
  spec.key_specs[0] = {{1, -1, 1}, commands::KeyAccess::kRO, 0};
  return spec;
}

constexpr CommandSpec kSpecs[] = {
    LocalSpec("discard", 1, kQuick | commands::kNeverQueued, commands::kAclTransaction, Discard,
              kGroup, "2.0.0", "O(N), when N is the number of queued commands",
              "Forgets the commands that were queued."),
    LocalSpec("exec", 1, kAlways | commands::kSkipSlowlog | commands::kExecutes,
              commands::kAclTransaction, ExecWithoutMulti, kGroup, "1.2.0",
              "Depends on commands in the transaction", "Runs the commands that were queued."),
    LocalSpec("multi", 1, kQuick | commands::kNeverQueued, commands::kAclTransaction, Multi, kGroup,
              "1.2.0", "O(1)", "Queues the commands that follow until EXEC."),
    LocalSpec("unwatch", 1, kQuick, commands::kAclTransaction, Unwatch, kGroup, "2.2.0", "O(1)",
              "Forgets the keys that are watched."),
    WatchSpec(),
};

}  // namespace

std::span<const CommandSpec> TransactionCommands() { return kSpecs; }

}  // namespace metastore::server
