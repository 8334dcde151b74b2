// The generator reaches every operator, and the judge sees what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontends/onnx/export.h"
#include "ir/ops/ops.h"
#include "tests/random/graphs/judge.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

using ::testing::HasSubstr;

// A record that no draw makes valid needs a proposer in tests/random/graphs/propose_*.cpp.
TEST(Generator, DrawsEveryOperator) {
  for (const OpDef* op : all_ops()) {
    Feeds feeds;
    EXPECT_NE(draw_one(*op, 300, feeds), nullptr) << op->name << " is never drawn valid: give it a proposer";
  }
}

TEST(Generator, EveryProposerIsOfAnOperator) {
  for (const auto& [name, proposer] : proposers()) EXPECT_NE(find_op(name), nullptr) << name;
}

TEST(Generator, SameSeedSameGraph) {
  for (Kind kind : {Kind::Float, Kind::Qdq})
    for (uint64_t seed = 0; seed < 40; ++seed) {
      const Sample a = draw_graph(seed, kind), b = draw_graph(seed, kind);
      EXPECT_EQ(*export_onnx(*a.graph), *export_onnx(*b.graph)) << seed;
      EXPECT_EQ(a.feeds, b.feeds) << seed;
    }
}

TEST(Generator, ReachesWhatItClaims) {
  int invalid = 0, huge = 0, symbolic = 0, empty = 0, deep = 0;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    const Sample s = draw_graph(seed, Kind::Float);
    invalid += s.invalid;
    huge += s.huge;
    symbolic += !s.dims.empty();
    for (const auto& [name, tensor] : s.feeds) empty += tensor.size() == 0, deep += tensor.rank() == 5;
  }
  EXPECT_GT(invalid, 10);
  EXPECT_GT(huge, 3);
  EXPECT_GT(symbolic, 3);
  EXPECT_GT(empty, 10);
  EXPECT_GT(deep, 10);
}

// y = op(x) for one float operand.
struct OneOp {
  OneOp(const OpDef& op, Tensor x) : graph("one") {
    Value* input = graph.add_input("x", Type::of(x));
    Node* node = graph.add_node(op, {input});
    node->output()->set_type(Type::of(x));
    graph.set_outputs({node->output()});
    feeds["x"] = std::move(x);
  }
  Expectation expectation() { return *expect(graph, feeds, 24, 1); }
  Graph graph;
  Feeds feeds;
};

Tensor changed(Tensor t, size_t i, float value) {
  t.mutable_data<float>()[i] = value;
  return t;
}

TEST(Judge, ExactOperatorsAreExact) {
  OneOp one(ops::Neg, Tensor::vector<float>({1, 2, NAN, 0}));
  const Expectation e = one.expectation();
  EXPECT_EQ(difference(e, 0, e.outputs[0]), "");
  EXPECT_THAT(difference(e, 0, changed(e.outputs[0], 1, std::nextafterf(-2, 0))), HasSubstr("element 1"));
  EXPECT_THAT(difference(e, 0, changed(e.outputs[0], 2, 0)), HasSubstr("element 2"));
  EXPECT_THAT(difference(e, 0, changed(e.outputs[0], 3, 0.0F)), HasSubstr("zero of the other sign"));
  EXPECT_THAT(difference(e, 0, Tensor(DType::Float32, {5})), HasSubstr("float[5]"));
}

TEST(Judge, InexactOperatorsMayBeOffByAFewUnits) {
  OneOp one(ops::Exp, Tensor::vector<float>({1, 2, 3}));
  const Expectation e = one.expectation();
  const float y = e.outputs[0].data<float>()[1];
  EXPECT_EQ(difference(e, 0, changed(e.outputs[0], 1, std::nextafterf(y, 0))), "");
  EXPECT_THAT(difference(e, 0, changed(e.outputs[0], 1, y * 1.0001f)), HasSubstr("element 1"));
  EXPECT_THAT(difference(e, 0, changed(e.outputs[0], 1, NAN)), HasSubstr("element 1"));
}

// And what is computed from it, NaN.
TEST(Judge, WhatMayBeOffBeyondTheLargestNumberMayBeInfinite) {
  OneOp one(ops::Exp, Tensor::vector<float>({1, 88.5F, 80}));
  Expectation e = one.expectation();
  const Tensor y = e.outputs[0];
  EXPECT_THAT(difference(e, 0, changed(y, 1, INFINITY)), HasSubstr("element 1"));
  EXPECT_THAT(difference(e, 0, changed(y, 2, NAN)), HasSubstr("element 2"));
  e.others.push_back({changed(y, 1, y.data<float>()[1] * 0.9F)});
  EXPECT_EQ(difference(e, 0, changed(y, 1, INFINITY)), "");
  EXPECT_EQ(difference(e, 0, changed(y, 2, NAN)), "");
  EXPECT_THAT(difference(e, 0, changed(y, 2, y.data<float>()[2] * 2)), HasSubstr("element 2"));
}

TEST(Judge, SumsMayBeOffByAShareOfTheirTerms) {
  Graph graph("sum");
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{3}));
  Node* node = graph.add_node(ops::ReduceSum, {x});
  node->output()->set_type(Type::tensor(DType::Float32, Shape{1}));
  graph.set_outputs({node->output()});
  const auto e = expect(graph, {{"x", Tensor::vector<float>({1e6f, -1e6f, 1})}}, 24, 1);
  EXPECT_EQ(difference(*e, 0, Tensor::vector<float>({1.05f})), "");
  EXPECT_NE(difference(*e, 0, Tensor::vector<float>({9})), "");
}

// -inf where products are not rounded before they are added, NaN where they are; nothing else is undetermined by it.
TEST(Judge, OnlySumsThatOverflowMayBeAnything) {
  Graph graph("product");
  Value* x = graph.add_input("x", Type::tensor(DType::Float64, Shape{1, 3}));
  Value* w = graph.add_input("w", Type::tensor(DType::Float64, Shape{3, 3}));
  Node* node = graph.add_node(ops::MatMul, {x, w});
  node->output()->set_type(Type::tensor(DType::Float64, Shape{1, 3}));
  graph.set_outputs({node->output()});
  const double huge = std::numeric_limits<double>::max();
  const auto row = [](std::vector<double> v) { return Tensor::of<double>({1, 3}, std::move(v)); };
  const Tensor weights = Tensor::of<double>({3, 3}, {2, 0.25, INFINITY, 2, 0.25, 0.5, 1, 1, 1});
  const auto e = expect(graph, {{"x", row({-huge, huge, 1})}, {"w", weights}}, 24, 1);
  EXPECT_EQ(difference(*e, 0, row({-INFINITY, 1, -INFINITY})), "");
  EXPECT_EQ(difference(*e, 0, row({NAN, 1, -INFINITY})), "");
  EXPECT_THAT(difference(*e, 0, row({NAN, 1e300, -INFINITY})), HasSubstr("element 1"));
  EXPECT_THAT(difference(*e, 0, row({NAN, 1, 1})), HasSubstr("element 2"));
}

// Sums of bfloat16 are taken in float, whose range is the same: by pairs they are finite, one by one they are not.
TEST(Judge, SumsOfBFloat16MayOverflowOnTheirWay) {
  Graph graph("product");
  const auto tensor = [](const Shape& shape, const std::vector<float>& values) {
    std::vector<BFloat16> rounded;
    std::transform(values.begin(), values.end(), std::back_inserter(rounded), to_bfloat16);
    return Tensor::of<BFloat16>(shape, std::move(rounded));
  };
  Value* x = graph.add_input("x", Type::tensor(DType::BFloat16, Shape{1, 4}));
  Value* w = graph.add_input("w", Type::tensor(DType::BFloat16, Shape{4, 2}));
  Node* node = graph.add_node(ops::MatMul, {x, w});
  node->output()->set_type(Type::tensor(DType::BFloat16, Shape{1, 2}));
  graph.set_outputs({node->output()});
  const auto e =
      expect(graph, {{"x", tensor({1, 4}, {3e38F, 3e38F, -3e38F, 1})}, {"w", tensor({4, 2}, {1, 0, 1, 0, 1, 0, 1, 1})}},
             24, 1);
  EXPECT_EQ(difference(*e, 0, tensor({1, 2}, {INFINITY, 1})), "");
  EXPECT_EQ(difference(*e, 0, tensor({1, 2}, {3e38F, 1})), "");
  EXPECT_THAT(difference(*e, 0, tensor({1, 2}, {3e38F, 2})), HasSubstr("element 1"));
}

// The largest elements of a row of which nothing is determined may all be small.
TEST(Judge, OrderedElementsMayBeAnything) {
  constexpr int64_t kElements = 32;
  Graph graph("order");
  const Type row = Type::tensor(DType::Float32, Shape{1, kElements});
  Value *x = graph.add_input("x", Type::tensor(DType::Float32, Shape{2, kElements})),
        *axes = graph.add_constant(Tensor::vector<int64_t>({0})),
        *k = graph.add_constant(Tensor::vector<int64_t>({kElements}));
  Node *norm = graph.add_node(ops::ReduceL2, {x, axes}),
       *top = graph.add_node(ops::TopK, {norm->output(), k}, {}, {"", ""});
  norm->output()->set_type(row);
  top->output(0)->set_type(row);
  top->output(1)->set_type(Type::tensor(DType::Int64, Shape{1, kElements}));
  graph.set_outputs({top->output(0)});
  const auto all = [](int64_t rows, float value) {
    return Tensor::of<float>({rows, kElements}, std::vector<float>(static_cast<size_t>(rows * kElements), value));
  };
  const auto e = expect(graph, {{"x", all(2, 2.5e38F)}}, 24, 1);
  EXPECT_EQ(e->outputs[0], all(1, INFINITY));
  EXPECT_EQ(difference(*e, 0, all(1, 3.4e38F)), "");
}

// tanh(12) is 1 as a float, where the activation behind it begins, and less as a double.
TEST(Judge, ThresholdsOfRecurrencesMayBeMetOrMissed) {
  Graph graph("threshold");
  const auto input = [&](const char* name, const Shape& shape) {
    return graph.add_input(name, Type::tensor(DType::Float32, shape));
  };
  Node* node = graph.add_node(ops::LSTM, {input("x", {1, 1, 1}), input("w", {1, 4, 1}), input("r", {1, 4, 1})},
                              {{"hidden_size", int64_t{1}},
                               {"activations", std::vector<std::string>{"HardSigmoid", "Tanh", "ThresholdedRelu"}}});
  node->output()->set_type(Type::tensor(DType::Float32, Shape{1, 1, 1, 1}));
  graph.set_outputs({node->output()});
  const auto wanted = expect(graph,
                             {{"x", Tensor::of<float>({1, 1, 1}, {12})},
                              {"w", Tensor::of<float>({1, 4, 1}, {1, 1, 1, 1})},
                              {"r", Tensor(DType::Float32, {1, 4, 1})}},
                             24, 1);
  EXPECT_EQ(wanted->outputs[0].data<float>()[0], 0);
  EXPECT_EQ(difference(*wanted, 0, Tensor::of<float>({1, 1, 1, 1}, {1})), "");
}

// Half of the smallest float is 0, and times the gamma of a Selu that is seen.
TEST(Judge, FloatsBelowTheNormalOnesMayLoseTheirLastBit) {
  OneOp one(ops::Selu, Tensor::vector<float>({-std::numeric_limits<float>::denorm_min(), -1}));
  for (Node* selu : one.graph.nodes()) selu->set_attribute("gamma", 1e30F);
  const Expectation e = one.expectation();
  EXPECT_LT(e.outputs[0].data<float>()[0], -1e-16F);
  EXPECT_EQ(difference(e, 0, changed(e.outputs[0], 0, -0.0F)), "");
  EXPECT_THAT(difference(e, 0, changed(e.outputs[0], 1, 0)), HasSubstr("element 1"));
}

// Where a little error decides between two results neither is wrong.
TEST(Judge, UndeterminedResultsPass) {
  Graph graph("step");
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{2}));
  Node *e = graph.add_node(ops::Exp, {x}), *floor = graph.add_node(ops::Floor, {e->output()});
  graph.set_outputs({floor->output()});
  for (Node* n : graph.nodes()) n->output()->set_type(x->type());
  const auto wanted = expect(graph, {{"x", Tensor::vector<float>({0, 1})}}, 24, 1);
  EXPECT_EQ(difference(*wanted, 0, Tensor::vector<float>({0, 2})), "");
  EXPECT_NE(difference(*wanted, 0, Tensor::vector<float>({1, 3})), "");
}

}  // namespace
}  // namespace lapis::random_graphs
