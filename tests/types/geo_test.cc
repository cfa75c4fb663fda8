// The expected numbers are redis-server 7.0.15's.
#include "types/geo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/format.h"
#include "base/random.h"
#include "tests/support/seed.h"

namespace metastore::types {
namespace {

constexpr GeoPoint kPalermo{13.361389, 38.115556};
constexpr double kPalermoScore = 3479099956230698;
constexpr double kCataniaScore = 3479447370796909;

double Uniform(Random& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random.Next() >> 11) * 0x1p-53;
}

TEST(GeoTest, PlacesHaveRedissScores) {
  EXPECT_EQ(EncodeGeo(kPalermo), kPalermoScore);
  EXPECT_EQ(EncodeGeo({15.087269, 37.502669}), kCataniaScore);
  EXPECT_EQ(EncodeGeo({0, 0}), uint64_t{3} << 50);
  EXPECT_EQ(EncodeGeo({-kMaxLongitude, -kMaxLatitude}), 0u);
  // One step beyond the grid, as in Redis.
  EXPECT_EQ(EncodeGeo({kMaxLongitude, kMaxLatitude}), uint64_t{3} << 52);
  const GeoPoint palermo = DecodeGeo(kPalermoScore);
  EXPECT_EQ(FormatLongDouble(palermo.longitude), "13.36138933897018433");
  EXPECT_EQ(FormatLongDouble(palermo.latitude), "38.11555639549629859");
}

TEST(GeoTest, GeoHashesAreThoseOfGeohashOrg) {
  EXPECT_EQ(GeoHashText(kPalermoScore), "sqc8b49rny0");
  EXPECT_EQ(GeoHashText(kCataniaScore), "sqdtr74hyu0");
}

TEST(GeoTest, ADecodedPlaceIsInTheCellOfTheEncodedOne) {
  Random random(test::Seed());
  for (int round = 0; round < 10'000; ++round) {
    const GeoPoint point{Uniform(random, -kMaxLongitude, kMaxLongitude),
                         Uniform(random, -kMaxLatitude, kMaxLatitude)};
    const uint64_t score = EncodeGeo(point);
    const GeoPoint decoded = DecodeGeo(static_cast<double>(score));
    ASSERT_EQ(EncodeGeo(decoded), score);
    ASSERT_NEAR(decoded.longitude, point.longitude, 360 * 0x1p-26);
    ASSERT_NEAR(decoded.latitude, point.latitude, 180 * 0x1p-26);
  }
}

TEST(GeoTest, AnyNumberIsAScore) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (double score : {-1.0, 0.5, 1e300, -1e300, kInfinity, -kInfinity, 0x1p63, 0x1p64, -0x1p63}) {
    EXPECT_TRUE(IsValid(DecodeGeo(score))) << score;
    EXPECT_EQ(GeoHashText(score).size(), 11u) << score;
  }
  EXPECT_EQ(DecodeGeo(0.9), DecodeGeo(0));
}

TEST(GeoTest, DistancesAreRediss) {
  EXPECT_EQ(FormatDouble(DistanceInMetres(DecodeGeo(kPalermoScore), DecodeGeo(kCataniaScore))),
            "166274.15156960033");
  EXPECT_EQ(DistanceInMetres(kPalermo, kPalermo), 0);
}

bool Covered(const std::vector<GeoScores>& boxes, const GeoPoint& point) {
  const uint64_t score = EncodeGeo(point);
  for (const GeoScores& box : boxes) {
    if (score >= box.first && score < box.end) return true;
  }
  return false;
}

// Far from the poles, where one degree of longitude is a few metres.
TEST(GeoTest, TheBoxesCoverTheShapeAndDoNotOverlap) {
  Random random(test::Seed());
  int within = 0;
  for (int round = 0; round < 3000; ++round) {
    GeoShape shape;
    shape.centre = {Uniform(random, -180, 180), Uniform(random, -60, 60)};
    const double size = std::pow(10, Uniform(random, 0, 6));
    shape.box = random.OneIn(2);
    shape.radius = size;
    shape.width = size * Uniform(random, 0.1, 2);
    shape.height = size * Uniform(random, 0.1, 2);
    const std::vector<GeoScores> boxes = BoxesAround(shape);
    ASSERT_LE(boxes.size(), 9u);
    for (size_t i = 0; i < boxes.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        ASSERT_TRUE(boxes[i].end <= boxes[j].first || boxes[j].end <= boxes[i].first);
      }
    }
    const double degrees = size / 111'000;
    for (int i = 0; i < 50; ++i) {
      GeoPoint point{shape.centre.longitude + Uniform(random, -2, 2) * degrees,
                     shape.centre.latitude + Uniform(random, -1, 1) * degrees};
      if (point.longitude > 180) point.longitude -= 360;
      if (point.longitude < -180) point.longitude += 360;
      point.longitude = std::clamp(point.longitude, -kMaxLongitude, kMaxLongitude);
      if (!IsValid(point) || !shape.DistanceWithin(point)) continue;
      ++within;
      ASSERT_TRUE(Covered(boxes, point))
          << round << ": " << point.longitude << " " << point.latitude << " around "
          << shape.centre.longitude << " " << shape.centre.latitude << ", " << size << " m";
    }
  }
  EXPECT_GT(within, 10'000);
}

TEST(GeoTest, ASmallCircleNeedsFewScoresAndAHugeOneTheWorld) {
  GeoShape shape;
  shape.centre = {13.4, 52.5};
  const auto scores = [&shape] {
    uint64_t sum = 0;
    for (const GeoScores& box : BoxesAround(shape)) sum += box.end - box.first;
    return sum;
  };
  shape.radius = 1;
  EXPECT_LT(scores(), 1000u);
  shape.radius = std::numeric_limits<double>::infinity();
  EXPECT_EQ(scores(), uint64_t{1} << 52);
}

}  // namespace
}  // namespace metastore::types
