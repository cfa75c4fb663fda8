// The arrows of inclusion point down only (docs/architecture.md): every #include in src/ is checked
// against the list of what its folder may see.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace metastore {
namespace {

// Path below src/ → its text.
using Sources = std::map<std::string, std::string>;

const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"base", {"base"}},
    {"raft", {"raft", "base"}},
    {"resp", {"resp", "base"}},
    {"engine", {"engine", "base"}},
    {"types", {"types", "engine", "base"}},
    {"commands", {"commands", "types", "engine", "resp", "base"}},
    {"replica", {"replica", "commands", "types", "engine", "raft", "resp", "base"}},
    {"server", {"server", "replica", "commands", "types", "engine", "raft", "resp", "base"}},
    {"net", {"net", "server", "replica", "commands", "types", "engine", "raft", "resp", "base"}},
    {"main",
     {"main", "net", "server", "replica", "commands", "types", "engine", "raft", "resp", "base"}},
};

// The log's record types are raft's; nothing else of the engine knows them than what writes, reads
// and checks the log.
bool IsLogStoreException(const std::string& path, const std::string& included) {
  const std::string file = path.substr(0, path.find('.'));
  return (file == "engine/log_store" || file == "engine/log_codec" || file == "engine/check") &&
         (included == "raft/types.h" || included == "raft/node.h");
}

std::string FolderOf(const std::string& path) {
  size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// What a line includes, quotes or brackets and all; empty if it is no #include.
std::string IncludedBy(const std::string& line) {
  size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return "";
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string::npos || line.compare(at, 7, "include") != 0) return "";
  at = line.find_first_of("\"<", at + 7);
  if (at == std::string::npos) return "";
  size_t end = line.find_first_of("\">", at + 1);
  if (end == std::string::npos) return "";
  return line.substr(at, end + 1 - at);
}

bool MayInclude(const std::string& path, const std::string& include) {
  const std::string folder = FolderOf(path);
  const std::string included = include.substr(1, include.size() - 2);
  const std::string target = FolderOf(included);
  if (target == "event2") return folder == "net";
  if (target == "rocksdb") return folder == "engine";
  if (include[0] == '<') return kMayInclude.count(target) == 0;  // ours are quoted
  auto allowed = kMayInclude.find(folder);
  if (allowed == kMayInclude.end()) return false;
  return allowed->second.count(target) > 0 || IsLogStoreException(path, included);
}

std::vector<std::string> Violations(const Sources& sources) {
  std::vector<std::string> found;
  for (const auto& [path, text] : sources) {
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line)) {
      std::string include = IncludedBy(line);
      if (!include.empty() && !MayInclude(path, include)) found.push_back(path + ": " + include);
    }
  }
  return found;
}

// Make compiles with paths relative to the project's root, where the tests run too.
std::filesystem::path SourceRoot() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "src";
}

Sources ReadSources() {
  Sources sources;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SourceRoot())) {
    std::string extension = entry.path().extension();
    if (extension != ".h" && extension != ".cc") continue;
    std::ifstream in(entry.path());
    std::ostringstream text;
    text << in.rdbuf();
    sources[entry.path().lexically_relative(SourceRoot()).string()] = text.str();
  }
  return sources;
}

TEST(LayersTest, IncludesPointDownOnly) {
  Sources sources = ReadSources();
  ASSERT_TRUE(sources.count("base/status.h")) << "run from the project's root";
  EXPECT_EQ(Violations(sources), std::vector<std::string>{});
}

TEST(LayersTest, EveryFolderOfTheSourceHasItsPlace) {
  for (const auto& entry : std::filesystem::directory_iterator(SourceRoot())) {
    EXPECT_TRUE(kMayInclude.count(entry.path().filename())) << entry.path();
  }
}

TEST(LayersTest, AnIncludeThatPointsUpIsFound) {
  EXPECT_EQ(Violations({{"base/a.h", "#include \"raft/node.h\"\n"},
                        {"commands/a.cc", "#include \"replica/replica.h\"\n"},
                        {"engine/engine.cc", "#include \"raft/types.h\"\n"},
                        {"engine/log_store.cc", "#include \"raft/log.h\"\n"},
                        {"raft/a.cc", "#include \"resp/writer.h\"\n"},
                        {"resp/a.cc", "int x;\n  #  include   \"engine/view.h\"  // why\n"},
                        {"server/a.h", "#include \"net/loop.h\"\n"},
                        {"types/a.h", "#include \"resp/writer.h\"\n"},
                        {"types/b.h", "#include <engine/view.h>\n"}}),
            (std::vector<std::string>{
                "base/a.h: \"raft/node.h\"",
                "commands/a.cc: \"replica/replica.h\"",
                "engine/engine.cc: \"raft/types.h\"",
                "engine/log_store.cc: \"raft/log.h\"",
                "raft/a.cc: \"resp/writer.h\"",
                "resp/a.cc: \"engine/view.h\"",
                "server/a.h: \"net/loop.h\"",
                "types/a.h: \"resp/writer.h\"",
                "types/b.h: <engine/view.h>",
            }));
}

TEST(LayersTest, AForeignLibraryOutsideItsFolderIsFound) {
  EXPECT_EQ(Violations({{"server/a.cc", "#include <event2/event.h>\n"},
                        {"replica/a.cc", "#include \"rocksdb/db.h\"\n#include <rocksdb/db.h>\n"},
                        {"net/a.cc", "#include <rocksdb/db.h>\n#include <event2/event.h>\n"},
                        {"engine/a.cc", "#include <rocksdb/db.h>\n#include <event2/event.h>\n"}}),
            (std::vector<std::string>{
                "engine/a.cc: <event2/event.h>",
                "net/a.cc: <rocksdb/db.h>",
                "replica/a.cc: \"rocksdb/db.h\"",
                "replica/a.cc: <rocksdb/db.h>",
                "server/a.cc: <event2/event.h>",
            }));
}

TEST(LayersTest, AFileOutsideTheLayersAndAPathThatIsNotFromSrcAreFound) {
  EXPECT_EQ(Violations({{"extra/a.cc", "#include \"base/status.h\"\n"},
                        {"base/a.cc", "#include \"status.h\"\n#include \"../base/status.h\"\n"}}),
            (std::vector<std::string>{
                "base/a.cc: \"status.h\"",
                "base/a.cc: \"../base/status.h\"",
                "extra/a.cc: \"base/status.h\"",
            }));
}

TEST(LayersTest, ProperIncludesAreNoViolation) {
  EXPECT_EQ(Violations({{"engine/log_store.h", "#include \"raft/types.h\"\n"},
                        {"engine/log_store.cc", "#include \"raft/node.h\"\n"},
                        {"net/peer.cc", "#include <event2/event.h>\n#include \"replica/x.pb.h\"\n"},
                        {"base/a.cc", "#include <string>\n#include <sys/stat.h>\n// \"net/x.h\"\n"},
                        {"raft/a.cc", "#include \"base/check.h\"\n"}}),
            std::vector<std::string>{});
}

}  // namespace
}  // namespace metastore
