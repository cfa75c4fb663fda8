// The HTTP face, on libevent's evhttp in loop 0: PUT, GET, HEAD and DELETE of a key, membership
// by number, /-/health and /-/metrics. Each request is a session of its own with one command, so
// it takes RESP's way through the Dispatcher.
//
// Where requirepass is set, requests carry it as the password of Basic authentication.
// Loop thread only, except for construction and destruction.
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/session.h"

namespace metastore::net {

class IoLoop;

inline constexpr int64_t kMaxHttpHeaderBytes = 128 << 10;
inline constexpr int64_t kMaxHttpBodyBytes = int64_t{512} << 20;
// Open HTTP connections. Each may hold one body.
inline constexpr size_t kMaxHttpConnections = 1024;
// Bytes of bodies that have arrived and are not yet answered, of all connections. Above it only
// the connection that has received most goes on being read.
inline constexpr size_t kMaxHttpBufferedBytes = size_t{256} << 20;
// GETs under way: each may bring a value of any size before the loop looks at what is unsent.
inline constexpr size_t kMaxHttpGets = 32;
// A connection that sends nothing, within a request or between two, or takes nothing of its reply
// is closed after it.
inline constexpr int kHttpTimeoutS = 300;
// While others wait for the room of kMaxHttpBufferedBytes, the one that is read is closed when
// nothing of its body comes for this long.
inline constexpr int64_t kHttpStallNs = 10'000'000'000;

struct MembershipRequest {
  bool add = false;  // POST, else DELETE
  uint64_t node = 0;
  std::string peer_url;  // of POST: the body
};
struct MembershipAnswer {
  int status = 503;
  std::string body;
};
// Called on loop 0 with the request and where the answer goes, from any thread, exactly once.
using MembershipHook =
    std::function<void(MembershipRequest, std::function<void(MembershipAnswer)>)>;

class HttpServer {
 public:
  // Owns the sockets. Without a hook membership changes are answered 503.
  HttpServer(IoLoop* loop, const std::vector<int>& sockets, MembershipHook hook);
  ~HttpServer();

  // The session's reply is complete or its output has grown.
  void OnReply(server::Session* session);
  // Offers commands again that the Dispatcher did not take.
  void Retry();
  // Accepts no more connections; requests that come on open ones are answered 503.
  void Stop();
  // GETs that waited for others' replies and may run now: do not wait for events.
  bool HasRunnable() const { return !held_gets_.empty() && gets_ < kMaxHttpGets; }
  // Closes the connection with the most unsent bytes if they are more than `bytes`.
  bool CloseWorstReader(size_t bytes);
  // Not yet answered.
  size_t requests() const { return requests_.size() + changes_.size(); }

 private:
  struct Request;
  // One open connection. evhttp does not say when it frees one, so each bufferevent is held by a
  // reference of ours, and one whose callbacks evhttp has taken off is one that it has freed.
  struct Incoming {
    HttpServer* server = nullptr;
    bufferevent* bev = nullptr;
    size_t received = 0;  // since the last answer
    size_t unsent = 0;    // of the reply; the loop counts it with those of RESP clients
    bool paused = false;
    int64_t progress_ns = 0;  // when bytes came last, or reading was resumed
    bool serving = false;     // its request is complete and not yet answered
    bool closed = false;      // by this server: its memory is not counted any more
  };

  static void OnRequest(evhttp_request* request, void* self);
  static bufferevent* OnConnection(event_base* base, void* self);
  static void OnReceived(evbuffer* input, const evbuffer_cb_info* info, void* incoming);
  static void OnOutput(evbuffer* output, const evbuffer_cb_info* info, void* incoming);
  static void OnAcceptError(evconnlistener* listener, void* self);
  static void OnTick(evutil_socket_t, short, void* self);
  void Serve(evhttp_request* request);
  void ServeReserved(evhttp_request* request, std::string_view path);
  void ServeMembership(evhttp_request* request, MembershipRequest change);
  void AnswerMembership(uint64_t number, MembershipAnswer answer);
  void Start(evhttp_request* request, std::string_view command, std::string key);
  void OfferFirst(Request* request, uint64_t number);
  bool Offer(Request* request);
  void Finish(Request* request, std::string reply);
  // `skip` bytes of the front of `body` are not sent.
  void Reply(evhttp_request* request, int status, std::string body, std::string_view type,
             size_t skip = 0);
  bool Authorized(evhttp_request* request) const;
  void Account(Incoming* incoming, size_t received);
  void AccountUnsent(Incoming* incoming, size_t unsent);
  Incoming* MostReceived();  // null without open connections
  void PauseOthers();
  void Sweep();
  void ResumeReading();
  void UpdateAccepting();

  IoLoop* const loop_;
  MembershipHook hook_;
  evhttp* http_;
  std::vector<evconnlistener*> listeners_;
  std::vector<evhttp_bound_socket*> sockets_;
  struct event tick_event_;
  bool accepting_ = true;
  bool resting_ = false;  // descriptors are used up; until the next tick
  std::unordered_map<bufferevent*, std::unique_ptr<Incoming>> incoming_;
  size_t received_ = 0;  // of all connections, not yet answered
  uint64_t next_number_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<Request>> requests_;  // by session id
  std::unordered_map<uint64_t, evhttp_request*> changes_;            // membership, with the hook
  std::vector<uint64_t> refused_;  // requests whose command was not taken yet
  std::vector<uint64_t> retried_;
  size_t gets_ = 0;                 // offered and not finished
  std::deque<uint64_t> held_gets_;  // not offered: too many are under way
  bool stopping_ = false;
};

}  // namespace metastore::net
