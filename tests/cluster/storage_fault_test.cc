// A flipped bit in any file of a stopped node: the node says so and ends, or everything that was
// acknowledged is read back. FLIPS is how many bits are tried per file of the single node.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/random.h"
#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"
#include "tests/support/seed.h"

namespace metastore::cluster_test {
namespace {

namespace fs = std::filesystem;

using Acknowledged = std::map<std::string, std::string>;

// Small logs: most of what is acknowledged lies in the state machine's files alone.
const std::vector<std::string> kFlags = {"--log-retain", "0", "--log-flush", "1mb"};

void Write(int port, int from, int to, Acknowledged* acknowledged) {
  Client client(port);
  for (int i = from; i < to; ++i) {
    const std::string key = "k" + std::to_string(i);
    const std::string value = std::to_string(i) + std::string(2000, 'v');
    std::vector<std::string> command = {"SET", key, value};
    if (i % 3 == 0) command.insert(command.end(), {"EX", "100000"});
    ASSERT_TRUE(client.Run(command).ok());
    (*acknowledged)[key] = value;
  }
}

// What is read that was not acknowledged so; "" when all is right, or the node ended meanwhile.
std::string WrongData(Node* node, const Acknowledged& acknowledged) {
  Client client(node->redis_port());
  for (const auto& [key, value] : acknowledged) client.Append({"GET", key});
  for (const auto& [key, value] : acknowledged) {
    Reply reply = client.Receive();
    if (reply.lost()) return node->process().WaitExit() ? "" : "a connection broke: " + reply.text;
    if (reply.text != value) return key + " is " + reply.ToString().substr(0, 100);
  }
  Reply size = client.Run({"DBSIZE"});
  if (size.lost()) return node->process().WaitExit() ? "" : "a connection broke: " + size.text;
  if (size.integer != static_cast<int64_t>(acknowledged.size())) return "DBSIZE " + size.ToString();
  return "";
}

// How a node ended: "" when as it should, by a sentence that names what is wrong.
std::string WrongEnd(Node* node) {
  const int code = node->process().exit_code();
  const std::string log = node->LogText();
  if (code != 1 && code != -SIGABRT) return "exit code " + std::to_string(code) + ": " + log;
  for (const char* word : {"damaged", "orrupt", "CURRENT", "checksum", "is missing", "does not"}) {
    if (log.find(word) != std::string::npos) return "";
  }
  return "no sentence says why: " + log;
}

// The files of a data directory with data in them, relative to it. RocksDB's own LOG is left out.
std::vector<std::string> FilesOf(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || entry.file_size() == 0) continue;
    if (entry.path().filename().string().starts_with("LOG")) continue;
    files.push_back(fs::relative(entry.path(), directory).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void Flip(const std::string& path, uint64_t bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(bit / 8));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(bit / 8));
  file.put(static_cast<char>(byte ^ 1 << bit % 8));
}

void Restore(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

// Places where formats keep what matters most, then anywhere.
uint64_t PickBit(Random* random, const std::string& path, int round) {
  const uint64_t bits = fs::file_size(path) * 8;
  const uint64_t near = std::min<uint64_t>(bits, 64 * 8);
  if (round == 0) return random->Uniform(near);
  if (round == 1) return bits - 1 - random->Uniform(near);
  return random->Uniform(bits);
}

TEST(StorageFaultTest, AFlippedBitInAnyFileOfASingleNodeIsFoundOrHarmless) {
  Random random(test::Seed());
  Cluster cluster(1, kFlags);
  Node& node = cluster.node(0);
  Acknowledged acknowledged;
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_NO_FATAL_FAILURE(Write(node.redis_port(), 0, 1000, &acknowledged));
  ASSERT_EQ(node.Terminate(), 0);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_NO_FATAL_FAILURE(Write(node.redis_port(), 1000, 1050, &acknowledged));
  node.Kill();
  const std::string whole = cluster.directory() + "/whole";
  Restore(node.data_dir(), whole);

  int ended = 0, served = 0;
  for (const std::string& file : FilesOf(whole)) {
    for (int round = 0; round < EnvNumber("FLIPS", 4); ++round) {
      Restore(whole, node.data_dir());
      const uint64_t bit = PickBit(&random, whole + "/" + file, round);
      SCOPED_TRACE(file + ", byte " + std::to_string(bit / 8) + ", bit " + std::to_string(bit % 8));
      Flip(node.data_dir() + "/" + file, bit);
      RunResult check = RunCommand({BinaryUnderTest(), "check", "--data-dir", node.data_dir()});
      EXPECT_TRUE(check.exit_code == 0 || check.exit_code == 1) << check.output;
      fs::remove(node.log_file());
      cluster.Start(0);
      ASSERT_TRUE(WaitFor([&] { return !node.Running() || PortAnswers(node.redis_port()); }))
          << "neither serves nor ends: " << node.LogText();
      if (node.Running()) {
        EXPECT_EQ(WrongData(&node, acknowledged), "");
      }
      // A damaged block may be met only by the reads.
      if (node.Running()) {
        ++served;
        node.Kill();
      } else {
        ++ended;
        EXPECT_EQ(WrongEnd(&node), "");
        EXPECT_EQ(check.exit_code, 1) << "the node ended, and check said: " << check.output;
      }
    }
  }
  std::printf("flipped bits: %d ended the node, %d were harmless\n", ended, served);
  EXPECT_GT(ended, 0);
}

// The damaged node and one other make a majority: what the damaged one had acknowledged and
// forgot would be lost.
TEST(StorageFaultTest, AFlippedBitInAnyFileOfOneNodeOfThreeLosesNothing) {
  Random random(test::Seed());
  Cluster cluster(3, kFlags);
  Acknowledged acknowledged;
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_NO_FATAL_FAILURE(Write(cluster.node(0).redis_port(), 0, 600, &acknowledged));
  for (int n = 0; n < 3; ++n) ASSERT_EQ(cluster.node(n).Terminate(), 0);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  ASSERT_NO_FATAL_FAILURE(Write(cluster.node(1).redis_port(), 600, 650, &acknowledged));
  cluster.KillAll();
  std::vector<std::string> whole;
  for (int n = 0; n < 3; ++n) {
    whole.push_back(cluster.directory() + "/whole" + std::to_string(n));
    Restore(cluster.node(n).data_dir(), whole.back());
  }

  int ended = 0, served = 0, round = 0;
  int64_t slowest_ms = 0;
  std::string slowest;
  const int victim = static_cast<int>(random.Uniform(3));
  for (const std::string& file : FilesOf(whole[static_cast<size_t>(victim)])) {
    for (int n = 0; n < 3; ++n) {
      Restore(whole[static_cast<size_t>(n)], cluster.node(n).data_dir());
      fs::remove(cluster.node(n).log_file());
    }
    Node& damaged = cluster.node(victim);
    const int64_t started_ms = NowMs();
    const std::string path = damaged.data_dir() + "/" + file;
    const uint64_t bit = PickBit(&random, path, round++ % 3);
    SCOPED_TRACE("node " + std::to_string(victim + 1) + ", " + file + ", byte " +
                 std::to_string(bit / 8) + ", bit " + std::to_string(bit % 8));
    Flip(path, bit);
    const int second = (victim + 1) % 3, third = (victim + 2) % 3;
    cluster.Start(victim);
    cluster.Start(second);
    const auto ready = [&] { return !damaged.Running() || cluster.WaitReady(Millis(100)); };
    ASSERT_TRUE(WaitFor(ready)) << damaged.LogText();
    if (damaged.Running()) {
      // When the damaged one ends meanwhile the other is alone and can answer nothing; it is asked
      // again below.
      const std::string wrong = WrongData(&cluster.node(second), acknowledged);
      if (damaged.Running()) {
        EXPECT_EQ(wrong, "");
      }
      EXPECT_EQ(WrongData(&damaged, acknowledged), "");
    }
    if (damaged.Running()) {
      ++served;
    } else {
      ++ended;
      EXPECT_EQ(WrongEnd(&damaged), "");
      cluster.Start(third);
      ASSERT_TRUE(cluster.WaitReady());
      EXPECT_EQ(WrongData(&cluster.node(second), acknowledged), "");
      EXPECT_EQ(WrongData(&cluster.node(third), acknowledged), "");
    }
    cluster.KillAll();
    const int64_t took_ms = NowMs() - started_ms;
    if (took_ms > slowest_ms) slowest = file;
    slowest_ms = std::max(slowest_ms, took_ms);
  }
  std::printf("slowest: %s, %lld ms\n", slowest.c_str(), static_cast<long long>(slowest_ms));
  std::printf("flipped bits: %d ended the node, %d were harmless\n", ended, served);
  EXPECT_GT(ended, 0);
}

// The sender gives a file again that does not have its checksum.
TEST(StorageFaultTest, AFlippedBitInAHalfReceivedSnapshotIsRepaired) {
  Random random(test::Seed());
  std::vector<std::string> flags = kFlags;
  flags.insert(flags.end(), {"--snapshot-rate", "1mb"});
  Cluster cluster(3, flags);
  Acknowledged acknowledged;
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  const int behind = cluster.Other(leader);
  cluster.node(behind).Kill();
  {
    // Random bytes, which no compression makes small.
    Client client(cluster.node(leader).redis_port());
    for (int i = 0; i < 200; ++i) {
      std::string value;
      while (value.size() < 20'000) value.push_back(static_cast<char>(random.Uniform(256)));
      const std::string key = "k" + std::to_string(i);
      ASSERT_TRUE(client.Run({"SET", key, value}).ok());
      acknowledged[key] = value;
    }
  }
  // The log is cut behind a flush, in its own time; before that no snapshot is needed.
  ASSERT_TRUE(WaitFor([&] { return cluster.node(leader).Metric("raft_log_first_index") > 20; }));
  Node& node = cluster.node(behind);
  const std::string in = node.data_dir() + "/snapshot/in";
  // The largest file that is there; the transfer goes on meanwhile.
  const auto largest = [&in] {
    std::string path;
    uintmax_t most = 0;
    std::error_code error;
    for (fs::directory_iterator at(in, error), end; !error && at != end; at.increment(error)) {
      std::error_code gone;
      const uintmax_t size = at->file_size(gone);
      if (gone || size <= most) continue;
      most = size;
      path = at->path().string();
    }
    return most < 300'000 ? "" : path;
  };
  cluster.Start(behind);
  ASSERT_TRUE(WaitFor(
      [&] { return largest() != "" || node.Metric("raft_snapshots_installed_total") > 0; }));
  node.Kill();
  const std::string file = largest();
  ASSERT_NE(file, "") << "the snapshot was through before it could be cut";
  Flip(file, random.Uniform(300'000 * 8));
  cluster.Start(behind);
  ASSERT_TRUE(cluster.WaitReady());
  // The figure follows the installation by a moment.
  EXPECT_TRUE(WaitFor([&] { return node.Metric("raft_snapshots_installed_total") > 0; }));
  EXPECT_EQ(WrongData(&node, acknowledged), "");
}

}  // namespace
}  // namespace metastore::cluster_test
