#include "server/info.h"

#include "tests/server/handler_test.h"
#include "tests/server/topology_support.h"

namespace metastore::server {
namespace {

class InfoTest : public HandlerTest {
 protected:
  std::string Info(const std::vector<std::string>& sections) {
    std::vector<std::string_view> views(sections.begin(), sections.end());
    return InfoText(server_, views);
  }
  static bool Has(const std::string& text, const std::string& line) {
    return ("\r\n" + text).find("\r\n" + line + "\r\n") != std::string::npos;
  }
};

TEST_F(InfoTest, EverySectionHasItsTitleAndLinesEndAsInRedis) {
  std::string text = Info({"everything"});
  for (const char* title :
       {"Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "Raft", "CPU",
        "Modules", "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace"}) {
    EXPECT_TRUE(Has(text, "# " + std::string(title))) << title;
  }
  for (size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1)) {
    EXPECT_EQ(text[at - 1], '\r');
  }
}

TEST_F(InfoTest, TheDefaultLeavesOutWhatRedisLeavesOut) {
  std::string text = Info({});
  EXPECT_EQ(text.find("# Commandstats"), text.npos);
  EXPECT_EQ(text.find("# Latencystats"), text.npos);
  EXPECT_TRUE(Has(text, "# Keyspace"));
  EXPECT_TRUE(Has(text, "loading:0"));
}

TEST_F(InfoTest, SectionsAreChosenInAnyCaseAndUnknownOnesAreNothing) {
  EXPECT_EQ(Info({"CLUSTER"}), "# Cluster\r\ncluster_enabled:0\r\n");
  EXPECT_EQ(Info({"nosuch"}), "");
  std::string two = Info({"keyspace", "cluster"});
  EXPECT_EQ(two, "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n");
}

TEST_F(InfoTest, ReplicationFollowsTheRole) {
  replica_.info = TestClusterInfo(1);
  replica_.info.peers[0].match_index = 7;
  replica_.info.peers[0].last_contact_ms = 2500;
  ClusterOf(&replica_.info).topology.nodes[2].down = true;
  std::string text = Info({"replication"});
  EXPECT_TRUE(Has(text, "role:master")) << text;
  EXPECT_TRUE(Has(text, "connected_slaves:2")) << text;
  EXPECT_TRUE(Has(text, "slave0:ip=10.0.0.2,port=6379,state=online,offset=7,lag=2")) << text;
  EXPECT_TRUE(Has(text, "slave1:ip=10.0.0.3,port=6379,state=offline,offset=10,lag=1")) << text;
  replica_.info = TestClusterInfo(2);
  text = Info({"replication"});
  EXPECT_TRUE(Has(text, "role:slave")) << text;
  EXPECT_TRUE(Has(text, "master_host:10.0.0.1")) << text;
  EXPECT_TRUE(Has(text, "master_port:6379")) << text;
  EXPECT_TRUE(Has(text, "master_link_status:up")) << text;
  replica_.info.leader = 0;
  EXPECT_TRUE(Has(Info({"replication"}), "master_link_status:down"));
}

TEST_F(InfoTest, ClusterModeShows) {
  EXPECT_TRUE(Has(Info({"server"}), "redis_mode:standalone"));
  Limits limits;
  limits.cluster_enabled = true;
  server_.SetLimits(limits);
  EXPECT_TRUE(Has(Info({"server"}), "redis_mode:cluster"));
  EXPECT_TRUE(Has(Info({"cluster"}), "cluster_enabled:1"));
}

TEST_F(InfoTest, RaftSectionHasTheNodesFigures) {
  replica_.info.term = 4;
  replica_.info.commit_index = 12;
  std::string text = Info({"raft"});
  EXPECT_TRUE(Has(text, "raft_role:leader")) << text;
  EXPECT_TRUE(Has(text, "raft_term:4")) << text;
  EXPECT_TRUE(Has(text, "raft_commit_index:12")) << text;
}

TEST_F(InfoTest, CommandStatsCountByFullName) {
  LoopStats* loop = server_.AddLoop();
  const Command* list = server_.commands().Find("client")->FindSubcommand("list");
  loop->command(list->index).calls.Add(2);
  loop->command(list->index).failed.Add(1);
  std::string text = Info({"commandstats"});
  EXPECT_TRUE(Has(text,
                  "cmdstat_client|list:calls=2,usec=0,usec_per_call=0.00,rejected_calls=0,"
                  "failed_calls=1"))
      << text;
}

}  // namespace
}  // namespace metastore::server
