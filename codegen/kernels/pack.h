// Packing: weights and parameters in the order in which the emitted code reads them (blocking.h says which).
#pragma once

#include <cstring>
#include <span>

#include "codegen/kernels/blocking.h"

namespace lapis::kernels {

// Nothing of weights that are computed, and of the parameters nothing either if they are too.
std::vector<uint8_t> pack_weights(const Contraction& c, const Blocking& blocking);
// Bias with the compensation for the input's zero point, then the per-channel operands, whose values are in
// plan.constants.
std::vector<uint8_t> pack_parameters(const Contraction& c, const Blocking& blocking, const Plan& plan);

// What each sum starts with for every unit of its channel's weights: less the zero point of the input as the kernel sees it.
int32_t start_per_weight(const Contraction& c, const Kernel& kernel);

template <class T> std::vector<uint8_t> bytes_of(std::span<const T> values) {
  std::vector<uint8_t> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace lapis::kernels
