// Inserting what was planned (place.h): pairs on activations, int8 constants with DequantizeLinear on weights and
// biases.
#include <map>
#include <unordered_map>

#include "ir/infer.h"
#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "passes/quantize/dynamic.h"
#include "passes/quantize/place.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/rounded_weights.h"
#include "passes/quantize/scales.h"

namespace lapis {

namespace {

class Inserter {
 public:
  Inserter(Graph& graph, const Placement& placement, const RoundedOf& rounded)
      : graph_(graph), placement_(placement), rounded_(rounded) {}

  QuantizeReport run(ScaleGroups groups) {
    report_.decisions = placement_.decisions;
    report_.notes = std::move(groups.notes);
    if (const size_t own = placement_.own.pairs(); own > 0)
      report_.notes.push_back("the scales of " + std::to_string(own) + " values are those of the model");
    remember_order();
    scales_.resize(groups.ranges.size());
    for (size_t i = 0; i < placement_.values.size(); ++i)
      insert_pair(placement_.values[i], groups.group_of[i], groups.ranges[groups.group_of[i]], placement_.schemes[i]);
    for (Node* node : order_)
      if (placement_.quantized.contains(node) && quant_of(*node) == Quant::Contraction) quantize_operands(*node);
    DynamicInserter dynamic(graph_);
    for (Node* node : order_)
      if (placement_.dynamic.contains(node)) dynamic.quantize(*node, weights_by_channel(*node), rounded_);
    graph_.erase_unused_constants();
    return std::move(report_);
  }

 private:
  struct Parameters {
    Value *scale = nullptr, *zero_point = nullptr;
  };

  // The nodes as they were: inserted ones are not to be visited.
  void remember_order() {
    for (Node* node : graph_.nodes()) {
      if (!order_.empty()) next_[order_.back()] = node;
      order_.push_back(node);
    }
  }

  Value* add(const OpDef& op, std::vector<Value*> inputs, int64_t axis, const std::string& name, Node* before,
             const std::string& origin) {
    Attributes attributes;
    if (axis != 1 && inputs[1]->constant().rank() != 0) attributes["axis"] = axis;
    Node* node = graph_.add_node(op, std::move(inputs), std::move(attributes), {name}, before);
    node->set_origin(origin);
    const Status inferred = infer_types(*node);
    LAPIS_ASSERT(inferred.ok(), to_string(inferred.diagnostics()));
    return node->output();
  }

  // All values of a group read the same two constants.
  Parameters parameters(const Value& v, size_t group, QuantParams params, DType type) {
    Parameters& p = scales_[group];
    if (!p.scale) {
      p.scale = graph_.add_constant(Tensor::scalar(params.scale), v.name() + "_scale");
      p.zero_point = graph_.add_constant(ops::from_integers(type, {}, {params.zero_point}), v.name() + "_zero_point");
    }
    return p;
  }

  void insert_pair(Value* v, size_t group, Range range, const Scheme& scheme) {
    std::string name = v->name();
    const QuantParams params = params_of(range, scheme);
    const Parameters p = parameters(*v, group, params, scheme.type);
    Node* before = v->producer() ? next_.count(v->producer()) ? next_[v->producer()] : nullptr : order_.front();
    const std::string origin = v->producer() ? v->producer()->origin() : v->name();
    const std::vector<Use> readers = v->uses();
    Value* bytes = add(ops::QuantizeLinear, {v, p.scale, p.zero_point}, 1, v->name() + "_quantized", before, origin);
    Value* floats =
        add(ops::DequantizeLinear, {bytes, p.scale, p.zero_point}, 1, v->name() + "_dequantized", before, origin);
    // Where the producer computes in int8 the float value is never stored: everybody reads the pair. Else float readers
    // keep it.
    const bool everybody = v->producer() && placement_.quantized.contains(v->producer());
    for (const Use& use : readers)
      if (everybody || placement_.quantized.contains(use.node)) use.node->set_input(use.index, floats);
    if (everybody && v->is_graph_output()) take_over_output(v, floats);
    pairs_[floats] = params;
    report_.values.push_back({std::move(name), range, params});
  }

  // The output's name is the model's interface and moves to the dequantized value.
  void take_over_output(Value* v, Value* floats) {
    std::string name = v->name();
    for (size_t i = 0; i < graph_.outputs().size(); ++i)
      if (graph_.outputs()[i] == v) graph_.set_output(i, floats);
    graph_.rename(v, name + "_float");
    graph_.rename(floats, std::move(name));
  }

  // The scale of the bytes that a contraction reads.
  float data_scale(const Value* data) const {
    const auto own = placement_.own.of(*data);
    return own ? own->s : pairs_.at(data).scale;
  }

  void quantize_operands(Node& node) {
    if (has_own_weights(node) || placement_.own.holds(*node.input(1))) return;
    const auto role = contraction_role(node);
    LAPIS_ASSERT(role.ok(), "'" << node.name() << "' was planned as int8");
    const float scale = data_scale(role->data);
    const int64_t channels = role->weight->constant().dim(role->axis);
    const Tensor bias = role->bias ? one_per_channel(role->bias->constant(), channels) : Tensor();
    const bool per_channel = weights_by_channel(node);
    const QuantizedWeight q = integers_of(node, *role, bias, scale);
    node.set_input(1, weight_values(*role, q, !per_channel, node));
    if (role->bias) node.set_input(2, bias_values(*role->bias, q, scale, node));
  }

  QuantizedWeight integers_of(const Node& node, const ContractionRole& role, const Tensor& bias,
                              float data_scale) const {
    if (const auto own = rounded_.find(&node); own != rounded_.end())
      if (auto q = with_bias(own->second.values, own->second.scales, bias, data_scale)) return *std::move(q);
    return quantize_weight(role.weight->constant(), role.axis, bias, data_scale, weights_by_channel(node));
  }

  bool weights_by_channel(const Node& node) const {
    return placement_.recipes.of(node).weights.granularity == Granularity::Channel;
  }

  static Tensor one_per_channel(const Tensor& bias, int64_t channels) {
    if (bias.size() == channels) return bias.reshaped({channels});
    return Tensor::vector(std::vector<float>(static_cast<size_t>(channels), bias.data<float>()[0]));
  }

  // A weight that several nodes share is quantized once, unless their biases want different scales.
  Value* weight_values(const ContractionRole& role, const QuantizedWeight& q, bool one_scale, Node& node) {
    const std::string& name = role.weight->name();
    const Tensor scale = one_scale ? Tensor::scalar(q.scales.data<float>()[0]) : q.scales;
    std::vector<Value*>& known = weights_[{role.weight, role.axis}];
    for (Value* floats : known)
      if (floats->producer()->input(1)->constant() == scale && floats->producer()->input(0)->constant() == q.values)
        return floats;
    Value* values = graph_.add_constant(q.values, name + "_quantized");
    Value* scales = graph_.add_constant(scale, name + "_scale");
    Value* zeros = graph_.add_constant(one_scale ? Tensor::scalar<int8_t>(0) : q.zero_points, name + "_zero_point");
    Value* floats =
        add(ops::DequantizeLinear, {values, scales, zeros}, role.axis, name + "_dequantized", &node, node.origin());
    known.push_back(floats);
    return floats;
  }

  Value* bias_values(const Value& bias, const QuantizedWeight& q, float data_scale, Node& node) {
    Tensor scales = q.scales;
    for (float& s : scales.mutable_data<float>()) s *= data_scale;
    Value* values = graph_.add_constant(q.bias, bias.name() + "_quantized");
    Value* scale = graph_.add_constant(std::move(scales), bias.name() + "_scale");
    return add(ops::DequantizeLinear, {values, scale}, 0, bias.name() + "_dequantized", &node, node.origin());
  }

  Graph& graph_;
  const Placement& placement_;
  const RoundedOf& rounded_;
  QuantizeReport report_;
  std::vector<Node*> order_;
  std::unordered_map<const Node*, Node*> next_;
  std::vector<Parameters> scales_;                                           // by group
  std::unordered_map<const Value*, QuantParams> pairs_;                      // by dequantized value
  std::map<std::pair<const Value*, int64_t>, std::vector<Value*>> weights_;  // dequantized, by weight and axis
};

}  // namespace

// The recipe with the precision of every node written down.
static Recipe as_done(const Placement& placement, Recipe recipe) {
  for (RecipeRule& rule : recipe.rules) rule.settings.precision.reset();
  std::erase_if(recipe.rules, [](const RecipeRule& rule) { return rule.settings.empty(); });
  for (const NodeDecision& d : placement.decisions)
    if (!d.given)
      recipe.set({Selector::By::Name, d.node}, {.precision = d.quantized ? Precision::Int8 : Precision::Float32});
  return recipe;
}

QuantizeReport insert_qdq(Graph& graph, const Placement& placement, const Ranges& ranges, const Recipe& recipe,
                          const RoundedOf& rounded) {
  QuantizeReport report =
      Inserter(graph, placement, rounded).run(share_scales(placement, graph, ranges, recipe.share_limit));
  report.recipe = as_done(placement, recipe);
  return report;
}

}  // namespace lapis
