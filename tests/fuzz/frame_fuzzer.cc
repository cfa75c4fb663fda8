// Frames of peers, and the Raft messages in them. The first byte chooses whether the input is the
// stream itself or the body of a well-formed frame, which a fuzzer could not find for the checksum.
#include <string>

#include "replica/wire.h"
#include "tests/fuzz/fuzzer.h"

namespace wire = metastore::replica::wire;

namespace {

void TakeAll(std::string_view stream) {
  for (;;) {
    const size_t before = stream.size();
    size_t wanted = 0;
    metastore::Result<wire::Frame> frame = wire::TakeFrame(&stream, &wanted);
    if (!frame.ok()) {
      FUZZ_CHECK(stream.size() == before);
      if (frame.code() == metastore::Code::kNotFound) FUZZ_CHECK(wanted > stream.size());
      return;
    }
    FUZZ_CHECK(before - stream.size() == wire::kFrameHeaderBytes + frame->body.size());
    if (frame->type != wire::FrameType::kRaft) continue;
    metastore::Result<metastore::raft::Message> message = wire::DecodeRaft(frame->body);
    if (!message.ok()) continue;
    // What is understood says the same when it is written again.
    std::string again = wire::EncodeRaft(*message);
    std::string_view rest = again;
    metastore::Result<wire::Frame> second = wire::TakeFrame(&rest, &wanted);
    FUZZ_CHECK(second.ok());
    metastore::Result<metastore::raft::Message> back = wire::DecodeRaft(second->body);
    FUZZ_CHECK(back.ok());
    FUZZ_CHECK(wire::EncodeRaft(*back) == again);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = metastore::fuzz::Bytes(data, size);
  if (metastore::fuzz::TakeNumber(&input, 1) % 2 == 0) {
    TakeAll(input);
  } else {
    TakeAll(wire::MakeFrame(wire::FrameType::kRaft, input));
  }
  return 0;
}
