#include "frontends/onnx/to_model.h"

#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <set>

#include "frontends/common/names.h"
#include "frontends/common/scope.h"
#include "frontends/onnx/attributes.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/schema.h"
#include "frontends/onnx/tensors.h"
#include "frontends/onnx/types.h"
#include "ir/op.h"
#include "ir/structure.h"

namespace lapis::onnx_frontend {
namespace {

// The IR version that came with each opset from 13 on.
int ir_version_of(int opset) {
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  if (opset <= 22) return 10;
  return std::min(opset - 12, 13);
}

int ir_version_of(DType dtype) {
  switch (dtype) {
    case DType::Float8E4M3FN:
    case DType::Float8E4M3FNUZ:
    case DType::Float8E5M2:
    case DType::Float8E5M2FNUZ: return 9;
    case DType::UInt4:
    case DType::Int4: return 10;
    case DType::Float4E2M1: return 11;
    case DType::Float8E8M0: return 12;
    case DType::UInt2:
    case DType::Int2: return 13;
    default: return 3;
  }
}

class ModelWriter {
 public:
  ModelWriter(const ModelOptions& options, onnx::ModelProto& model) : options_(options), model_(model) {}

  void write(const Graph& graph) {
    opset_ = lowest_opset(graph);
    ir_version_ = ir_version_of(opset_);
    model_.set_producer_name("lapis");
    for (const auto& [key, value] : graph.metadata()) add_entry(*model_.add_metadata_props(), key, value);
    write_graph(graph, *model_.mutable_graph());
    model_.set_ir_version(ir_version_);
    add_opset("", opset_);
    for (const std::string& domain : domains_) add_opset(domain, 1);
  }

 private:
  template <class Entry> static void add_entry(Entry& entry, const std::string& key, const std::string& value) {
    entry.set_key(key);
    entry.set_value(value);
  }

  void add_opset(const std::string& domain, int version) {
    auto* import = model_.add_opset_import();
    import->set_domain(domain);
    import->set_version(version);
  }

  std::string name_of(const Value* value) const {
    if (!value) return "";
    return options_.name_of ? options_.name_of(*value) : value->name();
  }

  void write_graph(const Graph& graph, onnx::GraphProto& proto) {
    proto.set_name(graph.name());
    for (const Value* v : graph.inputs()) write_value(*v, *proto.add_input(), Formulas::Keep);
    for (const Value* v : graph.outputs()) write_value(*v, *proto.add_output());
    for (const Value* v : constants_of(graph)) write_constant(*v, *proto.add_initializer());
    for (const Node* node : graph.nodes()) {
      write_node(*node, *proto.add_node());
      if (options_.value_types) write_types(*node, proto);
    }
  }

  std::vector<Value*> constants_of(const Graph& graph) const {
    std::vector<Value*> constants = graph.constants();
    if (!options_.canonical_order) return constants;
    std::erase_if(constants, [](const Value* v) { return v->unused(); });
    const auto key = [&](const Value* v) { return std::pair(name_of(v).size(), name_of(v)); };  // c2 before c10
    std::sort(constants.begin(), constants.end(), [&](const Value* a, const Value* b) { return key(a) < key(b); });
    return constants;
  }

  void write_types(const Node& node, onnx::GraphProto& proto) {
    for (const Value* v : node.outputs())
      if (v && !v->is_graph_output()) write_value(*v, *proto.add_value_info());
  }

  void write_value(const Value& value, onnx::ValueInfoProto& proto, Formulas formulas = Formulas::Drop) {
    proto.set_name(name_of(&value));
    ir_version_ = std::max(ir_version_, ir_version_of(value.dtype()));
    const bool known = !value.type().is_tensor() || value.dtype() != DType::Undefined;
    if (known) to_proto(value.type(), *proto.mutable_type(), formulas);
  }

  void write_constant(const Value& value, onnx::TensorProto& proto) {
    ir_version_ = std::max(ir_version_, ir_version_of(value.dtype()));
    if (options_.write_tensor)
      options_.write_tensor(value.constant(), proto);
    else
      to_proto(value.constant(), proto);
    proto.set_name(name_of(&value));
  }

  void write_node(const Node& node, onnx::NodeProto& proto) {
    proto.set_op_type(std::string(node.op().name));
    if (!node.op().domain.empty()) {
      proto.set_domain(std::string(node.op().domain));
      domains_.insert(std::string(node.op().domain));
    }
    if (wants_name(node)) proto.set_name(node_names_.node(node.name(), {}));
    for (const Value* v : node.inputs()) proto.add_input(name_of(v));
    for (const Value* v : node.outputs()) proto.add_output(name_of(v));
    fit_to_schema(*proto.mutable_input(), node, &onnx::OpSchema::min_input);
    fit_to_schema(*proto.mutable_output(), node, &onnx::OpSchema::min_output);
    for (const auto& [name, attribute] : node.attributes()) write_attribute(name, attribute, *proto.add_attribute());
  }

  // Trailing operands that are absent are left out, but not those that the schema counts (Loop's condition, ...).
  template <class Names, class Minimum> void fit_to_schema(Names& names, const Node& node, Minimum minimum) const {
    const onnx::OpSchema* schema =
        node.op().domain.empty() ? find_schema(std::string(node.op().name), opset_, "") : nullptr;
    const int least = schema ? (schema->*minimum)() : 0;
    while (names.size() > least && names.Get(names.size() - 1).empty()) names.RemoveLast();
    while (names.size() < least) names.Add();
  }

  bool wants_name(const Node& node) const {
    if (options_.node_names != ModelOptions::NodeNames::Telling)
      return options_.node_names == ModelOptions::NodeNames::All;
    return !node.output() || node.name() != node.output()->name();
  }

  void write_attribute(const std::string& name, const Attribute& attribute, onnx::AttributeProto& proto) {
    const auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute);
    if (!graph) return to_proto(name, attribute, proto);
    proto.set_name(name);
    proto.set_type(onnx::AttributeProto::GRAPH);
    write_graph(**graph, *proto.mutable_g());
  }

  const ModelOptions& options_;
  onnx::ModelProto& model_;
  int opset_ = 0, ir_version_ = 0;
  std::set<std::string> domains_;
  frontend::Names node_names_;  // passes keep names telling; that no two nodes have the same one is for other tools
};

}  // namespace

void to_model(const Graph& graph, const ModelOptions& options, onnx::ModelProto& model) {
  ModelWriter(options, model).write(graph);
}

}  // namespace lapis::onnx_frontend
