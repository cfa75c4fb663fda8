// The hyperloglog group. PFCOUNT is a read here: it computes what Redis would keep in the value.
#include <string>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "types/hyperloglog.h"

namespace metastore::commands {
namespace {

Status PfAdd(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<bool> changed = types::AddToHyperloglog(ctx.txn(), ctx.db(), args[1], args.subspan(2));
  if (!changed.ok()) return changed.status();
  if (*changed) Notify(ctx, engine::kNotifyString, "pfadd", args[1]);
  reply.Integer(*changed ? 1 : 0);
  return Status::Ok();
}

Status PfCount(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> count = args.size() == 2
                               ? types::CountHyperloglog(ctx.view(), ctx.db(), args[1])
                               : types::CountHyperloglogs(ctx.view(), ctx.db(), args.subspan(1));
  if (!count.ok()) return count.status();
  reply.Integer(static_cast<int64_t>(*count));
  return Status::Ok();
}

Status PfMerge(WriteContext& ctx, Args args, resp::Writer& reply) {
  RETURN_IF_ERROR(types::MergeHyperloglogs(ctx.txn(), ctx.db(), args[1], args.subspan(2)));
  Notify(ctx, engine::kNotifyString, "pfadd", args[1]);
  reply.Ok();
  return Status::Ok();
}

Status PfDebugGetReg(WriteContext& ctx, std::string_view key, resp::Writer& reply) {
  Result<bool> changed = types::MakeHyperloglogDense(ctx.txn(), ctx.db(), key);
  if (!changed.ok()) return changed.status();
  Result<types::HllRegisters> registers = types::RegistersOfHyperloglog(ctx.txn(), ctx.db(), key);
  if (!registers.ok()) return registers.status();
  reply.Array(registers->size());
  for (uint8_t rank : *registers) reply.Integer(rank);
  return Status::Ok();
}

Status PfDebug(WriteContext& ctx, Args args, resp::Writer& reply) {
  const std::string_view key = args[2];
  Result<bool> dense = types::IsDenseHyperloglog(ctx.txn(), ctx.db(), key);
  if (dense.code() == Code::kNotFound) {
    return errors::Custom("ERR The specified key does not exist");
  }
  if (!dense.ok()) return dense.status();
  if (EqualsIgnoreCase(args[1], "GETREG")) return PfDebugGetReg(ctx, key, reply);
  if (EqualsIgnoreCase(args[1], "DECODE")) {
    if (*dense) return errors::Custom("ERR HLL encoding is not sparse");
    Result<std::string> runs = types::HyperloglogRuns(ctx.txn(), ctx.db(), key);
    if (!runs.ok()) return runs.status();
    reply.Bulk(*runs);
    return Status::Ok();
  }
  if (EqualsIgnoreCase(args[1], "ENCODING")) {
    reply.SimpleString(*dense ? "dense" : "sparse");
    return Status::Ok();
  }
  if (EqualsIgnoreCase(args[1], "TODENSE")) {
    Result<bool> changed = types::MakeHyperloglogDense(ctx.txn(), ctx.db(), key);
    if (!changed.ok()) return changed.status();
    reply.Integer(*changed ? 1 : 0);
    return Status::Ok();
  }
  return errors::Custom("ERR Unknown PFDEBUG subcommand '" + std::string(args[1]) + "'");
}

Status PfSelfTest(server::LocalContext&, Args, resp::Writer& reply) {
  Status status = types::CheckHyperloglog();
  if (!status.ok()) return errors::Custom("TESTFAILED " + status.message());
  reply.Ok();
  return Status::Ok();
}

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, KeyRange keys,
                          Handler handler, std::string_view complexity, std::string_view summary,
                          KeySpec first, KeySpec second = {}) {
  return {name,          arity,   flags,      kAclHyperloglog, keys, handler,
          "hyperloglog", "2.8.9", complexity, summary,         {},   {first, second}};
}

constexpr KeyRange kFirst{1, 1, 1};
constexpr KeyRange kSecond{2, 2, 1};
constexpr KeyRange kAll{1, -1, 1};
constexpr KeyRange kFromSecond{2, -1, 1};

constexpr CommandSpec kTable[] = {
    Row("pfadd", -2, kWrite | kDenyOom | kFast, kFirst, PfAdd, "O(1) for each element.",
        "Adds elements to a HyperLogLog, which it creates when there is none.",
        {kFirst, KeyAccess::kRW, kKeyInsert}),
    Row("pfcount", -2, kReadonly, kAll, PfCount, "O(N) in the number of keys.",
        "Estimates how many different elements were added to HyperLogLogs.",
        {kAll, KeyAccess::kRW, kKeyAccess,
         "RW because it may change the internal representation of the key, and propagate to "
         "replicas"}),
    Row("pfmerge", -2, kWrite | kDenyOom, kAll, PfMerge, "O(N) in the number of keys.",
        "Merges HyperLogLogs into the first one.",
        {kFirst, KeyAccess::kRW, kKeyAccess | kKeyInsert},
        {kFromSecond, KeyAccess::kRO, kKeyAccess}),
    Row("pfdebug", 3, kWrite | kDenyOom | kAdmin, kSecond, PfDebug, "N/A",
        "Shows how a HyperLogLog is stored.", {kSecond, KeyAccess::kRW, kKeyAccess}),
    Row("pfselftest", 1, kAdmin, {}, PfSelfTest, "N/A",
        "Checks the implementation of HyperLogLogs.", {})};

}  // namespace

std::span<const CommandSpec> HyperloglogCommands() { return kTable; }

}  // namespace metastore::commands
