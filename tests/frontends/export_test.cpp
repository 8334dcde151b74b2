#include "frontends/onnx/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <filesystem>

#include "frontends/onnx/import.h"
#include "ir/op.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using testing::HasSubstr;

std::unique_ptr<Graph> import_bytes(const std::string& bytes) {
  auto graph = import_onnx(std::as_bytes(std::span(bytes)), "bytes");
  if (graph.ok()) return *std::move(graph);
  ADD_FAILURE() << to_string(graph.diagnostics());
  return nullptr;
}

void expect_round_trip(const Graph& graph) {
  const auto bytes = export_onnx(graph);
  ASSERT_TRUE(bytes.ok()) << to_string(bytes.diagnostics());
  const auto again = import_bytes(*bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(difference(graph, *again), "");
  EXPECT_EQ(*export_onnx(*again), *bytes);
}

void expect_text_round_trip(const Graph& graph) {
  const std::string text = to_onnx_text(graph);
  const auto again = parse_onnx_text(text, "text");
  ASSERT_TRUE(again.ok()) << to_string(again.diagnostics()) << text;
  EXPECT_EQ(difference(graph, **again), "") << text;
}

constexpr std::string_view kBodies[] = {
    "(float[N,8] x) => (float[N,8] y) { [first] a = Relu(x)  y = Add(a, x) }",
    "(float[1,2,5,5] x) => (float[1,3,5,5] y) <float[3,2,3,3] w = "
    "{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,"
    "41,42,43,44,45,46,47,48,49,50,51,52,53}, float[3] b = {0.1, -inf, 1e-30}>"
    " { y = Conv<pads = [1,1,1,1], auto_pad = \"NOTSET\">(x, w, b) }",
    "(float[2,3] x) => (float[2,3] y) { y = Clip(x, , high)  high = Constant<value_float = 6.0>() }",
    "(bool c, float[2] x) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] p) { p = Neg(x) }, else_branch "
    "= e () => (float[2] q) { r = Abs(x) q = Relu(r) }> }",
    "(float[4] x, int64 n) => (float[4] y, float[M,4] all) <bool yes = {1}> { y, all = Loop(n, yes, x) <body = b "
    "(int64 i, bool c, float[4] s) => (bool c2, float[4] s2, float[4] o)"
    " { c2 = Identity(c) s2 = Add(s, x) o = Neg(s2) }> }",
    "(float[2] x) => (float[2] y) <int8[2] q = {-3, 127}, float16[1] h = {15360}, bfloat16[1] t = {16256}, bool[2] f = "
    "{1, 0}, uint64[1] u = {18446744073709551615}, double[1] d = {0.1}>"
    " { a = Cast<to = 1>(q) b = Cast<to = 1>(h) c = Cast<to = 1>(t) e = Cast<to = 1>(f) g = Cast<to = 1>(u) i = "
    "Cast<to = 1>(d) y = Sum(x, a, b, c, e, g, i) }",
    "(float[\"strange name\"] \"in/put:0\") => (float[\"strange name\"] \"out put\") { \"out put\" = "
    "Relu(\"in/put:0\") }",
    "(float[6] x) => (float[2] y, float[4] z) <int64[2] s = {2, 4}> { y, z = Split<axis = 0>(x, s) }",
};

TEST(Export, ImportGivesTheGraphBack) {
  for (const std::string_view body : kBodies) {
    SCOPED_TRACE(body);
    const auto graph = graph_of(body);
    ASSERT_TRUE(graph);
    expect_round_trip(*graph);
    expect_text_round_trip(*graph);
  }
}

// Absent operands that the schema counts are written as "".
constexpr std::string_view kAbsentOperands[] = {
    "() => (int64[N] y) <int64 n = {4}> { y = Loop(n, \"\") <body = b (int64 i, bool c) => (bool c2, int64 o) { c2 = "
    "Identity(c) o = Identity(i) }> }",
    "(float[3] x) => (float[3] y) <int64 n = {3}> { y = Loop(n, , x) <body = b (int64 i, bool c, float[3] s) => (bool "
    "c2, "
    "float[3] t) { c2 = Identity(c) t = Add(s, s) }> }",
    "(bool go) => (int64[N] y) { y = Loop(\"\", go) <body = b (int64 i, bool c) => (bool c2, int64 o) { c2 = "
    "Not(c) o = Identity(i) }> }",
    "(float[2] x) => (float[2] y) { y = Clip(x, , ) }",
    "(float[1,1,4] x) => (float[1,1,8] y) <float[3] s = {1,1,2}> { y = Resize(x, , s) }",
    "(float[4,2] q) => (float[4,2] y) { y = Scan<num_scan_inputs = 1, body = b (float[2] a) => (float[2] r) { r = "
    "Neg(a) "
    "}>(q) }",
};

TEST(Export, WhatIsWrittenPassesTheChecker) {
  std::vector<std::string_view> bodies(std::begin(kBodies), std::end(kBodies));
  bodies.insert(bodies.end(), std::begin(kAbsentOperands), std::end(kAbsentOperands));
  for (const std::string_view body : bodies) {
    SCOPED_TRACE(body);
    const auto graph = graph_of(body);
    ASSERT_TRUE(graph);
    expect_round_trip(*graph);
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(*export_onnx(*graph)));
    try {
      onnx::checker::check_model(model, true);
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
  }
}

TEST(Export, MetadataSurvive) {
  const auto graph = graph_of("(float[2] x) => (float[2] y) { y = Relu(x) }");
  ASSERT_TRUE(graph);
  graph->metadata()["author"] = "someone \"quoted\"";
  expect_round_trip(*graph);
  expect_text_round_trip(*graph);
}

TEST(Export, NodeNamesAreMadeUnique) {
  const auto graph = graph_of("(float[2] x) => (float[2] y) { [n] a = Relu(x) [m] b = Neg(a) y = Abs(b) }");
  ASSERT_TRUE(graph);
  for (Node* node : graph->nodes()) node->set_name("n");
  onnx::ModelProto model;
  const auto bytes = export_onnx(*graph);
  ASSERT_TRUE(bytes.ok() && model.ParseFromString(*bytes));
  EXPECT_EQ(model.graph().node(0).name(), "n");
  EXPECT_EQ(model.graph().node(1).name(), "n_1");
  EXPECT_EQ(model.graph().node(2).name(), "n_2");
}

TEST(Export, PackedConstantsKeepTheirBits) {
  Graph graph("g");
  Tensor packed(DType::Int4, {3});
  packed.mutable_raw()[0] = std::byte{0x71};
  packed.mutable_raw()[1] = std::byte{0x0F};
  Value* scale = graph.add_constant(Tensor::scalar(0.5f), "scale");
  Node* node = graph.add_node(*find_op("DequantizeLinear"), {graph.add_constant(packed, "w"), scale}, {}, {"y"});
  node->output()->set_type(Type::tensor(DType::Float32, Shape{3}));
  graph.set_outputs({node->output()});
  const auto bytes = export_onnx(graph);
  ASSERT_TRUE(bytes.ok());
  const auto again = import_bytes(*bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->constants()[1]->constant(), packed);
  EXPECT_EQ(lowest_opset(graph), 21);
  EXPECT_THAT(to_onnx_text(graph), HasSubstr("int4[3]"));
}

TEST(Export, WeightsGoBesideTheModelWhenTheyAreLarge) {
  const Path folder = std::filesystem::temp_directory_path() / ("lapis_export_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  Graph graph("g");
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{1000}));
  Value* a = graph.add_constant(Tensor::vector(std::vector<float>(1000, 1.5f)), "a");
  Value* b = graph.add_constant(Tensor::vector(std::vector<float>(1000, -2.5f)), "b");
  Value* c = graph.add_constant(Tensor::scalar(3.0f), "c");
  Value* last = x;
  for (Value* constant : {a, b, c}) {
    last = graph.add_node(*find_op("Add"), {last, constant})->output();
    last->set_type(Type::tensor(DType::Float32, Shape{1000}));
  }
  graph.set_outputs({last});
  ASSERT_TRUE(export_onnx(graph, folder / "m.onnx", {.largest_single_file = 5000}).ok());
  EXPECT_EQ(std::filesystem::file_size(folder / "m.onnx.data"), 4032u + 4000u);
  EXPECT_LT(std::filesystem::file_size(folder / "m.onnx"), 1000u);
  const auto again = import_onnx(folder / "m.onnx");
  ASSERT_TRUE(again.ok()) << to_string(again.diagnostics());
  EXPECT_EQ(difference(graph, **again), "");
  // Writing over the files that the graph's constants are mapped from must not change them.
  ASSERT_TRUE(export_onnx(**again, folder / "m.onnx", {.largest_single_file = 5000}).ok());
  EXPECT_EQ(difference(graph, **again), "");
  std::filesystem::remove_all(folder);
}

// Large constants do not go through the message, but nobody sees that; those of bodies do.
TEST(Export, FilesHaveTheBytesOfTheMessage) {
  const auto graph = graph_of(
      "(bool c, float[300] x) => (float[300] z) { "
      "y = If(c) <then_branch = a () => (float[300] u) { u = Relu(x) }, else_branch = b () => (float[300] v) { v = "
      "Neg(x) }> z = Add(y, x) }");
  Node* choice = *graph->nodes().begin();
  Node* relu = *choice->subgraphs()[0]->nodes().begin();
  relu->set_input(0, choice->subgraphs()[0]->add_constant(Tensor::vector(std::vector<float>(300, 2.5f)), "w"));
  Node* sum = graph->outputs()[0]->producer();
  sum->set_input(1, graph->add_constant(Tensor::vector(std::vector<float>(300, 1.5f)), "s"));
  const Path file = std::filesystem::temp_directory_path() / ("lapis_export_bytes_" + std::to_string(::getpid()));
  ASSERT_TRUE(export_onnx(*graph, file).ok());
  const auto written = read_file(file), message = export_onnx(*graph);
  ASSERT_TRUE(written.ok() && message.ok());
  EXPECT_TRUE(*written == *message);
  std::filesystem::remove(file);
}

TEST(Export, FailureNamesTheFile) {
  const auto graph = graph_of("(float[2] x) => (float[2] y) { y = Relu(x) }");
  const Status status = export_onnx(*graph, "/nonexistent/folder/m.onnx");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(to_string(status.diagnostics()), HasSubstr("/nonexistent/folder/m.onnx"));
}

struct OpsetCase {
  std::string_view body;
  int lowest;
};
class LowestOpset : public testing::TestWithParam<OpsetCase> {};

TEST_P(LowestOpset, IsTheOldestThatMeansTheSame) {
  const auto graph = graph_of(GetParam().body);
  ASSERT_TRUE(graph);
  EXPECT_EQ(lowest_opset(*graph), GetParam().lowest);
  expect_round_trip(*graph);
}

INSTANTIATE_TEST_SUITE_P(
    Operators, LowestOpset,
    testing::Values(
        OpsetCase{"(float[2] x) => (float[2] y) { y = Relu(x) }", 13},
        OpsetCase{"(float[2,3] x) => (float[2,3] y) { y = Softmax<axis = 1>(x) }", 13},
        OpsetCase{"(float[2,3] x) => (float[2,1] y) <int64[1] a = {1}> { y = ReduceSum(x, a) }", 13},
        OpsetCase{"(float[2,3] x) => (float[2,1] y) <int64[1] a = {1}> { y = ReduceMean(x, a) }", 18},
        OpsetCase{"(float[2,3] x) => (float[1,1] y) { y = ReduceMean(x) }", 13},
        OpsetCase{"(float[2,3] x) => (float[2,3] y) { y = Gelu(x) }", 20},
        OpsetCase{"(float[2,3] x) => (float[4,3] y) <int64[4] p = {1,0,1,0}> { y = Pad(x, p) }", 13},
        OpsetCase{"(float[2,3] x) => (float[4,3] y) <int64[4] p = {1,0,1,0}> { y = Pad<mode = \"wrap\">(x, p) }", 19},
        OpsetCase{"(float[1,1,5,5] x) => (float[1,1,3,3] y) { y = MaxPool<kernel_shape = [2,3], strides = [2,2], "
                  "pads = [1,1,1,1], ceil_mode = 1>(x) }",
                  22},
        OpsetCase{"(float[1,1,5,5] x) => (float[1,1,3,3] y) { y = AveragePool<kernel_shape = [2,3], strides = [2,2], "
                  "pads = [1,1,1,1], ceil_mode = 1>(x) }",
                  22},
        OpsetCase{"(float[1,1,6,6] x) => (float[1,1,3,3] y) { y = MaxPool<kernel_shape = [3,3], strides = [2,2], "
                  "ceil_mode = 1>(x) }",
                  13},
        OpsetCase{"(float16[2] x, float16 s) => (uint8[2] y) { y = QuantizeLinear(x, s) }", 23},
        OpsetCase{"(float16[2] x, float16 s) => (uint8[2] y) { y = QuantizeLinear<precision = 1>(x, s) }", 23},
        OpsetCase{"(bfloat16[2] x) => (bfloat16[2] y) { y = LeakyRelu(x) }", 16},
        OpsetCase{"(float[6] x) => (float[3] y, float[3] z) { y, z = Split<num_outputs = 2>(x) }", 18},
        OpsetCase{"(bool c, float[2] x) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] p) { p = Gelu(x) "
                  "}, else_branch = e () => (float[2] q) { q = Relu(x) }> }",
                  20}));

TEST(Text, LargeConstantsCanBeLeftOut) {
  const auto graph = graph_of("(float[2] x) => (float[2] y) <float[2] w = {1.25, 2}> { y = Add(x, w) }");
  ASSERT_TRUE(graph);
  EXPECT_THAT(to_onnx_text(*graph), HasSubstr("1.25"));
  EXPECT_THAT(to_onnx_text(*graph, {.largest_constant = 1}), HasSubstr("2 elements"));
  EXPECT_THAT(to_onnx_text(*graph, {.largest_constant = 1}), testing::Not(HasSubstr("1.25")));
}

TEST(Text, CanonicalNamesMakeEqualGraphsEqualText) {
  const auto a = graph_of(
      "(float[2] x) => (float[2] y) <float u = {9}, float k = {1}, float l = {2}> { p = Mul(x, k) q = Add(p, l) y = "
      "Relu(q) }");
  const auto b = graph_of(
      "(float[2] x) => (float[2] y) <float l = {2}, float k = {1}> { [n1] r = Mul(x, k) [n2] s = Add(r, l) y = Relu(s) "
      "}");
  const auto c = graph_of(
      "(float[2] x) => (float[2] y) <float l = {2}, float k = {1}> { r = Mul(x, l) s = Add(r, k) y = Relu(s) }");
  ASSERT_TRUE(a && b && c);
  const TextOptions options{.canonical_names = true};
  EXPECT_EQ(to_onnx_text(*a, options), to_onnx_text(*b, options));
  EXPECT_NE(to_onnx_text(*a, options), to_onnx_text(*c, options));
  EXPECT_TRUE(parse_onnx_text(to_onnx_text(*a, options), "canonical").ok());
}

TEST(Text, ValueTypesOnRequest) {
  const auto graph = graph_of("(float[N] x) => (float[N] y) { a = Relu(x) y = Neg(a) }");
  EXPECT_THAT(to_onnx_text(*graph, {.value_types = true}), HasSubstr("float[N] a"));
  EXPECT_THAT(to_onnx_text(*graph), testing::Not(HasSubstr("float[N] a")));
}

}  // namespace
}  // namespace lapis
