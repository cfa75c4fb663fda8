#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace metastore {
namespace {
void (*check_failed_sink)(const std::string&) = nullptr;
}

void SetCheckFailedSink(void (*sink)(const std::string& line)) { check_failed_sink = sink; }

void CheckFailed(const char* file, int line, const std::string& message) {
  std::string text = std::string(file) + ":" + std::to_string(line) + ": CHECK failed: " + message;
  if (check_failed_sink != nullptr) {
    check_failed_sink(text);
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
    std::fflush(stderr);
  }
  std::abort();
}

}  // namespace metastore
