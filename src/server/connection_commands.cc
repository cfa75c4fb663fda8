// Commands about the client's own connection: PING, HELLO, AUTH, SELECT, CLIENT and the like.
// There is one user, "default", whose password is the option requirepass.
#include <algorithm>
#include <string>
#include <vector>

#include "base/parse.h"
#include "commands/errors.h"
#include "server/command_table.h"
#include "server/info.h"
#include "server/local_context.h"
#include "server/local_spec.h"

namespace metastore::server {
namespace {

using commands::Args;
using commands::CommandSpec;
using resp::Writer;
namespace errors = commands::errors;

constexpr std::string_view kDefaultUser = "default";

Status Syntax() { return Status(Code::kSyntax); }
Status Error(std::string_view line) { return errors::Custom(line); }

// Takes as long for every password of the same length, so that its bytes cannot be guessed one by
// one from the time of the answer.
bool SamePassword(std::string_view given, std::string_view password) {
  unsigned char difference = given.size() != password.size();
  for (size_t i = 0; i < given.size(); ++i) {
    char expected = password.empty() ? '\0' : password[i % password.size()];
    difference |= static_cast<unsigned char>(given[i] ^ expected);
  }
  return difference == 0;
}

Status Authenticate(LocalContext& ctx, std::string_view user, std::string_view password) {
  std::string required = ctx.server().limits().requirepass;
  // As in Redis, a user without a password is let in with any.
  if (user != kDefaultUser || !(required.empty() || SamePassword(password, required))) {
    return Error("WRONGPASS invalid username-password pair or user is disabled.");
  }
  ctx.session().authenticated = true;
  ctx.clients().SetUser(&ctx.session(), kDefaultUser);
  return Status::Ok();
}

// Names stand between spaces in the lines of CLIENT LIST.
bool IsPlainName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}
Status BadName() {
  return Error("ERR Client names cannot contain spaces, newlines or special characters.");
}

Status OnOrOff(std::string_view word, bool* on) {
  *on = EqualsIgnoreCase(word, "on");
  return *on || EqualsIgnoreCase(word, "off") ? Status::Ok() : Syntax();
}

Status Ping(LocalContext& ctx, Args args, Writer& reply) {
  if (args.size() > 2) return errors::WrongArity("ping");
  if (ctx.session().protocol == 2 && ctx.session().subscriptions() > 0) {
    reply.Array(2);
    reply.Bulk("pong");
    reply.Bulk(args.size() == 2 ? args[1] : "");
    return Status::Ok();
  }
  if (args.size() == 2) {
    reply.Bulk(args[1]);
  } else {
    reply.SimpleString("PONG");
  }
  return Status::Ok();
}

Status Echo(LocalContext&, Args args, Writer& reply) {
  reply.Bulk(args[1]);
  return Status::Ok();
}

Status Hello(LocalContext& ctx, Args args, Writer& reply) {
  Session& session = ctx.session();
  int64_t protocol = session.protocol;
  if (args.size() > 1) {
    if (!ParseInt64(args[1], &protocol)) {
      return Error("ERR Protocol version is not an integer or out of range");
    }
    if (protocol < 2 || protocol > 3) return Error("NOPROTO unsupported protocol version");
  }
  const std::string_view* credentials = nullptr;
  const std::string_view* name = nullptr;
  for (size_t i = 2; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "AUTH") && i + 2 < args.size()) {
      credentials = &args[i + 1];
      i += 2;
    } else if (EqualsIgnoreCase(args[i], "SETNAME") && i + 1 < args.size()) {
      name = &args[++i];
      if (!IsPlainName(*name)) return BadName();
    } else {
      return Error("ERR Syntax error in HELLO option '" + std::string(args[i]) + "'");
    }
  }
  if (credentials != nullptr) RETURN_IF_ERROR(Authenticate(ctx, credentials[0], credentials[1]));
  if (!session.authenticated) {
    return Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  if (name != nullptr) ctx.clients().SetName(&session, *name);
  session.protocol = static_cast<int>(protocol);
  reply.set_protocol(session.protocol);

  reply.Map(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(session.protocol);
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(session.id()));
  reply.Bulk("mode");
  reply.Bulk(ctx.server().limits().cluster_enabled ? "cluster" : "standalone");
  reply.Bulk("role");
  reply.Bulk(ctx.replica().Info().role == raft::Role::kLeader ? "master" : "replica");
  reply.Bulk("modules");
  reply.Array(0);
  return Status::Ok();
}

Status Auth(LocalContext& ctx, Args args, Writer& reply) {
  if (args.size() > 3) return Syntax();
  if (args.size() == 2 && ctx.server().limits().requirepass.empty()) {
    return Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  RETURN_IF_ERROR(Authenticate(ctx, args.size() == 3 ? args[1] : kDefaultUser, args.back()));
  reply.Ok();
  return Status::Ok();
}

Status Quit(LocalContext& ctx, Args, Writer& reply) {
  reply.Ok();
  ctx.session().close_after_reply = true;
  return Status::Ok();
}

Status Reset(LocalContext& ctx, Args, Writer& reply) {
  Session& session = ctx.session();
  if (session.subscriptions() > 0) ctx.pubsub().Forget(&session);
  if (session.tracking) ctx.tracking().Disable(&session);
  if (session.monitor) ctx.server().monitors().Remove(session.id());
  session.monitor = false;
  session.db = 0;
  session.protocol = 2;
  session.authenticated = ctx.server().limits().requirepass.empty();
  session.reply_mode = ReplyMode::kOn;
  session.no_evict = false;
  session.no_touch = false;
  session.readonly = false;
  session.transaction.reset();
  ctx.clients().SetName(&session, "");
  ctx.clients().SetUser(&session, kDefaultUser);
  reply.set_protocol(2);
  reply.SimpleString("RESET");
  return Status::Ok();
}

Status Select(LocalContext& ctx, Args args, Writer& reply) {
  int64_t db;
  if (!ParseInt64(args[1], &db) || db < INT32_MIN || db > INT32_MAX) {
    return Status(Code::kNotInteger);
  }
  if (db != 0 && ctx.server().limits().cluster_enabled) {
    return Error("ERR SELECT is not allowed in cluster mode");
  }
  if (db < 0 || db >= engine::kDatabases) return Error("ERR DB index is out of range");
  ctx.session().db = static_cast<int>(db);
  reply.Ok();
  return Status::Ok();
}

// --- CLIENT ------------------------------------------------------------------------------------

// A type of client in its own words; the kinds master and replica have no members here.
bool ClientType(std::string_view word, std::string_view* type) {
  for (std::string_view known : {"normal", "master", "replica", "pubsub"}) {
    if (EqualsIgnoreCase(word, known)) {
      *type = known;
      return true;
    }
  }
  if (!EqualsIgnoreCase(word, "slave")) return false;
  *type = "replica";
  return true;
}
Status UnknownClientType(std::string_view word) {
  return Error("ERR Unknown client type '" + std::string(word) + "'");
}

Status ClientId(LocalContext& ctx, Args, Writer& reply) {
  reply.Integer(static_cast<int64_t>(ctx.session().id()));
  return Status::Ok();
}

Status ClientGetName(LocalContext& ctx, Args, Writer& reply) {
  if (ctx.session().name.empty()) {
    reply.Null();
  } else {
    reply.Bulk(ctx.session().name);
  }
  return Status::Ok();
}

Status ClientSetName(LocalContext& ctx, Args args, Writer& reply) {
  if (!IsPlainName(args[2])) return BadName();
  ctx.clients().SetName(&ctx.session(), args[2]);
  reply.Ok();
  return Status::Ok();
}

Status ClientSetInfo(LocalContext& ctx, Args args, Writer& reply) {
  bool name = EqualsIgnoreCase(args[2], "LIB-NAME");
  if (!name && !EqualsIgnoreCase(args[2], "LIB-VER")) {
    return Error("ERR Unrecognized option '" + std::string(args[2]) + "'");
  }
  if (!IsPlainName(args[3])) {
    return Error("ERR " + std::string(args[2]) +
                 " cannot contain spaces, newlines or special characters.");
  }
  if (name) {
    ctx.clients().SetLibName(&ctx.session(), args[3]);
  } else {
    ctx.clients().SetLibVersion(&ctx.session(), args[3]);
  }
  reply.Ok();
  return Status::Ok();
}

Status ClientInfoCommand(LocalContext& ctx, Args, Writer& reply) {
  reply.Verbatim(FormatClient(ctx.clients().Info(ctx.session(), ctx.now_ms())) + '\n');
  return Status::Ok();
}

Status ClientList(LocalContext& ctx, Args args, Writer& reply) {
  std::vector<ClientInfo> clients = ctx.clients().List(ctx.now_ms());
  std::string text;
  if (args.size() == 2) {
    for (const ClientInfo& client : clients) text += FormatClient(client) + '\n';
  } else if (args.size() == 4 && EqualsIgnoreCase(args[2], "TYPE")) {
    std::string_view type;
    if (!ClientType(args[3], &type)) return UnknownClientType(args[3]);
    for (const ClientInfo& client : clients) {
      if (client.type == type) text += FormatClient(client) + '\n';
    }
  } else if (args.size() >= 4 && EqualsIgnoreCase(args[2], "ID")) {
    for (std::string_view arg : args.subspan(3)) {
      int64_t id;
      if (!ParseInt64(arg, &id)) return Error("ERR Invalid client ID");
      auto found = std::lower_bound(
          clients.begin(), clients.end(), id,
          [](const ClientInfo& c, int64_t wanted) { return static_cast<int64_t>(c.id) < wanted; });
      if (found != clients.end() && static_cast<int64_t>(found->id) == id) {
        text += FormatClient(*found) + '\n';
      }
    }
  } else {
    return Syntax();
  }
  reply.Verbatim(text);
  return Status::Ok();
}

struct KillFilter {
  int64_t id = 0;
  std::string_view type, user, address, local_address;
  bool skip_self = true;
};

Status ParseKillFilter(Args args, KillFilter* filter) {
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return Syntax();
    std::string_view value = args[i + 1];
    if (EqualsIgnoreCase(args[i], "ID")) {
      if (!ParseInt64(value, &filter->id) || filter->id < 1) {
        return Error("ERR client-id should be greater than 0");
      }
    } else if (EqualsIgnoreCase(args[i], "TYPE")) {
      if (!ClientType(value, &filter->type)) return UnknownClientType(value);
    } else if (EqualsIgnoreCase(args[i], "ADDR")) {
      filter->address = value;
    } else if (EqualsIgnoreCase(args[i], "LADDR")) {
      filter->local_address = value;
    } else if (EqualsIgnoreCase(args[i], "USER")) {
      if (value != kDefaultUser) return Error("ERR No such user '" + std::string(value) + "'");
      filter->user = value;
    } else if (EqualsIgnoreCase(args[i], "SKIPME")) {
      filter->skip_self = EqualsIgnoreCase(value, "yes");
      if (!filter->skip_self && !EqualsIgnoreCase(value, "no")) return Syntax();
    } else {
      return Syntax();
    }
  }
  return Status::Ok();
}

Status ClientKill(LocalContext& ctx, Args args, Writer& reply) {
  KillFilter filter;
  // CLIENT KILL ip:port, the form of before Redis 2.8.12, kills the caller too.
  const bool old_form = args.size() == 3;
  if (old_form) {
    filter.address = args[2];
    filter.skip_self = false;
  } else {
    RETURN_IF_ERROR(ParseKillFilter(args, &filter));
  }
  const uint64_t self_id = ctx.session().id();
  size_t killed = ctx.clients().Kill(
      &ctx.session(), ctx.now_ms(), [&filter, self_id, old_form](const ClientInfo& client) {
        if (filter.skip_self && client.id == self_id) return false;
        if (filter.id != 0 && client.id != static_cast<uint64_t>(filter.id)) return false;
        if (!filter.type.empty() && client.type != filter.type) return false;
        if (!filter.user.empty() && client.user != filter.user) return false;
        if ((old_form || !filter.address.empty()) && client.address != filter.address) return false;
        return filter.local_address.empty() || client.local_address == filter.local_address;
      });
  if (!old_form) {
    reply.Integer(static_cast<int64_t>(killed));
    return Status::Ok();
  }
  if (killed == 0) return Error("ERR No such client");
  reply.Ok();
  return Status::Ok();
}

Status ClientNoEvict(LocalContext& ctx, Args args, Writer& reply) {
  bool on;
  RETURN_IF_ERROR(OnOrOff(args[2], &on));
  ctx.session().no_evict = on;
  reply.Ok();
  return Status::Ok();
}

Status ClientNoTouch(LocalContext& ctx, Args args, Writer& reply) {
  bool on;
  RETURN_IF_ERROR(OnOrOff(args[2], &on));
  ctx.session().no_touch = on;
  reply.Ok();
  return Status::Ok();
}

Status ClientReply(LocalContext& ctx, Args args, Writer& reply) {
  Session& session = ctx.session();
  if (EqualsIgnoreCase(args[2], "ON")) {
    session.reply_mode = ReplyMode::kOn;
    reply.Ok();
  } else if (EqualsIgnoreCase(args[2], "OFF")) {
    session.reply_mode = ReplyMode::kOff;
  } else if (EqualsIgnoreCase(args[2], "SKIP")) {
    // SKIP has no effect, and no reply, while replies are off.
    if (session.reply_mode != ReplyMode::kOff) session.reply_mode = ReplyMode::kSkipNext;
  } else {
    return Syntax();
  }
  return Status::Ok();
}

Status ClientPause(LocalContext& ctx, Args args, Writer& reply) {
  PauseMode mode = PauseMode::kAll;
  if (args.size() > 4) return Syntax();
  if (args.size() == 4) {
    if (EqualsIgnoreCase(args[3], "WRITE")) {
      mode = PauseMode::kWrites;
    } else if (!EqualsIgnoreCase(args[3], "ALL")) {
      return Error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  int64_t timeout_ms;
  if (!ParseInt64(args[2], &timeout_ms)) {
    return Error("ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return Error("ERR timeout is negative");
  if (timeout_ms > INT64_MAX - ctx.now_ms()) return Error("ERR timeout is out of range");
  ctx.server().Pause(mode, ctx.now_ms() + timeout_ms);
  reply.Ok();
  return Status::Ok();
}

Status ClientUnpause(LocalContext& ctx, Args, Writer& reply) {
  ctx.server().Unpause();
  reply.Ok();
  return Status::Ok();
}

// --- CLIENT TRACKING and what belongs to it ------------------------------------------------------

Status ParseTracking(LocalContext& ctx, Args args, TrackingOptions* options) {
  for (size_t i = 3; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (EqualsIgnoreCase(args[i], "REDIRECT") && more) {
      if (options->redirect != 0) {
        return Error("ERR A client can only redirect to a single other client");
      }
      int64_t id;
      if (!ParseInt64(args[++i], &id)) return Status(Code::kNotInteger);
      options->redirect = static_cast<uint64_t>(id);
      if (!ctx.clients().Visit(options->redirect, [](Session*, LoopWaker*) {})) {
        return Error("ERR The client ID you want redirect to does not exist");
      }
    } else if (EqualsIgnoreCase(args[i], "BCAST")) {
      options->bcast = true;
    } else if (EqualsIgnoreCase(args[i], "OPTIN")) {
      options->optin = true;
    } else if (EqualsIgnoreCase(args[i], "OPTOUT")) {
      options->optout = true;
    } else if (EqualsIgnoreCase(args[i], "NOLOOP")) {
      options->noloop = true;
    } else if (EqualsIgnoreCase(args[i], "PREFIX") && more) {
      options->prefixes.emplace_back(args[++i]);
    } else {
      return Syntax();
    }
  }
  return Status::Ok();
}

Status ClientTracking(LocalContext& ctx, Args args, Writer& reply) {
  TrackingOptions options;
  RETURN_IF_ERROR(ParseTracking(ctx, args, &options));
  bool on;
  RETURN_IF_ERROR(OnOrOff(args[2], &on));
  if (on) {
    RETURN_IF_ERROR(ctx.tracking().Enable(&ctx.session(), std::move(options)));
  } else {
    ctx.tracking().Disable(&ctx.session());
  }
  reply.Ok();
  return Status::Ok();
}

Status ClientCaching(LocalContext& ctx, Args args, Writer& reply) {
  const TrackingOptions* options =
      ctx.session().tracking ? ctx.tracking().OptionsOf(&ctx.session()) : nullptr;
  if (options == nullptr) {
    return Error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
  }
  const bool yes = EqualsIgnoreCase(args[2], "YES");
  if (!yes && !EqualsIgnoreCase(args[2], "NO")) return Syntax();
  if (yes && !options->optin) {
    return Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  }
  if (!yes && !options->optout) {
    return Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  }
  ctx.tracking().SetCaching(&ctx.session());
  reply.Ok();
  return Status::Ok();
}

Status ClientGetRedir(LocalContext& ctx, Args, Writer& reply) {
  reply.Integer(ctx.session().redirect);
  return Status::Ok();
}

Status ClientTrackingInfo(LocalContext& ctx, Args, Writer& reply) {
  const Session& session = ctx.session();
  const TrackingOptions* options = session.tracking ? ctx.tracking().OptionsOf(&session) : nullptr;
  std::vector<std::string_view> flags = {options == nullptr ? "off" : "on"};
  if (options != nullptr) {
    const bool caching = ctx.tracking().caching(&session);
    if (options->bcast) flags.push_back("bcast");
    if (options->optin) flags.push_back("optin");
    if (options->optin && caching) flags.push_back("caching-yes");
    if (options->optout) flags.push_back("optout");
    if (options->optout && caching) flags.push_back("caching-no");
    if (options->noloop) flags.push_back("noloop");
    if (session.tracking_broken) flags.push_back("broken_redirect");
  }
  reply.Map(3);
  reply.Bulk("flags");
  reply.Set(flags.size());
  for (std::string_view flag : flags) reply.Bulk(flag);
  reply.Bulk("redirect");
  reply.Integer(session.redirect);
  reply.Bulk("prefixes");
  reply.Array(options == nullptr ? 0 : options->prefixes.size());
  for (size_t i = 0; options != nullptr && i < options->prefixes.size(); ++i) {
    reply.Bulk(options->prefixes[i]);
  }
  return Status::Ok();
}

Status ClientHelp(LocalContext&, Args, Writer& reply) {
  WriteHelp("CLIENT",
            {"CACHING (YES|NO)",
             "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
             "GETREDIR",
             "    Return the client ID we are redirecting to when tracking is enabled.",
             "GETNAME",
             "    Return the name of the current connection.",
             "ID",
             "    Return the ID of the current connection.",
             "INFO",
             "    Return information about the current client connection.",
             "KILL <ip:port>",
             "    Kill connection made from <ip:port>.",
             "KILL <option> <value> [<option> <value> [...]]",
             "    Kill connections. Options are:",
             "    * ADDR (<ip:port>|<unixsocket>:0)",
             "      Kill connections made from the specified address",
             "    * LADDR (<ip:port>|<unixsocket>:0)",
             "      Kill connections made to specified local address",
             "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
             "      Kill connections by type.",
             "    * USER <username>",
             "      Kill connections authenticated by <username>.",
             "    * SKIPME (YES|NO)",
             "      Skip killing current connection (default: yes).",
             "    * ID <client-id>",
             "      Kill connections by client id.",
             "LIST [options ...]",
             "    Return information about client connections. Options:",
             "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
             "      Return clients of specified type.",
             "    * ID <client-id> [<client-id> ...]",
             "      Return clients with the specified ids.",
             "UNPAUSE",
             "    Stop the current client pause, resuming traffic.",
             "PAUSE <timeout> [WRITE|ALL]",
             "    Suspend all, or just write, clients for <timeout> milliseconds.",
             "REPLY (ON|OFF|SKIP)",
             "    Control the replies sent to the current connection.",
             "SETNAME <name>",
             "    Assign the name <name> to the current connection.",
             "SETINFO <option> <value>",
             "    Set client meta attr. Options are:",
             "    * LIB-NAME: the client lib name.",
             "    * LIB-VER: the client lib version.",
             "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
             "         [OPTIN] [OPTOUT] [NOLOOP]",
             "    Control server assisted client side caching.",
             "TRACKINGINFO",
             "    Report tracking status for the current connection.",
             "NO-EVICT (ON|OFF)",
             "    Protect current client connection from eviction.",
             "NO-TOUCH (ON|OFF)",
             "    Will not touch LRU/LFU stats when this mode is on."},
            reply);
  return Status::Ok();
}

using namespace commands;  // NOLINT: the names of flags and categories fill the tables

constexpr uint32_t kOwn = kNoscript | kAnyTime;
constexpr uint32_t kOthers = kOwn | kAdmin;
constexpr uint32_t kAlways = kOwn | kFast | kNoAuth | kAllowBusy;
constexpr std::string_view kGroup = "connection";
constexpr std::string_view kPerClient = "O(N) where N is the number of client connections";

Status ClientUnblock(LocalContext& ctx, Args args, Writer& reply) {
  bool with_error = false;
  if (args.size() == 4) {
    with_error = EqualsIgnoreCase(args[3], "ERROR");
    if (!with_error && !EqualsIgnoreCase(args[3], "TIMEOUT")) {
      return Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
  } else if (args.size() > 4) {
    return Error(
        "ERR unknown subcommand or wrong number of arguments for 'unblock'. Try CLIENT HELP.");
  }
  int64_t id;
  if (!ParseInt64(args[2], &id)) return Status(Code::kNotInteger);
  reply.Integer(id > 0 && ctx.clients().Unblock(static_cast<uint64_t>(id), with_error) ? 1 : 0);
  return Status::Ok();
}

constexpr CommandSpec kClientSubcommands[] = {
    LocalSpec("caching", 3, kOwn, kAclConnection, ClientCaching, kGroup, "6.0.0", "O(1)",
              "Says what the next command does with the keys that it reads."),
    LocalSpec("getname", 2, kOwn, kAclConnection, ClientGetName, kGroup, "2.6.9", "O(1)",
              "Returns the name of the connection."),
    LocalSpec("getredir", 2, kOwn, kAclConnection, ClientGetRedir, kGroup, "6.0.0", "O(1)",
              "Returns the client that gets the connection's invalidations."),
    LocalSpec("help", 2, kAnyTime, kAclConnection, ClientHelp, kGroup, "5.0.0", "O(1)",
              "Lists the subcommands."),
    LocalSpec("id", 2, kOwn, kAclConnection, ClientId, kGroup, "5.0.0", "O(1)",
              "Returns the number of the connection."),
    LocalSpec("info", 2, kOwn, kAclConnection, ClientInfoCommand, kGroup, "6.2.0", "O(1)",
              "Describes the connection."),
    LocalSpec("kill", -3, kOthers, kAclConnection, ClientKill, kGroup, "2.4.0", kPerClient,
              "Closes connections."),
    LocalSpec("list", -2, kOthers, kAclConnection, ClientList, kGroup, "2.4.0", kPerClient,
              "Lists the connections of this node."),
    LocalSpec("no-evict", 3, kOthers, kAclConnection, ClientNoEvict, kGroup, "7.0.0", "O(1)",
              "Marks the connection; clients are never evicted here."),
    LocalSpec("no-touch", 3, kOwn, kAclConnection, ClientNoTouch, kGroup, "7.2.0", "O(1)",
              "Marks the connection; no time of access is kept here."),
    LocalSpec("pause", -3, kOthers, kAclConnection, ClientPause, kGroup, "2.9.50", "O(1)",
              "Holds commands of this node's clients back for some time."),
    LocalSpec("reply", 3, kOwn, kAclConnection, ClientReply, kGroup, "3.2.0", "O(1)",
              "Says whether the connection wants replies."),
    LocalSpec("setinfo", 4, kOwn, kAclConnection, ClientSetInfo, kGroup, "7.2.0", "O(1)",
              "Names the client library and its version."),
    LocalSpec("setname", 3, kOwn, kAclConnection, ClientSetName, kGroup, "2.6.9", "O(1)",
              "Names the connection."),
    LocalSpec("tracking", -3, kOwn | kAfterReplies, kAclConnection, ClientTracking, kGroup, "6.0.0",
              "O(1); O(N) in the prefixes given.",
              "Begins or ends to tell of changes of keys that the connection has read."),
    LocalSpec("trackinginfo", 2, kOwn, kAclConnection, ClientTrackingInfo, kGroup, "6.2.0", "O(1)",
              "Says how the connection's client-side cache is kept."),
    LocalSpec("unblock", -3, kOthers, kAclConnection, ClientUnblock, kGroup, "5.0.0", "O(1)",
              "Ends the wait of a client that is blocked."),
    LocalSpec("unpause", 2, kOthers, kAclConnection, ClientUnpause, kGroup, "6.2.0",
              "O(N) Where N is the number of paused clients", "Ends CLIENT PAUSE."),
};

constexpr CommandSpec kTable[] = {
    LocalSpec("ping", -1, kFast, kAclConnection, Ping, kGroup, "1.0.0", "O(1)",
              "Replies PONG, or its argument."),
    LocalSpec("echo", 2, kAnyTime | kFast, kAclConnection, Echo, kGroup, "1.0.0", "O(1)",
              "Replies its argument."),
    LocalSpec("hello", -1, kAlways, kAclConnection, Hello, kGroup, "6.0.0", "O(1)",
              "Greets the server and chooses the protocol."),
    LocalSpec("auth", -2, kAlways, kAclConnection, Auth, kGroup, "1.0.0", "O(1)",
              "Authenticates the connection."),
    LocalSpec("quit", -1, kAlways | kNeverQueued, kAclConnection, Quit, kGroup, "1.0.0", "O(1)",
              "Closes the connection."),
    LocalSpec("reset", 1, kAlways | kNeverQueued | kAfterReplies, kAclConnection, Reset, kGroup,
              "6.2.0", "O(1)", "Makes the connection as if it were new."),
    LocalSpec("select", 2, kAnyTime | kFast, kAclConnection, Select, kGroup, "1.0.0", "O(1)",
              "Chooses the connection's database."),
    ContainerSpec("client", kGroup, "2.4.0", "Commands about client connections.",
                  kClientSubcommands),
};

}  // namespace

std::span<const CommandSpec> ConnectionCommands() { return kTable; }

}  // namespace metastore::server
