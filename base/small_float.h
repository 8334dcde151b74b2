// The floating point types of 8 and 4 bits.
// They are storage: a value becomes a float, is computed with, and is rounded again.
//
//   to_small_float(DType::Float8E4M3FN, 500.0)         0x7E: 448, the largest; without saturation 0x7F, NaN
#pragma once

#include "base/dtype.h"

namespace lapis {

bool is_small_float(DType dtype);

// How float8e8m0, which has powers of two only, gets its exponent. Every other type rounds half to even.
enum class ScaleRounding { Up, Down, Nearest };

// What does not fit becomes the largest finite value, or without `saturate` infinity or NaN, as the type has it.
struct SmallFloatRounding {
  bool saturate = true;
  ScaleRounding scale = ScaleRounding::Up;
};

float from_small_float(DType dtype, uint8_t code);
uint8_t to_small_float(DType dtype, double value, SmallFloatRounding rounding = {});

}  // namespace lapis
