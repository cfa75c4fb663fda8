// ReplyStream: a read's reply of any size on its way to one client. The handler that makes it runs
// on a fiber and is paused wherever the client has enough to receive, so the node holds a few
// hundred KB of the reply and never the whole.
//
// A handler is left by an exception where nobody wants the rest of its reply: HandlerLeft, here and
// in commands/bounded_read.cc the only exception of the project. It is thrown by a sink behind a
// write, passes through the handler (whose iterators go with its stack) and is caught where the
// handler was called. io role.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fiber.h"
#include "commands/command_spec.h"
#include "commands/context.h"
#include "resp/writer.h"
#include "server/command_table.h"
#include "server/session.h"

namespace metastore::server {

// A reply up to here is made like any other, in place. It is made anew by a stream when it turns
// out to be longer, so that no small reply pays for what large ones need.
inline constexpr size_t kShortReplyBytes = 256 << 10;
// What a stream gathers before it hands it to the session's output.
inline constexpr size_t kStreamChunkBytes = 64 << 10;
// A stream works so long without a pause, however fast its client is.
inline constexpr int64_t kStreamSliceNs = 1'000'000;

// What a stream counts for as a command under way, beside its arguments.
inline constexpr uint64_t kStreamOverheadBytes = 64;

class ReplyStream final : private resp::Sink {
 public:
  struct Read {
    const Command* command;
    int db;
    int protocol;
    uint64_t slot;
  };

  // The read's slot is the session's front one until the reply is complete. The arguments are
  // copied; the View lives as long as the stream.
  ReplyStream(Session* session, const Read& read, commands::Args args,
              std::shared_ptr<const engine::View> view, const Clock* clock, FiberStacks* stacks);
  // In the middle of the reply too: what is left of the handler is unwound.
  ~ReplyStream();
  ReplyStream(const ReplyStream&) = delete;
  ReplyStream& operator=(const ReplyStream&) = delete;

  Session* session() const { return session_; }
  const Read& read() const { return read_; }
  uint64_t counted_bytes() const { return bytes_.size() + kStreamOverheadBytes; }

  // Whether the client has taken enough for the stream to go on.
  bool MayRun() const;
  // Goes on until the client has kMaxReplyBytes to receive or the slice is over. The bytes are in
  // the session's output then.
  void Run();
  bool done() const { return fiber_.done(); }
  // Since when the client has let it wait.
  int64_t paused_ns() const { return paused_ns_; }

 private:
  void Take(std::string* bytes) override;
  void Step() override;
  void Write();
  void Pause();

  Session* const session_;
  const Read read_;
  std::string bytes_;  // of the arguments
  std::vector<std::string_view> args_;
  const std::shared_ptr<const engine::View> view_;
  const Clock* const clock_;

  std::string chunk_;
  bool sent_ = false;  // part of the reply is in the output
  bool left_ = false;  // the handler is to be left
  int64_t slice_end_ns_ = 0;
  int64_t paused_ns_ = 0;
  bool client_full_ = false;  // it paused because of its client
  Fiber fiber_;
};

}  // namespace metastore::server
