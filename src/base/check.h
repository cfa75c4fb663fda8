// Assertions that stay on in release. A failed CHECK means that this node's state can no longer be
// trusted: going on could make it differ from its peers, so the process stops.
#pragma once

#include <sstream>
#include <string>

namespace metastore {

// Prints "file:line: CHECK failed: message" to the log's last-words sink and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const std::string& message);

// Called by CheckFailed with the whole line before it aborts; the server points it at its log.
// Call once, before other threads start.
void SetCheckFailedSink(void (*sink)(const std::string& line));

namespace internal {
template <class A, class B>
[[noreturn]] void CheckOpFailed(const char* file, int line, const char* text, const A& a,
                                const B& b) {
  std::ostringstream out;
  out << text << " (" << a << " vs. " << b << ")";
  CheckFailed(file, line, out.str());
}
}  // namespace internal
}  // namespace metastore

#define CHECK(condition)                                        \
  do {                                                          \
    if (!(condition)) [[unlikely]]                              \
      ::metastore::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (0)

// For the reason in words: CHECK_MSG(fd >= 0, "cannot open " + path).
#define CHECK_MSG(condition, message)                          \
  do {                                                         \
    if (!(condition)) [[unlikely]]                             \
      ::metastore::CheckFailed(__FILE__, __LINE__, (message)); \
  } while (0)

#define METASTORE_CHECK_OP(a, op, b)                                                       \
  do {                                                                                     \
    const auto& check_a = (a);                                                             \
    const auto& check_b = (b);                                                             \
    if (!(check_a op check_b)) [[unlikely]]                                                \
      ::metastore::internal::CheckOpFailed(__FILE__, __LINE__, #a " " #op " " #b, check_a, \
                                           check_b);                                       \
  } while (0)
#define CHECK_EQ(a, b) METASTORE_CHECK_OP(a, ==, b)
#define CHECK_NE(a, b) METASTORE_CHECK_OP(a, !=, b)
#define CHECK_LT(a, b) METASTORE_CHECK_OP(a, <, b)
#define CHECK_LE(a, b) METASTORE_CHECK_OP(a, <=, b)
#define CHECK_GT(a, b) METASTORE_CHECK_OP(a, >, b)
#define CHECK_GE(a, b) METASTORE_CHECK_OP(a, >=, b)

// For a Status whose failure only a broken node can cause.
#define CHECK_OK(expression)                                                                    \
  do {                                                                                          \
    const auto& check_status = (expression);                                                    \
    if (!check_status.ok()) [[unlikely]]                                                        \
      ::metastore::CheckFailed(__FILE__, __LINE__, #expression ": " + check_status.ToString()); \
  } while (0)
