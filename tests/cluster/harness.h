// Real processes: nodes started from the binary under test (environment METASTORE, else
// ./metaStore), each in a temporary directory, on loopback ports that are free at the moment.
//
// A node dies with the thread that started it (PR_SET_PDEATHSIG is per thread): start nodes from
// the test's own thread only. Waits poll a condition until a liveness deadline; how long something
// took decides no result.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace metastore::cluster_test {

using Millis = std::chrono::milliseconds;

// A sanitizer build, of this binary and as a rule of the one under test: its memory says nothing,
// it is slow, and LeakSanitizer does not run under strace.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// What "in the end" means: far above anything a healthy node needs, on a busy machine as well.
inline constexpr Millis kLiveness{60'000};
inline constexpr Millis kPollInterval{10};

// Polls until `condition` holds. False: it did not within `deadline`.
[[nodiscard]] bool WaitFor(const std::function<bool()>& condition, Millis deadline = kLiveness);

int64_t NowMs();  // monotonic

// An environment variable as a number, else `otherwise`. Load figures come from here.
int EnvNumber(const char* name, int otherwise);

// A directory of its own below $TMPDIR, removed at the end unless the test failed and
// KEEP is set.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A loopback port that nobody else has. While this object lives, other tests that ask for a port
// do not get it: a socket is bound to it that does not listen, which SO_REUSEADDR allows beside
// the server's own. Outside of the kernel's ephemeral range, so no outgoing connection takes it.
class FreePort {
 public:
  FreePort();
  ~FreePort();
  FreePort(FreePort&& other) noexcept;
  FreePort(const FreePort&) = delete;
  FreePort& operator=(const FreePort&) = delete;
  int number() const { return number_; }
  std::string text() const { return std::to_string(number_); }

 private:
  int number_ = 0;
  int fd_ = -1;
};

// A child process with its output in a file.
class Process {
 public:
  // argv[0] is looked up in PATH. Standard output and error go to `output_file` (appended).
  Process(std::vector<std::string> argv, const std::string& output_file);
  // Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);
  bool Running();
  // False: it still ran after `deadline`.
  [[nodiscard]] bool WaitExit(Millis deadline = kLiveness);
  // After it has ended: the exit code, or -signal.
  int exit_code() const { return exit_code_; }

 private:
  bool Reap(bool wait);

  pid_t pid_ = -1;
  bool running_ = false;
  int exit_code_ = 0;
};

struct RunResult {
  int exit_code = 0;
  std::string output;  // standard output and error
};
// Runs a command to its end; killed after `deadline`.
RunResult RunCommand(std::vector<std::string> argv, Millis deadline = kLiveness);

std::string BinaryUnderTest();
// The text of a file, "" where there is none.
std::string ReadFile(const std::string& path);
int CountLines(const std::string& text);

// A connection-refused-or-accepted probe.
bool PortAnswers(int port);

// One node of a Cluster. Its directory and ports stay the same over its runs.
class Node {
 public:
  Node(int id, std::string directory);

  int id() const { return id_; }
  int redis_port() const { return redis_.number(); }
  int http_port() const { return http_.number(); }
  int peer_port() const { return peer_.number(); }
  std::string peer_url() const { return "http://127.0.0.1:" + std::to_string(peer_address_); }
  // The port that the others are told, where it is not the one on which the node listens.
  void set_peer_address(int port) { peer_address_ = port; }
  std::string data_dir() const { return directory_ + "/data"; }
  std::string log_file() const { return directory_ + "/log"; }
  // The log and what was printed.
  std::string LogText() const;

  // What the next start adds to the command line.
  std::vector<std::string> extra_flags;
  // What the next start puts in front of it, e.g. strace.
  std::vector<std::string> prefix;

  std::vector<std::string> CommandLine(const std::string& cluster) const;
  void Start(const std::string& cluster);
  bool Running() { return process_ != nullptr && process_->Running(); }
  pid_t pid() const { return process_->pid(); }

  void Kill();    // SIGKILL, and waits for the end
  void Pause();   // SIGSTOP
  void Resume();  // SIGCONT
  // SIGTERM, and waits. The exit code, or -signal.
  int Terminate();
  void RequestEnd() { process_->Signal(15); }
  Process& process() { return *process_; }

  // A sample of /-/metrics without its prefix, e.g. "raft_term"; -1 where the node does not answer.
  int64_t Metric(const std::string& name) const;

  // A field of /proc/<pid>/status in bytes: VmRSS, VmHWM.
  size_t MemoryBytes(const std::string& field) const;

 private:
  int id_;
  std::string directory_;
  FreePort redis_, http_, peer_;
  int peer_address_ = peer_.number();
  std::unique_ptr<Process> process_;
};

// n nodes that know each other. Nothing runs until Start. If the test has failed by the end, the
// tails of all logs are printed.
class Cluster {
 public:
  explicit Cluster(int nodes, std::vector<std::string> flags = {});
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  int size() const { return static_cast<int>(nodes_.size()); }
  // By index from 0; the node's id is one more.
  Node& node(int index) { return *nodes_[static_cast<size_t>(index)]; }
  const std::string& urls() const { return urls_; }
  void UpdateUrls();
  const std::string& directory() const { return scratch_.path(); }

  void StartAll();
  void Start(int index) { node(index).Start(urls_); }
  void KillAll();

  // Every running node answers a linearizable read: there is a leader, and all know it.
  [[nodiscard]] bool WaitReady(Millis deadline = kLiveness);
  // Index of the leader, as the nodes that run say; waits for one. -1: none in time.
  [[nodiscard]] int WaitLeader(Millis deadline = kLiveness);
  // Index of some node that is not `index`.
  int Other(int index) const { return (index + 1) % size(); }

 private:
  ScratchDirectory scratch_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::string urls_;
};

}  // namespace metastore::cluster_test
