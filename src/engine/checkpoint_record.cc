#include "engine/checkpoint_record.h"

#include <rocksdb/db.h>

#include <memory>
#include <vector>

#include "engine/rocks.h"

namespace metastore::engine {

std::optional<std::string> ReadCheckpointRecord(const std::string& directory,
                                                std::string_view system_key) {
  rocksdb::DBOptions options;
  options.info_log = NewSilentLogger();
  rocksdb::DB* opened = nullptr;
  // kSystem is RocksDB's default family.
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, {}}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  if (!rocksdb::DB::OpenForReadOnly(options, directory, families, &handles, &opened).ok()) {
    return std::nullopt;
  }
  std::unique_ptr<rocksdb::DB> db(opened);
  std::string value;
  rocksdb::Status status = db->Get({}, handles[0], ToSlice(system_key), &value);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  if (!status.ok()) return std::nullopt;
  return value;
}

}  // namespace metastore::engine
