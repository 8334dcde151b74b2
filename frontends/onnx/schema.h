// What ONNX's own registry says about a node: is it valid at its opset, is there a canonical form of it,
// is it defined by a function.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "frontends/onnx/protos.h"
#include "ir/type.h"

namespace lapis::onnx_frontend {

// The schema of ai.onnx (or another registered domain) at an opset; null if there is none.
const onnx::OpSchema* find_schema(const std::string& op, int version, const std::string& domain);
int since_version(const onnx::OpSchema& schema);

// Operand counts, required operands, attribute names and types, deprecation. Messages are ONNX's.
Status check_node(const onnx::NodeProto& node, const onnx::OpSchema& schema);
// The types of the operands against the schema's constraints:
// each is allowed, and those that share a type variable are of one type.
// Types are null where they are not known.
Status check_types(const onnx::OpSchema& schema, const std::vector<const Type*>& input_types,
                   const std::vector<const Type*>& output_types = {});
// Attributes that say what their default says are removed if `keep` does not know them.
void drop_default_attributes(onnx::NodeProto& node, const onnx::OpSchema& schema,
                             const std::vector<std::string_view>& keep);
// A node of an opset beyond the canonical one in canonical terms, where it uses nothing that is newer than that.
Status to_canonical_from_newer(onnx::NodeProto& node, int version, const Type* first_input);

// The definition of the operator by others, its attribute references bound to the node's attributes.
// False if ONNX gives none. `input_types` are null for absent inputs and unknown types.
bool has_function(const onnx::OpSchema& schema);
bool function_of(const onnx::NodeProto& node, const onnx::OpSchema& schema, const std::vector<const Type*>& input_types,
                 onnx::FunctionProto& function);
// Binds the attribute references of a copy of a model-local function.
void bind_attributes(const onnx::NodeProto& call, onnx::FunctionProto& function);
// About how large a copy of the function is with its attribute references bound.
size_t bytes_when_bound(const onnx::NodeProto& call, const onnx::FunctionProto& function);

}  // namespace lapis::onnx_frontend
