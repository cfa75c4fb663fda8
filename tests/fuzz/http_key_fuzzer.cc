// HTTP request targets. Input: the target. What is decoded has one byte for each byte or escape of
// the path, and any bytes, escaped, name themselves.
#include <string>

#include "net/http_key.h"
#include "tests/fuzz/fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace metastore;
  std::string target(fuzz::Bytes(data, size));
  target.shrink_to_fit();
  std::string key;
  if (net::KeyOfTarget(target, &key)) FUZZ_CHECK(key.size() < target.size());

  static constexpr char kHex[] = "0123456789abcdef";
  std::string escaped = "/";
  for (char c : target) {
    unsigned char byte = static_cast<unsigned char>(c);
    escaped.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  FUZZ_CHECK(net::KeyOfTarget(escaped, &key));
  FUZZ_CHECK(key == target);
  return 0;
}
