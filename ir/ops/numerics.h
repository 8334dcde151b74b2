// What all operators share of the meaning of numbers (docs/numerics.md): conversion, extremes, division, and the
// rounding and scaling of the integer operators, in exactly this order; kernels are compared with it byte for byte.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

#include "base/order.h"
#include "base/tensor.h"

namespace lapis::ops {

// Two's complement arithmetic without the undefined overflow of C++; other types as they are.
template <class T, class Function> T wrapping(Function function, T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(function(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  else
    return function(a, b);
}

// Element i of the sequence start, start + step, ...: exact where T holds it, whatever i * step is.
template <class T> T in_sequence(T start, T step, size_t i) {
  return wrapping(std::plus<>(), start, wrapping(std::multiplies<>(), static_cast<T>(i), step));
}

// A real number as an integer: truncates toward zero. ONNX leaves values outside of the range undefined; here they
// saturate and NaN gives 0, on every machine.
template <class To, class From> To truncated(From value) {
  if (is_nan(value)) return 0;
  const From whole = std::trunc(value);
  // The highest integer may round up on its way to From, so equality already means "too big" unless it is exact.
  if (whole <= static_cast<From>(std::numeric_limits<To>::lowest())) return std::numeric_limits<To>::lowest();
  if (whole >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
  return static_cast<To>(whole);
}

// A double as a float whose last bit says that something was lost: rounded again to half precision, it rounds as the
// double itself would.
inline float rounded_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  if (is_nan(value) || static_cast<double>(nearest) == value) return nearest;
  const bool away = std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  return std::bit_cast<float>((std::bit_cast<uint32_t>(nearest) - (away ? 1 : 0)) | 1);
}

// maximum and minimum of IEEE 754-2019: NaN wins, and +0 is above -0.
template <class T> T max_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (is_nan(a) || is_nan(b)) return a + b;
    if (a == b) return std::signbit(a) ? b : a;
  }
  return a > b ? a : b;
}
template <class T> T min_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (is_nan(a) || is_nan(b)) return a + b;
    if (a == b) return std::signbit(a) ? a : b;
  }
  return a < b ? a : b;
}

// Bounds of Clip and Relu: NaN stays NaN, a bound that is NaN does not bind, and -0 is not below 0.
template <class T> T at_least(T x, T low) { return x < low ? low : x; }
template <class T> T at_most(T x, T high) { return x > high ? high : x; }

// Integers truncate like C; the lowest one over -1 wraps to itself, anything over zero is 0.
template <class T> T quotient(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return wrapping(std::minus<>(), T(0), a);
  }
  return static_cast<T>(a / b);
}

// The remainder with the sign of the dividend; integers modulo zero are 0.
template <class T> T remainder_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return std::fmod(a, b);
  else if constexpr (std::is_signed_v<T>)
    return b == 0 || b == -1 ? T(0) : static_cast<T>(a % b);
  else
    return b == 0 ? T(0) : static_cast<T>(a % b);
}

// The remainder with the sign of the divisor.
template <class T> T modulo(T a, T b) {
  const T r = remainder_of(a, b);
  return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
}

// By squaring, wrapping around; a negative exponent leaves nothing but 1 and -1.
template <class T, class E> T integer_power(T base, E exponent) {
  if constexpr (std::is_signed_v<E>)
    if (exponent < 0)
      return base == 1 ? T(1) : base == static_cast<T>(-1) ? static_cast<T>(exponent % 2 ? -1 : 1) : T(0);
  T result = 1;
  for (auto e = static_cast<uint64_t>(exponent); e > 0; e /= 2, base = wrapping(std::multiplies<>(), base, base))
    if (e % 2) result = wrapping(std::multiplies<>(), result, base);
  return result;
}

// In the type of the base. With a fraction in play it is the power of real numbers, converted as Cast does.
template <class T, class E> T power(T base, E exponent) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) return integer_power(base, exponent);
  const double real = std::pow(static_cast<double>(base), static_cast<double>(exponent));
  if constexpr (std::is_integral_v<T>)
    return truncated<T>(real);
  else
    return static_cast<T>(real);
}

// saturate(rne(x) + zero_point) to a type of at most 32 bits; NaN gives the lowest value.
inline int64_t quantize(float x, int64_t zero_point, IntegerRange range) {
  const double y = static_cast<double>(std::nearbyint(x)) + static_cast<double>(zero_point);
  if (!(y > static_cast<double>(range.lowest))) return range.lowest;
  return y >= static_cast<double>(range.highest) ? static_cast<int64_t>(range.highest) : static_cast<int64_t>(y);
}

// What turns an int32 accumulator of x * w into units of y.
inline float requantize_multiplier(float x_scale, float w_scale, float y_scale) {
  return (x_scale * w_scale) / y_scale;
}

inline int64_t requantize(int32_t accumulator, float multiplier, int64_t zero_point, IntegerRange range) {
  return quantize(static_cast<float>(accumulator) * multiplier, zero_point, range);
}

// Parameter tensors hold one value for all channels or one per channel.
inline float scale_of(const Tensor& scales, int64_t channel) {
  return static_cast<float>(scales.as_double(scales.size() == 1 ? 0 : channel));
}
inline int64_t zero_point_of(const Tensor* zero_points, int64_t channel) {
  return zero_points ? zero_points->as_int(zero_points->size() == 1 ? 0 : channel) : 0;
}

}  // namespace lapis::ops
