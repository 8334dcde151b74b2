#include "tools/lapis/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ir/ops/elementwise.h"

namespace lapis::cli {
namespace {

// Exact for integers of 64 bits too, which doubles do not tell apart.
template <class T> double distance(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    const __int128 d = static_cast<__int128>(a) - static_cast<__int128>(b);
    return static_cast<double>(d < 0 ? -d : d);
  } else {
    const double x = static_cast<double>(ops::load(a)), y = static_cast<double>(ops::load(b));
    if (x == y) return 0;
    return std::isfinite(x) && std::isfinite(y) ? std::abs(x - y) : INFINITY;
  }
}

int64_t bytes_that_differ(const std::byte* a, const std::byte* b, size_t count) {
  if (std::memcmp(a, b, count) == 0) return 0;
  int64_t different = 0;
  for (size_t i = 0; i < count; ++i) different += a[i] != b[i];
  return different;
}

template <class T> void add_values(Comparison& c, const Tensor& got, const Tensor& wanted) {
  double magnitude = 0;
  const auto g = got.data<T>(), w = wanted.data<T>();
  for (size_t i = 0; i < w.size(); ++i) {
    const double value = static_cast<double>(ops::load(w[i]));
    if (std::isfinite(value)) magnitude = std::max(magnitude, std::abs(value));
    if (std::isnan(value) && is_nan(ops::load(g[i]))) continue;
    c.differing_bytes += bytes_that_differ(got.raw() + i * sizeof(T), wanted.raw() + i * sizeof(T), sizeof(T));
    c.largest = std::max(c.largest, distance(g[i], w[i]));
  }
  c.largest_relative = c.largest == 0 ? 0 : c.largest / std::max(magnitude, 1e-30);
}

// Strings, packed integers and 8-bit floats: equal or not.
void add_bits(Comparison& c, const Tensor& got, const Tensor& wanted) {
  if (got == wanted) return;
  c.differing_bytes = got.dtype() == DType::String
                          ? std::max<int64_t>(c.bytes, 1)
                          : bytes_that_differ(got.raw(), wanted.raw(), static_cast<size_t>(c.bytes));
  c.largest = c.largest_relative = INFINITY;
}

}  // namespace

Comparison compare(const Tensor& got, const Tensor& wanted) {
  Comparison c;
  c.bytes = got.bytes();
  c.exact_type = !is_float(got.dtype());
  const bool has_values = visit_dtype(got.dtype(), [&](auto tag) { add_values<decltype(tag)>(c, got, wanted); });
  if (!has_values) add_bits(c, got, wanted);
  return c;
}

bool passes(const Comparison& c, double tolerance, bool rounded) {
  if (c.differing_bytes == 0) return true;
  if (tolerance == 0) return false;
  if (c.exact_type && !rounded) return false;
  return c.largest_relative <= tolerance;
}

}  // namespace lapis::cli
