// The forms in which Redis packs small collections into one string, as they stand in an RDB
// payload: listpack, and of older versions ziplist, zipmap and intset. Readers take bytes of any
// origin.
//
//   listpack := size:le32 count:le16 (65535: unknown) entry* 0xff
//   entry    := (number | string) back_length       back_length: of what is in front of it
//   ziplist  := size:le32 tail:le32 count:le16 (65535: unknown) entry* 0xff
//   entry    := previous_length (number | string)
//   zipmap   := count:u8 (key_length key value_length unused:u8 value unused_bytes)* 0xff
//   intset   := width:le32 (2, 4 or 8) count:le32 number*     ascending
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::types {

// What is read of a payload. Few bytes may stand for many elements: each takes its part of what may
// be taken in all.
struct TakenElements {
  std::vector<std::string_view> elements;
  std::deque<std::string> owned;  // bytes of some of them
  int64_t bytes_left = 0;         // below 0: there was more than that

  // False where too little is left; it stays so.
  bool Spend(uint64_t bytes);
  bool Add(std::string_view element) {
    elements.push_back(element);
    return Spend(kElementBytes + element.size());
  }
  static constexpr uint64_t kElementBytes = 64;
};

// Each adds to *out. Views are into the bytes that are read, or, of a number's digits, into what
// `out` owns. False where the bytes are not exactly one such form, or too much; *out then holds
// some of it.
using ReadForm = bool (*)(std::string_view bytes, TakenElements* out);
bool ReadListpack(std::string_view bytes, TakenElements* out);
bool ReadZiplist(std::string_view bytes, TakenElements* out);
bool ReadZipmap(std::string_view bytes, TakenElements* out);
bool ReadIntset(std::string_view bytes, TakenElements* out);

class ListpackWriter {
 public:
  ListpackWriter();
  // As a number where the bytes are one in its usual form.
  void Append(std::string_view element);
  void AppendInteger(int64_t value);

  size_t count() const { return count_; }
  // With the byte that ends it.
  size_t bytes() const { return bytes_.size() + 1; }
  // It is empty again.
  std::string Take();

 private:
  void EndEntry(size_t start);

  std::string bytes_;
  size_t count_ = 0;
};

// All of the numbers, which are ascending and different.
std::string MakeIntset(const std::vector<int64_t>& numbers);

}  // namespace metastore::types
