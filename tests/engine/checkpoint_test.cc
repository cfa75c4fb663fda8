#include "engine/checkpoint.h"

#include <gtest/gtest.h>

#include <map>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "engine/engine.h"
#include "tests/engine/scratch.h"

namespace metastore::engine {
namespace {

std::map<std::string, std::string> Files(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    files[entry.path().filename().string()] = ReadWhole(entry.path().string());
  }
  return files;
}

class CheckpointTest : public ::testing::Test {
 protected:
  // Sizes at, below and above the chunk; empty files at both ends and in the middle.
  void SetUp() override {
    std::filesystem::create_directory(from_);
    Random random(1);
    std::map<std::string, size_t> sizes{{"a", 0},
                                        {"b", 10},
                                        {"c", kCheckpointChunkBytes},
                                        {"d", 0},
                                        {"e", 3 * kCheckpointChunkBytes + 7},
                                        {"f", 1},
                                        {"g", 0}};
    for (const auto& [name, size] : sizes) {
      std::string bytes(size, '\0');
      for (char& c : bytes) c = static_cast<char>(random.Next());
      WriteWhole(from_ + "/" + name, bytes);
    }
    auto source = CheckpointSource::Open(from_);
    ASSERT_TRUE(source.ok()) << source.ToString();
    source_ = std::move(*source);
  }
  std::unique_ptr<CheckpointSink> OpenSink() {
    auto sink = CheckpointSink::Open(to_, source_->manifest());
    EXPECT_TRUE(sink.ok()) << sink.ToString();
    return std::move(*sink);
  }
  // Copies up to `chunks` chunks.
  void Copy(CheckpointSink* sink, int chunks) {
    CheckpointPosition position = sink->position();
    for (; chunks > 0; --chunks) {
      Result<std::string> chunk = source_->Next(&position);
      ASSERT_TRUE(chunk.ok()) << chunk.ToString();
      if (chunk->empty()) return;
      Status status = sink->Write(sink->position(), *chunk);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  }
  static constexpr int kAll = 1000;

  ScratchDirectory scratch_;
  std::string from_ = scratch_ / "from", to_ = scratch_ / "to";
  std::unique_ptr<CheckpointSource> source_;
};

TEST_F(CheckpointTest, ACopyHoldsTheSameFiles) {
  EXPECT_EQ(source_->total_bytes(), 4 * kCheckpointChunkBytes + 18);
  std::unique_ptr<CheckpointSink> sink = OpenSink();
  EXPECT_FALSE(sink->complete());
  Copy(sink.get(), kAll);
  ASSERT_TRUE(sink->complete());
  ASSERT_TRUE(sink->Finish().ok());
  EXPECT_EQ(Files(to_), Files(from_));
}

TEST_F(CheckpointTest, ATransferCutAfterAnyChunkGoesOnWhereItStopped) {
  for (int cut = 0; cut <= 8; ++cut) {
    std::filesystem::remove_all(to_);
    std::unique_ptr<CheckpointSink> sink = OpenSink();
    Copy(sink.get(), cut);
    CheckpointPosition reached = sink->position();
    sink = OpenSink();
    EXPECT_EQ(sink->position().file, reached.file) << cut;
    EXPECT_EQ(sink->position().offset, reached.offset) << cut;
    Copy(sink.get(), kAll);
    ASSERT_TRUE(sink->complete());
    ASSERT_TRUE(sink->Finish().ok());
    EXPECT_EQ(Files(to_), Files(from_));
  }
}

TEST_F(CheckpointTest, AnotherSnapshotStartsAnew) {
  Copy(OpenSink().get(), 3);
  WriteWhole(from_ + "/b", "other");
  source_ = std::move(*CheckpointSource::Open(from_));
  std::unique_ptr<CheckpointSink> sink = OpenSink();
  EXPECT_EQ(sink->position().offset, 0u);
  Copy(sink.get(), kAll);
  ASSERT_TRUE(sink->Finish().ok());
  EXPECT_EQ(Files(to_), Files(from_));
}

TEST_F(CheckpointTest, ADamagedFileIsFoundByFinishAndFetchedAgain) {
  std::unique_ptr<CheckpointSink> sink = OpenSink();
  Copy(sink.get(), kAll);
  FlipBit(to_ + "/e", 12345, 2);
  EXPECT_EQ(sink->Finish().code(), Code::kCorruption);
  sink = OpenSink();
  EXPECT_FALSE(sink->complete());
  Copy(sink.get(), kAll);
  ASSERT_TRUE(sink->Finish().ok());
  EXPECT_EQ(Files(to_), Files(from_));
}

TEST_F(CheckpointTest, AChunkThatIsNotDueOrDoesNotFitIsRefused) {
  std::unique_ptr<CheckpointSink> sink = OpenSink();
  CheckpointPosition due = sink->position();
  EXPECT_EQ(due.file, 1u);  // "a" is empty
  EXPECT_EQ(sink->Write({2, 0}, "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(sink->Write({1, 5}, "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(sink->Write(due, "").code(), Code::kCorruption);
  EXPECT_EQ(sink->Write(due, std::string(11, 'x')).code(), Code::kCorruption);
  EXPECT_TRUE(sink->Write(due, std::string(10, 'x')).ok());
}

TEST_F(CheckpointTest, TheManifestHasItsGoldenBytes) {
  ScratchDirectory one;
  WriteWhole(one / "MANIFEST", "abc");
  std::string expected = "MSCK1\x01\x08MANIFEST\x03";
  PutBig32(&expected, Crc32c("abc"));
  EXPECT_EQ((*CheckpointSource::Open(one.path()))->manifest(), expected);
}

TEST_F(CheckpointTest, AManifestThatMakesNoSenseIsRefusedBeforeAnythingIsTouched) {
  WriteWhole(scratch_ / "bystander", "here");
  auto manifest = [](std::string_view name, uint64_t size, uint64_t count = 1) {
    std::string bytes = "MSCK1";
    PutVarint(&bytes, count);
    PutBytes(&bytes, name);
    PutVarint(&bytes, size);
    PutBig32(&bytes, 0);
    return bytes;
  };
  std::string good = manifest("f", 3);
  ASSERT_TRUE(CheckpointSink::Open(to_, good).ok());
  std::filesystem::remove_all(to_);
  std::vector<std::string> bad{"",
                               "MSCK",
                               "MSCK2\x01",
                               manifest("", 3),
                               manifest(".", 3),
                               manifest("..", 3),
                               manifest("../bystander", 3),
                               manifest("/etc/passwd", 3),
                               manifest("a/b", 3),
                               manifest(std::string_view("a\0b", 3), 3),
                               manifest(std::string(300, 'x'), 3),
                               manifest("f", UINT64_MAX),
                               manifest("f", 3, 2),
                               manifest("f", 3, UINT64_MAX),
                               manifest("SNAPSHOT-MANIFEST", 3),
                               good + "x",
                               good + good.substr(6)};
  for (size_t cut = 0; cut < good.size(); ++cut) bad.push_back(good.substr(0, cut));
  for (const std::string& bytes : bad) {
    EXPECT_EQ(CheckpointSink::Open(to_, bytes).code(), Code::kCorruption);
    EXPECT_FALSE(std::filesystem::exists(to_));
  }
  EXPECT_EQ(ReadWhole(scratch_ / "bystander"), "here");
}

TEST_F(CheckpointTest, AnEngineInstallsWhatTheSinkFinished) {
  auto open = [](const std::string& directory) {
    return std::move(*Engine::Open({.directory = directory, .write_buffer_bytes = 4 << 20}));
  };
  std::unique_ptr<Engine> sender = open(scratch_ / "sender");
  sender->txn().BeginEntry(1, 1, 1);
  sender->txn().Put(Family::kMeta, "k", std::string(1 << 20, 'v'));
  sender->Commit();
  std::filesystem::remove_all(from_);
  ASSERT_TRUE(sender->Checkpoint(from_).ok());
  source_ = std::move(*CheckpointSource::Open(from_));
  std::unique_ptr<CheckpointSink> sink = OpenSink();
  Copy(sink.get(), kAll);
  ASSERT_TRUE(sink->Finish().ok());
  std::unique_ptr<Engine> receiver = open(scratch_ / "receiver");
  ASSERT_TRUE(receiver->Install(to_).ok());
  std::string value;
  ASSERT_TRUE(receiver->NewView(0)->Get(Family::kMeta, "k", &value));
  EXPECT_EQ(value, std::string(1 << 20, 'v'));
}

}  // namespace
}  // namespace metastore::engine
