// Commands that wait for keys, as clients of the dispatcher see them.
#include "server/blocked.h"

#include "tests/server/loop_test.h"

namespace metastore::server {
namespace {

using replica::BatchOutcome;

class BlockedTest : public LoopTest {
 protected:
  BlockedTest() { replica_.at_once = false; }
  // Turns until nothing more comes of what was said.
  void Settle() {
    for (int i = 0; i < 8; ++i) {
      EndOfTurn();
      replica_.ApplyAll();
    }
  }
  std::string Run(Client& client, std::string_view line) {
    EXPECT_TRUE(client.Send(line)) << line;
    Settle();
    return client.Received();
  }
  void Advance(int64_t ms) {
    clock_.Advance(ms);
    Settle();
  }
};

TEST_F(BlockedTest, APopThatFindsSomethingDoesNotWait) {
  Client client = NewClient();
  Run(client, "RPUSH k a b");
  EXPECT_EQ(Run(client, "BLPOP none k 0"), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
  EXPECT_EQ(Run(client, "GET x"), "$-1\r\n");
  EXPECT_EQ(server_.blocked_clients, 0);
}

TEST_F(BlockedTest, AnElementComesToTheClientThatWaits) {
  Client client = NewClient(), other = NewClient();
  EXPECT_EQ(Run(client, "BLPOP k 0"), "");
  EXPECT_TRUE(client.session()->blocked);
  EXPECT_FALSE(client.Send("PING")) << "it says nothing more while it waits";
  EXPECT_EQ(Run(other, "SET unrelated v"), "+OK\r\n");
  EXPECT_EQ(client.Received(), "");
  EXPECT_EQ(Run(other, "RPUSH k a"), ":1\r\n");
  EXPECT_EQ(client.Received(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
  EXPECT_FALSE(client.session()->blocked);
  EXPECT_EQ(Run(client, "PING"), "+PONG\r\n");
  EXPECT_EQ(Run(other, "EXISTS k"), ":0\r\n");
}

TEST_F(BlockedTest, OneOfAnotherNodeComesTheSameWay) {
  Client client = NewClient();
  EXPECT_EQ(Run(client, "BRPOP j k 0"), "");
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  Settle();
  EXPECT_EQ(client.Received(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

TEST_F(BlockedTest, AnElementThatSomebodyElseTookIsWaitedForAgain) {
  Client client = NewClient();
  EXPECT_EQ(Run(client, "BLPOP k 0"), "");
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  EndOfTurn();  // the try is in the log
  EXPECT_EQ(replica_.Waiting(), std::vector<std::string>{"write BLPOP k 0"});
  replica_.ApplyElsewhere({"LPOP", "k"});
  Settle();
  EXPECT_EQ(client.Received(), "");
  replica_.ApplyElsewhere({"RPUSH", "k", "b"});
  Settle();
  EXPECT_EQ(client.Received(), "*2\r\n$1\r\nk\r\n$1\r\nb\r\n");
}

// Between the log's place of the first try and the news of its failure.
TEST_F(BlockedTest, WhatComesWhileATryIsUnderWayIsNotMissed) {
  Client client = NewClient();
  ASSERT_TRUE(client.Send("BLPOP k 0"));
  EndOfTurn();
  ASSERT_EQ(replica_.submitted(), 1u);
  replica_.Apply();  // nothing there; the reply is given in the next turn at the latest
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  Settle();
  EXPECT_EQ(client.Received(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

TEST_F(BlockedTest, ClientsAreServedInTheOrderInWhichTheyCame) {
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(NewClient());
    EXPECT_EQ(Run(clients.back(), i % 2 == 0 ? "BLPOP k 0" : "BLPOP other k 0"), "");
  }
  EXPECT_EQ(server_.blocked_clients, 5);
  replica_.ApplyElsewhere({"RPUSH", "k", "0", "1", "2"});
  Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(clients[static_cast<size_t>(i)].Received(),
              "*2\r\n$1\r\nk\r\n$1\r\n" + std::to_string(i) + "\r\n");
  }
  EXPECT_EQ(clients[3].Received() + clients[4].Received(), "");
  replica_.ApplyElsewhere({"RPUSH", "k", "3"});
  Settle();
  EXPECT_EQ(clients[3].Received(), "*2\r\n$1\r\nk\r\n$1\r\n3\r\n");
  EXPECT_EQ(clients[4].Received(), "");
}

TEST_F(BlockedTest, NoMoreClientsAreTriedThanThereAreElements) {
  std::vector<Client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(NewClient());
    Run(clients.back(), "BLPOP k 0");
  }
  replica_.ApplyElsewhere({"RPUSH", "k", "a", "b"});
  EndOfTurn();
  EXPECT_EQ(replica_.Waiting().size(), 2u);
}

TEST_F(BlockedTest, AKeyOfAnotherTypeIsNotWhatIsWaitedFor) {
  Client client = NewClient();
  EXPECT_EQ(Run(client, "BLPOP k 0"), "");
  replica_.ApplyElsewhere({"SET", "k", "v"});
  replica_.ApplyElsewhere({"DEL", "k"});
  replica_.ApplyElsewhere({"ZADD", "k", "1", "m"});
  Settle();
  EXPECT_EQ(client.Received(), "");
  replica_.ApplyElsewhere({"DEL", "k"});
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  Settle();
  EXPECT_EQ(client.Received(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

TEST_F(BlockedTest, WaitIsAnsweredWhenEnoughOtherNodesHoldWhatWasAcknowledged) {
  Client one = NewClient(), two = NewClient(), aof = NewClient();
  replica_.applied = 10;
  replica_.copies = {10, 9};
  EXPECT_EQ(Run(one, "WAIT 1 0"), ":1\r\n");
  EXPECT_TRUE(two.Send("SET k v"));
  EXPECT_FALSE(two.Send("WAIT 2 0"))
      << "what it waits for is not known before the write is applied";
  Settle();
  EXPECT_EQ(two.Received(), "+OK\r\n");
  EXPECT_EQ(Run(two, "WAIT 2 0"), "");
  EXPECT_EQ(Run(aof, "WAITAOF 1 2 0"), "");
  EXPECT_EQ(server_.blocked_clients, 2);
  Advance(1000);
  EXPECT_EQ(two.Received(), "");
  replica_.copies = {10, 10};
  EXPECT_EQ(loops_[0]->dispatcher().next_deadline_ns(), clock_.BootNs() + kCopiesLookNs);
  Advance(20);
  EXPECT_EQ(two.Received(), ":2\r\n");
  EXPECT_EQ(aof.Received(), "*2\r\n:1\r\n:2\r\n");
  EXPECT_EQ(server_.blocked_clients, 0);
  EXPECT_EQ(loops_[0]->dispatcher().next_deadline_ns(), INT64_MAX);
}

TEST_F(BlockedTest, AWaitForNodesEndsWithItsTimeoutOrByClientUnblockAndNotInATransaction) {
  Client client = NewClient(), other = NewClient();
  replica_.applied = 10;
  replica_.copies = {9, 10};
  EXPECT_EQ(Run(client, "WAIT 2 50"), "");
  Advance(50);
  EXPECT_EQ(client.Received(), ":1\r\n");
  EXPECT_EQ(Run(client, "WAIT 2 0"), "");
  EXPECT_EQ(Run(other, "CLIENT UNBLOCK " + std::to_string(client.id())), ":1\r\n");
  loops_[0]->dispatcher().Unblock(client.session());
  EXPECT_EQ(client.Received(), ":1\r\n");
  Run(client, "MULTI");
  Run(client, "WAIT 2 0");
  EXPECT_EQ(Run(client, "EXEC"), "*1\r\n:1\r\n");
  EXPECT_EQ(Run(client, "WAIT 3 0"), "");
  client.Close();
  EXPECT_EQ(server_.blocked_clients, 0);
}

TEST_F(BlockedTest, TheWaitEndsWithTheTimeout) {
  Client list = NewClient(), set = NewResp3Client(), move = NewClient();
  EXPECT_EQ(Run(list, "BLPOP k 0.05"), "");
  EXPECT_EQ(Run(set, "BZPOPMIN z 0.1"), "");
  EXPECT_EQ(Run(move, "BLMOVE k j LEFT LEFT 0.2"), "");
  EXPECT_EQ(loops_[0]->dispatcher().next_deadline_ns(), clock_.BootNs() + 50'000'000);
  Advance(49);
  EXPECT_EQ(list.Received(), "");
  Advance(1);
  EXPECT_EQ(list.Received(), "*-1\r\n");
  Advance(50);
  EXPECT_EQ(set.Received(), "_\r\n");
  Advance(100);
  EXPECT_EQ(move.Received(), "*-1\r\n");
  EXPECT_EQ(loops_[0]->dispatcher().next_deadline_ns(), INT64_MAX);
  EXPECT_EQ(server_.blocked_clients, 0);
}

TEST_F(BlockedTest, ATryThatIsUnderWayAtTheTimeoutMayStillBring) {
  Client client = NewClient();
  EXPECT_EQ(Run(client, "BLPOP k 0.05"), "");
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  EndOfTurn();
  clock_.Advance(60);
  EndOfTurn();
  EXPECT_EQ(client.Received(), "") << "it is not known yet";
  Settle();
  EXPECT_EQ(client.Received(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

TEST_F(BlockedTest, NothingIsLostForAClientThatIsGone) {
  const struct {
    const char* wait;
    const char* fill;
    const char* look;
    const char* seen;
  } cases[] = {
      {"BLPOP k 0", "RPUSH k a b", "LRANGE k 0 -1", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
      {"BRPOP k 0", "RPUSH k a b", "LRANGE k 0 -1", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
      {"BLMPOP 0 1 k LEFT COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1",
       "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"},
      {"BLMPOP 0 1 k RIGHT COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1",
       "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"},
      {"BZPOPMIN k 0", "ZADD k 1 a 2.5 b", "ZRANGE k 0 -1 WITHSCORES",
       "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n"},
      {"BZMPOP 0 1 k MAX COUNT 2", "ZADD k 1 a 2.5 b", "ZRANGE k 0 -1 WITHSCORES",
       "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n"},
  };
  for (const int protocol : {2, 3}) {
    for (const auto& each : cases) {
      Client client = NewClient(), other = NewClient();
      if (protocol == 3) client.Run("HELLO 3");
      EXPECT_EQ(Run(client, each.wait), "") << each.wait;
      ASSERT_TRUE(other.Send(each.fill));
      EndOfTurn();
      replica_.ApplyAll();
      EndOfTurn();
      ASSERT_EQ(replica_.submitted(), 1u) << each.wait << ": a try";
      client.Close();
      Settle();
      other.Received();
      EXPECT_EQ(Run(other, each.look), each.seen) << each.wait;
      Run(other, "DEL k");
    }
  }
  EXPECT_EQ(loops_[0]->dispatcher().outstanding(), 0u);
}

TEST_F(BlockedTest, WhoWaitsBehindAClientThatIsGoneIsServed) {
  Client first = NewClient(), second = NewClient();
  Run(first, "BLPOP k 0");
  Run(second, "BLPOP k 0");
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  first.Close();
  Settle();
  EXPECT_EQ(second.Received(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

TEST_F(BlockedTest, ClientUnblockEndsAWait) {
  Client client = NewClient(), other = NewClient();
  const std::string id = std::to_string(client.id());
  EXPECT_EQ(Run(other, "CLIENT UNBLOCK " + id), ":0\r\n") << "it does not wait";
  Run(client, "BLPOP k 0");
  EXPECT_EQ(Run(other, "CLIENT UNBLOCK " + id), ":1\r\n");
  loops_[0]->dispatcher().Unblock(client.session());
  EXPECT_EQ(client.Received(), "*-1\r\n");
  Run(client, "BLPOP k 0");
  EXPECT_EQ(Run(other, "CLIENT UNBLOCK " + id + " ERROR"), ":1\r\n");
  loops_[0]->dispatcher().Unblock(client.session());
  EXPECT_EQ(client.Received(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  EXPECT_EQ(Run(other, "CLIENT UNBLOCK 99999 TIMEOUT"), ":0\r\n");
}

TEST_F(BlockedTest, ClientsGoOnWaitingWhileThereIsNoLeader) {
  Client client = NewClient();
  Run(client, "BLPOP k 0");
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  EndOfTurn();
  ASSERT_EQ(replica_.submitted(), 1u);
  replica_.Refuse(0, BatchOutcome::kNotApplied);
  EXPECT_EQ(client.Received(), "");
  Settle();
  EXPECT_EQ(client.Received(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

TEST_F(BlockedTest, ATryThatMayHaveBroughtSomethingIsAnError) {
  Client client = NewClient();
  Run(client, "BLPOP k 0");
  replica_.ApplyElsewhere({"RPUSH", "k", "a"});
  EndOfTurn();
  replica_.Refuse(0, BatchOutcome::kUnknown);
  EXPECT_EQ(client.Received(), "-" + std::string(kUnknownOutcomeError) + "\r\n");
  EXPECT_FALSE(client.session()->blocked);
}

TEST_F(BlockedTest, WithoutALeaderTheFirstTryIsAnError) {
  Client client = NewClient();
  ASSERT_TRUE(client.Send("BLPOP k 0"));
  EndOfTurn();
  replica_.Refuse(0, BatchOutcome::kNotApplied);
  EXPECT_EQ(client.Received(), "-" + std::string(kNotAppliedError) + "\r\n");
}

TEST_F(BlockedTest, InsideMultiNothingWaits) {
  Client client = NewClient();
  client.Send("MULTI");
  client.Send("BLPOP k 0");
  client.Send("XREAD BLOCK 0 STREAMS s $");
  EXPECT_EQ(Run(client, "EXEC"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n*-1\r\n*-1\r\n");
  EXPECT_EQ(server_.blocked_clients, 0);
}

TEST_F(BlockedTest, EntriesOfAStreamComeToAllThatWait) {
  std::vector<Client> clients;
  Client writer = NewClient();
  Run(writer, "XADD s 1-1 f old");
  for (int i = 0; i < 3; ++i) {
    clients.push_back(NewClient());
    EXPECT_EQ(Run(clients.back(), "XREAD BLOCK 0 STREAMS s other $ 0"), "");
  }
  Run(writer, "XADD s 2-1 f v");
  for (Client& client : clients) {
    EXPECT_EQ(client.Received(),
              "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
  }
  EXPECT_EQ(Run(clients[0], "XREAD STREAMS s $"), "*-1\r\n") << "without BLOCK nothing waits";
}

TEST_F(BlockedTest, KeysAreServedInTheOrderInWhichTheyChanged) {
  Client first = NewClient(), second = NewClient(), writer = NewClient();
  EXPECT_EQ(Run(first, "BLMOVE a target RIGHT RIGHT 0"), "");
  EXPECT_EQ(Run(second, "BLMOVE b target RIGHT RIGHT 0"), "");
  for (const char* line : {"MULTI", "RPUSH b 1", "RPUSH a 2"}) writer.Send(line);
  Run(writer, "EXEC");
  EXPECT_EQ(Run(writer, "LRANGE target 0 -1"), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

TEST_F(BlockedTest, AKeyOfAnotherTypeIsNothingToAReaderOfStreams) {
  Client client = NewClient(), writer = NewClient();
  EXPECT_EQ(Run(client, "XREAD BLOCK 0 STREAMS s 0"), "");
  Run(writer, "RPUSH s a");
  EXPECT_EQ(client.Received(), "");
  Run(writer, "DEL s");
  Run(writer, "XADD s 1-1 f v");
  EXPECT_EQ(client.Received().substr(0, 4), "*1\r\n");
}

TEST_F(BlockedTest, EntriesComeToOneConsumerOfAGroup) {
  Client first = NewClient(), second = NewClient(), writer = NewClient();
  Run(writer, "XGROUP CREATE s g $ MKSTREAM");
  EXPECT_EQ(Run(first, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >"), "");
  EXPECT_EQ(Run(second, "XREADGROUP GROUP g b BLOCK 0 STREAMS s >"), "");
  Run(writer, "XADD s 2-1 f v");
  EXPECT_NE(first.Received(), "");
  EXPECT_EQ(second.Received(), "");
  Run(writer, "DEL s");
  EXPECT_EQ(second.Received().substr(0, 8), "-NOGROUP");
}

TEST_F(BlockedTest, AMoveFeedsWhoeverWaitsForItsTarget) {
  Client mover = NewClient(), taker = NewClient(), writer = NewClient();
  EXPECT_EQ(Run(taker, "BLPOP target 0"), "");
  EXPECT_EQ(Run(mover, "BLMOVE source target LEFT RIGHT 0"), "");
  Run(writer, "RPUSH source a");
  EXPECT_EQ(mover.Received(), "$1\r\na\r\n");
  EXPECT_EQ(taker.Received(), "*2\r\n$6\r\ntarget\r\n$1\r\na\r\n");
}

TEST_F(BlockedTest, WrongArgumentsAreErrorsAtOnce) {
  Client client = NewClient();
  EXPECT_EQ(Run(client, "BLPOP k x"), "-ERR timeout is not a float or out of range\r\n");
  EXPECT_EQ(Run(client, "BLPOP k -1"), "-ERR timeout is negative\r\n");
  Run(client, "SET s v");
  EXPECT_EQ(Run(client, "BLPOP s 0").substr(0, 10), "-WRONGTYPE");
  EXPECT_EQ(server_.blocked_clients, 0);
}

}  // namespace
}  // namespace metastore::server
