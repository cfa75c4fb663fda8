// MULTI, EXEC and WATCH, as a client of the dispatcher sees them.
#include "server/transaction.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/dispatcher.h"
#include "tests/support/fake_replica.h"
#include "tests/support/local_commands.h"

namespace metastore::server {
namespace {

using replica::BatchOutcome;
using test::FakeClock;
using test::FakeReplica;
using test::TestCommands;

class TransactionTest : public testing::Test, public replica::LaneSink {
 protected:
  TransactionTest() { Make({}); }
  ~TransactionTest() override {
    for (auto& session : sessions_) dispatcher_->Close(std::move(session));
  }

  void Make(const Limits& limits) {
    dispatcher_.reset();
    server_ = std::make_unique<Server>(&replica_, nullptr, &clock_, &TestCommands(), limits);
    dispatcher_ = std::make_unique<Dispatcher>(server_.get(), 0, server_->AddLoop());
    replica_.SetLane(0, this);
  }

  void Deliver(replica::BatchReply reply) override { dispatcher_->Handle(std::move(reply)); }
  void Deliver(replica::ReadPermission permission) override { dispatcher_->Handle(permission); }

  Session* NewSession() {
    sessions_.push_back(std::make_unique<Session>(server_->clients().NextId(), SessionKind::kResp,
                                                  clock_.WallMs()));
    server_->clients().Add(sessions_.back().get(), nullptr);
    return sessions_.back().get();
  }

  // One line is one command, words between single spaces. False when it was not taken.
  bool Offer(Session* session, const std::string& line) {
    if (!dispatcher_->MayServe(session)) return false;
    std::vector<std::string> words;
    for (size_t at = 0; at <= line.size();) {
      const size_t end = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    std::vector<std::string_view> args(words.begin(), words.end());
    const bool taken = dispatcher_->Dispatch(session, args);
    for (std::string& word : words) word.assign(word.size(), '!');
    return taken;
  }
  static std::string Replies(Session* session) { return session->output().TakeAll(); }
  // Each command alone in its turn, answered before the next.
  std::string Run(Session* session, const std::string& line) {
    EXPECT_TRUE(Offer(session, line)) << line;
    dispatcher_->EndOfTurn();
    replica_.ApplyAll();
    return Replies(session);
  }
  // As a pipeline: one turn if all are taken, else as many as it needs.
  std::string Pipeline(Session* session, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      for (int turns = 0; !Offer(session, line); ++turns) {
        if (turns == 3) {
          ADD_FAILURE() << line << " is never taken";
          return {};
        }
        dispatcher_->EndOfTurn();
        replica_.ApplyAll();
      }
    }
    dispatcher_->EndOfTurn();
    replica_.ApplyAll();
    return Replies(session);
  }

  FakeClock clock_;
  FakeReplica replica_{&TestCommands()};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

TEST_F(TransactionTest, TheCommandsAreOneItemOfTheLogAndTheRepliesOneArray) {
  Session* session = NewSession();
  EXPECT_EQ(Run(session, "MULTI"), "+OK\r\n");
  EXPECT_EQ(Run(session, "SET k 1"), "+QUEUED\r\n");
  EXPECT_EQ(Run(session, "INCR k"), "+QUEUED\r\n");
  EXPECT_EQ(Run(session, "GET k"), "+QUEUED\r\n");
  EXPECT_EQ(Run(session, "HGET k f"), "+QUEUED\r\n");
  ASSERT_TRUE(Offer(session, "EXEC"));
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.Waiting(),
            std::vector<std::string>{
                "transaction: write SET k 1; write INCR k; read GET k; read HGET k f;"});
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session),
            "*4\r\n+OK\r\n:2\r\n$1\r\n2\r\n"
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
  EXPECT_EQ(Run(session, "GET k"), "$1\r\n2\r\n") << "after it commands run at once";
  EXPECT_EQ(dispatcher_->outstanding(), 0u);
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

TEST_F(TransactionTest, APipelineOfTransactionsNeedsOneTurn) {
  Session* session = NewSession();
  for (const char* line : {"MULTI", "INCR k", "EXEC", "MULTI", "INCR k", "EXEC", "GET k"}) {
    EXPECT_TRUE(Offer(session, line)) << line;
  }
  dispatcher_->EndOfTurn();
  EXPECT_EQ(replica_.submitted(), 1u);
  replica_.ApplyAll();
  EXPECT_EQ(Replies(session),
            "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n$1\r\n2\r\n");
}

TEST_F(TransactionTest, OneThatOnlyReadsRunsOnAViewWithoutTheLog) {
  Session* session = NewSession();
  Run(session, "SET k v");
  EXPECT_EQ(Pipeline(session, {"MULTI", "GET k", "PING", "GET k", "EXEC"}),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$1\r\nv\r\n+PONG\r\n$1\r\nv\r\n");
  const size_t views = replica_.views();
  Pipeline(session, {"MULTI", "GET k", "GET k", "EXEC"});
  EXPECT_EQ(replica_.views(), views + 1);
  EXPECT_EQ(Pipeline(session, {"MULTI", "EXEC"}), "+OK\r\n*0\r\n");
  EXPECT_EQ(Pipeline(session, {"MULTI", "PING", "EXEC"}), "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
}

TEST_F(TransactionTest, OneThatOnlyReadsSeesTheWritesInFrontOfIt) {
  Session* session = NewSession();
  EXPECT_EQ(Pipeline(session, {"SET k v", "MULTI", "GET k", "EXEC", "SET k w", "GET k"}),
            "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\nv\r\n+OK\r\n$1\r\nw\r\n");
}

TEST_F(TransactionTest, ANodesOwnCommandsTakeTheirPlacesAmongTheOthers) {
  Session* session = NewSession();
  EXPECT_EQ(
      Pipeline(session, {"MULTI", "PING", "SET k v", "FILL 3", "GET k", "PING", "EXEC", "PING"}),
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
      "*5\r\n+PONG\r\n+OK\r\n$3\r\nfff\r\n$1\r\nv\r\n+PONG\r\n+PONG\r\n");
}

TEST_F(TransactionTest, SelectHoldsForWhatIsBehindItAndForTheSessionOnceItIsDone) {
  Session* session = NewSession();
  EXPECT_EQ(Pipeline(session, {"MULTI", "SET k a", "SELECT 1", "SET k b", "EXEC", "GET k"}),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\nb\r\n");
  EXPECT_EQ(session->db, 1);
  Run(session, "SELECT 0");
  EXPECT_EQ(Run(session, "GET k"), "$1\r\na\r\n");
  EXPECT_EQ(Pipeline(session, {"MULTI", "SELECT 1", "DISCARD", "GET k"}),
            "+OK\r\n+QUEUED\r\n+OK\r\n$1\r\na\r\n");
}

TEST_F(TransactionTest, AnExecWithArgumentsEndsItUndone) {
  EXPECT_EQ(Pipeline(NewSession(), {"MULTI", "SET k v", "EXEC now", "GET k"}),
            "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: wrong number of "
            "arguments for 'exec' command\r\n$-1\r\n");
}

TEST_F(TransactionTest, ARefusedCommandBreaksItAndARunTimeErrorDoesNot) {
  Session* session = NewSession();
  const std::string abort = "-EXECABORT Transaction discarded because of previous errors.\r\n";
  for (const char* bad : {"NOSUCH k", "SET k", "LONE"}) {
    Run(session, "MULTI");
    EXPECT_EQ(Run(session, "SET k v"), "+QUEUED\r\n");
    EXPECT_EQ(Run(session, bad)[0], '-') << bad;
    EXPECT_EQ(Run(session, "SET k w"), "+QUEUED\r\n");
    EXPECT_EQ(Run(session, "EXEC"), abort) << bad;
    EXPECT_EQ(Run(session, "GET k"), "$-1\r\n") << bad;
  }
  EXPECT_EQ(Pipeline(session, {"MULTI", "SET k v", "INCR k", "SET other w", "EXEC"}),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
            "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n");
}

TEST_F(TransactionTest, WhatDoesNotBelongThereIsRefusedAndHarmsNothing) {
  Session* session = NewSession();
  EXPECT_EQ(Run(session, "EXEC"), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(Run(session, "DISCARD"), "-ERR DISCARD without MULTI\r\n");
  Run(session, "MULTI");
  EXPECT_EQ(Run(session, "MULTI"), "-ERR MULTI calls can not be nested\r\n");
  EXPECT_EQ(Run(session, "WATCH k"), "-ERR WATCH inside MULTI is not allowed\r\n");
  EXPECT_EQ(Run(session, "SET k v"), "+QUEUED\r\n");
  EXPECT_EQ(Run(session, "EXEC"), "*1\r\n+OK\r\n");
  EXPECT_EQ(Run(session, "EXEC"), "-ERR EXEC without MULTI\r\n");
}

TEST_F(TransactionTest, AWatchedKeyThatChangedEndsIt) {
  Session* session = NewSession();
  Session* other = NewSession();
  Run(session, "SET k 1");
  const std::vector<std::string> body = {"MULTI", "SET k 2", "EXEC"};
  const std::string queued = "+OK\r\n+QUEUED\r\n";
  // Changed by another client, by itself, to the same value, deleted, created.
  for (const char* change : {"SET k 3", "SET k 1", "DEL k", "SET k 1", "EXPIRE k 100"}) {
    EXPECT_EQ(Run(session, "WATCH k"), "+OK\r\n");
    Run(other, change);
    EXPECT_EQ(Pipeline(session, body), queued + "*-1\r\n") << change;
  }
  EXPECT_EQ(Pipeline(session, body), queued + "*1\r\n+OK\r\n") << "EXEC ended the watch";
  EXPECT_EQ(Run(session, "WATCH k other"), "+OK\r\n");
  Run(other, "SET third v");
  EXPECT_EQ(Pipeline(session, body), queued + "*1\r\n+OK\r\n");
}

TEST_F(TransactionTest, AWatchHoldsForReadsOnAViewToo) {
  Session* session = NewSession();
  Session* other = NewSession();
  Run(session, "WATCH k");
  EXPECT_EQ(Pipeline(session, {"MULTI", "GET k", "EXEC"}), "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
  Run(session, "WATCH k");
  Run(other, "SET k v");
  EXPECT_EQ(Pipeline(session, {"MULTI", "GET k", "EXEC"}), "+OK\r\n+QUEUED\r\n*-1\r\n");
  Run(session, "WATCH k");
  Run(other, "SET k v");
  EXPECT_EQ(Pipeline(session, {"MULTI", "PING", "EXEC"}), "+OK\r\n+QUEUED\r\n*-1\r\n");
}

TEST_F(TransactionTest, AWatchEndsWithUnwatchAndDiscard) {
  Session* session = NewSession();
  Session* other = NewSession();
  for (const std::vector<std::string>& end :
       {std::vector<std::string>{"UNWATCH"}, std::vector<std::string>{"MULTI", "DISCARD"}}) {
    Run(session, "WATCH k");
    Run(other, "SET k v");
    Pipeline(session, end);
    EXPECT_EQ(session->watched_keys, 0u);
    EXPECT_EQ(Pipeline(session, {"MULTI", "SET k w", "EXEC"}), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  }
}

TEST_F(TransactionTest, AWatchInAPipelineSeesTheWritesInFrontOfItAndNoneBehind) {
  Session* session = NewSession();
  EXPECT_EQ(Pipeline(session, {"SET k 1", "WATCH k", "MULTI", "INCR k", "EXEC"}),
            "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n");
  EXPECT_EQ(Pipeline(session, {"WATCH k", "SET k 1", "MULTI", "INCR k", "EXEC"}),
            "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
  EXPECT_EQ(Pipeline(session, {"WATCH k", "UNWATCH", "SET k 1", "MULTI", "INCR k", "EXEC"}),
            "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n");
}

TEST_F(TransactionTest, WithoutAQuorumNothingOfItRuns) {
  Session* session = NewSession();
  for (const char* line : {"MULTI", "SELECT 1", "SET k v", "EXEC"}) Offer(session, line);
  dispatcher_->EndOfTurn();
  replica_.Refuse(0, BatchOutcome::kNotApplied);
  EXPECT_EQ(Replies(session),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n-" + std::string(kNotAppliedError) + "\r\n");
  EXPECT_EQ(session->db, 0) << "its SELECT did not run";
  EXPECT_EQ(Run(session, "GET k"), "$-1\r\n");
}

TEST_F(TransactionTest, AClientMayLeaveAtAnyTime) {
  for (const std::vector<std::string>& lines :
       {std::vector<std::string>{"WATCH k", "MULTI", "SET k v"},
        std::vector<std::string>{"MULTI", "PING", "SET k v", "EXEC"},
        std::vector<std::string>{"MULTI", "GET k", "EXEC"}}) {
    Session* session = NewSession();
    for (const std::string& line : lines) Offer(session, line);
    dispatcher_->Close(std::move(sessions_.back()));
    sessions_.pop_back();
    dispatcher_->EndOfTurn();
    replica_.ApplyAll();
  }
  EXPECT_EQ(dispatcher_->outstanding(), 0u);
  EXPECT_EQ(dispatcher_->inflight_bytes(), 0u);
}

TEST_F(TransactionTest, OpenTransactionsHoldABoundedNumberOfBytesTogether) {
  Limits limits;
  limits.max_inflight_bytes = 40'000;
  Make(limits);
  Session* first = NewSession();
  Session* second = NewSession();
  Run(first, "MULTI");
  const std::string line = "SET k " + std::string(3000, 'v');
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Run(first, line), "+QUEUED\r\n");
  const std::string full = "-" + std::string(kTransactionTooLargeError) + "\r\n";
  Run(second, "MULTI");
  EXPECT_EQ(Run(second, line), full);
  EXPECT_EQ(Run(second, "EXEC").substr(0, 10), "-EXECABORT");
  EXPECT_EQ(Run(second, "WATCH " + std::string(3000, 'k')), full);
  EXPECT_EQ(Run(first, "EXEC"), "*3\r\n+OK\r\n+OK\r\n+OK\r\n");
  Run(second, "MULTI");
  EXPECT_EQ(Run(second, line), "+QUEUED\r\n") << "there is room again";
}

TEST_F(TransactionTest, NullsAreThoseOfTheClientsProtocol) {
  Session* session = NewSession();
  Session* other = NewSession();
  session->protocol = 3;
  EXPECT_EQ(Pipeline(session, {"MULTI", "GET k", "EXEC"}), "+OK\r\n+QUEUED\r\n*1\r\n_\r\n");
  Run(session, "WATCH k");
  Run(other, "SET k v");
  EXPECT_EQ(Pipeline(session, {"MULTI", "PING", "SET k w", "EXEC"}),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n_\r\n");
}

TEST_F(TransactionTest, ANearlyFullDiskRefusesWhatMayGrowTheData) {
  Session* session = NewSession();
  Pipeline(session, {"MULTI", "SET k v"});
  replica_.disk_nearly_full = true;
  EXPECT_EQ(Run(session, "EXEC").substr(0, 10), "-EXECABORT");
  EXPECT_EQ(Pipeline(session, {"MULTI", "DEL k", "EXEC"}), "+OK\r\n+QUEUED\r\n*1\r\n:0\r\n");
}

}  // namespace
}  // namespace metastore::server
