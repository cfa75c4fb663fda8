// A string that a client stored and now calls a HyperLogLog. Input: the number of elements to add,
// then the value. What is refused is refused by everything that reads all registers; what is
// counted stays countable, and both encodings of it hold the same registers.
#include <string>

#include "tests/fuzz/fuzzer.h"
#include "tests/support/memory_txn.h"
#include "types/hyperloglog.h"
#include "types/keyspace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace metastore;
  std::string_view value = fuzz::Bytes(data, size);
  const uint64_t elements = fuzz::TakeNumber(&value, 1);
  test::MemoryTxn txn;
  types::WritableKey(txn, 0, "k").PutString(value);

  const bool good = types::RegistersOfHyperloglog(txn, 0, "k").ok();
  Result<bool> dense = types::IsDenseHyperloglog(txn, 0, "k");
  FUZZ_CHECK(dense.ok() || !good);
  if (dense.ok() && !*dense) FUZZ_CHECK(types::HyperloglogRuns(txn, 0, "k").ok());
  // A count that the value carries is believed, whatever the registers are.
  FUZZ_CHECK(types::CountHyperloglog(txn, 0, "k").ok() || !good);

  for (uint64_t i = 0; i < elements; ++i) {
    const std::string element = std::to_string(i);
    const std::string_view view = element;
    FUZZ_CHECK(types::AddToHyperloglog(txn, 0, "k", {&view, 1}).ok() || !good);
  }
  const std::string_view keys[] = {"k"};
  FUZZ_CHECK(types::CountHyperloglogs(txn, 0, keys).ok() == good);
  FUZZ_CHECK(types::MergeHyperloglogs(txn, 0, "merged", keys).ok() == good);
  if (!good) return 0;
  FUZZ_CHECK(types::MakeHyperloglogDense(txn, 0, "k").ok());
  FUZZ_CHECK(*types::RegistersOfHyperloglog(txn, 0, "k") ==
             *types::RegistersOfHyperloglog(txn, 0, "merged"));
  return 0;
}
