#include "frontends/tflite/tensors.h"

#include <algorithm>
#include <cmath>

#include "base/truth.h"
#include "frontends/common/bytes.h"
#include "frontends/common/symbols.h"
#include "frontends/tflite/calls.h"
#include "frontends/tflite/schema.h"
#include "frontends/tflite/sparsity.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::Quantization;
using frontend::SourceValue;

Diagnostic damaged(std::string message) { return error(ErrorKind::Input, std::move(message)); }

bool is_variable(const FlatTable& table) { return table.get<uint8_t>(tensor::IsVariable, 0) != 0; }

bool has_scales(const FlatTable& table) {
  return !table.table(tensor::Quantization).numbers<float>(quantization::Scale).empty();
}

bool holds_reals(DType dtype) { return is_quantized_storage(dtype) || dtype == DType::Int16; }

// What Lapis cannot represent, for the report about the operators that have it.
std::string unsupported(const FlatTable& table, bool has_data) {
  const auto type = table.get<int8_t>(tensor::Type, 0);
  const DType dtype = dtype_of(type);
  const bool is_packed = dtype != DType::Undefined && bit_width(dtype) < 8 && !(dtype == DType::Int4 && has_data);
  if (dtype == DType::String || dtype == DType::Undefined || is_packed) return tensor_type_name(type) + " tensors";
  if (is_variable(table)) return std::string(kVariable);
  if (table.table(tensor::Quantization).get<uint8_t>(quantization::DetailsType, 0) != 0)
    return "tensors with a quantization of their own kind";
  const bool may_be =
      holds_reals(dtype) || is_float(dtype) || dtype == DType::Int32 || dtype == DType::Int64 || dtype == DType::Int4;
  return !may_be && has_scales(table) ? "tensors quantized to " + tensor_type_name(type) : "";
}

// Two to a byte, the lower half first; as bytes, of which Lapis has the operators.
Tensor widened(std::span<const std::byte> data, const Shape& shape) {
  constexpr int kHalf = 4;
  Tensor result(DType::Int8, shape);
  const auto values = result.mutable_data<int8_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    const auto byte = std::to_integer<uint8_t>(data[i / 2]);
    const auto high = static_cast<uint8_t>(i % 2 == 0 ? byte << kHalf : byte & 0xF0);
    values[i] = static_cast<int8_t>(static_cast<int8_t>(high) >> kHalf);
  }
  return result;
}

// A bias of 64 bits beside data of 16: as the reals that it means, since ONNX gives such integers no scale.
void make_real(SourceValue& value, const Quantization& q) {
  const auto integers = value.constant.data<int64_t>();
  Tensor reals(DType::Float32, value.constant.shape());
  for (size_t i = 0; i < integers.size(); ++i)
    reals.mutable_data<float>()[i] =
        static_cast<float>(static_cast<double>(integers[i]) * q.scales[i % q.scales.size()]);
  value.constant = std::move(reals);
  value.type = Type::of(value.constant);
}

Status check_zero_points(const Quantization& q, DType dtype) {
  const IntegerRange range = integer_range(dtype);
  for (const int64_t zero : q.zero_points)
    if (zero < range.lowest || zero > static_cast<int64_t>(range.highest) || (!holds_reals(dtype) && zero != 0))
      return damaged("has the zero point " + std::to_string(zero) + ", which " + std::string(name_of(dtype)) +
                     " cannot have");
  return ok();
}

Status check(const Quantization& q, const Type& type) {
  const size_t count = q.scales.size();
  if (q.zero_points.size() != count)
    return damaged("has " + std::to_string(count) + " scales and " + std::to_string(q.zero_points.size()) +
                   " zero points");
  const bool has_axis = type.ranked() && q.axis >= 0 && q.axis < type.rank();
  if (count > 1 && (!has_axis || !type.dim(q.axis).is(static_cast<int64_t>(count))))
    return damaged("has " + std::to_string(count) + " scales along axis " + std::to_string(q.axis) + " of " +
                   type.to_string());
  for (const float scale : q.scales)
    if (!std::isfinite(scale) || scale <= 0) return damaged("has a scale that is not above 0");
  return check_zero_points(q, type.dtype);
}

}  // namespace

TensorReader::TensorReader(const MappedFile& mapped, const FlatTable& model, frontend::Expansion& copies)
    : mapped_(mapped), copies_(copies), buffers_(model.tables(model::Buffers)) {}

Result<SourceValue> TensorReader::read(const FlatTable& table, const TensorRole& role) const {
  SourceValue value;
  LAPIS_TRY(value.type, type_of(table, role));
  value.given = role.is_input;
  value.unsupported = unsupported(table, has_data(table));
  if (!value.unsupported.empty()) {
    value.given |= is_variable(table) || has_data(table);
    if (value.unsupported == kVariable) LAPIS_CHECK(read_quantization(value, table));
    return value;
  }
  if (role.is_input && has_data(table)) return damaged("is an input and a constant");
  if (!role.is_input && !role.is_computed) LAPIS_CHECK(read_constant(value, table));
  LAPIS_CHECK(read_quantization(value, table));
  return value;
}

// Sizes are those of the signature, where -1 is any size: a symbol for inputs, unknown for others. Without one, all are
// fixed; a value that is computed and has no sizes at all may have any number of axes, unless the file says that it has
// none.
Result<Type> TensorReader::type_of(const FlatTable& table, const TensorRole& role) const {
  const std::vector<int32_t> shape = table.numbers<int32_t>(tensor::Shape);
  std::vector<int32_t> signature = table.numbers<int32_t>(tensor::ShapeSignature);
  if (signature.empty()) signature = shape;
  if (signature.size() != shape.size()) return damaged("its shape and its signature have different ranks");
  if (shape.size() > kMaxRank) return damaged("has " + std::to_string(shape.size()) + " axes");
  if (role.names_sizes && !copies_.add_bytes(role.name.size() * shape.size())) return copies_.explosion("names");
  const DType dtype = dtype_of(table.get<int8_t>(tensor::Type, 0));
  if (shape.empty() && role.is_computed && table.get<uint8_t>(tensor::HasRank, 0) == 0) return Type::tensor(dtype);
  Dims dims;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (signature[axis] < -1) return damaged("has the size " + std::to_string(signature[axis]));
    if (signature[axis] >= 0)
      dims.emplace_back(signature[axis]);
    else
      dims.push_back(role.names_sizes ? frontend::Symbols::unnamed(role.name, axis) : Dim::unknown());
  }
  return Type::tensor(dtype, std::move(dims));
}

bool TensorReader::has_data(const FlatTable& table) const {
  const Result<std::span<const std::byte>> data = data_of(table);
  return data.ok() && !data->empty();
}

// Buffer 0 is that of tensors without data. Files beyond 2 GB keep the bytes behind the FlatBuffer.
Result<std::span<const std::byte>> TensorReader::data_of(const FlatTable& table) const {
  const auto index = table.get<uint32_t>(tensor::Buffer, 0);
  if (index == 0) return std::span<const std::byte>();
  if (index >= buffers_.size())
    return damaged("its data is buffer " + std::to_string(index) + " of " + std::to_string(buffers_.size()));
  const FlatTable& buffer = buffers_[index];
  const auto offset = buffer.get<uint64_t>(buffer::Offset, 0), size = buffer.get<uint64_t>(buffer::Size, 0);
  if (offset <= 1) return buffer.bytes(buffer::Data);
  if (offset > mapped_.size || size > mapped_.size - offset)
    return damaged("its data should be " + std::to_string(size) + " bytes from byte " + std::to_string(offset) +
                   " on, but the file ends after " + std::to_string(mapped_.size));
  return mapped_.bytes().subspan(offset, size);
}

// Tensors without elements need no data.
Status TensorReader::read_constant(SourceValue& value, const FlatTable& table) const {
  LAPIS_TRY(const std::span<const std::byte> data, data_of(table));
  const std::vector<int32_t> sizes = table.numbers<int32_t>(tensor::Shape);
  const bool is_empty = std::ranges::count(sizes, 0) > 0;
  if (data.empty() && !is_empty) return ok();
  LAPIS_TRY(Tensor tensor, constant(table, value.type.dtype, data));
  value.constant = with_truth_values(std::move(tensor));
  value.type = Type::of(value.constant);
  value.given = true;
  return ok();
}

Result<Tensor> TensorReader::constant(const FlatTable& table, DType dtype, std::span<const std::byte> data) const {
  const std::vector<int32_t> sizes = table.numbers<int32_t>(tensor::Shape);
  const Shape shape(sizes.begin(), sizes.end());
  if (const auto problem = shape_problem(dtype, shape)) return damaged("cannot be: " + *problem);
  const int64_t wanted = byte_size(dtype, element_count(shape));
  const FlatTable sparsity = table.table(tensor::Sparsity);
  const bool is_packed = dtype == DType::Int4;
  if (!sparsity.exists() && static_cast<int64_t>(data.size()) != wanted)
    return damaged("holds " + std::to_string(data.size()) + " bytes, but " + std::string(name_of(dtype)) +
                   to_string(shape) + " needs " + std::to_string(wanted));
  const bool is_copied = sparsity.exists() || is_packed || !frontend::can_borrow(dtype, data.data(), wanted);
  if (is_copied && !copies_.add_bytes(static_cast<size_t>(2 * wanted)))
    return copies_.explosion("tensors that share their bytes");
  if (sparsity.exists()) return densified(sparsity, dtype, shape, data);
  if (is_packed) return widened(data, shape);
  return frontend::over_bytes(dtype, shape, {mapped_.data, data.data()});
}

// Of integers that stand for reals. Quantization that is written beside floats, or beside integers that count (without
// constants), means nothing.
Status TensorReader::read_quantization(SourceValue& value, const FlatTable& table) const {
  const FlatTable q = table.table(tensor::Quantization);
  Quantization found{.scales = q.numbers<float>(quantization::Scale),
                     .zero_points = q.numbers<int64_t>(quantization::ZeroPoint),
                     .axis = q.get<int32_t>(quantization::Axis, 0)};
  const DType dtype = value.type.dtype;
  const bool is_wide = dtype == DType::Int64;
  const bool is_bias = (dtype == DType::Int32 || is_wide) && value.constant.defined();
  if (found.scales.empty() || (!holds_reals(dtype) && !is_bias)) return ok();
  if (found.zero_points.size() <= 1)
    found.zero_points.assign(found.scales.size(), found.zero_points.empty() ? 0 : found.zero_points[0]);
  LAPIS_CHECK(check(found, value.type));
  if (is_wide && found.scales.size() > 1 && value.type.rank() != 1) return damaged("has scales that no bias has");
  if (is_wide)
    make_real(value, found);
  else
    value.quantization = std::move(found);
  return ok();
}

}  // namespace lapis::tflite_frontend
