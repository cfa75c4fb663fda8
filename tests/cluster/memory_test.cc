// A node's memory stays bounded under default settings, whatever its clients do. VALUES_MB sets
// how much is written.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <sstream>
#include <thread>

#include "base/crc32c.h"
#include "base/random.h"
#include "tests/cluster/clients.h"
#include "tests/cluster/harness.h"

namespace metastore::cluster_test {
namespace {

constexpr size_t kMegabyte = size_t{1} << 20;
constexpr size_t kLimitBytes = size_t{1} << 30;

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer's memory is not the node's";
  }
};

// No compression makes it smaller.
std::string RandomValue(Random* random, size_t bytes) {
  std::string value(bytes, '\0');
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    uint64_t word = random->Next();
    std::memcpy(value.data() + i, &word, sizeof word);
  }
  return value;
}

// A node that breaks its promise must not take the machine with it: past 3 GB its allocations fail.
void LimitMemory(Cluster* cluster) {
  cluster->node(0).prefix = {"prlimit", "--data=" + std::to_string(3 * kLimitBytes)};
}

void ReportMemory(Node& node, const char* what) {
  std::printf("%s: at most %zu MB resident\n", what, node.MemoryBytes("VmHWM") / kMegabyte);
  testing::Test::RecordProperty("resident_mb",
                                std::to_string(node.MemoryBytes("VmHWM") / kMegabyte));
}

// Bytes that came to the port of this machine and were not read, of all its connections.
size_t UnreadBytes(int port) {
  std::istringstream lines(ReadFile("/proc/net/tcp"));
  std::string line;
  size_t sum = 0;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    unsigned local = 0, unread = 0;
    // slot: local address:port, remote address:port, state, unsent:unread
    if (std::sscanf(line.c_str(), "%*d: %*x:%x %*x:%*x %*x %*x:%x", &local, &unread) != 2) continue;
    if (local == static_cast<unsigned>(port)) sum += unread;
  }
  return sum;
}

// Has used no processor time for a while: it has done with its requests all that it will do.
bool Idle(Node& node) {
  auto ticks = [&node] {
    std::string stat = ReadFile("/proc/" + std::to_string(node.pid()) + "/stat");
    std::istringstream words(stat.substr(std::min(stat.rfind(')'), stat.size())));
    std::string word;
    long sum = 0;
    for (int field = 2; words >> word; ++field) {
      if (field == 14 || field == 15) sum += std::atol(word.c_str());  // user, system
    }
    return sum;
  };
  const long before = ticks();
  std::this_thread::sleep_for(Millis(300));
  // What a node does on its own costs about a tick of 10 ms.
  return ticks() - before < 5;
}

// Clients that send and never read: each gets the same bytes again and again until the node does
// not take more, or `max_bytes` went to it.
class DeafClients {
 public:
  DeafClients(int port, int clients) {
    for (int i = 0; i < clients; ++i) {
      fds_.push_back(ConnectRaw(port));
      // A small window, so that replies pile up at the node.
      int bytes = 4096;
      setsockopt(fds_.back(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    sent_.resize(fds_.size());
  }
  ~DeafClients() {
    for (int fd : fds_) close(fd);
  }

  // Returns when every client has sent `max_bytes` or has not been read for a second.
  size_t Send(const std::string& requests, size_t max_bytes) {
    int64_t last_progress_ms = NowMs();
    while (NowMs() - last_progress_ms < 1000) {
      bool all_sent = true;
      for (size_t i = 0; i < fds_.size(); ++i) {
        if (sent_[i] >= max_bytes) continue;
        size_t at = sent_[i] % requests.size();
        ssize_t n = send(fds_[i], requests.data() + at,
                         std::min(requests.size() - at, max_bytes - sent_[i]), MSG_NOSIGNAL);
        if (n > 0) {
          sent_[i] += static_cast<size_t>(n);
          last_progress_ms = NowMs();
        } else if (errno != EAGAIN) {
          sent_[i] = max_bytes;  // the node closed it, which is an answer too
        }
        if (sent_[i] < max_bytes) all_sent = false;
      }
      if (all_sent) break;
      std::this_thread::sleep_for(Millis(1));
    }
    size_t sum = 0;
    for (size_t sent : sent_) sum += sent;
    return sum;
  }

 private:
  std::vector<int> fds_;
  std::vector<size_t> sent_;
};

TEST_F(MemoryTest, AGigabyteOfValuesOfOneMegabyteStaysBelowAGigabyteOfMemory) {
  const int values = EnvNumber("VALUES_MB", 1024);
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  Random random(7);
  std::string value = RandomValue(&random, kMegabyte);
  Client client(node.redis_port());
  for (int i = 0; i < values; ++i) {
    // Different throughout for the compressor's window.
    value = RandomValue(&random, kMegabyte);
    Reply reply = client.Run({"SET", "k" + std::to_string(i), value});
    ASSERT_TRUE(reply.ok()) << reply.ToString() << " for value " << i;
  }
  EXPECT_EQ(client.Run({"DBSIZE"}).integer, values);
  EXPECT_EQ(client.Run({"GET", "k" + std::to_string(values - 1)}).text, value);
  for (int i = 0; i < values; ++i) {
    ASSERT_EQ(client.Run({"GET", "k" + std::to_string(i)}).text.size(), kMegabyte) << i;
  }
  ReportMemory(node, "1 GB of values");
  EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
}

TEST_F(MemoryTest, ClientsThatNeverReadTheirRepliesDoNotFillTheMemory) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  Random random(8);
  {
    Client client(node.redis_port());
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(
          client.Run({"SET", "big" + std::to_string(i), RandomValue(&random, kMegabyte)}).ok());
    }
  }
  {
    // 100 clients × 20,000 GETs of 1 MB.
    DeafClients deaf(node.redis_port(), 100);
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += Encode({"GET", "big" + std::to_string(i % 4)});
    size_t sent = deaf.Send(requests, 200 * requests.size());
    std::printf("%zu bytes of requests sent\n", sent);
    ASSERT_TRUE(WaitFor([&] { return Idle(node); }));
    ASSERT_TRUE(node.Running());
    EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
    // Those who read are served meanwhile.
    EXPECT_EQ(Client(node.redis_port()).Run({"PING"}).text, "PONG");
    EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "1"}).ok());
    EXPECT_EQ(Client(node.redis_port()).Run({"GET", "small"}).text, "1");
  }
  EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "after", "1"}).ok());
  ReportMemory(node, "GETs of 1 MB, never read");
}

// Reads until the client's reply is complete or nothing comes for kLiveness; the bytes' checksum.
class ReplySum {
 public:
  ReplySum(int port, const std::string& request, int receive_bytes) : fd_(ConnectRaw(port)) {
    if (receive_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    EXPECT_EQ(send(fd_, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
  }
  ~ReplySum() { close(fd_); }

  void Read(size_t bytes) {
    std::vector<char> buffer(1 << 20);
    for (size_t end = bytes_ + bytes; bytes_ < end;) {
      struct pollfd poll = {fd_, POLLIN, 0};
      if (::poll(&poll, 1, static_cast<int>(kLiveness.count())) != 1) return;
      const ssize_t n = recv(fd_, buffer.data(), std::min(buffer.size(), end - bytes_), 0);
      if (n <= 0) return;
      crc_ = ExtendCrc32c(crc_, {buffer.data(), static_cast<size_t>(n)});
      bytes_ += static_cast<size_t>(n);
    }
  }
  size_t bytes() const { return bytes_; }
  uint32_t crc() const { return crc_; }

 private:
  int fd_;
  size_t bytes_ = 0;
  uint32_t crc_ = 0;
};

TEST_F(MemoryTest, CollectionsMuchLargerThanTheMemoryForRepliesAreReadWhole) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  Client client(node.redis_port());
  Random random(13);
  // 300 MB in a list, and as much in a hash, in elements of 1 KB.
  constexpr int kElements = 300 * 1024;
  constexpr int kAtOnce = 1024;
  uint32_t list_crc = Crc32c("*" + std::to_string(kElements) + "\r\n");
  for (int i = 0; i < kElements; i += kAtOnce) {
    std::vector<std::string> push = {"RPUSH", "list"};
    std::vector<std::string> set = {"HSET", "hash"};
    for (int j = 0; j < kAtOnce; ++j) {
      const std::string element = RandomValue(&random, 1024);
      list_crc = ExtendCrc32c(list_crc, "$1024\r\n" + element + "\r\n");
      push.push_back(element);
      set.push_back(std::to_string(100'000'000 + i + j));
      set.push_back(element);
    }
    ASSERT_EQ(client.Run(push).integer, i + kAtOnce);
    ASSERT_EQ(client.Run(set).integer, kAtOnce);
  }
  const size_t list_bytes = std::string("*307200\r\n").size() + size_t{kElements} * (7 + 1026);
  const size_t hash_bytes =
      std::string("*614400\r\n").size() + size_t{kElements} * (4 + 11 + 7 + 1026);
  const std::string read_list = Encode({"LRANGE", "list", "0", "-1"});
  const std::string read_hash = Encode({"HGETALL", "hash"});
  const size_t before = node.MemoryBytes("VmHWM");
  {
    DeafClients deaf(node.redis_port(), 300);
    deaf.Send(read_hash, read_hash.size());
    // More than there are places for: the rest waits, and who is done makes place.
    EXPECT_EQ(client.Run({"HLEN", "hash"}).integer, kElements);
  }
  {
    DeafClients deaf(node.redis_port(), 50);
    deaf.Send(read_list + read_hash, read_list.size() + read_hash.size());
    ReplySum slow(node.redis_port(), read_list, 64 << 10);
    slow.Read(1000);
    const int64_t start_ms = NowMs();
    ReplySum fast(node.redis_port(), read_list, 0);
    fast.Read(list_bytes);
    std::printf("LRANGE of %zu MB in %ld ms\n", list_bytes / kMegabyte,
                static_cast<long>(NowMs() - start_ms));
    EXPECT_EQ(fast.bytes(), list_bytes);
    EXPECT_EQ(fast.crc(), list_crc);
    ReplySum hash(node.redis_port(), read_hash, 0);
    hash.Read(hash_bytes);
    EXPECT_EQ(hash.bytes(), hash_bytes);
    // What came meanwhile is no part of the slow one's reply.
    EXPECT_EQ(client.Run({"LPUSH", "list", "new"}).integer, kElements + 1);
    EXPECT_EQ(client.Run({"DEL", "list"}).integer, 1);
    slow.Read(list_bytes - 1000);
    EXPECT_EQ(slow.bytes(), list_bytes);
    EXPECT_EQ(slow.crc(), list_crc);
  }
  const size_t after = node.MemoryBytes("VmHWM");
  std::printf("at most %zu MB resident before the reads, %zu MB after\n", before / kMegabyte,
              after / kMegabyte);
  EXPECT_LT(after, kLimitBytes);
  ReportMemory(node, "replies of 300 MB");
}

TEST_F(MemoryTest, PipelinedWritesWhoseRepliesAreNeverReadDoNotFillTheMemory) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  Random random(9);
  {
    DeafClients deaf(node.redis_port(), 20);
    // 20 clients × 50 SETs of 1 MB.
    std::string big = Encode({"SET", "big", RandomValue(&random, kMegabyte)});
    deaf.Send(big, 50 * big.size());
    EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
    EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "1"}).ok());
  }
  {
    // 50 clients × 1 MB of tiny commands.
    DeafClients deaf(node.redis_port(), 50);
    std::string tiny;
    for (int i = 0; i < 1000; ++i) tiny += Encode({"SET", "k" + std::to_string(i), "v"});
    deaf.Send(tiny, 30 * tiny.size());
    EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
    EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "2"}).ok());
  }
  {
    // GETSET replies with the old megabyte.
    DeafClients deaf(node.redis_port(), 20);
    std::string big = Encode({"GETSET", "big", RandomValue(&random, kMegabyte)});
    deaf.Send(big, 50 * big.size());
    EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
    EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "3"}).ok());
  }
  EXPECT_EQ(Client(node.redis_port()).Run({"GET", "small"}).text, "3");
  ReportMemory(node, "SETs, replies never read");
}

TEST_F(MemoryTest, HalfSentCommandsDoNotFillTheMemory) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  // 500 clients announce 512 MB each and send little.
  DeafClients clients(node.redis_port(), 500);
  std::string start = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n" + std::string(10'000, 'x');
  clients.Send(start, start.size());
  // And 500 announce a million arguments.
  DeafClients others(node.redis_port(), 500);
  start = "*1000000\r\n$4\r\nMSET\r\n";
  others.Send(start, start.size());
  EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "1"}).ok());
  EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
  ReportMemory(node, "half-sent commands");
}

TEST_F(MemoryTest, HalfSentHttpBodiesDoNotFillTheMemory) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(node.http_port()); }));
  // 40 × 50 MB, the last byte of each missing.
  const std::string body(50 * kMegabyte, 'x');
  const std::string request =
      "PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size() + 1) +
      "\r\n\r\n" + body;
  DeafClients clients(node.http_port(), 40);
  clients.Send(request, request.size());
  EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes / 4 * 3);
  EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "1"}).ok());
  ReportMemory(node, "half-sent HTTP bodies");
}

// None of them ever has more than another when the node looks, so none is the one that may go on.
TEST_F(MemoryTest, HttpBodiesThatGrowInStepDoNotFillTheMemory) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(node.http_port()); }));
  DeafClients clients(node.http_port(), 40);
  const std::string head =
      "PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(50 * kMegabyte) +
      "\r\n\r\n";
  clients.Send(head, head.size());
  // The node sleeps while they send, so it finds the same number of bytes at each.
  const std::string piece(size_t{96} << 10, 'x');
  bool all_read = true;
  for (size_t sent = head.size(); all_read && sent < 25 * kMegabyte;) {
    node.Pause();
    sent += piece.size();
    clients.Send(piece, sent);
    node.Resume();
    const int64_t resumed_ms = NowMs();
    do {
      all_read = UnreadBytes(node.http_port()) == 0;
    } while (!all_read && NowMs() - resumed_ms < 1000);
  }
  EXPECT_FALSE(all_read) << "nothing made a client wait";
  // What they share and as much again as the one that goes on has.
  EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes / 8 * 3);
  EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "1"}).ok());
  ReportMemory(node, "HTTP bodies in step");
}

// More bodies at once than there is room for: they wait for each other, and all are taken. One of
// the clients stops in the middle and must not hold up the rest.
TEST_F(MemoryTest, BodiesThatDoNotFitTogetherAreAllTakenAndAStalledOneIsDropped) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(node.http_port()); }));
  const std::string head = "PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: ";
  DeafClients stalled(node.http_port(), 1);
  const std::string half =
      head + std::to_string(300 * kMegabyte) + "\r\n\r\n" + std::string(100 * kMegabyte, 'x');
  stalled.Send(half, half.size());
  const std::string body(40 * kMegabyte, 'x');
  const std::string whole = head + std::to_string(body.size()) + "\r\n\r\n" + body;
  std::vector<int> fds;
  std::vector<std::string> answers(12);
  std::vector<size_t> sent(answers.size());
  for (size_t i = 0; i < answers.size(); ++i) fds.push_back(ConnectRaw(node.http_port()));
  EXPECT_TRUE(WaitFor(
      [&] {
        bool all = true;
        for (size_t i = 0; i < fds.size(); ++i) {
          ssize_t n = send(fds[i], whole.data() + sent[i], whole.size() - sent[i], MSG_NOSIGNAL);
          if (n > 0) sent[i] += static_cast<size_t>(n);
          char buffer[1000];
          ssize_t got = recv(fds[i], buffer, sizeof buffer, MSG_DONTWAIT);
          if (got > 0) answers[i].append(buffer, static_cast<size_t>(got));
          all = all && answers[i].find("\r\n\r\n") != std::string::npos;
        }
        return all;
      },
      2 * kLiveness));
  for (const std::string& answer : answers) EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 204");
  for (int fd : fds) close(fd);
  EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
  ReportMemory(node, "HTTP bodies that do not fit together");
}

TEST_F(MemoryTest, HttpClientsThatNeverReadDoNotFillTheMemory) {
  Cluster cluster(1);
  LimitMemory(&cluster);
  cluster.Start(0);
  ASSERT_TRUE(cluster.WaitReady());
  Node& node = cluster.node(0);
  Random random(10);
  ASSERT_TRUE(Client(node.redis_port()).Run({"SET", "big", RandomValue(&random, kMegabyte)}).ok());
  ASSERT_TRUE(WaitFor([&] { return PortAnswers(node.http_port()); }));
  DeafClients deaf(node.http_port(), 1000);
  const std::string request = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
  deaf.Send(request, 100 * request.size());
  ASSERT_TRUE(WaitFor([&] { return Idle(node); }));
  ASSERT_TRUE(node.Running());
  EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes / 4 * 3);
  EXPECT_TRUE(Client(node.redis_port()).Run({"SET", "small", "1"}).ok());
  ReportMemory(node, "HTTP GETs of 1 MB, never read");
}

// The replies wait on the node that was asked; what it reads comes by another way than a leader's.
TEST_F(MemoryTest, ClientsOfAFollowerThatNeverReadDoNotFillItsMemory) {
  Cluster cluster(3);
  for (int n = 0; n < 3; ++n) {
    cluster.node(n).prefix = {"prlimit", "--data=" + std::to_string(3 * kLimitBytes)};
  }
  cluster.StartAll();
  ASSERT_TRUE(cluster.WaitReady());
  int leader = cluster.WaitLeader();
  ASSERT_GE(leader, 0);
  Node& node = cluster.node(cluster.Other(leader));
  Random random(11);
  ASSERT_TRUE(Client(node.redis_port()).Run({"SET", "big", RandomValue(&random, kMegabyte)}).ok());
  DeafClients deaf(node.redis_port(), 100);
  std::string requests;
  // A write first: the reads behind it ride in the log.
  for (int i = 0; i < 1000; ++i) {
    requests += i % 100 == 0 ? Encode({"SET", "small", "1"}) : Encode({"GET", "big"});
  }
  deaf.Send(requests, 20 * requests.size());
  ASSERT_TRUE(WaitFor([&] { return Idle(node); }));
  ASSERT_TRUE(node.Running());
  EXPECT_LT(node.MemoryBytes("VmHWM"), kLimitBytes);
  EXPECT_EQ(Client(node.redis_port()).Run({"GET", "small"}).text, "1");
  ReportMemory(node, "GETs and SETs on a follower, never read");
}

}  // namespace
}  // namespace metastore::cluster_test
