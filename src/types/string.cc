#include "types/string.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/parse.h"

namespace metastore::types {

using engine::Txn;
using engine::View;

namespace {

constexpr size_t kMaxEmbeddedBytes = 44;
constexpr int64_t kSharedIntegers = 10000;

Status CheckString(const Record* record) {
  if (record != nullptr && record->header().type != Type::kString) {
    return Status(Code::kWrongType);
  }
  return Status::Ok();
}

std::optional<int64_t> DeadlineOf(const Record* record) {
  return record != nullptr ? record->header().deadline_ms : std::nullopt;
}

Status CheckLength(uint64_t length, uint64_t more) {
  if (length > kMaxStringBytes || more > kMaxStringBytes || length + more > kMaxStringBytes) {
    return Status(Code::kStringTooLong);
  }
  return Status::Ok();
}

}  // namespace

Result<Record> FindString(const View& view, int db, std::string_view key) {
  std::optional<Record> record = Find(view, db, key);
  if (!record) return Status::NotFound();
  RETURN_IF_ERROR(CheckString(&*record));
  return std::move(*record);
}

std::string_view StringEncoding(const Record& record) {
  int64_t number;
  StringForm form = record.header().form;
  if (form == StringForm::kPlain && ParseInt64(record.payload(), &number)) return "int";
  if (form == StringForm::kRaw || record.payload().size() > kMaxEmbeddedBytes) return "raw";
  return "embstr";
}

int64_t StringReferenceCount(const Record& record) {
  int64_t number;
  bool shared = record.header().form == StringForm::kPlain &&
                ParseInt64(record.payload(), &number) && number >= 0 && number < kSharedIntegers;
  return shared ? INT32_MAX : 1;
}

std::string_view Substring(std::string_view value, int64_t start, int64_t end) {
  if (start < 0 && end < 0 && start > end) return {};
  const int64_t size = static_cast<int64_t>(value.size());
  if (start < 0) start = std::max<int64_t>(start + size, 0);
  if (end < 0) end = std::max<int64_t>(end + size, 0);
  end = std::min(end, size - 1);
  if (start > end) return {};
  return value.substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1));
}

Result<SetOutcome> SetString(Txn& txn, int db, std::string_view key, std::string_view value,
                             const SetOptions& options) {
  WritableKey target(txn, db, key);
  SetOutcome outcome;
  if (options.want_old) {
    RETURN_IF_ERROR(CheckString(target.found()));
    if (target.found() != nullptr) outcome.old.emplace(target.found()->payload());
  }
  bool present = target.found() != nullptr;
  if (options.condition == SetCondition::kIfAbsent && present) return outcome;
  if (options.condition == SetCondition::kIfPresent && !present) return outcome;
  target.PutString(value, options.keep_deadline ? DeadlineOf(target.found()) : options.deadline_ms);
  outcome.stored = true;
  return outcome;
}

Result<std::string> TakeString(Txn& txn, int db, std::string_view key) {
  WritableKey target(txn, db, key);
  if (target.found() == nullptr) return Status::NotFound();
  RETURN_IF_ERROR(CheckString(target.found()));
  std::string value(target.found()->payload());
  target.Delete();
  return value;
}

Result<uint64_t> AppendString(Txn& txn, int db, std::string_view key, std::string_view bytes) {
  WritableKey target(txn, db, key);
  if (target.found() == nullptr) {
    target.PutString(bytes);
    return bytes.size();
  }
  RETURN_IF_ERROR(CheckString(target.found()));
  std::string_view old = target.found()->payload();
  RETURN_IF_ERROR(CheckLength(old.size(), bytes.size()));
  std::string value;
  value.reserve(old.size() + bytes.size());
  value.append(old).append(bytes);
  target.Put(Type::kString, StringForm::kRaw, DeadlineOf(target.found()), value);
  return value.size();
}

Result<uint64_t> OverwriteString(Txn& txn, int db, std::string_view key, uint64_t offset,
                                 std::string_view bytes) {
  WritableKey target(txn, db, key);
  RETURN_IF_ERROR(CheckString(target.found()));
  std::string_view old = target.found() != nullptr ? target.found()->payload() : "";
  if (bytes.empty()) return old.size();
  RETURN_IF_ERROR(CheckLength(offset, bytes.size()));
  std::string value(old);
  value.resize(std::max<uint64_t>(value.size(), offset + bytes.size()), '\0');
  std::copy(bytes.begin(), bytes.end(), value.begin() + static_cast<ptrdiff_t>(offset));
  target.Put(Type::kString, StringForm::kRaw, DeadlineOf(target.found()), value);
  return value.size();
}

Result<int64_t> IncrementString(Txn& txn, int db, std::string_view key, int64_t delta) {
  WritableKey target(txn, db, key);
  RETURN_IF_ERROR(CheckString(target.found()));
  int64_t value = 0;
  if (target.found() != nullptr && !ParseInt64(target.found()->payload(), &value)) {
    return Status(Code::kNotInteger);
  }
  if (__builtin_add_overflow(value, delta, &value)) return Status(Code::kOverflow);
  target.PutString(FormatInt64(value), DeadlineOf(target.found()));
  return value;
}

Result<std::string> IncrementStringByFloat(Txn& txn, int db, std::string_view key,
                                           std::string_view delta) {
  WritableKey target(txn, db, key);
  RETURN_IF_ERROR(CheckString(target.found()));
  long double value = 0;
  long double increment = 0;
  if (target.found() != nullptr && !ParseLongDouble(target.found()->payload(), &value)) {
    return Status(Code::kNotFloat);
  }
  if (!ParseLongDouble(delta, &increment)) return Status(Code::kNotFloat);
  value += increment;
  if (std::isnan(value) || std::isinf(value)) return Status(Code::kNanOrInfinity);
  std::string text = FormatLongDouble(value);
  target.Put(Type::kString, StringForm::kNoInteger, DeadlineOf(target.found()), text);
  return text;
}

Result<CommonSubsequence> LongestCommonSubsequence(std::string_view a, std::string_view b,
                                                   bool length_only) {
  CommonSubsequence result;
  const uint64_t cells = (uint64_t{a.size()} + 1) * (uint64_t{b.size()} + 1);
  if (cells * sizeof(uint32_t) > kMaxStringBytes) return Status(Code::kNoSpace);
  if (a.empty() || b.empty()) return result;
  const uint32_t a_size = static_cast<uint32_t>(a.size());
  const uint32_t b_size = static_cast<uint32_t>(b.size());

  // row[j] is the length for a's first i bytes and b's first j. The way back only asks, where the
  // bytes differ, which neighbour is greater: the one with a byte of a less (bit set) or of b.
  std::vector<uint32_t> row(size_t{b_size} + 1, 0);
  std::vector<bool> shorten_a(length_only ? 0 : size_t{a_size} * b_size);
  for (uint32_t i = 0; i < a_size; ++i) {
    uint32_t diagonal = 0;
    for (uint32_t j = 0; j < b_size; ++j) {
      uint32_t above = row[j + 1];
      uint32_t left = row[j];
      if (a[i] == b[j]) {
        row[j + 1] = diagonal + 1;
      } else {
        row[j + 1] = std::max(above, left);
        if (!length_only && above > left) shorten_a[size_t{i} * b_size + j] = true;
      }
      diagonal = above;
    }
  }
  result.length = row[b_size];
  if (length_only) return result;

  // From the ends back. A run closes where the walk leaves the diagonal or reaches a start.
  result.text.resize(result.length);
  uint32_t left_to_write = result.length;
  std::optional<CommonRun> run;
  auto close = [&] {
    if (run) result.runs.push_back(*run);
    run.reset();
  };
  uint32_t i = a_size;
  uint32_t j = b_size;
  while (i > 0 && j > 0) {
    if (a[i - 1] == b[j - 1]) {
      --i;
      --j;
      result.text[--left_to_write] = a[i];
      if (!run) run = CommonRun{i, i, j, j};
      run->a_start = i;
      run->b_start = j;
    } else {
      close();
      if (shorten_a[size_t{i - 1} * b_size + (j - 1)]) {
        --i;
      } else {
        --j;
      }
    }
  }
  close();
  return result;
}

}  // namespace metastore::types
