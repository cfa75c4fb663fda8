#include "resp/value.h"

#include <memory>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "base/parse.h"

namespace metastore::resp {
namespace {

bool IsDecimal(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  if (text.empty()) return false;
  return text.find_first_not_of("0123456789") == text.npos;
}

class ValueReader {
 public:
  explicit ValueReader(std::string_view in) : in_(in) {}

  ParseResult Read(Value* root);
  size_t position() const { return at_; }
  const std::string& error() const { return error_; }

 private:
  // An aggregate whose children are still to come. `value` lies among its parent's children, which
  // do not grow meanwhile; an attribute has no place in the tree and goes with its frame.
  struct Frame {
    Value* value;
    int64_t left;
    std::unique_ptr<Value> attribute;
  };

  // Reads the line or string at at_ into *target. For an aggregate *children is how many values
  // follow as its own; *is_attribute says that it is only a remark on the next value.
  ParseResult ReadOne(Value* target, int64_t* children, bool* is_attribute);
  ParseResult ReadAggregate(char type, std::string_view count, Value* target, int64_t* children);
  ParseResult ReadString(char type, std::string_view count, Value* target);
  ParseResult Fail(std::string text) {
    error_ = std::move(text);
    return ParseResult::kError;
  }

  std::string_view in_;
  size_t at_ = 0;
  std::vector<Frame> frames_;
  std::string error_;
};

ParseResult ValueReader::Read(Value* root) {
  while (true) {
    Value* target = root;
    if (!frames_.empty()) target = &frames_.back().value->children.emplace_back();
    int64_t children = 0;
    bool is_attribute = false;
    ParseResult result = ReadOne(target, &children, &is_attribute);
    if (result != ParseResult::kValue) return result;
    if (children > 0 && frames_.size() >= kMaxValueDepth) return Fail("nested too deeply");
    if (is_attribute) {
      *target = Value();
      if (!frames_.empty()) frames_.back().value->children.pop_back();
      if (children == 0) continue;
      auto attribute = std::make_unique<Value>();
      Value* value = attribute.get();
      frames_.push_back({value, children, std::move(attribute)});
      continue;
    }
    if (children > 0) {
      frames_.push_back({target, children, nullptr});
      continue;
    }
    // A complete value may complete the aggregates that it ends. The end of an attribute completes
    // nothing: the value it speaks of comes next.
    bool attribute_ended = false;
    while (!attribute_ended && !frames_.empty() && --frames_.back().left == 0) {
      attribute_ended = frames_.back().attribute != nullptr;
      frames_.pop_back();
    }
    if (frames_.empty() && !attribute_ended) return ParseResult::kValue;
  }
}

ParseResult ValueReader::ReadOne(Value* target, int64_t* children, bool* is_attribute) {
  if (at_ == in_.size()) return ParseResult::kNeedMore;
  size_t end = in_.find("\r\n", at_);
  if (end == in_.npos) return ParseResult::kNeedMore;
  char type = in_[at_];
  std::string_view line = in_.substr(at_ + 1, end - at_ - 1);
  at_ = end + 2;
  switch (type) {
    case '+':
      target->type = Type::kSimpleString;
      break;
    case '-':
      target->type = Type::kError;
      break;
    case ':':
      target->type = Type::kInteger;
      if (!ParseInt64(line, &target->integer)) return Fail("bad integer");
      return ParseResult::kValue;
    case '_':
      if (!line.empty()) return Fail("bad null");
      target->type = Type::kNull;
      return ParseResult::kValue;
    case '#':
      if (line != "t" && line != "f") return Fail("bad boolean");
      target->type = Type::kBool;
      target->integer = line == "t";
      return ParseResult::kValue;
    case ',': {
      double unused;
      if (line != "nan" && line != "-nan" && !ParseDouble(line, &unused)) return Fail("bad double");
      target->type = Type::kDouble;
      break;
    }
    case '(':
      if (!IsDecimal(line)) return Fail("bad big number");
      target->type = Type::kBigNumber;
      break;
    case '$':
    case '!':
    case '=':
      return ReadString(type, line, target);
    case '|':
      *is_attribute = true;
      [[fallthrough]];
    case '*':
    case '%':
    case '~':
    case '>':
      return ReadAggregate(type, line, target, children);
    default:
      return Fail("unknown type byte");
  }
  target->text = line;
  return ParseResult::kValue;
}

ParseResult ValueReader::ReadString(char type, std::string_view count, Value* target) {
  int64_t size;
  if (!ParseInt64(count, &size) || size > kMaxValueBytes) return Fail("bad string length");
  if (size == -1 && type == '$') {
    target->type = Type::kNull;
    return ParseResult::kValue;
  }
  if (size < 0) return Fail("bad string length");
  size_t length = static_cast<size_t>(size);
  if (in_.size() - at_ < length + 2) return ParseResult::kNeedMore;
  std::string_view bytes = in_.substr(at_, length);
  if (in_.substr(at_ + length, 2) != "\r\n") return Fail("string without its end");
  at_ += length + 2;
  if (type == '=' && (length < 4 || bytes[3] != ':')) return Fail("bad verbatim string");
  target->type = type == '$' ? Type::kBulk : type == '!' ? Type::kError : Type::kVerbatim;
  target->text = bytes;
  return ParseResult::kValue;
}

ParseResult ValueReader::ReadAggregate(char type, std::string_view count, Value* target,
                                       int64_t* children) {
  int64_t elements;
  if (!ParseInt64(count, &elements) || elements > kMaxValueBytes) return Fail("bad count");
  if (elements == -1 && type == '*') {
    target->type = Type::kNullArray;
    return ParseResult::kValue;
  }
  if (elements < 0) return Fail("bad count");
  bool pairs = type == '%' || type == '|';
  *children = pairs ? elements * 2 : elements;
  target->type = type == '*'   ? Type::kArray
                 : type == '~' ? Type::kSet
                 : type == '>' ? Type::kPush
                               : Type::kMap;
  return ParseResult::kValue;
}

void AppendQuoted(std::string_view bytes, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (char c : bytes) {
    unsigned char byte = static_cast<unsigned char>(c);
    switch (c) {
      case '\\':
      case '"':
        out->push_back('\\');
        out->push_back(c);
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      case '\a':
        out->append("\\a");
        break;
      case '\b':
        out->append("\\b");
        break;
      default:
        if (byte >= ' ' && byte <= '~') {
          out->push_back(c);
        } else {
          out->append({'\\', 'x', kHex[byte >> 4], kHex[byte & 15]});
        }
    }
  }
  out->push_back('"');
}

void Append(const Value& value, const std::string& indent, std::string* out);

// Elements are numbered "1) "; what follows the first line of each is indented by that much.
void AppendChildren(const Value& value, const std::string& indent, std::string* out) {
  bool map = value.type == Type::kMap;
  char mark = map ? '#' : value.type == Type::kSet ? '~' : ')';
  size_t step = map ? 2 : 1;
  size_t count = value.children.size() / step;
  size_t width = FormatInt64(static_cast<int64_t>(count)).size();
  std::string deeper = indent + std::string(width + 2, ' ');
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) *out += '\n' + indent;
    std::string number = FormatInt64(static_cast<int64_t>(i + 1));
    out->append(width - number.size(), ' ');
    *out += number + mark + ' ';
    Append(value.children[i * step], deeper, out);
    if (!map) continue;
    out->append(" => ");
    Append(value.children[i * step + 1], deeper, out);
  }
}

void Append(const Value& value, const std::string& indent, std::string* out) {
  switch (value.type) {
    case Type::kSimpleString:
    case Type::kBigNumber:
      out->append(value.text);
      break;
    case Type::kError:
      out->append("(error) " + value.text);
      break;
    case Type::kInteger:
      out->append("(integer) " + FormatInt64(value.integer));
      break;
    case Type::kBulk:
      AppendQuoted(value.text, out);
      break;
    case Type::kNull:
      out->append("(nil)");
      break;
    case Type::kNullArray:
      out->append("(nil array)");
      break;
    case Type::kDouble:
      out->append("(double) " + value.text);
      break;
    case Type::kBool:
      out->append(value.integer != 0 ? "(true)" : "(false)");
      break;
    case Type::kVerbatim:
      out->append("(verbatim) ");
      AppendQuoted(value.text, out);
      break;
    case Type::kArray:
    case Type::kMap:
    case Type::kSet:
    case Type::kPush:
      if (value.type == Type::kPush) out->append("(push) ");
      if (value.children.empty()) {
        out->append("(empty ").append(TypeName(value.type)).append(")");
      } else {
        AppendChildren(value, value.type == Type::kPush ? indent + "       " : indent, out);
      }
      break;
  }
}

}  // namespace

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kSimpleString:
      return "simple string";
    case Type::kError:
      return "error";
    case Type::kInteger:
      return "integer";
    case Type::kBulk:
      return "bulk string";
    case Type::kNull:
      return "null";
    case Type::kNullArray:
      return "null array";
    case Type::kArray:
      return "array";
    case Type::kMap:
      return "map";
    case Type::kSet:
      return "set";
    case Type::kPush:
      return "push";
    case Type::kDouble:
      return "double";
    case Type::kBool:
      return "boolean";
    case Type::kBigNumber:
      return "big number";
    case Type::kVerbatim:
      return "verbatim string";
  }
  CheckFailed(__FILE__, __LINE__, "no such type");
}

ParseResult ParseValue(std::string_view* in, Value* value, std::string* error) {
  ValueReader reader(*in);
  Value parsed;
  ParseResult result = reader.Read(&parsed);
  if (result == ParseResult::kError && error != nullptr) *error = reader.error();
  if (result != ParseResult::kValue) return result;
  in->remove_prefix(reader.position());
  *value = std::move(parsed);
  return ParseResult::kValue;
}

std::string_view TakeEncoded(std::string_view* in) {
  const std::string_view whole = *in;
  for (uint64_t left = 1; left > 0; --left) {
    const size_t line = in->find("\r\n");
    CHECK_MSG(line != in->npos && line > 0, "an encoded value is cut");
    const char type = (*in)[0];
    int64_t number = 0;
    const bool sized = std::string_view("$!=*~>%|").find(type) != std::string_view::npos;
    if (sized) CHECK(ParseInt64(in->substr(1, line - 1), &number));
    in->remove_prefix(line + 2);
    if (!sized || number < 0) continue;
    if (type == '$' || type == '!' || type == '=') {
      CHECK_GE(in->size(), static_cast<uint64_t>(number) + 2);
      in->remove_prefix(static_cast<size_t>(number) + 2);
      continue;
    }
    // An attribute stands in front of the value that it belongs to.
    left += static_cast<uint64_t>(number) * (type == '%' || type == '|' ? 2 : 1);
    if (type == '|') ++left;
  }
  return whole.substr(0, whole.size() - in->size());
}

std::string ToString(const Value& value) {
  std::string out;
  Append(value, "", &out);
  return out;
}

}  // namespace metastore::resp
