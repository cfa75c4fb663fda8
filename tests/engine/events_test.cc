#include "engine/events.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace metastore::engine {
namespace {

std::vector<std::string> Lines(const std::shared_ptr<const CommitEvents>& events) {
  std::vector<std::string> lines;
  for (size_t i = 0; events != nullptr && i < events->size(); ++i) {
    const Event event = (*events)[i];
    const std::string key(event.key);
    switch (event.kind) {
      case EventKind::kKey:
        lines.push_back("key " + std::to_string(event.db) + " " + key);
        break;
      case EventKind::kDatabase:
        lines.push_back("database " + std::to_string(event.db));
        break;
      case EventKind::kEverything:
        lines.push_back("everything");
        break;
      case EventKind::kMessage:
        lines.push_back(key + " <- " + std::string(event.message));
        break;
      case EventKind::kShardMessage:
        lines.push_back("shard " + key + " <- " + std::string(event.message));
        break;
      case EventKind::kLost:
        lines.push_back("lost");
        break;
    }
  }
  return lines;
}

using Expected = std::vector<std::string>;

class EventsTest : public testing::Test {
 protected:
  EventsTest() { events_.set_interest(&interest_); }

  Interest interest_;
  Events events_;
};

TEST_F(EventsTest, WhatHappensIsToldInItsOrderAndOnce) {
  interest_.AddKeys(1);
  interest_.AddMessages(1);
  events_.Touch(0, "a");
  events_.Publish("news", std::string("x\0y", 3));
  events_.TouchDatabase(3);
  events_.PublishToShard("local", "");
  events_.Touch(15, "");
  const std::shared_ptr<const CommitEvents> told = events_.Take(7);
  EXPECT_EQ(told->index(), 7u);
  EXPECT_EQ(Lines(told), (Expected{"key 0 a", std::string("news <- x\0y", 11), "database 3",
                                   "shard local <- ", "key 15 "}));
  EXPECT_EQ(events_.Take(8), nullptr);
}

TEST_F(EventsTest, NothingIsGatheredForNobody) {
  events_.Touch(0, "a");
  events_.TouchDatabase(0);
  events_.Publish("news", "x");
  events_.PublishToShard("news", "x");
  interest_.SetNotifyClasses(kNotifyAll | kNotifyKeyspace | kNotifyKeyevent);
  events_.Notify(kNotifyString, "set", 0, "a");
  EXPECT_EQ(events_.bytes(), 0u);
  EXPECT_EQ(events_.Take(1), nullptr);

  interest_.AddKeys(2);
  interest_.AddKeys(-2);
  events_.Touch(0, "a");
  EXPECT_EQ(events_.Take(2), nullptr);
}

TEST_F(EventsTest, WhoBeginsToListenDuringACommitIsToldThatEverythingMayHaveChanged) {
  events_.Touch(0, "a");
  interest_.AddKeys(1);
  events_.Touch(0, "b");
  EXPECT_EQ(Lines(events_.Take(1)), (Expected{"key 0 b", "everything"}));
  events_.Touch(0, "c");
  EXPECT_EQ(Lines(events_.Take(2)), Expected{"key 0 c"});
}

TEST_F(EventsTest, AKeyThatACommandWritesTwiceIsToldOnce) {
  interest_.AddKeys(1);
  for (const char* key : {"a", "a", "b", "a"}) events_.Touch(0, key);
  events_.Touch(1, "a");
  EXPECT_EQ(Lines(events_.Take(1)), (Expected{"key 0 a", "key 0 b", "key 0 a", "key 1 a"}));
}

TEST_F(EventsTest, NotificationsAreMessagesOnTheChannelsThatAreChosen) {
  interest_.AddMessages(1);
  interest_.SetNotifyClasses(kNotifyString | kNotifyKeyspace);
  events_.Notify(kNotifyString, "set", 2, "a");
  events_.Notify(kNotifyList, "lpush", 2, "l");
  EXPECT_EQ(Lines(events_.Take(1)), Expected{"__keyspace@2__:a <- set"});
  interest_.SetNotifyClasses(kNotifyAll | kNotifyKeyevent);
  events_.Notify(kNotifyList, "lpush", 15, "l");
  EXPECT_EQ(Lines(events_.Take(2)), Expected{"__keyevent@15__:lpush <- l"});
  interest_.SetNotifyClasses(kNotifyAll | kNotifyKeyevent | kNotifyKeyspace);
  events_.Notify(kNotifyGeneric, "del", 0, "l");
  EXPECT_EQ(Lines(events_.Take(3)),
            (Expected{"__keyspace@0__:l <- del", "__keyevent@0__:del <- l"}));
  // "A" leaves out what a client must ask for by its own letter.
  events_.Notify(kNotifyKeyMiss, "keymiss", 0, "l");
  events_.Notify(kNotifyNew, "new", 0, "l");
  EXPECT_EQ(events_.Take(4), nullptr);
}

TEST_F(EventsTest, KeysOfAFlushedDatabaseAreNotNamed) {
  interest_.AddKeys(1);
  events_.TouchDatabase(0);
  {
    Events::Mute mute(&events_);
    events_.Touch(0, "a");
  }
  events_.Touch(0, "b");
  EXPECT_EQ(Lines(events_.Take(1)), (Expected{"database 0", "key 0 b"}));
}

TEST_F(EventsTest, MoreThanACommitMayTellIsNotKept) {
  interest_.AddKeys(1);
  interest_.AddMessages(1);
  events_.Publish("large", std::string(kMaxCommitEventBytes, 'x'));
  EXPECT_LT(events_.bytes(), kMaxCommitEventBytes + 1000);
  events_.Publish("news", "x");
  events_.Touch(0, "a");
  events_.Publish("news", "y");
  const std::shared_ptr<const CommitEvents> told = events_.Take(1);
  ASSERT_EQ(told->size(), 3u);
  EXPECT_EQ((*told)[0].message.size(), kMaxCommitEventBytes);
  EXPECT_EQ((*told)[1].kind, EventKind::kEverything);
  EXPECT_EQ((*told)[2].kind, EventKind::kLost);

  events_.Publish("news", "z");
  EXPECT_EQ(Lines(events_.Take(2)), Expected{"news <- z"});
}

TEST_F(EventsTest, ASnapshotMayHaveChangedEverythingAndHidesMessages) {
  events_.Replaced();
  EXPECT_EQ(events_.Take(1), nullptr);
  interest_.AddKeys(1);
  events_.Replaced();
  EXPECT_EQ(Lines(events_.Take(2)), Expected{"everything"});
  interest_.AddMessages(1);
  events_.Replaced();
  EXPECT_EQ(Lines(events_.Take(3)), (Expected{"everything", "lost"}));
  EXPECT_EQ(events_.Take(4), nullptr);
}

}  // namespace
}  // namespace metastore::engine
