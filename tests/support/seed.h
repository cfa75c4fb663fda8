// The seed of a random test: a new one each run, printed, and replayed by TEST_SEED=n. (gtest's own
// random_seed() is 0 unless the tests are shuffled.)
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace metastore::test {

inline uint64_t Seed() {
  const char* given = std::getenv("TEST_SEED");
  uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("seed: TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace metastore::test
