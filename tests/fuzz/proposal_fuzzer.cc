// Log entries and forwarded batches. What reads well, written again, is the same bytes as far as
// the varints were in their shortest form; in any case it reads back as the same items.
#include <string>
#include <vector>

#include "replica/proposal.h"
#include "tests/fuzz/fuzzer.h"

using metastore::Code;
using metastore::Status;
using metastore::replica::BatchBuilder;
using metastore::replica::BatchHeader;
using metastore::replica::EntryReader;
using metastore::replica::Item;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = metastore::fuzz::Bytes(data, size);
  BatchHeader header;
  Status forwarded = metastore::replica::ReadBatch(input, &header);
  FUZZ_CHECK(forwarded.ok() || forwarded.code() == Code::kCorruption);

  EntryReader reader(input);
  if (!reader.ReadHeader().ok()) return 0;
  std::string again;
  metastore::replica::BeginEntry(reader.now_ms(), reader.seed(), &again);
  std::vector<std::string> seen;
  Item item;
  while (reader.NextBatch(&header).ok()) {
    BatchBuilder builder;
    Status next;
    while ((next = reader.NextItem(&item)).ok()) {
      builder.Add(item.kind, item.protocol, item.db, item.args);
      for (std::string_view arg : item.args) seen.emplace_back(arg);
    }
    if (next.code() != Code::kNotFound) return 0;
    again += metastore::replica::EncodeBatch(header, builder.Take());
  }
  EntryReader second(again);
  FUZZ_CHECK(second.ReadHeader().ok());
  size_t at = 0;
  while (second.NextBatch(&header).ok()) {
    while (second.NextItem(&item).ok()) {
      for (std::string_view arg : item.args) FUZZ_CHECK(arg == seen[at++]);
    }
  }
  FUZZ_CHECK(at == seen.size());
  return 0;
}
