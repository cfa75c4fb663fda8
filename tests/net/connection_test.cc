#include "net/connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "tests/net/node.h"

namespace metastore::net {
namespace {

std::string Command(std::initializer_list<std::string_view> args) {
  std::string bytes;
  resp::WriteCommand(&bytes, std::span<const std::string_view>(args.begin(), args.size()));
  return bytes;
}

TEST(InputBufferTest, KeepsTheUnreadBytesAndNothingWhenEmpty) {
  InputBuffer buffer;
  std::string wanted;
  for (int i = 0; i < 1000; ++i) {
    std::string bytes(static_cast<size_t>(i % 97), static_cast<char>('a' + i % 26));
    buffer.Append(bytes);
    wanted += bytes;
    size_t n = wanted.size() / 3;
    buffer.Consume(n);
    wanted.erase(0, n);
    ASSERT_EQ(buffer.view(), wanted);
  }
  buffer.Consume(buffer.size());
  EXPECT_EQ(buffer.capacity(), 0u);
}

TEST(ConnectionTest, CommandsSplitAtEveryByteAreTheSame) {
  Node node;
  node.Start();
  Socket socket(node.loops->redis_port());
  for (char c : Command({"SET", "k", "value"}) + "GET k\r\n" + Command({"PING"})) {
    socket.Send({&c, 1});
  }
  socket.Expect("+OK\r\n$5\r\nvalue\r\n+PONG\r\n");
}

TEST(ConnectionTest, ALongPipelineIsAnsweredInOrder) {
  for (int threads : {1, 3}) {
    Node node({}, threads);
    node.Start();
    Socket socket(node.loops->redis_port());
    std::string bytes, wanted;
    for (int i = 0; i < 10000; ++i) {
      bytes += Command({"INCR", "counter"});
      wanted += ":" + std::to_string(i + 1) + "\r\n";
      if (i % 7 == 0) {
        bytes += Command({"GET", "counter"});
        std::string number = std::to_string(i + 1);
        wanted += "$" + std::to_string(number.size()) + "\r\n" + number + "\r\n";
      }
    }
    socket.Send(bytes);
    socket.Expect(wanted);
  }
}

TEST(ConnectionTest, ALargeValueGoesInAndOut) {
  Node node;
  node.Start();
  Socket socket(node.loops->redis_port());
  std::string value(50 << 20, 'v');
  socket.Send(Command({"SET", "k", value}) + Command({"GET", "k"}));
  socket.Expect("+OK\r\n$52428800\r\n");
  EXPECT_TRUE(socket.Receive(value.size()) == value);
  socket.Expect("\r\n");
}

TEST(ConnectionTest, ABreachOfTheProtocolIsToldBehindTheRepliesAndCloses) {
  Node node;
  node.Start();
  Socket socket(node.loops->redis_port());
  socket.Send("PING\r\nSET k v\r\n*1\r\n!4\r\nPING\r\n");
  EXPECT_EQ(socket.ReceiveAll(), "+PONG\r\n+OK\r\n-ERR Protocol error: expected '$', got '!'\r\n");
}

TEST(ConnectionTest, QuitClosesAfterTheRepliesBeforeIt) {
  Node node;
  node.Start();
  Socket socket(node.loops->redis_port());
  socket.Send("SET k v\r\nGET k\r\nQUIT\r\nPING\r\n");
  EXPECT_EQ(socket.ReceiveAll(), "+OK\r\n$1\r\nv\r\n+OK\r\n");
}

TEST(ConnectionTest, AClientThatStoppedSendingGetsItsReplies) {
  Node node;
  node.Start();
  Socket socket(node.loops->redis_port());
  std::string bytes, wanted;
  for (int i = 0; i < 3000; ++i) {
    bytes += "SET k v\r\nGET k\r\n";
    wanted += "+OK\r\n$1\r\nv\r\n";
  }
  socket.Send(bytes + "unfinished");
  socket.HalfClose();
  EXPECT_EQ(socket.ReceiveAll(), wanted);
}

TEST(ConnectionTest, ClientsBeyondMaxclientsAreRefused) {
  server::Limits limits;
  limits.maxclients = 2;
  Node node(limits);
  node.Start();
  Socket first(node.loops->redis_port());
  first.Send("PING\r\n");
  first.Expect("+PONG\r\n");
  {
    Socket second(node.loops->redis_port());
    second.Send("PING\r\n");
    second.Expect("+PONG\r\n");
    Socket third(node.loops->redis_port());
    EXPECT_EQ(third.ReceiveAll(), "-ERR max number of clients reached\r\n");
    second.Send("QUIT\r\n");
    EXPECT_EQ(second.ReceiveAll(), "+OK\r\n");
  }
  Socket fourth(node.loops->redis_port());
  fourth.Send("PING\r\n");
  fourth.Expect("+PONG\r\n");
  EXPECT_EQ(node.server->Stats().connections_rejected, 1u);
}

TEST(ConnectionTest, AClientThatDoesNotReadIsNotServedAndHoldsLittleMemory) {
  Node node;
  node.Start();
  Socket slow(node.loops->redis_port(), 64 << 10);
  std::string bytes = Command({"FILL", "100000", std::string(50000, 'p')});
  size_t sent = 0;
  // It ends when the server reads no more: far below what it would take without limits.
  while (slow.WaitWritable(300)) {
    sent += slow.TrySend(std::string_view(bytes).substr(sent % bytes.size()));
    ASSERT_LT(sent, 256u << 20) << "the server goes on reading";
  }
  std::vector<server::ClientInfo> clients = node.server->clients().List(0);
  ASSERT_EQ(clients.size(), 1u);
  EXPECT_LE(clients[0].output_bytes, server::kMaxReplyBytes + 200000);
  EXPECT_LE(clients[0].total_memory, 1u << 20);
  // Others are served, and so is the slow one when it reads.
  Socket other(node.loops->redis_port());
  other.Send("PING\r\n");
  other.Expect("+PONG\r\n");
  std::string reply = "$100000\r\n" + std::string(100000, 'f') + "\r\n";
  for (size_t i = 0; i < sent / bytes.size(); ++i) {
    ASSERT_TRUE(slow.Receive(reply.size()) == reply) << i;
  }
}

TEST(ConnectionTest, ClientOutputBufferLimitCloses) {
  server::Limits limits;
  limits.output.hard_bytes = 1 << 20;
  Node node(limits);
  node.Start();
  Socket socket(node.loops->redis_port(), 4096);
  socket.Send("FILL 50000000\r\n");
  EXPECT_LT(socket.ReceiveAll().size(), 50000000u);
  EXPECT_EQ(node.server->Stats().output_limit_disconnections, 1u);
}

TEST(ConnectionTest, ClientQueryBufferLimitCloses) {
  server::Limits limits;
  limits.client_query_buffer_bytes = 1 << 20;
  Node node(limits);
  node.Start();
  Socket socket(node.loops->redis_port());
  socket.Send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n");
  std::string part(64 << 10, 'x');
  size_t sent = 0;
  while (sent < 50u << 20 && socket.WaitWritable(kPatienceMs)) {
    size_t n = socket.TrySend(part);
    if (n == 0) break;
    sent += n;
  }
  EXPECT_LT(sent, 50u << 20);
  EXPECT_EQ(node.server->Stats().query_limit_disconnections, 1u);
}

TEST(ConnectionTest, KillReachesAClientOfAnotherLoop) {
  Node node({}, 2);
  node.Start();
  Socket a(node.loops->redis_port());
  Socket b(node.loops->redis_port());
  for (Socket* socket : {&a, &b}) {
    socket->Send("PING\r\n");
    socket->Expect("+PONG\r\n");
  }
  EXPECT_EQ(node.server->clients().Kill(nullptr, 0, [](const auto&) { return true; }), 2u);
  EXPECT_EQ(a.ReceiveAll(), "");
  EXPECT_EQ(b.ReceiveAll(), "");
  EXPECT_EQ(node.server->clients().count(), 0u);
}

TEST(ConnectionTest, AnUnauthenticatedClientHasSmallLimits) {
  server::Limits limits;
  limits.requirepass = "secret";
  Node node(limits);
  node.Start();
  Socket socket(node.loops->redis_port());
  socket.Send("GET k\r\nAUTH secret\r\nGET k\r\n");
  socket.Expect("-NOAUTH Authentication required.\r\n+OK\r\n$-1\r\n");
  Socket other(node.loops->redis_port());
  other.Send("*100\r\n");
  EXPECT_EQ(other.ReceiveAll(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
}

TEST(ConnectionTest, StopAnswersWhatIsUnderWay) {
  Node node;
  node.replica.at_once = false;
  node.Start();
  Socket socket(node.loops->redis_port());
  socket.Send("PING\r\nSET k v\r\n");
  socket.Expect("+PONG\r\n");
  std::thread stopping([&node] { node.Stop(); });
  // The batch is applied only now that the stop is under way or about to be.
  node.replica.ApplyAll();
  EXPECT_EQ(socket.ReceiveAll(), "+OK\r\n");
  stopping.join();
}

// While no descriptor is left, clients are turned away and the loop does not spin; afterwards all
// is as before.
// Of LARGE or COUNTED with elements of 1,000 bytes.
size_t LargeReplyBytes(size_t elements) {
  return 1 + std::to_string(elements).size() + 2 + elements * (5 + 2 + 1000 + 2);
}

// Until a stream has ended; a PING is answered by a turn of the loop.
void WaitUntilNoneRuns(Socket* socket) {
  for (int i = 0; i < 100'000 && test::LargeReads::running > 0; ++i) {
    socket->Send("PING\r\n");
    socket->Expect("+PONG\r\n");
  }
  EXPECT_EQ(test::LargeReads::running, 0);
}

TEST(ConnectionTest, LargeRepliesReachAFastClientWhileASlowOneTakesItsTime) {
  Node node;
  node.Start();
  const size_t elements = 200'000;
  Socket slow(node.loops->redis_port(), 4096);
  Socket fast(node.loops->redis_port());
  slow.Send("LARGE 20000 1000\r\nPING\r\n");
  for (const char* command : {"LARGE", "COUNTED"}) {
    fast.Send(command + (" " + std::to_string(elements)) + " 1000\r\nPING\r\n");
    const std::string head = "*" + std::to_string(elements) + "\r\n$1000\r\n0e";
    const std::string reply = fast.Receive(LargeReplyBytes(elements));
    EXPECT_EQ(reply.size(), LargeReplyBytes(elements));
    EXPECT_EQ(reply.substr(0, head.size()), head);
    EXPECT_NE(reply.find("\r\n$1000\r\n199999"), std::string::npos);
    fast.Expect("+PONG\r\n");
  }
  EXPECT_GT(test::LargeReads::running, 0);
  for (const server::ClientInfo& client : node.server->clients().List(0)) {
    EXPECT_LT(client.output_memory, size_t{2} << 20);
  }
  EXPECT_EQ(slow.Receive(LargeReplyBytes(20'000)).size(), LargeReplyBytes(20'000));
  slow.Expect("+PONG\r\n");
}

TEST(ConnectionTest, QuitAndTheEndOfInputBehindALargeReplyWaitForIt) {
  Node node;
  node.Start();
  Socket quits(node.loops->redis_port());
  quits.Send("LARGE 20000 1000\r\nQUIT\r\n");
  EXPECT_EQ(quits.ReceiveAll().size(), LargeReplyBytes(20'000) + 5);
  Socket ends(node.loops->redis_port());
  ends.Send("LARGE 20000 1000\r\nLARGE 20000 1000\r\nPING\r\n");
  ends.HalfClose();
  EXPECT_EQ(ends.ReceiveAll().size(), 2 * LargeReplyBytes(20'000) + 7);
}

TEST(ConnectionTest, AClientThatGoesWhileItWaitsTakesNothingFromOthers) {
  Node node;
  node.Start();
  Socket other(node.loops->redis_port());
  for (const char* behind : {"", "PING\r\n", "PING\r\nunfinis"}) {
    Socket waits(node.loops->redis_port());
    waits.Send(std::string("BLPOP k 0\r\n") + behind);
    waits.HalfClose();
    EXPECT_EQ(waits.ReceiveAll(), "") << behind;
    other.Send("RPUSH k a\r\nLPOP k\r\n");
    other.Expect(":1\r\n$1\r\na\r\n");
  }
}

TEST(ConnectionTest, WhatIsSentBehindACommandThatWaitsIsDoneAfterIt) {
  Node node;
  node.Start();
  Socket other(node.loops->redis_port()), waits(node.loops->redis_port());
  const std::string value(1 << 20, 'v');
  waits.Send("BLPOP k 0\r\n");
  std::thread sends([&] {
    waits.Send("PING\r\n" + Command({"SET", "s", value}) + "BLPOP k 0\r\nPING\r\n");
  });
  other.Send("RPUSH k a b\r\n");
  other.Expect(":2\r\n");
  waits.Expect("*2\r\n$1\r\nk\r\n$1\r\na\r\n+PONG\r\n+OK\r\n*2\r\n$1\r\nk\r\n$1\r\nb\r\n+PONG\r\n");
  sends.join();
}

TEST(ConnectionTest, AClientThatGoesOrIsKilledInALargeReplyEndsIt) {
  Node node;
  node.Start();
  Socket other(node.loops->redis_port());
  {
    Socket socket(node.loops->redis_port());
    socket.Send("LARGE 10000000 1000\r\n");
    EXPECT_EQ(socket.Receive(1'000'000).size(), 1'000'000u);
    EXPECT_EQ(test::LargeReads::running, 1);
  }
  WaitUntilNoneRuns(&other);
  Socket killed(node.loops->redis_port(), 4096);
  killed.Send("COUNTED 20000 1000\r\n");
  EXPECT_EQ(killed.Receive(100).size(), 100u);
  EXPECT_EQ(test::LargeReads::running, 1);
  node.server->clients().Kill(nullptr, 0, [](const server::ClientInfo& client) {
    return client.last_command == "counted";
  });
  EXPECT_LT(killed.ReceiveAll().size(), LargeReplyBytes(20'000) - 100);
  WaitUntilNoneRuns(&other);
}

TEST(ConnectionTest, StopEndsLargeRepliesThatAreNotTaken) {
  Node node;
  node.Start();
  Socket socket(node.loops->redis_port(), 4096);
  socket.Send("LARGE 10000000 1000\r\n");
  EXPECT_EQ(socket.Receive(100).size(), 100u);
  node.Stop(1);
  EXPECT_EQ(test::LargeReads::running, 0);
}

TEST(ConnectionTest, RunningOutOfDescriptorsPassesBy) {
  Node node;
  node.Start();
  Socket first(node.loops->redis_port());
  first.Send("PING\r\n");
  first.Expect("+PONG\r\n");
  struct rlimit old = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  int probe = ::open("/dev/null", O_RDONLY);
  std::vector<int> taken;
  int last = ::socket(AF_INET, SOCK_STREAM, 0);
  struct rlimit small = {static_cast<rlim_t>(std::max(probe, last) + 1), old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  while (true) {
    int fd = ::open("/dev/null", O_RDONLY);
    if (fd < 0) break;
    taken.push_back(fd);
  }
  struct sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(node.loops->redis_port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(last, reinterpret_cast<struct sockaddr*>(&address), sizeof address), 0);
  char byte;
  EXPECT_LE(::recv(last, &byte, 1, 0), 0) << "turned away";
  uint64_t turns = node.server->Stats().turns;
  first.Send("PING\r\n");
  first.Expect("+PONG\r\n");
  EXPECT_LT(node.server->Stats().turns - turns, 1000u);
  for (int fd : taken) ::close(fd);
  ::close(probe);
  ::close(last);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  Socket second(node.loops->redis_port());
  second.Send("PING\r\n");
  second.Expect("+PONG\r\n");
}

TEST(ListenerTest, APortInUseIsASentence) {
  Node node;
  node.Start();
  int port = node.loops->redis_port();
  Result<std::vector<int>> again = OpenListeningSockets({"127.0.0.1"}, &port, 10);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.status().message(),
            "cannot listen on 127.0.0.1 port " + std::to_string(port) + ": Address already in use");
}

TEST(ConnectionTest, ApplyWaitsForALoopThatHasTooManyEventsToHandle) {
  Node node;
  node.replica.interest().AddMessages(1);
  engine::Events gathered;
  gathered.set_interest(&node.replica.interest());
  gathered.Publish("channel", std::string(kMaxWaitingEventBytes, 'x'));
  const std::shared_ptr<const engine::CommitEvents> events = gathered.Take(1);
  replica::LaneSink* sink = node.replica.sink(0);
  sink->AwaitRoomForEvents();
  sink->Deliver(events);
  std::future<void> apply = std::async(std::launch::async, [sink] { sink->AwaitRoomForEvents(); });
  EXPECT_EQ(apply.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  node.Start();
  apply.get();
  // A loop that has ended takes none, and lets nobody wait.
  node.Stop();
  sink->Deliver(events);
  sink->AwaitRoomForEvents();
}

}  // namespace
}  // namespace metastore::net
