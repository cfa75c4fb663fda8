#include "engine/wal_check.h"

#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"

namespace metastore::engine {
namespace {

std::string Record(char type, const std::string& bytes) {
  uint32_t crc = Crc32c(std::string(1, type) + bytes);
  uint32_t masked = (crc >> 15 | crc << 17) + 0xa282ead8;
  std::string record(reinterpret_cast<const char*>(&masked), 4);
  record.push_back(static_cast<char>(bytes.size() & 0xff));
  record.push_back(static_cast<char>(bytes.size() >> 8));
  record.push_back(type);
  return record + bytes;
}

TEST(WalCheckTest, WholeRecordsOverSeveralBlocksEndAtTheEnd) {
  std::string wal = Record(1, std::string(30'000, 'a'));
  wal += Record(2, std::string(32'768 - wal.size() - 7 - 3, 'b'));
  wal += std::string(3, '\0');  // filling
  ASSERT_EQ(wal.size(), 32'768u);
  wal += Record(4, "c");
  WalExtent extent = ExamineWal(wal);
  EXPECT_EQ(extent.end, wal.size());
  EXPECT_FALSE(extent.damaged);
  EXPECT_FALSE(ExamineWal("").damaged);
}

TEST(WalCheckTest, ACutRecordAtTheEndIsATornTail) {
  std::string good = Record(1, "one") + Record(1, "two");
  std::string last = Record(1, "three");
  for (size_t kept = 0; kept < last.size(); ++kept) {
    WalExtent extent = ExamineWal(good + last.substr(0, kept));
    EXPECT_EQ(extent.end, good.size());
    EXPECT_FALSE(extent.damaged) << kept;
  }
}

TEST(WalCheckTest, ABadRecordBeforeAGoodOneIsDamageWhateverBitIsWrong) {
  std::string one = Record(1, "one"), wal = one + Record(1, "two") + Record(1, "three");
  for (size_t bit = 0; bit < Record(1, "two").size() * 8; ++bit) {
    std::string bad = wal;
    bad[one.size() + bit / 8] = static_cast<char>(bad[one.size() + bit / 8] ^ 1 << bit % 8);
    WalExtent extent = ExamineWal(bad);
    EXPECT_EQ(extent.end, one.size());
    EXPECT_TRUE(extent.damaged) << "bit " << bit;
  }
}

// Nothing follows the last record, so only its own checksum can tell.
TEST(WalCheckTest, AWrongLengthOfTheLastRecordIsDamageAndNoTornTail) {
  std::string one = Record(1, "one"), wal = one + Record(1, "two");
  for (size_t bit = 0; bit < 16; ++bit) {
    std::string bad = wal;
    char& byte = bad[one.size() + 4 + bit / 8];
    byte = static_cast<char>(byte ^ 1 << bit % 8);
    EXPECT_TRUE(ExamineWal(bad).damaged) << "bit " << bit;
  }
}

}  // namespace
}  // namespace metastore::engine
