// CRC-16/XMODEM and the Redis Cluster slot of a key, which is the top of every stored key.
#pragma once

#include <cstdint>
#include <string_view>

namespace metastore {

inline constexpr int kSlots = 16384;

uint16_t Crc16(std::string_view bytes);

// 0 … kSlots-1. Of a key with a non-empty {tag} only the first tag counts, so that keys with the
// same tag share a slot.
int KeySlot(std::string_view key);

}  // namespace metastore
