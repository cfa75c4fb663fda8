#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace metastore {
namespace {

TEST(MailboxTest, ValuesComeOutTogetherAndInOrder) {
  Mailbox<int> box([] {});
  box.Put(1);
  box.Put(2);
  std::vector<int> out = {9};
  box.TakeAll(&out);
  EXPECT_EQ(out, (std::vector<int>{1, 2}));
  box.TakeAll(&out);
  EXPECT_TRUE(out.empty());
}

TEST(MailboxTest, TheReceiverIsWokenOncePerFilling) {
  int wakes = 0;
  Mailbox<int> box([&wakes] { ++wakes; });
  box.Put(1);
  box.Put(2);
  EXPECT_EQ(wakes, 1);
  std::vector<int> out;
  box.TakeAll(&out);
  box.Put(3);
  EXPECT_EQ(wakes, 2);
}

TEST(MailboxTest, ValuesAreMoved) {
  Mailbox<std::unique_ptr<int>> box([] {});
  box.Put(std::make_unique<int>(5));
  std::vector<std::unique_ptr<int>> out;
  box.TakeAll(&out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(*out[0], 5);
}

TEST(MailboxTest, WakeMayTakeFromTheBox) {
  std::vector<int> out;
  Mailbox<int>* self = nullptr;
  Mailbox<int> box([&] { self->TakeAll(&out); });
  self = &box;
  box.Put(1);
  EXPECT_EQ(out, (std::vector<int>{1}));
}

TEST(MailboxTest, ABlockedReceiverGetsEveryValueOfEverySender) {
  constexpr int kSenders = 4;
  constexpr int kValues = 5000;
  Mailbox<std::pair<int, int>> box;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&box, sender] {
      for (int i = 0; i < kValues; ++i) box.Put({sender, i});
    });
  }
  std::vector<int> next(kSenders, 0);
  std::vector<std::pair<int, int>> out;
  for (int taken = 0; taken < kSenders * kValues; taken += static_cast<int>(out.size())) {
    box.WaitAndTakeAll(&out);
    ASSERT_FALSE(out.empty());
    for (const auto& value : out) EXPECT_EQ(value.second, next[value.first]++);
  }
  for (std::thread& sender : senders) sender.join();
}

TEST(MailboxTest, CloseReleasesTheReceiverAfterTheLastValue) {
  Mailbox<int> box;
  box.Put(1);
  std::vector<int> first;
  std::vector<int> second;
  std::thread receiver([&] {
    box.WaitAndTakeAll(&first);
    box.WaitAndTakeAll(&second);
  });
  box.Close();
  receiver.join();
  EXPECT_EQ(first, (std::vector<int>{1}));
  EXPECT_TRUE(second.empty());
}

TEST(MailboxDeathTest, AnOverflowStopsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Mailbox<char> box([] {});
        for (size_t i = 0; i < kMaxMailboxValues; ++i) box.Put('x');
      },
      "kMaxMailboxValues");
}

}  // namespace
}  // namespace metastore
