// Events: what apply tells this node's clients beside replies: which keys were written (client-side
// caches and blocked clients wait for that) and messages (PUBLISH, keyspace notifications), in the
// order of the log. They are handed to the io loops after the commit that they belong to.
//
// They are part of no state: every node gathers what its own clients listen for, and nothing that
// is applied may depend on it. Where nobody listens, gathering costs a load and a branch.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::engine {

// Classes of keyspace notifications. kKeyspace and kKeyevent choose the channels.
enum NotifyClass : uint32_t {
  kNotifyKeyspace = 1 << 0,  // K: __keyspace@<db>__:<key>, the message is the event
  kNotifyKeyevent = 1 << 1,  // E: __keyevent@<db>__:<event>, the message is the key
  kNotifyGeneric = 1 << 2,   // g
  kNotifyString = 1 << 3,    // $
  kNotifyList = 1 << 4,      // l
  kNotifySet = 1 << 5,       // s
  kNotifyHash = 1 << 6,      // h
  kNotifyZset = 1 << 7,      // z
  kNotifyExpired = 1 << 8,   // x
  kNotifyEvicted = 1 << 9,   // e
  kNotifyStream = 1 << 10,   // t
  kNotifyKeyMiss = 1 << 11,  // m
  kNotifyModule = 1 << 12,   // d
  kNotifyNew = 1 << 13,      // n
  kNotifyAll = kNotifyGeneric | kNotifyString | kNotifyList | kNotifySet | kNotifyHash |
               kNotifyZset | kNotifyExpired | kNotifyEvicted | kNotifyStream | kNotifyModule,
};

// What the clients of this node listen for. The io loops keep it, apply looks at it.
class Interest {
 public:
  // Clients that must hear of written keys. What a View shows that is taken after the call, or a
  // write that is submitted after it, and every change behind that are told.
  void AddKeys(int clients) {
    keys_.fetch_add(clients, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  // Clients that are subscribed to something.
  void AddMessages(int clients) { messages_.fetch_add(clients, std::memory_order_relaxed); }
  void SetNotifyClasses(uint32_t classes) {
    notify_classes_.store(classes, std::memory_order_relaxed);
  }

  // How many clients of this node a message would reach. Set before the replica starts; apply calls
  // it.
  using ReceiverCount = std::function<int64_t(bool shard, std::string_view channel)>;
  void SetReceiverCount(ReceiverCount count) { receiver_count_ = std::move(count); }
  int64_t Receivers(bool shard, std::string_view channel) const {
    return receiver_count_ ? receiver_count_(shard, channel) : 0;
  }

  bool keys() const { return keys_.load(std::memory_order_relaxed) > 0; }
  bool messages() const { return messages_.load(std::memory_order_relaxed) > 0; }
  uint32_t notify_classes() const { return notify_classes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int> keys_{0};
  std::atomic<int> messages_{0};
  std::atomic<uint32_t> notify_classes_{0};
  ReceiverCount receiver_count_;
};

// The command that caused an event, where its client is one of this node's: its place in a batch of
// an io loop (replica/replica.h).
struct Origin {
  static constexpr uint32_t kElsewhere = UINT32_MAX;
  uint32_t lane = kElsewhere;
  uint32_t item = 0;
  uint64_t ticket = 0;
  bool elsewhere() const { return lane == kElsewhere; }
  friend bool operator==(const Origin&, const Origin&) = default;
};

enum class EventKind : uint8_t {
  kKey,           // `key` of `db` was written or deleted
  kDatabase,      // any key of `db` may have been
  kEverything,    // any key of any database may have been
  kMessage,       // `message` on `channel`
  kShardMessage,  // the same for shard channels
  kLost,          // messages that should stand here could not be kept
};

struct Event {
  EventKind kind = EventKind::kKey;
  int db = 0;
  std::string_view key;  // or the channel
  std::string_view message;
  Origin origin;
};

// What one commit tells; all io loops share it.
class CommitEvents {
 public:
  // Of the last entry of the commit.
  uint64_t index() const { return index_; }
  size_t size() const { return records_.size(); }
  // The bytes live as long as this object.
  Event operator[](size_t i) const {
    const Record& record = records_[i];
    const std::string_view bytes = bytes_;
    return {record.kind, record.db, bytes.substr(record.begin, record.middle - record.begin),
            bytes.substr(record.middle, record.end - record.middle), record.origin};
  }
  // Of memory.
  size_t bytes() const {
    return sizeof(CommitEvents) + bytes_.size() + records_.size() * sizeof(Record);
  }

 private:
  friend class Events;
  struct Record {
    EventKind kind;
    uint8_t db;
    size_t begin, middle, end;
    Origin origin;
  };

  uint64_t index_ = 0;
  std::string bytes_;
  std::vector<Record> records_;
};

// What is kept of one commit: past it, changed keys become kEverything, and messages kLost.
inline constexpr size_t kMaxCommitEventBytes = 64 << 20;

// Gathers the events of one commit. Apply role.
class Events {
 public:
  // Without an Interest nothing is gathered.
  void set_interest(const Interest* interest) { interest_ = interest; }

  // Of the command that runs now.
  void set_origin(const Origin& origin) { origin_ = origin; }

  // A key was written or deleted.
  void Touch(int db, std::string_view key) {
    if (interest_ == nullptr || muted_) return;
    if (!interest_->keys()) {
      untold_ = true;
      return;
    }
    TouchForClients(db, key);
  }
  // Any key of the database may be another one.
  void TouchDatabase(int db);
  // Any key may be another one, and messages are missing: a snapshot has replaced the state.
  void Replaced();

  // A keyspace notification: `event` has happened to the key.
  void Notify(NotifyClass notify_class, std::string_view event, int db, std::string_view key) {
    if (Notifies(notify_class)) NotifyClients(interest_->notify_classes(), event, db, key);
  }
  bool Notifies(NotifyClass notify_class) const {
    return interest_ != nullptr && interest_->messages() &&
           (interest_->notify_classes() & notify_class) != 0;
  }
  // A key comes to be. In Redis one that is replaced does not, so who deletes a key only to write
  // another value says so with Vacated.
  void NotifyNew(int db, std::string_view key) {
    if (!Notifies(kNotifyNew)) return;
    if (vacated_ && vacated_db_ == db && vacated_key_ == key) return;
    Notify(kNotifyNew, "new", db, key);
  }
  // Holds until the next notification.
  void Vacated(int db, std::string_view key) {
    if (!Notifies(kNotifyNew)) return;
    vacated_ = true;
    vacated_db_ = db;
    vacated_key_ = key;
  }
  void Publish(std::string_view channel, std::string_view message) {
    if (interest_ != nullptr && interest_->messages()) {
      AddMessage(EventKind::kMessage, channel, message);
    }
  }
  void PublishToShard(std::string_view channel, std::string_view message) {
    if (interest_ != nullptr && interest_->messages()) {
      AddMessage(EventKind::kShardMessage, channel, message);
    }
  }

  int64_t Receivers(bool shard, std::string_view channel) const {
    return interest_ != nullptr ? interest_->Receivers(shard, channel) : 0;
  }

  // While one lives Touch tells nothing: TouchDatabase has said it all.
  class Mute {
   public:
    explicit Mute(Events* events) : events_(events) { events_->muted_ = true; }
    ~Mute() { events_->muted_ = false; }
    Mute(const Mute&) = delete;
    Mute& operator=(const Mute&) = delete;

   private:
    Events* const events_;
  };

  // Of memory, for the limit of an apply turn.
  size_t bytes() const { return gathered_ == nullptr ? 0 : gathered_->bytes(); }

  // After the commit: what it tells, null if nothing, and forgets it. Clients may have begun to
  // listen while it was gathered; they are told that everything may have changed.
  std::shared_ptr<const CommitEvents> Take(uint64_t index);

 private:
  void TouchForClients(int db, std::string_view key);
  void NotifyClients(uint32_t classes, std::string_view event, int db, std::string_view key);
  void AddMessage(EventKind kind, std::string_view channel, std::string_view message);
  void Add(EventKind kind, int db, std::string_view key, std::string_view message);

  const Interest* interest_ = nullptr;
  Origin origin_;
  std::shared_ptr<CommitEvents> gathered_;
  bool vacated_ = false;
  int vacated_db_ = 0;
  std::string vacated_key_;
  bool muted_ = false;
  bool untold_ = false;      // keys were written, and nobody listened
  bool everything_ = false;  // too much was written to name it
  bool lost_ = false;        // messages were dropped
};

}  // namespace metastore::engine
