// Numbers as text. What is accepted prints as text that reads back as the same number; an integer
// prints as exactly what was read.
#include <cmath>
#include <string>

#include "base/format.h"
#include "base/parse.h"
#include "tests/fuzz/fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace metastore;
  std::string_view text = fuzz::Bytes(data, size);

  int64_t integer;
  if (ParseInt64(text, &integer)) {
    FUZZ_CHECK(FormatInt64(integer) == text);
    uint64_t unsigned_integer;
    FUZZ_CHECK(ParseUint64(text, &unsigned_integer) == (integer >= 0));
  }
  double number;
  if (ParseDouble(text, &number)) {
    FUZZ_CHECK(!std::isnan(number));
    double again;
    FUZZ_CHECK(ParseDouble(FormatDouble(number), &again));
    FUZZ_CHECK(again == number);
    long double wide;
    FUZZ_CHECK(ParseLongDouble(text, &wide));
  }
  long double wide;
  if (ParseLongDouble(text, &wide)) {
    long double again;
    FUZZ_CHECK(ParseLongDouble(FormatLongDouble(wide), &again));
    FUZZ_CHECK(std::isinf(wide) ? again == wide
                                : std::fabs(again - wide) <= 1e-17L + std::fabs(wide) * 1e-16L);
  }
  uint64_t bytes;
  if (ParseUint64(text, &bytes)) {
    uint64_t memory;
    FUZZ_CHECK(ParseMemorySize(text, &memory));
    FUZZ_CHECK(memory == bytes);
  }
  return 0;
}
