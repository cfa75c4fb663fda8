#include "server/dispatcher.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fake_replica.h"
#include "tests/support/local_commands.h"
#include "tests/support/seed.h"

namespace metastore::server {
namespace {

using replica::BatchOutcome;
using test::FakeClock;
using test::FakeReplica;
using test::TestCommands;

class DispatcherTest : public testing::Test, public replica::LaneSink {
 protected:
  DispatcherTest() { Make({}); }

  void Make(const Limits& limits) {
    dispatcher_.reset();
    server_ = std::make_unique<Server>(&replica_, nullptr, &clock_, &TestCommands(), limits);
    stats_ = server_->AddLoop();
    dispatcher_ = std::make_unique<Dispatcher>(server_.get(), 0, stats_);
    replica_.SetLane(0, this);
  }

  void Deliver(replica::BatchReply reply) override { dispatcher_->Handle(std::move(reply)); }
  void Deliver(replica::ReadPermission permission) override { dispatcher_->Handle(permission); }
  void Deliver(std::shared_ptr<const engine::CommitEvents> events) override {
    size_t next = 0;
    EXPECT_TRUE(dispatcher_->Handle(*events, &next));
  }

  std::unique_ptr<Session> NewSession() {
    auto session =
        std::make_unique<Session>(server_->clients().NextId(), SessionKind::kResp, clock_.WallMs());
    server_->clients().Add(session.get(), nullptr);
    return session;
  }

  // As a connection does: false when the command was not taken.
  bool Send(const std::unique_ptr<Session>& session, std::initializer_list<std::string> args) {
    if (!dispatcher_->MayServe(session.get())) return false;
    // Copies that are gone afterwards: the input buffer goes on at once.
    std::vector<std::string> owned(args);
    std::vector<std::string_view> views(owned.begin(), owned.end());
    bool taken = dispatcher_->Dispatch(session.get(), views);
    for (std::string& arg : owned) arg.assign(arg.size(), '!');
    return taken;
  }
  static std::string Replies(const std::unique_ptr<Session>& session) {
    return session->output().TakeAll();
  }
  uint64_t Calls(std::string_view name) {
    return server_->Stats().commands[TestCommands().Find(name)->index].calls;
  }

  FakeClock clock_;
  FakeReplica replica_{&TestCommands()};
  std::unique_ptr<Server> server_;
  LoopStats* stats_ = nullptr;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, RepliesKeepTheOrderOfRequestsWhateverTheirRoute) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"PING"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(session, {"PING"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, {"nosuch"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "+PONG\r\n$-1\r\n");
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session),
            "+OK\r\n+PONG\r\n$1\r\nv\r\n"
            "-ERR unknown command 'nosuch', with args beginning with: \r\n");
  EXPECT_EQ(dispatcher_->outstanding(), 0u);
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

TEST_F(DispatcherTest, AReadBehindAWriteRidesInTheLogAndOtherClientsReadsDoNot) {
  auto writer = NewSession();
  auto reader = NewSession();
  ASSERT_TRUE(Send(writer, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(writer, {"GET", "k"}));
  ASSERT_TRUE(Send(reader, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.Waiting(), (std::vector<std::string>{"write SET k v", "read GET k"}));
  EXPECT_EQ(Replies(reader), "$-1\r\n");
  replica_.ApplyAll();
  EXPECT_EQ(Replies(writer), "+OK\r\n$1\r\nv\r\n");
  ASSERT_TRUE(Send(writer, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.submitted(), 0u);
  EXPECT_EQ(Replies(writer), "$1\r\nv\r\n");
}

TEST_F(DispatcherTest, EventsComeBeforeTheReplyToWhatCausedThem) {
  struct Listener : EventListener {
    size_t Handle(const engine::Event& event) override {
      told += std::string(event.key) + ", replies: " + Replies(*session);
      return 0;
    }
    void EndOfCommit(uint64_t) override { told += "; "; }
    const std::unique_ptr<Session>* session = nullptr;
    std::string told;
  };
  Listener listener;
  auto session = NewSession();
  listener.session = &session;
  dispatcher_->AddListener(&listener);
  replica_.interest().AddKeys(1);
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_EQ(listener.told, "k, replies: ; ");
  EXPECT_EQ(Replies(session), "+OK\r\n");
  replica_.ApplyElsewhere({"SET", "other", "v"});
  EXPECT_EQ(listener.told, "k, replies: ; other, replies: ; ");
}

TEST_F(DispatcherTest, EventsForManyClientsAreHandledInPartsThatAreSentInBetween) {
  struct Listener : EventListener {
    size_t Handle(const engine::Event&) override {
      ++events;
      return kMaxEventOutputBytes / 2;
    }
    void EndOfCommit(uint64_t) override { ++commits; }
    size_t events = 0, commits = 0;
  };
  Listener listener;
  dispatcher_->AddListener(&listener);
  engine::Events gathered;
  gathered.set_interest(&replica_.interest());
  replica_.interest().AddMessages(1);
  for (int i = 0; i < 5; ++i) gathered.Publish("channel", "message");
  const auto events = gathered.Take(1);
  size_t next = 0;
  for (size_t part : {2, 4}) {
    EXPECT_FALSE(dispatcher_->Handle(*events, &next));
    EXPECT_EQ(listener.events, part);
    EXPECT_EQ(listener.commits, 0u);
  }
  EXPECT_TRUE(dispatcher_->Handle(*events, &next));
  EXPECT_EQ(listener.events, 5u);
  EXPECT_EQ(listener.commits, 1u);
}

TEST_F(DispatcherTest, ALocalCommandIsAReadWhereItsArgumentsMakeItOne) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"LOOK"}));
  EXPECT_EQ(Replies(session), "+PONG\r\n");
  ASSERT_TRUE(Send(session, {"LOOK", "k"}));
  EXPECT_EQ(Replies(session), "");
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), ":0\r\n");
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(session, {"LOOK", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.Waiting(), (std::vector<std::string>{"write SET k v", "read LOOK k"}));
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session), "+OK\r\n:1\r\n");
}

TEST_F(DispatcherTest, EncodingsAreShownUnderTheNodesLimits) {
  auto session = NewSession();
  replica_.at_once = true;
  ASSERT_TRUE(Send(session, {"HSET", "k", "f", "v"}));
  dispatcher_->EndOfTurn();
  ASSERT_TRUE(Send(session, {"OBJECT", "ENCODING", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), ":1\r\n$8\r\nlistpack\r\n");
  Limits limits;
  limits.encoding.hash_max_listpack_entries = 0;
  // In the middle of a turn, as CONFIG SET does it.
  ASSERT_TRUE(Send(session, {"PING"}));
  server_->SetLimits(limits);
  ASSERT_TRUE(Send(session, {"OBJECT", "ENCODING", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "+PONG\r\n$9\r\nhashtable\r\n");
}

TEST_F(DispatcherTest, AReadDoesNotSeeTheWriteBehindIt) {
  replica_.at_once = true;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  // Taken when the read has been answered, at the end of the same turn.
  ASSERT_FALSE(Send(session, {"SET", "k", "v"}));
  EXPECT_FALSE(dispatcher_->MayServe(session.get()));
  dispatcher_->EndOfTurn();
  EXPECT_TRUE(dispatcher_->MayServe(session.get()));
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "$-1\r\n+OK\r\n$1\r\nv\r\n");
}

TEST_F(DispatcherTest, ReadsOfAClientThatDoesNotReadItsRepliesAreParked) {
  replica_.at_once = true;
  constexpr size_t kValueBytes = 100 << 10;
  constexpr int kReads = 20;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", std::string(kValueBytes, 'v')}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), "+OK\r\n");
  for (int i = 0; i < kReads; ++i) ASSERT_TRUE(Send(session, {"GET", "k"}));
  std::string received;
  int turns = 0;
  while (dispatcher_->outstanding() > 0) {
    ASSERT_LT(++turns, kReads + 1);
    dispatcher_->EndOfTurn();
    EXPECT_LT(session->reply_bytes(), kMaxReplyBytes + kValueBytes + 100);
    if (dispatcher_->outstanding() > 0) {
      EXPECT_FALSE(dispatcher_->HasRunnableReads());
      EXPECT_FALSE(dispatcher_->MayServe(session.get()));
    }
    received += Replies(session);
  }
  EXPECT_GT(turns, 1);
  const std::string one =
      "$" + std::to_string(kValueBytes) + "\r\n" + std::string(kValueBytes, 'v') + "\r\n";
  EXPECT_EQ(received.size(), kReads * one.size());
  EXPECT_EQ(received.substr(0, one.size()), one);
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

TEST_F(DispatcherTest, ParkedReadsOfAClosedClientAreForgotten) {
  replica_.at_once = true;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", std::string(300 << 10, 'v')}));
  dispatcher_->EndOfTurn();
  Replies(session);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(dispatcher_->outstanding(), 4u);
  dispatcher_->Close(std::move(session));
  EXPECT_TRUE(dispatcher_->HasRunnableReads());
  dispatcher_->EndOfTurn();
  EXPECT_EQ(dispatcher_->outstanding(), 0u);
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

TEST_F(DispatcherTest, AWriteWaitsForEarlierReadsThatNeedARoundTrip) {
  replica_.may_read_now = false;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  EXPECT_FALSE(Send(session, {"SET", "k", "v"}));
  dispatcher_->EndOfTurn();
  EXPECT_FALSE(dispatcher_->MayServe(session.get()));
  EXPECT_EQ(replica_.submitted(), 0u);
  replica_.Permit(true);
  EXPECT_EQ(Replies(session), "$-1\r\n");
  EXPECT_TRUE(Send(session, {"SET", "k", "v"}));
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session), "+OK\r\n");
}

TEST_F(DispatcherTest, OneViewServesAllReadsOfATurn) {
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 20; ++i) {
    sessions.push_back(NewSession());
    ASSERT_TRUE(Send(sessions.back(), {"GET", "k"}));
    ASSERT_TRUE(Send(sessions.back(), {"STRLEN", "k"}));
  }
  EXPECT_EQ(replica_.views(), 0u);
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.views(), 1u);
  for (auto& session : sessions) EXPECT_EQ(Replies(session), "$-1\r\n:0\r\n");
}

TEST_F(DispatcherTest, OneRequestForPermissionServesAllReadsOfATurn) {
  replica_.may_read_now = false;
  auto a = NewSession();
  auto b = NewSession();
  ASSERT_TRUE(Send(a, {"GET", "k"}));
  ASSERT_TRUE(Send(b, {"EXISTS", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.asked(), 1u);
  EXPECT_EQ(Replies(a), "");
  replica_.Permit(true);
  EXPECT_EQ(Replies(a), "$-1\r\n");
  EXPECT_EQ(Replies(b), ":0\r\n");
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

TEST_F(DispatcherTest, RefusedReadsAreClusterDown) {
  replica_.may_read_now = false;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  replica_.Permit(false);
  EXPECT_EQ(Replies(session), "-" + std::string(kReadRefusedError) + "\r\n");
  EXPECT_EQ(dispatcher_->outstanding(), 0u);
}

TEST_F(DispatcherTest, BatchesWithoutRepliesSayWhy) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "a", "1"}));
  dispatcher_->EndOfTurn();
  ASSERT_TRUE(Send(session, {"SET", "b", "2"}));
  ASSERT_TRUE(Send(session, {"GET", "b"}));
  dispatcher_->EndOfTurn();
  // Out of order, as outcomes other than kApplied may come.
  replica_.Refuse(1, BatchOutcome::kUnknown);
  EXPECT_EQ(Replies(session), "");
  replica_.Refuse(0, BatchOutcome::kNotApplied);
  EXPECT_EQ(Replies(session),
            "-CLUSTERDOWN no quorum within the request timeout; the command was not applied\r\n"
            "-UNKNOWNOUTCOME no answer within the request timeout; the command may have been "
            "applied or may still be\r\n"
            "-UNKNOWNOUTCOME no answer within the request timeout; the command may have been "
            "applied or may still be\r\n");
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

TEST_F(DispatcherTest, ReadsInTheLogAreBounded) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  for (uint32_t i = 0; i < kMaxReadsInLog; ++i) ASSERT_TRUE(Send(session, {"GET", "k"})) << i;
  EXPECT_FALSE(Send(session, {"GET", "k"}));
  EXPECT_FALSE(Send(session, {"PING"})) << "it stays behind the read";
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_TRUE(Send(session, {"GET", "k"}));
}

TEST_F(DispatcherTest, NothingIsTakenWhileTooManyBytesAreUnderWay) {
  Limits limits;
  limits.max_inflight_bytes = 1000;
  Make(limits);
  auto session = NewSession();
  auto other = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", std::string(2000, 'x')}));
  EXPECT_FALSE(Send(session, {"PING"}));
  EXPECT_FALSE(Send(other, {"PING"}));
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_TRUE(Send(other, {"PING"}));
}

TEST_F(DispatcherTest, AClientWithManyUnsentBytesIsNotServedUntilHalfIsGone) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"FILL", std::to_string(kMaxReplyBytes)}));
  EXPECT_FALSE(Send(session, {"PING"}));
  session->output().Consume(kMaxReplyBytes / 4);
  EXPECT_FALSE(Send(session, {"PING"}));
  session->output().Consume(kMaxReplyBytes / 4 + 1000);
  EXPECT_TRUE(Send(session, {"PING"}));
}

TEST_F(DispatcherTest, RepliesThatWaitBehindAWriteCountAsUnsentBytes) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(session, {"FILL", std::to_string(kMaxReplyBytes)}));
  EXPECT_FALSE(Send(session, {"PING"}));
}

TEST_F(DispatcherTest, UnansweredCommandsOfAClientAreBounded) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  size_t taken = 1;
  while (Send(session, {"PING"})) ++taken;
  EXPECT_EQ(taken, kMaxSlots);
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_TRUE(dispatcher_->MayServe(session.get()));
}

TEST_F(DispatcherTest, LargeTurnsAreCutIntoBatches) {
  auto session = NewSession();
  std::string value(kMaxBatchBytes / 2 - 100, 'x');
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Send(session, {"SET", "k", value}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.submitted(), 3u);
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session), "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
  for (uint32_t i = 0; i <= kMaxBatchItems; ++i) ASSERT_TRUE(Send(session, {"DEL", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.submitted(), 2u);
  replica_.ApplyAll();
}

TEST_F(DispatcherTest, ArityAuthAndUnknownNamesAreRefusedWithRedissWords) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"GET"}));
  ASSERT_TRUE(Send(session, {"PING", "a", "b", "c"}));
  ASSERT_TRUE(Send(session, {"BOX", "other"}));
  ASSERT_TRUE(Send(session, {"bOx", "iTem"}));
  ASSERT_TRUE(Send(session, {"box", "item", "x"}));
  ASSERT_TRUE(Send(session, {"BOX"}));
  ASSERT_TRUE(Send(session, {"foo", "a", "b"}));
  EXPECT_EQ(Replies(session),
            "-ERR wrong number of arguments for 'get' command\r\n+PONG\r\n"
            "-ERR unknown subcommand 'other'. Try BOX HELP.\r\n"
            "-ERR wrong number of arguments for 'box|item' command\r\n+PONG\r\n"
            "-ERR wrong number of arguments for 'box' command\r\n"
            "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
  session->authenticated = false;
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, {"AUTH", "secret"}));
  ASSERT_TRUE(Send(session, {"PING"}));
  EXPECT_EQ(Replies(session), "-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n");
}

TEST_F(DispatcherTest, OnANearlyFullDiskWhatMayGrowTheDataIsRefused) {
  replica_.disk_nearly_full = true;
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  EXPECT_EQ(Replies(session), "-" + std::string(kDiskFullError) + "\r\n");
  ASSERT_TRUE(Send(session, {"DEL", "k"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session), ":0\r\n$-1\r\n");
}

TEST_F(DispatcherTest, ASelectedDatabaseHoldsForTheCommandsBehindIt) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "zero"}));
  ASSERT_TRUE(Send(session, {"SELECT", "1"}));
  ASSERT_TRUE(Send(session, {"SET", "k", "one"}));
  ASSERT_TRUE(Send(session, {"SELECT", "0"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session), "+OK\r\n+OK\r\n+OK\r\n+OK\r\n$4\r\nzero\r\n");
}

TEST_F(DispatcherTest, ClientReplyDropsRepliesOfEveryRoute) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"REPLY", "off"}));
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, {"PING"}));
  ASSERT_TRUE(Send(session, {"nosuch"}));
  ASSERT_TRUE(Send(session, {"REPLY", "on"}));
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session), "+OK\r\n");
  ASSERT_TRUE(Send(session, {"REPLY", "skip"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, {"REPLY", "skip"}));
  ASSERT_TRUE(Send(session, {"PING"}));
  ASSERT_TRUE(Send(session, {"STRLEN", "k"}));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(Replies(session), ":1\r\n");
}

TEST_F(DispatcherTest, AnswersForAClientThatLeftAreDropped) {
  auto session = NewSession();
  auto stays = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(stays, {"SET", "k", "w"}));
  dispatcher_->EndOfTurn();
  dispatcher_->Close(std::move(session));
  replica_.ApplyAll();
  EXPECT_EQ(Replies(stays), "+OK\r\n");
  session = NewSession();
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  dispatcher_->Close(std::move(session));
  dispatcher_->EndOfTurn();
  replica_.may_read_now = false;
  session = NewSession();
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, {"PING"}));
  dispatcher_->EndOfTurn();
  dispatcher_->Close(std::move(session));
  replica_.Permit(true);
  std::vector<Session*> dirty;
  dispatcher_->TakeDirty(&dirty);
  EXPECT_EQ(dirty, std::vector<Session*>{stays.get()});
  EXPECT_EQ(dispatcher_->outstanding(), 0u);
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
  EXPECT_EQ(server_->clients().count(), 1u);
}

TEST_F(DispatcherTest, PausedClientsWaitAndGoOn) {
  auto session = NewSession();
  server_->Pause(PauseMode::kWrites, clock_.WallMs() + 100);
  EXPECT_TRUE(Send(session, {"GET", "k"}));
  EXPECT_FALSE(Send(session, {"SET", "k", "v"}));
  EXPECT_FALSE(dispatcher_->MayServe(session.get()));
  server_->Pause(PauseMode::kAll, clock_.WallMs() + 50);
  clock_.Advance(60);
  EXPECT_FALSE(dispatcher_->MayServe(session.get())) << "a pause is never shortened";
  clock_.Advance(50);
  dispatcher_->EndOfTurn();
  EXPECT_TRUE(Send(session, {"SET", "k", "v"}));
}

TEST_F(DispatcherTest, StatisticsCountCallsErrorsAndMisses) {
  auto session = NewSession();
  ASSERT_TRUE(Send(session, {"SET", "k", "v"}));
  ASSERT_TRUE(Send(session, {"INCR", "k"}));
  dispatcher_->EndOfTurn();
  replica_.ApplyAll();
  ASSERT_TRUE(Send(session, {"MGET", "k", "none", "none"}));
  ASSERT_TRUE(Send(session, {"GET", "k"}));
  ASSERT_TRUE(Send(session, {"GET", "none"}));
  ASSERT_TRUE(Send(session, {"EXISTS", "k", "none"}));
  ASSERT_TRUE(Send(session, {"GET"}));
  dispatcher_->EndOfTurn();
  StatsSnapshot stats = server_->Stats();
  EXPECT_EQ(Calls("set"), 1u);
  EXPECT_EQ(Calls("get"), 2u);
  EXPECT_EQ(stats.commands[TestCommands().Find("get")->index].rejected, 1u);
  EXPECT_EQ(stats.commands[TestCommands().Find("incr")->index].failed, 1u);
  EXPECT_EQ(stats.keyspace_hits, 3u);
  EXPECT_EQ(stats.keyspace_misses, 4u);
  EXPECT_EQ(stats.error_replies, 2u);
  server_->ResetStats();
  EXPECT_EQ(Calls("get"), 0u);
  EXPECT_EQ(server_->Stats().keyspace_misses, 0u);
}

// Random pipelines of several clients with answers at random moments: each client sees what it
// would see alone on a store of its own, since each has its own keys.
TEST_F(DispatcherTest, RandomPipelinesReplyAsASerialStoreWould) {
  Random random(test::Seed());
  struct Client {
    std::unique_ptr<Session> session;
    std::string key, wanted, got;
    int64_t value = 0;
    int64_t pending = 0;
  };
  std::vector<Client> clients(5);
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].session = NewSession();
    clients[i].key = "key" + std::to_string(i);
  }
  for (int step = 0; step < 20000; ++step) {
    Client& client = clients[random.Uniform(clients.size())];
    switch (random.Uniform(8)) {
      case 0:
      case 1:
        if (Send(client.session, {"INCR", client.key})) {
          client.wanted += ":" + std::to_string(++client.value) + "\r\n";
        }
        break;
      case 2:
      case 3:
        if (Send(client.session, {"EXISTS", client.key, client.key})) {
          client.wanted += client.value > 0 ? ":2\r\n" : ":0\r\n";
        }
        break;
      case 4:
        if (Send(client.session, {"PING"})) client.wanted += "+PONG\r\n";
        break;
      case 5:
        replica_.may_read_now = random.OneIn(2);
        dispatcher_->EndOfTurn();
        break;
      case 6:
        if (replica_.submitted() > 0) replica_.Apply();
        break;
      case 7:
        if (replica_.asked() > 0) replica_.Permit(true);
        break;
    }
    client.got += Replies(client.session);
    ASSERT_EQ(client.wanted.substr(0, client.got.size()), client.got);
  }
  for (int i = 0; i < 3; ++i) {
    dispatcher_->EndOfTurn();
    while (replica_.asked() > 0) replica_.Permit(true);
    replica_.ApplyAll();
  }
  for (Client& client : clients) {
    client.got += Replies(client.session);
    EXPECT_EQ(client.got, client.wanted);
  }
  EXPECT_EQ(dispatcher_->outstanding(), 0u);
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

}  // namespace
}  // namespace metastore::server
