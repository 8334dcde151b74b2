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
  DType type;
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

Tensor floats(Shape shape, float first) {
  Tensor t(DType::Float32, std::move(shape));
  for (size_t i = 0; i < static_cast<size_t>(t.size()); ++i)
    t.mutable_data<float>()[i] = first + 0.25f * static_cast<float>(i % 9);
  return t;
}

std::unique_ptr<Graph> product(const Case& c) {
  auto graph = std::make_unique<Graph>("g");
  Value* x = graph->add_input("x", Type::tensor(DType::Float32, Shape{2, kInputs}));
  const auto shape = [&](int64_t inner) { return c.turned ? Shape{kOutputs, inner} : Shape{inner, kOutputs}; };
  std::vector<Value*> stored = {graph->add_constant(integers(c.type, shape(kInputs)), "w"),
                                graph->add_constant(floats(shape(kBlocks), 0.5f), "s")};
  if (c.zero_points) stored.push_back(graph->add_constant(integers(c.type, shape(kBlocks)), "z"));
  Node* dq = graph->add_node(ops::DequantizeLinear, stored, {{"axis", int64_t{c.turned}}, {"block_size", kBlock}});
  std::vector<Value*> operands = {x, dq->output()};
  if (c.biased) operands.push_back(graph->add_constant(floats({kOutputs}, -1), "b"));
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

TEST(MatMulNBits, WhatIsWrittenReadsBackAsTheSameNumbers) {
  for (const DType type : {DType::Int4, DType::UInt4, DType::Int8, DType::UInt8})
    for (const bool zero_points : {false, true})
      for (const bool turned : {false, true})
        for (const bool biased : {false, true}) {
          const auto graph = product({type, zero_points, turned, biased});
          const auto bytes = export_onnx(*graph, {.matmul_nbits = true});
          ASSERT_TRUE(bytes.ok()) << to_string(bytes.diagnostics());
          EXPECT_NE(bytes->find("MatMulNBits"), std::string::npos);
          EXPECT_EQ(bytes->find("DequantizeLinear"), std::string::npos) << "nobody reads it any more";
          const auto again = import_onnx(std::as_bytes(std::span(*bytes)), "again");
          ASSERT_TRUE(again.ok()) << to_string(again.diagnostics());
          EXPECT_EQ(count(**again, ops::DequantizeLinear), 1u);
          const Feeds feeds = {{"x", floats({2, kInputs}, -1)}};
          const Tensor expected = (*evaluate(*graph, feeds))[0], actual = (*evaluate(**again, feeds))[0];
          for (int64_t i = 0; i < expected.size(); ++i)
            EXPECT_NEAR(actual.as_double(i), expected.as_double(i), 1e-3 * std::abs(expected.as_double(i)) + 1e-3)
                << name_of(type) << zero_points << turned << biased;
        }
}

TEST(MatMulNBits, AModelWithoutBlocksHasNone) {
  Graph graph("g");
  graph.set_outputs(
      {graph.add_node(ops::Relu, {graph.add_input("x", Type::tensor(DType::Float32, Shape{2}))}, {}, {"y"})->output()});
  ASSERT_TRUE(infer_types(graph).ok());
  const auto bytes = export_onnx(graph, {.matmul_nbits = true});
  ASSERT_FALSE(bytes.ok());
  EXPECT_NE(to_string(bytes.diagnostics()).find("no product has weights in blocks of 4 or 8 bits"), std::string::npos);
}

}  // namespace
}  // namespace lapis
