// How far two tensors are apart: byte for byte, and in their values.
// NaN equals NaN, whatever its payload, and nothing else.
#pragma once

#include "base/tensor.h"

namespace lapis::cli {

struct Comparison {
  int64_t bytes = 0, differing_bytes = 0;  // of elements that are not both NaN
  double largest = 0;                      // error; infinite where NaN or an infinity meets something else
  double largest_relative = 0;             // to the largest magnitude of the wanted tensor
  bool exact_type = false;                 // integers, booleans, strings: an error is no rounding
};

// Both have the same type and shape.
Comparison compare(const Tensor& got, const Tensor& wanted);

// Tolerance 0 asks for equal bytes (so -0 is not 0); above it floats may be off by it, relative to the largest
// magnitude of the tensor, and everything else must be equal, unless `rounded`: values behind a requantization differ
// by a step of their scale.
bool passes(const Comparison& c, double tolerance, bool rounded = false);

}  // namespace lapis::cli
