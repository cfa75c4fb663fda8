// The expected replies are redis-server 7.0.15's.
#include "base/crc64.h"
#include "tests/commands/harness.h"

namespace metastore::test {
namespace {

class DumpCommandTest : public CommandTest {
 protected:
  std::string Payload(const std::string& key) { return Run({"DUMP", key}).text; }
};

TEST_F(DumpCommandTest, AValueGoesToAnotherKey) {
  EXPECT_EQ(Run({"DUMP", "absent"}), Null());
  Run({"HSET", "h", "f", "v"});
  const std::string payload = Payload("h");
  EXPECT_EQ(Run({"RESTORE", "copy", "0", payload}), Ok());
  EXPECT_EQ(Run({"HGET", "copy", "f"}), Bulk("v"));
  EXPECT_EQ(Payload("copy"), payload);
  EXPECT_EQ(Run({"PTTL", "copy"}), Int(-1));
}

TEST_F(DumpCommandTest, AKeyThatIsThereIsReplacedOnlyIfAskedFor) {
  Run({"SET", "k", "v"});
  const std::string payload = Payload("k");
  Run({"LPUSH", "list", "a"});
  EXPECT_EQ(Run({"RESTORE", "list", "0", payload}),
            Error("BUSYKEY Target key name already exists."));
  EXPECT_EQ(Run({"RESTORE", "list", "0", payload, "replace"}), Ok());
  EXPECT_EQ(Run({"GET", "list"}), Bulk("v"));
}

TEST_F(DumpCommandTest, TimesToLiveAreFromNowOrAbsolute) {
  Run({"SET", "k", "v"});
  const std::string payload = Payload("k");
  EXPECT_EQ(Run({"RESTORE", "a", "1500", payload}), Ok());
  EXPECT_EQ(Run({"PTTL", "a"}), Int(1500));
  EXPECT_EQ(Run({"RESTORE", "b", std::to_string(kStartMs + 700), payload, "ABSTTL"}), Ok());
  EXPECT_EQ(Run({"PTTL", "b"}), Int(700));
  EXPECT_EQ(Run({"RESTORE", "past", std::to_string(kStartMs - 1), payload, "ABSTTL"}), Ok());
  EXPECT_EQ(Run({"EXISTS", "past"}), Int(0));
  EXPECT_EQ(Run({"RESTORE", "a", "1", payload, "REPLACE", "ABSTTL"}), Ok());
  EXPECT_EQ(Run({"EXISTS", "a"}), Int(0)) << "it replaced the key, and has passed";
  EXPECT_EQ(Run({"RESTORE", "b", "9223372036854775807", payload, "REPLACE"}), Ok());
  EXPECT_EQ(Run({"EXISTS", "b"}), Int(0)) << "beyond the end of time";
}

TEST_F(DumpCommandTest, MistakesAreFoundInRedissOrder) {
  Run({"SET", "k", "v"});
  const std::string payload = Payload("k");
  EXPECT_EQ(Run({"RESTORE", "k", "x", "y", "JUNK"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"RESTORE", "k", "x", "y", "IDLETIME"}), Error("ERR syntax error"));
  EXPECT_EQ(Run({"RESTORE", "k", "x", "y", "IDLETIME", "1", "FREQ", "1"}),
            Error("ERR syntax error"));
  EXPECT_EQ(Run({"RESTORE", "k", "x", "y", "IDLETIME", "-1"}),
            Error("ERR Invalid IDLETIME value, must be >= 0"));
  EXPECT_EQ(Run({"RESTORE", "k", "x", "y", "FREQ", "256"}),
            Error("ERR Invalid FREQ value, must be >= 0 and <= 255"));
  EXPECT_EQ(Run({"RESTORE", "k", "x", "y"}), Error("BUSYKEY Target key name already exists."));
  EXPECT_EQ(Run({"RESTORE", "new", "x", "y"}),
            Error("ERR value is not an integer or out of range"));
  EXPECT_EQ(Run({"RESTORE", "new", "-1", "y"}), Error("ERR Invalid TTL value, must be >= 0"));
  EXPECT_EQ(Run({"RESTORE", "new", "0", "y"}),
            Error("ERR DUMP payload version or checksum are wrong"));
  EXPECT_EQ(Run({"RESTORE", "new", "0", payload, "IDLETIME", "5"}), Ok());
}

TEST_F(DumpCommandTest, ABadPayloadLeavesEverythingAsItWas) {
  Run({"SET", "k", "v"});
  // A set with a member twice, of version 10, with a right sum.
  const std::string bad(
      "\x02\x02\x01"
      "a\x01"
      "a\x0a\x00",
      8);
  std::string payload = bad;
  const uint64_t sum = Crc64(bad);
  payload.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  EXPECT_EQ(Run({"RESTORE", "k", "0", payload, "REPLACE"}), Error("ERR Bad data format"));
  EXPECT_EQ(Run({"GET", "k"}), Bulk("v"));
}

}  // namespace
}  // namespace metastore::test
