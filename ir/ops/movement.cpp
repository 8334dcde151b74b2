#include "ir/ops/movement.h"

#include <array>
#include <cmath>
#include <cstring>
#include <new>

#include "ir/ops/numerics.h"

namespace lapis::ops {
namespace {

// Calls visit(i, offset) for every element of the result in row-major order.
template <class Visitor>
void visit_offsets(const Offsets& axes, size_t axis, int64_t offset, size_t& at, const Visitor& visit) {
  if (axis == axes.size()) return visit(at++, offset);
  if (axis + 1 < axes.size()) {
    for (int64_t step : axes[axis]) visit_offsets(axes, axis + 1, offset + step, at, visit);
  } else {
    for (int64_t step : axes[axis]) visit(at++, offset + step);
  }
}

template <size_t Width>
void collect_bytes(const Tensor& source, const Offsets& axes, const Tensor& fill, Tensor& result) {
  using Element = std::array<std::byte, Width>;
  const auto* from = reinterpret_cast<const Element*>(source.raw());
  const auto& filler = *reinterpret_cast<const Element*>(fill.raw());
  auto* to = reinterpret_cast<Element*>(result.mutable_raw());
  size_t at = 0;
  visit_offsets(axes, 0, 0, at, [&](size_t i, int64_t offset) { to[i] = offset < 0 ? filler : from[offset]; });
}

Tensor collect_strings(const Tensor& source, const Offsets& axes, const std::string& fill, lapis::Shape shape) {
  std::vector<std::string> values(static_cast<size_t>(element_count(shape)));
  size_t at = 0;
  visit_offsets(axes, 0, 0, at, [&](size_t i, int64_t offset) {
    values[i] = offset < 0 ? fill : source.string_data()[static_cast<size_t>(offset)];
  });
  return Tensor::strings(std::move(shape), std::move(values));
}

// Element i of a tensor of 4- or 2-bit elements, low bits first; setting wants zeros there.
unsigned get_bits(const Tensor& tensor, size_t i) {
  const auto width = static_cast<size_t>(bit_width(tensor.dtype())), per_byte = 8 / width;
  return (std::to_integer<unsigned>(tensor.raw()[i / per_byte]) >> (i % per_byte * width)) & ((1u << width) - 1);
}
void set_bits(Tensor& tensor, size_t i, unsigned bits) {
  const auto width = static_cast<size_t>(bit_width(tensor.dtype())), per_byte = 8 / width;
  tensor.mutable_raw()[i / per_byte] |= static_cast<std::byte>(bits << (i % per_byte * width));
}

void collect_bits(const Tensor& source, const Offsets& axes, const Tensor& fill, Tensor& result) {
  size_t at = 0;
  visit_offsets(axes, 0, 0, at, [&](size_t i, int64_t offset) {
    set_bits(result, i, offset < 0 ? get_bits(fill, 0) : get_bits(source, static_cast<size_t>(offset)));
  });
}

}  // namespace

Tensor collect(const Tensor& source, const Offsets& axes, const Tensor* fill) {
  lapis::Shape shape;
  for (const auto& axis : axes) shape.push_back(static_cast<int64_t>(axis.size()));
  if (source.dtype() == DType::String)
    return collect_strings(source, axes, fill ? fill->string_data().at(0) : "", std::move(shape));
  const Tensor filler = fill ? *fill : Tensor(source.dtype(), {});
  Tensor result(source.dtype(), std::move(shape));
  if (result.size() == 0) return result;  // however large its other axes are
  switch (bit_width(source.dtype())) {
    case 8: collect_bytes<1>(source, axes, filler, result); break;
    case 16: collect_bytes<2>(source, axes, filler, result); break;
    case 32: collect_bytes<4>(source, axes, filler, result); break;
    case 64: collect_bytes<8>(source, axes, filler, result); break;
    case 128: collect_bytes<16>(source, axes, filler, result); break;
    default: collect_bits(source, axes, filler, result);
  }
  return result;
}

Tensor pick(const Tensor& source, lapis::Shape shape, std::vector<int64_t> index, const Tensor* fill) {
  return collect(source, {std::move(index)}, fill).reshaped(std::move(shape));
}

std::vector<int64_t> arithmetic_sequence(int64_t start, int64_t step, int64_t count) {
  if (count > kMaxTensorBytes) throw std::bad_alloc();
  std::vector<int64_t> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = in_sequence(start, step, i);
  return values;
}

Offsets identity_offsets(const lapis::Shape& shape) {
  const lapis::Shape strides = row_major_strides(shape);
  Offsets axes;
  for (size_t i = 0; i < shape.size(); ++i) axes.push_back(arithmetic_sequence(0, strides[i], shape[i]));
  return axes;
}

std::optional<lapis::Shape> broadcast_shapes(const lapis::Shape& a, const lapis::Shape& b) {
  if (a.size() < b.size()) return broadcast_shapes(b, a);
  lapis::Shape result = a;
  const size_t shift = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t& d = result[shift + i];
    if (d != b[i] && d != 1 && b[i] != 1) return std::nullopt;
    if (d == 1) d = b[i];
  }
  return result;
}

Tensor expand(const Tensor& source, const lapis::Shape& shape) {
  if (source.shape() == shape) return source;
  if (element_count(shape) == 0 && source.dtype() != DType::String) return Tensor(source.dtype(), shape);
  const lapis::Shape strides = row_major_strides(source.shape());
  const size_t shift = shape.size() - source.shape().size();
  Offsets axes;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool repeated = i < shift || source.shape()[i - shift] == 1;
    axes.push_back(arithmetic_sequence(0, repeated ? 0 : strides[i - shift], shape[i]));
  }
  return collect(source, axes);
}

Tensor transpose(const Tensor& source, const std::vector<int64_t>& permutation) {
  const Offsets axes = identity_offsets(source.shape());
  Offsets permuted;
  for (int64_t axis : permutation) permuted.push_back(axes[static_cast<size_t>(axis)]);
  return collect(source, permuted);
}

// Rows of packed elements need not begin at a byte.
static void concat_bits(const std::vector<Tensor>& parts, int64_t outer, int64_t axis, int64_t inner, Tensor& result) {
  size_t at = 0;
  for (int64_t o = 0; o < outer; ++o)
    for (const Tensor& part : parts)
      for (int64_t row = part.dim(axis) * inner, i = 0; i < row; ++i)
        set_bits(result, at++, get_bits(part, static_cast<size_t>(o * row + i)));
}

Tensor concat(const std::vector<Tensor>& parts, int64_t axis) {
  lapis::Shape shape = parts[0].shape();
  int64_t& extent = shape[static_cast<size_t>(axis)];
  extent = 0;
  for (const Tensor& part : parts) extent += part.dim(axis);
  // Behind each other in one flat source, then every outer row takes its piece of each part.
  const int64_t inner = element_count(std::span(shape).subspan(static_cast<size_t>(axis) + 1));
  const int64_t outer = element_count(std::span(shape).first(static_cast<size_t>(axis)));
  if (parts[0].dtype() == DType::String) {
    std::vector<std::string> values;
    for (int64_t o = 0; o < outer; ++o)
      for (const Tensor& part : parts) {
        const auto row = static_cast<ptrdiff_t>(part.dim(axis) * inner);
        const auto begin = part.string_data().begin() + static_cast<ptrdiff_t>(o) * row;
        values.insert(values.end(), begin, begin + row);
      }
    return Tensor::strings(std::move(shape), std::move(values));
  }
  Tensor result(parts[0].dtype(), std::move(shape));
  if (bit_width(result.dtype()) < 8) {
    concat_bits(parts, outer, axis, inner, result);
    return result;
  }
  std::byte* to = result.mutable_raw();
  for (int64_t o = 0; o < outer; ++o)
    for (const Tensor& part : parts) {
      const int64_t bytes = byte_size(part.dtype(), part.dim(axis) * inner);
      std::memcpy(to, part.raw() + o * bytes, static_cast<size_t>(bytes));
      to += bytes;
    }
  return result;
}

std::optional<std::vector<int64_t>> numbers_of(const std::optional<Dims>& dims) {
  if (!dims) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const Dim& d : *dims) {
    if (!d.is_constant()) return std::nullopt;
    numbers.push_back(d.value());
  }
  return numbers;
}

Dim product(const Dims& dims, size_t begin, size_t end) {
  Dim result = 1;
  for (size_t i = begin; i < std::min(end, dims.size()); ++i) result = result * dims[i];
  return result;
}

Dim extent_of(double count) {
  return std::abs(count) <= static_cast<double>(kMaxTensorBytes) ? Dim(static_cast<int64_t>(count)) : Dim::too_large();
}

std::optional<int64_t> length_of(const Type& vector) {
  if (!vector.ranked() || vector.rank() != 1) return std::nullopt;
  const auto length = vector.dim(0).constant();
  return length && *length <= static_cast<int64_t>(kMaxRank) ? length : std::nullopt;
}

}  // namespace lapis::ops
