// Runs every transcript of tests/raft/testdata. REWRITE=1 writes the files anew.
#include "tests/raft/transcript.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace metastore::raft {
namespace {

std::string running;  // for a CHECK that fails

// The file as it is printed now. In it each command is followed by its output.
std::string Replay(std::istream& in, const std::string& file) {
  Transcript transcript;
  std::string now;
  bool in_output = false;
  for (std::string line; std::getline(in, line);) {
    if (in_output) {
      in_output = !line.empty();
      if (!in_output) now += "\n";
      continue;
    }
    if (line == "----") {
      ADD_FAILURE() << file << ": output without a command";
      continue;
    }
    now += line + "\n";
    if (line.empty() || line[0] == '#') continue;
    running = file + ": " + line;
    now += "----\n" + transcript.Run(line);
    std::string separator;
    if (in.peek() == '-') std::getline(in, separator);
    in_output = separator == "----";
    if (in_output) continue;
    now += "\n";
    if (in.peek() == '\n') std::getline(in, separator);
  }
  return now;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(RaftTranscriptTest, EveryTranscriptPrintsWhatItsFileSays) {
  const auto folder = std::filesystem::path(__FILE__).parent_path() / "testdata";
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(folder)) files.push_back(file.path());
  std::sort(files.begin(), files.end());
  EXPECT_GE(files.size(), 10u);
  SetCheckFailedSink([](const std::string& line) {
    std::fprintf(stderr, "%s\nin %s\n", line.c_str(), running.c_str());
  });
  for (const auto& file : files) {
    std::ifstream in(file);
    std::ostringstream expected;
    expected << in.rdbuf();
    std::istringstream replayed(expected.str());
    const std::string now = Replay(replayed, file.string());
    if (std::getenv("REWRITE") != nullptr) {
      std::ofstream(file) << now;
      continue;
    }
    if (now == expected.str()) continue;
    const std::vector<std::string> a = Lines(expected.str()), b = Lines(now);
    size_t i = 0;
    while (i < std::min(a.size(), b.size()) && a[i] == b[i]) ++i;
    ADD_FAILURE() << file.string() << ":" << i + 1
                  << "\n  file: " << (i < a.size() ? a[i] : "(the end)")
                  << "\n  now:  " << (i < b.size() ? b[i] : "(the end)")
                  << "\nREWRITE=1 writes it anew";
  }
  SetCheckFailedSink(nullptr);
}

TEST(RaftTranscriptTest, AWrongLineOfATranscriptIsSeen) {
  std::istringstream in("nodes 1\n----\n\nstatus\n----\n1: leader term 7\n");
  EXPECT_EQ(Replay(in, "here"),
            "nodes 1\n----\n\nstatus\n----\n"
            "1: follower term 0 leader 0 commit 0 applied 0 log 1..0\n");
}

}  // namespace
}  // namespace metastore::raft
