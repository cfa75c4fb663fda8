// Replies of any size: streams that go on as their clients take them.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "commands/errors.h"
#include "server/dispatcher.h"
#include "tests/support/fake_replica.h"
#include "tests/support/local_commands.h"
#include "tests/support/memory_txn.h"
#include "tests/support/seed.h"

namespace metastore::server {
namespace {

using test::FakeClock;
using test::FakeReplica;
using test::LargeReads;
using test::TestCommands;

constexpr size_t kElementBytes = 1000;
// What of one client's replies may be in memory, its slots aside.
constexpr size_t kBound = kMaxReplyBytes + kShortReplyBytes + 2 * kElementBytes;

using Words = std::vector<std::string>;

class LargeReplyTest : public testing::Test, public replica::LaneSink {
 protected:
  LargeReplyTest() {
    LargeReads::elements = 0;
    Make({});
  }
  ~LargeReplyTest() override {
    LargeReads::at_element = nullptr;
    dispatcher_.reset();
    EXPECT_EQ(LargeReads::running, 0) << "a handler was not unwound";
  }

  void Make(const Limits& limits) {
    dispatcher_.reset();
    server_ = std::make_unique<Server>(&replica_, nullptr, &clock_, &TestCommands(), limits);
    stats_ = server_->AddLoop();
    dispatcher_ = std::make_unique<Dispatcher>(server_.get(), 0, stats_);
    replica_.SetLane(0, this);
  }
  void MakeWithPlaces(size_t places) {
    Limits limits;
    limits.output_memory_bytes = 2 * kStreamBytes * places;
    Make(limits);
  }

  void Deliver(replica::BatchReply reply) override { dispatcher_->Handle(std::move(reply)); }
  void Deliver(replica::ReadPermission permission) override { dispatcher_->Handle(permission); }

  std::unique_ptr<Session> NewSession() {
    auto session =
        std::make_unique<Session>(server_->clients().NextId(), SessionKind::kResp, clock_.WallMs());
    server_->clients().Add(session.get(), nullptr);
    return session;
  }
  bool Send(const std::unique_ptr<Session>& session, const Words& args) {
    if (!dispatcher_->MayServe(session.get())) return false;
    Words owned = args;
    std::vector<std::string_view> views(owned.begin(), owned.end());
    bool taken = dispatcher_->Dispatch(session.get(), views);
    for (std::string& arg : owned) arg.assign(arg.size(), '!');
    return taken;
  }
  static std::string Replies(const std::unique_ptr<Session>& session) {
    return session->output().TakeAll();
  }
  // Turns until nothing is under way, with a client that takes all it gets.
  std::string ReadAll(const std::unique_ptr<Session>& session) {
    std::string received;
    do {
      dispatcher_->EndOfTurn();
      EXPECT_LT(session->output().bytes(), kBound);
      received += Replies(session);
    } while (dispatcher_->HasRunnableReads());
    return received;
  }
  // What a node without streams would say.
  static std::string Whole(const Words& words) {
    std::string out;
    resp::Writer writer(&out, 2);
    std::vector<std::string_view> args(words.begin(), words.end());
    const test::MemoryTxn view;
    commands::ReadContext context(view, 0);
    Status status = TestCommands().Find(args[0])->spec->handler.read(context, args, writer);
    if (!status.ok()) {
      out.clear();
      commands::WriteError(status, writer);
    }
    return out;
  }
  void ExpectIdle() {
    EXPECT_EQ(dispatcher_->outstanding(), 0u);
    EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
    EXPECT_EQ(dispatcher_->streams(), 0u);
    EXPECT_FALSE(dispatcher_->HasRunnableReads());
    EXPECT_EQ(LargeReads::running, 0);
  }

  FakeClock clock_;
  FakeReplica replica_{&TestCommands()};
  std::unique_ptr<Server> server_;
  LoopStats* stats_ = nullptr;
  std::unique_ptr<Dispatcher> dispatcher_;
};

const Words kShort = {"LARGE", "100", "1000"};
const Words kLarge = {"LARGE", "5000", "1000"};
const Words kCounted = {"COUNTED", "5000", "1000"};

TEST_F(LargeReplyTest, AShortReplyIsMadeInItsTurn) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, kShort));
  ASSERT_TRUE(Send(session, {"COUNTED", "0", "1"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), Whole(kShort) + "*0\r\n");
  ExpectIdle();
}

TEST_F(LargeReplyTest, ALargeReplyComesWholeAndIsNeverHeldWhole) {
  for (const Words& command : {kLarge, kCounted}) {
    auto session = NewSession();
    ASSERT_TRUE(Send(session, command));
    dispatcher_->EndOfTurn();
    EXPECT_EQ(dispatcher_->streams(), 1u);
    EXPECT_EQ(ReadAll(session), Whole(command));
    ExpectIdle();
  }
}

TEST_F(LargeReplyTest, ASlowClientGetsTheReplyInItsOwnTimeAndOthersDoNotWait) {
  auto slow = NewSession();
  auto other = NewSession();
  ASSERT_TRUE(Send(slow, kLarge));
  const std::string whole = Whole(kLarge);
  std::string received;
  size_t made = 0;
  while (received.size() < whole.size()) {
    dispatcher_->EndOfTurn();
    const size_t bytes = slow->reply_bytes();
    ASSERT_LT(bytes, kBound);
    made = std::max(made, bytes);
    if (bytes > kMaxReplyBytes / 2 && dispatcher_->outstanding() > 0) {
      EXPECT_FALSE(dispatcher_->HasRunnableReads());
      EXPECT_FALSE(dispatcher_->MayServe(slow.get()));
    }
    // A part of what is there.
    std::string piece = Replies(slow);
    const size_t taken = std::min<size_t>(piece.size(), 10'000);
    received += piece.substr(0, taken);
    slow->output().Append(std::string_view(piece).substr(taken));
    ASSERT_TRUE(Send(other, {"GET", "k"}));
    dispatcher_->EndOfTurn();
    ASSERT_EQ(Replies(other), "$-1\r\n");
  }
  EXPECT_GE(made, kMaxReplyBytes);
  EXPECT_EQ(received, whole);
  ExpectIdle();
}

TEST_F(LargeReplyTest, RepliesAroundALargeOneKeepTheOrderOfTheirCommands) {
  replica_.at_once = true;
  auto session = NewSession();
  const std::vector<Words> commands = {{"PING"},          {"GET", "k"}, kLarge, {"PING"},
                                       {"GET", "k"},      kCounted,     kLarge, {"nosuch"},
                                       {"SET", "k", "v"}, {"GET", "k"}, kLarge, {"GET", "k"}};
  const std::string unknown = "-ERR unknown command 'nosuch', with args beginning with: \r\n";
  const std::string wanted = "+PONG\r\n$-1\r\n" + Whole(kLarge) + "+PONG\r\n$-1\r\n" +
                             Whole(kCounted) + Whole(kLarge) + unknown + "+OK\r\n$1\r\nv\r\n" +
                             Whole(kLarge) + "$1\r\nv\r\n";
  std::string received;
  size_t next = 0;
  for (int turn = 0; turn < 1000 && received.size() < wanted.size(); ++turn) {
    while (next < commands.size() && Send(session, commands[next])) ++next;
    dispatcher_->EndOfTurn();
    EXPECT_LT(session->output().bytes(), kBound);
    received += Replies(session);
  }
  EXPECT_EQ(received, wanted);
  ExpectIdle();
}

TEST_F(LargeReplyTest, ItNeverRidesInTheLogButWaitsForTheSessionsWrites) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  EXPECT_FALSE(Send(session, kShort));
  EXPECT_FALSE(dispatcher_->MayServe(session.get()));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.Waiting(), std::vector<std::string>{"write SET k v"});
  replica_.ApplyAll();
  EXPECT_TRUE(Send(session, kShort));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "+OK\r\n" + Whole(kShort));
}

TEST_F(LargeReplyTest, ItNeedsPermissionLikeAnyRead) {
  replica_.may_read_now = false;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, kLarge));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  ASSERT_TRUE(Send(session, kLarge));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "");
  replica_.Permit(true);
  replica_.Permit(true);
  std::string received = ReadAll(session);
  EXPECT_EQ(received, Whole(kLarge));
  // The reads that were parked behind it asked once more.
  ASSERT_EQ(replica_.asked(), 1u);
  replica_.Permit(true);
  received = ReadAll(session);
  EXPECT_EQ(received, "$-1\r\n" + Whole(kLarge));
  ExpectIdle();
}

TEST_F(LargeReplyTest, AClientThatLeavesEndsItsStreamAtOnce) {
  auto session = NewSession();
  auto other = NewSession();
  ASSERT_TRUE(Send(session, kLarge));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, kLarge));
  ASSERT_TRUE(Send(other, kLarge));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(LargeReads::running, 2);
  const size_t elements = LargeReads::elements;
  dispatcher_->Close(std::move(session));
  EXPECT_EQ(LargeReads::running, 1);
  EXPECT_EQ(LargeReads::elements, elements) << "the rest was walked";
  EXPECT_TRUE(dispatcher_->HasRunnableReads());
  EXPECT_EQ(ReadAll(other), Whole(kLarge));
  ExpectIdle();
  // One that has not begun.
  session = NewSession();
  replica_.may_read_now = false;
  ASSERT_TRUE(Send(session, kLarge));
  dispatcher_->EndOfTurn();
  replica_.Permit(true);
  EXPECT_EQ(dispatcher_->streams(), 1u);
  dispatcher_->Close(std::move(session));
  dispatcher_->EndOfTurn();
  std::vector<Session*> dirty;
  dispatcher_->TakeDirty(&dirty);
  ExpectIdle();
}

TEST_F(LargeReplyTest, StreamsEndWithTheirDispatcher) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, kLarge));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(LargeReads::running, 1);
  dispatcher_.reset();
  EXPECT_EQ(LargeReads::running, 0);
}

TEST_F(LargeReplyTest, ADroppedReplyIsNotMade) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"REPLY", "skip"}));
  ASSERT_TRUE(Send(session, kLarge));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, {"PING"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "$-1\r\n+PONG\r\n");
  EXPECT_LE(LargeReads::elements, kShortReplyBytes / kElementBytes + 1);
  ExpectIdle();
}

TEST_F(LargeReplyTest, AWalkThatTakesLongIsCutIntoSlicesHoweverFastItsClient) {
  LargeReads::at_element = [this] { clock_.boot_ns += 10'000; };
  auto session = NewSession();
  auto other = NewSession();
  ASSERT_TRUE(Send(session, {"LATE", "100000", "not found"}));
  int turns = 0;
  do {
    ASSERT_TRUE(Send(other, {"PING"}));
    const int64_t before_ns = clock_.BootNs();
    dispatcher_->EndOfTurn();
    // Steps are counted in thousands.
    ASSERT_LT(clock_.BootNs() - before_ns, 4 * 1024 * 10'000 + kStreamSliceNs);
    ASSERT_EQ(Replies(other), "+PONG\r\n");
    ++turns;
  } while (dispatcher_->HasRunnableReads());
  EXPECT_GT(turns, 20);
  EXPECT_EQ(Replies(session), "-ERR not found\r\n");
  ExpectIdle();
}

TEST_F(LargeReplyTest, ManyStreamsShareATurnAndAllGoOn) {
  LargeReads::at_element = [this] { clock_.boot_ns += 10'000; };
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::string> received(20);
  for (size_t i = 0; i < received.size(); ++i) {
    sessions.push_back(NewSession());
    ASSERT_TRUE(Send(sessions.back(), kLarge));
  }
  dispatcher_->EndOfTurn();
  for (int turn = 0; dispatcher_->HasRunnableReads() && turn < 10'000; ++turn) {
    const int64_t before_ns = clock_.BootNs();
    dispatcher_->EndOfTurn();
    EXPECT_LT(clock_.BootNs() - before_ns, kStreamTurnNs + 2 * kStreamSliceNs);
    for (size_t i = 0; i < sessions.size(); ++i) received[i] += Replies(sessions[i]);
  }
  for (const std::string& each : received) EXPECT_EQ(each, Whole(kLarge));
  ExpectIdle();
}

TEST_F(LargeReplyTest, StreamsBeyondTheirPlacesWaitTheirTurn) {
  MakeWithPlaces(2);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 5; ++i) {
    sessions.push_back(NewSession());
    ASSERT_TRUE(Send(sessions.back(), kLarge));
  }
  dispatcher_->EndOfTurn();
  EXPECT_EQ(dispatcher_->streams(), 2u);
  EXPECT_FALSE(dispatcher_->HasRunnableReads()) << "two are full and three wait";
  // Short ones need none.
  auto other = NewSession();
  ASSERT_TRUE(Send(other, kShort));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(other), Whole(kShort));
  // The third leaves while it waits, so the fourth is next. A newcomer stands behind them.
  dispatcher_->Close(std::move(sessions[2]));
  ASSERT_TRUE(Send(other, kLarge));
  std::string first = ReadAll(sessions[0]);
  EXPECT_EQ(first, Whole(kLarge));
  EXPECT_EQ(sessions[4]->output().bytes() + other->output().bytes(), 0u);
  EXPECT_GT(sessions[3]->output().bytes(), 0u);
  EXPECT_EQ(ReadAll(sessions[3]), Whole(kLarge));
  EXPECT_EQ(other->output().bytes(), 0u);
  EXPECT_EQ(ReadAll(sessions[4]), Whole(kLarge));
  EXPECT_EQ(ReadAll(sessions[1]), Whole(kLarge));
  EXPECT_EQ(ReadAll(other), Whole(kLarge));
  ExpectIdle();
}

TEST_F(LargeReplyTest, ARefusedReadGivesItsPlaceBack) {
  MakeWithPlaces(1);
  auto first = NewSession();
  auto second = NewSession();
  ASSERT_TRUE(Send(first, kLarge));
  ASSERT_TRUE(Send(second, kLarge));
  dispatcher_->EndOfTurn();
  // The second gets the place, and then no permission.
  while (dispatcher_->streams() > 0) {
    Replies(first);
    dispatcher_->EndOfTurn();
  }
  Replies(first);
  replica_.may_read_now = false;
  dispatcher_->EndOfTurn();
  ASSERT_EQ(replica_.asked(), 1u);
  replica_.Permit(false);
  EXPECT_EQ(Replies(second), "-" + std::string(kReadRefusedError) + "\r\n");
  replica_.may_read_now = true;
  ASSERT_TRUE(Send(first, kLarge));
  EXPECT_EQ(ReadAll(first), Whole(kLarge));
  ExpectIdle();
}

TEST_F(LargeReplyTest, AClientThatTakesNextToNothingIsToBeClosed) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, kLarge));
  EXPECT_FALSE(dispatcher_->Stalled(*session));
  dispatcher_->EndOfTurn();
  clock_.Advance(kStreamStallNs / 1'000'000 - 1);
  EXPECT_FALSE(dispatcher_->Stalled(*session));
  session->output().Consume(1000);
  clock_.Advance(1);
  EXPECT_TRUE(dispatcher_->Stalled(*session));
  // Enough at last: the time counts from the next pause.
  session->output().Consume(kMaxReplyBytes / 2 + kStreamChunkBytes + kElementBytes);
  EXPECT_FALSE(dispatcher_->Stalled(*session));
  dispatcher_->EndOfTurn();
  EXPECT_FALSE(dispatcher_->Stalled(*session));
  ReadAll(session);
  clock_.Advance(kStreamStallNs / 1'000'000);
  EXPECT_FALSE(dispatcher_->Stalled(*session)) << "nothing is under way";
}

TEST_F(LargeReplyTest, StatisticsCountALargeReadOnce) {
  MakeWithPlaces(1);
  auto first = NewSession();
  auto second = NewSession();
  ASSERT_TRUE(Send(first, kLarge));
  ASSERT_TRUE(Send(second, kLarge));
  dispatcher_->EndOfTurn();
  ReadAll(first);
  ReadAll(second);
  const uint32_t index = TestCommands().Find("large")->index;
  EXPECT_EQ(server_->Stats().commands[index].calls, 2u);
  EXPECT_EQ(server_->Stats().commands[index].failed, 0u);
}

// The replies of local commands, which are there at once, wait behind reads. They must not keep
// these from running.
TEST_F(LargeReplyTest, RepliesThatWaitBehindParkedReadsDoNotHoldThemUp) {
  replica_.at_once = true;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", std::string(300 << 10, 'v')}));
  dispatcher_->EndOfTurn();
  Replies(session);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, kLarge));
  ASSERT_TRUE(Send(session, {"FILL", std::to_string(kMaxReplyBytes)}));
  std::string received;
  for (int turn = 0; turn < 1000 && dispatcher_->outstanding() > 0; ++turn) {
    dispatcher_->EndOfTurn();
    received += Replies(session);
  }
  EXPECT_EQ(received.size(), 3 * (std::string("$307200\r\n\r\n").size() + (300 << 10)) +
                                 Whole(kLarge).size() + std::string("$262144\r\n\r\n").size() +
                                 kMaxReplyBytes);
  ExpectIdle();
}

TEST_F(LargeReplyTest, AnErrorBehindSentElementsEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"TORN", "10", "10"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "-ERR torn\r\n");
  EXPECT_DEATH(
      {
        ASSERT_TRUE(Send(session, {"TORN", "5000", "1000"}));
        ReadAll(session);
      },
      "in the middle of its reply");
}

TEST_F(LargeReplyTest, AReadThatIsParkedInTheTurnOfALaterOneStaysInFrontOfIt) {
  MakeWithPlaces(1);
  auto first = NewSession(), second = NewSession();
  const Words large = {"LARGE", "900", "1000"};
  ASSERT_TRUE(Send(first, large));
  dispatcher_->EndOfTurn();
  ASSERT_EQ(dispatcher_->streams(), 1u);
  replica_.may_read_now = false;
  ASSERT_TRUE(Send(second, large));
  dispatcher_->EndOfTurn();
  ASSERT_TRUE(Send(second, {"COUNTED", "900", "1000"}));
  replica_.Permit(true);  // there is no place for it
  dispatcher_->Close(std::move(first));
  replica_.may_read_now = true;
  EXPECT_EQ(ReadAll(second), Whole(large) + Whole({"COUNTED", "900", "1000"}));
}

// Clients with pipelines of everything, which read as much as they like when they like, leave in
// between, and answers that come at random moments.
TEST_F(LargeReplyTest, RandomPipelinesReplyAsASerialStoreWould) {
  Random random(test::Seed());
  MakeWithPlaces(2);
  struct Client {
    std::unique_ptr<Session> session;
    std::string key, wanted, got;
    int64_t value = 0;
  };
  std::vector<Client> clients(6);
  auto renew = [&](Client* client) {
    static int number = 0;
    *client = Client();
    client->session = NewSession();
    client->key = "key" + std::to_string(number++);
  };
  for (Client& client : clients) renew(&client);
  auto take = [&](Client* client, size_t bytes) {
    std::string piece = Replies(client->session);
    bytes = std::min(bytes, piece.size());
    client->got += piece.substr(0, bytes);
    client->session->output().Append(std::string_view(piece).substr(bytes));
    ASSERT_EQ(client->wanted.compare(0, client->got.size(), client->got), 0);
    client->wanted.erase(0, client->got.size());
    client->got.clear();
  };
  for (int step = 0; step < 6000; ++step) {
    Client& client = clients[random.Uniform(clients.size())];
    switch (random.Uniform(10)) {
      case 0:
        if (Send(client.session, {"INCR", client.key})) {
          client.wanted += ":" + std::to_string(++client.value) + "\r\n";
        }
        break;
      case 1:
        if (Send(client.session, {"EXISTS", client.key})) {
          client.wanted += client.value > 0 ? ":1\r\n" : ":0\r\n";
        }
        break;
      case 2:
        if (Send(client.session, {"PING"})) client.wanted += "+PONG\r\n";
        break;
      case 3:
      case 4: {
        const Words command = {random.OneIn(2) ? "LARGE" : "COUNTED",
                               std::to_string(random.Uniform(1000)), "1000"};
        if (Send(client.session, command)) client.wanted += Whole(command);
        break;
      }
      case 5:
        replica_.may_read_now = random.OneIn(2);
        dispatcher_->EndOfTurn();
        ASSERT_LE(dispatcher_->streams(), 2u);
        break;
      case 6:
        if (replica_.submitted() > 0) replica_.Apply();
        break;
      case 7:
        if (replica_.asked() > 0) replica_.Permit(true);
        break;
      case 8:
        take(&client, random.Uniform(1 << 20));
        break;
      case 9:
        if (!random.OneIn(50)) break;
        dispatcher_->Close(std::move(client.session));
        renew(&client);
        break;
    }
    ASSERT_LT(client.session->output().bytes(), kBound);
  }
  replica_.may_read_now = true;
  for (int turn = 0; turn < 2000 && dispatcher_->outstanding() > 0; ++turn) {
    dispatcher_->EndOfTurn();
    while (replica_.asked() > 0) replica_.Permit(true);
    replica_.ApplyAll();
    for (Client& client : clients) take(&client, SIZE_MAX);
  }
  for (Client& client : clients) {
    take(&client, SIZE_MAX);
    EXPECT_EQ(client.wanted, "");
  }
  std::vector<Session*> dirty;
  dispatcher_->TakeDirty(&dirty);
  ExpectIdle();
}

}  // namespace
}  // namespace metastore::server
