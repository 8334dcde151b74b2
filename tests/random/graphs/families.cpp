#include "tests/random/graphs/families.h"

#include <cmath>

#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis::random_graphs {
namespace {

// Adds nodes with one output until there are enough.
class Sketch {
 public:
  explicit Sketch(int nodes) : graph_(std::make_unique<Graph>("scale")), left_(nodes) {}
  Value* input(Shape shape, DType type = DType::Float32) {
    return graph_->add_input("x", Type::tensor(type, std::move(shape)));
  }
  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    --left_;
    return graph_->add_node(op, std::move(inputs), std::move(attributes))->output();
  }
  // No two of them are equal, so no two nodes are.
  Value* number() { return constant(Tensor::scalar(1.0f + 1e-5f * static_cast<float>(numbers_++))); }
  Value* constant(Tensor tensor) { return graph_->add_constant(std::move(tensor)); }
  Value* weights(Shape shape) {
    std::vector<float> values(static_cast<size_t>(element_count(shape)));
    for (float& v : values) v = 0.25f * std::sin(static_cast<float>(numbers_++));
    return constant(Tensor::of(std::move(shape), std::move(values)));
  }
  int left() const { return left_; }
  Graph& graph() { return *graph_; }
  std::unique_ptr<Graph> finish(std::vector<Value*> outputs) {
    graph_->set_outputs(std::move(outputs));
    if (const Status typed = infer_types(*graph_); !typed.ok()) std::abort();
    return std::move(graph_);
  }

 private:
  std::unique_ptr<Graph> graph_;
  int left_;
  int numbers_ = 0;
};

Value* step(Sketch& d, Value* x) { return d.left() % 2 ? d.add(ops::Sigmoid, {x}) : d.add(ops::Add, {x, d.number()}); }

Value* join(Sketch& d, std::vector<Value*> values) {
  while (values.size() > 1) {
    std::vector<Value*> sums;
    for (size_t i = 0; i + 1 < values.size(); i += 2) sums.push_back(d.add(ops::Add, {values[i], values[i + 1]}));
    if (values.size() % 2) sums.push_back(values.back());
    values = std::move(sums);
  }
  return values[0];
}

std::unique_ptr<Graph> chain(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 64});
  while (d.left() > 0) x = step(d, x);
  return d.finish({x});
}

std::unique_ptr<Graph> tree(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 64});
  std::vector<Value*> leaves;
  while (d.left() > nodes / 2) leaves.push_back(d.add(ops::Mul, {x, d.number()}));
  return d.finish({join(d, leaves)});
}

// One value with very many readers, and a node with very many operands.
std::unique_ptr<Graph> fan(int nodes) {
  Sketch d(nodes);
  Value* x = d.add(ops::Sigmoid, {d.input({1, 8})});
  std::vector<Value*> parts;
  while (d.left() > 1) parts.push_back(d.add(ops::Mul, {x, d.number()}));
  return d.finish({d.add(ops::Concat, std::move(parts), {{"axis", int64_t{1}}})});
}

// Very many buffers that are all in use at one time.
std::unique_ptr<Graph> alive(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 8});
  std::vector<Value*> rows;
  while (d.left() > nodes / 3) rows.push_back(d.add(ops::Softmax, {d.add(ops::Mul, {x, d.number()})}));
  std::vector<Value*> mirrored(rows.rbegin(), rows.rend());
  Value* sum = rows[0];
  for (Value* row : mirrored)
    if (d.left() > 0) sum = d.add(ops::Softmax, {d.add(ops::Add, {sum, row})});
  return d.finish({sum});
}

std::unique_ptr<Graph> outputs(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 8});
  std::vector<Value*> results;
  while (d.left() > 0) results.push_back(d.add(ops::Mul, {x, d.number()}));
  return d.finish(std::move(results));
}

std::unique_ptr<Graph> names(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 64});
  while (d.left() > 0) x = step(d, x);
  for (Node* node : d.graph().nodes()) node->set_name("node");
  return d.finish({x});
}

std::unique_ptr<Graph> dead(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 64});
  Value* unused = x;
  while (d.left() > 0) (d.left() % 4 ? unused : x) = step(d, d.left() % 4 ? unused : x);
  return d.finish({x});
}

// Three quarters are arithmetic on constants.
std::unique_ptr<Graph> constants(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 64});
  Value* known = d.weights({1, 64});
  while (d.left() > 4) {
    for (int i = 0; i < 3; ++i) known = step(d, known);
    x = d.add(ops::Add, {x, known});
  }
  return d.finish({x});
}

// Equal nodes in long runs.
std::unique_ptr<Graph> twins(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 64});
  Value* one = d.number();
  while (d.left() > 2) x = d.add(ops::Mul, {d.add(ops::Add, {x, one}), d.add(ops::Add, {x, one})});
  return d.finish({x});
}

std::unique_ptr<Graph> transposes(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({2, 3, 4});
  const std::vector<int64_t> turn = {2, 0, 1};
  while (d.left() > 0) x = d.left() % 2 ? d.add(ops::Sigmoid, {x}) : d.add(ops::Transpose, {x}, {{"perm", turn}});
  return d.finish({x});
}

// Concat(Concat(Concat(a, b), c), d), ...
std::unique_ptr<Graph> concats(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 4});
  Value* all = x;
  while (d.left() > 1) all = d.add(ops::Concat, {all, d.add(ops::Mul, {x, d.number()})}, {{"axis", int64_t{1}}});
  return d.finish({all});
}

// Sizes that the model computes from shapes.
std::unique_ptr<Graph> shapes(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({4, 16});
  const auto index = [&](int64_t i) { return d.constant(Tensor::vector<int64_t>({i})); };
  while (d.left() > 5) {
    Value* shape = d.add(ops::ShapeOf, {x});
    Value* turned = d.add(ops::Concat, {d.add(ops::Gather, {shape, index(1)}), d.add(ops::Gather, {shape, index(0)})},
                          {{"axis", int64_t{0}}});
    x = d.add(ops::Sigmoid, {d.add(ops::Reshape, {x, turned})});
  }
  return d.finish({x});
}

std::unique_ptr<Graph> convolutions(int nodes) {
  Sketch d(nodes);
  Value* x = d.input({1, 16, 4, 4});
  while (d.left() > 2) {
    Value* y = d.add(ops::Relu, {d.add(ops::Conv, {x, d.weights({16, 16, 1, 1}), d.weights({16})})});
    x = d.add(ops::Add, {x, y});
  }
  return d.finish({x});
}

// The same between QuantizeLinear and DequantizeLinear.
std::unique_ptr<Graph> quantized(int nodes) {
  Sketch d(nodes);
  Value* scale = d.constant(Tensor::scalar(0.05f));
  Value* zero = d.constant(Tensor::scalar(uint8_t{128}));
  Value* signed_zero = d.constant(Tensor::scalar(int8_t{0}));
  const auto pair = [&](Value* x, Value* zero_point) {
    return d.add(ops::DequantizeLinear, {d.add(ops::QuantizeLinear, {x, scale, zero_point}), scale, zero_point});
  };
  Value* x = pair(d.input({1, 16, 4, 4}), zero);
  while (d.left() > 8)
    x = pair(d.add(ops::Relu, {d.add(ops::Conv, {x, pair(d.weights({16, 16, 1, 1}), signed_zero)})}), zero);
  return d.finish({x});
}

constexpr Family kFamilies[] = {
    {"chain", chain},
    {"tree", tree},
    {"fan", fan},
    {"alive", alive},
    {"outputs", outputs},
    {"names", names},
    {"dead", dead},
    {"constants", constants},
    {"twins", twins},
    {"transposes", transposes},
    {"concats", concats},
    {"shapes", shapes},
    {"convolutions", convolutions},
    {"quantized", quantized},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

}  // namespace lapis::random_graphs
