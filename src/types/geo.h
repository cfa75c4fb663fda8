// Geometry on a sphere. A place is kept as the score of a sorted set's member: the bits of its
// longitude and latitude in turn, 26 of each, so that the places of one box of a grid have scores
// next to each other. Whoever looks for places around a centre reads at most nine boxes.
//
// All numbers are made of the same operations in the same order as Redis makes them, but for sines
// and cosines (base/trigonometry.h): what a search finds may be stored, and replicas must agree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace metastore::types {

struct GeoPoint {
  double longitude = 0;
  double latitude = 0;
  friend bool operator==(const GeoPoint&, const GeoPoint&) = default;
};

// The poles cannot be indexed: the grid is that of EPSG:900913.
inline constexpr double kMaxLongitude = 180;
inline constexpr double kMaxLatitude = 85.05112878;
inline bool IsValid(const GeoPoint& point) {
  return point.longitude >= -kMaxLongitude && point.longitude <= kMaxLongitude &&
         point.latitude >= -kMaxLatitude && point.latitude <= kMaxLatitude;
}

// The point must be valid.
uint64_t EncodeGeo(const GeoPoint& point);
// The middle of the score's cell. Any number is the score of some place.
GeoPoint DecodeGeo(double score);
// Eleven characters, as geohash.org writes them; the last one is always '0'.
std::string GeoHashText(double score);

double DistanceInMetres(const GeoPoint& a, const GeoPoint& b);

// What is looked through: a circle or a box whose sides lie along the meridians.
struct GeoShape {
  GeoPoint centre;
  double metres_per_unit = 1;
  bool box = false;
  double radius = 0;             // in units, as are these
  double width = 0, height = 0;  // of a box

  // The distance in metres from the centre of a point within.
  std::optional<double> DistanceWithin(const GeoPoint& point) const;
};

// Scores from `first` to below `end`.
struct GeoScores {
  uint64_t first = 0;
  uint64_t end = 0;
  friend bool operator==(const GeoScores&, const GeoScores&) = default;
};
// Boxes that together cover the shape, in the order in which Redis looks through them.
std::vector<GeoScores> BoxesAround(const GeoShape& shape);

}  // namespace metastore::types
