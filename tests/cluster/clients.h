// Clients of a node as its users have them: RESP by hiredis, HTTP by curl and by a small client of
// our own for loads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/cluster/harness.h"

struct redisContext;

namespace metastore::cluster_test {

// A reply, or why there is none.
struct Reply {
  enum class Kind { kLost, kError, kStatus, kString, kNull, kInteger, kArray };
  Kind kind = Kind::kLost;
  std::string text;  // kError, kStatus, kString; kLost: what the client library says
  int64_t integer = 0;
  std::vector<Reply> elements;

  // The connection is gone; whether the command was applied is not known.
  bool lost() const { return kind == Kind::kLost; }
  bool error() const { return kind == Kind::kError; }
  bool failed() const { return lost() || error(); }
  bool ok() const { return kind == Kind::kStatus && text == "OK"; }
  bool null() const { return kind == Kind::kNull; }
  // For messages.
  std::string ToString() const;
};

// One connection. A failed connection stays failed: make a new Client.
class Client {
 public:
  explicit Client(int port, Millis timeout = kLiveness);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const;
  Reply Run(const std::vector<std::string>& args);
  // Pipelining: Append any number, then as many Receives.
  void Append(const std::vector<std::string>& args);
  Reply Receive();
  // Sends what was appended without waiting for a reply. False: the connection is gone.
  bool Flush();
  int fd() const;

 private:
  redisContext* context_ = nullptr;
  std::string why_;
};

// A request on a connection of its own. status 0: no answer.
struct HttpReply {
  int status = 0;
  std::string headers;
  std::string body;
};
HttpReply Http(int port, const std::string& method, const std::string& path,
               std::string_view body = {}, Millis timeout = kLiveness);

// The same by the curl program.
HttpReply Curl(int port, const std::string& method, const std::string& path,
               const std::string& body = {}, Millis timeout = kLiveness);
// The command line of that, for running it in the background; it prints the body and then a line
// with the status.
std::vector<std::string> CurlCommand(int port, const std::string& method, const std::string& path,
                                     const std::string& body, Millis timeout = kLiveness);
HttpReply ParseCurlOutput(const std::string& output);

// The bytes of a RESP request.
std::string Encode(const std::vector<std::string>& args);
// A connected, non-blocking socket; -1 when refused.
int ConnectRaw(int port);

}  // namespace metastore::cluster_test
