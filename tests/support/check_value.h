// What `metaStore check` finds wrong with a value.
#pragma once

#include <string_view>

#include "types/hash.h"
#include "types/keyspace.h"
#include "types/list.h"
#include "types/set.h"
#include "types/sorted_set.h"
#include "types/stream.h"

namespace metastore::test {

inline Status CheckValue(const engine::View& view, int db, std::string_view key) {
  const std::optional<types::Record> record = types::Find(view, db, key);
  if (!record) return Status::NotFound();
  if (record->header().type == types::Type::kString) return Status::Ok();
  std::string_view rest = record->payload();
  const types::CollectionHeader header = types::CollectionHeader::Take(&rest);
  switch (record->header().type) {
    case types::Type::kString:
      break;
    case types::Type::kList:
      return types::CheckList(view, header, rest);
    case types::Type::kSet:
      return types::CheckSet(view, header, rest);
    case types::Type::kZset:
      return types::CheckSortedSet(view, header, rest);
    case types::Type::kHash:
      return types::CheckHash(view, record->header(), header, rest);
    case types::Type::kStream:
      return types::CheckStream(view, header, rest);
  }
  return Status::Corruption("a type that is not there");
}

}  // namespace metastore::test
