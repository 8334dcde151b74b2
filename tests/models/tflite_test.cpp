// TFLite models compute what TFLite recorded (tests/frontends/tflite/generate.py), evaluated and compiled.
//
// TFLite's integer kernels are not one function: its XNNPACK kernels, which recorded the results, multiply in float and round half to even as
// Lapis does; its reference kernels multiply in fixed point and differ from them by many steps on resnet8. What is measured here is the
// distance to the former, in steps of the output.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <set>

#include "driver/runner.h"
#include "runtime/artifact.h"
#include "tests/driver/compare.h"
#include "tests/models/recorded.h"
#include "tuning/evaluate.h"

namespace lapis {
namespace {

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

// How many steps integers are apart at most; floats relative to the largest.
double distance(const Tensor& got, const Tensor& wanted) {
  if (is_float(wanted.dtype())) return testing::relative_error(got, wanted);
  EXPECT_EQ(got.dtype(), wanted.dtype());
  EXPECT_EQ(got.shape(), wanted.shape());
  double largest = 0;
  for (int64_t i = 0; i < wanted.size(); ++i)
    largest = std::max(largest, std::abs(got.as_double(i) - wanted.as_double(i)));
  return largest;
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
