// A disk that runs full under the state machine, by a file system that says so.
#include "engine/database.h"

#include <gtest/gtest.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/engine/scratch.h"

namespace metastore::engine {
namespace {

class FullFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FullFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::atomic<bool>* full,
           std::atomic<int>* refused)
      : FSWritableFileOwnerWrapper(std::move(file)), full_(full), refused_(refused) {}
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    if (*full_) return Refuse();
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& verification,
                           rocksdb::IODebugContext* debug) override {
    if (*full_) return Refuse();
    return FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
  }

 private:
  rocksdb::IOStatus Refuse() {
    ++*refused_;
    rocksdb::IOStatus status = rocksdb::IOStatus::NoSpace("the test's disk is full");
    status.SetRetryable(true);  // as RocksDB's own file system does for ENOSPC
    return status;
  }
  std::atomic<bool>* full_;
  std::atomic<int>* refused_;
};

class FullFileSystem : public rocksdb::FileSystemWrapper {
 public:
  FullFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FullFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (status.ok() && name.ends_with(".sst")) {
      *file = std::make_unique<FullFile>(std::move(*file), &full, &refused);
    }
    return status;
  }
  std::atomic<bool> full = false;
  std::atomic<int> refused = 0;
};

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    env_ = rocksdb::NewCompositeEnv(files_);
    Result<std::unique_ptr<Database>> opened =
        Database::Open(scratch_ / "db", {.write_buffer_bytes = 1 << 20,
                                         .block_cache = rocksdb::NewLRUCache(1 << 20),
                                         .create = true,
                                         .env = env_.get()});
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    database_ = std::move(*opened);
  }
  void Put(int n) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch
                    .Put(database_->family(Family::kMeta), "key" + std::to_string(n),
                         std::string(10'000, 'v'))
                    .ok());
    database_->Write(&batch);
  }
  bool Has(int n) {
    std::string value;
    return database_->Get({}, Family::kMeta, "key" + std::to_string(n), &value);
  }

  ScratchDirectory scratch_;
  std::shared_ptr<FullFileSystem> files_ = std::make_shared<FullFileSystem>();
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, WritesWaitWhileTheDiskIsFullAndGoOnWhenThereIsRoom) {
  Put(0);
  files_->full = true;
  // Far more than the memtables take.
  constexpr int kWrites = 2000;
  std::future<void> writer = std::async(std::launch::async, [this] {
    for (int n = 1; n <= kWrites; ++n) Put(n);
  });
  while (files_->refused == 0) std::this_thread::yield();
  // The writer cannot end: it needs room on the disk. Reads go on.
  EXPECT_EQ(writer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_TRUE(Has(0));
  files_->full = false;
  writer.get();
  for (int n = 0; n <= kWrites; n += 100) EXPECT_TRUE(Has(n)) << n;
  EXPECT_TRUE(database_->Flush().ok());
}

TEST_F(DatabaseTest, AFlushWithoutRoomIsAStatusAndALaterOneSucceeds) {
  Put(0);
  files_->full = true;
  Status status = database_->Flush();
  EXPECT_EQ(status.code(), Code::kNoSpace) << status.ToString();
  EXPECT_TRUE(Has(0));
  files_->full = false;
  Put(1);
  EXPECT_TRUE(database_->Flush().ok());
  EXPECT_TRUE(Has(1));
}

TEST_F(DatabaseTest, ClosingOnAFullDiskEnds) {
  Put(0);
  files_->full = true;
  database_.reset();
}

}  // namespace
}  // namespace metastore::engine
