// Overlay: the gathered writes of one column family of a Txn. Point reads go through an
// open-addressing hash table, because nearly every write looks its key up first; the order of the
// keys is kept only from the first iterator of a turn on, because most turns have none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::engine {

// Bytes that live until Clear, at addresses that do not move.
class KeyArena {
 public:
  std::string_view Add(std::string_view bytes);
  void Clear();

 private:
  static constexpr size_t kBlockBytes = 256 << 10;
  std::vector<std::unique_ptr<char[]>> blocks_;  // the last one is being filled
  size_t used_ = 0;                              // of the last block
  std::vector<std::unique_ptr<char[]>> large_;   // keys that have a block of their own
};

class Overlay {
 public:
  struct Write {
    std::string_view key;
    std::optional<std::string> value;  // none: the key is deleted
  };

  // Null when the overlay says nothing about the key. Good until the next Set or Clear.
  const Write* Find(std::string_view key) const;
  // Returns how many bytes the overlay grew by (negative when a value shrank).
  int64_t Set(std::string_view key, std::optional<std::string> value);
  void Clear();

  bool empty() const { return writes_.empty(); }
  // In the order in which the keys were first written, which is the same on every replica.
  const std::vector<Write>& writes() const { return writes_; }

  // The writes in byte order, for a batch: neighbours take nearly the same way through the
  // memtable. *order is reused memory.
  struct Place {
    uint64_t front;  // the key's first 8 bytes as a number: decides nearly every comparison
    uint32_t position;
  };
  void SortForBatch(std::vector<Place>* order) const;

  // Positions in writes() in byte order. Kept up to date by later Sets.
  struct KeyLess {
    using is_transparent = void;
    const Overlay* overlay;
    bool operator()(uint32_t a, uint32_t b) const { return Key(a) < Key(b); }
    bool operator()(uint32_t a, std::string_view b) const { return Key(a) < b; }
    bool operator()(std::string_view a, uint32_t b) const { return a < Key(b); }
    std::string_view Key(uint32_t position) const { return overlay->writes_[position].key; }
  };
  using Order = std::set<uint32_t, KeyLess>;
  const Order& Sorted() const;

  Overlay() = default;
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

 private:
  // A slot holds the upper half of the key's hash and the position in writes_ plus one, so that a
  // probe touches a key only when it is nearly certain to be the one. 0 is a free slot.
  size_t FindSlot(std::string_view key, uint64_t hash) const;
  void Grow();

  KeyArena keys_;
  std::vector<Write> writes_;
  std::vector<uint64_t> slots_;  // a power of two, at most half full
  mutable std::optional<Order> order_;
};

}  // namespace metastore::engine
