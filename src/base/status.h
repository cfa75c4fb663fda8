// Status and Result<T>: how a function that can fail says so. Nothing is thrown.
//
// A code says the kind of failure. Text that a client sees is made from it in one place,
// commands/errors.cc; the message here is for kinds whose text depends on the case.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace metastore {

enum class Code : uint8_t {
  kOk,
  // Kinds of any layer.
  kNotFound,
  kAlreadyExists,
  kInvalidArgument,  // message says which
  kCorruption,       // message says where
  kIoError,          // message says which file and why
  kNoSpace,
  kUnavailable,
  kBusy,  // another operation of the kind is under way
  // A client's mistakes; see commands/errors.h for the text of each.
  kWrongType,
  kSyntax,
  kNotInteger,     // "value is not an integer or out of range"
  kNotFloat,       // "value is not a valid float"
  kOverflow,       // "increment or decrement would overflow"
  kNanOrInfinity,  // "increment would produce NaN or Infinity"
  kOffsetRange,    // "offset is out of range"
  kStringTooLong,  // "string exceeds maximum allowed size (proto-max-bulk-len)"
  kNoSuchKey,      // "no such key"
  // "Key is not a valid HyperLogLog string value.", "Corrupted HLL object detected"
  kNotHyperloglog,
  kCorruptHyperloglog,
  kReply,  // message is the error line itself, prefix included, without "-" and CRLF
};

// The name of a code, for logs and test failures.
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  explicit Status(Code code) : code_(code) {}
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return Status(); }
  static Status NotFound() { return Status(Code::kNotFound); }
  static Status Corruption(std::string where) { return {Code::kCorruption, std::move(where)}; }
  static Status IoError(std::string what) { return {Code::kIoError, std::move(what)}; }
  static Status InvalidArgument(std::string what) {
    return {Code::kInvalidArgument, std::move(what)};
  }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  std::string ToString() const;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

// A value, or the Status that says why there is none (never Ok).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: conversion is the point
  Result(Status status) : status_(std::move(status)) { CHECK(!status_.ok()); }  // NOLINT

  bool ok() const { return value_.has_value(); }
  Code code() const { return status_.code(); }
  const Status& status() const { return status_; }

  T& operator*() {
    CHECK(ok());
    return *value_;
  }
  const T& operator*() const {
    CHECK(ok());
    return *value_;
  }
  T* operator->() {
    CHECK(ok());
    return &*value_;
  }
  const T* operator->() const {
    CHECK(ok());
    return &*value_;
  }
  std::string ToString() const { return status_.ToString(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace metastore

// Returns from the calling function when the Status is not Ok.
#define RETURN_IF_ERROR(expression)                   \
  do {                                                \
    ::metastore::Status return_status = (expression); \
    if (!return_status.ok()) return return_status;    \
  } while (0)
