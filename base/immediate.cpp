#include "base/immediate.h"

#include <charconv>

namespace lapis {

Immediate Immediate::element(const Tensor& tensor, int64_t i) {
  const DType dtype = tensor.dtype();
  if (is_float(dtype)) return tensor.as_double(i);
  return is_signed(dtype) ? Immediate(tensor.as_int(i)) : Immediate(static_cast<uint64_t>(tensor.as_int(i)));
}

double Immediate::as_double() const {
  if (kind_ == Kind::Real) return std::bit_cast<double>(bits_);
  return kind_ == Kind::Signed ? static_cast<double>(static_cast<int64_t>(bits_)) : static_cast<double>(bits_);
}

int64_t Immediate::as_int() const {
  if (kind_ != Kind::Real) return static_cast<int64_t>(bits_);
  const double value = as_double();
  if (value != value) return 0;
  if (value >= 0x1p63) return INT64_MAX;
  return value < -0x1p63 ? INT64_MIN : static_cast<int64_t>(value);
}

Immediate Immediate::held_as(DType dtype) const {
  if (is_float(dtype)) return as_double();
  return is_signed(dtype) ? Immediate(as_int()) : Immediate(static_cast<uint64_t>(as_int()));
}

std::string to_string(Immediate immediate) {
  char text[64];
  auto end = text;
  const double value = immediate.as_double();
  const auto single = static_cast<float>(value);
  if (immediate.kind() == Immediate::Kind::Signed)
    end = std::to_chars(text, std::end(text), immediate.as_int()).ptr;
  else if (immediate.kind() == Immediate::Kind::Unsigned)
    end = std::to_chars(text, std::end(text), immediate.bits()).ptr;
  else if (static_cast<double>(single) == value)
    end = std::to_chars(text, std::end(text), single).ptr;
  else
    end = std::to_chars(text, std::end(text), value).ptr;
  return {text, end};
}

}  // namespace lapis
