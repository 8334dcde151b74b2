#include "tests/driver/example.h"

#include <gtest/gtest.h>

#include "driver/compile.h"
#include "frontends/onnx/import.h"
#include "passes/pipeline.h"
#include "passes/quantize/quantize.h"

namespace lapis::testing {
namespace {

// Rows of a uint8 .npy with a 128-byte header, as floats normalized like examples/fashion_mnist/eval.yaml says.
std::vector<Tensor> images_of(const std::string& file, int64_t count) {
  constexpr size_t kHeader = 128, kPixels = 784;
  const auto mapped = map_file(example_model().parent_path() / file);
  EXPECT_TRUE(mapped.ok());
  const auto total = static_cast<int64_t>((mapped->size - kHeader) / kPixels);
  std::vector<Tensor> images;
  for (int64_t i = 0; i < count; ++i) {
    const std::byte* pixels = mapped->data.get() + kHeader + kPixels * static_cast<size_t>(i * total / count);
    Tensor image(DType::Float32, {1, 1, 28, 28});
    for (size_t p = 0; p < kPixels; ++p)
      image.mutable_data<float>()[p] = (static_cast<float>(std::to_integer<int>(pixels[p])) / 255 - 0.2860F) / 0.3530F;
    images.push_back(std::move(image));
  }
  return images;
}

std::unique_ptr<Graph> quantize_example() {
  std::unique_ptr<Graph> graph = example_graph();
  PassRunnerOptions run;
  PassContext context;
  use_onnx_writers(run);
  EXPECT_TRUE(PassRunner(run).run(*graph, *parse_pipeline("simplify"), context).ok());
  std::vector<Feeds> samples;
  for (Tensor& image : images_of("calibration_images.npy", 20)) samples.push_back({{"image", std::move(image)}});
  const auto report = quantize_static(*graph, *jit_evaluator(), samples_of(std::move(samples)));
  EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
  return graph;
}

}  // namespace

Path example_model() { return Path(LAPIS_SOURCE_DIR) / "examples/fashion_mnist/fashion_mnist.onnx"; }

std::unique_ptr<Graph> example_graph() {
  auto graph = load_model(example_model());
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  return *std::move(graph);
}

const Graph& quantized_example() {
  static const std::unique_ptr<Graph> graph = quantize_example();
  return *graph;
}

std::vector<Tensor> example_images(int64_t count) { return images_of("test_images.npy", count); }

std::unique_ptr<Graph> graph_from_text(std::string_view body) {
  auto graph = parse_onnx_text("<ir_version: 10, opset_import: [\"\" : 22]> g " + std::string(body), "text");
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  if (graph.ok()) EXPECT_TRUE(bind_model(**graph, {}).ok());
  return graph.ok() ? *std::move(graph) : nullptr;
}

}  // namespace lapis::testing
