#include "frontends/onnx/definitions/definition.h"

#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <sstream>

#include "frontends/onnx/halves.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/schema.h"

namespace lapis::onnx_frontend::definitions {
namespace {

template <class List> int index_of(const List& names, std::string_view name) {
  const auto it = std::find(names.begin(), names.end(), name);
  LAPIS_ASSERT(it != names.end(), "a definition reads '" << name << "', which its signature does not have");
  return static_cast<int>(it - names.begin());
}

template <class List> const onnx::AttributeProto* named(const List& attributes, std::string_view name) {
  const auto it = std::find_if(attributes.begin(), attributes.end(), [&](const auto& a) { return a.name() == name; });
  return it == attributes.end() ? nullptr : &*it;
}

onnx::FunctionProto parse(std::string_view signature, const std::string& body) {
  const std::string text = "<opset_import: [\"\" : " + std::to_string(kCanonicalOpset) +
                           "], domain: \"com.microsoft\"> " + std::string(signature) + " { " + body + " }";
  onnx::FunctionProto function;
  const auto status = onnx::OnnxParser(text.c_str()).Parse(function);
  LAPIS_ASSERT(status.IsOK(), "the definition of " << signature << " is no function: " << status.ErrorMessage());
  return function;
}

Status check_attributes(const onnx::NodeProto& node, const onnx::FunctionProto& signature) {
  for (const auto& a : node.attribute()) {
    const auto* declared = named(signature.attribute_proto(), a.name());
    const auto& others = signature.attribute();
    if (!declared && std::find(others.begin(), others.end(), a.name()) == others.end())
      return refuse("its attribute '" + a.name() + "' is not known");
    if (declared && declared->type() != a.type())
      return error(ErrorKind::Input, "attribute '" + a.name() + "' is not of the kind " +
                                         onnx::AttributeProto::AttributeType_Name(declared->type()));
  }
  return ok();
}

Status check_call(const Definition& definition, const onnx::NodeProto& node, const onnx::FunctionProto& signature) {
  const bool too_many = node.input_size() > signature.input_size() || node.output_size() > signature.output_size();
  if (too_many) return error(ErrorKind::Input, "has more operands than " + std::string(definition.op()) + " takes");
  if (node.input_size() < definition.fewest_inputs)
    return error(ErrorKind::Input, "has " + std::to_string(node.input_size()) + " inputs but needs " +
                                       std::to_string(definition.fewest_inputs));
  return check_attributes(node, signature);
}

// The last input as often as the call has it.
void repeat_last_input(onnx::FunctionProto& signature, int inputs) {
  const std::string stem = signature.input(signature.input_size() - 1);
  for (int i = 1; signature.input_size() < inputs; ++i) signature.add_input(stem + "_" + std::to_string(i));
}

// Results are of the type of the first input.
std::vector<DType> half_results(const onnx::FunctionProto& function, const std::vector<const Type*>& types) {
  const DType type = !types.empty() && is_half(types[0]) ? types[0]->dtype : DType::Undefined;
  return std::vector<DType>(static_cast<size_t>(function.output_size()), type);
}

}  // namespace

bool Call::wants(std::string_view output) const {
  const int i = index_of(signature_.output(), output);
  return i < node_.output_size() && !node_.output(i).empty();
}

size_t Call::operands() const { return static_cast<size_t>(node_.input_size()); }

std::string Call::name_of(std::string_view input) const {
  const int i = index_of(signature_.input(), input);
  return i < node_.input_size() ? node_.input(i) : "";
}

const Type* Call::type(std::string_view input) const {
  const auto i = static_cast<size_t>(index_of(signature_.input(), input));
  return i < types_.size() ? types_[i] : nullptr;
}

std::optional<int64_t> Call::rank(std::string_view input) const {
  const Type* known = type(input);
  return known && known->is_tensor() && known->ranked() ? std::optional(known->rank()) : std::nullopt;
}

const onnx::AttributeProto* Call::attribute(std::string_view name) const {
  const auto* given = named(node_.attribute(), name);
  return given ? given : named(signature_.attribute_proto(), name);
}

int64_t Call::integer(std::string_view name) const {
  const auto* a = attribute(name);
  return a ? a->i() : 0;
}
float Call::number(std::string_view name) const {
  const auto* a = attribute(name);
  return a ? a->f() : 0;
}
std::string Call::string(std::string_view name) const {
  const auto* a = attribute(name);
  return a ? a->s() : "";
}
std::vector<float> Call::numbers(std::string_view name) const {
  const auto* a = attribute(name);
  return a ? std::vector<float>(a->floats().begin(), a->floats().end()) : std::vector<float>();
}
std::vector<int64_t> Call::integers_of(std::string_view name) const {
  const auto* a = attribute(name);
  return a ? std::vector<int64_t>(a->ints().begin(), a->ints().end()) : std::vector<int64_t>();
}

std::vector<const Definition*> all() {
  std::vector<const Definition*> found;
  for (const auto rows : {float_definitions(), attention_definitions(), quantized_definitions(), standard_definitions(),
                          sampling_definitions()})
    for (const Definition& row : rows) found.push_back(&row);
  return found;
}

const Definition* find(std::string_view domain, std::string_view op) {
  for (const Definition* row : all())
    if (row->domain == domain && row->op() == op) return row;
  return nullptr;
}

Result<onnx::FunctionProto> function_of(const Definition& definition, const onnx::NodeProto& node,
                                        const std::vector<const Type*>& types) {
  onnx::FunctionProto signature = parse(definition.signature, "");
  if (definition.repeats) repeat_last_input(signature, node.input_size());
  LAPIS_CHECK(check_call(definition, node, signature));
  LAPIS_TRY(const std::string body, definition.body(Call(node, signature, types)));
  onnx::FunctionProto function = parse(definition.signature, body);
  *function.mutable_input() = signature.input();
  if (definition.halves == Halves::InFloat) compute_in_float(function, types, half_results(function, types));
  bind_attributes(node, function);
  return function;
}

std::string apply(std::string_view result, std::string_view op, std::string_view operands) {
  return std::string(result).append(" = ").append(op).append(" (").append(operands).append(") ");
}

std::string scalar_like(std::string_view result, std::string_view number, std::string_view value) {
  const std::string plain = std::string(result) + "_float";
  return apply(plain, "Constant <value_float: float = " + std::string(number) + ">", "") +
         apply(result, "CastLike", plain + ", " + std::string(value));
}

std::string integers(std::string_view result, std::span<const int64_t> values) {
  std::string list;
  for (const int64_t v : values) list += (list.empty() ? "" : ", ") + std::to_string(v);
  return apply(result, "Constant <value_ints: ints = [" + list + "]>", "");
}
std::string integers(std::string_view result, std::initializer_list<int64_t> values) {
  return integers(result, std::span(values.begin(), values.size()));
}

std::string extent(const std::string& result, std::string_view value, int64_t axis) {
  const std::string range = "start = " + std::to_string(axis) + ", end = " + std::to_string(axis + 1);
  return apply(result, "Shape <" + range + ">", value) + apply(result + "_count", "Squeeze", result);
}

std::string transpose(std::string_view result, std::string_view value, std::span<const int64_t> perm) {
  std::string list;
  for (const int64_t axis : perm) list += (list.empty() ? "" : ", ") + std::to_string(axis);
  return apply(result, "Transpose <perm: ints = [" + list + "]>", value);
}

std::string channels_first(std::string_view result, std::string_view value, int64_t rank) {
  std::vector<int64_t> perm = {0, rank - 1};
  for (int64_t axis = 1; axis < rank - 1; ++axis) perm.push_back(axis);
  return transpose(result, value, perm);
}

std::string channels_last(std::string_view result, std::string_view value, int64_t rank) {
  std::vector<int64_t> perm = {0};
  for (int64_t axis = 2; axis < rank; ++axis) perm.push_back(axis);
  perm.push_back(1);
  return transpose(result, value, perm);
}

std::string text_of(float number) {
  std::ostringstream text;
  text.precision(9);
  text << std::scientific << number;
  return text.str();
}

Diagnostic refuse(std::string reason, std::string advice) {
  return error(ErrorKind::Unsupported, std::move(reason)).help(std::move(advice));
}

}  // namespace lapis::onnx_frontend::definitions
