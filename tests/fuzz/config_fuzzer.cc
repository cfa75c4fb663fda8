// The configuration file is an operator's bytes: whatever they are, they are read or refused with
// one line, and what CONFIG REWRITE writes of them reads back as the same values.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/config.h"

using metastore::server::Config;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto config = Config::FromText(text, "fuzz.conf");
  if (!config.ok()) {
    CHECK(!config.status().message().empty());
    return 0;
  }
  std::string rewritten = metastore::server::RewriteConfigText(text, *(*config)->settings());
  auto again = Config::FromText(rewritten, "rewritten.conf");
  CHECK(again.ok());
  std::string_view all = "*";
  CHECK((*again)->Get({&all, 1}) == (*config)->Get({&all, 1}));
  return 0;
}
