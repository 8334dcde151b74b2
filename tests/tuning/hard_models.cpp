#include "tests/tuning/hard_models.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "driver/runner.h"
#include "frontends/frontend.h"
#include "frontends/onnx/export.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "passes/pipeline.h"
#include "tuning/data/formats.h"
#include "tuning/data/npy.h"

namespace lapis::testing {
namespace {

Path example() { return Path(LAPIS_SOURCE_DIR) / "examples/fashion_mnist"; }

std::unique_ptr<HardModel> in_new_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "lapis_tune_XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  auto model = std::make_unique<HardModel>();
  model->folder = pattern;
  return model;
}

Tensor random_tensor(Shape shape, unsigned seed, float scale) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  Tensor t(DType::Float32, std::move(shape));
  for (float& v : t.mutable_data<float>()) v = normal(random);
  return t;
}

// Elements whose index along `axis` is below `count`, times `factor`.
Tensor scaled(Tensor t, int64_t axis, int64_t count, float factor) {
  const int64_t inner = row_major_strides(t.shape())[static_cast<size_t>(axis)], extent = t.dim(axis);
  const auto values = t.mutable_data<float>();
  for (size_t i = 0; i < values.size(); ++i)
    if (static_cast<int64_t>(i) / inner % extent < count) values[i] *= factor;
  return t;
}

Node* last_of(const Graph& graph, const OpDef& op) {
  Node* found = nullptr;
  for (Node* node : graph.nodes())
    if (node->is(op)) found = node;
  return found;
}

Value* added(Graph& graph, const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {},
             std::string name = "") {
  Node* node = graph.add_node(op, std::move(inputs), std::move(attributes), {name});
  if (!name.empty()) node->set_name(name);
  EXPECT_TRUE(infer_types(*node).ok());
  return node->output();
}

Value* conv(Graph& graph, Value* x, int64_t channels, float scale, float bias, unsigned seed, std::string name) {
  const int64_t in = x->type().dim(1).value();
  Tensor b(DType::Float32, {channels});
  for (float& v : b.mutable_data<float>()) v = bias;
  return added(
      graph, ops::Conv,
      {x, graph.add_constant(random_tensor({channels, in, 1, 1}, seed, scale)), graph.add_constant(std::move(b))}, {},
      std::move(name));
}

std::unique_ptr<Graph> detector_head() {
  auto graph = std::make_unique<Graph>("head");
  Value* x = graph->add_input("x", Type::tensor(DType::Float32, Shape{1, 4, 6, 6}));
  Value* trunk = added(*graph, ops::Relu, {conv(*graph, x, 16, 0.5F, 0, 1, "trunk")});
  Value* boxes = conv(*graph, trunk, 4, 30, 300, 2, "boxes");
  Value* scores = conv(*graph, trunk, 8, 0.1F, 0, 3, "scores");
  Value* both = added(*graph, ops::Concat, {boxes, scores}, {{"axis", int64_t{1}}}, "head");
  Tensor factors(DType::Float32, {1, 12, 1, 1});
  for (int64_t c = 0; c < 12; ++c) factors.mutable_data<float>()[static_cast<size_t>(c)] = c < 4 ? 1.0F / 3000 : 1;
  Value* even = added(*graph, ops::Mul, {both, graph->add_constant(std::move(factors))});
  Value* pooled = added(*graph, ops::GlobalAveragePool, {even});
  Value* flat = added(*graph, ops::Flatten, {pooled}, {{"axis", int64_t{1}}});
  Value* y = added(*graph, ops::Gemm, {flat, graph->add_constant(scaled(random_tensor({12, 8}, 4, 1), 0, 4, 0))}, {},
                   "logits");
  graph->set_outputs({y});
  return graph;
}

int64_t argmax(std::span<const float> v) { return std::max_element(v.begin(), v.end()) - v.begin(); }

}  // namespace

HardModel::~HardModel() {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

TuneConfig HardModel::config() const {
  TuneConfig config;
  config.model = folder / "model.onnx";
  config.data = folder / "eval.yaml";
  config.workspace = folder / "tuned";
  config.samples = 400;
  config.calibration_samples = 30;
  config.sensitivity_samples = 8;
  config.criterion.relative = 0.02;
  config.rounds = 1;
  config.round_seconds = 0.001;
  config.candidates = {{"minmax", {}}};
  config.candidates[0].recipe.defaults.range.method = RangeMethod::MinMax;
  NodeRecipe& plain = config.candidates[0].recipe.defaults;
  plain.smooth = Smoothing();
  plain.correct_bias = false;
  config.candidates[0].recipe.share_limit = share_limit;
  return config;
}

std::unique_ptr<HardModel> outlier_channels() {
  auto model = in_new_folder();
  const std::unique_ptr<Graph> graph = *import_model(example() / "fashion_mnist.onnx");
  PassRunnerOptions run;
  PassContext context;
  EXPECT_TRUE(PassRunner(run).run(*graph, *parse_pipeline("simplify"), context).ok());
  Node *conv = last_of(*graph, ops::Conv), *gemm = last_of(*graph, ops::Gemm);
  const int64_t axis = gemm->input(1)->constant().dim(0) == conv->input(1)->constant().dim(0) ? 0 : 1;  // of its inputs
  conv->set_input(1, graph->add_constant(scaled(conv->input(1)->constant(), 0, 3, 1000)));
  conv->set_input(2, graph->add_constant(scaled(conv->input(2)->constant(), 0, 3, 1000)));
  gemm->set_input(1, graph->add_constant(scaled(gemm->input(1)->constant(), axis, 3, 1e-3F)));
  model->culprit = gemm->name();
  model->culprit_op = "Gemm";
  EXPECT_TRUE(export_onnx(*graph, model->folder / "model.onnx").ok());
  std::string text = *read_file(example() / "eval.yaml");
  for (size_t at = 0; (at = text.find("{npy: ", at)) != std::string::npos; at += 6)
    text.insert(at + 6, example().string() + "/");
  EXPECT_TRUE(write_file(model->folder / "eval.yaml", text).ok());
  return model;
}

std::unique_ptr<HardModel> shared_concat() {
  auto model = in_new_folder();
  model->share_limit = 1e9;
  model->culprit = "head";
  model->culprit_op = "Concat";
  const std::unique_ptr<Graph> graph = detector_head();
  EXPECT_TRUE(export_onnx(*graph, model->folder / "model.onnx").ok());
  const Tensor x = random_tensor({500, 4, 6, 6}, 7, 1);
  const std::unique_ptr<Runner> fp32 = *open_graph(*graph);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < x.dim(0); ++i) labels.push_back(argmax((*fp32->run({row(x, i)}))[0].data<float>()));
  EXPECT_TRUE(write_npy(model->folder / "x.npy", x).ok());
  EXPECT_TRUE(write_npy(model->folder / "labels.npy", Tensor::vector(labels)).ok());
  EXPECT_TRUE(
      write_file(model->folder / "eval.yaml",
                 std::string_view("inputs: [{name: x, npy: x.npy}]\nlabels: {npy: labels.npy}\nmetric: {name: top1}\n"))
          .ok());
  return model;
}

}  // namespace lapis::testing
