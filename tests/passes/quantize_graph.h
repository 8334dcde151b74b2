// Small networks for tests of quantization, and their structure as one line of text.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "ir/verify.h"
#include "passes/quantize/quantize.h"

namespace lapis::testing {

// "Gemm(DQ(Q(Relu(Conv(DQ(Q(x)))))))": constants, and what is computed from constants alone, are left out.
inline std::string expression(const Value* v) {
  if (!v->producer()) return v->is_constant() ? "" : v->name();
  const Node& node = *v->producer();
  std::string operands;
  for (const Value* input : node.inputs())
    if (const std::string text = input ? expression(input) : ""; !text.empty())
      operands += (operands.empty() ? "" : ", ") + text;
  if (operands.empty()) return "";
  const std::string name(node.op().name);
  return (name == "QuantizeLinear" ? "Q" : name == "DequantizeLinear" ? "DQ" : name) + "(" + operands + ")";
}

inline Tensor random_tensor(Shape shape, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  Tensor t(DType::Float32, std::move(shape));
  for (float& v : t.mutable_data<float>()) v = normal(random);
  return t;
}

class Net {
 public:
  Graph graph{"net"};

  Value* input(const Shape& shape, std::string name = "x") {
    return graph.add_input(std::move(name), Type::tensor(DType::Float32, shape));
  }
  Value* constant(Tensor t, std::string name = "") { return graph.add_constant(std::move(t), std::move(name)); }
  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}, std::string name = "") {
    Node* node = graph.add_node(op, std::move(inputs), std::move(attributes), {std::move(name)});
    const Status inferred = infer_types(*node);
    EXPECT_TRUE(inferred.ok()) << to_string(inferred.diagnostics());
    return node->output();
  }
  Value* conv(Value* x, int64_t channels, int64_t kernel = 3, std::string name = "") {
    const int64_t in = x->type().dim(1).value();
    const float scale = 1 / std::sqrt(static_cast<float>(in * kernel * kernel));
    const std::vector<int64_t> pads(4, kernel / 2);
    return add(ops::Conv,
               {x, constant(random_tensor({channels, in, kernel, kernel}, ++seed_, scale)),
                constant(random_tensor({channels}, ++seed_))},
               {{"pads", pads}}, std::move(name));
  }
  Value* gemm(Value* x, int64_t columns, std::string name = "") {
    const int64_t in = x->type().dim(1).value();
    return add(ops::Gemm,
               {x, constant(random_tensor({columns, in}, ++seed_, 1 / std::sqrt(static_cast<float>(in)))),
                constant(random_tensor({columns}, ++seed_))},
               {{"transB", int64_t{1}}}, std::move(name));
  }
  Value* clip(Value* x, float low, float high) {
    return add(ops::Clip, {x, constant(Tensor::scalar(low)), constant(Tensor::scalar(high))});
  }
  Value* ints(std::vector<int64_t> values) { return constant(Tensor::vector(std::move(values))); }

  Feeds feeds(unsigned seed = 100) const {
    Feeds feeds;
    for (const Value* v : graph.inputs()) feeds[v->name()] = random_tensor(v->type().shape(), seed++);
    return feeds;
  }

  // Quantizes on three random samples by exact minimum and maximum.
  QuantizeReport quantize(Recipe recipe = {}) {
    recipe.defaults.range.method = RangeMethod::MinMax;
    auto report = quantize_static(graph, *reference_evaluator(), samples_of({feeds(1), feeds(2), feeds(3)}),
                                  {.recipe = std::move(recipe)});
    EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
    const Diagnostics broken = verify(graph);
    EXPECT_TRUE(broken.empty()) << to_string(broken);
    return *std::move(report);
  }

 private:
  unsigned seed_ = 10;
};

// 10 log10(signal / noise) of `y` against the float result.
inline double sqnr(const Tensor& reference, const Tensor& y) {
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < y.size(); ++i) {
    signal += std::pow(reference.as_double(i), 2);
    noise += std::pow(reference.as_double(i) - y.as_double(i), 2);
  }
  return 10 * std::log10(signal / noise);
}

inline const NodeDecision& decision(const QuantizeReport& report, const std::string& node) {
  for (const NodeDecision& d : report.decisions)
    if (d.node == node) return d;
  static const NodeDecision kNone;
  ADD_FAILURE() << "no decision about '" << node << "'";
  return kNone;
}
inline const QuantizedValue& quantized_value(const QuantizeReport& report, const std::string& value) {
  for (const QuantizedValue& v : report.values)
    if (v.value == value) return v;
  static const QuantizedValue kNone;
  ADD_FAILURE() << "no pair on '" << value << "'";
  return kNone;
}

}  // namespace lapis::testing
