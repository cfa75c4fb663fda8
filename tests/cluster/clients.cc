#include "tests/cluster/clients.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace metastore::cluster_test {
namespace {

timeval ToTimeval(Millis duration) {
  return {duration.count() / 1000, (duration.count() % 1000) * 1000};
}

Reply Convert(const redisReply& from) {
  Reply reply;
  switch (from.type) {
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::kError;
      break;
    case REDIS_REPLY_STATUS:
      reply.kind = Reply::Kind::kStatus;
      break;
    case REDIS_REPLY_STRING:
      reply.kind = Reply::Kind::kString;
      break;
    case REDIS_REPLY_NIL:
      reply.kind = Reply::Kind::kNull;
      break;
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = from.integer;
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kArray;
      for (size_t i = 0; i < from.elements; ++i)
        reply.elements.push_back(Convert(*from.element[i]));
      break;
    default:
      CHECK(false);
  }
  if (from.str != nullptr) reply.text.assign(from.str, static_cast<size_t>(from.len));
  return reply;
}

Reply Lost(std::string why) {
  Reply reply;
  reply.text = std::move(why);
  return reply;
}

}  // namespace

std::string Reply::ToString() const {
  switch (kind) {
    case Kind::kLost:
      return "(connection lost: " + text + ")";
    case Kind::kError:
      return "(error) " + text;
    case Kind::kStatus:
      return text;
    case Kind::kString:
      return '"' + text + '"';
    case Kind::kNull:
      return "(nil)";
    case Kind::kInteger:
      return std::to_string(integer);
    case Kind::kArray: {
      std::string all = "[";
      for (const Reply& element : elements) all += element.ToString() + " ";
      return all + "]";
    }
  }
  return "?";
}

Client::Client(int port, Millis timeout) {
  context_ = redisConnectWithTimeout("127.0.0.1", port, ToTimeval(timeout));
  CHECK(context_ != nullptr);
  if (context_->err == 0) redisSetTimeout(context_, ToTimeval(timeout));
}

Client::~Client() { redisFree(context_); }

bool Client::connected() const { return context_->err == 0; }
int Client::fd() const { return context_->fd; }

void Client::Append(const std::vector<std::string>& args) {
  std::vector<const char*> words;
  std::vector<size_t> lengths;
  for (const std::string& arg : args) {
    words.push_back(arg.data());
    lengths.push_back(arg.size());
  }
  redisAppendCommandArgv(context_, static_cast<int>(args.size()), words.data(), lengths.data());
}

Reply Client::Receive() {
  if (context_->err != 0) return Lost(context_->errstr);
  void* raw = nullptr;
  if (redisGetReply(context_, &raw) != REDIS_OK || raw == nullptr) return Lost(context_->errstr);
  Reply reply = Convert(*static_cast<redisReply*>(raw));
  freeReplyObject(raw);
  return reply;
}

Reply Client::Run(const std::vector<std::string>& args) {
  if (context_->err != 0) return Lost(context_->errstr);
  Append(args);
  return Receive();
}

bool Client::Flush() {
  int done = 0;
  while (done == 0) {
    if (redisBufferWrite(context_, &done) != REDIS_OK) return false;
  }
  return true;
}

std::string Encode(const std::vector<std::string>& args) {
  std::string bytes = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) {
    bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return bytes;
}

int ConnectRaw(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_GE(fd, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    return -1;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

// --- HTTP --------------------------------------------------------------------------------------

HttpReply Http(int port, const std::string& method, const std::string& path, std::string_view body,
               Millis timeout) {
  HttpReply reply;
  int fd = ConnectRaw(port);
  if (fd < 0) return reply;
  fcntl(fd, F_SETFL, 0);
  timeval wait = ToTimeval(timeout);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  std::string request = method + " " + path +
                        " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" +
                        "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  request += body;
  for (size_t sent = 0; sent < request.size();) {
    ssize_t n = send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<size_t>(n);
  }
  // The server closes after the answer, so that the body ends with the stream.
  std::string bytes;
  char buffer[65536];
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) bytes.append(buffer, static_cast<size_t>(n));
  close(fd);
  size_t end = bytes.find("\r\n\r\n");
  if (n < 0 || end == std::string::npos || bytes.rfind("HTTP/1.", 0) != 0) return reply;
  reply.status = std::atoi(bytes.c_str() + 9);
  reply.headers = bytes.substr(0, end + 2);
  reply.body = bytes.substr(end + 4);
  return reply;
}

std::vector<std::string> CurlCommand(int port, const std::string& method, const std::string& path,
                                     const std::string& body, Millis timeout) {
  std::vector<std::string> argv = {"curl",
                                   "--silent",
                                   "--noproxy",
                                   "*",
                                   "--max-time",
                                   std::to_string(timeout.count() / 1000),
                                   "--write-out",
                                   "\n%{http_code}",
                                   "--request",
                                   method,
                                   "http://127.0.0.1:" + std::to_string(port) + path};
  if (method == "PUT" || method == "POST") argv.insert(argv.end(), {"--data-binary", body});
  return argv;
}

HttpReply ParseCurlOutput(const std::string& output) {
  HttpReply reply;
  size_t line = output.rfind('\n');
  if (line == std::string::npos) return reply;
  reply.body = output.substr(0, line);
  reply.status = std::atoi(output.c_str() + line + 1);
  return reply;
}

HttpReply Curl(int port, const std::string& method, const std::string& path,
               const std::string& body, Millis timeout) {
  return ParseCurlOutput(
      RunCommand(CurlCommand(port, method, path, body, timeout), timeout + kLiveness).output);
}

}  // namespace metastore::cluster_test
