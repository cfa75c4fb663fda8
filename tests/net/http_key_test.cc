#include "net/http_key.h"

#include <gtest/gtest.h>

namespace metastore::net {
namespace {

std::string Key(std::string_view target) {
  std::string key;
  return KeyOfTarget(target, &key) ? key : "(none)";
}

TEST(HttpKeyTest, AKeyIsWhatFollowsTheFirstSlash) {
  EXPECT_EQ(Key("/key"), "key");
  EXPECT_EQ(Key("/a/b/c"), "a/b/c");
  EXPECT_EQ(Key("//a"), "/a");
  EXPECT_EQ(Key("/a?x=1&y=2"), "a?x=1&y=2");
  EXPECT_EQ(Key("/?"), "?");
  EXPECT_EQ(Key("/"), "");
}

TEST(HttpKeyTest, EscapesAreAnyBytes) {
  EXPECT_EQ(Key("/%41%2f%2F%25"), "A//%");
  EXPECT_EQ(Key("/%00%ff"), std::string("\0\xff", 2));
  EXPECT_EQ(Key("/a+b"), "a+b");
}

TEST(HttpKeyTest, BrokenEscapesAndPathsAreRefused) {
  for (const char* target : {"", "key", "*", "/%", "/%4", "/%4g", "/%g4", "/ok%", "http://host"}) {
    EXPECT_EQ(Key(target), "(none)") << target;
  }
}

TEST(HttpKeyTest, AnAbsoluteTargetLosesItsHost) {
  EXPECT_EQ(Key("http://host:80/key"), "key");
  EXPECT_EQ(Key("HTTPS://host/a?b"), "a?b");
  EXPECT_EQ(Key("/http://host/key"), "http://host/key");
}

}  // namespace
}  // namespace metastore::net
