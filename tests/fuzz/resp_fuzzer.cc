// The request parser. Input: settings:u8 split:be16, then what a client sends. Splitting the bytes
// in two must not change the commands, the error or what is left over; and what was read, written
// again as plain multibulks, reads back as the same commands.
#include <algorithm>
#include <string>
#include <vector>

#include "resp/parser.h"
#include "resp/writer.h"
#include "tests/fuzz/fuzzer.h"

namespace metastore {
namespace {

struct Outcome {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  size_t unread = 0;
  bool operator==(const Outcome&) const = default;
};

void Feed(resp::Parser* parser, std::string* buffer, std::string_view chunk, Outcome* outcome) {
  if (!outcome->error.empty()) return;
  // Exactly as large as what it holds, so that the sanitizer sees a read behind the end.
  std::vector<char> bytes(buffer->begin(), buffer->end());
  bytes.insert(bytes.end(), chunk.begin(), chunk.end());
  bytes.shrink_to_fit();
  std::string_view rest(bytes.data(), bytes.size());
  std::vector<std::string_view> args;
  resp::Parser::Result result = resp::Parser::Result::kCommand;
  while (result == resp::Parser::Result::kCommand) {
    size_t consumed;
    result = parser->Next(rest, &consumed, &args);
    FUZZ_CHECK(consumed <= rest.size());
    if (result == resp::Parser::Result::kCommand) {
      FUZZ_CHECK(!args.empty());
      FUZZ_CHECK(consumed > 0);
      outcome->commands.emplace_back(args.begin(), args.end());
    } else {
      FUZZ_CHECK(args.empty());
    }
    rest.remove_prefix(consumed);
  }
  if (result == resp::Parser::Result::kError) {
    outcome->error = parser->error();
    FUZZ_CHECK(outcome->error.rfind("Protocol error: ", 0) == 0);
    for (char c : outcome->error) FUZZ_CHECK(c >= ' ' && c <= '~');
    rest = {};
  } else {
    FUZZ_CHECK(parser->bytes_wanted() > 0);
    FUZZ_CHECK(parser->idle() == rest.empty());
  }
  outcome->unread = rest.size();
  *buffer = rest;
}

Outcome Read(uint64_t settings, std::string_view first, std::string_view second) {
  resp::Parser parser;
  parser.set_authenticated((settings & 1) == 0);
  if ((settings & 2) != 0) parser.set_max_bulk_bytes(100);
  std::string buffer;
  Outcome outcome;
  Feed(&parser, &buffer, first, &outcome);
  Feed(&parser, &buffer, second, &outcome);
  return outcome;
}

}  // namespace
}  // namespace metastore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace metastore;
  std::string_view input = fuzz::Bytes(data, size);
  uint64_t settings = fuzz::TakeNumber(&input, 1);
  size_t split = fuzz::TakeNumber(&input, 2) % (input.size() + 1);

  Outcome whole = Read(settings, input, "");
  FUZZ_CHECK(Read(settings, input.substr(0, split), input.substr(split)) == whole);

  std::string again;
  for (const std::vector<std::string>& command : whole.commands) {
    resp::WriteCommand(&again, command);
  }
  Outcome reread = Read(0, again, "");
  FUZZ_CHECK(reread.commands == whole.commands);
  FUZZ_CHECK(reread.error.empty());
  FUZZ_CHECK(reread.unread == 0);
  return 0;
}
