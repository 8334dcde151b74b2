// PyTorch models compute what PyTorch recorded (tests/frontends/pytorch/generate.py), evaluated and compiled: exported
// programs, the same decomposed to Core ATen and in the older archive, and TorchScript. Networks of the zoo too.
#include <gtest/gtest.h>

#include "tests/models/recorded_models.h"

namespace lapis {
namespace {

using testing::load;

const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo";
constexpr double kTolerance = 2e-5;

void expect_all_as_recorded(const std::string& ending, size_t fewest) {
  const auto models = testing::recorded_models(Path(LAPIS_SOURCE_DIR) / "tests/frontends/pytorch", ending);
  ASSERT_GE(models.size(), fewest) << ending;
  for (const auto& model : models) {
    SCOPED_TRACE(model.model.filename().string());
    testing::expect_as_recorded(model, kTolerance);
  }
}

TEST(Pytorch, ExportedProgramsComputeWhatPytorchRecorded) { expect_all_as_recorded(".pt2", 8); }
TEST(Pytorch, CoreAtenComputesTheSame) { expect_all_as_recorded("_core.pt2", 5); }
TEST(Pytorch, TheOlderArchiveComputesTheSame) { expect_all_as_recorded("_old.pt2", 1); }
TEST(Pytorch, TorchScriptComputesTheSame) { expect_all_as_recorded(".pt", 7); }

// As many boxes as stay: what has such sizes is evaluated, not compiled.
TEST(Pytorch, BoxesAreChosenAsTorchvisionDoes) {
  const Path folder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/pytorch";
  for (const char* file : {"nms.pt2", "nms.pt"}) {
    SCOPED_TRACE(file);
    testing::expect_as_recorded({"nms", folder / file, folder / "nms_chosen.npz"}, 0, {Backend::Reference});
  }
}

// As many elements as a mask has, or as are not 0.
TEST(Pytorch, ElementsAreChosenByValues) {
  const Path folder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/pytorch";
  for (const char* file : {"chosen.pt2", "chosen.pt"}) {
    SCOPED_TRACE(file);
    testing::expect_as_recorded({"chosen", folder / file, folder / "chosen_some.npz"}, 0, {Backend::Reference});
  }
}

// Numbers, strings, lists, dicts, objects, and loops over sizes, for inputs of given sizes.
TEST(Pytorch, TheLanguageOfTorchScriptComputesTheSame) {
  const Path folder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/pytorch";
  for (const char* part : {"numbers", "lists", "dicts", "strings", "objects", "loops"}) {
    const std::string name = std::string("language_") + part;
    SCOPED_TRACE(name);
    testing::expect_as_recorded({name, folder / (name + ".pt"), folder / (name + "_sized.npz")}, kTolerance,
                                {Backend::Reference, Backend::Jit}, {.shapes = {{"x", {2, 4}}}});
  }
}

// Runs that follow each other hand their states on; the first one has zeros.
struct Stream {
  Runner& runner;
  std::vector<Tensor> states = {};

  Tensor step(Tensor input) {
    std::vector<Tensor> inputs = {std::move(input)};
    for (size_t i = 1; i < runner.inputs().size(); ++i)
      inputs.push_back(states.empty() ? Tensor(runner.inputs()[i].dtype, runner.inputs()[i].shape) : states[i - 1]);
    auto outputs = runner.run(inputs);
    EXPECT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
    if (!outputs.ok()) return {};
    states.assign(outputs->begin() + 1, outputs->end());
    return (*outputs)[0];
  }
};

// NAME_steps.npz has the input and the output of each step.
void expect_steps_as_recorded(const std::string& name, const ModelOptions& options) {
  const Path folder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/pytorch";
  const testing::RecordedModel recorded{name, folder / (name + ".pt"), folder / (name + "_steps.npz")};
  const Tensor x = recorded_array(recorded, "in_x"), wanted = recorded_array(recorded, "out0");
  const Shape input(x.shape().begin() + 1, x.shape().end()), output(wanted.shape().begin() + 1, wanted.shape().end());
  for (const Backend backend : {Backend::Reference, Backend::Jit}) {
    const auto runner = open_model(recorded.model, {.model = options, .backend = backend});
    ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
    Stream stream{**runner};
    for (int64_t i = 0; i < x.dim(0); ++i)
      EXPECT_LE(testing::relative_error(stream.step(row(x, i).reshaped(input)), row(wanted, i).reshaped(output)), 1e-6)
          << name << ", step " << i;
  }
}

TEST(Pytorch, AModuleWithAStateGoesOnWhereItWas) {
  expect_steps_as_recorded("stateful", {.dims = {}, .shapes = {{"x", {2, 4}}}, .values = {{"rate", 8}}});
}

// One tensor under several names, elements of lists, a state that only another one reads.
TEST(Pytorch, StatesAreWhatTheModuleHolds) {
  expect_steps_as_recorded("stateful_paired", {.dims = {}, .shapes = {{"x", {2, 3}}}});
  for (const char* name : {"stateful_shared", "stateful_listed", "stateful_delayed"})
    expect_steps_as_recorded(name, {.dims = {}, .shapes = {{"x", {1, 3}}}});
}

// It keeps the last samples and what its recurrent layer remembers.
TEST(Pytorch, SileroOfTheZooGivesItsRecordedProbabilities) {
  const Path folder = kZoo / "silero-vad";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  const Tensor audio = load(folder / "audio_8k_i16.npy"), wanted = load(folder / "ref/probabilities_8k.npy");
  constexpr int64_t kFrame = 256;
  const auto runner = open_model(folder / "silero_vad.jit",
                                 {.model = {.dims = {}, .shapes = {{"x", {1, kFrame}}}, .values = {{"sr", 8000}}}});
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  Tensor frame(DType::Float32, {1, kFrame}), got(DType::Float32, wanted.shape());
  Stream stream{**runner};
  for (int64_t k = 0; k < wanted.size(); ++k) {
    for (int64_t i = 0; i < kFrame; ++i)
      frame.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(audio.as_int(k * kFrame + i)) / 32768;
    got.mutable_data<float>()[static_cast<size_t>(k)] = stream.step(frame).data<float>()[0];
  }
  EXPECT_LE(testing::relative_error(got, wanted), 1e-4);
}

void expect_recorded(const Path& model, const Tensor& input, const Tensor& wanted) {
  const auto graph = import_model(model);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  ASSERT_EQ((*graph)->inputs().size(), 1u);
  const auto runner =
      open_model(model, {.model = {.shapes = {{(*graph)->inputs()[0]->name(), input.shape()}}}, .threads = 2});
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const auto got = (*runner)->run({input});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  EXPECT_LE(testing::relative_error((*got)[0], wanted), 1e-4) << model;
}

TEST(Pytorch, ResNet20OfTheZooGivesItsRecordedLogits) {
  const Path folder = kZoo / "resnet20-cifar10";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  for (const char* file : {"resnet20.pt2", "resnet20.pt"})
    expect_recorded(folder / file, load(folder / "ref/input.npy"), load(folder / "ref/output.npy"));
}

// (x - 127) / 128, channels first.
Tensor normalized(const Tensor& pixels) {
  Tensor image(DType::Float32, {1, 3, pixels.dim(1), pixels.dim(2)});
  const int64_t area = pixels.dim(1) * pixels.dim(2);
  for (int64_t p = 0; p < area; ++p)
    for (int64_t c = 0; c < 3; ++c)
      image.mutable_data<float>()[static_cast<size_t>(c * area + p)] =
          (static_cast<float>(pixels.as_int(p * 3 + c)) - 127) / 128;
  return image;
}

TEST(Pytorch, EfficientNetLite0OfTheZooGivesItsRecordedLogits) {
  const Path folder = kZoo / "efficientnet-lite0";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  const Tensor pixels = row(load(folder / "ref/input_u8_nhwc.npy"), 0),
               wanted = row(load(folder / "ref/output.npy"), 0);
  for (const char* file : {"efficientnet-lite0.pt2", "efficientnet-lite0.pt"})
    expect_recorded(folder / file, normalized(pixels), wanted);
}

}  // namespace
}  // namespace lapis
