#include "tests/frontends/graphs.h"

#include <gtest/gtest.h>

#include "frontends/onnx/import.h"
#include "ir/op.h"
#include "ir/ops/ops.h"
#include "ir/printer.h"
#include "ir/structure.h"

namespace lapis {
namespace {

std::string model_text(std::string_view body, int opset) {
  return "<ir_version: " +
         std::string(opset < 9    ? "3"
                     : opset < 21 ? "8"
                                  : "13") +
         ", opset_import: [\"\" : " + std::to_string(opset) + "]> g " + std::string(body);
}

std::string difference(const std::string& what, const std::vector<Value*>& a, const std::vector<Value*>& b) {
  if (a.size() != b.size())
    return what + ": " + std::to_string(a.size()) + " against " + std::to_string(b.size()) + " values";
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i] && !b[i]) continue;
    if (!a[i] || !b[i]) return what + ": value " + std::to_string(i) + " is absent on one side";
    const std::string at = what + ": '" + a[i]->name() + "' ";
    if (a[i]->name() != b[i]->name()) return at + "against '" + b[i]->name() + "'";
    if (!(a[i]->type() == b[i]->type())) return at + a[i]->type().to_string() + " against " + b[i]->type().to_string();
    if (!(a[i]->constant() == b[i]->constant())) return at + "differs in content";
  }
  return "";
}

std::string difference(const Node& a, const Node& b) {
  std::string what = location_of(a) + " against " + location_of(b);
  if (&a.op() != &b.op() || a.name() != b.name()) return what;
  if (std::string d = difference(what, a.inputs(), b.inputs()); !d.empty()) return d;
  if (std::string d = difference(what, a.outputs(), b.outputs()); !d.empty()) return d;
  if (a.subgraphs().size() != b.subgraphs().size() || (a.subgraphs().empty() && !same(a.attributes(), b.attributes())))
    return what + ": attributes differ";
  for (size_t i = 0; i < a.subgraphs().size(); ++i)
    if (std::string d = difference(*a.subgraphs()[i], *b.subgraphs()[i]); !d.empty()) return d;
  return "";
}

}  // namespace

std::unique_ptr<Graph> graph_of(std::string_view body, int opset) {
  auto graph = parse_onnx_text(model_text(body, opset), "test");
  if (graph.ok()) return *std::move(graph);
  ADD_FAILURE() << to_string(graph.diagnostics());
  return nullptr;
}

std::string errors_of(std::string_view body, int opset) {
  auto graph = parse_onnx_text(model_text(body, opset), "test");
  return graph.ok() ? "" : to_string(graph.diagnostics());
}

std::string difference(const Graph& a, const Graph& b) {
  if (a.name() != b.name()) return "graph '" + a.name() + "' against '" + b.name() + "'";
  if (a.metadata() != b.metadata()) return "metadata differ";
  if (std::string d = difference("inputs", a.inputs(), b.inputs()); !d.empty()) return d;
  if (std::string d = difference("outputs", a.outputs(), b.outputs()); !d.empty()) return d;
  if (std::string d = difference("constants", a.constants(), b.constants()); !d.empty()) return d;
  if (a.node_count() != b.node_count())
    return std::to_string(a.node_count()) + " against " + std::to_string(b.node_count()) + " nodes";
  auto range = b.nodes();
  auto it = range.begin();
  for (const Node* node : a.nodes()) {
    if (std::string d = difference(*node, **it); !d.empty()) return d;
    ++it;
  }
  return "";
}

std::string operators_of(const Graph& graph) {
  std::string text;
  for (const Node* node : graph.nodes()) text += (text.empty() ? "" : ", ") + std::string(node->op().name);
  return text;
}

size_t transposes_inside(const Graph& graph) {
  size_t count = 0;
  for (const Node* node : graph.nodes()) {
    const bool at_edge = node->is(ops::Transpose) && (node->input(0)->is_input() || node->output()->is_graph_output());
    count += node->is(ops::Transpose) && !at_edge;
  }
  return count;
}

}  // namespace lapis
