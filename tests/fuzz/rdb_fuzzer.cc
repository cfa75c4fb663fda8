// What a client hands to RESTORE, without its footer: the checksum is made here, or no input would
// get behind it. What is taken is a value that the offline check takes; dumped and taken again it
// is the same.
#include <string>

#include "base/crc64.h"
#include "tests/fuzz/fuzzer.h"
#include "tests/support/check_value.h"
#include "tests/support/memory_txn.h"
#include "types/inspect.h"
#include "types/keyspace.h"
#include "types/rdb.h"

namespace {

using namespace metastore;

// Little enough for a fuzzer's memory.
constexpr uint64_t kMaxBytes = 64 << 20;

bool Restore(engine::Txn& txn, std::string_view key, const std::string& payload,
             uint64_t max_bytes = types::kMaxRestoredBytes) {
  FUZZ_CHECK(types::HasValidFooter(payload));
  Result<types::DumpedValue> value = types::DumpedValue::Parse(payload, max_bytes);
  if (value.ok()) value->Store(txn, 0, key, std::nullopt);
  return value.ok();
}

types::DataDigest Digest(const engine::View& view, std::string_view key) {
  return types::DigestOfValue(view, 0, key, *types::Find(view, 0, key));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string payload(fuzz::Bytes(data, size));
  const uint16_t version = 10;
  payload.append(reinterpret_cast<const char*>(&version), sizeof version);
  const uint64_t checksum = Crc64(payload);
  payload.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  test::MemoryTxn txn;
  // A hash whose fields have all expired is taken and leaves no key.
  if (!Restore(txn, "k", payload, kMaxBytes) || !types::Exists(txn, 0, "k")) return 0;
  FUZZ_CHECK(test::CheckValue(txn, 0, "k").ok());
  Result<std::string> again =
      types::DumpValue(txn, 0, "k", *types::Find(txn, 0, "k"), types::kDefaultEncodingLimits);
  // Few compressed bytes may stand for many.
  if (!again.ok()) return 0;
  FUZZ_CHECK(Restore(txn, "again", *again));
  FUZZ_CHECK(Digest(txn, "again") == Digest(txn, "k"));
  return 0;
}
