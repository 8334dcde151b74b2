// Real models of TensorFlow give the results that their framework recorded, compiled.
#include <gtest/gtest.h>

#include "driver/runner.h"
#include "frontends/frontend.h"
#include "tests/driver/compare.h"
#include "tests/models/recorded.h"

namespace lapis {
namespace {

using testing::load;

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

}  // namespace
}  // namespace lapis
