// ONNX's TypeProto and Lapis' Type.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "frontends/onnx/protos.h"
#include "ir/type.h"

namespace lapis::onnx_frontend {

// Names the unknown dimension `axis` of an input, or leaves it unknown.
using NameUnknown = std::function<Dim(size_t axis)>;
// The error says what Lapis cannot represent (maps, sparse types, unknown element types).
Result<Type> from_proto(const onnx::TypeProto& proto, const NameUnknown& name_unknown = nullptr);
// Dimensions that are formulas are left open, because other tools take a dim_param for a name;
// inputs of a model keep them.
enum class Formulas { Drop, Keep };
void to_proto(const Type& type, onnx::TypeProto& proto, Formulas formulas = Formulas::Drop);

std::optional<DType> dtype_from_proto(int32_t data_type);
bool is_identifier(std::string_view text);

}  // namespace lapis::onnx_frontend
