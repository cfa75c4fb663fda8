// Sending and receiving a checkpoint as chunks. A manifest names every file with its size and
// checksum; chunks carry (file number, offset, bytes). The receiver keeps what it has on disk, so
// a cut transfer of the same snapshot goes on where it stopped, and memory holds one chunk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace metastore::engine {

inline constexpr size_t kCheckpointChunkBytes = 256 << 10;

// manifest bytes: see docs/encoding.md. Opaque to the transport.
struct CheckpointPosition {
  uint32_t file = 0;
  uint64_t offset = 0;
};

// Reads a checkpoint directory made by Engine::Checkpoint. One thread.
class CheckpointSource {
 public:
  static Result<std::unique_ptr<CheckpointSource>> Open(const std::string& directory);
  virtual ~CheckpointSource() = default;
  virtual const std::string& manifest() const = 0;
  virtual uint64_t total_bytes() const = 0;
  // The chunk at *position, and *position moved behind it. An empty string: the end.
  virtual Result<std::string> Next(CheckpointPosition* position) = 0;
};

// Builds the directory from a manifest and chunks. One thread.
class CheckpointSink {
 public:
  // Starts in `directory`, or goes on there when it holds the beginning of the same manifest;
  // anything else in it is removed. kCorruption: the manifest makes no sense (bad sizes, names
  // with path separators …).
  static Result<std::unique_ptr<CheckpointSink>> Open(const std::string& directory,
                                                      std::string_view manifest);
  virtual ~CheckpointSink() = default;
  // Where the next chunk must start.
  virtual CheckpointPosition position() const = 0;
  virtual Status Write(CheckpointPosition at, std::string_view chunk) = 0;
  virtual bool complete() const = 0;
  // Verifies sizes and checksums and syncs files and directory. The directory may then be given
  // to Engine::Install.
  virtual Status Finish() = 0;
};

}  // namespace metastore::engine
