// A number written into a program, as 64 bits and their kind:
// 64-bit integers are exact, -0 is not 0, NaN equals itself.
//
//   Immediate(0.1f).as_double(), Immediate(INT64_MAX).as_int(), Immediate(-0.0) != Immediate(0.0)
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "base/tensor.h"

namespace lapis {

class Immediate {
 public:
  enum class Kind : uint8_t { Real, Signed, Unsigned };

  constexpr Immediate() = default;  // the integer 0
  template <class T>
  requires std::is_arithmetic_v<T>
  constexpr Immediate(T value)
      : bits_(std::is_floating_point_v<T> ? std::bit_cast<uint64_t>(static_cast<double>(value))
                                          : static_cast<uint64_t>(value)),
        kind_(std::is_floating_point_v<T> ? Kind::Real
              : std::is_signed_v<T>       ? Kind::Signed
                                          : Kind::Unsigned) {}
  static Immediate element(const Tensor& tensor, int64_t i);

  constexpr Kind kind() const { return kind_; }
  constexpr uint64_t bits() const { return bits_; }
  double as_double() const;
  int64_t as_int() const;  // the bits of an integer; real numbers truncate, saturate, and NaN is 0
  // The same number in the kind that holds elements of `dtype`.
  Immediate held_as(DType dtype) const;
  bool operator==(const Immediate&) const = default;

 private:
  uint64_t bits_ = 0;
  Kind kind_ = Kind::Signed;
};

// "0.1", "-3", shortest text that reads back as the same number.
std::string to_string(Immediate immediate);

}  // namespace lapis
