#include "passes/quantize/place.h"

#include <algorithm>
#include <unordered_map>

#include "ir/op.h"
#include "ir/ops/ops.h"
#include "passes/quantize/front_end.h"
#include "passes/quantize/largest.h"
#include "passes/quantize/roles.h"

namespace lapis {

namespace {

// ---- planning ---------------------------------------------------------------------------------------------------

class Planner {
 public:
  Planner(const Graph& graph, NodeRecipes recipes, Runtime runtime, Calibrated calibrated)
      : graph_(graph),
        runtime_(runtime),
        calibrated_(calibrated),
        logarithms_(logarithms_behind(graph)),
        largest_count_(whose_largest_count(graph)) {
    placement_.recipes = std::move(recipes);
    placement_.own = OwnScales(graph);
  }

  Result<Placement> run() {
    for (const Node* node : graph_.nodes()) consider(*node);
    drop_unwanted();
    collect_values();
    if (!found_.empty()) return std::move(found_);
    for (const Node* node : graph_.nodes()) {
      if (is_boundary(*node)) continue;
      placement_.decisions.push_back(decision(*node));
      warn(*node);
    }
    return std::move(placement_);
  }

 private:
  static constexpr size_t kActivationParts = 16;  // more nodes than any activation is made of

  // Forward: what could be int8, given its operands.
  void consider(const Node& node) {
    if (is_boundary(node)) return pass_on(node);
    std::optional<std::string> reason = refusal(node);
    if (!reason) reason = lacks_range(node);
    if (reason) {
      reasons_[&node] = *reason;
      return;
    }
    if (placement_.recipes.of(node).weights_alone()) {
      placement_.weights_alone.insert(&node);
      return;
    }
    if (is_dynamic(node)) {
      placement_.dynamic.insert(&node);
      return;
    }
    placement_.quantized.insert(&node);
    const auto operands = data_operands(node);
    const bool keeps =
        quant_of(node) != Quant::Contraction && all(operands, [&](Value* v) { return is_feature_map(v); });
    for (Value* v : data_outputs(node))
      if (node.is(ops::Conv) || (keeps && same_rank(v, operands.front()))) feature_maps_.insert(v);
  }

  // A pair of the model stores what it is given.
  void pass_on(const Node& node) {
    const Node* quantizer = node.is(ops::DequantizeLinear) ? node.input(0)->producer() : nullptr;
    const bool pair = quantizer && quantizer->is(ops::QuantizeLinear);
    if (pair && is_feature_map(quantizer->input(0))) feature_maps_.insert(node.output());
  }

  // The model says in which bytes the value is stored: those that it comes from, or those that all its readers make.
  bool has_own_scale(const Value& v) const {
    return placement_.own.holds(v) || (!v.unused() && !v.is_graph_output() &&
                                       all(v.uses(), [](const Use& use) { return use.node->is(ops::QuantizeLinear); }));
  }

  bool has_own_data(const Node& node) const { return node.input(0) && placement_.own.holds(*node.input(0)); }

  // A range that the model has need not be found.
  bool is_dynamic(const Node& node) const {
    const bool wanted = placement_.recipes.of(node).range.method == RangeMethod::Dynamic ||
                        (runtime_ == Runtime::OnnxRuntime && multiplies_sequence(node));
    return wanted && !has_own_data(node);
  }

  // A product of sequences that are floats, as encoders have them.
  bool multiplies_sequence(const Node& node) const {
    const Value* x = node.is(ops::MatMul) ? node.input(0) : nullptr;
    return x && x->type().ranked() && x->type().rank() >= 3 && !is_int8(x);
  }

  // Without weights and biases that are dequantized constants.
  static std::vector<Value*> computed_operands(const Node& node) {
    std::vector<Value*> operands = data_operands(node);
    std::erase_if(operands, [](const Value* v) {
      const Node* dq = v->producer();
      return dq && dq->is(ops::DequantizeLinear) && dq->input(0)->is_constant();
    });
    return operands;
  }

  // Why a value that the node reads or gives in bytes could not become bytes, where nothing is calibrated.
  std::optional<std::string> lacks_range(const Node& node) const {
    if (calibrated_ == Calibrated::Yes || placement_.recipes.of(node).weights_alone() || is_dynamic(node))
      return std::nullopt;
    std::vector<Value*> stored = computed_operands(node);
    std::erase_if(stored, [&](const Value* v) { return stays_in_registers(v, node); });
    if (quant_of(node) == Quant::SharedScale)
      for (Value* v : data_outputs(node)) stored.push_back(v);
    for (const Value* v : stored)
      if (!has_own_scale(*v)) return "the model says no range of '" + v->name() + "': give --calibration";
    return std::nullopt;
  }

  // Weights that are integers already stay what they are.
  std::optional<std::string> refuses_own_weights(const Node& node) const {
    if (placement_.recipes.of(node).weights_alone()) return "its weights are in fewer bits already";
    if (is_dynamic(node)) return "its weights are in fewer bits already, and its range would be found during inference";
    if (node.input(0)->is_constant() || node.input(0)->dtype() != DType::Float32)
      return "its data operand is not float32 data";
    return std::nullopt;
  }

  std::optional<std::string> refuses_contraction(const Node& node) const {
    if (has_own_weights(node)) return refuses_own_weights(node);
    if (placement_.own.holds(*node.input(0)) && placement_.own.holds(*node.input(1))) return std::nullopt;
    const auto log = logarithms_.find(&node);
    if (log != logarithms_.end() && !placement_.recipes.asked_by_name(node))
      return "the logarithm '" + log->second->name() + "' behind it would magnify its errors";
    const auto role = contraction_role(node);
    return role.ok() ? std::nullopt : std::optional(role.diagnostics().front().message);
  }

  // Data that the model stores in another way than in bytes of one scale keeps that: rounding it to bytes as well would
  // take away what it has. Sums of products are int32, and not stored.
  std::optional<std::string> reads_other_pairs(const Node& node) const {
    if (placement_.recipes.of(node).weights_alone()) return std::nullopt;
    for (const Value* v : computed_operands(node))
      if (const Node* dq = v->producer();
          dq && dq->is(ops::DequantizeLinear) && !placement_.own.holds(*v) && dq->input(0)->dtype() != DType::Int32)
        return "the model stores '" + v->name() + "' as " + std::string(name_of(dq->input(0)->dtype())) +
               (is_quantized_storage(dq->input(0)->dtype()) ? ", but not with one constant scale" : "");
    return std::nullopt;
  }

  std::optional<std::string> refusal(const Node& node) const {
    if (is_integer_operator(node)) return "it is an operator on integers";
    if (auto reason = placement_.recipes.keeps_float(node)) return reason;
    if (auto reason = reads_other_pairs(node)) return reason;
    if (placement_.recipes.of(node).weights_alone() && !has_weights_alone(node.op()))
      return "only weights alone are wanted in fewer bits, which it has not";
    if (is_dynamic(node) && quant_of(node) != Quant::Contraction)
      return "ranges are found during inference only for " + std::string(kDynamicOperators);
    const auto operands = data_operands(node);
    switch (quant_of(node)) {
      case Quant::KeepFloat: return "there is no int8 form of " + std::string(node.op().name);
      case Quant::Contraction: return refuses_contraction(node);
      case Quant::Elementwise:
        if (operands.size() == 1 && is_int8(operands[0]) && operands[0]->used_once())
          return std::nullopt;  // the tail of its producer
        return unless_all(
            operands, [&](Value* v) { return is_feature_map(v); }, "is not a feature map in int8");
      case Quant::SharedScale:
        if (auto reason = refuses_bytes(node)) return reason;
        return unless_all(
            operands, [&](Value* v) { return v->is_input() || is_int8(v); }, "is not computed in int8");
      case Quant::Average:
        return unless_all(
            operands, [&](Value* v) { return is_int8(v); }, "is not computed in int8");
    }
    LAPIS_UNREACHABLE("Quant column of " << node.op().name);
  }

  template <class Item, class Predicate> static bool all(const std::vector<Item>& items, Predicate&& predicate) {
    return std::all_of(items.begin(), items.end(), predicate);
  }
  template <class Predicate>
  static std::optional<std::string> unless_all(const std::vector<Value*>& operands, Predicate&& predicate,
                                               const std::string& problem) {
    if (operands.empty()) return "it has no float32 operand";
    for (Value* v : operands)
      if (!predicate(v)) return "'" + v->name() + "' " + problem;
    return std::nullopt;
  }
  bool is_int8(const Value* v) const {
    return (v->producer() && placement_.quantized.contains(v->producer())) || placement_.own.holds(*v);
  }
  // Quantizing the residual sums of an encoder per tensor costs many points; those of a convolutional network do not
  // mind.
  bool is_feature_map(const Value* v) const {
    return feature_maps_.contains(v) && v->type().ranked() && v->type().rank() >= 3;
  }
  static bool same_rank(const Value* a, const Value* b) {
    return a->type().ranked() && b->type().ranked() && a->type().rank() == b->type().rank();
  }

  // Backward: int8 is worth it only up to the last contraction of each path.
  void drop_unwanted() {
    std::vector<const Node*> order;
    for (const Node* node : graph_.nodes()) order.push_back(node);
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
      if (!placement_.quantized.contains(*it) || quant_of(**it) == Quant::Contraction || feeds_int8(**it)) continue;
      placement_.quantized.erase(*it);
      reasons_[*it] = "nothing behind it computes in int8";
    }
  }
  bool feeds_int8(const Node& node) const {
    for (const Value* v : data_outputs(node))
      for (const Use& use : v->uses())
        if (placement_.quantized.contains(use.node) || use.node->is(ops::QuantizeLinear)) return true;
    return false;
  }

  // A value that lives in registers only between its producer and its one elementwise reader needs no pair, nor does
  // one of which its readers make an activation.
  bool stays_in_registers(const Value* v, const Node& reader) const {
    if (quant_of(reader) != Quant::Elementwise || !is_int8(v) || placement_.own.holds(*v)) return false;
    const Quant producer = quant_of(*v->producer());
    if (producer == Quant::SharedScale) return false;
    if (!v->used_once()) return becomes_activation(v);
    return producer == Quant::Elementwise || data_operands(reader).size() == 1;
  }

  // Whether all that reads the value comes together in one elementwise function of it alone:
  // x * Sigmoid(x), x * Clip(x + 3, 0, 6) / 6.
  bool becomes_activation(const Value* v) const {
    std::vector<const Value*> parts = {v};
    for (size_t i = 0; i < parts.size() && parts.size() < kActivationParts; ++i)
      for (const Use& use : parts[i]->uses()) {
        if (!is_computed_from(*use.node, parts)) continue;
        parts.push_back(use.node->output());
        if (is_all_that_leaves(parts)) return true;
      }
    return false;
  }

  // Whether the node makes another part of those that are there.
  bool is_computed_from(const Node& node, const std::vector<const Value*>& parts) const {
    return quant_of(node) == Quant::Elementwise && placement_.quantized.contains(&node) &&
           !contains(parts, node.output()) &&
           all(data_operands(node), [&](const Value* operand) { return contains(parts, operand); });
  }

  // Whether nobody reads any part but the last, except for other parts.
  static bool is_all_that_leaves(const std::vector<const Value*>& parts) {
    return std::all_of(parts.begin(), parts.end() - 1, [&](const Value* part) {
      return !part->is_graph_output() &&
             all(part->uses(), [&](const Use& use) { return contains(parts, use.node->output()); });
    });
  }

  static bool contains(const std::vector<const Value*>& values, const Value* v) {
    return std::find(values.begin(), values.end(), v) != values.end();
  }

  void collect_values() {
    for (const Node* node : graph_.nodes()) {
      if (!placement_.quantized.contains(node)) continue;
      for (Value* v : computed_operands(*node))
        if (!stays_in_registers(v, *node)) pair(v, *node);
      if (quant_of(*node) != Quant::SharedScale) continue;
      for (Value* v : data_outputs(*node))  // the other results of Split are bytes too
        if (!v->unused()) pair(v, *node);
    }
  }

  // As the recipe says; the usual method gives way where it would cut off what counts.
  RangeOptions range_for(const Value& v, const Node& reader) const {
    RangeOptions range = placement_.recipes.of(reader).range;
    if (range.method == RangeMethod::Mse && !placement_.recipes.asks_for_range(reader) && largest_count_.contains(&v))
      range.method = RangeMethod::MinMax;
    return range;
  }

  // All that read a value in int8 read the same bytes.
  void pair(Value* v, const Node& node) {
    if (has_own_scale(*v)) return;
    const NodeRecipe& recipe = placement_.recipes.of(node);
    const auto [at, added] = paired_.try_emplace(v, &node);
    if (added) {
      placement_.values.push_back(v);
      placement_.ranges.push_back(range_for(*v, node));
      placement_.schemes.push_back(recipe.data);
      return;
    }
    const NodeRecipe& other = placement_.recipes.of(*at->second);
    const bool one_scheme = other.data == recipe.data;
    if (one_scheme && other.range == recipe.range) return;
    const std::string what = one_scheme ? "ranges" : "types";
    found_.push_back(error(ErrorKind::Usage, "'" + at->second->name() + "' and '" + node.name() +
                                                 "' take its bytes, but the recipe wants different " + what +
                                                 " for them")
                         .at("value '" + v->name() + "'")
                         .help(one_scheme ? "give both nodes the same `range`" : "give both nodes the same `data`"));
  }

  // What someone asked for by name and did not get.
  void warn(const Node& node) {
    if (placement_.recipes.keeps_float(node) && has_own_weights(node) && has_own_data(node))
      placement_.warnings.push_back(
          warning("the recipe keeps it fp32, but its pairs are those of the model and stay: compiled, it is in int8")
              .at("node '" + node.name() + "' (" + std::string(node.op().name) + ")")
              .help("take its pairs out of the model"));
    if (!placement_.in_fewer_bits(node) && placement_.recipes.asked_by_name(node))
      placement_.warnings.push_back(warning("the recipe asks for int8, but it stays fp32: " + reasons_.at(&node))
                                        .at("node '" + node.name() + "' (" + std::string(node.op().name) + ")"));
  }

  NodeDecision decision(const Node& node) const {
    NodeDecision d{node.name(), std::string(node.op().name), placement_.in_fewer_bits(node), ""};
    d.note = d.quantized ? how(node) : reasons_.at(&node);
    d.given = is_integer_operator(node);
    d.quantized |= d.given;
    return d;
  }
  std::string how(const Node& node) const {
    if (placement_.weights_alone.contains(&node))
      return "weights in " + placement_.recipes.of(node).weights.to_string() + ", float data";
    if (placement_.dynamic.contains(&node)) return "int8 operands with ranges found during inference, float output";
    switch (quant_of(node)) {
      case Quant::Contraction: {
        const Value* y = node.output();
        const Node* reader = y->used_once() ? y->uses()[0].node : nullptr;
        const bool stored = paired_.contains(y) ||
                            (reader && (placement_.quantized.contains(reader) || reader->is(ops::QuantizeLinear)));
        const bool given = has_own_data(node) && (has_own_weights(node) || placement_.own.holds(*node.input(1)));
        const char* own = given ? ", with the scales of the model" : "";
        return std::string(stored ? "int8" : "int8 operands, float output") + own;
      }
      case Quant::Elementwise: return "between int8 values, computed in float registers";
      case Quant::SharedScale: return "on the bytes";
      default: return "integer sum";
    }
  }

  const Graph& graph_;
  const Runtime runtime_;
  const Calibrated calibrated_;
  const std::unordered_map<const Node*, const Node*> logarithms_;  // by contraction that is part of a spectrogram
  const std::unordered_set<const Value*> largest_count_;
  Placement placement_;
  Diagnostics found_;
  std::unordered_set<const Value*> feature_maps_;
  std::unordered_map<const Value*, const Node*> paired_;  // with the node that wants the pair first
  std::unordered_map<const Node*, std::string> reasons_;
};

}  // namespace

std::vector<std::string> Placement::value_names() const {
  std::vector<std::string> names;
  for (const Value* v : values) names.push_back(v->name());
  return names;
}

size_t QuantizeReport::quantized_count() const {
  return static_cast<size_t>(
      std::count_if(decisions.begin(), decisions.end(), [](const NodeDecision& d) { return d.quantized; }));
}

Result<Placement> plan_qdq(const Graph& graph, const Recipe& recipe, const Target& target, Calibrated calibrated) {
  LAPIS_TRY(NodeRecipes recipes, resolve(recipe, graph, target));
  return Planner(graph, std::move(recipes), recipe.runtime, calibrated).run();
}

std::vector<std::string> values_to_calibrate(const Graph& graph) {
  std::vector<std::string> names;
  std::unordered_set<const Value*> seen;
  const auto add = [&](const std::vector<Value*>& values) {
    for (const Value* v : values)
      if (seen.insert(v).second) names.push_back(v->name());
  };
  for (const Node* node : graph.nodes()) {
    if (quant_of(*node) == Quant::KeepFloat) continue;
    add(data_operands(*node));
    add(data_outputs(*node));
  }
  return names;
}

}  // namespace lapis
