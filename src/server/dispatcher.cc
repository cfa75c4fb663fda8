#include "server/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "commands/blocking.h"
#include "commands/bounded_read.h"
#include "commands/errors.h"
#include "commands/notify.h"
#include "resp/value.h"
#include "resp/writer.h"
#include "server/local_context.h"

namespace metastore::server {
namespace {

using commands::Args;

// What spare groups and target lists may keep of their memory.
constexpr size_t kSpareLists = 8;
constexpr size_t kKeptGroupBytes = 256 << 10;

std::string UnknownCommand(Args args) {
  std::string line = "ERR unknown command '";
  line.append(args[0].substr(0, 128));
  line.append("', with args beginning with: ");
  size_t shown = 0;
  for (size_t i = 1; i < args.size() && shown < 128; ++i) {
    std::string_view arg = args[i].substr(0, 128 - shown);
    line.append("'").append(arg).append("' ");
    shown += arg.size() + 3;
  }
  return line;
}

bool ArityFits(int arity, size_t argc) {
  return arity >= 0 ? argc == static_cast<size_t>(arity) : argc >= static_cast<size_t>(-arity);
}

size_t ArgumentBytes(Args args) {
  size_t bytes = 0;
  for (std::string_view arg : args) bytes += arg.size();
  return bytes;
}

// In RESP2 a message cannot be told from a reply, so subscribers may do little else.
bool MayRunWhileSubscribed(const Session& session, const Command& command) {
  if (session.protocol != 2 || session.subscriptions() == 0) return true;
  for (std::string_view name : {"subscribe", "unsubscribe", "psubscribe", "punsubscribe",
                                "ssubscribe", "sunsubscribe", "ping", "quit", "reset"}) {
    if (command.full_name == name) return true;
  }
  return false;
}

// Elements of an array reply of bulk strings that are null.
uint32_t CountNulls(std::string_view reply) {
  uint32_t nulls = 0;
  size_t at = reply.find("\r\n");
  while (at != std::string_view::npos && at + 2 < reply.size()) {
    at += 2;
    if (reply[at] == '_' || reply.substr(at, 3) == "$-1") ++nulls;
    uint64_t size = 0;
    size_t digit = at + 1;
    for (; digit < reply.size() && reply[digit] >= '0' && reply[digit] <= '9'; ++digit) {
      size = size * 10 + static_cast<uint64_t>(reply[digit] - '0');
    }
    size_t end = reply.find("\r\n", digit);
    if (end == std::string_view::npos) break;
    at = reply[at] == '$' && digit > at + 1 ? end + 2 + size : end;
  }
  return nulls;
}

}  // namespace

Dispatcher::Dispatcher(Server* server, replica::Lane lane, LoopStats* stats)
    : server_(server),
      replica_(&server->replica()),
      lane_(lane),
      stats_(stats),
      pubsub_(&server->subscriptions(), &server->replica().interest(), &limits_,
              [this](Session* session) { MarkDirty(session); }),
      tracking_(this, server, &server->replica().interest(), &limits_),
      blocked_(&server->replica().interest()),
      own_session_(0, SessionKind::kHttp, 0) {
  AddListener(&pubsub_);
  AddListener(&tracking_);
  AddListener(&blocked_);
  own_session_.dirty_ = true;  // nobody takes what is said to it
  misses_.set_interest(&server->replica().interest());
  BeginTurn();
  in_turn_ = false;
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::BeginTurn() {
  if (in_turn_) return;
  in_turn_ = true;
  turn_wall_ms_ = server_->clock().WallMs();
  turn_boot_ns_ = server_->clock().BootNs();
  TakeLimits();
}

void Dispatcher::TakeLimits() {
  uint64_t version = server_->limits_version();
  if (version == limits_version_) return;
  limits_version_ = version;
  limits_ = server_->limits();
  const size_t loops = static_cast<size_t>(std::max(1, server_->loops()));
  inflight_limit_ = limits_.max_inflight_bytes / loops;
  const size_t streams = std::min(kMaxStreams, limits_.output_memory_bytes / 2 / kStreamBytes);
  max_places_ = std::max<size_t>(1, streams / loops);
}

int64_t Dispatcher::now_ms() {
  BeginTurn();
  return turn_wall_ms_;
}

// --- taking commands -------------------------------------------------------------------------

bool Dispatcher::MayServe(Session* session) {
  if (session->close_after_reply || overloaded()) return false;
  size_t reply_bytes = session->reply_bytes();
  if (reply_bytes >= kMaxReplyBytes) session->output_full_ = true;
  if (session->output_full_) {
    if (reply_bytes > kMaxReplyBytes / 2) return false;
    session->output_full_ = false;
  }
  if (session->slot_count_ >= kMaxSlots || session->reads_parked_) return false;
  if (session->stream_ != nullptr || session->waiter != nullptr) return false;
  switch (session->wait_) {
    case Session::Wait::kNone:
      return true;
    case Session::Wait::kReads:
      if (session->reads_queued_ + session->reads_waiting_ > 0) return false;
      break;
    case Session::Wait::kLog:
      if (session->in_log_ > 0) return false;
      break;
    case Session::Wait::kPause:
      if (server_->pause_mode() != PauseMode::kNone) return false;
      break;
    case Session::Wait::kReplies:
      if (session->has_slots()) return false;
      break;
  }
  session->wait_ = Session::Wait::kNone;
  return true;
}

const Command* Dispatcher::Find(const Session& session, Args args, Status* refusal) {
  const Command* command = server_->commands().Find(args[0]);
  if (command == nullptr) {
    *refusal = commands::errors::Custom(UnknownCommand(args));
    return nullptr;
  }
  const commands::CommandSpec* spec = command->spec;
  if (!command->subcommands.empty() && args.size() >= 2) {
    const Command* subcommand = command->FindSubcommand(args[1]);
    if (subcommand == nullptr) {
      *refusal = commands::errors::UnknownSubcommand(command->full_name, args[1]);
      return nullptr;
    }
    command = subcommand;
    spec = command->spec;
  }
  const commands::Handler& handler = spec->handler;
  bool runs = handler.read != nullptr || handler.write != nullptr || handler.local != nullptr;
  if (!ArityFits(spec->arity, args.size()) || !runs) {
    *refusal = commands::errors::WrongArity(command->full_name);
  } else if (!session.authenticated && (spec->flags & commands::kNoAuth) == 0) {
    *refusal = commands::errors::Custom("NOAUTH Authentication required.");
  } else if ((spec->flags & commands::kNeedsCluster) != 0 && !limits_.cluster_enabled) {
    *refusal = commands::errors::Custom("ERR This instance has cluster support disabled");
  } else if (session.monitor && (handler.read != nullptr || handler.write != nullptr)) {
    *refusal = commands::errors::Custom("ERR Replica can't interact with the keyspace");
  } else if (!MayRunWhileSubscribed(session, *command)) {
    *refusal = commands::errors::Custom(
        "ERR Can't execute '" + command->full_name +
        "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
        "context");
  } else if ((spec->flags & commands::kDenyOom) != 0 && server_->DiskNearlyFull()) {
    *refusal = commands::errors::Custom(kDiskFullError);
  } else {
    return command;
  }
  LoopStats::PerCommand& counters = stats_->command(command->index);
  counters.rejected.Add(1);
  return nullptr;
}

bool Dispatcher::TakeDrop(Session* session) {
  if (session->reply_mode != ReplyMode::kSkipNext) return session->reply_mode == ReplyMode::kOff;
  session->reply_mode = ReplyMode::kOn;
  return true;
}

bool Dispatcher::Taken(Session* session, const Command* command, Args args) {
  session->wait_ = Session::Wait::kNone;
  session->home = this;
  session->last_command = command;
  session->last_command_ms = turn_wall_ms_;
  session->commands.Add(1);
  session->argument_bytes = ArgumentBytes(args);
  stats_->commands_processed.Add(1);
  if (server_->monitors().any() && command->spec->handler.local == nullptr) {
    Show(*session, *command, args);
  }
  // CLIENT CACHING stays for the command behind the CLIENT commands, and for a whole transaction.
  if (!session->tracking || command->full_name.starts_with("client|")) return false;
  const bool open = session->transaction != nullptr && session->transaction->open();
  if (command->full_name == "multi" ||
      (open && (command->spec->flags & (commands::kExecutes | commands::kNeverQueued)) == 0)) {
    return false;
  }
  return tracking_.Takes(session, *command->spec);
}

bool Dispatcher::Dispatch(Session* session, Args args) {
  BeginTurn();
  CHECK(!args.empty());
  Status refusal;
  const Command* command = Find(*session, args, &refusal);
  const bool queues = session->transaction != nullptr && session->transaction->open();
  if (command == nullptr) {
    if (queues) refusal = RefuseInTransaction(session, args[0], refusal);
    ReplyError(session, refusal);
    return true;
  }
  const commands::Handler& handler = command->spec->handler;
  const uint32_t flags = command->spec->flags;
  if (queues) {
    if ((flags & commands::kExecutes) != 0) return Execute(session, command, args);
    if ((flags & (commands::kNeverQueued | commands::kWatches)) == 0) {
      Enqueue(session, command, args);
      return true;
    }
  }
  if ((flags & commands::kWatches) != 0) {
    if (queues || !TransactionFits(*session, ArgumentBytes(args))) {
      ReplyError(session, commands::errors::Custom(queues ? "ERR WATCH inside MULTI is not allowed"
                                                          : kTransactionTooLargeError));
      return true;
    }
    // In the log it could run between two writes of one entry, which have one version.
    if (session->in_log_ > 0) {
      session->wait_ = Session::Wait::kLog;
      return false;
    }
  }
  bool write = handler.write != nullptr;
  if (PauseMode pause = server_->pause_mode(); pause != PauseMode::kNone) {
    bool changes = write || (command->spec->flags & commands::kMayReplicate) != 0;
    if (pause == PauseMode::kAll || changes) {
      session->wait_ = Session::Wait::kPause;
      return false;
    }
  }
  if (handler.local != nullptr && (handler.is_read == nullptr || !handler.is_read(args))) {
    if ((command->spec->flags & commands::kAfterReplies) != 0 && session->has_slots()) {
      session->wait_ = Session::Wait::kReplies;
      return false;
    }
    Taken(session, command, args);
    RunLocal(session, command, args);
    return true;
  }
  if (const commands::Blocking* blocking = commands::BlockingOf(*command->spec)) {
    if (const std::optional<int64_t> timeout_ms = commands::TimeoutMs(*blocking, args)) {
      // It is the only one of its session while it waits.
      if (session->has_slots()) {
        session->wait_ = Session::Wait::kReplies;
        return false;
      }
      const bool track = Taken(session, command, args);
      Block(session, command, *blocking, *timeout_ms, args, track);
      return true;
    }
  }
  if (write) {
    // The session's earlier reads must not see this write.
    if (session->reads_queued_ + session->reads_waiting_ > 0) {
      session->wait_ = Session::Wait::kReads;
      return false;
    }
    Taken(session, command, args);
    AddToBatch(session, command, args, false, false);
    return true;
  }
  if (session->in_log_ > 0) {
    // Apply must not build a reply of any size.
    const bool large = (command->spec->flags & commands::kLargeReply) != 0;
    if (large || reads_in_log_ >= kMaxReadsInLog) {
      session->wait_ = Session::Wait::kLog;
      return false;
    }
    const bool track = Taken(session, command, args);
    AddToBatch(session, command, args, true, track);
    return true;
  }
  if (session->reads_queued_ >= kMaxReadsQueued) {
    session->wait_ = Session::Wait::kReads;
    return false;
  }
  const bool track = Taken(session, command, args);
  QueueRead(session, command, args, track);
  // MULTI, EXEC and UNWATCH behind it must find what it watches.
  if ((flags & commands::kWatches) != 0) session->wait_ = Session::Wait::kReads;
  return true;
}

void Dispatcher::RunLocal(Session* session, const Command* command, Args args) {
  if (session->reply_mode == ReplyMode::kSkipNext) session->reply_mode = ReplyMode::kSkipThis;
  LocalContext context(*server_, *session, {&pubsub_, &tracking_});
  bool direct = !session->has_slots();
  std::string scratch;
  std::string* out = direct ? session->output_.Tail() : &scratch;
  size_t start = out->size();
  InvokeLocal(context, command, args, out);
  const bool show = server_->monitors().any();
  if (std::optional<replica::MembershipChange> change = context.TakeChange()) {
    if (show) Show(*session, *command, args);
    SubmitChange(session, command, args, std::move(*change));
    return;
  }
  if (std::optional<CopiesWait> wait = context.TakeCopiesWait()) {
    std::string reply = out->substr(start);
    out->resize(start);
    if (show) Show(*session, *command, args);
    return Block(session, command, *wait, std::move(reply));
  }
  TransactionChanged(session);
  // What SUBSCRIBE and its like reply are pushes, which CLIENT REPLY does not silence.
  bool drop =
      (session->reply_mode == ReplyMode::kSkipThis || session->reply_mode == ReplyMode::kOff) &&
      (command->spec->flags & commands::kPubsub) == 0;
  if (session->reply_mode == ReplyMode::kSkipThis) session->reply_mode = ReplyMode::kOn;
  if (drop) out->resize(start);
  if (direct) {
    session->output_.Appended();
  } else if (!scratch.empty()) {
    session->Fill(session->AddSlot(false), std::move(scratch));
  }
  MarkDirty(session);
  if (show) Show(*session, *command, args);
}

void Dispatcher::InvokeLocal(LocalContext& context, const Command* command, Args args,
                             std::string* out) {
  const size_t start = out->size();
  const int64_t start_ns = server_->clock().BootNs();
  resp::Writer writer(out, context.session().protocol);
  Status status = command->spec->handler.local(context, args, writer);
  if (!status.ok()) {
    out->resize(start);
    commands::WriteError(status, writer);
  }
  if (context.has_change()) return;  // it is not answered yet
  LoopStats::PerCommand& counters = stats_->command(command->index);
  counters.calls.Add(1);
  counters.ns.Add(static_cast<uint64_t>(server_->clock().BootNs() - start_ns));
  if (out->size() > start && (*out)[start] == '-') {
    counters.failed.Add(1);
    stats_->error_replies.Add(1);
  }
}

// What the node itself answers to a command in its place among the session's replies.
void Dispatcher::Answer(Session* session, std::string_view reply) {
  if (!TakeDrop(session)) {
    if (session->has_slots()) {
      session->Fill(session->AddSlot(false), reply);
    } else {
      session->output_.Append(reply);
    }
  }
  MarkDirty(session);
}

void Dispatcher::ReplyError(Session* session, const Status& status) {
  BeginTurn();
  session->last_command_ms = turn_wall_ms_;
  stats_->error_replies.Add(1);
  std::string line;
  resp::Writer writer(&line, session->protocol);
  commands::WriteError(status, writer);
  Answer(session, line);
}

// --- clients that wait for keys --------------------------------------------------------------

void Dispatcher::Block(Session* session, const Command* command, const commands::Blocking& blocking,
                       int64_t timeout_ms, Args args, bool track) {
  auto waiter = std::make_unique<Waiter>();
  waiter->session = session;
  waiter->command = command;
  waiter->blocking = &blocking;
  waiter->db = session->db;
  waiter->protocol = session->protocol;
  waiter->slot = session->AddSlot(TakeDrop(session));
  waiter->track = track;
  waiter->args.assign(args.begin(), args.end());
  waiter->keys = commands::KeysWaitedFor(blocking, *command->spec, args);
  waiter->deadline_ns = DeadlineOf(timeout_ms);
  session->waiter = std::move(waiter);
  blocked_.Add(session->waiter.get());
  Try(session->waiter.get());
}

void Dispatcher::Block(Session* session, const Command* command, const CopiesWait& wait,
                       std::string reply) {
  auto waiter = std::make_unique<Waiter>();
  waiter->session = session;
  waiter->command = command;
  waiter->protocol = session->protocol;
  waiter->slot = session->AddSlot(TakeDrop(session));
  waiter->copies = wait;
  waiter->under_way = false;
  waiter->nothing = std::move(reply);
  waiter->deadline_ns = DeadlineOf(wait.timeout_ms);
  session->waiter = std::move(waiter);
  blocked_.Add(session->waiter.get());
  session->blocked = true;
  server_->blocked_clients.fetch_add(1);
}

int64_t Dispatcher::DeadlineOf(int64_t timeout_ms) const {
  constexpr int64_t kNsPerMs = 1'000'000;
  // A wait of centuries has no end.
  if (timeout_ms <= 0 || timeout_ms >= (INT64_MAX - turn_boot_ns_) / kNsPerMs) return 0;
  return turn_boot_ns_ + timeout_ms * kNsPerMs;
}

void Dispatcher::LookForCopies() {
  if (turn_boot_ns_ < blocked_.next_look_ns()) return;
  const replica::ReplicaInfo info = replica_->Info();
  for (Waiter* waiter : blocked_.TakeWaitersForCopies(turn_boot_ns_)) {
    waiter->nothing.clear();
    resp::Writer writer(&waiter->nothing, waiter->protocol);
    waiter->copies->WriteReply(info, writer);
    if (waiter->copies->Reached(info)) AnswerWaiter(waiter->session, waiter->nothing);
  }
}

void Dispatcher::Try(Waiter* waiter) {
  std::vector<std::string_view> args(waiter->args.begin(), waiter->args.end());
  Session* session = waiter->session;
  session->argument_bytes = ArgumentBytes(args);
  if (waiter->command->spec->handler.write == nullptr) {
    AddRead(session, waiter->slot, waiter->command, args, waiter->track);
    return;
  }
  OpenBatch(session->argument_bytes);
  builder_.Add(replica::ItemKind::kWrite, waiter->protocol, waiter->db, args);
  Added(session, waiter->slot, waiter->command, static_cast<uint32_t>(args.size()),
        session->argument_bytes, false, {});
}

void Dispatcher::TryTouched() {
  if (!blocked_.any_touched() || server_->pause_mode() != PauseMode::kNone) return;
  std::unique_ptr<engine::View> view;
  const auto new_view = [this, &view]() -> const engine::View& {
    view = replica_->NewView();
    return *view;
  };
  for (Waiter* waiter : blocked_.TakeReady(new_view)) Try(waiter);
}

bool Dispatcher::TryEnded(Session* session, replica::BatchOutcome outcome, std::string_view reply) {
  Waiter& waiter = *session->waiter;
  const bool nothing = reply == "*-1\r\n" || reply == "_\r\n" || reply == "$-1\r\n";
  const bool applied = outcome == replica::BatchOutcome::kApplied;
  waiter.under_way = false;
  if (session->closed_) {
    if (applied && !nothing) PutBack(waiter, reply);
    session->waiter.reset();
    return true;
  }
  const bool first = std::exchange(waiter.first_try, false);
  if (applied && nothing) {
    if (first) {
      // Though a BLMOVE that may not wait, in a transaction, replies the null of a string.
      waiter.nothing = waiter.protocol == 2 ? "*-1\r\n" : "_\r\n";
      session->blocked = true;
      server_->blocked_clients.fetch_add(1);
    }
  } else if (outcome == replica::BatchOutcome::kNotApplied && !first) {
    // There is no leader for the moment. The client has been waiting before and does not mind.
    waiter.again = true;
  } else {
    EndWait(session);
    return false;
  }
  if (waiter.end == Waiter::End::kTimeout) {
    AnswerWaiter(session, waiter.nothing);
  } else if (waiter.end == Waiter::End::kError) {
    AnswerWaiter(session, kUnblockedError);
  } else if (std::exchange(waiter.again, false)) {
    blocked_.TouchKeysOf(waiter);
  }
  return true;
}

void Dispatcher::AnswerWaiter(Session* session, std::string_view reply) {
  const std::string owned(reply);
  const uint64_t slot = session->waiter->slot;
  EndWait(session);
  session->Fill(slot, std::string_view(owned));
  MarkDirty(session);
}

void Dispatcher::EndWait(Session* session) {
  blocked_.Remove(session->waiter.get());
  if (session->blocked) server_->blocked_clients.fetch_sub(1);
  session->blocked = false;
  session->waiter.reset();
}

void Dispatcher::EndWaits() {
  for (Waiter* waiter : blocked_.TakeExpired(turn_boot_ns_)) {
    if (waiter->under_way) {
      waiter->end = Waiter::End::kTimeout;
    } else {
      AnswerWaiter(waiter->session, waiter->nothing);
    }
  }
}

void Dispatcher::Unblock(Session* session) {
  const auto end = static_cast<Waiter::End>(session->unblock_requested.exchange(0));
  if (session->waiter == nullptr || end == Waiter::End::kNone) return;
  if (session->waiter->under_way) {
    session->waiter->end = end;
  } else {
    AnswerWaiter(session, end == Waiter::End::kError ? kUnblockedError
                                                     : std::string_view(session->waiter->nothing));
  }
}

// The client left while the log already held the try that served it.
void Dispatcher::PutBack(const Waiter& waiter, std::string_view reply) {
  std::vector<std::string_view> args(waiter.args.begin(), waiter.args.end());
  const std::vector<std::string> back = commands::GiveBack(*waiter.blocking, args, reply);
  if (back.empty()) return;
  std::vector<std::string_view> words(back.begin(), back.end());
  own_session_.db = waiter.db;
  own_session_.reply_mode = ReplyMode::kOff;
  own_session_.argument_bytes = ArgumentBytes(words);
  AddToBatch(&own_session_, server_->commands().Find(back[0]), words, false, false);
}

// --- transactions ----------------------------------------------------------------------------

bool Dispatcher::TransactionFits(const Session& session, size_t bytes) const {
  const size_t held = session.transaction == nullptr ? 0 : session.transaction->bytes();
  return held + bytes <= kMaxTransactionBytes &&
         transaction_bytes_ + bytes <= inflight_limit_ / kTransactionsShare;
}

void Dispatcher::TransactionChanged(Session* session) {
  const Transaction* transaction = session->transaction.get();
  const size_t bytes = transaction == nullptr ? 0 : transaction->bytes();
  transaction_bytes_ += bytes - session->transaction_bytes;
  session->transaction_bytes = bytes;
  session->watched_keys = transaction == nullptr ? 0 : transaction->watched().size();
  const bool open = transaction != nullptr && transaction->open();
  session->queued_commands = open ? static_cast<int64_t>(transaction->size()) : -1;
}

void Dispatcher::EndTransaction(Session* session) {
  session->transaction.reset();
  TransactionChanged(session);
}

void Dispatcher::Enqueue(Session* session, const Command* command, Args args) {
  std::string_view refusal;
  if ((command->spec->flags & commands::kNoMulti) != 0) {
    refusal = "ERR Command not allowed inside a transaction";
  } else if (!TransactionFits(*session, ArgumentBytes(args))) {
    refusal = kTransactionTooLargeError;
  }
  if (!refusal.empty()) {
    session->transaction->Break();
    ReplyError(session, commands::errors::Custom(refusal));
    return;
  }
  Taken(session, command, args);
  session->transaction->Queue(command, args);
  TransactionChanged(session);
  Answer(session, "+QUEUED\r\n");
}

// An EXEC that is refused, as for its arguments, ends the transaction.
Status Dispatcher::RefuseInTransaction(Session* session, std::string_view name,
                                       const Status& refusal) {
  session->transaction->Break();
  const Command* command = server_->commands().Find(name);
  if (command == nullptr || (command->spec->flags & commands::kExecutes) == 0) return refusal;
  EndTransaction(session);
  constexpr std::string_view kPlainError = "ERR ";
  std::string_view why = refusal.message();
  if (why.starts_with(kPlainError)) why.remove_prefix(kPlainError.size());
  return commands::errors::Custom("EXECABORT Transaction discarded because of: " +
                                  std::string(why));
}

// False where it must wait, as for a command of its kind.
bool Dispatcher::Execute(Session* session, const Command* command, Args args) {
  Transaction* transaction = session->transaction.get();
  std::string_view refusal;
  if (transaction->broken()) {
    refusal = "EXECABORT Transaction discarded because of previous errors.";
  } else if (transaction->may_grow_data() && server_->DiskNearlyFull()) {
    refusal = "EXECABORT Transaction discarded because of: the disk is nearly full";
  }
  if (!refusal.empty()) {
    EndTransaction(session);
    ReplyError(session, commands::errors::Custom(refusal));
    return true;
  }
  const bool writes = transaction->writes() > 0;
  PauseMode pause = server_->pause_mode();
  if (pause == PauseMode::kAll || (pause == PauseMode::kWrites && writes)) {
    session->wait_ = Session::Wait::kPause;
    return false;
  }
  if (session->reads_queued_ + session->reads_waiting_ > 0) {
    session->wait_ = Session::Wait::kReads;
    return false;
  }
  if (!writes && session->in_log_ > 0) {
    session->wait_ = Session::Wait::kLog;
    return false;
  }
  const bool track = Taken(session, command, args);
  if (!writes) {
    QueueRead(session, command, args, track);
    // What follows may depend on what its own commands do.
    session->wait_ = Session::Wait::kReads;
    return true;
  }
  AddTransactionToBatch(session, command, track);
  if (transaction->locals() > 0) {
    session->wait_ = Session::Wait::kLog;
  } else {
    EndTransaction(session);
  }
  return true;
}

void Dispatcher::RunTransaction(Session* session, const engine::View& view, int protocol,
                                bool track, std::string* out) {
  std::unique_ptr<Transaction> transaction = std::move(session->transaction);
  EndTransaction(session);
  resp::Writer writer(out, protocol);
  if (!transaction->Holds(view)) {
    writer.NullArray();
    return;
  }
  writer.Array(transaction->size());
  LocalContext local(*server_, *session, {&pubsub_, &tracking_});
  local.set_in_transaction();
  for (size_t i = 0; i < transaction->size(); ++i) {
    const Transaction::Queued queued = transaction->at(i);
    if (queued.kind == Transaction::Kind::kLocal) {
      InvokeLocal(local, queued.command, queued.args, out);
      continue;
    }
    const size_t start = out->size();
    if (track) tracking_.Remember(session, *queued.command->spec, queued.args);
    commands::ReadContext context(view, queued.db);
    context.set_encoding_limits(&limits_.encoding);
    commands::RunWhole(*queued.command->spec, context, queued.args, protocol, out);
    NotifyMisses(context, *queued.command->spec, queued.args);
    Count(*queued.command, static_cast<uint32_t>(queued.args.size()),
          std::string_view(*out).substr(start));
  }
}

void Dispatcher::NotifyMisses(const commands::ReadContext& context,
                              const commands::CommandSpec& spec, Args args) {
  if ((limits_.notify_classes & engine::kNotifyKeyMiss) == 0) return;
  commands::NotifyMisses(context, spec, args, &misses_);
}

// The log had no place for what a node does for its own client: now that the rest is applied, it is
// done, and its replies take their places among the others.
std::string Dispatcher::JoinReplies(Session* session, std::string_view replies) {
  std::unique_ptr<Transaction> transaction = std::move(session->transaction);
  EndTransaction(session);
  const std::string_view head = replies.substr(0, replies.find("\r\n"));
  if (head[0] != '*' || head == "*-1") return std::string(replies);  // an error, or null
  replies.remove_prefix(head.size() + 2);
  std::string joined;
  resp::Writer(&joined, 2).Array(transaction->size());
  LocalContext local(*server_, *session, {&pubsub_, &tracking_});
  local.set_in_transaction();
  for (size_t i = 0; i < transaction->size(); ++i) {
    const Transaction::Queued queued = transaction->at(i);
    if (queued.kind == Transaction::Kind::kLocal) {
      InvokeLocal(local, queued.command, queued.args, &joined);
    } else {
      joined += resp::TakeEncoded(&replies);
    }
  }
  return joined;
}

// --- writes ----------------------------------------------------------------------------------

void Dispatcher::AddToBatch(Session* session, const Command* command, Args args, bool read,
                            bool track) {
  const uint64_t bytes = session->argument_bytes;
  OpenBatch(bytes);
  builder_.Add(read ? replica::ItemKind::kRead : replica::ItemKind::kWrite, session->protocol,
               session->db, args);
  std::vector<std::string> tracked;
  if (track) tracked = tracking_.RememberEarly(session, *command->spec, args);
  Added(session, session->AddSlot(TakeDrop(session)), command, static_cast<uint32_t>(args.size()),
        bytes, read, std::move(tracked));
}

void Dispatcher::AddTransactionToBatch(Session* session, const Command* command, bool track) {
  const Transaction& transaction = *session->transaction;
  OpenBatch(transaction.bytes());
  replica::BatchBuilder commands;
  std::vector<std::string> tracked;
  for (size_t i = 0; i < transaction.size(); ++i) {
    const Transaction::Queued queued = transaction.at(i);
    if (queued.kind == Transaction::Kind::kLocal) continue;
    const bool read = queued.kind == Transaction::Kind::kRead;
    commands.Add(read ? replica::ItemKind::kRead : replica::ItemKind::kWrite, session->protocol,
                 queued.db, queued.args);
    if (read && track) {
      for (std::string& key :
           tracking_.RememberEarly(session, *queued.command->spec, queued.args)) {
        tracked.push_back(std::move(key));
      }
    }
    Count(*queued.command, 0, {});
  }
  builder_.AddTransaction(session->protocol, transaction.watched(), &commands);
  Added(session, session->AddSlot(TakeDrop(session)), command, 1, transaction.bytes(), false,
        std::move(tracked));
}

void Dispatcher::OpenBatch(uint64_t bytes) {
  if (builder_.count() > 0 && builder_.bytes() + bytes > kMaxBatchBytes) CloseBatch();
  if (builder_.count() == 0) {
    building_.start_ns = turn_boot_ns_;
    if (!spare_targets_.empty()) {
      building_.targets = std::move(spare_targets_.back());
      spare_targets_.pop_back();
    }
  }
}

void Dispatcher::Added(Session* session, uint64_t slot, const Command* command, uint32_t argc,
                       uint64_t bytes, bool read, std::vector<std::string> tracked) {
  building_.targets.push_back({session, slot, command, argc, read});
  building_.targets.back().tracked = std::move(tracked);
  ++session->in_log_;
  ++outstanding_;
  if (read) ++reads_in_log_;
  uint64_t counted = bytes + kCommandOverheadBytes;
  building_.counted_bytes += counted;
  inflight_bytes_ += counted;
  if (builder_.bytes() >= kMaxBatchBytes || builder_.count() >= kMaxBatchItems) CloseBatch();
}

void Dispatcher::CloseBatch() {
  if (builder_.count() == 0) return;
  uint64_t ticket = next_batch_ticket_++;
  uint32_t count = builder_.count();
  building_.ticket = ticket;
  // In the books before it is handed over: an answer may be under way at once.
  batches_.push_back(std::move(building_));
  building_ = Batch();
  stats_->batches.Add(1);
  replica_->Submit(lane_, ticket, builder_.Take(), count);
}

// A change of the membership is answered like a batch of one write, in its place of the session.
void Dispatcher::SubmitChange(Session* session, const Command* command, Args args,
                              replica::MembershipChange change) {
  CloseBatch();
  Batch batch;
  batch.ticket = next_batch_ticket_++;
  batch.start_ns = turn_boot_ns_;
  batch.counted_bytes = session->argument_bytes + kCommandOverheadBytes;
  inflight_bytes_ += batch.counted_bytes;
  uint64_t slot = session->AddSlot(TakeDrop(session));
  batch.targets.push_back({session, slot, command, static_cast<uint32_t>(args.size()), false});
  ++session->in_log_;
  ++outstanding_;
  uint64_t ticket = batch.ticket;
  batches_.push_back(std::move(batch));
  replica_->SubmitChange(lane_, ticket, std::move(change));
}

void Dispatcher::Handle(replica::BatchReply reply) {
  BeginTurn();
  CHECK(!batches_.empty());
  CHECK_GE(reply.ticket, batches_.front().ticket);
  uint64_t at = reply.ticket - batches_.front().ticket;
  CHECK_LT(at, batches_.size());
  Batch& batch = batches_[at];
  CHECK(!batch.answered);
  size_t count = batch.targets.size();
  bool applied = reply.outcome == replica::BatchOutcome::kApplied;
  std::string error;
  if (applied) {
    CHECK_EQ(reply.ends.size(), count);
  } else {
    resp::Writer writer(&error, 2);
    writer.Error(reply.outcome == replica::BatchOutcome::kNotApplied ? kNotAppliedError
                                                                     : kUnknownOutcomeError);
  }
  uint64_t elapsed_ns = static_cast<uint64_t>(std::max<int64_t>(0, turn_boot_ns_ - batch.start_ns));
  size_t begin = 0;
  for (size_t i = 0; i < count; ++i) {
    Target& target = batch.targets[i];
    Session* session = target.session;
    std::string_view bytes = error;
    if (applied) {
      CHECK_GE(reply.ends[i], begin);
      CHECK_LE(reply.ends[i], reply.bytes.size());
      bytes = std::string_view(reply.bytes).substr(begin, reply.ends[i] - begin);
      begin = reply.ends[i];
    }
    Count(*target.command, target.argc, target.read ? bytes : bytes.substr(0, 1));
    stats_->command(target.command->index).ns.Add(elapsed_ns / count);
    if (target.read) --reads_in_log_;
    --session->in_log_;
    if (!session->closed_) {
      const engine::Origin origin = {lane_, static_cast<uint32_t>(i), batch.ticket};
      tracking_.Confirm(session, target.tracked, origin);
    }
    if (Waits(*session, target.slot) && TryEnded(session, reply.outcome, bytes)) {
      Release(session);
      continue;
    }
    std::string joined;
    if (!session->closed_ && session->transaction != nullptr &&
        (target.command->spec->flags & commands::kExecutes) != 0) {
      joined = JoinReplies(session, bytes);
      bytes = joined;
    }
    if (!session->closed_ && !target.after.empty()) {
      // Of a reply that is not to be sent only this is left.
      std::string reply(session->At(target.slot).drop ? std::string_view() : bytes);
      session->At(target.slot).drop = false;
      session->Fill(target.slot, reply.append(target.after));
      MarkDirty(session);
    } else if (!session->closed_) {
      if (bytes.size() >= OutputBuffer::kMoveBytes && bytes.data() == reply.bytes.data() &&
          bytes.size() == reply.bytes.size()) {
        session->Fill(target.slot, std::move(reply.bytes));
      } else {
        session->Fill(target.slot, bytes);
      }
      MarkDirty(session);
    }
    Release(session);
  }
  batch.answered = true;
  stats_->write_latency.Record(elapsed_ns / 1000, count);
  inflight_bytes_ -= batch.counted_bytes;
  batch.targets.clear();
  if (spare_targets_.size() < kSpareLists) spare_targets_.push_back(std::move(batch.targets));
  while (!batches_.empty() && batches_.front().answered) batches_.pop_front();
}

// --- client-side caches ----------------------------------------------------------------------

Dispatcher::Target* Dispatcher::FindTarget(const engine::Origin& origin) {
  if (origin.lane != lane_ || batches_.empty() || origin.ticket < batches_.front().ticket) {
    return nullptr;
  }
  const uint64_t at = origin.ticket - batches_.front().ticket;
  if (at >= batches_.size() || batches_[at].answered) return nullptr;
  std::vector<Target>& targets = batches_[at].targets;
  return origin.item < targets.size() ? &targets[origin.item] : nullptr;
}

Session* Dispatcher::OriginOf(const engine::Origin& origin) {
  const Target* target = FindTarget(origin);
  return target == nullptr ? nullptr : target->session;
}

void Dispatcher::PushAfterReply(const engine::Origin& origin,
                                const std::shared_ptr<const std::string>& bytes) {
  FindTarget(origin)->after += *bytes;
}

void Dispatcher::PushTo(Session* session, const std::shared_ptr<const std::string>& bytes) {
  if (session->close_after_reply) return;
  session->Push(bytes);
  MarkDirty(session);
}

bool Dispatcher::SendTo(uint64_t session_id, const Push& push) {
  return server_->clients().Visit(session_id, [&](Session* session, LoopWaker* waker) {
    if (session->home == this) {
      Deliver(session, push);
    } else if (waker != nullptr) {
      waker->Send(session_id, push);
    }
  });
}

void Dispatcher::Deliver(Session* session, const Push& push) {
  if (session->protocol == 3) {
    PushTo(session, push.resp3);
  } else if (session->subscriptions() > 0 || session->monitor) {
    PushTo(session, push.resp2);
  }
}

void Dispatcher::Show(const Session& session, const Command& command, Args args) {
  const std::string line =
      MonitorLine(turn_wall_ms_, session.db, session.peer_address, command, args);
  if (line.empty()) return;
  const auto bytes = std::make_shared<const std::string>(line);
  for (uint64_t id : server_->monitors().Sessions()) SendTo(id, {bytes, bytes});
}

// --- reads -----------------------------------------------------------------------------------

void Dispatcher::QueueRead(Session* session, const Command* command, Args args, bool track) {
  AddRead(session, session->AddSlot(TakeDrop(session)), command, args, track);
}

void Dispatcher::AddRead(Session* session, uint64_t slot, const Command* command, Args args,
                         bool track) {
  if (reads_.reads.empty()) reads_.start_ns = turn_boot_ns_;
  for (std::string_view arg : args) {
    reads_.bytes.append(arg);
    reads_.ends.push_back(reads_.bytes.size());
  }
  reads_.reads.push_back(
      {session, slot, command, session->db, session->protocol, static_cast<uint32_t>(args.size())});
  reads_.reads.back().track = track;
  ++session->reads_queued_;
  ++outstanding_;
  uint64_t counted = session->argument_bytes + kCommandOverheadBytes;
  reads_.counted_bytes += counted;
  inflight_bytes_ += counted;
}

void Dispatcher::EndOfTurn() {
  BeginTurn();
  LookForCopies();
  EndWaits();
  TryTouched();
  CloseBatch();
  Unpark();
  ServeReads();
  ResumeStreams();
  tracking_.EndOfTurn();
  stats_->turns.Add(1);
  in_turn_ = false;
}

// Runs the reads of this turn, or asks for permission.
void Dispatcher::ServeReads() {
  if (reads_.reads.empty()) return;
  if (replica_->MayReadNow()) {
    // Good for the reads that wait for permission too: they arrived earlier. Running them first
    // keeps what one client sees from going back.
    std::shared_ptr<const engine::View> view = replica_->NewView();
    while (!waiting_.empty()) {
      ReadGroup group = std::move(waiting_.front());
      waiting_.pop_front();
      RunReads(view, &group);
      Recycle(std::move(group));
    }
    RunReads(view, &reads_);
    ReadGroup group = std::move(reads_);
    Recycle(std::move(group));
  } else {
    reads_.ticket = next_read_ticket_++;
    for (const QueuedRead& read : reads_.reads) {
      --read.session->reads_queued_;
      ++read.session->reads_waiting_;
    }
    uint64_t ticket = reads_.ticket;
    waiting_.push_back(std::move(reads_));
    replica_->RequestRead(lane_, ticket);
  }
  reads_ = ReadGroup();
  if (!spare_groups_.empty()) {
    reads_ = std::move(spare_groups_.back());
    spare_groups_.pop_back();
  }
}

void Dispatcher::Handle(replica::ReadPermission permission) {
  BeginTurn();
  // Groups that an earlier View has served are gone, and their permissions mean nothing.
  if (permission.granted) {
    std::shared_ptr<const engine::View> view;
    while (!waiting_.empty() && waiting_.front().ticket <= permission.ticket) {
      if (view == nullptr) view = replica_->NewView();
      ReadGroup group = std::move(waiting_.front());
      waiting_.pop_front();
      RunReads(view, &group);
      Recycle(std::move(group));
    }
    return;
  }
  for (auto group = waiting_.begin(); group != waiting_.end(); ++group) {
    if (group->ticket != permission.ticket) continue;
    ReadGroup refused = std::move(*group);
    waiting_.erase(group);
    RefuseReads(&refused);
    Recycle(std::move(refused));
    return;
  }
}

bool Dispatcher::Handle(const engine::CommitEvents& events, size_t* next) {
  BeginTurn();
  for (size_t bytes = 0; *next < events.size(); ++*next) {
    if (bytes >= kMaxEventOutputBytes) return false;
    const engine::Event event = events[*next];
    for (EventListener* listener : listeners_) bytes += listener->Handle(event);
  }
  for (EventListener* listener : listeners_) listener->EndOfCommit(events.index());
  return true;
}

void Dispatcher::RunReads(const std::shared_ptr<const engine::View>& view, ReadGroup* group) {
  // A CONFIG SET of the same turn is in front of them.
  TakeLimits();
  int64_t before_ns = server_->clock().BootNs();
  size_t next_arg = 0;
  size_t next_byte = 0;
  for (const QueuedRead& read : group->reads) {
    args_scratch_.clear();
    for (uint32_t i = 0; i < read.argc; ++i) {
      size_t end = group->ends[next_arg++];
      args_scratch_.emplace_back(group->bytes.data() + next_byte, end - next_byte);
      next_byte = end;
    }
    Session* session = read.session;
    --(group->ticket == 0 ? session->reads_queued_ : session->reads_waiting_);
    if (session->closed_) {
      if (read.place == Place::kTaken) --places_;
      Release(session);
      continue;
    }
    if (session->reads_parked_ || session->stream_ != nullptr ||
        session->output_.bytes() >= kMaxReplyBytes) {
      Park(read, args_scratch_);
      continue;
    }
    if (read.track) tracking_.Remember(session, *read.command->spec, args_scratch_);
    // Of a client that waits it may have to be dropped again.
    const bool waits = Waits(*session, read.slot);
    bool direct = read.slot == session->first_slot_ && !waits;
    std::string scratch;
    std::string* out = direct ? session->output_.Tail() : &scratch;
    size_t start = out->size();
    Status status;
    bool complete = true;
    if ((read.command->spec->flags & commands::kLargeReply) != 0) {
      complete = RunUnlessLarge(view, read, out, &status);
    } else if ((read.command->spec->flags & commands::kExecutes) != 0) {
      RunTransaction(session, *view, read.protocol, read.track, out);
    } else {
      resp::Writer writer(out, read.protocol);
      commands::ReadContext context(*view, read.db);
      context.set_encoding_limits(&limits_.encoding);
      status = read.command->spec->handler.read(context, args_scratch_, writer);
      if ((read.command->spec->flags & commands::kWatches) != 0) {
        if (session->transaction == nullptr) session->transaction = std::make_unique<Transaction>();
        session->transaction->Watch(*view, read.db, Args(args_scratch_).subspan(1));
        TransactionChanged(session);
      }
    }
    if (complete) {
      if (!status.ok()) {
        out->resize(start);
        resp::Writer writer(out, read.protocol);
        commands::WriteError(status, writer);
      }
      const std::string_view reply = std::string_view(*out).substr(start);
      Count(*read.command, read.argc, reply);
      if (waits) {
        Waiter& waiter = *session->waiter;
        if (waiter.first_try) {
          waiter.args = commands::ArgsToWaitWith(*waiter.blocking, *view, read.db, args_scratch_);
        }
        if (TryEnded(session, replica::BatchOutcome::kApplied, reply)) {
          Release(session);
          continue;
        }
      }
      if (direct) {
        Session::Slot& slot = session->At(read.slot);
        if (slot.drop) out->resize(start);
        session->output_.Appended();
        slot.ready = true;
        session->PopReady();
      } else {
        session->Fill(read.slot, std::move(scratch));
      }
      NotifyMisses(commands::ReadContext(*view, read.db), *read.command->spec, args_scratch_);
      Release(session);
    } else if (waits) {
      EndWait(session);  // there is much for it
    }
    MarkDirty(session);
    int64_t after_ns = server_->clock().BootNs();
    stats_->command(read.command->index).ns.Add(static_cast<uint64_t>(after_ns - before_ns));
    before_ns = after_ns;
  }
  // None where nobody listens.
  if (const auto events = misses_.Take(0); events != nullptr) replica_->Tell(events);
  int64_t elapsed_ns = std::max<int64_t>(0, before_ns - group->start_ns);
  stats_->read_latency.Record(static_cast<uint64_t>(elapsed_ns) / 1000, group->reads.size());
}

// --- large replies ---------------------------------------------------------------------------

bool Dispatcher::TakePlace() {
  if (places_ >= max_places_) return false;
  ++places_;
  return true;
}

bool Dispatcher::RunUnlessLarge(const std::shared_ptr<const engine::View>& view, QueuedRead read,
                                std::string* out, Status* status) {
  Session* session = read.session;
  if (read.place == Place::kNone) {
    const size_t start = out->size();
    commands::ReadContext context(*view, read.db);
    if (commands::RunBounded(*read.command->spec, context, args_scratch_, read.protocol,
                             kShortReplyBytes, true, out, status)) {
      return true;
    }
    // The statistics go by what a reply begins with.
    Count(*read.command, read.argc, std::string_view(*out).substr(start));
    out->resize(start);
    if (session->At(read.slot).drop) {
      session->Fill(read.slot, std::string_view());
      Release(session);
      return false;
    }
    read.place = place_waiters_.empty() && TakePlace() ? Place::kTaken : Place::kWanted;
  }
  // Whatever came before it in its session is answered: reads keep their order, and none is
  // queued while something of the session is in the log.
  CHECK_EQ(read.slot, session->first_slot_);
  if (read.place == Place::kWanted) {
    place_waiters_.push_back(session);
    Park(read, args_scratch_);
  } else {
    StartStream(view, read);
  }
  return false;
}

// It begins at the end of this turn or in a later one.
void Dispatcher::StartStream(const std::shared_ptr<const engine::View>& view,
                             const QueuedRead& read) {
  Session* session = read.session;
  auto stream = std::make_unique<ReplyStream>(
      session, ReplyStream::Read{read.command, read.db, read.protocol, read.slot}, args_scratch_,
      view, &server_->clock(), &stacks_);
  session->stream_ = stream.get();
  ++session->reads_queued_;
  inflight_bytes_ += stream->counted_bytes();
  streams_.push_back(std::move(stream));
}

void Dispatcher::ResumeStreams() {
  if (streams_.empty()) return;
  int64_t before_ns = server_->clock().BootNs();
  const int64_t end_ns = before_ns + kStreamTurnNs;
  for (size_t n = streams_.size(); n > 0 && before_ns < end_ns; --n) {
    std::unique_ptr<ReplyStream> stream = std::move(streams_.front());
    streams_.pop_front();
    if (!stream->MayRun()) {
      streams_.push_back(std::move(stream));
      continue;
    }
    stream->Run();
    MarkDirty(stream->session());
    const int64_t after_ns = server_->clock().BootNs();
    stats_->command(stream->read().command->index)
        .ns.Add(static_cast<uint64_t>(after_ns - before_ns));
    before_ns = after_ns;
    if (!stream->done()) {
      streams_.push_back(std::move(stream));
      continue;
    }
    Session* session = stream->session();
    Session::Slot& slot = session->At(stream->read().slot);
    slot.ready = true;
    session->PopReady();
    EndStream(std::move(stream));
    Release(session);
  }
}

void Dispatcher::EndStream(std::unique_ptr<ReplyStream> stream) {
  Session* session = stream->session();
  session->stream_ = nullptr;
  session->ReleasePushes();
  --session->reads_queued_;
  --places_;
  inflight_bytes_ -= stream->counted_bytes();
}

bool Dispatcher::Stalled(const Session& session) const {
  const ReplyStream* stream = session.stream_;
  return stream != nullptr && !stream->MayRun() &&
         server_->clock().BootNs() - stream->paused_ns() >= kStreamStallNs;
}

// --- parked reads ----------------------------------------------------------------------------

// The read stays outstanding; a later View serves it as well, since it is taken later.
void Dispatcher::Park(const QueuedRead& read, const std::vector<std::string_view>& args) {
  ReadGroup& group = parked_[read.session];
  read.session->reads_parked_ = true;
  ++read.session->reads_queued_;
  uint64_t counted = kCommandOverheadBytes;
  for (std::string_view arg : args) {
    group.bytes.append(arg);
    group.ends.push_back(group.bytes.size());
    counted += arg.size();
  }
  group.reads.push_back(read);
  group.counted_bytes += counted;
  inflight_bytes_ += counted;
}

// In the order of their commands: the first of them is the next to be answered, and none of the
// session's reads is under way elsewhere and could overtake it. What waits behind it does not
// count: only the output drains by itself.
bool Dispatcher::MayUnpark(const ReadGroup& parked) const {
  const QueuedRead& first = parked.reads.front();
  const Session& session = *first.session;
  if (session.closed_) return true;
  // What was queued before they were parked, in this turn, runs into the park first.
  return first.slot == session.first_slot_ && session.reads_waiting_ == 0 &&
         session.reads_queued_ == parked.reads.size() && session.stream_ == nullptr &&
         session.output_.bytes() <= kMaxReplyBytes / 2;
}

bool Dispatcher::HasRunnableReads() const {
  for (const auto& stream : streams_) {
    if (stream->MayRun()) return true;
  }
  for (const auto& [session, group] : parked_) {
    const bool waits = group.reads.front().place == Place::kWanted && places_ >= max_places_;
    if (MayUnpark(group) && (session->closed_ || !waits)) return true;
  }
  return false;
}

// Puts the parked reads of clients that have room again, and those of clients that are gone, into
// this turn's group.
void Dispatcher::Unpark() {
  std::erase_if(place_waiters_, [this](Session* session) {
    ReadGroup& group = parked_.at(session);
    if (session->closed_) return true;
    if (!MayUnpark(group) || !TakePlace()) return false;
    group.reads.front().place = Place::kTaken;
    return true;
  });
  for (auto it = parked_.begin(); it != parked_.end();) {
    auto& [session, group] = *it;
    const bool waits = group.reads.front().place == Place::kWanted && !session->closed_;
    if (waits || !MayUnpark(group)) {
      ++it;
      continue;
    }
    session->reads_parked_ = false;
    if (reads_.reads.empty()) reads_.start_ns = turn_boot_ns_;
    size_t offset = reads_.bytes.size();
    reads_.bytes += group.bytes;
    for (size_t end : group.ends) reads_.ends.push_back(offset + end);
    reads_.reads.insert(reads_.reads.end(), group.reads.begin(), group.reads.end());
    reads_.counted_bytes += group.counted_bytes;
    it = parked_.erase(it);
  }
}

void Dispatcher::RefuseReads(ReadGroup* group) {
  std::string error;
  resp::Writer(&error, 2).Error(kReadRefusedError);
  for (const QueuedRead& read : group->reads) {
    Session* session = read.session;
    --session->reads_waiting_;
    if (read.place == Place::kTaken) --places_;
    Count(*read.command, read.argc, error);
    if (Waits(*session, read.slot) &&
        TryEnded(session, replica::BatchOutcome::kNotApplied, error)) {
      Release(session);
      continue;
    }
    if (!session->closed_) {
      session->Fill(read.slot, std::string_view(error));
      MarkDirty(session);
    }
    Release(session);
  }
}

void Dispatcher::Recycle(ReadGroup group) {
  inflight_bytes_ -= group.counted_bytes;
  if (spare_groups_.size() >= kSpareLists || group.bytes.capacity() > kKeptGroupBytes) return;
  group.ticket = 0;
  group.counted_bytes = 0;
  group.reads.clear();
  group.bytes.clear();
  group.ends.clear();
  spare_groups_.push_back(std::move(group));
}

// --- sessions --------------------------------------------------------------------------------

void Dispatcher::Count(const Command& command, uint32_t argc, std::string_view reply) {
  LoopStats::PerCommand& counters = stats_->command(command.index);
  counters.calls.Add(1);
  if (reply.empty()) return;
  if (reply[0] == '-') {
    counters.failed.Add(1);
    stats_->error_replies.Add(1);
    return;
  }
  if (command.spec->handler.read == nullptr || command.spec->keys.first == 0) return;
  // Handlers know nothing of statistics, so a miss is told by its reply: null, or what stands for
  // "no such key" in TYPE (none), TTL and its like (-2), EXISTS (a lower number) and MGET (nulls).
  uint64_t keys = 1;
  uint64_t misses = 0;
  if (command.full_name == "exists") {
    keys = argc - 1;
    uint64_t found = 0;
    for (size_t i = 1; i < reply.size() && reply[i] >= '0' && reply[i] <= '9'; ++i) {
      found = found * 10 + static_cast<uint64_t>(reply[i] - '0');
    }
    misses = keys - std::min(found, keys);
  } else if (command.full_name == "mget") {
    keys = argc - 1;
    misses = std::min<uint64_t>(CountNulls(reply), keys);
  } else if (reply[0] == '_' || reply.substr(0, 3) == "$-1" || reply == "+none\r\n" ||
             reply == ":-2\r\n") {
    misses = 1;
  }
  stats_->keyspace_hits.Add(keys - misses);
  stats_->keyspace_misses.Add(misses);
}

void Dispatcher::MarkDirty(Session* session) {
  if (session->dirty_ || session->closed_) return;
  session->dirty_ = true;
  dirty_.push_back(session);
}

void Dispatcher::TakeDirty(std::vector<Session*>* sessions) {
  sessions->clear();
  std::swap(*sessions, dirty_);
  size_t kept = 0;
  for (Session* session : *sessions) {
    session->dirty_ = false;
    if (!session->closed_) {
      (*sessions)[kept++] = session;
    } else if (session->in_log_ + session->reads_queued_ + session->reads_waiting_ == 0) {
      closed_sessions_.erase(session);
    }
  }
  sessions->resize(kept);
}

void Dispatcher::Close(std::unique_ptr<Session> session) {
  Session* closed = session.get();
  CHECK(!closed->closed_);
  if (closed->stream_ != nullptr) {
    auto found = std::find_if(streams_.begin(), streams_.end(),
                              [closed](const auto& stream) { return stream->session() == closed; });
    CHECK(found != streams_.end());
    EndStream(std::move(*found));
    streams_.erase(found);
    Release(closed);
  }
  server_->clients().Remove(closed);
  pubsub_.Forget(closed);
  tracking_.Disable(closed);
  if (closed->monitor) server_->monitors().Remove(closed->id());
  closed->closed_ = true;
  closed->owner_ = nullptr;
  closed->output_.Clear();
  EndTransaction(closed);
  if (closed->waiter != nullptr) {
    blocked_.Remove(closed->waiter.get());
    if (closed->blocked) server_->blocked_clients.fetch_sub(1);
    // What a try brings that is under way will have to be put back.
    if (!closed->waiter->under_way) closed->waiter.reset();
  }
  std::vector<Session::Slot>().swap(closed->slots_);
  closed->slot_count_ = 0;
  closed->slot_bytes_ = 0;
  bool outstanding = closed->in_log_ + closed->reads_queued_ + closed->reads_waiting_ > 0;
  if (outstanding || closed->dirty_) closed_sessions_.emplace(closed, std::move(session));
}

void Dispatcher::Release(Session* session) {
  CHECK_GT(outstanding_, 0u);
  --outstanding_;
  if (!session->closed_ || session->dirty_) return;
  if (session->in_log_ + session->reads_queued_ + session->reads_waiting_ > 0) return;
  closed_sessions_.erase(session);
}

}  // namespace metastore::server
