// A View that counts what is read of the state below it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/view.h"

namespace metastore::test {

class CountingView final : public engine::View {
 public:
  explicit CountingView(const engine::View& view) : view_(view) { now_ms_ = view.now_ms(); }

  // Point reads, seeks and steps since the last call.
  uint64_t Reads() { return std::exchange(reads_, 0); }
  // The lower bound of the last iterator.
  const std::string& last_lower() const { return last_lower_; }

  bool Get(engine::Family family, std::string_view key, std::string* value) const override {
    ++reads_;
    return view_.Get(family, key, value);
  }
  std::unique_ptr<engine::Iterator> NewIterator(engine::Family family, std::string_view lower,
                                                std::string_view upper) const override {
    last_lower_ = lower;
    return std::make_unique<CountingIterator>(view_.NewIterator(family, lower, upper), &reads_);
  }
  const engine::DatabaseMap& databases() const override { return view_.databases(); }
  engine::KeyCounts Counts(uint8_t prefix) const override { return view_.Counts(prefix); }

 private:
  class CountingIterator final : public engine::Iterator {
   public:
    CountingIterator(std::unique_ptr<engine::Iterator> iterator, uint64_t* reads)
        : iterator_(std::move(iterator)), reads_(reads) {}
    bool Valid() const override { return iterator_->Valid(); }
    void Seek(std::string_view key) override { ++*reads_, iterator_->Seek(key); }
    void SeekForPrev(std::string_view key) override { ++*reads_, iterator_->SeekForPrev(key); }
    void Next() override { ++*reads_, iterator_->Next(); }
    void Prev() override { ++*reads_, iterator_->Prev(); }
    std::string_view key() const override { return iterator_->key(); }
    std::string_view value() const override { return iterator_->value(); }

   private:
    std::unique_ptr<engine::Iterator> iterator_;
    uint64_t* reads_;
  };

  const engine::View& view_;
  mutable uint64_t reads_ = 0;
  mutable std::string last_lower_;
};

}  // namespace metastore::test
