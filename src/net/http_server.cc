#include "net/http_server.h"

#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/http_key.h"
#include "net/io_loop.h"
#include "server/metrics.h"

namespace metastore::net {
namespace {

constexpr std::string_view kBytes = "application/octet-stream";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

const char* ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Payload Too Large";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return status < 400 ? "OK" : "Error";
  }
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// The status of an HTTP answer whose body is this error line of a command.
int StatusOfError(std::string_view line) {
  if (StartsWith(line, "CLUSTERDOWN") || StartsWith(line, "UNKNOWNOUTCOME")) return 503;
  if (StartsWith(line, "MISCONF")) return 507;
  if (StartsWith(line, "WRONGTYPE")) return 409;
  if (line.find("exceeds maximum allowed size") != std::string_view::npos) return 413;
  return 500;
}

bool ParseNumber(std::string_view text, uint64_t* number) {
  if (text.empty() || text.size() > 19) return false;
  *number = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    *number = *number * 10 + static_cast<uint64_t>(c - '0');
  }
  return true;
}

bool DecodeBase64(std::string_view text, std::string* out) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    uint32_t value;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<uint32_t>(c - '0') + 52;
    } else if (c == '+') {
      value = 62;
    } else if (c == '/') {
      value = 63;
    } else {
      return false;
    }
    bits = bits << 6 | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out->push_back(static_cast<char>(bits >> count & 0xff));
  }
  return true;
}

// Takes as long for a wrong password as for the right one.
bool SamePassword(std::string_view given, std::string_view wanted) {
  unsigned difference = given.size() == wanted.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i] ^ wanted[i % wanted.size()]);
  }
  return difference == 0;
}

std::string_view BodyOf(evhttp_request* request) {
  evbuffer* input = evhttp_request_get_input_buffer(request);
  size_t size = evbuffer_get_length(input);
  if (size == 0) return {};
  return {reinterpret_cast<const char*>(evbuffer_pullup(input, -1)), size};
}

}  // namespace

struct HttpServer::Request {
  evhttp_request* request;
  std::unique_ptr<server::Session> session;
  std::string_view command;  // "SET", "GET" or "DEL"
  std::string key;
};

HttpServer::HttpServer(IoLoop* loop, const std::vector<int>& sockets, MembershipHook hook)
    : loop_(loop), hook_(std::move(hook)), http_(evhttp_new(loop->base())) {
  CHECK(http_ != nullptr);
  evhttp_set_max_headers_size(http_, kMaxHttpHeaderBytes);
  evhttp_set_max_body_size(http_, kMaxHttpBodyBytes);
  evhttp_set_timeout(http_, kHttpTimeoutS);
  evhttp_set_default_content_type(http_, nullptr);
  evhttp_set_allowed_methods(http_, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                        EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                        EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
  evhttp_set_gencb(http_, &OnRequest, this);
  evhttp_set_bevcb(http_, &OnConnection, this);
  for (int fd : sockets) {
    evhttp_bound_socket* socket = evhttp_accept_socket_with_handle(http_, fd);
    CHECK(socket != nullptr);
    sockets_.push_back(socket);
    listeners_.push_back(evhttp_bound_socket_get_listener(socket));
    evconnlistener_set_error_cb(listeners_.back(), &OnAcceptError);
  }
  event_assign(&tick_event_, loop->base(), -1, EV_PERSIST, &OnTick, this);
  struct timeval tick = {0, kAcceptRestMs * 1000};
  CHECK_EQ(event_add(&tick_event_, &tick), 0);
}

HttpServer::~HttpServer() {
  event_del(&tick_event_);
  for (auto& [number, request] : requests_) {
    loop_->dispatcher().Close(std::move(request->session));
  }
  requests_.clear();
  evhttp_free(http_);
  for (auto& [bev, incoming] : incoming_) bufferevent_decref(bev);
}

void HttpServer::Stop() {
  stopping_ = true;
  for (evhttp_bound_socket* socket : sockets_) evhttp_del_accept_socket(http_, socket);
  sockets_.clear();
  listeners_.clear();
}

// --- connections -----------------------------------------------------------------------------

bufferevent* HttpServer::OnConnection(event_base* base, void* self) {
  auto* server = static_cast<HttpServer*>(self);
  // The socket is closed with the last reference, ours. evhttp would close it while the events of
  // the bufferevent are still registered, and the next socket with its number would get none.
  bufferevent* bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  CHECK(bev != nullptr);
  bufferevent_incref(bev);
  auto incoming = std::make_unique<Incoming>();
  incoming->server = server;
  incoming->bev = bev;
  CHECK(evbuffer_add_cb(bufferevent_get_input(bev), &OnReceived, incoming.get()) != nullptr);
  CHECK(evbuffer_add_cb(bufferevent_get_output(bev), &OnOutput, incoming.get()) != nullptr);
  server->incoming_.emplace(bev, std::move(incoming));
  server->loop_->stats().connections_received.Add(1);
  server->UpdateAccepting();
  return bev;
}

void HttpServer::OnReceived(evbuffer*, const evbuffer_cb_info* info, void* argument) {
  if (info->n_added == 0) return;
  auto* incoming = static_cast<Incoming*>(argument);
  HttpServer* server = incoming->server;
  server->loop_->stats().bytes_in.Add(info->n_added);
  incoming->progress_ns = server->loop_->server().clock().BootNs();
  server->Account(incoming, incoming->received + info->n_added);
  if (server->received_ > kMaxHttpBufferedBytes) server->PauseOthers();
}

HttpServer::Incoming* HttpServer::MostReceived() {
  Incoming* most = nullptr;
  for (auto& [bev, incoming] : incoming_) {
    if (incoming->closed) continue;
    if (most == nullptr || incoming->received > most->received) most = incoming.get();
  }
  return most;
}

// At once and not when each receives next: those that grow in step have all received most.
void HttpServer::PauseOthers() {
  const Incoming* most = MostReceived();
  for (auto& [bev, incoming] : incoming_) {
    if (incoming.get() == most || incoming->received == 0 || incoming->serving) continue;
    incoming->paused = true;
    bufferevent_disable(bev, EV_READ);
  }
}

void HttpServer::Account(Incoming* incoming, size_t received) {
  received_ += received - incoming->received;
  incoming->received = received;
}

void HttpServer::OnOutput(evbuffer*, const evbuffer_cb_info* info, void* argument) {
  auto* incoming = static_cast<Incoming*>(argument);
  if (incoming->closed) return;
  incoming->server->AccountUnsent(incoming, info->orig_size + info->n_added - info->n_deleted);
}

void HttpServer::AccountUnsent(Incoming* incoming, size_t unsent) {
  loop_->AddUnsent(incoming->unsent, unsent);
  incoming->unsent = unsent;
}

bool HttpServer::CloseWorstReader(size_t bytes) {
  Incoming* worst = nullptr;
  for (auto& [bev, incoming] : incoming_) {
    if (incoming->unsent <= bytes || incoming->closed) continue;
    worst = incoming.get();
    bytes = worst->unsent;
  }
  if (worst == nullptr) return false;
  log::warn(
      "an HTTP client closed: unread replies exceed twice output-memory and it has most, {} bytes",
      bytes);
  loop_->stats().output_limit_disconnections.Add(1);
  AccountUnsent(worst, 0);
  worst->closed = true;
  // The memory goes back at once, not with the bufferevent at the next sweep.
  evbuffer* output = bufferevent_get_output(worst->bev);
  CHECK_EQ(evbuffer_unfreeze(output, 1), 0);
  CHECK_EQ(evbuffer_drain(output, evbuffer_get_length(output)), 0);
  CHECK_EQ(evbuffer_freeze(output, 1), 0);
  // evhttp sees the end of the connection and frees it.
  ::shutdown(bufferevent_getfd(worst->bev), SHUT_RDWR);
  return true;
}

void HttpServer::Sweep() {
  for (auto it = incoming_.begin(); it != incoming_.end();) {
    bufferevent_data_cb on_read = nullptr, on_write = nullptr;
    bufferevent_event_cb on_event = nullptr;
    bufferevent_getcb(it->first, &on_read, &on_write, &on_event, nullptr);
    if (on_read != nullptr || on_write != nullptr || on_event != nullptr) {
      ++it;
      continue;
    }
    Account(it->second.get(), 0);
    AccountUnsent(it->second.get(), 0);
    bufferevent_decref(it->first);
    it = incoming_.erase(it);
  }
  ResumeReading();
}

void HttpServer::ResumeReading() {
  const int64_t now_ns = loop_->server().clock().BootNs();
  auto resume = [now_ns](Incoming* incoming) {
    incoming->paused = false;
    incoming->progress_ns = now_ns;
    bufferevent_enable(incoming->bev, EV_READ);
  };
  const bool room = received_ <= kMaxHttpBufferedBytes / 2;
  bool others_wait = false;
  for (auto& [bev, incoming] : incoming_) {
    if (incoming->closed) continue;
    if (room && incoming->paused) resume(incoming.get());
    others_wait = others_wait || incoming->paused;
  }
  if (!others_wait) return;
  Incoming* most = MostReceived();
  // Whatever else is buffered, one goes on: or nobody could finish and give room to the others.
  if (most->paused) return resume(most);
  if (most->serving || now_ns - most->progress_ns < kHttpStallNs) return;
  log::warn("an HTTP client closed: {} bytes of its body came and no more for {} s, others wait",
            most->received, kHttpStallNs / 1'000'000'000);
  Account(most, 0);
  most->closed = true;
  ::shutdown(bufferevent_getfd(most->bev), SHUT_RDWR);
}

void HttpServer::UpdateAccepting() {
  bool accept = !resting_ && !stopping_ && incoming_.size() < kMaxHttpConnections;
  if (accept == accepting_) return;
  accepting_ = accept;
  for (evconnlistener* listener : listeners_) {
    if (accept) {
      evconnlistener_enable(listener);
    } else {
      evconnlistener_disable(listener);
    }
  }
}

void HttpServer::OnAcceptError(evconnlistener*, void* self) {
  auto* server = static_cast<HttpServer*>(self);
  int error = EVUTIL_SOCKET_ERROR();
  log::warn("cannot accept an HTTP client: {}", evutil_socket_error_to_string(error));
  server->loop_->stats().connections_rejected.Add(1);
  server->resting_ = true;
  server->UpdateAccepting();
}

void HttpServer::OnTick(evutil_socket_t, short, void* self) {
  auto* server = static_cast<HttpServer*>(self);
  server->resting_ = false;
  server->Sweep();
  server->UpdateAccepting();
}

// --- requests --------------------------------------------------------------------------------

void HttpServer::OnRequest(evhttp_request* request, void* self) {
  auto* server = static_cast<HttpServer*>(self);
  server->loop_->role().Assert();
  server->Serve(request);
}

void HttpServer::Reply(evhttp_request* request, int status, std::string body, std::string_view type,
                       size_t skip) {
  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  bool has_body = status != 204;
  if (has_body) {
    if (evhttp_find_header(headers, "Content-Type") == nullptr) {
      evhttp_add_header(headers, "Content-Type", std::string(type).c_str());
    }
    evhttp_add_header(headers, "Content-Length", std::to_string(body.size() - skip).c_str());
  }
  if (stopping_) evhttp_add_header(headers, "Connection", "close");
  loop_->stats().bytes_out.Add(body.size() - skip);
  evhttp_connection* connection = evhttp_request_get_connection(request);
  if (connection != nullptr) {
    auto found = incoming_.find(evhttp_connection_get_bufferevent(connection));
    if (found != incoming_.end()) {
      Account(found->second.get(), 0);
      found->second->serving = false;
      found->second->paused = false;  // evhttp reads on
    }
  }
  evbuffer* output = nullptr;
  if (has_body && body.size() > skip && evhttp_request_get_command(request) != EVHTTP_REQ_HEAD) {
    output = evbuffer_new();
    auto* owned = new std::string(std::move(body));
    // The bytes are sent from where the reply was made.
    evbuffer_add_reference(
        output, owned->data() + skip, owned->size() - skip,
        [](const void*, size_t, void* string) { delete static_cast<std::string*>(string); }, owned);
  }
  evhttp_send_reply(request, status, ReasonOf(status), output);
  if (output != nullptr) evbuffer_free(output);
}

bool HttpServer::Authorized(evhttp_request* request) const {
  const std::string& wanted = loop_->dispatcher().limits().requirepass;
  if (wanted.empty()) return true;
  const char* header =
      evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
  std::string_view given = header == nullptr ? "" : header;
  std::string decoded;
  if (!StartsWith(given, "Basic ") || !DecodeBase64(given.substr(6), &decoded)) return false;
  size_t colon = decoded.find(':');
  return colon != std::string::npos && SamePassword(decoded.substr(colon + 1), wanted);
}

void HttpServer::Serve(evhttp_request* request) {
  loop_->stats().http_requests.Add(1);
  // evhttp takes an absolute target for a request to a proxy and would close the connection.
  request->flags &= ~EVHTTP_PROXY_REQUEST;
  auto incoming =
      incoming_.find(evhttp_connection_get_bufferevent(evhttp_request_get_connection(request)));
  if (incoming != incoming_.end()) incoming->second->serving = true;
  if (stopping_) return Reply(request, 503, "shutting down\n", kPlain);
  std::string_view target = evhttp_request_get_uri(request);
  if (!StartsWith(target, "/-/health") && !Authorized(request)) {
    evhttp_add_header(evhttp_request_get_output_headers(request), "WWW-Authenticate",
                      "Basic realm=\"metaStore\"");
    return Reply(request, 401, "this needs the password\n", kPlain);
  }
  if (StartsWith(target, "/-/")) return ServeReserved(request, target.substr(0, target.find('?')));
  evhttp_cmd_type method = evhttp_request_get_command(request);
  std::string key;
  bool valid = KeyOfTarget(target, &key);
  uint64_t node = 0;
  bool number = valid && ParseNumber(key, &node);
  if (method == EVHTTP_REQ_POST && number) {
    return ServeMembership(request, {true, node, std::string(BodyOf(request))});
  }
  if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD && method != EVHTTP_REQ_PUT &&
      method != EVHTTP_REQ_DELETE) {
    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow",
                      number ? "GET, HEAD, PUT, DELETE, POST" : "GET, HEAD, PUT, DELETE");
    return Reply(request, 405, "", kPlain);
  }
  if (!valid) return Reply(request, 400, "malformed percent-encoding or path\n", kPlain);
  if (key.empty()) return Reply(request, 400, "the key is empty\n", kPlain);
  if (method == EVHTTP_REQ_DELETE && number) {
    replica::ReplicaInfo info = loop_->server().replica().Info();
    bool member = info.id == node;
    for (const replica::PeerInfo& peer : info.peers) member = member || peer.id == node;
    if (member) return ServeMembership(request, {false, node, ""});
  }
  Start(request,
        method == EVHTTP_REQ_PUT      ? "SET"
        : method == EVHTTP_REQ_DELETE ? "DEL"
                                      : "GET",
        std::move(key));
}

void HttpServer::ServeReserved(evhttp_request* request, std::string_view path) {
  bool known = path == "/-/health" || path == "/-/metrics";
  if (!known) return Reply(request, 404, "", kPlain);
  evhttp_cmd_type method = evhttp_request_get_command(request);
  if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
    return Reply(request, 405, "", kPlain);
  }
  if (path == "/-/metrics") {
    return Reply(request, 200, server::MetricsText(loop_->server()), "text/plain; version=0.0.4");
  }
  bool healthy = false;
  std::string line = server::HealthLine(loop_->server(), &healthy);
  Reply(request, healthy ? 200 : 503, std::move(line), "application/json");
}

void HttpServer::ServeMembership(evhttp_request* request, MembershipRequest change) {
  if (!hook_) return Reply(request, 503, "membership changes are not available yet\n", kPlain);
  uint64_t number = next_number_++;
  changes_.emplace(number, request);
  IoLoop* loop = loop_;
  hook_(std::move(change), [loop, number](MembershipAnswer answer) {
    loop->Post([loop, number, answer = std::move(answer)] {
      if (loop->http() != nullptr) loop->http()->AnswerMembership(number, answer);
    });
  });
}

void HttpServer::AnswerMembership(uint64_t number, MembershipAnswer answer) {
  auto found = changes_.find(number);
  CHECK(found != changes_.end());
  evhttp_request* request = found->second;
  changes_.erase(found);
  Reply(request, answer.status, std::move(answer.body), kPlain);
}

void HttpServer::Start(evhttp_request* request, std::string_view command, std::string key) {
  uint64_t number = next_number_++;
  auto started = std::make_unique<Request>();
  started->request = request;
  started->session = std::make_unique<server::Session>(number, server::SessionKind::kHttp,
                                                       loop_->dispatcher().now_ms());
  started->command = command;
  started->key = std::move(key);
  Request* raw = started.get();
  requests_.emplace(number, std::move(started));
  if (raw->command == "GET" && gets_ >= kMaxHttpGets) {
    held_gets_.push_back(number);
    return;
  }
  OfferFirst(raw, number);
}

void HttpServer::OfferFirst(Request* request, uint64_t number) {
  if (request->command == "GET") ++gets_;
  if (!Offer(request)) refused_.push_back(number);
}

bool HttpServer::Offer(Request* request) {
  if (!loop_->dispatcher().MayServe(request->session.get())) return false;
  std::array<std::string_view, 3> args = {request->command, request->key, {}};
  size_t count = 2;
  if (request->command == "SET") args[count++] = BodyOf(request->request);
  return loop_->dispatcher().Dispatch(request->session.get(), {args.data(), count});
}

void HttpServer::Retry() {
  while (HasRunnable()) {
    uint64_t number = held_gets_.front();
    held_gets_.pop_front();
    OfferFirst(requests_.at(number).get(), number);
  }
  if (refused_.empty()) return;
  retried_.swap(refused_);
  refused_.clear();
  for (uint64_t number : retried_) {
    if (!Offer(requests_.at(number).get())) refused_.push_back(number);
  }
  retried_.clear();
}

void HttpServer::OnReply(server::Session* session) {
  if (session->has_slots() || session->output().empty()) return;
  auto found = requests_.find(session->id());
  CHECK(found != requests_.end());
  std::unique_ptr<Request> request = std::move(found->second);
  requests_.erase(found);
  if (request->command == "GET") --gets_;
  std::string reply = session->output().TakeAll();
  Finish(request.get(), std::move(reply));
  loop_->dispatcher().Close(std::move(request->session));
}

void HttpServer::Finish(Request* request, std::string reply) {
  size_t line_end = reply.find("\r\n");
  CHECK(line_end != std::string::npos);
  if (reply[0] == '-') {
    std::string line = reply.substr(1, line_end - 1);
    int status = StatusOfError(line);
    return Reply(request->request, status, line + "\n", kPlain);
  }
  if (request->command != "GET") return Reply(request->request, 204, "", "");
  CHECK_EQ(reply[0], '$');
  if (reply[1] == '-') return Reply(request->request, 404, "", kPlain);
  // The bulk's bytes are what stands between its header and the last line end.
  reply.resize(reply.size() - 2);
  Reply(request->request, 200, std::move(reply), kBytes, line_end + 2);
}

}  // namespace metastore::net
