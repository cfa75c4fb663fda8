// The reply parser of tests and tools. A value's every beginning must need more, reading it again
// gives the same tree, and bytes behind it stay unread.
#include <string>

#include "resp/value.h"
#include "tests/fuzz/fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace metastore;
  std::string_view input = fuzz::Bytes(data, size);
  size_t cut = fuzz::TakeNumber(&input, 2);

  std::string_view rest = input;
  resp::Value value;
  std::string error;
  resp::ParseResult result = resp::ParseValue(&rest, &value, &error);
  if (result != resp::ParseResult::kValue) {
    FUZZ_CHECK(rest.size() == input.size());
    FUZZ_CHECK((result == resp::ParseResult::kError) == !error.empty());
    return 0;
  }
  FUZZ_CHECK(rest.size() < input.size());
  resp::ToString(value);

  std::string_view used = input.substr(0, input.size() - rest.size());
  std::string_view beginning = used.substr(0, cut % used.size());
  resp::Value again;
  FUZZ_CHECK(resp::ParseValue(&beginning, &again) == resp::ParseResult::kNeedMore);
  FUZZ_CHECK(resp::ParseValue(&used, &again) == resp::ParseResult::kValue);
  FUZZ_CHECK(used.empty());
  FUZZ_CHECK(again == value);
  return 0;
}
