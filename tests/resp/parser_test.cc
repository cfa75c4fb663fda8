#include "resp/parser.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/random.h"
#include "resp/writer.h"
#include "tests/resp/feed.h"

namespace metastore::resp {
namespace {

using Commands = std::vector<std::vector<std::string>>;
using namespace std::string_literals;

std::string ErrorOf(std::string_view bytes) {
  Outcome outcome = FeedWhole(bytes);
  return outcome.error;
}

Commands CommandsOf(std::string_view bytes) {
  Outcome outcome = FeedWhole(bytes);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.unread, 0u);
  return outcome.commands;
}

TEST(ParserTest, AMultibulkIsACommand) {
  EXPECT_EQ(CommandsOf("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), (Commands{{"GET", "k"}}));
}

TEST(ParserTest, ArgumentsHoldAnyBytes) {
  EXPECT_EQ(CommandsOf("*2\r\n$0\r\n\r\n$6\r\n\0\r\n$1*\r\n"s), (Commands{{"", "\0\r\n$1*"s}}));
}

TEST(ParserTest, PipelinedCommandsComeOneByOneInOrder) {
  EXPECT_EQ(CommandsOf("*1\r\n$1\r\na\r\nb\r\n*1\r\n$1\r\nc\r\n"), (Commands{{"a"}, {"b"}, {"c"}}));
}

TEST(ParserTest, ArgumentsOfAMultibulkPointIntoTheBuffer) {
  std::string buffer = "*1\r\n$3\r\nabc\r\n";
  Parser parser;
  size_t consumed;
  std::vector<std::string_view> args;
  ASSERT_EQ(parser.Next(buffer, &consumed, &args), Parser::Result::kCommand);
  EXPECT_EQ(args[0].data(), buffer.data() + 8);
  EXPECT_EQ(consumed, buffer.size());
}

TEST(ParserTest, EmptyCommandsAreSkipped) {
  EXPECT_EQ(CommandsOf("*0\r\n*-1\r\n\r\n\n   \r\n*-99\r\nPING\r\n"), (Commands{{"PING"}}));
  EXPECT_EQ(CommandsOf("*0\r\n"), Commands{});
}

TEST(ParserTest, InlineWordsAreSplitAtSpaces) {
  EXPECT_EQ(CommandsOf("SET  k\tv \r\n"), (Commands{{"SET", "k", "v"}}));
  EXPECT_EQ(CommandsOf("  PING\n"), (Commands{{"PING"}}));
  EXPECT_EQ(CommandsOf("a\rb\n"), (Commands{{"a", "b"}}));
  EXPECT_EQ(CommandsOf("a\v\fb \v c\n"), (Commands{{"a\v\fb", "c"}}));
}

TEST(ParserTest, InlineQuotesFollowRedis) {
  EXPECT_EQ(CommandsOf("\"a b\" 'c d' \"\" ''\n"), (Commands{{"a b", "c d", "", ""}}));
  EXPECT_EQ(CommandsOf(R"("\n\r\t\b\a\\\"\q")"
                       "\n"),
            (Commands{{"\n\r\t\b\a\\\"q"}}));
  EXPECT_EQ(CommandsOf(R"("\x00\xfF\xg1\x4")"
                       "\n"),
            (Commands{{"\0\xffxg1x4"s}}));
  EXPECT_EQ(CommandsOf(R"('it\'s \n "x"')"
                       "\n"),
            (Commands{{R"(it's \n "x")"}}));
  EXPECT_EQ(CommandsOf("a\"b c\" d'e'\n"), (Commands{{"ab c", "de"}}));
  EXPECT_EQ(CommandsOf("a\\nb\n"), (Commands{{"a\\nb"}}));
}

TEST(ParserTest, ALineThatBeginsWithASpaceIsInlineEvenWithAStar) {
  EXPECT_EQ(CommandsOf(" *1\r\n"), (Commands{{"*1"}}));
}

TEST(ParserTest, UnbalancedQuotesAreAnError) {
  const std::string error = "Protocol error: unbalanced quotes in request";
  EXPECT_EQ(ErrorOf("\"abc\n"), error);
  EXPECT_EQ(ErrorOf("'abc\r\n"), error);
  EXPECT_EQ(ErrorOf("\"a\"b\n"), error);
  EXPECT_EQ(ErrorOf("'a'b\n"), error);
  EXPECT_EQ(ErrorOf("'a''b'\n"), error);
  EXPECT_EQ(ErrorOf("\"abc\\\"\n"), error);
  EXPECT_EQ(ErrorOf("\"abc\\\n"), error);
}

TEST(ParserTest, ABadArgumentCountIsAnError) {
  const std::string error = "Protocol error: invalid multibulk length";
  EXPECT_EQ(ErrorOf("*\r\n"), error);
  EXPECT_EQ(ErrorOf("*x\r\n"), error);
  EXPECT_EQ(ErrorOf("*01\r\n"), error);
  EXPECT_EQ(ErrorOf("*+1\r\n"), error);
  EXPECT_EQ(ErrorOf("* 1\r\n"), error);
  EXPECT_EQ(ErrorOf("*1\n\r\n"), error);
  EXPECT_EQ(ErrorOf("*99999999999999999999\r\n"), error);
  EXPECT_EQ(ErrorOf("*1048577\r\n"), error);
  EXPECT_EQ(ErrorOf("*1048576\r\n"), "");
}

TEST(ParserTest, ABadBulkLengthIsAnError) {
  const std::string error = "Protocol error: invalid bulk length";
  EXPECT_EQ(ErrorOf("*1\r\n$\r\n"), error);
  EXPECT_EQ(ErrorOf("*1\r\n$-1\r\n"), error);
  EXPECT_EQ(ErrorOf("*1\r\n$03\r\n"), error);
  EXPECT_EQ(ErrorOf("*1\r\n$3x\r\n"), error);
  EXPECT_EQ(ErrorOf("*1\r\n$536870913\r\n"), error);
  EXPECT_EQ(ErrorOf("*1\r\n$536870912\r\n"), "");
}

TEST(ParserTest, TheLongestBulkStringIsConfigurable) {
  Feed feed;
  feed.parser().set_max_bulk_bytes(3);
  feed.Add("*1\r\n$3\r\nabc\r\n*1\r\n$4\r\n");
  EXPECT_EQ(feed.outcome().commands, (Commands{{"abc"}}));
  EXPECT_EQ(feed.outcome().error, "Protocol error: invalid bulk length");
}

TEST(ParserTest, AnythingButADollarBeforeAnArgumentIsAnError) {
  EXPECT_EQ(ErrorOf("*1\r\n:1\r\n"), "Protocol error: expected '$', got ':'");
  EXPECT_EQ(ErrorOf("*2\r\n$1\r\na\r\nx\r\n"), "Protocol error: expected '$', got 'x'");
}

TEST(ParserTest, AnUnprintableByteIsEscapedInTheErrorLine) {
  EXPECT_EQ(ErrorOf("*1\r\n\r\n"), R"(Protocol error: expected '$', got '\x0d')");
  EXPECT_EQ(ErrorOf("*1\r\n\n\r\n"), R"(Protocol error: expected '$', got '\x0a')");
  EXPECT_EQ(ErrorOf("*1\r\n\0\r\n"s), R"(Protocol error: expected '$', got '\x00')");
  EXPECT_EQ(ErrorOf("*1\r\n\xff\r\n"), R"(Protocol error: expected '$', got '\xff')");
}

TEST(ParserTest, LinesWithoutAnEndAreCutOffAtTheLimit) {
  std::string long_line(kMaxInlineBytes, 'a');
  EXPECT_EQ(ErrorOf(long_line), "");
  EXPECT_EQ(ErrorOf(long_line + "a"), "Protocol error: too big inline request");
  EXPECT_EQ(ErrorOf(long_line + "a\n"), "Protocol error: too big inline request");
  EXPECT_EQ(CommandsOf(long_line + "\n"), (Commands{{long_line}}));

  std::string digits(kMaxInlineBytes - 1, '1');
  EXPECT_EQ(ErrorOf("*" + digits), "");
  EXPECT_EQ(ErrorOf("*" + digits + "1"), "Protocol error: too big mbulk count string");
  EXPECT_EQ(ErrorOf("*1\r\n$" + digits), "");
  EXPECT_EQ(ErrorOf("*1\r\n$" + digits + "1"), "Protocol error: too big bulk count string");
}

TEST(ParserTest, AClientThatHasNotAuthenticatedHasSmallLimits) {
  auto error_of = [](std::string_view bytes) {
    Feed feed;
    feed.parser().set_authenticated(false);
    feed.Add(bytes);
    return feed.outcome().error;
  };
  EXPECT_EQ(error_of("*10\r\n$16384\r\n"), "");
  EXPECT_EQ(error_of("*11\r\n"), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error_of("*1\r\n$16385\r\n"), "Protocol error: unauthenticated bulk length");
  EXPECT_EQ(error_of("*1048577\r\n"), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error_of("*x\r\n"), "Protocol error: invalid multibulk length");
}

TEST(ParserTest, AuthenticationLiftsTheLimitsForTheNextCommand) {
  Parser parser;
  parser.set_authenticated(false);
  std::string buffer = "AUTH x\r\n*11\r\n";
  size_t consumed;
  std::vector<std::string_view> args;
  ASSERT_EQ(parser.Next(buffer, &consumed, &args), Parser::Result::kCommand);
  parser.set_authenticated(true);
  buffer.erase(0, consumed);
  EXPECT_EQ(parser.Next(buffer, &consumed, &args), Parser::Result::kNeedMore);
}

TEST(ParserTest, CommandsBeforeAnErrorAreDeliveredAndNoneAfterIt) {
  Outcome outcome = FeedWhole("PING\r\n*x\r\nPING\r\n");
  EXPECT_EQ(outcome.commands, (Commands{{"PING"}}));
  EXPECT_EQ(outcome.error, "Protocol error: invalid multibulk length");

  Parser parser;
  size_t consumed;
  std::vector<std::string_view> args;
  ASSERT_EQ(parser.Next("*x\r\n", &consumed, &args), Parser::Result::kError);
  EXPECT_EQ(parser.Next("PING\r\n", &consumed, &args), Parser::Result::kError);
  EXPECT_EQ(consumed, 0u);
}

TEST(ParserTest, BytesWantedIsWhatTheArgumentLacks) {
  Parser parser;
  size_t consumed;
  std::vector<std::string_view> args;
  EXPECT_TRUE(parser.idle());
  EXPECT_EQ(parser.Next("*2\r\n$100000\r\n12345", &consumed, &args), Parser::Result::kNeedMore);
  EXPECT_EQ(parser.bytes_wanted(), 100002u - 5);
  EXPECT_FALSE(parser.idle());
  std::string buffer = "*2\r\n$100000\r\n" + std::string(100000, 'x') + "\r\n$1";
  EXPECT_EQ(parser.Next(buffer, &consumed, &args), Parser::Result::kNeedMore);
  EXPECT_EQ(parser.bytes_wanted(), 1u);
  buffer += "\r\ny\r\n";
  EXPECT_EQ(parser.Next(buffer, &consumed, &args), Parser::Result::kCommand);
  EXPECT_TRUE(parser.idle());
}

TEST(ParserTest, AnAnnouncedArgumentCountAllocatesNothing) {
  // A million clients may each announce a million arguments; only their bytes may cost.
  Parser parser;
  size_t consumed;
  std::vector<std::string_view> args;
  ASSERT_EQ(parser.Next("*1048576\r\n$536870912\r\n", &consumed, &args), Parser::Result::kNeedMore);
  EXPECT_EQ(args.capacity(), 0u);
}

const std::string kCorpus[] = {
    "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nva\r\nl\r\n*1\r\n$4\r\nPING\r\n",
    "SET k \"a \\x41 b\" 'c\\'d'\r\nPING\r\n\r\n\nGET k\n*1\r\n$1\r\nx\r\nlast",
    "*0\r\n*-1\r\n\r\n*2\r\n$0\r\n\r\n$1\r\n\r\r\n",
    "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\nx",
    "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n!3\r\n",
    "PING\r\n\"open\r\nPING\r\n",
    "*1\rX$4\rXPINGXX*1\r\n$4\r\nPING\r\n",  // Redis looks at neither
    "*2\r\n$3\r\nGET\r\n$-5\r\nk\r\n",
    "*a\r\n",
    std::string("\0\r\n*1\r\n$1\r\n\0\r\n", 14),
};

TEST(ParserTest, EverySplitInTwoGivesTheSame) {
  for (const std::string& bytes : kCorpus) {
    Outcome whole = FeedWhole(bytes);
    for (size_t at = 0; at <= bytes.size(); ++at) {
      EXPECT_EQ(FeedSplit(bytes, at), whole) << testing::PrintToString(bytes) << " at " << at;
    }
  }
}

TEST(ParserTest, ByteAfterByteGivesTheSame) {
  for (const std::string& bytes : kCorpus) {
    Feed feed;
    for (char c : bytes) feed.Add(std::string_view(&c, 1));
    EXPECT_EQ(feed.outcome(), FeedWhole(bytes)) << testing::PrintToString(bytes);
  }
}

TEST(ParserTest, ALongLineIsRefusedAtTheSamePlaceHoweverItArrives) {
  const std::string long_word(kMaxInlineBytes - 10, 'a');
  for (size_t extra = 0; extra < 20; ++extra) {
    std::string bytes = long_word + std::string(extra, 'b') + "\r\nPING\r\n";
    Outcome whole = FeedWhole(bytes);
    for (size_t at = bytes.size() - 40; at < bytes.size(); ++at) {
      ASSERT_EQ(FeedSplit(bytes, at), whole) << extra << " more bytes, split at " << at;
    }
  }
}

// Requests with a known meaning, mangled now and then, in random chunks.
TEST(ParserTest, RandomPipelinesInRandomChunksGiveTheSame) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    Commands sent;
    for (uint64_t n = random.Uniform(8); n > 0; --n) {
      std::vector<std::string> command;
      for (uint64_t args = 1 + random.Uniform(5); args > 0; --args) {
        std::string arg;
        for (uint64_t size = random.Uniform(random.OneIn(10) ? 5000 : 12); size > 0; --size) {
          arg.push_back("\r\n\0*$'\"ab1"[random.Uniform(10)]);
        }
        command.push_back(std::move(arg));
      }
      WriteCommand(&bytes, command);
      sent.push_back(std::move(command));
    }
    EXPECT_EQ(CommandsOf(bytes), sent);

    if (random.OneIn(2) && !bytes.empty()) {
      bytes[random.Uniform(bytes.size())] = static_cast<char>(random.Uniform(256));
    }
    Feed feed;
    for (size_t at = 0; at < bytes.size();) {
      size_t size =
          std::min<size_t>(1 + random.Uniform(random.OneIn(4) ? 1000 : 6), bytes.size() - at);
      feed.Add(std::string_view(bytes).substr(at, size));
      at += size;
    }
    ASSERT_EQ(feed.outcome(), FeedWhole(bytes)) << testing::PrintToString(bytes);
  }
}

// A parser that began anew at each call would look at 10^11 bytes and not come back.
TEST(ParserTest, ManySmallReadsOfALargeCommandDoNotStartOver) {
  std::string bytes = "*200000\r\n";
  for (int i = 0; i < 200000; ++i) bytes += "$1\r\nx\r\n";
  Parser parser;
  size_t consumed = 0;
  std::vector<std::string_view> args;
  std::string_view all = bytes;
  for (size_t have = 1; have < all.size(); ++have) {
    ASSERT_EQ(parser.Next(all.substr(0, have), &consumed, &args), Parser::Result::kNeedMore);
    ASSERT_EQ(consumed, 0u);
  }
  ASSERT_EQ(parser.Next(all, &consumed, &args), Parser::Result::kCommand);
  EXPECT_EQ(args.size(), 200000u);
}

}  // namespace
}  // namespace metastore::resp
