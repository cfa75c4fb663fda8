// Batches that a peer forwards: what the leader takes into the log, every replica can apply, and
// two replicas come out with the same bytes and answers. Input: batches of node 2, one after
// another; each that is taken becomes an entry.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/parse.h"
#include "replica/item_check.h"
#include "replica/state_machine.h"
#include "server/command_table.h"
#include "tests/fuzz/fuzzer.h"
#include "tests/support/memory_engine.h"

using namespace metastore;
using namespace metastore::replica;

namespace {

constexpr raft::NodeId kFrom = 2;
constexpr raft::NodeId kOther = 1;
// So that an input costs milliseconds.
constexpr size_t kMaxBatches = 16;
constexpr int64_t kMaxOffset = 64 << 10;
constexpr int64_t kMaxDraws = 10'000;

const commands::CommandSpec* FindCommand(std::string_view name) {
  const server::Command* command = server::CommandTable::All().Find(name);
  return command == nullptr ? nullptr : command->spec;
}

// One that makes a string or a reply of up to 512 MB is legal and costs seconds.
bool IsLarge(std::string_view batch) {
  EntryReader reader(batch);
  BatchHeader header;
  Item item;
  FUZZ_CHECK(reader.NextBatch(&header).ok());
  while (reader.NextItem(&item).ok()) {
    int64_t offset, draws;
    if (item.args.size() > 2 && EqualsIgnoreCase(item.args[0], "HRANDFIELD") &&
        ParseInt64(item.args[2], &draws) && draws < -kMaxDraws) {
      return true;
    }
    if (item.args.size() > 2 && EqualsIgnoreCase(item.args[0], "SETRANGE") &&
        ParseInt64(item.args[2], &offset) && offset > kMaxOffset) {
      return true;
    }
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = fuzz::Bytes(data, size);
  testing_support::MemoryEngine accepting_engine, other_engine;
  StateMachine accepting(&accepting_engine, kFrom, 1, FindCommand);
  StateMachine other(&other_engine, kOther, 1, FindCommand);
  raft::Index index = 0;
  std::vector<LaneReply> replies, none;
  while (!input.empty() && index < kMaxBatches) {
    // As the frame around it would say it.
    const size_t bytes = std::min(fuzz::TakeNumber(&input, 2), input.size());
    const std::string_view batch = input.substr(0, bytes);
    input.remove_prefix(bytes);
    if (!CheckForwardedBatch(batch, kFrom, FindCommand).ok() || IsLarge(batch)) continue;
    std::string data_of_entry;
    BeginEntry(static_cast<int64_t>(1000 + index), /*seed=*/index, &data_of_entry);
    data_of_entry += batch;
    ++index;
    const raft::Entry entry{1, index, raft::EntryType::kNormal,
                            std::make_shared<const std::string>(std::move(data_of_entry))};
    accepting.Apply(entry, &replies);
    other.Apply(entry, &none);
    accepting.Commit();
    other.Commit();
    FUZZ_CHECK(accepting_engine.tables() == other_engine.tables());
  }
  FUZZ_CHECK(none.empty());
  return 0;
}
