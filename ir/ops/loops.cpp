#include "ir/ops/loops.h"

#include "ir/ops/numerics.h"

namespace lapis::ops {
namespace {

template <class T> double widen(T value) {
  if constexpr (std::is_class_v<T>)
    return to_float(value);
  else
    return static_cast<double>(value);
}

template <class T> T narrow(double value) {
  if constexpr (std::is_same_v<T, Float16>)
    return to_float16(rounded_to_odd(value));
  else if constexpr (std::is_same_v<T, BFloat16>)
    return to_bfloat16(static_cast<float>(value));
  else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
    return truncated<T>(value);
  else
    return static_cast<T>(value);
}

bool is_packed(DType dtype) { return is_integer(dtype) && bit_width(dtype) < 8; }

// Lays the low bits of each value side by side, low bits first.
template <class T> void pack(Tensor& tensor, const std::vector<T>& values) {
  const int bits = bit_width(tensor.dtype());
  const size_t per_byte = static_cast<size_t>(8 / bits);
  std::byte* bytes = tensor.mutable_raw();
  for (size_t i = 0; i < values.size(); ++i) {
    const auto field = static_cast<unsigned>(values[i]) & ((1u << bits) - 1);
    bytes[i / per_byte] |= static_cast<std::byte>(field << (i % per_byte * static_cast<size_t>(bits)));
  }
}

}  // namespace

std::vector<double> to_doubles(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.size()));
  const bool plain = visit_dtype(tensor.dtype(), [&](auto tag) {
    const auto source = tensor.data<decltype(tag)>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = widen(source[i]);
  });
  if (!plain)
    for (size_t i = 0; i < values.size(); ++i) values[i] = tensor.as_double(static_cast<int64_t>(i));
  return values;
}

Tensor from_doubles(DType dtype, Shape shape, const std::vector<double>& values, SmallFloatRounding rounding) {
  Tensor tensor(dtype, std::move(shape));
  std::vector<uint8_t> codes(values.size());
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = to_small_float(dtype, values[i], rounding);
  pack(tensor, codes);
  return tensor;
}

Tensor from_doubles(DType dtype, Shape shape, const std::vector<double>& values) {
  if (is_small_float(dtype)) return from_doubles(dtype, std::move(shape), values, SmallFloatRounding{});
  Tensor tensor(dtype, std::move(shape));
  const bool plain = visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    auto target = tensor.mutable_data<T>();
    for (size_t i = 0; i < values.size(); ++i) target[i] = narrow<T>(values[i]);
  });
  LAPIS_ASSERT(plain, "no arithmetic on " << name_of(dtype));
  return tensor;
}

std::vector<int64_t> to_integers(const Tensor& tensor) {
  std::vector<int64_t> values(static_cast<size_t>(tensor.size()));
  const bool plain = visit_dtype(tensor.dtype(), [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_integral_v<T>) {
      const auto source = tensor.data<T>();
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(source[i]);
    } else {
      LAPIS_UNREACHABLE(name_of(tensor.dtype()) << " is not an integer type");
    }
  });
  return plain ? values : tensor.as_ints();
}

Tensor from_integers(DType dtype, Shape shape, const std::vector<int64_t>& values) {
  Tensor tensor(dtype, std::move(shape));
  if (is_packed(dtype)) {
    pack(tensor, values);
    return tensor;
  }
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_integral_v<T>) {
      auto target = tensor.mutable_data<T>();
      for (size_t i = 0; i < values.size(); ++i) target[i] = static_cast<T>(values[i]);
    } else {
      LAPIS_UNREACHABLE(name_of(dtype) << " is not an integer type");
    }
  });
  return tensor;
}

bool next_index(Shape& index, std::span<const int64_t> shape) {
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (++index[axis] < shape[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

}  // namespace lapis::ops
