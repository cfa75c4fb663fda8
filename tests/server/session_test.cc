#include "server/session.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "base/random.h"
#include "tests/support/seed.h"

namespace metastore::server {
namespace {

Random Seeded() { return Random(test::Seed()); }

TEST(SessionTest, SlotsFilledInAnyOrderLeaveInTheOrderOfRequests) {
  Random random = Seeded();
  Session session(1, SessionKind::kResp, 0);
  std::string wanted, got;
  std::deque<std::pair<uint64_t, std::string>> open;
  for (int step = 0; step < 20000; ++step) {
    if (open.size() < 300 && random.OneIn(2)) {
      bool drop = random.OneIn(5);
      std::string reply(random.Uniform(40), static_cast<char>('a' + step % 26));
      open.emplace_back(session.AddSlot(drop), reply);
      if (!drop) wanted += reply;
    } else if (!open.empty()) {
      auto at = open.begin() + static_cast<ptrdiff_t>(random.Uniform(open.size()));
      if (random.OneIn(2)) {
        session.Fill(at->first, std::string_view(at->second));
      } else {
        session.Fill(at->first, std::move(at->second));
      }
      open.erase(at);
    }
    if (random.OneIn(10)) got += session.output().TakeAll();
  }
  for (auto& [slot, reply] : open) session.Fill(slot, std::move(reply));
  EXPECT_EQ(session.reply_bytes(), session.output().bytes());
  got += session.output().TakeAll();
  EXPECT_EQ(got, wanted);
  EXPECT_FALSE(session.has_slots());
}

TEST(OutputBufferTest, GathersAndConsumesWhatWasAppendedHoweverItIsCut) {
  Random random = Seeded();
  OutputBuffer buffer;
  std::string wanted, got;
  for (int step = 0; step < 20000; ++step) {
    std::string bytes(random.OneIn(50) ? random.Uniform(100000) : random.Uniform(50),
                      static_cast<char>('a' + step % 26));
    wanted += bytes;
    switch (random.Uniform(3)) {
      case 0:
        buffer.Append(std::string_view(bytes));
        break;
      case 1:
        buffer.Append(std::move(bytes));
        break;
      case 2:
        buffer.Tail()->append(bytes);
        buffer.Appended();
        break;
    }
    ASSERT_EQ(buffer.bytes(), wanted.size() - got.size());
    struct iovec pieces[8];
    size_t gathered = 0;
    int count = buffer.Gather(pieces, 8);
    std::string front;
    for (int i = 0; i < count; ++i) {
      front.append(static_cast<char*>(pieces[i].iov_base), pieces[i].iov_len);
      gathered += pieces[i].iov_len;
    }
    size_t sent = random.OneIn(3) ? gathered : random.Uniform(gathered + 1);
    got += front.substr(0, sent);
    buffer.Consume(sent);
  }
  got += buffer.TakeAll();
  EXPECT_TRUE(got == wanted);
  EXPECT_TRUE(buffer.empty());
}

TEST(OutputBufferTest, AnEmptyBufferHoldsLittleMemory) {
  OutputBuffer buffer;
  buffer.Append(std::string_view(std::string(100000, 'x')));
  buffer.Append(std::string(1000000, 'x'));
  EXPECT_GE(buffer.memory(), 1100000u);
  buffer.Consume(1100000);
  EXPECT_LE(buffer.memory(), OutputBuffer::kKeptBytes + 100);
}

TEST(OutputBufferTest, ALargeReplyIsMovedIn) {
  OutputBuffer buffer;
  buffer.Append(std::string_view("small"));
  std::string large(1 << 20, 'x');
  const char* bytes = large.data();
  buffer.Append(std::move(large));
  struct iovec pieces[2];
  ASSERT_EQ(buffer.Gather(pieces, 2), 2);
  EXPECT_EQ(pieces[1].iov_base, bytes);
}

}  // namespace
}  // namespace metastore::server
