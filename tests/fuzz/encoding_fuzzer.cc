// Stored records that are read back from disk or from another node: what decodes encodes to bytes
// that decode to the same; where a record has one encoding only, to the same bytes.
#include <optional>
#include <string>

#include "engine/data_directory.h"
#include "engine/log_codec.h"
#include "engine/system_keys.h"
#include "raft/types.h"
#include "replica/topology.h"
#include "tests/fuzz/fuzzer.h"
#include "tests/support/memory_txn.h"
#include "types/hash.h"
#include "types/keyspace.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace engine = metastore::engine;
namespace raft = metastore::raft;
namespace types = metastore::types;

namespace {

void CheckApplied(std::string_view input) {
  std::optional<engine::Applied> applied = engine::DecodeApplied(input);
  if (applied) FUZZ_CHECK(engine::EncodeApplied(*applied) == input);
}

void CheckDatabases(std::string_view input) {
  std::optional<engine::DatabaseMap> map = engine::DecodeDatabases(input);
  if (map) FUZZ_CHECK(engine::EncodeDatabases(*map) == input);
}

void CheckCounts(std::string_view input) {
  std::optional<engine::KeyCounts> counts = engine::DecodeCounts(input);
  if (!counts) return;
  FUZZ_CHECK(counts->keys >= 0 && counts->expiring >= 0);
  std::optional<engine::KeyCounts> again = engine::DecodeCounts(engine::EncodeCounts(*counts));
  FUZZ_CHECK(again && again->keys == counts->keys && again->expiring == counts->expiring);
}

void CheckIdentity(std::string_view input) {
  metastore::Result<engine::Identity> identity = engine::DecodeIdentity(std::string(input));
  if (!identity.ok()) return;
  metastore::Result<engine::Identity> again =
      engine::DecodeIdentity(engine::EncodeIdentity(*identity));
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->cluster_id == identity->cluster_id);
  FUZZ_CHECK(again->node_id == identity->node_id);
  FUZZ_CHECK(again->disk_incarnation == identity->disk_incarnation);
  FUZZ_CHECK(again->run == identity->run);
}

void CheckRecord(std::string_view input) {
  std::string_view payload = input;
  std::optional<types::Header> header = types::Record::ParseHeader(&payload);
  if (!header) return;
  types::Record running{std::string(input)};  // CHECKs
  FUZZ_CHECK(running.payload() == payload);
  types::Record again(types::Record::Encode(*header, payload));
  FUZZ_CHECK(again.payload() == payload);
  FUZZ_CHECK(again.header().type == header->type && again.header().form == header->form);
  FUZZ_CHECK(again.header().deadline_ms == header->deadline_ms);
  FUZZ_CHECK(again.header().version == header->version);
}

// A hash that the offline check takes can be read.
void CheckHash(std::string_view input) {
  std::string_view payload = input;
  std::optional<types::Header> header = types::Record::ParseHeader(&payload);
  if (!header || header->type != types::Type::kHash) return;
  const std::string_view whole = payload;
  std::optional<types::CollectionHeader> collection = types::CollectionHeader::Parse(&payload);
  metastore::test::MemoryTxn txn;
  if (!collection || !types::CheckHash(txn, *header, *collection, payload).ok()) return;
  txn.set_now_ms(0);
  header->deadline_ms.reset();
  txn.Put(engine::Family::kMeta, types::MetaKey(0, "k"), types::Record::Encode(*header, whole));
  metastore::Result<types::Hash> hash = types::Hash::Find(txn, 0, "k");
  FUZZ_CHECK(hash.ok());
  uint64_t shown = 0;
  hash->ForEach([&](std::string_view field, std::string_view value) {
    std::string again;
    FUZZ_CHECK(hash->Get(field, &again) && again == value);
    return ++shown > 0;
  });
  FUZZ_CHECK(shown == hash->size());
}

// A set that the offline check takes can be read and changed.
void CheckSet(std::string_view input) {
  std::string_view payload = input;
  std::optional<types::Header> header = types::Record::ParseHeader(&payload);
  if (!header || header->type != types::Type::kSet) return;
  const std::string_view whole = payload;
  std::optional<types::CollectionHeader> collection = types::CollectionHeader::Parse(&payload);
  metastore::test::MemoryTxn txn;
  if (!collection || !types::CheckSet(txn, *collection, payload).ok()) return;
  header->deadline_ms.reset();
  txn.Put(engine::Family::kMeta, types::MetaKey(0, "k"), types::Record::Encode(*header, whole));
  metastore::Result<types::Set> set = types::Set::Find(txn, 0, "k");
  FUZZ_CHECK(set.ok());
  uint64_t shown = 0;
  types::Unite({&*set, 1}, [&](std::string_view member) {
    FUZZ_CHECK(set->Contains(member));
    return ++shown > 0;
  });
  FUZZ_CHECK(shown == set->size());
  metastore::Result<types::WritableSet> writable = types::WritableSet::Open(txn, 0, "k");
  FUZZ_CHECK(writable.ok());
  writable->Add("7");
  writable->Add("x");
  FUZZ_CHECK(writable->Contains("7") && writable->Contains("x"));
  writable->Save();
}

// The same of a list.
void CheckList(std::string_view input) {
  std::string_view payload = input;
  std::optional<types::Header> header = types::Record::ParseHeader(&payload);
  if (!header || header->type != types::Type::kList) return;
  const std::string_view whole = payload;
  std::optional<types::CollectionHeader> collection = types::CollectionHeader::Parse(&payload);
  metastore::test::MemoryTxn txn;
  if (!collection || !types::CheckList(txn, *collection, payload).ok()) return;
  header->deadline_ms.reset();
  txn.Put(engine::Family::kMeta, types::MetaKey(0, "k"), types::Record::Encode(*header, whole));
  metastore::Result<types::List> list = types::List::Find(txn, 0, "k");
  FUZZ_CHECK(list.ok());
  uint64_t shown = 0;
  list->ForEach(0, UINT64_MAX, false, [&](std::string_view element) {
    std::string again;
    FUZZ_CHECK(list->At(shown, &again) && again == element);
    return ++shown > 0;
  });
  FUZZ_CHECK(shown == list->size());
}

// The same of a stream, which then takes another entry.
void CheckStream(std::string_view input) {
  std::string_view payload = input;
  std::optional<types::Header> header = types::Record::ParseHeader(&payload);
  if (!header || header->type != types::Type::kStream) return;
  const std::string_view whole = payload;
  std::optional<types::CollectionHeader> collection = types::CollectionHeader::Parse(&payload);
  metastore::test::MemoryTxn txn;
  if (!collection || !types::CheckStream(txn, *collection, payload).ok()) return;
  header->deadline_ms.reset();
  txn.Put(engine::Family::kMeta, types::MetaKey(0, "k"), types::Record::Encode(*header, whole));
  metastore::Result<types::WritableStream> stream = types::WritableStream::Open(txn, 0, "k");
  FUZZ_CHECK(stream.ok());
  uint64_t shown = 0;
  stream->ForEach(types::kMinStreamId, types::kMaxStreamId,
                  [&](types::StreamId id, types::StreamFields) {
                    FUZZ_CHECK(stream->Contains(id));
                    return ++shown > 0;
                  });
  FUZZ_CHECK(shown == stream->size());
  types::StreamId next = stream->info().last_id;
  if (!next.Increment()) return;
  const std::string_view fields[] = {"f", "v"};
  stream->Append(next, fields);
  stream->Erase(stream->info().first_id);
  FUZZ_CHECK(stream->size() == shown);
  stream->Save();
}

void CheckMembership(std::string_view input) {
  metastore::Result<raft::Membership> membership = raft::DecodeMembership(input);
  if (!membership.ok()) return;
  metastore::Result<raft::Membership> again =
      raft::DecodeMembership(raft::EncodeMembership(*membership));
  FUZZ_CHECK(again.ok() && *again == *membership);
}

void CheckHardState(std::string_view input) {
  raft::HardState state, again;
  if (!engine::DecodeHardState(input, &state)) return;
  FUZZ_CHECK(engine::DecodeHardState(engine::EncodeHardState(state), &again));
  FUZZ_CHECK(again.term == state.term && again.voted_for == state.voted_for &&
             again.commit_index == state.commit_index);
}

void CheckStart(std::string_view input) {
  raft::Position start, start_again;
  raft::Membership membership, membership_again;
  if (!engine::DecodeStart(input, &start, &membership)) return;
  FUZZ_CHECK(
      engine::DecodeStart(engine::EncodeStart(start, membership), &start_again, &membership_again));
  FUZZ_CHECK(start_again == start && membership_again == membership);
}

void CheckEntryHead(std::string_view input) {
  raft::Entry entry;
  if (!engine::TakeEntryHead(&input, &entry.term, &entry.type)) return;
  const std::string head = engine::EncodeEntryHead(entry);
  std::string_view rest = head;
  raft::Entry again;
  FUZZ_CHECK(engine::TakeEntryHead(&rest, &again.term, &again.type) && rest.empty());
  FUZZ_CHECK(again.term == entry.term && again.type == entry.type);
}

// The same of a sorted set.
void CheckSortedSet(std::string_view input) {
  std::string_view payload = input;
  std::optional<types::Header> header = types::Record::ParseHeader(&payload);
  if (!header || header->type != types::Type::kZset) return;
  const std::string_view whole = payload;
  std::optional<types::CollectionHeader> collection = types::CollectionHeader::Parse(&payload);
  metastore::test::MemoryTxn txn;
  if (!collection || !types::CheckSortedSet(txn, *collection, payload).ok()) return;
  header->deadline_ms.reset();
  txn.Put(engine::Family::kMeta, types::MetaKey(0, "k"), types::Record::Encode(*header, whole));
  metastore::Result<types::SortedSet> set = types::SortedSet::Find(txn, 0, "k");
  FUZZ_CHECK(set.ok());
  uint64_t shown = 0;
  set->ForEach([&](std::string_view member, double score) {
    FUZZ_CHECK(set->Score(member) == score && set->Rank(member) == shown);
    return ++shown > 0;
  });
  FUZZ_CHECK(shown == set->size());
  metastore::Result<types::WritableSortedSet> writable =
      types::WritableSortedSet::Open(txn, 0, "k");
  FUZZ_CHECK(writable.ok());
  writable->Set("x", 7);
  FUZZ_CHECK(writable->Score("x") == 7);
  writable->Save();
}

void CheckTopology(std::string_view input) {
  namespace replica = metastore::replica;
  std::optional<replica::Topology> topology = replica::DecodeTopology(input);
  if (topology) {
    FUZZ_CHECK(replica::DecodeTopology(replica::EncodeTopology(*topology)) == topology);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = metastore::fuzz::Bytes(data, size);
  static constexpr void (*kChecks[])(std::string_view) = {
      CheckApplied,    CheckDatabases, CheckCounts,    CheckIdentity,  CheckRecord,
      CheckMembership, CheckHardState, CheckStart,     CheckEntryHead, CheckHash,
      CheckSet,        CheckList,      CheckSortedSet, CheckStream,    CheckTopology,
  };
  kChecks[metastore::fuzz::TakeNumber(&input, 1) % std::size(kChecks)](input);
  return 0;
}
