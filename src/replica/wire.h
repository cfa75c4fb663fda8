// Frames between peers and the bytes of the values in them.
//
//   frame := version:u8(1) type:u8 reserved:u16(0) length:be32 crc32c:be32 body
//
// The checksum covers type, length and body. A body is the protobuf message of that type
// (peer.proto). A receiver skips frames of a type it does not know and drops a connection whose
// checksum fails.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "raft/types.h"

namespace metastore::replica::wire {

inline constexpr uint8_t kFrameVersion = 1;
inline constexpr size_t kFrameHeaderBytes = 12;
// One entry may hold a value of 512 MB; nothing that is legal comes near this.
inline constexpr size_t kMaxFrameBytes = size_t{1} << 30;

// A connection for each kind of traffic, so that a vote or an append never waits behind data.
enum class Channel : uint8_t { kRaft = 0, kForward = 1, kSnapshot = 2 };
inline constexpr int kChannels = 3;

enum class FrameType : uint8_t {
  kHello = 1,
  kRefusal = 2,
  kRaft = 3,
  kForward = 4,
  kSnapshotOffer = 5,
  kSnapshotChunk = 6,
  kSnapshotAck = 7,
  kStateDigest = 8,
  kJoin = 9,
  kJoinAnswer = 10,
  kChange = 11,
  kChangeAnswer = 12,
  kDiskState = 13,
  kCopies = 14,
};

// A whole frame around `body`.
std::string MakeFrame(FrameType type, std::string_view body);

struct Frame {
  FrameType type = FrameType::kHello;
  std::string_view body;
};

// Cuts the first frame off *in. kNotFound: more bytes are needed, *wanted tells how many the frame
// has in all (or a header's worth). kCorruption: the connection must be dropped.
Result<Frame> TakeFrame(std::string_view* in, size_t* wanted);

std::string EncodeRaft(const raft::Message& message);
Result<raft::Message> DecodeRaft(std::string_view body);

}  // namespace metastore::replica::wire
