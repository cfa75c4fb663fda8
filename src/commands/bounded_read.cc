#include "commands/bounded_read.h"

#include "commands/errors.h"

namespace metastore::commands {
namespace {

struct HandlerLeft {};

class Bound final : public resp::Sink {
 public:
  explicit Bound(bool in_a_moment) : in_a_moment_(in_a_moment) {}
  void Take(std::string*) override { throw HandlerLeft(); }
  void Step() override {
    if (in_a_moment_) throw HandlerLeft();
  }

 private:
  const bool in_a_moment_;
};

}  // namespace

bool RunBounded(const CommandSpec& spec, ReadContext& context, Args args, int protocol,
                size_t limit_bytes, bool in_a_moment, std::string* out, Status* status) {
  Bound bound(in_a_moment);
  resp::Writer writer(out, protocol, &bound, limit_bytes);
  try {
    *status = spec.handler.read(context, args, writer);
    return true;
  } catch (const HandlerLeft&) {
    return false;
  }
}

void RunWhole(const CommandSpec& spec, ReadContext& context, Args args, int protocol,
              std::string* out) {
  const size_t start = out->size();
  Status status;
  if ((spec.flags & kLargeReply) == 0) {
    resp::Writer writer(out, protocol);
    status = spec.handler.read(context, args, writer);
  } else if (!RunBounded(spec, context, args, protocol, kMaxWholeReplyBytes, false, out, &status)) {
    status = errors::Custom("ERR the reply is too large for a transaction");
  }
  if (status.ok()) return;
  out->resize(start);
  resp::Writer writer(out, protocol);
  WriteError(status, writer);
}

}  // namespace metastore::commands
