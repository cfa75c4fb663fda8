#include "server/monitors.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/parse.h"
#include "server/command_table.h"

namespace metastore::server {
namespace {

// As Redis shows bytes.
void AppendQuoted(std::string_view bytes, std::string* line) {
  constexpr std::string_view kBytes = "\\\"\n\r\t\a\b";
  constexpr std::string_view kLetters = "\\\"nrtab";
  line->push_back('"');
  for (char c : bytes) {
    if (const size_t at = kBytes.find(c); at != kBytes.npos) {
      line->push_back('\\');
      line->push_back(kLetters[at]);
    } else if (c >= ' ' && c < 0x7f) {
      line->push_back(c);
    } else {
      fmt::format_to(std::back_inserter(*line), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  line->push_back('"');
}

// Whether the argument is of AUTH, or behind that word of HELLO.
bool IsSecret(const Command& command, commands::Args args, size_t i) {
  if (command.full_name == "auth") return i > 0;
  if (command.full_name != "hello") return false;
  for (size_t word = 2; word < i; ++word) {
    if (EqualsIgnoreCase(args[word], "AUTH") && i - word <= 2) return true;
  }
  return false;
}

}  // namespace

void Monitors::Add(uint64_t session_id) {
  MutexLock lock(mutex_);
  sessions_.push_back(session_id);
  any_.store(true, std::memory_order_relaxed);
}

void Monitors::Remove(uint64_t session_id) {
  MutexLock lock(mutex_);
  std::erase(sessions_, session_id);
  any_.store(!sessions_.empty(), std::memory_order_relaxed);
}

std::vector<uint64_t> Monitors::Sessions() const {
  MutexLock lock(mutex_);
  return sessions_;
}

std::string MonitorLine(int64_t now_ms, int db, std::string_view address, const Command& command,
                        commands::Args args) {
  if ((command.spec->flags & (commands::kSkipMonitor | commands::kAdmin)) != 0) return "";
  std::string line =
      fmt::format("+{}.{:06} [{} {}]", now_ms / 1000, now_ms % 1000 * 1000, db, address);
  for (size_t i = 0; i < args.size(); ++i) {
    line.push_back(' ');
    AppendQuoted(IsSecret(command, args, i) ? "(redacted)" : args[i], &line);
  }
  return line.append("\r\n");
}

}  // namespace metastore::server
