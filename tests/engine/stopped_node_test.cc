// What the offline check meets that a running node does not: files as a kill left them.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/check.h"
#include "engine/data_directory.h"
#include "engine/log_store.h"
#include "tests/engine/scratch.h"

namespace metastore::engine {
namespace {

// Keeps all of RocksDB's background threads busy: what is to be flushed stays in memory.
class HeldThreads {
 public:
  HeldThreads() {
    rocksdb::Env* env = rocksdb::Env::Default();
    for (const rocksdb::Env::Priority priority :
         {rocksdb::Env::BOTTOM, rocksdb::Env::LOW, rocksdb::Env::HIGH}) {
      for (int i = env->GetBackgroundThreads(priority); i > 0; --i) {
        ++wanted_;
        env->Schedule(&Hold, this, priority);
      }
    }
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return held_ == wanted_; });
  }
  ~HeldThreads() {
    std::unique_lock<std::mutex> lock(mutex_);
    released_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return held_ == 0; });
  }

 private:
  static void Hold(void* argument) {
    auto* self = static_cast<HeldThreads*>(argument);
    std::unique_lock<std::mutex> lock(self->mutex_);
    ++self->held_;
    self->changed_.notify_all();
    self->changed_.wait(lock, [self] { return self->released_; });
    --self->held_;
    self->changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int wanted_ = 0;
  int held_ = 0;
  bool released_ = false;
};

// The log's manifest names the WAL files that were synced and closed. RocksDB opened without the
// option of that name would take it back, in a database that it may only read, and end the process.
TEST(StoppedNodeTest, ALogWhoseClosedWalIsNamedInTheManifestIsRead) {
  constexpr size_t kWriteBufferBytes = 1 << 20;
  constexpr raft::Index kEntries = 40;
  ScratchDirectory scratch, copy;
  ASSERT_TRUE(DataDirectory::Open(copy.path(), "one", 1).ok());
  Result<std::unique_ptr<LogStore>> log =
      LogStore::Open({.directory = scratch.path(), .write_buffer_bytes = kWriteBufferBytes});
  ASSERT_TRUE(log.ok()) << log.ToString();
  {
    HeldThreads held;
    for (raft::Index i = 1; i <= kEntries; ++i) {
      LogWrite write;
      write.entries = {{1, i, raft::EntryType::kNormal,
                        std::make_shared<const std::string>(64 << 10, 'a' + i % 26)}};
      ASSERT_TRUE((*log)->Append(write).ok());
    }
    CopyAsAfterKill(scratch / "raft", copy / "raft");
  }
  ASSERT_GE(FilesEndingIn(copy / "raft", ".log").size(), 2u) << "no WAL was closed";

  Findings findings(10, [](const std::string& line) { ADD_FAILURE() << line; });
  Result<std::unique_ptr<StoppedNode>> node =
      StoppedNode::Open(copy.path(), &findings, [](const std::string&) {});
  ASSERT_TRUE(node.ok()) << node.ToString();
  raft::Index entries = 0;
  std::optional<StoppedLog> stopped = (*node)->CheckLog(
      [&entries](raft::Position, raft::EntryType, std::string_view) { ++entries; });
  ASSERT_TRUE(stopped.has_value());
  EXPECT_EQ(stopped->last.index, kEntries);
  EXPECT_EQ(entries, kEntries);
  EXPECT_EQ(findings.total(), 0u);
}

}  // namespace
}  // namespace metastore::engine
