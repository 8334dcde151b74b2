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

constexpr int64_t kFilters = 32, kFrame = 32, kFrames = 4, kTones = 8, kLowestTone = 6;

double angle_at(int64_t periods, int64_t t) {
  return 2 * M_PI * static_cast<double>(periods * t) / static_cast<double>(kFrame);
}

// One of the tones with a phase of its own, noise, and a loud tone below all of them.
Tensor tones(int64_t count) {
  Tensor x = random_tensor({count, 1, 1, kFrame * kFrames}, 7, 1);
  const auto values = x.mutable_data<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    const auto sample = static_cast<int64_t>(i) / (kFrame * kFrames), t = static_cast<int64_t>(i) % kFrame;
    const double phase = 0.3 + 0.9 * static_cast<double>(sample % 2) * M_PI;
    values[i] += static_cast<float>(6 * std::sin(angle_at(kLowestTone + sample % kTones, t) + phase) +
                                    6000 * std::sin(angle_at(3, t)));
  }
  return x;
}

std::unique_ptr<Graph> tones_heard() {
  auto graph = std::make_unique<Graph>("tones");
  Value* x = graph->add_input("x", Type::tensor(DType::Float32, Shape{1, 1, 1, kFrame * kFrames}));
  Tensor basis(DType::Float32, {kFilters, 1, 1, kFrame}), hears(DType::Float32, {kFilters, kTones});
  for (int64_t k = 0; k < kFilters; ++k) {
    const int64_t periods = k / 2 + 1, tone = periods - kLowestTone;
    for (int64_t t = 0; t < kFrame; ++t)
      basis.mutable_data<float>()[static_cast<size_t>(k * kFrame + t)] =
          static_cast<float>(k % 2 ? std::sin(angle_at(periods, t)) : std::cos(angle_at(periods, t)));
    if (tone >= 0 && tone < kTones) hears.mutable_data<float>()[static_cast<size_t>(k * kTones + tone)] = 1;
  }
  Value* parts = added(*graph, ops::Conv, {x, graph->add_constant(std::move(basis))},
                       {{"strides", std::vector<int64_t>{1, kFrame}}}, "fourier");
  Value* power =
      added(*graph, ops::Add, {added(*graph, ops::Mul, {parts, parts}), graph->add_constant(Tensor::scalar(0.01F))});
  Value* mean = added(*graph, ops::GlobalAveragePool, {added(*graph, ops::Log, {power})});
  Value* flat = added(*graph, ops::Flatten, {mean}, {{"axis", int64_t{1}}});
  graph->set_outputs({added(*graph, ops::Gemm, {flat, graph->add_constant(std::move(hears))}, {}, "logits")});
  return graph;
}

std::unique_ptr<Graph> encoder() {
  auto graph = std::make_unique<Graph>("encoder");
  Value* h = graph->add_input("x", Type::tensor(DType::Float32, Shape{1, 12, 32}));
  for (unsigned block = 0; block < 2; ++block) {
    const float large = block == 0 ? 400 : 1;
    Tensor gain(DType::Float32, {32}), bias(DType::Float32, {32});
    for (size_t j = 0; j < 32; ++j) gain.mutable_data<float>()[j] = j < 2 ? large : 1;
    Value* normal = added(*graph, ops::LayerNormalization,
                          {h, graph->add_constant(std::move(gain)), graph->add_constant(std::move(bias))});
    const std::string name = "block" + std::to_string(block);
    Tensor up = scaled(random_tensor({32, 64}, 30 + block, 0.2F), 0, 2, 1 / large);
    Value* wide = added(*graph, ops::Relu,
                        {added(*graph, ops::MatMul, {normal, graph->add_constant(std::move(up))}, {}, name + "/up")});
    Tensor down = random_tensor({64, 32}, 40 + block, block == 0 ? 1 : 0.05F);
    h = added(*graph, ops::Add,
              {h, added(*graph, ops::MatMul, {wide, graph->add_constant(std::move(down))}, {}, name + "/down")});
  }
  Value* flat = added(*graph, ops::Flatten, {h}, {{"axis", int64_t{1}}});
  Value* weights = graph->add_constant(random_tensor({384, 4}, 50, 1));
  graph->set_outputs({added(*graph, ops::Gemm, {flat, weights}, {}, "logits")});
  return graph;
}

int64_t argmax(std::span<const float> v) { return std::max_element(v.begin(), v.end()) - v.begin(); }

// The model, and samples with what it says of them in fp32 as labels.
void write(const HardModel& model, const Graph& graph, const Tensor& x) {
  EXPECT_TRUE(export_onnx(graph, model.folder / "model.onnx").ok());
  const std::unique_ptr<Runner> fp32 = *open_graph(graph);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < x.dim(0); ++i) labels.push_back(argmax((*fp32->run({row(x, i)}))[0].data<float>()));
  EXPECT_TRUE(write_npy(model.folder / "x.npy", x).ok());
  EXPECT_TRUE(write_npy(model.folder / "labels.npy", Tensor::vector(labels)).ok());
  EXPECT_TRUE(
      write_file(model.folder / "eval.yaml",
                 std::string_view("inputs: [{name: x, npy: x.npy}]\nlabels: {npy: labels.npy}\nmetric: {name: top1}\n"))
          .ok());
}

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
  for (const std::string& node : forced)
    config.candidates[0].recipe.set({Selector::By::Name, node}, {.precision = Precision::Int8});
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
  const std::unique_ptr<Graph> graph = detector_head();
  write(*model, *graph, random_tensor({500, 4, 6, 6}, 7, 1));
  return model;
}

std::unique_ptr<HardModel> spectrogram() {
  auto model = in_new_folder();
  model->culprit = "fourier";
  model->forced = {"fourier"};
  write(*model, *tones_heard(), tones(500));
  return model;
}

std::unique_ptr<HardModel> residual_encoder() {
  auto model = in_new_folder();
  model->culprit = "block0/up";
  write(*model, *encoder(), random_tensor({500, 12, 32}, 7, 1));
  return model;
}

}  // namespace lapis::testing
