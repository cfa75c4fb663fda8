// Connection: one RESP client's socket: bytes in, commands to the Dispatcher, replies out.
//
// An idle connection has no input buffer: bytes are received into the loop's buffer and parsed
// there, and only the rest of an unfinished command is copied to a buffer of its own.
// A client that does not read its replies, or has too much under way, is not read.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "resp/parser.h"
#include "server/session.h"

namespace metastore::net {

class IoLoop;

// Bytes of unfinished commands. Grows by what arrived, not by what was announced.
class InputBuffer {
 public:
  InputBuffer() = default;
  ~InputBuffer() { std::free(data_); }
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_ + begin_, end_ - begin_}; }
  void Append(std::string_view bytes);
  // Room for at least n bytes behind the end; then fill it and say Filled.
  char* Reserve(size_t n);
  size_t room() const { return capacity_ - end_; }
  void Filled(size_t n) { end_ += n; }
  // Drops bytes of the front; an empty buffer holds no memory.
  void Consume(size_t n);

 private:
  char* data_ = nullptr;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
};

class Connection {
 public:
  Connection(IoLoop* loop, int fd, std::unique_ptr<server::Session> session);
  ~Connection();

  server::Session* session() { return session_.get(); }
  // Registers the events. Once.
  void Start();
  // Sends what it can; the loop calls it at the end of a turn in which replies came.
  void Flush();
  // Whether commands that were left, or further bytes, can be taken now.
  bool MayServe();
  size_t unsent() const { return unsent_; }
  // Goes on after a stall.
  void Resume();
  // Drops the socket; the loop deletes the connection at the end of the turn. Idempotent.
  void Close();
  bool closed() const { return fd_ < 0; }
  bool stalled() const { return stalled_; }
  // Close when everything that was taken is answered and sent; take nothing more.
  void Finish();
  // Once a second: idle and output limits.
  void Sweep(int64_t now_ms);

 private:
  static void OnReadable(evutil_socket_t, short, void* self);
  static void OnWritable(evutil_socket_t, short, void* self);
  void Receive();
  void ReceiveWhileWaiting();
  // Parses and dispatches from the front; returns the bytes consumed.
  size_t Parse(std::string_view bytes);
  void Stall();
  void SetReading(bool on);
  void SetWriting(bool on);
  bool OverOutputLimits(int64_t now_ms);
  void CloseIfDone();
  void Publish();

  IoLoop* const loop_;
  int fd_;
  std::unique_ptr<server::Session> session_;
  resp::Parser parser_;
  InputBuffer input_;
  struct event read_event_;
  struct event write_event_;
  bool reading_ = false;
  bool writing_ = false;
  bool stalled_ = false;
  bool half_closed_ = false;  // the client sends no more, or we take no more
  size_t unsent_ = 0;         // after the last Flush
  int64_t over_soft_since_ms_ = -1;
};

}  // namespace metastore::net
