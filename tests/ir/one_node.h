// Runs or infers a single operator, for tests that check one record at a time.
#pragma once

#include <gtest/gtest.h>

#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis::testing {

// An operand: a known tensor, a type only, or absent.
struct Operand {
  Operand(Tensor t) : tensor(std::move(t)) {}
  Operand(Type t) : type(std::move(t)) {}
  Operand(std::nullptr_t) {}
  Tensor tensor;
  Type type;
};

struct OneNode {
  OneNode(const OpDef& op, const std::vector<Operand>& operands, Attributes attributes, size_t outputs)
      : graph("test") {
    std::vector<Value*> inputs;
    for (const Operand& o : operands) {
      if (o.tensor.defined())
        inputs.push_back(graph.add_constant(o.tensor));
      else
        inputs.push_back(
            o.type.dtype == DType::Undefined ? nullptr : graph.add_input("x" + std::to_string(inputs.size()), o.type));
    }
    node = graph.add_node(op, inputs, std::move(attributes), std::vector<std::string>(outputs, ""), nullptr, "n");
    graph.set_outputs(node->outputs());
  }
  Graph graph;
  Node* node;
};

inline Result<std::vector<Type>> infer(const OpDef& op, const std::vector<Operand>& operands,
                                       Attributes attributes = {}, size_t outputs = 1) {
  OneNode one(op, operands, std::move(attributes), outputs);
  LAPIS_CHECK(infer_types(one.graph));
  std::vector<Type> types;
  for (const Value* v : one.node->outputs()) types.push_back(v->type());
  return types;
}

// "float[N,4]", or the error messages.
inline std::string inferred(const OpDef& op, const std::vector<Operand>& operands, Attributes attributes = {},
                            size_t output = 0) {
  auto types = infer(op, operands, std::move(attributes), output + 1);
  return types.ok() ? (*types)[output].to_string() : types.diagnostics()[0].message;
}

// Infers, evaluates, and checks that the tensors are what inference promised.
inline Result<std::vector<Tensor>> run(const OpDef& op, const std::vector<Operand>& operands,
                                       Attributes attributes = {}, size_t outputs = 1) {
  OneNode one(op, operands, std::move(attributes), outputs);
  LAPIS_CHECK(infer_types(one.graph));
  LAPIS_TRY(std::vector<Tensor> tensors, evaluate(one.graph, {}));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::optional<Type> both = merge(one.node->output(i)->type(), Type::of(tensors[i]));
    EXPECT_TRUE(both) << op.name << " promised " << one.node->output(i)->type().to_string() << " and gave "
                      << Type::of(tensors[i]).to_string();
  }
  return tensors;
}

inline Tensor run1(const OpDef& op, const std::vector<Operand>& operands, Attributes attributes = {}) {
  auto tensors = run(op, operands, std::move(attributes));
  EXPECT_TRUE(tensors.ok()) << (tensors.ok() ? "" : to_string(tensors.diagnostics()));
  return tensors.ok() ? (*tensors)[0] : Tensor();
}

template <class T> std::vector<T> values(const Tensor& t) {
  if (!t.defined()) return {};
  const auto data = t.data<T>();
  return {data.begin(), data.end()};
}

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using Bytes = std::vector<uint8_t>;

inline Tensor ramp(Shape shape, float first = 1) {
  std::vector<float> v(static_cast<size_t>(element_count(shape)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = first + static_cast<float>(i);
  return Tensor::of(std::move(shape), v);
}
inline Tensor filled(Shape shape, float value) {
  const auto n = static_cast<size_t>(element_count(shape));
  return Tensor::of(std::move(shape), std::vector<float>(n, value));
}
inline Type floats(Dims dims) { return Type::tensor(DType::Float32, std::move(dims)); }
inline Dim N() { return Dim::symbol("N"); }

}  // namespace lapis::testing
