#include "server/tracking.h"

#include "tests/server/loop_test.h"

namespace metastore::server {
namespace {

std::string Invalidated(std::initializer_list<std::string_view> keys) {
  std::string bytes;
  resp::Writer writer(&bytes, 3);
  writer.Push(2);
  writer.Bulk("invalidate");
  writer.Array(keys.size());
  for (std::string_view key : keys) writer.Bulk(key);
  return bytes;
}
constexpr std::string_view kAllInvalidated = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

class TrackingTest : public LoopTest {
 protected:
  using LoopTest::LoopTest;

  Client NewTracker(std::string_view options = "", size_t loop = 0) {
    Client client = NewResp3Client(loop);
    EXPECT_EQ(client.Run("CLIENT TRACKING ON" + std::string(options)), "+OK\r\n");
    return client;
  }
  void Write(std::string_view key) { replica_.ApplyElsewhere({"SET", key, "v"}); }

  Client writer_ = NewClient();
};

TEST_F(TrackingTest, AKeyThatWasReadIsToldOnceWhenItChangesWhoeverChangesIt) {
  Client client = NewTracker();
  EXPECT_EQ(client.Run("GET a"), "_\r\n");
  client.Run("MGET b c");
  Write("unread");
  EXPECT_EQ(client.Received(), "");
  Write("a");
  EXPECT_EQ(client.Received(), Invalidated({"a"}));
  Write("a");
  EXPECT_EQ(client.Received(), "") << "it has not been read again";
  writer_.Run("DEL c");
  EXPECT_EQ(client.Received(), "") << "nothing was deleted";
  writer_.Run("RPUSH c x");
  writer_.Run("RENAME c b");
  EXPECT_EQ(client.Received(), Invalidated({"c"}) + Invalidated({"b"}));
  client.Run("GET a");
  writer_.Run("FLUSHALL");
  EXPECT_EQ(client.Received(), kAllInvalidated);
  client.Run("CLIENT TRACKING OFF");
  client.Run("GET a");
  Write("a");
  EXPECT_EQ(client.Received(), "");
  EXPECT_FALSE(replica_.interest().keys());
}

TEST_F(TrackingTest, TheReadsOfATransactionAreRemembered) {
  Client client = NewTracker(), choosy = NewTracker(" OPTIN");
  for (Client* each : {&client, &choosy}) {
    each->Run("CLIENT CACHING YES");
    for (const char* line : {"MULTI", "GET a", "EXEC", "MULTI", "GET b", "SET c v", "EXEC"}) {
      each->Run(line);
    }
  }
  Write("a");
  EXPECT_EQ(client.Received(), Invalidated({"a"}));
  EXPECT_EQ(choosy.Received(), Invalidated({"a"}));
  Write("b");
  EXPECT_EQ(client.Received(), Invalidated({"b"}));
  EXPECT_EQ(choosy.Received(), "") << "CACHING was for the first transaction";
}

TEST_F(TrackingTest, BroadcastingWithoutPrefixesComesBesideThatOfPrefixes) {
  Client client = NewTracker(" BCAST PREFIX a");
  EXPECT_EQ(client.Run("CLIENT TRACKING ON BCAST"), "+OK\r\n");
  EXPECT_EQ(client.Run("CLIENT TRACKING ON BCAST"), "+OK\r\n");
  Write("k");
  EXPECT_EQ(client.Received(), Invalidated({"k"}));
}

TEST_F(TrackingTest, AnExpiredKeyIsTold) {
  Client client = NewTracker();
  writer_.Run("SET a v PX 10");
  client.Run("GET a");
  writer_.Run("PEXPIRE a 1");
  client.Received();
  client.Run("GET a");
  writer_.Run("PEXPIREAT a 1");
  EXPECT_EQ(client.Received(), Invalidated({"a"}));
}

TEST_F(TrackingTest, ItsOwnChangesAreToldBehindTheReply) {
  Client client = NewTracker();
  client.Run("GET a");
  EXPECT_EQ(client.Run("SET a 1"), "+OK\r\n" + Invalidated({"a"}));
  client.Run("GET a");
  EXPECT_EQ(client.Run("FLUSHALL"), "+OK\r\n" + std::string(kAllInvalidated));
  Client quiet = NewTracker(" NOLOOP");
  quiet.Run("GET a");
  EXPECT_EQ(quiet.Run("SET a 2"), "+OK\r\n");
  Write("a");
  EXPECT_EQ(quiet.Received(), "") << "its own change has ended the tracking of the key";
  quiet.Run("GET a");
  Write("a");
  EXPECT_EQ(quiet.Received(), Invalidated({"a"}));
}

// The events of a change wait for the loop when the View that shows it is taken.
TEST_F(TrackingTest, AChangeBetweenTheTakingOfAReadAndItsViewDoesNotEndTheTracking) {
  Client client = NewTracker();
  replica_.may_read_now = false;
  replica_.at_once = false;
  ASSERT_TRUE(client.Send("GET a"));
  EndOfTurn();
  Write("a");
  replica_.Permit(true);
  EXPECT_EQ(client.Received(), "$1\r\nv\r\n");
  Write("a");
  EXPECT_EQ(client.Received(), Invalidated({"a"}));
}

TEST_F(TrackingTest, AReadInTheLogMissesNoChange) {
  Client client = NewTracker();
  replica_.at_once = false;
  ASSERT_TRUE(client.Send("SET b 1"));
  ASSERT_TRUE(client.Send("GET a"));
  EndOfTurn();
  replica_.ApplyAll();
  EXPECT_EQ(client.Received(), "+OK\r\n_\r\n");
  Write("a");
  EXPECT_EQ(client.Received(), Invalidated({"a"}));

  // Changed after it was submitted: it may have been read before that.
  ASSERT_TRUE(client.Send("SET b 1"));
  ASSERT_TRUE(client.Send("GET a"));
  EndOfTurn();
  Write("a");
  EXPECT_EQ(client.Received(), Invalidated({"a"}));
  replica_.ApplyAll();
  EXPECT_EQ(client.Received(), "+OK\r\n$1\r\nv\r\n" + Invalidated({"a"}));
}

TEST_F(TrackingTest, OptinAndOptoutChooseWhatIsRemembered) {
  Client optin = NewTracker(" OPTIN"), optout = NewTracker(" OPTOUT");
  const auto told = [](Client& client, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) client.Run(line);
  };
  told(optin, {"GET a", "CLIENT CACHING YES", "CLIENT ID", "GET b", "GET c"});
  told(optin, {"CLIENT CACHING YES", "PING", "GET d"});
  told(optout, {"GET a", "CLIENT CACHING NO", "CLIENT ID", "GET b", "GET c"});
  for (const char* key : {"a", "b", "c", "d"}) Write(key);
  EXPECT_EQ(optin.Received(), Invalidated({"b"}));
  EXPECT_EQ(optout.Received(), Invalidated({"a"}) + Invalidated({"c"}));
  EXPECT_EQ(optin.Run("CLIENT CACHING NO"),
            "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n");
  EXPECT_EQ(optout.Run("CLIENT CACHING YES"),
            "-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.\r\n");
}

TEST_F(TrackingTest, BcastTellsAllChangesUnderPrefixesACommitAtATime) {
  Client all = NewTracker(" BCAST"), some = NewTracker(" BCAST PREFIX a: PREFIX b: NOLOOP");
  writer_.Run("MSET a:2 x a:1 x c x b: x");
  EXPECT_EQ(all.Received(), Invalidated({"a:1", "a:2", "b:", "c"}));
  EXPECT_EQ(some.Received(), Invalidated({"a:1", "a:2"}) + Invalidated({"b:"}));
  some.Run("SET a:3 x");
  EXPECT_EQ(some.Received(), "");
  EXPECT_EQ(all.Received(), Invalidated({"a:3"}));
  EXPECT_EQ(all.Run("SET a:4 x"), "+OK\r\n" + Invalidated({"a:4"}));
  EXPECT_EQ(some.Received(), Invalidated({"a:4"}));
  EXPECT_EQ(some.Run("CLIENT TRACKING ON BCAST PREFIX a:b"),
            "-ERR Prefix 'a:b' overlaps with an existing prefix 'a:'. Prefixes for a single client "
            "must not overlap.\r\n");
  EXPECT_EQ(
      some.Run("CLIENT TRACKING ON"),
      "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, and "
      "then re-enabling it with a different mode.\r\n");
  const std::string info = writer_.Run("INFO");
  EXPECT_NE(info.find("tracking_clients:2\r\n"), std::string::npos);
  EXPECT_NE(info.find("tracking_total_prefixes:3\r\n"), std::string::npos);
  all.Close();
  some.Close();
  EXPECT_FALSE(replica_.interest().keys());
  EXPECT_EQ(server_.tracking_totals.prefixes, 0);
}

TEST_F(TrackingTest, InvalidationsAreRedirected) {
  Client target = NewClient();
  const std::string id = std::to_string(target.id());
  target.Run("SUBSCRIBE __redis__:invalidate");
  Client client = NewClient();
  EXPECT_EQ(client.Run("CLIENT TRACKING ON REDIRECT " + id), "+OK\r\n");
  EXPECT_EQ(client.Run("CLIENT GETREDIR"), ":" + id + "\r\n");
  client.Run("GET a");
  Write("a");
  EXPECT_EQ(client.Received(), "");
  EXPECT_EQ(target.Received(),
            "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n");
  client.Run("GET a");
  target.Run("UNSUBSCRIBE");
  Write("a");
  EXPECT_EQ(target.Received(), "") << "it would take it for a reply";
  target.Run("HELLO 3");
  client.Run("GET a");
  Write("a");
  EXPECT_EQ(target.Received(), Invalidated({"a"}));

  client.Run("HELLO 3");
  client.Run("GET a");
  target.Close();
  Write("a");
  EXPECT_EQ(client.Received(), ">2\r\n$21\r\ntracking-redir-broken\r\n:" + id + "\r\n");
  EXPECT_NE(client.Run("CLIENT TRACKINGINFO").find("broken_redirect"), std::string::npos);
  EXPECT_NE(client.Run("CLIENT INFO").find(" flags=tR "), std::string::npos);
  EXPECT_EQ(client.Run("CLIENT TRACKING ON REDIRECT " + id),
            "-ERR The client ID you want redirect to does not exist\r\n");
}

TEST_F(TrackingTest, TheTableIsBounded) {
  writer_.Run("CONFIG SET tracking-table-max-keys 2");
  EndOfTurn();
  Client client = NewTracker();
  client.Run("MGET a b");
  EXPECT_EQ(client.Run("GET c"), "_\r\n" + Invalidated({"a"}));
  EXPECT_EQ(server_.tracking_totals.keys, 2);
  EXPECT_EQ(server_.tracking_totals.items, 2);
  Write("a");
  EXPECT_EQ(client.Received(), "");
  Write("b");
  EXPECT_EQ(client.Received(), Invalidated({"b"}));
}

TEST_F(TrackingTest, WhereEverythingMayHaveChangedAllIsInvalidated) {
  Client client = NewTracker(), bcast = NewTracker(" BCAST");
  client.Run("GET a");
  engine::Events events;
  events.set_interest(&replica_.interest());
  events.Replaced();
  replica_.Tell(events.Take(1));
  EXPECT_EQ(client.Received(), kAllInvalidated);
  EXPECT_EQ(bcast.Received(), kAllInvalidated);
  EXPECT_EQ(server_.tracking_totals.keys, 0);
}

TEST_F(TrackingTest, TrackingInfoShowsTheMode) {
  Client client = NewClient();
  EXPECT_EQ(client.Run("CLIENT TRACKINGINFO"),
            "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n"
            "*0\r\n");
  client.Run("CLIENT TRACKING ON OPTIN NOLOOP");
  client.Run("CLIENT CACHING YES");
  EXPECT_EQ(client.Run("CLIENT TRACKINGINFO"),
            "*6\r\n$5\r\nflags\r\n*4\r\n$2\r\non\r\n$5\r\noptin\r\n$11\r\ncaching-yes\r\n$6\r\n"
            "noloop\r\n$8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*0\r\n");
  EXPECT_NE(client.Run("CLIENT INFO").find(" flags=t "), std::string::npos);
  EXPECT_EQ(client.Run("CLIENT GETREDIR"), ":0\r\n");
  client.Run("RESET");
  EXPECT_EQ(client.Run("CLIENT GETREDIR"), ":-1\r\n");
  EXPECT_FALSE(replica_.interest().keys());
}

}  // namespace
}  // namespace metastore::server
