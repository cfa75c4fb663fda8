#include "server/session.h"

#include <utility>

#include "base/check.h"

namespace metastore::server {
namespace {

constexpr size_t kFirstSlots = 16;
// A ring that grew beyond this is given back when it is empty.
constexpr size_t kKeptSlots = 64;

}  // namespace

uint64_t Session::AddSlot(bool drop) {
  if (slot_count_ == slots_.size()) {
    std::vector<Slot> larger(slots_.empty() ? kFirstSlots : slots_.size() * 2);
    for (size_t i = 0; i < slot_count_; ++i) {
      larger[(first_slot_ + i) & (larger.size() - 1)] = std::move(At(first_slot_ + i));
    }
    slots_.swap(larger);
  }
  uint64_t number = first_slot_ + slot_count_++;
  Slot& slot = At(number);
  slot.ready = false;
  slot.drop = drop;
  return number;
}

void Session::Fill(uint64_t number, std::string_view reply) {
  CHECK_LT(number - first_slot_, slot_count_);
  Slot& slot = At(number);
  CHECK(!slot.ready);
  slot.ready = true;
  if (number == first_slot_) {
    if (!slot.drop) output_.Append(reply);
    return PopReady();
  }
  if (slot.drop) return;
  slot.reply = reply;
  slot_bytes_ += reply.size();
}

void Session::Fill(uint64_t number, std::string&& reply) {
  CHECK_LT(number - first_slot_, slot_count_);
  Slot& slot = At(number);
  CHECK(!slot.ready);
  slot.ready = true;
  if (number == first_slot_) {
    if (!slot.drop) output_.Append(std::move(reply));
    return PopReady();
  }
  if (slot.drop) return;
  slot_bytes_ += reply.size();
  slot.reply = std::move(reply);
}

void Session::Push(const std::shared_ptr<const std::string>& bytes) {
  if (stream_ == nullptr) return output_.Append(bytes);
  if (held_ == nullptr) held_ = std::make_unique<OutputBuffer>();
  held_->Append(bytes);
}

void Session::ReleasePushes() {
  if (held_ == nullptr) return;
  output_.Append(held_->TakeAll());
  held_.reset();
}

// The front slot is ready and its reply, if any, is in the output.
void Session::PopReady() {
  ++first_slot_;
  --slot_count_;
  while (slot_count_ > 0 && At(first_slot_).ready) {
    Slot& slot = At(first_slot_);
    slot_bytes_ -= slot.reply.size();
    output_.Append(std::move(slot.reply));
    slot.reply.clear();
    ++first_slot_;
    --slot_count_;
  }
  if (slot_count_ == 0 && slots_.size() > kKeptSlots) std::vector<Slot>().swap(slots_);
}

}  // namespace metastore::server
