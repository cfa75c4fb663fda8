// Stored records that are read back from disk or from another node: what decodes encodes to bytes
// that decode to the same.
#include <string>

#include "engine/data_directory.h"
#include "engine/system_keys.h"
#include "raft/types.h"
#include "tests/fuzz/fuzzer.h"
#include "types/keyspace.h"

namespace engine = metastore::engine;
namespace raft = metastore::raft;
namespace types = metastore::types;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = metastore::fuzz::Bytes(data, size);
  switch (metastore::fuzz::TakeNumber(&input, 1) % 6) {
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
    case 4: {
      metastore::Result<raft::Membership> membership = raft::DecodeMembership(input);
      if (membership.ok()) {
        metastore::Result<raft::Membership> again =
            raft::DecodeMembership(raft::EncodeMembership(*membership));
        FUZZ_CHECK(again.ok() && *again == *membership);
      }
      break;
    }
    case 5: {
      std::string_view rest = input;
      std::optional<types::Header> header = types::Record::ParseHeader(&rest);
      if (header) {
        types::Record record(types::Record::Encode(*header, rest));
        FUZZ_CHECK(record.payload() == rest && record.header().version == header->version &&
                   record.header().type == header->type &&
                   record.header().deadline_ms == header->deadline_ms);
      }
      break;
    }
  }
  return 0;
}
