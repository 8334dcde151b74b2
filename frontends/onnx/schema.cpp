#include "frontends/onnx/schema.h"

#include <onnx/checker.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/attribute_binder.h>

#include <algorithm>
#include <map>

#include "frontends/onnx/halves.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/types.h"

namespace lapis::onnx_frontend {
namespace {

bool says_the_same(const onnx::AttributeProto& a, const onnx::AttributeProto& b) {
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case onnx::AttributeProto::INT: return a.i() == b.i();
    case onnx::AttributeProto::FLOAT: return a.f() == b.f();
    case onnx::AttributeProto::STRING: return a.s() == b.s();
    default: return false;
  }
}

const onnx::AttributeProto* default_of(const onnx::OpSchema& schema, const std::string& name) {
  const auto it = schema.attributes().find(name);
  const bool given =
      it != schema.attributes().end() && it->second.default_value.type() != onnx::AttributeProto::UNDEFINED;
  return given ? &it->second.default_value : nullptr;
}

bool has_attribute(const onnx::NodeProto& node, const std::string& name) {
  return std::any_of(node.attribute().begin(), node.attribute().end(), [&](const auto& a) { return a.name() == name; });
}

// Function bodies refer to attributes that callers may leave out where there is a default.
onnx::NodeProto with_defaults(const onnx::NodeProto& node, const onnx::OpSchema& schema) {
  onnx::NodeProto full = node;
  for (const auto& [name, attribute] : schema.attributes()) {
    const auto* value = default_of(schema, name);
    if (!value || has_attribute(node, name)) continue;
    *full.add_attribute() = *value;
    full.mutable_attribute(full.attribute_size() - 1)->set_name(name);
  }
  return full;
}

// ONNX defines AffineGrid with a Squeeze of all axes of one element.
// The one that Split left is meant: a batch of one stays.
void keep_batches_of_one(onnx::GraphProto& branch) {
  for (auto& node : *branch.mutable_node())
    if (node.op_type() == "Squeeze" && node.input_size() == 1) node.add_input("one_1d");
}
void correct_definition(onnx::FunctionProto& function) {
  if (function.name() != "AffineGrid") return;
  for (auto& node : *function.mutable_node())
    for (auto& attribute : *node.mutable_attribute())
      if (attribute.has_g()) keep_batches_of_one(*attribute.mutable_g());
}

int newest_builder(const onnx::OpSchema& schema) {
  int newest = 0;
  for (const int v : schema.context_dependent_function_opset_versions())
    if (v <= std::max(kCanonicalOpset, schema.since_version())) newest = std::max(newest, v);
  return newest;
}

using Parameters = std::vector<onnx::OpSchema::FormalParameter>;

// A variadic operand repeats the last one.
const onnx::OpSchema::FormalParameter& parameter_of(const Parameters& parameters, size_t i) {
  return parameters[std::min(i, parameters.size() - 1)];
}

// Halves as floats, which is how bodies see them.
std::vector<Type> widened(const std::vector<const Type*>& input_types) {
  std::vector<Type> types(input_types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    if (!input_types[i]) continue;
    types[i] = *input_types[i];
    if (is_half(input_types[i])) types[i].dtype = DType::Float32;
  }
  return types;
}

// A result is as wide as the operands that share its type variable, or as the first one where there is none.
DType half_result(const onnx::OpSchema& schema, const std::string& variable,
                  const std::vector<const Type*>& input_types) {
  for (size_t i = 0; i < input_types.size(); ++i)
    if (input_types[i] && parameter_of(schema.inputs(), i).GetTypeStr() == variable)
      return is_half(input_types[i]) ? input_types[i]->dtype : DType::Undefined;
  return !input_types.empty() && is_half(input_types[0]) ? input_types[0]->dtype : DType::Undefined;
}

std::vector<DType> half_results(const onnx::OpSchema& schema, const std::vector<const Type*>& input_types) {
  std::vector<DType> types;
  for (const auto& output : schema.outputs()) types.push_back(half_result(schema, output.GetTypeStr(), input_types));
  return types;
}

// ONNX's builders of definitions take it for granted that the types of all operands and of what bodies give are known.
bool knows_types(const onnx::NodeProto& node, const std::vector<const Type*>& input_types) {
  for (size_t i = 0; i < input_types.size(); ++i)
    if (!input_types[i] && !node.input(static_cast<int>(i)).empty()) return false;
  for (const auto& attribute : node.attribute())
    for (const auto& output : attribute.g().output())
      if (!output.type().has_tensor_type()) return false;
  return true;
}

// Mod of opset 28 lets fmod = 0 mean the sign of the divisor for floats too; before, floats had to say fmod = 1.
bool means_something_new(const onnx::NodeProto& node, const Type* first_input) {
  if (node.op_type() != "Mod" || !first_input || !is_float(first_input->dtype)) return false;
  return std::none_of(node.attribute().begin(), node.attribute().end(),
                      [](const auto& a) { return a.name() == "fmod" && a.i() != 0; });
}

// ONNX counts operands but takes an empty name for one.
Status check_required(const onnx::NodeProto& node, const onnx::OpSchema& schema) {
  for (int i = 0; i < node.input_size() && !schema.inputs().empty(); ++i) {
    const auto& parameter = parameter_of(schema.inputs(), static_cast<size_t>(i));
    if (node.input(i).empty() && parameter.GetOption() != onnx::OpSchema::Optional)
      return error(ErrorKind::Input, "required input '" + parameter.GetName() + "' is missing");
  }
  return ok();
}

// As ONNX writes it: tensor(float), seq(tensor(float)).
std::string onnx_name(const Type& type) {
  if (type.kind == Type::Kind::Sequence) return "seq(" + onnx_name(*type.element) + ")";
  if (type.kind == Type::Kind::Optional) return "optional(" + onnx_name(*type.element) + ")";
  return "tensor(" + std::string(name_of(type.dtype)) + ")";
}

Diagnostic type_error(const onnx::OpSchema& schema, const std::string& message) {
  return error(ErrorKind::Input, "is not valid ONNX: " + message)
      .note("as opset " + std::to_string(schema.since_version()) + " defines " + schema.Name())
      .help("insert a Cast, or export the model at an opset that allows it");
}

// Type variables and what fixed them: the operand and its type.
using Variables = std::map<std::string, std::pair<std::string, std::string>>;

Status check_types(const onnx::OpSchema& schema, const std::string& role, const Parameters& parameters,
                   const std::vector<const Type*>& types, Variables& variables) {
  for (size_t i = 0; i < types.size() && !parameters.empty(); ++i) {
    if (!types[i]) continue;
    const auto& parameter = parameter_of(parameters, i);
    const std::string name = onnx_name(*types[i]), where = role + " '" + parameter.GetName() + "'";
    const auto& allowed = parameter.GetTypes();
    if (std::none_of(allowed.begin(), allowed.end(), [&](const std::string* type) { return *type == name; }))
      return type_error(schema, std::string(where).append(" is ").append(name).append(", which is not allowed"));
    if (!parameter.GetIsHomogeneous()) continue;
    const auto& [other, fixed] = variables.try_emplace(parameter.GetTypeStr(), parameter.GetName(), name).first->second;
    if (fixed != name)
      return type_error(schema, std::string(where)
                                    .append(" is ")
                                    .append(name)
                                    .append(" but '")
                                    .append(other)
                                    .append("' is ")
                                    .append(fixed)
                                    .append(": they must be of one type"));
  }
  return ok();
}

size_t references(const onnx::NodeProto& node, const std::string& attribute);

size_t references(const onnx::GraphProto& graph, const std::string& attribute) {
  size_t count = 0;
  for (const auto& node : graph.node()) count += references(node, attribute);
  return count;
}

size_t references(const onnx::NodeProto& node, const std::string& attribute) {
  size_t count = 0;
  for (const auto& a : node.attribute())
    count += (a.ref_attr_name() == attribute) + (a.has_g() ? references(a.g(), attribute) : 0);
  return count;
}

}  // namespace

const onnx::OpSchema* find_schema(const std::string& op, int version, const std::string& domain) {
  return onnx::OpSchemaRegistry::Schema(op, version, domain == "ai.onnx" ? "" : domain);
}

int since_version(const onnx::OpSchema& schema) { return schema.since_version(); }

Status check_node(const onnx::NodeProto& node, const onnx::OpSchema& schema) {
  LAPIS_CHECK(check_required(node, schema));
  // The one operator that was withdrawn and came back in a form that it can be upgraded to.
  const bool withdrawn = schema.deprecated() && schema.Name() == "GroupNormalization";
  const onnx::OpSchema* wanted = withdrawn ? find_schema(schema.Name(), kCanonicalOpset, "") : &schema;
  LAPIS_ASSERT(wanted, schema.Name() << " is no operator of the canonical opset");
  try {
    wanted->Verify(node);
    return ok();
  } catch (const std::exception& e) {
    return error(ErrorKind::Input, std::string("is not valid ONNX: ") + e.what());
  }
}

Status check_types(const onnx::OpSchema& schema, const std::vector<const Type*>& input_types,
                   const std::vector<const Type*>& output_types) {
  Variables variables;
  LAPIS_CHECK(check_types(schema, "input", schema.inputs(), input_types, variables));
  return check_types(schema, "output", schema.outputs(), output_types, variables);
}

void drop_default_attributes(onnx::NodeProto& node, const onnx::OpSchema& schema,
                             const std::vector<std::string_view>& keep) {
  auto& all = *node.mutable_attribute();
  auto droppable = [&](const onnx::AttributeProto& a) {
    if (std::find(keep.begin(), keep.end(), a.name()) != keep.end()) return false;
    const auto* value = default_of(schema, a.name());
    return a.name().starts_with("__") || (value && says_the_same(a, *value));
  };
  all.erase(std::remove_if(all.begin(), all.end(), droppable), all.end());
}

Status to_canonical_from_newer(onnx::NodeProto& node, int version, const Type* first_input) {
  const onnx::OpSchema* newer = find_schema(node.op_type(), version, node.domain());
  const onnx::OpSchema* canonical = find_schema(node.op_type(), kCanonicalOpset, node.domain());
  const std::string what = "of opset " + std::to_string(newer->since_version()) + " has no form in opset " +
                           std::to_string(kCanonicalOpset) + ", which Lapis works in";
  std::vector<std::string_view> keep;
  for (const auto& [name, attribute] : canonical->attributes()) keep.push_back(name);
  drop_default_attributes(node, *newer, keep);
  if (means_something_new(node, first_input)) return error(ErrorKind::Unsupported, what);
  const Status valid = check_node(node, *canonical);
  if (!valid.ok())
    return error(ErrorKind::Unsupported, what)
        .note(valid.diagnostics()[0].message)
        .help("export the model at opset " + std::to_string(kCanonicalOpset) + " or lower");
  return ok();
}

bool has_function(const onnx::OpSchema& schema) {
  return schema.GetFunction(std::max(kCanonicalOpset, schema.since_version())) || newest_builder(schema) != 0;
}

bool function_of(const onnx::NodeProto& node, const onnx::OpSchema& schema, const std::vector<const Type*>& input_types,
                 onnx::FunctionProto& function) {
  const onnx::NodeProto call = with_defaults(node, schema);
  const bool computes = schema.Name() != "CenterCropPad";  // which moves halves as they are
  if (const onnx::FunctionProto* body = schema.GetFunction(std::max(kCanonicalOpset, schema.since_version()))) {
    function = *body;
    correct_definition(function);
  } else if (const int builder = newest_builder(schema)) {
    if (!knows_types(node, input_types)) return false;
    std::vector<onnx::TypeProto> types(input_types.size());
    const std::vector<Type> wide = widened(input_types);
    for (size_t i = 0; i < types.size(); ++i)
      if (input_types[i]) to_proto(computes ? wide[i] : *input_types[i], types[i]);
    const onnx::FunctionBodyBuildContextImpl context(node, types);
    if (!schema.BuildContextDependentFunction(context, function, builder)) return false;
  } else {
    return false;
  }
  bind_attributes(call, function);
  if (computes) compute_in_float(function, input_types, half_results(schema, input_types));
  return true;
}

size_t bytes_when_bound(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
  size_t bytes = function.ByteSizeLong();
  for (const auto& attribute : call.attribute()) {
    size_t count = 0;
    for (const auto& node : function.node()) count += references(node, attribute.name());
    bytes += count * attribute.ByteSizeLong();
  }
  return bytes;
}

void bind_attributes(const onnx::NodeProto& call, onnx::FunctionProto& function) {
  onnx::NodeProto full = call;
  for (const auto& attribute : function.attribute_proto())
    if (!has_attribute(call, attribute.name())) *full.add_attribute() = attribute;
  onnx::internal::AttributeBinder::BindAttributes(full, function);
}

}  // namespace lapis::onnx_frontend
