// Weights in blocks of few bits as ONNX Runtime's MatMulNBits: what is written reads back as the same numbers.
#include "frontends/onnx/matmul_nbits.h"

#include <gtest/gtest.h>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis {
namespace {

struct Case {
  DType type, real;
  bool zero_points, turned, biased;
};

constexpr int64_t kInputs = 40, kOutputs = 5, kBlock = 16, kBlocks = 3;  // the last block is half full

Tensor integers(DType type, Shape shape) {
  std::vector<int64_t> values(static_cast<size_t>(element_count(shape)));
  const IntegerRange range = integer_range(type);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = range.lowest + static_cast<int64_t>(i * 7 % (range.highest - static_cast<uint64_t>(range.lowest) + 1));
  return ops::from_integers(type, std::move(shape), values);
}

Tensor floats(DType type, Shape shape, double first) {
  std::vector<double> values(static_cast<size_t>(element_count(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + 0.25 * static_cast<double>(i % 9);
  return ops::from_doubles(type, std::move(shape), values);
}

std::unique_ptr<Graph> product(const Case& c) {
  auto graph = std::make_unique<Graph>("g");
  Value* x = graph->add_input("x", Type::tensor(c.real, Shape{2, kInputs}));
  const auto shape = [&](int64_t inner) { return c.turned ? Shape{kOutputs, inner} : Shape{inner, kOutputs}; };
  std::vector<Value*> stored = {graph->add_constant(integers(c.type, shape(kInputs)), "w"),
                                graph->add_constant(floats(c.real, shape(kBlocks), 0.5), "s")};
  if (c.zero_points) stored.push_back(graph->add_constant(integers(c.type, shape(kBlocks)), "z"));
  Node* dq = graph->add_node(ops::DequantizeLinear, stored, {{"axis", int64_t{c.turned}}, {"block_size", kBlock}});
  std::vector<Value*> operands = {x, dq->output()};
  if (c.biased) operands.push_back(graph->add_constant(floats(c.real, {kOutputs}, -1), "b"));
  Attributes attributes;
  if (c.turned) attributes["transB"] = int64_t{1};
  Node* y = graph->add_node(c.turned || c.biased ? ops::Gemm : ops::MatMul, operands, attributes, {"y"});
  graph->set_outputs({y->output()});
  EXPECT_TRUE(infer_types(*graph).ok());
  return graph;
}

size_t count(const Graph& graph, const OpDef& op) {
  size_t n = 0;
  for (const Node* node : graph.nodes()) n += node->is(op);
  return n;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const DType type : {DType::Int2, DType::UInt2, DType::Int4, DType::UInt4, DType::Int8, DType::UInt8})
    for (const DType real : {DType::Float32, DType::Float16, DType::BFloat16})
      for (const bool zero_points : {false, true})
        for (const bool turned : {false, true})
          for (const bool biased : {false, true}) all.push_back({type, real, zero_points, turned, biased});
  return all;
}

TEST(MatMulNBits, WhatIsWrittenReadsBackAsTheSameNumbers) {
  for (const Case& c : cases()) {
    const auto graph = product(c);
    const auto bytes = export_onnx(*graph, {.matmul_nbits = true});
    ASSERT_TRUE(bytes.ok()) << to_string(bytes.diagnostics());
    EXPECT_NE(bytes->find("MatMulNBits"), std::string::npos);
    EXPECT_EQ(bytes->find("DequantizeLinear"), std::string::npos) << "nobody reads it any more";
    const auto again = import_onnx(std::as_bytes(std::span(*bytes)), "again");
    ASSERT_TRUE(again.ok()) << to_string(again.diagnostics());
    EXPECT_EQ(count(**again, ops::DequantizeLinear), 1u);
    const double tolerance =
        c.real == DType::Float32 ? 1e-3 : 2e-2;  // halves round the product before the bias is added
    const Feeds feeds = {{"x", floats(c.real, {2, kInputs}, -1)}};
    const Tensor expected = (*evaluate(*graph, feeds))[0], actual = (*evaluate(**again, feeds))[0];
    for (int64_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(actual.as_double(i), expected.as_double(i), tolerance * std::abs(expected.as_double(i)) + tolerance)
          << name_of(c.type) << name_of(c.real) << c.zero_points << c.turned << c.biased;
  }
}

TEST(MatMulNBits, ConstantsThatOnlyABranchReadsStay) {
  const auto graph = product({DType::Int4, DType::Float32, false, false, false});
  Value* own = graph->add_constant(floats(DType::Float32, {5}, 2), "own");
  const auto branch = [&](const OpDef& op) {
    auto body = graph->make_subgraph("branch");
    body->set_outputs({body->add_node(op, {graph->find_value("y"), own})->output()});
    return body;
  };
  Value* condition = graph->add_constant(Tensor::scalar(true), "condition");
  Node* choice =
      graph->add_node(ops::If, {condition}, {{"then_branch", branch(ops::Add)}, {"else_branch", branch(ops::Sub)}});
  graph->set_outputs({choice->output()});
  ASSERT_TRUE(infer_types(*graph).ok());
  const auto bytes = export_onnx(*graph, {.matmul_nbits = true});
  ASSERT_TRUE(bytes.ok()) << to_string(bytes.diagnostics());
  const auto again = import_onnx(std::as_bytes(std::span(*bytes)), "again");
  ASSERT_TRUE(again.ok()) << to_string(again.diagnostics());
}

TEST(MatMulNBits, AModelWithoutBlocksHasNone) {
  Graph graph("g");
  graph.set_outputs(
      {graph.add_node(ops::Relu, {graph.add_input("x", Type::tensor(DType::Float32, Shape{2}))}, {}, {"y"})->output()});
  ASSERT_TRUE(infer_types(graph).ok());
  const auto bytes = export_onnx(graph, {.matmul_nbits = true});
  ASSERT_FALSE(bytes.ok());
  EXPECT_NE(to_string(bytes.diagnostics()).find("no product has weights in blocks of 2, 4 or 8 bits"),
            std::string::npos);
}

}  // namespace
}  // namespace lapis
