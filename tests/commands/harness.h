// Runs commands against a MemoryTxn: finds the spec, checks the arity, calls the handler by its
// kind and reads the reply back, with a clock that only the test moves.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/parse.h"
#include "commands/command_spec.h"
#include "commands/errors.h"
#include "commands/keys.h"
#include "resp/value.h"
#include "resp/writer.h"
#include "tests/support/memory_txn.h"
#include "types/collection.h"
#include "types/keyspace.h"
#include "types/list.h"

namespace metastore::test {

inline const commands::CommandSpec* FindSpec(std::span<const commands::CommandSpec> table,
                                             std::string_view name) {
  for (const commands::CommandSpec& spec : table) {
    if (EqualsIgnoreCase(spec.name, name)) return &spec;
  }
  return nullptr;
}

inline std::vector<std::span<const commands::CommandSpec>> Groups() {
  return {
      commands::StringCommands(),    commands::BitmapCommands(), commands::HyperloglogCommands(),
      commands::HashCommands(),      commands::ListCommands(),   commands::SetCommands(),
      commands::SortedSetCommands(), commands::StreamCommands(), commands::GeoCommands(),
      commands::SortCommands(),      commands::DumpCommands(),   commands::GenericCommands()};
}

// Of all groups; a subcommand's spec where args name one.
inline const commands::CommandSpec* FindSpec(commands::Args args) {
  const commands::CommandSpec* spec = nullptr;
  for (auto group : Groups()) {
    if (spec == nullptr) spec = FindSpec(group, args[0]);
  }
  if (spec != nullptr && !spec->subcommands.empty() && args.size() > 1) {
    const commands::CommandSpec* sub = FindSpec(spec->subcommands, args[1]);
    if (sub != nullptr) return sub;
  }
  return spec;
}

inline resp::Value Ok() { return resp::Value::SimpleString("OK"); }
inline resp::Value Int(int64_t value) { return resp::Value::Integer(value); }
inline resp::Value Bulk(std::string bytes) { return resp::Value::Bulk(std::move(bytes)); }
inline resp::Value Null() { return resp::Value::Null(); }
inline resp::Value Error(std::string line) { return resp::Value::Error(std::move(line)); }
inline resp::Value Array(std::vector<resp::Value> values) {
  return resp::Value::Array(std::move(values));
}
inline resp::Value Bulks(const std::vector<std::string>& texts) {
  std::vector<resp::Value> values;
  for (const std::string& text : texts) values.push_back(Bulk(text));
  return Array(values);
}

class CommandTest : public testing::Test {
 protected:
  static constexpr int64_t kStartMs = 1'700'000'000'000;

  CommandTest() : txn_(kStartMs) {}

  // The encoded reply.
  std::string RunRaw(const std::vector<std::string>& words) {
    std::vector<std::string_view> args(words.begin(), words.end());
    const commands::CommandSpec* spec = FindSpec(args);
    CHECK_MSG(spec != nullptr, "no command " + words[0]);
    std::string out;
    resp::Writer reply(&out, protocol_);
    Status status;
    txn_.NextEntry(now_ms_);
    if (!commands::ArityFits(*spec, args)) {
      status = commands::errors::WrongArity(spec->name);
    } else if (spec->handler.write != nullptr) {
      commands::WriteContext context(txn_, db_);
      status = spec->handler.write(context, args, reply);
    } else if (spec->handler.read != nullptr) {
      commands::ReadContext context(txn_, db_, ++reads_);
      status = spec->handler.read(context, args, reply);
    } else {
      CHECK_MSG(false, "neither a read nor a write: " + words[0]);
    }
    if (!status.ok()) {
      out.clear();
      commands::WriteError(status, reply);
    }
    return out;
  }

  resp::Value Run(const std::vector<std::string>& words) {
    std::string out = RunRaw(words);
    std::string_view rest = out;
    resp::Value value;
    CHECK(resp::ParseValue(&rest, &value) == resp::ParseResult::kValue);
    CHECK(rest.empty());
    return value;
  }

  void Select(int db) { db_ = db; }
  void Advance(int64_t ms) { now_ms_ += ms; }

  // A key of another type.
  void PutList(std::string_view key) {
    txn_.NextEntry(now_ms_);
    types::WritableKey(txn_, db_, key).Delete();
    Result<types::WritableList> list = types::WritableList::Open(txn_, db_, key);
    CHECK(list.ok());
    list->PushBack("element");
    list->Save();
  }

  MemoryTxn txn_;
  int db_ = 0;
  int protocol_ = 2;
  int64_t now_ms_ = kStartMs;
  uint64_t reads_ = 0;
};

}  // namespace metastore::test

namespace metastore::resp {
// How gtest shows a reply.
inline void PrintTo(const Value& value, std::ostream* out) { *out << ToString(value); }
}  // namespace metastore::resp
