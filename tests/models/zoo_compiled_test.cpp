// Every ONNX model of ../shared/zoo as code, without a call into the reference evaluator: what it gives for the
// recorded inputs and at other sizes, in float and quantized.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver/runner.h"
#include "passes/pipeline.h"
#include "passes/quantize/quantize.h"
#include "tests/driver/compare.h"
#include "tests/driver/object_runner.h"
#include "tests/models/drawn.h"
#include "tests/models/recorded.h"
#include "tests/sanitized.h"

namespace lapis {
namespace {

using testing::drawn_feeds, testing::load, testing::relative_error;

const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo";
constexpr double kTolerance = 1e-4;
using Shapes = std::map<std::string, Shape>;

#define SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is not here"

// Compiling refuses what would need a call into the reference.
Compiled compiled(const Graph& graph) {
  auto made = compile(graph, CompileOptions{});
  EXPECT_TRUE(made.ok()) << to_string(made.diagnostics());
  return *std::move(made);
}

std::unique_ptr<Runner> runner_of(const Path& model, const Shapes& shapes, int threads = 2) {
  auto graph = load_model(model, {.dims = {}, .shapes = shapes});
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  auto runner = open_program(compiled(**graph).program, {.threads = threads});
  EXPECT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  return *std::move(runner);
}

std::vector<Tensor> run(Runner& runner, const std::vector<Tensor>& inputs) {
  auto outputs = runner.run(inputs);
  EXPECT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
  return *std::move(outputs);
}

// A tensor of floats from a file of integers.
template <class T, class F> Tensor floats_of(const Tensor& t, Shape shape, F&& f) {
  Tensor result(DType::Float32, std::move(shape));
  for (size_t i = 0; i < static_cast<size_t>(result.size()); ++i)
    result.mutable_data<float>()[i] = f(static_cast<float>(t.data<T>()[i]));
  return result;
}

// A gray image in all three channels.
template <class F> Tensor image_of(const Tensor& gray, F&& normalize) {
  const int64_t area = gray.size();
  Tensor result(DType::Float32, {1, 3, gray.dim(gray.rank() - 2), gray.dim(gray.rank() - 1)});
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < area; ++i)
      result.mutable_data<float>()[static_cast<size_t>(c * area + i)] =
          normalize(static_cast<float>(gray.data<uint8_t>()[static_cast<size_t>(i)]) / 255, static_cast<size_t>(c));
  return result;
}

TEST(Zoo, PpocrDetectionGivesTheRecordedMap) {
  const Path folder = kZoo / "ppocr-v4-det";
  SKIP_WITHOUT(folder);
  const float mean[] = {.485f, .456f, .406f}, deviation[] = {.229f, .224f, .225f};
  const Tensor page =
      image_of(row(load(folder / "pages_u8.npy"), 0), [&](float x, size_t c) { return (x - mean[c]) / deviation[c]; });
  const auto runner = runner_of(folder / "det.onnx", {{"x", page.shape()}});
  const Tensor map = run(*runner, {page})[0], recorded = load(folder / "ref/output_page0.npy");
  EXPECT_LE(relative_error(map.reshaped(recorded.shape()), recorded), kTolerance);
}

TEST(Zoo, PpocrRecognitionGivesTheRecordedProbabilities) {
  const Path folder = kZoo / "ppocr-v4-rec";
  SKIP_WITHOUT(folder);
  const Tensor lines = load(folder / "lines_u8.npy"), step0 = load(folder / "ref/output_step0.npy"),
               top = load(folder / "ref/output_top.npy");
  const auto runner = runner_of(folder / "rec.onnx", {{"x", {1, 3, lines.dim(1), lines.dim(2)}}});
  for (int64_t i = 0; i < top.dim(0); ++i) {
    const Tensor line = image_of(row(lines, i), [](float x, size_t) { return (x - .5f) / .5f; });
    const Tensor got = run(*runner, {line})[0];  // [1, steps, classes]
    const int64_t steps = got.dim(1), classes = got.dim(2);
    Tensor first(DType::Float32, {1, classes}), highest(DType::Float32, {1, steps});
    std::copy_n(got.data<float>().begin(), classes, first.mutable_data<float>().begin());
    for (int64_t s = 0; s < steps; ++s) {
      const auto begin = got.data<float>().begin() + s * classes;
      highest.mutable_data<float>()[static_cast<size_t>(s)] = *std::max_element(begin, begin + classes);
    }
    EXPECT_LE(relative_error(first, row(step0, i)), kTolerance);
    EXPECT_LE(relative_error(highest, row(top, i)), kTolerance);
  }
}

TEST(Zoo, BasicPitchGivesTheRecordedNotes) {
  const Path folder = kZoo / "basic-pitch";
  SKIP_WITHOUT(folder);
  const Tensor audio = row(load(folder / "audio_i16.npy"), 0);
  const auto runner = runner_of(folder / "nmp.onnx", {});
  const auto got = run(*runner, {floats_of<int16_t>(audio, {1, audio.size(), 1}, [](float x) { return x / 32768; })});
  const std::map<std::string, std::string> recorded = {{"StatefulPartitionedCall:1", "note"},
                                                       {"StatefulPartitionedCall:2", "onset"},
                                                       {"StatefulPartitionedCall:0", "contour"}};
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_LE(relative_error(got[i], load(folder / "ref" / (recorded.at(runner->outputs()[i].name) + ".npy"))),
              kTolerance);
}

TEST(Zoo, MagikaGivesTheRecordedProbabilities) {
  const Path folder = kZoo / "magika";
  SKIP_WITHOUT(folder);
  const Tensor bytes = load(folder / "bytes.npy"), recorded = load(folder / "ref/output.npy");
  const auto runner = runner_of(folder / "model.onnx", {});
  for (int64_t i = 0; i < recorded.dim(0); ++i)
    EXPECT_LE(relative_error(run(*runner, {row(bytes, 18 * i)})[0], row(recorded, i)), kTolerance);
}

TEST(Zoo, NcfGivesTheRecordedScores) {
  const Path folder = kZoo / "ncf-movielens";
  SKIP_WITHOUT(folder);
  const Tensor user = load(folder / "ref/user.npy"), item = load(folder / "ref/item.npy");
  for (const std::string model : {"gmf", "mlp"}) {
    const auto runner = runner_of(folder / (model + ".onnx"), {{"user", user.shape()}, {"item", item.shape()}});
    std::vector<Tensor> inputs;
    for (const IoInfo& io : runner->inputs()) inputs.push_back(io.name == "user" ? user : item);
    EXPECT_LE(relative_error(run(*runner, inputs)[0], load(folder / "ref" / ("score_" + model + ".npy"))), kTolerance);
  }
}

TEST(Zoo, BgeGivesTheRecordedEmbeddings) {
  const char* extra = std::getenv("LAPIS_ZOO_EXTRA");
  if (!extra) GTEST_SKIP() << "LAPIS_ZOO_EXTRA names no folder that ../shared/zoo/get.sh has filled";
  const Path model = Path(extra) / "bge-small/bge-small-en-v1.5.onnx";
  SKIP_WITHOUT(model);
  const Shape one = {1, 64};
  const auto runner = runner_of(model, {{"input_ids", one}, {"attention_mask", one}, {"token_type_ids", one}});
  const Tensor ids = load(kZoo / "data-text/sts16_a_input_ids.npy"),
               mask = load(kZoo / "data-text/sts16_a_attention_mask.npy"),
               recorded = load(kZoo / "bge-small/ref/output_sts16_a.npy");
  for (int64_t i = 0; i < recorded.dim(0); ++i) {
    const auto inputs = ordered(
        {{"input_ids", row(ids, i)}, {"attention_mask", row(mask, i)}, {"token_type_ids", Tensor(DType::Int64, one)}},
        runner->inputs());
    ASSERT_TRUE(inputs.ok()) << to_string(inputs.diagnostics());
    const Tensor got = run(*runner, *inputs)[0];  // [1, 64, 384], of which the first token counts
    Tensor first(DType::Float32, {1, got.dim(2)});
    std::copy_n(got.data<float>().begin(), got.dim(2), first.mutable_data<float>().begin());
    EXPECT_LE(relative_error(first, row(recorded, i)), kTolerance);
  }
}

const Shapes kFrame = {{"input", {1, 288}}, {"state", {2, 1, 128}}};

// The state runs on from frame to frame, and each takes the last 32 samples of the one before along.
TEST(Zoo, SileroGivesTheRecordedProbabilities) {
  const Path folder = kZoo / "silero-vad";
  SKIP_WITHOUT(folder);
  const Tensor audio = load(folder / "audio_8k_i16.npy"), recorded = load(folder / "ref/probabilities_8k.npy");
  const auto runner = runner_of(folder / "silero_vad.onnx", kFrame, 1);
  Tensor frame(DType::Float32, {1, 288}), state(DType::Float32, {2, 1, 128}), got(DType::Float32, recorded.shape());
  for (int64_t k = 0; k < recorded.size(); ++k) {
    const auto samples = frame.mutable_data<float>();
    std::copy_n(samples.begin() + 256, 32, samples.begin());
    for (int64_t i = 0; i < 256; ++i)
      samples[static_cast<size_t>(32 + i)] =
          static_cast<float>(audio.data<int16_t>()[static_cast<size_t>(k * 256 + i)]) / 32768;
    const auto inputs =
        ordered({{"input", frame}, {"state", state}, {"sr", Tensor::scalar(int64_t{8000})}}, runner->inputs());
    ASSERT_TRUE(inputs.ok()) << to_string(inputs.diagnostics());
    const auto outputs = run(*runner, *inputs);
    got.mutable_data<float>()[static_cast<size_t>(k)] = outputs[0].data<float>()[0];
    state = outputs[1].reshaped(state.shape());
  }
  EXPECT_LE(relative_error(got, recorded), kTolerance);
}

TEST(Zoo, SileroOverASequenceGivesTheRecordedProbabilities) {
  const Path folder = kZoo / "silero-vad";
  SKIP_WITHOUT(folder);
  const Tensor input = load(folder / "ref/sequence_input.npy"), none(DType::Float32, {1, 1, 128});
  const auto runner = runner_of(folder / "silero_vad_16k_sequence.onnx", {{"input", input.shape()}});
  const auto inputs = ordered({{"input", input}, {"h", none}, {"c", none}}, runner->inputs());
  ASSERT_TRUE(inputs.ok()) << to_string(inputs.diagnostics());
  const auto got = run(*runner, *inputs);
  for (size_t i = 0; i < 3; ++i) {
    const Tensor recorded =
        load(folder / "ref" / (std::string("sequence_") + (std::array{"output", "hn", "cn"}[i]) + ".npy"));
    EXPECT_LE(relative_error(got[i].reshaped(recorded.shape()), recorded), kTolerance) << i;
  }
}

// ---- other sizes ----------------------------------------------------------------------------------------------------

struct Sizes {
  const char* file;
  Shapes shapes = {};
  std::map<std::string, Number> values = {};
  bool quantizes = true;  // nothing of a model that is one If
  unsigned ids = 2;
  bool again = false;  // the same graph at another size, which sanitizers take no interest in
};

void PrintTo(const Sizes& sizes, std::ostream* out) { *out << sizes.file; }

class OtherSizes : public ::testing::TestWithParam<Sizes> {
 protected:
  void SetUp() override {
    const char* extra = std::getenv("LAPIS_ZOO_EXTRA");
    Path file = kZoo / GetParam().file;
    if (!std::filesystem::exists(file) && extra) file = Path(extra) / GetParam().file;
    SKIP_WITHOUT(file);
    if (testing::kSanitized && GetParam().again) GTEST_SKIP() << "with sanitizers one size of a model";
    auto graph = load_model(file, {.dims = {}, .shapes = GetParam().shapes, .values = GetParam().values});
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    graph_ = *std::move(graph);
  }

  std::vector<Tensor> draw() {
    const Feeds feeds = drawn_feeds(*graph_, random_, GetParam().ids);
    std::vector<Tensor> inputs;
    for (const Value* v : graph_->inputs()) inputs.push_back(feeds.at(v->name()));
    return inputs;
  }

  // In memory on 1 and 2 threads, and as an object file.
  static void expect_near(const Graph& graph, const std::vector<Tensor>& inputs, const std::vector<Tensor>& wanted,
                          double tolerance) {
    const Compiled made = compiled(graph);
    const auto expect = [&](const std::vector<Tensor>& got, const char* where) {
      for (size_t i = 0; i < wanted.size(); ++i)
        EXPECT_LE(relative_error(got[i], wanted[i]), tolerance) << where << ", output " << i;
    };
    for (const int threads : {1, 2})
      expect(run(**open_program(made.program, {.threads = threads}), inputs), "in memory");
    if (testing::has_c_compiler()) expect(testing::ObjectRunner(made).run(inputs, false), "in an object");
  }

  std::mt19937 random_{1};
  std::unique_ptr<Graph> graph_;
};

TEST_P(OtherSizes, FloatGivesWhatTheReferenceGives) {
  const std::vector<Tensor> inputs = draw();
  const auto reference = open_graph(*graph_, {.backend = Backend::Reference});
  ASSERT_TRUE(reference.ok()) << to_string(reference.diagnostics());
  expect_near(*graph_, inputs, run(**reference, inputs), kTolerance);
}

// Floats between integers may round to another step than the reference's, and what follows differs by it.
TEST_P(OtherSizes, QuantizedGivesWhatTheReferenceGives) {
  if (!GetParam().quantizes) GTEST_SKIP() << "branches are not quantized";
  PassRunnerOptions options;
  PassContext context;
  use_onnx_writers(options);
  ASSERT_TRUE(PassRunner(options).run(*graph_, *parse_pipeline("simplify,expand"), context).ok());
  std::vector<Feeds> samples;
  samples.reserve(2);
  for (int i = 0; i < 2; ++i) samples.push_back(drawn_feeds(*graph_, random_, GetParam().ids));
  const auto report = quantize_static(*graph_, *jit_evaluator(2), samples_of(samples));
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  const std::vector<Tensor> inputs = draw();
  const auto reference = open_graph(*graph_, {.backend = Backend::ReferenceAfterPasses});
  ASSERT_TRUE(reference.ok()) << to_string(reference.diagnostics());
  expect_near(*graph_, inputs, run(**reference, inputs), 0.1);
}

Shapes text(int64_t length, bool types) {
  Shapes shapes = {{"input_ids", {2, length}}, {"attention_mask", {2, length}}};
  if (types) shapes["token_type_ids"] = {2, length};
  return shapes;
}
Shapes frames(int64_t samples, int64_t batch) { return {{"input", {batch, samples}}, {"state", {2, batch, 128}}}; }

Sizes again(Sizes sizes) {
  sizes.again = true;
  return sizes;
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, OtherSizes,
    ::testing::Values(Sizes{"efficientnet-lite0/efficientnet-lite0.onnx", {{"input", {2, 3, 224, 224}}}},
                      Sizes{"resnet20-cifar10/resnet20.onnx", {{"input", {3, 3, 32, 32}}}},
                      again(Sizes{"resnet20-cifar10/resnet20.onnx", {{"input", {5, 3, 32, 32}}}}),
                      Sizes{"ppocr-v4-det/det.onnx", {{"x", {1, 3, 96, 128}}}},
                      again(Sizes{"ppocr-v4-det/det.onnx", {{"x", {2, 3, 64, 32}}}}),
                      Sizes{"ppocr-v4-rec/rec.onnx", {{"x", {1, 3, 48, 96}}}},
                      again(Sizes{"ppocr-v4-rec/rec.onnx", {{"x", {2, 3, 48, 64}}}}),
                      Sizes{"silero-vad/silero_vad.onnx", frames(288, 1), {{"sr", 8000}}},
                      Sizes{"silero-vad/silero_vad.onnx", frames(576, 1), {{"sr", 16000}}},
                      Sizes{"silero-vad/silero_vad.onnx", frames(288, 3), {}, false},
                      Sizes{"silero-vad/silero_vad_16k_sequence.onnx", {{"input", {5, 576}}}},
                      again(Sizes{"silero-vad/silero_vad_16k_sequence.onnx", {{"input", {1, 576}}}}),
                      Sizes{"minilm-l3/paraphrase-MiniLM-L3-v2.onnx", text(7, false)},
                      again(Sizes{"minilm-l3/paraphrase-MiniLM-L3-v2.onnx", text(32, false)}),
                      Sizes{"bge-small/bge-small-en-v1.5.onnx", text(7, true)},
                      again(Sizes{"bge-small/bge-small-en-v1.5.onnx", text(32, true)}),
                      Sizes{"ncf-movielens/gmf.onnx", {{"user", {7}}, {"item", {7}}}},
                      again(Sizes{"ncf-movielens/gmf.onnx", {{"user", {300}}, {"item", {300}}}}),
                      Sizes{"ncf-movielens/mlp.onnx", {{"user", {7}}, {"item", {7}}}},
                      again(Sizes{"ncf-movielens/mlp.onnx", {{"user", {300}}, {"item", {300}}}}),
                      Sizes{"basic-pitch/nmp.onnx", {}},
                      Sizes{.file = "magika/model.onnx", .shapes = {{"bytes", {2, 2048}}}, .ids = 257},
                      again(Sizes{.file = "magika/model.onnx", .shapes = {{"bytes", {5, 2048}}}, .ids = 257})),
    [](const auto& info) {
      std::string name = Path(info.param.file).parent_path().filename().string() + std::to_string(info.index);
      std::ranges::replace(name, '-', '_');
      return name;
    });

}  // namespace
}  // namespace lapis
