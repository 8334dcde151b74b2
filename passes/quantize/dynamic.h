// Contractions that find the range of their data during inference: nothing to calibrate, and floats go in and come out.
//
//   y = MatMul(x, w) + b   =>   q, sx, zx = DynamicQuantizeLinear(x)
//                               y = Cast(MatMulInteger(q, wq, zx)) * (sx * sw) + b
//
// and the same with ConvInteger. This is the form that ONNX Runtime's dynamic quantization makes and its fusions know.
#pragma once

#include <map>
#include <tuple>
#include <unordered_map>

#include "passes/quantize/place.h"

namespace lapis {

struct ContractionRole;

class DynamicInserter {
 public:
  explicit DynamicInserter(Graph& graph) : graph_(graph) {}
  // Replaces a Conv, Gemm or MatMul that has a role (roles.h).
  // Readers of one value share its bytes, nodes of one weight its integers.
  // `per_channel`: a scale for each output channel of the weight, else one for all;
  // its integers are those of `rounded`, or the nearest.
  void quantize(Node& node, bool per_channel, const RoundedOf& rounded);

 private:
  struct Data {
    Value *bytes, *scale, *zero_point;
  };
  struct Weight {
    Value *integers, *scale;
  };
  const Data& data(Value* x, Node& node);
  const Weight& nearest(const ContractionRole& role, bool per_channel, bool is_conv);
  Weight weight(const ContractionRole& role, const Tensor& integers, const Tensor& scales, bool per_channel,
                bool is_conv);
  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes, Node& node);

  Graph& graph_;
  std::unordered_map<const Value*, Data> data_;
  std::map<std::tuple<const Value*, int64_t, bool>, Weight> weights_;
};

}  // namespace lapis
