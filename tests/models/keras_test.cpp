// Keras models compute what Keras recorded (tests/frontends/keras/generate.py), evaluated and compiled;
// the one of the zoo too.
#include <gtest/gtest.h>

#include "tests/models/recorded_models.h"

namespace lapis {
namespace {

using testing::load;

const Path kFolder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/keras";
const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo/resnet8-mlperf-tiny";

void expect_as_recorded(const testing::RecordedModel& model) {
  constexpr double kTolerance = 2e-5, kOfTable = 1e-3;  // TensorFlow's coefficients come from a table
  testing::expect_as_recorded(model, model.name.ends_with("bicubic") ? kOfTable : kTolerance);
}

TEST(Keras, LayersOfHdf5FilesComputeWhatKerasRecorded) {
  const auto models = testing::recorded_models(kFolder, ".h5");
  ASSERT_GE(models.size(), 14u);
  for (const auto& model : models) expect_as_recorded(model);
}

TEST(Keras, LayersOfArchivesComputeWhatKerasRecorded) {
  const auto models = testing::recorded_models(kFolder, ".keras");
  ASSERT_GE(models.size(), 12u);
  for (const auto& model : models) expect_as_recorded(model);
}

TEST(Keras, TheModelOfTheZooGivesItsRecordedOutputs) {
  if (!std::filesystem::exists(kZoo)) GTEST_SKIP() << kZoo << " is not here";
  const Tensor input = load(kZoo / "ref/input.npy"), wanted = load(kZoo / "ref/output_h5.npy");
  const auto runner =
      open_model(kZoo / "resnet8.h5", {.model = {.shapes = {{"input_1", input.shape()}}}, .threads = 2});
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const auto got = (*runner)->run({input});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  EXPECT_LE(testing::relative_error((*got)[0], wanted), 1e-4);
}

}  // namespace
}  // namespace lapis
