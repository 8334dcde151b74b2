#include "passes/quantize/integer.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "passes/quantize/own_scales.h"

namespace lapis {

Status integer(Graph& graph, PassContext& context) {
  LAPIS_CHECK(infer_types(graph));  // shapes may have become known since: an average needs the number of its values
  const RewriteOptions options = context.rewriting();
  std::vector<Rule> first(byte_rules().begin(), byte_rules().end());
  first.insert(first.end(), channel_rules().begin(), channel_rules().end());
  first.insert(first.end(), requantize_rules().begin(), requantize_rules().end());
  apply_rules(graph, first, options);
  // After: a contraction behind which a quantizer stands is to take it along.
  apply_rules(graph, accumulate_rules(), options);
  // Last: what is still dequantized from a constant is read by float operators.
  apply_rules(graph, leftover_rules(), options);
  tabulate_byte_functions(graph, context);
  return ok();
}

Pipeline integer_passes() {
  return {{"integer",
           "contractions, averages and movements between DequantizeLinear and QuantizeLinear work on integers",
           integer}};
}

// ---- what is left -----------------------------------------------------------------------------------------------

namespace {

bool touches_floats(const Node& node) {
  const auto is_real = [](const Value* v) { return v && !v->is_constant() && is_float(v->dtype()); };
  return std::any_of(node.inputs().begin(), node.inputs().end(), is_real) ||
         std::any_of(node.outputs().begin(), node.outputs().end(), is_real);
}

std::string source_of(const Value* v) {
  if (!v->producer()) return v->is_input() ? "input '" + v->name() + "'" : "constant '" + v->name() + "'";
  return "'" + v->producer()->name() + "' (" + std::string(v->producer()->op().name) + ")";
}

std::string readers_of(const Value* v) {
  std::string text = v->is_graph_output() ? "output '" + v->name() + "'" : "";
  for (const Use& use : v->uses())
    text += (text.empty() ? "'" : ", '") + use.node->name() + "' (" + std::string(use.node->op().name) + ")";
  return text;
}

std::string between(const Node& node) {
  return "from " + source_of(node.input(0)) + " to " + readers_of(node.output());
}

}  // namespace

bool is_exact_elementwise(const Node& node) {
  const std::array kExact = {&ops::Add,  &ops::Sub, &ops::Mul, &ops::Div, &ops::Relu,
                             &ops::Clip, &ops::Min, &ops::Max, &ops::Cast};
  return is_boundary(node) || std::any_of(kExact.begin(), kExact.end(), [&](const OpDef* op) { return node.is(*op); });
}

// Its floats have one value, whoever computes them.
static bool is_exact(const Node& node) {
  return is_exact_elementwise(node) || node.op().has(Trait::ValuePreserving) || node.is(ops::Resize);
}

bool quantizes_inexact_floats(const Graph& graph) {
  std::unordered_set<const Value*> inexact;
  for (const Node* node : graph.nodes()) {
    if (!touches_floats(*node)) continue;
    const bool reads = std::ranges::any_of(node->inputs(), [&](const Value* v) { return inexact.contains(v); });
    if (reads && (node->is(ops::QuantizeLinear) || node->is(ops::DynamicQuantizeLinear))) return true;
    if (reads || !is_exact(*node)) inexact.insert(node->outputs().begin(), node->outputs().end());
  }
  return false;
}

IntegerReport describe_integer(const Graph& graph) {
  IntegerReport report;
  for (const Node* node : graph.nodes()) {
    const IntegerReport::Left left{node->name(), std::string(node->op().name), ""};
    if (is_boundary(*node))
      report.boundaries.push_back({left.node, left.op, between(*node)});
    else if (!touches_floats(*node))
      ++report.integer_nodes;
    else if (is_exact_elementwise(*node))
      report.registers.push_back({left.node, left.op, "elementwise"});
    else
      report.islands.push_back({left.node, left.op,
                                node->op().has(Trait::ValuePreserving) ? "its operands are not integers of one scale"
                                                                       : "there is no integer form of it here"});
    report.byte_exact &= !touches_floats(*node) || is_exact(*node);
  }
  return report;
}

}  // namespace lapis
