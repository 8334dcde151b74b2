#include "codegen/kernels/exact_division.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace lapis::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The smallest float that divides to at least n.
float step_to(int n, float scale) {
  auto reaches = [&](float x) { return std::nearbyint(x / scale) >= n; };
  auto x = static_cast<float>((n - 0.5) * static_cast<double>(scale));
  while (!reaches(x)) x = std::nextafter(x, kInfinity);
  for (float below = std::nextafter(x, -kInfinity); reaches(below); below = std::nextafter(x, -kInfinity)) x = below;
  return x;
}

bool agrees(const DivisionPlan& plan, float scale, int low, int high) {
  for (int n = low + 1; n <= high; ++n) {
    const float x = step_to(n, scale);
    if (!(apply(plan, x, scale) >= n) || !(apply(plan, std::nextafter(x, -kInfinity), scale) < n)) return false;
  }
  return true;
}

}  // namespace

double apply(const DivisionPlan& plan, float x, float scale) {
  switch (plan.kind) {
    case DivisionPlan::Kind::None: return std::nearbyint(x);
    case DivisionPlan::Kind::Multiply: return std::nearbyint(x * plan.reciprocal);
    case DivisionPlan::Kind::MultiplyAndFma: return std::nearbyint(std::fma(x, plan.reciprocal, x * plan.correction));
    case DivisionPlan::Kind::Divide: return std::nearbyint(x / scale);
  }
  return 0;
}

DivisionPlan plan_division(float scale, int low, int high) {
  if (scale == 1.0f) return {DivisionPlan::Kind::None};
  // Far from over- and underflow, so that every product and remainder below is an ordinary number.
  if (!(scale > 0x1p-60f && scale < 0x1p60f)) return {};
  const float reciprocal = 1.0f / scale;
  const auto correction = static_cast<float>(1.0 / static_cast<double>(scale) - static_cast<double>(reciprocal));
  const DivisionPlan multiply{DivisionPlan::Kind::Multiply, reciprocal, 0},
      fma{DivisionPlan::Kind::MultiplyAndFma, reciprocal, correction};
  if (agrees(multiply, scale, low, high)) return multiply;
  if (agrees(fma, scale, low, high)) return fma;
  return {};
}

namespace {

struct Pair {
  float a, b;
  double rounded;  // saturated
};

float nudged(float x, int ulps) {
  for (; ulps > 0; --ulps) x = std::nextafter(x, kInfinity);
  for (; ulps < 0; ++ulps) x = std::nextafter(x, -kInfinity);
  return x;
}

// All pairs whose quotient is so near to a rounding boundary that factors off by a few ulps could decide otherwise.
// The terms stay below 2^11, where the roundings of the first formula add up to less than 2^-10, and those of the
// second with factors off by six ulps to 2^-9.
std::vector<Pair> close_pairs(float scale_a, ByteRange a, float scale_b, ByteRange b, float scale, int low, int high) {
  constexpr double kClose = 0x1p-8;
  std::vector<Pair> pairs;
  for (int i = a.low; i <= a.high; ++i)
    for (int j = b.low; j <= b.high; ++j) {
      const float x = static_cast<float>(i), y = static_cast<float>(j), q = (x * scale_a + y * scale_b) / scale;
      const double distance = std::abs(static_cast<double>(q) - std::floor(static_cast<double>(q)) - 0.5);
      if (distance < kClose && q > static_cast<float>(low) - 1 && q < static_cast<float>(high) + 1)
        pairs.push_back({x, y, std::clamp<double>(std::nearbyint(q), low, high)});
    }
  return pairs;
}

}  // namespace

SumPlan plan_sum(float scale_a, ByteRange a, float scale_b, ByteRange b, float scale, int low, int high) {
  constexpr int kReach = 6;  // ulps
  const double fa = static_cast<double>(scale_a) / static_cast<double>(scale),
               fb = static_cast<double>(scale_b) / static_cast<double>(scale);
  const auto largest = [](ByteRange r) { return std::max(std::abs(r.low), std::abs(r.high)); };
  if (!(largest(a) * fa < 1024 && largest(b) * fb < 1024 && fa > 0x1p-20 && fb > 0x1p-20)) return {};
  const std::vector<Pair> pairs = close_pairs(scale_a, a, scale_b, b, scale, low, high);
  for (int reach = 0; reach <= kReach; ++reach)
    for (int i = -reach; i <= reach; ++i)
      for (int j = -reach; j <= reach; ++j) {
        if (std::max(std::abs(i), std::abs(j)) != reach) continue;
        const SumPlan plan{true, nudged(static_cast<float>(fa), i), nudged(static_cast<float>(fb), j)};
        const bool exact = std::ranges::all_of(pairs, [&](const Pair& p) {
          return std::clamp<double>(std::nearbyint(std::fma(p.a, plan.a, p.b * plan.b)), low, high) == p.rounded;
        });
        if (exact) return plan;
      }
  return {};
}

}  // namespace lapis::kernels
