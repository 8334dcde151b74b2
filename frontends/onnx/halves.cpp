#include "frontends/onnx/halves.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <set>
#include <utility>

#include "frontends/onnx/nodes.h"

namespace lapis::onnx_frontend {
namespace {

void add_cast(onnx::FunctionProto& function, const std::string& from, const std::string& to, DType type) {
  onnx::NodeProto cast = make_node("Cast", {from}, to);
  set_int(cast, "to", static_cast<int64_t>(type));
  *function.add_node() = std::move(cast);
}

// Bodies make no more results than a call asks for.
std::set<std::string> made_by(const onnx::FunctionProto& function) {
  std::set<std::string> made;
  for (const auto& node : function.node()) made.insert(node.output().begin(), node.output().end());
  return made;
}

// Callers see the half by another name. The body keeps the one it has, which is returned: its subgraphs read it too.
std::string rename_outside(std::string& parameter) { return std::exchange(parameter, parameter + "_half"); }

}  // namespace

bool is_half(const Type* type) {
  return type && type->is_tensor() && is_float(type->dtype) && bit_width(type->dtype) == 16;
}

void compute_in_float(onnx::FunctionProto& function, const std::vector<const Type*>& inputs,
                      const std::vector<DType>& results) {
  const auto body = std::exchange(*function.mutable_node(), {});
  const auto given = std::min(static_cast<size_t>(function.input_size()), inputs.size());
  for (size_t i = 0; i < given; ++i) {
    if (!is_half(inputs[i])) continue;
    std::string& parameter = *function.mutable_input(static_cast<int>(i));
    const std::string inner = rename_outside(parameter);
    add_cast(function, parameter, inner, DType::Float32);
  }
  function.mutable_node()->MergeFrom(body);
  const std::set<std::string> made = made_by(function);
  for (size_t i = 0; i < std::min(static_cast<size_t>(function.output_size()), results.size()); ++i) {
    std::string& parameter = *function.mutable_output(static_cast<int>(i));
    if (results[i] == DType::Undefined || !made.contains(parameter)) continue;
    const std::string inner = rename_outside(parameter);
    add_cast(function, inner, parameter, results[i]);
  }
}

}  // namespace lapis::onnx_frontend
