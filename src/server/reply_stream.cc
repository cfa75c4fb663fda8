#include "server/reply_stream.h"

#include <utility>

#include "base/check.h"
#include "commands/errors.h"

namespace metastore::server {
namespace {

struct HandlerLeft {};

}  // namespace

ReplyStream::ReplyStream(Session* session, const Read& read, commands::Args args,
                         std::shared_ptr<const engine::View> view, const Clock* clock,
                         FiberStacks* stacks)
    : session_(session), read_(read), view_(std::move(view)), clock_(clock), fiber_(stacks, [this] {
        Write();
      }) {
  for (std::string_view arg : args) bytes_.append(arg);
  args_.reserve(args.size());
  size_t at = 0;
  for (std::string_view arg : args) {
    args_.emplace_back(bytes_.data() + at, arg.size());
    at += arg.size();
  }
}

ReplyStream::~ReplyStream() {
  if (!fiber_.started() || fiber_.done()) return;
  left_ = true;
  fiber_.Resume();
  CHECK(fiber_.done());
}

bool ReplyStream::MayRun() const {
  return !client_full_ || session_->output().bytes() <= kMaxReplyBytes / 2;
}

void ReplyStream::Run() {
  slice_end_ns_ = clock_->BootNs() + kStreamSliceNs;
  client_full_ = false;
  fiber_.Resume();
  paused_ns_ = clock_->BootNs();
}

// The fiber's function.
void ReplyStream::Write() {
  resp::Writer writer(&chunk_, read_.protocol, this, kStreamChunkBytes);
  commands::ReadContext context(*view_, read_.db);
  try {
    Status status = read_.command->spec->handler.read(context, args_, writer);
    if (!status.ok()) {
      // Nothing can be taken back, so handlers look for errors before they write.
      CHECK_MSG(!sent_, "a command failed in the middle of its reply");
      chunk_.clear();
      commands::WriteError(status, writer);
    }
  } catch (const HandlerLeft&) {
    return;
  }
  session_->output().Append(std::move(chunk_));
}

void ReplyStream::Take(std::string* bytes) {
  sent_ = true;
  session_->output().Append(std::move(*bytes));
  bytes->clear();
  client_full_ = session_->output().bytes() >= kMaxReplyBytes;
  if (client_full_ || clock_->BootNs() >= slice_end_ns_) Pause();
  constexpr size_t kUsualElementBytes = 4 << 10;
  bytes->reserve(kStreamChunkBytes + kUsualElementBytes);
}

void ReplyStream::Step() {
  if (clock_->BootNs() >= slice_end_ns_) Pause();
}

void ReplyStream::Pause() {
  fiber_.Pause();
  if (left_) throw HandlerLeft();
}

}  // namespace metastore::server
