// Runs local commands of the real table on one session, without a dispatcher, and reads replies.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "commands/errors.h"
#include "resp/value.h"
#include "server/command_table.h"
#include "server/config.h"
#include "server/local_context.h"
#include "tests/support/fake_replica.h"

namespace metastore::server {

class SteeredReplica : public test::FakeReplica {
 public:
  using FakeReplica::FakeReplica;
  replica::ReplicaInfo Info() const override { return info; }
  void SetActiveExpire(bool on) override { active_expire = on; }
  replica::ReplicaInfo info = FakeReplica::Info();
  bool active_expire = true;
};

class HandlerTest : public testing::Test {
 protected:
  HandlerTest() { session_ = NewSession(); }

  std::unique_ptr<Session> NewSession() {
    auto session =
        std::make_unique<Session>(server_.clients().NextId(), SessionKind::kResp, clock_.WallMs());
    session->peer_address = "127.0.0.1:" + std::to_string(40000 + session->id());
    session->local_address = "127.0.0.1:6379";
    server_.clients().Add(session.get(), nullptr);
    return session;
  }

  // The bytes of the reply.
  std::string Raw(const std::vector<std::string>& words) {
    std::vector<std::string_view> args(words.begin(), words.end());
    const Command* command = server_.commands().Find(args[0]);
    CHECK(command != nullptr);
    if (!command->subcommands.empty() && args.size() > 1)
      command = command->FindSubcommand(args[1]);
    CHECK(command != nullptr);
    CHECK(command->spec->handler.local != nullptr);
    std::string out;
    resp::Writer writer(&out, session_->protocol);
    LocalContext context(server_, *session_);
    Status status = command->spec->handler.local(context, args, writer);
    if (!status.ok()) {
      out.clear();
      commands::WriteError(status, writer);
    }
    return out;
  }
  resp::Value Run(const std::vector<std::string>& words) {
    std::string out = Raw(words);
    std::string_view in = out;
    resp::Value value;
    EXPECT_EQ(resp::ParseValue(&in, &value), resp::ParseResult::kValue) << out;
    EXPECT_TRUE(in.empty()) << out;
    return value;
  }
  static resp::Value Error(std::string line) { return resp::Value::Error(std::move(line)); }
  static resp::Value Ok() { return resp::Value::SimpleString("OK"); }
  static resp::Value Bulk(std::string text) { return resp::Value::Bulk(std::move(text)); }
  static resp::Value Int(int64_t n) { return resp::Value::Integer(n); }

  test::FakeClock clock_;
  SteeredReplica replica_{&CommandTable::All()};
  Config config_;
  Server server_{&replica_, &config_, &clock_, &CommandTable::All(), LimitsOf(*config_.settings())};
  std::unique_ptr<Session> session_;
};

}  // namespace metastore::server
