// The one matrix product behind Conv, MatMul and Gemm in the reference: plain loops, contiguous innermost.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "ir/ops/loops.h"

namespace lapis::ops {

// Which type sums products of T: floats in double (rounded once at the end), integers with the wrap-around of their
// width.
template <class T> struct Accumulate { using Type = double; };
template <> struct Accumulate<int16_t> { using Type = uint32_t; };  // 8-bit operands minus their zero points
template <> struct Accumulate<int64_t> { using Type = uint64_t; };
template <class T> using Accumulator = typename Accumulate<T>::Type;

// Sanitizers would look at every single access, where tests spend most of their time. Whoever has this attribute is
// only called with sizes that were checked.
#define LAPIS_SIZES_CHECKED __attribute__((no_sanitize("address", "undefined", "thread")))

template <class T> LAPIS_SIZES_CHECKED Accumulator<T> times(T a, T b) {
  if constexpr (std::is_same_v<T, int16_t>)
    return static_cast<uint32_t>(static_cast<int32_t>(a) * static_cast<int32_t>(b));
  else
    return static_cast<Accumulator<T>>(a) * static_cast<Accumulator<T>>(b);
}

template <class T>
LAPIS_SIZES_CHECKED void accumulate_rows(int64_t m, int64_t n, int64_t k, const T* a, const T* b, int64_t b_stride,
                                         Accumulator<T>* c, int64_t c_stride) {
  for (int64_t row = 0; row < m; ++row, a += k, c += c_stride) {
    int64_t p = 0;
    for (; p + 4 <= k; p += 4) {  // four rows of b for each load and store of c
      const T *b0 = b + p * b_stride, *b1 = b0 + b_stride, *b2 = b1 + b_stride, *b3 = b2 + b_stride;
      for (int64_t j = 0; j < n; ++j)
        c[j] += times(a[p], b0[j]) + times(a[p + 1], b1[j]) + times(a[p + 2], b2[j]) + times(a[p + 3], b3[j]);
    }
    for (; p < k; ++p)
      for (int64_t j = 0; j < n; ++j) c[j] += times(a[p], b[p * b_stride + j]);
  }
}

// Whether `rows` of n elements, `stride` from each other, are within `size`.
inline bool rows_fit(int64_t rows, int64_t n, int64_t stride, size_t size) {
  return rows == 0 || n == 0 || (rows - 1) * stride + n <= static_cast<int64_t>(size);
}

// c[m,n] += a[m,k] * b[k,n], all row major with `c_stride` as the row length of c and `b_stride` of b.
template <class T>
void accumulate_product(int64_t m, int64_t n, int64_t k, std::span<const T> a, std::span<const T> b, int64_t b_stride,
                        std::span<Accumulator<T>> c, int64_t c_stride) {
  LAPIS_ASSERT(rows_fit(m, k, k, a.size()) && rows_fit(k, n, b_stride, b.size()) && rows_fit(m, n, c_stride, c.size()),
               "a product of " << m << "x" << k << " by " << k << "x" << n << " leaves its operands");
  accumulate_rows(m, n, k, a.data(), b.data(), b_stride, c.data(), c_stride);
}

// The elements of a tensor as operands of a product.
template <class T> std::vector<T> operand(const Tensor& tensor) {
  if constexpr (std::is_integral_v<T>) {
    const std::vector<int64_t> values = to_integers(tensor);
    return {values.begin(), values.end()};
  } else {
    const std::vector<double> values = to_doubles(tensor);
    return {values.begin(), values.end()};
  }
}

// Sums become results: rounded once from double, or the wrapped bits.
template <class Sum> Tensor result_tensor(DType dtype, Shape shape, const std::vector<Sum>& sums) {
  if constexpr (std::is_integral_v<Sum>)
    return from_integers(dtype, std::move(shape), std::vector<int64_t>(sums.begin(), sums.end()));
  else
    return from_doubles(dtype, std::move(shape), sums);
}

// Runs f(T{}) with the operand type for `dtype`: float, double (also for what is exact in it) or int64.
template <class F> void visit_operand(DType dtype, F&& f) {
  if (dtype == DType::Float64)
    f(double{});
  else if (is_float(dtype))
    f(float{});
  else
    f(int64_t{});
}

}  // namespace lapis::ops
