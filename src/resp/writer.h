// Appends RESP replies to a string: RESP2 or RESP3, whichever the client chose with HELLO. A
// command says what its reply means (a map, a double, nothing) and the writer knows how the
// client's protocol spells it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"

namespace metastore::resp {

// Takes a reply away while it is being written, so that one of any size needs little memory. The
// command that writes does not notice: both calls may last as long as they like, and may throw to
// leave the command (server/reply_stream.h).
class Sink {
 public:
  // A chunk has come together: take it, or leave it to grow.
  virtual void Take(std::string* bytes) = 0;
  // The command has worked for a while; there is nothing to take yet.
  virtual void Step() = 0;

 protected:
  ~Sink() = default;
};

enum class Aggregate : uint8_t { kArray, kMap, kSet };

class Writer {
 public:
  // `protocol` is 2 or 3. `out` must outlive the writer.
  Writer(std::string* out, int protocol) : out_(out), protocol_(protocol) {}
  // The sink is asked behind each element with which *out has grown by `chunk_bytes`; or, when it
  // has taken everything, has that size.
  Writer(std::string* out, int protocol, Sink* sink, size_t chunk_bytes)
      : out_(out), protocol_(protocol), sink_(sink), full_at_(out->size() + chunk_bytes) {}

  int protocol() const { return protocol_; }
  void set_protocol(int protocol) { protocol_ = protocol; }
  std::string* out() { return out_; }

  void Ok() { out_->append("+OK\r\n"); }
  void SimpleString(std::string_view line);  // no CR or LF
  // The whole line, prefix included and "-" not: "WRONGTYPE Operation …". Control bytes, which may
  // come from a client's argument, become spaces: a reply stays one line.
  void Error(std::string_view line);
  void Integer(int64_t value);
  void Bulk(std::string_view bytes);
  void BulkInteger(int64_t value);          // the decimal digits as a bulk string
  void Null();                              // RESP2: null bulk string
  void NullArray();                         // RESP3 has one null only
  void Double(double value);                // RESP2: bulk string
  // The same with digits of the caller's choice.
  void DoubleDigits(std::string_view digits);
  void Bool(bool value);                    // RESP2: 1 or 0
  void BigNumber(std::string_view digits);  // RESP2: bulk string
  void Verbatim(std::string_view text, std::string_view format = "txt");  // RESP2: bulk string

  // Headers; the elements follow.
  void Array(size_t elements);
  void Map(size_t pairs);      // RESP2: array of keys and values in turn
  void Set(size_t elements);   // RESP2: array
  void Push(size_t elements);  // RESP2: array

  // For replies whose length is known only at their end: remember Position(), write the elements,
  // then insert the header there. Costs a move of the elements' bytes, and a sink gets nothing
  // meanwhile: what may be large is written by WriteCounted.
  size_t Position();
  void ArrayAt(size_t position, size_t elements) {
    InsertHeader(position, Aggregate::kArray, elements);
  }
  void MapAt(size_t position, size_t pairs) { InsertHeader(position, Aggregate::kMap, pairs); }
  void SetAt(size_t position, size_t elements) {
    InsertHeader(position, Aggregate::kSet, elements);
  }

  // A walk that passes over much and writes little says so for each thing that it passes.
  void Step() {
    if (sink_ != nullptr && ++steps_ % kSteps == 0) sink_->Step();
  }

  // Bytes that are RESP already.
  void Raw(std::string_view encoded) {
    out_->append(encoded);
    Written();
  }

 private:
  template <class Walk>
  friend void WriteCounted(Writer& reply, Aggregate kind, std::optional<size_t> known, Walk walk);
  static constexpr size_t kNowhere = SIZE_MAX;
  // Of Step, for each question to the sink.
  static constexpr uint32_t kSteps = 1024;

  void Header(char type, int64_t number);
  std::string AggregateHeader(Aggregate kind, size_t size) const;
  void InsertHeader(size_t position, Aggregate kind, size_t size);
  // Behind each element.
  void Written() {
    if (out_->size() >= full_at_) [[unlikely]]
      Full();
  }
  void Full();
  bool BeginCounted();
  bool EndCounted(Aggregate kind, size_t size);

  std::string* out_;
  int protocol_;
  Sink* sink_ = nullptr;
  size_t full_at_ = SIZE_MAX;
  size_t held_at_ = kNowhere;     // a header will be inserted there, or
  uint32_t holds_ = 0;            // so many
  size_t counted_at_ = kNowhere;  // WriteCounted's elements start there
  size_t full_before_ = 0;        // full_at_ outside of WriteCounted
  bool dropping_ = false;         // they are only counted
  uint32_t steps_ = 0;
};

// What a Writer with a sink gathers of a reply of unknown length before it counts instead.
inline constexpr size_t kCountedBytes = 256 << 10;

// A reply whose length is known only at its end, if not before, such that a sink can take it in
// pieces. `walk` writes the elements and returns their number (of pairs, for a map). Where its
// length is not known and it outgrows kCountedBytes, it is called once more and must write the
// same.
template <class Walk>
void WriteCounted(Writer& reply, Aggregate kind, std::optional<size_t> known, Walk walk) {
  if (known) {
    reply.Raw(reply.AggregateHeader(kind, *known));
    const size_t size = walk();
    CHECK_EQ(size, *known);
    return;
  }
  if (!reply.BeginCounted()) {
    const size_t position = reply.Position();
    const size_t size = walk();
    return reply.InsertHeader(position, kind, size);
  }
  const size_t size = walk();
  if (reply.EndCounted(kind, size)) return;
  const size_t again = walk();
  CHECK_EQ(again, size);
}
template <class Walk>
void WriteCounted(Writer& reply, Aggregate kind, Walk walk) {
  WriteCounted(reply, kind, std::nullopt, walk);
}

// Appends a request in the form clients send it: an array of bulk strings.
void WriteCommand(std::string* out, std::span<const std::string_view> args);
void WriteCommand(std::string* out, std::span<const std::string> args);

}  // namespace metastore::resp
