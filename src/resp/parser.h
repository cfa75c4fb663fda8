// Cuts a client's bytes into commands: RESP arrays of bulk strings, and inline commands as people
// type them. However the bytes are split over calls, the commands and errors are the same.
//
// Arguments are views, so a command costs no copy; they point into the caller's buffer, or into
// the parser for inline commands, whose quoting is undone. Nothing is allocated by a length that
// a client only announced: memory grows with bytes that arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::resp {

inline constexpr uint64_t kDefaultMaxBulkBytes = uint64_t{512} << 20;  // proto-max-bulk-len
inline constexpr int64_t kMaxArgs = 1 << 20;
// The longest inline command, and the longest line that announces a length.
inline constexpr size_t kMaxInlineBytes = 64 << 10;
// What a client may send before it has authenticated.
inline constexpr int64_t kMaxUnauthenticatedArgs = 10;
inline constexpr int64_t kMaxUnauthenticatedBulkBytes = 16384;

class Parser {
 public:
  enum class Result { kCommand, kNeedMore, kError };

  // Reads the next command from `buffer`, which begins at the first byte not yet consumed and may
  // have moved and grown since the last call.
  //   kCommand   *args (at least one) is the command. The views hold until the next call, or until
  //              the caller changes the buffer.
  //   kNeedMore  the buffer holds no whole command; *args is empty.
  //   kError     the client breaks the protocol; error() says how. Reply "ERR " + error(), then
  //              close: every further call says kError again.
  // In every case *consumed bytes are done with (kNeedMore: empty commands that were skipped): the
  // next buffer must begin behind them.
  Result Next(std::string_view buffer, size_t* consumed, std::vector<std::string_view>* args);

  // "Protocol error: …", one printable line.
  const std::string& error() const { return error_; }

  // After kNeedMore: how many bytes the argument being read still lacks; 1 where that is not known.
  // A hint for the size of the next read. It is a number that the client chose: grow the buffer as
  // bytes arrive, and limit it (client-query-buffer-limit), the parser does not.
  size_t bytes_wanted() const { return bytes_wanted_; }

  // True between commands: no byte of an unfinished command has been seen.
  bool idle() const { return kind_ == Kind::kNone; }

  // Clients that must authenticate first get small limits until they have. True at the start.
  void set_authenticated(bool authenticated) { authenticated_ = authenticated; }
  void set_max_bulk_bytes(uint64_t bytes) { max_bulk_bytes_ = bytes; }

 private:
  enum class Kind { kNone, kInline, kMultibulk };
  struct Span {
    size_t offset;
    size_t size;
  };

  // These see the buffer from the first unconsumed byte on; kCommand with no spans_ is an empty
  // command. position_ is then its end.
  Result ReadInline(std::string_view buffer);
  Result ReadMultibulk(std::string_view buffer);
  bool FindLineEnd(std::string_view buffer, char end, size_t* at);
  void MoveTo(size_t position);
  bool SplitInline(std::string_view line);
  size_t Unescape(std::string_view escaped);
  Result Fail(std::string text);
  void Reset();

  bool authenticated_ = true;
  uint64_t max_bulk_bytes_ = kDefaultMaxBulkBytes;

  // The unfinished command. Offsets count from the first unconsumed byte.
  Kind kind_ = Kind::kNone;
  size_t position_ = 0;      // everything before it is understood
  size_t scanned_ = 0;       // no line end between position_ and here
  int64_t args_left_ = 0;    // of a multibulk; 0: its count is not read yet
  int64_t bulk_bytes_ = -1;  // of the next argument; -1: its length is not read yet
  std::vector<Span> spans_;  // finished arguments, in the buffer or (inline) in unquoted_
  std::string unquoted_;
  size_t bytes_wanted_ = 1;
  std::string error_;
};

}  // namespace metastore::resp
