// Graphs in ONNX's text syntax, through ONNX's own printer.
#include <onnx/defs/printer.h>
#include <onnx/onnx_pb.h>

#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "frontends/onnx/export.h"
#include "frontends/onnx/tensors.h"
#include "frontends/onnx/to_model.h"

namespace lapis {
namespace {

using namespace onnx_frontend;

// c1, c2, ... for constants in the order of their first use, v1, v2, ... for everything computed.
class CanonicalNames {
 public:
  explicit CanonicalNames(const Graph& graph) {
    for (const auto* values : {&graph.inputs(), &graph.outputs()})
      for (const Value* v : *values) taken_.insert(names_[v] = v->name());
    number(graph);
  }
  std::string operator()(const Value& value) {
    const auto it = names_.find(&value);
    return it != names_.end() ? it->second : value.name();
  }

 private:
  void number(const Graph& graph) {
    for (const Value* v : graph.inputs()) name(v, "v", computed_);
    for (const Node* node : graph.nodes()) {
      for (const Value* v : node->inputs())
        if (v && v->is_constant()) name(v, "c", constants_);
      for (const Graph* subgraph : node->subgraphs()) number(*subgraph);
      for (const Value* v : node->outputs())
        if (v) name(v, "v", computed_);
    }
    for (const Value* v : graph.constants()) name(v, "c", constants_);
  }
  void name(const Value* value, const std::string& stem, int& counter) {
    if (names_.contains(value)) return;
    std::string candidate;
    do candidate = stem + std::to_string(++counter);
    while (taken_.contains(candidate));  // an input may be called like that
    names_[value] = candidate;
  }

  std::unordered_map<const Value*, std::string> names_;
  std::unordered_set<std::string> taken_;
  int computed_ = 0, constants_ = 0;
};

void elide(const Tensor& tensor, onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  proto.mutable_dims()->Assign(tensor.shape().begin(), tensor.shape().end());
  proto.set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = proto.add_external_data();
  entry->set_key("elided");
  entry->set_value(std::to_string(tensor.size()) + " elements");
}

bool printable(DType dtype) {
  return dtype == DType::String || (bit_width(dtype) >= 8 && dtype != DType::Complex64 && dtype != DType::Complex128);
}

}  // namespace

std::string to_onnx_text(const Graph& graph, const TextOptions& options) {
  ModelOptions model_options{.node_names = ModelOptions::NodeNames::Telling,
                             .value_types = options.value_types,
                             .canonical_order = options.canonical_names};
  model_options.write_tensor = [&](const Tensor& tensor, onnx::TensorProto& proto) {
    if (tensor.size() > options.largest_constant || !printable(tensor.dtype()))
      elide(tensor, proto);
    else
      to_proto(tensor, proto);
  };
  if (options.canonical_names) {
    model_options.node_names = ModelOptions::NodeNames::None;
    model_options.name_of = CanonicalNames(graph);
  }
  onnx::ModelProto model;
  to_model(graph, model_options, model);
  model.clear_producer_name();
  std::ostringstream text;
  text << model << '\n';
  return text.str();
}

}  // namespace lapis
