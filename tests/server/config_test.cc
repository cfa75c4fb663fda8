#include "server/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace metastore::server {
namespace {

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

std::string ErrorOf(const std::vector<std::string>& flags) {
  std::string text;
  Result<std::unique_ptr<Config>> config = Config::FromFlags(flags, &text);
  return config.ok() ? "" : config.status().message();
}

std::unique_ptr<Config> Load(const std::vector<std::string>& flags) {
  std::string text;
  Result<std::unique_ptr<Config>> config = Config::FromFlags(flags, &text);
  EXPECT_TRUE(config.ok()) << config.ToString();
  return config.ok() ? std::move(*config) : std::make_unique<Config>();
}

std::string Value(const Config& config, std::string_view name) {
  std::vector<Config::Pair> pairs = config.Get({&name, 1});
  return pairs.size() == 1 ? pairs[0].second : "(" + std::to_string(pairs.size()) + " options)";
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// A file that is gone with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text) : path_(testing::TempDir() + "config_test.conf") {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ConfigTest, WithoutFlagsEveryOptionHasItsDefault) {
  auto config = Load({});
  auto s = config->settings();
  EXPECT_EQ(s->id, 1);
  EXPECT_EQ(s->redis_port, 6379);
  EXPECT_EQ(s->http_port, 12380);
  EXPECT_EQ(s->data_dir, "data/1");
  EXPECT_EQ(s->bind, std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(s->max_inflight_bytes, 64 << 20);
  EXPECT_FALSE(s->joins());
  EXPECT_TRUE(s->active_expire);
  EXPECT_EQ(config->file(), "");
}

TEST(ConfigTest, PortAndDirectoryFollowTheId) {
  auto s = Load({"--id", "3", "--cluster",
                 "http://127.0.0.1:1,http://127.0.0.1:2,http://127.0.0.1:3", "--port", "42380"})
               ->settings();
  EXPECT_EQ(s->redis_port, 6381);
  EXPECT_EQ(s->data_dir, "data/3");
  EXPECT_EQ(s->cluster.size(), 3u);
  EXPECT_EQ(s->http_port, 42380);
}

TEST(ConfigTest, JoinNeedsNoValueAndTakesOne) {
  EXPECT_TRUE(Load({"--join"})->settings()->joins());
  EXPECT_TRUE(Load({"--join", "--id", "1"})->settings()->joins());
  EXPECT_FALSE(Load({"--join", "no"})->settings()->joins());
  EXPECT_FALSE(Load({"--active-expire=no"})->settings()->active_expire);
}

TEST(ConfigTest, ABadFlagIsOneClearLine) {
  EXPECT_EQ(ErrorOf({"--maxclients", "many"}),
            "--maxclients 'many': argument couldn't be parsed into an integer");
  EXPECT_EQ(ErrorOf({"--port", "70000"}),
            "--port '70000': argument must be between 1 and 65535 inclusive");
  EXPECT_EQ(ErrorOf({"--id", "2"}), "id 2 has no address: cluster names 1 member");
  EXPECT_EQ(ErrorOf({"--cluster", "127.0.0.1:1"}),
            "cluster: '127.0.0.1:1' is not of the form http://host:port");
  EXPECT_EQ(ErrorOf({"--cluster", "http://a:1,http://a:1"}), "cluster: http://a:1 stands twice");
  EXPECT_EQ(ErrorOf({"--redis-port", "12380"}), "port and redis-port are both 12380");
  EXPECT_EQ(ErrorOf({"--election-timeout", "150"}),
            "election-timeout must be at least twice heartbeat-interval");
  EXPECT_EQ(ErrorOf({"--log-level", "loud"}),
            "--log-level 'loud': argument(s) must be one of the following: trace, debug, info, "
            "warning, error, critical, off");
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--nosuch", "1"},
                                                {"stray"},
                                                {"--port"},
                                                {"--id", "1", "--id", "1"}}) {
    std::string error = ErrorOf(flags);
    EXPECT_NE(error, "") << flags[0];
    EXPECT_EQ(error.find('\n'), error.npos) << error;
  }
}

TEST(ConfigTest, HelpNamesEveryOptionAndVersionTheVersion) {
  std::string text;
  ASSERT_TRUE(Config::FromFlags({"--help"}, &text).ok());
  for (const OptionSpec& option : Options()) {
    EXPECT_NE(text.find("--" + std::string(option.name) + "  ("), text.npos) << option.name;
  }
  ASSERT_TRUE(Config::FromFlags({"--version"}, &text).ok());
  EXPECT_EQ(text.substr(0, 10), "metaStore ");
}

TEST(ConfigTest, FlagsWinOverTheFile) {
  TemporaryFile file("# ours\nmaxclients 7\n  timeout 9\n\n");
  auto config = Load({"--maxclients", "8", "--config", file.path()});
  EXPECT_EQ(config->settings()->maxclients, 8);
  EXPECT_EQ(config->settings()->timeout_s, 9);
  EXPECT_NE(config->file(), "");
}

TEST(ConfigTest, AFileErrorNamesTheLine) {
  EXPECT_EQ(Config::FromText("timeout 1\nnosuch 1\n", "f").status().message(),
            "f:2: unknown option 'nosuch'");
  EXPECT_EQ(Config::FromText("timeout", "f").status().message(), "f:1: 'timeout' takes one value");
  EXPECT_EQ(Config::FromText("requirepass \"x", "f").status().message(), "f:1: unbalanced quotes");
  EXPECT_EQ(Config::FromText("timeout x", "f").status().message(),
            "f:1: 'timeout': argument couldn't be parsed into an integer");
  EXPECT_EQ(Config::FromText("appendonly no", "f").status().message(),
            "f:1: 'appendonly' is always 'yes'");
  EXPECT_TRUE(Config::FromText("appendonly yes\nsave \"\"\r\n", "f").ok());
  EXPECT_NE(ErrorOf({"--config", "/nonexistent/f"}).find("/nonexistent/f"), std::string::npos);
}

TEST(ConfigTest, QuotesAreRedis) {
  auto config = Config::FromText("requirepass \"a b\\x41\\n\\\"\"\n", "f");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ((*config)->settings()->requirepass, "a bA\n\"");
  std::vector<std::string> words;
  EXPECT_TRUE(SplitWords("a 'b\\'c' \"\"", &words));
  EXPECT_EQ(words, (std::vector<std::string>{"a", "b'c", ""}));
  EXPECT_FALSE(SplitWords("a 'b'c", &words));
  EXPECT_FALSE(SplitWords("\"a", &words));
}

TEST(ConfigTest, GetTakesPatternsAndAnswersEachOptionOnce) {
  Config config;
  std::string_view patterns[] = {"max*", "MAXCLIENTS", "save"};
  std::vector<Config::Pair> expected = {{"max-inflight-bytes", "67108864"},
                                        {"maxclients", "10000"},
                                        {"maxmemory", "0"},
                                        {"maxmemory-policy", "noeviction"},
                                        {"save", ""}};
  EXPECT_EQ(config.Get(patterns), expected);
}

TEST(ConfigTest, SetIsAllOrNothing) {
  Config config;
  int published = 0;
  auto publish = [&published](const Settings&, const Settings&) { ++published; };
  EXPECT_EQ(config.Set(Pairs{{"timeout", "5"}, {"maxclients", "0"}}, publish).message(),
            "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be "
            "between 1 and 1000000 inclusive");
  EXPECT_EQ(Value(config, "timeout"), "0");
  EXPECT_EQ(published, 0);
  EXPECT_TRUE(config.Set(Pairs{{"timeout", "5"}, {"maxclients", "6"}}, publish).ok());
  EXPECT_EQ(Value(config, "timeout"), "5");
  EXPECT_EQ(published, 1);
}

TEST(ConfigTest, OlderNamesOfAnOptionAreTakenAndShown) {
  Config config;
  std::pair<std::string_view, std::string_view> pair{"hash-max-ZIPLIST-value", "1kb"};
  ASSERT_TRUE(config.Set({&pair, 1}, nullptr).ok());
  EXPECT_EQ(config.settings()->hash_max_listpack_value, 1024);
  EXPECT_EQ(EncodingLimitsOf(*config.settings()).hash_max_listpack_value, 1024u);
  std::string_view pattern = "hash-max-*-value";
  EXPECT_EQ(config.Get({&pattern, 1}),
            (std::vector<Config::Pair>{{"hash-max-listpack-value", "1024"},
                                       {"hash-max-ziplist-value", "1024"}}));
  EXPECT_EQ(EncodingLimitsOf(*Config().settings()), types::EncodingLimits());
}

TEST(ConfigTest, SetRefusesInRedisWords) {
  Config config;
  auto error = [&config](const Pairs& pairs) { return config.Set(pairs, nullptr).message(); };
  EXPECT_EQ(error({{"nosuch", "1"}}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
  EXPECT_EQ(error({{"port", "1"}}),
            "ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable "
            "config");
  EXPECT_EQ(error({{"appendonly", "no"}}),
            "ERR CONFIG SET failed (possibly related to argument 'appendonly') - can't set "
            "immutable config");
  EXPECT_EQ(error({{"appendonly", "yes"}}), "");
  EXPECT_EQ(error({{"timeout", "1"}, {"TIMEOUT", "2"}}),
            "ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter");
  EXPECT_EQ(error({{"active-expire", "maybe"}}),
            "ERR CONFIG SET failed (possibly related to argument 'active-expire') - argument must "
            "be 'yes' or 'no'");
}

TEST(ConfigTest, OutputLimitsChangeByClass) {
  Config config;
  ASSERT_TRUE(config.Set(Pairs{{"client-output-buffer-limit", "normal 1mb 2kb 3"}}, nullptr).ok());
  EXPECT_EQ(Value(config, "client-output-buffer-limit"),
            "normal 1048576 2048 3 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
  Limits limits = LimitsOf(*config.settings());
  EXPECT_EQ(limits.output.hard_bytes, 1u << 20);
  EXPECT_EQ(limits.output.soft_s, 3);
}

TEST(ConfigTest, RewriteKeepsCommentsAndOrderAndWhatIsUnchanged) {
  TemporaryFile file("# first\ntimeout   0x\n");
  {
    std::ofstream(file.path())
        << "# first\nmaxclients   5\n# second\nblock-cache 1024mb\ntimeout 1\n";
  }
  auto config = Load({"--config", file.path()});
  ASSERT_TRUE(config->Set(Pairs{{"timeout", "2"}, {"requirepass", "a b"}}, nullptr).ok());
  ASSERT_TRUE(config->Rewrite().ok());
  EXPECT_EQ(ReadAll(file.path()),
            "# first\nmaxclients   5\n# second\nblock-cache 1024mb\ntimeout 2\n"
            "# Generated by CONFIG REWRITE\nrequirepass \"a b\"\n");
  auto again = Load({"--config", file.path()});
  EXPECT_EQ(again->settings()->requirepass, "a b");
  EXPECT_EQ(again->settings()->timeout_s, 2);
  ASSERT_TRUE(config->Set(Pairs{{"requirepass", "c"}}, nullptr).ok());
  ASSERT_TRUE(config->Rewrite().ok());
  EXPECT_NE(ReadAll(file.path()).find("# Generated by CONFIG REWRITE\nrequirepass c\n"),
            std::string::npos);
}

TEST(ConfigTest, RewriteWithoutAFileIsRedisError) {
  EXPECT_EQ(Config().Rewrite().message(), "ERR The server is running without a config file");
}

TEST(ConfigTest, TheShippedFileListsEveryOptionWithItsDefaultAndReason) {
  std::string text = ReadAll("conf/metastore.conf");
  ASSERT_NE(text, "") << "run from the root of the tree";
  for (const OptionSpec& option : Options()) {
    std::string value(option.default_value.empty() ? "\"\"" : option.default_value);
    std::string block = "# " + std::string(option.why) + "\n";
    if (!option.unit.empty()) block += "# Unit: " + std::string(option.unit) + ".\n";
    block += std::string(option.name) + " " + value + "\n";
    EXPECT_NE(text.find(block), text.npos) << "missing in conf/metastore.conf:\n" << block;
  }
  auto config = Config::FromText(text, "conf/metastore.conf");
  ASSERT_TRUE(config.ok()) << config.ToString();
  std::string_view all = "*";
  EXPECT_EQ((*config)->Get({&all, 1}), Config().Get({&all, 1}));
}

}  // namespace
}  // namespace metastore::server
