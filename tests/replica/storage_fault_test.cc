// A script of everything a node does with its disk, run again and again in a process of its own:
// the first operation fails, then the second, and so on until a run needs no more. What the script
// had reported durable is there afterwards, and nothing is there by half.
//
// TMPDIR on a memory disk makes it quick; a machine with /dev/shm needs no setting.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/coding.h"
#include "engine/checkpoint.h"
#include "engine/data_directory.h"
#include "engine/engine.h"
#include "engine/log_store.h"
#include "engine/system_keys.h"
#include "replica/check.h"
#include "replica/threaded_replica.h"
#include "tests/engine/scratch.h"
#include "tests/replica/failing_disk.h"
#include "types/keyspace.h"

extern char** environ;

namespace metastore::replica {
namespace {

using engine::Family;

constexpr raft::Index kSnapshotIndex = 20;
constexpr int64_t kDeadlineMs = 5'000'000;
// A sanitizer makes a process slow to start: there, some of the operations have to do.
#if defined(__SANITIZE_ADDRESS__)
constexpr int kStride = 7;
#else
constexpr int kStride = 1;
#endif
constexpr int kFailed = 3;  // the script's exit code when a call says that it failed

std::string KeyOf(raft::Index index) { return "k" + std::to_string(index); }
std::string DataOf(raft::Index index) { return "value of " + KeyOf(index); }

// Small caches: a run should cost what its operations cost.
engine::EngineOptions OptionsFor(const std::string& directory) {
  return {.directory = directory,
          .block_cache_bytes = 1 << 20,
          .record_cache_bytes = 0,
          .write_buffer_bytes = 1 << 20};
}
engine::LogStoreOptions LogOptionsFor(const std::string& directory) {
  return {.directory = directory, .write_buffer_bytes = 1 << 20};
}

// Each entry writes one key; each second one expires some day.
void Apply(engine::Engine* engine, raft::Position at) {
  engine::Txn& txn = engine->txn();
  txn.BeginEntry(at.index, 1000, at.index);
  std::optional<int64_t> deadline;
  if (at.index % 2 == 0) deadline = kDeadlineMs;
  types::WritableKey(txn, 0, KeyOf(at.index)).PutString(DataOf(at.index), deadline);
  txn.Put(Family::kSystem, engine::kAppliedKey,
          engine::EncodeApplied({at.index, at.term, 1000, 0}));
  std::string membership;
  PutBig64(&membership, 0);
  txn.Put(Family::kSystem, engine::kMembershipKey,
          membership + raft::EncodeMembership({{1, 2, 3}, {}, {}, {}}));
  engine->Commit();
}

// --- the script ----------------------------------------------------------------------------------

// What is durable so far, a line each, in a file that does not fail.
class Report {
 public:
  explicit Report(const char* path)
      : fd_(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {}
  void Add(const std::string& line) {
    // The process must have ended at the failed sync, whatever else it would do; when that was
    // another thread's, such as a flush, a moment later.
    if (test::SyncFailedHere()) Write("AFTER A FAILED SYNC");
    if (test::SyncFailed()) Write("WHILE IT ENDS");
    const std::string unsynced = test::UnsyncedDirectory();
    if (!unsynced.empty()) Write("UNSYNCED " + unsynced);
    Write(line);
  }
  void Write(const std::string& line) {
    const std::string text = line + "\n";
    CHECK_EQ(::write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

 private:
  int fd_;
};

// As main does: an error that a start or the log returns is printed and ends the process.
void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.message().c_str());
  ::_exit(kFailed);
}
template <class T>
T Must(Result<T> result) {
  Must(result.status());
  return std::move(*result);
}

// Writes entries [from, to] to the log and applies them.
void WriteEntries(engine::LogStore* log, engine::Engine* engine, raft::Index from, raft::Index to,
                  Report* report) {
  for (raft::Index i = from; i <= to; ++i) {
    engine::LogWrite write;
    write.hard_state = raft::HardState{1, 1, i - 1};
    write.entries.push_back(
        {1, i, raft::EntryType::kConfChange,
         std::make_shared<const std::string>(raft::EncodeMembership({{1, 2, 3}, {}, {}, {}}))});
    Must(log->Append(write));
    report->Add("entry " + std::to_string(i));
    Apply(engine, {1, i});
  }
}

void RunScript(const std::string& directory, const std::string& donor, Report* report) {
  // A process opens its directory once, and what fails as it closes it is the last thing it sees.
  for (int run = 1; run <= 2 && test::FailedOperation().empty(); ++run) {
    auto data = Must(engine::DataDirectory::Open(directory, "one", 1));
    report->Add("run " + std::to_string(data->identity().run));
    auto engine = Must(engine::Engine::Open(OptionsFor(directory)));
    auto log = Must(engine::LogStore::Open(LogOptionsFor(directory)));
    if (log->start_membership().voters.empty()) Must(log->Bootstrap({{1, 2, 3}, {}, {}, {}}));
    raft::Config config;
    Must(RecoverLog(*engine, log.get(), &config));
    if (run == 2) {
      WriteEntries(log.get(), engine.get(), kSnapshotIndex + 3, kSnapshotIndex + 3, report);
      continue;
    }
    WriteEntries(log.get(), engine.get(), 1, 4, report);
    Must(engine->Flush());
    report->Add("flushed 4");
    Must(log->Compact({1, 3}, {{1, 2, 3}, {}, {}, {}}));
    WriteEntries(log.get(), engine.get(), 5, 6, report);
    // To another node, and from there.
    Must(engine->Checkpoint(directory + "/snapshot-out"));
    auto source = Must(engine::CheckpointSource::Open(donor));
    const std::string in = directory + "/snapshot-in";
    auto sink = Must(engine::CheckpointSink::Open(in, source->manifest()));
    engine::CheckpointPosition position;
    while (!sink->complete()) {
      const engine::CheckpointPosition at = position;
      Must(sink->Write(at, Must(source->Next(&position))));
    }
    Must(sink->Finish());
    Must(engine->Install(in));
    report->Add("flushed " + std::to_string(kSnapshotIndex));
    engine::LogWrite write;
    write.hard_state = raft::HardState{1, 1, kSnapshotIndex};
    write.snapshot = raft::SnapshotMetadata{kSnapshotIndex, 1, {{1, 2, 3}, {}, {}, {}}};
    Must(log->Append(write));
    WriteEntries(log.get(), engine.get(), kSnapshotIndex + 1, kSnapshotIndex + 2, report);
  }
}

// Not a test: what the tests below run as a process of its own.
TEST(StorageFaultScript, DISABLED_Run) {
  const char* directory = std::getenv("SCRIPT_DIRECTORY");
  ASSERT_NE(directory, nullptr);
  test::ArmDisk({.directory = directory,
                 .nth = std::atoi(std::getenv("SCRIPT_NTH")),
                 .error = std::atoi(std::getenv("SCRIPT_ERROR")),
                 .sync_mark = std::string(std::getenv("SCRIPT_REPORT")) + ".sync"});
  Report report(std::getenv("SCRIPT_REPORT"));
  RunScript(directory, std::getenv("SCRIPT_DONOR"), &report);
  report.Write("operations " + std::to_string(test::DiskOperations()));
  if (!test::FailedOperation().empty()) report.Write("survived " + test::FailedOperation());
  ::_exit(0);
}

// --- the runs and their judge --------------------------------------------------------------------

struct Fault {
  int nth;
  int error;
};

class StorageFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::kCanFailDisk) GTEST_SKIP() << "not in this build";
    if (std::getenv("TMPDIR") == nullptr && ::access("/dev/shm", W_OK) == 0) {
      ::setenv("TMPDIR", "/dev/shm", 1);
      set_tmpdir_ = true;
    }
    scratch_ = std::make_unique<engine::ScratchDirectory>();
    const std::string donor = *scratch_ / "donor-node";
    {
      auto engine = engine::Engine::Open(OptionsFor(donor));
      ASSERT_TRUE(engine.ok()) << engine.ToString();
      for (raft::Index i = 1; i <= kSnapshotIndex; ++i) Apply(engine->get(), {1, i});
      ASSERT_TRUE((*engine)->Checkpoint(*scratch_ / "donor").ok());
    }
  }
  void TearDown() override {
    scratch_.reset();
    if (set_tmpdir_) ::unsetenv("TMPDIR");
  }

  // Runs the script with each operation failing in turn, on both cores. The number of runs.
  int RunAll(int error) {
    std::atomic<int> next{1}, runs{0};
    std::atomic<bool> end{false};
    const auto work = [&] {
      while (!end) {
        const int nth = next.fetch_add(kStride);
        ++runs;
        if (!RunOne({nth, error})) end = true;
      }
    };
    std::thread other(work);
    work();
    other.join();
    return runs;
  }

  // False: the script needed fewer operations than that.
  bool RunOne(const Fault& fault) {
    const std::string name =
        "operation " + std::to_string(fault.nth) + ": " + std::strerror(fault.error);
    const std::string base = *scratch_ / ("run" + std::to_string(fault.nth));
    const std::string directory = base + "/data", report_file = base + "/report";
    std::filesystem::create_directories(base);
    const int status = Spawn(fault, directory, report_file, base + "/out");
    const std::string report = engine::ReadWhole(report_file),
                      out = engine::ReadWhole(base + "/out");
    if (status == -1) {
      ADD_FAILURE() << name << ": it hangs\n" << out;
      return false;
    }
    if (std::filesystem::exists(report_file + ".sync")) ++syncs_;
    const bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const bool ended = (WIFEXITED(status) && WEXITSTATUS(status) == kFailed) ||
                       (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT_TRUE(finished || ended) << name << ": status " << status << "\n" << report << out;
    if (ended) {
      EXPECT_NE(out.find(std::strerror(fault.error)), std::string::npos)
          << name << ": it does not say why it ended\n"
          << out;
    }
    EXPECT_EQ(report.find("AFTER A FAILED SYNC"), std::string::npos) << name << "\n" << report;
    EXPECT_EQ(report.find("UNSYNCED"), std::string::npos) << name << "\n" << report;
    if (finished) {
      EXPECT_EQ(report.find("WHILE IT ENDS"), std::string::npos) << name << "\n" << report;
      EXPECT_NE(report.find("entry 22\n"), std::string::npos) << name << "\n" << report;
    }
    std::string wrong = Judge(directory, report);
    EXPECT_EQ(wrong, "") << name << "\nreported:\n" << report << "printed:\n" << out;
    std::filesystem::remove_all(base);
    return !finished || report.find("survived ") != std::string::npos;
  }

  // The exit status, -1 when it did not end.
  int Spawn(const Fault& fault, const std::string& directory, const std::string& report,
            const std::string& out) {
    std::vector<std::string> variables = {
        "SCRIPT_DIRECTORY=" + directory, "SCRIPT_DONOR=" + (*scratch_ / "donor"),
        "SCRIPT_REPORT=" + report, "SCRIPT_NTH=" + std::to_string(fault.nth),
        "SCRIPT_ERROR=" + std::to_string(fault.error)};
    for (char** variable = environ; *variable != nullptr; ++variable)
      variables.push_back(*variable);
    std::vector<std::string> arguments = {"replica_test", "--gtest_brief=1",
                                          "--gtest_also_run_disabled_tests",
                                          "--gtest_filter=StorageFaultScript.DISABLED_Run"};
    const auto pointers = [](std::vector<std::string>& strings) {
      std::vector<char*> all;
      for (std::string& s : strings) all.push_back(s.data());
      all.push_back(nullptr);
      return all;
    };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, out.c_str(), O_WRONLY | O_CREAT, 0644);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr,
                                    pointers(arguments).data(), pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    CHECK_EQ(error, 0);
    // How long it takes decides nothing but whether it hangs.
    for (int waited_ms = 0; waited_ms < 60'000; waited_ms += 2) {
      int status = 0;
      if (::waitpid(pid, &status, WNOHANG) == pid) return status;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return -1;
  }

  // Opens what is left, on a disk that works. "" or what is wrong.
  static std::string Judge(const std::string& directory, const std::string& report) {
    raft::Index entry = 0, flushed = 0;
    uint64_t run = 0;
    std::istringstream lines(report);
    std::string what;
    uint64_t number;
    while (lines >> what) {
      if (what == "survived") break;
      if (!(lines >> number)) break;
      if (what == "entry") entry = number;
      if (what == "flushed") flushed = number;
      if (what == "run") run = number;
    }
    std::string found;
    const auto print = [&found](const std::string& line) { found += line + "\n"; };
    if (CheckDataDirectory({.data_dir = directory}, print, [](const std::string&) {}) ==
        kCheckDamaged) {
      // A start that failed before it had written who it is left nothing to lose.
      return "check: " + found;
    }
    auto data = engine::DataDirectory::Open(directory, "one", 1);
    if (!data.ok()) return data.ToString();
    if ((*data)->identity().run <= run) return "run " + std::to_string((*data)->identity().run);
    auto engine = engine::Engine::Open(OptionsFor(directory));
    if (!engine.ok()) return engine.ToString();
    auto log = engine::LogStore::Open(LogOptionsFor(directory));
    if (!log.ok()) return log.ToString();
    if ((*log)->start_membership().voters.empty()) {
      if (entry > 0) return "the membership is lost";
      Status status = (*log)->Bootstrap({{1, 2, 3}, {}, {}, {}});
      if (!status.ok()) return status.ToString();
    }
    raft::Config config;
    Status recovered = RecoverLog(**engine, log->get(), &config);
    if (!recovered.ok()) return recovered.ToString();
    if (config.applied_index < flushed) return "applied " + std::to_string(config.applied_index);
    if (std::max(config.last_index, config.applied_index) < entry) {
      return "the log ends at " + std::to_string(config.last_index);
    }
    // All that was applied is there and nothing else; the rest is in the log.
    auto view = (*engine)->NewView(0);
    const engine::KeyCounts counts = types::DatabaseCounts(*view, 0);
    if (counts.keys != static_cast<int64_t>(config.applied_index)) {
      return std::to_string(counts.keys) + " keys";
    }
    for (raft::Index i = 1; i <= config.applied_index; ++i) {
      std::optional<types::Record> record = types::Find(*view, 0, KeyOf(i));
      if (!record || record->payload() != DataOf(i)) return KeyOf(i) + " is lost";
    }
    for (raft::Index i = config.applied_index + 1; i <= entry; ++i) {
      auto kept = (*log)->Read(i, i + 1, SIZE_MAX);
      if (!kept.ok() || kept->size() != 1) return "entry " + std::to_string(i) + " is lost";
    }
    return "";
  }

  std::unique_ptr<engine::ScratchDirectory> scratch_;
  bool set_tmpdir_ = false;
  std::atomic<int> syncs_{0};  // runs in which a sync failed
};

// The kernel may have dropped the pages of a sync that failed: a second one that succeeds proves
// nothing, so neither database may say after it that anything is durable.
TEST_F(StorageFaultTest, WhateverOperationFailsWhatWasDurableStaysAndNothingIsHalf) {
  const int runs = RunAll(EIO);
  std::printf("%d runs, in %d of them a sync failed\n", runs, syncs_.load());
  EXPECT_GT(runs, 200 / kStride);
  EXPECT_GT(syncs_, 50 / kStride);
}

TEST_F(StorageFaultTest, WhateverOperationFindsTheDiskFullWhatWasDurableStaysAndNothingIsHalf) {
  const int runs = RunAll(ENOSPC);
  std::printf("%d runs\n", runs);
  EXPECT_GT(runs, 200 / kStride);
}

}  // namespace
}  // namespace metastore::replica
