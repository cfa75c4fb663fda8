#include "engine/system_keys.h"

#include <gtest/gtest.h>

namespace metastore::engine {
namespace {

using namespace std::string_literals;

TEST(SystemKeysTest, KeysHaveTheirGoldenBytes) {
  EXPECT_EQ(kAppliedKey, "a");
  EXPECT_EQ(kDatabasesKey, "m");
  EXPECT_EQ(kMembershipKey, "v");
  EXPECT_EQ(DeadCollectionKey(0x0102), "c\0\0\0\0\0\0\1\2"s);
  EXPECT_EQ(DeadDatabaseKey(0xfe), "d\xfe");
  EXPECT_EQ(FunctionKey("lib"), "flib");
  EXPECT_EQ(CountsKey(0), "n\0"s);
  EXPECT_EQ(SessionKey(3), "s\0\0\0\0\0\0\0\3"s);
  EXPECT_EQ(UserKey("default"), "udefault");
}

TEST(SystemKeysTest, ValuesHaveTheirGoldenBytesAndDecode) {
  Applied applied{1, 2, 3, 4};
  std::string bytes = "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4"s;
  EXPECT_EQ(EncodeApplied(applied), bytes);
  EXPECT_EQ(DecodeApplied(bytes), applied);
  EXPECT_EQ(DecodeApplied(bytes + "x"), std::nullopt);
  EXPECT_EQ(DecodeApplied(bytes.substr(1)), std::nullopt);

  EXPECT_EQ(EncodeDatabases(DatabaseMap()), "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf"s);
  EXPECT_EQ(DecodeDatabases(EncodeDatabases(DatabaseMap()))->prefix[15], 15);
  EXPECT_FALSE(DecodeDatabases("short").has_value());

  EXPECT_EQ(EncodeCounts({300, 2, 1}), "\xac\x02\x02\x01"s);
  EXPECT_EQ(DecodeCounts("\xac\x02\x02\x01"s), (KeyCounts{300, 2, 1}));
  EXPECT_FALSE(DecodeCounts("\xac\x02\x02"s).has_value());
  // Negative as int64.
  EXPECT_FALSE(DecodeCounts("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x01"s).has_value());
}

TEST(SystemKeysTest, PrefixEndIsTheNextPrefix) {
  EXPECT_EQ(PrefixEnd("n"), "o");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff"), "");
}

}  // namespace
}  // namespace metastore::engine
