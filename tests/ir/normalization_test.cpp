#include <cmath>

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

void expect_near(const Tensor& t, const Floats& expected, float tolerance = 1e-6f) {
  const Floats got = values<float>(t);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(BatchNormalization, UsesTheGivenStatistics) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {1, 2, 3, 4});
  auto v = [](float a, float b) { return Tensor::vector<float>({a, b}); };
  // channel 0: (x - 1) / 2 * 4 + 10; channel 1: (x - 3) / 1 * 1 + 0
  expect_near(run1(ops::BatchNormalization, {x, v(4, 1), v(10, 0), v(1, 3), v(4, 1)}, {{"epsilon", 0.0f}}),
              {10, 12, 0, 1});
  EXPECT_EQ(inferred(ops::BatchNormalization, {x, v(1, 1), v(1, 1), v(1, 1), v(1, 1)}, {{"training_mode", int64_t{1}}}),
            "training_mode is not supported");
  EXPECT_EQ(inferred(ops::BatchNormalization, {x, ramp({3}), v(1, 1), v(1, 1), v(1, 1)}),
            "input 'scale' is float[3], one value for each of 2 channels is needed");
}

TEST(LayerNormalization, RefusesAScaleThatIsLargerThanTheInput) {
  EXPECT_NE(inferred(ops::LayerNormalization, {floats({2, 1}), floats({5})}).find("does not broadcast to the input"),
            std::string::npos);
}

TEST(LayerNormalization, NormalizesTheTrailingAxes) {
  const Tensor x = Tensor::of<float>({2, 2}, {1, 3, 10, 30});
  auto y = run(ops::LayerNormalization, {x, Tensor::vector<float>({1, 2}), Tensor::vector<float>({0, 5})},
               {{"epsilon", 0.0f}}, 3);
  ASSERT_TRUE(y.ok());
  expect_near((*y)[0], {-1, 7, -1, 7});
  expect_near((*y)[1], {2, 20});
  expect_near((*y)[2], {1, 0.1f});
  EXPECT_EQ((*y)[1].shape(), (Shape{2, 1}));
}

TEST(InstanceAndGroupNormalization, ShareStatisticsPerChannelOrGroup) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {1, 3, 5, 9});
  const Tensor one = filled({2}, 1), zero = filled({2}, 0);
  expect_near(run1(ops::InstanceNormalization, {x, one, zero}, {{"epsilon", 0.0f}}), {-1, 1, -1, 1});
  // One group: mean 4.5, variance (12.25 + 2.25 + 0.25 + 20.25) / 4 = 8.75
  const float s = std::sqrt(8.75f);
  expect_near(run1(ops::GroupNormalization, {x, one, zero}, {{"epsilon", 0.0f}, {"num_groups", int64_t{1}}}),
              {-3.5f / s, -1.5f / s, 0.5f / s, 4.5f / s});
}

TEST(Lrn, SumsSquaresOfNeighbouringChannels) {
  const Tensor x = Tensor::of<float>({1, 3, 1}, {1, 2, 3});
  // alpha / size = 1, bias 0, beta 0.5: divide by the length of the neighbourhood
  expect_near(run1(ops::LRN, {x}, {{"size", int64_t{3}}, {"alpha", 3.0f}, {"beta", 0.5f}, {"bias", 0.0f}}),
              {1 / std::sqrt(5.0f), 2 / std::sqrt(14.0f), 3 / std::sqrt(13.0f)});
}

TEST(Softmax, WorksAlongAnyAxisWithoutOverflow) {
  expect_near(run1(ops::Softmax, {Tensor::of<float>({2, 1}, {1000, 1000})}, {{"axis", int64_t{0}}}), {0.5f, 0.5f});
  expect_near(run1(ops::LogSoftmax, {Tensor::vector<float>({0, 0, 0, 0})}), Floats(4, -std::log(4.0f)));
  EXPECT_EQ(inferred(ops::Softmax, {floats({1, 12, 64})}, {{"axis", int64_t{5}}}),
            "axis 5 is out of range for float[1,12,64]");
}

TEST(Dropout, IsTheIdentity) {
  auto y = run(ops::Dropout, {ramp({3}), Tensor::scalar(0.9f)}, {}, 2);
  ASSERT_TRUE(y.ok());
  EXPECT_TRUE((*y)[0] == ramp({3}));
  EXPECT_TRUE((*y)[1].data<bool>()[2]);
}

TEST(Dropout, DropsNothingAtRatioZeroAndIsRefusedInTraining) {
  const Tensor on = Tensor::scalar(true), off = Tensor::scalar(false);
  EXPECT_TRUE(run(ops::Dropout, {ramp({3}), Tensor::scalar(0.5f), off}).ok());
  EXPECT_TRUE(run(ops::Dropout, {ramp({3}), Tensor::scalar(0.f), on}).ok());
  for (const Tensor& ratio : {Tensor::scalar(0.5f), Tensor()}) {
    const auto refused = run(ops::Dropout, {ramp({3}), ratio, on});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(to_string(refused.diagnostics()).find("training_mode is true"), std::string::npos);
  }
}

}  // namespace
}  // namespace lapis::testing
