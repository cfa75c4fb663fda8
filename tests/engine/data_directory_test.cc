#include "engine/data_directory.h"

#include <gtest/gtest.h>

#include "tests/engine/scratch.h"

namespace metastore::engine {
namespace {

class DataDirectoryTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<DataDirectory>> Open(const std::string& cluster, uint64_t node) {
    return DataDirectory::Open(path_, cluster, node);
  }
  ScratchDirectory scratch_;
  std::string path_ = scratch_ / "data/1";
};

TEST_F(DataDirectoryTest, EveryStartHasANewRunOfTheSameDisk) {
  Identity first;
  {
    auto directory = Open("c1", 1);
    ASSERT_TRUE(directory.ok()) << directory.ToString();
    first = (*directory)->identity();
    EXPECT_TRUE((*directory)->created());
    EXPECT_EQ(first.cluster_id, "c1");
    EXPECT_EQ(first.node_id, 1u);
    EXPECT_EQ(first.run, 1u);
  }
  auto again = Open("", 1);
  ASSERT_TRUE(again.ok()) << again.ToString();
  EXPECT_EQ((*again)->identity().cluster_id, "c1");
  EXPECT_EQ((*again)->identity().disk_incarnation, first.disk_incarnation);
  EXPECT_EQ((*again)->identity().run, 2u);
  EXPECT_FALSE((*again)->created());
  auto other = DataDirectory::Open(scratch_ / "data/2", "c1", 2);
  ASSERT_TRUE(other.ok());
  EXPECT_NE((*other)->identity().disk_incarnation, first.disk_incarnation);
}

TEST_F(DataDirectoryTest, ASecondProcessIsToldThatTheDirectoryIsInUse) {
  auto first = Open("c1", 1);
  ASSERT_TRUE(first.ok());
  auto second = Open("c1", 1);
  EXPECT_EQ(second.code(), Code::kUnavailable);
  EXPECT_EQ(second.status().message(),
            "data directory " + path_ +
                " is in use by another process; stop that one or choose another --data-dir");
}

TEST_F(DataDirectoryTest, AnotherNodeOrClusterIsRefusedAndCountsNoRun) {
  ASSERT_TRUE(Open("c1", 2).ok());
  EXPECT_EQ(Open("c1", 1).status().message(),
            "data directory " + path_ +
                " belongs to node 2 of cluster c1; start with --id 2 or choose another --data-dir");
  EXPECT_EQ(Open("c2", 2).status().message(),
            "data directory " + path_ +
                " belongs to cluster c1, not to cluster c2; choose another --data-dir");
  auto right = Open("c1", 2);
  ASSERT_TRUE(right.ok());
  EXPECT_EQ((*right)->identity().run, 2u);
}

TEST_F(DataDirectoryTest, ANewDirectoryNeedsAClusterId) {
  EXPECT_EQ(Open("", 1).code(), Code::kNotFound);
  EXPECT_EQ(Open("a b", 1).code(), Code::kInvalidArgument);
  EXPECT_TRUE(Open("c1", 1).ok());
}

TEST_F(DataDirectoryTest, TheLongestClusterIdIsReadAgain) {
  std::string longest(4096, 'c');
  ASSERT_TRUE(Open(longest, 1).ok());
  auto again = Open(longest, 1);
  EXPECT_TRUE(again.ok()) << again.ToString();
  EXPECT_EQ(Open(longest + "c", 1).code(), Code::kInvalidArgument);
}

TEST_F(DataDirectoryTest, ADamagedOrMissingIdentityIsFound) {
  ASSERT_TRUE(Open("c1", 1).ok());
  std::string file = path_ + "/IDENTITY", good = ReadWhole(file);
  for (size_t at = 0; at < good.size(); ++at) {
    WriteWhole(file, good);
    FlipBit(file, at, 1);
    EXPECT_EQ(Open("c1", 1).code(), Code::kCorruption) << "byte " << at;
  }
  WriteWhole(file, good.substr(0, good.size() - 1));
  EXPECT_EQ(Open("c1", 1).code(), Code::kCorruption);
  std::filesystem::remove(file);
  std::filesystem::create_directory(path_ + "/raft");
  EXPECT_EQ(Open("c1", 1).code(), Code::kCorruption);
}

TEST_F(DataDirectoryTest, TheIdentityHasItsGoldenBytes) {
  std::string text = EncodeIdentity({"c1", 3, 0xabc, 12});
  EXPECT_EQ(text.substr(0, text.find("crc32c")),
            "metastore-identity 1\ncluster c1\nnode 3\ndisk 0000000000000abc\nrun 12\n");
  EXPECT_EQ(DecodeIdentity(text)->disk_incarnation, 0xabcu);
}

}  // namespace
}  // namespace metastore::engine
