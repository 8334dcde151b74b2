#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

Operand no_roi() { return nullptr; }
Attributes mode(const std::string& mode, const std::string& coordinates) {
  return {{"mode", mode}, {"coordinate_transformation_mode", coordinates}};
}

TEST(Resize, RepeatsTheNearestElement) {
  const Tensor x = Tensor::of<float>({1, 1, 2}, {1, 2}), scales = Tensor::vector<float>({1, 1, 2.5f});
  EXPECT_EQ(values<float>(run1(ops::Resize, {x, no_roi(), scales}, mode("nearest", "asymmetric"))),
            (Floats{1, 1, 2, 2, 2}));
  // asymmetric coordinates 0, 0.4, 0.8, 1.2, 1.6 rounded down
  Attributes floor = mode("nearest", "asymmetric");
  floor["nearest_mode"] = std::string("floor");
  EXPECT_EQ(values<float>(run1(ops::Resize, {x, no_roi(), scales}, floor)), (Floats{1, 1, 1, 2, 2}));
}

TEST(Resize, InterpolatesLinearlyAndClampsAtTheEdge) {
  const Tensor x = Tensor::of<float>({1, 1, 2}, {0, 4}), sizes = Tensor::vector<int64_t>({1, 1, 4});
  // half_pixel coordinates -0.25, 0.25, 0.75, 1.25
  EXPECT_EQ(values<float>(run1(ops::Resize, {x, no_roi(), nullptr, sizes}, mode("linear", "half_pixel"))),
            (Floats{0, 1, 3, 4}));
  const Tensor three = Tensor::vector<int64_t>({1, 1, 3});
  EXPECT_EQ(values<float>(run1(ops::Resize, {x, no_roi(), nullptr, three}, mode("linear", "align_corners"))),
            (Floats{0, 2, 4}));
}

TEST(Resize, KeepsConstantsUnderEveryFilter) {
  const Tensor x = filled({1, 1, 5, 7}, 3), sizes = Tensor::vector<int64_t>({1, 1, 9, 4});
  for (const char* m : {"nearest", "linear", "cubic"})
    for (int64_t antialias : {0, 1}) {
      Attributes a = mode(m, "half_pixel");
      a["antialias"] = antialias;
      const Tensor y = run1(ops::Resize, {x, no_roi(), nullptr, sizes}, a);
      EXPECT_EQ(y.shape(), (Shape{1, 1, 9, 4}));
      for (float v : y.data<float>()) EXPECT_NEAR(v, 3, 1e-6) << m;
    }
}

// 3 rows by 1.4 are 4.2, cut down to 4; coordinates follow from 1.4 all the same: -1/7, 4/7, 9/7, 2.
TEST(Resize, KeepsTheScaleThatTheAspectRatioGives) {
  const Tensor x = Tensor::of<float>({3, 5}, {0, 0, 0, 0, 0, 7, 7, 7, 7, 7, 14, 14, 14, 14, 14});
  Attributes a = mode("linear", "half_pixel");
  a["keep_aspect_ratio_policy"] = std::string("not_larger");
  const Tensor y = run1(ops::Resize, {x, no_roi(), nullptr, Tensor::vector<int64_t>({9, 7})}, a);
  ASSERT_EQ(y.shape(), (Shape{4, 7}));
  for (int64_t row = 0; row < 4; ++row)
    EXPECT_FLOAT_EQ(y.data<float>()[static_cast<size_t>(7 * row)], (Floats{0, 4, 9, 14})[static_cast<size_t>(row)]);
}

TEST(Resize, ExtrapolatesOutsideOfTheCrop) {
  const Tensor x = Tensor::of<float>({3}, {1, 2, 3}), roi = Tensor::vector<float>({0, 2}),
               sizes = Tensor::vector<int64_t>({3});
  Attributes a = mode("linear", "tf_crop_and_resize");
  a["extrapolation_value"] = -1.0f;
  EXPECT_EQ(values<float>(run1(ops::Resize, {x, roi, nullptr, sizes}, a)), (Floats{1, 3, -1}));
}

TEST(Resize, InfersSizes) {
  const Dim h = Dim::symbol("H");
  const Type x = floats({N(), 3, h, 10});
  EXPECT_EQ(inferred(ops::Resize, {x, no_roi(), Tensor::vector<float>({1, 1, 2, 0.5f})}), "float[N,3,2*H,5]");
  EXPECT_EQ(inferred(ops::Resize, {x, no_roi(), Tensor::vector<float>({2, 0.6f})}, {{"axes", Ints{-2, -1}}}),
            "float[N,3,2*H,6]");
  EXPECT_EQ(inferred(ops::Resize, {floats({1, 3, 20, 10}), no_roi(), nullptr, Tensor::vector<int64_t>({10, 10})},
                     {{"axes", Ints{2, 3}}, {"keep_aspect_ratio_policy", std::string("not_larger")}}),
            "float[1,3,10,5]");
  EXPECT_EQ(inferred(ops::Resize, {x}), "exactly one of scales and sizes must be given");
}

}  // namespace
}  // namespace lapis::testing
