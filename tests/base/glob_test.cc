#include "base/glob.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/parse.h"
#include "base/random.h"

namespace metastore {
namespace {

using namespace std::string_literals;

TEST(GlobTest, PlainTextMatchesItself) {
  EXPECT_TRUE(GlobMatch("abc", "abc"));
  EXPECT_FALSE(GlobMatch("abc", "abd"));
  EXPECT_FALSE(GlobMatch("abc", "ab"));
  EXPECT_FALSE(GlobMatch("abc", "abcd"));
  EXPECT_FALSE(GlobMatch("abc", "ABC"));
  EXPECT_TRUE(GlobMatch("aBc", "AbC", true));
  EXPECT_TRUE(GlobMatch("a\0c"s, "a\0c"s));
}

TEST(GlobTest, AStarMatchesAnyRun) {
  EXPECT_TRUE(GlobMatch("*", "anything"));
  EXPECT_TRUE(GlobMatch("**", "x"));
  EXPECT_TRUE(GlobMatch("a*", "a"));
  EXPECT_TRUE(GlobMatch("a***", "a"));
  EXPECT_TRUE(GlobMatch("*c", "abc"));
  EXPECT_TRUE(GlobMatch("a*b*c", "a-b-b-c"));
  EXPECT_TRUE(GlobMatch("*aab", "aaaab"));
  EXPECT_FALSE(GlobMatch("*aab", "aaaac"));
  EXPECT_FALSE(GlobMatch("a*b", "ac"));
  EXPECT_TRUE(GlobMatch("*?*?*", "ab"));
  EXPECT_FALSE(GlobMatch("*?*?*", "a"));
}

TEST(GlobTest, OnlyTheEmptyPatternMatchesTheEmptyText) {
  EXPECT_TRUE(GlobMatch("", ""));
  EXPECT_FALSE(GlobMatch("", "a"));
  EXPECT_FALSE(GlobMatch("*", ""));
  EXPECT_FALSE(GlobMatch("?", ""));
}

TEST(GlobTest, AQuestionMarkMatchesOneByte) {
  EXPECT_TRUE(GlobMatch("h?llo", "hello"));
  EXPECT_FALSE(GlobMatch("h?llo", "hllo"));
  EXPECT_TRUE(GlobMatch("?", "\n"));
}

TEST(GlobTest, AClassMatchesOneOfItsBytes) {
  EXPECT_TRUE(GlobMatch("h[ae]llo", "hello"));
  EXPECT_FALSE(GlobMatch("h[ae]llo", "hillo"));
  EXPECT_TRUE(GlobMatch("h[^e]llo", "hallo"));
  EXPECT_FALSE(GlobMatch("h[^e]llo", "hello"));
  EXPECT_TRUE(GlobMatch("[a-c]x", "bx"));
  EXPECT_TRUE(GlobMatch("[c-a]x", "bx"));
  EXPECT_FALSE(GlobMatch("[a-c]x", "dx"));
  EXPECT_TRUE(GlobMatch("[a\\]]", "]"));
  EXPECT_TRUE(GlobMatch("[\\-a]", "-"));
  EXPECT_TRUE(GlobMatch("[A-C]", "b", true));
  EXPECT_TRUE(GlobMatch("[AB]", "b", true));
  EXPECT_FALSE(GlobMatch("[]", "a"));
  EXPECT_TRUE(GlobMatch("[^]", "a"));
  EXPECT_TRUE(GlobMatch("[!a]", "!"));
}

TEST(GlobTest, OddClassesAreReadAsRedisReadsThem) {
  EXPECT_TRUE(GlobMatch("[abc", "b"));
  EXPECT_FALSE(GlobMatch("[abc", "bx"));
  EXPECT_FALSE(GlobMatch("[", "["));
  EXPECT_TRUE(GlobMatch("[^", "x"));
  EXPECT_TRUE(GlobMatch("[\\", "\\"));
  // "a-]" is a range, so nothing closes the class.
  EXPECT_TRUE(GlobMatch("[a-]", "]"));
  EXPECT_TRUE(GlobMatch("[a-]", "^"));
  EXPECT_FALSE(GlobMatch("[a-]", "-"));
  // An escaped byte in a class keeps its case.
  EXPECT_FALSE(GlobMatch("[\\A]", "a", true));
  // Bytes above 127 are below 0 in a range.
  EXPECT_TRUE(GlobMatch("[\x01-\xff]", std::string(1, '\0')));
  EXPECT_FALSE(GlobMatch("[\x01-\xff]", "a"));
  EXPECT_TRUE(GlobMatch("[\x80-\xff]", "\xc3"));
}

TEST(GlobTest, ABackslashTakesTheNextByteLiterally) {
  EXPECT_TRUE(GlobMatch("a\\*", "a*"));
  EXPECT_FALSE(GlobMatch("a\\*", "ab"));
  EXPECT_TRUE(GlobMatch("\\?\\[", "?["));
  EXPECT_TRUE(GlobMatch("\\a", "A", true));
  EXPECT_TRUE(GlobMatch("a\\", "a\\"));
  EXPECT_FALSE(GlobMatch("*\\*", "ab"));
}

// Backtracking without memory would need more steps than the machine ever makes.
TEST(GlobTest, HostilePatternsEnd) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatch(pattern + "b", std::string(1000, 'a')));
  EXPECT_TRUE(GlobMatch(pattern, std::string(1000, 'a')));
  // Deep recursion would overflow the stack.
  std::string stars;
  for (int i = 0; i < 200000; ++i) stars += "*?";
  EXPECT_TRUE(GlobMatch(stars, std::string(200000, 'a')));
  EXPECT_FALSE(GlobMatch(stars, std::string(199999, 'a')));
}

// Redis's stringmatchlen, told again as the plain recursion it is.
bool Recursive(std::string_view pattern, std::string_view text, bool nocase) {
  while (!pattern.empty() && !text.empty()) {
    char first = pattern[0];
    if (first == '*') {
      pattern.remove_prefix(1);
      if (pattern.empty()) return true;
      for (; !text.empty(); text.remove_prefix(1)) {
        if (Recursive(pattern, text, nocase)) return true;
      }
      return false;
    }
    auto lower = [nocase](char c) { return nocase ? ToLowerAscii(c) : c; };
    if (first == '[') {
      pattern.remove_prefix(1);
      bool inverted = !pattern.empty() && pattern[0] == '^';
      if (inverted) pattern.remove_prefix(1);
      bool match = false;
      while (true) {
        if (pattern.size() >= 2 && pattern[0] == '\\') {
          pattern.remove_prefix(1);
          if (pattern[0] == text[0]) match = true;
        } else if (pattern.empty() || pattern[0] == ']') {
          break;
        } else if (pattern.size() >= 3 && pattern[1] == '-') {
          int start = pattern[0];
          int end = pattern[2];
          if (start > end) std::swap(start, end);
          start = lower(static_cast<char>(start));
          end = lower(static_cast<char>(end));
          int c = lower(text[0]);
          pattern.remove_prefix(2);
          if (c >= start && c <= end) match = true;
        } else if (lower(pattern[0]) == lower(text[0])) {
          match = true;
        }
        pattern.remove_prefix(1);
      }
      if (match == inverted) return false;
    } else if (first != '?') {
      if (first == '\\' && pattern.size() >= 2) pattern.remove_prefix(1);
      if (lower(pattern[0]) != lower(text[0])) return false;
    }
    text.remove_prefix(1);
    if (!pattern.empty()) pattern.remove_prefix(1);
    if (text.empty()) {
      while (!pattern.empty() && pattern[0] == '*') pattern.remove_prefix(1);
    }
  }
  return pattern.empty() && text.empty();
}

TEST(GlobTest, RandomPatternsMatchAsTheRecursionSays) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  int matches = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string pattern;
    std::string text;
    for (uint64_t n = random.Uniform(8); n > 0; --n) {
      pattern.push_back("**?[]^-\\aAb\xe4"[random.Uniform(12)]);
    }
    for (uint64_t n = random.Uniform(7); n > 0; --n) {
      text.push_back("aaAb]-\\\xe4"[random.Uniform(8)]);
    }
    bool nocase = random.OneIn(2);
    bool expected = Recursive(pattern, text, nocase);
    ASSERT_EQ(GlobMatch(pattern, text, nocase), expected)
        << testing::PrintToString(pattern) << " " << testing::PrintToString(text) << nocase;
    matches += expected;
  }
  EXPECT_GT(matches, 1000);
}

}  // namespace
}  // namespace metastore
