#include "frontends/onnx/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "frontends/onnx/export.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "ir/verify.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// ---- structure ------------------------------------------------------------------------------------------------------

TEST(Import, KeepsNamesTypesAndMetadata) {
  auto graph = parse_onnx_text(R"(<ir_version: 8, opset_import: ["" : 17], metadata_props: ["author": "me"]>
    net (float[N,8] x) => (float[N,8] y) <float[8] b = {0,1,2,3,4,5,6,7}> { [plus] s = Add(x, b) [act] y = Relu(s) })",
                               "m");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->name(), "net");
  EXPECT_EQ((*graph)->metadata().at("author"), "me");
  EXPECT_EQ((*graph)->inputs()[0]->type().to_string(), "float[N,8]");
  const Value* y = (*graph)->outputs()[0];
  EXPECT_EQ(y->name(), "y");
  EXPECT_EQ(y->type().to_string(), "float[N,8]");
  EXPECT_EQ(y->producer()->name(), "act");
  EXPECT_EQ(y->producer()->input(0)->name(), "s");
  EXPECT_EQ(y->producer()->input(0)->producer()->input(1)->constant(), Tensor::vector<float>({0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Import, InputsWithAnInitializerAreConstants) {
  const auto graph = graph_of("(float[2] x, float[2] w = {1, 2}) => (float[2] y) { y = Add(x, w) }", 8);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->inputs().size(), 1u);
  EXPECT_TRUE(graph->outputs()[0]->producer()->input(1)->is_constant());
}

TEST(Import, ConstantNodesBecomeValuesAndUnusedOnesGo) {
  const auto graph = graph_of(
      "(float[2] x) => (float[2] y) <float unused = {1}> { c = Constant<value_floats = [1.0, 2.0]>() y = Add(x, c) }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(operators_of(*graph), "Add");
  EXPECT_EQ(graph->constants().size(), 1u);
  EXPECT_EQ(graph->constants()[0]->constant(), Tensor::vector<float>({1, 2}));
}

TEST(Import, AbsentInputsAreNull) {
  const auto graph = graph_of("(float[2] x) => (float[2] y) <float six = {6}> { y = Clip(x, \"\", six) }");
  ASSERT_TRUE(graph);
  const Node* clip = graph->outputs()[0]->producer();
  EXPECT_EQ(clip->input(1), nullptr);
  EXPECT_EQ(clip->input(2)->name(), "six");
}

TEST(Import, NodesInAnyOrderAreSorted) {
  const auto graph = graph_of("(float[2] x) => (float[2] y) { y = Neg(b) b = Relu(a) a = Abs(x) }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(operators_of(*graph), "Abs, Relu, Neg");
}

TEST(Import, NodeNamesAreMadeUnique) {
  const auto graph = graph_of("(float[2] x) => (float[2] y) { [n] a = Relu(x) [n] y = Neg(a) }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->outputs()[0]->producer()->name(), "n_1");
}

TEST(Import, SubgraphsCaptureValues) {
  const auto graph = graph_of(
      "(bool c, float[2] x) => (float[2] y) { z = Exp(x) y = If(c) <then_branch = t () => (float[2] p) { p = Neg(z) }, "
      "else_branch = e () => (float[2] z) { }> }");
  ASSERT_TRUE(graph);
  const Value* z = graph->find_value("z");
  const std::vector<Graph*> branches = graph->outputs()[0]->producer()->subgraphs();
  ASSERT_EQ(branches.size(), 2u);
  EXPECT_EQ(operators_of(*branches[0]), "Identity") << "an outer value as a branch's output is copied into the branch";
  EXPECT_EQ(branches[0]->outputs()[0]->producer()->input(0), z);
  EXPECT_EQ(branches[1]->outputs()[0]->producer()->input(0), z);
  EXPECT_TRUE(verify(*graph).empty());
}

TEST(Import, SiblingSubgraphsMayUseOneNameTwice) {
  const auto graph = graph_of(
      "(bool c, float[2] x) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] y) { y = Neg(x) }, "
      "else_branch = e () => (float[2] y) { y = Abs(x) }> }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->outputs()[0]->name(), "y");
  EXPECT_TRUE(verify(*graph).empty());
}

TEST(Import, UnknownDimensionsOfInputsGetNames) {
  const auto graph = graph_of("(float[?,3] x) => (float[?,3] y) { y = Relu(x) }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->outputs()[0]->type().to_string(), "float[x_dim0,3]");
}

TEST(Import, DimensionsCanBeBound) {
  const std::string text =
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[N,8] x) => (float[N,8] y) { y = Relu(x) }";
  auto graph = parse_onnx_text(text, "m", {.dims = {{"N", 4}}});
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->outputs()[0]->type().to_string(), "float[4,8]");
  graph = parse_onnx_text(text, "m", {.dims = {{"batch", 4}}});
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(to_string(graph.diagnostics()),
              AllOf(HasSubstr("no symbolic dimension 'batch'"), HasSubstr("it has: N")));
}

TEST(Import, DimensionsNamedByDigitsAreNoNumbers) {
  const auto graph =
      graph_of("(float[\"0\",\"17\",2] x) => (float[\"17\",\"0\",2] y) { y = Transpose<perm = [1,0,2]>(x) }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->inputs()[0]->type().to_string(), "float[_0,_17,2]");
  EXPECT_EQ(graph->outputs()[0]->type().to_string(), "float[_17,_0,2]");
}

TEST(Import, StaleValueInfoLosesAgainstInference) {
  const auto graph = graph_of("(float[N,8] x) => (float[1,8] y) <float[1,7] a> { a = Relu(x) y = Neg(a) }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->outputs()[0]->type().to_string(), "float[N,8]");
}

// Where the shape is computed, a declaration may help, but not one that the operator cannot keep.
TEST(Import, StaleShapesOfComputedShapesAreIgnored) {
  const std::pair<const char*, const char*> cases[] = {
      {"(float[2,4] x, int64[2] s) => (float[2,3] y) { y = Reshape(x, s) }", "float[?,?]"},
      {"(float[2,4] x, int64[2] s) => (float[4,2] y) { y = Reshape(x, s) }", "float[4,2]"},
      {"(float[2,4] x, int64[2] s) => (float[2,3] y) { y = Expand(x, s) }", "float[?,?]"},
      {"(float[2,1] x, int64[2] s) => (float[2,3] y) { y = Expand(x, s) }", "float[2,3]"},
  };
  for (const auto& [body, wanted] : cases) {
    const auto graph = graph_of(body);
    ASSERT_TRUE(graph) << body;
    EXPECT_EQ(graph->outputs()[0]->type().to_string(), wanted) << body;
  }
}

TEST(Import, DeclaredElementTypeMustFit) {
  EXPECT_THAT(errors_of("(float[2] x) => (int64[2] y) { y = Relu(x) }"),
              HasSubstr("declared as int64[2] but is float[2]"));
}

// ---- functions ------------------------------------------------------------------------------------------------------

TEST(Import, ModelFunctionsAreExpandedAtTheirOwnOpset) {
  auto graph = parse_onnx_text(R"(<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[2,3] x) => (float[2] y) { y = local.twice <k = 2.0> (x) }
    <domain: "local", opset_import: ["" : 12]>
    twice <k> (a) => (c) { f = Constant<value_float: float = @k>() b = Mul(a, f) d = ReduceSum<axes = [1]>(b) c = Squeeze<axes = [1]>(d) })",
                               "m");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ(operators_of(**graph), "Mul, ReduceSum, Squeeze");
  EXPECT_EQ((*graph)->outputs()[0]->name(), "y");
  EXPECT_EQ((*graph)->outputs()[0]->type().to_string(), "float[2]");
  EXPECT_EQ((*graph)->outputs()[0]->producer()->origin(), "y") << "made from the node that called the function";
}

TEST(Import, FunctionsThatCallThemselvesAreRefused) {
  const std::string_view kBodies[] = {
      "f (a) => (c) { b = local.f(a) c = local.f(b) }",
      R"(f (a) => (c) { c = local.g(a) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]> g (a) => (c) { b = Relu(a) c = local.f(b) })",
  };
  for (std::string_view bodies : kBodies) {
    auto graph = parse_onnx_text(R"(<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[2] x) => (float[2] y) { y = local.f(x) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]>
    )" + std::string(bodies),
                                 "m");
    ASSERT_FALSE(graph.ok());
    EXPECT_THAT(to_string(graph.diagnostics()), HasSubstr("the function 'f' calls itself"));
  }
}

TEST(Import, OperatorsWithoutARecordAreExpandedByTheirDefinition) {
  const std::pair<std::string_view, std::string_view> kBodies[] = {
      {"(float[2,3] x) => (float[2,3] y) { y = MeanVarianceNormalization<axes = [1]>(x) }", "float[2,3]"},
      {"(float[2,3] x) => (float[2,3] y) { y = Shrink<lambd = 0.5>(x) }", "float[2,3]"},
      // These definitions depend on the types and the presence of the operands.
      {"(float[3,5] x, int64[3] l) => (float y) { y = SoftmaxCrossEntropyLoss<reduction = \"mean\">(x, l) }",
       "float[]"},
      {"(float[2,4,8,16] q, float[2,4,6,16] k) => (float[2,4,8,16] y) { y = Attention<is_causal = 1>(q, k, k) }",
       "float[2,4,8,16]"},
      {"(float[10,4] x) => (float[5,4] y) <int64[1] s = {5}> { y = CenterCropPad<axes = [0]>(x, s) }", "float[5,4]"}};
  for (const auto& [body, type] : kBodies) {
    const auto graph = graph_of(body);
    ASSERT_TRUE(graph) << body;
    EXPECT_EQ(graph->outputs()[0]->name(), "y");
    EXPECT_EQ(graph->outputs()[0]->type().to_string(), type);
    EXPECT_EQ(to_string(verify(*graph)), "") << body;
  }
}

// Its definition squeezes all axes of one element, where only one is meant.
TEST(Import, AffineGridsOfASingleImage) {
  const auto graph = parse_onnx_text(
      R"(<ir_version: 10, opset_import: ["" : 20]>
      g (float[1,2,3] theta) => (float[1,2,2,2] y) <int64[4] size = {1, 1, 2, 2}> { y = AffineGrid<align_corners = 1>(theta, size) })",
      "m");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto y = evaluate(**graph, {{"theta", Tensor::of<float>({1, 2, 3}, {1, 0, 5, 0, 1, 7})}});
  ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
  const auto grid = (*y)[0].data<float>();
  EXPECT_THAT(std::vector<float>(grid.begin(), grid.end()), testing::ElementsAre(4, 6, 6, 6, 4, 8, 6, 8));
}

// ---- tensors --------------------------------------------------------------------------------------------------------

class ImportFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A model whose constant of 4 floats lies in another file as the entries say.
  std::string import_external(const std::string& entries, const std::string& data = std::string(32, '\0')) {
    if (!write_file(folder_ / "w.bin", data).ok()) return "cannot write";
    const std::string text =
        "<ir_version: 8, opset_import: [\"\" : 17]> g (float[4] x) => (float[4] y) <float[4] w = [" + entries +
        "]> { y = Add(x, w) }";
    if (!write_file(folder_ / "m.onnxtxt", text).ok()) return "cannot write";
    auto graph = import_onnx(folder_ / "m.onnxtxt");
    if (!graph.ok()) return to_string(graph.diagnostics());
    imported_ = (*graph)->constants()[0]->constant();
    return "";
  }

  Path folder_ = std::filesystem::temp_directory_path() / ("lapis_import_test_" + std::to_string(::getpid()));
  Tensor imported_;
};

TEST_F(ImportFiles, ExternalDataIsRead) {
  std::string data(32, '\0');
  const float values[] = {1, 2, 3, 4};
  std::memcpy(data.data() + 8, values, sizeof values);
  EXPECT_EQ(import_external("\"location\": \"w.bin\", \"offset\": \"8\", \"length\": \"16\"", data), "");
  EXPECT_EQ(imported_, Tensor::vector<float>({1, 2, 3, 4}));
}

TEST_F(ImportFiles, ExternalDataStaysInItsFolderAndFile) {
  EXPECT_THAT(import_external("\"location\": \"../w.bin\""),
              AllOf(HasSubstr("m.onnxtxt: tensor 'w'"), HasSubstr("beside the model")));
  EXPECT_THAT(import_external("\"location\": \"sub/../../w.bin\""), HasSubstr("beside the model"));
  EXPECT_THAT(import_external("\"location\": \"/etc/hostname\""), HasSubstr("beside the model"));
  EXPECT_THAT(import_external("\"location\": \"\""), HasSubstr("beside the model"));
  EXPECT_THAT(import_external("\"location\": \"missing.bin\""),
              AllOf(HasSubstr("missing.bin"), HasSubstr("copy missing.bin beside the model")));
  EXPECT_THAT(import_external("\"location\": \"w.bin\", \"offset\": \"24\""), HasSubstr("has only 32"));
  EXPECT_THAT(import_external("\"location\": \"w.bin\", \"offset\": \"18446744073709551615\", \"length\": \"16\""),
              HasSubstr("has only 32"));
  EXPECT_THAT(import_external("\"location\": \"w.bin\", \"length\": \"12\""), HasSubstr("needs 16"));
  EXPECT_THAT(import_external("\"location\": \"w.bin\", \"offset\": \"-4\""), HasSubstr("not a number"));
}

TEST_F(ImportFiles, BadFilesAreNamed) {
  auto errors = [&](const std::string& bytes) {
    EXPECT_TRUE(write_file(folder_ / "bad.onnx", bytes).ok());
    const auto graph = import_onnx(folder_ / "bad.onnx");
    return graph.ok() ? std::string() : to_string(graph.diagnostics());
  };
  EXPECT_THAT(errors(""), AllOf(HasSubstr("bad.onnx"), HasSubstr("the file is empty")));
  EXPECT_THAT(errors("<html>not found</html>"), AllOf(HasSubstr("not an ONNX model"), HasSubstr("download page")));
  EXPECT_THAT(errors("PK\x03\x04zip"), HasSubstr("PyTorch"));
  EXPECT_THAT(errors("<ir_version: 8>"), HasSubstr(".onnxtxt"));
  EXPECT_THAT(errors(std::string(1000, '\xFF')), HasSubstr("not an ONNX model"));
  const auto missing = import_onnx(folder_ / "missing.onnx");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(to_string(missing.diagnostics()), HasSubstr("missing.onnx"));
  EXPECT_FALSE(import_onnx(folder_).ok());
}

TEST(Import, TensorSizesAreChecked) {
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) <float[3] w = {1, 2}> { y = Add(x, w) }"),
              HasSubstr("holds 2 values, but float[3] needs 3"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) <float[4611686018427387904,4] w = {1}> { y = Add(x, w) }"),
              HasSubstr("larger than any memory"));
}

// ---- what cannot be imported ----------------------------------------------------------------------------------------

TEST(Import, AllUnsupportedOperatorsAreListedAtOnce) {
  const std::string errors = errors_of(
      "(float[2] x) => (float[2] y) { [one] a = com.example.Foo(x) [two] b = com.example.Foo(a) c = "
      "com.microsoft.GroupQueryAttention(b) [det] d = Upsampler(c) y = Relu(d) }");
  EXPECT_THAT(errors, HasSubstr("operator com.example::Foo is not supported (2 nodes)"));
  EXPECT_THAT(errors, HasSubstr("at 'one', 'two'"));
  EXPECT_THAT(errors, AllOf(HasSubstr("operator com.microsoft::GroupQueryAttention is not supported (1 node)"),
                            HasSubstr("ONNX Runtime")));
  EXPECT_THAT(errors, AllOf(HasSubstr("operator Upsampler is not supported"), HasSubstr("no such operator")));
  EXPECT_THAT(errors, Not(HasSubstr("Relu")));
}

TEST(Import, UnsupportedOperatorsInBranchesAreListedToo) {
  const std::string errors = errors_of(
      "(float[2] x) => (float[2] y) { c = com.example.Foo(x) y = If(c) <then_branch = t () => (float[2] p) { p = "
      "com.example.Bar(x) }, else_branch = e () => (float[2] q) { q = Neg(x) }> }");
  EXPECT_THAT(errors, AllOf(HasSubstr("com.example::Foo"), HasSubstr("com.example::Bar")));
}

TEST(Import, BrokenNamesAreLocated) {
  EXPECT_THAT(
      errors_of("(float[2] x) => (float[2] y) { [r] y = Relu(missing) }"),
      AllOf(HasSubstr("test: node 'r' (Relu)"), HasSubstr("reads 'missing', which nothing in the model defines")));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] z) { y = Relu(x) }"), HasSubstr("output 'z'"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Relu(x) y = Neg(x) }"),
              HasSubstr("defines 'y', which is defined already"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] x) { x = Relu(x) }"),
              HasSubstr("defines 'x', which is defined already"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { a = Add(x, b) b = Relu(a) y = Neg(b) }"),
              AllOf(HasSubstr("in a circle"), HasSubstr("node 'a' (Add)")));
  EXPECT_THAT(errors_of("(float[2] x, float[2] x) => (float[2] y) { y = Relu(x) }"), HasSubstr("listed twice"));
}

TEST(Import, InvalidNodesAreLocated) {
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { [r] y = Relu(x, x) }"),
              AllOf(HasSubstr("node 'r' (Relu)"), HasSubstr("not valid ONNX")));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Relu<alpha = 2>(x) }"), HasSubstr("alpha"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Softmax<axis = \"last\">(x) }"),
              HasSubstr("Expected: 'INT'"));
  EXPECT_THAT(errors_of("(float[2] x, float[3] z) => (float[2] y) { [sum] y = Add(x, z) }"),
              AllOf(HasSubstr("test: node 'sum' (Add)"), HasSubstr("[3]")));
}

TEST(Import, VersionsAreChecked) {
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Relu(x) }", 0), HasSubstr("opset 0 is outside of 1 to 28"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Relu(x) }", 29),
              HasSubstr("opset 29 is outside of 1 to 28"));
  const auto ir = parse_onnx_text(
      "<ir_version: 99, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }", "m");
  ASSERT_FALSE(ir.ok());
  EXPECT_THAT(to_string(ir.diagnostics()), HasSubstr("IR version 99"));
  const auto no_opset =
      parse_onnx_text("<ir_version: 8, opset_import: []> g (float[2] x) => (float[2] y) { y = Relu(x) }", "m");
  ASSERT_FALSE(no_opset.ok());
}

TEST(Import, NewerOpsetsAreFineWhereNothingNewIsUsed) {
  EXPECT_TRUE(graph_of("(float[2] x) => (float[2] y) { y = Cast<to = 1>(x) }", 28));
  EXPECT_TRUE(graph_of("(int32[2] x) => (int32[2] y) { y = Mod(x, x) }", 28));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Mod(x, x) }", 28),
              AllOf(HasSubstr("opset 28"), HasSubstr("opset 25")));
}

TEST(Import, SyntaxErrorsSayWhere) {
  const auto graph = parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 17]>\ng (float[2] x) => (float[2] y) { y = }", "broken.onnxtxt");
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(to_string(graph.diagnostics()), AllOf(HasSubstr("broken.onnxtxt"), HasSubstr("line: 2")));
  const auto trailing = parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) } }", "m");
  EXPECT_FALSE(trailing.ok());
  EXPECT_FALSE(parse_onnx_text("<ir_version: 8> g (" + std::string(100000, '('), "m").ok());
}

}  // namespace
}  // namespace lapis
