#include "base/glob.h"

#include <utility>

#include "base/parse.h"

namespace metastore {
namespace {

// Matches the pattern's element at *p, which is not '*', against one character and moves *p behind
// the element whatever the outcome.
bool MatchOne(std::string_view pattern, size_t* p, char c, bool ignore_case) {
  auto same = [ignore_case](char a, char b) {
    return ignore_case ? ToLowerAscii(a) == ToLowerAscii(b) : a == b;
  };
  size_t end = pattern.size();
  char first = pattern[(*p)++];
  if (first == '?') return true;
  if (first == '\\' && *p < end) return same(pattern[(*p)++], c);
  if (first != '[') return same(first, c);

  bool inverted = *p < end && pattern[*p] == '^';
  if (inverted) ++*p;
  bool match = false;
  while (*p < end && pattern[*p] != ']') {
    size_t left = end - *p;
    char low = pattern[*p];
    if (low == '\\' && left >= 2) {
      // As in Redis, an escape in a class minds the case even where the rest does not.
      if (pattern[*p + 1] == c) match = true;
      *p += 2;
    } else if (left >= 3 && pattern[*p + 1] == '-') {
      // Redis compares the ends of a range as x86's signed char.
      signed char from = static_cast<signed char>(low);
      signed char to = static_cast<signed char>(pattern[*p + 2]);
      signed char at = static_cast<signed char>(c);
      if (from > to) std::swap(from, to);
      if (ignore_case) {
        from = static_cast<signed char>(ToLowerAscii(from));
        to = static_cast<signed char>(ToLowerAscii(to));
        at = static_cast<signed char>(ToLowerAscii(at));
      }
      if (at >= from && at <= to) match = true;
      *p += 3;
    } else {
      if (same(low, c)) match = true;
      ++*p;
    }
  }
  if (*p < end) ++*p;  // the ']'
  return match != inverted;
}

}  // namespace

// Only the last '*' is ever tried again: every other element takes exactly one character, so a
// longer match of an earlier '*' leaves less text for the same rest and cannot succeed where the
// last one failed. Redis's recursion finds the same answers.
bool GlobMatch(std::string_view pattern, std::string_view text, bool ignore_case) {
  if (text.empty()) return pattern.empty();
  size_t p = 0;
  size_t t = 0;
  bool seen_star = false;
  size_t star_p = 0;  // behind the last '*'
  size_t star_t = 0;  // where its rest was last tried
  while (true) {
    if (t == text.size()) {
      while (p < pattern.size() && pattern[p] == '*') ++p;
      if (p == pattern.size()) return true;
      return false;  // a later try of the rest would have even less text
    }
    if (p < pattern.size() && pattern[p] == '*') {
      while (p < pattern.size() && pattern[p] == '*') ++p;
      if (p == pattern.size()) return true;
      seen_star = true;
      star_p = p;
      star_t = t;
      continue;
    }
    if (p < pattern.size() && MatchOne(pattern, &p, text[t], ignore_case)) {
      ++t;
      continue;
    }
    if (!seen_star) return false;
    p = star_p;
    t = ++star_t;
  }
}

}  // namespace metastore
