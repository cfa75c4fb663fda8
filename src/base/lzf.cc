#include "base/lzf.h"

namespace metastore {

bool DecompressLzf(std::string_view in, size_t size, std::string* out) {
  out->clear();
  if (size / kMaxLzfRatio > in.size()) return false;
  out->reserve(size);
  size_t at = 0;
  while (at < in.size()) {
    const size_t control = static_cast<unsigned char>(in[at++]);
    if (control < 32) {
      const size_t length = control + 1;
      if (length > in.size() - at || length > size - out->size()) return false;
      out->append(in, at, length);
      at += length;
      continue;
    }
    size_t length = control >> 5;
    if (length == 7) {
      if (at == in.size()) return false;
      length += static_cast<unsigned char>(in[at++]);
    }
    length += 2;
    if (at == in.size()) return false;
    const size_t distance = ((control & 0x1f) << 8 | static_cast<unsigned char>(in[at++])) + 1;
    if (distance > out->size() || length > size - out->size()) return false;
    // Byte by byte: the source may reach into what it makes.
    for (size_t from = out->size() - distance; length > 0; --length) out->push_back((*out)[from++]);
  }
  return out->size() == size;
}

}  // namespace metastore
