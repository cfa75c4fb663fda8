// Snapshots that come from another node: the manifest, and chunks in any order with the receiver
// cut off and its disk harmed between them. The first byte chooses: a manifest as it is, or how to
// make a good one and what to do with it.
//
//   script := 1 count:u8 (fill:u8 size:be16)... (operation:u8 argument:be16)...
//
// Whatever came, a snapshot is finished only with the bytes that its manifest names.
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "engine/checkpoint.h"
#include "tests/fuzz/fuzzer.h"

namespace {

namespace fs = std::filesystem;
using metastore::Code;
using metastore::Result;
using metastore::Status;
using metastore::engine::CheckpointPosition;
using metastore::engine::CheckpointSink;
using metastore::fuzz::TakeNumber;

constexpr size_t kMaxFiles = 6;
constexpr size_t kMaxFileBytes = 4096;
constexpr int kMaxOperations = 64;

// In memory where that is possible: every snapshot is synced.
class Scratch {
 public:
  Scratch() {
    const fs::path base = fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
    std::string pattern = base / "metastore-XXXXXX";
    FUZZ_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Of a fixed length, so that names come in the order of their numbers.
std::string NameOf(size_t number) { return "file" + std::to_string(number); }

std::string MakeManifest(const std::vector<std::string>& files) {
  std::string manifest = "MSCK1";
  metastore::PutVarint(&manifest, files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    metastore::PutBytes(&manifest, NameOf(i));
    metastore::PutVarint(&manifest, files[i].size());
    metastore::PutBig32(&manifest, metastore::Crc32c(files[i]));
  }
  return manifest;
}

std::unique_ptr<CheckpointSink> Open(const std::string& directory, std::string_view manifest) {
  Result<std::unique_ptr<CheckpointSink>> sink = CheckpointSink::Open(directory, manifest);
  FUZZ_CHECK(sink.ok());
  return std::move(*sink);
}

bool SamePlace(CheckpointPosition a, CheckpointPosition b) {
  return a.file == b.file && a.offset == b.offset;
}

// A name leads nowhere but into the directory of the snapshot.
void CheckManifest(const Scratch& scratch, std::string_view manifest) {
  const std::string directory = scratch.path() + "/to";
  Result<std::unique_ptr<CheckpointSink>> sink = CheckpointSink::Open(directory, manifest);
  if (sink.ok()) {
    const CheckpointPosition position = (*sink)->position();
    FUZZ_CHECK(position.offset == 0);
    FUZZ_CHECK(SamePlace(Open(directory, manifest)->position(), position));
  } else {
    FUZZ_CHECK(sink.code() == Code::kCorruption);
    FUZZ_CHECK(!fs::exists(directory));
  }
  for (const auto& entry : fs::directory_iterator(scratch.path())) {
    FUZZ_CHECK(entry.path() == directory);
  }
}

class Transfer {
 public:
  Transfer(std::string directory, std::vector<std::string> files)
      : directory_(std::move(directory)),
        files_(std::move(files)),
        manifest_(MakeManifest(files_)),
        sink_(Open(directory_, manifest_)) {}

  // False: the transfer is over.
  bool Do(uint64_t operation, uint64_t argument) {
    if (!damaged_) CheckPrefix();
    const CheckpointPosition due = sink_->position();
    switch (operation % 6) {
      case 0:
        if (sink_->complete()) return Finish();
        CHECK_OK(sink_->Write(due, Bytes(due, 1 + argument)));
        break;
      case 1: {  // a chunk that is not due, or does not fit
        const CheckpointPosition at{static_cast<uint32_t>(argument % (files_.size() + 1)),
                                    argument / 8};
        const std::string chunk(argument % 3 == 0 ? 0 : 2 * kMaxFileBytes, 'x');
        FUZZ_CHECK(!sink_->Write(at, chunk).ok());
        FUZZ_CHECK(SamePlace(sink_->position(), due));
        break;
      }
      case 2:  // a restart goes on where it was
        sink_.reset();
        sink_ = Open(directory_, manifest_);
        FUZZ_CHECK(damaged_ || SamePlace(sink_->position(), due));
        break;
      case 3: {  // a chunk of other bytes than the manifest means
        if (sink_->complete()) return Finish();
        std::string chunk(Bytes(due, 1 + argument));
        chunk[0] = static_cast<char>(chunk[0] ^ 1);
        CHECK_OK(sink_->Write(due, chunk));
        damaged_ = true;
        break;
      }
      case 4: {  // what a crash or somebody else leaves, seen by the next start
        sink_.reset();
        const std::string path = directory_ + "/" + NameOf(argument % (kMaxFiles + 1));
        std::error_code error;
        if (fs::is_regular_file(path)) {
          fs::resize_file(path, argument / 8 % (2 * kMaxFileBytes), error);
        } else {
          fs::create_directory(path, error);
          fs::create_directory(path + "/inner", error);
        }
        damaged_ = true;
        Result<std::unique_ptr<CheckpointSink>> sink = CheckpointSink::Open(directory_, manifest_);
        if (!sink.ok()) return false;
        sink_ = std::move(*sink);
        break;
      }
      case 5: {  // another snapshot in between: nothing of this one stays
        sink_.reset();
        Open(directory_, MakeManifest({}));
        sink_ = Open(directory_, manifest_);
        damaged_ = false;
        FUZZ_CHECK(sink_->position().offset == 0);
        break;
      }
    }
    return true;
  }

 private:
  std::string_view Bytes(CheckpointPosition at, size_t most) const {
    return std::string_view(files_[at.file]).substr(at.offset, most);
  }

  void CheckPrefix() const {
    const CheckpointPosition at = sink_->position();
    FUZZ_CHECK(at.file <= files_.size());
    FUZZ_CHECK(sink_->complete() == (at.file == files_.size()));
    for (size_t i = 0; i < at.file; ++i) {
      FUZZ_CHECK(ReadWhole(directory_ + "/" + NameOf(i)) == files_[i]);
    }
    if (sink_->complete()) return;
    FUZZ_CHECK(at.offset < files_[at.file].size());
    FUZZ_CHECK(ReadWhole(directory_ + "/" + NameOf(at.file)) ==
               std::string_view(files_[at.file]).substr(0, at.offset));
  }

  bool Finish() const {
    if (!sink_->Finish().ok()) {
      FUZZ_CHECK(damaged_);
      return false;
    }
    size_t found = 0;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      FUZZ_CHECK(entry.is_regular_file());
      ++found;
    }
    FUZZ_CHECK(found == files_.size());
    for (size_t i = 0; i < files_.size(); ++i) {
      FUZZ_CHECK(ReadWhole(directory_ + "/" + NameOf(i)) == files_[i]);
    }
    return false;
  }

  const std::string directory_;
  const std::vector<std::string> files_;
  const std::string manifest_;
  std::unique_ptr<CheckpointSink> sink_;
  bool damaged_ = false;  // what is there need not be a beginning of the snapshot
};

void RunScript(const Scratch& scratch, std::string_view script) {
  std::vector<std::string> files(TakeNumber(&script, 1) % (kMaxFiles + 1));
  for (std::string& file : files) {
    const auto fill = static_cast<char>(TakeNumber(&script, 1));
    file.resize(TakeNumber(&script, 2) % (kMaxFileBytes + 1));
    // No two chunks alike, or a chunk in the wrong place would look right.
    for (size_t i = 0; i < file.size(); ++i) {
      file[i] = static_cast<char>(fill + static_cast<char>(i * 31 >> 3));
    }
  }
  Transfer transfer(scratch.path() + "/to", std::move(files));
  for (int i = 0; i < kMaxOperations && !script.empty(); ++i) {
    const uint64_t operation = TakeNumber(&script, 1);
    if (!transfer.Do(operation, TakeNumber(&script, 2))) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = metastore::fuzz::Bytes(data, size);
  const Scratch scratch;
  if (TakeNumber(&input, 1) % 2 == 0) {
    CheckManifest(scratch, input);
  } else {
    RunScript(scratch, input);
  }
  return 0;
}
