#include "server/output_buffer.h"

#include <utility>

#include "base/check.h"

namespace metastore::server {

size_t OutputBuffer::memory() const {
  size_t total = chunks_.capacity() * sizeof(Chunk);
  for (const Chunk& chunk : chunks_) {
    total += chunk.shared != nullptr ? chunk.shared->size() : chunk.own.capacity();
  }
  return total;
}

std::string* OutputBuffer::Tail() {
  if (chunks_.empty() || chunks_.back().shared != nullptr ||
      chunks_.back().own.size() >= kChunkBytes) {
    chunks_.emplace_back();
  }
  tail_start_ = chunks_.back().own.size();
  return &chunks_.back().own;
}

void OutputBuffer::Appended() {
  CHECK_GE(chunks_.back().own.size(), tail_start_);
  bytes_ += chunks_.back().own.size() - tail_start_;
}

void OutputBuffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  Tail()->append(bytes);
  Appended();
}

void OutputBuffer::Append(std::string&& bytes) {
  if (bytes.size() < kMoveBytes) return Append(std::string_view(bytes));
  bytes_ += bytes.size();
  if (!chunks_.empty() && chunks_.back().bytes().empty()) {
    chunks_.back().own = std::move(bytes);
  } else {
    chunks_.push_back({std::move(bytes), nullptr});
  }
}

void OutputBuffer::Append(const std::shared_ptr<const std::string>& bytes) {
  if (bytes->size() < kShareBytes) return Append(std::string_view(*bytes));
  bytes_ += bytes->size();
  chunks_.push_back({{}, bytes});
}

int OutputBuffer::Gather(struct iovec* pieces, int max) const {
  int n = 0;
  for (size_t i = first_; i < chunks_.size() && n < max; ++i) {
    size_t skip = i == first_ ? first_sent_ : 0;
    const std::string& chunk = chunks_[i].bytes();
    if (chunk.size() == skip) continue;
    pieces[n].iov_base = const_cast<char*>(chunk.data() + skip);
    pieces[n].iov_len = chunk.size() - skip;
    ++n;
  }
  return n;
}

void OutputBuffer::Consume(size_t n) {
  CHECK_LE(n, bytes_);
  bytes_ -= n;
  if (bytes_ == 0) return Clear();
  while (n > 0) {
    Chunk& front = chunks_[first_];
    size_t left = front.bytes().size() - first_sent_;
    if (n < left) {
      first_sent_ += n;
      return;
    }
    n -= left;
    front = Chunk();  // sent memory goes back at once
    first_sent_ = 0;
    ++first_;
  }
  // The empty strings in front are dropped once they are the greater part.
  if (first_ >= 64 && first_ * 2 >= chunks_.size()) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputBuffer::Clear() {
  bytes_ = 0;
  first_ = 0;
  first_sent_ = 0;
  if (chunks_.size() == 1 && chunks_[0].shared == nullptr &&
      chunks_[0].own.capacity() <= kKeptBytes) {
    chunks_[0].own.clear();
    return;
  }
  std::vector<Chunk>().swap(chunks_);
}

std::string OutputBuffer::TakeAll() {
  std::string all;
  if (chunks_.size() == 1 && first_sent_ == 0 && chunks_[0].shared == nullptr) {
    all = std::move(chunks_[0].own);
  } else {
    all.reserve(bytes_);
    for (size_t i = first_; i < chunks_.size(); ++i) {
      all.append(chunks_[i].bytes(), i == first_ ? first_sent_ : 0, std::string::npos);
    }
  }
  std::vector<Chunk>().swap(chunks_);
  bytes_ = first_ = first_sent_ = 0;
  return all;
}

}  // namespace metastore::server
