// EntryWeight: how much an entry has written. A Txn holds all of it in memory until the commit, and
// the commands that share an entry may be small and write much: SETBIT takes 40 bytes of the log
// and rewrites a string of up to 512 MB.
//
// It follows from the entry and the state alone, not from which entries share a commit, so that
// every replica may judge commands by it. A large value that is written again counts once.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "engine/view.h"

namespace metastore::engine {

class EntryWeight {
 public:
  void Begin() {
    bytes_ = 0;
    if (!large_.empty()) large_.clear();
  }
  uint64_t bytes() const { return bytes_; }

  void Put(Family family, std::string_view key, size_t value_bytes) {
    const bool large = value_bytes >= kLargeBytes;
    if (large || !large_.empty()) Forget(family, key);
    if (large) large_[Hash(family, key)] = value_bytes;
    bytes_ += kWriteBytes + key.size() + value_bytes;
  }
  void Delete(Family family, std::string_view key) { Put(family, key, 0); }

 private:
  static constexpr size_t kLargeBytes = 4 << 10;
  static constexpr uint64_t kWriteBytes = 64;  // beside key and value

  static uint64_t Hash(Family family, std::string_view key) {
    return XXH3_64bits_withSeed(key.data(), key.size(), static_cast<uint64_t>(family));
  }
  void Forget(Family family, std::string_view key) {
    const auto old = large_.find(Hash(family, key));
    if (old == large_.end()) return;
    bytes_ -= old->second;
    large_.erase(old);
  }

  uint64_t bytes_ = 0;
  std::unordered_map<uint64_t, uint64_t> large_;  // the large values, by the hashes of their keys
};

}  // namespace metastore::engine
