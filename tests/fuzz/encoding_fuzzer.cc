// Stored records that are read back from disk or from another node: what decodes encodes to bytes
// that decode to the same.
#include <string>

#include "engine/data_directory.h"
#include "engine/system_keys.h"
#include "tests/fuzz/fuzzer.h"

namespace engine = metastore::engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = metastore::fuzz::Bytes(data, size);
  switch (metastore::fuzz::TakeNumber(&input, 1) % 4) {
    case 0: {
      std::optional<engine::Applied> applied = engine::DecodeApplied(input);
      if (applied) FUZZ_CHECK(engine::EncodeApplied(*applied) == input);
      break;
    }
    case 1: {
      std::optional<engine::DatabaseMap> map = engine::DecodeDatabases(input);
      if (map) FUZZ_CHECK(engine::EncodeDatabases(*map) == input);
      break;
    }
    case 2: {
      std::optional<engine::KeyCounts> counts = engine::DecodeCounts(input);
      if (counts) {
        std::optional<engine::KeyCounts> again =
            engine::DecodeCounts(engine::EncodeCounts(*counts));
        FUZZ_CHECK(again && again->keys == counts->keys && again->expiring == counts->expiring);
      }
      break;
    }
    case 3: {
      metastore::Result<engine::Identity> identity = engine::DecodeIdentity(std::string(input));
      if (identity.ok()) {
        metastore::Result<engine::Identity> again =
            engine::DecodeIdentity(engine::EncodeIdentity(*identity));
        FUZZ_CHECK(again.ok() && again->run == identity->run);
      }
      break;
    }
  }
  return 0;
}
