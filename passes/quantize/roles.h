// What the operands of a node mean to quantization, by the operator's Quant column plus the facts of this very node.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ir/op.h"
#include "passes/quantize/calibrate.h"

namespace lapis {

// Operands of Conv, Gemm and MatMul with constant weights.
struct ContractionRole {
  Value* data;
  Value* weight;
  Value* bias;   // null: none
  int64_t axis;  // of the weight: output channels
};
// The role, or why the node cannot compute in int8.
Result<ContractionRole> contraction_role(const Node& node);

// The Quant column; Div by a constant counts as elementwise, it occurs in decomposed activations.
Quant quant_of(const Node& node);

// Float operands that carry activations: not constants, not parameters.
std::vector<Value*> data_operands(const Node& node);
// Float outputs.
std::vector<Value*> data_outputs(const Node& node);

// For SharedScale operators: why the bytes cannot be moved instead of the floats, or nullopt.
std::optional<std::string> refuses_bytes(const Node& node);

// Bounds that Relu or Clip with constant limits enforce.
std::optional<Range> activation_bounds(const Node& node);

}  // namespace lapis
