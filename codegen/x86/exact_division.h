// round(x / scale) without a division, where that can be proven to give the same integers.
//
// Both  rne(fl(x / scale))  and its replacements are monotone in x, so they agree for every float if and only if they step from n - 1
// to n at the same float, for each n in the saturated range. That is at most a few hundred comparisons, made at compile time.
#pragma once

#include <cstdint>

namespace lapis::x86 {

struct DivisionPlan {
  enum class Kind : uint8_t {
    None,            // scale is 1
    Multiply,        // x * reciprocal
    MultiplyAndFma,  // fma(x, reciprocal, x * correction)
    Divide,          // vdivps
  };
  Kind kind = Kind::Divide;
  float reciprocal = 0, correction = 0;
};

// Cheapest exact way to compute rne(x / scale) where results outside [low, high] may be anything beyond that bound.
DivisionPlan plan_division(float scale, int low, int high);

// rne(x / scale) as the plan computes it, for tests.
double apply(const DivisionPlan& plan, float x, float scale);

}  // namespace lapis::x86
