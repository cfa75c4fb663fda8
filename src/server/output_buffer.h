// Bytes on their way to one client: a list of chunks, so that a large reply is moved in as it is
// and a slow client's backlog is never copied to grow. Empty buffers hold no memory beyond
// kKeptBytes. io role.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::server {

class OutputBuffer {
 public:
  // A reply of at least this size becomes a chunk of its own instead of being copied.
  static constexpr size_t kMoveBytes = 16 << 10;
  // The same of bytes that are shared between clients.
  static constexpr size_t kShareBytes = 1 << 10;
  // A chunk that has reached this size takes no further replies.
  static constexpr size_t kChunkBytes = 64 << 10;
  // What an empty buffer may keep for the next reply.
  static constexpr size_t kKeptBytes = 1 << 10;

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  // Memory held, sent parts of chunks included.
  size_t memory() const;

  // The string that the next reply may be appended to directly, then Appended() must be called.
  std::string* Tail();
  void Appended();

  void Append(std::string_view bytes);
  void Append(std::string&& bytes);
  // Bytes that many clients are sent are kept once.
  void Append(const std::shared_ptr<const std::string>& bytes);

  // Fills up to `max` pieces of the front, in order; returns how many.
  int Gather(struct iovec* pieces, int max) const;
  // Drops the first n bytes, which have been sent.
  void Consume(size_t n);
  void Clear();

  // Everything, as one string; the buffer is empty afterwards.
  std::string TakeAll();

 private:
  // Either is empty.
  struct Chunk {
    std::string own;
    std::shared_ptr<const std::string> shared;
    const std::string& bytes() const { return shared != nullptr ? *shared : own; }
  };

  std::vector<Chunk> chunks_;
  size_t first_ = 0;       // chunks before it are sent
  size_t first_sent_ = 0;  // bytes of chunks_[first_] that are sent
  size_t bytes_ = 0;       // unsent, without what was appended to Tail() since Tail()
  size_t tail_start_ = 0;
};

}  // namespace metastore::server
