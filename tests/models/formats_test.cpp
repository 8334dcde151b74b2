// The same network in several formats becomes the same integer network: as many integer products, no more in float, and
// nothing that only turns axes inside, so that it is as fast from each of them.
#include <gtest/gtest.h>

#include "driver/runner.h"
#include "ir/ops/ops.h"
#include "passes/pipeline.h"
#include "passes/quantize/quantize.h"
#include "tests/models/drawn.h"
#include "tests/sanitized.h"

namespace lapis {
namespace {

const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo";

struct Network {
  std::string name;
  std::vector<std::string> files;  // first the one that others are compared with
  // Sounds become spectra in float, and the converter that wrote its ONNX has left transposes.
  bool is_all_integer = true;
};

void PrintTo(const Network& network, std::ostream* out) { *out << network.name; }

struct Counts {
  int integer_products = 0, float_products = 0, transposes_inside = 0;
};

bool is_integer_product(const Node& node) {
  return node.is(ops::QLinearConv) || node.is(ops::QLinearMatMul) || node.is(ops::ConvInteger) ||
         node.is(ops::MatMulInteger);
}
bool is_float_product(const Node& node) {
  return node.is(ops::Conv) || node.is(ops::MatMul) || node.is(ops::Gemm) || node.is(ops::ConvTranspose);
}

// Of what touches an input or output of the model or one Q/DQ away from it, the caller's order of axes is the reason.
bool is_at_edge(const Node& transpose) {
  const Value* before = transpose.input(0);
  const Value* after = transpose.output();
  if (before->producer() && before->producer()->inputs().size() > 1) before = before->producer()->input(0);
  return before->is_input() || after->is_graph_output();
}

Counts counts_of(const Graph& graph) {
  Counts counts;
  for (const Node* node : graph.nodes()) {
    counts.integer_products += is_integer_product(*node);
    counts.float_products += is_float_product(*node);
    counts.transposes_inside += node->is(ops::Transpose) && !is_at_edge(*node);
  }
  return counts;
}

Counts quantized_counts(const Path& file) {
  auto graph = load_model(file);
  EXPECT_TRUE(graph.ok()) << file << to_string(graph.diagnostics());
  PassRunnerOptions options;
  PassContext context;
  use_onnx_writers(options);
  EXPECT_TRUE(PassRunner(options).run(**graph, *parse_pipeline("simplify,expand"), context).ok());
  std::mt19937 random{1};
  const std::vector<Feeds> samples = {testing::drawn_feeds(**graph, random)};
  const auto report = quantize_static(**graph, *jit_evaluator(2), samples_of(samples));
  EXPECT_TRUE(report.ok()) << file << to_string(report.diagnostics());
  const auto prepared = run_passes(**graph, CompileOptions{});
  EXPECT_TRUE(prepared.ok()) << file << to_string(prepared.diagnostics());
  return counts_of(*prepared->graph);
}

class Formats : public ::testing::TestWithParam<Network> {};

TEST_P(Formats, BecomeTheSameIntegerNetwork) {
  if (testing::kSanitized) GTEST_SKIP() << "what is counted is the same with sanitizers";
  std::optional<Counts> first;
  for (const std::string& file : GetParam().files) {
    if (!std::filesystem::exists(kZoo / file)) GTEST_SKIP() << kZoo / file << " is not here";
    const Counts counts = quantized_counts(kZoo / file);
    if (!first) first = counts;
    EXPECT_GT(counts.integer_products, 0) << file;
    EXPECT_EQ(counts.integer_products, first->integer_products) << file;
    EXPECT_EQ(counts.float_products, GetParam().is_all_integer ? 0 : first->float_products) << file;
    EXPECT_LE(counts.transposes_inside, GetParam().is_all_integer ? 0 : first->transposes_inside) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, Formats,
    ::testing::Values(
        Network{"resnet20",
                {"resnet20-cifar10/resnet20.onnx", "resnet20-cifar10/resnet20.pt2", "resnet20-cifar10/resnet20.pt"}},
        Network{"efficientnet",
                {"efficientnet-lite0/efficientnet-lite0.onnx", "efficientnet-lite0/efficientnet-lite0.pt2",
                 "efficientnet-lite0/efficientnet-lite0.pt"}},
        Network{"resnet8", {"resnet8-mlperf-tiny/resnet8_fp32.tflite", "resnet8-mlperf-tiny/resnet8.h5"}},
        Network{"basic_pitch", {"basic-pitch/nmp.onnx", "basic-pitch/saved_model", "basic-pitch/nmp.tflite"}, false}),
    [](const auto& info) { return info.param.name; });

// Ranges that training has found need no data.
struct Trained {
  const char *file, *output;
};

TEST(TrainedForInt8, ProductsAreOfIntegersWithoutCalibration) {
  constexpr Trained kModels[] = {{"pytorch/quantized_qat.pt", ""},
                                 {"pytorch/quantized_trained.pt", ""},
                                 {"pytorch/quantized.pt2", ""},
                                 {"tensorflow/cases.pb", "trained_for_int8/y0"}};
  for (const Trained& model : kModels) {
    ImportOptions part;
    if (*model.output) part.outputs = {model.output};
    auto graph = import_model(Path(LAPIS_SOURCE_DIR) / "tests/frontends" / model.file, part);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    ASSERT_TRUE(bind_model(**graph, {}).ok()) << model.file;
    const auto prepared = run_passes(**graph, CompileOptions{});
    ASSERT_TRUE(prepared.ok()) << to_string(prepared.diagnostics());
    const Counts counts = counts_of(*prepared->graph);
    EXPECT_GT(counts.integer_products, 0) << model.file;
    EXPECT_EQ(counts.float_products, 0) << model.file;
  }
}

}  // namespace
}  // namespace lapis
