// Glob patterns. Input: pattern length:be16, pattern, text. Whatever the pattern, matching ends:
// libFuzzer's own timeout judges that. A star in front takes what is put in front of the text, and
// a text whose every byte is escaped is a pattern for itself, with case and without.
#include <string>

#include "base/glob.h"
#include "base/parse.h"
#include "tests/fuzz/fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace metastore;
  std::string_view input = fuzz::Bytes(data, size);
  size_t length = fuzz::TakeNumber(&input, 2) % (input.size() + 1);
  // Copies of their exact size, so that the sanitizer sees a read behind the end.
  std::string pattern(input.substr(0, length));
  std::string text(input.substr(length));
  pattern.shrink_to_fit();
  text.shrink_to_fit();

  bool match = GlobMatch(pattern, text);
  GlobMatch(pattern, text, true);
  if (match && !text.empty()) FUZZ_CHECK(GlobMatch("*" + pattern, "x" + text));

  std::string escaped;
  for (char c : text) escaped.append({'\\', c});
  FUZZ_CHECK(GlobMatch(escaped, text));
  FUZZ_CHECK(text.empty() || GlobMatch("*" + escaped, text));
  std::string lower = text;
  for (char& c : lower) c = ToLowerAscii(c);
  FUZZ_CHECK(GlobMatch(escaped, lower, true));
  return 0;
}
