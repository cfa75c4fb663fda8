// Session: one client's state on the node that it is connected to, and the order of its replies.
//
// A session belongs to one io loop, which alone changes it. The counters are relaxed atomics, and
// the texts are changed under the registry's lock, because CLIENT LIST of any loop reads them.
//
// Replies leave in the order of the requests. When nothing is outstanding a reply is appended to
// the output at once; otherwise each command has a slot, and slots are emptied from the front.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/blocked.h"
#include "server/output_buffer.h"
#include "server/transaction.h"

namespace metastore::server {

struct Command;  // command_table.h
class Dispatcher;
class ClientRegistry;
class ReplyStream;

// Replies of one client that may wait to be sent before its next command is taken, or its large
// reply is gone on with. They must fall to half of it again.
inline constexpr size_t kMaxReplyBytes = 256 << 10;

enum class SessionKind : uint8_t { kResp, kHttp };
enum class ReplyMode : uint8_t {
  kOn,
  kOff,
  kSkipNext,  // CLIENT REPLY SKIP was said: the next command's reply is dropped
  kSkipThis,  // that next command is running
};

// Written by one thread, read by any: a plain load and store, no locked instruction.
template <class T>
class Published {
 public:
  explicit Published(T value = T()) : value_(value) {}
  operator T() const { return get(); }  // NOLINT: reads as the value
  T get() const { return value_.load(std::memory_order_relaxed); }
  Published& operator=(T value) {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  void Add(T n) { value_.store(get() + n, std::memory_order_relaxed); }

 private:
  std::atomic<T> value_;
};

class Session {
 public:
  Session(uint64_t id, SessionKind kind, int64_t now_ms) : id_(id), kind_(kind) {
    created_ms = now_ms;
    last_command_ms = now_ms;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  uint64_t id() const { return id_; }
  SessionKind kind() const { return kind_; }

  // --- what commands see and set (owning loop) -----------------------------------------------
  Published<int> db{0};
  Published<int> protocol{2};
  bool authenticated = true;
  // Between MULTI or WATCH and the end of it.
  std::unique_ptr<Transaction> transaction;
  // While its client waits for a key (blocked.h).
  std::unique_ptr<Waiter> waiter;
  ReplyMode reply_mode = ReplyMode::kOn;
  // Replies that are due are sent, then the connection is closed; nothing further is read.
  Published<bool> close_after_reply{false};
  Published<bool> no_evict{false};
  Published<bool> no_touch{false};
  Published<bool> readonly{false};
  // Client-side caching: Tracking sets them.
  Published<bool> tracking{false};
  Published<bool> tracking_bcast{false};
  Published<bool> tracking_broken{false};  // the client that it redirects to is gone
  Published<int64_t> redirect{-1};         // to no other one: 0
  // The loop that it belongs to, once that has taken a command of it.
  Published<const Dispatcher*> home{nullptr};
  // What it is subscribed to: PubSub sets them.
  Published<uint32_t> channels{0};
  Published<uint32_t> patterns{0};
  Published<uint32_t> shard_channels{0};
  uint64_t subscriptions() const {
    return uint64_t{channels} + uint64_t{patterns} + uint64_t{shard_channels};
  }
  Published<bool> monitor{false};
  // More waits to be sent to it than the limit of its class: it is closed without that.
  bool cut_off = false;

  // Set by ClientRegistry::Set… only; read on the owning loop, or under the registry's lock.
  std::string name;
  std::string lib_name;
  std::string lib_version;
  std::string user = "default";
  std::string peer_address;   // ip:port
  std::string local_address;  // ip:port
  int fd = -1;

  // --- published for CLIENT LIST and limits ---------------------------------------------------
  Published<int64_t> created_ms;
  Published<int64_t> last_command_ms;
  Published<const Command*> last_command{nullptr};
  Published<uint64_t> commands{0};
  Published<uint64_t> bytes_in{0};
  Published<uint64_t> bytes_out{0};
  Published<uint64_t> query_bytes{0};     // unparsed input
  Published<uint64_t> query_capacity{0};  // memory of the input buffer
  Published<uint64_t> argument_bytes{0};  // of the last command
  Published<uint64_t> output_bytes{0};    // replies not yet sent
  Published<uint64_t> output_memory{0};
  Published<uint64_t> outstanding_count{0};  // commands not yet answered
  Published<int64_t> queued_commands{-1};    // since MULTI; -1: none was said
  Published<uint64_t> watched_keys{0};
  Published<bool> blocked{false};
  Published<uint64_t> transaction_bytes{0};
  // Set by ClientRegistry::Unblock from any thread, as below; a Waiter::End.
  std::atomic<uint8_t> unblock_requested{0};
  // Set by ClientRegistry::Kill from any thread; the owning loop is woken and closes.
  std::atomic<bool> kill_requested{false};

  // --- replies (owning loop; the Dispatcher and the connection use these) ---------------------
  OutputBuffer& output() { return output_; }

  bool has_slots() const { return slot_count_ != 0; }
  size_t slot_count() const { return slot_count_; }
  // Bytes of replies that wait behind an unanswered command, plus the output's.
  size_t reply_bytes() const {
    return slot_bytes_ + output_.bytes() + (held_ != nullptr ? held_->bytes() : 0);
  }

  // Adds a slot at the back; `drop`: its reply is not sent (CLIENT REPLY OFF). Returns its number.
  uint64_t AddSlot(bool drop);
  // What the client is sent unasked: between replies, in front of those that are still due.
  void Push(const std::shared_ptr<const std::string>& bytes);
  // The answer for a slot; moves what is ready at the front to the output.
  void Fill(uint64_t slot, std::string_view reply);
  void Fill(uint64_t slot, std::string&& reply);

 private:
  friend class Dispatcher;
  friend class ClientRegistry;

  struct Slot {
    std::string reply;
    bool ready = false;
    bool drop = false;
  };
  Slot& At(uint64_t number) { return slots_[number & (slots_.size() - 1)]; }
  void PopReady();

  const uint64_t id_;
  const SessionKind kind_;
  OutputBuffer output_;
  std::unique_ptr<OutputBuffer> held_;  // pushes until the stream's reply is whole
  void ReleasePushes();

  // A ring; its size is 0 or a power of two. Slot numbers count up over the session's life.
  std::vector<Slot> slots_;
  uint64_t first_slot_ = 0;
  size_t slot_count_ = 0;
  size_t slot_bytes_ = 0;

  // The Dispatcher's books.
  enum class Wait : uint8_t { kNone, kReads, kLog, kPause, kReplies };
  uint32_t in_log_ = 0;            // commands in batches, unanswered
  uint32_t reads_queued_ = 0;      // reads of this turn that wait for their View
  uint32_t reads_waiting_ = 0;     // reads of earlier turns that wait for permission
  bool reads_parked_ = false;      // some of reads_queued_ wait until replies have drained
  ReplyStream* stream_ = nullptr;  // makes the reply of the front slot, one of reads_queued_
  Wait wait_ = Wait::kNone;        // why its next command was not taken
  bool output_full_ = false;       // until the replies have drained below half
  bool dirty_ = false;             // is in the Dispatcher's list of sessions with something to send
  bool closed_ = false;            // its connection is gone; it lives until nothing is outstanding
  void* owner_ = nullptr;          // the front end's object (connection, HTTP request)

 public:
  void set_owner(void* owner) { owner_ = owner; }
  void* owner() const { return owner_; }
};

}  // namespace metastore::server
