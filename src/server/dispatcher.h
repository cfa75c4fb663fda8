// Dispatcher: takes the parsed commands of one io loop's sessions and sees that each is answered:
// local commands at once, reads at the end of the turn on one View, writes in the turn's batch.
//
// A turn is: Dispatch for everything that arrived, then one EndOfTurn. No View that serves a read
// is taken before the turn's last recv, so every read of the turn is linearizable with one check.
//
// The order within a session is kept without waiting where that is possible:
//   write, then read    the read rides in the log behind the write (ItemKind::kRead);
//   read, then write    the write is not taken until the reads are answered, which without a
//                       round trip is the end of this turn.
// A read runs only while its client has less than kMaxReplyBytes of replies to receive; what is
// left of its reads is parked until they have drained, so a reply is made only when it has a place.
// A read whose reply may be of any size (kLargeReply) runs like the others while its reply is
// short. Beyond that it becomes a ReplyStream, which goes on turn by turn as its client takes it;
// the client's further reads are parked behind it. Streams have places; who finds none is parked.
// No libevent, no socket, no thread: tests drive it by hand. io role.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fiber.h"
#include "commands/context.h"
#include "replica/replica.h"
#include "resp/writer.h"
#include "server/blocked.h"
#include "server/event_listener.h"
#include "server/pubsub.h"
#include "server/reply_stream.h"
#include "server/server.h"
#include "server/session.h"
#include "server/tracking.h"

namespace metastore::server {

class LocalContext;

// A batch is handed over when it reaches either; one command may be larger.
inline constexpr size_t kMaxBatchBytes = 1 << 20;
inline constexpr uint32_t kMaxBatchItems = 4096;
// Reads in the log that are under way, per loop.
inline constexpr uint32_t kMaxReadsInLog = 256;
// Reads of one client that one turn takes.
inline constexpr uint32_t kMaxReadsQueued = 256;
// Commands of one client that may be unanswered.
inline constexpr size_t kMaxSlots = 16 << 10;
// Streams under way, all loops together, and what each may take of half of output-memory.
inline constexpr size_t kMaxStreams = 256;
inline constexpr size_t kStreamBytes = kMaxReplyBytes + resp::kCountedBytes;
// All streams of a loop together work so long in one turn.
inline constexpr int64_t kStreamTurnNs = 4'000'000;
// A stream pins a View, so its client must take half of kMaxReplyBytes within this time.
inline constexpr int64_t kStreamStallNs = 60'000'000'000;
// What the transactions of a loop's clients that are not executed yet may hold together, as part
// of its share of max-inflight-bytes, and one of them.
inline constexpr uint64_t kTransactionsShare = 4;  // a quarter
inline constexpr size_t kMaxTransactionBytes = size_t{512} << 20;
// What events may put into outputs, which may be those of many clients, before these are sent.
inline constexpr size_t kMaxEventOutputBytes = 4 << 20;
// What a command under way counts for beside its bytes.
inline constexpr size_t kCommandOverheadBytes = 64;

inline constexpr std::string_view kNotAppliedError =
    "CLUSTERDOWN no quorum within the request timeout; the command was not applied";
inline constexpr std::string_view kUnknownOutcomeError =
    "UNKNOWNOUTCOME no answer within the request timeout; the command may have been applied or may "
    "still be";
inline constexpr std::string_view kReadRefusedError =
    "CLUSTERDOWN no quorum within the request timeout; the read was not served";
inline constexpr std::string_view kDiskFullError =
    "MISCONF the disk is nearly full: writes that may grow the data are refused until there is "
    "room. Reads and deletes work.";

inline constexpr std::string_view kUnblockedError =
    "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n";
inline constexpr std::string_view kTransactionTooLargeError =
    "ERR the commands and watched keys of the open transactions hold too many bytes";

class Dispatcher : private Tracking::Loop {
 public:
  Dispatcher(Server* server, replica::Lane lane, LoopStats* stats);
  ~Dispatcher() override;

  // Takes a command, or returns false and leaves no trace: offer it again once MayServe says so.
  bool Dispatch(Session* session, commands::Args args);

  // Replies an error in the place of a command, such as a breach of the protocol.
  void ReplyError(Session* session, const Status& status);

  // Whether a command of this session would be taken as far as can be known without seeing it.
  bool MayServe(Session* session);
  // No session is served: too many bytes are under way. Falls with answers.
  bool overloaded() const { return inflight_bytes_ >= inflight_limit_; }

  // Hands over the batch and serves the reads.
  void EndOfTurn();
  // Some parked reads or streams may run now: do not wait for events before the next turn.
  bool HasRunnableReads() const;
  // The session's client has taken next to nothing of a large reply for kStreamStallNs: it is to be
  // closed.
  bool Stalled(const Session& session) const;

  // The boot time at which a client's wait ends; INT64_MAX: none does. A turn is due then.
  int64_t next_deadline_ns() const { return blocked_.next_deadline_ns(); }
  // CLIENT UNBLOCK was said of the session.
  void Unblock(Session* session);

  // Answers of the replica for this lane.
  void Handle(replica::BatchReply reply);
  void Handle(replica::ReadPermission permission);
  // Events of a commit, in front of its replies, from *next on. False: so much has been put into
  // outputs (kMaxEventOutputBytes) that they are to be sent before this goes on at *next.
  bool Handle(const engine::CommitEvents& events, size_t* next);
  // Each event goes to the listeners in the order in which they were added. A listener outlives the
  // Dispatcher's last turn.
  void AddListener(EventListener* listener) { listeners_.push_back(listener); }

  // What another loop has for this client.
  void Deliver(Session* session, const Push& push);

  // Sessions whose output may have grown since the last call. The caller clears nothing: a session
  // is in the list once. Closed ones are left out.
  void TakeDirty(std::vector<Session*>* sessions);
  void MarkDirty(Session* session);

  // The client is gone. Answers that are still due are dropped when they come.
  void Close(std::unique_ptr<Session> session);

  // Commands handed over or waiting for a View, of all sessions.
  size_t outstanding() const { return outstanding_; }
  size_t streams() const { return streams_.size(); }
  uint64_t inflight_bytes() const { return inflight_bytes_; }
  const Limits& limits() const { return limits_; }
  Server& server() { return *server_; }
  LoopStats& stats() { return *stats_; }
  // The wall clock, read once a turn.
  int64_t now_ms();

 private:
  // Of a read that is known to be large.
  enum class Place : uint8_t { kNone, kWanted, kTaken };
  struct QueuedRead {
    Session* session;
    uint64_t slot;
    const Command* command;
    int db;
    int protocol;
    uint32_t argc;
    Place place = Place::kNone;
    bool track = false;  // for a client-side cache
  };
  // Reads that are served by one View. Their arguments are copied: the input buffers go on.
  struct ReadGroup {
    uint64_t ticket = 0;
    int64_t start_ns = 0;
    std::vector<QueuedRead> reads;
    std::string bytes;
    std::vector<size_t> ends;  // where each argument ends in `bytes`
    uint64_t counted_bytes = 0;
  };
  struct Target {
    Session* session;
    uint64_t slot;
    const Command* command;
    uint32_t argc;
    bool read;
    std::vector<std::string> tracked = {};  // keys of a read for a client-side cache
    std::string after = {};                 // pushes that stand behind the reply
  };
  struct Batch {
    uint64_t ticket = 0;
    int64_t start_ns = 0;
    uint64_t counted_bytes = 0;
    std::vector<Target> targets;
    bool answered = false;
  };

  // nullptr: the command is refused and *refusal says why.
  const Command* Find(const Session& session, commands::Args args, Status* refusal);
  void RunLocal(Session* session, const Command* command, commands::Args args);
  void AddTransactionToBatch(Session* session, const Command* command, bool track);
  // Before an item of so many bytes is added, and after it.
  void OpenBatch(uint64_t bytes);
  void Added(Session* session, uint64_t slot, const Command* command, uint32_t argc, uint64_t bytes,
             bool read, std::vector<std::string> tracked);
  void AddRead(Session* session, uint64_t slot, const Command* command, commands::Args args,
               bool track);
  // --- clients that wait for keys
  void Block(Session* session, const Command* command, const commands::Blocking& blocking,
             int64_t timeout_ms, commands::Args args, bool track);
  // `reply` is what it gets when the time is over now.
  void Block(Session* session, const Command* command, const CopiesWait& wait, std::string reply);
  int64_t DeadlineOf(int64_t timeout_ms) const;  // 0: none
  void LookForCopies();
  // Runs the command once more, in its own place of the session.
  void Try(Waiter* waiter);
  void TryTouched();
  void EndWaits();
  // What a try has come to. True: the client goes on waiting, or has been answered, or is gone;
  // false: the reply is for it.
  bool TryEnded(Session* session, replica::BatchOutcome outcome, std::string_view reply);
  void AnswerWaiter(Session* session, std::string_view reply);
  void EndWait(Session* session);
  void PutBack(const Waiter& waiter, std::string_view reply);
  static bool Waits(const Session& session, uint64_t slot) {
    return session.waiter != nullptr && session.waiter->slot == slot;
  }

  // A command inside MULTI: QUEUED, or an error that breaks the transaction.
  void Enqueue(Session* session, const Command* command, commands::Args args);
  // Whether the session's transaction may take that many bytes more.
  bool TransactionFits(const Session& session, size_t bytes) const;
  // Its bytes are counted anew after a change.
  void TransactionChanged(Session* session);
  void EndTransaction(Session* session);
  Status RefuseInTransaction(Session* session, std::string_view name, const Status& refusal);
  bool Execute(Session* session, const Command* command, commands::Args args);
  // The reply of EXEC where the transaction changes nothing.
  void RunTransaction(Session* session, const engine::View& view, int protocol, bool track,
                      std::string* out);
  /// What `notify-keyspace-events` has to say of a read, where class m is asked for.
  void NotifyMisses(const commands::ReadContext& context, const commands::CommandSpec& spec,
                    commands::Args args);
  // The reply of EXEC: `replies` are those of the commands that ran in the log, as an array.
  std::string JoinReplies(Session* session, std::string_view replies);
  // Runs a local command and adds its reply to *out.
  void InvokeLocal(LocalContext& context, const Command* command, commands::Args args,
                   std::string* out);
  void Answer(Session* session, std::string_view reply);
  void AddToBatch(Session* session, const Command* command, commands::Args args, bool read,
                  bool track);
  void QueueRead(Session* session, const Command* command, commands::Args args, bool track);
  // Null: no such command is under way on this loop.
  Target* FindTarget(const engine::Origin& origin);
  Session* OriginOf(const engine::Origin& origin) override;
  void PushAfterReply(const engine::Origin& origin,
                      const std::shared_ptr<const std::string>& bytes) override;
  void PushTo(Session* session, const std::shared_ptr<const std::string>& bytes) override;
  // Shows the command to the clients in MONITOR mode.
  void Show(const Session& session, const Command& command, commands::Args args);
  bool SendTo(uint64_t session_id, const Push& push) override;
  // Whether CLIENT REPLY drops the reply of the command that is being taken.
  static bool TakeDrop(Session* session);
  // Whether the keys that it reads are to be remembered for the client's cache.
  bool Taken(Session* session, const Command* command, commands::Args args);
  void CloseBatch();
  void SubmitChange(Session* session, const Command* command, commands::Args args,
                    replica::MembershipChange change);
  void ServeReads();
  void RunReads(const std::shared_ptr<const engine::View>& view, ReadGroup* group);
  // False: the reply is a large one, and the read is under way as a stream, or parked.
  bool RunUnlessLarge(const std::shared_ptr<const engine::View>& view, QueuedRead read,
                      std::string* out, Status* status);
  void StartStream(const std::shared_ptr<const engine::View>& view, const QueuedRead& read);
  void ResumeStreams();
  // The reply is complete, or the client gone.
  void EndStream(std::unique_ptr<ReplyStream> stream);
  // A place for a stream, if there is one.
  bool TakePlace();
  bool MayUnpark(const ReadGroup& parked) const;
  void TakeLimits();
  void Park(const QueuedRead& read, const std::vector<std::string_view>& args);
  void Unpark();
  void RefuseReads(ReadGroup* group);
  void Recycle(ReadGroup group);
  // After an outstanding command of the session has been answered or dropped.
  void Release(Session* session);
  void Count(const Command& command, uint32_t argc, std::string_view reply);
  void BeginTurn();

  Server* const server_;
  replica::Replica* const replica_;
  const replica::Lane lane_;
  LoopStats* const stats_;

  Limits limits_;
  PubSub pubsub_;
  Tracking tracking_;
  uint64_t limits_version_ = 0;
  uint64_t inflight_limit_ = 0;
  bool in_turn_ = false;
  int64_t turn_wall_ms_ = 0;
  int64_t turn_boot_ns_ = 0;

  replica::BatchBuilder builder_;
  Batch building_;
  std::deque<Batch> batches_;  // submitted, in order of tickets
  uint64_t next_batch_ticket_ = 1;
  std::vector<std::vector<Target>> spare_targets_;

  ReadGroup reads_;                // of this turn
  std::deque<ReadGroup> waiting_;  // for permission, in order of tickets
  uint64_t next_read_ticket_ = 1;
  std::vector<ReadGroup> spare_groups_;

  std::unordered_map<Session*, ReadGroup> parked_;

  FiberStacks stacks_;  // of streams_
  // In turns: the front one goes on next.
  std::deque<std::unique_ptr<ReplyStream>> streams_;
  size_t places_ = 0;  // taken, by streams and by reads that will become one
  size_t max_places_ = 1;
  std::vector<Session*> place_waiters_;  // their first parked read wants one; first come first

  engine::Events misses_;  // of the reads that are being served
  uint32_t reads_in_log_ = 0;
  size_t outstanding_ = 0;
  uint64_t inflight_bytes_ = 0;
  uint64_t transaction_bytes_ = 0;  // of all open transactions
  BlockedClients blocked_;
  Session own_session_;  // of writes that no client asked for
  std::vector<EventListener*> listeners_;
  std::vector<Session*> dirty_;
  std::unordered_map<Session*, std::unique_ptr<Session>> closed_sessions_;
  std::vector<std::string_view> args_scratch_;
};

}  // namespace metastore::server
