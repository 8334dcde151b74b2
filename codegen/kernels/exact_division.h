// round(x / scale), and the rounded sum of two quantized numbers, without a division, where that can be proven to give
// the same integers.
//
// Both  rne(fl(x / scale))  and its replacements are monotone in x, so they agree for every float if and only if they
// step from n - 1 to n at the same float, for each n in the saturated range. That is at most a few hundred
// comparisons, made at compile time.
#pragma once

#include <cstdint>

namespace lapis::kernels {

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

// The sum of two quantized bytes, quantized again:  rne(((a - za) * sa + (b - zb) * sb) / s)  with a rounding after
// every operation, as ONNX defines the residual connection of a QDQ graph. Replaced by  rne(fma(a - za, fa, (b - zb) *
// fb))  where trying all pairs of bytes finds factors that give the same integer for each of them.
struct ByteRange {
  int low, high;  // of a - za
};
struct SumPlan {
  bool exact = false;
  float a = 0, b = 0;  // factors
};
SumPlan plan_sum(float scale_a, ByteRange a, float scale_b, ByteRange b, float scale, int low, int high);

}  // namespace lapis::kernels
