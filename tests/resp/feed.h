// Plays a connection's part: hands bytes to a Parser in chunks and collects what it makes of them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "resp/parser.h"

namespace metastore::resp {

struct Outcome {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  size_t unread = 0;  // bytes of an unfinished command

  bool operator==(const Outcome&) const = default;
};

inline void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << testing::PrintToString(outcome.commands) << " error \"" << outcome.error << "\" unread "
       << outcome.unread;
}

class Feed {
 public:
  Parser& parser() { return parser_; }

  void Add(std::string_view chunk) {
    if (!outcome_.error.empty()) return;
    // A new string each time: nothing may point into the old one.
    buffer_ = std::string(buffer_).append(chunk);
    while (true) {
      size_t consumed;
      Parser::Result result = parser_.Next(buffer_, &consumed, &args_);
      ASSERT_LE(consumed, buffer_.size());
      if (result == Parser::Result::kCommand) {
        ASSERT_FALSE(args_.empty());
        ASSERT_GT(consumed, 0u);
        outcome_.commands.emplace_back(args_.begin(), args_.end());
      } else {
        ASSERT_TRUE(args_.empty());
      }
      buffer_.erase(0, consumed);
      if (result == Parser::Result::kError) {
        outcome_.error = parser_.error();
        return;
      }
      if (result == Parser::Result::kNeedMore) {
        ASSERT_GE(parser_.bytes_wanted(), 1u);
        outcome_.unread = buffer_.size();
        return;
      }
    }
  }

  // An error's place in the buffer is of no interest: the connection ends there.
  Outcome outcome() const {
    Outcome result = outcome_;
    if (!result.error.empty()) result.unread = 0;
    return result;
  }

 private:
  Parser parser_;
  std::string buffer_;
  std::vector<std::string_view> args_;
  Outcome outcome_;
};

inline Outcome FeedWhole(std::string_view bytes) {
  Feed feed;
  feed.Add(bytes);
  return feed.outcome();
}

inline Outcome FeedSplit(std::string_view bytes, size_t at) {
  Feed feed;
  feed.Add(bytes.substr(0, at));
  feed.Add(bytes.substr(at));
  return feed.outcome();
}

}  // namespace metastore::resp
