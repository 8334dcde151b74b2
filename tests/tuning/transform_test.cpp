// Transforms: pictures against Pillow's (tests/tuning/data/generate.py),
// the rest against values that can be checked by eye.
#include "tuning/data/transforms.h"

#include <gtest/gtest.h>

#include "tuning/data/config.h"
#include "tuning/data/npy.h"

namespace lapis {
namespace {

const Path kData = Path(LAPIS_SOURCE_DIR) / "tests/tuning/data";

// `yaml` is a list of transforms.
Result<Tensor> transformed(const std::string& yaml, Tensor t) {
  LAPIS_TRY(const DatasetConfig config,
            parse_dataset_config("inputs: [{name: x, npy: x.npy, transforms: " + yaml + "}]", "data.yaml"));
  for (const TransformConfig& c : config.inputs[0].transforms) {
    LAPIS_TRY(const TransformFunction f, c.transform.make(c.settings));
    LAPIS_TRY(t, f(t));
  }
  return t;
}

Tensor expect_transformed(const std::string& yaml, const Tensor& t) {
  auto result = transformed(yaml, t);
  EXPECT_TRUE(result.ok()) << to_string(result.diagnostics());
  return *std::move(result);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.dtype(), b.dtype());
  EXPECT_EQ(a.shape(), b.shape());
  double largest = 0;
  for (int64_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.as_double(i) - b.as_double(i)));
  return largest;
}

TEST(Transforms, ResizeAsPillowDoes) {
  const Tensor picture = *read_npy(kData / "picture.npy");
  for (const char* filter : {"nearest", "bilinear", "bicubic"})
    for (const char* size : {"8x8", "29x31", "13x40", "5x17"}) {
      const std::string text = size;
      const std::string comma = text.substr(0, text.find('x')) + ", " + text.substr(text.find('x') + 1);
      const Tensor wanted = *read_npy(kData / ("resized_" + std::string(filter) + "_" + text + ".npy"));
      const Tensor got = expect_transformed("[{resize: {size: [" + comma + "], filter: " + filter + "}}]", picture);
      EXPECT_LE(largest_difference(got, wanted), 1) << filter << " " << size;
    }
}

TEST(Transforms, ResizeOfFloatsAsPillowDoes) {
  const Tensor got = expect_transformed("[{resize: [8, 8]}]", *read_npy(kData / "floats.npy"));
  EXPECT_LE(largest_difference(got, *read_npy(kData / "resized_floats_8x8.npy")), 1e-5);
}

TEST(Transforms, ResizeOfTheShortSide) {
  EXPECT_EQ(expect_transformed("[{resize: 6}]", Tensor(DType::UInt8, {12, 20, 3})).shape(), (Shape{6, 10, 3}));
  EXPECT_EQ(expect_transformed("[{resize: 6}]", Tensor(DType::UInt8, {20, 12})).shape(), (Shape{10, 6}));
}

TEST(Transforms, Crops) {
  const Tensor t = Tensor::of<uint8_t>({3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  EXPECT_EQ(expect_transformed("[{center_crop: 2}]", t), Tensor::of<uint8_t>({2, 2}, {1, 2, 5, 6}));
  EXPECT_EQ(expect_transformed("[{center_crop: [3, 1]}]", t), Tensor::of<uint8_t>({3, 1}, {1, 5, 9}));
  EXPECT_EQ(expect_transformed("[{crop: [1, 2, 2, 2]}]", t), Tensor::of<uint8_t>({2, 2}, {6, 7, 10, 11}));
}

TEST(Transforms, Normalize) {
  const Tensor bytes = Tensor::of<uint8_t>({2, 2}, {0, 10, 255, 20}),
               words = Tensor::of<int16_t>({2, 2}, {0, 10, 255, 20});
  for (const Tensor& t : {bytes, words}) {
    EXPECT_EQ(expect_transformed("[{normalize: {scale: 0.5, mean: [1, 2], std: [2, 4]}}]", t),
              Tensor::of<float>({2, 2}, {-0.5, 0.75, 63.25, 2}));
    EXPECT_EQ(expect_transformed("[{normalize: {mean: [1, 2], axis: 0}}]", t),
              Tensor::of<float>({2, 2}, {-1, 9, 253, 18}));
    EXPECT_EQ(expect_transformed("[{normalize: {scale: 2}}]", t), Tensor::of<float>({2, 2}, {0, 20, 510, 40}));
  }
  EXPECT_EQ(expect_transformed("[{normalize: {scale: 2}}]", Tensor::scalar<int32_t>(4)), Tensor::scalar<float>(8));
  EXPECT_FALSE(transformed("[{normalize: {mean: [1, 2, 3]}}]", bytes).ok());
  EXPECT_FALSE(transformed("[{normalize: {mean: [1, 2], axis: 2}}]", bytes).ok());
}

TEST(Transforms, CastRoundsAndSaturates) {
  const Tensor t = Tensor::vector<float>({-1.5F, 0.5F, 1.5F, 300, -300});
  EXPECT_EQ(expect_transformed("[{cast: int8}]", t), Tensor::vector<int8_t>({-2, 0, 2, 127, -128}));
  EXPECT_EQ(expect_transformed("[{cast: uint8}]", t), Tensor::vector<uint8_t>({0, 0, 2, 255, 0}));
  EXPECT_EQ(expect_transformed("[{cast: int64}]", Tensor::vector<uint64_t>({1, (uint64_t{1} << 60) + 1})),
            Tensor::vector<int64_t>({1, (int64_t{1} << 60) + 1}));
  EXPECT_EQ(expect_transformed("[{cast: float32}]", Tensor::vector<int16_t>({-7})), Tensor::vector<float>({-7}));
}

TEST(Transforms, Moves) {
  const Tensor t = Tensor::of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(expect_transformed("[{transpose: [1, 0]}]", t), Tensor::of<int32_t>({3, 2}, {1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(expect_transformed("[{reshape: [3, -1]}]", t), Tensor::of<int32_t>({3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(expect_transformed("[{repeat: 2}]", Tensor::vector<int32_t>({1, 2})),
            Tensor::of<int32_t>({2, 2}, {1, 2, 1, 2}));
  EXPECT_EQ(expect_transformed("[{repeat: {times: 2, axis: 1}}]", Tensor::vector<int32_t>({1, 2})),
            Tensor::of<int32_t>({2, 2}, {1, 1, 2, 2}));
  EXPECT_EQ(expect_transformed("[reverse]", t), Tensor::of<int32_t>({2, 3}, {3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(expect_transformed("[{reverse: 0}]", t), Tensor::of<int32_t>({2, 3}, {4, 5, 6, 1, 2, 3}));
  EXPECT_EQ(expect_transformed("[{pad: {before: [0, 1], after: [1, 0], value: 9}}]", t),
            Tensor::of<int32_t>({3, 4}, {9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9}));
  EXPECT_EQ(expect_transformed("[{pad: [2, 4]}]", t), Tensor::of<int32_t>({2, 4}, {1, 2, 3, 0, 4, 5, 6, 0}));
}

TEST(Transforms, HappenInTheirOrder) {
  const Tensor t = Tensor::of<uint8_t>({1, 2}, {100, 200});
  EXPECT_EQ(expect_transformed("[{normalize: {scale: 2}}, {cast: uint8}]", t), Tensor::of<uint8_t>({1, 2}, {200, 255}));
  EXPECT_EQ(expect_transformed("[{cast: int8}, {normalize: {scale: 2}}]", t), Tensor::of<float>({1, 2}, {200, 254}));
}

}  // namespace
}  // namespace lapis
