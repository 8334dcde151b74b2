#include "tests/random/graphs/generate.h"

#include <algorithm>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

// Families that deserve more graphs than their share of the records: what lowering and fusion treat specially.
const OpDef& draw_op(Random& random) {
  static const std::vector<const OpDef*> kFavoured = {&ops::Conv,
                                                      &ops::Conv,
                                                      &ops::Gemm,
                                                      &ops::MatMul,
                                                      &ops::MatMul,
                                                      &ops::Add,
                                                      &ops::Mul,
                                                      &ops::Sub,
                                                      &ops::Div,
                                                      &ops::Relu,
                                                      &ops::Clip,
                                                      &ops::MaxPool,
                                                      &ops::AveragePool,
                                                      &ops::ReduceSum,
                                                      &ops::ReduceMean,
                                                      &ops::ReduceMax,
                                                      &ops::Softmax,
                                                      &ops::Transpose,
                                                      &ops::Reshape,
                                                      &ops::Slice,
                                                      &ops::Concat,
                                                      &ops::Split,
                                                      &ops::Pad,
                                                      &ops::Expand,
                                                      &ops::Cast,
                                                      &ops::Where,
                                                      &ops::QuantizeLinear,
                                                      &ops::DequantizeLinear,
                                                      &ops::BatchNormalization,
                                                      &ops::QLinearConv,
                                                      &ops::MatMulInteger};
  return random.chance(45) ? *random.pick(kFavoured) : *random.pick(all_ops());
}

void grow(Draft& d, int64_t nodes) {
  for (int64_t tries = 3 * nodes; nodes > 0 && tries > 0; --tries) {
    const OpDef& op = draw_op(d.random);
    const auto proposal = propose(d, op);
    if (proposal && d.apply(op, *proposal)) --nodes;
  }
}

// A node that is probably wrong, at the end.
bool spoil(Draft& d) {
  const OpDef& op = draw_op(d.random);
  const auto proposal = propose_spoiled(d, op);
  return proposal && d.force(op, *proposal) != nullptr;
}

// One extent of the inputs becomes a symbol wherever it occurs in them, and types follow from it.
void make_symbolic(Sample& sample, Random& random) {
  std::vector<int64_t> extents;
  for (const Value* input : sample.graph->inputs())
    for (const Dim& dim : *input->type().dims) extents.push_back(dim.value());
  if (extents.empty()) return;
  const int64_t chosen = random.pick(extents);
  std::unique_ptr<Graph> copy = sample.graph->clone();
  for (Value* input : copy->inputs()) {
    if (input->name().starts_with("n")) continue;  // lengths of parameters are part of the operator's form
    Type type = input->type();
    for (Dim& dim : *type.dims)
      if (dim.is(chosen)) dim = Dim::symbol("N");
    input->set_type(std::move(type));
  }
  for (Node* node : copy->nodes())
    for (Value* v : node->outputs())
      if (v) v->set_type(Type());
  if (!infer_types(*copy).ok()) return;
  sample.graph = std::move(copy);
  sample.dims["N"] = chosen;
}

// Values of absurd sizes, of which nothing but the type may be asked.
Value* huge_input(Draft& d) {
  static const std::vector<int64_t> kHuge = {int64_t{1} << 31,
                                             (int64_t{1} << 31) - 1,
                                             int64_t{1} << 32,
                                             int64_t{1} << 62,
                                             INT64_MAX,
                                             int64_t{1} << 16,
                                             int64_t{3037000500},
                                             1,
                                             2,
                                             3};
  Shape shape(static_cast<size_t>(d.random.between(1, 4)));
  for (int64_t& extent : shape) extent = d.random.pick(kHuge);
  return d.graph->add_input("h" + std::to_string(d.graph->inputs().size()),
                            Type::tensor(draw_dtype(d.random, kNumbers), shape));
}

std::optional<Proposal> huge_shape_proposal(Draft& d, const OpDef& op) {
  std::vector<int64_t> shape(static_cast<size_t>(d.random.between(1, 4)));
  for (int64_t& extent : shape)
    extent = d.random.one_of({int64_t{1} << 31, INT64_MAX, int64_t{1} << 32, 65536, 3, -1, 0});
  Value* target = d.graph->add_constant(Tensor::vector<int64_t>(shape));
  if (&op == &ops::ConstantOfShape) return Proposal{{target}, {}, 1};
  Value* x = d.graph->add_constant(draw_tensor(d.random, DType::Float32, Shape(shape.size(), 1), d.mood));
  return Proposal{{x, target}, {}, 1};
}

Sample draw_huge(Draft& d) {
  static const std::vector<const OpDef*> kGrowing = {&ops::Expand, &ops::ConstantOfShape, &ops::Tile};
  static const std::vector<const OpDef*> kUnary = {&ops::Relu,      &ops::Neg,     &ops::Identity,
                                                   &ops::Transpose, &ops::Flatten, &ops::Softmax,
                                                   &ops::ShapeOf,   &ops::Size,    &ops::ReduceSum};
  Sample sample;
  sample.huge = true;
  sample.invalid = true;
  Value* last = huge_input(d);
  if (d.random.chance(50)) {
    const OpDef& op = *d.random.pick(kGrowing);
    last = d.force(op, *huge_shape_proposal(d, op))->output();
  } else if (d.random.chance(50)) {
    last = d.force(d.random.chance(50) ? ops::MatMul : ops::Add, {{last, huge_input(d)}, {}, 1})->output();
  }
  Node* node = d.force(*d.random.pick(kUnary), {{last}, {}, 1});
  d.graph->set_outputs({node->output()});
  sample.graph = std::move(d.graph);
  return sample;
}

Sample draw_float_graph(uint64_t seed) {
  Draft d(seed);
  if (d.random.chance(2)) return draw_huge(d);
  d.constants = static_cast<int>(d.random.one_of({0, 20, 50, 50, 80}));
  grow(d, d.random.one_of({1, 1, 2, 3, 4, 5, 6, 8}));
  Sample sample;
  if (d.random.chance(10)) sample.invalid = spoil(d);
  d.choose_outputs();
  sample.feeds = std::move(d.feeds);
  sample.graph = std::move(d.graph);
  if (!sample.invalid && d.random.chance(8)) make_symbolic(sample, d.random);
  return sample;
}

}  // namespace

Sample draw_graph(uint64_t seed, Kind kind) {
  return kind == Kind::Qdq ? draw_qdq_graph(seed) : draw_float_graph(seed);
}

std::unique_ptr<Graph> draw_one(const OpDef& op, int tries, Feeds& feeds) {
  for (int i = 0; i < tries; ++i) {
    Draft d(static_cast<uint64_t>(i));
    d.mood = Mood::Ordinary;
    const auto proposal = propose(d, op);
    if (!proposal) continue;
    Node* node = d.apply(op, *proposal);
    if (!node) continue;
    d.graph->set_outputs(node->outputs());
    feeds = d.feeds;
    if (evaluate(*d.graph, feeds).ok()) return std::move(d.graph);
  }
  return nullptr;
}

}  // namespace lapis::random_graphs
