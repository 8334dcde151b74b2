// Real models of TensorFlow give the results that their framework recorded, compiled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "driver/runner.h"
#include "frontends/frontend.h"
#include "ir/evaluate.h"
#include "tests/driver/compare.h"
#include "tests/models/recorded.h"

namespace lapis {
namespace {

using testing::load;

const Path kCases = Path(LAPIS_SOURCE_DIR) / "tests/frontends/tensorflow/cases.pb";
const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo";

#define SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is not here"

std::unique_ptr<Runner> compiled(const Path& model, const ImportOptions& options) {
  auto graph = import_model(model, options);
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  if (!graph.ok() || !bind_model(**graph, {}).ok()) return nullptr;
  auto runner = open_graph(**graph, RunnerOptions{});
  EXPECT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  return runner.ok() ? *std::move(runner) : nullptr;
}

// What a function of the elements makes of a tensor of integers.
Tensor scaled(const Tensor& integers, Shape shape, float divisor) {
  Tensor result(DType::Float32, std::move(shape));
  for (int64_t i = 0; i < result.size(); ++i)
    result.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(integers.as_double(i)) / divisor;
  return result;
}

// A frozen graph with its training parts, cut off where it is called; dropout is switched off for good.
TEST(DeepBrain, GivesTheRecordedProbabilities) {
  const Path folder = kZoo / "deepbrain-extractor";
  SKIP_WITHOUT(folder);
  const auto runner = compiled(folder / "graph.pb",
                               {.inputs = {"img:0", "training:0"}, .outputs = {"prob:0"}, .values = {{"training", 0}}});
  ASSERT_TRUE(runner);
  constexpr int64_t kSize = 128, kStep = 4;
  const auto got = runner->run({scaled(load(folder / "volume_u8.npy"), {1, kSize, kSize, kSize, 1}, 255)});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  const Tensor wanted = load(folder / "ref/prob_every_4th_voxel.npy");
  double worst = 0;
  int64_t i = 0;
  for (int64_t d = 0; d < kSize; d += kStep)
    for (int64_t h = 0; h < kSize; h += kStep)
      for (int64_t w = 0; w < kSize; w += kStep)
        worst = std::max(worst, std::abs((*got)[0].as_double((d * kSize + h) * kSize + w) - wanted.as_double(i++)));
  EXPECT_EQ(i, wanted.size());
  EXPECT_LE(worst, 1e-4);
}

TEST(BasicPitch, SavedModelGivesTheRecordedNotes) {
  const Path folder = kZoo / "basic-pitch";
  SKIP_WITHOUT(folder);
  const auto runner = compiled(folder / "saved_model", {});
  ASSERT_TRUE(runner);
  constexpr int64_t kSamples = 43844;
  const auto got = runner->run({scaled(load(folder / "audio_i16.npy"), {1, kSamples, 1}, 32768)});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  size_t i = 0;
  for (const char* name : {"contour", "note", "onset"}) {
    const Tensor wanted = load(folder / "ref" / (std::string(name) + ".npy"));
    EXPECT_EQ(runner->outputs()[i].name, name);
    EXPECT_LE(testing::relative_error((*got)[i++].reshaped(wanted.shape()), wanted), 1e-4) << name;
  }
}

// Of the recorded cases, whose constants they are.
std::vector<Tensor> recorded(const std::string& kind, const std::vector<std::string>& names) {
  const auto graph = import_model(kCases, {.outputs = names});
  EXPECT_TRUE(graph.ok()) << kind << ": " << to_string(graph.diagnostics());
  const auto values = evaluate(**graph, {});
  EXPECT_TRUE(values.ok()) << kind << ": " << to_string(values.diagnostics());
  return values.ok() ? *values : std::vector<Tensor>{};
}

void expect_compiled(const std::string& name, size_t outputs) {
  std::vector<std::string> results, wanted;
  for (size_t i = 0; i < outputs; ++i) {
    results.push_back(name + "/y" + std::to_string(i));
    wanted.push_back(name + "/out" + std::to_string(i));
  }
  const auto runner = compiled(kCases, {.outputs = results});
  ASSERT_TRUE(runner) << name;
  std::vector<std::string> inputs;
  for (const auto& input : runner->inputs()) inputs.push_back(name + "/in" + input.name.back());
  const auto got = runner->run(recorded(name, inputs));
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  const std::vector<Tensor> values = recorded(name, wanted);
  for (size_t i = 0; i < outputs; ++i)
    EXPECT_LE(testing::relative_error((*got)[i], values[i]), is_float(values[i].dtype()) ? 1e-5 : 0) << results[i];
}

TEST(ChosenBoxes, AreThoseThatTensorflowRecordedCompiled) {
  expect_compiled("nonmaxsuppressionv4", 6);
  expect_compiled("nonmaxsuppressionv4_called", 2);
  expect_compiled("nonmaxsuppressionv5", 12);
  expect_compiled("combinednonmaxsuppression", 12);
  expect_compiled("combinednonmaxsuppression_forms", 8);
}

TEST(ChosenBoxes, WhoseNumberDependsOnValuesAreNotCompiled) {
  const auto graph = import_model(kCases, {.outputs = {"nonmaxsuppressionv3/y0"}});
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto refused = open_graph(**graph, RunnerOptions{});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(to_string(refused.diagnostics()), ::testing::HasSubstr("its size depends on values"));
  EXPECT_THAT(to_string(refused.diagnostics()), ::testing::HasSubstr("--backend=reference"));
}

}  // namespace
}  // namespace lapis
