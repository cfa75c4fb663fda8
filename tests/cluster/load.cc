#include "tests/cluster/load.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "base/check.h"
#include "tests/cluster/clients.h"

namespace metastore::cluster_test {
namespace {

constexpr int kMaxFaultsTold = 10;
constexpr size_t kVerifyBatch = 500;
constexpr char kCounter[] = "counter";

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string KeyOf(int worker, size_t number) {
  return "key:" + std::to_string(worker) + ":" + std::to_string(number);
}
std::string ValueOf(int worker, size_t number) {
  return "value of " + std::to_string(worker) + " at " + std::to_string(number);
}

}  // namespace

Load::Load(Cluster* cluster, int clients_per_node) : cluster_(cluster) {
  for (int i = 0; i < cluster->size(); ++i)
    deaths_.push_back(std::make_unique<std::atomic<int>>(0));
  for (int i = 0; i < cluster->size() * clients_per_node; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->number = i;
    workers_.back()->node = i % cluster->size();
  }
  for (std::unique_ptr<Worker>& worker : workers_) {
    worker->thread = std::thread([this, w = worker.get()] { Work(w); });
  }
}

Load::~Load() { Stop(); }

void Load::Stop() {
  stop_ = true;
  for (std::unique_ptr<Worker>& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void Load::NodeGoesDown(int index) {
  CHECK_EQ(deaths_[static_cast<size_t>(index)]->fetch_add(1) % 2, 0);
}
void Load::NodeIsBack(int index) {
  CHECK_EQ(deaths_[static_cast<size_t>(index)]->fetch_add(1) % 2, 1);
}

void Load::Fault(const std::string& what) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (++fault_count_ <= kMaxFaultsTold) faults_ += what + "\n";
}

void Load::Work(Worker* worker) {
  const std::atomic<int>& deaths = *deaths_[static_cast<size_t>(worker->node)];
  const int port = cluster_->node(worker->node).redis_port();
  std::optional<Client> client;
  int deaths_before = 0;
  auto run = [&](const std::vector<std::string>& command) {
    const int64_t start = NowNs();
    Reply reply = client->Run(command);
    const int64_t took = NowNs() - start;
    if (!reply.failed()) {
      ++worker->replies;
      if (took > worker->longest_ns) worker->longest_ns = took;
      return reply;
    }
    // Only the death of its own node excuses a lost connection, and nothing excuses an error.
    if (reply.error() || deaths == deaths_before) {
      Fault("a client of node " + std::to_string(worker->node + 1) + " got " + reply.ToString() +
            " for " + command[0]);
    }
    client.reset();
    return reply;
  };
  while (!stop_) {
    if (!client.has_value()) {
      deaths_before = deaths;
      if (deaths_before % 2 == 0) client.emplace(port);
      if (!client.has_value() || !client->connected()) {
        client.reset();
        std::this_thread::sleep_for(kPollInterval);
        continue;
      }
    }
    const size_t number = worker->sets.size();
    Reply set = run({"SET", KeyOf(worker->number, number), ValueOf(worker->number, number)});
    worker->sets.push_back(set.ok() ? Outcome::kAcknowledged : Outcome::kUnknown);
    if (!client.has_value()) continue;
    Reply count = run({"INCR", kCounter});
    if (count.failed()) {
      ++worker->unknown_increments;
    } else {
      worker->increments.push_back(count.integer);
    }
  }
}

int64_t Load::Replies(int index) const {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (worker->node == index) least = std::min(least, worker->replies.load());
  }
  return least;
}

bool Load::WaitForReplies(int index, int64_t more) {
  std::vector<std::pair<Worker*, int64_t>> goals;
  for (std::unique_ptr<Worker>& worker : workers_) {
    if (worker->node == index) goals.emplace_back(worker.get(), worker->replies + more);
  }
  return WaitFor([&goals] {
    return std::all_of(goals.begin(), goals.end(),
                       [](const auto& goal) { return goal.first->replies >= goal.second; });
  });
}

int64_t Load::TakeLongestPauseMs(int except) {
  int64_t longest = 0;
  for (std::unique_ptr<Worker>& worker : workers_) {
    int64_t its = worker->longest_ns.exchange(0);
    if (worker->node != except) longest = std::max(longest, its);
  }
  return longest / 1'000'000;
}

std::string Load::Faults() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (fault_count_ <= kMaxFaultsTold) return faults_;
  return faults_ + "and " + std::to_string(fault_count_ - kMaxFaultsTold) + " more\n";
}

int64_t Load::acknowledged() const {
  int64_t sum = 0;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    sum += std::count(worker->sets.begin(), worker->sets.end(), Outcome::kAcknowledged);
    sum += static_cast<int64_t>(worker->increments.size());
  }
  return sum;
}

int64_t Load::unknown() const {
  int64_t sum = 0;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    sum += std::count(worker->sets.begin(), worker->sets.end(), Outcome::kUnknown);
    sum += worker->unknown_increments;
  }
  return sum;
}

std::string Load::Verify(int index) {
  std::string faults;
  int told = 0;
  auto fault = [&](const std::string& what) {
    if (++told <= kMaxFaultsTold) {
      faults += "node " + std::to_string(index + 1) + ": " + what + "\n";
    }
  };
  Client client(cluster_->node(index).redis_port());
  int64_t increments = 0, unknown_increments = 0;
  std::set<int64_t> seen;
  for (std::unique_ptr<Worker>& worker : workers_) {
    for (size_t first = 0; first < worker->sets.size(); first += kVerifyBatch) {
      const size_t end = std::min(first + kVerifyBatch, worker->sets.size());
      for (size_t i = first; i < end; ++i) client.Append({"GET", KeyOf(worker->number, i)});
      for (size_t i = first; i < end; ++i) {
        Reply reply = client.Receive();
        bool right = reply.kind == Reply::Kind::kString && reply.text == ValueOf(worker->number, i);
        if (!right && !(reply.null() && worker->sets[i] == Outcome::kUnknown)) {
          fault(KeyOf(worker->number, i) + " was acknowledged and is " + reply.ToString());
        }
      }
    }
    increments += static_cast<int64_t>(worker->increments.size());
    unknown_increments += worker->unknown_increments;
    for (size_t i = 0; i < worker->increments.size(); ++i) {
      if (!seen.insert(worker->increments[i]).second) {
        fault("two INCRs returned " + std::to_string(worker->increments[i]));
      }
      if (i > 0 && worker->increments[i] <= worker->increments[i - 1]) {
        fault("INCR went back to " + std::to_string(worker->increments[i]));
      }
    }
  }
  Reply counter = client.Run({"GET", kCounter});
  int64_t value = counter.kind == Reply::Kind::kString ? std::stoll(counter.text) : 0;
  if (counter.failed() || value < increments || value > increments + unknown_increments) {
    fault("the counter is " + counter.ToString() + " after " + std::to_string(increments) +
          " acknowledged and " + std::to_string(unknown_increments) + " unknown INCRs");
  }
  return faults;
}

}  // namespace metastore::cluster_test
