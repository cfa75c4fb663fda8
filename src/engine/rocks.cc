#include "engine/rocks.h"

#include <sys/resource.h>

#include <algorithm>

namespace metastore::engine {

Status FromRocks(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return Status::Ok();
  std::string message = what + ": " + status.ToString();
  if (status.IsNoSpace()) return {Code::kNoSpace, message};
  if (status.IsCorruption()) return Status::Corruption(message);
  if (status.IsInvalidArgument()) return Status::InvalidArgument(message);
  return Status::IoError(message);
}

rocksdb::Status CreateMissingFamilies(
    const rocksdb::Options& options, const std::string& path,
    const std::vector<rocksdb::ColumnFamilyDescriptor>& families) {
  std::vector<std::string> names;
  if (options.env->FileExists(path + "/CURRENT").ok()) {
    rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(options, path, &names);
    if (!listed.ok()) return listed;
  } else if (options.create_if_missing) {
    names.push_back(rocksdb::kDefaultColumnFamilyName);
  } else {
    return rocksdb::Status::InvalidArgument(path, "does not exist (CURRENT is missing)");
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> present, missing;
  for (const rocksdb::ColumnFamilyDescriptor& family : families) {
    bool there = std::find(names.begin(), names.end(), family.name) != names.end();
    (there ? present : missing).push_back(family);
  }
  if (missing.empty()) return rocksdb::Status::OK();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path, present, &handles, &opened);
  if (!status.ok()) return status;
  std::unique_ptr<rocksdb::DB> db(opened);
  for (size_t i = 0; i < missing.size() && status.ok(); ++i) {
    // There may be a handle although it failed.
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    status = db->CreateColumnFamily(missing[i].options, missing[i].name, &handle);
    if (handle != nullptr) handles.push_back(handle);
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  rocksdb::Status closed = db->Close();
  return status.ok() ? closed : status;
}

namespace {
class SilentLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};
}  // namespace

std::shared_ptr<rocksdb::Logger> NewSilentLogger() { return std::make_shared<SilentLogger>(); }

int MaxOpenFiles() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  if (limit.rlim_cur >= 16384) return -1;
  // The rest is for sockets.
  return static_cast<int>(limit.rlim_cur / 4) + 32;
}

void SetCommonOptions(rocksdb::Options* options) {
  options->create_if_missing = true;
  options->paranoid_checks = true;
  // Nobody reads the OPTIONS file, but RocksDB syncs the directory with it, and a sync that failed
  // must not pass.
  options->fail_if_options_file_error = true;
  options->max_open_files = MaxOpenFiles();
  options->max_file_opening_threads = 2;
  // One thread writes, so memtable inserts need no coordination.
  options->allow_concurrent_memtable_write = false;
  options->enable_write_thread_adaptive_yield = false;
  options->enable_pipelined_write = false;
  options->unordered_write = false;
  options->bytes_per_sync = 1 << 20;
  options->info_log_level = rocksdb::WARN_LEVEL;
  options->max_log_file_size = 1 << 20;
  options->keep_log_file_num = 2;
  options->stats_dump_period_sec = 0;
  options->stats_persist_period_sec = 0;
  options->max_manifest_file_size = 16 << 20;
}

}  // namespace metastore::engine
