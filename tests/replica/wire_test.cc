#include "replica/wire.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace metastore::replica::wire {
namespace {

raft::Message FullMessage() {
  raft::Message m;
  m.type = raft::MessageType::kAppend;
  m.from = 1;
  m.to = 2;
  m.term = 3;
  m.log_term = 4;
  m.log_index = 5;
  m.reject_hint = 6;
  m.commit_index = 7;
  m.reject = true;
  m.transfer = true;
  m.context = 8;
  m.entries.push_back({3, 6, raft::EntryType::kNormal, nullptr});
  m.entries.push_back({3, 7, raft::EntryType::kConfChange,
                       std::make_shared<const std::string>(std::string("a\0b", 3))});
  m.snapshot = {9, 2, {{1, 2, 3}, {1, 2}, {4}}};
  return m;
}

Result<Frame> Take(const std::string& bytes) {
  std::string_view in = bytes;
  size_t wanted;
  return TakeFrame(&in, &wanted);
}

TEST(WireTest, ARaftMessageComesBackAsItWas) {
  raft::Message m = FullMessage();
  std::string bytes = EncodeRaft(m);
  Result<Frame> frame = Take(bytes);
  ASSERT_TRUE(frame.ok()) << frame.ToString();
  ASSERT_EQ(frame->type, FrameType::kRaft);
  Result<raft::Message> back = DecodeRaft(frame->body);
  ASSERT_TRUE(back.ok()) << back.ToString();
  EXPECT_EQ(back->type, m.type);
  EXPECT_EQ(back->from, m.from);
  EXPECT_EQ(back->to, m.to);
  EXPECT_EQ(back->term, m.term);
  EXPECT_EQ(back->log_term, m.log_term);
  EXPECT_EQ(back->log_index, m.log_index);
  EXPECT_EQ(back->reject_hint, m.reject_hint);
  EXPECT_EQ(back->commit_index, m.commit_index);
  EXPECT_EQ(back->reject, m.reject);
  EXPECT_EQ(back->transfer, m.transfer);
  EXPECT_EQ(back->context, m.context);
  ASSERT_EQ(back->entries.size(), 2u);
  EXPECT_EQ(back->entries[0].data, nullptr);
  EXPECT_EQ(back->entries[1].Data(), m.entries[1].Data());
  EXPECT_EQ(back->entries[1].type, raft::EntryType::kConfChange);
  EXPECT_EQ(back->snapshot.index, 9u);
  EXPECT_EQ(back->snapshot.membership, m.snapshot.membership);
}

// A field of a later version: number 1000, of each of the wire types that protobuf has.
TEST(WireTest, FieldsThatThisVersionDoesNotKnowAreSkipped) {
  const raft::Message m = FullMessage();
  const std::string bytes = EncodeRaft(m);
  Result<Frame> frame = Take(bytes);
  ASSERT_TRUE(frame.ok());
  const std::string unknown[] = {
      std::string("\xc0\x3e\x07", 3),                               // varint
      std::string("\xc1\x3e\x01\x02\x03\x04\x05\x06\x07\x08", 10),  // 64 bits
      std::string("\xc2\x3e\x03new", 6),                            // bytes
      std::string("\xc5\x3e\x01\x02\x03\x04", 6),                   // 32 bits
  };
  for (const std::string& field : unknown) {
    for (const std::string& body :
         {std::string(frame->body) + field, field + std::string(frame->body)}) {
      Result<raft::Message> back = DecodeRaft(body);
      ASSERT_TRUE(back.ok()) << back.ToString();
      EXPECT_EQ(EncodeRaft(*back), bytes);
    }
  }
}

TEST(WireTest, AFrameThatIsNotCompleteAsksForItsWholeLength) {
  std::string bytes = MakeFrame(FrameType::kForward, "body");
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    std::string_view in = std::string_view(bytes).substr(0, cut);
    size_t wanted = 0;
    EXPECT_EQ(TakeFrame(&in, &wanted).code(), Code::kNotFound);
    EXPECT_EQ(wanted, cut < kFrameHeaderBytes ? kFrameHeaderBytes : bytes.size());
  }
}

TEST(WireTest, EveryFlippedBitOfTypeLengthOrBodyIsNoticed) {
  std::string bytes = MakeFrame(FrameType::kForward, "some body");
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    if (i / 8 == 2 || i / 8 == 3) continue;  // reserved
    std::string damaged = bytes;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    EXPECT_FALSE(Take(damaged).ok()) << "bit " << i;
  }
}

TEST(WireTest, ALengthBeyondTheLimitIsRefusedBeforeItsBytesArrive) {
  std::string bytes = MakeFrame(FrameType::kForward, "x").substr(0, kFrameHeaderBytes);
  bytes[4] = '\x7f';
  EXPECT_EQ(Take(bytes).code(), Code::kCorruption);
}

TEST(WireTest, EntriesThatDoNotFollowEachOtherAreRefused) {
  raft::Message m = FullMessage();
  m.entries[1].index = 9;
  std::string bytes = EncodeRaft(m);
  EXPECT_EQ(DecodeRaft(Take(bytes)->body).code(), Code::kCorruption);
}

}  // namespace
}  // namespace metastore::replica::wire
