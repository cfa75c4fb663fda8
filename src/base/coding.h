// Fixed and variable-length integers in byte strings. Big-endian where the bytes are compared
// as keys, little-endian base-128 varints (as in LevelDB) inside values and messages.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace metastore {

inline void PutBig64(std::string* out, uint64_t v) {
  v = __builtin_bswap64(v);
  out->append(reinterpret_cast<const char*>(&v), sizeof v);
}
inline void PutBig32(std::string* out, uint32_t v) {
  v = __builtin_bswap32(v);
  out->append(reinterpret_cast<const char*>(&v), sizeof v);
}
inline uint64_t ReadBig64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline uint32_t ReadBig32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}

inline void PutVarint(std::string* out, uint64_t v) {
  char buffer[10];
  int n = 0;
  while (v >= 0x80) {
    buffer[n++] = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  buffer[n++] = static_cast<char>(v);
  out->append(buffer, n);
}
inline void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

// The Take functions cut a field from the front of *in. They return false, and leave *in in an
// unspecified place, when the bytes end early or a varint is longer than 10 bytes.
inline bool TakeVarint(std::string_view* in, uint64_t* v) {
  uint64_t result = 0;
  for (size_t i = 0; i < in->size() && i < 10; ++i) {
    uint64_t byte = static_cast<unsigned char>((*in)[i]);
    if (i == 9 && byte > 1) return false;
    result |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *v = result;
      in->remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}
inline bool TakeByte(std::string_view* in, uint8_t* v) {
  if (in->empty()) return false;
  *v = static_cast<uint8_t>((*in)[0]);
  in->remove_prefix(1);
  return true;
}
inline bool TakeBig64(std::string_view* in, uint64_t* v) {
  if (in->size() < 8) return false;
  *v = ReadBig64(in->data());
  in->remove_prefix(8);
  return true;
}
inline bool TakeBig32(std::string_view* in, uint32_t* v) {
  if (in->size() < 4) return false;
  *v = ReadBig32(in->data());
  in->remove_prefix(4);
  return true;
}
inline bool TakeBytes(std::string_view* in, std::string_view* bytes) {
  uint64_t size;
  if (!TakeVarint(in, &size) || size > in->size()) return false;
  *bytes = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

}  // namespace metastore
