// Clients on all nodes, and everything that can happen to a cluster of real processes: kills,
// pauses, cut links, a full disk, members that come and go. What the clients saw must be
// linearizable, and in the end all that was acknowledged is there, once, and nothing refused.
//
// Environment: TORTURE_SECONDS for each cluster, TORTURE_SEED repeats the choices of a run.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "base/check.h"
#include "base/random.h"
#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"
#include "tests/cluster/linearizability.h"
#include "tests/cluster/proxy.h"

namespace metastore::cluster_test {
namespace {

using Kind = Operation::Kind;

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A moment between two choices of a client or of the tormentor: the pace of the test, nothing that
// a result depends on.
void Rest(Millis time) { std::this_thread::sleep_for(time); }

// A file system of its own for one node, small enough to be filled. It lies in a mount namespace
// of this thread, which the nodes that the thread starts share, so it outlives them.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    std::filesystem::create_directories(path);
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("none", path.c_str(), "tmpfs", 0, "size=400m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  // A file that leaves so much free, or as little as there is.
  void LeaveFree(uint64_t bytes) {
    struct statvfs fs;
    CHECK_EQ(::statvfs(path_.c_str(), &fs), 0);
    const uint64_t free = uint64_t{fs.f_bavail} * fs.f_frsize;
    if (free <= bytes) return;
    std::FILE* file = std::fopen(Ballast().c_str(), "w");
    CHECK(file != nullptr);
    (void)::posix_fallocate(::fileno(file), 0, static_cast<off_t>(free - bytes));
    std::fclose(file);
  }
  void MakeRoom() { ::unlink(Ballast().c_str()); }

 private:
  std::string Ballast() const { return path_ + "/ballast"; }
  const std::string path_;
  bool mounted_ = false;
};

// What the clients saw. Registers and counters are used for a second and then left for others, so
// that every history is short enough to be judged.
class Records {
 public:
  struct Unique {
    std::string key;
    enum class Outcome : char { kDone, kRefused, kUnknown } outcome;
  };
  void Add(const std::string& key, Operation operation) {
    std::lock_guard<std::mutex> lock(mutex_);
    histories_[key].push_back(std::move(operation));
  }
  void Add(Unique unique) {
    std::lock_guard<std::mutex> lock(mutex_);
    uniques_.push_back(std::move(unique));
  }
  void Fault(const std::string& what) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (faults_.size() < 4000) faults_ += what + "\n";
  }

  // After the clients have ended.
  const std::map<std::string, std::vector<Operation>>& histories() const { return histories_; }
  const std::vector<Unique>& uniques() const { return uniques_; }
  const std::string& faults() const { return faults_; }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<Operation>> histories_;
  std::vector<Unique> uniques_;
  std::string faults_;
};

enum class Answer { kDone, kRefused, kUnknown, kWrong };

Answer Judge(const Reply& reply) {
  if (reply.lost()) return Answer::kUnknown;
  if (!reply.error()) return Answer::kDone;
  if (reply.text.starts_with("UNKNOWNOUTCOME")) return Answer::kUnknown;
  // These promise that the command was not and will not be applied.
  if (reply.text.starts_with("CLUSTERDOWN") || reply.text.find("disk") != std::string::npos) {
    return Answer::kRefused;
  }
  return Answer::kWrong;
}

class Torture {
 public:
  Torture(int members, int seconds, uint64_t seed)
      : members_(members),
        seconds_(seconds),
        random_(seed),
        cluster_(members + 1, {"--disk-reserve", "48mb", "--log-retain", "1mb", "--log-flush",
                               "4mb", "--request-timeout", "3000"}),
        proxy_(&cluster_),
        spare_(members),
        up_(static_cast<size_t>(members) + 1) {}

  void Run() {
    small_.emplace(cluster_.node(1).data_dir());
    std::string urls;
    for (int i = 0; i < members_; ++i) {
      urls += (i > 0 ? "," : "") + cluster_.node(i).peer_url();
    }
    for (int i = 0; i < members_; ++i) {
      cluster_.node(i).Start(urls);
      up_[static_cast<size_t>(i)] = true;
    }
    ASSERT_TRUE(Settled());
    std::vector<std::thread> clients;
    for (int i = 0; i < 2 * members_ + 1; ++i) {
      clients.emplace_back([this, i, seed = random_.Next()] { Work(i, Random(seed)); });
    }
    const int64_t end = NowMs() + seconds_ * 1000;
    while (NowMs() < end && !testing::Test::HasFailure()) Torment();
    Heal();
    const bool settled = Settled();
    stop_ = true;
    for (std::thread& client : clients) client.join();
    ASSERT_TRUE(settled) << "the cluster does not recover after " << last_;
    Verify();
    Report();
  }

 private:
  // --- clients -----------------------------------------------------------------------------------
  void Work(int number, Random random) {
    const int node = number % (members_ + 1);
    std::optional<Client> client;
    int64_t written = 0;
    while (!stop_) {
      if (!client || !client->connected()) {
        client.reset();
        if (up_[static_cast<size_t>(node)]) {
          client.emplace(cluster_.node(node).redis_port(), Millis(20'000));
        }
        if (!client || !client->connected()) Rest(Millis(20));
        continue;
      }
      const std::string token = std::to_string(number) + "." + std::to_string(written++);
      if (random.OneIn(4)) {
        WriteUnique("u" + token, &*client);
      } else {
        Operate(token, &random, &*client);
      }
      Rest(Millis(random.Uniform(4)));
    }
  }

  void Count(const Reply& reply, const std::string& command) {
    const Answer answer = Judge(reply);
    ++answers_[static_cast<size_t>(answer)];
    if (answer == Answer::kWrong) records_.Fault(command + ": " + reply.ToString());
    if (answer != Answer::kDone) return;
    const int64_t now = NowMs();
    const int64_t gap = now - last_answer_ms_.exchange(now);
    int64_t longest = longest_gap_ms_;
    while (gap > longest && !longest_gap_ms_.compare_exchange_weak(longest, gap)) {
    }
  }

  void WriteUnique(const std::string& key, Client* client) {
    using Outcome = Records::Unique::Outcome;
    const Reply reply = client->Run({"APPEND", key, "x"});
    Count(reply, "APPEND");
    const Answer answer = Judge(reply);
    if (answer == Answer::kDone && reply.integer != 1) {
      records_.Fault("APPEND to a new key says " + reply.ToString());
    }
    records_.Add({key, answer == Answer::kDone      ? Outcome::kDone
                       : answer == Answer::kRefused ? Outcome::kRefused
                                                    : Outcome::kUnknown});
  }

  void Operate(const std::string& token, Random* random, Client* client) {
    // A client that was kept waiting goes on with the keys of the present.
    const std::string second = std::to_string(NowMs() / 1000);
    const bool counter = random->OneIn(2);
    const std::string key = (counter ? "c" : "r") + second;
    Operation operation;
    std::vector<std::string> command;
    const uint64_t choice = random->Uniform(counter ? 2 : 4);
    operation.argument = token;
    if (choice <= (counter ? 0u : 1u)) {
      operation.kind = Kind::kGet;
      command = {"GET", key};
    } else if (counter) {
      operation.kind = Kind::kIncr;
      command = {"INCR", key};
    } else {
      operation.kind = choice == 2 ? Kind::kSet : Kind::kGetSet;
      command = {choice == 2 ? "SET" : "GETSET", key, token};
    }
    operation.call_ns = NowNs();
    const Reply reply = client->Run(command);
    const int64_t end = NowNs();
    Count(reply, command[0]);
    const Answer answer = Judge(reply);
    if (answer == Answer::kDone) {
      operation.return_ns = end;
      if (reply.kind == Reply::Kind::kInteger) operation.result = std::to_string(reply.integer);
      if (reply.kind == Reply::Kind::kString) operation.result = reply.text;
    } else if (answer != Answer::kUnknown || operation.kind == Kind::kGet) {
      return;  // it had no effect, or nobody saw one
    }
    records_.Add(key, std::move(operation));
  }

  // --- torment -----------------------------------------------------------------------------------
  Node& node(int index) { return cluster_.node(index); }
  int AnyMember() {
    for (;;) {
      const int index = static_cast<int>(random_.Uniform(static_cast<uint64_t>(members_) + 1));
      if (index != spare_) return index;
    }
  }
  // The one that says it leads; else any.
  int Leader() {
    for (int i = 0; i <= members_; ++i) {
      if (i == spare_ || paused_[i] || !node(i).Running()) continue;
      if (node(i).Metric("raft_is_leader") == 1) return i;
    }
    return AnyMember();
  }
  void Kill(int index) {
    up_[static_cast<size_t>(index)] = false;
    if (node(index).Running()) node(index).Kill();
    paused_[index] = false;
  }
  void Pause(int index) {
    if (!node(index).Running()) return;
    node(index).Pause();
    paused_[index] = true;
  }
  void Heal() {
    proxy_.Heal();
    if (small_->mounted()) small_->MakeRoom();
    for (int i = 0; i <= members_; ++i) {
      if (paused_[i]) node(i).Resume();
      paused_[i] = false;
      if (i == spare_ || node(i).Running()) continue;
      cluster_.Start(i);
      up_[static_cast<size_t>(i)] = true;
    }
  }
  // Every member answers reads and writes.
  bool Settled() {
    return WaitFor([this] {
      for (int i = 0; i <= members_; ++i) {
        if (i == spare_) continue;
        if (!node(i).Running()) {
          ADD_FAILURE() << "node " << i + 1 << " has ended: " << node(i).LogText();
          return true;
        }
        Client client(node(i).redis_port(), Millis(5000));
        if (!client.Run({"SET", "settled", "yes"}).ok()) return false;
      }
      return true;
    });
  }
  Millis Time(uint64_t least_ms, uint64_t most_ms) {
    return Millis(least_ms + random_.Uniform(most_ms - least_ms));
  }

  // One of these, sometimes two at once; then all is healed and must come back.
  void Torment() {
    static constexpr const char* kNames[] = {"kill",
                                             "kill the leader",
                                             "kill all",
                                             "pause",
                                             "pause the leader",
                                             "isolate",
                                             "cut one way out",
                                             "cut one way in",
                                             "two halves",
                                             "a ring",
                                             "a flapping link",
                                             "slow links",
                                             "a full disk",
                                             "reset links",
                                             "transfer",
                                             "terminate",
                                             "members",
                                             "kill twice"};
    constexpr size_t kKinds = std::size(kNames);
    const int faults = random_.OneIn(3) ? 2 : 1;
    last_.clear();
    for (int i = 0; i < faults; ++i) {
      const size_t kind = random_.Uniform(kKinds);
      last_ += (last_.empty() ? "" : " and ") + std::string(kNames[kind]);
      ++counts_[kNames[kind]];
      Inflict(kind);
    }
    // What lasts long is rare: the schedule is short.
    Rest(random_.OneIn(12) ? Time(8'000, 15'000) : Time(300, 3000));
    Heal();
    ASSERT_TRUE(Settled()) << "the cluster does not recover after " << last_;
    // Now and then nothing happens for a while.
    if (random_.OneIn(3)) Rest(Time(200, 1000));
  }

  void Inflict(size_t kind) {
    const int victim = AnyMember();
    const int other = AnyMember();
    const int id = victim + 1;
    switch (kind) {
      case 0:
        return Kill(victim);
      case 1:
        return Kill(Leader());
      case 2:
        for (int i = 0; i <= members_; ++i) {
          if (i != spare_) Kill(i);
        }
        return;
      case 3:
        return Pause(victim);
      case 4:
        return Pause(Leader());
      case 5:
        return ForOthers(Leader(), [&](int leader, int to) { proxy_.CutBoth(leader, to); });
      case 6:
        return ForOthers(random_.OneIn(2) ? Leader() : victim,
                         [&](int from, int to) { proxy_.Cut(from, to); });
      case 7:
        return ForOthers(random_.OneIn(2) ? Leader() : victim,
                         [&](int to, int from) { proxy_.Cut(from, to); });
      case 8: {
        const uint64_t sides = random_.Next();
        for (int a = 1; a <= members_ + 1; ++a) {
          for (int b = 1; b < a; ++b) {
            if (((sides >> a) & 1) != ((sides >> b) & 1)) proxy_.CutBoth(a, b);
          }
        }
        return;
      }
      case 9:  // each hears its neighbours only
        for (int a = 1; a <= members_ + 1; ++a) {
          for (int b = a + 2; b <= members_ + 1; ++b) {
            if (b - a != members_) proxy_.CutBoth(a, b);
          }
        }
        return;
      case 10:
        for (int i = 0; i < 6; ++i) {
          proxy_.CutBoth(id, other + 1);
          Rest(Time(20, 400));
          proxy_.Heal();
          Rest(Time(20, 200));
        }
        return;
      case 11:
        return ForOthers(victim, [&](int a, int b) { proxy_.Delay(a, b, Time(5, 120)); });
      case 12:
        if (small_->mounted() && spare_ != 1) {
          small_->LeaveFree(random_.OneIn(2) ? 2 << 20 : 40 << 20);
        }
        return;
      case 13:
        return ForOthers(victim, [&](int a, int b) { proxy_.Reset(a, b); });
      case 14:
        for (int i = 0; i < 3; ++i) {
          const int leader = Leader();
          if (!node(leader).Running() || paused_[leader]) continue;
          Client(node(leader).redis_port(), Millis(4000))
              .Run({"RAFT", "TRANSFER", std::to_string(AnyMember() + 1)});
        }
        return;
      case 15: {
        const int leader = Leader();
        if (!node(leader).Running() || paused_[leader]) return;
        node(leader).RequestEnd();
        up_[static_cast<size_t>(leader)] = false;
        if (!node(leader).process().WaitExit(Millis(10'000))) node(leader).Kill();
        return;
      }
      case 16:
        return ChangeMembers();
      case 17:
        Kill(victim);
        cluster_.Start(victim);
        Rest(Time(1, 300));
        return Kill(victim);
      default:
        return;
    }
  }

  template <class F>
  void ForOthers(int index, F&& f) {
    for (int other = 1; other <= members_ + 1; ++other) {
      if (other != index + 1) f(index + 1, other);
    }
  }

  // Asks one after another; true once it is done, whoever has done it.
  bool Ask(const std::vector<std::string>& command, const std::function<bool(const Reply&)>& done) {
    return WaitFor([&] {
      const int index = AnyMember();
      if (!node(index).Running() || paused_[index]) return false;
      return done(Client(node(index).redis_port(), Millis(8000)).Run(command));
    });
  }

  // The spare node enters, and then another leaves; its leader may die in between.
  void ChangeMembers() {
    Heal();
    ASSERT_TRUE(Settled()) << "before a change of members";
    const int enters = spare_;
    const std::string id = std::to_string(enters + 1);
    std::filesystem::create_directories(node(enters).data_dir());
    for (const auto& file : std::filesystem::directory_iterator(node(enters).data_dir())) {
      std::filesystem::remove_all(file.path());
    }
    if (random_.OneIn(3)) Kill(Leader());
    ASSERT_TRUE(Ask({"RAFT", "ADD", id, node(enters).peer_url()},
                    [](const Reply& reply) {
                      return !reply.failed() || reply.text.find("already") != std::string::npos;
                    }))
        << "node " << id << " cannot be added";
    std::vector<std::string> flags = node(enters).extra_flags;
    node(enters).extra_flags.push_back("--join");
    cluster_.Start(enters);
    node(enters).extra_flags = flags;
    spare_ = -1;
    up_[static_cast<size_t>(enters)] = true;
    if (random_.OneIn(3)) Kill(Leader());
    Heal();
    ASSERT_TRUE(Settled()) << "after node " << id << " was added";
    const int leaves = random_.OneIn(2) ? Leader() : AnyMember();
    up_[static_cast<size_t>(leaves)] = false;
    const std::string gone = std::to_string(leaves + 1);
    // The node itself may be asked, and end before it answers.
    ASSERT_TRUE(Ask({"RAFT", "REMOVE", gone},
                    [](const Reply& reply) {
                      return !reply.failed() ||
                             reply.text.find("is not a member") != std::string::npos;
                    }))
        << "node " << gone << " cannot be removed";
    spare_ = leaves;
    EXPECT_TRUE(node(leaves).process().WaitExit()) << node(leaves).LogText();
    EXPECT_EQ(node(leaves).process().exit_code(), 3) << node(leaves).LogText();
  }

  // --- the judgement -----------------------------------------------------------------------------
  void Verify() {
    EXPECT_EQ(records_.faults(), "");
    int undecided = 0;
    for (const auto& [key, history] : records_.histories()) {
      const Verdict verdict = CheckHistory(history);
      undecided += verdict == Verdict::kUndecided;
      EXPECT_NE(verdict, Verdict::kNotLinearizable) << "key " << key << "\n"
                                                    << DescribeHistory(history);
    }
    histories_ = static_cast<int>(records_.histories().size());
    EXPECT_LE(undecided * 20, histories_) << "too many histories were too hard to judge";
    using Outcome = Records::Unique::Outcome;
    std::string first_state;
    for (int i = 0; i <= members_; ++i) {
      if (i == spare_) continue;
      Client client(node(i).redis_port());
      size_t shown = 0;
      for (const Records::Unique& unique : records_.uniques()) {
        client.Append({"STRLEN", unique.key});
      }
      for (const Records::Unique& unique : records_.uniques()) {
        const Reply reply = client.Receive();
        const bool right = unique.outcome == Outcome::kDone      ? reply.integer == 1
                           : unique.outcome == Outcome::kRefused ? reply.integer == 0
                                                                 : reply.integer <= 1;
        if (right && !reply.failed()) continue;
        if (++shown <= 5) {
          ADD_FAILURE() << "node " << i + 1 << ": " << unique.key << " was written "
                        << reply.ToString() << " times, outcome "
                        << static_cast<int>(unique.outcome);
        }
      }
      EXPECT_EQ(node(i).Metric("raft_state_differs"), 0);
      std::string state;
      for (const auto& history : records_.histories()) {
        state += history.first + " " + client.Run({"GET", history.first}).ToString() + "\n";
      }
      if (first_state.empty()) first_state = state;
      EXPECT_EQ(state, first_state) << "node " << i + 1;
    }
    // What lies on the disks makes sense as well.
    for (int i = 0; i <= members_; ++i) {
      if (i == spare_) continue;
      EXPECT_EQ(node(i).Terminate(), 0);
      const RunResult check =
          RunCommand({BinaryUnderTest(), "check", "--data-dir", node(i).data_dir()});
      EXPECT_EQ(check.exit_code, 0) << check.output;
    }
  }

  void Report() {
    std::printf("%d nodes, %" PRId64 " s: %" PRId64 " done, %" PRId64 " refused, %" PRId64
                " unknown; %d histories; longest time without an answer %" PRId64 " ms\n ",
                members_, seconds_, answers_[0].load(), answers_[1].load(), answers_[2].load(),
                histories_, longest_gap_ms_.load());
    for (const auto& [name, count] : counts_) std::printf(" %s %d,", name.c_str(), count);
    std::printf("\n");
  }

  const int members_;
  const int64_t seconds_;
  Random random_;
  Cluster cluster_;
  Proxy proxy_;
  std::optional<SmallDisk> small_;
  int spare_;  // the one that is no member; -1 for a moment
  bool paused_[8] = {};
  std::vector<std::atomic<bool>> up_;
  std::atomic<bool> stop_{false};
  Records records_;
  std::atomic<int64_t> answers_[4] = {};
  std::atomic<int64_t> last_answer_ms_{NowMs()};
  std::atomic<int64_t> longest_gap_ms_{0};
  std::map<std::string, int> counts_;
  std::string last_;
  int histories_ = 0;
};

void RunTorture(int members) {
  uint64_t seed = std::random_device{}();
  if (const char* given = std::getenv("TORTURE_SEED")) seed = std::strtoull(given, nullptr, 10);
  std::printf("TORTURE_SEED=%" PRIu64 "\n", seed);
  // In a thread of its own: the mounts that it makes are seen by none else.
  std::thread([&] {
    Torture(members, EnvNumber("TORTURE_SECONDS", 30), seed).Run();
  }).join();
}

TEST(TortureTest, ThreeNodesUnderEverythingThatHappensToThemStayLinearizable) { RunTorture(3); }
TEST(TortureTest, FiveNodesUnderEverythingThatHappensToThemStayLinearizable) { RunTorture(5); }

// The link breaks again and again; what has arrived stays.
TEST(SnapshotLinkTest, ATransferThatIsCutGoesOnWhereItWas) {
  Cluster cluster(3, {"--log-retain", "0", "--log-flush", "1mb", "--snapshot-rate", "4mb"});
  Proxy proxy(&cluster);
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  const int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  const int behind = cluster.Other(leader);
  cluster.node(behind).Kill();
  Random random(7);
  constexpr int kKeys = 400;
  constexpr size_t kValueBytes = 40'000;
  {
    Client client(cluster.node(leader).redis_port());
    for (int i = 0; i < kKeys; ++i) {
      std::string value;
      while (value.size() < kValueBytes) value.push_back(static_cast<char>(random.Uniform(256)));
      ASSERT_TRUE(client.Run({"SET", "k" + std::to_string(i), value}).ok());
    }
  }
  ASSERT_TRUE(WaitFor([&] { return cluster.node(leader).Metric("raft_log_first_index") > 20; }));
  const int from = leader + 1, to = behind + 1;
  const int64_t before = proxy.Bytes(from, to);
  cluster.Start(behind);
  const int64_t state = int64_t{kKeys} * static_cast<int64_t>(kValueBytes);
  int cuts = 0;
  for (int64_t next = state / 6; next < state; next += state / 6) {
    // By bytes, not by time: each cut falls into another place of the transfer.
    ASSERT_TRUE(WaitFor([&] {
      return proxy.Bytes(from, to) - before >= next ||
             cluster.node(behind).Metric("raft_snapshots_installed_total") > 0;
    }));
    proxy.Reset(from, to);
    ++cuts;
  }
  ASSERT_TRUE(
      WaitFor([&] { return cluster.node(behind).Metric("raft_snapshots_installed_total") > 0; }));
  const int64_t sent = proxy.Bytes(from, to) - before;
  std::printf("%d cuts, %.1f MB of state, %.1f MB sent\n", cuts, static_cast<double>(state) / 1e6,
              static_cast<double>(sent) / 1e6);
  EXPECT_GE(cuts, 4);
  EXPECT_LT(sent, state * 3 / 2);
  ASSERT_TRUE(cluster.WaitReady());
  Client client(cluster.node(behind).redis_port());
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_EQ(client.Run({"STRLEN", "k" + std::to_string(i)}).integer,
              static_cast<int64_t>(kValueBytes));
  }
}

}  // namespace
}  // namespace metastore::cluster_test
