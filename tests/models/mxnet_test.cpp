// MXNet models compute what MXNet recorded (tests/frontends/mxnet/generate.py), evaluated and compiled;
// the face detectors of the zoo too.
#include <gtest/gtest.h>

#include "tests/models/recorded_models.h"

namespace lapis {
namespace {

using testing::load;

const Path kZoo = Path(LAPIS_SOURCE_DIR) / "../shared/zoo/mtcnn-mxnet";
constexpr double kTolerance = 1e-5;

TEST(Mxnet, OperatorsComputeWhatMxnetRecorded) {
  const auto models = testing::recorded_models(Path(LAPIS_SOURCE_DIR) / "tests/frontends/mxnet", "-symbol.json");
  ASSERT_GE(models.size(), 6u);
  for (const auto& model : models) testing::expect_as_recorded(model, kTolerance);
}

// Every operator rounds once, as MXNet does. A value that lies between two integers may go to the other one, because
// floats are added in another order and MXNet rounds a bias to the units of its sums, or an addend to those of the
// other one first: one step of 127.5, of which the largest value may be 127.
TEST(Mxnet, QuantizedSymbolsComputeWhatMxnetRecorded) {
  constexpr double kStep = 1.0 / 126;
  const auto models =
      testing::recorded_models(Path(LAPIS_SOURCE_DIR) / "tests/frontends/mxnet/quantized", "-symbol.json");
  ASSERT_GE(models.size(), 4u);
  for (const auto& model : models) testing::expect_as_recorded(model, kStep);
}

// Gray pixels in three channels, (x - 127.5) / 128.
Tensor prepared(const Tensor& pixels) {
  const bool has_channels = pixels.rank() == 3 && pixels.dim(2) == 3;
  const int64_t area = pixels.dim(0) * pixels.dim(1);
  Tensor image(DType::Float32, {1, 3, pixels.dim(0), pixels.dim(1)});
  for (int64_t p = 0; p < area; ++p)
    for (int64_t c = 0; c < 3; ++c)
      image.mutable_data<float>()[static_cast<size_t>(c * area + p)] =
          (static_cast<float>(pixels.as_int(has_channels ? p * 3 + c : p)) - 127.5f) / 128;
  return image;
}

// The outputs by the names that the symbol gives them.
void expect_recorded(const std::string& net, const Tensor& input) {
  for (const Backend backend : {Backend::Reference, Backend::Jit}) {
    const auto runner = open_model(kZoo / (net + "-symbol.json"),
                                   {.model = {.shapes = {{"data", input.shape()}}}, .backend = backend, .threads = 2});
    ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
    const auto got = (*runner)->run({input});
    ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
    for (size_t i = 0; i < got->size(); ++i) {
      const std::string name = (*runner)->outputs()[i].name;
      const Tensor wanted = load(kZoo / "ref" / (net + "_" + name + ".npy"));
      EXPECT_LE(testing::relative_error((*got)[i], wanted), kTolerance) << net << " " << name;
    }
  }
}

TEST(Mxnet, FaceDetectorsOfTheZooGiveTheirRecordedOutputs) {
  if (!std::filesystem::exists(kZoo)) GTEST_SKIP() << kZoo << " is not here";
  expect_recorded("det1", prepared(load(kZoo / "pnet_image_u8.npy")));
  for (const char* net : {"det2", "det3"}) expect_recorded(net, load(kZoo / "ref" / (std::string(net) + "_input.npy")));
}

}  // namespace
}  // namespace lapis
