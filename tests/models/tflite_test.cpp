// TFLite models compute what TFLite recorded (tests/frontends/tflite/generate.py), evaluated and compiled.
//
// TFLite's integer kernels are not one function: its XNNPACK kernels, which recorded the results, multiply in float and
// round half to even as Lapis does; its reference kernels multiply in fixed point and differ from them by many steps on
// resnet8. What is measured here is the distance to the former, in steps of the output.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <set>

#include "driver/runner.h"
#include "runtime/artifact.h"
#include "tests/driver/compare.h"
#include "tests/models/recorded_models.h"
#include "tuning/evaluate.h"

namespace lapis {
namespace {

using testing::distance;
using testing::load;

const Path kFolder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/tflite";
const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo/resnet8-mlperf-tiny";
constexpr double kTolerance = 1e-5;

struct Case {
  std::string name;
  Path model;
  std::vector<Tensor> inputs;
  Tensor output;
};

std::vector<Case> recorded_cases() {
  std::set<std::string> names;
  const std::string ending = ".out.npy";
  for (const auto& entry : std::filesystem::directory_iterator(kFolder / "cases"))
    if (const std::string name = entry.path().filename().string(); name.ends_with(ending))
      names.insert(name.substr(0, name.size() - ending.size()));
  std::vector<Case> cases;
  for (const std::string& name : names) {
    Case c{name, kFolder / "cases" / (name + ".tflite"), {}, load(kFolder / "cases" / (name + ending))};
    for (int i = 0; std::filesystem::exists(kFolder / "cases" / (name + ".in" + std::to_string(i) + ".npy")); ++i)
      c.inputs.push_back(load(kFolder / "cases" / (name + ".in" + std::to_string(i) + ".npy")));
    cases.push_back(std::move(c));
  }
  return cases;
}

TEST(Tflite, OperatorsComputeWhatTfliteRecorded) {
  // Softmax in TFLite looks up a table of rounded exponentials, a mean multiplies in fixed point.
  const std::set<std::string> within_a_step = {"softmax_int8", "mean_int8"};
  constexpr double kQuantizedOnTheFly = 0.02;  // what TFLite does to the data of integer weights, and Lapis does not
  const std::vector<Case> cases = recorded_cases();
  ASSERT_GT(cases.size(), 25u);
  for (const Backend backend : {Backend::Reference, Backend::Jit})
    for (const Case& c : cases) {
      const auto runner = open_model(c.model, {.backend = backend});
      ASSERT_TRUE(runner.ok()) << c.name << ": " << to_string(runner.diagnostics());
      const auto got = (*runner)->run(c.inputs);
      ASSERT_TRUE(got.ok()) << c.name << ": " << to_string(got.diagnostics());
      const double of_floats = c.name == "dense_hybrid" ? kQuantizedOnTheFly : kTolerance;
      const double most = is_float(c.output.dtype()) ? of_floats : within_a_step.contains(c.name) ? 1 : 0;
      EXPECT_LE(distance((*got)[0], c.output), most) << c.name << (backend == Backend::Jit ? " compiled" : "");
    }
}

// Integers that stand for reals within a step, other numbers exactly; floats as they sum up. In 16 bits TFLite
// interpolates in tables and in steps of 1/1024 of a pixel.
double allowed(const std::string& family, const std::string& output, DType dtype) {
  constexpr double kQuantizedOnTheFly = 0.02;
  if (is_float(dtype)) return family == "hybrid" ? kQuantizedOnTheFly : kTolerance;
  if (dtype != DType::Int8 && dtype != DType::UInt8 && dtype != DType::Int16) return 0;
  for (const auto& [op, steps] : {std::pair("tanh", 2), std::pair("softmax", 8), std::pair("resize_bilinear", 40)})
    if (dtype == DType::Int16 && output.starts_with(op)) return steps;
  return 1;
}

void expect_family(const testing::RecordedModel& family, Backend backend) {
  const auto runner = open_model(family.model, {.backend = backend});
  ASSERT_TRUE(runner.ok()) << family.name << ": " << to_string(runner.diagnostics());
  std::vector<Tensor> inputs;
  for (const auto& input : (*runner)->inputs()) inputs.push_back(testing::recorded_array(family, "in_" + input.name));
  const auto got = (*runner)->run(inputs);
  ASSERT_TRUE(got.ok()) << family.name << ": " << to_string(got.diagnostics());
  for (size_t i = 0; i < got->size(); ++i) {
    const Tensor wanted = testing::recorded_array(family, "out" + std::to_string(i));
    const std::string& name = (*runner)->outputs()[i].name;
    EXPECT_LE(distance((*got)[i], wanted), allowed(family.name, name, wanted.dtype()))
        << family.name << " " << name << (backend == Backend::Jit ? " compiled" : "") << "\n got "
        << to_string((*got)[i], 24) << "\n not " << to_string(wanted, 24);
  }
}

TEST(Tflite, FamiliesOfOperatorsComputeWhatTfliteRecorded) {
  const auto families = testing::recorded_models(kFolder / "families", ".tflite");
  ASSERT_GE(families.size(), 20u);
  for (const auto& family : families) {
    expect_family(family, Backend::Reference);
    if (family.name != "lists") expect_family(family, Backend::Jit);  // whose sizes depend on values
  }
}

// Every level of this host with 1 and 2 threads, and an artifact.
std::vector<std::unique_ptr<Runner>> runners_of(const Path& model) {
  std::vector<std::unique_ptr<Runner>> runners;
  const auto graph = load_model(model);
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  for (const Target& target : testing::host_levels()) {
    CompileOptions options;
    options.target = target;
    const auto compiled = compile(**graph, std::move(options));
    EXPECT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
    for (const int threads : {1, 2}) runners.push_back(*open_program(compiled->program, {.threads = threads}));
    const Path file =
        std::filesystem::temp_directory_path() / ("lapis_tflite_" + std::to_string(::getpid()) + ".lapis");
    EXPECT_TRUE(save_artifact(compiled->program, file).ok());
    runners.push_back(*open_model(file));
    std::filesystem::remove(file);
  }
  return runners;
}

void expect_rows(Runner& runner, const Tensor& inputs, const Tensor& outputs, double most) {
  for (int64_t i = 0; i < inputs.dim(0); ++i) {
    const auto got = runner.run({row(inputs, i)});
    ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
    EXPECT_LE(distance((*got)[0], row(outputs, i)), most) << "row " << i;
  }
}

TEST(Tflite, Int8ResNet8GivesTflitesBytes) {
  const Tensor inputs = load(kFolder / "resnet8_int8.in0.npy"), outputs = load(kFolder / "resnet8_int8.out.npy");
  for (const auto& runner : runners_of(kFolder / "resnet8_int8.tflite")) expect_rows(*runner, inputs, outputs, 0);
  const auto reference = open_model(kFolder / "resnet8_int8.tflite", {.backend = Backend::ReferenceAfterPasses});
  ASSERT_TRUE(reference.ok());
  expect_rows(**reference, inputs, outputs, 0);
}

#define SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is not here"

TEST(ResNet8, FloatGivesTheRecordedProbabilities) {
  SKIP_WITHOUT(kZoo);
  const Tensor inputs = load(kZoo / "ref/input.npy"), outputs = load(kZoo / "ref/output.npy");
  for (const auto& runner : runners_of(kZoo / "resnet8_fp32.tflite")) expect_rows(*runner, inputs, outputs, 1e-4);
}

TEST(ResNet8, Int8GivesTheRecordedBytes) {
  SKIP_WITHOUT(kZoo);
  const Tensor pixels = load(kZoo / "ref/input.npy"), outputs = load(kZoo / "ref/output_int8.npy");
  Tensor inputs(DType::Int8, pixels.shape());  // scale 1, zero point -128
  for (int64_t i = 0; i < pixels.size(); ++i)
    inputs.mutable_data<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(std::lround(pixels.as_double(i)) - 128);
  for (const auto& runner : runners_of(kZoo / "resnet8_int8.tflite")) expect_rows(*runner, inputs, outputs, 0);
}

// Told apart by their shapes and, where these are alike, by what they hold.
TEST(BasicPitch, GivesTheRecordedNotes) {
  const Path folder = Path(LAPIS_SOURCE_DIR) / "../shared/zoo/basic-pitch";
  SKIP_WITHOUT(folder);
  constexpr int64_t kSamples = 43844;
  const Tensor pulses = load(folder / "audio_i16.npy");
  Tensor audio(DType::Float32, {1, kSamples, 1});
  for (int64_t i = 0; i < kSamples; ++i)
    audio.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(pulses.as_double(i)) / 32768;
  const auto runner = open_model(folder / "nmp.tflite");
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const auto got = (*runner)->run({audio});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  ASSERT_EQ(got->size(), 3u);
  for (const char* name : {"contour", "note", "onset"}) {
    const Tensor wanted = load(folder / "ref" / (std::string(name) + ".npy"));
    double nearest = 1;
    for (const Tensor& y : *got)
      if (y.size() == wanted.size())
        nearest = std::min(nearest, testing::relative_error(y.reshaped(wanted.shape()), wanted));
    EXPECT_LE(nearest, 1e-4) << name;
  }
}

// TFLite's own, as ../shared/zoo/README.md has them.
TEST(ResNet8, AccuracyIsTflites) {
  SKIP_WITHOUT(kZoo);
  for (const auto& [kind, top1] : {std::pair("fp32", 0.7685), std::pair("int8", 0.7725)}) {
    const std::string name = std::string("resnet8") + "-" + kind + ".yaml";
    const auto data = Dataset::load(Path(LAPIS_SOURCE_DIR) / "benchmarks/zoo" / name);
    ASSERT_TRUE(data.ok()) << to_string(data.diagnostics());
    const auto runner = open_model(kZoo / ("resnet8_" + std::string(kind) + ".tflite"));
    ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
    const auto accuracy = measure_accuracy(**runner, *data);
    ASSERT_TRUE(accuracy.ok()) << to_string(accuracy.diagnostics());
    EXPECT_EQ(accuracy->value, top1) << kind;
  }
}

}  // namespace
}  // namespace lapis
