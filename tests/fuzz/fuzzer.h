// Fuzzers: one file tests/fuzz/NAME_fuzzer.cc for every parser of bytes from outside, with its
// seeds in tests/fuzz/corpus/NAME/. Each defines LLVMFuzzerTestOneInput and links the whole of
// src/ but main.
//
//   make fuzz                       builds with clang's libFuzzer and runs each for FUZZ_SECONDS
//   make CONFIG=asan replay-corpus  runs each over its corpus once, with any compiler
//
// A target does more than not crash: it states what must hold of the result with FUZZ_CHECK. An
// input that broke something goes into the corpus under a name that says what it broke.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#define FUZZ_CHECK(condition) CHECK(condition)

namespace metastore::fuzz {

inline std::string_view Bytes(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Cuts a number for the target's own choices from the front of the input; 0 when it is used up.
inline uint64_t TakeNumber(std::string_view* input, size_t bytes) {
  uint64_t number = 0;
  for (; bytes > 0 && !input->empty(); --bytes) {
    number = number << 8 | static_cast<unsigned char>(input->front());
    input->remove_prefix(1);
  }
  return number;
}

}  // namespace metastore::fuzz
