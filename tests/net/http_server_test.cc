#include "net/http_server.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/net/node.h"

namespace metastore::net {
namespace {

struct Answer {
  int status = 0;
  std::string headers;
  std::string body;
};

class HttpTest : public testing::Test {
 protected:
  void Start(const server::Limits& limits = {}) {
    node_ = std::make_unique<Node>(limits);
    node_->Start();
    socket_ = std::make_unique<Socket>(node_->loops->http_port());
  }
  Answer ReceiveAnswer(bool head = false) {
    Answer answer;
    answer.headers = socket_->ReceiveUntil("\r\n\r\n");
    if (answer.headers.size() < 12) return answer;
    answer.status = std::stoi(answer.headers.substr(9, 3));
    size_t at = answer.headers.find("Content-Length: ");
    if (at != std::string::npos && !head) {
      answer.body = socket_->Receive(std::stoul(answer.headers.substr(at + 16)));
    }
    return answer;
  }
  // All on one connection: keep-alive is part of every test.
  Answer Request(const std::string& method, const std::string& target, const std::string& body = "",
                 const std::string& headers = "") {
    std::string bytes = method + " " + target + " HTTP/1.1\r\nHost: h\r\n" + headers;
    if (method == "PUT" || method == "POST") {
      bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    socket_->Send(bytes + "\r\n" + body);
    return ReceiveAnswer(method == "HEAD");
  }
  std::unique_ptr<Node> node_;
  std::unique_ptr<Socket> socket_;
};

TEST_F(HttpTest, PutGetAndDeleteOfAKey) {
  Start();
  EXPECT_EQ(Request("GET", "/k").status, 404);
  EXPECT_EQ(Request("PUT", "/k", "value").status, 204);
  Answer answer = Request("GET", "/k");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "value");
  EXPECT_NE(answer.headers.find("Content-Type: application/octet-stream"), std::string::npos);
  answer = Request("HEAD", "/k");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.headers.find("Content-Length: 5"), std::string::npos);
  EXPECT_EQ(Request("DELETE", "/k").status, 204);
  EXPECT_EQ(Request("DELETE", "/k").status, 204);
  EXPECT_EQ(Request("GET", "/k").status, 404);
  EXPECT_EQ(Request("PUT", "/empty", "").status, 204);
  answer = Request("GET", "/empty");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
}

TEST_F(HttpTest, KeysAndValuesAreAnyBytesAndRespSeesTheSame) {
  Start();
  std::string value("\0\r\n\xff", 4);
  EXPECT_EQ(Request("PUT", "/a%00%2f?q=%20", value).status, 204);
  EXPECT_EQ(Request("GET", "http://h/a%00%2F?q=%20").body, value);
  EXPECT_EQ(Request("PUT", "//double", "d").status, 204);
  EXPECT_EQ(Request("GET", "//double").body, "d");
  EXPECT_EQ(Request("PUT", "/7", "number").status, 204);
  EXPECT_EQ(Request("GET", "/7").body, "number");
  Socket redis(node_->loops->redis_port());
  redis.Send(std::string("*2\r\n$3\r\nGET\r\n$7\r\na\0/?q= \r\n", 26));
  redis.Send("GET /double\r\nGET 7\r\n");
  redis.Expect("$4\r\n" + value + "\r\n$1\r\nd\r\n$6\r\nnumber\r\n");
}

TEST_F(HttpTest, WhatIsNoKeyRequestIsRefused) {
  Start();
  EXPECT_EQ(Request("PUT", "/", "v").status, 400);
  EXPECT_EQ(Request("GET", "/%4").status, 400);
  Answer answer = Request("POST", "/key", "v");
  EXPECT_EQ(answer.status, 405);
  EXPECT_NE(answer.headers.find("Allow: GET, HEAD, PUT, DELETE\r\n"), std::string::npos);
  EXPECT_EQ(Request("OPTIONS", "/key").status, 405);
  EXPECT_EQ(Request("PATCH", "/key").status, 405);
  EXPECT_EQ(Request("GET", "/-/other").status, 404);
  EXPECT_EQ(Request("DELETE", "/-/health").status, 405);
}

TEST_F(HttpTest, MembershipWithoutAHookIs503AndANumberThatIsNoMemberIsAKey) {
  Start();
  Answer answer = Request("POST", "/4", "http://127.0.0.1:1");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "membership changes are not available yet\n");
  EXPECT_EQ(Request("DELETE", "/1").status, 503) << "node 1 is a member";
  EXPECT_EQ(Request("DELETE", "/9").status, 204);
}

TEST_F(HttpTest, TheMembershipHookAnswersLater) {
  node_ = std::make_unique<Node>();
  std::function<void(MembershipAnswer)> done;
  MembershipRequest asked;
  node_->loops->SetMembershipHook(
      [&](MembershipRequest request, std::function<void(MembershipAnswer)> answer) {
        asked = std::move(request);
        std::thread([answer] { answer({204, ""}); }).detach();
      });
  node_->Start();
  socket_ = std::make_unique<Socket>(node_->loops->http_port());
  EXPECT_EQ(Request("POST", "/4", "http://127.0.0.1:1").status, 204);
  EXPECT_TRUE(asked.add);
  EXPECT_EQ(asked.node, 4u);
  EXPECT_EQ(asked.peer_url, "http://127.0.0.1:1");
}

TEST_F(HttpTest, WithoutAQuorumTheReasonComesWith503) {
  Start();
  node_->replica.outcome = replica::BatchOutcome::kNotApplied;
  Answer answer = Request("PUT", "/k", "v");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, std::string(server::kNotAppliedError) + "\n");
  node_->replica.outcome = replica::BatchOutcome::kUnknown;
  EXPECT_EQ(Request("DELETE", "/k").body, std::string(server::kUnknownOutcomeError) + "\n");
  node_->replica.may_read_now = false;
  answer = Request("GET", "/k");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(Request("GET", "/-/health").status, 503);
  node_->replica.outcome = replica::BatchOutcome::kApplied;
  EXPECT_EQ(Request("PUT", "/k", "v").status, 204);
}

TEST_F(HttpTest, AFullDiskIs507) {
  Start();
  node_->replica.disk_nearly_full = true;
  EXPECT_EQ(Request("PUT", "/k", "v").status, 507);
  EXPECT_EQ(Request("GET", "/k").status, 404);
}

TEST_F(HttpTest, HealthAndMetrics) {
  Start();
  Answer answer = Request("GET", "/-/health");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            "{\"status\":\"ok\",\"id\":1,\"role\":\"leader\",\"leader\":1,\"term\":1,"
            "\"applied\":0}\n");
  Request("PUT", "/k", "v");
  answer = Request("GET", "/-/metrics?x");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("\nmetastore_http_requests_total 3\n"), std::string::npos);
  EXPECT_NE(answer.body.find("\nmetastore_command_calls_total{command=\"set\"} 1\n"),
            std::string::npos);
  EXPECT_NE(answer.body.find("metastore_command_latency_seconds_count{kind=\"write\"} 1\n"),
            std::string::npos);
}

TEST_F(HttpTest, ChunkedBodiesAndExpectContinue) {
  Start();
  socket_->Send(
      "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
  EXPECT_EQ(ReceiveAnswer().status, 204);
  EXPECT_EQ(Request("GET", "/c").body, "hello world");
  std::string value(3 << 20, 'v');
  socket_->Send("PUT /big HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " +
                std::to_string(value.size()) + "\r\n\r\n");
  EXPECT_EQ(ReceiveAnswer().status, 100);
  socket_->Send(value);
  EXPECT_EQ(ReceiveAnswer().status, 204);
  EXPECT_TRUE(Request("GET", "/big").body == value);
}

TEST_F(HttpTest, ABodyBeyondTheLimitIs413) {
  Start();
  socket_->Send("PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 536870913\r\n\r\n");
  EXPECT_EQ(ReceiveAnswer().status, 413);
}

TEST_F(HttpTest, ThePasswordIsNeededWhereOneIsSet) {
  server::Limits limits;
  limits.requirepass = "secret";
  Start(limits);
  EXPECT_EQ(Request("GET", "/k").status, 401);
  EXPECT_EQ(Request("GET", "/k", "", "Authorization: Basic eDp3cm9uZw==\r\n").status, 401);
  // default:secret
  EXPECT_EQ(Request("GET", "/k", "", "Authorization: Basic ZGVmYXVsdDpzZWNyZXQ=\r\n").status, 404);
  EXPECT_EQ(Request("GET", "/-/health").status, 200);
}

TEST_F(HttpTest, ClientsThatLeaveBeforeTheirAnswerHarmNobody) {
  Start();
  for (int i = 0; i < 50; ++i) {
    Socket leaves(node_->loops->http_port());
    leaves.Send("PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nhalf");
  }
  for (int i = 0; i < 50; ++i) {
    Socket leaves(node_->loops->http_port());
    leaves.Send("GET /k HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  EXPECT_EQ(Request("PUT", "/k", "v").status, 204);
  EXPECT_EQ(Request("GET", "/k").body, "v");
}

}  // namespace
}  // namespace metastore::net
