#include "tests/replica/collection_load.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/parse.h"
#include "commands/context.h"
#include "commands/errors.h"
#include "replica/item_check.h"
#include "resp/writer.h"

namespace metastore::replica {
namespace {

constexpr int64_t kFarMs = 1'000'000'000;
// Long enough that a few make a collection spread.
constexpr size_t kLongBytes = 300;
constexpr char kStreamKey[] = "stream";
constexpr char kFieldsKey[] = "fields";

// $h $l $s $z $x $y $a: a key of that type ($y: streams with ids of ours), as a rule; $k: any key;
// $e: an element, $v: a value, $i: a small number, also below zero, $n: a small number, $t: a time
// in ms, $m: a key of a string, $+: a number above all before, $-: one of the latest of those. What
// follows ~N comes 1 to N times.
struct Template {
  uint64_t weight;
  std::string_view words;
};
constexpr Template kWrites[] = {
    {6, "HSET $h ~6 $e $v"},
    {2, "HSET $h ~40 $e $v"},
    {1, "HSETNX $h $e $v"},
    {3, "HDEL $h ~4 $e"},
    {1, "HINCRBY $h $e $i"},
    {1, "HINCRBYFLOAT $h $e 1.5"},
    {6, "HPEXPIRE $h $t FIELDS 3 $e $e $e"},
    {1, "HPEXPIRE $h $t NX FIELDS 1 $e"},
    {1, "HPEXPIRE $h $t GT FIELDS 1 $e"},
    {1, "HEXPIRE $h 1 FIELDS 2 $e $e"},
    {1, "HPEXPIREAT $h 1 FIELDS 1 $e"},
    {2, "HPERSIST $h FIELDS 2 $e $e"},
    {4, "LPUSH $l ~8 $e"},
    {2, "RPUSH $l ~30 $e"},
    {2, "LPOP $l"},
    {2, "RPOP $l $n"},
    {3, "LINSERT $l BEFORE $e $e"},
    {2, "LREM $l $i $e"},
    {1, "LTRIM $l $n -$n"},
    {2, "LSET $l $i $e"},
    {2, "LMOVE $l $l LEFT RIGHT"},
    {1, "RPOPLPUSH $l $l"},
    {1, "LMPOP 2 $l $l RIGHT COUNT 3"},
    {1, "SORT $l ALPHA STORE $l"},
    {4, "SADD $s ~6 $e"},
    {2, "SADD $s ~40 $e"},
    {2, "SADD $s ~10 $i"},
    {3, "SREM $s ~4 $e"},
    {3, "SPOP $s"},
    {2, "SPOP $s $n"},
    {2, "SMOVE $s $s $e"},
    {1, "SINTERSTORE $s $s $s"},
    {1, "SUNIONSTORE $s $s $s"},
    {1, "SDIFFSTORE $s $s $s"},
    {4, "ZADD $z ~6 $i $e"},
    {2, "ZADD $z ~40 $n.5 $e"},
    {1, "ZADD $z GT CH $n $e"},
    {2, "ZINCRBY $z $i $e"},
    {3, "ZREM $z ~4 $e"},
    {2, "ZPOPMIN $z $n"},
    {1, "ZPOPMAX $z"},
    {1, "ZREMRANGEBYRANK $z $n $n"},
    {1, "ZREMRANGEBYSCORE $z 0 $n"},
    {1, "ZUNIONSTORE $z 2 $z $s"},
    {1, "ZINTERSTORE $z 2 $z $z AGGREGATE MAX"},
    {1, "ZDIFFSTORE $z 2 $z $z"},
    {1, "ZRANGESTORE $z $z 0 $n"},
    {1, "GEOADD $z 13.3 38.1 $e"},
    {3, "XADD $x * ~3 $e $v"},
    {2, "XADD $x MAXLEN ~ 10 * $e $v"},
    {1, "XADD $x MAXLEN 5 * $e $v"},
    {1, "XGROUP CREATE $x g $"},
    {12, "XADD $y $+-1 ~3 $e $v"},
    {3, "XDEL $y ~6 $--1"},
    {1, "XTRIM $y MAXLEN $n"},
    {1, "XTRIM $y MINID $--1"},
    {6, "XGROUP CREATE $y g 0 MKSTREAM"},
    {4, "XREADGROUP GROUP g c1 COUNT 3 STREAMS $y >"},
    {2, "XREADGROUP GROUP g c2 NOACK COUNT 2 STREAMS $y >"},
    {1, "XREADGROUP GROUP g c2 STREAMS $y 0"},
    {3, "XACK $y g ~8 $--1"},
    {2, "XCLAIM $y g c1 0 ~6 $--1"},
    {1, "XAUTOCLAIM $y g c2 0 0 COUNT 4"},
    {1, "XGROUP DELCONSUMER $y g c1"},
    {1, "XGROUP DESTROY $y g"},
    {1, "XGROUP SETID $y g 0"},
    {1, "XGROUP CREATECONSUMER $y g c3"},
    {2, "SET $a $v PX $t"},
    {1, "SET $k $v"},
    {2, "APPEND $a $v"},
    {1, "SETRANGE $a $n $v"},
    {1, "SETBIT $a $n 1"},
    {1, "GETEX $a PX $t"},
    {1, "PFADD $a ~3 $e"},
    {2, "DEL $k"},
    {1, "UNLINK $k $k"},
    {5, "RENAME $k $k"},
    {2, "RENAMENX $k $k"},
    {3, "COPY $k $k REPLACE"},
    {2, "COPY $k $k DB 2"},
    {1, "MOVE $k 2"},
    {3, "PEXPIRE $k $t"},
    {1, "PEXPIRE $k $t GT"},
    {2, "PERSIST $k"},
    // Enough of them that FLUSHDB takes another prefix.
    {1, "MSET ~120 $m $v"},
};
constexpr Template kReads[] = {
    {1, "HGETALL $h"},
    {1, "HRANDFIELD $h $i WITHVALUES"},
    {1, "HSCAN $h 0 COUNT 5"},
    {1, "HPTTL $h FIELDS 2 $e $e"},
    {1, "HMGET $h $e $e"},
    {1, "LRANGE $l $i $i"},
    {1, "LINDEX $l $i"},
    {1, "LPOS $l $e RANK -1"},
    {1, "SMEMBERS $s"},
    {2, "SRANDMEMBER $s $i"},
    {1, "SRANDMEMBER $s"},
    {1, "SSCAN $s 0"},
    {1, "SINTER $s $s"},
    {1, "SUNION $s $s"},
    {1, "ZRANGE $z $i $i WITHSCORES"},
    {1, "ZRANGEBYSCORE $z -inf ($n LIMIT 1 3"},
    {1, "ZREVRANK $z $e"},
    {1, "ZRANDMEMBER $z $i WITHSCORES"},
    {1, "ZCOUNT $z -inf $n"},
    {1, "ZUNION 2 $z $s"},
    {1, "XRANGE $y $--1 + COUNT 3"},
    {1, "XREVRANGE $x + -"},
    {1, "XREAD COUNT 3 STREAMS $y $--1"},
    {1, "XINFO STREAM $y FULL"},
    {1, "XINFO GROUPS $y"},
    {1, "XPENDING $y g - + 5"},
    {1, "TYPE $k"},
    {1, "OBJECT ENCODING $k"},
    {1, "SCAN 0 COUNT 5"},
    {1, "RANDOMKEY"},
    {1, "DBSIZE"},
    {1, "PTTL $k"},
    {1, "DUMP $k"},
    {1, "SORT_RO $s ALPHA"},
};

std::string_view Draw(std::span<const Template> templates, Random& random) {
  uint64_t sum = 0;
  for (const Template& t : templates) sum += t.weight;
  uint64_t at = random.Uniform(sum);
  for (const Template& t : templates) {
    if (at < t.weight) return t.words;
    at -= t.weight;
  }
  return {};
}

std::vector<std::string_view> Split(std::string_view words) {
  std::vector<std::string_view> out;
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    out.push_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return out;
}

std::string Element(Random& random) {
  const uint64_t number = random.Uniform(60);
  std::string name = "e" + std::to_string(number);
  if (number % 4 == 0) name.resize(kLongBytes, 'l');
  return name;
}

bool IsNumber(const resp::Value& value) { return value.type == resp::Type::kInteger; }

// Of ZINCRBY and ZSCORE the reply is text.
int64_t NumberIn(const resp::Value& value) {
  if (IsNumber(value)) return value.integer;
  int64_t number = 0;
  return ParseInt64(value.text, &number) ? number : 0;
}

}  // namespace

const commands::CommandSpec* FindDataCommand(std::string_view name) {
  for (std::span<const commands::CommandSpec> group :
       {commands::StringCommands(), commands::BitmapCommands(), commands::HyperloglogCommands(),
        commands::HashCommands(), commands::ListCommands(), commands::SetCommands(),
        commands::SortedSetCommands(), commands::StreamCommands(), commands::GeoCommands(),
        commands::SortCommands(), commands::DumpCommands(), commands::GenericCommands()}) {
    for (const commands::CommandSpec& spec : group) {
      if (EqualsIgnoreCase(spec.name, name)) return &spec;
    }
  }
  return nullptr;
}

void CollectionLoad::Fail(const std::string& why) {
  if (failure_.empty()) failure_ = why;
}

std::string CollectionLoad::NewToken(Random& random) {
  std::string token = "t" + std::to_string(next_token_++);
  if (random.OneIn(5)) {
    token.push_back(' ');
    token.resize(kLongBytes, 'l');
  }
  return token;
}

const std::string& CollectionLoad::Some(const std::vector<std::string>& of, Random& random) const {
  static const std::string kNone = "none";
  if (of.empty()) return kNone;
  // The later ones are there more likely.
  const size_t among = random.OneIn(2) ? std::min<size_t>(of.size(), 10) : of.size();
  return of[of.size() - 1 - random.Uniform(among)];
}

CollectionLoad::StreamId CollectionLoad::ParseId(const std::string& text) {
  const size_t dash = text.find('-');
  if (dash == std::string::npos) return {};
  return {std::strtoull(text.c_str(), nullptr, 10),
          std::strtoull(text.c_str() + dash + 1, nullptr, 10)};
}

CollectionLoad::Operation CollectionLoad::Next(Random& random) {
  Operation operation;
  switch (random.Uniform(14)) {
    case 0:
      operation = OnList(random);
      break;
    case 1:
      operation = OnSet(random);
      break;
    case 2:
      operation = OnSortedSet(random);
      break;
    case 3:
      operation = OnHash(random);
      break;
    case 4:
      operation = OnCounter(random);
      break;
    case 5:
      operation = OnStream(random);
      break;
    case 6:
      operation = OnMortal(random);
      break;
    default:
      operation = Chaos(random, random.OneIn(6));
  }
  return operation;
}

resp::Value CollectionLoad::Ask(const engine::View& view, int db, const Words& words) {
  Item item;
  item.kind = ItemKind::kRead;
  item.args.assign(words.begin(), words.end());
  Result<const commands::CommandSpec*> spec = CheckItem(item, FindDataCommand);
  CHECK_MSG(spec.ok(), spec.ToString());
  commands::ReadContext context(view, db);
  std::string out;
  resp::Writer writer(&out, 2);
  Status status = (*spec)->handler.read(context, item.args, writer);
  if (!status.ok()) {
    out.clear();
    commands::WriteError(status, writer);
  }
  std::string_view rest = out;
  resp::Value value;
  CHECK(resp::ParseValue(&rest, &value) == resp::ParseResult::kValue);
  CHECK(rest.empty());
  return value;
}

CollectionLoad::Words CollectionLoad::Fill(std::string_view words, Random& random) {
  const std::vector<std::string_view> parts = Split(words);
  Words filled;
  auto fill = [&](std::string_view part) {
    std::string word;
    while (!part.empty()) {
      if (part[0] != '$' || part.size() == 1) {
        word.push_back(part[0]);
        part.remove_prefix(1);
        continue;
      }
      constexpr std::string_view kTypes = "hlszxya";
      const char what = part[1];
      part.remove_prefix(2);
      if (what == 'k' || kTypes.find(what) != std::string_view::npos) {
        word.push_back(what == 'k' ? kTypes[random.Uniform(kTypes.size())] : what);
        word += std::to_string(random.Uniform(2));
      } else if (what == 'e') {
        word += Element(random);
      } else if (what == 'v') {
        word += random.OneIn(3) ? std::to_string(random.Uniform(1000)) : Element(random);
      } else if (what == 'i') {
        word += std::to_string(static_cast<int64_t>(random.Uniform(40)) - 15);
      } else if (what == 'n') {
        word += std::to_string(random.Uniform(12));
      } else if (what == 't') {
        const bool far = random.OneIn(8);
        word += std::to_string(far ? kFarMs : static_cast<int64_t>(1 + random.Uniform(kMaxNearMs)));
      } else if (what == '+') {
        word += std::to_string(next_id_++);
      } else if (what == '-') {
        word += std::to_string(next_id_ - std::min(next_id_ - 1, 1 + random.Uniform(16)));
      } else if (what == 'm') {
        word += "m" + std::to_string(random.Uniform(200));
      } else {
        CHECK_MSG(false, "no such placeholder in " + std::string(words));
      }
    }
    filled.push_back(std::move(word));
  };
  for (size_t i = 0; i < parts.size(); ++i) {
    int64_t most = 0;
    if (parts[i][0] != '~' || !ParseInt64(parts[i].substr(1), &most)) {
      fill(parts[i]);
      continue;
    }
    for (uint64_t times = 1 + random.Uniform(static_cast<uint64_t>(most)); times > 0; --times) {
      for (size_t j = i + 1; j < parts.size(); ++j) fill(parts[j]);
    }
    break;
  }
  return filled;
}

CollectionLoad::Operation CollectionLoad::Chaos(Random& random, bool reads) {
  Operation operation;
  operation.db = random.OneIn(6) ? 2 : 1;
  operation.reads = reads;
  for (uint64_t count = 1 + random.Uniform(4); count > 0; --count) {
    operation.commands.push_back(
        Fill(operation.reads ? Draw(std::span(kReads), random) : Draw(std::span(kWrites), random),
             random));
  }
  // Rare, or nothing would grow.
  if (!operation.reads && random.OneIn(150)) {
    operation.commands.push_back(random.OneIn(2) ? Words{"FLUSHDB"} : Words{"SWAPDB", "1", "2"});
  }
  operation.done = [this](BatchOutcome outcome, const Replies&) {
    if (outcome == BatchOutcome::kApplied) ++acknowledged_;
  };
  return operation;
}

CollectionLoad::Operation CollectionLoad::Put(Pool* pool, Words command,
                                              const std::vector<std::string>& tokens) {
  pool->names.insert(pool->names.end(), tokens.begin(), tokens.end());
  Operation operation;
  operation.commands = {std::move(command)};
  operation.done = [this, pool, tokens](BatchOutcome outcome, const Replies& replies) {
    const bool done = outcome == BatchOutcome::kApplied;
    if (done && (!IsNumber(replies[0]) || replies[0].integer == 0)) {
      Fail("putting " + tokens[0] + " gave " + resp::ToString(replies[0]));
    }
    // What LINSERT says when there is no such pivot.
    const bool refused = done && replies[0].integer < 0;
    acknowledged_ += done && !refused;
    for (const std::string& token : tokens) {
      pool->put[token] = refused ? BatchOutcome::kNotApplied : outcome;
    }
  };
  return operation;
}

CollectionLoad::Operation CollectionLoad::Take(Pool* pool, Words command, uint64_t most,
                                               size_t stride) {
  Operation operation;
  operation.commands = {std::move(command)};
  operation.done = [this, pool, most, stride](BatchOutcome outcome, const Replies& replies) {
    if (outcome == BatchOutcome::kUnknown) pool->unknown_takes += most;
    if (outcome != BatchOutcome::kApplied) return;
    ++acknowledged_;
    const resp::Value& reply = replies[0];
    if (reply.IsError()) return Fail("taking from a pool gave " + resp::ToString(reply));
    if (reply.type == resp::Type::kBulk) pool->taken.push_back(reply.text);
    for (size_t i = 0; i < reply.children.size(); i += stride) {
      pool->taken.push_back(reply.children[i].text);
    }
  };
  return operation;
}

CollectionLoad::Operation CollectionLoad::TakeOne(Pool* pool, Words command,
                                                  const std::string& token) {
  Operation operation;
  operation.commands = {std::move(command)};
  operation.done = [this, pool, token](BatchOutcome outcome, const Replies& replies) {
    if (outcome == BatchOutcome::kUnknown) ++pool->unknown_takes;
    if (outcome != BatchOutcome::kApplied) return;
    ++acknowledged_;
    if (!IsNumber(replies[0])) Fail("removing " + token + " gave " + resp::ToString(replies[0]));
    for (int64_t i = 0; i < replies[0].integer; ++i) pool->taken.push_back(token);
  };
  return operation;
}

CollectionLoad::Operation CollectionLoad::OnList(Random& random) {
  auto end = [&random] { return random.OneIn(2) ? "LEFT" : "RIGHT"; };
  const std::string& key = list_.keys[random.Uniform(2)];
  const uint64_t count = 1 + random.Uniform(8);
  switch (random.Uniform(10)) {
    case 0:
      return Take(&list_, {random.OneIn(2) ? "LPOP" : "RPOP", key}, 1, 1);
    case 1:
    case 2:
      return Take(&list_, {random.OneIn(2) ? "LPOP" : "RPOP", key, std::to_string(count)}, count,
                  1);
    case 3: {
      const std::string token = Some(list_.names, random);
      return TakeOne(&list_, {"LREM", key, "0", token}, token);
    }
    case 4: {
      const std::string token = NewToken(random);
      const std::string pivot = Some(list_.names, random);
      Operation operation = Put(&list_, {"LINSERT", key, "AFTER", pivot, token}, {token});
      // A list that is not there.
      operation.done = [done = std::move(operation.done)](BatchOutcome outcome,
                                                          const Replies& replies) {
        Replies seen = replies;
        if (!seen.empty() && seen[0].integer == 0) seen[0].integer = -1;
        done(outcome, seen);
      };
      return operation;
    }
    case 5: {
      Operation operation;
      operation.commands = {{"LMOVE", Some(list_.keys, random), key, end(), end()},
                            {"RENAMENX", key, Some(list_.keys, random)},
                            {"LMOVE", Some(list_.keys, random), key, end(), end()}};
      operation.done = [this](BatchOutcome outcome, const Replies&) {
        acknowledged_ += outcome == BatchOutcome::kApplied;
      };
      return operation;
    }
    default: {
      Words command = {random.OneIn(2) ? "LPUSH" : "RPUSH", key};
      std::vector<std::string> tokens;
      for (uint64_t i = 0; i < count; ++i) tokens.push_back(NewToken(random));
      command.insert(command.end(), tokens.begin(), tokens.end());
      return Put(&list_, std::move(command), tokens);
    }
  }
}

CollectionLoad::Operation CollectionLoad::OnSet(Random& random) {
  const std::string& key = set_.keys[random.Uniform(2)];
  const uint64_t count = 1 + random.Uniform(8);
  switch (random.Uniform(8)) {
    case 0:
      return Take(&set_, {"SPOP", key}, 1, 1);
    case 1:
    case 2:
      return Take(&set_, {"SPOP", key, std::to_string(count)}, count, 1);
    case 3: {
      const std::string token = Some(set_.names, random);
      return TakeOne(&set_, {"SREM", key, token}, token);
    }
    case 4: {
      Operation operation;
      operation.commands = {{"SMOVE", key, Some(set_.keys, random), Some(set_.names, random)},
                            {"RENAMENX", key, Some(set_.keys, random)},
                            {"SUNIONSTORE", key, key}};
      operation.done = [this](BatchOutcome outcome, const Replies&) {
        acknowledged_ += outcome == BatchOutcome::kApplied;
      };
      return operation;
    }
    default: {
      Words command = {"SADD", key};
      std::vector<std::string> tokens;
      for (uint64_t i = 0; i < count; ++i) tokens.push_back(NewToken(random));
      command.insert(command.end(), tokens.begin(), tokens.end());
      return Put(&set_, std::move(command), tokens);
    }
  }
}

CollectionLoad::Operation CollectionLoad::OnSortedSet(Random& random) {
  const std::string& key = sorted_set_.keys[random.Uniform(2)];
  const uint64_t count = 1 + random.Uniform(8);
  switch (random.Uniform(7)) {
    case 0:
      return Take(&sorted_set_, {"ZPOPMAX", key}, 1, 2);
    case 1:
    case 2:
      return Take(&sorted_set_,
                  {random.OneIn(2) ? "ZPOPMIN" : "ZPOPMAX", key, std::to_string(count)}, count, 2);
    case 3: {
      const std::string token = Some(sorted_set_.names, random);
      return TakeOne(&sorted_set_, {"ZREM", key, token}, token);
    }
    default: {
      Words command = {"ZADD", key};
      std::vector<std::string> tokens;
      for (uint64_t i = 0; i < count; ++i) {
        tokens.push_back(NewToken(random));
        command.push_back(std::to_string(random.Uniform(20)));
        command.push_back(tokens.back());
      }
      return Put(&sorted_set_, std::move(command), tokens);
    }
  }
}

CollectionLoad::Operation CollectionLoad::OnHash(Random& random) {
  const std::string& key = hash_.keys[random.Uniform(2)];
  if (random.OneIn(2)) {
    const std::string token = Some(hash_.names, random);
    return TakeOne(&hash_, {"HDEL", key, token}, token);
  }
  Words command = {"HSET", key};
  std::vector<std::string> tokens;
  for (uint64_t count = 1 + random.Uniform(8); count > 0; --count) {
    tokens.push_back(NewToken(random));
    command.push_back(tokens.back());
    command.push_back(Element(random));
  }
  return Put(&hash_, std::move(command), tokens);
}

CollectionLoad::Operation CollectionLoad::OnCounter(Random& random) {
  const std::string field = "c" + std::to_string(random.Uniform(3));
  const bool of_hash = random.OneIn(2);
  const Words read = of_hash ? Words{"HGET", "counters", field} : Words{"ZSCORE", "scores", field};
  Counter* counter = &counters_[read];
  const int64_t floor = counter->floor;
  Operation operation;
  if (random.OneIn(3)) {
    operation.reads = true;
    operation.commands = {read};
    operation.done = [this, counter, floor, read](BatchOutcome outcome, const Replies& replies) {
      if (outcome != BatchOutcome::kApplied) return;
      const int64_t value = NumberIn(replies[0]);
      if (value < floor) Fail("a stale read of " + read[1] + " " + read[2]);
      counter->floor = std::max(counter->floor, value);
    };
    return operation;
  }
  const int64_t delta = 1 + static_cast<int64_t>(random.Uniform(9));
  if (of_hash) {
    operation.commands = {{"HINCRBY", "counters", field, std::to_string(delta)}};
    // Its neighbours come and go.
    const std::string pad = "p" + std::to_string(random.Uniform(12));
    operation.commands.push_back({"HSET", "counters", pad, std::string(kLongBytes, 'p')});
    operation.commands.push_back({"HPEXPIRE", "counters",
                                  std::to_string(1 + random.Uniform(kMaxNearMs)), "FIELDS", "1",
                                  pad});
  } else {
    operation.commands = {{"ZINCRBY", "scores", std::to_string(delta), field}};
    const std::string pad = std::string(kLongBytes, 'p') + std::to_string(random.Uniform(12));
    operation.commands.push_back(random.OneIn(2) ? Words{"ZADD", "scores", "0", pad}
                                                 : Words{"ZREM", "scores", pad});
  }
  counter->asked += delta;
  operation.done = [this, counter, floor, delta, read](BatchOutcome outcome,
                                                       const Replies& replies) {
    if (outcome == BatchOutcome::kNotApplied) counter->asked -= delta;
    if (outcome != BatchOutcome::kApplied) return;
    ++acknowledged_;
    const int64_t value = NumberIn(replies[0]);
    const std::string name = read[1] + " " + read[2];
    if (value < floor + delta) Fail("an increment of " + name + " went before what it must follow");
    if (!counter->values.insert(value).second) Fail("two increments of " + name + " made the same");
    counter->floor = std::max(counter->floor, value);
    counter->acknowledged += delta;
  };
  return operation;
}

CollectionLoad::Operation CollectionLoad::OnStream(Random& random) {
  Operation operation;
  const std::string consumer = "c" + std::to_string(random.Uniform(3));
  switch (random.Uniform(6)) {
    case 0: {
      operation.reads = true;
      operation.commands = {{"XLEN", kStreamKey}};
      const auto floor = static_cast<int64_t>(entries_.size());
      operation.done = [this, floor](BatchOutcome outcome, const Replies& replies) {
        if (outcome != BatchOutcome::kApplied) return;
        if (replies[0].integer < floor) Fail("a stale read of the stream's length");
      };
      return operation;
    }
    case 1:
    case 2: {
      const uint64_t most = 1 + random.Uniform(6);
      operation.commands = {{"XGROUP", "CREATE", kStreamKey, "g", "0", "MKSTREAM"},
                            {"XREADGROUP", "GROUP", "g", consumer, "COUNT", std::to_string(most),
                             "STREAMS", kStreamKey, ">"}};
      operation.done = [this, most](BatchOutcome outcome, const Replies& replies) {
        if (outcome == BatchOutcome::kUnknown) stream_.unknown_takes += most;
        if (outcome != BatchOutcome::kApplied) return;
        ++acknowledged_;
        if (replies[1].IsError()) Fail("XREADGROUP gave " + resp::ToString(replies[1]));
        if (replies[1].children.empty()) return;
        for (const resp::Value& entry : replies[1].children[0].children[1].children) {
          delivered_.push_back(entry.children[0].text);
          stream_.taken.push_back(entry.children[1].children[1].text);
        }
      };
      return operation;
    }
    case 3: {
      const std::string id = delivered_.empty() ? "0-0" : Some(delivered_, random);
      operation.commands = {{"XACK", kStreamKey, "g", id},
                            {"XAUTOCLAIM", kStreamKey, "g", consumer, "0", "0", "COUNT", "3"}};
      operation.done = [this, id](BatchOutcome outcome, const Replies&) {
        Ack& ack = acks_[id];
        if (outcome == BatchOutcome::kUnknown && ack == Ack::kNone) ack = Ack::kUnknown;
        if (outcome != BatchOutcome::kApplied) return;
        ++acknowledged_;
        ack = Ack::kDone;
      };
      return operation;
    }
    default: {
      const std::string token = NewToken(random);
      operation.commands = {{"XADD", kStreamKey, "*", "t", token}};
      const StreamId floor = last_id_;
      operation.done = [this, token, floor](BatchOutcome outcome, const Replies& replies) {
        stream_.put[token] = outcome;
        if (outcome != BatchOutcome::kApplied) return;
        ++acknowledged_;
        const StreamId id = ParseId(replies[0].text);
        if (id <= floor) Fail("XADD gave " + replies[0].text + ", below what was told before it");
        if (!entries_.emplace(id, token).second) Fail("two XADDs gave " + replies[0].text);
        last_id_ = std::max(last_id_, id);
      };
      return operation;
    }
  }
}

CollectionLoad::Operation CollectionLoad::OnMortal(Random& random) {
  Operation operation;
  // Keys begin with "k", fields with "t".
  if (random.OneIn(4) && !mortal_names_.empty()) {
    const std::string name = Some(mortal_names_, random);
    operation.commands = {name[0] == 'k' ? Words{"PERSIST", name}
                                         : Words{"HPERSIST", kFieldsKey, "FIELDS", "1", name}};
    operation.done = [this, name](BatchOutcome outcome, const Replies& replies) {
      Mortal& mortal = mortals_[name];
      mortal.perhaps_persisted |= outcome == BatchOutcome::kUnknown;
      if (outcome != BatchOutcome::kApplied) return;
      ++acknowledged_;
      const resp::Value& reply = replies[0].children.empty() ? replies[0] : replies[0].children[0];
      if (!IsNumber(reply)) Fail("to persist " + name + " gave " + resp::ToString(replies[0]));
      mortal.persisted |= reply.integer == 1;
    };
    return operation;
  }
  const bool far = random.OneIn(6);
  const std::string deadline =
      std::to_string(far ? kFarMs : static_cast<int64_t>(1 + random.Uniform(kMaxNearMs)));
  const std::string token = NewToken(random);
  const bool is_key = random.OneIn(2);
  const std::string name = is_key ? "k" + token : token;
  if (is_key) {
    Words push = {"RPUSH", name};
    for (uint64_t i = 1 + random.Uniform(12); i > 0; --i) push.push_back(Element(random));
    operation.commands = {push, {"PEXPIRE", name, deadline}};
  } else {
    operation.commands = {{"HSET", kFieldsKey, name, Element(random)},
                          {"HPEXPIRE", kFieldsKey, deadline, "FIELDS", "1", name}};
  }
  mortal_names_.push_back(name);
  mortals_[name].far = far;
  operation.done = [this, name](BatchOutcome outcome, const Replies& replies) {
    mortals_[name].made = outcome;
    if (outcome != BatchOutcome::kApplied) return;
    ++acknowledged_;
    const resp::Value& reply = replies[1].children.empty() ? replies[1] : replies[1].children[0];
    if (reply.integer != 1) Fail("the deadline of " + name + " gave " + resp::ToString(reply));
  };
  return operation;
}

void CollectionLoad::JudgePool(const engine::View& view, const Pool& pool) {
  std::map<std::string, int> seen;
  for (const std::string& token : pool.taken) ++seen[token];
  for (const std::string& key : pool.keys) {
    Words words = pool.list;
    words[1] = key;
    const resp::Value contents = Ask(view, 0, words);
    if (contents.IsError()) Fail(key + ": " + resp::ToString(contents));
    for (const resp::Value& element : contents.children) ++seen[element.text];
  }
  for (const auto& [token, times] : seen) {
    if (times > 1) Fail(token + " was there " + std::to_string(times) + " times");
    auto put = pool.put.find(token);
    if (put == pool.put.end() || put->second == BatchOutcome::kNotApplied) {
      Fail(token + " was never put, and is there");
    }
  }
  uint64_t missing = 0;
  std::string which;
  for (const auto& [token, outcome] : pool.put) {
    if (outcome != BatchOutcome::kApplied || seen.contains(token)) continue;
    ++missing;
    which = token;
  }
  if (missing > pool.unknown_takes) {
    Fail(std::to_string(missing) + " tokens of " + pool.keys[0] + " are lost, one is " + which +
         ", and at most " + std::to_string(pool.unknown_takes) + " were taken unseen");
  }
}

void CollectionLoad::JudgeStream(const engine::View& view) {
  const resp::Value range = Ask(view, 0, {"XRANGE", kStreamKey, "-", "+"});
  std::map<StreamId, std::string> there;
  std::set<std::string> tokens;
  for (const resp::Value& entry : range.children) {
    const std::string& token = entry.children[1].children[1].text;
    there[ParseId(entry.children[0].text)] = token;
    if (!tokens.insert(token).second) Fail("two entries of the stream are " + token);
    auto put = stream_.put.find(token);
    if (put == stream_.put.end() || put->second == BatchOutcome::kNotApplied) {
      Fail(token + " was never added to the stream, and is there");
    }
  }
  for (const auto& [id, token] : entries_) {
    auto at = there.find(id);
    if (at == there.end() || at->second != token) Fail(token + " is not where XADD said");
  }
  const resp::Value length = Ask(view, 0, {"XLEN", kStreamKey});
  if (length.integer != static_cast<int64_t>(range.children.size())) {
    Fail("the stream's length is not that of its range");
  }
  std::set<std::string> delivered;
  for (const std::string& token : stream_.taken) {
    if (!delivered.insert(token).second) Fail(token + " was delivered twice");
    if (!tokens.contains(token)) Fail(token + " was delivered, and is not in the stream");
  }
  std::set<std::string> pending;
  const resp::Value list = Ask(view, 0, {"XPENDING", kStreamKey, "g", "-", "+", "1000000"});
  for (const resp::Value& entry : list.children) pending.insert(entry.children[0].text);
  for (const std::string& id : delivered_) {
    const Ack ack = acks_[id];
    if (ack == Ack::kNone && !pending.contains(id)) Fail(id + " is not pending any more");
    if (ack == Ack::kDone && pending.contains(id)) Fail(id + " is pending again");
  }
}

void CollectionLoad::Judge(const engine::View& view) {
  for (const Pool* pool : {&list_, &set_, &sorted_set_, &hash_}) JudgePool(view, *pool);
  for (const auto& [read, counter] : counters_) {
    const int64_t value = NumberIn(Ask(view, 0, read));
    if (value < counter.acknowledged || value > counter.asked || value < counter.floor) {
      Fail(read[1] + " " + read[2] + " is " + std::to_string(value) + ", with " +
           std::to_string(counter.acknowledged) + " acknowledged and " +
           std::to_string(counter.asked) + " asked for");
    }
  }
  JudgeStream(view);
  JudgeMortals(view);
}

void CollectionLoad::JudgeMortals(const engine::View& view) {
  for (const auto& [name, mortal] : mortals_) {
    const resp::Value reply = name[0] == 'k' ? Ask(view, 0, {"EXISTS", name})
                                             : Ask(view, 0, {"HEXISTS", kFieldsKey, name});
    const bool there = reply.integer == 1;
    const bool made = mortal.made == BatchOutcome::kApplied;
    const bool refused = mortal.made == BatchOutcome::kNotApplied;
    if (refused && (there || mortal.persisted)) Fail(name + " was refused, and is there");
    if (!there && (mortal.persisted || (made && mortal.far))) {
      Fail(name + " is gone before its time");
    }
    if (there && !mortal.far && !mortal.persisted && !mortal.perhaps_persisted) {
      Fail(name + " outlived its deadline");
    }
  }
}

}  // namespace metastore::replica
