#include "engine/overlay.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace metastore::engine {
namespace {

constexpr size_t kFirstSlots = 1 << 10;
// A turn of unusual size must not keep its memory for ever.
constexpr size_t kKeptSlots = 1 << 17;

constexpr uint64_t kHashMask = 0xffffffff00000000;

}  // namespace

std::string_view KeyArena::Add(std::string_view bytes) {
  char* place;
  if (bytes.size() > kBlockBytes / 4) {
    large_.push_back(std::make_unique<char[]>(bytes.size()));
    place = large_.back().get();
  } else {
    if (blocks_.empty() || kBlockBytes - used_ < bytes.size()) {
      blocks_.push_back(std::make_unique<char[]>(kBlockBytes));
      used_ = 0;
    }
    place = blocks_.back().get() + used_;
    used_ += bytes.size();
  }
  std::memcpy(place, bytes.data(), bytes.size());
  return {place, bytes.size()};
}

void KeyArena::Clear() {
  large_.clear();
  // One block stays, so that ordinary turns allocate nothing.
  if (blocks_.size() > 1) blocks_.resize(1);
  used_ = 0;
}

size_t Overlay::FindSlot(std::string_view key, uint64_t hash) const {
  size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    uint64_t slot = slots_[i];
    if (slot == 0) return i;
    if (((slot ^ hash) & kHashMask) == 0 && writes_[static_cast<uint32_t>(slot) - 1].key == key) {
      return i;
    }
  }
}

const Overlay::Write* Overlay::Find(std::string_view key) const {
  if (writes_.empty()) return nullptr;
  uint64_t slot = slots_[FindSlot(key, XXH3_64bits(key.data(), key.size()))];
  return slot == 0 ? nullptr : &writes_[static_cast<uint32_t>(slot) - 1];
}

int64_t Overlay::Set(std::string_view key, std::optional<std::string> value) {
  if (writes_.size() * 2 >= slots_.size()) Grow();
  uint64_t hash = XXH3_64bits(key.data(), key.size());
  size_t i = FindSlot(key, hash);
  int64_t value_size = value ? static_cast<int64_t>(value->size()) : 0;
  if (slots_[i] != 0) {
    Write& write = writes_[static_cast<uint32_t>(slots_[i]) - 1];
    int64_t old_size = write.value ? static_cast<int64_t>(write.value->size()) : 0;
    write.value = std::move(value);
    return value_size - old_size;
  }
  CHECK_LT(writes_.size(), size_t{UINT32_MAX} - 1);
  writes_.push_back({keys_.Add(key), std::move(value)});
  slots_[i] = (hash & kHashMask) | writes_.size();
  if (order_) order_->insert(static_cast<uint32_t>(writes_.size() - 1));
  return static_cast<int64_t>(key.size() + sizeof(Write)) + value_size;
}

void Overlay::Grow() {
  std::vector<uint64_t> grown(std::max(kFirstSlots, slots_.size() * 2));
  size_t mask = grown.size() - 1;
  for (size_t n = 0; n < writes_.size(); ++n) {
    uint64_t hash = XXH3_64bits(writes_[n].key.data(), writes_[n].key.size());
    size_t i = hash & mask;
    while (grown[i] != 0) i = (i + 1) & mask;
    grown[i] = (hash & kHashMask) | (n + 1);
  }
  slots_ = std::move(grown);
}

void Overlay::Clear() {
  order_.reset();
  if (writes_.empty()) return;
  if (slots_.size() > kKeptSlots) {
    slots_ = {};
    writes_ = {};
  } else {
    std::fill(slots_.begin(), slots_.end(), 0);
    writes_.clear();
  }
  keys_.Clear();
}

void Overlay::SortForBatch(std::vector<Place>* order) const {
  order->clear();
  order->reserve(writes_.size());
  for (size_t i = 0; i < writes_.size(); ++i) {
    std::string_view key = writes_[i].key;
    uint64_t front = 0;
    std::memcpy(&front, key.data(), std::min(key.size(), sizeof front));
    order->push_back({__builtin_bswap64(front), static_cast<uint32_t>(i)});
  }
  std::sort(order->begin(), order->end(), [this](const Place& a, const Place& b) {
    if (a.front != b.front) return a.front < b.front;
    return writes_[a.position].key < writes_[b.position].key;
  });
}

const Overlay::Order& Overlay::Sorted() const {
  if (!order_) {
    std::vector<uint32_t> positions(writes_.size());
    for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<uint32_t>(i);
    std::sort(positions.begin(), positions.end(), KeyLess{this});
    order_.emplace(positions.begin(), positions.end(), KeyLess{this});
  }
  return *order_;
}

}  // namespace metastore::engine
