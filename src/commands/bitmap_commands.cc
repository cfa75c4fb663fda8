// The bitmap group. As in Redis some commands look at the key before their arguments, so that an
// absent key answers also where an argument is wrong.
#include <optional>
#include <vector>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "types/bitmap.h"

namespace metastore::commands {
namespace {

using types::BitfieldOperation;
using types::BitfieldOverflow;
using types::BitUnit;
using types::Record;

Status BadBitOffset() { return errors::Custom("ERR bit offset is not an integer or out of range"); }

Result<uint64_t> ParseBitOffset(std::string_view text) {
  int64_t offset;
  if (!ParseInt64(text, &offset) || offset < 0 ||
      static_cast<uint64_t>(offset) >= types::kMaxBits) {
    return BadBitOffset();
  }
  return static_cast<uint64_t>(offset);
}

Status SetBit(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> offset = ParseBitOffset(args[2]);
  if (!offset.ok()) return offset.status();
  int64_t bit;
  if (!ParseInt64(args[3], &bit) || bit < 0 || bit > 1) {
    return errors::Custom("ERR bit is not an integer or out of range");
  }
  Result<bool> old = types::SetBit(ctx.txn(), ctx.db(), args[1], *offset, bit == 1);
  if (!old.ok()) return old.status();
  reply.Integer(*old ? 1 : 0);
  return Status::Ok();
}

Status GetBit(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<uint64_t> offset = ParseBitOffset(args[2]);
  if (!offset.ok()) return offset.status();
  Result<Record> found = types::FindString(ctx.view(), ctx.db(), args[1]);
  if (!found.ok() && found.code() != Code::kNotFound) return found.status();
  reply.Integer(found.ok() && types::BitAt(found->payload(), *offset) ? 1 : 0);
  return Status::Ok();
}

Status ParseUnit(std::string_view text, BitUnit* unit) {
  if (EqualsIgnoreCase(text, "BIT")) {
    *unit = BitUnit::kBit;
  } else if (EqualsIgnoreCase(text, "BYTE")) {
    *unit = BitUnit::kByte;
  } else {
    return Status(Code::kSyntax);
  }
  return Status::Ok();
}

Status BitCount(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<Record> found = types::FindString(ctx.view(), ctx.db(), args[1]);
  if (found.code() == Code::kNotFound) {
    reply.Integer(0);
    return Status::Ok();
  }
  if (!found.ok()) return found.status();
  types::BitRange range;
  if (args.size() == 4 || args.size() == 5) {
    if (!ParseInt64(args[2], &range.start) || !ParseInt64(args[3], &range.end)) {
      return Status(Code::kNotInteger);
    }
    // Also where cutting to the string would leave a bit; and whatever the unit is.
    if (range.start < 0 && range.end < 0 && range.start > range.end) {
      reply.Integer(0);
      return Status::Ok();
    }
    if (args.size() == 5) RETURN_IF_ERROR(ParseUnit(args[4], &range.unit));
  } else if (args.size() != 2) {
    return Status(Code::kSyntax);
  }
  reply.Integer(static_cast<int64_t>(types::CountBits(found->payload(), range)));
  return Status::Ok();
}

Status BitPos(ReadContext& ctx, Args args, resp::Writer& reply) {
  int64_t bit;
  if (!ParseInt64(args[2], &bit)) return Status(Code::kNotInteger);
  if (bit != 0 && bit != 1) return errors::Custom("ERR The bit argument must be 1 or 0.");
  Result<Record> found = types::FindString(ctx.view(), ctx.db(), args[1]);
  if (found.code() == Code::kNotFound) {
    reply.Integer(bit == 1 ? -1 : 0);
    return Status::Ok();
  }
  if (!found.ok()) return found.status();
  types::BitRange range;
  if (args.size() > 6) return Status(Code::kSyntax);
  if (args.size() > 3 && !ParseInt64(args[3], &range.start)) return Status(Code::kNotInteger);
  if (args.size() > 5) RETURN_IF_ERROR(ParseUnit(args[5], &range.unit));
  const bool open_end = args.size() < 5;
  if (!open_end && !ParseInt64(args[4], &range.end)) return Status(Code::kNotInteger);

  const std::string_view value = found->payload();
  const std::optional<uint64_t> position = types::FindBit(value, bit == 1, range);
  if (position) {
    reply.Integer(static_cast<int64_t>(*position));
  } else if (bit == 0 && open_end && !types::IsEmptyRange(value, range)) {
    // Zeros follow the string, unless the client said where to stop.
    reply.Integer(static_cast<int64_t>(value.size()) * 8);
  } else {
    reply.Integer(-1);
  }
  return Status::Ok();
}

Status BitOp(WriteContext& ctx, Args args, resp::Writer& reply) {
  types::BitOperation operation;
  if (EqualsIgnoreCase(args[1], "AND")) {
    operation = types::BitOperation::kAnd;
  } else if (EqualsIgnoreCase(args[1], "OR")) {
    operation = types::BitOperation::kOr;
  } else if (EqualsIgnoreCase(args[1], "XOR")) {
    operation = types::BitOperation::kXor;
  } else if (EqualsIgnoreCase(args[1], "NOT")) {
    operation = types::BitOperation::kNot;
    if (args.size() != 4) {
      return errors::Custom("ERR BITOP NOT must be called with a single source key.");
    }
  } else {
    return Status(Code::kSyntax);
  }
  StoreNotice notice(ctx, args[2]);
  Result<uint64_t> length =
      types::CombineBits(ctx.txn(), ctx.db(), operation, args[2], args.subspan(3));
  if (!length.ok()) return length.status();
  notice.Tell(engine::kNotifyString, "set", *length == 0);
  reply.Integer(static_cast<int64_t>(*length));
  return Status::Ok();
}

// "u8", "i64".
Status ParseFieldType(std::string_view text, BitfieldOperation* operation) {
  const bool is_signed = !text.empty() && text[0] == 'i';
  const bool is_unsigned = !text.empty() && text[0] == 'u';
  int64_t bits;
  if ((!is_signed && !is_unsigned) || !ParseInt64(text.substr(1), &bits) || bits < 1 ||
      bits > (is_signed ? 64 : 63)) {
    return errors::Custom(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
        "i64 is.");
  }
  operation->is_signed = is_signed;
  operation->bits = static_cast<int>(bits);
  return Status::Ok();
}

// "100", or "#5" for the sixth field of the type's width.
Status ParseFieldOffset(std::string_view text, BitfieldOperation* operation) {
  const bool in_fields = !text.empty() && text[0] == '#';
  int64_t offset;
  if (!ParseInt64(text.substr(in_fields ? 1 : 0), &offset)) return BadBitOffset();
  uint64_t bits = static_cast<uint64_t>(offset);
  // Wraps, as in Redis.
  if (in_fields) bits *= static_cast<uint64_t>(operation->bits);
  if (bits >= types::kMaxBits) return BadBitOffset();
  operation->offset = bits;
  return Status::Ok();
}

Result<std::vector<BitfieldOperation>> ParseBitfield(Args args) {
  std::vector<BitfieldOperation> operations;
  BitfieldOverflow overflow = BitfieldOverflow::kWrap;
  for (size_t i = 2; i < args.size();) {
    const size_t more = args.size() - i - 1;
    BitfieldOperation operation;
    if (EqualsIgnoreCase(args[i], "GET") && more >= 2) {
      operation.kind = BitfieldOperation::Kind::kGet;
    } else if (EqualsIgnoreCase(args[i], "SET") && more >= 3) {
      operation.kind = BitfieldOperation::Kind::kSet;
    } else if (EqualsIgnoreCase(args[i], "INCRBY") && more >= 3) {
      operation.kind = BitfieldOperation::Kind::kIncrement;
    } else if (EqualsIgnoreCase(args[i], "OVERFLOW") && more >= 1) {
      if (EqualsIgnoreCase(args[i + 1], "WRAP")) {
        overflow = BitfieldOverflow::kWrap;
      } else if (EqualsIgnoreCase(args[i + 1], "SAT")) {
        overflow = BitfieldOverflow::kSaturate;
      } else if (EqualsIgnoreCase(args[i + 1], "FAIL")) {
        overflow = BitfieldOverflow::kFail;
      } else {
        return errors::Custom("ERR Invalid OVERFLOW type specified");
      }
      i += 2;
      continue;
    } else {
      return Status(Code::kSyntax);
    }
    operation.overflow = overflow;
    RETURN_IF_ERROR(ParseFieldType(args[i + 1], &operation));
    RETURN_IF_ERROR(ParseFieldOffset(args[i + 2], &operation));
    i += 3;
    if (operation.kind != BitfieldOperation::Kind::kGet) {
      if (!ParseInt64(args[i++], &operation.operand)) return Status(Code::kNotInteger);
    }
    operations.push_back(operation);
  }
  return operations;
}

Status ReplyFields(const Result<types::BitfieldResults>& results, resp::Writer& reply) {
  if (!results.ok()) return results.status();
  reply.Array(results->size());
  for (const std::optional<int64_t>& result : *results) {
    result ? reply.Integer(*result) : reply.Null();
  }
  return Status::Ok();
}

Status Bitfield(WriteContext& ctx, Args args, resp::Writer& reply) {
  Result<std::vector<BitfieldOperation>> operations = ParseBitfield(args);
  if (!operations.ok()) return operations.status();
  return ReplyFields(types::ApplyBitfield(ctx.txn(), ctx.db(), args[1], *operations), reply);
}

Status BitfieldReadOnly(ReadContext& ctx, Args args, resp::Writer& reply) {
  Result<std::vector<BitfieldOperation>> operations = ParseBitfield(args);
  if (!operations.ok()) return operations.status();
  for (const BitfieldOperation& operation : *operations) {
    if (operation.kind != BitfieldOperation::Kind::kGet) {
      return errors::Custom("ERR BITFIELD_RO only supports the GET subcommand");
    }
  }
  return ReplyFields(types::ReadBitfield(ctx.view(), ctx.db(), args[1], *operations), reply);
}

constexpr KeyRange kFirst{1, 1, 1};

constexpr CommandSpec Row(std::string_view name, int arity, uint32_t flags, Handler handler,
                          KeySpec keys, std::string_view since, std::string_view complexity,
                          std::string_view summary) {
  return {name,     arity, flags,      kAclBitmap, keys.range, handler,
          "bitmap", since, complexity, summary,    {},         {keys, {}}};
}

// BITFIELD only reads where all that it does is GET.
std::vector<KeyUse> FindBitfieldKeys(Args args) {
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t left = args.size() - i - 1;
    if (EqualsIgnoreCase(args[i], "GET") && left >= 2) {
      i += 2;
    } else if (EqualsIgnoreCase(args[i], "OVERFLOW") && left >= 1) {
      ++i;
    } else {
      return {{1, KeyAccess::kRW, kKeyAccess | kKeyUpdate}};
    }
  }
  return {{1, KeyAccess::kRO, kKeyAccess}};
}

constexpr CommandSpec BitfieldRow() {
  CommandSpec row =
      Row("bitfield", -2, kWrite | kDenyOom, Bitfield,
          {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate | kKeyVariableFlags,
           "This command allows both access and modification of the key"},
          "3.2.0", "O(1) for each field that is read, and O(N) in the new value if one is written.",
          "Reads, sets and increments integers of any width within a string.");
  row.find_keys = FindBitfieldKeys;
  return row;
}

constexpr CommandSpec kTable[] = {
    Row("setbit", 4, kWrite | kDenyOom, SetBit, {kFirst, KeyAccess::kRW, kKeyAccess | kKeyUpdate},
        "2.2.0", "O(N) in the length of the new value.",
        "Sets or clears a bit of a string and returns the one before it."),
    Row("getbit", 3, kReadonly | kFast, GetBit, {kFirst, KeyAccess::kRO, kKeyAccess}, "2.2.0",
        "O(1)", "Returns a bit of a string."),
    BitfieldRow(),
    Row("bitfield_ro", -2, kReadonly | kFast, BitfieldReadOnly,
        {kFirst, KeyAccess::kRO, kKeyAccess}, "6.0.0", "O(1) for each field.",
        "Reads integers of any width within a string."),
    {"bitop",
     -4,
     kWrite | kDenyOom,
     kAclBitmap,
     {2, -1, 1},
     BitOp,
     "bitmap",
     "2.6.0",
     "O(N) in the bytes of all strings.",
     "Stores the bitwise AND, OR, XOR or NOT of strings.",
     {},
     {{{2, 2, 1}, KeyAccess::kOW, kKeyUpdate}, {{3, -1, 1}, KeyAccess::kRO, kKeyAccess}}},
    Row("bitcount", -2, kReadonly, BitCount, {kFirst, KeyAccess::kRO, kKeyAccess}, "2.6.0",
        "O(N) in the bytes counted.", "Counts the bits of a string that are set."),
    Row("bitpos", -3, kReadonly, BitPos, {kFirst, KeyAccess::kRO, kKeyAccess}, "2.8.7",
        "O(N) in the bytes looked at.", "Finds the first bit of a string that is set, or clear.")};

}  // namespace

std::span<const CommandSpec> BitmapCommands() { return kTable; }

}  // namespace metastore::commands
