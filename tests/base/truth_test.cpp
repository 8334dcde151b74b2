#include "base/truth.h"

#include <gtest/gtest.h>

#include <cstring>

namespace lapis {
namespace {

Tensor of_bytes(DType dtype, const std::vector<uint8_t>& bytes) {
  Tensor tensor(dtype, {static_cast<int64_t>(bytes.size())});
  std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
  return tensor;
}

TEST(TruthValues, AreZeroAndOneWhateverTheBytesWere) {
  EXPECT_EQ(with_truth_values(of_bytes(DType::Bool, {0, 1, 2, 32, 255})), of_bytes(DType::Bool, {0, 1, 1, 1, 1}));
}

TEST(TruthValues, OthersAreLeftAsTheyAre) {
  const Tensor bytes = of_bytes(DType::UInt8, {0, 2, 255}), good = of_bytes(DType::Bool, {1, 0});
  EXPECT_EQ(with_truth_values(bytes).raw(), bytes.raw());
  EXPECT_EQ(with_truth_values(good).raw(), good.raw());
  EXPECT_EQ(with_truth_values(Tensor(DType::Bool, {0, 3})).shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace lapis
