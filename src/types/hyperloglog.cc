#include "types/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "types/string.h"

namespace metastore::types {

using engine::Txn;
using engine::View;

// value    := "HYLL" encoding:u8 0:u8 × 3 count:le64 registers
// encoding := 0 dense, 1 sparse
// count    := as it was last computed; bit 63 set: no longer valid
//
// dense    := rank:6 bits × 16384              the lowest bit of a byte first
// sparse   := run...                           16384 registers together
// run      := 00llllll                         l + 1 registers of rank 0
//           | 01llllll llllllll                the same, the high bits first
//           | 1vvvvvll                         l + 1 registers of rank v + 1
//
// Which of several equivalent sparse forms is stored follows from the order in which registers were
// raised, exactly as in Redis.
namespace {

constexpr std::string_view kMagic = "HYLL";
constexpr size_t kEncodingAt = 4;
constexpr size_t kCountAt = 8;
constexpr size_t kHeaderBytes = 16;
constexpr char kDense = 0;
constexpr char kSparse = 1;
constexpr uint8_t kCountInvalid = 0x80;  // in the last byte of the count

constexpr int kIndexBits = 14;
constexpr int kHashBits = 64 - kIndexBits;  // those that make the rank
constexpr uint64_t kHashSeed = 0xadc83b19;

constexpr int kRankBits = 6;
constexpr unsigned kRankMask = (1 << kRankBits) - 1;
constexpr size_t kDenseBytes = kHeaderBytes + kHllRegisters * kRankBits / 8;

constexpr int kMaxShortZeros = 64;
constexpr int kMaxSparseRank = 32;
constexpr int kMaxValueRun = 4;
constexpr uint8_t kLongZerosTag = 0x40;
constexpr uint8_t kValueTag = 0x80;

// MurmurHash64A (Austin Appleby, public domain).
uint64_t Hash(std::string_view bytes) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  uint64_t hash = kHashSeed ^ bytes.size() * kMultiplier;
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    bytes.remove_prefix(sizeof word);
    word *= kMultiplier;
    word ^= word >> kShift;
    hash = (hash ^ word * kMultiplier) * kMultiplier;
  }
  if (!bytes.empty()) {
    uint64_t rest = 0;
    std::memcpy(&rest, bytes.data(), bytes.size());
    hash = (hash ^ rest) * kMultiplier;
  }
  hash = (hash ^ hash >> kShift) * kMultiplier;
  return hash ^ hash >> kShift;
}

// --- the estimate --------------------------------------------------------------------------------
// "New cardinality estimation algorithms for HyperLogLog sketches", Otmar Ertl, 2017: algorithm 6.
// The order of the operations is Redis's, so that the last digit is, too.

using Histogram = std::array<int, kRankMask + 1>;  // registers of each rank

// x + x^2 + 2 x^4 + 4 x^8 ...
double Sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double weight = 1;
  double sum = x;
  double before;
  do {
    x *= x;
    before = sum;
    sum += x * weight;
    weight += weight;
  } while (sum != before);
  return sum;
}

// (1 - x - (1 - x^1/2)^2 / 2 - (1 - x^1/4)^2 / 4 ...) / 3
double Tau(double x) {
  if (x == 0 || x == 1) return 0;
  double weight = 1;
  double sum = 1 - x;
  double before;
  do {
    x = std::sqrt(x);
    before = sum;
    weight *= 0.5;
    sum -= (1 - x) * (1 - x) * weight;
  } while (sum != before);
  return sum / 3;
}

uint64_t Estimate(const Histogram& histogram) {
  constexpr double kAlpha = 0.721347520444481703680;  // 1 / (2 ln 2)
  constexpr double kCount = kHllRegisters;
  double z = kCount * Tau((kCount - histogram[kHashBits + 1]) / kCount);
  for (size_t rank = kHashBits; rank >= 1; --rank) {
    z += histogram[rank];
    z *= 0.5;
  }
  z += kCount * Sigma(histogram[0] / kCount);
  return static_cast<uint64_t>(std::llround(kAlpha * kCount * kCount / z));
}

uint64_t EstimateOf(const HllRegisters& registers) {
  Histogram histogram{};
  for (uint8_t rank : registers) ++histogram[rank];
  return Estimate(histogram);
}

// --- runs of sparse registers --------------------------------------------------------------------

struct Run {
  int rank = 0;
  int length = 0;
  size_t bytes = 1;
};

// None where the bytes end.
std::optional<Run> ReadRun(std::string_view value, size_t at) {
  if (at >= value.size()) return std::nullopt;
  const uint8_t byte = static_cast<uint8_t>(value[at]);
  if (byte & kValueTag) return Run{(byte >> 2 & 0x1f) + 1, (byte & 3) + 1, 1};
  if (!(byte & kLongZerosTag)) return Run{0, byte + 1, 1};
  if (at + 1 >= value.size()) return std::nullopt;
  return Run{0, ((byte & 0x3f) << 8 | static_cast<uint8_t>(value[at + 1])) + 1, 2};
}

void AppendRun(std::string* out, int rank, int length) {
  if (length == 0) return;
  if (rank > 0) {
    out->push_back(static_cast<char>(kValueTag | (rank - 1) << 2 | (length - 1)));
  } else if (length <= kMaxShortZeros) {
    out->push_back(static_cast<char>(length - 1));
  } else {
    out->push_back(static_cast<char>(kLongZerosTag | (length - 1) >> 8));
    out->push_back(static_cast<char>((length - 1) & 0xff));
  }
}

// --- a value -------------------------------------------------------------------------------------

Status Corrupt() { return Status(Code::kCorruptHyperloglog); }

Status CheckHeader(std::string_view value) {
  const bool proper = value.size() >= kHeaderBytes && value.starts_with(kMagic) &&
                      (value[kEncodingAt] == kSparse ||
                       (value[kEncodingAt] == kDense && value.size() == kDenseBytes));
  return proper ? Status::Ok() : Status(Code::kNotHyperloglog);
}

bool IsDense(std::string_view value) { return value[kEncodingAt] == kDense; }

// A dense rank begins in one byte and may end in the next.
uint8_t DenseRank(std::string_view value, int index) {
  const size_t bit = static_cast<size_t>(index) * kRankBits;
  const size_t at = kHeaderBytes + bit / 8;
  unsigned two = static_cast<uint8_t>(value[at]);
  if (at + 1 < value.size()) two |= static_cast<unsigned>(static_cast<uint8_t>(value[at + 1])) << 8;
  return static_cast<uint8_t>(two >> bit % 8 & kRankMask);
}

void SetDenseRank(std::string* value, int index, int rank) {
  const size_t bit = static_cast<size_t>(index) * kRankBits;
  const size_t at = kHeaderBytes + bit / 8;
  const unsigned mask = kRankMask << bit % 8;
  const unsigned bits = static_cast<unsigned>(rank) << bit % 8;
  auto set = [value](size_t place, unsigned of, unsigned to) {
    const unsigned kept = static_cast<uint8_t>((*value)[place]) & ~of;
    (*value)[place] = static_cast<char>(kept | to);
  };
  set(at, mask & 0xff, bits & 0xff);
  if (mask >> 8 != 0) set(at + 1, mask >> 8, bits >> 8);
}

// Raises registers to those of a value.
Status RaiseTo(std::string_view value, HllRegisters* registers) {
  if (IsDense(value)) {
    for (int i = 0; i < kHllRegisters; ++i) {
      uint8_t& rank = (*registers)[static_cast<size_t>(i)];
      rank = std::max(rank, DenseRank(value, i));
    }
    return Status::Ok();
  }
  int index = 0;
  for (size_t at = kHeaderBytes; at < value.size();) {
    const std::optional<Run> run = ReadRun(value, at);
    if (!run || index + run->length > kHllRegisters) return Corrupt();
    for (int end = index + run->length; index < end; ++index) {
      uint8_t& rank = (*registers)[static_cast<size_t>(index)];
      rank = std::max(rank, static_cast<uint8_t>(run->rank));
    }
    at += run->bytes;
  }
  return index == kHllRegisters ? Status::Ok() : Corrupt();
}

// A value with a proper header, open for changes.
class Sketch {
 public:
  Sketch() : value_(kMagic) {
    value_.resize(kHeaderBytes, '\0');
    value_[kEncodingAt] = kSparse;
    AppendRun(&value_, 0, kHllRegisters);
  }
  explicit Sketch(std::string_view value) : value_(value) { CHECK(CheckHeader(value).ok()); }

  const std::string& value() const { return value_; }
  void InvalidateCount() {
    char& last = value_[kHeaderBytes - 1];
    last = static_cast<char>(static_cast<uint8_t>(last) | kCountInvalid);
  }

  // True when the register was lower.
  Result<bool> Raise(HllMark mark) {
    return IsDense(value_) ? RaiseDense(mark) : RaiseSparse(mark);
  }

  Status MakeDense() {
    if (IsDense(value_)) return Status::Ok();
    HllRegisters registers{};
    RETURN_IF_ERROR(RaiseTo(value_, &registers));
    value_.resize(kHeaderBytes);
    value_.resize(kDenseBytes, '\0');
    value_[kEncodingAt] = kDense;
    for (int i = 0; i < kHllRegisters; ++i) {
      const uint8_t rank = registers[static_cast<size_t>(i)];
      if (rank > 0) SetDenseRank(&value_, i, rank);
    }
    return Status::Ok();
  }

 private:
  bool RaiseDense(HllMark mark) {
    if (DenseRank(value_, mark.index) >= mark.rank) return false;
    SetDenseRank(&value_, mark.index, mark.rank);
    return true;
  }

  Result<bool> Promote(HllMark mark) {
    RETURN_IF_ERROR(MakeDense());
    return RaiseDense(mark);
  }

  Result<bool> RaiseSparse(HllMark mark) {
    if (mark.rank > kMaxSparseRank) return Promote(mark);
    // The run that holds the register, and the one before it.
    size_t before = kHeaderBytes;
    size_t at = kHeaderBytes;
    int first = 0;
    std::optional<Run> run;
    while ((run = ReadRun(value_, at)) && first + run->length <= mark.index) {
      first += run->length;
      before = at;
      at += run->bytes;
    }
    if (!run) return Corrupt();
    if (run->rank >= mark.rank) return false;

    std::string pieces;
    AppendRun(&pieces, run->rank, mark.index - first);
    AppendRun(&pieces, mark.rank, 1);
    AppendRun(&pieces, run->rank, first + run->length - 1 - mark.index);
    if (pieces.size() > run->bytes &&
        value_.size() + pieces.size() - run->bytes > kHllSparseMaxBytes) {
      return Promote(mark);
    }
    value_.replace(at, run->bytes, pieces);
    JoinRuns(before);
    return true;
  }

  // Joins neighbours of one rank from `at` on. Five steps reach what a change of one register left:
  // the run before it, three pieces and the run behind.
  void JoinRuns(size_t at) {
    for (int step = 0; step < 5; ++step) {
      const std::optional<Run> run = ReadRun(value_, at);
      if (!run) return;
      if (run->rank > 0) {
        const std::optional<Run> next = ReadRun(value_, at + 1);
        if (next && next->rank == run->rank && run->length + next->length <= kMaxValueRun) {
          std::string joined;
          AppendRun(&joined, run->rank, run->length + next->length);
          value_.replace(at, 2, joined);
          continue;
        }
      }
      at += run->bytes;
    }
  }

  std::string value_;
};

// --- keys ----------------------------------------------------------------------------------------

// kNotFound, kWrongType, kNotHyperloglog.
Result<Record> FindHyperloglog(const View& view, int db, std::string_view key) {
  Result<Record> found = FindString(view, db, key);
  if (!found.ok()) return found;
  RETURN_IF_ERROR(CheckHeader(found->payload()));
  return found;
}

Status CheckRecord(const Record& record) {
  if (record.header().type != Type::kString) return Status(Code::kWrongType);
  return CheckHeader(record.payload());
}

void Store(WritableKey* key, const Sketch& sketch) {
  key->Put(Type::kString, StringForm::kRaw,
           key->found() != nullptr ? key->found()->header().deadline_ms : std::nullopt,
           sketch.value());
}

// Raises registers to those of the key, if there is one.
Status RaiseToKey(const View& view, int db, std::string_view key, HllRegisters* registers,
                  bool* dense) {
  Result<Record> found = FindHyperloglog(view, db, key);
  if (found.code() == Code::kNotFound) return Status::Ok();
  if (!found.ok()) return found.status();
  *dense |= IsDense(found->payload());
  return RaiseTo(found->payload(), registers);
}

}  // namespace

HllMark HllMarkOf(std::string_view element) {
  const uint64_t hash = Hash(element);
  // The bit behind the hash's last ends the zeros in any case.
  const uint64_t rest = hash >> kIndexBits | uint64_t{1} << kHashBits;
  return {static_cast<int>(hash & (kHllRegisters - 1)), std::countr_zero(rest) + 1};
}

Result<bool> AddToHyperloglog(Txn& txn, int db, std::string_view key,
                              std::span<const std::string_view> elements) {
  WritableKey target(txn, db, key);
  bool changed = target.found() == nullptr;
  Sketch sketch;
  if (target.found() != nullptr) {
    RETURN_IF_ERROR(CheckRecord(*target.found()));
    sketch = Sketch(target.found()->payload());
  }
  for (std::string_view element : elements) {
    Result<bool> raised = sketch.Raise(HllMarkOf(element));
    if (!raised.ok()) return raised.status();
    changed |= *raised;
  }
  if (changed) {
    sketch.InvalidateCount();
    Store(&target, sketch);
  } else if (target.found()->header().form != StringForm::kRaw) {
    // What PFADD has had in its hands is raw.
    Store(&target, sketch);
  }
  return changed;
}

Result<uint64_t> CountHyperloglog(const View& view, int db, std::string_view key) {
  Result<Record> found = FindHyperloglog(view, db, key);
  if (found.code() == Code::kNotFound) return uint64_t{0};
  if (!found.ok()) return found.status();
  const std::string_view value = found->payload();
  if (!(static_cast<uint8_t>(value[kHeaderBytes - 1]) & kCountInvalid)) {
    uint64_t count = 0;
    for (size_t i = kHeaderBytes; i-- > kCountAt;) {
      count = count << 8 | static_cast<uint8_t>(value[i]);
    }
    return count;
  }
  HllRegisters registers{};
  RETURN_IF_ERROR(RaiseTo(value, &registers));
  return EstimateOf(registers);
}

Result<uint64_t> CountHyperloglogs(const View& view, int db,
                                   std::span<const std::string_view> keys) {
  HllRegisters registers{};
  bool dense = false;
  for (std::string_view key : keys) RETURN_IF_ERROR(RaiseToKey(view, db, key, &registers, &dense));
  return EstimateOf(registers);
}

Status MergeHyperloglogs(Txn& txn, int db, std::string_view target,
                         std::span<const std::string_view> sources) {
  HllRegisters registers{};
  bool dense = false;
  RETURN_IF_ERROR(RaiseToKey(txn, db, target, &registers, &dense));
  const HllRegisters old = registers;
  for (std::string_view source : sources) {
    RETURN_IF_ERROR(RaiseToKey(txn, db, source, &registers, &dense));
  }
  WritableKey key(txn, db, target);
  Sketch sketch;
  if (key.found() != nullptr) sketch = Sketch(key.found()->payload());
  if (dense) RETURN_IF_ERROR(sketch.MakeDense());
  for (int i = 0; i < kHllRegisters; ++i) {
    const uint8_t rank = registers[static_cast<size_t>(i)];
    if (rank == old[static_cast<size_t>(i)]) continue;
    Result<bool> raised = sketch.Raise({i, rank});
    if (!raised.ok()) return raised.status();
  }
  sketch.InvalidateCount();
  Store(&key, sketch);
  return Status::Ok();
}

Result<bool> IsDenseHyperloglog(const View& view, int db, std::string_view key) {
  Result<Record> found = FindHyperloglog(view, db, key);
  if (!found.ok()) return found.status();
  return IsDense(found->payload());
}

Result<std::string> HyperloglogRuns(const View& view, int db, std::string_view key) {
  Result<Record> found = FindHyperloglog(view, db, key);
  if (!found.ok()) return found.status();
  const std::string_view value = found->payload();
  CHECK(!IsDense(value));
  std::string text;
  size_t at = kHeaderBytes;
  while (const std::optional<Run> run = ReadRun(value, at)) {
    if (!text.empty()) text += ' ';
    if (run->rank > 0) {
      text += "v:" + std::to_string(run->rank) + ',' + std::to_string(run->length);
    } else {
      text += (run->bytes == 1 ? "z:" : "Z:") + std::to_string(run->length);
    }
    at += run->bytes;
  }
  return text;
}

Result<bool> MakeHyperloglogDense(Txn& txn, int db, std::string_view key) {
  WritableKey target(txn, db, key);
  if (target.found() == nullptr) return Status::NotFound();
  RETURN_IF_ERROR(CheckRecord(*target.found()));
  if (IsDense(target.found()->payload())) return false;
  Sketch sketch(target.found()->payload());
  RETURN_IF_ERROR(sketch.MakeDense());
  Store(&target, sketch);
  return true;
}

Result<HllRegisters> RegistersOfHyperloglog(const View& view, int db, std::string_view key) {
  Result<Record> found = FindHyperloglog(view, db, key);
  if (!found.ok()) return found.status();
  HllRegisters registers{};
  RETURN_IF_ERROR(RaiseTo(found->payload(), &registers));
  return registers;
}

// --- the check of itself -------------------------------------------------------------------------

namespace {

Status CheckDenseRegisters() {
  constexpr int kRounds = 20;
  Random random(1);
  Sketch sketch;
  CHECK_OK(sketch.MakeDense());
  std::string value = sketch.value();
  HllRegisters expected{};
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kHllRegisters; ++i) {
      uint8_t& rank = expected[static_cast<size_t>(i)];
      rank = static_cast<uint8_t>(random.Uniform(kRankMask + 1));
      SetDenseRank(&value, i, rank);
    }
    HllRegisters found{};
    RETURN_IF_ERROR(RaiseTo(value, &found));
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i] == expected[i]) continue;
      return Status::Corruption("Register " + std::to_string(i) + " should be " +
                                std::to_string(expected[i]) + " but is " +
                                std::to_string(found[i]));
    }
  }
  return Status::Ok();
}

Status CheckEstimates() {
  constexpr uint64_t kElements = 100'000;
  constexpr double kStandardError = 1.04 / 128;  // 1.04 / sqrt(registers)
  Sketch either;
  Sketch dense;
  CHECK_OK(dense.MakeDense());
  uint64_t checkpoint = 1;
  for (uint64_t added = 1; added <= kElements; ++added) {
    std::string_view element(reinterpret_cast<const char*>(&added), sizeof added);
    const HllMark mark = HllMarkOf(element);
    Result<bool> a = either.Raise(mark);
    Result<bool> b = dense.Raise(mark);
    if (!a.ok() || !b.ok() || *a != *b) {
      return Status::Corruption("The encodings differ after " + std::to_string(added) +
                                " elements");
    }
    if (added != checkpoint) continue;
    checkpoint *= 10;
    HllRegisters registers{};
    HllRegisters dense_registers{};
    RETURN_IF_ERROR(RaiseTo(either.value(), &registers));
    RETURN_IF_ERROR(RaiseTo(dense.value(), &dense_registers));
    const uint64_t count = EstimateOf(registers);
    const double error = std::abs(static_cast<double>(count) - static_cast<double>(added));
    // Of ten elements one may share a register.
    const double tolerated =
        std::max(4 * kStandardError * static_cast<double>(added), added == 10 ? 1.0 : 0.0);
    if (registers != dense_registers || error > tolerated) {
      return Status::Corruption("Too big error. card:" + std::to_string(added) +
                                " estimate:" + std::to_string(count));
    }
  }
  return Status::Ok();
}

}  // namespace

Status CheckHyperloglog() {
  RETURN_IF_ERROR(CheckDenseRegisters());
  return CheckEstimates();
}

}  // namespace metastore::types
