#include "resp/parser.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/parse.h"

namespace metastore::resp {
namespace {

// What a connection keeps of its working memory after a large command.
constexpr size_t kKeptSpans = 1024;
constexpr size_t kKeptUnquotedBytes = 4096;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The value of a hexadecimal digit, or -1.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = ToLowerAscii(c);
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The byte itself, or \xHH: an error line must stay one line.
std::string Printable(char c) {
  if (c >= ' ' && c <= '~') return std::string(1, c);
  constexpr char kHex[] = "0123456789abcdef";
  unsigned char byte = static_cast<unsigned char>(c);
  return {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
}

}  // namespace

Parser::Result Parser::Next(std::string_view buffer, size_t* consumed,
                            std::vector<std::string_view>* args) {
  args->clear();
  *consumed = 0;
  while (error_.empty()) {
    std::string_view rest = buffer.substr(*consumed);
    if (kind_ == Kind::kNone) {
      bytes_wanted_ = 1;
      if (rest.empty()) return Result::kNeedMore;
      Reset();
      kind_ = rest[0] == '*' ? Kind::kMultibulk : Kind::kInline;
    }
    CHECK_GE(rest.size(), position_);
    Result result = kind_ == Kind::kInline ? ReadInline(rest) : ReadMultibulk(rest);
    if (result != Result::kCommand) return result;

    kind_ = Kind::kNone;
    std::string_view source = rest[0] == '*' ? rest : std::string_view(unquoted_);
    *consumed += position_;
    if (spans_.empty()) continue;  // an empty line or array asks for nothing
    args->reserve(spans_.size());
    for (Span span : spans_) args->push_back(source.substr(span.offset, span.size));
    return Result::kCommand;
  }
  return Result::kError;
}

Parser::Result Parser::ReadInline(std::string_view buffer) {
  size_t newline;
  if (!FindLineEnd(buffer, '\n', &newline)) {
    if (buffer.size() > kMaxInlineBytes) return Fail("too big inline request");
    return Result::kNeedMore;
  }
  position_ = newline + 1;
  if (newline > 0 && buffer[newline - 1] == '\r') --newline;
  if (!SplitInline(buffer.substr(0, newline))) return Fail("unbalanced quotes in request");
  return Result::kCommand;
}

Parser::Result Parser::ReadMultibulk(std::string_view buffer) {
  if (args_left_ == 0) {
    int64_t count = 0;
    size_t end;
    if (!FindLineEnd(buffer, '\r', &end)) {
      if (buffer.size() - position_ > kMaxInlineBytes) return Fail("too big mbulk count string");
      return Result::kNeedMore;
    }
    if (end + 2 > buffer.size()) return Result::kNeedMore;
    bool is_number = ParseInt64(buffer.substr(1, end - 1), &count);
    if (is_number && !authenticated_ && count > kMaxUnauthenticatedArgs) {
      return Fail("unauthenticated multibulk length");
    }
    if (!is_number || count > kMaxArgs) return Fail("invalid multibulk length");
    MoveTo(end + 2);
    if (count <= 0) return Result::kCommand;
    args_left_ = count;
  }
  while (args_left_ > 0) {
    if (bulk_bytes_ < 0) {
      bytes_wanted_ = 1;
      size_t end;
      if (!FindLineEnd(buffer, '\r', &end)) {
        if (buffer.size() - position_ > kMaxInlineBytes) return Fail("too big bulk count string");
        return Result::kNeedMore;
      }
      if (end + 2 > buffer.size()) return Result::kNeedMore;
      if (buffer[position_] != '$') {
        return Fail("expected '$', got '" + Printable(buffer[position_]) + "'");
      }
      int64_t size;
      if (!ParseInt64(buffer.substr(position_ + 1, end - position_ - 1), &size) || size < 0 ||
          static_cast<uint64_t>(size) > max_bulk_bytes_) {
        return Fail("invalid bulk length");
      }
      if (!authenticated_ && size > kMaxUnauthenticatedBulkBytes) {
        return Fail("unauthenticated bulk length");
      }
      MoveTo(end + 2);
      bulk_bytes_ = size;
    }
    // Redis does not look at the two bytes behind a bulk string either.
    size_t needed = static_cast<size_t>(bulk_bytes_) + 2;
    size_t there = buffer.size() - position_;
    if (there < needed) {
      bytes_wanted_ = needed - there;
      return Result::kNeedMore;
    }
    spans_.push_back({position_, static_cast<size_t>(bulk_bytes_)});
    MoveTo(position_ + needed);
    bulk_bytes_ = -1;
    --args_left_;
  }
  return Result::kCommand;
}

// A line longer than kMaxInlineBytes is not found even if its end is there, so that the outcome
// does not depend on how much arrived at once.
bool Parser::FindLineEnd(std::string_view buffer, char end, size_t* at) {
  size_t limit = std::min(buffer.size(), position_ + kMaxInlineBytes + 1);
  if (scanned_ >= limit) return false;
  const void* found = std::memchr(buffer.data() + scanned_, end, limit - scanned_);
  if (found == nullptr) {
    scanned_ = limit;
    return false;
  }
  *at = scanned_ = static_cast<const char*>(found) - buffer.data();
  return true;
}

void Parser::MoveTo(size_t position) {
  position_ = position;
  scanned_ = position;
}

// Redis's sdssplitargs: words between spaces; "double quotes" know \n \r \t \b \a \xHH and \c for
// any other c, 'single quotes' know \' only; a closing quote ends its word. False: a quote is not
// closed, or something follows it at once.
bool Parser::SplitInline(std::string_view line) {
  unquoted_.reserve(line.size());
  size_t i = 0;
  while (true) {
    while (i < line.size() && IsSpace(line[i])) ++i;
    if (i == line.size()) return true;
    size_t begin = unquoted_.size();
    char quote = '\0';
    bool closed = false;
    for (; i < line.size() && !closed; ++i) {
      char c = line[i];
      if (quote == '\0') {
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') break;
        if (c == '"' || c == '\'') {
          quote = c;
        } else {
          unquoted_.push_back(c);
        }
      } else if (c == quote) {
        if (i + 1 < line.size() && !IsSpace(line[i + 1])) return false;
        closed = true;
      } else if (c == '\\' && quote == '\'' && i + 1 < line.size() && line[i + 1] == '\'') {
        unquoted_.push_back('\'');
        ++i;
      } else if (c == '\\' && quote == '"' && i + 1 < line.size()) {
        i += Unescape(line.substr(i + 1));
      } else {
        unquoted_.push_back(c);
      }
    }
    if (quote != '\0' && !closed) return false;
    spans_.push_back({begin, unquoted_.size() - begin});
  }
}

// Appends what the bytes behind a backslash stand for; returns how many of them belong to it.
size_t Parser::Unescape(std::string_view escaped) {
  if (escaped[0] == 'x' && escaped.size() >= 3) {
    int high = HexDigit(escaped[1]);
    int low = HexDigit(escaped[2]);
    if (high >= 0 && low >= 0) {
      unquoted_.push_back(static_cast<char>(high << 4 | low));
      return 3;
    }
  }
  char c = escaped[0];
  switch (c) {
    case 'n':
      c = '\n';
      break;
    case 'r':
      c = '\r';
      break;
    case 't':
      c = '\t';
      break;
    case 'b':
      c = '\b';
      break;
    case 'a':
      c = '\a';
      break;
  }
  unquoted_.push_back(c);
  return 1;
}

Parser::Result Parser::Fail(std::string text) {
  error_ = "Protocol error: " + std::move(text);
  return Result::kError;
}

void Parser::Reset() {
  MoveTo(0);
  args_left_ = 0;
  bulk_bytes_ = -1;
  spans_.clear();
  unquoted_.clear();
  if (spans_.capacity() > kKeptSpans) std::vector<Span>().swap(spans_);
  if (unquoted_.capacity() > kKeptUnquotedBytes) std::string().swap(unquoted_);
}

}  // namespace metastore::resp
