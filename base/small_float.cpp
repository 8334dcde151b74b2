#include "base/small_float.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace lapis {
namespace {

enum class Specials : uint8_t {
  None,          // every code is a number
  NanAllOnes,    // NaN where exponent and mantissa are all ones; no infinity
  Ieee,          // infinity and NaN where the exponent is all ones
  NanMinusZero,  // NaN in the place of -0, which there is not; no infinity
};

struct Format {
  int exponent_bits, mantissa_bits, bias;
  Specials specials;
  int sign_shift() const { return exponent_bits + mantissa_bits; }
  int magnitude_mask() const { return (1 << sign_shift()) - 1; }
  int infinity() const { return ((1 << exponent_bits) - 1) << mantissa_bits; }
  int largest() const {
    if (specials == Specials::Ieee) return infinity() - 1;
    return magnitude_mask() - (specials == Specials::NanAllOnes ? 1 : 0);
  }
};

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::Float8E4M3FN: return {4, 3, 7, Specials::NanAllOnes};
    case DType::Float8E4M3FNUZ: return {4, 3, 8, Specials::NanMinusZero};
    case DType::Float8E5M2: return {5, 2, 15, Specials::Ieee};
    case DType::Float8E5M2FNUZ: return {5, 2, 16, Specials::NanMinusZero};
    case DType::Float4E2M1: return {2, 1, 1, Specials::None};
    default: LAPIS_UNREACHABLE(name_of(dtype) << " is no small float");
  }
}

bool is_nan(const Format& f, int code) {
  const int magnitude = code & f.magnitude_mask();
  if (f.specials == Specials::NanMinusZero) return code == 1 << f.sign_shift();
  if (f.specials == Specials::NanAllOnes) return magnitude == f.magnitude_mask();
  return f.specials == Specials::Ieee && magnitude > f.infinity();
}

int nan_code(const Format& f, int sign) {
  if (f.specials == Specials::NanMinusZero || f.specials == Specials::None) return 1 << f.sign_shift();
  return sign | (f.specials == Specials::Ieee ? f.infinity() + (1 << (f.mantissa_bits - 1)) : f.magnitude_mask());
}

double magnitude_of(const Format& f, int magnitude) {
  const int exponent = magnitude >> f.mantissa_bits, mantissa = magnitude & ((1 << f.mantissa_bits) - 1);
  const int whole = exponent == 0 ? mantissa : mantissa + (1 << f.mantissa_bits);
  return std::ldexp(whole, std::max(exponent, 1) - f.bias - f.mantissa_bits);
}

// The code of a finite magnitude, rounded half to even; above f.largest() if it does not fit.
int rounded_magnitude(const Format& f, double magnitude) {
  if (magnitude == 0) return 0;
  const int exponent = std::max(std::ilogb(magnitude), 1 - f.bias);
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, f.mantissa_bits - exponent)));
  return ((exponent + f.bias - 1) << f.mantissa_bits) + steps;  // a carry into the next exponent adds up by itself
}

int overflow_code(const Format& f, bool saturate) {
  if (saturate || f.specials == Specials::None) return f.largest();
  return f.specials == Specials::Ieee ? f.infinity() : -1;
}

// ---- float8e8m0: an exponent without sign or mantissa ---------------------------------------------------------------

constexpr int kScaleBias = 127, kScaleNan = 255;

int scale_exponent(double magnitude, ScaleRounding rounding) {
  int exponent = 0;
  const double mantissa = std::frexp(magnitude, &exponent) * 2;  // [1, 2)
  exponent -= 1;
  if (rounding == ScaleRounding::Up) return exponent + (mantissa > 1 ? 1 : 0);
  if (rounding == ScaleRounding::Nearest) return exponent + (mantissa >= 1.5 ? 1 : 0);
  return exponent;
}

uint8_t to_scale(double value, SmallFloatRounding rounding) {
  const double magnitude = std::abs(value);
  if (std::isnan(value)) return kScaleNan;
  const int code = magnitude == 0          ? -1
                   : std::isinf(magnitude) ? kScaleNan
                                           : scale_exponent(magnitude, rounding.scale) + kScaleBias;
  const bool fits = code >= 0 && code < kScaleNan;
  if (!fits && !rounding.saturate) return kScaleNan;
  return static_cast<uint8_t>(std::clamp(code, 0, kScaleNan - 1));
}

}  // namespace

bool is_small_float(DType dtype) { return is_float(dtype) && bit_width(dtype) <= 8; }

float from_small_float(DType dtype, uint8_t code) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  if (dtype == DType::Float8E8M0) return code == kScaleNan ? kNan : std::ldexp(1.0f, code - kScaleBias);
  const Format f = format_of(dtype);
  if (is_nan(f, code)) return kNan;
  const int magnitude = code & f.magnitude_mask();
  const bool infinite = f.specials == Specials::Ieee && magnitude == f.infinity();
  const auto value = infinite ? std::numeric_limits<float>::infinity() : static_cast<float>(magnitude_of(f, magnitude));
  return code >> f.sign_shift() ? -value : value;
}

uint8_t to_small_float(DType dtype, double value, SmallFloatRounding rounding) {
  if (dtype == DType::Float8E8M0) return to_scale(value, rounding);
  const Format f = format_of(dtype);
  const int sign = std::signbit(value) ? 1 << f.sign_shift() : 0;
  if (std::isnan(value)) return static_cast<uint8_t>(nan_code(f, sign));
  int magnitude = std::isinf(value) ? f.largest() + 1 : rounded_magnitude(f, std::abs(value));
  if (magnitude > f.largest()) magnitude = overflow_code(f, rounding.saturate);
  if (magnitude < 0) return static_cast<uint8_t>(nan_code(f, sign));
  if (magnitude == 0 && f.specials == Specials::NanMinusZero) return 0;
  return static_cast<uint8_t>(sign | magnitude);
}

}  // namespace lapis
