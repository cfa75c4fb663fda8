// Keyspace events that each command causes, in Redis's order. The differential run compares far
// more of them with redis-server; here are one of each kind, and those that Redis 7.0 does not
// have.
#include "commands/notify.h"

#include "tests/commands/harness.h"

namespace metastore::test {
namespace {

class NotifyTest : public CommandTest {
 protected:
  NotifyTest() {
    txn_.events().set_interest(&interest_);
    interest_.AddMessages(1);
    Listen(engine::kNotifyAll | engine::kNotifyNew);
  }
  void Listen(uint32_t classes) { interest_.SetNotifyClasses(classes | engine::kNotifyKeyspace); }

  // Of commands, one behind the other: "<event> <key>", with the database where that is not 0.
  std::vector<std::string> Events(const std::vector<std::string>& lines) {
    txn_.events().Take(1);
    for (const std::string& line : lines) Run(WordsOf(line));
    std::vector<std::string> told;
    const std::shared_ptr<const engine::CommitEvents> events = txn_.events().Take(1);
    for (size_t i = 0; events != nullptr && i < events->size(); ++i) {
      const engine::Event event = (*events)[i];
      std::string channel(event.key);
      const size_t at = channel.find('@'), end = channel.find("__:", at);
      const std::string db = channel.substr(at + 1, end - at - 1);
      told.push_back(std::string(event.message) + " " + (db == "0" ? "" : db + ":") +
                     channel.substr(end + 3));
    }
    return told;
  }
  static std::vector<std::string> WordsOf(const std::string& line) {
    std::vector<std::string> words;
    for (size_t at = 0; at < line.size();) {
      const size_t end = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    return words;
  }

  engine::Interest interest_;
};

using Told = std::vector<std::string>;

TEST_F(NotifyTest, StringsAndDeadlines) {
  EXPECT_EQ(Events({"SET k v", "SET k w", "SET k x EX 10", "SET k x NX"}),
            (Told{"new k", "set k", "set k", "set k", "expire k"}));
  EXPECT_EQ(Events({"GETEX k PERSIST", "GETEX k PX 5", "PERSIST k", "PERSIST k"}),
            (Told{"persist k", "expire k", "persist k"}));
  EXPECT_EQ(Events({"MSET a 1 b 2", "MSETNX a 1 c 2", "INCR a", "APPEND b x", "GETDEL b"}),
            (Told{"new a", "set a", "new b", "set b", "incrby a", "append b", "del b"}));
  EXPECT_EQ(Events({"SETBIT a 0 0", "SETBIT a 100 1", "SETBIT a 100 1"}), (Told{"setbit a"}));
  EXPECT_EQ(Events({"EXPIRE a 10", "EXPIRE a -1", "EXPIRE a 10"}), (Told{"expire a", "del a"}));
  EXPECT_EQ(Events({"SET p v PXAT 1"}), (Told{"new p", "set p", "expire p", "expired p"}));
}

TEST_F(NotifyTest, AnExpiredKeyIsToldWhereACommandFindsIt) {
  Events({"SET k v PX 10"});
  now_ms_ += 10;
  EXPECT_EQ(Events({"APPEND k x"}), (Told{"expired k", "new k", "append k"}));
}

TEST_F(NotifyTest, TheKeyGoesWithItsLastElement) {
  EXPECT_EQ(Events({"RPUSH l a b c", "LPOP l", "LPOP l 2", "LPOP l"}),
            (Told{"new l", "rpush l", "lpop l", "lpop l", "del l"}));
  EXPECT_EQ(Events({"SADD s a b", "SREM s a c", "SREM s c", "SPOP s"}),
            (Told{"new s", "sadd s", "srem s", "spop s", "del s"}));
  EXPECT_EQ(Events({"ZADD z 1 a 2 b", "ZADD z 1 a", "ZINCRBY z 1 a", "ZPOPMIN z", "ZREM z b"}),
            (Told{"new z", "zadd z", "zincr z", "zpopmin z", "zrem z", "del z"}));
  EXPECT_EQ(Events({"HSET h f v", "HINCRBY h n 1", "HDEL h f g", "HDEL h n"}),
            (Told{"new h", "hset h", "hincrby h", "hdel h", "hdel h", "del h"}));
}

TEST_F(NotifyTest, OfTwoKeysInRedissOrder) {
  Events({"RPUSH l a", "SADD s a", "SET k v", "SET old v"});
  EXPECT_EQ(Events({"LMOVE l m LEFT RIGHT"}), (Told{"new m", "rpush m", "lpop l", "del l"}));
  EXPECT_EQ(Events({"SMOVE s t a"}), (Told{"srem s", "del s", "new t", "sadd t"}));
  EXPECT_EQ(Events({"RENAME k old"}), (Told{"new old", "rename_from k", "rename_to old"}));
  EXPECT_EQ(Events({"COPY old k DB 3"}), (Told{"new 3:k", "copy_to 3:k"}));
  EXPECT_EQ(Events({"MOVE old 2"}), (Told{"new 2:old", "move_from old", "move_to 2:old"}));
}

TEST_F(NotifyTest, AStoredResultReplacesOrDeletesItsTarget) {
  Events({"SADD s a", "ZADD z 1 a", "RPUSH l 2 1"});
  EXPECT_EQ(
      Events({"SINTERSTORE t s", "SINTERSTORE t s", "SINTERSTORE t none", "SINTERSTORE t no"}),
      (Told{"new t", "sinterstore t", "sinterstore t", "del t"}));
  EXPECT_EQ(Events({"ZRANGESTORE t z 0 -1", "ZUNIONSTORE t 1 none"}),
            (Told{"new t", "zrangestore t", "del t"}));
  EXPECT_EQ(Events({"SORT l STORE l", "SORT none STORE l"}), (Told{"sortstore l", "del l"}));
}

TEST_F(NotifyTest, Streams) {
  EXPECT_EQ(Events({"XADD s 1-1 f v", "XADD s MAXLEN 1 2-1 f v", "XDEL s 2-1", "XDEL s 2-1"}),
            (Told{"new s", "xadd s", "xadd s", "xtrim s", "xdel s"}));
  EXPECT_EQ(Events({"XGROUP CREATE s g 0", "XADD s 3-1 f v", "XREADGROUP GROUP g me STREAMS s >",
                    "XREADGROUP GROUP g me STREAMS s 0", "XGROUP CREATECONSUMER s g you",
                    "XGROUP DELCONSUMER s g you", "XGROUP SETID s g 0", "XGROUP DESTROY s g"}),
            (Told{"xgroup-create s", "xadd s", "xgroup-createconsumer s", "xgroup-createconsumer s",
                  "xgroup-delconsumer s", "xgroup-setid s", "xgroup-destroy s"}));
}

TEST_F(NotifyTest, FieldsThatExpire) {
  Events({"HSET h a 1 b 2"});
  EXPECT_EQ(Events({"HPEXPIRE h 10 FIELDS 1 a", "HPERSIST h FIELDS 1 a", "HPERSIST h FIELDS 1 a"}),
            (Told{"hexpire h", "hpersist h"}));
  EXPECT_EQ(Events({"HPEXPIRE h 0 FIELDS 2 a b"}), (Told{"hexpire h", "del h"}));
}

TEST_F(NotifyTest, NobodyIsToldOfWhatHeHasNotChosen) {
  Listen(engine::kNotifyList);
  EXPECT_EQ(Events({"SET k v", "RPUSH l a", "LPOP l"}), (Told{"rpush l", "lpop l"}));
  interest_.AddMessages(-1);
  EXPECT_EQ(Events({"RPUSH l a"}), Told{});
}

}  // namespace
}  // namespace metastore::test
