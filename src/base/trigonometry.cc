#include "base/trigonometry.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace metastore {
namespace {

// The sum of both is pi/2 to 126 bits.
constexpr long double kHalfPi = 0x1.921fb54442d1846ap+0L;
constexpr long double kHalfPiRest = -0x0.76733ae8fe47c65ep-64L;

constexpr size_t kTerms = 11;
constexpr size_t kArcTerms = 33;

// 1/k! of k = first, first + 2, ..., with the signs of both series.
constexpr std::array<long double, kTerms> Factorials(int first) {
  std::array<long double, kTerms> terms{};
  long double term = 1;
  for (size_t i = 0; i < kTerms; ++i) {
    terms[i] = term;
    const int k = first + 2 * static_cast<int>(i);
    term /= -static_cast<long double>((k + 1) * (k + 2));
  }
  return terms;
}

constexpr std::array<long double, kArcTerms> ArcCoefficients() {
  std::array<long double, kArcTerms> terms{};
  long double term = 1;  // of the derivative, 1/sqrt(1 - x*x)
  for (size_t i = 0; i < kArcTerms; ++i) {
    terms[i] = term / static_cast<long double>(2 * i + 1);
    term *= static_cast<long double>(2 * i + 1) / static_cast<long double>(2 * i + 2);
  }
  return terms;
}

constexpr auto kSine = Factorials(1);
constexpr auto kCosine = Factorials(0);
constexpr auto kArcSine = ArcCoefficients();

// Two sums beside one another: a processor does not have to wait for each step.
template <size_t kSize>
long double Evaluate(const std::array<long double, kSize>& terms, long double x) {
  static_assert(kSize % 2 == 1);
  const long double square = x * x;
  long double even = terms[kSize - 1], odd = 0;
  for (size_t i = kSize - 1; i >= 2; i -= 2) {
    odd = odd * square + terms[i - 1];
    even = even * square + terms[i - 2];
  }
  return even + odd * x;
}

// The sine of x + quarters * pi/2.
double SineOf(long double x, int quarters) {
  quarters &= 3;
  const long double square = x * x;
  const long double result =
      quarters % 2 == 0 ? x * Evaluate(kSine, square) : Evaluate(kCosine, square);
  return static_cast<double>(quarters < 2 ? result : -result);
}

// Brings the angle to within pi/4 of 0; returns how many quarters of a turn were taken off.
int Reduce(double radians, long double* rest) {
  const int quarters = static_cast<int>(radians / kHalfPi + (radians < 0 ? -0.5L : 0.5L));
  // The first difference is exact where little is left.
  *rest = (radians - static_cast<long double>(quarters) * kHalfPi) -
          static_cast<long double>(quarters) * kHalfPiRest;
  return quarters;
}

long double ArcSineOfSmall(long double x) { return x * Evaluate(kArcSine, x * x); }

}  // namespace

double Sine(double radians) {
  long double rest;
  const int quarters = Reduce(radians, &rest);
  return SineOf(rest, quarters);
}

double Cosine(double radians) {
  long double rest;
  const int quarters = Reduce(radians, &rest);
  return SineOf(rest, quarters + 1);
}

double ArcSine(double x) {
  if (x <= 0.5) return static_cast<double>(ArcSineOfSmall(x));
  // A square root is rounded correctly everywhere, as IEEE 754 demands.
  return static_cast<double>(
      kHalfPi - 2 * ArcSineOfSmall(std::sqrt((1 - static_cast<long double>(x)) / 2)) + kHalfPiRest);
}

}  // namespace metastore
