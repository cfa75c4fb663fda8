// Io loops of one node with the real commands, on a FakeReplica: what clients are sent, without
// sockets.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/command_table.h"
#include "server/config.h"
#include "server/dispatcher.h"
#include "tests/support/fake_replica.h"

namespace metastore::server {

class LoopTest : public testing::Test {
 protected:
  class Loop : public replica::LaneSink {
   public:
    Loop(Server* server, test::FakeReplica* replica, replica::Lane lane)
        : stats_(server->AddLoop()), dispatcher_(server, lane, stats_) {
      replica->SetLane(lane, this);
    }
    void Deliver(replica::BatchReply reply) override { dispatcher_.Handle(std::move(reply)); }
    void Deliver(replica::ReadPermission permission) override { dispatcher_.Handle(permission); }
    void Deliver(std::shared_ptr<const engine::CommitEvents> events) override {
      size_t next = 0;
      while (!dispatcher_.Handle(*events, &next)) {
      }
    }
    Dispatcher& dispatcher() { return dispatcher_; }

   private:
    LoopStats* const stats_;
    Dispatcher dispatcher_;
  };

  // A client that takes all it is sent, unless the test lets it wait.
  class Client {
   public:
    Client(Server* server, Loop* loop, int64_t now_ms) : loop_(loop) {
      session_ = std::make_unique<Session>(server->clients().NextId(), SessionKind::kResp, now_ms);
      server->clients().Add(session_.get(), nullptr);
    }
    Client(Client&& other) = default;
    ~Client() { Close(); }

    void Close() {
      if (session_ != nullptr) loop_->dispatcher().Close(std::move(session_));
    }
    Session* session() { return session_.get(); }
    uint64_t id() const { return session_->id(); }

    // False: not taken, as a connection is told that waits then.
    bool Send(const std::vector<std::string>& words) {
      Dispatcher& dispatcher = loop_->dispatcher();
      if (!dispatcher.MayServe(session_.get())) return false;
      const std::vector<std::string_view> args(words.begin(), words.end());
      return dispatcher.Dispatch(session_.get(), args);
    }
    bool Send(std::string_view line) { return Send(WordsOf(line)); }
    std::string Received() { return session_->output().TakeAll(); }
    // A whole turn, and what came until its end.
    std::string Run(const std::vector<std::string>& words) {
      EXPECT_TRUE(Send(words));
      loop_->dispatcher().EndOfTurn();
      return Received();
    }
    std::string Run(std::string_view line) { return Run(WordsOf(line)); }

   private:
    static std::vector<std::string> WordsOf(std::string_view line) {
      std::vector<std::string> words;
      for (size_t at = 0; at <= line.size();) {
        const size_t end = std::min(line.find(' ', at), line.size());
        words.emplace_back(line.substr(at, end - at));
        at = end + 1;
      }
      return words;
    }

    Loop* loop_;
    std::unique_ptr<Session> session_;
  };

  explicit LoopTest(int loops = 1) {
    replica_.at_once = true;
    for (int i = 0; i < loops; ++i) {
      loops_.push_back(std::make_unique<Loop>(&server_, &replica_, static_cast<replica::Lane>(i)));
    }
  }
  Client NewClient(size_t loop = 0) {
    return Client(&server_, loops_[loop].get(), clock_.WallMs());
  }
  Client NewResp3Client(size_t loop = 0) {
    Client client = NewClient(loop);
    client.Run("HELLO 3");
    return client;
  }
  void EndOfTurn() {
    for (auto& loop : loops_) loop->dispatcher().EndOfTurn();
  }

  test::FakeClock clock_;
  test::FakeReplica replica_{&CommandTable::All()};
  Config config_;
  Server server_{&replica_, &config_, &clock_, &CommandTable::All(), LimitsOf(*config_.settings())};
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace metastore::server
