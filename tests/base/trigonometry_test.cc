#include "base/trigonometry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/random.h"
#include "tests/support/seed.h"

namespace metastore {
namespace {

double Uniform(Random& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random.Next() >> 11) * 0x1p-53;
}

bool IsNextTo(double a, double b) { return a == b || std::nextafter(a, b) == b; }

TEST(TrigonometryTest, ResultsAreTheCLibrarysOrNextToThem) {
  Random random(test::Seed());
  constexpr int kRounds = 200'000;
  int differ = 0;
  for (int round = 0; round < kRounds; ++round) {
    // Many of them small.
    const double x = Uniform(random, -M_PI, M_PI) * std::pow(10, -static_cast<int>(round % 8));
    const double y = std::fabs(x) / M_PI;
    for (auto [own, library] : {std::pair{Sine(x), std::sin(x)}, std::pair{Cosine(x), std::cos(x)},
                                std::pair{ArcSine(y), std::asin(y)}}) {
      ASSERT_TRUE(IsNextTo(own, library)) << x;
      differ += own != library;
    }
  }
  EXPECT_LT(differ, kRounds / 100);
}

TEST(TrigonometryTest, EndsAndZeroAreExact) {
  EXPECT_EQ(Sine(0), 0);
  EXPECT_EQ(Cosine(0), 1);
  EXPECT_EQ(Sine(M_PI_2), 1);
  EXPECT_EQ(Sine(-M_PI_2), -1);
  EXPECT_EQ(Cosine(M_PI), -1);
  EXPECT_EQ(ArcSine(0), 0);
  EXPECT_EQ(ArcSine(1), M_PI_2);
  EXPECT_EQ(Sine(M_PI), std::sin(M_PI));
  EXPECT_EQ(Cosine(M_PI_2), std::cos(M_PI_2));
}

// Bits, so that a compiler or a machine that makes others of them is noticed.
TEST(TrigonometryTest, BitsAreTheSameEverywhere) {
  uint64_t digest = 0;
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    const double x = Uniform(random, -M_PI, M_PI);
    for (double result : {Sine(x), Cosine(x), ArcSine(std::fabs(x) / M_PI)}) {
      uint64_t bits;
      std::memcpy(&bits, &result, sizeof bits);
      digest = (digest ^ bits) * 0x9e3779b97f4a7c15;
    }
  }
  EXPECT_EQ(digest, 16154843738318754726u);
}

}  // namespace
}  // namespace metastore
