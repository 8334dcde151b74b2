#include "frontends/onnx/nodes.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <unordered_set>

#include "frontends/onnx/import.h"
#include "frontends/onnx/schema.h"

namespace lapis::onnx_frontend {
namespace {

using Names = std::unordered_set<std::string_view>;

// The reads of a node in the order in which they are met.
class Reads {
 public:
  void of(const onnx::NodeProto& node) {
    for (const auto& name : node.input()) add(name);
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) captures(attribute.g());
  }
  std::vector<std::string_view> take() { return std::move(list_); }

 private:
  void add(const std::string& name) {
    if (name.empty()) return;
    for (const Names& local : local_)
      if (local.contains(name)) return;
    if (seen_.insert(name).second) list_.push_back(name);
  }

  // What a subgraph reads from the graphs around it.
  void captures(const onnx::GraphProto& graph) {
    Names own;
    for (const auto& v : graph.input()) own.insert(v.name());
    for (const auto& v : graph.initializer()) own.insert(v.name());
    for (const auto& v : graph.sparse_initializer()) own.insert(v.values().name());
    for (const auto& node : graph.node()) own.insert(node.output().begin(), node.output().end());
    local_.push_back(std::move(own));
    for (const auto& node : graph.node()) of(node);
    for (const auto& v : graph.output()) add(v.name());
    local_.pop_back();
  }

  std::vector<Names> local_;  // of the subgraphs around
  Names seen_;
  std::vector<std::string_view> list_;
};

bool is_onnx(const std::string& op) { return op.find("::") == std::string::npos; }

std::string hint_for(const std::string& op) {
  if (op.starts_with("com.microsoft.nchwc::") || op.starts_with("com.ms.internal.nhwc::"))
    return "ONNX Runtime wrote it for one machine: save the model at ORT_ENABLE_EXTENDED or below, or import it as it "
           "was "
           "before ONNX Runtime optimized it";
  if (op.starts_with("com.microsoft::"))
    return "this operator belongs to ONNX Runtime: import the model as it was before ONNX Runtime optimized it, or "
           "export it with operators of ONNX alone";
  if (!is_onnx(op)) return "export the model without custom operators, or define this one by a function in the model";
  if (!find_schema(op, kNewestOpset, ""))
    return "ONNX has no such operator up to opset " + std::to_string(kNewestOpset) + "; check the domain of the node";
  return "cut the model before these nodes or export it without them";
}

size_t count_nodes(const onnx::GraphProto& graph);
template <class Body> size_t count_nodes_of(const Body& body) {
  size_t count = 0;
  for (const auto& node : body.node()) {
    ++count;
    for (const auto& a : node.attribute()) count += a.has_g() ? count_nodes(a.g()) : 0;
  }
  return count;
}
size_t count_nodes(const onnx::GraphProto& graph) { return count_nodes_of(graph); }

}  // namespace

std::string plain_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

std::string location_of(const onnx::NodeProto& node) {
  const std::string& name = !node.name().empty() || node.output_size() == 0 ? node.name() : node.output(0);
  return "node '" + name + "' (" + node.op_type() + ")";
}

frontend::OrderedNode reads_and_writes(const onnx::NodeProto& node) {
  Reads reads;
  reads.of(node);
  return {reads.take(), {node.output().begin(), node.output().end()}};
}

frontend::UnsupportedNode unsupported(const onnx::NodeProto& node, const std::string& where, const std::string& owner) {
  const std::string domain = plain_domain(node.domain());
  const std::string op = domain.empty() ? node.op_type() : domain + "::" + node.op_type();
  return {.op = op,
          .where = where,
          .note = owner.empty() ? "" : "it is part of how ONNX defines " + owner,
          .hint = hint_for(op)};
}

size_t nodes_written(const onnx::ModelProto& model) {
  size_t written = count_nodes(model.graph());
  for (const auto& function : model.functions()) written += count_nodes_of(function);
  return written;
}

const onnx::AttributeProto* attribute(const onnx::NodeProto& node, std::string_view name) {
  const auto& all = node.attribute();
  const auto it = std::find_if(all.begin(), all.end(), [&](const auto& a) { return a.name() == name; });
  return it == all.end() ? nullptr : &*it;
}

int64_t int_or(const onnx::NodeProto& node, std::string_view name, int64_t fallback) {
  const auto* a = attribute(node, name);
  return a ? a->i() : fallback;
}

float float_or(const onnx::NodeProto& node, std::string_view name, float fallback) {
  const auto* a = attribute(node, name);
  return a ? a->f() : fallback;
}

std::string string_or(const onnx::NodeProto& node, std::string_view name, const std::string& fallback) {
  const auto* a = attribute(node, name);
  return a ? a->s() : fallback;
}

std::vector<int64_t> ints(const onnx::AttributeProto& a) { return {a.ints().begin(), a.ints().end()}; }

void remove_attribute(onnx::NodeProto& node, std::string_view name) {
  auto& all = *node.mutable_attribute();
  all.erase(std::remove_if(all.begin(), all.end(), [&](const auto& a) { return a.name() == name; }), all.end());
}

// In place of the one that has the name.
static onnx::AttributeProto* fresh_attribute(onnx::NodeProto& node, const std::string& name,
                                             onnx::AttributeProto::AttributeType type) {
  remove_attribute(node, name);
  auto* a = node.add_attribute();
  a->set_name(name);
  a->set_type(type);
  return a;
}

void set_string(onnx::NodeProto& node, const std::string& name, const std::string& value) {
  fresh_attribute(node, name, onnx::AttributeProto::STRING)->set_s(value);
}

void set_int(onnx::NodeProto& node, const std::string& name, int64_t value) {
  fresh_attribute(node, name, onnx::AttributeProto::INT)->set_i(value);
}

void set_float(onnx::NodeProto& node, const std::string& name, float value) {
  fresh_attribute(node, name, onnx::AttributeProto::FLOAT)->set_f(value);
}

void set_floats(onnx::NodeProto& node, const std::string& name, const std::vector<float>& values) {
  auto* a = fresh_attribute(node, name, onnx::AttributeProto::FLOATS);
  for (const float value : values) a->add_floats(value);
}

void set_ints(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto* a = fresh_attribute(node, name, onnx::AttributeProto::INTS);
  for (const int64_t value : values) a->add_ints(value);
}

void set_input(onnx::NodeProto& node, int i, const std::string& value) {
  while (node.input_size() <= i) node.add_input();
  node.set_input(i, value);
}

bool has_output(const onnx::NodeProto& node, int i) { return i < node.output_size() && !node.output(i).empty(); }

onnx::NodeProto make_node(const std::string& op, std::vector<std::string> inputs, const std::string& output) {
  onnx::NodeProto node;
  node.set_op_type(op);
  for (std::string& input : inputs) node.add_input(std::move(input));
  node.add_output(output);
  return node;
}

}  // namespace lapis::onnx_frontend
