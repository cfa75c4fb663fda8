#include "types/geo.h"

#include <algorithm>
#include <cmath>

#include "base/trigonometry.h"

namespace metastore::types {
namespace {

constexpr int kMaxSteps = 26;  // bits of each coordinate
constexpr double kEarthRadiusMetres = 6372797.560856;
// Half the length of the equator in the projection.
constexpr double kMercatorMaxMetres = 20037726.37;
constexpr double kRadiansPerDegree = M_PI / 180.0;

double Radians(double degrees) { return degrees * kRadiansPerDegree; }
double Degrees(double radians) { return radians / kRadiansPerDegree; }

struct Range {
  double min, max;
};
constexpr Range kLongitudes{-kMaxLongitude, kMaxLongitude};
constexpr Range kLatitudes{-kMaxLatitude, kMaxLatitude};
// Those of geohash.org, which has the poles.
constexpr Range kAllLatitudes{-90, 90};

// Latitude in the even bits, longitude in the odd ones.
constexpr uint64_t kLatitudeBits = 0x5555555555555555;
constexpr uint64_t kLongitudeBits = ~kLatitudeBits;

// Bit i to bit 2i.
uint64_t Spread(uint32_t value) {
  uint64_t bits = value;
  bits = (bits | bits << 16) & 0x0000ffff0000ffff;
  bits = (bits | bits << 8) & 0x00ff00ff00ff00ff;
  bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0f;
  bits = (bits | bits << 2) & 0x3333333333333333;
  return (bits | bits << 1) & kLatitudeBits;
}

uint32_t Gather(uint64_t bits) {
  bits &= kLatitudeBits;
  bits = (bits | bits >> 1) & 0x3333333333333333;
  bits = (bits | bits >> 2) & 0x0f0f0f0f0f0f0f0f;
  bits = (bits | bits >> 4) & 0x00ff00ff00ff00ff;
  bits = (bits | bits >> 8) & 0x0000ffff0000ffff;
  return static_cast<uint32_t>(bits | bits >> 16);
}

// A box of the grid that divides each coordinate `steps` times.
struct Box {
  uint64_t bits = 0;
  int steps = 0;
  friend bool operator==(const Box&, const Box&) = default;
};

struct Area {
  Range longitude, latitude;
};

// The upper end of a range is a step beyond the last one, as in Redis.
uint32_t StepOf(double value, Range range, int steps) {
  double offset = (value - range.min) / (range.max - range.min);
  offset *= static_cast<double>(uint64_t{1} << steps);
  return static_cast<uint32_t>(offset);
}

Box BoxOf(const GeoPoint& point, Range latitudes, int steps) {
  return {Spread(StepOf(point.latitude, latitudes, steps)) |
              Spread(StepOf(point.longitude, kLongitudes, steps)) << 1,
          steps};
}

Range RangeOf(uint32_t step, Range whole, int steps) {
  const double scale = whole.max - whole.min;
  const double cells = static_cast<double>(uint64_t{1} << steps);
  return {whole.min + (step * 1.0 / cells) * scale, whole.min + ((step + 1) * 1.0 / cells) * scale};
}

Area AreaOf(const Box& box) {
  return {RangeOf(Gather(box.bits >> 1), kLongitudes, box.steps),
          RangeOf(Gather(box.bits), kLatitudes, box.steps)};
}

// One coordinate of a box, in its own bits, moved by one; it wraps around. What is not moved may
// lie a step beyond the grid.
uint64_t Move(uint64_t bits, uint64_t own, int by, int steps) {
  if (by == 0) return bits & own;
  const int unused = 64 - 2 * steps;
  const uint64_t others = ~own >> unused;
  uint64_t moved = bits & own;
  moved = by > 0 ? moved + (others + 1) : (moved | others) - (others + 1);
  return moved & (own >> unused);
}

Box Neighbour(const Box& box, int east, int north) {
  return {Move(box.bits, kLongitudeBits, east, box.steps) |
              Move(box.bits, kLatitudeBits, north, box.steps),
          box.steps};
}

// With a grid of so many steps the box around a centre and its neighbours cover the circle: about
// twice the radius is the side of a box. Towards the poles boxes are narrower.
int StepsForRadius(double metres, double latitude) {
  if (metres == 0) return kMaxSteps;
  int steps = 1;
  while (metres < kMercatorMaxMetres) {
    metres *= 2;
    ++steps;
  }
  steps -= 2;
  if (latitude > 66 || latitude < -66) {
    --steps;
    if (latitude > 80 || latitude < -80) --steps;
  }
  return std::clamp(steps, 1, kMaxSteps);
}

// The smallest area of meridians and parallels around the shape.
Area BoundsOf(const GeoShape& shape) {
  const auto& [longitude, latitude] = shape.centre;
  const double height = shape.metres_per_unit * (shape.box ? shape.height / 2 : shape.radius);
  const double width = shape.metres_per_unit * (shape.box ? shape.width / 2 : shape.radius);
  const double up = Degrees(height / kEarthRadiusMetres);
  // The side nearer to a pole spans more degrees.
  const double side_latitude = latitude < 0 ? latitude - up : latitude + up;
  const double aside = Degrees(width / kEarthRadiusMetres / Cosine(Radians(side_latitude)));
  return {{longitude - aside, longitude + aside}, {latitude - up, latitude + up}};
}

double RadiusAround(const GeoShape& shape) {
  double radius = shape.radius;
  if (shape.box) {
    radius =
        std::sqrt((shape.width / 2) * (shape.width / 2) + (shape.height / 2) * (shape.height / 2));
  }
  return radius * shape.metres_per_unit;
}

// Whether the centre lies so close to a side of its box that the neighbour there ends within the
// bounds.
bool NeighboursEndWithin(const Area& bounds, const Box& centre) {
  return AreaOf(Neighbour(centre, 0, 1)).latitude.max < bounds.latitude.max ||
         AreaOf(Neighbour(centre, 0, -1)).latitude.min > bounds.latitude.min ||
         AreaOf(Neighbour(centre, 1, 0)).longitude.max < bounds.longitude.max ||
         AreaOf(Neighbour(centre, -1, 0)).longitude.min > bounds.longitude.min;
}

// What x86-64 converts a number to: scores that no GEO command wrote may be any.
uint64_t BitsOf(double score) {
  constexpr double kTop = 0x1p63;
  if (score >= kTop) {
    score -= kTop;
    return score >= kTop ? 0 : static_cast<uint64_t>(score) | uint64_t{1} << 63;
  }
  if (score < -kTop) return uint64_t{1} << 63;
  return static_cast<uint64_t>(static_cast<int64_t>(score));
}

GeoScores ScoresOf(const Box& box) {
  const int shift = 2 * (kMaxSteps - box.steps);
  return {box.bits << shift, (box.bits + 1) << shift};
}

}  // namespace

uint64_t EncodeGeo(const GeoPoint& point) { return BoxOf(point, kLatitudes, kMaxSteps).bits; }

GeoPoint DecodeGeo(double score) {
  const Area area = AreaOf({BitsOf(score), kMaxSteps});
  return {std::clamp((area.longitude.min + area.longitude.max) / 2, -kMaxLongitude, kMaxLongitude),
          std::clamp((area.latitude.min + area.latitude.max) / 2, -kMaxLatitude, kMaxLatitude)};
}

std::string GeoHashText(double score) {
  static constexpr char kAlphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  const uint64_t bits = BoxOf(DecodeGeo(score), kAllLatitudes, kMaxSteps).bits;
  std::string text;
  for (int shift = 2 * kMaxSteps - 5; shift >= 0; shift -= 5) text += kAlphabet[bits >> shift & 31];
  // Two bits are left; Redis shows none of them.
  return text + '0';
}

double DistanceInMetres(const GeoPoint& a, const GeoPoint& b) {
  const double a_latitude = Radians(a.latitude), a_longitude = Radians(a.longitude);
  const double b_latitude = Radians(b.latitude), b_longitude = Radians(b.longitude);
  const double u = Sine((b_latitude - a_latitude) / 2);
  const double v = Sine((b_longitude - a_longitude) / 2);
  const double half_chord = std::sqrt(u * u + Cosine(a_latitude) * Cosine(b_latitude) * v * v);
  // Of opposite points it may be rounded up.
  return 2.0 * kEarthRadiusMetres * ArcSine(std::min(half_chord, 1.0));
}

std::optional<double> GeoShape::DistanceWithin(const GeoPoint& point) const {
  if (box) {
    const double aside = DistanceInMetres(point, GeoPoint{centre.longitude, point.latitude});
    const double up = DistanceInMetres(point, GeoPoint{point.longitude, centre.latitude});
    if (aside > width * metres_per_unit / 2 || up > height * metres_per_unit / 2) {
      return std::nullopt;
    }
    return DistanceInMetres(centre, point);
  }
  // Most of those without are too far north or south, which is told without a sine.
  const double limit = radius * metres_per_unit;
  constexpr double kMoreThanRounding = 1 + 1e-9;
  const double up = kEarthRadiusMetres * std::fabs(Radians(point.latitude - centre.latitude));
  if (up > limit * kMoreThanRounding) return std::nullopt;
  const double distance = DistanceInMetres(centre, point);
  if (distance > limit) return std::nullopt;
  return distance;
}

std::vector<GeoScores> BoxesAround(const GeoShape& shape) {
  int steps = StepsForRadius(RadiusAround(shape), shape.centre.latitude);
  Box centre = BoxOf(shape.centre, kLatitudes, steps);
  // With one step all boxes are looked through; the shape may be so large that it has no bounds.
  Area bounds{};
  if (steps > 1) {
    bounds = BoundsOf(shape);
    if (NeighboursEndWithin(bounds, centre)) {
      --steps;
      centre = BoxOf(shape.centre, kLatitudes, steps);
    }
  }
  // A side of the centre's box that lies outside of the bounds has nothing behind it.
  const Area area = AreaOf(centre);
  const bool all = steps < 2;
  const bool south = all || !(area.latitude.min < bounds.latitude.min);
  const bool north = all || !(area.latitude.max > bounds.latitude.max);
  const bool west = all || !(area.longitude.min < bounds.longitude.min);
  const bool east = all || !(area.longitude.max > bounds.longitude.max);

  std::vector<GeoScores> boxes{ScoresOf(centre)};
  std::optional<Box> last;
  const auto add = [&](bool wanted, int to_east, int to_north) {
    const Box box = Neighbour(centre, to_east, to_north);
    // Neighbours that are one and the same mostly come in a row.
    if (!wanted || box == last) return;
    boxes.push_back(ScoresOf(box));
    last = box;
  };
  add(north, 0, 1);
  add(south, 0, -1);
  add(east, 1, 0);
  add(west, -1, 0);
  add(north && east, 1, 1);
  add(north && west, -1, 1);
  add(south && east, 1, -1);
  add(south && west, -1, -1);
  return boxes;
}

}  // namespace metastore::types
