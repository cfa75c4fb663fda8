#include "base/status.h"

namespace metastore {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "Ok";
    case Code::kNotFound:
      return "NotFound";
    case Code::kAlreadyExists:
      return "AlreadyExists";
    case Code::kInvalidArgument:
      return "InvalidArgument";
    case Code::kCorruption:
      return "Corruption";
    case Code::kIoError:
      return "IoError";
    case Code::kNoSpace:
      return "NoSpace";
    case Code::kUnavailable:
      return "Unavailable";
    case Code::kBusy:
      return "Busy";
    case Code::kWrongType:
      return "WrongType";
    case Code::kSyntax:
      return "Syntax";
    case Code::kNotInteger:
      return "NotInteger";
    case Code::kNotFloat:
      return "NotFloat";
    case Code::kOverflow:
      return "Overflow";
    case Code::kNanOrInfinity:
      return "NanOrInfinity";
    case Code::kOffsetRange:
      return "OffsetRange";
    case Code::kStringTooLong:
      return "StringTooLong";
    case Code::kNoSuchKey:
      return "NoSuchKey";
    case Code::kNotHyperloglog:
      return "NotHyperloglog";
    case Code::kCorruptHyperloglog:
      return "CorruptHyperloglog";
    case Code::kReply:
      return "Reply";
  }
  return "Unknown";
}

std::string Status::ToString() const {
  std::string text(CodeName(code_));
  if (!message_.empty()) text += ": " + message_;
  return text;
}

}  // namespace metastore
