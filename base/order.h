// The order of elements where NaN has a place in it:
// ArgMax, TopK and MaxPool, in the reference evaluator and in the runtime.
#pragma once

#include <cmath>
#include <type_traits>

namespace lapis {

template <class T> bool is_nan(T x) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(x);
  return false;
}

// NaN comes after every number, zeros are equal.
template <class T> bool above(T a, T b) { return is_nan(a) ? !is_nan(b) : a > b; }

}  // namespace lapis
