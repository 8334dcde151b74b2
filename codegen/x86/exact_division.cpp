#include "codegen/x86/exact_division.h"

#include <cmath>
#include <limits>

namespace lapis::x86 {
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
  const DivisionPlan multiply{DivisionPlan::Kind::Multiply, reciprocal, 0}, fma{DivisionPlan::Kind::MultiplyAndFma, reciprocal, correction};
  if (agrees(multiply, scale, low, high)) return multiply;
  if (agrees(fma, scale, low, high)) return fma;
  return {};
}

}  // namespace lapis::x86
