// TensorProto: the bytes of a tensor, or a few numbers of which the last one repeats.
#include <cstring>

#include "base/truth.h"
#include "frontends/common/bytes.h"
#include "frontends/common/protobuf.h"
#include "frontends/tensorflow/graph_def.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::ProtoField;
using frontend::ProtoReader;

namespace tensor {
enum Field {
  Type = 1,
  Shape = 2,
  Content = 4,
  Float = 5,
  Double = 6,
  Int = 7,
  Int64 = 10,
  Bool = 11,
  Half = 13,
  UInt32 = 16,
  UInt64 = 17
};
}

Diagnostic damaged(std::string message) { return error(ErrorKind::Input, std::move(message)); }

struct Parts {
  DType dtype = DType::Undefined;
  ShapeProto shape = std::vector<int64_t>();
  std::string_view content;
  std::vector<uint64_t> numbers;  // as bits
};

Result<Parts> parts_of(std::string_view bytes) {
  Parts parts;
  bool whole = true;
  ProtoReader fields(bytes);
  while (const auto field = fields.next()) {
    switch (field->number) {
      case tensor::Type: parts.dtype = dtype_of(field->value); break;
      case tensor::Shape: {
        LAPIS_TRY(parts.shape, parse_shape(field->bytes));
        break;
      }
      case tensor::Content: parts.content = field->bytes; break;
      case tensor::Float: whole &= append_numbers(*field, ProtoField::Fixed32, parts.numbers); break;
      case tensor::Double: whole &= append_numbers(*field, ProtoField::Fixed64, parts.numbers); break;
      case tensor::Int:
      case tensor::Int64:
      case tensor::Bool:
      case tensor::Half:
      case tensor::UInt32:
      case tensor::UInt64: whole &= append_numbers(*field, ProtoField::Varint, parts.numbers); break;
      default: break;
    }
  }
  if (fields.flawed() || !whole) return damaged("the file is damaged or cut off within a tensor");
  if (!parts.shape) return damaged("a tensor has no shape");
  return parts;
}

// Little-endian, as numbers of a tensor are.
Tensor filled(const Parts& parts) {
  Tensor result(parts.dtype, *parts.shape);
  const auto width = static_cast<size_t>(bit_width(parts.dtype) / 8);
  std::byte* to = result.mutable_raw();
  const auto count = static_cast<size_t>(result.size());
  for (size_t i = 0; i < count && !parts.numbers.empty(); ++i)
    std::memcpy(to + i * width, &parts.numbers[std::min(i, parts.numbers.size() - 1)], width);
  return with_truth_values(std::move(result));
}

}  // namespace

Result<Tensor> tensor_of(DType dtype, Shape shape, std::string_view content,
                         const std::shared_ptr<const std::byte>& owner, frontend::Expansion& copies) {
  if (const auto problem = shape_problem(dtype, shape)) return damaged("a tensor cannot be: " + *problem);
  const int64_t wanted = byte_size(dtype, element_count(shape));
  if (static_cast<int64_t>(content.size()) != wanted)
    return damaged("holds " + std::to_string(content.size()) + " bytes, but " + std::string(name_of(dtype)) +
                   to_string(shape) + " needs " + std::to_string(wanted));
  const auto* bytes = reinterpret_cast<const std::byte*>(content.data());
  if (!frontend::can_borrow(dtype, bytes, wanted) && !copies.add_bytes(content.size()))
    return copies.explosion("tensors that share their bytes");
  return with_truth_values(frontend::over_bytes(dtype, std::move(shape), {owner, bytes}));
}

Result<Tensor> parse_tensor(std::string_view bytes, const std::shared_ptr<const std::byte>& owner,
                            frontend::Expansion& copies) {
  LAPIS_TRY(Parts parts, parts_of(bytes));
  if (bit_width(parts.dtype) < 8 || parts.dtype == DType::Complex64 || parts.dtype == DType::Complex128)
    return error(ErrorKind::Unsupported, parts.dtype == DType::String ? "string tensors" : "tensors of its type");
  if (!parts.content.empty()) return tensor_of(parts.dtype, *std::move(parts.shape), parts.content, owner, copies);
  if (const auto problem = shape_problem(parts.dtype, *parts.shape)) return damaged("a tensor cannot be: " + *problem);
  const int64_t size = byte_size(parts.dtype, element_count(*parts.shape));
  if (!copies.add_bytes(static_cast<size_t>(size))) return copies.explosion("tensors of one repeated number");
  if (parts.numbers.size() > static_cast<size_t>(element_count(*parts.shape)))
    return damaged("has " + std::to_string(parts.numbers.size()) + " numbers for " + to_string(*parts.shape));
  return filled(parts);
}

}  // namespace lapis::tensorflow_frontend
