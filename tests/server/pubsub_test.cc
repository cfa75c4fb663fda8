#include "server/pubsub.h"

#include "tests/server/loop_test.h"

namespace metastore::server {
namespace {

class PubSubTest : public LoopTest {
 protected:
  using LoopTest::LoopTest;
  Client publisher_ = NewClient();
};

TEST_F(PubSubTest, AMessageReachesTheSubscribersOfItsChannelAndOfPatterns) {
  Client client = NewClient();
  EXPECT_EQ(client.Run("SUBSCRIBE news other news"),
            "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
            "*3\r\n$9\r\nsubscribe\r\n$5\r\nother\r\n:2\r\n"
            "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:2\r\n");
  EXPECT_EQ(client.Run("PSUBSCRIBE n*"), "*3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:3\r\n");
  Client modern = NewResp3Client();
  EXPECT_EQ(modern.Run("SUBSCRIBE news"), ">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");

  EXPECT_EQ(publisher_.Run("PUBLISH news hello"), ":3\r\n");
  EXPECT_EQ(client.Received(),
            "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
            "*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
  EXPECT_EQ(modern.Received(), ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
  EXPECT_EQ(publisher_.Run("PUBLISH nobody hello"), ":1\r\n") << "the pattern";
  EXPECT_EQ(publisher_.Run("PUBLISH elsewhere hello"), ":0\r\n");
  EXPECT_EQ(modern.Received(), "");
}

TEST_F(PubSubTest, MessagesOfOtherNodesClientsComeToo) {
  Client client = NewClient();
  client.Run("SUBSCRIBE news");
  replica_.ApplyElsewhere({"PUBLISH", "news", "1"});
  replica_.ApplyElsewhere({"SPUBLISH", "news", "2"});
  replica_.ApplyElsewhere({"PUBLISH", "news", "3"});
  EXPECT_EQ(client.Received(),
            "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n1\r\n"
            "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n3\r\n");
}

TEST_F(PubSubTest, ShardChannelsAreAnotherWorld) {
  Client client = NewClient();
  EXPECT_EQ(client.Run("SSUBSCRIBE news"), "*3\r\n$10\r\nssubscribe\r\n$4\r\nnews\r\n:1\r\n");
  EXPECT_EQ(client.Run("SUBSCRIBE other"), "*3\r\n$9\r\nsubscribe\r\n$5\r\nother\r\n:1\r\n");
  EXPECT_EQ(publisher_.Run("PUBLISH news 1"), ":0\r\n");
  EXPECT_EQ(publisher_.Run("SPUBLISH other 1"), ":0\r\n");
  EXPECT_EQ(publisher_.Run("SPUBLISH news 2"), ":1\r\n");
  EXPECT_EQ(client.Received(), "*3\r\n$8\r\nsmessage\r\n$4\r\nnews\r\n$1\r\n2\r\n");
}

TEST_F(PubSubTest, OneLeavesChannelsByNameOrAllOfAKind) {
  Client client = NewClient();
  client.Run("SUBSCRIBE a b c");
  client.Run("PSUBSCRIBE p");
  EXPECT_EQ(client.Run("UNSUBSCRIBE b b nothere"),
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:3\r\n"
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:3\r\n"
            "*3\r\n$11\r\nunsubscribe\r\n$7\r\nnothere\r\n:3\r\n");
  EXPECT_EQ(client.Run("UNSUBSCRIBE"),
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n"
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:1\r\n");
  EXPECT_EQ(client.Run("UNSUBSCRIBE"), "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n");
  EXPECT_EQ(client.Run("SUNSUBSCRIBE"), "*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n");
  EXPECT_EQ(publisher_.Run("PUBLISH a x"), ":0\r\n");
  EXPECT_EQ(publisher_.Run("PUBLISH p x"), ":1\r\n");
  EXPECT_TRUE(replica_.interest().messages());
  client.Run("PUNSUBSCRIBE p");
  EXPECT_FALSE(replica_.interest().messages());
}

TEST_F(PubSubTest, SubscribersDoLittleElseInResp2) {
  Client client = NewClient();
  client.Run("SSUBSCRIBE a");
  const std::string_view refused =
      ": only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
      "\r\n";
  EXPECT_EQ(client.Run("GET k"), "-ERR Can't execute 'get'" + std::string(refused));
  EXPECT_EQ(client.Run("CLIENT ID"), "-ERR Can't execute 'client|id'" + std::string(refused));
  EXPECT_EQ(client.Run("PUBLISH a b"), "-ERR Can't execute 'publish'" + std::string(refused));
  EXPECT_EQ(client.Run("GET"), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(client.Run("PING"), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  EXPECT_EQ(client.Run("PING x"), "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  client.Run("SUNSUBSCRIBE");
  EXPECT_EQ(client.Run("PING"), "+PONG\r\n");
  client.Run("SUBSCRIBE a");
  EXPECT_EQ(client.Run("RESET"), "+RESET\r\n");
  EXPECT_EQ(client.Run("GET k"), "$-1\r\n");
  EXPECT_EQ(publisher_.Run("PUBLISH a x"), ":0\r\n");
}

TEST_F(PubSubTest, ItsOwnMessageComesInFrontOfTheReplyToPublish) {
  Client client = NewResp3Client();
  client.Run("SUBSCRIBE a");
  EXPECT_EQ(client.Run("PUBLISH a x"), ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n:1\r\n");
}

TEST_F(PubSubTest, ConfirmationsStandBehindEarlierRepliesAndInFrontOfMessages) {
  replica_.at_once = false;
  Client client = NewClient();
  ASSERT_TRUE(client.Send("SET k v"));
  EXPECT_FALSE(client.Send("SUBSCRIBE a")) << "taken while a reply is due";
  EndOfTurn();
  replica_.ApplyElsewhere({"PUBLISH", "a", "early"});
  replica_.ApplyAll();
  ASSERT_TRUE(client.Send("SUBSCRIBE a"));
  replica_.ApplyElsewhere({"PUBLISH", "a", "x"});
  EXPECT_EQ(client.Received(),
            "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
            "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
}

TEST_F(PubSubTest, ClientReplyDoesNotSilencePushes) {
  for (const char* mode : {"OFF", "SKIP"}) {
    Client client = NewClient();
    client.Run({"CLIENT", "REPLY", mode});
    EXPECT_EQ(client.Run("SUBSCRIBE a"), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n") << mode;
    replica_.ApplyElsewhere({"PUBLISH", "a", "x"});
    EXPECT_EQ(client.Received(), "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n") << mode;
  }
}

TEST_F(PubSubTest, AMessageDoesNotComeWithinALargeReply) {
  Client client = NewResp3Client();
  const std::string element(1000, 'e');
  for (int i = 0; i < 1000; ++i) publisher_.Run({"RPUSH", "list", element});
  client.Run("SUBSCRIBE a");
  ASSERT_TRUE(client.Send("LRANGE list 0 -1"));
  EndOfTurn();
  std::string received = client.Received();
  ASSERT_LT(received.size(), element.size() * 1000) << "not a reply in pieces";
  replica_.ApplyElsewhere({"PUBLISH", "a", "x"});
  for (size_t before = 0; received.size() > before;) {
    before = received.size();
    EndOfTurn();
    received += client.Received();
  }
  std::string wanted = "*1000\r\n";
  for (int i = 0; i < 1000; ++i) wanted += "$1000\r\n" + element + "\r\n";
  wanted += ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
  EXPECT_TRUE(received == wanted);
}

TEST_F(PubSubTest, ASlowSubscriberIsCutAtItsLimitAndTheOthersAreNot) {
  EXPECT_EQ(publisher_.Run(
                {"CONFIG", "SET", "client-output-buffer-limit", "normal 100 0 0 pubsub 10000 0 0"}),
            "+OK\r\n");
  Client slow = NewClient(), quick = NewClient();
  slow.Run("SUBSCRIBE a");
  quick.Run("SUBSCRIBE a");
  const std::string message(3000, 'm');
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(publisher_.Run({"PUBLISH", "a", message}), ":2\r\n");
    quick.Received();
    EXPECT_FALSE(slow.session()->cut_off);
  }
  for (int i = 0; i < 3; ++i) publisher_.Run({"PUBLISH", "a", message});
  EXPECT_TRUE(slow.session()->cut_off);
  EXPECT_LT(slow.session()->reply_bytes(), 10000 + 3100u) << "it went on to grow";
  EXPECT_FALSE(quick.session()->cut_off);
  EXPECT_EQ(quick.Received().size(), 3 * std::string("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3000\r\n"
                                                     "\r\n")
                                             .append(message)
                                             .size());
}

TEST_F(PubSubTest, SubscribersAreClosedWhereMessagesAreMissing) {
  Client client = NewClient(), other = NewClient();
  client.Run("SUBSCRIBE a");
  replica_.ApplyElsewhere({"PUBLISH", "a", "1"});
  engine::Events events;
  events.set_interest(&replica_.interest());
  events.Replaced();
  replica_.Tell(events.Take(2));
  replica_.ApplyElsewhere({"PUBLISH", "a", "3"});
  EXPECT_EQ(client.Received(), "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n1\r\n");
  EXPECT_TRUE(client.session()->close_after_reply);
  EXPECT_FALSE(other.session()->close_after_reply);
}

TEST_F(PubSubTest, PubsubShowsWhoIsSubscribed) {
  Client a = NewClient(), b = NewClient();
  a.Run("SUBSCRIBE news sport");
  b.Run("SUBSCRIBE news");
  b.Run("PSUBSCRIBE n* s*");
  a.Run("SSUBSCRIBE shard");
  EXPECT_EQ(publisher_.Run("PUBSUB CHANNELS"), "*2\r\n$4\r\nnews\r\n$5\r\nsport\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB CHANNELS s*"), "*1\r\n$5\r\nsport\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB NUMSUB news shard sport"),
            "*6\r\n$4\r\nnews\r\n:2\r\n$5\r\nshard\r\n:0\r\n$5\r\nsport\r\n:1\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB NUMPAT"), ":2\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB SHARDCHANNELS"), "*1\r\n$5\r\nshard\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB SHARDNUMSUB shard news"),
            "*4\r\n$5\r\nshard\r\n:1\r\n$4\r\nnews\r\n:0\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB CHANNELS a b"),
            "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB "
            "HELP.\r\n");
  const std::string clients = publisher_.Run("CLIENT LIST TYPE pubsub");
  EXPECT_NE(clients.find("flags=P db=0 sub=2 psub=0 ssub=1"), std::string::npos) << clients;
  EXPECT_NE(clients.find("flags=P db=0 sub=1 psub=2 ssub=0"), std::string::npos) << clients;
  EXPECT_EQ(clients.find("flags=N"), std::string::npos) << clients;
  const std::string info = publisher_.Run("INFO stats");
  EXPECT_NE(info.find("pubsub_channels:2\r\npubsub_patterns:2\r\npubsubshard_channels:1\r\n"),
            std::string::npos);
  a.Close();
  b.Close();
  EXPECT_EQ(publisher_.Run("PUBSUB CHANNELS"), "*0\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB NUMPAT"), ":0\r\n");
  EXPECT_FALSE(replica_.interest().messages());
}

TEST_F(PubSubTest, KeyspaceEventsAreMessages) {
  Client client = NewClient();
  client.Run("PSUBSCRIBE __key*__:*");
  publisher_.Run("SET k v");
  EXPECT_EQ(client.Received(), "");
  publisher_.Run("CONFIG SET notify-keyspace-events K$");
  publisher_.Run("SET k v EX 10");
  EXPECT_EQ(
      client.Received(),
      "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n");
  publisher_.Run({"CONFIG", "SET", "notify-keyspace-events", ""});
  publisher_.Run("SET k v");
  EXPECT_EQ(client.Received(), "");
}

TEST_F(PubSubTest, MissesOfReadsAreToldToThisNodesSubscribers) {
  Client client = NewClient();
  client.Run("PSUBSCRIBE __keyevent@0__:*");
  publisher_.Run("CONFIG SET notify-keyspace-events Em");
  publisher_.Run("SET there v");
  publisher_.Run("MGET there a b");
  publisher_.Run("OBJECT ENCODING a");
  const std::string head =
      "*4\r\n$8\r\npmessage\r\n$16\r\n__keyevent@0__:*\r\n$22\r\n__keyevent@0__:keymiss\r\n";
  EXPECT_EQ(client.Received(), head + "$1\r\na\r\n" + head + "$1\r\nb\r\n");
}

class TwoLoopsTest : public PubSubTest {
 protected:
  TwoLoopsTest() : PubSubTest(2) {}
};

TEST_F(TwoLoopsTest, AllLoopsOfANodeAreOneAudience) {
  Client here = NewClient(0), there = NewClient(1);
  here.Run("SUBSCRIBE a");
  there.Run("SUBSCRIBE a");
  there.Run("PSUBSCRIBE *");
  EXPECT_EQ(publisher_.Run("PUBLISH a x"), ":3\r\n");
  EXPECT_EQ(here.Received(), "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
  EXPECT_EQ(there.Received(),
            "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
            "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\nx\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB NUMSUB a"), "*2\r\n$1\r\na\r\n:2\r\n");
  there.Close();
  EXPECT_EQ(publisher_.Run("PUBSUB NUMSUB a"), "*2\r\n$1\r\na\r\n:1\r\n");
  EXPECT_EQ(publisher_.Run("PUBSUB NUMPAT"), ":0\r\n");
}

}  // namespace
}  // namespace metastore::server
