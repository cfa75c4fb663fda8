#include "resp/writer.h"

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

void Writer::Bulk(std::string_view bytes) { AppendBulk(out_, bytes); }

void Writer::BulkInteger(int64_t value) {
  char digits[kMaxInt64Chars];
  Bulk({digits, FormatInt64(value, digits)});
}

void Writer::Null() { out_->append(protocol_ >= 3 ? "_\r\n" : "$-1\r\n"); }

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

void Writer::Map(size_t pairs) {
  if (protocol_ >= 3) {
    Header('%', static_cast<int64_t>(pairs));
  } else {
    Header('*', static_cast<int64_t>(pairs * 2));
  }
}

void Writer::Set(size_t elements) {
  Header(protocol_ >= 3 ? '~' : '*', static_cast<int64_t>(elements));
}

void Writer::Push(size_t elements) {
  Header(protocol_ >= 3 ? '>' : '*', static_cast<int64_t>(elements));
}

void Writer::MapAt(size_t position, size_t pairs) {
  if (protocol_ >= 3) {
    HeaderAt(position, '%', pairs);
  } else {
    HeaderAt(position, '*', pairs * 2);
  }
}

void Writer::SetAt(size_t position, size_t elements) {
  HeaderAt(position, protocol_ >= 3 ? '~' : '*', elements);
}

void Writer::Header(char type, int64_t number) { AppendHeader(out_, type, number); }

void Writer::HeaderAt(size_t position, char type, size_t elements) {
  std::string header;  // short enough to need no memory of its own
  AppendHeader(&header, type, static_cast<int64_t>(elements));
  out_->insert(position, header);
}

void WriteCommand(std::string* out, std::span<const std::string_view> args) {
  AppendCommand(out, args);
}

void WriteCommand(std::string* out, std::span<const std::string> args) { AppendCommand(out, args); }

}  // namespace metastore::resp
