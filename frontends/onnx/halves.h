// Functions of halves: they compute in float and round once, as every operator of ONNX does (docs/numerics.md).
//
//     compute_in_float(body, {&float16_type, nullptr}, {DType::Float16});
//       // f (x_half, y) => (z_half) { x = Cast <to = 1> (x_half) ... z_half = Cast <to = 10> (z) }
#pragma once

#include <vector>

#include "frontends/onnx/protos.h"
#include "ir/type.h"

namespace lapis::onnx_frontend {

bool is_half(const Type* type);
// Casts inputs that are halves to float before the body, and what it makes to the types of `results` behind it, where
// these are defined. Types of absent inputs are null.
void compute_in_float(onnx::FunctionProto& function, const std::vector<const Type*>& inputs,
                      const std::vector<DType>& results);

}  // namespace lapis::onnx_frontend
