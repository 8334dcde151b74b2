// Packing: weights and parameters in the order in which the emitted code reads them (blocking.h says which).
#pragma once

#include <cstring>
#include <span>
#include <string>

#include "codegen/kernels/blocking.h"

namespace lapis::kernels {

// The weights of neighbouring channels in order, a panel of them at a time: nobody needs a turned copy of them all.
class OrderedChannels {
 public:
  OrderedChannels(const Weights& weights, int64_t channels) : weights_(weights), channels_(channels) {}
  // Of channels [first, first + count), one behind the other; valid until the next call.
  const std::byte* of(int64_t first, int64_t count);

 private:
  void load(int64_t first, int64_t count);
  const Weights& weights_;
  const int64_t channels_;
  int64_t first_ = 0, count_ = 0;  // of the channels in the window
  std::vector<std::byte> window_;
};

// All on which the order depends besides the weights themselves.
std::string weight_format(const Contraction& c, const Blocking& blocking);
// The weights of a contraction to `to`, which is zeros.
// Gives the sum of each output channel's weights, if they are integers.
std::vector<int32_t> pack_weights(const Contraction& c, const Blocking& blocking, std::span<std::byte> to);
// Nothing if sums start from what is computed. Bias with the compensation for the input's zero point, then the
// per-channel operands, whose values are in plan.constants. `sums` are those of the weights.
std::vector<uint8_t> pack_parameters(const Contraction& c, const Blocking& blocking, const Plan& plan,
                                     std::span<const int32_t> sums);

// What each sum starts with for every unit of its channel's weights:
// less the zero point of the input as the kernel sees it.
int32_t start_per_weight(const Contraction& c, const Kernel& kernel);

template <class T> std::vector<uint8_t> bytes_of(std::span<const T> values) {
  std::vector<uint8_t> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace lapis::kernels
