// The expected replies are redis-server 7.0.15's.
#include "tests/commands/harness.h"
#include "types/sorted_set.h"

namespace metastore::test {
namespace {

const char kSyntax[] = "ERR syntax error";
const char kNotFloat[] = "ERR value is not a valid float";
const char kWrongType[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char kUnit[] = "ERR unsupported unit provided. please use M, KM, FT, MI";

resp::Value NullArray() {
  resp::Value value;
  value.type = resp::Type::kNullArray;
  return value;
}

class GeoCommandTest : public CommandTest {
 protected:
  void AddSicily() {
    EXPECT_EQ(Run({"GEOADD", "Sicily", "13.361389", "38.115556", "Palermo", "15.087269",
                   "37.502669", "Catania", "13.583333", "37.316667", "Agrigento"}),
              Int(3));
  }
};

TEST_F(GeoCommandTest, PlacesAreAddedUnderConditionsAndCounted) {
  AddSicily();
  EXPECT_EQ(Run({"GEOADD", "Sicily", "13", "38", "Palermo"}), Int(0));
  EXPECT_EQ(Run({"GEOADD", "Sicily", "CH", "13", "38", "Palermo"}), Int(0));
  EXPECT_EQ(Run({"GEOADD", "Sicily", "ch", "13.5", "38", "Palermo", "14", "38", "new"}), Int(2));
  EXPECT_EQ(Run({"GEOADD", "Sicily", "NX", "CH", "1", "1", "Palermo", "1", "1", "newer"}), Int(1));
  EXPECT_EQ(Run({"GEOADD", "Sicily", "XX", "CH", "1", "1", "newer", "2", "2", "newest"}), Int(0));
  EXPECT_EQ(Run({"ZCARD", "Sicily"}), Int(5));
  EXPECT_EQ(Run({"GEOADD", "absent", "XX", "1", "1", "m"}), Int(0));
  EXPECT_EQ(Run({"EXISTS", "absent"}), Int(0));
}

TEST_F(GeoCommandTest, GeoAddChecksOptionsThenPlacesThenTheKey) {
  PutList("list");
  EXPECT_EQ(Run({"GEOADD", "list", "1", "1", "m"}), Error(kWrongType));
  EXPECT_EQ(Run({"GEOADD", "list", "1", "91", "m"}),
            Error("ERR invalid longitude,latitude pair 1.000000,91.000000"));
  EXPECT_EQ(Run({"GEOADD", "k", "inf", "0", "m"}),
            Error("ERR invalid longitude,latitude pair inf,0.000000"));
  EXPECT_EQ(Run({"GEOADD", "k", "x", "1", "m"}), Error(kNotFloat));
  EXPECT_EQ(Run({"GEOADD", "k", "1", "nan", "m"}), Error(kNotFloat));
  EXPECT_EQ(Run({"GEOADD", "k", "NX", "XX", "1", "1", "m"}), Error(kSyntax));
  EXPECT_EQ(Run({"GEOADD", "k", "1", "1", "m", "2"}), Error(kSyntax));
  EXPECT_EQ(Run({"GEOADD", "k", "NX", "CH", "CH"}), Error(kSyntax));
  EXPECT_EQ(Run({"EXISTS", "k"}), Int(0));
  EXPECT_EQ(Run({"GEOADD", "k", std::string(1, '1') + std::string(300, '0'), "0", "m"}).text.size(),
            std::string("ERR invalid longitude,latitude pair ,0.000000").size() + 301 + 7);
}

TEST_F(GeoCommandTest, PositionsAndHashesHaveRedissDigits) {
  AddSicily();
  EXPECT_EQ(
      Run({"GEOPOS", "Sicily", "Palermo", "none"}),
      Array({Bulks({"13.36138933897018433", "38.11555639549629859"}), NullArray()}));
  EXPECT_EQ(Run({"GEOHASH", "Sicily", "Palermo", "none", "Catania"}),
            Array({Bulk("sqc8b49rny0"), Null(), Bulk("sqdtr74hyu0")}));
  EXPECT_EQ(Run({"GEOPOS", "absent", "m"}), Array({NullArray()}));
  EXPECT_EQ(Run({"GEOHASH", "absent", "m"}), Array({Null()}));
  EXPECT_EQ(Run({"GEOPOS", "Sicily"}), Array({}));
  protocol_ = 3;
  EXPECT_EQ(RunRaw({"GEOPOS", "Sicily", "Palermo", "none"}),
            "*2\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n_\r\n");
}

TEST_F(GeoCommandTest, DistancesHaveFourDecimalsInTheirUnit) {
  AddSicily();
  EXPECT_EQ(Run({"GEODIST", "Sicily", "Palermo", "Catania"}), Bulk("166274.1516"));
  EXPECT_EQ(Run({"GEODIST", "Sicily", "Palermo", "Catania", "KM"}), Bulk("166.2742"));
  EXPECT_EQ(Run({"GEODIST", "Sicily", "Palermo", "Catania", "mi"}), Bulk("103.3182"));
  EXPECT_EQ(Run({"GEODIST", "Sicily", "Palermo", "Catania", "ft"}), Bulk("545518.8700"));
  EXPECT_EQ(Run({"GEODIST", "Sicily", "Palermo", "Palermo"}), Bulk("0.0000"));
  EXPECT_EQ(Run({"GEODIST", "Sicily", "Palermo", "none"}), Null());
  EXPECT_EQ(Run({"GEODIST", "absent", "a", "b"}), Null());
  EXPECT_EQ(Run({"GEODIST", "absent", "a", "b", "x"}), Error(kUnit));
  EXPECT_EQ(Run({"GEODIST", "absent", "a", "b", "m", "x"}), Error(kSyntax));
  // 13760368.27645 m: "%.4f" would show 13760368.2765.
  Run({"ZADD", "far", "2500828562923428", "m"});
  EXPECT_EQ(Run({"GEORADIUS_RO", "far", "13.44", "52.2354", "22202806", "m", "WITHDIST"}),
            Array({Bulks({"m", "13760368.2764"})}));
}

TEST_F(GeoCommandTest, SearchesShowWhatIsAskedFor) {
  AddSicily();
  EXPECT_EQ(Run({"GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "200", "km", "ASC"}),
            Bulks({"Catania", "Agrigento", "Palermo"}));
  EXPECT_EQ(Run({"GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYBOX", "400", "400", "km"}),
            Bulks({"Agrigento", "Palermo", "Catania"}));
  EXPECT_EQ(Run({"GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYRADIUS", "100", "km", "DESC"}),
            Bulks({"Agrigento", "Palermo"}));
  EXPECT_EQ(Run({"GEOSEARCH", "Sicily", "WITHHASH", "FROMLONLAT", "15", "37", "WITHCOORD",
                 "BYRADIUS", "200", "km", "COUNT", "1", "WITHDIST"}),
            Array({Array({Bulk("Catania"), Bulk("56.4413"), Int(3479447370796909),
                          Bulks({"15.08726745843887329", "37.50266842333162032"})})}));
  EXPECT_EQ(Run({"GEORADIUS", "Sicily", "15", "37", "200", "km", "COUNT", "2", "DESC"}),
            Bulks({"Palermo", "Agrigento"}));
  EXPECT_EQ(Run({"GEORADIUSBYMEMBER_RO", "Sicily", "Palermo", "100", "km", "COUNT", "1", "ANY"}),
            Bulks({"Agrigento"}));
  EXPECT_EQ(Run({"GEOSEARCH", "absent", "FROMMEMBER", "m", "BYBOX", "1", "1", "m"}), Array({}));
}

TEST_F(GeoCommandTest, ResultsAreStoredWithPlacesOrDistances) {
  AddSicily();
  PutList("target");
  EXPECT_EQ(Run({"GEOSEARCHSTORE", "target", "Sicily", "FROMLONLAT", "15", "37", "BYBOX", "400",
                 "400", "km", "COUNT", "2"}),
            Int(2));
  EXPECT_EQ(Run({"ZRANGE", "target", "0", "-1", "WITHSCORES"}),
            Bulks({"Agrigento", "3479030013248308", "Catania", "3479447370796909"}));
  EXPECT_EQ(Run({"GEORADIUS", "Sicily", "15", "37", "200", "km", "STOREDIST", "target"}), Int(3));
  EXPECT_EQ(Run({"ZRANGE", "target", "0", "-1", "WITHSCORES"}),
            Bulks({"Catania", "56.441257870158204", "Agrigento", "130.42348706714702", "Palermo",
                   "190.44242984775784"}));
  EXPECT_EQ(Run({"GEORADIUSBYMEMBER", "Sicily", "Palermo", "1", "km", "STORE", "Sicily"}), Int(1));
  EXPECT_EQ(Run({"ZCARD", "Sicily"}), Int(1));
  EXPECT_EQ(Run({"GEOSEARCHSTORE", "target", "absent", "FROMMEMBER", "m", "BYRADIUS", "1", "m"}),
            Int(0));
  EXPECT_EQ(Run({"EXISTS", "target"}), Int(0));
}

TEST_F(GeoCommandTest, MistakesInSearchesAreToldInRedissOrder) {
  AddSicily();
  PutList("list");
  const auto search = [this](std::vector<std::string> words) {
    words.insert(words.begin(), {"geosearch", "Sicily"});
    return Run(words);
  };
  EXPECT_EQ(Run({"GEOSEARCH", "list", "x", "x", "x", "x", "x"}), Error(kWrongType));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYRADIUS", "-1", "m"}),
            Error("ERR radius cannot be negative"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYRADIUS", "x", "m"}),
            Error("ERR need numeric radius"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYBOX", "x", "1", "m"}),
            Error("ERR need numeric width"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYBOX", "1", "x", "m"}),
            Error("ERR need numeric height"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYBOX", "1", "-1", "m"}),
            Error("ERR height or width cannot be negative"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYBOX", "1", "1", "mile"}), Error(kUnit));
  EXPECT_EQ(search({"FROMMEMBER", "none", "BYBOX", "1", "1", "m"}),
            Error("ERR could not decode requested zset member"));
  EXPECT_EQ(search({"BYRADIUS", "1", "m", "ASC", "COUNT", "1"}),
            Error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "ASC", "WITHDIST"}),
            Error("ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYRADIUS", "1", "m", "BYBOX", "1", "1", "m"}),
            Error(kSyntax));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "FROMMEMBER", "Palermo", "BYRADIUS", "1", "m"}),
            Error(kSyntax));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYRADIUS", "1", "m", "COUNT", "0"}),
            Error("ERR COUNT must be > 0"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYRADIUS", "1", "m", "ANY"}),
            Error("ERR the ANY argument requires COUNT argument"));
  EXPECT_EQ(search({"FROMLONLAT", "1", "1", "BYRADIUS", "1", "m", "STORE", "x"}), Error(kSyntax));
  EXPECT_EQ(Run({"GEORADIUS_RO", "Sicily", "1", "1", "1", "m", "STORE", "x"}), Error(kSyntax));
  EXPECT_EQ(Run({"GEORADIUS", "Sicily", "1", "1", "1", "m", "STORE", "x", "WITHDIST"}),
            Error("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and "
                  "WITHCOORD options"));
  EXPECT_EQ(Run({"GEOSEARCHSTORE", "x", "Sicily", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "m",
                 "WITHHASH"}),
            Error("ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD "
                  "options"));
}

// A thousand of 100,000 are wanted: the others are let go on the way.
TEST_F(GeoCommandTest, TheNearestOfVeryManyAreFound) {
  std::vector<types::ScoredMember> members;
  constexpr uint64_t kCentre = 3479099956230698;
  for (uint64_t i = 0; i < 100'000; ++i) {
    members.push_back({std::to_string(i), static_cast<double>(kCentre + i)});
  }
  types::StoreSortedSet(txn_, db_, "k", members);
  const resp::Value all =
      Run({"GEORADIUS_RO", "k", "13.361389", "38.115556", "100", "km", "ASC", "WITHDIST"});
  const resp::Value some = Run(
      {"GEORADIUS_RO", "k", "13.361389", "38.115556", "100", "km", "COUNT", "1000", "WITHDIST"});
  ASSERT_EQ(all.children.size(), members.size());
  ASSERT_EQ(some.children.size(), 1000u);
  for (size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(some.children[i].children[1], all.children[i].children[1]) << i;
  }
}

}  // namespace
}  // namespace metastore::test
