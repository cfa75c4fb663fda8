#include "types/compact_forms.h"

#include <cstring>

#include "base/check.h"
#include "base/format.h"
#include "base/parse.h"

namespace metastore::types {
namespace {

constexpr unsigned char kEnd = 0xff;
constexpr size_t kListpackHead = 6;
constexpr size_t kZiplistHead = 10;
constexpr uint16_t kUnknownCount = 65535;

// Little-endian, the sign filled up.
int64_t ReadInteger(const char* bytes, size_t width) {
  uint64_t value = 0;
  std::memcpy(&value, bytes, width);
  const int unused = static_cast<int>(64 - 8 * width);
  return unused == 64 ? 0 : static_cast<int64_t>(value << unused) >> unused;
}

uint64_t ReadLittle(std::string_view bytes, size_t at, size_t width) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, width);
  return value;
}

void AppendLittle(std::string* out, uint64_t value, size_t width) {
  out->append(reinterpret_cast<const char*>(&value), width);
}

// A cursor over bytes of any origin.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  bool Byte(uint8_t* value) {
    if (left() == 0) return false;
    *value = static_cast<uint8_t>(bytes_[at_++]);
    return true;
  }
  bool Take(size_t size, std::string_view* taken) {
    if (size > left()) return false;
    *taken = bytes_.substr(at_, size);
    at_ += size;
    return true;
  }
  bool Skip(size_t size) {
    std::string_view skipped;
    return Take(size, &skipped);
  }
  bool Little(size_t width, uint64_t* value) {
    if (width > left()) return false;
    *value = ReadLittle(bytes_, at_, width);
    at_ += width;
    return true;
  }
  bool Big(size_t width, uint64_t* value) {
    if (width > left()) return false;
    *value = 0;
    for (; width > 0; --width) *value = *value << 8 | static_cast<unsigned char>(bytes_[at_++]);
    return true;
  }

 private:
  const std::string_view bytes_;
  size_t at_ = 0;
};

using Out = TakenElements;

bool AddInteger(int64_t value, Out* out) {
  out->owned.push_back(FormatInt64(value));
  return out->Add(out->owned.back());
}

bool TakeIntegerOf(size_t width, Bytes* in, Out* out) {
  std::string_view bytes;
  if (!in->Take(width, &bytes)) return false;
  return AddInteger(ReadInteger(bytes.data(), width), out);
}

bool TakeStringOf(uint64_t size, Bytes* in, Out* out) {
  std::string_view bytes;
  return in->Take(size, &bytes) && out->Add(bytes);
}

size_t BackLengthBytes(size_t length) {
  if (length <= 127) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  return length < 268435455 ? 4 : 5;
}

// Seven bits a byte, the highest first; all but the first byte have the top bit.
void AppendBackLength(size_t length, std::string* out) {
  const size_t bytes = BackLengthBytes(length);
  for (size_t i = bytes; i-- > 0;) {
    const auto part = static_cast<unsigned char>(length >> (7 * i) & 127);
    out->push_back(static_cast<char>(i + 1 == bytes ? part : part | 128));
  }
}

bool TakeListpackEntry(uint8_t head, Bytes* in, Out* out) {
  if ((head & 0x80) == 0) return AddInteger(head, out);
  if ((head & 0xc0) == 0x80) return TakeStringOf(head & 0x3f, in, out);
  uint8_t low;
  uint64_t size;
  if ((head & 0xe0) == 0xc0) {
    if (!in->Byte(&low)) return false;
    const int value = (head & 0x1f) << 8 | low;
    return AddInteger(value >= 1 << 12 ? value - (1 << 13) : value, out);
  }
  if ((head & 0xf0) == 0xe0) {
    if (!in->Byte(&low)) return false;
    return TakeStringOf(static_cast<uint64_t>(head & 0x0f) << 8 | low, in, out);
  }
  switch (head) {
    case 0xf0:
      return in->Little(4, &size) && TakeStringOf(size, in, out);
    case 0xf1:
      return TakeIntegerOf(2, in, out);
    case 0xf2:
      return TakeIntegerOf(3, in, out);
    case 0xf3:
      return TakeIntegerOf(4, in, out);
    case 0xf4:
      return TakeIntegerOf(8, in, out);
    default:
      return false;
  }
}

bool TakeZiplistEntry(uint8_t head, Bytes* in, Out* out) {
  uint64_t size;
  switch (head >> 6) {
    case 0:
      return TakeStringOf(head & 0x3f, in, out);
    case 1:
      return in->Big(1, &size) && TakeStringOf(uint64_t{head & 0x3fu} << 8 | size, in, out);
    case 2:
      return in->Big(4, &size) && TakeStringOf(size, in, out);
    default:
      break;
  }
  switch (head) {
    case 0xc0:
      return TakeIntegerOf(2, in, out);
    case 0xd0:
      return TakeIntegerOf(4, in, out);
    case 0xe0:
      return TakeIntegerOf(8, in, out);
    case 0xf0:
      return TakeIntegerOf(3, in, out);
    case 0xfe:
      return TakeIntegerOf(1, in, out);
    default:
      return head >= 0xf1 && head <= 0xfd && AddInteger(head - 0xf1, out);
  }
}

bool TakeZipmapLength(Bytes* in, uint64_t* length) {
  uint8_t first;
  if (!in->Byte(&first) || first == kEnd) return false;
  *length = first;
  return first < 254 || in->Little(4, length);
}

}  // namespace

bool TakenElements::Spend(uint64_t bytes) {
  if (bytes_left < 0 || bytes > static_cast<uint64_t>(bytes_left)) {
    bytes_left = -1;
    return false;
  }
  bytes_left -= static_cast<int64_t>(bytes);
  return true;
}

bool ReadListpack(std::string_view bytes, TakenElements* out) {
  if (bytes.size() < kListpackHead + 1) return false;
  if (ReadLittle(bytes, 0, 4) != bytes.size()) return false;
  const uint64_t announced = ReadLittle(bytes, 4, 2);
  Bytes in(bytes);
  in.Skip(kListpackHead);
  uint64_t count = 0;
  for (;; ++count) {
    const size_t start = in.at();
    uint8_t head;
    if (!in.Byte(&head)) return false;
    if (head == kEnd) break;
    if (!TakeListpackEntry(head, &in, out)) return false;
    std::string expected;
    AppendBackLength(in.at() - start, &expected);
    std::string_view back;
    if (!in.Take(expected.size(), &back) || back != expected) return false;
  }
  return in.left() == 0 && (announced == kUnknownCount || announced == count);
}

bool ReadZiplist(std::string_view bytes, TakenElements* out) {
  if (bytes.size() < kZiplistHead + 1) return false;
  if (ReadLittle(bytes, 0, 4) != bytes.size()) return false;
  const uint64_t tail = ReadLittle(bytes, 4, 4);
  const uint64_t announced = ReadLittle(bytes, 8, 2);
  Bytes in(bytes);
  in.Skip(kZiplistHead);
  uint64_t count = 0;
  size_t last = kZiplistHead;
  uint64_t previous = 0;
  for (;; ++count) {
    const size_t start = in.at();
    uint8_t head;
    if (!in.Byte(&head)) return false;
    if (head == kEnd) break;
    uint64_t length = head;
    if (head == 254 && !in.Little(4, &length)) return false;
    if (length != previous) return false;
    if (!in.Byte(&head) || head == kEnd || !TakeZiplistEntry(head, &in, out)) return false;
    previous = in.at() - start;
    last = start;
  }
  return in.left() == 0 && tail == last && (announced == kUnknownCount || announced == count);
}

bool ReadZipmap(std::string_view bytes, TakenElements* out) {
  Bytes in(bytes);
  uint8_t announced;
  if (!in.Byte(&announced) || bytes.size() < 2) return false;
  uint64_t count = 0;
  for (; in.left() > 1; ++count) {
    uint64_t length;
    uint8_t unused;
    if (!TakeZipmapLength(&in, &length) || !TakeStringOf(length, &in, out)) return false;
    if (!TakeZipmapLength(&in, &length) || !in.Byte(&unused)) return false;
    if (!TakeStringOf(length, &in, out) || !in.Skip(unused)) return false;
  }
  uint8_t end;
  return in.Byte(&end) && end == kEnd && (announced >= 254 || announced == count);
}

bool ReadIntset(std::string_view bytes, TakenElements* out) {
  Bytes in(bytes);
  uint64_t width, count;
  if (!in.Little(4, &width) || !in.Little(4, &count)) return false;
  if (width != 2 && width != 4 && width != 8) return false;
  if (in.left() != width * count) return false;
  int64_t previous = 0;
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view number;
    if (!in.Take(width, &number)) return false;
    const int64_t value = ReadInteger(number.data(), width);
    if (i > 0 && value <= previous) return false;
    if (!AddInteger(value, out)) return false;
    previous = value;
  }
  return true;
}

ListpackWriter::ListpackWriter() : bytes_(kListpackHead, '\0') {}

void ListpackWriter::Append(std::string_view element) {
  int64_t value;
  // Digits of another form ("+1", "007") would not come back as they were.
  if (element.size() <= kMaxInt64Chars && ParseInt64(element, &value) &&
      FormatInt64(value) == element) {
    return AppendInteger(value);
  }
  const size_t start = bytes_.size();
  const size_t size = element.size();
  if (size < 64) {
    bytes_.push_back(static_cast<char>(0x80 | size));
  } else if (size < 4096) {
    bytes_.push_back(static_cast<char>(0xe0 | size >> 8));
    bytes_.push_back(static_cast<char>(size));
  } else {
    bytes_.push_back(static_cast<char>(0xf0));
    AppendLittle(&bytes_, size, 4);
  }
  bytes_.append(element);
  EndEntry(start);
}

void ListpackWriter::AppendInteger(int64_t value) {
  const size_t start = bytes_.size();
  const auto bits = static_cast<uint64_t>(value);
  if (value >= 0 && value <= 127) {
    bytes_.push_back(static_cast<char>(value));
  } else if (value >= -4096 && value <= 4095) {
    bytes_.push_back(static_cast<char>(0xc0 | (bits >> 8 & 0x1f)));
    bytes_.push_back(static_cast<char>(bits));
  } else if (value >= INT16_MIN && value <= INT16_MAX) {
    bytes_.push_back(static_cast<char>(0xf1));
    AppendLittle(&bytes_, bits, 2);
  } else if (value >= -(1 << 23) && value < 1 << 23) {
    bytes_.push_back(static_cast<char>(0xf2));
    AppendLittle(&bytes_, bits, 3);
  } else if (value >= INT32_MIN && value <= INT32_MAX) {
    bytes_.push_back(static_cast<char>(0xf3));
    AppendLittle(&bytes_, bits, 4);
  } else {
    bytes_.push_back(static_cast<char>(0xf4));
    AppendLittle(&bytes_, bits, 8);
  }
  EndEntry(start);
}

void ListpackWriter::EndEntry(size_t start) {
  AppendBackLength(bytes_.size() - start, &bytes_);
  ++count_;
}

std::string ListpackWriter::Take() {
  bytes_.push_back(static_cast<char>(kEnd));
  CHECK_LE(bytes_.size(), UINT32_MAX);
  const auto size = static_cast<uint32_t>(bytes_.size());
  const auto count = static_cast<uint16_t>(count_ < kUnknownCount ? count_ : kUnknownCount);
  std::memcpy(bytes_.data(), &size, sizeof size);
  std::memcpy(bytes_.data() + 4, &count, sizeof count);
  std::string taken(kListpackHead, '\0');
  taken.swap(bytes_);
  count_ = 0;
  return taken;
}

std::string MakeIntset(const std::vector<int64_t>& numbers) {
  size_t width = 2;
  for (int64_t number : numbers) {
    if (number < INT32_MIN || number > INT32_MAX) {
      width = 8;
    } else if (width == 2 && (number < INT16_MIN || number > INT16_MAX)) {
      width = 4;
    }
  }
  std::string bytes;
  AppendLittle(&bytes, width, 4);
  AppendLittle(&bytes, numbers.size(), 4);
  for (int64_t number : numbers) AppendLittle(&bytes, static_cast<uint64_t>(number), width);
  return bytes;
}

}  // namespace metastore::types
