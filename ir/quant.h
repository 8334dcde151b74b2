// In how few bits operators can compute: the words of recipes (passes/quantize/recipe.h), and the rows of the operator
// records' `quant` column, which say what a recipe may ask of an operator on a target.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/target.h"

namespace lapis {

enum class Precision : uint8_t { Float32, Int8 };  // "fp32", "int8"
enum class Granularity : uint8_t {
  Tensor,
  Channel,
  Block
};  // what shares a scale: all, an output channel, `block` elements of one

// How a tensor is stored in fewer bits.
struct Scheme {
  DType type = DType::UInt8;
  bool symmetric = false;  // the zero point is 0
  Granularity granularity = Granularity::Tensor;
  int64_t block = 0;  // of Granularity::Block
  bool operator==(const Scheme&) const = default;
  std::string to_string() const;  // "int8 symmetric per channel"
};

// The names that recipes use, and back.
std::string_view name_of(Precision precision);
std::string_view name_of(Granularity granularity);
std::optional<Precision> precision_from_name(std::string_view name);
std::optional<Granularity> granularity_from_name(std::string_view name);
std::vector<std::string> precision_names();
std::vector<std::string> granularity_names();

// How quantization treats an operator (passes/quantize).
enum class Quant : uint8_t {
  KeepFloat,    // stays float
  Contraction,  // integer operands, int32 accumulator, requantized output
  Elementwise,  // integers in and out, computed in float in registers: Add, Mul, activations
  SharedScale,  // moves or selects values: output scale = input scale, computed on the bytes
  Average,      // integer sum of the bytes, one float multiply
};

// One way in which an operator computes in fewer bits.
struct Capability {
  Quant form = Quant::KeepFloat;
  Precision precision = Precision::Int8;
  std::vector<Scheme> data;     // its activations take one of these
  std::vector<Scheme> weights;  // and its weights one of these; empty: it has none
  Target needs;                 // a target with less cannot
};

// What the int8 kernels and loops take, by form.
Capability int8_capability(Quant form);

}  // namespace lapis
