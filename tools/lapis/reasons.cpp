#include "tools/lapis/reasons.h"

#include "driver/compile.h"
#include "ir/ops/ops.h"
#include "passes/pipeline.h"
#include "passes/quantize/place.h"
#include "passes/quantize/roles.h"

namespace lapis::cli {

namespace {

bool is_pair(const Node& node) {
  return node.is(ops::QuantizeLinear) || node.is(ops::DequantizeLinear) || node.is(ops::DynamicQuantizeLinear);
}

bool is_dequantized(const Value* v) { return v->producer() && v->producer()->is(ops::DequantizeLinear); }

// What of the pairs around a float node is missing, or nullopt.
std::optional<std::string> missing(const Node& node) {
  if (quant_of(node) == Quant::KeepFloat) return "there is no int8 form of " + std::string(node.op().name);
  for (const Value* v : node.inputs()) {
    if (!v || v->dtype() != DType::Float32 || is_dequantized(v)) continue;
    if (v->is_constant() && quant_of(node) != Quant::Contraction) continue;
    const bool weights = v->is_constant() && v == node.input(1);
    if (v->is_constant() && !weights) continue;  // a bias
    return weights ? "its weights are float32, without DequantizeLinear"
                   : "'" + v->name() + "' is float: there is no Q/DQ pair on it";
  }
  return std::nullopt;
}

bool gives_float(const Node& node) {
  return node.output() && node.output()->dtype() == DType::Float32 && !is_pair(node) && !node.op().has(Trait::Movement);
}

// The node that a rule's explanation speaks of.
std::string named_in(const Explanation& e, std::string& text) {
  const std::string& from = e.text.starts_with("'") && e.text.find("': ") != std::string::npos ? e.text : e.where;
  const size_t begin = from.find('\''), end = from.find('\'', begin + 1);
  text = &from == &e.text ? e.text.substr(e.text.find("': ") + 3) : e.text;
  return begin == std::string::npos || end == std::string::npos ? "" : from.substr(begin + 1, end - begin - 1);
}

}  // namespace

Result<Reasons> Reasons::of(const Graph& model, const Recipe& recipe, const Target& target) {
  Reasons reasons;
  for (const Node* node : model.nodes()) {
    reasons.ops_[node->name()] = &node->op();
    reasons.quantized_ =
        reasons.quantized_ || is_pair(*node) || (node->op().has(Trait::Contraction) && node->op().quant.empty());
  }
  LAPIS_CHECK(reasons.quantized_ ? reasons.look_behind(model, target) : reasons.plan(model, recipe, target));
  return reasons;
}

Status Reasons::plan(const Graph& model, const Recipe& recipe, const Target& target) {
  const std::unique_ptr<Graph> graph = model.clone();
  PassContext context;
  context.target = target;
  LAPIS_TRY(const auto ran, PassRunner({}).run(*graph, *parse_pipeline("simplify,expand"), context));
  static_cast<void>(ran);
  LAPIS_TRY(const Placement placement, plan_qdq(*graph, recipe, target));
  size_t i = 0;
  for (const Node* node : graph->nodes()) {
    const NodeDecision& d = placement.decisions[i++];
    note(*node, d.quantized ? "nobody has quantized the model; `lapis quantize` would compute it in int8" : d.note);
  }
  return ok();
}

Status Reasons::look_behind(const Graph& model, const Target& target) {
  CompileOptions options;
  options.target = target;
  std::unordered_map<std::string, std::string> refused;
  options.context.explain = [&](const Explanation& e) {
    std::string text;
    if (e.applied || !e.rule.starts_with("integer.")) return;
    const std::string node = named_in(e, text);
    refused[node] = text;
  };
  LAPIS_TRY(const Prepared prepared, run_passes(model, options));
  for (const Node* node : prepared.graph->nodes()) {
    if (!gives_float(*node)) continue;
    const auto known = refused.find(node->name());
    const std::optional<std::string> lacks = missing(*node);
    note(*node, known != refused.end() ? known->second
                : lacks                ? *lacks
                                       : "its result is read as float: there is no Q/DQ pair on it");
  }
  return ok();
}

// A node may stand for several of the model.
void Reasons::note(const Node& node, const std::string& reason) {
  constexpr std::string_view kSeparator = " + ";
  std::string_view left = node.origin();
  while (!left.empty()) {
    const std::string_view name = left.substr(0, left.find(kSeparator));
    left.remove_prefix(std::min(left.size(), name.size() + kSeparator.size()));
    reasons_.emplace(name, reason);
  }
}

std::string Reasons::why(const std::string& node) const {
  const auto it = reasons_.find(node);
  return it == reasons_.end() ? "" : it->second;
}

const OpDef* Reasons::op(const std::string& node) const {
  const auto it = ops_.find(node);
  return it == ops_.end() ? nullptr : it->second;
}

std::vector<QuantizedRange> ranges_of(const Graph& model) {
  std::vector<QuantizedRange> ranges;
  for (const Node* node : model.nodes()) {
    if (!node->is(ops::QuantizeLinear) || node->input(0)->is_constant()) continue;
    const Value *scale = node->input(1), *zero = node->input(2);
    const DType type = node->output()->dtype();
    if (!scale->is_constant() || scale->constant().size() != 1 || (zero && !zero->is_constant()) || !is_integer(type))
      continue;
    const IntegerRange integers = integer_range(type);
    QuantizedRange range{node->input(0)->name(), std::string(name_of(type)), scale->constant().as_double(0)};
    range.zero_point = zero ? zero->constant().as_int(0) : 0;
    range.low = range.scale * static_cast<double>(integers.lowest - range.zero_point);
    range.high = range.scale * static_cast<double>(static_cast<int64_t>(integers.highest) - range.zero_point);
    ranges.push_back(std::move(range));
  }
  return ranges;
}

}  // namespace lapis::cli
