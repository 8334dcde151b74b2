// Weights are brought into order a few channels at a time, and are then what they would be in order as a whole.
#include "codegen/kernels/pack.h"

#include <gtest/gtest.h>

#include <random>

namespace lapis::kernels {
namespace {

Tensor noise(DType dtype, Shape shape) {
  std::mt19937 random(3);
  Tensor tensor(dtype, std::move(shape));
  for (int64_t i = 0; i < tensor.bytes(); ++i) tensor.mutable_raw()[i] = static_cast<std::byte>(random());
  return tensor;
}

void expect_order(const Weights& weights, int64_t channels, int64_t at_once) {
  const Tensor whole = weights.in_order();
  const int64_t bytes = whole.bytes() / channels;
  OrderedChannels ordered(weights, channels);
  for (int64_t first = 0; first < channels; first += at_once) {
    const int64_t count = std::min(at_once, channels - first);
    EXPECT_EQ(std::memcmp(ordered.of(first, count), whole.raw() + first * bytes, static_cast<size_t>(count * bytes)), 0)
        << first;
  }
}

TEST(OrderedChannels, AreThoseOfTheWholeTensor) {
  for (const DType dtype : {DType::Int8, DType::BFloat16, DType::Float32})
    for (const int64_t at_once : {1, 16, 48, 100}) {
      expect_order({noise(dtype, {70, 150}), {1, 150, 1, 70}, 70, 150}, 150, at_once);  // a matrix [k, channels]
      expect_order({noise(dtype, {150, 7, 9}), {1, 150, 9, 7}, 7, 9}, 150, at_once);    // a convolution
      expect_order({noise(dtype, {2, 75, 7, 9}), {2, 75, 9, 7}, 7, 9}, 150, at_once);   // ... of two groups
      expect_order({noise(dtype, {1, 150, 1, 70})}, 150, at_once);                      // in order already
      expect_order({noise(dtype, {1, 33}), {1, 33, 1, 1}, 1, 33}, 33, at_once);         // one input
    }
}

// The elements of a turned matrix are those of its source, with rows and columns exchanged.
TEST(OrderedChannels, TurnMatrices) {
  const Weights weights(Tensor::of<int8_t>({2, 3}, {1, 2, 3, 4, 5, 6}), {1, 3, 1, 2}, 2, 3);
  OrderedChannels ordered(weights, 3);
  const auto* second = reinterpret_cast<const int8_t*>(ordered.of(1, 1));
  EXPECT_EQ(second[0], 2);
  EXPECT_EQ(second[1], 5);
}

}  // namespace
}  // namespace lapis::kernels
