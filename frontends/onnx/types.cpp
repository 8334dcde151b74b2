#include "frontends/onnx/types.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cctype>

namespace lapis::onnx_frontend {
namespace {

// Dim::parse recurses and multiplies; names beyond any sensible formula are opaque.
Dim dim_from_param(const std::string& param) {
  constexpr size_t kLongest = 128;
  // In ONNX "1" is the name of a dimension and not its size. As an identifier it cannot be mistaken for a number later.
  if (std::ranges::all_of(param, [](unsigned char c) { return std::isdigit(c); })) return Dim::symbol("_" + param);
  if (param.size() > kLongest || std::count(param.begin(), param.end(), '*') > 8) return Dim::symbol(param);
  Dim dim = Dim::parse(param);
  return dim.is_constant() && dim.value() < 0 ? Dim::unknown() : dim;
}

Dim from_proto(const onnx::TensorShapeProto::Dimension& proto) {
  if (proto.has_dim_value())
    return proto.dim_value() < 0 ? Dim::unknown() : Dim(proto.dim_value());  // -1: exporters' way to say unknown
  if (proto.has_dim_param() && !proto.dim_param().empty()) return dim_from_param(proto.dim_param());
  return Dim::unknown();
}

Result<Type> tensor_type(const onnx::TypeProto::Tensor& proto, const NameUnknown& name_unknown) {
  const auto dtype = dtype_from_proto(proto.elem_type());
  if (!dtype)
    return error(ErrorKind::Unsupported,
                 "element type " + std::to_string(proto.elem_type()) + " is not one that Lapis knows");
  if (!proto.has_shape()) return Type::tensor(*dtype);
  Dims dims;
  for (const auto& d : proto.shape().dim()) {
    dims.push_back(from_proto(d));
    if (!dims.back().is_known() && name_unknown) dims.back() = name_unknown(dims.size() - 1);
  }
  return Type::tensor(*dtype, std::move(dims));
}

void to_proto(const Dim& dim, onnx::TensorShapeProto::Dimension& proto, Formulas formulas) {
  if (dim.is_constant())
    proto.set_dim_value(dim.value());
  else if (dim.is_known() && (formulas == Formulas::Keep || is_identifier(dim.to_string())))
    proto.set_dim_param(dim.to_string());
}

}  // namespace

std::optional<DType> dtype_from_proto(int32_t data_type) {
  const DType dtype = dtype_of_number(data_type);
  return dtype == DType::Undefined ? std::nullopt : std::optional(dtype);
}

bool is_identifier(std::string_view text) {
  auto inner = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), inner);
}

Result<Type> from_proto(const onnx::TypeProto& proto, const NameUnknown& name_unknown) {
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType: return tensor_type(proto.tensor_type(), name_unknown);
    case onnx::TypeProto::kSequenceType: {
      LAPIS_TRY(Type element, from_proto(proto.sequence_type().elem_type()));
      return Type::sequence(std::move(element));
    }
    case onnx::TypeProto::kOptionalType: {
      LAPIS_TRY(Type element, from_proto(proto.optional_type().elem_type()));
      return Type::optional(std::move(element));
    }
    case onnx::TypeProto::VALUE_NOT_SET: return error(ErrorKind::Input, "has no type");
    default: return error(ErrorKind::Unsupported, "map, sparse and opaque types are not supported");
  }
}

void to_proto(const Type& type, onnx::TypeProto& proto, Formulas formulas) {
  if (type.kind == Type::Kind::Sequence)
    return to_proto(*type.element, *proto.mutable_sequence_type()->mutable_elem_type(), formulas);
  if (type.kind == Type::Kind::Optional)
    return to_proto(*type.element, *proto.mutable_optional_type()->mutable_elem_type(), formulas);
  auto* tensor = proto.mutable_tensor_type();
  tensor->set_elem_type(static_cast<int>(type.dtype));
  if (!type.dims) return;
  auto* shape = tensor->mutable_shape();
  for (const Dim& d : *type.dims) to_proto(d, *shape->add_dim(), formulas);
}

}  // namespace lapis::onnx_frontend
