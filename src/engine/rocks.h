// What the two RocksDB instances of a node have in common. Included by .cc files of this folder.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace metastore::engine {

inline rocksdb::Slice ToSlice(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToView(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

// `what` begins the message: "cannot open the Raft log data/1/raft".
Status FromRocks(const rocksdb::Status& status, const std::string& what);

// Files of RocksDB's own log kept few and small, statistics dumps off, no memory maps.
void SetCommonOptions(rocksdb::Options* options);

// Makes what is missing of a database's families, so that an Open of all of them needs to make
// none: RocksDB's own way to make them there aborts the process when the disk fails it.
rocksdb::Status CreateMissingFamilies(const rocksdb::Options& options, const std::string& path,
                                      const std::vector<rocksdb::ColumnFamilyDescriptor>& families);

// RocksDB writes a LOG file into a directory, even one that it only reads, unless it has a logger.
std::shared_ptr<rocksdb::Logger> NewSilentLogger();

// For RocksDB's max_open_files: all files stay open where the descriptor limit has room for it,
// because a closed one costs its index and filter again.
int MaxOpenFiles();

}  // namespace metastore::engine
