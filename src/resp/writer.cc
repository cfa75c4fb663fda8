#include "resp/writer.h"

#include <algorithm>

#include "base/format.h"

namespace metastore::resp {
namespace {

// A type byte, a number and CRLF, in one append.
void AppendHeader(std::string* out, char type, int64_t number) {
  char line[1 + kMaxInt64Chars + 2];
  line[0] = type;
  size_t size;
  if (number >= 0 && number < 10) {
    line[1] = static_cast<char>('0' + number);
    size = 2;
  } else {
    size = 1 + FormatInt64(number, line + 1);
  }
  line[size] = '\r';
  line[size + 1] = '\n';
  out->append(line, size + 2);
}

void AppendBulk(std::string* out, std::string_view bytes) {
  AppendHeader(out, '$', static_cast<int64_t>(bytes.size()));
  out->append(bytes);
  out->append("\r\n", 2);
}

template <class String>
void AppendCommand(std::string* out, std::span<const String> args) {
  AppendHeader(out, '*', static_cast<int64_t>(args.size()));
  for (const String& arg : args) AppendBulk(out, arg);
}

}  // namespace

void Writer::SimpleString(std::string_view line) {
  out_->push_back('+');
  out_->append(line);
  out_->append("\r\n", 2);
}

void Writer::Error(std::string_view line) {
  out_->push_back('-');
  size_t begin = out_->size();
  out_->append(line);
  for (size_t i = begin; i < out_->size(); ++i) {
    unsigned char c = static_cast<unsigned char>((*out_)[i]);
    if (c < ' ' || c == 0x7f) (*out_)[i] = ' ';
  }
  out_->append("\r\n", 2);
}

void Writer::Integer(int64_t value) { Header(':', value); }

void Writer::Bulk(std::string_view bytes) {
  AppendBulk(out_, bytes);
  Written();
}

void Writer::BulkInteger(int64_t value) {
  char digits[kMaxInt64Chars];
  Bulk({digits, FormatInt64(value, digits)});
}

void Writer::Null() {
  out_->append(protocol_ >= 3 ? "_\r\n" : "$-1\r\n");
  Written();
}

void Writer::NullArray() { out_->append(protocol_ >= 3 ? "_\r\n" : "*-1\r\n"); }

void Writer::Double(double value) {
  char digits[kMaxDoubleChars];
  DoubleDigits({digits, FormatDouble(value, digits)});
}

void Writer::DoubleDigits(std::string_view digits) {
  if (protocol_ < 3) {
    Bulk(digits);
    return;
  }
  out_->push_back(',');
  out_->append(digits);
  out_->append("\r\n", 2);
  Written();
}

void Writer::Bool(bool value) {
  if (protocol_ >= 3) {
    out_->append(value ? "#t\r\n" : "#f\r\n");
  } else {
    out_->append(value ? ":1\r\n" : ":0\r\n");
  }
}

void Writer::BigNumber(std::string_view digits) {
  if (protocol_ < 3) {
    Bulk(digits);
    return;
  }
  out_->push_back('(');
  out_->append(digits);
  out_->append("\r\n", 2);
}

void Writer::Verbatim(std::string_view text, std::string_view format) {
  if (protocol_ < 3) {
    Bulk(text);
    return;
  }
  Header('=', static_cast<int64_t>(format.size() + 1 + text.size()));
  out_->append(format);
  out_->push_back(':');
  out_->append(text);
  out_->append("\r\n", 2);
}

void Writer::Array(size_t elements) { Header('*', static_cast<int64_t>(elements)); }

void Writer::Map(size_t pairs) { Raw(AggregateHeader(Aggregate::kMap, pairs)); }

void Writer::Set(size_t elements) { Raw(AggregateHeader(Aggregate::kSet, elements)); }

void Writer::Push(size_t elements) {
  Header(protocol_ >= 3 ? '>' : '*', static_cast<int64_t>(elements));
}

void Writer::Header(char type, int64_t number) {
  AppendHeader(out_, type, number);
  Written();
}

std::string Writer::AggregateHeader(Aggregate kind, size_t size) const {
  char type = '*';
  if (kind == Aggregate::kMap) {
    if (protocol_ >= 3) {
      type = '%';
    } else {
      size *= 2;
    }
  } else if (kind == Aggregate::kSet && protocol_ >= 3) {
    type = '~';
  }
  std::string header;  // short enough to need no memory of its own
  AppendHeader(&header, type, static_cast<int64_t>(size));
  return header;
}

// --- with a sink -----------------------------------------------------------------------------

size_t Writer::Position() {
  const size_t position = out_->size();
  if (held_at_ == kNowhere) {
    held_at_ = position;
    holds_ = 1;
  } else if (held_at_ == position) {
    ++holds_;
  }
  return position;
}

// Behind the outermost Position a sink may have the bytes again.
void Writer::InsertHeader(size_t position, Aggregate kind, size_t size) {
  out_->insert(position, AggregateHeader(kind, size));
  if (position != held_at_ || --holds_ > 0) return;
  held_at_ = kNowhere;
  Written();
}

void Writer::Full() {
  if (held_at_ != kNowhere) return;
  if (counted_at_ == kNowhere) return sink_->Take(out_);
  if (!dropping_) {
    dropping_ = true;
    full_at_ = counted_at_ + 1;
    sink_->Step();
  }
  out_->resize(counted_at_);
  Step();
}

// False: no sink could have the bytes of the elements before their header stands.
bool Writer::BeginCounted() {
  if (sink_ == nullptr || held_at_ != kNowhere || counted_at_ != kNowhere) return false;
  counted_at_ = out_->size();
  full_before_ = full_at_;
  full_at_ = std::max(full_at_, counted_at_ + kCountedBytes);
  return true;
}

// False: the header is written and the elements are not.
bool Writer::EndCounted(Aggregate kind, size_t size) {
  const bool whole = !dropping_;
  out_->insert(counted_at_, AggregateHeader(kind, size));
  counted_at_ = kNowhere;
  dropping_ = false;
  full_at_ = full_before_;
  Written();
  return whole;
}

void WriteCommand(std::string* out, std::span<const std::string_view> args) {
  AppendCommand(out, args);
}

void WriteCommand(std::string* out, std::span<const std::string> args) { AppendCommand(out, args); }

}  // namespace metastore::resp
