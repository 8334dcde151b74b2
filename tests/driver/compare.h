// What tests of whole models compare, and on which machines.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/target.h"
#include "base/tensor.h"

namespace lapis::testing {

// The levels of Target::levels() that this host can run, weakest first.
inline std::vector<Target> host_levels() {
  std::vector<Target> levels;
  for (const Target& level : Target::levels())
    if (Target::host().contains(level)) levels.push_back(level);
  return levels;
}

// Largest difference relative to the largest magnitude of `wanted`; infinite where type or shape differ, or one is NaN.
inline double relative_error(const Tensor& got, const Tensor& wanted) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape()) return kInfinite;
  double error = 0, largest = 0;
  for (int64_t i = 0; i < wanted.size(); ++i) {
    largest = std::max(largest, std::abs(wanted.as_double(i)));
    const double difference = std::abs(got.as_double(i) - wanted.as_double(i));
    if (std::isnan(difference)) return kInfinite;
    error = std::max(error, difference);
  }
  return error == 0 ? 0 : error / largest;
}

}  // namespace lapis::testing
