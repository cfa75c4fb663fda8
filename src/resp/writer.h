// Appends RESP replies to a string: RESP2 or RESP3, whichever the client chose with HELLO. A
// command says what its reply means (a map, a double, nothing) and the writer knows how the
// client's protocol spells it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace metastore::resp {

class Writer {
 public:
  // `protocol` is 2 or 3. `out` must outlive the writer.
  Writer(std::string* out, int protocol) : out_(out), protocol_(protocol) {}

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
  // then insert the header there. Costs a move of the elements' bytes.
  size_t Position() const { return out_->size(); }
  void ArrayAt(size_t position, size_t elements) { HeaderAt(position, '*', elements); }
  void MapAt(size_t position, size_t pairs);
  void SetAt(size_t position, size_t elements);

  // Bytes that are RESP already.
  void Raw(std::string_view encoded) { out_->append(encoded); }

 private:
  void Header(char type, int64_t number);
  void HeaderAt(size_t position, char type, size_t elements);

  std::string* out_;
  int protocol_;
};

// Appends a request in the form clients send it: an array of bulk strings.
void WriteCommand(std::string* out, std::span<const std::string_view> args);
void WriteCommand(std::string* out, std::span<const std::string> args);

}  // namespace metastore::resp
