// Scales that a model brings with it: the pairs of quantization-aware training, or of another tool. They are kept as
// they are, bit by bit, and what they say needs no calibration.
//
//   const OwnScales own(graph);
//   own.of(*conv->input(0));          // the scale of the bytes that it reads; nullopt: it reads floats
//   has_own_weights(*conv);     // DequantizeLinear of 8-bit constants, a scale for all or one for each output channel
#pragma once

#include <optional>
#include <unordered_map>

#include "passes/quantize/forms.h"

namespace lapis {

class OwnScales {
 public:
  OwnScales() = default;
  explicit OwnScales(const Graph& graph);

  // Of a value that is dequantized from bytes with one constant scale, or moved from such values of one scale.
  std::optional<TensorScale> of(const Value& v) const;
  bool holds(const Value& v) const { return scales_.contains(&v); }
  size_t pairs() const { return pairs_; }  // DequantizeLinear of data

 private:
  std::unordered_map<const Value*, TensorScale> scales_;
  size_t pairs_ = 0;
};

// The node is a contraction whose weights are integers already, in a form that the pass `integer` takes.
bool has_own_weights(const Node& node);

// QuantizeLinear and DequantizeLinear.
bool is_boundary(const Node& node);

// Operators of quantized models that take and give integers: QLinearConv, MatMulInteger, ...
bool is_integer_operator(const Node& node);

}  // namespace lapis
