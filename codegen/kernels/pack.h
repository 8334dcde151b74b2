// Packing: weights and parameters in the order in which the emitted code reads them (blocking.h says which).
#pragma once

#include <cstring>
#include <span>
#include <string>

#include "codegen/kernels/blocking.h"

namespace lapis::kernels {

// All on which the order depends besides the weights themselves.
std::string weight_format(const Contraction& c, const Blocking& blocking);
// `weights`: those of c, in order.
std::vector<uint8_t> pack_weights(const Contraction& c, const Blocking& blocking, const Tensor& weights);
// Of each output channel's weights, if they are integers.
std::vector<int32_t> weight_sums(const Contraction& c, const Tensor& weights);
// Nothing if sums start from what is computed. Bias with the compensation for the input's zero point, then the per-channel operands, whose values are in
// plan.constants. `sums` are those of the weights.
std::vector<uint8_t> pack_parameters(const Contraction& c, const Blocking& blocking, const Plan& plan,
                                     std::span<const int32_t> sums);

// What each sum starts with for every unit of its channel's weights: less the zero point of the input as the kernel sees it.
int32_t start_per_weight(const Contraction& c, const Kernel& kernel);

template <class T> std::vector<uint8_t> bytes_of(std::span<const T> values) {
  std::vector<uint8_t> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace lapis::kernels
