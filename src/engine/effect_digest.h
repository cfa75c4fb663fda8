// EffectDigest: a number that stands for every write of the state machine's history, in order.
// Replicas that applied the same log have the same digest at the same index; a difference means
// that one of them computed something else. It costs two hashes of a write and no reading.
//
// Family::kSystem is left out: sessions are written once a turn, and turns differ between nodes.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <string_view>

#include "engine/view.h"

namespace metastore::engine {

class EffectDigest {
 public:
  uint64_t value() const { return value_; }
  void Restore(uint64_t value) { value_ = value; }

  void Entry(uint64_t index) { Mix(index); }
  void Put(Family family, std::string_view key, std::string_view value) {
    Write(kPut, family, key, value);
  }
  void Delete(Family family, std::string_view key) { Write(kDelete, family, key, {}); }
  void DeleteRange(Family family, std::string_view from, std::string_view to) {
    Write(kDeleteRange, family, from, to);
  }

 private:
  enum Kind : uint64_t { kPut = 1, kDelete = 2, kDeleteRange = 3 };

  void Write(Kind kind, Family family, std::string_view key, std::string_view value) {
    if (family == Family::kSystem) return;
    uint64_t seed = kind << 8 | static_cast<uint64_t>(family);
    seed = XXH3_64bits_withSeed(key.data(), key.size(), seed);
    Mix(XXH3_64bits_withSeed(value.data(), value.size(), seed));
  }
  // Order matters: a multiplication by an odd number and a shift, after splitmix64.
  void Mix(uint64_t number) {
    value_ = (value_ ^ number) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 32;
  }

  uint64_t value_ = 0;
};

}  // namespace metastore::engine
