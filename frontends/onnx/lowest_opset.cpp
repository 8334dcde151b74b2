// The oldest opset that a graph can be written in.
#include <onnx/checker.h>

#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/schema.h"
#include "frontends/onnx/types.h"
#include "ir/op.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"

namespace lapis {
namespace {

using namespace onnx_frontend;

constexpr int kOldestExport = 13;  // before it Softmax, Squeeze and others had forms that Graphs do not have

// Operators that look the same before and after an opset but mean something else, or had other names for the same.
struct Barrier {
  std::string_view op;
  int version;
};
constexpr Barrier kBarriers[] = {{"Attention", 24},
                                 {"DFT", 20},
                                 {"GridSample", 20},
                                 {"GroupNormalization", 21},
                                 {"OptionalGetElement", 18},
                                 {"OptionalHasElement", 18},
                                 {"RoiAlign", 16}};

// String attributes that got a new value without a new name.
struct NewValue {
  std::string_view op, attribute, value;
  int version;
};
constexpr NewValue kNewValues[] = {{"Pad", "mode", "wrap", 19},
                                   {"Resize", "coordinate_transformation_mode", "half_pixel_symmetric", 19},
                                   {"ScatterElements", "reduction", "max", 18},
                                   {"ScatterElements", "reduction", "min", 18},
                                   {"ScatterElements", "reduction", "add", 16},
                                   {"ScatterElements", "reduction", "mul", 16},
                                   {"ScatterND", "reduction", "max", 18},
                                   {"ScatterND", "reduction", "min", 18},
                                   {"ScatterND", "reduction", "add", 16},
                                   {"ScatterND", "reduction", "mul", 16}};

bool uses(const Node& node, const NewValue& n) {
  const auto* value = node.op().name == n.op ? node.attribute_as<std::string>(n.attribute) : nullptr;
  return value && *value == n.value;
}

// Before opset 22 the text counts a last window that starts in the padding behind the input.
constexpr int kWindowsStartInside = 22;

bool drops_a_window(const Node& node) {
  if (!node.is(ops::MaxPool) && !node.is(ops::AveragePool)) return false;
  if (!node.input(0) || !node.output(0)) return false;  // a graph that is not valid can be written, too
  const Type &x = node.input(0)->type(), &y = node.output(0)->type();
  if (!x.is_static() || !y.is_static()) return false;
  const ops::Window w = ops::window_of(node);
  for (size_t i = 0; w.ceil_mode && i < w.rank(); ++i) {
    const Dim room(x.shape()[i + 2] + w.begins[i] + w.ends[i] - w.reach(i));
    if (!(ceil_div(room, w.strides[i]) + 1).is(y.shape()[i + 2])) return true;
  }
  return false;
}

// Before opset 23 scales of halves divide in float.
constexpr int kScalesDivideInTheirType = 23;

bool divides_in_halves(const Node& node) {
  const Value* scale = node.is(ops::QuantizeLinear) ? node.input(1) : nullptr;
  return scale && !node.attribute_as<int64_t>("precision") &&
         (scale->dtype() == DType::Float16 || scale->dtype() == DType::BFloat16);
}

int oldest_by_meaning(const Node& node) {
  int oldest = drops_a_window(node) ? kWindowsStartInside : kOldestExport;
  if (divides_in_halves(node)) oldest = kScalesDivideInTheirType;
  for (const Barrier& b : kBarriers)
    if (node.op().name == b.op) oldest = std::max(oldest, b.version);
  for (const NewValue& n : kNewValues)
    if (uses(node, n)) oldest = std::max(oldest, n.version);
  return oldest;
}

onnx::AttributeProto::AttributeType proto_kind(AttrKind kind) {
  constexpr onnx::AttributeProto::AttributeType kKinds[] = {
      onnx::AttributeProto::INT,    onnx::AttributeProto::FLOAT,  onnx::AttributeProto::STRING,
      onnx::AttributeProto::TENSOR, onnx::AttributeProto::GRAPH,  onnx::AttributeProto::INTS,
      onnx::AttributeProto::FLOATS, onnx::AttributeProto::STRINGS};
  return kKinds[static_cast<size_t>(kind)];
}

// The node as far as schemas look at it: no contents.
onnx::NodeProto outline(const Node& node) {
  onnx::NodeProto proto;
  proto.set_op_type(std::string(node.op().name));
  for (const Value* v : node.inputs()) proto.add_input(v ? v->name() : "");
  for (const Value* v : node.outputs()) proto.add_output(v ? v->name() : "");
  if (const onnx::OpSchema* schema = find_schema(proto.op_type(), kCanonicalOpset, ""))
    while (proto.input_size() < schema->min_input()) proto.add_input();
  for (const auto& [name, value] : node.attributes()) {
    auto* a = proto.add_attribute();
    a->set_name(name);
    a->set_type(proto_kind(kind_of(value)));
    if (a->type() == onnx::AttributeProto::TENSOR) a->mutable_t();
    if (a->type() == onnx::AttributeProto::GRAPH) a->mutable_g();
  }
  return proto;
}

std::vector<const Type*> types_of(const std::vector<Value*>& values) {
  std::vector<const Type*> types;
  types.reserve(values.size());
  for (const Value* v : values)
    types.push_back(v && (!v->type().is_tensor() || v->dtype() != DType::Undefined) ? &v->type() : nullptr);
  return types;
}

bool accepts(const onnx::OpSchema& schema, const onnx::NodeProto& proto, const Node& node) {
  return !schema.deprecated() && check_node(proto, schema).ok() &&
         check_types(schema, types_of(node.inputs()), types_of(node.outputs())).ok();
}

int lowest_opset(const Node& node, int at_least) {
  if (!node.op().domain.empty()) return at_least;
  const std::string name(node.op().name);
  const onnx::NodeProto proto = outline(node);
  at_least = std::max(at_least, oldest_by_meaning(node));
  int version = kCanonicalOpset;
  const onnx::OpSchema* known = find_schema(name, version, "");
  while (known && version > at_least) {
    const onnx::OpSchema* older = find_schema(name, version - 1, "");
    if (!older || (older != known && !accepts(*older, proto, node))) break;
    known = older;
    --version;
  }
  return version;
}

int lowest_opset(const Graph& graph, int at_least) {
  for (const Node* node : graph.nodes()) {
    at_least = std::max(at_least, lowest_opset(*node, at_least));
    for (const Graph* subgraph : node->subgraphs()) at_least = lowest_opset(*subgraph, at_least);
  }
  return at_least;
}

}  // namespace

int lowest_opset(const Graph& graph) { return lowest_opset(graph, kOldestExport); }

}  // namespace lapis
