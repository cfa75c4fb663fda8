#include "tests/server/handler_test.h"

namespace metastore::server {
namespace {

class ConnectionCommandsTest : public HandlerTest {
 protected:
  void RequirePassword(const std::string& password) {
    Limits limits = server_.limits();
    limits.requirepass = password;
    server_.SetLimits(limits);
    session_->authenticated = false;
  }
};

TEST_F(ConnectionCommandsTest, PingRepliesPongOrItsArgument) {
  EXPECT_EQ(Run({"PING"}), resp::Value::SimpleString("PONG"));
  EXPECT_EQ(Run({"PING", "x"}), Bulk("x"));
  EXPECT_EQ(Run({"PING", "x", "y"}), Error("ERR wrong number of arguments for 'ping' command"));
  EXPECT_EQ(Run({"ECHO", "x"}), Bulk("x"));
}

TEST_F(ConnectionCommandsTest, HelloAnswersInTheProtocolItChooses) {
  EXPECT_EQ(Raw({"HELLO"}).substr(0, 5), "*14\r\n");
  EXPECT_EQ(Raw({"HELLO", "3", "SETNAME", "me"}).substr(0, 4), "%7\r\n");
  EXPECT_EQ(session_->protocol, 3);
  EXPECT_EQ(session_->name, "me");
  EXPECT_EQ(Raw({"HELLO"}).substr(0, 4), "%7\r\n");
}

TEST_F(ConnectionCommandsTest, HelloRefusesInRedisWords) {
  EXPECT_EQ(Run({"HELLO", "4"}), Error("NOPROTO unsupported protocol version"));
  EXPECT_EQ(Run({"HELLO", "x"}), Error("ERR Protocol version is not an integer or out of range"));
  EXPECT_EQ(Run({"HELLO", "3", "auth", "a"}), Error("ERR Syntax error in HELLO option 'auth'"));
  EXPECT_EQ(Run({"HELLO", "3", "SETNAME", "a b"}),
            Error("ERR Client names cannot contain spaces, newlines or special characters."));
  EXPECT_EQ(session_->protocol, 2);
}

TEST_F(ConnectionCommandsTest, HelloAuthenticates) {
  RequirePassword("secret");
  EXPECT_EQ(Run({"HELLO", "3"}).text.substr(0, 18), "NOAUTH HELLO must ");
  EXPECT_EQ(Run({"HELLO", "3", "AUTH", "default", "wrong"}),
            Error("WRONGPASS invalid username-password pair or user is disabled."));
  EXPECT_FALSE(session_->authenticated);
  EXPECT_EQ(Run({"HELLO", "3", "AUTH", "default", "secret"}).type, resp::Type::kMap);
  EXPECT_TRUE(session_->authenticated);
}

TEST_F(ConnectionCommandsTest, AuthKnowsOneUserAndItsPassword) {
  EXPECT_EQ(Run({"AUTH", "x"}).text.substr(0, 34), "ERR AUTH <password> called without");
  EXPECT_EQ(Run({"AUTH", "default", "anything"}), Ok());
  RequirePassword("secret");
  for (const char* wrong : {"", "s", "secretsecret", "secreT", "secre"}) {
    EXPECT_EQ(Run({"AUTH", wrong}),
              Error("WRONGPASS invalid username-password pair or user is disabled."));
  }
  EXPECT_EQ(Run({"AUTH", "root", "secret"}),
            Error("WRONGPASS invalid username-password pair or user is disabled."));
  EXPECT_EQ(Run({"AUTH", "a", "b", "c"}), Error("ERR syntax error"));
  EXPECT_FALSE(session_->authenticated);
  EXPECT_EQ(Run({"AUTH", "secret"}), Ok());
  EXPECT_TRUE(session_->authenticated);
}

TEST_F(ConnectionCommandsTest, SelectTakesTheSixteenDatabases) {
  EXPECT_EQ(Run({"SELECT", "15"}), Ok());
  EXPECT_EQ(session_->db, 15);
  EXPECT_EQ(Run({"SELECT", "16"}), Error("ERR DB index is out of range"));
  EXPECT_EQ(Run({"SELECT", "-1"}), Error("ERR DB index is out of range"));
  EXPECT_EQ(Run({"SELECT", "x"}), Error("ERR value is not an integer or out of range"));
  EXPECT_EQ(session_->db, 15);
}

TEST_F(ConnectionCommandsTest, ResetMakesTheConnectionNew) {
  Run({"HELLO", "3", "SETNAME", "me"});
  Run({"SELECT", "3"});
  Run({"CLIENT", "NO-TOUCH", "on"});
  EXPECT_EQ(Run({"RESET"}), resp::Value::SimpleString("RESET"));
  EXPECT_EQ(session_->db, 0);
  EXPECT_EQ(session_->protocol, 2);
  EXPECT_EQ(session_->name, "");
  EXPECT_FALSE(session_->no_touch);
  RequirePassword("secret");
  session_->authenticated = true;
  Run({"RESET"});
  EXPECT_FALSE(session_->authenticated);
}

TEST_F(ConnectionCommandsTest, QuitRepliesThenCloses) {
  EXPECT_EQ(Run({"QUIT"}), Ok());
  EXPECT_TRUE(session_->close_after_reply);
}

TEST_F(ConnectionCommandsTest, ClientReplyOffAndSkipSayNothing) {
  EXPECT_EQ(Raw({"CLIENT", "REPLY", "SKIP"}), "");
  EXPECT_EQ(session_->reply_mode, ReplyMode::kSkipNext);
  EXPECT_EQ(Raw({"CLIENT", "REPLY", "OFF"}), "");
  EXPECT_EQ(Raw({"CLIENT", "REPLY", "SKIP"}), "");
  EXPECT_EQ(session_->reply_mode, ReplyMode::kOff);
  EXPECT_EQ(Run({"CLIENT", "REPLY", "ON"}), Ok());
  EXPECT_EQ(Run({"CLIENT", "REPLY", "x"}), Error("ERR syntax error"));
}

TEST_F(ConnectionCommandsTest, NamesAreShownInInfoAndList) {
  EXPECT_EQ(Run({"CLIENT", "GETNAME"}), resp::Value::Null());
  EXPECT_EQ(Run({"CLIENT", "SETNAME", "me"}), Ok());
  EXPECT_EQ(Run({"CLIENT", "SETINFO", "lib-name", "redis-py"}), Ok());
  EXPECT_EQ(Run({"CLIENT", "SETINFO", "LIB-VER", "5.0"}), Ok());
  EXPECT_EQ(Run({"CLIENT", "GETNAME"}), Bulk("me"));
  std::string info = Run({"CLIENT", "INFO"}).text;
  EXPECT_NE(info.find(" name=me "), info.npos) << info;
  EXPECT_NE(info.find("lib-name=redis-py lib-ver=5.0"), info.npos) << info;
  EXPECT_EQ(info.back(), '\n');
  EXPECT_EQ(Run({"CLIENT", "SETINFO", "x", "y"}), Error("ERR Unrecognized option 'x'"));
  EXPECT_EQ(Run({"CLIENT", "SETINFO", "lib-name", "a b"}),
            Error("ERR lib-name cannot contain spaces, newlines or special characters."));
}

TEST_F(ConnectionCommandsTest, ClientListFilters) {
  auto other = NewSession();
  auto lines = [this](const std::vector<std::string>& words) {
    std::string text = Run(words).text;
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(lines({"CLIENT", "LIST"}), 2);
  EXPECT_EQ(lines({"CLIENT", "LIST", "TYPE", "normal"}), 2);
  EXPECT_EQ(lines({"CLIENT", "LIST", "TYPE", "slave"}), 0);
  EXPECT_EQ(lines({"CLIENT", "LIST", "ID", "2", "99"}), 1);
  EXPECT_EQ(Run({"CLIENT", "LIST", "TYPE", "x"}), Error("ERR Unknown client type 'x'"));
  EXPECT_EQ(Run({"CLIENT", "LIST", "ID", "x"}), Error("ERR Invalid client ID"));
  EXPECT_EQ(Run({"CLIENT", "LIST", "ID"}), Error("ERR syntax error"));
}

TEST_F(ConnectionCommandsTest, ClientKillByAddressKillsOne) {
  auto other = NewSession();
  EXPECT_EQ(Run({"CLIENT", "KILL", "1.2.3.4:5"}), Error("ERR No such client"));
  EXPECT_EQ(Run({"CLIENT", "KILL", other->peer_address}), Ok());
  EXPECT_TRUE(other->kill_requested);
  EXPECT_FALSE(session_->close_after_reply);
  EXPECT_EQ(Run({"CLIENT", "KILL", session_->peer_address}), Ok());
  EXPECT_TRUE(session_->close_after_reply);
}

TEST_F(ConnectionCommandsTest, ClientKillCountsWhatItsFiltersMatch) {
  auto a = NewSession();
  auto b = NewSession();
  EXPECT_EQ(Run({"CLIENT", "KILL", "ID", "99"}), Int(0));
  EXPECT_EQ(Run({"CLIENT", "KILL", "ID", std::to_string(a->id()), "ADDR", "1.2.3.4:5"}), Int(0));
  EXPECT_EQ(Run({"CLIENT", "KILL", "ID", std::to_string(a->id())}), Int(1));
  EXPECT_TRUE(a->kill_requested);
  EXPECT_FALSE(b->kill_requested);
  EXPECT_EQ(Run({"CLIENT", "KILL", "TYPE", "pubsub"}), Int(0));
  EXPECT_EQ(Run({"CLIENT", "KILL", "USER", "default"}), Int(2));
  EXPECT_FALSE(session_->close_after_reply);
  EXPECT_EQ(Run({"CLIENT", "KILL", "USER", "default", "SKIPME", "no"}), Int(3));
  EXPECT_TRUE(session_->close_after_reply);
}

TEST_F(ConnectionCommandsTest, ClientKillRefusesInRedisWords) {
  EXPECT_EQ(Run({"CLIENT", "KILL", "ID", "0"}), Error("ERR client-id should be greater than 0"));
  EXPECT_EQ(Run({"CLIENT", "KILL", "TYPE", "x"}), Error("ERR Unknown client type 'x'"));
  EXPECT_EQ(Run({"CLIENT", "KILL", "USER", "x"}), Error("ERR No such user 'x'"));
  EXPECT_EQ(Run({"CLIENT", "KILL", "SKIPME", "x"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"CLIENT", "KILL", "ID", "1", "ADDR"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"CLIENT", "KILL", "a", "b"}), Error("ERR syntax error"));
}

TEST_F(ConnectionCommandsTest, ClientPauseLastsUntilItsTimeOrUnpause) {
  EXPECT_EQ(Run({"CLIENT", "PAUSE", "100", "WRITE"}), Ok());
  EXPECT_EQ(server_.pause_mode(), PauseMode::kWrites);
  clock_.Advance(101);
  EXPECT_EQ(server_.pause_mode(), PauseMode::kNone);
  Run({"CLIENT", "PAUSE", "100"});
  EXPECT_EQ(server_.pause_mode(), PauseMode::kAll);
  EXPECT_EQ(Run({"CLIENT", "UNPAUSE"}), Ok());
  EXPECT_EQ(server_.pause_mode(), PauseMode::kNone);
  EXPECT_EQ(Run({"CLIENT", "PAUSE", "-1"}), Error("ERR timeout is negative"));
  EXPECT_EQ(Run({"CLIENT", "PAUSE", "x"}), Error("ERR timeout is not an integer or out of range"));
  EXPECT_EQ(Run({"CLIENT", "PAUSE", "1", "x"}),
            Error("ERR CLIENT PAUSE mode must be WRITE or ALL"));
}

}  // namespace
}  // namespace metastore::server
