#include "server/clients.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace metastore::server {
namespace {

class Wakes : public LoopWaker {
 public:
  void WakeForKill(uint64_t id) override { ids.push_back(id); }
  void Send(uint64_t, const Push&) override {}
  std::vector<uint64_t> ids;
};

TEST(ClientsTest, TheLineOfAClientHasRedissFields) {
  Session session(7, SessionKind::kResp, 1000);
  session.peer_address = "127.0.0.1:5";
  session.local_address = "127.0.0.1:6";
  session.fd = 9;
  ClientRegistry registry;
  registry.Add(&session, nullptr);
  registry.SetName(&session, "worker");
  registry.SetLibName(&session, "lib");
  registry.SetLibVersion(&session, "1.2");
  session.db = 3;
  session.last_command_ms = 4000;
  std::string line = FormatClient(registry.Info(session, 6500));
  EXPECT_EQ(line.substr(0, line.find(" qbuf=")),
            "id=7 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=9 name=worker age=5 idle=2 flags=N db=3 "
            "sub=0 psub=0 ssub=0 multi=-1 watch=0");
  EXPECT_NE(line.find(" cmd=NULL user=default redir=-1 resp=2 lib-name=lib lib-ver=1.2"),
            std::string::npos);
}

TEST(ClientsTest, KillWakesTheLoopsOfTheChosenAndClosesTheCallerAfterItsReply) {
  ClientRegistry registry;
  Wakes wakes;
  Session self(registry.NextId(), SessionKind::kResp, 0);
  Session other(registry.NextId(), SessionKind::kResp, 0);
  Session third(registry.NextId(), SessionKind::kResp, 0);
  for (Session* session : {&self, &other, &third}) registry.Add(session, &wakes);
  EXPECT_EQ(registry.count(), 3u);
  size_t killed =
      registry.Kill(&self, 0, [&third](const ClientInfo& info) { return info.id != third.id(); });
  EXPECT_EQ(killed, 2u);
  EXPECT_EQ(wakes.ids, std::vector<uint64_t>{other.id()});
  EXPECT_TRUE(other.kill_requested);
  EXPECT_TRUE(self.close_after_reply);
  EXPECT_FALSE(self.kill_requested);
  EXPECT_FALSE(third.kill_requested);
  registry.Remove(&other);
  EXPECT_EQ(registry.List(0).size(), 2u);
  EXPECT_EQ(registry.count(), 2u);
}

}  // namespace
}  // namespace metastore::server
