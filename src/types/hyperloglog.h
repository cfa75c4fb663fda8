// HyperLogLogs: strings that estimate how many different elements were added to them, within 0.81 %
// as a rule. Their bytes are Redis's (grammar above the codec in hyperloglog.cc), so that values
// move between the two with GET and SET, and anything may be in a string that claims to be one.
//
// Unlike in Redis counting never writes: the count that a value carries is used where it is valid,
// which a value brought from Redis may have, and computed where it is not.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/txn.h"
#include "engine/view.h"

namespace metastore::types {

inline constexpr int kHllRegisters = 1 << 14;
using HllRegisters = std::array<uint8_t, kHllRegisters>;

// Where an element leaves its mark, and which: one more than the zeros that its hash ends with.
struct HllMark {
  int index = 0;  // of the register
  int rank = 0;   // 1..51
};
HllMark HllMarkOf(std::string_view element);

// Redis's hll-sparse-max-bytes: a sparse value that would become longer turns dense. It is part of
// what replicas must agree on, so no node may configure it.
inline constexpr size_t kHllSparseMaxBytes = 3000;

// All of them return kWrongType for another type, kNotHyperloglog for a string without a proper
// header, and kCorruptHyperloglog where they meet registers that make no sense. Nothing is done
// then.

// Whether the estimate may have changed; creates an absent key. An expiry stays.
Result<bool> AddToHyperloglog(engine::Txn& txn, int db, std::string_view key,
                              std::span<const std::string_view> elements);
// 0 when absent.
Result<uint64_t> CountHyperloglog(const engine::View& view, int db, std::string_view key);
// Of all elements of the keys together, computed anew.
Result<uint64_t> CountHyperloglogs(const engine::View& view, int db,
                                   std::span<const std::string_view> keys);
// Adds the sources to the target, which is created when absent and keeps its expiry. The target is
// dense when one of them was.
Status MergeHyperloglogs(engine::Txn& txn, int db, std::string_view target,
                         std::span<const std::string_view> sources);

// For PFDEBUG; kNotFound when absent.
Result<bool> IsDenseHyperloglog(const engine::View& view, int db, std::string_view key);
// The runs of a sparse one: "Z:100 v:3,1 z:2". Does not ask whether they make sense.
Result<std::string> HyperloglogRuns(const engine::View& view, int db, std::string_view key);
// False when it was dense.
Result<bool> MakeHyperloglogDense(engine::Txn& txn, int db, std::string_view key);
Result<HllRegisters> RegistersOfHyperloglog(const engine::View& view, int db, std::string_view key);

// Writes and reads registers, and counts known numbers of elements in both encodings; some tens of
// milliseconds. The message says what went wrong.
Status CheckHyperloglog();

}  // namespace metastore::types
