#include "server/monitors.h"

#include "tests/server/loop_test.h"

namespace metastore::server {
namespace {

class MonitorsTest : public LoopTest {
 protected:
  MonitorsTest() : LoopTest(2) {
    client_.session()->peer_address = "127.0.0.1:4711";
    clock_.wall_ms = 1'700'000'000'042;
    EndOfTurn();
  }

  Client client_ = NewClient();
};

TEST_F(MonitorsTest, AMonitorSeesWhatTheNodeTakes) {
  Client monitor = NewClient();
  EXPECT_EQ(monitor.Run("MONITOR"), "+OK\r\n");
  client_.Run({"SET", "k", "a\"b\\\n\r\t\a\b\x01\xff"});
  const std::string head = "+1700000000.042000 [0 127.0.0.1:4711] ";
  EXPECT_EQ(monitor.Received(),
            head + "\"SET\" \"k\" \"a\\\"b\\\\\\n\\r\\t\\a\\b\\x01\\xff\"\r\n");
  client_.Run("SELECT 3");
  EXPECT_EQ(monitor.Received(), "+1700000000.042000 [3 127.0.0.1:4711] \"SELECT\" \"3\"\r\n");
  client_.Run("SELECT 0");
  monitor.Received();
  client_.Run("GET");
  client_.Run("CONFIG GET save");
  client_.Run("nosuch");
  EXPECT_EQ(monitor.Received(), "") << "refused, or an administrator's";
  client_.Run("AUTH default secret");
  client_.Run("HELLO 2 AUTH default secret SETNAME n");
  EXPECT_EQ(monitor.Received(),
            head + "\"AUTH\" \"(redacted)\" \"(redacted)\"\r\n" + head +
                "\"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"n\"\r\n");
}

TEST_F(MonitorsTest, AMonitorDoesNotReadKeysAndEndsWithReset) {
  Client monitor = NewClient();
  monitor.Run("MONITOR");
  EXPECT_EQ(monitor.Run("MONITOR"), "");
  EXPECT_EQ(monitor.Run("GET k"), "-ERR Replica can't interact with the keyspace\r\n");
  EXPECT_EQ(monitor.Run("PUBLISH a b"), "-ERR Replica can't interact with the keyspace\r\n");
  EXPECT_NE(client_.Run("CLIENT LIST").find(" flags=O "), std::string::npos);
  monitor.Received();
  EXPECT_EQ(monitor.Run("RESET"), "+RESET\r\n");
  client_.Run("PING");
  EXPECT_EQ(monitor.Received(), "");
  EXPECT_FALSE(server_.monitors().any());
  monitor.Run("MONITOR");
  monitor.Close();
  EXPECT_FALSE(server_.monitors().any());
}

}  // namespace
}  // namespace metastore::server
