#include "frontends/tensorflow/flattener.h"

#include <algorithm>
#include <unordered_set>

#include "frontends/common/symbols.h"

namespace lapis::tensorflow_frontend {

using frontend::SourceValue;

namespace {

DType dtype_of_output(const NodeDef& node, size_t index) {
  for (const char* key : {"output_types", "Tout", "component_types"})
    if (const auto* types = node.attribute<std::vector<int64_t>>(key); types && index < types->size())
      return dtype_of_number((*types)[index]);
  for (const char* key : {"dtype", "T", "DstT", "out_type"})
    if (const auto* type = node.attribute<int64_t>(key)) return dtype_of_number(*type);
  return DType::Float32;
}

ShapeProto shape_of_output(const NodeDef& node, size_t index) {
  if (index < node.output_shapes.size()) return node.output_shapes[index];
  const auto* shape = index == 0 ? node.attribute<std::vector<int64_t>>("shape") : nullptr;
  return shape ? ShapeProto(*shape) : ShapeProto();
}

Status make_number(SourceValue& value, const Number& number) {
  const Shape shape = value.type.static_shape().value_or(Shape());
  if (element_count(shape) != 1)
    return error(ErrorKind::Usage, "only an input of one number can always be the same number");
  LAPIS_TRY(Tensor tensor, number.as(Type::tensor(value.type.dtype, shape)));
  value.type = Type::of(tensor);
  value.constant = std::move(tensor);
  return ok();
}

}  // namespace

Port Part::of(const std::string& name) {
  const bool first = name.ends_with(":0");
  return {first ? name.substr(0, name.size() - 2) : name, name};
}

Status Flattener::add_cuts() {
  for (const Port& input : part_.inputs) {
    const Ref ref = ref_of(input.ref);
    const auto node = top_.index.find(ref.node);
    if (node == top_.index.end()) return nothing_called(input.ref);
    LAPIS_CHECK(add_input(input.name, model_.graph.nodes[node->second], ref.index));
    cuts_.emplace(key_of(ref), input.name);
    if (!part_.values.contains(input.name)) source_.inputs.push_back(input.name);
  }
  return ok();
}

Status Flattener::check_cuts() const {
  for (const auto& [name, number] : part_.values)
    if (!used_values_.contains(name))
      return error(ErrorKind::Usage, "the part of the model that is wanted has no input '" + name + "' to be always " +
                                         number.to_string());
  for (const Port& input : part_.inputs)
    if (!read_cuts_.contains(input.name) && part_.from_user)
      return error(ErrorKind::Input, "the outputs do not depend on input '" + input.name + "'")
          .help("leave it out of --inputs");
  return ok();
}

std::vector<Port> Flattener::last_values() const {
  static const std::unordered_set<std::string_view> kNoResults = {"NoOp",
                                                                  "Const",
                                                                  "Placeholder",
                                                                  "PlaceholderWithDefault",
                                                                  "Assert",
                                                                  "Print",
                                                                  "PrintV2",
                                                                  "TensorArrayCloseV3",
                                                                  "SaveV2",
                                                                  "RestoreV2",
                                                                  "MergeV2Checkpoints",
                                                                  "Assign",
                                                                  "AssignAdd",
                                                                  "AssignVariableOp",
                                                                  "VarHandleOp",
                                                                  "VariableV2",
                                                                  "ReadVariableOp",
                                                                  "ScalarSummary",
                                                                  "HistogramSummary",
                                                                  "MergeSummary",
                                                                  "ImageSummary",
                                                                  "IteratorGetNext",
                                                                  "ShardedFilename"};
  std::unordered_set<std::string_view> read;
  for (const NodeDef& node : model_.graph.nodes)
    for (const std::string& input : node.inputs) read.insert(ref_of(input).node);
  std::vector<Port> outputs;
  for (const NodeDef& node : model_.graph.nodes)
    if (!read.contains(node.name) && !kNoResults.contains(node.op)) outputs.push_back({node.name, node.name});
  return outputs;
}

void Flattener::add_output(const Port& output, const std::string& value) {
  if (value == output.name && !source_.values.at(value).given) return source_.outputs.push_back(output.name);
  SourceNode same;
  same.op = "Identity";
  same.name = output.name;
  same.inputs = {value};
  same.outputs = {free_name(output.name)};
  source_.values.emplace(same.outputs[0], SourceValue{});
  source_.outputs.push_back(same.outputs[0]);
  source_.nodes.push_back(std::move(same));
}

Status Flattener::add_input(const std::string& name, const NodeDef& node, size_t index) {
  SourceValue value;
  value.given = true;
  const DType dtype = dtype_of_output(node, index);
  const ShapeProto shape = shape_of_output(node, index);
  std::optional<Dims> dims;
  if (shape) {
    dims.emplace();
    for (size_t axis = 0; axis < shape->size(); ++axis) {
      const int64_t size = (*shape)[axis];
      if (size < -1) return damaged("has the size " + std::to_string(size));
      dims->push_back(size < 0 ? frontend::Symbols::unnamed(name, axis) : Dim(size));
    }
  }
  value.type = Type::tensor(dtype, std::move(dims));
  if (dtype == DType::Undefined || dtype == DType::String)
    value.unsupported = dtype == DType::String ? "string tensors" : "tensors of its type";
  if (const auto number = part_.values.find(name); number != part_.values.end()) {
    LAPIS_CHECK(make_number(value, number->second));
    used_values_.insert(name);
  }
  if (!source_.values.emplace(name, std::move(value)).second)
    return error(ErrorKind::Input, "input '" + name + "' is listed twice");
  return ok();
}

Status Flattener::input(Body& body, const Operation& o, State& state) {
  if (body.depth > 0) return unsupported("an input within a function");
  if (!part_.inputs.empty() && part_.from_user)
    return error(ErrorKind::Input, "the outputs depend on this input too")
        .help("name it in --inputs, or other --outputs");
  const auto* types = o.node.attribute<std::vector<int64_t>>("output_types");
  const size_t count = types ? std::min(types->size(), kMostOutputs) : 1;
  const auto position = static_cast<size_t>(&o.node - body.nodes.data());
  for (size_t i = 0; i < count; ++i) {
    const std::string name = name_of_output(o.node.name, i);
    LAPIS_CHECK(add_input(name, o.node, i));
    state.outputs.emplace_back(name);
    if (!part_.values.contains(name)) found_inputs_.emplace_back(position, name);
  }
  return ok();
}

Status Flattener::placeholder_with_default(Body& body, const Operation& o, State& state) {
  return o.inputs.empty() || part_.values.contains(o.node.name) ? input(body, o, state) : alias(body, o, state);
}

Status Flattener::variable(Body& body, const Operation& o, State& state) {
  if (!model_.variable) return operation(body, o, state);
  LAPIS_TRY(Tensor tensor, model_.variable(o.node));
  if (!tensor.defined()) return operation(body, o, state);
  SourceValue value;
  value.type = Type::of(tensor);
  value.constant = std::move(tensor);
  return given(body, o, state, std::move(value));
}

}  // namespace lapis::tensorflow_frontend
