// Trained models of ../shared/zoo: fp32 gives the recorded outputs,
// int8 the reference evaluator's bytes on every target.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "driver/runner.h"
#include "passes/pipeline.h"
#include "passes/quantize/quantize.h"
#include "tests/driver/compare.h"
#include "tests/models/drawn.h"
#include "tests/models/exact.h"
#include "tests/models/recorded.h"
#include "tests/sanitized.h"

namespace lapis {
namespace {

using testing::drawn, testing::drawn_feeds, testing::load;

const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo";
constexpr double kTolerance = 1e-4;

Path dataset_file(const std::string& model) { return Path(LAPIS_SOURCE_DIR) / "benchmarks/zoo" / (model + ".yaml"); }

// EfficientNet's recorded crops are pixels: (x - 127) / 128, channels first.
Tensor normalized(const Tensor& pixels) {
  Tensor result(DType::Float32, {1, 3, pixels.dim(1), pixels.dim(2)});
  const int64_t area = pixels.dim(1) * pixels.dim(2);
  for (int64_t p = 0; p < area; ++p)
    for (int64_t c = 0; c < 3; ++c)
      result.mutable_data<float>()[static_cast<size_t>(c * area + p)] =
          (static_cast<float>(pixels.data<uint8_t>()[static_cast<size_t>(p * 3 + c)]) - 127) / 128;
  return result;
}

void expect_recorded(Runner& runner, const std::vector<Tensor>& inputs, size_t output, const Tensor& recorded) {
  const auto got = runner.run(inputs);
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  EXPECT_LE(testing::relative_error((*got)[output], recorded), kTolerance);
}

std::vector<Feeds> samples(const Dataset& whole, int64_t count) {
  const Dataset some = whole.limited_to(count);
  std::vector<Feeds> feeds;
  for (int64_t i = 0; i < some.size(); ++i) feeds.push_back(*some.sample(i));
  return feeds;
}

std::unique_ptr<Graph> quantized(const Path& model, const Dataset& data) {
  auto graph = load_model(model);
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  PassRunnerOptions run;
  PassContext context;
  use_onnx_writers(run);
  EXPECT_TRUE(PassRunner(run).run(**graph, *parse_pipeline("simplify"), context).ok());
  const auto report = quantize_static(**graph, *jit_evaluator(2), samples_of(samples(data, 50)));
  EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
  return *std::move(graph);
}

// The first samples as they are.
void expect_reference_bytes(const Graph& graph, const Dataset& data, int64_t count) {
  const auto reference = open_graph(graph, {.backend = Backend::ReferenceAfterPasses});
  ASSERT_TRUE(reference.ok()) << to_string(reference.diagnostics());
  std::vector<std::vector<Tensor>> runs;
  for (const Feeds& feeds : samples(data, count)) runs.push_back(*ordered(feeds, (*reference)->inputs()));
  testing::expect_reference_bytes(graph, runs);
}

#define SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is not here"

TEST(EfficientNetLite0, FloatGivesTheRecordedLogits) {
  const Path folder = kZoo / "efficientnet-lite0";
  SKIP_WITHOUT(folder);
  const auto runner = open_model(folder / "efficientnet-lite0.onnx", {.threads = 2});
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const Tensor pixels = load(folder / "ref/input_u8_nhwc.npy"), recorded = load(folder / "ref/output.npy");
  for (int64_t i = 0; i < pixels.dim(0); ++i)
    expect_recorded(**runner, {normalized(row(pixels, i))}, 0, row(recorded, i));
}

TEST(EfficientNetLite0, IntegersAreTheReferencesBytes) {
  if (testing::kSanitized) GTEST_SKIP() << "half a minute in code that ResNet20's test runs too";
  const Path model = kZoo / "efficientnet-lite0/efficientnet-lite0.onnx";
  SKIP_WITHOUT(model);
  const auto data = Dataset::load(dataset_file("efficientnet-lite0"));
  ASSERT_TRUE(data.ok()) << to_string(data.diagnostics());
  expect_reference_bytes(*quantized(model, *data), *data, 3);
}

TEST(ResNet20, FloatGivesTheRecordedLogits) {
  const Path folder = kZoo / "resnet20-cifar10";
  SKIP_WITHOUT(folder);
  const auto runner = open_model(folder / "resnet20.onnx", {.threads = 2});
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const Tensor images = load(folder / "ref/input.npy"), recorded = load(folder / "ref/output.npy");
  for (int64_t i = 0; i < images.dim(0); ++i) expect_recorded(**runner, {row(images, i)}, 0, row(recorded, i));
}

TEST(ResNet20, IntegersAreTheReferencesBytes) {
  const Path model = kZoo / "resnet20-cifar10/resnet20.onnx";
  SKIP_WITHOUT(model);
  const auto data = Dataset::load(dataset_file("resnet20-cifar10"));
  ASSERT_TRUE(data.ok()) << to_string(data.diagnostics());
  expect_reference_bytes(*quantized(model, *data), *data, 8);
}

TEST(MiniLm, FloatGivesTheRecordedEmbeddings) {
  const char* extra = std::getenv("LAPIS_ZOO_EXTRA");
  if (!extra) GTEST_SKIP() << "LAPIS_ZOO_EXTRA names no folder that ../shared/zoo/get.sh has filled";
  const Path model = Path(extra) / "minilm-l3/paraphrase-MiniLM-L3-v2.onnx";
  SKIP_WITHOUT(model);
  SKIP_WITHOUT(kZoo);
  const auto runner = open_model(
      model, {.model = {.dims = {}, .shapes = {{"input_ids", {1, 64}}, {"attention_mask", {1, 64}}}}, .threads = 2});
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const auto& outputs = (*runner)->outputs();
  const auto pooled = std::find_if(outputs.begin(), outputs.end(), [](const IoInfo& o) { return o.name == "461"; });
  ASSERT_NE(pooled, outputs.end());
  const Tensor ids = load(kZoo / "data-text/sts16_a_input_ids.npy");
  const Tensor mask = load(kZoo / "data-text/sts16_a_attention_mask.npy");
  const Tensor recorded = load(kZoo / "minilm-l3/ref/output_sts16_a.npy");
  for (int64_t i = 0; i < recorded.dim(0); ++i) {
    const auto inputs = ordered({{"input_ids", row(ids, i)}, {"attention_mask", row(mask, i)}}, (*runner)->inputs());
    ASSERT_TRUE(inputs.ok()) << to_string(inputs.diagnostics());
    expect_recorded(**runner, *inputs, static_cast<size_t>(pooled - outputs.begin()), row(recorded, i));
  }
}

// ---- the exact part of every other model ----------------------------------------------------------------------------

struct ZooModel {
  const char* file;
  ModelOptions shapes = {};
  bool is_quantized = false;
};

void PrintTo(const ZooModel& model, std::ostream* out) { *out << model.file; }

class ExactPart : public ::testing::TestWithParam<ZooModel> {};

TEST_P(ExactPart, IsTheReferencesBytes) {
  const char* extra = std::getenv("LAPIS_ZOO_EXTRA");
  Path file = kZoo / GetParam().file;
  if (!std::filesystem::exists(file) && extra) file = Path(extra) / GetParam().file;
  SKIP_WITHOUT(file);
  auto graph = load_model(file, GetParam().shapes);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  std::mt19937 random(1);
  std::vector<Feeds> calibration;
  for (int i = 0; i < 3; ++i) calibration.push_back(drawn_feeds(**graph, random));
  PassRunnerOptions run;
  PassContext context;
  use_onnx_writers(run);
  ASSERT_TRUE(PassRunner(run).run(**graph, *parse_pipeline("simplify"), context).ok());
  if (!GetParam().is_quantized) {
    const auto report = quantize_static(**graph, *jit_evaluator(2), samples_of(calibration));
    ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  }
  const auto prepared = run_passes(**graph);
  ASSERT_TRUE(prepared.ok()) << to_string(prepared.diagnostics());
  const std::unique_ptr<Graph> exact = testing::exact_part(*prepared->graph);
  std::vector<Tensor> inputs;
  for (const Value* v : exact->inputs()) inputs.push_back(drawn(v->dtype(), v->type().shape(), random));
  testing::expect_reference_bytes(*exact, {inputs});
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, ExactPart,
    ::testing::Values(ZooModel{"basic-pitch/nmp.onnx", {}}, ZooModel{"magika/model.onnx", {}},
                      ZooModel{"ncf-movielens/gmf.onnx", {}}, ZooModel{"ncf-movielens/mlp.onnx", {}},
                      ZooModel{"ppocr-v4-det/det.onnx", {.shapes = {{"x", {1, 3, 96, 128}}}}},
                      ZooModel{"ppocr-v4-rec/rec.onnx", {.shapes = {{"x", {1, 3, 48, 96}}}}},
                      ZooModel{"resnet8-mlperf-tiny/resnet8_fp32.tflite", {}},
                      ZooModel{.file = "resnet8-mlperf-tiny/resnet8_int8.tflite", .is_quantized = true},
                      ZooModel{"minilm-l3/paraphrase-MiniLM-L3-v2.onnx",
                               {.shapes = {{"input_ids", {1, 64}}, {"attention_mask", {1, 64}}}}}),
    [](const auto& info) {
      std::string name = Path(info.param.file).parent_path().filename().string() + std::to_string(info.index);
      std::ranges::replace(name, '-', '_');
      return name;
    });

}  // namespace
}  // namespace lapis
