#include "tests/cluster/harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "base/check.h"
#include "tests/cluster/clients.h"

namespace metastore::cluster_test {
namespace {

constexpr int kFirstPort = 10'000;
constexpr int kPorts = 20'000;  // below the usual start of the ephemeral range, 32768
constexpr size_t kLogTailBytes = 6'000;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool Failed() {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  return test != nullptr && test->result()->Failed();
}

}  // namespace

int64_t NowMs() {
  return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool WaitFor(const std::function<bool()>& condition, Millis deadline) {
  const int64_t end = NowMs() + deadline.count();
  while (!condition()) {
    if (NowMs() >= end) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

int EnvNumber(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::atoi(text);
}

// --- scratch -----------------------------------------------------------------------------------

ScratchDirectory::ScratchDirectory() {
  const char* base = std::getenv("TMPDIR");
  path_ = std::string(base == nullptr || *base == '\0' ? "/tmp" : base) + "/metastore.XXXXXX";
  CHECK(mkdtemp(path_.data()) != nullptr);
}

ScratchDirectory::~ScratchDirectory() {
  if (Failed() && EnvNumber("KEEP", 0) != 0) {
    std::fprintf(stderr, "kept: %s\n", path_.c_str());
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

// --- ports -------------------------------------------------------------------------------------

FreePort::FreePort() {
  static std::mt19937 random{std::random_device{}()};
  for (int attempt = 0; attempt < 10 * kPorts; ++attempt) {
    int port = kFirstPort + static_cast<int>(random() % kPorts);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    sockaddr_in address = Loopback(port);
    // Without SO_REUSEADDR: fails beside any other socket of this port.
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      int on = 1;
      CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
      fd_ = fd;
      number_ = port;
      return;
    }
    close(fd);
  }
  CHECK(false);
}

FreePort::FreePort(FreePort&& other) noexcept : number_(other.number_), fd_(other.fd_) {
  other.fd_ = -1;
}

FreePort::~FreePort() {
  if (fd_ >= 0) close(fd_);
}

bool PortAnswers(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_GE(fd, 0);
  sockaddr_in address = Loopback(port);
  bool answers = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return answers;
}

// --- processes ---------------------------------------------------------------------------------

Process::Process(std::vector<std::string> argv, const std::string& output_file) {
  // All memory is allocated before the fork: another thread may hold the allocator's lock.
  std::vector<char*> arguments;
  for (std::string& argument : argv) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  int output = open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  CHECK_GE(output, 0);
  const pid_t parent = getpid();
  pid_ = fork();
  CHECK_GE(pid_, 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);  // the parent ended before prctl
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(output, 1);
    dup2(output, 2);
    execvp(arguments[0], arguments.data());
    static constexpr char kMessage[] = "cannot execute the program\n";
    ssize_t written = write(2, kMessage, sizeof kMessage - 1);
    (void)written;
    _exit(127);
  }
  running_ = true;
  close(output);
}

Process::~Process() {
  if (!Running()) return;
  Signal(SIGKILL);
  Reap(true);
}

void Process::Signal(int signal) {
  if (Running()) kill(pid_, signal);
}

bool Process::Reap(bool wait) {
  if (!running_) return true;
  int status = 0;
  pid_t got;
  do {
    got = waitpid(pid_, &status, wait ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return false;
  CHECK_EQ(got, pid_);
  running_ = false;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return true;
}

bool Process::Running() { return !Reap(false); }

bool Process::WaitExit(Millis deadline) {
  return WaitFor([this] { return !Running(); }, deadline);
}

RunResult RunCommand(std::vector<std::string> argv, Millis deadline) {
  ScratchDirectory scratch;
  const std::string file = scratch.path() + "/output";
  RunResult result;
  {
    Process process(std::move(argv), file);
    if (!process.WaitExit(deadline)) {
      process.Signal(SIGKILL);
      CHECK(process.WaitExit());
    }
    result.exit_code = process.exit_code();
  }
  result.output = ReadFile(file);
  return result;
}

std::string BinaryUnderTest() {
  const char* name = std::getenv("METASTORE");
  std::string path = name == nullptr || *name == '\0' ? "./metaStore" : name;
  return std::filesystem::absolute(path).string();
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

int CountLines(const std::string& text) {
  int lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  return lines + (text.empty() || text.back() == '\n' ? 0 : 1);
}

// --- nodes -------------------------------------------------------------------------------------

Node::Node(int id, std::string directory) : id_(id), directory_(std::move(directory)) {
  std::filesystem::create_directories(directory_);
}

std::string Node::LogText() const { return ReadFile(log_file()) + ReadFile(directory_ + "/out"); }

std::vector<std::string> Node::CommandLine(const std::string& cluster) const {
  std::vector<std::string> argv = prefix;
  argv.insert(argv.end(), {BinaryUnderTest(), "--id", std::to_string(id_), "--cluster", cluster,
                           "--port", http_.text(), "--redis-port", redis_.text(), "--data-dir",
                           data_dir(), "--log-file", log_file()});
  argv.insert(argv.end(), extra_flags.begin(), extra_flags.end());
  return argv;
}

void Node::Start(const std::string& cluster) {
  CHECK(!Running());
  process_ = std::make_unique<Process>(CommandLine(cluster), directory_ + "/out");
}

void Node::Kill() {
  process_->Signal(SIGKILL);
  CHECK(process_->WaitExit());
}

void Node::Pause() {
  process_->Signal(SIGSTOP);
  // The signal is asynchronous: wait until the kernel shows the process as stopped.
  CHECK(WaitFor([this] {
    std::string stat = ReadFile("/proc/" + std::to_string(pid()) + "/stat");
    size_t name_end = stat.rfind(')');
    return name_end != std::string::npos && stat.substr(name_end, 4).find('T') != std::string::npos;
  }));
}

void Node::Resume() { process_->Signal(SIGCONT); }

int Node::Terminate() {
  process_->Signal(SIGTERM);
  if (!process_->WaitExit()) {
    ADD_FAILURE() << "node " << id_ << " does not end after SIGTERM";
    Kill();
  }
  return process_->exit_code();
}

int64_t Node::Metric(const std::string& name) const {
  const std::string text = Http(http_port(), "GET", "/-/metrics").body;
  const std::string start = "\nmetastore_" + name + " ";
  size_t at = text.find(start);
  return at == std::string::npos ? -1 : std::atoll(text.c_str() + at + start.size());
}

size_t Node::MemoryBytes(const std::string& field) const {
  std::istringstream status(ReadFile("/proc/" + std::to_string(pid()) + "/status"));
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(field + ":", 0) == 0) {
      return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10) * 1024;
    }
  }
  return 0;
}

// --- clusters ----------------------------------------------------------------------------------

Cluster::Cluster(int nodes, std::vector<std::string> flags) {
  for (int i = 0; i < nodes; ++i) {
    nodes_.push_back(
        std::make_unique<Node>(i + 1, scratch_.path() + "/node" + std::to_string(i + 1)));
    nodes_.back()->extra_flags = flags;
  }
  UpdateUrls();
}

void Cluster::UpdateUrls() {
  urls_.clear();
  for (const std::unique_ptr<Node>& node : nodes_) {
    urls_ += (urls_.empty() ? "" : ",") + node->peer_url();
  }
}

Cluster::~Cluster() {
  if (!Failed()) return;
  for (std::unique_ptr<Node>& node : nodes_) {
    std::string log = node->LogText();
    if (log.size() > kLogTailBytes) log = log.substr(log.size() - kLogTailBytes);
    std::fprintf(stderr, "--- node %d (redis port %d):\n%s\n", node->id(), node->redis_port(),
                 log.c_str());
  }
}

void Cluster::StartAll() {
  for (int i = 0; i < size(); ++i) {
    if (!node(i).Running()) Start(i);
  }
}

void Cluster::KillAll() {
  // All signals first, so that no node sees the others die.
  for (std::unique_ptr<Node>& node : nodes_) {
    if (node->Running()) node->process().Signal(SIGKILL);
  }
  for (std::unique_ptr<Node>& node : nodes_) {
    if (node->Running()) CHECK(node->process().WaitExit());
  }
}

bool Cluster::WaitReady(Millis deadline) {
  for (std::unique_ptr<Node>& node : nodes_) {
    if (!node->Running()) continue;
    bool ready = WaitFor(
        [&node] {
          if (!node->Running()) return true;  // reported below
          return !Client(node->redis_port()).Run({"EXISTS", "ready"}).failed();
        },
        deadline);
    if (!ready || !node->Running()) return false;
  }
  return true;
}

int Cluster::WaitLeader(Millis deadline) {
  int leader = -1;
  bool found = WaitFor(
      [this, &leader] {
        // A deposed leader may not know yet; the highest term is right.
        int64_t term = -1;
        leader = -1;
        for (int i = 0; i < size(); ++i) {
          if (!node(i).Running() || node(i).Metric("raft_is_leader") != 1) continue;
          int64_t its_term = node(i).Metric("raft_term");
          if (its_term > term) {
            term = its_term;
            leader = i;
          }
        }
        return leader >= 0;
      },
      deadline);
  return found ? leader : -1;
}

}  // namespace metastore::cluster_test
